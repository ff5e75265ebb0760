#include "steps.h"
#include "learn.h"
#include <string.h>

enum { KEY_TRAINING = 1200, KEY_LOWER, KEY_STEP_LOSS, KEY_OPTIMIZER, KEY_FREEZE, KEY_BATCH, KEY_SEED };

/* -- options -- */

static void add(const char **list, size_t *count, const char *arg, const char *name, struct argp_state *state)
{
    if (*count == MOST_STEP_TARGETS)
        argp_error(state, "--%s is given more than %d times", name, (int)MOST_STEP_TARGETS);
    list[(*count)++] = arg;
}

static void check(const struct step_options *o, struct argp_state *state)
{
    if (!o->training && (o->lower || o->losses || o->optimizer || o->frozen || o->batch || o->seeded))
        argp_error(state, "--loss, --optimizer, --freeze, --seed, --lower and --batch are of --training");
    if (o->batch && !o->lower)
        argp_error(state, "--batch is of --lower: a training_info takes any number of samples");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct step_options *o = state->input;

    switch (key) {
    case KEY_TRAINING:
        o->training = true;
        return 0;
    case KEY_LOWER:
        o->lower = true;
        return 0;
    case KEY_STEP_LOSS:
        add(o->loss, &o->losses, arg, "loss", state);
        return 0;
    case KEY_OPTIMIZER:
        o->optimizer = arg;
        return 0;
    case KEY_FREEZE:
        add(o->freeze, &o->frozen, arg, "freeze", state);
        return 0;
    case KEY_BATCH:
        o->batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case KEY_SEED:
        o->seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        o->seeded = true;
        return 0;
    case ARGP_KEY_END:
        check(o, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "training", KEY_TRAINING, NULL, 0,
      "the file also says how it is trained, in a training_info with the standard's Gradient: `kiln train` does so",
      0 },
    { "lower", KEY_LOWER, NULL, 0,
      "with --training: the whole step in the standard's operators alone, for any runtime; its metadata next:INPUT "
      "name "
      "the output that is INPUT in the next step",
      0 },
    { "loss", KEY_STEP_LOSS, "LOSS", 0, "as of kiln train; repeated for several outputs (as the output tells)", 0 },
    { "optimizer", KEY_OPTIMIZER, "OPTIMIZER[:KEY=VALUE,...]", 0, "as of kiln train (adam)", 0 },
    { "freeze", KEY_FREEZE, "PATTERN", 0, "as of kiln train; may be repeated", 0 },
    { "batch", KEY_BATCH, "N", 0, "samples of a step that is lowered (32, or as many as the model takes)", 0 },
    { "seed", KEY_SEED, "N", 0, "what Dropout draws from, as kiln train with that seed (0)", 0 },
    { 0 },
};

const struct argp step_arguments = { .options = options, .parser = parse_option };

/* -- the model -- */

bool step_model(struct command *c, kiln_model **model, const struct step_options *o)
{
    kiln_trainer_options t = KILN_TRAINER_OPTIONS_INIT;
    kiln_target targets[MOST_STEP_TARGETS] = { 0 };
    kiln_trainer *trainer = NULL;
    kiln_model *made = NULL;
    bool ok;

    for (size_t k = 0; k < o->losses; k++) {
        targets[k].loss = o->loss[k];
        targets[k].output = learn_output(*model, o->loss[k], &targets[k].loss);
    }
    t.context = c->context;
    t.optimizer = o->optimizer;
    t.targets = targets;
    t.target_count = o->losses;
    t.freeze = o->freeze;
    t.freeze_count = o->frozen;
    t.seed = o->seed;
    ok = kiln_trainer_new(&trainer, *model, &t, &c->err) == KILN_OK &&
         (o->lower ? kiln_trainer_lower(&made, trainer, o->batch, &c->err)
                   : kiln_trainer_describe(&made, trainer, &c->err)) == KILN_OK;
    kiln_trainer_free(trainer);
    if (!ok)
        return false;
    kiln_model_free(*model);
    *model = made;
    return true;
}
