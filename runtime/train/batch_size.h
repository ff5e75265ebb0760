/* How many samples at a time a model takes. Exporters write the batch that they saw into the file: into the inputs'
 * shapes, where it does no harm, and into a Reshape, where no other batch passes. */
#ifndef KILN_TRAIN_BATCH_SIZE_H
#define KILN_TRAIN_BATCH_SIZE_H

#include "plan/program.h"

/* Plans the graph for inference, with `open` samples where its inputs leave that open, and `samples` where the first one
 * tells it (UNKNOWN: as they tell). `x`: [the graph's inputs] types in place of the inputs' own; may be NULL. What these
 * leave open besides is found (plan/open_sizes.h). Freed with program_free, NULL with an error. */
struct program *plan_samples(const struct graph *g, const struct tensor *x, int64_t open, int64_t samples,
                             const struct plan_context *c);

/* *out is the only batch that passes, 0 where any does: found by planning with a sample more than the inputs tell. A
 * warning says it, with the reason. */
bool batch_size_find(const struct graph *g, const struct tensor *x, const struct plan_context *c, int64_t *out);

/* How many of the data's samples are taken at a time where `asked` are wished for: no more than there are, or what the
 * model takes (batch_size_find), of which there must be as many. */
bool batch_size(int64_t asked, int64_t only, int64_t samples, int64_t *out, struct report *r);

#endif
