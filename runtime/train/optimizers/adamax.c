/* m += (g - m)(1 - b1), u = max(b2 u, |g|), w -= lr m / ((1 - b1^t)(u + epsilon)). */
#ifndef REAL
#include "train/optimizers/adam.h"
#include <math.h>

enum { MOMENTUM, NORM }; /* slots */

#define LOOPS "train/optimizers/adamax.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "begun = 1 - pow(beta_1, t); s0 = s0 + (g - s0) * (1 - beta_1); s1 = max(beta_2 * s1, abs(g));"
           "w = w - rate * s0 / (begun * (s1 + epsilon))";
}

const struct optimizer_def optimizer_adamax = {
    .row = { "adamax", "Adam by the largest gradient (Kingma and Ba, arXiv:1412.6980)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct means, .001), MEAN_OPTIONS(struct means, "the largest one"), { 0 } } },
    .title = "Adamax",
    .settings_size = sizeof(struct means),
    .slots = { [MOMENTUM] = { .name = "momentum" }, [NORM] = { .name = "norm" } },
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

static bool NAME(apply)(const struct UPDATE *u)
{
    const struct means *s = u->settings;
    const REAL lr = u->learning_rate, a = (REAL)(1 - s->beta_1), b = (REAL)s->beta_2, epsilon = (REAL)s->epsilon;
    const REAL begun = 1 - POW((REAL)s->beta_1, (REAL)u->step);
    REAL *w = u->w, *m = u->slots[MOMENTUM], *norm = u->slots[NORM];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        const REAL size = ABS(g[k]);

        m[k] += (g[k] - m[k]) * a;
        norm[k] = b * norm[k] >= size ? b * norm[k] : size;
        w[k] -= lr * m[k] / (begun * (norm[k] + epsilon));
    }
    return ALL_FINITE(w, u->n);
}

#endif
