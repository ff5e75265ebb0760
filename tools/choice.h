/* What a model gives for all samples of a data set, and which class that is. */
#ifndef KILN_TOOLS_CHOICE_H
#define KILN_TOOLS_CHOICE_H

#include "tools.h"

/* How an output tells the class. */
enum choice {
    CHOICE_LARGEST, /* of its numbers */
    CHOICE_ABOVE,   /* its one number is above the threshold: 1, else 0 */
    CHOICE_GIVEN    /* its one whole number is the class */
};

/* One output of the model, for all samples. */
struct prediction {
    size_t at; /* in the model's outputs */
    const char *name;
    kiln_tensor *values; /* [samples, ...]; NULL before the first batch */
    int64_t width;       /* elements of a sample */
    char **classes;      /* [class_count] names; NULL */
    int64_t class_count;
    enum choice choice;
    double threshold;
    bool assumed; /* the threshold: nobody said it, and nothing tells it */
};

/* When it has values: the names of classes that the metadata have of it. False with an error. */
bool prediction_name(struct command *c, struct prediction *y, const kiln_model *m);
/* Finds out how it tells the class; `threshold`: NULL where nobody said one. False with an error where it tells none. */
bool prediction_choose(struct command *c, struct prediction *y, const kiln_model *m, const double *threshold);
/* That of sample i. */
int64_t prediction_class(const struct prediction *y, int64_t i);
/* The name of a class; NULL where it has none. */
const char *prediction_class_name(const struct prediction *y, int64_t class);
void prediction_release(struct prediction *y);

#endif
