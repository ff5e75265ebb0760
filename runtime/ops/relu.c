/* Relu, https://onnx.ai/onnx/operators/onnx__Relu.html
 *
 *   y = max(x, 0)        dx = y > 0 ? dy : 0
 *
 * At 0 the gradient is 0. NaN stays NaN. */
#include "ops/formula.h"

#include "kernels/isa/choice.h" /* needs what formula.h defines */

/* Behind a normalisation. By hand, because under AVX-512 a compiler would load dy by the mask that x gives. */
static void before(const float *from, const float *dy, float *to, int64_t rows, int64_t columns, const float *mean,
                   const float *scale, const float *shift, struct numbers numbers)
{
    (void)numbers;
    for (int64_t r = 0; r < rows; r++, from += columns, dy += columns, to += columns)
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t n = columns - c < LANES ? columns - c : LANES;
            const vec x = (load_up_to(from + c, n) - load_up_to(mean + c, n)) * load_up_to(scale + c, n) +
                          load_up_to(shift + c, n);

            store_up_to(to + c, pick(positive(x), as_a_whole(load_up_to(dy + c, n)), (vec){ 0 }), n);
        }
}

#define OPERATOR "Relu"
#define NAME     relu
#define VALUE    (x < 0 ? 0 : x)
#define INTS
#define DX_OF_Y     (y > 0 ? dy : 0)
#define RISES       true
#define BEFORE_LOOP before
#define SLOPE_OF_Y  slope
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL

static struct value *slope(const struct slope *s)
{
    *s->where = slope_2(s, "Greater", s->of, slope_number(s, 0));
    return NULL;
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
    { "i8[7]~", "", "i8[7]", 0 },
    { "i16[7]~", "", "i16[7]", 0 },
    { "i32[7]~", "", "i32[7]", 0 },
    { "i64[7]~", "", "i64[7]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, UNARY_PARTS, .cases = cases                        \
    }

const struct op op_relu = {
    .name = "Relu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(14, "T: floats bf16 ints"),
            ROW(13, "T: floats bf16"),
            ROW(6, "T: floats"),
            ROW(1, "T: floats"),
            { 0 },
        },
};

#endif
