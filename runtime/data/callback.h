/* A stream of what a callback gives (kiln_stream). */
#ifndef KILN_DATA_CALLBACK_H
#define KILN_DATA_CALLBACK_H

#include "data/dataset.h"

struct callback {
    size_t inputs, targets;
    const struct column *x, *y; /* names, types [UNKNOWN, ...], classes and their names: copied */
    int64_t count;              /* UNKNOWN: as many as come */
    int64_t window;
    bool weighted;
    bool (*start)(void *user, int64_t pass, kiln_error *err); /* NULL: nothing is to be done */
    int64_t (*next)(void *user, int64_t most, void *const *inputs, void *const *targets, float *weights,
                    kiln_error *err);
    void *user;
};

bool dataset_of_callback(struct dataset *out, const struct callback *c, const struct data_options *o, struct budget *b,
                         struct report *r);

#endif
