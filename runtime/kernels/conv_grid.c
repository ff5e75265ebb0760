#include "kernels/conv_grid.h"
#include "kernels/parts.h"

static int64_t channels_product(const int64_t *dims, int rank)
{
    int64_t n = 1;

    for (int d = 0; d < rank; d++)
        n *= dims[d];
    return n;
}

/* Two dimensions are one where the inner one sees itself and both lie in memory one after the other: rows get
 * longer. */
static bool merge(const struct grid_dim *outer, const struct grid_dim *inner, struct grid_dim *merged)
{
    if (inner->taps != 1 || inner->base != 0 || inner->step != 1 || inner->source != inner->pixels ||
        outer->step != 1 || inner->tap_first != 0 || outer->target_stride != inner->pixels * inner->target_stride)
        return false;
    *merged = *outer;
    merged->pixels *= inner->pixels;
    merged->source *= inner->source;
    merged->base *= inner->source;
    merged->base_step *= inner->source;
    merged->source_stride = inner->source_stride;
    merged->target_stride = inner->target_stride;
    return true;
}

static void complete(struct grid *g)
{
    if (g->rank == 0)
        g->dim[g->rank++] = (struct grid_dim){ 1, 1, 1, 1, 0, 1, 0, 1, 1, 1 };
    while (g->rank > 1 && merge(&g->dim[g->rank - 2], &g->dim[g->rank - 1], &g->dim[g->rank - 2]))
        g->rank--;
    g->pixels = g->taps = 1;
    for (int d = 0; d < g->rank; d++) {
        g->pixels *= g->dim[d].pixels;
        g->taps *= g->dim[d].taps;
    }
}

struct grid grid_forward(const struct conv_shape *s)
{
    const int64_t in = channels_product(s->in, s->rank), out = channels_product(s->out, s->rank);
    struct grid g = { .rank = s->rank,
                      .batch = s->batch,
                      .source_image = s->in_channels * in,
                      .source_channel = in,
                      .target_image = s->out_channels * out,
                      .target_channel = out };
    int64_t source_stride = 1, target_stride = 1;

    for (int d = s->rank - 1; d >= 0; d--) {
        g.dim[d] = (struct grid_dim){ s->out[d],         s->strides[d],   s->in[d], s->kernel[d],
                                      -s->pads_begin[d], s->dilations[d], 0,        1,
                                      source_stride,     target_stride };
        source_stride *= s->in[d];
        target_stride *= s->out[d];
    }
    complete(&g);
    return g;
}

struct grid grid_backward(const struct conv_shape *s, const int64_t *first)
{
    const int64_t in = channels_product(s->in, s->rank), out = channels_product(s->out, s->rank);
    struct grid g = { .rank = s->rank,
                      .batch = s->batch,
                      .source_image = s->out_channels * out,
                      .source_channel = out,
                      .target_image = s->in_channels * in,
                      .target_channel = in };
    int64_t source_stride = 1, target_stride = 1;

    for (int d = s->rank - 1; d >= 0; d--) {
        const int64_t stride = s->strides[d], dilation = s->dilations[d];
        const int64_t tap_step = stride / common_divisor(stride, dilation);
        int64_t tap = 0, taps = 0;

        /* output pixels seen: (first + pad - tap * dilation) / stride, where that divides */
        while (tap < tap_step && tap < s->kernel[d] && (first[d] + s->pads_begin[d] - tap * dilation) % stride != 0)
            tap++;
        if (tap < tap_step && tap < s->kernel[d])
            taps = divide_up(s->kernel[d] - tap, tap_step);
        else
            tap = 0;
        g.dim[d] = (struct grid_dim){ divide_up(s->in[d] - first[d], stride),
                                      1,
                                      s->out[d],
                                      taps,
                                      taps ? (first[d] + s->pads_begin[d] - tap * dilation) / stride : 0,
                                      -tap_step * dilation / stride,
                                      tap,
                                      tap_step,
                                      source_stride,
                                      target_stride * stride };
        g.target_first += first[d] * target_stride;
        source_stride *= s->out[d];
        target_stride *= s->in[d];
    }
    complete(&g);
    return g;
}

struct grid_walk grid_walk_at(const struct grid *g, int64_t pixel)
{
    struct grid_walk w = { .image = pixel / g->pixels };

    pixel %= g->pixels;
    for (int d = g->rank - 1; d >= 0; d--) {
        w.u[d] = pixel % g->dim[d].pixels;
        pixel /= g->dim[d].pixels;
    }
    return w;
}

void grid_walk_row(const struct grid *g, struct grid_walk *w)
{
    w->u[g->rank - 1] = 0;
    for (int d = g->rank - 2; d >= 0; d--) {
        if (++w->u[d] < g->dim[d].pixels)
            return;
        w->u[d] = 0;
    }
    w->image++;
}

int64_t grid_source(const struct grid *g, const struct grid_walk *w)
{
    int64_t at = w->image * g->source_image;

    for (int d = 0; d < g->rank; d++)
        at += (w->u[d] * g->dim[d].step + g->dim[d].base) * g->dim[d].source_stride;
    return at;
}

int64_t grid_target(const struct grid *g, const struct grid_walk *w)
{
    int64_t at = w->image * g->target_image + g->target_first;

    for (int d = 0; d < g->rank; d++)
        at += w->u[d] * g->dim[d].target_stride;
    return at;
}

bool grid_sees_row(const struct grid *g, const struct grid_walk *w, const int64_t *t)
{
    for (int d = 0; d < g->rank - 1; d++) {
        const struct grid_dim *m = &g->dim[d];
        const int64_t at = w->u[d] * m->step + m->base + t[d] * m->base_step;

        if (at < 0 || at >= m->source)
            return false;
    }
    return true;
}

bool grid_is_inside(const struct grid *g, const struct grid_walk *w, int64_t count)
{
    for (int d = 0; d < g->rank; d++) {
        const struct grid_dim *m = &g->dim[d];
        const int64_t span = (m->taps - 1) * m->base_step, more = d == g->rank - 1 ? (count - 1) * m->step : 0;
        const int64_t at = w->u[d] * m->step + m->base;

        if (at + (span < 0 ? span : 0) < 0 || at + more + (span > 0 ? span : 0) >= m->source)
            return false;
    }
    return true;
}

bool grid_meet(const struct grid *g, const struct grid_walk *w, const int64_t *t, struct grid_meeting *m)
{
    if (!grid_sees_row(g, w, t))
        return false;
    m->source = grid_source(g, w);
    m->target = grid_target(g, w);
    for (int d = 0; d < g->rank - 1; d++)
        m->source += t[d] * g->dim[d].base_step * g->dim[d].source_stride;
    return true;
}

bool grid_next_rows(const struct grid *g, int64_t *t)
{
    for (int d = g->rank - 2; d >= 0; d--) {
        if (++t[d] < g->dim[d].taps)
            return true;
        t[d] = 0;
    }
    return false;
}

bool grid_next_tap(const struct grid *g, int64_t *t)
{
    for (int d = g->rank - 1; d >= 0; d--) {
        if (++t[d] < g->dim[d].taps)
            return true;
        t[d] = 0;
    }
    return false;
}
