/* What exporters write and the standard does not have (model/dialect.h) is read in its words, and nothing else is. */
#include "fixture.h"
#include "model/message.h"
#include <math.h>
#include <stdio.h>

/* Names that would be the first choice are taken: by an input, an initializer and a value. */
#define GELU(opset)                                                                                                    \
    "<ir_version: 8, opset_import: [\"\": " opset "]> g (float[3] x, float \"y.one\") => (float[3] y, float[3] z)\n"   \
    "<float \"y.typed\" = {5}>\n"                                                                                      \
    "{ y = Erfc(x)\n \"y.erf\" = Neg(x)\n z = Erfc(\"y.erf\") }"

static const char in_a_branch[] =
    "<ir_version: 8, opset_import: [\"\": 17]> g (bool c, float16[3] x) => (float16[3] y)\n"
    "{ y = If (c) <then_branch = t () => (a) { a = ai.onnx.Erfc(x) }, else_branch = e () => (b) { b = Erf(x) }> }";

static const char in_a_function[] =
    "<ir_version: 8, opset_import: [\"\": 13, \"f\": 1]> g (float[3] x) => (float[3] y) { y = f.tail(x) }\n"
    "<domain: \"f\", opset_import: [\"\": 18]> tail (x) => (y) { y = Erfc(x) }";

/* -- what is told -- */

static int warnings;
static char told[512];

static void notify(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    (void)where;
    warnings += code == KILN_OK;
    snprintf(told, sizeof told, "%s", message);
}

static struct model *read_text(const char *text, struct report *r)
{
    *r = (struct report){ .notify = notify };
    warnings = 0;
    return model_read_bytes(text, strlen(text), NULL, r);
}

static const Onnx__NodeProto *main_node(const struct model *m, size_t k)
{
    return m->proto->graph->node[k];
}

/* -- tests -- */

static float values[] = { -1.5f, 0, .3f };

static void check_erfc(const float *got, float sign)
{
    for (int k = 0; k < 3; k++)
        ck_assert_float_eq_tol(got[k], (float)erfc((double)(sign * values[k])), 1e-6f);
}

START_TEST(erfc_is_one_less_erf)
{
    static const char *const texts[] = { GELU("13"), GELU("17") };
    float one = 7;
    struct fixture f;

    begin(&f, texts[_i]);
    set(&f, "x", F32, 1, (const int64_t[]){ 3 }, values);
    set(&f, "y.one", F32, 0, NULL, &one);
    run_ok(&f);
    check_erfc(floats(&f, 0, 3), 1);
    check_erfc(floats(&f, 1, 3), -1);
    ck_assert_uint_eq(f.model->proto->graph->n_node, _i ? 9 : 7);
    for (size_t k = 0; k < f.model->proto->graph->n_node; k++)
        ck_assert_str_ne(main_node(f.model, k)->op_type, "Erfc");
    end(&f);
}
END_TEST

/* The type of the 1 is that of x, wherever that is. */
START_TEST(erfc_in_a_branch_has_the_type_of_its_input)
{
    uint16_t x[] = { 0x3c00, 0, 0xbc00 };
    uint8_t yes = 1;
    const uint16_t *y;
    struct fixture f;

    begin(&f, in_a_branch);
    set(&f, "c", BOOL, 0, NULL, &yes);
    set(&f, "x", F16, 1, (const int64_t[]){ 3 }, x);
    run_ok(&f);
    y = session_output(f.session, 0)->data;
    ck_assert_uint_eq(session_output(f.session, 0)->dtype, F16);
    ck_assert_uint_eq(y[1], 0x3c00);
    end(&f);
}
END_TEST

/* Of one graph and one type; to the last digits where x is near 0, if the formula can. */
static const struct {
    const char *op, *formula;
    double (*of)(double);
    float absolute; /* what it may be off besides its last digits */
} functions[] = { { "Erfc", "1 - Erf(x)", erfc, 1e-7f },
                  { "Expm1", "Tanh(x / 2) * (Exp(x) + 1)", expm1, 1e-30f },
                  { "Log1p", "Log(1 + x)", log1p, 1e-7f } };
enum { FUNCTIONS = sizeof functions / sizeof *functions };

START_TEST(each_is_said_in_nodes)
{
    static const float near[] = { -.9f, -1e-5f, 0, 3e-6f, .5f, 7 };
    const int64_t six = 6;
    char text[256], part[128];
    float x[6];
    struct fixture f;

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": %d]> g (float[6] x) => (float[6] y) { y = %s(x) }",
             _i % 2 ? 7 + 2 * (_i == 1) : 17, functions[_i / 2].op);
    memcpy(x, near, sizeof x);
    warnings = 0;
    begin(&f, text);
    set(&f, "x", F32, 1, &six, x);
    run_ok(&f);
    for (int k = 0; k < 6; k++) {
        const float need = (float)functions[_i / 2].of((double)x[k]);

        ck_assert_float_eq_tol(floats(&f, 0, 6)[k], need, 1e-6f * fabsf(need) + functions[_i / 2].absolute);
    }
    end(&f);
    model_free(read_text(text, &f.report));
    snprintf(part, sizeof part, "'%s' is no operator of ONNX, and is read as %s: 1 times", functions[_i / 2].op,
             functions[_i / 2].formula);
    ck_assert_msg(warnings == 1 && strstr(told, part) != NULL, "%d: %s", warnings, told);
}
END_TEST

/* The model's own functions keep their name, others are said; each is told. */
START_TEST(several_in_one_model)
{
    static const char text[] =
        "<ir_version: 10, opset_import: [\"\": 17]> g (float[3] x) => (float[3] y, float[3] z, float[3] w)\n"
        "{ y = Erfc(x) z = Expm1(x) w = Log1p(x) }\n"
        "<domain: \"\", opset_import: [\"\": 17]> Erfc (x) => (y) { y = Neg(x) }";
    struct report r;
    struct model *m = read_text(text, &r);

    ck_assert(m && warnings == 2);
    ck_assert_uint_eq(m->proto->graph->n_node, 1 + 9 + 4);
    ck_assert_str_eq(main_node(m, 0)->op_type, "Erfc");
    model_free(m);
}
END_TEST

/* By the opset that the function imports. */
START_TEST(erfc_in_a_function)
{
    struct fixture f;

    begin(&f, in_a_function);
    set(&f, "x", F32, 1, (const int64_t[]){ 3 }, values);
    run_ok(&f);
    check_erfc(floats(&f, 0, 3), 1);
    ck_assert_uint_eq(f.model->proto->functions[0]->n_node, 4);
    end(&f);
}
END_TEST

START_TEST(it_is_told_once_and_what_is_saved_is_standard)
{
    struct budget b = { 0 };
    struct report r;
    struct model *m = read_text(GELU("17"), &r), *again;
    uint8_t *bytes;
    size_t size;

    ck_assert(m && warnings == 1);
    ck_assert_msg(strstr(told, "read as 1 - Erf(x): 2 times, the first makes 'y'"), "%s", told);
    ck_assert_str_eq(main_node(m, 3)->op_type, "Sub");
    ck_assert_str_eq(main_node(m, 3)->output[0], "y");
    ck_assert(proto_pack(m->proto, &bytes, &size, &b, &r));
    warnings = 0;
    again = model_read_bytes(bytes, size, NULL, &r);
    ck_assert(again && !warnings && message_equal(m->proto, again->proto));
    budget_free(&b, bytes);
    model_free(again);
    model_free(m);
}
END_TEST

/* Not ours to say otherwise. */
static const char *const theirs[] = {
    "<ir_version: 8, opset_import: [\"\": 17, \"a\": 1]> g (float[3] x) => (float[3] y) { y = a.Erfc(x) }",
    "<ir_version: 8, opset_import: [\"\": 17]> g (float[3] x) => (float[3] y) { y = Erfc(x, x) }",
    "<ir_version: 8, opset_import: [\"\": 17]> g (float[3] x) => (float[3] y) { y = Erfc <a = 1> (x) }",
    "<ir_version: 8, opset_import: [\"\": 8]> g (float[3] x) => (float[3] y) { y = Erfc(x) }",
    ("<ir_version: 10, opset_import: [\"\": 17]> g (float[3] x) => (float[3] y) { y = Erfc(x) }\n"
     "<domain: \"\", opset_import: [\"\": 17]> Erfc (x) => (y) { y = Neg(x) }"),
};

START_TEST(all_else_stays)
{
    struct report r;
    struct model *m = read_text(theirs[_i], &r);

    ck_assert(m && !warnings);
    ck_assert_uint_eq(m->proto->graph->n_node, 1);
    ck_assert_str_eq(main_node(m, 0)->op_type, "Erfc");
    model_free(m);
}
END_TEST

START_TEST(memory_ends_anywhere)
{
    static const char in_a_graph[] =
        "<ir_version: 8, opset_import: [\"\": 17]> g (float[3] x) => (float[3] y) { y = Expm1(x) }";
    const char *const text = _i ? in_a_graph : in_a_function;
    struct model *m = NULL;
    struct budget total = { 0 };

    for (size_t limit = 64; !m; limit += 32) {
        const struct model_options o = { .memory = limit, .total = &total };
        struct report r = { 0 };

        m = model_read_bytes(text, strlen(text), &o, &r);
        ck_assert(m || (r.error.code == KILN_NO_MEMORY || r.error.code == KILN_LIMIT));
        ck_assert(m || total.used == 0);
    }
    model_free(m);
    ck_assert_uint_eq(total.used, 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("dialect");

    add_tests(s, erfc_is_one_less_erf, 2);
    add_test(s, erfc_in_a_branch_has_the_type_of_its_input);
    add_test(s, erfc_in_a_function);
    add_test(s, it_is_told_once_and_what_is_saved_is_standard);
    add_tests(s, all_else_stays, (int)(sizeof theirs / sizeof *theirs));
    add_tests(s, each_is_said_in_nodes, 2 * FUNCTIONS);
    add_test(s, several_in_one_model);
    add_tests(s, memory_ends_anywhere, 2);
    return s;
}
