/* Weights that are stored as integers become floats that train as they will be quantised. */
#include "adapting.h"

#define NEW    "<ir_version: 10, opset_import: [\"\": 21, \"com.microsoft\": 1]>\n"
#define STORED ": a parameter that is stored as integers (certain): floats in their place"
#define WEIGHT                                                                                                         \
    STORED ", of which QuantizeLinear makes these integers: they train as they will be quantised (float: without "     \
           "that; constant: not)\n"
#define BIAS  STORED ": they train, and are not quantised, as QuantizeLinear makes no int32 (constant: they do not)\n"
#define FLOAT STORED ", as asked: they train, and are not quantised\n"
#define LOST                                                                                                           \
    STORED ": they train, and are not quantised, as QuantizeLinear would not make these integers of them (constant: "  \
           "they do not)\n"
#define EXACT .near = 1e-300
#define MATMUL(weight, read)                                                                                           \
    HEAD "g (float[N,2] x) => (float[N,2] y) <" weight                                                                 \
         ", float s = {0.5}, uint8 z = {3}> { d = DequantizeLinear (" read ") y = MatMul (x, d) }"

static const struct adapt_case cases[] = {
    /* of a convolution, a scale for each channel and no zero point; and its bias */
    { .text = HEAD
      "g (float[N,2,3] x) => (float[N,2,3] y) <int8[2,2,1] w = {1,-128,127,4}, float[2] s = {0.5,0.25}, "
      "int32[2] b = {7,-9}, float[2] sb = {0.125,0.25}>\n"
      "{ dw = DequantizeLinear <axis = 0> (w, s) db = DequantizeLinear <axis = 0> (b, sb) y = Conv (x, dw, db) }",
      .found = "w" WEIGHT "b" BIAS,
      .ops = "QuantizeLinear DequantizeLinear Conv",
      .values = { { "w/float", "trainable", { .5, -64, 31.75, 1 } },
                  { "db", "trainable", { .875, -2.25 } },
                  { "s", "constant", { .5, .25 } } },
      EXACT },
    { .text = MATMUL("uint8[2,2] w = {1,255,0,4}", "w, s, z"),
      .found = "w" WEIGHT,
      .ops = "QuantizeLinear DequantizeLinear MatMul",
      .values = { { "w/float", "trainable", { -1, 126, -1.5, .5 } } },
      EXACT },
    { .text = MATMUL("uint8[2,2] w = {1,255,0,4}", "w, s"),
      .found = "w" WEIGHT,
      .ops = "QuantizeLinear DequantizeLinear MatMul",
      .values = { { "w/float", "trainable", { .5, 127.5, 0, 2 } } },
      EXACT },
    /* as asked */
    { .text = MATMUL("uint8[2,2] w = {1,255,0,4}", "w, s, z"), .as = "w=constant", .found = "" },
    { .text = MATMUL("uint8[2,2] w = {1,255,0,4}", "w, s, z"),
      .as = "w=float",
      .found = "w" FLOAT,
      .ops = "MatMul",
      .values = { { "d", "trainable", { -1, 126, -1.5, .5 } } },
      EXACT },
    /* turned, in blocks, of 4 bits; another reader in the same way, and one in another */
    { .text = NEW
      "g (float[N,4] x) => (float[N,2] y) <int4[2,4] w = {129,71,48,242}, float[2,2] s = {0.5,0.25,2,1}, "
      "int4[2,2] z = {16,50}, float[2,2] other = {1,1,1,2}> {\n"
      "d = DequantizeLinear <axis = 1, block_size = 2> (w, s, z) t = Transpose (d) a = MatMul (x, t)\n"
      "f = DequantizeLinear <axis = 1, block_size = 2> (w, s, z) b = Gemm <transB = 1> (x, f)\n"
      "h = DequantizeLinear <axis = 1, block_size = 2> (w, other) c = Gemm <transB = 1> (x, h) e = Add (a, b) y "
      "= Add (e, c) }",
      .found = "",
      .ops =
          "QuantizeLinear DequantizeLinear Transpose MatMul DequantizeLinear Gemm QuantizeLinear DequantizeLinear Gemm "
          "Add Add",
      .values = { { "w/float", "trainable", { .5, -4, 1.5, .75 } } },
      EXACT },
    /* 16 bits, by com.microsoft's: a half does not hold them */
    { .text = NEW
      "g (float[N,2] x) => (float[N,2] y) <int16[2,2] w = {1,-32768,32767,4}, float s = {0.001}, int16 z = {5}> "
      "{ d = com.microsoft.DequantizeLinear (w, s, z) y = MatMul (x, d) }",
      .found = "w" WEIGHT,
      .ops = "QuantizeLinear DequantizeLinear MatMul",
      .values = { { "w/float", "trainable", { -.004, -32.773, 32.762, -.001 } } },
      EXACT },
    { .text = NEW "g (float[N,2] x) => (float16[N,2] y) <int16[2,2] w = {1,-2768,2767,4}, float16 s = {5120}> "
                  "{ d = DequantizeLinear (w, s) h = Cast <to = 10> (x) y = MatMul (h, d) }",
      .found = "w" LOST,
      .ops = "Cast MatMul",
      .values = { { "d", "trainable", { NAN } } },
      EXACT },
    { .text = "<ir_version: 11, opset_import: [\"\": 23]>\n"
              "g (float[N,2] x) => (float[N,2] y) <int16[2,2] w = {1,-8191,8191,4}, float16 s = {5120}> "
              "{ d = DequantizeLinear <output_dtype = 1> (w, s) y = MatMul (x, d) }",
      .found = "w" LOST,
      .ops = "MatMul",
      EXACT },
    /* nothing is learned there: a table of results, an input */
    { .text =
          HEAD "g (float[N,2] x) => (float[N,2] y, float[2] t) <uint8[2] w = {1,2}, float s = {0.5}, float[2,2] v = "
               "{1,2,3,4}> { t = DequantizeLinear (w, s) y = MatMul (x, v) }",
      .found = "y: an output of several (likely): trains\nt: an output of several (likely): stays, does not train\n" },
};

START_TEST(integers_become_floats_that_train)
{
    expect_case(&cases[_i]);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_quantized");

    add_tests(s, integers_become_floats_that_train, COUNT(cases));
    return s;
}
