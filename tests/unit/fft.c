#include "kernels/fft.h"
#include "numbers.h"

/* -- Fourier transforms, against the sum that they are -- */

struct trial {
    const struct kernels *k;
    int64_t n, lanes;
    struct fft *fft;
    double *re, *im, *scratch;
};

static struct trial trial_of(const struct kernels *k, int64_t n, int64_t lanes)
{
    struct trial t = {
        .k = k, .n = n, .lanes = lanes, .re = random_array(F64, n * lanes), .im = random_array(F64, n * lanes)
    };
    int64_t bytes, doubles, one;

    ck_assert(fft_bytes(n, &bytes) && fft_scratch(n, lanes, &doubles) && fft_scratch(n, 1, &one));
    t.fft = room((size_t)bytes);
    t.scratch = room((size_t)(doubles > one ? doubles : one) * sizeof(double));
    fft_make(k, n, t.fft, t.scratch);
    return t;
}

static void trial_free(struct trial *t)
{
    free(t->fft);
    free(t->re);
    free(t->im);
    free(t->scratch);
}

/* Number k of a lane. */
static void sum_of(const struct trial *t, int64_t k, int64_t lane, double *re, double *im)
{
    *re = *im = 0;
    for (int64_t e = 0; e < t->n; e++) {
        const double angle = 2 * M_PI * (double)(k * e % t->n) / (double)t->n, x = t->re[e * t->lanes + lane];
        const double y = t->im[e * t->lanes + lane];

        *re += x * cos(angle) + y * sin(angle);
        *im += y * cos(angle) - x * sin(angle);
    }
}

static void check_both_ways(struct trial *t)
{
    const int64_t count = t->n * t->lanes;
    double *const re = room((size_t)count * 8), *const im = room((size_t)count * 8);
    float *const low_re = room((size_t)count * 4), *const low_im = room((size_t)count * 4);
    const bool in_float = fft_in_float(t->fft);

    for (int64_t i = 0; i < count; i++) {
        re[i] = t->re[i];
        im[i] = t->im[i];
        low_re[i] = (float)re[i];
        low_im[i] = (float)im[i];
    }
    fft_run(t->fft, t->k, NULL, t->lanes, false, re, im, t->scratch);
    if (in_float)
        fft_run(t->fft, t->k, NULL, t->lanes, true, low_re, low_im, t->scratch);
    for (int64_t i = 0; i < count; i++) {
        const double within = 1e-15 * (double)t->n + 1e-14;
        double x, y;

        sum_of(t, i / t->lanes, i % t->lanes, &x, &y);
        expect_near("re", (int)t->n, re[i], x, within);
        expect_near("im", (int)t->n, im[i], y, within);
        if (in_float) {
            expect_near("re in float", (int)t->n, (double)low_re[i], x, 1e-6 * sqrt((double)t->n) + 1e-6);
            expect_near("im in float", (int)t->n, (double)low_im[i], y, 1e-6 * sqrt((double)t->n) + 1e-6);
        }
    }
    fft_run(t->fft, t->k, NULL, t->lanes, false, im, re, t->scratch);
    for (int64_t i = 0; i < count; i++) {
        expect_near("there and back", (int)t->n, re[i] / (double)t->n, t->re[i], 1e-14);
        expect_near("there and back", (int)t->n, im[i] / (double)t->n, t->im[i], 1e-14);
    }
    free(re);
    free(im);
    free(low_re);
    free(low_im);
}

START_TEST(transforms_are_sums)
{
    static const int64_t longer[] = { 49, 64, 77, 97, 121, 128, 143, 169, 210, 251, 343, 1000 };
    const struct kernels *const k = kernels_for(_i);

    for (int64_t n = 1; k && n < 40 + (int64_t)(sizeof longer / sizeof *longer); n++)
        for (int64_t lanes = 1; lanes <= 8; lanes = lanes == 3 ? 8 : lanes + 2) {
            struct trial t = trial_of(k, n < 40 ? n : longer[n - 40], lanes);

            check_both_ways(&t);
            trial_free(&t);
        }
}
END_TEST

/* Whatever stands beside it, and on every level. */
START_TEST(a_lane_has_the_same_bits)
{
    static const int64_t lengths[] = { 12, 35, 64, 97, 143 };
    const struct kernels *const k = kernels_for(_i), *const plain = kernels_for(CPU_BASE);

    for (size_t which = 0; k && which < sizeof lengths / sizeof *lengths; which++) {
        struct trial t = trial_of(k, lengths[which], 8), alone = trial_of(plain, lengths[which], 1);

        for (int64_t e = 0; e < t.n; e++) {
            alone.re[e] = t.re[e * 8 + 5];
            alone.im[e] = t.im[e * 8 + 5];
        }
        fft_run(t.fft, k, NULL, 8, false, t.re, t.im, t.scratch);
        fft_run(alone.fft, plain, NULL, 1, false, alone.re, alone.im, alone.scratch);
        for (int64_t e = 0; e < t.n; e++)
            ck_assert_msg(
                memcmp(&alone.re[e], &t.re[e * 8 + 5], 8) == 0 && memcmp(&alone.im[e], &t.im[e * 8 + 5], 8) == 0,
                "of %lld, number %lld: %.17g, alone %.17g", (long long)t.n, (long long)e, t.re[e * 8 + 5], alone.re[e]);
        trial_free(&t);
        trial_free(&alone);
    }
}
END_TEST

START_TEST(what_cannot_be_counted_is_refused)
{
    int64_t n;

    ck_assert(!fft_bytes(INT64_MAX, &n) && !fft_scratch(INT64_MAX, 1, &n));
    ck_assert(!fft_scratch((int64_t)1 << 40, (int64_t)1 << 40, &n));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("fft");

    add_tests(s, transforms_are_sums, 3);
    add_tests(s, a_lane_has_the_same_bits, 3);
    add_test(s, what_cannot_be_counted_is_refused);
    return s;
}
