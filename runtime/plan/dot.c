#include "plan/dot.h"
#include "base/utf8.h"
#include "ops/registry.h"
#include <string.h>

struct dot {
    struct text *out;
    const char *(*label)(void *user, const struct value *v);
    void *user;
    int graphs; /* written so far */
    int graph;  /* the number of the one being written: names in the picture are "n1_7", node 7 of graph 1 */
};

/* What a label cannot show is written as \xNN in it. */
static void quoted(struct text *out, const char *s)
{
    for (size_t left = strlen(s); left;) {
        const size_t n = utf8_shown(s, left);

        if (!n)
            text_printf(out, "\\\\x%02x", (unsigned)(unsigned char)*s);
        else if (*s == '"' || *s == '\\')
            text_printf(out, "\\%c", *s);
        else
            text_add(out, s, n);
        s += n ? n : 1;
        left -= n ? n : 1;
    }
}

static void put_line(struct dot *d, const struct value *from, const char *to_kind, int to)
{
    const char *label = d->label ? d->label(d->user, from) : NULL;

    if (from->producer && node_is(from->producer, &op_constant))
        return;
    if (from->producer)
        text_printf(d->out, "  n%d_%d", d->graph, from->producer->id);
    else
        text_printf(d->out, "  v%d_%d", d->graph, from->id);
    text_printf(d->out, " -> %s%d_%d", to_kind, d->graph, to);
    if (label) {
        text_printf(d->out, " [label=\"");
        quoted(d->out, label);
        text_printf(d->out, "\"]");
    }
    text_printf(d->out, ";\n");
}

static void put_value(struct dot *d, const char *kind, const struct value *v)
{
    text_printf(d->out, "  %s%d_%d [shape=ellipse, label=\"", kind, d->graph, v->id);
    quoted(d->out, v->name);
    text_printf(d->out, "\"];\n");
}

static void put_node(struct dot *d, const struct node *n)
{
    text_printf(d->out, "  n%d_%d [label=\"", d->graph, n->id);
    quoted(d->out, n->op_name);
    if (*n->name) {
        text_printf(d->out, "\\n");
        quoted(d->out, n->name);
    }
    text_printf(d->out, "\"];\n");
    for (int k = 0; k < n->inputs + n->captured; k++)
        if (n->in[k] && (n->in[k]->producer || !n->in[k]->initializer))
            put_line(d, n->in[k], "n", n->id);
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static void put_graph(struct dot *d, const struct graph *g)
{
    const int number = d->graphs++;

    d->graph = number;
    for (size_t k = 0; k < g->input_count; k++)
        put_value(d, "v", g->inputs[k]);
    for (size_t k = 0; k < g->capture_count; k++)
        put_value(d, "v", g->captures[k].inner);
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (node_is(n, &op_constant))
            continue;
        put_node(d, n);
        for (int s = 0; s < n->graphs; s++) {
            text_printf(d->out, "  subgraph cluster_%d {\n  label=\"", d->graphs);
            quoted(d->out, n->graph_of[s]->path);
            text_printf(d->out, "\";\n");
            put_graph(d, n->graph_of[s]);
            d->graph = number;
            text_printf(d->out, "  }\n");
        }
    }
    for (size_t k = 0; k < g->output_count; k++) {
        put_value(d, "o", g->outputs[k]);
        if (g->outputs[k]->producer || !g->outputs[k]->initializer)
            put_line(d, g->outputs[k], "o", g->outputs[k]->id);
    }
}

void dot_write(struct text *out, const struct graph *g, const char *(*label)(void *user, const struct value *v),
               void *user)
{
    struct dot d = { .out = out, .label = label, .user = user };

    text_printf(out, "digraph model {\n  node [shape=box];\n");
    put_graph(&d, g);
    text_printf(out, "}\n");
}
