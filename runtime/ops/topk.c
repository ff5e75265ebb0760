/* TopK, https://onnx.ai/onnx/operators/onnx__TopK.html
 *
 * The k greatest elements along `axis` (or the least ones), from the first on, and their indices. Of several that are
 * equal the one of the lower index comes first; NaN is greater than all numbers, as in numpy. They are sorted whatever
 * `sorted` says, which otherwise leaves their order open.
 *
 * What flows back to Values goes to the elements that they are. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "tensor/half.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { X, K };            /* inputs */
enum { VALUES, INDICES }; /* outputs */

struct topk {
    int64_t axis;
    bool least;
};

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    const int64_t k = attr_int(p, "k", 0);
    struct topk *a = attrs;

    a->axis = attr_int(p, "axis", -1);
    return (attr_given(p, "k") || parse_error(p, "attribute 'k' is missing")) && constant_input(p, K, I64, 1, &k);
}

static bool parse_10(struct parse *p, void *attrs)
{
    struct topk *a = attrs;

    a->axis = attr_int(p, "axis", -1);
    return true;
}

static bool parse_11(struct parse *p, void *attrs)
{
    struct topk *a = attrs;

    a->least = attr_int(p, "largest", 1) == 0;
    attr_int(p, "sorted", 1);
    return parse_10(p, attrs);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct topk *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    const int axis = wrap_axis(a->axis, x->rank);
    int64_t dims[MAX_RANK];
    struct ints k;

    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    if (!ints_in(i, K, &k))
        return false;
    if (k.count != 1)
        return infer_error(i, "'K' has %d values, must have 1", k.count);
    if (k.v[0] < 0 || k.v[0] > x->dims[axis])
        return infer_error(i, "'K' is %lld, must be in [0, %lld], the size of axis %d", (long long)k.v[0],
                           (long long)x->dims[axis], axis);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = k.v[0];
    need_scratch(i, (size_t)infer_threads(i) * aligned((size_t)k.v[0] * sizeof(int64_t)));
    return set_out(i, VALUES, x->dtype, x->rank, dims) && set_out(i, INDICES, I64, x->rank, dims);
}

/* -- run -- */

struct top {
    int64_t k, n, stride; /* of a row */
    bool largest;
};
typedef void top_row(const struct top *t, const void *row, int64_t *heap);

#define VALUE(v)  (v)
#define IS_NAN(v) false
#define T         int8_t
#define NAME(f)   f##_i8
#include "ops/topk_body.h"
#define T       int16_t
#define NAME(f) f##_i16
#include "ops/topk_body.h"
#define T       int32_t
#define NAME(f) f##_i32
#include "ops/topk_body.h"
#define T       int64_t
#define NAME(f) f##_i64
#include "ops/topk_body.h"
#define T       uint8_t
#define NAME(f) f##_u8
#include "ops/topk_body.h"
#define T       uint16_t
#define NAME(f) f##_u16
#include "ops/topk_body.h"
#define T       uint32_t
#define NAME(f) f##_u32
#include "ops/topk_body.h"
#define T       uint64_t
#define NAME(f) f##_u64
#include "ops/topk_body.h"
#undef IS_NAN
#define IS_NAN  isnan
#define T       float
#define NAME(f) f##_f32
#include "ops/topk_body.h"
#define T       double
#define NAME(f) f##_f64
#include "ops/topk_body.h"
#undef VALUE
#define VALUE(v) half_to_f32(F16, v)
#define T        uint16_t
#define NAME(f)  f##_f16
#include "ops/topk_body.h"
#undef VALUE
#define VALUE(v) half_to_f32(BF16, v)
#define T        uint16_t
#define NAME(f)  f##_bf16
#include "ops/topk_body.h"

static top_row *const rows[DTYPES] = {
    [F16] = row_f16, [BF16] = row_bf16, [F32] = row_f32, [F64] = row_f64, [I8] = row_i8,   [I16] = row_i16,
    [I32] = row_i32, [I64] = row_i64,   [U8] = row_u8,   [U16] = row_u16, [U32] = row_u32, [U64] = row_u64,
};

struct topk_job {
    struct top top;
    top_row *row;
    const struct tensor *x;
    struct tensor *values, *indices; /* NULL where nobody reads them */
    int64_t items, per_chunk;
    char *heaps;
};

static void one_row(const struct topk_job *j, int64_t item, int64_t *heap)
{
    const struct top *t = &j->top;
    const size_t size = dtype_size(j->x->dtype);
    const int64_t outer = item / t->stride, inner = item % t->stride, to = outer * t->k * t->stride + inner;
    const char *const from = (const char *)j->x->data + (size_t)(outer * t->n * t->stride + inner) * size;

    j->row(t, from, heap);
    for (int64_t i = 0; i < t->k; i++) {
        const int64_t at = to + i * t->stride;

        if (j->indices)
            ((int64_t *)j->indices->data)[at] = heap[i];
        if (j->values)
            memcpy((char *)j->values->data + (size_t)at * size, from + (size_t)(heap[i] * t->stride) * size, size);
    }
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct topk_job *j = context;
    const int64_t first = k * j->per_chunk, end = j->items - first < j->per_chunk ? j->items : first + j->per_chunk;
    int64_t *const heap = (void *)(j->heaps + (size_t)thread * aligned((size_t)j->top.k * sizeof *heap));

    for (int64_t item = first; item < end; item++)
        one_row(j, item, heap);
}

static bool run(struct step *s)
{
    const struct topk *a = s->attrs;
    const struct tensor *x = s->in[X];
    const int axis = wrap_axis(a->axis, x->rank);
    struct ints k;
    struct topk_job j = {
        .row = rows[x->dtype], .x = x, .values = s->out[VALUES], .indices = s->out[INDICES], .heaps = s->scratch
    };

    ints_of(s->in[K], &k);
    j.top = (struct top){ k.v[0], x->dims[axis], dims_product(x->dims, axis + 1, x->rank), !a->least };
    j.items = dims_product(x->dims, 0, axis) * j.top.stride;
    j.per_chunk = JOB_ELEMENTS / 8 / (j.top.n + 1) + 1;
    if (j.top.k)
        pool_run(s->pool, divide_up(j.items, j.per_chunk), chunk, &j);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, X);
    struct emitter *e = emitter_of(b);
    char axis[32];

    if (!wants(b, X))
        return backward_ok(b);
    snprintf(axis, sizeof axis, "axis=%d", wrap_axis(((const struct topk *)attrs_of(b))->axis, x->rank));
    give(b, X,
         emit(e, "ScatterElements", axis, 3, emit_zeros(e, x->dtype, x->rank, x->dims), forward_out(b, INDICES),
              upstream(b, VALUES)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "f32[3,4]~", "k=2", "f32[3,2] i64[3,2]", 1 },
    { "f64[3,4,2]~", "k=2 axis=1", "f64[3,2,2] i64[3,2,2]", 1 },
    { "f64[3,4]~", "k=3 axis=0", "f64[3,4] -", 1 },
    { "f16[7]", "k=7 axis=0", "- i64[7]", 0 },
    { 0 },
};
#define CASES                                                                                                          \
    { "f32[3,4]~ i64[1]{2}", "", "f32[3,2] i64[3,2]", 1 },                                                             \
        { "f64[3,4,2]~ i64[1]{2}", "axis=1", "f64[3,2,2] i64[3,2,2]", 1 },                                             \
        { "f64[300,7]~ i64[1]{5}", "axis=-2", "f64[5,7] -", 1 }, { "f32[3,4] i64[1]{0}", "", "f32[3,0] i64[3,0]", 0 }, \
        { "f32[0,4] i64[1]{2}", "", "f32[0,2] i64[0,2]", 0 }, { "f32[2,0] i64[1]{0}", "", "f32[2,0] i64[2,0]", 0 },    \
    {                                                                                                                  \
        "f16[7] i64[1]{7}", "axis=0", "- i64[7]", 0                                                                    \
    }
#define CASES_11                                                                                                       \
    CASES, { "f64[3,40]~ i64[1]{7}", "largest=0", "f64[3,7] i64[3,7]", 1 },                                            \
        { "f64[3,40]~ i64[1]{40}", "sorted=0", "f64[3,40] i64[3,40]", 1 },                                             \
        { "i8[9] i64[1]{3}", "", "i8[3] i64[3]", 0 }, { "i16[9] i64[1]{3}", "largest=0", "i16[3] i64[3]", 0 },         \
        { "u32[9,2] i64[1]{3}", "axis=0", "u32[3,2] i64[3,2]", 0 },                                                    \
    {                                                                                                                  \
        "u64[9] i64[1]{9}", "largest=0", "u64[9] i64[9]", 0                                                            \
    }
static const struct op_case cases_10[] = { CASES, { 0 } };
static const struct op_case cases_11[] = { CASES_11, { 0 } };
static const struct op_case cases_24[] = { CASES_11, { "bf16[9] i64[1]{4}", "", "bf16[4] i64[4]", 0 }, { 0 } };

#define PARTS .attrs_size = sizeof(struct topk), .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient
#define ROW(version, list, parser, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T X, I K -> T Values, I Indices", .types = "T: " list "; I: i64",              \
        .parse = parser, PARTS, .cases = tests                                                                         \
    }

const struct op op_topk = {
    .name = "TopK",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(24, "floats bf16 ints uints", parse_11, cases_24),
            ROW(11, "floats ints uints", parse_11, cases_11),
            ROW(10, "floats", parse_10, cases_10),
            { .since = 1,
              .signature = "T X -> T Values, I Indices",
              .types = "T: floats; I: i64",
              .parse = parse_1,
              PARTS,
              .cases = cases_1 },
            { 0 },
        },
};
