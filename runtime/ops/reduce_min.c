/* ReduceMin, https://onnx.ai/onnx/operators/onnx__ReduceMin.html
 *
 * The minimum over `axes`; of nothing it is the greatest value of the type. NaN is kept. The gradient goes to the
 * elements that equal the minimum, split evenly among ties. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MIN);
}

static bool gradient(struct backward *b)
{
    return reduce_max_gradient(b);
}

const struct op op_reduce_min = {
    .name = "ReduceMin",
    .domain = "",
    .defs =
        (const struct op_def[]){
            REDUCE_ROWS_EXTREME,
            { 0 },
        },
};
