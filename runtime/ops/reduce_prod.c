/* ReduceProd, https://onnx.ai/onnx/operators/onnx__ReduceProd.html
 *
 * The product over `axes`; of nothing it is 1. The gradient of an element is dL/dY times the product of the others. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_PROD);
}

static bool gradient(struct backward *b)
{
    return reduce_prod_gradient(b);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("", 0), { "f64[3,2,2]", "", "f64[1,1,1]", 1 }, { 0 } };
static const struct op_case cases[] = {
    REDUCE_CASES("", 0),
    { "f64[3,2,2]", "", "f64[1,1,1]", 1 },
    { "f64[2,3]{0,2,3,0,0,4} i64[1]{1}", "", "f64[2,1]", 1 },
    { "f32[3,5] i64[0]{}", "keepdims=0", "f32[]", 1 },
    { 0 },
};

const struct op op_reduce_prod = {
    .name = "ReduceProd",
    .domain = "",
    .defs =
        (const struct op_def[]){
            REDUCE_ROWS(reduce_infer, cases, before),
            { 0 },
        },
};
