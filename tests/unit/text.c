/* The textual syntax, read and written. */
#include "model/text.h"
#include "comma.h"
#include "model/message.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 17]> "

static Onnx__ModelProto *read_text(const char *text)
{
    return text_read_model(text, strlen(text), &budget, &report);
}

static char *write_text(const Onnx__ModelProto *m, struct text *t, const struct text_options *o, int64_t *lost)
{
    *t = (struct text){ .budget = &budget, .report = &report };
    expect_ok(text_write_model(t, m, o, lost));
    return t->data;
}

/* Read, written, read again, written again: both messages and both texts are equal. */
static void round_trip(const char *text)
{
    Onnx__ModelProto *m = read_text(text), *again;
    struct text first, second;
    int64_t lost = -1;

    expect_ok(m);
    again = read_text(write_text(m, &first, NULL, &lost));
    expect_ok(again);
    ck_assert_int_eq(lost, 0);
    ck_assert_str_eq(first.data, write_text(again, &second, NULL, NULL));
    ck_assert_msg(message_equal(m, again), "what was read differs from\n%s", first.data);
    text_release(&first);
    text_release(&second);
    message_free(m, &budget);
    message_free(again, &budget);
}

static void refused(const char *text, const char *where, const char *part)
{
    Onnx__ModelProto *m = read_text(text);

    ck_assert_msg(!m, "was read: %s", text);
    ck_assert_msg(!strcmp(report.error.where, where), "%s: %s: expected at %s, said at %s: %s", text, part, where,
                  report.error.where, report.error.message);
    expect_error(KILN_BAD_MODEL, part);
}

static const char sample[] =
    "# a comment, with a \" and a <\n"
    "<ir_version: 10, opset_import: [\"\": 17, \"my-domain\": 2], producer_name: \"p\", producer_version: \"1\", "
    "domain: \"d\",\n"
    " model_version: -3, doc_string: \"two\nlines, \\\"quoted\\\" and \\\\\", metadata_props: [\"init.conv1.weight\": "
    "\"glorot_uniform\", \"\": \"\"]>\n"
    "main (float[N, 3, ?, \"a+b\"] x, float[2] d = {1, 2}, seq(map(int64, optional(string[]))) s, "
    "sparse_tensor(float[2]) sp,\n"
    "      opaque(a.b, c) o1, opaque(name) o2, opaque() o3, untyped, bool \"float\") => (float y, float[] "
    "\"conv1/out:0\")\n"
    "<float[2,2] w = {1.5, -2, 1e-45, -nan}, int64[1] i = {-9223372036854775808}, string[2] t = {\"q\\\"\", \"\"}, "
    "double z = {1e300},\n"
    " uint64[1] u = {18446744073709551615}, bool[2] b = {1, 0}, complex64[1] c = {1, -2}, float16[1] h = {15360}, "
    "int4[3] n = {33, 3},\n"
    " float[1000] e = [\"location\": \"w.bin\", \"offset\": \"4096\"], float[0] empty = {}, float[N] hint, int32 \"a "
    "b\">\n"
    "{\n"
    "  [\"node 1\"] y, \"\", q = d.e.Op:over <f = 1.0, i: int = -2, s = \"\\\\\", fs = [1.5, 2], is = [1, 2], ss = "
    "[\"a\", \"\"],\n"
    "     e: floats = [], inf = inf, t = float[2] name {1, 2}, t2: tensor = int32 {7}, p: type_proto = seq(float[2]),\n"
    "     ps = [float[N], int64], ts = [float[1] {1}, float[1] {2}]> (x, , \"\", w)\n"
    "  = Nothing ()\n"
    "  [] r = If (b) <then_branch = g () => (bool k) <bool[1] v = {1}> { k = Not (z) l = Not(k) }, else_branch: graph "
    "= \"x y\" () => () { }>\n"
    "  r2 = Many (x) <gs = [g1 () => () {}, g2 (float a) => (float b) { b = Neg (a) }]>\n"
    "  r3 = \"my-domain\".\"op!\":\"ov er\" <\"attr!\": int = 1> (x)\n"
    "}\n"
    "<domain: \"my-domain\", overload: \"o\", opset_import: [\"\": 17], doc_string: \"f\">\n"
    "fun <al, be: float = 1.0, ga: ints = [1]> (float[N] a, b) => (c, int64 d) <float[M] inner> { c = Elu <alpha: "
    "float = @al, k: ints = @ga> (a) }\n"
    "fun2 () => () { }\n";

START_TEST(everything_round_trips)
{
    round_trip(sample);
    round_trip(HEAD "g () => () {}");
    round_trip("g (x) => (y) { y = Neg (x) }"); /* no header at all */
}
END_TEST

START_TEST(the_sample_means_what_it_says)
{
    Onnx__ModelProto *m = read_text(sample);
    const Onnx__NodeProto *n;

    expect_ok(m);
    ck_assert_int_eq(m->model_version, -3);
    ck_assert_str_eq(m->doc_string, "two\nlines, \"quoted\" and \\");
    ck_assert_str_eq(m->metadata_props[0]->key, "init.conv1.weight");
    ck_assert_uint_eq(m->graph->n_input, 9);
    ck_assert_str_eq(m->graph->input[0]->type->tensor_type->shape->dim[3]->dim_param, "a+b");
    ck_assert_ptr_null(m->graph->input[7]->type);
    ck_assert_ptr_null(m->graph->output[1]->type->tensor_type->shape); /* [] is any rank */
    ck_assert_uint_eq(m->graph->output[0]->type->tensor_type->shape->n_dim, 0);
    ck_assert_uint_eq(m->graph->n_initializer, 12); /* that of the input d is the first */
    ck_assert_str_eq(m->graph->initializer[0]->name, "d");
    ck_assert_uint_eq(m->graph->n_value_info, 2);
    ck_assert_str_eq(m->graph->input[4]->type->opaque_type->domain, "a.b");
    n = m->graph->node[0];
    ck_assert_str_eq(n->domain, "d.e");
    ck_assert_str_eq(n->op_type, "Op");
    ck_assert_uint_eq(n->n_output, 3);
    ck_assert_uint_eq(n->n_input, 4);
    ck_assert_str_eq(n->input[1], "");
    ck_assert_int_eq(n->attribute[3]->type, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    ck_assert_float_eq(n->attribute[3]->floats[1], 2);
    ck_assert(isinf(n->attribute[7]->f));
    ck_assert_uint_eq(n->attribute[12]->n_tensors, 2);
    ck_assert_str_eq(m->graph->node[2]->attribute[1]->g->name, "x y");
    ck_assert_str_eq(m->graph->node[4]->domain, "my-domain");
    ck_assert_str_eq(m->functions[0]->node[0]->attribute[0]->ref_attr_name, "al");
    ck_assert_uint_eq(m->functions[0]->n_value_info, 3);
    ck_assert_uint_eq(m->functions[0]->n_attribute, 1);
    message_free(m, &budget);
}
END_TEST

START_TEST(errors_say_where)
{
    refused("", "1:1", "the text ends, the name of a graph is needed");
    refused("<", "1:2", "a key such as opset_import");
    refused("<x: 1>", "1:4", "'x' is no key of a model");
    refused("<ir_version: 1, ir_version: 2>", "1:28", "given twice");
    refused("<ir_version: \"8\">", "1:14", "'\"' is found, a number is needed");
    refused("<opset_import: [\"\": 17>", "1:23", "']' after the operator sets");
    refused(HEAD "\n g (flot[2] x)", "2:9", "'[' is found, ')' after the inputs of a graph");
    refused(HEAD "\n\ng (float[2 x) => () {}", "3:12", "']' after the dimensions");
    refused("g () = () {}", "1:7", "'=>' is needed");
    refused("g () => () { y = }", "1:18", "'}' is found, the name of an operator is needed");
    refused("g () => () { y = a.(x) }", "1:20", "the name of an operator");
    refused("g () => () { y = A <k = > (x) }", "1:25", "'>' is found, a number is needed");
    refused("g () => () { y = A <k: floot = 1> (x) }", "1:24", "the type of an attribute");
    refused("g () => () { y = A <k: int = 1.5> (x) }", "1:30", "of type 'float', 'int' is needed");
    refused("g () => () { y = A <k = [1, 2.5]> (x) }", "1:29", "of type 'float', 'int' is needed");
    refused("g () => () { y = A <k: int = [1]> (x) }", "1:31", "a list is found");
    refused("g () => () { y = A <k = []> (x) }", "1:27", "an empty list needs its type");
    refused("g () => () { y = A <k = [@a]> (x) }", "1:28", "a reference cannot be part of a list");
    refused("g () => () { y = A <k = 99999999999999999999> () }", "1:45", "out of the range");
    refused("g () => () { y = A <k = 1e99> () }", "1:29", "out of the range of a float");
    refused("g () => () { y = A <k = 1e> () }", "1:27", "the exponent");
    refused("g () => () { y = A (x }", "1:23", "')' after the inputs of a node");
    refused("g () => () { y = A (\"x) }", "1:21", "does not end");
    refused("g () => () { \"\xff\" = A () }", "1:17", "not valid UTF-8");
    refused("g () => () <float[N] w = {1}> {}", "1:25", "dimension 0 of a tensor with values is no number");
    refused("g () => () <float[] w = {1}> {}", "1:24", "[] is any rank");
    refused("g () => () <seq(float) w = {1}> {}", "1:27", "need the type of a tensor");
    refused("g () => () <int8[1] w = {3000000000}> {}", "1:36", "out of the range of int8");
    refused("g () => () <uint64[1] w = {-1}> {}", "1:30", "out of the range");
    refused("g () => () <int64[3] w = {1, ...}> {}", "1:30", "'...' stands for values that were left out");
    refused("g () => () {} \x01", "1:15", "the character 0x01 is found");
    refused("g () => () {} h", "1:16", "the text ends");
    refused("g () => () { y = A <k = -> () }", "1:25", "'-' is found, a number");
}
END_TEST

static void survives(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1); /* exactly as long, so that a sanitizer sees a byte too far */
    Onnx__ModelProto *m;

    memcpy(copy, text, size);
    m = text_read_model(copy, size, &budget, &report);
    ck_assert(!m == failed(&report));
    message_free(m, &budget);
    ck_assert_uint_eq(budget.used, 0);
    free(copy);
    report = (struct report){ 0 };
}

START_TEST(truncated_at_every_byte)
{
    for (size_t k = 0; k < sizeof sample; k++)
        survives(sample, k);
}
END_TEST

START_TEST(every_byte_changed)
{
    char text[sizeof sample];

    memcpy(text, sample, sizeof sample);
    for (size_t k = 0; k < sizeof sample - 1; k++) {
        for (const char *c = "\"<>{}[](),:=.@-1x \xff\\#"; *c; c++) {
            text[k] = *c;
            survives(text, sizeof text - 1);
        }
        text[k] = 0;
        survives(text, sizeof text - 1);
        text[k] = sample[k];
    }
}
END_TEST

START_TEST(memory_ends_anywhere)
{
    Onnx__ModelProto *m = NULL;
    struct text t = { .budget = &budget, .report = &report };
    bool written = false;
    size_t used;

    for (size_t limit = 64; !m; limit += 64) {
        budget = (struct budget){ .limit = limit };
        m = read_text(sample);
        ck_assert(!m == failed(&report));
        ck_assert(m || !budget.used);
        report = (struct report){ 0 };
    }
    used = budget.used;
    for (size_t limit = used; !written; limit += 64) {
        budget.limit = limit;
        t.failed = false;
        written = text_write_model(&t, m, NULL, NULL);
        ck_assert(!written == failed(&report));
        report = (struct report){ 0 };
        text_release(&t);
        ck_assert_uint_eq(budget.used, used);
    }
    message_free(m, &budget);
}
END_TEST

/* `before` and `after` repeated around what is in the middle. */
static void nest(const char *start, const char *before, int times, const char *middle, const char *after,
                 const char *last)
{
    const size_t size =
        strlen(start) + (size_t)times * (strlen(before) + strlen(after)) + strlen(middle) + strlen(last) + 1;
    char *text = malloc(size), *p = stpcpy(text, start);

    for (int k = 0; k < times; k++)
        p = stpcpy(p, before);
    p = stpcpy(p, middle);
    for (int k = 0; k < times; k++)
        p = stpcpy(p, after);
    stpcpy(p, last);
    if (times > 100) {
        ck_assert_ptr_null(read_text(text));
        expect_error(KILN_LIMIT, "nested more than 100 messages deep");
    } else {
        round_trip(text);
    }
    free(text);
}

START_TEST(nesting_is_bounded)
{
    const int times[] = { 30, 10000 };

    for (int k = 0; k < 2; k++) {
        nest("g () => () { ", "= If <b = h () => () {", times[k], "", "}> ()", "}");
        nest("g (", "seq(", times[k], "float", ")", " x) => () {}");
        nest("g (", "optional(map(int64, ", times[k] / 2, "float", "))", " x) => () {}");
    }
}
END_TEST

START_TEST(numbers_come_back_exactly)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () <float[0] f = {}, double[0] d = {}> {}"), *again;
    Onnx__TensorProto *f, *d;
    struct text t;
    uint64_t bits = 88172645463325252u;

    expect_ok(m);
    f = m->graph->initializer[0];
    d = m->graph->initializer[1];
    f->n_float_data = d->n_double_data = 20000;
    f->float_data = budget_zalloc(&budget, f->n_float_data, sizeof(float), &report);
    d->double_data = budget_zalloc(&budget, d->n_double_data, sizeof(double), &report);
    for (size_t k = 0; k < f->n_float_data; k++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&f->float_data[k], &bits, sizeof(float));
        memcpy(&d->double_data[k], &bits, sizeof(double));
        if (isnan(f->float_data[k])) /* what a NaN carries beyond its sign has no form in text */
            f->float_data[k] = -0.0f;
        if (isnan(d->double_data[k]))
            d->double_data[k] = -0.0;
    }
    again = read_text(write_text(m, &t, NULL, NULL));
    expect_ok(again);
    ck_assert(message_equal(m, again));
    text_release(&t);
    message_free(m, &budget);
    message_free(again, &budget);
}
END_TEST

START_TEST(raw_data_is_written_as_values)
{
    static const uint8_t raw[] = { 0x01, 0x80, 0xff, 0x7f, 0x00, 0x00, 0xc0, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const struct {
        const char *type, *values;
        size_t bytes;
    } cases[] = {
        { "int8[4]", "{1, -128, -1, 127}", 4 },
        { "uint8[4]", "{1, 128, 255, 127}", 4 },
        { "bool[1]", "{1}", 1 },
        { "int16[2]", "{-32767, 32767}", 4 },
        { "uint16[2]", "{32769, 32767}", 4 },
        { "bfloat16[2]", "{32769, 32767}", 4 },
        { "int32[2]", "{2147450881, 1069547520}", 8 },
        { "uint32[2]", "{2147450881, 1069547520}", 8 },
        { "int64[1]", "{4593671622065356801}", 8 },
        { "uint64[2]", "{4593671622065356801, 578437695752307201}", 16 },
        { "complex64[1]", "{nan, 1.5}", 8 },
        { "double[1]", "{0.1250000596037353}", 8 },
        { "uint4[3]", "{1, 128}", 2 },
        { "float6e2m3[3]", "{1, 0, 56}", 3 },
        { "float6e3m2[5]", "{1, 0, 56, 63, 63}", 4 },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[256];
        Onnx__ModelProto *m;
        Onnx__TensorProto *w;
        struct text t;

        snprintf(text, sizeof text, HEAD "g () => () <%s w = {}> {}", cases[k].type);
        m = read_text(text);
        expect_ok(m);
        w = m->graph->initializer[0];
        w->has_raw_data = 1;
        expect_ok(message_bytes(&w->raw_data, raw, cases[k].bytes, &budget, &report));
        snprintf(text, sizeof text, "%s w = %s\n", cases[k].type, cases[k].values);
        write_text(m, &t, NULL, NULL);
        ck_assert_msg(strstr(t.data, text), "expected %s in\n%s", text, t.data);
        text_release(&t);
        message_free(m, &budget);
    }
}
END_TEST

START_TEST(long_tensors_are_abbreviated_on_request)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () <int64[4] w = {1, 2, 3, 4}, int64[2] v = {5, 6}> {}");
    struct text t;

    expect_ok(m);
    write_text(m, &t, &(struct text_options){ .most = 2 }, NULL);
    ck_assert_ptr_nonnull(strstr(t.data, "w = {1, 2, ...},"));
    ck_assert_ptr_nonnull(strstr(t.data, "v = {5, 6}\n"));
    ck_assert_ptr_null(read_text(t.data));
    expect_error(KILN_BAD_MODEL, "'...' stands for values");
    text_release(&t);
    message_free(m, &budget);
}
END_TEST

/* -- every field -- */

/* All messages in a message, itself first. */
struct found {
    ProtobufCMessage *at[1024];
    size_t count;
};

static void find_messages(struct found *f, ProtobufCMessage *m)
{
    ck_assert_uint_lt(f->count, 1024);
    f->at[f->count++] = m;
    for (unsigned k = 0; k < m->descriptor->n_fields; k++) {
        const ProtobufCFieldDescriptor *field = &m->descriptor->fields[k];
        char *at = (char *)m + field->offset;
        const bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        ProtobufCMessage **messages = repeated ? *(ProtobufCMessage ***)(void *)at : (ProtobufCMessage **)(void *)at;

        if (field->type != PROTOBUF_C_TYPE_MESSAGE || !message_says(m, field))
            continue;
        for (size_t i = 0; i < (repeated ? *(size_t *)(void *)((char *)m + field->quantifier_offset) : 1); i++)
            find_messages(f, messages[i]);
    }
}

static size_t put_varint(uint8_t *to, uint64_t n)
{
    size_t size = 0;

    for (; n > 127; n >>= 7)
        to[size++] = (uint8_t)(n | 128);
    to[size++] = (uint8_t)n;
    return size;
}

/* The field once more, as a file would have it: variant 0 is nothing much, the others are what nobody expects. */
static size_t put_field(uint8_t *to, const ProtobufCFieldDescriptor *field, int variant)
{
    static const char *const texts[] = { "", "a b\"\\\n\xc2\x9b{", "float", "undefined" };
    static const uint64_t numbers[] = { 0, 1, 99, UINT64_MAX };
    static const float floats[] = { 0, -0.0f, (float)INFINITY, 1e-45f };
    const double d = (double)floats[variant];
    size_t n;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        n = put_varint(to, field->id << 3 | 2);
        to[n++] = (uint8_t)strlen(texts[variant]);
        memcpy(to + n, texts[variant], strlen(texts[variant]));
        return n + strlen(texts[variant]);
    case PROTOBUF_C_TYPE_MESSAGE:
        n = put_varint(to, field->id << 3 | 2);
        to[n++] = 0;
        return n;
    case PROTOBUF_C_TYPE_FLOAT:
        n = put_varint(to, field->id << 3 | 5);
        memcpy(to + n, &floats[variant], 4);
        return n + 4;
    case PROTOBUF_C_TYPE_DOUBLE:
        n = put_varint(to, field->id << 3 | 1);
        memcpy(to + n, &d, 8);
        return n + 8;
    default:
        n = put_varint(to, field->id << 3);
        return n + put_varint(to + n, numbers[variant]);
    }
}

/* Adds a field to a message in place: through its bytes, as reading a file does. */
static void add_field(ProtobufCMessage *m, const ProtobufCFieldDescriptor *field, int variant)
{
    struct message_memory memory;
    ProtobufCAllocator allocator = message_allocator(&memory, &budget, &report);
    const size_t size = protobuf_c_message_get_packed_size(m), bytes = m->descriptor->sizeof_message;
    uint8_t *packed = malloc(size + 64);
    ProtobufCMessage *made;
    char *swap = malloc(bytes);

    protobuf_c_message_pack(m, packed);
    made =
        protobuf_c_message_unpack(m->descriptor, &allocator, size + put_field(packed + size, field, variant), packed);
    ck_assert_ptr_nonnull(made);
    memcpy(swap, m, bytes);
    memcpy(m, made, bytes);
    memcpy(made, swap, bytes);
    message_free(made, &budget);
    free(packed);
    free(swap);
}

static bool is_annotation(const char *name)
{
    static const char *const names[] = {
        "doc_string",    "metadata_props", "denotation", "quantization_annotation", "device_configurations",
        "configuration", "training_info"
    };

    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], name) == 0)
            return true;
    return false;
}

/* The first field in which two messages say different things, annotations aside where some were left out; NULL: none.
 * The type of a value that says nothing is as good as no type. */
static const char *differs(const ProtobufCMessage *a, const ProtobufCMessage *b, bool lost)
{
    for (unsigned k = 0; k < a->descriptor->n_fields; k++) {
        const ProtobufCFieldDescriptor *field = &a->descriptor->fields[k];
        const bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        const char *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
        size_t n = 1;

        if (lost && (is_annotation(field->name) || strcmp(field->name, "type") == 0))
            continue;
        if (!message_says(a, field) && (!message_says(b, field) || field->type == PROTOBUF_C_TYPE_ENUM))
            continue; /* the type of an attribute, which older files do not say, is that of its value */
        if (message_says(a, field) != message_says(b, field))
            return field->name;
        if (repeated) {
            n = *(const size_t *)(const void *)((const char *)a + field->quantifier_offset);
            if (n != *(const size_t *)(const void *)((const char *)b + field->quantifier_offset))
                return field->name;
            x = *(const char *const *)(const void *)x;
            y = *(const char *const *)(const void *)y;
        }
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            for (size_t i = 0; i < n; i++) {
                const char *in = differs(((ProtobufCMessage *const *)(const void *)x)[i],
                                         ((ProtobufCMessage *const *)(const void *)y)[i], lost);

                if (in)
                    return in;
            }
        } else if (field->type == PROTOBUF_C_TYPE_STRING) {
            for (size_t i = 0; i < n; i++)
                if (strcmp(((char *const *)(const void *)x)[i], ((char *const *)(const void *)y)[i]) != 0)
                    return field->name;
        } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
            for (size_t i = 0; i < n; i++) {
                const ProtobufCBinaryData *p = (const ProtobufCBinaryData *)(const void *)x + i;
                const ProtobufCBinaryData *q = (const ProtobufCBinaryData *)(const void *)y + i;

                if (p->len != q->len || (p->len && memcmp(p->data, q->data, p->len) != 0))
                    return field->name;
            }
        } else if (memcmp(x, y,
                          n * (field->type == PROTOBUF_C_TYPE_DOUBLE || field->type == PROTOBUF_C_TYPE_INT64 ||
                                       field->type == PROTOBUF_C_TYPE_UINT64
                                   ? 8u
                                   : 4u)) != 0) {
            return field->name;
        }
    }
    return NULL;
}

/* Whatever stands in a message: its text is read back and says the same, or the one line of an error tells why not. */
START_TEST(every_field_is_said_or_told)
{
    enum { VARIANTS = 4 };
    Onnx__ModelProto *const whole = read_text(sample);
    struct found f = { .count = 0 };
    size_t said = 0, refused_ = 0, annotated = 0;

    expect_ok(whole);
    find_messages(&f, &whole->base);
    for (size_t at = 0; at < f.count; at++)
        for (unsigned k = 0; k < f.at[at]->descriptor->n_fields; k++)
            for (int v = 0; v < VARIANTS; v++) {
                const ProtobufCFieldDescriptor *field = &f.at[at]->descriptor->fields[k];
                const char *of = f.at[at]->descriptor->name, *wrong;
                Onnx__ModelProto *m, *again;
                struct text t = { .budget = &budget, .report = &report };
                struct found mine = { .count = 0 };
                int64_t lost = 0;

                if (v && field->type == PROTOBUF_C_TYPE_MESSAGE)
                    break;
                m = message_copy(whole, &budget, &report);
                expect_ok(m);
                find_messages(&mine, &m->base);
                add_field(mine.at[at], field, v);
                if (!text_write_model(&t, m, NULL, &lost)) {
                    ck_assert_msg(report.error.code == KILN_UNSUPPORTED && report.error.count == 1 &&
                                      strstr(report.error.message, "the textual syntax has no place for"),
                                  "%s.%s: %s", of, field->name, report.error.message);
                    report = (struct report){ 0 };
                    refused_++;
                } else {
                    again = text_read_model(t.data, t.length, &budget, &report);
                    ck_assert_msg(again, "%s.%s, variant %d, cannot be read back: %s: %s in\n%s", of, field->name, v,
                                  report.error.where, report.error.message, t.data);
                    wrong = differs(&m->base, &again->base, lost > 0);
                    ck_assert_msg(!wrong, "%s.%s, variant %d: '%s' differs in what is read of\n%s", of, field->name, v,
                                  wrong, t.data);
                    message_free(again, &budget);
                    *(lost ? &annotated : &said) += 1;
                }
                text_release(&t);
                message_free(m, &budget);
            }
    message_free(whole, &budget);
    ck_assert_uint_eq(budget.used, 0);
    ck_assert_msg(said > 1000 && refused_ > 100 && annotated > 100, "%zu said, %zu refused, %zu annotations", said,
                  refused_, annotated);
}
END_TEST

START_TEST(what_has_no_place_is_an_error)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () <float[1] w = {1}> { = A <k = 1> () }");
    Onnx__NodeProto *n = m->graph->node[0];
    struct text t = { .budget = &budget, .report = &report };

    expect_ok(m);
    n->attribute[0]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR;
    ck_assert(!text_write_model(&t, m, NULL, NULL));
    expect_error(KILN_UNSUPPORTED,
                 "attribute 'k' has a sparse value, or none, which the textual syntax has no place for");
    text_release(&t);
    t.failed = false;
    /* for people, it is among what is left out */
    expect_ok(text_write_model(&t, m, &(struct text_options){ .most = 8 }, NULL));
    ck_assert_ptr_nonnull(strstr(t.data, "no place for them: 1 a sparse value, or none of attributes"));
    text_release(&t);
    n->attribute[0]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    m->graph->initializer[0]->data_type = 99;
    ck_assert(!text_write_model(&t, m, NULL, NULL));
    expect_error(KILN_UNSUPPORTED, "tensor 'w' has an unknown element type");
    text_release(&t);
    t.failed = false;
    m->graph->initializer[0]->data_type = 0; /* its values are in float_data, which is not where they belong */
    ck_assert(!text_write_model(&t, m, NULL, NULL));
    expect_error(KILN_UNSUPPORTED, "tensor 'w' has float_data");
    text_release(&t);
    message_free(m, &budget);
}
END_TEST

START_TEST(undefined_is_a_type_and_a_name)
{
    round_trip(
        "<> g (undefined x, undefined[N] y, undefined[] undefined, seq(undefined[2]) z) => (undefined \"float\")\n"
        "<undefined[0] w = {}, undefined[2] v = {1, 2}> {\n"
        " undefined = Op <p: type_proto = undefined, ps: type_protos = [undefined[2], float, undefined],\n"
        "  t: tensor = undefined[1] {7}, s: tensor = undefined {7}, g = undefined () => () {}> (undefined) }");
    round_trip("<> g (undefined) => (undefined, x) <float undefined = {1}> { }");
    round_trip("<> g (opaque(\"a b\", \"c,d\") x, opaque(a.b, \"\") y, opaque(\"f.g h\") z) => () { }");
    round_trip("<> \"\" () => () <float[1] \"\" = {1}> { }");
    round_trip("g (undefined x) => () { }");
}
END_TEST

START_TEST(what_is_left_out_is_told)
{
    Onnx__ModelProto *m = read_text(HEAD "g () => () { = A <k = 1> () = B () }"), *again;
    struct text t;
    int64_t lost;

    expect_ok(m);
    for (int k = 0; k < 2; k++)
        m->graph->node[k]->doc_string = message_string("d", 1, &budget, &report);
    m->graph->node[0]->attribute[0]->doc_string = message_string("d", 1, &budget, &report);
    write_text(m, &t, NULL, &lost);
    ck_assert_int_eq(lost, 3);
    ck_assert_ptr_nonnull(strstr(t.data,
                                 "\n# left out, as the syntax has no place for them: 1 doc_string of attributes, "
                                 "2 doc_string of nodes\n"));
    again = read_text(t.data);
    expect_ok(again);
    ck_assert_uint_eq(again->graph->node[0]->n_attribute, 1);
    text_release(&t);
    message_free(m, &budget);
    message_free(again, &budget);
}
END_TEST

START_TEST(text_is_told_from_messages)
{
    ck_assert(text_is_model("<ir", 3));
    ck_assert(text_is_model(" # c\n\t<", 7));
    ck_assert(!text_is_model("\x08\x0a<", 3));
    ck_assert(!text_is_model("", 0));
    ck_assert(!text_is_model("# <", 3));
}
END_TEST

START_TEST(types_are_written)
{
    Onnx__ModelProto *m = read_text(sample);
    struct text t = { .budget = &budget, .report = &report };

    expect_ok(m);
    expect_ok(text_write_type(&t, m->graph->input[0]->type));
    expect_ok(text_write_type(&t, m->graph->input[2]->type));
    expect_ok(text_write_type(&t, NULL));
    ck_assert_str_eq(t.data, "float[N,3,?,\"a+b\"]seq(map(int64, optional(string[])))undefined");
    text_release(&t);
    message_free(m, &budget);
}
END_TEST

START_TEST(the_locale_does_not_matter)
{
    numbers_have_commas();
    round_trip(sample);
    numbers_have_points();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("text");

    add_test_between(s, enter_scratch, leave_scratch, everything_round_trips);
    add_test_between(s, enter_scratch, leave_scratch, the_sample_means_what_it_says);
    add_test_between(s, enter_scratch, leave_scratch, errors_say_where);
    add_test_between(s, enter_scratch, leave_scratch, truncated_at_every_byte);
    add_test_between(s, enter_scratch, leave_scratch, every_byte_changed);
    add_test_between(s, enter_scratch, leave_scratch, memory_ends_anywhere);
    add_test_between(s, enter_scratch, leave_scratch, nesting_is_bounded);
    add_test_between(s, enter_scratch, leave_scratch, numbers_come_back_exactly);
    add_test_between(s, enter_scratch, leave_scratch, raw_data_is_written_as_values);
    add_test_between(s, enter_scratch, leave_scratch, long_tensors_are_abbreviated_on_request);
    add_test_between(s, enter_scratch, leave_scratch, every_field_is_said_or_told);
    add_test_between(s, enter_scratch, leave_scratch, what_has_no_place_is_an_error);
    add_test_between(s, enter_scratch, leave_scratch, undefined_is_a_type_and_a_name);
    add_test_between(s, enter_scratch, leave_scratch, what_is_left_out_is_told);
    add_test_between(s, enter_scratch, leave_scratch, text_is_told_from_messages);
    add_test_between(s, enter_scratch, leave_scratch, types_are_written);
    add_test_between(s, enter_scratch, leave_scratch, the_locale_does_not_matter);
    return s;
}
