#include "train/step_sizes.h"
#include "plan/given.h"
#include "run/sizes.h"
#include "train/as_ones.h"

struct step_sizes {
    struct trainer *trainer;
    struct training_program *forward;
    struct sizes *sizes;
};

struct step_sizes *step_sizes_new(struct trainer *t, struct report *r)
{
    struct step_sizes *s = budget_zalloc(&t->budget, 1, sizeof *s, r);

    if (!s)
        return NULL;
    s->trainer = t;
    s->forward = training_program_new(t, TO_SIZE, 1, NULL, NULL, r);
    s->sizes = s->forward ? sizes_new(&t->engine, s->forward->graph, true, r) : NULL;
    if (s->sizes)
        return s;
    step_sizes_free(s);
    return NULL;
}

void step_sizes_free(struct step_sizes *s)
{
    if (!s)
        return;
    sizes_free(s->sizes);
    training_program_free(s->trainer, s->forward);
    budget_free(&s->trainer->budget, s);
}

/* Of a batch whose types alone are known. */
static bool make_up(struct tensor *x, const struct tensor *type, int64_t samples, struct arena *a, struct report *r)
{
    *x = *type;
    x->dims[0] = samples;
    return as_ones(x, a, r);
}

/* By value id: what the batch gives, or would. */
static struct tensor *give_all(const struct step_sizes *s, const struct step_batch *b, struct arena *a,
                               struct report *r)
{
    const struct trainer *t = s->trainer;
    const struct training_program *p = s->forward;
    struct tensor *given = given_types(p->graph, a, r);
    bool ok = given;

    for (size_t k = 0; ok && k < t->state_count; k++)
        given[p->state[k]->id] = t->states[k].value;
    for (size_t k = 0; ok && k < p->inputs; k++) {
        struct tensor *x = &given[p->x[k]->id];

        if (b->x)
            *x = b->x[k];
        else
            ok = make_up(x, &t->x[k], b->samples, a, r);
    }
    for (size_t k = 0; ok && k < p->targets; k++) {
        struct tensor *y = &given[p->y[k]->id];

        if (b->y)
            *y = b->y[k];
        else
            ok = make_up(y, &t->targets[k].y, b->samples, a, r);
    }
    if (ok && p->weights && b->weights.data)
        given[p->weights->id] = b->weights;
    else if (ok && p->weights)
        ok = make_up(&given[p->weights->id], &t->weight_type, b->samples, a, r);
    return ok ? given : NULL;
}

const struct found *step_sizes_find(struct step_sizes *s, const struct step_batch *b, bool seen, struct report *r)
{
    struct arena scratch = { .budget = &s->trainer->budget };
    const struct tensor *given = give_all(s, b, &scratch, r);
    const struct found *found = !given ? NULL
                                : seen ? sizes_settle(s->sizes, given, NULL, r)
                                       : sizes_run(s->sizes, given, r);

    arena_release(&scratch);
    return found;
}

struct tensor *step_sizes_types(struct step_sizes *s, int64_t samples, struct arena *arena, struct report *r)
{
    const struct step_batch types = { .samples = samples };
    struct arena scratch = { .budget = &s->trainer->budget };
    const struct tensor *given = give_all(s, &types, &scratch, r);
    struct tensor *open = given && sizes_run(s->sizes, given, r) ? sizes_types(s->sizes, given, NULL, arena, r) : NULL;

    arena_release(&scratch);
    return open;
}

size_t step_sizes_values(const struct step_sizes *s)
{
    return s->forward->graph->value_count;
}
