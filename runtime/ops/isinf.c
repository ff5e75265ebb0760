/* IsInf, https://onnx.ai/onnx/operators/onnx__IsInf.html
 *
 *   Y = X is infinite, of a sign that is looked for        constant in pieces: its gradient is zero
 *
 * Of the float8 types float8e5m2 alone has infinities. */
#define EXPR ((x == (T)INFINITY && alpha > 0) || (x == -(T)INFINITY && beta > 0)) /* positive ones, negative ones */
#include "ops/float_test.h"

struct isinf {
    bool negative, positive;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct isinf *a = attrs;

    a->negative = attr_int(p, "detect_negative", 1) != 0;
    a->positive = attr_int(p, "detect_positive", 1) != 0;
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct isinf *a = s->attrs;

    return float_test(s, (struct numbers){ .alpha = a->positive, .beta = a->negative });
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3]", "", "bool[2,3]", 0 }, { "f32[4]{nan,-inf,0,inf}", "", "bool[4]", 0 },                                \
        { "f32[4]{nan,-inf,0,inf}", "detect_negative=0", "bool[4]", 0 },                                               \
        { "f64[4]{nan,-inf,0,inf}", "detect_positive=0", "bool[4]", 0 },                                               \
        { "f64[3]{-inf,0,inf}", "detect_positive=0 detect_negative=0", "bool[3]", 0 },                                 \
        { "f64[600]", "", "bool[600]", 0 }, { "f32[]", "", "bool[]", 0 },                                              \
    {                                                                                                                  \
        "f64[0,3]", "", "bool[0,3]", 0                                                                                 \
    }

static const struct op_case cases_10[] = { CASES, { 0 } };
static const struct op_case cases_20[] = { CASES,
                                           { "f16[3]{nan,inf,1}", "", "bool[3]", 0 },
                                           { "bf16[3]{nan,-inf,1}", "detect_positive=0", "bool[3]", 0 },
                                           { "f8e4m3fn[3]{nan,448,1}", "", "bool[3]", 0 },
                                           { "f8e5m2[4]{nan,inf,-inf,1}", "detect_negative=0", "bool[4]", 0 },
                                           { "f8e4m3fnuz[300]", "", "bool[300]", 0 },
                                           { "f8e5m2fnuz[2,3]", "", "bool[2,3]", 0 },
                                           { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 X -> T2 Y", .types = "T1: " list "; T2: bool",                              \
        .attrs_size = sizeof(struct isinf), .parse = parse, COMPARISON_PARTS, .cases = tests                           \
    }

const struct op op_isinf = {
    .name = "IsInf",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(20, "floats bf16 ir9", cases_20), ROW(10, "f32 f64", cases_10), { 0 } },
};
