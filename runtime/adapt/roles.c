/* What was decided, written into the metadata: the role and the layer of each initializer of floats, the loss. */
#include "adapt/loss.h"
#include "adapt/step.h"
#include "base/map.h"
#include "base/text.h"
#include "ops/op.h"
#include "plan/program.h"
#include "train/change.h"
#include "train/decided.h"
#include <stdio.h>
#include <string.h>

/* Entries that are added one by one. */
struct entries {
    struct adapt *a;
    const char **keys, **texts;
    size_t count;
};

static bool add_entry(struct entries *e, const char *prefix, const char *name, const char *text)
{
    const char *key = arena_printf(e->a->arena, e->a->report, "%s%s", prefix, name);
    const char *copy = key ? arena_string(e->a->arena, text, strlen(text), e->a->report) : NULL;

    if (!copy)
        return false;
    e->keys[e->count] = key;
    e->texts[e->count++] = copy;
    return true;
}

/* -- roles -- */

/* What it may be: something is learned where it is read, or is kept there, or neither. */
static const char *const *role_choices(const struct parameter *p)
{
    static const char *const all[] = { "trainable", "frozen", "constant", NULL };
    static const char *const statistic[] = { "frozen", "constant", NULL }, *const constant[] = { "constant", NULL };

    return p->role == ROLE_STATISTIC ? statistic : p->reader || p->could ? all : constant;
}

/* What a step has decided, what the caller says, else what its place tells. */
static const char *role_of(struct adapt *a, const struct map *decided, const struct parameter *p)
{
    const char *name = p->value->name, *chosen = adapt_choice(a, role_choices(p), name, NULL);
    const struct role_choice *by_step = map_get(decided, name);

    return chosen ? chosen : role_name(by_step ? by_step->role : p->role);
}

static bool add_roles(struct entries *e, const struct parameters *p)
{
    struct adapt *a = e->a;
    struct map decided;
    bool ok = true;

    map_init(&decided, a->arena->budget);
    for (struct role_choice *c = a->roles; ok && c; c = c->next) {
        void **slot = map_put(&decided, c->name, a->report);

        ok = slot != NULL;
        if (ok && !*slot) /* the latest */
            *slot = c;
    }
    for (size_t k = 0; ok && k < p->count; k++) {
        const char *layer = p->at[k].layer;

        ok = add_entry(e, DECIDED_ROLE, p->at[k].value->name, role_of(a, &decided, &p->at[k])) &&
             (!*layer || add_entry(e, DECIDED_LAYER, p->at[k].value->name, layer));
    }
    map_release(&decided);
    return ok;
}

/* Zeros say nothing; Keras' exporters call what is repeated for each sample by the operator that does so. */
static bool tell_tokens(struct adapt *a, const struct parameters *p)
{
    for (size_t k = 0; k < p->count; k++) {
        const char *name = p->at[k].value->name;
        const struct finding found = { .name = name,
                                       .found = "zeros that are joined to each sample",
                                       .evidence = "no name tells what they are",
                                       .certainty = DOUBTFUL,
                                       .done = "nothing: they are constant",
                                       .unknown = "whether they are a token that was never trained (trainable: they "
                                                  "are)" };

        if (p->at[k].token && !adapt_choice(a, role_choices(&p->at[k]), name, NULL) && !adapt_tell(a, &found))
            return false;
    }
    return true;
}

/* Of single numbers a file does not always tell whether they are learned. */
static bool tell_numbers(struct adapt *a, const struct parameters *p)
{
    for (size_t k = 0; k < p->count; k++) {
        const struct parameter *at = &p->at[k];
        const bool trains = at->role == ROLE_TRAINABLE && at->by_name;
        struct finding found = { .name = at->value->name };

        if (trains)
            found = (struct finding){ .name = at->value->name,
                                      .found = "a single number that is learned",
                                      .evidence = "it is called as PyTorch's parameters are",
                                      .certainty = LIKELY,
                                      .done = "trains",
                                      .unknown = "whether it is a buffer, which does not (constant)" };
        else
            found = (struct finding){ .name = at->value->name,
                                      .found = "a single number that may be learned",
                                      .evidence = at->unsure,
                                      .certainty = DOUBTFUL,
                                      .done = "nothing: it is constant (trainable: it trains)" };
        if ((trains || (at->role == ROLE_CONSTANT && at->unsure)) &&
            !adapt_choice(a, role_choices(at), at->value->name, NULL) && !adapt_tell(a, &found))
            return false;
    }
    return true;
}

/* -- losses -- */

static bool add_losses(struct entries *e, const struct program *types)
{
    const struct graph *g = e->a->model->graph;

    for (size_t k = 0; k < g->output_count; k++) {
        const char *loss;

        if (!loss_decide(e->a, k, &types->types[g->outputs[k]->id], &loss) ||
            (loss && !add_entry(e, DECIDED_LOSS, g->outputs[k]->name, loss)))
            return false;
    }
    return true;
}

/* -- outputs -- */

/* Of one there is nothing to say. */
static bool add_training(struct entries *e)
{
    const struct adapted_names *training = &e->a->out->training;

    for (size_t k = 0; e->a->model->graph->output_count > 1 && k < training->count; k++)
        if (!add_entry(e, DECIDED_TRAINS, training->at[k], "yes"))
            return false;
    return true;
}

/* -- Dropout -- */

/* Dropout, or numbers of which inference/ has told that it does not know what they are. */
static bool draws(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->def && (g->nodes[k]->def->flags & OP_RANDOM))
            return true;
    return false;
}

/* Exporters leave it out of what is to be inference: nobody can tell. */
static bool tell_dropout(struct adapt *a)
{
    return draws(a->model->graph) ||
           adapt_tell(a, &(struct finding){ .name = "",
                                            .found = "no Dropout",
                                            .evidence = "exporters for inference leave it out",
                                            .certainty = CERTAIN,
                                            .done = "none is added",
                                            .unknown = "whether there was any, and its rate" });
}

/* -- telling -- */

static bool note_unreached(struct map *m, const struct adapted_names *unreached, struct report *r)
{
    for (size_t k = 0; k < unreached->count; k++)
        if (!map_put(m, unreached->at[k], r))
            return false;
    return true;
}

/* What no gradient reaches keeps its role, as it may train with other outputs, but does not count. */
static bool tell_roles(struct adapt *a, const struct parameters *p)
{
    char found[100], done[200], unreached[60] = "";
    size_t count[4] = { 0 }, others = 0;
    int64_t numbers = parameters_elements(p, ROLE_TRAINABLE);
    struct map names;
    bool ok;

    map_init(&names, a->arena->budget);
    ok = note_unreached(&names, &a->out->unreached, a->report);
    for (size_t k = 0; ok && k < p->count; k++) {
        const bool leaves = p->at[k].role == ROLE_TRAINABLE && map_has(&names, p->at[k].value->name);

        count[p->at[k].role] += !leaves;
        others += leaves;
        numbers -= leaves ? parameter_elements(&p->at[k]) : 0;
    }
    map_release(&names);
    if (!ok)
        return false;
    a->out->trainable = numbers;
    if (others)
        snprintf(unreached, sizeof unreached, ", %zu that no gradient reaches", others);
    snprintf(found, sizeof found, "%lld numbers that train", (long long)numbers);
    snprintf(done, sizeof done, "%zu initializers trainable, %zu statistics, %zu frozen, %zu constant%s",
             count[ROLE_TRAINABLE], count[ROLE_STATISTIC], count[ROLE_FROZEN], count[ROLE_CONSTANT], unreached);
    return adapt_tell(a, &(struct finding){ .name = "",
                                            .found = found,
                                            .evidence = "where initializers are read, see inspect --train",
                                            .certainty = LIKELY,
                                            .done = done });
}

/* -- all of it -- */

static bool write(struct adapt *a, struct entries *e)
{
    const struct model_changes c = { .metadata = e->count, .keys = e->keys, .texts = e->texts };
    struct model *made = model_change(a->model, &c, a->report);

    return adapt_take(a, made, made != NULL);
}

bool adapt_roles(struct adapt *a)
{
    struct budget budget = budget_like(&a->model->budget);
    struct entries e = { .a = a };
    struct parameters p;
    const struct tensor *x;
    struct program *types;
    size_t most;
    bool ok;

    if (!parameters_find(&p, a->model, NULL, a->arena, a->report))
        return false;
    most = 2 * p.count + a->model->graph->output_count + a->out->training.count;
    e.keys = arena_array(a->arena, most, sizeof *e.keys, a->report);
    e.texts = arena_array(a->arena, most, sizeof *e.texts, a->report);
    budget_start(&budget);
    types =
        e.keys && e.texts && adapt_inputs(a, a->model->graph, &x) ? plan_sample(a->model, x, &budget, a->report) : NULL;
    budget_stop(&budget);
    ok = types && add_roles(&e, &p) && tell_tokens(a, &p) && tell_numbers(a, &p) && add_losses(&e, types) &&
         add_training(&e) && write(a, &e);
    program_free(types);
    /* as they are now, with what was decided */
    return ok && tell_dropout(a) && parameters_find(&p, a->model, NULL, a->arena, a->report) && tell_roles(a, &p);
}
