/* initial / (1 + decay_rate t / decay_steps). */
#include "train/schedule.h"
#include <math.h>

struct settings {
    double initial_learning_rate, decay_steps, decay_rate;
    bool staircase;
};

static float rate(const void *settings, float initial, int64_t step)
{
    const struct settings *s = settings;
    const float p = (float)step / (float)s->decay_steps;

    return initial / (1 + (float)s->decay_rate * (s->staircase ? floorf(p) : p));
}

const struct schedule_def schedule_inverse_time_decay = {
    .row = { "inverse_time_decay", "initial / (1 + decay_rate t / decay_steps)",
             (const struct spec_option[]){
                 INITIAL_LEARNING_RATE(struct settings),
                 SCHEDULE_STEPS(struct settings, decay_steps, "until 1 is 1 + decay_rate"),
                 { SPEC_FIELD(struct settings, decay_rate), "how fast", .high = 1e30, .absent = SPEC_NEEDED },
                 { SPEC_FIELD(struct settings, staircase), "in steps, whole quotients alone", SPEC_FLAG },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .rate = rate,
};
