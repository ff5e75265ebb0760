/* kiln eval: loss and metrics of a model on a data set. */
#include "classes.h"
#include "learn.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct learn_options learn;
    int64_t batch;
    bool confusion;
    const char *json; /* NULL: none */
};

enum { KEY_LIMIT = 256, KEY_NORMALIZE, KEY_FIT, KEY_EXACT, KEY_CONFUSION, KEY_JSON, KEY_STREAM };

static const struct argp_option argp_options[] = {
    { "data", 'd', "SPEC", 0, "as for `kiln train`; where the data have parts, the test part unless :train is said",
      0 },
    { "batch", 'b', "N", 0, "samples at a time (256)", 0 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 0 },
    LABEL_OPTION(0),
    STREAM_OPTION(0),
    TARGET_OPTIONS(0, "as for `kiln train` (guessed from the output)"),
    { "confusion", KEY_CONFUSION, NULL, 0, "what classes are taken for, and precision, recall and F1 of each", 0 },
    { "json", KEY_JSON, "FILE", 0, "all of it for programs, the classes, too; - is standard output, without the text",
      0 },
    { "normalize", KEY_NORMALIZE, "KIND", 0,
      "unit, center, standardize or none (as the model was trained, where its metadata say)", 0 },
    { "fit", KEY_FIT, "SPEC", 0, "what center and standardize are fitted to (the data evaluated)", 0 },
    { "threads", 't', "N", 0, "(one for each CPU)", 0 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'd':
        o->learn.data = arg;
        return 0;
    case 'b':
        o->batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case KEY_LIMIT:
        o->learn.limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_NORMALIZE:
        o->learn.normalize = option_normalization(state, arg);
        return 0;
    case KEY_EXACT:
        o->learn.trainer.exact = true;
        return 0;
    case KEY_FIT:
        o->learn.fit_to = arg;
        return 0;
    case KEY_CONFUSION:
        o->confusion = true;
        return 0;
    case KEY_JSON:
        o->json = arg;
        return 0;
    case KEY_STREAM:
        o->learn.shuffle_buffer = 1;
        return 0;
    case 't':
        o->learn.threads = (int)option_number(state, "threads", arg, 0, 1024);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->learn.limits;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->learn.model, arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->learn.model || !o->learn.data)
            argp_error(state, "needs a model and --data");
        return 0;
    default:
        return option_target(&o->learn, key, arg, state) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

/* -- what is told -- */

struct results {
    double *values;         /* by measure */
    kiln_tensor **matrices; /* by target; NULL where there are no classes */
    size_t targets;
};

static int64_t samples_of(const struct learn *l)
{
    const int64_t only = kiln_trainer_batch(l->trainer), count = kiln_dataset_about(l->train)->count;

    return only ? count / only * only : count;
}

static void print(const struct learn *l, const double *values)
{
    learn_say_losses(l, "loss function ");
    if (l->normalized)
        data_say_normalization(l->train, "normalized ");
    say("samples %lld%s", (long long)samples_of(l), kiln_dataset_about(l->train)->header ? " below a header" : "");
    data_say_label(l->train);
    say("\n");
    say("%s %.9g\n", kiln_trainer_measure_name(l->trainer, 0), learn_number(values[0]));
    for (size_t m = 1; m < kiln_trainer_measure_count(l->trainer); m++)
        if (kiln_trainer_measures(l->trainer, l->train, m))
            say("%s %.6f\n", kiln_trainer_measure_name(l->trainer, m), learn_number(values[m]));
}

/* Where the data name all of them. */
static const char *const *names_of(const struct learn *l, size_t target, int64_t count)
{
    const char *output = kiln_trainer_labels(l->trainer, target)->name;
    const size_t columns = kiln_dataset_about(l->train)->targets;

    for (size_t k = 0; k < columns; k++) {
        const kiln_column_info *c = kiln_dataset_target(l->train, k);

        if ((!c->name || strcmp(c->name, output) == 0) && c->classes >= count)
            return c->class_names;
    }
    return NULL;
}

static struct classes classes_of(const struct learn *l, const struct results *r, size_t k)
{
    const int64_t count = *kiln_tensor_dims(r->matrices[k]);

    return (struct classes){ r->targets > 1 ? kiln_trainer_labels(l->trainer, k)->name : NULL, count,
                             kiln_tensor_data(r->matrices[k]), names_of(l, k, count) };
}

static bool write_json(struct learn *l, const struct results *r, const struct options *o)
{
    struct page out = { .command = &l->command };
    struct json j = { .out = &out, .lines = 4 };

    json_begin(&j, NULL, '{');
    json_text(&j, "model", o->learn.model);
    json_text(&j, "data", o->learn.data);
    json_whole(&j, "samples", samples_of(l));
    json_begin(&j, "measures", '{');
    for (size_t m = 0; m < kiln_trainer_measure_count(l->trainer); m++)
        json_number(&j, kiln_trainer_measure_name(l->trainer, m), r->values[m], 17);
    json_end(&j, '}');
    json_begin(&j, "confusion", '[');
    for (size_t k = 0; k < r->targets; k++)
        if (r->matrices[k]) {
            const struct classes c = classes_of(l, r, k);

            classes_json(&c, &j);
        }
    json_end(&j, ']');
    json_end(&j, '}');
    return strcmp(o->json, "-") == 0 ? page_show(&out, &l->command) : page_save(&out, o->json, &l->command);
}

/* -- measuring -- */

/* The matrix of each target that has classes; the first one comes with the measures. */
static bool count_classes(struct learn *l, int64_t batch, struct results *r)
{
    double *values = r->values;

    for (size_t k = 0; k < r->targets; k++) {
        if (!kiln_trainer_classes(l->trainer, k))
            continue;
        if (kiln_trainer_confusion(&r->matrices[k], l->trainer, l->train, batch, k, values, &l->command.err) != KILN_OK)
            return false;
        values = NULL;
    }
    return !values || kiln_trainer_evaluate(l->trainer, l->train, batch, values, &l->command.err) == KILN_OK;
}

static bool tell(struct learn *l, const struct results *r, const struct options *o)
{
    if (!o->json || strcmp(o->json, "-") != 0) {
        print(l, r->values);
        for (size_t k = 0; o->confusion && k < r->targets; k++)
            if (r->matrices[k]) {
                const struct classes c = classes_of(l, r, k);

                classes_say(&c);
            }
    }
    return !o->json || write_json(l, r, o);
}

static bool has_classes(struct learn *l)
{
    for (size_t k = 0; k < kiln_trainer_target_count(l->trainer); k++)
        if (kiln_trainer_classes(l->trainer, k))
            return true;
    return command_fail(&l->command, KILN_BAD_ARGUMENT, NULL,
                        "--confusion: no output has samples of one class each, but of numbers, or of several at once");
}

static bool evaluate(struct learn *l, const struct options *o)
{
    struct results r = { .targets = kiln_trainer_target_count(l->trainer) };
    bool ok;

    r.values = calloc(kiln_trainer_measure_count(l->trainer), sizeof *r.values);
    r.matrices = calloc(r.targets, sizeof *r.matrices);
    ok = r.values && r.matrices ? !o->confusion || has_classes(l) : command_no_memory(&l->command);
    if (ok)
        ok = (o->confusion || o->json
                  ? count_classes(l, o->batch, &r)
                  : kiln_trainer_evaluate(l->trainer, l->train, o->batch, r.values, &l->command.err) == KILN_OK) &&
             tell(l, &r, o);
    for (size_t k = 0; r.matrices && k < r.targets; k++)
        kiln_tensor_free(r.matrices[k]);
    free(r.matrices);
    free(r.values);
    return ok;
}

/* Before the work, not after it. */
static bool claim(const struct options *o, struct command *c)
{
    return !o->json || strcmp(o->json, "-") == 0 ||
           kiln_file_claim(c->context, o->json, KILN_FILE_OUTPUT, &c->err) == KILN_OK;
}

static const struct argp argp = { argp_options,   parse_option, "MODEL", "Loss and metrics of a model on a data set.",
                                  limits_options, NULL,         NULL };

static int run(int argc, char **argv)
{
    struct options o = { .batch = 256, .learn = { .part = KILN_PART_TEST, .trainer = KILN_TRAINER_OPTIONS_INIT } };
    static struct learn l;
    struct command *c = &l.command;
    bool ok;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    o.learn.trainer.measure = true;
    c->limits = o.learn.limits;
    ok = command_start(c, o.learn.threads) && claim(&o, c) && learn_open(&l, &o.learn) && evaluate(&l, &o);
    learn_close(&l);
    return command_end(c, ok);
}

const struct verb verb_eval = {
    "eval",
    "loss and metrics on a data set",
    run,
    &argp,
    "The test part of the data, with the table of what classes are taken for:\n"
    "    kiln eval trained.onnx --data npz:data.npz:test --confusion\n"
    "All of it for a program:\n"
    "    kiln eval trained.onnx --data npz:data.npz --json -\n",
};
