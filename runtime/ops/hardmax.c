/* Hardmax, https://onnx.ai/onnx/operators/onnx__Hardmax.html
 *
 *   y = 1 at the greatest element along `axis`, the first of several, 0 at all others
 *
 * Which is the greatest ArgMax tells. Piecewise constant: its gradient is zero. Before opset 13 the input was a matrix,
 * as Softmax' was. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/arg_extreme.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include "ops/softmax.h"
#include <string.h>

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    struct softmax_shape shape;
    int64_t bytes;

    if (!softmax_shape_in(i, x, &shape))
        return false;
    if (!mul_size(shape.outer * shape.inner, sizeof(int64_t), &bytes))
        return infer_error(i, "'input' has too many elements");
    if (shape.n)
        need_scratch(i, (size_t)bytes);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

struct hardmax_job {
    struct softmax_shape shape;
    const int64_t *at;
    char *y, one[8];
    size_t size;
    int64_t per_chunk;
};

static void chunk(void *context, int64_t k, int thread)
{
    const struct hardmax_job *j = context;
    const int64_t first = k * j->per_chunk, end = lesser(j->shape.outer, first + j->per_chunk);
    const int64_t each = j->shape.n * j->shape.inner;

    (void)thread;
    memset(j->y + (size_t)(first * each) * j->size, 0, (size_t)((end - first) * each) * j->size);
    for (int64_t outer = first; outer < end; outer++)
        for (int64_t inner = 0; inner < j->shape.inner; inner++) {
            const int64_t row = j->at[outer * j->shape.inner + inner];

            memcpy(j->y + (size_t)(outer * each + row * j->shape.inner + inner) * j->size, j->one, j->size);
        }
}

static bool run(struct step *s)
{
    static const float one = 1;
    const struct tensor *x = s->in[0];
    struct hardmax_job j = { .at = s->scratch, .y = s->out[0]->data, .size = dtype_size(x->dtype) };

    if (!tensor_count(x) || !softmax_shape_of(s->attrs, x, &j.shape))
        return true;
    arg_extreme(s->pool, x, &(struct arg_shape){ j.shape.outer, j.shape.n, j.shape.inner }, false, false, s->scratch);
    convert_between(F32, x->dtype)(&one, j.one, 1);
    j.per_chunk = JOB_ELEMENTS / (j.shape.n * j.shape.inner) + 1;
    pool_run(s->pool, divide_up(j.shape.outer, j.per_chunk), chunk, &j);
    return true;
}

/* -- test -- */

static const struct op_case cases_before[] = {
    { "f64[3,4]", "", "f64[3,4]", 0 },           { "f64[2,3,4]", "", "f64[2,3,4]", 0 },
    { "f64[2,3,4]", "axis=0", "f64[2,3,4]", 0 }, { "f32[2,3,4]", "axis=2", "f32[2,3,4]", 0 },
    { "f32[2,3]", "axis=2", "f32[2,3]", 0 },     { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f16[2,3,4]", "", "f16[2,3,4]", 0 },       { 0 },
};

static const struct op_case cases[] = {
    { "f64[3,4]", "", "f64[3,4]", 0 },
    { "f64[2,3,4]", "axis=0", "f64[2,3,4]", 0 },
    { "f64[2,20,3]", "axis=1", "f64[2,20,3]", 0 },
    { "f32[2,3,400]", "axis=-2", "f32[2,3,400]", 0 },
    { "f32[33,10]", "", "f32[33,10]", 0 },
    { "f64[]", "", "f64[]", 0 },
    { "f32[3,0]", "", "f32[3,0]", 0 },
    { "f32[3,0]", "axis=0", "f32[3,0]", 0 },
    { "f16[2,3,4]", "", "f16[2,3,4]", 0 },
    { "bf16[2,3,4]", "axis=1", "bf16[2,3,4]", 0 },
    { 0 },
};

#define ROW(version, list, parser, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = list,                                           \
        .attrs_size = sizeof(struct softmax_attrs), .parse = parser, .rank = rank_of_input, .infer = infer,            \
        .run = run, .gradient = zero_gradient, .batch_independent = softmax_rows_apart, .cases = tests                 \
    }

const struct op op_hardmax = {
    .name = "Hardmax",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "T: floats bf16", softmax_parse, cases),
                                     ROW(11, "T: floats", softmax_parse_before, cases_before),
                                     ROW(1, "T: floats", softmax_parse_before, cases_before),
                                     { 0 } },
};
