/* kiln eval: loss and accuracy of a model on a data set. */
#include "learn.h"
#include <math.h>
#include <stdlib.h>

struct options {
    struct learn_options learn;
    int64_t batch;
};

enum { KEY_LIMIT = 256, KEY_NORMALIZE, KEY_FIT, KEY_EXACT };

static const struct argp_option argp_options[] = {
    { "data", 'd', "SPEC", 0, "as for `kiln train`; where the data have parts, the test part unless :train is said",
      0 },
    { "batch", 'b', "N", 0, "samples at a time (256)", 0 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 0 },
    LABEL_OPTION(0),
    TARGET_OPTIONS(0, "as for `kiln train` (guessed from the output)"),
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
    case 't':
        o->learn.threads = (int)option_number(state, "threads", arg, 0, 1024);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->learn.limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->learn.model)
            argp_error(state, "one model at a time, '%s' is a second one", arg);
        o->learn.model = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->learn.model || !o->learn.data)
            argp_error(state, "needs a model and --data");
        return 0;
    default:
        return option_target(&o->learn, key, arg, state) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

static void print(const struct learn *l, const double *values)
{
    const kiln_dataset_info *data = kiln_dataset_about(l->train);
    const int64_t only = kiln_trainer_batch(l->trainer);

    learn_say_losses(l, "loss function ");
    if (l->normalized)
        data_say_normalization(l->train, "normalized ");
    say("samples %lld%s", (long long)(only ? data->count / only * only : data->count),
        data->header ? " below a header" : "");
    data_say_label(l->train);
    say("\n");
    say("%s %.9g\n", kiln_trainer_measure_name(l->trainer, 0), values[0]);
    for (size_t m = 1; m < kiln_trainer_measure_count(l->trainer); m++)
        if (!isnan(values[m]))
            say("%s %.6f\n", kiln_trainer_measure_name(l->trainer, m), values[m]);
}

static bool evaluate(struct learn *l, int64_t batch)
{
    double *values = calloc(kiln_trainer_measure_count(l->trainer), sizeof *values);
    bool ok;

    if (!values)
        return command_no_memory(&l->command);
    ok = kiln_trainer_evaluate(l->trainer, l->train, batch, values, &l->command.err) == KILN_OK;
    if (ok)
        print(l, values);
    free(values);
    return ok;
}

static int run(int argc, char **argv)
{
    const struct argp argp = { argp_options,   parse_option, "MODEL", "Loss and accuracy of a model on a data set.",
                               limits_options, NULL,         NULL };
    struct options o = { .batch = 256, .learn = { .part = KILN_PART_TEST, .trainer = KILN_TRAINER_OPTIONS_INIT } };
    static struct learn l;
    struct command *c = &l.command;
    bool ok;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    o.learn.trainer.measure = true;
    c->limits = o.learn.limits;
    ok = command_start(c, o.learn.threads) && learn_open(&l, &o.learn) && evaluate(&l, o.batch);
    learn_close(&l);
    return command_end(c, ok);
}

const struct verb verb_eval = { "eval", "loss and accuracy on a data set", run };
