/* kiln init: initial weights. */
#include "tools.h"

struct options {
    const char *model, *output;
    uint64_t seed;
    bool again;
    struct limits limits;
};

enum { KEY_SEED = 256, KEY_AGAIN };

static const struct argp_option argp_options[] = {
    { "output", 'o', "FILE", 0, "where the model goes; text where it ends in .onnxtxt", 0 },
    { "seed", KEY_SEED, "N", 0, "(0)", 0 },
    { "again", KEY_AGAIN, NULL, 0,
      "weights that the model has are drawn anew, too: by the initialization of its training_info, where it has one",
      0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case KEY_SEED:
        o->seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_AGAIN:
        o->again = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->model, arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->model || !o->output)
            argp_error(state, "needs a model and --output");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool initialise(struct command *c, const struct options *o, size_t *count)
{
    kiln_model *m, *made = NULL;
    bool ok;

    if (kiln_file_claim(c->context, o->output, KILN_FILE_MODEL, &c->err) != KILN_OK || !(m = open_model(c, o->model)))
        return false;
    ok = kiln_model_initialize(&made, m, o->seed, o->again, count, &c->err) == KILN_OK;
    if (ok && !*count)
        ok = command_fail(c, KILN_BAD_ARGUMENT, NULL, "every parameter has a value already; --again draws them anew");
    ok = ok && kiln_model_save(made, o->output, KILN_FORM_BY_NAME, &c->err) == KILN_OK;
    kiln_model_free(made);
    kiln_model_free(m);
    return ok;
}

static const struct argp argp = {
    argp_options,
    parse_option,
    "MODEL",
    "Draw initial weights by Keras' rules, as the metadata say (init.NAME), else by the kind of layer."
    "\vRules:\n{initialisers:}",
    limits_options,
    help_filled,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { 0 };
    static struct command c;
    size_t count = 0;
    bool ok;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    c.limits = o.limits;
    ok = command_start(&c, 1) && initialise(&c, &o, &count);
    if (ok)
        say("%s: %zu parameters drawn\n", o.output, count);
    return command_end(&c, ok);
}

const struct verb verb_init = {
    "init",
    "draw initial weights",
    run,
    &argp,
    "From a network in ONNX' textual syntax:\n"
    "    kiln init net.onnxtxt --seed 1 --output fresh.onnx\n",
};
