/* Metrics, as Keras defines them (https://keras.io/api/metrics/): what people are told of beside the loss. Each is a
 * file in metrics/ and a line in its meson.build: nothing else knows which there are. Every loss that goes by rows is
 * one, too: the mean of what the rows cost. */
#ifndef KILN_TRAIN_METRIC_H
#define KILN_TRAIN_METRIC_H

#include "train/loss.h"

/* -- the contract of a metric -- */

/* What was counted. */
struct metric_sums {
    const void *settings;
    const double *at;    /* as many as `size` says */
    int64_t width, rows; /* of an output row, and how many there were, out of range or not */
};

/* Rows are counted one by one into sums, which are added up over threads and batches; what comes of them is known at the
 * end. */
struct metric_def {
    struct spec_row row;
    size_t settings_size;
    /* Of one that is told of without being asked for: does it say something of this loss and these data? `classes`:
     * their labels are classes. */
    bool (*applies)(const struct loss_def *l, bool classes);
    int64_t (*size)(const void *settings, int64_t width); /* how many sums; NULL: one */
    /* Adds what a row counts, whatever the form of its label. Its outputs are what the model gives, logits made
     * probabilities, or where the metric is `of_logits` what the loss reads. */
    void (*count)(const struct output_row *r, const void *settings, double *sums);
    /* Adds what other rows counted; NULL: number by number. */
    void (*merge)(double *sums, const double *more, int64_t width);
    double (*finish)(const struct metric_sums *s); /* NULL: the mean over the rows of what they count */
    bool of_logits, lower_is_better;
    bool as_loss; /* rows that do not count to the loss do not count */
};

extern const struct metric_def *const metric_registry[]; /* ended by NULL; made from metrics/meson.build */

/* 0 where nothing was counted, as Keras has it. */
static inline double metric_ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

spec_table metric_table;

/* -- those of an output that learns -- */

struct metric {
    const struct metric_def *def;
    void *settings;
    const char *name; /* as it was asked for */
    bool told, asked; /* asked for, it is told of whether it applies or not */
    int64_t at, size; /* its sums among all */
};

struct metrics {
    const struct loss *loss; /* must live as long */
    struct metric *each;     /* the first is accuracy, which is counted in any case */
    size_t count;
    int64_t sums, width;
};

/* What is asked for by `specs`, each a "NAME:key=value"; where there is none, accuracy where it applies. */
bool metrics_choose(struct metrics *out, const struct loss *l, const char *const *specs, size_t count,
                    struct arena *arena, struct report *r);
/* The same and one more. */
bool metrics_add(struct metrics *out, const struct metrics *m, const struct metric_def *more, struct arena *arena,
                 struct report *r);
/* Adds what other rows counted. */
void metrics_merge(const struct metrics *m, double *sums, const double *more);
double metric_finish(const struct metrics *m, size_t k, const double *sums, int64_t rows);

/* A node that gives the sums over all rows: double [m->sums]. `m` must live as long as the graph. */
struct value *metrics_emit(struct emitter *e, const struct metrics *m, struct value *at, struct value *labels);

#endif
