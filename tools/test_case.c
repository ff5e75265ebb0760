#include "test_case.h"
#include <stdlib.h>
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
    struct ulps worst;
    struct command command;
    kiln_model *model;
    kiln_session *session;
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

static bool run_and_compare(struct case_run *c, const char *directory, const char *pattern)
{
    const size_t outputs = kiln_model_output_count(c->model);
    kiln_error *err = &c->command.err;

    if (kiln_session_run(c->session, c->count, c->names, (const kiln_tensor *const *)c->tensors, err) != KILN_OK)
        return false;
    for (size_t k = 0; k <= outputs; k++) {
        const kiln_tensor *got = kiln_session_output(c->session, k);
        kiln_tensor *expected;
        char path[PATH_TEXT];
        bool same;

        snprintf(path, sizeof path, pattern, directory, k);
        if (is_file(path) != (k < outputs))
            return command_fail(&c->command, KILN_BAD_DATA, path, "%s, the model has %zu outputs",
                                k < outputs ? "is not there" : "is there", outputs);
        if (k == outputs)
            break;
        if (kiln_tensor_read(&expected, path, kiln_tensor_kind(got), c->command.context, err) != KILN_OK)
            return false;
        same = same_value(got, expected, c->o->tolerance, c->why);
        if (same)
            ulps_apart(&c->worst, got, expected);
        kiln_tensor_free(expected);
        if (!same)
            return command_fail(&c->command, KILN_MISMATCH, NULL, "output '%s': %s",
                                kiln_model_output(c->model, k)->name, c->why);
    }
    return true;
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
        if (!run_set(c, path))
            return false;
    }
    return n || command_fail(&c->command, KILN_BAD_DATA, NULL, "there is no test_data_set_0");
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
    if (kiln_model_open(&c->model, model, &lo, err) != KILN_OK ||
        kiln_session_new(&c->session, c->model, &so, err) != KILN_OK)
        return false;
    c->names = calloc(kiln_model_input_count(c->model) + 1, sizeof *c->names);
    c->tensors = calloc(kiln_model_input_count(c->model) + 1, sizeof *c->tensors);
    return (c->names && c->tensors) || command_no_memory(&c->command);
}

static void close_case(struct case_run *c)
{
    forget_inputs(c);
    free(c->names);
    free(c->tensors);
    kiln_session_free(c->session);
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
