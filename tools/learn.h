/* What `kiln train` and `kiln eval` share: a model, data, and a trainer for them. */
#ifndef KILN_TOOLS_LEARN_H
#define KILN_TOOLS_LEARN_H

#include "tools.h"

enum { MOST_TARGETS = 64 };

struct learn_options {
    const char *model, *data;
    size_t loss_count, weight_count, output_count;
    const char *loss[MOST_TARGETS];   /* "[OUTPUT=]NAME..." */
    const char *weight[MOST_TARGETS]; /* "OUTPUT=NUMBER" */
    const char *output[MOST_TARGETS]; /* those that learn; none: all that the data have something for */
    bool draw;                        /* parameters without a value are given one */
    const char *validation;           /* a SPEC; NULL: */
    double split;                     /* the part of the data that validates; 0 is none */
    const char *label;                /* the column that is to be predicted; NULL: as the format has it */
    const char *fit_to;               /* a SPEC that the normalisation is fitted to; NULL: the training data */
    kiln_part part;                   /* of --data, where its SPEC names none */
    int64_t limit;
    int64_t shuffle_buffer; /* data are streamed, and shuffled in a window of so many; 0: they are read into memory */
    const char *normalize;  /* NULL: as the model's metadata have it */
    const char *augment;    /* what is trained with; NULL: nothing */
    kiln_trainer_options trainer; /* what the verb's options say of it */
    int threads;
    struct limits limits; /* of all of it */
    size_t metric_count;
    const char *metric[MOST_TARGETS]; /* "[OUTPUT=]NAME..." */
    bool keep; /* what the data tell of the model is written into it: of one that is to be saved */
    bool bake; /* the normalisation as nodes */
};

struct learn {
    struct command command;
    kiln_model *model;
    kiln_model *given;           /* whose names `targets` have, where `model` was made of it; NULL */
    kiln_dataset *train, *check; /* what is trained with, and validated with, or NULL; normalised */
    kiln_trainer *trainer;
    size_t outputs; /* of the model */
    bool named;     /* the data have names for those that learn */
    bool first;     /* the model's first output learns */
    size_t target_count;
    kiln_target targets[MOST_TARGETS]; /* what the options say of outputs, while the model is there */
    const char *loss;                  /* of all others */
    size_t drawn;                      /* parameters that had no value and were given one */
    bool normalized;                   /* by what the model's metadata say */
};

/* `l` is zero but for its command, which has been started; on failure its error tells why. learn_close in any case. */
bool learn_open(struct learn *l, const struct learn_options *o);
/* Its first part: the model alone, which is there then. */
bool learn_load(struct learn *l, const struct learn_options *o);
/* What it does to data that are opened: they are normalised and changed at random as the options say, and what they tell of
 * the model is written into it, which takes the place of the one before. */
bool learn_treat(struct learn *l, const struct learn_options *o);
void learn_close(struct learn *l);

/* The options of outputs, for a list of struct argp_option. */
enum { KEY_LOSS = 'l', KEY_WEIGHT = 1000, KEY_TRAIN_OUTPUT, KEY_CLASS_AXIS, KEY_METRIC, KEY_CLASS_WEIGHT, KEY_LABEL };
/* --label, of the same list: option_target takes it, too. */
#define LABEL_OPTION(group)                                                                                            \
    {                                                                                                                  \
        "label", KEY_LABEL, "COLUMN", 0,                                                                               \
            "of tables: what is to be predicted, by its name in the header, or first, last, none (last)", group        \
    }
/* --stream, of a verb that takes samples in their order; the verb has a KEY_STREAM. */
#define STREAM_OPTION(group)                                                                                           \
    {                                                                                                                  \
        "stream", KEY_STREAM, NULL, 0,                                                                                 \
            "samples are read from the files when they are needed, and not kept: for data larger than memory", group   \
    }
#define TARGET_OPTIONS(group, losses)                                                                                  \
    { "loss", KEY_LOSS, "LOSS", 0, "[OUTPUT=]NAME[:KEY=VALUE,...]: " losses "; repeated for several outputs", group }, \
        { "class-axis",                                                                                                \
          KEY_CLASS_AXIS,                                                                                              \
          "N",                                                                                                         \
          0,                                                                                                           \
          "the dimension of outputs that holds the classes: 1 in [N,C,H,W] (as the output or the labels tell, else "   \
          "the last)",                                                                                                 \
          group },                                                                                                     \
        { "metric",                                                                                                    \
          KEY_METRIC,                                                                                                  \
          "METRIC",                                                                                                    \
          0,                                                                                                           \
          "[OUTPUT=]NAME[:KEY=VALUE,...]: what is told of beside the loss, a metric or a loss of those that `kiln "    \
          "train --help` lists; may be repeated (accuracy)",                                                           \
          group },                                                                                                     \
        { "loss-weight", KEY_WEIGHT, "OUTPUT=N", 0, "how often its loss counts in the sum of all (1)", group },        \
    {                                                                                                                  \
        "train-output", KEY_TRAIN_OUTPUT, "OUTPUT", 0,                                                                 \
            "it counts, others do not; repeated for several (those that the file says train, "                         \
            "else all that the data have something for)",                                                              \
            group                                                                                                      \
    }
/* Is it one of them? Then it is noted, or the command ends with EXIT_USAGE. */
bool option_target(struct learn_options *o, int key, const char *arg, struct argp_state *state);
/* What is printed of a number: where it is none without a sign. */
double learn_number(double x);
/* "loss  NAME, because ..." for each output that learns, after `title`. */
void learn_say_losses(const struct learn *l, const char *title);
/* What was taken for the label, and its classes: "; label: the last column, 'species', 3 classes: 'a', 'b', 'c'". */
void data_say_label(const kiln_dataset *d);
/* "normalize  standardize, as the model was trained" after `title`, where that is so. */
void data_say_normalization(const kiln_dataset *d, const char *title);
/* Does the model say how its inputs are normalised? */
bool model_says_normalization(const kiln_model *m);
/* Takes the place of *data; false with an error. */
bool normalize_for(struct command *c, kiln_dataset **data, const kiln_model *m);
/* --normalize KIND, or the command ends with EXIT_USAGE. */
const char *option_normalization(struct argp_state *state, const char *arg);

/* The output of the model whose name and '=' the argument begins with; *rest is what follows. NULL, and *rest stays, where it
 * begins with none. */
const char *learn_output(const kiln_model *m, const char *arg, const char **rest);

#endif
