/* kiln convert: a model in another form. */
#include "adaptation.h"
#include "learn.h"
#include "sets.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *input, *output;
    struct sets sets;
    bool inference, text, trainable;
    struct adapt_request adapt;
    struct limits limits;
};

/* What stays until the model is written. */
struct conversion {
    struct options *o;
    struct command command;
    kiln_model *model;
};

/* A model that is not supported is written as well. */
static bool open_any(struct conversion *v)
{
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;

    v->command.teller.file = v->o->input;
    o.context = v->command.context;
    o.seconds = v->o->limits.seconds;
    o.partial = true;
    o.diagnostic = tell_nothing;
    return kiln_model_open(&v->model, v->o->input, &o, &v->command.err) == KILN_OK;
}

static bool edit(struct conversion *v)
{
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    kiln_model *made = NULL;

    /* with data, statistics are measured first: adapt_model does it */
    o.inference = v->o->inference && !v->o->adapt.data;
    if (!v->o->sets.count && !o.inference)
        return true;
    if (sets_read(&v->command, &v->o->sets, v->model, &o))
        kiln_model_edit(&made, v->model, &o, &v->command.err);
    sets_release(&o);
    if (!made)
        return false;
    kiln_model_free(v->model);
    v->model = made;
    return true;
}

static bool convert(struct conversion *v)
{
    const kiln_form form = v->o->text ? KILN_FORM_TEXT : KILN_FORM_BY_NAME;
    struct command *c = &v->command;

    if (kiln_file_claim(c->context, v->o->output, KILN_FILE_MODEL, &c->err) != KILN_OK || !open_any(v) || !edit(v))
        return false;
    v->o->adapt.options.inference = v->o->inference;
    if (v->o->adapt.data && !adapt_model(c, &v->model, &v->o->adapt))
        return false;
    return kiln_model_save(v->model, v->o->output, form, &c->err) == KILN_OK;
}

/* -- the verb -- */

enum {
    KEY_INFERENCE = 256,
    KEY_SET,
    KEY_TRAINABLE,
    KEY_CALIBRATE,
    KEY_LIMIT,
    KEY_NORMALIZE,
    KEY_THREADS,
    KEY_EPSILON,
    KEY_MOMENTUM,
    KEY_FOLDED
};

static kiln_folded option_folded(struct argp_state *state, const char *arg)
{
    static const char *const names[] = { "named", "all", "none" };

    for (int k = 0; k < 3; k++)
        if (strcmp(arg, names[k]) == 0)
            return (kiln_folded)k;
    argp_error(state, "--folded is '%s', must be named, all or none", arg);
    return KILN_FOLDED_NAMED;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case 't':
        o->text = true;
        return 0;
    case KEY_INFERENCE:
        o->inference = true;
        return 0;
    case KEY_SET:
        sets_add(&o->sets, arg, state);
        return 0;
    case KEY_TRAINABLE:
        o->trainable = true;
        return 0;
    case KEY_CALIBRATE:
        o->adapt.data = arg;
        return 0;
    case KEY_LIMIT:
        o->adapt.limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_NORMALIZE:
        o->adapt.normalize = option_normalization(state, arg);
        return 0;
    case KEY_THREADS:
        o->adapt.threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case KEY_EPSILON:
        o->adapt.options.epsilon = option_real(state, "epsilon", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_MOMENTUM:
        o->adapt.options.momentum = option_real(state, "momentum", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_FOLDED:
        o->adapt.options.folded = option_folded(state, arg);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARG:
        if (o->input)
            argp_error(state, "one model at a time, '%s' is a second one", arg);
        o->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->input || !o->output)
            argp_error(state, "needs a model and --output");
        if (o->trainable && !o->adapt.data)
            argp_error(state, "--trainable measures on data: it needs --calibrate");
        if (o->adapt.data && !o->trainable && !o->inference)
            argp_error(state, "--calibrate is of --trainable or --inference");
        if (o->trainable && o->inference)
            argp_error(state, "--trainable and --inference exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "output", 'o', "FILE", 0, "where the model goes; text where it ends in .onnxtxt", 1 },
        { "text", 't', NULL, 0, "write the ONNX textual syntax, whatever the file is called", 1 },
        { "inference", KEY_INFERENCE, NULL, 0, "BatchNormalization and Dropout as they are after training", 1 },
        { "set", KEY_SET, "NAME=FILE", 0, SET_HELP, 1 },
        { "trainable", KEY_TRAINABLE, NULL, 0, "the short form of kiln adapt", 2 },
        { "calibrate", KEY_CALIBRATE, "SPEC", 0,
          "with --trainable or --inference: the data that running statistics are measured on", 2 },
        { "limit", KEY_LIMIT, "N", 0, "of the data: only the first N samples", 2 },
        { "normalize", KEY_NORMALIZE, "KIND", 0,
          "of the data: unit (/255), center, standardize or none (as the metadata say)", 2 },
        { "epsilon", KEY_EPSILON, "X", 0, "of BatchNormalization, where the file does not tell", 2 },
        { "momentum", KEY_MOMENTUM, "X", 0, "likewise", 2 },
        { "folded", KEY_FOLDED, "WHICH", 0, "convolutions that one was folded into: those named so (named), all, none",
          2 },
        { "threads", KEY_THREADS, "N", 0, "threads (0: one for each CPU)", 2 },
        { 0 },
    };
    const struct argp argp = { options,
                               parse_option,
                               "MODEL",
                               "Write a model in another form: binary or text, for inference, or for training.",
                               limits_options,
                               NULL,
                               NULL };
    struct options o = { .adapt.options = KILN_ADAPT_OPTIONS_INIT };
    static struct conversion v;
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    v.o = &o;
    v.command.limits = o.limits;
    ok = command_start(&v.command, o.adapt.threads) && convert(&v);
    kiln_model_free(v.model);
    return command_end(&v.command, ok);
}

const struct verb verb_convert = { "convert", "write a model in another form", run };
