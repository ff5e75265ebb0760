/* kiln test: runs directories of ONNX' backend tests
 * (https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md). */
#include "test_case.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct test_options test;
    int threads; /* tests that run at once; 0: one for each CPU */
    bool ulp;
    const char *expect;
    char **paths;
    int path_count;
};

struct test {
    char *model;     /* NULL: there is none, and the result is known */
    char *directory; /* or: */
    char *stem;
    char *name;
    struct test_result result;
    bool done;
};

struct expected { /* a line of the list */
    char *name;
    enum outcome outcome;
    bool seen;
};

struct suite {
    const struct options *o;
    struct command command;
    struct test *tests;
    size_t count, room;
    atomic_size_t next;   /* that nobody has taken */
    pthread_mutex_t lock; /* of `result` and `done` while they run */
    pthread_cond_t finished;
    int of[3]; /* as printed: with a list, failed is what is not as it says, unsupported what it says does not pass */
    struct expected *list; /* by name; NULL without --expect */
    size_t list_count;
};

/* -- which there are -- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The next test, named; NULL with an error. */
static struct test *add(struct suite *s, const char *name)
{
    if (s->count == s->room) {
        const size_t room = s->room ? 2 * s->room : 64;
        struct test *more = realloc(s->tests, room * sizeof *more);

        if (!more) {
            command_no_memory(&s->command);
            return NULL;
        }
        s->tests = more;
        s->room = room;
    }
    s->tests[s->count] = (struct test){ .name = strdup(name) };
    if (!s->tests[s->count].name) {
        command_no_memory(&s->command);
        return NULL;
    }
    return &s->tests[s->count++];
}

static bool copied(struct suite *s, char **to, const char *text)
{
    *to = strdup(text);
    return *to || command_no_memory(&s->command);
}

/* What is not even a test. */
static bool add_failure(struct suite *s, const char *path, const char *why)
{
    struct test *t = add(s, path);

    if (!t)
        return false;
    t->result.outcome = FAILED;
    t->result.error.code = KILN_IO;
    snprintf(t->result.error.message, sizeof t->result.error.message, "%s", why);
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static bool find(struct suite *s, const char *path, int depth);

static bool find_within(struct suite *s, const char *path, int depth)
{
    struct dirent **list;
    const int n = scandir(path, &list, not_hidden, by_name);
    bool ok = true;

    if (n < 0)
        return add_failure(s, path, "the directory cannot be read");
    for (int k = 0; k < n; k++) {
        char child[PATH_TEXT];

        if (ok && snprintf(child, sizeof child, "%s/%s", path, list[k]->d_name) < (int)sizeof child)
            ok = find(s, child, depth + 1);
        free(list[k]);
    }
    free(list);
    return ok;
}

/* A directory with a model is a test; else what lies in it is looked at. Nesting is bounded:
 * node/test_x/test_data_set_0. */
static bool find(struct suite *s, const char *path, int depth)
{
    char model[PATH_TEXT + 16];
    struct test *t;

    snprintf(model, sizeof model, "%s/model.onnx", path);
    if (is_file(model)) {
        t = add(s, base_name(path));
        return t && copied(s, &t->model, model) && copied(s, &t->directory, path);
    }
    if (is_file(path)) {
        const size_t n = strlen(path);
        char stem[PATH_TEXT];

        if (!ends_with(path, ".onnx"))
            return true;
        snprintf(stem, sizeof stem, "%.*s", (int)(n - strlen(".onnx")), path);
        t = add(s, base_name(stem));
        return t && copied(s, &t->model, path) && copied(s, &t->stem, stem);
    }
    if (is_directory(path) && depth < 4)
        return find_within(s, path, depth);
    return add_failure(s, path, "there is no such test");
}

/* -- running them -- */

static void *run_tests(void *user)
{
    struct suite *s = user;

    for (size_t k; (k = atomic_fetch_add(&s->next, 1)) < s->count;) {
        struct test *t = &s->tests[k];
        struct test_result result = t->result;

        if (t->model)
            test_case_run(&result, &s->o->test, t->model, t->directory, t->stem);
        pthread_mutex_lock(&s->lock);
        t->result = result;
        t->done = true;
        pthread_cond_broadcast(&s->finished);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static void wait_for(struct suite *s, struct test *t)
{
    pthread_mutex_lock(&s->lock);
    while (!t->done)
        pthread_cond_wait(&s->finished, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static const char *const words[] = { "PASS", "FAIL", "UNSUPPORTED" };

static int by_expected(const void *a, const void *b)
{
    return strcmp(((const struct expected *)a)->name, ((const struct expected *)b)->name);
}

/* With a list, whatever is not as it says is a failure, and only that. */
static void tell(struct suite *s, const struct test *t)
{
    const struct expected key = { .name = t->name };
    const enum outcome outcome = t->result.outcome;
    const kiln_error *e = &t->result.error;
    struct expected *expected = s->list ? bsearch(&key, s->list, s->list_count, sizeof key, by_expected) : NULL;
    const bool surprise = s->list && (!expected || expected->outcome != outcome || expected->seen);

    if (expected)
        expected->seen = true;
    s->of[surprise ? FAILED : s->list && outcome == FAILED ? UNSUPPORTED : outcome]++;
    say("%s %s", surprise ? "FAIL" : s->list && outcome == FAILED ? "KNOWN" : words[outcome], t->name);
    if (outcome != PASSED)
        say(": %s%s%s", e->where, *e->where ? ": " : "", e->message);
    else if (s->o->ulp && t->result.worst.dtype)
        say(" %.3g ulp of %s", t->result.worst.most, kiln_dtype_name(t->result.worst.dtype));
    if (surprise)
        say(" [%s, the list says %s]", words[outcome], expected ? words[expected->outcome] : "nothing");
    putchar('\n');
}

static void tell_missing(struct suite *s)
{
    for (size_t k = 0; k < s->list_count; k++)
        if (!s->list[k].seen) {
            say("FAIL %s [is listed, but there is no such test]\n", s->list[k].name);
            s->of[FAILED]++;
        }
}

/* They are told in their order, as soon as all before are. */
static bool run_all(struct suite *s)
{
    const size_t threads = (size_t)kiln_context_threads(s->command.context);
    pthread_t *thread = calloc(threads, sizeof *thread);
    size_t started = 0;

    if (!thread)
        return command_no_memory(&s->command);
    while (started < threads && started < s->count && !pthread_create(&thread[started], NULL, run_tests, s))
        started++;
    if (!started)
        run_tests(s);
    for (size_t k = 0; k < s->count; k++) {
        wait_for(s, &s->tests[k]);
        tell(s, &s->tests[k]);
    }
    for (size_t k = 0; k < started; k++)
        pthread_join(thread[k], NULL);
    free(thread);
    return true;
}

/* -- what is expected -- */

/* A line "pass NAME", "fail NAME" or "unsupported NAME"; '#' starts a comment. */
static bool read_line(struct suite *s, char *line, size_t number, const char *path)
{
    struct expected *more;
    char word[16], name[256];

    line[strcspn(line, "#\r\n")] = 0;
    if (sscanf(line, "%15s", word) < 1)
        return true;
    if (sscanf(line, "%*s %255s", name) != 1 || !strchr("pfu", word[0]))
        return command_fail(&s->command, KILN_BAD_DATA, path,
                            "line %zu must be 'pass', 'fail' or 'unsupported', and a name", number);
    more = realloc(s->list, (s->list_count + 1) * sizeof *more);
    if (!more)
        return command_no_memory(&s->command);
    s->list = more;
    more[s->list_count] = (struct expected){ .name = strdup(name),
                                             .outcome = word[0] == 'p'   ? PASSED
                                                        : word[0] == 'f' ? FAILED
                                                                         : UNSUPPORTED };
    return more[s->list_count++].name || command_no_memory(&s->command);
}

static bool read_expected(struct suite *s, const char *path)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    bool ok = true;
    FILE *f;

    if (kiln_file_claim(NULL, path, KILN_FILE_INPUT, &s->command.err) !=
        KILN_OK) /* a regular file: no pipe is waited for */
        return false;
    f = fopen(path, "r");
    if (!f)
        return command_fail_system(&s->command, path);
    while (ok && getline(&line, &room, f) >= 0)
        ok = read_line(s, line, ++number, path);
    if (ok && !feof(f))
        ok = command_fail_system(&s->command, path);
    free(line);
    fclose(f);
    if (!ok)
        return false;
    if (!s->list_count)
        return command_fail(&s->command, KILN_BAD_DATA, path, "the list names no test");
    qsort(s->list, s->list_count, sizeof *s->list, by_expected);
    for (size_t k = 1; k < s->list_count; k++)
        if (strcmp(s->list[k - 1].name, s->list[k].name) == 0)
            return command_fail(&s->command, KILN_BAD_DATA, path, "'%s' is named twice", s->list[k].name);
    return true;
}

enum { KEY_EXACT = 256, KEY_ULP };

static const struct argp_option argp_options[] = {
    { "expect", 'e', "FILE", 0, "a list of results; what differs from it fails, an unexpected pass too", 0 },
    { "rtol", 'r', "X", 0, "relative tolerance (1e-3, or what the model's metadata say as test.rtol)", 0 },
    { "atol", 'a', "X", 0, "absolute tolerance (1e-7, or what the model's metadata say as test.atol)", 0 },
    { "threads", 't', "N", 0, "tests that run at once, each on one thread (0: one for each CPU)", 0 },
    { "ulp", KEY_ULP, NULL, 0,
      "the largest error of each test that passes, in units of the last place of what is expected", 0 },
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
        o->test.tolerance.relative = option_real(state, "rtol", arg, 0, 1e6);
        return 0;
    case 'a':
        o->test.tolerance.absolute = option_real(state, "atol", arg, 0, 1e30);
        return 0;
    case KEY_EXACT:
        o->test.exact = true;
        return 0;
    case KEY_ULP:
        o->ulp = true;
        return 0;
    case 't':
        o->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->test.limits;
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

static bool test_all(struct suite *s)
{
    for (int k = 0; k < s->o->path_count; k++)
        if (!find(s, s->o->paths[k], 0))
            return false;
    if (!run_all(s))
        return false;
    tell_missing(s);
    printf(s->list ? "%d passed, %d failed, %d unsupported or known to fail\n"
                   : "%d passed, %d failed, %d unsupported\n",
           s->of[PASSED], s->of[FAILED], s->of[UNSUPPORTED]);
    return true;
}

static void forget(struct suite *s)
{
    for (size_t k = 0; k < s->count; k++) {
        free(s->tests[k].model);
        free(s->tests[k].directory);
        free(s->tests[k].stem);
        free(s->tests[k].name);
    }
    free(s->tests);
    for (size_t k = 0; k < s->list_count; k++)
        free(s->list[k].name);
    free(s->list);
}

static const struct argp argp = {
    argp_options,
    parse_option,
    "PATH...",
    "Run ONNX backend tests: directories with model.onnx and test_data_set_N, light models with their outputs "
    "beside them, or directories of those. Where a model's metadata say that test.kind is training, the data sets "
    "are steps of its training_info. A line each, and totals.",
    limits_options,
    NULL,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { .test.tolerance = { -1, -1 } };
    static struct suite s = { .lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER };
    int code;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    s.o = &o;
    code = command_end(&s.command, command_start(&s.command, o.threads) && (!o.expect || read_expected(&s, o.expect)) &&
                                       test_all(&s));
    forget(&s);
    return code ? code : s.of[FAILED] ? -KILN_MISMATCH : 0;
}

const struct verb verb_test = {
    "test",
    "run ONNX backend tests",
    run,
    &argp,
    "ONNX' own tests, and those of a list:\n"
    "    kiln test /usr/share/libonnx-testdata/data/node\n"
    "    kiln test --expect results.txt --ulp data\n",
};
