/* Gradients through a subgraph that a node runs for each item of sequences (SequenceMap): for each the nodes of a copy,
 * which computes it again and goes back through it. Items may be of different shapes, as all of them are known when a
 * gradient is planned. */
#include "grad/backward.h"
#include "ops/move.h"

/* One of the node's inputs that a gradient is asked of. */
struct asked {
    int input;
    struct value **piece, *now; /* [items], of a sequence; of this item */
};

struct items {
    struct backward *b;
    const struct node *node;
    int64_t count;
    struct asked *asked;
    size_t asked_count;
    struct value **in; /* of this item: [inputs of the node] */
    struct tensor *types;
};

static bool is_sequence(const struct items *m, int k)
{
    return k < m->node->inputs && type_in(m->b, k)->kind == SEQUENCE;
}

static struct value *item_of(struct items *m, struct value *sequence, int64_t at)
{
    struct emitter *e = &m->b->e;

    return emit(e, "SequenceAt", "", 2, sequence, emit_constant(e, &(struct tensor){ .dtype = I64 }, &at));
}

/* -- all that is known before -- */

static bool find_asked(struct items *m)
{
    struct backward *b = m->b;
    struct report *r = b->c->report;
    const struct node *n = m->node;

    m->asked = arena_array(&b->scratch, (size_t)(n->inputs + n->captured), sizeof *m->asked, r);
    m->in = arena_array(&b->scratch, (size_t)n->inputs, sizeof(struct value *), r);
    m->types = arena_array(&b->scratch, (size_t)n->inputs, sizeof *m->types, r);
    if (!m->asked || !m->in || !m->types)
        return false;
    for (int k = 0; k < n->inputs + n->captured; k++) {
        struct asked *a = &m->asked[m->asked_count];

        if (is_sequence(m, k) && (!type_in(b, k)->planned || type_in(b, k)->planned->count != m->count))
            return backward_error(b, "input %d has items whose number and shapes only running can tell", k);
        if (!wants(b, k))
            continue;
        *a = (struct asked){ .input = k };
        a->piece = arena_array(&b->scratch, (size_t)m->count, sizeof(struct value *), r);
        if (!a->piece)
            return false;
        m->asked_count++;
    }
    return true;
}

/* -- one item -- */

static bool read_item(struct items *m, int64_t at)
{
    for (int k = 0; k < m->node->inputs; k++) {
        const struct tensor *t = type_in(m->b, k);

        m->types[k] = is_sequence(m, k) ? t->planned->items[at] : *t;
        m->in[k] = is_sequence(m, k) ? item_of(m, forward_in(m->b, k), at) : forward_in(m->b, k);
        if (is_sequence(m, k))
            m->types[k].data = NULL;
    }
    return backward_ok(m->b);
}

/* What flows into the outputs of the copy. */
static bool add_seeds(struct items *m, struct graph *g, struct grad_request *q, struct value **seed,
                      struct value **from, int64_t at)
{
    for (int k = 0; k < m->node->slots; k++) {
        struct value *flow = upstream(m->b, k) ? item_of(m, upstream(m->b, k), at) : NULL;

        if (!flow)
            continue;
        seed[q->seeds] = g->outputs[k];
        from[q->seeds] = graph_capture(g, flow);
        if (!from[q->seeds++])
            return false;
    }
    return backward_ok(m->b);
}

/* The copy gets what is asked for as outputs, and becomes nodes around. */
static bool take(struct items *m, struct graph *g, struct value *const *got)
{
    struct value **out = arena_array(&m->b->scratch, m->asked_count, sizeof *out, m->b->c->report);
    size_t at = 0;

    g->output_count = 0;
    for (size_t k = 0; out && k < m->asked_count; k++)
        if (got[k] && !graph_add_output(g, got[k]))
            return false;
    if (!out || !graph_take(m->b->e.graph, g, m->in, out))
        return false;
    for (size_t k = 0; k < m->asked_count; k++)
        m->asked[k].now = got[k] ? out[at++] : NULL;
    return true;
}

static bool go_back(struct items *m, struct graph *g, const struct tensor *types, int64_t at)
{
    struct arena *a = &m->b->scratch;
    struct report *r = m->b->c->report;
    struct value **seed = arena_array(a, g->output_count, sizeof *seed, r);
    struct value **from = arena_array(a, g->output_count, sizeof *from, r);
    struct value **wrt = arena_array(a, m->asked_count, sizeof *wrt, r);
    struct value **got = arena_array(a, m->asked_count, sizeof *got, r);
    struct grad_request q = { .graph = g,
                              .types = types,
                              .seed = seed,
                              .seed_gradient = from,
                              .wrt = wrt,
                              .gradient = got,
                              .bptt = m->b->q->bptt };

    if (!seed || !from || !wrt || !got)
        return false;
    for (size_t k = 0; k < m->asked_count; k++) {
        const int input = m->asked[k].input;

        wrt[k] = input < m->node->inputs ? g->inputs[input] : graph_captured(g, forward_in(m->b, input));
        if (!wrt[k])
            return backward_error(m->b, "its gradient cannot be made");
    }
    q.count = m->asked_count;
    return add_seeds(m, g, &q, seed, from, at) && grad_build(&q, m->b->c) && take(m, g, got);
}

static bool map_item(struct items *m, int64_t at)
{
    struct backward *b = m->b;
    struct graph *g = read_item(m, at) ? body_copy(b, m->node->graph_of[0]) : NULL;
    struct program *types = g ? body_types(b, g, m->types) : NULL;
    const bool ok = types && go_back(m, g, types->types, at);

    program_free(types);
    graph_release(g);
    return ok;
}

/* -- all of them -- */

static bool collect(struct items *m, int64_t at)
{
    for (size_t k = 0; k < m->asked_count; k++) {
        struct asked *a = &m->asked[k];
        const struct tensor *t = is_sequence(m, a->input) ? &type_in(m->b, a->input)->planned->items[at] : NULL;

        if (!t)
            give(m->b, a->input, a->now);
        else
            a->piece[at] = a->now ? a->now : emit_zeros(&m->b->e, t->dtype, t->rank, t->dims);
    }
    return backward_ok(m->b);
}

/* A sequence of what flows to the items; zeros where there are none. */
static bool give_all(struct items *m)
{
    struct emitter *e = &m->b->e;

    for (size_t k = 0; k < m->asked_count; k++) {
        const struct asked *a = &m->asked[k];
        const struct tensor *t = type_in(m->b, a->input);
        struct value *v = NULL;

        if (!is_sequence(m, a->input) && !m->count && t->kind == TENSOR)
            give(m->b, a->input, emit_zeros(e, t->dtype, t->rank, t->dims));
        if (is_sequence(m, a->input) && m->count &&
            emit_many(e, "SequenceConstruct", "", 1, &v, (int)m->count, a->piece))
            give(m->b, a->input, v);
    }
    return backward_ok(m->b);
}

bool gradient_of_items(struct backward *b)
{
    struct items m = { .b = b, .node = b->node };
    const struct sequence *items = type_in(b, 0)->planned;
    const char *random = body_draws(b->node->graph_of[0]);
    bool ok;

    if (random)
        return backward_error(b, "its body draws random numbers, by %s: no gradient computes it again", random);
    if (!items)
        return backward_error(b, "input 0 has items whose number and shapes only running can tell");
    m.count = items->count;
    ok = find_asked(&m);
    for (int64_t k = 0; ok && k < m.count; k++)
        ok = map_item(&m, k) && collect(&m, k);
    ok = ok && give_all(&m);
    b->e.failed |= !ok;
    return ok;
}
