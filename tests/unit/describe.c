/* What is told of models and programs: JSON, pictures, plans in words. */
#include "plan/describe.h"
#include "base/json.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "plan/dot.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>

static struct text text;

static void begin(void)
{
    enter_scratch();
    text = (struct text){ .budget = &budget, .report = &report };
}

static void end(void)
{
    text_release(&text);
    leave_scratch();
}

static struct model *build(const char *source)
{
    struct model *m = model_read_bytes(source, strlen(source), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* -- JSON -- */

START_TEST(json_is_nested_and_separated)
{
    struct json j = { .out = &text };

    begin();
    json_open(&j, NULL, '{');
    json_int(&j, "a", -3);
    json_open(&j, "none", '[');
    json_close(&j, ']');
    json_open(&j, "list", '[');
    json_bool(&j, NULL, true);
    json_string(&j, NULL, NULL);
    json_open(&j, NULL, '{');
    json_int(&j, "deep", INT64_MIN);
    json_int(&j, "er", 0);
    json_close(&j, '}');
    json_close(&j, ']');
    json_close(&j, '}');
    ck_assert_str_eq(text.data, "{\n  \"a\": -3,\n  \"none\": [],\n  \"list\": [\n    true,\n    null,\n"
                                "    {\"deep\": -9223372036854775808, \"er\": 0}\n  ]\n}\n");
    end();
}
END_TEST

START_TEST(json_strings_are_escaped)
{
    struct json j = { .out = &text };

    begin();
    json_bytes(&j, NULL, "\"\\\n\x7f\0z", 6);
    ck_assert_str_eq(text.data, "\"\\\"\\\\\\u000a\\u007f\\u0000z\"");
    text_release(&text);
    j.more[0] = false;
    json_string(&j, NULL, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"); /* characters of two, three and four bytes */
    ck_assert_str_eq(text.data, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    text_release(&text);
    j.more[0] = false;
    json_string(&j, NULL, "\xc2\x9b\xe2\x80\xae"); /* what a terminal would obey */
    ck_assert_str_eq(text.data, "\"\\u009b\\u202e\"");
    text_release(&text);
    j.more[0] = false;
    json_string(&j, NULL, "\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"); /* no UTF-8, byte by byte */
    ck_assert_uint_eq(text.length, 2 + 6 * 12);
    ck_assert_ptr_nonnull(strstr(text.data, "\\ufffd\\ufffd"));
    end();
}
END_TEST

START_TEST(json_numbers_are_read_back)
{
    const double values[] = { 0.1, 1.0 / 3, 1e300, -5e-324, 12345678.25, 3 };
    struct json j = { .out = &text };

    begin();
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        j.more[0] = false;
        json_real(&j, NULL, values[k]);
        ck_assert(strtod(text.data, NULL) == values[k]);
        text_release(&text);
    }
    j.more[0] = false;
    json_real(&j, NULL, NAN);
    json_real(&j, NULL, -INFINITY);
    ck_assert_str_eq(text.data, "null, null");
    end();
}
END_TEST

START_TEST(json_that_does_not_fit_says_so)
{
    struct json j = { .out = &text };

    begin();
    budget.limit = 1000;
    for (int k = 0; k < 100; k++)
        json_string(&j, NULL, "a hundred of these are too many");
    ck_assert(text.failed);
    expect_error(KILN_LIMIT, "memory limit");
    end();
}
END_TEST

/* -- pictures -- */

static const char branches[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                               "g (bool c, float[2] \"quo\\\"te\") => (float[2] y) <float[2] w = {1, 2}> {\n"
                               "  a = Mul(\"quo\\\"te\", w)\n"
                               "  y = If(c) <then_branch = t () => (float[2] p) { p = Neg(a) },\n"
                               "             else_branch = e () => (float[2] q) { q = Relu(a) }> }";

static const char *label(void *user, const struct value *v)
{
    return strcmp(v->name, "a") == 0 ? user : NULL;
}

START_TEST(a_picture_has_nodes_lines_and_frames)
{
    static char mark[] = "LABEL";
    struct model *m;

    begin();
    m = build(branches);
    dot_write(&text, m->graph, label, mark);
    ck_assert_ptr_nonnull(strstr(text.data, "digraph"));
    ck_assert_ptr_nonnull(strstr(text.data, "label=\"quo\\\"te\""));
    ck_assert_ptr_nonnull(strstr(text.data, "label=\"LABEL\""));
    ck_assert_ptr_nonnull(strstr(text.data, "subgraph cluster_2"));
    ck_assert_ptr_nonnull(strstr(text.data, "n1_0 [label=\"Neg\"]"));
    ck_assert_ptr_nonnull(strstr(text.data, "n2_0 [label=\"Relu\"]"));
    ck_assert_ptr_nonnull(strstr(text.data, "n0_1 -> o0_"));
    ck_assert_ptr_null(strstr(text.data, "label=\"w\"")); /* weights are left out */
    model_free(m);
    end();
}
END_TEST

/* -- programs -- */

START_TEST(a_program_is_told_step_by_step)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &report };
    struct tensor *types;
    struct program *p;
    struct model *m;

    begin();
    m = build("<ir_version: 8, opset_import: [\"\": 17]> g (float[4, 2] x) => (float[4, 2] y) <int64[2] k = {0, 0}>"
              "{ r = Relu(x) s = Shape(x) n = Add(s, k) y = Reshape(r, n) }");
    types = budget_zalloc(&budget, m->graph->value_count, sizeof *types, &report);
    for (size_t k = 0; k < m->graph->value_count; k++) {
        types[k] = (struct tensor){ .rank = UNKNOWN };
        if (m->graph->values[k]->is_input)
            types[k] = m->graph->values[k]->type;
    }
    p = plan_program(m->graph, NULL, types, NULL, &c);
    expect_ok(p);
    program_describe(&text, p);
    ck_assert_ptr_nonnull(strstr(text.data, "main: 2 steps, an arena of "));
    ck_assert_ptr_nonnull(strstr(text.data, "s int64[2] by Shape"));
    ck_assert_ptr_nonnull(strstr(text.data, "n int64[2] by Add"));
    ck_assert_ptr_nonnull(strstr(text.data, "Relu-14"));
    ck_assert_ptr_nonnull(
        strstr(text.data, "step  operator    how            makes       bytes  at  works at  name\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "   0  Relu-14                    float[4,2]     32   0            r\n"));
    ck_assert_ptr_nonnull(strstr(text.data, "   1  Reshape-14  nothing to do  float[4,2]     32   0            y\n"));
    program_free(p);
    budget_free(&budget, types);
    model_free(m);
    end();
}
END_TEST

START_TEST(what_a_gemm_does_besides_is_told)
{
    struct session *s;
    struct tensor x = { .dtype = F32, .rank = 2, .dims = { 1, 2 }, .data = (float[]){ 1, -1 } };
    struct model *m;

    begin();
    m = build("<ir_version: 8, opset_import: [\"\": 17]> g (float[1, 2] x) => (float[1, 2] y)"
              "<float[2, 2] w = {1, 2, 3, 4}> { z = Gemm(x, w) y = Relu(z) }");
    s = session_new(m->graph, NULL, &report);
    expect_ok(s && session_set(s, m->graph->inputs[0], &x, &report) && session_run(s, &report));
    program_describe(&text, frame_program(s->frame));
    ck_assert_ptr_nonnull(strstr(text.data, "   0  Gemm-13   Relu  float[1,2]      8   0            y\n"));
    session_free(s);
    model_free(m);
    end();
}
END_TEST

/* Chains in a loop's body; the body of the loop in it follows. */
START_TEST(subgraphs_are_told_too)
{
    struct session *s;
    struct tensor x = { .dtype = F32, .rank = 1, .dims = { 3 }, .data = (float[]){ 1, -1, 2 } };
    struct model *m;
    const char *outer, *inner;

    begin();
    m = build("<ir_version: 8, opset_import: [\"\": 17]> g (float[3] x) => (float[3] y) <int64 m = {2}, bool go = {1}>"
              "{ y = Loop(m, go, x) <body = b (int64 i, bool c, float[3] h) => (bool d, float[3] u)"
              "  { d = Identity(c) p = Mul(h, x) t = Tanh(p)"
              "    u = Loop(m, go, t) <body = n (int64 j, bool e, float[3] k) => (bool f, float[3] v)"
              "      { f = Identity(e) v = Neg(k) }> }> }");
    s = session_new(m->graph, NULL, &report);
    expect_ok(s && session_set(s, m->graph->inputs[0], &x, &report) && session_describe(s, &text, &report));
    ck_assert_ptr_nonnull(strstr(text.data, "main: 1 steps, an arena of "));
    outer = strstr(text.data, "\nmain/node[0] '' Loop/body: 3 steps each time it is run\n");
    ck_assert_ptr_nonnull(outer);
    ck_assert_ptr_nonnull(strstr(outer, "Fused-1      Mul, Tanh"));
    inner = strstr(outer + 1, "Loop/body: 2 steps each time it is run\n");
    ck_assert_ptr_nonnull(inner);
    ck_assert_ptr_nonnull(strstr(inner, "Neg-13"));
    session_free(s);
    model_free(m);
    end();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("describe");

    add_test(s, json_is_nested_and_separated);
    add_test(s, json_strings_are_escaped);
    add_test(s, json_numbers_are_read_back);
    add_test(s, json_that_does_not_fit_says_so);
    add_test(s, a_picture_has_nodes_lines_and_frames);
    add_test(s, a_program_is_told_step_by_step);
    add_test(s, what_a_gemm_does_besides_is_told);
    add_test(s, subgraphs_are_told_too);
    return s;
}
