/* m += (g - m)(1 - b1), v += (g g - v)(1 - b2), w -= m lr sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon). */
#include "train/optimizer.h"
#include <math.h>

struct settings {
    double learning_rate, beta_1, beta_2, epsilon;
};

/* Powers are taken in float, as Keras takes them: in double the rate would differ by 2e-5 at the first step, for 1 -
 * .999f. */
static float rate(const void *settings, float learning_rate, int64_t step)
{
    const struct settings *s = settings;
    const float t = (float)step;

    return learning_rate * sqrtf(1 - powf((float)s->beta_2, t)) / (1 - powf((float)s->beta_1, t));
}

/* 1 - beta is taken in double and then rounded, as Python does. */
static bool apply(const struct update *u)
{
    const struct settings *s = u->settings;

    return u->kernels->update->adam(u->w, u->slots[0], u->slots[1], u->g, u->n, u->rate, (float)(1 - s->beta_1),
                                    (float)(1 - s->beta_2), (float)s->epsilon);
}

static bool apply_double(const struct update_double *u)
{
    const struct settings *s = u->settings;
    const double t = (double)u->step;
    const double alpha = u->learning_rate * sqrt(1 - pow(s->beta_2, t)) / (1 - pow(s->beta_1, t));

    return u->kernels->update->adam_double(u->w, u->slots[0], u->slots[1], u->g, u->n, alpha, 1 - s->beta_1,
                                           1 - s->beta_2, s->epsilon);
}

const struct optimizer_def optimizer_adam = {
    .row = { "adam", "Adam (Kingma and Ba, arXiv:1412.6980)",
             (const struct spec_option[]){
                 LEARNING_RATE(struct settings, .001),
                 { SPEC_FIELD(struct settings, beta_1), "how much of the mean of the gradients stays", SPEC_BELOW,
                   .high = 1, .fallback = .9 },
                 { SPEC_FIELD(struct settings, beta_2), "how much of the mean of their squares stays", SPEC_BELOW,
                   .high = 1, .fallback = .999 },
                 { SPEC_FIELD(struct settings, epsilon), "keeps the quotient finite", .high = 1e30, .fallback = 1e-7 },
                 { 0 } } },
    .title = "Adam",
    .settings_size = sizeof(struct settings),
    .slots = { { "momentum", NULL }, { "velocity", NULL } },
    .rate = rate,
    .apply = apply,
    .apply_double = apply_double,
};
