#include "ops/value.h"
#include <string.h>

bool planned(const struct tensor *out)
{
    return out->kind == TENSOR && out->dtype != UNDEFINED && tensor_known(out);
}

static bool pass_tensor(struct step *s, int k, const struct tensor *from)
{
    struct tensor *to = s->out[k];
    char got[TYPE_TEXT], want[TYPE_TEXT];

    if (!planned(to) && !step_alloc(s, k, from->dtype, from->rank, from->dims))
        return false;
    if (!same_type(to, from))
        return step_error(s, "output %d is %s, was planned as %s", k, tensor_text(from, got), tensor_text(to, want));
    if (tensor_bytes(from))
        memcpy(to->data, from->data, (size_t)tensor_bytes(from));
    return true;
}

bool copy_value(struct heap *h, struct tensor *to, const struct tensor *from, bool optional, struct report *r)
{
    struct optional *o;

    if (!optional || from->kind == OPTIONAL)
        return heap_copy(h, to, from, r);
    o = heap_alloc(h, sizeof *o, r);
    if (!o || !heap_copy(h, &o->value, from, r))
        return false;
    o->present = true;
    *to = optional_of(from);
    to->data = o;
    return true;
}

bool pass_value(struct step *s, int k, const struct tensor *from)
{
    struct tensor *to = s->out[k];
    char got[TYPE_TEXT], want[TYPE_TEXT];

    if (!to)
        return true;
    if (to->kind == OPTIONAL && from->kind != OPTIONAL) {
        struct tensor copy;

        return copy_value(s->heap, &copy, from, true, s->report) && pass_value(s, k, &copy);
    }
    if (from->kind == TENSOR)
        return pass_tensor(s, k, from);
    if (to->dtype != UNDEFINED && (to->kind != from->kind || to->dtype != from->dtype))
        return step_error(s, "output %d is %s, was planned as %s", k, tensor_text(from, got), tensor_text(to, want));
    *to = *from;
    return true;
}

bool join_types(struct tensor *type, const struct tensor *other)
{
    type->data = NULL;
    type->planned = NULL;
    if (other->kind == TENSOR && other->dtype == UNDEFINED) {
        type->rank = UNKNOWN;
        return true;
    }
    if (type->kind == TENSOR && type->dtype == UNDEFINED) {
        *type = *other;
        type->data = NULL;
        type->rank = UNKNOWN;
        return true;
    }
    if (type->kind != other->kind && (type->kind == OPTIONAL || other->kind == OPTIONAL)) {
        const struct tensor held = optional_of(type->kind == OPTIONAL ? other : type);

        *type = type->kind == OPTIONAL ? *type : *other;
        type->data = NULL;
        type->planned = NULL;
        return same_element_type(type, &held);
    }
    if (!same_element_type(type, other))
        return false;
    if (type->rank != other->rank)
        type->rank = UNKNOWN;
    for (int d = 0; d < type->rank; d++)
        if (type->dims[d] != other->dims[d])
            type->dims[d] = UNKNOWN;
    return true;
}
