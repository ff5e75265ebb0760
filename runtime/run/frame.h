/* A frame runs one graph: it holds a tensor for each value, the programs that were planned for the shapes met so far,
 * and their memory. A subgraph has a frame of its own, kept between calls. A frame belongs to one thread. */
#ifndef KILN_RUN_FRAME_H
#define KILN_RUN_FRAME_H

#include "ops/op.h"
#include "plan/pass.h"
#include "run/engine.h"

struct frame;

struct frame *frame_new(struct engine *e, const struct graph *g, struct report *r);
/* That of a session, for the graph that passes_run gave. It runs big batches in slices (plan/slices.h); p->form says
 * whether weights go with the first program, and is told. */
struct frame *frame_new_main(struct engine *e, const struct graph *g, struct passes *p, struct report *r);
void frame_free(struct frame *f);
/* From the start on: its nodes run on `pool`, of one thread, so that several frames can run at once. */
void frame_run_alone(struct frame *f, struct pool *pool);
/* It is part of what runs on this pool, and draws the random numbers that come of this seed. */
void frame_within(struct frame *f, struct pool *pool, uint64_t seed);
/* Runs `p`, which must outlive the frame, for the types that it was planned for. */
bool frame_adopt(struct frame *f, const struct program *p, struct report *r);

/* Gives a value from outside: an input, a captured value, an initializer that may be overridden or that trains, or what
 * a node makes that need not be run then. Only the data pointer is kept; it must stay until the run is over, or, for
 * state, until it is set again. */
void frame_set(struct frame *f, const struct value *v, const struct tensor *t);
/* What is known of a value now: after a run, of the graph's outputs. Memory belongs to the frame, until the next
 * run. */
const struct tensor *frame_get(const struct frame *f, const struct value *v);

/* Plans what is not planned yet, and runs, within the time of the engine's budget; but when the first node that updates
 * state in place (OP_UPDATES) has begun, all is finished. Every input must have been set. */
bool frame_run(struct frame *f, struct report *r);
/* Takes staged next values (running statistics) over into the memory of what they replace. After a whole step, never
 * before. */
void frame_commit(struct frame *f);
/* Gives back what is kept of other shapes than those of the latest run. */
void frame_keep_latest(struct frame *f);
/* Will the next run find a program that fits what is set now? */
bool frame_is_planned(const struct frame *f);
/* The program that the first segment ran last; NULL before the first run. */
const struct program *frame_program(const struct frame *f);
/* Plans for the types set now, without running: for those who only look. */
const struct program *frame_plan(struct frame *f, struct report *r);

#endif
