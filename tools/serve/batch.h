/* Jobs that run together. */
#ifndef KILN_SERVE_BATCH_H
#define KILN_SERVE_BATCH_H

#include "serve/model.h"

/* What a worker keeps from run to run: memory for the rows of each input. */
struct batch {
    void **rows; /* [inputs] of the model */
    size_t *room;
};

/* May `b` run together with `a`? */
bool batch_fits(const struct job *a, const struct job *b);
/* Runs all jobs of a list, of `count`, and gives each its outputs or its error. Of several that cannot run together each
 * runs alone. */
void batch_run(struct served *m, struct batch *batch, struct job *first, size_t count);
void batch_free(struct served *m, struct batch *batch);

#endif
