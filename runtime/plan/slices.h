/* Big batches in slices. Where a graph begins with nodes that treat each row of the batch by itself (op.h's
 * batch_independent), and what they make of the whole batch would not stay in a cache, these nodes (the head) run on a
 * few rows at a time, each thread on slices of its own; what they leave for the others (the edges) is put together, and
 * those run on all rows at once: they are the program's steps. Weights are read once for each slice, and meet few rows
 * there: so the head ends where they outweigh what is made of a slice.
 *
 * Results depend on the shapes alone: not on the number of threads. Where there are too few slices for the threads, or
 * a profile is taken, slices run one after the other, each by all threads. */
#ifndef KILN_PLAN_SLICES_H
#define KILN_PLAN_SLICES_H

#include "plan/program.h"

struct edge { /* what the head makes and others read */
    int id;
    struct tensor type; /* of all rows */
};

struct slices {
    struct arena arena;
    enum slicing slicing;       /* that was asked for */
    bool together;              /* one slice after the other, each by all threads */
    int64_t batch, count;       /* rows, slices */
    bool *rows;                 /* by value id: is it of the head, or an input, and has a row for each of the batch? */
    bool *reads;                /* by value id: the head reads it */
    struct graph head;          /* the same graph, but what it is asked for are the edges */
    struct program *program[2]; /* of it, for slices of batch / count rows and of one row more; NULL: there are none */
    struct edge *edges;
    size_t edge_count;
};

/* How the program `whole` of a graph's first segment can be run in slices. NULL where it is better run as a whole, or
 * memory does not suffice: what is wrong with the graph is told then. */
struct slices *slices_find(const struct program *whole, const struct tensor *given, const struct plan_context *c);
void slices_free(struct slices *s);

/* Rows of slice k: from there to slice_start(s, k + 1). */
static inline int64_t slice_start(const struct slices *s, int64_t k)
{
    return s->batch * k / s->count;
}
/* Rows [from, to) of a value that has them; data only where it has some. */
struct tensor slice_of(const struct slices *s, const struct tensor *whole, int64_t from, int64_t to);

#endif
