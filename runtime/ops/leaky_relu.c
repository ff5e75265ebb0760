/* LeakyRelu, https://onnx.ai/onnx/operators/onnx__LeakyRelu.html
 *
 *   y = x < 0 ? alpha * x : x        dx = x < 0 ? alpha * dy : dy
 *
 * At 0 the gradient is dy. */
#define OPERATOR "LeakyRelu"
#define NAME     leaky_relu
#define VALUE    (x < 0 ? alpha * x : x)
#define DX_OF_X  (x < 0 ? alpha * dy : dy)
#define RISES    (alpha >= 0)
#define NUMBERS
#define SLOPE_OF_X slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    return slope_where(s, slope_2(s, "Less", s->of, slope_number(s, 0)), slope_number(s, (double)s->numbers.alpha),
                       slope_number(s, 1));
}

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct numbers *a = attrs;

    a->alpha = attr_float(p, "alpha", 0.01f);
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
    { "f32[2,3,4]~", "alpha=0.3", "f32[2,3,4]", 1 },
    { "f64[5,7]~", "alpha=0.3", "f64[5,7]", 1 },
    { "f64[5,7]~", "alpha=-1.5", "f64[5,7]", 1 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .attrs_size = sizeof(struct numbers),              \
        .parse = parse, UNARY_PARTS, .cases = cases                                                                    \
    }

const struct op op_leaky_relu = {
    .name = "LeakyRelu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(16, "T: floats bf16"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
