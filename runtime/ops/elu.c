/* Elu, https://onnx.ai/onnx/operators/onnx__Elu.html; Clevert et al., arXiv:1511.07289
 *
 *   y = x < 0 ? alpha * (exp(x) - 1) : x        dx = dy * (x < 0 ? alpha * exp(x) : 1)
 *
 * Where alpha is positive, x < 0 is y < 0, and alpha * exp(x) is y + alpha: the output is saved, and no exponential
 * computed again. */
#define OPERATOR  "Elu"
#define NAME      elu
#define VALUE     (x < 0 ? alpha * EXPM1(x) : x)
#define DX_OF_X   (x < 0 ? alpha * EXP(x) * dy : dy)
#define DX_OF_Y   (y < 0 ? dy * (y + alpha) : dy)
#define Y_TELLS   (alpha > 0)
#define RISES     (alpha >= 0)
#define DX_BEFORE (x < 0 ? dy * (alpha * EXPM1(x) + alpha) : dy)
#define WORK      EXPONENTIAL
#define NUMBERS
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=2.5", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=-0.5", "f64[5,7]", 1 },
    { "f32[5,7]~", "alpha=-0.5", "f32[5,7]", 1 },
    { "f64[5,7]~", "alpha=0.0", "f64[5,7]", 1 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]~", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, UNARY_PARTS, .cases = cases                                                                    \
    }

const struct op op_elu = {
    .name = "Elu",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(6, "T: floats"), ROW(1, "T: floats"), { 0 } },
};

#endif
