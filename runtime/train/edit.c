#include "train/edit.h"
#include "model/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What there is of a name. Places are counted from 1, of the first that has it; 0: none. */
struct edit_name {
    int readers, definitions;
    int begun; /* readers at the beginning */
    size_t initializer, input, value_info;
};

/* A node that is to stand at place key / 2: before it, or behind it where the key is odd. */
struct insertion {
    size_t key, number;
    Onnx__NodeProto *node;
};

/* A message may leave a name out. */
static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static char *copy_text(struct edit *e, const char *s)
{
    return message_string(s, strlen(s), e->budget, e->report);
}

/* -- the index -- */

static struct edit_name *find(const struct edit *e, const char *name)
{
    return name ? map_get(&e->names, name) : NULL;
}

/* Made where it is not there; NULL when memory runs out. A key is a copy: names go with their messages. */
static struct edit_name *entry_of(struct edit *e, const char *name)
{
    struct edit_name *n = map_get(&e->names, name);
    const char *key = n ? NULL : arena_string(&e->arena, name, strlen(name), e->report);
    void **slot;

    if (n || !key)
        return n;
    n = arena_alloc(&e->arena, sizeof *n, e->report);
    slot = n ? map_put(&e->names, key, e->report) : NULL;
    if (slot)
        *slot = n;
    return slot ? n : NULL;
}

static bool add_readers(struct edit *e, const char *name, int count)
{
    struct edit_name *n = name ? entry_of(e, name) : NULL;

    if (n)
        n->readers += count;
    if (n && e->counting)
        n->begun += count;
    return n || !name;
}

static bool add_definitions(struct edit *e, const char *name, int count)
{
    struct edit_name *n = name ? entry_of(e, name) : NULL;

    if (n)
        n->definitions += count;
    return n || !name;
}

static bool count_graph(struct edit *e, const Onnx__GraphProto *g, int count);

/* Subgraphs nest no deeper than MESSAGE_DEPTH, so this may recurse. */
static bool count_node(struct edit *e, const Onnx__NodeProto *n, int count)
{
    bool ok = true;

    for (size_t k = 0; ok && k < n->n_input; k++)
        ok = add_readers(e, n->input[k], count);
    for (size_t k = 0; ok && k < n->n_output; k++)
        ok = add_definitions(e, n->output[k], count);
    for (size_t k = 0; ok && k < n->n_attribute; k++)
        ok = !n->attribute[k]->g || count_graph(e, n->attribute[k]->g, count);
    return ok;
}

static bool count_graph(struct edit *e, const Onnx__GraphProto *g, int count)
{
    bool ok = true;

    for (size_t k = 0; ok && k < g->n_output; k++)
        ok = add_readers(e, g->output[k]->name, count);
    for (size_t k = 0; ok && k < g->n_initializer; k++)
        ok = add_definitions(e, g->initializer[k]->name, count);
    for (size_t k = 0; ok && k < g->n_input; k++)
        ok = add_definitions(e, g->input[k]->name, count);
    for (size_t k = 0; ok && k < g->n_node; k++)
        ok = count_node(e, g->node[k], count);
    return ok;
}

/* Of the main graph. From the last on: the first of several counts. */
static bool find_places(struct edit *e)
{
    const Onnx__GraphProto *g = e->graph;
    struct edit_name *n;

    for (size_t k = g->n_initializer; k > 0; k--)
        if ((n = find(e, g->initializer[k - 1]->name)))
            n->initializer = k;
    for (size_t k = g->n_input; k > 0; k--)
        if ((n = find(e, g->input[k - 1]->name)))
            n->input = k;
    for (size_t k = g->n_value_info; k > 0; k--) {
        const char *name = g->value_info[k - 1]->name;

        if (name && !(n = entry_of(e, name)))
            return false;
        if (name)
            n->value_info = k;
    }
    return true;
}

/* -- names of nodes -- */

static bool take_label(struct edit *e, const char *name)
{
    const char *key = arena_string(&e->arena, name, strlen(name), e->report);
    void **slot = key ? map_put(&e->labels, key, e->report) : NULL;

    if (slot)
        *slot = e;
    return slot;
}

static bool take_labels(struct edit *e)
{
    for (size_t k = 0; k < e->graph->n_node; k++) {
        const char *name = e->graph->node[k]->name;

        if (name && *name && !map_get(&e->labels, name) && !take_label(e, name))
            return false;
    }
    return true;
}

/* "NAME", "NAME.1" ...: freed by the message that it goes to. */
static char *fresh_label(struct edit *e, const char *name)
{
    const size_t room = strlen(name) + 16;
    char *label = budget_alloc(e->budget, room, e->report);

    if (!label)
        return NULL;
    snprintf(label, room, "%s", name);
    while (*name && map_get(&e->labels, label))
        snprintf(label, room, "%s.%u", name, ++e->next_name);
    if (!*name || take_label(e, label))
        return label;
    budget_free(e->budget, label);
    return NULL;
}

bool edit_begin(struct edit *e, struct model *m, struct report *r)
{
    *e = (struct edit){ .graph = m->proto->graph,
                        .budget = &m->budget,
                        .report = r,
                        .arena.budget = &m->budget,
                        .lists_inputs = m->proto->ir_version < 4 };
    map_init(&e->names, e->budget);
    map_init(&e->labels, e->budget);
    e->initializer_room = e->graph->n_initializer;
    e->input_room = e->graph->n_input;
    e->value_info_room = e->graph->n_value_info;
    e->counting = true;
    if (!count_graph(e, e->graph, 1) || !find_places(e) || !take_labels(e))
        return false;
    e->counting = false;
    return true;
}

/* -- lists -- */

static void close_gaps(void *list, size_t *count)
{
    void **p = list;
    size_t n = 0;

    for (size_t k = 0; k < *count; k++)
        if (p[k])
            p[n++] = p[k];
    *count = n;
}

static int by_key(const void *a, const void *b)
{
    const struct insertion *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The nodes with those that were inserted, which belong to the graph then. */
static bool insert_nodes(struct edit *e)
{
    Onnx__GraphProto *g = e->graph;
    struct insertion *in = e->insertions;
    Onnx__NodeProto **list =
        e->insertion_count ? budget_zalloc(e->budget, g->n_node + e->insertion_count, sizeof *list, e->report) : NULL;
    size_t n = 0, done = 0;

    if (!list)
        return !e->insertion_count;
    qsort(in, e->insertion_count, sizeof *in, by_key);
    for (size_t k = 0; k < g->n_node; k++) {
        while (done < e->insertion_count && in[done].key <= 2 * k)
            list[n++] = in[done++].node;
        list[n++] = g->node[k];
    }
    while (done < e->insertion_count)
        list[n++] = in[done++].node;
    budget_free(e->budget, g->node);
    g->node = list;
    g->n_node = n;
    e->insertion_count = 0;
    return true;
}

bool edit_end(struct edit *e)
{
    Onnx__GraphProto *g = e->graph;
    const bool ok = insert_nodes(e);

    while (e->insertion_count)
        message_free(e->insertions[--e->insertion_count].node, e->budget);
    close_gaps(g->node, &g->n_node);
    close_gaps(g->initializer, &g->n_initializer);
    close_gaps(g->input, &g->n_input);
    close_gaps(g->output, &g->n_output);
    close_gaps(g->value_info, &g->n_value_info);
    budget_free(e->budget, e->insertions);
    map_release(&e->names);
    map_release(&e->labels);
    arena_release(&e->arena);
    return ok;
}

/* -- names -- */

int edit_readers(const struct edit *e, const char *name)
{
    const struct edit_name *n = find(e, name);

    return n ? n->readers : 0;
}

bool edit_count_reader(struct edit *e, const char *name, int count)
{
    return add_readers(e, name, count);
}

char *edit_fresh_name(struct edit *e, const char *stem)
{
    const size_t room = strlen(stem) + 16;
    char *name = budget_alloc(e->budget, room, e->report);

    if (!name)
        return NULL;
    snprintf(name, room, "%s", stem);
    while (find(e, name) && find(e, name)->definitions > 0)
        snprintf(name, room, "%s.%u", stem, ++e->next_name);
    return name;
}

/* -- initializers -- */

Onnx__TensorProto *edit_initializer(const struct edit *e, const char *name)
{
    const struct edit_name *n = find(e, name);

    return n && n->initializer ? e->graph->initializer[n->initializer - 1] : NULL;
}

Onnx__ValueInfoProto *edit_graph_input(const struct edit *e, const char *name)
{
    const struct edit_name *n = find(e, name);

    return n && n->input ? e->graph->input[n->input - 1] : NULL;
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

static bool add_graph_input(struct edit *e, struct edit_name *n, const char *name, const struct tensor *t)
{
    Onnx__GraphProto *g = e->graph;
    Onnx__ValueInfoProto *v = value_info_of(name, t, e->budget, e->report);

    if (!v || !budget_grow(e->budget, &g->input, &e->input_room, g->n_input + 1, sizeof *g->input, e->report)) {
        message_free(v, e->budget);
        return false;
    }
    g->input[g->n_input++] = v;
    n->input = g->n_input;
    return true;
}

/* `t`: the tensor that it is; NULL where no input may be of that name as well. */
static bool take_initializer(struct edit *e, Onnx__TensorProto *made, const struct tensor *t)
{
    Onnx__GraphProto *g = e->graph;
    struct edit_name *n = entry_of(e, or_empty(made->name));

    if (!n || !budget_grow(e->budget, &g->initializer, &e->initializer_room, g->n_initializer + 1,
                           sizeof *g->initializer, e->report)) {
        message_free(made, e->budget);
        return false;
    }
    g->initializer[g->n_initializer++] = made;
    n->definitions++;
    if (!n->initializer)
        n->initializer = g->n_initializer;
    return !e->lists_inputs || !t || add_graph_input(e, n, made->name, t);
}

bool edit_add_initializer(struct edit *e, const char *name, const struct tensor *t)
{
    Onnx__TensorProto *p = message_new(&onnx__tensor_proto__descriptor, e->budget, e->report);

    if (p && tensor_to_proto(p, name, t, e->budget, e->report))
        return take_initializer(e, p, t);
    message_free(p, e->budget);
    return false;
}

bool edit_add_made_initializer(struct edit *e, Onnx__TensorProto *made)
{
    return take_initializer(e, made, NULL);
}

bool edit_add_made_value_info(struct edit *e, Onnx__ValueInfoProto *made)
{
    Onnx__GraphProto *g = e->graph;
    struct edit_name *n = entry_of(e, or_empty(made->name));

    if (!n || !budget_grow(e->budget, &g->value_info, &e->value_info_room, g->n_value_info + 1, sizeof *g->value_info,
                           e->report)) {
        message_free(made, e->budget);
        return false;
    }
    g->value_info[g->n_value_info++] = made;
    n->value_info = g->n_value_info;
    return true;
}

void edit_drop_initializer(struct edit *e, const char *name)
{
    Onnx__TensorProto *p = edit_initializer(e, name);
    struct edit_name *n = find(e, name);

    if (!p)
        return;
    e->graph->initializer[n->initializer - 1] = NULL;
    n->initializer = 0;
    n->definitions--;
    message_free(p, e->budget);
}

void edit_drop_graph_input(struct edit *e, const char *name)
{
    Onnx__ValueInfoProto *v = edit_graph_input(e, name);
    struct edit_name *n = find(e, name);

    if (!v)
        return;
    e->graph->input[n->input - 1] = NULL;
    n->input = 0;
    n->definitions--;
    message_free(v, e->budget);
}

Onnx__ValueInfoProto *edit_value_info(const struct edit *e, const char *name)
{
    const struct edit_name *n = find(e, name);

    return n && n->value_info ? e->graph->value_info[n->value_info - 1] : NULL;
}

void edit_drop_value_info(struct edit *e, const char *name)
{
    struct edit_name *n = find(e, name);

    if (!n || !n->value_info)
        return;
    message_free(e->graph->value_info[n->value_info - 1], e->budget);
    e->graph->value_info[n->value_info - 1] = NULL;
    n->value_info = 0;
}

void edit_drop_graph_output(struct edit *e, size_t at)
{
    Onnx__ValueInfoProto *v = e->graph->output[at];

    add_readers(e, v->name, -1);
    message_free(v, e->budget);
    e->graph->output[at] = NULL;
}

bool edit_insert_graph_outputs(struct edit *e, size_t at, size_t count, Onnx__ValueInfoProto *const *outputs)
{
    Onnx__GraphProto *g = e->graph;
    Onnx__ValueInfoProto **list = budget_zalloc(e->budget, g->n_output + count, sizeof *list, e->report);
    size_t done = 0;

    while (list && done < count && add_readers(e, outputs[done]->name, 1))
        done++;
    if (done < count) {
        for (size_t k = 0; k < count; k++)
            message_free(outputs[k], e->budget);
        budget_free(e->budget, list);
        return false;
    }
    memcpy(list, g->output, at * sizeof *list);
    memcpy(list + at, outputs, count * sizeof *list);
    memcpy(list + at + count, g->output + at, (g->n_output - at) * sizeof *list);
    budget_free(e->budget, g->output);
    g->output = list;
    g->n_output += count;
    return true;
}

/* -- nodes -- */

bool edit_insert_made(struct edit *e, size_t at, bool behind, Onnx__NodeProto *made)
{
    char *label = made->name && *made->name ? fresh_label(e, made->name) : NULL;

    if (label) {
        budget_free(e->budget, made->name);
        made->name = label;
    }
    if ((made->name && *made->name && !label) ||
        !budget_grow(e->budget, &e->insertions, &e->insertion_room, e->insertion_count + 1, sizeof *e->insertions,
                     e->report) ||
        !count_node(e, made, 1)) {
        message_free(made, e->budget);
        return false;
    }
    e->insertions[e->insertion_count] = (struct insertion){ 2 * at + behind, e->insertion_count, made };
    e->insertion_count++;
    return true;
}

bool edit_set_domain(struct edit *e, Onnx__NodeProto *n, const char *domain)
{
    return !*domain || (n->domain = copy_text(e, domain));
}

bool edit_set_op(struct edit *e, Onnx__NodeProto *n, const char *op)
{
    char *name = copy_text(e, op);

    if (!name)
        return false;
    budget_free(e->budget, n->op_type);
    n->op_type = name;
    while (n->n_attribute)
        message_free(n->attribute[--n->n_attribute], e->budget);
    return true;
}

Onnx__NodeProto *edit_insert_node(struct edit *e, size_t at, bool behind, const char *op, const char *name)
{
    Onnx__NodeProto *n = message_new(&onnx__node_proto__descriptor, e->budget, e->report);

    if (!n || !(n->op_type = copy_text(e, op)) || (name && !(n->name = fresh_label(e, name))) ||
        !budget_grow(e->budget, &e->insertions, &e->insertion_room, e->insertion_count + 1, sizeof *e->insertions,
                     e->report)) {
        message_free(n, e->budget);
        return NULL;
    }
    e->insertions[e->insertion_count] = (struct insertion){ 2 * at + behind, e->insertion_count, n };
    e->insertion_count++;
    return n;
}

/* All names of the node are in the index already: nothing can fail. */
void edit_drop_node(struct edit *e, size_t at)
{
    count_node(e, e->graph->node[at], -1);
    message_free(e->graph->node[at], e->budget);
    e->graph->node[at] = NULL;
}

/* Was it read at the beginning, and is not any more? */
static bool lost_readers(const struct edit *e, const char *name)
{
    const struct edit_name *n = find(e, name);

    return n && n->begun > 0 && n->readers == 0;
}

/* Are all outputs that it has so? */
static bool is_lost(const struct edit *e, const Onnx__NodeProto *n)
{
    bool any = false;

    for (size_t k = 0; k < n->n_output; k++) {
        const struct edit_name *out = n->output[k] && *n->output[k] ? find(e, n->output[k]) : NULL;

        if (out && out->readers > 0)
            return false;
        any = any || (out && lost_readers(e, n->output[k]));
    }
    return any;
}

void edit_drop_unread(struct edit *e)
{
    Onnx__GraphProto *g = e->graph;

    for (size_t k = g->n_node; k > 0; k--)
        if (g->node[k - 1] && is_lost(e, g->node[k - 1])) {
            for (size_t o = 0; o < g->node[k - 1]->n_output; o++)
                edit_drop_value_info(e, g->node[k - 1]->output[o]);
            edit_drop_node(e, k - 1);
        }
    for (size_t k = 0; k < g->n_initializer; k++)
        if (g->initializer[k] && g->initializer[k]->name && lost_readers(e, g->initializer[k]->name)) {
            edit_drop_graph_input(e, g->initializer[k]->name);
            edit_drop_initializer(e, g->initializer[k]->name);
        }
}

typedef bool count_name(struct edit *e, const char *name, int count);

static void cut(struct edit *e, count_name *count_as, char **list, size_t *count, size_t to)
{
    while (*count > to) {
        count_as(e, list[--*count], -1);
        budget_free(e->budget, list[*count]);
    }
}

static bool set_names(struct edit *e, count_name *count_as, char ***list, size_t *count, size_t n,
                      const char *const *names)
{
    char **made = budget_zalloc(e->budget, n, sizeof *made, e->report);
    size_t done = 0;

    if (!made)
        return false;
    while (done < n && count_as(e, names[done], 1)) {
        if (!(made[done] = copy_text(e, names[done]))) {
            count_as(e, names[done], -1);
            break;
        }
        done++;
    }
    if (done < n) {
        cut(e, count_as, made, &done, 0);
        budget_free(e->budget, made);
        return false;
    }
    cut(e, count_as, *list, count, 0);
    budget_free(e->budget, *list);
    *list = made;
    *count = n;
    return true;
}

bool edit_set_inputs(struct edit *e, Onnx__NodeProto *n, size_t count, const char *const *names)
{
    return set_names(e, add_readers, &n->input, &n->n_input, count, names);
}

bool edit_set_outputs(struct edit *e, Onnx__NodeProto *n, size_t count, const char *const *names)
{
    return set_names(e, add_definitions, &n->output, &n->n_output, count, names);
}

bool edit_set_input(struct edit *e, Onnx__NodeProto *n, size_t k, const char *name)
{
    char *s = copy_text(e, name);

    if (!s || !add_readers(e, name, 1)) {
        budget_free(e->budget, s);
        return false;
    }
    add_readers(e, n->input[k], -1);
    budget_free(e->budget, n->input[k]);
    n->input[k] = s;
    return true;
}

void edit_cut_inputs(struct edit *e, Onnx__NodeProto *n, size_t count)
{
    cut(e, add_readers, n->input, &n->n_input, count);
}

void edit_cut_outputs(struct edit *e, Onnx__NodeProto *n, size_t count)
{
    cut(e, add_definitions, n->output, &n->n_output, count);
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
    size_t room = n->n_attribute;

    if (a)
        return a;
    a = message_new(&onnx__attribute_proto__descriptor, e->budget, e->report);
    if (!a || !(a->name = copy_text(e, name)) ||
        !budget_grow(e->budget, &n->attribute, &room, n->n_attribute + 1, sizeof *n->attribute, e->report)) {
        message_free(a, e->budget);
        return NULL;
    }
    n->attribute[n->n_attribute++] = a;
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
