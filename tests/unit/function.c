/* Functions of a model: their calls become nodes of the caller's graph. */
#include "fixture.h"

#define HEAD     "<ir_version: 10, opset_import: [\"\": 21, \"f\": 1]>\n"
#define FUNCTION "<opset_import: [\"\": 21, \"f\": 1], domain: \"f\">\n"

/* Runs the model on a vector (and, where it takes one, a condition), and compares its first output. */
static void expect_run(const char *text, bool condition, int64_t n, float *x, const float *expected)
{
    struct tensor t = { .dtype = F32, .rank = 1, .dims = { n }, .data = x };
    struct tensor c = { .dtype = BOOL, .data = &condition };
    struct fixture f;

    begin(&f, text);
    for (size_t k = 0; k < f.model->graph->input_count; k++) {
        const struct value *v = f.model->graph->inputs[k];

        ck_assert(session_set(f.session, v, v->type.dtype == BOOL ? &c : &t, &f.report));
    }
    run_ok(&f);
    for (int64_t k = 0; k < n; k++)
        ck_assert_msg(floats(&f, 0, n)[k] == expected[k], "[%lld] is %g, must be %g", (long long)k,
                      (double)floats(&f, 0, n)[k], (double)expected[k]);
    end(&f);
}

static void refuse(const char *text, kiln_status code, const char *part)
{
    struct report r = { 0 };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &r);

    ck_assert(m && !model_build(m, &r));
    ck_assert_int_eq(r.error.code, code);
    ck_assert_msg(strstr(r.error.message, part) != NULL, "'%s'", r.error.message);
    model_free(m);
}

#define VALUES(...)                                                                                                    \
    (float[])                                                                                                          \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* -- attributes -- */

static const char leaky[] =
    HEAD "g (float[N] x) => (float[N] y) { t = f.leak (x) y = f.leak <slope = 0.25> (t) }\n" FUNCTION
         "leak <slope: float = 0.5> (X) => (Y) { Y = LeakyRelu <alpha: float = @slope> (X) }\n";

START_TEST(an_attribute_refers_to_the_call_or_its_default)
{
    expect_run(leaky, true, 2, VALUES(-8, 4), VALUES(-1, 4));
}
END_TEST

static const char left_out[] = HEAD "g (float[N] x) => (float[N] y) { y = f.leak (x) }\n" FUNCTION
                                    "leak <slope> (X) => (Y) { Y = LeakyRelu <alpha: float = @slope> (X) }\n";

START_TEST(an_attribute_that_nobody_gives_has_the_operators_default)
{
    expect_run(left_out, true, 1, VALUES(-100), VALUES(-1));
}
END_TEST

static const char through[] =
    HEAD "g (float[N] x) => (float[N] y) { y = f.outer <a = 0.25> (x) }\n" FUNCTION
         "outer <a> (X) => (Y) { Y = f.inner <slope: float = @a> (X) }\n" FUNCTION
         "inner <slope: float = 0.5> (X) => (Y) { Y = LeakyRelu <alpha: float = @slope> (X) }\n";
static const char through_nothing[] =
    HEAD "g (float[N] x) => (float[N] y) { y = f.outer (x) }\n" FUNCTION
         "outer <a> (X) => (Y) { Y = f.inner <slope: float = @a> (X) }\n" FUNCTION
         "inner <slope: float = 0.5> (X) => (Y) { Y = LeakyRelu <alpha: float = @slope> (X) }\n";

START_TEST(an_attribute_goes_through_two_calls)
{
    expect_run(through, true, 1, VALUES(-4), VALUES(-1));
    expect_run(through_nothing, true, 1, VALUES(-4), VALUES(-2));
}
END_TEST

START_TEST(an_attribute_outside_of_a_function_refers_to_nothing)
{
    refuse(HEAD "g (float[N] x) => (float[N] y) { y = LeakyRelu <alpha: float = @slope> (x) }", KILN_BAD_MODEL,
           "not in a function");
}
END_TEST

/* -- inputs and outputs -- */

static const char optional[] =
    HEAD "g (float[N] x) => (float[N] y) <float two = {2}> { y = f.outer (x, , two) }\n" FUNCTION
         "outer (X, Low, High) => (Y) { Y = f.inner (X, Low, High) }\n" FUNCTION
         "inner (X, Low, High) => (Y) { Y = Clip (X, Low, High) }\n";
static const char fewer[] = HEAD "g (float[N] x) => (float[N] y) { y = f.outer (x) }\n" FUNCTION
                                 "outer (X, Low, High) => (Y) { Y = f.inner (X, Low, High) }\n" FUNCTION
                                 "inner (X, Low, High) => (Y) { Y = Clip (X, Low, High) }\n";

START_TEST(an_optional_input_may_be_left_out_through_two_calls)
{
    expect_run(optional, true, 3, VALUES(-9, 1, 9), VALUES(-9, 1, 2));
    expect_run(fewer, true, 3, VALUES(-9, 1, 9), VALUES(-9, 1, 9));
}
END_TEST

/* The body has names of its own, which are those of the caller here. */
static const char names[] =
    HEAD "g (float[N] x) => (float[N] y, float[N] t) { t = Add (x, x) y, u = f.two (t) v, w = f.two (u) }\n" FUNCTION
         "two (x) => (t, y) { u = Neg (x) t = Mul (u, u) y = Add (t, u) }\n";

START_TEST(names_of_a_body_are_its_own)
{
    struct fixture f;

    expect_run(names, true, 2, VALUES(1, 3), VALUES(4, 36));
    begin(&f, names);
    ck_assert_str_eq(f.model->graph->outputs[0]->name, "y");
    ck_assert_ptr_eq(graph_find(f.model->graph, "t"), f.model->graph->outputs[1]);
    ck_assert_ptr_eq(graph_find(f.model->graph, "t")->producer, f.model->graph->nodes[0]);
    end(&f);
}
END_TEST

/* Outputs that are inputs, and one value as two outputs: each name is a value. */
static const char passing[] =
    HEAD "g (float[N] x) => (float[N] y, float[N] p, float[N] q) { p, q, y = f.pass (x) }\n" FUNCTION
         "pass (X) => (X, Z, Z) { Z = Neg (X) }\n";

START_TEST(an_output_may_be_an_input)
{
    struct fixture f;

    expect_run(passing, true, 2, VALUES(1, -2), VALUES(-1, 2));
    begin(&f, passing);
    ck_assert_str_eq(f.model->graph->outputs[0]->name, "y");
    ck_assert_str_eq(f.model->graph->outputs[1]->name, "p");
    ck_assert_str_eq(f.model->graph->outputs[2]->name, "q");
    ck_assert_str_eq(f.model->graph->inputs[0]->name, "x");
    end(&f);
}
END_TEST

/* -- which one -- */

START_TEST(overloads_are_told_apart)
{
    expect_run(HEAD "g (float[N] x) => (float[N] y) { t = f.h:twice (x) y = f.h:negate (t) }\n"
                    "<opset_import: [\"\": 21], domain: \"f\", overload: \"twice\"> h (X) => (Y) { Y = Add (X, X) }\n"
                    "<opset_import: [\"\": 21], domain: \"f\", overload: \"negate\"> h (X) => (Y) { Y = Neg (X) }\n",
               true, 1, VALUES(3), VALUES(-6));
    refuse(HEAD "g (float[N] x) => (float[N] y) { y = Neg:twice (x) }", KILN_UNSUPPORTED, "not supported");
}
END_TEST

START_TEST(a_function_must_not_call_itself)
{
    refuse(HEAD "g (float[N] x) => (float[N] y) { y = f.a (x) }\n" FUNCTION "a (X) => (Y) { Y = f.b (X) }\n" FUNCTION
                "b (X) => (Y) { Y = f.a (X) }\n",
           KILN_BAD_MODEL, "calls itself");
}
END_TEST

/* -- subgraphs -- */

/* A branch in a body, which reads an input of the function under a name that is another value's outside, and calls. */
static const char branch[] = HEAD
    "g (bool c, float[N] x) => (float[N] y) { t = Add (x, x) y = f.choose (c, t) }\n" FUNCTION
    "choose (c, X) => (Y) { t = Neg (X) k = Mul (t, t)\n"
    " Y = If (c) <then_branch = a () => (r) { s = Add (X, X) q = f.twice (t) r = Add (s, q) },\n"
    "             else_branch = b () => (r) { r = f.twice (k) }> }\n" FUNCTION "twice (X) => (Y) { Y = Add (X, X) }\n";

START_TEST(a_body_may_have_subgraphs)
{
    expect_run(branch, true, 2, VALUES(1, 3), VALUES(0, 0));
    expect_run(branch, false, 2, VALUES(1, 3), VALUES(8, 72));
}
END_TEST

/* The call stands in a branch; so its values are captured from two levels up. */
static const char called_inside[] =
    HEAD "g (bool c, float[N] x) => (float[N] y) { t = Neg (x)\n"
         " y = If (c) <then_branch = a () => (r) { r = If (c) <then_branch = aa () => (rr) { rr = f.sum (t, x) },\n"
         "   else_branch = ab () => (rr) { rr = Identity (t) }> }, else_branch = b () => (r) { r = f.sum (x, x) }> "
         "}\n" FUNCTION "sum (t, X) => (Y) { k = Add (t, t) Y = Add (k, X) }\n";

START_TEST(a_call_may_stand_in_a_branch)
{
    expect_run(called_inside, true, 1, VALUES(5), VALUES(-5));
    expect_run(called_inside, false, 1, VALUES(5), VALUES(15));
}
END_TEST

/* The graph is the caller's: it reads the caller's names, wherever the function uses it, and as often. */
static const char graph_given[] =
    HEAD "g (bool c, float[N] x) => (float[N] y) { t = Neg (x)\n"
         " y = f.either <body = b () => (r) { r = Mul (t, x) }> (c, x) }\n" FUNCTION
         "either <body> (c, X) => (Y) { t = Add (X, X)\n"
         " u = If (c) <then_branch: graph = @body, else_branch = e () => (r) { r = Identity (t) }>\n"
         " v = If (c) <then_branch: graph = @body, else_branch = e () => (r) { r = Identity (X) }> Y = Add (u, v) }\n";

START_TEST(a_call_may_give_a_graph)
{
    expect_run(graph_given, true, 2, VALUES(1, 3), VALUES(-2, -18));
    expect_run(graph_given, false, 2, VALUES(1, 3), VALUES(3, 9));
}
END_TEST

Suite *suite(void)
{
    const TTest *const tests[] = {
        an_attribute_refers_to_the_call_or_its_default,
        an_attribute_that_nobody_gives_has_the_operators_default,
        an_attribute_goes_through_two_calls,
        an_attribute_outside_of_a_function_refers_to_nothing,
        an_optional_input_may_be_left_out_through_two_calls,
        names_of_a_body_are_its_own,
        an_output_may_be_an_input,
        overloads_are_told_apart,
        a_function_must_not_call_itself,
        a_body_may_have_subgraphs,
        a_call_may_stand_in_a_branch,
        a_call_may_give_a_graph,
    };
    Suite *s = suite_create("function");

    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++)
        suite_add_tcase(s, test_case(tests[k]->name, tests[k], 1, NULL, NULL));
    return s;
}
