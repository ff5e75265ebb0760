/* Normalizer, https://onnx.ai/onnx/operators/onnx_aionnxml_Normalizer.html
 *
 *   MAX   X / max(X)        L1   X / sum(|X|)        L2   X / sqrt(sum(X^2))        of each row; X where that is 0
 *
 * The text has sum(X) for L1 and a square root of X's own square for L2, without its sign; it is as in onnxruntime and
 * the reference. MAX is the text's and onnxruntime's (the reference: the greatest |X|). A row that holds what is not a
 * number is that whole (onnxruntime's maximum goes by it). */
#include "ops/linear.h"

enum norm { NORM_MAX, NORM_L1, NORM_L2 };

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "MAX", "L1", "L2", NULL };

    *(enum norm *)attrs = (enum norm)attr_choice(p, "norm", names, NORM_MAX);
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    static const char *const reduce[] = { "ReduceMax", "ReduceL1", "ReduceL2" };
    struct value *x = emit_float(e, n->in[0]), *axis = emit_ints(e, 1, (const int64_t[]){ -1 });
    struct value *size = emit(e, reduce[*(const enum norm *)n->attrs], "", 2, x, axis);
    struct value *none = emit(e, "Equal", "", 2, size, emit_scalar(e, F32, 0));

    out[0] = emit(e, "Div", "", 2, x, emit(e, "Where", "", 3, none, emit_scalar(e, F32, 1), size));
    return out[0];
}

static const struct op_case cases[] = {
    { "f32[3,4]+", "", "f32[3,4]", 1 },
    { "f32[3,4]~", "norm='L1'", "f32[3,4]", 1 },
    { "f64[5]", "norm='L2'", "f32[5]", 1 },
    { "i32[2,2]{0,0,3,-1}", "norm='L1'", "f32[2,2]", 0 },
    { "i64[2,2]{0,0,-3,-1}", "norm='MAX'", "f32[2,2]", 0 },
    { "f32[0,3]", "norm='L2'", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_normalizer = {
    .name = "Normalizer",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T1 Y",
                                       .types = "T: f32 f64 i32 i64; T1: f32",
                                       .attrs_size = sizeof(enum norm),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
