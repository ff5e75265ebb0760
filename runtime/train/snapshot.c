/* Copies of a trainer's state. */
#include "train/trainer.h"
#include <string.h>

bool trainer_each_state(const struct trainer *t, bool values_only, state_fn *each, void *user)
{
    for (size_t k = 0; k < t->state_count; k++) {
        const int slots = values_only || k >= t->trainable ? 0 : t->optimizer.slots;

        for (int s = -1; s < slots; s++)
            if (!each(user, t->states[k].parameter->value->name, s < 0 ? "value" : t->optimizer.slot_names[s],
                      s < 0 ? &t->states[k].value : &t->states[k].slots[s]))
                return false;
    }
    return true;
}

struct snapshot {
    int64_t steps;
    bool values_only;
    char content[];
};

struct copying {
    char *at; /* NULL: only counts */
    size_t bytes;
    bool back; /* into the state */
};

static bool copy(void *user, const char *name, const char *what, struct tensor *t)
{
    struct copying *c = user;
    const size_t n = (size_t)tensor_bytes(t);

    (void)name;
    (void)what;
    if (c->at && n)
        memcpy(c->back ? t->data : c->at + c->bytes, c->back ? c->at + c->bytes : t->data, n);
    c->bytes += n;
    return true;
}

struct snapshot *trainer_snapshot(struct trainer *t, bool values_only, struct report *r)
{
    struct copying c = { 0 };
    struct snapshot *s;

    trainer_each_state(t, values_only, copy, &c);
    s = budget_alloc(&t->budget, sizeof *s + c.bytes, r);
    if (!s)
        return NULL;
    s->values_only = values_only;
    snapshot_take(t, s);
    return s;
}

void snapshot_take(const struct trainer *t, struct snapshot *s)
{
    struct copying c = { .at = s->content };

    s->steps = t->steps;
    trainer_each_state(t, s->values_only, copy, &c);
}

void trainer_restore(struct trainer *t, const struct snapshot *s)
{
    struct copying c = { .at = (char *)(uintptr_t)s->content, .back = true }; /* only read from */

    trainer_each_state(t, s->values_only, copy, &c);
    if (!s->values_only)
        t->steps = s->steps;
}

struct each_copy {
    state_fn *each;
    void *user;
    char *at;
};

static bool each_copy(void *user, const char *name, const char *what, struct tensor *t)
{
    struct each_copy *e = user;
    struct tensor copied = *t;

    copied.data = e->at;
    e->at += tensor_bytes(t);
    return e->each(e->user, name, what, &copied);
}

bool snapshot_each(const struct trainer *t, struct snapshot *s, state_fn *each, void *user)
{
    return trainer_each_state(t, s->values_only, each_copy, &(struct each_copy){ each, user, s->content });
}

void snapshot_free(struct trainer *t, struct snapshot *s)
{
    budget_free(&t->budget, s);
}
