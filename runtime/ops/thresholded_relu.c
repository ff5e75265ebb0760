/* ThresholdedRelu, https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html
 *
 *   y = x > alpha ? x : 0        dx = x > alpha ? dy : 0
 *
 * See Konda et al., arXiv:1402.3337. At alpha, where y jumps, both are 0. */
#define OPERATOR "ThresholdedRelu"
#define NAME     thresholded_relu
#define VALUE    (x > alpha ? x : 0)
#define DX_OF_X  (x > alpha ? dy : 0)
#define NUMBERS
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    *s->where = slope_2(s, "Greater", s->of, slope_number(s, (double)s->numbers.alpha));
    return NULL;
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = { { "f32[2,3,4]~", "alpha=0.3", "f32[2,3,4]", 1 },
                                        { "f64[5]{-2,0.5,0.9,1.1,3}", "", "f64[5]", 1 },
                                        { "f64[3]{1,2,3}", "alpha=2.0", "f64[3]", 0 },
                                        { "f16[3,5]~", "", "f16[3,5]", 0 },
                                        { "f32[]~", "", "f32[]", 0 },
                                        { "f32[0,3]", "", "f32[0,3]", 0 },
                                        { "f32[40001]", "alpha=-0.5", "f32[40001]", 0 },
                                        { 0 } };

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, UNARY_PARTS, .cases = cases                                                                    \
    }

const struct op op_thresholded_relu = {
    .name = "ThresholdedRelu",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16"), ROW(10, "T: floats"), { 0 } },
};

#endif
