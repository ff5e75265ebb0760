/* TreeEnsembleClassifier, https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html
 *
 *   s = the weights of the leaves that a row ends in, summed for each class, + base_values
 *   Y = the label of the greatest s, Z = post_transform(s)
 *
 * but with SOFTMAX_ZERO of the greatest Z: what nothing has voted for stays 0, and is less than what anything has.
 *
 * Two classes may have one score between them: all weights are then for class 0, and s is the score of the second class
 * against the first one. Where no weight is below 0 it is a probability, Z is [1 - s, s], and Y is the second label above
 * 0.5; else Z is [-s, s], and Y the second label above 0. This goes for a post_transform too, but that it is always
 * [-s, s] that is transformed, and Y is the second label above 0. Weights that are all for class 1 are the same without
 * post_transform, but that Z is [0, s]. One base value, or that of the class that has weights, is added to s.
 *
 * The standard says nothing of this. It is as in onnxruntime and the reference as far as these agree: onnxruntime takes
 * 0.5 for the bound with LOGISTIC, too, and leaves other transforms out; gives labels 0 and 1, whatever they are called,
 * to two classes that both have weights, and the second of them wherever it has a positive score; takes the greatest of
 * the scores that a leaf has voted for. Version 5 is deprecated in favour of TreeEnsemble, and as version 3. */
#include "ops/class_labels.h"
#include "ops/rank.h"
#include "ops/tree_nodes.h"

struct classifier {
    struct ensemble trees; /* has one target for two classes with one score */
    struct class_labels labels;
    int64_t voted;    /* that class; -1: each class has its score */
    bool probability; /* that score is one */
};

/* -- read -- */

static bool put_base(struct parse *p, struct classifier *a, const struct tree_votes *v)
{
    const int64_t classes = a->labels.count;

    if (!v->bases)
        return true;
    if (v->bases != classes && !(a->voted >= 0 && v->bases == 1))
        return parse_error(p, "%lld base_values, must be %lld as there are classes", (long long)v->bases,
                           (long long)classes);
    a->trees.base = a->voted >= 0 && v->bases == classes ? v->base + a->voted : v->base;
    return true;
}

static bool parse(struct parse *p, void *attrs)
{
    struct classifier *a = attrs;
    struct tree_votes v = { .ids = "class_ids",
                            .nodes = "class_nodeids",
                            .trees = "class_treeids",
                            .weights = "class_weights",
                            .weights_as_tensor = "class_weights_as_tensor",
                            .two_as_one = true };

    a->trees.aggregate = AGGREGATE_SUM;
    a->trees.post = post_transform_parse(p);
    if (!class_labels_parse(p, "classlabels_int64s", "classlabels_strings", &a->labels))
        return false;
    a->trees.targets = a->labels.count;
    if (!tree_nodes_parse(p, &a->trees, &v))
        return false;
    a->voted = a->trees.targets < a->labels.count ? v.voted : -1;
    a->probability = !v.negative;
    return put_base(p, a, &v);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct classifier *a = infer_attrs(i);
    int64_t rows;

    return ensemble_infer(i, &a->trees, &rows) && set_out(i, 0, a->labels.dtype, 1, &rows) &&
           set_out(i, 1, F32, 2, (const int64_t[]){ rows, a->labels.count });
}

static enum dtype told(const struct node *n, int k)
{
    return k ? F32 : ((const struct classifier *)n->attrs)->labels.dtype;
}

static int rank(const struct node *n, int k)
{
    (void)n;
    return k ? 2 : 1;
}

/* -- run -- */

/* The scores of two classes from that of one; which of them it is. */
static int64_t both_scores(const struct classifier *a, double s, double scores[2])
{
    const bool probability = a->probability && (a->trees.post == POST_NONE || a->voted == 1);

    scores[0] = a->voted == 1 ? 0 : probability ? 1 - s : -s;
    scores[1] = s;
    return s > (probability ? .5 : 0);
}

static void finish(const struct step *s, int64_t row, double *scores)
{
    const struct classifier *a = s->attrs;
    const int64_t classes = a->labels.count;
    const bool zeros_stay = a->trees.post == POST_SOFTMAX_ZERO && a->voted < 0;
    double both[2];
    int64_t label;

    if (a->voted >= 0) {
        label = both_scores(a, scores[0], both);
        scores = both;
    } else {
        if (zeros_stay)
            post_transform(POST_SOFTMAX_ZERO, scores, classes);
        label = greatest_score(scores, classes);
    }
    if (s->out[0])
        class_label_put(&a->labels, label, s->out[0], row);
    if (!s->out[1])
        return;
    if (!zeros_stay)
        post_transform(a->trees.post, scores, classes);
    for (int64_t k = 0; k < classes; k++)
        ((float *)s->out[1]->data)[row * classes + k] = (float)scores[k];
}

static bool run(struct step *s)
{
    ensemble_run(s, &((const struct classifier *)s->attrs)->trees, finish);
    return true;
}

/* -- test -- */

#define TREE                                                                                                           \
    "nodes_treeids=[0,0,0,7,7,7,7,7] nodes_nodeids=[0,1,2,0,1,2,3,4] nodes_featureids=[1,0,0,0,0,0,1,0] "              \
    "nodes_truenodeids=[1,0,0,1,0,3,0,0] nodes_falsenodeids=[2,0,0,2,0,4,0,0] "                                        \
    "nodes_modes=['BRANCH_LEQ','LEAF','LEAF','BRANCH_GT','LEAF','BRANCH_EQ','LEAF','LEAF'] "                           \
    "class_treeids=[0,0,7,7,7] class_nodeids=[1,2,1,3,4] "
#define VALUES "nodes_values=[0.25,0.,0.,-0.5,0.,1.,0.,0.] "
#define CASES                                                                                                          \
    { "f32[11,2]", TREE VALUES "class_ids=[0,0,0,0,0] class_weights=[0.5,0.1,0.25,0.,0.4] classlabels_int64s=[7,9]",   \
      "i64[11] f32[11,2]", 0 },                                                                                        \
        { "f64[5,3]",                                                                                                  \
          TREE VALUES "class_ids=[1,1,1,1,1] class_weights=[0.5,0.1,-0.25,0.,0.4] classlabels_int64s=[7,9] "           \
                      "base_values=[0.5,-0.25]",                                                                       \
          "i64[5] f32[5,2]", 0 },                                                                                      \
        { "i64[9,2]",                                                                                                  \
          TREE VALUES "class_ids=[0,1,2,1,0] class_weights=[0.5,0.1,-0.25,0.,0.4] classlabels_strings=['a','b','c'] "  \
                      "post_transform='SOFTMAX' base_values=[0.5,-0.25,0.]",                                           \
          "str[9] f32[9,3]", 0 },                                                                                      \
        { "i32[2]",                                                                                                    \
          TREE VALUES "class_ids=[0,0,0,0,0] class_weights=[0.5,0.1,-0.25,0.,0.4] classlabels_strings=['a','b'] "      \
                      "post_transform='LOGISTIC' base_values=[0.5]",                                                   \
          "str[1] f32[1,2]", 0 },                                                                                      \
        { "f32[4,2]", TREE VALUES "class_ids=[0,0,0,0,0] class_weights=[0.5,0.1,-0.25,0.,0.4] classlabels_int64s=[3]", \
          "i64[4] f32[4,1]", 0 },                                                                                      \
        { "f32[4,2]",                                                                                                  \
          TREE VALUES "class_ids=[0,1,1,0,0] class_weights=[0.5,0.1,-0.25,0.,0.4] classlabels_int64s=[3,4]",           \
          "- f32[4,2]", 0 },                                                                                           \
    {                                                                                                                  \
        "f32[0,2]", TREE VALUES "class_ids=[0,0,0,0,0] class_weights=[0.5,0.1,0.25,0.,0.4] classlabels_int64s=[7,9]",  \
            "i64[0] f32[0,2]", 0                                                                                       \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_3[] = {
    CASES,
    { "f64[9,2]",
      TREE "nodes_values_as_tensor=f64[8]{0.25,0,0,-0.1,0,0.3,0,0} class_ids=[0,1,2,1,0] "
           "class_weights_as_tensor=f64[5]{0.1,0.2,0.3,0.4,0.5} classlabels_int64s=[1,2,3] "
           "base_values_as_tensor=f64[3]{0.1,0,-1}",
      "i64[9] f32[9,3]", 0 },
    { 0 },
};

#define ROW(version, tests)                                                                                            \
    {                                                                                                                  \
        .since = version, .signature = "T1 X -> T2 Y, T3 Z", .types = "T1: f32 f64 i32 i64; T2: i64 str; T3: f32",     \
        .attrs_size = sizeof(struct classifier), .parse = parse, .rank = rank, .dtype = told, .infer = infer,          \
        .run = run, .gradient = zero_gradient, .cases = tests                                                          \
    }

const struct op op_tree_ensemble_classifier = {
    .name = "TreeEnsembleClassifier",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ ROW(5, cases_3), ROW(3, cases_3), ROW(1, cases_1), { 0 } },
};
