/* A training as the command runs it: what it tells, what it writes, how it ends. */
#ifndef KILN_TOOLS_TRAINING_H
#define KILN_TOOLS_TRAINING_H

#include "learn.h"
#include "tensorboard.h"

enum { MAX_PATTERNS = 64 };

struct train_options {
    struct learn_options learn;
    kiln_fit_options fit;            /* .checkpoint and .resume name files in these: */
    const char *checkpoint, *resume; /* directories; NULL: none */
    char *checkpoint_file, *resume_file;
    int64_t epochs; /* may be 0: the model is written as it is */
    const char *output, *history, *step_log, *figure, *profile;
    const char *tensorboard; /* a directory; NULL: none */
    struct board board;
    double rate_from, rate_to; /* a learning rate is to be found there, nothing to be trained; 0: it is not */
    const char *freeze[MAX_PATTERNS], *train[MAX_PATTERNS], *undecayed[MAX_PATTERNS];
    kiln_regularizer regularizers[MAX_PATTERNS];
    kiln_rate_factor factors[MAX_PATTERNS];
    bool quiet;
};

/* Before the work, not after it: can all of it be written? Makes the directory for checkpoints. */
bool training_claim(struct train_options *o, struct command *c);
/* What that has made; in any case. */
void training_release(struct train_options *o);
/* What is trained, with what and how. */
void training_say_start(const struct train_options *o, const struct learn *l);
/* Trains what `l` has opened and writes the results: all that is worth it where training has failed or a signal has ended
 * it, which *signal then is. */
bool training_run(const struct train_options *o, struct learn *l, int *signal);

#endif
