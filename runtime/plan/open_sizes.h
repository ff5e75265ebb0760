/* Sizes for the dimensions that a network's inputs leave open. Who has data takes theirs; where there are none, sizes are
 * tried until the network can be planned. The dimension that has the samples is none of them. */
#ifndef KILN_PLAN_OPEN_SIZES_H
#define KILN_PLAN_OPEN_SIZES_H

#include "plan/program.h"

/* Types of the graph's inputs as planning is given them: x[k] where `x` is not NULL, else the declared one. */
struct open_types {
    const struct tensor *x;
    int64_t open;    /* samples, where that is open */
    int64_t samples; /* the same where it is told, in all inputs that begin with as many as the first one; UNKNOWN: as
                        they tell */
};

/* The type of input k; NULL where it has none. */
const struct tensor *open_type(const struct graph *g, const struct tensor *x, size_t k);
/* How many samples it begins with; UNKNOWN where that is open, it has no dimension for them, or there is no
 * such input. */
int64_t open_told(const struct graph *g, const struct tensor *x, size_t k);
/* The dimension of input k that has the samples; UNKNOWN where none has, and all of it is read with each batch. It is the
 * one that has the symbol of the first input's samples; else the first one, unless that is told and is another than the
 * first input's, as of a state [layers, batch, units]: then it is the only one that is open and has no symbol. A first
 * dimension of 1 is what exporters saw where the first input leaves its own open. */
int open_samples(const struct graph *g, size_t k);
/* Does input k leave a size open, as x[k] or as declared? And any of them? */
bool open_sizes_one(const struct graph *g, const struct tensor *x, size_t k);
bool open_sizes_any(const struct graph *g, const struct tensor *x);
/* By value id, in `a`: all that comes to the graph, where sizes that are open are `size`. NULL with an error. */
struct tensor *open_sizes_given(const struct graph *g, const struct open_types *t, int64_t size, struct arena *a,
                                struct report *r);

/* out[k] is the type of each input with such sizes, the same for all; that of the samples is left as it is. The size is
 * `open` if the network and its subgraphs can be planned with it, and no node makes nothing of something; else the smallest
 * of those that are tried. False with the error of the last one. Where nothing is open nothing is planned. */
bool open_sizes_find(struct tensor *out, const struct graph *g, const struct open_types *t,
                     const struct plan_context *c);

/* Is the error one of the shapes that were tried? Others are of memory and time. */
bool open_refusal(const struct report *r);

/* What is tried: "1 to 640". */
#define OPEN_SIZES_TRIED "1 to 640"

#endif
