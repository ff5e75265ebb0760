#include "ops/node.h"
#include "ops/parse.h"
#include "ops/rank.h"
#include "ops/signature.h"
#include <string.h>

const struct op *op_find(const char *domain, const char *name)
{
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (int k = 0; op_registry[k]; k++)
        if (strcmp(op_registry[k]->name, name) == 0 && strcmp(op_registry[k]->domain, domain) == 0)
            return op_registry[k];
    return NULL;
}

const struct op_def *op_def_for(const struct op *op, int opset)
{
    for (const struct op_def *d = op->defs; d->since; d++)
        if (d->since <= opset)
            return d;
    return NULL;
}

int newest_opset_of(const char *domain)
{
    static const struct {
        const char *domain;
        int newest;
    } standard[] = {
        { "", NEWEST_OPSET }, { "ai.onnx.ml", 5 }, { "ai.onnx.preview", 1 }, { "ai.onnx.preview.training", 1 }
    };

    for (size_t k = 0; k < sizeof standard / sizeof *standard; k++)
        if (strcmp(standard[k].domain, domain) == 0)
            return standard[k].newest;
    return INT32_MAX;
}

const struct op_def *node_lowered(const struct node *n)
{
    return n->op && n->op->lowered ? op_def_for(n->op->lowered, n->def->since) : n->def;
}

static bool check_inputs(const struct node *n, const struct node_spec *spec, const struct signature *s,
                         struct report *r)
{
    char where[WHERE_TEXT];
    int given = spec->inputs, first = s->inputs; /* from there on none may be left out before others */

    if (first && s->in[first - 1].any)
        first--;
    while (given && !spec->in[given - 1])
        given--;
    if (!signature_in(s, given - 1) && given)
        return fail(r, KILN_BAD_MODEL, node_where(n, where), "%d inputs, must have at most %d", given, s->inputs);
    for (int k = 0; k < s->inputs; k++) {
        const struct formal *f = &s->in[k];

        if ((k >= given || !spec->in[k]) && !f->optional && !f->any)
            return fail(r, KILN_BAD_MODEL, node_where(n, where), "input %d, '%.*s', is missing", k, f->name_length,
                        f->name);
    }
    for (int k = first; k < given; k++)
        if (!spec->in[k])
            return fail(r, KILN_BAD_MODEL, node_where(n, where), "input %d is left out among inputs of '%.*s'", k,
                        signature_in(s, k)->name_length, signature_in(s, k)->name);
    return true;
}

static bool check_outputs(const struct node *n, const struct node_spec *spec, const struct signature *s,
                          struct report *r)
{
    char where[WHERE_TEXT];

    if (spec->outputs && !signature_out(s, spec->outputs - 1))
        return fail(r, KILN_BAD_MODEL, node_where(n, where), "%d outputs, must have at most %d", spec->outputs,
                    s->outputs);
    return true;
}

/* Does one of the node's first `graphs` subgraphs read the value from outside? */
static bool is_captured(const struct node *n, int graphs, const struct value *outer)
{
    for (int s = 0; s < graphs; s++)
        if (graph_captured(n->graph_of[s], outer))
            return true;
    return false;
}

/* What the node's subgraphs read from outside becomes inputs of the node, each once, after the formal ones. */
static bool add_captures(struct node *n, struct report *r)
{
    struct value **in;
    size_t most = 0;

    for (int s = 0; s < n->graphs; s++)
        most += n->graph_of[s]->capture_count;
    if (!most)
        return true;
    in = arena_array(n->graph->arena, (size_t)n->inputs + most, sizeof *in, r);
    if (!in)
        return false;
    if (n->inputs)
        memcpy(in, n->in, (size_t)n->inputs * sizeof *in);
    n->in = in;
    for (int s = 0; s < n->graphs; s++)
        for (size_t c = 0; c < n->graph_of[s]->capture_count; c++) {
            struct value *outer = n->graph_of[s]->captures[c].outer;

            if (!is_captured(n, s, outer))
                in[n->inputs + n->captured++] = outer;
        }
    return true;
}

/* Until opset 5 nodes told what memory might be used again, which means nothing any more. */
static bool is_hint(const struct op_def *def, const char *attribute)
{
    return def->since <= 5 && strcmp(attribute, "consumed_inputs") == 0;
}

static bool is_attribute(const struct node_spec *spec, const struct graph *g)
{
    for (size_t k = 0; k < spec->attr_count; k++)
        if (spec->attrs[k].type == ATTR_GRAPH && spec->attrs[k].graph == g)
            return true;
    return false;
}

static bool parse(struct node *n, const struct node_spec *spec, struct report *r)
{
    struct parse p = { .node = n,
                       .attrs = spec->attrs,
                       .attr_count = spec->attr_count,
                       .opset = spec->opset,
                       .report = r,
                       .find = spec->find,
                       .names = spec->names };
    void *attrs = arena_alloc(n->graph->arena, n->def->attrs_size, r);
    const int before = r->error.count;

    if (!attrs)
        return false;
    n->attrs = attrs;
    if (n->def->parse && !n->def->parse(&p, attrs))
        p.failed = true;
    for (size_t k = 0; k < spec->attr_count && !p.failed; k++)
        if (!spec->attrs[k].seen && !is_hint(n->def, spec->attrs[k].name))
            parse_error(&p, "attribute '%s' is unknown to this operator", spec->attrs[k].name);
    if (p.failed && r->error.count == before) {
        char where[WHERE_TEXT];

        fail(r, KILN_BAD_MODEL, node_where(n, where), "the attributes are not valid");
    }
    n->graph_of = arena_array(n->graph->arena, (size_t)n->graphs, sizeof *n->graph_of, r);
    if (p.failed || !n->graph_of) {
        for (int s = 0; s < n->graphs; s++)
            if (!is_attribute(spec, p.graphs[s]))
                graph_release(p.graphs[s]);
        n->graphs = 0;
        return false;
    }
    for (int s = 0; s < n->graphs; s++)
        n->graph_of[s] = p.graphs[s];
    return add_captures(n, r);
}

static struct node *make(struct graph *g, const struct node_spec *spec, struct report *r)
{
    struct signature s;
    struct node *n;
    int inputs, slots;

    if (!signature_read(&s, spec->def)) {
        fail(r, KILN_UNSUPPORTED, NULL, "the signature of operator '%s' is malformed", spec->op->name);
        return NULL;
    }
    inputs = s.inputs && s.in[s.inputs - 1].variadic ? s.inputs - 1 : s.inputs;
    slots = s.outputs && s.out[s.outputs - 1].variadic ? s.outputs - 1 : s.outputs;
    n = graph_node(g, inputs > spec->inputs ? inputs : spec->inputs,
                   (slots > spec->outputs ? slots : spec->outputs) + spec->def->hidden);
    if (!n)
        return NULL;
    n->op = spec->op;
    n->def = spec->def;
    n->op_name = spec->op->name;
    n->since = spec->def->since;
    n->name = spec->name ? spec->name : "";
    n->index = spec->index;
    n->stream = spec->def->flags & OP_RANDOM ? g->streams++ : 0;
    n->outputs = spec->outputs;
    if (!check_inputs(n, spec, &s, r) || !check_outputs(n, spec, &s, r))
        return NULL;
    for (int k = 0; k < spec->inputs; k++)
        n->in[k] = spec->in[k];
    while (n->inputs > inputs && !n->in[n->inputs - 1])
        n->inputs--;
    for (int k = 0; k < spec->outputs; k++) {
        n->out[k] = spec->out[k];
        if (n->out[k])
            n->out[k]->producer = n;
    }
    n->said = spec->attrs;
    n->said_count = spec->parsed ? UNKNOWN : (int)spec->attr_count;
    n->said_inputs = spec->inputs;
    if (spec->parsed)
        n->attrs = spec->parsed;
    else if (!parse(n, spec, r))
        return NULL;
    know_outputs(n);
    return n;
}

/* On a node that is in no graph. What parsing makes inputs of is dropped. */
bool node_reads_attributes(const struct node *n, const struct op_def *def, struct attr *attrs, int opset,
                           struct report *r)
{
    struct node copy = *n;
    struct parse p = {
        .node = &copy, .attrs = attrs, .attr_count = (size_t)n->said_count, .opset = opset, .report = r
    };
    void *to = arena_alloc(n->graph->arena, def->attrs_size, r);

    if (!to)
        return false;
    copy.graphs = 0;
    copy.def = def;
    copy.in = arena_array(n->graph->arena, (size_t)n->inputs, sizeof *copy.in, r);
    if (!copy.in)
        return false;
    if (n->inputs)
        memcpy(copy.in, n->in, (size_t)n->inputs * sizeof *copy.in);
    return (!def->parse || def->parse(&p, to)) && !p.failed;
}

/* -- expanding -- */

/* `v`, made among the nodes from `first` on, is `as` from now on. */
static void rename_value(struct graph *g, size_t first, struct value *v, struct value *as)
{
    for (size_t k = first; k < g->node_count; k++) {
        struct node *n = g->nodes[k];

        for (const struct node *of = n; of; of = of->origin)
            for (int i = 0; i < of->inputs + of->captured; i++)
                if (of->in[i] == v)
                    of->in[i] = as;
        for (int o = 0; o < n->slots; o++)
            if (n->out[o] == v)
                n->out[o] = as;
    }
    as->producer = v->producer;
    as->known = v->known;
    v->producer = NULL;
}

/* Is `v` a result of the expansion, read by none of its subgraphs? */
static bool can_be_renamed(const struct graph *g, size_t first, const struct value *v)
{
    bool captured = false;

    for (size_t k = first; k < g->node_count; k++)
        captured = captured || is_captured(g->nodes[k], g->nodes[k]->graphs, v);
    return v->producer && v->producer->graph == g && (size_t)v->producer->id >= first && !captured;
}

/* Gives the outputs of `n` the values that they are to have; through an Identity where one value cannot become another,
 * or is two outputs. */
static bool bind_outputs(struct emitter *e, const struct node *n, size_t first, struct value **out)
{
    struct graph *g = e->graph;

    for (int k = 0; k < n->slots && !e->failed; k++) {
        struct value *v = out[k];

        if (!n->out[k])
            continue;
        if (!v)
            return fail(e->report, KILN_UNSUPPORTED, n->op_name, "the expansion does not make output %d", k);
        if (!can_be_renamed(g, first, v))
            v = emit(e, "Identity", "", 1, v);
        for (int j = k + 1; j < n->slots && v; j++)
            if (n->out[j] && out[j] == v)
                out[j] = emit(e, "Identity", "", 1, v);
        if (v)
            rename_value(g, first, v, n->out[k]);
    }
    return !e->failed;
}

/* Subgraphs that no node took over, and no other graph, belong to nobody else. */
static void release_graphs(struct node *n, size_t first)
{
    for (int s = 0; s < n->graphs; s++) {
        bool taken = n->graph_of[s]->parent != n->graph;

        for (size_t k = first; k < n->graph->node_count; k++)
            for (int t = 0; t < n->graph->nodes[k]->graphs; t++)
                taken = taken || n->graph->nodes[k]->graph_of[t] == n->graph_of[s];
        if (!taken)
            graph_release(n->graph_of[s]);
    }
}

/* Puts the expansion of the last node of the graph in its place. */
static struct node *expand(struct node *n, struct report *r)
{
    struct graph *g = n->graph;
    const size_t first = --g->node_count;
    struct emitter e = { .graph = g, .report = r };
    struct value **out = arena_array(g->arena, (size_t)n->slots, sizeof *out, r);
    bool ok = out;

    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            n->out[k]->producer = NULL;
    ok = ok && n->def->expand(&e, n, out) && !e.failed && bind_outputs(&e, n, first, out);
    for (size_t k = first; k < g->node_count; k++) {
        struct node *made = g->nodes[k];

        while (made->origin && made->origin != n)
            made = made->origin;
        if (!made->origin && made != n)
            made->origin = n;
    }
    release_graphs(n, first);
    return ok && g->node_count > first ? g->nodes[g->node_count - 1] : NULL;
}

struct node *node_make(struct graph *g, const struct node_spec *spec, struct report *r)
{
    struct node *n = make(g, spec, r);

    for (size_t k = 0; !n && k < spec->attr_count; k++) /* nobody owns its subgraphs then */
        if (spec->attrs[k].type == ATTR_GRAPH && spec->attrs[k].graph && spec->attrs[k].graph->parent == g)
            graph_release(spec->attrs[k].graph);
    return n && n->def->expand ? expand(n, r) : n;
}

bool node_check_types(const struct node *n, const struct tensor *const *in, struct report *r)
{
    const struct tensor *bound[MAX_VARS] = { 0 };
    char where[WHERE_TEXT], type[TYPE_TEXT], other[TYPE_TEXT], set[TYPE_SET_TEXT];
    struct signature s;

    if (!signature_read(&s, n->def))
        return fail(r, KILN_UNSUPPORTED, NULL, "the signature of operator '%s' is malformed", n->op_name);
    for (int k = 0; k < n->inputs; k++) {
        const struct formal *f = signature_in(&s, k);

        if (!in[k] || !f) /* without a formal: an attribute's, made by parse */
            continue;
        if (!type_set_has(&s.var[f->var].set, in[k]))
            return fail(r, KILN_BAD_MODEL, node_where(n, where), "input %d, '%.*s', is %s, must be %s", k,
                        f->name_length, f->name, tensor_text(in[k], type), type_set_text(&s.var[f->var].set, set));
        if (f->any)
            continue;
        if (bound[f->var] && !same_element_type(bound[f->var], in[k]))
            return fail(r, KILN_BAD_MODEL, node_where(n, where),
                        "input %d, '%.*s', is %s, must have the element type of %s", k, f->name_length, f->name,
                        tensor_text(in[k], type), tensor_text(bound[f->var], other));
        bound[f->var] = in[k];
    }
    return true;
}

const struct op_parameter *node_parameter(const struct node *n, int k)
{
    const struct op_parameter *p = n->def ? n->def->parameters : NULL;

    for (; p && p->use; p++)
        if (p->input == k)
            return p;
    return NULL;
}
