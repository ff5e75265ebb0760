/* Bounds on the wire format, checked before protobuf-c, which has none of its own, gets to see a byte.
 *
 * A message that passes is well-formed (https://protobuf.dev/programming-guides/encoding/), has each singular field at
 * most once, has every known field in its own wire type, strings without NUL and, but for doc_string, in UTF-8, and
 * keeps to the limits. Unknown fields pass: they are kept and saved again. Stricter than the standard, where that is
 * safer: no duplicates of singular fields, no groups. */
#ifndef KILN_MODEL_SCAN_H
#define KILN_MODEL_SCAN_H

#include "model/message.h"

/* 0 is the usual limit. */
struct scan_limits {
    int depth;        /* of messages, the outermost counting 1; at most, and usually, MESSAGE_DEPTH */
    int64_t messages; /* in all; 2^24 */
    int64_t fields;   /* in all, the values of a packed field counting as one; 2^26 */
    int64_t unknown;  /* fields that the schema does not know; 2^16 */
    size_t memory;    /* what the unpacked message will take, in bytes; none */
};

#define SCAN_LIMITS_INIT                                                                                               \
    {                                                                                                                  \
        0                                                                                                              \
    }

/* `limits` may be NULL. The place of an error is the path of its field: "graph.node[12].attribute[0].t". */
bool scan_model(const uint8_t *bytes, size_t size, const struct scan_limits *limits, struct report *r);
/* The same for any message, such as a TensorProto in a file of its own. */
bool scan_message(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size,
                  const struct scan_limits *limits, struct report *r);

#endif
