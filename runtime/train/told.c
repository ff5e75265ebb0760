#include "train/told.h"
#include "ops/op.h"
#include <string.h>

int64_t told_place(const struct model *m, const struct node *n)
{
    const Onnx__GraphProto *g = m->proto->graph;
    const Onnx__NodeProto *p = n->index >= 0 && (size_t)n->index < g->n_node ? g->node[n->index] : NULL;

    if (!p || n->origin || !p->op_type || strcmp(p->op_type, n->op->name) != 0 || p->n_output < (size_t)n->outputs)
        return -1;
    for (int k = 0; k < n->outputs; k++)
        if (n->out[k] && n->out[k]->name && strcmp(p->output[k], n->out[k]->name) != 0)
            return -1;
    return n->index;
}

const char *told_entry(Onnx__StringStringEntryProto *const *entries, size_t count, const char *key)
{
    for (size_t k = 0; k < count; k++)
        if (entries[k]->key && entries[k]->value && strstr(entries[k]->key, key))
            return entries[k]->value;
    return NULL;
}

const char *told_of_node(const struct model *m, const struct node *n, const char *key)
{
    const int64_t place = told_place(m, n);
    const Onnx__NodeProto *p = place < 0 ? NULL : m->proto->graph->node[place];

    return p ? told_entry(p->metadata_props, p->n_metadata_props, key) : NULL;
}

bool told_is_numbered(const char *name, size_t length)
{
    static const char stem[] = "val_";
    const size_t begin = strlen(stem);

    return length > begin && strncmp(name, stem, begin) == 0 && strspn(name + begin, "0123456789") >= length - begin;
}

/* Of "['class_token', 'val_6']"; `graph`: the names that there are. NULL where there is none, or memory runs out. */
static const char *parameter_of(const char *list, const struct map *graph, struct arena *arena, struct report *r)
{
    for (const char *at = strchr(list, '\''); at; at = strchr(at, '\'')) {
        const size_t length = strcspn(++at, "'");

        if (!at[length])
            break;
        if (length && !told_is_numbered(at, length) && !map_get_bytes(graph, at, length))
            return arena_string(arena, at, length, r);
        at += length + 1;
    }
    return NULL;
}

bool told_parameters_read(struct told_parameters *t, const struct model *m, struct arena *arena, struct report *r)
{
    const Onnx__GraphProto *g = m->proto->graph;
    struct map graph;
    bool ok = true;

    map_init(&t->names, arena->budget);
    map_init(&graph, arena->budget);
    for (size_t k = 0; ok && k < g->n_value_info; k++) {
        const Onnx__ValueInfoProto *v = g->value_info[k];
        const char *list = told_entry(v->metadata_props, v->n_metadata_props, "folded_from"), *name;
        void **slot;

        if (!list || !v->name)
            continue;
        ok = graph.count || graph_names(m->graph, &graph, r);
        name = ok ? parameter_of(list, &graph, arena, r) : NULL;
        slot = name ? map_put(&t->names, v->name, r) : NULL;
        if (slot)
            *slot = (void *)(uintptr_t)name;
        ok = ok && !failed(r);
    }
    map_release(&graph);
    return ok;
}

void told_parameters_release(struct told_parameters *t)
{
    map_release(&t->names);
}

const char *told_parameter_of(const struct told_parameters *t, const char *name)
{
    return map_get(&t->names, name);
}
