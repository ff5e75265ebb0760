/* The trainer: a model made ready to learn. It owns the state, {value, role: trainable, statistic, optimiser slot,
 * counter}, which lives outside every program and is shared by the programs of several batch sizes.
 *
 * For each batch size there is one program: forward pass in training form, loss, backward pass, optimiser, statistics.
 * A step happens whole or not at all: the optimiser, which comes last, refuses a loss or a statistic that is not
 * finite, and statistics are taken over after it. Only a parameter that is not finite any more is found when that is
 * done. */
#ifndef KILN_TRAIN_TRAINER_H
#define KILN_TRAIN_TRAINER_H

#include "base/map.h"
#include "run/frame.h"
#include "train/metric.h"
#include "train/optimizer.h"
#include "train/regularizer.h"
#include "train/schedule.h"
#include "train/trainable.h"

#define DEFAULT_OPTIMIZER "adam"

/* An output that is to learn. */
struct target_options {
    const char *output; /* its name; NULL: the model's first */
    const char *loss;   /* NULL: guessed from the output */
    enum targets form;
    int classes;    /* of the data, for the guess; 0 where there are none */
    double weight;  /* that its loss counts with; 0 is 1 */
    int class_axis; /* the output's dimension that holds the classes, from the end where below 0; 0: it is found */
    const struct tensor *labels; /* of the data, for that; may be NULL */
    const double *class_weights; /* [weighted] how much rows of a class count in training, others 1 */
    int64_t weighted;
};

/* A regulariser of all that a pattern matches. */
struct regularizer_options {
    const char
        *pattern;     /* as those of parameter_patterns; of activities, the names of values or nodes that make them */
    const char *spec; /* as regularizer_parse takes it */
    bool activity;
};

/* How many times the learning rate parameters learn with. */
struct rate_factor {
    const char *pattern; /* as those of parameter_patterns */
    double factor;
};

struct trainer_options {
    size_t targets; /* 0: one, of which nothing is said */
    const struct target_options *target;
    const char *optimizer;  /* NULL: DEFAULT_OPTIMIZER */
    const struct tensor *x; /* [the model's inputs] batches of the data: give the dimensions that the model leaves open;
                                may be NULL */
    int threads;            /* 0: one for each CPU */
    bool exact;             /* no ways that are faster and round worse (Winograd's convolution) */
    size_t memory;          /* bytes for its model, plans, values and state; 0 is no limit */
    double seconds;         /* that making the trainer, each step and each evaluation may take; 0 is no limit */
    struct budget *total;   /* that its memory is charged to, too; may be NULL */
    const struct pool *pool; /* whose threads are used, `threads` then says nothing; NULL: its own */
    uint64_t seed;           /* of Dropout */
    struct parameter_patterns patterns;
    bool untie;           /* an initializer that several places read is trained as one for each */
    bool keep_gradients;  /* for trainer_gradient */
    bool recompute;       /* memory for time: what a step keeps for its way back is made again (plan/pass_segments.c) */
    int64_t bptt;         /* gradients go back through so many steps of what is carried (op.h, truncation); 0: all */
    bool measure;         /* nothing trains, and need not: there are no steps */
    const char *schedule; /* of the learning rate; NULL: it stays as it is */
    size_t regularizers;
    const struct regularizer_options *regularizer;
    size_t rate_factors;
    const struct rate_factor *rate_factor; /* of several that match a parameter the last counts */
    const char *const *metrics; /* [metric_count] "[OUTPUT=]NAME:key=value", of all outputs that learn or of that one */
    size_t metric_count;        /* 0: accuracy, where it applies */
    bool weighted;              /* batches come with weights of their samples */
    bool tell_kept;             /* for trainer_kept */
    bool remember;              /* the model is told of losses (remember.h) */
};

/* What one parameter or statistic has. */
struct state {
    const struct parameter *parameter;
    struct tensor value;            /* the trainer's own memory: float, or double where the file's type is that */
    bool adopted;                   /* it is that of the initializer in the trainer's model */
    const void *beginning;          /* what it began with, where not all of that was finite; else NULL */
    struct tensor slots[MAX_SLOTS]; /* of the value's type; of its shape, but for what is kept once for all of it */
    double rate_factor;             /* that the learning rate is multiplied by, where it trains */
};

/* An output that learns. */
struct target {
    struct value *output; /* of model->graph */
    struct loss loss;     /* it counts loss.weight times */
    struct tensor y;      /* what the labels of a batch must be; the first dimension is UNKNOWN */
    struct metrics metrics;
    const struct metrics *evaluated; /* what evaluations count: these, or more (train/confusion.h) */
};

/* What a batch gave for one target. */
struct target_result {
    float loss;     /* the mean over the batch, before the update, without its weight */
    double *metric; /* [metrics.sums], or evaluated->sums, over `rows`; the first counts those that are right */
    int64_t rows;   /* samples, or more where the output has more dimensions */
};

/* One of the numbers that a model is measured by, as people name it: "loss", "accuracy"; with several targets the sum
 * of their losses is "loss", and others have the output's name before them, as Keras': "age_loss", "age_accuracy". */
struct measure {
    const char *name;
    int target; /* -1: the sum over all */
    int metric; /* of the target's metrics; -1: the loss */
};

/* What is added to the loss. */
struct penalty {
    struct penalty *next;
    struct regularizer regularizer;
    const struct state *state;    /* of this parameter, */
    const struct value *activity; /* or, where it is not NULL, of this value of the model */
};

struct trainer {
    struct budget budget;
    struct engine engine;
    struct arena arena;
    struct model *model; /* its own, in inference form */
    struct parameters parameters;
    struct state *states; /* trainable first, then statistics */
    size_t trainable, state_count;
    struct map names; /* of the states: to the states */
    struct optimizer optimizer;
    int64_t batch; /* the only number of samples that the model takes; 0: it takes any */
    size_t inputs, target_count;
    struct tensor
        *x; /* [inputs] what a batch must be for graph->inputs, samples first (plan/samples_first.h): UNKNOWN */
    struct target *targets;       /* [target_count] */
    struct target_result *result; /* [target_count] of the latest step or evaluation */
    size_t measure_count;         /* the first of them is the loss */
    struct measure *measures;
    struct tensor rate; /* scalar, double: the learning rate, set before each step */
    double learning_rate;
    int64_t steps, bptt;
    bool keep_gradients, recompute, tell_kept;
    struct training_program *programs;   /* by batch size */
    struct training_program *evaluation; /* inference and loss, for all batch sizes */
    struct training_program *prediction; /* inference alone, likewise */
    struct training_program *latest;     /* that ran the last step */
    struct step_sizes *sizes;            /* that only running tells; NULL: there are none, as far as is known */
    uint64_t clock;
    struct schedule schedule; /* which goes before learning_rate */
    struct penalty *penalties;
    bool weighted;             /* batches have weights: */
    struct tensor weight_type; /* what they must be; the first dimension is UNKNOWN */
    struct tensor weights;     /* of the batch to come: set before each step or evaluation; no data: all are 1 */
    struct tensor ones;        /* that are given then */
};

/* The model may go afterwards: a copy is taken. NULL with an error. What was decided is in
 * trainer->targets[k].loss.said and ->parameters. */
struct trainer *trainer_new(const struct model *m, const struct trainer_options *o, struct report *r);
void trainer_free(struct trainer *t);

/* One step. x[k] is of the type t->x[k], y[k] of t->targets[k].y, all with the same number of samples: t->batch,
 * or any where that is 0. *loss is the sum of the losses before the update, each as often as it counts; more is in t->result. On failure
 * nothing has changed, unless the error is that a parameter has become infinite or no number: then a snapshot may be
 * put back, and nothing else be done with the state. */
bool trainer_step(struct trainer *t, const struct tensor *x, const struct tensor *y, float *loss, struct report *r);
/* Loss and metrics in inference form; changes nothing. */
bool trainer_evaluate_batch(struct trainer *t, const struct tensor *x, const struct tensor *y, float *loss,
                            struct report *r);

/* That the next step takes. */
double trainer_learning_rate(const struct trainer *t);
/* What Keras' fit does when it ends: parameters become their moving averages, where the optimiser keeps such. */
void trainer_finalize(struct trainer *t);

/* The model's outputs for a batch, in inference form; trainer_output gives them, until the next call. */
bool trainer_predict(struct trainer *t, const struct tensor *x, struct report *r);
const struct tensor *trainer_output(const struct trainer *t, size_t k);

/* The program of a step with so many samples, for those who only look: planned, not run. Until the next step. */
const struct program *trainer_plan(struct trainer *t, int64_t batch, struct report *r);

/* What such a step keeps of its forward part for the backward one, with options.tell_kept. Until the next step. */
struct kept;
const struct kept *trainer_kept(struct trainer *t, int64_t batch, struct report *r);

/* By the name of the initializer; NULL where there is none. `slot` is one of the optimiser's slot_names, NULL for the
 * value itself. The memory may be written to between steps. */
struct tensor *trainer_state(struct trainer *t, const char *name, const char *slot);
/* Of the last step; NULL where there is none, or options.keep_gradients was not set. */
const struct tensor *trainer_gradient(const struct trainer *t, const char *name);

/* All that lasts from step to step, in an order that is the same for one model and optimiser: "value", then the names of
 * the optimiser's slots, of each parameter and statistic; `values_only`: without slots. False ends it. */
typedef bool state_fn(void *user, const char *name, const char *what, struct tensor *t);
bool trainer_each_state(const struct trainer *t, bool values_only, state_fn *each, void *user);

/* A copy of that and of the counter, or of the values alone, taken, taken again, and put back. */
struct snapshot;
struct snapshot *trainer_snapshot(struct trainer *t, bool values_only, struct report *r);
void snapshot_take(const struct trainer *t, struct snapshot *s);
void trainer_restore(struct trainer *t, const struct snapshot *s);
/* As trainer_each_state, of the copy. */
bool snapshot_each(const struct trainer *t, struct snapshot *s, state_fn *each, void *user);
void snapshot_free(struct trainer *t, struct snapshot *s);

/* The model with what was learned, which must be finite where it was when it was loaded, in inference form; everything
 * else is as it was loaded. Not built yet (model_build).
 * Freed by the caller. */
struct model *trainer_export(const struct trainer *t, struct report *r);
/* The same, to a file: where it can, without a copy. */
bool trainer_save(const struct trainer *t, const char *path, bool text, struct report *r);

#endif
