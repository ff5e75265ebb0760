#include "kernels/conv_plain.h"
#include "kernels/index.h"
#include <math.h>

/* Strides of x or of dy. */
struct strides {
    int64_t image, channel, pixel;
};

static struct strides strides_of(const struct conv_plain *p, int64_t channels, const int64_t *size)
{
    const int64_t pixels = dims_product(size, 0, p->shape->rank);

    return (struct strides){ .image = channels * pixels,
                             .channel = p->channels_last ? 1 : pixels,
                             .pixel = p->channels_last ? channels : 1 };
}

/* The pixel of x that `tap` of the pixel `out` of y meets; -1: none. */
static int64_t met_in(const struct conv_shape *s, const int64_t *out, const int64_t *tap)
{
    int64_t pixel = 0;

    for (int d = 0; d < s->rank; d++) {
        const int64_t at = out[d] * s->strides[d] + tap[d] * s->dilations[d] - s->pads_begin[d];

        if (at < 0 || at >= s->in[d])
            return -1;
        pixel = pixel * s->in[d] + at;
    }
    return pixel;
}

/* And the pixel of y whose `tap` meets the pixel `in` of x. */
static int64_t met_out(const struct conv_shape *s, const int64_t *in, const int64_t *tap)
{
    int64_t pixel = 0;

    for (int d = 0; d < s->rank; d++) {
        const int64_t at = in[d] + s->pads_begin[d] - tap[d] * s->dilations[d];

        if (at < 0 || at % s->strides[d] || at / s->strides[d] >= s->out[d])
            return -1;
        pixel = pixel * s->out[d] + at / s->strides[d];
    }
    return pixel;
}

/* sum + the sum over k < n of x[k * x_step] * w[k * w_step]. */
static double add_products(enum dtype dtype, double sum, const void *x, int64_t at, int64_t x_step, const void *w,
                           int64_t w_at, int64_t w_step, int64_t n)
{
    for (int64_t k = 0; k < n && !isnan(sum); k++)
        sum += conv_element(dtype, x, at + k * x_step) * conv_element(dtype, w, w_at + k * w_step);
    return sum;
}

double conv_plain_y(const struct conv_plain *p, int64_t image, int64_t out_channel, const int64_t *at)
{
    const struct conv_shape *s = p->shape;
    const int64_t channels = s->in_channels / s->groups, taps = dims_product(s->kernel, 0, s->rank);
    const int64_t first = out_channel / (s->out_channels / s->groups) * channels;
    const struct strides x = strides_of(p, s->in_channels, s->in);
    int64_t t[MAX_RANK] = { 0 }, tap = 0;
    double sum = 0;

    if (!taps)
        return 0;
    do {
        const int64_t pixel = met_in(s, at, t);

        if (pixel >= 0)
            sum = add_products(p->dtype, sum, p->x, image * x.image + first * x.channel + pixel * x.pixel, x.channel,
                               p->w, out_channel * channels * taps + tap, taps, channels);
        tap++;
    } while (next_index(s->rank, s->kernel, t) && !isnan(sum));
    return sum;
}

double conv_plain_dx(const struct conv_plain *p, int64_t image, int64_t in_channel, const int64_t *at)
{
    const struct conv_shape *s = p->shape;
    const int64_t channels = s->in_channels / s->groups, out_channels = s->out_channels / s->groups;
    const int64_t taps = dims_product(s->kernel, 0, s->rank), first = in_channel / channels * out_channels;
    const struct strides dy = strides_of(p, s->out_channels, s->out);
    int64_t t[MAX_RANK] = { 0 }, tap = 0;
    double sum = 0;

    if (!taps)
        return 0;
    do {
        const int64_t pixel = met_out(s, at, t);

        if (pixel >= 0)
            sum = add_products(p->dtype, sum, p->dy, image * dy.image + first * dy.channel + pixel * dy.pixel,
                               dy.channel, p->w, (first * channels + in_channel % channels) * taps + tap,
                               channels * taps, out_channels);
        tap++;
    } while (next_index(s->rank, s->kernel, t) && !isnan(sum));
    return sum;
}

double conv_plain_dw(const struct conv_plain *p, int64_t out_channel, int64_t channel, const int64_t *tap)
{
    const struct conv_shape *s = p->shape;
    const int64_t in = out_channel / (s->out_channels / s->groups) * (s->in_channels / s->groups) + channel;
    const struct strides x = strides_of(p, s->in_channels, s->in), dy = strides_of(p, s->out_channels, s->out);
    int64_t at[MAX_RANK] = { 0 }, out = 0;
    double sum = 0;

    if (!dims_product(s->out, 0, s->rank))
        return 0;
    do {
        const int64_t pixel = met_in(s, at, tap);

        if (pixel >= 0) /* all images */
            sum = add_products(p->dtype, sum, p->x, in * x.channel + pixel * x.pixel, x.image, p->dy,
                               out_channel * dy.channel + out * dy.pixel, dy.image, s->batch);
        out++;
    } while (next_index(s->rank, s->out, at) && !isnan(sum));
    return sum;
}

/* -- again -- */

static void put(const struct conv_again *a, int64_t at, double sum, int64_t channel)
{
    const enum dtype dtype = a->plain.dtype;
    double v = dtype == F64 ? sum : (double)(float)sum;

    if (a->bias)
        v += conv_element(dtype, a->bias, channel);
    if (a->relu && v < 0)
        v = 0;
    if (dtype == F64)
        ((double *)a->result)[at] = v;
    else if (dtype == F32)
        ((float *)a->result)[at] = (float)v;
    else
        ((uint16_t *)a->result)[at] = f32_to_half(dtype, (float)v);
}

/* NaN elements of the k-th of the arrays of `size`; `of` gives one. */
static void again(const struct conv_again *a, int64_t k, const int64_t *size, int64_t first, int64_t channel,
                  double (*of)(const struct conv_plain *p, int64_t first, int64_t channel, const int64_t *at))
{
    const int rank = a->plain.shape->rank;
    const int64_t n = dims_product(size, 0, rank);
    int64_t at[MAX_RANK];

    for (int64_t i = k * n; i < (k + 1) * n; i++)
        if (isnan(conv_element(a->plain.dtype, a->result, i))) {
            if (pool_late(a->plain.pool))
                return;
            index_at(rank, size, i - k * n, at);
            put(a, i, of(&a->plain, first, channel, at), channel);
        }
}

void conv_again_y(const struct conv_again *a, int64_t plane)
{
    const struct conv_shape *s = a->plain.shape;

    again(a, plane, s->out, plane / s->out_channels, plane % s->out_channels, conv_plain_y);
}
void conv_again_dx(const struct conv_again *a, int64_t plane)
{
    const struct conv_shape *s = a->plain.shape;

    again(a, plane, s->in, plane / s->in_channels, plane % s->in_channels, conv_plain_dx);
}
void conv_again_dw(const struct conv_again *a, int64_t pair)
{
    const struct conv_shape *s = a->plain.shape;
    const int64_t channels = s->in_channels / s->groups;

    again(a, pair, s->kernel, pair / channels, pair % channels, conv_plain_dw);
}

bool conv_panel_is_finite(const struct kernels *k, enum dtype dtype, const void *panel, int64_t n)
{
    enum { LANES = 8 };
    const double *const x = panel;
    double sum[LANES] = { 0 }, all = 0;
    int64_t i = 0;

    if (dtype != F64)
        return isfinite(k->reduce->sum(panel, n));
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            sum[l] += x[i + l];
    for (; i < n; i++)
        all += x[i];
    for (int l = 0; l < LANES; l++)
        all += sum[l];
    return isfinite(all);
}
