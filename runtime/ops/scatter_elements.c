/* ScatterElements, https://onnx.ai/onnx/operators/onnx__ScatterElements.html
 *
 *   y = data, but y[i, indices[i, j, k], k] = updates[i, j, k]        for axis 1, and so for each axis
 *
 * or the old value and the update added, multiplied, or the less or greater one of them, in the order of the updates.
 * Where several are set to one place it has the last one; the standard leaves that open, and so does the gradient, which
 * goes to each. Halves are combined in float, bools by `or` and `and`. */
#include "ops/places.h"
#include "ops/rank.h"

/* -- read -- */

static bool parse_18(struct parse *p, void *attrs)
{
    static const char *const names[] = { "none", "add", "mul", "min", "max", NULL };
    struct places_attrs *a = attrs;

    a->how = (enum scatter_how)attr_choice(p, "reduction", names, SCATTER_SET);
    return places_parse_elements(p, attrs);
}

/* Minimum and maximum came with opset 18. */
static bool parse_16(struct parse *p, void *attrs)
{
    static const char *const names[] = { "none", "add", "mul", NULL };
    struct places_attrs *a = attrs;

    a->how = (enum scatter_how)attr_choice(p, "reduction", names, SCATTER_SET);
    return places_parse_elements(p, attrs);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[3,3] i64[2,3]{1,0,2,0,2,1} f32[2,3]", "", "f32[3,3]", 5 },                                                  \
        { "f64[2,4,3] i32[2,2,3]{0,3,3,1,-4,2,0,0,-1,1,1,1} f64[2,2,3]", "axis=1", "f64[2,4,3]", 5 },                  \
        { "f64[3,4] i64[2,3]{0,3,1,2,-1,-3} f64[2,3]", "axis=-1", "f64[3,4]", 5 },                                     \
        { "str[3] i64[2]{2,0} str[2]", "", "str[3]", 0 }, { "c128[2,2] i64[1,2]{1,0} c128[1,2]", "", "c128[2,2]", 0 }, \
        { "f32[5,300] i64[1,300] f32[1,300]", "", "f32[5,300]", 5 },                                                   \
    {                                                                                                                  \
        "f32[2,3] i64[0,3] f32[0,3]", "", "f32[2,3]", 5                                                                \
    }
#define COMBINED                                                                                                       \
    CASES, { "f32[3,3] i64[2,3]{1,0,2,0,2,1} f32[2,3]", "reduction='none'", "f32[3,3]", 5 },                           \
        { "f64[3] i64[5]{0,0,0,2,1} f64[5]", "reduction='add'", "f64[3]", 5 },                                         \
        { "f64[3,4] i64[2,5]{0,3,3,1,2,-1,-2,-3,-4,0} f64[2,5]", "axis=1 reduction='mul'", "f64[3,4]", 5 },            \
        { "f64[3]{0,2,3} i64[5]{0,0,1,1,2} f64[5]{2,3,0,4,5}", "reduction='mul'", "f64[3]", 5 },                       \
        { "f64[3]{0,2,3} i64[5]{0,0,1,1,2} f64[5]{0,3,0,0,5}", "reduction='mul'", "f64[3]", 5 },                       \
        { "f16[3] i64[5]{0,0,0,2,1} f16[5]", "reduction='add'", "f16[3]", 0 },                                         \
        { "bf16[3] i64[5]{0,0,0,2,1} bf16[5]", "reduction='mul'", "bf16[3]", 0 },                                      \
        { "bool[3] i64[5]{0,0,0,2,1} bool[5]", "reduction='add'", "bool[3]", 0 },                                      \
        { "i8[3] i64[5]{0,0,0,2,1} i8[5]", "reduction='mul'", "i8[3]", 0 },                                            \
    {                                                                                                                  \
        "u64[3] i64[2]{1,1} u64[2]", "reduction='add'", "u64[3]", 0                                                    \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case cases_16[] = { COMBINED, { 0 } };
static const struct op_case cases_18[] = {
    COMBINED,
    { "f64[3]~ i64[5]{0,0,0,2,1} f64[5]~", "reduction='min'", "f64[3]", 5 },
    { "f64[3,4]~ i64[2,5]{0,3,3,1,2,-1,-2,-3,-4,0} f64[2,5]~", "axis=1 reduction='max'", "f64[3,4]", 5 },
    { "f16[3] i64[5]{0,0,0,2,1} f16[5]", "reduction='min'", "f16[3]", 0 },
    { "i16[3] i64[5]{0,0,0,2,1} i16[5]", "reduction='max'", "i16[3]", 0 },
    { 0 },
};

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T data, Tind indices, T updates -> T output",                                  \
        .types = "T: " t "; Tind: i32 i64", .attrs_size = sizeof(struct places_attrs), .parse = parser,                \
        .rank = rank_of_input, .infer = scatter_places_infer, .run = scatter_places_run,                               \
        .gradient = scatter_places_gradient, .cases = tests                                                            \
    }

const struct op op_scatter_elements = {
    .name = "ScatterElements",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(18, "all bf16", parse_18, cases_18),
                                     ROW(16, "all bf16", parse_16, cases_16),
                                     ROW(13, "all bf16", places_parse_elements, cases),
                                     ROW(11, "all", places_parse_elements, cases),
                                     { 0 } },
};
