/* Where the values of parameters and statistics lie: once, in the messages of the trainer's own model, which is then saved
 * as it stands. */
#include "train/state.h"
#include "model/message.h"
#include <math.h>
#include <string.h>

bool state_tensor(struct trainer *t, struct tensor *out, const struct tensor *like, const void *content,
                  struct report *r)
{
    const size_t bytes = (size_t)tensor_bytes(like);

    *out = *like;
    out->data = arena_alloc(&t->arena, bytes, r); /* zeroed */
    if (out->data && content && bytes)
        memcpy(out->data, content, bytes);
    return out->data;
}

/* A step sees to it that nothing becomes infinite; what was so in the file may stay so, and has to be known. */
static bool keep_beginning(struct trainer *t, struct state *s, struct report *r)
{
    const float *value = s->value.data;
    struct tensor copy;

    for (int64_t k = 0, n = tensor_count(&s->value); k < n; k++)
        if (!isfinite(value[k])) {
            const bool ok = state_tensor(t, &copy, &s->value, value, r);

            s->beginning = copy.data;
            return ok;
        }
    return true;
}

/* Bytes that another model holds, too, are copied. */
static bool make_own(Onnx__TensorProto *p, struct budget *b, struct report *r)
{
    ProtobufCBinaryData own;

    if (!budget_is_shared(p->raw_data.data))
        return true;
    if (!message_bytes(&own, p->raw_data.data, p->raw_data.len, b, r))
        return false;
    budget_free(b, p->raw_data.data);
    p->raw_data = own;
    return true;
}

bool states_index(struct trainer *t, struct map *messages, struct report *r)
{
    const Onnx__GraphProto *g = t->model->proto->graph;

    map_init(messages, &t->budget);
    for (size_t k = 0; k < g->n_initializer; k++) {
        void **slot = map_put(messages, g->initializer[k]->name, r);

        if (!slot)
            return false;
        *slot = g->initializer[k];
    }
    return true;
}

bool state_take(struct trainer *t, const struct map *messages, struct state *s, struct report *r)
{
    const struct value *v = s->parameter->value;
    Onnx__TensorProto *p = v->producer ? NULL : map_get(messages, v->name);

    s->adopted = p && p->raw_data.len && v->initializer && v->initializer->data == p->raw_data.data;
    if (!s->adopted)
        return state_tensor(t, &s->value, &s->parameter->initial, s->parameter->initial.data, r) &&
               keep_beginning(t, s, r);
    if (!make_own(p, &t->model->budget, r))
        return false;
    s->value = s->parameter->initial;
    s->value.data = p->raw_data.data;
    ((struct tensor *)(uintptr_t)v->initializer)->data = s->value.data; /* of a graph that only the trainer has */
    return keep_beginning(t, s, r);
}

bool state_has_become_infinite(const struct state *s, int64_t k)
{
    return has_become_infinite(s->beginning ? s->beginning[k] : 0, ((const float *)s->value.data)[k]);
}
