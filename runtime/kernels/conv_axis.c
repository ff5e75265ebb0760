#include "kernels/conv_axis.h"

struct axis axis_forward(const struct conv_shape *s, int dimension)
{
    return (struct axis){
        .in = s->in[dimension],
        .count = s->out[dimension],
        .step = 1,
        .taps = s->kernel[dimension],
        .base = -s->pads_begin[dimension],
        .stride = s->strides[dimension],
        .spread = s->dilations[dimension],
        .kernel_step = 1,
    };
}

int64_t axis_phases(const struct conv_shape *s, int dimension)
{
    return lesser(s->strides[dimension], s->in[dimension]);
}

/* Input pixel h meets element k where h + pad - k * dilation is a multiple of the stride, of output pixel (h + pad - k
 * * dilation) / stride: every (stride / gcd)-th element. Taps run so that those output pixels ascend: backwards. */
struct axis axis_phase(const struct conv_shape *s, int dimension, int64_t phase)
{
    const int64_t stride = s->strides[dimension], dilation = s->dilations[dimension];
    const int64_t kernel = s->kernel[dimension], at = phase + s->pads_begin[dimension];
    const int64_t divisor = common_divisor(stride, dilation), every = stride / divisor;
    struct axis a = {
        .in = s->out[dimension],
        .count = divide_up(s->in[dimension] - phase, stride),
        .first = phase,
        .step = stride,
        .stride = 1,
        .spread = dilation / divisor,
        .kernel_step = -every,
    };
    int64_t k = 0;

    while (k < every && k < kernel && (at - k * dilation) % stride)
        k++;
    if (k < every && k < kernel) {
        a.taps = (kernel - 1 - k) / every + 1;
        a.kernel = k + (a.taps - 1) * every;
        a.base = (at - a.kernel * dilation) / stride;
    }
    return a;
}

struct span axis_taps(const struct axis *a, int64_t i)
{
    const int64_t at = i * a->stride + a->base;
    struct span s = { greater(divide_up(-at, a->spread), 0), lesser(divide_up(a->in - at, a->spread), a->taps) };

    if (s.from >= s.to)
        s = (struct span){ 0, 0 };
    return s;
}

int64_t axis_alike(const struct axis *a, int64_t i, int64_t end)
{
    const struct span s = axis_taps(a, i);

    if (s.from == 0 && s.to == a->taps && s.to > 0)
        return lesser(end, divide_down(a->in - 1 - a->base - (a->taps - 1) * a->spread, a->stride) + 1);
    if (a->taps == 0)
        return end;
    for (i++; i < end; i++) {
        const struct span t = axis_taps(a, i);

        if (t.from != s.from || t.to != s.to)
            break;
    }
    return i;
}

struct span axis_outputs(const struct axis *a, int64_t from, int64_t to)
{
    return (struct span){ greater(divide_up(from - a->first, a->step), 0),
                          lesser(divide_up(to - a->first, a->step), a->count) };
}

struct span axis_meeting(const struct axis *a, int64_t t)
{
    const int64_t at = a->base + t * a->spread;
    const struct span s = { greater(divide_up(-at, a->stride), 0), lesser(divide_up(a->in - at, a->stride), a->count) };

    return s.from < s.to ? s : (struct span){ 0, 0 };
}

struct span axis_inside(const struct axis *a)
{
    const struct span first = axis_meeting(a, 0), last = axis_meeting(a, a->taps - 1);

    return (struct span){ greater(first.from, last.from), lesser(first.to, last.to) };
}
