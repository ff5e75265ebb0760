/* QuantizeLinear of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * The standard's QuantizeLinear; one scale and one zero point where no axis is given. */
#include "ops/expansion.h"
#include "ops/rank.h"
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
    out[0] = emit(e, "QuantizeLinear", attrs, 3, n->in[X], n->in[SCALE], given(n, ZERO_POINT));
    return out[0];
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return given(n, ZERO_POINT) ? known_input(n, ZERO_POINT).dtype : U8;
}

static const struct op_case cases[] = {
    { "f32[3,4] f32[]+ u8[]", "", "u8[3,4]", 0 },           { "f32[3,4] f32[]+", "", "u8[3,4]", 0 },
    { "f32[3,4] f32[3]+ i16[3]", "axis=0", "i16[3,4]", 0 }, { "f16[3,4] f16[4]+ u16[4]", "axis=-1", "u16[3,4]", 0 },
    { "f32[3,4] f32[]+ i4[]", "", "i4[3,4]", 0 },           { "f32[3,4] f32[1]+ u4[1]", "", "u4[3,4]", 0 },
    { "f32[0,4] f32[]+ i8[]", "", "i8[0,4]", 0 },           { 0 },
};

const struct op op_microsoft_quantize_linear = {
    .name = "QuantizeLinear",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 x, T1 y_scale, T2 y_zero_point? -> T2 y",
                                       .types = "T1: f16 f32; T2: i4 u4 i8 u8 i16 u16",
                                       .attrs_size = sizeof(int64_t),
                                       .parse = parse,
                                       .dtype = told,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
