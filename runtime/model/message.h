/* Protobuf messages (onnx.pb-c.h) whose memory is charged to a budget. Every message and everything in it is freed with
 * the budget it was made from. Messages are at most MESSAGE_DEPTH deep, the outermost counting 1: whoever makes one
 * keeps to that (model/scan.h, model/text.h), so that walking one by recursion is bounded. */
#ifndef KILN_MODEL_MESSAGE_H
#define KILN_MODEL_MESSAGE_H

#include "base/memory.h"
#include "onnx.pb-c.h"

/* The depth that protobuf's own implementations allow, too. Each If, Loop or Scan costs three levels (node, attribute,
 * graph): some 30 of them fit inside each other. */
enum { MESSAGE_DEPTH = 100 };

/* For protobuf-c. `data` is where its state lives while the allocator is in use. `r` may be NULL. */
struct message_memory {
    struct budget *budget;
    struct report *report;
};
ProtobufCAllocator message_allocator(struct message_memory *data, struct budget *b, struct report *r);

/* An empty message; message_free frees it with all that hangs on it by then. NULL is freed in silence. */
void *message_new(const ProtobufCMessageDescriptor *descriptor, struct budget *b, struct report *r);
void message_free(void *message, struct budget *b);
/* A copy with the same fields present, unknown ones included; NULL where memory ran out. Long bytes fields, the data of
 * weights, are shared by both (budget_share): who changes one of the messages puts other bytes in their place, and
 * never writes into them. */
void *message_copy(const void *message, struct budget *b, struct report *r);
/* Are the same fields present with the same values, bit by bit, unknown fields included? Both may be NULL. */
bool message_equal(const void *a, const void *b);

/* Does the field hold more than would be read where it is absent: other than 0, or nothing? */
bool message_says(const void *message, const ProtobufCFieldDescriptor *field);

/* A string field is NULL where it is absent. */
static inline const char *or_empty(const char *s)
{
    return s ? s : "";
}
/* For the fields of messages. A string field is UTF-8 without NUL: protobuf-c would lose what follows one. */
bool message_utf8(const char *bytes, size_t length); /* is it that? */
char *message_string(const char *bytes, size_t length, struct budget *b, struct report *r);
bool message_bytes(ProtobufCBinaryData *to, const void *bytes, size_t length, struct budget *b, struct report *r);

#endif
