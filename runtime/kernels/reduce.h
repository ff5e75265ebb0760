/* Reductions of a dense tensor over any set of its dimensions: sum, mean, product, maximum.
 *
 * Floats are summed in float in blocks (double for F64) whose sums are added in double; integers wrap around; float16
 * and bfloat16 are widened first and rounded once. Work is cut by the shape alone, so the same bits come for any number
 * of threads. The maximum keeps NaN. */
#ifndef KILN_KERNELS_REDUCE_H
#define KILN_KERNELS_REDUCE_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

enum reduction { REDUCE_SUM, REDUCE_MEAN, REDUCE_PROD, REDUCE_MAX, REDUCTIONS };

struct reduce_shape { /* neighbours of the same kind merged, dimensions of 1 left out */
    int kept, reduced;
    int64_t kept_dim[MAX_RANK], kept_stride[MAX_RANK];
    int64_t reduced_dim[MAX_RANK], reduced_stride[MAX_RANK];
    bool columns;    /* the contiguous dimension is kept */
    int64_t outputs; /* elements of the result */
    int64_t count;   /* elements that make one of them */
    int64_t inner;   /* size of the contiguous dimension */
};

/* `axes` has bit d set where dimension d is reduced. */
void reduce_shape_of(struct reduce_shape *s, const struct tensor *x, uint32_t axes);

/* Has the table an entry: sum, mean and product of F32 F64 F16 BF16 I32 I64 U32 U64, the maximum of those and of I8 U8
 * BOOL. */
bool reduce_has(enum reduction r, enum dtype dtype);
size_t reduce_scratch(const struct reduce_shape *s);
/* An empty sum is 0, an empty mean NaN (0 for integers), an empty product 1, an empty maximum the least value of the
 * type. */
void reduce(const struct kernels *k, struct pool *pool, const struct reduce_shape *s, enum reduction r,
            enum dtype dtype, const void *x, void *y, void *scratch);
/* The gradient of the maximum y of x: dy, split evenly among the elements that equal it. F32 or F64. */
void reduce_max_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, const void *y,
                     const void *dy, void *dx);
/* The gradient of the product y of x: dy times the product of all others. F32 or F64. */
void reduce_prod_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, const void *y,
                      const void *dy, void *dx);

#endif
