/* Big batches in slices. Where a graph begins with nodes that treat each row of the batch by itself (op.h's
 * batch_independent), and what they make of the whole batch would not stay in a cache, these nodes (the head) run on a few
 * rows at a time, each thread on slices of its own; what they leave for the others (the tail) is put together, and
 * those run on all rows at once. Weights are read once for each slice, and meet few rows there: so the head ends where
 * they outweigh what is made of a slice.
 *
 * Results depend on the shapes alone: not on the number of threads. Where there are too few slices for the threads, or
 * a profile is taken, slices run one after the other, each by all threads. */
#ifndef KILN_RUN_SLICES_H
#define KILN_RUN_SLICES_H

#include "run/frame.h"

struct slices;
struct text; /* base/text.h */

/* For the shapes of the inputs that `given` has, a frame of the same graph: all of it is planned. NULL where it is
 * better run as a whole, or memory does not suffice: what is wrong with the graph is told then. `forget`: weights go as
 * by frame_forget_weights, which may have happened even where NULL is returned. */
struct slices *slices_new(struct engine *e, const struct graph *g, const struct frame *given, bool forget);
void slices_free(struct slices *s);
/* Are they for the shapes of the inputs that are given now? */
bool slices_fit(const struct slices *s, const struct frame *given);
bool slices_run(struct slices *s, const struct frame *given, struct report *r);
/* An output of the graph; its memory belongs to the slices, until the next run. */
const struct tensor *slices_get(const struct slices *s, const struct value *v);

/* The plans, for people. False with an error. */
bool slices_describe(struct slices *s, const struct frame *given, struct text *out, struct report *r);

#endif
