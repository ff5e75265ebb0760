/* How initial values are drawn, by Keras' rules (https://keras.io/api/layers/initializers/). Each is a row of the table
 * in initialisers.c: nothing else knows which there are. */
#ifndef KILN_TRAIN_INITIALISERS_H
#define KILN_TRAIN_INITIALISERS_H

#include "base/spec.h"
#include "ops/op.h"

/* A parameter about to be drawn. */
struct draw {
    const char *name;
    struct tensor type;
    bool kernel; /* of a convolution: [filters, ...], or [inputs, ...] of one that is transposed */
    struct fans fans;
    float *out;
    uint64_t seed, stream;
    struct budget *budget;
    struct report *report;
};

struct initialiser_settings { /* of all rows */
    double value;
    double minval, maxval;
    double mean, stddev;
    double gain;
    double scale, mode, distribution;
};

struct initialiser_def {
    struct spec_row row;
    bool (*draw)(struct draw *d, const struct initialiser_settings *s);
};

struct initialiser {
    const struct initialiser_def *def;
    struct initialiser_settings settings;
};

/* "glorot_uniform", "constant:0.1", "random_uniform:minval=-1,maxval=1"; `where` is the value it is asked for. */
bool initialiser_parse(struct initialiser *out, const char *spec, const char *where, struct report *r);
spec_table initialiser_table;

#endif
