#include "ops/batch_normalization.h"
#include "ops/conv.h"
#include "ops/gemm.h"
#include "ops/registry.h"
#include "plan/pass.h"
#include <math.h>

/* Of integers the product knows no Relu. */
static bool is_float(const struct node *n)
{
    const struct tensor *w = value_constant(n->in[1]);

    return w && dtype_is_float(w->dtype);
}

static bool is_last(const struct node *n)
{
    return node_is(n, &op_conv) && ((const struct conv_attrs *)n->attrs)->channels_last;
}

/* A bound of Clip: a constant, or none. */
static bool bound(const struct node *n, int k, float *value)
{
    const struct value *v = k < n->inputs ? n->in[k] : NULL;
    const struct tensor *t = value_constant(v);

    if (t && t->dtype == F32 && tensor_count(t) == 1)
        *value = *(const float *)t->data;
    return !v || (t && t->dtype == F32 && tensor_count(t) == 1 && !isnan(*value));
}

static bool limits(const struct node *n, float *least, float *most)
{
    const bool clip = node_is(n, &op_clip);

    *least = clip ? -INFINITY : 0;
    *most = INFINITY;
    return clip ? bound(n, 1, least) && bound(n, 2, most) && *least <= *most : node_is(n, &op_relu);
}

/* A normalisation in inference whose channels lie last: floats then. */
static bool is_norm(const struct node *n)
{
    const struct batch_norm *a = n->attrs;

    return node_is(n, &op_batch_normalization) && a->channels_last && !a->training;
}

bool pass_relu(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    const struct use *uses = pass_uses(g, r);

    if (!uses)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k], *next = pass_next(uses, n);
        const bool conv = node_is(n, &op_conv), norm = is_norm(n);
        float least, most;

        if (!next || !limits(next, &least, &most) || !(conv || norm || (node_is(n, &op_gemm) && is_float(n))))
            continue;
        if (next->in[0] != n->out[0] || (node_is(next, &op_clip) && !is_last(n)))
            continue;
        if (conv) {
            struct conv_attrs *a = pass_attrs(n, r);

            if (!a)
                return false;
            a->limited = true;
            a->least = least;
            a->most = most;
        } else if (norm) {
            struct batch_norm *a = pass_attrs(n, r);

            if (!a)
                return false;
            a->relu = true;
        } else {
            struct gemm_attrs *a = pass_attrs(n, r);

            if (!a)
                return false;
            a->relu = true;
        }
        pass_replace(uses, n, next);
    }
    return true;
}
