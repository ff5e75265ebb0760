/* What classifiers call their classes: numbers or strings. */
#ifndef KILN_OPS_CLASS_LABELS_H
#define KILN_OPS_CLASS_LABELS_H

#include "ops/op.h"

struct class_labels {
    enum dtype dtype; /* I64 or STRING */
    int64_t count;
    const void *labels; /* elements of a tensor */
};

/* Of the attribute of numbers or that of strings, of which one is given. */
bool class_labels_parse(struct parse *p, const char *numbers, const char *strings, struct class_labels *out);
/* Element `row` of a tensor of labels becomes that of class k. */
void class_label_put(const struct class_labels *l, int64_t k, struct tensor *y, int64_t row);

/* The first of the greatest scores; what is not a number is never greater. */
int64_t greatest_score(const double *scores, int64_t n);
/* The label of the greatest score of each row; of one score for two classes, of the second where it is above 0. */
struct value *emit_class_labels(struct emitter *e, struct value *scores, const struct class_labels *l);

#endif
