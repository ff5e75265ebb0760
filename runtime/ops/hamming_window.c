/* HammingWindow, https://onnx.ai/onnx/operators/onnx__HammingWindow.html
 *
 *   output[n] = 25 / 46 - 21 / 46 cos(2 pi n / N) */
#define OPERATOR "HammingWindow"
#define TABLE    op_hamming_window
#define A0       (25. / 46)
#define A1       (21. / 46)
#define A2       0
#include "ops/cosine_window.h"
