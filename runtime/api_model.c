#include "api.h"
#include "model/model.h"
#include <string.h>

/* A kiln_model is a struct model, that has been built. */
const struct model *api_model(const kiln_model *model)
{
    return (const struct model *)(const void *)model;
}

static kiln_status end(kiln_model **out, struct model *m, struct report *r, kiln_error *err)
{
    const bool ok = m && model_build(m, r);

    if (ok)
        *out = (kiln_model *)(void *)m;
    else
        model_free(m);
    return api_end(r, ok, err);
}

static struct model_options limits(const kiln_load_options *o)
{
    return (struct model_options){ .memory = o ? o->memory : 0, .seconds = o ? o->seconds : 0 };
}

static struct report report_for(const kiln_load_options *o)
{
    return (struct report){ .notify = o ? o->diagnostic : NULL, .user = o ? o->user : NULL };
}

kiln_status kiln_model_open(kiln_model **out, const char *path, const kiln_load_options *options, kiln_error *err)
{
    const struct model_options o = limits(options);
    struct report r = report_for(options);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!path)
        return api_refuse(err, "path is NULL");
    if (!(o.seconds >= 0))
        return api_refuse(err, "seconds is %g, must be at least 0", o.seconds);
    return end(out, model_read(path, &o, &r), &r, err);
}

kiln_status kiln_model_open_memory(kiln_model **out, const void *bytes, size_t size, const kiln_load_options *options,
                                   kiln_error *err)
{
    const struct model_options o = limits(options);
    struct report r = report_for(options);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!bytes)
        return api_refuse(err, "bytes is NULL");
    if (!(o.seconds >= 0))
        return api_refuse(err, "seconds is %g, must be at least 0", o.seconds);
    return end(out, model_read_bytes(bytes, size, &o, &r), &r, err);
}

kiln_status kiln_model_save(const kiln_model *model, const char *path, kiln_error *err)
{
    struct report r = { 0 };

    if (!model || !path)
        return api_refuse(err, "%s is NULL", model ? "path" : "model");
    return api_end(&r, model_save(api_model(model), path, &r), err);
}

void kiln_model_free(kiln_model *model)
{
    model_free((struct model *)(void *)model);
}

/* -- looking -- */

/* Input k: those that must be given, then those with a default, which are initializers too. */
static const struct value *input(const struct model *m, size_t k)
{
    if (k < m->graph->input_count)
        return m->graph->inputs[k];
    k -= m->graph->input_count;
    return k < m->default_count ? m->defaults[k] : NULL;
}

size_t kiln_model_input_count(const kiln_model *model)
{
    return model ? api_model(model)->graph->input_count + api_model(model)->default_count : 0;
}

size_t kiln_model_output_count(const kiln_model *model)
{
    return model ? api_model(model)->graph->output_count : 0;
}

static kiln_status describe(kiln_value_info *out, const struct value *v)
{
    if (!out)
        return KILN_BAD_ARGUMENT;
    *out = (kiln_value_info){ 0 };
    if (!v)
        return KILN_BAD_ARGUMENT;
    out->name = v->name;
    out->rank = KILN_ANY;
    out->optional = v->initializer;
    if (!v->has_type)
        return KILN_OK;
    out->kind = (kiln_kind)v->type.kind;
    out->dtype = (kiln_dtype)v->type.dtype;
    if (v->type.kind == TENSOR) {
        out->rank = v->type.rank;
        out->dims = v->type.dims;
        out->dim_names = v->dim_names;
    }
    return KILN_OK;
}

kiln_status kiln_model_input(const kiln_model *model, size_t k, kiln_value_info *out)
{
    return describe(out, model ? input(api_model(model), k) : NULL);
}

kiln_status kiln_model_output(const kiln_model *model, size_t k, kiln_value_info *out)
{
    return describe(out, k < kiln_model_output_count(model) ? api_model(model)->graph->outputs[k] : NULL);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

int64_t kiln_model_opset(const kiln_model *model, const char *domain)
{
    const Onnx__ModelProto *m = model ? api_model(model)->proto : NULL;

    domain = domain && strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    for (size_t k = 0; m && domain && k < m->n_opset_import; k++) {
        const char *name = or_empty(m->opset_import[k]->domain);

        if (strcmp(strcmp(name, "ai.onnx") == 0 ? "" : name, domain) == 0)
            return m->opset_import[k]->version;
    }
    return 0;
}

size_t kiln_model_metadata_count(const kiln_model *model)
{
    return model ? api_model(model)->proto->n_metadata_props : 0;
}

bool kiln_model_metadata(const kiln_model *model, size_t k, const char **key, const char **value)
{
    const bool there = k < kiln_model_metadata_count(model);

    if (key)
        *key = there ? or_empty(api_model(model)->proto->metadata_props[k]->key) : NULL;
    if (value)
        *value = there ? or_empty(api_model(model)->proto->metadata_props[k]->value) : NULL;
    return there;
}
