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

const char *told_parameter(Onnx__StringStringEntryProto *const *entries, size_t count, const struct graph *g,
                           struct arena *arena, struct report *r)
{
    const char *at = told_entry(entries, count, "folded_from");

    for (at = at ? strchr(at, '\'') : NULL; at; at = strchr(at, '\'')) {
        const size_t length = strcspn(++at, "'");
        const char *name = at[length] ? arena_string(arena, at, length, r) : NULL;

        if (!name)
            return NULL;
        if (length && !told_is_numbered(name, length) && !graph_find(g, name))
            return name;
        at += length + 1;
    }
    return NULL;
}

bool told_parameters_read(struct told_parameters *t, const struct model *m, struct arena *arena, struct report *r)
{
    const Onnx__GraphProto *g = m->proto->graph;

    map_init(&t->names, arena->budget);
    for (size_t k = 0; k < g->n_value_info; k++) {
        const Onnx__ValueInfoProto *v = g->value_info[k];
        const char *name = told_parameter(v->metadata_props, v->n_metadata_props, m->graph, arena, r);
        void **slot = name && v->name ? map_put(&t->names, v->name, r) : NULL;

        if (slot)
            *slot = (void *)(uintptr_t)name;
    }
    return !failed(r);
}

void told_parameters_release(struct told_parameters *t)
{
    map_release(&t->names);
}

const char *told_parameter_of(const struct told_parameters *t, const char *name)
{
    return map_get(&t->names, name);
}
