/* Operators that the registry walk cannot write down: subgraphs (If, Loop), sequences, constants that are tensors. */
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"

#define HEAD "<ir_version: 10, opset_import: [\"\": 21]> "

static struct model *model;
static struct session *session;

/* -- running a text -- */

static void end(void)
{
    session_free(session);
    model_free(model);
    session = NULL;
    model = NULL;
}

static void load(const char *text)
{
    const struct model_options o = { .memory = 0 };

    model = model_read_bytes(text, strlen(text), &o, &report);
    expect_ok(model);
}

static void begin(const char *text, const struct session_options *o)
{
    load(text);
    expect_ok(model_build(model, &report));
    session = session_new(model->graph, o, &report);
    expect_ok(session);
}

static void start(const char *text)
{
    const struct session_options o = { .threads = 1 };

    begin(text, &o);
}

/* Input k, a vector of `count` elements or, below 0, a scalar. */
static void give_input(size_t k, enum dtype dtype, int64_t count, void *data)
{
    struct tensor t = { .dtype = dtype, .rank = count >= 0, .dims = { count }, .data = data };

    expect_ok(session_set(session, model->graph->inputs[k], &t, &report));
}

static const struct tensor *output(size_t k, enum dtype dtype, int rank, const int64_t *dims)
{
    const struct tensor *t = session_output(session, k);
    struct tensor want;
    char got_text[TYPE_TEXT], want_text[TYPE_TEXT];

    expect_ok(tensor_shape(&want, dtype, rank, dims));
    ck_assert_msg(same_type(t, &want), "output %zu is %s, must be %s", k, tensor_text(t, got_text),
                  tensor_text(&want, want_text));
    return t;
}

static void expect_floats(size_t k, int64_t count, const float *values)
{
    const struct tensor *t = output(k, F32, 1, &count);

    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(((const float *)t->data)[i] == values[i], "output %zu[%lld] is %g, must be %g", k, (long long)i,
                      (double)((const float *)t->data)[i], (double)values[i]);
}

static void expect_int(size_t k, int64_t value)
{
    ck_assert_int_eq(*(const int64_t *)output(k, I64, 0, NULL)->data, value);
}

#define floats(...)                                                                                                    \
    (const float[])                                                                                                    \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define run_ok()        expect_ok(session_run(session, &report))
#define refuse(text, p) (load(text), ck_assert(!model_build(model, &report)), expect_error(KILN_BAD_MODEL, p), end())

/* -- If -- */

static const char branches[] = HEAD "g (bool c, float[N] x) => (float[M] y, float[K] z) {"
                                    " y = If (c) <then_branch = t () => (float[P] a) { a = Concat <axis = 0> (x, x) },"
                                    "             else_branch = e () => (float[N] b) { b = Neg (x) }>"
                                    " z = Mul (y, y) }";

/* Both branches in turn, so that nothing of one run is taken for the next. */
START_TEST(branches_of_two_shapes)
{
    bool c = true;
    float x[] = { 1, 2 };

    start(branches);
    give_input(0, BOOL, -1, &c);
    give_input(1, F32, 2, x);
    for (int round = 0; round < 3; round++) {
        c = true;
        run_ok();
        expect_floats(0, 4, floats(1, 2, 1, 2));
        expect_floats(1, 4, floats(1, 4, 1, 4));
        c = false;
        run_ok();
        expect_floats(0, 2, floats(-1, -2));
        expect_floats(1, 2, floats(1, 4));
    }
    end();
}
END_TEST

START_TEST(nested_branches)
{
    bool c[] = { true, false };
    float x[] = { 3 };

    start(HEAD "g (bool c, bool d, float[1] x) => (float[1] y) {"
               " y = If (c) <then_branch = t () => (float[1] a) { a = If (d) <then_branch = tt () => (float[1] p) { p "
               "= Add (x, x) },"
               "   else_branch = te () => (float[1] q) { q = Neg (x) }> }, else_branch = e () => (float[1] b) { b = "
               "Mul (x, x) }> }");
    give_input(0, BOOL, -1, &c[0]);
    give_input(1, BOOL, -1, &c[1]);
    give_input(2, F32, 1, x);
    run_ok();
    expect_floats(0, 1, floats(-3));
    c[1] = true;
    run_ok();
    expect_floats(0, 1, floats(6));
    c[0] = false;
    run_ok();
    expect_floats(0, 1, floats(9));
    end();
}
END_TEST

/* A condition that planning knows: the other branch, which does not fit the shape, is not looked at. */
START_TEST(a_known_condition_decides)
{
    float x[] = { 1, 2, 3 };

    start(HEAD "g (float[N] x) => (float[M] y) <int64[1] three = {3}, int64[1] all = {-1}> {"
               " s = Shape (x) c = Equal (s, three)"
               " y = If (c) <then_branch = t () => (float[N] a) { a = Reshape (x, all) },"
               "             else_branch = e () => (float[N] b) { two = Constant <value_ints = [2, -1]> () b = Reshape "
               "(x, two) }> }");
    give_input(0, F32, 3, x);
    run_ok();
    expect_floats(0, 3, x);
    end();
}
END_TEST

START_TEST(malformed_branches)
{
    refuse(HEAD
           "g (bool c, float[1] x) => (float[1] y) { y = If (c) <then_branch = t () => (float[1] a) { a = Neg (x) },"
           " else_branch = e () => (float[1] b, float[1] d) { b = Neg (x) d = Exp (x) }> }",
           "2 outputs");
    refuse(HEAD
           "g (bool c, float[1] x) => (float[1] y) { y = If (c) <then_branch = t () => (float[1] a) { a = Neg (x) }> }",
           "else_branch");
}
END_TEST

/* d/dx of a branch: the gradient of y is 1, so that of x is 2x or 3. */
static void gradient_of_if(const char *nodes, bool condition, const float *expected)
{
    const struct plan_context context = {
        .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &report
    };
    struct arena arena = { .budget = &budget };
    float x[] = { 1.5f, -2 }, one[] = { 1, 1 };
    struct tensor tensors[8] = { 0 }, ones = { .dtype = F32, .rank = 1, .dims = { 2 }, .data = one };
    struct value *seed, *flow, *wrt, *dx = NULL;
    struct grad_request q = {
        .seeds = 1, .seed = &seed, .seed_gradient = &flow, .count = 1, .wrt = &wrt, .gradient = &dx
    };
    struct session_options o = { .threads = 1 };
    struct program *types;
    char text[512];

    snprintf(text, sizeof text, HEAD "g (bool c, float[2] x) => (float[2] y) <float three = {3}> { %s }", nodes);
    load(text);
    expect_ok(model_build(model, &report));
    ck_assert_uint_le(model->graph->value_count, 8);
    for (size_t k = 0; k < model->graph->value_count; k++)
        tensors[k].rank = UNKNOWN;
    tensors[model->graph->inputs[0]->id] = (struct tensor){ .dtype = BOOL };
    tensors[model->graph->inputs[1]->id] = (struct tensor){ .dtype = F32, .rank = 1, .dims = { 2 } };
    types = plan_types(model->graph, tensors, NULL, &context);
    expect_ok(types);
    q.types = types->types;
    q.graph = graph_clone(model->graph, &arena, &report);
    seed = q.graph->outputs[0];
    wrt = q.graph->inputs[1];
    flow = graph_value(q.graph, NULL);
    flow->initializer = &ones;
    expect_ok(grad_build(&q, &context) && dx && graph_add_output(q.graph, dx));
    session = session_new(q.graph, &o, &report);
    expect_ok(session);
    give_input(0, BOOL, -1, &condition);
    give_input(1, F32, 2, x);
    run_ok();
    expect_floats(1, 2, expected);
    session_free(session);
    session = NULL;
    graph_release(q.graph);
    arena_release(&arena);
    program_free(types);
    end();
}

START_TEST(gradients_go_through_the_branch_taken)
{
    static const char *const nodes[] = {
        "y = If (c) <then_branch = t () => (float[2] a) { a = Mul (x, x) },"
        " else_branch = e () => (float[2] b) { b = Mul (x, three) }>",
        "z = If (c) <then_branch = t () => (float[2] a) { a = Mul (x, x) }, else_branch = e () => (optional(float[2]) "
        "b)"
        " { k = Mul (x, three) b = Optional (k) }> y = OptionalGetElement (z)",
    };

    gradient_of_if(nodes[_i], true, floats(3, -4));
    gradient_of_if(nodes[_i], false, floats(3, 3));
}
END_TEST

/* -- Loop -- */

START_TEST(a_loop_for_so_many_times)
{
    int64_t m = 4;
    float x[] = { 1 };

    start(HEAD
          "g (int64 m, float[1] x) => (float[1] y, float[n, 1] all, int64[n] k) { y, all, k = Loop (m, , x) <body ="
          " b (int64 i, bool c, float[1] a) => (bool d, float[1] e, float[1] s, int64 j) {"
          " d = Identity (c) e = Add (a, a) s = Identity (a) j = Identity (i) }> }");
    give_input(0, I64, -1, &m);
    give_input(1, F32, 1, x);
    for (m = 4; m >= 0; m -= 2) {
        const struct tensor *t;

        run_ok();
        expect_floats(0, 1, floats((float)(1 << m)));
        t = output(1, F32, 2, (int64_t[]){ m, 1 });
        for (int64_t i = 0; i < m; i++)
            ck_assert(((const float *)t->data)[i] == (float)(1 << i));
        t = output(2, I64, 1, &m);
        for (int64_t i = 0; i < m; i++)
            ck_assert_int_eq(((const int64_t *)t->data)[i], i);
    }
    end();
}
END_TEST

/* M is as large as it can be: the condition ends the loop, and nothing is made ready for what never runs. Values
 * grow. */
START_TEST(a_loop_until_its_condition)
{
    int64_t m = INT64_MAX;
    bool c = true;
    float x[] = { 1, 2 };

    start(HEAD "g (int64 m, bool c, float[N] x) => (float[K] y, int64 n) <int64 zero = {0}> { y, n = Loop (m, c, x, "
               "zero) <body ="
               " b (int64 i, bool c1, float[P] a, int64 n0) => (bool d, float[Q] e, int64 n1) <int64 five = {5}, int64 "
               "one = {1}> {"
               " e = Concat <axis = 0> (a, x) n1 = Add (n0, one) d = Less (n1, five) }> }");
    give_input(0, I64, -1, &m);
    give_input(1, BOOL, -1, &c);
    give_input(2, F32, 2, x);
    for (int round = 0; round < 2; round++) {
        c = true;
        run_ok();
        expect_floats(0, 12, floats(1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2));
        expect_int(1, 5);
        c = false;
        run_ok();
        expect_floats(0, 2, x);
        expect_int(1, 0);
    }
    end();
}
END_TEST

/* The next values are made of the last ones, which must not change meanwhile. A condition that the node does not take
 * is not looked at. */
START_TEST(carried_values_trade_places)
{
    int64_t m = 3;
    float x[] = { 1, 2 }, y[] = { 3, 4 };

    start(HEAD "g (int64 m, float[2] x, float[2] y) => (float[2] p, float[2] q) { p, q = Loop (m, , x, y) <body ="
               " b (int64 i, bool c, float[2] a, float[2] e) => (bool d, float[2] e, float[2] a) { d = Not (c) }> }");
    give_input(0, I64, -1, &m);
    give_input(1, F32, 2, x);
    give_input(2, F32, 2, y);
    run_ok();
    expect_floats(0, 2, y);
    expect_floats(1, 2, x);
    end();
}
END_TEST

START_TEST(loops_carry_sequences)
{
    int64_t m = 3;
    float x[] = { 1 };

    start(HEAD "g (int64 m, float[1] x) => (float[K] y) <int64 zero = {0}, int64 last = {-1}> {"
               " s = SequenceConstruct (x, x) t = Loop (m, , s) <body ="
               " b (int64 i, bool c, seq(float[]) a) => (bool d, seq(float[]) e) {"
               " d = Identity (c) f = SequenceAt (a, zero) h = SequenceAt (a, last) k = Concat <axis = 0> (f, h) w = "
               "Add (h, h)"
               " e = SequenceConstruct (w, k) }> y = SequenceAt (t, last) }");
    give_input(0, I64, -1, &m);
    give_input(1, F32, 1, x);
    for (int round = 0; round < 2; round++) {
        m = 3;
        run_ok();
        expect_floats(0, 5, floats(2, 2, 2, 1, 1));
        m = 0;
        run_ok();
        expect_floats(0, 1, x);
    }
    end();
}
END_TEST

/* Strings that the body made outlive it. */
START_TEST(loops_collect_strings)
{
    int64_t m = 2;
    const struct tensor *t;

    start(
        HEAD
        "g (int64 m) => (string[n, 1] y, string[1] last) <string[1] none = {\"\"}> { last, y = Loop (m, , none) <body ="
        " b (int64 i, bool c, string[1] a) => (bool d, string[1] e, string[1] f) <int64[1] one = {1}> {"
        " d = Identity (c) j = Reshape (i, one) e = Cast <to = 8> (j) f = Identity (e) }> }");
    give_input(0, I64, -1, &m);
    for (int round = 0; round < 2; round++) {
        run_ok();
        t = output(0, STRING, 2, (int64_t[]){ 2, 1 });
        for (int k = 0; k < 2; k++) {
            const struct string *s = ((struct string *const *)t->data)[k];

            ck_assert_uint_eq(s->length, 1);
            ck_assert_int_eq(s->bytes[0], '0' + k);
        }
        t = output(1, STRING, 1, (int64_t[]){ 1 });
        ck_assert_int_eq((*(struct string *const *)t->data)->bytes[0], '1');
    }
    end();
}
END_TEST

static const char growing[] = HEAD
    "g (float[N] x) => (float[K] y) { y = Loop ( , , x) <body ="
    " b (int64 i, bool c, float[P] a) => (bool d, float[Q] e) { d = Identity (c) e = Concat <axis = 0> (a, a) }> }";
static const char idle[] = HEAD "g (float[2] x) => (float[2] y) { y = Loop ( , , x) <body ="
                                " b (int64 i, bool c, float[2] a) => (bool c, float[2] a) {}> }";

START_TEST(loops_end_at_their_limits)
{
    const struct session_options memory = { .threads = 1, .memory = 1 << 22 }, time = { .threads = 1, .seconds = .05 };
    float x[] = { 1, 2 };

    begin(growing, &memory);
    give_input(0, F32, 2, x);
    ck_assert(!session_run(session, &report));
    expect_error(KILN_LIMIT, "memory limit");
    end();
    begin(idle, &time);
    give_input(0, F32, 2, x);
    ck_assert(!session_run(session, &report));
    expect_error(KILN_LIMIT, "time limit");
    end();
}
END_TEST

START_TEST(scan_outputs_keep_their_shape)
{
    int64_t m = 3;
    float x[] = { 1 };

    start(HEAD "g (int64 m, float[N] x) => (float[K] y, float[n, L] s) { y, s = Loop (m, , x) <body ="
               " b (int64 i, bool c, float[P] a) => (bool d, float[Q] e, float[R] f) {"
               " d = Identity (c) e = Concat <axis = 0> (a, a) f = Identity (a) }> }");
    give_input(0, I64, -1, &m);
    give_input(1, F32, 1, x);
    ck_assert(!session_run(session, &report));
    expect_error(KILN_RUN_FAILED, "scan output 0 is float[2], must be float[1]");
    end();
    refuse(HEAD "g (int64 m, float[1] x) => (float[1] y) { y = Loop (m, , x) <body ="
                " b (int64 i, bool c) => (bool d, float[1] e) { d = Identity (c) e = Neg (x) }> }",
           "body has 2 inputs, must have 3");
    refuse(HEAD "g (int64 m, float[1] x) => (float[1] y) { y = Loop (m, , x) <body ="
                " b (int64 i, bool c, float[1] a) => (bool d) { d = Identity (c) }> }",
           "body has 1 outputs, must have at least 2");
    refuse(HEAD
           "g (int64 m, float[1] x) => (float[1] y) { z, y = Loop (m, , , x) <body ="
           " b (int64 i, bool c, float[1] a, float[1] e) => (bool d, float[1] a, float[1] e) { d = Identity (c) }> }",
           "input 2 is left out among inputs of");
}
END_TEST

/* -- what is optional on one side -- */

#define OLD                                                                                                            \
    "<ir_version: 8, opset_import: [\"\": 16]> " /* which tells of optional values alone whether they hold something */
#define MAYBE                                                                                                          \
    "g (bool has, int64 m, float[N] x) => (float[K] y) { q = If (has) <then_branch = t () => (optional(float[N]) a) "  \
    "{ a = Optional (x) }, else_branch = e () => (optional(float[N]) b) { b = Optional <type = float[N]> () }> n = "   \
    "Neg (m) "
#define MAYBE_SEVERAL                                                                                                  \
    "g (bool has, int64 m, float[N] x) => (float[K] y) { q = If (has) <then_branch = t () => "                         \
    "(optional(seq(float[])) a) { s = SequenceConstruct (x) a = Optional (s) }, else_branch = e () => "                \
    "(optional(seq(float[])) b) { b = Optional <type = seq(float[N])> () }> "

/* By `has` and m: what becomes of { 1, 2 }. A count of 0 is an error. */
static const struct {
    const char *text;
    struct {
        int64_t m;
        int count;
        float y[8];
    } with[3], without[3];
} joined[] = {
    /* a tensor comes out, of another shape */
    { OLD MAYBE
      "y = Loop (m, , q) <body = b (int64 i, bool c, optional(float[N]) o) => (bool d, float[K] r) { d = "
      "Identity (c) h = OptionalHasElement (o) r = If (h) <then_branch = t2 () => (float[K2] p) { g = "
      "OptionalGetElement (o) p = Concat <axis = 0> (g, g) }, else_branch = e2 () => (float[N2] z) { z = Neg (x) "
      "}> }> }",
      { { 2, 8, { 1, 2, 1, 2, 1, 2, 1, 2 } }, { 1, 4, { 1, 2, 1, 2 } }, { 0, 2, { 1, 2 } } },
      { { 2, 4, { -1, -2, -1, -2 } }, { 1, 2, { -1, -2 } }, { 0, 0, { 0 } } } },
    /* a sequence does */
    { OLD MAYBE_SEVERAL
      "l = Loop (m, , q) <body = b (int64 i, bool c, optional(seq(float[])) o) => (bool d, seq(float[]) r) "
      "{ d = Identity (c) h = OptionalHasElement (o) r = If (h) <then_branch = t2 () => (seq(float[]) p) "
      "{ g = OptionalGetElement (o) p = SequenceInsert (g, x) }, else_branch = e2 () => (seq(float[]) z) "
      "{ n = Neg (x) z = SequenceConstruct (n) }> }> y = ConcatFromSequence <axis = 0> (l) }",
      { { 2, 6, { 1, 2, 1, 2, 1, 2 } }, { 1, 4, { 1, 2, 1, 2 } }, { 0, 2, { 1, 2 } } },
      { { 2, 4, { -1, -2, 1, 2 } }, { 1, 2, { -1, -2 } }, { 0, 0, { 0 } } } },
    /* no optional value goes in, and one comes out; what the body takes is declared, or is not */
    { OLD MAYBE
      "w = Loop (m, , x) <body = b (int64 i, bool c, optional(float[N]) o) => (bool d, optional(float[N]) r) { d = "
      "Identity (c) g = OptionalGetElement (o) k = Add (g, g) r = Optional (k) }> y = OptionalGetElement (w) }",
      { { 2, 2, { 4, 8 } }, { 1, 2, { 2, 4 } }, { 0, 2, { 1, 2 } } },
      { { 2, 2, { 4, 8 } }, { 1, 2, { 2, 4 } }, { 0, 2, { 1, 2 } } } },
    { OLD MAYBE "w = Loop (m, , x) <body = b (i, c, o) => (bool d, optional(float[N]) r) { d = Identity (c) g = "
                "OptionalGetElement (o) k = Add (g, "
                "g) r = Optional (k) }> y = OptionalGetElement (w) }",
      { { 2, 2, { 4, 8 } }, { 1, 2, { 2, 4 } }, { 0, 2, { 1, 2 } } },
      { { 2, 2, { 4, 8 } }, { 1, 2, { 2, 4 } }, { 0, 2, { 1, 2 } } } },
    /* it is passed on as it comes */
    { OLD MAYBE
      "w = Loop (m, , x) <body = b (int64 i, bool c, optional(float[N]) o) => (bool d, optional(float[N]) o) { d = "
      "Identity (c) }> y = OptionalGetElement (w) }",
      { { 2, 2, { 1, 2 } }, { 1, 2, { 1, 2 } }, { 0, 2, { 1, 2 } } },
      { { 2, 2, { 1, 2 } }, { 1, 2, { 1, 2 } }, { 0, 2, { 1, 2 } } } },
    /* branches of two kinds */
    { OLD MAYBE
      "w = If (has) <then_branch = t2 () => (float[N] v) { v = Neg (x) }, else_branch = e2 () => (optional(float[N]) "
      "u) { u = Optional (x) }> y = OptionalGetElement (w) }",
      { { 0, 2, { -1, -2 } }, { 1, 2, { -1, -2 } }, { 2, 2, { -1, -2 } } },
      { { 0, 2, { 1, 2 } }, { 1, 2, { 1, 2 } }, { 2, 2, { 1, 2 } } } },
    { OLD MAYBE
      "yes = Constant <value = bool {1}> () w = If (yes) <then_branch = t2 () => (float[N] v) { v = Neg (x) }, "
      "else_branch = e2 () => (optional(float[N]) u) { u = Optional (x) }> y = OptionalGetElement (w) }",
      { { 0, 2, { -1, -2 } }, { 1, 2, { -1, -2 } }, { 2, 2, { -1, -2 } } },
      { { 0, 2, { -1, -2 } }, { 1, 2, { -1, -2 } }, { 2, 2, { -1, -2 } } } },
};

START_TEST(what_is_optional_on_one_side_is_so_on_both)
{
    float x[] = { 1, 2 };
    bool has;
    int64_t m;

    start(joined[_i].text);
    give_input(0, BOOL, -1, &has);
    give_input(1, I64, -1, &m);
    give_input(2, F32, 2, x);
    for (int k = 0; k < 12; k++) { /* what was so in one run need not be in the next */
        const int at = k / 2 % 3, count = (has = k % 2) ? joined[_i].with[at].count : joined[_i].without[at].count;

        m = has ? joined[_i].with[at].m : joined[_i].without[at].m;
        if (count) {
            run_ok();
            expect_floats(0, count, has ? joined[_i].with[at].y : joined[_i].without[at].y);
        } else {
            ck_assert(!session_run(session, &report));
            expect_error(KILN_RUN_FAILED,
                         "carried value 0 holds nothing, and there was no iteration that would make it");
        }
    }
    end();
}
END_TEST

START_TEST(an_optional_value_of_another_type_is_another)
{
    float x[] = { 1, 2 };
    bool has = true;
    int64_t m = 1;

    start(OLD MAYBE
          "l = Loop (m, , q) <body = b (int64 i, bool c, optional(float[N]) o) => (bool d, seq(float[]) r) { d = "
          "Identity (c) r = SequenceConstruct (x) }> y = ConcatFromSequence <axis = 0> (l) }");
    give_input(0, BOOL, -1, &has);
    give_input(1, I64, -1, &m);
    give_input(2, F32, 2, x);
    ck_assert(!session_run(session, &report));
    expect_error(KILN_BAD_MODEL, "carried value 0 is optional(float[?]), the body makes it seq(float[?])");
    end();
}
END_TEST

/* -- sequences, constants -- */

START_TEST(positions_in_sequences)
{
    const float *const expected[] = { floats(1), floats(2, 3), floats(1), floats(2, 3) };
    float x[] = { 1 }, y[] = { 2, 3 };
    int32_t at;

    start(HEAD
          "g (int32 p, float[1] x, float[2] y) => (float[K] z) { s = SequenceConstruct (x, y) z = SequenceAt (s, p) }");
    give_input(0, I32, -1, &at);
    give_input(1, F32, 1, x);
    give_input(2, F32, 2, y);
    for (at = -2; at < 2; at++) {
        run_ok();
        expect_floats(0, 1 + (at & 1), expected[at + 2]);
    }
    ck_assert(!session_run(session, &report));
    expect_error(KILN_RUN_FAILED, "'position' is 2, must be in [-2, 1]");
    end();
}
END_TEST

#define MAPPED                                                                                                         \
    "t = SequenceMap (s, q) <body = b (float[M] a, float[N] c) => (float[N] d) { d = Mul (a, c) }> "                   \
    "z = ConcatFromSequence <axis = 0> (t) }"

START_TEST(sequences_that_are_mapped_together_are_as_long)
{
    float x[] = { 1, 2 };

    start(HEAD "g (float[2] x) => (float[K] z) { s = SplitToSequence (x) q = SequenceConstruct (x, x) " MAPPED);
    give_input(0, F32, 2, x);
    run_ok();
    expect_floats(0, 4, floats(1, 2, 2, 4));
    end();
    start(HEAD "g (float[2] x) => (float[K] z) { s = SplitToSequence (x) q = SequenceConstruct (x, x, x) " MAPPED);
    give_input(0, F32, 2, x);
    ck_assert(!session_run(session, &report));
    expect_error(KILN_RUN_FAILED, "input 1 has 3 items, must have 2 as input 0");
    end();
    refuse(HEAD "g (seq(float[N]) s) => (seq(float[N]) t) { t = SequenceMap (s) <body = b () => (float[1] d) "
                "{ d = Constant <value_floats = [1.0]> () }> }",
           "body has 0 inputs, must have 1");
    refuse(HEAD "g (seq(float[N]) s) => (seq(float[N]) t) { t = SequenceMap (s) <body = b (float[N] a) => "
                "(float[N] d, float[N] e) { d = Neg (a) e = Abs (a) }> }",
           "body has 2 outputs, must have 1");
}
END_TEST

START_TEST(constants)
{
    const struct tensor *t;

    start(HEAD "g () => (float[2] a, string[2] b, float[2] z) { a = Constant <value = float[2] {1, 2}> ()"
               " b = Constant <value_strings = [\"x\", \"yz\"]> () s = Constant <value_ints = [2]> ()"
               " z = ConstantOfShape <value = float[1] {2.5}> (s) }");
    run_ok();
    expect_floats(0, 2, floats(1, 2));
    t = output(1, STRING, 1, (int64_t[]){ 2 });
    ck_assert_uint_eq(((struct string *const *)t->data)[1]->length, 2);
    expect_floats(2, 2, floats(2.5, 2.5));
    end();
    refuse(HEAD "g () => (float a) { a = Constant <value_float = 1.0, value_int = 1> () }", "both");
    refuse(HEAD "g () => (float a) { a = Constant () }", "attribute 'value' is missing");
    refuse(HEAD "g (int64[1] s) => (float[K] a) { a = ConstantOfShape <value = float[2] {1, 2}> (s) }",
           "must be one number");
}
END_TEST

Suite *suite(void)
{
    const TTest *const tests[] = {
        branches_of_two_shapes,
        nested_branches,
        a_known_condition_decides,
        malformed_branches,
        a_loop_for_so_many_times,
        a_loop_until_its_condition,
        carried_values_trade_places,
        loops_carry_sequences,
        loops_collect_strings,
        loops_end_at_their_limits,
        scan_outputs_keep_their_shape,
        an_optional_value_of_another_type_is_another,
        positions_in_sequences,
        sequences_that_are_mapped_together_are_as_long,
        constants,
    };
    Suite *s = suite_create("control");

    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++)
        suite_add_tcase(s, test_case(tests[k]->name, tests[k], 1, enter_scratch, leave_scratch));
    add_tests_between(s, enter_scratch, leave_scratch, gradients_go_through_the_branch_taken, 2);
    add_tests_between(s, enter_scratch, leave_scratch, what_is_optional_on_one_side_is_so_on_both,
                      sizeof joined / sizeof *joined);
    return s;
}
