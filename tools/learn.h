/* What `kiln train` and `kiln eval` share: a model, data, and a trainer for them. */
#ifndef KILN_TOOLS_LEARN_H
#define KILN_TOOLS_LEARN_H

#include "tools.h"
#include "train/fit.h"

struct learn_options {
    const char *model, *data;
    bool draw;              /* parameters without a value are given one */
    const char *validation; /* a SPEC; NULL: */
    double split;           /* the part of the data that validates; 0 is none */
    const char *fit_to;     /* a SPEC that the normaliser is fitted to; NULL: the training data */
    enum part part;         /* of --data, where its SPEC names none */
    int64_t limit;
    enum normalization normalize;
    struct trainer_options trainer;
    struct budget limits; /* of all of it */
};

struct learn {
    struct budget budget;
    struct teller teller;
    struct report report;
    struct model *model;
    struct dataset data, validation; /* as they were opened */
    struct dataset train, check;     /* what is trained with and validated with: views of these, or they themselves */
    bool checks;
    struct normalizer normalizer;
    struct trainer *trainer;
    size_t drawn; /* parameters that had no value and were given one */
};

/* `o` must outlive it; `l` is zero but for its report, which on failure tells why; learn_close in any case. */
bool learn_open(struct learn *l, struct learn_options *o);
void learn_close(struct learn *l);

/* The type of the model's only input, which takes the samples; NULL where there is no such. */
const struct tensor *model_samples(const struct model *m);

/* --normalize KIND, or the command ends with EXIT_USAGE. */
enum normalization option_normalization(struct argp_state *state, const char *arg);

#endif
