#include "train/penalty.h"
#include "ops/rank.h"
#include "train/decided.h"
#include <fnmatch.h>

static bool add(struct trainer *t, const struct regularizer *g, const struct penalized *of, const struct penalty *p,
                const char *name, struct report *r)
{
    const char *wrong = g->def->refuses ? g->def->refuses(of) : NULL;
    struct penalty *more;

    if (wrong)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "regularizer '%s' of '%s' %s", g->def->row.name, name, wrong);
    more = arena_alloc(&t->arena, sizeof *more, r);
    if (!more)
        return false;
    *more = *p;
    more->next = t->penalties;
    t->penalties = more;
    return true;
}

static bool of_parameters(struct trainer *t, const char *pattern, const struct regularizer *g, struct report *r)
{
    bool any = false;

    for (size_t k = 0; k < t->trainable; k++) {
        const struct state *s = &t->states[k];
        const struct penalized of = { .settings = g->settings, .dtype = s->value.dtype, .type = &s->value };
        const struct penalty p = { .regularizer = *g, .state = s };

        if (!parameter_matches(s->parameter, pattern))
            continue;
        any = true;
        if (!add(t, g, &of, &p, s->parameter->value->name, r))
            return false;
    }
    return any || fail(r, KILN_BAD_ARGUMENT, NULL,
                       "regularizer '%s': '%s' names no parameter that trains, and no node that reads one",
                       g->def->row.name, pattern);
}

/* A value goes by its own name, or is the first that a node of that name makes. */
static bool of_activities(struct trainer *t, const char *pattern, const struct regularizer *g, const bool *active,
                          struct report *r)
{
    const struct graph *graph = t->model->graph;
    bool any = false;

    for (size_t k = 0; k < graph->value_count; k++) {
        const struct value *v = graph->values[k];
        const struct node *n = v->producer;
        const struct known known = known_of(v);
        const struct penalized of = { .settings = g->settings, .dtype = F32 };
        const struct penalty p = { .regularizer = *g, .activity = v };

        if (!n || !active[k] || !dtype_is_float(known.dtype) || known.rank < 1 ||
            (fnmatch(pattern, v->name, 0) && (n->out[0] != v || !*n->name || fnmatch(pattern, n->name, 0))))
            continue;
        any = true;
        if (!add(t, g, &of, &p, v->name, r))
            return false;
    }
    return any || fail(r, KILN_BAD_ARGUMENT, NULL,
                       "regularizer '%s': '%s' names no floats that the model makes of its inputs, and no node that "
                       "makes them",
                       g->def->row.name, pattern);
}

static bool is_named(const struct trainer_options *o, const struct parameter *p)
{
    for (size_t k = 0; k < o->regularizers; k++)
        if (!o->regularizer[k].activity && parameter_matches(p, o->regularizer[k].pattern))
            return true;
    return false;
}

/* What the file says, of parameters that train and that no option names. */
static bool of_file(struct trainer *t, const struct trainer_options *o, struct arena *scratch, struct report *r)
{
    struct decided said;
    bool ok = decided_read(&said, t->model, DECIDED_PENALTY, scratch->budget, r);

    for (size_t k = 0; ok && k < t->trainable; k++) {
        const struct state *s = &t->states[k];
        const char *name = s->parameter->value->name, *spec = decided_of(&said, name);
        struct penalized of = { .dtype = s->value.dtype, .type = &s->value };
        struct penalty p = { .state = s };

        if (!spec || is_named(o, s->parameter))
            continue;
        ok = regularizer_parse(&p.regularizer, spec, &t->arena, r);
        of.settings = p.regularizer.settings;
        ok = ok && add(t, &p.regularizer, &of, &p, name, r);
    }
    decided_release(&said);
    return ok;
}

bool penalties_find(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    struct arena scratch = { .budget = &t->budget };
    const bool *active = o->regularizers ? activations_find(t->model->graph, &scratch, r) : NULL;
    bool ok = active || !o->regularizers;

    if (o->regularizers && o->measure)
        ok = fail(r, KILN_BAD_ARGUMENT, NULL, "regularizers are of what trains, the trainer is made to measure");
    for (size_t k = 0; ok && k < o->regularizers; k++) {
        const struct regularizer_options *q = &o->regularizer[k];
        struct regularizer g;

        ok = regularizer_parse(&g, q->spec, &t->arena, r) &&
             (q->activity ? of_activities(t, q->pattern, &g, active, r) : of_parameters(t, q->pattern, &g, r));
    }
    ok = ok && of_file(t, o, &scratch, r); /* where one measures nothing trains */
    arena_release(&scratch);
    return ok;
}

/* -- nodes -- */

/* The mean over the samples of the batch, as in Keras 3. */
static struct value *emit_of_activity(struct emitter *e, const struct penalty *p)
{
    struct value *v = e->graph->values[p->activity->id]; /* clones keep ids */
    struct value *samples = emit(e, "Squeeze", "", 1, emit(e, "Shape", "start=0 end=1", 1, v));
    const enum dtype dtype = known_of(v).dtype;
    const struct penalized of = { .settings = p->regularizer.settings,
                                  .x = dtype == F32 ? v : emit_cast(e, v, F32),
                                  .dtype = F32 };

    return emit(e, "Div", "", 2, p->regularizer.def->emit(e, &of), emit_cast(e, samples, F32));
}

static struct value *emit_of_parameter(struct emitter *e, const struct penalty *p, struct value *state)
{
    const struct tensor *type = &p->state->value;
    const struct penalized of = { .settings = p->regularizer.settings, .x = state, .dtype = type->dtype, .type = type };
    struct value *made = p->regularizer.def->emit(e, &of);

    return type->dtype == F32 ? made : emit_cast(e, made, F32);
}

struct value *penalties_emit(struct emitter *e, const struct trainer *t, struct value *const *state)
{
    struct value *sum = NULL;

    for (const struct penalty *p = t->penalties; p; p = p->next) {
        struct value *one = p->activity ? emit_of_activity(e, p) : emit_of_parameter(e, p, state[p->state - t->states]);

        sum = sum ? emit(e, "Add", "", 2, sum, one) : one;
    }
    return sum;
}
