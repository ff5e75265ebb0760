#include "data/value_file.h"
#include "data/npy.h"
#include "model/file.h"
#include "model/message.h"
#include "model/model.h"
#include "model/proto.h"
#include "tensor/pairs.h"
#include <string.h>

/* A value of messages points into them, into the arena, and on to the heap. */
struct reading {
    struct arena *arena;
    struct heap *heap; /* of maps, on their way */
    const char *path;
    struct external external; /* none: there is no directory that it could lie in */
    struct report *report;
};

/* A value is a tensor of one element; the vector of all has their type. */
static bool read_values(struct reading *g, struct tensor *out, const Onnx__SequenceProto *p, int64_t count)
{
    struct tensor one = { .rank = UNKNOWN };

    if ((p ? p->n_tensor_values : 0) != (size_t)count)
        return fail(g->report, KILN_BAD_MODEL, g->path, "a map has %lld keys and %zu values, which are to be tensors",
                    (long long)count, p ? p->n_tensor_values : 0);
    *out = (struct tensor){ .rank = 1, .dims = { count } };
    for (int64_t k = 0; k < count; k++) {
        if (!tensor_of_proto(&one, p->tensor_values[k], &g->external, g->arena, g->path, g->report))
            return false;
        if (!k) {
            out->dtype = one.dtype;
            out->data = arena_array(g->arena, (size_t)count, dtype_size(one.dtype), g->report);
        }
        if (tensor_count(&one) != 1 || one.dtype != out->dtype)
            return fail(g->report, KILN_BAD_MODEL, g->path,
                        "value %lld of a map is not one element of the first's type", (long long)k);
        if (!out->data)
            return false;
        memcpy((char *)out->data + (size_t)k * dtype_size(one.dtype), one.data, dtype_size(one.dtype));
    }
    return true;
}

static bool read_string_keys(struct reading *g, const Onnx__MapProto *p, struct string **to)
{
    for (size_t k = 0; k < p->n_string_keys; k++) {
        const ProtobufCBinaryData *from = &p->string_keys[k];

        to[k] = arena_alloc(g->arena, sizeof *to[k] + from->len, g->report);
        if (!to[k])
            return false;
        to[k]->length = from->len;
        if (from->len)
            memcpy(to[k]->bytes, from->data, from->len);
    }
    return true;
}

static bool read_map(struct reading *g, struct tensor *out, const Onnx__MapProto *p)
{
    const bool strings = p->has_key_type && p->key_type == STRING;
    struct tensor keys = { .dtype = strings ? STRING : I64, .rank = 1 }, values;

    if (p->has_key_type && p->key_type != STRING && p->key_type != I64)
        return fail(g->report, KILN_UNSUPPORTED, g->path, "the keys of a map are of type %d, must be int64 or string",
                    (int)p->key_type);
    keys.dims[0] = (int64_t)(strings ? p->n_string_keys : p->n_keys);
    keys.data = strings ? arena_array(g->arena, p->n_string_keys, sizeof(struct string *), g->report) : (void *)p->keys;
    return (!strings || (keys.data && read_string_keys(g, p, keys.data))) &&
           read_values(g, &values, p->values, keys.dims[0]) && map_make(out, &keys, &values, g->heap, g->report);
}

/* Its type is that of its items, of the first one that has one: what holds nothing does not say of what. */
static void note_item(struct tensor *sequence, const struct tensor *item)
{
    if (sequence->dtype != UNDEFINED)
        return;
    sequence->dtype = item->dtype;
    sequence->element[0] = (struct element){ item->kind, item->key };
}

static bool read_sequence(struct reading *g, struct tensor *out, const Onnx__SequenceProto *p)
{
    const size_t count = p->n_tensor_values + p->n_map_values;
    struct sequence *s = arena_alloc(g->arena, sizeof *s + count * sizeof *s->items, g->report);

    if (!s)
        return false;
    *out = (struct tensor){ .kind = SEQUENCE, .rank = UNKNOWN, .data = s };
    if (p->n_tensor_values && p->n_map_values)
        return fail(g->report, KILN_BAD_MODEL, g->path, "a sequence has tensors and maps");
    for (size_t k = 0; k < count; k++, s->count++) {
        struct tensor *item = &s->items[k];

        if (p->n_map_values ? !read_map(g, item, p->map_values[k])
                            : !tensor_of_proto(item, p->tensor_values[k], &g->external, g->arena, g->path, g->report))
            return false;
        note_item(out, item);
    }
    return true;
}

static bool read_optional(struct reading *g, struct tensor *out, const Onnx__OptionalProto *p)
{
    struct optional *o = arena_alloc(g->arena, sizeof *o, g->report);

    if (!o)
        return false;
    *out = (struct tensor){ .kind = OPTIONAL, .rank = UNKNOWN, .data = o };
    o->present = p->tensor_value || p->sequence_value || p->map_value;
    if (p->tensor_value     ? !tensor_of_proto(&o->value, p->tensor_value, &g->external, g->arena, g->path, g->report)
        : p->sequence_value ? !read_sequence(g, &o->value, p->sequence_value)
                            : p->map_value && !read_map(g, &o->value, p->map_value))
        return false;
    if (o->present) {
        *out = optional_of(&o->value);
        out->data = o;
    }
    return true;
}

static bool read_message(struct reading *g, struct tensor *out, enum kind kind, const void *message)
{
    if (kind == SEQUENCE)
        return read_sequence(g, out, message);
    if (kind == OPTIONAL)
        return read_optional(g, out, message);
    if (kind == MAP)
        return read_map(g, out, message);
    return tensor_of_proto(out, message, &g->external, g->arena, g->path, g->report);
}

static bool load_message(struct tensor *out, const char *path, enum kind kind, struct heap *heap, struct report *r)
{
    const ProtobufCMessageDescriptor *d = kind == SEQUENCE   ? &onnx__sequence_proto__descriptor
                                          : kind == OPTIONAL ? &onnx__optional_proto__descriptor
                                          : kind == MAP      ? &onnx__map_proto__descriptor
                                                             : &onnx__tensor_proto__descriptor;
    struct arena arena = { .budget = heap->budget };
    struct heap made = { .budget = heap->budget };
    struct reading reading = { .arena = &arena, .heap = &made, .path = path, .report = r };
    struct report quiet = { 0 };
    struct tensor there;
    uint8_t *bytes;
    void *message;
    size_t size;
    bool ok;

    if (!file_read(path, 0, &bytes, &size, heap->budget, r))
        return false;
    message = proto_unpack(d, bytes, size, NULL, heap->budget, &quiet);
    if (!message)
        fail(r, quiet.error.code, path, "is no %s, which a file must be that does not end in .npy: %s%s%s",
             d->short_name, quiet.error.where, *quiet.error.where ? ": " : "", quiet.error.message);
    budget_free(heap->budget, bytes);
    ok = message && read_message(&reading, &there, kind, message) && heap_copy(heap, out, &there, r);
    message_free(message, heap->budget);
    heap_reset(&made);
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

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);

    return n >= m && strcmp(path + n - m, end) == 0;
}

bool value_load(struct tensor *out, const char *path, enum kind kind, struct heap *heap, struct report *r)
{
    if (!ends_with(path, ".npy"))
        return load_message(out, path, kind, heap, r);
    if (kind != TENSOR)
        return fail(r, KILN_BAD_DATA, path, "holds a tensor, the value needed is none");
    return load_npy(out, path, heap, r);
}

/* -- write -- */

static bool save_message(const struct tensor *t, const char *path, struct budget *b, struct report *r)
{
    Onnx__TensorProto *p = message_new(&onnx__tensor_proto__descriptor, b, r);
    uint8_t *bytes = NULL;
    size_t size;
    const bool ok = p && tensor_to_proto(p, NULL, t, b, r) && proto_pack(p, &bytes, &size, b, r) &&
                    file_write(path, bytes, size, r);

    budget_free(b, bytes);
    message_free(p, b);
    return ok;
}

bool tensor_save(const struct tensor *t, const char *path, struct budget *b, struct report *r)
{
    return ends_with(path, ".pb") ? save_message(t, path, b, r) : npy_save(t, path, b, r);
}
