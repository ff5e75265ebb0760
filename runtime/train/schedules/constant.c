/* The same in every step, once it is warm. */
#include "train/schedule.h"
#include <math.h>

struct settings {
    double initial_learning_rate;
    struct warmup warmup;
};

static float rate(const void *settings, float initial, int64_t step)
{
    const struct settings *s = settings;
    float warm;

    if (warmup_rate(&s->warmup, initial, (float)step, &warm))
        return warm;
    return isnan(s->warmup.target) ? initial : (float)s->warmup.target;
}

const struct schedule_def schedule_constant = {
    .row = { "constant", "the same rate, after a warm-up where one is asked for",
             (const struct spec_option[]){ INITIAL_LEARNING_RATE(struct settings), WARMUP(struct settings), { 0 } } },
    .settings_size = sizeof(struct settings),
    .rate = rate,
};
