#include "api/data.h"
#include "model/message.h"
#include "train/change.h"
#include "train/decided.h"
#include "train/initialise.h"
#include "train/loss.h"
#include <string.h>

/* -- what the model declares -- */

static void describe_type(kiln_value_info *to, const struct tensor *t)
{
    to->kind = (kiln_kind)t->kind;
    to->key = (kiln_dtype)t->key;
    to->dtype = (kiln_dtype)t->dtype;
    for (int k = 0; k < KILN_MAX_NESTING; k++)
        to->element[k] = (kiln_element){ (kiln_kind)t->element[k].kind, (kiln_dtype)t->element[k].key };
}

void api_describe_value(kiln_value_info *to, const struct value *v)
{
    *to = (kiln_value_info){ .name = v->name, .rank = KILN_ANY, .optional = v->initializer };
    if (!v->has_type)
        return;
    describe_type(to, &v->type);
    if (v->type.kind == TENSOR) {
        to->rank = v->type.rank;
        to->dims = v->type.dims;
        to->dim_names = v->dim_names;
    }
}

/* Inputs stand in another order than in the file. */
static bool find_places(kiln_model *m, struct report *r)
{
    const Onnx__GraphProto *g = m->model->proto->graph;
    struct map places;
    bool ok = true;

    map_init(&places, &m->model->budget);
    for (size_t k = 0; ok && k < g->n_input; k++) {
        void **slot = map_put(&places, or_empty(g->input[k]->name), r);

        ok = slot;
        if (ok)
            *slot = (void *)(uintptr_t)k;
    }
    for (size_t k = 0; ok && k < m->input_count; k++)
        m->inputs[k].place = (size_t)(uintptr_t)map_get(&places, m->inputs[k].name);
    map_release(&places);
    return ok;
}

static bool is_initializer(const struct value *v)
{
    return v->initializer && v->initializer->kind == TENSOR && !v->folded;
}

static bool list_initializers(kiln_model *m, struct report *r)
{
    const struct graph *g = m->model->graph;
    size_t count = 0;

    for (size_t k = 0; k < g->value_count; k++)
        count += is_initializer(g->values[k]);
    m->initializers = arena_array(&m->model->arena, count, sizeof *m->initializers, r);
    for (size_t k = 0; m->initializers && k < g->value_count; k++)
        if (is_initializer(g->values[k]))
            m->initializers[m->initializer_count++] = g->values[k];
    return m->initializers;
}

static bool describe_graph(kiln_model *m, struct report *r)
{
    const struct graph *g = m->model->graph;
    struct arena *a = &m->model->arena;

    m->input_count = g->input_count + m->model->default_count;
    m->output_count = g->output_count;
    m->inputs = arena_array(a, m->input_count, sizeof *m->inputs, r);
    m->outputs = arena_array(a, m->output_count, sizeof *m->outputs, r);
    if (!m->inputs || !m->outputs || !list_initializers(m, r))
        return false;
    for (size_t k = 0; k < g->input_count; k++)
        api_describe_value(&m->inputs[k], g->inputs[k]);
    for (size_t k = 0; k < m->model->default_count; k++) {
        api_describe_value(&m->inputs[g->input_count + k], m->model->defaults[k]);
        m->inputs[g->input_count + k].optional = true;
    }
    for (size_t k = 0; k < g->output_count; k++) {
        api_describe_value(&m->outputs[k], g->outputs[k]);
        m->outputs[k].place = k;
    }
    return find_places(m, r);
}

/* The symbols of a message's dimensions; NULL where there are none. */
static bool symbols_of(const char *const **to, const Onnx__TypeProto *type, int rank, struct arena *a, struct report *r)
{
    const Onnx__TensorShapeProto *shape = rank > 0 ? type->tensor_type->shape : NULL;
    const char **names = shape ? arena_array(a, (size_t)rank, sizeof *names, r) : NULL;

    for (int d = 0; names && d < rank; d++)
        names[d] = symbol_of_proto(shape->dim[d]);
    *to = names;
    return names || !shape;
}

/* Of a model that has no graph: as the messages say. */
static bool describe_messages(kiln_value_info **to, Onnx__ValueInfoProto *const *list, size_t count, struct arena *a,
                              struct report *r)
{
    kiln_value_info *infos = *to = arena_array(a, count, sizeof *infos, r);

    for (size_t k = 0; infos && k < count; k++) {
        struct report quiet = { 0 };
        struct tensor *t = arena_alloc(a, sizeof *t, r);

        if (!t)
            return false;
        infos[k] = (kiln_value_info){ .name = or_empty(list[k]->name), .rank = KILN_ANY, .place = k };
        if (!list[k]->type || !type_of_proto(t, list[k]->type, NULL, &quiet))
            continue;
        describe_type(&infos[k], t);
        if (t->kind != TENSOR)
            continue;
        infos[k].rank = t->rank;
        infos[k].dims = t->dims;
        if (!symbols_of(&infos[k].dim_names, list[k]->type, t->rank, a, r))
            return false;
    }
    return infos;
}

static bool describe_model(kiln_model *m, struct report *r)
{
    const Onnx__ModelProto *p = m->model->proto;
    const Onnx__GraphProto *g = p->graph;

    m->info = (kiln_model_info){ .ir_version = p->ir_version,
                                 .model_version = p->model_version,
                                 .producer_name = or_empty(p->producer_name),
                                 .producer_version = or_empty(p->producer_version),
                                 .domain = or_empty(p->domain),
                                 .graph_name = or_empty(g ? g->name : NULL),
                                 .doc = or_empty(p->doc_string) };
    if (m->model->graph)
        return describe_graph(m, r);
    m->input_count = g ? g->n_input : 0;
    m->output_count = g ? g->n_output : 0;
    return describe_messages(&m->inputs, g ? g->input : NULL, m->input_count, &m->model->arena, r) &&
           describe_messages(&m->outputs, g ? g->output : NULL, m->output_count, &m->model->arena, r);
}

/* -- making and opening -- */

/* Who is told of errors while a model is built that may be partial: the caller, and the list. */
struct telling {
    struct problems *problems;
    const struct report *caller;
};

static void tell(void *user, kiln_status code, const char *where, const char *message)
{
    const struct telling *t = user;

    problems_note(t->problems, code, where, message);
    if (t->caller->notify)
        t->caller->notify(t->caller->user, code, where, message);
}

/* No error of what is in the file: the caller has been told of it. */
static bool refuse(const kiln_problem *p, struct report *caller)
{
    struct report silent = { 0 };

    fail(&silent, p->code, p->where, "%s", p->message);
    caller->error = silent.error;
    return false;
}

/* False where it cannot be built, unless that is for what is in the file, and may be. */
static bool build(kiln_model *m, bool partial, struct report *r)
{
    struct telling to = { &m->problems, r };
    struct report telling = { .notify = tell, .user = &to, .files = r->files };

    if (m->model->graph)
        return true;
    if (!partial)
        return model_build(m->model, r);
    problems_init(&m->problems, &m->model->arena, r);
    model_build(m->model, &telling);
    m->problems.report = NULL; /* it ends with this call */
    m->error = telling.error;
    for (size_t k = 0; k < m->problems.count; k++)
        if (m->problems.at[k].code != KILN_BAD_MODEL && m->problems.at[k].code != KILN_UNSUPPORTED)
            return refuse(&m->problems.at[k], r);
    return !failed(r);
}

kiln_status api_end_model(kiln_model **out, struct model *m, kiln_context *context, bool partial, struct report *r,
                          kiln_error *err)
{
    kiln_model *made = m ? api_alloc(sizeof *made, r) : NULL;
    bool ok;

    if (!made) {
        model_free(m);
        return api_end(r, false, err);
    }
    made->model = m;
    made->context = context_hold(context);
    ok = build(made, partial, r) && describe_model(made, r);
    if (ok)
        *out = made;
    else
        kiln_model_free(made);
    return api_end(r, ok, err);
}

kiln_status api_check_model(const kiln_model *model, kiln_error *err)
{
    if (!model)
        return api_refuse(err, "model is NULL");
    if (err)
        *err = model->error;
    return model->error.code;
}

/* What an option struct says, for the library and for the report. */
static bool begin(const kiln_load_options *options, kiln_load_options *o, struct model_options *to, struct report *r,
                  kiln_error *err)
{
    if (!api_options(o, sizeof *o, options, "KILN_LOAD_OPTIONS_INIT", err) ||
        !api_check_limits(NULL, 0, o->seconds, err))
        return false;
    *to = (struct model_options){
        .memory = o->memory, .seconds = o->seconds, .total = context_total(o->context), .cache = o->follow_links
    };
    *r = api_report_to(o->context, o->diagnostic, o->user);
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
    return api_end_model(out, model_read(path, &to, &r), o.context, o.partial, &r, err);
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
    return api_end_model(out, model_read_bytes(bytes, size, &to, &r), o.context, o.partial, &r, err);
}

/* -- saving -- */

kiln_status kiln_model_save(const kiln_model *model, const char *path, kiln_form form, kiln_error *err)
{
    struct report r;

    if (!model || !path)
        return api_refuse(err, "%s is NULL", model ? "path" : "model");
    if (form != KILN_FORM_BY_NAME && form != KILN_FORM_BINARY && form != KILN_FORM_TEXT)
        return api_refuse(err, "form %d is none that a model is saved in", (int)form);
    r = api_report(model->context);
    return api_end(&r, model_save_as(model->model, path, api_form_is_text(form, path), &r), err);
}

struct writer {
    kiln_write_fn write;
    void *user;
    struct report *report;
};

static bool put(void *to, const void *bytes, size_t size)
{
    const struct writer *w = to;

    return w->write(w->user, bytes, size) || fail(w->report, KILN_STOPPED, NULL, "stopped while writing");
}

kiln_status kiln_model_write(const kiln_model *model, kiln_form form, kiln_write_fn write, void *user, kiln_error *err)
{
    const struct text_options brief = { .most = 8 };
    struct report r = api_report(model ? model->context : NULL);
    struct writer w = { write, user, &r };

    if (!model || !write)
        return api_refuse(err, "%s is NULL", model ? "write" : "model");
    if (form < KILN_FORM_BY_NAME || form > KILN_FORM_BRIEF)
        return api_refuse(err, "form %d is unknown", (int)form);
    return api_end(
        &r, model_put(model->model, form >= KILN_FORM_TEXT, form == KILN_FORM_BRIEF ? &brief : NULL, put, &w, &r), err);
}

void kiln_model_free(kiln_model *model)
{
    if (!model)
        return;
    problems_release(&model->problems);
    model_free(model->model);
    context_release(model->context);
    api_free(model);
}

/* -- another one -- */

static bool check_lists(const kiln_edit_options *o, kiln_error *err)
{
    const bool constants = !o->constant_count || (o->constant_names && o->constants),
               metadata = !o->metadata_count || (o->metadata_keys && o->metadata_values),
               weights = !o->initializer_count || (o->initializer_names && o->initializers);
    bool ok = constants && metadata && weights && (!o->shape_count || o->shapes);

    for (size_t k = 0; ok && k < o->initializer_count; k++)
        ok = o->initializer_names[k] && o->initializers[k];

    for (size_t k = 0; ok && k < o->constant_count; k++)
        ok = o->constant_names[k] && o->constants[k];
    for (size_t k = 0; ok && k < o->metadata_count; k++)
        ok = o->metadata_keys[k];
    for (size_t k = 0; ok && k < o->shape_count; k++)
        ok = o->shapes[k].input && (o->shapes[k].dims || !o->shapes[k].rank);
    if (!ok)
        api_refuse(err, "a list, a name, a value, a key or a shape is NULL");
    for (size_t k = 0; ok && k < o->shape_count; k++)
        if (o->shapes[k].rank < 0 || o->shapes[k].rank > KILN_MAX_RANK) {
            api_refuse(err, "a shape for input '%s' has %d dimensions, must have 0 to %d", o->shapes[k].input,
                       o->shapes[k].rank, (int)KILN_MAX_RANK);
            return false;
        }
    return ok;
}

/* With what the data tell. First come these, then what the caller says of the metadata. */
static kiln_status edit_for(kiln_model **out, const kiln_model *model, const kiln_dataset *data, bool bake,
                            struct model_changes *c, kiln_error *err)
{
    struct report r = api_report(model->context);
    struct budget budget = budget_like(&model->model->budget);
    struct arena a = { .budget = &budget };
    const kiln_status usable = api_check_model(model, err);
    const char **keys = NULL, **texts = NULL;
    struct data_changes told;
    struct model *made = NULL;

    if (usable != KILN_OK)
        return usable;
    if (api_data_changes(&told, data, model->model, bake, &a, &r)) {
        keys = arena_array(&a, told.metadata + c->metadata, sizeof *keys, &r);
        texts = arena_array(&a, told.metadata + c->metadata, sizeof *texts, &r);
    }
    if (keys && texts) {
        memcpy(keys, told.keys, told.metadata * sizeof *keys);
        memcpy(texts, told.texts, told.metadata * sizeof *texts);
        for (size_t k = 0; k < c->metadata; k++) {
            keys[told.metadata + k] = c->keys[k];
            texts[told.metadata + k] = c->texts[k];
        }
        c->keys = keys;
        c->texts = texts;
        c->metadata += told.metadata;
        c->bake = told.bake;
        c->baked = told.baked;
        made = model_change(model->model, c, &r);
    }
    arena_release(&a);
    return api_end_model(out, made, model->context, false, &r, err);
}

kiln_status kiln_model_edit(kiln_model **out, const kiln_model *model, const kiln_edit_options *options,
                            kiln_error *err)
{
    struct model_changes c;
    kiln_edit_options o;
    struct report r;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!model)
        return api_refuse(err, "model is NULL");
    if (!api_options(&o, sizeof o, options, "KILN_EDIT_OPTIONS_INIT", err) || !check_lists(&o, err))
        return KILN_BAD_ARGUMENT;
    /* a kiln_tensor is a struct tensor and nothing else */
    c = (struct model_changes){ .inference = o.inference,
                                .constants = o.constant_count,
                                .names = o.constant_names,
                                .values = (const struct tensor *const *)(const void *)o.constants,
                                .weights = o.initializer_count,
                                .weight_names = o.initializer_names,
                                .weight_values = (const struct tensor *const *)(const void *)o.initializers,
                                .shapes = o.shape_count,
                                .shape = o.shapes,
                                .metadata = o.metadata_count,
                                .keys = o.metadata_keys,
                                .texts = o.metadata_values };
    if (o.data)
        return edit_for(out, model, o.data, o.bake, &c, err);
    r = api_report(model->context);
    return api_end_model(out, model_change(model->model, &c, &r), model->context, model->error.code != KILN_OK, &r,
                         err);
}

kiln_status kiln_model_initialize(kiln_model **out, const kiln_model *model, uint64_t seed, bool again, size_t *count,
                                  kiln_error *err)
{
    const struct initialise_options o = { .seed = seed, .again = again };
    struct report r = api_report(model ? model->context : NULL);
    kiln_status usable;
    struct model *m;
    size_t drawn = 0;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    m = model_initialise(model->model, &o, &drawn, &r);
    if (count)
        *count = drawn;
    return api_end_model(out, m, model->context, false, &r, err);
}

/* -- looking -- */

size_t kiln_model_input_count(const kiln_model *model)
{
    return model ? model->input_count : 0;
}

size_t kiln_model_output_count(const kiln_model *model)
{
    return model ? model->output_count : 0;
}

size_t kiln_model_initializer_count(const kiln_model *model)
{
    return model ? model->initializer_count : 0;
}

/* a kiln_tensor is a struct tensor and nothing else */
const kiln_tensor *kiln_model_initializer(const kiln_model *model, size_t k, const char **name)
{
    const struct value *v = k < kiln_model_initializer_count(model) ? model->initializers[k] : NULL;

    if (name)
        *name = v ? v->name : NULL;
    return v ? (const kiln_tensor *)(const void *)v->initializer : NULL;
}

const kiln_value_info *kiln_model_input(const kiln_model *model, size_t k)
{
    return k < kiln_model_input_count(model) ? &model->inputs[k] : NULL;
}

const kiln_value_info *kiln_model_output(const kiln_model *model, size_t k)
{
    return k < kiln_model_output_count(model) ? &model->outputs[k] : NULL;
}

kiln_scores kiln_model_scores(const kiln_model *model, size_t k)
{
    struct loss_scores s;
    const struct value *out;

    if (k >= kiln_model_output_count(model) || api_check_model(model, NULL) != KILN_OK)
        return (kiln_scores){ 0 };
    out = model->model->graph->outputs[k];
    s = loss_scores(out, out->has_type && out->type.kind == TENSOR ? out->type.rank : 0,
                    decided_once(model->model, DECIDED_LOSS, out->name));
    return (kiln_scores){ s.known, s.logits, s.each };
}

const kiln_model_info *kiln_model_about(const kiln_model *model)
{
    return model ? &model->info : NULL;
}

const kiln_error *kiln_model_error(const kiln_model *model)
{
    return model && model->error.code ? &model->error : NULL;
}

size_t kiln_model_problem_count(const kiln_model *model)
{
    return model ? model->problems.count : 0;
}

const kiln_problem *kiln_model_problem(const kiln_model *model, size_t k)
{
    return k < kiln_model_problem_count(model) ? &model->problems.at[k] : NULL;
}

size_t kiln_model_missing_count(const kiln_model *model)
{
    return model && model->model->graph ? model_missing_values(model->model) : 0;
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

bool kiln_model_import(const kiln_model *model, size_t k, const char **domain, int64_t *version)
{
    const bool there = model && k < model->model->proto->n_opset_import;
    const Onnx__OperatorSetIdProto *import = there ? model->model->proto->opset_import[k] : NULL;

    if (domain)
        *domain = there ? or_empty(import->domain) : NULL;
    if (version)
        *version = there ? import->version : 0;
    return there;
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
