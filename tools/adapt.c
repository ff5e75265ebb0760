/* kiln adapt: any ONNX file becomes a network that trains. */
#include "adaptation.h"
#include "sets.h"
#include <string.h>

struct options {
    const char *input, *output;
    struct sets sets;
    struct adapt_request adapt;
};

static bool adapt_file(struct command *c, struct options *o)
{
    const kiln_load_options load = load_options(c);
    kiln_model *m = NULL;
    bool ok;

    if (kiln_file_claim(c->context, o->output, KILN_FILE_MODEL, &c->err) != KILN_OK ||
        (o->adapt.report && kiln_file_claim(c->context, o->adapt.report, KILN_FILE_OUTPUT, &c->err) != KILN_OK))
        return false;
    c->teller.file = o->input;
    ok = kiln_model_open(&m, o->input, &load, &c->err) == KILN_OK && sets_apply(c, &m, &o->sets) &&
         adapt_model(c, &m, &o->adapt) && kiln_model_save(m, o->output, KILN_FORM_BY_NAME, &c->err) == KILN_OK;
    kiln_model_free(m);
    return ok;
}

/* -- the verb -- */

enum { KEY_CLASSES = 256, KEY_HEAD, KEY_OUTPUT, KEY_BATCH, KEY_AS, KEY_REPORT, KEY_INFERENCE, KEY_FREEZE, KEY_SET };

static void take_batch(struct options *o, const char *arg, struct argp_state *state)
{
    if (strcmp(arg, "free") && strcmp(arg, "keep"))
        argp_error(state, "--batch is '%s', must be free or keep", arg);
    o->adapt.options.keep_batch = strcmp(arg, "keep") == 0;
}

static void take_output(struct adapt_request *q, const char *arg, struct argp_state *state)
{
    if (q->options.output_count == ADAPT_MOST)
        argp_error(state, "--train-output is given more than %d times", (int)ADAPT_MOST);
    q->outputs[q->options.output_count++] = arg;
}

/* Options that say how the file is taken. */
static error_t parse_adaptation(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    kiln_adapt_options *a = &o->adapt.options;

    switch (key) {
    case KEY_CLASSES:
        a->classes = option_number(state, "classes", arg, 1, INT32_MAX);
        return 0;
    case KEY_HEAD:
        o->adapt.head = arg;
        return 0;
    case KEY_OUTPUT:
        take_output(&o->adapt, arg, state);
        return 0;
    case KEY_BATCH:
        take_batch(o, arg, state);
        return 0;
    case KEY_AS:
        adapt_add_choice(&o->adapt, arg, state);
        return 0;
    case KEY_SET:
        sets_add(&o->sets, arg, state);
        return 0;
    case KEY_INFERENCE:
        a->inference = true;
        return 0;
    case KEY_FREEZE:
        a->freeze_backbone = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void check(const struct options *o, struct argp_state *state)
{
    const kiln_adapt_options *a = &o->adapt.options;

    if (!o->input || !o->output)
        argp_error(state, "needs a model and --output");
    if (a->classes && o->adapt.head)
        argp_error(state, "--classes and --head exclude each other");
    if (a->inference && !o->adapt.data)
        argp_error(state, "--inference measures statistics: it needs --calibrate");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case KEY_REPORT:
        o->adapt.report = arg;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->adapt;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->input, arg);
        return 0;
    case ARGP_KEY_END:
        check(o, state);
        return 0;
    default:
        return parse_adaptation(key, arg, state);
    }
}

static const struct argp_option argp_options[] = {
    { "output", 'o', "FILE", 0, "where the model goes; text where it ends in .onnxtxt", 1 },
    { "report", KEY_REPORT, "FILE", 0, "all that was found, as JSON", 1 },
    { "classes", KEY_CLASSES, "N", 0, "a new last layer with so many classes, and the loss of classes", 2 },
    { "head", KEY_HEAD, "FILE", 0,
      "the network in this file in place of the last layer; its inputs beside the one that is fed are new weights, as "
      "float[64,5] w among those of an .onnxtxt: they have no values, and are drawn",
      2 },
    { "freeze-backbone", KEY_FREEZE, NULL, 0, "only the head is to train, a new one or the one that there is", 2 },
    { "train-output", KEY_OUTPUT, "NAME", 0, "the output that is to train; may be repeated (the first)", 2 },
    { "batch", KEY_BATCH, "free|keep", 0, "of a batch that the file fixes: free it or keep it (free)", 3 },
    { "as", KEY_AS, "NAME=CHOICE", 0,
      "what a layer is, where the table is wrong: batch-normalization, scale-and-shift, constant, trainable, frozen; "
      "of BatchNormalization fresh or measured (of a node in the file: anew), of what it was folded into folded or "
      "none, of constants shared or "
      "untied, of layers bias or no-bias, of noise noise or none; NAME may be a pattern; may be repeated",
      3 },
    { "set", KEY_SET, "NAME=FILE", 0, SET_HELP, 3 },
    { "inference", KEY_INFERENCE, NULL, 0, "BatchNormalization in training mode normalises by measured statistics", 3 },
    { 0 },
};

static const struct argp argp = {
    argp_options,
    parse_option,
    "MODEL",
    "Make of any ONNX file a network that trains and computes the same: what an exporter has "
    "taken apart is made again, what was found is told, and the decisions go into the file. "
    "Where nothing in it would train that is an error, and there is no file.",
    adaptation_options,
    help_filled,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { .adapt.options = KILN_ADAPT_OPTIONS_INIT };
    static struct command c;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    c.limits = o.adapt.limits;
    return command_end(&c, command_start(&c, o.adapt.threads) && adapt_file(&c, &o));
}

const struct verb verb_adapt = {
    "adapt",
    "make a network that trains of any file",
    run,
    &argp,
    "An export, and the same for five classes of one's own:\n"
    "    kiln adapt export.onnx --calibrate npz:train.npz --output net.onnx\n"
    "    kiln adapt export.onnx --classes 5 --freeze-backbone --calibrate folder:photos --output head.onnx\n"
    "What is in the table of the first is decided otherwise:\n"
    "    kiln adapt export.onnx --as 'norm*=frozen' --output net.onnx\n",
};
