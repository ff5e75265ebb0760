/* kiln convert: a model in another form. */
#include "adaptation.h"
#include "sets.h"
#include "steps.h"
#include <string.h>

struct options {
    const char *input, *output;
    struct sets sets;
    bool inference, text, trainable, folded; /* was it said? */
    struct adapt_request adapt;
    struct step_options step;
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
    kiln_load_options o = load_options(&v->command);

    v->command.teller.file = v->o->input;
    o.partial = !v->o->step.training;
    if (o.partial)
        o.diagnostic = tell_nothing;
    return kiln_model_open(&v->model, v->o->input, &o, &v->command.err) == KILN_OK;
}

static bool make_inference(struct conversion *v)
{
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    kiln_model *made;

    o.inference = true;
    if (kiln_model_edit(&made, v->model, &o, &v->command.err) != KILN_OK)
        return false;
    kiln_model_free(v->model);
    v->model = made;
    return true;
}

static bool convert(struct conversion *v)
{
    const kiln_form form = v->o->text ? KILN_FORM_TEXT : KILN_FORM_BY_NAME;
    struct command *c = &v->command;

    if (kiln_file_claim(c->context, v->o->output, KILN_FILE_MODEL, &c->err) != KILN_OK || !open_any(v) ||
        !sets_apply(c, &v->model, &v->o->sets))
        return false;
    v->o->adapt.options.inference = v->o->inference;
    if (v->o->adapt.data && !adapt_model(c, &v->model, &v->o->adapt)) /* measures statistics before they are used */
        return false;
    if (v->o->inference && !v->o->adapt.data && !make_inference(v))
        return false;
    if (v->o->step.training && !step_model(c, &v->model, &v->o->step))
        return false;
    return kiln_model_save(v->model, v->o->output, form, &c->err) == KILN_OK;
}

/* -- the verb -- */

enum { KEY_INFERENCE = 256, KEY_SET, KEY_TRAINABLE, KEY_FOLDED };

static kiln_folded option_folded(struct argp_state *state, const char *arg)
{
    static const char *const names[] = { "named", "all", "none" };

    for (int k = 0; k < 3; k++)
        if (strcmp(arg, names[k]) == 0)
            return (kiln_folded)k;
    argp_error(state, "--folded is '%s', must be named, all or none", arg);
    return KILN_FOLDED_NAMED;
}

static void check(const struct options *o, struct argp_state *state)
{
    const kiln_adapt_options *a = &o->adapt.options;

    if (!o->input || !o->output)
        argp_error(state, "needs a model and --output");
    if (o->trainable && o->inference)
        argp_error(state, "--trainable and --inference exclude each other");
    if (o->trainable && !o->adapt.data)
        argp_error(state, "--trainable measures on data: it needs --calibrate");
    if (o->adapt.data && !o->trainable && !o->inference)
        argp_error(state, "--calibrate is of --trainable or --inference");
    if ((a->epsilon > 0 || a->momentum > 0 || o->folded) && !o->adapt.data)
        argp_error(state, "--epsilon, --momentum and --folded are of what is measured: --calibrate");
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
    case KEY_FOLDED:
        o->folded = true;
        o->adapt.options.folded = option_folded(state, arg);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->adapt;
        state->child_inputs[1] = &o->step;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->input, arg);
        return 0;
    case ARGP_KEY_END:
        check(o, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    { "output", 'o', "FILE", 0, "where the model goes; text where it ends in .onnxtxt", 1 },
    { "text", 't', NULL, 0, "write the ONNX textual syntax, whatever the file is called", 1 },
    { "inference", KEY_INFERENCE, NULL, 0, "BatchNormalization and Dropout as they are after training", 1 },
    { "set", KEY_SET, "NAME=FILE", 0, SET_HELP, 1 },
    { "trainable", KEY_TRAINABLE, NULL, 0, "the short form of kiln adapt; needs --calibrate", 2 },
    { "folded", KEY_FOLDED, "named|all|none", 0,
      "with --calibrate: convolutions that BatchNormalization was folded into, those named so (named), all, none", 3 },
    { 0 },
};

static const struct argp_child children[] = { ADAPTATION_OPTIONS,
                                              { &step_arguments, 0, "Training that the file tells:", 12 },
                                              { 0 } };

static const struct argp argp = {
    argp_options, parse_option,
    "MODEL",      "Write a model in another form: binary or text, for inference, or for training.",
    children,     NULL,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { .adapt.options = KILN_ADAPT_OPTIONS_INIT };
    static struct conversion v;
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    v.o = &o;
    v.command.limits = o.adapt.limits;
    ok = command_start(&v.command, o.adapt.threads) && convert(&v);
    kiln_model_free(v.model);
    return command_end(&v.command, ok);
}

const struct verb verb_convert = {
    "convert",
    "write a model in another form",
    run,
    &argp,
    "Text to look at, which becomes a model again:\n"
    "    kiln convert model.onnx --output model.onnxtxt\n"
    "    kiln convert model.onnxtxt --output again.onnx\n"
    "Training as one graph, for any runtime:\n"
    "    kiln convert model.onnx --training --lower --loss sparse_categorical_crossentropy --batch 32 \\\n"
    "        --output step.onnx\n",
};
