#include "kernels/dense_block.h"
#include "kernels/parts.h"
#include <math.h>

/* -- floats -- */

/* Lanes of C that tiles make together, from one panel of B that stays in the first-level cache. */
struct lanes {
    int64_t at;
    int vectors, channels;
};

static struct lanes lanes_from(const struct kernels *k, const struct block *p, int64_t at)
{
    const int64_t rest = p->columns - at, most = (int64_t)TILE_VECTORS * k->lanes, n = lesser(rest, most);

    return (struct lanes){ at, (int)divide_up(n, k->lanes), (int)n };
}

static void product_f32(const struct kernels *k, const struct block *p)
{
    for (struct lanes l = { 0 }; l.at < p->columns; l.at += l.channels) {
        int64_t tiles;

        l = lanes_from(k, p, l.at);
        tiles = divide_up(p->rows, k->conv->tile_pixels[l.vectors]);
        for (int64_t i = 0; i < tiles; i++) {
            const int64_t from = even_start(p->rows, tiles, i);
            const struct tile t = { .rows = 1,
                                    .run = p->depth,
                                    .x = (const float *)p->a + from * p->a_row,
                                    .x_pixel = p->a_row,
                                    .w = (const float *)p->b + l.at,
                                    .w_step = p->b_row,
                                    .y = (float *)p->c + from * p->c_row + l.at,
                                    .y_pixel = p->c_row,
                                    .pixels = (int)(even_start(p->rows, tiles, i + 1) - from),
                                    .channels = l.channels,
                                    .add = p->add,
                                    .least = -INFINITY,
                                    .most = INFINITY };

            k->conv->tile(&t, l.vectors);
        }
    }
}

static void columns_f32(const struct kernels *k, const struct block *p)
{
    for (struct lanes l = { 0 }; l.at < p->columns; l.at += l.channels) {
        int64_t tiles;

        l = lanes_from(k, p, l.at);
        tiles = divide_up(p->rows, k->conv->weight_taps[l.vectors]);
        for (int64_t i = 0; i < tiles; i++) {
            const int64_t from = even_start(p->rows, tiles, i);
            const struct weight_tile t = { .rows = 1,
                                           .pixels = p->depth,
                                           .x = (const float *)p->a + from,
                                           .x_pixel = p->a_row,
                                           .g = (const float *)p->b + l.at,
                                           .g_pixel = p->b_row,
                                           .acc = (float *)p->c + from * p->c_row + l.at,
                                           .acc_step = p->c_row,
                                           .taps = (int)(even_start(p->rows, tiles, i + 1) - from),
                                           .channels = l.channels,
                                           .add = p->add };

            k->conv->weight_tile(&t, l.vectors);
        }
    }
}

/* Of a few rows: B is read as it lies. */
static void dots_f32(const struct kernels *k, const struct block *p)
{
    enum { COLUMNS = 4 };
    const int most = k->lanes / COLUMNS;
    float sums[64];

    for (int64_t j = 0; j < p->columns; j += COLUMNS)
        for (int64_t r = 0; r < p->rows; r += most) {
            const int rows = (int)lesser(p->rows - r, most), columns = (int)lesser(p->columns - j, COLUMNS);

            k->gemm->dots((const float *)p->a + r * p->a_row, p->a_row, rows, (const float *)p->b + j * p->b_row,
                          p->b_row, columns, p->depth, sums);
            for (int i = 0; i < rows; i++)
                for (int l = 0; l < columns; l++) {
                    float *const c = (float *)p->c + (r + i) * p->c_row + j + l;

                    *c = sums[i * COLUMNS + l] + (p->add ? *c : 0);
                }
        }
}

/* -- doubles -- */

/* C += A B, element (r, d) of A at a[r * a_row + d * a_step]. */
static void sum_f64(const struct block *p, int64_t a_row, int64_t a_step)
{
    for (int64_t r = 0; r < p->rows; r++) {
        double *const restrict c = (double *)p->c + r * p->c_row;

        for (int64_t j = 0; j < p->columns && !p->add; j++)
            c[j] = 0;
        for (int64_t d = 0; d < p->depth; d++) {
            const double a = ((const double *)p->a)[r * a_row + d * a_step];
            const double *const restrict b = (const double *)p->b + d * p->b_row;

            for (int64_t j = 0; j < p->columns; j++)
                c[j] += a * b[j];
        }
    }
}

/* -- of either type -- */

void block_product(const struct kernels *k, const struct block *p)
{
    if (p->dtype == F64)
        sum_f64(p, p->a_row, 1);
    else
        product_f32(k, p);
}

void block_of_columns(const struct kernels *k, const struct block *p)
{
    if (p->dtype == F64)
        sum_f64(p, 1, p->a_row);
    else
        columns_f32(k, p);
}

void block_of_rows(const struct kernels *k, const struct block *p, void *panel)
{
    enum { FEW = 8 }; /* rows for which turning B would take longer than it saves */
    struct block turned = *p;

    if (p->dtype == F32 && p->rows <= FEW && p->depth) {
        dots_f32(k, p);
        return;
    }
    if (p->depth && p->dtype == F32) /* there is no B where there is no depth */
        k->gemm->transpose_4(p->b, p->b_row, panel, p->columns, p->columns, p->depth);
    else if (p->depth)
        k->gemm->transpose_8(p->b, p->b_row, panel, p->columns, p->columns, p->depth);
    turned.b = panel;
    turned.b_row = p->columns;
    block_product(k, &turned);
}
