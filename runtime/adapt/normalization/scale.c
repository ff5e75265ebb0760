/* How large the weight of a layer is that BatchNormalization was folded into.
 *
 * Its factor, gamma / deviation, is in the weight. What the network computes does not depend on the size of a weight that
 * BatchNormalization follows, but how fast it learns does: a step changes a large weight by less of itself. Of what was
 * never trained the factor is known, and is taken out again. Else a channel gets the size that weights of its framework
 * begin with, to the nearest power of two, by which floats lose nothing. */
#include "adapt/normalization/normalization.h"
#include "data/element.h"
#include "ops/gemm.h"
#include "ops/registry.h"
#include <math.h>

enum { MOST = 24 }; /* powers of two: a channel that was switched off stays so */

/* Its dimension that has an index for each channel of what the layer makes; -1 where there is none. */
static int channel_axis(const struct node *n)
{
    if (node_is(n, &op_gemm))
        return ((const struct gemm_attrs *)n->attrs)->trans_b ? 0 : 1;
    return node_is(n, &op_conv) ? 0 : node_is(n, &op_conv_transpose) ? 1 : -1;
}

bool site_is_half(const struct search *s, const struct site *t)
{
    const enum dtype d = search_type(s, t->x)->dtype;

    return d == F16 || d == BF16;
}

/* A constant that only this layer reads, or, as its weight, calls of it, and whose numbers can be multiplied; NULL where it
 * is none. */
static const struct tensor *own_constant(const struct search *s, const struct site *t, int input)
{
    const struct value *v = input < t->layer->inputs ? t->layer->in[input] : NULL;
    const struct tensor *c = v ? v->initializer : NULL;
    const bool own = v && (s->only_reader[v->id] == t->layer ||
                           (input == 1 && t->weight_uses > 1 && s->facts->readers[v->id] == t->weight_uses));

    return c && own && dtype_is_float(c->dtype) && !dtype_is_small(c->dtype) ? c : NULL;
}

/* The weight of a layer that has it from the exporter, and may have another; NULL where not. */
static const struct tensor *weight_of(const struct search *s, const struct site *t)
{
    const struct tensor *w = t->layer && !t->weight ? own_constant(s, t, 1) : NULL;
    const int axis = w ? channel_axis(t->layer) : -1;

    if (axis < 0 || axis >= w->rank || w->dims[axis] != t->channels || (t->keeps_bias && !own_constant(s, t, t->bias)))
        return NULL;
    return w;
}

/* How many elements lie between one channel and the next, behind dimension `axis`. */
static int64_t behind(const struct tensor *w, int axis)
{
    int64_t count = 1;

    for (int d = axis + 1; d < w->rank; d++)
        count *= w->dims[d];
    return count;
}

/* The power of two that brings a channel with this sum of squares nearest to the size that weights begin with. */
static double power_of_two(double squares, double gain)
{
    const double exponent = squares > 0 ? nearbyint(log2(gain / squares) / 2) : 0;

    return isfinite(exponent) && fabs(exponent) <= MOST ? exp2(exponent) : 1;
}

/* Without gamma the deviation is the scale: it must leave room for epsilon. */
static double size_of_channel(const struct site *t, double squares)
{
    double scale = power_of_two(squares, t->trace->gain);

    while (t->no_scale && scale * scale < 4 * t->epsilon)
        scale *= 2;
    return scale;
}

static bool find_scale(struct search *s, struct site *t)
{
    struct adapt *a = s->adapt;
    const struct tensor *w = weight_of(s, t);
    const int64_t step = w ? behind(w, channel_axis(t->layer)) : 0;
    element_get *const get = w ? element_getter(w->dtype) : NULL;

    if (!w || !(t->fresh ? !site_is_half(s, t) : t->trace->gain > 0))
        return true; /* what is no power of two half floats would lose something by */
    t->scale = arena_array(a->arena, (size_t)t->channels, sizeof *t->scale, a->report);
    for (int64_t k = 0; t->scale && k < tensor_count(w); k++)
        t->scale[k / step % t->channels] += get(w->data, k) * get(w->data, k);
    for (int64_t c = 0; t->scale && c < t->channels; c++)
        t->scale[c] = t->fresh ? sqrt(1 + (double)(float)t->epsilon) : size_of_channel(t, t->scale[c]);
    return t->scale;
}

/* PyTorch draws weights between -bound and bound, and does not end far from it: then there is its factor, for a variance of
 * 1, and nothing else. A layer that has learned goes beyond, or its channels have deviations of their own. */
bool site_is_drawn(const struct search *s, const struct site *t)
{
    enum { TAIL = 10 }; /* the largest of n numbers lies so many n-th below the bound, at most */
    const struct tensor *w = t->trace->gain > 0 && !site_is_half(s, t) ? weight_of(s, t) : NULL;
    const int64_t n = w ? tensor_count(w) : 0;
    /* as PyTorch counts what is added up: it takes a ConvTranspose for the Conv that it turns round */
    const int64_t fan = w ? n / (node_is(t->layer, &op_conv_transpose) ? w->dims[0] : t->channels) : 0;
    element_get *const get = w ? element_getter(w->dtype) : NULL;
    double largest = 0, bound;

    for (int64_t k = 0; k < n; k++)
        largest = fmax(largest, fabs(get(w->data, k)));
    bound = fan > 0 ? sqrt(3 * t->trace->gain / (double)fan) / sqrt(1 + t->trace->epsilon) : 0;
    return n > TAIL && largest < bound * (1 + 1e-6) && largest > bound * (1 - TAIL / (double)n);
}

/* How many calls of its layer have the weight of each. */
static bool count_weight_uses(struct search *s, const struct sites *sites, const size_t *first)
{
    struct adapt *a = s->adapt;
    struct {
        size_t layer; /* counted from 1: the first that reads it */
        int uses;     /* by calls of that one */
    } *of = arena_array(a->arena, s->graph->value_count, sizeof *of, a->report);

    if (!of)
        return false;
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < sites->count; k++) {
            const struct node *layer = sites->kept[k] ? NULL : sites->at[k].layer;
            const int weight = layer ? layer->in[1]->id : -1;

            if (!layer)
                continue;
            of[weight].layer = of[weight].layer ? of[weight].layer : first[k] + 1;
            if (of[weight].layer == first[k] + 1 && pass == 0)
                of[weight].uses++;
            else if (of[weight].layer == first[k] + 1)
                sites->at[k].weight_uses = of[weight].uses;
        }
    return true;
}

/* Layers that share one set of parameters have weights of their own: these stay as they are, but where that was never
 * trained, as then they are all multiplied by the same. */
bool sites_find_scales(struct search *s, const struct sites *sites, const size_t *first)
{
    struct adapt *a = s->adapt;
    size_t *uses = arena_array(a->arena, sites->count, sizeof *uses, a->report);
    size_t *scaled = arena_array(a->arena, sites->count, sizeof *scaled, a->report);

    if (!uses || !scaled || !count_weight_uses(s, sites, first))
        return false;
    for (size_t k = 0; k < sites->count; k++)
        uses[first[k]]++;
    for (size_t k = 0; k < sites->count; k++) {
        struct site *t = &sites->at[k];

        if (!sites->kept[k] && (uses[first[k]] == 1 || t->fresh) && !find_scale(s, t))
            return false;
        scaled[first[k]] += t->scale != NULL;
    }
    for (size_t k = 0; k < sites->count; k++)
        if (scaled[first[k]] < uses[first[k]])
            sites->at[k].scale = NULL;
    return true;
}

/* By what the layer's channels are multiplied where BatchNormalization is folded into it. */
static double factor_of(const struct site *t, int64_t c)
{
    return t->gamma[c] / sqrt(t->variance[c] + (double)(float)t->epsilon);
}

static bool scale_input(const struct search *s, struct edit *e, const struct site *t, int input, int64_t step)
{
    const struct tensor *c = t->layer->in[input]->initializer;
    Onnx__TensorProto *to = edit_initializer(e, t->layer->in[input]->name);
    element_get *const get = element_getter(c->dtype);
    struct tensor scaled = *c;

    scaled.data = arena_alloc(s->adapt->arena, (size_t)tensor_bytes(c), e->report);
    for (int64_t k = 0; scaled.data && k < tensor_count(c); k++) {
        const int64_t channel = k / step % t->channels;
        const double factor = factor_of(t, channel);

        element_put(scaled.data, k, c->dtype,
                    factor != 0 ? get(c->data, k) / factor : get(c->data, k) * t->scale[channel]);
    }
    return scaled.data && edit_tensor(e, to, &scaled);
}

bool site_scale_layer(const struct search *s, struct edit *e, const struct site *t)
{
    return !t->scale || (scale_input(s, e, t, 1, behind(weight_of(s, t), channel_axis(t->layer))) &&
                         (!t->keeps_bias || scale_input(s, e, t, t->bias, 1)));
}
