#include "kernels/conv.h"
#include "kernels/conv_depth.h"
#include "kernels/conv_direct.h"
#include "kernels/conv_grid.h"
#include "kernels/conv_pack.h"
#include "kernels/conv_plain.h"
#include "kernels/conv_point.h"
#include "kernels/gemm.h"
#include <stdatomic.h>
#include <string.h>

/* -- one group of one grid: forward, and by input -- */

/* The product: rows are pixels of all images, columns channels of the result, the depth is (channel of the source,
 * tap). */
struct grid_product {
    const struct kernels *k;
    enum dtype dtype;
    struct grid g;
    const void *source, *weights, *bias;
    void *target;
    bool relu;
    int64_t source_channels, target_channels; /* of the group */
    int64_t first_source, first_target;       /* channels before the group */
    int64_t *tap_offset;                      /* in the source, for each tap */
    int64_t *tap_weight;                      /* index of the kernel position */
    bool whole;                               /* taps are all kernel positions in order */
    int64_t weight_lane, weight_depth;        /* strides of the weights: along the result's and the source's channels */
    atomic_bool *infinite;                    /* set where weights are not finite: times a pad they are NaN */
};

/* What a thread knows of the panel of pixels that it packed: followed by the runs. */
struct panel_runs {
    int64_t known; /* 1 + the first pixel of the panel; 0 where nothing is known yet */
    bool inside;   /* every tap sees something for all pixels */
    int64_t count;
    struct pack_run *target, *source; /* where the pixels go, and come from */
    int32_t *first;                   /* by tap, where taps see different pixels */
};

static int64_t local_bytes(const struct grid *g)
{
    enum { MOST_LANES = 32 };

    return (int64_t)aligned(sizeof(struct panel_runs)) + (int64_t)sizeof(struct pack_run) * MOST_LANES * (g->taps + 2) +
           (int64_t)sizeof(int32_t) * (g->taps + 1);
}

/* Cuts the panel's pixels into runs, along rows. True where every tap sees a source for all of them. */
static bool cut_runs(const struct grid_product *p, struct panel_runs *r, int64_t first, int64_t count)
{
    const struct grid *g = &p->g;
    const struct grid_dim *row = &g->dim[g->rank - 1];
    struct grid_walk w = grid_walk_at(g, first);
    bool inside = true;

    r->count = 0;
    for (int64_t lane = 0; lane < count;) {
        const int64_t left = row->pixels - w.u[g->rank - 1], n = left < count - lane ? left : count - lane;
        struct pack_run *const run = &r->target[r->count];

        run->mask = lanes_mask(lane, lane + n);
        run->offset = grid_target(g, &w) - lane * row->target_stride;
        r->source[r->count] =
            (struct pack_run){ grid_source(g, &w) - lane * row->step * row->source_stride, run->mask };
        inside = inside && grid_is_inside(g, &w, n);
        r->count++;
        lane += n;
        grid_walk_row(g, &w);
    }
    return inside;
}

/* The runs of each tap, where the edge of the source cuts some off. */
static void clip_runs(const struct grid_product *p, struct panel_runs *r, int64_t first, int64_t count)
{
    const struct grid *g = &p->g;
    const struct grid_dim *row = &g->dim[g->rank - 1];
    const struct grid_walk start = grid_walk_at(g, first);
    int64_t t[MAX_RANK] = { 0 };
    int32_t at = 0;

    for (int64_t tap = 0; tap < g->taps; tap++) {
        struct grid_walk w = start;

        r->first[tap] = at;
        for (int64_t lane = 0; lane < count;) {
            const int64_t left = row->pixels - w.u[g->rank - 1], n = left < count - lane ? left : count - lane;
            int64_t from, to;

            if (grid_sees_row(g, &w, t)) {
                grid_clip(g, &w, t[g->rank - 1], n, &from, &to);
                if (from < to)
                    r->source[at++] = (struct pack_run){ grid_source(g, &w) - lane * row->step * row->source_stride,
                                                         lanes_mask(lane + from, lane + to) };
            }
            lane += n;
            grid_walk_row(g, &w);
        }
        grid_next_tap(g, t);
    }
    r->first[g->taps] = at;
}

static struct panel_runs *runs_in(const struct grid *g, void *local)
{
    struct panel_runs *r = local;
    char *at = (char *)local + aligned(sizeof *r);

    r->target = (struct pack_run *)(void *)at;
    r->source = r->target + 32;
    r->first = (int32_t *)(void *)(r->source + 32 * (g->taps + 1));
    return r;
}

/* Cut anew for each panel, not for each part of its depth. */
static struct panel_runs *runs_of(const struct grid_product *p, void *local, int64_t first, int64_t count)
{
    struct panel_runs *const r = runs_in(&p->g, local);

    if (r->known != first + 1) {
        r->known = first + 1;
        r->inside = cut_runs(p, r, first, count);
        if (!r->inside)
            clip_runs(p, r, first, count);
    }
    return r;
}

static void pack_pixels(const void *context, void *local, int64_t first, int64_t count, int64_t width, int64_t from,
                        int64_t depth, void *panel)
{
    const struct grid_product *p = context;
    struct panel_runs *const r = runs_of(p, local, first, count);
    struct pack_runs runs = {
        .x = (const char *)p->source + p->first_source * p->g.source_channel * (int64_t)dtype_size(p->dtype),
        .runs = r->source,
        .first = r->inside ? NULL : r->first,
        .tap_offset = p->tap_offset,
        .count = r->count,
        .taps = p->g.taps,
        .channel_stride = p->g.source_channel,
        .step = p->g.dim[p->g.rank - 1].step * p->g.dim[p->g.rank - 1].source_stride,
        .width = width,
    };

    if (depth > 0)
        conv_pack_runs(p->k, p->dtype, &runs, from, depth, panel);
}

static void store_pixels(const void *context, void *local, const struct gemm_tile *s)
{
    const struct grid_product *p = context;
    const struct panel_runs *const r = local;
    const int64_t size = (int64_t)dtype_size(p->dtype);
    const struct store_runs runs = {
        .y = (char *)p->target + (p->first_target + s->j0) * p->g.target_channel * size,
        .runs = r->target,
        .count = r->count,
        .row_stride = p->g.target_channel,
        .step = p->g.dim[p->g.rank - 1].target_stride,
        .tile_stride = s->j_stride,
        .width = s->rows,
        .bias = p->bias && s->last ? (const char *)p->bias + (p->first_target + s->j0) * size : NULL,
        .add = !s->first,
        .relu = p->relu && s->last,
    };

    conv_store_runs(p->k, p->dtype, &runs, s->data, s->columns);
}

/* Lanes are channels of the result; depths (channel of the source, tap). */
static void pack_lanes(const struct grid_product *p, int64_t first, int64_t count, int64_t width, int64_t from,
                       int64_t depth, void *panel)
{
    const int64_t taps = p->g.taps, row = width * (int64_t)sum_size(p->dtype);
    char *to = panel;

    if (p->whole && p->weight_depth == taps) {
        conv_pack_strided(p->k, p->dtype, p->weights, first * p->weight_lane + from, p->weight_lane, 1, count, width,
                          depth, panel);
        return;
    }
    for (int64_t d = from; d < from + depth;) {
        const int64_t channel = d / taps, tap = d % taps, left = from + depth - d;
        const int64_t n = !p->whole ? 1 : taps - tap < left ? taps - tap : left;

        conv_pack_strided(p->k, p->dtype, p->weights,
                          first * p->weight_lane + channel * p->weight_depth + p->tap_weight[tap], p->weight_lane, 1,
                          count, width, n, to);
        to += n * row;
        d += n;
    }
}

static void pack_weights(const void *context, void *local, int64_t first, int64_t count, int64_t width, int64_t from,
                         int64_t depth, void *panel)
{
    const struct grid_product *p = context;

    (void)local;
    pack_lanes(p, first, count, width, from, depth, panel);
    if (!conv_panel_is_finite(p->k, p->dtype, panel, width * depth))
        atomic_store_explicit(p->infinite, true, memory_order_relaxed);
}

static size_t table_bytes(const struct grid *g)
{
    return 2 * aligned(g->taps * (int64_t)sizeof(int64_t));
}

/* Offsets of the taps, in memory that the caller has. */
static void fill_tables(struct grid_product *p, const struct conv_shape *s, void *tables)
{
    const struct grid *g = &p->g;
    int64_t t[MAX_RANK] = { 0 }, kernel_size = 1;

    p->tap_offset = tables;
    p->tap_weight = (int64_t *)(void *)((char *)tables + aligned(g->taps * (int64_t)sizeof(int64_t)));
    for (int d = 0; d < s->rank; d++)
        kernel_size *= s->kernel[d];
    p->whole = g->taps == kernel_size;
    for (int64_t tap = 0; tap < g->taps; tap++) {
        int64_t source = 0, weight = 0;

        for (int d = 0; d < g->rank; d++) { /* a merged dimension has one tap: it adds nothing to the index */
            source += t[d] * g->dim[d].base_step * g->dim[d].source_stride;
            weight = weight * (d < s->rank ? s->kernel[d] : 1) + g->dim[d].tap_first + t[d] * g->dim[d].tap_step;
        }
        for (int d = g->rank; d < s->rank; d++)
            weight *= s->kernel[d];
        p->tap_offset[tap] = source;
        p->tap_weight[tap] = weight;
        grid_next_tap(g, t);
    }
}

static struct gemm_driver driver_of(const struct grid_product *p)
{
    return (struct gemm_driver){
        .wide_type = p->dtype == F64,
        .m = p->g.batch * p->g.pixels,
        .n = p->target_channels,
        .k = p->source_channels * p->g.taps,
        .pack_a = pack_pixels,
        .pack_b = pack_weights,
        .a = p,
        .b = p,
        .local_bytes = (size_t)local_bytes(&p->g),
        .whole_k = p->dtype != F32 && p->dtype != F64,
        .wide_fixed = true,
        .store = store_pixels,
        .c = (void *)(uintptr_t)p,
    };
}

static size_t product_scratch(const struct grid_product *p, int threads)
{
    const struct gemm_driver d = driver_of(p);

    return table_bytes(&p->g) + gemm_driver_scratch(p->k, &d, threads);
}

static void run_product(struct grid_product *p, const struct conv_shape *s, struct pool *pool, void *scratch)
{
    const struct gemm_driver d = driver_of(p);

    if (p->g.pixels == 0)
        return;
    fill_tables(p, s, scratch);
    gemm_drive(p->k, pool, &d, (char *)scratch + table_bytes(&p->g));
}

/* Planes of the result again, whose NaNs may be of pads. */
static void y_again(void *context, int64_t plane, int thread)
{
    (void)thread;
    conv_again_y(context, plane);
}
static void dx_again(void *context, int64_t plane, int thread)
{
    (void)thread;
    conv_again_dx(context, plane);
}

static int64_t kernel_positions(const struct conv_shape *s)
{
    return dims_product(s->kernel, 0, s->rank);
}

/* -- forward -- */

static struct grid_product forward_product(const struct kernels *k, const struct conv_shape *s, enum dtype dtype)
{
    const int64_t channels = s->in_channels / s->groups, positions = kernel_positions(s);

    return (struct grid_product){
        .k = k,
        .dtype = dtype,
        .g = grid_forward(s),
        .source_channels = channels,
        .target_channels = s->out_channels / s->groups,
        .weight_lane = channels * positions,
        .weight_depth = positions,
    };
}

size_t conv_forward_scratch(const struct kernels *k, const struct conv_shape *s, enum dtype dtype, int threads)
{
    const struct grid_product p = forward_product(k, s, dtype);

    if (conv_point_fits(k, s, dtype))
        return conv_point_scratch(k, s, threads);
    if (conv_depth_fits(k, s, dtype))
        return conv_depth_scratch(k, s, threads);
    return conv_is_direct(s, dtype) ? 0 : product_scratch(&p, threads);
}

void conv_forward(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                  const void *x, const void *w, const void *bias, bool relu, void *y, void *scratch)
{
    struct grid_product p = forward_product(k, s, dtype);
    struct conv_again again = {
        .plain = { .shape = s, .dtype = dtype, .x = x, .w = w, .pool = pool }, .bias = bias, .relu = relu, .result = y
    };
    atomic_bool infinite = false;

    if (conv_point_fits(k, s, dtype)) {
        conv_point(k, pool, s, x, w, bias, relu, y, scratch);
        return;
    }
    if (conv_depth_fits(k, s, dtype)) {
        conv_depth(k, pool, s, x, w, bias, relu, y, scratch);
        return;
    }
    if (conv_is_direct(s, dtype)) {
        conv_direct_forward(k, pool, s, dtype, x, w, bias, relu, y);
        return;
    }
    p.source = x;
    p.target = y;
    p.bias = bias;
    p.relu = relu;
    p.infinite = &infinite;
    for (int64_t g = 0; g < s->groups; g++) {
        p.weights = (const char *)w + g * p.target_channels * p.weight_lane * (int64_t)dtype_size(dtype);
        p.first_source = g * p.source_channels;
        p.first_target = g * p.target_channels;
        run_product(&p, s, pool, scratch);
    }
    if (infinite)
        pool_run(pool, s->batch * s->out_channels, y_again, &again);
}

/* -- by input -- */

static struct grid_product backward_product(const struct kernels *k, const struct conv_shape *s, enum dtype dtype,
                                            const int64_t *first)
{
    const int64_t channels = s->in_channels / s->groups, positions = kernel_positions(s);

    return (struct grid_product){
        .k = k,
        .dtype = dtype,
        .g = grid_backward(s, first),
        .source_channels = s->out_channels / s->groups,
        .target_channels = channels,
        .weight_lane = positions,
        .weight_depth = channels * positions,
    };
}

/* The next phase: input pixels of another residue. Start with all 0; false after the last. */
static bool next_phase(const struct conv_shape *s, int64_t *first)
{
    for (int d = s->rank - 1; d >= 0; d--) {
        if (++first[d] < s->strides[d] && first[d] < s->in[d])
            return true;
        first[d] = 0;
    }
    return false;
}

size_t conv_dx_scratch(const struct kernels *k, const struct conv_shape *s, enum dtype dtype, int threads)
{
    int64_t first[MAX_RANK] = { 0 };
    size_t most = 0;

    if (conv_is_direct(s, dtype))
        return 0;
    do {
        const struct grid_product p = backward_product(k, s, dtype, first);
        const size_t bytes = product_scratch(&p, threads);

        most = bytes > most ? bytes : most;
    } while (next_phase(s, first));
    return most;
}

void conv_dx(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype, const void *dy,
             const void *w, const void *bias, void *dx, void *scratch)
{
    struct conv_again again = { .plain = { .shape = s, .dtype = dtype, .w = w, .dy = dy, .pool = pool },
                                .bias = bias,
                                .result = dx };
    int64_t first[MAX_RANK] = { 0 };
    atomic_bool infinite = false;

    if (conv_is_direct(s, dtype)) {
        conv_direct_dx(k, pool, s, dtype, dy, w, bias, dx);
        return;
    }
    do {
        struct grid_product p = backward_product(k, s, dtype, first);

        p.source = dy;
        p.target = dx;
        p.bias = bias;
        p.infinite = &infinite;
        for (int64_t g = 0; g < s->groups; g++) {
            p.weights = (const char *)w + g * p.source_channels * p.weight_depth * (int64_t)dtype_size(dtype);
            p.first_source = g * p.source_channels;
            p.first_target = g * p.target_channels;
            run_product(&p, s, pool, scratch);
        }
    } while (next_phase(s, first));
    if (infinite)
        pool_run(pool, s->batch * s->in_channels, dx_again, &again);
}
