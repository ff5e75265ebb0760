/* Models as a whole: what is loaded is saved equal, wherever its data lies. */
#include "model/model.h"
#include "graph/message.h"
#include "model/file.h"
#include "model/proto.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"

static const char text[] =
    "<ir_version: 8, opset_import: [\"\": 17], producer_name: \"test\", metadata_props: [\"a\": \"b\"]>\n"
    "main (float[2] x) => (float[2] y)\n"
    "<float[2] w = {1, 2}>\n"
    "{ y = Mul(x, w) }\n";

static struct model *opened(const char *path)
{
    struct model *m = model_read(path, NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* y[1] for x = {3, 4}: 8, if w is there. */
static void check_runs(const struct model *m)
{
    float x[] = { 3, 4 };
    struct tensor t = { .dtype = F32, .rank = 1, .dims = { 2 }, .data = x };
    struct session *s = session_new(m->graph, &(struct session_options){ .threads = 1 }, &report);

    ck_assert(s && session_set(s, m->graph->inputs[0], &t, &report) && session_run(s, &report));
    ck_assert_float_eq(((const float *)session_output(s, 0)->data)[1], 8);
    session_free(s);
}

static Onnx__ModelProto *parsed(void)
{
    Onnx__ModelProto *p;
    struct model *m = model_read_bytes(text, sizeof text - 1, NULL, &report);

    expect_ok(m);
    p = message_copy(m->proto, &budget, &report);
    model_free(m);
    return p;
}

/* The initializer's data moves to w.bin, as other tools leave it. */
static Onnx__ModelProto *with_external_data(void)
{
    static const float w[] = { 1, 2 };
    static const char *const entries[][2] = { { "location", "w.bin" }, { "offset", "4" }, { "length", "8" } };
    Onnx__ModelProto *p = parsed();
    Onnx__TensorProto *t = p->graph->initializer[0];
    char file[12] = "head";

    memcpy(file + 4, w, sizeof w);
    put_file("in/w.bin", file, sizeof file);
    budget_free(&budget, t->float_data);
    t->float_data = NULL;
    t->n_float_data = 0;
    t->has_data_location = true;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->external_data = budget_zalloc(&budget, 3, sizeof *t->external_data, &report);
    for (; t->n_external_data < 3; t->n_external_data++) {
        Onnx__StringStringEntryProto *e = message_new(&onnx__string_string_entry_proto__descriptor, &budget, &report);

        e->key =
            message_string(entries[t->n_external_data][0], strlen(entries[t->n_external_data][0]), &budget, &report);
        e->value =
            message_string(entries[t->n_external_data][1], strlen(entries[t->n_external_data][1]), &budget, &report);
        t->external_data[t->n_external_data] = e;
    }
    return p;
}

static void write_proto(const Onnx__ModelProto *p, const char *path)
{
    uint8_t *bytes;
    size_t size;

    expect_ok(proto_pack(p, &bytes, &size, &budget, &report) && file_write(path, bytes, size, &report));
    budget_free(&budget, bytes);
}

START_TEST(what_is_loaded_is_saved_equal)
{
    struct model *m, *again;

    enter_scratch();
    put_file("m.onnxtxt", text, sizeof text - 1);
    m = opened("m.onnxtxt");
    for (int binary = 0; binary < 2; binary++) {
        const char *path = binary ? "n.onnx" : "n.onnxtxt";

        expect_ok(model_save(m, path, &report));
        again = opened(path);
        ck_assert(message_equal(m->proto, again->proto));
        check_runs(again);
        model_free(again);
    }
    model_free(m);
    leave_scratch();
}
END_TEST

START_TEST(external_data_stays_or_is_brought_in)
{
    Onnx__ModelProto *p;
    struct model *m, *again;

    enter_scratch();
    mkdir("in", 0700);
    mkdir("out", 0700);
    p = with_external_data();
    write_proto(p, "in/m.onnx");
    m = opened("in/m.onnx");
    check_runs(m);
    expect_ok(model_save(m, "in/same.onnx", &report) && model_save(m, "out/other.onnx", &report) &&
              model_save(m, "in/text.onnxtxt", &report));
    again = opened("in/same.onnx");
    ck_assert(message_equal(p, again->proto));
    model_free(again);
    for (int k = 0; k < 2; k++) {
        again = opened(k ? "in/text.onnxtxt" : "out/other.onnx");
        ck_assert(!external_is(again->proto->graph->initializer[0]));
        check_runs(again);
        model_free(again);
    }
    model_free(m);
    message_free(p, &budget);
    leave_scratch();
}
END_TEST

START_TEST(external_data_needs_a_directory)
{
    Onnx__ModelProto *p;
    struct model *m;
    uint8_t *bytes;
    size_t size;

    enter_scratch();
    mkdir("in", 0700);
    p = with_external_data();
    expect_ok(proto_pack(p, &bytes, &size, &budget, &report));
    m = model_read_bytes(bytes, size, NULL, &report);
    ck_assert(m && !model_build(m, &report));
    expect_error(KILN_BAD_MODEL, "directory");
    model_free(m);
    budget_free(&budget, bytes);
    message_free(p, &budget);
    leave_scratch();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model");

    add_test(s, what_is_loaded_is_saved_equal);
    add_test(s, external_data_stays_or_is_brought_in);
    add_test(s, external_data_needs_a_directory);
    return s;
}
