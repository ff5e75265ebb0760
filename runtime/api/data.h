/* What trainers ask public data sets. */
#ifndef KILN_API_DATA_H
#define KILN_API_DATA_H

#include "api/api.h"
#include "data/normalizer.h"
#include "train/trainer.h"

/* What several public data sets share, each with a reference: the arrays, and a normaliser. */
struct kiln_dataset {
    struct samples *samples;
    struct scaling *scaling; /* NULL: */
    struct normalizer none;  /* samples stay as they are */
    struct dataset data;     /* a view of the samples, or all of them */
    kiln_dataset_info info;
    struct tensor sample;
};

const struct normalizer *api_normalizer(const kiln_dataset *data);

/* The type of the model's only input, which takes the samples; NULL where there is no such. */
const struct tensor *api_samples_of(const struct model *m);
/* What a trainer is told by the data that it is going to take; `batch` must outlive `to`. */
bool api_data_clues(const kiln_dataset *data, const struct model *m, struct trainer_options *to, struct tensor *batch,
                    struct report *r);

/* For a call that ends the life of what was predicted. */
struct trainer *api_begin_call(kiln_trainer *trainer);
kiln_context *api_trainer_context(const kiln_trainer *trainer);
/* As the public struct has it. */
kiln_parameter api_parameter(const struct parameter *p);

#endif
