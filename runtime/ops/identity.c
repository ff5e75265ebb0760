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

static const struct op_case cases_14[] = {
    { "f32[2,3]", "", "f32[2,3]", 1 },
    { "seq(f32[2,3],f32[4])", "", "seq(f32)", 0 },
    { "seq(i64)", "", "seq(i64)", 0 },
    { 0 },
};
static const struct op_case cases_16[] = {
    { "f32[2,3,4]", "", "f32[2,3,4]", 1 },
    { "seq(str[2])", "", "seq(str)", 0 },
    { "opt(f32[2,3])", "", "opt(f32)", 0 },
    { "opt(bool)", "", "opt(bool)", 0 },
    { "opt(seq(f32[2],f32[3]))", "", "opt(seq(f32))", 0 },
    { "i4[3]", "", "i4[3]", 0 },
    { "f8e5m2[2,2]", "", "f8e5m2[2,2]", 0 },
    { "u2[]", "", "u2[]", 0 },
    { 0 },
};

#define ROW(version, io, list, tests)                                                                                  \
    {                                                                                                                  \
        .since = version, .signature = io, .types = list, .infer = infer, .gradient = gradient,                        \
        .flags = OP_ELEMENTWISE | OP_REARRANGES, .cases = tests                                                        \
    }
#define V_16(small) "V: all bf16" small " seq(all) opt(all) opt(seq(all))"

const struct op op_identity = {
    .name = "Identity",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(25, "V input -> V output", V_16(" ir13"), cases_16),
            ROW(24, "V input -> V output", V_16(" ir12"), cases_16),
            ROW(23, "V input -> V output", V_16(" ir11"), cases_16),
            ROW(21, "V input -> V output", V_16(" ir10"), cases_16),
            ROW(19, "V input -> V output", V_16(" ir9"), cases_16),
            ROW(16, "V input -> V output", V_16(""), cases_16),
            ROW(14, "V input -> V output", "V: all bf16 seq(all)", cases_14),
            ROW(13, "T input -> T output", "T: all bf16", cases),
            ROW(1, "T input -> T output", "T: all", cases),
            { 0 },
        },
};
