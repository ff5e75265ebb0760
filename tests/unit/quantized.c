/* Values of operators on quantised tensors, by hand: ties, saturation, zero points and scales of rows, columns, channels and
 * blocks. */
#include "by_hand.h"

/* What nodes make of the floats x: y, a float of any shape. */
static const struct by_hand by_hand[] = {
    { "s = Constant <value_float = 2.0> () z = Constant <value = int8 {1}> () q = QuantizeLinear(x, s, z)\n"
      "y = Cast <to = 1> (q)",
      8,
      8,
      { 5, 7, -5, NAN, INFINITY, -INFINITY, 251, 1e30f },
      { 3, 5, -1, -128, 127, -128, 127, 127 } },
    { "s = Constant <value_float = 0.5> () q = QuantizeLinear <output_dtype = 22> (x, s) y = Cast <to = 1> (q)",
      5,
      5,
      { -4, -4.5f, 3.25f, 3.75f, 1.25f },
      { -8, -8, 6, 7, 2 } },
    { "h = Constant <value_ints = [2, 3]> () m = Reshape(x, h) s = Constant <value = float[2, 2] {1, 2, 4, 8}> ()\n"
      "z = Constant <value = uint8[2, 2] {1, 2, 3, 4}> () q = QuantizeLinear <block_size = 2> (m, s, z)\n"
      "d = DequantizeLinear <block_size = 2> (q, s, z) e = Cast <to = 1> (q) y = Concat <axis = 1> (d, e)",
      6,
      12,
      { 7, 8, 7, 7, 8, 7 },
      { 7, 8, 8, 8, 9, 6, 8, 8, 8, 5, 5, 5 } },
    { "h = Constant <value_ints = [3, 2]> () m = Reshape(x, h) s = Constant <value = float[2, 2] {1, 2, 4, 8}> ()\n"
      "q = QuantizeLinear <axis = 0, block_size = 2> (m, s) y = Cast <to = 1> (q)",
      6,
      6,
      { 7, 8, 7, 7, 8, 8 },
      { 7, 4, 7, 4, 2, 1 } },
    { "h = Constant <value_ints = [1, 2, 3]> () m = Reshape(x, h) s = Constant <value_floats = [1.0, 2.0]> ()\n"
      "t = Constant <value_floats = [1.0, 2.0, 4.0]> () z = Constant <value = uint8[3] {1, 2, 3}> ()\n"
      "q = QuantizeLinear(m, s) r = QuantizeLinear <axis = -1> (m, t, z)\n"
      "e = Cast <to = 1> (q) f = DequantizeLinear <axis = 2> (r, t, z) y = Concat <axis = 0> (e, f)",
      6,
      12,
      { 7, 8, 9, 7, 8, 9 },
      { 7, 8, 9, 4, 4, 4, 7, 8, 8, 7, 8, 8 } },
    /* the quotient in float16, and of int32 in double: a tie is a tie */
    { "h = Cast <to = 10> (x) f = Constant <value_float = 0.0999> () s = Cast <to = 10> (f)\n"
      "q = QuantizeLinear <output_dtype = 4> (h, s) y = Cast <to = 1> (q)",
      1,
      1,
      { 1000 },
      { 10008 } },
    { "h = Cast <to = 10> (x) f = Constant <value_float = 0.0999> () s = Cast <to = 10> (f)\n"
      "q = QuantizeLinear <output_dtype = 4, precision = 1> (h, s) y = Cast <to = 1> (q)",
      1,
      1,
      { 1000 },
      { 10009 } },
    { "n = Constant <value = int32[2] {80083001, -80083003}> () s = Constant <value = int32 {2002}> ()\n"
      "z = Constant <value = uint16 {65535}> () p = QuantizeLinear <output_dtype = 4> (n, s)\n"
      "m = QuantizeLinear(n, s, z) q = Concat <axis = 0> (p, m) f = Cast <to = 1> (q) y = Add(f, x)",
      1,
      4,
      { 0 },
      { 40001, 0, 65535, 25533 } },
    { "s = Constant <value_float = 2.0> () a = QuantizeLinear <output_dtype = 17> (x, s)\n"
      "b = QuantizeLinear <output_dtype = 17, saturate = 0> (x, s) c = QuantizeLinear <output_dtype = 23> (x, s)\n"
      "p = Cast <to = 1> (a) q = Cast <to = 1> (b) r = Cast <to = 1> (c) y = Concat <axis = 0> (p, q, r)",
      2,
      6,
      { 2000, 2.5f },
      { 448, 1.25f, NAN, 1.25f, 6, 1 } },
    { "q = Cast <to = 4> (x) f = Constant <value_float = 0.3> () s = Cast <to = 10> (f)\n"
      "z = Constant <value = uint16 {1}> () d = DequantizeLinear(q, s, z) y = Cast <to = 1> (d)",
      2,
      2,
      { 65535, 3 },
      { 19664, .6000977f } },
    { "q, s, z = DynamicQuantizeLinear(x) p = Cast <to = 1> (q) o = Cast <to = 1> (z) k = Constant <value_int = 1> ()\n"
      "h = Constant <value_ints = [1]> () t = Reshape(s, h) u = Reshape(o, h) y = Concat <axis = 0> (p, t, u)",
      2,
      4,
      { -1, -2 },
      { 128, 0, 2.f / 255, 255 } },
    { "q, s, z = DynamicQuantizeLinear(x) p = Cast <to = 1> (q) o = Cast <to = 1> (z)\n"
      "h = Constant <value_ints = [1]> () t = Reshape(s, h) u = Reshape(o, h) y = Concat <axis = 0> (p, t, u)",
      2,
      4,
      { 0, 0 },
      { 0, 0, 1, 0 } },
    { "q, s, z = DynamicQuantizeLinear(x) p = Cast <to = 1> (q) o = Cast <to = 1> (z)\n"
      "h = Constant <value_ints = [1]> () t = Reshape(s, h) u = Reshape(o, h) y = Concat <axis = 0> (p, t, u)",
      3,
      5,
      { 1, NAN, 2 },
      { 0, 0, 0, NAN, 255 } },
    { "s = Constant <value_ints = [2, 2]> () f = Reshape(x, s) a = Cast <to = 2> (f) b = Cast <to = 3> (f)\n"
      "z = Constant <value = uint8[2] {1, 2}> () w = Constant <value = int8[2] {5, 7}> ()\n"
      "m = MatMulInteger(a, b, z, w) y = Cast <to = 1> (m)",
      4,
      4,
      { 1, 2, 3, 4 },
      { -2, -3, -8, -11 } },
    { "s = Constant <value_ints = [1, 2, 2]> () f = Reshape(x, s) a = Cast <to = 2> (f)\n"
      "w = Constant <value = uint8[2, 2, 2] {1, 2, 3, 4, 5, 6, 7, 8}> () z = Constant <value = uint8 {9}> ()\n"
      "v = Constant <value = uint8[2] {1, 5}> () m = ConvInteger <pads = [1, 0]> (a, w, z, v) y = Cast <to = 1> (m)",
      4,
      4,
      { 10, 20, 30, 9 },
      { 64, 53, 64, 53 } },
    /* what is a tie is rounded before the zero point, which is odd, is added */
    { "s = Constant <value_ints = [1, 1, 4]> () f = Reshape(x, s) a = Cast <to = 2> (f)\n"
      "w = Constant <value = int8[2, 1, 1] {1, 3}> () z = Constant <value = uint8 {10}> ()\n"
      "h = Constant <value_float = 0.5> () o = Constant <value_float = 1.0> ()\n"
      "v = Constant <value_floats = [1.0, 2.0]> () i = Constant <value = int8 {0}> () u = Constant <value = uint8 {1}> "
      "()\n"
      "b = Constant <value = int32[2] {0, 1}> () c = QLinearConv(a, h, z, w, v, i, o, u, b) y = Cast <to = 1> (c)",
      4,
      8,
      { 15, 17, 5, 250 },
      { 3, 5, 0, 121, 17, 23, 0, 255 } },
    { "s = Constant <value_ints = [2, 2]> () f = Reshape(x, s) a = Cast <to = 2> (f)\n"
      "w = Constant <value = int8[2, 2] {1, 0, 0, 1}> () z = Constant <value = uint8[2] {10, 20}> ()\n"
      "h = Constant <value_floats = [0.5, 0.25]> () v = Constant <value_floats = [1.0, 2.0]> ()\n"
      "j = Constant <value = int8[2] {0, 0}> () o = Constant <value_float = 1.0> () u = Constant <value = int8 {1}> "
      "()\n"
      "c = QLinearMatMul(a, h, z, w, v, j, o, u) y = Cast <to = 1> (c)",
      4,
      4,
      { 15, 17, 15, 250 },
      { 3, 8, 0, 116 } },
    { "s = Constant <value_ints = [2, 2]> () f = Reshape(x, s) a = Cast <to = 17> (f)\n"
      "w = Constant <value = int8[2, 2] {1, 0, 0, 1}> () g = Constant <value_floats = [1.0, 2.0]> ()\n"
      "z = Cast <to = 17> (g) v = Constant <value_floats = [1.0, 2.0]> () j = Constant <value = int8[2] {0, 1}> ()\n"
      "o = Constant <value_float = 0.5> () n = Constant <value_float = 3.0> () u = Cast <to = 19> (n)\n"
      "t = Constant <value = int8 {3}> () c = QLinearMatMul(a, v, z, w, v, j, o, u) d = QLinearMatMul(a, v, z, w, v, "
      "j, o, t)\n"
      "p = Cast <to = 1> (c) q = Cast <to = 1> (d) y = Concat <axis = 0> (p, q)",
      4,
      8,
      { 1.5f, 2, 8, -3 },
      { 4, 1, 28, -48, 4, 1, 27, -45 } },
    /* of com.microsoft */
    { "a = Cast <to = 2> (x) b = Constant <value = uint8[1] {12}> () z = Constant <value = uint8 {10}> ()\n"
      "h = Constant <value_float = 0.5> () o = Constant <value_float = 2.0> () v = Constant <value = uint8 {3}> ()\n"
      "p = com.microsoft.QLinearAdd(a, h, z, b, o, z, o, v) q = com.microsoft.QLinearMul(a, h, , b, o, z, o)\n"
      "r = Concat <axis = 0> (p, q) y = Cast <to = 1> (r)",
      4,
      8,
      { 10, 16, 24, 255 },
      { 5, 7, 9, 66, 10, 16, 24, 255 } },
    { "a = Cast <to = 3> (x) z = Constant <value = int8 {1}> () h = Constant <value_float = 0.5> ()\n"
      "s = Constant <value_float = 0.00390625> () m = Constant <value = int8 {-128}> ()\n"
      "p = com.microsoft.QLinearSigmoid(a, h, z, s, m) q = com.microsoft.QLinearLeakyRelu <alpha = 0.25> (a, h, z, h)\n"
      "r = Concat <axis = 0> (p, q) y = Cast <to = 1> (r)",
      4,
      8,
      { 1, 3, -9, 127 },
      { 0, 59, -126, 127, 0, 2, -2, 126 } },
    { "h = Constant <value_ints = [1, 2, 3]> () f = Reshape(x, h) a = Cast <to = 2> (f) z = Constant <value = uint8 "
      "{4}> ()\n"
      "o = Constant <value_float = 1.5> () s = Constant <value_float = 1.0> () u = Constant <value = uint8 {1}> ()\n"
      "p = com.microsoft.QLinearGlobalAveragePool(a, o, z, s, u)\n"
      "q = com.microsoft.QLinearGlobalAveragePool <channels_last = 1> (a, o, z, s, u)\n"
      "d = Constant <value_ints = [-1]> () v = Reshape(p, d) w = Reshape(q, d) r = Concat <axis = 0> (v, w)\n"
      "y = Cast <to = 1> (r)",
      6,
      5,
      { 5, 6, 10, 250, 3, 0 },
      { 5, 121, 186, 2, 3 } },
    { "h = Constant <value_ints = [2, 2]> () f = Reshape(x, h) a = Cast <to = 2> (f) z = Constant <value = uint8 {1}> "
      "()\n"
      "b = Constant <value = int8[1, 2] {1, -2}> () i = Constant <value = int8 {0}> () s = Constant <value_float = "
      "0.5> ()\n"
      "c = Constant <value = int32[1] {3}> () g = com.microsoft.QGemm <transA = 1, transB = 1, alpha = 3.0> (a, s, z, "
      "b, s, i, c)\n"
      "q = com.microsoft.QGemm <transA = 1, transB = 1, alpha = 3.0> (a, s, z, b, s, i, c, s, z) r = Cast <to = 1> "
      "(q)\n"
      "m = Transpose(a) n = Transpose(b) e = Constant <value_float = 10.0> () k = "
      "com.microsoft.MatMulIntegerToFloat(m, n, s, s, z, i, e)\n"
      "y = Concat <axis = 0> (g, r, k)",
      4,
      6,
      { 1, 2, 3, 8 },
      { -.75f, -7.5f, 0, 0, 9, 6.75f } },
    { "h = Constant <value_ints = [1, 2]> () a = Reshape(x, h) b = Constant <value = int8[2, 2] {1, -2, 3, 4}> ()\n"
      "i = Constant <value = int8[2] {0, 1}> () s = Constant <value_floats = [1.0, 2.0]> () c = Constant <value_float "
      "= 1.0> ()\n"
      "y = com.microsoft.DynamicQuantizeMatMul(a, b, s, i, c)",
      2,
      2,
      { -55, 200 },
      { 546, 1531 } },
    { "a = Cast <to = 2> (x) o = Constant <value_float = 1.0> () h = Constant <value_float = 0.5> ()\n"
      "z = Constant <value = uint8 {2}> () n = Constant <value = uint8 {0}> ()\n"
      "p = com.microsoft.QLinearConcat <axis = 0> (o, n, a, h, z, a, o, z) y = Cast <to = 1> (p)",
      3,
      6,
      { 2, 7, 255 },
      { 0, 2, 126, 0, 5, 253 } },
};
enum { BY_HAND = sizeof by_hand / sizeof *by_hand };

START_TEST(values_by_hand)
{
    check_by_hand(&by_hand[_i], "\"\": 28, \"com.microsoft\": 1");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("quantized");

    add_tests(s, values_by_hand, BY_HAND);
    return s;
}
