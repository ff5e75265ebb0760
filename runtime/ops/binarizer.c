/* Binarizer, https://onnx.ai/onnx/operators/onnx_aionnxml_Binarizer.html
 *
 *   Y = X > threshold ? 1 : 0        constant in pieces: its gradient is zero
 *
 * What is not a number is not greater (onnxruntime refuses it). */
#include "ops/elementwise.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    ((struct numbers *)attrs)->alpha = attr_float(p, "threshold", 0);
    return true;
}

/* -- run -- */

#define EXPR x > alpha
#define LOOP loop_f32
#define T    float
#include "ops/unary_body.h"
#define LOOP loop_f64
#define T    double
#include "ops/unary_body.h"
#undef EXPR

/* No float need be a whole number. */
#define EXPR (double)x > (double)s->numbers.alpha
#define LOOP loop_i32
#define T    int32_t
#define W    uint32_t
#include "ops/unary_body.h"
#define LOOP loop_i64
#define T    int64_t
#define W    uint64_t
#include "ops/unary_body.h"
#undef EXPR

static bool run(struct step *s)
{
    const enum dtype dtype = s->in[0]->dtype;
    const struct elementwise e = { .loop = dtype == F32   ? loop_f32
                                           : dtype == F64 ? loop_f64
                                           : dtype == I32 ? loop_i32
                                                          : loop_i64,
                                   .span = { .numbers = *(const struct numbers *)s->attrs } };

    return elementwise(s, &e, s->out[0], 1, s->in);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3]", "threshold=0.5", "f32[2,3]", 0 },
    { "f64[600]", "", "f64[600]", 0 },
    { "i32[4]{-1,0,1,2}", "threshold=0.5", "i32[4]", 0 },
    { "i64[4]{-1,0,1,2}", "threshold=-0.5", "i64[4]", 0 },
    { "f32[]", "", "f32[]", 0 },
    { "f64[0,3]", "", "f64[0,3]", 0 },
    { 0 },
};

const struct op op_binarizer = {
    .name = "Binarizer",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: f32 f64 i32 i64",
                                       .attrs_size = sizeof(struct numbers),
                                       .parse = parse,
                                       .infer = unary_infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .flags = OP_ELEMENTWISE,
                                       .cases = cases },
                                     { 0 } },
};
