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

static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    return softmax_spell_out(e, n, in, out, false);
}

static const struct op op_grad = {
    .name = "SoftmaxGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ SOFTMAX_GRAD_ROW(grad_run, spell_out), { 0 } },
};

static bool gradient(struct backward *b)
{
    return softmax_gradient(b, &op_grad);
}

static const struct op_case cases_before[] = { SOFTMAX_CASES_BEFORE, { 0 } };
static const struct op_case cases[] = { SOFTMAX_CASES, { 0 } };

const struct op op_softmax = {
    .name = "Softmax",
    .domain = "",
    .defs =
        (const struct op_def[]){
            SOFTMAX_ROWS,
            { 0 },
        },
};
