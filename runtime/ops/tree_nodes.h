/* The attributes of TreeEnsembleClassifier and TreeEnsembleRegressor: nodes are named by the numbers of their tree and of
 * themselves, and the first one of a tree is its root. Weights of nodes that are no leaves say nothing, as in
 * onnxruntime; a leaf without a weight votes for nothing. */
#ifndef KILN_OPS_TREE_NODES_H
#define KILN_OPS_TREE_NODES_H

#include "ops/ensemble.h"

struct tree_votes {
    const char *ids, *nodes, *trees, *weights, *weights_as_tensor; /* names of attributes: "class_ids" ... */
    bool two_as_one; /* where there are two targets and all votes are for one of them, that is to be the only one */
    /* what was found: */
    int64_t voted;      /* the one target that all votes are for; -1 */
    bool negative;      /* is a weight below 0? */
    const double *base; /* base_values */
    int64_t bases;
};

/* All nodes, votes and base values; what ends with _as_tensor since version 3. `e` has its targets; 0: as many as votes
 * name. */
bool tree_nodes_parse(struct parse *p, struct ensemble *e, struct tree_votes *v);

#endif
