/* What stands between DequantizeLinear and QuantizeLinear computes in integers: which nodes become what, and that results are
 * those of floats within a step of what comes out. */
#include "ops/registry.h"
#include "trial.h"
#include <stdio.h>
#include <stdlib.h>

#define HEAD "<ir_version: 10, opset_import: [\"\" : 21, \"com.microsoft\" : 1]>\n"
#define STEP 0.0625
/* x, quantised, as d; the scales and zero points of x, of what comes out, and of weights. */
#define X4 "g (float[N, 4, 7, 6] x) => (float y)\n<"
#define X2 "g (float[N, 4] x) => (float y)\n<"
#define SCALES                                                                                                         \
    "float xs = {0.0078125}, uint8 xz = {120}, float ys = {0.0625}, uint8 yz = {100}, float ws = {0.03125}, int8 wz "  \
    "= {0}"
#define BEGIN ">\n{ q = QuantizeLinear (x, xs, xz) d = DequantizeLinear (q, xs, xz) "
#define END   "r = QuantizeLinear (f, ys, yz) y = DequantizeLinear (r, ys, yz) }"
#define W                                                                                                              \
    ", int8[3, 4, 1, 1] w = {1, -2, 3, 127, -128, 6, 0, 8, 90, -10, 11, 12}, int32[3] b = {300, -2000, 70}, float bs " \
    "= {"                                                                                                              \
    "0.000244140625}, int32 bz = {0}"
#define DW "e = DequantizeLinear (w, ws, wz) "
#define DB "c = DequantizeLinear (b, bs, bz) "
#define M                                                                                                              \
    ", int8[4, 3] w = {1, -2, 3, 127, -128, 6, 0, 8, 90, -10, 11, 12}, int32[3] b = {300, -2000, 70}, float bs = {"    \
    "0.000244140625}, int32 bz = {0}"

static bool in_integers(void)
{
    return kernels_get()->integer->quad_products;
}

struct row {
    const char *before, *after; /* operators: of the model, and what it becomes */
    const char *text;
};

/* -- what becomes -- */

static const struct row rewritten[] = {
    { "Conv", "QLinearConv", X4 SCALES W BEGIN DW DB "f = Conv (d, e, c) " END },
    { "Conv", "QLinearConv", X4 SCALES W BEGIN DW "f = Conv (d, e) " END },
    /* a bias of floats; pads and strides; a Relu, which saturation is not; one that it is; a Clip */
    { "Conv", "QLinearConv",
      X4 SCALES W ", float[3] k = {0.5, -1, 0.001}" BEGIN DW
                  "f = Conv <strides = [2, 1], pads = [1, 0, 1, 2]> (d, e, k) " END },
    { "Conv", "QLinearConv", X4 SCALES W BEGIN DW DB "a = Conv (d, e, c) f = Relu (a) " END },
    { "Relu", "QLinearConv",
      X4 "uint8 zero = {0}, " SCALES W BEGIN DW
         "a = Conv (d, e) f = Relu (a) r = QuantizeLinear (f, ys, zero) y = DequantizeLinear (r, ys, zero) }" },
    { "Relu", "Clip", X4 SCALES W BEGIN DW "a = Conv (d, e) f = Relu (a) " END },
    { "Conv", "QLinearConv",
      X4 SCALES W ", float low = {-0.3}, float high = {0.77}" BEGIN DW "a = Conv (d, e) f = Clip (a, low, high) " END },
    /* one scale for each channel; a zero point of 128; no zero points */
    { "Conv", "QLinearConv",
      X4 SCALES W ", float[3] s = {0.0625, 0.03125, 0.0078125}, int8[3] z = {0, 0, 0}" BEGIN
                  "e = DequantizeLinear <axis = 0> (w, s, z) f = Conv (d, e) " END },
    { "Conv", "QLinearConv",
      X4 SCALES W ", float[3] s = {0.0625, 0.03125, 0.0078125}, float[3] k = {1, -1, 0.3}" BEGIN
                  "e = DequantizeLinear <axis = -4> (w, s) f = Conv (d, e, k) " END },
    { "Conv", "QLinearConv",
      X4 SCALES ", uint8[1, 4, 1, 1] u = {1, 255, 128, 60}, uint8 uz = {128}" BEGIN
                "e = DequantizeLinear (u, ws, uz) f = Conv (d, e) " END },
    { "Conv", "QLinearConv",
      "g (float[N, 4, 7, 6] x) => (float y)\n<float xs = {0.0078125}, float ys = {0.0625}, float ws = {0.03125}" W
      ">\n{ q = QuantizeLinear (x, xs) d = DequantizeLinear (q, xs) e = DequantizeLinear (w, ws) f = Conv (d, e) r = "
      "QuantizeLinear (f, ys) y = DequantizeLinear (r, ys) }" },
    { "Conv", "QLinearConv",
      X4 SCALES ", int8 sz = {-3}" W BEGIN DW
                "f = Conv (d, e) r = QuantizeLinear (f, ys, sz) y = DequantizeLinear (r, ys, sz) }" },
    /* depthwise, whose weights may have any zero point; one dimension */
    { "Conv", "QLinearConv",
      X4 SCALES
      ", uint8[4, 1, 2, 2] u = {1, 255, 128, 60, 9, 8, 7, 6, 200, 3, 2, 1, 5, 6, 7, 80}, uint8 uz = {77}" BEGIN
      "e = DequantizeLinear (u, ws, uz) f = Conv <group = 4> (d, e) " END },
    { "Conv", "QLinearConv",
      "g (float[N, 2, 9] x) => (float y)\n<" SCALES
      ", int8[3, 2, 3] u = {1, -2, 3, 127, -128, 6, 0, 8, 90, -10, 11, 12, 5, 5, 5, 1, 2, 3}" BEGIN
      "e = DequantizeLinear (u, ws) f = Conv <pads = [1, 1]> (d, e) " END },
    /* products */
    { "MatMul", "QLinearMatMul", X2 SCALES M BEGIN DW "f = MatMul (d, e) " END },
    { "MatMul", "QLinearMatMul",
      "g (float[N, 5, 4] x) => (float y)\n<" SCALES M ", float[3] s = {0.0625, 0.03125, 0.0078125}" BEGIN
      "e = DequantizeLinear <axis = 1> (w, s) f = MatMul (d, e) " END },
    { "Gemm", "QLinearMatMul", X2 SCALES M BEGIN DW DB "f = Gemm (d, e, c) " END },
    { "Gemm", "QLinearMatMul",
      X2 SCALES ", int8[3, 4] w = {1, -2, 3, 127, -128, 6, 0, 8, 90, -10, 11, 12}, float[3] s = {0.0625, 0.03125, "
                "0.0078125}, float[1, 3] k = {1, -1, 0.3}" BEGIN
                "e = DequantizeLinear <axis = 0> (w, s) f = Gemm <transB = 1> (d, e, k) " END },
    { "Relu", "Clip", X2 SCALES M BEGIN DW DB "a = Gemm (d, e, c) f = Relu (a) " END },
    /* sums, means, what is moved and what is compared */
    { "Add", "QLinearAdd",
      X4 SCALES ", uint8[4, 1, 1] k = {1, 2, 200, 255}" BEGIN "e = DequantizeLinear (k, ws, yz) f = Add (d, e) " END },
    { "Add", "QLinearAdd", X4 SCALES BEGIN "f = Add (d, d) " END },
    { "Mul", "QLinearMul", X4 SCALES BEGIN "f = Mul (d, d) " END },
    { "AveragePool", "QLinearAveragePool",
      X4 SCALES BEGIN
      "f = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 1, 1], strides = [2, 1], dilations = [1, 2]> (d) " END },
    { "AveragePool", "QLinearAveragePool",
      X4 SCALES BEGIN "f = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 1, 1], count_include_pad = 1> (d) " END },
    { "AveragePool", "QLinearAveragePool",
      "g (float[N, 2, 7] x) => (float y)\n<float xs = {0.0078125}, int8 xz = {-3}, float ys = {0.0625}, int8 yz = "
      "{5}" BEGIN "f = AveragePool <kernel_shape = [2], strides = [2], ceil_mode = 1> (d) " END },
    { "AveragePool", "QLinearAveragePool",
      "g (float[N, 2, 3, 4, 5] x) => (float y)\n<" SCALES BEGIN
      "f = AveragePool <kernel_shape = [2, 3, 2], pads = [0, 1, 0, 1, 1, 0], auto_pad = \"NOTSET\"> (d) " END },
    { "AveragePool", "QLinearAveragePool",
      "g (float[N, 70, 3, 3] x) => (float y)\n<" SCALES BEGIN "f = AveragePool <kernel_shape = [3, 2]> (d) " END },
    /* what com.microsoft says of bytes, with zero points and without, as the file has channels */
    { "AveragePool", "QLinearAveragePool",
      X4 SCALES ">\n{ q = QuantizeLinear (x, xs, xz) r = com.microsoft.QLinearAveragePool <kernel_shape = [3, 2], "
                "auto_pad = \"SAME_UPPER\"> (q, xs, xz, ys, yz) y = DequantizeLinear (r, ys, yz) }" },
    { "AveragePool", "QLinearAveragePool",
      X4 SCALES ">\n{ q = QuantizeLinear (x, xs) r = com.microsoft.QLinearAveragePool <kernel_shape = [3, 2], "
                "channels_last = 1> (q, xs, , ys) y = DequantizeLinear (r, ys) }" },
    { "GlobalAveragePool", "QLinearGlobalAveragePool", X4 SCALES BEGIN "f = GlobalAveragePool (d) " END },
    { "QuantizeLinear", "MaxPool",
      X4 SCALES BEGIN "f = MaxPool <kernel_shape = [3, 2], pads = [1, 0, 1, 1], strides = [2, 1]> (d) r = "
                      "QuantizeLinear (f, xs, xz) y = DequantizeLinear (r, xs, xz) }" },
    { "QuantizeLinear", "Transpose",
      X4 SCALES BEGIN
      "f = Transpose <perm = [0, 2, 3, 1]> (d) r = QuantizeLinear (f, xs, xz) y = DequantizeLinear (r, xs, xz) }" },
    { "QuantizeLinear", "Concat",
      X4 SCALES BEGIN
      "f = Concat <axis = 1> (d, d) r = QuantizeLinear (f, xs, xz) y = DequantizeLinear (r, xs, xz) }" },
    { "QuantizeLinear", "Reshape",
      X4 "int64[2] n = {0, -1}, " SCALES BEGIN
         "f = Reshape (d, n) r = QuantizeLinear (f, xs, xz) y = DequantizeLinear (r, xs, xz) }" },
    /* Constant nodes are constants */
    { "Conv", "QLinearConv",
      X4 SCALES W BEGIN "k = Constant <value = float {0.03125}> () e = DequantizeLinear (w, k) f = Conv (d, e) " END },
};

START_TEST(nodes_compute_in_integers)
{
    const struct row *row = &rewritten[_i];
    char text[2048];
    struct trial t;
    int before;

    snprintf(text, sizeof text, HEAD "%s", row->text);
    start(&t, text);
    before = count(t.passes.graph, row->before);
    apply(&t, pass_quantized);
    if (in_integers()) {
        ck_assert_int_eq(count(t.passes.graph, row->before), before - 1);
        ck_assert_int_eq(count(t.passes.graph, row->after), 1);
    }
    results_within(&t, STEP * 1.001, 0);
    finish(&t);
}
END_TEST

/* Where 0 is the least that is written, there is nothing left for a Relu to do. */
START_TEST(saturation_is_a_relu)
{
    struct trial t;

    start(&t,
          HEAD X4 "uint8 zero = {0}, " SCALES W BEGIN DW
                  "a = Conv (d, e) f = Relu (a) r = QuantizeLinear (f, ys, zero) y = DequantizeLinear (r, ys, zero) }");
    apply(&t, pass_quantized);
    ck_assert_int_eq(count(t.passes.graph, "Relu"), !in_integers());
    ck_assert_int_eq(count(t.passes.graph, "Clip"), 0);
    finish(&t);
}
END_TEST

/* Pools of bytes lie as the convolutions around them: what comes in is turned, and what goes out. */
START_TEST(pools_lie_as_convolutions)
{
    static const char *const pools[] = { "MaxPool <kernel_shape = [2, 2]>", "AveragePool <kernel_shape = [2, 2]>",
                                         "GlobalAveragePool" };
    char text[2048];
    struct trial t;

    snprintf(text, sizeof text,
             HEAD X4 SCALES W
             ", int8[2, 3, 1, 1] u = {1, 2, -3, 4, -5, 6}" BEGIN DW
             "a = Conv (d, e) i = QuantizeLinear (a, ys, yz) j = DequantizeLinear (i, ys, yz) p = %s (j) "
             "k = QuantizeLinear (p, ys, yz) l = DequantizeLinear (k, ys, yz) "
             "m = DequantizeLinear (u, ws, wz) f = Conv (l, m) " END,
             pools[_i]);
    start(&t, text);
    apply(&t, pass_quantized);
    apply(&t, pass_layout);
    if (in_integers())
        ck_assert_int_eq(count(t.passes.graph, "Transpose"), 2);
    results_within(&t, STEP * 2.001, 0);
    finish(&t);
}
END_TEST

/* Before opset 10 the two are of com.microsoft, and what is between them may have been of floats alone. */
START_TEST(old_operators_move_integers)
{
    static const struct {
        int opset;
        const char *node;
    } rows[] = { { 8, "Flatten" },
                 { 8, "MaxPool <kernel_shape = [2, 2]>" },
                 { 8, "Transpose" },
                 { 3, "Concat <axis = 1>" },
                 { 4, "Reshape <shape = [0, -1]>" } };
    char text[1024];
    struct trial t;

    snprintf(
        text, sizeof text,
        "<ir_version: 4, opset_import: [\"\" : %d, \"com.microsoft\" : 1]>\n" X4 SCALES
        ">\n{ q = com.microsoft.QuantizeLinear (x, xs, xz) d = com.microsoft.DequantizeLinear (q, xs, xz) f = %s (d) "
        "r = com.microsoft.QuantizeLinear (f, xs, xz) y = com.microsoft.DequantizeLinear (r, xs, xz) }",
        rows[_i].opset, rows[_i].node);
    start(&t, text);
    apply(&t, pass_quantized);
    results_within(&t, 0, 0);
    finish(&t);
}
END_TEST

/* -- what stays -- */

static const char *const kept[] = {
    /* of Conv: the scale of weights that are no constant; a zero point of theirs; somebody else reads the result; a bias that is
     * no multiple of what products count, or of another shape; two groups of two; what is quantised by channels */
    "g (float[N, 4, 7, 6] x, float ws) => (float y)\n<float xs = {0.0078125}, uint8 xz = {120}, float ys = {0.0625}, "
    "uint8 yz = {100}" W BEGIN "e = DequantizeLinear (w, ws) f = Conv (d, e) " END,
    X4 SCALES W ", int8 z = {1}" BEGIN "e = DequantizeLinear (w, ws, z) f = Conv (d, e) " END,
    "g (float[N, 4, 7, 6] x) => (float y, float f)\n<" SCALES W BEGIN DW "f = Conv (d, e) " END,
    X4 SCALES W BEGIN DW "f = Conv (d, e) v = QuantizeLinear (f, xs, xz) z = DequantizeLinear (v, xs, xz) r = "
                         "QuantizeLinear (f, ys, yz) u = DequantizeLinear (r, ys, yz) y = Add (u, z) }",
    X4 "float large = {1000}, float[3] k = {0.5, 1000.25, 3}, " SCALES W BEGIN
       "e = DequantizeLinear (w, large) f = Conv (d, e, k) " END,
    X4 SCALES W ", int32 one = {1}" BEGIN DW "c = DequantizeLinear (b, bs, one) f = Conv (d, e, c) " END,
    /* with which a sum may be beyond int32 */
    X4 SCALES W ", int32[3] k = {1, -2147300000, 3}" BEGIN DW "c = DequantizeLinear (k, bs) f = Conv (d, e, c) " END,
    X2 SCALES M ", int32[3] k = {1, 2, 2147300000}" BEGIN DW "c = DequantizeLinear (k, bs) f = Gemm (d, e, c) " END,
    X4 SCALES ", int8[2, 2, 1, 1] u = {1, 2, 3, 4}" BEGIN
              "e = DequantizeLinear (u, ws) f = Conv <group = 2> (d, e) " END,
    X4 SCALES W ", float[4] s = {0.0078125, 0.01, 0.01, 0.02}, uint8[4] z = {128, 128, 128, 128}>\n{ q = "
                "QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) " DW "f = Conv (d, e) " END,
    X4 SCALES W ", float[3] s = {0.0625, 0.05, 0.0625}, uint8[3] z = {128, 128, 128}" BEGIN DW
                "f = Conv (d, e) r = QuantizeLinear (f, s, z) y = DequantizeLinear (r, s, z) }",
    X4 SCALES W ", float[3] s = {0.0625, 0.05, 0.0625}" BEGIN
                "t = Identity (s) e = DequantizeLinear (w, t) f = Conv (d, e) " END,
    X4 SCALES W ", float none = {0}" BEGIN "e = DequantizeLinear (w, none) f = Conv (d, e) " END,
    X4 SCALES W ", float low = {1}, float high = {-1}" BEGIN DW "a = Conv (d, e) f = Clip (a, low, high) " END,
    X4 SCALES W BEGIN DW "f = Conv (d, e) r = QuantizeLinear <output_dtype = 5> (f, ys) y = DequantizeLinear (r, ys) }",
    /* of products: two that are computed; an exponent; sums in another order */
    "g (float[4, 4] x) => (float y)\n<" SCALES BEGIN "f = MatMul (d, d) " END,
    X2 SCALES M BEGIN DW "f = Gemm <alpha = 2.0> (d, e) " END,
    X2 SCALES M BEGIN DW DB "f = Gemm <beta = 0.5> (d, e, c) " END,
    "g (float[4, 5] x) => (float y)\n<" SCALES M BEGIN DW "f = Gemm <transA = 1> (d, e) " END,
    X2 SCALES M ", float[1, 1] k = {1}" BEGIN DW "f = Gemm (d, e, k) " END,
    X2 SCALES M ", float[4] s = {0.0625, 0.03125, 0.0078125, 0.5}" BEGIN
                "e = DequantizeLinear <axis = 0> (w, s) f = MatMul (d, e) " END,
    "g (float[N, 2] x) => (float y)\n<" SCALES ", int8[2, 2] u = {1, 2, 3, 4}, float[2] s = {0.0625, 0.03125}" BEGIN
    "e = DequantizeLinear <axis = 0> (u, s) f = MatMul (d, e) " END,
    /* types that differ; other scales, zero points or types than before */
    X4 SCALES ", int8[4, 1, 1] k = {1, 2, 3, 4}" BEGIN "e = DequantizeLinear (k, ws, wz) f = Add (d, e) " END,
    X4 SCALES BEGIN "f = Transpose (d) " END,
    X4 SCALES BEGIN
    "f = MaxPool <kernel_shape = [2, 2]> (d) r = QuantizeLinear (f, xs, yz) y = DequantizeLinear (r, xs, yz) }",
    X4 SCALES "" BEGIN
              "e = QuantizeLinear (x, ws, xz) g = DequantizeLinear (e, ws, xz) f = Concat <axis = 3> (d, g) r = "
              "QuantizeLinear (f, xs, xz) y = DequantizeLinear (r, xs, xz) }",
};

/* Nothing has become an operator on integers. */
START_TEST(others_stay_in_floats)
{
    static const char *const operators[] = { "QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul" };
    char text[2048];
    struct trial t;
    int before;

    snprintf(text, sizeof text, HEAD "%s", kept[_i]);
    start(&t, text);
    before = count(t.passes.graph, "QuantizeLinear");
    apply(&t, pass_quantized);
    for (size_t k = 0; k < sizeof operators / sizeof *operators; k++)
        ck_assert_int_eq(count(t.passes.graph, operators[k]), 0);
    ck_assert_int_eq(count(t.passes.graph, "QuantizeLinear"), before);
    finish(&t);
}
END_TEST

/* -- sums beyond int32 -- */

/* So many products of 8 bits that their sum may be. */
START_TEST(long_sums_stay_in_floats)
{
    enum { DEPTH = 33026, SIZE = 2 * DEPTH + 1024 };
    char *text = malloc(SIZE);
    struct trial t;
    int at;

    ck_assert_ptr_nonnull(text);
    at = snprintf(text, SIZE, HEAD "g (float[N, %d] x) => (float y)\n<" SCALES ", int8[%d, 1] w = {1", DEPTH, DEPTH);
    for (int k = 1; k < DEPTH; k++)
        at += snprintf(text + at, (size_t)(SIZE - at), ",1");
    snprintf(text + at, (size_t)(SIZE - at), "}" BEGIN DW "f = MatMul (d, e) " END);
    start(&t, text);
    apply(&t, pass_quantized);
    ck_assert_int_eq(count(t.passes.graph, "QLinearMatMul"), 0);
    finish(&t);
    free(text);
}
END_TEST

/* The sum of what is below is 243 * 9 million. */
START_TEST(means_of_many_pixels)
{
    static const char *const nodes[] = { "GlobalAveragePool", "AveragePool <kernel_shape = [2999, 3001]>" };
    char text[1024];
    struct tensor x;
    struct trial t;

    snprintf(text, sizeof text,
             HEAD "g (float[1, 1, 2999, 3001] x) => (float y)\n<uint8 zero = {0}, " SCALES
                  ">\n{ q = QuantizeLinear (x, xs, zero) d = DequantizeLinear (q, xs, zero) f = %s (d) " END,
             nodes[_i]);
    start(&t, text);
    fill(&x, t.f.model->graph->inputs[0], 1);
    for (int64_t k = 0; k < tensor_count(&x); k++)
        ((float *)x.data)[k] = 1.8984375F;
    ck_assert(session_set(t.f.session, t.f.model->graph->inputs[0], &x, &t.f.report));
    run_ok(&t.f);
    free(x.data);
    ck_assert_float_eq(*(const float *)session_output(t.f.session, 0)->data, 1.875F);
    finish(&t);
}
END_TEST

/* -- all together -- */

/* To the bit as if the file had said so itself. */
START_TEST(a_network_is_what_its_integers_say)
{
    static const char *const texts[] = {
        HEAD X4 SCALES W BEGIN DW DB
        "a = Conv (d, e, c) r = QuantizeLinear (a, ys, yz) s = DequantizeLinear (r, ys, yz) "
        "p = MaxPool <kernel_shape = [2, 2]> (s) t = QuantizeLinear (p, ys, yz) "
        "u = DequantizeLinear (t, ys, yz) n = Flatten (u) v = QuantizeLinear (n, ys, yz) "
        "y = DequantizeLinear (v, ys, yz) }",
        HEAD X4 SCALES W
        ">\n{ q = QuantizeLinear (x, xs, xz) r = QLinearConv (q, xs, xz, w, ws, wz, ys, yz, b) p = MaxPool "
        "<kernel_shape = [2, 2]> (r) v = Flatten (p) y = DequantizeLinear (v, ys, yz) }",
    };
    struct trial t[2];
    const struct tensor *y[2];

    for (int k = 0; k < 2; k++) {
        struct tensor x;

        start(&t[k], texts[k]);
        fill(&x, t[k].f.model->graph->inputs[0], 3);
        ck_assert(session_set(t[k].f.session, t[k].f.model->graph->inputs[0], &x, &t[k].f.report));
        run_ok(&t[k].f);
        free(x.data);
        y[k] = session_output(t[k].f.session, 0);
    }
    ck_assert(same_type(y[0], y[1]));
    if (in_integers())
        ck_assert_mem_eq(y[0]->data, y[1]->data, (size_t)tensor_bytes(y[0]));
    for (int k = 0; k < 2; k++)
        finish(&t[k]);
}
END_TEST

/* Where a sum of products is as fast in floats, a filtered one stays there. */
START_TEST(filtered_convolutions_go_by_speed)
{
    struct trial t;

    start(&t, HEAD X4 SCALES
          ", int8[1, 4, 3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, "
          "8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}" BEGIN DW "f = Conv (d, e) " END);
    for (int products = 0; products < 3; products++) {
        struct integer_kernels integer = *kernels_get()->integer;
        struct kernels kernels = *kernels_get();

        integer.quad_products = products;
        kernels.integer = &integer;
        t.c.kernels = &kernels;
        apply(&t, pass_quantized);
        ck_assert_int_eq(count(t.passes.graph, "QLinearConv"), products == 2);
    }
    t.c.kernels = kernels_get();
    results_within(&t, STEP * 1.001, 0);
    finish(&t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pass_quantized");

    add_tests(s, nodes_compute_in_integers, sizeof rewritten / sizeof *rewritten);
    add_tests(s, saturation_is_a_relu, 1);
    add_tests(s, pools_lie_as_convolutions, 3);
    add_tests(s, old_operators_move_integers, 5);
    add_tests(s, others_stay_in_floats, sizeof kept / sizeof *kept);
    add_tests(s, long_sums_stay_in_floats, 1);
    add_tests(s, means_of_many_pixels, 2);
    add_tests(s, a_network_is_what_its_integers_say, 1);
    add_tests(s, filtered_convolutions_go_by_speed, 1);
    return s;
}
