/* ScatterND, https://onnx.ai/onnx/operators/onnx__ScatterND.html
 *
 *   y = data, but y[indices[i, 0], indices[i, 1] ..., behind] = updates[i, behind]
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
    return true;
}

/* Minimum and maximum came with opset 18. */
static bool parse_16(struct parse *p, void *attrs)
{
    static const char *const names[] = { "none", "add", "mul", NULL };
    struct places_attrs *a = attrs;

    a->how = (enum scatter_how)attr_choice(p, "reduction", names, SCATTER_SET);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[8] i64[4,1]{4,3,1,7} f32[4]", "", "f32[8]", 5 },                                                            \
        { "f64[4,2,3] i64[2,1]{0,-2} f64[2,2,3]", "", "f64[4,2,3]", 5 },                                               \
        { "f64[3,4] i64[2,1,2]{0,3,-1,-3} f64[2,1]", "", "f64[3,4]", 5 },                                              \
        { "str[3] i64[2,1]{2,0} str[2]", "", "str[3]", 0 }, { "c128[2,2] i64[1,2]{1,0} c128[1]", "", "c128[2,2]", 0 }, \
        { "f32[5,600] i64[3,1]{1,4,-5} f32[3,600]", "", "f32[5,600]", 5 },                                             \
        { "f32[3,2] i64[1,1] f32[1,2]", "", "f32[3,2]", 5 },                                                           \
    {                                                                                                                  \
        "f32[2,3] i64[0,1] f32[0,3]", "", "f32[2,3]", 5                                                                \
    }
#define COMBINED                                                                                                       \
    CASES, { "f32[8] i64[4,1]{4,3,1,7} f32[4]", "reduction='none'", "f32[8]", 5 },                                     \
        { "f64[3,2] i64[4,1]{0,0,0,2} f64[4,2]", "reduction='add'", "f64[3,2]", 5 },                                   \
        { "f64[3,2] i64[4,1]{0,0,0,2} f64[4,2]", "reduction='mul'", "f64[3,2]", 5 },                                   \
        { "f16[3,600] i64[3,1]{0,0,2} f16[3,600]", "reduction='add'", "f16[3,600]", 0 },                               \
        { "bf16[3] i64[3,1]{0,0,2} bf16[3]", "reduction='mul'", "bf16[3]", 0 },                                        \
        { "bool[3] i64[3,1]{0,0,2} bool[3]", "reduction='mul'", "bool[3]", 0 },                                        \
    {                                                                                                                  \
        "u8[3] i64[3,1]{0,0,2} u8[3]", "reduction='add'", "u8[3]", 0                                                   \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case cases_16[] = { COMBINED, { 0 } };
static const struct op_case cases_18[] = {
    COMBINED,
    { "f64[3,2]~ i64[4,1]{0,0,0,2} f64[4,2]~", "reduction='min'", "f64[3,2]", 5 },
    { "f64[3,2]~ i64[4,2]{0,0,0,1,2,0,0,1} f64[4]~", "reduction='max'", "f64[3,2]", 5 },
    { "i64[3] i64[3,1]{0,0,2} i64[3]", "reduction='min'", "i64[3]", 0 },
    { "f16[3] i64[3,1]{0,0,2} f16[3]", "reduction='max'", "f16[3]", 0 },
    { 0 },
};

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T data, I indices, T updates -> T output", .types = "T: " t "; I: i64",        \
        .attrs_size = sizeof(struct places_attrs), .parse = parser, .rank = rank_of_input,                             \
        .infer = scatter_places_infer, .run = scatter_places_run, .gradient = scatter_places_gradient, .cases = tests  \
    }

const struct op op_scatter_nd = {
    .name = "ScatterND",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(18, "all bf16", parse_18, cases_18),
                                     ROW(16, "all bf16", parse_16, cases_16),
                                     ROW(13, "all bf16", NULL, cases),
                                     ROW(11, "all", NULL, cases),
                                     { 0 } },
};
