/* Optimisers, computed as Keras computes them, in float (https://keras.io/api/optimizers/):
 *
 *   sgd      w -= lr g;  with momentum m = mu m - lr g, w += m;  nesterov w += mu m - lr g
 *   adam     m += (g - m)(1 - b1), v += (g g - v)(1 - b2), w -= m lr sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon)
 *   rmsprop  v = rho v + (1 - rho) g g, d = lr g / sqrt(v [- average^2] + epsilon), w -= d;
 *            with momentum m = mu m + d, w -= m
 *
 * One node of the training graph updates all parameters and slots in place. It is the last one, and refuses to run
 * where the loss or a statistic is not finite: so a step happens whole or not at all. That a parameter is not finite
 * any more is seen when it is written: then the step fails, and the state is of no use but for a snapshot to be put
 * back. */
#ifndef KILN_TRAIN_OPTIMIZER_H
#define KILN_TRAIN_OPTIMIZER_H

#include "kernels/kernels.h"
#include "ops/op.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_RMSPROP };

enum { MAX_SLOTS = 3 };

#define MOST_RATE 1e30 /* of learning: what Adam makes of it in a step is a float, too */

struct optimizer {
    enum optimizer_kind kind;
    double learning_rate;
    double momentum;
    bool nesterov;
    double beta_1, beta_2;
    double rho;
    bool centered;
    double epsilon;
    int slots;                         /* for each parameter */
    const char *slot_names[MAX_SLOTS]; /* "momentum", "velocity", "average" */
};

/* "adam", "sgd:learning_rate=0.1,momentum=0.9"; Keras' defaults. */
bool optimizer_parse(struct optimizer *out, const char *spec, struct report *r);
const char *optimizer_name(const struct optimizer *o);

/* What changes from step to step: the learning rate, for Adam with its correction. Steps count from 1. */
float optimizer_rate(const struct optimizer *o, float learning_rate, int64_t step);
/* One update of n elements; slots[k] as in slot_names. False: not all of w is finite. */
bool optimizer_apply(const struct optimizer *o, const struct kernels *k, float rate, float *w, float *const *slots,
                     const float *g, int64_t n);

/* May what became `now` not be saved? What was not finite from the start may stay as it was. */
bool has_become_infinite(float was, float now);

/* The node: appends it to the graph. Its outputs (parameter, slots, in this order) become outputs of the graph. */
struct optimizer_inputs {
    struct value *rate, *loss; /* scalars */
    size_t watched;            /* values that must be finite before anything is changed: */
    struct value *const *next; /* what is to replace */
    struct value *const *now;  /* these */
    size_t parameters;
    struct value *const *parameter, *const *gradient;
    struct value *const *slots;  /* of the first parameter, of the second ... */
    const float *const *initial; /* of each parameter; lives as long as the graph */
};
bool optimizer_emit(struct emitter *e, const struct optimizer *o, const struct optimizer_inputs *i);

#endif
