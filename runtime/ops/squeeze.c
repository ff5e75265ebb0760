/* Squeeze, https://onnx.ai/onnx/operators/onnx__Squeeze.html
 *
 * Takes out the dimensions of 1 that `axes` names, or all of them. The gradient is reshaped back. */
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/view.h"

enum { DATA, AXES };

/* -- read -- */

static bool parse_1(struct parse *p, void *attrs)
{
    (void)attrs;
    return ints_input(p, AXES, "axes");
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k), axes = known_length(n, AXES);

    return axes < 0 || x < axes ? UNKNOWN : x - axes;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, DATA);
    int64_t dims[MAX_RANK];
    struct ints axes;
    uint32_t out = 0;
    int rank = 0;

    if (!ints_in(i, AXES, &axes) || !axes_mask(i, &axes, x->rank, &out))
        return false;
    for (int d = 0; d < x->rank; d++) {
        if (!typed_in(i, AXES) && x->dims[d] == 1)
            continue;
        if (!(out >> d & 1))
            dims[rank++] = x->dims[d];
        else if (x->dims[d] != 1)
            return infer_error(i, "dimension %d of 'data' is %lld, must be 1 to be taken out", d,
                               (long long)x->dims[d]);
    }
    return view_out(i, rank, dims);
}

/* Without axes a single row would lose its dimension, too. */
static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    return n->inputs > AXES && n->in[AXES] && rows_of_first(n, types, rows);
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "f32[1,3,1,4]", "", "f32[3,4]", 1 },
    { "f64[1,3,1,4]", "axes=[2]", "f64[1,3,4]", 1 },
    { "i32[1,1]", "", "i32[]", 0 },
    { "f32[0,1]", "axes=[1]", "f32[0]", 0 },
    { 0 },
};
static const struct op_case cases_13[] = {
    { "f32[1,3,1,4]", "", "f32[3,4]", 1 },      { "f64[1,3,1,4] i64[2]{-2,0}", "", "f64[3,4]", 1 },
    { "str[1,1] i64[1]{-1}", "", "str[1]", 0 }, { "i32[1,1]", "", "i32[]", 0 },
    { "f32[0,1] i64[1]{1}", "", "f32[0]", 0 },  { 0 },
};

#define ROW(version, t, ...)                                                                                           \
    {                                                                                                                  \
        .since = version, .types = "T: " t, .rank = rank, .infer = infer, .gradient = view_gradient,                   \
        .batch_independent = batch_independent, __VA_ARGS__                                                            \
    }
#define ROW_13(version, small)                                                                                         \
    ROW(version, "all bf16" small "; I: i64", .signature = "T data, I axes? -> T squeezed", .flags = OP_REARRANGES,    \
        .cases = cases_13)
#define ROW_1(version)                                                                                                 \
    ROW(version, "all", .signature = "T data -> T squeezed", .parse = parse_1, .flags = OP_REARRANGES, .cases = cases_1)

const struct op op_squeeze = {
    .name = "Squeeze",
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
