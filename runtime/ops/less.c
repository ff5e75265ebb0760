/* Less, https://onnx.ai/onnx/operators/onnx__Less.html
 *
 *   C = A < B, broadcast        constant in pieces: its gradient is zero */
#include "ops/broadcast.h"
#include "ops/elementwise.h"

/* -- run -- */

#define RESULT     uint8_t
#define EXPR(a, b) (a) < (b)
#include "ops/binary_types.h"

static bool run(struct step *s)
{
    return binary_run(s, loops);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "bool[2,3,4]", 0 },
    { "f64[3,1,5] f64[4,1]", "", "bool[3,4,5]", 0 },
    { "f16[600] f16[1]", "", "bool[600]", 0 },
    { "bf16[3,5] bf16[3,1]", "", "bool[3,5]", 0 },
    { "i8[7] i8[7]", "", "bool[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "bool[2,3]", 0 },
    { "i64[2,3] i64[]", "", "bool[2,3]", 0 },
    { "u64[3]{200,1,3} u64[3]{2,3,4}", "", "bool[3]", 0 },
    { "f32[0,3] f32[1,3]", "", "bool[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T1 C", .types = list "; T1: bool", .infer = compare_infer,         \
        .run = run, .gradient = zero_gradient, .flags = OP_ELEMENTWISE, .cases = cases                                 \
    }

static const struct op_case cases_1[] = {
    { "f32[3,5] f32[3,5]", "", "bool[3,5]", 0 },
    { "f64[2,3]{1,0,0,1,1,0} f64[2]{1,0}", "broadcast=1 axis=0", "bool[2,3]", 0 },
    { 0 },
};

const struct op op_less = {
    .name = "Less",
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
