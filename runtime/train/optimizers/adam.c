/* m += (g - m)(1 - b1), v += (g g - v)(1 - b2), w -= m lr sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon); amsgrad
 * with the largest v so far. */
#ifndef REAL
#include "train/optimizers/adam.h"
#include <math.h>

#define LOOPS "train/optimizers/adam.c"
#include "train/each_real.h"

/* Powers are taken in float, as Keras takes them: in double the rate would differ by 2e-5 at the first step, for 1 -
 * .999f. */
float adam_rate(const void *settings, float learning_rate, int64_t step)
{
    const struct adam *s = settings;
    const float t = (float)step;

    return learning_rate * sqrtf(1 - powf((float)s->beta_2, t)) / (1 - powf((float)s->beta_1, t));
}

/* 1 - beta is taken in double and then rounded, as Python does. */
bool adam_apply(const struct update *u)
{
    const struct adam *s = u->settings;

    if (s->amsgrad)
        return amsgrad_float(u, u->rate);
    return u->kernels->update->adam(u->w, u->slots[ADAM_MOMENTUM], u->slots[ADAM_VELOCITY], u->g, u->n, u->rate,
                                    (float)(1 - s->beta_1), (float)(1 - s->beta_2), (float)s->epsilon);
}

bool adam_apply_double(const struct update_double *u)
{
    const struct adam *s = u->settings;
    const double t = (double)u->step;
    const double alpha = u->learning_rate * sqrt(1 - pow(s->beta_2, t)) / (1 - pow(s->beta_1, t));

    if (s->amsgrad)
        return amsgrad_double(u, alpha);
    return u->kernels->update->adam_double(u->w, u->slots[ADAM_MOMENTUM], u->slots[ADAM_VELOCITY], u->g, u->n, alpha,
                                           1 - s->beta_1, 1 - s->beta_2, s->epsilon);
}

const char *adam_spelled(const void *settings)
{
    return ((const struct adam *)settings)->amsgrad
               ? "alpha = rate * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)); s0 = s0 + (g - s0) * (1 - beta_1);"
                 "s1 = s1 + (g * g - s1) * (1 - beta_2); s2 = max(s2, s1); w = w - s0 * alpha / (sqrt(s2) + epsilon)"
               : "alpha = rate * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)); s0 = s0 + (g - s0) * (1 - beta_1);"
                 "s1 = s1 + (g * g - s1) * (1 - beta_2); w = w - s0 * alpha / (sqrt(s1) + epsilon)";
}

const struct optimizer_def optimizer_adam = {
    .row = { "adam", "Adam (Kingma and Ba, arXiv:1412.6980)",
             (const struct spec_option[]){ LEARNING_RATE(struct adam, .001), ADAM_OPTIONS, { 0 } } },
    .title = "Adam",
    ADAM_DEFINITION,
};

#else

static bool NAME(amsgrad)(const struct UPDATE *u, REAL alpha)
{
    const struct adam *s = u->settings;
    const REAL a = (REAL)(1 - s->beta_1), b = (REAL)(1 - s->beta_2), epsilon = (REAL)s->epsilon;
    REAL *w = u->w, *m = u->slots[ADAM_MOMENTUM], *v = u->slots[ADAM_VELOCITY], *hat = u->slots[ADAM_VELOCITY_HAT];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        m[k] += (g[k] - m[k]) * a;
        v[k] += (g[k] * g[k] - v[k]) * b;
        hat[k] = hat[k] >= v[k] ? hat[k] : v[k];
        w[k] -= m[k] * alpha / (SQRT(hat[k]) + epsilon);
    }
    return ALL_FINITE(w, u->n);
}

#endif
