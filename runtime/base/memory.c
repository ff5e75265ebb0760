#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };

/* Before each block, so that freeing needs no size. Exactly one alignment long. */
struct header {
    _Alignas(ALIGNMENT) size_t bytes;
};

static bool charge(struct budget *b, size_t bytes, struct report *r)
{
    if (bytes > SIZE_MAX / 2 || (b->limit && bytes > b->limit - b->used))
        return fail(r, KILN_LIMIT, NULL, "%zu more bytes would pass the memory limit of %zu, of which %zu are used",
                    bytes, b->limit, b->used);
    b->used += bytes;
    if (b->used > b->peak)
        b->peak = b->used;
    return true;
}

void *budget_alloc(struct budget *b, size_t bytes, struct report *r)
{
    struct header *h;
    size_t total;

    if (__builtin_add_overflow(bytes, sizeof *h + ALIGNMENT - 1, &total)) {
        fail(r, KILN_LIMIT, NULL, "%zu bytes are more than can be addressed", bytes);
        return NULL;
    }
    total -= total % ALIGNMENT;
    if (!charge(b, total, r))
        return NULL;
    h = aligned_alloc(ALIGNMENT, total);
    if (!h) {
        b->used -= total;
        fail_no_memory(r, bytes);
        return NULL;
    }
    h->bytes = total;
    return h + 1;
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
    b->used -= h->bytes;
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

void *budget_alloc_pages(struct budget *b, size_t bytes, struct report *r)
{
    void *p;

    if (!bytes)
        bytes = 1;
    if (!charge(b, bytes, r))
        return NULL;
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        b->used -= bytes;
        fail_no_memory(r, bytes);
        return NULL;
    }
    madvise(p, bytes, MADV_HUGEPAGE); /* only advice: failing costs time, nothing else */
    return p;
}

void budget_free_pages(struct budget *b, void *p, size_t bytes)
{
    if (!p)
        return;
    if (!bytes)
        bytes = 1;
    munmap(p, bytes);
    b->used -= bytes;
}

/* -- arena -----------------------------------------------------------------------------------------------------------
 */

enum { BLOCK = 16 * 1024 };

struct arena_block {
    _Alignas(ALIGNMENT) struct arena_block *before;
};

void *arena_alloc(struct arena *a, size_t bytes, struct report *r)
{
    size_t need;
    char *p;

    if (__builtin_add_overflow(bytes, (size_t)ALIGNMENT - 1, &need)) {
        fail(r, KILN_LIMIT, NULL, "%zu bytes are more than can be addressed", bytes);
        return NULL;
    }
    need -= need % ALIGNMENT;
    if (!a->last || need > a->size - a->at) {
        const size_t size = sizeof(struct arena_block) + (need > BLOCK ? need : BLOCK);
        struct arena_block *block = size < need ? NULL : budget_alloc(a->budget, size, r);

        if (!block)
            return NULL;
        block->before = a->last;
        a->last = block;
        a->at = sizeof *block;
        a->size = size;
    }
    p = (char *)a->last + a->at;
    a->at += need;
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

void arena_release(struct arena *a)
{
    while (a->last) {
        struct arena_block *before = a->last->before;

        budget_free(a->budget, a->last);
        a->last = before;
    }
    a->at = a->size = 0;
}
