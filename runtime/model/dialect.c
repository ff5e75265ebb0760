#include "model/dialect.h"
#include "base/map.h"
#include "model/message.h"
#include "ops/registry.h"
#include <stdio.h>
#include <string.h>

/* The nodes before that of the subtraction: Constant, CastLike, Erf. CastLike makes a 1 of a type that the messages
 * need not tell; before it is there (opset 15) x is taken for float. */
enum { BEFORE = 3, ERF_SINCE = 9, CAST_LIKE_SINCE = 15 };
/* A node may be as deep as messages go, its tensor is deeper. */
enum { DEEPEST_NODE = MESSAGE_DEPTH - 2 };

/* A list of nodes, of a graph or of a function: the other is NULL. */
struct place {
    Onnx__NodeProto ***nodes;
    size_t *count;
    const Onnx__GraphProto *graph;
    const Onnx__FunctionProto *function;
    int depth; /* of its nodes */
};

struct dialect {
    struct budget *budget;
    struct report *report;
    struct map names; /* all that values have: keys alone */
    int64_t opset;    /* where we are */
    int64_t nodes;    /* that were translated */
    const char *first;
    unsigned next_name;
    bool (*visit)(struct dialect *d, const struct place *p);
};

static bool of_standard(const char *domain)
{
    return !*or_empty(domain) || strcmp(domain, "ai.onnx") == 0;
}

static int64_t opset_of(Onnx__OperatorSetIdProto *const *sets, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (of_standard(sets[k]->domain))
            return sets[k]->version;
    return 0;
}

/* -- all lists of nodes -- */

static bool each_place(struct dialect *d, const struct place *p);

static bool each_graph(struct dialect *d, Onnx__GraphProto *g, int depth)
{
    return each_place(d, &(struct place){ .nodes = &g->node, .count = &g->n_node, .graph = g, .depth = depth });
}

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so this may recurse. What is nested comes first: it stays where it is
 * when its node moves. */
static bool each_place(struct dialect *d, const struct place *p)
{
    for (size_t k = 0; k < *p->count; k++) {
        const Onnx__NodeProto *n = (*p->nodes)[k];

        for (size_t a = 0; a < n->n_attribute; a++) {
            const Onnx__AttributeProto *at = n->attribute[a];

            if (at->g && !each_graph(d, at->g, p->depth + 3))
                return false;
            for (size_t g = 0; g < at->n_graphs; g++)
                if (!each_graph(d, at->graphs[g], p->depth + 3))
                    return false;
        }
    }
    return d->visit(d, p);
}

static bool each_place_of_model(struct dialect *d, Onnx__ModelProto *m)
{
    bool ok;

    d->opset = opset_of(m->opset_import, m->n_opset_import);
    ok = !m->graph || each_graph(d, m->graph, 3);
    for (size_t k = 0; ok && k < m->n_functions; k++) {
        Onnx__FunctionProto *const f = m->functions[k];

        d->opset = opset_of(f->opset_import, f->n_opset_import);
        ok = each_place(d, &(struct place){ .nodes = &f->node, .count = &f->n_node, .function = f, .depth = 3 });
    }
    return ok;
}

/* -- what is foreign -- */

static bool is_erfc(const struct dialect *d, const Onnx__NodeProto *n, int depth)
{
    return strcmp(or_empty(n->op_type), "Erfc") == 0 && of_standard(n->domain) && !*or_empty(n->overload) &&
           n->n_input == 1 && *n->input[0] && n->n_output == 1 && *n->output[0] && !n->n_attribute &&
           d->opset >= ERF_SINCE && depth <= DEEPEST_NODE;
}

static size_t count_erfc(const struct dialect *d, const struct place *p)
{
    size_t n = 0;

    for (size_t k = 0; k < *p->count; k++)
        n += is_erfc(d, (*p->nodes)[k], p->depth);
    return n;
}

/* Ends the walk at the first one. */
static bool find_foreign(struct dialect *d, const struct place *p)
{
    return !count_erfc(d, p);
}

static bool has_function(const Onnx__ModelProto *m)
{
    for (size_t k = 0; k < m->n_functions; k++)
        if (of_standard(m->functions[k]->domain) && strcmp(or_empty(m->functions[k]->name), "Erfc") == 0)
            return true;
    return false;
}

/* -- names -- */

static bool note(struct dialect *d, const char *name)
{
    return !name || map_put(&d->names, name, d->report);
}

static bool note_names(struct dialect *d, const struct place *p)
{
    const Onnx__GraphProto *const g = p->graph;
    bool ok = true;

    for (size_t k = 0; ok && g && k < g->n_input; k++)
        ok = note(d, g->input[k]->name);
    for (size_t k = 0; ok && g && k < g->n_initializer; k++)
        ok = note(d, g->initializer[k]->name);
    for (size_t k = 0; ok && !g && k < p->function->n_input; k++)
        ok = note(d, p->function->input[k]);
    for (size_t k = 0; ok && k < *p->count; k++)
        for (size_t i = 0; ok && i < (*p->nodes)[k]->n_output; i++)
            ok = note(d, (*p->nodes)[k]->output[i]);
    return ok;
}

/* "STEM.WHAT", or with a number behind it; NULL when memory ran out. */
static char *fresh_name(struct dialect *d, const char *stem, const char *what)
{
    const size_t room = strlen(stem) + strlen(what) + 24;
    char *name = budget_alloc(d->budget, room, d->report);

    if (!name)
        return NULL;
    snprintf(name, room, "%s.%s", stem, what);
    while (map_has(&d->names, name)) /* no number is tried twice: a file cannot make this long */
        snprintf(name, room, "%s.%s.%u", stem, what, ++d->next_name);
    if (map_put(&d->names, name, d->report))
        return name;
    budget_free(d->budget, name);
    return NULL;
}

/* -- saying it -- */

static bool set_text(struct dialect *d, char **to, const char *s)
{
    char *const text = message_string(s, strlen(s), d->budget, d->report);

    if (!text)
        return false;
    budget_free(d->budget, *to);
    *to = text;
    return true;
}

static bool set_inputs(struct dialect *d, Onnx__NodeProto *n, size_t count, const char *const *names)
{
    char **list = budget_zalloc(d->budget, count, sizeof *list, d->report);

    if (!list)
        return false;
    for (size_t k = 0; k < n->n_input; k++)
        budget_free(d->budget, n->input[k]);
    budget_free(d->budget, n->input);
    n->input = list;
    for (n->n_input = 0; n->n_input < count; n->n_input++)
        if (!set_text(d, &list[n->n_input], names[n->n_input]))
            return false;
    return true;
}

/* A node at *at, which belongs to the model then, and makes one value whose name begins as that of the foreign node's:
 * NULL, or its name. */
static const char *put_node(struct dialect *d, Onnx__NodeProto **at, const struct op *op, const char *stem,
                            const char *what, size_t count, const char *const *inputs)
{
    Onnx__NodeProto *const n = *at = message_new(&onnx__node_proto__descriptor, d->budget, d->report);

    if (!n || !set_text(d, &n->op_type, op->name) || !set_inputs(d, n, count, inputs) ||
        !(n->output = budget_zalloc(d->budget, 1, sizeof *n->output, d->report)) ||
        !(n->output[0] = fresh_name(d, stem, what)))
        return NULL;
    n->n_output = 1;
    return set_text(d, &n->name, n->output[0]) ? n->output[0] : NULL;
}

/* The attribute of a Constant: the number 1. */
static bool put_one(struct dialect *d, Onnx__NodeProto *n)
{
    float one = 1;
    const struct tensor t = { .dtype = F32, .data = &one };
    Onnx__AttributeProto *a;

    n->attribute = budget_zalloc(d->budget, 1, sizeof *n->attribute, d->report);
    if (!n->attribute || !(a = message_new(&onnx__attribute_proto__descriptor, d->budget, d->report)))
        return false;
    n->attribute[n->n_attribute++] = a;
    a->has_type = true;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    return set_text(d, &a->name, "value") &&
           (a->t = message_new(&onnx__tensor_proto__descriptor, d->budget, d->report)) &&
           tensor_to_proto(a->t, NULL, &t, d->budget, d->report);
}

/* `at` has room for the nodes before n, which becomes the subtraction and keeps its name, and that of its value. */
static bool say_erfc(struct dialect *d, Onnx__NodeProto **at, Onnx__NodeProto *n)
{
    const char *const x = n->input[0], *const y = n->output[0];
    const char *const one = put_node(d, at, &op_constant, y, "one", 0, NULL), *of_type = one, *erf;

    if (!one || !put_one(d, *at++))
        return false;
    if (d->opset >= CAST_LIKE_SINCE)
        of_type = put_node(d, at++, &op_cast_like, y, "typed", 2, (const char *const[]){ one, x });
    erf = of_type ? put_node(d, at, &op_erf, y, "erf", 1, &x) : NULL;
    if (!erf || !set_text(d, &n->op_type, op_sub.name) || !set_inputs(d, n, 2, (const char *const[]){ of_type, erf }))
        return false;
    d->first = d->first ? d->first : y;
    d->nodes++;
    return true;
}

static bool translate(struct dialect *d, const struct place *p)
{
    const size_t before = d->opset >= CAST_LIKE_SINCE ? BEFORE : BEFORE - 1;
    const size_t more = before * count_erfc(d, p);
    Onnx__NodeProto **list;
    size_t n = 0;

    if (!more)
        return true;
    list = budget_zalloc(d->budget, *p->count + more, sizeof *list, d->report);
    if (!list)
        return false;
    for (size_t k = 0; k < *p->count; k++) { /* with gaps at first: from then on all of it belongs to the model */
        n += is_erfc(d, (*p->nodes)[k], p->depth) ? before : 0;
        list[n++] = (*p->nodes)[k];
    }
    budget_free(d->budget, *p->nodes);
    *p->nodes = list;
    *p->count = n;
    for (size_t k = 0; k < n; k++)
        if (list[k] && is_erfc(d, list[k], p->depth) &&
            (!budget_in_time(d->budget, NULL, d->report) || !say_erfc(d, list + k - before, list[k])))
            return false;
    return true;
}

bool dialect_translate(struct model *m, struct report *r)
{
    struct dialect d = { .budget = &m->budget, .report = r, .visit = find_foreign };
    bool ok;

    if (each_place_of_model(&d, m->proto) || has_function(m->proto))
        return true;
    map_init(&d.names, d.budget);
    d.visit = note_names;
    ok = each_place_of_model(&d, m->proto);
    d.visit = translate;
    ok = ok && each_place_of_model(&d, m->proto);
    if (ok)
        warn(r, NULL, "'Erfc' is no operator of ONNX, and is read as 1 - Erf(x): %lld times, the first makes '%s'",
             (long long)d.nodes, d.first);
    map_release(&d.names);
    return ok;
}
