#include "model/message.h"
#include "base/utf8.h"
#include <string.h>

/* -- memory -- */

static void *allocate(void *data, size_t bytes)
{
    const struct message_memory *m = data;

    return budget_alloc(m->budget, bytes, m->report);
}

static void release(void *data, void *p)
{
    const struct message_memory *m = data;

    budget_free(m->budget, p);
}

ProtobufCAllocator message_allocator(struct message_memory *data, struct budget *b, struct report *r)
{
    *data = (struct message_memory){ .budget = b, .report = r };
    return (ProtobufCAllocator){ .alloc = allocate, .free = release, .allocator_data = data };
}

void *message_new(const ProtobufCMessageDescriptor *descriptor, struct budget *b, struct report *r)
{
    ProtobufCMessage *message = budget_alloc(b, descriptor->sizeof_message, r);

    if (message)
        protobuf_c_message_init(descriptor, message);
    return message;
}

void message_free(void *message, struct budget *b)
{
    struct message_memory memory;
    ProtobufCAllocator allocator = message_allocator(&memory, b, NULL);

    if (message)
        protobuf_c_message_free_unpacked(message, &allocator);
}

char *message_string(const char *bytes, size_t length, struct budget *b, struct report *r)
{
    char *s = length < SIZE_MAX ? budget_alloc(b, length + 1, r) : NULL;

    if (s) {
        if (length)
            memcpy(s, bytes, length);
        s[length] = 0;
    }
    return s;
}

bool message_bytes(ProtobufCBinaryData *to, const void *bytes, size_t length, struct budget *b, struct report *r)
{
    *to = (ProtobufCBinaryData){ 0 };
    if (!length)
        return true;
    to->data = budget_alloc(b, length, r);
    if (!to->data)
        return false;
    memcpy(to->data, bytes, length);
    to->len = length;
    return true;
}

bool message_utf8(const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t code;
        const size_t size = utf8_decode(bytes + at, length - at, &code);

        if (!size || !code)
            return false;
        at += size;
    }
    return true;
}

/* -- fields by their descriptors -- */

static size_t value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    }
    return 0;
}

static bool is_pointer(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE;
}

static const void *at(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

/* How many values of a field there are, and where the first is. */
static size_t values(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const void **first)
{
    const void *quantifier = at(message, field->quantifier_offset);

    *first = at(message, field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *first = *(const void *const *)*first;
        return *(const size_t *)quantifier;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)quantifier != field->id)
        return 0;
    if (is_pointer(field->type))
        return *(const void *const *)*first != NULL;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF || field->label == PROTOBUF_C_LABEL_REQUIRED)
        return 1;
    return *(const protobuf_c_boolean *)quantifier != 0;
}

bool message_says(const void *message, const ProtobufCFieldDescriptor *field)
{
    static const char zero[8];
    const void *first;
    const size_t n = values(message, field, &first);

    if (!n || field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return n;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return **(const char *const *)first;
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)first)->len;
    return memcmp(first, zero, value_size(field->type)) != 0;
}

/* -- equality -- */

static bool equal_bytes(size_t n, const void *a, size_t m, const void *b)
{
    return n == m && (!n || !memcmp(a, b, n));
}

static bool equal_values(ProtobufCType type, size_t n, const void *a, const void *b)
{
    if (type == PROTOBUF_C_TYPE_STRING) {
        const char *const *x = a, *const *y = b;

        for (size_t k = 0; k < n; k++)
            if (strcmp(x[k], y[k]) != 0)
                return false;
    } else if (type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *x = a, *y = b;

        for (size_t k = 0; k < n; k++)
            if (!equal_bytes(x[k].len, x[k].data, y[k].len, y[k].data))
                return false;
    } else if (type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *const *x = a, *const *y = b;

        for (size_t k = 0; k < n; k++)
            if (!message_equal(x[k], y[k]))
                return false;
    } else {
        return !n || !memcmp(a, b, n * value_size(type));
    }
    return true;
}

bool message_equal(const void *a, const void *b)
{
    const ProtobufCMessage *x = a, *y = b;

    if (!x || !y)
        return x == y;
    if (x->descriptor != y->descriptor || x->n_unknown_fields != y->n_unknown_fields)
        return false;
    for (unsigned k = 0; k < x->descriptor->n_fields; k++) {
        const ProtobufCFieldDescriptor *field = &x->descriptor->fields[k];
        const void *of_x, *of_y;
        const size_t n = values(x, field, &of_x);

        if (n != values(y, field, &of_y) || !equal_values(field->type, n, of_x, of_y))
            return false;
    }
    for (unsigned k = 0; k < x->n_unknown_fields; k++) {
        const ProtobufCMessageUnknownField *u = &x->unknown_fields[k], *v = &y->unknown_fields[k];

        if (u->tag != v->tag || u->wire_type != v->wire_type || !equal_bytes(u->len, u->data, v->len, v->data))
            return false;
    }
    return true;
}

/* -- copies -- */

/* The bytes of a message that is not changed, or changed by putting others in their place: those of weights are many. */
static bool share_bytes(ProtobufCBinaryData *to, const ProtobufCBinaryData *from, struct budget *b, struct report *r)
{
    enum { MANY = 1 << 12 };

    if (from->len < MANY)
        return message_bytes(to, from->data, from->len, b, r);
    *to = (ProtobufCBinaryData){ 0 };
    if (!budget_share(b, from->data, r))
        return false;
    *to = *from;
    return true;
}

/* Writes one value. On failure `to` is as empty as it was: NULL, or no bytes. */
static bool copy_value(ProtobufCType type, void *to, const void *from, struct budget *b, struct report *r)
{
    if (type == PROTOBUF_C_TYPE_STRING) {
        const char *s = *(const char *const *)from;

        return (*(char **)to = message_string(s, strlen(s), b, r));
    }
    if (type == PROTOBUF_C_TYPE_BYTES)
        return share_bytes(to, from, b, r);
    if (type == PROTOBUF_C_TYPE_MESSAGE)
        return (*(void **)to = message_copy(*(const void *const *)from, b, r));
    memcpy(to, from, value_size(type));
    return true;
}

static bool copy_repeated(char *to, const ProtobufCFieldDescriptor *field, size_t n, const char *first,
                          struct budget *b, struct report *r)
{
    const size_t size = value_size(field->type);
    char *array = budget_zalloc(b, n, size, r);

    if (!array)
        return false;
    *(char **)(to + field->offset) = array;
    if (size && !is_pointer(field->type) && field->type != PROTOBUF_C_TYPE_BYTES) {
        memcpy(array, first, n * size);
        *(size_t *)(to + field->quantifier_offset) = n;
        return true;
    }
    for (size_t k = 0; k < n; k++) {
        if (!copy_value(field->type, array + k * size, first + k * size, b, r))
            return false;
        *(size_t *)(to + field->quantifier_offset) = k + 1; /* what is counted is freed with the message */
    }
    return true;
}

static bool copy_field(void *to, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *from, struct budget *b,
                       struct report *r)
{
    const void *first;
    const size_t n = values(from, field, &first);
    char *quantifier = (char *)to + field->quantifier_offset;

    if (!n)
        return true;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return copy_repeated(to, field, n, first, b, r);
    if (!copy_value(field->type, (char *)to + field->offset, first, b, r))
        return false;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)quantifier = field->id;
    else if (!is_pointer(field->type) && field->label == PROTOBUF_C_LABEL_OPTIONAL)
        *(protobuf_c_boolean *)quantifier = 1;
    return true;
}

static bool copy_unknown(ProtobufCMessage *to, const ProtobufCMessage *from, struct budget *b, struct report *r)
{
    if (!from->n_unknown_fields)
        return true;
    to->unknown_fields = budget_zalloc(b, from->n_unknown_fields, sizeof *to->unknown_fields, r);
    if (!to->unknown_fields)
        return false;
    for (unsigned k = 0; k < from->n_unknown_fields; k++) {
        ProtobufCMessageUnknownField *field = &to->unknown_fields[k];
        ProtobufCBinaryData data;

        if (!message_bytes(&data, from->unknown_fields[k].data, from->unknown_fields[k].len, b, r))
            return false;
        *field = from->unknown_fields[k];
        field->data = data.data;
        to->n_unknown_fields = k + 1;
    }
    return true;
}

void *message_copy(const void *message, struct budget *b, struct report *r)
{
    const ProtobufCMessage *from = message;
    ProtobufCMessage *to = message_new(from->descriptor, b, r);
    bool ok = to != NULL;

    for (unsigned k = 0; ok && k < from->descriptor->n_fields; k++)
        ok = copy_field(to, &from->descriptor->fields[k], from, b, r);
    ok = ok && copy_unknown(to, from, b, r);
    if (!ok) {
        message_free(to, b);
        return NULL;
    }
    return to;
}
