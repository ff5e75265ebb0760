/* initial decay_rate^(t / decay_steps). */
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

    return initial * powf((float)s->decay_rate, s->staircase ? floorf(p) : p);
}

const struct schedule_def schedule_exponential_decay = {
    .row = { "exponential_decay", "initial decay_rate^(t / decay_steps)",
             (const struct spec_option[]){
                 INITIAL_LEARNING_RATE(struct settings),
                 SCHEDULE_STEPS(struct settings, decay_steps, "until it is decay_rate times that"),
                 { SPEC_FIELD(struct settings, decay_rate), "what it is multiplied by", .high = 1e30,
                   .absent = SPEC_NEEDED },
                 { SPEC_FIELD(struct settings, staircase), "in steps, whole powers alone", SPEC_FLAG },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .rate = rate,
};
