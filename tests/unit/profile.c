/* What a profile says that nodes had to do. */
#include "run/profile.h"
#include "fixture.h"
#include <stdio.h>

static const struct {
    const char *op, *text;
    double products;
} graphs[] = {
    /* no more of a Concat's result than its own part, nor of what is multiplied by its result */
    { "Conv",
      "(float[2, 8, 6, 6] x, float[8, 8, 1, 1] u, float[4, 8, 1, 1] v, float[4, 8, 3, 3] w) => (float[A, B, C, D] y) "
      "{\n"
      "  a = Conv (x, u) b = Relu (a) c = Conv (b, v) d = Conv <pads = [1, 1, 1, 1]> (b, w) e = Concat <axis = 1> (c, "
      "d)\n"
      "  f = GlobalAveragePool (e) h = Conv (f, u) i = Sigmoid (h) y = Mul (e, i) }",
      2 * 36 * (8 * 8 + 4 * 8 + 4 * 8 * 9) + 2 * 8 * 8 },
    { "ConvTranspose",
      "(float[2, 3, 4, 5] x, float[3, 6, 2, 2] w) => (float[A, B, C, D] y) {\n"
      "  y = ConvTranspose <strides = [2, 2]> (x, w) }",
      2 * 3 * 4 * 5 * 6 * 4 },
    { "MatMul",
      "(float[3, 4] x, float[4, 5] w, float[2, 3, 5] b) => (float[A, B, C] y) { a = MatMul (x, w) y = Mul (a, b) }",
      3 * 4 * 5 },
    { "MatMul", "(float[2, 1, 3, 4] x, float[7, 4, 5] w) => (float[A, B, C, D] y) { y = MatMul (x, w) }",
      2 * 7 * 3 * 4 * 5 },
    { "Gemm", "(float[4, 3] x, float[5, 4] w) => (float[A, B] y) { y = Gemm <transA = 1, transB = 1> (x, w) }",
      3 * 4 * 5 },
};

START_TEST(operators_count_their_own_products)
{
    static float zeros[1024];
    char text[1024];
    struct profile_total totals[16];
    struct fixture f;
    size_t count;
    int found = 0;

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": 13]>\ng %s\n", graphs[_i].text);
    begin(&f, text);
    f.session->engine.profile = profile_new(&f.session->budget, &f.report);
    for (size_t k = 0; k < f.model->graph->input_count; k++) {
        const struct value *v = f.model->graph->inputs[k];

        set(&f, v->name, F32, v->type.rank, v->type.dims, zeros);
    }
    run_ok(&f);
    count = profile_totals(f.session->engine.profile, totals, 16);
    for (size_t k = 0; k < count; k++)
        if (strcmp(totals[k].op, graphs[_i].op) == 0) {
            ck_assert_double_eq(totals[k].cost.flops, 2 * graphs[_i].products);
            found++;
        }
    ck_assert_int_eq(found, 1);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("profile");

    add_tests(s, operators_count_their_own_products, sizeof graphs / sizeof *graphs);
    return s;
}
