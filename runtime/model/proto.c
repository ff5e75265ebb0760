#include "model/proto.h"

void *proto_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                   const struct scan_limits *limits, struct budget *b, struct report *r)
{
    struct scan_limits bounded = SCAN_LIMITS_INIT;
    struct message_memory memory;
    ProtobufCAllocator allocator = message_allocator(&memory, b, r);
    const int errors = r ? r->error.count : 0;
    const size_t left = budget_left(b);
    void *message;

    if (limits)
        bounded = *limits;
    if (left != SIZE_MAX) {
        if (!left)
            return fail(r, KILN_LIMIT, NULL, "nothing is left of the memory limit"), NULL;
        if (!bounded.memory || bounded.memory > left)
            bounded.memory = left;
    }
    if (!scan_message(descriptor, bytes, size, &bounded, r))
        return NULL;
    message = protobuf_c_message_unpack(descriptor, &allocator, size, bytes);
    if (!message && (!r || r->error.count == errors))
        fail(r, KILN_BAD_MODEL, NULL, "the %zu bytes of a '%s' cannot be decoded", size, descriptor->short_name);
    return message;
}

Onnx__ModelProto *proto_unpack_model(const uint8_t *bytes, size_t size, const struct scan_limits *limits,
                                     struct budget *b, struct report *r)
{
    return proto_unpack(&onnx__model_proto__descriptor, bytes, size, limits, b, r);
}

/* Into what a message is packed, piece by piece. */
struct stream {
    ProtobufCBuffer base;
    put_bytes *put;
    void *to;
    bool failed;
};

static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *bytes)
{
    struct stream *s = (struct stream *)(void *)buffer;

    s->failed = s->failed || !s->put(s->to, bytes, size);
}

/* No reader of protobuf would take more. */
static bool check_size(size_t size, struct report *r)
{
    return size <= INT32_MAX ||
           fail(r, KILN_LIMIT, NULL, "the message needs %zu bytes, the most that protobuf can read is %d", size,
                INT32_MAX);
}

bool proto_put(const void *message, put_bytes *put, void *to, struct report *r)
{
    struct stream s = { .base.append = append, .put = put, .to = to };

    if (!check_size(protobuf_c_message_get_packed_size(message), r))
        return false;
    protobuf_c_message_pack_to_buffer(message, &s.base);
    return !s.failed;
}

bool proto_pack(const void *message, uint8_t **bytes, size_t *size, struct budget *b, struct report *r)
{
    const size_t need = protobuf_c_message_get_packed_size(message);

    *bytes = NULL;
    *size = 0;
    if (!check_size(need, r))
        return false;
    *bytes = budget_alloc(b, need, r);
    if (!*bytes)
        return false;
    *size = protobuf_c_message_pack(message, *bytes);
    return true;
}
