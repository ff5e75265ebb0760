/* ArgMin, https://onnx.ai/onnx/operators/onnx__ArgMin.html
 *
 * The index of the least element along `axis`: the first of several, or the last with select_last_index. NaN is
 * less than all numbers, as in numpy. Piecewise constant: its gradient is zero, no gradient flows. */
#include "ops/arg_extreme.h"

static bool run(struct step *s)
{
    return arg_run(s, true);
}

const struct op op_argmin = {
    .name = "ArgMin",
    .domain = "",
    .defs = (const struct op_def[]){ ARG_ROWS, { 0 } },
};
