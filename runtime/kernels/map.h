/* Loops over whole arrays, cut into fixed chunks for a pool. */
#ifndef KILN_KERNELS_MAP_H
#define KILN_KERNELS_MAP_H

#include "kernels/formula.h"

/* y = f(x). */
void map_formula(const struct kernels *k, struct pool *pool, const struct formula *f, struct numbers numbers,
                 const float *x, float *y, int64_t n);
/* f over each of `rows` rows of n contiguous elements: softmax, log_softmax; the gradients. */
void map_rows(struct pool *pool, void (*f)(const float *, float *, int64_t), const float *x, float *y, int64_t rows,
              int64_t n);
void map_rows_grad(struct pool *pool, binary_f32 *f, const float *y, const float *dy, float *dx, int64_t rows,
                   int64_t n);
/* The sum of all; chunks of fixed size, whose sums are added in pairs. */
float map_sum(const struct kernels *k, struct pool *pool, const float *x, int64_t n);
/* y[c] = sum over r of x[r, c], contiguous: the gradient of a bias. */
void map_sum_rows(const struct kernels *k, struct pool *pool, const float *x, int64_t rows, int64_t columns, float *y);
/* y[columns, rows] = x[rows, columns] for `batch` matrices one after the other; size is 4 or 8 bytes an element. */
void map_transpose(const struct kernels *k, struct pool *pool, int64_t batch, int64_t rows, int64_t columns,
                   size_t size, const void *x, void *y);

#endif
