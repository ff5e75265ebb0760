/* Weights of direct convolution, from ONNX' order to that of panels: see direct.h. */
#include "kernels/channels_last/direct.h"
#include <string.h>

enum { BLOCK = 64, MOST_LANES = 16, TABLE = 64 };

struct packing {
    const struct direct *d;
    const float *w;
    float *packed;
    int64_t places[TABLE]; /* of the first taps, because to divide takes longer than to copy */
};

static int64_t find_place(const struct direct *d, int64_t tap)
{
    const int64_t columns = d->shape.kernel[1];

    return tap / columns * columns + direct_slot(d, tap % columns);
}

size_t direct_weights(const struct conv_last *c)
{
    const struct direct d = direct_of(c);

    return (size_t)(d.groups * d.vectors * d.k->lanes * d.taps * d.depth) * sizeof(float);
}

/* The lanes of one vector. */
struct vector {
    int64_t group, channel, channels; /* in the group */
    float *to;                        /* the vector of depth 0 */
    int64_t step;
};

static float *depth_of(const struct packing *p, const struct vector *v, int64_t tap, int64_t depth)
{
    const int64_t place = tap < TABLE ? p->places[tap] : find_place(p->d, tap);

    return v->to + (place * p->d->depth + depth) * v->step;
}

/* Channels of the result come first in w: a row of w is a lane. */
static void pack_rows(const struct packing *p, const struct vector *v)
{
    const struct direct *d = p->d;
    const int64_t length = d->depth * d->taps, lanes = d->k->lanes;
    const float *w = p->w + (v->group * d->width + v->channel) * length;
    float part[BLOCK * MOST_LANES] = { 0 };
    int64_t tap = 0, depth = 0;

    for (int64_t from = 0; from < length; from += BLOCK) {
        const int64_t n = lesser(BLOCK, length - from);

        d->k->gemm->transpose_4((const void *)(w + from), length, (void *)part, lanes, v->channels, n);
        for (int64_t i = 0; i < n; i++) {
            memcpy(depth_of(p, v, tap, depth), part + i * lanes, (size_t)lanes * sizeof *part);
            if (++tap == d->taps) {
                tap = 0;
                depth++;
            }
        }
    }
}

/* Channels of the input come first in w: for each of them, lanes by taps. */
static void pack_columns(const struct packing *p, const struct vector *v)
{
    const struct direct *d = p->d;
    const int64_t lanes = d->k->lanes;
    float part[BLOCK * MOST_LANES] = { 0 };

    for (int64_t depth = 0; depth < d->depth; depth++) {
        const float *w = p->w + ((v->group * d->depth + depth) * d->width + v->channel) * d->taps;

        for (int64_t from = 0; from < d->taps; from += BLOCK) {
            const int64_t n = lesser(BLOCK, d->taps - from);

            d->k->gemm->transpose_4((const void *)(w + from), d->taps, (void *)part, lanes, v->channels, n);
            for (int64_t i = 0; i < n; i++)
                memcpy(depth_of(p, v, from + i, depth), part + i * lanes, (size_t)lanes * sizeof *part);
        }
    }
}

/* Groups that are taken together: a channel of the result meets the channels of its own group only. */
static void pack_together(const struct packing *p, const struct vector *v)
{
    const struct direct *d = p->d;
    const int64_t width = d->width / d->together, depth = d->depth / d->together, lanes = d->k->lanes;

    for (int64_t i = 0; i < d->taps * d->depth; i++)
        memset(v->to + i * v->step, 0, (size_t)lanes * sizeof(float));
    for (int64_t l = 0; l < v->channels; l++) {
        const int64_t own = (v->channel + l) / width, lane = (v->channel + l) % width;
        const int64_t group = v->group * d->together + own;

        for (int64_t i = 0; i < depth; i++) {
            const float *w =
                p->w + (d->back ? (group * depth + i) * width + lane : (group * width + lane) * depth + i) * d->taps;

            for (int64_t tap = 0; tap < d->taps; tap++)
                depth_of(p, v, tap, own * depth + i)[l] = w[tap];
        }
    }
}

static void pack_vector(void *context, int64_t n, int thread)
{
    const struct packing *p = context;
    const struct direct *d = p->d;
    const int64_t lanes = d->k->lanes, in_group = n % d->vectors;
    struct vector v = { .group = n / d->vectors, .channel = in_group * lanes };

    (void)thread;
    v.channels = lesser(lanes, d->width - v.channel);
    for (int64_t i = v.group * d->group_panels; i < d->panels; i++) {
        const struct panel panel = direct_panel(d, i);

        if (in_group < panel.first + panel.vectors) {
            v.to = p->packed + panel.offset + (in_group - panel.first) * lanes;
            v.step = panel.lanes;
            break;
        }
    }
    if (d->together > 1)
        pack_together(p, &v);
    else if (d->back)
        pack_columns(p, &v);
    else
        pack_rows(p, &v);
}

void direct_pack(const struct conv_last *c, struct pool *pool, const float *w, void *packed)
{
    const struct direct d = direct_of(c);
    struct packing p = { .d = &d, .w = w, .packed = packed };

    for (int64_t tap = 0; tap < lesser(d.taps, TABLE); tap++)
        p.places[tap] = find_place(&d, tap);
    pool_run(d.vectors * d.depth * d.taps > 4096 ? pool : NULL, d.groups * d.vectors, pack_vector, &p);
}
