#include "ops/sequence.h"
#include "ops/compute.h"
#include "ops/value.h"
#include <string.h>

int64_t sequence_position(const struct sequence *s, const struct tensor *position)
{
    const int64_t at = position->dtype == I64 ? *(const int64_t *)position->data : *(const int32_t *)position->data;

    if (at < -s->count || at >= s->count)
        return -1;
    return at < 0 ? at + s->count : at;
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

static struct sequence *new_sequence(struct step *s, int64_t count)
{
    struct sequence *y = heap_alloc(s->heap, sizeof *y + (size_t)count * sizeof *y->items, s->report);

    if (y)
        y->count = count;
    s->out[0]->data = y;
    return y;
}

/* -- an item in its place -- */

static bool place_run(struct step *s)
{
    const struct sequence *x = s->in[0]->data;
    const int64_t at = sequence_position(x, s->in[1]);
    struct sequence *y = new_sequence(s, x->count);

    for (int64_t k = 0; y && k < x->count; k++) {
        y->items[k] = x->items[k];
        if (k == at && !same_type(&x->items[k], s->in[2]))
            return step_error(s, "the gradient is not of the type of item %lld", (long long)k);
        if (!heap_copy(s->heap, &y->items[k], k == at ? s->in[2] : &x->items[k], s->report))
            return false;
        if (k != at && tensor_bytes(&y->items[k]))
            memset(y->items[k].data, 0, (size_t)tensor_bytes(&y->items[k]));
    }
    return y;
}

const struct op sequence_place = {
    .name = "SequencePlace",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S sequence, I position, T gradient -> S placed",
                                       .types = "S: seq(floats bf16); I: i32 i64; T: floats bf16",
                                       .infer = infer_like_first,
                                       .run = place_run,
                                       .no_gradient = "second derivatives of sequences are not supported",
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

    if (a->at >= x->count || !same_type(&x->items[a->at], s->in[1]))
        return step_error(s, "item %lld is missing, or not of the type of what it is the gradient of",
                          (long long)a->at);
    return pass_value(s, 0, &x->items[a->at]);
}

const struct op sequence_item = {
    .name = "SequenceItem",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S sequence, T like -> T item",
                                       .types = "S: seq(floats bf16); T: floats bf16",
                                       .infer = item_infer,
                                       .run = item_run,
                                       .no_gradient = "second derivatives of sequences are not supported",
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
    y = new_sequence(s, a->count);
    for (int64_t k = 0; y && k < a->count; k++) {
        if (!same_type(&a->items[k], &b->items[k]))
            return step_error(s, "item %lld is of two types", (long long)k);
        if (!heap_copy(s->heap, &y->items[k], &a->items[k], s->report))
            return false;
        add_floats(y->items[k].dtype, y->items[k].data, b->items[k].data, tensor_count(&y->items[k]));
    }
    return y;
}

const struct op sequence_add = {
    .name = "SequenceAdd",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "S a, S b -> S sum",
                                       .types = "S: seq(floats bf16)",
                                       .infer = infer_like_first,
                                       .run = add_run,
                                       .no_gradient = "second derivatives of sequences are not supported",
                                       .flags = OP_RUN_ONLY },
                                     { 0 } },
};
