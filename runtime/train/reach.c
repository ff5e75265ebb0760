#include "train/reach.h"
#include "base/text.h"
#include "grad/grad.h"
#include "grad/straight.h"
#include "ops/rank.h"

/* By value id. */
struct flow {
    bool leads;              /* an output that learns depends on it */
    bool flows;              /* a gradient flows into it */
    const struct node *stop; /* one would, but for this node */
};

/* Nothing else has a gradient; what is not known may be one. */
static bool may_be_float(const struct value *v)
{
    const enum dtype t = known_of(v).dtype;

    return t == UNDEFINED || (dtype_is_float(t) && !dtype_is_small(t));
}

/* What the walk back (grad/backward.c) will do at this node, with what has come in from behind. */
static void pass_back(struct flow *flow, const bool *straight, const struct node *n)
{
    const bool goes_on = op_differentiable(n->def) && !straight_stop(n, straight);
    struct flow in = { false };

    for (int o = 0; o < n->slots; o++) {
        const struct flow *f = n->out[o] ? &flow[n->out[o]->id] : NULL;

        if (!f)
            continue;
        in.leads |= f->leads;
        in.flows |= f->flows;
        in.stop = in.stop ? in.stop : f->stop;
    }
    if (in.flows && !goes_on)
        in.stop = n;
    in.flows = in.flows && goes_on && n->def->gradient != zero_gradient;
    for (int i = 0; i < n->inputs + n->captured; i++) {
        struct flow *f = n->in[i] ? &flow[n->in[i]->id] : NULL;

        if (!f)
            continue;
        f->leads |= in.leads;
        if (!may_be_float(n->in[i]) && !straight[n->in[i]->id])
            continue;
        f->flows |= in.flows;
        f->stop = f->stop ? f->stop : in.stop;
    }
}

struct reached *parameters_reach(const struct parameters *p, const struct graph *g, const struct value *const *outputs,
                                 size_t count, struct arena *arena, struct report *r)
{
    struct flow *flow = arena_array(arena, g->value_count, sizeof *flow, r);
    struct reached *reached = arena_array(arena, p->count, sizeof *reached, r);
    const bool *straight = straight_find(g, NULL, arena, r);

    if (!flow || !reached || !straight)
        return NULL;
    for (size_t k = 0; k < count; k++)
        flow[outputs[k]->id].leads = flow[outputs[k]->id].flows = true;
    for (size_t k = g->node_count; k-- > 0;)
        pass_back(flow, straight, g->nodes[k]);
    for (size_t k = 0; k < p->count; k++) {
        const struct flow *f = &flow[p->at[k].value->id];

        reached[k] = (struct reached){ .how = !f->leads  ? REACH_NOWHERE
                                              : f->stop  ? REACH_BLOCKED
                                              : f->flows ? REACH_GRADIENT
                                                         : REACH_PIECES,
                                       .by = f->stop };
    }
    return reached;
}

/* Of those that would train. */
static size_t list(const char **names, const struct parameters *p, const struct reached *reached, enum reach how,
                   const struct node **by)
{
    size_t count = 0;

    for (size_t k = 0; k < p->count; k++)
        if (p->at[k].role == ROLE_TRAINABLE && reached[k].how == how) {
            *by = count ? *by : reached[k].by;
            names[count++] = p->at[k].value->name;
        }
    return count;
}

static void set_role(struct parameters *p, const struct reached *reached, enum reach how, enum role role,
                     const char *why)
{
    for (size_t k = 0; k < p->count; k++)
        if (p->at[k].role == ROLE_TRAINABLE && reached[k].how == how) {
            p->at[k].role = role;
            p->at[k].why = why;
            p->at[k].left = true;
        }
}

bool parameters_leave(struct parameters *p, const struct reached *reached, struct arena *arena, struct report *r)
{
    const char **names = arena_array(arena, p->count, sizeof *names, r), *why = "";
    char text[NAMES_TEXT], where[WHERE_TEXT];
    const struct node *by = NULL;
    size_t count;

    if (!names)
        return false;
    if ((count = list(names, p, reached, REACH_NOWHERE, &by)))
        warn(r, NULL, "%s lead%s to no output that learns: %s value%s", names_text(text, names, count),
             count > 1 ? "" : "s", count > 1 ? "they keep their" : "it keeps its", count > 1 ? "s" : "");
    set_role(p, reached, REACH_NOWHERE, ROLE_CONSTANT, "leads to no output that learns");
    if (!list(names, p, reached, REACH_GRADIENT, &by))
        return true;
    if ((count = list(names, p, reached, REACH_PIECES, &by)))
        warn(r, NULL, "no gradient reaches %s, through sizes, indices and comparisons alone: frozen",
             names_text(text, names, count));
    set_role(p, reached, REACH_PIECES, ROLE_FROZEN, "no gradient reaches it");
    if ((count = list(names, p, reached, REACH_BLOCKED, &by))) {
        warn(r, node_where(by, where), "has no gradient: %s; what lies before it is frozen: %s",
             by->def->no_gradient         ? by->def->no_gradient
             : op_differentiable(by->def) ? "not of what is quantised"
                                          : "not differentiable",
             names_text(text, names, count));
        why = arena_printf(arena, r, "frozen, because %s has no gradient", by->op_name);
    }
    set_role(p, reached, REACH_BLOCKED, ROLE_FROZEN, why);
    return why;
}
