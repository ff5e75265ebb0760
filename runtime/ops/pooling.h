/* What MaxPool, AveragePool and LpPool share: attributes, shapes, and the gradient's output. */
#ifndef KILN_OPS_POOLING_H
#define KILN_OPS_POOLING_H

#include "kernels/pooling.h"
#include "ops/window.h"

struct pooling_attrs {
    struct window_attrs window;
    bool column_major; /* MaxPool: storage_order 1 */
    bool channels_last;
    bool count_include_pad; /* AveragePool */
    bool sum;               /* AveragePool's sums themselves, as LpPool needs them */
};

/* (X): AveragePool with attributes that say `sum`. */
extern const struct op sum_pool;
/* (X, x_scale, x_zero_point, y_scale, y_zero_point): AveragePool of integers of 8 bits. */
extern const struct op integer_average_pool;

/* Not with indices, which go by ONNX' order. */
bool pooling_channels_last(const struct node *n, int rank, void *attrs);

/* The shape for the kernel: of planes, or of images with their channels last. `i` is NULL while running. */
bool pooling_shape(struct infer *i, const struct pooling_attrs *a, const struct tensor *x, struct pool_shape *s);
/* Sets output k, which has the shape of the pooled X. */
bool pooling_out(struct infer *i, const struct pooling_attrs *a, int k, enum dtype dtype, const struct pool_shape *s);

/* Elements that are read for `pooled`, one of the output's shape: each window's, without what can only be padding. */
double pooling_flops(const struct pooling_attrs *a, const struct tensor *x, const struct tensor *pooled);

#endif
