#include "ops/concat.h"
#include "ops/conv.h"
#include "ops/layout.h"
#include "ops/registry.h"
#include "plan/pass.h"
#include <stdlib.h>
#include <string.h>

/* Concat of channels that convolutions make, for nobody else: each writes its part where the whole will be. The first
 * makes the whole, the others take it one from the other, in the order of nodes, and the last one's result is what the
 * Concat made. */

/* Can the convolution's result lie among others? */
static bool can_be_part(const struct node *conv)
{
    const struct conv_attrs *a = conv->attrs;
    const struct conv_lowered *lowered = node_is(conv, &op_conv) ? NULL : conv->attrs;

    return a->channels_last && conv->inputs <= CONV_RESIDUAL &&
           !(lowered && (lowered->extras.chain || lowered->extras.into_channels));
}

/* The weights' shape: those of a constant, or as an input is declared. */
static const struct tensor *weights_of(const struct node *conv)
{
    const struct value *w = conv->in[1];

    return value_constant(w) ? value_constant(w) : w->is_input && w->has_type ? &w->type : NULL;
}

/* Channels that a convolution makes which can write them as a part; 0 where it cannot. */
static int64_t part_of(const struct use *uses, const struct value *v)
{
    const struct node *n = v ? v->producer : NULL;
    const struct tensor *w = n && node_is_any(n, &op_conv) ? weights_of(n) : NULL;

    if (!w || w->rank < 3 || w->dims[0] <= 0 || n->out[0] != v || uses[v->id].count != 1 || !can_be_part(n))
        return 0;
    for (int k = 1; k < n->slots; k++)
        if (n->out[k])
            return 0;
    return w->dims[0];
}

/* The whole's channels; 0 where not every part can be written so. */
static int64_t whole_of(const struct use *uses, const struct node *n)
{
    const struct concat *a = n->attrs;
    int64_t sum = 0;

    if (!node_is(n, &op_concat) || !a->channels_last || n->inputs < 2 || !n->out[0])
        return 0;
    for (int k = 0; k < n->inputs; k++) {
        const int64_t part = part_of(uses, n->in[k]);
        const int rank = part ? weights_of(n->in[k]->producer)->rank : 0;

        if (!part || layout_wrap(true, rank, a->axis) != rank - 1 || sum > INT64_MAX - part)
            return 0;
        sum += part;
    }
    return sum;
}

/* Writes channels [at, ...) into what `before` made; NULL: it makes the whole. */
static bool write_part(struct node *conv, int64_t at, int64_t whole, struct value *before, struct report *r)
{
    struct conv_lowered *a = pass_lower(conv, r);
    struct value **in = arena_array(conv->graph->arena, CONV_INTO + 1, sizeof(struct value *), r);

    if (!a || !in)
        return false;
    a->extras.into_channels = whole;
    a->extras.into_at = at;
    if (!before)
        return true;
    memcpy(in, conv->in, (size_t)conv->inputs * sizeof(struct value *));
    in[CONV_INTO] = before;
    conv->in = in;
    conv->inputs = CONV_INTO + 1;
    return true;
}

struct part {
    struct node *conv;
    int64_t at;
};

static int earlier_first(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return (x->conv->id > y->conv->id) - (x->conv->id < y->conv->id);
}

static bool spread(struct node *n, int64_t whole, struct report *r)
{
    struct part *parts = arena_array(n->graph->arena, (size_t)n->inputs, sizeof *parts, r);
    struct value *y = n->out[0], *before = NULL;
    int64_t at = 0;

    if (!parts)
        return false;
    for (int k = 0; k < n->inputs; k++) {
        parts[k] = (struct part){ n->in[k]->producer, at };
        at += weights_of(parts[k].conv)->dims[0];
    }
    qsort(parts, (size_t)n->inputs, sizeof *parts, earlier_first);
    for (int k = 0; k < n->inputs; k++) {
        if (!write_part(parts[k].conv, parts[k].at, whole, before, r))
            return false;
        before = parts[k].conv->out[0];
    }
    before->producer->out[0] = y;
    y->producer = before->producer;
    before->producer = NULL;
    for (int k = 0; k < n->inputs; k++)
        n->in[k] = NULL;
    n->out[0] = NULL;
    return true;
}

bool pass_concat(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);

    for (size_t k = 0; uses && k < g->node_count; k++) {
        const int64_t whole = whole_of(uses, g->nodes[k]);

        if (whole && !spread(g->nodes[k], whole, r))
            return false;
    }
    return uses;
}
