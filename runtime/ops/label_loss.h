/* Losses of a class label given the log-probabilities of all classes: what NegativeLogLikelihoodLoss and
 * SoftmaxCrossEntropyLoss share.
 *
 *   l[n, d] = -weight[t] * log_prob[n, t, d]   with t = target[n, d];   0 where t is ignore_index
 *
 *   none  l
 *   sum   sum of l
 *   mean  sum of l / sum of weight[t], over all that are not ignored (NaN where all are) */
#ifndef KILN_OPS_LABEL_LOSS_H
#define KILN_OPS_LABEL_LOSS_H

#include "ops/op.h"

enum { LOSS_INPUT, LOSS_TARGET, LOSS_WEIGHT }; /* inputs; output 0 is the loss */

enum loss_reduction { LOSS_NONE, LOSS_SUM, LOSS_MEAN };

struct loss_attrs {
    enum loss_reduction reduction;
    bool ignores;
    int64_t ignore_index;
    bool softmax; /* the input holds scores: the gradient passes through their log-softmax */
};

bool loss_parse(struct parse *p, struct loss_attrs *a);
/* Checks the shapes, sets output 0. */
bool loss_infer(struct infer *i);
int loss_rank(const struct node *n, int k);
size_t loss_scratch(struct infer *i);
/* Writes output 0 from log_prob, whose type is dtype_compute of the input's. Fails on a label out of range. */
bool loss_run(struct step *s, const void *log_prob, char *scratch);
/* Gives the input, and the weights, their gradients. */
bool loss_gradient(struct backward *b, struct value *log_prob);

#endif
