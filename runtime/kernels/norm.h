/* Normalisation: batch statistics over [batch, channels, spatial], layer normalisation over rows. F32 and F64.
 *
 * Statistics are population ones, in two passes, and of dtype. Fixed chunks, so the same bits for any number of
 * threads. */
#ifndef KILN_KERNELS_NORM_H
#define KILN_KERNELS_NORM_H

#include "kernels/formula.h"

struct norm_shape {
    int64_t batch, channels, spatial; /* x[batch, channels, spatial], contiguous */
};

/* mean[c], var[c] of x. */
size_t batch_moments_scratch(const struct norm_shape *s, enum dtype dtype);
void batch_moments(const struct kernels *k, struct pool *pool, const struct norm_shape *s, enum dtype dtype,
                   const void *x, void *mean, void *var, void *scratch);
/* invstd[c] = 1 / sqrt(var[c] + epsilon); the same array is allowed. */
void inverse_std(enum dtype dtype, int64_t channels, const void *var, double epsilon, void *invstd);
/* running = running * momentum + value * (1 - momentum); to may be running. Each as Keras does, in dtype. */
void running_update(enum dtype dtype, int64_t channels, const void *running, const void *value, double momentum,
                    void *to);

/* y = (x - mean) * (scale * invstd) + bias; y may be x. scale and bias may be NULL: 1 and 0. `act` (NULL for none) is
 * done to y, of floats whose spatial size is 1. The scratch is that of batch_moments. */
void batch_norm_apply(const struct kernels *k, struct pool *pool, const struct norm_shape *s, enum dtype dtype,
                      const void *x, const void *scale, const void *bias, const void *mean, const void *invstd,
                      const struct formula *act, void *y, void *scratch);

/* The gradient. training: mean and invstd came from x itself; else they are constants (inference, frozen). dx, dscale
 * and dbias may each be NULL; dx may be dy. */
size_t batch_norm_grad_scratch(const struct norm_shape *s, enum dtype dtype);
void batch_norm_grad(const struct kernels *k, struct pool *pool, const struct norm_shape *s, enum dtype dtype,
                     bool training, const void *dy, const void *x, const void *scale, const void *mean,
                     const void *invstd, void *dx, void *dscale, void *dbias, void *scratch);

/* Layer normalisation of `rows` rows of n contiguous elements; scale and bias [n], bias may be NULL; mean and invstd
 * [rows] are written (NULL where not wanted). */
void layer_norm(const struct kernels *k, struct pool *pool, enum dtype dtype, int64_t rows, int64_t n, const void *x,
                const void *scale, const void *bias, double epsilon, void *y, void *mean, void *invstd);
size_t layer_norm_grad_scratch(enum dtype dtype, int64_t rows, int64_t n);
/* dx, dscale and dbias may each be NULL. */
void layer_norm_grad(const struct kernels *k, struct pool *pool, enum dtype dtype, int64_t rows, int64_t n,
                     const void *dy, const void *x, const void *scale, const void *mean, const void *invstd, void *dx,
                     void *dscale, void *dbias, void *scratch);

#endif
