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
    bool *straight;          /* by value id: what straight_find finds */
    struct tensor *flat;     /* by value id: types, where those of what is quantised are float; NULL: nothing is */
    bool *needs;             /* by value id: does anything that is asked for flow into it? */
    struct value **gradient; /* by value id: what has been given so far; NULL: nothing */
    const struct node *node; /* the one being differentiated */
};

/* May a gradient flow through values of this type: tensors of floats that are computed with, what holds such? Of what planning does not
 * know it may, so that it is refused and not left out. */
bool carries_gradient(const struct tensor *type);

/* A copy of a subgraph of the node, which the graph of gradients owns. NULL with an error. */
struct graph *body_copy(struct backward *b, const struct graph *forward);
/* Types of the values of such a copy, as far as planning can tell them: those that it sees outside are the node's
 * captured inputs, `inputs` are its own (with data, where that is the same in each run). What is private in the copy is spelled
 * out before: then nodes come and go, and there are more values. NULL with an error. */
struct program *body_types(struct backward *b, struct graph *g, const struct tensor *inputs);
/* The first operator of the graph that draws random numbers; NULL where there is none. */
const char *body_draws(const struct graph *g);

#endif
