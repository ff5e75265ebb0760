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

/* -- parameters and buffers -- */

static char parameter[] = "PARAMETER", buffer[] = "BUFFER"; /* what told_parameters.kinds holds */

/* The end of the part that stands in the text before `end`; NULL where it does not. */
static const char *behind(const char *s, const char *end, const char *part)
{
    const char *at = strstr(s, part);

    return at && at + strlen(part) <= end ? at + strlen(part) : NULL;
}

/* Of "b_pe: BUFFER target='pe' persistent=True": which it is, and its name. */
static char *kind_of(const char *line, const char *end, const char **name)
{
    static const struct {
        const char *part;
        char *kind;
    } kinds[] = { { ": PARAMETER target='", parameter },
                  { ": BUFFER target='", buffer },
                  { ": CONSTANT_TENSOR target='", buffer } };

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if ((*name = behind(line, end, kinds[k].part)))
            return kinds[k].kind;
    return NULL;
}

static bool read_kinds(struct map *out, const struct model *m, struct report *r)
{
    const Onnx__GraphProto *g = m->proto->graph;
    const char *line = told_entry(g->metadata_props, g->n_metadata_props, "graph_signature"), *end, *name;

    for (; line && *line; line = *end ? end + 1 : end) {
        char *kind;
        size_t length;
        void **slot;

        end = line + strcspn(line, "\n");
        kind = kind_of(line, end, &name);
        length = kind ? strcspn(name, "'\n") : 0;
        if (!length || name[length] != '\'')
            continue;
        if (!(slot = map_put_bytes(out, name, length, r)))
            return false;
        *slot = kind;
    }
    return true;
}

struct part {
    const char *at;
    size_t length;
};

/* Of "['class_token', 'val_6']"; `graph`: the names that there are. Its length is 0 where there is none. */
static struct part origin_of(const struct told_parameters *t, const char *list, const struct map *graph)
{
    struct part trained = { 0 }, still = { 0 }, other = { 0 };
    bool any = false;

    for (const char *at = strchr(list, '\''); at; at = strchr(at, '\'')) {
        const struct part p = { at + 1, strcspn(at + 1, "'") };
        const void *kind = p.length ? map_get_bytes(&t->kinds, p.at, p.length) : NULL;
        const bool gone = p.length && !told_is_numbered(p.at, p.length) && !map_get_bytes(graph, p.at, p.length);

        if (!p.at[p.length])
            break;
        any |= kind == parameter;
        if (kind == buffer && !still.length)
            still = p;
        else if (kind == parameter && gone && !trained.length)
            trained = p;
        else if (!kind && gone && !other.length)
            other = p;
        at = p.at + p.length + 1;
    }
    return trained.length ? trained : still.length && !any ? still : other;
}

bool told_parameters_read(struct told_parameters *t, const struct model *m, struct arena *arena, struct report *r)
{
    const Onnx__GraphProto *g = m->proto->graph;
    struct map graph;
    bool ok;

    map_init(&t->names, arena->budget);
    map_init(&t->kinds, arena->budget);
    map_init(&graph, arena->budget);
    ok = read_kinds(&t->kinds, m, r);
    for (size_t k = 0; ok && k < g->n_value_info; k++) {
        const Onnx__ValueInfoProto *v = g->value_info[k];
        const char *list = told_entry(v->metadata_props, v->n_metadata_props, "folded_from"), *name;
        struct part of = { 0 };
        void **slot;

        if (!list || !v->name)
            continue;
        ok = graph.count || graph_names(m->graph, &graph, r);
        if (ok)
            of = origin_of(t, list, &graph);
        name = of.length ? arena_string(arena, of.at, of.length, r) : NULL;
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
    map_release(&t->kinds);
}

const char *told_parameter_of(const struct told_parameters *t, const char *name)
{
    return map_get(&t->names, name);
}

bool told_is_buffer(const struct told_parameters *t, const char *name)
{
    return map_get(&t->kinds, name) == buffer;
}

bool told_is_parameter(const struct told_parameters *t, const char *name)
{
    return map_get(&t->kinds, name) == parameter;
}

bool told_is_of_module(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_", digits[] = "0123456789";
    static const char *const made[] = { "val_",        "_val_", "lifted_tensor", "_lifted_tensor", "_tensor_const",
                                        "scalar_tens", "node_", "onnx__",        "kiln." };

    for (size_t k = 0; k < sizeof made / sizeof *made; k++)
        if (strncmp(name, made[k], strlen(made[k])) == 0)
            return false;
    if (!*name || !strchr(letters, *name))
        return false;
    for (; *name; name++)
        if (!strchr(letters, *name) && !strchr(digits, *name) && (*name != '.' || !name[1] || name[1] == '.'))
            return false;
    return true;
}
