/* a += g g, w -= lr g / sqrt(a + epsilon). */
#ifndef REAL
#include "train/optimizer.h"
#include <math.h>

struct settings {
    double learning_rate, initial_accumulator_value, epsilon;
};

static double begins(const void *settings)
{
    return ((const struct settings *)settings)->initial_accumulator_value;
}

#define LOOPS "train/optimizers/adagrad.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "s0 = s0 + g * g; w = w - rate * g / sqrt(s0 + epsilon)";
}

const struct optimizer_def optimizer_adagrad = {
    .row = { "adagrad", "slower, the more a parameter has moved (Duchi and others 2011)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .001),
                 { SPEC_FIELD(struct settings, initial_accumulator_value), "of the sum of squares", .high = 1e30,
                   .fallback = .1 },
                 { SPEC_FIELD(struct settings, epsilon), "keeps the quotient finite", .high = 1e30, .fallback = 1e-7 },
                 { 0 } } },
    .title = "Adagrad",
    .settings_size = sizeof(struct settings),
    .slots = { { .name = "accumulator", .begins = begins } },
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

static bool NAME(apply)(const struct UPDATE *u)
{
    const REAL lr = u->learning_rate, epsilon = (REAL)((const struct settings *)u->settings)->epsilon;
    REAL *w = u->w, *sum = u->slots[0];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        sum[k] += g[k] * g[k];
        w[k] -= lr * g[k] / SQRT(sum[k] + epsilon);
    }
    return ALL_FINITE(w, u->n);
}

#endif
