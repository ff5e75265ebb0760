/* Counting a confusion matrix while a model is evaluated. */
#ifndef KILN_TRAIN_CONFUSION_H
#define KILN_TRAIN_CONFUSION_H

#include "train/trainer.h"

struct confusion {
    struct trainer *trainer;
    size_t target;
    int64_t classes;
    struct metrics metrics; /* the target's, and the matrix */
    double *before;
    struct arena memory;
};

/* How many classes target k tells apart; 0 where it is compared with numbers, or with several
 * labels at once. */
int64_t confusion_classes(const struct trainer *t, size_t k);
/* From here on each evaluation of target k counts it. confusion_end in any case. */
bool confusion_begin(struct confusion *c, struct trainer *t, size_t k, struct report *r);
/* [classes][classes], by label, then by what is predicted, out of the target's sums. */
void confusion_read(const struct confusion *c, const double *sums, int64_t *matrix);
void confusion_end(struct confusion *c);

#endif
