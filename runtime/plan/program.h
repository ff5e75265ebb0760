/* A program: a graph planned for concrete shapes. Immutable once made; a frame (run/frame.h) gives it memory and runs
 * it.
 *
 * Where only running can tell a size or a value that planning needs, a program ends early: it is a segment, and the
 * next one is planned from what has been run by then. A program remembers what it took for granted (`requirements`), so
 * that it can be used again. */
#ifndef KILN_PLAN_PROGRAM_H
#define KILN_PLAN_PROGRAM_H

#include "graph/graph.h"

struct kernels; /* kernels/kernels.h */
struct pool;    /* base/pool.h */

enum place_kind {
    PLACE_NONE,     /* not of this segment */
    PLACE_OUTSIDE,  /* an input, a captured value, a state, or made by an earlier segment: the frame knows where */
    PLACE_CONSTANT, /* at types[id].data */
    PLACE_ARENA,    /* at `at` bytes into the program's arena */
    PLACE_VIEW,     /* the memory of value `root`, which the frame knows */
    PLACE_RUN,      /* the operator allocates it while running */
};

struct place {
    enum place_kind kind;
    int root;
    int64_t at;
};

/* What op.h's need_prepared asked for of an input. */
struct preparation {
    const struct tensor *of;
    void (*make)(const void *data, const struct tensor *in, const struct kernels *k, struct pool *pool, void *out);
    const void *data;
    size_t data_bytes, key_bytes, bytes; /* key_bytes: how many of the data's bytes tell two apart */
    bool keeps_input;                    /* what it is made of is read while running, too */
};

/* Bytes that are the same for two preparations that make the same of the same. The tensor is told by its data: clones
 * of a graph share it. */
size_t preparation_id_bytes(const struct preparation *p);
void preparation_id(const struct preparation *p, void *id);

struct program_step {
    const struct node *node;
    int64_t scratch; /* bytes into the arena */
    bool *read;      /* for each output slot: does anybody read it? */
    const void *plan;
    const struct preparation *preparations; /* by input; NULL for none at all (preparation_for) */
};

/* A subgraph as planning sees it from outside: types and steps. Running plans it anew, in a frame of its own. */
struct body {
    const struct node *node;
    int graph; /* node->graph_of[graph] */
    struct program *program;
    struct body *next;
};

/* Of input k; NULL where there is none. */
static inline const struct preparation *preparation_for(const struct program_step *s, int k)
{
    return s->preparations && s->preparations[k].make ? &s->preparations[k] : NULL;
}

struct requirement {
    int id;
    struct tensor type; /* data: the content that was taken for granted, or NULL */
};

struct next_state {
    int out, in; /* value ids */
};

struct slices; /* plan/slices.h */

struct program {
    struct arena arena;
    const struct graph *graph;
    struct tensor *types; /* by value id; rank UNKNOWN where this segment does not know */
    struct place *places; /* by value id */
    bool *done;           /* by node id: run by this segment or an earlier one, or folded away */
    int *defined;         /* ids of the values that this segment gives a place */
    size_t defined_count;
    struct program_step *steps;
    size_t step_count;
    struct requirement *requirements;
    size_t requirement_count;
    struct next_state *next_states;
    size_t next_state_count;
    int *wanted; /* values whose content the next segment needs */
    size_t wanted_count;
    struct body *bodies;   /* of nodes that have subgraphs */
    struct slices *slices; /* in which what comes before the steps is run; NULL: nothing does */
    int64_t arena_bytes;
    bool complete;
    bool types_only; /* made by plan_types: nothing has a place */
};

/* May a big batch be cut into slices? */
enum slicing {
    SLICES_NONE,
    SLICES_APART,   /* each by one thread, where there are enough for all */
    SLICES_TOGETHER /* one after the other, each by all threads, as a profile wants it */
};

struct plan_context {
    const struct kernels *kernels;
    int threads;
    struct budget *budget;
    struct report *report;
    bool once;  /* for a session, not for each set of shapes: more may be folded */
    bool exact; /* no ways that are faster and round worse */
    enum slicing slicing;
};

/* Plans the segment after `before` (NULL: the first). `tensors`, by value id, holds the types of all that the caller
 * provides: inputs, captured values, initializers that are inputs or train, and whatever earlier segments have made; of
 * the values in `before->wanted` the data is read too, and of values with `content` set (may be NULL) where planning
 * asks for it or it is small. `before` must outlive the program. NULL with an error in the report. */
struct program *plan_program(const struct graph *g, const struct program *before, const struct tensor *tensors,
                             const bool *content, const struct plan_context *c);
void program_free(struct program *p);
/* Does it hold for these types, and what was looked at, and does it cut the batch as is allowed now? */
bool program_fits(const struct program *p, const struct tensor *tensors, enum slicing slicing);

/* Types of all values for given types of inputs, as far as planning can tell them, without placing anything: types[id]
 * by value id, rank UNKNOWN where it cannot. What the backward pass is built from. The result is freed with
 * program_free. */
struct program *plan_types(const struct graph *g, const struct tensor *tensors, const bool *content,
                           const struct plan_context *c);
/* The same as far as it goes: where a node fails, for whatever reason, the error is in the report, *refused is that
 * node, and the types of what comes before it are known. *refused is NULL where none does. */
struct program *plan_types_until(const struct graph *g, const struct tensor *tensors, const struct plan_context *c,
                                 const struct node **refused);

#endif
