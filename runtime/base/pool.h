/* A pool of threads that share out the chunks of one job at a time.
 *
 * Results never depend on the number of threads: a job is cut into chunks by its shape alone, and a chunk does the same
 * work whoever runs it. Kernels cut; the pool only hands out. */
#ifndef KILN_BASE_POOL_H
#define KILN_BASE_POOL_H

#include "base/memory.h"

struct pool;

/* `threads` counts the caller; 0 is one for each CPU this process may use. The others are started by the first job that
 * they can share; fewer, where the system gives fewer. */
struct pool *pool_new(int threads, struct budget *b, struct report *r);
/* One with the threads of another, for work with a budget of its own. Pools that share threads may be used at the same
 * time: their jobs take turns. The threads end with the last of the pools; their memory is charged to the budget of the
 * first, which must outlive all. */
struct pool *pool_share(const struct pool *other, struct budget *b, struct report *r);
void pool_free(struct pool *p);
int pool_threads(const struct pool *p); /* NULL: 1. May become fewer with the first job, never more */

/* Calls chunk(context, k, thread) for each k in [0, chunks), in any order, on any thread; returns when all are done.
 * `thread` is in [0, pool_threads) and names a slice of scratch. A pool of NULL, or one chunk, runs on the caller. Does
 * not nest; but a pool of one thread may be used by several threads at once, and in the chunks of another.
 *
 * When the time of the pool's budget is over, the chunks that have not begun are left out: who takes what was made must
 * ask budget_late first. */
void pool_run(struct pool *p, int64_t chunks, void (*chunk)(void *context, int64_t k, int thread), void *context);

/* Is the time of the pool's budget over? A chunk that takes long asks, and may return at once. NULL: never. */
bool pool_late(const struct pool *p);

#endif
