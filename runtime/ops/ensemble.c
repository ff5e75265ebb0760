#include "ops/ensemble.h"
#include "ops/ensemble_tests.h"
#include "ops/ordered.h"
#include "ops/parse.h"
#include "ops/rank.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* -- messages -- */

const char *tree_node_text(const struct tree_source *s, int64_t node, int64_t tree, char text[64])
{
    snprintf(text, 64, "node %lld of tree %lld", (long long)(s->node_ids ? s->node_ids[node] : node),
             (long long)(s->tree_ids ? s->tree_ids[node] : tree));
    return text;
}

/* -- places -- */

struct flattening {
    struct parse *p;
    struct ensemble *e;
    const struct tree_source *source;
    struct arena scratch;
    int32_t *place;         /* by node: of its first test; -1: it has none yet */
    int32_t *parent;        /* by node; -1: it is a root */
    int32_t *stack;         /* nodes that wait for their places, with their parents in parent[] */
    int64_t *order, *other; /* for sorting members */
    int64_t tests, leaves, tree;
};

static bool is_set(const struct tree_node *n)
{
    return n->mode == TREE_EQ || n->mode == TREE_NEQ || n->mode == TREE_MEMBER;
}

/* How many values x may be equal to: none is not a number. */
static int64_t members_of(const struct tree_node *n)
{
    return n->mode == TREE_MEMBER ? n->member_count : !isnan(n->value);
}

/* Behind the search for several values what is no number is where a value is that is not among them. Is that wrong? */
static bool needs_catcher(const struct tree_node *n)
{
    return members_of(n) && n->missing_tracks_true == (n->mode != TREE_NEQ);
}

static int64_t tests_of(const struct tree_node *n)
{
    return is_set(n) && members_of(n) ? 2 * members_of(n) + needs_catcher(n) : 1;
}

/* Where to go for it: a search begins in its middle. */
static int32_t entry_of(const struct flattening *f, int32_t node)
{
    const struct tree_node *n = &f->source->nodes[node];

    return f->place[node] + (is_set(n) && !needs_catcher(n) ? (int32_t)members_of(n) : 0);
}

static bool has_two_parents(struct flattening *f, int32_t node, int32_t parent)
{
    char text[64], one[64], two[64];
    int32_t up = parent;

    while (up >= 0 && up != node)
        up = f->parent[up];
    tree_node_text(f->source, node, f->tree, text);
    if (up == node)
        return parse_error(f->p, "%s is below itself", text);
    if (f->parent[node] < 0 || parent < 0)
        return parse_error(f->p, "%s is the root of a tree, and in a tree a second time", text);
    return parse_error(f->p, "%s has two parents, %s and %s", text,
                       tree_node_text(f->source, f->parent[node], f->tree, one),
                       tree_node_text(f->source, parent, f->tree, two));
}

static bool give_place(struct flattening *f, int32_t node, int32_t parent)
{
    const struct tree_node *n = &f->source->nodes[node];

    if (f->place[node] >= 0)
        return (n->mode == TREE_LEAF && f->source->shared_leaves) || (parent >= 0 && f->parent[node] == parent) ||
               has_two_parents(f, node, parent);
    f->parent[node] = parent;
    f->place[node] = (int32_t)f->tests;
    f->tests += tests_of(n);
    f->leaves += n->mode == TREE_LEAF;
    if (n->mode != TREE_LEAF && n->feature >= f->e->features) {
        f->e->features = n->feature + 1;
        tree_node_text(f->source, node, f->tree, f->e->widest);
    }
    return f->tests <= INT32_MAX / 2 || parse_unsupported(f->p, "more nodes than are supported");
}

/* The node where a test holds stands behind it, so that half of all steps go to the next place. */
static bool place_tree(struct flattening *f, int32_t root)
{
    int64_t waiting = 0;

    if (!give_place(f, root, -1))
        return false;
    f->stack[waiting++] = root;
    while (waiting) {
        const int32_t node = f->stack[--waiting];
        const struct tree_node *n = &f->source->nodes[node];
        const int32_t next[2] = { n->where_false, n->where_true };

        for (int k = 0; k < 2 && n->mode != TREE_LEAF; k++) {
            const bool there = f->place[next[k]] >= 0;

            if (!give_place(f, next[k], node))
                return false;
            if (!there)
                f->stack[waiting++] = next[k];
        }
    }
    return true;
}

/* -- tests -- */

static float float_at_most(double v)
{
    const float f = (float)v;

    return (double)f > v ? nextafterf(f, -INFINITY) : f;
}

/* The number before v; before the first one there is none, which no x is at most. */
static double before(double v)
{
    return v > -INFINITY ? nextafter(v, -INFINITY) : (double)NAN;
}

static void put_test(struct flattening *f, int64_t at, const struct tree_node *n, double value, int32_t holds,
                     int32_t fails, bool missing)
{
    const uint32_t feature = (uint32_t)n->feature | (missing ? TEST_MISSING : 0);

    if (f->e->dtype == F64)
        ((struct test_f64 *)(uintptr_t)f->e->nodes)[at] = (struct test_f64){ value, feature, { holds, fails } };
    else
        ((struct test_f32 *)(uintptr_t)f->e->nodes)[at] =
            (struct test_f32){ float_at_most(value), feature, { holds, fails } };
    f->e->missing |= missing;
}

static void put_single(struct flattening *f, const struct tree_node *n, int64_t at, int32_t holds, int32_t fails)
{
    const bool turned = (n->mode == TREE_GT || n->mode == TREE_GTE) && !isnan(n->value);
    const double value = n->mode == TREE_LT || n->mode == TREE_GTE ? before(n->value) : n->value;

    if (turned)
        put_test(f, at, n, value, fails, holds, !n->missing_tracks_true);
    else
        put_test(f, at, n, value, holds, fails, n->missing_tracks_true);
}

static bool earlier(const void *context, int64_t a, int64_t b)
{
    const double *v = context;

    return v[a] < v[b];
}

/* Values v0 < v1 < ... are found by tests against before(v0), v0, before(v1), v1 ...: x is one of them where it passes
 * an odd number. Test k of them is the middle of a range of tests; it is found by cutting ranges in halves. */
static void put_search(struct flattening *f, const struct tree_node *n, int64_t at, int32_t in, int32_t out)
{
    const double *const v = n->mode == TREE_MEMBER ? f->source->members + n->members : &n->value;
    const int64_t count = members_of(n), tests = 2 * count;

    for (int64_t k = 0; k < count; k++)
        f->order[k] = k;
    sort_indices(NULL, f->order, f->other, count, earlier, v);
    for (int64_t k = 0; k < tests; k++) {
        const double value = v[f->order[k / 2]];
        int64_t from = 0, to = tests, middle = tests / 2;
        int32_t next[2];

        while (middle != k) {
            if (k < middle)
                to = middle;
            else
                from = middle + 1;
            middle = from + (to - from) / 2;
        }
        next[0] = from == k ? (k % 2 ? in : out) : (int32_t)(at + from + (k - from) / 2);
        next[1] = to == k + 1 ? (k % 2 ? out : in) : (int32_t)(at + k + 1 + (to - k - 1) / 2);
        put_test(f, at + k, n, k % 2 ? value : before(value), next[0], next[1], false);
    }
}

static void put_set(struct flattening *f, const struct tree_node *n, int64_t at, int32_t holds, int32_t fails)
{
    const int32_t in = n->mode == TREE_NEQ ? fails : holds, out = n->mode == TREE_NEQ ? holds : fails;
    const int32_t missing = n->missing_tracks_true ? holds : fails;

    if (!members_of(n)) {
        put_test(f, at, n, (double)NAN, missing, out, true);
        return;
    }
    if (needs_catcher(n)) {
        put_test(f, at, n, INFINITY, (int32_t)(at + 1 + members_of(n)), missing, false);
        at++;
    }
    put_search(f, n, at, in, out);
}

/* -- leaves -- */

/* Is the one vote of a leaf a number that tests hold? */
static bool votes_alone(const struct flattening *f)
{
    const struct tree_source *s = f->source;
    bool alone = f->e->targets == 1;

    for (int64_t k = 0; k < s->count && alone; k++)
        if (f->place[k] >= 0 && s->nodes[k].mode == TREE_LEAF) {
            const struct vote *v = &s->votes[s->first_vote[k]];

            alone = s->first_vote[k + 1] == s->first_vote[k] + 1 &&
                    (f->e->dtype == F64 || (double)(float)v->weight == v->weight);
        }
    return alone;
}

static void put_leaf(struct flattening *f, int64_t node, int32_t *first, struct vote *votes)
{
    const struct tree_source *s = f->source;
    const int32_t at = f->place[node], number = (int32_t)f->leaves++;
    const int64_t count = s->first_vote[node + 1] - s->first_vote[node];
    struct test_f32 single = { 0, 0, { at, at } };
    struct test_f64 wide = { number, 0, { at, at } };

    first[number + 1] = first[number] + (int32_t)count;
    if (count)
        memcpy(&votes[first[number]], &s->votes[s->first_vote[node]], (size_t)count * sizeof *votes);
    memcpy(&single.value, &number, sizeof number);
    if (f->e->alone) {
        wide.value = votes[first[number]].weight;
        single.value = (float)wide.value;
    }
    if (f->e->dtype == F64)
        ((struct test_f64 *)(uintptr_t)f->e->nodes)[at] = wide;
    else
        ((struct test_f32 *)(uintptr_t)f->e->nodes)[at] = single;
}

/* -- all -- */

static void put_nodes(struct flattening *f, int32_t *first, struct vote *votes)
{
    f->leaves = 0;
    for (int64_t k = 0; k < f->source->count; k++) {
        const struct tree_node *n = &f->source->nodes[k];

        if (f->place[k] < 0)
            continue;
        if (n->mode == TREE_LEAF)
            put_leaf(f, k, first, votes);
        else
            (is_set(n) ? put_set : put_single)(f, n, f->place[k], entry_of(f, n->where_true),
                                               entry_of(f, n->where_false));
    }
}

static bool begin(struct flattening *f)
{
    const struct tree_source *s = f->source;
    int64_t most = 1;

    for (int64_t k = 0; k < s->count; k++)
        most = members_of(&s->nodes[k]) > most ? members_of(&s->nodes[k]) : most;
    f->place = arena_array(&f->scratch, (size_t)s->count, sizeof *f->place, f->p->report);
    f->parent = arena_array(&f->scratch, (size_t)s->count, sizeof *f->parent, f->p->report);
    f->stack = arena_array(&f->scratch, (size_t)s->count, sizeof *f->stack, f->p->report);
    f->order = arena_array(&f->scratch, (size_t)most, sizeof *f->order, f->p->report);
    f->other = arena_array(&f->scratch, (size_t)most, sizeof *f->other, f->p->report);
    for (int64_t k = 0; f->place && k < s->count; k++)
        f->place[k] = -1;
    return f->place && f->parent && f->stack && f->order && f->other;
}

static bool flatten(struct flattening *f)
{
    const struct tree_source *s = f->source;
    int32_t *roots = parse_alloc(f->p, (size_t)s->trees * sizeof *roots), *first;
    struct vote *votes;

    if (!roots || !begin(f))
        return false;
    for (f->tree = 0; f->tree < s->trees; f->tree++) {
        if (!place_tree(f, s->roots[f->tree]))
            return false;
        roots[f->tree] = entry_of(f, s->roots[f->tree]);
    }
    f->e->nodes =
        parse_alloc(f->p, (size_t)f->tests * (f->e->dtype == F64 ? sizeof(struct test_f64) : sizeof(struct test_f32)));
    first = parse_alloc(f->p, (size_t)(f->leaves + 1) * sizeof *first);
    votes = parse_alloc(f->p, (size_t)s->first_vote[s->count] * sizeof *votes);
    if (!f->e->nodes || !first || !votes)
        return false;
    f->e->alone = votes_alone(f);
    f->e->roots = roots;
    f->e->first_vote = first;
    f->e->votes = votes;
    f->e->trees = s->trees;
    put_nodes(f, first, votes);
    return true;
}

bool ensemble_flatten(struct parse *p, struct ensemble *e, const struct tree_source *source)
{
    const enum dtype x = known_input(p->node, 0).dtype;
    struct flattening f = { .p = p, .e = e, .source = source, .scratch = { .budget = p->node->graph->arena->budget } };
    bool ok;

    /* where the type is not known, doubles: they hold all that floats do */
    e->dtype = x == F32 || x == F16 || x == I32 || x == I64 ? F32 : F64;
    ok = source->first_vote[source->count] <= INT32_MAX ? flatten(&f)
                                                        : parse_unsupported(p, "more weights than are supported");
    arena_release(&f.scratch);
    p->failed |= !ok;
    return ok;
}
