/* Writing what was learned back into the messages. */
#include "train/edit.h"
#include "train/state.h"
#include <math.h>
#include <string.h>

/* The tensor of the Constant node that makes `v`. */
static bool replace_constant(struct edit *e, const struct value *v, const struct tensor *t)
{
    Onnx__AttributeProto *a = e->graph->node[v->producer->index]->attribute[0];

    if (a->t)
        return edit_tensor(e, a->t, t);
    memcpy(a->floats, t->data, a->n_floats * sizeof *a->floats);
    return true;
}

/* What was finite in the file is so in what is saved. A step sees to that; but the state may also be written to. */
static bool is_sound(const struct state *s, struct report *r)
{
    const int64_t n = tensor_count(&s->value);

    for (int64_t k = 0; k < n; k++)
        if (state_has_become_infinite(s, k))
            return fail(r, KILN_RUN_FAILED, NULL, "element %lld of '%s' is %s, must be finite to be saved",
                        (long long)k, s->parameter->value->name,
                        isnan(((const float *)s->value.data)[k]) ? "no number" : "infinite");
    return true;
}

struct model *trainer_export(const struct trainer *t, struct report *r)
{
    struct model *m = model_copy_within(t->model, t->budget.total, r);
    struct edit e;
    bool ok = m && edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < t->state_count; k++) {
        const struct value *v = t->states[k].parameter->value;

        if (!is_sound(&t->states[k], r))
            ok = false;
        else if (v->producer)
            ok = replace_constant(&e, v, &t->states[k].value);
        else
            ok = edit_tensor(&e, edit_initializer(&e, v->name), &t->states[k].value);
    }
    ok = m && edit_end(&e) && ok;
    if (ok)
        return m;
    model_free(m);
    return NULL;
}

bool trainer_save(const struct trainer *t, const char *path, bool text, struct report *r)
{
    bool adopted = true, ok;
    struct model *m;

    for (size_t k = 0; k < t->state_count && adopted; k++)
        adopted = t->states[k].adopted;
    if (adopted) {
        for (size_t k = 0; k < t->state_count; k++)
            if (!is_sound(&t->states[k], r))
                return false;
        return model_save_as(t->model, path, text, r);
    }
    m = trainer_export(t, r);
    ok = m && model_save_as(m, path, text, r);
    model_free(m);
    return ok;
}
