#include "kernels/norm_block.h"
#include "ops/batch_normalization.h"
#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/norm_block.h"
#include "ops/pooling.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/pass.h"
#include <string.h>

/* A BatchNormalization that trains, and behind it up to one activation and one pool, in any order, become a NormBlock;
 * so do an activation and a pool alone. */
struct run {
    const struct tensor *types; /* by value id */
    const struct use *uses;
    struct node *first, *last;
    struct norm_block_attrs attrs;
};

static bool is_float(const struct run *r, const struct node *n, int inputs)
{
    for (int k = 0; k < inputs; k++) {
        const struct tensor *t = k < n->inputs && n->in[k] ? &r->types[n->in[k]->id] : NULL;

        if (!t || t->kind != TENSOR || t->dtype != F32 || !tensor_known(t))
            return false;
    }
    return true;
}

/* Does anybody ask for an output from `k` on? */
static bool has_more(const struct node *n, int k)
{
    while (k < n->slots && !n->out[k])
        k++;
    return k < n->slots;
}

/* -- what may be part of one -- */

static bool take_norm(struct run *r, const struct node *n)
{
    const struct batch_norm *a = n->attrs;

    if (!node_is(n, &op_batch_normalization) || !a->training || a->each || n->inputs != 5 || has_more(n, 3) ||
        !is_float(r, n, 5))
        return false;
    if (r->types[n->in[0]->id].rank != 2 && !a->channels_last)
        return false;
    r->attrs.epsilon = a->epsilon;
    r->attrs.momentum = a->momentum;
    r->attrs.normal = true;
    return true;
}

static bool take_act(struct run *r, const struct node *n)
{
    const struct chain_rule *rule = n->def ? n->def->chain : NULL;
    struct chain_step s = { .formula = rule ? rule->formula : NULL };

    if (r->attrs.act || !rule || rule->p != 0 || rule->q != CHAIN_NOTHING || has_more(n, 1) || !is_float(r, n, 1) ||
        (rule->read && !rule->read(n, &s)) || !norm_block_act(s.formula, s.numbers, false))
        return false;
    r->attrs.act = s.formula;
    r->attrs.act_name = n->op_name;
    r->attrs.numbers = s.numbers;
    return true;
}

/* Windows of 2x2 side by side, nothing between them and nothing around them. */
static bool is_plain(const struct window_attrs *w, const struct tensor *x)
{
    const bool even = x->dims[1] % 2 == 0 && x->dims[2] % 2 == 0;

    if (w->kernel_shape.count != 2 || w->strides.count != 2 || (!even && (w->ceil_mode || w->auto_pad != NOTSET)))
        return false;
    for (int d = 0; d < 2; d++)
        if (w->kernel_shape.v[d] != 2 || w->strides.v[d] != 2 || (w->dilations.count && w->dilations.v[d] != 1))
            return false;
    for (int d = 0; d < w->pads.count; d++)
        if (w->pads.v[d])
            return false;
    return true;
}
static bool take_pool(struct run *r, const struct node *n)
{
    const struct pooling_attrs *a = n->attrs;
    const struct tensor *x;
    struct norm_block b = { .pool = true };

    if (r->attrs.pool || !node_is(n, &op_max_pool) || !a->channels_last || has_more(n, 1) || !is_float(r, n, 1))
        return false;
    x = &r->types[n->in[0]->id];
    if (x->rank != 4 || !is_plain(&a->window, x))
        return false;
    if (r->attrs.act && !norm_block_act(r->attrs.act, r->attrs.numbers, true))
        return false;
    b.height = x->dims[1];
    b.width = x->dims[2];
    b.channels = x->dims[3];
    r->attrs.pool = norm_block_fits(&b);
    return r->attrs.pool;
}

/* -- moments -- */

/* A convolution takes the moments of its result while that is in the cache. */
static bool ask_for_moments(const struct run *r, struct report *report)
{
    struct node *n = r->first, *conv = n->in[0]->producer;
    const struct conv_attrs *a = conv && node_is(conv, &op_conv) ? conv->attrs : NULL;
    struct value **in;

    if (!r->attrs.normal || !a || !a->channels_last)
        return true;
    in = arena_array(n->graph->arena, (size_t)n->inputs + 1, sizeof *in, report);
    if (!in)
        return false;
    memcpy(in, n->in, (size_t)n->inputs * sizeof *in);
    in[n->inputs] = node_output(conv, CONV_MOMENTS);
    n->in = in;
    return in[n->inputs++];
}

/* -- the block -- */

static bool replace(const struct run *r, struct report *report)
{
    struct node *n = r->first;
    const struct op_def *def = norm_block_op.defs;
    const int outputs = 3, slots = outputs + def->hidden;
    struct norm_block_attrs *a = arena_alloc(n->graph->arena, sizeof *a, report);
    struct value **out = arena_array(n->graph->arena, (size_t)slots, sizeof *out, report);

    if (!a || !out)
        return false;
    *a = r->attrs;
    pass_replace(r->uses, n, r->last);
    for (int k = 0; k < n->slots && k < outputs; k++)
        out[k] = n->out[k];
    n->op = &norm_block_op;
    n->def = def;
    n->op_name = norm_block_op.name;
    n->since = def->since;
    n->attrs = a;
    n->outputs = a->normal ? outputs : 1;
    n->slots = slots;
    n->out = out;
    return ask_for_moments(r, report);
}

/* By value id. Of the values that passes have added only initializers come from outside. */
static struct program *types_of(const struct rewrite *w)
{
    struct arena scratch = { .budget = w->c->budget };
    struct tensor *given = given_types(w->graph, &scratch, w->c->report);
    struct program *types = NULL;

    if (given && w->given)
        memcpy(given, w->given, w->values * sizeof *given);
    if (given)
        types = plan_types(w->graph, given, NULL, w->c);
    arena_release(&scratch);
    return types;
}

static bool make_blocks(const struct graph *g, const struct tensor *types, struct report *report)
{
    const struct use *uses = pass_uses(g, report);

    for (size_t k = 0; uses && k < g->node_count; k++) {
        struct run r = { .types = types, .uses = uses, .first = g->nodes[k], .last = g->nodes[k] };

        if (!r.first->slots || !r.first->out[0] ||
            !(take_norm(&r, r.first) || take_act(&r, r.first) || take_pool(&r, r.first)))
            continue;
        for (struct node *n = pass_next(uses, r.last); n && (take_act(&r, n) || take_pool(&r, n));
             n = pass_next(uses, n))
            r.last = n;
        if (r.last != r.first && (r.attrs.normal || r.attrs.pool) && !replace(&r, report))
            return false;
    }
    return uses;
}

bool pass_norm(struct rewrite *w)
{
    struct program *types = types_of(w);
    const bool ok = types && make_blocks(w->graph, types->types, w->c->report);

    program_free(types);
    return ok;
}
