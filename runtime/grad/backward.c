#include "grad/backward.h"
#include "grad/straight.h"
#include "ops/sequence.h"
#include <string.h>

/* -- what rules ask -- */

struct emitter *emitter_of(struct backward *b)
{
    return &b->e;
}

const struct node *node_of(struct backward *b)
{
    return b->node;
}

const void *attrs_of(struct backward *b)
{
    return b->node->attrs;
}

struct value *forward_in(struct backward *b, int k)
{
    return k >= 0 && k < b->node->inputs + b->node->captured ? b->node->in[k] : NULL;
}

struct value *forward_out(struct backward *b, int k)
{
    struct value *v = node_output(b->q->graph->nodes[b->node->id], k);

    if (!v)
        b->e.failed = true;
    return v;
}

struct value *upstream(struct backward *b, int k)
{
    const struct value *v = k >= 0 && k < b->node->slots ? b->node->out[k] : NULL;

    return v && (size_t)v->id < b->values ? b->gradient[v->id] : NULL;
}

bool wants(struct backward *b, int k)
{
    const struct value *v = forward_in(b, k);

    return v && (size_t)v->id < b->values && b->needs[v->id];
}

/* What is quantised has, for rules, the type of its gradient: those that move it emit the same for that. */
static const struct tensor *type_of(const struct backward *b, const struct value *v)
{
    return &(b->flat ? b->flat : b->q->types)[v->id];
}

const struct tensor *type_in(struct backward *b, int k)
{
    const struct value *v = forward_in(b, k);

    return v ? type_of(b, v) : NULL;
}

enum dtype dtype_read(struct backward *b, int k)
{
    const struct value *v = forward_in(b, k);

    return v ? b->q->types[v->id].dtype : UNDEFINED;
}

const struct tensor *type_out(struct backward *b, int k)
{
    const struct value *v = k >= 0 && k < b->node->slots ? b->node->out[k] : NULL;

    return v && (size_t)v->id < b->values ? type_of(b, v) : NULL;
}

/* The sum of what was given before, if anything, and what is given now. */
static struct value *add(struct backward *b, const struct tensor *type, struct value *before, struct value *gradient)
{
    struct value *in[] = { before, gradient }, *sum;

    if (!before)
        return gradient;
    if (type->kind == SEQUENCE)
        return emit_private(&b->e, &sequence_add, NULL, 1, &sum, NULL, 2, in) ? sum : NULL;
    if (type->kind == OPTIONAL) { /* nested no deeper than the loader allows */
        const struct tensor held = element_of(type);

        return emit(&b->e, "Optional", "", 1,
                    add(b, &held, emit(&b->e, "OptionalGetElement", "", 1, before),
                        emit(&b->e, "OptionalGetElement", "", 1, gradient)));
    }
    return emit(&b->e, "Add", "", 2, before, gradient);
}

void give(struct backward *b, int k, struct value *gradient)
{
    struct value **sum;

    if (!gradient || !wants(b, k))
        return;
    sum = &b->gradient[forward_in(b, k)->id];
    *sum = add(b, type_in(b, k), *sum, gradient);
}

void give_unbroadcast_from(struct backward *b, int k, struct value *gradient, const struct tensor *out)
{
    const struct tensor *in = type_in(b, k);
    int64_t axes[MAX_RANK];
    int count = 0;

    if (!gradient || !wants(b, k))
        return;
    for (int d = 0; d < out->rank; d++) {
        const int own = d - (out->rank - in->rank);

        if (own < 0 || (in->dims[own] == 1 && out->dims[d] != 1))
            axes[count++] = d;
    }
    if (count)
        gradient = emit(&b->e, "ReduceSum", "keepdims=1", 2, gradient, emit_ints(&b->e, count, axes));
    if (in->rank != out->rank)
        gradient = emit_reshape(&b->e, gradient, in->rank, in->dims);
    give(b, k, gradient);
}

void give_unbroadcast(struct backward *b, int k, struct value *gradient)
{
    const struct tensor *out = type_out(b, 0);

    if (gradient && wants(b, k) && !out)
        backward_error(b, "its first output is not computed");
    else
        give_unbroadcast_from(b, k, gradient, out);
}

int64_t truncation(struct backward *b)
{
    return b->q->bptt;
}

bool zero_gradient(struct backward *b)
{
    return backward_ok(b);
}

bool backward_ok(struct backward *b)
{
    return !b->e.failed;
}

bool backward_error(struct backward *b, const char *format, ...)
{
    char where[WHERE_TEXT];
    va_list args;

    b->e.failed = true;
    va_start(args, format);
    fail_v(b->c->report, KILN_UNSUPPORTED, node_where(b->node, where), format, args);
    va_end(args);
    return false;
}

/* -- the walk -- */

bool carries_gradient(const struct tensor *type)
{
    if (type->kind == TENSOR && type->dtype == UNDEFINED)
        return true;
    return (type->kind == TENSOR || type->kind == SEQUENCE || type->kind == OPTIONAL) && dtype_is_float(type->dtype) &&
           !dtype_is_small(type->dtype);
}

static void find_needs(struct backward *b, size_t nodes)
{
    for (size_t k = 0; k < b->q->count; k++)
        b->needs[b->q->wrt[k]->id] = true;
    for (size_t k = 0; k < nodes; k++) {
        const struct node *n = b->q->graph->nodes[k];
        bool any = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            any |= n->in[i] && b->needs[n->in[i]->id];
        for (int o = 0; o < n->slots && any; o++)
            if (n->out[o] && (carries_gradient(&b->q->types[n->out[o]->id]) || b->straight[n->out[o]->id]))
                b->needs[n->out[o]->id] = true;
    }
}

/* Looks for what is quantised. */
static bool find_straight(struct backward *b)
{
    const size_t bytes = b->values * sizeof *b->flat;
    bool any = false;

    b->straight = straight_find(b->q->graph, b->q->types, &b->scratch, b->c->report);
    for (size_t k = 0; b->straight && k < b->values; k++)
        any |= b->straight[k];
    if (!b->straight || !any)
        return b->straight;
    b->flat = arena_alloc(&b->scratch, bytes, b->c->report);
    if (!b->flat)
        return false;
    memcpy(b->flat, b->q->types, bytes);
    for (size_t k = 0; k < b->values; k++)
        if (b->straight[k])
            b->flat[k].dtype = F32;
    return true;
}

/* Would a gradient have to go to what is quantised, where the rule has no way for it? */
static bool is_stopped(struct backward *b, const struct node *n)
{
    const struct value *v = straight_stop(n, b->straight);

    return v && b->needs[v->id] &&
           !backward_error(b, "has no gradient of what is quantised: '%s' goes back to a QuantizeLinear",
                           v->name ? v->name : "");
}

bool op_differentiable(const struct op_def *def)
{
    return def->gradient || def->expand;
}

static bool differentiate(struct backward *b, const struct node *n)
{
    bool flows = false, needed = false;

    b->node = n;
    for (int k = 0; k < n->slots; k++)
        flows |= upstream(b, k) != NULL;
    for (int k = 0; k < n->inputs + n->captured; k++)
        needed |= wants(b, k);
    if (!flows || !needed)
        return true;
    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && type_in(b, k)->kind == TENSOR && !tensor_known(type_in(b, k)) && (k < n->inputs || wants(b, k)))
            return backward_error(b, "input %d has a size that only running can tell: no gradient can be planned", k);
    if (is_stopped(b, n))
        return false;
    if (!n->def->gradient && n->op->domain && strcmp(n->op->domain, "kiln") == 0)
        return backward_error(b, "a gradient of a gradient goes through %s, which cannot be differentiated again",
                              n->op->name);
    if (!n->def->gradient)
        return backward_error(b, "has no gradient: %s",
                              n->def->no_gradient ? n->def->no_gradient : "not differentiable");
    if (n->def->gradient(b) && !b->e.failed)
        return true;
    return failed(b->c->report) ? false : backward_error(b, "its gradient cannot be made");
}

bool grad_build(const struct grad_request *q, const struct plan_context *c)
{
    const size_t nodes = q->graph->node_count;
    struct backward b = { .q = q,
                          .c = c,
                          .e = { .graph = q->graph, .report = c->report },
                          .scratch = { .budget = c->budget },
                          .values = q->graph->value_count };
    bool ok;

    b.needs = arena_array(&b.scratch, b.values, sizeof *b.needs, c->report);
    b.gradient = arena_array(&b.scratch, b.values, sizeof *b.gradient, c->report);
    ok = b.needs && b.gradient && find_straight(&b);
    if (ok)
        find_needs(&b, nodes);
    for (size_t k = 0; ok && k < q->seeds; k++) {
        struct value **g = &b.gradient[q->seed[k]->id];

        *g = add(&b, &q->types[q->seed[k]->id], *g, q->seed_gradient[k]);
        ok = *g;
    }
    for (size_t k = nodes; ok && k-- > 0;) {
        ok = differentiate(&b, q->graph->nodes[k]);
        if (q->ends)
            q->ends[k] = q->graph->node_count;
    }
    for (size_t k = 0; ok && k < q->count; k++)
        q->gradient[k] = b.gradient[q->wrt[k]->id];
    arena_release(&b.scratch);
    return ok;
}
