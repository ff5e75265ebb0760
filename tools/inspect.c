/* kiln inspect: what a model is made of. */
#include "base/json.h"
#include "graph/text.h"
#include "layers.h"
#include "plan/describe.h"
#include "plan/dot.h"
#include "run/session.h"
#include "tools.h"
#include "train/initialise.h"
#include "train/trainer.h"
#include <stdio.h>
#include <string.h>

enum form { FORM_TABLE, FORM_TEXT, FORM_PLAN, FORM_DOT, FORM_JSON };

struct options {
    const char *model;
    enum form form;
    bool full, train;
    int64_t batch;
    struct budget limits;
};

struct complaint { /* an error of the model, told once for all nodes that have it */
    kiln_status code;
    const char *where, *message;
    int times;
};

struct inspection {
    const struct options *o;
    struct budget *limits, budget;
    struct arena arena;
    struct report report;
    struct model *model;
    bool built;
    kiln_error broken; /* why it could not be */
    struct complaint *complaints;
    size_t complaint_count, complaint_capacity;
    struct map told; /* messages: to their places in complaints, counted from 1 */
    struct open_types types;
    struct parameters parameters;
    struct layers layers;
    struct obstacles obstacles;
};

/* -- looking -- */

static void complain(void *user, kiln_status code, const char *where, const char *message)
{
    struct inspection *i = user;
    const size_t place = (size_t)(uintptr_t)map_get(&i->told, message);
    struct complaint c = { .code = code, .times = 1 };
    void **slot;

    if (code == KILN_OK)
        return;
    if (place) {
        i->complaints[place - 1].times++;
        return;
    }
    c.where = arena_string(&i->arena, where, strlen(where), &i->report);
    c.message = arena_string(&i->arena, message, strlen(message), &i->report);
    if (!c.where || !c.message ||
        !budget_grow(&i->budget, &i->complaints, &i->complaint_capacity, i->complaint_count + 1, sizeof c,
                     &i->report) ||
        !(slot = map_put(&i->told, c.message, &i->report)))
        return;
    i->complaints[i->complaint_count++] = c;
    *slot = (void *)(uintptr_t)i->complaint_count;
}

static bool look(struct inspection *i)
{
    struct report telling = { .notify = complain, .user = i };

    i->built = build_model(&i->model, &telling);
    if (!i->built) {
        i->broken = telling.error;
        return layers_of_messages(&i->layers, i->model, &i->report);
    }
    return parameters_find(&i->parameters, i->model, 0, NULL, &i->arena, &i->report) &&
           open_types_find(&i->types, i->model->graph, &i->budget, &i->report) &&
           layers_of_graph(&i->layers, &i->types, &i->parameters, &i->report) &&
           obstacles_find(&i->obstacles, &i->types, &i->parameters, &i->arena, &i->report);
}

struct totals {
    int64_t trainable, fixed;
};

static struct totals totals_of(const struct inspection *i)
{
    struct totals t = { 0 };

    if (i->built)
        return (struct totals){ parameters_elements(&i->parameters, ROLE_TRAINABLE),
                                parameters_elements(&i->parameters, ROLE_STATISTIC) +
                                    parameters_elements(&i->parameters, ROLE_FROZEN) };
    for (size_t k = 0; k < i->layers.count; k++)
        t.trainable += i->layers.at[k].trainable;
    return t;
}

/* -- for people -- */

/* "33,930" */
static const char *grouped(int64_t n, char buffer[32])
{
    char digits[24];
    const int count = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int at = 0;

    for (int k = 0; k < count; k++) {
        if (k && (count - k) % 3 == 0)
            buffer[at++] = ',';
        buffer[at++] = digits[k];
    }
    buffer[at] = 0;
    return buffer;
}

static int column(int width, const char *s, int most)
{
    const int n = (int)strlen(s);

    return n > width && n <= most ? n : width;
}

static void put_header(const struct inspection *i, struct text *out)
{
    const Onnx__ModelProto *m = i->model->proto;

    text_say(out, "%s: IR %lld", i->o->model, (long long)m->ir_version);
    for (size_t k = 0; k < m->n_opset_import; k++)
        text_say(out, ", %s %lld", *or_empty(m->opset_import[k]->domain) ? m->opset_import[k]->domain : "ai.onnx",
                 (long long)m->opset_import[k]->version);
    if (*or_empty(m->producer_name))
        text_say(out, ", by %s %s", m->producer_name, or_empty(m->producer_version));
    text_add(out, "\n", 1);
}

static void put_message_values(struct text *out, const char *title, Onnx__ValueInfoProto **list, size_t count)
{
    text_say(out, "\n%s\n", title);
    for (size_t k = 0; k < count; k++) {
        struct text type = { .budget = out->budget, .report = out->report };

        if (list[k]->type)
            text_write_type(&type, list[k]->type);
        text_say(out, "  %s %s\n", or_empty(list[k]->name), type.length ? type.data : "?");
        text_release(&type);
    }
}

static void put_values(const struct inspection *i, struct text *out, const char *title, struct value *const *list,
                       size_t count)
{
    char type[TYPE_TEXT];
    int width = 0;

    for (size_t k = 0; k < count; k++)
        width = column(width, list[k]->name, 40);
    text_say(out, "\n%s\n", title);
    for (size_t k = 0; k < count; k++)
        text_say(out, "  %-*s  %s\n", width, list[k]->name, open_type_text(&i->types, list[k], type));
}

static void put_interface(const struct inspection *i, struct text *out)
{
    const struct graph *g = i->model->graph;
    const Onnx__GraphProto *p = i->model->proto->graph;

    if (i->built) {
        put_values(i, out, "Inputs", g->inputs, g->input_count);
        put_values(i, out, "Outputs", g->outputs, g->output_count);
    } else if (p) {
        put_message_values(out, "Inputs", p->input, p->n_input);
        put_message_values(out, "Outputs", p->output, p->n_output);
    }
}

static void put_layers(const struct inspection *i, struct text *out)
{
    int name = 4, op = 8, type = 6;
    char number[32];

    for (size_t k = 0; k < i->layers.count; k++) {
        const struct layer *l = &i->layers.at[k];

        name = column(name - 2 * l->depth, l->name, 48) + 2 * l->depth;
        op = column(op, l->op, 32);
        type = column(type, l->type, 40);
    }
    text_say(out, "\n%-*s  %-*s  %-*s  %10s\n", name + 2, "Layers", op, "Operator", type, "Output", "Parameters");
    for (size_t k = 0; k < i->layers.count; k++) {
        const struct layer *l = &i->layers.at[k];
        const int64_t n = l->trainable + l->fixed;

        text_say(out, "  %*s%-*s  %-*s  ", 2 * l->depth, "", name - 2 * l->depth, l->name, op, l->op);
        if (n)
            text_say(out, "%-*s  %10s\n", type, l->type, grouped(n, number));
        else
            text_say(out, "%s\n", l->type);
    }
}

static void put_parameters(const struct inspection *i, struct text *out)
{
    const struct totals t = totals_of(i);
    char number[32];

    text_say(out, "\nTotal parameters      %12s\n", grouped(t.trainable + t.fixed, number));
    if (!i->built)
        return;
    text_say(out, "Trainable             %12s\n", grouped(t.trainable, number));
    text_say(out, "Non-trainable         %12s\n", grouped(t.fixed, number));
}

static void put_variables(const struct inspection *i, struct text *out, enum role role, const char *title)
{
    char type[TYPE_TEXT];
    int name = 0, shape = 0;
    bool any = false;

    for (size_t k = 0; k < i->parameters.count; k++)
        if (i->parameters.at[k].role == role) {
            any = true;
            name = column(name, i->parameters.at[k].value->name, 48);
            shape = column(shape, tensor_text(&i->parameters.at[k].initial, type), 40);
        }
    if (any)
        text_say(out, "\n%s\n", title);
    for (size_t k = 0; k < i->parameters.count; k++) {
        const struct parameter *p = &i->parameters.at[k];

        if (p->role != role)
            continue;
        text_say(out, "  %-*s  %-*s  %s", name, p->value->name, shape, tensor_text(&p->initial, type), p->why);
        if (p->reader && *p->reader->name)
            text_say(out, " '%s'", p->reader->name);
        if (p->readers > 1)
            text_say(out, ", shared by %d nodes", p->readers);
        text_add(out, "\n", 1);
    }
}

static void put_complaints(const struct inspection *i, struct text *out, bool unsupported)
{
    bool any = false;

    for (size_t k = 0; k < i->complaint_count; k++) {
        const struct complaint *c = &i->complaints[k];

        if ((c->code == KILN_UNSUPPORTED) != unsupported)
            continue;
        if (!any)
            text_say(out, "\n%s\n", unsupported ? "Not supported" : "Errors");
        any = true;
        text_say(out, "  %s%s%s", c->where, *c->where ? ": " : "", c->message);
        if (c->times > 1)
            text_say(out, " (and %d more like it)", c->times - 1);
        text_add(out, "\n", 1);
    }
    if (!any && unsupported && i->built)
        text_say(out, "\nAll operators are supported.\n");
}

static void put_obstacles(const struct inspection *i, struct text *out)
{
    if (i->obstacles.count)
        text_say(out, "\nOperators without gradient\n");
    else if (i->built)
        text_say(out, "All operators have a gradient.\n");
    for (size_t k = 0; k < i->obstacles.count; k++) {
        const struct obstacle *o = &i->obstacles.at[k];

        text_say(out, "  %s, %d node%s: %s%s\n", o->op, o->nodes, o->nodes == 1 ? "" : "s", o->reason,
                 o->in_the_way ? "; in the way of training" : "");
    }
}

static void put_table(const struct inspection *i, struct text *out)
{
    put_header(i, out);
    put_interface(i, out);
    put_layers(i, out);
    put_parameters(i, out);
    put_variables(i, out, ROLE_TRAINABLE, "Trainable variables");
    put_variables(i, out, ROLE_STATISTIC, "Running statistics");
    put_complaints(i, out, true);
    put_complaints(i, out, false);
    put_obstacles(i, out);
}

/* -- for programs -- */

static void json_text(struct json *j, const char *key, const struct text *t)
{
    json_bytes(j, key, t->data ? t->data : "", t->length);
}

static void json_model(const struct inspection *i, struct json *j)
{
    const Onnx__ModelProto *m = i->model->proto;

    json_string(j, "file", i->o->model);
    json_int(j, "ir_version", m->ir_version);
    json_string(j, "producer_name", or_empty(m->producer_name));
    json_string(j, "producer_version", or_empty(m->producer_version));
    json_string(j, "domain", or_empty(m->domain));
    json_int(j, "model_version", m->model_version);
    json_open(j, "opsets", '[');
    for (size_t k = 0; k < m->n_opset_import; k++) {
        json_open(j, NULL, '{');
        json_string(j, "domain", or_empty(m->opset_import[k]->domain));
        json_int(j, "version", m->opset_import[k]->version);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "metadata", '[');
    for (size_t k = 0; k < m->n_metadata_props; k++) {
        json_open(j, NULL, '{');
        json_string(j, "key", m->metadata_props[k]->key);
        json_string(j, "value", m->metadata_props[k]->value);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_message_values(struct json *j, const char *key, Onnx__ValueInfoProto **list, size_t count)
{
    json_open(j, key, '[');
    for (size_t k = 0; k < count; k++) {
        struct text type = { .budget = j->out->budget, .report = j->out->report };

        if (list[k]->type)
            text_write_type(&type, list[k]->type);
        json_open(j, NULL, '{');
        json_string(j, "name", list[k]->name);
        json_text(j, "type", &type);
        json_close(j, '}');
        text_release(&type);
    }
    json_close(j, ']');
}

static void json_values(const struct inspection *i, struct json *j, const char *key, struct value *const *list,
                        size_t count)
{
    char type[TYPE_TEXT];

    json_open(j, key, '[');
    for (size_t k = 0; k < count; k++) {
        json_open(j, NULL, '{');
        json_string(j, "name", list[k]->name);
        json_string(j, "type", open_type_text(&i->types, list[k], type));
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_layers(const struct inspection *i, struct json *j)
{
    const struct totals t = totals_of(i);

    json_open(j, "layers", '[');
    for (size_t k = 0; k < i->layers.count; k++) {
        const struct layer *l = &i->layers.at[k];

        json_open(j, NULL, '{');
        json_string(j, "name", l->name);
        json_string(j, "operator", l->op);
        json_int(j, "since", l->since);
        json_int(j, "depth", l->depth);
        json_string(j, "type", l->type);
        json_int(j, "trainable", l->trainable);
        json_int(j, "non_trainable", l->fixed);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "parameters", '{');
    json_int(j, "total", t.trainable + t.fixed);
    json_int(j, "trainable", t.trainable);
    json_int(j, "non_trainable", t.fixed);
    json_close(j, '}');
}

static void json_variables(const struct inspection *i, struct json *j)
{
    char type[TYPE_TEXT];

    json_open(j, "variables", '[');
    for (size_t k = 0; k < i->parameters.count; k++) {
        const struct parameter *p = &i->parameters.at[k];

        json_open(j, NULL, '{');
        json_string(j, "name", p->value->name);
        json_string(j, "type", tensor_text(&p->initial, type));
        json_string(j, "role", role_name(p->role));
        json_string(j, "reason", p->why);
        json_string(j, "node", p->reader ? p->reader->name : NULL);
        json_int(j, "readers", p->readers);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_problems(const struct inspection *i, struct json *j)
{
    json_open(j, "errors", '[');
    for (size_t k = 0; k < i->complaint_count; k++) {
        const struct complaint *c = &i->complaints[k];

        json_open(j, NULL, '{');
        json_bool(j, "unsupported", c->code == KILN_UNSUPPORTED);
        json_string(j, "where", c->where);
        json_string(j, "message", c->message);
        json_int(j, "times", c->times);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "without_gradient", '[');
    for (size_t k = 0; k < i->obstacles.count; k++) {
        const struct obstacle *o = &i->obstacles.at[k];

        json_open(j, NULL, '{');
        json_string(j, "operator", o->op);
        json_string(j, "reason", o->reason);
        json_int(j, "nodes", o->nodes);
        json_bool(j, "in_the_way", o->in_the_way);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_json(const struct inspection *i, struct text *out)
{
    const struct graph *g = i->model->graph;
    const Onnx__GraphProto *p = i->model->proto->graph;
    struct json j = { .out = out };

    json_open(&j, NULL, '{');
    json_model(i, &j);
    if (i->built) {
        json_values(i, &j, "inputs", g->inputs, g->input_count);
        json_values(i, &j, "outputs", g->outputs, g->output_count);
    } else if (p) {
        json_message_values(&j, "inputs", p->input, p->n_input);
        json_message_values(&j, "outputs", p->output, p->n_output);
    }
    json_layers(i, &j);
    json_variables(i, &j);
    json_problems(i, &j);
    json_close(&j, '}');
}

/* -- other forms -- */

/* Parameters that have no value are drawn. */
static bool draw(struct inspection *i)
{
    const struct initialise_options o = { 0 };
    struct model *drawn;
    size_t count;

    if (!build_model(&i->model, &i->report))
        return false;
    if (!model_missing_values(i->model))
        return true;
    drawn = model_initialise(i->model, &o, &count, &i->report);
    if (!drawn)
        return false;
    model_free(i->model);
    i->model = drawn;
    return build_model(&i->model, &i->report);
}

static bool put_training_plan(struct inspection *i, struct text *out)
{
    const struct trainer_options o = {
        .threads = 1, .memory = i->limits->limit, .seconds = i->limits->seconds, .total = i->limits
    };
    struct trainer *t = draw(i) ? trainer_new(i->model, &o, &i->report) : NULL;
    const struct program *p = t ? trainer_plan(t, i->o->batch, &i->report) : NULL;

    if (p)
        program_describe(out, p);
    trainer_free(t);
    return p;
}

static bool put_plan(struct inspection *i, struct text *out)
{
    const struct session_options o = {
        .threads = 1, .memory = i->limits->limit, .seconds = i->limits->seconds, .total = i->limits
    };
    struct session *s;
    bool ok;

    if (!build_model(&i->model, &i->report) || !(s = session_new(i->model->graph, &o, &i->report)))
        return false;
    for (size_t k = 0; k < i->model->graph->input_count; k++) {
        const struct tensor t = closed_type(i->model->graph->inputs[k], i->o->batch);

        frame_set(s->frame, i->model->graph->inputs[k], &t);
    }
    ok = session_describe(s, out, &i->report);
    session_free(s);
    return ok;
}

static const char *line_label(void *user, const struct value *v)
{
    struct inspection *i = user;
    char type[TYPE_TEXT];

    open_type_text(&i->types, v, type);
    return arena_string(&i->arena, type, strlen(type), &i->report);
}

static bool put_dot(struct inspection *i, struct text *out)
{
    if (!build_model(&i->model, &i->report) || !open_types_find(&i->types, i->model->graph, &i->budget, &i->report))
        return false;
    dot_write(out, i->model->graph, line_label, i);
    return true;
}

static bool put_text(struct inspection *i, struct text *out)
{
    const struct text_options abbreviated = { .most = 8 };

    return text_write_model(out, i->model->proto, i->o->full ? NULL : &abbreviated, NULL);
}

static bool put_form(struct inspection *i, struct text *out)
{
    if (i->o->form == FORM_TEXT)
        return put_text(i, out);
    if (i->o->form == FORM_PLAN)
        return i->o->train ? put_training_plan(i, out) : put_plan(i, out);
    if (i->o->form == FORM_DOT)
        return put_dot(i, out);
    if (!look(i))
        return false;
    (i->o->form == FORM_JSON ? put_json : put_table)(i, out);
    return true;
}

/* -- the verb -- */

static void release(struct inspection *i)
{
    open_types_release(&i->types);
    layers_release(&i->layers);
    budget_free(&i->budget, i->complaints);
    map_release(&i->told);
    arena_release(&i->arena);
    model_free(i->model);
}

enum { OPTION_FULL = 256, OPTION_TRAIN };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 't':
        o->form = FORM_TEXT;
        return 0;
    case 'p':
        o->form = FORM_PLAN;
        return 0;
    case 'd':
        o->form = FORM_DOT;
        return 0;
    case 'j':
        o->form = FORM_JSON;
        return 0;
    case 'b':
        o->batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case OPTION_TRAIN:
        o->train = true;
        return 0;
    case OPTION_FULL:
        o->full = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->model)
            argp_usage(state);
        o->model = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "text", 't', NULL, 0, "the model in the ONNX textual syntax, big tensors abbreviated", 1 },
        { "full", OPTION_FULL, NULL, 0, "with --text: all values of all tensors, so that it can be read back", 1 },
        { "plan", 'p', NULL, 0, "the program that is run: steps, places in memory, what was folded", 1 },
        { "train", OPTION_TRAIN, NULL, 0, "with --plan: a training step (Adam's), not inference", 1 },
        { "batch", 'b', "N", 0, "with --plan: for this first dimension, where the model leaves it open (1)", 1 },
        { "dot", 'd', NULL, 0, "a picture for Graphviz", 1 },
        { "json", 'j', NULL, 0, "everything, for programs", 1 },
        { 0 },
    };
    const struct argp argp = {
        options,
        parse_option,
        "MODEL",
        "Tell what a model is made of: inputs, outputs, layers with shapes and parameters, what trains and why, "
        "operators that are not supported or have no gradient.",
        limits_options,
        NULL,
        NULL
    };
    struct options o = { .batch = 1 };
    struct inspection i = { .o = &o, .limits = &o.limits };
    struct text out = { .budget = &i.budget, .report = &i.report };
    int code;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    i.budget = budget_within(&o.limits);
    i.arena.budget = i.layers.budget = &i.budget;
    map_init(&i.told, &i.budget);
    i.model = open_model(o.model, &o.limits, &i.report);
    budget_start(&i.budget); /* of finding types; plans have clocks of their own */
    if (!i.model || !put_form(&i, &out) || out.failed || failed(&i.report))
        code = tell_error(o.model, &i.report.error);
    else if ((code = print_text(&out)) == 0 && i.broken.count)
        code = tell_error(o.model, &i.broken);
    text_release(&out);
    release(&i);
    return code;
}

const struct verb verb_inspect = { "inspect", "tell what a model is made of", run };
