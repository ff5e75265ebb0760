/* HannWindow, https://onnx.ai/onnx/operators/onnx__HannWindow.html
 *
 *   output[n] = sin(pi n / N)^2 = (1 - cos(2 pi n / N)) / 2 */
#define A0 .5
#define A1 .5
#define A2 0
#include "ops/cosine_window.h"

const struct op op_hann_window = {
    .name = "HannWindow",
    .domain = "",
    .defs = (const struct op_def[]){ COSINE_WINDOW_ROW, { 0 } },
};
