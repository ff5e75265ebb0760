/* Tiles of products, kept in registers: what direct and Winograd convolution, and dense layers, are made of.
 *
 * The vectors run over channels of the result, which are contiguous in the weights and in y; elements of x are read one
 * by one, from wherever they lie, and are not packed. A tile is some vectors of channels by some pixels, such that all
 * sums fit the registers: table entries tell how many pixels go with how many vectors, and take any smaller number. */
#ifndef KILN_KERNELS_TILE_H
#define KILN_KERNELS_TILE_H

#include "kernels/machine.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TILE_VECTORS = 4, TILE_PIXELS = 32 }; /* the most of any table */

/* sum[p][c] = sum over r < rows, k < run of x[p * x_pixel + r * x_row + k] * w[w_at[r] + k * w_step + c]
 * with row_at[r] in place of r * x_row where row_at is not NULL;
 * y[at[p] + c] = min(most, max(least, sum[p][c] + bias[c] + y[at[p] + c] where add + residual[at[p] + c]))
 *
 * NaN passes the limits. Depths are added in order, by fused multiply-adds where the CPU has them. */
struct tile {
    int64_t rows, run;
    const float *x;
    int64_t x_pixel, x_row;
    const int64_t *row_at; /* [rows]; NULL: r * x_row */
    const float *w;
    int64_t w_step;
    const int64_t *w_at; /* [rows]; NULL: (r * run) * w_step */
    float *y;
    const int64_t *at; /* [pixels]; negative: the pixel is not stored. NULL: at[p] is p * y_pixel */
    int64_t y_pixel;
    int pixels;        /* at most tile_pixels[vectors] of the table */
    int channels;      /* in the last of the vectors; what lies past them in w, bias, residual and y is not touched */
    bool w_padded;     /* but w may be read there: faster without AVX-512 */
    bool add;          /* to what is in y */
    const float *bias; /* NULL: none */
    const float *pixel_bias; /* in place of bias: pixel_bias[p]. NULL: bias[c] */
    const float *residual;   /* laid out as y; NULL: none */
    float least, most;       /* -INFINITY and INFINITY for none; Relu is 0 and INFINITY */
    /* Memory that is wanted next, such as the weights behind these, brought near on the way: sums of few pixels would
     * wait for it. `soon_step` bytes for each element of x that a pixel meets, at most TILE_SOON. NULL for nothing. */
    const char *soon;
    int64_t soon_step;
};

enum { TILE_SOON = 2 * CACHE_LINE };

/* What several tiles bring near, one after the other: spread over all their steps, rows * run of each tile, because a
 * core has few places for lines that are on their way, and the tiles' own loads need some. Where `steps` is a wrong
 * guess, the tiles bring less near, or are done with it early. */
struct tile_next {
    const char *at, *end;
    int64_t step;
};
static inline struct tile_next tile_next_of(const void *at, const void *end, int64_t steps)
{
    struct tile_next next = { at, end, TILE_SOON };

    if (steps > 0 && (next.end - next.at) / steps < TILE_SOON)
        next.step = (next.end - next.at) / steps + 1;
    return next;
}
static inline void tile_bring(struct tile *t, struct tile_next *next)
{
    t->soon = next->at < next->end ? next->at : NULL;
    t->soon_step = next->step;
    if (t->soon)
        next->at += t->rows * t->run * next->step;
}

/* acc[j * acc_step + c] += sum over r < rows, p < pixels of x[r * x_row + p * x_pixel + j] * g[r * g_row + p * g_pixel
 * + c] for j < taps, c < channels: the gradient by weights that lie as in acc. */
struct weight_tile {
    int64_t rows, pixels;
    const float *x;
    int64_t x_row, x_pixel;
    const float *g;
    int64_t g_row, g_pixel;
    float *acc;
    int64_t acc_step;
    int taps;     /* at most weight_taps[vectors] of the table */
    int channels; /* in the last of the vectors */
    bool add;     /* false: acc is not read, but overwritten */
};

enum { DEPTH_PIXELS = 8, DEPTH_TAPS = 5 };

/* Each channel by itself: y[p * y_pixel + c] = min(most, max(least, bias[c] + residual[p * y_pixel + c] + sum over r <
 * rows, i < columns of x[p * x_pixel + r * x_row + i * x_column + c] * w[r * w_row + i * w_column + c])). */
struct depth_tile {
    int64_t rows, columns;
    const float *x;
    int64_t x_pixel, x_row, x_column;
    const float *w;
    int64_t w_row, w_column;
    float *y;
    int64_t y_pixel, channels;
    int pixels;                   /* at most DEPTH_PIXELS */
    const float *bias, *residual; /* NULL: none */
    float least, most;
};

/* The same for one or two rows of y, whose taps lie side by side in x. A row of x may end within a window: of tap i of
 * pixel p, which is column j = first + p * stride + i, it has those of 0 <= j < columns. Row r of x from the first on
 * is met by row r of w[0], and by row r - rows[0] of w[1] for the second row of y. What is read is shared by pixels
 * side by side and by both rows. */
struct depth_rows {
    int taps, stride;
    int64_t rows[3]; /* of x, one after the other, that the first row of y meets, both meet, the second meets */
    int64_t first, columns, pixels;
    const float *x;
    int64_t x_row, x_column;
    const float *w[2]; /* [1] NULL: there is no second row of y */
    int64_t w_row, w_column;
    float *y;
    int64_t y_row, y_pixel, channels;
    const float *bias, *residual; /* NULL: none */
    float least, most;
};
/* Which there are. */
static inline bool depth_slides(int64_t taps, int64_t stride)
{
    return (taps == 3 || taps == 5 || taps == 7) && (stride == 1 || stride == 2);
}

/* Depthwise convolution of a plane, vectors along its rows: y[p * y_row + c] = min(most, max(least, bias + sum over k <
 * taps[0], i < taps[1] of x[(p * stride + k) * x_row + x_at[i] + c] * w[k * taps[1] + i])) for p < rows, c < columns.
 * Of x there are rows [from, to). Behind its last elements as many more may be read as TILE_VECTORS vectors have. */
struct plane_rows {
    int64_t rows, columns;
    int64_t taps[2], stride;
    int64_t from, to;
    const float *x;
    int64_t x_row;
    const int64_t *x_at; /* [taps[1]] */
    const float *w;
    float *y;
    int64_t y_row;
    float bias, least, most;
};

/* acc[i * acc_column + c] += sum over r < rows, p < pixels of x[r * x_row + p * x_pixel + i * x_column + c] *
 * g[r * g_row + p * g_pixel + c] for i < taps. */
struct depth_weight_tile {
    int64_t rows, pixels;
    const float *x;
    int64_t x_row, x_pixel, x_column;
    const float *g;
    int64_t g_row, g_pixel;
    float *acc;
    int64_t acc_column, channels;
    int taps; /* at most DEPTH_TAPS */
};

#endif
