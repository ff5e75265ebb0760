/* Half a wave from the initial rate, or that of the warm-up, down to alpha times it (Loshchilov and Hutter 2016). */
#include "train/schedule.h"
#include <math.h>

struct settings {
    double initial_learning_rate, decay_steps, alpha;
    struct warmup warmup;
};

/* 1 - alpha is taken in double and then rounded, as Python does. */
static float rate(const void *settings, float initial, int64_t step)
{
    const struct settings *s = settings;
    const bool warms = !isnan(s->warmup.target);
    const float steps = (float)s->decay_steps, before = warms ? (float)s->warmup.steps : 0;
    float t = fminf((float)step, steps + before), warm;

    if (warmup_rate(&s->warmup, initial, t, &warm))
        return warm;
    t = .5f * (1 + cosf((float)M_PI * ((t - before) / steps)));
    return (warms ? (float)s->warmup.target : initial) * ((float)(1 - s->alpha) * t + (float)s->alpha);
}

const struct schedule_def schedule_cosine_decay = {
    .row = { "cosine_decay", "half a cosine, after a warm-up (arXiv:1608.03983)",
             (const struct spec_option[]){
                 INITIAL_LEARNING_RATE(struct settings),
                 SCHEDULE_STEPS(struct settings, decay_steps, "until the end, after the warm-up"),
                 { SPEC_FIELD(struct settings, alpha), "how much of it is left at the end", .high = 1 },
                 WARMUP(struct settings),
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .rate = rate,
};
