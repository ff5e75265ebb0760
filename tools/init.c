/* kiln init: initial weights. */
#include "model/file.h"
#include "tools.h"
#include "train/initialise.h"

struct options {
    const char *model, *output;
    struct initialise_options initialise;
    struct budget limits;
};

enum { KEY_SEED = 256, KEY_AGAIN };

static const struct argp_option argp_options[] = {
    { "output", 'o', "FILE", 0, "where the model goes; text where it ends in .onnxtxt", 0 },
    { "seed", KEY_SEED, "N", 0, "(0)", 0 },
    { "again", KEY_AGAIN, NULL, 0, "weights that the model has are drawn anew, too", 0 },
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
        o->initialise.seed = (uint64_t)option_number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_AGAIN:
        o->initialise.again = true;
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
        if (!o->model || !o->output)
            argp_error(state, "needs a model and --output");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Built once more before it is saved: what is written is a model that runs. */
static bool initialise(struct options *o, size_t *count, struct report *r)
{
    struct model *m = file_claim(o->output, FILE_WRITE_MODEL, r) ? open_model(o->model, &o->limits, r) : NULL;
    struct model *made = NULL;
    bool ok = m && model_build(m, r) && (made = model_initialise(m, &o->initialise, count, r)) && model_build(made, r);

    if (ok && !*count)
        ok = fail(r, KILN_BAD_ARGUMENT, NULL, "every parameter has a value already; --again draws them anew");
    ok = ok && model_save(made, o->output, r);
    model_free(made);
    model_free(m);
    return ok;
}

static int run(int argc, char **argv)
{
    const struct argp argp = {
        argp_options,
        parse_option,
        "MODEL",
        "Draw initial weights by Keras' rules, as the metadata say (init.NAME), else by the kind of layer."
        "\vRules:\n{initialisers:}",
        limits_options,
        help_filled,
        NULL
    };
    struct options o = { 0 };
    struct teller teller = { 0 };
    struct report r = command_report(&teller);
    size_t count = 0;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    teller.file = o.model;
    if (!initialise(&o, &count, &r))
        return tell_rest(&teller, &r.error);
    say("%s: %zu parameters drawn\n", o.output, count);
    return 0;
}

const struct verb verb_init = { "init", "draw initial weights", run };
