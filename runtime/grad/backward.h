/* The walk's own. */
#ifndef KILN_GRAD_BACKWARD_H
#define KILN_GRAD_BACKWARD_H

#include "grad/grad.h"

struct backward {
    const struct grad_request *q;
    const struct plan_context *c;
    struct emitter e;
    struct arena scratch;    /* ends with the walk */
    size_t values;           /* how many the graph had before */
    bool *needs;             /* by value id: does anything that is asked for flow into it? */
    struct value **gradient; /* by value id: what has been given so far; NULL: nothing */
    const struct node *node; /* the one being differentiated */
};

#endif
