/* The frame's own. */
#ifndef KILN_RUN_FRAME_OWN_H
#define KILN_RUN_FRAME_OWN_H

#include "run/frame.h"
#include "run/sizes.h"

struct bound; /* frame.c */

enum { CHILDREN = 2 }; /* subgraphs that a node may have: then and else */

struct frame {
    struct engine *engine;
    const struct graph *graph;
    struct made *made; /* holds the graph, where it was made for the frame; else NULL */
    struct arena arena;
    struct pool *pool;     /* the engine's, or of one thread */
    struct passes *passes; /* of a session's own frame; else NULL */
    bool nested;           /* of a subgraph: what follows is set by each call */
    uint64_t seed;         /* of random numbers */
    uint64_t calls;        /* in the present run of the frame around it, which is its run number `around` */
    uint64_t around;
    bool *known; /* by value id: captured content that planning may look at, as it is the same in every run */
    struct tensor *tensors;  /* by value id */
    struct frame **children; /* by node id and subgraph */
    struct heap heap;
    struct bound *bounds;
    struct bound *entered;      /* whose places the tensors have, if it is the only segment */
    struct bound *first, *last; /* of the latest run */
    size_t bound_count;
    uint64_t clock;
};

/* A graph of gradients. */
struct made {
    struct graph *graph;
    struct arena arena;
    struct sizes *sizes; /* of what is differentiated, where only running tells some; else NULL */
    struct found *found; /* those that it is made for */
};

/* Where the frame of a subgraph is kept. NULL with an error. */
struct frame **frame_child(struct step *s, int g);
/* Runs a subgraph whose seed is set. */
bool frame_call(struct step *s, struct frame *child, const struct tensor *const *inputs, struct tensor *outputs);
/* Was the content of a value known when what runs now was planned? */
bool frame_knows(const struct frame *f, int id);
/* step_gradient.c */
void frame_made_free(struct made *m);

#endif
