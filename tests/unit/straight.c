/* Gradients that go straight through QuantizeLinear: against PyTorch's numbers, where what is quantised is moved, what has
 * no way for them, and networks that learn as they will be quantised. */
#include "data/element.h"
#include "fixture.h"
#include "learning.h"
#include "scratch.h"
#include "train/trainer.h"
#include <math.h>

#define HEAD            "<ir_version: 10, opset_import: [\"\": 21, \"com.microsoft\": 1, \"ai.onnx.preview.training\": 1]>\n"
#define FLOW            "float[12] w = {0.5,-1,2,0.25,-0.75,1.5,3,-2,0.125,1,-0.5,0.875}"
#define GRADIENT(of, y) "ai.onnx.preview.training.Gradient <xs = [" of "], y = \"" y "\"> "

enum { SIZE = 12 };

static void expect_near(const struct fixture *f, const float *got, const float *want, int count, const char *what)
{
    for (int k = 0; k < count; k++)
        ck_assert_msg(fabsf(got[k] - want[k]) <= 2e-5f * (1 + fabsf(want[k])), "%s: %s[%d] is %.9g, must be %.9g",
                      f->model->graph->path, what, k, (double)got[k], (double)want[k]);
}

/* -- as in PyTorch -- */

#define AT_EDGES "62,62.25,62.26,-65.5,-65.75,-65.74,0.25,0.75,-0.25,100,-100,1.1"
#define BETWEEN  "-0.9,-0.3,0.04,0.11,0.77,3,-0.7,0.33,-1.2,0.52,0.2,-0.05"
#define THERE_AND_BACK(how)                                                                                            \
    "q = QuantizeLinear <" how "> (x, s, z) y = DequantizeLinear <" how "> (q, s, z) t = Mul (y, w)\n"                 \
    "dx, ds = " GRADIENT("\"x\", \"s\"", "t") "(x, s) }"

/* PyTorch 2.15: fake_quantize_per_tensor_affine and fake_quantize_per_channel_affine tell dx, and their learnable forms
 * ds. (These add the zero point before they round, which is another tie; at ties ds is not compared with them.) */
static const struct {
    const char *text;
    float y[SIZE], dx[SIZE], ds[3];
    int scales; /* 0: not compared */
} pytorch[] = {
    { HEAD "g (float[12] x) => (float[12] y, float[12] dx, float ds) <float[12] v = {" AT_EDGES "}, " FLOW
           ", float s = {0.5}, int8 z = {3}> { " THERE_AND_BACK("axis = 0"),
      { 62, 62, 62, -65.5f, -65.5f, -65.5f, 0, 1, 0, 62, -65.5f, 1 },
      { .5f, -1, 0, .25f, 0, 1.5f, 3, -2, .125f, 0, 0, .875f },
      { 0 },
      0 },
    { HEAD "g (float[2,3,2] x) => (float[2,3,2] y, float[2,3,2] dx, float[3] ds) <float[2,3,2] v = {" BETWEEN
           "}, float[2,3,2] w = {0.5,-1,2,0.25,-0.75,1.5,3,-2,0.125,1,-0.5,0.875}, float[3] s = {0.01,0.02,0.003}, "
           "uint8[3] z = {10,200,128}> { " THERE_AND_BACK("axis = 1"),
      { -.1f, -.1f, .04f, .12f, .381f, .381f, -.1f, .33f, -1.2f, .52f, .201f, -.051f },
      { 0, 0, 2, .25f, 0, 0, 0, -2, .125f, 1, -.5f, .875f },
      { -24.9999962f, .125000805f, 94.7916641f },
      3 },
    { HEAD "g (float[12] x) => (float[12] y, float[12] dx, float[1] ds) <float[12] v = {" BETWEEN "}, " FLOW
           ", float[1] s = {0.3}, int4[1] z = {2}> { " THERE_AND_BACK("axis = 0"),
      { -.9f, -.3f, 0, 0, .9f, 1.5f, -.6f, .3f, -1.2f, .6f, .3f, 0 },
      { .5f, -1, 2, .25f, -.75f, 0, 3, -2, .125f, 1, -.5f, .875f },
      { 8.26249981f },
      1 },
};

/* Runs it with x = v. */
static void begin_with_v(struct fixture *f, const char *text)
{
    const struct tensor *v;

    begin(f, text);
    v = graph_find(f->model->graph, "v")->initializer;
    set(f, "x", v->dtype, v->rank, v->dims, v->data);
    run_ok(f);
}

START_TEST(gradients_are_pytorchs)
{
    struct fixture f;

    begin_with_v(&f, pytorch[_i].text);
    expect_near(&f, floats(&f, 0, SIZE), pytorch[_i].y, SIZE, "y");
    expect_near(&f, floats(&f, 1, SIZE), pytorch[_i].dx, SIZE, "dx");
    if (pytorch[_i].scales)
        expect_near(&f, floats(&f, 2, pytorch[_i].scales), pytorch[_i].ds, pytorch[_i].scales, "ds");
    end(&f);
}
END_TEST

/* -- blocks, movement -- */

#define DOUBLED "d = " GRADIENT("\"x\"", "t") "(x) e = " GRADIENT("\"x\"", "u") "(x) }"
#define X_OF(dims, given)                                                                                              \
    HEAD "g (float[" dims "] x) => (float[" dims "] d, float[" dims "] e) <float[" dims "] v = {" given "}, "
#define STEPS "float s = {0.05}, uint8 z = {120}, int64[1] i0 = {0}, int64[1] i1 = {1}, int64[1] i2 = {2}, "
/* What is quantised is moved, and what it stands for: to the same gradient. */
#define MOVED(move, other)                                                                                             \
    X_OF("3,4", BETWEEN)                                                                                               \
    STEPS "int64[2] turned = {4,3}, int64[2] twice = {1,2}, int64[2] cut = {1,2}, int64[3] more = {2,3,4}, int64[2] "  \
          "picked = {2,0}, "                                                                                           \
          ""                                                                                                           \
          "int64[2,1] places = {1,1}, int64[3] lengths = {4,2,1}, int64[3,2] elements = {0,0,3,1,2,2}, "               \
          "int64[4] reflected = {1,0,0,2}, bool[3,1] some = {1,0,1}> { "                                               \
          "q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) " move " " other                                \
          " k = DequantizeLinear (m, s, z) t = Mul (k, k) u = Mul (n, n) " DOUBLED

/* Both gradients, d and e, are the same. */
static const char *const alike[] = {
    MOVED("m = Reshape (q, turned)", "n = Reshape (y, turned)"),
    MOVED("m = Transpose (q)", "n = Transpose (y)"),
    MOVED("m = Identity (q)", "n = Identity (y)"),
    MOVED("o = Unsqueeze (q, i0) m = Squeeze (o, i0)", "n = Flatten (y)"),
    MOVED("m = Concat <axis = 1> (q, q)", "n = Concat <axis = 1> (y, y)"),
    MOVED("m = Slice (q, i1, i2, i1)", "n = Slice (y, i1, i2, i1)"),
    MOVED("m = Slice (q, i0, i2, i0, i2)", "n = Slice (y, i0, i2, i0, i2)"),
    MOVED("m = Gather (q, picked)", "n = Gather (y, picked)"),
    MOVED("m = GatherND (q, places)", "n = GatherND (y, places)"),
    MOVED("m = GatherElements <axis = 1> (q, elements)", "n = GatherElements <axis = 1> (y, elements)"),
    MOVED("m = Expand (q, more)", "n = Expand (y, more)"),
    MOVED("m = Tile (q, twice)", "n = Tile (y, twice)"),
    MOVED("m = Pad <mode = \"reflect\"> (q, reflected)", "n = Pad <mode = \"reflect\"> (y, reflected)"),
    MOVED("m, o = Split <axis = 0> (q, cut)", "n, p = Split <axis = 0> (y, cut)"),
    MOVED("m = ReverseSequence <batch_axis = 0, time_axis = 1> (q, lengths)",
          "n = ReverseSequence <batch_axis = 0, time_axis = 1> (y, lengths)"),
    MOVED("m = Where (some, q, z)", "f = Sub (s, s) n = Where (some, y, f)"),
    /* read twice */
    X_OF("3,4", BETWEEN) STEPS
    "float two = {2}> { q = QuantizeLinear (x, s, z) a = DequantizeLinear (q, s, z) "
    "b = DequantizeLinear (q, two, z) t = Add (a, b) c = Div (two, s) o = Mul (a, c) u = Add (a, o) " DOUBLED,
    /* in blocks: each element with a scale of its own, a gathered one */
    HEAD "g (float[2,5] x) => (float[2,3] d, float[2,3] e) <float[2,5] v = "
         "{-0.9,-0.3,0.04,0.11,0.77,3,-0.7,0.33,-1.2,0.52},\n"
         "float[2,3] s = {0.01,0.02,0.005,0.004,0.03,0.01}, int8[2,3] z = {1,2,3,-100,5,6}, int64[5] i = {0,0,1,1,2},\n"
         "float[2,5] w = {0.5,-1,2,0.25,-0.75,1.5,3,-2,0.125,1}>\n"
         "{ q = QuantizeLinear <axis = 1, block_size = 2> (x, s, z)\n"
         "  y = DequantizeLinear <axis = 1, block_size = 2> (q, s, z) t = Mul (y, w)\n"
         "  ss = Gather <axis = 1> (s, i) zz = Gather <axis = 1> (z, i)\n"
         "  p = QuantizeLinear <axis = 1, block_size = 1> (x, ss, zz)\n"
         "  k = DequantizeLinear <axis = 1, block_size = 1> (p, ss, zz) u = Mul (k, w)\n"
         "  d = " GRADIENT("\"s\"", "t") "(s) e = " GRADIENT("\"s\"", "u") "(s) }",
    HEAD "g (float[2,5] x) => (float[2,5] d, float[2,5] e) <float[2,5] v = "
         "{-0.9,-0.3,0.04,0.11,0.77,3,-0.7,0.33,-1.2,0.52},\n"
         "float[2,3] s = {0.01,0.02,0.005,0.004,0.03,0.01}, int8[2,3] z = {1,2,3,-100,5,6}, int64[5] i = {0,0,1,1,2},\n"
         "float[2,5] w = {0.5,-1,2,0.25,-0.75,1.5,3,-2,0.125,1}>\n"
         "{ q = QuantizeLinear <axis = 1, block_size = 2> (x, s, z)\n"
         "  y = DequantizeLinear <axis = 1, block_size = 2> (q, s, z) t = Mul (y, w)\n"
         "  ss = Gather <axis = 1> (s, i) zz = Gather <axis = 1> (z, i)\n"
         "  p = QuantizeLinear <axis = 1, block_size = 1> (x, ss, zz)\n"
         "  k = DequantizeLinear <axis = 1, block_size = 1> (p, ss, zz) u = Mul (k, w) " DOUBLED,
    /* clipped to 7 bits, as PyTorch does by default: a clipped number has no gradient */
    X_OF("3,4",
         BETWEEN) "float s = {0.05}, uint8 z = {64}, uint8 lo = {0}, uint8 hi = {80}, float a = {-3.2}, float b = "
                  "{0.8}> { q = QuantizeLinear (x, s, z) m = Clip (q, lo, hi) y = DequantizeLinear (m, s, z) "
                  "t = Mul (y, y) k = DequantizeLinear (q, s, z) c = Clip (k, a, b) u = Mul (c, c) " DOUBLED,
    /* by com.microsoft's; where the scale is found by the operator, it is a constant */
    X_OF("3,4", BETWEEN) STEPS "float two = {2}> { q = com.microsoft.QuantizeLinear (x, s, z) y = "
                               "com.microsoft.DequantizeLinear (q, s, z) t = Mul (y, two) "
                               "o = QuantizeLinear (x, s, z) k = DequantizeLinear (o, s, z) u = Mul (k, two) " DOUBLED,
    X_OF("3,4", BETWEEN) "float two = {2}> { q, s, z = DynamicQuantizeLinear (x) y = DequantizeLinear (q, s, z) "
                         "t = Mul (y, two) u = Mul (x, two) " DOUBLED,
    X_OF("2,4,3", BETWEEN "," BETWEEN) STEPS
    "float two = {2}> { q = QuantizeLinear (x, s, z) p = com.microsoft.QLinearAveragePool "
    "<kernel_shape = [2], pads = [1,0], channels_last = 1> (q, s, z, s, z) "
    "y = DequantizeLinear (p, s, z) t = Mul (y, y) k = DequantizeLinear (q, s, z) "
    "l = Transpose <perm = [0,2,1]> (k) a = AveragePool <kernel_shape = [2], pads = [1,0]> (l) "
    "o = QuantizeLinear (a, s, z) f = DequantizeLinear (o, s, z) u = Mul (f, f) " DOUBLED,
    /* in a loop, and what it does twice */
    X_OF("3,4", BETWEEN) STEPS "int64 rounds = {2}, bool yes = {1}> {\n"
                               "t = Loop (rounds, yes, x) <body = l (int64 i, bool c, float[3,4] a) => (bool on, "
                               "float[3,4] o) { on = Identity (c) "
                               "q = QuantizeLinear (a, s, z) y = DequantizeLinear (q, s, z) o = Mul (y, y) }>\n"
                               "q1 = QuantizeLinear (x, s, z) y1 = DequantizeLinear (q1, s, z) o1 = Mul (y1, y1) q2 = "
                               "QuantizeLinear (o1, s, z) y2 = "
                               "DequantizeLinear (q2, s, z) u = Mul (y2, y2) " DOUBLED,
};

START_TEST(moved_or_not_the_gradient_is_the_same)
{
    const struct tensor *d;
    struct fixture f;
    bool any = false;

    begin_with_v(&f, alike[_i]);
    d = session_output(f.session, 0);
    expect_near(&f, floats(&f, 0, tensor_count(d)), floats(&f, 1, tensor_count(d)), (int)tensor_count(d), "d");
    for (int64_t k = 0; k < tensor_count(d); k++)
        any |= ((const float *)d->data)[k] != 0;
    ck_assert(any);
    end(&f);
}
END_TEST

/* -- types -- */

#define TYPED(x, z)                                                                                                    \
    HEAD "g (float[4] x) => (" x "[4] y, float[4] dx, float ds) <float s = {0.25}, " z " z = {0}, float[4] w = "       \
         "{1,-2,0.5,4}, " x                                                                                            \
         "[1] like = {0}> { xx = CastLike (x, like) ss = CastLike (s, like) ww = CastLike (w, like)\n"                 \
         "q = QuantizeLinear (xx, ss, z) y = DequantizeLinear (q, ss, z) t = Mul (y, ww) dx, ds = " GRADIENT(          \
             "\"x\", \"s\"", "t") "(x, s) }"

/* All of them hold these numbers, and what comes of them. */
static const struct {
    const char *text;
    float x[4], y[4], dx[4], ds;
} typed[] = {
    { TYPED("float", "int4"), { .5f, .375f, 8, -.875f }, { .5f, .5f, 1.75f, -1 }, { 1, -2, 0, 4 }, .5f },
    { TYPED("float16", "int4"), { .5f, .375f, 8, -.875f }, { .5f, .5f, 1.75f, -1 }, { 1, -2, 0, 4 }, .5f },
    { TYPED("bfloat16", "int4"), { .5f, .375f, 8, -.875f }, { .5f, .5f, 1.75f, -1 }, { 1, -2, 0, 4 }, .5f },
    { TYPED("float", "int16"), { .5f, .375f, 9000, -.875f }, { .5f, .5f, 8191.75f, -1 }, { 1, -2, 0, 4 }, 16380.5f },
    { TYPED("float", "uint16"), { .5f, .375f, -8, .875f }, { .5f, .5f, 0, 1 }, { 1, -2, 0, 4 }, 1 },
    /* 1856 is 464 steps, half of one beyond the greatest number */
    { TYPED("float", "float8e4m3fn"), { 116, 116.5f, -112, 1000 }, { 112, 112, -112, 112 }, { 1, 0, .5f, 0 }, 880 },
    { TYPED("float", "float8e5m2"),
      { 15000, 15360, -14336, 3 },
      { 14336, 14336, -14336, 3 },
      { 1, 0, .5f, 4 },
      -117344 },
};

/* Of any type of float, as float. */
static void expect_output(struct fixture *f, size_t k, const float *want, int count, const char *what)
{
    const struct tensor *t = session_output(f->session, k);
    element_get *const get = element_getter(t->dtype);
    float got[4];

    ck_assert_int_eq(tensor_count(t), count);
    for (int i = 0; i < count; i++)
        got[i] = (float)get(t->data, i);
    expect_near(f, got, want, count, what);
}

START_TEST(of_each_type)
{
    float x[4];
    struct fixture f;

    begin(&f, typed[_i].text);
    memcpy(x, typed[_i].x, sizeof x);
    set(&f, "x", F32, 1, (int64_t[]){ 4 }, x);
    run_ok(&f);
    expect_output(&f, 0, typed[_i].y, 4, "y");
    expect_output(&f, 1, typed[_i].dx, 4, "dx");
    expect_output(&f, 2, &typed[_i].ds, 1, "ds");
    end(&f);
}
END_TEST

/* -- what has no way for it -- */

#define NO_WAY(nodes)                                                                                                  \
    HEAD                                                                                                               \
        "g (float[4,4] x) => (float[4,4] d) <float s = {0.05}, uint8 z = {120}, uint8[4,4] b = "                       \
        "{1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}, int64 rounds = {2}, bool yes = {1}> { q = QuantizeLinear (x, s, z) " nodes \
        " d = " GRADIENT("\"x\"", "t") "(x) }"

static const struct {
    const char *text, *where, *part;
} no_way[] = {
    { NO_WAY("t = Cast <to = 1> (q)"), "Cast", "no gradient of what is quantised: 'q' goes back to a QuantizeLinear" },
    { NO_WAY("i = Cast <to = 6> (q) t = Cast <to = 1> (i)"), "Cast", "no gradient of what is quantised: 'i'" },
    { NO_WAY("i = MatMulInteger (q, b) f = Cast <to = 1> (i) t = Mul (f, s)"), "Cast", "of what is quantised: 'i'" },
    { NO_WAY("i = MatMulInteger (q, b) t = DequantizeLinear (i, s)"), "MatMulInteger", "of what is quantised: 'q'" },
    { NO_WAY("i = QLinearMatMul (q, s, z, b, s, z, s, z) t = DequantizeLinear (i, s)"), "QLinearMatMul",
      "of what is quantised: 'q'" },
    { NO_WAY("i = Max (q, z) t = DequantizeLinear (i, s)"), "Max", "of what is quantised: 'q'" },
    { NO_WAY("e = ReduceMax <keepdims = 0> (q) i = Clip (b, e, z) t = DequantizeLinear (i, s)"), "Clip",
      "no gradient of bounds that are quantised" },
    /* what is quantised outside, or inside, and read on the other side */
    { NO_WAY("t = If (yes) <then_branch = a () => (o) { o = DequantizeLinear (q, s) }, else_branch = b () => (p) { p = "
             "Identity (x) }>"),
      "If", "of what is quantised: 'q'" },
    { NO_WAY("e = ReduceMax <keepdims = 0> (x) c = Less (e, s) i = If (c) <then_branch = a () => (o) { o = "
             "QuantizeLinear (x, s, z) }, else_branch = b () => (p) { p = "
             "Identity (b) }> t = DequantizeLinear (i, s)"),
      "If", "of what is quantised" },
    { NO_WAY("t = Loop (rounds, yes, x) <body = l (int64 i, bool c, float[4,4] a) => (bool on, float[4,4] o) { on = "
             "Identity (c) e = DequantizeLinear (q, s, z) o = Mul (a, e) }>"),
      "Loop", "of what is quantised: 'q'" },
};

START_TEST(what_has_no_way_says_so)
{
    float x[16] = { 0 };
    struct fixture f;

    begin(&f, no_way[_i].text);
    set(&f, "x", F32, 2, (int64_t[]){ 4, 4 }, x);
    run_fails(&f, KILN_UNSUPPORTED, no_way[_i].part);
    ck_assert_msg(strstr(f.report.error.where, no_way[_i].where), "%s", f.report.error.where);
    end(&f);
}
END_TEST

/* Sizes, places and comparisons of what is quantised need none. */
START_TEST(what_needs_no_gradient_has_none)
{
    static const char text[] =
        HEAD "g (float[4] x) => (float[4] t, float[4] d) <float s = {0.05}, uint8 z = {120}, int64[1] size = {256}> {\n"
             "table = ConstantOfShape (size) whole = Cast <to = 6> (table)\n"
             "q = QuantizeLinear (x, s, z) i = Cast <to = 6> (q) g = Gather (table, i) h = Gather (whole, i) o = Cast "
             "<to = 1> (h) l = Less (q, z) c = Cast <to = 1> "
             "(l) n = Shape (q) m = Cast <to = 1> (n) a = Mul (x, m) b = Add (a, g) e = Add (b, o) t = Add (e, c)\n"
             "d = " GRADIENT("\"x\"", "t") "(x) }";
    float x[4] = { .1f, -.2f, .3f, 0 };
    const float want[] = { 4, 4, 4, 4 };
    struct fixture f;

    begin(&f, text);
    set(&f, "x", F32, 1, (int64_t[]){ 4 }, x);
    run_ok(&f);
    expect_near(&f, floats(&f, 1, 4), want, 4, "d");
    end(&f);
}
END_TEST

/* -- networks -- */

/* A QAT export of PyTorch 2.15, with shorter names: fake_quantize of the input, of weights and of what Relu makes. */
static const char qat[] =
    "<ir_version: 8, opset_import: [\"\": 17]>\n"
    "g (float[N,1,5,5] x) => (float[N,2] y)\n"
    "<float[2,1,3,3] w1 = {0.287655324,0.584308565,0.0249483977,-0.570961237,-0.330411315,0.394191951,0.541303098,"
    "-0.104596071,-0.597261727,-0.214937568,0.482270658,0.472951233,-0.229242846,-0.595595658,-0.0893994123,0."
    "547767162,"
    "0.382453561,-0.343155384}, float[2] b1 = {0.0644217655,0.0909297392}, float[2,8] w2 = {0.445603669,0.3377316,"
    "-0.264918059,-0.479462147,0.00840695016,0.483959824,0.250510424,-0.34993735,-0.43772608,0.11575491,0.49965468,"
    "0.151559174,-0.418570876,-0.375493616,0.217682675,0.491953343}, float[2] b2 = {0.0783326924,0.0808496401},\n"
    " float sx = {0.006}, uint8 zx = {120}, float[2] s1 = {0.004,0.005}, int8[2] z1 = {0,0}, float sh = {0.003}, uint8 "
    "zh = {0}, float s2 = {0.0035}, int8 z2 = {0}> {\n"
    "qx = QuantizeLinear (x, sx, zx) dx = DequantizeLinear (qx, sx, zx) q1 = QuantizeLinear <axis = 0> (w1, s1, z1)\n"
    "d1 = DequantizeLinear <axis = 0> (q1, s1, z1) c = Conv <strides = [2,2]> (dx, d1, b1) r = Relu (c)\n"
    "qh = QuantizeLinear (r, sh, zh) dh = DequantizeLinear (qh, sh, zh) f = Flatten (dh) q2 = QuantizeLinear (w2, s2, "
    "z2)\n"
    "d2 = DequantizeLinear (q2, s2, z2) y = Gemm <transB = 1> (f, d2, b2) }";

START_TEST(a_step_is_pytorchs)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.5",
                                       .threads = 1,
                                       TARGET(.form = TARGETS_VALUES) };
    static const struct {
        const char *name;
        int count;
        float value[18];
    } after[] = {
        { "w1",
          18,
          { .22734642f, .584308565f, .0850275978f, -.570961237f, -.335961848f, .460294098f, .541303098f, -.0930046961f,
            -.597261727f, -.243546367f, .528055072f, .52303046f, -.249880388f, -.538939297f, -.0526666269f, .539257884f,
            .447055817f, -.315584779f } },
        { "b1", 2, { .0390066095f, .0804017931f } },
        { "w2",
          16,
          { .355399251f, .3377316f, -.319123983f, -.479462147f, .0243158024f, .483959824f, .310283363f, -.34993735f,
            -.493149221f, .11575491f, .49965468f, .151559174f, -.468399048f, -.375493616f, .185531303f, .491953343f } },
        { "b2", 2, { -.0592015386f, -.042763263f } },
    };
    struct model *m = model_read_bytes(qat, strlen(qat), NULL, &report);
    float numbers[50], values[4], loss;
    struct tensor x, y;
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    model_free(m);
    expect_ok(t);
    ck_assert_int_eq(parameters_elements(&t->parameters, ROLE_TRAINABLE), 38);
    for (int k = 0; k < 50; k++)
        numbers[k] = (float)(sin(1.3 * k + .2) * .9);
    for (int k = 0; k < 4; k++)
        values[k] = (float)sin(1.3 * k + 2);
    ck_assert(tensor_shape(&x, F32, 4, (int64_t[]){ 2, 1, 5, 5 }) && tensor_shape(&y, F32, 2, (int64_t[]){ 2, 2 }));
    x.data = numbers;
    y.data = values;
    expect_ok(trainer_step(t, &x, &y, &loss, &report));
    ck_assert_float_eq_tol(loss, .503419399f, 1e-6f);
    for (size_t p = 0; p < sizeof after / sizeof *after; p++) {
        const float *now = trainer_state(t, after[p].name, NULL)->data;

        for (int k = 0; k < after[p].count; k++)
            ck_assert_msg(fabsf(now[k] - after[p].value[k]) < 1e-6f, "%s[%d] is %.9g, must be %.9g", after[p].name, k,
                          (double)now[k], (double)after[p].value[k]);
    }
    trainer_free(t);
}
END_TEST

/* -- training what is quantised -- */

#define CLASSES(nodes)                                                                                                 \
    "<ir_version: 8, opset_import: [\"\": 17]>\n"                                                                      \
    "g (float[N,2] x) => (float[N,3] y) <float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}, float s = {0.004}, uint8 z " \
    "= "                                                                                                               \
    "{0}, float[3] b = {0.1, 0.2, 0.3}, int8[2,3] i = {1, 2, 3, 4, 5, 6}, float t = {0.1}> { " nodes " }"

static char warned[200];

static void take_warning(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    (void)where;
    if (code == KILN_OK)
        snprintf(warned, sizeof warned, "%s", message);
}

static struct trainer *trainer_of(const char *text, struct report *r)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.5", .threads = 1 };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, r);
    model_free(m);
    return t;
}

/* What is quantised of probabilities does not hide what made them; the loss reads what that did. */
START_TEST(a_loss_sees_through_what_is_quantised)
{
    static const struct {
        const char *text, *said;
    } ends[] = {
        { CLASSES("l = MatMul (x, w) y = Softmax (l)"), "from logits, because the model ends in Softmax" },
        { CLASSES("l = MatMul (x, w) p = Softmax (l) q = QuantizeLinear (p, s, z) y = DequantizeLinear (q, s, z)"),
          "from logits, because the model ends in Softmax" },
        { CLASSES("l = MatMul (x, w) k = Transpose (l) p = Softmax <axis = 0> (k) q = QuantizeLinear (p, s, z) u = "
                  "Transpose "
                  "(q) y = DequantizeLinear (u, s, z)"),
          "from logits, because the model ends in Softmax" },
    };
    float numbers[] = { 1, 2, -1, .5f, .25f, 3, -2, 1 }, first[6], loss, begin = 0;
    int64_t classes[] = { 0, 2, 1, 1 };
    struct tensor x, y;

    ck_assert(tensor_shape(&x, F32, 2, (int64_t[]){ 4, 2 }) && tensor_shape(&y, I64, 1, (int64_t[]){ 4 }));
    x.data = numbers;
    y.data = classes;
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        struct trainer *t = trainer_of(ends[k].text, &report);

        expect_ok(t);
        ck_assert_msg(strstr(t->targets[0].loss.said, ends[k].said), "%s", t->targets[0].loss.said);
        expect_ok(trainer_step(t, &x, &y, &loss, &report));
        if (k == 0) {
            begin = loss;
            memcpy(first, trainer_state(t, "w", NULL)->data, sizeof first);
        }
        ck_assert_float_eq(loss, begin);
        ck_assert_int_eq(memcmp(first, trainer_state(t, "w", NULL)->data, sizeof first), 0);
        trainer_free(t);
    }
    struct trainer *const t = trainer_of(
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "g (float[N,2] x) => (float[N,1] y) <float[2,1] w = {0.1, 0.2}, float s = {0.004}, uint8 z = {0}> { l = "
        "MatMul (x, w) p = Sigmoid (l) q = QuantizeLinear (p, s, z) y = DequantizeLinear (q, s, z) }",
        &report);

    expect_ok(t);
    ck_assert_msg(strstr(t->targets[0].loss.said, "from logits, because the model ends in Sigmoid"), "%s",
                  t->targets[0].loss.said);
    trainer_free(t);
}
END_TEST

/* Integers of the file do not train, which is told with what there is to do. */
START_TEST(integers_of_the_file_are_told_of)
{
    struct report r = { .notify = take_warning };
    struct trainer *t = trainer_of(CLASSES("w2 = DequantizeLinear (i, t) y = MatMul (x, w2)"), &r);

    ck_assert_ptr_null(t);
    ck_assert_str_eq(r.error.message,
                     "nothing in the model can be trained: integers that DequantizeLinear reads do not "
                     "train ('i'), `kiln adapt` makes floats of them");
    r = (struct report){ .notify = take_warning };
    t = trainer_of(CLASSES("w2 = DequantizeLinear (i, t) l = MatMul (x, w2) y = Add (l, b)"), &r);
    expect_ok(t);
    ck_assert_str_eq(warned,
                     "integers that DequantizeLinear reads do not train ('i'): `kiln adapt` makes floats of them");
    trainer_free(t);
    *warned = 0;
    t = trainer_of(
        CLASSES("q = QuantizeLinear (w, s, z) w2 = DequantizeLinear (q, s, z) l = MatMul (x, w2) y = Add (l, b)"), &r);
    expect_ok(t);
    ck_assert_str_eq(warned, "");
    trainer_free(t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("straight");

    add_tests(s, gradients_are_pytorchs, sizeof pytorch / sizeof *pytorch);
    add_tests(s, moved_or_not_the_gradient_is_the_same, sizeof alike / sizeof *alike);
    add_tests(s, of_each_type, sizeof typed / sizeof *typed);
    add_tests(s, what_has_no_way_says_so, sizeof no_way / sizeof *no_way);
    add_test(s, what_needs_no_gradient_has_none);
    add_test(s, a_step_is_pytorchs);
    add_test(s, a_loss_sees_through_what_is_quantised);
    add_test(s, integers_of_the_file_are_told_of);
    return s;
}
