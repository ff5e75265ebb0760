#include "data/value_file.h"
#include "data/npy.h"
#include "model/file.h"
#include "model/message.h"
#include "model/model.h"
#include "model/proto.h"
#include <string.h>

/* A value of messages points into them, and into the arena. */
struct reading {
    struct arena *arena;
    const char *path;
    struct external external; /* none: there is no directory that it could lie in */
    struct report *report;
};

static bool read_sequence(struct reading *g, struct tensor *out, const Onnx__SequenceProto *p)
{
    struct sequence *s = arena_alloc(g->arena, sizeof *s + p->n_tensor_values * sizeof *s->items, g->report);

    if (!s)
        return false;
    *out = (struct tensor){ .kind = SEQUENCE, .rank = UNKNOWN, .data = s };
    for (size_t k = 0; k < p->n_tensor_values; k++, s->count++)
        if (!tensor_of_proto(&s->items[k], p->tensor_values[k], &g->external, g->arena, g->path, g->report))
            return false;
    if (s->count)
        out->dtype = s->items[0].dtype;
    return true;
}

static bool read_optional(struct reading *g, struct tensor *out, const Onnx__OptionalProto *p)
{
    struct optional *o = arena_alloc(g->arena, sizeof *o, g->report);

    if (!o)
        return false;
    *out = (struct tensor){ .kind = OPTIONAL, .rank = UNKNOWN, .data = o };
    o->present = p->tensor_value || p->sequence_value;
    if (p->tensor_value ? !tensor_of_proto(&o->value, p->tensor_value, &g->external, g->arena, g->path, g->report)
                        : p->sequence_value && !read_sequence(g, &o->value, p->sequence_value))
        return false;
    if (o->present) {
        out->dtype = o->value.dtype;
        out->element[0].kind = o->value.kind;
    }
    return true;
}

static bool read_message(struct reading *g, struct tensor *out, enum kind kind, const void *message)
{
    if (kind == SEQUENCE)
        return read_sequence(g, out, message);
    if (kind == OPTIONAL)
        return read_optional(g, out, message);
    return tensor_of_proto(out, message, &g->external, g->arena, g->path, g->report);
}

static bool load_message(struct tensor *out, const char *path, enum kind kind, struct heap *heap, struct report *r)
{
    const ProtobufCMessageDescriptor *d = kind == SEQUENCE   ? &onnx__sequence_proto__descriptor
                                          : kind == OPTIONAL ? &onnx__optional_proto__descriptor
                                                             : &onnx__tensor_proto__descriptor;
    struct arena arena = { .budget = heap->budget };
    struct reading reading = { .arena = &arena, .path = path, .report = r };
    struct tensor there;
    uint8_t *bytes;
    void *message;
    size_t size;
    bool ok;

    if (!file_read(path, 0, &bytes, &size, heap->budget, r))
        return false;
    message = proto_unpack(d, bytes, size, NULL, heap->budget, r);
    budget_free(heap->budget, bytes);
    ok = message && read_message(&reading, &there, kind, message) && heap_copy(heap, out, &there, r);
    message_free(message, heap->budget);
    arena_release(&arena);
    return ok;
}

static bool load_npy(struct tensor *out, const char *path, struct heap *heap, struct report *r)
{
    struct tensor there;
    bool ok;

    if (!npy_load(&there, path, NULL, heap->budget, r))
        return false;
    ok = heap_copy(heap, out, &there, r);
    budget_free(heap->budget, there.data);
    return ok;
}

bool value_load(struct tensor *out, const char *path, enum kind kind, struct heap *heap, struct report *r)
{
    const size_t n = strlen(path);

    if (n < 4 || strcmp(path + n - 4, ".npy") != 0)
        return load_message(out, path, kind, heap, r);
    if (kind != TENSOR)
        return fail(r, KILN_BAD_DATA, path, "holds a tensor, the value needed is none");
    return load_npy(out, path, heap, r);
}
