/* QLinearAdd of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   C = saturate(round((A_scale (A - A_zero_point) + B_scale (B - B_zero_point)) / C_scale) + C_zero_point)
 *
 * A and B broadcast. onnxruntime divides both scales by C_scale first, and rounds otherwise on the way: where what is
 * rounded is about a tie, its result may be one quantum away. */
#include "ops/qlinear.h"

#define LOOP        add
#define VALUE(a, b) ((a) + (b))
#include "ops/qlinear_binary_body.h"

static bool run(struct step *s)
{
    return qlinear_binary_run(s, add);
}

const struct op op_qlinear_add = {
    .name = "QLinearAdd",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ QLINEAR_BINARY_ROW, { 0 } },
};
