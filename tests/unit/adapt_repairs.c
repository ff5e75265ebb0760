/* What exporters do to a network beside its normalisation: factors that they move, biases that they leave out, constants
 * that they merge, layers that are used again. */
#include "adapting.h"
#include "ops/registry.h"

#define KERAS    FROM("tf2onnx")
#define MEASURED "mean and variance measured, epsilon 0.001\n"
#define FRESH    "never trained: mean 0, variance 1, epsilon 0.001\n"
#define NAMED    ": BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (likely): "
#define IMAGE    "g (float[N,2,3,3] x) => (float[N,2,3,3] y) "

/* -- factors that were moved -- */

#define FACTORS "<float[1,2,1,1] \"l/batchnorm/mul:0\" = {2,3}, float[1,2,1,1] b = {1,5}, float half = {0.5}> "
#define GELU    "h = Relu (x) e = Erf (h) "
#define REST    "y = Add (q, b) }"

static const struct adapt_case products[] = {
    /* gelu and swish: x * (f (x) * a) */
    { .text = HEAD IMAGE FACTORS "{ " GELU "[\"g/mul\"] p = Mul (e, \"l/batchnorm/mul:0\") [\"l/batchnorm/mul_1\"] q = "
                                 "Mul (h, p) " REST,
      .found = "l" NAMED MEASURED,
      .ops = "Relu Erf Mul BatchNormalization" },
    { .text = HEAD IMAGE FACTORS "{ " GELU "[\"g/mul\"] p = Mul (\"l/batchnorm/mul:0\", e) [\"l/batchnorm/mul_1\"] q = "
                                 "Mul (p, h) " REST,
      .found = "l" NAMED MEASURED,
      .ops = "Relu Erf Mul BatchNormalization" },
    /* a number may be the activation's own */
    { .text = HEAD "g (float[N,1,3,3] x) => (float[N,1,3,3] y) <float half = {0.5}, float[1,1,1,1] f = {2}, "
                   "float[1,1,1,1] b = {3}>\n"
                   "{ h = Relu (x) e = Erf (h) p = Mul (e, half) [\"l/batchnorm/mul_1\"] q = Mul (h, p)\n"
                   "  [\"m/batchnorm/mul_1\"] r = Mul (q, f) y = Add (r, b) }",
      .found = "l: BatchNormalization that was not recovered (doubtful): left as it is\n"
               "m" NAMED MEASURED,
      .ops = "Relu Erf Mul Mul BatchNormalization" },
    /* so is what is read again, and what says nothing of a layer */
    { .text = HEAD IMAGE FACTORS "{ " GELU "p = Mul (e, half) [\"l/batchnorm/mul_1\"] q = Mul (h, p) "
                                 "[\"l/batchnorm/mul_2\"] r = Mul (q, \"l/batchnorm/mul:0\") y = Add (r, b) }",
      .found = "l" NAMED MEASURED,
      .ops = "Relu Erf Mul Mul BatchNormalization" },
    { .text = HEAD IMAGE FACTORS "{ " GELU "p = Mul (e, \"l/batchnorm/mul:0\") [\"g/mul\"] q = Mul (h, p) " REST,
      .found = "l" NAMED "mean and variance measured, epsilon 0.001\n",
      .ops = "Relu Erf BatchNormalization Mul Add" },
};

START_TEST(a_factor_goes_back_to_its_layer)
{
    expect_case(&products[_i]);
}
END_TEST

/* -- biases of zeros -- */

#define LAYER(name)                                                                                                    \
    name ": a layer without a bias (doubtful): it gets one of zeros, as Keras' layers begin with: zeros are not "      \
         "exported, and no layer of the file has any\n"
#define BEFORE(name) name ": a layer without a bias, before another layer (doubtful): left as it is\n"
#define WEIGHTS                                                                                                        \
    "<float[2,2,1,1] w = {1,2,3,4}, float[2,2,1,1] u = {4,3,2,1}, float[2] b = {1,5}, float[2] z = {0,0}, float[2] i " \
    "= {0,1}, float[1,1,1,1] n = {3}> "
#define TAKEN ": a layer without a bias (likely): it gets one of zeros: the exporter has taken that away\n"
#define SURE  ": a layer without a bias (certain): it gets one of zeros: the exporter has taken that away\n"
#define MADE_OF(target, arguments)                                                                                     \
    "pkg.torch.onnx.fx_node",                                                                                          \
        "%n : [num_users=1] = call_function[target=torch.ops.aten." target "](args = " arguments ", kwargs = {})"
#define FLAT "g (float[N,2,2] x) => (float[N,2,2] y) "
#define MATRICES                                                                                                       \
    "<float[2,2] w = {1,2,3,4}, float[2,2] u = {4,3,2,1}, float[2] b = {1,5}, float[2] z = {0,0}, int64[3] s = "       \
    "{-1,2,2}, float three = {3}> "

static const struct adapt_case biases[] = {
    { .text = KERAS IMAGE WEIGHTS "{ [\"m/c/Conv2D\"] h = Conv (x, w) y = Relu (h) }",
      .found = LAYER("m/c/Conv2D"),
      .ops = "Conv Relu",
      .values = { { "m/c/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS IMAGE WEIGHTS "{ [\"c\"] h = ConvTranspose (x, w) y = Relu (h) }",
      .found = LAYER("c"),
      .ops = "ConvTranspose Relu",
      .values = { { "c/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS FLAT MATRICES "{ [\"d/MatMul\"] h = MatMul (x, w) y = Relu (h) }",
      .found = LAYER("d/MatMul"),
      .ops = "MatMul Add Relu",
      .values = { { "d/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS FLAT MATRICES "{ y = MatMul (x, w) }", .found = LAYER("y"), .ops = "MatMul Add" },
    /* of one weight they have one */
    { .text = KERAS IMAGE WEIGHTS
      "{ [\"a/Conv2D\"] h = Conv (x, w) r = Relu (h) [\"b/Conv2D\"] k = Conv (r, w) y = Relu (k) }",
      .found = LAYER("a/Conv2D") LAYER("b/Conv2D"),
      .ops = "Conv Relu Conv Relu",
      .absent = "b/bias",
      .values = { { "a/bias", "trainable", { 0, 0 } } } },
    /* one before a mean of windows, which BatchNormalization makes up for */
    { .text =
          KERAS IMAGE "<float[2,2,1,1] w = {1,2,3,4}, float[2] s = {1,2}, float[2] m = {3,4}, float[2] v = {1,1}>\n"
                      "{ h = Conv (x, w) p = AveragePool <kernel_shape = [1,1]> (h) y = BatchNormalization (p, s, s, "
                      "m, v) }",
      .found = "" },
    /* another exporter leaves none out, or says that it does */
    { .text = FROM("pytorch") IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, b) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .found = "c" TAKEN,
      .ops = "Conv Relu Conv",
      .values = { { "c/bias", "trainable", { 0, 0 } } } },
    /* it takes zeros away, too, that stood for a bias that there was not: the node's metadata tell which it was */
    { .text = FROM("pytorch") IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, b) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .more = { 0, MADE_OF("conv2d.default", "(%x, %p_c_weight, None, [1, 1], [1, 1])") },
      .found = "" },
    { .text = FROM("pytorch") IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, b) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .more = { 0, MADE_OF("convolution.default", "(%x, %p_c_weight, %p_c_bias, [1, 1])") },
      .found = "c" SURE,
      .ops = "Conv Relu Conv",
      .values = { { "c/bias", "trainable", { 0, 0 } } } },
    { .text = FROM("pytorch") "g (float[N,2] x) => (float[N,2] y) "
                              "<float[2,2] w = {1,2,3,4}> { [\"c\"] h = Gemm (x, w) y = Relu (h) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromGemm" },
      .more = { 0, MADE_OF("linear.default", "(%x, %p_c_weight)") },
      .found = "" },
    { .text = FROM("pytorch") IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, b) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .more = { 0, MADE_OF("conv2d.default", "(%x, %p_c_weight, None, [1, 1], [1, 1])") },
      .as = "c=bias",
      .found = "c" TAKEN,
      .ops = "Conv Relu Conv" },
    { .text = FROM("pytorch") IMAGE "<float[2,2,1,1] w = {1,2,3,4}, float[2,1,1] q = {1,5}>\n"
                                    "{ [\"c\"] h = Conv (x, w) [\"k\"] k = Conv (h, w) y = Add (k, q) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .more = { 1, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .found = "c" TAKEN "k" TAKEN,
      .ops = "Conv Conv Add" },
    { .text = FROM("pytorch") IMAGE
      "<float[2,2,1,1] w = {1,2,3,4}, float[2] s = {1,2}, float[2] m = {3,4}, float[2] v = {1,1}>\n"
      "{ h = Conv (x, w) y = BatchNormalization (h, s, s, m, v) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "RemoveOptionalBiasFromConv" },
      .found = "" },
    { .text = FROM("pytorch") IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, b) }",
      .metadata = { 0, "pkg.onnxscript.rewriter.rule_name", "FuseReluIntoConv" },
      .found = "" },
    { .text = FROM("pytorch") IMAGE WEIGHTS "{ h = Conv (x, w) y = Relu (h) }", .found = "" },
    /* another layer has learned one: directly, in a node behind it, through a Reshape */
    { .text = KERAS IMAGE WEIGHTS "{ h = Conv (x, w) r = Relu (h) y = Conv (r, u, b) }", .found = "" },
    { .text = KERAS FLAT MATRICES "{ h = MatMul (x, w) r = Relu (h) k = MatMul (r, u) y = Add (k, b) }", .found = "" },
    { .text =
          KERAS FLAT MATRICES "{ h = MatMul (x, w) r = Relu (h) k = MatMul (r, u) t = Reshape (k, s) y = Add (b, t) }",
      .found = "" },
    /* zeros, and what an LSTM begins with, are not learned; a number is no bias */
    { .text = KERAS IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, z) }",
      .found = LAYER("c"),
      .ops = "Conv Relu Conv",
      .values = { { "c/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) r = Relu (h) y = Conv (r, u, i) }",
      .found = LAYER("c"),
      .ops = "Conv Relu Conv" },
    { .text = KERAS FLAT MATRICES "{ [\"c\"] h = MatMul (x, w) r = Relu (h) k = MatMul (r, u) y = Add (k, three) }",
      .found = LAYER("c") LAYER("k"),
      .ops = "MatMul Add Relu MatMul Add Add" },
    { .text = KERAS IMAGE WEIGHTS "{ [\"c\"] h = Conv (x, w) a = Add (h, n) r = Relu (a) y = Mul (r, h) }",
      .found = LAYER("c"),
      .ops = "Conv Add Relu Mul",
      .values = { { "c/bias", "trainable", { 0, 0 } } } },
    /* but where there is one channel */
    { .text = KERAS "g (float[N,2] x) => (float[N,1] y) <float[2,1] w = {1,2}, float[1] b = {3}>\n"
                    "{ h = MatMul (x, w) y = Add (h, b) }",
      .found = "" },
    { .text = KERAS "g (float[N,2,3,3] x) => (float[N,1,3,3] y) <float[1,2,1,1] w = {1,2}, float[1,1,1,1] b = {3}>\n"
                    "{ h = Conv (x, w) y = Add (h, b) }",
      .found = "" },
    /* nor does one have a bias before BatchNormalization, or before another layer, which make up for it */
    { .text = KERAS IMAGE "<float[2,2,1,1] w = {1,2,3,4}, float[2] s = {1,2}, float[2] m = {3,4}, float[2] v = {1,1}>\n"
                          "{ h = Conv (x, w) y = BatchNormalization (h, s, s, m, v) }",
      .found = "" },
    { .text = KERAS IMAGE WEIGHTS "{ [\"a\"] h = Conv (x, w) [\"p\"] y = Conv (h, u) }",
      .found = BEFORE("a") LAYER("p"),
      .ops = "Conv Conv",
      .values = { { "p/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS IMAGE WEIGHTS "{ [\"a\"] h = Conv (x, w) [\"p\"] y = Conv (h, u) }",
      .as = "a=bias",
      .found = LAYER("a") LAYER("p"),
      .ops = "Conv Conv" },
    /* where names say that it is another layer, it had one; a residual sum may read it, too */
    { .text = KERAS IMAGE WEIGHTS "{ [\"m/a/Conv2D\"] h = Conv (x, w) [\"m/a_1/Conv2D\"] y = Conv (h, u) }",
      .found = LAYER("m/a/Conv2D") LAYER("m/a_1/Conv2D"),
      .ops = "Conv Conv",
      .values = { { "m/a/bias", "trainable", { 0, 0 } }, { "m/a_1/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS FLAT MATRICES "{ [\"a/MatMul\"] h = MatMul (x, w) t = Reshape (h, s)\n"
                                  "[\"b/MatMul\"] k = MatMul (t, u) y = Add (h, k) }",
      .found = LAYER("a/MatMul") LAYER("b/MatMul"),
      .ops = "MatMul Add Reshape MatMul Add Add" },
    { .text = KERAS IMAGE WEIGHTS "{ [\"m/s/Conv2D/depthwise\"] h = Conv (x, w) [\"m/s/Conv2D\"] y = Conv (h, u) }",
      .found = LAYER("m/s/Conv2D"),
      .ops = "Conv Conv" },
    { .text = KERAS IMAGE WEIGHTS "{ [\"m/s/separable_conv2d/depthwise\"] h = Conv (x, w)\n"
                                  "[\"m/b/batchnorm/mul_2\"] y = Conv (h, u) }",
      .as = "m/b=none",
      .found = "m/b: no BatchNormalization, as asked (likely): left as it is\n" LAYER("m/b/batchnorm/mul_2"),
      .ops = "Conv Conv" },
    /* a table of positions is no bias */
    { .text = KERAS FLAT "<float[2,2] w = {1,2,3,4}, float[1,2,2] t = {1,2,3,5}>\n"
                         "{ [\"d/MatMul\"] h = MatMul (x, w) y = Add (h, t) }",
      .found = LAYER("d/MatMul"),
      .ops = "MatMul Add Add",
      .values = { { "d/bias", "trainable", { 0, 0 } }, { "t", "trainable", { 1, 2, 3, 5 } } } },
    /* the caller knows better */
    { .text = KERAS IMAGE WEIGHTS "{ [\"a\"] h = Conv (x, w) r = Relu (h) [\"b\"] y = Conv (r, u) }",
      .as = "a=no-bias",
      .found = LAYER("b"),
      .ops = "Conv Relu Conv",
      .values = { { "b/bias", "trainable", { 0, 0 } } } },
    { .text = KERAS IMAGE WEIGHTS "{ [\"a\"] h = Conv (x, w) r = Relu (h) [\"b\"] y = Conv (r, u) }",
      .as = "*=no-bias;u=bias",
      .found = LAYER("b"),
      .ops = "Conv Relu Conv" },
};

/* LayerNormalization as Keras' exporter takes it apart; `scale` is what x and the mean are multiplied by. */
#define BETA                                                                                                           \
    "l/add_2: LayerNormalization without a beta (doubtful): it gets one of zeros, as Keras' layers begin with: zeros " \
    "are not exported, and no layer of the file has a bias\n"
#define NORMALIZED(scale)                                                                                              \
    "<float[1,2] gamma = {1,1}, float eps = {0.001}, float[2] b = {1,5}, float[2,2] w = {1,2,3,4}> {\n"                \
    "mean = ReduceMean <axes = [2]> (x) minus = Neg (mean) d = Sub (x, mean) q = Mul (d, d)\n"                         \
    "var = ReduceMean <axes = [2]> (q) e = Add (var, eps) s = Sqrt (e) r = Reciprocal (s)\n"                           \
    "[\"l/mul\"] m = Mul (r, gamma) a = Mul (x, m) c = Mul (" scale ")\n"
/* The same with the scale where names say that it stood, in a layer that may have had a beta (ADD is add_2) or not. */
#define NAMED_LAYER(mean, mul, add)                                                                                    \
    "<float eps = {0.001}, float[2,2] w = {1,2,3,4}, float[2] b = {1,5}> {\n"                                          \
    "[\"l/moments/mean\"] mean = " mean " (x) minus = Neg (mean) d = Sub (x, mean) q = Mul (d, d)\n"                   \
    "var = " mean " (q) e = Add (var, eps) s = Sqrt (e) r = Reciprocal (s)\n"                                          \
    "[\"l/" mul "\"] a = Mul (x, r) c = Mul (minus, r) [\"l/" add "\"] n = Add (a, c)\n"                               \
    "[\"d/MatMul\"] k = MatMul (n, w) y = Add (k, b) }"
#define LAST_MEAN "ReduceMean <axes = [2]>"
#define TOLD_BETA(of)                                                                                                  \
    "l/add_2: " of " without a beta (likely): it gets one of zeros: names tell that it had one, and zeros are not "    \
    "exported\n"
#define TOLD(name, of, what)                                                                                           \
    name ": " of " without a " what " (likely): it gets one of ones: names tell that it had one, and ones are not "    \
         "exported\n"
#define SHORT(mean) mean " Neg Sub Mul " mean " Add Sqrt Reciprocal "
/* Keras' RMSNormalization */
#define SQUARES(name, rest)                                                                                            \
    "<float eps = {0.001}, float[2,2] w = {1,2,3,4}, float[2] b = {1,5}> {\n"                                          \
    "q = Mul (x, x) m = ReduceMean <axes = [2]> (q) e = Add (m, eps) s = Sqrt (e) r = Reciprocal (s)\n"                \
    "[\"" name "\"] n = Mul (x, r) " rest " }"
#define GROUPS(of)                                                                                                     \
    "g (float[N,3,4] x) => (float[N,3,4] y) <float eps = {0.001}, int64[4] s = {-1,3,2,2}, int64[3] o = {-1,3,4}> "    \
    "{\n[\"l/" of                                                                                                      \
    "\"] t = Reshape (x, s) [\"l/moments/mean\"] mean = ReduceMean <axes = [1,3]> (t) minus = Neg (mean)\n"            \
    "d = Sub (t, mean) q = Mul (d, d) var = ReduceMean <axes = [1,3]> (q) e = Add (var, eps) s_ = Sqrt (e)\n"          \
    "r = Reciprocal (s_) [\"l/mul_1\"] a = Mul (t, r) c = Mul (minus, r) [\"l/add_2\"] n = Add (a, c)\n"               \
    "y = Reshape (n, o) }"
#define NORMAL "ReduceMean Neg Sub Mul ReduceMean Add Sqrt Reciprocal Mul Mul Mul Add"

static const struct adapt_case betas[] = {
    { .text = KERAS FLAT NORMALIZED("minus, m") "[\"l/add_2\"] y = Add (a, c) }",
      .found = BETA,
      .ops = NORMAL " Add",
      .values = { { "l/beta", "trainable", { 0, 0 } }, { "gamma", "trainable", { 1, 1 } } } },
    { .text = KERAS FLAT NORMALIZED("m, minus") "[\"l/add_2\"] y = Add (c, a) }", .found = BETA, .ops = NORMAL " Add" },
    { .text = KERAS FLAT NORMALIZED("minus, m") "[\"l/add_2\"] y = Add (a, c) }",
      .as = "l/add_2=no-bias",
      .found = "" },
    /* it has one; another layer has learned one; the mean is scaled by something else; it is no mean; another exporter */
    { .text = KERAS FLAT NORMALIZED("minus, m") "[\"l/add_2\"] n = Add (a, c) y = Add (n, b) }", .found = "" },
    { .text = KERAS FLAT NORMALIZED("minus, m") "[\"l/add_2\"] n = Add (a, c) k = MatMul (n, w) y = Add (k, b) }",
      .found = "" },
    { .text = KERAS FLAT NORMALIZED("minus, r") "[\"l/add_2\"] y = Add (a, c) }", .found = "" },
    { .text = KERAS FLAT NORMALIZED("mean, m") "[\"l/add_2\"] y = Add (a, c) }", .found = "" },
    { .text = FROM("pytorch") FLAT NORMALIZED("minus, m") "[\"l/add_2\"] y = Add (a, c) }", .found = "" },
    /* names tell what it had, whatever others have learned; of three dimensions the mean may be a pool */
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "mul_1", "add_2"),
      .found = TOLD_BETA("LayerNormalization"),
      .ops = SHORT("ReduceMean") "Mul Mul Add Add MatMul Add",
      .values = { { "l/beta", "trainable", { 0, 0 } } } },
    { .text = KERAS FLAT NAMED_LAYER("GlobalAveragePool", "mul_1", "add_2"),
      .found = TOLD_BETA("LayerNormalization"),
      .ops = SHORT("GlobalAveragePool") "Mul Mul Add Add MatMul Add",
      .values = { { "l/beta", "trainable", { 0, 0 } } } },
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "mul_2", "add_1"),
      .found = TOLD("l/add_1", "LayerNormalization", "gamma"),
      .ops = SHORT("ReduceMean") "Mul Mul Mul Add MatMul Add",
      .values = { { "l/gamma", "trainable", { 1, 1 } } } },
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "mul_2", "add_1"), .as = "l/add_1=no-scale", .found = "" },
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "mul_2", "add_2"),
      .found = TOLD("l/add_2", "LayerNormalization", "gamma") TOLD_BETA("LayerNormalization"),
      .ops = SHORT("ReduceMean") "Mul Mul Mul Add Add MatMul Add",
      .values = { { "l/gamma", "trainable", { 1, 1 } }, { "l/beta", "trainable", { 0, 0 } } } },
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "mul_1", "add_1"), .found = "" },
    /* names that count on say nothing, nor do those of another scope */
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "mul_12", "add_12"), .found = "" },
    { .text = KERAS FLAT NAMED_LAYER(LAST_MEAN, "n/mul_2", "n/add_2"), .found = "" },
    /* groups have an element for each channel of theirs */
    { .text = KERAS GROUPS("Reshape"),
      .found = TOLD_BETA("GroupNormalization"),
      .ops = "Reshape " SHORT("ReduceMean") "Mul Mul Add Add Reshape",
      .values = { { "l/beta", "trainable", { 0, 0, 0, 0 } } } },
    /* the mean of squares */
    { .text = KERAS FLAT SQUARES("rms_normalization/Mul", "k = MatMul (n, w) y = Add (k, b)"),
      .found = TOLD("rms_normalization/Mul", "RMSNormalization", "scale"),
      .ops = "Mul ReduceMean Add Sqrt Reciprocal Mul Mul MatMul Add",
      .values = { { "rms_normalization/scale", "trainable", { 1, 1 } } } },
    { .text = KERAS FLAT SQUARES("rms_normalization/Mul", "y = Mul (n, b)"), .found = "" },
    { .text = KERAS FLAT SQUARES("n/Mul", "y = Relu (n)"),
      .found = "n/Mul: a division by the root of the mean square (doubtful): left as it is\n" },
    { .text = KERAS FLAT SQUARES("n/Mul", "y = Relu (n)"),
      .as = "n/Mul=scale",
      .found = TOLD("n/Mul", "RMSNormalization", "scale"),
      .ops = "Mul ReduceMean Add Sqrt Reciprocal Mul Mul Relu" },
    { .text = KERAS FLAT SQUARES("n/Mul", "k = MatMul (n, w) y = Add (k, b)"), .found = "" },
    { .text = FROM("pytorch") FLAT SQUARES("rms_normalization/Mul", "y = Relu (n)"), .found = "" },
};

START_TEST(a_beta_of_zeros_comes_back)
{
    expect_case(&betas[_i]);
}
END_TEST

/* An element for each channel of the groups, which stand in two dimensions. */
START_TEST(groups_have_a_beta_for_each_channel)
{
    static const int64_t want[] = { 1, 1, 2, 2 };
    struct model *m = model_of(KERAS GROUPS("Reshape")), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    const struct value *beta;

    expect_ok(made);
    beta = graph_find(made->graph, "l/beta");
    ck_assert(beta && beta->initializer && beta->initializer->rank == 4);
    ck_assert_mem_eq(beta->initializer->dims, want, sizeof want);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

START_TEST(a_bias_of_zeros_comes_back)
{
    expect_case(&biases[_i]);
}
END_TEST

/* -- tokens of zeros -- */

/* As TensorFlow repeats it for each sample. */
#define TOKEN(name, numbers)                                                                                           \
    HEAD "g (float[N,3,2] x) => (float[N,4,2] y) <float[1,1,1,2] " name " = {" numbers                                 \
         "}, float[2,2] w = {1,2,3,4},\n"                                                                              \
         " int64[1] zero = {0}, int64[1] one = {1}, int64[3] shape = {-1,1,2}>\n"                                      \
         "{ h = MatMul (x, w) s = Shape (x) b = Slice (s, zero, one) r = Concat <axis = 0> (one, b, one, one)\n"       \
         "  k = Tile (" name ", r) l = Reshape (k, shape) y = Concat <axis = 1> (l, h) }"

static const struct adapt_case tokens[] = {
    { .text = TOKEN("t", "0,0"),
      .found = "t: zeros that are joined to each sample (doubtful): nothing: they are constant\n",
      .values = { { "t", "constant", { 0, 0 } } } },
    { .text = TOKEN("t", "0,0"), .as = "t=trainable", .found = "", .values = { { "t", "trainable", { 0, 0 } } } },
    { .text = TOKEN("t", "0,0"), .as = "t=constant", .found = "" },
    { .text = TOKEN("t", "0,0"), .metadata = { -1, "kiln.role.t", "constant" }, .found = "" },
    { .text = TOKEN("class_token", "0,0"), .found = "", .values = { { "class_token", "trainable", { 0, 0 } } } },
    { .text = TOKEN("t", "0,1"), .found = "", .values = { { "t", "trainable", { 0, 1 } } } },
    { .text = TOKEN("t", "1,1"), .found = "", .values = { { "t", "constant", { 1, 1 } } } },
    { .text =
          HEAD "g (float[N,2] x) => (float[N,4] y) <float[1,2] t = {0,0}, int64[1] zero = {0}, int64[1] one = {1}>\n"
               "{ h = Relu (x) s = Shape (x) b = Slice (s, zero, one) r = Concat <axis = 0> (b, one)\n"
               "  k = Tile (t, r) y = Concat <axis = 1> (k, h) }",
      .found = "" }, /* of no sequence */
};

START_TEST(zeros_may_be_a_token)
{
    expect_case(&tokens[_i]);
}
END_TEST

/* Where the exporter leaves out what adds zeros, without a word. */
START_TEST(what_may_be_lost_beside_is_told)
{
    static const struct {
        const char *text;
        bool told;
    } cases[] = {
        { KERAS IMAGE WEIGHTS "{ h = Conv (x, w) y = Relu (h) }", true },
        { KERAS IMAGE WEIGHTS "{ h = Conv (x, w, b) y = Relu (h) }", false },
        { FROM("pytorch") IMAGE WEIGHTS "{ h = Conv (x, w) y = Relu (h) }", false },
    };
    struct model *m = model_of(cases[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    bool told = false;

    expect_ok(made);
    for (size_t k = 0; k < got.findings.count; k++)
        told |= got.findings.at[k].unknown && strstr(got.findings.at[k].unknown, "embedding of positions");
    ck_assert(told == cases[_i].told);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* -- constants that were merged -- */

#define MERGED(name)                                                                                                   \
    name ": equal constants of several layers that the exporter has merged (likely): each layer has one of its own\n"
#define ZEROS  "<float[2,2,1,1] w = {1,2,3,4}, float[2,2,1,1] u = {4,3,2,1}, float[2] z = {0,0}, float[2] b = {1,2}> "
#define TWO(c) "[\"a/Conv\"] h = Conv (x, w, z) r = Relu (h) [\"b/Conv\"] y = Conv (r, u, " c ") }"

#define TWICE_READ(c, d) "[\"a/Conv\"] h = Conv (x, w, " c ") r = Relu (h) [\"b/Conv\"] y = Conv (r, u, " d ") }"
#define COMPUTED(a, b)                                                                                                 \
    "<float[2,2] \"onnx::MatMul_7\" = {1,2,3,4}>\n"                                                                    \
    "{ i = Identity (\"onnx::MatMul_7\") [\"" a "\"] h = MatMul (x, \"onnx::MatMul_7\")\n"                             \
    " r = Relu (h) [\"" b "\"] y = MatMul (r, i) }"
#define FX "pkg.torch.onnx.fx_node", "%l : [num_users=1] = call_function[target=l](args = "

#define LSTMS                                                                                                          \
    "g (float[T,N,1] x) => (float[T,1,N,1] y) <float[1,4,1] w = {1,2,3,4}, float[1,4,1] u = {4,3,2,1}, float[1,8] b "  \
    "= "                                                                                                               \
    "{0,0,1,0,0,0,0,0}, int64[1] a = {1}>\n"                                                                           \
    "{ h = LSTM <hidden_size = 1> (x, w, u, b) s = Squeeze (h, a) y = LSTM <hidden_size = 1> (s, u, w, b) }"

/* Two calls of a layer and a normalisation behind it. */
#define CALL(in, tower, layer, norm, out)                                                                              \
    "[\"" tower "/" layer "/MatMul\"] h" out " = MatMul (" in ", w) m" out " = ReduceMean <axes = [1]> (h" out ")\n"   \
    "d" out " = Sub (h" out ", m" out ") q" out " = Mul (d" out ", d" out ") v" out                                    \
    " = ReduceMean <axes = [1]> (q" out ") e" out " = Add (v" out ", eps) r" out " = Sqrt (e" out ") n" out            \
    " = Div (d" out ", r" out ")\n"                                                                                    \
    "[\"" tower "/" norm "/mul\"] " out " = Mul (n" out ", ga)\n"
#define TOWERS(a, b, layer_a, layer_b, norm_a, norm_b)                                                                 \
    "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] ga = {1,1}, float eps = {0.001}>\n"        \
    "{ z = Abs (x) " CALL("x", a, layer_a, norm_a, "p") CALL("z", b, layer_b, norm_b, "o") "y = Sub (p, o) }"
#define PLAIN "*MatMul=no-bias"
#define TOWERS_OPS                                                                                                     \
    "Abs MatMul ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul MatMul ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul " \
    "Sub"
#define BESIDES(a, b)                                                                                                  \
    "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] ga = {1,1}>\n"                             \
    "{ [\"m_1/dense_1/MatMul\"] h = MatMul (x, w) s = Abs (h) [\"" a "/mul\"] p = Mul (s, ga) t = Abs (h)\n"           \
    "[\"" b "/mul\"] q = Mul (t, ga) y = Add (p, q) }"

static const struct adapt_case merged[] = {
    { .text = KERAS IMAGE ZEROS "{ " TWO("z"),
      .found = MERGED("z"),
      .ops = "Conv Relu Conv",
      .values = { { "z", "trainable", { 0, 0 } }, { "b/own", "trainable", { 0, 0 } } } },
    { .text = FROM("pytorch") IMAGE ZEROS "{ [\"Identity_0\"] i = Identity (z) " TWO("i"),
      .found = MERGED("z"),
      .ops = "Identity Conv Relu Conv",
      .values = { { "z", "trainable", { 0, 0 } }, { "z.1", "trainable", { 0, 0 } } } },
    /* modules of PyTorch that are not the same, and one that is used twice */
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWO("z"),
      .metadata = { 2, "pkg.torch.onnx.name_scopes", "['', 'b', 'conv2d']" },
      .found = MERGED("z"),
      .ops = "Conv Relu Conv",
      .values = { { "z", "trainable", { 0, 0 } }, { "b/own", "trainable", { 0, 0 } } } },
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWO("z"),
      .metadata = { 0, "pkg.torch.onnx.name_scopes", "['', 'a', 'conv2d']" },
      .found = "" },
    /* layers that were copied: what TorchScript calls as the other parameter was, what it has computed of another module */
    { .text = FROM("pytorch") IMAGE ZEROS "{ [\"Identity_0\"] i = Identity (b) " TWICE_READ("b", "i"),
      .found = MERGED("b"),
      .ops = "Identity Conv Relu Conv",
      .values = { { "b", "trainable", { 1, 2 } }, { "b.1", "trainable", { 1, 2 } } } },
    { .text = FROM("pytorch") FLAT COMPUTED("/e/ls.0/MatMul", "/e/ls.1/MatMul"),
      .found = MERGED("onnx::MatMul_7"),
      .ops = "Identity MatMul Relu MatMul",
      .values = { { "onnx::MatMul_7", "trainable", { 1, 2, 3, 4 } } } },
    { .text = FROM("pytorch") FLAT COMPUTED("/e/ls.0/MatMul", "/e/ls.0_1/MatMul"), .found = "" },
    { .text = FROM("pytorch") FLAT COMPUTED("/e/ls.0/MatMul", "/e_12/ls.0/MatMul"), .found = "" },
    { .text = FROM("pytorch") FLAT COMPUTED("MatMul_1", "MatMul_2"), .found = "" },
    /* what the newer exporter made the nodes of: others, or the same again; one of them is enough */
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWICE_READ("b", "b"),
      .metadata = { 0, FX "(%x, %p_a_weight, %p_a_bias), kwargs = {})" },
      .more = { 2, FX "(%relu, %p_b_weight, %p_b_bias), kwargs = {})" },
      .found = MERGED("b"),
      .ops = "Conv Relu Conv",
      .values = { { "b", "trainable", { 1, 2 } }, { "b/own", "trainable", { 1, 2 } } } },
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWICE_READ("b", "b"),
      .metadata = { 0, FX "(%x, %p_a_weight, %p_a_bias), kwargs = {})" },
      .more = { 2, FX "(%relu, %p_b_weight, %p_a_bias), kwargs = {})" },
      .found = "" },
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWICE_READ("z", "z"),
      .metadata = { 0, FX "(%x, %p_a_weight, %p_a_bias), kwargs = {})" },
      .more = { 2, FX "(%relu, %p_a_weight, %p_a_bias), kwargs = {})" },
      .found = "" },
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWICE_READ("b", "b"),
      .metadata = { 0, "pkg.torch.onnx.name_scopes", "['', 'a', 'conv2d']" },
      .more = { 2, "pkg.torch.onnx.name_scopes", "['', 'b', 'conv2d']" },
      .found = "" },
    /* read directly by two: PyTorch's own sharing */
    { .text = FROM("pytorch") IMAGE ZEROS "{ " TWO("z"), .found = "" },
    { .text = FROM("us") IMAGE ZEROS "{ " TWO("z"), .found = "" },
    { .text = HEAD IMAGE ZEROS "{ " TWO("z"), .found = "" },
    /* of one weight it is one layer; other numbers were shared */
    { .text = KERAS IMAGE ZEROS "{ [\"a/Conv\"] h = Conv (x, w, z) r = Relu (h) [\"b/Conv\"] y = Conv (r, w, z) }",
      .found = "" },
    { .text = KERAS IMAGE ZEROS "{ [\"a/Conv\"] h = Conv (x, w, b) r = Relu (h) [\"b/Conv\"] y = Conv (r, w, b) }",
      .found = "" },
    { .text = KERAS IMAGE ZEROS "{ " TWO("z"), .as = "z=shared", .found = "" },
    /* but a bias of layers that have names and weights of their own */
    { .text = KERAS IMAGE ZEROS "{ " TWICE_READ("b", "b"),
      .found = MERGED("b"),
      .ops = "Conv Relu Conv",
      .values = { { "b", "trainable", { 1, 2 } }, { "b/own", "trainable", { 1, 2 } } } },
    { .text = KERAS FLAT MATRICES "{ [\"l/MatMul\"] h = MatMul (x, w) [\"l/Add\"] a = Add (h, b) r = Relu (a)\n"
                                  "[\"m/MatMul\"] k = MatMul (r, u) [\"m/Add\"] y = Add (b, k) }",
      .found = MERGED("b"),
      .ops = "MatMul Add Relu MatMul Add",
      .values = { { "b", "trainable", { 1, 5 } }, { "m/own", "trainable", { 1, 5 } } } },
    { .text = KERAS IMAGE ZEROS "{ [\"a/Conv\"] h = Conv (x, w, b) r = Relu (h) [\"a/Conv_1\"] y = Conv (r, u, b) }",
      .found = "" },
    { .text = KERAS IMAGE ZEROS "{ h = Conv (x, w, b) r = Relu (h) y = Conv (r, u, b) }", .found = "" },
    { .text = KERAS IMAGE ZEROS "{ h = Conv (x, w, b) r = Relu (h) y = Conv (r, u, b) }",
      .as = "b=untied",
      .found = MERGED("b"),
      .ops = "Conv Relu Conv",
      .values = { { "b", "trainable", { 1, 2 } }, { "b.1", "trainable", { 1, 2 } } } },
    { .text = KERAS FLAT MATRICES "{ [\"l/MatMul\"] h = MatMul (x, w) r = Relu (h) [\"l/Add\"] a = Add (r, b)\n"
                                  "[\"m/MatMul\"] k = MatMul (a, u) [\"m/Add\"] y = Add (b, k) }",
      .found = "" },
    /* calls of a tower, in which a normalisation is written out: names tell, or the weight before both */
    { .text = KERAS TOWERS("m/tower_1", "m/tower_3", "dense_1", "dense_1", "ln_1_2", "ln_1_2"),
      .as = PLAIN,
      .found = "" },
    { .text = KERAS TOWERS("m_1/tower_1", "m_1/tower_3", "dense_1", "dense_1", "ln_1_2", "ln_1_2"),
      .as = PLAIN,
      .found = "" },
    { .text = KERAS TOWERS("m_1/tower_1", "m_1/tower_3", "dense_1", "dense_1", "ln_1_2", "ln_2_1"),
      .as = PLAIN,
      .found = MERGED("ga"),
      .ops = TOWERS_OPS },
    /* what stands side by side behind one call */
    { .text = KERAS BESIDES("m/ln", "m/ln_1"),
      .as = PLAIN,
      .found = MERGED("ga"),
      .ops = "MatMul Abs Mul Abs Mul Add" },
    { .text = KERAS BESIDES("m_1/ln_1_2", "m_1/ln_1_4"), .as = PLAIN, .found = "" },
    { .text = KERAS BESIDES("m_1/dense_1_1", "m_1/dense_1_2"),
      .as = PLAIN,
      .found = MERGED("ga"),
      .ops = "MatMul Abs Mul Abs Mul Add" },
    { .text = KERAS BESIDES("m_1/ln_1_2", "m_1/ln_2_2"),
      .as = PLAIN,
      .found = MERGED("ga"),
      .ops = "MatMul Abs Mul Abs Mul Add" },
    /* a way round the layer, which begins at the input or behind it */
    { .text =
          KERAS FLAT "<float[2,2] w = {1,2,3,4}, float[2] one = {1,1}>\n"
                     "{ [\"a/MatMul\"] h = MatMul (x, w) e = Add (h, x) [\"a/mul\"] p = Mul (e, one)\n"
                     "[\"c/MatMul\"] k = MatMul (x, w) f = Add (k, x) [\"c/mul\"] q = Mul (f, one) y = Add (p, q) }",
      .as = PLAIN,
      .found = MERGED("one"),
      .ops = "MatMul Add Mul MatMul Add Mul Add" },
    { .text = KERAS FLAT "<float[2,2] w = {1,2,3,4}, float[2] one = {1,1}>\n"
                         "{ z = Abs (x) [\"a/MatMul\"] h = MatMul (z, w) e = Add (h, z) [\"a/mul\"] p = Mul (e, one)\n"
                         "[\"c/MatMul\"] k = MatMul (p, w) f = Add (k, z) [\"c/mul\"] y = Mul (f, one) }",
      .as = PLAIN,
      .found = MERGED("one"),
      .ops = "Abs MatMul Add Mul MatMul Add Mul" },
    /* the zeros and ones that an LSTM begins with */
    { .text = KERAS LSTMS,
      .found = "x: open dimensions (certain): were taken as 1, as the data have them\n" MERGED("b"),
      .ops = "LSTM Squeeze LSTM" },
    /* a node that Kiln takes apart */
    { .text = FROM("pytorch") IMAGE "<float[2] one = {1,1}, float[2] z = {0,0}>\n"
                                    "{ h = InstanceNormalization (x, one, z) r = Relu (h)\n"
                                    "  y = InstanceNormalization (r, one, z) }",
      .metadata = { 0, FX "(%x, %p_1_weight, %p_1_bias), kwargs = {})" },
      .more = { 2, FX "(%relu, %p_4_weight, %p_4_bias), kwargs = {})" },
      .found = MERGED("one") MERGED("z"),
      .ops = "InstanceNormalization Relu InstanceNormalization" },
};

START_TEST(what_was_merged_is_untied)
{
    expect_case(&merged[_i]);
}
END_TEST

/* What PyTorch's newer exporter has computed of a bias and a state of zeros: all of it, or a gate's piece. */
#define COPIED(by, names, nodes)                                                                                       \
    FROM(by)                                                                                                           \
    "g (float[N,2,3] x) => (float[N,2,3] y) <float[6] \"r.bias\" = {1,2,3,4,5,6}, float[3] \"o.bias\" = "              \
    "{7,8,9}, float[3,3] w = {1,2,3,4,5,6,7,8,9}, " names "> { h = MatMul (x, w) "                                     \
    "b = Add (h, \"o.bias\") s = Slice (\"r.bias\", i, j) c = Add (b, s) " nodes " }"
#define INDICES "int64[1] i = {3}, int64[1] j = {6}, "
#define COPY(name)                                                                                                     \
    name ": a copy of a parameter that the exporter has computed (likely): the parameter is read in its place\n"
#define TIED(embedding, layer)                                                                                         \
    "g (int64[N,2] x) => (float[N,2,3] y) <float[3,2] " embedding " = {1,2,3,4,5,6}, float[2,2] v = {1,2,3,4},"        \
    " float[2,3] " layer " = "
#define TIED_NODES(embedding, layer) " { e = Gather (" embedding ", x) h = MatMul (e, v) y = MatMul (h, " layer ") }"
static const struct adapt_case computed[] = {
    /* an embedding, and the layer that makes logits of it */
    { .text = HEAD TIED("\"e.w\"", "b") "{1,3,5,2,4,6}>" TIED_NODES("\"e.w\"", "b"),
      .found = COPY("b"),
      .ops = "Transpose Gather MatMul MatMul",
      .absent = "b.1",
      .values = { { "e.w", "trainable", { 1, 2, 3, 4 } } } },
    { .text = FROM("pytorch") TIED("a", "\"l.w\"") "{1,3,5,2,4,6}>" TIED_NODES("a", "\"l.w\""),
      .found = COPY("a"),
      .ops = "Transpose Gather MatMul MatMul" },
    { .text = HEAD TIED("a", "b") "{1,3,5,2,4,6}>" TIED_NODES("a", "b"), .as = "b=untied", .found = "" },
    { .text = HEAD TIED("a", "b") "{1,3,5,2,4,6.5}>" TIED_NODES("a", "b"), .found = "" },
    { .text = HEAD TIED("a", "b") "{1,2,3,4,5,6}>" TIED_NODES("a", "b"), .found = "" },
    /* a matrix that is its own transpose, twice */
    { .text = HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] a = {1,0,0,1}, float[2,2] b = {1,0,0,1}>\n"
                   "{ h = MatMul (x, a) y = MatMul (h, b) }",
      .found = "" },
    { .text = HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] a = {1,2,3,4}, float[2,2] b = {1,3,2,4}>\n"
                   "{ h = MatMul (x, a) y = MatMul (h, b) }",
      .found = COPY("b"),
      .ops = "Transpose MatMul MatMul" },
    { .text = COPIED("pytorch", INDICES "float[1,1,3] linear_1 = {7,8,9}", "y = Add (c, linear_1)"),
      .found = COPY("linear_1"),
      .ops = "Reshape MatMul Add Slice Add Add",
      .absent = "linear_1.1",
      .values = { { "o.bias", "trainable", { 7, 8, 9 } } } },
    { .text = COPIED("pytorch", INDICES "float[1,3] val_3 = {4,5,6}", "y = Add (c, val_3)"),
      .found = COPY("val_3"),
      .ops = "Slice Reshape MatMul Add Slice Add Add" },
    { .text = COPIED("pytorch", INDICES "float[1,3] val_3 = {4,5,6}", "y = Add (c, val_3)"),
      .as = "val_3=untied",
      .found = "",
      .values = { { "val_3", "trainable", { 4, 5, 6 } } } },
    /* a piece from another place, other numbers, a parameter of its own, another exporter */
    { .text = COPIED("pytorch", INDICES "float[1,3] val_3 = {2,3,4}", "y = Add (c, val_3)"), .found = "" },
    { .text = COPIED("pytorch", INDICES "float[1,3] val_3 = {7,8,9.5}", "y = Add (c, val_3)"), .found = "" },
    { .text = COPIED("pytorch", INDICES "float[1,3] \"q.bias\" = {7,8,9}", "y = Add (c, \"q.bias\")"), .found = "" },
    { .text = COPIED("other", INDICES "float[1,1,3] linear_1 = {7,8,9}", "y = Add (c, linear_1)"), .found = "" },
};

START_TEST(what_was_computed_of_a_parameter_is_one_with_it)
{
    expect_case(&computed[_i]);
}
END_TEST

/* What stands in the table of the constant 'one': of how many layers it is, and what reads it. */
static const struct {
    const char *text, *found, *evidence;
    bool unknown;
    size_t own; /* initializers that there are then */
} owners[] = {
    { FROM("pytorch") FLAT "<float[2] one = {1,1}, float[2] z = {0,0}, float[2] v = {1,2}>\n"
                           "{ i = Identity (one) y = BatchNormalization (x, one, z, v, i) }",
      "equal constants of one layer that the exporter has merged", "all its elements are 1: running variance and scale",
      false, 4 },
    /* the newer exporter has no Identity */
    { FROM("pytorch") FLAT "<float[2] one = {1,1}, float[2] z = {0,0}> { y = BatchNormalization (x, one, z, z, one) }",
      "equal constants of one layer that the exporter has merged", "all its elements are 1: scale and running variance",
      false, 4 },
    { FROM("pytorch") FLAT "<float[2] one = {1,1}, float[2] z = {0,0}, float[2] c = {1,2}>\n"
                           "{ i = Identity (one) j = Identity (one) k = Identity (one)\n"
                           "  h = BatchNormalization (x, one, z, c, i) m = Mul (h, c)\n"
                           "  y = BatchNormalization (m, j, z, c, k) }",
      "equal constants of several layers that the exporter has merged",
      "all its elements are 1, and 2 layers read it, in 4 places", true, 6 },
    { FROM("pytorch") FLAT "<float[2] one = {1,1}, float[2] c = {1,2}>\n"
                           "{ i = Identity (one) h = Mul (x, c) k = LayerNormalization (h, one) m = Mul (k, c)\n"
                           "  y = LayerNormalization (m, i) }",
      "equal constants of several layers that the exporter has merged", "all its elements are 1, and 2 layers read it",
      true, 3 },
};

START_TEST(what_was_merged_is_called_what_it_is)
{
    struct model *m = model_of(owners[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    const struct finding *f = NULL;

    expect_ok(made);
    for (size_t k = 0; k < got.findings.count; k++)
        if (strcmp(got.findings.at[k].name, "one") == 0 && strstr(got.findings.at[k].found, "merged"))
            f = &got.findings.at[k];
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(f->found, owners[_i].found);
    ck_assert_str_eq(f->evidence, owners[_i].evidence);
    ck_assert((f->unknown != NULL) == owners[_i].unknown);
    ck_assert_uint_eq(made->proto->graph->n_initializer, owners[_i].own);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* -- layers that are used again -- */

#define TWICE(a1, b1, a2, b2, w2) HEAD NAMED_TWICE("l/batchnorm/mul_1", "l_1/batchnorm/mul_1", a1, b1, a2, b2, w2)
#define NAMED_TWICE(n1, n2, a1, b1, a2, b2, w2)                                                                        \
    "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                     \
    "<float[2,2,1,1] w = {1,-2,3,4}, float[2,2,1,1] u = {4,3,2,1}, float[1,2,1,1] a = {2,3}, float[1,2,1,1] c = "      \
    "{1,5},\n float[1,2,1,1] d = {1,6}, float[1,2,1,1] one = {0.9995004,0.9995004}, float[1,2,1,1] z = {0,0}>\n"       \
    "{ h = Conv (x, w) [\"" n1 "\"] p = Mul (h, " a1 ") q = Add (p, " b1 ")\n"                                         \
    "  r = Relu (q) k = Conv (r, " w2 ") [\"" n2 "\"] s = Mul (k, " a2 ") y = Add (s, " b2 ") }"
#define TWO_ROOTS(between)                                                                                             \
    "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                     \
    "<float[2,2,1,1] w = {1,-2,3,4}, float[2,2,1,1] u = {4,3,2,1}, float[1,2,1,1] one = {0.99950033,0.99950039}>\n"    \
    "{ h = Conv (x, w) " between " [\"m/batchnorm/mul_1\"] y = Mul (k, one) }"
#define STEPS(first, second, of, end)                                                                                  \
    "g (float[N,2] x) => (float[N,2] y) <float[2] one = {0.9995004,0.9995004}>\n"                                      \
    "{ h = Relu (x) [\"" first "\"] p = Mul (h, one) k = Sigmoid (" of ") [\"" second "\"] q = Mul (k, one) " end " }"
#define LAST_STEPS(first, second)                                                                                      \
    "g (float[N,3,2] x) => (float[N,3,2] y) <float[2] one = {0.9995004,0.9995004}>\n"                                  \
    "{ h = Relu (x) [\"" first "\"] p = Mul (h, one) k = Sigmoid (h) [\"" second                                       \
    "\"] q = Mul (k, one) y = Add (p, q) }"
#define TWO_FOUND "l" NAMED MEASURED "l_1" NAMED MEASURED

#define FOLDED     ": BatchNormalization, folded into a layer: Conv (Keras on TensorFlow) (likely): " FRESH_SAID
#define FRESH_SAID "never trained: mean 0, variance 1, epsilon 0.001\n"
#define FOLDED_TWICE(first, second)                                                                                    \
    "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                     \
    "<float[2,2,1,1] w = {1,-2,3,4}, float[2,2,1,1] u = {4,3,2,1}>\n"                                                  \
    "{ [\"" first "\"] h = Conv (x, w) r = Relu (h) [\"" second "\"] y = Conv (r, u) }"

#define FOLDED_TOWERS(second)                                                                                          \
    "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,-2,3,4}>\n"                                     \
    "{ [\"m_1/t_1/bn_1_2/batchnorm/mul_1\"] h = Conv (x, w) g = Relu (h)\n"                                            \
    "  [\"m_1/t_3/bn_1_2/batchnorm/mul_1\"] y = Conv (g, " second ") }"

static const struct again_case {
    struct adapt_case of;
    bool shared;
} again[] = {
    { { .text = TWICE("a", "c", "a", "c", "w"),
        .found = TWO_FOUND,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    { { .text = TWICE("a", "c", "a", "c", "u"),
        .found = TWO_FOUND,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    { { .text = TWICE("a", "c", "a", "d", "u"),
        .found = TWO_FOUND,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    /* as PyTorch's exporter writes what it reads again */
    { { .text = TWICE("a", "c", "i", "c", "u) i = Identity (a"),
        .found = TWO_FOUND,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    /* of channels that are all equal: merged by chance, unless the layer before is the same */
    { { .text = TWICE("one", "c", "one", "c", "u"),
        .found = TWO_FOUND,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    { { .text = TWICE("one", "c", "one", "c", "w"),
        .found = TWO_FOUND,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    /* or the same layer takes one step after the other */
    { { .text = KERAS NAMED_TWICE("l/batchnorm_4/mul_1", "l/batchnorm/mul_1", "one", "z", "one", "z", "u"),
        .found = "l" NAMED FRESH "l" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    { { .text = KERAS "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,-2,3,4}, float[2,2,1,1] u = "
                      "{4,3,2,1},\n float[1,2,1,1] one = {0.9995004,0.9995004}>\n"
                      "{ h = Conv (x, w) [\"l/batchnorm_1/mul_1\"] p = Mul (h, one) r = Relu (p) k = Conv (r, u)\n"
                      "  [\"l/batchnorm/mul_1\"] y = Mul (k, one) }",
        .found = "l" NAMED FRESH "l" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    /* TensorFlow's roots differ by a unit in the last place: that makes no layer of two; nor does the same weight before both */
    { { .text = KERAS TWO_ROOTS("[\"l/batchnorm/mul_1\"] p = Mul (h, one) r = Relu (p) k = Conv (r, u)"),
        .found = "l" NAMED FRESH "m" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    { { .text = KERAS TWO_ROOTS("[\"l/batchnorm/mul_1\"] p = Mul (h, one) r = Relu (p) k = Conv (r, w)"),
        .found = "l" NAMED FRESH "m" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    { { .text = KERAS TWO_ROOTS("[\"l/batchnorm/mul_1\"] p = Mul (h, one) r = Relu (p) k = Relu (r)"),
        .found = "l" NAMED FRESH "m" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Relu BatchNormalization" },
      false },
    /* or the names of its calls tell so; another layer of channels that are equal is none, where they do */
    { { .text =
            KERAS NAMED_TWICE("m_1/bn_1_2/batchnorm/mul_1", "m_1/bn_1_4/batchnorm/mul_1", "one", "z", "one", "z", "u"),
        .found = "m_1/bn_1_2" NAMED FRESH "m_1/bn_1_4" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      true },
    { { .text =
            KERAS NAMED_TWICE("m_1/bn_1_2/batchnorm/mul_1", "m_1/bn_2_1/batchnorm/mul_1", "one", "z", "one", "z", "w"),
        .found = "m_1/bn_1_2" NAMED FRESH "m_1/bn_2_1" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    /* also where nothing else is left of it: it was never trained, and each layer before it has a weight of its own */
    { { .text = KERAS FOLDED_TWICE("m_1/bn_1_2/batchnorm/mul_1", "m_1/bn_1_4/batchnorm/mul_1"),
        .as = "*mul_1=no-bias",
        .found = "m_1/bn_1_2" FOLDED "m_1/bn_1_4" FOLDED,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization",
        .values = { { "w", "trainable", { 1.0004999, -2.0009999, 3.0014999, 4.0019997 } },
                    { "u", "trainable", { 4.0019997, 3.0014999, 2.0009999, 1.0004999 } },
                    { "m_1/bn_1_2/gamma", "trainable", { 1, 1 } } } },
      true },
    { { .text = KERAS FOLDED_TOWERS("w"),
        .as = "*mul_1=no-bias",
        .found = "m_1/t_1/bn_1_2" FOLDED "m_1/t_3/bn_1_2" FOLDED,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization",
        .values = { { "w", "trainable", { 1.0004999, -2.0009999, 3.0014999, 4.0019997 } },
                    { "m_1/t_1/bn_1_2/gamma", "trainable", { 1, 1 } } } },
      true },
    { { .text = KERAS FOLDED_TOWERS("w) k = Conv (g, w"),
        .as = "*mul_1=no-bias",
        .found = "m_1/t_1/bn_1_2" FOLDED "m_1/t_3/bn_1_2" FOLDED,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization Conv",
        .values = { { "w", "trainable", { 1, -2, 3, 4 } },
                    { "m_1/t_1/bn_1_2/gamma", "trainable", { 1.00049988, 1.00049988 } } } },
      true },
    { { .text = KERAS FOLDED_TWICE("m_1/bn_1_2/batchnorm/mul_1", "m_1/bn_2_1/batchnorm/mul_1"),
        .as = "*mul_1=no-bias",
        .found = "m_1/bn_1_2" FOLDED "m_1/bn_2_1" FOLDED,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    /* each call might open one scope; layers without numbers */
    { { .text = KERAS NAMED_TWICE("m_1/bn_1/batchnorm/mul_1", "m_1/bn_3/batchnorm/mul_1", "one", "z", "one", "z", "u"),
        .found = "m_1/bn_1" NAMED FRESH "m_1/bn_3" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    { { .text = KERAS NAMED_TWICE("m/bn_1_2/batchnorm/mul_1", "m/bn_1_4/batchnorm/mul_1", "one", "z", "one", "z", "u"),
        .found = "m/bn_1_2" NAMED FRESH "m/bn_1_4" NAMED FRESH,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
    { { .text = HEAD NAMED_TWICE("l/batchnorm_x/mul_1", "l/batchnorm/mul_1", "one", "c", "one", "c", "u"),
        .found = "l/batchnorm_x" NAMED MEASURED "l" NAMED MEASURED,
        .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
      false },
};

START_TEST(a_layer_that_is_used_again_stays_one)
{
    const struct adapt_case *c = &again[_i].of;
    struct model *m = model_of(c->text), *made;
    const Onnx__NodeProto *n[2];

    expect_case(c);
    made = adapt_over(m, c->o, false);
    expect_ok(made);
    ck_assert_uint_eq(got.normalizations, again[_i].shared ? 1 : 2); /* layers */
    n[0] = made->proto->graph->node[1];
    n[1] = made->proto->graph->node[4];
    for (int k = 1; k < 5; k++)
        ck_assert((strcmp(n[0]->input[k], n[1]->input[k]) == 0) == again[_i].shared);
    arena_release(&arena);
    model_free(made);
    model_free(m);
}
END_TEST

/* tf2onnx writes the steps of TimeDistributed last first; training moves the statistics on with each. Others stay where they
 * are, and so does what reads the later step first. */
static const struct {
    const char *text, *ops, *first;
} steps[] = {
    { KERAS STEPS("l/batchnorm_1/mul_1", "l/batchnorm/mul_1", "h", "y = Add (p, q)"),
      "Relu Sigmoid BatchNormalization BatchNormalization Add", "q" },
    { KERAS STEPS("l/batchnorm_10/mul_1", "l/batchnorm_2/mul_1", "h", "y = Add (p, q)"),
      "Relu Sigmoid BatchNormalization BatchNormalization Add", "q" },
    { KERAS STEPS("l/batchnorm_2/mul_1", "l/batchnorm_1/mul_1", "h",
                  "[\"l/batchnorm/mul_1\"] r = Mul (h, one) s = Add (p, q) y = Add (s, r)"),
      "Relu Sigmoid BatchNormalization BatchNormalization BatchNormalization Add Add", "r" },
    { KERAS STEPS("l/batchnorm/mul_1", "l/batchnorm_1/mul_1", "h", "y = Add (p, q)"),
      "Relu BatchNormalization Sigmoid BatchNormalization Add", "p" },
    { KERAS STEPS("l/batchnorm_1/mul_1", "l/batchnorm/mul_1", "p", "y = Relu (q)"),
      "Relu BatchNormalization Sigmoid BatchNormalization Relu", "p" },
    /* or calls, by their numbers */
    { KERAS STEPS("t_1/m_3/l_1_2/batchnorm/mul_1", "t_1/m_1/l_1_2/batchnorm/mul_1", "h", "y = Add (p, q)"),
      "Relu Sigmoid BatchNormalization BatchNormalization Add", "q" },
    { KERAS STEPS("t_1/m_1/l_1_12/batchnorm/mul_1", "t_1/m_1/l_1_2/batchnorm/mul_1", "h", "y = Add (p, q)"),
      "Relu Sigmoid BatchNormalization BatchNormalization Add", "q" },
    { KERAS STEPS("t_1/m_1/l_1_2/batchnorm_1/mul_1", "t_1/m_3/l_1_2/batchnorm/mul_1", "h", "y = Add (p, q)"),
      "Relu BatchNormalization Sigmoid BatchNormalization Add", "p" },
    /* with channels that stand last: nodes that turn them lie around */
    { KERAS LAST_STEPS("l/batchnorm_1/mul_1", "l/batchnorm/mul_1"),
      "Relu Transpose Sigmoid Transpose BatchNormalization BatchNormalization Transpose Transpose Add", "q" },
};

/* What it makes, turned back. */
static const char *what_is_made(const struct model *m, const struct node *n)
{
    for (size_t k = 0; k < m->graph->node_count; k++)
        if (node_is(m->graph->nodes[k], &op_transpose) && m->graph->nodes[k]->in[0] == n->out[0])
            return m->graph->nodes[k]->out[0]->name;
    return n->out[0]->name;
}

START_TEST(steps_of_a_layer_are_in_their_order)
{
    struct model *m = model_of(steps[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    const struct node *n = NULL;

    expect_ok(made);
    expect_ops(made, steps[_i].ops);
    for (size_t k = made->graph->node_count; k-- > 0;)
        if (node_is(made->graph->nodes[k], &op_batch_normalization))
            n = made->graph->nodes[k];
    ck_assert(n && strcmp(what_is_made(made, n), steps[_i].first) == 0);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* The statistics of both places, as if their values were one set. */
START_TEST(statistics_of_both_places_are_pooled)
{
    static const double mean[2][2] = { { 1, 10 }, { 5, 2 } };
    float x[2][2] = { { 0, 8 }, { 2, 12 } }, y[4][2] = { { 4, 2 }, { 6, 2 }, { 4, 2 }, { 6, 2 } };
    const int64_t labels[2] = { 0, 1 };
    struct column columns[2] = {
        { .name = "x", .values = { .dtype = F32, .rank = 2, .dims = { 2, 2 }, .data = (void *)x } },
        { .name = "z", .values = { .dtype = F32, .rank = 3, .dims = { 2, 2, 2 }, .data = (void *)y } }
    };
    struct column target = { .values = { .dtype = I64, .rank = 1, .dims = { 2 }, .data = (void *)(uintptr_t)labels },
                             .classes = 2 };
    struct dataset d = { .x = columns, .y = &target, .inputs = 2, .targets = 1, .count = 2, .budget = &budget };
    struct model *m = model_of(HEAD "g (float[N,2] x, float[N,2,2] z) => (float[N,2] y, float[N,2,2] v)\n"
                                    "<float[2] a = {2,3}, float[2] c = {1,5}>\n"
                                    "{ h = Identity (x) [\"l/batchnorm/mul_1\"] p = Mul (h, a) y = Add (p, c)\n"
                                    "  k = Identity (z) [\"l/batchnorm/mul_1\"] q = Mul (k, a) v = Add (q, c) }");
    struct model *made = adapt_over(m, (struct adapt_options){ .data = &d }, false);
    double want[2], variance[2];

    expect_ok(made);
    for (int c = 0; c < 2; c++) { /* two values of the first place, four of the second */
        want[c] = (2 * mean[0][c] + 4 * mean[1][c]) / 6;
        variance[c] = 0;
        for (int k = 0; k < 6; k++)
            variance[c] += pow((double)(k < 2 ? x[k][c] : y[k - 2][c]) - want[c], 2) / 6;
    }
    for (int c = 0; c < 2; c++) {
        const struct tensor *mu = graph_find(made->graph, "l/moving_mean")->initializer;
        const struct tensor *sigma = graph_find(made->graph, "l/moving_variance")->initializer;

        ck_assert_double_eq_tol((double)((const float *)mu->data)[c], want[c], 1e-5);
        ck_assert_double_eq_tol((double)((const float *)sigma->data)[c], variance[c], 1e-3 * variance[c] + 1e-3);
    }
    ck_assert_ptr_null(graph_find(made->graph, "l/moving_mean.1"));
    arena_release(&arena);
    model_free(made);
    model_free(m);
}
END_TEST

/* -- shapes that only running tells -- */

static const struct adapt_case late[] = {
    { .text = HEAD "g (float[N,2] x) => (float[T,N,2] y) <float[2] a = {2,3}, float[2] c = {1,5}>\n"
                   "{ f = ReduceSum <keepdims = 0> (x) n = Cast <to = 7> (f) s, k = Loop (n, , x) <body = b (int64 i, "
                   "bool on, float[N,2] v) => (bool still, float[N,2] w, "
                   "float[N,2] o) {\n"
                   "    still = Identity (on) w = Neg (v) o = Relu (v) }>\n"
                   "  [\"l/batchnorm/mul_1\"] p = Mul (k, a) y = Add (p, c) }",
      .found = "l" NAMED MEASURED,
      .ops = "ReduceSum Cast Loop Transpose BatchNormalization Transpose" },
};

START_TEST(what_a_loop_makes_is_normalised)
{
    expect_case(&late[_i]);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_repairs");

    add_tests(s, a_factor_goes_back_to_its_layer, COUNT(products));
    add_tests(s, zeros_may_be_a_token, COUNT(tokens));
    add_tests(s, a_bias_of_zeros_comes_back, COUNT(biases));
    add_tests(s, what_may_be_lost_beside_is_told, 3);
    add_tests(s, a_beta_of_zeros_comes_back, COUNT(betas));
    add_test(s, groups_have_a_beta_for_each_channel);
    add_tests(s, what_was_merged_is_untied, COUNT(merged));
    add_tests(s, what_was_merged_is_called_what_it_is, COUNT(owners));
    add_tests(s, what_was_computed_of_a_parameter_is_one_with_it, COUNT(computed));
    add_tests(s, a_layer_that_is_used_again_stays_one, COUNT(again));
    add_tests(s, steps_of_a_layer_are_in_their_order, COUNT(steps));
    add_test(s, statistics_of_both_places_are_pooled);
    add_tests(s, what_a_loop_makes_is_normalised, COUNT(late));
    return s;
}
