#include "sets.h"
#include <stdlib.h>
#include <string.h>

void sets_add(struct sets *s, char *arg, struct argp_state *state)
{
    if (s->count == MAX_SETS)
        argp_error(state, "--set is given more than %d times", (int)MAX_SETS);
    s->arg[s->count++] = arg;
}

/* Where the name ends: at the '=' before which an input is called so, else at the first. */
static char *name_end(const kiln_model *m, char *arg)
{
    for (char *at = strchr(arg, '='); at; at = strchr(at + 1, '='))
        for (size_t k = 0; k < kiln_model_input_count(m); k++) {
            const char *name = kiln_model_input(m, k)->name;

            if (strlen(name) == (size_t)(at - arg) && strncmp(name, arg, (size_t)(at - arg)) == 0)
                return at;
        }
    return strchr(arg, '=');
}

/* Reads the files and gives the values to *o, which must go to release then, also after an error. */
static bool read_values(struct command *c, const struct sets *s, const kiln_model *m, kiln_edit_options *o)
{
    const char **names = calloc(s->count + 1, sizeof *names);
    kiln_tensor **values = calloc(s->count + 1, sizeof *values);

    o->constant_names = names;
    o->constants = (const kiln_tensor *const *)values;
    if (!names || !values)
        return command_no_memory(c);
    for (size_t k = 0; k < s->count; k++) {
        char *const equals = name_end(m, s->arg[k]);

        if (!equals)
            return command_fail(c, KILN_BAD_ARGUMENT, NULL, "--set '%s' must be NAME=FILE", s->arg[k]);
        *equals = 0;
        names[k] = s->arg[k];
        if (kiln_tensor_read(&values[k], equals + 1, KILN_TENSOR, c->context, &c->err) != KILN_OK)
            return false;
        o->constant_count++;
    }
    return true;
}

static void release(kiln_edit_options *o)
{
    for (size_t k = 0; k < o->constant_count; k++)
        kiln_tensor_free((kiln_tensor *)(uintptr_t)o->constants[k]);
    free((void *)(uintptr_t)o->constants);
    free((void *)(uintptr_t)o->constant_names);
}

bool sets_apply(struct command *c, kiln_model **m, const struct sets *s)
{
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    kiln_model *made = NULL;

    if (!s->count)
        return true;
    if (read_values(c, s, *m, &o))
        kiln_model_edit(&made, *m, &o, &c->err);
    release(&o);
    if (!made)
        return false;
    kiln_model_free(*m);
    *m = made;
    return true;
}
