/* The trainer's own: a graph for one batch size (training) or all (judging), and the frame that runs it. */
#ifndef KILN_TRAIN_LEARNER_H
#define KILN_TRAIN_LEARNER_H

#include "train/trainer.h"

struct learner {
    struct learner *next;
    int64_t batch; /* 0: any */
    struct arena arena;
    struct graph *graph;
    struct frame *frame;
    struct value *x, *y, *rate;
    struct loss_values loss;
    struct value **gradient; /* by state; NULL but for training */
    uint64_t used;
};

/* `batch` of 0 makes the one that judges. */
struct learner *learner_new(struct trainer *t, int64_t batch, struct report *r);
void learner_free(struct trainer *t, struct learner *l);

#endif
