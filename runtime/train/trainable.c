#include "train/trainable.h"
#include "ops/registry.h"
#include <fnmatch.h>
#include <string.h>

const char *role_name(enum role role)
{
    static const char *const names[] = { "trainable", "statistic", "frozen", "constant" };

    return names[role];
}

struct search {
    const struct model *model;
    struct parameters *out;
    struct arena *arena;
    struct report *report;
    size_t room;
    struct parameter **of; /* by value id of the main graph */
};

/* -- constants -- */

/* Has its output the numbers of input 0, in another shape, order or type of float? */
static bool keeps_numbers(const struct node *n)
{
    return n->in[0] && n->out[0] &&
           (n->def->flags & OP_REARRANGES || (node_is(n, &op_cast) && dtype_is_float(n->def->dtype(n, 0))));
}

/* By value id: the value of the main graph that it is, looked at from inside subgraphs, and through nodes that leave it
 * what it is; NULL where it is none. `outside`: the same of the graph around. */
static const struct value **find_roots(struct search *s, const struct graph *g, const struct value *const *outside)
{
    const struct value **root = arena_array(s->arena, g->value_count, sizeof *root, s->report);

    if (!root)
        return NULL;
    for (size_t k = 0; k < g->value_count && !g->parent; k++)
        root[k] = g->values[k];
    for (size_t k = 0; k < g->capture_count; k++)
        root[g->captures[k].inner->id] = outside[g->captures[k].outer->id];
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];

        if (keeps_numbers(n))
            root[n->out[0]->id] = root[n->in[0]->id];
    }
    return root;
}

/* The message behind a Constant node of the main graph; NULL inside functions, where several calls share it. */
static const Onnx__AttributeProto *constant_attribute(const struct model *m, const struct value *v)
{
    const struct node *n = v->producer;
    const Onnx__NodeProto *p;

    if (!n || !node_is(n, &op_constant) || n->index < 0 || (size_t)n->index >= m->proto->graph->n_node)
        return NULL;
    p = m->proto->graph->node[n->index];
    if (p->n_output != 1 || strcmp(p->output[0], v->name) != 0 || p->n_attribute != 1)
        return NULL;
    return p->attribute[0];
}

static bool constant_of(struct search *s, const struct value *v, struct tensor *out)
{
    const Onnx__AttributeProto *a;
    struct external none = { 0 };

    if (v->initializer) {
        *out = *v->initializer;
        return true;
    }
    a = constant_attribute(s->model, v);
    if (a && a->t && strcmp(a->name, "value") == 0 && !external_is(a->t)) {
        struct report quiet = { 0 };

        return tensor_of_proto(out, a->t, &none, s->arena, v->name, &quiet);
    }
    if (a && a->n_floats && strcmp(a->name, "value_floats") == 0) {
        *out = (struct tensor){ .dtype = F32, .rank = 1, .dims = { (int64_t)a->n_floats }, .data = a->floats };
        return true;
    }
    return false;
}

/* -- the way of the activations -- */

/* What is known of a graph's values, by their ids. */
struct known_values {
    bool *active;               /* depends on what the caller gives; sizes do not count */
    const struct value **roots; /* find_roots */
};

static bool *activations(struct search *s, const struct graph *g, const bool *outside)
{
    bool *active = arena_array(s->arena, g->value_count, sizeof *active, s->report);

    if (!active)
        return NULL;
    for (size_t k = 0; k < g->input_count; k++)
        active[g->inputs[k]->id] = true;
    for (size_t k = 0; k < g->capture_count; k++)
        active[g->captures[k].inner->id] = outside[g->captures[k].outer->id];
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = g->nodes[k];
        bool any = false;

        for (int i = 0; i < n->inputs + n->captured; i++)
            any |= n->in[i] && active[n->in[i]->id];
        for (int o = 0; o < n->slots && any && !(n->def->flags & OP_SHAPE_ONLY); o++)
            if (n->out[o])
                active[n->out[o]->id] = true;
    }
    return active;
}

/* What a layer makes of a weight: a single number behind it may be the bias of a single unit. */
static bool is_product(const struct value *v)
{
    const struct node *n = v ? v->producer : NULL;

    for (int k = 0; n && k < n->inputs; k++)
        if (node_parameter(n, k) && strcmp(node_parameter(n, k)->name, "weight") == 0)
            return true;
    return false;
}

static bool is_trained(enum dtype dtype)
{
    return dtype_is_float(dtype) && !dtype_is_small(dtype);
}

/* Why a constant stays as it is; NULL where it trains. */
static const char *reason_against(const struct op_parameter *p, const struct node *n, const struct tensor *t)
{
    if (!is_trained(t->dtype))
        return "has less than 16 bits";
    if (p->use == PARAMETER_IS_STATISTIC)
        return NULL;
    if (p->use == PARAMETER_TRAINS_UNLESS_SCALAR && tensor_count(t) == 1 &&
        !(t->rank && is_product(n->in[1 - p->input])))
        return "a scalar";
    return tensor_count(t) ? NULL : "has no elements";
}

/* -- collecting -- */

static struct parameter *add(struct search *s, const struct value *v, const struct tensor *t)
{
    struct parameter *p = &s->out->at[s->out->count++];

    *p = (struct parameter){
        .value = v, .initial = *t, .role = ROLE_CONSTANT, .why = "no place where something is learned"
    };
    s->of[v->id] = p;
    return p;
}

static bool note(struct search *s, const struct op_parameter *place, const struct node *n, const struct value *v,
                 const struct tensor *t)
{
    struct parameter *p = s->of[v->id];
    const char *against = reason_against(place, n, t);

    if (!p)
        p = add(s, v, t);
    if (against) {
        if (p->role == ROLE_CONSTANT && !p->reader)
            p->why = against;
        return true;
    }
    p->readers++;
    if (p->reader)
        return true;
    p->reader = n;
    p->input = place->input;
    p->role = place->use == PARAMETER_IS_STATISTIC ? ROLE_STATISTIC : ROLE_TRAINABLE;
    p->why = arena_printf(s->arena, s->report, "%s of %s", place->name, n->op_name);
    return p->why;
}

/* The node whose row says what is learned: that of the file whose expansion `n` is a part of, or `n` where that one
 * does not say. */
static const struct node *parameter_reader(const struct node *n)
{
    const struct node *origin = node_origin(n);

    return origin->def->parameters ? origin : n;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse. */
static bool visit(struct search *s, const struct graph *g, const struct known_values *outside)
{
    const struct known_values own = { activations(s, g, outside ? outside->active : NULL),
                                      find_roots(s, g, outside ? outside->roots : NULL) };
    const bool *active = own.active;

    if (!active || !own.roots)
        return false;
    for (size_t k = 0; k < g->node_count; k++) {
        const struct node *n = parameter_reader(g->nodes[k]);
        bool reached = false;

        if (k && n == parameter_reader(g->nodes[k - 1])) /* another part of its expansion */
            continue;
        for (int i = 0; i < n->inputs; i++)
            reached |= n->in[i] && active[n->in[i]->id];
        for (const struct op_parameter *p = n->def->parameters; reached && p && p->use; p++) {
            const struct value *v = p->input < n->inputs ? n->in[p->input] : NULL;
            struct tensor t;

            if (!v || active[v->id])
                continue;
            v = own.roots[v->id];
            if (v && constant_of(s, v, &t) && dtype_is_float(t.dtype) && !note(s, p, n, v, &t))
                return false;
        }
        for (int i = 0; i < n->graphs; i++)
            if (!visit(s, n->graph_of[i], &own))
                return false;
    }
    return true;
}

static bool freeze_matching(struct search *s, const char *pattern)
{
    bool any = false;

    for (size_t k = 0; k < s->out->count; k++) {
        struct parameter *p = &s->out->at[k];

        if ((p->role != ROLE_TRAINABLE && p->role != ROLE_FROZEN) || fnmatch(pattern, p->value->name, 0) != 0)
            continue;
        any = true;
        p->role = ROLE_FROZEN;
        p->why = arena_printf(s->arena, s->report, "frozen by '%s'", pattern);
        if (!p->why)
            return false;
    }
    return any || fail(s->report, KILN_BAD_ARGUMENT, NULL, "'%s' names no trainable parameter, nothing can be frozen",
                       pattern);
}

bool parameters_find(struct parameters *out, const struct model *m, size_t freezes, const char *const *freeze,
                     struct arena *arena, struct report *r)
{
    const struct graph *g = m->graph;
    struct search s = { .model = m, .out = out, .arena = arena, .report = r };
    bool ok;

    out->count = 0;
    out->at = arena_array(arena, g->value_count, sizeof *out->at, r);
    s.of = arena_array(arena, g->value_count, sizeof *s.of, r);
    ok = out->at && s.of && visit(&s, g, NULL);
    for (size_t k = 0; ok && k < g->value_count; k++) {
        const struct value *v = g->values[k];

        if (!s.of[k] && v->initializer && dtype_is_float(v->initializer->dtype))
            add(&s, v, v->initializer);
    }
    for (size_t k = 0; ok && k < freezes; k++)
        ok = freeze_matching(&s, freeze[k]);
    return ok;
}

int64_t parameters_elements(const struct parameters *p, enum role role)
{
    int64_t n = 0;

    for (size_t k = 0; k < p->count; k++)
        if (p->at[k].role == role)
            n += tensor_count(&p->at[k].initial);
    return n;
}
