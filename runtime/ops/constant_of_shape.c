/* ConstantOfShape, https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html
 *
 * A tensor of the shape that the input holds, all of one value (a float 0 where it is not given). It depends on no
 * float: no gradient flows. */
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

struct fill {
    enum dtype dtype;
    char value[16];
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const struct tensor *value = attr_tensor(p, "value");
    struct fill *a = attrs;

    a->dtype = value ? value->dtype : F32;
    if (value && (tensor_count(value) != 1 || value->dtype == STRING))
        return parse_error(p, "attribute 'value' has %lld values of type %s, must be one number",
                           (long long)tensor_count(value), dtype_name(value->dtype));
    if (dtype_is_small(a->dtype) && !output_may_be(p, 0, a->dtype))
        return false;
    if (value)
        memcpy(a->value, value->data, dtype_size(value->dtype));
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct fill *a = infer_attrs(i);
    struct ints shape;

    if (!ints_in(i, 0, &shape))
        return false;
    for (int d = 0; d < shape.count; d++)
        if (shape.v[d] < 0)
            return infer_error(i, "'input' holds %lld, must be at least 0", (long long)shape.v[d]);
    return set_out(i, 0, a->dtype, shape.count, shape.v);
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct fill *a = s->attrs;

    move_fill(s->pool, dtype_size(a->dtype), a->value, tensor_count(s->out[0]), s->out[0]->data);
    return true;
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct fill *)n->attrs)->dtype;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "i64[2]{2,3}", "", "f32[2,3]", 0 },
    { "i64[0]", "", "f32[]", 0 },
    { "i64[3]{2,0,3}", "", "f32[2,0,3]", 0 },
    { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T1 input -> T2 output", .types = "T1: i64; T2: floats ints uints bool" t,      \
        .attrs_size = sizeof(struct fill), .parse = parse, .rank = rank_of_shape_0, .dtype = told, .infer = infer,     \
        .run = run, .gradient = zero_gradient, .cases = cases                                                          \
    }

const struct op op_constant_of_shape = {
    .name = "ConstantOfShape",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, " bf16 ir13"),
                                     ROW(24, " bf16 ir12"),
                                     ROW(23, " bf16 ir11"),
                                     ROW(21, " bf16 ir10"),
                                     ROW(20, " bf16 ir9"),
                                     ROW(9, ""),
                                     { 0 } },
};
