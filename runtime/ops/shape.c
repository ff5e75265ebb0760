/* Shape, https://onnx.ai/onnx/operators/onnx__Shape.html
 *
 * The dimensions of the input from `start` to before `end`, known when planning. They do not depend on its elements: no
 * gradient flows. */
#include "ops/layout.h"
#include "ops/rank.h"
#include <string.h>

struct shape {
    int64_t start, end;
    bool channels_last; /* the dimensions come as ONNX has them all the same */
};

/* -- read -- */

static bool parse_15(struct parse *p, void *attrs)
{
    struct shape *a = attrs;

    a->start = attr_int(p, "start", 0);
    a->end = attr_int(p, "end", INT64_MAX);
    return true;
}

static bool parse_1(struct parse *p, void *attrs)
{
    struct shape *a = attrs;

    (void)p;
    a->end = INT64_MAX;
    return true;
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct shape *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

/* -- plan -- */

static int clamp(int64_t axis, int rank)
{
    if (axis < 0)
        axis = axis < -rank ? 0 : axis + rank;
    return axis > rank ? rank : (int)axis;
}

static bool infer(struct infer *i)
{
    const struct shape *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    const int start = clamp(a->start, x->rank), end = clamp(a->end, x->rank);
    const int64_t count = end > start ? end - start : 0;
    const struct tensor onnx = layout_onnx(a->channels_last, x);
    int64_t *dims;

    if (!set_out(i, 0, I64, 1, &count))
        return false;
    dims = known_out(i, 0);
    if (!dims)
        return !typed_out(i, 0);
    if (count)
        memcpy(dims, onnx.dims + start, (size_t)count * sizeof *dims);
    return true;
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3,4]", "", "i64[3]", 0 }, { "str[0]", "", "i64[1]", 0 },                                                  \
    {                                                                                                                  \
        "bool[]", "", "i64[0]", 0                                                                                      \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_15[] = {
    CASES,
    { "f64[2,3,4,5]", "start=1 end=-1", "i64[2]", 0 },
    { "f32[2,3,4]", "start=-9 end=9", "i64[3]", 0 },
    { "f32[2,3,4]", "start=2 end=1", "i64[0]", 0 },
    { 0 },
};

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T data -> T1 shape", .types = "T: " t "; T1: i64",                             \
        .attrs_size = sizeof(struct shape), .parse = parser, .rank = rank_of_vector, .infer = infer,                   \
        .gradient = zero_gradient, .channels_last = channels_last, .flags = OP_SHAPE_ONLY, .cases = tests              \
    }
#define ROW_15(version, small) ROW(version, "all bf16" small, parse_15, cases_15)

const struct op op_shape = {
    .name = "Shape",
    .domain = "",
    .defs = (const struct op_def[]){ ROW_15(25, " ir13"),
                                     ROW_15(24, " ir12"),
                                     ROW_15(23, " ir11"),
                                     ROW_15(21, " ir10"),
                                     ROW_15(19, " ir9"),
                                     ROW_15(15, ""),
                                     ROW(13, "all bf16", parse_1, cases_1),
                                     ROW(1, "all", parse_1, cases_1),
                                     { 0 } },
};
