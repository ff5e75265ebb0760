/* BatchNormalization nodes in the place of what was left of them. */
#include "adapt/normalization/normalization.h"
#include "adapt/normalization/order.h"
#include "data/element.h"
#include "ops/registry.h"
#include <stdio.h>
#include <string.h>

enum { GAMMA, BETA, MEAN, VARIANCE, FOUR };

struct rebuild {
    struct search *search;
    struct edit edit;
    struct arena *arena;
    const char **made; /* by site: the name of what its node makes */
};

/* -- parameters -- */

static bool add_parameter(struct rebuild *b, const struct site *s, const char *end, const double *numbers, char **name)
{
    struct tensor t = { .dtype = search_type(b->search, s->x)->dtype, .rank = 1, .dims = { s->channels } };
    const char *stem = arena_printf(b->arena, b->edit.report, "%s/%s", s->name, end);

    t.data = arena_alloc(b->arena, (size_t)tensor_bytes(&t), b->edit.report);
    *name = stem ? edit_fresh_name(&b->edit, stem) : NULL;
    for (int64_t c = 0; t.data && c < s->channels; c++)
        element_put(t.data, c, t.dtype, numbers[c]);
    return *name && t.data && edit_add_initializer(&b->edit, *name, &t);
}

/* A layer without scale or centre has no such parameter: it stays what it is. */
static bool set_roles(struct rebuild *b, const struct site *s, char *const names[FOUR])
{
    struct adapt *a = b->search->adapt;

    return (!s->no_scale || adapt_set_role(a, names[GAMMA], ROLE_CONSTANT)) &&
           (!s->no_center || adapt_set_role(a, names[BETA], ROLE_CONSTANT));
}

static bool add_parameters(struct rebuild *b, const struct site *s, char *names[FOUR])
{
    static const char *const ends[FOUR] = { "gamma", "beta", "moving_mean", "moving_variance" };
    const double *const four[FOUR] = { s->gamma, s->beta, s->mean, s->variance };

    for (int k = 0; k < FOUR; k++)
        if (!add_parameter(b, s, ends[k], four[k], &names[k]))
            return false;
    return set_roles(b, s, names);
}

/* -- nodes -- */

/* Where new nodes go: before the last of those that they replace, behind a layer. */
static Onnx__NodeProto *add_node(struct rebuild *b, const struct site *s, const char *op, const char *name)
{
    const struct node *at = s->layer ? s->layer : s->nodes[s->node_count - 1];

    return edit_insert_node(&b->edit, (size_t)at->index, s->layer != NULL, op, name);
}

/* What exporters do to bring channels that stand last to axis 1, and back. */
static bool add_transpose(struct rebuild *b, const struct site *s, int rank, bool back, const char *in, const char *out)
{
    Onnx__NodeProto *n = add_node(b, s, op_transpose.name, NULL);
    int64_t perm[MAX_RANK];
    int to = 0;

    for (int d = 0; d < rank; d++)
        if (d == 1)
            perm[to++] = s->axis;
        else
            perm[to++] = d < 1 ? d : d <= s->axis ? d - 1 : d;
    if (back) {
        int64_t inverse[MAX_RANK];

        for (int d = 0; d < rank; d++)
            inverse[perm[d]] = d;
        memcpy(perm, inverse, sizeof perm);
    }
    return n && edit_set_ints(&b->edit, n, "perm", (size_t)rank, perm) && edit_set_inputs(&b->edit, n, 1, &in) &&
           edit_set_outputs(&b->edit, n, 1, &out);
}

/* *made: what the node makes, which may be turned afterwards. */
static bool add_normalization(struct rebuild *b, const struct site *s, const char *in, const char *out,
                              char *const names[FOUR], const char **made)
{
    const char *inputs[1 + FOUR] = { in, names[GAMMA], names[BETA], names[MEAN], names[VARIANCE] };
    const int rank = search_type(b->search, s->x)->rank;
    const float momentum = (float)site_momentum(b->search, s);
    struct edit *e = &b->edit;
    char *turned = NULL, *normal = NULL;
    Onnx__NodeProto *n;
    bool ok = true;

    if (s->axis != 1) {
        turned = edit_fresh_name(e, s->name);
        ok = turned && add_transpose(b, s, rank, false, in, turned);
        normal = ok ? edit_fresh_name(e, s->name) : NULL;
        ok = normal;
        inputs[0] = turned;
    }
    *made = !ok ? NULL : normal ? arena_string(b->arena, normal, strlen(normal), e->report) : out;
    n = *made ? add_node(b, s, op_batch_normalization.name, s->name) : NULL;
    ok = n && edit_set_inputs(e, n, 1 + FOUR, inputs) && edit_set_outputs(e, n, 1, made) &&
         (!normal || add_transpose(b, s, rank, true, normal, out)) &&
         edit_set_float(e, n, "epsilon", (float)s->epsilon) && edit_set_float(e, n, "momentum", momentum);
    budget_free(e->budget, turned);
    budget_free(e->budget, normal);
    return ok;
}

static bool replace_nodes(struct rebuild *b, const struct site *s, char *const names[FOUR], const char **made)
{
    const struct node *last = s->nodes[s->node_count - 1];

    if (!add_normalization(b, s, s->x->name, last->out[0]->name, names, made))
        return false;
    for (int k = 0; k < s->node_count; k++) {
        if (k < s->node_count - 1)
            edit_drop_value_info(&b->edit, s->nodes[k]->out[0]->name);
        edit_drop_node(&b->edit, (size_t)s->nodes[k]->index);
    }
    return true;
}

/* The layer without its bias, then BatchNormalization. */
static bool unfold(struct rebuild *b, const struct site *s, char *const names[FOUR], const char **made)
{
    struct edit *e = &b->edit;
    Onnx__NodeProto *layer = e->graph->node[s->layer->index];
    const char *stem = arena_printf(b->arena, e->report, "%s/%s", s->name, s->layer->op_name);
    char *plain = stem ? edit_fresh_name(e, stem) : NULL;
    bool ok;

    ok = plain && add_normalization(b, s, plain, s->layer->out[0]->name, names, made) &&
         edit_set_outputs(e, layer, 1, (const char *const[]){ plain }) && site_scale_layer(b->search, e, s);
    if (ok && s->weight)
        ok = edit_set_input(e, layer, 1, s->weight->name);
    if (ok && s->own)
        ok = edit_set_input(e, layer, (size_t)s->bias, s->own->name);
    else if (ok && s->bias >= 0 && !s->keeps_bias)
        edit_cut_inputs(e, layer, (size_t)s->bias);
    budget_free(e->budget, plain);
    return ok;
}

/* A layer that is used again has the parameters of its first place. */
static bool rebuild(struct rebuild *b, const struct sites *sites, const size_t *first)
{
    char *(*names)[FOUR] = arena_array(b->arena, sites->count, sizeof *names, b->edit.report);
    bool ok;

    b->made = arena_array(b->arena, sites->count, sizeof *b->made, b->edit.report);
    ok = names && b->made;
    for (size_t k = 0; ok && k < sites->count; k++) {
        const struct site *s = &sites->at[k];

        if (sites->kept[k])
            continue;
        ok =
            (first[k] != k || add_parameters(b, s, names[k])) &&
            (s->layer ? unfold(b, s, names[first[k]], &b->made[k]) : replace_nodes(b, s, names[first[k]], &b->made[k]));
    }
    for (size_t k = 0; names && k < sites->count; k++)
        for (int n = 0; n < FOUR; n++)
            budget_free(b->edit.budget, names[k][n]);
    return ok;
}

/* -- the order of calls -- */

static bool comes_before(const struct site *a, const struct site *b)
{
    return a->call < b->call || (a->call == b->call && a->step < b->step);
}

/* The call of the layer that comes next after this one; NULL where it is the last. */
static const struct site *next_call(const struct sites *sites, const size_t *first, size_t k)
{
    const struct site *next = NULL;

    for (size_t j = first[k]; j < sites->count; j++)
        if (first[j] == first[k] && comes_before(&sites->at[k], &sites->at[j]) &&
            (!next || comes_before(&sites->at[j], next)))
            next = &sites->at[j];
    return next;
}

/* The nodes themselves: what turns their channels before and behind may lie anywhere. */
static bool put_in_order(struct search *s, const struct sites *sites, const size_t *first, const char *const *made,
                         struct model *to)
{
    struct adapt *a = s->adapt;
    struct in_order *pairs = arena_array(a->arena, sites->count, sizeof *pairs, a->report);
    size_t count = 0;

    for (size_t k = 0; pairs && k < sites->count; k++) {
        const struct site *next = sites->kept[k] ? NULL : next_call(sites, first, k);

        if (next)
            pairs[count++] = (struct in_order){ made[k], made[next - sites->at] };
    }
    return pairs && (!count || nodes_in_order(to->proto->graph, pairs, count, a->arena, a->report));
}

bool sites_rebuild(struct search *s, const struct sites *sites, const size_t *first, struct model *to)
{
    struct adapt *a = s->adapt;
    struct rebuild b = { .search = s, .arena = a->arena };
    bool ok = edit_begin(&b.edit, to, a->report) && rebuild(&b, sites, first);

    if (ok)
        edit_drop_unread(&b.edit);
    return edit_end(&b.edit) && ok && put_in_order(s, sites, first, b.made, to);
}
