/* The trainer's own: a graph for one batch size, to train with, or for all, and the frame that runs it. */
#ifndef KILN_TRAIN_TRAINING_PROGRAM_H
#define KILN_TRAIN_TRAINING_PROGRAM_H

#include "plan/found.h"
#include "train/trainer.h"

enum purpose {
    TO_TRAIN,
    TO_EVALUATE, /* inference and loss */
    TO_PREDICT,  /* inference alone */
    TO_WRITE,    /* a step of training into a file, in operators of the standard */
    TO_DESCRIBE, /* the same, with the standard's Gradient for the backward part */
    TO_SIZE /* the forward part of what trains, for sizes that only running tells (step_sizes.h): it has no frame */
};

/* What is read and made by a step that is written: [states], statistics behind what trains, and [trainable][slots]. */
struct step_values {
    struct value **state, **next, **slots, **next_slots;
    struct node *gradient;                   /* of TO_DESCRIBE: its attributes are yet to be said */
    struct value *seed, *count, *next_count; /* of random numbers; steps that lie behind, int64 */
};

struct training_program {
    struct training_program *next;
    enum purpose purpose;
    int64_t batch; /* 0: any; to train with, one */
    struct arena arena;
    struct graph *graph;
    struct frame *frame;
    const struct found *found;  /* what only running tells, as it is made for; NULL: all sizes were known */
    struct value **state;       /* by state: in this graph */
    size_t inputs, targets;     /* targets: 0 to predict with */
    struct value **x, **y;      /* [inputs], [targets] */
    struct value *weights;      /* of samples: float [samples]; NULL where all count alike */
    struct value *rate;         /* NULL but for training */
    struct loss_values *loss;   /* [targets] */
    struct value *sum;          /* of the losses, each as often as it counts: float, scalar; NULL to predict with */
    struct value **metrics;     /* [targets] the sums over the rows of a batch */
    struct value **gradient;    /* by state; NULL but for training */
    struct step_values written; /* of a step that is written, which has no frame */
    struct tensor *types;       /* of the same, by value id: what comes in, with the batch */
    uint64_t used;
    struct kept *kept;     /* of the forward part for the backward one; NULL where nobody asks */
    struct value *penalty; /* what regularisers add to the sum; NULL where there are none */
};

/* What it counts of target k. */
static inline const struct metrics *program_metrics(const struct trainer *t, const struct training_program *p, size_t k)
{
    return p->purpose == TO_TRAIN || p->purpose == TO_SIZE ? &t->targets[k].metrics : t->targets[k].evaluated;
}

/* `found` may be NULL. NULL with an error, or without one, but *open set, where some sizes are needed that only running tells, to
 * train with: `open` may be NULL for any other purpose, and where they are given. */
struct training_program *training_program_new(struct trainer *t, enum purpose purpose, int64_t batch,
                                              const struct found *found, bool *open, struct report *r);
void training_program_free(struct trainer *t, struct training_program *p);

#endif
