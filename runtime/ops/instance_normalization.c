/* InstanceNormalization, https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html; Ulyanov, Vedaldi and Lempitsky,
 * arXiv:1607.08022
 *
 *   y = scale * (x - mean) / sqrt(variance + epsilon) + B
 *
 * with mean and variance of each channel of each sample. They are computed in float, or in double where the input is. */
#include "ops/normalised.h"

enum { INPUT, SCALE, BIAS }; /* inputs */

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    float *epsilon = attrs;

    *epsilon = attr_float(p, "epsilon", 1e-5f);
    return *epsilon >= 0 || parse_error(p, "epsilon is %g, must be at least 0", (double)*epsilon);
}

/* -- as other operators -- */

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *y =
        emit_normalised(e, n, n->in[INPUT], emit_axes_from(e, n, 2), *(const float *)n->attrs, EPSILON_IN_ROOT);

    out[0] = emit_per_channel(e, n, y, n->in[SCALE], n->in[BIAS]);
    return out[0];
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, SCALE, "scale", "ones", NULL },
    { PARAMETER_TRAINS, BIAS, "bias", "zeros", NULL },
    { 0 },
};

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3,4,5] f32[3] f32[3]", "", "f32[2,3,4,5]", 7 },                                                           \
        { "f64[2,3,4,5] f64[3] f64[3]", "epsilon=0.01", "f64[2,3,4,5]", 7 },                                           \
        { "f64[2,3,7] f64[3] f64[3]", "", "f64[2,3,7]", 7 },                                                           \
        { "f64[1,2,2,3,2] f64[2] f64[2]", "epsilon=0.1", "f64[1,2,2,3,2]", 7 },                                        \
        { "f16[2,3,4,5] f16[3] f16[3]", "", "f16[2,3,4,5]", 0 },                                                       \
    {                                                                                                                  \
        "f32[0,3,4] f32[3] f32[3]", "", "f32[0,3,4]", 0                                                                \
    }
static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES, { "bf16[2,3,4] bf16[3] bf16[3]", "", "bf16[2,3,4]", 0 }, { 0 } };

#define ROW(version, list, parser, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T input, T scale, T B -> T output", .types = list,                             \
        .attrs_size = sizeof(float), .parse = parser, .expand = expand, .parameters = parameters, .cases = tests       \
    }

const struct op op_instance_normalization = {
    .name = "InstanceNormalization",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16", parse, cases_22),
                                     ROW(6, "T: floats", parse, cases_1),
                                     ROW(1, "T: floats", parse, cases_1),
                                     { 0 } },
};
