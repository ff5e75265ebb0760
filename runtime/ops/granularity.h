/* Scales and zero points of QuantizeLinear and DequantizeLinear: one for the whole tensor, one for each index along an
 * axis, or one for each block of elements along it. */
#ifndef KILN_OPS_GRANULARITY_H
#define KILN_OPS_GRANULARITY_H

#include "ops/op.h"

/* Inputs of both operators. */
enum { QUANTIZE_X, QUANTIZE_SCALE, QUANTIZE_ZERO };

struct granularity_attrs {
    bool one; /* for the whole tensor, nothing else */
    int64_t axis, block_size;
};

enum granularity_form { GRANULARITY_AXIS = 1, GRANULARITY_BLOCKS = 2 }; /* what an opset version has */
bool granularity_parse(struct parse *p, struct granularity_attrs *a, unsigned form);
bool granularity_is_one(const struct tensor *scale); /* for the whole tensor? */
bool granularity_in_blocks(const struct granularity_attrs *a, const struct tensor *x, const struct tensor *scale);
/* The shapes of scale and zero point, which are called so, against that of x. */
bool granularity_check(struct infer *i, const struct granularity_attrs *a, const char *scale, const char *zero);
/* For op_def.channels_last; attributes begin with struct granularity_attrs. */
bool granularity_channels_last(const struct node *n, int rank, void *attrs);
/* For op_def.batch_independent; attributes begin with struct granularity_attrs. */
bool rows_of_granularity(const struct node *n, const struct tensor *const *types, const bool *rows);

/* Elements [from, from + n) of x. They share scale number `scale`, or have one `each`, from that one on. */
struct granule {
    int64_t from, n, scale;
    bool each;
};
/* The number of the scale of an element. */
int64_t granularity_scale(const struct granularity_attrs *a, const struct tensor *x, const struct tensor *scale,
                          int64_t element);
enum { GRANULE = 512 }; /* the most elements of one */
typedef void granule_loop(const void *job, const struct granule *g);
/* All elements of x, some at a time. */
void granularity_run(struct step *s, const struct granularity_attrs *a, granule_loop *loop, const void *job);

/* Elements [from, from + n) of t as floats, in `room` if they are no floats already. */
const float *granule_floats(const struct tensor *t, int64_t from, int64_t n, float *room);
/* The scales, or zero points, of a granule: `n` of them, or 1. */
static inline int64_t granule_scales(const struct granule *g)
{
    return g->each ? g->n : 1;
}

#endif
