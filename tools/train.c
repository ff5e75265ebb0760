/* kiln train: a model on a data set. */
#include "file_training.h"
#include "finder.h"
#include <float.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_VALIDATION = 256,
    KEY_SPLIT,
    KEY_LIMIT,
    KEY_SEED,
    KEY_NO_SHUFFLE,
    KEY_SHUFFLE_BUFFER,
    KEY_FREEZE,
    KEY_NORMALIZE,
    KEY_AUGMENT,
    KEY_BEST,
    KEY_STOP,
    KEY_HISTORY,
    KEY_STEPS,
    KEY_FIGURE,
    KEY_UNTIE,
    KEY_PROFILE,
    KEY_EXACT,
    KEY_RECOMPUTE,
    KEY_BPTT,
    KEY_TRAINABLE,
    KEY_INITIAL_EPOCH,
    KEY_STEPS_PER_EPOCH,
    KEY_VALIDATION_FREQ,
    KEY_VALIDATION_STEPS,
    KEY_MIN_DELTA,
    KEY_RESTORE_BEST,
    KEY_CHECKPOINT,
    KEY_CHECKPOINT_STEPS,
    KEY_RESUME,
    KEY_SCHEDULE,
    KEY_PLATEAU,
    KEY_REGULARIZE,
    KEY_REGULARIZE_ACTIVITY,
    KEY_FACTOR,
    KEY_UNDECAYED,
    KEY_BAKE,
    KEY_TENSORBOARD,
    KEY_HISTOGRAM_FREQ,
    KEY_FIND_RATE
};

static const struct argp_option argp_options[] = {
    { NULL, 0, NULL, 0, "Data:", 1 },
    { "data", 'd', "SPEC", 0, "{data}; then :train or :test where there are such, and [FROM:TO]", 1 },
    { "validation", KEY_VALIDATION, "SPEC", 0, "data to validate with after each epoch", 1 },
    { "validation-split", KEY_SPLIT, "F", 0, "this part of the data, its end, validates", 1 },
    { "validation-freq", KEY_VALIDATION_FREQ, "N", 0, "validate after each N epochs (1)", 1 },
    { "validation-steps", KEY_VALIDATION_STEPS, "N", 0, "validate with N batches (all)", 1 },
    { "limit", KEY_LIMIT, "N", 0, "only the first N samples", 1 },
    LABEL_OPTION(1),
    { "normalize", KEY_NORMALIZE, "KIND", 0,
      "unit (/255), center, standardize, each feature by itself or with :channel or :whole behind it; fitted to the "
      "training data, and written into the model's metadata, where eval and predict find it; or none (as the metadata "
      "say)",
      1 },
    { "bake", KEY_BAKE, NULL, 0, "the normalisation becomes nodes in front of the inputs instead", 1 },
    { "augment", KEY_AUGMENT, "KEY=VALUE,...", 0,
      "change images at random before they are normalised, those to validate with not: rotation_range=10, "
      "horizontal_flip=1, ... (below)",
      1 },
    { "no-shuffle", KEY_NO_SHUFFLE, NULL, 0, "samples in the order of the file", 1 },
    { "shuffle-buffer", KEY_SHUFFLE_BUFFER, "N", 0,
      "data larger than memory: samples are read from the files when they are needed, and drawn from a window of N "
      "(all "
      "are read into memory, and shuffled)",
      1 },

    { NULL, 0, NULL, 0,
      "What is learned (PATTERN is a shell pattern of names of parameters, or of nodes that read them):", 2 },
    TARGET_OPTIONS(2, "one of those below (guessed)"),
    { "class-weight", KEY_CLASS_WEIGHT, "CLASS=N,...", 0,
      "how much rows of a class count in training; balanced: classes alike (1)", 2 },
    { "trainable", KEY_TRAINABLE, "PATTERN", 0, "only these parameters train; may be repeated (all that can)", 2 },
    { "freeze", KEY_FREEZE, "PATTERN", 0, "parameters that keep their values; may be repeated", 2 },
    { "untie", KEY_UNTIE, NULL, 0, "an initializer that several nodes read becomes one for each", 2 },
    { "regularize", KEY_REGULARIZE, "PATTERN=REGULARIZER[:KEY=VALUE,...]", 0,
      "add {regularizers} of parameters to the loss: '*kernel=l2:0.0001'; may be repeated (of others as the file says: "
      "kiln.regularize.NAME)",
      2 },
    { "regularize-activity", KEY_REGULARIZE_ACTIVITY, "PATTERN=REGULARIZER[:KEY=VALUE,...]", 0,
      "the same of what nodes compute, by the names of values or nodes: the mean over the samples", 2 },

    { NULL, 0, NULL, 0, "How:", 3 },
    { "optimizer", 'O', "OPTIMIZER[:KEY=VALUE,...]", 0, "{optimizers} (adam)", 3 },
    { "schedule", KEY_SCHEDULE, "SCHEDULE[:KEY=VALUE,...]", 0, "of the learning rate: {schedules} (it stays)", 3 },
    { "reduce-on-plateau", KEY_PLATEAU, "[val_]METRIC[:KEY=VALUE,...]", 0,
      "a lower learning rate where the metric no longer improves: val_loss:factor=0.5,patience=3", 3 },
    { "rate-factor", KEY_FACTOR, "PATTERN=F", 0,
      "parameters that learn with F times the learning rate; may be repeated, the last that matches counts", 3 },
    { "exclude-from-weight-decay", KEY_UNDECAYED, "PATTERN", 0,
      "parameters that the optimizer's weight_decay leaves alone; may be repeated", 3 },
    { "find-learning-rate", KEY_FIND_RATE, "FROM:TO", 0,
      "train nothing: in one pass the rate rises from step to step, the loss by the rate is told, and the rate where "
      "it falls fastest; --figure draws it",
      3 },
    { "batch", 'b', "N", 0, "samples in a step (32)", 3 },
    { "epochs", 'e', "N", 0, "(1)", 3 },
    { "initial-epoch", KEY_INITIAL_EPOCH, "N", 0,
      "so many epochs are taken to lie behind; --epochs counts them, too (0)", 3 },
    { "steps-per-epoch", KEY_STEPS_PER_EPOCH, "N", 0,
      "an epoch has N steps, the data begin anew where they end (once through the data)", 3 },
    { "early-stop", KEY_STOP, "[val_]METRIC:PATIENCE", 0, "end after so many epochs without improvement", 3 },
    { "min-delta", KEY_MIN_DELTA, "D", 0, "what is better by less than D is no improvement to --early-stop (0)", 3 },
    { "seed", KEY_SEED, "N", 0, "of initial values, order, augmentation and Dropout (0)", 3 },
    { "threads", 't', "N", 0, "(one for each CPU)", 3 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 3 },
    { "recompute", KEY_RECOMPUTE, NULL, 0,
      "memory for time: what a step keeps for its way back is made again; the result is the same", 3 },
    { "bptt", KEY_BPTT, "N", 0,
      "truncated backpropagation through time: gradients go back through the state of RNN, GRU, LSTM, Loop and Scan "
      "within stretches of N steps only (all)",
      3 },

    { NULL, 0, NULL, 0, "What is kept of it:", 4 },
    { "output", 'o', "FILE", 0, "where the trained model goes; text where it ends in .onnxtxt", 4 },
    { "save-best", KEY_BEST, "[val_]METRIC", 0,
      "write the model whenever loss, accuracy or another metric is best; val_loss ... of the data to validate with, "
      "OUTPUT_loss ... of one of several outputs",
      4 },
    { "restore-best", KEY_RESTORE_BEST, "[val_]METRIC", 0, "at the end the model is what it was when this was best",
      4 },
    { "checkpoint", KEY_CHECKPOINT, "DIR", 0,
      "keep in DIR, after each epoch, all that is needed to go on from there with --resume", 4 },
    { "checkpoint-steps", KEY_CHECKPOINT_STEPS, "N", 0, "and after each N steps", 4 },
    { "resume", KEY_RESUME, "DIR", 0,
      "go on from the checkpoint in DIR, which is kept up as by --checkpoint: with the same options the result is the "
      "same as if there had been no break",
      4 },
    { "history", KEY_HISTORY, "FILE", 0, "each epoch: a row of CSV, or a line of JSON where it ends in .jsonl", 4 },
    { "step-log", KEY_STEPS, "FILE.csv", 0, "a row for each step, with the loss before the update", 4 },
    { "figure", KEY_FIGURE, "FILE", 0, "the curves: PNG where it ends in .png, else SVG", 4 },
    { "tensorboard", KEY_TENSORBOARD, "DIR", 0, "events for TensorBoard, which shows the curves, weights and the graph",
      4 },
    { "histogram-freq", KEY_HISTOGRAM_FREQ, "N", 0,
      "weights as histograms there after the first of each N epochs; 0: never (1)", 4 },
    { "profile", KEY_PROFILE, "FILE.json", 0, "a Chrome trace of all steps", 4 },
    { "quiet", 'q', NULL, 0, "say nothing", 4 },
    { 0 },
};

static error_t add_pattern(const char **patterns, size_t *count, const char *option, const char *arg,
                           struct argp_state *state)
{
    if (*count == MAX_PATTERNS)
        argp_error(state, "--%s is given more than %d times", option, (int)MAX_PATTERNS);
    patterns[(*count)++] = arg;
    return 0;
}

/* Behind the pattern, which ends at the first '=' and at which *rest begins. */
static const char *cut_pattern(char *arg, const char *option, struct argp_state *state)
{
    char *equals = strchr(arg, '=');

    if (!equals || equals == arg || !equals[1]) {
        argp_error(state, "--%s: '%.60s' must be a pattern, '=' and what is to be done with it", option, arg);
        return arg;
    }
    *equals = 0;
    return equals + 1;
}

static error_t add_regularizer(struct train_options *o, bool activity, char *arg, struct argp_state *state)
{
    const char *option = activity ? "regularize-activity" : "regularize";
    const char *name = cut_pattern(arg, option, state);

    if (o->learn.trainer.regularizer_count == MAX_PATTERNS)
        argp_error(state, "--%s is given more than %d times", option, (int)MAX_PATTERNS);
    o->regularizers[o->learn.trainer.regularizer_count++] = (kiln_regularizer){ arg, name, activity };
    return 0;
}

static error_t add_factor(struct train_options *o, char *arg, struct argp_state *state)
{
    const char *factor = cut_pattern(arg, "rate-factor", state);

    if (o->learn.trainer.rate_factor_count == MAX_PATTERNS)
        argp_error(state, "--rate-factor is given more than %d times", (int)MAX_PATTERNS);
    o->factors[o->learn.trainer.rate_factor_count++] =
        (kiln_rate_factor){ arg, option_real(state, "rate-factor", factor, (double)FLT_MIN, 1e6) };
    return 0;
}

static error_t parse_data_option(int key, char *arg, struct argp_state *state)
{
    struct train_options *o = state->input;
    struct learn_options *l = &o->learn;

    switch (key) {
    case 'd':
        l->data = arg;
        return 0;
    case KEY_VALIDATION:
        l->validation = arg;
        return 0;
    case KEY_SPLIT:
        l->split = option_real(state, "validation-split", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_LIMIT:
        l->limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_NORMALIZE:
        l->normalize = option_normalization(state, arg);
        return 0;
    case KEY_BAKE:
        l->bake = true;
        return 0;
    case KEY_AUGMENT:
        if (l->augment)
            argp_error(state, "--augment is given twice, must be one list, as in '%s,%s'", l->augment, arg);
        l->augment = arg;
        return 0;
    case 'O':
        l->trainer.optimizer = arg;
        return 0;
    case KEY_SCHEDULE:
        l->trainer.schedule = arg;
        return 0;
    case KEY_PLATEAU:
        o->fit.reduce_on_plateau = arg;
        return 0;
    case KEY_REGULARIZE:
    case KEY_REGULARIZE_ACTIVITY:
        return add_regularizer(o, key == KEY_REGULARIZE_ACTIVITY, arg, state);
    case KEY_FACTOR:
        return add_factor(o, arg, state);
    case KEY_FREEZE:
        return add_pattern(o->freeze, &l->trainer.freeze_count, "freeze", arg, state);
    case KEY_TRAINABLE:
        return add_pattern(o->train, &l->trainer.train_count, "trainable", arg, state);
    case KEY_UNDECAYED:
        return add_pattern(o->undecayed, &l->trainer.exclude_from_weight_decay_count, "exclude-from-weight-decay", arg,
                           state);
    case KEY_EXACT:
        l->trainer.exact = true;
        return 0;
    case KEY_BPTT:
        l->trainer.bptt = option_number(state, "bptt", arg, 1, INT32_MAX);
        return 0;
    case KEY_RECOMPUTE:
        l->trainer.recompute = true;
        return 0;
    case KEY_UNTIE:
        l->trainer.untie = true;
        return 0;
    case 't':
        l->threads = (int)option_number(state, "threads", arg, 0, 1024);
        return 0;
    default:
        return option_target(l, key, arg, state) ? 0 : ARGP_ERR_UNKNOWN;
    }
}

/* "val_loss:3" */
static void parse_early_stop(struct train_options *o, char *arg, struct argp_state *state)
{
    char *colon = strrchr(arg, ':'), *end;

    o->fit.patience = colon ? strtoll(colon + 1, &end, 10) : 0;
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1] || o->fit.patience > 1000000)
        argp_error(state, "--early-stop: '%.60s' needs a number of epochs, as in 'val_loss:3'", arg);
    if (colon)
        *colon = 0;
    o->fit.early_stop = arg;
}

static error_t parse_epoch_option(int key, char *arg, struct argp_state *state)
{
    struct train_options *o = state->input;
    kiln_fit_options *f = &o->fit;

    switch (key) {
    case KEY_INITIAL_EPOCH:
        f->initial_epoch = option_number(state, "initial-epoch", arg, 0, INT32_MAX);
        return 0;
    case KEY_STEPS_PER_EPOCH:
        f->steps_per_epoch = option_number(state, "steps-per-epoch", arg, 1, INT32_MAX);
        return 0;
    case KEY_VALIDATION_FREQ:
        f->validation_freq = option_number(state, "validation-freq", arg, 1, INT32_MAX);
        return 0;
    case KEY_VALIDATION_STEPS:
        f->validation_steps = option_number(state, "validation-steps", arg, 1, INT32_MAX);
        return 0;
    case KEY_MIN_DELTA:
        f->min_delta = option_real(state, "min-delta", arg, 0, (double)FLT_MAX);
        return 0;
    case KEY_RESTORE_BEST:
        f->restore_best = arg;
        return 0;
    case KEY_CHECKPOINT:
        o->checkpoint = arg;
        return 0;
    case KEY_CHECKPOINT_STEPS:
        f->checkpoint_steps = option_number(state, "checkpoint-steps", arg, 1, INT64_MAX);
        return 0;
    case KEY_RESUME:
        o->resume = arg;
        return 0;
    default:
        return parse_data_option(key, arg, state);
    }
}

/* "1e-6:1" */
static void parse_find_rate(struct train_options *o, const char *arg, struct argp_state *state)
{
    const size_t n = read_real(arg, &o->rate_from), m = n && arg[n] == ':' ? read_real(arg + n + 1, &o->rate_to) : 0;

    if (!m || arg[n + 1 + m] || !(o->rate_from >= 1e-30) || !(o->rate_to <= 1e30) || !(o->rate_to / o->rate_from >= 10))
        argp_error(state,
                   "--find-learning-rate is '%.60s', must be two rates, the second at least 10 times the first, as in "
                   "'1e-6:1'",
                   arg);
}

/* A search changes no file. */
static void check_search(const struct train_options *o, struct argp_state *state)
{
    const kiln_fit_options *f = &o->fit;

    if (!o->learn.model || !o->learn.data)
        argp_error(state, "needs a model and --data");
    if (o->output || o->history || o->step_log || o->profile || o->tensorboard || o->checkpoint || o->resume ||
        f->best || f->early_stop || f->restore_best || f->initial_epoch || o->epochs != 1)
        argp_error(
            state,
            "--find-learning-rate trains nothing that could be kept: of what is written it takes --figure alone");
}

/* What would do nothing is a mistake. */
static void check_options(struct train_options *o, struct argp_state *state)
{
    const kiln_fit_options *f = &o->fit;
    const bool validates = o->learn.validation || o->learn.split > 0;

    if (!o->learn.model || !o->learn.data || !o->output)
        argp_error(state, "needs a model, --data and --output");
    if (o->learn.validation && o->learn.split > 0)
        argp_error(state, "--validation and --validation-split exclude each other");
    if (!validates && (f->validation_freq || f->validation_steps))
        argp_error(state, "--validation-freq and --validation-steps need --validation or --validation-split");
    if (f->min_delta > 0 && !f->early_stop)
        argp_error(state, "--min-delta needs --early-stop");
    if (f->checkpoint_steps && !o->checkpoint && !o->resume)
        argp_error(state, "--checkpoint-steps needs --checkpoint");
    if (f->initial_epoch && o->resume)
        argp_error(state, "--initial-epoch says nothing to --resume, which knows where the training was");
    if (o->board.every >= 0 && !o->tensorboard)
        argp_error(state, "--histogram-freq needs --tensorboard");
    if (o->board.every < 0)
        o->board.every = 1;
    if (o->resume && !o->epochs)
        argp_error(state, "--resume needs --epochs above 0: it counts those that lie behind, too");
    if (!o->checkpoint)
        o->checkpoint = o->resume;
}

static error_t parse_log_option(int key, char *arg, struct argp_state *state)
{
    struct train_options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case KEY_BEST:
        o->fit.best = arg;
        return 0;
    case KEY_STOP:
        parse_early_stop(o, arg, state);
        return 0;
    case KEY_HISTORY:
        o->history = arg;
        return 0;
    case KEY_STEPS:
        o->step_log = arg;
        return 0;
    case KEY_FIGURE:
        o->figure = arg;
        return 0;
    case KEY_PROFILE:
        o->profile = arg;
        return 0;
    case KEY_TENSORBOARD:
        o->tensorboard = arg;
        return 0;
    case KEY_HISTOGRAM_FREQ:
        o->board.every = option_number(state, "histogram-freq", arg, 0, INT32_MAX);
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return parse_epoch_option(key, arg, state);
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct train_options *o = state->input;

    switch (key) {
    case 'b':
        o->fit.batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case 'e':
        o->epochs = option_number(state, "epochs", arg, 0, INT32_MAX);
        return 0;
    case KEY_SEED:
        o->fit.seed = o->learn.trainer.seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_NO_SHUFFLE:
        o->fit.in_order = true;
        return 0;
    case KEY_SHUFFLE_BUFFER:
        o->learn.shuffle_buffer = option_number(state, "shuffle-buffer", arg, 1, INT64_MAX);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->learn.limits;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->learn.model, arg);
        return 0;
    case KEY_FIND_RATE:
        parse_find_rate(o, arg, state);
        return 0;
    case ARGP_KEY_END:
        o->rate_to > 0 ? check_search(o, state) : check_options(o, state);
        return 0;
    default:
        return parse_log_option(key, arg, state);
    }
}

static const struct argp argp = {
    argp_options,
    parse_option,
    "MODEL",
    "Train a model. What trains and which loss is used goes by the model and is said. A model whose training_info "
    "says "
    "how it is trained is trained so, unless --loss or --optimizer is given."
    "\vData:\n{data:}\nLosses:\n{losses:}\nOptimizers:\n{optimizers:}\nSchedules, of "
    "step t from 0:\n{schedules:}\nOn a plateau:\n{plateau:}\nRegularizers:\n{regularizers:}\nMetrics:\n{metrics:}"
    "\nAugmentation:\n{augmentation:}",
    limits_options,
    help_filled,
    NULL
};

static int run(int argc, char **argv)
{
    struct train_options o = { .epochs = 1,
                               .board.every = -1,
                               .fit = KILN_FIT_OPTIONS_INIT,
                               .learn = { .draw = true, .keep = true, .trainer = KILN_TRAINER_OPTIONS_INIT } };
    static struct learn l;
    struct command *c = &l.command;
    int caught = 0, code;
    bool ok;

    o.fit.batch = 32;
    o.learn.trainer.freeze = o.freeze;
    o.learn.trainer.exclude_from_weight_decay = o.undecayed;
    o.learn.trainer.train = o.train;
    o.learn.trainer.regularizers = o.regularizers;
    o.learn.trainer.rate_factors = o.factors;
    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    o.learn.trainer.profile = o.profile;
    c->limits = o.learn.limits;
    ok = command_start(c, o.learn.threads) && training_claim(&o, c) && learn_load(&l, &o.learn);
    if (ok && file_trains_itself(l.model, &o))
        ok = file_training_run(&o, &l, &caught);
    else
        ok = ok && learn_open(&l, &o.learn) && (o.rate_to > 0 ? finder_run(&o, &l) : training_run(&o, &l, &caught));
    learn_close(&l);
    code = command_end(c, ok);
    training_release(&o);
    if (caught)
        raise(caught); /* as the shell expects it of a program that a signal has ended */
    return code;
}

const struct verb verb_train = {
    "train",
    "train a model on a data set",
    run,
    &argp,
    "Five epochs, the best of them kept, and curves:\n"
    "    kiln train net.onnx --data npz:train.npz --validation-split .1 --epochs 5 \\\n"
    "        --save-best val_loss --figure curves.svg --output trained.onnx\n"
    "With pictures changed at random, and a checkpoint from which it goes on:\n"
    "    kiln train net.onnx --data folder:photos --normalize unit --augment horizontal_flip=1 \\\n"
    "        --schedule cosine_decay:decay_steps=1000 --checkpoint kept --output trained.onnx\n"
    "    kiln train net.onnx --data folder:photos --normalize unit --augment horizontal_flip=1 \\\n"
    "        --schedule cosine_decay:decay_steps=1000 --resume kept --output trained.onnx\n",
};
