/* Learning-rate schedules, computed as Keras computes them
 * (https://keras.io/api/optimizers/learning_rate_schedules/): in float, operation by operation, whatever the type of
 * the parameters. Each is a file in schedules/ and a line in its meson.build: nothing else knows which there are. */
#ifndef KILN_TRAIN_SCHEDULE_H
#define KILN_TRAIN_SCHEDULE_H

#include "base/spec.h"
#include "train/optimizer.h"

/* -- the contract of a schedule -- */

/* The option of a schedule that begins somewhere: settings have a `double initial_learning_rate`, which `rate` is given
 * as a float; where it is not said it is the optimiser's learning rate. */
#define INITIAL_LEARNING_RATE(type)                                                                                    \
    {                                                                                                                  \
        SPEC_FIELD(type, initial_learning_rate), "at first (the optimizer's)", .high = MOST_RATE,                      \
                                                                               .absent = SPEC_UNSAID                   \
    }
/* Of one that is told how many steps something takes. */
#define SCHEDULE_STEPS(type, field, text)                                                                              \
    {                                                                                                                  \
        SPEC_FIELD(type, field), text, .low = 1, .high = 1e15, .absent = SPEC_NEEDED                                   \
    }

/* From the initial rate to `warmup_target` in a straight line; no warm-up where that is not said. */
struct warmup {
    double target, steps;
};
#define WARMUP(type)                                                                                                   \
    { .offset = offsetof(type, warmup.target),                                                                         \
      .key = "warmup_target",                                                                                          \
      .help = "where the warm-up ends (there is none)",                                                                \
      .high = MOST_RATE,                                                                                               \
      .absent = SPEC_UNSAID },                                                                                         \
    {                                                                                                                  \
        .offset = offsetof(type, warmup.steps), .key = "warmup_steps", .help = "how many steps the warm-up takes",     \
        .high = 1e15                                                                                                   \
    }
/* Is step `t` still of the warm-up? Then *rate is its. */
bool warmup_rate(const struct warmup *w, float initial, float t, float *rate);

struct schedule_def {
    struct spec_row row;
    size_t settings_size;
    /* What bounds of options do not tell; NULL: nothing. Why they do not do; NULL: they do. */
    const char *(*refuses)(const void *settings);
    /* Of step `step`, from 0: Keras' optimizer.iterations before the update. */
    float (*rate)(const void *settings, float initial, int64_t step);
};

extern const struct schedule_def *const schedule_registry[]; /* ended by NULL; made from schedules/meson.build */

/* -- one that was asked for -- */

struct schedule {
    const struct schedule_def *def; /* NULL: there is none, the rate stays */
    void *settings;                 /* of the arena */
    float initial;
};

/* "cosine_decay:decay_steps=1000,alpha=0.1"; NULL is none. `rate` is the optimiser's learning rate. */
bool schedule_parse(struct schedule *out, const char *spec, double rate, struct arena *arena, struct report *r);
spec_table schedule_table;
double schedule_rate(const struct schedule *s, int64_t step);

#endif
