/* Trilu of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's Trilu, which came with opset 14. */
#include "ops/expansion.h"

static bool parse(struct parse *p, void *attrs)
{
    *(bool *)attrs = attr_int(p, "upper", 1) != 0;
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    out[0] = emit(e, "Trilu", *(const bool *)n->attrs ? "upper=1" : "upper=0", 2, n->in[0], given(n, 1));
    return out[0];
}

static const struct op_case cases[] = {
    { "f64[2,3,4] i64[]{1}", "", "f64[2,3,4]", 1 },
    { "i8[3,4]", "upper=0", "i8[3,4]", 0 },
    { "f32[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

const struct op op_microsoft_trilu = {
    .name = "Trilu",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, I k? -> T Y",
                                       .types = "T: floats bf16 ints uints bool; I: i64",
                                       .attrs_size = sizeof(bool),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
