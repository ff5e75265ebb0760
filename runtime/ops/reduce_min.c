/* ReduceMin, https://onnx.ai/onnx/operators/onnx__ReduceMin.html
 *
 * The minimum over `axes`; of nothing it is the greatest value of the type. NaN is kept. The gradient goes to the
 * elements that equal the minimum, split evenly among ties. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MIN);
}

static bool gradient(struct backward *b)
{
    return reduce_max_gradient(b);
}

/* -- test -- */

static const struct op_case before[] = { REDUCE_CASES_BEFORE("~"), { "f32[3,5,7]~", "", "f32[1,1,1]", 1 }, { 0 } };
static const struct op_case cases[] = {
    REDUCE_CASES("~"),
    { "f32[3,5,7]~", "", "f32[1,1,1]", 1 },
    { "i8[6,5] i64[1]{0}", "", "i8[1,5]", 0 },
    { "u8[6,5] i64[1]{1}", "", "u8[6,1]", 0 },
    { 0 },
};
static const struct op_case cases_bool[] = {
    { "f64[2,3,4]~ i64[1]{1}", "", "f64[2,1,4]", 1 },
    { "bool[6,5] i64[1]{1}", "", "bool[6,1]", 0 },
    { "bool[0,5] i64[1]{0}", "", "bool[1,5]", 0 },
    { 0 },
};

const struct op op_reduce_min = {
    .name = "ReduceMin",
    .domain = "",
    .defs =
        (const struct op_def[]){
            REDUCE_ROW(20, "T: floats bf16 i8 i32 i64 u8 u32 u64 bool", reduce_infer, cases_bool),
            REDUCE_ROW(18, "T: floats bf16 i8 i32 i64 u8 u32 u64", reduce_infer, cases),
            REDUCE_ROW_BEFORE(13, "T: floats bf16 i8 i32 i64 u8 u32 u64", reduce_infer, before),
            REDUCE_ROW_BEFORE(12, "T: floats i8 i32 i64 u8 u32 u64", reduce_infer, before),
            REDUCE_ROW_BEFORE(11, "T: floats i32 i64 u32 u64", reduce_infer, before),
            REDUCE_ROW_BEFORE(1, "T: floats i32 i64 u32 u64", reduce_infer, before),
            { 0 },
        },
};
