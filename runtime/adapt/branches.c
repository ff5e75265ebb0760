/* An If of the main graph whose condition is the same whatever the caller gives: the nodes of the branch that is taken
 * stand in its place, so that what lies in the branch trains. Such a condition is made of constants, as --set makes of what
 * chose between two networks, or of a size that an input tells and that is none of the samples, as exporters ask for the
 * layers of a state. Other sizes may be others with other data. */
#include "adapt/facts.h"
#include "adapt/rename.h"
#include "adapt/step.h"
#include "ops/constant.h"
#include "ops/registry.h"
#include "plan/open_sizes.h"
#include "plan/program.h"
#include <string.h>

enum { SEPARATE = 4 }; /* the version of the IR from which initializers need not be inputs */

struct branches {
    struct adapt *adapt;
    struct facts facts;
    bool *fixed;              /* by value id: the same whatever the caller gives */
    const struct node **take; /* Ifs whose condition is */
    bool *then;               /* is it true? */
    size_t count;
};

/* -- which conditions are fixed -- */

/* What planning knows of it. */
static const struct tensor *content_of(const struct facts *f, const struct value *v)
{
    const struct tensor *t = v->initializer ? v->initializer : facts_type(f, v);

    return t && t->data ? t : NULL;
}

/* The input of the graph whose sizes the node makes, all of them; NULL. */
static const struct value *sizes_of(const struct facts *f, const struct node *n)
{
    const struct value *v = n && node_is(n, &op_shape) ? n->in[0] : NULL;
    const struct tensor *t = v && !v->producer && !v->initializer && v->has_type ? facts_type(f, n->out[0]) : NULL;

    return t && t->rank == 1 && t->dims[0] == v->type.rank ? v : NULL;
}

/* The dimension that has the samples, where it is open: one that is told may be freed. */
static int samples_of(const struct graph *g, const struct value *v)
{
    for (size_t k = 0; k < g->input_count; k++)
        if (g->inputs[k] == v) {
            const int d = open_samples(g, k);

            return d >= 0 && v->type.dims[d] < 0 ? d : UNKNOWN;
        }
    return UNKNOWN;
}

static bool is_told_size(const struct facts *f, const struct node *n)
{
    const struct value *v = node_is(n, &op_gather) && n->in[0] ? sizes_of(f, n->in[0]->producer) : NULL;
    const struct tensor *at = v && n->in[1] && !f->active[n->in[1]->id] ? content_of(f, n->in[1]) : NULL;

    if (!at || samples_of(f->model->graph, v) < 0)
        return false;
    for (int64_t k = 0, count = tensor_count(at); k < count; k++) {
        int64_t d = at->dtype == I64 ? ((const int64_t *)at->data)[k] : ((const int32_t *)at->data)[k];

        d += d < 0 ? v->type.rank : 0;
        if (d < 0 || d >= v->type.rank || v->type.dims[d] < 0)
            return false;
    }
    return true;
}

static bool is_fixed(const struct branches *b, const struct node *n)
{
    if (n->def->flags & OP_RANDOM || n->graphs)
        return false;
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] && !b->fixed[n->in[k]->id])
            return is_told_size(&b->facts, n);
    return true;
}

static bool find_fixed(struct branches *b)
{
    const struct graph *g = b->facts.model->graph;

    b->fixed = arena_array(b->adapt->arena, g->value_count, sizeof *b->fixed, b->adapt->report);
    for (size_t k = 0; b->fixed && k < g->value_count; k++)
        b->fixed[k] = g->values[k]->initializer && !g->values[k]->is_input;
    for (size_t k = 0; b->fixed && k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        const bool fixed = is_fixed(b, n);

        for (int o = 0; o < n->slots; o++)
            if (n->out[o])
                b->fixed[n->out[o]->id] = fixed;
    }
    return b->fixed;
}

/* NULL where it is not known, or the node is of a function. */
static const struct tensor *condition_of(const struct branches *b, const struct node *n)
{
    const struct tensor *t = node_is(n, &op_if) && facts_place(&b->facts, n) >= 0 && b->fixed[n->in[0]->id]
                                 ? content_of(&b->facts, n->in[0])
                                 : NULL;

    return t && t->dtype == BOOL && tensor_count(t) == 1 ? t : NULL;
}

static bool has_ifs(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++)
        if (node_is(g->nodes[k], &op_if))
            return true;
    return false;
}

static bool find_ifs(struct branches *b)
{
    struct adapt *a = b->adapt;
    const struct graph *g = a->model->graph;
    struct report quiet = { 0 };

    b->count = 0;
    if (!facts_find(&b->facts, a))
        return false;
    if (!facts_planned(&b->facts, &quiet)) /* later steps tell of it */
        return true;
    b->take = arena_array(a->arena, g->node_count, sizeof *b->take, a->report);
    b->then = arena_array(a->arena, g->node_count, sizeof *b->then, a->report);
    if (!b->take || !b->then || !find_fixed(b))
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        const struct tensor *t = condition_of(b, g->nodes[k]);

        if (!t)
            continue;
        b->then[b->count] = *(const uint8_t *)t->data;
        b->take[b->count++] = g->nodes[k];
    }
    return true;
}

/* -- random numbers -- */

/* What a graph captures is what it is outside. */
static const struct value *outermost(const struct graph *g, const struct value *v)
{
    for (size_t k = 0; k < g->capture_count; k++)
        if (g->captures[k].inner == v)
            return outermost(g->parent, g->captures[k].outer);
    return v;
}

/* False and nothing else, as an initializer or a Constant. */
static bool is_false(const struct graph *g, const struct value *v)
{
    const struct value *from = outermost(g, v);
    const struct node *n = from->producer;
    const struct tensor *t =
        n && node_is(n, &op_constant) ? &((const struct constant *)n->attrs)->value : value_constant(from);

    return t && t->data && t->dtype == BOOL && tensor_count(t) == 1 && !*(const uint8_t *)t->data;
}

/* A Dropout draws in training mode alone. */
static bool is_drawn(const struct node *n)
{
    if (node_is(n, &op_dropout))
        return n->inputs > 2 && n->in[2] && !is_false(n->graph, n->in[2]);
    return n->def->flags & OP_RANDOM;
}

/* Subgraphs nest no deeper than messages do, so this may recurse. */
static bool draws(const struct graph *g)
{
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (is_drawn(n))
            return true;
        for (int i = 0; i < n->graphs; i++)
            if (draws(n->graph_of[i]))
                return true;
    }
    return false;
}

/* -- names -- */

struct taking {
    struct edit *edit;
    const Onnx__NodeProto *node;   /* a copy, */
    const Onnx__GraphProto *graph; /* and its branch */
    size_t place;                  /* where the node was */
    struct map own;                /* what the branch and its subgraphs define */
    struct map given;              /* what has been given away */
    struct map results;            /* outputs of the branch, to what the node's are called: the first of each */
    struct renaming names;
};

static bool note(struct map *m, const char *name, const void *as, struct report *r)
{
    void **slot = map_put(m, name, r);

    if (slot && !*slot)
        *slot = (void *)(uintptr_t)as;
    return slot;
}

static bool note_own(void *taking, char **name)
{
    struct taking *t = taking;

    return !*or_empty(*name) || note(&t->own, *name, t, t->edit->report);
}

static bool leave(void *taking, char **name)
{
    (void)taking;
    (void)name;
    return true;
}

/* Its own where nothing in the model is called so, else one that nothing is called. NULL with an error. */
static const char *free_name(struct taking *t, const char *name)
{
    struct edit *e = t->edit;
    const char *stem = name;

    for (unsigned k = 1; stem; k++) {
        char *fresh = edit_fresh_name(e, stem);
        const char *kept = fresh ? arena_string(&e->arena, fresh, strlen(fresh), e->report) : NULL;

        budget_free(e->budget, fresh);
        if (!kept || (!map_has(&t->given, kept) && (strcmp(kept, name) == 0 || !map_has(&t->own, kept))))
            return kept;
        stem = arena_printf(&e->arena, e->report, "%s.%u", name, k);
    }
    return NULL;
}

static bool give_name(struct taking *t, const char *name, const char *result)
{
    const char *now = result ? result : free_name(t, name);

    return now && note(&t->given, now, t, t->edit->report) && rename_as(&t->names, name, now);
}

/* What a node makes as an output of the branch is called as the If's output from now on. */
static bool name_all(struct taking *t)
{
    const Onnx__GraphProto *g = t->graph;
    struct report *r = t->edit->report;
    bool ok = visit_graph_names((Onnx__GraphProto *)(uintptr_t)g, note_own, leave, t);

    for (size_t k = 0; ok && k < t->node->n_output && k < g->n_output; k++)
        if (*or_empty(t->node->output[k]))
            ok = note(&t->given, t->node->output[k], t, r) &&
                 note(&t->results, or_empty(g->output[k]->name), t->node->output[k], r);
    for (size_t k = 0; ok && k < g->n_initializer; k++)
        ok = give_name(t, or_empty(g->initializer[k]->name), NULL);
    for (size_t k = 0; ok && k < g->n_node; k++)
        for (size_t o = 0; ok && o < g->node[k]->n_output; o++)
            if (*or_empty(g->node[k]->output[o]))
                ok = give_name(t, g->node[k]->output[o], map_get(&t->results, g->node[k]->output[o]));
    return ok;
}

/* -- what lies in the branch -- */

static bool insert_nodes(struct taking *t)
{
    struct edit *e = t->edit;

    for (size_t k = 0; k < t->graph->n_node; k++) {
        Onnx__NodeProto *n = message_copy(t->graph->node[k], e->budget, e->report);

        if (!n || !rename_node(&t->names, n)) {
            message_free(n, e->budget);
            return false;
        }
        if (!edit_insert_made(e, t->place, false, n))
            return false;
    }
    return true;
}

static bool add_initializers(struct taking *t)
{
    struct edit *e = t->edit;

    for (size_t k = 0; k < t->graph->n_initializer; k++) {
        Onnx__TensorProto *made = message_copy(t->graph->initializer[k], e->budget, e->report);

        if (!made || !rename_one(&t->names, &made->name)) {
            message_free(made, e->budget);
            return false;
        }
        if (!edit_add_made_initializer(e, made))
            return false;
    }
    return true;
}

static bool add_value_infos(struct taking *t)
{
    struct edit *e = t->edit;

    for (size_t k = 0; k < t->graph->n_value_info; k++) {
        Onnx__ValueInfoProto *made = message_copy(t->graph->value_info[k], e->budget, e->report);

        if (!made || !rename_one(&t->names, &made->name)) {
            message_free(made, e->budget);
            return false;
        }
        if (edit_value_info(e, made->name))
            message_free(made, e->budget);
        else if (!edit_add_made_value_info(e, made))
            return false;
    }
    return true;
}

/* What the branch gives that it does not make, or gives for the second time. */
static bool insert_identities(struct taking *t)
{
    const Onnx__GraphProto *g = t->graph;
    struct edit *e = t->edit;

    for (size_t k = 0; k < t->node->n_output && k < g->n_output; k++) {
        const char *out = or_empty(t->node->output[k]), *in = or_empty(g->output[k]->name);
        const char *now = map_get(&t->names.names, in);
        Onnx__NodeProto *n;

        in = now ? now : in;
        if (!*out || strcmp(in, out) == 0)
            continue;
        n = edit_insert_node(e, t->place, false, op_identity.name, *or_empty(t->node->name) ? t->node->name : NULL);
        if (!n || !edit_set_inputs(e, n, 1, &in) || !edit_set_outputs(e, n, 1, &out))
            return false;
    }
    return true;
}

static bool take_branch(struct edit *e, size_t place, bool then)
{
    Onnx__NodeProto *n = message_copy(e->graph->node[place], e->budget, e->report);
    struct taking t = { .edit = e, .node = n, .place = place };
    bool ok;

    if (!n)
        return false;
    t.graph = node_attribute(n, then ? "then_branch" : "else_branch")->g;
    edit_drop_node(e, place); /* names that only it had are free */
    map_init(&t.own, e->budget);
    map_init(&t.given, e->budget);
    map_init(&t.results, e->budget);
    renaming_init(&t.names, e->budget, e->budget, e->report);
    ok = name_all(&t) && add_initializers(&t) && insert_nodes(&t) && insert_identities(&t) && add_value_infos(&t);
    renaming_release(&t.names);
    map_release(&t.results);
    map_release(&t.given);
    map_release(&t.own);
    message_free(n, e->budget);
    return ok;
}

/* -- telling -- */

/* What the condition is made of: an initializer, a Constant, an input whose size it is. */
static const struct value *origin_of(const struct value *v)
{
    while (v->producer && v->producer->inputs) {
        const struct node *n = v->producer;
        const struct value *next = NULL;

        for (int k = 0; k < n->inputs; k++)
            if (n->in[k] && (!next || (n->in[k]->initializer && !next->initializer)))
                next = n->in[k];
        if (!next)
            return v;
        v = next;
    }
    return v;
}

static bool tell(const struct branches *b, size_t k, bool taken)
{
    struct adapt *a = b->adapt;
    const struct node *n = b->take[k];
    const struct value *v = n->in[0], *of = origin_of(v);
    const char *truth = b->then[k] ? "true" : "false", *branch = b->then[k] ? "then_branch" : "else_branch";
    const Onnx__GraphProto *g =
        node_attribute(b->facts.model->proto->graph->node[facts_place(&b->facts, n)], branch)->g;
    struct finding f = { .name = facts_name(n), .found = "If whose condition is constant", .certainty = CERTAIN };

    f.evidence = of == v ? arena_printf(a->arena, a->report, "'%s' is %s", v->name, truth)
                         : arena_printf(a->arena, a->report, "'%s' is %s, by %s'%s'", v->name, truth,
                                        of->producer || of->initializer ? "" : "a size of ", of->name);
    f.done = taken ? arena_printf(a->arena, a->report, "its %s is taken: %zu node%s", branch, g->n_node,
                                  g->n_node == 1 ? "" : "s")
                   : "it stays: without it random numbers would be others, and nothing could show that the rest is not";
    return f.evidence && f.done && adapt_tell(a, &f);
}

/* -- the step -- */

static bool take(struct branches *b)
{
    struct adapt *a = b->adapt;
    struct model *made = adapt_copy(a);
    struct edit e;
    bool ok;

    if (!made)
        return false;
    if (made->proto->ir_version < SEPARATE)
        made->proto->ir_version = SEPARATE;
    ok = edit_begin(&e, made, a->report);
    for (size_t k = 0; ok && k < b->count; k++)
        ok = tell(b, k, true) && take_branch(&e, (size_t)facts_place(&b->facts, b->take[k]), b->then[k]);
    if (ok)
        edit_drop_unread(&e);
    ok = edit_end(&e) && ok;
    return adapt_take(a, made, ok);
}

/* Ifs that stood in a branch come in the next round. */
bool adapt_branches(struct adapt *a)
{
    struct branches b = { .adapt = a };
    bool ok = true, again = true;

    for (int round = 0; ok && again && round < ADAPT_ROUNDS && has_ifs(a->model->graph); round++) {
        ok = find_ifs(&b);
        again = b.count > 0 && !draws(a->model->graph);
        for (size_t k = 0; ok && !again && k < b.count; k++)
            ok = tell(&b, k, false);
        ok = ok && (!again || take(&b));
        facts_release(&b.facts);
    }
    return ok;
}
