#include "inspect/layers.h"
#include "model/message.h"
#include "ops/registry.h"
#include <stdlib.h>
#include <string.h>

static struct layer *add_layer(struct layers *l, struct report *r)
{
    if (!budget_grow(l->budget, &l->at, &l->capacity, l->count + 1, sizeof *l->at, r))
        return NULL;
    memset(&l->at[l->count], 0, sizeof *l->at);
    return &l->at[l->count++];
}

/* Parameters in the order of their readers' addresses. */
struct by_reader {
    const struct parameter **at;
    size_t count;
};

static int compare_readers(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t)(*(const struct parameter *const *)a)->reader,
                    y = (uintptr_t)(*(const struct parameter *const *)b)->reader;

    return (x > y) - (x < y);
}

static bool sort_parameters(struct by_reader *b, const struct parameters *p, struct budget *budget, struct report *r)
{
    *b = (struct by_reader){ budget_zalloc(budget, p->count, sizeof(struct parameter *), r), p->count };
    for (size_t k = 0; b->at && k < p->count; k++)
        b->at[k] = &p->at[k];
    if (b->at)
        qsort(b->at, b->count, sizeof(struct parameter *), compare_readers);
    return b->at;
}

static void count_parameters(struct layer *to, const struct node *n, const struct by_reader *p)
{
    size_t low = 0, high = p->count;

    while (low < high) { /* the first whose reader does not come before n */
        const size_t middle = low + (high - low) / 2;

        if ((uintptr_t)p->at[middle]->reader < (uintptr_t)n)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < p->count && p->at[low]->reader == n; low++)
        *(p->at[low]->role == ROLE_TRAINABLE ? &to->trainable : &to->fixed) += parameter_elements(p->at[low]);
}

static const char *const *names_of(struct layers *l, struct value *const *values, int count, struct report *r)
{
    const char **names = arena_array(l->arena, (size_t)count, sizeof *names, r);

    for (int k = 0; names && k < count; k++)
        names[k] = values[k] ? values[k]->name : "";
    return names;
}

static bool name_values(struct layers *l, struct layer *to, const struct node *n, struct report *r)
{
    to->inputs = (size_t)n->inputs;
    to->outputs = (size_t)n->outputs;
    to->input = names_of(l, n->in, n->inputs, r);
    to->output = names_of(l, n->out, n->outputs, r);
    return to->input && to->output;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool add_graph(struct layers *l, const struct graph *g, int depth, const struct open_types *types,
                      const struct by_reader *p, struct report *r)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *part = g->nodes[k], *n = node_origin(part);
        const struct value *out = NULL;
        struct layer *to;

        if (part->origin && k && n == node_origin(g->nodes[k - 1])) { /* another part of that layer */
            count_parameters(&l->at[l->count - 1], part, p);
            continue;
        }
        if (node_is(n, &op_constant) || n->index < 0) /* an expansion puts nodes into bodies that are not the file's */
            continue;
        for (int o = 0; o < n->outputs && !out; o++)
            out = n->out[o];
        to = add_layer(l, r);
        if (!to || !name_values(l, to, n, r))
            return false;
        to->name = *n->name ? n->name : out ? out->name : "";
        to->op = n->op_name;
        to->since = n->since;
        to->depth = depth;
        if (out)
            open_type_text(types, out, to->type);
        count_parameters(to, n, p);
        if (part != n)
            count_parameters(to, part, p);
        for (int s = 0; s < n->graphs; s++)
            if (!add_graph(l, n->graph_of[s], depth + 1, types, p, r))
                return false;
    }
    return true;
}

bool layers_of_graph(struct layers *l, const struct open_types *types, const struct parameters *parameters,
                     struct report *r)
{
    struct by_reader by_reader;
    const bool ok =
        sort_parameters(&by_reader, parameters, l->budget, r) && add_graph(l, types->graph, 0, types, &by_reader, r);

    budget_free(l->budget, by_reader.at);
    return ok;
}

static int64_t float_elements(const Onnx__TensorProto *t)
{
    int64_t n = 1;

    if (!dtype_valid(t->data_type) || !dtype_is_float((enum dtype)t->data_type))
        return 0;
    for (size_t d = 0; d < t->n_dims; d++)
        if (t->dims[d] < 0 || !mul_size(n, t->dims[d], &n))
            return 0;
    return n;
}

bool layers_of_messages(struct layers *l, const struct model *m, struct report *r)
{
    const Onnx__GraphProto *g = m->proto->graph;
    struct map initializers; /* to what is not counted yet */
    bool ok = true;

    map_init(&initializers, l->budget);
    for (size_t k = 0; g && ok && k < g->n_initializer; k++) {
        void **slot = map_put(&initializers, or_empty(g->initializer[k]->name), r);

        ok = slot;
        if (ok)
            *slot = g->initializer[k];
    }
    for (size_t k = 0; g && ok && k < g->n_node; k++) {
        const Onnx__NodeProto *n = g->node[k];
        struct layer *to = strcmp(or_empty(n->op_type), op_constant.name) == 0 ? NULL : add_layer(l, r);

        if (!to) {
            ok = !failed(r);
            continue;
        }
        to->name = *or_empty(n->name) ? n->name : n->n_output ? n->output[0] : "";
        to->op = or_empty(n->op_type);
        strcpy(to->type, "?");
        to->inputs = n->n_input;
        to->outputs = n->n_output;
        to->input = (const char *const *)n->input;
        to->output = (const char *const *)n->output;
        for (size_t i = 0; ok && i < n->n_input; i++) {
            const Onnx__TensorProto *t = map_get(&initializers, n->input[i]);
            void **slot = t ? map_put(&initializers, n->input[i], r) : NULL;

            if (slot)
                *slot = NULL;
            to->trainable += t ? float_elements(t) : 0;
        }
    }
    map_release(&initializers);
    return ok;
}

void layers_release(struct layers *l)
{
    budget_free(l->budget, l->at);
}
