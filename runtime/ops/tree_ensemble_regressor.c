/* TreeEnsembleRegressor, https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
 *
 *   Y = post_transform(what the leaves that a row ends in vote for each target, aggregated, + base_values)
 *
 * Version 5 is deprecated in favour of TreeEnsemble, and as version 3. onnxruntime leaves post_transform out where there
 * is one target, but for PROBIT; takes the first vote of a leaf alone then; and base values only of targets that a leaf
 * has voted for. Without n_targets there are as many as votes name. */
#include "ops/rank.h"
#include "ops/tree_nodes.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const functions[] = { "AVERAGE", "SUM", "MIN", "MAX", NULL };
    struct ensemble *e = attrs;
    struct tree_votes v = { .ids = "target_ids",
                            .nodes = "target_nodeids",
                            .trees = "target_treeids",
                            .weights = "target_weights",
                            .weights_as_tensor = "target_weights_as_tensor" };
    const int64_t targets = attr_int(p, "n_targets", 0);

    if (targets < 0 || targets > INT32_MAX || (!targets && attr_given(p, "n_targets")))
        return parse_error(p, "n_targets is %lld, must be in [1, 2^31)", (long long)targets);
    e->targets = targets;
    e->aggregate = (enum aggregate)attr_choice(p, "aggregate_function", functions, AGGREGATE_SUM);
    e->post = post_transform_parse(p);
    if (!tree_nodes_parse(p, e, &v))
        return false;
    e->base = v.base;
    return !v.bases || v.bases == e->targets ||
           parse_error(p, "%lld base_values, must be %lld as there are targets", (long long)v.bases,
                       (long long)e->targets);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct ensemble *e = infer_attrs(i);
    int64_t rows;

    return ensemble_infer(i, e, &rows) && set_out(i, 0, F32, 2, (const int64_t[]){ rows, e->targets });
}

/* -- run -- */

static void finish(const struct step *s, int64_t row, double *scores)
{
    const struct ensemble *e = s->attrs;
    float *const y = (float *)s->out[0]->data + row * e->targets;

    post_transform(e->post, scores, e->targets);
    for (int64_t t = 0; t < e->targets; t++)
        y[t] = (float)scores[t];
}

static bool run(struct step *s)
{
    ensemble_run(s, s->attrs, finish);
    return true;
}

/* -- test -- */

#define ONE                                                                                                            \
    "nodes_treeids=[0,0,0] nodes_nodeids=[0,1,2] nodes_featureids=[1,0,0] nodes_modes=['BRANCH_LEQ','LEAF','LEAF'] "   \
    "nodes_truenodeids=[1,0,0] nodes_falsenodeids=[2,0,0] target_treeids=[0,0] target_nodeids=[1,2] target_ids=[0,0] " \
    "n_targets=1 "
#define TWO                                                                                                            \
    "nodes_treeids=[0,0,0,7,7,7,7,7] nodes_nodeids=[0,1,2,0,1,2,3,4] nodes_featureids=[1,0,0,0,0,0,1,0] "              \
    "nodes_truenodeids=[1,0,0,1,0,3,0,0] nodes_falsenodeids=[2,0,0,2,0,4,0,0] "                                        \
    "nodes_missing_value_tracks_true=[1,0,0,0,0,1,0,0] "                                                               \
    "nodes_modes=['BRANCH_LT','LEAF','LEAF','BRANCH_GTE','LEAF','BRANCH_NEQ','LEAF','LEAF'] "                          \
    "target_treeids=[0,0,7,7,7,7] target_nodeids=[1,2,1,3,4,4] target_ids=[0,1,1,0,1,0] n_targets=2 "
#define CASES                                                                                                          \
    { "f32[11,2]", ONE "nodes_values=[0.25,0.,0.] target_weights=[0.5,-2.]", "f32[11,1]", 0 },                         \
        { "f64[5,3]", ONE "nodes_values=[0.25,0.,0.] target_weights=[0.5,-2.] base_values=[1.]", "f32[5,1]", 0 },      \
        { "i64[9,2]",                                                                                                  \
          TWO "nodes_values=[0.25,0.,0.,-0.5,0.,1.,0.,0.] target_weights=[0.5,1.,2.,3.,4.,5.] base_values=[1.,2.]",    \
          "f32[9,2]", 0 },                                                                                             \
        { "i32[2]",                                                                                                    \
          TWO "nodes_values=[0.25,0.,0.,-0.5,0.,1.,0.,0.] target_weights=[0.5,1.,2.,3.,4.,5.] "                        \
              "aggregate_function='MIN' post_transform='SOFTMAX'",                                                     \
          "f32[1,2]", 0 },                                                                                             \
        { "f32[300,2]",                                                                                                \
          TWO "nodes_values=[0.25,0.,0.,-0.5,0.,1.,0.,0.] target_weights=[0.5,1.,2.,3.,4.,5.] "                        \
              "aggregate_function='MAX' post_transform='LOGISTIC'",                                                    \
          "f32[300,2]", 0 },                                                                                           \
        { "f32[3,2]{0,nan,nan,1,2,3}",                                                                                 \
          TWO "nodes_values=[0.25,0.,0.,-0.5,0.,1.,0.,0.] target_weights=[0.5,1.,2.,3.,4.,5.] "                        \
              "aggregate_function='AVERAGE' nodes_hitrates=[1.,1.,1.,1.,1.,1.,1.,1.]",                                 \
          "f32[3,2]", 0 },                                                                                             \
    {                                                                                                                  \
        "f32[0,2]", ONE "nodes_values=[0.25,0.,0.] target_weights=[0.5,-2.]", "f32[0,1]", 0                            \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_3[] = {
    CASES,
    { "f64[9,2]",
      ONE "nodes_values_as_tensor=f64[3]{0.1,0,0} target_weights_as_tensor=f64[2]{0.1,-0.3} "
          "base_values_as_tensor=f64[1]{0.7} nodes_hitrates_as_tensor=f64[3]",
      "f32[9,1]", 0 },
    { "f32[9,2]", ONE "nodes_values_as_tensor=f64[3]{0.1,0,0} target_weights_as_tensor=f64[2]{0.1,-0.3}", "f32[9,1]",
      0 },
    { 0 },
};

#define ROW(version, tests)                                                                                            \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T1 Y", .types = "T: f32 f64 i32 i64; T1: f32",                          \
        .attrs_size = sizeof(struct ensemble), .parse = parse, .rank = rank_of_matrix, .infer = infer, .run = run,     \
        .gradient = zero_gradient, .cases = tests                                                                      \
    }

const struct op op_tree_ensemble_regressor = {
    .name = "TreeEnsembleRegressor",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ ROW(5, cases_3), ROW(3, cases_3), ROW(1, cases_1), { 0 } },
};
