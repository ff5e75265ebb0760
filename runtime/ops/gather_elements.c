/* GatherElements, https://onnx.ai/onnx/operators/onnx__GatherElements.html
 *
 *   y[i, j, k] = data[i, indices[i, j, k], k]        for axis 1, and so for each axis
 *
 * The gradient adds each dy to the place that it came from, in the order of the indices. */
#include "ops/cost.h"
#include "ops/places.h"
#include "ops/rank.h"

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,3] i64[2,3]{1,2,0,2,0,0}", "", "f32[2,3]", 1 },
    { "f64[2,4,3] i32[2,2,3]{0,3,3,1,-4,2,0,0,-1,1,1,1}", "axis=1", "f64[2,2,3]", 1 },
    { "f64[3,4] i64[2,5]{0,3,3,1,2,-1,-2,-3,-4,0}", "axis=-1", "f64[2,5]", 1 },
    { "f64[2,3,2,2] i64[1,3,3,2]{0,0,0,0,1,1,1,1,0,0,1,1,0,1,0,1,0,1}", "axis=2", "f64[1,3,3,2]", 1 },
    { "str[3] i64[2]{2,0}", "", "str[2]", 0 },
    { "c128[2,2] i64[1,2]{1,0}", "", "c128[1,2]", 0 },
    { "f16[3] i64[5]{0,0,0,2,1}", "", "f16[5]", 1 },
    { "f32[5,300] i64[1,300]", "", "f32[1,300]", 1 },
    { "f32[2,3] i64[0,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T data, Tind indices -> T output", .types = "T: " t "; Tind: i32 i64",         \
        .cost = cost_of_picking, .attrs_size = sizeof(struct places_attrs), .parse = places_parse_elements,            \
        .rank = rank_of_input, .infer = gather_places_infer, .run = gather_places_run,                                 \
        .gradient = gather_places_gradient, .flags = OP_MOVES, .cases = cases                                          \
    }

const struct op op_gather_elements = {
    .name = "GatherElements",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "all bf16"), ROW(11, "all"), { 0 } },
};
