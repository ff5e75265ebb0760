/* Identity, https://onnx.ai/onnx/operators/onnx__Identity.html
 *
 *   output = input, whatever it is        dinput = doutput */
#include "ops/elementwise.h"

/* -- plan -- */

static bool infer(struct infer *i)
{
    struct tensor *y = typed_out(i, 0);

    if (y) {
        *y = *typed_in(i, 0);
        y->data = NULL;
    }
    view_of(i, 0, 0);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    give(b, 0, upstream(b, 0));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 }, { "f64[]", "", "f64[]", 1 },
    { "f16[3]", "", "f16[3]", 0 },         { "i8[0,3]", "", "i8[0,3]", 0 },
    { "str[2,3]", "", "str[2,3]", 0 },     { "c128[2]", "", "c128[2]", 0 },
    { "bool[2]", "", "bool[2]", 0 },       { 0 },
};

#define ROW(version, io, list)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = io, .types = list, .infer = infer, .gradient = gradient,                        \
        .flags = OP_ELEMENTWISE | OP_REARRANGES, .cases = cases                                                        \
    }
#define V_16 "V: all bf16 seq(all) opt(all) optseq(all)"

const struct op op_identity = {
    .name = "Identity",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(25, "V input -> V output", V_16),
            ROW(24, "V input -> V output", V_16),
            ROW(23, "V input -> V output", V_16),
            ROW(21, "V input -> V output", V_16),
            ROW(19, "V input -> V output", V_16),
            ROW(16, "V input -> V output", V_16),
            ROW(14, "V input -> V output", "V: all bf16 seq(all)"),
            ROW(13, "T input -> T output", "T: all bf16"),
            ROW(1, "T input -> T output", "T: all"),
            { 0 },
        },
};
