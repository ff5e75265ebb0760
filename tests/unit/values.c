/* Values of operators where only the standard's words tell which they are: ties, scalars. */
#include "by_hand.h"

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

/* -- what is no number -- */

/* Of floats of 8 bits, which have one NaN or several; what is too large for one is one, but where it is infinite. */
START_TEST(not_a_number)
{
    static const int f8e5m2 = 19;
    const int to = 17 + _i;
    const int64_t five = 5;
    float x[] = { NAN, INFINITY, -1e30f, 1, -0.f };
    const float *y;
    char text[256];
    struct fixture f;

    snprintf(text, sizeof text,
             "<ir_version: 10, opset_import: [\"\": 20]> g (float[5] x) => (float[5] y) { s = Cast <to = %d, saturate "
             "= 0> (x) n = IsNaN(s)"
             " y = Cast <to = 1> (n) }",
             to);
    begin(&f, text);
    set(&f, "x", F32, 1, &five, x);
    run_ok(&f);
    y = floats(&f, 0, 5);
    for (int k = 0; k < 5; k++)
        ck_assert_int_eq(y[k] != 0, k == 0 || (k < 3 && to != f8e5m2));
    end(&f);
}
END_TEST

/* -- remainders -- */

/* Each of -7 ... 7 by 3 and by -3. */
START_TEST(a_remainder_has_the_sign_of_the_divisor)
{
    static const int types[] = { 3, 5, 6, 7 }; /* int8 ... int64 */
    const int64_t dims[] = { 15, 2 }, n = 15;
    float x[15];
    const float *y;
    char text[320];
    struct fixture f;

    snprintf(text, sizeof text,
             HEAD "g (float[15] x) => (float[15, 2] y, float[15, 2] z) <int64[2] b = {3, -3}, int64[1] one = {1}>\n"
                  "{ a = Cast <to = %d> (x) c = Unsqueeze(a, one) d = Cast <to = %d> (b)\n"
                  "  p = Mod(c, d) q = Mod <fmod = 1> (c, d) y = Cast <to = 1> (p) z = Cast <to = 1> (q) }",
             types[_i], types[_i]);
    begin(&f, text);
    for (int k = 0; k < 15; k++)
        x[k] = (float)(k - 7);
    set(&f, "x", F32, 1, &n, x);
    run_ok(&f);
    y = floats(&f, 0, dims[0] * dims[1]);
    for (int k = 0; k < 15; k++) {
        ck_assert_float_eq(y[2 * k], (float)((k - 7 + 9) % 3));
        ck_assert_float_eq(y[2 * k + 1], (float)-((7 - k + 9) % 3));
        ck_assert_float_eq(floats(&f, 1, 30)[2 * k], (float)((k - 7) % 3));
        ck_assert_float_eq(floats(&f, 1, 30)[2 * k + 1], (float)((k - 7) % -3));
    }
    end(&f);
}
END_TEST

/* -- comparisons -- */

START_TEST(nothing_compares_with_nan)
{
    static const struct {
        const char *op;
        int holds[4]; /* for less, equal, greater, NaN */
    } of[] = { { "Less", { 1, 0, 0, 0 } },
               { "LessOrEqual", { 1, 1, 0, 0 } },
               { "Greater", { 0, 0, 1, 0 } },
               { "GreaterOrEqual", { 0, 1, 1, 0 } } };
    const int64_t four = 4;
    float x[] = { -1, 2, 3, NAN };
    char text[256];
    struct fixture f;

    snprintf(text, sizeof text,
             HEAD "g (float[4] x) => (float[4] y) <float b = {2}> { c = %s(x, b) y = Cast <to = 1> (c) }", of[_i].op);
    begin(&f, text);
    set(&f, "x", F32, 1, &four, x);
    run_ok(&f);
    for (int k = 0; k < 4; k++)
        ck_assert_int_eq(floats(&f, 0, 4)[k] != 0, of[_i].holds[k]);
    end(&f);
}
END_TEST

/* -- by hand -- */

static const struct by_hand by_hand[] = {
    { "y = Round(x)", 7, 7, { -2.5f, -1.5f, -.5f, .5f, 1.5f, 2.5f, .49999997f }, { -2, -2, 0, 0, 2, 2, 0 } },
    { "y = Floor(x)", 5, 5, { -1.5f, -1, .5f, 1.9f, 8388609 }, { -2, -1, 0, 1, 8388609 } },
    { "y = Ceil(x)", 5, 5, { -1.5f, -1, .5f, 1.9f, 8388609 }, { -1, -1, 1, 2, 8388609 } },
    { "y = Sign(x)", 4, 4, { NAN, -INFINITY, 0, 1e-30f }, { NAN, -1, 0, 1 } },
    { "y = Abs(x)", 4, 4, { NAN, -INFINITY, -0.f, -1e-30f }, { NAN, INFINITY, 0, 1e-30f } },
    { "y = Shrink <lambd = 1.5, bias = 1.0> (x)", 5, 5, { -2, -1.5f, 1, 1.5f, 2 }, { -1, 0, 0, 0, 1 } },
    { "i = Cast <to = 2> (x) s = Shrink <lambd = 1.5, bias = 1.5> (i) y = Cast <to = 1> (s)",
      4,
      4,
      { 0, 1, 2, 255 },
      { 0, 0, 0, 253 } },
    { "y = ThresholdedRelu(x)", 4, 4, { -1, 1, 1.5f, NAN }, { 0, 0, 1.5f, 0 } },
    { "y = HardSwish(x)", 4, 4, { -4, -3, 1.5f, 4 }, { 0, 0, 1.125f, 4 } },
    { "y = Celu <alpha = -2.0> (x)", 2, 2, { 3, -4 }, { 3, -12.778112f } },
    { "y = ReduceMin <keepdims = 0> (x)", 4, 1, { 3, NAN, -2, 1 }, { NAN } },
    { "y = ReduceLogSumExp(x)", 3, 1, { 1000, -INFINITY, -1000 }, { 1000 } },
    { "i = Cast <to = 6> (x) l = ReduceL2 <keepdims = 0> (i) y = Cast <to = 1> (l)", 2, 1, { -3, 3 }, { 4 } },
    { "i = Cast <to = 9> (x) l = Xor(i, i) m = Or(i, l) y = Cast <to = 1> (m)", 2, 2, { 0, 2 }, { 0, 1 } },
    { "i = Constant <value_ints = [1, 1]> () u = Constant <value_floats = [5.0, 6.0]> () y = ScatterElements(x, i, u)",
      3,
      3,
      { 1, 2, 3 },
      { 1, 6, 3 } },
    { "i = Constant <value = int64[3, 1] {0, 1, 2}> () u = Constant <value_floats = [5.0, 0.0, 7.0]> ()\n"
      "y = ScatterND <reduction = \"max\"> (x, i, u)",
      3,
      3,
      { 6, NAN, 3 },
      { 6, NAN, 7 } },
    { "s = Constant <value_ints = [1, 2, 4]> () d = Reshape(x, s) i = Constant <value = int64[1, 2, 2] {0, 0, 0, -1}> "
      "()\n"
      "y = GatherElements(d, i)",
      8,
      4,
      { 0, 1, 2, 3, 4, 5, 6, 7 },
      { 0, 1, 4, 5 } },
    { "a = Constant <value_int = -9223372036854775807> () b = Constant <value_int = 9223372036854775807> ()\n"
      "c = Constant <value_int = 4611686018427387904> () r = Range(a, b, c) n = Size(r) z = Cast <to = 1> (n) y = "
      "Add(z, x)",
      1,
      1,
      { 0 },
      { 4 } },
    { "s = Constant <value_ints = [2, 2]> () m = Reshape(x, s) y = Einsum <equation = \"ii\"> (m)",
      4,
      1,
      { 1, 2, NAN, 4 },
      { 5 } },
    { "k = Constant <value_ints = [4]> () v, i = TopK(x, k) y = Cast <to = 1> (i)",
      6,
      4,
      { 1, 3, NAN, 3, -INFINITY, 3 },
      { 2, 1, 3, 5 } },
    { "k = Constant <value_ints = [3]> () y, i = TopK <largest = 0> (x, k)",
      5,
      3,
      { NAN, 2, -1, NAN, 2 },
      { -1, 2, 2 } },
    { "a = Constant <value_int = 0> () y = CumSum <exclusive = 1, reverse = 1> (x, a)",
      4,
      4,
      { 1, 2, 3, 4 },
      { 9, 7, 4, 0 } },
    { "a = Constant <value_int = 0> () y = CumSum(x, a)", 3, 3, { 1, 1e8f, -1e8f }, { 1, 1e8f, 1 } },
    { "s = Constant <value_ints = [2, 3]> () m = Reshape(x, s) k = Constant <value_int = 1> () y = Trilu(m, k)",
      6,
      6,
      { 1, 2, 3, 4, 5, 6 },
      { 0, 2, 3, 0, 0, 6 } },
    { "s = Constant <value_ints = [3, 2]> () m = Reshape(x, s) l = Constant <value_ints = [0, 2]> ()\n"
      "y = ReverseSequence(m, l)",
      6,
      6,
      { 1, 2, 3, 4, 5, 6 },
      { 1, 4, 3, 2, 5, 6 } },
    { "s = Constant <value_ints = [1, 8, 1, 1]> () m = Reshape(x, s) y = DepthToSpace <blocksize = 2> (m)",
      8,
      8,
      { 0, 1, 2, 3, 4, 5, 6, 7 },
      { 0, 2, 4, 6, 1, 3, 5, 7 } },
    { "s = Constant <value_ints = [1, 2]> () m = Reshape(x, s) k = Constant <value_int = 9223372036854775807> ()\n"
      "y = Trilu <upper = 0> (m, k)",
      2,
      2,
      { 1, 2 },
      { 1, 2 } },
    { "d = Constant <value_int = 2> () v = Constant <value_floats = [0.0, 1.0]> () y = OneHot(x, d, v)",
      4,
      8,
      { 0, -1, .5f, 1e30f },
      { 1, 0, 0, 1, 0, 0, 0, 0 } },
    { "h = Constant <value_ints = [1, 2, 2]> () m = Reshape(x, h) s = Constant <value_floats = [2.0, 1.0]> ()\n"
      "b = Constant <value_floats = [1.0, 7.0]> () y = InstanceNormalization <epsilon = 3.0> (m, s, b)",
      4,
      4,
      { 1, 3, 5, 5 },
      { 0, 2, 7, 7 } },
    { "h = Constant <value_ints = [1, 4, 1]> () m = Reshape(x, h) s = Constant <value_floats = [2.0, 2.0, 1.0, 1.0]> "
      "()\n"
      "b = Constant <value_floats = [1.0, 1.0, 7.0, 8.0]> ()\n"
      "y = GroupNormalization <epsilon = 3.0, num_groups = 2> (m, s, b)",
      4,
      4,
      { 1, 3, 5, 5 },
      { 0, 2, 7, 8 } },
    { "s = Constant <value_floats = [2.0, 4.0]> () y = RMSNormalization <epsilon = 3.5> (x, s)",
      2,
      2,
      { 3, 4 },
      { 1.5f, 4 } },
    { "i = IsInf <detect_negative = 0> (x) y = Cast <to = 1> (i)",
      4,
      4,
      { INFINITY, -INFINITY, NAN, 1 },
      { 1, 0, 0, 0 } },
    { "i = IsInf <detect_positive = 0> (x) y = Cast <to = 1> (i)",
      4,
      4,
      { INFINITY, -INFINITY, NAN, 1 },
      { 0, 1, 0, 0 } },
    { "e = Cast <to = 19, saturate = 0> (x) i = IsInf(e) y = Cast <to = 1> (i)",
      4,
      4,
      { INFINITY, -INFINITY, NAN, 57344 },
      { 1, 1, 0, 0 } },
    { "u = Cast <to = 12> (x) s = Constant <value = uint32[3] {1, 31, 32}> () b = BitShift <direction = \"LEFT\"> (u, "
      "s)\n"
      "y = Cast <to = 1> (b)",
      3,
      3,
      { 200, 3, 255 },
      { 400, 2147483648.f, 0 } },
    { "u = Cast <to = 2> (x) s = Constant <value = uint8[3] {1, 7, 8}> () b = BitShift <direction = \"RIGHT\"> (u, s)\n"
      "y = Cast <to = 1> (b)",
      3,
      3,
      { 201, 255, 255 },
      { 100, 1, 0 } },
    { "i = Cast <to = 3> (x) s = Constant <value = int8[5] {1, 7, 8, -1, -1}> ()\n"
      "b = BitShift <direction = \"RIGHT\"> (i, s) y = Cast <to = 1> (b)",
      5,
      5,
      { -7, 100, -5, -5, 5 },
      { -4, 0, -1, -1, 0 } },
    { "i = Cast <to = 5> (x) s = Constant <value = int16[4] {1, 15, 16, -1}> ()\n"
      "b = BitShift <direction = \"LEFT\"> (i, s) y = Cast <to = 1> (b)",
      4,
      4,
      { -7, 1, 1, 1 },
      { -14, -32768, 0, 0 } },
    { "d = Constant <value = float[6] {2, -2, inf, -inf, 0, 3}> () y = Mod(x, d)",
      6,
      6,
      { -5.5f, 5.5f, 3, 3, 1, INFINITY },
      { .5f, -.5f, 3, -INFINITY, NAN, NAN } },
    { "d = Constant <value = float[2] {-3, 3}> () m = Mod(x, d) y = Reciprocal(m)",
      2,
      2,
      { 0, -0.f },
      { -INFINITY, INFINITY } },
    { "c = Cast <to = 27> (x) y = Cast <to = 1> (c)",
      5,
      5,
      { .07f, 1.06f, 100, -100, -.5f },
      { .125f, 1, 7.5f, -7.5f, -.5f } },
    { "c = Cast <to = 28> (x) y = Cast <to = 1> (c)", 4, 4, { .04f, 1.1f, 100, -3.4f }, { .0625f, 1, 28, -3.5f } },
    { "s = Constant <value_ints = [1, 2, 2, 2]> () m = Reshape(x, s) d = SpaceToDepth <blocksize = 2, mode = \"CRD\"> "
      "(m)\n"
      "f = Constant <value_ints = [-1]> () y = Reshape(d, f)",
      8,
      8,
      { 1, 2, 3, 4, 5, 6, 7, 8 },
      { 1, 2, 3, 4, 5, 6, 7, 8 } },
    { "s = Constant <value_ints = [1, 2, 2, 2]> () m = Reshape(x, s) d = SpaceToDepth <blocksize = 2> (m)\n"
      "f = Constant <value_ints = [-1]> () y = Reshape(d, f)",
      8,
      8,
      { 1, 2, 3, 4, 5, 6, 7, 8 },
      { 1, 5, 2, 6, 3, 7, 4, 8 } },
    { "i = Cast <to = 3> (x) k = Constant <value = int8[1] {12}> () n = BitwiseNot(i) b = BitwiseAnd(n, k)\n"
      "y = Cast <to = 1> (b)",
      3,
      3,
      { -128, 5, 10 },
      { 12, 8, 4 } },
    { "i = Cast <to = 5> (x) k = Constant <value = int16[1] {12}> () b = BitwiseOr(i, k) y = Cast <to = 1> (b)",
      3,
      3,
      { 1, 8, -1 },
      { 13, 12, -1 } },
    { "i = Cast <to = 7> (x) k = Constant <value = int64[1] {12}> () b = BitwiseXor(i, k) y = Cast <to = 1> (b)",
      3,
      3,
      { 1, 8, -1 },
      { 13, 4, -13 } },
    { "y = Swish <alpha = 0.0> (x)", 2, 2, { 2, -4 }, { 1, -2 } },
    { "y = Hardmax(x)", 4, 4, { 1, 3, 3, 2 }, { 0, 1, 0, 0 } },
    { "s = Constant <value_ints = [2, 3]> () m = Reshape(x, s) y = Hardmax <axis = 0> (m)",
      6,
      6,
      { 1, 5, NAN, 2, 4, 6 },
      { 0, 1, 1, 1, 0, 0 } },
    { "i = ArgMin <keepdims = 0> (x) y = Cast <to = 1> (i)", 4, 1, { 3, 1, 2, 1 }, { 1 } },
    { "i = ArgMin <select_last_index = 1> (x) y = Cast <to = 1> (i)", 4, 1, { 3, 1, 2, 1 }, { 3 } },
    { "i = ArgMin(x) y = Cast <to = 1> (i)", 4, 1, { 3, -INFINITY, NAN, NAN }, { 2 } },
    { "h = Cast <to = 10> (x) m = Mean(h, h) y = Cast <to = 1> (m)", 1, 1, { 60000 }, { 60000 } },
    { "a = Constant <value_int = 0> () y = CumProd <exclusive = 1, reverse = 1> (x, a)",
      4,
      4,
      { 1, 2, 3, 4 },
      { 24, 12, 4, 1 } },
    { "s = Constant <value_ints = [2, 2, 2]> () m = Reshape(x, s) y = Det(m)",
      8,
      2,
      { 3, 4, 1, 2, 1, 2, 2, 4 },
      { 2, 0 } },
    { "s = Constant <value_ints = [3, 2]> () m = Reshape(x, s) y = EyeLike <k = -1> (m)",
      6,
      6,
      { 5, 5, 5, 5, 5, 5 },
      { 0, 0, 1, 0, 0, 1 } },
    { "n = Cast <to = 7> (x) y = HannWindow(n)", 1, 4, { 4 }, { 0, .5f, 1, .5f } },
    { "n = Cast <to = 7> (x) y = HannWindow <periodic = 0> (n)", 1, 3, { 3 }, { 0, 1, 0 } },
    { "n = Cast <to = 6> (x) y = HammingWindow(n)", 1, 2, { 2 }, { .08695652f, 1 } },
    { "n = Cast <to = 6> (x) w = BlackmanWindow <output_datatype = 11> (n) t = Constant <value = double[1] {10}> ()\n"
      "v = Mul(w, t) r = Round(v) y = Cast <to = 1> (r)",
      1,
      4,
      { 4 },
      { 0, 3, 10, 3 } },
    { "n = Cast <to = 6> (x) w = BlackmanWindow <output_datatype = 2> (n) y = Cast <to = 1> (w)",
      1,
      4,
      { 4 },
      { 0, 0, 1, 0 } },
    { "b = BitCast <to = 6> (x) y = Cast <to = 1> (b)", 2, 2, { 1, -0.f }, { 1065353216, -2147483648.f } },
    { "u = Cast <to = 21> (x) b = BitCast <to = 22> (u) y = Cast <to = 1> (b)",
      4,
      4,
      { 0, 7, 8, 15 },
      { 0, 7, -8, -1 } },
    { "i = Cast <to = 22> (x) b = BitCast <to = 21> (i) y = Cast <to = 1> (b)", 3, 3, { -8, -1, 7 }, { 8, 15, 7 } },
    /* of numpy.random.RandomState */
    { "y = Bernoulli <seed = 3.0> (x)", 8, 8, { 0, .2f, .5f, .6f, 1, .3f, .9f, .05f }, { 0, 0, 0, 1, 1, 1, 1, 0 } },
    { "r = RandomNormal <shape = [4], seed = 42.0, mean = 1.0, scale = 2.0> () y = Add(r, x)",
      1,
      4,
      { 0 },
      { 1.9934283f, .7234714f, 2.2953773f, 4.0460596f } },
    { "y = RandomNormalLike <seed = 42.0, mean = 1.0, scale = 2.0> (x)",
      3,
      3,
      { 0 },
      { 1.9934283f, .7234714f, 2.2953773f } },
    { "r = RandomUniform <shape = [2], seed = 42.0, low = -1.0, high = 1.0> () y = Add(r, x)",
      1,
      2,
      { 0 },
      { -.25091976f, .90142864f } },
    { "y = RandomUniformLike <seed = 42.0, low = -1.0> (x)", 2, 2, { 0 }, { -.25091976f, .90142864f } },
    { "s = Constant <value_ints = [1, 3]> () m = Reshape(x, s) r = Multinomial <sample_size = 4, seed = 42.0> (m)\n"
      "y = Cast <to = 1> (r)",
      3,
      4,
      { -1.2039728f, -1.2039728f, -.91629073f },
      { 1, 2, 2, 1 } },
    /* what is drawn without a seed, by what it is on the average */
    { "r = RandomNormal <shape = [20000], dtype = 11, mean = 3.0, scale = 2.0> () m = ReduceMean(r) d = Sub(r, m)\n"
      "q = Mul(d, d) v = ReduceMean(q) c = Concat <axis = 0> (m, v) s = Round(c) y = Cast <to = 1> (s)",
      1,
      2,
      { 0 },
      { 3, 4 } },
    { "s = Constant <value_ints = [20000]> () z = Expand(x, s) r = RandomNormalLike <mean = 3.0, scale = 2.0> (z)\n"
      "m = ReduceMean(r) d = Sub(r, m) q = Mul(d, d) v = ReduceMean(q) c = Concat <axis = 0> (m, v) y = Round(c)",
      1,
      2,
      { 0 },
      { 3, 4 } },
    { "s = Constant <value_ints = [20000, 4]> () p = Expand(x, s) r = Bernoulli <dtype = 1> (p)\n"
      "a = Constant <value_ints = [0]> () m = ReduceMean <keepdims = 0> (r, a) t = Constant <value_float = 20.0> ()\n"
      "u = Mul(m, t) y = Round(u)",
      4,
      4,
      { 0, .25f, .9f, 1 },
      { 0, 5, 18, 20 } },
    { "s = Constant <value_ints = [1, 2]> () l = Reshape(x, s) r = Multinomial <sample_size = 20000> (l)\n"
      "f = Cast <to = 1> (r) m = ReduceMean(f) t = Constant <value_float = 20.0> () u = Mul(m, t) y = Round(u)",
      2,
      1,
      { 100, 101.0986123f },
      { 15 } },
    { "c = Constant <value = bool[3] {0, 1, 1}> () y = Compress (x, c)", 4, 2, { 1, 2, 3, 4 }, { 2, 3 } },
    { "c = Constant <value = bool[5] {1, 0, 0, 1, 1}> () y = Compress <axis = 0> (x, c)", 3, 1, { 1, 2, 3 }, { 1 } },
    { "y = Unique (x)", 6, 4, { 2, NAN, -1, NAN, 2, -INFINITY }, { -INFINITY, -1, 2, NAN } },
    { "u, i, v, n = Unique <sorted = 0> (x) w = Concat <axis = 0> (i, v, n) y = Cast <to = 1> (w)",
      5,
      11,
      { 2, NAN, -1, NAN, 2 },
      { 0, 1, 2, 0, 1, 2, 1, 0, 2, 2, 1 } },
    { "u, i, v, n = Unique (x) w = Concat <axis = 0> (i, v, n) y = Cast <to = 1> (w)",
      4,
      8,
      { 2, -1, 2, 2 },
      { 1, 0, 1, 0, 1, 1, 1, 3 } },
    { "s = Constant <value_ints = [1, 2, 4]> () b = Reshape(x, s) c = Constant <value = float[1,1,2] {0.5, 0.9}> ()\n"
      "m = Constant <value_int = 5> () t = Constant <value_float = 0.5> () i = NonMaxSuppression(b, c, m, t)\n"
      "y = Cast <to = 1> (i)",
      8,
      6,
      { 0, 0, 1, 1, 1, 2, 0, 0 },
      { 0, 0, 1, 0, 0, 0 } },
    { "s = Constant <value_ints = [1, 2, 4]> () b = Reshape(x, s) c = Constant <value = float[1,1,2] {0.5, 0.5}> ()\n"
      "m = Constant <value_int = 5> () t = Constant <value_float = 0.49> () i = NonMaxSuppression(b, c, m, t)\n"
      "y = Cast <to = 1> (i)",
      8,
      3,
      { 0, 0, 1, 1, 1, 2, 0, 0 },
      { 0, 0, 0 } },
    { "q = SequenceEmpty () p = SequenceInsert(q, x) n = SequenceLength(p) f = Cast <to = 1> (n)\n"
      "z = ConcatFromSequence <axis = 0> (p) y = Add(z, f)",
      2,
      2,
      { 0, 5 },
      { 1, 6 } },
    { "q = SplitToSequence(x) a = Constant <value_int = -1> () n = Neg(x) p = SequenceInsert(q, n, a)\n"
      "y = ConcatFromSequence <axis = 0> (p)",
      2,
      4,
      { 1, 2 },
      { 1, -1, -2, 2 } },
    { "s = Constant <value_int = 3> () q = SplitToSequence(x, s) a = Constant <value_int = -2> ()\n"
      "p = SequenceErase(q, a) y = ConcatFromSequence <axis = 0> (p)",
      5,
      2,
      { 1, 2, 3, 4, 5 },
      { 4, 5 } },
    { "n = Neg(x) q = SequenceConstruct(x, n) y = ConcatFromSequence <axis = 1, new_axis = 1> (q)",
      2,
      4,
      { 1, 2 },
      { 1, -1, 2, -2 } },
    { "q = SplitToSequence(x) p = SequenceMap(q, x) <body = b (float[1] a, float[N] c) => (float[N] d)\n"
      "{ d = Mul(a, c) }> y = ConcatFromSequence <axis = 0> (p)",
      2,
      4,
      { 1, 2 },
      { 1, 2, 2, 4 } },
    { "o = Optional(x) e = Optional <type = float[2]> () a = OptionalHasElement(o) b = OptionalHasElement(e)\n"
      "c = OptionalGetElement(o) f = Cast <to = 1> (a) g = Cast <to = 1> (b) h = Add(c, f) k = Add(g, g) y = Sub(h, k)",
      2,
      2,
      { 1, 2 },
      { 2, 3 } },
    { "s = Constant <value_ints = [5]> () y = CenterCropPad(x, s)", 2, 5, { 1, 2 }, { 0, 1, 2, 0, 0 } },
    { "s = Constant <value_ints = [1]> () y = CenterCropPad(x, s)", 4, 1, { 1, 2, 3, 4 }, { 2 } },
    { "y = LpNormalization(x)", 2, 2, { 3, 4 }, { .6f, .8f } },
    { "y = LpNormalization <p = 1> (x)", 2, 2, { 0, 0 }, { 0, 0 } },
    { "y = MeanVarianceNormalization <axes = [0]> (x)", 2, 2, { 1, 3 }, { -1, 1 } },
    { "y = MeanVarianceNormalization <axes: ints = []> (x)", 2, 2, { 4, 8 }, { -1, 1 } },
    { "s = Constant <value_ints = [1, 1, 3]> () m = Reshape(x, s) y = GlobalLpPool <p = 3> (m)",
      3,
      1,
      { -3, 4, 5 },
      { 6 } },
    { "s = Constant <value_ints = [1, 1, 3]> () m = Reshape(x, s) y = LpPool <kernel_shape = [2], pads = [0, 1]> (m)",
      3,
      3,
      { 3, -4, 0 },
      { 5, 4, 0 } },
    { "s = Constant <value_ints = [1, 2, 1]> () m = Reshape(x, s) o = Constant <value_ints = [1, 2, 3]> ()\n"
      "i = Constant <value = int64[1,2,1] {0, 3}> () y = MaxUnpool <kernel_shape = [2], strides = [2]> (m, i, o)",
      2,
      6,
      { 5, 6 },
      { 5, 0, 0, 0, 6, 0 } },
    { "s = Constant <value_ints = [1, 4, 1]> () m = Reshape(x, s) u = Constant <value = float[1,2,1] {7, 8}> ()\n"
      "w = Constant <value_ints = [-1]> () y = TensorScatter <mode = \"circular\"> (m, u, w)",
      4,
      4,
      { 1, 2, 3, 4 },
      { 8, 2, 3, 7 } },
    { "s = Constant <value_ints = [1, 1, 1, 4]> () m = Reshape(x, s) c = Constant <value = float[1,1,2] {0, 1}> ()\n"
      "n = Constant <value = float[1,1,2] {1, 0}> () y = RotaryEmbedding(m, c, n)",
      4,
      4,
      { 1, 2, 3, 4 },
      { -3, 2, 1, 4 } },
    { "s = Constant <value_ints = [1, 1, 4]> () m = Reshape(x, s) c = Constant <value = float[1,1,1] {0}> ()\n"
      "n = Constant <value = float[1,1,1] {1}> ()\n"
      "y = RotaryEmbedding <interleaved = 1, num_heads = 2> (m, c, n)",
      4,
      4,
      { 1, 2, 3, 4 },
      { -2, 1, -4, 3 } },
    { "a = Constant <value_strings = [\"ab\"]> () b = Constant <value_strings = [\"c\", \"\"]> ()\n"
      "z = StringConcat(a, b) w = Constant <value_strings = [\"abc\", \"ab\"]> () e = Equal(z, w)\n"
      "f = Cast <to = 1> (e) y = Add(f, x)",
      2,
      2,
      { 1, 2 },
      { 2, 3 } },
    /* of an RNN, in both directions; what stands past the end of a sequence, and before an empty one */
    { "s = Constant <value_ints = [3, 1, 1]> () m = Reshape (x, s) w = Constant <value = float[1,1,1] {1}> ()\n"
      "b = Constant <value = float[1,2] {1, -2}> ()\n"
      "y = RNN <activations = [\"Affine\"], activation_alpha = [2.0], activation_beta = [1.0]> (m, w, w, b)",
      3,
      3,
      { 1, 2, 3 },
      { 1, 5, 15 } },
    { "s = Constant <value_ints = [3, 1, 1]> () m = Reshape (x, s) w = Constant <value = float[1,1,1] {1}> ()\n"
      "y = RNN <activations = [\"affine\"], activation_alpha = [2.0], direction = \"reverse\", clip = 4.0> (m, w, w)",
      3,
      3,
      { 1, 2, -3 },
      { -8, -8, -6 } },
    { "s = Constant <value_ints = [1, 3, 1]> () m = Reshape (x, s) w = Constant <value = float[1,1,1] {1}> ()\n"
      "y = RNN <activations = [\"LeakyRelu\"], layout = 1> (m, w, w)",
      3,
      3,
      { -1, 4, -5 },
      { -0.01f, 3.99f, -0.0101f } },
    { "s = Constant <value_ints = [2, 2, 1]> () m = Reshape (x, s) w = Constant <value = float[2,1,1] {1, 1}> ()\n"
      "n = Constant <value = int32[2] {1, 2}> ()\n"
      "y = RNN <activations = [\"Relu\", \"Relu\"], direction = \"bidirectional\"> (m, w, w, , n)",
      4,
      8,
      { 1, 2, 3, 4 },
      { 1, 2, 1, 6, 0, 6, 0, 4 } },
    { "s = Constant <value_ints = [2, 1, 1]> () m = Reshape (x, s) w = Constant <value = float[1,1,1] {1}> ()\n"
      "n = Constant <value = int32[1] {0}> () h = Constant <value = float[1,1,1] {7}> ()\n"
      "z, y = RNN (m, w, w, , n, h)",
      2,
      1,
      { 1, 2 },
      { 7 } },
    /* cubic with border: outside stands the element at the edge; NaN is -1 */
    { "d = Constant <value = float[1, 1, 2] {1, 3}> () s = Constant <value_ints = [1, 3, 1]> () g = Reshape(x, s)\n"
      "y = GridSample <mode = \"cubic\", padding_mode = \"border\", align_corners = 1> (d, g)",
      3,
      3,
      { -1.5f, NAN, 5 },
      { .7890625f, 1, 3 } },
    { "d = Constant <value = float[1, 1, 3] {1, 2, 4}> () s = Constant <value_ints = [1, 5, 1]> () g = Reshape(x, s)\n"
      "y = GridSample <mode = \"nearest\", padding_mode = \"reflection\"> (d, g)",
      5,
      5,
      { -1.3f, -2, 2, 4, 1e30f },
      { 1, 2, 2, 2, 2 } },
    { "d = Constant <value = float[1, 1, 3] {1, 2, 4}> () s = Constant <value_ints = [1, 5, 1]> () g = Reshape(x, s)\n"
      "y = GridSample <padding_mode = \"reflection\", align_corners = 1> (d, g)",
      5,
      5,
      { -1.5f, -3, 1.25f, 3, 4 },
      { 1.5f, 4, 3.5f, 1, 2 } },
    { "d = Constant <value = float[1, 1, 1] {7}> () s = Constant <value_ints = [1, 2, 1]> () g = Reshape(x, s)\n"
      "y = GridSample <padding_mode = \"reflection\", align_corners = 1> (d, g)",
      2,
      2,
      { -9, .5f },
      { 7, 7 } },
    /* an infinity that has no weight */
    { "s = Constant <value_ints = [1, 1, 2]> () d = Reshape(x, s) g = Constant <value = float[1, 2, 1] {-1.0, 1.0}> "
      "()\n"
      "y = GridSample <align_corners = 1> (d, g)",
      2,
      2,
      { 1, INFINITY },
      { 1, INFINITY } },
    /* the sum of weights is 1, whatever rounding makes of it */
    { "s = Constant <value_ints = [1, 1, 2, 4]> () i = Cast <to = 2> (x) d = Reshape(i, s)\n"
      "g = Constant <value = double[1, 1, 3, 2] {-0.6, -0.32, -0.6, -0.3, 0.6, -0.26}> () v = GridSample(d, g)\n"
      "y = Cast <to = 1> (v)",
      8,
      3,
      { 5, 5, 5, 5, 5, 5, 5, 5 },
      { 5, 5, 5 } },
    { "s = Constant <value_ints = [1, 2, 3]> () t = Reshape(x, s) n = Constant <value_ints = [1, 1, 1, 2]> ()\n"
      "y = AffineGrid <align_corners = 1> (t, n)",
      6,
      4,
      { 1, 2, 3, 4, 5, 6 },
      { 0, -3, 2, 5 } },
    /* the largest product of a weight, not the value between; all below 0 but a sample outside */
    { "s = Constant <value_ints = [1, 1, 2, 2]> () d = Reshape(x, s) r = Constant <value = float[1, 4] {0, 0, 1, 1}> "
      "()\n"
      "b = Constant <value_ints = [0]> () y = RoiAlign <mode = \"max\", sampling_ratio = 1,\n"
      "coordinate_transformation_mode = \"output_half_pixel\"> (d, r, b)",
      4,
      1,
      { 1, 2, 3, 4 },
      { 1 } },
    { "s = Constant <value_ints = [1, 1, 2, 2]> () d = Reshape(x, s) b = Constant <value_ints = [0]> ()\n"
      "r = Constant <value = float[1, 4] {0.5, 0.5, 2.5, 1.5}> () y = RoiAlign <mode = \"max\", output_width = 2> (d, "
      "r, b)",
      4,
      2,
      { -4, -8, -8, -8 },
      { -1, 0 } },
    /* one of two samples is outside, where it is 0 */
    { "s = Constant <value_ints = [1, 1, 2, 2]> () d = Reshape(x, s) b = Constant <value_ints = [0]> ()\n"
      "r = Constant <value = float[1, 4] {0, 0.75, 4, 1.25}> () y = RoiAlign <mode = \"max\", sampling_ratio = 2> (d, "
      "r, b)",
      4,
      1,
      { -4, -8, -8, -8 },
      { 0 } },
    { "s = Constant <value_ints = [1, 1, 1, 4]> () d = Reshape(x, s) r = Constant <value = float[1, 4] {1, 0.5, 3, "
      "1.5}> ()\n"
      "b = Constant <value_ints = [0]> () y = RoiAlign <output_width = 2> (d, r, b)",
      4,
      2,
      { 0, 1, 2, 4 },
      { 1, 2 } },
    /* halves of a corner are rounded away from 0; bins overlap */
    { "s = Constant <value_ints = [1, 1, 1, 6]> () d = Reshape(x, s) r = Constant <value = float[1, 5] {0, 0.5, 0, "
      "2.5, 0}> ()\n"
      "y = MaxRoiPool <pooled_shape = [1, 2]> (d, r)",
      6,
      2,
      { 9, 1, 5, 2, 9, 9 },
      { 5, 5 } },
    { "s = Constant <value_ints = [1, 4, 2]> () d = Reshape(x, s) n = Constant <value_ints = [2, 3]> ()\n"
      "b = Constant <value_ints = [2, 2]> () y = Col2Im(d, n, b)",
      8,
      6,
      { 1, 2, 4, 8, 16, 32, 64, 128 },
      { 1, 6, 8, 16, 96, 128 } },
    { "s = Constant <value_ints = [1, 2, 4]> () d = Reshape(x, s) n = Constant <value_ints = [4]> ()\n"
      "b = Constant <value_ints = [2]> () y = Col2Im <dilations = [2], pads = [1, 1]> (d, n, b)",
      8,
      4,
      { 1, 2, 4, 8, 16, 32, 64, 128 },
      { 2, 20, 40, 64 } },
    { "s = Constant <value_ints = [1, 1, 4]> () d = Reshape(x, s) w = Constant <value = float[1, 1, 1] {2}> ()\n"
      "o = Constant <value = float[1, 1, 4] {0.5, -2.0, 0.25, 0.5}> () m = Constant <value = float[1, 1, 4] {1, 1, 1, "
      "3}> ()\n"
      "y = DeformConv(d, w, o, , m)",
      4,
      4,
      { 1, 2, 4, 8 },
      { 3, 0, 10, 24 } },
    { "s = Constant <value_ints = [4, 1]> () d = Reshape(x, s) y = DFT(d)",
      4,
      8,
      { 1, 2, 3, 4 },
      { 10, 0, -2, 2, -2, 0, -2, -2 } },
    /* of the first and the last number of half a transform the imaginary parts do not count */
    { "s = Constant <value_ints = [3, 2]> () d = Reshape(x, s) y = DFT <inverse = 1, onesided = 1> (d)",
      6,
      4,
      { 10, 7, -2, 2, -2, 9 },
      { 1, 2, 3, 4 } },
    { "s = Constant <value_ints = [1, 5, 1]> () d = Reshape(x, s) n = Constant <value_int = 2> ()\n"
      "w = Constant <value_floats = [1.0, 10.0]> () y = STFT(d, n, w)",
      5,
      8,
      { 1, 2, 3, 4, 5 },
      { 21, 0, -19, 0, 43, 0, -37, 0 } },
    /* bands beyond the spectrum are left out */
    { "n = Constant <value_int = 2> () l = Constant <value_int = 4> () r = Constant <value_int = 100> ()\n"
      "a, b = Split <num_outputs = 2> (x) y = MelWeightMatrix(n, l, r, a, b)",
      2,
      6,
      { 10, 300 },
      { 0, 0, 1.f / 3, 0, 2.f / 3, 0 } },
    /* one whose edge and middle are one bin is 1 there */
    { "n = Constant <value_int = 2> () l = Constant <value_int = 4> () r = Constant <value_int = 100> ()\n"
      "a, b = Split <num_outputs = 2> (x) y = MelWeightMatrix(n, l, r, a, b)",
      2,
      6,
      { 10, 40 },
      { 1, 0, 0, 1, 0, 0 } },
    { "b = Constant <value_floats = [-2.0, 3.0]> () y = SwiGLU <alpha = 10.0> (x, b)",
      2,
      2,
      { 100, 50 },
      { -200, 150 } },
};
enum { BY_HAND = sizeof by_hand / sizeof *by_hand };

START_TEST(values_by_hand)
{
    check_by_hand(&by_hand[_i], "\"\": 28");
}
END_TEST

/* A step of what preview.training has, where its own tests leave terms out: the norm behind the step, a large epsilon. */
static const struct by_hand steps[] = {
    { "a, b, c, d = Split <num_outputs = 4> (x) r = Constant <value_float = 0.1> () t = Constant <value_int = 0> ()\n"
      "y, v, h = ai.onnx.preview.training.Adam <alpha = 0.5, beta = 0.75, epsilon = 0.5, norm_coefficient_post = 0.5> "
      "(r, t, a, b, c, d)",
      4,
      1,
      { 3, 2, 4, 4 },
      { 1.44f } },
    { "a, b, c = Split <num_outputs = 3> (x) r = Constant <value_float = 0.1> () t = Constant <value_int = 0> ()\n"
      "y, h = ai.onnx.preview.training.Adagrad <epsilon = 3.0> (r, t, a, b, c)",
      3,
      1,
      { 3, 4, 9 },
      { 2.95f } },
};

START_TEST(steps_by_hand)
{
    check_by_hand(&steps[_i], "\"\": 28, \"ai.onnx.preview.training\": 1");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("values");

    add_tests(s, nearest_elements, NEAREST);
    add_tests(s, not_a_number, 4);
    add_tests(s, a_remainder_has_the_sign_of_the_divisor, 4);
    add_tests(s, nothing_compares_with_nan, 4);
    add_tests(s, values_by_hand, BY_HAND);
    add_tests(s, steps_by_hand, sizeof steps / sizeof *steps);
    return s;
}
