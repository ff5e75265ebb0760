#include "graphdef.h"
#include <stdlib.h>
#include <string.h>

/* A place where a layer makes a value, or reads it. */
struct place {
    const char *value;
    bool made;
    size_t node, slot;
};

struct builder {
    const kiln_model *model;
    const kiln_summary *summary;
    Board__GraphDef *graph;
    struct place *places;
    size_t count;
    bool failed; /* there was no memory */
};

/* -- nodes -- */

/* As TensorFlow's names are: what stands before a ':' is a node, what begins with '^' is no data. */
static char *clean_name(const char *name)
{
    struct page shown = { 0 };

    page_say(&shown, "%s", name + strspn(name, "/^"));
    if (!shown.failed && !shown.length)
        page_printf(&shown, "node");
    for (size_t k = 0; !shown.failed && k < shown.length; k++)
        if (shown.text[k] == ':')
            shown.text[k] = '_';
    return shown.failed ? NULL : shown.text; /* a page of no command holds memory of malloc's */
}

static Board__Node *add_node(struct builder *b, const char *name, const char *op, size_t inputs)
{
    Board__Node *n = malloc(sizeof *n);

    b->failed |= !n;
    if (!n)
        return NULL;
    board__node__init(n);
    b->graph->node[b->graph->n_node++] = n;
    n->name = clean_name(name);
    n->op = strdup(op);
    n->input = calloc(inputs + 1, sizeof *n->input);
    b->failed |= !n->name || !n->op || !n->input;
    return n;
}

/* One dimension more, -1 for one that is open. */
static bool add_dim(Board__Shape *s, int64_t size)
{
    Board__Shape__Dim **more = realloc(s->dim, (s->n_dim + 1) * sizeof *more);

    if (!more)
        return false;
    s->dim = more;
    more[s->n_dim] = malloc(sizeof **more);
    if (!more[s->n_dim])
        return false;
    board__shape__dim__init(more[s->n_dim]);
    more[s->n_dim++]->size = size;
    return true;
}

/* The attribute of the first output's shape, which is then to be filled; NULL without memory. */
static Board__Shape *add_shape(Board__Node *n)
{
    Board__Node__Attr *attr = malloc(sizeof *attr);
    Board__AttrValue *value = malloc(sizeof *value);
    Board__AttrValue__List *list = malloc(sizeof *list);
    Board__Shape *shape = malloc(sizeof *shape), **shapes = malloc(sizeof *shapes);

    n->attr = malloc(sizeof *n->attr);
    if (!attr || !value || !list || !shape || !shapes || !n->attr) {
        free(attr);
        free(value);
        free(list);
        free(shape);
        free(shapes);
        return NULL;
    }
    board__node__attr__init(attr);
    board__attr_value__init(value);
    board__attr_value__list__init(list);
    board__shape__init(shape);
    *n->attr = attr;
    n->n_attr = 1;
    attr->key = strdup("_output_shapes");
    attr->value = value;
    value->list = list;
    list->n_shape = 1;
    list->shape = shapes;
    *shapes = shape;
    return attr->key ? shape : NULL;
}

/* "float[N,28,28,32]"; nothing where there is no shape. */
static void add_shape_of_type(struct builder *b, Board__Node *n, const char *type)
{
    const char *at = strchr(type, '[');
    Board__Shape *shape = at && n ? add_shape(n) : NULL;

    b->failed |= at && !shape;
    while (shape && *at && *++at != ']' && *at) {
        char *end;
        const long long size = strtoll(at, &end, 10);

        b->failed |= !add_dim(shape, end > at && (*end == ',' || *end == ']') ? size : -1);
        at += strcspn(at, ",]");
        if (*at == ']')
            break;
    }
}

static void add_layers(struct builder *b)
{
    for (size_t k = 0; k < kiln_summary_layer_count(b->summary); k++) {
        const kiln_layer *l = kiln_summary_layer(b->summary, k);
        size_t at = 0;

        add_shape_of_type(b, add_node(b, l->name, l->op, l->inputs), l->type);
        for (size_t o = 0; o < l->outputs; o++)
            if (*l->output[o])
                b->places[b->count++] = (struct place){ l->output[o], true, k, o };
        for (size_t i = 0; i < l->inputs; i++)
            if (*l->input[i])
                b->places[b->count++] = (struct place){ l->input[i], false, k, at++ };
    }
}

/* Of what no layer makes. */
static void add_source(struct builder *b, const char *value)
{
    for (size_t k = 0; k < kiln_model_input_count(b->model); k++)
        if (strcmp(kiln_model_input(b->model, k)->name, value) == 0) {
            add_shape_of_type(b, add_node(b, value, "Placeholder", 0), kiln_summary_input_type(b->summary, k));
            return;
        }
    for (size_t k = 0; k < kiln_summary_parameter_count(b->summary); k++) {
        const kiln_parameter *p = kiln_summary_parameter(b->summary, k);

        if (strcmp(p->name, value) == 0) {
            Board__Node *n = add_node(b, value, p->role == KILN_CONSTANT ? "Const" : "Variable", 0);
            Board__Shape *shape = n ? add_shape(n) : NULL;

            b->failed |= !shape;
            for (int d = 0; shape && d < p->rank; d++)
                b->failed |= !add_dim(shape, p->dims[d]);
            return;
        }
    }
    add_node(b, value, "Const", 0);
}

/* -- edges -- */

/* The same values together, first where they are made. */
static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    const int order = strcmp(x->value, y->value);

    return order ? order : (int)y->made - (int)x->made;
}

/* Each place learns which node makes the value, and as which output. */
struct origin {
    size_t node, slot;
};

static void find_origins(struct builder *b, struct origin *origin)
{
    qsort(b->places, b->count, sizeof *b->places, compare_places);
    for (size_t k = 0; k < b->count && !b->failed; k++) {
        const bool first = !k || strcmp(b->places[k].value, b->places[k - 1].value) != 0;

        if (!first)
            origin[k] = origin[k - 1];
        else if (b->places[k].made)
            origin[k] = (struct origin){ b->places[k].node, b->places[k].slot };
        else {
            origin[k] = (struct origin){ b->graph->n_node, 0 };
            add_source(b, b->places[k].value);
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(Board__Node *const *)a)->name, (*(Board__Node *const *)b)->name);
}

/* Nodes and values may have the same names in ONNX; here all differ. */
static void name_apart(struct builder *b)
{
    const size_t count = b->graph->n_node;
    Board__Node **sorted = malloc((count + 1) * sizeof *sorted);

    b->failed |= !sorted;
    if (sorted && !b->failed) {
        memcpy(sorted, b->graph->node, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_names);
    }
    for (size_t k = 1, same = 0; k < count && !b->failed; k++) {
        char *name = NULL;

        same = strcmp(sorted[k]->name, sorted[k - 1 - same]->name) == 0 ? same + 1 : 0;
        if (!same)
            continue;
        b->failed = asprintf(&name, "%s__%zu", sorted[k]->name, same) < 0;
        if (!b->failed) {
            free(sorted[k]->name);
            sorted[k]->name = name;
        }
    }
    free(sorted);
}

static void add_edges(struct builder *b, const struct origin *origin)
{
    for (size_t k = 0; k < b->count && !b->failed; k++) {
        const struct place *p = &b->places[k];
        const char *from = b->graph->node[origin[k].node]->name;
        Board__Node *to = b->graph->node[p->node];
        char *input = NULL;

        if (p->made)
            continue;
        if (origin[k].slot)
            b->failed = asprintf(&input, "%s:%zu", from, origin[k].slot) < 0;
        else
            b->failed = !(input = strdup(from));
        if (b->failed)
            return;
        to->input[p->slot] = input;
        to->n_input = p->slot + 1 > to->n_input ? p->slot + 1 : to->n_input;
    }
}

/* -- all of it -- */

static void build(struct builder *b)
{
    const size_t layers = kiln_summary_layer_count(b->summary);
    struct origin *origin;
    size_t most = 0;

    for (size_t k = 0; k < layers; k++)
        most += kiln_summary_layer(b->summary, k)->inputs + kiln_summary_layer(b->summary, k)->outputs;
    b->graph->node = calloc(layers + most + 1, sizeof *b->graph->node);
    b->places = calloc(most + 1, sizeof *b->places);
    origin = calloc(most + 1, sizeof *origin);
    b->failed = !b->graph->node || !b->places || !origin;
    if (!b->failed) {
        add_layers(b);
        find_origins(b, origin);
        name_apart(b);
        add_edges(b, origin);
    }
    free(origin);
    free(b->places);
}

bool graphdef_write(struct events *to, const kiln_model *model, struct command *c)
{
    struct builder b = { .model = model, .graph = malloc(sizeof *b.graph) };
    kiln_summary *summary = NULL;
    bool ok;

    if (!b.graph)
        return command_no_memory(c);
    board__graph_def__init(b.graph);
    ok = kiln_summary_new(&summary, model, &c->err) == KILN_OK;
    b.summary = summary;
    if (ok)
        build(&b);
    if (ok && !b.failed)
        events_graph(to, b.graph);
    board__graph_def__free_unpacked(b.graph, NULL);
    kiln_summary_free(summary);
    return ok && (!b.failed || command_no_memory(c));
}
