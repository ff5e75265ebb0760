/* convert IN OUT: a model from messages or text to messages (OUT ends in .onnx) or text, with nothing in between: what
 * tests/text.py compares with the onnx package. */
#include "model/file.h"
#include "model/message.h"
#include "model/proto.h"
#include "model/text.h"
#include <stdio.h>
#include <string.h>

static Onnx__ModelProto *read_model(const char *path, struct budget *b, struct report *r)
{
    Onnx__ModelProto *m = NULL;
    uint8_t *bytes;
    size_t size;

    if (!file_read(path, 0, &bytes, &size, b, r))
        return NULL;
    if (strstr(path, ".onnxtxt"))
        m = text_read_model((const char *)bytes, size, b, r);
    else
        m = proto_unpack_model(bytes, size, NULL, b, r);
    budget_free(b, bytes);
    return m;
}

static bool write_model(const Onnx__ModelProto *m, const char *path, struct budget *b, struct report *r)
{
    struct text t = { .budget = b, .report = r };
    uint8_t *bytes = NULL;
    size_t size;
    bool ok;

    if (strstr(path, ".onnxtxt"))
        ok = text_write_model(&t, m, NULL, NULL) && file_write(path, t.data, t.length, r);
    else
        ok = proto_pack(m, &bytes, &size, b, r) && file_write(path, bytes, size, r);
    budget_free(b, bytes);
    text_release(&t);
    return ok;
}

int main(int argc, char **argv)
{
    struct budget budget = { 0 };
    struct report report = { 0 };
    Onnx__ModelProto *m;

    if (argc != 3) {
        fprintf(stderr, "usage: convert IN OUT\n");
        return 2;
    }
    m = read_model(argv[1], &budget, &report);
    if (m)
        write_model(m, argv[2], &budget, &report);
    message_free(m, &budget);
    if (failed(&report))
        fprintf(stderr, "%s: %s: %s\n", argv[1], report.error.where, report.error.message);
    else if (budget.used)
        fprintf(stderr, "%s: %zu bytes were not given back\n", argv[1], budget.used);
    return failed(&report) || budget.used;
}
