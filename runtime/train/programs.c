#include "train/programs.h"

enum {
    MAX_PROGRAMS = 4
}; /* batch sizes with a program of their own: the usual one, the last of an epoch, and two more */

/* One that is made for these very sizes. */
static struct training_program *find_program(struct trainer *t, int64_t batch, const struct found *found)
{
    for (struct training_program *p = t->programs; p; p = p->next)
        if (p->batch == batch && (found ? p->found && found_same(p->found, found) : !p->found))
            return p;
    return NULL;
}

static void drop_program(struct trainer *t, struct training_program *p)
{
    struct training_program **at = &t->programs;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (t->latest == p)
        t->latest = NULL;
    training_program_free(t, p);
}

/* For one more, of this batch size. Sizes that only running tells seldom come again: one program is kept of these. */
static void make_room(struct trainer *t, int64_t batch)
{
    struct training_program *oldest = NULL, *same = NULL;
    int count = 0;

    for (struct training_program *p = t->programs; p; p = p->next, count++) {
        if (p->batch == batch)
            same = p;
        if (!oldest || p->used < oldest->used)
            oldest = p;
    }
    if (same)
        drop_program(t, same);
    else if (count >= MAX_PROGRAMS)
        drop_program(t, oldest);
}

static struct training_program *add_program(struct trainer *t, int64_t batch, const struct found *found, bool *open,
                                            struct report *r)
{
    struct training_program *p;

    make_room(t, batch);
    p = training_program_new(t, TO_TRAIN, batch, found, open, r);
    if (p) {
        p->next = t->programs;
        t->programs = p;
    }
    return p;
}

/* For a batch with sizes that only running tells, which is run as far as these need it. */
static struct training_program *program_for_sizes(struct trainer *t, const struct step_batch *batch,
                                                  const struct found **found, struct report *r)
{
    struct training_program *p;

    *found = step_sizes_find(t->sizes, batch, false, r);
    p = *found ? find_program(t, batch->samples, *found) : NULL;
    if (p || !*found)
        return p;
    *found = step_sizes_find(t->sizes, batch, true, r);
    return *found ? add_program(t, batch->samples, *found, NULL, r) : NULL;
}

struct training_program *program_for(struct trainer *t, const struct step_batch *batch, const struct found **found,
                                     struct report *r)
{
    struct training_program *p;
    bool open = false;

    *found = NULL;
    if (!t->trainable) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "the trainer was made to measure: it takes no steps");
        return NULL;
    }
    if (t->sizes)
        return program_for_sizes(t, batch, found, r);
    p = find_program(t, batch->samples, NULL);
    p = p ? p : add_program(t, batch->samples, NULL, &open, r);
    if (!open)
        return p;
    t->sizes = step_sizes_new(t, r);
    return t->sizes ? program_for_sizes(t, batch, found, r) : NULL;
}
