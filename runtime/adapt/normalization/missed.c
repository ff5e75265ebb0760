/* Layers of Keras whose nodes say that they normalise, and that no trace has found. */
#include "adapt/normalization/normalization.h"
#include "base/map.h"
#include "ops/registry.h"
#include <stdio.h>
#include <string.h>

enum {
    SCOPES = 8 /* of a node's name, the innermost */
};

static bool note(struct map *m, const char *name, size_t length, struct report *r)
{
    void **slot = map_put_bytes(m, name, length, r);

    if (slot)
        *slot = m;
    return slot;
}

/* All scopes that the node is in: they compute statistics. */
static bool note_scopes(struct map *m, const struct node *n, struct report *r)
{
    size_t length = strlen(n->name);

    for (int k = 0; k < SCOPES && length; k++) {
        while (length && n->name[length - 1] != '/')
            length--;
        if (length && !note(m, n->name, --length, r))
            return false;
    }
    return true;
}

/* Layers that were found, that are there (of one that was made again others keep a name that says so), and those that
 * compute statistics in the file: Keras 2 has "batchnorm" in its LayerNormalization, too. */
static bool note_known(struct search *s, const struct sites *sites, struct map *known, bool *any)
{
    struct report *r = s->adapt->report;

    *any = false;
    for (size_t k = 0; k < sites->count; k++)
        if (!note(known, sites->at[k].name, strlen(sites->at[k].name), r))
            return false;
    for (size_t k = 0; k < s->graph->node_count; k++) {
        const struct node *n = s->graph->nodes[k];

        if (node_is(n, &op_batch_normalization)) {
            *any = true;
            if (!note(known, n->name, strlen(n->name), r))
                return false;
        } else if ((node_is(n, &op_reduce_mean) || node_is(n, &op_global_average_pool)) && !note_scopes(known, n, r))
            return false;
    }
    return true;
}

/* `name`, of which the first `length` are the layer's, is the node's or that of what it makes. */
static bool tell(struct search *s, const struct node *n, const char *name, size_t length)
{
    return adapt_tell(s->adapt, &(struct finding){ .name = search_text(s, "%.*s", (int)length, name),
                                                   .found = "BatchNormalization that was not recovered",
                                                   .evidence = search_text(s, "%s '%s' is named so",
                                                                           name == n->name ? "node" : "value", name),
                                                   .certainty = DOUBTFUL,
                                                   .done = "left as it is",
                                                   .unknown = "what has become of it" });
}

/* Does the caller say that it is none? */
static bool leaves(struct search *s, const struct node *n, const char *name, size_t length)
{
    static const char *const choices[] = { "none", "constant", "scale-and-shift", NULL };

    return adapt_choice(s->adapt, choices, search_text(s, "%.*s", (int)length, name), n->name) != NULL;
}

/* The name that says so, of a node or of what it makes, and how much of it is the layer's; NULL where none does. */
static const char *name_of(const struct node *n, size_t *length)
{
    const char *made = n->out[0]->name, *cut = strstr(n->name, "/batchnorm/");
    const char *name = cut ? n->name : made;

    cut = cut ? cut : strstr(made, BATCH_NORMALIZATION_MAKES);
    *length = cut ? (size_t)(cut - name) : 0;
    return cut ? name : NULL;
}

/* By node id: what belongs to a site is not missed, whatever it is called. */
static bool *mark_found(struct search *s, const struct sites *sites)
{
    bool *found = arena_array(s->adapt->arena, s->graph->node_count, sizeof *found, s->adapt->report);

    for (size_t k = 0; found && k < sites->count; k++) {
        const struct site *t = &sites->at[k];

        if (t->layer)
            found[t->layer->id] = true;
        for (int n = 0; n < t->node_count; n++)
            found[t->nodes[n]->id] = true;
    }
    return found;
}

static bool tell_all(struct search *s, const bool *found, struct map *known, size_t *missed)
{
    for (size_t k = 0; k < s->graph->node_count; k++) {
        const struct node *n = s->graph->nodes[k];
        size_t length;
        const char *name = n->out[0] && s->active[n->out[0]->id] ? name_of(n, &length) : NULL;

        if (!name || n->def->flags & OP_REARRANGES || node_is(n, &op_batch_normalization) ||
            map_get_bytes(known, name, length) || (name != n->name && found[k]))
            continue;
        if (!leaves(s, n, name, length))
            ++*missed;
        if (!note(known, name, length, s->adapt->report) || !tell(s, n, name, length))
            return false;
    }
    return true;
}

bool sites_tell_missed(struct search *s, const struct sites *sites, size_t *missed, bool *any)
{
    const bool *found = mark_found(s, sites);
    struct map known;
    bool ok;

    map_init(&known, s->adapt->arena->budget);
    ok = found && note_known(s, sites, &known, any) && tell_all(s, found, &known, missed);
    map_release(&known);
    return ok;
}
