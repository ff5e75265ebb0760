#include "ops/elementwise.h"
#include "ops/fused.h"
#include "ops/rank.h"
#include "plan/pass.h"
#include <string.h>

/* Elementwise nodes of float that follow each other become one node, kiln.Fused, in the place of the last of them. From
 * that one the walk goes back, always to the nearest producer of what the chain reads, and takes it in where all who
 * read its result are in the chain, or stand after it: then the result is an output of the chain too, which at least
 * need not be read again. So the order of nodes stays as it is. Shapes need not be known: chain.h does what comes.
 *
 * Where what the chain reads is made by an operator that can do the chain on the way (op_def.take_chain), and nobody
 * else reads that, it takes the chain, and its place. */

struct chain_maker {
    struct graph *graph;
    struct report *report;
    bool *is_float;  /* by value id */
    bool *is_output; /* by value id: of the graph */
    bool *taken;     /* by node id */
    int *first;      /* by value id: where its readers begin */
    int *reader;     /* node ids */
};

/* -- what is known of values -- */

static void find_types(struct chain_maker *m)
{
    const struct graph *g = m->graph;

    for (size_t k = 0; k < g->value_count; k++)
        m->is_float[k] = known_of(g->values[k]).dtype == F32;
    for (size_t k = 0; k < g->output_count; k++)
        m->is_output[g->outputs[k]->id] = true;
}

/* Readers of each value, in the order of nodes, one list after the other. */
static bool find_readers(struct chain_maker *m)
{
    const struct graph *g = m->graph;
    size_t total = 0;
    int *next;

    for (size_t k = 0; k < g->node_count; k++)
        total += (size_t)(g->nodes[k]->inputs + g->nodes[k]->captured);
    m->first = arena_array(g->arena, g->value_count + 1, sizeof *m->first, m->report);
    m->reader = arena_array(g->arena, total, sizeof *m->reader, m->report);
    next = arena_array(g->arena, g->value_count, sizeof *next, m->report);
    if (!m->first || !m->reader || !next)
        return false;
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                m->first[g->nodes[k]->in[i]->id + 1]++;
    for (size_t k = 0; k < g->value_count; k++) {
        m->first[k + 1] += m->first[k];
        next[k] = m->first[k];
    }
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++)
            if (g->nodes[k]->in[i])
                m->reader[next[g->nodes[k]->in[i]->id]++] = (int)k;
    return true;
}

/* -- one chain -- */

struct draft {
    struct node *member[CHAIN_STEPS]; /* the last one first */
    int members;
    struct value *in[2 * CHAIN_STEPS];
    bool refused[2 * CHAIN_STEPS]; /* by input: its producer stays outside */
    int inputs, outputs;
};

static bool is_member(const struct draft *d, int id)
{
    for (int k = 0; k < d->members; k++)
        if (d->member[k]->id == id)
            return true;
    return false;
}

static struct value *operand(const struct node *n, int k)
{
    return k >= 0 && k < n->inputs ? n->in[k] : NULL;
}

/* Can the node be a step? All that it reads and makes is then float. */
static bool read_step(const struct chain_maker *m, const struct node *n, struct chain_step *s)
{
    const struct chain_rule *rule = n->def ? n->def->chain : NULL;

    return !m->taken[n->id] && pass_step(n, s) && m->is_float[operand(n, rule->p)->id] &&
           (rule->q == CHAIN_NOTHING || m->is_float[operand(n, rule->q)->id]);
}

/* Where a value stands among the inputs; it is added where it is not there. */
static int input_of(struct draft *d, struct value *v)
{
    for (int k = 0; k < d->inputs; k++)
        if (d->in[k] == v)
            return k;
    d->in[d->inputs] = v;
    d->refused[d->inputs] = false;
    return d->inputs++;
}

static void add_member(struct draft *d, struct node *n)
{
    const struct chain_rule *rule = n->def->chain;

    for (int k = 0; k < d->inputs; k++)
        if (d->in[k] == n->out[0]) {
            d->inputs--;
            memmove(&d->in[k], &d->in[k + 1], (size_t)(d->inputs - k) * sizeof d->in[k]);
            memmove(&d->refused[k], &d->refused[k + 1], (size_t)(d->inputs - k) * sizeof d->refused[k]);
        }
    input_of(d, operand(n, rule->p));
    if (rule->q != CHAIN_NOTHING)
        input_of(d, operand(n, rule->q));
    d->member[d->members++] = n;
}

/* Does anybody outside read the node's result? *ok: nobody before the end of the chain does. Readers stand in order, so
 * the first one outside tells. */
static bool is_read_outside(const struct chain_maker *m, const struct draft *d, const struct node *n, bool *ok)
{
    const int id = n->out[0]->id;
    int k = m->first[id];

    while (k < m->first[id + 1] && is_member(d, m->reader[k]))
        k++;
    *ok = k == m->first[id + 1] || m->reader[k] > d->member[0]->id;
    return m->is_output[id] || k < m->first[id + 1];
}

static bool take_in(const struct chain_maker *m, struct draft *d, struct node *n)
{
    struct draft with = *d;
    struct chain_step step;
    bool ok;

    if (d->members == CHAIN_STEPS || n->out[0]->producer != n || !read_step(m, n, &step))
        return false;
    if (is_read_outside(m, d, n, &ok))
        with.outputs++;
    add_member(&with, n);
    if (!ok || with.outputs > CHAIN_OUTPUTS || with.inputs > CHAIN_INPUTS)
        return false;
    *d = with;
    return true;
}

static void grow(const struct chain_maker *m, struct draft *d)
{
    for (;;) {
        int nearest = -1;

        for (int k = 0; k < d->inputs; k++)
            if (!d->refused[k] && d->in[k]->producer &&
                (nearest < 0 || d->in[k]->producer->id > d->in[nearest]->producer->id))
                nearest = k;
        if (nearest < 0)
            return;
        if (d->in[nearest]->producer->out[0] != d->in[nearest] || !take_in(m, d, d->in[nearest]->producer))
            d->refused[nearest] = true;
    }
}

/* -- the new node -- */

static int number_of(const struct draft *d, const struct value *v)
{
    for (int k = 0; k < d->members; k++)
        if (d->member[k]->out[0] == v)
            return CHAIN_INPUTS + d->members - 1 - k; /* the last member is the first step */
    for (int k = 0; k < d->inputs; k++)
        if (d->in[k] == v)
            return k;
    return CHAIN_NOTHING;
}

static struct fused *make_chain(const struct chain_maker *m, const struct draft *d, struct value **out)
{
    struct fused *f = arena_alloc(m->graph->arena, sizeof *f, m->report);
    struct chain *c = f ? &f->chain : NULL;

    if (!f)
        return NULL;
    c->dtype = F32; /* what is_float asks for */
    c->inputs = d->inputs;
    for (int k = d->members - 1; k >= 0; k--) {
        const struct node *n = d->member[k];
        const struct chain_rule *rule = n->def->chain;
        struct chain_step *s = &c->step[c->steps];
        bool ok;

        read_step(m, n, s);
        s->p = number_of(d, operand(n, rule->p));
        s->q = rule->q == CHAIN_NOTHING ? CHAIN_NOTHING : number_of(d, operand(n, rule->q));
        if (k == 0 || is_read_outside(m, d, n, &ok)) {
            out[c->outputs] = n->out[0];
            c->output[c->outputs++] = c->steps;
        }
        f->step_name[c->steps++] = n->op_name;
    }
    return f;
}

static void empty_members(const struct chain_maker *m, const struct draft *d)
{
    for (int k = 0; k < d->members; k++) {
        struct node *n = d->member[k];

        m->taken[n->id] = true;
        n->out[0] = NULL;
        for (int i = 0; i < n->inputs; i++)
            n->in[i] = NULL;
    }
}

static bool replace(const struct chain_maker *m, const struct draft *d)
{
    struct node *n = d->member[0];
    struct value *out[CHAIN_OUTPUTS];
    struct fused *f = make_chain(m, d, out);
    struct value **in = arena_array(m->graph->arena, (size_t)d->inputs, sizeof *in, m->report),
                 **slots = arena_array(m->graph->arena, CHAIN_OUTPUTS, sizeof *slots, m->report);

    if (!f || !in || !slots)
        return false;
    empty_members(m, d);
    memcpy(in, d->in, (size_t)d->inputs * sizeof *in);
    n->op = &fused_op;
    n->def = fused_op.defs;
    n->op_name = fused_op.name;
    n->since = fused_op.defs->since;
    n->attrs = f;
    n->in = in;
    n->inputs = d->inputs;
    n->out = slots;
    n->outputs = n->slots = f->chain.outputs;
    for (int k = 0; k < f->chain.outputs; k++) {
        slots[k] = out[k];
        out[k]->producer = n;
    }
    return true;
}

/* -- a chain at the end of another operator -- */

/* Which input of the chain is made for it alone, by a node that can take it? The latest of several. */
static int product_of(const struct chain_maker *m, const struct draft *d)
{
    int found = -1;

    for (int k = 0; k < d->inputs; k++) {
        const struct value *v = d->in[k];
        const struct node *n = v->producer;
        bool alone =
            n && n->def && node_lowered(n)->take_chain && n->out[0] == v && !m->is_output[v->id] && m->is_float[v->id];

        for (int o = 1; alone && o < n->slots; o++)
            alone = !n->out[o];
        for (int j = m->first[v->id]; alone && j < m->first[v->id + 1]; j++)
            alone = is_member(d, m->reader[j]);
        if (alone && (found < 0 || n->id > d->in[found]->producer->id))
            found = k;
    }
    return d->outputs == 1 ? found : -1;
}

/* Inputs of the node, then those of the chain. */
static struct value **inputs_of(const struct chain_maker *m, const struct node *n, const struct draft *d, int *count)
{
    struct value **in;

    *count = n->def->chain_at + d->inputs - 1;
    in = arena_array(m->graph->arena, (size_t)(*count > n->inputs ? *count : n->inputs), sizeof *in, m->report);
    if (!in)
        return NULL;
    memcpy(in, n->in, (size_t)n->inputs * sizeof *in);
    for (int k = 1; k < d->inputs; k++)
        in[n->def->chain_at + k - 1] = d->in[k];
    if (d->inputs == 1)
        *count = n->inputs;
    return in;
}

/* *taken tells whether the node takes it. */
static bool hand_over(const struct chain_maker *m, struct draft *d, int product, bool *taken)
{
    struct value *made = d->in[product], *out[CHAIN_OUTPUTS];
    struct node *n = made->producer, *last = d->member[0];
    struct node lowered = *n, was;
    struct fused *f;
    struct value **in;
    void *attrs;
    int count;

    d->in[product] = d->in[0];
    d->in[0] = made;
    f = make_chain(m, d, out);
    attrs = pass_lower(&lowered, m->report);
    in = inputs_of(m, &lowered, d, &count);
    if (!f || !attrs || !in)
        return false;
    *taken = n->inputs <= lowered.def->chain_at && lowered.def->take_chain(&lowered, f, attrs);
    if (!*taken)
        return true;
    empty_members(m, d);
    was = *last;
    *last = lowered;
    *n = was;
    n->id = last->id;
    last->id = was.id;
    last->in = in;
    last->inputs = count;
    last->out[0] = out[0];
    out[0]->producer = last;
    made->producer = NULL;
    return true;
}

bool pass_fuse(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    struct chain_maker m = { .graph = g, .report = r };

    m.is_float = arena_array(g->arena, g->value_count, sizeof *m.is_float, r);
    m.is_output = arena_array(g->arena, g->value_count, sizeof *m.is_output, r);
    m.taken = arena_array(g->arena, g->node_count, sizeof *m.taken, r);
    if (!m.is_float || !m.is_output || !m.taken || !find_readers(&m))
        return false;
    pass_know(w);
    find_types(&m);
    for (size_t k = g->node_count; k-- > 0;) {
        struct draft d = { .outputs = 1 };
        struct chain_step step;
        bool given = false;
        int product;

        if (!read_step(&m, g->nodes[k], &step) || g->nodes[k]->out[0]->producer != g->nodes[k])
            continue;
        add_member(&d, g->nodes[k]);
        grow(&m, &d);
        product = product_of(&m, &d);
        if (product >= 0 && !hand_over(&m, &d, product, &given))
            return false;
        if (!given && d.members > 1 && !replace(&m, &d))
            return false;
    }
    return true;
}
