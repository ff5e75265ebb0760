/* Passes over the graph of an inference session: they change a clone, in which values of the model keep their ids, and
 * leave subgraphs alone. What they put in place of an initializer is a new one.
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
/* Initializers may be views of each other: the pieces of memory that they lie in, and how many of the values in each
 * are read by anybody (reads[id] is not 0). */
struct pieces {
    int *of;      /* by value id */
    int *readers; /* by piece */
};
bool pieces_find(struct pieces *p, const struct graph *g, const int *reads, struct arena *arena, struct report *r);
void pieces_unread(struct pieces *p, const struct value *v); /* nobody reads the value any more */
/* An initializer in a piece that nobody reads gives its memory back, if the passes have made it, and it is big: what is
 * in it is lost. False where it is neither. */
bool passes_forget(struct passes *p, const struct value *v, const struct pieces *pieces);

/* What can be told without inputs becomes an initializer, once and not for each set of shapes. */
bool pass_constants(struct passes *p, const struct plan_context *c);
/* Shuffles of channels become one node. */
bool pass_shuffle(struct graph *g, struct report *r);
/* Zeros that a Pad puts around images become the pads of the convolution or the average pool behind it. Also for the
 * graph of a trainer, before its gradients; `given` as for pass_layout. */
bool pass_pad(struct graph *g, const struct tensor *given, struct report *r);
/* Transpositions that undo each other go, also around elementwise nodes. */
bool pass_transposes(struct graph *g, struct report *r);
/* Float convolutions, and what stands between them, get their channels last (ops/layout.h). Also for the graph of a
 * trainer, before its gradients. `given`, by value id, may hold types that neither values nor initializers tell, rank
 * UNKNOWN for nothing; `kept`, by value id, who is asked for besides the graph's outputs. Either may be NULL. The nodes
 * get other ids. */
bool pass_layout(struct graph *g, const struct tensor *given, const bool *kept, struct report *r);
/* Normalisation, scale and shift of channels go into the weights and the bias of the node before. */
bool pass_affine(struct graph *g, struct report *r);
/* An addition goes into a convolution with channels last, behind which it stands. */
bool pass_residual(struct graph *g, struct report *r);
/* Relu goes into the node before; a Clip into a convolution with channels last. */
bool pass_relu(struct graph *g, struct report *r);
/* Convolutions whose channels are only to be concatenated write them where they belong. */
bool pass_concat(struct graph *g, struct report *r);
/* Batch normalisation in training, with the activation and the pool behind it, becomes one node. For the graph of a
 * trainer, after channels were put last and before gradients; `types` by value id. */
bool pass_norm(struct graph *g, const struct tensor *types, struct report *r);
/* What elementwise nodes make of values that the backward pass needs anyway is not kept for it, but made again there.
 * For the graph of a trainer, after gradients and optimiser; `forward` tells of it before them. */
struct forward_part {
    const struct program *types; /* of all values then, by plan_types */
    size_t nodes, values;        /* how many there were: the same ones are the first still */
};
bool pass_recompute(struct graph *g, const struct forward_part *forward, struct report *r);
/* Elementwise nodes become chains. For any graph of which no gradient is taken any more, the last of all passes. */
bool pass_fuse(struct graph *g, struct report *r);

/* -- for passes -- */

struct use {
    int count;           /* nodes that read it, each place counted, and the graph's outputs */
    struct node *reader; /* one of them; NULL where there is none but an output */
};

/* Tells all values what is known of them now (ops/rank.h); `given` as for pass_layout. */
void pass_know(const struct graph *g, const struct tensor *given);

/* Is the node a step of a chain (kernels/chain.h) where what it reads is float? The numbers of operands are not set. */
struct chain_step;
bool pass_step(const struct node *n, struct chain_step *s);

/* By value id, in the graph's arena. */
struct use *pass_uses(const struct graph *g, struct report *r);
/* A new initializer, with memory for its data. */
struct value *pass_initializer(struct graph *g, enum dtype dtype, int rank, const int64_t *dims, struct report *r);
/* The node that alone reads what n's first output holds; NULL where there is none. */
struct node *pass_next(const struct use *uses, const struct node *n);
/* `n` reads nothing and makes nothing any more. */
void pass_empty(struct node *n);
/* A copy of the node's attributes, to be changed. */
void *pass_attrs(struct node *n, struct report *r);
/* `n` makes what `last` made, at the end of a chain of pass_next's; those after `n` make nothing any more. */
void pass_replace(const struct use *uses, struct node *n, struct node *last);

#endif
