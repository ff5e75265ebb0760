/* ConcatFromSequence, https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html
 *
 * The items of a sequence one after the other along `axis`, or along a new one (new_axis), which `axis` counts, too. The
 * shape is known while planning where those of the items are. The gradient is cut into items again. */
#include "ops/concat_from_sequence.h"
#include "ops/rank.h"
#include "ops/sequence.h"
#include <stdio.h>
#include <string.h>

struct join {
    int64_t axis;
    bool new_axis;
    struct tensor like; /* of the gradient's operator: what comes of it */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct join *a = attrs;
    const int64_t new_axis = attr_int(p, "new_axis", 0);
    struct concat along;

    if (!concat_parse(p, &along))
        return false;
    a->axis = along.axis;
    a->new_axis = new_axis;
    return new_axis == 0 || new_axis == 1 || parse_error(p, "new_axis is %lld, must be 0 or 1", (long long)new_axis);
}

/* -- plan -- */

struct tensor item_in_whole(const struct tensor *item, int axis, bool new_axis)
{
    struct tensor part = *item;

    if (new_axis) {
        memmove(part.dims + axis + 1, part.dims + axis, (size_t)(part.rank - axis) * sizeof *part.dims);
        part.dims[axis] = 1;
        part.rank++;
    }
    return part;
}

/* The type of what the items make together, and where. Where they do not fit there is a message. */
static bool whole_of(const struct join *a, const struct sequence *items, enum dtype dtype, struct tensor *whole,
                     int *axis, char message[CONCAT_TEXT])
{
    const int rank = items->count ? items->items[0].rank + a->new_axis : 0;

    *axis = wrap_axis(a->axis, rank);
    if (!items->count)
        snprintf(message, CONCAT_TEXT, "the sequence is empty, must have at least 1 item");
    else if (rank > MAX_RANK)
        snprintf(message, CONCAT_TEXT, "the output would have %d dimensions, at most %d are supported", rank, MAX_RANK);
    else if (*axis < 0)
        snprintf(message, CONCAT_TEXT, "axis is %lld, must be in [%d, %d]", (long long)a->axis, -rank, rank - 1);
    if (!items->count || rank > MAX_RANK || *axis < 0)
        return false;
    *whole = item_in_whole(&items->items[0], *axis, a->new_axis);
    for (int64_t k = 1; k < items->count; k++) {
        struct tensor part = items->items[k];

        if (part.rank < MAX_RANK)
            part = item_in_whole(&part, *axis < part.rank ? *axis : part.rank, a->new_axis);
        if (!concat_add(rank, whole->dims, *axis, &part, "item", k, message))
            return false;
    }
    whole->dtype = dtype;
    return true;
}

static bool all_known(const struct sequence *items)
{
    for (int64_t k = 0; k < items->count; k++)
        if (!tensor_known(&items->items[k]))
            return false;
    return true;
}

/* What does not fit running tells. */
static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    struct tensor *y = typed_out(i, 0), whole;
    char message[CONCAT_TEXT];
    int axis;

    if (x->planned && all_known(x->planned) && whole_of(infer_attrs(i), x->planned, x->dtype, &whole, &axis, message))
        return set_out(i, 0, x->dtype, whole.rank, whole.dims);
    if (y)
        *y = (struct tensor){ .dtype = x->dtype, .rank = UNKNOWN };
    return true;
}

/* -- run -- */

static void put_all(struct step *s, const struct sequence *x, int axis, bool new_axis)
{
    int64_t at = 0;

    for (int64_t k = 0; k < x->count && !pool_late(s->pool); k++) {
        const struct tensor part = item_in_whole(&x->items[k], axis, new_axis);

        concat_put(s, &part, axis, at, s->out[0]);
        at += part.dims[axis];
    }
}

static bool run(struct step *s)
{
    const struct join *a = s->attrs;
    const struct sequence *x = s->in[0]->data;
    char message[CONCAT_TEXT];
    struct tensor whole;
    int axis;

    if (!whole_of(a, x, s->in[0]->dtype, &whole, &axis, message))
        return step_error(s, "%s", message);
    if (!tensor_known(s->out[0]) && !step_alloc(s, 0, whole.dtype, whole.rank, whole.dims))
        return false;
    put_all(s, x, axis, a->new_axis);
    return true;
}

/* -- as the gradient of SplitToSequence -- */

static bool joined_infer(struct infer *i)
{
    const struct join *a = infer_attrs(i);

    return set_out(i, 0, a->like.dtype, a->like.rank, a->like.dims);
}

static bool joined_run(struct step *s)
{
    const struct join *a = s->attrs;
    const struct sequence *x = s->in[0]->data;
    char message[CONCAT_TEXT];
    struct tensor whole;
    int axis;

    if (!tensor_count(s->out[0])) /* perhaps of no items */
        return true;
    if (!whole_of(a, x, s->in[0]->dtype, &whole, &axis, message))
        return step_error(s, "%s", message);
    if (!same_shape(&whole, s->out[0]))
        return step_error(s, "the gradients of the parts do not fit what was split");
    put_all(s, x, axis, a->new_axis);
    return true;
}

static const struct op cut;

static bool cut_of_gradient(struct backward *b)
{
    struct value *in[] = { upstream(b, 0), forward_in(b, 0) }, *parts;

    if (emit_private(emitter_of(b), &cut, attrs_of(b), 1, &parts, NULL, 2, in))
        give(b, 0, parts);
    return backward_ok(b);
}

static const struct op joined = {
    .name = "SequenceJoin",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S gradient -> T joined",
                                       .types = "S: seq(floats bf16); T: floats bf16",
                                       .attrs_size = sizeof(struct join),
                                       .infer = joined_infer,
                                       .run = joined_run,
                                       .gradient = cut_of_gradient,
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};

struct value *emit_joined(struct emitter *e, struct value *sequence, int axis, bool new_axis, const struct tensor *like)
{
    struct join *a = emit_alloc(e, sizeof *a);
    struct value *whole = NULL;

    if (!a)
        return NULL;
    *a = (struct join){ axis, new_axis, *like };
    a->like.data = NULL;
    emit_private(e, &joined, a, 1, &whole, NULL, 1, &sequence);
    return whole;
}

/* -- differentiate -- */

/* As the items were that it is the gradient of. */
static bool cut_infer(struct infer *i)
{
    sequence_out(i, 0, typed_in(i, 0)->dtype, typed_in(i, 1)->planned);
    return true;
}

static bool cut_run(struct step *s)
{
    const struct join *a = s->attrs;
    const struct sequence *x = s->in[1]->data;
    struct sequence *y = sequence_new(s, 0, x->count);
    const int axis = wrap_axis(a->axis, s->in[0]->rank);
    int64_t at = 0;

    for (int64_t k = 0; y && k < x->count; k++) {
        const struct tensor *item = &x->items[k];
        struct tensor part;

        if (!item_new(s, &y->items[k], item->dtype, item->rank, item->dims))
            return false;
        part = item_in_whole(&y->items[k], axis, a->new_axis);
        concat_take(s, s->in[0], axis, at, &part);
        at += part.dims[axis];
    }
    return y;
}

static bool cut_gradient(struct backward *b)
{
    const struct join *a = attrs_of(b);
    const struct tensor *whole = type_in(b, 0);

    if (wants(b, 0))
        give(b, 0, emit_joined(emitter_of(b), upstream(b, 0), wrap_axis(a->axis, whole->rank), a->new_axis, whole));
    return backward_ok(b);
}

static const struct op cut = {
    .name = "SequenceCut",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T gradient, S sequence -> S parts",
                                       .types = "S: seq(floats bf16); T: floats bf16",
                                       .attrs_size = sizeof(struct join),
                                       .infer = cut_infer,
                                       .run = cut_run,
                                       .gradient = cut_gradient,
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};

/* -- test -- */

#define JOINED(attributes) "{ q = SequenceConstruct (x0, x1) y0 = ConcatFromSequence <" attributes "> (q) }"

static const struct op_case cases[] = {
    { "f64[2,3] f64[2,1]", JOINED("axis = 1"), "f64[2,4]", 3 },
    { "f32[2,3] f32[4,3]", JOINED("axis = -2"), "f32[6,3]", 3 },
    { "f64[2,3] f64[2,3]", JOINED("axis = 1, new_axis = 1"), "f64[2,2,3]", 3 },
    { "f64[2,3] f64[2,3]", JOINED("axis = -1, new_axis = 1"), "f64[2,3,2]", 3 },
    { "f16[] f16[]", JOINED("axis = 0, new_axis = 1"), "f16[2]", 0 },
    { "f32[0,3] f32[2,3]", JOINED("axis = 0"), "f32[2,3]", 0 },
    { "seq(str[2],str[1])", "axis=0", "str[3]", 0 },
    { "seq(i8[2,3],i8[2,3])", "axis=2 new_axis=1", "i8[2,3,2]", 0 },
    { "seq(c128[1,2])", "axis=-1", "c128[1,2]", 0 },
    { 0 },
};

const struct op op_concat_from_sequence = {
    .name = "ConcatFromSequence",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 11,
                                       .signature = "S input_sequence -> T concat_result",
                                       .types = "S: seq(all); T: all",
                                       .attrs_size = sizeof(struct join),
                                       .parse = parse,
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = cut_of_gradient,
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
