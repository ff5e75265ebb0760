/* Batches of a data set, as a trainer takes them, and the sums over them that its measures are means of.
 *
 * While the trainer has one batch, the next is made on a thread of its own. It is the one that would have been made
 * then, and what is wrong with it is told when it is asked for. */
#ifndef KILN_TRAIN_FEED_H
#define KILN_TRAIN_FEED_H

#include "base/thread.h"
#include "data/batch.h"
#include "train/trainer.h"

struct feed_batch {
    struct tensor *x, *y;    /* [inputs], [targets] of the trainer */
    void **x_data, **y_data; /* where they lie */
    int64_t count;
    bool ok;
    struct report report; /* why not */
};

struct feed {
    const struct tensor *x, *y; /* of the batch that feed_next has given, until the next call */
    struct batches batches;
    struct feed_batch batch[2]; /* the one that was given, and the next; without a helper there is one */
    int given;
    int64_t pass, at;      /* what is given next; */
    bool started;          /* that is where feed_start has begun */
    bool begun;            /* the next one is being made, or is there */
    struct helper *helper; /* NULL: it is made when it is asked for */
    struct pool *pool;     /* for augmentation; NULL */
    struct budget budget;  /* of the pool: the time of steps is not its time */
    struct budget
        reading; /* of what the helper reads of a stream, which has no limit of time, and is cancelled as all else */
    bool ended;  /* a stream has ended with an error: what was trained before is as good as ever */
    struct trainer *trainer;
    struct arena memory;
    bool weighted;       /* the data have weights: a column behind the others, */
    struct dataset data; /* in this view */
};

/* Can batches be made of the data for what the trainer takes? Of a stream that is not looked at. */
bool feed_fits(struct trainer *t, const struct dataset *d, struct report *r);

/* The feed stays where it is in memory until it is released. Of `o` the pool is the feed's to choose. */
bool feed_init(struct feed *f, struct trainer *t, const struct dataset *d, const struct normalizer *n,
               const struct batch_options *o, struct report *r);
void feed_release(struct feed *f);
/* Pass number `pass` over the data, behind its first `at` samples; where it is there already it goes on. */
void feed_start(struct feed *f, int64_t pass, int64_t at);
/* *count is 0 at the end of the pass. */
bool feed_next(struct feed *f, int64_t *count, struct report *r);

struct sums {
    const struct trainer *trainer;
    double *all; /* [count]: the loss, weighted by samples, and the samples, then those of each target */
    int64_t count;
    struct target_sums {
        const struct metrics *counted;
        double *of; /* in `all`: the loss likewise, the rows, what the metrics count */
    } * target;
    struct arena memory;
};

/* Of what is counted in training, or in evaluation. sums_release in any case. */
bool sums_init(struct sums *s, struct trainer *t, bool training, struct report *r);
void sums_release(struct sums *s);
void sums_start(struct sums *s);
/* What the trainer's latest step or evaluation gave. */
void sums_add(struct sums *s, float loss, int64_t samples);
/* What the metrics of target k have counted. */
const double *sums_of_metrics(const struct sums *s, size_t k);
int64_t sums_samples(const struct sums *s);
/* By measure; NaN where there was nothing. */
void sums_means(const struct sums *s, double *out);

#endif
