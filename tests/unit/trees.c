/* Ensembles of trees: each comparison, how votes are counted, and which trees are refused. */
#include "by_hand.h"
#include "refusing.h"

/* The label, a number, then the scores. */
#define LABELS                                                                                                         \
    "l = Cast <to = 1> (k) f = Constant <value_ints = [-1]> () z = Reshape(s, f) y = Concat <axis = 0> (l, z)"

static const struct {
    const char *mode;
    float at, below, above; /* where x is 0.5, or beside it: 1 where the test holds, else 2 */
} modes[] = {
    { "LEQ", 1, 1, 2 }, { "LT", 2, 1, 2 }, { "GTE", 1, 2, 1 }, { "GT", 2, 2, 1 }, { "EQ", 1, 2, 2 }, { "NEQ", 2, 1, 1 },
};
enum { COMPARISONS = sizeof modes / sizeof *modes };

/* What is not a number goes where it is sent, whatever the comparison is. */
START_TEST(each_comparison_and_what_is_no_number)
{
    for (int form = 0; form < 4; form++) { /* float or double, missing values go to true or not */
        struct by_hand of = { .in = 6, .out = 6 };
        const float x[6] = { .5f, nextafterf(.5f, 0), nextafterf(.5f, 1), NAN, -INFINITY, INFINITY };
        const float y[6] = { modes[_i].at,     modes[_i].below, modes[_i].above,
                             form & 1 ? 1 : 2, modes[_i].below, modes[_i].above };
        char nodes[1024];

        snprintf(nodes, sizeof nodes,
                 "s = Constant <value_ints = [6, 1]> () m = Reshape(x, s) c = Cast <to = %d> (m)\n"
                 "y = ai.onnx.ml.TreeEnsembleRegressor <nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], "
                 "nodes_featureids = [0, 0, 0], nodes_values = [0.5, 0.0, 0.0], nodes_truenodeids = [1, 0, 0], "
                 "nodes_falsenodeids = [2, 0, 0], nodes_modes = [\"BRANCH_%s\", \"LEAF\", \"LEAF\"], "
                 "nodes_missing_value_tracks_true = [%d, 0, 0], target_treeids = [0, 0], target_nodeids = [1, 2], "
                 "target_ids = [0, 0], target_weights = [1.0, 2.0], n_targets = 1> (c)",
                 form & 2 ? F64 : F32, modes[_i].mode, form & 1);
        of.nodes = nodes;
        memcpy(of.x, x, sizeof x);
        memcpy(of.y, y, sizeof y);
        check_by_hand(&of, "\"\": 27, \"ai.onnx.ml\": 1");
    }
}
END_TEST

#define MEMBERS                                                                                                        \
    "s = Constant <value_ints = [8, 1]> () m = Reshape(x, s) y = ai.onnx.ml.TreeEnsemble <nodes_featureids = [0], "    \
    "nodes_splits = float[1] {0}, nodes_modes = uint8[1] {6}, nodes_truenodeids = [0], nodes_falsenodeids = [1], "     \
    "nodes_trueleafs = [1], nodes_falseleafs = [1], leaf_targetids = [0, 0], leaf_weights = float[2] {1, 2}, "         \
    "tree_roots = [0]"
#define TREES                                                                                                          \
    "y = ai.onnx.ml.TreeEnsembleRegressor <nodes_treeids = [4, 4, 4, 1], nodes_nodeids = [5, 6, 7, 0], "               \
    "nodes_featureids = [1, 0, 0, 0], nodes_values = [0.5, 0.0, 0.0, 0.0], nodes_truenodeids = [6, 0, 0, 0], "         \
    "nodes_falsenodeids = [7, 0, 0, 0], nodes_modes = [\"BRANCH_LEQ\", \"LEAF\", \"LEAF\", \"LEAF\"], "                \
    "target_treeids = [1, 4, 4, 4, 4], target_nodeids = [0, 6, 7, 7, 5], target_ids = [0, 0, 1, 0, 0], "               \
    "target_weights = [1.0, 2.0, 4.0, -8.0, 100.0], n_targets = 2"

static const struct by_hand by_hand[] = {
    { MEMBERS ", membership_values = float[4] {3, -1, 0, nan}> (m)",
      8,
      8,
      { -1, -.5f, 0, 2, 3, 4, NAN, -0.f },
      { 1, 2, 1, 2, 1, 2, 2, 1 } },
    { MEMBERS ", membership_values = float[2] {3, 3}, nodes_missing_value_tracks_true = [1]> (m)",
      8,
      8,
      { -1, -.5f, 0, 2, 3, 4, NAN, -0.f },
      { 2, 2, 2, 2, 1, 2, 1, 2 } },
    { MEMBERS ", membership_values = float[1] {nan}, nodes_missing_value_tracks_true = [1]> (m)",
      8,
      8,
      { -1, -.5f, 0, 2, 3, 4, NAN, -0.f },
      { 2, 2, 2, 2, 2, 2, 1, 2 } },
    { "y = ai.onnx.ml.TreeEnsembleRegressor <nodes_treeids = [0], nodes_nodeids = [0], nodes_featureids = [0], "
      "nodes_values = [0.0], nodes_truenodeids = [0], nodes_falsenodeids = [0], nodes_modes = [\"LEAF\"], "
      "target_treeids "
      "= [0, 0], target_nodeids = [0, 0], target_ids = [0, 0], target_weights = [1.0, 2.0]> (x)",
      1,
      1,
      { 0 },
      { 3 } },
    { TREES "> (x)", 2, 2, { 0, 0 }, { 3, 0 } },
    { TREES "> (x)", 2, 2, { 0, 1 }, { -7, 4 } },
    { TREES ", aggregate_function = \"AVERAGE\", base_values = [10.0, 20.0]> (x)", 2, 2, { 0, 1 }, { 6.5f, 22 } },
    { TREES ", aggregate_function = \"MIN\", base_values = [10.0, 20.0]> (x)", 2, 2, { 0, 0 }, { 11, 20 } },
    { TREES ", aggregate_function = \"MAX\"> (x)", 2, 2, { 0, 1 }, { 1, 4 } },
    { TREES ", post_transform = \"LOGISTIC\"> (x)", 2, 2, { 0, 0 }, { .952574127f, .5f } },
    { "c = Cast <to = 11> (x)\n"
      "z = ai.onnx.ml.TreeEnsemble <nodes_featureids = [0, 0], nodes_splits = double[2] {0.1, 0.1}, nodes_modes = "
      "uint8[2] {0, 1}, nodes_truenodeids = [0, 1], nodes_falsenodeids = [1, 0], nodes_trueleafs = [1, 1], "
      "nodes_falseleafs = [0, 1], leaf_targetids = [0, 0], leaf_weights = double[2] {1, 2}, tree_roots = [0], "
      "post_transform = 1> (c) y = Cast <to = 1> (z)",
      1,
      1,
      { .1f },
      { 1 } },
    /* the float beside 0.1 is above it */
    { "y = ai.onnx.ml.TreeEnsembleRegressor <nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], nodes_featureids = "
      "[0, 0, 0], nodes_values_as_tensor = double[3] {0.1, 0, 0}, nodes_truenodeids = [1, 0, 0], nodes_falsenodeids = "
      "[2, 0, 0], nodes_modes = [\"BRANCH_LEQ\", \"LEAF\", \"LEAF\"], target_treeids = [0, 0], target_nodeids = [1, "
      "2], "
      "target_ids = [0, 0], target_weights_as_tensor = double[2] {1.5, 2.5}, n_targets = 1> (x)",
      1,
      1,
      { .1f },
      { 2.5f } },
};
enum { TREE_CASES = sizeof by_hand / sizeof *by_hand };

START_TEST(trees_by_hand)
{
    check_by_hand(&by_hand[_i], "\"\": 27, \"ai.onnx.ml\": 5");
}
END_TEST

/* One tree of two leaves, at most 0 and above; x is two rows. The labels, then the scores. */
static const struct {
    const char *attrs;
    float y[6];
} leaves[] = {
    { "class_ids = [0, 0], class_weights = [0.25, 0.75]", { 7, 9, .75f, .25f, .25f, .75f } },
    { "class_ids = [0, 0], class_weights = [-0.25, 0.25]", { 7, 9, .25f, -.25f, -.25f, .25f } },
    { "class_ids = [1, 1], class_weights = [0.25, 0.75]", { 7, 9, 0, .25f, 0, .75f } },
    { "class_ids = [1, 1], class_weights = [-0.25, 0.25]", { 7, 9, 0, -.25f, 0, .25f } },
    { "class_ids = [0, 0], class_weights = [0.25, 0.75], post_transform = \"LOGISTIC\"",
      { 9, 9, .437823499f, .562176501f, .320821301f, .679178699f } },
    { "class_ids = [0, 0], class_weights = [-1.0, 0.25], base_values = [0.5]", { 7, 9, .5f, -.5f, -.75f, .75f } },
    { "class_ids = [0, 0], class_weights = [-1.0, 0.25], base_values = [0.5, 3.0]", { 7, 9, .5f, -.5f, -.75f, .75f } },
    { "class_ids = [0, 1], class_weights = [0.25, 0.75]", { 7, 9, .25f, 0, 0, .75f } },
    { "class_ids = [1, 0], class_weights = [0.25, 0.75], base_values = [0.5, 0.5]", { 9, 7, .5f, .75f, 1.25f, .5f } },
};
enum { LEAVES = sizeof leaves / sizeof *leaves };

START_TEST(classes_by_hand)
{
    struct by_hand of = { .in = 2, .out = 6, .x = { -1, 1 } };
    char nodes[1024];

    snprintf(nodes, sizeof nodes,
             "h = Constant <value_ints = [2, 1]> () m = Reshape(x, h)\n"
             "k, s = ai.onnx.ml.TreeEnsembleClassifier <nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], "
             "nodes_featureids = [0, 0, 0], nodes_values = [0.0, 0.0, 0.0], nodes_truenodeids = [1, 0, 0], "
             "nodes_falsenodeids = [2, 0, 0], nodes_modes = [\"BRANCH_LEQ\", \"LEAF\", \"LEAF\"], class_treeids = [0, "
             "0], class_nodeids = [1, 2], classlabels_int64s = [7, 9], %s> (m) " LABELS,
             leaves[_i].attrs);
    of.nodes = nodes;
    memcpy(of.y, leaves[_i].y, sizeof leaves[_i].y);
    check_by_hand(&of, "\"\": 27, \"ai.onnx.ml\": 3");
}
END_TEST

/* Scores below 0, beside classes that no leaf votes for. */
START_TEST(zeros_that_stay_are_the_least)
{
    static const struct by_hand labels[] = {
        { "SOFTMAX_ZERO", 2, 2, { -1, 1 }, { 9, 11 } },
        { "SOFTMAX", 2, 2, { -1, 1 }, { 7, 7 } },
    };
    struct by_hand of = labels[_i];
    char nodes[1024];

    snprintf(
        nodes, sizeof nodes,
        "h = Constant <value_ints = [2, 1]> () m = Reshape(x, h)\n"
        "k, s = ai.onnx.ml.TreeEnsembleClassifier <nodes_treeids = [0, 0, 0], nodes_nodeids = [0, 1, 2], "
        "nodes_featureids = [0, 0, 0], nodes_values = [0.0, 0.0, 0.0], nodes_truenodeids = [1, 0, 0], "
        "nodes_falsenodeids = [2, 0, 0], nodes_modes = [\"BRANCH_LEQ\", \"LEAF\", \"LEAF\"], class_treeids = [0, "
        "0], class_nodeids = [1, 2], class_ids = [1, 2], class_weights = [-1.0, -2.0], classlabels_int64s = [7, 9, "
        "11], post_transform = \"%s\"> (m) y = Cast <to = 1> (k)",
        labels[_i].nodes);
    of.nodes = nodes;
    check_by_hand(&of, "\"\": 27, \"ai.onnx.ml\": 3");
}
END_TEST

/* "name = [value, value ...], " of as many trees. */
static void put_list(char *to, size_t room, const char *name, int trees, const char *value)
{
    size_t n = strlen(to);

    n += (size_t)snprintf(to + n, room - n, "%s = [", name);
    for (int k = 0; k < trees; k++)
        n += (size_t)snprintf(to + n, room - n, "%s%s", k ? "," : "", value);
    snprintf(to + n, room - n, "], ");
}

/* Tree k tests whether x is at most k - 3: 1 where it is, else 0. */
static void put_trees(char *to, size_t room, int trees)
{
    size_t n;

    snprintf(to, room,
             "<ir_version: 10, opset_import: [\"\": 21, \"ai.onnx.ml\": 5]> g (float[N, 1] x) => (float[N, 1] y) "
             "{ y = ai.onnx.ml.TreeEnsemble <");
    put_list(to, room, "nodes_featureids", trees, "0");
    put_list(to, room, "nodes_truenodeids", trees, "0");
    put_list(to, room, "nodes_falsenodeids", trees, "1");
    put_list(to, room, "nodes_trueleafs", trees, "1");
    put_list(to, room, "nodes_falseleafs", trees, "1");
    n = strlen(to);
    n += (size_t)snprintf(to + n, room - n, "nodes_modes = uint8[%d] {0", trees);
    for (int k = 1; k < trees; k++)
        n += (size_t)snprintf(to + n, room - n, ",0");
    n += (size_t)snprintf(to + n, room - n, "}, nodes_splits = float[%d] {", trees);
    for (int k = 0; k < trees; k++)
        n += (size_t)snprintf(to + n, room - n, "%s%d", k ? "," : "", k - 3);
    n += (size_t)snprintf(to + n, room - n, "}, tree_roots = [");
    for (int k = 0; k < trees; k++)
        n += (size_t)snprintf(to + n, room - n, "%s%d", k ? "," : "", k);
    snprintf(to + n, room - n, "], leaf_targetids = [0, 0], leaf_weights = float[2] {1, 0}, n_targets = 1> (x) }");
}

/* Rows, trees and blocks that do not go together in eights. */
START_TEST(any_number_of_rows_and_trees)
{
    static const int64_t rows[] = { 1, 7, 8, 9, 63, 65, 300, 3001 };
    static const int trees_of[] = { 1, 3, 8, 9, 20 };
    const int trees_now = trees_of[_i];
    static float x[3001];
    char text[2048];
    struct fixture f;

    put_trees(text, sizeof text, trees_now);
    begin(&f, text);
    for (int k = 0; k < 3001; k++)
        x[k] = (float)(k % 11) - 5.5f;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const int64_t dims[] = { rows[r], 1 };
        const float *y;

        set(&f, "x", F32, 2, dims, x);
        run_ok(&f);
        y = floats(&f, 0, rows[r]);
        for (int64_t k = 0; k < rows[r]; k++) {
            int need = 0;

            for (int t = 0; t < trees_now; t++)
                need += x[k] <= (float)(t - 3);
            ck_assert_msg(y[k] == (float)need, "%lld rows: y[%lld] is %g, must be %d", (long long)rows[r], (long long)k,
                          (double)y[k], need);
        }
    }
    end(&f);
}
END_TEST

/* -- refused -- */

/* Of three nodes: the children of node 0, the mode of node 1, which has the children 2 and 2, the nodes that votes are
 * for, and the target of the first of them, which is of node 2. */
#define TREE(where_true, where_false, mode, voted, target)                                                             \
    "nodes_treeids=[3,3,3] nodes_nodeids=[0,1,2] nodes_featureids=[1,0,0] nodes_values=[0.,0.,0.] "                    \
    "nodes_truenodeids=[" #where_true ",2,0] nodes_falsenodeids=[" #where_false                                        \
    ",2,0] nodes_modes=['BRANCH_LEQ','" mode "','LEAF'] target_treeids=[3,3] target_nodeids=[2," #voted                \
    "] target_ids=[" #target ",0] "                                                                                    \
    "target_weights=[1.,2.] n_targets=1"
/* Of two nodes: the leaf and the node that follow node 0, the second root, the target of leaf 0, the mode of node 1. */
#define NODES(leaf, node, root, target, mode)                                                                          \
    "nodes_featureids=[0,1] nodes_splits=f32[2]{0,1} nodes_modes=u8[2]{0," #mode "} nodes_truenodeids=[" #leaf ",0] "  \
    "nodes_falsenodeids=[" #node ",1] nodes_trueleafs=[1,1] nodes_falseleafs=[0,1] leaf_targetids=[" #target ",0] "    \
    "leaf_weights=f32[2]{1,2} tree_roots=[0," #root "] n_targets=2"

static const struct refused refused[] = {
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(0, 0, "LEAF", 1, 0), "f32[1,1]", 0 },
      "node 0 of tree 3 is below itself" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 4, "LEAF", 1, 0), "f32[1,1]", 0 },
      "nodes_falsenodeids of node 0 of tree 3 is 4, which is no node of this tree" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "BRANCH_LT", 1, 0), "f32[1,1]", 0 },
      "node 2 of tree 3 has two parents, node 0 of tree 3 and node 1 of tree 3" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "BRANCH", 1, 0), "f32[1,1]", 0 },
      "the mode of node 1 of tree 3 is 'BRANCH'" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "LEAF", 5, 0), "f32[1,1]", 0 },
      "weight 1 is of node 5 of tree 3, which is not there" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "LEAF", 1, 1), "f32[1,1]", 0 },
      "target_ids[0], of node 2 of tree 3, is 1, must be in [0, 1)" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,1]", TREE(1, 2, "LEAF", 1, 0), "f32[1,1]", 0 },
      "'X' has 1 features, and node 0 of tree 3 looks at feature 1" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "LEAF", 1, 0) " base_values=[1.,2.]", "f32[1,1]", 0 },
      "2 base_values, must be 1" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "LEAF", 1, 0) " nodes_values_as_tensor=f64[3]", "f32[1,1]", 0 },
      "both 'nodes_values' and 'nodes_values_as_tensor'" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]", TREE(1, 2, "LEAF", 1, 0) " nodes_missing_value_tracks_true=[1]", "f32[1,1]", 0 },
      "nodes_missing_value_tracks_true has 1 values, must have 3" },
    { "TreeEnsembleRegressor",
      3,
      { "f32[1,2]",
        "nodes_treeids=[1,1] nodes_nodeids=[0,0] nodes_featureids=[0,0] nodes_values=[0.,0.] "
        "nodes_modes=['LEAF','LEAF'] nodes_truenodeids=[0,0] nodes_falsenodeids=[0,0] target_treeids=[1] "
        "target_nodeids=[0] target_ids=[0] target_weights=[1.]",
        "f32[1,1]", 0 },
      "node 0 of tree 1 is there twice" },
    { "TreeEnsemble",
      5,
      { "f32[1,2]", NODES(0, 1, 1, 0, 0), "f32[1,1]", 0 },
      "node 1 of tree 1 is the root of a tree, and in a tree a second time" },
    { "TreeEnsemble", 5, { "f32[1,2]", NODES(0, 0, 0, 0, 0), "f32[1,1]", 0 }, "node 0 of tree 0 is below itself" },
    { "TreeEnsemble", 5, { "f32[1,2]", NODES(0, 1, 1, 0, 9), "f32[1,1]", 0 }, "the mode of node 1 is 9" },
    { "TreeEnsemble",
      5,
      { "f32[1,2]", NODES(0, 2, 1, 0, 0), "f32[1,1]", 0 },
      "the false branch of node 0 is node 2, of which there are 2" },
    { "TreeEnsemble", 5, { "f32[1,2]", NODES(7, 1, 1, 0, 0), "f32[1,1]", 0 }, "the true branch of node 0 is leaf 7" },
    { "TreeEnsemble", 5, { "f32[1,2]", NODES(0, 1, 1, 0, 6), "f32[1,1]", 0 }, "membership_values has none for node 1" },
    { "TreeEnsemble",
      5,
      { "f32[1,2]", NODES(0, 1, 1, 2, 0), "f32[1,1]", 0 },
      "leaf 0 is for target 2, must be in [0, 2)" },
    { "TreeEnsemble",
      5,
      { "f32[1,2]", NODES(0, 1, 1, 0, 0) " membership_values=f32[1]{nan}", "f32[1,1]", 0 },
      "membership_values has 1 values behind" },
    { "TreeEnsemble", 5, { "f32[1,2]", NODES(0, 1, 5, 0, 0), "f32[1,1]", 0 }, "tree_roots[1] is 5, must be in [0, 2)" },
    { "TreeEnsembleClassifier",
      3,
      { "f32[1,2]", TREE(1, 2, "LEAF", 1, 0), "i64[1]", 0 },
      "'classlabels_strings' is missing" },
};
enum { REFUSED = sizeof refused / sizeof *refused };

START_TEST(refuses_and_says_why)
{
    check_refused(&refused[_i], "ai.onnx.ml");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("trees");

    add_tests(s, each_comparison_and_what_is_no_number, COMPARISONS);
    add_tests(s, trees_by_hand, TREE_CASES);
    add_tests(s, classes_by_hand, LEAVES);
    add_tests(s, zeros_that_stay_are_the_least, 2);
    add_tests(s, any_number_of_rows_and_trees, 5);
    add_tests(s, refuses_and_says_why, REFUSED);
    return s;
}
