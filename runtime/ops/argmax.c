/* ArgMax, https://onnx.ai/onnx/operators/onnx__ArgMax.html
 *
 * The index of the greatest element along `axis`: the first of several, or the last with select_last_index. NaN is
 * greater than all numbers, as in numpy. Piecewise constant: its gradient is zero, no gradient flows. */
#include "ops/arg_extreme.h"

static bool run(struct step *s)
{
    return arg_run(s, false);
}

const struct op op_argmax = {
    .name = "ArgMax",
    .domain = "",
    .defs = (const struct op_def[]){ ARG_ROWS, { 0 } },
};
