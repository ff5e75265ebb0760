/* Files with big weights are read in parts: what comes out must be what reading all at once gives, message by message
 * and error by error. */
#include "model/load.h"
#include "base/random.h"
#include "model/file.h"
#include "model/model.h"
#include "model/proto.h"
#include "scratch.h"
#include "unit.h"

enum { WEIGHTS = 20000 }; /* floats of each: 80,000 bytes */

static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                           "main (float[20000] x) => (float[20000] y)\n"
                           "<float[2] small = {1, 2}, float[2] a = {1, 2}, float[2] b = {1, 2}>\n"
                           "{ s = Add(a, b) t = Mul(s, x) u = ReduceSum(small) y = Add(t, u) }\n";

/* In the scratch directory as m.onnx; the bytes are the caller's. */
static uint8_t *write_model(size_t *size)
{
    struct model *m = model_read_bytes(text, sizeof text - 1, NULL, &report);
    Onnx__GraphProto *g;
    uint8_t *bytes;

    expect_ok(m);
    g = m->proto->graph;
    for (size_t k = 0; k < g->n_initializer; k++) {
        Onnx__TensorProto *t = g->initializer[k];
        float w[WEIGHTS];

        if (strcmp(t->name, "small") == 0)
            continue;
        random_uniform(w, WEIGHTS, 5, k, 0);
        t->dims[0] = WEIGHTS;
        budget_free(&m->budget, t->float_data);
        t->float_data = NULL;
        t->n_float_data = 0;
        t->has_raw_data = true;
        expect_ok(message_bytes(&t->raw_data, w, sizeof w, &m->budget, &report));
    }
    expect_ok(proto_pack(m->proto, &bytes, size, &budget, &report));
    put_file("m.onnx", bytes, *size);
    model_free(m);
    return bytes;
}

START_TEST(weights_are_in_memory_once)
{
    Onnx__ModelProto *m;
    uint8_t *bytes;
    size_t size;

    bytes = write_model(&size);
    budget_free(&budget, bytes);
    budget.peak = 0;
    m = load_model("m.onnx", NULL, NULL, &budget, &report);
    expect_ok(m);
    ck_assert_uint_gt(budget.peak, 2 * WEIGHTS * sizeof(float));
    ck_assert_uint_lt(budget.peak, 2 * WEIGHTS * sizeof(float) + 60000);
    message_free(m, &budget);
}
END_TEST

static void compare(const uint8_t *bytes, size_t size)
{
    struct report whole = { 0 };
    Onnx__ModelProto *want = proto_unpack_model(bytes, size, NULL, &budget, &whole), *got;

    put_file("m.onnx", bytes, size);
    got = load_model("m.onnx", NULL, NULL, &budget, &report);
    if (want) {
        expect_ok(got);
        ck_assert(message_equal(got, want));
    } else {
        ck_assert_ptr_null(got);
        ck_assert_int_eq(report.error.code, whole.error.code);
        ck_assert_str_eq(report.error.where, whole.error.where);
        ck_assert_str_eq(report.error.message, whole.error.message);
        report = (struct report){ 0 };
    }
    message_free(want, &budget);
    message_free(got, &budget);
}

START_TEST(parts_make_the_whole)
{
    uint8_t *bytes;
    size_t size;

    bytes = write_model(&size);
    compare(bytes, size);
    budget_free(&budget, bytes);
}
END_TEST

/* A byte changed, outside of the weights mostly, or the end cut off. */
START_TEST(a_damaged_file_fails_alike)
{
    uint8_t *bytes, before;
    size_t size;

    bytes = write_model(&size);
    for (size_t k = 0; k < 400; k++) {
        const bool front = k < 250;
        float draw[2];
        size_t at;

        random_uniform(draw, 2, 11, k, 0);
        at = front ? (size_t)(draw[0] * 200) : size - 1 - (size_t)(draw[0] * 200);
        before = bytes[at];
        bytes[at] = (uint8_t)(draw[1] * 256);
        compare(bytes, size);
        bytes[at] = before;
    }
    for (size_t cut = 1; cut < size; cut = cut * 2 + 1)
        compare(bytes, size - cut);
    budget_free(&budget, bytes);
}
END_TEST

START_TEST(a_limit_holds)
{
    struct scan_limits limits = SCAN_LIMITS_INIT;
    uint8_t *bytes;
    size_t size;

    bytes = write_model(&size);
    budget_free(&budget, bytes);
    budget.limit = 2 * WEIGHTS * sizeof(float);
    ck_assert_ptr_null(load_model("m.onnx", NULL, NULL, &budget, &report));
    expect_error(KILN_LIMIT, "memory limit");
    budget.limit = 0;
    limits.memory = 2 * WEIGHTS * sizeof(float);
    ck_assert_ptr_null(load_model("m.onnx", &limits, NULL, &budget, &report));
    expect_error(KILN_LIMIT, "");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("load");

    add_test_between(s, enter_scratch, leave_scratch, weights_are_in_memory_once);
    add_test_between(s, enter_scratch, leave_scratch, parts_make_the_whole);
    add_test_between(s, enter_scratch, leave_scratch, a_damaged_file_fails_alike);
    add_test_between(s, enter_scratch, leave_scratch, a_limit_holds);
    return s;
}
