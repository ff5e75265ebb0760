/* LRN of floats with their channels last: the windows of a place lie in a row. */
#ifndef KILN_OPS_LRN_H
#define KILN_OPS_LRN_H

#include "ops/op.h"

struct lrn {
    float alpha, beta, bias;
    int64_t size;
    bool channels_last;
};

size_t lrn_last_scratch(const struct lrn *a, const struct tensor *x, int threads);
/* Y, or dX where dY is given. */
void lrn_last(const struct step *s, const struct tensor *x, const struct tensor *dy, const struct tensor *to);

#endif
