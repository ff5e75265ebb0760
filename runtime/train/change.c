#include "train/change.h"
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

/* -- metadata -- */

static bool same_key(const Onnx__StringStringEntryProto *e, const char *key)
{
    return strcmp(e->key ? e->key : "", key) == 0;
}

static bool is_text(const char *s)
{
    return message_utf8(s, strlen(s));
}

/* All entries of the key from place `from` on. */
static void drop_metadata(struct model *m, const char *key, size_t from)
{
    Onnx__ModelProto *p = m->proto;
    size_t kept = from;

    for (size_t k = from; k < p->n_metadata_props; k++)
        if (same_key(p->metadata_props[k], key))
            message_free(p->metadata_props[k], &m->budget);
        else
            p->metadata_props[kept++] = p->metadata_props[k];
    p->n_metadata_props = kept;
}

static bool add_metadata(struct model *m, Onnx__StringStringEntryProto *entry, struct report *r)
{
    Onnx__ModelProto *p = m->proto;
    Onnx__StringStringEntryProto **list = budget_zalloc(&m->budget, p->n_metadata_props + 1, sizeof *list, r);

    if (!list)
        return false;
    if (p->n_metadata_props)
        memcpy(list, p->metadata_props, p->n_metadata_props * sizeof *list);
    list[p->n_metadata_props++] = entry;
    budget_free(&m->budget, p->metadata_props);
    p->metadata_props = list;
    return true;
}

/* The first entry of the key keeps its place. */
static bool set_metadata(struct model *m, const char *key, const char *text, struct report *r)
{
    Onnx__ModelProto *p = m->proto;
    Onnx__StringStringEntryProto *made = message_new(&onnx__string_string_entry_proto__descriptor, &m->budget, r);
    size_t at = 0;

    if (!made || !(made->key = message_string(key, strlen(key), &m->budget, r)) ||
        !(made->value = message_string(text, strlen(text), &m->budget, r))) {
        message_free(made, &m->budget);
        return false;
    }
    while (at < p->n_metadata_props && !same_key(p->metadata_props[at], key))
        at++;
    if (at == p->n_metadata_props) {
        if (add_metadata(m, made, r))
            return true;
        message_free(made, &m->budget);
        return false;
    }
    message_free(p->metadata_props[at], &m->budget);
    p->metadata_props[at] = made;
    drop_metadata(m, key, at + 1);
    return true;
}

/* -- all of it -- */

static bool change(struct model *m, const struct model_changes *c, struct report *r)
{
    if ((c->constants || c->inference) && !m->proto->graph)
        return fail(r, KILN_BAD_MODEL, NULL, "there is no graph");
    if ((c->constants && !set_inputs(m, c, r)) || (c->inference && !model_to_inference(m, r)))
        return false;
    for (size_t k = 0; k < c->metadata; k++)
        if (!is_text(c->keys[k]) || (c->texts[k] && !is_text(c->texts[k])))
            return fail(r, KILN_BAD_ARGUMENT, NULL, "metadata '%s' is not valid UTF-8", c->keys[k]);
        else if (!c->texts[k])
            drop_metadata(m, c->keys[k], 0);
        else if (!set_metadata(m, c->keys[k], c->texts[k], r))
            return false;
    return true;
}

struct model *model_change(const struct model *m, const struct model_changes *c, struct report *r)
{
    struct model *copy = model_copy(m, r);

    if (copy && change(copy, c, r))
        return copy;
    model_free(copy);
    return NULL;
}
