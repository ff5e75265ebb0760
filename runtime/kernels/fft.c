#include "kernels/fft.h"
#include <math.h>
#include <string.h>

enum { STAGES = 64 };
static const int64_t longest = (int64_t)1 << 48; /* that is counted */

struct fft {
    int64_t n, padded; /* that of the convolution; n where there is none */
    int stages;
    struct fft_stage stage[STAGES];
    /* For each stage its turns, in all padded - 1 of them. Then, for a convolution, n cosines and n sines of pi t^2 / n, and what the second factor of
     * the convolution, with these, is as a transform. */
    double tables[];
};

/* -- lengths -- */

static bool has_small_factors(int64_t n)
{
    for (int factor = 2; factor <= FFT_FACTOR; factor++)
        while (n % factor == 0)
            n /= factor;
    return n == 1;
}

/* The length itself, or the least one for a convolution: 2^a 3^b 5^c, as many elements as two of n have places or
 * more. */
static int64_t padded_length(int64_t n)
{
    const int64_t least = 2 * n - 1;
    int64_t best = INT64_MAX;

    if (has_small_factors(n))
        return n;
    for (int64_t fives = 1; fives < 5 * least; fives *= 5)
        for (int64_t threes = fives; threes < 3 * least; threes *= 3) {
            int64_t m = threes;

            while (m < least)
                m *= 2;
            best = m < best ? m : best;
        }
    return best;
}

bool fft_bytes(int64_t n, int64_t *bytes)
{
    int64_t m;

    if (n > longest)
        return false;
    m = padded_length(n);
    *bytes = (int64_t)sizeof(struct fft) + (2 * m + (m > n ? 2 * n + 2 * m : 0)) * (int64_t)sizeof(double);
    return true;
}

bool fft_scratch(int64_t n, int64_t lanes, int64_t *doubles)
{
    int64_t m;

    if (n > longest)
        return false;
    m = padded_length(n);
    return mul_size(m > n ? 4 * m : 2 * n, lanes, doubles);
}

/* -- tables -- */

/* Of 2 pi k / n, 0 <= k < n, from an angle of at most pi / 4: as exact as a double is, and with all symmetries. */
static void turn(int64_t k, int64_t n, double *cosine, double *sine)
{
    const bool low = 2 * k > n; /* mirrored about the real axis */
    const int64_t half = low ? n - k : k;
    const bool left = 4 * half > n; /* about the imaginary one; in halves, as n need not be even */
    const int64_t quarter = left ? n - 2 * half : 2 * half;
    const bool steep = 4 * quarter > n; /* about the diagonal between them */
    const double angle = M_PI * (steep ? (double)(n - 2 * quarter) / 2 : (double)quarter) / (double)n;
    const double c = steep ? sin(angle) : cos(angle), s = steep ? cos(angle) : sin(angle);

    *cosine = left ? -c : c;
    *sine = low ? -s : s;
}

static double *make_stages(struct fft *f)
{
    static const int factors[] = { 4, 2, 3, 5, 7, 11, FFT_FACTOR };
    double *table = f->tables;
    int64_t n = f->padded;

    f->stages = 0;
    for (int which = 0; n > 1; f->stages++) {
        struct fft_stage *const s = &f->stage[f->stages];

        while (n % factors[which])
            which++;
        s->factor = factors[which];
        s->rest = n / s->factor;
        for (int k = 0; k < s->factor; k++)
            turn(k, s->factor, &s->cosine[k], &s->sine[k]);
        for (int64_t p = 0; p < s->rest; p++)
            for (int k = 1; k < s->factor; k++, table += 2)
                turn(k * p, n, table, table + 1);
        n = s->rest;
    }
    return table;
}

/* -- run -- */

/* A transform of the padded length. */
static void run_stages(const struct fft *f, const struct kernels *k, const struct pool *pool, int64_t lanes,
                       bool single, void *re, void *im, void *scratch)
{
    const size_t bytes = (size_t)(f->padded * lanes) * (single ? sizeof(float) : sizeof(double));
    void *const other_re = scratch, *const other_im = (char *)scratch + bytes;
    struct fft_flow flow = { single, re, im, other_re, other_im, lanes };
    const double *turns = f->tables;

    for (int n = 0; n < f->stages && !pool_late(pool); n++) {
        const struct fft_stage *const s = &f->stage[n];

        k->fft->stage(s, turns, &flow);
        turns += 2 * (s->factor - 1) * s->rest;
        flow = (struct fft_flow){
            single, flow.to_re, flow.to_im, n % 2 ? other_re : re, n % 2 ? other_im : im, flow.inner * s->factor
        };
    }
    if (flow.re != re) {
        memcpy(re, flow.re, bytes);
        memcpy(im, flow.im, bytes);
    }
}

void fft_make(const struct kernels *k, int64_t n, struct fft *f, double *scratch)
{
    double *table, *re, *im;
    int64_t square = 0; /* t^2 modulo 2n */

    f->n = n;
    f->padded = padded_length(n);
    table = make_stages(f);
    if (f->padded == n)
        return;
    re = table + 2 * n;
    im = re + f->padded;
    memset(re, 0, (size_t)(2 * f->padded) * sizeof *re);
    for (int64_t t = 0; t < n; t++) {
        turn(square, 2 * n, &table[t], &table[n + t]);
        re[t] = re[(f->padded - t) % f->padded] = table[t] / (double)f->padded;
        im[t] = im[(f->padded - t) % f->padded] = table[n + t] / (double)f->padded;
        square = (square + 2 * t + 1) % (2 * n);
    }
    run_stages(f, k, NULL, 1, false, re, im, scratch);
}

/* -- convolution -- */

/* (x + iy)(c - is) of each lane. */
static void turn_back(double c, double s, int64_t lanes, const double *re, const double *im, double *to_re,
                      double *to_im)
{
    for (int64_t l = 0; l < lanes; l++) {
        const double x = re[l] * c + im[l] * s, y = im[l] * c - re[l] * s;

        to_re[l] = x;
        to_im[l] = y;
    }
}

static void convolve(const struct fft *f, const struct kernels *k, const struct pool *pool, int64_t lanes, double *re,
                     double *im, double *scratch)
{
    const int64_t n = f->n, m = f->padded;
    const double *const cosine = f->tables + 2 * (m - 1), *const sine = cosine + n;
    const double *const factor_re = sine + n, *const factor_im = factor_re + m;
    double *const padded_re = scratch, *const padded_im = padded_re + m * lanes, *const rest = padded_im + m * lanes;

    for (int64_t t = 0; t < n; t++)
        turn_back(cosine[t], sine[t], lanes, re + t * lanes, im + t * lanes, padded_re + t * lanes,
                  padded_im + t * lanes);
    memset(padded_re + n * lanes, 0, (size_t)((m - n) * lanes) * sizeof *re);
    memset(padded_im + n * lanes, 0, (size_t)((m - n) * lanes) * sizeof *im);
    run_stages(f, k, pool, lanes, false, padded_re, padded_im, rest);
    for (int64_t t = 0; t < m; t++)
        turn_back(factor_re[t], -factor_im[t], lanes, padded_re + t * lanes, padded_im + t * lanes,
                  padded_re + t * lanes, padded_im + t * lanes);
    run_stages(f, k, pool, lanes, false, padded_im, padded_re, rest);
    for (int64_t t = 0; t < n; t++)
        turn_back(cosine[t], sine[t], lanes, padded_re + t * lanes, padded_im + t * lanes, re + t * lanes,
                  im + t * lanes);
}

bool fft_in_float(const struct fft *f)
{
    return f->padded == f->n;
}

void fft_run(const struct fft *f, const struct kernels *k, const struct pool *pool, int64_t lanes, bool single,
             void *re, void *im, void *scratch)
{
    if (f->padded == f->n)
        run_stages(f, k, pool, lanes, single, re, im, scratch);
    else
        convolve(f, k, pool, lanes, re, im, scratch);
}
