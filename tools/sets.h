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
/* Reads the files and gives the values to *o, which must go to sets_release then, also after an error; names may hold '='
 * where the model has such an input. */
bool sets_read(struct command *c, const struct sets *s, const kiln_model *m, kiln_edit_options *o);
void sets_release(kiln_edit_options *o);

#endif
