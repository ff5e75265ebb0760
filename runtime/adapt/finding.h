/* What was found in a file while it was adapted, why that is believed, and what was done: a line each of the table that
 * people are shown. Texts are copied. */
#ifndef KILN_ADAPT_FINDING_H
#define KILN_ADAPT_FINDING_H

#include "base/memory.h"

enum certainty {
    CERTAIN,  /* the file says it, or leaves nothing else */
    LIKELY,   /* what exporters are known to write */
    DOUBTFUL, /* it may as well be something else: --as tells */
    CERTAINTIES
};
extern const char *const certainty_names[CERTAINTIES]; /* "certain", ... */

struct finding {
    const char *name;     /* of the layer, node, input or output, as --as names it; "" where it is of the whole model */
    const char *found;    /* "BatchNormalization, folded into Conv" */
    const char *evidence; /* "bias 'conv/batchnorm/sub:0'" */
    enum certainty certainty;
    const char *done;    /* "gamma, beta, mean and variance exact" */
    const char *unknown; /* what the file cannot tell; NULL */
};

struct findings {
    struct arena *arena;
    struct finding *at;
    size_t count, room;
};

bool findings_add(struct findings *f, const struct finding *found, struct report *r);

#endif
