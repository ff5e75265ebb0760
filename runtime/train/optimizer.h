/* Optimisers, computed as Keras computes them (https://keras.io/api/optimizers/), in float, or in double where the
 * parameter is double. Each is a file in optimizers/ and a line in its meson.build: nothing else knows which there are.
 *
 * One node of the training graph updates all parameters and slots in place. It is the last one, and refuses to run
 * where the loss or a statistic is not finite: so a step happens whole or not at all. That a parameter is not finite
 * any more is seen when it is written: then the step fails, and the state is of no use but for a snapshot to be put
 * back. */
#ifndef KILN_TRAIN_OPTIMIZER_H
#define KILN_TRAIN_OPTIMIZER_H

#include "base/spec.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "train/optimizer_common.h"

/* -- the contract of an optimiser -- */

enum { OWN_SLOTS = 4, MAX_SLOTS = OWN_SLOTS + COMMON_SLOTS };

#define MOST_RATE 1e30 /* of learning: what Adam makes of it in a step is a float, too */
/* The option that every optimiser has: settings are a struct of its own, with `double learning_rate` in it. */
#define LEARNING_RATE(type, rate)                                                                                      \
    {                                                                                                                  \
        SPEC_FIELD(type, learning_rate), "how far a step goes", .high = MOST_RATE, .fallback = rate                    \
    }

/* What a step does to some elements of one parameter, or to all of them. */
struct update {
    const void *settings;
    float learning_rate;           /* of this step */
    float rate;                    /* what the optimiser's `rate` makes of it */
    int64_t step;                  /* from 1 */
    const void *prepared;          /* NULL where nothing is */
    const struct kernels *kernels; /* sgd, adam and rmsprop have one of their own; others are a plain loop */
    const struct tensor *shape;    /* of the whole parameter */
    int64_t at, n;                 /* the first of the elements, and how many */
    float *w;                      /* the elements: read and written */
    float *slots[OWN_SLOTS];       /* read and written; NULL where the settings need none */
    const float *g;                /* the gradient */
};

/* The same of a parameter that is double. What depends on the step is computed from learning_rate and step. */
struct update_double {
    const void *settings;
    double learning_rate;
    int64_t step;
    const void *prepared;
    const struct kernels *kernels;
    const struct tensor *shape;
    int64_t at, n;
    double *w, *slots[OWN_SLOTS];
    const double *g;
};

struct optimizer_def {
    struct spec_row row; /* its options: LEARNING_RATE, then its own; one that is called as a common one is that */
    const char *title;   /* what its node is called in a plan */
    size_t settings_size;
    struct slot_def {                           /* what is kept for each element of each parameter */
        const char *name;                       /* "momentum"; trainer_state finds it by that */
        const char *needed_by;                  /* the option that must not be 0 for it; NULL: it is always there */
        double (*begins)(const void *settings); /* what it holds before the first step; NULL: 0 */
        /* What is not kept for each element, such as one number for the whole: changes `slot`, which is like the
         * parameter, to what it is. Then `prepare` changes it, and `apply`, which is given all of it, reads it. */
        void (*shape)(const struct tensor *parameter, struct tensor *slot);
    } slots[OWN_SLOTS];
    /* The learning rate with what depends on the step alone. NULL: as it is. What is to be decoupled from that, such as
     * decay, goes by update->learning_rate. */
    float (*rate)(const void *settings, float learning_rate, int64_t step);
    /* For what depends on the whole tensor, a norm: fills the prepared_size bytes that `apply` is then given. Of all
     * elements of a parameter, before any is changed. NULL: nothing does. */
    size_t prepared_size;
    void (*prepare)(const struct update *u, void *prepared);
    void (*prepare_double)(const struct update_double *u, void *prepared);
    /* The update of some elements; several threads do so at once, each with its own. False: not all of w is finite. */
    bool (*apply)(const struct update *u);
    /* NULL: it does not train parameters that are double. */
    bool (*apply_double)(const struct update_double *u);
    /* The same as a formula (ops/equation.h) that changes w and the slots, s0, s1 ... by their places in `slots`; it reads
     * g, rate, t (the number of the step, from 1) and the options. */
    const char *(*spelled)(const void *settings);
};

extern const struct optimizer_def *const optimizer_registry[]; /* ended by NULL; made from optimizers/meson.build */

/* For an `apply` without a kernel that tells. */
bool all_finite(const float *x, int64_t n);
bool all_finite_double(const double *x, int64_t n);
/* A slot_def.shape: one number for the whole parameter. */
void slot_is_scalar(const struct tensor *parameter, struct tensor *slot);

/* -- one that was asked for -- */

struct optimizer {
    const struct optimizer_def *def;
    void *settings; /* of the arena */
    double learning_rate;
    int slots;                         /* for each parameter: those that the settings need */
    const char *slot_names[MAX_SLOTS]; /* of these */
    int own_slots;                     /* the first of them are the optimiser's own, the others common ones */
    int slot_place[OWN_SLOTS];         /* their places in def->slots */
    struct common_settings common;
    int common_slot[COMMON_SLOTS]; /* where they are among the slots; -1 where they are not */
};

/* "adam", "sgd:learning_rate=0.1,momentum=0.9"; Keras' defaults. */
bool optimizer_parse(struct optimizer *out, const char *spec, struct arena *arena, struct report *r);
spec_table optimizer_table;

/* What slot k of a parameter is before the first step: its shape without data, and what all of it holds. */
struct tensor optimizer_slot(const struct optimizer *o, int k, const struct tensor *parameter, double *begins);

/* What is the same for all parameters in a step. Steps count from 1. */
struct update optimizer_update(const struct optimizer *o, const struct kernels *k, float learning_rate, int64_t step);

/* May what became `now` not be saved? What was not finite from the start may stay as it was. */
bool has_become_infinite(double was, double now);
/* Element k of what holds floats or doubles. */
double real_at(enum dtype dtype, const void *x, int64_t k);

/* The node: appends it to the graph. Its outputs (parameter, slots, in this order) become outputs of the graph. */
struct optimizer_inputs {
    struct value *rate, *loss;   /* scalars: the learning rate, double; the loss, float */
    size_t watched;              /* values that must be finite before anything is changed: */
    struct value *const *next;   /* what is to replace */
    struct value *const *now;    /* these; */
    const double *watched_limit; /* and stay below this, as parameters below `limit` */
    size_t parameters;
    struct value *const *parameter, *const *gradient; /* float or double */
    struct value *const *slots;                       /* of the first parameter, of the second ... */
    /* Of each parameter; they live as long as the graph: */
    const void *const *beginning; /* NULL where all of it was finite */
    const double *limit;          /* what would be infinite in the type of its file; infinite where that is its own */
    const double *rate_factor;    /* that the learning rate is multiplied by, before all else */
    const bool *decays;           /* does weight_decay hold for it? */
};
bool optimizer_emit(struct emitter *e, const struct optimizer *o, const struct optimizer_inputs *i);
/* The same in operators of the standard, which check nothing. `step`: how many steps lie behind, a scalar of int64. What is new
 * comes into next[k] of parameter k and, of its slots, into next_slots as they are in i->slots. */
bool optimizer_spell(struct emitter *e, const struct optimizer *o, const struct optimizer_inputs *i, struct value *step,
                     struct value **next, struct value **next_slots);

#endif
