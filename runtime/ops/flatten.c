/* Flatten, https://onnx.ai/onnx/operators/onnx__Flatten.html
 *
 * A matrix: the dimensions before `axis` make its rows, all others its columns. The gradient is reshaped back. */
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/view.h"

struct flatten {
    int64_t axis;
};

/* -- read -- */

static bool parse_11(struct parse *p, void *attrs)
{
    struct flatten *a = attrs;

    a->axis = attr_int(p, "axis", 1);
    return true;
}

static bool parse_1(struct parse *p, void *attrs)
{
    struct flatten *a = attrs;

    a->axis = attr_int(p, "axis", 1);
    return a->axis >= 0 || parse_error(p, "axis is %lld, must be at least 0 before opset 11", (long long)a->axis);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct flatten *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;

    if (axis < 0 || axis > x->rank)
        return infer_error(i, "axis is %lld, must be in [%d, %d]", (long long)a->axis, -x->rank, x->rank);
    return view_out(
        i, 2, (const int64_t[]){ dims_product(x->dims, 0, (int)axis), dims_product(x->dims, (int)axis, x->rank) });
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3,4]", "", "f32[2,12]", 1 }, { "f64[2,3,4]", "axis=0", "f64[1,24]", 1 },                                  \
        { "f16[2,3]", "axis=2", "f16[6,1]", 0 }, { "f32[0,3,4]", "", "f32[0,12]", 0 },                                 \
    {                                                                                                                  \
        "f32[]", "axis=0", "f32[1,1]", 1                                                                               \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_9[] = { CASES, { "i64[2,3,4,5]", "axis=2", "i64[6,20]", 0 }, { 0 } };
static const struct op_case cases_11[] = { CASES, { "u8[2,3,4,5]", "axis=-1", "u8[24,5]", 0 }, { 0 } };

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T input -> T output", .types = "T: " t, .attrs_size = sizeof(struct flatten),  \
        .parse = parser, .rank = rank_of_matrix, .infer = infer, .gradient = view_gradient,                            \
        .batch_independent = rows_of_first, .flags = OP_REARRANGES, .cases = tests                                     \
    }

const struct op op_flatten = {
    .name = "Flatten",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, "all bf16 ir13", parse_11, cases_11),
                                     ROW(24, "all bf16 ir12", parse_11, cases_11),
                                     ROW(23, "all bf16 ir11", parse_11, cases_11),
                                     ROW(21, "all bf16 ir10", parse_11, cases_11),
                                     ROW(13, "all bf16", parse_11, cases_11),
                                     ROW(11, "all", parse_11, cases_11),
                                     ROW(9, "all", parse_1, cases_9),
                                     ROW(1, "floats", parse_1, cases_1),
                                     { 0 } },
};
