/* Windows of pools whose channels lie last. */
#ifndef KILN_KERNELS_CHANNELS_LAST_WINDOWS_H
#define KILN_KERNELS_CHANNELS_LAST_WINDOWS_H

#include "kernels/parts.h"
#include "kernels/pooling.h"

/* The part of a window that lies inside: taps [from, from + count). */
struct inside {
    int64_t from, count;
};

static inline struct inside inside(const struct pool_shape *s, int d, int64_t at)
{
    const int64_t start = at * s->strides[d] - s->pads_begin[d], dilation = s->dilations[d];
    const int64_t from = start < 0 ? divide_up(-start, dilation) : 0;
    const int64_t end = start >= s->in[d] ? 0 : divide_up(s->in[d] - start, dilation);
    const int64_t to = end < s->kernel[d] ? end : s->kernel[d];

    return (struct inside){ from, to > from ? to - from : 0 };
}

/* How many elements count: those inside, or those of the padded input. */
static inline int64_t counted(const struct pool_shape *s, int d, int64_t at)
{
    const int64_t start = at * s->strides[d] - s->pads_begin[d], end = s->in[d] + s->pads_end[d];
    const int64_t most = start >= end ? 0 : divide_up(end - start, s->dilations[d]);

    if (s->sum)
        return 1;
    return s->count_include_pad ? (most < s->kernel[d] ? most : s->kernel[d]) : inside(s, d, at).count;
}

/* A row of pixels is an image of one row. */
static inline struct pool_shape lifted(const struct pool_shape *s)
{
    struct pool_shape t = *s;

    if (s->rank != 1)
        return t;
    t.rank = 2;
    t.in[1] = s->in[0];
    t.out[1] = s->out[0];
    t.kernel[1] = s->kernel[0];
    t.strides[1] = s->strides[0];
    t.dilations[1] = s->dilations[0];
    t.pads_begin[1] = s->pads_begin[0];
    t.pads_end[1] = s->pads_end[0];
    t.in[0] = t.out[0] = t.kernel[0] = t.strides[0] = t.dilations[0] = 1;
    t.pads_begin[0] = t.pads_end[0] = 0;
    return t;
}

#endif
