/* Discrete Fourier transforms of any length:
 *
 *   X[k] = sum over t < n of x[t] e^(-2 pi i k t / n)
 *
 * Lengths of factors up to 13 by Stockham's way (Swarztrauber, Parallel Computing 1, 1984), which needs no other order of
 * the elements; all others, by Bluestein's (IEEE Trans. Audio 18, 1970), as a convolution of a length that has such
 * factors alone. Nothing here allocates.
 *
 * Several transforms are made side by side, each in a lane: element t of lane l is at [t * lanes + l]. What a lane
 * becomes does not depend on the others, nor on how many there are. */
#ifndef KILN_KERNELS_FFT_H
#define KILN_KERNELS_FFT_H

#include "base/pool.h"
#include "kernels/kernels.h"

struct fft; /* what is made once for a length */

/* A stage takes a factor out of a length: of each of `rest * inner` transforms of `factor` numbers, `rest * inner` apart,
 * number k becomes, turned back by k turns of its p < rest, number k of group p, `inner` behind the one before. */
enum { FFT_FACTOR = 13 }; /* the greatest */
struct fft_stage {
    int factor; /* 2, 3, 4, 5, 7, 11 or 13 */
    int64_t rest;
    double cosine[FFT_FACTOR], sine[FFT_FACTOR]; /* of 2 pi k / factor */
    /* Its turns are, for each p and each 0 < k < factor, the cosine and the sine of 2 pi k p / (rest * factor). */
};
struct fft_flow {
    bool single; /* of float, else of double */
    const void *re, *im;
    void *to_re, *to_im; /* elsewhere */
    int64_t inner;
};

/* Bytes of that, and numbers that a run needs for so many lanes. False where they cannot be counted. n is at least 1. */
bool fft_bytes(int64_t n, int64_t *bytes);
bool fft_scratch(int64_t n, int64_t lanes, int64_t *numbers);
/* Fills `f`; needs the scratch of one lane. */
void fft_make(const struct kernels *k, int64_t n, struct fft *f, double *scratch);
/* Can it be made in float, too? A convolution cannot: it loses digits. */
bool fft_in_float(const struct fft *f);

/* In place. With re and im exchanged it goes the other way, with e^(+2 pi i k t / n), and is not divided by n. Ends
 * early, with anything, where the pool is late. All three are doubles, or, with `single`, floats. */
void fft_run(const struct fft *f, const struct kernels *k, const struct pool *pool, int64_t lanes, bool single,
             void *re, void *im, void *scratch);

#endif
