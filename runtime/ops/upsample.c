/* Upsample, https://onnx.ai/onnx/operators/onnx__Upsample.html
 *
 * Resize, which took its place in opset 10, with the places of its first version: element k of an axis lies at k / scale,
 * and the nearest element is the one before. Scales below 1, which the standard does not allow, are refused where they
 * are an attribute; as an input they do what they do there. */
#include "ops/op.h"

enum { X, SCALES }; /* inputs */
enum { NEAREST, LINEAR };

struct upsample {
    int mode;
};

/* -- read -- */

static bool parse_9(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "nearest", "linear", NULL };

    ((struct upsample *)attrs)->mode = attr_choice(p, "mode", modes, NEAREST);
    return true;
}

static bool parse_7(struct parse *p, void *attrs)
{
    const struct attr *scales = attr_list(p, "scales", ATTR_FLOATS);

    if (!scales)
        return parse_error(p, "attribute 'scales' is missing");
    for (size_t k = 0; k < scales->count; k++)
        if (!(scales->floats[k] >= 1))
            return parse_error(p, "scales[%zu] is %g, must be at least 1", k, (double)scales->floats[k]);
    return constant_input(p, SCALES, F32, (int64_t)scales->count, scales->floats) && parse_9(p, attrs);
}

static bool parse_1(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "nearest", "bilinear", NULL };
    const float scales[] = { 1, 1, attr_float(p, "height_scale", 0), attr_float(p, "width_scale", 0) };

    for (int k = 2; k < 4; k++)
        if (!(scales[k] >= 1))
            return parse_error(p, "attribute '%s' is %g, must be at least 1", k == 2 ? "height_scale" : "width_scale",
                               (double)scales[k]);
    ((struct upsample *)attrs)->mode = attr_choice(p, "mode", modes, NEAREST);
    return constant_input(p, SCALES, F32, 4, scales);
}

/* -- as another operator -- */

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct upsample *const a = n->attrs;

    out[0] = emit(e, "Resize",
                  a->mode == LINEAR ? "coordinate_transformation_mode='asymmetric' mode='linear'"
                                    : "coordinate_transformation_mode='asymmetric' mode='nearest' nearest_mode='floor'",
                  3, n->in[X], NULL, n->in[SCALES]);
    return out[0];
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "f32[1,1,2,2]", "height_scale=2.0 width_scale=3.0", "f32[1,1,4,6]", 1 },
    { "f64[1,2,2,3]", "mode='bilinear' height_scale=1.5 width_scale=2.0", "f64[1,2,3,6]", 1 },
    { "i64[1,1,1,2]", "height_scale=2.0 width_scale=1.0", "i64[1,1,2,2]", 0 },
    { 0 },
};
static const struct op_case cases_7[] = {
    { "f32[1,1,2,2]", "scales=[1.0,1.0,2.0,3.0]", "f32[1,1,4,6]", 1 },
    { "f64[1,2,2,3]", "mode='linear' scales=[1.0,1.0,1.5,2.0]", "f64[1,2,3,6]", 1 },
    { "str[3]", "scales=[2.0]", "str[6]", 0 },
    { "i8[0,2]", "scales=[2.0,1.0]", "i8[0,2]", 0 },
    { 0 },
};
static const struct op_case cases[] = {
    { "f32[1,1,2,2] f32[4]{1,1,2,3}", "", "f32[1,1,4,6]", 1 },
    { "f64[1,2,2,3] f32[4]{1,1,1.5,2}", "mode='linear'", "f64[1,2,3,6]", 1 },
    { "str[3] f32[1]{2}", "", "str[6]", 0 },
    { "f16[2,3] f32[2]{1,2}", "mode='linear'", "f16[2,6]", 0 },
    { "i8[0,2] f32[2]{2,1}", "", "i8[0,2]", 0 },
    { 0 },
};

#define ROW(version)                                                                                                   \
    {                                                                                                                  \
        .since = version, .signature = "T X, I scales -> T Y", .types = "T: all; I: f32",                              \
        .attrs_size = sizeof(struct upsample), .parse = parse_9, .expand = expand, .cases = cases                      \
    }

const struct op op_upsample = {
    .name = "Upsample",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(10),
                                     ROW(9),
                                     { .since = 7,
                                       .signature = "T X -> T Y",
                                       .types = "T: all",
                                       .attrs_size = sizeof(struct upsample),
                                       .parse = parse_7,
                                       .expand = expand,
                                       .cases = cases_7 },
                                     { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: floats i32 i64 bool",
                                       .attrs_size = sizeof(struct upsample),
                                       .parse = parse_1,
                                       .expand = expand,
                                       .cases = cases_1 },
                                     { 0 } },
};
