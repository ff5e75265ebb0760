#include "ops/batch_normalization.h"
#include "ops/conv.h"
#include "ops/gemm.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/node.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "plan/pass.h"
#include <math.h>
#include <string.h>

/* What comes after a node, y = scale * x + shift for each channel, is computed in double and goes into the node's own
 * parameters at the end of the chain:
 *
 *   Conv, ConvTranspose, Gemm, MatMul   W' = scale * W, B' = scale * B + shift
 *   BatchNormalization                  likewise with its scale and bias
 *
 * A MatMul of matrices becomes a Gemm then, any other has a bias of ours (ops/matmul.h). */

enum target { NONE, CONV, CONV_TRANSPOSE, GEMM, MATMUL, BATCH_NORM };

struct chain {
    struct graph *graph;
    struct node *node, *last; /* last: the end of the chain */
    enum target target;
    const struct tensor *w, *b; /* b: NULL where there is none */
    int rank;                   /* of the result, or less where that is not known */
    bool channels_last;         /* in the result */
    int64_t channels;
    double *scale, *shift;
    bool scaled;
    bool *declined; /* by node id: in a chain whose values are not finite */
    struct report *report;
};

static bool is_real(const struct tensor *t, enum dtype dtype)
{
    return t && t->dtype == dtype && (dtype == F32 || dtype == F64);
}

static double number(const struct tensor *t, int64_t k)
{
    return t->dtype == F32 ? (double)((const float *)t->data)[k] : ((const double *)t->data)[k];
}

/* -- the node -- */

/* The other input of a node with two of which one is `v`, where it is constant. */
static const struct tensor *other_of(const struct node *n, const struct value *v)
{
    return n->in[0] == n->in[1] ? NULL : value_constant(n->in[n->in[0] == v]);
}

/* A bias for each channel, or one for all. */
static bool bias_fits(const struct chain *c)
{
    const int64_t count = c->b ? tensor_count(c->b) : 0, last = c->b && c->b->rank ? c->b->dims[c->b->rank - 1] : 1;

    if (!c->node->in[2])
        return true;
    if (!is_real(c->b, c->w->dtype))
        return false;
    return c->target == GEMM ? c->b->rank <= 2 && count == last && (last == c->channels || last == 1)
                             : c->b->rank == 1 && count == c->channels;
}

static bool is_convolution(struct chain *c)
{
    const int64_t group = ((const struct conv_attrs *)c->node->attrs)->group;

    if (c->w->rank < 3)
        return false;
    c->rank = c->w->rank;
    c->channels = c->w->dims[0];
    c->channels_last = c->target == CONV && ((const struct conv_attrs *)c->node->attrs)->channels_last;
    return c->target == CONV || (c->w->dims[0] % group == 0 && mul_size(c->w->dims[1], group, &c->channels));
}

static bool is_product(struct chain *c)
{
    const struct gemm_attrs *a = c->target == GEMM ? c->node->attrs : NULL;

    if (c->w->rank != 2)
        return false;
    c->rank = c->target == GEMM ? 2 : known_of(c->node->in[0]).rank;
    c->rank = c->rank < 1 ? 1 : c->rank;
    c->channels_last = c->rank != 2;
    c->channels = c->w->dims[!(a && a->trans_b)];
    return true;
}

static bool is_normalization(const struct node *n)
{
    const struct batch_norm *a = n->attrs;

    for (int k = 1; k < n->slots; k++)
        if (n->out[k])
            return false;
    return !a->training && !a->each;
}

/* Can something go into this node? */
static bool is_target(struct chain *c)
{
    static const struct op *const targets[] = {
        [CONV] = &op_conv,     [CONV_TRANSPOSE] = &op_conv_transpose,  [GEMM] = &op_gemm,
        [MATMUL] = &op_matmul, [BATCH_NORM] = &op_batch_normalization,
    };

    for (int t = CONV; t <= BATCH_NORM; t++)
        if (node_is(c->node, targets[t]))
            c->target = (enum target)t;
    if (c->target == NONE || !(c->w = value_constant(c->node->in[1])) || !is_real(c->w, c->w->dtype))
        return false;
    if (c->target == CONV || c->target == CONV_TRANSPOSE) {
        if (!is_convolution(c))
            return false;
    } else if (c->target != BATCH_NORM) {
        if (!is_product(c))
            return false;
    } else {
        c->rank = known_of(c->node->in[0]).rank;
        c->channels = tensor_count(c->w);
        c->channels_last = ((const struct batch_norm *)c->node->attrs)->channels_last;
        if (!is_normalization(c->node) || c->w->rank != 1 || c->rank < 2)
            return false;
    }
    if (c->target == MATMUL)
        return true;
    c->b = value_constant(c->node->in[2]);
    return bias_fits(c);
}

/* -- the chain -- */

/* One number for each channel, or one for all, and the shape of the result stays. */
static bool fits_channels(const struct chain *c, const struct tensor *t)
{
    const int axis = layout_axis(c->channels_last, c->rank, 1);

    if (!is_real(t, c->w->dtype) || t->rank > c->rank)
        return false;
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] != 1 && !(d + c->rank - t->rank == axis && t->dims[d] == c->channels))
            return false;
    return true;
}

static void add_normalization(struct chain *c, const struct node *n)
{
    const struct batch_norm *a = n->attrs;
    const struct tensor *p[5];

    for (int k = 1; k < 5; k++)
        p[k] = n->in[k]->initializer;
    for (int64_t k = 0; k < c->channels; k++) {
        const double scale = number(p[1], k) / sqrt(number(p[4], k) + (double)a->epsilon);

        c->shift[k] = (c->shift[k] - number(p[3], k)) * scale + number(p[2], k);
        c->scale[k] *= scale;
    }
    c->scaled = true;
}

static bool fits_normalization(const struct chain *c, const struct node *n)
{
    if (!is_normalization(n) || ((const struct batch_norm *)n->attrs)->channels_last != c->channels_last)
        return false;
    for (int k = 1; k < 5; k++) {
        const struct tensor *t = value_constant(n->in[k]);

        if (!is_real(t, c->w->dtype) || t->rank != 1 || t->dims[0] != c->channels)
            return false;
    }
    return true;
}

static void add_pair(struct chain *c, const struct node *n, const struct tensor *t)
{
    const bool one = tensor_count(t) == 1;

    for (int64_t k = 0; k < c->channels; k++) {
        const double v = number(t, one ? 0 : k);

        if (node_is(n, &op_mul)) {
            c->scale[k] *= v;
            c->shift[k] *= v;
        } else {
            c->shift[k] += node_is(n, &op_sub) ? -v : v;
        }
    }
    c->scaled = c->scaled || node_is(n, &op_mul);
}

static bool allocate(struct chain *c)
{
    if (c->scale)
        return true;
    c->scale = arena_array(c->graph->arena, (size_t)c->channels, sizeof *c->scale, c->report);
    c->shift = arena_array(c->graph->arena, (size_t)c->channels, sizeof *c->shift, c->report);
    for (int64_t k = 0; c->scale && k < c->channels; k++)
        c->scale[k] = 1;
    return c->scale && c->shift;
}

/* Takes in what follows, as far as it is such a node. */
static bool follow(struct chain *c, const struct use *uses)
{
    for (c->last = c->node;;) {
        struct node *n = pass_next(uses, c->last);
        const struct value *y = c->last->out[0];

        if (n && node_is(n, &op_batch_normalization) && n->in[0] == y && fits_normalization(c, n)) {
            if (!allocate(c))
                return false;
            add_normalization(c, n);
        } else if (n && (node_is(n, &op_mul) || node_is(n, &op_add) || (node_is(n, &op_sub) && n->in[0] == y)) &&
                   other_of(n, y) && fits_channels(c, other_of(n, y))) {
            if (!allocate(c))
                return false;
            add_pair(c, n, other_of(n, y));
        } else {
            return true;
        }
        c->last = n;
    }
}

/* -- new parameters -- */

static bool put_number(const struct tensor *t, int64_t k, double v)
{
    if (t->dtype == F64)
        ((double *)t->data)[k] = v;
    else
        ((float *)t->data)[k] = (float)v;
    return isfinite(t->dtype == F64 ? v : (double)(float)v);
}

/* The weights lie in rows of one channel each. */
static int64_t channel_of(const struct chain *c, int64_t row)
{
    const int64_t m = c->w->dims[1];

    if (c->target == CONV_TRANSPOSE) /* [C, M/group, ...] */
        return row / m / (c->w->dims[0] / ((const struct conv_attrs *)c->node->attrs)->group) * m + row % m;
    if (c->target == MATMUL || (c->target == GEMM && !((const struct gemm_attrs *)c->node->attrs)->trans_b))
        return row % c->channels;
    return row;
}

static int64_t row_size(const struct chain *c)
{
    switch (c->target) {
    case CONV:
        return dims_product(c->w->dims, 1, c->w->rank);
    case CONV_TRANSPOSE:
        return dims_product(c->w->dims, 2, c->w->rank);
    case GEMM:
        return ((const struct gemm_attrs *)c->node->attrs)->trans_b ? c->w->dims[1] : 1;
    default:
        return 1;
    }
}

static bool scale_weights(const struct chain *c, const struct tensor *to)
{
    const int64_t size = row_size(c), count = tensor_count(c->w);

    for (int64_t at = 0; at < count; at += size) {
        const double scale = c->scale[channel_of(c, at / size)];

        for (int64_t k = at; k < at + size; k++)
            if (!put_number(to, k, number(c->w, k) * scale))
                return false;
    }
    return true;
}

static bool shift_bias(const struct chain *c, const struct tensor *to)
{
    const double beta = c->target == GEMM ? (double)((const struct gemm_attrs *)c->node->attrs)->beta : 1;
    const bool one = c->b && tensor_count(c->b) == 1;

    for (int64_t k = 0; k < c->channels; k++) {
        const double b = c->b && beta != 0 ? beta * number(c->b, one ? 0 : k) : 0;

        if (!put_number(to, k, c->scale[k] * b + c->shift[k]))
            return false;
    }
    return true;
}

/* The bias is added as it is from now on. */
static bool become_gemm(struct chain *c)
{
    struct node *n = c->node;
    struct gemm_attrs *a = arena_alloc(c->graph->arena, sizeof *a, c->report);
    struct value **in = arena_array(c->graph->arena, 3, sizeof *in, c->report);
    const struct op *op = &op_gemm;
    const struct op_def *def = op_def_for(op, c->graph->opset);

    if (!a || !in || !def)
        return false;
    if (c->target == GEMM)
        *a = *(const struct gemm_attrs *)n->attrs;
    else
        a->alpha = 1;
    a->beta = 1;
    memcpy(in, n->in, 2 * sizeof *in);
    n->in = in;
    n->inputs = 3;
    n->op = op;
    n->def = def;
    n->op_name = op->name;
    n->since = def->since;
    n->attrs = a;
    return true;
}

static bool make_room(struct chain *c)
{
    struct node *n = c->node;
    struct value **in = arena_array(c->graph->arena, MATMUL_BIAS + 1, sizeof *in, c->report);

    if (!in || !pass_lower(n, c->report))
        return false;
    memcpy(in, n->in, MATMUL_BIAS * sizeof *in);
    n->in = in;
    n->inputs = MATMUL_BIAS + 1;
    return true;
}

/* Those in the chain are not the first of another one: its values would not be finite either, and many such chains, one
 * in the other, would take long. */
static bool decline(struct chain *c, const struct use *uses)
{
    for (struct node *n = c->node; n != c->last; n = pass_next(uses, n))
        c->declined[n->id] = true;
    return true;
}

/* Values that are not finite are left to the nodes that make them. */
static bool replace(struct chain *c, const struct use *uses)
{
    struct value *w = c->node->in[1], *b;

    b = pass_initializer(c->graph, c->w->dtype, 1, &c->channels, c->report);
    if (c->scaled)
        w = pass_initializer(c->graph, c->w->dtype, c->w->rank, c->w->dims, c->report);
    if (!w || !b)
        return false;
    if ((c->scaled && !scale_weights(c, w->initializer)) || !shift_bias(c, b->initializer))
        return decline(c, uses);
    if (c->target == GEMM || c->target == MATMUL)
        if (!(c->rank == 2 ? become_gemm(c) : make_room(c)))
            return false;
    c->node->in[1] = w;
    c->node->in[2] = b;
    pass_replace(uses, c->node, c->last);
    return true;
}

bool pass_affine(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);
    bool *declined = arena_array(g->arena, g->node_count, sizeof *declined, r);

    if (!uses || !declined)
        return false;
    pass_know(w);
    for (size_t k = 0; k < g->node_count; k++) {
        struct chain c = { .graph = g, .node = g->nodes[k], .declined = declined, .report = r };

        if (declined[c.node->id] || !pass_next(uses, c.node) || !is_target(&c))
            continue;
        if (!follow(&c, uses) || (c.last != c.node && !replace(&c, uses)))
            return false;
    }
    return true;
}
