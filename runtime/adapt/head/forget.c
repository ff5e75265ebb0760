#include "adapt/head/head.h"
#include "model/message.h"
#include "train/decided.h"
#include <string.h>

/* What of the key is behind the prefix; NULL where it does not begin so. */
static const char *behind(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0 ? key + strlen(prefix) : NULL;
}

static bool is_past(const char *key, const struct head *h, const struct map *stays)
{
    const char *loss = behind(key, DECIDED_LOSS), *role = behind(key, DECIDED_ROLE),
               *layer = behind(key, DECIDED_LAYER);
    const char *name = role ? role : layer, *classes = behind(key, DECIDED_CLASSES);

    return (loss && strcmp(loss, h->output->name) == 0) || (classes && strcmp(classes, h->output->name) == 0) ||
           (name && !map_get(stays, name));
}

static bool mark(struct map *stays, const char *name, bool is, struct report *r)
{
    void **slot = map_put(stays, name, r);

    if (slot)
        *slot = is ? stays : NULL;
    return slot;
}

/* Initializers, and what Constant nodes make, but for what is new. */
static bool list_stays(struct map *stays, const Onnx__GraphProto *g, const struct head *h, struct report *r)
{
    bool ok = true;

    for (size_t k = 0; ok && k < g->n_initializer; k++)
        ok = mark(stays, or_empty(g->initializer[k]->name), true, r);
    for (size_t k = 0; ok && k < g->n_node; k++)
        if (!g->node[k]->n_input && g->node[k]->n_output == 1)
            ok = mark(stays, g->node[k]->output[0], true, r);
    for (size_t k = 0; ok && k < h->made_count; k++)
        ok = mark(stays, h->made[k], false, r);
    return ok;
}

bool head_forget(struct model *m, const struct head *h, struct report *r)
{
    Onnx__ModelProto *p = m->proto;
    struct map stays;
    size_t kept = 0;
    bool ok;

    map_init(&stays, &m->budget);
    ok = list_stays(&stays, p->graph, h, r);
    for (size_t k = 0; ok && k < p->n_metadata_props; k++)
        if (is_past(or_empty(p->metadata_props[k]->key), h, &stays))
            message_free(p->metadata_props[k], &m->budget);
        else
            p->metadata_props[kept++] = p->metadata_props[k];
    p->n_metadata_props = ok ? kept : p->n_metadata_props;
    map_release(&stays);
    return ok;
}
