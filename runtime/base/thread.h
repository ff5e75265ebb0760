/* Threads of the library's own: how one is started, and one that works ahead of its owner. */
#ifndef KILN_BASE_THREAD_H
#define KILN_BASE_THREAD_H

#include "base/memory.h"
#include <pthread.h>

/* Signals belong to the program's own threads: this one gets none. False where the system gives no thread. */
bool thread_start(pthread_t *thread, void *(*run)(void *argument), void *argument);

/* Does one piece of work at a time while its owner does something else. Where the system gives no thread, the owner
 * does it. */
struct helper;
struct helper *helper_new(struct budget *b, struct report *r);
void helper_free(struct helper *h); /* when the work is done; may be NULL */
/* What was started before has been waited for. */
void helper_start(struct helper *h, void (*work)(void *context), void *context);
/* Returns when the work is done; at once where there is none. */
void helper_wait(struct helper *h);

#endif
