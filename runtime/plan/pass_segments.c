#include "ops/op.h"
#include "plan/pass.h"
#include <string.h>

/* Memory for time (Chen and others, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174). The forward part is
 * cut into segments, one behind the other. What is made in a segment and read behind it is kept, and what else of it the
 * backward part reads is made again, by clones of the segment's nodes, right before the first node that reads any of it: so
 * that of one segment at a time all is in memory. The last segment, from which the way back begins, is not made again.
 *
 * The bits are the same: a clone computes what its node does, from the same inputs, and draws the same random numbers. It
 * moves no statistics. Nodes with subgraphs are not cloned; what they make is kept.
 *
 * Where the cuts are: at each place what is kept there, the bytes that are made before and read behind, is one cost, and the
 * greatest segment the other. For a number of sizes of segments the places with the least cost near that size are taken, and
 * of these that which needs least in all. */

enum {
    SMALL = 1 << 12, /* bytes: what is smaller is kept */
    SIZES = 64       /* that are tried */
};

struct segments {
    struct graph *graph;
    const struct forward_part *forward;
    struct report *report;
    size_t nodes;         /* of the forward part */
    int *last;            /* by value id: the last node of the forward part that reads it; -1 */
    bool *back;           /* by value id: the backward part reads it */
    bool *kept;           /* by value id: it is not made again */
    int64_t *saved;       /* by node: bytes of what it makes that the backward part reads */
    int64_t *crossing;    /* by node: bytes that are made before it, and read there or behind */
    int *segment;         /* by node */
    struct value **clone; /* by value id; NULL for none */
};

/* -- what is read where -- */

static int64_t bytes_of(const struct segments *s, const struct value *v)
{
    const struct tensor *t = (size_t)v->id < s->forward->values ? &s->forward->types->types[v->id] : NULL;

    return t && t->kind == TENSOR && tensor_known(t) && !t->data ? tensor_bytes(t) : 0;
}

static bool can_be_cloned(const struct node *n)
{
    return !n->graphs && !(n->def->flags & (OP_UPDATES | OP_RUN_ONLY));
}

static void find_reads(struct segments *s)
{
    const struct graph *g = s->graph;

    for (size_t k = 0; k < g->value_count; k++)
        s->last[k] = -1;
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->nodes[k]->inputs + g->nodes[k]->captured; i++) {
            const struct value *v = g->nodes[k]->in[i];

            if (v && k < s->nodes)
                s->last[v->id] = (int)k;
            else if (v)
                s->back[v->id] = true;
        }
    for (size_t k = 0; k < g->output_count; k++)
        s->kept[g->outputs[k]->id] = true;
    for (size_t k = 0; k < s->nodes; k++)
        for (int o = 0; o < g->nodes[k]->slots; o++) {
            const struct value *v = g->nodes[k]->out[o];

            if (v && (!can_be_cloned(g->nodes[k]) || bytes_of(s, v) < SMALL))
                s->kept[v->id] = true;
        }
}

/* A value lies in memory from its node to the last one that reads it: added behind the one, taken off behind the other. */
static void add_up(struct segments *s)
{
    const struct graph *g = s->graph;

    for (size_t k = 0; k < s->nodes; k++)
        for (int o = 0; o < g->nodes[k]->slots; o++) {
            const struct value *v = g->nodes[k]->out[o];
            const size_t behind = v ? (size_t)(s->last[v->id] + 1) : 0;

            if (!v || s->kept[v->id])
                continue;
            if (s->back[v->id])
                s->saved[k] += bytes_of(s, v);
            if (behind > k + 1)
                s->crossing[k + 1] += bytes_of(s, v);
            if (behind > k + 1 && behind < s->nodes)
                s->crossing[behind] -= bytes_of(s, v);
        }
    for (size_t k = 1; k < s->nodes; k++)
        s->crossing[k] += s->crossing[k - 1];
}

/* -- where to cut -- */

/* The place with the least cost from `from` on, where a segment that begins at `begin` has at least three quarters of `size`
 * bytes and no more than that; the first behind where there is none. The number of nodes: there is no other segment. */
static size_t next_cut(const struct segments *s, size_t begin, int64_t size)
{
    size_t best = s->nodes;
    int64_t bytes = 0;

    for (size_t k = begin; k < s->nodes; k++) {
        if (k > begin && bytes >= size - size / 4 && (best == s->nodes || s->crossing[k] <= s->crossing[best]))
            best = k;
        bytes += s->saved[k];
        if (bytes > size && best != s->nodes)
            break;
    }
    return best;
}

/* What a size of segments comes to: what is kept at the cuts, and the greatest segment. */
static int64_t cost_of(const struct segments *s, int64_t size)
{
    int64_t kept = 0, most = 0;
    size_t end;

    for (size_t begin = 0; begin < s->nodes; begin = end) {
        int64_t bytes = 0;

        end = next_cut(s, begin, size);
        for (size_t k = begin; k < end; k++)
            bytes += s->saved[k];
        most = bytes > most ? bytes : most;
        kept += end < s->nodes ? s->crossing[end] : 0;
    }
    return kept + most;
}

/* False where one segment is best. */
static bool cut(struct segments *s)
{
    int64_t all = 0, least, best = 0;
    int number = 0;
    size_t end;

    for (size_t k = 0; k < s->nodes; k++)
        all += s->saved[k];
    least = all;
    for (int n = 1; n < SIZES; n++) {
        const int64_t size = all / SIZES * n, cost = cost_of(s, size);

        if (cost < least) {
            least = cost;
            best = size;
        }
    }
    for (size_t begin = 0; best && begin < s->nodes; begin = end, number++) {
        end = next_cut(s, begin, best);
        for (size_t k = begin; k < end; k++)
            s->segment[k] = number;
    }
    return number > 1;
}

/* What is read in another segment than it was made in, and all of the last. */
static void keep_crossing(struct segments *s)
{
    const struct graph *g = s->graph;

    for (size_t k = 0; k < s->nodes; k++)
        for (int o = 0; o < g->nodes[k]->slots; o++) {
            const struct value *v = g->nodes[k]->out[o];

            if (v && (s->segment[k] == s->segment[s->nodes - 1] ||
                      (s->last[v->id] >= 0 && s->segment[s->last[v->id]] != s->segment[k])))
                s->kept[v->id] = true;
        }
}

/* -- the clones -- */

/* From the last node on: what the backward part reads, and what that is made of. */
static bool choose(struct segments *s)
{
    for (size_t k = s->nodes; k-- > 0;) {
        const struct node *n = s->graph->nodes[k];
        bool again = false;

        for (int o = 0; o < n->slots; o++) {
            struct value *v = n->out[o];

            if (!v || s->kept[v->id] || !s->back[v->id])
                continue;
            s->clone[v->id] = graph_value(s->graph, NULL);
            if (!s->clone[v->id])
                return false;
            again = true;
        }
        for (int i = 0; again && i < n->inputs; i++)
            if (n->in[i] && n->in[i]->producer && (size_t)n->in[i]->producer->id < s->nodes)
                s->back[n->in[i]->id] = true;
    }
    return true;
}

static void read_clones(const struct segments *s, struct node *n)
{
    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && (size_t)n->in[k]->id < s->forward->values && s->clone[n->in[k]->id])
            n->in[k] = s->clone[n->in[k]->id];
}

static struct node *clone_node(const struct segments *s, const struct node *n)
{
    struct node *m = graph_node(s->graph, n->inputs, n->slots);
    struct value **in, **out;

    if (!m)
        return NULL;
    in = m->in;
    out = m->out;
    memcpy(in, n->in, (size_t)n->inputs * sizeof(struct value *));
    for (int o = 0; o < n->slots; o++) {
        out[o] = n->out[o] ? s->clone[n->out[o]->id] : NULL;
        if (out[o])
            out[o]->producer = m;
    }
    *m = *n;
    m->index = -1;
    m->in = in;
    m->out = out;
    read_clones(s, m);
    return m;
}

static bool is_cloned(const struct segments *s, const struct node *n)
{
    for (int o = 0; o < n->slots; o++)
        if (n->out[o] && s->clone[n->out[o]->id])
            return true;
    return false;
}

/* The latest segment of whose clones the node reads any; -1: of none. */
static int reads_segment(const struct segments *s, const struct node *n)
{
    int segment = -1;

    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && (size_t)n->in[k]->id < s->forward->values && s->clone[n->in[k]->id] &&
            s->segment[n->in[k]->producer->id] > segment)
            segment = s->segment[n->in[k]->producer->id];
    return segment;
}

static bool clone_segment(const struct segments *s, int segment, struct node **order, size_t *count)
{
    for (size_t k = 0; k < s->nodes; k++) {
        const struct node *n = s->graph->nodes[k];

        if (s->segment[k] != segment || !is_cloned(s, n))
            continue;
        order[*count] = clone_node(s, n);
        if (!order[(*count)++])
            return false;
    }
    return true;
}

/* The clones of a segment stand before the first node that reads any of them. */
static bool add_clones(const struct segments *s)
{
    struct graph *g = s->graph;
    const size_t nodes = g->node_count;
    struct node **order = arena_array(g->arena, nodes + s->nodes, sizeof *order, s->report);
    int waiting = s->segment[s->nodes - 1]; /* the clones of segments below it are not there yet */
    size_t count = s->nodes;

    if (!order)
        return false;
    memcpy(order, g->nodes, s->nodes * sizeof(struct node *));
    for (size_t k = s->nodes; k < nodes; k++) {
        struct node *n = g->nodes[k];
        const int reads = reads_segment(s, n);

        while (reads >= 0 && waiting > reads)
            if (!clone_segment(s, --waiting, order, &count))
                return false;
        read_clones(s, n);
        order[count++] = n;
    }
    memcpy(g->nodes, order, count * sizeof(struct node *)); /* the clones stood at its end */
    for (size_t k = 0; k < count; k++)
        g->nodes[k]->id = (int)k;
    return true;
}

bool pass_segments(struct rewrite *w)
{
    struct graph *g = w->graph;
    struct report *r = w->c->report;
    struct segments s = { .graph = g,
                          .forward = w->forward,
                          .report = r,
                          .nodes = w->forward->nodes,
                          .last = arena_array(g->arena, g->value_count, sizeof *s.last, r),
                          .back = arena_array(g->arena, g->value_count, sizeof *s.back, r),
                          .kept = arena_array(g->arena, g->value_count, sizeof *s.kept, r),
                          .saved = arena_array(g->arena, w->forward->nodes, sizeof *s.saved, r),
                          .crossing = arena_array(g->arena, w->forward->nodes, sizeof *s.crossing, r),
                          .segment = arena_array(g->arena, w->forward->nodes, sizeof *s.segment, r),
                          .clone = arena_array(g->arena, g->value_count, sizeof *s.clone, r) };

    if (!s.last || !s.back || !s.kept || !s.saved || !s.crossing || !s.segment || !s.clone)
        return false;
    if (!w->segments || !s.nodes)
        return true;
    find_reads(&s);
    add_up(&s);
    if (!cut(&s))
        return true;
    keep_crossing(&s);
    return choose(&s) && add_clones(&s);
}
