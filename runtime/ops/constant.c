/* Constant, https://onnx.ai/onnx/operators/onnx__Constant.html
 *
 * The value of its attribute; known when planning. It depends on nothing: no gradient flows. */
#include "ops/constant.h"
#include "ops/rank.h"
#include <string.h>

/* -- read -- */

/* A copy of `count` elements, a scalar where count is below 0. */
static bool hold(struct parse *p, struct constant *a, enum dtype dtype, int64_t count, const void *data)
{
    if (!tensor_shape(&a->value, dtype, count < 0 ? 0 : 1, &count))
        return parse_error(p, "the value has more elements than can be counted");
    a->value.data = parse_alloc(p, (size_t)tensor_bytes(&a->value));
    if (a->value.data && tensor_bytes(&a->value))
        memcpy(a->value.data, data, (size_t)tensor_bytes(&a->value));
    return a->value.data;
}

static bool hold_strings(struct parse *p, struct constant *a, int64_t count, const struct bytes *strings)
{
    if (!tensor_shape(&a->value, STRING, count < 0 ? 0 : 1, &count))
        return parse_error(p, "the value has more elements than can be counted");
    a->value.data = parse_strings(p, (size_t)tensor_count(&a->value), strings);
    return a->value.data;
}

static bool hold_tensor(struct parse *p, struct constant *a, const struct attr *from)
{
    a->value = *from->tensor;
    /* before opset 9 the standard has floats alone, but files have others */
    return !dtype_is_small(a->value.dtype) || output_may_be(p, 0, a->value.dtype);
}

static bool read_value(struct parse *p, struct constant *a, const struct attr *from)
{
    switch (from->type) {
    case ATTR_FLOAT:
        return hold(p, a, F32, -1, &from->f);
    case ATTR_INT:
        return hold(p, a, I64, -1, &from->i);
    case ATTR_STRING:
        return hold_strings(p, a, -1, &from->s);
    case ATTR_FLOATS:
        return hold(p, a, F32, (int64_t)from->count, from->floats);
    case ATTR_INTS:
        return hold(p, a, I64, (int64_t)from->count, from->ints);
    case ATTR_STRINGS:
        return hold_strings(p, a, (int64_t)from->count, from->strings);
    default:
        return hold_tensor(p, a, from);
    }
}

struct form {
    const char *name;
    enum attr_type type;
    int since;
};

static const struct form forms[] = {
    { "value", ATTR_TENSOR, 1 },         { "sparse_value", ATTR_SPARSE_TENSOR, 11 },
    { "value_float", ATTR_FLOAT, 12 },   { "value_floats", ATTR_FLOATS, 12 },
    { "value_int", ATTR_INT, 12 },       { "value_ints", ATTR_INTS, 12 },
    { "value_string", ATTR_STRING, 12 }, { "value_strings", ATTR_STRINGS, 12 },
};

static bool parse(struct parse *p, void *attrs)
{
    const struct attr *found = NULL;

    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        const struct attr *a = parse_opset(p) < forms[k].since ? NULL : attr_any(p, forms[k].name);

        if (!a)
            continue;
        if (found)
            return parse_error(p, "both '%s' and '%s' are given, must be one of them", found->name, a->name);
        if (a->type != forms[k].type && !(a->type == ATTR_INTS && !a->count)) /* an empty list does not tell its type */
            return parse_error(p, "attribute '%s' is %s, must be %s", a->name, attr_type_name(a->type),
                               attr_type_name(forms[k].type));
        found = a;
    }
    if (found)
        return read_value(p, attrs, found);
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        if (attr_any(p, forms[k].name))
            return parse_error(p, "attribute '%s' needs opset %d, and the model's is %d", forms[k].name, forms[k].since,
                               parse_opset(p));
    return parse_error(p, "attribute 'value' is missing");
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    (void)k;
    return ((const struct constant *)n->attrs)->value.rank;
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct constant *)n->attrs)->value.dtype;
}

static bool infer(struct infer *i)
{
    const struct constant *a = infer_attrs(i);
    void *to;

    if (!set_out(i, 0, a->value.dtype, a->value.rank, a->value.dims))
        return false;
    to = known_out(i, 0);
    if (!to)
        return !typed_out(i, 0);
    if (tensor_bytes(&a->value))
        memcpy(to, a->value.data, (size_t)tensor_bytes(&a->value));
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "", "value_float=1.5", "f32[]", 0 },     { "", "value_floats=[1.5,-2.0,3.25]", "f32[3]", 0 },
    { "", "value_int=-7", "i64[]", 0 },        { "", "value_ints=[1,2]", "i64[2]", 0 },
    { "", "value_string='kiln'", "str[]", 0 }, { 0 },
};
static const struct op_case tensors[] = {
    { "", "{ y0 = Constant <value = float[2] {1, -2}> () }", "f32[2]", 0 },
    { "", "{ y0 = Constant <value = int64 {7}> () }", "i64[]", 0 },
    { 0 },
};

static const struct op_case cases_19[] = {
    { "", "{ y0 = Constant <value = float8e5m2[3] {60, 188, 124}> () }", "f8e5m2[3]", 0 },
    { "", "value_float=1.5", "f32[]", 0 },
    { "", "value_string='kiln'", "str[]", 0 },
    { 0 },
};
static const struct op_case cases_21[] = {
    { "", "{ y0 = Constant <value = int4[3] {225, 7}> () }", "i4[3]", 0 },
    { "", "{ y0 = Constant <value = uint4 {15}> () }", "u4[]", 0 },
    { 0 },
};
static const struct op_case cases_23[] = {
    { "", "{ y0 = Constant <value = float4e2m1[1,3] {161, 15}> () }", "f4e2m1[1,3]", 0 },
    { 0 },
};
static const struct op_case cases_24[] = {
    { "", "{ y0 = Constant <value = float8e8m0[2] {127, 255}> () }", "f8e8m0[2]", 0 },
    { 0 },
};
static const struct op_case cases_25[] = {
    { "", "value_floats=[1.5,-2.0,3.25]", "f32[3]", 0 },
    { "", "{ y0 = Constant <value = int2[5] {228, 1}> () }", "i2[5]", 0 },
    { "", "{ y0 = Constant <value = uint2[0] {}> () }", "u2[0]", 0 },
    { 0 },
};

#define ROW(version, t, tests)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "-> T output", .types = "T: " t, .attrs_size = sizeof(struct constant),         \
        .parse = parse, .rank = rank, .dtype = told, .infer = infer, .gradient = zero_gradient, .cases = tests         \
    }

const struct op op_constant = {
    .name = "Constant",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, "all bf16 ir13", cases_25),
                                     ROW(24, "all bf16 ir12", cases_24),
                                     ROW(23, "all bf16 ir11", cases_23),
                                     ROW(21, "all bf16 ir10", cases_21),
                                     ROW(19, "all bf16 ir9", cases_19),
                                     ROW(13, "all bf16", cases),
                                     ROW(12, "all", cases),
                                     ROW(11, "all", tensors),
                                     ROW(9, "all", tensors),
                                     ROW(1, "floats", tensors),
                                     { 0 } },
};
