/* Greater, https://onnx.ai/onnx/operators/onnx__Greater.html
 *
 *   C = A > B, broadcast        constant in pieces: its gradient is zero */
#include "ops/broadcast.h"
#define NAME greater
#define EXPR (a > b)
#include "ops/comparison.h"

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T1 C", .types = list "; T1: bool", COMPARISON_PARTS,               \
        .cases = comparison_cases                                                                                      \
    }

static const struct op_case cases_1[] = {
    { "f32[3,5] f32[3,5]", "", "bool[3,5]", 0 },
    { "f64[2,3]{1,0,0,1,1,0} f64[2]{1,0}", "broadcast=1 axis=0", "bool[2,3]", 0 },
    { 0 },
};

const struct op op_greater = {
    .name = "Greater",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16 ints uints"),
            ROW(9, "T: floats ints uints"),
            ROW(7, "T: floats"),
            BROADCAST_ROW(1, "T A, T B -> T1 C", "T: floats; T1: bool", cases_1),
            { 0 },
        },
};
