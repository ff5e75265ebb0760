/* A head of other classes on its way: what classes.c and behind.c share. */
#ifndef KILN_ADAPT_HEAD_REMAKE_H
#define KILN_ADAPT_HEAD_REMAKE_H

#include "adapt/head/head.h"

struct remake {
    struct head *h;
    const struct op *activation; /* that takes the place of h->activation; NULL: it stays */
    int64_t units;
    struct model *to;
    struct edit e;
    const char *rule;          /* out: that the weight was drawn by, */
    bool added;                /* whether there was no bias before, */
    const struct node *at;     /* the Reshape that is looked at */
    const struct node *turned; /* out: the last one that was changed */
};

/* A name for what takes the place of input k: its own, where nobody else reads that. NULL with an error; freed with
 * budget_free. */
char *remake_name(struct remake *y, const Onnx__NodeProto *n, size_t k);

/* -- behind.c: what stands behind the layer follows */

bool remake_shapes(struct remake *y);
bool remake_activation(struct remake *y);
/* What is declared; `values`: of the model as it was, by name. */
void remake_declarations(struct remake *y, const struct map *values);

#endif
