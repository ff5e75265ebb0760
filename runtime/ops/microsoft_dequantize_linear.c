/* DequantizeLinear of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's DequantizeLinear; one scale and one zero point where no axis is given. */
#include "ops/expansion.h"
#include <stdio.h>

enum { X, SCALE, ZERO_POINT };

static bool parse(struct parse *p, void *attrs)
{
    *(int64_t *)attrs = attr_int(p, "axis", 1);
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    char attrs[32];

    snprintf(attrs, sizeof attrs, "axis=%lld", (long long)*(const int64_t *)n->attrs);
    out[0] = emit(e, "DequantizeLinear", attrs, 3, n->in[X], n->in[SCALE], given(n, ZERO_POINT));
    return out[0];
}

static const struct op_case cases[] = {
    { "u8[3,4] f32[]+ u8[]", "", "f32[3,4]", 0 },
    { "i32[3,4] f32[]+", "", "f32[3,4]", 0 },
    { "i16[3,4] f32[3]+ i16[3]", "axis=0", "f32[3,4]", 0 },
    { "u16[3,4] f16[4]+ u16[4]", "axis=-1", "f16[3,4]", 0 },
    { "i4[3,4] f32[]+ i4[]", "", "f32[3,4]", 0 },
    { "i8[0,4] f32[]+ i8[]", "", "f32[0,4]", 0 },
    { 0 },
};

const struct op op_microsoft_dequantize_linear = {
    .name = "DequantizeLinear",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 x, T2 x_scale, T1 x_zero_point? -> T2 y",
                                       .types = "T1: i4 u4 i8 u8 i16 u16 i32; T2: f16 f32",
                                       .attrs_size = sizeof(int64_t),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
