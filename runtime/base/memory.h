/* Memory: every allocation of the library is charged to a budget, and what takes long looks at its time, so that a
 * hostile file can only cost what its reader allowed. */
#ifndef KILN_BASE_MEMORY_H
#define KILN_BASE_MEMORY_H

#include "base/status.h"
#include <stdatomic.h>

enum { ALIGNMENT = 64 }; /* of every block, in bytes: a line of the caches */

/* A total may be charged by several threads at once; all else of a budget belongs to one. */
struct budget {
    size_t limit; /* bytes; 0 is no limit */
    _Atomic size_t used, peak;
    struct budget *total;    /* what is charged here is charged there, too; NULL: nowhere else */
    double seconds;          /* that a piece of work may take from budget_start on; 0 is no limit */
    uint64_t wall, computed; /* when they will be over; 0: no work has begun that is limited */
    struct cancel *cancel;   /* of the last total: by which all work that is charged to it can be ended; NULL */
    struct cancel *watched;  /* that of the last total, while there is work; */
    unsigned calm;           /* and what its state must stay */
};

/* A way to end work from another thread, or from a signal handler. Its state is even while work may go on, and never
 * becomes again what it was: work that has seen it change stays cancelled. */
struct cancel {
    atomic_uint state;
};
void cancel_request(struct cancel *c);
void cancel_reset(struct cancel *c); /* work that begins from here on is not cancelled */

/* A budget with the same limits, of which nothing is used. */
struct budget budget_like(const struct budget *b);
/* One with the same limits, of which all is charged to `total`, too. */
struct budget budget_within(struct budget *total);
size_t budget_left(const struct budget *b); /* bytes; SIZE_MAX where there is no limit */

/* Work begins, a load, a run or a step, which may take b->seconds and be cancelled; or has ended: what follows is
 * neither limited nor cancelled. */
void budget_start(struct budget *b);
void budget_stop(struct budget *b);
/* Is the time over? It is when so many seconds have gone by, and the process has computed for as long: a process that
 * was stopped, or had no CPU, is not late. And it is when the work was cancelled. May be asked by any thread, at any
 * time; what is late stays late. */
bool budget_late(const struct budget *b);
/* False, with an error, LIMIT or STOPPED, when it is. */
bool budget_in_time(const struct budget *b, const char *where, struct report *r);
/* The same in a loop of many short steps: looks in some of them. */
static inline bool budget_in_time_at(const struct budget *b, int64_t step, const char *where, struct report *r)
{
    return step % 4096 || budget_in_time(b, where, r);
}

/* What an allocation of so many bytes is charged: with what it takes to find it at its place. False where that is more
 * than can be counted. */
bool budget_charge(size_t bytes, size_t *charged);
/* At a multiple of ALIGNMENT. NULL, with a LIMIT or NO_MEMORY error in `r` (which may be NULL), when it cannot be had. */
void *budget_alloc(struct budget *b, size_t bytes, struct report *r);
void *budget_zalloc(struct budget *b, size_t count, size_t size, struct report *r); /* zeroed, count * size checked */
void budget_free(struct budget *b, void *p);
/* Another holder of a block, which is not written to from now on: it is charged to `b` as well, but not twice to a
 * total that both have. The block goes when each holder has freed it, with the budget that it holds it by. */
bool budget_share(struct budget *b, void *p, struct report *r);
bool budget_is_shared(const void *p); /* has the block other holders? */
/* Makes room for `need` elements in *array, at least doubling. *array may be NULL with *capacity 0. */
bool budget_grow(struct budget *b, void *array, size_t *capacity, size_t need, size_t size, struct report *r);

/* Big, page-aligned, with huge pages where the system gives them. Freed with budget_free_pages and the same size. */
void *budget_alloc_pages(struct budget *b, size_t bytes, struct report *r);
void budget_free_pages(struct budget *b, void *p, size_t bytes);

/* Many small things that end together. Zero-initialise with its budget set. */
struct arena {
    struct budget *budget;
    struct arena_block *last;
    size_t at, size; /* of the last block */
    size_t total;    /* of all blocks */
};
void *arena_alloc(struct arena *a, size_t bytes, struct report *r); /* zeroed, 64-byte aligned */
void *arena_array(struct arena *a, size_t count, size_t size, struct report *r);
char *arena_string(struct arena *a, const char *s, size_t length, struct report *r);
char *arena_printf(struct arena *a, struct report *r, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Nobody reads these bytes any more: the system gets their memory, as far as it is whole pages of a big block. They
 * stay charged. False where there are none, and for memory that is not the arena's, which is left alone. */
bool arena_forget(struct arena *a, void *p, size_t bytes);
void arena_release(struct arena *a);

/* The next multiple of ALIGNMENT: for parts that one block is cut into. */
static inline size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Sizes are int64 and checked: false where the result does not fit. */
static inline bool add_size(int64_t a, int64_t b, int64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}
static inline bool mul_size(int64_t a, int64_t b, int64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
/* For memory: more than an address can tell becomes more than any budget has. */
static inline size_t to_size(int64_t bytes)
{
    return (uint64_t)bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

#endif
