/* Passes over the graph of an inference session: they change a clone, in which values of the model keep their ids, and
 * leave subgraphs and the order of nodes alone. What they put in place of an initializer is a new one.
 *
 * A pass returns false only where memory runs out: the clone is then of no use. */
#ifndef KILN_PLAN_PASS_H
#define KILN_PLAN_PASS_H

#include "plan/program.h"

struct passes {
    struct arena arena;
    struct graph *graph;       /* NULL: the original is run as it is */
    struct program *constants; /* holds what was folded */
};

/* Runs all passes on a clone of `g`, which must outlive it. An initializer that is an input too, as all are in files
 * before IR version 4, is taken for a constant: who sets it must go back to `g`. The result is the clone, or `g` where
 * the passes cannot help: a graph that they do not understand is run, and refused, as it stands. */
const struct graph *passes_run(struct passes *p, const struct graph *g, const struct plan_context *c);
void passes_free(struct passes *p);

/* What can be told without inputs becomes an initializer, once and not for each set of shapes. */
bool pass_constants(struct passes *p, const struct plan_context *c);
/* Transpositions that undo each other go, also around elementwise nodes. */
bool pass_transposes(struct graph *g, struct report *r);
/* Normalisation, scale and shift of channels go into the weights and the bias of the node before. */
bool pass_affine(struct graph *g, struct report *r);
/* Relu goes into the node before. */
bool pass_relu(struct graph *g, struct report *r);

/* -- for passes ---------------------------------------------------------------------------------------------------- */

struct use {
    int count;           /* nodes that read it, each place counted, and the graph's outputs */
    struct node *reader; /* one of them; NULL where there is none but an output */
};

/* By value id, in the graph's arena. */
struct use *pass_uses(const struct graph *g, struct report *r);
bool pass_is(const struct node *n, const char *op); /* an operator of the standard */
/* The tensor of a value that nobody can change; NULL where it is none. */
const struct tensor *pass_constant(const struct value *v);
/* A new initializer, with memory for its data. */
struct value *pass_initializer(struct graph *g, enum dtype dtype, int rank, const int64_t *dims, struct report *r);
/* The node that alone reads what n's first output holds; NULL where there is none. */
struct node *pass_next(const struct use *uses, const struct node *n);
/* `n` makes what `last` made, at the end of a chain of pass_next's; those after `n` make nothing any more. */
void pass_replace(const struct use *uses, struct node *n, struct node *last);

#endif
