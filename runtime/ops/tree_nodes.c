#include "ops/tree_nodes.h"
#include "ops/convert.h"
#include "ops/ordered.h"
#include "ops/parse.h"
#include <string.h>

/* -- lists -- */

struct lists {
    struct parse *p;
    struct arena scratch;
    int64_t count; /* of nodes */
    const int64_t *trees, *ids, *features, *where_true, *where_false, *missing;
    const struct bytes *modes;
    struct attr_values values;
    int64_t *order, *other; /* nodes by tree, then by their own number */
    bool in_order;          /* they stand so already */
    struct tree_node *nodes;
    int32_t *roots;
    int64_t *first_vote;
    struct vote *votes;
    struct tree_source source;
};

/* The list of that name must have as many values as there are nodes. */
static bool same_count(struct lists *l, const char *name, int64_t count)
{
    return count == l->count || parse_error(l->p, "%s has %lld values, must have %lld as nodes_treeids", name,
                                            (long long)count, (long long)l->count);
}

static const int64_t *node_ints(struct lists *l, const char *name, bool optional, bool *ok)
{
    const struct attr *a = attr_list(l->p, name, ATTR_INTS);

    if (!a || (optional && !a->count))
        *ok = (optional || parse_error(l->p, "attribute '%s' is missing", name)) && *ok;
    else
        *ok = same_count(l, name, (int64_t)a->count) && *ok;
    return a && a->count ? a->ints : NULL;
}

/* Numbers as a list of floats or, since version 3, as a tensor. */
static bool numbers(struct parse *p, const char *name, const char *name_as_tensor, struct attr_values *out)
{
    const struct attr *list = attr_list(p, name, ATTR_FLOATS), *tensor = NULL;

    *out = (struct attr_values){ .dtype = F32 };
    if (parse_node(p)->def->since >= 3 && (tensor = attr_any(p, name_as_tensor)) && tensor->type != ATTR_TENSOR)
        return parse_error(p, "attribute '%s' is %s, must be a tensor", name_as_tensor, attr_type_name(tensor->type));
    if (list && list->count && tensor)
        return parse_error(p, "both '%s' and '%s' are given, must be one of them", name, name_as_tensor);
    if (list && list->count)
        return attr_values(p, list, out);
    if (!tensor)
        return true;
    return attr_values(p, tensor, out) &&
           (dtype_is_float(out->dtype) || parse_error(p, "attribute '%s' is of type %s, must be float or double",
                                                      name_as_tensor, dtype_name(out->dtype)));
}

static double number(const struct attr_values *v, size_t k)
{
    double x;

    convert(&(struct conversion){ v->dtype, F64, ROUNDING_DEFAULT }, (const char *)v->data + k * dtype_size(v->dtype),
            &x, 1);
    return x;
}

static bool read_lists(struct lists *l)
{
    const struct attr *trees = attr_list(l->p, "nodes_treeids", ATTR_INTS);
    const struct attr *modes = attr_list(l->p, "nodes_modes", ATTR_STRINGS);
    struct attr_values ignored;
    bool ok = true;

    if (!trees || !trees->count || !modes)
        return parse_error(l->p, "attribute '%s' is missing", modes ? "nodes_treeids" : "nodes_modes");
    l->count = (int64_t)trees->count;
    l->trees = trees->ints;
    l->modes = modes->strings;
    l->ids = node_ints(l, "nodes_nodeids", false, &ok);
    l->features = node_ints(l, "nodes_featureids", false, &ok);
    l->where_true = node_ints(l, "nodes_truenodeids", false, &ok);
    l->where_false = node_ints(l, "nodes_falsenodeids", false, &ok);
    l->missing = node_ints(l, "nodes_missing_value_tracks_true", true, &ok);
    return numbers(l->p, "nodes_values", "nodes_values_as_tensor", &l->values) &&
           numbers(l->p, "nodes_hitrates", "nodes_hitrates_as_tensor", &ignored) &&
           same_count(l, "nodes_values", (int64_t)l->values.count) &&
           same_count(l, "nodes_modes", (int64_t)modes->count) && ok &&
           (l->count <= INT32_MAX / 2 || parse_unsupported(l->p, "more nodes than are supported"));
}

/* -- names -- */

static bool earlier(const void *context, int64_t a, int64_t b)
{
    const struct lists *l = context;

    return l->trees[a] != l->trees[b] ? l->trees[a] < l->trees[b] : l->ids[a] < l->ids[b];
}

static bool put_in_order(struct lists *l)
{
    l->in_order = true;
    for (int64_t k = 0; k < l->count; k++) {
        l->order[k] = k;
        l->in_order = l->in_order && (!k || earlier(l, k - 1, k));
    }
    if (!l->in_order)
        sort_indices(NULL, l->order, l->other, l->count, earlier, l);
    for (int64_t k = 1; k < l->count; k++)
        if (!earlier(l, l->order[k - 1], l->order[k])) {
            char text[64];

            return parse_error(l->p, "%s is there twice", tree_node_text(&l->source, l->order[k], 0, text));
        }
    return true;
}

static bool is_it(const struct lists *l, int64_t at, int64_t tree, int64_t id)
{
    return at >= 0 && at < l->count && l->trees[at] == tree && l->ids[at] == id;
}

/* The node of these numbers, -1 where there is none. It may well stand where the numbers of `near`, of the same tree,
 * count to. */
static int64_t find_node(const struct lists *l, int64_t tree, int64_t id, int64_t near)
{
    int64_t from = 0, to = l->count, guess;

    if (l->in_order && near >= 0 && !__builtin_sub_overflow(id, l->ids[near], &guess) &&
        add_size(guess, near, &guess) && is_it(l, guess, tree, id))
        return guess;
    while (from < to) {
        const int64_t middle = from + (to - from) / 2, at = l->order[middle];

        if (l->trees[at] < tree || (l->trees[at] == tree && l->ids[at] < id))
            from = middle + 1;
        else
            to = middle;
    }
    return from < l->count && is_it(l, l->order[from], tree, id) ? l->order[from] : -1;
}

/* -- nodes -- */

static bool read_mode(struct lists *l, int64_t k, enum tree_mode *mode)
{
    static const char *const names[] = { "BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                         "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF" };
    char text[64];

    for (int m = 0; m < TREE_MODES; m++)
        if (m != TREE_MEMBER && strlen(names[m]) == l->modes[k].length &&
            memcmp(names[m], l->modes[k].data, l->modes[k].length) == 0) {
            *mode = (enum tree_mode)m;
            return true;
        }
    return parse_error(l->p,
                       "the mode of %s is '%.*s', must be BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, "
                       "BRANCH_EQ, BRANCH_NEQ or LEAF",
                       tree_node_text(&l->source, k, 0, text), l->modes[k].length < 32 ? (int)l->modes[k].length : 32,
                       l->modes[k].data ? l->modes[k].data : "");
}

static bool read_child(struct lists *l, int64_t k, const char *name, int64_t id, int32_t *child)
{
    const int64_t at = find_node(l, l->trees[k], id, k);
    char text[64];

    *child = (int32_t)at;
    return at >= 0 || parse_error(l->p, "%s of %s is %lld, which is no node of this tree", name,
                                  tree_node_text(&l->source, k, 0, text), (long long)id);
}

static bool read_node(struct lists *l, int64_t k)
{
    struct tree_node *n = &l->nodes[k];
    char text[64];

    if (!read_mode(l, k, &n->mode))
        return false;
    if (n->mode == TREE_LEAF)
        return true;
    n->feature = l->features[k];
    n->value = number(&l->values, (size_t)k);
    n->missing_tracks_true = l->missing && l->missing[k];
    if (n->feature < 0 || n->feature > INT32_MAX - 1)
        return parse_error(l->p, "%s looks at feature %lld, must be in [0, 2^31)",
                           tree_node_text(&l->source, k, 0, text), (long long)n->feature);
    return read_child(l, k, "nodes_truenodeids", l->where_true[k], &n->where_true) &&
           read_child(l, k, "nodes_falsenodeids", l->where_false[k], &n->where_false);
}

static bool read_nodes(struct lists *l)
{
    for (int64_t k = 0; k < l->count; k++) {
        const int64_t at = l->order[k];

        if (!read_node(l, k))
            return false;
        if (!k || l->trees[at] != l->trees[l->order[k - 1]])
            l->roots[l->source.trees++] = (int32_t)at;
        else if (at < l->roots[l->source.trees - 1])
            l->roots[l->source.trees - 1] = (int32_t)at;
    }
    return true;
}

/* -- votes -- */

struct vote_lists {
    const struct attr *ids, *nodes, *trees;
    struct attr_values weights;
};

static bool read_vote_lists(struct parse *p, const struct tree_votes *v, struct vote_lists *out)
{
    out->ids = attr_list(p, v->ids, ATTR_INTS);
    out->nodes = attr_list(p, v->nodes, ATTR_INTS);
    out->trees = attr_list(p, v->trees, ATTR_INTS);
    if (!numbers(p, v->weights, v->weights_as_tensor, &out->weights))
        return false;
    if (!out->ids || !out->nodes || !out->trees)
        return parse_error(p, "attribute '%s' is missing", !out->ids ? v->ids : !out->nodes ? v->nodes : v->trees);
    return (out->ids->count == out->nodes->count && out->ids->count == out->trees->count &&
            out->ids->count == out->weights.count) ||
           parse_error(p, "%s, %s, %s and %s have %zu, %zu, %zu and %zu values, must have as many", v->ids, v->nodes,
                       v->trees, v->weights, out->ids->count, out->nodes->count, out->trees->count, out->weights.count);
}

/* The leaf that vote k is of, -1 for a node that is none. */
static bool find_leaf(struct lists *l, const struct vote_lists *v, size_t k, int64_t *leaf)
{
    *leaf = find_node(l, v->trees->ints[k], v->nodes->ints[k], -1);
    if (*leaf < 0)
        return parse_error(l->p, "weight %zu is of node %lld of tree %lld, which is not there", k,
                           (long long)v->nodes->ints[k], (long long)v->trees->ints[k]);
    if (l->nodes[*leaf].mode != TREE_LEAF)
        *leaf = -1;
    return true;
}

static bool count_targets(struct lists *l, const struct vote_lists *v, struct ensemble *e, struct tree_votes *found)
{
    int64_t most = -1;
    bool one = true;

    for (size_t k = 0; k < v->ids->count; k++) {
        const int64_t id = v->ids->ints[k];

        if (id < 0 || (e->targets ? id >= e->targets : id > INT32_MAX))
            return parse_error(l->p, "%s[%zu], of node %lld of tree %lld, is %lld, must be in [0, %lld)", found->ids, k,
                               (long long)v->nodes->ints[k], (long long)v->trees->ints[k], (long long)id,
                               (long long)e->targets);
        most = id > most ? id : most;
        one = one && id == v->ids->ints[0];
        found->negative |= number(&v->weights, k) < 0;
    }
    found->voted = v->ids->count && one ? most : -1;
    if (!e->targets)
        e->targets = most + 1;
    if (found->two_as_one && e->targets == 2 && found->voted >= 0)
        e->targets = 1;
    return e->targets || parse_error(l->p, "there are no targets");
}

/* By leaf, of each in the order in which they are listed. */
static bool read_votes(struct lists *l, struct ensemble *e, struct tree_votes *found)
{
    struct vote_lists v;
    int64_t leaf;

    if (!read_vote_lists(l->p, found, &v) || !count_targets(l, &v, e, found))
        return false;
    l->votes = arena_array(&l->scratch, v.ids->count + 1, sizeof *l->votes, l->p->report);
    if (!l->votes)
        return false;
    for (size_t k = 0; k < v.ids->count; k++) {
        if (!find_leaf(l, &v, k, &leaf))
            return false;
        if (leaf >= 0)
            l->first_vote[leaf + 1]++;
    }
    for (int64_t k = 0; k < l->count; k++)
        l->first_vote[k + 1] += l->first_vote[k];
    for (size_t k = 0; k < v.ids->count; k++)
        if (find_leaf(l, &v, k, &leaf) && leaf >= 0)
            l->votes[l->first_vote[leaf]++] =
                (struct vote){ number(&v.weights, k), e->targets == 1 ? 0 : v.ids->ints[k] };
    memmove(l->first_vote + 1, l->first_vote, (size_t)l->count * sizeof *l->first_vote); /* each went to the next */
    l->first_vote[0] = 0;
    return true;
}

static bool read_base(struct parse *p, struct tree_votes *found)
{
    struct attr_values values;
    double *base;

    if (!numbers(p, "base_values", "base_values_as_tensor", &values))
        return false;
    base = parse_alloc(p, values.count * sizeof *base);
    for (size_t k = 0; base && k < values.count; k++)
        base[k] = number(&values, k);
    found->base = values.count ? base : NULL;
    found->bases = (int64_t)values.count;
    return base;
}

/* -- all -- */

static bool begin(struct lists *l)
{
    const size_t n = (size_t)l->count;
    struct report *r = l->p->report;

    l->order = arena_array(&l->scratch, n, sizeof *l->order, r);
    l->other = arena_array(&l->scratch, n, sizeof *l->other, r);
    l->nodes = arena_array(&l->scratch, n, sizeof *l->nodes, r);
    l->roots = arena_array(&l->scratch, n, sizeof *l->roots, r);
    l->first_vote = arena_array(&l->scratch, n + 1, sizeof *l->first_vote, r);
    l->source = (struct tree_source){ .count = l->count, .tree_ids = l->trees, .node_ids = l->ids };
    return l->order && l->other && l->nodes && l->roots && l->first_vote;
}

static bool read_all(struct lists *l, struct ensemble *e, struct tree_votes *v)
{
    if (!read_lists(l) || !begin(l) || !put_in_order(l) || !read_nodes(l) || !read_votes(l, e, v) ||
        !read_base(l->p, v))
        return false;
    l->source.nodes = l->nodes;
    l->source.roots = l->roots;
    l->source.first_vote = l->first_vote;
    l->source.votes = l->votes;
    return ensemble_flatten(l->p, e, &l->source);
}

bool tree_nodes_parse(struct parse *p, struct ensemble *e, struct tree_votes *v)
{
    struct lists l = { .p = p, .scratch = { .budget = p->node->graph->arena->budget } };
    const bool ok = read_all(&l, e, v);

    arena_release(&l.scratch);
    p->failed |= !ok;
    return ok;
}
