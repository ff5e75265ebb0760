#include "train/decided.h"
#include <string.h>

/* What of the key is behind the prefix; NULL where it does not begin so. */
static const char *behind(const Onnx__StringStringEntryProto *p, const char *prefix)
{
    const size_t length = strlen(prefix);

    return p->key && p->value && strncmp(p->key, prefix, length) == 0 ? p->key + length : NULL;
}

bool decided_read(struct decided *d, const struct model *m, const char *prefix, struct budget *b, struct report *r)
{
    map_init(&d->names, b);
    for (size_t k = 0; k < m->proto->n_metadata_props; k++) {
        const char *name = behind(m->proto->metadata_props[k], prefix);
        void **slot = name ? map_put(&d->names, name, r) : NULL;

        if (name && !slot)
            return false;
        if (name && !*slot)
            *slot = m->proto->metadata_props[k]->value;
    }
    return true;
}

void decided_release(struct decided *d)
{
    map_release(&d->names);
}

const char *decided_of(const struct decided *d, const char *name)
{
    return map_get(&d->names, name);
}

const char *decided_once(const struct model *m, const char *prefix, const char *name)
{
    for (size_t k = 0; k < m->proto->n_metadata_props; k++) {
        const char *of = behind(m->proto->metadata_props[k], prefix);

        if (of && strcmp(of, name) == 0)
            return m->proto->metadata_props[k]->value;
    }
    return NULL;
}

bool decided_trains(const struct model *m, const char *name)
{
    bool any = false;

    for (size_t k = 0; k < m->graph->output_count && !any; k++)
        any = decided_once(m, DECIDED_TRAINS, m->graph->outputs[k]->name);
    return !any || decided_once(m, DECIDED_TRAINS, name);
}

size_t decided_output(const struct model *m)
{
    const struct graph *g = m->graph;

    for (size_t k = 0; k < g->output_count; k++)
        if (decided_once(m, DECIDED_TRAINS, g->outputs[k]->name))
            return k;
    return 0;
}
