#include "model/scan.h"
#include <stdio.h>
#include <string.h>

/* No message of the schema has more fields: the bits of `seen`. */
enum { MAX_FIELDS = 32 };

/* A message that has begun and not ended. */
struct frame {
    const ProtobufCMessageDescriptor *descriptor;
    const uint8_t *end;
    const ProtobufCFieldDescriptor *field; /* the one at hand; NULL: unknown, or none yet */
    uint32_t number;                       /* its number; 0: none yet */
    uint32_t seen;                         /* bit k: descriptor->fields[k] was there */
    uint32_t count[MAX_FIELDS];            /* values of repeated fields so far */
};

struct scan {
    const uint8_t *at;
    struct frame stack[MESSAGE_DEPTH];
    int depth;
    struct scan_limits limits;
    int64_t messages, fields, unknown;
    size_t memory;
    struct report *report;
};

/* -- where -- */

enum { WHERE = sizeof((kiln_error *)0)->where };

static int segment(const struct frame *f, char *text, size_t size)
{
    if (!f->field)
        return f->number ? snprintf(text, size, "(field %u)", f->number) : 0;
    if (f->field->label != PROTOBUF_C_LABEL_REPEATED)
        return snprintf(text, size, "%s", f->field->name);
    return snprintf(text, size, "%s[%u]", f->field->name, f->count[f->field - f->descriptor->fields]);
}

/* "graph.node[12].attribute[0].t"; of a path that is too long, the end. */
static const char *path(const struct scan *s, char where[WHERE])
{
    size_t at = WHERE - 1;

    where[at] = 0;
    for (int level = s->depth; level-- > 0;) {
        char text[64];
        const int n = segment(&s->stack[level], text, sizeof text);
        const size_t length = n < 0 ? 0 : (size_t)n;

        if (!length)
            continue;
        if (length + 5 > at) {
            memcpy(where + (at -= 3), "...", 3);
            break;
        }
        if (where[at])
            where[--at] = '.';
        memcpy(where + (at -= length), text, length);
    }
    return where + at;
}

static bool refuse(const struct scan *s, kiln_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(const struct scan *s, kiln_status code, const char *format, ...)
{
    char where[WHERE];
    va_list args;

    va_start(args, format);
    fail_v(s->report, code, path(s, where), format, args);
    va_end(args);
    return false;
}

/* -- budgets -- */

static bool charge(struct scan *s, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || !budget_charge(bytes, &bytes) ||
        __builtin_add_overflow(s->memory, bytes, &s->memory) || (s->limits.memory && s->memory > s->limits.memory))
        return refuse(s, KILN_LIMIT, "decoding the message needs more than the memory limit of %zu bytes",
                      s->limits.memory);
    return true;
}

static bool begin(struct scan *s, const ProtobufCMessageDescriptor *descriptor, size_t size)
{
    struct frame *f;

    if (descriptor->n_fields > MAX_FIELDS)
        return refuse(s, KILN_UNSUPPORTED, "the schema has %u fields in a '%s', at most %d are supported",
                      descriptor->n_fields, descriptor->short_name, MAX_FIELDS);
    if (s->depth >= s->limits.depth)
        return refuse(s, KILN_LIMIT, "messages are nested more than %d deep, which is the limit", s->limits.depth);
    if (++s->messages > s->limits.messages)
        return refuse(s, KILN_LIMIT, "there are more than %lld messages, which is the limit",
                      (long long)s->limits.messages);
    if (!charge(s, 1, descriptor->sizeof_message))
        return false;
    f = &s->stack[s->depth++];
    memset(f, 0, sizeof *f);
    f->descriptor = descriptor;
    f->end = s->at + size;
    return true;
}

static size_t value_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    default:
        return 8;
    }
}

/* The arrays of a message's repeated fields are allocated once, when their lengths are known. */
static bool end(struct scan *s)
{
    struct frame *f = &s->stack[s->depth - 1];

    f->field = NULL;
    f->number = 0;
    for (unsigned k = 0; k < f->descriptor->n_fields; k++)
        if (f->count[k] && !charge(s, f->count[k], value_size(&f->descriptor->fields[k])))
            return false;
    s->depth--;
    if (s->depth >
        0) { /* the value of a repeated field is whole only now: until here its index was that of errors in it */
        struct frame *outer = &s->stack[s->depth - 1];

        if (outer->field->label == PROTOBUF_C_LABEL_REPEATED)
            outer->count[outer->field - outer->descriptor->fields]++;
    }
    return true;
}

/* -- wire types -- */

static bool read_varint(struct scan *s, const uint8_t *end_of, uint64_t *value, const char *what)
{
    *value = 0;
    for (int k = 0; k < 10; k++) {
        uint8_t byte;

        if (s->at == end_of)
            return refuse(s, KILN_BAD_MODEL, "%s is cut off by the end of the message", what);
        byte = *s->at++;
        if (k == 9 && byte > 1)
            break;
        *value |= (uint64_t)(byte & 0x7f) << 7 * k;
        if (byte < 0x80)
            return true;
    }
    return refuse(s, KILN_BAD_MODEL, "%s has more than 64 bits", what);
}

static bool read_length(struct scan *s, size_t *length)
{
    const uint8_t *end_of = s->stack[s->depth - 1].end;
    uint64_t value;

    *length = 0;
    if (!read_varint(s, end_of, &value, "a length"))
        return false;
    if (value > (uint64_t)(end_of - s->at))
        return refuse(s, KILN_BAD_MODEL, "length %llu runs past the end of the message (%td bytes are left)",
                      (unsigned long long)value, end_of - s->at);
    *length = (size_t)value;
    return true;
}

static bool skip(struct scan *s, size_t bytes)
{
    const ptrdiff_t left = s->stack[s->depth - 1].end - s->at;

    if (bytes > (size_t)left)
        return refuse(s, KILN_BAD_MODEL, "a value of %zu bytes runs past the end of the message (%td bytes are left)",
                      bytes, left);
    s->at += bytes;
    return true;
}

static ProtobufCWireType wire_type(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

static const char *wire_name(unsigned wire)
{
    static const char *const names[] = { "varint", "64-bit", "length-delimited", "group", "group end", "32-bit" };

    return wire < sizeof names / sizeof *names ? names[wire] : "unknown";
}

/* -- values -- */

/* An int32 may be written by its 32 bits, or, if negative, by 64. More would be cut off, and mean something else. */
static bool read_integer(struct scan *s, const uint8_t *end_of, ProtobufCType type)
{
    uint64_t value;

    if (!read_varint(s, end_of, &value, "an integer"))
        return false;
    if ((type == PROTOBUF_C_TYPE_INT32 || type == PROTOBUF_C_TYPE_ENUM) &&
        ((int64_t)value < INT32_MIN || (int64_t)value > UINT32_MAX))
        return refuse(s, KILN_BAD_MODEL, "%lld does not fit into 32 bits", (long long)value);
    return true;
}

/* Several values of a repeated field in one piece. */
static bool read_packed(struct scan *s, const ProtobufCFieldDescriptor *field, size_t length, uint32_t *count)
{
    const uint8_t *end_of = s->at + length;
    const ProtobufCWireType wire = wire_type(field->type);
    const size_t size = wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8;
    size_t n = 0;

    if (wire != PROTOBUF_C_WIRE_TYPE_VARINT) {
        if (length % size)
            return refuse(s, KILN_BAD_MODEL, "%zu bytes of packed values are no multiple of %zu", length, size);
        n = length / size;
        s->at = end_of;
    }
    for (; s->at != end_of; n++)
        if (!read_integer(s, end_of, field->type))
            return false;
    if (__builtin_add_overflow(*count, n, count))
        return refuse(s, KILN_LIMIT, "there are more than %u values", UINT32_MAX);
    return true;
}

static bool read_text(struct scan *s, const ProtobufCFieldDescriptor *field, size_t length)
{
    const char *text = (const char *)s->at;
    const char *nul = length ? memchr(text, 0, length) : NULL;

    if (nul)
        return refuse(s, KILN_BAD_MODEL, "the text has a NUL at byte %td of %zu", nul - text, length);
    if (strcmp(field->name, "doc_string") != 0 && !message_utf8(text, length))
        return refuse(s, KILN_BAD_MODEL, "the text is not valid UTF-8");
    s->at += length;
    return charge(s, 1, length + 1);
}

/* A length-delimited field; a message is begun, its fields come next. */
static bool read_delimited(struct scan *s, const ProtobufCFieldDescriptor *field, uint32_t *count)
{
    size_t length;

    if (!read_length(s, &length))
        return false;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return begin(s, field->descriptor, length);
    case PROTOBUF_C_TYPE_STRING:
        if (!read_text(s, field, length))
            return false;
        break;
    case PROTOBUF_C_TYPE_BYTES:
        s->at += length;
        if (length && !charge(s, 1, length))
            return false;
        break;
    default:
        return read_packed(s, field, length, count);
    }
    ++*count;
    return true;
}

static bool read_unknown(struct scan *s, unsigned wire)
{
    struct frame *f = &s->stack[s->depth - 1];
    const uint8_t *start = s->at;
    uint64_t value;
    size_t length;
    bool ok;

    if (++s->unknown > s->limits.unknown)
        return refuse(s, KILN_LIMIT, "there are more than %lld unknown fields, which is the limit",
                      (long long)s->limits.unknown);
    if (wire == PROTOBUF_C_WIRE_TYPE_VARINT)
        ok = read_varint(s, f->end, &value, "an integer");
    else if (wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        ok = read_length(s, &length) && skip(s, length);
    else
        ok = skip(s, wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8);
    return ok && charge(s, 1, (size_t)(s->at - start)) && charge(s, 1, sizeof(ProtobufCMessageUnknownField));
}

/* Singular fields, and the members of a oneof, come once. */
static bool is_first(struct scan *s, struct frame *f, unsigned index)
{
    const ProtobufCFieldDescriptor *field = f->field;

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return true;
    if (f->seen & 1u << index)
        return refuse(s, KILN_BAD_MODEL, "is there twice, it may be there once");
    for (unsigned k = 0; field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && k < f->descriptor->n_fields; k++) {
        const ProtobufCFieldDescriptor *other = &f->descriptor->fields[k];

        if (f->seen & 1u << k && other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
            other->quantifier_offset == field->quantifier_offset)
            return refuse(s, KILN_BAD_MODEL, "is there beside '%s', there may be one of them", other->name);
    }
    f->seen |= 1u << index;
    return true;
}

static bool read_known(struct scan *s, struct frame *f, unsigned wire)
{
    const ProtobufCFieldDescriptor *field = f->field;
    const unsigned index = (unsigned)(field - f->descriptor->fields);
    const bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    const ProtobufCWireType expected = wire_type(field->type);
    uint32_t single = 0;
    uint32_t *count = repeated ? &f->count[index] : &single;

    if (wire != expected && !(repeated && wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED))
        return refuse(s, KILN_BAD_MODEL, "has the wire type %s, it must be %s", wire_name(wire), wire_name(expected));
    if (*count == UINT32_MAX)
        return refuse(s, KILN_LIMIT, "there are more than %u values", UINT32_MAX);
    if (!is_first(s, f, index))
        return false;
    if (wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return read_delimited(s, field, count);
    if (wire == PROTOBUF_C_WIRE_TYPE_VARINT ? !read_integer(s, f->end, field->type)
                                            : !skip(s, wire == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8))
        return false;
    ++*count;
    return true;
}

static bool read_field(struct scan *s)
{
    struct frame *f = &s->stack[s->depth - 1];
    uint64_t tag;
    unsigned wire;

    f->field = NULL;
    f->number = 0;
    if (!read_varint(s, f->end, &tag, "the tag of a field"))
        return false;
    if (tag > UINT32_MAX || tag < 8)
        return refuse(s, KILN_BAD_MODEL, "a field has the number %llu, it must be from 1 to 536870911%s",
                      (unsigned long long)tag >> 3, s->depth == 1 ? ": this is no ONNX file" : "");
    wire = tag & 7;
    f->number = (uint32_t)tag >> 3;
    f->field = protobuf_c_message_descriptor_get_field(f->descriptor, f->number);
    if (++s->fields > s->limits.fields)
        return refuse(s, KILN_LIMIT, "there are more than %lld fields, which is the limit",
                      (long long)s->limits.fields);
    if (wire == 3 || wire == 4)
        return refuse(s, KILN_BAD_MODEL, "is a group, which ONNX does not use");
    if (wire > 5)
        return refuse(s, KILN_BAD_MODEL, "has the wire type %u, it must be from 0 to 5", wire);
    return f->field ? read_known(s, f, wire) : read_unknown(s, wire);
}

static struct scan_limits or_usual(const struct scan_limits *limits)
{
    struct scan_limits l = limits ? *limits : (struct scan_limits)SCAN_LIMITS_INIT;

    if (l.depth <= 0 || l.depth > MESSAGE_DEPTH)
        l.depth = MESSAGE_DEPTH;
    if (l.messages <= 0)
        l.messages = 1 << 24;
    if (l.fields <= 0)
        l.fields = 1 << 26;
    if (l.unknown <= 0)
        l.unknown = 1 << 16;
    return l;
}

bool scan_message(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                  const struct scan_limits *limits, struct report *r)
{
    struct scan s = { .at = bytes, .limits = or_usual(limits), .report = r };

    if (!size && descriptor == &onnx__model_proto__descriptor)
        return fail(r, KILN_BAD_MODEL, NULL, "there are 0 bytes, a model is needed");
    if (size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return fail(r, KILN_BAD_MODEL, NULL, "the file is compressed with gzip, decompress it first");
    if (size > INT32_MAX)
        return fail(r, KILN_LIMIT, NULL, "%zu bytes are more than the 2 GiB that a protobuf message may have", size);
    if (!begin(&s, descriptor, size))
        return false;
    while (s.depth > 0)
        if (s.at == s.stack[s.depth - 1].end ? !end(&s) : !read_field(&s))
            return false;
    return true;
}

bool scan_model(const uint8_t *bytes, size_t size, const struct scan_limits *limits, struct report *r)
{
    return scan_message(&onnx__model_proto__descriptor, bytes, size, limits, r);
}
