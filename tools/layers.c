#include "layers.h"
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "ops/registry.h"
#include "tools.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- types with names for open dimensions -- */

static const char *symbol_of(const struct value *v, int d)
{
    return v->dim_names && v->dim_names[d] && *v->dim_names[d] ? v->dim_names[d] : d ? NULL : "N";
}

static int find_symbol(const struct open_types *o, const char *name)
{
    for (int k = 0; name && k < o->count; k++)
        if (strcmp(o->names[k], name) == 0)
            return k;
    return -1;
}

static void collect_symbols(struct open_types *o)
{
    for (size_t k = 0; k < o->graph->input_count; k++) {
        const struct value *v = o->graph->inputs[k];

        for (int d = 0; d < v->type.rank; d++) {
            const char *name = v->type.dims[d] < 0 ? symbol_of(v, d) : NULL;

            if (name && o->count < MAX_SYMBOLS && find_symbol(o, name) < 0)
                o->names[o->count++] = name;
        }
    }
}

/* Plans with dimension `changed` (-1: none) at another number; `other` is for those that have no name of their own. */
static struct program *plan_once(const struct open_types *o, int changed, int64_t other, struct budget *b,
                                 struct report *r)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = b, .report = r };
    struct arena arena = { .budget = b };
    struct tensor *types = arena_array(&arena, o->graph->value_count, sizeof *types, r);
    struct program *p = NULL;

    for (size_t k = 0; types && k < o->graph->value_count; k++) {
        const struct value *v = o->graph->values[k];
        struct tensor *t = &types[k];

        t->rank = UNKNOWN;
        if (v->initializer)
            *t = *v->initializer;
        else if (!v->producer)
            *t = v->type;
        for (int d = 0; !v->initializer && !v->producer && d < t->rank; d++) {
            const int s = t->dims[d] < 0 ? find_symbol(o, symbol_of(v, d)) : -1;

            if (t->dims[d] < 0)
                t->dims[d] = s < 0 ? other : o->numbers[s] + (s == changed);
        }
    }
    if (types)
        p = plan_types(o->graph, types, NULL, &c);
    arena_release(&arena);
    return p;
}

bool open_types_find(struct open_types *o, const struct graph *g, struct budget *b, struct report *r)
{
    static const int64_t sizes[] = {
        8, 64, 224, 1
    }; /* of all but the first, which is the batch: a picture must not be too small */

    *o = (struct open_types){ .graph = g };
    collect_symbols(o);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes && !o->plan; k++) {
        struct report quiet = { 0 };

        for (int s = 0; s < o->count; s++)
            o->numbers[s] = s ? sizes[k] : 2;
        o->plan = plan_once(o, -1, sizes[k], b, &quiet);
        if (quiet.error.code == KILN_NO_MEMORY)
            return fail_no_memory(r, 0);
        if (!budget_in_time(b, g->path, r))
            return false;
    }
    for (int s = 0; s < o->count && o->plan; s++) {
        struct report quiet = { 0 };

        o->plans[s] = plan_once(o, s, 1, b, &quiet);
        if (quiet.error.code == KILN_NO_MEMORY)
            return fail_no_memory(r, 0);
        if (!budget_in_time(b, g->path, r))
            return false;
    }
    return true;
}

void open_types_release(struct open_types *o)
{
    program_free(o->plan);
    for (int s = 0; s < o->count; s++)
        program_free(o->plans[s]);
}

/* A dimension that depends on one open one is a line in it, nearly always. */
static int put_dimension(const struct open_types *o, const struct value *v, int d, char *to, size_t room)
{
    const int64_t n = o->plan->types[v->id].dims[d];
    int on = -1;
    int64_t slope = 0, rest;

    if (n < 0)
        return snprintf(to, room, "?");
    for (int s = 0; s < o->count; s++) {
        const struct tensor *t = o->plans[s] ? &o->plans[s]->types[v->id] : NULL;

        if (!t || t->rank <= d || t->dims[d] < 0 || t->dims[d] == n)
            continue;
        if (on >= 0)
            return snprintf(to, room, "?");
        on = s;
        slope = t->dims[d] - n;
    }
    if (on < 0)
        return snprintf(to, room, "%lld", (long long)n);
    rest = n - slope * o->numbers[on];
    if (slope == 1 && !rest)
        return snprintf(to, room, "%s", o->names[on]);
    if (slope == 1)
        return snprintf(to, room, "%s%+lld", o->names[on], (long long)rest);
    return rest ? snprintf(to, room, "%lld*%s%+lld", (long long)slope, o->names[on], (long long)rest)
                : snprintf(to, room, "%lld*%s", (long long)slope, o->names[on]);
}

static const char *declared_text(const struct value *v, char buffer[TYPE_TEXT])
{
    size_t n;

    if (!v->has_type || v->type.kind != TENSOR || v->type.rank < 0)
        return v->has_type ? tensor_text(&v->type, buffer) : strcpy(buffer, "?");
    n = (size_t)snprintf(buffer, TYPE_TEXT, "%s[", dtype_name(v->type.dtype));
    for (int d = 0; d < v->type.rank && n + 64 < TYPE_TEXT; d++) {
        const char *name = v->type.dims[d] < 0 ? symbol_of(v, d) : NULL;

        n += (size_t)(v->type.dims[d] >= 0
                          ? snprintf(buffer + n, TYPE_TEXT - n, "%s%lld", d ? "," : "", (long long)v->type.dims[d])
                          : snprintf(buffer + n, TYPE_TEXT - n, "%s%.40s", d ? "," : "", name ? name : "?"));
    }
    snprintf(buffer + n, TYPE_TEXT - n, "]");
    return buffer;
}

const char *open_type_text(const struct open_types *o, const struct value *v, char buffer[TYPE_TEXT])
{
    const bool ours = o->plan && (size_t)v->id < o->graph->value_count && o->graph->values[v->id] == v;
    const struct tensor *t = ours ? &o->plan->types[v->id] : NULL;
    size_t n;

    if (!t || t->kind != TENSOR || t->rank < 0)
        return t && t->kind != TENSOR ? tensor_text(t, buffer) : declared_text(v, buffer);
    n = (size_t)snprintf(buffer, TYPE_TEXT, "%s[", dtype_name(t->dtype));
    for (int d = 0; d < t->rank && n + 64 < TYPE_TEXT; d++) {
        char one[64];

        put_dimension(o, v, d, one, sizeof one);
        n += (size_t)snprintf(buffer + n, TYPE_TEXT - n, "%s%s", d ? "," : "", one);
    }
    snprintf(buffer + n, TYPE_TEXT - n, "]");
    return buffer;
}

/* -- layers -- */

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
        *(p->at[low]->role == ROLE_TRAINABLE ? &to->trainable : &to->fixed) += tensor_count(&p->at[low]->initial);
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
        if (node_is(n, &op_constant))
            continue;
        for (int o = 0; o < n->outputs && !out; o++)
            out = n->out[o];
        to = add_layer(l, r);
        if (!to)
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

/* -- operators without gradient -- */

static void note(struct obstacles *o, const struct node *n, bool in_the_way)
{
    size_t k = 0;

    while (k < o->count && strcmp(o->at[k].op, n->op_name) != 0)
        k++;
    if (k == MAX_OBSTACLES)
        return;
    if (k == o->count)
        o->at[o->count++] = (struct obstacle){ .op = n->op_name, .reason = n->def->no_gradient };
    o->at[k].nodes++;
    o->at[k].in_the_way |= in_the_way;
}

/* Sizes and indices are no obstacle: nothing flows back through them. */
static bool makes_floats(const struct node *n, const struct open_types *types)
{
    for (int o = 0; o < n->outputs; o++) {
        const struct tensor *t =
            n->out[o] && types->plan && n->graph == types->graph ? &types->plan->types[n->out[o]->id] : NULL;

        if (n->out[o] && (!t || t->dtype == UNDEFINED || dtype_is_float(t->dtype)))
            return true;
    }
    return false;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool find_in(struct obstacles *o, const struct graph *g, const struct open_types *types, bool *learns,
                    struct arena *arena, struct report *r)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool reached = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            reached |= n->in[i] && learns[n->in[i]->id];
        reached &= makes_floats(n, types);
        if (!op_differentiable(n->def))
            note(o, n, reached);
        for (int i = 0; i < n->slots; i++)
            if (n->out[i] && reached && op_differentiable(n->def))
                learns[n->out[i]->id] = true;
        for (int s = 0; s < n->graphs; s++) {
            const struct graph *sub = n->graph_of[s];
            bool *inner = arena_array(arena, sub->value_count, sizeof *inner, r);

            if (!inner)
                return false;
            for (size_t c = 0; c < sub->capture_count; c++)
                inner[sub->captures[c].inner->id] = learns[sub->captures[c].outer->id];
            for (size_t i = 0; i < sub->input_count; i++)
                inner[sub->inputs[i]->id] = reached;
            if (!find_in(o, sub, types, inner, arena, r))
                return false;
        }
    }
    return true;
}

bool obstacles_find(struct obstacles *o, const struct open_types *types, const struct parameters *p,
                    struct arena *arena, struct report *r)
{
    const struct graph *g = types->graph;
    bool *learns = arena_array(arena, g->value_count, sizeof *learns, r);

    o->count = 0;
    for (size_t k = 0; learns && k < p->count; k++)
        if (p->at[k].role == ROLE_TRAINABLE)
            learns[p->at[k].value->id] = true;
    return learns && find_in(o, g, types, learns, arena, r);
}
