/* kiln test: runs directories of ONNX' backend tests
 * (https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md). */
#include "compare.h"
#include "tools.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_TEXT = 4096 };

struct options {
    struct tolerance tolerance;
    int threads;
    bool exact;
    const char *expect;
    char **paths;
    int path_count;
    struct limits limits; /* of each test */
};

enum outcome { PASSED, FAILED, UNSUPPORTED };

struct expected { /* a line of the list */
    char *name;
    enum outcome outcome;
    bool seen;
};

struct totals {
    int of[3]; /* as printed: with a list, failed is what is not as it says, unsupported what it says does not pass */
    struct expected *list; /* by name; NULL without --expect */
    size_t count;
};

static bool is_file(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

static bool is_directory(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* -- one test -- */

struct case_run {
    const struct options *o;
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
    kiln_error *err = &c->command.err;

    if (kiln_session_run(c->session, c->count, c->names, (const kiln_tensor *const *)c->tensors, err) != KILN_OK)
        return false;
    for (size_t k = 0; k < kiln_model_output_count(c->model); k++) {
        const kiln_tensor *got = kiln_session_output(c->session, k);
        kiln_tensor *expected;
        char path[PATH_TEXT];
        bool same;

        snprintf(path, sizeof path, pattern, directory, k);
        if (!is_file(path))
            continue;
        if (kiln_tensor_read(&expected, path, kiln_tensor_kind(got), c->command.context, err) != KILN_OK)
            return false;
        same = same_value(got, expected, c->o->tolerance, c->why);
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
    kiln_load_options lo = KILN_LOAD_OPTIONS_INIT;
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    kiln_context_options co = KILN_CONTEXT_OPTIONS_INIT;
    kiln_error *err = &c->command.err;

    co.threads = c->o->threads;
    co.memory = c->o->limits.memory;
    if (kiln_context_new(&c->command.context, &co, err) != KILN_OK)
        return false;
    lo.context = so.context = c->command.context;
    lo.seconds = so.seconds = c->o->limits.seconds;
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

static enum outcome run_case(const struct options *o, const char *model, const char *directory, const char *stem,
                             kiln_error *error)
{
    struct case_run c = { .o = o };
    const bool ok = open_case(&c, model) && (stem ? run_light(&c, stem) : run_sets(&c, directory));

    *error = c.command.err;
    close_case(&c);
    return ok ? PASSED : error->code == KILN_UNSUPPORTED ? UNSUPPORTED : FAILED;
}

/* -- all of them -- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static const char *const words[] = { "PASS", "FAIL", "UNSUPPORTED" };

static int by_expected(const void *a, const void *b)
{
    return strcmp(((const struct expected *)a)->name, ((const struct expected *)b)->name);
}

/* With a list, whatever is not as it says is a failure, and only that. */
static void tell(struct totals *t, const char *name, enum outcome outcome, const kiln_error *e)
{
    const struct expected key = { .name = (char *)(uintptr_t)name };
    struct expected *expected = t->list ? bsearch(&key, t->list, t->count, sizeof key, by_expected) : NULL;
    const bool surprise = t->list && (!expected || expected->outcome != outcome || expected->seen);

    if (expected)
        expected->seen = true;
    t->of[surprise ? FAILED : t->list && outcome == FAILED ? UNSUPPORTED : outcome]++;
    say("%s %s", surprise ? "FAIL" : t->list && outcome == FAILED ? "KNOWN" : words[outcome], name);
    if (outcome != PASSED)
        say(": %s%s%s", e->where, *e->where ? ": " : "", e->message);
    if (surprise)
        say(" [%s, the list says %s]", words[outcome], expected ? words[expected->outcome] : "nothing");
    putchar('\n');
}

static void tell_missing(struct totals *t)
{
    for (size_t k = 0; k < t->count; k++)
        if (!t->list[k].seen) {
            say("FAIL %s [is listed, but there is no such test]\n", t->list[k].name);
            t->of[FAILED]++;
        }
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* A directory with a model is a test; else what lies in it is looked at. Nesting is bounded:
 * node/test_x/test_data_set_0. */
static void test_path(const struct options *o, struct totals *t, char *path, int depth)
{
    char model[PATH_TEXT + 16];
    kiln_error e;

    snprintf(model, sizeof model, "%s/model.onnx", path);
    if (is_file(model)) {
        tell(t, base_name(path), run_case(o, model, path, NULL, &e), &e);
    } else if (is_file(path)) {
        char stem[PATH_TEXT];
        const size_t n = strlen(path);

        if (n < 5 || strcmp(path + n - 5, ".onnx") != 0)
            return;
        snprintf(stem, sizeof stem, "%.*s", (int)(n - 5), path);
        tell(t, base_name(stem), run_case(o, path, NULL, stem, &e), &e);
    } else if (is_directory(path) && depth < 4) {
        struct dirent **list;
        const int n = scandir(path, &list, not_hidden, by_name);

        if (n < 0) {
            e = (kiln_error){ .code = KILN_IO, .message = "the directory cannot be read" };
            tell(t, path, FAILED, &e);
        }
        for (int k = 0; k < n; k++) {
            char child[PATH_TEXT];

            if (snprintf(child, sizeof child, "%s/%s", path, list[k]->d_name) < (int)sizeof child)
                test_path(o, t, child, depth + 1);
            free(list[k]);
        }
        if (n >= 0)
            free(list);
    } else {
        e = (kiln_error){ .code = KILN_IO, .message = "there is no such test" };
        tell(t, path, FAILED, &e);
    }
}

/* A line "pass NAME", "fail NAME" or "unsupported NAME"; '#' starts a comment. */
static bool read_line(struct totals *t, char *line, size_t number, const char *path, struct command *c)
{
    struct expected *more;
    char word[16], name[256];

    line[strcspn(line, "#\r\n")] = 0;
    if (sscanf(line, "%15s", word) < 1)
        return true;
    if (sscanf(line, "%*s %255s", name) != 1 || !strchr("pfu", word[0]))
        return command_fail(c, KILN_BAD_DATA, path, "line %zu must be 'pass', 'fail' or 'unsupported', and a name",
                            number);
    more = realloc(t->list, (t->count + 1) * sizeof *more);
    if (!more)
        return command_no_memory(c);
    t->list = more;
    more[t->count] = (struct expected){ .name = strdup(name),
                                        .outcome = word[0] == 'p'   ? PASSED
                                                   : word[0] == 'f' ? FAILED
                                                                    : UNSUPPORTED };
    return more[t->count++].name || command_no_memory(c);
}

static bool read_expected(struct totals *t, const char *path, struct command *c)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    bool ok = true;
    FILE *f;

    if (kiln_file_claim(NULL, path, KILN_FILE_INPUT, &c->err) != KILN_OK) /* a regular file: no pipe is waited for */
        return false;
    f = fopen(path, "r");
    if (!f)
        return command_fail_system(c, path);
    while (ok && getline(&line, &room, f) >= 0)
        ok = read_line(t, line, ++number, path, c);
    if (ok && !feof(f))
        ok = command_fail_system(c, path);
    free(line);
    fclose(f);
    if (!ok)
        return false;
    if (!t->count)
        return command_fail(c, KILN_BAD_DATA, path, "the list names no test");
    qsort(t->list, t->count, sizeof *t->list, by_expected);
    for (size_t k = 1; k < t->count; k++)
        if (strcmp(t->list[k - 1].name, t->list[k].name) == 0)
            return command_fail(c, KILN_BAD_DATA, path, "'%s' is named twice", t->list[k].name);
    return true;
}

enum { KEY_EXACT = 256 };

static const struct argp_option argp_options[] = {
    { "expect", 'e', "FILE", 0, "a list of results; what differs from it fails, an unexpected pass too", 0 },
    { "rtol", 'r', "X", 0, "relative tolerance (1e-3)", 0 },
    { "atol", 'a', "X", 0, "absolute tolerance (1e-7)", 0 },
    { "threads", 't', "N", 0, "threads (one for each CPU)", 0 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'e':
        o->expect = arg;
        return 0;
    case 'r':
        o->tolerance.relative = strtod(arg, NULL);
        return 0;
    case 'a':
        o->tolerance.absolute = strtod(arg, NULL);
        return 0;
    case KEY_EXACT:
        o->exact = true;
        return 0;
    case 't':
        o->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARGS:
        o->paths = state->argv + state->next;
        o->path_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int test_all(const struct options *o, struct totals *t)
{
    for (int k = 0; k < o->path_count; k++) {
        char path[PATH_TEXT];

        if (snprintf(path, sizeof path, "%s", o->paths[k]) < (int)sizeof path)
            test_path(o, t, path, 0);
    }
    tell_missing(t);
    printf(t->list ? "%d passed, %d failed, %d unsupported or known to fail\n"
                   : "%d passed, %d failed, %d unsupported\n",
           t->of[PASSED], t->of[FAILED], t->of[UNSUPPORTED]);
    return t->of[FAILED] ? -KILN_MISMATCH : 0;
}

static int run(int argc, char **argv)
{
    const struct argp argp = {
        argp_options,
        parse_option,
        "PATH...",
        "Run ONNX backend tests: directories with model.onnx and test_data_set_N, light models with their outputs "
        "beside them, or directories of those. A line each, and totals.",
        limits_options,
        NULL,
        NULL
    };
    struct options o = { .tolerance = { 1e-3, 1e-7 }, .threads = 1 };
    static struct command c;
    struct totals t = { 0 };
    int code;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    code = o.expect && !read_expected(&t, o.expect, &c) ? tell_error(NULL, &c.err) : test_all(&o, &t);
    for (size_t k = 0; k < t.count; k++)
        free(t.list[k].name);
    free(t.list);
    return code;
}

const struct verb verb_test = { "test", "run ONNX backend tests", run };
