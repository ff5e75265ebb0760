/* Values of operators where only the standard's words tell which they are: ties, scalars. */
#include "fixture.h"
#include <stdio.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 19]> "

/* -- nearest elements -- */

/* Resize of 0, 1, 2 ...: the place of every element in the exact arithmetic of the standard's formula. */
static const struct {
    const char *nearest, *mode, *by; /* scales, or sizes */
    int64_t in, out;
    int picks[24];
} nearest[] = {
    { "ceil", "half_pixel_symmetric", "float[1] s = {0.5}", 7, 3, { 1, 3, 5 } },
    { "floor", "half_pixel_symmetric", "float[1] s = {0.5}", 7, 3, { 1, 3, 5 } },
    { "round_prefer_floor",
      "half_pixel_symmetric",
      "float[1] s = {0.75}",
      26,
      19,
      { 0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20, 22, 23, 24 } },
    { "round_prefer_ceil", "half_pixel_symmetric", "float[1] s = {0.75}", 10, 7, { 1, 2, 3, 5, 6, 7, 9 } },
    { "round_prefer_floor", "half_pixel_symmetric", "float[1] s = {0.75}", 10, 7, { 0, 2, 3, 4, 6, 7, 8 } },
    { "ceil", "half_pixel_symmetric", "float[1] s = {1.5}", 3, 4, { 0, 1, 2, 2 } },
    /* 1/3 in float is a little more than that: no tie */
    { "round_prefer_ceil", "half_pixel_symmetric", "float[1] s = {0.3333333433674408}", 10, 3, { 2, 5, 7 } },
    /* a size is no rounded scale: element 4 of 9 is in the middle, at 3 */
    { "floor", "half_pixel", "int64[1] s = {9}", 7, 9, { 0, 0, 1, 2, 3, 3, 4, 5, 6 } },
    { "ceil", "half_pixel", "int64[1] s = {14}", 10, 14, { 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9 } },
    { "floor", "pytorch_half_pixel", "int64[1] s = {9}", 7, 9, { 0, 0, 1, 2, 3, 3, 4, 5, 6 } },
    { "floor", "half_pixel_symmetric", "int64[1] s = {9}", 7, 9, { 0, 0, 1, 2, 3, 3, 4, 5, 6 } },
    { "round_prefer_floor", "half_pixel", "float[1] s = {0.5}", 6, 3, { 0, 2, 4 } },
    { "round_prefer_ceil", "half_pixel", "float[1] s = {0.5}", 6, 3, { 1, 3, 5 } },
    { "round_prefer_floor", "asymmetric", "float[1] s = {2}", 3, 6, { 0, 0, 1, 1, 2, 2 } },
    { "round_prefer_ceil", "asymmetric", "float[1] s = {2}", 3, 6, { 0, 1, 1, 2, 2, 2 } },
    { "floor", "align_corners", "int64[1] s = {7}", 10, 7, { 0, 1, 3, 4, 6, 7, 9 } },
    { "ceil", "align_corners", "int64[1] s = {7}", 10, 7, { 0, 2, 3, 5, 6, 8, 9 } },
    { "round_prefer_floor", "align_corners", "int64[1] s = {7}", 10, 7, { 0, 1, 3, 4, 6, 7, 9 } },
};
enum { NEAREST = sizeof nearest / sizeof *nearest };

START_TEST(nearest_elements)
{
    char text[512];
    float x[32];
    const float *y;
    struct fixture f;

    snprintf(text, sizeof text,
             HEAD "g (float[N] x) => (float[M] y) <%s> { y = Resize <mode = \"nearest\", nearest_mode = \"%s\",\n"
                  "coordinate_transformation_mode = \"%s\"> (x, , %s) }",
             nearest[_i].by, nearest[_i].nearest, nearest[_i].mode, nearest[_i].by[0] == 'f' ? "s" : ", s");
    begin(&f, text);
    for (int k = 0; k < 32; k++)
        x[k] = (float)k;
    set(&f, "x", F32, 1, &nearest[_i].in, x);
    run_ok(&f);
    y = floats(&f, 0, nearest[_i].out);
    for (int64_t k = 0; k < nearest[_i].out; k++)
        ck_assert_msg(y[k] == (float)nearest[_i].picks[k], "%s: y[%lld] is %g, must be %d", text, (long long)k,
                      (double)y[k], nearest[_i].picks[k]);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("values");

    add_tests(s, nearest_elements, NEAREST);
    return s;
}
