/* What is known of a model, for programs. */
#include "base/json.h"
#include "inspect/summary.h"
#include "model/message.h"

static void put_model(struct json *j, const struct model *model)
{
    const Onnx__ModelProto *m = model->proto;

    json_string(j, "file", or_empty(model->path));
    json_int(j, "ir_version", m->ir_version);
    json_string(j, "producer_name", or_empty(m->producer_name));
    json_string(j, "producer_version", or_empty(m->producer_version));
    json_string(j, "domain", or_empty(m->domain));
    json_int(j, "model_version", m->model_version);
    json_int(j, "training_info", (int64_t)m->n_training_info);
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

static void put_value(struct json *j, const char *name, const char *type)
{
    json_open(j, NULL, '{');
    json_string(j, "name", name);
    json_string(j, "type", type);
    json_close(j, '}');
}

static void put_values(struct json *j, const struct summary *s)
{
    const struct graph *g = s->model->graph;
    const Onnx__GraphProto *p = s->model->proto->graph;

    json_open(j, "inputs", '[');
    for (size_t k = 0; k < s->input_count; k++)
        put_value(j, g ? g->inputs[k]->name : or_empty(p->input[k]->name), s->inputs[k]);
    json_close(j, ']');
    json_open(j, "outputs", '[');
    for (size_t k = 0; k < s->output_count; k++)
        put_value(j, g ? g->outputs[k]->name : or_empty(p->output[k]->name), s->outputs[k]);
    json_close(j, ']');
}

static void put_layers(struct json *j, const struct summary *s)
{
    json_open(j, "layers", '[');
    for (size_t k = 0; k < s->layers.count; k++) {
        const struct layer *l = &s->layers.at[k];

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
}

static void put_totals(struct json *j, const struct summary *s)
{
    const int64_t trainable = summary_trainable(s), fixed = summary_fixed(s);

    json_open(j, "parameters", '{');
    json_int(j, "total", trainable + fixed);
    json_int(j, "trainable", trainable);
    json_int(j, "non_trainable", fixed);
    json_close(j, '}');
}

static void put_variables(struct json *j, const struct summary *s)
{
    char type[TYPE_TEXT];

    json_open(j, "variables", '[');
    for (size_t k = 0; k < s->parameters.count; k++) {
        const struct parameter *p = &s->parameters.at[k];

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

static void put_problems(struct json *j, const struct problems *problems)
{
    json_open(j, "errors", '[');
    for (size_t k = 0; problems && k < problems->count; k++) {
        const kiln_problem *p = &problems->at[k];

        json_open(j, NULL, '{');
        json_bool(j, "unsupported", p->code == KILN_UNSUPPORTED);
        json_string(j, "where", p->where);
        json_string(j, "message", p->message);
        json_int(j, "times", p->times);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_obstacles(struct json *j, const struct obstacles *obstacles)
{
    json_open(j, "without_gradient", '[');
    for (size_t k = 0; k < obstacles->count; k++) {
        const struct obstacle *o = &obstacles->at[k];

        json_open(j, NULL, '{');
        json_string(j, "operator", o->op);
        json_string(j, "reason", o->reason);
        json_int(j, "nodes", o->nodes);
        json_bool(j, "in_the_way", o->in_the_way);
        json_close(j, '}');
    }
    json_close(j, ']');
}

void summary_json(const struct summary *s, const struct problems *problems, struct text *out)
{
    struct json j = { .out = out };

    json_open(&j, NULL, '{');
    put_model(&j, s->model);
    put_values(&j, s);
    put_layers(&j, s);
    put_totals(&j, s);
    put_variables(&j, s);
    put_problems(&j, problems);
    put_obstacles(&j, &s->obstacles);
    json_close(&j, '}');
}
