/* kiln convert: a model in another form. */
#include "data/npy.h"
#include "learn.h"
#include "model/file.h"
#include "train/edit.h"
#include "train/prepare.h"
#include "train/recover.h"
#include <float.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SETS = 64 };

struct options {
    const char *input, *output;
    char *set[MAX_SETS]; /* "NAME=FILE" */
    int sets;
    bool inference, text, trainable;
    const char *calibrate; /* a SPEC */
    int64_t limit;
    enum normalization normalize;
    int threads;
    struct recover_options recover;
    struct budget limits;
};

/* -- --set -- */

/* An input becomes a constant: exporters make inputs of what a layer was adapted to, such as a mean and a variance. */
static bool set_input(struct edit *e, const char *name, const struct tensor *t)
{
    const Onnx__ValueInfoProto *input = edit_graph_input(e, name);
    const Onnx__TypeProto__Tensor *type = input && input->type ? input->type->tensor_type : NULL;
    Onnx__TensorProto *old = edit_initializer(e, name);

    if (!input && !old)
        return fail(e->report, KILN_BAD_ARGUMENT, NULL, "--set: the model has no input '%s'", name);
    if (type && type->elem_type && (enum dtype)type->elem_type != t->dtype)
        return fail(e->report, KILN_BAD_DATA, NULL, "--set: input '%s' is %s, the file has %s", name,
                    kiln_dtype_name((kiln_dtype)type->elem_type), dtype_name(t->dtype));
    edit_drop_graph_input(e, name);
    return old ? edit_tensor(e, old, t) : edit_add_initializer(e, name, t);
}

static bool set_inputs(struct options *o, struct model *m, struct report *r)
{
    struct edit e;
    struct budget b = budget_within(&o->limits);
    bool ok = edit_begin(&e, m, r);

    for (int k = 0; ok && k < o->sets; k++) {
        char *const equals = strchr(o->set[k], '=');
        struct tensor t = { 0 };

        if (equals)
            *equals = 0;
        ok = equals ? npy_load(&t, equals + 1, &b, r) && set_input(&e, o->set[k], &t)
                    : fail(r, KILN_BAD_ARGUMENT, NULL, "--set '%s' must be NAME=FILE", o->set[k]);
        budget_free(&b, t.data);
    }
    return edit_end(&e) && ok;
}

/* -- --trainable -- */

static void print_found(const struct recovered *f)
{
    say("%zu BatchNormalization from Mul and Add, %zu from folded convolutions", f->pairs, f->folded);
    if (f->outputs.floats || !f->outputs.others)
        say("; outputs differ by %.3g at most", f->outputs.difference);
    if (f->outputs.others)
        say("; of %lld values that are no floats %lld differ", (long long)f->outputs.others,
            (long long)f->outputs.unlike);
    say("\n");
}

static struct model *recover_on(const struct options *o, const struct model *m, const struct dataset *data,
                                struct budget *b, struct report *r)
{
    struct normalizer normalizer = { 0 };
    const struct calibration c = { .data = data, .normalizer = &normalizer, .threads = o->threads, .limits = *b };
    struct recovered found;
    struct model *made = NULL;

    if (normalizer_fit(&normalizer, o->normalize, data, b, r))
        made = model_recover(m, &c, &o->recover, &found, r);
    normalizer_release(&normalizer);
    if (made)
        print_found(&found);
    return made;
}

/* Running statistics are not in the file any more: they are measured on the data. */
static bool recover(struct options *o, struct model **m, struct report *r)
{
    struct data_options limit = { .limit = o->limit };
    struct budget b = budget_within(&o->limits);
    struct dataset data;
    struct model *made;

    if (!build_model(m, r))
        return false;
    limit.input = model_samples(*m);
    if (!dataset_open(&data, o->calibrate, PART_TRAIN, &limit, &b, r))
        return false;
    made = recover_on(o, *m, &data, &b, r);
    dataset_release(&data);
    if (!made)
        return false;
    model_free(*m);
    *m = made;
    return true;
}

/* -- the verb -- */

static bool convert(struct options *o, struct model **m, struct report *r)
{
    if ((o->inference || o->sets) && !(*m)->proto->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    if (o->sets && !set_inputs(o, *m, r))
        return false;
    if ((o->trainable && !recover(o, m, r)) || (o->inference && !model_to_inference(*m, r)))
        return false;
    return model_save_as(*m, o->output, o->text || path_is_text(o->output), r);
}

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

static enum fold_choice option_folded(struct argp_state *state, const char *arg)
{
    static const char *const names[] = { [FOLDED_BY_NAME] = "named", [FOLDED_ALL] = "all", [FOLDED_NONE] = "none" };

    for (int k = 0; k < 3; k++)
        if (strcmp(arg, names[k]) == 0)
            return (enum fold_choice)k;
    argp_error(state, "--folded is '%s', must be named, all or none", arg);
    return FOLDED_NONE;
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
        if (o->sets == MAX_SETS)
            argp_error(state, "--set is given more than %d times", (int)MAX_SETS);
        o->set[o->sets++] = arg;
        return 0;
    case KEY_TRAINABLE:
        o->trainable = true;
        return 0;
    case KEY_CALIBRATE:
        o->calibrate = arg;
        return 0;
    case KEY_LIMIT:
        o->limit = option_number(state, "limit", arg, 1, INT64_MAX);
        return 0;
    case KEY_NORMALIZE:
        o->normalize = option_normalization(state, arg);
        return 0;
    case KEY_THREADS:
        o->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case KEY_EPSILON:
        o->recover.epsilon = (float)option_real(state, "epsilon", arg, (double)FLT_MIN, 1);
        return 0;
    case KEY_MOMENTUM:
        o->recover.momentum = (float)option_real(state, "momentum", arg, 0, 1);
        return 0;
    case KEY_FOLDED:
        o->recover.folded = option_folded(state, arg);
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
        if (o->trainable != (o->calibrate != NULL))
            argp_error(state, "--trainable and --calibrate go together");
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
        { "set", KEY_SET, "NAME=FILE", 0, "an input becomes a constant, from a .npy file; may be repeated", 1 },
        { "trainable", KEY_TRAINABLE, NULL, 0, "make BatchNormalization again of what an exporter made of it", 2 },
        { "calibrate", KEY_CALIBRATE, "SPEC", 0,
          "with --trainable: the data that its running statistics are measured on", 2 },
        { "limit", KEY_LIMIT, "N", 0, "of the data: only the first N samples", 2 },
        { "normalize", KEY_NORMALIZE, "KIND", 0, "of the data: unit (/255), center, standardize", 2 },
        { "epsilon", KEY_EPSILON, "X", 0, "of BatchNormalization; a file does not tell (0.001)", 2 },
        { "momentum", KEY_MOMENTUM, "X", 0, "of BatchNormalization; a file does not tell (0.99)", 2 },
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
    struct options o = { .recover = RECOVER_OPTIONS_INIT };
    struct teller teller = { 0 };
    struct report r = command_report(&teller);
    struct model *m;
    int code = 0;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    teller.file = o.input;
    m = file_claim(o.output, FILE_WRITE_MODEL, &r) ? open_model(o.input, &o.limits, &r) : NULL;
    if (!m || !convert(&o, &m, &r))
        code = tell_rest(&teller, &r.error);
    model_free(m);
    return code;
}

const struct verb verb_convert = { "convert", "write a model in another form", run };
