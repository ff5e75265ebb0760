#include "api.h"
#include "model/model.h"
#include <string.h>

kiln_status api_end_model(kiln_model **out, struct model *m, kiln_context *context, struct report *r, kiln_error *err)
{
    kiln_model *made = m && (m->graph || model_build(m, r)) ? api_alloc(sizeof *made, r) : NULL;

    if (made) {
        *made = (kiln_model){ m, context_hold(context) };
        *out = made;
    } else {
        model_free(m);
    }
    return api_end(r, made, err);
}

/* What an option struct says, for the library and for the report. */
static bool begin(const kiln_load_options *options, kiln_load_options *o, struct model_options *to, struct report *r,
                  kiln_error *err)
{
    if (!api_options(o, sizeof *o, options, "KILN_LOAD_OPTIONS_INIT", err) ||
        !api_check_limits(NULL, 0, o->seconds, err))
        return false;
    *to = (struct model_options){ .memory = o->memory, .seconds = o->seconds, .total = context_total(o->context) };
    *r = (struct report){ .notify = o->diagnostic, .user = o->user };
    return true;
}

kiln_status kiln_model_open(kiln_model **out, const char *path, const kiln_load_options *options, kiln_error *err)
{
    struct model_options to;
    kiln_load_options o;
    struct report r;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!path)
        return api_refuse(err, "path is NULL");
    if (!begin(options, &o, &to, &r, err))
        return KILN_BAD_ARGUMENT;
    return api_end_model(out, model_read(path, &to, &r), o.context, &r, err);
}

kiln_status kiln_model_open_memory(kiln_model **out, const void *bytes, size_t size, const kiln_load_options *options,
                                   kiln_error *err)
{
    struct model_options to;
    kiln_load_options o;
    struct report r;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!bytes)
        return api_refuse(err, "bytes is NULL");
    if (!begin(options, &o, &to, &r, err))
        return KILN_BAD_ARGUMENT;
    return api_end_model(out, model_read_bytes(bytes, size, &to, &r), o.context, &r, err);
}

kiln_status kiln_model_save(const kiln_model *model, const char *path, kiln_error *err)
{
    struct report r = { 0 };

    if (!model || !path)
        return api_refuse(err, "%s is NULL", model ? "path" : "model");
    return api_end(&r, model_save(model->model, path, &r), err);
}

void kiln_model_free(kiln_model *model)
{
    if (!model)
        return;
    model_free(model->model);
    context_release(model->context);
    api_free(model);
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
    return model ? model->model->graph->input_count + model->model->default_count : 0;
}

size_t kiln_model_output_count(const kiln_model *model)
{
    return model ? model->model->graph->output_count : 0;
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
    return describe(out, model ? input(model->model, k) : NULL);
}

kiln_status kiln_model_output(const kiln_model *model, size_t k, kiln_value_info *out)
{
    return describe(out, k < kiln_model_output_count(model) ? model->model->graph->outputs[k] : NULL);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

int64_t kiln_model_opset(const kiln_model *model, const char *domain)
{
    const Onnx__ModelProto *m = model ? model->model->proto : NULL;

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
    return model ? model->model->proto->n_metadata_props : 0;
}

bool kiln_model_metadata(const kiln_model *model, size_t k, const char **key, const char **value)
{
    const bool there = k < kiln_model_metadata_count(model);

    if (key)
        *key = there ? or_empty(model->model->proto->metadata_props[k]->key) : NULL;
    if (value)
        *value = there ? or_empty(model->model->proto->metadata_props[k]->value) : NULL;
    return there;
}
