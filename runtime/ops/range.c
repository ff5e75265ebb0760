/* Range, https://onnx.ai/onnx/operators/onnx__Range.html
 *
 *   y[i] = start + i * delta, for i from 0 to before ceil((limit - start) / delta)
 *
 *   dstart = the sum of dy        ddelta = the sum of i * dy[i]        nothing flows to limit
 *
 * How many there are planning must know; what flows back takes that number as it is. Of floating-point numbers all is
 * computed in double and rounded once, whatever stash_type says: as the reference counts them. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <math.h>

enum { START, LIMIT, DELTA }; /* inputs */

/* -- read -- */

static bool parse_27(struct parse *p, void *attrs)
{
    static const int64_t single = 1, wide = 11; /* TensorProto.FLOAT, DOUBLE */
    const int64_t type = attr_int(p, "stash_type", 1);

    (void)attrs;
    return type == single || type == wide ||
           parse_error(p, "attribute 'stash_type' is %lld, must be 1 (float) or 11 (double)", (long long)type);
}

/* -- plan -- */

static double real(const struct tensor *t)
{
    double v;

    convert_between(t->dtype, F64)(t->data, &v, 1);
    return v;
}

static int64_t whole(const struct tensor *t)
{
    int64_t v;

    convert_between(t->dtype, I64)(t->data, &v, 1);
    return v;
}

/* UNKNOWN where there are more than can be counted, or an end is no number. */
static int64_t count_reals(double start, double limit, double delta)
{
    const double n = ceil((limit - start) / delta);

    return n <= 0 ? 0 : n < 0x1p62 ? (int64_t)n : UNKNOWN;
}

/* The distance may be more than an int64 holds. */
static int64_t count_integers(int64_t start, int64_t limit, int64_t delta)
{
    const bool up = delta > 0;
    const uint64_t step = up ? (uint64_t)delta : -(uint64_t)delta;
    const uint64_t way = up ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t n;

    if (up ? limit <= start : limit >= start)
        return 0;
    n = (way - 1) / step + 1;
    return n <= INT64_MAX ? (int64_t)n : UNKNOWN;
}

static bool infer(struct infer *i)
{
    static const char *const names[] = { "start", "limit", "delta" };
    const struct tensor *start = typed_in(i, START), *limit = typed_in(i, LIMIT), *delta = typed_in(i, DELTA);
    const bool real_numbers = dtype_is_float(start->dtype);
    bool known = true;
    int64_t n;

    for (int k = START; k <= DELTA; k++)
        if (tensor_count(typed_in(i, k)) != 1)
            return infer_error(i, "'%s' has %lld values, must have 1", names[k],
                               (long long)tensor_count(typed_in(i, k)));
    for (int k = START; k <= DELTA; k++)
        known = known_in(i, k) && known;
    if (!known)
        return false;
    if (real(delta) == 0)
        return infer_error(i, "'delta' is 0, must be another number");
    n = real_numbers ? count_reals(real(start), real(limit), real(delta))
                     : count_integers(whole(start), whole(limit), whole(delta));
    if (n < 0)
        return infer_error(i, "from %g to %g by %g there are more values than can be counted", real(start), real(limit),
                           real(delta));
    return set_out(i, 0, start->dtype, 1, &n);
}

/* -- run -- */

enum { BLOCK = 512, BLOCKS = JOB_ELEMENTS / BLOCK }; /* numbers that are made, and converted, together; of a chunk */

struct range_job {
    const struct tensor *y;
    double start, delta;
    int64_t first, step;
};

static void make_block(const struct range_job *j, int64_t from, int64_t n)
{
    const enum dtype dtype = j->y->dtype;
    void *const to = (char *)j->y->data + (size_t)from * dtype_size(dtype);
    union {
        double reals[BLOCK];
        int64_t integers[BLOCK];
    } made;

    for (int64_t k = 0; k < n; k++)
        if (dtype_is_float(dtype))
            made.reals[k] = j->start + (double)(from + k) * j->delta;
        else
            made.integers[k] = (int64_t)((uint64_t)j->first + (uint64_t)(from + k) * (uint64_t)j->step);
    convert_between(dtype_is_float(dtype) ? F64 : I64, dtype)(&made, to, n);
}

static void chunk(void *context, int64_t k, int thread)
{
    const struct range_job *j = context;
    const int64_t first = k * BLOCKS * BLOCK, n = j->y->dims[0];

    (void)thread;
    for (int64_t from = first; from < n && from < first + BLOCKS * BLOCK; from += BLOCK)
        make_block(j, from, n - from < BLOCK ? n - from : BLOCK);
}

static bool run(struct step *s)
{
    struct range_job j = { s->out[0], real(s->in[START]), real(s->in[DELTA]), whole(s->in[START]),
                           whole(s->in[DELTA]) };

    pool_run(s->pool, divide_up(j.y->dims[0], BLOCKS * BLOCK), chunk, &j);
    return true;
}

/* -- differentiate -- */

static void give_sum(struct backward *b, int k, struct value *v)
{
    const struct tensor *x = type_in(b, k);
    struct emitter *e = emitter_of(b);

    v = emit(e, "ReduceSum", "keepdims=0", 1, v);
    give(b, k, x->rank ? emit_reshape(e, v, x->rank, x->dims) : v);
}

static bool gradient(struct backward *b)
{
    const struct tensor *y = type_out(b, 0);
    struct emitter *e = emitter_of(b);
    struct value *dy = upstream(b, 0);

    if (wants(b, START))
        give_sum(b, START, dy);
    if (wants(b, DELTA)) {
        struct value *count = emit(e, "Range", "", 3, emit_scalar(e, F32, 0), emit_scalar(e, F32, (double)y->dims[0]),
                                   emit_scalar(e, F32, 1));

        give_sum(b, DELTA, emit(e, "Mul", "", 2, dy, emit_cast(e, count, y->dtype)));
    }
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[] f32[] f32[]+", "", "f32[0]", 0 }, { "f64[]{.5} f64[]{3} f64[]{.9}", "", "f64[3]", 5 },                    \
        { "f64[1]{3} f64[1]{-1.1} f64[1]{-1}", "", "f64[5]", 5 }, { "f32[]{1} f32[]{2} f32[]{.1}", "", "f32[10]", 0 }, \
        { "f32[]{0} f32[]{3000} f32[]{1}", "", "f32[3000]", 0 }, { "i16[]{1} i16[]{10} i16[]{3}", "", "i16[3]", 0 },   \
        { "i32[]{10} i32[]{4} i32[]{-2}", "", "i32[3]", 0 }, { "i32[]{10} i32[]{4} i32[]{2}", "", "i32[0]", 0 },       \
        { "i64[]{0} i64[]{7} i64[]{2}", "", "i64[4]", 0 },                                                             \
    {                                                                                                                  \
        "i64[]{0} i64[]{40000} i64[]{1}", "", "i64[40000]", 0                                                          \
    }

static const struct op_case cases_11[] = { CASES, { 0 } };
static const struct op_case cases_27[] = { CASES,
                                           { "f16[]{0} f16[]{4} f16[]{.5}", "stash_type=1", "f16[8]", 0 },
                                           { "bf16[]{300} bf16[]{308} bf16[]{2}", "stash_type=11", "bf16[4]", 0 },
                                           { 0 } };

#define PARTS                                                                                                          \
    .signature = "T start, T limit, T delta -> T output", .rank = rank_of_vector, .infer = infer, .run = run,          \
    .gradient = gradient

const struct op op_range = {
    .name = "Range",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 27, .types = "T: floats bf16 i16 i32 i64", .parse = parse_27, PARTS, .cases = cases_27 },
            { .since = 11, .types = "T: f32 f64 i16 i32 i64", PARTS, .cases = cases_11 },
            { 0 } },
};
