/* Making BatchNormalization again of what an exporter made of it: what `kiln convert --trainable` does beyond kiln.h. */
#ifndef KILN_TOOLS_RECOVER_H
#define KILN_TOOLS_RECOVER_H

#include "learn.h"

enum { RECOVER_FOLDED = 3 };
extern const char *const recover_folded[RECOVER_FOLDED]; /* "named", "all", "none" */

struct recover_request {
    const char *data; /* a SPEC: running statistics are not in the file any more, they are measured on it */
    int64_t limit;
    const char *normalize;   /* NULL: nothing */
    float epsilon, momentum; /* of BatchNormalization: a file does not tell */
    int folded;              /* in recover_folded: which convolutions are looked at */
};

/* *m becomes the recovered model, and what was found is told. False with an error. */
bool recover_model(struct command *c, kiln_model **m, const struct recover_request *q);

#endif
