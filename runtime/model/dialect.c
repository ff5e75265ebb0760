#include "model/dialect.h"
#include "base/map.h"
#include "model/message.h"
#include "ops/registry.h"
#include <stdio.h>
#include <string.h>

/* CastLike gives a constant a type that the messages need not tell; before it is there x is taken for float. */
enum { CAST_LIKE_SINCE = 15 };
/* A node may be as deep as messages go, its tensor is deeper. */
enum { DEEPEST_NODE = MESSAGE_DEPTH - 2 };

/* -- what exporters write -- */

/* A node; the last one of an expansion is what becomes of the foreign node, and keeps its names. */
struct line {
    const struct op *op; /* NULL: a constant, `number`, of the type of x */
    const char *what;    /* its value's name, behind that of the foreign node's */
    float number;
    const char *inputs; /* "x1": x, and what line 1 makes; not x in the last one, whose own inputs are gone then */
};

enum { MAX_LINES = 8 };

/* Of one input, x, one output, and no attribute. */
struct foreign {
    const char *name, *formula;
    int since; /* the opset that has what it becomes */
    struct line lines[MAX_LINES];
};

/* What tf2onnx leaves of TensorFlow's operators, since it knows nothing that they could become, is said in nodes here:
 * Keras' gelu has Erfc, its celu Expm1. Exp(x) - 1 would lose the digits of what is near 0; log(1 + x) does, but no
 * formula of standard nodes keeps them and has a gradient that does. */
static const struct foreign dialect[] = {
    { "Erfc", "1 - Erf(x)", 9, { { NULL, "one", 1, "" }, { &op_erf, "erf", 0, "x" }, { &op_sub, NULL, 0, "01" } } },
    { "Expm1",
      "Tanh(x / 2) * (Exp(x) + 1)",
      7,
      { { NULL, "half", .5f, "" },
        { &op_mul, "halved", 0, "x0" },
        { &op_tanh, "tanh", 0, "1" },
        { NULL, "one", 1, "" },
        { &op_exp, "exp", 0, "x" },
        { &op_add, "more", 0, "43" },
        { &op_mul, NULL, 0, "25" } } },
    { "Log1p", "Log(1 + x)", 7, { { NULL, "one", 1, "" }, { &op_add, "more", 0, "0x" }, { &op_log, NULL, 0, "1" } } },
};
enum { FOREIGN = sizeof dialect / sizeof *dialect };

static bool is_last(const struct line *l)
{
    return !l->what;
}

/* -- all lists of nodes -- */

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
    struct {
        bool theirs;   /* the model has a function of that name */
        int64_t nodes; /* that were translated */
        const char *first;
    } found[FOREIGN];
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

/* Its place in the table; FOREIGN where it has none, or is not for us to say otherwise. */
static int foreign_of(const struct dialect *d, const Onnx__NodeProto *n, int depth)
{
    int k = 0;

    while (k < FOREIGN && strcmp(or_empty(n->op_type), dialect[k].name) != 0)
        k++;
    return k < FOREIGN && !d->found[k].theirs && of_standard(n->domain) && !*or_empty(n->overload) && n->n_input == 1 &&
                   *n->input[0] && n->n_output == 1 && *n->output[0] && !n->n_attribute &&
                   d->opset >= dialect[k].since && depth <= DEEPEST_NODE
               ? k
               : FOREIGN;
}

/* How many nodes are put before a node. */
static size_t nodes_before(const struct dialect *d, const Onnx__NodeProto *n, int depth)
{
    const int k = foreign_of(d, n, depth);
    size_t count = 0;

    for (const struct line *l = dialect[k % FOREIGN].lines; k < FOREIGN && !is_last(l); l++)
        count += !l->op && d->opset >= CAST_LIKE_SINCE ? 2 : 1;
    return count;
}

static size_t count_before(const struct dialect *d, const struct place *p)
{
    size_t n = 0;

    for (size_t k = 0; k < *p->count; k++)
        n += nodes_before(d, (*p->nodes)[k], p->depth);
    return n;
}

/* Ends the walk at the first one. */
static bool find_foreign(struct dialect *d, const struct place *p)
{
    return !count_before(d, p);
}

static void find_functions(struct dialect *d, const Onnx__ModelProto *m)
{
    for (size_t f = 0; f < m->n_functions; f++)
        for (int k = 0; k < FOREIGN; k++)
            if (of_standard(m->functions[f]->domain) && strcmp(or_empty(m->functions[f]->name), dialect[k].name) == 0)
                d->found[k].theirs = true;
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
    for (size_t k = 0; ok && g && k < g->n_sparse_initializer; k++)
        ok = !g->sparse_initializer[k]->values || note(d, g->sparse_initializer[k]->values->name);
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

/* The attribute of a Constant. */
static bool put_number(struct dialect *d, Onnx__NodeProto *n, float number)
{
    const struct tensor t = { .dtype = F32, .data = &number };
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

/* A constant of the type of x at *at, which is moved past its nodes: its name, or NULL. */
static const char *put_constant(struct dialect *d, Onnx__NodeProto ***at, const struct line *l, const char *x,
                                const char *y)
{
    const char *const number = put_node(d, *at, &op_constant, y, l->what, 0, NULL);

    if (!number || !put_number(d, *(*at)++, l->number))
        return NULL;
    if (d->opset < CAST_LIKE_SINCE)
        return number;
    return put_node(d, (*at)++, &op_cast_like, y, "typed", 2, (const char *const[]){ number, x });
}

/* `at` has room for the nodes before n, which becomes the last one and keeps its name, and that of its value. */
static bool say(struct dialect *d, Onnx__NodeProto **at, Onnx__NodeProto *n, int k)
{
    const char *const x = n->input[0], *const y = n->output[0], *made[MAX_LINES], *inputs[2];
    const struct line *l = dialect[k].lines;
    size_t count;

    for (;; l++) {
        for (count = 0; l->inputs[count]; count++)
            inputs[count] = l->inputs[count] == 'x' ? x : made[l->inputs[count] - '0'];
        if (is_last(l))
            break;
        made[l - dialect[k].lines] =
            l->op ? put_node(d, at++, l->op, y, l->what, count, inputs) : put_constant(d, &at, l, x, y);
        if (!made[l - dialect[k].lines])
            return false;
    }
    if (!d->found[k].nodes++)
        d->found[k].first = y;
    return set_text(d, &n->op_type, l->op->name) && set_inputs(d, n, count, inputs);
}

static bool translate(struct dialect *d, const struct place *p)
{
    const size_t more = count_before(d, p);
    Onnx__NodeProto **list;
    size_t n = 0;

    if (!more)
        return true;
    list = budget_zalloc(d->budget, *p->count + more, sizeof *list, d->report);
    if (!list)
        return false;
    for (size_t k = 0; k < *p->count; k++) { /* with gaps at first: from then on all of it belongs to the model */
        n += nodes_before(d, (*p->nodes)[k], p->depth);
        list[n++] = (*p->nodes)[k];
    }
    budget_free(d->budget, *p->nodes);
    *p->nodes = list;
    *p->count = n;
    for (size_t k = 0; k < n; k++) {
        const int of = list[k] ? foreign_of(d, list[k], p->depth) : FOREIGN;

        if (of < FOREIGN && (!budget_in_time(d->budget, NULL, d->report) ||
                             !say(d, list + k - nodes_before(d, list[k], p->depth), list[k], of)))
            return false;
    }
    return true;
}

bool dialect_translate(struct model *m, struct report *r)
{
    struct dialect d = { .budget = &m->budget, .report = r, .visit = find_foreign };
    bool ok;

    find_functions(&d, m->proto);
    if (each_place_of_model(&d, m->proto))
        return true;
    map_init(&d.names, d.budget);
    d.visit = note_names;
    ok = each_place_of_model(&d, m->proto);
    d.visit = translate;
    ok = ok && each_place_of_model(&d, m->proto);
    for (int k = 0; ok && k < FOREIGN; k++)
        if (d.found[k].nodes)
            warn(r, NULL, "'%s' is no operator of ONNX, and is read as %s: %lld times, the first makes '%s'",
                 dialect[k].name, dialect[k].formula, (long long)d.found[k].nodes, d.found[k].first);
    map_release(&d.names);
    return ok;
}
