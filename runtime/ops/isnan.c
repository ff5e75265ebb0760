/* IsNaN, https://onnx.ai/onnx/operators/onnx__IsNaN.html
 *
 *   Y = X is not a number        constant in pieces: its gradient is zero
 *
 * Float8 types have one NaN, two, or six. */
#define EXPR (isnan(x) != 0)
#include "ops/float_test.h"

/* -- run -- */

static bool run(struct step *s)
{
    return float_test(s, (struct numbers){ 0 });
}

/* -- test -- */

#define CASES_9                                                                                                        \
    { "f32[2,3]", "", "bool[2,3]", 0 }, { "f32[4]{nan,-inf,0,-nan}", "", "bool[4]", 0 },                               \
        { "f64[600]", "", "bool[600]", 0 }, { "f16[3]{nan,inf,1}", "", "bool[3]", 0 }, { "f32[]", "", "bool[]", 0 },   \
    {                                                                                                                  \
        "f64[0,3]", "", "bool[0,3]", 0                                                                                 \
    }

static const struct op_case cases_9[] = { CASES_9, { 0 } };
static const struct op_case cases_13[] = { CASES_9, { "bf16[3]{nan,inf,1}", "", "bool[3]", 0 }, { 0 } };
static const struct op_case cases_20[] = { CASES_9,
                                           { "bf16[3]{nan,inf,1}", "", "bool[3]", 0 },
                                           { "f8e4m3fn[3]{nan,448,1}", "", "bool[3]", 0 },
                                           { "f8e5m2[3]{nan,inf,1}", "", "bool[3]", 0 },
                                           { "f8e4m3fnuz[300]", "", "bool[300]", 0 },
                                           { "f8e5m2fnuz[2,3]", "", "bool[2,3]", 0 },
                                           { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 X -> T2 Y", .types = "T1: " list "; T2: bool", COMPARISON_PARTS,            \
        .cases = tests                                                                                                 \
    }

const struct op op_isnan = {
    .name = "IsNaN",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(20, "floats bf16 ir9", cases_20),
            ROW(13, "floats bf16", cases_13),
            ROW(9, "floats", cases_9),
            { 0 },
        },
};
