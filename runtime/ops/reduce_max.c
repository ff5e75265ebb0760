/* ReduceMax, https://onnx.ai/onnx/operators/onnx__ReduceMax.html
 *
 * The maximum over `axes`; of nothing it is the least value of the type. NaN is kept. The gradient goes to the elements
 * that equal the maximum, split evenly among ties. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MAX);
}

static bool gradient(struct backward *b)
{
    return reduce_max_gradient(b);
}

const struct op op_reduce_max = {
    .name = "ReduceMax",
    .domain = "",
    .defs =
        (const struct op_def[]){
            REDUCE_ROWS_EXTREME,
            { 0 },
        },
};
