/* Split, https://onnx.ai/onnx/operators/onnx__Split.html
 *
 * Cuts the input along `axis` into parts of the given sizes, or of equal ones. With num_outputs that does not divide
 * the dimension all parts are the quotient rounded up, the last ones what is left. The gradient is joined again, zeros
 * for parts that nothing flows back from. */
#include "ops/concat.h"
#include "ops/cost.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"
#include <stdio.h>
#include <string.h>

enum { INPUT, SPLIT };

struct split {
    int64_t axis;
    int parts;
    bool channels_last;
    bool uneven;              /* equal parts need not divide the dimension */
    const struct ints *sizes; /* opset 1: where the attribute gives them */
};

/* -- read -- */

static bool parse_13(struct parse *p, void *attrs)
{
    struct split *a = attrs;

    a->axis = attr_int(p, "axis", 0);
    a->parts = outputs_written(p);
    return a->parts > 0 || parse_error(p, "no outputs, must have at least 1");
}

/* A node with neither num_outputs nor split is cut into as many parts as it has outputs, as before. */
static bool parse_18(struct parse *p, void *attrs)
{
    struct split *a = attrs;
    const int64_t parts = attr_int(p, "num_outputs", outputs_written(p));

    if (attr_given(p, "num_outputs") && input_given(p, SPLIT))
        return parse_error(p, "both 'num_outputs' and 'split' are given, must be one of them");
    if (parts != outputs_written(p))
        return parse_error(p, "num_outputs is %lld, must be %d, the number of outputs", (long long)parts,
                           outputs_written(p));
    a->uneven = true;
    return parse_13(p, attrs);
}

static bool parse_2(struct parse *p, void *attrs)
{
    return parse_13(p, attrs) && ints_input(p, SPLIT, "split");
}

/* -- opset 1 -- */

static bool parse_1(struct parse *p, void *attrs)
{
    struct split *a = attrs;
    struct ints *sizes;

    if (!parse_13(p, attrs))
        return false;
    if (input_given(p, SPLIT) || !attr_given(p, "split"))
        return true;
    a->sizes = sizes = parse_alloc(p, sizeof *sizes);
    return sizes && attr_ints(p, "split", sizes);
}

/* The sizes may be floats, an input. */
static bool expand_1(struct emitter *e, const struct node *n, struct value **out)
{
    const struct split *a = n->attrs;
    struct value *sizes = n->inputs > SPLIT ? n->in[SPLIT] : NULL;
    struct value *in[] = { n->in[INPUT], NULL };
    char text[64];

    snprintf(text, sizeof text, "axis=%lld", (long long)a->axis);
    if (sizes)
        in[SPLIT] = emit(e, "Cast", "to=7", 1, sizes);
    else if (a->sizes)
        in[SPLIT] = emit_ints(e, a->sizes->count, a->sizes->v);
    return emit_many(e, "Split", text, a->parts, out, in[SPLIT] ? 2 : 1, in);
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct split *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

/* -- plan -- */

static bool given_parts(struct infer *i, const struct split *a, const struct tensor *x, int axis)
{
    int64_t dims[MAX_RANK], sum = 0;
    const struct tensor *t = typed_in(i, SPLIT);

    if (t->rank > 1 || tensor_count(t) != a->parts)
        return infer_error(i, "'split' has %lld values, must have %d, one for each output", (long long)tensor_count(t),
                           a->parts);
    if (!known_in(i, SPLIT))
        return false;
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    for (int k = 0; k < a->parts; k++) {
        dims[axis] = ((const int64_t *)t->data)[k];
        if (dims[axis] < 0 || !add_size(sum, dims[axis], &sum))
            return infer_error(i, "'split' holds %lld, must be at least 0", (long long)dims[axis]);
        if (!set_out(i, k, x->dtype, x->rank, dims))
            return false;
    }
    return sum == x->dims[axis] || infer_error(i, "the sum of 'split' is %lld, must be %lld, the size of axis %d",
                                               (long long)sum, (long long)x->dims[axis], axis);
}

static bool infer(struct infer *i)
{
    const struct split *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, INPUT);
    const int axis = layout_wrap(a->channels_last, x->rank, a->axis);
    int64_t dims[MAX_RANK], rest, each;

    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    if (typed_in(i, SPLIT))
        return given_parts(i, a, x, axis);
    rest = x->dims[axis];
    each = rest / a->parts + (rest % a->parts != 0);
    if (rest % a->parts && !a->uneven)
        return infer_error(i, "the size of axis %d is %lld, which %d equal parts do not divide", axis, (long long)rest,
                           a->parts);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    for (int k = 0; k < a->parts; k++, rest -= dims[axis]) {
        dims[axis] = rest < each ? rest : each;
        if (!set_out(i, k, x->dtype, x->rank, dims))
            return false;
    }
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct split *a = s->attrs;
    const struct tensor *x = s->in[INPUT], *split = s->node->inputs > SPLIT ? s->in[SPLIT] : NULL;
    const int axis = layout_wrap(a->channels_last, x->rank, a->axis);
    const int64_t each = x->dims[axis] / a->parts + (x->dims[axis] % a->parts != 0);
    int64_t at = 0;

    for (int k = 0; k < a->parts; k++) {
        if (s->out[k])
            concat_take(s, x, axis, at, s->out[k]);
        at += split ? ((const int64_t *)split->data)[k] : x->dims[axis] - at < each ? x->dims[axis] - at : each;
    }
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct split *a = attrs_of(b);
    const struct tensor *x = type_in(b, INPUT);
    struct emitter *e = emitter_of(b);
    struct value **parts = emit_alloc(e, (size_t)a->parts * sizeof(struct value *)), *joined = NULL;
    char text[32];

    if (!wants(b, INPUT) || !parts)
        return backward_ok(b);
    for (int k = 0; k < a->parts; k++) {
        const struct tensor *y = type_out(b, k);

        parts[k] = upstream(b, k);
        if (!parts[k] && y)
            parts[k] = emit_zeros(e, x->dtype, y->rank, y->dims);
        if (!parts[k] && !y)
            return backward_error(b, "output %d is left out: its size is not known", k);
    }
    snprintf(text, sizeof text, "axis=%d", layout_wrap(a->channels_last, x->rank, a->axis));
    emit_many(e, "Concat", text, 1, &joined, a->parts, parts);
    give(b, INPUT, joined);
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_2[] = {
    { "f32[6,2]", "", "f32[2,2] f32[2,2] f32[2,2]", 1 },
    { "f64[2,5]", "axis=1 split=[2,3]", "f64[2,2] f64[2,3]", 1 },
    { "str[2,4,3]", "axis=1 split=[0,4]", "str[2,0,3] str[2,4,3]", 0 },
    { "f16[4]", "", "f16[4]", 0 },
    { "f32[0,2]", "", "f32[0,2] f32[0,2]", 0 },
    { 0 },
};
static const struct op_case cases_1[] = {
    { "f32[6,2]", "", "f32[2,2] f32[2,2] f32[2,2]", 1 },
    { "f64[2,5]", "axis=1 split=[2,3]", "f64[2,2] f64[2,3]", 1 },
    { "f64[2,5] f64[2]{2,3}", "axis=1", "f64[2,2] f64[2,3]", 1 },
    { "f16[4]", "", "f16[4]", 0 },
    { 0 },
};
static const struct op_case cases_13[] = {
    { "f32[6,2]", "", "f32[2,2] f32[2,2] f32[2,2]", 1 },
    { "f64[2,5] i64[2]{2,3}", "axis=-1", "f64[2,2] f64[2,3]", 1 },
    { "str[2,4,3] i64[2]{0,4}", "axis=1", "str[2,0,3] str[2,4,3]", 0 },
    { "c64[2,4] i64[2]{1,3}", "axis=1", "- c64[2,3]", 0 },
    { "f32[0,2]", "", "f32[0,2] f32[0,2]", 0 },
    { 0 },
};
static const struct op_case cases_18[] = {
    { "f32[6,2]", "num_outputs=3", "f32[2,2] f32[2,2] f32[2,2]", 1 },
    { "f64[2,7]", "num_outputs=3 axis=1", "f64[2,3] f64[2,3] f64[2,1]", 1 },
    { "i16[5]", "num_outputs=4", "i16[2] i16[2] i16[1] i16[0]", 0 },
    { "f32[2,5] i64[2]{2,3}", "axis=-1", "f32[2,2] f32[2,3]", 1 },
    { "f32[4,2]", "", "f32[2,2] f32[2,2]", 1 },
    { 0 },
};

#define ROW(version, t, ...)                                                                                           \
    {                                                                                                                  \
        .since = version, .types = "T: " t, .cost = cost_of_picking, .attrs_size = sizeof(struct split),               \
        .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient, .flags = OP_MOVES,                    \
        .channels_last = channels_last, __VA_ARGS__                                                                    \
    }
#define ROW_2(version) ROW(version, "all", .signature = "T input -> T outputs...", .parse = parse_2, .cases = cases_2)

const struct op op_split = {
    .name = "Split",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(18, "all bf16; I: i64", .signature = "T input, I split? -> T outputs...",
                                         .parse = parse_18, .cases = cases_18),
                                     ROW(13, "all bf16; I: i64", .signature = "T input, I split? -> T outputs...",
                                         .parse = parse_13, .cases = cases_13),
                                     ROW_2(11),
                                     ROW_2(2),
                                     { .since = 1,
                                       .signature = "T input, T split? -> T outputs...",
                                       .types = "T: floats",
                                       .attrs_size = sizeof(struct split),
                                       .parse = parse_1,
                                       .expand = expand_1,
                                       .cases = cases_1 },
                                     { 0 } },
};
