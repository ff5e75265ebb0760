/* a = rho a + (1 - rho) g g, d = g sqrt(x + epsilon) / sqrt(a + epsilon), x = rho x + (1 - rho) d d, w -= lr d. */
#ifndef REAL
#include "train/optimizer.h"
#include <math.h>

struct settings {
    double learning_rate, rho, epsilon;
};

enum { GRADIENTS, CHANGES }; /* slots */

#define LOOPS "train/optimizers/adadelta.c"
#include "train/each_real.h"

static const char *spelled(const void *settings)
{
    (void)settings;
    return "s0 = rho * s0 + (1 - rho) * (g * g); change = sqrt(s1 + epsilon) * g / sqrt(s0 + epsilon);"
           "s1 = rho * s1 + (1 - rho) * (change * change); w = w - rate * change";
}

const struct optimizer_def optimizer_adadelta = {
    .row = { "adadelta", "steps as long as the last ones (arXiv:1212.5701, where the rate is 1)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .001),
                 { SPEC_FIELD(struct settings, rho), "how much of the mean squares stays", .high = 1, .fallback = .95 },
                 { SPEC_FIELD(struct settings, epsilon), "keeps the quotient finite, and starts it", .high = 1e30,
                   .fallback = 1e-7 },
                 { 0 } } },
    .title = "Adadelta",
    .settings_size = sizeof(struct settings),
    .slots = { [GRADIENTS] = { .name = "accumulated_grad" }, [CHANGES] = { .name = "accumulated_delta_var" } },
    .spelled = spelled,
    .apply = apply_float,
    .apply_double = apply_double,
};

#else

static bool NAME(apply)(const struct UPDATE *u)
{
    const struct settings *s = u->settings;
    const REAL lr = u->learning_rate, rho = (REAL)s->rho, comes = (REAL)(1 - s->rho), epsilon = (REAL)s->epsilon;
    REAL *w = u->w, *squares = u->slots[GRADIENTS], *changes = u->slots[CHANGES];
    const REAL *g = u->g;

    INDEPENDENT
    for (int64_t k = 0; k < u->n; k++) {
        REAL change;

        squares[k] = rho * squares[k] + comes * (g[k] * g[k]);
        change = SQRT(changes[k] + epsilon) * g[k] / SQRT(squares[k] + epsilon);
        changes[k] = rho * changes[k] + comes * (change * change);
        w[k] -= lr * change;
    }
    return ALL_FINITE(w, u->n);
}

#endif
