#include "serve/about.h"
#include "json.h"
#include "serve/types.h"
#include <string.h>

void about_error(struct page *to, const char *message)
{
    struct json j = { .out = to };

    json_begin(&j, NULL, '{');
    json_text(&j, "error", message);
    json_end(&j, '}');
}

void about_server(struct page *to)
{
    struct json j = { .out = to };

    json_begin(&j, NULL, '{');
    json_text(&j, "name", "kiln");
    json_text(&j, "version", kiln_version());
    json_begin(&j, "extensions", '[');
    json_text(&j, NULL, "binary_tensor_data");
    json_text(&j, NULL, "classification");
    json_text(&j, NULL, "model_repository(index)");
    json_end(&j, ']');
    json_end(&j, '}');
}

void about_state(struct page *to, const char *name, const char *state, bool is)
{
    struct json j = { .out = to };

    json_begin(&j, NULL, '{');
    if (name)
        json_text(&j, "name", name);
    json_flag(&j, state, is);
    json_end(&j, '}');
}

/* -- models -- */

/* A dimension that is open is -1; so is one of a rank that nothing tells, as if there were one. */
static void put_value(struct json *j, const kiln_value_info *v)
{
    json_text(j, "name", v->name);
    json_text(j, "datatype", type_name(v->dtype));
    json_begin(j, "shape", '[');
    for (int d = 0; d < (v->rank < 0 ? 1 : v->rank); d++)
        json_whole(j, NULL, v->rank < 0 || v->dims[d] < 0 ? -1 : v->dims[d]);
    json_end(j, ']');
}

static void put_head(struct json *j, const struct served *m)
{
    json_text(j, "name", m->name);
    json_begin(j, "versions", '[');
    json_text(j, NULL, "1");
    json_end(j, ']');
    json_text(j, "platform", "kiln_onnx");
}

void about_model(struct page *to, const struct served *m)
{
    struct json j = { .out = to };

    json_begin(&j, NULL, '{');
    put_head(&j, m);
    json_begin(&j, "inputs", '[');
    for (size_t k = 0; k < m->inputs; k++) {
        json_begin(&j, NULL, '{');
        put_value(&j, kiln_model_input(m->model, k));
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_begin(&j, "outputs", '[');
    for (size_t k = 0; k < m->outputs; k++) {
        json_begin(&j, NULL, '{');
        put_value(&j, kiln_model_output(m->model, m->output[k]));
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_end(&j, '}');
}

void about_index(struct page *to, const struct served *models, size_t count)
{
    struct json j = { .out = to };

    json_begin(&j, NULL, '[');
    for (size_t k = 0; k < count; k++) {
        json_begin(&j, NULL, '{');
        json_text(&j, "name", models[k].name);
        json_text(&j, "version", "1");
        json_text(&j, "state", "READY");
        json_text(&j, "reason", "");
        json_end(&j, '}');
    }
    json_end(&j, ']');
}

/* -- for the page -- */

static void put_output(struct json *j, const struct served *m, size_t k)
{
    const kiln_value_info *v = kiln_model_output(m->model, m->output[k]);
    const kiln_scores scores = kiln_model_scores(m->model, m->output[k]);
    const char *name;
    size_t length;

    json_begin(j, NULL, '{');
    put_value(j, v);
    json_flag(j, "logits", scores.known && scores.logits);
    json_flag(j, "each", scores.known && scores.each);
    if (served_class(m, v->name, 0, &length)) {
        json_begin(j, "classes", '[');
        for (int64_t c = 0; (name = served_class(m, v->name, c, &length)); c++)
            json_text_n(j, NULL, name, length);
        json_end(j, ']');
    }
    json_end(j, '}');
}

static void put_model(struct json *j, const struct served *m)
{
    const char *slash = strrchr(m->file, '/');

    json_begin(j, NULL, '{');
    put_head(j, m);
    json_text(j, "file", slash ? slash + 1 : m->file); /* where it lies is nobody's business */
    json_text(j, "batches", m->apart ? "" : m->why);
    json_begin(j, "inputs", '[');
    for (size_t k = 0; k < m->inputs; k++) {
        const kiln_value_info *v = kiln_model_input(m->model, k);

        json_begin(j, NULL, '{');
        put_value(j, v);
        json_text(j, "normalize", model_metadata_of(m->model, "kiln.normalize.", v->name));
        json_end(j, '}');
    }
    json_end(j, ']');
    json_begin(j, "outputs", '[');
    for (size_t k = 0; k < m->outputs; k++)
        put_output(j, m, k);
    json_end(j, ']');
    json_end(j, '}');
}

void about_page(struct page *to, const struct served *models, size_t count)
{
    struct json j = { .out = to };

    json_begin(&j, NULL, '[');
    for (size_t k = 0; k < count; k++)
        put_model(&j, &models[k]);
    json_end(&j, ']');
}
