/* Ensembles of trees: what TreeEnsemble, TreeEnsembleClassifier and TreeEnsembleRegressor share.
 *
 * When a node is parsed its trees become one array of tests x[feature] <= value, from which two places follow, the one
 * where it holds and the one where it does not. All other comparisons are made of that one: x < v is x <= the number
 * before v, x > v has the places the other way round, and what looks whether x is one of several values becomes a search
 * in the order of these. So one loop walks all trees, eight rows at a time, which wait for memory together. Leaves go to
 * themselves.
 *
 * What is not a number goes where nodes_missing_value_tracks_true says, by the text whatever the comparison is
 * (onnxruntime takes NaN != v for true). Features are float where X is float, float16 or an integer, double where it is
 * double; values are exact in both. Votes are summed in double in the order of the trees. */
#ifndef KILN_OPS_ENSEMBLE_H
#define KILN_OPS_ENSEMBLE_H

#include "ops/op.h"
#include "ops/post_transform.h"

enum tree_mode { TREE_LEQ, TREE_LT, TREE_GTE, TREE_GT, TREE_EQ, TREE_NEQ, TREE_MEMBER, TREE_LEAF, TREE_MODES };
enum aggregate { AGGREGATE_AVERAGE, AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };

struct vote { /* of a leaf */
    double weight;
    int64_t target;
};

/* -- as a file has them -- */

struct tree_node {
    enum tree_mode mode;
    bool missing_tracks_true;
    int32_t where_true, where_false; /* nodes */
    int64_t feature;
    double value;
    int64_t members, member_count; /* of TREE_MEMBER: in tree_source.members */
};

struct tree_source {
    int64_t count, trees;
    const struct tree_node *nodes;
    const int32_t *roots;      /* [trees] */
    const int64_t *first_vote; /* [count + 1]: those of node k are votes[first_vote[k] ... first_vote[k + 1]) */
    const struct vote *votes;
    const double *members;
    bool shared_leaves;                 /* may a leaf have several parents? */
    const int64_t *tree_ids, *node_ids; /* for messages, by node; NULL: a node is called by its place */
};

/* -- as they are walked -- */

struct ensemble {
    enum dtype dtype; /* F32 or F64: of what is compared */
    bool missing;     /* does a test hold for what is no number? */
    bool alone;       /* there is one target, and each leaf has one vote, which is its value */
    int64_t trees, targets;
    const void *nodes;         /* struct test_f32 or test_f64 */
    const int32_t *roots;      /* [trees] */
    const int32_t *first_vote; /* by the number of a leaf */
    const struct vote *votes;
    int64_t features; /* that X must have at least */
    char widest[64];  /* the node that looks at the last of them */
    enum aggregate aggregate;
    const double *base; /* [targets]; NULL for none */
    enum post_transform post;
};

/* Targets, aggregate, base and post are the caller's. An error names the tree and the node. */
bool ensemble_flatten(struct parse *p, struct ensemble *e, const struct tree_source *source);
/* "node 3 of tree 1" */
const char *tree_node_text(const struct tree_source *s, int64_t node, int64_t tree, char text[64]);

/* The number of rows of X, and scratch; false with an error. */
bool ensemble_infer(struct infer *i, const struct ensemble *e, int64_t *rows);
/* Called once for each row, with the scores of all targets, base values added. */
typedef void ensemble_finish(const struct step *s, int64_t row, double *scores);
void ensemble_run(struct step *s, const struct ensemble *e, ensemble_finish *finish);

#endif
