/* Where the values of parameters and statistics lie: once, in the messages of the trainer's own model, which is then
 * saved as it stands; those of float16 and bfloat16 beside them, in float, from which they are rounded when it is
 * saved. */
#include "train/state.h"
#include "model/message.h"
#include "ops/compute.h"
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
    const struct tensor *v = &s->value;
    struct tensor copy;

    for (int64_t k = 0, n = tensor_count(v); k < n; k++)
        if (!isfinite(real_at(v->dtype, v->data, k))) {
            const bool ok = state_tensor(t, &copy, v, v->data, r);

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

/* What float16 and bfloat16 cannot hold adds up in float. */
static bool make_master(struct trainer *t, struct state *s, struct report *r)
{
    const struct tensor *file = &s->parameter->initial;
    struct tensor type = *file;

    type.dtype = dtype_compute(file->dtype);
    if (!state_tensor(t, &s->value, &type, NULL, r))
        return false;
    convert_floats(file->dtype, file->data, type.dtype, s->value.data, tensor_count(file));
    return keep_beginning(t, s, r);
}

bool state_take(struct trainer *t, const struct map *messages, struct state *s, struct report *r)
{
    const struct value *v = s->parameter->value;
    Onnx__TensorProto *p = v->producer ? NULL : map_get(messages, v->name);

    if (dtype_is_storage(s->parameter->initial.dtype))
        return make_master(t, s, r);
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

double state_limit(const struct state *s)
{
    switch (s->parameter->initial.dtype) {
    case F16:
        return 65520; /* halfway between 65504 and what would be next */
    case BF16:
        return 0x1.ffp127;
    default:
        return (double)INFINITY;
    }
}

bool state_has_become_infinite(const struct state *s, int64_t k, double now)
{
    return has_become_infinite(s->beginning ? real_at(s->value.dtype, s->beginning, k) : 0, now);
}
