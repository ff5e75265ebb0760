/* Scatter, https://onnx.ai/onnx/operators/onnx__Scatter.html
 *
 * ScatterElements, which took its place in opset 11. */
#include "ops/places.h"
#include <stdio.h>

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    char axis[32];

    snprintf(axis, sizeof axis, "axis=%lld", (long long)((const struct places_attrs *)n->attrs)->axis);
    out[0] = emit(e, "ScatterElements", axis, 3, n->in[PLACES_DATA], n->in[PLACES_INDICES], n->in[PLACES_UPDATES]);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,3] i64[2,3]{1,0,2,0,2,1} f32[2,3]", "", "f32[3,3]", 5 },
    { "f64[3,4] i32[2,3]{0,3,1,2,-1,-3} f64[2,3]", "axis=-1", "f64[3,4]", 5 },
    { "f32[5,3] i64[1,3] f32[1,3]", "axis=0", "f32[5,3]", 5 },
    { 0 },
};

#define ROW(version)                                                                                                   \
    {                                                                                                                  \
        .since = version, .signature = "T data, Tind indices, T updates -> T output",                                  \
        .types = "T: all; Tind: i32 i64", .attrs_size = sizeof(struct places_attrs), .parse = places_parse_elements,   \
        .expand = expand, .cases = cases                                                                               \
    }

const struct op op_scatter = {
    .name = "Scatter",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(11), ROW(9), { 0 } },
};
