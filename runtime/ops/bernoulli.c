/* Bernoulli, https://onnx.ai/onnx/operators/onnx__Bernoulli.html
 *
 *   output = u < input, u uniform in [0, 1): 1 with the probability that the input is
 *
 * That is the text; the standard's own function, and with it its test data, has u > input, which is the other way
 * about. Here, and in the reference, it is the text. No gradient flows. What is not in [0, 1] is as likely as the next
 * number that is; NaN never is.
 *
 * With `seed` it draws as the reference does, numpy.random.RandomState(seed).binomial(1, p): u > 1 - p where p is at
 * most a half, else u <= p. */
#include "base/mt19937.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/random_draw.h"
#include "ops/rank.h"

struct bernoulli {
    enum dtype dtype; /* UNDEFINED: the input's */
    struct draw_seed seed;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct bernoulli *a = attrs;

    return draw_seed_parse(p, &a->seed) && attr_dtype(p, "dtype", UNDEFINED, &a->dtype);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct bernoulli *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);

    return set_out(i, 0, a->dtype ? a->dtype : x->dtype, x->rank, x->dims);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return dtype_or_input(n, ((const struct bernoulli *)n->attrs)->dtype);
}

/* -- run -- */

static char *element(const struct tensor *t, int64_t k)
{
    return (char *)t->data + (size_t)k * dtype_size(t->dtype);
}

static void draw_chunk(void *context, int64_t index, int thread)
{
    const struct step *s = context;
    const struct tensor *x = s->in[0], *y = s->out[0];
    const int64_t first = index * DRAW_CHUNK, end = lesser(tensor_count(x), first + DRAW_CHUNK);
    double u[DRAW_BLOCK], p[DRAW_BLOCK];
    uint8_t drawn[DRAW_BLOCK];

    (void)thread;
    for (int64_t at = first; at < end; at += DRAW_BLOCK) {
        const int64_t n = lesser(end - at, DRAW_BLOCK);

        draw_uniform(s, x->dtype == F64, at, n, u);
        convert_between(x->dtype, F64)(element(x, at), p, n);
        for (int64_t k = 0; k < n; k++)
            drawn[k] = u[k] < p[k];
        convert_between(BOOL, y->dtype)(drawn, element(y, at), n);
    }
}

static void draw_as_reference(uint32_t seed, const struct tensor *x, const struct tensor *y)
{
    const int64_t count = tensor_count(x);
    struct mt mt;

    mt_seed(&mt, seed);
    for (int64_t k = 0; k < count; k++) {
        const double u = mt_double(&mt);
        uint8_t drawn;
        double p;

        convert_between(x->dtype, F64)(element(x, k), &p, 1);
        drawn = p <= .5 ? u > 1 - p : u <= p;
        convert_between(BOOL, y->dtype)(&drawn, element(y, k), 1);
    }
}

static bool run(struct step *s)
{
    const struct bernoulli *a = s->attrs;

    if (!s->out[0])
        return true;
    if (a->seed.given)
        draw_as_reference(a->seed.value, s->in[0], s->out[0]);
    else
        pool_run(s->pool, divide_up(tensor_count(s->in[0]), DRAW_CHUNK), draw_chunk, s);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3,4]+", "", "f32[2,3,4]", 0 }, { "f64[5,7]+", "seed=42.0", "f64[5,7]", 0 },                               \
        { "f16[600]", "dtype=9", "bool[600]", 0 }, { "f32[9001]", "dtype=7", "i64[9001]", 0 },                         \
        { "f64[3]{0,1,nan}", "dtype=2", "u8[3]", 0 }, { "f64[5]{0,1,.5,.2,nan}", "dtype=16 seed=1.0", "bf16[5]", 0 },  \
        { "f32[]+", "", "f32[]", 0 },                                                                                  \
    {                                                                                                                  \
        "f32[0,3]", "", "f32[0,3]", 0                                                                                  \
    }

static const struct op_case cases_15[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES, { "bf16[6]", "", "bf16[6]", 0 }, { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output",                                                        \
        .types = "T1: " list "; T2: floats bf16 ints uints bool", .attrs_size = sizeof(struct bernoulli),              \
        .parse = parse, .rank = rank_of_input, .dtype = told, .infer = infer, .run = run, .gradient = zero_gradient,   \
        .flags = OP_RANDOM, .cases = tests                                                                             \
    }

const struct op op_bernoulli = {
    .name = "Bernoulli",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", cases_22), ROW(15, "floats", cases_15), { 0 } },
};
