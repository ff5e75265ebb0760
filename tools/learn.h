/* What `kiln train` and `kiln eval` share: a model, data, and a trainer for them. */
#ifndef KILN_TOOLS_LEARN_H
#define KILN_TOOLS_LEARN_H

#include "tools.h"

struct learn_options {
    const char *model, *data;
    bool draw;              /* parameters without a value are given one */
    const char *validation; /* a SPEC; NULL: */
    double split;           /* the part of the data that validates; 0 is none */
    const char *fit_to;     /* a SPEC that the normalisation is fitted to; NULL: the training data */
    kiln_part part;         /* of --data, where its SPEC names none */
    int64_t limit;
    const char *normalize;        /* NULL: nothing */
    kiln_trainer_options trainer; /* what the verb's options say of it */
    int threads;
    struct limits limits; /* of all of it */
};

struct learn {
    struct command command;
    kiln_model *model;
    kiln_dataset *train, *check; /* what is trained with, and validated with, or NULL; normalised */
    kiln_trainer *trainer;
    size_t drawn; /* parameters that had no value and were given one */
};

/* `l` is zero but for its command, which has been started; on failure its error tells why. learn_close in any case. */
bool learn_open(struct learn *l, const struct learn_options *o);
void learn_close(struct learn *l);

/* --normalize KIND, or the command ends with EXIT_USAGE. */
const char *option_normalization(struct argp_state *state, const char *arg);

#endif
