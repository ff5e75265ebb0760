/* QLinearWhere of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Z = QuantizeLinear(Where(condition, DequantizeLinear(X), DequantizeLinear(Y))) */
#include "ops/requantized.h"

enum { CONDITION, X, X_SCALE, X_ZERO_POINT, Y, Y_SCALE, Y_ZERO_POINT, Z_SCALE, Z_ZERO_POINT };

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *z = emit(e, "Where", "", 3, n->in[CONDITION], emit_dequantized(e, n, X, X_SCALE, X_ZERO_POINT),
                           emit_dequantized(e, n, Y, Y_SCALE, Y_ZERO_POINT));

    out[0] = emit_requantized(e, n, z, X, Z_SCALE, Z_ZERO_POINT);
    return out[0];
}

static const struct op_case cases[] = {
    { "bool[2,3] u8[2,3] f32[]+ u8[] u8[2,3] f32[]+ u8[] f32[]+ u8[]", "", "u8[2,3]", 0 },
    { "bool[3,1] i8[2,1,4] f32[1]+ i8[1] i8[] f32[1]+ i8[1] f32[1]+ i8[1]", "", "i8[2,3,4]", 0 },
    { "bool[0,3] u8[3] f32[]+ u8[] u8[1] f32[]+ u8[] f32[]+ u8[]", "", "u8[0,3]", 0 },
    { 0 },
};

const struct op op_qlinear_where = {
    .name = "QLinearWhere",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "B condition, T X, TF x_scale, T x_zero_point, T Y, TF y_scale, T "
                                                    "y_zero_point, TF z_scale, T z_zero_point -> T Z",
                                       .types = "B: bool; T: i8 u8; TF: f32",
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
