/* kiln test: runs directories of ONNX' backend tests
 * (https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md). */
#include "compare.h"
#include "graph/message.h"
#include "model/file.h"
#include "model/model.h"
#include "model/proto.h"
#include "run/session.h"
#include "tools.h"
#include <dirent.h>
#include <stdio.h>
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
    struct budget limits; /* of each test */
};

enum outcome { PASSED, FAILED, UNSUPPORTED };

struct expected { /* a line of the list */
    const char *name;
    enum outcome outcome;
    bool seen;
};

struct totals {
    int of[3]; /* as printed: with a list, failed is what is not as it says, unsupported what it says does not pass */
    struct expected *list; /* NULL without --expect */
    size_t count, capacity;
    struct map by_name; /* to places in the list, counted from 1 */
};

/* -- values from files -- */

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

static bool read_sequence(struct tensor *out, const Onnx__SequenceProto *p, struct arena *arena, const char *where,
                          struct report *r)
{
    struct external none = { 0 };
    struct sequence *s = arena_alloc(arena, sizeof *s + p->n_tensor_values * sizeof *s->items, r);

    if (!s)
        return false;
    out->kind = SEQUENCE;
    out->data = s;
    for (size_t k = 0; k < p->n_tensor_values; k++, s->count++)
        if (!tensor_of_proto(&s->items[k], p->tensor_values[k], &none, arena, where, r))
            return false;
    if (s->count)
        out->dtype = s->items[0].dtype;
    return true;
}

static bool read_optional(struct tensor *out, const Onnx__OptionalProto *p, struct arena *arena, const char *where,
                          struct report *r)
{
    struct external none = { 0 };
    struct optional *o = arena_alloc(arena, sizeof *o, r);

    if (!o)
        return false;
    out->kind = OPTIONAL;
    out->data = o;
    if (p->tensor_value) {
        o->present = true;
        if (!tensor_of_proto(&o->value, p->tensor_value, &none, arena, where, r))
            return false;
    } else if (p->sequence_value) {
        o->present = true;
        o->value.rank = UNKNOWN;
        if (!read_sequence(&o->value, p->sequence_value, arena, where, r))
            return false;
    }
    if (o->present) {
        out->dtype = o->value.dtype;
        out->element_kind = o->value.kind;
    }
    return true;
}

/* The messages are kept (in the arena's budget) as long as the arena: tensors point into them. */
static bool read_value(struct tensor *out, const char *path, const struct tensor *type, struct arena *arena,
                       void **message, struct report *r)
{
    const ProtobufCMessageDescriptor *d = type->kind == SEQUENCE   ? &onnx__sequence_proto__descriptor
                                          : type->kind == OPTIONAL ? &onnx__optional_proto__descriptor
                                                                   : &onnx__tensor_proto__descriptor;
    struct external none = { 0 };
    uint8_t *bytes;
    size_t size;

    if (!file_read(path, 0, &bytes, &size, arena->budget, r))
        return false;
    *message = proto_unpack(d, bytes, size, NULL, arena->budget, r);
    budget_free(arena->budget, bytes);
    if (!*message)
        return false;
    *out = *type;
    out->rank = UNKNOWN;
    if (type->kind == SEQUENCE)
        return read_sequence(out, *message, arena, path, r);
    if (type->kind == OPTIONAL)
        return read_optional(out, *message, arena, path, r);
    return tensor_of_proto(out, *message, &none, arena, path, r);
}

/* -- one test -- */

struct case_run {
    const struct options *o;
    struct model *model;
    struct session *session;
    struct budget budget;
    struct arena arena;
    void **messages;
    size_t message_count, message_capacity;
    struct report report;
    char why[WHY_TEXT];
};

static bool load_value(struct case_run *c, struct tensor *out, const char *path, const struct tensor *type)
{
    void *message = NULL;
    bool ok = read_value(out, path, type, &c->arena, &message, &c->report);

    if (!message)
        return ok;
    if (!budget_grow(&c->budget, &c->messages, &c->message_capacity, c->message_count + 1, sizeof message,
                     &c->report)) {
        message_free(message, &c->budget);
        return false;
    }
    c->messages[c->message_count++] = message;
    return ok;
}

static bool run_and_compare(struct case_run *c, const char *directory, const char *pattern)
{
    const struct graph *g = c->model->graph;
    char path[PATH_TEXT];

    if (!session_run(c->session, &c->report))
        return false;
    for (size_t k = 0; k < g->output_count; k++) {
        struct tensor expected;

        snprintf(path, sizeof path, pattern, directory, k);
        if (!is_file(path))
            continue;
        if (!load_value(c, &expected, path, session_output(c->session, k)))
            return false;
        if (!same_value(session_output(c->session, k), &expected, c->o->tolerance, c->why))
            return fail(&c->report, KILN_MISMATCH, NULL, "output '%s': %s", g->outputs[k]->name, c->why);
    }
    return true;
}

/* Files are numbered by the formal inputs of the file, those with an initializer included. */
static bool run_set(struct case_run *c, const char *directory)
{
    const Onnx__GraphProto *p = c->model->proto->graph;
    char path[PATH_TEXT];

    for (size_t k = 0; k < p->n_input; k++) {
        const struct value *v = graph_find(c->model->graph, p->input[k]->name);
        struct tensor t;

        snprintf(path, sizeof path, "%s/input_%zu.pb", directory, k);
        if (!is_file(path))
            continue;
        if (!load_value(c, &t, path, &v->type) || !session_set(c->session, v, &t, &c->report))
            return false;
    }
    return run_and_compare(c, directory, "%s/output_%zu.pb");
}

/* The light models have outputs only; the inputs are arange(k).reshape(shape) / k, as onnx' own runner makes them. */
static bool run_light(struct case_run *c, const char *stem)
{
    for (size_t k = 0; k < c->model->graph->input_count; k++) {
        const struct value *v = c->model->graph->inputs[k];
        struct tensor t = v->type;
        float *data;
        int64_t n;

        for (int d = 0; d < t.rank; d++)
            if (t.dims[d] < 0)
                t.dims[d] = 1;
        n = tensor_count(&t);
        data = n < 0 || t.dtype != F32 ? NULL : arena_alloc(&c->arena, (size_t)tensor_bytes(&t), &c->report);
        if (!data)
            return fail(&c->report, KILN_BAD_DATA, NULL, "input '%s' cannot be made up", v->name);
        for (int64_t i = 0; i < n; i++)
            data[i] = (float)((double)i / (double)n);
        t.data = data;
        if (!session_set(c->session, v, &t, &c->report))
            return false;
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
    return n || fail(&c->report, KILN_BAD_DATA, NULL, "there is no test_data_set_0");
}

static void case_release(struct case_run *c)
{
    session_free(c->session);
    model_free(c->model);
    for (size_t k = 0; k < c->message_count; k++)
        message_free(c->messages[k], &c->budget);
    budget_free(&c->budget, c->messages);
    arena_release(&c->arena);
}

static enum outcome run_case(const struct options *o, const char *model, const char *directory, const char *stem,
                             kiln_error *error)
{
    struct budget limits = budget_like(&o->limits);
    const struct session_options s = {
        .threads = o->threads, .exact = o->exact, .memory = limits.limit, .seconds = limits.seconds, .total = &limits
    };
    struct case_run c = { .o = o, .budget = budget_within(&limits) };
    bool ok;

    c.arena.budget = &c.budget;
    c.model = open_model(model, &limits, &c.report);
    ok = c.model && model_build(c.model, &c.report) && (c.session = session_new(c.model->graph, &s, &c.report));
    ok = ok && (stem ? run_light(&c, stem) : run_sets(&c, directory));
    *error = c.report.error;
    case_release(&c);
    return ok ? PASSED : error->code == KILN_UNSUPPORTED ? UNSUPPORTED : FAILED;
}

/* -- all of them -- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static const char *const words[] = { "PASS", "FAIL", "UNSUPPORTED" };

/* With a list, whatever is not as it says is a failure, and only that. */
static void tell(struct totals *t, const char *name, enum outcome outcome, const kiln_error *e)
{
    const uintptr_t place = t->list ? (uintptr_t)map_get(&t->by_name, name) : 0;
    struct expected *expected = place ? &t->list[place - 1] : NULL;
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

/* Lines "pass NAME", "fail NAME", "unsupported NAME"; '#' starts a comment. The names point into `bytes`. */
static bool read_expected(struct totals *t, char *bytes, const char *path, struct budget *b, struct report *r)
{
    int line = 0;

    for (char *next, *at = bytes; at; at = next) {
        char word[16], name[256];
        void **slot;

        line++;
        next = strchr(at, '\n');
        if (next)
            *next++ = 0;
        at[strcspn(at, "#\r")] = 0;
        if (sscanf(at, "%15s", word) < 1)
            continue;
        if (sscanf(at, "%*s %255s", name) != 1 || !strchr("pfu", word[0]))
            return fail(r, KILN_BAD_DATA, path, "line %d must be 'pass', 'fail' or 'unsupported', and a name", line);
        if (!budget_grow(b, &t->list, &t->capacity, t->count + 1, sizeof *t->list, r) ||
            !(slot = map_put(&t->by_name, strcpy(at, name), r)))
            return false;
        if (*slot)
            return fail(r, KILN_BAD_DATA, path, "line %d names '%s' again", line, name);
        t->list[t->count++] = (struct expected){ .name = at,
                                                 .outcome = word[0] == 'p'   ? PASSED
                                                            : word[0] == 'f' ? FAILED
                                                                             : UNSUPPORTED };
        *slot = (void *)(uintptr_t)t->count;
    }
    return t->list || fail(r, KILN_BAD_DATA, path, "the list names no test");
}

/* The list as text; freed with budget_free. */
static char *open_expected(struct totals *t, const char *path, struct budget *b, struct report *r)
{
    uint8_t *bytes;
    size_t size;
    char *text;

    if (!file_read(path, 0, &bytes, &size, b, r))
        return NULL;
    text = budget_zalloc(b, size + 1, 1, r);
    if (text && size)
        memcpy(text, bytes, size);
    budget_free(b, bytes);
    if (text && read_expected(t, text, path, b, r))
        return text;
    budget_free(b, text);
    return NULL;
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
    struct budget b = { 0 };
    struct report r = { 0 };
    struct totals t = { 0 };
    char *list = NULL;
    int code;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    map_init(&t.by_name, &b);
    if (o.expect && !(list = open_expected(&t, o.expect, &b, &r)))
        code = tell_error(NULL, &r.error);
    else
        code = test_all(&o, &t);
    map_release(&t.by_name);
    budget_free(&b, t.list);
    budget_free(&b, list);
    return code;
}

const struct verb verb_test = { "test", "run ONNX backend tests", run };
