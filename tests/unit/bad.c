/* Hostile and broken models and data, from the outside in: what is refused, with which status, place and words; that
 * bounds of bytes and seconds hold; that every allocation may fail. What is about bytes of a container is in proto.c,
 * about files and external data in file.c, about data sets in data.c and dataset.c, about attributes and inputs of
 * single operators in bad_ops.c and refuse.c, about training steps that fail in train.c; what needs a process of its
 * own is in tests/bad. */
#include "base/clock.h"
#include "model/message.h"
#include "model/proto.h"
#include "run/session.h"
#include "scratch.h"
#include "train/trainer.h"
#include "unit.h"
#include <math.h>
#include <sys/mman.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 17]> "

enum { MEMORY = 64 << 20 };

/* What 20,000 nodes may take, in nanoseconds; sanitizers are slow. */
#ifdef __has_feature
#define SOON (__has_feature(address_sanitizer) ? 20000000000u : 2000000000u)
#else
#define SOON 2000000000u
#endif

static struct model *model;
static struct session *session;
static char first_where[192];
static int told;
static size_t model_memory = MEMORY;

static void tell(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    if (code < 0 && !told++)
        snprintf(first_where, sizeof first_where, "%s", where);
    ck_assert_msg(!strpbrk(message, "\n\r\t\033"), "'%s' is no line", message);
}

static void read_text(const char *text)
{
    const struct model_options o = { .memory = model_memory };

    report = (struct report){ .notify = tell };
    told = 0;
    model = model_read_bytes(text, strlen(text), &o, &report);
}

/* Zeros for all inputs, and a run. */
static bool run_zeros(double seconds)
{
    const struct session_options o = { .threads = 1, .memory = MEMORY, .seconds = seconds };
    struct arena a = { .budget = &budget };
    bool ok;

    session = session_new(model->graph, &o, &report);
    ok = session;
    for (size_t k = 0; ok && k < session->graph->input_count; k++) {
        struct tensor t = session->graph->inputs[k]->type;

        for (int d = 0; d < t.rank; d++)
            t.dims[d] = t.dims[d] < 0 ? 2 : t.dims[d];
        t.data = arena_alloc(&a, (size_t)tensor_bytes(&t), &report);
        ok = t.data && session_set(session, session->graph->inputs[k], &t, &report);
    }
    ok = ok && session_run(session, &report);
    arena_release(&a);
    return ok;
}

static void end(void)
{
    session_free(session);
    model_free(model);
    session = NULL;
    model = NULL;
    ck_assert_uint_eq(budget.used, 0);
}

static void expect(kiln_status code, const char *where, const char *part)
{
    ck_assert_msg(strstr(report.error.where, where), "'%s: %s' does not name the place '%s'", report.error.where,
                  report.error.message, where);
    expect_error(code, part);
    end();
}

/* -- models -- */

struct refused {
    const char *text;
    kiln_status code;
    const char *where, *part;
};

#define F(body) HEAD "g (float[2,3] x) => (float y) {" body "}"

static const struct refused models[] = {
    /* structure */
    { "<ir_version: 15, opset_import: [\"\": 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }", KILN_UNSUPPORTED, "",
      "ir_version is 15" },
    { "<ir_version: 0, opset_import: [\"\": 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }", KILN_BAD_MODEL, "",
      "ir_version is missing" },
    { "<ir_version: 8> g (float[2] x) => (float[2] y) { y = Relu(x) }", KILN_BAD_MODEL, "", "no opset_import" },
    { "<ir_version: 8, opset_import: [\"\": 17, \"ai.onnx\": 16]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
      KILN_BAD_MODEL, "", "opset_import has domain 'ai.onnx' with 17 and with 16" },
    { "<ir_version: 8, opset_import: [\"\": 0]> g (float[2] x) => (float[2] y) { y = Relu(x) }", KILN_BAD_MODEL, "",
      "must be at least 1" },
    { "<ir_version: 8, opset_import: [\"\": 9999]> g (float[2] x) => (float[2] y) { y = Relu(x) }", KILN_UNSUPPORTED,
      "", "opset 9999" },
    { "<ir_version: 8, opset_import: [\"other\": 1]> g (float[2] x) => (float[2] y) { y = Relu(x) }", KILN_BAD_MODEL,
      "main/node[0]", "does not name domain 'ai.onnx'" },
    { F("a = Add(x, b) b = Relu(a) y = Relu(b)"), KILN_BAD_MODEL, "main/node[0]",
      "'b' is not defined before it is read" },
    { F("y = Relu(nowhere)"), KILN_BAD_MODEL, "main/node[0]", "'nowhere' is not defined" },
    { F("y = Relu(x) y = Neg(x)"), KILN_BAD_MODEL, "main/node[1]", "'y' is defined twice" },
    { F("x = Relu(x) y = Neg(x)"), KILN_BAD_MODEL, "main/node[0]", "'x' is defined twice" },
    { F("z = Relu(x)"), KILN_BAD_MODEL, "main", "output 'y' is not defined" },
    { F("y = Cast <to = 7> (x)"), KILN_BAD_MODEL, "main", "output 'y' is int64, and declared as float" },
    { HEAD "g (float[2] x, float[2] x) => (float[2] y) { y = Relu(x) }", KILN_BAD_MODEL, "main",
      "'x' is defined twice" },
    /* nodes */
    { F("[conv1] y = Conv <strides = [0, 1]> (x, x)"), KILN_BAD_MODEL, "main/node[0] 'conv1' Conv-11",
      "strides[0] is 0, must be at least 1" },
    { F("y = Relu()"), KILN_BAD_MODEL, "main/node[0] '' Relu-14", "input 0, 'X', is missing" },
    { F("y = Add(x)"), KILN_BAD_MODEL, "Add-14", "input 1, 'B', is missing" },
    { F("y = Add(\"\", x)"), KILN_BAD_MODEL, "Add-14", "input 0, 'A', is missing" },
    { F("y = Add(x, x, x)"), KILN_BAD_MODEL, "Add-14", "3 inputs, must have at most 2" },
    { F("y, z = Add(x, x)"), KILN_BAD_MODEL, "Add-14", "2 outputs, must have at most 1" },
    { F("y = Relu <slope = 1> (x)"), KILN_BAD_MODEL, "Relu-14", "'slope' is unknown" },
    { F("y = Softmax <axis = 2.5> (x)"), KILN_BAD_MODEL, "Softmax-13", "'axis' is float, must be int" },
    { F("y = Softmax <axis = 2> (x)"), KILN_BAD_MODEL, "Softmax-13", "axis is 2" },
    { F("y = Softmax <axis = -3> (x)"), KILN_BAD_MODEL, "Softmax-13", "axis is -3" },
    { F("y = Softmax <axis = -9223372036854775808> (x)"), KILN_BAD_MODEL, "Softmax-13",
      "axis is -9223372036854775808" },
    { F("b = Not(x) y = Cast <to = 1> (b)"), KILN_BAD_MODEL, "Not-1", "is float[2,3], must be bool" },
    { F("i = Cast <to = 7> (x) y = Add(x, i)"), KILN_BAD_MODEL, "Add-14", "must have the element type of float[2,3]" },
    { F("y = Cast <to = 99> (x)"), KILN_BAD_MODEL, "Cast-13", "99" },
    { F("y = If <then_branch = t () => (float r) { r = Relu(x) }> (x)"), KILN_BAD_MODEL, "If-16", "else_branch" },
    /* tensors */
    { HEAD "g () => (float[2] y) <float[2] w = {1}> { y = Relu(w) }", KILN_BAD_MODEL, "main", "its shape needs 2" },
    { HEAD "g () => (float[2] y) <float[4294967296, 4294967296, 4294967296] w = {1}> { y = Relu(w) }", KILN_BAD_MODEL,
      "main", "more bytes than can be counted" },
    { HEAD "g () => (float[2] y) <float[4611686018427387904, 4] w = {}> { y = Relu(w) }", KILN_BAD_MODEL, "main",
      "more bytes than can be counted" },
    { HEAD "g () => (float[2] y) <float[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] w = {1}> { y = Relu(w) }", KILN_LIMIT,
      "main", "17 dimensions" },
    { HEAD "g () => (float[2] y) <float[1] w = {1}, float[1] w = {1}> { y = Relu(w) }", KILN_BAD_MODEL, "main",
      "given twice" },
    { HEAD "g (float[9223372036854775807, 28] x) => (float y) { y = Relu(x) }", KILN_LIMIT, "x",
      "more than 2^40 elements" },
    { HEAD "g (float[9223372036854775807, 9223372036854775807, 0] x) => (float y) { y = Relu(x) }", KILN_LIMIT, "x",
      "more than 2^40 elements" },
    /* shapes and values */
    { F("s = Constant <value_ints = [-1, -1]> () y = Reshape(x, s)"), KILN_BAD_MODEL, "Reshape-14", "-1" },
    { F("s = Constant <value_ints = [4, 2]> () y = Reshape(x, s)"), KILN_BAD_MODEL, "Reshape-14", "" },
    { F("s = Constant <value_ints = [-2]> () y = Reshape(x, s)"), KILN_BAD_MODEL, "Reshape-14", "-2" },
    { F("y = MatMul(x, x)"), KILN_BAD_MODEL, "MatMul-13", "3" },
    { F("s = Constant <value_ints = [1000000, 1000000]> () y = ConstantOfShape(s)"), KILN_LIMIT, "", "memory limit" },
    { F("s = Constant <value_ints = [9223372036854775807, 9223372036854775807]> () y = ConstantOfShape(s)"),
      KILN_BAD_MODEL, "ConstantOfShape-9", "more bytes than can be counted" },
    { F("s = Constant <value_ints = [100000000, 2, 3]> () y = Expand(x, s)"), KILN_LIMIT, "", "memory limit" },
    { F("s = Constant <value_ints = [100000, 100000]> () y = Tile(x, s)"), KILN_LIMIT, "", "memory limit" },
    { F("s = Constant <value_ints = [9223372036854775807, 2]> () y = Tile(x, s)"), KILN_BAD_MODEL, "Tile-13", "" },
    { F("p = Constant <value_ints = [0, 1000000, 0, 100000000]> () y = Pad(x, p)"), KILN_LIMIT, "", "memory limit" },
    { F("p = Constant <value_ints = [0, 9223372036854775807, 0, 1]> () y = Pad(x, p)"), KILN_BAD_MODEL, "Pad-13", "" },
    { F("i = Constant <value_ints = [0, 2]> () y = Gather <axis = 0> (x, i)"), KILN_RUN_FAILED, "Gather-13", "2" },
    { F("i = Constant <value_ints = [-3]> () y = Gather <axis = 0> (x, i)"), KILN_RUN_FAILED, "Gather-13", "-3" },
    { HEAD "g () => (float y) {"
           " s = Constant <value_ints = [1000]> () a = ConstantOfShape(s)"
           " b = Concat <axis = 0> (a,a,a,a,a,a,a,a,a,a) c = Concat <axis = 0> (b,b,b,b,b,b,b,b,b,b)"
           " d = Concat <axis = 0> (c,c,c,c,c,c,c,c,c,c) e = Concat <axis = 0> (d,d,d,d,d,d,d,d,d,d)"
           " f = Concat <axis = 0> (e,e,e,e,e,e,e,e,e,e) y = Concat <axis = 0> (f,f,f,f,f,f,f,f,f,f) }",
      KILN_LIMIT, "", "memory limit" },
};

START_TEST(models_that_are_wrong)
{
    const struct refused *m = &models[_i];
    bool ok;

    read_text(m->text);
    ok = model && model_build(model, &report) && run_zeros(0);
    ck_assert_msg(!ok, "'%s' runs", m->text);
    expect(m->code, m->where, m->part);
}
END_TEST

START_TEST(all_unsupported_operators_are_told)
{
    read_text(F("a = Snow(x) b = Relu(a) c = Rain(b) d = Neg(c) y = my.Hail(d)"));
    ck_assert(!model_build(model, &report));
    ck_assert_int_eq(report.error.count, 3);
    ck_assert_int_eq(told, 3);
    expect(KILN_UNSUPPORTED, "main/node[0] '' Snow", "operator 'Snow' of domain 'ai.onnx' is not supported");
}
END_TEST

/* -- messages that no text can say -- */

static Onnx__GraphProto *graph_of(void)
{
    return model->proto->graph;
}
static Onnx__TensorProto *weight(void)
{
    return graph_of()->initializer[0];
}
static Onnx__AttributeProto *attribute(void)
{
    return graph_of()->node[0]->attribute[0];
}

static void no_graph(void)
{
    message_free(model->proto->graph, &model->budget);
    model->proto->graph = NULL;
}
static void dims_negative(void)
{
    weight()->dims[0] = -1;
}
static void dims_wrap(void)
{
    weight()->dims[0] = INT64_MIN;
}
static void raw_short(void)
{
    weight()->raw_data.len--;
}
static void raw_and_typed(void)
{
    static float more[2];

    weight()->float_data = more;
    weight()->n_float_data = 2;
}
static void no_typed(void)
{
    weight()->n_float_data = 0;
}
static void type_unknown(void)
{
    weight()->data_type = 77;
}
static void type_negative(void)
{
    weight()->data_type = -1;
}
static void type_small(void)
{
    weight()->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT4;
}
static void nameless(void)
{
    weight()->name[0] = 0;
}
static void union_mismatch(void)
{
    attribute()->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
}
static void union_unknown(void)
{
    attribute()->type = (Onnx__AttributeProto__AttributeType)99;
}
static void attribute_nameless(void)
{
    attribute()->name[0] = 0;
}
static void external_in_memory(void)
{
    weight()->has_data_location = true;
    weight()->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    weight()->has_raw_data = false;
}
static void undo_typed(void)
{
    weight()->float_data = NULL;
    weight()->n_float_data = 0;
}
static void undo_none(void)
{
}

#define TYPED HEAD "g () => (float y) <float[2] w = {1, 2}> { y = Softmax <axis = 0> (w) }"

static const struct {
    const char *text;
    bool raw; /* the weight as raw data */
    void (*edit)(void);
    void (*undo)(void); /* of what does not belong to the message */
    kiln_status code;
    const char *part;
} edits[] = {
    { TYPED, false, no_graph, undo_none, KILN_BAD_MODEL, "there is no graph" },
    { TYPED, false, dims_negative, undo_none, KILN_BAD_MODEL, "is -1, must be at least 0" },
    { TYPED, false, dims_wrap, undo_none, KILN_BAD_MODEL, "must be at least 0" },
    { TYPED, true, raw_short, undo_none, KILN_BAD_MODEL, "has 7 bytes of raw data, its shape needs 8" },
    { TYPED, true, raw_and_typed, undo_typed, KILN_BAD_MODEL, "both raw and typed data" },
    { TYPED, false, no_typed, undo_none, KILN_BAD_MODEL, "has 0 values in float_data, its shape needs 2" },
    { TYPED, false, type_unknown, undo_none, KILN_BAD_MODEL, "data type 77, which is unknown" },
    { TYPED, false, type_negative, undo_none, KILN_BAD_MODEL, "data type -1, which is unknown" },
    { TYPED, false, type_small, undo_none, KILN_BAD_MODEL, "has 0 values in int32_data, its shape needs 1" },
    { TYPED, false, nameless, undo_none, KILN_BAD_MODEL, "an initializer has no name" },
    { TYPED, false, union_mismatch, undo_none, KILN_BAD_MODEL, "says it is float, but holds something else" },
    { TYPED, false, union_unknown, undo_none, KILN_BAD_MODEL, "holds something else" },
    { TYPED, false, attribute_nameless, undo_none, KILN_BAD_MODEL, "an attribute has no name" },
    { TYPED, true, external_in_memory, undo_none, KILN_BAD_MODEL, "external_data has no location" },
};

START_TEST(messages_that_are_wrong)
{
    read_text(edits[_i].text);
    expect_ok(model);
    if (edits[_i].raw) {
        Onnx__TensorProto *w = weight();

        if (!w->has_raw_data) {
            w->has_raw_data = message_bytes(&w->raw_data, w->float_data, 8, &model->budget, &report);
            budget_free(&model->budget, w->float_data);
            w->float_data = NULL;
            w->n_float_data = 0;
        }
    }
    edits[_i].edit();
    ck_assert(!model_build(model, &report));
    edits[_i].undo();
    expect(edits[_i].code, "", edits[_i].part);
}
END_TEST

/* -- bounds -- */

#define LOOP(condition)                                                                                                \
    HEAD "g (float[2] x) => (float[2] y) { m = Constant <value_int = 9223372036854775807> () t = Constant <value_int " \
         "= 1> ()"                                                                                                     \
         " c = Cast <to = 9> (t) y = Loop <body = b (int64 i, bool ci, float[2] a) => (bool co, float[2] ao) "         \
         "{" condition " ao = Neg(a) }> (m, c, x) }"

START_TEST(time_is_bounded)
{
    const uint64_t start = clock_computed();

    read_text(LOOP("co = Identity(ci)"));
    expect_ok(model_build(model, &report));
    ck_assert(!run_zeros(0.3));
    ck_assert_uint_lt(clock_computed() - start, 20000000000u);
    expect(KILN_LIMIT, "main", "time limit");
    read_text(LOOP("k = Constant <value_int = 9> () co = Less(i, k)")); /* ends by itself, early */
    expect_ok(model_build(model, &report));
    expect_ok(run_zeros(30));
    end();
}
END_TEST

/* Text of `count` times the format, in which %d is the number and the one before it. */
static char *rows(const char *head, const char *row, int count, const char *tail)
{
    char *s = malloc((size_t)count * (strlen(row) + 40) + strlen(head) + strlen(tail) + 1);
    size_t n;

    ck_assert_ptr_nonnull(s);
    n = (size_t)sprintf(s, "%s", head);
    for (int k = 1; k <= count; k++)
        n += (size_t)sprintf(s + n, row, k, k - 1);
    sprintf(s + n, "%s", tail);
    return s;
}

static const struct {
    const char *row, *tail;
} chains[] = {
    { "v%d = Relu(v%d) ", "y = Neg(v20000) }" },
    { "v%d = Transpose(v%d) ", "y = Neg(v20000) }" },
    { "v%d = Identity(v%d) ", "y = Neg(v20000) }" },
    { "v%d = Add(v0, v%d) ", "y = Neg(v20000) }" },
};

START_TEST(long_chains_are_planned_soon)
{
    char *text = rows(HEAD "g (float[2,3] v0) => (float y) { ", chains[_i].row, 20000, chains[_i].tail);
    uint64_t start;

    read_text(text);
    expect_ok(model);
    start = clock_computed();
    expect_ok(model_build(model, &report) && run_zeros(0));
    ck_assert_uint_lt(clock_computed() - start, SOON);
    end();
    free(text);
}
END_TEST

START_TEST(calls_that_multiply_are_bounded)
{
    char *text = rows(
        "<ir_version: 10, opset_import: [\"\": 17, \"my\": 1]> g (float[2] x) => (float[2] y) { y = my.f30(x) }"
        " <domain: \"my\", opset_import: [\"\": 17]> f0 (x) => (y) { y = Relu(x) }",
        " <domain: \"my\", opset_import: [\"my\": 1]> f%1$d (x) => (y) { t = my.f%2$d(x) y = my.f%2$d(t) }", 30, "");

    model_memory = (size_t)1 << 30; /* the places of so many nodes, for messages, are the most of it */
    read_text(text);
    expect_ok(model);
    ck_assert(!model_build(model, &report));
    free(text);
    expect(KILN_LIMIT, "main/node[0]", "calls of functions make more than");
}
END_TEST

START_TEST(folding_is_bounded)
{
    char *text = rows(HEAD "g () => (float y) { s = Constant <value_ints = [250000]> () v0 = ConstantOfShape(s) ",
                      "v%d = Relu(v%d) ", 1000, "y = Neg(v1000) }");

    read_text(text); /* a thousand times a megabyte, in 64 MiB of constants at most */
    expect_ok(model_build(model, &report));
    {
        const struct session_options o = { .threads = 1, .memory = (size_t)160 << 20 };

        session = session_new(model->graph, &o, &report);
        expect_ok(session && session_run(session, &report));
    }
    end();
    free(text);
}
END_TEST

START_TEST(segments_are_bounded)
{
    char *text =
        rows(HEAD "g (float[3] x) => (int64[n] y) { z = Constant <value_ints = [0]> () v0 = Cast <to = 7> (x) ",
             "n%1$d = NonZero(v%2$d) v%1$d = Squeeze(n%1$d, z) ", 1100, "y = Neg(v1100) }");

    read_text(text);
    expect_ok(model);
    expect_ok(model_build(model, &report));
    ck_assert(!run_zeros(0));
    free(text);
    expect(KILN_LIMIT, "", "");
}
END_TEST

START_TEST(nesting_is_bounded)
{
    char *open =
        rows(HEAD "g (bool c, float[2] x) => (float y) { y = ",
             "If <else_branch = e%d () => (float r) { r = Neg(x) }, then_branch = t%d () => (float q) { q = ", 10000,
             "Relu(x) ");

    read_text(open); /* never closed: the depth is refused first */
    ck_assert_ptr_null(model);
    free(open);
    expect(KILN_LIMIT, "1:", "nested more than 100 messages deep");
}
END_TEST

/* -- every allocation -- */

void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);

static int64_t calls, fails_at = -1; /* the number of the call that fails; -1: none */

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return calls++ == fails_at ? NULL : __real_aligned_alloc(alignment, size);
}
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return calls++ == fails_at ? MAP_FAILED : __real_mmap64(at, size, protection, flags, fd, offset);
}

/* A bit of everything: calls, a branch, a size that running tells, a convolution, shape arithmetic. */
static const char everything[] =
    "<ir_version: 10, opset_import: [\"\": 17, \"my\": 1]> g (float[N,1,4,4] x, bool c) => (float y)"
    " <float[2,1,3,3] w = {1,2,3,4,5,6,7,8,9,9,8,7,6,5,4,3,2,1}>"
    " { a = Conv <pads = [1,1,1,1]> (x, w) b = my.twice(a)"
    " d = If <then_branch = t () => (float r) { r = Relu(b) }, else_branch = e () => (float s) { s = Neg(b) }> (c)"
    " n = NonZero(d) m = Cast <to = 1> (n) h = Shape(d) f = Reshape(d, h) k = ReduceSum <keepdims = 0> (m) y = Add(f, "
    "k) }"
    " <domain: \"my\", opset_import: [\"\": 17]> twice (p) => (q) { q = Add(p, p) }";

static const char learner[] = HEAD
    "g (float[N,1,4,4] x) => (float[N,3] y) <float[2,1,3,3] w = {1,2,3,4,5,6,7,8,9,9,8,7,6,5,4,3,2,1},"
    " float[2] gamma = {1,1}, float[2] beta = {0,0}, float[2] mean = {0,0}, float[2] var = {1,1},"
    " float[8,3] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}>"
    " { a = Conv(x, w) b = BatchNormalization(a, gamma, beta, mean, var) r = Relu(b) f = Flatten(r) l = MatMul(f, v)"
    " y = Softmax(l) }";

static bool run_everything(void)
{
    bool ok;

    read_text(everything);
    ok = model && model_build(model, &report) && run_zeros(0);
    end();
    return ok;
}

static bool learn_a_step(void)
{
    const struct trainer_options o = { .threads = 1 };
    float data[32] = { 1, 2, 3, 4, 5 };
    int64_t labels[2] = { 0, 2 };
    const struct tensor x = { .dtype = F32, .rank = 4, .dims = { 2, 1, 4, 4 }, .data = data };
    const struct tensor y = { .dtype = I64, .rank = 1, .dims = { 2 }, .data = labels };
    float result;
    struct model *out = NULL;
    struct trainer *t = NULL;
    bool ok;

    read_text(learner);
    ok = model && model_build(model, &report) && (t = trainer_new(model, &o, &report)) &&
         trainer_step(t, &x, &y, &result, &report) && (out = trainer_export(t, &report)) && model_build(out, &report);
    model_free(out);
    if (t)
        ck_assert_uint_gt(t->budget.used, 0);
    trainer_free(t);
    end();
    return ok;
}

static void every_allocation_of(bool (*act)(void))
{
    int64_t all;

    fails_at = -1;
    calls = 0;
    ck_assert_msg(act(), "%s: %s", report.error.where, report.error.message);
    all = calls;
    ck_assert_int_gt(all, 10);
    for (int64_t k = 0; k<all; k += all> 600 ? all / 300 : 1) {
        bool ok;

        calls = 0;
        fails_at = k;
        ok = act();
        fails_at = -1;
        if (ok) /* what was only wanted, such as a program kept beside others, may fail */
            continue;
        ck_assert_msg(report.error.code == KILN_NO_MEMORY, "allocation %lld of %lld: %s (%d): %s", (long long)k,
                      (long long)all, report.error.where, report.error.code, report.error.message);
    }
    report = (struct report){ 0 };
}

START_TEST(every_allocation_may_fail)
{
    every_allocation_of(run_everything);
    every_allocation_of(learn_a_step);
}
END_TEST

/* -- training -- */

static const struct {
    const char *optimizer;
    int64_t label;
    kiln_status code;
    const char *part;
} lessons[] = {
    { "adam", 3, KILN_RUN_FAILED, "label 3" },
    { "adam", -1, KILN_RUN_FAILED, "label -1" },
    { "adam", INT64_MIN, KILN_RUN_FAILED, "label -9223372036854775808" },
    { "sgd:learning_rate=nan", 0, KILN_BAD_ARGUMENT, "learning_rate" },
    { "sgd:learning_rate=-1", 0, KILN_BAD_ARGUMENT, "learning_rate" },
    { "sgd:learning_rate=inf", 0, KILN_BAD_ARGUMENT, "learning_rate" },
    { "sgd:momentum=2", 0, KILN_BAD_ARGUMENT, "momentum" },
    { "adam:beta_1=1", 0, KILN_BAD_ARGUMENT, "beta_1" },
    { "sorcery", 0, KILN_BAD_ARGUMENT, "sorcery" },
};

/* A step that fails leaves the state as it was. */
START_TEST(lessons_that_are_wrong)
{
    const struct trainer_options o = { .threads = 1, .optimizer = lessons[_i].optimizer };
    float data[32] = { 1, 2, 3 }, before = 0;
    int64_t labels[2] = { 0, lessons[_i].label };
    const struct tensor x = { .dtype = F32, .rank = 4, .dims = { 2, 1, 4, 4 }, .data = data };
    const struct tensor y = { .dtype = I64, .rank = 1, .dims = { 2 }, .data = labels };
    float result;
    struct trainer *t;
    bool ok;

    read_text(learner);
    expect_ok(model_build(model, &report));
    t = trainer_new(model, &o, &report);
    if (t)
        before = *(float *)trainer_state(t, "w", NULL)->data;
    ok = t && trainer_step(t, &x, &y, &result, &report);
    ck_assert_msg(!ok, "%s with label %lld is learned", lessons[_i].optimizer, (long long)lessons[_i].label);
    if (t)
        ck_assert_float_eq(*(float *)trainer_state(t, "w", NULL)->data, before);
    trainer_free(t);
    expect(lessons[_i].code, "", lessons[_i].part);
}
END_TEST

START_TEST(an_empty_batch_is_refused_and_one_sample_is_not)
{
    const struct trainer_options o = { .threads = 1 };
    float data[16] = { 1, 2, 3 };
    int64_t labels[1] = { 1 };
    struct tensor x = { .dtype = F32, .rank = 4, .dims = { 0, 1, 4, 4 }, .data = data };
    struct tensor y = { .dtype = I64, .rank = 1, .dims = { 0 }, .data = labels };
    float result;
    struct trainer *t;

    read_text(learner);
    expect_ok(model_build(model, &report));
    t = trainer_new(model, &o, &report);
    expect_ok(t);
    ck_assert(!trainer_step(t, &x, &y, &result, &report));
    expect_error(KILN_BAD_DATA, "samples are float[0,1,4,4]");
    x.dims[0] = y.dims[0] = 1; /* BatchNormalization has four pixels to normalise over */
    expect_ok(trainer_step(t, &x, &y, &result, &report));
    ck_assert(isfinite(result));
    trainer_free(t);
    end();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("bad");

    add_tests(s, models_that_are_wrong, (int)(sizeof models / sizeof *models));
    add_test(s, all_unsupported_operators_are_told);
    add_tests(s, messages_that_are_wrong, (int)(sizeof edits / sizeof *edits));
    add_test(s, time_is_bounded);
    add_tests(s, long_chains_are_planned_soon, (int)(sizeof chains / sizeof *chains));
    add_test(s, calls_that_multiply_are_bounded);
    add_test(s, folding_is_bounded);
    add_test(s, segments_are_bounded);
    add_test(s, nesting_is_bounded);
    add_test(s, every_allocation_may_fail);
    add_tests(s, lessons_that_are_wrong, (int)(sizeof lessons / sizeof *lessons));
    add_test(s, an_empty_batch_is_refused_and_one_sample_is_not);
    return s;
}
