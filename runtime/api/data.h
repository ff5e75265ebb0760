/* What trainers ask public data sets. */
#ifndef KILN_API_DATA_H
#define KILN_API_DATA_H

#include "api/api.h"
#include "data/augment.h"
#include "data/normalizer.h"
#include "train/normalized.h"
#include "train/trainer.h"

/* What several public data sets share, each with a reference: the arrays, and a normaliser. */
struct kiln_dataset {
    struct samples *samples;
    struct fitted *fitted;  /* NULL: */
    struct normalizer none; /* samples stay as they are */
    bool augmented;
    struct augmentation augmentation;
    struct dataset data; /* a view of the samples */
    kiln_dataset_info info;
    kiln_column_info columns[]; /* inputs, then targets */
};

const struct normalizer *api_normalizer(const kiln_dataset *data);
const struct augmentation *api_augmentation(const kiln_dataset *data); /* NULL: none */
kiln_context *api_data_context(const kiln_dataset *data);
/* Of the model that it was opened for: what a target without a name is for; NULL: none. */
const char *api_data_output(const kiln_dataset *data);

/* What the set that a model learns from changes of it (kiln_edit_options.data): entries of metadata, and what is put in
 * front of inputs. In memory of the arena. */
struct data_changes {
    size_t metadata, baked;
    const char **keys, **texts;
    struct baked *bake;
};
bool api_data_changes(struct data_changes *to, const kiln_dataset *data, const struct model *m, bool bake,
                      struct arena *a, struct report *r);

/* The inputs of the model without a value, with their types; NULL where there is no memory. */
struct column_request *api_inputs_of(const struct graph *g, struct arena *a, struct report *r);

/* False where the options are wrong, which *err tells. */
bool api_check_training(const kiln_trainer_options *o, kiln_error *err);
/* What the options alone say. */
struct trainer_options api_trainer_options(const kiln_trainer_options *o);
/* Adds what the options and the data tell of inputs and targets, in memory of the arena. */
bool api_training_options(struct trainer_options *to, const kiln_trainer_options *o, const struct model *m,
                          struct arena *a, struct report *r);

/* For a call that ends the life of what was predicted. */
enum { DEFAULT_BATCH = 32 }; /* samples in a step where nothing is said */
struct trainer *api_begin_call(kiln_trainer *trainer);
kiln_context *api_trainer_context(const kiln_trainer *trainer);
/* As the public struct has it. */
kiln_parameter api_parameter(const struct parameter *p);

#endif
