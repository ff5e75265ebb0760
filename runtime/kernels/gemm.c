/* Products of ordinary matrices: tiles or the driver, which operand is which to it, batches, integers. */
#include "kernels/gemm.h"
#include "kernels/dense.h"
#include "kernels/dense_stream.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "tensor/half.h"
#include <string.h>

/* -- operands as the driver sees them -- */

struct operand {
    const struct kernels *k;
    const void *data;
    int64_t lane, depth; /* strides */
    enum dtype dtype;
};

static void pack_wide(const struct operand *o, const void *x, int64_t count, int64_t width, int64_t depth, float *panel)
{
    for (int64_t d = 0; d < depth; d++, panel += width) {
        for (int64_t l = 0; l < count; l++) {
            const uint16_t h = ((const uint16_t *)x)[l * o->lane + d * o->depth];

            panel[l] = half_to_f32(o->dtype, h);
        }
        for (int64_t l = count; l < width; l++)
            panel[l] = 0;
    }
}

static void pack_operand(const void *context, void *local, int64_t first, int64_t count, int64_t width, int64_t from,
                         int64_t depth, void *panel)
{
    const struct operand *o = context;
    const int64_t at = first * o->lane + from * o->depth;
    const void *const x = o->data ? (const char *)o->data + at * (int64_t)dtype_size(o->dtype) : NULL;

    (void)local; /* there is no data where the depth is 0 */
    if (o->dtype == F32)
        o->k->gemm->pack_4(x, o->lane, o->depth, count, width, depth, panel);
    else if (o->dtype == F64)
        o->k->gemm->pack_8(x, o->lane, o->depth, count, width, depth, panel);
    else
        pack_wide(o, x, count, width, depth, panel);
}

/* -- results -- */

struct result {
    const struct gemm *g;
    void *c;
    bool turned; /* the driver's rows are C's columns */
};

static double read(enum dtype dtype, const void *p, int64_t i)
{
    switch (dtype) {
    case F64:
        return ((const double *)p)[i];
    case F32:
        return (double)((const float *)p)[i];
    default:
        return (double)half_to_f32(dtype, ((const uint16_t *)p)[i]);
    }
}

static void write(enum dtype dtype, void *p, int64_t i, double v)
{
    switch (dtype) {
    case F64:
        ((double *)p)[i] = v;
        break;
    case F32:
        ((float *)p)[i] = (float)v;
        break;
    default:
        ((uint16_t *)p)[i] = f32_to_half(dtype, (float)v);
    }
}

/* One element, where neither vectors nor types come easy. */
static void finish(const struct gemm *g, void *c, int64_t i, int64_t j, double sum)
{
    const int64_t at = i * g->c_row + j * g->c_col;
    double v = g->alpha * sum;

    if (g->beta != 0)
        v += g->beta * read(g->dtype, c, at);
    if (g->row_bias)
        v += read(g->dtype, g->row_bias, i);
    if (g->column_bias)
        v += read(g->dtype, g->column_bias, j);
    write(g->dtype, c, at, g->relu && v < 0 ? 0 : v);
}

static void store_result(const void *context, void *local, const struct gemm_tile *s)
{
    const struct result *r = context;
    const struct gemm *g = r->g;

    (void)local;
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < s->columns; j++) {
            const int64_t row = r->turned ? s->j0 + j : s->i0 + i, column = r->turned ? s->i0 + i : s->j0 + j;
            const int64_t at = i * s->i_stride + j * s->j_stride;

            if (g->dtype == F64)
                finish(g, r->c, row, column, ((const double *)s->data)[at]);
            else
                finish(g, r->c, row, column, (double)((const float *)s->data)[at]);
        }
}

/* -- one product -- */

struct prepared {
    struct operand a, b;
    struct result result;
    struct gemm_driver driver;
    bool biased; /* bias, residual and relu come in a pass of their own, before what finishes the rows */
};

/* The longer side is the driver's A, whose panels need not be packed together. Pointers into *p: it must stay where it
 * is. */
static void prepare(const struct kernels *k, const struct gemm *g, const void *a, const void *b, void *c,
                    struct prepared *p)
{
    const bool turned = g->n > g->m;
    const bool half = g->dtype == F16 || g->dtype == BF16;
    const struct operand left = { k, a, g->a_row, g->a_col, g->dtype }, right = { k, b, g->b_col, g->b_row, g->dtype };

    p->a = turned ? right : left;
    p->b = turned ? left : right;
    p->result = (struct result){ g, c, turned };
    p->biased = !half && (g->row_bias || g->column_bias || g->residual || g->relu);
    p->driver = (struct gemm_driver){
        .wide_type = g->dtype == F64,
        .m = turned ? g->n : g->m,
        .n = turned ? g->m : g->n,
        .k = g->k,
        .pack_a = pack_operand,
        .pack_b = pack_operand,
        .a = &p->a,
        .b = &p->b,
        .whole_k = half,
        .sliced = !half,
        .wide_b = (turned ? g->c_row : g->c_col) == 1,
        .store = half ? store_result : NULL,
        .c = half ? (void *)&p->result : c,
        .c_row = turned ? g->c_col : g->c_row,
        .c_col = turned ? g->c_row : g->c_col,
        .alpha = g->alpha,
        .beta = g->beta,
    };
}

/* What is done after a product, row by row in C's own order. */
struct ending {
    const struct kernels *k;
    const struct gemm *g;
    void *c;
    int64_t each;
};
static void add_bias(const struct ending *p, int64_t from, int64_t to)
{
    const struct gemm *g = p->g;

    for (int64_t i = from; i < to; i++) {
        if (g->dtype == F32 && g->c_col == 1) {
            float *row = (float *)p->c + i * g->c_row;

            if (g->row_bias)
                p->k->map->add_s(row, ((const float *)g->row_bias)[i], row, g->n);
            if (g->column_bias)
                p->k->map->add(row, g->column_bias, row, g->n);
            if (g->residual)
                p->k->map->add(row, g->residual + (row - (const float *)g->c), row, g->n);
            if (g->relu)
                p->k->map->relu(row, row, g->n);
            continue;
        }
        for (int64_t j = 0; j < g->n; j++) {
            const int64_t at = i * g->c_row + j * g->c_col;
            double v = read(g->dtype, p->c, at);

            if (g->row_bias)
                v += read(g->dtype, g->row_bias, i);
            if (g->column_bias)
                v += read(g->dtype, g->column_bias, j);
            write(g->dtype, p->c, at, g->relu && v < 0 ? 0 : v);
        }
    }
}

static void end_rows(void *context, int64_t chunk, int thread)
{
    const struct ending *p = context;
    const struct gemm *g = p->g;
    const int64_t from = chunk * p->each, to = from + p->each < g->m ? from + p->each : g->m;

    add_bias(p, from, to);
    if (g->finish)
        g->finish(g->finish_context, NULL, (float *)p->c - (float *)g->c + from * g->c_row, to - from, g->n, thread);
}

/* -- integers -- */

/* Sums wrap around, whatever the sign; alpha and beta are truncated to integers. */
#define INTEGER uint32_t
#define ROW     integer_row_4
#include "kernels/integer_row.h"
#define INTEGER uint64_t
#define ROW     integer_row_8
#include "kernels/integer_row.h"

struct integer_product {
    const struct gemm *g;
    const void *a, *b;
    void *c;
};
static void integer_block(void *context, int64_t i, int thread)
{
    const struct integer_product *p = context;

    (void)thread;
    if (dtype_size(p->g->dtype) == 4)
        integer_row_4(p->g, p->a, p->b, p->c, i);
    else
        integer_row_8(p->g, p->a, p->b, p->c, i);
}

/* -- all of them -- */

static bool is_integer(enum dtype dtype)
{
    return dtype_traits[dtype].class != CLASS_FLOAT;
}

static double work_of(const struct gemm *g)
{
    return 2. * (double)g->m * (double)g->n * (double)g->k;
}

static double work_to_end(const struct gemm *g)
{
    return work_of(g) + (double)g->m * (double)g->n * g->finish_work;
}

static void product(const struct kernels *k, struct pool *pool, const struct gemm *g, const void *a, const void *b,
                    void *c, void *scratch)
{
    struct pool *const helpers = work_to_end(g) < JOB_FLOPS ? NULL : pool;
    struct integer_product integers = { g, a, b, c };
    struct prepared p;

    if (is_integer(g->dtype)) {
        pool_run(helpers, g->m, integer_block, &integers);
    } else if (!dense_stream_fits(k, g) && dense_fits(k, g)) {
        dense(k, pool, g, a, b, c, scratch);
    } else {
        struct ending end = { k, g, c, 1 + JOB_ELEMENTS / 2 / (g->n + 1) };

        prepare(k, g, a, b, c, &p);
        if (dense_stream_fits(k, g))
            dense_stream(k, helpers, g, a, b, c, scratch);
        else
            gemm_drive(k, pool, &p.driver, scratch);
        if (p.biased || g->finish)
            pool_run(helpers, divide_up(g->m, end.each), end_rows, &end);
    }
}

static int64_t batches_of(const struct gemm *g)
{
    int64_t n = 1;

    for (int d = 0; d < g->batch_rank; d++)
        n *= g->batch[d];
    return n;
}

/* Many small products are shared out whole; few, or big ones, are each cut. */
static bool by_batch(const struct gemm *g)
{
    return batches_of(g) > 1 && (work_of(g) < JOB_FLOPS || batches_of(g) >= 32);
}

static size_t scratch_of(const struct kernels *k, const struct gemm *g, int threads)
{
    struct prepared p;

    if (dense_stream_fits(k, g))
        return dense_stream_scratch(g);
    if (dense_fits(k, g))
        return dense_scratch(k, g, threads);
    prepare(k, g, NULL, NULL, NULL, &p);
    return gemm_driver_scratch(k, &p.driver, threads);
}

size_t gemm_scratch(const struct kernels *k, const struct gemm *g, int threads)
{
    if (g->m == 0 || g->n == 0 || is_integer(g->dtype))
        return 0;
    if (!by_batch(g))
        return scratch_of(k, g, threads);
    return (scratch_of(k, g, 1) + 63) / 64 * 64 * (size_t)threads;
}

struct batch {
    const struct kernels *k;
    struct pool *pool;
    struct gemm g; /* of one item */
    char *scratch;
    size_t scratch_each;
    int64_t count, each;
    gemm_finish *finish; /* where items are not cut: only here it is known which thread this is */
};

/* Returns where in C it is. */
static int64_t batch_item(const struct batch *p, int64_t item, void *scratch)
{
    const struct gemm *g = &p->g;
    const int64_t size = (int64_t)dtype_size(g->dtype);
    int64_t a = 0, b = 0, c = 0;

    for (int d = g->batch_rank - 1; d >= 0; d--) {
        const int64_t at = item % g->batch[d];

        item /= g->batch[d];
        a += at * g->a_batch[d];
        b += at * g->b_batch[d];
        c += at * g->c_batch[d];
    }
    product(p->k, p->pool, g, a ? (const char *)g->a + a * size : g->a, b ? (const char *)g->b + b * size : g->b,
            c ? (char *)g->c + c * size : g->c, scratch); /* no data, where there are no elements */
    return c;
}

static void batch_items(void *context, int64_t chunk, int thread)
{
    const struct batch *p = context;

    for (int64_t i = chunk * p->each; i < (chunk + 1) * p->each && i < p->count; i++) {
        const int64_t at = batch_item(p, i, p->scratch ? p->scratch + (size_t)thread * p->scratch_each : NULL);

        if (p->finish)
            p->finish(p->g.finish_context, NULL, at, p->g.m, p->g.n, thread);
    }
}

void gemm(const struct kernels *k, struct pool *pool, const struct gemm *g, void *scratch)
{
    struct batch b = { .k = k, .pool = pool, .g = *g, .scratch = scratch, .count = batches_of(g) };
    const double work = work_to_end(g);

    if (g->m == 0 || g->n == 0)
        return;
    if (!by_batch(g)) {
        for (int64_t i = 0; i < b.count; i++)
            batch_item(&b, i, scratch);
        return;
    }
    b.pool = NULL;
    b.finish = g->finish;
    b.g.finish = NULL;
    b.each = 1 + (int64_t)(5e5 / (work + 1e3));
    b.scratch_each = gemm_scratch(k, g, 1);
    pool_run(work * (double)b.count < JOB_FLOPS ? NULL : pool, divide_up(b.count, b.each), batch_items, &b);
}

size_t gemm_packed_bytes(const struct kernels *k, const struct gemm *g)
{
    return g->m && g->n && batches_of(g) == 1 ? dense_packed_bytes(k, g) : 0;
}

void gemm_pack(const struct kernels *k, struct pool *pool, const struct gemm *g, const void *b, void *packed)
{
    dense_pack(k, pool, g, b, packed);
}
