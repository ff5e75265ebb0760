/* Writing what was learned back into the messages. */
#include "data/element.h"
#include "ops/compute.h"
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

/* What was finite in the file is so in what is saved, `value`. A step sees to that; but the state may also be written
 * to, and float16 reaches less far than its master. */
static bool is_sound(const struct state *s, const struct tensor *value, struct report *r)
{
    element_get *const get = element_getter(value->dtype);
    const int64_t n = tensor_count(value);

    for (int64_t k = 0; k < n; k++)
        if (state_has_become_infinite(s, k, get(value->data, k)))
            return fail(r, KILN_RUN_FAILED, NULL, "element %lld of '%s' is %s, must be finite to be saved",
                        (long long)k, s->parameter->value->name, isnan(get(value->data, k)) ? "no number" : "infinite");
    return true;
}

static bool write_value(struct edit *e, const struct state *s, const struct tensor *value)
{
    const struct value *v = s->parameter->value;

    if (!is_sound(s, value, e->report))
        return false;
    return v->producer ? replace_constant(e, v, value) : edit_tensor(e, edit_initializer(e, v->name), value);
}

/* As the type that the file has. */
static bool write_state(struct edit *e, const struct state *s)
{
    struct tensor rounded = s->value;
    bool ok;

    rounded.dtype = s->parameter->initial.dtype;
    if (rounded.dtype == s->value.dtype)
        return write_value(e, s, &s->value);
    rounded.data = budget_alloc(e->budget, (size_t)tensor_bytes(&rounded), e->report);
    if (!rounded.data)
        return false;
    convert_floats(s->value.dtype, s->value.data, rounded.dtype, rounded.data, tensor_count(&rounded));
    ok = write_value(e, s, &rounded);
    budget_free(e->budget, rounded.data);
    return ok;
}

struct model *trainer_export(const struct trainer *t, struct report *r)
{
    struct model *m = model_copy_within(t->model, t->budget.total, r);
    struct edit e;
    bool ok = m && edit_begin(&e, m, r);

    for (size_t k = 0; ok && k < t->state_count; k++)
        ok = write_state(&e, &t->states[k]);
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
            if (!is_sound(&t->states[k], &t->states[k].value, r))
                return false;
        return model_save_as(t->model, path, text, r);
    }
    m = trainer_export(t, r);
    ok = m && model_save_as(m, path, text, r);
    model_free(m);
    return ok;
}
