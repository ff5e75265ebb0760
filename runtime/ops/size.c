/* Size, https://onnx.ai/onnx/operators/onnx__Size.html
 *
 * How many elements the input has, known when planning. It does not depend on them: no gradient flows. */
#include "ops/op.h"
#include "ops/rank.h"

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 0;
}

static bool infer(struct infer *i)
{
    int64_t *count;

    if (!set_out(i, 0, I64, 0, NULL))
        return false;
    count = known_out(i, 0);
    if (!count)
        return !typed_out(i, 0);
    *count = tensor_count(typed_in(i, 0));
    return true;
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    (void)n;
    (void)rank;
    (void)attrs;
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "i64[]", 0 }, { "str[0]", "", "i64[]", 0 }, { "bool[]", "", "i64[]", 0 }, { 0 }
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T data -> T1 size", .types = "T: " t "; T1: i64", .rank = rank,                \
        .infer = infer, .gradient = zero_gradient, .channels_last = channels_last, .flags = OP_SHAPE_ONLY,             \
        .cases = cases                                                                                                 \
    }

const struct op op_size = {
    .name = "Size",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, "all bf16 ir13"),
                                     ROW(24, "all bf16 ir12"),
                                     ROW(23, "all bf16 ir11"),
                                     ROW(21, "all bf16 ir10"),
                                     ROW(19, "all bf16 ir9"),
                                     ROW(13, "all bf16"),
                                     ROW(1, "all"),
                                     { 0 } },
};
