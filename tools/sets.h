/* --set NAME=FILE: inputs of a model that become constants. Exporters make inputs of what a layer was adapted to, such as
 * a mean and a variance. */
#ifndef KILN_TOOLS_SETS_H
#define KILN_TOOLS_SETS_H

#include "tools.h"

enum { MAX_SETS = 64 };

struct sets {
    char *arg[MAX_SETS]; /* "NAME=FILE" */
    size_t count;
};

#define SET_HELP "an input becomes a constant, from a .npy file; may be repeated"

void sets_add(struct sets *s, char *arg, struct argp_state *state);
/* *m becomes a model in which they are constants; names may hold '=' where the model has such an input. False with an
 * error, and *m as it was. */
bool sets_apply(struct command *c, kiln_model **m, const struct sets *s);

#endif
