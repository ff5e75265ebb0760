/* Batch normalisation of float tensors whose channels lie last, with what follows it: maximum of 2x2 windows, stride 2,
 * and an activation.
 *
 *   z = (x - mean) * scale * invstd + bias      y = act(max over a window of z)
 *
 * In this order act runs on a quarter of the elements; with an activation that never falls it is the same as the other
 * one. A row or column that fills no window is normalised, but is in no output. Without `normal` z is x itself.
 *
 * The backward pass is given x, dy, mean, invstd, and with a pool the x that won each window (`best`), from which z is
 * made again; so neither z nor y is kept. Of equal elements of a window the first wins.
 *
 * Statistics are those of a population: mean and sum of squared deviations of each block of rows, about the block's own
 * mean, put together in double. All work is cut by shape alone, sums are added in order: the same bits for any number
 * of threads. Nothing allocates; scratch is 64-byte aligned. */
#ifndef KILN_KERNELS_NORM_BLOCK_H
#define KILN_KERNELS_NORM_BLOCK_H

#include "kernels/formula.h"

struct norm_block {
    int64_t images, height, width, channels; /* x[images, height, width, channels] */
    bool normal, pool;
    const struct formula *act; /* y = act(z); NULL: z. One that has `before`, to go back */
    struct numbers numbers;    /* of act */
};

/* Some channels are too many for a pool. */
bool norm_block_fits(const struct norm_block *b);

/* -- statistics -- */

/* mean[c], var[c] of x[rows, channels]. */
size_t norm_moments_scratch(int64_t rows, int64_t channels);
void norm_moments(const struct kernels *k, struct pool *pool, int64_t rows, int64_t channels, const float *x,
                  float *mean, float *var, void *scratch);

/* Of one block of rows, at least one: a record of how many there are, their mean, and the sum of squared deviations
 * from it. For those who make x, while it is in the cache. */
static inline int64_t norm_record(int64_t channels) /* doubles */
{
    return 1 + 2 * channels;
}
void norm_block_moments(const struct kernels *k, int64_t rows, int64_t channels, const float *x, double *record);
/* Of all blocks; records[count][norm_record(channels)] have `rows` rows in all. */
void norm_moments_join(int64_t count, int64_t channels, const double *records, int64_t rows, float *mean, float *var);

/* -- the block -- */

struct norm_parameters { /* [channels] each; scale and bias may be NULL: 1 and 0. Not looked at where not normal */
    const float *scale, *bias, *mean, *invstd;
};

/* y may be x where there is no pool. best may be NULL; it is written where there is a pool, [as y]. */
size_t norm_block_scratch(const struct norm_block *b);
void norm_block_forward(const struct kernels *k, struct pool *pool, const struct norm_block *b,
                        const struct norm_parameters *p, const float *x, float *y, float *best, void *scratch);

/* training: mean and invstd came from x itself, else they are constants. dx, dscale and dbias may each be NULL; dx may
 * be dy where there is no pool. best is not looked at without a pool. */
size_t norm_block_grad_scratch(const struct norm_block *b);
void norm_block_backward(const struct kernels *k, struct pool *pool, const struct norm_block *b,
                         const struct norm_parameters *p, bool training, const float *dy, const float *x,
                         const float *best, float *dx, float *dscale, float *dbias, void *scratch);

#endif
