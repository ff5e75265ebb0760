/* What every optimiser of Keras can be asked for, whatever its own arithmetic is: decoupled decay, clipping,
 * accumulation of gradients, moving averages of the parameters (https://keras.io/api/optimizers/). */
#ifndef KILN_TRAIN_OPTIMIZER_COMMON_H
#define KILN_TRAIN_OPTIMIZER_COMMON_H

#include "base/spec.h"
#include "tensor/tensor.h"

/* Slots beside the optimiser's own: one where gradients add up, one for the average of the values. */
enum { SLOT_ACCUMULATOR, SLOT_AVERAGE, COMMON_SLOTS };

struct common_settings {
    double weight_decay, clipnorm, clipvalue, global_clipnorm, gradient_accumulation_steps;
    double ema_momentum, ema_overwrite_frequency;
    bool use_ema;
};

extern const struct spec_option common_options[];
extern const char *const common_slot_names[COMMON_SLOTS];

/* Do they go together? `row` is the optimiser's, for the message. */
bool common_check(const struct common_settings *s, const struct spec_row *row, const struct spec_subject *about,
                  struct report *r);
bool common_needs_slot(const struct common_settings *s, int slot);

/* What a step does. */
struct common_step {
    const struct common_settings *settings;
    int64_t update;      /* the number of this one, or of the next, from 1: Keras' iterations + 1 */
    bool updates;        /* the others add gradients up, and leave the parameters */
    bool average_begins; /* as the values are */
    bool overwrites;     /* the values become the averages */
};
/* `number` counts all steps, from 0. */
struct common_step common_step_at(const struct common_settings *s, int64_t number);

/* Is the gradient not what the optimiser is given? Then common_measure must see all of it before anything changes. */
bool common_changes_gradients(const struct common_settings *s);

/* In an order that is always the same. */
double sum_squares(const float *x, int64_t n);
double sum_squares_double(const double *x, int64_t n);

/* Elements of one parameter. */
struct common_range {
    enum dtype dtype; /* of all that follows: float or double */
    int64_t n;
    void *w;
    const void *g;
    void *accumulator, *average; /* NULL where the settings need none */
};
/* The sum of the squares of the gradient that the optimiser would be given, before it is clipped by a norm: not finite
 * where an element is not. */
double common_measure(const struct common_step *c, const struct common_range *x);
/* What each gradient of a parameter is multiplied by and then divided by, so that it keeps within a norm. */
struct common_clip {
    double times, by;
};
struct common_clip common_clip_of(const struct common_settings *s, double square, double square_of_all);
/* Writes the gradient that the optimiser is given, and empties the accumulators. */
void common_gradient(const struct common_step *c, const struct common_range *x, struct common_clip clip, void *out);
void common_decay(const struct common_settings *s, double learning_rate, const struct common_range *x);
void common_accumulate(const struct common_range *x);
/* After the update: the averages move, and where the step says so the values become them. */
void common_average(const struct common_step *c, const struct common_range *x);

#endif
