/* What the reductions share: axes, shapes, running, and the gradients of sum, mean, maximum and product. */
#ifndef KILN_OPS_REDUCE_H
#define KILN_OPS_REDUCE_H

#include "kernels/reduce.h"
#include "ops/op.h"

enum { REDUCE_DATA, REDUCE_AXES }; /* inputs */

struct reduce_attrs {
    bool keepdims;
    bool noop; /* no axes: reduces nothing, instead of everything */
    bool channels_last;
    bool spatial; /* global pooling: all axes but batch and channel, which stay */
};

/* The canonical form has axes as an input. */
bool reduce_parse(struct parse *p, void *attrs);        /* axes are an input, noop_with_empty_axes */
bool reduce_parse_before(struct parse *p, void *attrs); /* axes are an attribute */
bool reduce_parse_global(struct parse *p, void *attrs); /* GlobalAveragePool, GlobalMaxPool: no attributes */

/* Not where dimensions that go leave the others in another order. */
bool reduce_channels_last(const struct node *n, int rank, void *attrs);
int reduce_rank(const struct node *n, int k);
bool reduce_infer(struct infer *i);
bool reduce_run(struct step *s, enum reduction r);

/* dL/dY spread over what was summed; over its count for a mean. */
bool reduce_gradient(struct backward *b, bool mean);
/* A maximum's goes to the elements that equal it, split evenly where several do. */
bool reduce_max_gradient(struct backward *b);
/* A product's, times the product of all others. */
bool reduce_prod_gradient(struct backward *b);

#endif
