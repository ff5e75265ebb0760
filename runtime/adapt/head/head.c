/* Another head in the place of the one that the file has; which outputs train, and which parameters. */
#include "adapt/head/head.h"
#include "base/text.h"
#include "train/reach.h"
#include <string.h>

/* -- outputs -- */

static const struct value *output_of(const struct graph *g, const char *name)
{
    for (size_t k = 0; k < g->output_count; k++)
        if (strcmp(g->outputs[k]->name, name) == 0)
            return g->outputs[k];
    return NULL;
}

static const char **output_names(struct adapt *a, const struct graph *g)
{
    const char **names = arena_array(a->arena, g->output_count, sizeof *names, a->report);

    for (size_t k = 0; names && k < g->output_count; k++)
        names[k] = g->outputs[k]->name;
    return names;
}

static bool fail_output(struct adapt *a, const struct graph *g, const char *name)
{
    const char **names = output_names(a, g);
    char text[NAMES_TEXT];

    return names &&
           fail(a->report, KILN_BAD_ARGUMENT, NULL, "there is no output '%s' that could train, the model has %s", name,
                names_text(text, names, g->output_count));
}

/* The one whose head is another from now on. */
static const struct value *first_output(struct adapt *a)
{
    const struct graph *g = a->model->graph;
    const struct adapt_options *o = a->options;
    const struct value *v = o->output_count ? output_of(g, o->outputs[0]) : g->output_count ? g->outputs[0] : NULL;

    if (!v && o->output_count)
        fail_output(a, g, o->outputs[0]);
    else if (!v)
        fail(a->report, KILN_BAD_MODEL, NULL, "the model has no output");
    return v;
}

static bool add_name(struct adapt *a, struct adapted_names *to, const char *name)
{
    to->at[to->count] = arena_string(a->arena, name, strlen(name), a->report);
    return to->at[to->count++];
}

static bool start_names(struct adapt *a, struct adapted_names *to, size_t most)
{
    to->count = 0;
    to->at = arena_array(a->arena, most, sizeof *to->at, a->report);
    return to->at;
}

static bool is_listed(const struct adapted_names *list, const char *name)
{
    for (size_t k = 0; k < list->count; k++)
        if (strcmp(list->at[k], name) == 0)
            return true;
    return false;
}

/* `first`: what the first of them is called by now. */
static bool list_training(struct adapt *a, const char *first)
{
    const struct adapt_options *o = a->options;
    struct adapted_names *to = &a->out->training;

    if (!start_names(a, to, o->output_count + 1) || !add_name(a, to, first))
        return false;
    for (size_t k = 1; k < o->output_count; k++) {
        if (!output_of(a->model->graph, o->outputs[k]))
            return fail_output(a, a->model->graph, o->outputs[k]);
        if (is_listed(to, o->outputs[k]))
            return fail(a->report, KILN_BAD_ARGUMENT, NULL, "output '%s' is to train twice", o->outputs[k]);
        if (!add_name(a, to, o->outputs[k]))
            return false;
    }
    return true;
}

static bool tell_outputs(struct adapt *a)
{
    const struct graph *g = a->model->graph;

    for (size_t k = 0; g->output_count > 1 && k < g->output_count; k++) {
        const bool trains = is_listed(&a->out->training, g->outputs[k]->name);
        const struct finding f = { .name = g->outputs[k]->name,
                                   .found = "an output of several",
                                   .evidence = a->options->output_count ? "as asked for" : "the first is what trains",
                                   .certainty = a->options->output_count ? CERTAIN : LIKELY,
                                   .done = trains ? "trains" : "stays, does not train" };

        if (!adapt_tell(a, &f))
            return false;
    }
    return true;
}

/* -- parameters -- */

/* Is it one of the head, a new one or the one that there is? */
static bool is_of_head(const struct head *h, const struct map *made, const struct parameter *p)
{
    if (h->made_count)
        return map_has(made, p->value->name);
    return h->node && (p->reader == h->node || (h->bias && p->reader == h->bias));
}

static bool sort_parameters(struct head *h, const struct parameters *p, const struct reached *reached)
{
    struct adapt *a = h->a;
    struct adapted *out = a->out;
    struct map made;
    bool ok = start_names(a, &out->head, p->count) && start_names(a, &out->frozen, p->count) &&
              start_names(a, &out->unreached, p->count);

    map_init(&made, a->arena->budget);
    for (size_t k = 0; ok && k < h->made_count; k++)
        ok = map_put(&made, h->made[k], a->report);
    for (size_t k = 0; ok && k < p->count; k++) {
        const struct parameter *q = &p->at[k];
        const bool head = is_of_head(h, &made, q);

        if (q->role != ROLE_TRAINABLE)
            continue;
        if (reached[k].how != REACH_GRADIENT)
            ok = add_name(a, &out->unreached, q->value->name);
        if (head)
            ok = ok && add_name(a, &out->head, q->value->name);
        else if (a->options->freeze_backbone)
            ok = ok && add_name(a, &out->frozen, q->value->name) && adapt_set_role(a, q->value->name, ROLE_FROZEN);
    }
    map_release(&made);
    return ok;
}

static bool tell_names(struct adapt *a, const struct adapted_names *names, const char *what, const char *evidence,
                       const char *done)
{
    char text[NAMES_TEXT];
    struct finding f = { .name = "", .evidence = evidence, .certainty = CERTAIN, .done = done };

    if (!names->count)
        return true;
    f.found = arena_printf(a->arena, a->report, "%zu parameter%s %s: %s", names->count, names->count == 1 ? "" : "s",
                           what, names_text(text, names->at, names->count));
    return f.found && adapt_tell(a, &f);
}

static bool check_trainable(const struct adapt *a)
{
    const struct adapted *out = a->out;

    if (a->options->freeze_backbone && !out->head.count)
        return fail(a->report, KILN_BAD_MODEL, NULL,
                    "the head has no parameter that trains, and all others are frozen");
    return true;
}

/* Why the first of them is not reached. */
static const char *way_evidence(struct adapt *a, const struct parameters *p, const struct reached *reached)
{
    for (size_t k = 0; k < p->count; k++)
        if (p->at[k].role == ROLE_TRAINABLE && reached[k].how != REACH_GRADIENT)
            return reached[k].how == REACH_NOWHERE ? "they lead to no output that trains"
                   : reached[k].how == REACH_PIECES
                       ? "they lead to outputs that train through sizes and indices alone"
                       : arena_printf(a->arena, a->report, "%s has no gradient", reached[k].by->op_name);
    return "";
}

static bool list_parameters(struct head *h)
{
    struct adapt *a = h->a;
    const struct graph *g = a->model->graph;
    const struct adapted_names *training = &a->out->training;
    const struct value **outputs = arena_array(a->arena, training->count, sizeof *outputs, a->report);
    const struct reached *reached = NULL;
    const char *why = NULL;
    struct parameters p;

    for (size_t k = 0; outputs && k < training->count; k++)
        outputs[k] = output_of(g, training->at[k]);
    if (outputs && parameters_find(&p, a->model, NULL, a->arena, a->report))
        reached = parameters_reach(&p, g, outputs, training->count, a->arena, a->report);
    if (reached)
        why = way_evidence(a, &p, reached);
    return why && sort_parameters(h, &p, reached) && check_trainable(a) &&
           tell_names(a, &a->out->unreached, "that no gradient reaches", why, "freeze themselves") &&
           tell_names(a, &a->out->frozen, "before the head", "the backbone is to be frozen", "frozen");
}

/* -- the step -- */

static bool find(struct head *h)
{
    h->graph = h->a->model->graph;
    h->types = head_plan(h, h->graph, 0, h->a->report);
    h->active = h->types ? activations_find(h->graph, h->a->arena, h->a->report) : NULL;
    return h->active && head_find(h) && head_follow(h);
}

/* Which outputs come from the new head: those of a graft, or those that came from the old one. */
static bool note_fresh(struct head *h)
{
    struct adapt *a = h->a;
    const struct graph *g = a->model->graph;
    bool *fresh = arena_array(a->arena, g->output_count, sizeof *fresh, a->report);

    for (size_t k = 0; fresh && k < g->output_count; k++)
        fresh[k] = h->outputs ? k >= h->first && k < h->first + h->outputs
                              : h->classes[h->graph->outputs[k]->id] != CLASSES_NONE;
    a->fresh = fresh;
    if (a->options->classes) {
        a->classified = h->output->name;
        a->class_axis = h->classes[h->output->id];
    }
    return fresh;
}

static bool replace(struct head *h)
{
    const struct adapt_options *o = h->a->options;

    if (!o->classes && !o->head && !o->freeze_backbone)
        return true;
    if (!find(h))
        return false;
    if (!o->classes && !o->head)
        return true;
    return (o->classes ? head_classes(h, o->classes) : head_graft(h, o->head)) && note_fresh(h);
}

bool adapt_head(struct adapt *a)
{
    struct head h = { .a = a, .budget = budget_like(&a->model->budget) };
    bool ok;

    h.output = first_output(a);
    ok = h.output && replace(&h);
    ok = ok && list_training(a, h.outputs ? a->model->graph->outputs[h.first]->name : h.output->name) &&
         tell_outputs(a) && list_parameters(&h);
    program_free(h.types);
    return ok;
}
