/* Bytes to messages and back: scan, protobuf-c, budget. Messages are freed with message_free (model/message.h). */
#ifndef KILN_MODEL_PROTO_H
#define KILN_MODEL_PROTO_H

#include "model/scan.h"

/* Scans and unpacks. `limits` may be NULL; what is left of the budget is a limit in any case. NULL on failure. */
Onnx__ModelProto *proto_unpack_model(const uint8_t *bytes, size_t size, const struct scan_limits *limits,
                                     struct budget *b, struct report *r);
void *proto_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                   const struct scan_limits *limits, struct budget *b, struct report *r);

/* Takes bytes, in order; false ends it, with the error told. */
typedef bool put_bytes(void *to, const void *bytes, size_t size);
/* More than 2 GiB are refused: no reader of protobuf would take them. */
bool proto_put(const void *message, put_bytes *put, void *to, struct report *r);
/* *bytes is freed with budget_free. */
bool proto_pack(const void *message, uint8_t **bytes, size_t *size, struct budget *b, struct report *r);

#endif
