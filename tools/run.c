/* kiln run: a model on files, or on numbers made up. */
#include "data/element.h"
#include "data/npy.h"
#include "model/file.h"
#include "model/proto.h"
#include "names.h"
#include "run/profile.h"
#include "run/session.h"
#include "tools.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_INPUTS = 256 };

struct options {
    const char *model, *output, *profile;
    struct session_options session;
    struct budget limits;
    char *inputs[MAX_INPUTS]; /* "NAME=FILE" */
    int input_count;
};

struct run {
    const struct options *o;
    struct budget *limits, budget;
    struct arena arena;
    struct teller teller;
    struct report report;
    struct model *model;
    struct session *session;
    struct map symbols;         /* of inputs that are set: to int64_t */
    void *data[MAX_INPUTS];     /* of .npy files */
    void *messages[MAX_INPUTS]; /* of .pb files: tensors point into them */
    const char **paths;         /* of each output; NULL where it is there before */
};

/* -- inputs -- */

static bool ends_with(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static bool read_pb(struct run *r, struct tensor *t, const char *path, void **message)
{
    struct external none = { 0 };
    uint8_t *bytes;
    size_t size;

    if (!file_read(path, 0, &bytes, &size, &r->budget, &r->report))
        return false;
    *message = proto_unpack(&onnx__tensor_proto__descriptor, bytes, size, NULL, &r->budget, &r->report);
    budget_free(&r->budget, bytes);
    return *message && tensor_of_proto(t, *message, &none, &r->arena, path, &r->report);
}

/* Sets an input, and with it the symbols that it declares. */
static bool set(struct run *r, const struct value *v, const struct tensor *t)
{
    if (!session_set(r->session, v, t, &r->report))
        return false;
    for (int d = 0; v->dim_names && d < t->rank && d < v->type.rank; d++) {
        void **slot = v->dim_names[d] ? map_put(&r->symbols, v->dim_names[d], &r->report) : NULL;

        if (!v->dim_names[d])
            continue;
        if (!slot || (!*slot && !(*slot = arena_alloc(&r->arena, sizeof(int64_t), &r->report))))
            return false;
        *(int64_t *)*slot = t->dims[d];
    }
    return true;
}

static bool give_file(struct run *r, int k)
{
    char *equals = strchr(r->o->inputs[k], '=');
    const char *path = equals ? equals + 1 : NULL;
    const struct value *v;
    struct tensor t = { 0 };

    if (!equals)
        return fail(&r->report, KILN_BAD_ARGUMENT, NULL, "--input '%s' must be NAME=FILE", r->o->inputs[k]);
    *equals = 0;
    v = graph_find(r->model->graph, r->o->inputs[k]);
    if (!v || !v->is_input)
        return fail(&r->report, KILN_BAD_ARGUMENT, NULL, "the model has no input '%s'", r->o->inputs[k]);
    if (ends_with(path, ".pb") ? !read_pb(r, &t, path, &r->messages[k]) : !npy_load(&t, path, &r->budget, &r->report))
        return false;
    if (!r->messages[k])
        r->data[k] = t.data;
    return set(r, v, &t);
}

/* A symbol for which a given input has a size has the same one in those made up. */
static void set_symbols(const struct run *r, const struct value *v, struct tensor *t)
{
    for (int d = 0; v->dim_names && d < t->rank; d++) {
        const int64_t *n = v->dim_names[d] ? map_get(&r->symbols, v->dim_names[d]) : NULL;

        if (n)
            t->dims[d] = *n;
    }
}

static bool give_random(struct run *r, size_t k)
{
    const struct value *v = r->model->graph->inputs[k];
    struct tensor t = closed_type(v, 1);
    char type[TYPE_TEXT];

    set_symbols(r, v, &t);
    if (!random_input(&t, v->name, r->o->session.seed, (int64_t)k, &r->arena, &r->report))
        return false;
    say("input %s %s: random\n", v->name, tensor_text(&t, type));
    return set(r, v, &t);
}

/* -- outputs -- */

/* Any bytes, NUL as well; of a long one its beginning. */
static void print_strings(const struct tensor *t)
{
    enum { MOST = 1024 };
    struct string *const *s = t->data;
    const int64_t n = tensor_count(t);

    for (int64_t k = 0; k < n && k < 8; k++) {
        const size_t length = s[k] ? s[k]->length : 0;

        say(" '");
        say_bytes(s[k] ? s[k]->bytes : "", length < MOST ? length : MOST);
        say("'%s", length <= MOST ? "" : "...");
    }
    say("%s\n", n > 8 ? " ..." : "");
}

static void print_numbers(const struct tensor *t)
{
    element_get *const get = element_getter(t->dtype);
    const int64_t n = tensor_count(t);
    double low = INFINITY, high = -INFINITY, sum = 0;
    int64_t bad = 0;

    if (!get || !n) {
        say("%s\n", n ? "" : " empty");
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        const double x = get(t->data, k);

        if (!isfinite(x)) {
            bad++;
            continue;
        }
        low = fmin(low, x);
        high = fmax(high, x);
        sum += x;
    }
    for (int64_t k = 0; k < n && k < 8; k++)
        say(" %.6g", get(t->data, k));
    say("%s", n > 8 ? " ..." : "");
    if (n > 8 && n > bad)
        say("  (min %.6g, mean %.6g, max %.6g)", low, sum / (double)(n - bad), high);
    if (bad)
        say("  %lld not finite", (long long)bad);
    putchar('\n');
}

static void print_value(const char *kind, const char *name, const struct tensor *t)
{
    char type[TYPE_TEXT];

    say("%s %s %s:", kind, name, tensor_text(t, type));
    if (t->kind == SEQUENCE) {
        const struct sequence *s = t->data;

        say(" %lld items\n", (long long)s->count);
        for (int64_t k = 0; k < s->count; k++) {
            say("  [%lld] %s:", (long long)k, tensor_text(&s->items[k], type));
            (s->items[k].dtype == STRING ? print_strings : print_numbers)(&s->items[k]);
        }
    } else if (t->kind == OPTIONAL) {
        say(" %s\n", ((const struct optional *)t->data)->present ? "a value" : "no value");
    } else {
        (t->dtype == STRING ? print_strings : print_numbers)(t);
    }
}

/* Outputs of one name are one value, and one file. */
static bool claim_outputs(struct run *r)
{
    const struct graph *g = r->model->graph;
    const char **names = arena_array(&r->arena, g->output_count, sizeof *names, &r->report);

    r->paths = arena_array(&r->arena, g->output_count, sizeof *r->paths, &r->report);
    for (size_t k = 0; names && k < g->output_count; k++)
        names[k] = g->outputs[k]->name;
    if (!names || !r->paths || !names_of_files(r->paths, names, g->output_count, &r->arena, &r->report))
        return false;
    for (size_t k = 0; k < g->output_count; k++) {
        if (!r->paths[k])
            continue;
        r->paths[k] = arena_printf(&r->arena, &r->report, "%s/%s.npy", r->o->output, r->paths[k]);
        if (!r->paths[k] || !file_claim(r->paths[k], FILE_WRITE, &r->report))
            return false;
    }
    return true;
}

static bool save_output(struct run *r, const char *name, const char *path, const struct tensor *t)
{
    if (t->kind != TENSOR || t->dtype == STRING) {
        warn(&r->report, name, "only tensors of numbers are written");
        return true;
    }
    if (!npy_save(t, path, &r->budget, &r->report))
        return false;
    say("  saved %s\n", path);
    return true;
}

static bool save_profile(struct run *r)
{
    struct text t = { .budget = &r->budget, .report = &r->report };
    bool ok;

    profile_trace(r->session->engine.profile, &t);
    ok = !t.failed && file_write(r->o->profile, t.data, t.length, &r->report);
    text_release(&t);
    return ok;
}

/* -- the verb -- */

static bool start(struct run *r)
{
    struct session_options session = r->o->session;

    if (r->o->profile && !file_claim(r->o->profile, FILE_WRITE, &r->report))
        return false;
    r->model = open_model(r->o->model, r->limits, &r->report);
    if (!r->model || !model_build(r->model, &r->report))
        return false;
    session.memory = r->limits->limit;
    session.seconds = r->limits->seconds;
    session.total = r->limits;
    r->session = session_new(r->model->graph, &session, &r->report);
    if (!r->session)
        return false;
    if (r->o->output && mkdir(r->o->output, 0777) && errno != EEXIST)
        return fail(&r->report, KILN_IO, r->o->output, "%s", strerror(errno));
    if (r->o->output && !claim_outputs(r))
        return false;
    if (!r->o->profile)
        return true;
    r->session->engine.profile = profile_new(&r->session->budget, &r->report);
    return r->session->engine.profile;
}

static bool run_all(struct run *r)
{
    const struct graph *g = r->model->graph;

    r->teller.file = NULL; /* these errors are of other files */
    for (int k = 0; k < r->o->input_count; k++)
        if (!give_file(r, k))
            return false;
    r->teller.file = r->o->model;
    for (size_t k = 0; k < g->input_count; k++)
        if (!r->session->given[g->inputs[k]->id] && !give_random(r, k))
            return false;
    if (!session_run(r->session, &r->report))
        return false;
    for (size_t k = 0; k < g->output_count; k++) {
        print_value("output", g->outputs[k]->name, session_output(r->session, k));
        if (r->paths && r->paths[k] && !save_output(r, g->outputs[k]->name, r->paths[k], session_output(r->session, k)))
            return false;
    }
    return !r->o->profile || save_profile(r);
}

static void release(struct run *r)
{
    session_free(r->session);
    model_free(r->model);
    for (int k = 0; k < r->o->input_count; k++) {
        message_free(r->messages[k], &r->budget);
        budget_free(&r->budget, r->data[k]);
    }
    map_release(&r->symbols);
    arena_release(&r->arena);
}

enum { KEY_EXACT = 256 };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'i':
        if (o->input_count == MAX_INPUTS)
            argp_error(state, "at most %d inputs can be given", MAX_INPUTS);
        o->inputs[o->input_count++] = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case 't':
        o->session.threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case 'p':
        o->profile = arg;
        return 0;
    case KEY_EXACT:
        o->session.exact = true;
        return 0;
    case 's':
        o->session.seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->model)
            argp_usage(state);
        o->model = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "input", 'i', "NAME=FILE", 0,
          "an input, from a .npy or a .pb file; those not given are random, and it is said", 0 },
        { "output", 'o', "DIR", 0, "write the outputs to DIR/NAME.npy, and say where", 0 },
        { "threads", 't', "N", 0, "threads (0: one for each CPU)", 0 },
        { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 0 },
        { "profile", 'p', "FILE", 0, "write how long each node took, as a Chrome trace", 0 },
        { "seed", 's', "N", 0, "of random inputs and operators (0)", 0 },
        { 0 },
    };
    const struct argp argp = { options,        parse_option, "MODEL", "Run a model and print its outputs.",
                               limits_options, NULL,         NULL };
    static struct options o;
    struct run r = { .o = &o, .limits = &o.limits };
    int code = 0;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    r.report = command_report(&r.teller);
    r.teller.file = o.model;
    r.budget = budget_within(&o.limits);
    r.arena.budget = &r.budget;
    map_init(&r.symbols, &r.budget);
    if (!start(&r) || !run_all(&r))
        code = tell_rest(&r.teller, &r.report.error);
    release(&r);
    return code;
}

const struct verb verb_run = { "run", "run a model on files, or on random numbers", run };
