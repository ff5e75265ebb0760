/* HammingWindow, https://onnx.ai/onnx/operators/onnx__HammingWindow.html
 *
 *   output[n] = 25 / 46 - 21 / 46 cos(2 pi n / N) */
#define A0 (25. / 46)
#define A1 (21. / 46)
#define A2 0
#include "ops/cosine_window.h"

const struct op op_hamming_window = {
    .name = "HammingWindow",
    .domain = "",
    .defs = (const struct op_def[]){ COSINE_WINDOW_ROW, { 0 } },
};
