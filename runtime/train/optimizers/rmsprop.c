/* v = rho v + (1 - rho) g g, d = lr g / sqrt(v [- average^2] + epsilon), w -= d; with momentum m = mu m + d, w -= m. */
#include "train/optimizer.h"

struct settings {
    double learning_rate, rho, momentum, epsilon;
    bool centered;
};

enum { VELOCITY, AVERAGE, MOMENTUM }; /* slots */

static bool apply(const struct update *u)
{
    const struct settings *s = u->settings;

    return u->kernels->update->rmsprop(u->w, u->slots[VELOCITY], u->slots[AVERAGE], u->slots[MOMENTUM], u->g, u->n,
                                       u->rate, (float)s->rho, (float)s->momentum, (float)s->epsilon);
}

static bool apply_double(const struct update_double *u)
{
    const struct settings *s = u->settings;

    return u->kernels->update->rmsprop_double(u->w, u->slots[VELOCITY], u->slots[AVERAGE], u->slots[MOMENTUM], u->g,
                                              u->n, u->learning_rate, s->rho, s->momentum, s->epsilon);
}

static const char *spelled(const void *settings)
{
    const struct settings *s = settings;

    if (s->centered)
        return s->momentum > 0 ? "s0 = rho * s0 + (1 - rho) * (g * g); s1 = rho * s1 + (1 - rho) * g;"
                                 "s2 = momentum * s2 + rate * g / sqrt(s0 - s1 * s1 + epsilon); w = w - s2"
                               : "s0 = rho * s0 + (1 - rho) * (g * g); s1 = rho * s1 + (1 - rho) * g;"
                                 "w = w - rate * g / sqrt(s0 - s1 * s1 + epsilon)";
    return s->momentum > 0
               ? "s0 = rho * s0 + (1 - rho) * (g * g); s2 = momentum * s2 + rate * g / sqrt(s0 + epsilon); w = w - s2"
               : "s0 = rho * s0 + (1 - rho) * (g * g); w = w - rate * g / sqrt(s0 + epsilon)";
}

const struct optimizer_def optimizer_rmsprop = {
    .row = { "rmsprop", "RMSprop (Tieleman and Hinton 2012)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .001),
                 { SPEC_FIELD(struct settings, rho), "how much of the mean of the squared gradients stays", .high = 1,
                   .fallback = .9 },
                 { SPEC_FIELD(struct settings, momentum), "how much of the last change is made again", .high = 1 },
                 { SPEC_FIELD(struct settings, epsilon), "keeps the quotient finite", .high = 1e30, .fallback = 1e-7 },
                 { SPEC_FIELD(struct settings, centered), "divide by the deviation, not the mean square", SPEC_FLAG },
                 { 0 } } },
    .title = "RmsProp",
    .settings_size = sizeof(struct settings),
    .slots = { [VELOCITY] = { .name = "velocity" },
               [AVERAGE] = { .name = "average", .needed_by = "centered" },
               [MOMENTUM] = { .name = "momentum", .needed_by = "momentum" } },
    .spelled = spelled,
    .apply = apply,
    .apply_double = apply_double,
};
