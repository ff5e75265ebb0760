/* Sum, https://onnx.ai/onnx/operators/onnx__Sum.html
 *
 *   sum = data_0 + data_1 + ..., broadcast, from the first on        every input's gradient is that of the sum */
#include "ops/elementwise.h"

/* -- run -- */

extern const struct formula formula_add; /* add.c */

static bool run(struct step *s)
{
    return variadic_run(s, &formula_add);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    for (int k = 0; k < node_of(b)->inputs; k++)
        give_unbroadcast(b, k, upstream(b, 0));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]", 3 },       { "f64[5,7]", "", "f64[5,7]", 1 },
    { "f64[1] f64[] f64[7] f64[5,1]", "", "f64[5,7]", 15 }, { "f64[3,1,5] f64[4,1] f64[5]", "", "f64[3,4,5]", 7 },
    { "f16[3,5] f16[3,1] f16[5]", "", "f16[3,5]", 0 },      { "bf16[600] bf16[1]", "", "bf16[600]", 0 },
    { "f32[0,3] f32[1,3] f32[]", "", "f32[0,3]", 0 },       { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T data_0... -> T sum", .types = list, .infer = variadic_infer, .run = run,     \
        .chain = CHAIN_OF_2(formula_add), .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = cases                \
    }

const struct op op_sum = {
    .name = "Sum",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16"), ROW(8, "T: floats"), ROW(6, "T: floats"), ROW(1, "T: floats"), { 0 } },
};
