#include "train/edit.h"
#include "graph/message.h"
#include <stdio.h>
#include <string.h>

struct edit edit_start(struct model *m, struct report *r)
{
    return (struct edit){ .graph = m->proto->graph, .budget = &m->budget, .report = r };
}

/* A message may leave a name out. */
static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static char *copy_text(struct edit *e, const char *s)
{
    return message_string(s, strlen(s), e->budget, e->report);
}

/* -- lists: protobuf-c keeps them exactly as long as they are
 * -------------------------------------------------------------- */

/* A longer list, with room at place `at`; NULL, and the old one as it was, when memory runs out. */
static void **widened(struct edit *e, void *old, size_t count, size_t at)
{
    void **list = budget_alloc(e->budget, (count + 1) * sizeof *list, e->report);

    if (!list)
        return NULL;
    if (at)
        memcpy(list, old, at * sizeof *list);
    if (count > at)
        memcpy(list + at + 1, (void **)old + at, (count - at) * sizeof *list);
    list[at] = NULL;
    budget_free(e->budget, old);
    return list;
}

static void close_gap(void *list, size_t *count, size_t at)
{
    void **p = list;

    memmove(p + at, p + at + 1, (*count - at - 1) * sizeof *p);
    --*count;
}

/* -- names
 * ------------------------------------------------------------------------------------------------------------------ */

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so this may recurse. */
static int readers_in(const Onnx__GraphProto *g, const char *name)
{
    int n = 0;

    for (size_t k = 0; k < g->n_output; k++)
        n += same(g->output[k]->name, name);
    for (size_t k = 0; k < g->n_node; k++) {
        for (size_t i = 0; i < g->node[k]->n_input; i++)
            n += same(g->node[k]->input[i], name);
        for (size_t a = 0; a < g->node[k]->n_attribute; a++)
            if (g->node[k]->attribute[a]->g)
                n += readers_in(g->node[k]->attribute[a]->g, name);
    }
    return n;
}

int edit_readers(const struct edit *e, const char *name)
{
    return readers_in(e->graph, name);
}

static bool defined_in(const Onnx__GraphProto *g, const char *name)
{
    for (size_t k = 0; k < g->n_initializer; k++)
        if (same(g->initializer[k]->name, name))
            return true;
    for (size_t k = 0; k < g->n_input; k++)
        if (same(g->input[k]->name, name))
            return true;
    for (size_t k = 0; k < g->n_node; k++) {
        for (size_t o = 0; o < g->node[k]->n_output; o++)
            if (same(g->node[k]->output[o], name))
                return true;
        for (size_t a = 0; a < g->node[k]->n_attribute; a++)
            if (g->node[k]->attribute[a]->g && defined_in(g->node[k]->attribute[a]->g, name))
                return true;
    }
    return false;
}

char *edit_fresh_name(struct edit *e, const char *stem)
{
    const size_t room = strlen(stem) + 16;
    char *name = budget_alloc(e->budget, room, e->report);

    if (!name)
        return NULL;
    snprintf(name, room, "%s", stem);
    while (defined_in(e->graph, name))
        snprintf(name, room, "%s.%u", stem, ++e->next_name);
    return name;
}

/* -- initializers
 * ------------------------------------------------------------------------------------------------------------- */

Onnx__TensorProto *edit_initializer(const struct edit *e, const char *name)
{
    for (size_t k = 0; k < e->graph->n_initializer; k++)
        if (same(e->graph->initializer[k]->name, name))
            return e->graph->initializer[k];
    return NULL;
}

static void drop_list(struct edit *e, void *list, size_t *count)
{
    void **p = list;

    budget_free(e->budget, *p);
    *p = NULL;
    *count = 0;
}

static void drop_content(struct edit *e, Onnx__TensorProto *t)
{
    drop_list(e, &t->dims, &t->n_dims);
    drop_list(e, &t->float_data, &t->n_float_data);
    drop_list(e, &t->int32_data, &t->n_int32_data);
    drop_list(e, &t->int64_data, &t->n_int64_data);
    drop_list(e, &t->double_data, &t->n_double_data);
    drop_list(e, &t->uint64_data, &t->n_uint64_data);
    for (size_t k = 0; k < t->n_external_data; k++)
        message_free(t->external_data[k], e->budget);
    drop_list(e, &t->external_data, &t->n_external_data);
    t->has_data_location = false;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    if (t->has_raw_data)
        budget_free(e->budget, t->raw_data.data);
    t->has_raw_data = false;
    t->raw_data = (ProtobufCBinaryData){ 0 };
}

bool edit_tensor(struct edit *e, Onnx__TensorProto *to, const struct tensor *t)
{
    drop_content(e, to);
    return tensor_to_proto(to, NULL, t, e->budget, e->report);
}

bool edit_add_initializer(struct edit *e, const char *name, const struct tensor *t)
{
    Onnx__TensorProto *p = message_new(&onnx__tensor_proto__descriptor, e->budget, e->report);
    void **list;

    if (!p || !tensor_to_proto(p, name, t, e->budget, e->report) ||
        !(list = widened(e, e->graph->initializer, e->graph->n_initializer, e->graph->n_initializer))) {
        message_free(p, e->budget);
        return false;
    }
    list[e->graph->n_initializer++] = p;
    e->graph->initializer = (Onnx__TensorProto **)list;
    return true;
}

void edit_drop_initializer(struct edit *e, const char *name)
{
    for (size_t k = 0; k < e->graph->n_initializer; k++)
        if (same(e->graph->initializer[k]->name, name)) {
            message_free(e->graph->initializer[k], e->budget);
            close_gap(e->graph->initializer, &e->graph->n_initializer, k);
            return;
        }
}

void edit_drop_graph_input(struct edit *e, const char *name)
{
    for (size_t k = 0; k < e->graph->n_input; k++)
        if (same(e->graph->input[k]->name, name)) {
            message_free(e->graph->input[k], e->budget);
            close_gap(e->graph->input, &e->graph->n_input, k);
            return;
        }
}

void edit_drop_value_info(struct edit *e, const char *name)
{
    for (size_t k = 0; k < e->graph->n_value_info; k++)
        if (same(e->graph->value_info[k]->name, name)) {
            message_free(e->graph->value_info[k], e->budget);
            close_gap(e->graph->value_info, &e->graph->n_value_info, k);
            return;
        }
}

/* -- nodes
 * --------------------------------------------------------------------------------------------------------------------
 */

Onnx__NodeProto *edit_insert_node(struct edit *e, size_t at, const char *op, const char *name)
{
    Onnx__NodeProto *n = message_new(&onnx__node_proto__descriptor, e->budget, e->report);
    void **list;

    if (!n || !(n->op_type = copy_text(e, op)) || (name && !(n->name = copy_text(e, name))) ||
        !(list = widened(e, e->graph->node, e->graph->n_node, at))) {
        message_free(n, e->budget);
        return NULL;
    }
    list[at] = n;
    e->graph->node = (Onnx__NodeProto **)list;
    e->graph->n_node++;
    return n;
}

void edit_drop_node(struct edit *e, size_t at)
{
    message_free(e->graph->node[at], e->budget);
    close_gap(e->graph->node, &e->graph->n_node, at);
}

static void cut(struct edit *e, char **list, size_t *count, size_t to)
{
    while (*count > to)
        budget_free(e->budget, list[--*count]);
}

static bool set_names(struct edit *e, char ***list, size_t *count, size_t n, const char *const *names)
{
    char **made = budget_zalloc(e->budget, n, sizeof *made, e->report);

    if (!made)
        return false;
    for (size_t k = 0; k < n; k++)
        if (!(made[k] = copy_text(e, names[k]))) {
            cut(e, made, &k, 0);
            budget_free(e->budget, made);
            return false;
        }
    cut(e, *list, count, 0);
    budget_free(e->budget, *list);
    *list = made;
    *count = n;
    return true;
}

bool edit_set_inputs(struct edit *e, Onnx__NodeProto *n, size_t count, const char *const *names)
{
    return set_names(e, &n->input, &n->n_input, count, names);
}

bool edit_set_outputs(struct edit *e, Onnx__NodeProto *n, size_t count, const char *const *names)
{
    return set_names(e, &n->output, &n->n_output, count, names);
}

bool edit_set_input(struct edit *e, Onnx__NodeProto *n, size_t k, const char *name)
{
    char *s = copy_text(e, name);

    if (!s)
        return false;
    budget_free(e->budget, n->input[k]);
    n->input[k] = s;
    return true;
}

void edit_cut_inputs(struct edit *e, Onnx__NodeProto *n, size_t count)
{
    cut(e, n->input, &n->n_input, count);
}

void edit_cut_outputs(struct edit *e, Onnx__NodeProto *n, size_t count)
{
    cut(e, n->output, &n->n_output, count);
}

Onnx__AttributeProto *node_attribute(const Onnx__NodeProto *n, const char *name)
{
    for (size_t k = 0; k < n->n_attribute; k++)
        if (same(n->attribute[k]->name, name))
            return n->attribute[k];
    return NULL;
}

static Onnx__AttributeProto *attribute_made(struct edit *e, Onnx__NodeProto *n, const char *name)
{
    Onnx__AttributeProto *a = node_attribute(n, name);
    void **list;

    if (a)
        return a;
    a = message_new(&onnx__attribute_proto__descriptor, e->budget, e->report);
    if (!a || !(a->name = copy_text(e, name)) || !(list = widened(e, n->attribute, n->n_attribute, n->n_attribute))) {
        message_free(a, e->budget);
        return NULL;
    }
    list[n->n_attribute++] = a;
    n->attribute = (Onnx__AttributeProto **)list;
    a->has_type = true;
    return a;
}

bool edit_set_float(struct edit *e, Onnx__NodeProto *n, const char *name, float value)
{
    Onnx__AttributeProto *a = attribute_made(e, n, name);

    if (!a)
        return false;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    a->has_f = true;
    a->f = value;
    return true;
}

bool edit_set_int(struct edit *e, Onnx__NodeProto *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute_made(e, n, name);

    if (!a)
        return false;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    a->has_i = true;
    a->i = value;
    return true;
}

bool edit_set_ints(struct edit *e, Onnx__NodeProto *n, const char *name, size_t count, const int64_t *values)
{
    int64_t *copy = budget_alloc(e->budget, count * sizeof *copy, e->report);
    Onnx__AttributeProto *a = copy ? attribute_made(e, n, name) : NULL;

    if (!a) {
        budget_free(e->budget, copy);
        return false;
    }
    memcpy(copy, values, count * sizeof *copy);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    budget_free(e->budget, a->ints);
    a->ints = copy;
    a->n_ints = count;
    return true;
}
