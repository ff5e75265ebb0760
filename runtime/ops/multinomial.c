/* Multinomial, https://onnx.ai/onnx/operators/onnx__Multinomial.html
 *
 *   output[b, s] = a class, class c with the probability exp(input[b, c]) / sum of exp(input[b, .])
 *
 * The first class up to which the probabilities sum to more than u, uniform in [0, 1). Without `seed` u is drawn anew in
 * every step; with one it is numpy.random.RandomState(seed).rand(b, s), the same in every run: the reference has no
 * Multinomial. No gradient flows. */
#include "base/mt19937.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/random_draw.h"
#include "ops/rank.h"
#include <math.h>

struct multinomial {
    enum dtype dtype;
    int64_t samples;
    struct draw_seed seed;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct multinomial *a = attrs;

    a->samples = attr_int(p, "sample_size", 1);
    if (a->samples < 0)
        return parse_error(p, "attribute 'sample_size' is %lld, must be at least 0", (long long)a->samples);
    return draw_seed_parse(p, &a->seed) && attr_dtype(p, "dtype", I32, &a->dtype);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct multinomial *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t bytes;

    if (x->rank != 2)
        return infer_error(i, "'input' has %d dimensions, must have 2", x->rank);
    if (!x->dims[1] && x->dims[0] && a->samples)
        return infer_error(i, "'input' has no classes, must have at least 1");
    if (!mul_size(tensor_count(x), sizeof(double), &bytes))
        return infer_error(i, "'input' has too many elements");
    need_scratch(i, (size_t)bytes);
    return set_out(i, 0, a->dtype, 2, (const int64_t[]){ x->dims[0], a->samples });
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct multinomial *)n->attrs)->dtype;
}

/* -- run -- */

/* One row of the input as sums of all up to each class, of what is at most 1. */
static void sum_row(void *context, int64_t row, int thread)
{
    const struct step *s = context;
    const struct tensor *x = s->in[0];
    const int64_t classes = x->dims[1];
    double *const sums = (double *)s->scratch + row * classes, greatest = -INFINITY, sum = 0;

    (void)thread;
    convert_between(x->dtype, F64)((const char *)x->data + (size_t)(row * classes) * dtype_size(x->dtype), sums,
                                   classes);
    for (int64_t c = 0; c < classes; c++)
        greatest = sums[c] > greatest ? sums[c] : greatest;
    for (int64_t c = 0; c < classes; c++) {
        sum += exp(sums[c] - greatest);
        sums[c] = sum;
    }
}

/* The first class whose sum is above u times the last one. */
static int64_t pick(const double *sums, int64_t classes, double u)
{
    const double limit = u * sums[classes - 1];
    int64_t low = 0, high = classes - 1;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (sums[middle] > limit)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void pick_block(const struct step *s, int64_t first, int64_t n, const double *u)
{
    const int64_t classes = s->in[0]->dims[1], samples = s->out[0]->dims[1];
    int64_t picked[DRAW_BLOCK];
    const struct tensor *y = s->out[0];

    for (int64_t k = 0; k < n; k++)
        picked[k] = pick((const double *)s->scratch + (first + k) / samples * classes, classes, u[k]);
    convert_between(I64, y->dtype)(picked, (char *)y->data + (size_t)first * dtype_size(y->dtype), n);
}

static void draw_chunk(void *context, int64_t index, int thread)
{
    const struct step *s = context;
    const int64_t first = index * DRAW_CHUNK, end = lesser(tensor_count(s->out[0]), first + DRAW_CHUNK);
    double u[DRAW_BLOCK];

    (void)thread;
    for (int64_t at = first; at < end; at += DRAW_BLOCK) {
        const int64_t n = lesser(end - at, DRAW_BLOCK);

        draw_uniform(s, true, at, n, u);
        pick_block(s, at, n, u);
    }
}

static void draw_seeded(const struct step *s, uint32_t seed)
{
    const int64_t count = tensor_count(s->out[0]);
    double u[DRAW_BLOCK];
    struct mt mt;

    mt_seed(&mt, seed);
    for (int64_t at = 0; at < count; at += DRAW_BLOCK) {
        const int64_t n = lesser(count - at, DRAW_BLOCK);

        for (int64_t k = 0; k < n; k++)
            u[k] = mt_double(&mt);
        pick_block(s, at, n, u);
    }
}

static bool run(struct step *s)
{
    const struct multinomial *a = s->attrs;
    const struct tensor *x = s->in[0];

    if (!s->out[0] || !tensor_count(s->out[0]))
        return true;
    pool_run(s->pool, x->dims[0], sum_row, s);
    if (pool_late(s->pool)) /* rows may be left out */
        return true;
    for (int64_t row = 0; row < x->dims[0]; row++)
        if (!(((const double *)s->scratch)[(row + 1) * x->dims[1] - 1] > 0))
            return step_error(s, "row %lld of 'input' has no class that can be drawn, or one that is no number",
                              (long long)row);
    if (a->seed.given)
        draw_seeded(s, a->seed.value);
    else
        pool_run(s->pool, divide_up(tensor_count(s->out[0]), DRAW_CHUNK), draw_chunk, s);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3]", "", "i32[2,1]", 0 }, { "f64[3,5]", "sample_size=7 dtype=7", "i64[3,7]", 0 },                         \
        { "f64[1,3]{-inf,0,-inf}", "sample_size=9", "i32[1,9]", 0 },                                                   \
        { "f32[2,600]", "sample_size=5000 seed=3.0", "i32[2,5000]", 0 },                                               \
        { "f16[2,3]", "sample_size=5000", "i32[2,5000]", 0 }, { "f32[2,3]", "sample_size=0", "i32[2,0]", 0 },          \
    {                                                                                                                  \
        "f32[0,3]", "sample_size=4", "i32[0,4]", 0                                                                     \
    }

static const struct op_case cases_7[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES, { "bf16[2,3]", "sample_size=4", "i32[2,4]", 0 }, { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output", .types = "T1: " list "; T2: i32 i64",                  \
        .attrs_size = sizeof(struct multinomial), .parse = parse, .rank = rank_of_matrix, .dtype = told,               \
        .infer = infer, .run = run, .gradient = zero_gradient, .flags = OP_RANDOM, .cases = tests                      \
    }

const struct op op_multinomial = {
    .name = "Multinomial",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", cases_22), ROW(7, "floats", cases_7), { 0 } },
};
