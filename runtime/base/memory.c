#include "base/memory.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20 };

/* Before each block, so that freeing needs no size. Exactly one alignment long. */
struct header {
    _Alignas(ALIGNMENT) size_t bytes;
    struct budget *total;        /* that is charged once for all its holders; NULL: for none */
    atomic_uint holders, within; /* how many; of which charge `total` */
};

static void raise_peak(struct budget *b, size_t used)
{
    size_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);

    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* Of one budget, whatever its totals say. */
static bool take(struct budget *b, size_t bytes)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

    do
        if (bytes > SIZE_MAX / 2 || (b->limit && (used > b->limit || bytes > b->limit - used)))
            return false;
    while (!atomic_compare_exchange_weak_explicit(&b->used, &used, used + bytes, memory_order_relaxed,
                                                  memory_order_relaxed));
    raise_peak(b, used + bytes);
    return true;
}

static void discharge_up_to(struct budget *b, const struct budget *end, size_t bytes)
{
    for (; b != end; b = b->total)
        atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

/* Up to, but not to, `end`. */
static bool charge_up_to(struct budget *b, const struct budget *end, size_t bytes, struct report *r)
{
    for (struct budget *at = b; at != end; at = at->total)
        if (!take(at, bytes)) {
            discharge_up_to(b, at, bytes);
            return fail(r, KILN_LIMIT, NULL, "%zu more bytes would pass the memory limit of %zu, of which %zu are used",
                        bytes, at->limit, (size_t)at->used);
        }
    return true;
}

static bool charge(struct budget *b, size_t bytes, struct report *r)
{
    return charge_up_to(b, NULL, bytes, r);
}

static void discharge(struct budget *b, size_t bytes)
{
    discharge_up_to(b, NULL, bytes);
}

static struct budget *last_total(struct budget *b)
{
    while (b->total)
        b = b->total;
    return b;
}

struct budget budget_like(const struct budget *b)
{
    return (struct budget){ .limit = b->limit, .total = b->total, .seconds = b->seconds };
}

struct budget budget_within(struct budget *total)
{
    return (struct budget){ .limit = total->limit, .total = total, .seconds = total->seconds };
}

size_t budget_left(const struct budget *b)
{
    size_t left = SIZE_MAX;

    for (; b; b = b->total)
        if (b->limit && b->limit - b->used < left)
            left = b->limit - b->used;
    return left;
}

/* -- time -- */

enum { CANCELLED = 1u };

void cancel_request(struct cancel *c)
{
    atomic_fetch_or(&c->state, CANCELLED);
}

void cancel_reset(struct cancel *c)
{
    unsigned state = atomic_load(&c->state);

    while (state & CANCELLED && !atomic_compare_exchange_weak(&c->state, &state, state + 1))
        ;
}

void budget_start(struct budget *b)
{
    const double most = 1e9; /* seconds; 30 years */
    uint64_t ns;

    budget_stop(b);
    b->watched = last_total(b)->cancel;
    b->calm = b->watched ? atomic_load(&b->watched->state) & ~CANCELLED : 0;
    if (!(b->seconds > 0))
        return;
    ns = (uint64_t)((b->seconds < most ? b->seconds : most) * 1e9);
    b->wall = clock_coarse() + ns;
    b->computed = clock_computed() + ns;
}

void budget_stop(struct budget *b)
{
    b->wall = b->computed = 0;
    b->watched = NULL;
}

static bool cancelled(const struct budget *b)
{
    return b->watched && atomic_load_explicit(&b->watched->state, memory_order_relaxed) != b->calm;
}

bool budget_late(const struct budget *b)
{
    return cancelled(b) || (b->wall && clock_coarse() >= b->wall && clock_computed() >= b->computed);
}

bool budget_in_time(const struct budget *b, const char *where, struct report *r)
{
    if (cancelled(b))
        return fail(r, KILN_STOPPED, where, "cancelled");
    return !budget_late(b) || fail(r, KILN_LIMIT, where, "not over within the time limit of %g s", b->seconds);
}

/* -- blocks -- */

/* What lies in the middle of a big block may be huge pages: a weight that is read from a file then costs few faults. */
static void advise_huge(void *p, size_t bytes)
{
    const uintptr_t from = ((uintptr_t)p + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE,
                    to = ((uintptr_t)p + bytes) / HUGE_PAGE * HUGE_PAGE;

    madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_HUGEPAGE);
}

/* With its header, in whole alignments, and what the C library's allocator leaves unused around a small one. */
bool budget_charge(size_t bytes, size_t *charged)
{
    enum { UNUSED = 48 };

    if (__builtin_add_overflow(bytes, sizeof(struct header) + ALIGNMENT - 1 + UNUSED, charged))
        return false;
    *charged = (*charged - UNUSED) / ALIGNMENT * ALIGNMENT + UNUSED;
    return true;
}

void *budget_alloc(struct budget *b, size_t bytes, struct report *r)
{
    struct header *h;
    size_t total;

    if (!budget_charge(bytes, &total)) {
        fail(r, KILN_LIMIT, NULL, "%zu bytes are more than can be addressed", bytes);
        return NULL;
    }
    if (!charge(b, total, r))
        return NULL;
    h = aligned_alloc(ALIGNMENT, total / ALIGNMENT * ALIGNMENT);
    if (!h) {
        discharge(b, total);
        fail_no_memory(r, bytes);
        return NULL;
    }
    if (total >= 4 * (size_t)HUGE_PAGE)
        advise_huge(h, total);
    h->bytes = total;
    h->total = last_total(b);
    atomic_init(&h->holders, 1);
    atomic_init(&h->within, 1);
    return h + 1;
}

bool budget_share(struct budget *b, void *p, struct report *r)
{
    struct header *h = (struct header *)p - 1;
    const bool within = h->total == last_total(b) && atomic_load(&h->within);

    if (!charge_up_to(b, within ? h->total : NULL, h->bytes, r))
        return false;
    atomic_fetch_add(&h->holders, 1);
    if (within)
        atomic_fetch_add(&h->within, 1);
    return true;
}

bool budget_is_shared(const void *p)
{
    return atomic_load(&((const struct header *)p - 1)->holders) > 1;
}

void *budget_zalloc(struct budget *b, size_t count, size_t size, struct report *r)
{
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        fail(r, KILN_LIMIT, NULL, "%zu times %zu bytes are more than can be addressed", count, size);
        return NULL;
    }
    p = budget_alloc(b, bytes, r);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void budget_free(struct budget *b, void *p)
{
    struct header *h = p;

    if (!p)
        return;
    h--;
    if (h->total == last_total(b) && atomic_load(&h->within) && atomic_fetch_sub(&h->within, 1) > 1)
        discharge_up_to(b, h->total, h->bytes);
    else
        discharge(b, h->bytes);
    if (atomic_fetch_sub(&h->holders, 1) == 1)
        free(h);
}

bool budget_grow(struct budget *b, void *array, size_t *capacity, size_t need, size_t size, struct report *r)
{
    void *old, *new;
    size_t n = *capacity ? *capacity : 8;

    if (need <= *capacity)
        return true;
    while (n < need) {
        if (n > SIZE_MAX / 2)
            return fail(r, KILN_LIMIT, NULL, "%zu elements are more than can be addressed", need);
        n *= 2;
    }
    memcpy(&old, array, sizeof old); /* whatever type of pointer the caller has */
    new = budget_zalloc(b, n, size, r);
    if (!new)
        return false;
    if (old)
        memcpy(new, old, *capacity * size);
    budget_free(b, old);
    memcpy(array, &new, sizeof new);
    *capacity = n;
    return true;
}

static void *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* At a multiple of HUGE_PAGE, so that all but the end can be huge pages: mapped with room around, which is given
 * back. */
static void *map_aligned(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    char *p = map(whole + HUGE_PAGE);
    size_t before;

    if (!p)
        return NULL;
    before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    if (before)
        munmap(p, before);
    if (before < HUGE_PAGE)
        munmap(p + before + whole, HUGE_PAGE - before);
    madvise(p + before, whole, MADV_HUGEPAGE); /* only advice: failing costs time, nothing else */
    return p + before;
}

void *budget_alloc_pages(struct budget *b, size_t bytes, struct report *r)
{
    void *p;

    if (!bytes)
        bytes = 1;
    if (!charge(b, bytes, r))
        return NULL;
    p = bytes < HUGE_PAGE ? map(bytes) : map_aligned(bytes);
    if (!p) {
        discharge(b, bytes);
        fail_no_memory(r, bytes);
    }
    return p;
}

void budget_free_pages(struct budget *b, void *p, size_t bytes)
{
    if (!p)
        return;
    if (!bytes)
        bytes = 1;
    munmap(p, bytes);
    discharge(b, bytes);
}

/* -- arena -- */

/* Blocks grow with the arena; from MAPPED bytes they are pages of their own, which the system has zeroed already. */
enum { BLOCK = 16 * 1024, MAPPED = 1 << 18, GROWTH = 4 };

struct arena_block {
    _Alignas(ALIGNMENT) struct arena_block *before;
    size_t size;
    bool mapped; /* pages of its own */
};

static struct arena_block *new_block(struct arena *a, size_t size, struct report *r)
{
    const bool mapped = size >= MAPPED;
    struct arena_block *block = mapped ? budget_alloc_pages(a->budget, size, r) : budget_alloc(a->budget, size, r);

    if (!block)
        return NULL;
    block->size = size;
    block->mapped = mapped;
    a->total += size;
    return block;
}

/* Room for one alone, behind the present block, which goes on. */
static void *alloc_alone(struct arena *a, size_t need, struct report *r)
{
    struct arena_block *block = new_block(a, sizeof *block + need, r);

    if (!block)
        return NULL;
    block->before = a->last->before;
    a->last->before = block;
    return block + 1;
}

void *arena_alloc(struct arena *a, size_t bytes, struct report *r)
{
    size_t need;
    char *p;

    if (__builtin_add_overflow(bytes, sizeof(struct arena_block) + ALIGNMENT - 1, &need)) {
        fail(r, KILN_LIMIT, NULL, "%zu bytes are more than can be addressed", bytes);
        return NULL;
    }
    need = aligned(bytes);
    if (!a->last || need > a->size - a->at) {
        const size_t grown = a->total / GROWTH > BLOCK ? a->total / GROWTH / ALIGNMENT * ALIGNMENT : BLOCK;
        const size_t size = sizeof(struct arena_block) + (need > grown ? need : grown);
        struct arena_block *block;

        if (a->last && need > grown && need >= MAPPED)
            return alloc_alone(a, need, r);
        block = new_block(a, size, r);
        if (!block)
            return NULL;
        block->before = a->last;
        a->last = block;
        a->at = sizeof *block;
        a->size = size;
    }
    p = (char *)a->last + a->at;
    a->at += need;
    if (!a->last->mapped)
        memset(p, 0, need);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size, struct report *r)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        fail(r, KILN_LIMIT, NULL, "%zu times %zu bytes are more than can be addressed", count, size);
        return NULL;
    }
    return arena_alloc(a, bytes, r);
}

char *arena_string(struct arena *a, const char *s, size_t length, struct report *r)
{
    char *copy = length == SIZE_MAX ? NULL : arena_alloc(a, length + 1, r);

    if (copy && length)
        memcpy(copy, s, length);
    return copy;
}

char *arena_printf(struct arena *a, struct report *r, const char *format, ...)
{
    va_list args, again;
    char *s = NULL;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n >= 0)
        s = arena_alloc(a, (size_t)n + 1, r);
    if (s)
        vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return s;
}

bool arena_forget(struct arena *a, void *p, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) / page * page,
                    to = ((uintptr_t)p + bytes) / page * page;
    const struct arena_block *block = a->last;

    while (block && ((const char *)p < (const char *)block || (const char *)p >= (const char *)block + block->size))
        block = block->before;
    return block && block->mapped && from < to &&
           madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_DONTNEED) == 0;
}

void arena_release(struct arena *a)
{
    while (a->last) {
        struct arena_block *before = a->last->before;

        if (a->last->mapped)
            budget_free_pages(a->budget, a->last, a->last->size);
        else
            budget_free(a->budget, a->last);
        a->last = before;
    }
    a->at = a->size = a->total = 0;
}
