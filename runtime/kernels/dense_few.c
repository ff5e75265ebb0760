#include "kernels/dense_few.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include <math.h>
#include <string.h>

enum {
    FEW_DOTS = 16, /* rows, of dot products */
    FEW_ROWS = 4,  /* of sums of rows */
    WIDEST = 1024, /* columns of a chunk */
    DEPTHS = 32,   /* of a block that stays in the cache for all rows */
    DOT_COLUMNS = 4
};

/* c[r, j] from row r of x and column j of w, whichever of A and B they are. */
struct few {
    const struct kernels *k;
    const struct gemm *g;
    int64_t rows, columns;
    const float *x, *w;
    int64_t x_row, x_depth, w_column, w_depth; /* strides */
    float *c;
    int64_t c_row, c_column;
    const float *row_bias, *column_bias;
    bool dots;
    int64_t width; /* columns of a chunk */
};

static struct few few_of(const struct kernels *k, const struct gemm *g)
{
    struct few f = { .k = k, .g = g };

    if (g->m <= g->n) {
        f.rows = g->m;
        f.columns = g->n;
        f.x_row = g->a_row;
        f.x_depth = g->a_col;
        f.w_column = g->b_col;
        f.w_depth = g->b_row;
        f.c_row = g->c_row;
        f.c_column = g->c_col;
        f.row_bias = g->row_bias;
        f.column_bias = g->column_bias;
    } else {
        f.rows = g->n;
        f.columns = g->m;
        f.x_row = g->b_col;
        f.x_depth = g->b_row;
        f.w_column = g->a_row;
        f.w_depth = g->a_col;
        f.c_row = g->c_col;
        f.c_column = g->c_row;
        f.row_bias = g->column_bias;
        f.column_bias = g->row_bias;
    }
    f.dots = f.x_depth == 1 && f.w_depth == 1;
    return f;
}

double dense_few_cost(const struct kernels *k, const struct gemm *g)
{
    enum { FAR = SHARED_CACHE / sizeof(float) }; /* elements */
    const struct few f = few_of(k, g);
    const double elements = (double)f.columns * (double)g->k;

    if (g->k == 0)
        return INFINITY;
    if (f.dots && f.rows <= FEW_DOTS)
        return elements * (1.3 * (double)f.rows / (2 * k->lanes) + .12) +
               4. * (double)((f.rows + k->lanes / DOT_COLUMNS - 1) / (k->lanes / DOT_COLUMNS)) * (double)f.columns *
                   k->lanes / DOT_COLUMNS;
    if (f.w_column == 1 && f.rows <= FEW_ROWS && elements > FAR)
        return 0;
    return INFINITY;
}

static void finish(const struct few *f, int64_t row, int64_t column, float sum)
{
    const struct gemm *g = f->g;
    float *const to = f->c + row * f->c_row + column * f->c_column;
    float v = (float)g->alpha * sum;

    if (g->beta != 0)
        v += (float)g->beta * *to;
    if (f->row_bias)
        v += f->row_bias[row];
    if (f->column_bias)
        v += f->column_bias[column];
    if (g->residual)
        v += g->residual[to - (const float *)g->c];
    *to = g->relu && v < 0 ? 0 : v;
}

/* Rows of C are the few rows here, or all of them are columns here. */
static void finish_part(const struct few *f, int64_t column, int64_t columns, int thread)
{
    const struct gemm *g = f->g;
    const int64_t at = f->c - (float *)g->c + column * f->c_column;

    if (g->finish)
        g->finish(g->finish_context, NULL, at, f->c_column == 1 ? f->rows : columns,
                  f->c_column == 1 ? columns : f->rows, thread);
}

static void dots_chunk(void *context, int64_t chunk, int thread)
{
    const struct few *f = context;
    const int most = f->k->lanes / DOT_COLUMNS;
    const int64_t from = chunk * f->width, to = from + f->width < f->columns ? from + f->width : f->columns;
    float sums[64];

    for (int64_t j = from; j < to; j += DOT_COLUMNS)
        for (int64_t r = 0; r < f->rows; r += most) {
            const int rows = f->rows - r < most ? (int)(f->rows - r) : most;
            const int columns = to - j < DOT_COLUMNS ? (int)(to - j) : DOT_COLUMNS;

            f->k->gemm->dots(f->x + r * f->x_row, f->x_row, rows, f->w + j * f->w_column, f->w_column, columns, f->g->k,
                             sums);
            for (int i = 0; i < rows; i++)
                for (int l = 0; l < columns; l++)
                    finish(f, r + i, j + l, sums[i * DOT_COLUMNS + l]);
        }
    finish_part(f, from, to - from, thread);
}

static void rows_chunk(void *context, int64_t chunk, int thread)
{
    const struct few *f = context;
    const int64_t from = chunk * f->width, n = from + f->width < f->columns ? f->width : f->columns - from;
    const int64_t block = f->rows == 1 ? f->g->k : DEPTHS;
    float y[FEW_ROWS][WIDEST];

    for (int64_t r = 0; r < f->rows; r++)
        memset(y[r], 0, (size_t)n * sizeof **y);
    for (int64_t d = 0; d < f->g->k; d += block)
        for (int64_t r = 0; r < f->rows; r++)
            f->k->gemm->add_rows(f->x + r * f->x_row + d * f->x_depth, f->x_depth, f->w + from + d * f->w_depth,
                                 f->g->k - d < block ? f->g->k - d : block, n, f->w_depth, y[r]);
    for (int64_t r = 0; r < f->rows; r++)
        for (int64_t i = 0; i < n; i++)
            finish(f, r, from + i, y[r][i]);
    finish_part(f, from, n, thread);
}

void dense_few(const struct kernels *k, struct pool *pool, const struct gemm *g, const float *a, const float *b,
               float *c)
{
    struct few f = few_of(k, g);
    const double bytes = 4. * (double)f.columns * (double)g->k;
    const double times = fmax(bytes / 1e6, 2. * (double)g->m * (double)g->n * (double)g->k / 2.5e6) +
                         (double)g->m * (double)g->n * g->finish_work / 2.5e6; /* 10 us */

    f.x = g->m <= g->n ? a : b;
    f.w = g->m <= g->n ? b : a;
    f.c = c;
    f.width = WIDEST;
    if (f.dots && times >= 2)
        f.width = ((int64_t)((double)f.columns / fmin(times, 64)) / DOT_COLUMNS + 1) * DOT_COLUMNS;
    else if (f.dots)
        f.width = f.columns;
    pool_run(pool, divide_up(f.columns, f.width), f.dots ? dots_chunk : rows_chunk, &f);
}
