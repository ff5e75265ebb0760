/* kiln run: a model on files, or on numbers made up. */
#include "names.h"
#include "shapes.h"
#include "value.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUTS = 256, TYPE_TEXT = 256 };

struct options {
    const char *model, *output, *profile;
    int threads;
    struct shapes shapes;
    bool exact;
    uint64_t seed;
    struct limits limits;
    char *inputs[MAX_INPUTS]; /* "NAME=FILE" */
    int input_count;
};

struct run {
    const struct options *o;
    struct command command;
    kiln_model *model;
    kiln_session *session;
    size_t count; /* of the model's inputs that get a value: */
    const char **names;
    kiln_tensor **tensors;   /* by input of the model; NULL: not given yet */
    size_t read[MAX_INPUTS]; /* places of those that come from files */
    size_t read_count;
    char (*files)[FILE_NAME]; /* of each output; "" where it is there before */
};

/* -- inputs -- */

static const kiln_value_info *find_input(const struct run *r, const char *name, size_t *place)
{
    for (size_t k = 0; k < kiln_model_input_count(r->model); k++)
        if (strcmp(kiln_model_input(r->model, k)->name, name) == 0) {
            *place = k;
            return kiln_model_input(r->model, k);
        }
    return NULL;
}

static bool give_file(struct run *r, char *argument)
{
    struct command *c = &r->command;
    char *equals = strchr(argument, '=');
    const kiln_value_info *input;
    size_t place;

    if (!equals)
        return command_fail(c, KILN_BAD_ARGUMENT, NULL, "--input '%s' must be NAME=FILE", argument);
    *equals = 0;
    input = find_input(r, argument, &place);
    if (!input)
        return command_fail(c, KILN_BAD_ARGUMENT, NULL, "the model has no input '%s'", argument);
    if (r->tensors[place])
        return command_fail(c, KILN_BAD_ARGUMENT, NULL, "input '%s' is given twice", argument);
    r->read[r->read_count++] = place;
    return kiln_tensor_read(&r->tensors[place], equals + 1, input->kind, c->context, &c->err) == KILN_OK;
}

/* The size that a symbol has in an input from a file; 1 where there is none. */
static int64_t symbol_size(const struct run *r, const char *symbol)
{
    int64_t size = 1;

    for (size_t k = 0; k < r->read_count; k++) {
        const kiln_value_info *input = kiln_model_input(r->model, r->read[k]);
        const kiln_tensor *t = r->tensors[r->read[k]];

        for (int d = 0; input->dim_names && d < input->rank && d < kiln_tensor_rank(t); d++)
            if (input->dim_names[d] && strcmp(input->dim_names[d], symbol) == 0)
                size = kiln_tensor_dims(t)[d];
    }
    return size;
}

static bool give_random(struct run *r, size_t k)
{
    const kiln_value_info *declared = kiln_model_input(r->model, k);
    kiln_value_info input = *declared;
    int64_t dims[KILN_MAX_RANK];
    char type[TYPE_TEXT];

    for (int d = 0; d < input.rank; d++) {
        const char *symbol = input.dim_names ? input.dim_names[d] : NULL;

        dims[d] = input.dims[d] < 0 && symbol ? symbol_size(r, symbol) : input.dims[d];
    }
    input.dims = dims;
    r->tensors[k] = random_input(&r->command, &input, 1, r->o->seed, (int32_t)k);
    if (!r->tensors[k])
        return false;
    say("input %s %s: %s\n", input.name, kiln_tensor_text(r->tensors[k], type, sizeof type),
        input.dtype == KILN_COMPLEX64 || input.dtype == KILN_COMPLEX128 ? "zeros" : "random");
    return true;
}

static bool give_all(struct run *r)
{
    const size_t count = kiln_model_input_count(r->model);

    r->names = calloc(count + 1, sizeof *r->names);
    r->tensors = calloc(count + 1, sizeof *r->tensors);
    if (!r->names || !r->tensors)
        return command_no_memory(&r->command);
    r->command.teller.file = NULL; /* these errors are of other files */
    for (int k = 0; k < r->o->input_count; k++)
        if (!give_file(r, r->o->inputs[k]))
            return false;
    r->command.teller.file = r->o->model;
    for (size_t k = 0; k < count; k++)
        if (!r->tensors[k] && !kiln_model_input(r->model, k)->optional && !give_random(r, k))
            return false;
    return true;
}

static bool run_session(struct run *r)
{
    const kiln_tensor **given = calloc(kiln_model_input_count(r->model) + 1, sizeof *given);
    bool ok;

    if (!given)
        return command_no_memory(&r->command);
    for (size_t k = 0; k < kiln_model_input_count(r->model); k++)
        if (r->tensors[k]) {
            r->names[r->count] = kiln_model_input(r->model, k)->name;
            given[r->count++] = r->tensors[k];
        }
    ok = kiln_session_run(r->session, r->count, r->names, given, &r->command.err) == KILN_OK;
    free(given);
    return ok;
}

/* -- outputs -- */

/* Tensors of numbers are written as .npy, of those that NumPy has no type for as messages, all else as JSON. */
static const char *ending_of(kiln_kind kind, kiln_dtype dtype)
{
    return kind != KILN_TENSOR || dtype == KILN_STRING ? ".json" : dtype >= KILN_BFLOAT16 ? ".pb" : ".npy";
}

/* DIR/NAME.npy of an output, or .pb or .json; freed by the caller, NULL with an error. */
static char *output_path(struct run *r, size_t k, const char *ending)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", r->o->output, r->files[k], ending) >= 0)
        return path;
    command_no_memory(&r->command);
    return NULL;
}

static bool claim_output(struct run *r, size_t k)
{
    const kiln_value_info *v = kiln_model_output(r->model, k);
    char *path = output_path(r, k, ending_of(v->kind, v->dtype));
    const bool ok = path && kiln_file_claim(r->command.context, path, KILN_FILE_OUTPUT, &r->command.err) == KILN_OK;

    free(path);
    return ok;
}

/* Outputs of one name are one value, and one file. */
static bool claim_outputs(struct run *r)
{
    const size_t count = kiln_model_output_count(r->model);
    const char **names = calloc(count + 1, sizeof *names);
    struct command *c = &r->command;
    bool ok;

    r->files = calloc(count + 1, sizeof *r->files);
    for (size_t k = 0; names && k < count; k++)
        names[k] = kiln_model_output(r->model, k)->name;
    ok = (names && r->files && names_of_files(r->files, names, count)) || command_no_memory(c);
    for (size_t k = 0; ok && k < count; k++)
        ok = !*r->files[k] || claim_output(r, k);
    free(names);
    return ok;
}

static bool save_output(struct run *r, size_t k, const kiln_tensor *t)
{
    const char *ending = ending_of(kiln_tensor_kind(t), kiln_tensor_dtype(t));
    struct command *c = &r->command;
    char *path;
    bool ok;

    if (!r->files || !*r->files[k])
        return true;
    path = output_path(r, k, ending);
    ok = path &&
         (ending[1] == 'j' ? value_save(c, t, path) : kiln_tensor_write(t, path, c->context, &c->err) == KILN_OK);
    if (ok)
        say("  saved %s\n", path);
    free(path);
    return ok;
}

/* -- the verb -- */

static bool start(struct run *r)
{
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    const struct options *o = r->o;
    struct command *c = &r->command;

    if (o->profile && kiln_file_claim(c->context, o->profile, KILN_FILE_OUTPUT, &c->err) != KILN_OK)
        return false;
    r->model = open_model(c, o->model);
    if (!r->model || !shapes_set(&o->shapes, c, &r->model))
        return false;
    so.context = c->context;
    so.seconds = o->limits.seconds;
    so.seed = o->seed;
    so.exact = o->exact;
    so.profile = o->profile;
    if (kiln_session_new(&r->session, r->model, &so, &c->err) != KILN_OK)
        return false;
    if (o->output && !command_make_directory(c, o->output))
        return false;
    return !o->output || claim_outputs(r);
}

static bool run_all(struct run *r)
{
    if (!give_all(r) || !run_session(r))
        return false;
    for (size_t k = 0; k < kiln_model_output_count(r->model); k++) {
        const kiln_tensor *t = kiln_session_output(r->session, k);

        value_say(kiln_model_output(r->model, k)->name, t);
        if (!save_output(r, k, t))
            return false;
    }
    return !r->o->profile || save_trace(&r->command, r->o->profile, r->session, NULL);
}

static void release(struct run *r)
{
    for (size_t k = 0; r->tensors && k < kiln_model_input_count(r->model); k++)
        kiln_tensor_free(r->tensors[k]);
    kiln_session_free(r->session);
    kiln_model_free(r->model);
    free(r->tensors);
    free(r->names);
    free(r->files);
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
        o->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case 'p':
        o->profile = arg;
        return 0;
    case KEY_EXACT:
        o->exact = true;
        return 0;
    case 's':
        o->seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        state->child_inputs[1] = &o->shapes;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->model, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    { "input", 'i', "NAME=FILE", 0, "an input, from a .npy or a .pb file; those not given are random, and it is said",
      0 },
    { "output", 'o', "DIR", 0,
      "write the outputs to DIR/NAME.npy, numbers that NumPy has no type for to DIR/NAME.pb, what is no tensor of "
      "numbers to "
      "DIR/NAME.json, and say where",
      0 },
    { "threads", 't', "N", 0, "threads (0: one for each CPU)", 0 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 0 },
    { "profile", 'p', "FILE", 0, "write how long each node took, as a Chrome trace", 0 },
    { "seed", 's', "N", 0, "of random inputs and operators (0)", 0 },
    { 0 },
};

static const struct argp argp = { argp_options,   parse_option, "MODEL", "Run a model and print its outputs.",
                                  shaped_options, NULL,         NULL };

static int run(int argc, char **argv)
{
    static struct options o;
    static struct run r;
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    r.o = &o;
    r.command.limits = o.limits;
    ok = command_start(&r.command, o.threads) && start(&r) && run_all(&r);
    release(&r);
    return command_end(&r.command, ok);
}

const struct verb verb_run = {
    "run",
    "run a model on files, or on random numbers",
    run,
    &argp,
    "On random numbers, then on a file:\n"
    "    kiln run model.onnx\n"
    "    kiln run model.onnx --input x=batch.npy --output out\n",
};
