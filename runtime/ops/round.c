/* Round, https://onnx.ai/onnx/operators/onnx__Round.html
 *
 *   y = the integer that is nearest to x, of two the even one        constant in pieces: its gradient is zero */
#define OPERATOR "Round"
#define NAME     round
#define VALUE    ROUND(x)
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 0 },
    { "f64[9]{-2.5,-1.5,-0.5,-0.2,0.5,1.5,2.5,1e300,-inf}", "", "f64[9]", 0 },
    { "f32[6]{0.49999997,-0.49999997,8388609,-1.5,nan,inf}", "", "f32[6]", 0 },
    { "f16[3,5]{-1,-.75,-.5,-.25,0,.25,.5,.75,1,1.25,1.5,1.75,2,2.5,3.5}", "", "f16[3,5]", 0 },
    { "f32[]", "", "f32[]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f32[40001]", "", "f32[40001]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .infer = unary_infer, .run = run, .chain = &chain, \
        .gradient = zero_gradient, .flags = OP_ELEMENTWISE, .cases = cases                                             \
    }

const struct op op_round = {
    .name = "Round",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(11, "T: floats"), { 0 } },
};

#endif
