/* The stages of a transform (kernels/fft.h), for WIDTH numbers of type NUMBER at a time as one `real`. NAME(part) names
 * the loops. No include guard: included once for each; forgets all four. */

/* Turned back by t, a cosine and a sine. */
#define TURNED_RE(re, im, t) ((re) * (NUMBER)(t)[0] + (im) * (NUMBER)(t)[1])
#define TURNED_IM(re, im, t) ((im) * (NUMBER)(t)[0] - (re) * (NUMBER)(t)[1])

static inline real NAME(get)(const NUMBER *p)
{
    real v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline void NAME(put)(NUMBER *p, real v)
{
    memcpy(p, &v, sizeof v);
}

static void NAME(stage_2)(const struct fft_stage *s, const double *turns, const struct fft_flow *f)
{
    const int64_t inner = f->inner, apart = s->rest * inner;

    for (int64_t p = 0; p < s->rest; p++) {
        const double *const t = turns + 2 * p;

        for (int64_t q = 0; q < inner; q += WIDTH) {
            const NUMBER *const re = (const NUMBER *)f->re + p * inner + q, *const im =
                                                                                (const NUMBER *)f->im + p * inner + q;
            NUMBER *const to_re = (NUMBER *)f->to_re + 2 * p * inner + q, *const to_im =
                                                                              (NUMBER *)f->to_im + 2 * p * inner + q;
            const real a_re = NAME(get)(re), b_re = NAME(get)(re + apart), d_re = a_re - b_re;
            const real a_im = NAME(get)(im), b_im = NAME(get)(im + apart), d_im = a_im - b_im;

            NAME(put)(to_re, a_re + b_re);
            NAME(put)(to_im, a_im + b_im);
            NAME(put)(to_re + inner, TURNED_RE(d_re, d_im, t));
            NAME(put)(to_im + inner, TURNED_IM(d_re, d_im, t));
        }
    }
}

/* Sums and differences of numbers 0 and 2, then of 1 and 3. */
static void NAME(stage_4)(const struct fft_stage *s, const double *turns, const struct fft_flow *f)
{
    const int64_t inner = f->inner, apart = s->rest * inner;

    for (int64_t p = 0; p < s->rest; p++) {
        const double *const t = turns + 6 * p;

        for (int64_t q = 0; q < inner; q += WIDTH) {
            const NUMBER *const re = (const NUMBER *)f->re + p * inner + q, *const im =
                                                                                (const NUMBER *)f->im + p * inner + q;
            NUMBER *const to_re = (NUMBER *)f->to_re + 4 * p * inner + q, *const to_im =
                                                                              (NUMBER *)f->to_im + 4 * p * inner + q;
            const real a_re = NAME(get)(re) + NAME(get)(re + 2 * apart);
            const real a_im = NAME(get)(im) + NAME(get)(im + 2 * apart);
            const real b_re = NAME(get)(re) - NAME(get)(re + 2 * apart);
            const real b_im = NAME(get)(im) - NAME(get)(im + 2 * apart);
            const real c_re = NAME(get)(re + apart) + NAME(get)(re + 3 * apart);
            const real c_im = NAME(get)(im + apart) + NAME(get)(im + 3 * apart);
            const real d_re = NAME(get)(re + apart) - NAME(get)(re + 3 * apart);
            const real d_im = NAME(get)(im + apart) - NAME(get)(im + 3 * apart);

            NAME(put)(to_re, a_re + c_re);
            NAME(put)(to_im, a_im + c_im);
            NAME(put)(to_re + inner, TURNED_RE(b_re + d_im, b_im - d_re, t));
            NAME(put)(to_im + inner, TURNED_IM(b_re + d_im, b_im - d_re, t));
            NAME(put)(to_re + 2 * inner, TURNED_RE(a_re - c_re, a_im - c_im, t + 2));
            NAME(put)(to_im + 2 * inner, TURNED_IM(a_re - c_re, a_im - c_im, t + 2));
            NAME(put)(to_re + 3 * inner, TURNED_RE(b_re - d_im, b_im + d_re, t + 4));
            NAME(put)(to_im + 3 * inner, TURNED_IM(b_re - d_im, b_im + d_re, t + 4));
        }
    }
}

/* Numbers k and factor - k of one transform of an odd factor, from sums and differences of such pairs. */
ALWAYS_INLINE void NAME(pair)(const int factor, int k, const struct fft_stage *s, const double *t, const real *sum_re,
                              const real *sum_im, const real *dif_re, const real *dif_im, int64_t inner, NUMBER *to_re,
                              NUMBER *to_im)
{
    const double *const low = t + 2 * (k - 1), *const high = t + 2 * (factor - k - 1);
    real even_re = sum_re[0], even_im = sum_im[0], odd_re = { 0 }, odd_im = { 0 };

    UNROLLED
    for (int m = 1; m <= factor / 2; m++) {
        const NUMBER c = (NUMBER)s->cosine[k * m % factor], n = (NUMBER)s->sine[k * m % factor];

        even_re += sum_re[m] * c;
        even_im += sum_im[m] * c;
        odd_re += dif_im[m] * n;
        odd_im -= dif_re[m] * n;
    }
    NAME(put)(to_re + k * inner, TURNED_RE(even_re + odd_re, even_im + odd_im, low));
    NAME(put)(to_im + k * inner, TURNED_IM(even_re + odd_re, even_im + odd_im, low));
    NAME(put)(to_re + (factor - k) * inner, TURNED_RE(even_re - odd_re, even_im - odd_im, high));
    NAME(put)(to_im + (factor - k) * inner, TURNED_IM(even_re - odd_re, even_im - odd_im, high));
}

ALWAYS_INLINE void NAME(stage_odd)(const int factor, const struct fft_stage *s, const double *turns,
                                   const struct fft_flow *f)
{
    const int64_t inner = f->inner, apart = s->rest * inner;

    for (int64_t p = 0; p < s->rest; p++)
        for (int64_t q = 0; q < inner; q += WIDTH) {
            const NUMBER *const re = (const NUMBER *)f->re + p * inner + q, *const im =
                                                                                (const NUMBER *)f->im + p * inner + q;
            NUMBER *const to_re = (NUMBER *)f->to_re + factor * p * inner + q, *const to_im = (NUMBER *)f->to_im +
                                                                                              factor * p * inner + q;
            real sum_re[FFT_FACTOR / 2 + 1], sum_im[FFT_FACTOR / 2 + 1];
            real dif_re[FFT_FACTOR / 2 + 1], dif_im[FFT_FACTOR / 2 + 1];
            real all_re = NAME(get)(re), all_im = NAME(get)(im);

            sum_re[0] = all_re;
            sum_im[0] = all_im;
            UNROLLED
            for (int k = 1; k <= factor / 2; k++) {
                const real one_re = NAME(get)(re + k * apart), other_re = NAME(get)(re + (factor - k) * apart);
                const real one_im = NAME(get)(im + k * apart), other_im = NAME(get)(im + (factor - k) * apart);

                sum_re[k] = one_re + other_re;
                sum_im[k] = one_im + other_im;
                dif_re[k] = one_re - other_re;
                dif_im[k] = one_im - other_im;
                all_re += sum_re[k];
                all_im += sum_im[k];
            }
            NAME(put)(to_re, all_re);
            NAME(put)(to_im, all_im);
            UNROLLED
            for (int k = 1; k <= factor / 2; k++)
                NAME(pair)
            (factor, k, s, turns + 2 * (factor - 1) * p, sum_re, sum_im, dif_re, dif_im, inner, to_re, to_im);
        }
}

static void NAME(stage)(const struct fft_stage *s, const double *turns, const struct fft_flow *f)
{
    switch (s->factor) {
    case 2:
        NAME(stage_2)(s, turns, f);
        break;
    case 3:
        NAME(stage_odd)(3, s, turns, f);
        break;
    case 4:
        NAME(stage_4)(s, turns, f);
        break;
    case 5:
        NAME(stage_odd)(5, s, turns, f);
        break;
    case 7:
        NAME(stage_odd)(7, s, turns, f);
        break;
    case 11:
        NAME(stage_odd)(11, s, turns, f);
        break;
    default:
        NAME(stage_odd)(FFT_FACTOR, s, turns, f);
    }
}

#undef TURNED_RE
#undef TURNED_IM
#undef NAME
#undef real
#undef WIDTH
#undef NUMBER
