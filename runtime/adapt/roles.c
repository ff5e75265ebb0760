/* What was decided, written into the metadata: the role and the layer of each initializer of floats, the loss. */
#include "adapt/step.h"
#include "base/text.h"
#include "ops/op.h"
#include "train/change.h"
#include "train/class_axis.h"
#include "train/decided.h"
#include "train/loss.h"
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

/* -- the loss -- */

static const struct column *column_of(const struct dataset *d, const struct value *output, bool first)
{
    for (size_t k = 0; d && !d->unlabelled && k < d->targets; k++)
        if (column_is(&d->y[k], output->name, first && d->targets == 1))
            return &d->y[k];
    return NULL;
}

/* An output, and what its loss is chosen by. */
struct learner {
    struct value *output;
    struct tensor type;
    const struct column *y; /* NULL: nothing is known of its labels */
    bool fresh;             /* the labels are those of a head that is gone */
    bool asked;             /* classes were asked for: the data say nothing */
    struct loss_data data;
    char loss[100];
};

/* Does the output tell by itself what its numbers are? */
static bool tells_itself(const struct loss *l)
{
    return l->def->activation && !(l->logits && l->at == l->out);
}

/* Are the labels such as this loss could take? */
static bool takes_labels(const struct loss *l, const struct learner *o)
{
    return loss_is_single(&o->y->values, &o->type, l->def->labels == LABELS_CLASSES ? l->width : 1) &&
           (l->def->labels != LABELS_CLASSES || o->y->classes <= l->classes);
}

static const char *misfit(struct adapt *a, const struct learner *o, const struct loss *l)
{
    const struct column *y = o->y;

    if (!column_has_labels(y))
        return arena_printf(a->arena, a->report, "%lld numbers of a sample are to be predicted, it has %lld",
                            (long long)dims_product(y->values.dims, 1, y->values.rank),
                            (long long)dims_product(o->type.dims, 1, o->type.rank));
    return arena_printf(a->arena, a->report, "labels go from %lld to %d, it has %lld numbers for a label%s",
                        (long long)y->least, y->classes - 1, (long long)l->width,
                        y->least == 1 && y->classes == l->width + 1 ? ": these begin at 1" : "");
}

/* Where nothing is decided, training does it, by its own data. */
static bool tell_open(struct adapt *a, const struct learner *o, const struct loss *l)
{
    const char *evidence = misfit(a, o, l);

    return evidence &&
           adapt_tell(a, &(struct finding){ .name = o->output->name,
                                            .found = "labels that it does not fit",
                                            .evidence = evidence,
                                            .certainty = DOUBTFUL,
                                            .done = "no loss is written down: training chooses one by its own data" });
}

/* Is it worth to be written down? False, too, where telling fails. */
static bool decide(struct adapt *a, const struct learner *o, const struct loss *l)
{
    if (o->asked)
        return l->def->labels != LABELS_NUMBERS; /* one number may be anything */
    if (tells_itself(l))
        return true;
    if (o->fresh)
        return false;
    if (!takes_labels(l, o)) {
        tell_open(a, o, l);
        return false;
    }
    return true;
}

static bool tell_loss(struct adapt *a, struct learner *o, const struct loss *l)
{
    const bool asked = o->asked && !tells_itself(l);
    const char *evidence =
        asked ? arena_printf(a->arena, a->report, "a head of %d classes was asked for", o->data.classes) : l->said;

    snprintf(o->loss, sizeof o->loss, "%s%s", l->def->row.name,
             l->logits && l->at == l->out ? ":from_logits=true" : "");
    return evidence && adapt_tell(a, &(struct finding){ .name = o->output->name,
                                                        .found = "the loss",
                                                        .evidence = evidence,
                                                        .certainty = asked ? CERTAIN : LIKELY,
                                                        .done = o->loss });
}

/* As training would choose it for these data. An output that nothing can be chosen for is left to that. */
static bool choose_loss(struct adapt *a, struct learner *o)
{
    const struct target_options t = { .form = o->data.form, .classes = o->data.classes, .labels = o->data.labels };
    const struct tensor *type = &o->type;
    struct report quiet = { 0 };
    struct loss l;
    int axis;

    if (!tensor_known(type) || !dtype_is_float(type->dtype) || dtype_is_small(type->dtype) || !type->rank)
        return false;
    axis = o->asked ? a->class_axis : class_axis_find(o->output, type, &t, &quiet);
    if ((!axis && type->rank > 1) || !loss_choose(&l, NULL, o->output, type, axis, &o->data, a->arena, &quiet))
        return false;
    return decide(a, o, &l) && tell_loss(a, o, &l);
}

/* False where nothing is known of what it learns. */
static bool find_learner(struct adapt *a, size_t k, struct learner *o)
{
    struct value *output = a->model->graph->outputs[k];

    *o = (struct learner){ .output = output,
                           .y = column_of(a->options->data, output, k == 0),
                           .fresh = a->fresh && a->fresh[k],
                           .asked = a->classified && strcmp(a->classified, output->name) == 0 };
    if (o->asked)
        o->data = (struct loss_data){ TARGETS_CLASSES, (int)a->options->classes, NULL };
    else if (o->y)
        o->data = (struct loss_data){ column_has_labels(o->y) ? TARGETS_CLASSES : TARGETS_VALUES, o->y->classes,
                                      &o->y->values };
    return o->asked || o->y;
}

static bool add_losses(struct entries *e, const struct program *types)
{
    struct adapt *a = e->a;
    const struct graph *g = a->model->graph;

    for (size_t k = 0; k < g->output_count; k++) {
        struct learner o;

        if (!find_learner(a, k, &o))
            continue;
        o.type = types->types[g->outputs[k]->id];
        o.type.data = NULL;
        if (choose_loss(a, &o) && !add_entry(e, DECIDED_LOSS, o.output->name, o.loss))
            return false;
    }
    return !failed(a->report);
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

static bool tell_roles(struct adapt *a, const struct parameters *p)
{
    char found[100], done[160];
    size_t count[4] = { 0 };

    for (size_t k = 0; k < p->count; k++)
        count[p->at[k].role]++;
    snprintf(found, sizeof found, "%lld numbers that train", (long long)parameters_elements(p, ROLE_TRAINABLE));
    snprintf(done, sizeof done, "%zu initializers trainable, %zu statistics, %zu frozen, %zu constant",
             count[ROLE_TRAINABLE], count[ROLE_STATISTIC], count[ROLE_FROZEN], count[ROLE_CONSTANT]);
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
    struct program *types;
    size_t most;
    bool ok;

    if (!parameters_find(&p, a->model, NULL, a->arena, a->report))
        return false;
    most = 2 * p.count + a->model->graph->output_count + a->out->training.count;
    e.keys = arena_array(a->arena, most, sizeof *e.keys, a->report);
    e.texts = arena_array(a->arena, most, sizeof *e.texts, a->report);
    budget_start(&budget);
    types = e.keys && e.texts ? plan_sample(a->model, &budget, a->report) : NULL;
    budget_stop(&budget);
    ok = types && add_roles(&e, &p) && add_losses(&e, types) && add_training(&e) && write(a, &e);
    program_free(types);
    /* as they are now, with what was decided */
    return ok && tell_dropout(a) && parameters_find(&p, a->model, NULL, a->arena, a->report) && tell_roles(a, &p);
}
