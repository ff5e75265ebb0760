/* What is done to samples before a model sees them. It is fitted to the training set, and applied to that and to every
 * other. */
#ifndef KILN_DATA_NORMALIZER_H
#define KILN_DATA_NORMALIZER_H

#include "base/text.h"
#include "data/dataset.h"

enum normalization {
    NORMALIZE_NONE,
    NORMALIZE_UNIT,        /* x / 255 */
    NORMALIZE_CENTER,      /* x - mean, the mean over the training set of each feature (pixel and channel) by itself */
    NORMALIZE_STANDARDIZE, /* (x - mean) / deviation, both by feature; one that never varies is only centred */
    NORMALIZATIONS
};

/* What has a mean and a deviation of its own. */
enum normalization_of {
    NORMALIZE_FEATURES, /* each pixel and channel, each column of a table */
    NORMALIZE_CHANNELS, /* of an image, the dimension that is 1, 3 or 4: the last, unless only the first is; an error where
                           neither is. One of an image of 2 dimensions; of rows as features */
    NORMALIZE_WHOLE,    /* all numbers of the training set */
    NORMALIZATIONS_OF
};

extern const char *const normalization_of_names[NORMALIZATIONS_OF]; /* "feature", "channel", "whole" */
extern const char *const normalization_names[NORMALIZATIONS];       /* "none", "unit", "center", "standardize" */

/* What one column takes. */
struct scaling {
    const char *name; /* the column's; may be NULL */
    enum normalization kind;
    int64_t features;        /* 0: any number, of a kind without mean */
    float *mean, *deviation; /* [features], NULL where the kind has none */
    bool of_model;           /* features are in the order of the model's input, else in that of the file */
};

struct normalizer {
    enum normalization kind;
    size_t inputs;
    struct scaling *of; /* [inputs] */
    struct arena memory;
};

bool normalizer_fit(struct normalizer *n, enum normalization kind, const struct dataset *train, struct budget *b,
                    struct report *r);
bool normalizer_fit_of(struct normalizer *n, enum normalization kind, enum normalization_of of,
                       const struct dataset *train, struct budget *b, struct report *r);
void normalizer_release(struct normalizer *n);
/* That of a column of this name; NULL where there is none. */
const struct scaling *scaling_find(const struct normalizer *n, const char *name);
/* To one sample, in its own order. */
void scaling_apply(const struct scaling *s, float *sample, int64_t features);
/* The same of its feature f. */
float scaling_value(const struct scaling *s, int64_t f, float value);

/* As text, for a model's metadata: "unit", "center N MEAN...", "standardize N MEAN... DEVIATION...". What is written is
 * read again to the bit. The arrays are the arena's. */
void scaling_write(struct text *to, const struct scaling *s);
bool scaling_read(struct scaling *out, const char *text, const char *name, struct arena *a, struct report *r);

#endif
