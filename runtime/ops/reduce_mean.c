/* ReduceMean, https://onnx.ai/onnx/operators/onnx__ReduceMean.html
 *
 * The sum over `axes` divided by the number of elements; NaN for none. Means of integers are rounded towards zero. The
 * gradient is dL/dY divided by the number. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MEAN);
}

static bool gradient(struct backward *b)
{
    return reduce_gradient(b, true);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("", 1), { 0 } };
static const struct op_case cases[] = { REDUCE_CASES("", 1), { 0 } };

const struct op op_reduce_mean = {
    .name = "ReduceMean",
    .domain = "",
    .defs =
        (const struct op_def[]){
            REDUCE_ROWS(reduce_infer, cases, before),
            { 0 },
        },
};
