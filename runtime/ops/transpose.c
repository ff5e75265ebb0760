/* Transpose, https://onnx.ai/onnx/operators/onnx__Transpose.html
 *
 * Dimension k of the output is dimension perm[k] of the input; without perm the order is reversed. The gradient is
 * transposed back. */
#include "ops/transpose.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/rows.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct transpose *a = attrs;
    uint64_t seen = 0;

    a->given = attr_given(p, "perm");
    if (!attr_ints(p, "perm", &a->perm))
        return false;
    for (int d = 0; d < a->perm.count; d++) {
        const int64_t from = a->perm.v[d];

        if (from < 0 || from >= a->perm.count || seen >> from & 1)
            return parse_error(p, "perm[%d] is %lld, perm must hold each of 0 to %d once", d, (long long)from,
                               a->perm.count - 1);
        seen |= (uint64_t)1 << from;
    }
    return true;
}

/* -- plan -- */

int transpose_from(const void *attrs, int rank, int d)
{
    const struct transpose *a = attrs;

    return a->given ? (int)a->perm.v[d] : rank - 1 - d;
}

static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    (void)rows;
    return types[0]->rank > 0 && transpose_from(n->attrs, types[0]->rank, 0) == 0;
}

/* The elements keep their order where only dimensions of 1 move. */
static bool keeps_order(const struct transpose *a, const struct tensor *x)
{
    int last = -1;

    for (int d = 0; d < x->rank; d++) {
        const int from = transpose_from(a, x->rank, d);

        if (x->dims[from] == 1)
            continue;
        if (from < last)
            return false;
        last = from;
    }
    return true;
}

static bool infer(struct infer *i)
{
    const struct transpose *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[MAX_RANK];

    if (a->given && a->perm.count != x->rank)
        return infer_error(i, "perm has %d values, must have %d, one for each dimension of 'data'", a->perm.count,
                           x->rank);
    for (int d = 0; d < x->rank; d++)
        dims[d] = x->dims[transpose_from(a, x->rank, d)];
    if (keeps_order(a, x))
        view_of(i, 0, 0);
    return set_out(i, 0, x->dtype, x->rank, dims);
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct transpose *a = s->attrs;
    const struct tensor *x = s->in[0];
    struct move m = { .size = dtype_size(x->dtype), .rank = x->rank };
    int64_t strides[MAX_RANK];

    if (!s->out[0] || s->out[0]->data == x->data) /* a view */
        return true;
    move_strides(x->rank, x->dims, strides);
    for (int d = 0; d < x->rank; d++) {
        m.dims[d] = s->out[0]->dims[d];
        m.in[d] = strides[transpose_from(a, x->rank, d)];
    }
    move_strides(x->rank, m.dims, m.out);
    move_run(s->k, s->pool, &m, x->data, s->out[0]->data);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct transpose *a = attrs_of(b);
    const int rank = type_in(b, 0)->rank;
    char text[INTS_TEXT];
    int64_t back[MAX_RANK];

    for (int d = 0; d < rank; d++)
        back[transpose_from(a, rank, d)] = d;
    if (wants(b, 0))
        give(b, 0, emit(emitter_of(b), "Transpose", ints_text(text, "perm", rank, back), 1, upstream(b, 0)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]", "", "f32[4,3,2]", 1 },
    { "f64[2,3,4,5]", "perm=[0,3,1,2]", "f64[2,5,3,4]", 1 },
    { "f32[2,3,4,5]", "perm=[2,0,3,1]", "f32[4,2,5,3]", 1 },
    { "f32[70,131]", "", "f32[131,70]", 1 },
    { "f16[3,17,2]", "perm=[1,0,2]", "f16[17,3,2]", 0 },
    { "i8[9,33,5]", "perm=[2,1,0]", "i8[5,33,9]", 0 },
    { "c128[6,7]", "perm=[1,0]", "c128[7,6]", 0 },
    { "str[2,3]", "", "str[3,2]", 0 },
    { "i4[5,9]", "", "i4[9,5]", 0 },
    { "f8e4m3fn[3,4,5]", "perm=[2,0,1]", "f8e4m3fn[5,3,4]", 0 },
    { "u2[2,3]", "", "u2[3,2]", 0 },
    { "f32[1,3,1,5]", "perm=[1,0,3,2]", "f32[3,1,5,1]", 1 },
    { "f32[2,0,3]", "", "f32[3,0,2]", 0 },
    { "f32[]", "", "f32[]", 1 },
    { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T data -> T transposed", .types = "T: " t,                                     \
        .attrs_size = sizeof(struct transpose), .parse = parse, .rank = rank_of_input, .infer = infer, .run = run,     \
        .gradient = gradient, .batch_independent = batch_independent, .flags = OP_REARRANGES, .cases = cases           \
    }

const struct op op_transpose = {
    .name = "Transpose",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(25, "all bf16 ir13"),
                                     ROW(24, "all bf16 ir12"),
                                     ROW(23, "all bf16 ir11"),
                                     ROW(21, "all bf16 ir10"),
                                     ROW(13, "all bf16"),
                                     ROW(1, "all"),
                                     { 0 } },
};
