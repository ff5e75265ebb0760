/* Passes change a graph so that it is run faster. One list of them, in pass.c, serves sessions and trainers, and says
 * of each when it holds. The graph is a clone of the model's, in which values of the model keep their ids; what a pass
 * puts in place of an initializer is a new one.
 *
 * A pass returns false only where memory runs out: the clone is then of no use. */
#ifndef KILN_PLAN_PASS_H
#define KILN_PLAN_PASS_H

#include "plan/program.h"

/* What is right at which time. */
enum pass_time {
    PASS_SESSION = 1,    /* in inference: weights stay as they are, no gradient is taken */
    PASS_EVALUATION = 2, /* in a trainer's graph without gradients, whose weights change */
    PASS_FORWARD = 4,    /* in the graph of a trainer's step, before its gradients */
    PASS_STEP = 8,       /* in the same, after gradients and optimiser */
    PASS_BODIES = 16     /* in subgraphs as well, at the same times */
};

/* The graph that passes change, and what they go by. */
struct rewrite {
    struct graph *graph;
    const struct plan_context *c;
    /* By value id, of those that there were before all passes: types that neither values nor initializers tell, rank
     * UNKNOWN for nothing; and who is asked for besides the graph's outputs. Either may be NULL. */
    size_t values;
    const struct tensor *given;
    const bool *kept;
    const struct forward_part *forward; /* for PASS_STEP */
    bool segments;                      /* memory for time (pass_segments) */
    struct program *constants;          /* set by pass_constants: holds what was folded */
};

/* Runs those passes that are right at that time. */
bool passes_apply(struct rewrite *w, enum pass_time time);

/* The form in which a session runs its graph, and what holds of it. Most sessions see one set of shapes in all their
 * life: weights that were only wanted to be prepared for it are given back then. */
enum graph_form {
    FORM_PLAIN, /* as it was given; whatever is set, and whatever shapes come */
    FORM_FRESH, /* as passes have made it, which takes initializers for constants; nothing is planned yet: weights that
                 * the first program prepares, and nobody else reads, go */
    FORM_SPENT, /* the same, when some have gone: only for what is planned already */
    FORM_WHOLE, /* the same, with all weights, which stay: for any shapes */
};

/* The graph of an inference session. */
struct passes {
    enum graph_form form;
    struct arena arena;
    struct graph *graph;       /* NULL in FORM_PLAIN: the original is run as it is */
    struct program *constants; /* holds what was folded */
};

/* Runs all passes on a clone of `g`, which must outlive it. An initializer that is an input too, as all are in files
 * before IR version 4, is taken for a constant: who sets it must go back to `g`. The result is the clone, in
 * FORM_FRESH, or `g` where the passes cannot help: a graph that they do not understand is run, and refused, as it
 * stands. */
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

/* What stands between DequantizeLinear and QuantizeLinear computes in integers; before weights are dequantised once. */
bool pass_quantized(struct rewrite *w);
/* What can be told without inputs becomes an initializer, once and not for each set of shapes. */
bool pass_constants(struct rewrite *w);
/* Outputs behind the first that nobody reads: whoever makes them need not, and where they lie does not matter. */
bool pass_unread(struct rewrite *w);
/* Shuffles of channels become one node. */
bool pass_shuffle(struct rewrite *w);
/* Zeros that a Pad puts around images become the pads of the convolution or the average pool behind it. */
bool pass_pad(struct rewrite *w);
/* Float convolutions, and what stands between them, get their channels last (ops/layout.h). The nodes get other ids. */
bool pass_layout(struct rewrite *w);
/* Batch normalisation in training, with the activation and the pool behind it, becomes one node; after channels were
 * put last. */
bool pass_norm(struct rewrite *w);
/* Transpositions that undo each other go, also around elementwise nodes. */
bool pass_transposes(struct rewrite *w);
/* Normalisation, scale and shift of channels go into the weights and the bias of the node before. */
bool pass_affine(struct rewrite *w);
/* An addition goes into a convolution with channels last, behind which it stands. */
bool pass_residual(struct rewrite *w);
/* Relu goes into the node before; a Clip into a convolution with channels last. */
bool pass_relu(struct rewrite *w);
/* Convolutions whose channels are only to be concatenated write them where they belong. */
bool pass_concat(struct rewrite *w);
/* What elementwise nodes make of values that the backward pass needs anyway is not kept for it, but made again there;
 * `forward` tells of the graph before its gradients. */
struct forward_part {
    const struct program *types; /* of all values then, by plan_types */
    size_t nodes, values;        /* how many there were: the same ones are the first still */
};
bool pass_recompute(struct rewrite *w);
/* Where the rewrite asks for it: what the backward part reads is made again, segment by segment, and not kept. */
bool pass_segments(struct rewrite *w);
/* Elementwise nodes become chains; the last of all passes. */
bool pass_fuse(struct rewrite *w);

/* -- for passes -- */

struct use {
    int count;           /* nodes that read it, each place counted, and the graph's outputs */
    struct node *reader; /* one of them; NULL where there is none but an output */
};

/* Tells all values what is known of them now (ops/rank.h). */
void pass_know(const struct rewrite *w);

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
/* Bound k, 1 or 2, of a Clip of float32: an attribute before opset 11, then an input. False where it is no constant. */
bool pass_clip_bound(const struct node *n, int k, float *value);
/* What Constant nodes make is as good as an initializer, where nobody but nodes asks for it. */
bool pass_take_constants(const struct rewrite *w);
/* A copy of the node's attributes, to be changed. */
void *pass_attrs(struct node *n, struct report *r);
/* The same, of what is a node of its lowered operator from now on (ops/op.h), if there is one. */
void *pass_lower(struct node *n, struct report *r);
/* `n` makes what `last` made, at the end of a chain of pass_next's; those after `n` make nothing any more. */
void pass_replace(const struct use *uses, struct node *n, struct node *last);

#endif
