/* Unsqueeze, https://onnx.ai/onnx/operators/onnx__Unsqueeze.html
 *
 * Puts in dimensions of 1; `axes` says where they stand in the output. The gradient is reshaped back. */
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/view.h"

enum { DATA, AXES };

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    (void)attrs;
    if (!attr_given(p, "axes"))
        return parse_error(p, "attribute 'axes' is missing");
    return ints_input(p, AXES, "axes");
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k), axes = known_length(n, AXES);

    return axes < 0 || x < 0 ? UNKNOWN : x + axes;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, DATA);
    int64_t dims[MAX_RANK];
    struct ints axes;
    uint32_t new;
    int from = 0;

    if (!ints_in(i, AXES, &axes))
        return false;
    if (x->rank + axes.count > MAX_RANK)
        return infer_error(i, "the output would have %d dimensions, at most %d are supported", x->rank + axes.count,
                           (int)MAX_RANK);
    if (!axes_mask(i, &axes, x->rank + axes.count, &new))
        return false;
    for (int d = 0; d < x->rank + axes.count; d++)
        dims[d] = new >> d & 1 ? 1 : x->dims[from++];
    return view_out(i, x->rank + axes.count, dims);
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "f32[3,4]", "axes=[0,3]", "f32[1,3,4,1]", 1 },
    { "u16[]", "axes=[0]", "u16[1]", 0 },
    { "f64[0]", "axes=[1]", "f64[0,1]", 0 },
    { 0 },
};
static const struct op_case cases_13[] = {
    { "f32[3,4] i64[2]{3,0}", "", "f32[1,3,4,1]", 1 },
    { "f64[3,4,5] i64[3]{-1,2,4}", "", "f64[3,4,1,5,1,1]", 1 },
    { "str[2] i64[1]{-1}", "", "str[2,1]", 0 },
    { "u16[] i64[1]{0}", "", "u16[1]", 0 },
    { "f64[0] i64[0]", "", "f64[0]", 0 },
    { 0 },
};

#define ROW(version, t, ...)                                                                                           \
    {                                                                                                                  \
        .since = version, .types = "T: " t, .rank = rank, .infer = infer, .gradient = view_gradient,                   \
        .batch_independent = rows_of_first, __VA_ARGS__                                                                \
    }
#define ROW_13(version, small)                                                                                         \
    ROW(version, "all bf16" small "; I: i64", .signature = "T data, I axes -> T expanded", .flags = OP_REARRANGES,     \
        .cases = cases_13)
#define ROW_1(version)                                                                                                 \
    ROW(version, "all", .signature = "T data -> T expanded", .parse = parse_1, .flags = OP_REARRANGES, .cases = cases_1)

const struct op op_unsqueeze = {
    .name = "Unsqueeze",
    .domain = "",
    .defs = (const struct op_def[]){ ROW_13(25, " ir13"),
                                     ROW_13(24, " ir12"),
                                     ROW_13(23, " ir11"),
                                     ROW_13(21, " ir10"),
                                     ROW_13(13, ""),
                                     ROW_1(11),
                                     ROW_1(1),
                                     { 0 } },
};
