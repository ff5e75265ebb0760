/* What this CPU does best: tables of function pointers, one for each module.
 *
 * A module is a file in isa/, compiled once for each instruction set. Plain C is the oracle of the others. An entry is
 * a loop over a range, on one thread: it sees raw pointers and sizes, never operators, graphs or dtypes, allocates
 * nothing and cannot fail. What is bigger than a loop (gemm.h, conv.h, pooling.h, norm.h) takes the table and a pool,
 * and cuts the work by its shape alone.
 *
 * Unless said, an output may be the same array as an input (not overlap it otherwise), and a size may be 0. Arithmetic
 * is IEEE, never contracted; exp, log and the like are within 2 ulp of the exact value; what is subnormal may come out
 * as 0. */
#ifndef KILN_KERNELS_KERNELS_H
#define KILN_KERNELS_KERNELS_H

#include "base/cpu.h"
#include "base/pool.h"
#include "kernels/tile.h"
#include "kernels/winograd.h"
#include "tensor/dtype.h"

typedef void binary_f32(const float *p, const float *q, float *y, int64_t n);

/* Lanes of a panel that lie `step` apart in memory: lane l of `mask` is at offset + l * step. */
struct pack_run {
    int64_t offset;
    uint32_t mask;
};

/* Depth d of the panel is channel d / taps, tap t = d % taps: the lanes of runs[first[t] ... first[t + 1]), or, where
 * first is NULL, of all `count` runs, moved by tap_offset[t] and channel * channel_stride. Other lanes are 0. */
struct pack_runs {
    const void *x;
    const struct pack_run *runs;
    const int32_t *first;
    const int64_t *tap_offset;
    int64_t count, taps, channel_stride, step, width;
};

/* A panel whose depths are up to 16 pixels of a row and whose lanes are taps: lane l at depth d is x[d * step +
 * lane_offset[l]] where bit d + skip of masks[lane_tap[l]] is set, else 0. */
struct pack_lanes {
    const void *x;
    const int64_t *lane_offset;
    const int32_t *lane_tap;
    const uint16_t *masks;
    int skip;
    int64_t step, count, width, depth;
};

/* Row r of the tile, tile[r * tile_stride + lane], goes to y[r * row_stride + offset + lane * step] for the lanes of
 * each run. */
struct store_runs {
    void *y;
    const struct pack_run *runs;
    int64_t count, row_stride, step, tile_stride, width;
    const void *bias; /* one for each row; NULL for none */
    bool add, relu;   /* add to what is there; max(0, .) */
};

/* Windows of pooling, channels last (channels_last/pool.c): pixels of y one after the other, x_pixel apart in x, each
 * of rows * columns taps, at least one. */
struct pool_windows {
    int64_t pixels, rows, columns, channels;
    int64_t x_pixel, x_row, x_column, y_pixel;
    const float *x, *g;
    float *y, *dx; /* laid out as g and x */
    float factor;
    bool add; /* to what is in dx */
};

/* What of a stream of random numbers is dropped: those below least / 2^24. */
struct drop {
    uint64_t seed, stream;
    int32_t least;
    float scale; /* of what is kept */
};

/* What other kernels do along a row; operators have formulas of their own (formula.h). _s: with a scalar. */
struct map_kernels {
    binary_f32 *add, *mul;
    void (*add_s)(const float *p, float q, float *y, int64_t n);
    void (*mul_s)(const float *p, float q, float *y, int64_t n);
    void (*relu)(const float *x, float *y, int64_t n);                     /* x < 0 ? 0 : x */
    void (*affine)(const float *x, float *y, int64_t n, float a, float b); /* a * x + b, rounded twice */
    void (*axpy)(float a, const float *x, float *y, int64_t n);            /* y += a * x, rounded twice */
    /* y[r, c] = x[r, c] + bias[c]: a bias along rows, rows contiguous. With relu: max(0, .). */
    void (*bias_columns)(const float *x, const float *bias, float *y, int64_t rows, int64_t columns, bool relu);
    /* y[r, c] = x[r, c] + bias[r]: [channels, spatial] of one image. */
    void (*bias_rows)(const float *x, const float *bias, float *y, int64_t rows, int64_t columns, bool relu);
};

struct update_kernels {
    /* Optimisers as Keras computes them, in its order of operations, in float. w, m and v are updated in place; g is
     * only read. adam: m += (g - m) * (1 - beta1); v += (g * g - v) * (1 - beta2); w -= m * alpha / (sqrt(v) +
     * epsilon), alpha = lr * sqrt(1 - beta2^t) / (1 - beta1^t), from the caller, t from 1. rmsprop: v = rho * v + (1 -
     * rho) * g * g; step = lr * g / sqrt(v + epsilon); centered (mean not NULL): mean = rho * mean + (1 - rho) * g,
     * sqrt(v - mean * mean + epsilon); with momentum (m not NULL): m = momentum * m + step; w -= m; else w -= step.
     * sgd: m NULL: w -= lr * g; else m = momentum * m - lr * g; w += m, or with nesterov w += momentum * m - lr * g.
     * All return whether what w has become is finite. The last three are the same in double. */
    bool (*adam)(float *w, float *m, float *v, const float *g, int64_t n, float alpha, float one_minus_beta1,
                 float one_minus_beta2, float epsilon);
    bool (*rmsprop)(float *w, float *v, float *mean, float *m, const float *g, int64_t n, float lr, float rho,
                    float momentum, float epsilon);
    bool (*sgd)(float *w, float *m, const float *g, int64_t n, float lr, float momentum, bool nesterov);
    bool (*adam_double)(double *w, double *m, double *v, const double *g, int64_t n, double alpha,
                        double one_minus_beta1, double one_minus_beta2, double epsilon);
    bool (*rmsprop_double)(double *w, double *v, double *mean, double *m, const double *g, int64_t n, double lr,
                           double rho, double momentum, double epsilon);
    bool (*sgd_double)(double *w, double *m, const double *g, int64_t n, double lr, double momentum, bool nesterov);
};

struct reduce_kernels {
    /* Sums in a fixed tree: blocks of lanes, then pairs of blocks. The error grows with the logarithm of n. */
    float (*sum)(const float *x, int64_t n);
    float (*sum_squares)(const float *x, int64_t n);
    float (*dot)(const float *p, const float *q, int64_t n);
    float (*max_of)(const float *x, int64_t n); /* -inf for n 0; NaN where there is one */
    float (*min_of)(const float *x, int64_t n);

    /* y[c] += sum over r of x[r * stride + c], rows in blocks of 32 whose sums are then added in order. */
    void (*sum_rows)(const float *x, int64_t rows, int64_t columns, int64_t stride, float *y);
    /* y[c] = sum over r of w[r * w_step] * x[r * stride + c], in the order of r. */
    void (*combine_rows)(const float *w, int64_t w_step, const float *x, int64_t rows, int64_t columns, int64_t stride,
                         float *y);
};

/* One row of n contiguous elements; both subtract the maximum first. */
struct softmax_kernels {
    void (*row)(const float *x, float *y, int64_t n);
    void (*log_row)(const float *x, float *y, int64_t n);
    void (*row_grad)(const float *y, const float *dy, float *dx, int64_t n);     /* y * (dy - sum(y * dy)) */
    void (*log_row_grad)(const float *y, const float *dy, float *dx, int64_t n); /* dy - exp(y) * sum(dy) */

    /* Scores (attention.c), in place: exp(x - top), and the sum of that; cap * tanh(x / cap); x + bias, or -infinity
     * where the bias is that, and where the mask is 0. */
    float (*exps)(float *x, int64_t n, float top);
    void (*capped)(float *x, int64_t n, float cap);
    void (*biased)(float *x, const float *bias, int64_t n);
    void (*masked)(float *x, const uint8_t *mask, int64_t n);
};

struct random_kernels {
    /* Numbers first ... first + n - 1 of a stream (base/random.h), and what they decide about: y[i] = number first + i
     * is kept ? x[i] * scale : 0; mask (may be NULL) is 1 where it is kept. keep: the same by the mask. */
    void (*uniform)(float *y, int64_t n, uint64_t seed, uint64_t stream, uint64_t first);
    void (*drop)(const struct drop *d, const float *x, float *y, uint8_t *mask, int64_t n, uint64_t first);
    void (*keep)(const uint8_t *mask, const float *x, float *y, int64_t n, float scale);
};

/* Rows of products, for dense layers, and panels, for all others. */
struct gemm_kernels {
    /* y[c] += sum over r of w[r * w_step] * x[r * stride + c], in the order of r, by fused multiply-adds. */
    void (*add_rows)(const float *w, int64_t w_step, const float *x, int64_t rows, int64_t columns, int64_t stride,
                     float *y);
    /* x[r * stride + c] = a[r * a_step] * x[r * stride + c] + p[r] * q[c] */
    void (*add_outer)(const float *a, int64_t a_step, const float *p, const float *q, int64_t rows, int64_t columns,
                      int64_t stride, float *x);
    /* sums[4 * r + j] = sum over i < n of x[r * x_step + i] * w[j * w_step + i] for r < rows <= lanes / 4, j < columns
     * <= 4; `sums` has room for `lanes`. */
    void (*dots)(const float *x, int64_t x_step, int rows, const float *w, int64_t w_step, int columns, int64_t n,
                 float *sums);

    /* y[c * y_stride + r] = x[r * x_stride + c]; y must not be x. */
    void (*transpose_4)(const uint32_t *x, int64_t x_stride, uint32_t *y, int64_t y_stride, int64_t rows,
                        int64_t columns);
    void (*transpose_8)(const uint64_t *x, int64_t x_stride, uint64_t *y, int64_t y_stride, int64_t rows,
                        int64_t columns);

    /* GEMM panels. A panel is [depth][width]: `count` <= width lanes from x, the others 0. Lane l at depth d is
     * x[l * lane_stride + d * depth_stride]. */
    void (*pack_4)(const float *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                   int64_t depth, float *panel);
    void (*pack_8)(const double *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                   int64_t depth, double *panel);
    /* Implicit GEMM (conv.c): panels gathered from runs of elements, results scattered to such runs. */
    void (*pack_runs_4)(const struct pack_runs *p, int64_t from, int64_t depth, float *panel);
    void (*pack_lanes_4)(const struct pack_lanes *p, float *panel);
    void (*store_runs_4)(const struct store_runs *s, const float *tile, int64_t rows);
};

/* tile.h. `vectors` is 1 to TILE_VECTORS, a vector is struct kernels' `lanes` floats. */
struct conv_kernels {
    int tile_pixels[TILE_VECTORS + 1], weight_taps[TILE_VECTORS + 1]; /* by vectors; [0] is not used */
    void (*tile)(const struct tile *t, int vectors);
    void (*weight_tile)(const struct weight_tile *t, int vectors);
    void (*depth_tile)(const struct depth_tile *t);
    void (*depth_rows)(const struct depth_rows *t);
    void (*depth_weight_tile)(const struct depth_weight_tile *t);
    void (*plane_rows)(const struct plane_rows *t);
    /* y[r * y_row + i] = x[r * x_row + i * step] for r < rows, i < n. */
    void (*every)(const float *x, int64_t x_row, int64_t step, float *y, int64_t y_row, int64_t rows, int64_t n);
    /* Rows of a depthwise convolution: y[i] += w * x[i * step], and its sum of products. */
    void (*row_axpy)(float w, const float *x, int64_t x_step, float *y, int64_t y_step, int64_t n);
    float (*row_dot)(const float *x, int64_t x_step, const float *y, int64_t n);
};

/* winograd.h */
struct winograd_kernels {
    void (*input)(const struct winograd_patches *w);    /* of 6x6 */
    void (*gradient)(const struct winograd_patches *w); /* of 4x4 */
    void (*results)(const struct winograd_results *w);
    void (*weights)(const struct winograd_weights *w);
    void (*weight_gradient)(const struct winograd_weight_gradient *w);
};

struct pool_kernels {
    void (*row_max)(const float *x, int64_t x_step, float *y,
                    int64_t n); /* y[i] = the larger of y[i] and x[i * x_step] */

    /* Max pooling of one plane, window 2x2, stride 2, no pads: y[rows, columns] from x with rows of x_stride. */
    void (*max_pool_2x2)(const float *x, int64_t x_stride, float *y, int64_t rows, int64_t columns);
    /* And back: the first maximal element of each window gets dy, all others 0. */
    void (*max_pool_2x2_grad)(const float *x, int64_t x_stride, const float *dy, float *dx, int64_t rows,
                              int64_t columns);

    /* y: the largest of each window, NaN before all; factor * the sum. dx: g where x is the first of the largest, else
     * 0; factor * g everywhere. */
    void (*windows_max)(const struct pool_windows *w);
    void (*windows_sum)(const struct pool_windows *w);
    void (*windows_max_grad)(const struct pool_windows *w);
    void (*windows_spread)(const struct pool_windows *w);
};

struct norm_kernels {
    /* Normalisation (norm.c). Along a row of one channel the parameters are scalars; across channels they are vectors,
     * and rows lie `stride` apart. Sums are added to what is there. */
    void (*moments)(const float *x, int64_t n, float mean, double *sum, double *squares); /* of x - mean */
    void (*moments_columns)(const float *x, int64_t rows, int64_t columns, int64_t stride, const float *mean,
                            double *sum, double *squares);
    void (*dot_centered)(const float *x, const float *g, int64_t n, float mean, double *sum_g, double *sum_gx);
    void (*dot_rows)(const float *x, const float *g, int64_t rows, int64_t columns, int64_t stride, const float *mean,
                     float *sum_g, float *sum_gx); /* sums in float: for few rows at a time */
    void (*scale_shift)(const float *x, float *y, int64_t n, float mean, float scale,
                        float shift); /* (x-mean)*scale+shift */
    void (*scale_shift_columns)(const float *x, float *y, int64_t rows, int64_t columns, int64_t stride,
                                const float *mean, const float *scale, const float *shift);
    void (*norm_back)(const float *x, const float *g, float *dx, int64_t n, float mean, float p, float q, float r);
    void (*norm_back_columns)(const float *x, const float *g, float *dx, int64_t rows, int64_t columns, int64_t stride,
                              const float *mean, const float *p, const float *q,
                              const float *r); /* p*g + q*(x-mean) + r */

    /* Max pooling with channels last (norm_block.c), windows of 2x2 pixels with stride 2: `pixels` windows side by
     * side, whose upper row begins at x, the lower one x_row later. NaN wins over everything, of equal elements the
     * first one. z = max(z(x)), z(x) = (x - mean) * scale + shift; best (may be NULL) is the x that won. Back: dx =
     * (won ? p * g : 0) + q * (x - mean) + r. */
    void (*norm_pool)(const float *x, int64_t x_row, int64_t pixels, int64_t channels, const float *mean,
                      const float *scale, const float *shift, float *best, float *z);
    void (*norm_pool_back)(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                           int64_t channels, const float *mean, const float *p, const float *q, const float *r,
                           float *dx);
    /* The same of x itself: y = max(x); dx = won ? g : 0. */
    void (*last_pool)(const float *x, int64_t x_row, int64_t pixels, int64_t channels, float *y);
    void (*last_pool_back)(const float *x, int64_t x_row, const float *best, const float *g, int64_t pixels,
                           int64_t channels, float *dx);
};

struct fft_stage; /* fft.h */
struct fft_flow;
struct fft_kernels {
    void (*stage)(const struct fft_stage *s, const double *turns, const struct fft_flow *f);
};

/* Runs of bytes that become runs of numbers of 16 bits: y[to + i] = (x[from + i * step] ^ flip) - zero for i < count of
 * each run. Of uint8 flip is 0. An int8 whose highest bit is turned (flip 0x80) is an uint8 that is 128 more, as its zero
 * point then is: so both are one loop. */
struct byte_run {
    int64_t from, to, count;
};
struct byte_runs {
    const uint8_t *x;
    const struct byte_run *runs;
    int64_t count, step;
    uint8_t flip;
    int16_t zero;
};

/* c[r][l] = sum over p < 2 * pairs of a[r * a_row + p] * b[p][l] for r < rows, l < vectors * lanes: in int32, which wraps
 * around. Of b there are panels, each as wide as a vector, b_panel elements apart: element p of lane l in it is
 * [p / 2][l][p % 2], so that what is multiplied and added in pairs is read as it lies. */
enum { INTEGER_ROWS = 4, INTEGER_VECTORS = 4, INTEGER_LANES = 16, INTEGER_COLUMNS = INTEGER_VECTORS * INTEGER_LANES };
struct integer_tile {
    const int16_t *a, *b;
    int64_t a_row, b_panel, pairs;
    int32_t (*c)[INTEGER_COLUMNS];
};

/* y[i] = (add ? y[i] : 0) + sum over t < taps of w[t] * x[at[t] + i] for i < n, a multiple of INTEGER_COLUMNS. */
struct integer_taps {
    const int16_t *x;
    const int64_t *at;
    const int32_t *w;
    int64_t taps, n;
    int32_t *y;
    bool add;
};

/* The same of bytes, four to a lane: c[r][l] = sum over t < runs, p < 4 * quads of a[r][at[t] + p] * b[t][p][l] for r < rows,
 * l < vectors * lanes, where a is uint8 and b int8. Of b there are panels, each as wide as a vector, b_panel bytes apart:
 * element p of run t and lane l in it is [t][p / 4][l][p % 4]. */
enum { QUAD_ROWS = 6 };
struct integer_quads {
    const uint8_t *a[QUAD_ROWS];
    const int64_t *at;
    int64_t runs, quads;
    const int8_t *b;
    int64_t b_panel;
    int32_t (*c)[INTEGER_COLUMNS];
};

/* c[r][l] = sum over t < 2 * pairs of x[r * x_step + at[t] + l] * w[t / 2][l][t % 2] for r < rows, l < vectors * lanes: x is
 * uint8, w lies w_step numbers from pair to pair. */
struct integer_columns {
    const uint8_t *x;
    int64_t x_step;
    const int64_t *at;
    const int16_t *w;
    int64_t pairs, w_step;
    int32_t (*c)[INTEGER_COLUMNS];
};

/* The same of sums, and then what struct quantizing makes of v = (c[r][l] + summand[l]) * scale[l], for rows that are y_row
 * bytes apart. Vectors of summands and scales are whole. */
struct integer_store {
    const int32_t *summand;
    const float *scale;
    float zero, least, most;
    uint8_t *y;
    int64_t y_row;
};

/* y = min(most, max(least, round(v) + zero)), of two nearest integers the even one, and the least where v is NaN: a
 * saturated integer. Each element has a scale and a zero point, or all share one; zero points are integers, and all are
 * within 2^21. */
struct quantizing {
    const float *scale, *zero;
    bool each;
    float least, most;
};

struct integer_kernels {
    int vectors; /* of a tile, at most */
    void (*widen)(const struct byte_runs *r, int16_t *y);
    /* Two rows of `panels` vectors, one beside the other, into panels that are `step` elements apart. */
    void (*pair)(const int16_t *even, const int16_t *odd, int64_t panels, int64_t step, int16_t *y);
    void (*tile)(const struct integer_tile *t, int rows, int vectors);
    void (*taps)(const struct integer_taps *t);
    /* How many products the three that follow make in the time of one of floats; 0: fewer than one. What is
     * computed in integers, and what in floats, is decided by it (plan/pass_quantized.c). */
    int quad_products;
    int quad_rows, quad_vectors; /* of tiles, at most */
    void (*quads)(const struct integer_quads *t, int rows, int vectors);
    void (*columns)(const struct integer_columns *t, int rows, int vectors);
    void (*store)(const struct integer_store *s, int32_t (*c)[INTEGER_COLUMNS], int rows, int64_t n);
    /* y[i] += w * ((x[i * step] ^ flip) - zero) */
    void (*axpy)(int32_t w, const uint8_t *x, int64_t step, uint8_t flip, int32_t zero, int32_t *y, int64_t n);
    void (*quantize_8)(const struct quantizing *q, const float *x, uint8_t *y, int64_t n);   /* v = x / scale */
    void (*quantize_16)(const struct quantizing *q, const float *x, uint16_t *y, int64_t n); /* the same */
    void (*requantize)(const struct quantizing *q, const int32_t *x, uint8_t *y, int64_t n); /* v = x * scale */
};

/* One table for each module, which its file in isa/ makes for an instruction set. */
struct kernels {
    enum cpu_level level;
    int lanes; /* floats of a vector */
    const struct map_kernels *map;
    const struct update_kernels *update;
    const struct reduce_kernels *reduce;
    const struct softmax_kernels *softmax;
    const struct random_kernels *random;
    const struct gemm_kernels *gemm;
    const struct conv_kernels *conv;
    const struct winograd_kernels *winograd;
    const struct pool_kernels *pool;
    const struct norm_kernels *norm;
    const struct fft_kernels *fft;
    const struct integer_kernels *integer;
};

/* The table for this CPU; made once, thread-safe, never fails. */
const struct kernels *kernels_get(void);
/* The table of one level, NULL where this CPU or this build has not got it. For tests. */
const struct kernels *kernels_for(enum cpu_level level);

#endif
