/* Plans for the file's batch and for another one are laid side by side: where they differ in one dimension, by as much
 * as the batches do, there are the samples. From the first node on where they are lost, or where the other batch does
 * not pass, it is looked for what would have to stand there, and planned again as if it did. What leads nowhere is taken
 * back, and the next way tried. */
#include "adapt/batch/batch.h"
#include <string.h>

enum {
    MOST_WORK = 1 << 25, /* nodes that are planned, each as often as it is: tens of seconds, */
    MOST_TURNS = 256     /* and ways that lead nowhere */
};

/* -- one after the other -- */

/* The output that does not follow the samples; NULL where each does. What is computed of no input has no samples, and
 * what does not begin with them is compared when all is run. */
static const struct value *lagging(const struct batch *b)
{
    for (size_t k = 0; k < b->base->output_count; k++) {
        const struct value *v = b->base->outputs[k];
        const struct tensor *t = file_type(b, v), *other = &b->other->types[v->id];

        if (tensor_known(t) && tensor_known(other) && !other->data && t->rank > 0 && t->dims[0] == b->size &&
            !tracked(b, v))
            return v;
    }
    return NULL;
}

/* The last decision for which there is another way is taken that way; false where there is none. */
static bool turn_back(struct batch *b, struct decision *next)
{
    while (b->decision_count) {
        const struct decision *d = &b->decisions[--b->decision_count];

        b->mend_count = d->mends;
        b->decided[d->node] = false;
        if (d->way + 1 < d->ways) {
            *next = (struct decision){ .node = d->node, .way = d->way + 1 };
            return true;
        }
    }
    return false;
}

static bool decide(struct batch *b, struct decision d)
{
    if (!budget_grow(&b->budget, &b->decisions, &b->decision_room, b->decision_count + 1, sizeof *b->decisions,
                     b->adapt->report))
        return false;
    b->decisions[b->decision_count++] = d;
    b->decided[d.node] = true;
    return true;
}

/* Mends the first node that has to be; b->place is that node, or behind all where none has. b->stuck, or no decision,
 * where it cannot be. */
static bool mend_first(struct batch *b, const struct decision *next, size_t refused)
{
    for (b->place = 0; b->place < b->base->node_count; b->place++) {
        const size_t k = b->place;
        struct decision d = { .node = k, .mends = b->mend_count, .way = k == next->node ? next->way : 0 };

        if (!b->decided[k] && !batch_mend(b, b->base->nodes[k], k == refused, d.way, &d.ways))
            return false;
        if (d.ways)
            return decide(b, d);
        if (k == refused)
            return true;
    }
    return true;
}

/* The node at which the samples are lost on the way to that output, the last of several. SIZE_MAX where it is not of
 * samples, or memory runs out. */
static size_t place_lost(struct batch *b, const struct value *output)
{
    bool *leads = arena_array(&b->arena, b->base->value_count, sizeof *leads, b->adapt->report);

    if (leads)
        leads[output->id] = true;
    for (size_t k = leads ? b->base->node_count : 0; k-- > 0;) {
        const struct node *n = b->base->nodes[k];
        bool on = false;

        for (int o = 0; o < n->slots; o++)
            on = on || (n->out[o] && leads[n->out[o]->id]);
        for (int i = 0; on && i < n->inputs; i++) {
            if (tracked(b, n->in[i]))
                return k;
            if (n->in[i])
                leads[n->in[i]->id] = true;
        }
    }
    return SIZE_MAX;
}

/* Why it does not go on from here; nothing where it need not. */
static bool explain(struct batch *b, const struct report *quiet, const char **why, const char **where)
{
    const bool all = b->place == b->base->node_count;
    const struct value *output = all ? lagging(b) : NULL;
    const size_t place = !all ? b->place : output ? place_lost(b, output) : SIZE_MAX;
    struct report *r = b->adapt->report;
    char text[WHERE_TEXT];

    *why = b->stuck;
    *where = NULL;
    if (all)
        *why = output ? arena_printf(&b->arena, r, "output '%s' has no other size", output->name) : NULL;
    else if (!*why)
        *why = arena_string(&b->arena, quiet->error.message, strlen(quiet->error.message), r);
    if (place != SIZE_MAX && node_where(b->base->nodes[place], text))
        *where = arena_string(&b->arena, text, strlen(text), r);
    return !failed(r);
}

/* One plan, and what follows from it. *done where nothing is left to be mended, or nothing else to be tried. */
static bool follow_on(struct batch *b, struct decision *next, int *turns, bool *done)
{
    const size_t decisions = b->decision_count;
    struct report quiet = { 0 };
    const char *why, *where;
    size_t refused;

    b->stuck = NULL;
    if (!batch_plan_mended(b, &quiet, &refused) || !mend_first(b, next, refused))
        return false;
    if (b->decision_count > decisions && !b->stuck)
        return true;
    if (!explain(b, &quiet, &why, &where))
        return false;
    if (why && !b->first) { /* the likeliest way is the one to tell of */
        b->first = why;
        b->where = where;
    }
    *done = !why || ++*turns > MOST_TURNS || !turn_back(b, next);
    b->stuck = *done && why ? b->first : NULL;
    return true;
}

bool batch_follow(struct batch *b)
{
    struct decision next = { .node = SIZE_MAX };
    bool done = false;
    int turns = 0;

    for (size_t work = 0; !done && work < MOST_WORK; work += b->base->node_count + 1)
        if (!follow_on(b, &next, &turns, &done))
            return false;
    if (!done)
        b->stuck = "too much would have to change";
    return true;
}
