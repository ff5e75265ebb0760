#include "train/change.h"
#include "base/map.h"
#include "model/message.h"
#include "train/edit.h"
#include "train/prepare.h"
#include <string.h>

/* -- inputs -- */

static bool fits(const struct tensor *need, const struct tensor *t)
{
    bool fit = need->kind == t->kind && (need->dtype == UNDEFINED || need->dtype == t->dtype) &&
               (need->rank < 0 || need->rank == t->rank);

    for (int d = 0; fit && d < need->rank; d++)
        fit = need->dims[d] < 0 || need->dims[d] == t->dims[d];
    return fit;
}

/* What the file says of an input; of one without a type, nothing. */
static bool declared_type(struct tensor *out, const Onnx__ValueInfoProto *input, struct report *r)
{
    *out = (struct tensor){ .rank = UNKNOWN };
    return !input->type || type_of_proto(out, input->type, NULL, r);
}

static bool set_input(struct edit *e, const char *name, const struct tensor *t)
{
    const Onnx__ValueInfoProto *input = edit_graph_input(e, name);
    Onnx__TensorProto *old = edit_initializer(e, name);
    char got[TYPE_TEXT], need[TYPE_TEXT];
    struct tensor declared;

    if (!input)
        return fail(e->report, KILN_BAD_ARGUMENT, NULL, "the model has no input '%s'%s", name,
                    old ? ": it is an initializer" : "");
    if (!declared_type(&declared, input, e->report))
        return false;
    if (t->kind != TENSOR || !fits(&declared, t))
        return fail(e->report, KILN_BAD_DATA, NULL, "input '%s' is %s, the value for it %s", name,
                    tensor_text(&declared, need), tensor_text(t, got));
    edit_drop_graph_input(e, name);
    return old ? edit_tensor(e, old, t) : edit_add_initializer(e, name, t);
}

static bool set_inputs(struct model *m, const struct model_changes *c, struct report *r)
{
    struct edit e;
    bool ok = edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < c->constants; k++) {
        for (size_t before = 0; ok && before < k; before++)
            ok = strcmp(c->names[before], c->names[k]) != 0 ||
                 fail(r, KILN_BAD_ARGUMENT, NULL, "input '%s' is given twice", c->names[k]);
        ok = ok && set_input(&e, c->names[k], c->values[k]);
    }
    return edit_end(&e) && ok;
}

/* -- initializers -- */

static bool set_initializer(struct edit *e, struct model *m, const char *name, const struct tensor *t)
{
    struct arena scratch = { .budget = e->budget };
    Onnx__TensorProto *old = edit_initializer(e, name);
    char got[TYPE_TEXT], need[TYPE_TEXT];
    struct tensor was;
    bool ok;

    if (!old)
        return fail(e->report, KILN_BAD_ARGUMENT, NULL, "the model has no initializer '%s'", name);
    ok = tensor_of_proto(&was, old, &m->external, &scratch, name, e->report);
    if (ok && (t->kind != TENSOR || !fits(&was, t)))
        ok = fail(e->report, KILN_BAD_DATA, NULL, "initializer '%s' is %s, the value for it %s", name,
                  tensor_text(&was, need), tensor_text(t, got));
    arena_release(&scratch);
    return ok && edit_tensor(e, old, t);
}

static bool set_initializers(struct model *m, const struct model_changes *c, struct report *r)
{
    struct edit e;
    bool ok = edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < c->weights; k++)
        ok = set_initializer(&e, m, c->weight_names[k], c->weight_values[k]);
    return edit_end(&e) && ok;
}

/* -- metadata -- */

static bool is_text(const char *s)
{
    return message_utf8(s, strlen(s));
}

/* The model's entries while some are set: where each key stands first, counted from 1; what goes leaves a gap. */
struct metadata {
    struct model *model;
    struct arena arena; /* of the keys, which outlast their messages */
    struct map places;
    bool repeated; /* some key stands twice */
    size_t room;
};

static bool find_places(struct metadata *d, struct report *r)
{
    const Onnx__ModelProto *p = d->model->proto;

    map_init(&d->places, &d->model->budget);
    d->room = p->n_metadata_props;
    for (size_t k = 0; k < p->n_metadata_props; k++) {
        const char *key = p->metadata_props[k]->key ? p->metadata_props[k]->key : "";
        void **slot = (key = arena_string(&d->arena, key, strlen(key), r)) ? map_put(&d->places, key, r) : NULL;

        if (!slot)
            return false;
        d->repeated = d->repeated || *slot;
        if (!*slot)
            *slot = (void *)(uintptr_t)(k + 1);
    }
    return true;
}

static void drop_entry(struct metadata *d, size_t at)
{
    Onnx__ModelProto *p = d->model->proto;

    message_free(p->metadata_props[at], &d->model->budget);
    p->metadata_props[at] = NULL;
}

/* All entries of the key, of which the first is at this place. */
static void drop_metadata(struct metadata *d, const char *key, size_t at)
{
    const Onnx__ModelProto *p = d->model->proto;

    drop_entry(d, at);
    for (size_t k = at + 1; d->repeated && k < p->n_metadata_props; k++)
        if (p->metadata_props[k] && strcmp(p->metadata_props[k]->key ? p->metadata_props[k]->key : "", key) == 0)
            drop_entry(d, k);
}

/* `key` is the caller's, and stays. */
static bool add_entry(struct metadata *d, const char *key, Onnx__StringStringEntryProto *entry, struct report *r)
{
    Onnx__ModelProto *p = d->model->proto;
    void **slot;

    if (!budget_grow(&d->model->budget, &p->metadata_props, &d->room, p->n_metadata_props + 1,
                     sizeof *p->metadata_props, r) ||
        !(slot = map_put(&d->places, key, r)))
        return false;
    p->metadata_props[p->n_metadata_props++] = entry;
    *slot = (void *)(uintptr_t)p->n_metadata_props;
    return true;
}

/* The first entry of the key keeps its place. */
static bool set_metadata(struct metadata *d, const char *key, const char *text, struct report *r)
{
    struct model *m = d->model;
    Onnx__StringStringEntryProto *made = message_new(&onnx__string_string_entry_proto__descriptor, &m->budget, r);
    const size_t at = (size_t)(uintptr_t)map_get(&d->places, key);

    if (!made || !(made->key = message_string(key, strlen(key), &m->budget, r)) ||
        !(made->value = message_string(text, strlen(text), &m->budget, r)) || (!at && !add_entry(d, key, made, r))) {
        message_free(made, &m->budget);
        return false;
    }
    if (!at)
        return true;
    drop_metadata(d, key, at - 1);
    m->proto->metadata_props[at - 1] = made;
    return true;
}

static void close_gaps(Onnx__ModelProto *p)
{
    size_t n = 0;

    for (size_t k = 0; k < p->n_metadata_props; k++)
        if (p->metadata_props[k])
            p->metadata_props[n++] = p->metadata_props[k];
    p->n_metadata_props = n;
}

bool model_set_metadata(struct model *m, const struct model_changes *c, struct report *r)
{
    struct metadata d = { .model = m, .arena.budget = &m->budget };
    bool ok = find_places(&d, r);

    for (size_t k = 0; ok && k < c->metadata; k++)
        if (!is_text(c->keys[k]) || (c->texts[k] && !is_text(c->texts[k])))
            ok = fail(r, KILN_BAD_ARGUMENT, NULL, "metadata '%s' is not valid UTF-8", c->keys[k]);
        else if (c->texts[k])
            ok = set_metadata(&d, c->keys[k], c->texts[k], r);
        else if (map_get(&d.places, c->keys[k])) {
            drop_metadata(&d, c->keys[k], (size_t)(uintptr_t)map_get(&d.places, c->keys[k]) - 1);
            *map_put(&d.places, c->keys[k], r) = NULL; /* the key is there: this takes no memory */
        }
    map_release(&d.places);
    arena_release(&d.arena);
    close_gaps(m->proto);
    return ok;
}

/* -- all of it -- */

static bool change(struct model *m, const struct model_changes *c, struct report *r)
{
    if ((c->shapes || c->constants || c->inference || c->weights) && !m->proto->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    if (!model_fix_shapes(m, c->shape, c->shapes, r) || (c->constants && !set_inputs(m, c, r)) ||
        (c->weights && !set_initializers(m, c, r)) || (c->inference && !model_to_inference(m, r)) ||
        (c->baked && !model_bake(m, c->bake, c->baked, r)))
        return false;
    return !c->metadata || model_set_metadata(m, c, r);
}

struct model *model_change(const struct model *m, const struct model_changes *c, struct report *r)
{
    struct model *copy = model_copy(m, r);

    if (copy && change(copy, c, r))
        return copy;
    model_free(copy);
    return NULL;
}
