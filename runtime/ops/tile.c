/* Tile, https://onnx.ai/onnx/operators/onnx__Tile.html
 *
 * Repeats the whole input repeats[k] times along dimension k. The gradient is the sum over the repetitions. */
#include "ops/move.h"
#include "ops/rank.h"

enum { INPUT, REPEATS };

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT);
    int64_t dims[MAX_RANK];
    struct ints repeats;

    if (!ints_in(i, REPEATS, &repeats))
        return false;
    if (repeats.count != x->rank)
        return infer_error(i, "'repeats' has %d values, must have %d, one for each dimension of 'input'", repeats.count,
                           x->rank);
    for (int d = 0; d < x->rank; d++) {
        if (repeats.v[d] < 0)
            return infer_error(i, "repeats[%d] is %lld, must be at least 0", d, (long long)repeats.v[d]);
        if (!mul_size(x->dims[d], repeats.v[d], &dims[d]))
            return infer_error(i, "dimension %d of the output would have more values than can be counted", d);
    }
    return set_out(i, 0, x->dtype, x->rank, dims);
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[INPUT], *y = s->out[0];
    struct move m = { .size = dtype_size(x->dtype), .rank = 2 * x->rank };
    int64_t in[MAX_RANK], out[MAX_RANK];

    if (!tensor_count(y))
        return true;
    move_strides(x->rank, x->dims, in);
    move_strides(y->rank, y->dims, out);
    for (int d = 0; d < x->rank; d++) {
        m.dims[2 * d] = y->dims[d] / x->dims[d];
        m.out[2 * d] = out[d] * x->dims[d];
        m.dims[2 * d + 1] = x->dims[d];
        m.in[2 * d + 1] = in[d];
        m.out[2 * d + 1] = out[d];
    }
    move_run(s->k, s->pool, &m, x->data, y->data);
    return true;
}

/* -- differentiate -- */

/* One dimension after the other: [before, repeats, size and what is behind] is summed over its middle. */
static bool gradient(struct backward *b)
{
    const struct tensor *x = type_in(b, INPUT), *y = type_out(b, 0);
    struct emitter *e = emitter_of(b);
    struct value *g = upstream(b, 0);
    const int64_t middle = 1;
    int64_t before = 1;

    if (!wants(b, INPUT))
        return backward_ok(b);
    if (!tensor_count(x)) {
        give(b, INPUT, emit_zeros(e, x->dtype, x->rank, x->dims));
        return backward_ok(b);
    }
    for (int d = 0; d < x->rank; d++) {
        const int64_t repeats = y->dims[d] / x->dims[d];
        const int64_t split[] = { before, repeats, x->dims[d] * dims_product(y->dims, d + 1, y->rank) };

        if (repeats != 1) {
            g = emit_reshape(e, g, 3, split);
            g = emit(e, "ReduceSum", "keepdims=0", 2, g, emit_ints(e, 1, &middle));
        }
        before *= x->dims[d];
    }
    give(b, INPUT, emit_reshape(e, g, x->rank, x->dims));
    return backward_ok(b);
}

/* -- as its later self -- */

/* Opset 1 repeats along one axis; both are floats. */
static bool expand_1(struct emitter *e, const struct node *n, struct value **out)
{
    const int64_t one = 1;
    struct value *vector = emit_ints(e, 1, &one);
    struct value *tiles = emit(e, "Cast", "to=7", 1, emit(e, "Reshape", "", 2, n->in[1], vector));
    struct value *axis = emit(e, "Cast", "to=7", 1, emit(e, "Reshape", "", 2, n->in[2], vector));
    struct value *ones = emit(e, "Expand", "", 2, vector, emit(e, "Shape", "", 1, emit(e, "Shape", "", 1, n->in[0])));

    out[0] = emit(e, "Tile", "", 2, n->in[0], emit(e, "ScatterElements", "", 3, ones, axis, tiles));
    return out[0];
}

/* -- test -- */

static const struct op_case cases_1[] = {
    { "f32[2,3] f32[1]{3} f32[1]{1}", "", "f32[2,9]", 1 },
    { "f64[2,3,2] f64[]{2} f64[]{0}", "", "f64[4,3,2]", 1 },
    { "f16[0,3] f16[1]{2} f16[1]{1}", "", "f16[0,6]", 0 },
    { 0 },
};

static const struct op_case cases[] = {
    { "f32[2,3] i64[2]{2,3}", "", "f32[4,9]", 1 },
    { "f64[2,3,2] i64[3]{1,2,3}", "", "f64[2,6,6]", 1 },
    { "str[2] i64[1]{3}", "", "str[6]", 0 },
    { "i8[1,7] i64[2]{5,1}", "", "i8[5,7]", 0 },
    { "f32[2,3] i64[2]{0,1}", "", "f32[0,3]", 0 },
    { "f32[0,3] i64[2]{2,2}", "", "f32[0,6]", 0 },
    { "c64[] i64[0]", "", "c64[]", 0 },
    { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T input, T1 repeats -> T output", .types = "T: " t "; T1: i64",                \
        .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient, .flags = OP_MOVES, .cases = cases     \
    }

const struct op op_tile = {
    .name = "Tile",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "all bf16"),
                                     ROW(6, "all"),
                                     { .since = 1,
                                       .signature = "T input, T tiles, T axis -> T output",
                                       .types = "T: floats",
                                       .expand = expand_1,
                                       .cases = cases_1 },
                                     { 0 } },
};
