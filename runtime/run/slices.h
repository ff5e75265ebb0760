/* Runs the head of a program that goes in slices (plan/slices.h): in a frame, or one for each thread. */
#ifndef KILN_RUN_SLICES_H
#define KILN_RUN_SLICES_H

#include "plan/slices.h"
#include "run/frame.h"

struct heads;

/* `s` must outlive them. NULL with an error. */
struct heads *heads_new(struct engine *e, const struct slices *s, struct report *r);
void heads_free(struct heads *h);
/* Inputs are those of `f`, a frame of the whole graph, and results go where it has the edges. */
bool heads_run(struct heads *h, const struct frame *f, struct report *r);

#endif
