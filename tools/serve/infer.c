#include "serve/infer.h"
#include "serve/types.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A request while it is read. */
struct reader {
    struct served *m;
    struct job *job;
    const struct body *body;
    const struct cuts *cuts; /* what its JSON had */
    size_t at;               /* bytes behind the JSON that are taken */
    bool binary;             /* outputs are, where they do not say otherwise */
    kiln_tensor **given;     /* by place of the model's input */
};

static const json_t *parameter(const json_t *of, const char *name)
{
    return json_object_get(json_object_get(of, "parameters"), name);
}

/* The "parameters", where there are any, are an object. */
static bool check_parameters(struct reader *r, const json_t *of, const char *what)
{
    const json_t *p = json_object_get(of, "parameters");

    return !p || json_is_object(p) || job_fail(r->job, 400, "the \"parameters\" of %.100s must be an object", what);
}

/* -- inputs -- */

static const kiln_value_info *find_input(const struct reader *r, const char *name, size_t *place)
{
    const kiln_value_info *v;

    for (*place = 0; (v = kiln_model_input(r->m->model, *place)); ++*place)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

static bool read_shape(struct reader *r, struct given *g, const json_t *shape)
{
    int64_t count = 1;
    bool none = false;

    if (!json_is_array(shape) || json_array_size(shape) > KILN_MAX_RANK)
        return job_fail(r->job, 400, "input '%.80s': the \"shape\" must be a list of at most %d whole numbers", g->name,
                        (int)KILN_MAX_RANK);
    g->rank = (int)json_array_size(shape);
    for (int d = 0; d < g->rank; d++) {
        const json_t *n = json_array_get(shape, (size_t)d);

        g->dims[d] = json_integer_value(n);
        if (!json_is_integer(n) || g->dims[d] < 0)
            return job_fail(r->job, 400, "input '%.80s': dimension %d must be a whole number from 0 on", g->name, d);
        none |= !g->dims[d];
        if (!none && count > INT64_MAX / g->dims[d])
            return job_fail(r->job, 400, "input '%.80s': the shape has more elements than can be counted", g->name);
        count *= none ? 1 : g->dims[d];
    }
    g->count = none ? 0 : count;
    /* each takes a byte at least, of the JSON or behind it: nothing is made for what is not there */
    return (size_t)g->count <= r->body->length ||
           job_fail(r->job, 400, "input '%.80s': the shape has %lld elements, which are not there", g->name,
                    (long long)g->count);
}

/* As the model declares it. */
static bool check_type(struct reader *r, const struct given *g, const kiln_value_info *v)
{
    if (v->kind != KILN_TENSOR || !type_name(v->dtype))
        return job_fail(r->job, 400, "input '%.80s' is of a type that the protocol does not have", g->name);
    if (g->dtype != v->dtype)
        return job_fail(r->job, 400, "input '%.80s': the model takes %s", g->name, type_name(v->dtype));
    if (v->rank >= 0 && g->rank != v->rank)
        return job_fail(r->job, 400, "input '%.80s' has %d dimensions, the model takes %d", g->name, g->rank, v->rank);
    for (int d = 0; d < v->rank; d++)
        if (v->dims[d] >= 0 && g->dims[d] != v->dims[d])
            return job_fail(r->job, 400, "input '%.80s': dimension %d is %lld, the model takes %lld", g->name, d,
                            (long long)g->dims[d], (long long)v->dims[d]);
    return true;
}

static kiln_tensor *read_bytes(struct reader *r, const struct given *g, const json_t *size, char why[TYPE_WHY])
{
    const size_t left = r->body->length - r->body->json - r->at;
    const char *from = r->body->bytes + r->body->json + r->at;

    if (!json_is_integer(size) || json_integer_value(size) < 0 || (size_t)json_integer_value(size) > left) {
        snprintf(why, TYPE_WHY, "input '%.80s': \"binary_data_size\" must be a number of bytes, at most the %zu left",
                 g->name, left);
        return NULL;
    }
    r->at += (size_t)json_integer_value(size);
    return given_bytes(g, from, (size_t)json_integer_value(size), why);
}

static bool read_data(struct reader *r, const struct given *g, const json_t *input, size_t place)
{
    const json_t *size = parameter(input, "binary_data_size"), *data = json_object_get(input, "data");
    char why[TYPE_WHY] = "";

    if (!size == !data)
        return job_fail(r->job, 400, "input '%.80s' must have either \"data\" or \"binary_data_size\"", g->name);
    if (size)
        r->given[place] = read_bytes(r, g, size, why);
    else if (json_is_integer(data) && (uint64_t)json_integer_value(data) < r->cuts->count)
        r->given[place] = given_list(g, &r->cuts->of[json_integer_value(data)], why);
    else
        r->given[place] = given_json(g, data, why);
    return r->given[place] || job_fail(r->job, 400, "%s", why);
}

static bool read_input(struct reader *r, const json_t *input)
{
    const char *name = json_string_value(json_object_get(input, "name")),
               *type = json_string_value(json_object_get(input, "datatype"));
    const kiln_value_info *v;
    struct given g = { 0 };
    size_t place;

    if (!name || !type)
        return job_fail(r->job, 400, "each input must have a \"name\" and a \"datatype\"");
    v = find_input(r, name, &place);
    if (!v)
        return job_fail(r->job, 400, "the model has no input '%.80s'", name);
    if (r->given[place])
        return job_fail(r->job, 400, "input '%.80s' is given twice", name);
    g.name = v->name;
    g.dtype = type_find(type);
    if (!g.dtype)
        return job_fail(r->job, 400, "input '%.80s': there is no datatype '%.20s'", name, type);
    return check_parameters(r, input, name) && read_shape(r, &g, json_object_get(input, "shape")) &&
           check_type(r, &g, v) && read_data(r, &g, input, place);
}

/* Those that are given, in the order of the model: what must be given first. */
static bool keep_inputs(struct reader *r)
{
    struct job *j = r->job;
    const kiln_value_info *v;

    for (size_t k = 0; k < r->m->inputs; k++)
        if (!r->given[k])
            return job_fail(j, 400, "input '%.80s' is missing", kiln_model_input(r->m->model, k)->name);
    for (size_t k = 0; (v = kiln_model_input(r->m->model, k)); k++)
        if (r->given[k]) {
            j->names[j->count] = v->name;
            j->inputs[j->count++] = r->given[k];
            r->given[k] = NULL;
        }
    return true;
}

/* How many rows may run together with others. */
static int64_t rows_of(const struct reader *r)
{
    const struct job *j = r->job;
    int64_t rows;

    if (!r->m->apart || j->count != r->m->inputs)
        return 0;
    rows = kiln_tensor_dims(j->inputs[0])[0];
    for (size_t k = 1; k < j->count; k++)
        if (kiln_tensor_dims(j->inputs[k])[0] != rows)
            return 0;
    return rows;
}

static bool read_inputs(struct reader *r, const json_t *inputs)
{
    if (!json_is_array(inputs))
        return job_fail(r->job, 400, "the request must have a list of \"inputs\"");
    for (size_t k = 0; k < json_array_size(inputs); k++)
        if (!read_input(r, json_array_get(inputs, k)))
            return false;
    if (r->at != r->body->length - r->body->json)
        return job_fail(r->job, 400, "%zu bytes behind the JSON belong to no input",
                        r->body->length - r->body->json - r->at);
    return keep_inputs(r);
}

/* -- outputs -- */

static bool read_flag(struct reader *r, const json_t *flag, const char *name, bool *out)
{
    if (flag && !json_is_boolean(flag))
        return job_fail(r->job, 400, "\"%s\" must be true or false", name);
    *out = flag ? json_is_true(flag) : *out;
    return true;
}

static bool read_classes(struct reader *r, const json_t *n, struct asked *a, const kiln_value_info *v)
{
    if (n && (!json_is_integer(n) || json_integer_value(n) < 1))
        return job_fail(r->job, 400, "output '%.80s': \"classification\" must be a whole number from 1 on", v->name);
    if (n && v->dtype == KILN_STRING)
        return job_fail(r->job, 400, "output '%.80s' has texts: there is no largest one", v->name);
    a->classes = n ? json_integer_value(n) : 0;
    return true;
}

static bool read_output(struct reader *r, const json_t *output)
{
    const char *name = json_string_value(json_object_get(output, "name"));
    struct asked *a = &r->job->asked[r->job->asked_count];
    const kiln_value_info *v = NULL;

    if (!name)
        return job_fail(r->job, 400, "each output must have a \"name\"");
    for (size_t k = 0; k < r->m->outputs && !v; k++) {
        v = kiln_model_output(r->m->model, r->m->output[k]);
        *a = (struct asked){ .output = k, .binary = r->binary };
        v = strcmp(v->name, name) == 0 ? v : NULL;
    }
    if (!v)
        return job_fail(r->job, 400, "the model has no output '%.80s'", name);
    for (size_t k = 0; k < r->job->asked_count; k++)
        if (r->job->asked[k].output == a->output)
            return job_fail(r->job, 400, "output '%.80s' is asked for twice", name);
    r->job->asked_count++;
    return check_parameters(r, output, name) &&
           read_flag(r, parameter(output, "binary_data"), "binary_data", &a->binary) &&
           read_classes(r, parameter(output, "classification"), a, v);
}

static bool read_outputs(struct reader *r, const json_t *outputs)
{
    struct job *j = r->job;

    if (outputs && !json_is_array(outputs))
        return job_fail(j, 400, "\"outputs\" must be a list");
    if (json_array_size(outputs) > r->m->outputs)
        return job_fail(j, 400, "%zu outputs are asked for, the model has %zu", json_array_size(outputs),
                        r->m->outputs);
    for (size_t k = 0; k < json_array_size(outputs); k++)
        if (!read_output(r, json_array_get(outputs, k)))
            return false;
    for (size_t k = 0; !json_array_size(outputs) && k < r->m->outputs; k++)
        j->asked[j->asked_count++] = (struct asked){ .output = k, .binary = r->binary };
    return true;
}

/* -- all of it -- */

static bool read_id(struct reader *r, const json_t *id)
{
    if (id && !json_is_string(id))
        return job_fail(r->job, 400, "the \"id\" must be a text");
    r->job->id = id ? strndup(json_string_value(id), json_string_length(id)) : NULL;
    return !id || r->job->id || job_fail(r->job, 503, "there is no memory for the request");
}

static void read_all(struct reader *r, const json_t *root)
{
    if (!json_is_object(root))
        job_fail(r->job, 400, "the request must be a JSON object");
    else if (read_id(r, json_object_get(root, "id")) && check_parameters(r, root, "the request") &&
             read_flag(r, parameter(root, "binary_data_output"), "binary_data_output", &r->binary) &&
             read_outputs(r, json_object_get(root, "outputs")) && read_inputs(r, json_object_get(root, "inputs")))
        r->job->rows = rows_of(r);
}

static struct job *job_new(struct served *m)
{
    const size_t inputs = kiln_model_input_count(m->model);
    struct job *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->model = m;
    j->names = calloc(inputs + 1, sizeof *j->names);
    j->inputs = calloc(inputs + 1, sizeof *j->inputs);
    j->asked = calloc(m->outputs + 1, sizeof *j->asked);
    j->outputs = calloc(m->outputs + 1, sizeof *j->outputs);
    if (j->names && j->inputs && j->asked && j->outputs)
        return j;
    job_free(j);
    return NULL;
}

struct job *infer_read(struct served *m, const struct body *body, struct account *account)
{
    struct cuts cuts;
    struct reader r = { .m = m, .job = job_new(m), .body = body, .cuts = &cuts };
    char why[READING_WHY];
    size_t length;
    char *text;
    json_t *root;

    r.given = calloc(kiln_model_input_count(m->model) + 1, sizeof *r.given);
    if (!r.job || !r.given) {
        job_free(r.job);
        free(r.given);
        return NULL;
    }
    text = cuts_make(&cuts, body->bytes, body->json, &length);
    switch (reading_begin(&root, text ? text : body->bytes, length, account, why)) {
    case READING_OK:
        read_all(&r, root);
        reading_end(root);
        break;
    case READING_NO_MEMORY:
        job_fail(r.job, 503, "%s", why);
        break;
    default:
        job_fail(r.job, 400, "%s", why);
    }
    for (size_t k = 0; k < kiln_model_input_count(m->model); k++)
        kiln_tensor_free(r.given[k]);
    free(r.given);
    free(text);
    return r.job;
}
