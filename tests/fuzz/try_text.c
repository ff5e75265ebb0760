#include "model/message.h"
#include "model/proto.h"
#include "model/text.h"
#include "try.h"
#include <string.h>

enum { MEMORY = 64 << 20 };

/* Messages that came from text are the same when they come back; other messages may have said it in another way. */
static void write_and_read(const Onnx__ModelProto *m, bool was_text, struct budget *b)
{
    struct report r = { 0 };
    struct text first = { .budget = b, .report = &r }, second = first;
    int64_t lost = 0;
    Onnx__ModelProto *again = NULL;

    if (text_write_model(&first, m, NULL, &lost))
        again = text_read_model(first.data, first.length, b, &r);
    if (was_text && r.error.code != KILN_LIMIT) {
        try_expect(again, "what is written can be read");
        try_expect(!lost, "nothing that was text is lost as text");
        try_expect(message_equal(m, again), "what is written is what was read");
    }
    if (again && !lost && text_write_model(&second, again, NULL, &lost))
        try_expect(first.length == second.length && !memcmp(first.data, second.data, first.length),
                   "what is read is written alike");
    text_release(&first);
    text_release(&second);
    message_free(again, b);
}

void try_text(const uint8_t *bytes, size_t size)
{
    const bool is_text = text_is_model(bytes, size);
    struct budget b = { .limit = MEMORY };
    struct report r = { 0 };
    Onnx__ModelProto *m =
        is_text ? text_read_model((const char *)bytes, size, &b, &r) : proto_unpack_model(bytes, size, NULL, &b, &r);

    if (m)
        write_and_read(m, is_text, &b);
    message_free(m, &b);
    try_nothing_left(&b);
}
