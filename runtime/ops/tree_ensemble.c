/* TreeEnsemble, https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
 *
 *   Y = post_transform(what the leaves that a row ends in vote for each target, aggregated)
 *
 * A leaf may follow several nodes, a node only one. Without n_targets there are as many as leaf_targetids name. Of
 * BRANCH_MEMBER the values stand in the order of such nodes, a NaN behind those of each, which the last one may lack.
 * onnxruntime takes SOFTMAX for LOGISTIC and the other way round, and leaves both out where there is one target; the
 * reference has no post_transform, and takes a 0 among the values for their end. */
#include "ops/convert.h"
#include "ops/ensemble.h"
#include "ops/parse.h"
#include "ops/rank.h"
#include <math.h>
#include <string.h>

/* -- read -- */

struct lists {
    struct parse *p;
    struct arena scratch;
    int64_t count, leaves, trees, member_count; /* nodes without leaves */
    const int64_t *features, *next[2], *next_leaf[2], *missing, *targets, *roots;
    const uint8_t *modes;
    const double *values, *weights, *members;
    struct tree_node *nodes; /* then the leaves */
    int32_t *root_nodes;
    int64_t *first_vote;
    struct vote *votes;
    struct tree_source source;
};

/* A list of integers, NULL with an error where it is not there. */
static const int64_t *ints(struct lists *l, const char *name, int64_t *count)
{
    const struct attr *a = attr_list(l->p, name, ATTR_INTS);

    *count = a ? (int64_t)a->count : 0;
    if (!*count)
        parse_error(l->p, "attribute '%s' is missing", name);
    return *count ? a->ints : NULL;
}

static bool same_count(struct lists *l, const char *name, int64_t count, int64_t need, const char *as)
{
    return count == need ||
           parse_error(l->p, "%s has %lld values, must have %lld as %s", name, (long long)count, (long long)need, as);
}

static const int64_t *node_ints(struct lists *l, const char *name)
{
    int64_t count;
    const int64_t *v = ints(l, name, &count);

    return v && same_count(l, name, count, l->count, "nodes_featureids") ? v : NULL;
}

/* A tensor of floats, as doubles; NULL, with an error where it must be there. */
static const double *reals(struct lists *l, const char *name, bool optional, int64_t *count)
{
    const struct tensor *t = attr_tensor(l->p, name);
    double *v;

    *count = t ? tensor_count(t) : 0;
    if (!t) {
        if (!optional)
            parse_error(l->p, "attribute '%s' is missing", name);
        return NULL;
    }
    if (t->dtype != F32 && t->dtype != F64 && t->dtype != F16) {
        parse_error(l->p, "attribute '%s' is of type %s, must be float, double or float16", name, dtype_name(t->dtype));
        return NULL;
    }
    v = arena_array(&l->scratch, (size_t)*count + 1, sizeof *v, l->p->report);
    if (v)
        convert_between(t->dtype, F64)(t->data, v, *count);
    return v;
}

static bool read_modes(struct lists *l)
{
    const struct tensor *t = attr_tensor(l->p, "nodes_modes");

    if (!t || t->dtype != U8)
        return parse_error(l->p, "attribute 'nodes_modes' is %s, must be a tensor of uint8",
                           t ? dtype_name(t->dtype) : "missing");
    l->modes = t->data;
    return same_count(l, "nodes_modes", tensor_count(t), l->count, "nodes_featureids");
}

static bool read_leaves(struct lists *l)
{
    int64_t targets;

    l->weights = reals(l, "leaf_weights", false, &l->leaves);
    l->targets = ints(l, "leaf_targetids", &targets);
    return l->weights && l->targets && same_count(l, "leaf_targetids", targets, l->leaves, "leaf_weights");
}

static bool read_lists(struct lists *l)
{
    static const char *const next[] = { "nodes_truenodeids", "nodes_falsenodeids" };
    static const char *const leaf[] = { "nodes_trueleafs", "nodes_falseleafs" };
    const struct attr *missing = attr_list(l->p, "nodes_missing_value_tracks_true", ATTR_INTS);
    int64_t values, ignored;

    l->features = ints(l, "nodes_featureids", &l->count);
    l->roots = ints(l, "tree_roots", &l->trees);
    if (!l->features || !l->roots)
        return false;
    for (int k = 0; k < 2; k++)
        if (!(l->next[k] = node_ints(l, next[k])) || !(l->next_leaf[k] = node_ints(l, leaf[k])))
            return false;
    l->values = reals(l, "nodes_splits", false, &values);
    if (!l->values || !same_count(l, "nodes_splits", values, l->count, "nodes_featureids") || !read_modes(l) ||
        !read_leaves(l))
        return false;
    l->members = reals(l, "membership_values", true, &l->member_count);
    reals(l, "nodes_hitrates", true, &ignored);
    if (missing && missing->count)
        l->missing = missing->ints;
    return !l->p->failed && (!l->missing || same_count(l, "nodes_missing_value_tracks_true", (int64_t)missing->count,
                                                       l->count, "nodes_featureids"));
}

/* -- nodes -- */

static bool read_next(struct lists *l, int64_t k, int which, int32_t *node)
{
    const bool leaf = l->next_leaf[which][k];
    const int64_t at = l->next[which][k], count = leaf ? l->leaves : l->count;

    if (at < 0 || at >= count)
        return parse_error(l->p, "the %s branch of node %lld is %s %lld, of which there are %lld",
                           which ? "false" : "true", (long long)k, leaf ? "leaf" : "node", (long long)at,
                           (long long)count);
    *node = (int32_t)(leaf ? l->count + at : at);
    return true;
}

/* The values up to the next NaN are those of this node. */
static bool read_members(struct lists *l, int64_t k, struct tree_node *n, int64_t *at)
{
    if (*at >= l->member_count)
        return parse_error(l->p, "membership_values has none for node %lld", (long long)k);
    n->members = *at;
    while (*at < l->member_count && !isnan(l->members[*at]))
        ++*at;
    n->member_count = *at - n->members;
    ++*at;
    return true;
}

static bool read_nodes(struct lists *l)
{
    int64_t member = 0;

    for (int64_t k = 0; k < l->count; k++) {
        struct tree_node *n = &l->nodes[k];

        if (l->modes[k] > TREE_MEMBER)
            return parse_error(l->p, "the mode of node %lld is %d, must be in [0, %d]", (long long)k, l->modes[k],
                               (int)TREE_MEMBER);
        n->mode = (enum tree_mode)l->modes[k];
        n->feature = l->features[k];
        n->value = l->values[k];
        n->missing_tracks_true = l->missing && l->missing[k];
        if (n->feature < 0 || n->feature > INT32_MAX - 1)
            return parse_error(l->p, "node %lld looks at feature %lld, must be in [0, 2^31)", (long long)k,
                               (long long)n->feature);
        if (!read_next(l, k, 0, &n->where_true) || !read_next(l, k, 1, &n->where_false) ||
            (n->mode == TREE_MEMBER && !read_members(l, k, n, &member)))
            return false;
    }
    return member >= l->member_count ||
           parse_error(l->p, "membership_values has %lld values behind those of the last node",
                       (long long)(l->member_count - member));
}

static bool read_votes(struct lists *l, struct ensemble *e)
{
    int64_t most = -1;

    for (int64_t k = 0; k < l->leaves; k++) {
        const int64_t target = l->targets[k];

        if (target < 0 || (e->targets ? target >= e->targets : target > INT32_MAX))
            return parse_error(l->p, "leaf %lld is for target %lld, must be in [0, %lld)", (long long)k,
                               (long long)target, (long long)e->targets);
        most = target > most ? target : most;
        l->nodes[l->count + k].mode = TREE_LEAF;
        l->votes[k] = (struct vote){ l->weights[k], target };
        l->first_vote[l->count + k + 1] = k + 1;
    }
    if (!e->targets)
        e->targets = most + 1;
    return true;
}

static bool read_roots(struct lists *l)
{
    for (int64_t k = 0; k < l->trees; k++)
        if (l->roots[k] < 0 || l->roots[k] >= l->count)
            return parse_error(l->p, "tree_roots[%lld] is %lld, must be in [0, %lld)", (long long)k,
                               (long long)l->roots[k], (long long)l->count);
        else
            l->root_nodes[k] = (int32_t)l->roots[k];
    return true;
}

static bool begin(struct lists *l)
{
    const size_t all = (size_t)(l->count + l->leaves);
    struct report *r = l->p->report;

    if (l->count > INT32_MAX / 4 || l->leaves > INT32_MAX / 4 || l->trees > INT32_MAX)
        return parse_unsupported(l->p, "more nodes than are supported");
    l->nodes = arena_array(&l->scratch, all, sizeof *l->nodes, r);
    l->first_vote = arena_array(&l->scratch, all + 1, sizeof *l->first_vote, r);
    l->votes = arena_array(&l->scratch, (size_t)l->leaves, sizeof *l->votes, r);
    l->root_nodes = arena_array(&l->scratch, (size_t)l->trees, sizeof *l->root_nodes, r);
    return l->nodes && l->first_vote && l->votes && l->root_nodes;
}

static bool read_all(struct lists *l, struct ensemble *e)
{
    if (!read_lists(l) || !begin(l) || !read_nodes(l) || !read_votes(l, e) || !read_roots(l))
        return false;
    l->source = (struct tree_source){ .count = l->count + l->leaves,
                                      .trees = l->trees,
                                      .nodes = l->nodes,
                                      .roots = l->root_nodes,
                                      .first_vote = l->first_vote,
                                      .votes = l->votes,
                                      .members = l->members,
                                      .shared_leaves = true };
    return ensemble_flatten(l->p, e, &l->source);
}

static bool parse(struct parse *p, void *attrs)
{
    struct ensemble *e = attrs;
    struct lists l = { .p = p, .scratch = { .budget = p->node->graph->arena->budget } };
    const int64_t aggregate = attr_int(p, "aggregate_function", AGGREGATE_SUM);
    const int64_t post = attr_int(p, "post_transform", POST_NONE), targets = attr_int(p, "n_targets", 0);
    bool ok;

    if (aggregate < 0 || aggregate > AGGREGATE_MAX)
        return parse_error(p, "aggregate_function is %lld, must be in [0, 3]", (long long)aggregate);
    if (post < 0 || post >= POST_TRANSFORMS)
        return parse_error(p, "post_transform is %lld, must be in [0, 4]", (long long)post);
    if (targets < 0 || targets > INT32_MAX || (!targets && attr_given(p, "n_targets")))
        return parse_error(p, "n_targets is %lld, must be in [1, 2^31)", (long long)targets);
    e->targets = targets;
    e->aggregate = (enum aggregate)aggregate;
    e->post = (enum post_transform)post;
    ok = read_all(&l, e);
    arena_release(&l.scratch);
    return ok;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct ensemble *e = infer_attrs(i);
    int64_t rows;

    return ensemble_infer(i, e, &rows) &&
           set_out(i, 0, typed_in(i, 0)->dtype, 2, (const int64_t[]){ rows, e->targets });
}

/* -- run -- */

static void finish(const struct step *s, int64_t row, double *scores)
{
    const struct ensemble *e = s->attrs;
    const struct tensor *y = s->out[0];

    post_transform(e->post, scores, e->targets);
    convert_between(F64, y->dtype)(scores, (char *)y->data + (size_t)(row * e->targets) * dtype_size(y->dtype),
                                   e->targets);
}

static bool run(struct step *s)
{
    ensemble_run(s, s->attrs, finish);
    return true;
}

/* -- test -- */

#define ONE                                                                                                            \
    "nodes_featureids=[0] nodes_splits=f64[1]{0.25} nodes_modes=u8[1]{0} nodes_truenodeids=[0] "                       \
    "nodes_falsenodeids=[1] nodes_trueleafs=[1] nodes_falseleafs=[1] leaf_targetids=[0,0] "                            \
    "leaf_weights=f64[2]{0.5,-2} tree_roots=[0] n_targets=1"
#define TWO                                                                                                            \
    "nodes_featureids=[1,0,1,0] nodes_splits=f32[4]{0.25,-0.5,1,0} nodes_modes=u8[4]{1,2,6,6} "                        \
    "nodes_truenodeids=[0,2,1,2] nodes_falsenodeids=[1,3,1,0] nodes_trueleafs=[1,0,1,1] nodes_falseleafs=[1,0,1,1] "   \
    "leaf_targetids=[0,1,1] leaf_weights=f32[3]{0.5,-2,1} tree_roots=[0,1] "                                           \
    "membership_values=f32[6]{1,0,-1,nan,2,nan} "
static const struct op_case cases[] = {
    { "f32[11,2]", ONE, "f32[11,1]", 0 },
    { "f64[300,2]", TWO "n_targets=2 post_transform=1 nodes_missing_value_tracks_true=[0,0,1,0]", "f64[300,2]", 0 },
    { "f16[9,2]", TWO "aggregate_function=0 post_transform=2", "f16[9,2]", 0 },
    { "f32[9,3]", TWO "aggregate_function=2 n_targets=3 nodes_hitrates=f32[4]", "f32[9,3]", 0 },
    { "f32[2]{nan,nan}", TWO "aggregate_function=3 nodes_missing_value_tracks_true=[1,1,0,1]", "f32[1,2]", 0 },
    { "f64[0,2]", ONE, "f64[0,1]", 0 },
    { 0 },
};

const struct op op_tree_ensemble = {
    .name = "TreeEnsemble",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 5,
                                       .signature = "T X -> T Y",
                                       .types = "T: floats",
                                       .attrs_size = sizeof(struct ensemble),
                                       .parse = parse,
                                       .rank = rank_of_matrix,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .cases = cases },
                                     { 0 } },
};
