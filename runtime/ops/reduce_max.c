/* ReduceMax, https://onnx.ai/onnx/operators/onnx__ReduceMax.html
 *
 * The maximum over `axes`; of nothing it is the least value of the type. NaN is kept. The gradient goes to the elements
 * that equal the maximum, split evenly among ties. */
#include "ops/reduce.h"

static bool run(struct step *s)
{
    return reduce_run(s, REDUCE_MAX);
}

static bool gradient(struct backward *b)
{
    return reduce_max_gradient(b);
}

/* -- test -- */

static const struct op_case before[] = {
    { "f64[2,3,4]~", "axes=[1]", "f64[2,1,4]", 1 },
    { "f64[2,3,4]~", "axes=[-1,0] keepdims=0", "f64[3]", 1 },
    { "f32[3,5,7]~", "", "f32[1,1,1]", 1 },
    { "f32[4,300]~", "axes=[0] keepdims=0", "f32[300]", 1 },
    { "f32[70,1000]", "keepdims=0", "f32[]", 0 },
    { "f64[]", "", "f64[]", 1 },
    { "f32[2,0,3]", "axes=[1]", "f32[2,1,3]", 0 },
    { "f32[0,3]", "axes=[1]", "f32[0,1]", 0 },
    { "f16[6,5]", "axes=[1] keepdims=0", "f16[6]", 0 },
    { "i32[6,5]", "axes=[0]", "i32[1,5]", 0 },
    { "i64[6,5]", "axes=[1]", "i64[6,1]", 0 },
    { "u32[6,5]", "axes=[0] keepdims=0", "u32[5]", 0 },
    { "u64[6,5]", "", "u64[1,1]", 0 },
    { 0 },
};
static const struct op_case cases[] = {
    { "f64[2,3,4]~ i64[1]{1}", "", "f64[2,1,4]", 1 },
    { "f64[2,3,4]~ i64[2]{-1,0}", "keepdims=0", "f64[3]", 1 },
    { "f64[2,3,4,5]~ i64[2]{1,3}", "keepdims=0", "f64[2,4]", 1 },
    { "f32[3,5,7]~", "", "f32[1,1,1]", 1 },
    { "f32[3,5,7]~ i64[0]{}", "keepdims=0", "f32[]", 1 },
    { "f64[3,5]~ i64[0]{}", "noop_with_empty_axes=1", "f64[3,5]", 1 },
    { "f64[3,5]~", "noop_with_empty_axes=1", "f64[3,5]", 1 },
    { "f32[4,300]~ i64[1]{0}", "keepdims=0", "f32[300]", 1 },
    { "f32[70,1000]", "keepdims=0", "f32[]", 0 },
    { "f32[2,0,3] i64[1]{1}", "", "f32[2,1,3]", 0 },
    { "f16[6,5] i64[1]{1}", "keepdims=0", "f16[6]", 0 },
    { "bf16[6,5] i64[1]{0}", "", "bf16[1,5]", 0 },
    { "i32[6,5] i64[1]{0}", "", "i32[1,5]", 0 },
    { "i64[6,5] i64[1]{1}", "", "i64[6,1]", 0 },
    { "u32[6,5] i64[1]{0}", "keepdims=0", "u32[5]", 0 },
    { "u64[6,5]", "", "u64[1,1]", 0 },
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

const struct op op_reduce_max = {
    .name = "ReduceMax",
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
