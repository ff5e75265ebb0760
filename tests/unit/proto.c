/* The door: scan, unpack, pack, and messages in general. */
#include "model/proto.h"
#include "model/text.h"
#include "scratch.h"
#include "unit.h"

/* -- bytes by hand -- */

struct wire {
    uint8_t bytes[1 << 20];
    size_t size;
};
static struct wire wire, inner;

static void varint(struct wire *w, uint64_t v)
{
    for (; v > 127; v >>= 7)
        w->bytes[w->size++] = (uint8_t)(v | 128);
    w->bytes[w->size++] = (uint8_t)v;
}

static void tag(struct wire *w, unsigned field, unsigned type)
{
    varint(w, field << 3 | type);
}

static void field(struct wire *w, unsigned number, const void *bytes, size_t size)
{
    tag(w, number, 2);
    varint(w, size);
    memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
}

/* `w` becomes a message with what it was as its one field. */
static void wrap(struct wire *w, unsigned number)
{
    static struct wire outer;

    outer.size = 0;
    field(&outer, number, w->bytes, w->size);
    memcpy(w->bytes, outer.bytes, outer.size);
    w->size = outer.size;
}

static bool scanned(const struct scan_limits *limits)
{
    return scan_model(wire.bytes, wire.size, limits, &report);
}

static void refused(kiln_status code, const char *where, const char *part)
{
    ck_assert(!scanned(NULL));
    ck_assert_str_eq(report.error.where, where);
    expect_error(code, part);
    wire.size = 0;
}

/* -- a model with a bit of everything -- */

static const char sample[] =
    "<ir_version: 10, opset_import: [\"\": 17, \"d\": 1], producer_name: \"p\", metadata_props: [\"a\": \"b\"]>\n"
    "main (float[N,3] x, seq(map(int64, optional(string[]))) s) => (float[N] y)\n"
    "<float[2] w = {1.5, -2}, int64[1] i = {-7}, string[2] t = {\"q\", \"\"}, double[1] d = {1e300}, uint64[1] u = "
    "{7}>\n"
    "{ [n] y, \"\" = d.Op:o <a = 1, b = 2.5, c = \"s\", l = [1, 2], m = [0.5], o = [\"z\"], t = int8[2] {1, 2}, p: "
    "type_proto = float[?]>(x, w)\n"
    "  z = If (y) <then_branch = g () => (bool k) { k = Not(z) }> }\n"
    "<domain: \"d\", opset_import: [\"\": 17]> f <al, be: float = 1.0> (q) => (r) { r = Elu <alpha: float = @al> (q) "
    "}\n";

static Onnx__ModelProto *make_sample(void)
{
    Onnx__ModelProto *m = text_read_model(sample, sizeof sample - 1, &budget, &report);

    expect_ok(m);
    return m;
}

/* The sample's bytes into `wire`. */
static void pack_sample(void)
{
    Onnx__ModelProto *m = make_sample();
    uint8_t *bytes;
    size_t size;

    expect_ok(proto_pack(m, &bytes, &size, &budget, &report));
    memcpy(wire.bytes, bytes, size);
    wire.size = size;
    budget_free(&budget, bytes);
    message_free(m, &budget);
}

/* -- scan -- */

START_TEST(no_message_has_more_fields_than_the_scan_can_count)
{
    const ProtobufCMessageDescriptor *todo[64] = { &onnx__model_proto__descriptor, &onnx__optional_proto__descriptor,
                                                   &onnx__map_proto__descriptor };
    int n = 3;

    for (int k = 0; k < n; k++) {
        ck_assert_uint_le(todo[k]->n_fields, 32);
        for (unsigned f = 0; f < todo[k]->n_fields; f++) {
            const ProtobufCMessageDescriptor *d = todo[k]->fields[f].descriptor;
            bool known = todo[k]->fields[f].type != PROTOBUF_C_TYPE_MESSAGE;

            for (int j = 0; j < n; j++)
                known = known || todo[j] == d;
            if (!known)
                todo[n++] = d;
        }
    }
    ck_assert_int_gt(n, 30); /* the whole schema was seen */
}
END_TEST

START_TEST(a_good_model_passes)
{
    Onnx__ModelProto *m = make_sample(), *back;

    pack_sample();
    back = proto_unpack_model(wire.bytes, wire.size, NULL, &budget, &report);
    expect_ok(back);
    ck_assert(message_equal(m, back));
    message_free(m, &budget);
    message_free(back, &budget);
}
END_TEST

START_TEST(unknown_fields_survive)
{
    Onnx__ModelProto *m;
    uint8_t *bytes;
    size_t size;

    pack_sample();
    tag(&wire, 999, 0);
    varint(&wire, UINT64_MAX);
    field(&wire, 1000, "later", 5);
    tag(&wire, 1001, 1);
    memcpy(wire.bytes + wire.size, "8 bytes!", 8);
    wire.size += 8;
    tag(&wire, 1002, 5);
    memcpy(wire.bytes + wire.size, "four", 4);
    wire.size += 4;
    m = proto_unpack_model(wire.bytes, wire.size, NULL, &budget, &report);
    expect_ok(m);
    expect_ok(proto_pack(m, &bytes, &size, &budget, &report));
    ck_assert_uint_eq(size, wire.size);
    ck_assert_mem_eq(bytes, wire.bytes, size);
    budget_free(&budget, bytes);
    message_free(m, &budget);
    ck_assert(!scanned(&(struct scan_limits){ .messages = 1000, .fields = 1000, .unknown = 3 }));
    expect_error(KILN_LIMIT, "more than 3 unknown fields");
}
END_TEST

/* What passes the scan is decoded; what is decoded is written, and read as the same. */
static void is_refused_or_whole(size_t size)
{
    uint8_t *copy = malloc(size ? size : 1), *bytes; /* exactly as long, so that a sanitizer sees a byte too far */
    Onnx__ModelProto *m, *again;
    size_t n;

    memcpy(copy, wire.bytes, size);
    m = proto_unpack_model(copy, size, NULL, &budget, &report);
    free(copy);
    ck_assert(!m == failed(&report));
    if (m) {
        expect_ok(proto_pack(m, &bytes, &n, &budget, &report));
        again = proto_unpack_model(bytes, n, NULL, &budget, &report);
        ck_assert(message_equal(m, again) || failed(&report));
        budget_free(&budget, bytes);
        message_free(again, &budget);
        message_free(m, &budget);
    } else {
        ck_assert_str_ne(report.error.message, "");
        ck_assert_ptr_null(strstr(report.error.message, "cannot be decoded")); /* the scan is the stricter of the two */
    }
    report = (struct report){ 0 };
}

START_TEST(truncated_at_every_byte)
{
    pack_sample();
    for (size_t k = 0; k < wire.size; k++)
        is_refused_or_whole(k);
}
END_TEST

START_TEST(every_bit_flipped)
{
    pack_sample();
    for (size_t k = 0; k < 8 * wire.size; k++) {
        wire.bytes[k / 8] ^= (uint8_t)(1 << k % 8);
        is_refused_or_whole(wire.size);
        wire.bytes[k / 8] ^= (uint8_t)(1 << k % 8);
    }
}
END_TEST

START_TEST(nested_too_deep)
{
    for (int k = 0; k < 10000; k++) { /* graph.node.attribute.g.node ... */
        wrap(&wire, 6);
        wrap(&wire, 5);
        wrap(&wire, 1);
    }
    wrap(&wire, 7);
    ck_assert(!scanned(NULL));
    ck_assert_ptr_nonnull(strstr(report.error.where, "...")); /* the path is longer than there is room for */
    ck_assert_ptr_nonnull(strstr(report.error.where, "attribute[0].g.node[0]"));
    expect_error(KILN_LIMIT, "nested more than 100 deep");
}
END_TEST

START_TEST(nested_as_deep_as_allowed)
{
    for (int k = 0; k < 32; k++) {
        wrap(&wire, 6);
        wrap(&wire, 5);
        wrap(&wire, 1);
    }
    wrap(&wire, 7);
    expect_ok(scanned(NULL));
    ck_assert(!scanned(&(struct scan_limits){ .depth = 97, .messages = 1000, .fields = 1000 }));
    expect_error(KILN_LIMIT, "nested more than 97 deep");
}
END_TEST

START_TEST(varints)
{
    static const uint8_t ten[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };

    tag(&wire, 1, 0);
    memcpy(wire.bytes + wire.size, ten, 10);
    wire.size += 10;
    expect_ok(scanned(NULL));
    wire.bytes[wire.size - 1] = 2;
    refused(KILN_BAD_MODEL, "ir_version", "more than 64 bits");
    tag(&wire, 1, 0);
    memset(wire.bytes + wire.size, 0x80, 10);
    wire.size += 10;
    wire.bytes[wire.size++] = 0;
    refused(KILN_BAD_MODEL, "ir_version", "more than 64 bits");
    tag(&wire, 1, 0);
    wire.bytes[wire.size++] = 0x80;
    refused(KILN_BAD_MODEL, "ir_version", "cut off");
    wire.bytes[wire.size++] = 0xff;
    refused(KILN_BAD_MODEL, "", "the tag of a field is cut off");
    varint(&wire, 1ull << 40);
    refused(KILN_BAD_MODEL, "", "number 137438953472, it must be from 1");
    tag(&wire, 0, 0);
    refused(KILN_BAD_MODEL, "", "number 0, it must be from 1");
}
END_TEST

START_TEST(lengths_and_wire_types)
{
    inner.size = 0;
    field(&inner, 1, "", 0); /* node[0] */
    tag(&inner, 1, 2);
    varint(&inner, 99);
    inner.size += 12;
    field(&wire, 7, inner.bytes, inner.size);
    refused(KILN_BAD_MODEL, "graph.node[1]", "length 99 runs past the end of the message (12 bytes are left)");
    tag(&wire, 7, 0);
    varint(&wire, 1);
    refused(KILN_BAD_MODEL, "graph", "has the wire type varint, it must be length-delimited");
    tag(&wire, 1, 2);
    varint(&wire, 0);
    refused(KILN_BAD_MODEL, "ir_version", "has the wire type length-delimited, it must be varint");
    tag(&wire, 1, 3);
    refused(KILN_BAD_MODEL, "ir_version", "is a group");
    tag(&wire, 77, 4);
    refused(KILN_BAD_MODEL, "(field 77)", "is a group");
    tag(&wire, 1, 6);
    refused(KILN_BAD_MODEL, "ir_version", "wire type 6");
    tag(&wire, 77, 1);
    wire.size += 7;
    refused(KILN_BAD_MODEL, "(field 77)", "8 bytes runs past the end of the message (7 bytes are left)");
    tag(&wire, 77, 2);
    varint(&wire, UINT64_MAX);
    refused(KILN_BAD_MODEL, "(field 77)", "length 18446744073709551615 runs past");
}
END_TEST

START_TEST(singular_fields_come_once)
{
    inner.size = 0;
    field(&inner, 9, "abcd", 4);
    field(&inner, 9, "", 0);
    field(&wire, 5, inner.bytes, inner.size);
    wrap(&wire, 7);
    refused(KILN_BAD_MODEL, "graph.initializer[0].raw_data", "is there twice");
    field(&wire, 7, "", 0);
    field(&wire, 7, "", 0);
    refused(KILN_BAD_MODEL, "graph", "is there twice");
    tag(&wire, 1, 0); /* a dimension that is a number and a name */
    varint(&wire, 3);
    field(&wire, 2, "N", 1);
    wrap(&wire, 1);
    wrap(&wire, 2);
    wrap(&wire, 1);
    wrap(&wire, 2);
    wrap(&wire, 11);
    wrap(&wire, 7);
    refused(KILN_BAD_MODEL, "graph.input[0].type.tensor_type.shape.dim[0].dim_param", "is there beside 'dim_value'");
}
END_TEST

START_TEST(texts)
{
    static const char *const bad[] = {
        "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf8\x88\x80\x80\x80"
    };

    field(&wire, 2, "a\0b", 3);
    refused(KILN_BAD_MODEL, "producer_name", "NUL at byte 1 of 3");
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        field(&wire, 2, bad[k], strlen(bad[k]));
        refused(KILN_BAD_MODEL, "producer_name", "not valid UTF-8");
        field(&wire, 6, bad[k], strlen(bad[k])); /* doc_string: nobody looks a name up in it */
        expect_ok(scanned(NULL));
        wire.size = 0;
    }
    field(&wire, 2, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    expect_ok(scanned(NULL));
}
END_TEST

START_TEST(integers_and_packed_values)
{
    static const uint8_t floats[7];

    field(&wire, 4, floats, 7); /* float_data, packed */
    wrap(&wire, 5);
    wrap(&wire, 7);
    refused(KILN_BAD_MODEL, "graph.initializer[0].float_data[0]", "7 bytes of packed values are no multiple of 4");
    varint(&inner, 5);
    varint(&inner, (uint64_t)-5);
    varint(&inner, 1ull << 32);
    field(&wire, 5, inner.bytes, inner.size); /* int32_data */
    wrap(&wire, 5);
    wrap(&wire, 7);
    inner.size = 0;
    refused(KILN_BAD_MODEL, "graph.initializer[0].int32_data[0]", "4294967296 does not fit into 32 bits");
    tag(&wire, 2, 0); /* data_type */
    varint(&wire, 1ull << 33 | 1);
    wrap(&wire, 5);
    wrap(&wire, 7);
    refused(KILN_BAD_MODEL, "graph.initializer[0].data_type", "does not fit");
    inner.bytes[0] = 0x80;
    field(&wire, 7, inner.bytes, 1); /* int64_data */
    wrap(&wire, 5);
    wrap(&wire, 7);
    refused(KILN_BAD_MODEL, "graph.initializer[0].int64_data[0]", "cut off");
}
END_TEST

START_TEST(files_of_another_kind)
{
    refused(KILN_BAD_MODEL, "", "there are 0 bytes");
    memcpy(wire.bytes, "\x1f\x8b\x08", 3);
    wire.size = 3;
    refused(KILN_BAD_MODEL, "", "compressed with gzip");
    wire.bytes[0] = 0;
    expect_ok(scan_message(&onnx__tensor_proto__descriptor, wire.bytes, 0, NULL, &report));
    ck_assert(!scan_model(wire.bytes, (size_t)INT32_MAX + 1, NULL, &report));
    expect_error(KILN_LIMIT, "2 GiB");
}
END_TEST

START_TEST(counts_are_bounded)
{
    for (int k = 0; k < 100; k++)
        field(&wire, 1, "", 0);
    wrap(&wire, 7);
    ck_assert(!scanned(&(struct scan_limits){ .depth = 9, .messages = 101, .fields = 1000 }));
    ck_assert_str_eq(report.error.where, "graph.node[99]");
    expect_error(KILN_LIMIT, "more than 101 messages");
    ck_assert(!scanned(&(struct scan_limits){ .depth = 9, .messages = 102, .fields = 100 }));
    expect_error(KILN_LIMIT, "more than 100 fields");
    expect_ok(scanned(&(struct scan_limits){ .depth = 9, .messages = 102, .fields = 101 }));
}
END_TEST

/* What the scan says a message will need is what it takes. */
START_TEST(memory_is_known_before)
{
    struct scan_limits limits = SCAN_LIMITS_INIT;
    Onnx__ModelProto *m;

    pack_sample();
    tag(&wire, 999, 0);
    varint(&wire, 300);
    m = proto_unpack_model(wire.bytes, wire.size, NULL, &budget, &report);
    expect_ok(m);
    limits.memory = budget.used;
    message_free(m, &budget);
    expect_ok(scanned(&limits));
    limits.memory--;
    ck_assert(!scanned(&limits));
    expect_error(KILN_LIMIT, "more than the memory limit");
}
END_TEST

START_TEST(many_empty_nodes_cost_what_the_budget_allows)
{
    for (int k = 0; k < 300000; k++) {
        tag(&wire, 1, 2);
        varint(&wire, 0);
    }
    wrap(&wire, 7);
    budget.limit = 10 << 20;
    ck_assert_ptr_null(proto_unpack_model(wire.bytes, wire.size, NULL, &budget, &report));
    ck_assert_uint_eq(budget.peak, 0); /* not one was made */
    expect_error(KILN_LIMIT, "memory limit");
}
END_TEST

/* -- messages -- */

START_TEST(unpacking_fails_at_every_allocation)
{
    Onnx__ModelProto *m = NULL;
    size_t limit;

    pack_sample();
    for (limit = 64; !m; limit += 64) {
        budget = (struct budget){ .limit = limit };
        m = proto_unpack_model(wire.bytes, wire.size, NULL, &budget, &report);
        ck_assert(!m == failed(&report));
        ck_assert(m || !budget.used);
        report = (struct report){ 0 };
    }
    ck_assert_uint_gt(limit, 4096);
    message_free(m, &budget);
}
END_TEST

START_TEST(copies_are_equal_and_fail_clean)
{
    Onnx__ModelProto *m, *copy = NULL;
    size_t used;

    pack_sample();
    field(&wire, 1000, "later", 5);
    m = proto_unpack_model(wire.bytes, wire.size, NULL, &budget, &report);
    expect_ok(m);
    used = budget.used;
    for (size_t limit = used; !copy; limit += 64) {
        budget.limit = limit;
        copy = message_copy(m, &budget, &report);
        ck_assert(copy || budget.used == used);
        report = (struct report){ 0 };
    }
    ck_assert_uint_eq(budget.used, 2 * used);
    ck_assert(message_equal(m, copy));
    copy->graph->node[0]->attribute[1]->f = 2.75f;
    ck_assert(!message_equal(m, copy));
    copy->graph->node[0]->attribute[1]->f = 2.5f;
    copy->has_model_version = 1; /* 0, but present */
    ck_assert(!message_equal(m, copy));
    copy->has_model_version = 0;
    copy->base.unknown_fields[0].data[2] ^= 1;
    ck_assert(!message_equal(m, copy));
    message_free(copy, &budget);
    message_free(m, &budget);
    message_free(NULL, &budget);
    ck_assert(message_equal(NULL, NULL));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("proto");

    add_test_between(s, enter_scratch, leave_scratch, no_message_has_more_fields_than_the_scan_can_count);
    add_test_between(s, enter_scratch, leave_scratch, a_good_model_passes);
    add_test_between(s, enter_scratch, leave_scratch, unknown_fields_survive);
    add_test_between(s, enter_scratch, leave_scratch, truncated_at_every_byte);
    add_test_between(s, enter_scratch, leave_scratch, every_bit_flipped);
    add_test_between(s, enter_scratch, leave_scratch, nested_too_deep);
    add_test_between(s, enter_scratch, leave_scratch, nested_as_deep_as_allowed);
    add_test_between(s, enter_scratch, leave_scratch, varints);
    add_test_between(s, enter_scratch, leave_scratch, lengths_and_wire_types);
    add_test_between(s, enter_scratch, leave_scratch, singular_fields_come_once);
    add_test_between(s, enter_scratch, leave_scratch, texts);
    add_test_between(s, enter_scratch, leave_scratch, integers_and_packed_values);
    add_test_between(s, enter_scratch, leave_scratch, files_of_another_kind);
    add_test_between(s, enter_scratch, leave_scratch, counts_are_bounded);
    add_test_between(s, enter_scratch, leave_scratch, memory_is_known_before);
    add_test_between(s, enter_scratch, leave_scratch, many_empty_nodes_cost_what_the_budget_allows);
    add_test_between(s, enter_scratch, leave_scratch, unpacking_fails_at_every_allocation);
    add_test_between(s, enter_scratch, leave_scratch, copies_are_equal_and_fail_clean);
    return s;
}
