/* What the parts of gradients through iterations share. */
#ifndef KILN_GRAD_ITERATIONS_H
#define KILN_GRAD_ITERATIONS_H

#include "grad/backward.h"

enum { ITERATION, CONDITION, CARRIED }; /* inputs of the body; of the outputs the first carried one is number 1 */

/* A gradient that the backward loop carries. */
struct flow {
    int input;           /* of the node */
    int carried;         /* the place of a carried value that changes; -1: the gradient of what every iteration reads */
    struct value *inner; /* in the body */
    struct value *now;   /* the input of the backward body */
    bool gathers;        /* the body does nothing with it but add to it, or put into it: it is no state */
    enum dtype dtype;    /* of the sum: float32 for halves, which would lose what is added to much */
};

/* A Gather in the body, along the first axis of what every iteration reads. */
struct pick {
    int input;                   /* of the node: the sequence */
    struct value *inner;         /* the same in the body */
    struct value *out, *indices; /* of the Gather */
};

/* What a node of the body makes that could not make it again: random numbers. */
struct drawn {
    int node, slot;
    struct value *value; /* in the copy */
    struct value *kept;
};

/* Of a value of the body. */
struct reading {
    int count;             /* reads, outputs of the body included */
    const struct node *by; /* one that does; NULL where only an output is it */
    bool whole;            /* a gradient flows to it that is not of a gathered element */
    int picks;             /* of the node: the input, whose elements are gathered; -1: what flows to it is carried */
};

struct way {
    struct backward *b;
    const struct iterations *it;
    const struct node *node;
    struct emitter e;           /* into the backward body: */
    struct graph *g;            /* a copy of the body that grows */
    struct value **inputs;      /* those that the body has; nodes make them in the copy */
    struct value **outputs;     /* and its outputs */
    const struct tensor *types; /* of the body's values */
    struct value *at;           /* in the copy: the number of the iteration, a scalar */
    bool *straight;             /* by value id: what straight_find finds */
    struct reading *readings;   /* by value id */
    bool *needs, *flows;        /* by value id: does what is asked for flow into it? does a gradient come to it? */
    bool *live;                 /* by value id of the copy: does the way back read it? */
    struct flow *flow;
    int count;
    struct pick *picks;
    int pick_count;
    struct node **was; /* the nodes of the copy as it was when it was one, in the body's order */
    size_t nodes;
    struct drawn *drawn;
    int drawn_count;
    struct value **kept; /* by input of the body: what the forward loop keeps of it; NULL: nothing */
};

/* Finds what flows where, and from that what is carried back (flow) and what is picked. */
bool iterations_find(struct way *w);
/* Where the body's input k is the same in each iteration, the node's input that it is; else NULL. */
struct value *iterations_always(const struct way *w, int k);
/* What flows into the last of the values that the node's input is the first of; NULL where there is nothing, or no such
 * value. */
struct value *iterations_end_of(const struct way *w, int input);
/* Is carried value k a tensor of one shape? An error where it is not. */
bool iterations_keep_type(struct way *w, int k);

#endif
