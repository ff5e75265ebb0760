#include "ops/sequence.h"
#include "ops/compute.h"
#include "ops/value.h"
#include <string.h>

/* -- types -- */

struct sequence *sequence_types(struct infer *i, int64_t count)
{
    struct sequence *types = infer_alloc(i, sizeof *types + (size_t)count * sizeof *types->items);

    if (types)
        types->count = count;
    return types;
}

void sequence_out(struct infer *i, int k, enum dtype dtype, const struct sequence *items)
{
    struct tensor *y = typed_out(i, k);

    if (y)
        *y = (struct tensor){ .kind = SEQUENCE, .dtype = dtype, .rank = UNKNOWN, .planned = items };
}

/* -- positions -- */

bool position_fits(struct infer *i, int k)
{
    const struct tensor *position = typed_in(i, k);

    return !position || tensor_count(position) == 1 ||
           infer_error(i, "'position' has %lld values, must have 1", (long long)tensor_count(position));
}

bool position_known(struct infer *i, int k)
{
    return !typed_in(i, k) || typed_in(i, k)->data;
}

static int64_t position_of(const struct tensor *position)
{
    return position->dtype == I64 ? *(const int64_t *)position->data : *(const int32_t *)position->data;
}

int64_t position_in(const struct tensor *position, int64_t count, int64_t end)
{
    const int64_t at = position_of(position);

    if (at < -count || at >= end)
        return -1;
    return at < 0 ? at + count : at;
}

int64_t sequence_position(const struct sequence *s, const struct tensor *position)
{
    return position ? position_in(position, s->count, s->count) : s->count - 1;
}

bool position_error(struct step *s, const struct tensor *position, int64_t least, int64_t most)
{
    if (!position || least > most)
        return step_error(s, "the sequence is empty, must have an item at the position");
    return step_error(s, "'position' is %lld, must be in [%lld, %lld]", (long long)position_of(position),
                      (long long)least, (long long)most);
}

/* -- what is made -- */

struct sequence *sequence_new(struct step *s, int k, int64_t count)
{
    struct sequence *y = NULL;
    int64_t bytes;

    if (!mul_size(count, (int64_t)sizeof *y->items, &bytes) || !add_size(bytes, (int64_t)sizeof *y, &bytes))
        step_error(s, "a sequence of %lld tensors is more than can be addressed", (long long)count);
    else
        y = heap_alloc(s->heap, to_size(bytes), s->report);
    if (y)
        y->count = count;
    s->out[k]->data = y;
    return y;
}

bool item_new(struct step *s, struct tensor *item, enum dtype dtype, int rank, const int64_t *dims)
{
    if (!tensor_shape(item, dtype, rank, dims))
        return step_error(s, "a tensor of the sequence has more values than can be counted");
    item->data = heap_alloc(s->heap, to_size(tensor_bytes(item)), s->report);
    return item->data;
}

/* A copy of an item's type, all zeros. */
static bool item_zeros(struct step *s, struct tensor *item, const struct tensor *like)
{
    if (!item_new(s, item, like->dtype, like->rank, like->dims))
        return false;
    if (tensor_bytes(item))
        memset(item->data, 0, (size_t)tensor_bytes(item));
    return true;
}

static bool infer_like_first(struct infer *i)
{
    struct tensor *y = typed_out(i, 0);

    if (y) {
        *y = *typed_in(i, 0);
        y->data = NULL;
    }
    return true;
}

/* -- an item in its place -- */

static bool place_run(struct step *s)
{
    const struct sequence *x = s->in[0]->data;
    const int64_t at = sequence_position(x, s->in[1]);
    struct sequence *y = sequence_new(s, 0, x->count);

    for (int64_t k = 0; y && k < x->count; k++) {
        if (k == at && !same_type(&x->items[k], s->in[2]))
            return step_error(s, "the gradient is not of the type of item %lld", (long long)k);
        if (!(k == at ? heap_copy(s->heap, &y->items[k], s->in[2], s->report)
                      : item_zeros(s, &y->items[k], &x->items[k])))
            return false;
    }
    return y;
}

static bool place_gradient(struct backward *b)
{
    static const struct sequence_item last = { -1 };
    struct value *in[] = { upstream(b, 0), forward_in(b, 2), forward_in(b, 1) }, *item;

    if (in[2] && type_in(b, 1)->dtype != I64)
        in[2] = emit_cast(emitter_of(b), in[2], I64);
    if (wants(b, 2) && emit_private(emitter_of(b), &sequence_item, &last, 1, &item, NULL, 3, in))
        give(b, 2, item);
    return backward_ok(b);
}

const struct op sequence_place = {
    .name = "SequencePlace",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S sequence, I position, T gradient -> S placed",
                                       .types = "S: seq(floats bf16); I: i32 i64; T: floats bf16",
                                       .infer = infer_like_first,
                                       .run = place_run,
                                       .gradient = place_gradient,
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};

/* -- one item -- */

static bool item_infer(struct infer *i)
{
    const struct tensor *like = typed_in(i, 1);

    return set_out(i, 0, like->dtype, like->rank, like->dims);
}

static bool item_run(struct step *s)
{
    const struct sequence_item *a = s->attrs;
    const struct sequence *x = s->in[0]->data;
    const int64_t at = s->in[2] || a->at < 0 ? sequence_position(x, s->in[2]) : a->at;

    if (at < 0 || at >= x->count || !same_type(&x->items[at], s->in[1]))
        return step_error(s, "item %lld is missing, or not of the type of what it is the gradient of", (long long)at);
    return pass_value(s, 0, &x->items[at]);
}

static bool item_gradient(struct backward *b)
{
    const struct sequence_item *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct value *in[] = { forward_in(b, 0), forward_in(b, 2), upstream(b, 0) }, *placed;

    if (!in[1])
        in[1] = emit_scalar(e, I64, (double)a->at);
    if (wants(b, 0) && emit_private(e, &sequence_place, NULL, 1, &placed, NULL, 3, in))
        give(b, 0, placed);
    return backward_ok(b);
}

const struct op sequence_item = {
    .name = "SequenceItem",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S sequence, T like, I position? -> T item",
                                       .types = "S: seq(floats bf16); T: floats bf16; I: i64",
                                       .infer = item_infer,
                                       .run = item_run,
                                       .gradient = item_gradient,
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};

/* -- zeros among the others -- */

static bool gap_run(struct step *s)
{
    const struct sequence *x = s->in[0]->data, *g = s->in[2]->data;
    const int64_t at = sequence_position(x, s->in[1]);
    struct sequence *y;

    if (at < 0 || g->count != x->count - 1)
        return step_error(s, "a sequence of %lld items has a gradient of %lld", (long long)x->count,
                          (long long)g->count);
    y = sequence_new(s, 0, x->count);
    for (int64_t k = 0; y && k < x->count; k++)
        if (k != at)
            y->items[k] = g->items[k > at ? k - 1 : k];
        else if (!item_zeros(s, &y->items[k], &x->items[k]))
            return false;
    return y;
}

static bool gap_gradient(struct backward *b)
{
    if (wants(b, 2))
        give(b, 2, emit(emitter_of(b), "SequenceErase", "", 2, upstream(b, 0), forward_in(b, 1)));
    return backward_ok(b);
}

const struct op sequence_gap = {
    .name = "SequenceGap",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S sequence, I position?, S gradient -> S whole",
                                       .types = "S: seq(floats bf16); I: i32 i64",
                                       .infer = infer_like_first,
                                       .run = gap_run,
                                       .gradient = gap_gradient,
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};

/* -- sums -- */

enum { BLOCK = 256 };

static void add_floats(enum dtype dtype, void *y, const void *x, int64_t n)
{
    const size_t size = dtype_size(dtype);
    double a[BLOCK], b[BLOCK];

    for (int64_t k = 0; k < n; k += BLOCK) {
        const int64_t m = n - k < BLOCK ? n - k : BLOCK;

        convert_floats(dtype, (char *)y + (size_t)k * size, F64, a, m);
        convert_floats(dtype, (const char *)x + (size_t)k * size, F64, b, m);
        for (int64_t i = 0; i < m; i++)
            a[i] += b[i];
        convert_floats(F64, a, dtype, (char *)y + (size_t)k * size, m);
    }
}

static bool add_run(struct step *s)
{
    const struct sequence *a = s->in[0]->data, *b = s->in[1]->data;
    struct sequence *y;

    if (a->count != b->count)
        return step_error(s, "one sequence has %lld items, the other %lld", (long long)a->count, (long long)b->count);
    y = sequence_new(s, 0, a->count);
    for (int64_t k = 0; y && k < a->count; k++) {
        if (!same_type(&a->items[k], &b->items[k]))
            return step_error(s, "item %lld is of two types", (long long)k);
        if (!heap_copy(s->heap, &y->items[k], &a->items[k], s->report))
            return false;
        add_floats(y->items[k].dtype, y->items[k].data, b->items[k].data, tensor_count(&y->items[k]));
    }
    return y;
}

static bool add_gradient(struct backward *b)
{
    give(b, 0, upstream(b, 0));
    give(b, 1, upstream(b, 0));
    return backward_ok(b);
}

const struct op sequence_add = {
    .name = "SequenceAdd",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S a, S b -> S sum",
                                       .types = "S: seq(floats bf16)",
                                       .infer = infer_like_first,
                                       .run = add_run,
                                       .gradient = add_gradient,
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};
