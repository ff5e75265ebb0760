/* Expand, https://onnx.ai/onnx/operators/onnx__Expand.html
 *
 * Repeats the input along dimensions of 1 to the shape that it and `shape` have when broadcast together. The gradient
 * is summed over what was repeated. */
#include "ops/move.h"
#include "ops/rank.h"
#include <string.h>

enum { INPUT, SHAPE };

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k), shape = known_length(n, SHAPE);

    return x < 0 || shape < 0 ? UNKNOWN : x > shape ? x : shape;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT);
    int64_t dims[MAX_RANK];
    struct ints shape;
    struct tensor to;
    int rank = 0;

    if (!ints_in(i, SHAPE, &shape))
        return false;
    if (shape.count > MAX_RANK)
        return infer_error(i, "'shape' has %d dimensions, at most %d are supported", shape.count, (int)MAX_RANK);
    for (int d = 0; d < shape.count; d++)
        if (shape.v[d] < 0)
            return infer_error(i, "'shape' holds %lld, must be at least 0", (long long)shape.v[d]);
    if (!tensor_shape(&to, U8, shape.count, shape.v))
        return infer_error(i, "'shape' has more elements than can be counted");
    if (!broadcast(&rank, dims, x) || !broadcast(&rank, dims, &to)) {
        char from_text[TYPE_TEXT], to_text[TYPE_TEXT];

        return infer_error(i, "'input', %s, cannot be broadcast with 'shape', %s", tensor_text(x, from_text),
                           strchr(tensor_text(&to, to_text), '['));
    }
    return set_out(i, 0, x->dtype, rank, dims);
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[INPUT], *y = s->out[0];
    struct move m = { .size = dtype_size(x->dtype), .rank = y->rank };
    const int new = y->rank - x->rank;

    memcpy(m.dims, y->dims, (size_t)y->rank * sizeof *m.dims);
    move_strides(y->rank, y->dims, m.out);
    move_strides(x->rank, x->dims, m.in + new);
    for (int d = 0; d < y->rank; d++)
        if (d < new || x->dims[d - new] == 1)
            m.in[d] = 0;
    move_run(s->k, s->pool, &m, x->data, y->data);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    give_unbroadcast(b, INPUT, upstream(b, 0));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,1] i64[3]{2,1,4}", "", "f32[2,3,4]", 1 }, { "f64[2,3,1] i64[1]{1}", "", "f64[2,3,1]", 1 },
    { "f32[] i64[2]{2,3}", "", "f32[2,3]", 1 },        { "str[2,1] i64[2]{1,3}", "", "str[2,3]", 0 },
    { "i8[1,5] i64[2]{40,5}", "", "i8[40,5]", 0 },     { "c128[3] i64[0]", "", "c128[3]", 0 },
    { "f32[1,3] i64[2]{0,3}", "", "f32[0,3]", 0 },     { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T input, I shape -> T output", .types = "T: " t "; I: i64", .rank = rank,      \
        .infer = infer, .run = run, .gradient = gradient, .flags = OP_MOVES, .cases = cases                            \
    }

const struct op op_expand = {
    .name = "Expand",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "all bf16"), ROW(8, "all"), { 0 } },
};
