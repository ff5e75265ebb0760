#include "graph/graph.h"
#include <stdio.h>
#include <string.h>

const char *attr_type_name(enum attr_type type)
{
    static const char *const names[] = { "undefined", "float",  "int",     "string",  "tensor",
                                         "graph",     "floats", "ints",    "strings", "tensors",
                                         "graphs",    "sparse", "sparses", "a type",  "types" };

    return (size_t)type < sizeof names / sizeof *names ? names[type] : "of an unknown type";
}

struct graph *graph_new(struct arena *arena, struct graph *parent, const char *path, struct report *r)
{
    struct graph *g = arena_alloc(arena, sizeof *g, r);

    if (!g)
        return NULL;
    g->arena = arena;
    g->report = r;
    g->parent = parent;
    g->path = path;
    g->opset = parent ? parent->opset : 0;
    return g;
}

static void release_vectors(struct graph *g)
{
    struct budget *b = g->arena->budget;

    budget_free(b, g->values);
    budget_free(b, g->nodes);
    budget_free(b, g->inputs);
    budget_free(b, g->outputs);
    budget_free(b, g->captures);
    budget_free(b, g->capture_table);
    g->values = NULL;
    g->nodes = NULL;
    g->inputs = NULL;
    g->outputs = NULL;
    g->captures = NULL;
    g->capture_table = NULL;
    g->capture_table_size = 0;
    g->value_count = g->node_count = g->input_count = g->output_count = g->capture_count = 0;
    g->value_capacity = g->node_capacity = g->input_capacity = g->output_capacity = g->capture_capacity = 0;
}

/* Subgraphs nest no deeper than the loader allows (model/scan.h), so this may recurse. */
void graph_release(struct graph *g)
{
    if (!g)
        return;
    for (size_t k = 0; k < g->node_count; k++)
        for (int s = 0; s < g->nodes[k]->graphs; s++)
            if (g->nodes[k]->graph_of[s]->parent == g)
                graph_release(g->nodes[k]->graph_of[s]);
    for (struct graph *sub = g->own; sub; sub = sub->next) /* those that nodes have are empty by now */
        graph_release(sub);
    release_vectors(g);
}

struct value *graph_value(struct graph *g, const char *name)
{
    struct value *v = arena_alloc(g->arena, sizeof *v, g->report);

    if (!v || g->value_count >= INT32_MAX)
        return NULL;
    if (!name)
        name = arena_printf(g->arena, g->report, "kiln.%llu", (unsigned long long)g->next_name++);
    if (!name || !budget_grow(g->arena->budget, &g->values, &g->value_capacity, g->value_count + 1, sizeof *g->values,
                              g->report))
        return NULL;
    v->name = name;
    v->id = (int)g->value_count;
    v->type.rank = UNKNOWN;
    v->known = (struct known){ UNKNOWN, UNDEFINED };
    g->values[g->value_count++] = v;
    return v;
}

static bool append(struct graph *g, struct value ***list, size_t *count, size_t *capacity, struct value *v)
{
    if (!budget_grow(g->arena->budget, list, capacity, *count + 1, sizeof **list, g->report))
        return false;
    (*list)[(*count)++] = v;
    return true;
}

bool graph_add_input(struct graph *g, struct value *v)
{
    v->is_input = true;
    return append(g, &g->inputs, &g->input_count, &g->input_capacity, v);
}

bool graph_add_output(struct graph *g, struct value *v)
{
    return append(g, &g->outputs, &g->output_count, &g->output_capacity, v);
}

/* The place in the table of the value, or the free one where it would go. Ids need no other hash: those that share a
 * place are as far apart as the table is long, so that there can only be few of them. */
static int *capture_place(const struct graph *g, const struct value *outer)
{
    size_t at = (size_t)outer->id & (g->capture_table_size - 1);

    while (g->capture_table[at] && g->captures[g->capture_table[at] - 1].outer->id != outer->id)
        at = (at + 1) & (g->capture_table_size - 1);
    return &g->capture_table[at];
}

static bool widen_captures(struct graph *g)
{
    const size_t size = g->capture_table_size ? 2 * g->capture_table_size : 16;
    int *table = budget_zalloc(g->arena->budget, size, sizeof *table, g->report);

    if (!table)
        return false;
    budget_free(g->arena->budget, g->capture_table);
    g->capture_table = table;
    g->capture_table_size = size;
    for (size_t k = 0; k < g->capture_count; k++)
        *capture_place(g, g->captures[k].outer) = (int)k + 1;
    return true;
}

static bool add_capture(struct graph *g, struct value *outer, struct value *inner)
{
    if (!budget_grow(g->arena->budget, &g->captures, &g->capture_capacity, g->capture_count + 1, sizeof *g->captures,
                     g->report) ||
        (2 * g->capture_count >= g->capture_table_size && !widen_captures(g)))
        return false;
    *capture_place(g, outer) = (int)g->capture_count + 1;
    g->captures[g->capture_count++] = (struct capture){ outer, inner };
    return true;
}

/* The table again, where captures, or ids of what they are outside, have changed. */
static void place_captures(struct graph *g)
{
    if (g->capture_table_size)
        memset(g->capture_table, 0, g->capture_table_size * sizeof *g->capture_table);
    for (size_t k = 0; k < g->capture_count; k++)
        *capture_place(g, g->captures[k].outer) = (int)k + 1;
}

void graph_keep_captures(struct graph *g, const bool *read)
{
    size_t count = 0;

    for (size_t k = 0; k < g->capture_count; k++)
        if (read[g->captures[k].inner->id])
            g->captures[count++] = g->captures[k];
    g->capture_count = count;
    place_captures(g);
}

bool graph_nest(struct graph *g, struct graph *around)
{
    g->parent = around;
    for (size_t k = 0; k < g->capture_count; k++) {
        struct value *outer = graph_capture(around, g->captures[k].outer);

        if (!outer)
            return false;
        g->captures[k].outer = outer;
    }
    place_captures(g);
    return true;
}

struct value *graph_captured(const struct graph *g, const struct value *outer)
{
    const int place = g->capture_table_size ? *capture_place(g, outer) : 0;

    return place ? g->captures[place - 1].inner : NULL;
}

struct value *graph_capture(struct graph *g, struct value *outer)
{
    struct value *inner = graph_captured(g, outer);

    if (inner)
        return inner;
    inner = graph_value(g, outer->name);
    return inner && add_capture(g, outer, inner) ? inner : NULL;
}

struct node *graph_node(struct graph *g, int inputs, int slots)
{
    struct node *n = arena_alloc(g->arena, sizeof *n, g->report);

    if (!n || inputs < 0 || slots < 0 || g->node_count >= INT32_MAX ||
        !budget_grow(g->arena->budget, &g->nodes, &g->node_capacity, g->node_count + 1, sizeof *g->nodes, g->report))
        return NULL;
    /* In one piece. The first of each may be asked for, also where there is none: NULL. */
    n->in = arena_array(g->arena, (size_t)inputs + (size_t)slots + 2, sizeof *n->in, g->report);
    if (!n->in)
        return NULL;
    n->out = n->in + inputs + 1;
    n->name = "";
    n->op_name = "";
    n->graph = g;
    n->index = -1;
    n->id = (int)g->node_count;
    n->inputs = inputs;
    n->slots = slots;
    g->nodes[g->node_count++] = n;
    return n;
}

/* Whatever the node reads, by the id in the graph where it was. */
static void read_as(struct node *n, struct value *const *as)
{
    for (int i = 0; i < n->inputs + n->captured; i++)
        if (n->in[i])
            n->in[i] = as[n->in[i]->id];
    for (int s = 0; s < n->graphs; s++)
        for (size_t c = 0; c < n->graph_of[s]->capture_count; c++)
            n->graph_of[s]->captures[c].outer = as[n->graph_of[s]->captures[c].outer->id];
}

/* By the path in its name too, as names are those of one graph. */
static bool take_value(struct graph *g, const struct graph *from, struct value *v)
{
    v->name = arena_printf(g->arena, g->report, "%s/%s", from->path, v->name);
    v->id = (int)g->value_count;
    return v->name && append(g, &g->values, &g->value_count, &g->value_capacity, v);
}

static bool take_node(struct graph *g, const struct graph *from, struct node *n)
{
    if (!budget_grow(g->arena->budget, &g->nodes, &g->node_capacity, g->node_count + 1, sizeof *g->nodes, g->report))
        return false;
    n->graph = g;
    n->id = (int)g->node_count;
    n->stream += g->streams;
    g->nodes[g->node_count++] = n;
    for (int s = 0; s < n->graphs; s++)
        if (n->graph_of[s]->parent == from) {
            n->graph_of[s]->parent = g;
            n->graph_of[s]->stream += g->streams;
            place_captures(n->graph_of[s]);
        }
    return true;
}

bool graph_take(struct graph *g, struct graph *body, struct value *const *in, struct value **out)
{
    struct value **as = arena_array(g->arena, body->value_count, sizeof *as, g->report);
    bool ok = as;

    for (size_t k = 0; ok && k < body->value_count; k++)
        as[k] = body->values[k];
    for (size_t k = 0; ok && k < body->input_count; k++)
        as[body->inputs[k]->id] = in[k];
    for (size_t k = 0; ok && k < body->capture_count; k++)
        as[body->captures[k].inner->id] = body->captures[k].outer;
    for (size_t k = 0; ok && k < body->node_count; k++)
        read_as(body->nodes[k], as);
    for (size_t k = 0; ok && k < body->output_count; k++)
        out[k] = as[body->outputs[k]->id];
    for (size_t k = 0; ok && k < body->value_count; k++)
        ok = as[k] != body->values[k] || take_value(g, body, body->values[k]);
    for (size_t k = 0; ok && k < body->node_count; k++)
        ok = take_node(g, body, body->nodes[k]);
    if (ok)
        body->node_count = 0;
    g->streams += body->streams;
    return ok;
}

bool graph_begin_with(struct graph *g, size_t from)
{
    const size_t count = g->node_count - from;
    struct node **order = count ? arena_array(g->arena, g->node_count, sizeof *order, g->report) : NULL;

    if (!count)
        return true;
    if (!order)
        return false;
    memcpy(order, g->nodes + from, count * sizeof *order);
    memcpy(order + count, g->nodes, from * sizeof *order);
    for (size_t k = 0; k < g->node_count; k++) {
        g->nodes[k] = order[k];
        g->nodes[k]->id = (int)k;
    }
    return true;
}

bool graph_replace_node(struct graph *g, int k, size_t from)
{
    const size_t count = g->node_count - from, at = (size_t)k;
    struct node **order = arena_array(g->arena, g->node_count, sizeof *order, g->report);

    if (!order)
        return false;
    memcpy(order, g->nodes + from, count * sizeof *order);
    memcpy(order + count, g->nodes + at + 1, (from - at - 1) * sizeof *order);
    memcpy(g->nodes + at, order, --g->node_count > at ? (g->node_count - at) * sizeof *order : 0);
    for (size_t n = at; n < g->node_count; n++)
        g->nodes[n]->id = (int)n;
    return true;
}

bool value_becomes(struct value *v, struct value *made)
{
    if (!made)
        return false;
    v->known = made->known;
    v->initializer = made->initializer;
    v->is_input = false;
    v->producer = made->producer;
    if (v->producer)
        v->producer->out[0] = v;
    made->producer = NULL;
    return true;
}

struct value *node_output(struct node *n, int k)
{
    if (k < 0 || k >= n->slots)
        return NULL;
    if (!n->out[k]) {
        n->out[k] = graph_value(n->graph, NULL);
        if (n->out[k])
            n->out[k]->producer = n;
    }
    return n->out[k];
}

const struct tensor *value_constant(const struct value *v)
{
    const struct tensor *const t = v && !v->is_input && !v->trains ? v->initializer : NULL;

    return t && t->kind == TENSOR && t->data && tensor_known(t) ? t : NULL;
}

static struct value *copy_of(struct graph *g, const struct value *v)
{
    return v ? g->values[v->id] : NULL;
}

static bool clone_values(struct graph *g, const struct graph *from)
{
    for (size_t k = 0; k < from->value_count; k++) {
        struct value *v = graph_value(g, from->values[k]->name);

        if (!v)
            return false;
        *v = *from->values[k];
    }
    return true;
}

static bool clone_nodes(struct graph *g, const struct graph *from)
{
    for (size_t k = 0; k < from->node_count; k++) {
        const struct node *old = from->nodes[k];
        struct node *n = graph_node(g, old->inputs + old->captured, old->slots);
        struct value **in, **out;

        if (!n)
            return false;
        in = n->in;
        out = n->out;
        *n = *old;
        n->in = in;
        n->out = out;
        n->graph = g;
        n->copied = old;
        for (int i = 0; i < old->inputs + old->captured; i++)
            in[i] = copy_of(g, old->in[i]);
        for (int i = 0; i < old->slots; i++) {
            out[i] = copy_of(g, old->out[i]);
            if (out[i])
                out[i]->producer = n;
        }
    }
    return true;
}

struct graph *graph_clone(const struct graph *from, struct arena *arena, struct report *r)
{
    struct graph *g = graph_new(arena, from->parent, from->path, r);
    bool ok;

    if (!g)
        return NULL;
    g->opset = from->opset;
    g->streams = from->streams;
    g->stream = from->stream;
    g->next_name = from->next_name;
    ok = clone_values(g, from) && clone_nodes(g, from);
    for (size_t k = 0; ok && k < from->input_count; k++)
        ok = graph_add_input(g, copy_of(g, from->inputs[k]));
    for (size_t k = 0; ok && k < from->output_count; k++)
        ok = graph_add_output(g, copy_of(g, from->outputs[k]));
    for (size_t k = 0; ok && k < from->capture_count; k++)
        ok = add_capture(g, from->captures[k].outer, copy_of(g, from->captures[k].inner));
    if (!ok) {
        release_vectors(g);
        return NULL;
    }
    return g;
}

struct graph *graph_copy_into(struct graph *around, const struct graph *sub, struct value *const *as)
{
    struct graph *g = graph_clone(sub, around->arena, around->report);

    if (!g)
        return NULL;
    g->parent = around;
    for (size_t k = 0; k < g->capture_count; k++)
        g->captures[k].outer = as[g->captures[k].outer->id];
    place_captures(g);
    return g;
}

void graph_disown(struct graph *g, struct graph *sub)
{
    if (sub->parent != g)
        return;
    for (const struct graph *own = g->own; own; own = own->next)
        if (own == sub)
            return;
    sub->next = g->own;
    g->own = sub;
}

static struct graph *own_subgraph(struct graph *g, const struct graph *shared)
{
    struct graph *own = graph_copy_into(g, shared, g->values); /* which have the ids that the shared one's have */

    if (!own)
        return NULL;
    own->next = g->own;
    g->own = own;
    return own;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
bool graph_own_subgraphs(struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        struct node *n = g->nodes[k];
        struct graph **own = n->graphs ? arena_array(g->arena, (size_t)n->graphs, sizeof *own, g->report) : NULL;

        if (!n->graphs)
            continue;
        if (!own)
            return false;
        n->graph_of = memcpy(own, n->graph_of, (size_t)n->graphs * sizeof *own);
        for (int s = 0; s < n->graphs; s++) {
            struct graph *sub = own[s]->parent == g ? own[s] : own_subgraph(g, own[s]);

            if (!sub)
                return false;
            own[s] = sub;
            if (!graph_own_subgraphs(sub))
                return false;
        }
    }
    return true;
}

struct value *graph_find(const struct graph *g, const char *name)
{
    for (size_t k = 0; k < g->value_count; k++)
        if (strcmp(g->values[k]->name, name) == 0)
            return g->values[k];
    return NULL;
}

bool graph_names(const struct graph *g, struct map *names, struct report *r)
{
    for (size_t k = 0; k < g->value_count; k++) {
        void **slot = map_put(names, g->values[k]->name, r);

        if (!slot)
            return false;
        if (!*slot)
            *slot = g->values[k];
    }
    return true;
}

const struct node *node_origin(const struct node *n)
{
    while (n->origin)
        n = n->origin;
    return n;
}

const char *node_where(const struct node *n, char buffer[WHERE_TEXT])
{
    n = node_origin(n);
    if (n->index < 0)
        snprintf(buffer, WHERE_TEXT, "%.60s/%.60s (made by kiln)", n->graph->path, n->op_name);
    else
        snprintf(buffer, WHERE_TEXT, "%.60s/node[%d] '%.60s' %.40s-%d", n->graph->path, n->index, n->name, n->op_name,
                 n->since);
    return buffer;
}
