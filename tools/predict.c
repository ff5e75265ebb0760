/* kiln predict: what a model makes of the samples of a data set. */
#include "choice.h"
#include "learn.h"
#include "names.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *model, *data, *output, *only, *label, *normalize, *fit_to;
    int64_t batch, limit;
    double threshold;
    bool classes, exact, stream;
    int threads;
    struct limits limits;
};

struct predict {
    const struct options *o;
    struct command command;
    kiln_model *model;
    kiln_dataset *data;
    kiln_session *session;
    struct prediction *of;
    size_t count;
    bool normalized;
};

/* -- work -- */

static bool open_all(struct predict *p)
{
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    struct command *c = &p->command;
    kiln_model *given = open_model(c, p->o->model);
    bool ok;

    if (!given)
        return false;
    e.inference = true;
    ok = kiln_model_edit(&p->model, given, &e, &c->err) == KILN_OK;
    kiln_model_free(given);
    c->teller.file = NULL; /* what goes wrong from here on is not of that file */
    d.context = c->context;
    d.model = p->model;
    d.part = KILN_PART_TEST;
    d.limit = p->o->limit;
    d.label = p->o->label;
    d.seconds = limits_data_seconds(&p->o->limits, p->o->stream);
    d.unlabelled = true;
    d.shuffle_buffer = p->o->stream;
    return ok && kiln_dataset_open(&p->data, p->o->data, &d, &c->err) == KILN_OK;
}

static bool normalize(struct predict *p)
{
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    struct command *c = &p->command;
    kiln_dataset *fitted = NULL, *made;

    p->normalized = !p->o->normalize && model_says_normalization(p->model);
    if (p->normalized)
        return normalize_for(c, &p->data, p->model);
    if (!p->o->normalize)
        return true;
    d.context = c->context;
    d.model = p->model;
    d.label = p->o->label;
    d.unlabelled = true;
    d.seconds = limits_data_seconds(&p->o->limits, p->o->stream);
    d.shuffle_buffer = p->o->stream;
    if (p->o->fit_to && kiln_dataset_open(&fitted, p->o->fit_to, &d, &c->err) != KILN_OK)
        return false;
    if (kiln_dataset_normalize(&made, p->data, p->o->normalize, fitted, &c->err) == KILN_OK) {
        kiln_dataset_free(p->data);
        p->data = made;
    } else {
        made = NULL;
    }
    kiln_dataset_free(fitted);
    return made;
}

static bool choose_outputs(struct predict *p)
{
    const size_t outputs = kiln_model_output_count(p->model);

    p->of = calloc(outputs + 1, sizeof *p->of);
    if (!p->of)
        return command_no_memory(&p->command);
    for (size_t k = 0; k < outputs; k++) {
        const char *name = kiln_model_output(p->model, k)->name;

        if (!p->o->only || strcmp(p->o->only, name) == 0)
            p->of[p->count++] = (struct prediction){ .at = k, .name = name };
    }
    return p->count ||
           command_fail(&p->command, KILN_BAD_ARGUMENT, NULL, "--only %.80s: the model has no such output", p->o->only);
}

/* How many samples the model takes at a time, where it fixes that; 0: any number. */
static int64_t fixed_batch(const struct predict *p)
{
    for (size_t k = 0; k < kiln_model_input_count(p->model); k++) {
        const kiln_value_info *v = kiln_model_input(p->model, k);

        if (!v->optional && v->rank > 0 && v->dims[0] > 0)
            return v->dims[0];
    }
    return 0;
}

/* Makes room for all samples when the first batch tells what a sample has. */
static bool start_output(struct predict *p, struct prediction *y, const kiln_tensor *t, int64_t batch)
{
    const int rank = kiln_tensor_rank(t);
    int64_t dims[KILN_MAX_RANK];
    struct command *c = &p->command;

    if (kiln_tensor_kind(t) != KILN_TENSOR || kiln_tensor_dtype(t) == KILN_STRING || rank < 1 ||
        kiln_tensor_dims(t)[0] != batch) {
        char type[80];

        return command_fail(
            c, KILN_BAD_DATA, NULL,
            "output '%.80s' is %s for %lld samples, it must have numbers for each; --only chooses others", y->name,
            kiln_tensor_text(t, type, sizeof type), (long long)batch);
    }
    memcpy(dims, kiln_tensor_dims(t), (size_t)rank * sizeof *dims);
    y->width = batch ? kiln_tensor_count(t) / batch : 0;
    dims[0] = kiln_dataset_about(p->data)->count;
    return kiln_tensor_new(&y->values, kiln_tensor_dtype(t), rank, dims, NULL, &c->err) == KILN_OK &&
           prediction_name(c, y, p->model);
}

/* Of `batch` rows the first `count` are samples [from, from + count). */
static bool take_output(struct predict *p, struct prediction *y, int64_t from, int64_t count, int64_t batch)
{
    const kiln_tensor *t = kiln_session_output(p->session, y->at);
    size_t row;

    if (!y->values && !start_output(p, y, t, batch))
        return false;
    row = (size_t)y->width * kiln_dtype_size(kiln_tensor_dtype(y->values));
    if (kiln_tensor_bytes(t) != row * (size_t)batch)
        return command_fail(&p->command, KILN_BAD_DATA, NULL, "output '%.80s' has other sizes from batch to batch",
                            y->name);
    memcpy((char *)kiln_tensor_data(y->values) + row * (size_t)from, kiln_tensor_data(t), row * (size_t)count);
    return true;
}

/* While samples are walked through. */
struct walk {
    struct predict *of;
    const char **names; /* [inputs] of the model, that must be given */
    size_t inputs;
    bool failed; /* which the command tells of */
};

static bool on_batch(void *user, const kiln_tensor *const *x, int64_t first, int64_t count)
{
    struct walk *w = user;
    struct predict *p = w->of;
    bool ok = kiln_session_run(p->session, w->inputs, w->names, x, &p->command.err) == KILN_OK;

    for (size_t k = 0; ok && k < p->count; k++)
        ok = take_output(p, &p->of[k], first, count, kiln_tensor_dims(x[0])[0]);
    w->failed = !ok;
    return ok;
}

/* A model of a fixed batch is given its last sample once more. */
static bool run_all(struct predict *p)
{
    const int64_t n = kiln_dataset_about(p->data)->count, fixed = fixed_batch(p);
    const int64_t batch = fixed ? fixed : n < p->o->batch ? n : p->o->batch;
    struct walk w = { .of = p, .names = calloc(kiln_model_input_count(p->model) + 1, sizeof *w.names) };
    struct command *c = &p->command;
    kiln_error err;
    bool ok = w.names || command_no_memory(c);

    for (const kiln_value_info *v; ok && (v = kiln_model_input(p->model, w.inputs)) && !v->optional; w.inputs++)
        w.names[w.inputs] = v->name;
    if (ok && kiln_dataset_each(p->data, p->model, batch, fixed, on_batch, &w, &err) != KILN_OK) {
        ok = false;
        if (!w.failed)
            c->err = err;
    }
    free(w.names);
    return ok;
}

/* How each output tells them, before anything is written. */
static bool choose_classes(struct predict *p)
{
    const double *threshold = isnan(p->o->threshold) ? NULL : &p->o->threshold;

    for (size_t k = 0; p->o->classes && k < p->count; k++)
        if (!prediction_choose(&p->command, &p->of[k], p->model, threshold))
            return false;
    return true;
}

static bool predict(struct predict *p)
{
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    struct command *c = &p->command;

    so.context = c->context;
    so.seconds = p->o->limits.seconds;
    so.exact = p->o->exact;
    return open_all(p) && normalize(p) && choose_outputs(p) &&
           kiln_session_new(&p->session, p->model, &so, &c->err) == KILN_OK && run_all(p) && choose_classes(p);
}

/* -- classes -- */

/* int64 [samples] in place of the values of an output. */
static bool to_classes(struct predict *p, struct prediction *y)
{
    const int64_t n = kiln_dataset_about(p->data)->count;
    kiln_tensor *t;

    if (kiln_tensor_new(&t, KILN_INT64, 1, &n, NULL, &p->command.err) != KILN_OK)
        return false;
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)kiln_tensor_data(t))[i] = prediction_class(y, i);
    kiln_tensor_free(y->values);
    y->values = t;
    return true;
}

/* -- files -- */

/* A field of a table, in quotes where it needs them. */
static void put_text(struct page *page, const char *text)
{
    if (!text[strcspn(text, ",;\"\r\n\t ")]) {
        page_add(page, text, strlen(text));
        return;
    }
    page_add(page, "\"", 1);
    for (; *text; text++) {
        if (*text == '"')
            page_add(page, "\"", 1);
        page_add(page, text, 1);
    }
    page_add(page, "\"", 1);
}

static void put_class(struct page *page, const struct prediction *y, int64_t class)
{
    const char *name = prediction_class_name(y, class);

    if (name)
        put_text(page, name);
    else
        page_printf(page, "%lld", (long long)class);
}

static void put_header(struct page *page, const struct predict *p)
{
    const char *comma = "";
    char name[300];

    if (kiln_dataset_sample_name(p->data, 0)) {
        page_printf(page, "file");
        comma = ",";
    }
    for (size_t k = 0; k < p->count; k++, comma = ",") {
        const struct prediction *y = &p->of[k];

        for (int64_t e = 0; e < (p->o->classes ? 1 : y->width); e++, comma = ",") {
            page_printf(page, "%s", comma);
            if (p->o->classes && p->count == 1)
                snprintf(name, sizeof name, "class");
            else if (p->o->classes || y->width == 1)
                snprintf(name, sizeof name, "%.200s%s", y->name, p->o->classes ? "_class" : "");
            else if (y->classes && p->count == 1)
                snprintf(name, sizeof name, "%.290s", y->classes[e]);
            else if (y->classes)
                snprintf(name, sizeof name, "%.140s_%.140s", y->name, y->classes[e]);
            else
                snprintf(name, sizeof name, "%.200s_%lld", y->name, (long long)e);
            put_text(page, name);
        }
    }
    page_add(page, "\n", 1);
}

static void put_row(struct page *page, const struct predict *p, int64_t i)
{
    const char *file = kiln_dataset_sample_name(p->data, i), *comma = "";

    if (file) {
        put_text(page, file);
        comma = ",";
    }
    for (size_t k = 0; k < p->count; k++) {
        const struct prediction *y = &p->of[k];

        for (int64_t e = 0; e < (p->o->classes ? 1 : y->width); e++, comma = ",") {
            page_printf(page, "%s", comma);
            if (p->o->classes)
                put_class(page, y, prediction_class(y, i));
            else
                page_printf(page, "%.9g", kiln_tensor_number(y->values, i * y->width + e));
        }
    }
    page_add(page, "\n", 1);
}

static bool write_table(struct predict *p)
{
    struct page page = { .command = &p->command };

    put_header(&page, p);
    for (int64_t i = 0; i < kiln_dataset_about(p->data)->count && !page.failed; i++)
        put_row(&page, p, i);
    return page_save(&page, p->o->output, &p->command);
}

/* One output into one file, several into a folder, by their names. */
static bool write_arrays(struct predict *p)
{
    const char **names = calloc(p->count, sizeof *names);
    char(*files)[FILE_NAME] = calloc(p->count, sizeof *files), *path;
    struct command *c = &p->command;
    bool ok = names && files;

    for (size_t k = 0; ok && k < p->count; k++)
        names[k] = p->of[k].name;
    ok = (ok && names_of_files(files, names, p->count)) || command_no_memory(c);
    for (size_t k = 0; ok && k < p->count; k++) {
        if (!*files[k])
            continue;
        ok = (!p->o->classes || to_classes(p, &p->of[k])) &&
             (asprintf(&path, "%s/%s.npy", p->o->output, files[k]) >= 0 || command_no_memory(c));
        if (!ok)
            break;
        ok = kiln_tensor_write(p->of[k].values, path, c->context, &c->err) == KILN_OK;
        free(path);
    }
    free(names);
    free(files);
    return ok;
}

static bool write_results(struct predict *p)
{
    struct command *c = &p->command;

    if (ends_with(p->o->output, ".csv"))
        return write_table(p);
    if (!ends_with(p->o->output, ".npy"))
        return write_arrays(p);
    if (p->count > 1)
        return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                            "the model has %zu outputs: --only NAME chooses one, or --output DIR takes all, or a .csv",
                            p->count);
    return (!p->o->classes || to_classes(p, p->of)) &&
           kiln_tensor_write(p->of->values, p->o->output, c->context, &c->err) == KILN_OK;
}

/* Before the work, not after it. */
static bool claim(struct predict *p)
{
    const char *path = p->o->output;
    struct command *c = &p->command;

    if (ends_with(path, ".csv") || ends_with(path, ".npy"))
        return kiln_file_claim(c->context, path, KILN_FILE_OUTPUT, &c->err) == KILN_OK;
    return command_make_directory(c, path);
}

static void print(const struct predict *p)
{
    say("samples %lld%s", (long long)kiln_dataset_about(p->data)->count,
        kiln_dataset_about(p->data)->header ? " below a header" : "");
    if (kiln_dataset_about(p->data)->label)
        say("; label: %s%s", kiln_dataset_about(p->data)->label,
            strncmp(kiln_dataset_about(p->data)->label, "none", 4) == 0 ? "" : ", which is left out");
    say("\n");
    if (p->normalized)
        data_say_normalization(p->data, "normalized ");
    for (size_t k = 0; k < p->count; k++)
        if (p->of[k].assumed)
            say("output '%s' is one number, and nothing tells what it is: above %g the class is taken to be 1, "
                "--threshold says otherwise\n",
                p->of[k].name, p->of[k].threshold);
    say("saved %s\n", p->o->output);
}

static void release(struct predict *p)
{
    for (size_t k = 0; k < p->count; k++)
        prediction_release(&p->of[k]);
    free(p->of);
    kiln_session_free(p->session);
    kiln_dataset_free(p->data);
    kiln_model_free(p->model);
}

/* -- the verb -- */

enum { KEY_LIMIT = 256, KEY_NORMALIZE, KEY_FIT, KEY_EXACT, KEY_STREAM, KEY_ONLY, KEY_CLASSES, KEY_THRESHOLD };

static const struct argp_option argp_options[] = {
    { "data", 'd', "SPEC", 0, "as for `kiln train`; there need be no labels. Where the data have parts, the test part",
      0 },
    { "output", 'o', "FILE", 0, "a .npy or a .csv, whole or not at all; else a folder, with NAME.npy for each output",
      0 },
    { "batch", 'b', "N", 0, "samples at a time (256)", 0 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 0 },
    LABEL_OPTION(0),
    { "only", KEY_ONLY, "OUTPUT", 0, "this output alone", 0 },
    { "classes", KEY_CLASSES, NULL, 0, "the class of each sample: the largest of its values, by its name in a .csv",
      0 },
    { "threshold", KEY_THRESHOLD, "X", 0,
      "of an output of one value: above it the class is 1 (.5; 0 where it is a logit)", 0 },
    { "normalize", KEY_NORMALIZE, "KIND", 0,
      "unit, center, standardize or none (as the model was trained, where its metadata say)", 0 },
    { "fit", KEY_FIT, "SPEC", 0, "what center and standardize are fitted to (the data)", 0 },
    STREAM_OPTION(0),
    { "threads", 't', "N", 0, "(one for each CPU)", 0 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 0 },
    { 0 },
};

static error_t parse_more(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_LABEL:
        o->label = arg;
        return 0;
    case KEY_ONLY:
        o->only = arg;
        return 0;
    case KEY_CLASSES:
        o->classes = true;
        return 0;
    case KEY_THRESHOLD:
        o->threshold = option_real(state, "threshold", arg, -1e30, 1e30);
        return 0;
    case KEY_NORMALIZE:
        o->normalize = option_normalization(state, arg);
        return 0;
    case KEY_FIT:
        o->fit_to = arg;
        return 0;
    case KEY_EXACT:
        o->exact = true;
        return 0;
    case KEY_STREAM:
        o->stream = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'd':
        o->data = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case 'b':
        o->batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case KEY_LIMIT:
        o->limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case 't':
        o->threads = (int)option_number(state, "threads", arg, 0, 1024);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->model)
            argp_error(state, "one model at a time, '%s' is a second one", arg);
        o->model = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->model || !o->data || !o->output)
            argp_error(state, "needs a model, --data and --output");
        return 0;
    default:
        return parse_more(key, arg, state);
    }
}

static const struct argp argp = {
    argp_options, parse_option, "MODEL", "What a model makes of the samples of a data set.", limits_options, NULL, NULL
};

static int run(int argc, char **argv)
{
    struct options o = { .batch = 256, .threshold = (double)NAN };
    static struct predict p;
    struct command *c = &p.command;
    bool ok;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    p.o = &o;
    c->limits = o.limits;
    ok = command_start(c, o.threads) && claim(&p) && predict(&p) && write_results(&p);
    if (ok)
        print(&p);
    release(&p);
    return command_end(c, ok);
}

const struct verb verb_predict = {
    "predict",
    "what a model makes of a data set",
    run,
    &argp,
    "Classes of a table's rows, by name:\n"
    "    kiln predict trained.onnx --data new.csv --label none --classes --output out.csv\n",
};
