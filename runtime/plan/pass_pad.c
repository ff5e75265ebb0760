#include "ops/constant.h"
#include "ops/conv.h"
#include "ops/move.h"
#include "ops/pad.h"
#include "ops/pooling.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "plan/pass.h"

/* Zeros around images, which cost a copy of them all, are what the node behind can do without: a Conv adds them to its
 * own pads, as does an AveragePool that counts its pads. Whether that holds is told by ranks and constants alone,
 * before channels are put last. A Pad stays where it may be wrong, so that it is the one that is refused. */

/* Of a trainer's graph, in which nothing was folded, Constant nodes as well. */
static const struct tensor *constant_in(const struct node *n, int k)
{
    const struct value *v = k < n->inputs ? n->in[k] : NULL;
    const struct node *m = v && !v->trains ? v->producer : NULL;

    return m && node_is(m, &op_constant) ? &((const struct constant *)m->attrs)->value : value_constant(v);
}

/* False where they are not known, or are none that a Pad takes. */
static bool read_ints(const struct node *n, int k, struct ints *out)
{
    const struct tensor *t = constant_in(n, k);

    if (!t || t->rank > 1 || (t->dtype != I64 && (t->dtype != I32 || k != PAD_AXES)) ||
        tensor_count(t) > (int64_t)(sizeof out->v / sizeof *out->v))
        return false;
    ints_of(t, out);
    return true;
}

/* Does the Pad add zeros of this type? */
static bool adds_zeros(const struct node *pad, enum dtype dtype)
{
    const struct pad *a = pad->attrs;
    const struct tensor *t = constant_in(pad, PAD_VALUE);
    const char *byte;

    if (a->mode != PAD_CONSTANT || a->value != 0)
        return false;
    if (pad->inputs <= PAD_VALUE || !pad->in[PAD_VALUE])
        return true;
    if (!t || t->dtype != dtype || tensor_count(t) != 1)
        return false;
    byte = t->data;
    for (int64_t k = 0; k < tensor_bytes(t); k++)
        if (byte[k])
            return false;
    return true;
}

/* What the Pad adds to images of `rank` dimensions, as `pads` of the node behind; false where it does anything else. */
static bool spatial_pads(const struct node *pad, int rank, struct ints *out)
{
    const bool given = pad->inputs > PAD_AXES && pad->in[PAD_AXES];
    struct ints pads, axes = { .count = rank };
    uint32_t seen = 0;

    if (!read_ints(pad, PAD_PADS, &pads) || (given && !read_ints(pad, PAD_AXES, &axes)) || pads.count != 2 * axes.count)
        return false;
    *out = (struct ints){ .count = 2 * (rank - 2) };
    for (int k = 0; k < axes.count; k++) {
        const int d = given ? wrap_axis(axes.v[k], rank) : k;
        const int64_t begin = pads.v[k], end = pads.v[axes.count + k];

        if (d < 0 || seen >> d & 1 || begin < 0 || end < 0 || (d < 2 && (begin || end)))
            return false;
        seen |= (uint32_t)1 << d;
        if (d >= 2) {
            out->v[d - 2] = begin;
            out->v[rank - 2 + d - 2] = end;
        }
    }
    return true;
}

/* Pads of a pool are elements that count where all of them do. Where ceil_mode lets the last window hang over the end,
 * it counts otherwise. */
static bool counts_pads(const struct pooling_attrs *a)
{
    for (int k = 0; k < a->window.pads.count; k++)
        if (a->window.pads.v[k] && !a->count_include_pad)
            return false;
    return !a->window.ceil_mode;
}

/* Into a copy of n's attributes. */
static bool add_pads(const struct node *n, void *attrs, const struct ints *pads)
{
    struct conv_attrs *conv = attrs;
    struct pooling_attrs *pooling = attrs;

    if (node_is(n, &op_conv))
        return window_pad(&conv->window, pads);
    if (!counts_pads(pooling) || !window_pad(&pooling->window, pads))
        return false;
    pooling->count_include_pad = true;
    return true;
}

/* The rank of the images that n reads; 0 where it is not certain, or not what n's weights have. */
static int rank_of(const struct node *n)
{
    const int rank = known_of(n->in[0]).rank;

    return rank < 3 || (node_is(n, &op_conv) && known_of(n->in[1]).rank != rank) ? 0 : rank;
}

/* The Pad whose output n alone reads, as its first input; NULL where there is none, or not one of zeros around
 * images. */
static struct node *pad_before(const struct node *n, const struct use *uses, struct ints *pads)
{
    struct node *pad = n->in[0] ? n->in[0]->producer : NULL;
    const int rank = n->in[0] ? rank_of(n) : 0;
    enum dtype dtype;

    if (!rank || !pad || !node_is(pad, &op_pad) || !pad->in[PAD_DATA] || uses[n->in[0]->id].count != 1)
        return NULL;
    dtype = known_of(n->in[0]).dtype;
    if (dtype == UNDEFINED && node_is(n, &op_conv))
        dtype = known_of(n->in[1]).dtype;
    return adds_zeros(pad, dtype) && spatial_pads(pad, rank, pads) ? pad : NULL;
}

static bool has_pad(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_pad))
            return true;
    return false;
}

/* All Pads before n, one before another. */
static bool take_pads(struct node *n, struct use *uses, struct report *r)
{
    struct node *pad;
    struct ints pads;

    while ((pad = pad_before(n, uses, &pads))) {
        struct value *x = pad->in[PAD_DATA];
        void *attrs = pass_attrs(n, r);

        if (!attrs)
            return false;
        if (!add_pads(n, attrs, &pads))
            return true;
        n->in[0]->producer = NULL;
        pass_empty(pad);
        n->in[0] = x;
        uses[x->id].reader = n;
    }
    return true;
}

bool pass_pad(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    struct use *uses;

    if (!has_pad(g))
        return true;
    uses = pass_uses(g, r);
    if (!uses)
        return false;
    pass_know(w);
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];

        if ((node_is(n, &op_conv) || node_is(n, &op_average_pool)) && !take_pads(n, uses, r))
            return false;
    }
    return true;
}
