/* Reshape, https://onnx.ai/onnx/operators/onnx__Reshape.html
 *
 * The same elements under the dimensions in `shape`: one of them may be -1 and follows from the others; 0 copies the
 * dimension of the input, or is a 0 where allowzero is set. The gradient is reshaped back. */
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/view.h"

enum { DATA, SHAPE };

struct reshape {
    bool allowzero;
};

/* -- read -- */

static bool parse_14(struct parse *p, void *attrs)
{
    struct reshape *a = attrs;

    a->allowzero = attr_int(p, "allowzero", 0) != 0;
    return true;
}

static bool parse_1(struct parse *p, void *attrs)
{
    (void)attrs;
    return attr_given(p, "shape") ? ints_input(p, SHAPE, "shape") : parse_error(p, "attribute 'shape' is missing");
}

/* -- plan -- */

/* Elements that the -1 shares with the other dimensions: copied ones stand on both sides and are left out, so that a
 * batch of 0 can be flattened. */
static bool free_dim(struct infer *i, const struct tensor *x, const bool *copied, int rank, int free, int64_t *dims)
{
    int64_t count = 1, known = 1;

    for (int d = 0; d < x->rank; d++)
        count *= d < rank && copied[d] ? 1 : x->dims[d];
    for (int d = 0; d < rank; d++)
        if (d != free && !copied[d] && !mul_size(known, dims[d], &known))
            return infer_error(i, "'shape' has more elements than can be counted");
    if (!known || count % known)
        return infer_error(i, "-1 in 'shape' must make %lld elements of %lld", (long long)count, (long long)known);
    dims[free] = count / known;
    return true;
}

static bool infer(struct infer *i)
{
    const struct reshape *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, DATA);
    bool copied[MAX_RANK] = { false };
    int64_t dims[MAX_RANK], count = 1;
    struct ints shape;
    int free = -1;

    if (!ints_in(i, SHAPE, &shape))
        return false;
    if (shape.count > MAX_RANK)
        return infer_error(i, "'shape' has %d dimensions, at most %d are supported", shape.count, (int)MAX_RANK);
    for (int d = 0; d < shape.count; d++) {
        dims[d] = shape.v[d];
        copied[d] = dims[d] == 0 && !a->allowzero;
        if (copied[d] && d >= x->rank)
            return infer_error(i, "'shape' copies dimension %d of 'data', which has %d", d, x->rank);
        if (dims[d] < -1)
            return infer_error(i, "'shape' holds %lld, must be at least -1", (long long)dims[d]);
        if (dims[d] == -1 && free >= 0)
            return infer_error(i, "'shape' holds -1 more than once");
        if (copied[d])
            dims[d] = x->dims[d];
        if (dims[d] == -1)
            free = d;
    }
    if (free >= 0 && !free_dim(i, x, copied, shape.count, free, dims))
        return false;
    for (int d = 0; d < shape.count; d++)
        if (!mul_size(count, dims[d], &count))
            return infer_error(i, "'shape' has more elements than can be counted");
    if (count != tensor_count(x))
        return infer_error(i, "'data' has %lld elements, 'shape' has %lld", (long long)tensor_count(x),
                           (long long)count);
    return view_out(i, shape.count, dims);
}

/* A row of as many elements as before, where the first dimension follows from how many there are. */
static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    const struct reshape *a = n->attrs;
    const struct tensor *const shape = value_constant(n->in[SHAPE]);
    const int64_t first = shape && shape->dtype == I64 && tensor_count(shape) > 0 ? *(const int64_t *)shape->data : 1;

    return rows_of_first(n, types, rows) && (first == -1 || (first == 0 && !a->allowzero));
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[2,3,4] i64[2]{4,-1}", "", "f32[4,6]", 1 << DATA },                                                          \
        { "f64[2,3,4] i64[4]{0,0,1,-1}", "", "f64[2,3,1,4]", 1 << DATA }, { "i8[1,1] i64[0]", "", "i8[]", 0 },         \
        { "str[6] i64[2]{2,3}", "", "str[2,3]", 0 }, { "c128[5] i64[1]{-1}", "", "c128[5]", 0 },                       \
    {                                                                                                                  \
        "f32[0,3,4] i64[2]{0,-1}", "", "f32[0,12]", 0                                                                  \
    }

static const struct op_case cases_5[] = { CASES, { 0 } };
static const struct op_case cases_14[] = {
    CASES,
    { "f32[0,3,4] i64[3]{3,4,0}", "allowzero=1", "f32[3,4,0]", 0 },
    { "f16[4] i64[2]{2,-1}", "allowzero=1", "f16[2,2]", 0 },
    { "i4[3,5] i64[1]{-1}", "", "i4[15]", 0 },
    { "f8e5m2[2,3] i64[2]{3,2}", "", "f8e5m2[3,2]", 0 },
    { "i2[4] i64[2]{2,2}", "", "i2[2,2]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "f32[2,3,4]", "shape=[4,-1]", "f32[4,6]", 1 },
    { "f64[2,3,4]", "shape=[0,0,1,-1]", "f64[2,3,1,4]", 1 },
    { "f16[0,3,4]", "shape=[0,-1]", "f16[0,12]", 0 },
    { 0 },
};

#define ROW(version, t, parser, tests)                                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T data, I shape -> T reshaped", .types = "T: " t "; I: i64",                   \
        .attrs_size = sizeof(struct reshape), .parse = parser, .rank = rank_of_shape_1, .infer = infer,                \
        .gradient = view_gradient, .batch_independent = batch_independent, .flags = OP_REARRANGES, .cases = tests      \
    }

const struct op op_reshape = {
    .name = "Reshape",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, "all bf16 ir13", parse_14, cases_14),
                                     ROW(24, "all bf16 ir12", parse_14, cases_14),
                                     ROW(23, "all bf16 ir11", parse_14, cases_14),
                                     ROW(21, "all bf16 ir10", parse_14, cases_14),
                                     ROW(19, "all bf16 ir9", parse_14, cases_14),
                                     ROW(14, "all bf16", parse_14, cases_14),
                                     ROW(13, "all bf16", NULL, cases_5),
                                     ROW(5, "all", NULL, cases_5),
                                     { .since = 1,
                                       .signature = "T data -> T reshaped",
                                       .types = "T: floats",
                                       .attrs_size = sizeof(struct reshape),
                                       .parse = parse_1,
                                       .rank = rank_of_shape_1,
                                       .infer = infer,
                                       .gradient = view_gradient,
                                       .batch_independent = batch_independent,
                                       .flags = OP_REARRANGES,
                                       .cases = cases_1 },
                                     { 0 } },
};
