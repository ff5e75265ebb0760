/* Scales and biases that a normalisation does not have, and that PyTorch's exporters write as ones and zeros. */
#include "adapting.h"

#define PYTORCH FROM("pytorch")
#define ROWS    "g (float[N,3] x) => (float[N,3] y) "
#define IMAGES  "g (float[N,3,2,2] x) => (float[N,3,2,2] y) "
#define ONES(n) n " = Constant <value = float[3] {1,1,1}> () "
#define ZERO(n) n " = Constant <value = float[3] {0,0,0}> () "
#define MOMENTS "float[3] \"n.running_mean\" = {1,2,3}, float[3] \"n.running_var\" = {4,5,6}"

#define WITHOUT(node, op, what, sure) node ": " op " without " what " (" sure "): what stands for it is constant\n"
#define FX(target, arguments)                                                                                          \
    "pkg.torch.onnx.fx_node", "%n : [num_users=1] = call_function[target=torch.ops.aten." target                       \
                              ".default](args = (" arguments "), kwargs = {})"
#define DOUBTFUL(node, what)                                                                                           \
    node ": " what " of one number, which other layers read, too (doubtful): nothing: it trains\n"
#define MERGED(name)                                                                                                   \
    name ": equal constants of several layers that the exporter has merged (likely): each layer has one of its own\n"

/* Role and numbers of one value. */
#define IS(name, role, ...)                                                                                            \
    {                                                                                                                  \
        name, role,                                                                                                    \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

#define GROUPS(a, b)                                                                                                   \
    PYTORCH IMAGES "<float[1] o = {1}, float[1] z = {0}, int64[3] s = {0,1,-1}, float[3,1,1] \"" a "\" = {1,1,1},\n"   \
                   "float[3,1,1] \"" b "\" = {0,0,0}, float[3,3,1,1] w = {1,2,3,4,5,6,7,8,9}>\n"                       \
                   "{ h = Conv (x, w) q = Shape (h) r = Reshape (h, s) i = InstanceNormalization (r, o, z)\n"          \
                   "  k = Reshape (i, q) m = Mul (k, \"" a "\") y = Add (m, \"" b "\") }"

static const struct adapt_case unmerged[] = {
    /* TorchScript: Constant nodes */
    { .text = PYTORCH ROWS "<" MOMENTS "> { [\"/n/Constant\"] " ONES("\"/n/o\"") "[\"/n/Constant_1\"] " ZERO(
          "\"/n/z\"") "[\"/n/BatchNormalization\"] y = BatchNormalization (x, \"/n/o\", \"/n/z\", \"n.running_mean\", "
                      "\"n.running_var\") }",
      .found = WITHOUT("/n/BatchNormalization", "BatchNormalization", "scale and bias", "likely"),
      .values = { IS("n.running_mean", "statistic", 1, 2, 3), IS("n.running_var", "statistic", 4, 5, 6) } },
    { .text = PYTORCH ROWS "{ " ONES("o") ZERO("z") "y = LayerNormalization (x, o, z) }",
      .found = WITHOUT("y", "LayerNormalization", "scale and bias", "likely") },
    { .text =
          PYTORCH ROWS "<float[3] \"n.weight\" = {1,1,2}> { " ZERO("z") "y = LayerNormalization (x, \"n.weight\", z) }",
      .found = WITHOUT("y", "LayerNormalization", "bias", "likely"),
      .values = { IS("n.weight", "trainable", 1, 1, 2) } },
    { .text = PYTORCH IMAGES "{ " ONES("o") ZERO("z") "y = InstanceNormalization (x, o, z) }",
      .found = WITHOUT("y", "InstanceNormalization", "scale and bias", "likely") },
    { .text = PYTORCH "g (float[N,3,2] x) => (float[N,3,2] y) { " ONES("o")
          ZERO("z") "y = InstanceNormalization (x, o, z) }",
      .found = WITHOUT("y", "InstanceNormalization", "scale and bias", "likely") },
    { .text = "<ir_version: 8, opset_import: [\"\": 21], producer_name: \"pytorch\">\n" IMAGES "{ " ONES("o")
          ZERO("z") "y = GroupNormalization <num_groups = 3> (x, o, z) }",
      .found = WITHOUT("y", "GroupNormalization", "scale and bias", "likely") },
    { .text = PYTORCH "g (double[N,3] x) => (double[N,3] y) { o = Constant <value = double[3] {1,1,1}> ()\n"
                      "z = Constant <value = double[3] {0,0,0}> () y = LayerNormalization (x, o, z) }",
      .found = WITHOUT("y", "LayerNormalization", "scale and bias", "likely") },
    { .text =
          PYTORCH "g (float16[N,3] x) => (float16[N,3] y) { o = Constant <value = float16[3] {15360,15360,15360}> ()\n"
                  "z = Constant <value = float16[3] {0,0,0}> () y = LayerNormalization (x, o, z) }",
      .found = WITHOUT("y", "LayerNormalization", "scale and bias", "likely") },
    /* initializers that are called as constants are: by either exporter, before TorchScript had names; whoever is said to
     * have made the file */
    { .text = HEAD ROWS "<float[3] \"/n/Constant_output_0\" = {1,1,1}, float[3] val_7 = {0,0,0}>\n"
                        "{ y = LayerNormalization (x, \"/n/Constant_output_0\", val_7) }",
      .found = WITHOUT("y", "LayerNormalization", "scale and bias", "likely"),
      .values = { IS("/n/Constant_output_0", "constant", 1, 1, 1), IS("val_7", "constant", 0, 0, 0) } },
    { .text = PYTORCH ROWS "<float[3] \"14\" = {1,1,1}, float[3] \"n.bias\" = {0,0,0}>\n"
                           "{ y = LayerNormalization (x, \"14\", \"n.bias\") }",
      .found = WITHOUT("y", "LayerNormalization", "scale", "likely"),
      .values = { IS("14", "constant", 1, 1, 1), IS("n.bias", "trainable", 0, 0, 0) } },
    /* parameters, as their names say; another exporter's numbers; other numbers; the wrong way round */
    { .text = PYTORCH ROWS "<float[3] \"n.weight\" = {1,1,1}, float[3] \"n.bias\" = {0,0,0}>\n"
                           "{ y = LayerNormalization (x, \"n.weight\", \"n.bias\") }",
      .found = "",
      .values = { IS("n.weight", "trainable", 1, 1, 1), IS("n.bias", "trainable", 0, 0, 0) } },
    { .text = HEAD ROWS "<float[3] \"14\" = {1,1,1}> { " ZERO("z") "y = LayerNormalization (x, \"14\", z) }",
      .found = "",
      .values = { IS("14", "trainable", 1, 1, 1) } },
    { .text = PYTORCH ROWS "<float[3] val_1 = {1,2,1}, float[3] val_x = {0,0,0}>\n"
                           "{ y = LayerNormalization (x, val_1, val_x) }",
      .found = "",
      .values = { IS("val_1", "trainable", 1, 2, 1), IS("val_x", "trainable", 0, 0, 0) } },
    /* the caller knows better */
    { .text = PYTORCH ROWS "<float[3] val_1 = {1,1,1}> { y = LayerNormalization (x, val_1) }",
      .as = "y=trainable",
      .found = "y: LayerNormalization without scale (likely): what stands for it trains, as asked\n",
      .values = { IS("val_1", "trainable", 1, 1, 1) } },
    /* the newer exporter tells: None, or fewer arguments */
    { .text = PYTORCH ROWS "<float[3] a = {1,1,1}, float[3] b = {0,0,0}> { y = LayerNormalization (x, a, b) }",
      .metadata = { 0, FX("layer_norm", "%x, [3], None, None, 1e-05, False") },
      .found = WITHOUT("y", "LayerNormalization", "scale and bias", "certain"),
      .values = { IS("a", "constant", 1, 1, 1), IS("b", "constant", 0, 0, 0) } },
    { .text = PYTORCH ROWS "<float[3] a = {1,1,1}, float[3] b = {0,0,0}> { y = LayerNormalization (x, a, b) }",
      .metadata = { 0, FX("layer_norm", "%x, [(3), 4], %p_n_weight") },
      .found = WITHOUT("y", "LayerNormalization", "bias", "certain"),
      .values = { IS("a", "trainable", 1, 1, 1), IS("b", "constant", 0, 0, 0) } },
    { .text = PYTORCH ROWS "<float[3] val_1 = {1,1,1}, float[3] val_2 = {0,0,0}>\n"
                           "{ y = LayerNormalization (x, val_1, val_2) }",
      .metadata = { 0, FX("native_layer_norm", "%x, [3], %w, %add") },
      .found = "",
      .values = { IS("val_1", "trainable", 1, 1, 1), IS("val_2", "trainable", 0, 0, 0) } },
    { .text = PYTORCH ROWS "<float[3] a = {1,1,1}, float[3] b = {0,0,0}, " MOMENTS ">\n"
                           "{ y = BatchNormalization (x, a, b, \"n.running_mean\", \"n.running_var\") }",
      .metadata = { 0, FX("_native_batch_norm_legit_no_training", "%x, None, None, %b_m, %b_v, 0.1, 1e-05") },
      .found = WITHOUT("y", "BatchNormalization", "scale and bias", "certain"),
      .values = { IS("a", "constant", 1, 1, 1), IS("b", "constant", 0, 0, 0) } },
    { .text = PYTORCH IMAGES "<float[3] a = {1,1,1}, float[3] b = {0,0,0}> { y = InstanceNormalization (x, a, b) }",
      .metadata = { 0, FX("instance_norm", "%x, %p_n_weight, None, None, None, True, 0.1, 1e-05, True") },
      .found = WITHOUT("y", "InstanceNormalization", "bias", "certain"),
      .values = { IS("a", "trainable", 1, 1, 1), IS("b", "constant", 0, 0, 0) } },
    /* another function than a normalisation says nothing */
    { .text = PYTORCH ROWS "<float[3] a = {1,1,1}, float[3] val_1 = {0,0,0}> { y = LayerNormalization (x, a, val_1) }",
      .metadata = { 0, FX("linear", "%x, None, None, None") },
      .found = WITHOUT("y", "LayerNormalization", "bias", "likely"),
      .values = { IS("a", "trainable", 1, 1, 1), IS("val_1", "constant", 0, 0, 0) } },
    /* GroupNormalization as nodes: three of one layer, or with a factor and a summand that it has */
    { .text = GROUPS("a", "b"),
      .metadata = { 5, FX("group_norm", "%x, 1, None, None, 1e-05, False") },
      .more = { 6, FX("group_norm", "%x, 1, None, None, 1e-05, False") },
      .found = WITHOUT("y", "GroupNormalization", "scale and bias", "certain"),
      .values = { IS("a", "constant", 1, 1, 1), IS("b", "constant", 0, 0, 0), IS("w", "trainable", NAN) } },
    { .text = GROUPS("val_1", "val_2"),
      .metadata = { 5, FX("group_norm", "%x, 1, %p_n_weight, %p_n_bias, 1e-05, False") },
      .more = { 6, FX("group_norm", "%x, 1, %p_n_weight, %p_n_bias, 1e-05, False") },
      .found = "",
      .values = { IS("val_1", "trainable", 1, 1, 1), IS("val_2", "trainable", 0, 0, 0), IS("o", "constant", 1) } },
    /* without metadata nobody can tell */
    { .text = GROUPS("val_1", "val_2"),
      .found = "m: scale of one number, behind groups (doubtful): nothing: it trains\n"
               "y: bias of one number, behind groups (doubtful): nothing: it trains\n",
      .values = { IS("val_1", "trainable", 1, 1, 1), IS("val_2", "trainable", 0, 0, 0) } },
    { .text = GROUPS("val_1", "n.bias"),
      .as = "m=constant",
      .found = WITHOUT("m", "a normalisation", "scale", "likely"),
      .values = { IS("val_1", "constant", 1, 1, 1), IS("n.bias", "trainable", 0, 0, 0) } },
    /* the ones and zeros of TorchScript's groups are no layer's */
    { .text = PYTORCH IMAGES
      "<float[3,1,1] \"onnx::Mul_1\" = {1,1,1}, float[3,1,1] \"onnx::Add_1\" = {0,0,0},\n"
      "int64[3] s = {0,3,-1}, float[3,3,1,1] w = {1,2,3,4,5,6,7,8,9}> { h = Conv (x, w) q = Shape (h)\n"
      "r = Reshape (h, s) " ONES("o")
          ZERO("z") "i = InstanceNormalization (r, o, z)\n"
                    "k = Reshape (i, q) m = Mul (k, \"onnx::Mul_1\") y = Add (m, \"onnx::Add_1\") }",
      .found = "",
      .values = { IS("onnx::Mul_1", "trainable", 1, 1, 1), IS("onnx::Add_1", "trainable", 0, 0, 0) } },
    /* what was folded has become another thing */
    { .text = PYTORCH IMAGES
      "<float[3,3,1,1] w = {1,2,3,4,5,6,7,8,9}, float[3] val_1 = {0,0,0}> { y = Conv (x, w, val_1) }",
      .o.folded = FOLDED_NONE,
      .metadata = { 0, FX("batch_norm", "%x, None, None, %b_m, %b_v, True, 0.1, 1e-05, True") },
      .found = "bn: no BatchNormalization, as asked (certain): left as it is\n",
      .values = { IS("val_1", "trainable", 0, 0, 0) } },
};

START_TEST(what_a_layer_does_not_have_is_constant)
{
    expect_case(&unmerged[_i]);
}
END_TEST

/* -- merged with what another layer has -- */

#define TWO(a, b)                                                                                                      \
    PYTORCH ROWS "<float[3] \"m.weight\" = {1,1,1}, float[3] \"m.bias\" = {0,0,0}, float[3] c = {1,2,3}>\n"            \
                 "{ [\"" a "\"] h = LayerNormalization (x, \"m.weight\", \"m.bias\") r = Mul (h, c)\n"                 \
                 "  [\"" b "\"] y = LayerNormalization (r, \"m.weight\", \"m.bias\") }"
#define OPS      "LayerNormalization Mul LayerNormalization"
#define BOTH     DOUBTFUL("m", "scale and bias") DOUBTFUL("n", "scale and bias")
#define OF_M     IS("m.weight", "trainable", 1, 1, 1), IS("m.bias", "trainable", 0, 0, 0)
#define HAS_M    FX("layer_norm", "%x, [3], %p_m_weight, %p_m_bias, 1e-05, False")
#define HAS_NONE FX("layer_norm", "%mul, [3], None, None, 1e-05, False")

static const struct adapt_case merged[] = {
    /* the first has it, the second has, none of them has */
    { .text = TWO("m", "n"),
      .metadata = { 0, HAS_M },
      .more = { 2, HAS_NONE },
      .found = WITHOUT("n", "LayerNormalization", "scale and bias", "certain"),
      .ops = OPS,
      .values = { OF_M, IS("n/scale", "constant", 1, 1, 1), IS("n/bias", "constant", 0, 0, 0) } },
    { .text = TWO("n", "m"),
      .metadata = { 0, HAS_NONE },
      .more = { 2, HAS_M },
      .found = WITHOUT("n", "LayerNormalization", "scale and bias", "certain"),
      .ops = OPS,
      .values = { OF_M, IS("n/scale", "constant", 1, 1, 1), IS("n/bias", "constant", 0, 0, 0) } },
    { .text = TWO("n", "k"),
      .metadata = { 0, HAS_NONE },
      .more = { 2, FX("layer_norm", "%x, [3], None, None, 1e-06, False") },
      .found = WITHOUT("n", "LayerNormalization", "scale and bias", "certain")
          WITHOUT("k", "LayerNormalization", "scale and bias", "certain"),
      .values = { IS("m.weight", "constant", 1, 1, 1), IS("m.bias", "constant", 0, 0, 0) } },
    /* what only the caller can tell */
    { .text = TWO("m", "n"), .found = BOTH, .values = { OF_M } },
    { .text = TWO("m", "n"),
      .as = "n=constant",
      .found = DOUBTFUL("m", "scale and bias") WITHOUT("n", "LayerNormalization", "scale and bias", "likely"),
      .ops = OPS,
      .values = { OF_M, IS("n/scale", "constant", 1, 1, 1), IS("n/bias", "constant", 0, 0, 0) } },
    { .text = TWO("m", "n"), .as = "*=trainable", .found = "", .values = { OF_M } },
    { .text = TWO("n", "k"),
      .metadata = { 0, HAS_NONE },
      .more = { 2, FX("layer_norm", "%x, [3], None, None, 1e-06, False") },
      .as = "k=trainable",
      .found = WITHOUT(
          "n", "LayerNormalization", "scale and bias",
          "certain") "k: LayerNormalization without scale and bias (certain): what stands for it trains, as asked\n",
      .ops = OPS,
      .values = { IS("m.weight", "constant", 1, 1, 1), IS("k/scale", "trainable", 1, 1, 1) } },
    /* TorchScript's names tell: a module that is called twice, in another one */
    { .text = TWO("/m/LayerNormalization", "/m_1/LayerNormalization"), .found = "", .values = { OF_M } },
    { .text = TWO("/e/m/LayerNormalization", "/e/n/LayerNormalization"),
      .found = DOUBTFUL("/e/n/LayerNormalization", "scale and bias"),
      .values = { OF_M } },
    { .text = TWO("/_1/LayerNormalization", "/m/LayerNormalization"),
      .found = DOUBTFUL("/_1/LayerNormalization", "scale and bias"),
      .values = { OF_M } },
    /* repeated for each sample, as the statistics of an InstanceNormalization that tracks them are */
    { .text = PYTORCH IMAGES "<float[3] o = {1,1,1}, int64[1] n = {1}, float[3] m = {1,2,3}, float[3] v = {4,5,6}, "
                             "float[3] b = {3,2,1}, float[3] z = {2,2,2}>\n"
                             "{ [\"m\"] r = InstanceNormalization (x, o, b) t = Tile (o, n)\n"
                             "  y = BatchNormalization (r, t, z, m, v) }",
      .metadata = { 0, FX("instance_norm", "%x, %p_m_weight, %p_m_bias") },
      .more = { 2, FX("instance_norm", "%x, None, %p_n_bias, %b_m, %b_v") },
      .found = WITHOUT("y", "BatchNormalization", "scale", "certain"),
      .ops = "InstanceNormalization Tile BatchNormalization",
      .values = { IS("o", "trainable", 1, 1, 1), IS("y/scale", "constant", 1, 1, 1) } },
    /* a mean of zeros and a variance of ones are what they are */
    { .text = PYTORCH ROWS "<float[3] \"n.running_var\" = {1,1,1}, float[3] \"n.running_mean\" = {0,0,0}>\n"
                           "{ [\"n\"] y = BatchNormalization (x, \"n.running_var\", \"n.running_mean\", "
                           "\"n.running_mean\", \"n.running_var\") }",
      .metadata = { 0, FX("_native_batch_norm_legit_no_training", "%x, None, None, %b_m, %b_v, 0.1, 1e-05") },
      .found = WITHOUT("n", "BatchNormalization", "scale and bias", "certain"),
      .ops = "BatchNormalization",
      .values = { IS("n.running_var", "statistic", 1, 1, 1), IS("n.running_mean", "statistic", 0, 0, 0),
                  IS("n/scale", "constant", 1, 1, 1), IS("n/bias", "constant", 0, 0, 0) } },
};

START_TEST(what_was_merged_becomes_its_own)
{
    expect_case(&merged[_i]);
}
END_TEST

/* -- folded -- */

#define FOLDED(bias)                                                                                                   \
    PYTORCH "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] \"0.weight\" = {1,2,3,4}, float[2] \"" bias    \
            "\" = {1,-2}>\n"                                                                                           \
            "{ [\"l/conv\"] y = Conv (x, \"0.weight\", \"" bias "\") }"
#define INTO     "l: BatchNormalization, folded into a layer: Conv (PyTorch (dynamo)) (certain): "
#define TOLD(a)  FX("_native_batch_norm_legit_no_training", "%conv2d, " a ", %b_m, %b_v, 0.1, 1e-05")
#define EXACT    "gamma, beta, mean and variance are exact, epsilon 1e-05, no gamma, no beta\n"
#define UNFOLDED .ops = "Conv BatchNormalization"
#define WEIGHTS  IS("0.weight", "trainable", .25, .5, .375, .5)
#define VARIANCE IS("l/moving_variance", "statistic", .06249, .015615)

static const struct adapt_case folded[] = {
    /* the weight may have any size: so what BatchNormalization divides by is known */
    { .text = FOLDED("0.weight_bias"),
      .blind = true,
      .metadata = { 0, TOLD("None, None") },
      .found = INTO EXACT,
      UNFOLDED,
      .values = { WEIGHTS, IS("l/gamma", "constant", 1, 1), IS("l/beta", "constant", 0, 0),
                  IS("l/moving_mean", "statistic", -.25, .25), VARIANCE } },
    /* a bias that the layer has goes on doing what it does */
    { .text = FOLDED("0.bias"),
      .blind = true,
      .metadata = { 0, TOLD("None, None") },
      .found = INTO EXACT,
      UNFOLDED,
      .values = { WEIGHTS, IS("0.bias", "trainable", .25, -.25), IS("l/gamma", "constant", 1, 1),
                  IS("l/beta", "constant", 0, 0), IS("l/moving_mean", "statistic", 0, 0), VARIANCE } },
    { .text = FOLDED("0.weight_bias"),
      .metadata = { 0, TOLD("None, %p_l_bias") },
      .found = INTO "mean and variance measured, epsilon 1e-05, no gamma\n",
      UNFOLDED,
      .values = { IS("l/gamma", "constant", 1, 1), IS("l/beta", "trainable", NAN), VARIANCE } },
    { .text = FOLDED("0.weight_bias"),
      .metadata = { 0, TOLD("%p_l_weight, None") },
      .found = INTO "mean and variance measured, epsilon 1e-05, no beta\n",
      UNFOLDED,
      .values = { IS("l/gamma", "trainable", NAN), IS("l/beta", "constant", 0, 0),
                  IS("l/moving_mean", "statistic", -.25, .25) } },
};

START_TEST(what_was_folded_without_is_exact)
{
    expect_case(&folded[_i]);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_affine");

    add_tests(s, what_a_layer_does_not_have_is_constant, COUNT(unmerged));
    add_tests(s, what_was_merged_becomes_its_own, COUNT(merged));
    add_tests(s, what_was_folded_without_is_exact, COUNT(folded));
    return s;
}
