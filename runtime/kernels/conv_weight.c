/* Gradients of a convolution by its weights and its bias. */
#include "kernels/conv.h"
#include "kernels/conv_direct.h"
#include "kernels/conv_grid.h"
#include "kernels/conv_pack.h"
#include "kernels/conv_plain.h"
#include "kernels/gemm.h"
#include "kernels/parts.h"
#include "tensor/half.h"
#include <stdatomic.h>
#include <string.h>

/* -- by weight -- */

/* The product: rows are (channel of x, tap), columns channels of y, the depth pixels of all images. */
struct weight_product {
    const struct kernels *k;
    enum dtype dtype;
    struct grid g;
    const void *x, *dy; /* of the group's first channel */
    int64_t channels, out_channels;
    void *dw;
    int64_t segments_in_row, segments; /* of an image */
    int64_t *segment_offset;           /* in an image of x, of tap 0 */
    uint16_t *masks;                   /* [segments][taps] */
    int64_t *lane_offset;              /* [channels][taps] */
    int32_t *lane_tap;
    atomic_bool *infinite; /* set where dy is not finite: times a pad it is NaN */
};

static void pack_taps(const void *context, void *local, int64_t first, int64_t count, int64_t width, int64_t from,
                      int64_t depth, void *panel)
{
    const struct weight_product *p = context;
    const struct grid *g = &p->g;
    const int64_t in_row = g->dim[g->rank - 1].pixels,
                  step = g->dim[g->rank - 1].step * g->dim[g->rank - 1].source_stride;
    char *to = panel;

    (void)local;
    for (int64_t d = from; d < from + depth;) {
        const int64_t pixel = d % g->pixels, at = pixel % in_row, left = from + depth - d;
        const int64_t segment = pixel / in_row * p->segments_in_row + at / SEGMENT, skip = at % SEGMENT;
        const int64_t in_segment = (SEGMENT < in_row - at + skip ? SEGMENT : in_row - at + skip) - skip;
        const struct pack_lanes lanes = {
            .x = (const char *)p->x + (d / g->pixels * g->source_image + p->segment_offset[segment] + skip * step) *
                                          (int64_t)dtype_size(p->dtype),
            .lane_offset = p->lane_offset + first,
            .lane_tap = p->lane_tap + first,
            .masks = p->masks + segment * g->taps,
            .skip = (int)skip,
            .step = step,
            .count = count,
            .width = width,
            .depth = in_segment < left ? in_segment : left,
        };

        conv_pack_lanes(p->k, p->dtype, &lanes, to);
        to += lanes.depth * width * (int64_t)sum_size(p->dtype);
        d += lanes.depth;
    }
}

static void pack_upstream(const void *context, void *local, int64_t first, int64_t count, int64_t width, int64_t from,
                          int64_t depth, void *panel)
{
    const struct weight_product *p = context;
    const struct grid *g = &p->g;
    char *to = panel;

    (void)local;
    for (int64_t d = from; d < from + depth;) {
        const int64_t pixel = d % g->pixels, left = from + depth - d;
        const int64_t n = g->pixels - pixel < left ? g->pixels - pixel : left;

        conv_pack_strided(p->k, p->dtype, p->dy, d / g->pixels * g->target_image + first * g->target_channel + pixel,
                          g->target_channel, 1, count, width, n, to);
        to += n * width * (int64_t)sum_size(p->dtype);
        d += n;
    }
    if (!conv_panel_is_finite(p->k, p->dtype, panel, width * depth))
        atomic_store_explicit(p->infinite, true, memory_order_relaxed);
}

/* From a channel to a channel, again: what is NaN may be of pads. */
static void dw_again(void *context, int64_t pair, int thread)
{
    (void)thread;
    conv_again_dw(context, pair);
}

static void store_weights(const void *context, void *local, const struct gemm_tile *s)
{
    const struct weight_product *p = context;
    const int64_t row = p->channels * p->g.taps;

    (void)local;
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < s->columns; j++) {
            const float v = ((const float *)s->data)[i * s->i_stride + j * s->j_stride];

            ((uint16_t *)p->dw)[(s->j0 + j) * row + s->i0 + i] = f32_to_half(p->dtype, v);
        }
}

static struct weight_product weight_product_of(const struct kernels *k, const struct conv_shape *s, enum dtype dtype)
{
    struct weight_product p = { .k = k,
                                .dtype = dtype,
                                .g = grid_forward(s),
                                .channels = s->in_channels / s->groups,
                                .out_channels = s->out_channels / s->groups };
    const int64_t in_row = p.g.dim[p.g.rank - 1].pixels;

    p.segments_in_row = divide_up(in_row, SEGMENT);
    p.segments = in_row ? p.g.pixels / in_row * p.segments_in_row : 0;
    return p;
}

static struct gemm_driver weight_driver(const struct weight_product *p)
{
    const bool half = p->dtype == F16 || p->dtype == BF16;

    return (struct gemm_driver){
        .wide_type = p->dtype == F64,
        .m = p->channels * p->g.taps,
        .n = p->out_channels,
        .k = p->g.batch * p->g.pixels,
        .pack_a = pack_taps,
        .pack_b = pack_upstream,
        .a = p,
        .b = p,
        .whole_k = half,
        .sliced = !half,
        .store = half ? store_weights : NULL,
        .c = half ? (void *)(uintptr_t)p : p->dw,
        .c_row = 1,
        .c_col = p->channels * p->g.taps,
        .alpha = 1,
    };
}

/* Segments, masks, lanes: what the packing looks up. Returns the bytes they take of `at`, and fills them where that is
 * not NULL. */
static size_t weight_tables(struct weight_product *p, char *at)
{
    const struct grid *g = &p->g;
    const int64_t lanes = p->channels * g->taps, in_row = g->dim[g->rank - 1].pixels;
    const size_t offsets = aligned(p->segments * (int64_t)sizeof(int64_t)),
                 masks = aligned(p->segments * g->taps * (int64_t)sizeof(uint16_t)),
                 lane_offsets = aligned(lanes * (int64_t)sizeof(int64_t));

    if (!at)
        return offsets + masks + lane_offsets + aligned(lanes * (int64_t)sizeof(int32_t));
    p->segment_offset = (int64_t *)(void *)at;
    p->masks = (uint16_t *)(void *)(at + offsets);
    p->lane_offset = (int64_t *)(void *)(at + offsets + masks);
    p->lane_tap = (int32_t *)(void *)(at + offsets + masks + lane_offsets);
    for (int64_t segment = 0; segment < p->segments; segment++) {
        const int64_t u = segment % p->segments_in_row * SEGMENT, n = in_row - u < SEGMENT ? in_row - u : SEGMENT;
        const struct grid_walk w = grid_walk_at(g, segment / p->segments_in_row * in_row + u);
        int64_t t[MAX_RANK] = { 0 }, from = 0, to = 0;

        p->segment_offset[segment] = grid_source(g, &w);
        for (int64_t tap = 0; tap < g->taps; tap++) {
            to = from = 0;
            if (grid_sees_row(g, &w, t))
                grid_clip(g, &w, t[g->rank - 1], n, &from, &to);
            p->masks[segment * g->taps + tap] = (uint16_t)lanes_mask(from, to);
            grid_next_tap(g, t);
        }
    }
    for (int64_t channel = 0; channel < p->channels; channel++) {
        int64_t t[MAX_RANK] = { 0 };

        for (int64_t tap = 0; tap < g->taps; tap++) {
            int64_t offset = channel * g->source_channel;

            for (int d = 0; d < g->rank; d++)
                offset += t[d] * g->dim[d].base_step * g->dim[d].source_stride;
            p->lane_offset[channel * g->taps + tap] = offset;
            p->lane_tap[channel * g->taps + tap] = (int32_t)tap;
            grid_next_tap(g, t);
        }
    }
    return 0;
}

size_t conv_dw_scratch(const struct kernels *k, const struct conv_shape *s, enum dtype dtype, int threads)
{
    struct weight_product p = weight_product_of(k, s, dtype);
    const struct gemm_driver d = weight_driver(&p);

    return conv_is_direct(s, dtype) ? 0 : weight_tables(&p, NULL) + gemm_driver_scratch(k, &d, threads);
}

void conv_dw(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype, const void *x,
             const void *dy, void *dw, void *scratch)
{
    struct weight_product p = weight_product_of(k, s, dtype);
    const int64_t size = (int64_t)dtype_size(dtype);
    const size_t tables = weight_tables(&p, NULL);
    struct conv_again again = { .plain = { .shape = s, .dtype = dtype, .x = x, .dy = dy, .pool = pool }, .result = dw };
    atomic_bool infinite = false;

    if (conv_is_direct(s, dtype)) {
        conv_direct_dw(k, pool, s, dtype, x, dy, dw);
        return;
    }
    p.infinite = &infinite;
    weight_tables(&p, scratch);
    for (int64_t g = 0; g < s->groups; g++) {
        struct gemm_driver d;

        p.x = (const char *)x + g * p.channels * p.g.source_channel * size;
        p.dy = (const char *)dy + g * p.out_channels * p.g.target_channel * size;
        p.dw = (char *)dw + g * p.out_channels * p.channels * p.g.taps * size;
        d = weight_driver(&p);
        gemm_drive(k, pool, &d, (char *)scratch + tables);
    }
    if (infinite)
        pool_run(pool, s->out_channels * p.channels, dw_again, &again);
}

/* -- of the bias -- */

struct bias_sum {
    const struct kernels *k;
    enum dtype dtype;
    int64_t batch, channels, spatial;
    const void *dy;
    void *db;
};

static double sum_of(const struct bias_sum *p, int64_t at)
{
    double s = 0;

    if (p->dtype == F32)
        return (double)p->k->reduce->sum((const float *)p->dy + at, p->spatial);
    for (int64_t i = 0; i < p->spatial; i++) {
        const uint16_t *const half = (const uint16_t *)p->dy + at + i;

        s += p->dtype == F64 ? ((const double *)p->dy)[at + i] : (double)half_to_f32(p->dtype, *half);
    }
    return s;
}

static void bias_of_channel(void *context, int64_t c, int thread)
{
    const struct bias_sum *p = context;
    double s = 0;

    (void)thread;
    for (int64_t n = 0; n < p->batch; n++)
        s += sum_of(p, (n * p->channels + c) * p->spatial);
    if (p->dtype == F64)
        ((double *)p->db)[c] = s;
    else if (p->dtype == F32)
        ((float *)p->db)[c] = (float)s;
    else
        ((uint16_t *)p->db)[c] = f32_to_half(p->dtype, (float)s);
}

void conv_db(const struct kernels *k, struct pool *pool, enum dtype dtype, int64_t batch, int64_t channels,
             int64_t spatial, const void *dy, void *db)
{
    struct bias_sum p = { k, dtype, batch, channels, spatial, dy, db };

    pool_run(batch * channels * spatial < 1 << 18 ? NULL : pool, channels, bias_of_channel, &p);
}
