/* BlackmanWindow, https://onnx.ai/onnx/operators/onnx__BlackmanWindow.html
 *
 *   output[n] = 0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N) */
#define A0 .42
#define A1 .5
#define A2 .08
#include "ops/cosine_window.h"

const struct op op_blackman_window = {
    .name = "BlackmanWindow",
    .domain = "",
    .defs = (const struct op_def[]){ COSINE_WINDOW_ROW, { 0 } },
};
