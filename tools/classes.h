/* What `kiln eval` tells of classes. */
#ifndef KILN_TOOLS_CLASSES_H
#define KILN_TOOLS_CLASSES_H

#include "json.h"

/* A confusion matrix: by label, then by what is predicted. */
struct classes {
    const char *output; /* NULL: the only one */
    int64_t count;
    const int64_t *matrix;    /* [count][count] */
    const char *const *names; /* [count], or NULL */
};

/* Precision, recall and F1 of a class, 0 where nothing is divided, and how many rows are of it. */
struct class_score {
    double precision, recall, f1;
    int64_t support;
};
struct class_score class_score(const struct classes *c, int64_t k);

/* For people: the matrix, of many classes the pairs that are most confused, and a line for each class. */
void classes_say(const struct classes *c);
/* An item of a list. */
void classes_json(const struct classes *c, struct json *j);

#endif
