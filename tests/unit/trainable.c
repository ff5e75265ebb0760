/* What of a model learns, and why the rest does not. */
#include "train/trainable.h"
#include "learning.h"
#include "model/message.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>

#define HEAD "<ir_version: 8, opset_import: [\"\": 17]>\n"

static struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* "NAME ROLE why" of each parameter, a line each. */
static void describe(const char *text, const struct parameter_patterns *patterns, char *out, size_t size)
{
    struct arena a = { .budget = &budget };
    struct model *m = model_of(text);
    struct parameters p;
    size_t n = 0;

    *out = 0;
    expect_ok(parameters_find(&p, m, patterns, &a, &report));
    for (size_t k = 0; k < p.count && n < size; k++)
        n += (size_t)snprintf(out + n, size - n, "%s %s %s\n", p.at[k].value->name, role_name(p.at[k].role),
                              p.at[k].why);
    arena_release(&a);
    model_free(m);
}

#define KILNS "kiln.5 constant no place where something is learned\n" /* epsilon */
/* The variance and the mean of what is done first. */
#define KERAS_FIRST                                                                                                    \
    "<float[2,2] w = {1,2,3,4}, float[1,1,2] gamma = {1.5,2}, float[1,1,2] beta = {1,2}, float eps = {0.001}> {\n"     \
    "m = ReduceMean <axes = [2]> (x) n = Neg (m) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [2]> (q)\n"      \
    "e = Add (v, eps) "
#define WRITTEN                                                                                                        \
    "<float[2,2] w = {1,2,3,4}, float[2] gamma = {1,2}, float[2] beta = {3,4}>\n"                                      \
    "{ h = MatMul (x, w) mean = ReduceMean <axes = [0]> (h) s = Squeeze (mean) d = Sub (h, mean) q = Mul (d, d)\n"     \
    "  v = ReduceMean <axes = [0]> (q) e = Sqrt (v) r = Reciprocal (e) m = Mul (r, gamma)\n"
#define STATES(of)                                                                                                     \
    "<float[1,8,1] w = {1,2,3,4,5,6,7,8}, float[1,8,2] r = {1,2,3,4,1,2,3,4,1,2,3,4,1,2,3,4}, float[1,1,2] h = "       \
    "{0.5,0.25},\n float[1,1,2] z = {0,0}, float[1,1,2] k = {0.25,1}, int64[1] i = {1}, int64[1] one = {1}, int64[1] " \
    "two = {2}>\n"                                                                                                     \
    "{ s = Shape (x) n = Gather (s, i) t = Concat <axis = 0> (one, n, two) e = Expand (" of ", t)\n"                   \
    "  y = LSTM <hidden_size = 2> "
#define SCALE      "the scale of what is quantised, which learns if it is asked to\n"
#define REST(name) name " constant no place where something is learned\n"
#define GROUPS                                                                                                         \
    "<float[4,4,1] w = {1,2,3,4,1,2,3,4,1,2,3,4,1,2,3,4}, int64[3] g = {0,2,-1}, int64[3] s = {0,4,-1}, float[2] one " \
    "= {1,1}, float[2] zero = {0,0},\n float[4,1] f = {1,2,3,4}, float[4,1] o = {1,2,3,4}>\n"

static const struct {
    const char *text, *want;
} models[] = {
    /* gates in another order, as PyTorch's exporter writes them for training; a factor is none of the weight */
    { "g (float[2,N,1] x) => (float[2,1,N,1] y)\n"
      "<float[1,4,1] w = {1,2,3,4}, float[4,1] r = {1,2,3,4}, float[4] b = {1,2,3,4}, float two = {2}, int64[1] i0 = "
      "{0},\n"
      " int64[1] i2 = {2}, int64[1] i4 = {4}, int64[1] one = {1}>\n"
      "{ w1 = Slice (w, i0, i2, one) w2 = Slice (w, i2, i4, one) wc = Concat <axis = 1> (w2, w1) rs = Mul (r, two)\n"
      "  ru = Unsqueeze (rs, i0) bb = Concat <axis = 0> (b, b) bu = Unsqueeze (bb, i0)\n"
      "  y = LSTM <hidden_size = 1> (x, wc, ru, bu) }",
      "w trainable weight of LSTM, through Slice\nr trainable recurrent weight of LSTM, through Mul\n"
      "two constant a scalar\nb trainable bias of LSTM, through Concat\n" },
    /* what is quantised while it trains: a weight of a convolution with a scale for each channel, and a turned one */
    { "g (float[N,1,2] x) => (float[N,2] y)\n"
      "<float[2,1,2] w = {1,2,3,4}, float[2] s = {0.1,0.2}, float[2] b = {1,2}, float sx = {0.3}, float[2,2] v = "
      "{1,2,3,4}, "
      "float sv = {0.05}, int8 z = {0}, int64[2] flat = {-1,2}>\n"
      "{ qx = QuantizeLinear (x, sx) dx = DequantizeLinear (qx, sx) q = QuantizeLinear <axis = 0> (w, s) d = "
      "DequantizeLinear <axis = 0> (q, s)\n"
      "  c = Conv (dx, d, b) f = Reshape (c, flat) qv = QuantizeLinear (v, sv, z) dv = DequantizeLinear (qv, sv, z) t "
      "= "
      "Transpose (dv) y = MatMul (f, t) }",
      "sx constant " SCALE "b trainable bias of Conv\ns constant " SCALE
      "w trainable weight of Conv, through QuantizeLinear\nsv constant " SCALE
      "v trainable weight of MatMul, through QuantizeLinear\n" },
    /* a table of positions that is cut; what does not change with its input has no gradient to give */
    { "g (float[N,2,2] x) => (float[N,2,2] y)\n"
      "<float[4,2] p = {1,2,3,4,5,6,7,8}, float[2,2] w = {1,2,3,4}, float[2] s = {1.5,2.5}, int64[1] i0 = {0}, "
      "int64[1] i2 = {2}>\n"
      "{ h = MatMul (x, w) c = Slice (p, i0, i2) a = Add (h, c) q = ArgMax <axis = 0, keepdims = 1> (s) f = Cast <to = "
      "1> (q)\n"
      "  y = Mul (a, f) }",
      "w trainable weight of MatMul\np trainable summand of Add, through Slice\n"
      "s constant no place where something is learned\n" },
    /* what a loop carries unchanged, cut in it, or reads from outside, as tf2onnx writes them */
    { "g (float[N,2] x) => (float[N,2] y)\n"
      "<float[2,2] w = {1,2,3,4}, float[2,2] u = {1,2,3,4}, float[2,2] b = {1,2,3,4}, float[2,2] h = {1,2,3,4},\n"
      " int64 n = {3}, float two = {2}>\n"
      "{ p = MatMul (x, w) m = Mul (u, two)\n"
      "  y, v1, c1, h1 = Loop (n, , p, m, b, h) <body =\n"
      "    l (int64 i, bool c, float[N,2] s, float[2,2] v, float[2,2] k, float[2,2] g0) =>\n"
      "      (bool d, float[N,2] t, float[2,2] v, float[2,2] k1, float[2,2] g1) {\n"
      "    d = Identity (c) k1 = Identity (k) g1 = MatMul (g0, g0)\n"
      "    q = MatMul (s, v) f = MatMul (q, w) b1, b2 = Split <axis = 0> (k) t = Add (f, b1) }> }",
      "w trainable weight of MatMul\nb trainable summand of Add, through Split\n"
      "u trainable weight of MatMul, through Mul\ntwo constant a scalar\n"
      "h constant no place where something is learned\n" },
    /* a layer of which nothing but the shape is wanted, and one that nobody reads */
    { "g (float[N,2] x) => (float[M,2] y)\n"
      "<float[2,2] w = {1,2,3,4}, float[2,2] u = {1,2,3,4}, float[2,2] o = {1,2,3,4}>\n"
      "{ p = MatMul (x, u) q = Relu (p) s = Shape (q) z = ConstantOfShape (s)\n"
      "  r = MatMul (x, w) y = Add (r, z) e = MatMul (x, o) }",
      "u constant nothing but sizes of what it makes is read\nw trainable weight of MatMul\n"
      "o trainable weight of MatMul\n" },
    /* preprocessing, the 3 of a hard sigmoid, a scale that is learned, the bias of one unit */
    { "g (float[N,2,1,1] x) => (float[N,1,1,1] y)\n"
      "<float[1,2,1,1] f = {0.1,0.2}, float[1,2,1,1] o = {1,2}, float[2,2,1,1] w = {1,2,3,4}, float[1,1,1,1] three = "
      "{3},\n"
      " float[1,2,1,1] l = {1,2}, float[1,2,1,1] v = {1,2}, float[1,1,1,1] b = {1}>\n"
      "{ a = Mul (x, f) c = Add (a, o) d = Conv (c, w) e = Add (d, three) h = Mul (e, l) z = Conv (h, v) y = Add (z, "
      "b) }",
      "f constant is done to an input before the first layer\no constant is done to an input before the first layer\n"
      "w trainable weight of Conv\nthree constant a scalar\nl trainable factor of Mul\nv trainable weight of Conv\n"
      "b trainable summand of Add\n" },
    /* before the first layer, too, a normalisation that says so by its name */
    { "g (float[N,2] x) => (float[N,2] y) <float[2] \"m/batchnorm/mul:0\" = {1,2}, float[2] s = {1,2}, float[2,2] w = "
      "{1,2,3,4}>\n"
      "{ [\"m/batchnorm/mul_1\"] a = Mul (x, \"m/batchnorm/mul:0\") [\"m/batchnorm/add_1\"] b = Add (a, s) y = MatMul "
      "(b, w) }",
      "m/batchnorm/mul:0 trainable factor of Mul\ns trainable summand of Add\nw trainable weight of MatMul\n" },
    /* Keras' PReLU, whose names tell it from a LeakyReLU where all channels share one alpha; before the first layer, too */
    { "g (float[N,2] x) => (float[N,2] y) <float[1,1] a = {-0.0}, float[1,1] b = {0.1}, float[2,2] w = {1,2,3,4}>\n"
      "{ h = MatMul (x, w) p = Relu (h) n = Neg (h) q = Relu (n) [\"m/p_re_lu_1/mul\"] r = Mul (q, a)\n"
      "  [\"m/p_re_lu_1/add\"] s = Add (p, r) [\"m/leaky_re_lu/mul\"] t = Mul (b, q) y = Sub (s, t) }",
      "w trainable weight of MatMul\na trainable factor of Mul\nb constant a scalar\n" },
    { "g (float[N,2] x) => (float[N,2] y) <float[2] a = {-0.0,-0.0}, float[2] b = {0.1,1}, float[1] c = {2}, "
      "float[2,2] "
      "w = {1,2,3,4}>\n"
      "{ p = Relu (x) n = Neg (x) q = Relu (n) r = Mul (a, q) s = Add (p, r) [\"m/p_re_lu_1/mul\"] t = Mul (p, b)\n"
      "  u = Add (s, t) [\"m/p_re_lu_2/mul\"] o = Mul (x, c) k = Add (u, o) y = MatMul (k, w) }",
      "a trainable factor of Mul\nb constant is done to an input before the first layer\nc constant a scalar\n"
      "w trainable weight of MatMul\n" },
    { "g (float[N,1,2] x) => (float[N,2,1] y) <float[1,1,1] a = {0.25}, float[1,1,1] w = {1}>\n"
      "{ c = Conv (x, w) n = Neg (c) q = Relu (n) t = Transpose <perm = [0, 2, 1]> (q) [\"p_re_lu/mul\"] y = Mul (t, "
      "a) }",
      "w trainable weight of Conv\na trainable factor of Mul\n" },
    /* where there is no layer, factors are what learns */
    { "g (float[N,2] x) => (float[N,2] y) <float[2] a = {1,2}, float[2] b = {3,4}> { c = Mul (x, a) y = Add (c, b) }",
      "a trainable factor of Mul\nb trainable summand of Add\n" },
    /* scores of attention: a mask of -1e9, distances; a bias of the projection learns */
    { "g (float[N,2,2] x) => (float[N,2,2] y)\n"
      "<float[2,2] q = {1,2,3,4}, float[2] b = {1,2}, float[2,2] mask = {0,-1e9,0,0}, float[1,2,2] far = {0,-1,-1,0}, "
      "float s = {2}>\n"
      "{ h = MatMul (x, q) p = Add (h, b) t = Transpose <perm = [0, 2, 1]> (p) c = MatMul (p, t) d = Div (c, s)\n"
      "  e = Add (d, far) f = Add (mask, e) g = Softmax (f) y = MatMul (g, p) }",
      "q trainable weight of MatMul\nb trainable summand of Add\n"
      "far constant is added to attention scores: a mask or distances\nmask constant a mask\n"
      "s constant no place where something is learned\n" },
    /* zeros where a mask adds: after Softmax, before it where scores are turned; what is added to what attention makes, or to
     * what Softmax makes at the end, learns */
    { "g (float[N,2,2] x) => (float[N,2,2] y)\n"
      "<float[2,2] q = {1,2,3,4}, float[2,2] tri = {1,0,1,1}, float[2,2] rest = {0,0,0,0}, float[1,2,2] early = "
      "{0,0,0,0},\n"
      " float[2,2] pos = {0,0,0,0}, float[2,2] last = {0,0,0,0}, float[1,2] b = {0,0}>\n"
      "{ h = MatMul (x, q) t = Transpose <perm = [0, 2, 1]> (h) c = MatMul (h, t) u = Transpose <perm = [0, 2, 1]> "
      "(c)\n"
      "  v = Transpose <perm = [0, 2, 1]> (u) e = Add (v, early) s = Softmax (e) m = Mul (s, tri) a = Add (m, rest)\n"
      "  o = MatMul (a, h) p = Add (o, pos) d = Add (p, b) r = Relu (d) z = Softmax (r) l = Add (z, last) y = Relu (l) "
      "}",
      "q trainable weight of MatMul\nearly constant what is left of a mask\ntri constant a mask\n"
      "rest constant what is left of a mask\npos trainable summand of Add\nb trainable summand of Add\n"
      "last trainable summand of Add\n" },
    /* positions as sines and cosines, in turn and in halves; a table that is close to none of them */
    { "g (float[N,2,4] x) => (float[N,2,4] y)\n"
      "<float[4,4] w = {1,2,3,4,1,2,3,4,1,2,3,4,1,2,3,4}, float[2,4] turn = "
      "{0,1,0,1,0.84147098,0.54030231,0.00999983,0.99995},\n"
      " float[1,2,4] half = {0,0,1,1,0.84147098,0.00999983,0.54030231,0.99995}, float[2,4] own = "
      "{0,1,0,1,0.8,0.5,0.1,0.9}>\n"
      "{ h = MatMul (x, w) a = Add (h, turn) b = Add (half, a) y = Add (b, own) }",
      "w trainable weight of MatMul\nturn constant positions as sines and cosines\n"
      "half constant positions as sines and cosines\nown trainable summand of Add\n" },
    /* the same with the samples in between */
    { "g (float[T,N,4] x) => (float[T,N,4] y)\n"
      "<float[4,4] w = {1,2,3,4,1,2,3,4,1,2,3,4,1,2,3,4}, float[2,1,4] pe = "
      "{0,1,0,1,0.84147098,0.54030231,0.00999983,0.99995}>\n"
      "{ h = MatMul (x, w) y = Add (h, pe) }",
      "w trainable weight of MatMul\npe constant positions as sines and cosines\n" },
    /* a factor that is 0 here and 1 there; a table of relative positions; positions behind the values */
    { "g (float[N,2,2] x) => (float[N,2,2] y)\n"
      "<float[2,2] q = {1,2,3,4}, float[2,2] tri = {1,0,1,1}, float[3,2] table = {1,2,3,4,5,6}, int64[2] i = {0,2},\n"
      " float[2,2] pos = {1,2,3,4}>\n"
      "{ h = MatMul (x, q) t = Transpose <perm = [0, 2, 1]> (h) c = MatMul (h, t) m = Mul (c, tri) g = Gather (table, "
      "i)\n"
      "  d = Add (m, g) s = Softmax (d) o = MatMul (s, h) r = Add (o, x) y = Add (r, pos) }",
      "q trainable weight of MatMul\ntri constant a mask\npos trainable summand of Add\n"
      "table trainable summand of Add, through Gather\n" },
    /* a normalisation by what is computed, before the first layer */
    { "g (float[N,3,2] x) => (float[N,3,2] y)\n"
      "<float[2,2] w = {1,2,3,4}, float[2] gamma = {1.5,2}, float[2] beta = {1,2}, int64[1] last = {-1}>\n"
      "{ m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) p = Mul (d, d) v = ReduceMean <axes = [-1]> (p) s = Sqrt (v)\n"
      "  n = Div (d, s) a = Mul (n, gamma) b = Add (a, beta) y = MatMul (b, w) }",
      "gamma trainable factor of Mul\nbeta trainable summand of Add\nw trainable weight of MatMul\n" },
    /* the same as Keras writes it, x m + (beta - mean m) with m = gamma / deviation, beta behind it, too */
    { "g (float[N,3,2] x) => (float[N,3,2] y)\n" KERAS_FIRST
      "s = Sqrt (e) r = Reciprocal (s) i = Mul (r, gamma) a = Mul (x, i)\n"
      "  b = Mul (n, i) c = Add (b, beta) z = Add (a, c) y = MatMul (z, w) }",
      "eps constant a scalar\ngamma trainable factor of Mul\nbeta trainable summand of Add\nw trainable weight of "
      "MatMul\n" },
    { "g (float[N,3,2] x) => (float[N,3,2] y)\n" KERAS_FIRST "s = Sqrt (e) r = Reciprocal (s) a = Mul (x, r)\n"
      "  b = Mul (n, r) c = Add (b, a) f = Mul (c, gamma) z = Add (f, beta) y = MatMul (z, w) }",
      "eps constant a scalar\ngamma trainable factor of Mul\nbeta trainable summand of Add\nw trainable weight of "
      "MatMul\n" },
    { "g (float[N,3,2] x) => (float[N,3,2] y)\n"
      "<float[2,2] w = {1,2,3,4}, float[2] gamma = {1.5,2}, float eps = {0.001}, float half = {-0.5}> {\n"
      "m = GlobalAveragePool (x) q = Mul (x, x) o = GlobalAveragePool (q) k = Mul (m, m) v = Sub (o, k)\n"
      "e = Add (eps, v) r = Pow (e, half) i = Mul (gamma, r) z = Mul (x, i) y = MatMul (z, w) }",
      "eps constant a scalar\ngamma trainable factor of Mul\nw trainable weight of MatMul\n"
      "half constant no place where something is learned\n" },
    /* a root of the input itself, and a mean of it, are preprocessing */
    { "g (float[N,3,2] x) => (float[N,3,2] y) <float[2,2] w = {1,2,3,4}, float[2] f = {1.5,2}, float[2] o = {1,2}>\n"
      "{ s = Sqrt (x) a = Mul (s, f) m = ReduceMean <axes = [-1]> (x) b = Mul (m, o) c = Add (a, b) y = MatMul (c, w) "
      "}",
      "f constant is done to an input before the first layer\no constant is done to an input before the first layer\n"
      "w trainable weight of MatMul\n" },
    /* the bias of one unit, whose weight is made by a node; of three units it would be none */
    { "g (float[N,3,2] x) => (float[N,3,1] y) <float[1,2] w = {1,2}, float[1] b = {1}>\n"
      "{ t = Transpose (w) h = MatMul (x, t) y = Add (b, h) }",
      "w trainable weight of MatMul\nb trainable summand of Add\n" },
    { "g (float[N,1] x) => (float[N,3] y) <float[1,3] w = {1,2,3}, float[1] b = {1}>\n"
      "{ h = MatMul (x, w) y = Add (b, h) }",
      "w trainable weight of MatMul\nb constant a scalar\n" },
    /* what TensorFlow calls a variable is one, as the scale of Keras' Attention */
    { "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float two = {2},\n"
      "  float \"attention/Mul/ReadVariableOp:0\" = {1}>\n"
      "{ h = MatMul (x, w) a = Mul (h, two) y = Mul (a, \"attention/Mul/ReadVariableOp:0\") }",
      "w trainable weight of MatMul\ntwo constant a scalar\n"
      "attention/Mul/ReadVariableOp:0 trainable factor of Mul\n" },
    /* a state that a layer begins with, the same for each sample; a layer without, as it is written */
    { "g (float[2,N,1] x) => (float[2,1,N,2] y) " STATES("h") "(x, w, r, , , e, e) }",
      "w trainable weight of LSTM\nr trainable recurrent weight of LSTM\n"
      "h trainable initial state of LSTM, through Expand\n" REST("z") REST("k") },
    { "g (float[2,N,1] x) => (float[2,1,N,2] y) " STATES("z") "(x, w, r, , , , e) }",
      "w trainable weight of LSTM\nr trainable recurrent weight of LSTM\n"
      "z constant is no state that was learned for all samples\n" REST("h") REST("k") },
    { "g (float[2,1,1] x) => (float[2,1,1,2] y) " STATES("z") "(x, w, r, , , h, k) }",
      "w trainable weight of LSTM\nr trainable recurrent weight of LSTM\n"
      "h constant is no state that was learned for all samples\n"
      "k constant is no state that was learned for all samples\n" REST("z") },
    { "g (float[2,N,1] x) => (float[2,1,N,2] y)\n"
      "<float[1,2,1] w = {1,2}, float[1,2,2] r = {1,2,3,4}, float[1,4] b = {1,2,3,4}, float[1,1,2] h = {0.5,0.25}, "
      "int64[1] i = {1}, int64[1] one = {1}, int64[1] two = {2}>\n"
      "{ s = Shape (x) n = Gather (s, i) t = Concat <axis = 0> (one, n, two) e = Expand (h, t)\n"
      "  y = RNN <hidden_size = 2> (x, w, r, b, , e) }",
      "w trainable weight of RNN\nr trainable recurrent weight of RNN\nb trainable bias of RNN\n"
      "h trainable initial state of RNN, through Expand\n" },
    /* of a layer that is written as a Scan, which carries one of its weights */
    { "g (float[N,3,2] x, float[N,2] h0) => (float[N,2] h) <float[2,2] w = {1,2,3,4}, float[2,2] u = {1,2,3,4}, "
      "float[2] b "
      "= {1,2}>\n"
      "{ h, v = Scan <num_scan_inputs = 1, scan_input_axes = [1], body = c (h1, u1, e) => (h2, u2) { p = MatMul (e, w) "
      "q = "
      "MatMul (h1, u1) r = Add (p, q) s = Add (r, b) h2 = Tanh (s) u2 = Identity (u1) }> (h0, u, x) }",
      "w trainable weight of MatMul\nu trainable weight of MatMul\nb trainable summand of Add\n" },
    /* beta of a BatchNormalization that takes the batch's statistics; it says nothing of other differences */
    { "g (float[N,2] x) => (float[N,2] y) " WRITTEN "t = Mul (s, m) c = Sub (beta, t) b = Mul (h, m) y = Add (b, c) }",
      "w trainable weight of MatMul\ngamma trainable factor of Mul\nbeta trainable minuend of Sub\n" },
    { "g (float[N,2] x) => (float[N,2] y) " WRITTEN "t = Mul (m, s) c = Sub (beta, t) b = Mul (h, m) y = Add (b, c) }",
      "w trainable weight of MatMul\ngamma trainable factor of Mul\nbeta trainable minuend of Sub\n" },
    { "g (float[N,2] x) => (float[N,2] y) " WRITTEN "t = Mul (h, m) y = Sub (beta, t) }",
      "w trainable weight of MatMul\ngamma trainable factor of Mul\n"
      "beta constant no place where something is learned\n" },
    { "g (float[N,2] x) => (float[N,2] y) " WRITTEN "t = Mul (h, m) y = Sub (t, beta) }",
      "w trainable weight of MatMul\ngamma trainable factor of Mul\n"
      "beta constant no place where something is learned\n" },
    /* GroupNormalization: the ones and zeros of groups; and what would be some */
    { "g (float[N,4,2] x) => (float[N,4,2] y) " GROUPS
      "{ a = Conv (x, w) r = Reshape (a, g) i = InstanceNormalization (r, "
      "one, zero)\n  c = Reshape (i, s) m = Mul (f, c) y = Add (m, o) }",
      "w trainable weight of Conv\none constant is of groups, whose channels have factors of their own\n"
      "zero constant is of groups, whose channels have factors of their own\nf trainable factor of Mul\n"
      "o trainable summand of Add\n" KILNS },
    { "g (float[N,4,2] x) => (float[N,4,2] y) " GROUPS
      "{ a = Conv (x, w) r = Reshape (a, g) i = InstanceNormalization (r, "
      "zero, one)\n  c = Reshape (i, s) m = Mul (c, f) y = Add (m, o) }",
      "w trainable weight of Conv\nzero trainable scale of InstanceNormalization\n"
      "one trainable bias of InstanceNormalization\nf trainable factor of Mul\no trainable summand of Add\n" KILNS },
    { "g (float[N,4,2] x) => (float[N,4,2] y, float[N,2,4] z) " GROUPS "{ a = Conv (x, w) r = Reshape (a, g)\n"
      "  z = InstanceNormalization (r, one, zero) q = Relu (z) c = Reshape (q, s) m = Mul (c, f) y = Add (m, o) }",
      "w trainable weight of Conv\none trainable scale of InstanceNormalization\n"
      "zero trainable bias of InstanceNormalization\nf trainable factor of Mul\no trainable summand of Add\n" KILNS },
    { "g (float[N,4,2] x) => (float[N,4,2] y) " GROUPS
      "{ a = Conv (x, w) r = Reshape (a, g) i = InstanceNormalization (r, "
      "one, zero)\n  c = Reshape (i, s) p = Sigmoid (x) y = Mul (c, p) }",
      "w trainable weight of Conv\none trainable scale of InstanceNormalization\n"
      "zero trainable bias of InstanceNormalization\n"
      "f constant no place where something is learned\no constant no place where something is learned\n" KILNS },
    /* what is a step function of it learns nothing */
    { "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1.2,2,3,4}, float[2] b = {0.5,1}>\n"
      "{ r = Round (w) h = MatMul (x, r) y = Add (h, b) }",
      "b trainable summand of Add\nw constant no place where something is learned\n" },
    /* sizes are no content */
    { "g (float[N,1,4,4] x) => (float[N,1,4,4] y)\n"
      "<float[1,1,2,2] w = {1,2,3,4}, float[4] sizes = {1,1,2,2}, float[1,1,1,1] k = {2}>\n"
      "{ h = Conv (x, k) r = Resize (w, , sizes) y = Add (h, r) }",
      "k trainable weight of Conv\nw trainable summand of Add, through Resize\n"
      "sizes constant no place where something is learned\n" },
    /* a class token that is repeated for each sample; what is joined beside it is padding, or coordinates */
    { "g (float[N,2,2] x) => (float[N,3,2] y, float[N,4,2] z, float[N,3,2,2] v)\n"
      "<float[2,2] w = {1,2,3,4}, float[1,1,2] t = {0.5,-0.5}, float[1,1,2] pad = {0,0}, float[1,1,2] cls_token = "
      "{0,0},"
      " int64[1] i0 = {0}, int64[1] "
      "i1 "
      "= {1},\n"
      " int64[2] tail = {1,2}, float[1,1,2,2] grid = {0,1,2,3}, int64[4] s = {-1,2,2,2}>\n"
      "{ h = MatMul (x, w) m = Shape (x) n = Slice (m, i0, i1) q = Concat <axis = 0> (n, tail) e = Expand (t, q)\n"
      "  y = Concat <axis = 1> (e, h) p = Expand (pad, q) c = Expand (cls_token, q) z = Concat <axis = 1> (p, c, h)\n"
      "  hh = Concat <axis = 1> (h, h) r = Reshape (hh, s) v = Concat <axis = 1> (r, grid) }",
      "w trainable weight of MatMul\ngrid constant is joined to activations, and no token of a sequence\n"
      "t trainable token of Concat, through Expand\n"
      "pad constant is joined to activations, and no token of a sequence\n"
      "cls_token trainable token of Concat, through Expand\n" },
    /* an embedding of positions, trained or not; what else is added */
    { "g (float[N,2,2] x) => (float[N,2,2] y) <float[2,2] w = {1,2,3,4}, float[1,2,2] \"e.pos_embedding\" = "
      "{0,0,0,0},\n"
      "float[2,2] \"m/position_embedding/t:0\" = {0.1,0.2,0.3,0.4}, float[2] pos = {1,2}>\n"
      "{ h = MatMul (x, w) a = Add (h, \"e.pos_embedding\") b = Add (\"m/position_embedding/t:0\", a)\n"
      "  y = Add (b, pos) }",
      "w trainable weight of MatMul\ne.pos_embedding trainable position embedding of Add\n"
      "m/position_embedding/t:0 trainable position embedding of Add\npos trainable summand of Add\n" },
    /* Keras' own, a variable that begins with zeros; and what TensorFlow's repeat makes of one */
    { "g (float[N,2,2] x) => (float[N,3,2] y, float[N,3,2] z, float[N,3,2] u)\n"
      "<float[2,2] w = {1,2,3,4}, float[1,1,2] \"t/Tile/ReadVariableOp:0\" = {0,0}, float[1,1,1,2] t = {0.5,1},\n"
      " float[1,1,1,2] s = {0.5,1}, int64[1] i0 = {0}, int64[1] i1 = {1}, int64[2] tail = {1,1},\n"
      " int64[3] more = {1,1,1}, int64[3] shape = {-1,1,2}, int64[1] a = {1}>\n"
      "{ h = MatMul (x, w) m = Shape (x) n = Slice (m, i0, i1) q = Concat <axis = 0> (n, tail)\n"
      "  e = Tile (\"t/Tile/ReadVariableOp:0\", q) y = Concat <axis = 1> (e, h) r = Concat <axis = 0> (n, more)\n"
      "  k = Tile (t, r) l = Reshape (k, shape) z = Concat <axis = 1> (l, h)\n"
      "  o = Tile (s, r) p = Squeeze (o, a) u = Concat <axis = 1> (p, h) }",
      "w trainable weight of MatMul\n"
      "t/Tile/ReadVariableOp:0 trainable token of Concat, through Tile\n"
      "t trainable token of Concat, through Tile\n"
      "s constant is joined to activations, and no token of a sequence\n" },
};

START_TEST(each_constant_has_a_reason)
{
    char got[2000], text[2000];

    snprintf(text, sizeof text, HEAD "%s", models[_i].text);
    describe(text, NULL, got, sizeof got);
    ck_assert_str_eq(got, models[_i].want);
}
END_TEST

/* -- buffers -- */

static void tell(struct model *m, Onnx__StringStringEntryProto ***entries, size_t *count, const char *key,
                 const char *value)
{
    Onnx__StringStringEntryProto *e = message_new(&onnx__string_string_entry_proto__descriptor, &m->budget, &report);
    size_t room = 0;

    expect_ok(e && (e->key = message_string(key, strlen(key), &m->budget, &report)) &&
              (e->value = message_string(value, strlen(value), &m->budget, &report)) &&
              budget_grow(&m->budget, entries, &room, 1, sizeof **entries, &report));
    (*entries)[(*count)++] = e;
}

/* PyTorch's newer exporter says which are buffers, and of what it has computed others. */
START_TEST(buffers_do_not_train)
{
    static const char text[] =
        HEAD "g (float[N,2] x) => (float[N,2] y)\n"
             "<float[2,2] w = {1,2,3,4}, float[2] scale = {2,3}, float[2] a = {1,2}, float[2] b = {1,2}, float[2] c = "
             "{3,4},\n float[2] lifted = {3,4}, float[2] mean = {0,1}, float[2] var = {1,2}, float[2] ones = {1,1},\n"
             " float[2] a, float[2] b, float[2] c>\n"
             "{ h = MatMul (x, w) p = Mul (h, scale) q = Mul (p, a) r = Add (q, b) s = Add (r, c) t = Add (s, lifted)\n"
             "  y = BatchNormalization (t, ones, c, mean, var) }";
    static const char signature[] = "\n# inputs\np_w: PARAMETER target='w'\np_q: PARAMETER target='q'\n"
                                    "b_scale: BUFFER target='scale' persistent=True\n"
                                    "b_pe: BUFFER target='pe' persistent=False\nc_l: CONSTANT_TENSOR target='lifted'\n"
                                    "b_mean: BUFFER target='mean' persistent=True\n"
                                    "b_var: BUFFER target='var'\nb_ones: BUFFER target='ones'\n"
                                    "odd: BUFFER target='c\n\n# outputs\ny: USER_OUTPUT\n";
    /* of a buffer that the graph still has, and what was made on the way; of one and a parameter; of neither */
    static const char *const folded[] = { "['add', 'scale', 'val_1']", "['pe', 'q']", "['add', 'val_2']" };
    static const char want[] =
        "w trainable weight of MatMul\nscale constant a buffer, which does not train in PyTorch\n"
        "a constant a buffer, which does not train in PyTorch\nb trainable summand of Add\n"
        "c trainable summand of Add\n"
        "lifted constant a buffer, which does not train in PyTorch\n"
        "ones trainable scale of BatchNormalization\n"
        "mean statistic running mean of BatchNormalization\n"
        "var statistic running variance of BatchNormalization\n";
    struct arena arena = { .budget = &budget };
    struct model *m = model_of(text);
    Onnx__GraphProto *g = m->proto->graph;
    struct parameters p;
    char got[2000] = "";
    size_t n = 0;

    tell(m, &g->metadata_props, &g->n_metadata_props, "pkg.torch.export.ExportedProgram.graph_signature", signature);
    for (size_t k = 0; k < 3; k++)
        tell(m, &g->value_info[k]->metadata_props, &g->value_info[k]->n_metadata_props,
             "pkg.onnxscript.optimizer.folded_from", folded[k]);
    expect_ok(parameters_find(&p, m, NULL, &arena, &report));
    for (size_t k = 0; k < p.count; k++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s %s %s\n", p.at[k].value->name, role_name(p.at[k].role),
                              p.at[k].why);
    ck_assert_str_eq(got, want);
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* -- single numbers of PyTorch's -- */

#define BY "<ir_version: 8, opset_import: [\"\": 17], producer_name: \""
#define OF_MODULES(producer, node)                                                                                     \
    BY producer "\">\ng (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float alpha = {2},\n"              \
                "  float[1] \"blocks.0.beta\" = {3}, float[1,1] logit_scale = {4}>\n"                                  \
                "{ h = MatMul (x, w) [\"" node "Mul\"] a = Mul (h, alpha) [\"" node                                    \
                "Mul_1\"] b = Mul (\"blocks.0.beta\", a)\n  e = Exp (logit_scale) [\"" node                            \
                "Mul_2\"] y = Mul (b, e) }"
#define STAY                                                                                                           \
    "w trainable weight of MatMul\nalpha constant a scalar\nblocks.0.beta constant a scalar\n"                         \
    "logit_scale constant a scalar\n"
#define LEARN                                                                                                          \
    "w trainable weight of MatMul\nalpha trainable factor of Mul by its name\n"                                        \
    "blocks.0.beta trainable factor of Mul by its name\n"                                                              \
    "logit_scale trainable factor of Mul, through Exp by its name\n"

static const struct {
    const char *text, *signature, *folded; /* of what alpha was computed */
    const char *want;
} numbers[] = {
    /* the older exporter calls parameters and buffers alike, nodes by modules or by operators */
    { OF_MODULES("pytorch", "/blocks.0/"), NULL, NULL, LEARN },
    { OF_MODULES("pytorch", ""), NULL, NULL, LEARN },
    { OF_MODULES("tf2onnx", "/"), NULL, NULL, STAY },
    /* what it makes itself */
    { BY
      "pytorch\">\ng (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float \"onnx::Mul_12\" = {2},\n"
      "float \"/Constant_output_0\" = {2}, float \"12\" = {2}, float val_3 = {2}, float _val_3 = {2},\n"
      "float lifted_tensor_0 = {2}, float _tensor_constant0 = {2}, float scalar_tensor_default = {2},\n"
      "float \"a..b\" = {2}, float \"a.\" = {2}, float \"0.a\" = {2}>\n"
      "{ h = MatMul (x, w) [\"/Mul\"] a = Mul (h, \"onnx::Mul_12\") [\"/Mul_1\"] b = Mul (a, \"/Constant_output_0\")\n"
      " [\"/Mul_2\"] c = Mul (b, \"12\") [\"/Mul_3\"] d = Mul (c, val_3) [\"/Mul_4\"] e = Mul (d, _val_3)\n"
      " [\"/Mul_5\"] f = Mul (e, lifted_tensor_0) [\"/Mul_6\"] i = Mul (f, _tensor_constant0)\n"
      " [\"/Mul_7\"] j = Mul (i, scalar_tensor_default) [\"/Mul_8\"] k = Mul (j, \"a..b\")\n"
      " [\"/Mul_9\"] l = Mul (k, \"a.\") [\"/Mul_10\"] y = Mul (l, \"0.a\") }",
      NULL, NULL,
      "w trainable weight of MatMul\nonnx::Mul_12 constant a scalar\n/Constant_output_0 constant a scalar\n"
      "12 constant a scalar\nval_3 constant a scalar\n_val_3 constant a scalar\nlifted_tensor_0 constant a scalar\n"
      "_tensor_constant0 constant a scalar\nscalar_tensor_default constant a scalar\na..b constant a scalar\n"
      "a. constant a scalar\n0.a constant a scalar\n" },
    /* the newer one may call anything so, where it does not say what is a parameter */
    { OF_MODULES("pytorch", "node_"), NULL, NULL,
      "w trainable weight of MatMul\n"
      "alpha constant a scalar: it is called as PyTorch's parameters are, and as what its exporter makes\n"
      "blocks.0.beta constant a scalar: it is called as PyTorch's parameters are, and as what its exporter makes\n"
      "logit_scale constant a scalar: it is called as PyTorch's parameters are, and as what its exporter makes\n" },
    { OF_MODULES("pytorch", "node_"),
      "p_b: PARAMETER target='blocks.0.beta'\np_l: PARAMETER target='logit_scale'\np_s: PARAMETER target='s'", "['s']",
      "w trainable weight of MatMul\nalpha constant a scalar: it was computed of parameter 's'\n"
      "blocks.0.beta trainable factor of Mul\nlogit_scale trainable factor of Mul, through Exp\n" },
    { OF_MODULES("pytorch", "/"),
      "p_w: PARAMETER target='w'\nb_b: BUFFER target='blocks.0.beta'\nb_l: BUFFER target='logit_scale'", "['val_1']",
      "w trainable weight of MatMul\nalpha constant a scalar\n"
      "blocks.0.beta constant a buffer, which does not train in PyTorch\n"
      "logit_scale constant a buffer, which does not train in PyTorch\n" },
};

static void fold(struct model *m, const char *name, const char *of)
{
    Onnx__GraphProto *g = m->proto->graph;
    Onnx__ValueInfoProto *v = message_new(&onnx__value_info_proto__descriptor, &m->budget, &report);
    size_t room = 0;

    expect_ok(v && (v->name = message_string(name, strlen(name), &m->budget, &report)) && !g->n_value_info &&
              budget_grow(&m->budget, &g->value_info, &room, 1, sizeof *g->value_info, &report));
    g->value_info[g->n_value_info++] = v;
    tell(m, &v->metadata_props, &v->n_metadata_props, "pkg.onnxscript.optimizer.folded_from", of);
}

START_TEST(single_numbers_of_modules_are_learned)
{
    struct arena arena = { .budget = &budget };
    struct model *m = model_of(numbers[_i].text);
    Onnx__GraphProto *g = m->proto->graph;
    struct parameters p;
    char got[2000] = "";
    size_t n = 0;

    if (numbers[_i].signature)
        tell(m, &g->metadata_props, &g->n_metadata_props, "pkg.torch.export.ExportedProgram.graph_signature",
             numbers[_i].signature);
    if (numbers[_i].folded)
        fold(m, "alpha", numbers[_i].folded);
    expect_ok(parameters_find(&p, m, NULL, &arena, &report));
    for (size_t k = 0; k < p.count; k++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s %s %s%s%s%s\n", p.at[k].value->name, role_name(p.at[k].role),
                              p.at[k].why, p.at[k].unsure ? ": " : "", p.at[k].unsure ? p.at[k].unsure : "",
                              p.at[k].by_name ? " by its name" : "");
    ck_assert_str_eq(got, numbers[_i].want);
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* -- two biases -- */

/* Keras' LSTM has one bias, ONNX' two, of which its exporter leaves one 0: that stays so. PyTorch's both learn. */
START_TEST(a_bias_that_is_left_out_stays_so)
{
    static const struct {
        const char *producer, *bias, *op;
        bool half;
    } cases[] = {
        { "tf2onnx", "1,1,1,1,0,0,0,0", "LSTM", true },
        { "pytorch", "1,1,1,1,0.5,0,0,0", "LSTM", false },
        { "tf2onnx", "0,0,0,0,0,0,0,0", "LSTM", true },
        { "pytorch", "0,0,0,0,0,0,0,0", "LSTM", false },
        { "pytorch", "1,1,1,1,0,0,0,0", "LSTM", true },
        { "tf2onnx", "0,0,0,0,0,0,0,1", "LSTM", false },
        { "tf2onnx", "1,1,1,0,0,0", "GRU", true },
        { "tf2onnx", "0,0,0,0,0,0", "GRU", false },
        { "tf2onnx", "0,0", "RNN", true },
        { "pytorch", "0,0", "RNN", false },
        { "pytorch", "1,0", "RNN", true },
        { "tf2onnx", "0,1", "RNN", false },
    };
    const struct trainer_options o = { .optimizer = "adam", .threads = 1, TARGET(.form = TARGETS_VALUES) };
    const int gates = strcmp(cases[_i].op, "GRU") == 0 ? 3 : strcmp(cases[_i].op, "RNN") == 0 ? 1 : 4;
    const int commas = 2 * gates - 1;
    const float data[] = { 1, -2 }, labels[] = { 3, 1 };
    struct tensor x, y;
    const float *b;
    struct trainer *t;
    struct model *m;
    char text[800];
    float loss;

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": 17], producer_name: \"%s\">\n"
             "g (float[N,1,1] x) => (float[N,1,1,1] y) <float[1,%d,1] w = {%.*s}, float[1,%d,1] r = {%.*s}, "
             "float[1,%d] b = {%s}>\n"
             "{ y = %s <hidden_size = 1> (x, w, r, b) }",
             cases[_i].producer, gates, commas, "1,2,3,4", gates, commas, "1,2,3,4", 2 * gates, cases[_i].bias,
             cases[_i].op);
    m = model_of(text);
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    ck_assert_int_eq(parameters_elements(&t->parameters, ROLE_TRAINABLE), (cases[_i].half ? 3 : 4) * gates);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = 2;
    x.data = (void *)(uintptr_t)data;
    y.data = (void *)(uintptr_t)labels;
    for (int k = 0; k < 3; k++)
        expect_ok(trainer_step(t, &x, &y, &loss, &report));
    b = trainer_state(t, "b", NULL)->data;
    for (int k = 0; cases[_i].half && k < gates; k++)
        ck_assert_float_eq(b[gates + k], 0);
    ck_assert_float_ne(b[0], cases[_i].bias[0] == '1' ? 1 : 0);
    ck_assert(cases[_i].half || b[2 * gates - 1] != (cases[_i].bias[4 * gates - 2] == '1' ? 1 : 0));
    trainer_free(t);
    model_free(m);
}
END_TEST

/* -- patterns -- */

static const char named[] = HEAD
    "g (float[N,2] x) => (float[N,2] y) <float[2,2] const_fold_opt__1 = {1,2,3,4}, float[2,2] w = {1,2,3,4}, float[2] "
    "b = {1,2}>\n"
    "{ [\"net/depthwise\"] h = MatMul (x, const_fold_opt__1) [\"net/dense/MatMul\"] d = MatMul (h, w) y = Add (d, b) }";

START_TEST(patterns_go_by_names_of_nodes_too)
{
    static const struct {
        const char *train[2], *freeze[1];
        size_t trains, freezes;
        const char *want;
    } cases[] = {
        { { 0 },
          { "*depthwise" },
          0,
          1,
          "const_fold_opt__1 frozen frozen by '*depthwise'\nw trainable weight of MatMul\nb trainable summand of "
          "Add\n" },
        { { "*dense*" },
          { 0 },
          1,
          0,
          "const_fold_opt__1 frozen not among those that are to train\nw trainable weight of MatMul\n"
          "b frozen not among those that are to train\n" },
        { { "b", "*dense*" },
          { "w" },
          2,
          1,
          "const_fold_opt__1 frozen not among those that are to train\nw frozen frozen by 'w'\nb trainable summand of "
          "Add\n" },
    };
    const struct parameter_patterns p = {
        .trains = cases[_i].trains, .freezes = cases[_i].freezes, .train = cases[_i].train, .freeze = cases[_i].freeze
    };
    char got[1000];

    describe(named, &p, got, sizeof got);
    ck_assert_str_eq(got, cases[_i].want);
}
END_TEST

/* What an exporter has folded bears no layer's name, and the node that reads it may bear none either: then the other
 * parameters of the node tell. A name that says what a parameter is does not mean them. */
START_TEST(patterns_go_by_layers_too)
{
    static const char text[] =
        HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] const_fold_opt__1 = {1,2,3,4}, float[2] "
             "\"net/dw_1/Squeeze:0\" = {1,2}, float[2,2] \"net/dense/kernel\" = {1,2,3,4}>\n"
             "{ [\"Gemm__7\"] h = Gemm (x, const_fold_opt__1, \"net/dw_1/Squeeze:0\")\n"
             "[\"MatMul__9\"] y = MatMul (h, \"net/dense/kernel\") }";
    static const struct {
        const char *freeze, *want;
    } cases[] = {
        { "net/dw_1", "const_fold_opt__1 frozen frozen by 'net/dw_1'\nnet/dw_1/Squeeze:0 frozen frozen by 'net/dw_1'\n"
                      "net/dense/kernel trainable weight of MatMul\n" },
        { "*Squeeze*", "const_fold_opt__1 trainable weight of Gemm\nnet/dw_1/Squeeze:0 frozen frozen by '*Squeeze*'\n"
                       "net/dense/kernel trainable weight of MatMul\n" },
        { "net/dense", "const_fold_opt__1 trainable weight of Gemm\nnet/dw_1/Squeeze:0 trainable bias of Gemm\n"
                       "net/dense/kernel frozen frozen by 'net/dense'\n" },
    };
    const struct parameter_patterns p = { .freezes = 1, .freeze = &cases[_i].freeze };
    char got[1000];

    describe(text, &p, got, sizeof got);
    ck_assert_str_eq(got, cases[_i].want);
}
END_TEST

START_TEST(a_pattern_must_match)
{
    static const char *const nothing[] = { "conv*" };
    const struct parameter_patterns ways[] = { { .trains = 1, .train = nothing }, { .freezes = 1, .freeze = nothing } };
    struct arena a = { .budget = &budget };
    struct model *m = model_of(named);
    struct parameters p;

    for (int k = 0; k < 2; k++) {
        ck_assert(!parameters_find(&p, m, &ways[k], &a, &report));
        expect_error(KILN_BAD_ARGUMENT, "'conv*' names no trainable parameter, and no node that reads one");
    }
    arena_release(&a);
    model_free(m);
}
END_TEST

/* -- normalisation -- */

/* One step of two layers of normalisation. Where the first is frozen, it works as in inference, however its scale comes. */
START_TEST(a_frozen_layer_is_found_behind_nodes)
{
    static const char pattern[] =
        HEAD "g (float[N,2] x) => (float[N,2] y)\n"
             "<float[2] g0 = {1,1}, float[2] b0 = {0,1}, float[2] m0 = {0,0}, float[2] v0 = {1,1},\n"
             " float[2] g1 = {1,1}, float[2] b1 = {0,0}, float[2] m1 = {0,0}, float[2] v1 = {1,1}>\n"
             "{ %s z = BatchNormalization (x, %s, %s, m0, v0) y = BatchNormalization (z, g1, b1, m1, v1) }";
    static const char *const patterns[] = { "[gb]0" };
    const struct trainer_options o = { .optimizer = "sgd",
                                       .threads = 1,
                                       .patterns = { .freezes = 1, .freeze = patterns },
                                       TARGET(.form = TARGETS_VALUES) };
    const float data[] = { 1, 2, 3, 5 }, labels[] = { 0, 0, 0, 0 };
    float loss[2];

    for (int k = 0; k < 2; k++) {
        struct trainer *t;
        struct tensor x, y;
        struct model *m;
        char text[800];

        snprintf(text, sizeof text, pattern, k ? "i = Identity (g0) s = Mul (i, i) j = Identity (b0)" : "",
                 k ? "s" : "g0", k ? "j" : "b0");
        m = model_of(text);
        t = trainer_new(m, &o, &report);
        expect_ok(t);
        x = t->x[0];
        y = t->targets->y;
        x.dims[0] = y.dims[0] = 2;
        x.data = (void *)(uintptr_t)data;
        y.data = (void *)(uintptr_t)labels;
        expect_ok(trainer_step(t, &x, &y, &loss[k], &report));
        ck_assert_float_eq(((float *)trainer_state(t, "m0", NULL)->data)[0], 0);
        ck_assert_float_ne(((float *)trainer_state(t, "m1", NULL)->data)[0], 0);
        trainer_free(t);
        model_free(m);
    }
    ck_assert_float_eq(loss[0], loss[1]);
}
END_TEST

/* Rows that are made of another shape are not those of the file: then nothing is known of halves. */
START_TEST(halves_are_those_that_are_read)
{
    static const struct {
        const char *b, *made;
        int64_t want; /* of b */
    } cases[] = {
        { "float[8] b = {1,1,1,1,0,0,0,0}", "Unsqueeze (b, i0)", 4 },
        { "float[8] b = {1,1,1,1,0,0,0,0}", "Reshape (b, s)", 8 },
        { "float[8,1] b = {1,1,1,1,0,0,0,0}", "Transpose (b)", 8 },
    };
    struct arena a = { .budget = &budget };
    struct parameters p;
    struct model *m;
    char text[800];

    snprintf(text, sizeof text,
             HEAD
             "g (float[N,1,1] x) => (float[N,1,1,1] y) <float[1,4,1] w = {1,2,3,4}, float[1,4,1] r = {1,2,3,4}, %s,\n"
             " int64[1] i0 = {0}, int64[2] s = {1,8}> { c = %s y = LSTM <hidden_size = 1> (x, w, r, c) }",
             cases[_i].b, cases[_i].made);
    m = model_of(text);
    expect_ok(parameters_find(&p, m, NULL, &a, &report));
    ck_assert_int_eq(parameters_elements(&p, ROLE_TRAINABLE), 8 + cases[_i].want);
    arena_release(&a);
    model_free(m);
}
END_TEST

/* Statistics that two layers read, merged by a tool, and that are inputs of the graph as well. */
START_TEST(statistics_that_may_be_overridden_are_each_layers_own)
{
    static const char pattern[] =
        "<ir_version: %d, opset_import: [\"\": 17]>\n"
        "g (float[N,1] x, float[1] m, float[1] v, float[1] g, float[1] b, float[1,1] w) => (float[N,1] y)\n"
        "<float[1] m = {0}, float[1] v = {1}, float[1] g = {1}, float[1] b = {0}, float[1,1] w = {3}>\n"
        "{ a = BatchNormalization (x, g, b, m, v) c = MatMul (a, w)\n"
        "  y = BatchNormalization (c, g, b, m, v) }";
    const struct trainer_options o = {
        .optimizer = "sgd:learning_rate=0", .threads = 1, .untie = _i & 2, TARGET(.form = TARGETS_VALUES)
    };
    const float data[] = { 1, 3 }, labels[] = { 0, 0 };
    struct tensor x, y;
    struct trainer *t;
    struct model *m, *learned;
    char text[800];
    float loss;

    snprintf(text, sizeof text, pattern, _i & 1 ? 3 : 10);
    m = model_of(text);
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    ck_assert_uint_eq(t->state_count - t->trainable, 4);
    ck_assert_uint_eq(t->trainable, _i & 2 ? 5 : 3);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = 2;
    x.data = (void *)(uintptr_t)data;
    y.data = (void *)(uintptr_t)labels;
    expect_ok(trainer_step(t, &x, &y, &loss, &report));
    learned = trainer_export(t, &report);
    expect_ok(learned && model_build(learned, &report));
    for (size_t k = 0; k < learned->proto->graph->n_initializer;
         k++) { /* before IR version 4 each is an input as well */
        bool listed = false;

        for (size_t i = 0; i < learned->proto->graph->n_input; i++)
            listed |= strcmp(learned->proto->graph->input[i]->name, learned->proto->graph->initializer[k]->name) == 0;
        ck_assert(listed || !(_i & 1));
    }
    model_free(learned);
    trainer_free(t);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("trainable");

    add_tests(s, each_constant_has_a_reason, sizeof models / sizeof *models);
    add_test(s, buffers_do_not_train);
    add_tests(s, single_numbers_of_modules_are_learned, sizeof numbers / sizeof *numbers);
    add_tests(s, a_bias_that_is_left_out_stays_so, 12);
    add_tests(s, halves_are_those_that_are_read, 3);
    add_tests(s, patterns_go_by_names_of_nodes_too, 3);
    add_tests(s, patterns_go_by_layers_too, 3);
    add_test(s, a_pattern_must_match);
    add_test(s, a_frozen_layer_is_found_behind_nodes);
    add_tests(s, statistics_that_may_be_overridden_are_each_layers_own, 4);
    return s;
}
