/* The planner's own: what is known while a program is made. */
#ifndef KILN_PLAN_PLANNER_H
#define KILN_PLAN_PLANNER_H

#include "ops/op.h"
#include "plan/slices.h"

struct planner {
    const struct plan_context *c;
    const struct graph *graph;
    struct program *program;
    struct slices *slices;                /* that run before it; NULL: none do */
    struct arena scratch;                 /* ends with the planning */
    const struct tensor *given;           /* by value id: what the caller has */
    const bool *content;                  /* by value id: planning may look at what is in it; NULL: at nothing */
    bool *needed;                         /* by node id */
    int *readers;                         /* by value id: how many needed nodes and graph outputs read it */
    struct link *reuse;                   /* by value id: the input whose memory it may take; id -1: none */
    bool *provided;                       /* by value id: the frame has it */
    bool *wanted;                         /* by value id */
    int64_t *scratch_of;                  /* by node id */
    int64_t constant_bytes, folded_bytes; /* of the graph's constants; of what was made of them */
    int depth;                            /* of subgraphs being inferred */
    double seconds;                       /* that the program takes at least */
    const struct node **refused; /* gets the node that does not fit, and what comes before it is kept; or NULL */
};

struct link {
    int id;
    int other;    /* another input whose memory the output may take, where that of the first is not free; or -1 */
    bool view;    /* the same bytes */
    bool updates; /* the output takes the input's place */
};

/* Answers of one node's infer. */
struct infer {
    struct planner *planner;
    const struct node *node;
    const struct tensor **in; /* formal and captured; NULL where left out */
    struct tensor **out;      /* by slot; NULL where nobody reads it */
    bool *known;              /* by slot: known_out was called */
    struct link *links;       /* by slot */
    int *next_states;         /* by slot: the input whose next value it is, or -1 */
    int64_t scratch;
    void *plan;
    struct preparation *preparations; /* by input; NULL for none at all */
    bool waits;                       /* for the content of an input */
    bool failed;                      /* with an error in the report */
};

/* plan/plan.c: the content of a value from outside becomes known, where the caller allows it; a copy is kept. */
bool look_at(struct planner *p, int id);
/* plan/infer.c */
bool infer_begin(struct infer *i, struct planner *p, const struct node *n);
/* plan/fold.c: runs the node now, its outputs become constants. False where it is not possible, without an error, or
 * failed. */
bool fold_node(struct infer *i);
/* plan/memory.c */
bool place_values(struct planner *p);

#endif
