/* RandomUniformLike, https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html
 *
 *   output = low + (high - low) * u, u uniform in [0, 1), in the shape of the input
 *
 * It does not depend on the input: the gradient is zero.
 *
 * With `seed` it draws as the reference does, numpy.random.RandomState(seed), the same in every run, and rounds where
 * that rounds: u, the product and the sum, to the type of the output. Without, it draws from the session's seed, anew
 * in every step. */
#include "base/mt19937.h"
#include "base/random.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/rank.h"
#include <math.h>

struct uniform {
    enum dtype dtype; /* UNDEFINED: the input's */
    float low, high;
    bool seeded;
    uint32_t seed;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct uniform *a = attrs;
    const int64_t dtype = attr_int(p, "dtype", UNDEFINED);
    const float seed = attr_float(p, "seed", NAN); /* NaN is none, for the reference too */

    a->low = attr_float(p, "low", 0);
    a->high = attr_float(p, "high", 1);
    if (attr_given(p, "dtype")) {
        if (dtype != F16 && dtype != F32 && dtype != F64 && (dtype != BF16 || parse_opset(p) < 22))
            return parse_error(p, "attribute 'dtype' is %lld, must be float16, float or double%s", (long long)dtype,
                               parse_opset(p) < 22 ? "" : ", or bfloat16");
        a->dtype = (enum dtype)dtype;
    }
    if (seed == seed && !(fabsf(seed) < 0x1p63f))
        return parse_error(p, "attribute 'seed' is %g, must be a number that an integer can hold", (double)seed);
    a->seeded = seed == seed;
    a->seed = a->seeded ? (uint32_t)(int64_t)seed : 0;
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct uniform *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const enum dtype dtype = a->dtype ? a->dtype : x->dtype;

    if (!dtype_is_float(dtype))
        return infer_error(
            i, "'input' is of type %s and attribute 'dtype' is missing: the output must be a floating-point type",
            dtype_name(dtype));
    return set_out(i, 0, dtype, x->rank, x->dims);
}

static enum dtype told(const struct node *n, int k)
{
    const enum dtype dtype = ((const struct uniform *)n->attrs)->dtype;

    (void)k;
    return dtype ? dtype : known_input(n, 0).dtype;
}

/* -- run -- */

enum { BLOCK = 256 };

struct draw {
    const struct kernels *k;
    const struct uniform *a;
    struct tensor *y;
    int64_t count;
    uint64_t seed, stream;
};

/* 48 random bits for a double, 24 for the others. */
static void draw_chunk(void *context, int64_t index, int thread)
{
    const struct draw *d = context;
    const int64_t first = index * CHUNK_LIBM, end = d->count - first < CHUNK_LIBM ? d->count : first + CHUNK_LIBM;
    const size_t size = dtype_size(d->y->dtype);
    const double low = (double)d->a->low, width = (double)d->a->high - low;
    const int words = d->y->dtype == F64 ? 2 : 1;
    convert_loop *const store = convert_between(F64, d->y->dtype);
    float u[2 * BLOCK];
    double v[BLOCK];

    (void)thread;
    for (int64_t at = first; at < end; at += BLOCK) {
        const int64_t n = end - at < BLOCK ? end - at : BLOCK;

        d->k->random->uniform(u, n * words, d->seed, d->stream, (uint64_t)(at * words));
        for (int64_t k = 0; k < n; k++)
            v[k] = low + width * (words == 1 ? (double)u[k] : (double)u[2 * k] + 0x1p-24 * (double)u[2 * k + 1]);
        store(v, (char *)d->y->data + (size_t)at * size, n);
    }
}

static double rounded(enum dtype dtype, double v)
{
    uint64_t element;

    convert_between(F64, dtype)(&v, &element, 1);
    convert_between(dtype, F64)(&element, &v, 1);
    return v;
}

static void draw_as_reference(const struct uniform *a, struct tensor *y, int64_t count)
{
    const double low = rounded(y->dtype, (double)a->low), width = rounded(y->dtype, (double)a->high - (double)a->low);
    convert_loop *const store = convert_between(F64, y->dtype);
    const size_t size = dtype_size(y->dtype);
    struct mt mt;

    mt_seed(&mt, a->seed);
    for (int64_t k = 0; k < count; k++) {
        const double product = rounded(y->dtype, rounded(y->dtype, mt_double(&mt)) * width), v = product + low;

        store(&v, (char *)y->data + (size_t)k * size, 1);
    }
}

static bool run(struct step *s)
{
    const struct uniform *a = s->attrs;
    struct draw d = { s->k, a, s->out[0], 0, s->seed, random_stream(s->node->stream, s->number) };

    if (!s->out[0])
        return true;
    d.count = tensor_count(s->out[0]);
    if (a->seeded)
        draw_as_reference(a, s->out[0], d.count);
    else if (d.count)
        pool_run(s->pool, (d.count - 1) / CHUNK_LIBM + 1, draw_chunk, &d);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "dtype=1 seed=1.0", "f32[2,3,4]", 0 },
    { "f64[5,7]", "seed=42.0 low=-2.0 high=3.0", "f64[5,7]", 0 },
    { "f64[5,7]", "", "f64[5,7]", 0 },
    { "f16[600]", "low=-1.0", "f16[600]", 0 },
    { "i64[5]", "dtype=1 high=10.0", "f32[5]", 0 },
    { "str[5]", "dtype=11 seed=3.0", "f64[5]", 0 },
    { "f32[9000]", "dtype=10 seed=3.0", "f16[9000]", 0 },
    { "bool[0,3]", "dtype=1", "f32[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_22[] = {
    { "bf16[5,7]", "dtype=16 seed=42.0 low=-2.0 high=3.0", "bf16[5,7]", 0 },
    { "bf16[6]", "", "bf16[6]", 0 },
    { "u8[600]", "dtype=16", "bf16[600]", 0 },
    { "c64[6]", "dtype=1", "f32[6]", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output", .types = list, .attrs_size = sizeof(struct uniform),   \
        .parse = parse, .rank = rank_of_input, .dtype = told, .infer = infer, .run = run, .gradient = zero_gradient,   \
        .flags = OP_RANDOM, .cases = tests                                                                             \
    }

const struct op op_random_uniform_like = {
    .name = "RandomUniformLike",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T1: all bf16; T2: floats bf16", cases_22),
            ROW(1, "T1: all; T2: floats", cases),
            { 0 },
        },
};
