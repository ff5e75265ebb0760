#include "api/data.h"
#include "inspect/summary.h"

struct kiln_summary {
    struct summary summary;
    const kiln_model *model;
    kiln_layer *layers; /* memory of the summary's arena; below too */
    kiln_parameter *parameters;
    kiln_obstacle *obstacles;
};

static bool describe(kiln_summary *to, struct report *r)
{
    struct summary *s = &to->summary;

    to->layers = arena_array(&s->arena, s->layers.count, sizeof *to->layers, r);
    to->parameters = arena_array(&s->arena, s->parameters.count, sizeof *to->parameters, r);
    to->obstacles = arena_array(&s->arena, s->obstacles.count, sizeof *to->obstacles, r);
    if (!to->layers || !to->parameters || !to->obstacles)
        return false;
    for (size_t k = 0; k < s->layers.count; k++) {
        const struct layer *l = &s->layers.at[k];

        to->layers[k] = (kiln_layer){ l->name,  l->op,     l->since,   l->depth, l->type,  l->trainable,
                                      l->fixed, l->inputs, l->outputs, l->input, l->output };
    }
    for (size_t k = 0; k < s->parameters.count; k++)
        to->parameters[k] = api_parameter(&s->parameters.at[k]);
    for (size_t k = 0; k < s->obstacles.count; k++) {
        const struct obstacle *o = &s->obstacles.at[k];

        to->obstacles[k] = (kiln_obstacle){ o->op, o->reason, o->nodes, o->in_the_way };
    }
    return true;
}

kiln_status kiln_summary_new(kiln_summary **out, const kiln_model *model, kiln_error *err)
{
    struct report r = api_report(model ? model->context : NULL);
    kiln_summary *s;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!model)
        return api_refuse(err, "model is NULL");
    s = api_alloc(sizeof *s, &r);
    if (s) {
        s->model = model;
        if (summary_find(&s->summary, model->model, &r) && describe(s, &r))
            *out = s;
        else
            kiln_summary_free(s);
    }
    return api_end(&r, *out, err);
}

void kiln_summary_free(kiln_summary *summary)
{
    if (!summary)
        return;
    summary_release(&summary->summary);
    api_free(summary);
}

int64_t kiln_summary_trainable(const kiln_summary *summary)
{
    return summary ? summary_trainable(&summary->summary) : 0;
}

int64_t kiln_summary_fixed(const kiln_summary *summary)
{
    return summary ? summary_fixed(&summary->summary) : 0;
}

size_t kiln_summary_layer_count(const kiln_summary *summary)
{
    return summary ? summary->summary.layers.count : 0;
}

const kiln_layer *kiln_summary_layer(const kiln_summary *summary, size_t k)
{
    return k < kiln_summary_layer_count(summary) ? &summary->layers[k] : NULL;
}

size_t kiln_summary_parameter_count(const kiln_summary *summary)
{
    return summary ? summary->summary.parameters.count : 0;
}

const kiln_parameter *kiln_summary_parameter(const kiln_summary *summary, size_t k)
{
    return k < kiln_summary_parameter_count(summary) ? &summary->parameters[k] : NULL;
}

size_t kiln_summary_obstacle_count(const kiln_summary *summary)
{
    return summary ? summary->summary.obstacles.count : 0;
}

const kiln_obstacle *kiln_summary_obstacle(const kiln_summary *summary, size_t k)
{
    return k < kiln_summary_obstacle_count(summary) ? &summary->obstacles[k] : NULL;
}

const char *kiln_summary_input_type(const kiln_summary *summary, size_t k)
{
    return summary && k < summary->summary.input_count ? summary->summary.inputs[k] : NULL;
}

const char *kiln_summary_output_type(const kiln_summary *summary, size_t k)
{
    return summary && k < summary->summary.output_count ? summary->summary.outputs[k] : NULL;
}

kiln_status kiln_summary_write_json(const kiln_summary *summary, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;

    if (!summary || !write)
        return api_refuse(err, "%s is NULL", summary ? "write" : "summary");
    api_write_begin(&w, &summary->summary.budget, summary->model->context);
    summary_json(&summary->summary, &summary->model->problems, &w.text);
    return api_write_end(&w, true, write, user, err);
}

kiln_status kiln_summary_write_dot(const kiln_summary *summary, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;
    kiln_status usable;

    if (!summary || !write)
        return api_refuse(err, "%s is NULL", summary ? "write" : "summary");
    usable = api_check_model(summary->model, err);
    if (usable != KILN_OK)
        return usable;
    api_write_begin(&w, &summary->summary.budget, summary->model->context);
    summary_dot(&summary->summary, &w.text, &w.report);
    return api_write_end(&w, !failed(&w.report), write, user, err);
}
