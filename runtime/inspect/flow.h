/* Which way a gradient goes through a model's nodes, bodies' too, and where it ends: told from operators and types. */
#ifndef KILN_INSPECT_FLOW_H
#define KILN_INSPECT_FLOW_H

#include "inspect/open_types.h"
#include "train/trainable.h"

/* The order is that of what is told of a node of the file that is several of the graph: the last of theirs. */
enum flow_kind {
    FLOW_NONE,     /* no gradient comes to it */
    FLOW_UNASKED,  /* nothing that it is made of trains */
    FLOW_INTEGER,  /* what it is made of that trains comes to it as no float */
    FLOW_ZERO,     /* it is constant in pieces: the gradient is zero by definition */
    FLOW_GRADIENT, /* it goes on */
    FLOW_BLOCKED   /* it has no rule */
};

enum { FLOW_LOSS = -1 }; /* in place of a node's number */

struct flow_node {
    const struct node *node; /* of the file */
    const char *name;        /* its, or that of what it makes */
    int depth;               /* of bodies */
    enum flow_kind kind;
    const char *why;   /* it ends, or ends for an input that would be asked for; "" where it goes on */
    int64_t behind;    /* the number of the node that it comes from, the nearest to the loss; FLOW_LOSS */
    int64_t far;       /* nodes between it and the loss on that way */
    size_t gives;      /* values that it goes on to */
    const char **give; /* [gives] their names */
};

/* What is known of a parameter. */
struct flow_end {
    enum flow_kind kind;
    int64_t node; /* that gives it its gradient, or at which that ends; FLOW_LOSS: none */
    int64_t far;
};

struct flows {
    struct flow_node *at; /* from the loss back; those of bodies behind the node that has them */
    size_t count, capacity;
    size_t others;        /* nodes that no gradient comes to, and nothing would train by */
    int64_t *row;         /* by id of the main graph's nodes; FLOW_LOSS where it is one of the others */
    struct flow_end *end; /* by parameter */
};

/* From `outputs`, values of the graph, to all that would train: memory is the arena's. False with an error. */
bool flows_find(struct flows *f, const struct open_types *types, const struct parameters *p,
                struct value *const *outputs, size_t count, struct arena *arena, struct report *r);
const char *flow_name(enum flow_kind kind); /* "gradient", "zero" ... */

#endif
