#include "train/step_file.h"
#include "base/map.h"
#include "model/graph_write.h"
#include "model/message.h"
#include "train/change.h"
#include "train/state.h"
#include "train/training_program.h"
#include <string.h>

enum { LEAST_OPSET = 18, LEAST_DESCRIBED = 13, LEAST_IR = 8, USUAL_BATCH = 32 };

/* A step on its way into a file. */
struct filing {
    struct trainer *t;
    struct training_program *p;
    struct model *model; /* what it becomes */
    struct arena arena;
    struct map taken;   /* names */
    int lines;          /* see prefix_of */
    const char **names; /* by value id */
    bool *outside;
    const char **outputs;    /* of the graph: loss, states, slots, the number of steps */
    const struct value **in; /* by output, but for the first: the input that it is the next of */
    double rate;             /* and what inputs hold that are no state of the trainer's: */
    int64_t seed, steps;
    struct tensor scalars[3];
    struct report *report;
};

/* -- names -- */

static bool take_name(struct filing *f, const char *name)
{
    static const char training[] = "training";
    const size_t n = sizeof training - 1, lines = strncmp(name, training, n) == 0 ? strspn(name + n, "_") : 0;
    void **slot = map_put(&f->taken, name, f->report);

    if (slot)
        *slot = f;
    if (strncmp(name, training, n) == 0 && name[n + lines] == '/' && (int)lines >= f->lines)
        f->lines = (int)lines + 1;
    return slot;
}

/* That one, with lines behind it where it is taken. */
static const char *unique(struct filing *f, const char *first, const char *second)
{
    char *name = arena_printf(&f->arena, f->report, "%s%s%s", first, *second ? "." : "", second);

    while (name && map_has(&f->taken, name))
        name = arena_printf(&f->arena, f->report, "%s_", name);
    return name && take_name(f, name) ? name : NULL;
}

static bool name_value(struct filing *f, const struct value *v, const char *first, const char *second)
{
    f->names[v->id] = unique(f, first, second);
    return f->names[v->id];
}

static bool name_labels(struct filing *f)
{
    const struct training_program *p = f->p;

    for (size_t k = 0; k < p->targets; k++) {
        const char *output = f->t->targets[k].output->name;

        if (!name_value(f, p->y[k], p->targets > 1 ? output : "labels", p->targets > 1 ? "labels" : ""))
            return false;
    }
    return !p->weights || name_value(f, p->weights, "weights", "");
}

/* All that lasts has its name in the trainer's model, which is whole there. */
static bool take_names(struct filing *f)
{
    const struct training_program *p = f->p;
    const struct graph *g = f->t->model->graph;

    for (size_t k = 0; p->purpose == TO_DESCRIBE && k < g->value_count; k++)
        if (!take_name(f, g->values[k]->name))
            return false;
    for (size_t k = 0; k < p->inputs; k++) {
        f->names[p->x[k]->id] = f->t->model->graph->inputs[k]->name;
        if (!take_name(f, f->names[p->x[k]->id]))
            return false;
    }
    for (size_t k = 0; k < f->t->state_count; k++) {
        f->names[p->written.state[k]->id] = f->t->states[k].parameter->value->name;
        if (!take_name(f, f->names[p->written.state[k]->id]))
            return false;
    }
    return true;
}

static bool name_inputs(struct filing *f)
{
    const struct trainer *t = f->t;
    const struct step_values *w = &f->p->written;
    const size_t slots = (size_t)t->optimizer.slots;

    if (!take_names(f) || !name_labels(f) || !name_value(f, f->p->rate, "learning_rate", "") ||
        !name_value(f, w->count, "step", "") || !name_value(f, w->seed, "seed", ""))
        return false;
    for (size_t k = 0; k < t->trainable * slots; k++)
        if (!name_value(f, w->slots[k], t->states[k / slots].parameter->value->name,
                        t->optimizer.slot_names[k % slots]))
            return false;
    return true;
}

static bool name_output(struct filing *f, size_t k, const struct value *in)
{
    f->in[k] = in;
    f->outputs[k] = unique(f, f->names[in->id], "next");
    return f->outputs[k];
}

static bool name_outputs(struct filing *f)
{
    const struct trainer *t = f->t;
    const struct step_values *w = &f->p->written;
    const size_t slots = t->trainable * (size_t)t->optimizer.slots;
    size_t at = 1;

    f->outputs[0] = unique(f, "loss", "");
    for (size_t k = 0; k < t->state_count; k++)
        if (!name_output(f, at++, w->state[k]))
            return false;
    for (size_t k = 0; k < slots; k++)
        if (!name_output(f, at++, w->slots[k]))
            return false;
    return f->outputs[0] && name_output(f, at, w->count);
}

/* -- what is in the file -- */

static void hold(struct value *v, const struct tensor *t, struct tensor *types)
{
    v->initializer = t;
    types[v->id] = *t;
}

static void hold_scalar(struct filing *f, int k, struct value *v, enum dtype dtype, void *data)
{
    f->scalars[k] = (struct tensor){ .dtype = dtype, .data = data };
    hold(v, &f->scalars[k], f->p->types);
}

static void hold_states(struct filing *f)
{
    struct trainer *t = f->t;
    const struct step_values *w = &f->p->written;
    const size_t slots = (size_t)t->optimizer.slots;
    struct tensor *types = f->p->types;

    for (size_t k = 0; k < t->state_count; k++)
        hold(w->state[k], &t->states[k].value, types);
    for (size_t k = 0; k < t->trainable * slots; k++)
        hold(w->slots[k], &t->states[k / slots].slots[k % slots], types);
    f->rate = trainer_learning_rate(t);
    f->seed = (int64_t)t->engine.seed;
    f->steps = t->steps;
    hold_scalar(f, 0, f->p->rate, F64, &f->rate);
    hold_scalar(f, 1, w->seed, I64, &f->seed);
    hold_scalar(f, 2, w->count, I64, &f->steps);
    types[f->p->graph->outputs[0]->id] = (struct tensor){ .dtype = F32 };
    for (size_t k = 1; k < f->p->graph->output_count; k++) {
        types[f->p->graph->outputs[k]->id] = types[f->in[k]->id];
        types[f->p->graph->outputs[k]->id].data = NULL;
    }
}

/* Described for any number of samples, and of the main graph what it has. */
static void look_outside(struct filing *f)
{
    struct training_program *p = f->p;

    if (p->purpose != TO_DESCRIBE)
        return;
    for (size_t k = 0; k < p->inputs; k++)
        f->outside[p->x[k]->id] = true;
    for (size_t k = 0; k < f->t->state_count; k++)
        f->outside[p->written.state[k]->id] = true;
    for (size_t k = 0; k < p->targets && !f->t->batch; k++)
        p->types[p->y[k]->id].dims[0] = UNKNOWN;
    if (p->weights && !f->t->batch)
        p->types[p->weights->id].dims[0] = UNKNOWN;
}

/* "training/", with so many lines that no name begins so. */
static const char *prefix_of(struct filing *f)
{
    char *prefix = arena_printf(&f->arena, f->report, "training%*s/", f->lines, "");

    for (char *at = prefix; at && *at; at++)
        *at = *at == ' ' ? '_' : *at;
    return prefix;
}

static Onnx__GraphProto *graph_of(struct filing *f, int opset)
{
    const char *prefix = prefix_of(f);
    struct graph_writing w = { .graph = f->p->graph,
                               .names = f->names,
                               .outputs = f->outputs,
                               .prefix = prefix,
                               .defaults = f->p->purpose == TO_WRITE,
                               .types = f->p->types,
                               .open = "batch",
                               .outside = f->outside,
                               .opset = opset,
                               .gradient = f->p->written.gradient,
                               .y = f->p->sum };

    return prefix ? graph_write(&w, &f->model->budget, f->report) : NULL;
}

static bool begin(struct filing *f)
{
    const size_t values = f->p->graph->value_count, outputs = f->p->graph->output_count;

    f->names = arena_array(&f->arena, values, sizeof *f->names, f->report);
    f->outside = arena_array(&f->arena, values, sizeof *f->outside, f->report);
    f->outputs = arena_array(&f->arena, outputs, sizeof *f->outputs, f->report);
    f->in = arena_array(&f->arena, outputs, sizeof *f->in, f->report);
    if (!f->names || !f->outside || !f->outputs || !f->in || !name_inputs(f) || !name_outputs(f))
        return false;
    hold_states(f);
    look_outside(f);
    return true;
}

/* -- the model around it -- */

static bool set_opset(struct model *m, const char *domain, int64_t version, struct report *r)
{
    Onnx__ModelProto *p = m->proto;
    Onnx__OperatorSetIdProto **list;

    for (size_t k = 0; k < p->n_opset_import; k++)
        if (strcmp(or_empty(p->opset_import[k]->domain), domain) == 0) {
            p->opset_import[k]->has_version = true;
            p->opset_import[k]->version = version;
            return true;
        }
    list = budget_zalloc(&m->budget, p->n_opset_import + 1, sizeof *list, r);
    if (!list)
        return false;
    if (p->n_opset_import)
        memcpy(list, p->opset_import, p->n_opset_import * sizeof *list);
    budget_free(&m->budget, p->opset_import);
    p->opset_import = list;
    list[p->n_opset_import] = message_new(&onnx__operator_set_id_proto__descriptor, &m->budget, r);
    if (!list[p->n_opset_import])
        return false;
    list[p->n_opset_import]->domain = message_string(domain, strlen(domain), &m->budget, r);
    list[p->n_opset_import]->has_version = true;
    list[p->n_opset_import]->version = version;
    return list[p->n_opset_import++]->domain;
}

static void drop(struct model *m, void *list, size_t *count)
{
    void **messages;

    memcpy(&messages, list, sizeof messages);
    for (size_t k = 0; k < *count; k++)
        message_free(messages[k], &m->budget);
    *count = 0;
}

static bool note_pairs(struct filing *f)
{
    const size_t outputs = f->p->graph->output_count;
    const char **keys = arena_array(&f->arena, outputs, sizeof *keys, f->report);
    const char **texts = arena_array(&f->arena, outputs, sizeof *texts, f->report);
    struct model_changes c = { .keys = keys, .texts = texts };

    for (size_t k = 1; keys && texts && k < outputs; k++) {
        keys[c.metadata] = arena_printf(&f->arena, f->report, STEP_NEXT "%s", f->names[f->in[k]->id]);
        texts[c.metadata] = f->outputs[k];
        if (!keys[c.metadata++])
            return false;
    }
    return keys && texts && model_set_metadata(f->model, &c, f->report);
}

static bool write_plain(struct filing *f)
{
    const int own = f->t->model->graph->opset;
    const int opset = graph_least_opset(f->p->graph, own > LEAST_OPSET ? own : LEAST_OPSET);
    Onnx__GraphProto *made = graph_of(f, opset);
    Onnx__ModelProto *p = f->model->proto;

    if (!made)
        return false;
    message_free(p->graph, &f->model->budget);
    p->graph = made;
    drop(f->model, &p->training_info, &p->n_training_info);
    drop(f->model, &p->functions, &p->n_functions);
    drop(f->model, &p->metadata_props, &p->n_metadata_props);
    p->has_ir_version = true;
    p->ir_version = p->ir_version > LEAST_IR ? p->ir_version : LEAST_IR;
    return set_opset(f->model, "", opset, f->report) && note_pairs(f);
}

/* -- training_info -- */

static bool bind(struct filing *f, Onnx__TrainingInfoProto *info)
{
    const size_t outputs = f->p->graph->output_count;
    struct budget *b = &f->model->budget;

    info->update_binding = budget_zalloc(b, outputs, sizeof *info->update_binding, f->report);
    for (size_t k = 1; info->update_binding && k < outputs; k++) {
        Onnx__StringStringEntryProto *to = message_new(&onnx__string_string_entry_proto__descriptor, b, f->report);

        if (!to)
            return false;
        info->update_binding[info->n_update_binding++] = to;
        to->key = message_string(f->names[f->in[k]->id], strlen(f->names[f->in[k]->id]), b, f->report);
        to->value = message_string(f->outputs[k], strlen(f->outputs[k]), b, f->report);
        if (!to->key || !to->value)
            return false;
    }
    return info->update_binding;
}

/* What is assigned to must be an initializer of the file, of the type that is trained. */
static bool check_states(const struct filing *f)
{
    for (size_t k = 0; k < f->p->inputs; k++)
        if (f->p->x[k]->id != f->t->model->graph->inputs[k]->id)
            return fail(
                f->report, KILN_UNSUPPORTED, NULL,
                "input '%s' has its samples in another dimension than the first, a training_info has them as it "
                "is declared",
                f->t->model->graph->inputs[k]->name);
    for (size_t k = 0; k < f->t->state_count; k++) {
        const struct state *s = &f->t->states[k];

        if (s->parameter->value->producer)
            return fail(f->report, KILN_UNSUPPORTED, NULL,
                        "'%s' is made by a Constant node, and a training_info assigns to initializers",
                        s->parameter->value->name);
        if (s->value.dtype != s->parameter->initial.dtype || s->parameter->half)
            return fail(f->report, KILN_UNSUPPORTED, NULL,
                        "'%s' is trained as another tensor than the file has, a training_info has no place for it",
                        s->parameter->value->name);
    }
    return true;
}

static bool write_described(struct filing *f)
{
    const int opset = f->t->model->graph->opset;
    Onnx__ModelProto *p = f->model->proto;
    Onnx__TrainingInfoProto *info = message_new(&onnx__training_info_proto__descriptor, &f->model->budget, f->report);

    if (!info)
        return false;
    drop(f->model, &p->training_info, &p->n_training_info);
    budget_free(&f->model->budget, p->training_info);
    p->training_info = budget_zalloc(&f->model->budget, 1, sizeof *p->training_info, f->report);
    if (!p->training_info) {
        message_free(info, &f->model->budget);
        return false;
    }
    p->training_info[p->n_training_info++] = info;
    info->algorithm = graph_of(f, opset);
    if (p->ir_version < LEAST_IR)
        p->ir_version = LEAST_IR; /* training_info is of 7 */
    return info->algorithm && bind(f, info) && set_opset(f->model, "ai.onnx.preview.training", 1, f->report);
}

static struct model *write(struct trainer *t, enum purpose purpose, int64_t batch, struct report *r)
{
    struct filing f = { .t = t, .report = r };
    bool ok;

    if (!t->trainable) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "the trainer was made to measure: it takes no steps");
        return NULL;
    }
    f.arena.budget = &t->budget;
    map_init(&f.taken, &t->budget);
    f.p = training_program_new(t, purpose, batch, NULL, NULL, r);
    f.model = f.p ? trainer_export(t, r) : NULL;
    ok = f.model && (purpose == TO_WRITE || check_states(&f)) && begin(&f) &&
         (purpose == TO_WRITE ? write_plain(&f) : write_described(&f));
    if (!ok) {
        model_free(f.model);
        f.model = NULL;
    }
    training_program_free(t, f.p);
    map_release(&f.taken);
    arena_release(&f.arena);
    return f.model;
}

struct model *trainer_step_model(struct trainer *t, int64_t batch, struct report *r)
{
    if (t->batch && batch && batch != t->batch) {
        fail(r, KILN_BAD_ARGUMENT, NULL, "the model is made for %lld samples at a time, not for %lld",
             (long long)t->batch, (long long)batch);
        return NULL;
    }
    return write(t, TO_WRITE, batch ? batch : t->batch ? t->batch : USUAL_BATCH, r);
}

struct model *trainer_described(struct trainer *t, struct report *r)
{
    const int opset = t->model->graph->opset;

    if (opset < LEAST_DESCRIBED) {
        fail(r, KILN_UNSUPPORTED, NULL, "the model is of opset %d, a training_info is written for %d and newer", opset,
             (int)LEAST_DESCRIBED);
        return NULL;
    }
    return write(t, TO_DESCRIBE, t->batch ? t->batch : 2, r);
}
