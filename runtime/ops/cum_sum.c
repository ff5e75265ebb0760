/* CumSum, https://onnx.ai/onnx/operators/onnx__CumSum.html
 *
 *   y[i] = x[0] + ... + x[i] along `axis`; without x[i] if exclusive; from the end on if reverse
 *
 * The gradient is the same of dy, from the other end on. Floats are summed in double, integers wrap around. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdio.h>

enum { X, AXIS };      /* inputs */
enum { COLUMNS = 64 }; /* that stand side by side and are summed together */

struct cum_sum {
    bool exclusive, reverse;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct cum_sum *a = attrs;

    a->exclusive = attr_int(p, "exclusive", 0) != 0;
    a->reverse = attr_int(p, "reverse", 0) != 0;
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);
    const enum dtype compute = dtype_compute(x->dtype);
    struct ints axis;

    if (!ints_in(i, AXIS, &axis))
        return false;
    if (axis.count != 1)
        return infer_error(i, "'axis' has %d values, must have 1", axis.count);
    if (wrap_axis(axis.v[0], x->rank) < 0)
        return infer_error(i, "axis is %lld, must be in [%d, %d]", (long long)axis.v[0], -x->rank, x->rank - 1);
    need_scratch(i, 2 * compute_bytes(x, compute));
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

struct cum_sum_job {
    const void *x;
    void *y;
    int64_t n, stride, blocks;
    bool exclusive, reverse;
    void (*sums)(const struct cum_sum_job *j, int64_t at, int64_t columns);
};

#define SUMS sums_f32
#define T    float
#define ACC  double
#include "ops/cum_sum_body.h"
#define SUMS sums_f64
#define T    double
#define ACC  double
#include "ops/cum_sum_body.h"
#define SUMS sums_4
#define T    uint32_t
#define ACC  uint32_t
#include "ops/cum_sum_body.h"
#define SUMS sums_8
#define T    uint64_t
#define ACC  uint64_t
#include "ops/cum_sum_body.h"

static void chunk(void *context, int64_t k, int thread)
{
    const struct cum_sum_job *j = context;
    const int64_t first = k % j->blocks * COLUMNS;

    (void)thread;
    j->sums(j, k / j->blocks * j->n * j->stride + first, j->stride - first < COLUMNS ? j->stride - first : COLUMNS);
}

static bool run(struct step *s)
{
    const struct cum_sum *a = s->attrs;
    const struct tensor *x = s->in[X];
    const enum dtype compute = dtype_compute(x->dtype);
    char *scratch = s->scratch;
    struct cum_sum_job j = { .exclusive = a->exclusive, .reverse = a->reverse };
    struct ints axis;
    int d;

    ints_of(s->in[AXIS], &axis);
    d = wrap_axis(axis.v[0], x->rank);
    j.x = compute_in(x, compute, &scratch);
    j.y = compute_out(s->out[0], compute, &scratch);
    j.n = x->dims[d];
    j.stride = dims_product(x->dims, d + 1, x->rank);
    j.blocks = divide_up(j.stride, COLUMNS);
    j.sums = compute == F32 ? sums_f32 : compute == F64 ? sums_f64 : dtype_size(compute) == 4 ? sums_4 : sums_8;
    if (tensor_count(x))
        pool_run(s->pool, dims_product(x->dims, 0, d) * j.blocks, chunk, &j);
    compute_store(s->out[0], compute, j.y);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct cum_sum *a = attrs_of(b);
    char text[48];

    snprintf(text, sizeof text, "exclusive=%d reverse=%d", a->exclusive, !a->reverse);
    if (wants(b, X))
        give(b, X, emit(emitter_of(b), "CumSum", text, 2, upstream(b, 0), forward_in(b, AXIS)));
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3] i64[]{0}", "", "f32[2,3]", 1 }, { "f64[2,5,3] i32[]{1}", "", "f64[2,5,3]", 1 },                        \
        { "f64[2,5] i64[1]{-1}", "exclusive=1", "f64[2,5]", 1 }, { "f64[2,5] i64[]{-1}", "reverse=1", "f64[2,5]", 1 }, \
        { "f64[5,200] i64[]{0}", "reverse=1 exclusive=1", "f64[5,200]", 1 }, { "i32[7] i64[]{0}", "", "i32[7]", 0 },   \
        { "i64[7] i64[]{0}", "exclusive=1", "i64[7]", 0 }, { "u32[7] i64[]{0}", "reverse=1", "u32[7]", 0 },            \
        { "u64[7] i64[]{0}", "", "u64[7]", 0 },                                                                        \
    {                                                                                                                  \
        "f32[0,3] i64[]{0}", "", "f32[0,3]", 0                                                                         \
    }
static const struct op_case cases_11[] = { CASES, { 0 } };
static const struct op_case cases_14[] = {
    CASES, { "f16[2,5] i64[]{1}", "", "f16[2,5]", 0 }, { "bf16[7] i64[]{0}", "reverse=1", "bf16[7]", 0 }, { 0 }
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T x, T2 axis -> T y", .types = "T: " list "; T2: i32 i64",                     \
        .attrs_size = sizeof(struct cum_sum), .parse = parse, .rank = rank_of_input, .infer = infer, .run = run,       \
        .gradient = gradient, .cases = tests                                                                           \
    }

const struct op op_cum_sum = {
    .name = "CumSum",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(14, "floats bf16 i32 i64 u32 u64", cases_14),
                                     ROW(11, "f32 f64 i32 i64 u32 u64", cases_11),
                                     { 0 } },
};
