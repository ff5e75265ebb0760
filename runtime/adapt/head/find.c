#include "adapt/head/head.h"
#include "kernels/kernels.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/open_sizes.h"
#include "train/batch_size.h"
#include <string.h>

/* -- planning -- */

/* What is open is `open`, or, where no such size is any good, what the steps before have taken. */
static struct program *plan(struct head *h, const struct graph *g, int64_t open, struct report *r)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &h->budget, .report = r };
    struct arena scratch = { .budget = &h->budget };
    struct tensor *x = arena_array(&scratch, g->input_count, sizeof *x, r);
    struct program *p = NULL;

    for (size_t k = 0; x && k < g->input_count; k++) {
        const struct tensor *type = open_type(g, h->sizes, k);

        x[k] = type ? given_closed(type, open) : (struct tensor){ .rank = UNKNOWN };
    }
    budget_start(&h->budget);
    if (x)
        p = plan_samples(g, x, open, UNKNOWN, &c);
    budget_stop(&h->budget);
    arena_release(&scratch);
    return p;
}

bool head_lacks(const struct report *r)
{
    return r->error.code == KILN_LIMIT || r->error.code == KILN_NO_MEMORY || r->error.code == KILN_STOPPED;
}

/* With the first size for which that goes; NULL with the error of the last one. */
static struct program *plan_any(struct head *h, const struct graph *g, struct report *r)
{
    static const int64_t sizes[] = { 2, 1, 8, 32, 224 }; /* 2: a batch of 1 looks like a dimension that is none */
    struct program *p = NULL;

    for (size_t k = 0; !p && k < sizeof sizes / sizeof *sizes; k++) {
        *r = (struct report){ 0 };
        h->open = sizes[k];
        p = plan(h, g, sizes[k], r);
        if (!p && head_lacks(r))
            return NULL;
    }
    return p;
}

struct program *head_plan(struct head *h, const struct graph *g, int64_t open, struct report *r)
{
    struct report quiet;
    struct program *p;

    if (open)
        return plan(h, g, open, r);
    p = plan_any(h, g, &quiet);
    if (!p && !head_lacks(&quiet)) {
        if (!adapt_inputs(h->a, g, &h->sizes))
            return NULL;
        p = plan_any(h, g, &quiet);
    }
    if (!p)
        fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
    return p;
}

/* -- finding -- */

Onnx__NodeProto *head_message(const struct model *m, const struct node *n)
{
    Onnx__NodeProto *p;

    if (n->origin || n->index < 0 || (size_t)n->index >= m->proto->graph->n_node)
        return NULL;
    p = m->proto->graph->node[n->index];
    return p->n_output && n->out[0] && strcmp(p->output[0], n->out[0]->name) == 0 &&
                   strcmp(or_empty(p->op_type), n->op_name) == 0
               ? p
               : NULL;
}

/* The one input that depends on what the caller gives; NULL where there are none, or several. */
static const struct value *way_back(const struct head *h, const struct node *n)
{
    const struct value *x = NULL;

    for (int k = 0; k < n->inputs + n->captured; k++) {
        const struct value *v = n->in[k];

        if (!v || !h->active[v->id] || v == x)
            continue;
        if (x)
            return NULL;
        x = v;
    }
    return n->graphs ? NULL : x;
}

/* May it stand between the last layer and an output? */
static bool may_follow(const struct node *n)
{
    static const struct op *const others[] = {
        &op_softmax,     &op_log_softmax, &op_global_average_pool, &op_global_max_pool, &op_average_pool, &op_max_pool,
        &op_reduce_mean, &op_reduce_max,  &op_reduce_sum,          &op_slice,           &op_gather,
    };

    if (node_elementwise(n) || n->def->flags & OP_REARRANGES)
        return true;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (node_is(n, others[k]))
            return true;
    return false;
}

static bool is_layer(const struct node *n)
{
    return node_is(n, &op_gemm) || node_is(n, &op_matmul) || node_is(n, &op_conv) || node_is(n, &op_conv_transpose);
}

static bool fail_way(const struct head *h, const struct node *n)
{
    char where[WHERE_TEXT];

    return fail(h->a->report, KILN_UNSUPPORTED, node_where(n, where),
                "output '%s' comes from here, must come on a single way from a Gemm, MatMul or Conv whose weight is a "
                "constant",
                h->output->name);
}

static bool is_transposed(const struct head *h, const char *which)
{
    const Onnx__AttributeProto *a = node_attribute(head_message(h->a->model, h->node), which);

    return a && a->i;
}

/* Which dimensions have its units. */
static bool find_dimensions(struct head *h)
{
    const struct node *n = h->node;
    const struct tensor *w = &h->types->types[n->in[h->weight]->id], *y = &h->types->types[n->out[0]->id];

    if (!tensor_known(w) || !tensor_known(y) || !dtype_is_float(w->dtype) || dtype_is_small(w->dtype) || w->rank < 2)
        return false;
    if (node_is(n, &op_conv) || node_is(n, &op_conv_transpose)) {
        if (!h->weight)
            return false;
        h->unit = node_is(n, &op_conv_transpose); /* the units of one group alone */
        h->axis = 1;
    } else if (node_is(n, &op_gemm)) {
        h->unit = h->weight ? !is_transposed(h, "transB") : is_transposed(h, "transA");
        h->axis = h->weight ? 1 : 0;
    } else {
        h->unit = w->rank - (h->weight ? 1 : 2);
        h->axis = y->rank - (h->weight ? 1 : 2);
    }
    h->units = w->dims[h->unit];
    return h->axis >= 0 && y->dims[h->axis] == h->units && h->units > 0;
}

static bool take_layer(struct head *h, const struct node *n)
{
    h->node = n;
    h->x = way_back(h, n);
    if (!h->x || (n->in[0] != h->x && n->in[1] != h->x))
        return fail_way(h, n);
    h->weight = n->in[0] == h->x;
    if (!head_message(h->a->model, n)) {
        char where[WHERE_TEXT];

        return fail(h->a->report, KILN_UNSUPPORTED, node_where(n, where),
                    "the head of output '%s' is in a function, must be a node of the main graph", h->output->name);
    }
    if (!tensor_known(&h->types->types[n->out[0]->id])) {
        char where[WHERE_TEXT];

        return fail(h->a->report, KILN_UNSUPPORTED, node_where(n, where),
                    "only running tells the shape of what the head of output '%s' makes", h->output->name);
    }
    return (!h->active[n->in[h->weight]->id] && find_dimensions(h)) || fail_way(h, n);
}

bool head_find(struct head *h)
{
    const struct value *v = h->output;

    for (;;) {
        const struct node *n = v->producer ? node_origin(v->producer) : NULL;

        if (!n)
            return fail(h->a->report, KILN_UNSUPPORTED, NULL,
                        "output '%s' comes from '%s' without a Gemm, MatMul or Conv between them: it has no head",
                        h->output->name, v->name);
        if (is_layer(n))
            return take_layer(h, n);
        v = way_back(h, n);
        if (!v || !may_follow(n))
            return fail_way(h, n);
        if (!h->activation && (node_is(n, &op_softmax) || node_is(n, &op_log_softmax) || node_is(n, &op_sigmoid)))
            h->activation = n;
    }
}

const char *head_found(const struct head *h)
{
    return arena_printf(h->a->arena, h->a->report, "head: %s of %lld %s", h->node->op_name, (long long)h->units,
                        h->units == 1 ? "unit" : "classes");
}

const char *head_called(const struct node *n)
{
    return *n->name ? n->name : n->out[0]->name;
}
