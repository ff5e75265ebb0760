/* Half waves, each t_mul times as long and m_mul times as high as the one before (Loshchilov and Hutter 2016). */
#include "train/schedule.h"
#include <math.h>

struct settings {
    double initial_learning_rate, first_decay_steps, t_mul, m_mul, alpha;
};

static float rate(const void *settings, float initial, int64_t step)
{
    const struct settings *s = settings;
    const float longer = (float)s->t_mul, alpha = (float)s->alpha;
    float done = (float)step / (float)s->first_decay_steps, restart, wave;

    if (longer == 1) {
        restart = floorf(done);
        done -= restart;
    } else {
        restart = floorf(logf(1 - done * (1 - longer)) / logf(longer));
        done = (done - (1 - powf(longer, restart)) / (1 - longer)) / powf(longer, restart);
    }
    wave = .5f * powf((float)s->m_mul, restart) * (1 + cosf((float)M_PI * done));
    return initial * ((1 - alpha) * wave + alpha);
}

const struct schedule_def schedule_cosine_decay_restarts = {
    .row = { "cosine_decay_restarts", "half a cosine again and again (arXiv:1608.03983)",
             (const struct spec_option[]){
                 INITIAL_LEARNING_RATE(struct settings),
                 SCHEDULE_STEPS(struct settings, first_decay_steps, "until the first restart"),
                 { SPEC_FIELD(struct settings, t_mul), "how much longer each one is", .low = 1, .high = 1000,
                   .fallback = 2 },
                 { SPEC_FIELD(struct settings, m_mul), "how much higher each one begins", .high = 1000, .fallback = 1 },
                 { SPEC_FIELD(struct settings, alpha), "how much is left at the end of each", .high = 1 },
                 { 0 } } },
    .settings_size = sizeof(struct settings),
    .rate = rate,
};
