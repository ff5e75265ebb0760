/* Batches in slices: what is cut, and that it computes what the whole computes, with any number of threads and whatever
 * came before. Images are so large that nine of them, read and written by one node, are beyond what stays near. */
#include "plan/slices.h"
#include "base/text.h"
#include "fixture.h"
#include "numbers.h"
#include "run/profile.h"
#include <stdio.h>

static bool skipped;

struct slices *__real_slices_find(const struct program *whole, const struct tensor *given,
                                  const struct plan_context *c);
struct slices *__wrap_slices_find(const struct program *whole, const struct tensor *given,
                                  const struct plan_context *c);

struct slices *__wrap_slices_find(const struct program *whole, const struct tensor *given, const struct plan_context *c)
{
    return skipped ? NULL : __real_slices_find(whole, given, c);
}

enum { INPUTS = 8 };

struct trial {
    struct report report;
    struct model *model;
    struct session *session;
    void *data[INPUTS];
};

static void start(struct trial *t, const char *graph, const struct session_options *o)
{
    char text[4096];

    memset(t, 0, sizeof *t);
    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": 17]>\n%s", graph);
    t->model = model_read_bytes(text, strlen(text), NULL, &t->report);
    ck_assert_msg(t->model && model_build(t->model, &t->report), "%s: %s", t->report.error.where,
                  t->report.error.message);
    t->session = session_new(t->model->graph, o, &t->report);
    ck_assert_ptr_nonnull(t->session);
}

/* The same numbers for the same batch; dimensions that are open are `batch`. */
static void give_all(struct trial *t, int64_t batch)
{
    random_state = 1;
    ck_assert_uint_le(t->model->graph->input_count, INPUTS);
    for (size_t k = 0; k < t->model->graph->input_count; k++) {
        const struct value *v = t->model->graph->inputs[k];
        struct tensor in = v->type;

        for (int d = 0; d < in.rank; d++)
            in.dims[d] = in.dims[d] < 0 ? batch : in.dims[d];
        free(t->data[k]);
        in.data = t->data[k] = random_array(in.dtype, tensor_count(&in));
        ck_assert_msg(session_set(t->session, v, &in, &t->report), "%s", t->report.error.message);
    }
}

/* Was the latest run in slices? */
static bool was_sliced(const struct trial *t)
{
    return frame_program(t->session->frame)->slices;
}

static void run_trial(struct trial *t, int64_t batch)
{
    give_all(t, batch);
    ck_assert_msg(session_run(t->session, &t->report), "%s: %s", t->report.error.where, t->report.error.message);
}

static void finish(struct trial *t)
{
    session_free(t->session);
    model_free(t->model);
    for (int k = 0; k < INPUTS; k++)
        free(t->data[k]);
}

static void check_same(struct trial *got, struct trial *want, bool exactly)
{
    for (size_t k = 0; k < got->model->graph->output_count; k++) {
        const struct tensor *a = session_output(got->session, k), *b = session_output(want->session, k);

        ck_assert(same_type(a, b));
        if (exactly || a->dtype != F32) {
            ck_assert_mem_eq(a->data, b->data, (size_t)tensor_bytes(a));
            continue;
        }
        for (int64_t i = 0; i < tensor_count(a); i++)
            expect_near("y", i, (double)((const float *)a->data)[i], (double)((const float *)b->data)[i], 2e-4);
    }
}

enum { BATCH = 9 };

/* -- graphs -- */

#define X  "float[N, 8, 96, 96] x"
#define W  "float[8, 8, 3, 3] w"
#define V  "float[8, 1, 3, 3] v" /* depthwise */
#define U  "float[8, 8, 1, 1] u"
#define Y  " => (float[A, B, C, D] y) "
#define CW "Conv <pads = [1, 1, 1, 1]> "
#define CV "Conv <pads = [1, 1, 1, 1], group = 8> "

#define TWO_INPUTS                                                                                                     \
    "g (" X ", float[N, 8, 1, 1] s, float[1, 8, 1, 1] k, " W ")" Y "{ a = " CW                                         \
    "(x, w) b = Mul(s, a) c = Add(b, k) y = " CW "(c, w) }"

static const struct {
    const char *text;
    bool sliced;
} graphs[] = {
    { "g (" X ", " W ", " V ")" Y "{ a = " CW "(x, w) b = Relu(a) c = " CV "(b, v) y = Add(c, x) }", true },
    { "g (" X ", " W ", " U ", float[8] k)" Y "{ a = " CW "(x, w, k) b = Conv(a, u) y = Concat <axis = 1> (a, b, x) }",
      true },
    { "g (" X ", " V ")" Y "<float[1, 8, 1, 1] k = {1, 2, 3, 4, 5, 6, 7, 8}> { a = " CV "(x, v) b = Sigmoid(a)\n"
      "c = Mul(a, b) y = Mul(c, k) }",
      true },
    { "g (" X ", " V ", " U ")" Y "{ a = " CV "(x, v) p = GlobalAveragePool(a) q = Conv(p, u) s = Sigmoid(q)\n"
      "y = Mul(a, s) }",
      true },
    { "g (" X ", " W ", float[8] s, float[8] m)" Y "{ a = LRN <size = 3> (x) b = BatchNormalization(a, s, s, m, m)\n"
      "c = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (b) d = Conv(c, w)\n"
      "y = AveragePool <kernel_shape = [3, 3]> (d) }",
      true },
    { "g (" X ", " W ")" Y "{ a = " CW "(x, w) b = Softmax <axis = 1> (a) y = Transpose <perm = [0, 2, 3, 1]> (b) }",
      true },
    { "g (float[N, 96, 96, 8] x, " W ")" Y "{ t = Transpose <perm = [0, 3, 1, 2]> (x) a = " CW "(t, w)\n"
      "b = " CW "(a, w) y = Transpose <perm = [0, 2, 3, 1]> (b) }",
      true },
    { "g (" X ", " W ")" Y "{ a = LogSoftmax <axis = 1> (x) b = LogSoftmax <axis = -1> (a) y = " CW "(b, w) }", true },
    /* the same elements of each row under other dimensions */
    { "g (float[N, 32, 48, 48] x, " V ")" Y "<int64[4] s = {-1, 8, 96, 96}> { a = Reshape(x, s) y = " CV "(a, v) }",
      true },
    { "g (" X ", " W ") => (float[A, B] y) <int64[4] s = {0, 8, -1, 1}>\n"
      "{ a = " CW "(x, w) b = Relu(a) c = Reshape(b, s) y = Flatten(c) }",
      true },
    { "g (" X ", " W ")" Y "<int64[2] s = {0, -1}, int64[2] e = {2, -1}>\n"
      "{ p = GlobalAveragePool(x) q = Squeeze(p, e) r = Reshape(q, s) t = Unsqueeze(r, e) u = Sigmoid(t)\n"
      "a = Mul(x, u) b = " CW "(a, w) y = " CW "(b, w) }",
      true },
    /* a tail that reads the head in two places, and the graph's input */
    { "g (" X ", " W ", float[8, 5] m) => (float[A, B] y, float[C, D, E, F] z)\n"
      "{ a = " CW "(x, w) z = Relu(a) p = GlobalAveragePool(z) q = Flatten(p) r = Gemm(q, m)\n"
      "one = Constant <value_ints = [1]> () i = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x)\n"
      "j = Unsqueeze(i, one) y = Add(r, j) }",
      true },
    /* something of the whole batch, in the middle */
    { "g (" X ", " W ", " V ")" Y "{ a = " CW "(x, w) b = " CV "(a, v) m = ReduceMean <axes = [0]> (b) c = Sub(b, m)\n"
      "y = " CV "(c, v) }",
      true },
    /* two inputs in rows, one whole whose size is nothing's */
    { TWO_INPUTS, true },
    /* types that are not float, and an operator that chooses */
    { "g (" X ", " V ", float z)" Y "{ a = " CV "(x, v) b = Less(a, z) c = Where(b, x, a) y = Neg(c) }", true },
    { "g (double[N, 8, 96, 96] x, double[8, 8, 1, 1] u) => (double[A, B, C, D] y) { a = Conv(x, u) b = Exp(a)\n"
      "y = Conv(b, u) }",
      true },
    /* what crosses rows */
    { "g (" X ", " W ")" Y "{ a = LogSoftmax <axis = 0> (x) b = " CW "(a, w) y = Relu(b) }", false },
    { "g (" X ", " W ")" Y "{ a = Softmax <axis = 0> (x) b = " CW "(a, w) y = Relu(b) }", false },
    { "g (" X ", " W ")" Y "{ a = Concat <axis = 0> (x, x) b = " CW "(a, w) y = Concat <axis = -4> (b, x) }", false },
    { "g (" X ", " W ")" Y "{ a = Transpose <perm = [1, 0, 2, 3]> (x) y = Transpose <perm = [1, 0, 2, 3]> (a) }",
      false },
    { "g (" X ") => (float[A, B, C, D] y, int64[E, F, G, H] i)\n"
      "{ a = Relu(x) y, i = MaxPool <kernel_shape = [2, 2]> (a) }",
      false },
    { "g (float[N, 32, 48, 48] x, " V ")" Y "<int64[4] s = {9, 8, 96, 96}> { a = Reshape(x, s) y = " CV "(a, v) }",
      false },
    { "g (float[N, 16, 144, 32] x)" Y "<int64[4] s = {8, -1, 96, 96}> { a = Reshape(x, s) b = Exp(a) y = Neg(b) }",
      false },
    { "g (" X ", float[9, 8, 96, 96] k, " W ")" Y "{ a = Add(x, k) b = " CW "(a, w) y = " CW "(b, w) }",
      true },                                                                              /* k has rows, too */
    { "g (float[N, 8, 8, 8] x, " W ")" Y "{ a = " CW "(x, w) y = " CW "(a, w) }", false }, /* all of it is near */
    { "g (" X ")" Y "{ y = Relu(x) }", false },                                            /* a single node */
};

static bool describes_slices(struct trial *t)
{
    struct budget budget = { 0 };
    struct text out = { .budget = &budget, .report = &t->report };
    bool found;

    ck_assert(session_describe(t->session, &out, &t->report));
    found = strstr(out.data, "slices of the batch") != NULL;
    text_release(&out);
    return found;
}

START_TEST(slices_are_the_whole)
{
    const struct session_options one = { .threads = 1 };
    struct trial whole, first;

    skipped = true;
    start(&whole, graphs[_i].text, &one);
    run_trial(&whole, BATCH);
    ck_assert(!was_sliced(&whole));
    skipped = false;
    start(&first, graphs[_i].text, &one);
    run_trial(&first, BATCH);
    ck_assert_int_eq(was_sliced(&first), graphs[_i].sliced);
    ck_assert_int_eq(describes_slices(&first), graphs[_i].sliced);
    check_same(&first, &whole, false);
    for (int n = 2; n <= 5; n += 3) {
        struct trial other;

        start(&other, graphs[_i].text, &(struct session_options){ .threads = n });
        run_trial(&other, BATCH);
        check_same(&other, &first, true);
        finish(&other);
    }
    finish(&first);
    finish(&whole);
}
END_TEST

/* Smaller images, of which a slice has several: the batch cannot always be cut evenly. */
START_TEST(slices_may_be_uneven)
{
    static const char text[] = "g (float[N, 8, 64, 64] x, float[8, 1, 3, 3] v) => (float[A, B, C, D] y) {"
                               " a = Conv <pads = [1, 1, 1, 1], group = 8> (x, v) b = Sub(a, x) c = Mul(b, x)"
                               " y = Conv <pads = [1, 1, 1, 1], group = 8> (c, v) }";
    const struct session_options o = { .threads = _i + 1 };

    for (int64_t batch = 11; batch <= 16; batch++) {
        struct trial whole, cut;

        skipped = true;
        start(&whole, text, &o);
        run_trial(&whole, batch);
        skipped = false;
        start(&cut, text, &o);
        run_trial(&cut, batch);
        ck_assert(was_sliced(&cut));
        check_same(&cut, &whole, false);
        finish(&cut);
        finish(&whole);
    }
}
END_TEST

/* What moves nothing is left to the tail, which else would be given a copy of all that it is a view of. */
START_TEST(views_are_not_kept)
{
    static const char *const texts[] = {
        "g (" X ", " W ") => (float[A, B, C, D] y, float[E, F] z) { f = Flatten(x) a = " CW "(x, w) y = " CW "(a, w)\n"
        "m = ReduceMean <axes = [0]> (f) z = Sub(f, m) }",
        "g (" X ", " W ") => (float[A, B] y, float[E, F] z) { a = " CW "(x, w) b = " CW "(a, w) f = Flatten(b)\n"
        "y = Flatten(f) m = ReduceMean <axes = [0]> (f) z = Sub(f, m) }",
    };
    struct budget budget = { 0 };
    struct trial t;
    struct text out = { .budget = &budget, .report = &t.report };
    const char *tail;

    start(&t, texts[_i], &(struct session_options){ .threads = 1 });
    run_trial(&t, BATCH);
    ck_assert(session_describe(t.session, &out, &t.report));
    tail = strstr(out.data, "Then for all of the batch");
    ck_assert_ptr_nonnull(tail);
    ck_assert_ptr_nonnull(strstr(tail, "Flatten"));
    ck_assert_ptr_null(memmem(out.data, (size_t)(tail - out.data), "Flatten", 7));
    text_release(&out);
    finish(&t);
}
END_TEST

/* -- from run to run -- */

#define NET                                                                                                            \
    "g (float[N, 8, 96, 96] x) => (float[A, B] y)\n"                                                                   \
    "<float[8, 8, 3, 3] w = {" NUMBERS "}, float[8, 5] m = {" FORTY "}>\n"                                             \
    "{ a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Relu(a) c = Conv <pads = [1, 1, 1, 1]> (b, w)\n"                      \
    "p = GlobalAveragePool(c) q = Flatten(p) y = Gemm(q, m) }"
#define EIGHT     "1, 0.5, -2, 0.25, 3, -1, 0.125, 2"
#define TWENTY_4  EIGHT ", " EIGHT ", " EIGHT
#define FORTY     TWENTY_4 ", " EIGHT ", " EIGHT
#define SEVENTY_2 TWENTY_4 ", " TWENTY_4 ", " TWENTY_4
#define NUMBERS                                                                                                        \
    SEVENTY_2 ", " SEVENTY_2 ", " SEVENTY_2 ", " SEVENTY_2 ", " SEVENTY_2 ", " SEVENTY_2 ", " SEVENTY_2 ", " SEVENTY_2

/* Shapes follow each other, sliced and not; weights that were prepared for some and forgotten are there for others. */
START_TEST(shapes_may_change)
{
    static const int64_t batches[] = { 9, 1, 9, 12, 2, 12, 9 };
    const struct session_options o = { .threads = _i + 1 };
    struct trial t;

    skipped = false;
    start(&t, NET, &o);
    for (size_t k = 0; k < sizeof batches / sizeof *batches; k++) {
        struct trial whole;

        run_trial(&t, batches[k]);
        ck_assert_int_eq(was_sliced(&t), batches[k] > 8);
        skipped = true;
        start(&whole, NET, &o);
        run_trial(&whole, batches[k]);
        skipped = false;
        check_same(&t, &whole, false);
        finish(&whole);
    }
    finish(&t);
}
END_TEST

/* What was set last is what is run, and a profile of it can be taken. */
START_TEST(inputs_may_change)
{
    struct trial t, whole;

    skipped = false;
    start(&t, TWO_INPUTS, &(struct session_options){ .threads = 2 });
    run_trial(&t, BATCH);
    ck_assert(!frame_program(t.session->frame)->slices->together);
    start(&whole, TWO_INPUTS, &(struct session_options){ .threads = 1 });
    give_all(&whole, BATCH);
    for (size_t k = 0; k < whole.model->graph->input_count; k++)
        for (int64_t i = 0; i < 8; i++)
            ((float *)whole.data[k])[i] = ((float *)t.data[k])[i] = (float)i / 4;
    t.session->engine.profile = profile_new(&t.session->budget, &t.report);
    ck_assert(session_run(t.session, &t.report));
    skipped = true;
    ck_assert(session_run(whole.session, &whole.report));
    ck_assert(was_sliced(&t) && !was_sliced(&whole));
    ck_assert(frame_program(t.session->frame)->slices->together);
    check_same(&t, &whole, false);
    finish(&whole);
    finish(&t);
}
END_TEST

/* The arena of the whole is more than is allowed. */
START_TEST(slices_need_less_memory)
{
    const struct session_options o = { .threads = 1, .memory = 5 << 20 };
    struct trial t;

    skipped = true;
    start(&t, NET, &o);
    give_all(&t, 12);
    ck_assert(!session_run(t.session, &t.report));
    ck_assert_int_eq(t.report.error.code, KILN_LIMIT);
    finish(&t);
    skipped = false;
    start(&t, NET, &o);
    run_trial(&t, 12);
    ck_assert(was_sliced(&t));
    finish(&t);
}
END_TEST

/* What slices work in is more beside the tail than is allowed. */
START_TEST(slices_give_way)
{
    const struct session_options o = { .threads = 1 + _i,
                                       .memory = (18 << 20) + (200 << 10) }; /* 32 images twice, and less than one */
    static const char graph[] = "g (" X ") => (float y)\n"
                                "{ a = LRN <size = 3> (x) b = Softmax <axis = 1> (a)\n"
                                "c = Transpose <perm = [1, 0, 2, 3]> (b) d = Transpose <perm = [2, 0, 1, 3]> (c)\n"
                                "y = ReduceSum <keepdims = 0> (d) }";
    struct trial t;

    skipped = false;
    start(&t, graph, &o);
    run_trial(&t, 12);
    ck_assert(was_sliced(&t));
    run_trial(&t, 32);
    ck_assert(!was_sliced(&t));
    run_trial(&t, 12);
    finish(&t);
}
END_TEST

/* Errors of a slice come out as of any node. */
START_TEST(slices_keep_to_the_time)
{
    struct trial t;

    start(&t, NET, &(struct session_options){ .threads = 1 + _i });
    give_all(&t, BATCH);
    t.session->budget.seconds = 1e-10;
    ck_assert(!session_run(t.session, &t.report));
    ck_assert_int_eq(t.report.error.code, KILN_LIMIT);
    ck_assert_ptr_nonnull(strstr(t.report.error.message, "not over within the time limit"));
    ck_assert_str_eq(t.report.error.where, "main");
    finish(&t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("slices");

    add_tests(s, slices_are_the_whole, sizeof graphs / sizeof *graphs);
    add_tests(s, slices_may_be_uneven, 2);
    add_tests(s, views_are_not_kept, 2);
    add_tests(s, shapes_may_change, 2);
    add_tests(s, inputs_may_change, 1);
    add_tests(s, slices_need_less_memory, 1);
    add_tests(s, slices_give_way, 2);
    add_tests(s, slices_keep_to_the_time, 2);
    return s;
}
