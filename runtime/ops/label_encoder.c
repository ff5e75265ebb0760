/* LabelEncoder, https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
 *
 *   Y = values[i] where X is keys[i], the default where it is nowhere
 *
 * Version 1 has strings whose places are the numbers, and goes both ways. Of a key that is there several times the last
 * one counts: the text of version 4 says so, and of the others nothing (onnxruntime takes the first one in versions 2 and
 * 4). Floating-point keys are compared by their bits in version 2, so that -0 is not 0 and a NaN is found that is the
 * same one; and as numbers from version 4 on, where any NaN is as good as another. The text has it so; onnxruntime
 * compares numbers in version 2 as well, and finds no NaN there. */
#include "ops/label_map.h"
#include <string.h>

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    const struct attr *classes = attr_list(p, "classes_strings", ATTR_STRINGS);
    struct attr_values strings = { .dtype = STRING, .count = classes ? classes->count : 0 };
    int64_t *places = parse_alloc(p, strings.count * sizeof *places);

    if (classes)
        strings.data = parse_strings(p, strings.count, classes->strings);
    if (!places || (classes && !strings.data))
        return false;
    for (size_t k = 0; k < strings.count; k++)
        places[k] = (int64_t)k;
    return label_maps_make(p, attrs, &strings, &(struct attr_values){ I64, strings.count, places });
}

struct form {
    const char *keys, *values;
    enum attr_type type;
};
static const struct form forms[] = {
    { "keys_int64s", "values_int64s", ATTR_INTS },
    { "keys_floats", "values_floats", ATTR_FLOATS },
    { "keys_strings", "values_strings", ATTR_STRINGS },
    { "keys_tensor", "values_tensor", ATTR_TENSOR }, /* since version 4 */
};

static bool may_be(enum dtype dtype)
{
    return dtype == F32 || dtype == F64 || dtype == I16 || dtype == I32 || dtype == I64 || dtype == STRING;
}

/* That of its forms which is given; empty lists, which do not tell their type, may be there beside it. */
static bool list_of(struct parse *p, bool values, int versions, struct attr_values *out)
{
    const struct attr *found = NULL;
    bool holds = false;

    for (int k = 0; k < versions; k++) {
        const struct attr *a = attr_any(p, values ? forms[k].values : forms[k].keys);
        const bool empty = a && !a->count && a->type != ATTR_TENSOR;

        if (!a || (empty && found))
            continue;
        if (!empty && a->type != forms[k].type)
            return parse_error(p, "attribute '%s' is %s, must be %s", a->name, attr_type_name(a->type),
                               attr_type_name(forms[k].type));
        if (holds)
            return parse_error(p, "both '%s' and '%s' are given, must be one of them", found->name, a->name);
        *out = (struct attr_values){ .dtype = k == 0 ? I64 : k == 1 ? F32 : STRING };
        found = a;
        holds = !empty;
        if (holds && !attr_values(p, a, out))
            return false;
    }
    if (!found)
        return parse_error(p, "attribute '%s' is missing", values ? "values_*" : "keys_*");
    return may_be(out->dtype) ||
           parse_error(p, "attribute '%s' is of type %s, which has no labels", found->name, dtype_name(out->dtype));
}

union number_or_text {
    float f;
    double d;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    struct string *s;
};

/* What is not found becomes this: of the values' type. */
static bool default_of(struct parse *p, enum dtype dtype, union number_or_text *out)
{
    const float f = attr_float(p, "default_float", -0.F);
    const int64_t i = attr_int(p, "default_int64", -1);
    const char *const text = attr_string(p, "default_string", "_Unused");
    struct string **s = NULL;

    switch (dtype) {
    case F32:
        out->f = f;
        break;
    case F64:
        out->d = -0.;
        break;
    case I16:
        out->i16 = -1;
        break;
    case I32:
        out->i32 = -1;
        break;
    case I64:
        out->i64 = i;
        break;
    default:
        s = parse_strings(p, 1, &(struct bytes){ strlen(text), text });
        out->s = s ? *s : NULL;
        return s;
    }
    return true;
}

static bool parse_maps(struct parse *p, struct label_map *m, int versions, enum lookup_equality as)
{
    const struct tensor *given = versions == 4 ? attr_tensor(p, "default_tensor") : NULL;
    struct attr_values keys = { .dtype = UNDEFINED }, values = { .dtype = UNDEFINED };
    union number_or_text fallback;

    if (!list_of(p, false, versions, &keys) || !list_of(p, true, versions, &values) ||
        !default_of(p, values.dtype, &fallback))
        return false;
    if (given && (given->dtype != values.dtype || tensor_count(given) != 1)) {
        char text[TYPE_TEXT];

        return parse_error(p, "attribute 'default_tensor' is %s, must be one %s as the values are",
                           tensor_text(given, text), dtype_name(values.dtype));
    }
    return label_map_make(p, m, &keys, &values, given ? given->data : &fallback, as);
}

static bool parse_2(struct parse *p, void *attrs)
{
    return parse_maps(p, attrs, 3, LOOKUP_BITS);
}

static bool parse_4(struct parse *p, void *attrs)
{
    return parse_maps(p, attrs, 4, LOOKUP_NUMBERS);
}

/* -- plan, run -- */

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct label_map *)n->attrs)->to;
}

static bool infer(struct infer *i)
{
    return label_map_infer(i, infer_attrs(i));
}

static bool run(struct step *s)
{
    return label_map_run(s, s->attrs);
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "str[2,3]{'a','b','zz','','b','a'}", "classes_strings=['b','a','b']", "i64[2,3]", 0 },
    { "i64[4]{0,2,-1,3}", "classes_strings=['b','a','c'] default_string=''", "str[4]", 0 },
    { "str[0]{}", "classes_strings=['b'] default_int64=3", "i64[0]", 0 },
    { "str[]{'a'}", "classes_strings=['b','a']", "i64[]", 0 },
    { 0 },
};

#define CASES                                                                                                          \
    { "str[2,3]{'a','b','zz','','b','a'}", "keys_strings=['a','b'] values_int64s=[7,-3]", "i64[2,3]", 0 },             \
        { "i64[4]{7,-3,0,7}", "keys_int64s=[7,-3] values_strings=['a','b'] default_string='none'", "str[4]", 0 },      \
        { "str[2]{'b','c'}", "keys_strings=['c','b'] values_strings=['x','y']", "str[2]", 0 },                         \
        { "i64[2]{1,2}", "keys_int64s=[2,1] values_int64s=[3,4]", "i64[2]", 0 },                                       \
        { "i64[]{1}", "keys_int64s=[2,1] values_floats=[3.,4.]", "f32[]", 0 },                                         \
    {                                                                                                                  \
        "str[0,2]{}", "keys_strings=['a'] values_floats=[1.]", "f32[0,2]", 0                                           \
    }

static const struct op_case cases_2[] = {
    CASES,
    { "f32[4]{0.5,nan,0,1}", "keys_floats=[0.5,nan] values_floats=[1.,2.5] default_float=7.5", "f32[4]", 0 },
    { "f32[2]{1,2}", "keys_floats=[1.,2.] values_int64s=[3,4] default_int64=0", "i64[2]", 0 },
    { "f32[2]{1,2}", "keys_floats=[1.,2.] values_strings=['x','y']", "str[2]", 0 },
    { 0 },
};
static const struct op_case cases_4[] = {
    CASES,
    { "f64[3]{1,nan,-0.}", "keys_tensor=f64[2]{nan,0} values_tensor=i16[2]{3,4}", "i16[3]", 0 },
    { "i16[3]{1,2,3}", "keys_tensor=i16[2]{3,1} values_tensor=f64[2]{3,4} default_tensor=f64[1]{0.5}", "f64[3]", 0 },
    { "i32[3]{1,2,3}", "keys_tensor=i32[2]{3,1} values_strings=['x','y']", "str[3]", 0 },
    { "i64[3]{1,2,3}", "keys_int64s=[3,1] values_tensor=i32[2]{3,4} default_tensor=i32[]{9}", "i32[3]", 0 },
    { "str[2]{'x','y'}", "keys_tensor=str[1]{'y'} values_tensor=str[1]{'z'} default_tensor=str[1]{'none'}", "str[2]",
      0 },
    { "f32[3]{0.5,2,1}", "{ y0 = ai.onnx.ml.LabelEncoder <keys_floats = [0.5, 2.0], values_floats = [1.0, 3.0]> (x0) }",
      "f32[3]", 0 },
    { 0 },
};

#define ROW(version, list, parser, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T1 X -> T2 Y", .types = "T1: " list "; T2: " list,                             \
        .attrs_size = sizeof(struct label_map), .parse = parser, .dtype = told, .infer = infer, .run = run,            \
        .gradient = zero_gradient, .flags = OP_ELEMENTWISE, .cases = tests                                             \
    }

const struct op op_label_encoder = {
    .name = "LabelEncoder",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ ROW(4, "f32 f64 i16 i32 i64 str", parse_4, cases_4),
                                     ROW(2, "f32 i64 str", parse_2, cases_2),
                                     { .since = 1,
                                       .signature = "T1 X -> T2 Y",
                                       .types = "T1: i64 str; T2: i64 str",
                                       .attrs_size = sizeof(struct label_maps),
                                       .parse = parse_1,
                                       .dtype = label_maps_told,
                                       .infer = label_maps_infer,
                                       .run = label_maps_run,
                                       .gradient = zero_gradient,
                                       .flags = OP_ELEMENTWISE,
                                       .cases = cases_1 },
                                     { 0 } },
};
