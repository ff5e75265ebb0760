/* SplitToSequence, https://onnx.ai/onnx/operators/onnx__SplitToSequence.html
 *
 * Cuts the input along `axis` into a sequence of parts: of the sizes in `split`; all of its size where it is a scalar,
 * the last one of what is left; of size 1 where it is left out, which then may lose that dimension (keepdims=0). The
 * standard wants sizes above 0, here a list may have some of 0, too. The gradient is joined again. */
#include "ops/concat_from_sequence.h"
#include "ops/rank.h"
#include "ops/sequence.h"
#include <stdio.h>
#include <string.h>

enum { INPUT, SPLIT }; /* inputs */

struct cuts {
    int64_t axis;
    bool drop; /* the dimension, where the parts are of size 1 as nothing else is said */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct cuts *a = attrs;

    a->axis = attr_int(p, "axis", 0);
    a->drop = attr_int(p, "keepdims", 1) == 0 && !input_given(p, SPLIT);
    return true;
}

/* -- plan -- */

static int64_t number(const struct tensor *t, int64_t k)
{
    return t->dtype == I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
}

/* Sizes of the parts of `n`. */
struct parts {
    int64_t n, count, each;
    const struct tensor *sizes; /* NULL: all are `each`, the last one what is left */
};

static int64_t size_of_part(const struct parts *p, int64_t k)
{
    if (p->sizes)
        return number(p->sizes, k);
    return k < p->count - 1 ? p->each : p->n - k * p->each;
}

/* Where `split`, which is known, does not fit there is a message. */
static bool parts_of(struct parts *p, int64_t n, const struct tensor *split, char message[CONCAT_TEXT])
{
    int64_t sum = 0;

    *p = (struct parts){ .n = n, .each = split && !split->rank ? number(split, 0) : 1 };
    p->count = p->each > 0 ? n / p->each + (n % p->each != 0) : 0;
    if (p->each < 1) {
        snprintf(message, CONCAT_TEXT, "'split' is %lld, must be at least 1", (long long)p->each);
        return false;
    }
    if (!split || !split->rank)
        return true;
    p->sizes = split;
    p->count = tensor_count(split);
    for (int64_t k = 0; k < p->count; k++)
        if (number(split, k) < 0 || !add_size(sum, number(split, k), &sum)) {
            snprintf(message, CONCAT_TEXT, "'split' holds %lld, must be at least 0", (long long)number(split, k));
            return false;
        }
    if (sum == n)
        return true;
    snprintf(message, CONCAT_TEXT, "the sum of 'split' is %lld, must be %lld, the size of the axis", (long long)sum,
             (long long)n);
    return false;
}

/* The shape of part k. */
static struct tensor part_type(const struct cuts *a, const struct tensor *x, int axis, const struct parts *p, int64_t k)
{
    struct tensor part = { .dtype = x->dtype, .rank = x->rank - a->drop };

    memcpy(part.dims, x->dims, (size_t)x->rank * sizeof *x->dims);
    part.dims[axis] = size_of_part(p, k);
    if (a->drop)
        memmove(part.dims + axis, part.dims + axis + 1, (size_t)(x->rank - axis - 1) * sizeof *part.dims);
    return part;
}

static bool infer(struct infer *i)
{
    const struct cuts *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, INPUT), *split = typed_in(i, SPLIT);
    const int axis = wrap_axis(a->axis, x->rank);
    struct sequence *types = NULL;
    char message[CONCAT_TEXT];
    struct parts p;

    if (axis < 0)
        return axis_error(i, a->axis, x->rank);
    if (split && split->rank > 1)
        return infer_error(i, "'split' has %d dimensions, must be a scalar or have 1", split->rank);
    if (!split || split->data) {
        if (!parts_of(&p, x->dims[axis], split, message))
            return infer_error(i, "%s", message);
        if (p.count <= MOST_PLANNED && !(types = sequence_types(i, p.count)))
            return false;
        for (int64_t k = 0; types && k < p.count; k++)
            types->items[k] = part_type(a, x, axis, &p, k);
    }
    sequence_out(i, 0, x->dtype, types);
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct cuts *a = s->attrs;
    const struct tensor *x = s->in[INPUT];
    const int axis = wrap_axis(a->axis, x->rank);
    char message[CONCAT_TEXT];
    struct sequence *y;
    struct parts p;
    int64_t at = 0;

    if (!parts_of(&p, x->dims[axis], s->in[SPLIT], message))
        return step_error(s, "%s", message);
    y = sequence_new(s, 0, p.count);
    for (int64_t k = 0; y && k < p.count && !pool_late(s->pool); k++) {
        struct tensor part = part_type(a, x, axis, &p, k);

        if (!item_new(s, &y->items[k], part.dtype, part.rank, part.dims))
            return false;
        part = item_in_whole(&y->items[k], axis, a->drop);
        concat_take(s, x, axis, at, &part);
        at += part.dims[axis];
    }
    return y;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct cuts *a = attrs_of(b);
    const struct tensor *x = type_in(b, INPUT);

    if (wants(b, INPUT))
        give(b, INPUT, emit_joined(emitter_of(b), upstream(b, 0), wrap_axis(a->axis, x->rank), a->drop, x));
    return backward_ok(b);
}

/* -- test -- */

/* The second part, and the last. */
#define PARTS(inputs, attributes)                                                                                      \
    "{ q = SplitToSequence <" attributes "> (" inputs ") i = Constant <value_int = 1> () y0 = SequenceAt (q, i) "      \
    "j = Constant <value_int = -1> () y1 = SequenceAt (q, j) }"

static const struct op_case cases[] = {
    { "f64[5,2]", PARTS("x0", "axis = 0"), "f64[1,2] f64[1,2]", 1 },
    { "f64[2,3,4]", PARTS("x0", "axis = 1, keepdims = 0"), "f64[2,4] f64[2,4]", 1 },
    { "f64[2,5] i64[]{2}", PARTS("x0, x1", "axis = -1, keepdims = 0"), "f64[2,2] f64[2,1]", 1 },
    { "f32[6,2] i32[3]{1,2,3}", PARTS("x0, x1", "axis = 0"), "f32[2,2] f32[3,2]", 1 },
    { "str[2,3] i64[2]{3,0}", "axis=1", "seq(str)", 0 },
    { "i8[7] i32[]{3}", "", "seq(i8)", 0 },
    { "f16[0,3]", "", "seq(f16)", 0 },
    { "c64[2,2]", "keepdims=0", "seq(c64)", 0 },
    { 0 },
};
static const struct op_case cases_24[] = {
    { "f64[5,2]", PARTS("x0", "axis = 0"), "f64[1,2] f64[1,2]", 1 },
    { "f64[2,3,4]", PARTS("x0", "axis = 1, keepdims = 0"), "f64[2,4] f64[2,4]", 1 },
    { "bf16[2,5] i64[2]{2,3}", "axis=1", "seq(bf16)", 0 },
    { "bool[2,5] i32[2]{0,2}", "axis=0 keepdims=0", "seq(bool)", 0 },
    { 0 },
};

#define ROW(version, t, tests)                                                                                         \
    {                                                                                                                  \
        .since = version, .signature = "T input, I split? -> S output_sequence",                                       \
        .types = "T: " t "; I: i32 i64; S: seq(" t ")", .attrs_size = sizeof(struct cuts), .parse = parse,             \
        .rank = rank_unknown, .infer = infer, .run = run, .gradient = gradient, .flags = OP_RUN_ONLY, .cases = tests   \
    }

const struct op op_split_to_sequence = {
    .name = "SplitToSequence",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(24, "all bf16", cases_24), ROW(11, "all", cases), { 0 } },
};
