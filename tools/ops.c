/* kiln ops: the operators as a table. */
#include "tools.h"
#include <string.h>

enum { VERSIONS_TEXT = 256 };

/* A row is told when all its versions are known. */
struct row {
    kiln_operator newest;
    char versions[VERSIONS_TEXT]; /* "13, 8, 7" */
};

static void put_row(const struct row *r)
{
    const kiln_operator *op = &r->newest;

    if (!op->name)
        return;
    printf("%-30s %-24s %-36s %-56s %s%s\n", op->name, *op->domain ? op->domain : "ai.onnx", r->versions, op->types,
           op->differentiable ? "" : "no: ",
           op->zero_gradient    ? "zero"
           : op->differentiable ? "yes"
                                : op->no_gradient);
}

static bool note(void *user, const kiln_operator *op)
{
    struct row *r = user;
    const bool same =
        r->newest.name && strcmp(r->newest.name, op->name) == 0 && strcmp(r->newest.domain, op->domain) == 0;
    const size_t used = same ? strlen(r->versions) : 0;

    if (!same) {
        put_row(r);
        r->newest = *op;
    }
    snprintf(r->versions + used, sizeof r->versions - used, "%s%d", same ? ", " : "", op->since);
    return true;
}

static void put_table(void)
{
    struct row last = { .versions = "" };

    printf("%-30s %-24s %-36s %-56s %s\n", "OPERATOR", "DOMAIN", "VERSIONS", "TYPES OF THE NEWEST", "GRADIENT");
    kiln_operators(note, &last);
    put_row(&last);
}

/* -- the verb -- */

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    bool *json = state->input;

    (void)arg;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    *json = true;
    return 0;
}

static const struct argp_option argp_options[] = {
    { "json", 'j', NULL, 0, "with all inputs, outputs and types, for programs", 0 }, { 0 }
};

static const struct argp argp = { argp_options, parse_option,
                                  "",           "List the operators: versions, gradient or the reason why not, types.",
                                  NULL,         NULL,
                                  NULL };

static int run(int argc, char **argv)
{
    kiln_error err = { 0 };
    bool json = false;

    if (!options_parse(&argp, argc, argv, &json))
        return -KILN_NO_MEMORY;
    if (!json)
        put_table();
    else if (kiln_operators_write(write_file, stdout, &err) != KILN_OK && err.code != KILN_STOPPED)
        return tell_error(NULL, &err); /* what could not be written is told at the end */
    return 0;
}

const struct verb verb_ops = {
    "ops",
    "list the operators",
    run,
    &argp,
    "Operators, their versions and gradients, for a program:\n"
    "    kiln ops --json\n",
};
