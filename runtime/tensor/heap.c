#include "tensor/heap.h"
#include <string.h>

/* Before each block; as long as the alignment, which the data after it keeps. */
struct heap_block {
    _Alignas(64) struct heap_block *before; /* made earlier */
    struct heap_block *after;
};

void *heap_alloc(struct heap *h, size_t bytes, struct report *r)
{
    struct heap_block *block;
    size_t total;

    if (__builtin_add_overflow(bytes, sizeof *block, &total)) {
        fail(r, KILN_LIMIT, NULL, "%zu bytes are more than can be addressed", bytes);
        return NULL;
    }
    block = budget_alloc(h->budget, total, r);
    if (!block)
        return NULL;
    block->before = h->blocks;
    block->after = NULL;
    if (h->blocks)
        h->blocks->after = block;
    h->blocks = block;
    return block + 1;
}

void heap_free(struct heap *h, void *p)
{
    struct heap_block *block = p;

    if (!p)
        return;
    block--;
    if (block->before)
        block->before->after = block->after;
    if (block->after)
        block->after->before = block->before;
    else
        h->blocks = block->before;
    budget_free(h->budget, block);
}

/* Frees what was made after `mark`. */
static void heap_rewind(struct heap *h, const struct heap_block *mark)
{
    while (h->blocks != mark)
        heap_free(h, h->blocks + 1);
}

void heap_reset(struct heap *h)
{
    heap_rewind(h, NULL);
}

struct string *heap_string(struct heap *h, const char *bytes, size_t length, struct report *r)
{
    struct string *s = NULL;
    size_t total;

    if (__builtin_add_overflow(length, sizeof *s, &total))
        fail(r, KILN_LIMIT, NULL, "%zu bytes are more than can be addressed", length);
    else
        s = heap_alloc(h, total, r);
    if (!s)
        return NULL;
    s->length = length;
    if (length)
        memcpy(s->bytes, bytes, length);
    return s;
}

/* -- copying -- */

/* What has been copied but still points at the original's data. A list and no recursion: how deep values nest is up to
 * the model. */
struct copy {
    struct heap *heap;
    struct report *report;
    struct tensor **todo;
    size_t count, capacity;
};

static bool copy_later(struct copy *c, struct tensor *t)
{
    if (!budget_grow(c->heap->budget, &c->todo, &c->capacity, c->count + 1, sizeof(struct tensor *), c->report))
        return false;
    c->todo[c->count++] = t;
    return true;
}

static bool copy_elements(struct copy *c, struct tensor *t)
{
    const int64_t n = tensor_count(t), bytes = tensor_bytes(t);
    void *data;

    if (bytes < 0)
        return fail(c->report, KILN_RUN_FAILED, NULL, "a tensor of unknown shape has no data to copy");
    data = heap_alloc(c->heap, (size_t)bytes, c->report);
    if (!data)
        return false;
    if (bytes)
        memcpy(data, t->data, (size_t)bytes);
    t->data = data;
    if (t->dtype == STRING) {
        struct string **const strings = data;

        for (int64_t k = 0; k < n; k++)
            if (strings[k] && !(strings[k] = heap_string(c->heap, strings[k]->bytes, strings[k]->length, c->report)))
                return false;
    }
    return true;
}

static bool copy_sequence(struct copy *c, struct tensor *t)
{
    const struct sequence *from = t->data;
    int64_t bytes;
    struct sequence *to;

    if (!mul_size(from->count, (int64_t)sizeof *to->items, &bytes) || !add_size(bytes, (int64_t)sizeof *to, &bytes))
        return fail(c->report, KILN_LIMIT, NULL, "a sequence of %lld values is more than can be addressed",
                    (long long)from->count);
    to = heap_alloc(c->heap, (size_t)bytes, c->report);
    if (!to)
        return false;
    memcpy(to, from, (size_t)bytes);
    t->data = to;
    for (int64_t k = 0; k < to->count; k++)
        if (!copy_later(c, &to->items[k]))
            return false;
    return true;
}

static bool copy_optional(struct copy *c, struct tensor *t)
{
    struct optional *to = heap_alloc(c->heap, sizeof *to, c->report);

    if (!to)
        return false;
    *to = *(const struct optional *)t->data;
    t->data = to;
    return !to->present || copy_later(c, &to->value);
}

static bool copy_pairs(struct copy *c, struct tensor *t)
{
    struct pairs *to = heap_alloc(c->heap, sizeof *to, c->report);

    if (!to)
        return false;
    *to = *(const struct pairs *)t->data;
    t->data = to;
    return copy_later(c, &to->keys) && copy_later(c, &to->values);
}

static bool copy_data(struct copy *c, struct tensor *t)
{
    if (!t->data)
        return true;
    switch (t->kind) {
    case TENSOR:
        return copy_elements(c, t);
    case SEQUENCE:
        return copy_sequence(c, t);
    case OPTIONAL:
        return copy_optional(c, t);
    case MAP:
        return copy_pairs(c, t);
    default: {
        char type[TYPE_TEXT];

        return fail(c->report, KILN_UNSUPPORTED, NULL, "a value of type '%s' cannot be copied", tensor_text(t, type));
    }
    }
}

bool heap_copy(struct heap *h, struct tensor *to, const struct tensor *from, struct report *r)
{
    struct copy c = { .heap = h, .report = r };
    const struct heap_block *const mark = h->blocks;
    struct tensor copied = *from;
    bool ok = copy_later(&c, &copied);

    while (ok && c.count)
        ok = copy_data(&c, c.todo[--c.count]);
    budget_free(h->budget, c.todo);
    if (ok)
        *to = copied;
    else
        heap_rewind(h, mark);
    return ok;
}
