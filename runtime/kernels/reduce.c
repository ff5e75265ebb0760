#include "kernels/reduce.h"
#include "kernels/loop.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "tensor/half.h"
#include <math.h>
#include <string.h>

enum {
    TILE = 256,                /* columns that are reduced together */
    PIECE = 4096,              /* elements of a contiguous row, or */
    PIECE_ROWS = 128,          /* rows of a tile, between two looks at where we are */
    SEGMENTS = 32,             /* at most, of one output's reduction */
    ENOUGH = JOB_ELEMENTS / 2, /* elements that are worth a chunk of their own */
    EXPONENTIALS = ENOUGH / 8, /* the same of exponentials */
    SHORT = 64,                /* a row whose sum the table's tree would take longer for */
    WIDE = 8,                  /* bytes of an accumulator, whatever its type */
};

/* -- one type -- */

/* How the result of an output's elements becomes the output. */
enum finish { AS_IT_IS, MEAN, ROOT, LOGARITHM };

struct reducer {
    size_t size; /* of an element */
    void (*clear)(void *acc, int64_t n);
    void (*row)(const struct kernels *k, const void *x, int64_t n, void *acc); /* one acc */
    void (*columns)(const struct kernels *k, const void *x, int64_t rows, int64_t n, int64_t stride,
                    void *acc); /* n accs */
    void (*merge)(void *acc, const void *other, int64_t n);
    void (*store)(const void *acc, int64_t n, int64_t count, enum finish finish, void *y);
};

#define SUM(a, b)           ((a) + (b))
#define PRODUCT(a, b)       ((a) * (b))
#define GREATER(a, b)       ((a) > (b) ? (a) : (b))
#define GREATER_FLOAT(a, b) ((a) > (b) || (a) != (a) ? (a) : (b)) /* NaN wins */
#define LESS(a, b)          ((a) < (b) ? (a) : (b))
#define LESS_FLOAT(a, b)    ((a) < (b) || (a) != (a) ? (a) : (b))

/* Of each element, before it is combined: of floats, and of integers modulo 2^64. */
#define ITSELF(a)    (a)
#define SQUARE(a)    ((a) * (a))
#define MAGNITUDE(a) _Generic((a), double : fabs, default : magnitude)(a)

static uint64_t magnitude(uint64_t a)
{
    return (int64_t)a < 0 ? -a : a;
}

#define NAME    sum
#define EMPTY   0
#define COMBINE SUM
#define MAP     ITSELF
#define MAP_U   ITSELF
#include "kernels/reduce_each_body.h"

#define NAME    prod
#define EMPTY   1
#define COMBINE PRODUCT
#define MAP     ITSELF
#define MAP_U   ITSELF
#include "kernels/reduce_each_body.h"

#define NAME    magnitudes
#define EMPTY   0
#define COMBINE SUM
#define MAP     MAGNITUDE
#define MAP_U   ITSELF
#include "kernels/reduce_each_body.h"

#define NAME    squares
#define EMPTY   0
#define COMBINE SUM
#define MAP     SQUARE
#define MAP_U   SQUARE
#include "kernels/reduce_each_body.h"

#define NAME             max
#define EMPTY_FLOAT      (-INFINITY)
#define EMPTY_INT(bits)  INT##bits##_MIN
#define EMPTY_UINT(bits) 0
#define EMPTY_BOOL       0
#define COMBINE_FLOAT    GREATER_FLOAT
#define COMBINE          GREATER
#include "kernels/reduce_extreme_body.h"

#define NAME             min
#define EMPTY_FLOAT      INFINITY
#define EMPTY_INT(bits)  INT##bits##_MAX
#define EMPTY_UINT(bits) UINT##bits##_MAX
#define EMPTY_BOOL       1
#define COMBINE_FLOAT    LESS_FLOAT
#define COMBINE          LESS
#include "kernels/reduce_extreme_body.h"

/* -- float, by the table -- */

static void fast_sum_row(const struct kernels *k, const void *x, int64_t n, void *acc)
{
    if (n < SHORT)
        sum_f32_row(k, x, n, acc);
    else
        *(double *)acc += (double)k->reduce->sum(x, n);
}

static void fast_sum_columns(const struct kernels *k, const void *x, int64_t rows, int64_t n, int64_t stride, void *acc)
{
    float tile[TILE] = { 0 };
    double *a = acc;

    k->reduce->sum_rows(x, rows, n, stride, tile);
    for (int64_t j = 0; j < n; j++)
        a[j] += (double)tile[j];
}

static void fast_max_row(const struct kernels *k, const void *x, int64_t n, void *acc)
{
    const float most = k->reduce->max_of(x, n);

    max_f32_merge(acc, &most, 1);
}

/* -- float16 and bfloat16, widened in blocks -- */

#define HALF(name, dtype, float_row, float_columns, float_store, acc_type)                                             \
    static void name##_row(const struct kernels *k, const void *values, int64_t n, void *acc)                          \
    {                                                                                                                  \
        half_row(k, dtype, float_row, values, n, acc);                                                                 \
    }                                                                                                                  \
    static void name##_columns(const struct kernels *k, const void *values, int64_t rows, int64_t n, int64_t stride,   \
                               void *acc)                                                                              \
    {                                                                                                                  \
        half_columns(k, dtype, float_columns, values, rows, n, stride, acc);                                           \
    }                                                                                                                  \
    static void name##_store(const void *acc, int64_t n, int64_t count, enum finish finish, void *y)                   \
    {                                                                                                                  \
        half_store(dtype, float_store, sizeof(acc_type), acc, n, count, finish, y);                                    \
    }

static void half_row(const struct kernels *k, enum dtype dtype,
                     void (*row)(const struct kernels *, const void *, int64_t, void *), const void *values, int64_t n,
                     void *acc)
{
    const uint16_t *x = values;
    float block[TILE];

    for (int64_t i = 0; i < n; i += TILE) {
        const int64_t m = n - i < TILE ? n - i : TILE;

        widen(dtype, x + i, block, m);
        row(k, block, m, acc);
    }
}

static void half_columns(const struct kernels *k, enum dtype dtype,
                         void (*columns)(const struct kernels *, const void *, int64_t, int64_t, int64_t, void *),
                         const void *values, int64_t rows, int64_t n, int64_t stride, void *acc)
{
    const uint16_t *x = values;
    float block[TILE];

    for (int64_t r = 0; r < rows; r++) {
        widen(dtype, x + r * stride, block, n);
        columns(k, block, 1, n, n, acc);
    }
}

static void half_store(enum dtype dtype, void (*store)(const void *, int64_t, int64_t, enum finish, void *),
                       size_t wide, const void *acc, int64_t n, int64_t count, enum finish finish, void *y)
{
    float block[TILE];

    for (int64_t i = 0; i < n; i += TILE) {
        const int64_t m = n - i < TILE ? n - i : TILE;

        store((const char *)acc + (size_t)i * wide, m, count, finish, block);
        narrow(dtype, block, (uint16_t *)y + i, m);
    }
}

#define HALVES(name, acc)                                                                                              \
    HALF(name##_f16, F16, name##_f32_row, name##_f32_columns, name##_f32_store, acc)                                   \
    HALF(name##_bf16, BF16, name##_f32_row, name##_f32_columns, name##_f32_store, acc)
HALVES(sum, double)
HALVES(prod, double)
HALVES(magnitudes, double)
HALVES(squares, double)
HALVES(max, float)
HALVES(min, float)

/* -- all of them -- */

#define ROW(size, name)                                                                                                \
    {                                                                                                                  \
        size, name##_clear, name##_row, name##_columns, name##_merge, name##_store                                     \
    }
#define HALF_ROW(name, type)                                                                                           \
    {                                                                                                                  \
        2, name##_f32_clear, name##_##type##_row, name##_##type##_columns, name##_f32_merge, name##_##type##_store     \
    }
/* All but float. */
#define NUMBERS(name)                                                                                                  \
    [F64] = ROW(8, name##_f64), [F16] = HALF_ROW(name, f16), [BF16] = HALF_ROW(name, bf16),                            \
    [I32] = ROW(4, name##_i32), [I64] = ROW(8, name##_i64), [U32] = ROW(4, name##_u32), [U64] = ROW(8, name##_u64)
#define BYTES(name) [I8] = ROW(1, name##_i8), [U8] = ROW(1, name##_u8), [BOOL] = ROW(1, name##_bool)

static const struct reducer sums[DTYPES] = {
    [F32] = { 4, sum_f32_clear, fast_sum_row, fast_sum_columns, sum_f32_merge, sum_f32_store }, NUMBERS(sum)
};
static const struct reducer maxima[DTYPES] = {
    [F32] = { 4, max_f32_clear, fast_max_row, max_f32_columns, max_f32_merge, max_f32_store }, NUMBERS(max), BYTES(max)
};
static const struct reducer minima[DTYPES] = { [F32] = ROW(4, min_f32), NUMBERS(min), BYTES(min) };
static const struct reducer products[DTYPES] = { [F32] = ROW(4, prod_f32), NUMBERS(prod) };
static const struct reducer magnitudes[DTYPES] = { [F32] = ROW(4, magnitudes_f32), NUMBERS(magnitudes) };
static const struct reducer squares[DTYPES] = { [F32] = ROW(4, squares_f32), NUMBERS(squares) };

static const struct {
    const struct reducer *types;
    enum finish finish;
} reductions[REDUCTIONS] = {
    [REDUCE_SUM] = { sums, AS_IT_IS },        [REDUCE_MEAN] = { sums, MEAN },
    [REDUCE_PROD] = { products, AS_IT_IS },   [REDUCE_MAX] = { maxima, AS_IT_IS },
    [REDUCE_MIN] = { minima, AS_IT_IS },      [REDUCE_L1] = { magnitudes, AS_IT_IS },
    [REDUCE_SQUARES] = { squares, AS_IT_IS }, [REDUCE_L2] = { squares, ROOT },
    [REDUCE_LOG_SUM] = { sums, LOGARITHM },
};

bool reduce_has(enum reduction r, enum dtype dtype)
{
    return reductions[r].types[dtype].size > 0;
}

/* -- the shape -- */

/* From the last dimension to the first: the lists are built inside out and end with the innermost at index 0. */
void reduce_shape_of(struct reduce_shape *s, const struct tensor *x, uint32_t axes)
{
    int64_t stride = 1;
    int last = -1; /* kind of the neighbour: 0 kept, 1 reduced */

    *s = (struct reduce_shape){ .outputs = 1, .count = 1 };
    for (int d = x->rank - 1; d >= 0; d--) {
        const int kind = axes >> d & 1;
        int *list = kind ? &s->reduced : &s->kept;
        int64_t *dims = kind ? s->reduced_dim : s->kept_dim;

        *(kind ? &s->count : &s->outputs) *= x->dims[d];
        if (x->dims[d] == 1)
            continue;
        if (kind == last) {
            dims[*list - 1] *= x->dims[d];
        } else {
            if (last < 0)
                s->columns = !kind;
            dims[*list] = x->dims[d];
            (kind ? s->reduced_stride : s->kept_stride)[(*list)++] = stride;
            last = kind;
        }
        stride *= x->dims[d];
    }
    if (!s->columns && !s->reduced) {
        s->reduced_dim[0] = s->reduced_stride[0] = 1;
        s->reduced = 1;
    }
    if (s->columns && !s->reduced) {
        s->reduced_dim[0] = 1;
        s->reduced_stride[0] = 0;
        s->reduced = 1;
    }
    s->inner = s->columns ? s->kept_dim[0] : s->reduced_dim[0];
}

/* The offset of the index-th combination of dims [from, count). */
static int64_t offset_of(const int64_t *dims, const int64_t *strides, int from, int count, int64_t index)
{
    int64_t offset = 0;

    for (int d = from; d < count && index; d++) {
        offset += index % dims[d] * strides[d];
        index /= dims[d];
    }
    return offset;
}

/* -- how it is cut -- */

struct cut { /* units are outputs, or tiles of them; each is reduced in `pieces`, which are dealt to `segments` */
    int64_t tiles, units, width; /* width: accumulators of a unit */
    int64_t inner_pieces, pieces, segments;
    int64_t group; /* units of a chunk, where there is one segment */
};

static struct cut cut_of(const struct reduce_shape *s)
{
    struct cut c = { .tiles = s->columns ? divide_up(s->inner, TILE) : 1, .segments = 1, .group = 1 };
    int64_t work;

    c.width = !s->columns ? 1 : s->inner < TILE ? s->inner : TILE;
    c.units = !s->outputs ? 0 : s->columns ? s->outputs / s->inner * c.tiles : s->outputs;
    if (!s->count || !c.units)
        return c;
    c.inner_pieces = divide_up(s->reduced_dim[0], s->columns ? PIECE_ROWS : PIECE);
    c.pieces = s->count / s->reduced_dim[0] * c.inner_pieces;
    work = s->count * c.width;
    if (c.units < 8 && work >= 2 * ENOUGH && c.pieces > 1)
        c.segments = c.pieces < SEGMENTS ? c.pieces : SEGMENTS;
    else if (work < ENOUGH)
        c.group = divide_up(ENOUGH, work);
    return c;
}

size_t reduce_scratch(const struct reduce_shape *s)
{
    const struct cut c = cut_of(s);

    return c.segments > 1 ? (size_t)(c.units * c.segments * c.width) * WIDE : 0;
}

/* -- run -- */

struct reduce_job {
    const struct kernels *k;
    const struct reduce_shape *s;
    const struct reducer *r;
    struct cut cut;
    const char *x;
    char *y, *partial;
    enum finish finish;
};

static int64_t unit_columns(const struct reduce_job *j, int64_t unit)
{
    const int64_t first = unit % j->cut.tiles * TILE;

    return !j->s->columns ? 1 : j->s->inner - first < TILE ? j->s->inner - first : TILE;
}

/* Where the unit's first input element is; its first output element is its number, tiles apart. */
static int64_t unit_input(const struct reduce_job *j, int64_t unit)
{
    const struct reduce_shape *s = j->s;

    if (!s->columns)
        return offset_of(s->kept_dim, s->kept_stride, 0, s->kept, unit);
    return unit % j->cut.tiles * TILE + offset_of(s->kept_dim, s->kept_stride, 1, s->kept, unit / j->cut.tiles);
}

static void reduce_pieces(const struct reduce_job *j, int64_t unit, int64_t from, int64_t to, void *acc)
{
    const struct reduce_shape *s = j->s;
    const int64_t n = unit_columns(j, unit), first = unit_input(j, unit), step = s->columns ? PIECE_ROWS : PIECE;

    j->r->clear(acc, n);
    for (int64_t p = from; p < to; p++) {
        const int64_t at = p % j->cut.inner_pieces * step;
        const int64_t length = s->reduced_dim[0] - at < step ? s->reduced_dim[0] - at : step;
        const int64_t offset = first + at * s->reduced_stride[0] +
                               offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, p / j->cut.inner_pieces);
        const char *x = j->x + (size_t)offset * j->r->size;

        if (s->columns)
            j->r->columns(j->k, x, length, n, s->reduced_stride[0], acc);
        else
            j->r->row(j->k, x, length, acc);
    }
}

static void store_unit(const struct reduce_job *j, int64_t unit, const void *acc)
{
    const int64_t at = j->s->columns ? unit / j->cut.tiles * j->s->inner + unit % j->cut.tiles * TILE : unit;

    j->r->store(acc, unit_columns(j, unit), j->s->count, j->finish, j->y + (size_t)at * j->r->size);
}

static void whole_units(void *context, int64_t chunk, int thread)
{
    const struct reduce_job *j = context;
    const int64_t from = chunk * j->cut.group;
    const int64_t to = from + j->cut.group < j->cut.units ? from + j->cut.group : j->cut.units;
    double acc[TILE];

    (void)thread;
    for (int64_t unit = from; unit < to; unit++) {
        reduce_pieces(j, unit, 0, j->cut.pieces, acc);
        store_unit(j, unit, acc);
    }
}

static char *partial_of(const struct reduce_job *j, int64_t unit, int64_t segment)
{
    return j->partial + (size_t)((unit * j->cut.segments + segment) * j->cut.width) * WIDE;
}

static void one_segment(void *context, int64_t chunk, int thread)
{
    const struct reduce_job *j = context;
    const int64_t unit = chunk / j->cut.segments, segment = chunk % j->cut.segments;
    const int64_t most = divide_up(j->cut.pieces, j->cut.segments);
    const int64_t from = segment * most < j->cut.pieces ? segment * most : j->cut.pieces;
    const int64_t to = from + most < j->cut.pieces ? from + most : j->cut.pieces;

    (void)thread;
    reduce_pieces(j, unit, from, to, partial_of(j, unit, segment));
}

void reduce(const struct kernels *k, struct pool *pool, const struct reduce_shape *s, enum reduction r,
            enum dtype dtype, const void *x, void *y, void *scratch)
{
    struct reduce_job j = { k, s, &reductions[r].types[dtype], cut_of(s), x, y, scratch, reductions[r].finish };

    if (j.cut.segments == 1) {
        pool_run(pool, divide_up(j.cut.units, j.cut.group), whole_units, &j);
        return;
    }
    pool_run(pool, j.cut.units * j.cut.segments, one_segment, &j);
    for (int64_t unit = 0; unit < j.cut.units; unit++) {
        for (int64_t segment = 1; segment < j.cut.segments; segment++)
            j.r->merge(partial_of(&j, unit, 0), partial_of(&j, unit, segment), unit_columns(&j, unit));
        store_unit(&j, unit, partial_of(&j, unit, 0));
    }
}

/* -- the logarithm of a sum of exponentials -- */

struct log_sum_exp_job {
    const struct reduce_shape *s;
    const void *x;
    void *y;
    int64_t group;
};

#define LOG_SUM_EXP log_sum_exp_f32
#define T           float
#include "kernels/reduce_log_sum_exp_body.h"

#define LOG_SUM_EXP log_sum_exp_f64
#define T           double
#include "kernels/reduce_log_sum_exp_body.h"

void reduce_log_sum_exp(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, void *y)
{
    struct log_sum_exp_job j = { s, x, y, s->count ? divide_up(EXPONENTIALS, s->count) : ENOUGH };

    pool_run(pool, divide_up(s->outputs, j.group), dtype == F64 ? log_sum_exp_f64 : log_sum_exp_f32, &j);
}

/* -- the gradients of the maximum and the product -- */

struct grad_job {
    const struct reduce_shape *s;
    const void *x, *y, *dy;
    void *dx;
    int64_t group;
};

static void run_grad(struct pool *pool, const struct reduce_shape *s,
                     void (*grad)(void *context, int64_t chunk, int thread), const void *x, const void *y,
                     const void *dy, void *dx)
{
    struct grad_job j = { s, x, y, dy, dx, 1 };

    if (!s->count || !s->outputs)
        return;
    j.group = divide_up(ENOUGH, s->count);
    pool_run(pool, divide_up(s->outputs, j.group), grad, &j);
}

#define PROD_GRAD prod_grad_f32
#define T         float
#include "kernels/reduce_prod_grad_body.h"

#define PROD_GRAD prod_grad_f64
#define T         double
#include "kernels/reduce_prod_grad_body.h"

#define MAX_GRAD max_grad_f32
#define T        float
#include "kernels/reduce_max_grad_body.h"

#define MAX_GRAD max_grad_f64
#define T        double
#include "kernels/reduce_max_grad_body.h"

void reduce_max_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, const void *y,
                     const void *dy, void *dx)
{
    run_grad(pool, s, dtype == F64 ? max_grad_f64 : max_grad_f32, x, y, dy, dx);
}

void reduce_prod_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, const void *y,
                      const void *dy, void *dx)
{
    run_grad(pool, s, dtype == F64 ? prod_grad_f64 : prod_grad_f32, x, y, dy, dx);
}
