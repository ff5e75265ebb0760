/* w -= lr sign(b1 m + (1 - b1) g), m = b2 m + (1 - b2) g. */
#ifndef REAL
#include "train/optimizer.h"
#include <math.h>

struct settings {
    double learning_rate, beta_1, beta_2;
};

#define LOOPS "train/optimizers/lion.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "way = s0 * beta_1 + g * (1 - beta_1); w = w - rate * sign(way); s0 = s0 * beta_2 + g * (1 - beta_2)";
}

const struct optimizer_def optimizer_lion = {
    .row = { "lion", "by the sign of the momentum (Chen and others, arXiv:2302.06675)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .001),
                 { SPEC_FIELD(struct settings, beta_1), "how much the momentum counts against the gradient", .high = 1,
                   .fallback = .9 },
                 { SPEC_FIELD(struct settings, beta_2), "how much of the momentum stays", .high = 1, .fallback = .99 },
                 { 0 } } },
    .title = "Lion",
    .settings_size = sizeof(struct settings),
    .slots = { { .name = "momentum" } },
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

static bool NAME(apply)(const struct UPDATE *u)
{
    const struct settings *s = u->settings;
    const REAL lr = u->learning_rate, beta_1 = (REAL)s->beta_1, beta_2 = (REAL)s->beta_2;
    REAL *w = u->w, *m = u->slots[0];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        const REAL way = m[k] * beta_1 + g[k] * (1 - beta_1);

        w[k] -= lr * (way > 0 ? 1 : way < 0 ? -1 : 0) + (way - way); /* a momentum that is not finite is seen */
        m[k] = m[k] * beta_2 + g[k] * (1 - beta_2);
    }
    return ALL_FINITE(w, u->n);
}

#endif
