/* HannWindow, https://onnx.ai/onnx/operators/onnx__HannWindow.html
 *
 *   output[n] = sin(pi n / N)^2 = (1 - cos(2 pi n / N)) / 2 */
#define OPERATOR "HannWindow"
#define TABLE    op_hann_window
#define A0       .5
#define A1       .5
#define A2       0
#include "ops/cosine_window.h"
