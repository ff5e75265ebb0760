/* Makes of any file a network that trains: finds what an exporter has left of its layers and makes them again, proves
 * that the result computes what the file did, and writes into its metadata what was decided.
 *
 * It goes in steps (step.h), each a file of its own. What an exporter leaves of a normalisation is a trace: a file each
 * in traces/. */
#ifndef KILN_ADAPT_ADAPT_H
#define KILN_ADAPT_ADAPT_H

#include "adapt/finding.h"
#include "train/calibrate.h"

/* "NAME=CHOICE": of what has that name, which is a shell pattern, the caller knows better. */
struct adapt_choice {
    const char *what, *choice;
};

/* Which layers BatchNormalization may have been folded into. */
enum folded {
    FOLDED_NAMED, /* those that tell of it */
    FOLDED_ALL,   /* and every convolution with a bias */
    FOLDED_NONE
};

struct adapt_options {
    const struct dataset *data;          /* samples as the network is used on; NULL: there are none */
    const struct normalizer *normalizer; /* of these; may be NULL */
    int threads;
    struct budget limits;     /* as of a calibration */
    double epsilon, momentum; /* of BatchNormalization, where the file does not tell; 0: as its framework has them */
    enum folded folded;
    size_t choice_count;
    const struct adapt_choice *choices;
    bool inference;           /* what is left in training mode becomes inference form, its statistics measured */
    bool keep_batch;          /* a batch that is fixed stays so */
    int64_t classes;          /* the head becomes one of so many classes; 0: it stays */
    const struct model *head; /* this takes the head's place; NULL: none does */
    size_t output_count;
    const char *const *outputs; /* those that are to train; none: the first */
    bool freeze_backbone;       /* all that would train but the head keeps its values */
};

struct adapted_names {
    size_t count;
    const char **at;
};

/* What became of the model. Memory is the arena's. */
struct adapted {
    struct findings findings;
    size_t normalizations;          /* BatchNormalization layers that were made again */
    struct comparison outputs;      /* of the model before and after: what the proof saw */
    bool measured;                  /* the proof ran over the caller's data, not over random numbers */
    const char *changed;            /* what was meant to compute something else; NULL where nothing was */
    struct adapted_names training;  /* outputs: one at least */
    struct adapted_names head;      /* parameters of the head, where one was made, or is not to be frozen */
    struct adapted_names frozen;    /* parameters that are to be: all others, where that is asked for */
    int64_t trainable;              /* numbers that train */
    struct adapted_names unreached; /* parameters that would train, but no gradient reaches them */
};

/* `m` must be built; the result is, too. NULL with an error. */
struct model *model_adapt(const struct model *m, const struct adapt_options *o, struct adapted *out,
                          struct arena *arena, struct report *r);

/* What there is of BatchNormalization in a file that was not adapted: its findings and their number, nothing is done.
 * False with an error. */
bool model_adapt_look(const struct model *m, struct adapted *out, struct arena *arena, struct report *r);

#endif
