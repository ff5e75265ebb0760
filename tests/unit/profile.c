/* What a profile says that nodes had to do. */
#include "run/profile.h"
#include "fixture.h"

/* A convolution makes no more of a Concat's result than its own part, nor of what is multiplied by its result. */
static const char text[] = "<ir_version: 8, opset_import: [\"\": 13]>\n"
                           "g (float[2, 8, 6, 6] x, float[8, 8, 1, 1] u, float[4, 8, 1, 1] v, float[4, 8, 3, 3] w) => "
                           "(float[A, B, C, D] y) {\n"
                           "  a = Conv (x, u) b = Relu (a) c = Conv (b, v) d = Conv <pads = [1, 1, 1, 1]> (b, w) e = "
                           "Concat <axis = 1> (c, d)\n"
                           "  f = GlobalAveragePool (e) h = Conv (f, u) i = Sigmoid (h) y = Mul (e, i)\n"
                           "}\n";

START_TEST(convolutions_count_their_own_products)
{
    static float x[2 * 8 * 6 * 6], u[8 * 8], v[4 * 8], w[4 * 8 * 9];
    const int64_t pixels = 2 * 6 * 6, products = pixels * (8 * 8 + 4 * 8 + 4 * 8 * 9) + 2 * 8 * 8;
    struct profile_total totals[8];
    struct fixture f;
    size_t count;
    int found = 0;

    begin(&f, text);
    f.session->engine.profile = profile_new(&f.session->budget, &f.report);
    set(&f, "x", F32, 4, (const int64_t[]){ 2, 8, 6, 6 }, x);
    set(&f, "u", F32, 4, (const int64_t[]){ 8, 8, 1, 1 }, u);
    set(&f, "v", F32, 4, (const int64_t[]){ 4, 8, 1, 1 }, v);
    set(&f, "w", F32, 4, (const int64_t[]){ 4, 8, 3, 3 }, w);
    run_ok(&f);
    count = profile_totals(f.session->engine.profile, totals, 8);
    for (size_t k = 0; k < count; k++)
        if (strcmp(totals[k].op, "Conv") == 0) {
            ck_assert_double_eq(totals[k].cost.flops, 2. * (double)products);
            found++;
        }
    ck_assert_int_eq(found, 1);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("profile");

    add_test(s, convolutions_count_their_own_products);
    return s;
}
