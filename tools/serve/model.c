#include "serve/model.h"
#include "serve/apart.h"
#include "serve/types.h"
#include <stdlib.h>
#include <string.h>

/* -- names -- */

static bool is_name(const char *s, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return length && length <= MODEL_NAME && *s != '.' && strspn(s, letters) >= length;
}

static bool take_name(struct served *m, const char *s, size_t length)
{
    if (!is_name(s, length))
        return false;
    memcpy(m->name, s, length);
    m->name[length] = 0;
    return true;
}

bool served_name(struct served *m, const char *argument)
{
    const char *equals = strchr(argument, '='), *slash = strrchr(argument, '/'), *base = slash ? slash + 1 : argument,
               *dot = strrchr(base, '.');

    m->file = argument;
    if (equals && !memchr(argument, '/', (size_t)(equals - argument))) {
        m->file = equals + 1;
        return *m->file && take_name(m, argument, (size_t)(equals - argument));
    }
    return take_name(m, base, dot > base ? (size_t)(dot - base) : strlen(base));
}

/* -- opening -- */

static bool input_fits(const struct served *m, struct command *c, const kiln_value_info *v)
{
    if (v->kind == KILN_TENSOR && type_name(v->dtype))
        return true;
    return command_fail(c, KILN_UNSUPPORTED, m->file, "input '%.80s' is of a type that the protocol does not have: %s",
                        v->name, v->kind == KILN_TENSOR ? kiln_dtype_name(v->dtype) : "no tensor");
}

static bool choose_outputs(struct served *m, struct command *c)
{
    const size_t count = kiln_model_output_count(m->model);

    m->output = calloc(count + 1, sizeof *m->output);
    if (!m->output)
        return command_no_memory(c);
    for (size_t k = 0; k < count; k++) {
        const kiln_value_info *v = kiln_model_output(m->model, k);

        if (v->kind == KILN_TENSOR && type_name(v->dtype))
            m->output[m->outputs++] = k;
        else
            say_to(stderr, "kiln: %s: output '%.80s' is of a type that the protocol does not have, it is left out\n",
                   m->file, v->name);
    }
    return m->outputs || command_fail(c, KILN_UNSUPPORTED, m->file, "it has no output that the protocol can carry");
}

/* As it is after training, as `kiln predict` has it. */
static bool open_file(struct served *m, struct command *c)
{
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    kiln_model *given = open_model(c, m->file);

    e.inference = true;
    if (given)
        kiln_model_edit(&m->model, given, &e, &c->err);
    kiln_model_free(given);
    return m->model;
}

static bool open_session(struct served *m, struct command *c, bool exact)
{
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    const char **names = calloc(m->outputs, sizeof *names);
    bool ok;

    for (size_t k = 0; names && k < m->outputs; k++)
        names[k] = kiln_model_output(m->model, m->output[k])->name;
    o.context = c->context;
    o.seconds = c->limits.seconds;
    o.exact = exact;
    o.outputs = names;
    o.output_count = m->outputs;
    ok = names ? kiln_session_new(&m->session, m->model, &o, &c->err) == KILN_OK : command_no_memory(c);
    free(names);
    return ok;
}

bool served_open(struct served *m, struct command *c, bool exact, bool batches)
{
    if (!open_file(m, c))
        return false;
    for (const kiln_value_info *v; (v = kiln_model_input(m->model, m->inputs)) && !v->optional; m->inputs++)
        if (!input_fits(m, c, v))
            return false;
    if (!choose_outputs(m, c) || !open_session(m, c, exact))
        return false;
    if (batches)
        apart_try(m);
    else
        snprintf(m->why, sizeof m->why, "--max-batch 1");
    return true;
}

void served_close(struct served *m)
{
    kiln_session_free(m->session);
    kiln_model_free(m->model);
    free(m->output);
}

/* -- classes -- */

const char *served_class(const struct served *m, const char *output, int64_t k, size_t *length)
{
    const char *line = model_metadata_of(m->model, "kiln.classes.", output);

    for (; line && k > 0; k--) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    *length = line ? strcspn(line, "\n") : 0;
    return line;
}
