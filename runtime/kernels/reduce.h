/* Reductions of a dense tensor over any set of its dimensions: sum, mean, product, maximum, minimum, norms.
 *
 * Floats are summed in float in blocks (double for F64) whose sums are added in double; integers wrap around; float16
 * and bfloat16 are widened first and rounded once. Work is cut by the shape alone, so the same bits come for any number
 * of threads. Maximum and minimum keep NaN. */
#ifndef KILN_KERNELS_REDUCE_H
#define KILN_KERNELS_REDUCE_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

enum reduction {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_PROD,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_MAPPED,             /* from here on something is done to an element that stands alone, too */
    REDUCE_L1 = REDUCE_MAPPED, /* the sum of magnitudes */
    REDUCE_SQUARES,            /* the sum of squares */
    REDUCE_L2,                 /* its root */
    REDUCE_LOG_SUM,            /* the logarithm of the sum */
    REDUCTIONS
};

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

/* Has the table an entry: for F32 F64 F16 BF16 I32 I64 U32 U64, maximum and minimum for I8 U8 BOOL as well. */
bool reduce_has(enum reduction r, enum dtype dtype);
size_t reduce_scratch(const struct reduce_shape *s);
/* An empty sum is 0, an empty mean NaN (0 for integers), an empty product 1, an empty maximum the least value of the
 * type, an empty minimum the greatest. */
void reduce(const struct kernels *k, struct pool *pool, const struct reduce_shape *s, enum reduction r,
            enum dtype dtype, const void *x, void *y, void *scratch);
/* The logarithm of the sum of the exponentials of x; of nothing it is -infinity. F32 or F64. */
void reduce_log_sum_exp(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, void *y);
/* The gradient of the maximum, or the minimum, y of x: dy, split evenly among the elements that equal it. F32 or F64. */
void reduce_max_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, const void *y,
                     const void *dy, void *dx);
/* The gradient of the product y of x: dy times the product of all others. F32 or F64. */
void reduce_prod_grad(struct pool *pool, const struct reduce_shape *s, enum dtype dtype, const void *x, const void *y,
                      const void *dy, void *dx);

#endif
