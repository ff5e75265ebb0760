/* (initial - end) (1 - t / decay_steps)^power + end; then end, or with `cycle` again from a lower rate, the end of which
 * is the next multiple of decay_steps. */
#include "train/schedule.h"
#include <math.h>

struct settings {
    double initial_learning_rate, decay_steps, end_learning_rate, power;
    bool cycle;
};

static float rate(const void *settings, float initial, int64_t step)
{
    const struct settings *s = settings;
    const float end = (float)s->end_learning_rate;
    float t = (float)step, steps = (float)s->decay_steps;

    if (!s->cycle)
        t = fminf(t, steps);
    else if (step)
        steps *= ceilf(t / steps);
    return (initial - end) * powf(fmaxf(1 - t / steps, 0), (float)s->power) + end;
}

const struct schedule_def schedule_polynomial_decay = {
    .row = { "polynomial_decay", "(initial - end) (1 - t / decay_steps)^power + end",
             (const struct spec_option[]){
                 INITIAL_LEARNING_RATE(struct settings),
                 SCHEDULE_STEPS(struct settings, decay_steps, "steps until the end"),
                 { SPEC_FIELD(struct settings, end_learning_rate), "the rate at the end", .high = MOST_RATE,
                   .fallback = 1e-4 },
                 { SPEC_FIELD(struct settings, power), "1 is a straight line", .high = 1000, .fallback = 1 },
                 { SPEC_FIELD(struct settings, cycle), "rise again at the end, each time less", SPEC_FLAG },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .rate = rate,
};
