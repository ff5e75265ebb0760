/* kiln convert: a model in another form. */
#include "graph/text.h"
#include "model/file.h"
#include "tools.h"
#include "train/prepare.h"
#include <argp.h>
#include <stdio.h>
#include <string.h>

struct options {
    const char *input, *output;
    bool inference, text;
};

static bool save_text(const struct model *m, const char *path, struct report *r)
{
    struct budget b = { 0 };
    struct text t = { .budget = &b, .report = r };
    int64_t lost = 0;
    const bool ok = text_write_model(&t, m->proto, NULL, &lost) && file_write(path, t.data, t.length, r);

    text_release(&t);
    if (ok && lost)
        warn(r, NULL, "%lld fields have no place in the text; they are listed at its end", (long long)lost);
    return ok;
}

static bool convert(const struct options *o, struct model *m, struct report *r)
{
    const size_t n = strlen(o->output);

    if (o->inference && !m->proto->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    if (o->inference && !model_to_inference(m, r))
        return false;
    if (o->text || (n > 8 && strcmp(o->output + n - 8, ".onnxtxt") == 0))
        return save_text(m, o->output, r);
    return model_save(m, o->output, r);
}

enum { KEY_INFERENCE = 256 };

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
    case ARGP_KEY_ARG:
        if (o->input)
            argp_error(state, "one model at a time, '%s' is a second one", arg);
        o->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->input || !o->output)
            argp_error(state, "needs a model and --output");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "output", 'o', "FILE", 0, "where the model goes; text where it ends in .onnxtxt", 0 },
        { "text", 't', NULL, 0, "write the ONNX textual syntax, whatever the file is called", 0 },
        { "inference", KEY_INFERENCE, NULL, 0, "BatchNormalization and Dropout as they are after training", 0 },
        { 0 },
    };
    const struct argp argp = { options, parse_option,
                               "MODEL", "Write a model in another form: binary or text, for inference.",
                               NULL,    NULL,
                               NULL };
    struct options o = { 0 };
    struct report r = { .notify = tell_diagnostic };
    struct model *m;
    int code = 0;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    r.user = (void *)(uintptr_t)o.input;
    m = open_model(o.input, &r);
    if (!m || !convert(&o, m, &r))
        code = -(int)r.error.code;
    model_free(m);
    return code;
}

const struct verb verb_convert = { "convert", "write a model in another form", run };
