/* ArgMax, https://onnx.ai/onnx/operators/onnx__ArgMax.html
 *
 * The index of the greatest element along `axis`: the first of several, or the last with select_last_index. NaN is
 * greater than all numbers, as in numpy. Piecewise constant: its gradient is zero, no gradient flows. */
#include "kernels/machine.h"
#include "ops/op.h"
#include "tensor/half.h"
#include <math.h>

enum {
    COLUMNS = 64,
    BLOCK = 512
}; /* elements that stand side by side and are compared together; halves that are widened together */

#define is_nan     isnan
#define real       float
#define NAME(name) name##_f32
#include "ops/argmax_body.h"
#define real       double
#define NAME(name) name##_f64
#include "ops/argmax_body.h"
#undef is_nan
#define is_nan(x)  false
#define real       int8_t
#define NAME(name) name##_i8
#include "ops/argmax_body.h"
#define real       int16_t
#define NAME(name) name##_i16
#include "ops/argmax_body.h"
#define real       int32_t
#define NAME(name) name##_i32
#include "ops/argmax_body.h"
#define real       int64_t
#define NAME(name) name##_i64
#include "ops/argmax_body.h"
#define real       uint8_t
#define NAME(name) name##_u8
#include "ops/argmax_body.h"
#define real       uint16_t
#define NAME(name) name##_u16
#include "ops/argmax_body.h"
#define real       uint32_t
#define NAME(name) name##_u32
#include "ops/argmax_body.h"
#define real       uint64_t
#define NAME(name) name##_u64
#include "ops/argmax_body.h"
#include "ops/rank.h"

struct argmax {
    int64_t axis;
    bool keepdims, last;
};

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    struct argmax *a = attrs;

    a->axis = attr_int(p, "axis", 0);
    a->keepdims = attr_int(p, "keepdims", 1) != 0;
    return true;
}

static bool parse_12(struct parse *p, void *attrs)
{
    struct argmax *a = attrs;

    a->last = attr_int(p, "select_last_index", 0) != 0;
    return parse_1(p, attrs);
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x <= 0 || ((const struct argmax *)n->attrs)->keepdims ? x : x - 1;
}

static bool infer(struct infer *i)
{
    const struct argmax *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int axis = x->rank || a->axis < -1 || a->axis > 0 ? wrap_axis(a->axis, x->rank) : 0;
    int64_t dims[MAX_RANK], others = 1;
    int rank = 0;

    if (axis < 0)
        return infer_error(i, "axis is %lld, must be in [%d, %d]", (long long)a->axis, -x->rank, x->rank - 1);
    for (int d = 0; d < x->rank; d++) {
        others *= d == axis ? 1 : x->dims[d];
        if (d != axis || a->keepdims)
            dims[rank++] = d == axis ? 1 : x->dims[d];
    }
    if (x->rank && !x->dims[axis] && others)
        return infer_error(i, "the size of axis %d is 0, there is no greatest element", axis);
    return set_out(i, 0, I64, rank, dims);
}

/* -- run -- */

typedef void columns_fn(const void *x, int64_t n, int64_t columns, int64_t stride, bool last, int64_t *at);

/* Halves are widened in blocks of as many rows as fit; a later block's winner is compared with that of the earlier
 * ones. */
static void columns_half(enum dtype dtype, const uint16_t *x, int64_t n, int64_t columns, int64_t stride, bool last,
                         int64_t *at)
{
    const int64_t rows = BLOCK / columns;
    float block[BLOCK], best[COLUMNS];
    int64_t here[COLUMNS];

    for (int64_t first = 0; first < n; first += rows) {
        const int64_t count = n - first < rows ? n - first : rows;

        if (columns == stride) {
            widen(dtype, x + first * stride, block, count * columns);
        } else {
            for (int64_t r = 0; r < count; r++)
                widen(dtype, x + (first + r) * stride, block + r * columns, columns);
        }
        columns_f32(block, count, columns, columns, last, here);
        for (int64_t c = 0; c < columns; c++) {
            const float value = block[here[c] * columns + c];

            if (first && !better_f32(best[c], value, last))
                continue;
            best[c] = value;
            at[c] = first + here[c];
        }
    }
}

static void columns_f16(const void *x, int64_t n, int64_t columns, int64_t stride, bool last, int64_t *at)
{
    columns_half(F16, x, n, columns, stride, last, at);
}

static void columns_bf16(const void *x, int64_t n, int64_t columns, int64_t stride, bool last, int64_t *at)
{
    columns_half(BF16, x, n, columns, stride, last, at);
}

static columns_fn *const loops[DTYPES] = {
    [F16] = columns_f16, [BF16] = columns_bf16, [F32] = columns_f32, [F64] = columns_f64,
    [I8] = columns_i8,   [I16] = columns_i16,   [I32] = columns_i32, [I64] = columns_i64,
    [U8] = columns_u8,   [U16] = columns_u16,   [U32] = columns_u32, [U64] = columns_u64,
};

struct argmax_job {
    columns_fn *loop;
    const char *x;
    int64_t *y;
    int64_t outer, n, inner, blocks, per_chunk, size;
    bool last;
};

static void chunk(void *context, int64_t k, int thread)
{
    const struct argmax_job *j = context;
    const int64_t items = j->outer * j->blocks, first = k * j->per_chunk;
    const int64_t end = items - first < j->per_chunk ? items : first + j->per_chunk;

    (void)thread;
    for (int64_t item = first; item < end; item++) {
        const int64_t outer = item / j->blocks, column = item % j->blocks * COLUMNS;
        const int64_t columns = j->inner - column < COLUMNS ? j->inner - column : COLUMNS;

        j->loop(j->x + (outer * j->n * j->inner + column) * j->size, j->n, columns, j->inner, j->last,
                j->y + outer * j->inner + column);
    }
}

static bool run(struct step *s)
{
    const struct argmax *a = s->attrs;
    const struct tensor *x = s->in[0];
    const int axis = x->rank ? wrap_axis(a->axis, x->rank) : 0;
    struct argmax_job j = { .loop = loops[x->dtype],
                            .x = x->data,
                            .y = s->out[0]->data,
                            .outer = dims_product(x->dims, 0, axis),
                            .n = x->rank ? x->dims[axis] : 1,
                            .inner = dims_product(x->dims, axis + 1, x->rank),
                            .size = (int64_t)dtype_size(x->dtype),
                            .last = a->last };

    if (!tensor_count(s->out[0]))
        return true;
    j.blocks = (j.inner + COLUMNS - 1) / COLUMNS;
    j.per_chunk = JOB_ELEMENTS / (j.n * (j.inner < COLUMNS ? j.inner : COLUMNS)) + 1;
    pool_run(s->pool, (j.outer * j.blocks + j.per_chunk - 1) / j.per_chunk, chunk, &j);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[3,4]", "", "i64[1,4]", 0 }, { "f64[3,4,5]", "axis=1 keepdims=0", "i64[3,5]", 0 },                           \
        { "i8[7,70]", "keepdims=0", "i64[70]", 0 }, { "f16[2,600]", "axis=1", "i64[2,1]", 0 },                         \
        { "u64[5]", "keepdims=0", "i64[]", 0 },                                                                        \
    {                                                                                                                  \
        "f32[0,3]", "axis=1", "i64[0,1]", 0                                                                            \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_11[] = { CASES, { "i32[3,4]", "axis=-1", "i64[3,1]", 0 }, { 0 } };
static const struct op_case cases_12[] = {
    CASES,
    { "i32[3,4]", "axis=-1", "i64[3,1]", 0 },
    { "f32[2,3]{1,1,0,2,2,2}", "axis=1 select_last_index=1", "i64[2,1]", 0 },
    { 0 },
};

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T data -> I reduced", .types = "T: floats ints uints" t "; I: i64",            \
        .attrs_size = sizeof(struct argmax), .parse = parser, .rank = rank, .infer = infer, .run = run,                \
        .gradient = zero_gradient, .cases = tests                                                                      \
    }

const struct op op_argmax = {
    .name = "ArgMax",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, " bf16", parse_12, cases_12),
                                     ROW(12, "", parse_12, cases_12),
                                     ROW(11, "", parse_1, cases_11),
                                     ROW(1, "", parse_1, cases_1),
                                     { 0 } },
};
