/* HardSigmoid, https://onnx.ai/onnx/operators/onnx__HardSigmoid.html
 *
 *   y = max(0, min(1, alpha * x + beta))        dx = 0 < alpha * x + beta < 1 ? alpha * dy : 0
 *
 * At the two bends the gradient is 0. */
#define LINE     (alpha * x + beta)
#define OPERATOR "HardSigmoid"
#define NAME     hard_sigmoid
#define VALUE    (LINE < 0 ? 0 : LINE > 1 ? 1 : LINE)
#define DX_OF_X  (LINE > 0 && LINE < 1 ? alpha * dy : 0)
#define RISES    (alpha >= 0)
#define NUMBERS
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    const double alpha = (double)s->numbers.alpha, beta = (double)s->numbers.beta;
    struct value *line = slope_2(s, "Mul", s->of, slope_number(s, alpha));

    line = slope_2(s, "Add", line, slope_number(s, beta));
    *s->where = slope_2(s, "And", slope_2(s, "Greater", line, slope_number(s, 0)),
                        slope_2(s, "Less", line, slope_number(s, 1)));
    return slope_number(s, alpha);
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 0.2f);
    a->beta = attr_float(p, "beta", 0.5f);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~", "", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "", "f64[5,7]", 1 },
    { "f16[3,5]~", "", "f16[3,5]", 0 },
    { "bf16[600]~", "", "bf16[600]", 0 },
    { "f32[]~", "", "f32[]", 1 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { "f64[1000]~", "", "f64[1000]", 0 },
    { "f32[40001]~", "", "f32[40001]", 0 },
    { "f32[2,3,4]~", "alpha=0.5 beta=0.6", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "alpha=0.5 beta=0.6", "f64[5,7]", 1 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, UNARY_PARTS, .cases = cases                                                                    \
    }

const struct op op_hard_sigmoid = {
    .name = "HardSigmoid",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "T: floats bf16"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
