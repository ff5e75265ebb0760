/* The number of samples that a file fixes: what the parts of the step share. batch.c decides, plan.c sees where the
 * samples are, follow.c and mend.c find what has to change, edit.c and declare.c change it,
 * proof.c runs what came out. Functions return false with an error alone: what is wrong with the model is no error here. */
#ifndef KILN_ADAPT_BATCH_H
#define KILN_ADAPT_BATCH_H

#include "adapt/step.h"
#include "ops/op.h"
#include "plan/program.h"

enum { BATCH_OTHER = 13 }; /* times the file's batch is looked at: no dimension is likely to have it by chance */

/* Where a value has its samples: in which dimension, UNKNOWN where in none, and how many things stand before them
 * there. [positions * samples, features] has `before` positions, [samples * heads, ...] 1. */
struct track {
    int dim;
    int64_t before;
};

enum mend_kind {
    MEND_NOTHING, /* all stays, though something else could be meant */
    MEND_ENTRY,   /* an entry of a vector of sizes is for any number of samples */
    MEND_BOUND,   /* an entry of such a vector is a number that fits any */
    MEND_STATE,   /* an input, a state of zeros, is left out */
    MEND_ORDER,   /* a Gather of all elements in their order becomes a Reshape */
    MEND_ROWS     /* what is read has the rows of one sample, or those of one sample for each */
};

/* A place of the graph that has to change. */
struct mend {
    enum mend_kind kind;
    const struct node *node; /* of the model's graph */
    int input;               /* of the node: the vector, the state, or what has the rows */
    int entry;               /* of the vector */
    int dim;                 /* that has the samples then: of the node's output, or of what has the rows */
    int64_t factor;          /* so many there for each sample; MEND_BOUND: the number */
    bool repeat;             /* the rows are repeated for each sample; else they are broadcast */
    bool unsure;             /* it may as well have to be another one */
};

/* Something could be done in several ways: which was taken, and how many mends there were before. */
struct decision {
    size_t node, mends;
    int way, ways;
};

struct batch {
    struct adapt *adapt;
    const struct model *model; /* that is looked at */
    const struct graph *graph; /* of it */
    int64_t size;              /* the batch of the file */
    bool told;                 /* the inputs tell it; else they leave it open */
    bool *has;                 /* by input of the graph: does it begin with samples? */
    const struct tensor *x;    /* likewise: its type, with sizes for what else it leaves open */
    struct budget budget;
    struct arena arena;
    struct graph *base;        /* a clone in which constants are folded; ids are the same */
    struct program *constants; /* of the clone */
    struct program *file;      /* types for the file's batch */
    struct program *other;     /* and for another one, with all mends so far */
    struct track *track;       /* by value id, by these two */
    bool *decided;             /* by node id */
    struct decision *decisions;
    size_t decision_count, decision_room;
    struct mend *mends;
    size_t mend_count, mend_room;
    size_t place;      /* the node that is looked at */
    const char *first; /* what the likeliest way was stuck at, */
    const char *where; /* what keeps it from being freed: the place, NULL for none, */
    const char *stuck; /* and why; NULL where nothing does */
};

static inline const struct tensor *file_type(const struct batch *b, const struct value *v)
{
    return &b->file->types[v->id];
}

static inline bool tracked(const struct batch *b, const struct value *v)
{
    return v && b->track[v->id].dim >= 0;
}

/* -- plan.c -- */

/* Finds the batch, and plans for it. b->size is 0 where there is none, or the model fits no batch. */
bool batch_begin(struct batch *b, struct adapt *a);
void batch_end(struct batch *b);
/* Plans `g`, of the same inputs, for so many samples, for types alone; NULL with an error, also where it does not
 * fit. */
struct program *batch_plan(struct batch *b, const struct graph *g, int64_t samples, struct report *r);
/* Plans for another batch, with all mends, as far as it goes, and finds the samples: *refused is the place of the node
 * that does not fit, with the error in `quiet`, or the number of all where each does. */
bool batch_plan_mended(struct batch *b, struct report *quiet, size_t *refused);
/* An error of shapes, which says something of the model, and not of time or memory. */
bool batch_misfit(const struct report *r);
/* The type of what has its samples in `dim`, for another number of them. */
struct tensor batch_scaled(const struct batch *b, const struct tensor *t, int dim, int64_t samples);
/* What stands before the samples in all of the value. */
int64_t batch_outer(const struct batch *b, const struct value *v);

/* -- mend.c -- */

/* Adds the mends of the way-th of the ways in which the node may be mended. No ways: it fits, or cannot be. b->stuck
 * where that way is none after all. `refused`: the other batch does not pass it. */
bool batch_mend(struct batch *b, const struct node *n, bool refused, int way, int *ways);
/* What stands at an input of a node, where it is the same for all batches; NULL. */
const struct tensor *batch_constant(const struct batch *b, const struct node *n, int k);
/* Is it a vector of integers? */
bool batch_vector(const struct batch *b, const struct node *n, int k, struct ints *out);

/* -- follow.c -- */

/* Finds the mends with which any number of samples passes, or what it is stuck at. */
bool batch_follow(struct batch *b);

/* -- edit.c -- */

/* Makes all mends in the copy `m`, which is not built, and declares the batch as open. *declared: how many inputs and
 * outputs were told so. */
bool batch_edit(struct batch *b, struct model *m, size_t *declared);

/* -- declare.c -- */

/* Leaves the batch open in all that is declared. *declared: how many inputs and outputs were told so. */
bool batch_declare(struct batch *b, struct edit *e, size_t *declared);

/* -- proof.c -- */

/* Is one batch of *samples samples of `freed` as many runs of the model? b->stuck says why not. */
bool batch_prove(struct batch *b, const struct model *freed, int64_t *samples);

#endif
