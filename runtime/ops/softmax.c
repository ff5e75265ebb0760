/* Softmax, https://onnx.ai/onnx/operators/onnx__Softmax.html
 *
 *   y = exp(x - max x) / sum of exp(x - max x)     along `axis`
 *
 * The gradient is y * (dy - sum of y * dy), from the output alone. */
#include "ops/softmax.h"
#include "ops/rank.h"
#include "ops/rows.h"

static bool run(struct step *s)
{
    return softmax_run(s, false);
}

static bool grad_run(struct step *s)
{
    return softmax_grad_run(s, false);
}

static const struct op op_grad = {
    .name = "SoftmaxGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ SOFTMAX_GRAD_ROW(grad_run), { 0 } },
};

static bool gradient(struct backward *b)
{
    return softmax_gradient(b, &op_grad);
}

static const struct op_case cases_before[] = { SOFTMAX_CASES_BEFORE, { 0 } };
static const struct op_case cases[] = { SOFTMAX_CASES, { 0 } };

#define ROW(version, type_list, parser, case_list)                                                                     \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = type_list,                                      \
        .attrs_size = sizeof(struct softmax_attrs), .parse = parser, .rank = rank_of_input, .infer = softmax_infer,    \
        .run = run, .gradient = gradient, .channels_last = softmax_channels_last,                                      \
        .batch_independent = softmax_rows_apart, .cases = case_list                                                    \
    }

const struct op op_softmax = {
    .name = "Softmax",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16", softmax_parse, cases),
            ROW(11, "T: floats", softmax_parse_before, cases_before),
            ROW(1, "T: floats", softmax_parse_before, cases_before),
            { 0 },
        },
};
