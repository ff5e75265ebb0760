/* Follow the regularised leader: a' = a + g g, z += g + 2 shrinkage w - (a'^p - a^p) / lr w with p = -learning_rate_power,
 * w = (clip(z, -l1, l1) - z) / (a'^p / lr + 2 l2 + beta / lr). */
#ifndef REAL
#include "train/optimizer.h"
#include <math.h>

struct settings {
    double learning_rate, learning_rate_power, initial_accumulator_value, l1_regularization_strength,
        l2_regularization_strength, l2_shrinkage_regularization_strength, beta;
};

enum { ACCUMULATOR, LINEAR }; /* slots */
enum { BLOCK = 256 };

static double begins(const void *settings)
{
    return ((const struct settings *)settings)->initial_accumulator_value;
}

#define LOOPS "train/optimizers/ftrl.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "power = -learning_rate_power; before = pow(s0, power); s0 = s0 + g * g; after = pow(s0, power);"
           "s1 = s1 + g + 2 * l2_shrinkage_regularization_strength * w - (after - before) / rate * w;"
           "clipped = min(max(s1, -l1_regularization_strength), l1_regularization_strength);"
           "w = (clipped - s1) / (after / rate + 2 * (l2_regularization_strength + beta / (2 * rate)))";
}

const struct optimizer_def optimizer_ftrl = {
    .row = { "ftrl", "keeps what hardly matters at 0 (McMahan and others 2013)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .001),
                 { SPEC_FIELD(struct settings, learning_rate_power), "of the sum of squares", .low = -1e30, .high = 0,
                   .fallback = -.5 },
                 { SPEC_FIELD(struct settings, initial_accumulator_value), "of that sum", .high = 1e30,
                   .fallback = .1 },
                 { SPEC_FIELD(struct settings, l1_regularization_strength), "what keeps parameters at 0",
                   .high = 1e30 },
                 { SPEC_FIELD(struct settings, l2_regularization_strength), "what keeps parameters small",
                   .high = 1e30 },
                 { SPEC_FIELD(struct settings, l2_shrinkage_regularization_strength), "in the gradient", .high = 1e30 },
                 { SPEC_FIELD(struct settings, beta), "of the paper", .low = -1e30, .high = 1e30 },
                 { 0 } } },
    .title = "Ftrl",
    .settings_size = sizeof(struct settings),
    .slots = { [ACCUMULATOR] = { .name = "accumulator", .begins = begins }, [LINEAR] = { .name = "linear" } },
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

/* Of n elements: the sum of the squares with this gradient, and both to the power of p. */
static void NAME(sum_up)(REAL p, int64_t n, REAL *sum, const REAL *g, REAL *before, REAL *after)
{
    INDEPENDENT
    for (int64_t k = 0; k < n; k++) {
        before[k] = sum[k];
        sum[k] += g[k] * g[k];
    }
    if (p == (REAL).5) {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            before[k] = SQRT(before[k]);
            after[k] = SQRT(sum[k]);
        }
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        before[k] = POW(before[k], p);
        after[k] = POW(sum[k], p);
    }
}

static void NAME(follow)(const struct UPDATE *u, int64_t from, int64_t n)
{
    const struct settings *s = u->settings;
    const REAL lr = u->learning_rate, l1 = (REAL)s->l1_regularization_strength;
    const REAL l2 = (REAL)s->l2_regularization_strength + (REAL)s->beta / (2 * lr);
    const REAL shrinkage = (REAL)(2 * s->l2_shrinkage_regularization_strength);
    REAL *w = u->w + from, *z = u->slots[LINEAR] + from, before[BLOCK], after[BLOCK];
    const REAL *g = u->g + from;

    NAME(sum_up)(-(REAL)s->learning_rate_power, n, u->slots[ACCUMULATOR] + from, g, before, after);
    INDEPENDENT
    for (int64_t k = 0; k < n; k++) {
        REAL clipped;

        z[k] += g[k] + shrinkage * w[k] - (after[k] - before[k]) / lr * w[k];
        clipped = z[k] > l1 ? l1 : z[k] < -l1 ? -l1 : z[k];
        w[k] = (clipped - z[k]) / (after[k] / lr + 2 * l2);
    }
}

static bool NAME(apply)(const struct UPDATE *u)
{
    for (int64_t k = 0; k < u->n; k += BLOCK)
        NAME(follow)(u, k, u->n - k < BLOCK ? u->n - k : BLOCK);
    return ALL_FINITE(u->w, u->n);
}

#endif
