/* The trainer's own: a graph for one batch size (training) or all (evaluation), and the frame that runs it. */
#ifndef KILN_TRAIN_TRAINING_PROGRAM_H
#define KILN_TRAIN_TRAINING_PROGRAM_H

#include "train/trainer.h"

struct training_program {
    struct training_program *next;
    int64_t batch; /* 0: any */
    struct arena arena;
    struct graph *graph;
    struct frame *frame;
    struct value *x, *y, *rate;
    struct loss_values loss;
    struct value *metrics;   /* the sums over the rows of a batch */
    struct value **gradient; /* by state; NULL but for training */
    uint64_t used;
};

/* `batch` of 0 makes the one that evaluates. */
struct training_program *training_program_new(struct trainer *t, int64_t batch, struct report *r);
void training_program_free(struct trainer *t, struct training_program *p);

#endif
