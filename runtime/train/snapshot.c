/* Copies of a trainer's state. */
#include "train/trainer.h"
#include <string.h>

struct snapshot {
    int64_t steps;
    size_t bytes;
    char content[];
};

/* Copies all state out to, or in from, `content`; returns how many bytes that is. */
static size_t copy_state(const struct trainer *t, char *content, bool out)
{
    size_t at = 0;

    for (size_t k = 0; k < t->state_count; k++)
        for (int s = -1; s < (k < t->trainable ? t->optimizer.slots : 0); s++) {
            const struct tensor *from = s < 0 ? &t->states[k].value : &t->states[k].slots[s];
            const size_t bytes = (size_t)tensor_bytes(from);

            if (content && bytes)
                memcpy(out ? content + at : from->data, out ? from->data : content + at, bytes);
            at += bytes;
        }
    return at;
}

struct snapshot *trainer_snapshot(struct trainer *t, struct report *r)
{
    const size_t bytes = copy_state(t, NULL, true);
    struct snapshot *s = budget_alloc(&t->budget, sizeof *s + bytes, r);

    if (!s)
        return NULL;
    s->steps = t->steps;
    s->bytes = bytes;
    copy_state(t, s->content, true);
    return s;
}

void trainer_restore(struct trainer *t, const struct snapshot *s)
{
    char *content = (char *)(uintptr_t)s->content; /* only read from */

    copy_state(t, content, false);
    t->steps = s->steps;
}

void snapshot_free(struct trainer *t, struct snapshot *s)
{
    budget_free(&t->budget, s);
}
