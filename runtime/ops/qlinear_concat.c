/* QLinearConcat of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = Concat of saturate(round(scale (X - zero_point) / Y_scale) + Y_zero_point)
 *
 * of each X, which its scale and its zero point follow. */
#include "ops/op.h"
#include <stdio.h>

enum { Y_SCALE, Y_ZERO_POINT, FIRST };

static bool parse(struct parse *p, void *attrs)
{
    const int inputs = inputs_written(p) - FIRST;

    *(int64_t *)attrs = attr_int(p, "axis", 0);
    if (!attr_given(p, "axis"))
        return parse_error(p, "attribute 'axis' is missing");
    if (inputs < 3 || inputs % 3)
        return parse_error(p, "there are %d inputs behind 'Y_zero_point', must be three for each tensor", inputs);
    for (int k = FIRST; k < FIRST + inputs; k++)
        if (!input_given(p, k))
            return parse_error(p, "input %d is left out", k);
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value **parts = emit_alloc(e, (size_t)n->inputs * sizeof(struct value *));
    char axis[32];
    int count = 0;

    for (int k = FIRST; parts && k + 2 < n->inputs; k += 3)
        parts[count++] =
            emit(e, "QuantizeLinear", "", 3, emit(e, "DequantizeLinear", "", 3, n->in[k], n->in[k + 1], n->in[k + 2]),
                 n->in[Y_SCALE], n->in[Y_ZERO_POINT]);
    snprintf(axis, sizeof axis, "axis=%lld", (long long)*(const int64_t *)n->attrs);
    return parts && emit_many(e, "Concat", axis, 1, out, count, parts);
}

static const struct op_case cases[] = {
    { "f32[]{0.5} u8[] u8[2,3] f32[]+ u8[] u8[2,1] f32[]+ u8[]", "axis=1", "u8[2,4]", 0 },
    { "f32[]{0.5} i8[] i8[2,3] f32[]+ i8[] i8[0,3] f32[]+ i8[] i8[1,3] f32[]+ i8[]", "axis=-2", "i8[3,3]", 0 },
    { "f32[]{0.5} u8[] u8[2] f32[]+ u8[]", "axis=0", "u8[2]", 0 },
    { 0 },
};

const struct op op_qlinear_concat = {
    .name = "QLinearConcat",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "TF Y_scale, T8 Y_zero_point, TV inputs* -> T8 Y",
                                       .types = "TF: f32; T8: i8 u8; TV: i8 u8 f32",
                                       .attrs_size = sizeof(int64_t),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
