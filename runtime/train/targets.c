#include "train/targets.h"
#include "plan/found.h"
#include "plan/samples_first.h"
#include "train/as_ones.h"
#include "train/batch_size.h"
#include "train/class_axis.h"
#include "train/decided.h"
#include <stdio.h>
#include <string.h>

/* -- which outputs learn -- */

static bool find_output(struct trainer *t, size_t k, const char *name, struct report *r)
{
    const struct graph *g = t->model->graph;
    struct target *target = &t->targets[k];

    for (size_t o = 0; name && o < g->output_count && !target->output; o++)
        if (strcmp(g->outputs[o]->name, name) == 0)
            target->output = g->outputs[o];
    if (!name && g->output_count)
        target->output = g->outputs[decided_output(t->model)];
    if (!target->output)
        return name ? fail(r, KILN_BAD_ARGUMENT, NULL, "the model has no output '%s' that could learn", name)
                    : fail(r, KILN_BAD_MODEL, NULL, "the model has no output");
    for (size_t o = 0; o < k; o++)
        if (t->targets[o].output == target->output)
            return fail(r, KILN_BAD_ARGUMENT, NULL, "output '%s' is to learn twice", target->output->name);
    return true;
}

bool targets_find(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    t->target_count = o->targets ? o->targets : 1;
    t->targets = arena_array(&t->arena, t->target_count, sizeof *t->targets, r);
    t->result = arena_array(&t->arena, t->target_count, sizeof *t->result, r);
    if (!t->targets || !t->result)
        return false;
    for (size_t k = 0; k < t->target_count; k++)
        if (!find_output(t, k, o->targets ? o->target[k].output : NULL, r))
            return false;
    return true;
}

/* -- what they are compared with -- */

/* Where only running tells sizes on the way, the output's type is what it is for a sample of ones, if that leaves nothing open; else
 * what the file says of it, if that leaves nothing open but the samples: a step will show. */
static struct tensor type_of_output(struct trainer *t, const struct program *p, const struct value *output)
{
    struct tensor type = p->types[output->id];
    struct report quiet = { 0 };
    struct arena scratch = { .budget = &t->budget };
    const struct tensor *types = NULL;

    if (!found_open(p) || tensor_known(&type))
        return type;
    types = as_ones_types(&t->engine, t->model->graph, t->x, &scratch, &quiet);
    if (types && types[output->id].kind == TENSOR && types[output->id].dtype != UNDEFINED &&
        tensor_known(&types[output->id])) {
        type = types[output->id];
    } else if (output->has_type && output->type.rank >= 1) {
        type = output->type;
        type.dims[0] = type.dims[0] < 0 ? 1 : type.dims[0];
    }
    arena_release(&scratch);
    return type;
}

/* The first node whose result planning does not know is what one cannot train through. */
static bool fail_unknown(const struct trainer *t, const struct program *p, const struct value *output, struct report *r)
{
    const struct graph *g = t->model->graph;
    char where[WHERE_TEXT], text[TYPE_TEXT];

    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (n->outputs && n->out[0] && !tensor_known(&p->types[n->out[0]->id]))
            return n->def->no_gradient
                       ? fail(r, KILN_UNSUPPORTED, node_where(n, where), "has no gradient: %s", n->def->no_gradient)
                       : fail(r, KILN_UNSUPPORTED, node_where(n, where),
                              "only running tells the shape of its output, which one cannot train through");
    }
    return fail(r, KILN_UNSUPPORTED, NULL, "output '%s' is %s, must be floats with a dimension for the samples",
                output->name, tensor_text(&p->types[output->id], text));
}

static bool choose_weights(struct trainer *t, struct target *to, const struct target_options *o, struct report *r)
{
    const struct loss_def *loss = to->loss.def;
    double *copy;

    if ((o->class_weights || t->weighted) && !loss->rows)
        return fail(r, KILN_UNSUPPORTED, NULL, "loss '%s' compares all samples together: they cannot be weighed",
                    loss->row.name);
    if (!o->class_weights)
        return true;
    if (loss->labels >= LABELS_NUMBERS)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "classes are to be weighed, output '%s' has none: its loss is %s",
                    to->output->name, loss->row.name);
    if (to->loss.classes && o->weighted > to->loss.classes)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "class %lld is to be weighed, output '%s' tells %d apart, from 0 on",
                    (long long)o->weighted - 1, to->output->name, to->loss.classes);
    copy = arena_array(&t->arena, (size_t)o->weighted, sizeof *copy, r);
    if (!copy)
        return false;
    memcpy(copy, o->class_weights, (size_t)o->weighted * sizeof *copy);
    to->loss.class_weights = copy;
    to->loss.weighted = o->weighted;
    return true;
}

/* Sequences are as long as those of the data, or, where nothing is known of them, as the steps are many. */
static bool choose_length(struct target *to, const struct tensor *out, const struct target_options *o, struct report *r)
{
    char text[TYPE_TEXT];

    if (out->rank != 3)
        return fail(r, KILN_UNSUPPORTED, NULL, "output '%s' is %s, loss '%s' needs [samples, steps, classes]",
                    to->output->name, tensor_text(out, text), to->loss.def->row.name);
    to->y.dims[1] = o->labels && o->labels->rank == 2 ? o->labels->dims[1] : out->dims[1];
    return true;
}

/* Are there labels for each unit by itself? Of classes a row has one. */
static bool has_several(const struct loss *l, const struct tensor *out, const struct target_options *o)
{
    const bool each = o->form == TARGETS_VALUES || (o->labels && o->labels->rank == out->rank);

    return l->def->labels == LABELS_PROBABILITIES && !l->def->along_classes && l->def->rows && l->width > 1 && each;
}

static bool choose_loss(struct trainer *t, size_t k, const struct target_options *o, const struct program *types,
                        struct report *r)
{
    struct target *to = &t->targets[k];
    struct tensor out = type_of_output(t, types, to->output);
    const char *loss = o->loss ? o->loss : decided_once(t->model, DECIDED_LOSS, to->output->name);
    const struct loss_data data = { o->form, o->classes, o->labels };
    struct target_options known = *o;
    int axis;

    out.data = NULL;
    if (!tensor_known(&out) || !dtype_is_float(out.dtype) || dtype_is_small(out.dtype) || !out.rank)
        return fail_unknown(t, types, to->output, r);
    known.loss = loss;
    axis = class_axis_find(to->output, &out, &known, r);
    if (!axis && out.rank > 1)
        return false;
    if (!loss_choose(&to->loss, loss, to->output, &out, axis, &data, &t->arena, r))
        return false;
    if (loss && !o->loss)
        snprintf(to->loss.said, sizeof to->loss.said, "%s, says the file (%s%s)", loss, DECIDED_LOSS, to->output->name);
    to->loss.several = has_several(&to->loss, &out, o);
    if (o->class_axis && !loss_has_rows(to->loss.def))
        warn(r, NULL, "the class axis says nothing to loss '%s' of output '%s'", to->loss.def->row.name,
             to->output->name);
    if (to->loss.axis && to->loss.def->labels == LABELS_CLASSES)
        out = class_axis_last(&out, axis);
    to->loss.weight = o->weight ? o->weight : 1;
    if (!choose_weights(t, to, o, r))
        return false;
    to->y = loss_labels(&to->loss, &out);
    if (to->loss.def->labels == LABELS_SEQUENCES && !choose_length(to, &out, o, r))
        return false;
    if (!to->y.rank)
        return fail(r, KILN_UNSUPPORTED, NULL, "output '%s' is a vector, loss '%s' needs a row for each sample",
                    to->output->name, to->loss.def->row.name);
    to->y.dims[0] = UNKNOWN;
    return true;
}

static bool choose_losses(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    static const struct target_options nothing_said;
    const struct plan_context c = engine_context(&t->engine, r);
    struct program *p = plan_samples(t->model->graph, t->x, 1, UNKNOWN, &c);
    bool ok = p;

    for (size_t k = 0; ok && k < t->target_count; k++)
        ok = choose_loss(t, k, o->targets ? &o->target[k] : &nothing_said, p, r);
    ok = ok && batch_size_find(t->model->graph, t->x, &c, &t->batch);
    for (size_t k = 0; ok && k < t->inputs; k++) { /* as they are given, from now on */
        t->x[k] = samples_first(t->model->graph, k, &t->x[k]);
        t->x[k].dims[0] = UNKNOWN;
    }
    program_free(p);
    return ok;
}

/* -- what is measured of them -- */

/* The specification without the output's name before it; NULL where it is for another one. */
static const char *metric_for(const struct trainer *t, size_t k, const char *spec, bool *known)
{
    const char *rest = NULL;

    *known = true;
    for (size_t o = 0; o < t->target_count; o++) {
        const char *name = t->targets[o].output->name;
        const size_t n = strlen(name);

        if (strncmp(spec, name, n) == 0 && spec[n] == '=') {
            if (o == k)
                return spec + n + 1;
            rest = spec;
        }
    }
    if (!rest && strcspn(spec, "=") < spec_name_length(spec))
        *known = false;
    return rest ? NULL : spec;
}

static bool choose_metrics(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    const char **specs = arena_array(&t->arena, o->metric_count, sizeof *specs, r);
    bool known;

    for (size_t k = 0; specs && k < t->target_count; k++) {
        struct target *to = &t->targets[k];
        size_t count = 0;

        for (size_t m = 0; m < o->metric_count; m++) {
            specs[count] = metric_for(t, k, o->metrics[m], &known);
            if (!known)
                return fail(r, KILN_BAD_ARGUMENT, NULL, "metric '%.80s': no output of that name learns", o->metrics[m]);
            count += specs[count] != NULL;
        }
        if (!metrics_choose(&to->metrics, &to->loss, specs, count, &t->arena, r))
            return false;
        to->evaluated = &to->metrics;
        t->result[k].metric = arena_array(&t->arena, (size_t)to->metrics.sums, sizeof(double), r);
        if (!t->result[k].metric)
            return false;
    }
    return specs;
}

bool targets_choose(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    return choose_losses(t, o, r) && choose_metrics(t, o, r);
}
