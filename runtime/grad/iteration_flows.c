/* What flows through the iterations of a node: to which carried values, captured values and elements of sequences. */
#include "grad/iterations.h"
#include "grad/straight.h"
#include "ops/gather.h"
#include "ops/registry.h"

struct value *iterations_always(const struct way *w, int k)
{
    const struct node *n = w->node;
    const int from = n->def->body_input ? n->def->body_input(n, 0, k) : -1;

    return from >= 0 ? n->in[from] : NULL;
}

/* -- what flows -- */

static bool carries(const struct way *w, const struct value *v)
{
    return v && (carries_gradient(&w->types[v->id]) || w->straight[v->id]);
}

/* Marks values that `from` flows into, in one iteration. */
static void spread_needs(struct way *w)
{
    for (size_t k = 0; k < w->g->node_count; k++) {
        const struct node *n = w->g->nodes[k];
        bool any = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            any |= n->in[i] && w->needs[n->in[i]->id];
        for (int o = 0; o < n->slots && any; o++)
            if (carries(w, n->out[o]))
                w->needs[n->out[o]->id] = true;
    }
}

static void spread_flows(struct way *w)
{
    for (size_t k = w->g->node_count; k-- > 0;) {
        const struct node *n = w->g->nodes[k];
        bool any = false;

        for (int o = 0; o < n->slots; o++)
            any |= n->out[o] && w->flows[n->out[o]->id];
        for (int i = 0; i < n->inputs + n->captured && any; i++)
            if (carries(w, n->in[i]))
                w->flows[n->in[i]->id] = true;
    }
}

/* From iteration to iteration, until nothing new is found. */
static void find_flows(struct way *w)
{
    const struct iterations *it = w->it;
    const struct graph *g = w->g;
    bool more = true;

    for (size_t k = 0; k < g->capture_count; k++)
        w->needs[g->captures[k].inner->id] = w->b->needs[g->captures[k].outer->id];
    for (int k = 0; k < it->carried; k++)
        w->needs[w->inputs[CARRIED + k]->id] = wants(w->b, it->first + k);
    for (int k = 0; k < it->carried + it->scans; k++)
        w->flows[w->outputs[1 + k]->id] |= upstream(w->b, k) && !(k < it->carried && iterations_always(w, CARRIED + k));
    while (more) {
        more = false;
        spread_needs(w);
        spread_flows(w);
        for (int k = 0; k < it->carried; k++) {
            const int in = w->inputs[CARRIED + k]->id, out = w->outputs[1 + k]->id;

            if (!carries_gradient(&w->types[in]) || iterations_always(w, CARRIED + k))
                continue;
            more |= w->needs[out] > w->needs[in] || w->flows[in] > w->flows[out];
            w->needs[in] |= w->needs[out];
            w->flows[out] |= w->flows[in];
        }
    }
}

/* -- what is carried back -- */

struct value *iterations_end_of(const struct way *w, int input)
{
    const bool carried = input >= w->it->first && input < w->it->first + w->it->carried;

    return carried ? upstream(w->b, input - w->it->first) : NULL;
}

bool iterations_keep_type(struct way *w, int k)
{
    const struct tensor *before = &w->types[w->inputs[CARRIED + k]->id];
    const struct tensor *after = &w->types[w->outputs[1 + k]->id];
    char text[2][TYPE_TEXT];

    if (after->kind == TENSOR && (after->dtype == UNDEFINED || !tensor_known(after)))
        return backward_error(w->b,
                              "only running tells the size of what its body makes of carried value %d: a gradient must "
                              "know it before",
                              k);
    return (before->kind == TENSOR && before->dtype != STRING && same_type(before, after)) ||
           backward_error(w->b, "carried value %d is %s, the body makes it %s: a gradient needs tensors of one shape",
                          k, tensor_text(before, text[0]), tensor_text(after, text[1]));
}

/* Is it an element along the first axis, of a size that planning can tell, that the node gathers of its input 0? */
static bool gathers_elements(const struct way *w, const struct node *n)
{
    return node_is(n, &op_gather) && ((const struct gather *)n->attrs)->axis == 0 &&
           tensor_known(&w->types[n->out[0]->id]) && tensor_known(&w->types[n->in[1]->id]);
}

static bool flows_out(const struct way *w, const struct node *n)
{
    for (int o = 0; o < n->slots; o++)
        if (n->out[o] && w->flows[n->out[o]->id])
            return true;
    return false;
}

/* Who reads what, in one walk; after find_flows. */
static void find_readings(struct way *w)
{
    for (size_t k = 0; k < w->g->value_count; k++)
        w->readings[k].picks = -1;
    for (int k = 0; k < 1 + w->it->carried + w->it->scans; k++) {
        struct reading *r = &w->readings[w->outputs[k]->id];

        r->count++;
        r->whole |= k > 0 && !(k <= w->it->carried && w->inputs[CARRIED + k - 1] == w->outputs[k]);
    }
    for (size_t k = 0; k < w->g->node_count; k++) {
        const struct node *n = w->g->nodes[k];
        const bool flows = flows_out(w, n);

        for (int i = 0; i < n->inputs + n->captured; i++) {
            struct reading *r = n->in[i] ? &w->readings[n->in[i]->id] : NULL;

            if (!r)
                continue;
            r->count++;
            r->by = n;
            r->whole |= flows && !(i == 0 && gathers_elements(w, n));
        }
    }
}

/* Does the body nothing with carried value k but add to it, or put into it, what it gives as its next? */
static bool is_gathered(const struct way *w, int k)
{
    static const struct op *const into_first[] = { &op_sub, &op_scatter_nd, &op_scatter_elements, &op_identity };
    const struct value *v = w->inputs[CARRIED + k];

    while (v != w->outputs[1 + k]) {
        const struct reading *r = &w->readings[v->id];
        const struct node *n = r->by;
        bool adds;

        if (r->count != 1 || !n)
            return false;
        adds = node_is(n, &op_add) || node_is(n, &op_sum);
        for (size_t o = 0; !adds && o < sizeof into_first / sizeof *into_first; o++)
            adds = node_is(n, into_first[o]) && n->in[0] == v;
        if (!adds)
            return false;
        v = n->out[0];
    }
    return w->readings[v->id].count == 1;
}

/* What flows to the elements of those inputs that are picked from. */
static void find_picks(struct way *w)
{
    for (size_t k = 0; k < w->g->node_count; k++) {
        const struct node *n = w->g->nodes[k];
        const int input = node_is(n, &op_gather) ? w->readings[n->in[0]->id].picks : -1;

        if (input >= 0 && n->out[0] && w->flows[n->out[0]->id])
            w->picks[w->pick_count++] = (struct pick){ input, n->in[0], n->out[0], n->in[1] };
    }
}

static bool add_flow(struct way *w, int input, int carried, struct value *inner)
{
    const struct tensor *t = &w->types[inner->id];
    const bool half = t->dtype == F16 || t->dtype == BF16;
    char text[TYPE_TEXT];

    if (t->kind != TENSOR || !tensor_known(t))
        return backward_error(w->b,
                              "input %d is %s: a gradient through iterations needs tensors whose shapes planning "
                              "can tell",
                              input, tensor_text(t, text));
    if (carried < 0 && !w->readings[inner->id].whole) {
        w->readings[inner->id].picks = input;
        give(w->b, input, iterations_end_of(w, input));
        return true;
    }
    w->flow[w->count++] = (struct flow){ .input = input,
                                         .carried = carried,
                                         .inner = inner,
                                         .gathers = carried >= 0 && truncation(w->b) && is_gathered(w, carried),
                                         .dtype = carried < 0 && half ? F32 : t->dtype };
    return true;
}

static bool find_carried(struct way *w)
{
    const struct node *n = w->node;

    for (int k = 0; k < w->it->carried; k++) {
        struct value *in = w->inputs[CARRIED + k];
        const bool same = iterations_always(w, CARRIED + k);

        if (!w->needs[in->id] || !(w->flows[same ? in->id : w->outputs[1 + k]->id] || upstream(w->b, k)))
            continue;
        if ((!same && !iterations_keep_type(w, k)) || !add_flow(w, w->it->first + k, same ? -1 : k, in))
            return false;
    }
    for (int k = n->inputs; k < n->inputs + n->captured; k++) {
        struct value *in = graph_captured(w->g, n->in[k]);

        if (in && wants(w->b, k) && w->flows[in->id] && !add_flow(w, k, -1, in))
            return false;
    }
    return true;
}

bool iterations_find(struct way *w)
{
    w->straight = straight_find(w->g, w->types, &w->b->scratch, w->b->c->report);
    if (!w->straight)
        return false;
    find_flows(w);
    find_readings(w);
    if (!find_carried(w))
        return false;
    find_picks(w);
    return true;
}
