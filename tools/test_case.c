#include "test_case.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool is_file(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

bool is_directory(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

struct case_run {
    const struct test_options *o;
    struct tolerance tolerance;
    struct ulps worst;
    struct command command;
    kiln_model *model;
    kiln_session *session; /* or: */
    kiln_training *training;
    size_t count; /* of the inputs that have a value: */
    const char **names;
    kiln_tensor **tensors;
    char why[WHY_TEXT];
};

static void give(struct case_run *c, const kiln_value_info *input, kiln_tensor *t)
{
    c->names[c->count] = input->name;
    c->tensors[c->count++] = t;
}

/* Is it what the file says? */
static bool compare(struct case_run *c, const char *path, const kiln_tensor *got, const char *name)
{
    kiln_tensor *expected;
    bool same;

    if (kiln_tensor_read(&expected, path, kiln_tensor_kind(got), c->command.context, &c->command.err) != KILN_OK)
        return false;
    same = same_value(got, expected, c->tolerance, c->why);
    if (same)
        ulps_apart(&c->worst, got, expected);
    kiln_tensor_free(expected);
    return same || command_fail(&c->command, KILN_MISMATCH, NULL, "output '%s': %s", name, c->why);
}

/* There must be as many files as outputs. */
static bool output_file(struct case_run *c, char path[PATH_TEXT], const char *directory, const char *pattern, size_t k,
                        size_t outputs)
{
    snprintf(path, PATH_TEXT, pattern, directory, k);
    return is_file(path) == (k < outputs) ||
           command_fail(&c->command, KILN_BAD_DATA, path, "%s, the model has %zu outputs",
                        k < outputs ? "is not there" : "is there", outputs);
}

static bool run_and_compare(struct case_run *c, const char *directory, const char *pattern)
{
    const size_t outputs = kiln_model_output_count(c->model);
    char path[PATH_TEXT];

    if (kiln_session_run(c->session, c->count, c->names, (const kiln_tensor *const *)c->tensors, &c->command.err) !=
        KILN_OK)
        return false;
    for (size_t k = 0; k < outputs; k++)
        if (!output_file(c, path, directory, pattern, k, outputs) ||
            !compare(c, path, kiln_session_output(c->session, k), kiln_model_output(c->model, k)->name))
            return false;
    return output_file(c, path, directory, pattern, outputs, outputs);
}

static void forget_inputs(struct case_run *c)
{
    while (c->count)
        kiln_tensor_free(c->tensors[--c->count]);
}

/* Files are numbered by the formal inputs of the file, those with an initializer included. */
static bool run_set(struct case_run *c, const char *directory)
{
    forget_inputs(c);
    for (size_t k = 0; k < kiln_model_input_count(c->model); k++) {
        const kiln_value_info *input = kiln_model_input(c->model, k);
        char path[PATH_TEXT];
        kiln_tensor *t;

        snprintf(path, sizeof path, "%s/input_%zu.pb", directory, input->place);
        if (!is_file(path))
            continue;
        if (kiln_tensor_read(&t, path, input->kind, c->command.context, &c->command.err) != KILN_OK)
            return false;
        give(c, input, t);
    }
    return run_and_compare(c, directory, "%s/output_%zu.pb");
}

/* -- steps of a training_info -- */

static bool compare_step(struct case_run *c, const char *directory)
{
    const char *const pattern = "%s/output_%zu.pb";
    const size_t states = kiln_training_state_count(c->training);
    const size_t outputs = states + kiln_training_result_count(c->training);
    char path[PATH_TEXT];

    for (size_t k = 0; k < outputs; k++) {
        const bool state = k < states;
        const kiln_tensor *got =
            state ? kiln_training_state(c->training, k) : kiln_training_result(c->training, k - states);

        if (!output_file(c, path, directory, pattern, k, outputs) ||
            !compare(c, path, got,
                     state ? kiln_training_state_name(c->training, k)
                           : kiln_training_result_name(c->training, k - states)))
            return false;
    }
    return output_file(c, path, directory, pattern, outputs, outputs);
}

/* A data set is a step: what it takes, in its order, and then the state and the results after it. */
static bool run_step(struct case_run *c, const char *directory)
{
    forget_inputs(c);
    for (size_t k = 0; k < kiln_training_input_count(c->training); k++) {
        const kiln_value_info *input = kiln_training_input(c->training, k);
        char path[PATH_TEXT];
        kiln_tensor *t;

        snprintf(path, sizeof path, "%s/input_%zu.pb", directory, k);
        if (kiln_tensor_read(&t, path, input->kind, c->command.context, &c->command.err) != KILN_OK)
            return false;
        give(c, input, t);
    }
    return kiln_training_step(c->training, (const kiln_tensor *const *)c->tensors, &c->command.err) == KILN_OK &&
           compare_step(c, directory);
}

/* -- kinds of tests -- */

/* arange(k).reshape(shape) / k, as onnx' own runner makes the inputs of its light models. */
static kiln_tensor *light_input(struct case_run *c, const kiln_value_info *input)
{
    int64_t dims[KILN_MAX_RANK], n;
    kiln_tensor *t = NULL;
    float *data;

    if (input->kind != KILN_TENSOR || input->dtype != KILN_FLOAT || input->rank < 0) {
        command_fail(&c->command, KILN_BAD_DATA, NULL, "input '%s' cannot be made up", input->name);
        return NULL;
    }
    for (int d = 0; d < input->rank; d++)
        dims[d] = input->dims[d] < 0 ? 1 : input->dims[d];
    if (kiln_tensor_new(&t, KILN_FLOAT, input->rank, dims, NULL, &c->command.err) != KILN_OK)
        return NULL;
    data = kiln_tensor_data(t);
    n = kiln_tensor_count(t);
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((double)i / (double)n);
    return t;
}

/* The light models have outputs only. */
static bool run_light(struct case_run *c, const char *stem)
{
    for (size_t k = 0; k < kiln_model_input_count(c->model); k++) {
        const kiln_value_info *input = kiln_model_input(c->model, k);
        kiln_tensor *t = input->optional ? NULL : light_input(c, input);

        if (input->optional)
            continue;
        if (!t)
            return false;
        give(c, input, t);
    }
    return run_and_compare(c, stem, "%s_output_%zu.pb");
}

static bool run_sets(struct case_run *c, const char *directory)
{
    char path[PATH_TEXT];
    int n = 0;

    for (;; n++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d", directory, n);
        if (!is_directory(path))
            break;
        if (!(c->training ? run_step(c, path) : run_set(c, path)))
            return false;
    }
    return n || command_fail(&c->command, KILN_BAD_DATA, NULL, "there is no test_data_set_0");
}

/* -- what the model says of its test -- */

/* NULL: nothing. */
static const char *said(const struct case_run *c, const char *wanted)
{
    const char *key, *value;

    for (size_t k = 0; kiln_model_metadata(c->model, k, &key, &value); k++)
        if (strcmp(key, wanted) == 0)
            return value;
    return NULL;
}

/* What an option says goes before what the model says, and that before what is usual. */
static bool tolerance_of(struct case_run *c, double *to, double given, const char *key, double usual)
{
    const char *text = said(c, key);
    char *end;

    *to = given >= 0 ? given : usual;
    if (given >= 0 || !text)
        return true;
    errno = 0;
    *to = strtod(text, &end);
    return (end != text && !*end && !errno && isfinite(*to) && *to >= 0) ||
           command_fail(&c->command, KILN_BAD_MODEL, NULL,
                        "the metadata say that %s is '%.40s', must be a number from 0 on", key, text);
}

static bool read_metadata(struct case_run *c, bool *training)
{
    const char *kind = said(c, "test.kind");

    *training = kind;
    if (kind && strcmp(kind, "training") != 0)
        return command_fail(&c->command, KILN_BAD_MODEL, NULL,
                            "the metadata say that test.kind is '%.40s', must be 'training' or left out", kind);
    return tolerance_of(c, &c->tolerance.relative, c->o->tolerance.relative, "test.rtol", 1e-3) &&
           tolerance_of(c, &c->tolerance.absolute, c->o->tolerance.absolute, "test.atol", 1e-7);
}

/* A training starts with its initialization. */
static bool start(struct case_run *c, const kiln_session_options *so)
{
    kiln_error *err = &c->command.err;
    bool training;
    size_t inputs;

    if (!read_metadata(c, &training))
        return false;
    if (training ? kiln_training_new(&c->training, c->model, so, err) != KILN_OK ||
                       kiln_training_initialize(c->training, err) != KILN_OK
                 : kiln_session_new(&c->session, c->model, so, err) != KILN_OK)
        return false;
    inputs = training ? kiln_training_input_count(c->training) : kiln_model_input_count(c->model);
    c->names = calloc(inputs + 1, sizeof *c->names);
    c->tensors = calloc(inputs + 1, sizeof *c->tensors);
    return (c->names && c->tensors) || command_no_memory(&c->command);
}

static bool open_case(struct case_run *c, const char *model)
{
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    kiln_context_options co = KILN_CONTEXT_OPTIONS_INIT;
    kiln_error *err = &c->command.err;
    kiln_load_options lo;

    c->command.limits = c->o->limits;
    co.threads = 1;
    co.memory = c->o->limits.memory;
    if (kiln_context_new(&c->command.context, &co, err) != KILN_OK)
        return false;
    lo = load_options(&c->command);
    so.context = lo.context;
    so.seconds = lo.seconds;
    so.exact = c->o->exact;
    return kiln_model_open(&c->model, model, &lo, err) == KILN_OK && start(c, &so);
}

static void close_case(struct case_run *c)
{
    forget_inputs(c);
    free(c->names);
    free(c->tensors);
    kiln_session_free(c->session);
    kiln_training_free(c->training);
    kiln_model_free(c->model);
    kiln_context_free(c->command.context);
}

void test_case_run(struct test_result *result, const struct test_options *o, const char *model, const char *directory,
                   const char *stem)
{
    struct case_run c = { .o = o };
    const bool ok = open_case(&c, model) && (stem ? run_light(&c, stem) : run_sets(&c, directory));

    *result = (struct test_result){ .error = c.command.err, .worst = c.worst };
    result->outcome = ok ? PASSED : result->error.code == KILN_UNSUPPORTED ? UNSUPPORTED : FAILED;
    close_case(&c);
}
