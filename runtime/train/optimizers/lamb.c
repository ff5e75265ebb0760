/* Adam's direction d = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon), as long as the parameter itself is:
 * w -= lr |w| / |d| d. */
#ifndef REAL
#include "train/optimizers/adam.h"
#include <math.h>

enum { MOMENTUM, VELOCITY }; /* slots */
enum { BLOCK = 512 };

/* Of what has no length, 1. */
static double ratio(double parameter, double way)
{
    return parameter > 0 && way > 0 ? sqrt(parameter) / sqrt(way) : 1;
}

#define LOOPS "train/optimizers/lamb.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "s0 = s0 + (g - s0) * (1 - beta_1); s1 = s1 + (g * g - s1) * (1 - beta_2);"
           "way = s0 / (1 - pow(beta_1, t)) / (sqrt(s1 / (1 - pow(beta_2, t))) + epsilon);"
           "size = total(w * w); length = total(way * way);"
           "w = w - where(min(size, length) > 0, sqrt(size) / sqrt(length), 1) * rate * way";
}

const struct optimizer_def optimizer_lamb = {
    .row = { "lamb", "Adam, in proportion to each tensor (You and others, arXiv:1904.00962)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct means, .001), MEAN_OPTIONS(struct means, MEAN_OF_SQUARES), { 0 } } },
    .title = "Lamb",
    .settings_size = sizeof(struct means),
    .slots = { [MOMENTUM] = { .name = "momentum" }, [VELOCITY] = { .name = "velocity" } },
    .prepared_size = sizeof(double),
    .prepare = prepare_float,
    .prepare_double = prepare_double,
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

struct NAME(factors) {
    REAL momentum, velocity, mean, square, epsilon; /* what comes to m and v; 1 / (1 - b^t) */
};

static struct NAME(factors) NAME(factors_of)(const struct UPDATE *u)
{
    const struct means *s = u->settings;
    const REAL t = (REAL)u->step;

    return (struct NAME(factors)){ (REAL)(1 - s->beta_1), (REAL)(1 - s->beta_2), 1 / (1 - POW((REAL)s->beta_1, t)),
                                   1 / (1 - POW((REAL)s->beta_2, t)), (REAL)s->epsilon };
}

static void NAME(prepare)(const struct UPDATE *u, void *prepared)
{
    const struct NAME(factors) f = NAME(factors_of)(u);
    double square = 0;
    REAL way[BLOCK];

    for (int64_t from = 0; from < u->n; from += BLOCK) {
        const REAL *m = u->slots[MOMENTUM] + from, *v = u->slots[VELOCITY] + from, *g = u->g + from;
        const int64_t n = u->n - from < BLOCK ? u->n - from : BLOCK;

        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            const REAL mean = m[k] + (g[k] - m[k]) * f.momentum, size = v[k] + (g[k] * g[k] - v[k]) * f.velocity;

            way[k] = mean * f.mean / (SQRT(size * f.square) + f.epsilon);
        }
        square += SUM_SQUARES(way, n);
    }
    *(double *)prepared = ratio(SUM_SQUARES(u->w, u->n), square);
}

static bool NAME(apply)(const struct UPDATE *u)
{
    const struct NAME(factors) f = NAME(factors_of)(u);
    const REAL rate = (REAL) * (const double *)u->prepared * u->learning_rate;
    REAL *w = u->w, *m = u->slots[MOMENTUM], *v = u->slots[VELOCITY];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        m[k] += (g[k] - m[k]) * f.momentum;
        v[k] += (g[k] * g[k] - v[k]) * f.velocity;
        w[k] -= rate * (m[k] * f.mean / (SQRT(v[k] * f.square) + f.epsilon));
    }
    return ALL_FINITE(w, u->n);
}

#endif
