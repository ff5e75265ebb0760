/* LogSoftmax, https://onnx.ai/onnx/operators/onnx__LogSoftmax.html
 *
 *   y = x - max x - log(sum of exp(x - max x))     along `axis`
 *
 * The gradient is dy - exp(y) * sum of dy, from the output alone. */
#include "ops/rank.h"
#include "ops/softmax.h"

static bool run(struct step *s)
{
    return softmax_run(s, true);
}

static bool grad_run(struct step *s)
{
    return softmax_grad_run(s, true);
}

static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    return softmax_spell_out(e, n, in, out, true);
}

static const struct op op_grad = {
    .name = "LogSoftmaxGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ SOFTMAX_GRAD_ROW(grad_run, spell_out), { 0 } },
};

struct value *emit_log_softmax_grad(struct emitter *e, int64_t axis, struct value *dy, struct value *y)
{
    struct softmax_attrs *a = emit_alloc(e, sizeof *a);
    struct value *d = NULL;

    if (a)
        a->axis = axis;
    emit_private(e, &op_grad, a, 1, &d, NULL, 2, (struct value *[]){ dy, y });
    return d;
}

static bool gradient(struct backward *b)
{
    return softmax_gradient(b, &op_grad);
}

static const struct op_case cases_before[] = { SOFTMAX_CASES_BEFORE, { 0 } };
static const struct op_case cases[] = { SOFTMAX_CASES, { 0 } };

const struct op op_log_softmax = {
    .name = "LogSoftmax",
    .domain = "",
    .defs =
        (const struct op_def[]){
            SOFTMAX_ROWS,
            { 0 },
        },
};
