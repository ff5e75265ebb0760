/* Which places of BatchNormalization are calls of one layer. */
#include "adapt/facts.h"
#include "adapt/normalization/normalization.h"
#include "base/map.h"
#include "train/constants.h"
#include <string.h>

/* The weight of the layer that one of the file's nodes stands behind; NULL where another of the same factor is nearer. */
static const struct value *weight_before(const struct search *s, const struct site *t, const struct node **layer)
{
    const struct node *n = t->node_count ? t->nodes[0] : NULL;

    return n && n->inputs > 1 ? facts_weight(s->active, n, n->in[s->active[n->in[0]->id] ? 1 : 0], layer) : NULL;
}

/* Behind calls of a layer of one weight? Two behind one call are two. */
static bool is_same_use(const struct search *s, const struct site *a, const struct site *b)
{
    const struct node *of_a = NULL, *of_b = NULL;
    const struct value *weight = weight_before(s, a, &of_a);

    return weight && weight_before(s, b, &of_b) == weight && of_a != of_b;
}

/* Steps of one layer, as Keras' TimeDistributed writes them? Nodes without names have the name of none. */
static bool is_same_layer(const struct site *a, const struct site *b)
{
    return a->node_count && b->node_count && says_batch_normalization(a->nodes[0]->name) &&
           says_batch_normalization(b->nodes[0]->name) && strcmp(a->name, b->name) == 0;
}

/* Two that read the same constant are one layer that is used twice, unless all its channels are equal: then exporters
 * may have merged what was the same by chance. Where names tell of calls they decide. */
static bool is_shared(const struct search *s, const struct site *a, const struct site *b)
{
    const bool told = a->call_of && b->call_of, same = told && strcmp(a->call_of, b->call_of) == 0;

    return (same || !told) && a->trace == b->trace && a->channels == b->channels && !a->layer == !b->layer &&
           (a->layer || !channels_are_one(a->variance ? a->variance : a->factor, a->channels) || same ||
            is_same_use(s, a, b) || is_same_layer(a, b)) &&
           (!a->summand == !b->summand) &&
           (!a->summand || memcmp(a->summand, b->summand, (size_t)a->channels * sizeof *a->summand) == 0);
}

/* The first site that names tell to be a call of the layer of this one, *first, where that is the same. */
static bool find_call(const struct search *s, const struct sites *sites, struct map *calls, size_t k, size_t *first)
{
    const char *layer = sites->at[k].call_of;
    void **slot = layer ? map_put(calls, layer, s->adapt->report) : NULL;
    const struct site *earlier = slot ? *slot : NULL;

    if (slot && !*slot)
        *slot = &sites->at[k];
    if (earlier && is_shared(s, earlier, &sites->at[k]))
        first[k] = first[earlier - sites->at];
    return !layer || slot;
}

/* Sites that read one constant hang together, in their order; so do those of which nothing is left but names. */
static bool find_all(const struct search *s, const struct sites *sites, struct map *calls, size_t *first)
{
    struct adapt *a = s->adapt;
    size_t *begin = arena_array(a->arena, s->graph->value_count, sizeof *begin, a->report); /* counted from 1 */
    size_t *end = arena_array(a->arena, s->graph->value_count, sizeof *end, a->report);
    size_t *next = arena_array(a->arena, sites->count, sizeof *next, a->report);

    if (!begin || !end || !next)
        return false;
    for (size_t k = 0; k < sites->count; k++) {
        const struct value *by = sites->at[k].shared_by;

        first[k] = k;
        if (sites->kept[k])
            continue;
        if (!find_call(s, sites, calls, k, first))
            return false;
        if (!by)
            continue;
        for (size_t j = begin[by->id]; j && first[k] == k; j = next[j - 1])
            if (is_shared(s, &sites->at[j - 1], &sites->at[k]))
                first[k] = first[j - 1];
        *(begin[by->id] ? &next[end[by->id] - 1] : &begin[by->id]) = k + 1;
        end[by->id] = k + 1;
    }
    return true;
}

static bool find_shared(const struct search *s, const struct sites *sites, size_t *first)
{
    struct map calls;
    bool ok;

    map_init(&calls, s->adapt->arena->budget);
    ok = find_all(s, sites, &calls, first);
    map_release(&calls);
    return ok;
}

/* Sites that may be one layer: those that read one constant; of folded ones, of which nothing is left that tells, those
 * of so many channels. */
struct alike {
    size_t first; /* the layer of the first of them */
    bool others;  /* there are others among them */
};

/* What those have in common that may be one layer. */
struct likeness {
    const void *by;
    int64_t channels;
};

static struct alike *alike_of(struct search *s, struct map *all, const struct site *t)
{
    struct adapt *a = s->adapt;
    struct likeness *key = arena_alloc(a->arena, sizeof *key, a->report); /* the map keeps it */
    void **slot;

    if (!key)
        return NULL;
    *key = (struct likeness){ t->layer ? NULL : t->shared_by, t->channels };
    slot = map_put_bytes(all, key, sizeof *key, a->report);
    if (slot && !*slot && (*slot = arena_alloc(a->arena, sizeof(struct alike), a->report)))
        ((struct alike *)*slot)->first = SIZE_MAX;
    return slot ? *slot : NULL;
}

/* Does the file tell which layer it is? Then it says of which module the nodes are. */
static bool is_told(const struct site *t)
{
    return t->layer ? t->told_parameters : !t->shared_by;
}

static bool find_unsure(struct search *s, const struct sites *sites, const size_t *first)
{
    struct map all;
    bool ok = true;

    map_init(&all, s->adapt->arena->budget);
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; ok && k < sites->count; k++) {
            struct site *t = &sites->at[k];
            struct alike *a = sites->kept[k] || is_told(t) ? NULL : alike_of(s, &all, t);

            ok = a || sites->kept[k] || is_told(t);
            if (!a)
                continue;
            a->others |= a->first != SIZE_MAX && a->first != first[k];
            a->first = a->first == SIZE_MAX ? first[k] : a->first;
            t->may_share = a->others;
            if (first[k] != k && !is_same_layer(&sites->at[first[k]], t))
                t->shared = sites->at[first[k]].shared = true;
        }
    map_release(&all);
    return ok;
}

bool sites_find_shared(struct search *s, const struct sites *sites, size_t *first)
{
    return find_shared(s, sites, first) && find_unsure(s, sites, first);
}
