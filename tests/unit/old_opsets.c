/* Values of operators whose first versions were others. */
#include "by_hand.h"

static const struct by_hand in_old_opsets[] = {
    { "m = Reshape <shape = [-1, 1]> (x) c = Concat(m, m) y = Reshape <shape = [-1]> (c)",
      2,
      4,
      { 1, 2 },
      { 1, 1, 2, 2 } },
    { "y = Pad <paddings = [1, 2], value = 7.0> (x)", 1, 4, { 5 }, { 7, 5, 7, 7 } },
    { "i = Cast <to = \"INT8\"> (x) d = Cast <to = \"FLOAT\"> (i) y = Neg <consumed_inputs = [0]> (d)",
      2,
      2,
      { 1.5f, -2.5f },
      { -1, 2 } },
    { "t = Constant <value = float[1] {2}> () a = Constant <value = float {0}> () y = Tile(x, t, a)",
      2,
      4,
      { 1, 2 },
      { 1, 2, 1, 2 } },
    { "s = Constant <value = float[2] {1, 2}> () a, b = Split(x, s) y = Concat <axis = 0> (b, a)",
      3,
      3,
      { 1, 2, 3 },
      { 2, 3, 1 } },
    { "a, b = Split <split = [2, 1]> (x) y = Concat <axis = 0> (b, a)", 3, 3, { 1, 2, 3 }, { 3, 1, 2 } },
    { "m = Reshape <shape = [1, 1, 1, 2]> (x) u = Upsample <height_scale = 1.0, width_scale = 2.0> (m)\n"
      "y = Reshape <shape = [-1]> (u)",
      2,
      4,
      { 1, 2 },
      { 1, 1, 2, 2 } },
    { "y = Selu(x)", 2, 2, { 1000, -1000 }, { 1050.7f, -1.75803124f } },
    { "m = Reshape <shape = [1, 1, 3]> (x) p = AveragePool <kernel_shape = [2], pads = [1, 0]> (m)\n"
      "y = Reshape <shape = [-1]> (p)",
      3,
      3,
      { 2, 4, 6 },
      { 2, 3, 5 } },
    { "m = Reshape <shape = [1, 1, 3]> (x) p = LpPool <kernel_shape = [3], p = 1.0> (m) y = Reshape <shape = [-1]> (p)",
      3,
      1,
      { -3, 4, 5 },
      { 12 } },
    { "m = Reshape <shape = [1, 1, 3]> (x) p = GlobalLpPool <p = 3.0> (m) y = Reshape <shape = [-1]> (p)",
      3,
      1,
      { -3, 4, 5 },
      { 6 } },
    { "m = Reshape <shape = [2, 1]> (x) w = Constant <value = float[1,2] {1, 2}> ()\n"
      "c = Constant <value = float[2] {10, 20}> () g = Gemm <broadcast = 1> (m, w, c) y = Reshape <shape = [-1]> (g)",
      2,
      4,
      { 1, 2 },
      { 11, 22, 12, 24 } },
    { "m = Reshape <shape = [2, 1]> (x) o = Constant <value = float[1] {1}> () z = Constant <value = float[1] {5}> ()\n"
      "v = Constant <value = float[1] {4}> ()\n"
      "b = BatchNormalization <consumed_inputs = [0, 0, 0, 1, 1], is_test = 1, epsilon = 0.0> (m, o, z, o, v)\n"
      "y = Reshape <shape = [-1]> (b)",
      2,
      2,
      { 1, 3 },
      { 5, 6 } },
    { "y = Dropout <is_test = 1, ratio = 0.5> (x)", 2, 2, { 1, 2 }, { 1, 2 } },
    { "d, m = Dropout <ratio = 0.5> (x) y = Sub(d, m)", 2, 2, { .5f, .5f }, { 0, 0 } }, /* x / .5, or nothing */
    { "y = Clip <min = -1.0> (x)", 2, 2, { -5, 5 }, { -1, 5 } },
};
enum { IN_OLD_OPSETS = sizeof in_old_opsets / sizeof *in_old_opsets };

START_TEST(values_in_old_opsets)
{
    check_by_hand(&in_old_opsets[_i], "\"\": 1");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("old_opsets");

    add_tests(s, values_in_old_opsets, IN_OLD_OPSETS);
    return s;
}
