/* w -= lr g; with momentum m = mu m - lr g, w += m; nesterov w += mu m - lr g. */
#include "train/optimizer.h"

struct settings {
    double learning_rate, momentum;
    bool nesterov;
};

static bool apply(const struct update *u)
{
    const struct settings *s = u->settings;

    return u->kernels->update->sgd(u->w, u->slots[0], u->g, u->n, u->rate, (float)s->momentum, s->nesterov);
}

static bool apply_double(const struct update_double *u)
{
    const struct settings *s = u->settings;

    return u->kernels->update->sgd_double(u->w, u->slots[0], u->g, u->n, u->learning_rate, s->momentum, s->nesterov);
}

static const char *spelled(const void *settings)
{
    const struct settings *s = settings;

    return !(s->momentum > 0) ? "w = w - rate * g"
           : s->nesterov      ? "s0 = momentum * s0 - rate * g; w = w + (momentum * s0 - rate * g)"
                              : "s0 = momentum * s0 - rate * g; w = w + s0";
}

const struct optimizer_def optimizer_sgd = {
    .row = { "sgd", "gradient descent, with momentum where it is asked for",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .01),
                 { SPEC_FIELD(struct settings, momentum), "how much of the last change is made again", .high = 1 },
                 { SPEC_FIELD(struct settings, nesterov), "look ahead by the momentum", SPEC_FLAG },
                 { 0 } } },
    .title = "Sgd",
    .settings_size = sizeof(struct settings),
    .slots = { { .name = "momentum", .needed_by = "momentum" } },
    .spelled = spelled,
    .apply = apply,
    .apply_double = apply_double,
};
