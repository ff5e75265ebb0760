/* What exporters leave of BatchNormalization: each trace as it is written, what comes out, and what looks like one and is
 * none. */
#include "adapting.h"

#define NAN_VALUES                                                                                                     \
    {                                                                                                                  \
        NAN                                                                                                            \
    }
/* h, of three channels that stand last, or of two in axis 1. */
#define LAST(w)  "g (float[N,2,3] x) => (float[N,2,3] y) <" w "> { h = Relu (x) "
#define FIRST(w) "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <" w "> { h = Relu (x) "
#define PAIR     "float[3] \"l/batchnorm/mul:0\" = {2,3,-4}, float[3] \"l/batchnorm/sub:0\" = {1,0,-1}"
#define TURNED   "Relu Transpose BatchNormalization Transpose"
#define MEASURED "mean and variance measured, epsilon "
#define EXACT    "gamma, beta, mean and variance are exact, epsilon "
#define NAMED    "l: BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (likely): "
/* Keras on JAX: four vectors, and the nodes that make two of them. */
#define FOUR                                                                                                           \
    "float[3] ga = {2,3,4}, float[3] be = {1,0,-1}, float[3] me = {0.5,-1,2}, float[3] va = {1,4,0.25}, "              \
    "float e = {0.002}, float one = {1}, float half = {0.5}, float minus = {-0.5}"
#define BN       "[\"bn/Mul\"] p = Mul (h, a) [\"bn/Add\"] y = Add (p, c) }"
#define COMPUTED "bn: BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (certain): "
#define ALL_FOUR                                                                                                       \
    {                                                                                                                  \
        { "bn/gamma", "trainable", { 2, 3, 4 } }, { "bn/beta", "trainable", { 1, 0, -1 } },                            \
            { "bn/moving_mean", "statistic", { .5, -1, 2 } }, { "bn/moving_variance", "statistic", { 1, 4, .25 } },    \
    }

/* -- Mul and Add -- */

#define SMALL(u, v)                                                                                                    \
    "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {" u ",0,0," v "}, float[2] \"l/batchnorm/mul:0\" = {2,3}, "   \
    "float[2] c = {1,-1}> { h = MatMul (x, w) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, c) }"
#define NEAR(factor, a, c)                                                                                             \
    "g (float[N,2,4] x) => (float[N,2,4] y) <float[4] \"l/batchnorm/" factor ":0\" = " a ", float[4] c = " c "> "      \
    "{ h = Relu (x) p = Mul (h, \"l/batchnorm/" factor ":0\") y = Add (p, c) }"
#define NEAR_MEAN(a, c)                                                                                                \
    "g (float[N,2,4] x) => (float[N,2,4] y) <float[4] \"l/batchnorm/mul:0\" = " a                                      \
    ", float[4] \"l/batchnorm/mul_2:0\" = " c "> "                                                                     \
    "{ h = Relu (x) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, \"l/batchnorm/mul_2:0\") }"

static const struct adapt_case pairs[] = {
    { .text = HEAD LAST(PAIR) "[\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\")"
                              " [\"l/batchnorm/add_1\"] y = Add (p, \"l/batchnorm/sub:0\") }",
      .found = NAMED MEASURED "0.001\n",
      .ops = TURNED,
      .epsilon = 1e-3,
      .momentum = .99,
      .values = { { "l/gamma", "trainable", NAN_VALUES },
                  { "l/beta", "trainable", NAN_VALUES },
                  { "l/moving_mean", "statistic", NAN_VALUES },
                  { "l/moving_variance", "statistic", NAN_VALUES } } },
    /* constants first, in axis 1, as 1x1 kernels are reshaped; a factor that says nothing by its name */
    { .text = HEAD FIRST("float[1,2,1,1] const_fold_opt__17 = {2,3}, float[1,2,1,1] const_fold_opt__18 = "
                         "{1,5}") "[\"l/batchnorm/mul_1\"] p = Mul (const_fold_opt__17, h) "
                                  "[\"l/batchnorm/add_1\"] y = Add "
                                  "(const_fold_opt__18, p) }",
      .found = NAMED MEASURED "0.001\n",
      .ops = "Relu BatchNormalization" },
    /* nothing says so by its name */
    { .text = HEAD FIRST(
          "float[2,1,1] a = {2,3}, float[2,1,1] c = {1,5}, float[2,2,1,1] w = {1,2,3,4}") "k = Conv (h, w) p = "
                                                                                          "Mul (k, a) y = Add "
                                                                                          "(p, c) }",
      .as = "*=batch-normalization",
      .found = "bn: BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (doubtful): " MEASURED "0.001\n",
      .ops = "Relu Conv BatchNormalization" },
    /* without scale: the variance is in the factor, and gamma is no parameter */
    { .text = HEAD LAST("float[3] \"l/batchnorm/Rsqrt:0\" = {2,0.5,1}, float[3] \"l/batchnorm/sub:0\" = "
                        "{1,0,-1}") "[\"l/batchnorm/mul\"] p = Mul (h, \"l/batchnorm/Rsqrt:0\") "
                                    "[\"l/batchnorm/add_1\"] y = Add (p, "
                                    "\"l/batchnorm/sub:0\") }",
      .found = NAMED MEASURED "0.001, no gamma\n",
      .ops = TURNED,
      .values = { { "l/gamma", "constant", { 1, 1, 1 } },
                  { "l/beta", "trainable", NAN_VALUES },
                  { "l/moving_variance", "statistic", { .249, 3.999, .999 } } } },
    /* near what they begin with, but without gamma the factor is of a variance that training has moved; without beta the
     * summand is of a mean */
    { .text = HEAD NEAR("Rsqrt", "{1.25,1,0.9,1}", "{-0.1,-0.2,0,-0.1}"),
      .found = NAMED MEASURED "0.001, no gamma\n",
      .ops = TURNED,
      .values = { { "l/gamma", "constant", { 1, 1, 1, 1 } },
                  { "l/moving_variance", "statistic", { .639, .999, 1.23356795, .999 } } } },
    { .text = HEAD NEAR("mul", "{1.25,1,0.8,1}", "{-0.125,-0.2,0,-0.1}"),
      .found = NAMED "near what it begins with: mean 0, variance 1 are taken, epsilon 0.001\n",
      .ops = TURNED,
      .values = { { "l/beta", "trainable", { -.125, -.2, 0, -.1 } },
                  { "l/moving_mean", "statistic", { 0, 0, 0, 0 } } } },
    { .text = HEAD NEAR_MEAN("{1.25,1,0.8,1}", "{-0.125,-0.2,0,-0.1}"),
      .found = NAMED MEASURED "0.001, no beta\n",
      .ops = TURNED,
      .values = { { "l/beta", "constant", { 0, 0, 0, 0 } }, { "l/moving_mean", "statistic", { .1, .2, 0, .1 } } } },
    /* running statistics that lag behind: what most channels have on the data is far below epsilon */
    { .text = HEAD SMALL("0.001", "0.001"),
      .found = "l: BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (doubtful): hardly trained: of 2 "
               "variances that were measured 2 are below epsilon, mean 0, variance 1 are taken, epsilon 0.001\n",
      .ops = "MatMul BatchNormalization",
      .values = { { "l/gamma", "trainable", { 2.000999, 3.0014997 } },
                  { "l/beta", "trainable", { 1, -1 } },
                  { "l/moving_mean", "statistic", { 0, 0 } },
                  { "l/moving_variance", "statistic", { 1, 1 } } } },
    { .text = HEAD SMALL("0.001", "0.001"),
      .as = "l=measured",
      .found = NAMED MEASURED "0.001\n",
      .ops = "MatMul BatchNormalization" },
    { .text = HEAD SMALL("0.001", "2"), .found = NAMED MEASURED "0.001\n", .ops = "MatMul BatchNormalization" },
    /* without centre: the mean is in the summand */
    { .text = HEAD LAST("float[3] \"l/batchnorm/mul:0\" = {2,0.5,-1}, float[3] \"l/batchnorm/mul_2:0\" = "
                        "{1,0,-3}") "[\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\") "
                                    "[\"l/batchnorm/add_1\"] y = Add (p, "
                                    "\"l/batchnorm/mul_2:0\") }",
      .found = NAMED MEASURED "0.001, no beta\n",
      .ops = TURNED,
      .values = { { "l/gamma", "trainable", NAN_VALUES },
                  { "l/beta", "constant", { 0, 0, 0 } },
                  { "l/moving_mean", "statistic", { -.5, 0, -3 } } } },
    /* without both all is there, and no data are needed */
    { .text = HEAD LAST("float[3] \"l/batchnorm/Rsqrt:0\" = {2,0.5,1}, float[3] \"l/batchnorm/mul_1:0\" = "
                        "{1,0,-3}") "[\"l/batchnorm/mul\"] p = Mul (h, \"l/batchnorm/Rsqrt:0\") "
                                    "[\"l/batchnorm/add\"] y = Add (p, "
                                    "\"l/batchnorm/mul_1:0\") }",
      .blind = true,
      .found = NAMED EXACT "0.001, no gamma, no beta\n",
      .ops = TURNED,
      .values = { { "l/gamma", "constant", { 1, 1, 1 } },
                  { "l/beta", "constant", { 0, 0, 0 } },
                  { "l/moving_mean", "statistic", { -.5, 0, 3 } },
                  { "l/moving_variance", "statistic", { .249, 3.999, .999 } } } },
    /* a summand of zeros is not exported; one channel, in front or last */
    { .text = HEAD LAST("float[3] \"l/batchnorm/mul:0\" = {2,0.5,-1}") "y = Mul (h, \"l/batchnorm/mul:0\") }",
      .found = NAMED MEASURED "0.001\n",
      .ops = TURNED },
    { .text = HEAD "g (float[N,1,3] x) => (float[N,1,3] y) <float \"l/batchnorm/mul:0\" = {2}, float[1] c = {3}>\n"
                   "{ h = Relu (x) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, c) }",
      .found = NAMED MEASURED "0.001\n",
      .ops = "Relu BatchNormalization" },
    { .text = HEAD "g (float[N,3,1] x) => (float[N,3,1] y) <float \"l/batchnorm/mul:0\" = {2}, float[1] c = {3}>\n"
                   "{ h = Relu (x) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, c) }",
      .found = NAMED MEASURED "0.001\n",
      .ops = TURNED },
    /* what was never trained may have a summand of zeros: then it is so of few channels, too */
    { .text = HEAD LAST("float[3] \"l/batchnorm/mul:0\" = {0.9995004,0.99950033,0.9995004}, float[3] c = "
                        "{0,0,0}") "[\"l/batchnorm/mul_1\"] p = Mul (h, "
                                   "\"l/batchnorm/mul:0\") y = Add (p, c) }",
      .blind = true,
      .found = NAMED "never trained: mean 0, variance 1, epsilon 0.001\n",
      .ops = TURNED,
      .values = { { "l/gamma", "trainable", { 1, 1, 1 } }, { "l/beta", "trainable", { 0, 0, 0 } } } },
    { .text = HEAD "g (float[N,3,1] x) => (float[N,3,1] y) <float[1] \"l/batchnorm/mul:0\" = {0.999995}, float[1] c = "
                   "{0}>\n{ h = Relu (x) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, c) }",
      .blind = true,
      .found = NAMED "never trained: mean 0, variance 1, epsilon 1e-05\n",
      .ops = TURNED },
    { .text = HEAD "g (float[N,3,1] x) => (float[N,3,1] y) <float[1] \"l/batchnorm/mul:0\" = {0.9}, float[1] c = {0}>\n"
                   "{ h = Relu (x) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, c) }",
      .found = NAMED MEASURED "0.001\n",
      .ops = TURNED },
    /* a summand along another axis is none of it */
    { .text = HEAD "g (float[N,3,3] x) => (float[N,3,3] y)\n"
                   "<float[3] \"l/batchnorm/mul:0\" = {2,3,4}, float[3,1] c = {1,2,3}>\n"
                   "{ h = Relu (x) p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, c) }",
      .found = NAMED MEASURED "0.001\n",
      .ops = TURNED " Add" },
    /* computed by nodes: gamma * (1 / sqrt), a minus that is done to the mean; all forms of the root */
    { .text = HEAD LAST(FOUR) "s = Add (va, e) r = Sqrt (s) i = Reciprocal (r) a = Mul (i, ga) n = Neg (me)"
                              " q = Mul (n, a) c = Add (q, be) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002\n",
      .ops = TURNED,
      .epsilon = 2e-3,
      .values = ALL_FOUR },
    { .text = HEAD LAST(FOUR) "s = Add (e, va) r = Pow (s, minus) a = Mul (ga, r) q = Mul (me, a) c = Sub (be, q) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002\n",
      .ops = TURNED,
      .values = ALL_FOUR },
    { .text = HEAD LAST(FOUR) "s = Add (va, e) r = Pow (s, half) a = Div (ga, r) q = Mul (a, me) n = Neg (q)"
                              " c = Add (be, n) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002\n",
      .ops = TURNED,
      .values = ALL_FOUR },
    { .text = HEAD LAST(FOUR) "s = Add (va, e) r = Sqrt (s) i = Div (one, r) a = Mul (i, ga) q = Mul (me, a)"
                              " c = Sub (be, q) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002\n",
      .ops = TURNED,
      .values = ALL_FOUR },
    /* as somebody has written it for PyTorch */
    { .text = FROM("pytorch") LAST(FOUR) "s = Add (va, e) r = Sqrt (s) i = Div (one, r) a = Mul (i, ga)"
                                         " q = Mul (me, a) c = Sub (be, q) " BN,
      .blind = true,
      .found = "bn: BatchNormalization, Mul and Add (PyTorch) (certain): " EXACT "0.002\n",
      .ops = TURNED,
      .momentum = .9,
      .values = ALL_FOUR },
    /* likewise without scale, without centre */
    { .text = HEAD LAST(FOUR) "s = Add (va, e) r = Sqrt (s) a = Reciprocal (r) q = Mul (me, a) c = Sub (be, q) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002, no gamma\n",
      .ops = TURNED,
      .values = { { "bn/gamma", "constant", { 1, 1, 1 } },
                  { "bn/beta", "trainable", { 1, 0, -1 } },
                  { "bn/moving_mean", "statistic", { .5, -1, 2 } },
                  { "bn/moving_variance", "statistic", { 1, 4, .25 } } } },
    { .text = HEAD LAST(FOUR) "s = Add (va, e) r = Sqrt (s) i = Reciprocal (r) a = Mul (i, ga) n = Neg (me)"
                              " c = Mul (n, a) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002, no beta\n",
      .ops = TURNED,
      .values = { { "bn/gamma", "trainable", { 2, 3, 4 } },
                  { "bn/beta", "constant", { 0, 0, 0 } },
                  { "bn/moving_mean", "statistic", { .5, -1, 2 } },
                  { "bn/moving_variance", "statistic", { 1, 4, .25 } } } },
    /* reshaped on the way, in axis 1 */
    { .text = HEAD FIRST(
          "float[2] ga = {2,3}, float[2] be = {1,0}, float[2] me = {0.5,-1}, float[2] va = {1,4}, "
          "float e = {0.002}, int64[4] k = {1,2,1,1}") "vr = Reshape (va, k) mr = Reshape (me, k) s = Add (vr, "
                                                       "e) r = Sqrt (s) i = Reciprocal (r) gr = Reshape (ga, "
                                                       "k) a = Mul (i, gr) q = Mul (mr, a) br = Reshape (be, "
                                                       "k) c = Sub (br, q) " BN,
      .blind = true,
      .found = COMPUTED EXACT "0.002\n",
      .ops = "Relu BatchNormalization",
      .values = { { "bn/gamma", "trainable", { 2, 3 } },
                  { "bn/beta", "trainable", { 1, 0 } },
                  { "bn/moving_mean", "statistic", { .5, -1 } },
                  { "bn/moving_variance", "statistic", { 1, 4 } } } },
    /* double: as float, and as exact */
    { .text = HEAD "g (double[N,3] x) => (double[N,3] y)\n"
                   "<double[3] \"l/batchnorm/Rsqrt:0\" = {2,0.5,1}, double[3] \"l/batchnorm/mul_1:0\" = {1,0,-3}>\n"
                   "{ h = Relu (x) [\"l/batchnorm/mul\"] p = Mul (h, \"l/batchnorm/Rsqrt:0\") y = Add (p, "
                   "\"l/batchnorm/mul_1:0\") }",
      .blind = true,
      .found = NAMED EXACT "0.001, no gamma, no beta\n",
      .ops = "Relu BatchNormalization",
      .values = { { "l/gamma", "constant", { 1, 1, 1 } }, { "l/moving_mean", "statistic", { -.5, 0, 3 } } } },
    /* half floats, whose bits the text has */
    { .text = HEAD "g (float16[N,3] x) => (float16[N,3] y)\n"
                   "<float16[3] \"l/batchnorm/mul:0\" = {16435,17050,50355}, float16[3] \"l/batchnorm/sub:0\" = "
                   "{15493,13558,48845}>\n"
                   "{ h = Relu (x) [\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, "
                   "\"l/batchnorm/sub:0\") }",
      .found = NAMED MEASURED "0.001\n",
      .ops = "Relu BatchNormalization",
      .near = 0x1p-7 },
    { .text = HEAD "g (bfloat16[N,3] x) => (bfloat16[N,3] y)\n"
                   "<bfloat16[3] \"l/batchnorm/mul:0\" = {16390,16467,49302}, bfloat16[3] \"l/batchnorm/sub:0\" = "
                   "{16272,16030,49113}>\n"
                   "{ h = Relu (x) [\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, "
                   "\"l/batchnorm/sub:0\") }",
      .found = NAMED MEASURED "0.001\n",
      .ops = "Relu BatchNormalization",
      .near = 0x1p-4 },
};

START_TEST(a_product_and_a_sum_are_one)
{
    expect_case(&pairs[_i]);
}
END_TEST

/* -- Sub, Mul and Add -- */

#define CENTERED "l: BatchNormalization, Sub, Mul and Add (Keras on PyTorch) "
#define THREE                                                                                                          \
    "float[3] me = {0.5,-1,2}, float[3] a = {2,3,-4}, float[3] be = {1,0,-1}, float[3] no = {0,0,0}, "                 \
    "float[3] va = {1,4,0.25}, float e = {0.002}, float[3] ga = {2,3,4}"
#define SUB "[\"l/Sub\"] d = Sub (h, me) "

static const struct adapt_case centred[] = {
    /* mean and beta are there */
    { .text = HEAD LAST(THREE) SUB "p = Mul (d, a) y = Add (p, be) }",
      .found = CENTERED "(likely): " MEASURED "0.001\n",
      .ops = TURNED,
      .epsilon = 1e-3,
      .momentum = .99,
      .values = { { "l/gamma", "trainable", NAN_VALUES },
                  { "l/beta", "trainable", { 1, 0, -1 } },
                  { "l/moving_mean", "statistic", { .5, -1, 2 } } } },
    { .text = HEAD LAST(THREE) SUB "p = Mul (a, d) y = Add (no, p) }",
      .found = CENTERED "(likely): " MEASURED "0.001, no beta\n",
      .ops = TURNED,
      .values = { { "l/beta", "constant", { 0, 0, 0 } }, { "l/moving_mean", "statistic", { .5, -1, 2 } } } },
    /* nodes compute the factor */
    { .text = HEAD LAST(THREE) SUB "s = Add (va, e) r = Sqrt (s) q = Div (d, r) p = Mul (q, ga) y = Add (p, be) }",
      .blind = true,
      .found = CENTERED "(certain): " EXACT "0.002\n",
      .ops = TURNED,
      .epsilon = 2e-3,
      .values = { { "l/gamma", "trainable", { 2, 3, 4 } },
                  { "l/beta", "trainable", { 1, 0, -1 } },
                  { "l/moving_mean", "statistic", { .5, -1, 2 } },
                  { "l/moving_variance", "statistic", { 1, 4, .25 } } } },
    { .text = HEAD LAST(THREE) SUB "s = Add (va, e) r = Sqrt (s) i = Div (ga, r) p = Mul (d, i) y = Add (p, be) }",
      .blind = true,
      .found = CENTERED "(certain): " EXACT "0.002\n",
      .ops = TURNED,
      .values = { { "l/gamma", "trainable", { 2, 3, 4 } }, { "l/moving_variance", "statistic", { 1, 4, .25 } } } },
    /* two constants: gamma is one of them */
    { .text = HEAD LAST(THREE) SUB "q = Div (d, va) p = Mul (q, ga) y = Add (p, be) }",
      .blind = true,
      .found = CENTERED "(likely): " EXACT "0.001\n",
      .ops = TURNED,
      .values = { { "l/gamma", "trainable", { 2, 3, 4 } },
                  { "l/beta", "trainable", { 1, 0, -1 } },
                  { "l/moving_mean", "statistic", { .5, -1, 2 } },
                  { "l/moving_variance", "statistic", { .999, 15.999, .0615 } } } },
    /* likewise of what is no deviation: it computes the same */
    { .text = HEAD LAST(THREE) SUB "q = Div (d, a) p = Mul (q, ga) y = Add (p, be) }",
      .blind = true,
      .found = CENTERED "(likely): " EXACT "0.001\n",
      .ops = TURNED,
      .values = { { "l/gamma", "trainable", { 2, 3, -4 } },
                  { "l/moving_variance", "statistic", { 3.999, 8.999, 15.999 } } } },
    /* what is done to an input */
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] me = {0.5,-1,2}, float[3] a = {2,3,-4}, "
                   "float[3,3] w = {1,2,3,4,5,6,7,8,9}>\n"
                   "{ [\"l/Sub\"] d = Sub (x, me) p = Mul (d, a) y = MatMul (p, w) }",
      .found = "l: what is done to each channel of an input (likely): left as it is\n" },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] me = {0.5,-1,2}, float[3] a = {2,3,-4}>\n"
                   "{ [\"l/Sub\"] d = Sub (x, me) y = Mul (d, a) }",
      .as = "l=batch-normalization",
      .found = "l: BatchNormalization, Sub, Mul and Add (Keras on PyTorch) (likely): " MEASURED "0.001, no beta\n",
      .ops = "BatchNormalization" },
    /* from the mean; without a factor; divided */
    { .text = HEAD LAST(THREE) "d = Sub (me, h) p = Mul (d, a) y = Add (p, be) }",
      .as = "*=batch-normalization",
      .found = "bn: BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (doubtful): " MEASURED "0.001\n",
      .ops = "Relu Sub Transpose BatchNormalization Transpose" },
    { .text = HEAD LAST(THREE) SUB "y = Add (d, be) }", .found = "" },
    { .text = HEAD LAST(THREE) SUB "p = Div (a, d) y = Add (p, be) }", .found = "" },
};

START_TEST(what_is_centred_is_one)
{
    expect_case(&centred[_i]);
}
END_TEST

/* -- a node without statistics -- */

#define NODE(epsilon, scale)                                                                                           \
    HEAD "g (float[N,2,3] x) => (float[N,2,3] y)\n"                                                                    \
         "<float[2] s = {" scale "}, float[2] b = {1,5}, float[2] m = {0,0}, float[2] v = {1,1}>\n"                    \
         "{ [\"l/fused\"] y = BatchNormalization <epsilon = " epsilon ", momentum = 0.5> (x, s, b, m, v) }"

static const struct adapt_case nodes[] = {
    { .text = NODE("0.000001", "2,3"),
      .found =
          "l: BatchNormalization, BatchNormalization without statistics (keras2onnx) (likely): " MEASURED "0.001\n",
      .ops = "BatchNormalization",
      .epsilon = 1e-3,
      .momentum = .99 },
    { .text = NODE("0.001", "2,3"), .found = "" },
    { .text = HEAD "g (float[N,2,3] x) => (float[N,2,3] y)\n"
                   "<float[2] s = {2,3}, float[2] b = {1,5}, float[2] m = {0,1}, float[2] v = {1,1}>\n"
                   "{ y = BatchNormalization <epsilon = 0.000001> (x, s, b, m, v) }",
      .found = "" },
    { .text = HEAD "g (float[N,2,3] x) => (float[N,2,3] y)\n"
                   "<float[2] s = {2,3}, float[2] b = {1,5}, float[2] m = {0,0}, float[2] v = {1,2}>\n"
                   "{ y = BatchNormalization <epsilon = 0.000001> (x, s, b, m, v) }",
      .found = "" },
};

START_TEST(a_node_without_statistics_is_one)
{
    expect_case(&nodes[_i]);
}
END_TEST

/* -- folded into a layer -- */

#define CONV(name, bias, node)                                                                                         \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                \
         "<float[2,2,1,1] \"" name "\" = {1,2,3,4}, float[2] \"" bias "\" = {0.5,-2}>\n"                               \
         "{ [\"" node "\"] h = Conv (x, \"" name "\", \"" bias "\") y = Relu (h) }"
#define BARE(node)                                                                                                     \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}>\n"                                 \
         "{ [\"" node "\"] h = Conv (x, w) y = Relu (h) }"
#define INTO(layer, by, certainty) ": BatchNormalization, folded into a layer: " layer " (" by ") (" certainty "): "
#define KERAS                      "Keras on TensorFlow"
#define UNBIASED                   "Conv BatchNormalization Relu"
#define FRESH                      "never trained: mean 0, variance 1, epsilon "
#define TORCH                      INTO("Conv", "PyTorch (TorchScript)", "likely")
#define TOLD(target, arguments)                                                                                        \
    "pkg.torch.onnx.fx_node", "%n : [num_users=1] = call_function[target=torch.ops.aten." target                       \
                              ".default](args = (%x, " arguments "), kwargs = {})"
#define RULE_KEY "pkg.onnxscript.rewriter.rule_name"
#define DRAWN(last)                                                                                                    \
    HEAD "g (float[N,3,2,2] x) => (float[N,4,2,2] y)\n"                                                                \
         "<float[4,3,1,1] w = {0.01,0.02,-0.03,0.05,-0.06,0.09,0.08,0,-0.04,0.06,0.04," last "},\n"                    \
         " float[4] \"onnx::Conv_9\" = {0.1,0.2,-0.2,0.1}>\n"                                                          \
         "{ [\"/l/Conv\"] h = Conv (x, w, \"onnx::Conv_9\") y = Relu (h) }"
/* A layer that BatchNormalization was folded into, and a node of another. */
#define BESIDE(gamma, beta, mean, variance)                                                                            \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] \"onnx::Conv_8\" = {1,2,3,4},\n"                  \
         " float[2] \"onnx::Conv_9\" = {0.5,-2}, float[2] ga = " gamma ", float[2] be = " beta ",\n"                   \
         " float[2] me = " mean ", float[2] va = " variance ">\n"                                                      \
         "{ [\"/l/Conv\"] h = Conv (x, \"onnx::Conv_8\", \"onnx::Conv_9\") r = Relu (h)\n"                             \
         "  y = BatchNormalization (r, ga, be, me, va) }"
/* PyTorch, of affine=False: a layer that it was folded into, and two that stand for themselves. */
#define PLAIN(bias, second, scale)                                                                                     \
    FROM("pytorch")                                                                                                    \
    "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                     \
    "<float[2,2,1,1] \"onnx::Conv_23\" = {1,2,3,4}, float[2] \"onnx::Conv_24\" = {0.5,-2},\n"                          \
    " float[2,2,1,1] \"5.weight\" = {2,-1,1,3}, float[2] \"5.bias\" = {0,1}, float[2] \"6.weight\" = {1,1},\n"         \
    " float[2] m = {0,0}, float[2] v = {1,2}>\n"                                                                       \
    "{ o = Constant <value: tensor = float[2] {1,1}> () z = Constant <value: tensor = float[2] {0,0}> ()\n"            \
    "  [\"/l/Conv\"] h = Conv (x, \"onnx::Conv_23\", \"onnx::Conv_24\") r = Relu (h)\n"                                \
    "  [\"/b/Norm\"] p = BatchNormalization (r, o, z, m, v) q = Conv (p, \"5.weight\"" bias ")\n"                      \
    "  " second " = BatchNormalization (q, " scale ", z, m, v) }"
#define NORMALS(l)                                                                                                     \
    "/b/Norm: BatchNormalization without scale and bias (likely): what stands for it is constant\n"                    \
    "/c/Norm: BatchNormalization without scale and bias (likely): what stands for it is constant\n"                    \
    "l" TORCH l
#define PLAIN_OPS "Constant Constant Conv BatchNormalization Relu BatchNormalization Conv BatchNormalization"
/* onnxoptimizer: a layer and its normalisation, by nodes. */
#define OPTIMIZED(own)                                                                                                 \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                \
         "<float[2,2,1,1] w = {1,2,3,4}, float[2] o = {" own "}, float[2] ga = {2,3}, float[2] be = {1,-1},\n"         \
         " float[2] me = {0.5,-1}, float[2] va = {1,4}, float e = {0.002}, int64[3] k = {1,2,3}>\n"                    \
         "{ s = Add (va, e) r = Sqrt (s) a = Div (ga, r) u = Unsqueeze (a, k) ww = Mul (w, u)\n"                       \
         "  d = Sub (o, me) p = Mul (d, a) c = Add (p, be) [\"l/Conv\"] h = Conv (x, ww, c) y = Relu (h) }"
#define BY_NODES "l: BatchNormalization, folded into a layer by nodes: Conv (onnxoptimizer) (certain): " EXACT "0.002\n"

static const struct adapt_case folded[] = {
    { .text = CONV("k", "l/batchnorm/sub:0", "l/convolution"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED,
      .epsilon = 1e-3,
      .values = { { "l/gamma", "trainable", NAN_VALUES }, { "l/beta", "trainable", NAN_VALUES } } },
    { .text = CONV("k", "l/batchnorm/mul_2:0", "l/convolution"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001, no beta\n",
      .ops = UNBIASED,
      .values = { { "l/beta", "constant", { 0, 0 } }, { "l/moving_mean", "statistic", { -.25, .5 } } } },
    { .text = CONV("k", "m/l/Conv2D_bias_fused_bn", "m/l/Conv2D"),
      .found = "m/l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED },
    { .text = HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] \"l/batchnorm/sub:0\" = "
                   "{0.5,-2}>\n{ h = Gemm (x, w, \"l/batchnorm/sub:0\") y = Relu (h) }",
      .found = "l" INTO("Gemm", KERAS, "likely") MEASURED "0.001\n",
      .ops = "Gemm BatchNormalization Relu",
      .values = { { "w", "trainable", { .25, .5, .75, 1 } } } }, /* its channels are columns: 1 / sqrt(10 and 20) */
    { .text = HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] \"l/batchnorm/sub:0\" = "
                   "{0.5,-2}>\n{ h = Gemm <transB = 1> (x, w, \"l/batchnorm/sub:0\") y = Relu (h) }",
      .found = "l" INTO("Gemm", KERAS, "likely") MEASURED "0.001\n",
      .ops = "Gemm BatchNormalization Relu",
      .values = { { "w", "trainable", { .5, 1, .75, 1 } } } }, /* rows: 1 / sqrt(5 and 25) */
    { .text =
          HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}, float[2] "
               "\"l/batchnorm/sub:0\" = {0.5,-2}>\n{ h = ConvTranspose (x, w, \"l/batchnorm/sub:0\") y = Relu (h) }",
      .found = "l" INTO("ConvTranspose", KERAS, "likely") MEASURED "0.001\n",
      .ops = "ConvTranspose BatchNormalization Relu",
      .values = { { "w", "trainable", { .25, .5, .75, 1 } } } },
    { .text =
          HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,1,1,1] w = {1,2}, float[2] "
               "\"l/batchnorm/sub:0\" = {0.5,-2}>\n{ h = Conv <group = 2> (x, w, \"l/batchnorm/sub:0\") y = Relu (h) }",
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED },
    /* never trained: a bias of zeros is not exported */
    { .text = BARE("l/batchnorm/mul_1"),
      .blind = true,
      .found = "l" INTO("Conv", KERAS, "likely") "never trained: mean 0, variance 1, epsilon 0.001\n",
      .ops = UNBIASED,
      .values = { { "w", "trainable", { 1.00049988, 2.00099975, 3.00149963, 4.0019995 } }, /* without the factor */
                  { "l/gamma", "trainable", { 1, 1 } },
                  { "l/beta", "trainable", { 0, 0 } },
                  { "l/moving_mean", "statistic", { 0, 0 } },
                  { "l/moving_variance", "statistic", { 1, 1 } } } },
    { .text = BARE("l/batchnorm/mul"),
      .blind = true,
      .found = "l" INTO("Conv", KERAS, "likely") FRESH "0.001, no gamma\n",
      .ops = UNBIASED,
      .values = { { "l/gamma", "constant", { 1, 1 } } } },
    /* without gamma the weight may have any size: so what is divided by is known, where the weight must stay, too */
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}>\n"
                   "{ [\"l/batchnorm/mul\"] h = Conv (x, w) r = Relu (h) y = Conv (r, w) }",
      .blind = true,
      .found = "l" INTO("Conv", KERAS, "likely") FRESH "0.001, no gamma\n",
      .ops = "Conv BatchNormalization Relu Conv",
      .values = { { "w", "trainable", { 1, 2, 3, 4 } },
                  { "l/gamma", "constant", { 1, 1 } },
                  { "l/moving_variance", "statistic", { .999, .999 } } } },
    { .text = CONV("w", "l/batchnorm/sub:0", "l/batchnorm/mul"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001, no gamma\n",
      .ops = UNBIASED,
      .values = { { "w", "trainable", { .5, 1, .75, 1 } },
                  { "l/gamma", "constant", { 1, 1 } },
                  { "l/beta", "trainable", NAN_VALUES },
                  { "l/moving_variance", "statistic", { .249, .0615 } } } },
    /* but epsilon must fit into it */
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {100,200,3,4},\n"
                   "float[2] \"l/batchnorm/mul_1:0\" = {1,-2}>\n"
                   "{ [\"l/batchnorm/mul\"] h = Conv (x, w, \"l/batchnorm/mul_1:0\") y = Relu (h) }",
      .blind = true,
      .found = "l" INTO("Conv", KERAS, "likely") EXACT "0.001, no gamma, no beta\n",
      .ops = UNBIASED,
      .values = { { "w", "trainable", { 12.5, 25, .75, 1 } },
                  { "l/gamma", "constant", { 1, 1 } },
                  { "l/moving_mean", "statistic", { -.125, .5 } },
                  { "l/moving_variance", "statistic", { .014625, .0615 } } } },
    /* half floats: the same power of two */
    { .text = HEAD "g (float16[N,2,3,3] x) => (float16[N,2,3,3] y)\n"
                   "<float16[2,2,1,1] \"onnx::Conv_23\" = {15360,16384,16896,17408}, float16[2] \"onnx::Conv_24\" = "
                   "{14336,49152}> { [\"/l/Conv\"] h = Conv (x, \"onnx::Conv_23\", \"onnx::Conv_24\") y = Relu (h) }",
      .found = "l" INTO("Conv", "PyTorch (TorchScript)", "likely") MEASURED "1e-05\n",
      .ops = UNBIASED,
      .near = 0x1p-7,
      .values = { { "onnx::Conv_23", "trainable", { .25, .5, .375, .5 } } } },
    /* a weight that others read stays, and so do half floats that were never trained, which would lose something */
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}>\n"
                   "{ [\"l/batchnorm/mul_1\"] h = Conv (x, w) r = Relu (h) y = Conv (r, w) }",
      .blind = true,
      .found = "l" INTO("Conv", KERAS, "likely") FRESH "0.001\n",
      .ops = "Conv BatchNormalization Relu Conv",
      .values = { { "w", "trainable", { 1, 2, 3, 4 } }, { "l/gamma", "trainable", { 1.00049988, 1.00049988 } } } },
    { .text = HEAD "g (float16[N,2,3,3] x) => (float16[N,2,3,3] y) <float16[2,2,1,1] w = {15360,16384,16896,17408}>\n"
                   "{ [\"l/batchnorm/mul_1\"] h = Conv (x, w) y = Relu (h) }",
      .blind = true,
      .found = "l" INTO("Conv", KERAS, "likely") FRESH "0.001\n",
      .ops = UNBIASED,
      .near = 1e-2,
      .values = { { "w", "trainable", { 1, 2, 3, 4 } } } },
    /* a bias of zeros, where an exporter keeps it; the other layer's is near */
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}, float[2,2,1,1] v = "
                   "{5,6,7,8},\n float[2] \"onnx::Conv_9\" = {0,0}, float[2] \"onnx::Conv_10\" = {0.1,-0.2}>\n"
                   "{ [\"/a/Conv\"] h = Conv (x, w, \"onnx::Conv_9\") r = Relu (h)"
                   " [\"/b/Conv\"] y = Conv (r, v, \"onnx::Conv_10\") }",
      .blind = true,
      .found = "a" TORCH FRESH "1e-05\nb" TORCH FRESH "1e-05\n",
      .ops = "Conv BatchNormalization Relu Conv BatchNormalization",
      .values = { { "a/gamma", "trainable", { 1, 1 } },
                  { "b/gamma", "trainable", { 1, 1 } },
                  { "a/beta", "trainable", { 0, 0 } },
                  { "b/beta", "trainable", { 0, 0 } }, /* PyTorch draws biases, and no betas */
                  { "onnx::Conv_10", "trainable", { .1000005, -.200001 } },
                  { "v", "trainable", { 5.000025, 6.00003, 7.000035, 8.00004 } } } },
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}, float[2,2,1,1] v = "
                   "{5,6,7,8},\n float[2] \"onnx::Conv_9\" = {0,0}, float[2] \"onnx::Conv_10\" = {0.1,-2}>\n"
                   "{ [\"/a/Conv\"] h = Conv (x, w, \"onnx::Conv_9\") r = Relu (h)"
                   " [\"/b/Conv\"] y = Conv (r, v, \"onnx::Conv_10\") }",
      .found = "a" TORCH FRESH "1e-05\nb" TORCH MEASURED "1e-05\n",
      .ops = "Conv BatchNormalization Relu Conv BatchNormalization" },
    /* weights as PyTorch draws them, up to 1 / sqrt(3) here, and a bias of the layer's own; one that has gone beyond, one
     * that does not come near */
    { .text = DRAWN("-0.57"),
      .blind = true,
      .found = "l" TORCH FRESH "1e-05\n",
      .ops = UNBIASED,
      .values = { { "l/gamma", "trainable", { 1, 1, 1, 1 } } } },
    { .text = DRAWN("0.578"), .found = "l" TORCH MEASURED "1e-05\n", .ops = UNBIASED },
    { .text = DRAWN("0.09"), .found = "l" TORCH MEASURED "1e-05\n", .ops = UNBIASED },
    /* every step of training moves the statistics of all layers: what a node shows holds for those that were folded */
    { .text = BESIDE("{1,1}", "{0,0}", "{0,0}", "{1,1}"),
      .blind = true,
      .found = "l" TORCH FRESH "1e-05\n",
      .ops = UNBIASED " BatchNormalization",
      .values = { { "l/beta", "trainable", { 0, 0 } }, { "onnx::Conv_9", "trainable", { .5000025, -2.00001 } } } },
    { .text = BESIDE("{1,1}", "{0,0}", "{0,0}", "{1,1.5}"),
      .found = "l" TORCH MEASURED "1e-05\n",
      .ops = UNBIASED " BatchNormalization" },
    { .text = BESIDE("{1,1}", "{0,0}", "{0.1,0}", "{1,1}"),
      .found = "l" TORCH MEASURED "1e-05\n",
      .ops = UNBIASED " BatchNormalization" },
    { .text = BESIDE("{1,1}", "{0.1,0}", "{0,0}", "{1,1}"),
      .found = "l" TORCH MEASURED "1e-05\n",
      .ops = UNBIASED " BatchNormalization" },
    { .text = BESIDE("{1.1,1}", "{0,0}", "{0,0}", "{1,1}"),
      .found = "l" TORCH MEASURED "1e-05\n",
      .ops = UNBIASED " BatchNormalization" },
    { .text = BARE("l/convolution"), .found = "" },
    /* what is left of it in the file has neither gamma nor beta, and layers with biases before it */
    { .text = PLAIN(", \"5.bias\"", "[\"/c/Norm\"] y", "o"),
      .blind = true,
      .found = NORMALS(EXACT "1e-05, no gamma, no beta\n"),
      .ops = PLAIN_OPS,
      .values = { { "l/gamma", "constant", { 1, 1 } },
                  { "l/beta", "constant", { 0, 0 } },
                  { "l/moving_mean", "statistic", { 0, 0 } },
                  { "l/moving_variance", "statistic", { .06249, .015615 } },
                  { "onnx::Conv_23", "trainable", { .25, .5, .375, .5 } },
                  { "onnx::Conv_24", "trainable", { .125, -.25 } } } },
    { .text = PLAIN("", "[\"/c/Norm\"] y", "o"),
      .blind = true,
      .found = NORMALS(EXACT "1e-05, no gamma, no beta\n"),
      .ops = PLAIN_OPS,
      .absent = "onnx::Conv_24",
      .values = { { "l/moving_mean", "statistic", { -.125, .25 } } } },
    { .text = PLAIN("", "[\"/c/Norm\"] y", "o"),
      .as = "l=affine",
      .found = NORMALS(MEASURED "1e-05\n"),
      .ops = PLAIN_OPS },
    /* one of several that has them, and one alone, tell nothing; the caller may */
    { .text = PLAIN("", "[\"/c/Norm\"] y", "\"6.weight\""),
      .found = "/b/Norm: BatchNormalization without scale and bias (likely): what stands for it is constant\n"
               "/c/Norm: BatchNormalization without bias (likely): what stands for it is constant\n"
               "l" TORCH MEASURED "1e-05\n",
      .ops = PLAIN_OPS },
    { .text = FROM("pytorch") "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4},\n"
                              " float[2] \"onnx::Conv_24\" = {0.5,-2}, float[2] m = {0,0}, float[2] v = {1,2}>\n"
                              "{ o = Constant <value: tensor = float[2] {1,1}> ()\n"
                              "  z = Constant <value: tensor = float[2] {0,0}> ()\n"
                              "  [\"/l/Conv\"] h = Conv (x, w, \"onnx::Conv_24\") r = Relu (h)\n"
                              "  [\"/b/Norm\"] y = BatchNormalization (r, o, z, m, v) }",
      .found = "/b/Norm: BatchNormalization without scale and bias (likely): what stands for it is constant\n"
               "l" TORCH MEASURED "1e-05\n",
      .ops = "Constant Constant Conv BatchNormalization Relu BatchNormalization" },
    { .text = CONV("onnx::Conv_23", "onnx::Conv_24", "/l/Conv"),
      .as = "l=not-affine",
      .found = "l" TORCH EXACT "1e-05, no gamma, no beta\n",
      .ops = UNBIASED },
    /* PyTorch, through TorchScript */
    { .text = CONV("onnx::Conv_23", "onnx::Conv_24", "/l/Conv"),
      .found = "l" INTO("Conv", "PyTorch (TorchScript)", "likely") MEASURED "1e-05\n",
      .ops = UNBIASED,
      .epsilon = 1e-5,
      .momentum = .9,
      /* channels of the size that PyTorch's begin with, 1 / sqrt(3), to a power of two */
      .values = { { "onnx::Conv_23", "trainable", { .25, .5, .375, .5 } }, { "l/gamma", "trainable", NAN_VALUES } } },
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"
                   "<float[2,2,1,1] w = {0,0,3,4}, float[2] \"onnx::Conv_9\" = {0.5,-2}>\n"
                   "{ [\"/l/Conv\"] h = Conv (x, w, \"onnx::Conv_9\") y = Relu (h) }",
      .found = "l" TORCH MEASURED "1e-05\n",
      .ops = UNBIASED,
      .values = { { "w", "trainable", { 0, 0, .375, .5 } } } }, /* a channel that was switched off */
    { .text = CONV("onnx::Conv_23", "onnx::Gemm_24", "/l/Conv"), .found = "" },
    { .text = HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] \"onnx::Gemm_7\" = "
                   "{0.5,-2}>\n{ [\"/fc/Gemm\"] h = Gemm (x, w, \"onnx::Gemm_7\") y = Relu (h) }",
      .found = "fc" INTO("Gemm", "PyTorch (TorchScript)", "likely") MEASURED "1e-05\n",
      .ops = "Gemm BatchNormalization Relu" },
    /* through dynamo: by what the node says, or by the name of a bias that was not there */
    { .text = CONV("0.weight", "0.weight_bias", "l/conv"),
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "likely") MEASURED "1e-05\n",
      .ops = UNBIASED,
      .epsilon = 1e-5,
      .momentum = .9 },
    { .text = CONV("0.weight", "0.weight_bias", "l/conv"),
      .metadata = { 0, RULE_KEY, "FuseBatchNormIntoConv" },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "1e-05\n",
      .ops = UNBIASED },
    /* of a weight that was computed its name is another, and so is the bias': only where the node says so */
    { .text = CONV("div_1", "div_1_bias", "l/conv"),
      .metadata = { 0, RULE_KEY, "FuseBatchNormIntoConv, RemoveOptionalBiasFromConv" },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "1e-05\n",
      .ops = UNBIASED,
      .absent = "div_1_bias",
      .values = { { "l/beta", "trainable", NAN_VALUES } } },
    { .text = CONV("div_1", "div_1_bias", "l/conv"), .found = "" },
    { .text = CONV("div_1", "div_bias", "l/conv"),
      .metadata = { 0, RULE_KEY, "FuseBatchNormIntoConv" },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "1e-05\n",
      .ops = UNBIASED,
      .values = { { "div_bias", "trainable", NAN_VALUES } } },
    { .text = CONV("0.weight", "0.bias", "l/conv"),
      .metadata = { 0, "pkg.torch.onnx.class_hierarchy", "['M', 'torch.nn.BatchNorm2d', 'aten']" },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "1e-05\n",
      .ops = UNBIASED,
      /* the bias goes on doing what it does */
      .values = { { "0.weight", "trainable", { .25, .5, .375, .5 } }, { "0.bias", "trainable", { .125, -.25 } } } },
    /* epsilon and momentum, which is 1 less PyTorch's, as the node says, in each of its forms */
    { .text = CONV("0.weight", "0.weight_bias", "l/conv"),
      .metadata = { 0, TOLD("_native_batch_norm_legit_no_training", "%p_g, %p_b, %m, %v, 0.3, 0.01") },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "0.01\n",
      .ops = UNBIASED,
      .epsilon = .01,
      .momentum = .7 },
    { .text = CONV("0.weight", "0.weight_bias", "l/conv"),
      .metadata = { 0, TOLD("native_batch_norm", "%p_g, %p_b, %m, %v, False, 0.2, 0.02") },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "0.02\n",
      .ops = UNBIASED,
      .epsilon = .02,
      .momentum = .8 },
    { .text = CONV("0.weight", "0.weight_bias", "l/conv"),
      .metadata = { 0, TOLD("_native_batch_norm_legit_no_training", "%p_g, %p_b, %m, %v, 0.0, 0.01") },
      .found = "l" INTO("Conv", "PyTorch (dynamo)", "certain") MEASURED "0.01\n",
      .ops = UNBIASED,
      .momentum = .9 },
    { .text = CONV("0.weight", "0.bias", "l/conv"), .metadata = { 0, RULE_KEY, "FuseConvPad" }, .found = "" },
    { .text = CONV("0.weight", "0.bias", "l/conv"), .metadata = { 0, "of", "FuseBatchNormIntoConv" }, .found = "" },
    { .text = CONV("0.weight", "weight_bias", "l/conv"), .found = "" },
    /* by nodes: nothing is lost, and a bias of its own comes back */
    { .text = OPTIMIZED("0,0"),
      .blind = true,
      .found = BY_NODES,
      .ops = UNBIASED,
      .epsilon = 2e-3,
      .values = { { "l/gamma", "trainable", { 2, 3 } },
                  { "l/beta", "trainable", { 1, -1 } },
                  { "l/moving_mean", "statistic", { .5, -1 } },
                  { "l/moving_variance", "statistic", { 1, 4 } },
                  { "w", "trainable", { 1, 2, 3, 4 } } } },
    { .text = OPTIMIZED("3,4"),
      .blind = true,
      .found = BY_NODES,
      .ops = UNBIASED,
      .values = { { "o", "trainable", { 3, 4 } },
                  { "l/beta", "trainable", { 1, -1 } },
                  { "l/moving_mean", "statistic", { .5, -1 } } } },
    /* onnxsim: by what the model says */
    { .text = CONV("_v_23", "_v_24", "/l/Conv"),
      .metadata = { -1, "onnxsim.removed_nodes", "Constant (c), BatchNormalization (/bn1/BatchNormalization)" },
      .found = "l" INTO("Conv", "onnxsim", "likely") MEASURED "1e-05\n",
      .ops = UNBIASED },
    { .text = CONV("_v_23", "_v_24", "/l/Conv"),
      .metadata = { -1, "onnxsim.removed_nodes", "Constant (c)" },
      .found = "" },
    { .text = CONV("w", "_v_24", "/l/Conv"),
      .metadata = { -1, "onnxsim.removed_nodes", "BatchNormalization (/bn1/BatchNormalization)" },
      .found = "" },
    /* onnxruntime: by the words that it writes before names, also where a sum was folded in afterwards */
    { .text = CONV("ConvBnFusion_W_0.weight", "ConvBnFusion_BN_B_1.bias", "/0/Conv"),
      .found = "0" INTO("Conv", "onnxruntime", "certain") MEASURED "1e-05\n",
      .ops = UNBIASED,
      .epsilon = 1e-5,
      .momentum = .9,
      .values = { { "ConvBnFusion_W_0.weight", "trainable", { .25, .5, .375, .5 } },
                  { "0/beta", "trainable", NAN_VALUES } } },
    { .text = CONV("ConvBnFusion_W_0.weight", "ConvAddFusion_B_ConvBnFusion_BN_B_1.bias_token_2", "/0/Conv"),
      .found = "0" INTO("Conv", "onnxruntime", "certain") MEASURED "1e-05\n",
      .ops = UNBIASED },
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"
                   "<float[2,2,1,1] \"ConvBnFusion_W_0.weight\" = {1,2,3,4},\n"
                   " float[2] \"ConvBnFusion_BN_B_1.bias\" = {0.5,-2}>\n"
                   "{ [\"/0/ConvTranspose\"] \"/m/1/BatchNormalization_output_0\" = ConvTranspose (x,\n"
                   "  \"ConvBnFusion_W_0.weight\", \"ConvBnFusion_BN_B_1.bias\")\n"
                   "  y = Relu (\"/m/1/BatchNormalization_output_0\") }",
      .found = "m/1" INTO("ConvTranspose", "onnxruntime", "certain") MEASURED "1e-05\n",
      .ops = "ConvTranspose BatchNormalization Relu" },
    { .text = HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] \"MatMulBnFusion_GemmB_/1/Transpose_output_0\" = "
                   "{1,2,3,4}, float[2] MatMulBnFusion_GemmBias = {0.5,-2}>\n"
                   "{ [\"MatMulBnFusion_Gemm\"] \"/2/BatchNormalization_output_0\" = Gemm (x,\n"
                   " \"MatMulBnFusion_GemmB_/1/Transpose_output_0\", MatMulBnFusion_GemmBias)\n"
                   " y = Relu (\"/2/BatchNormalization_output_0\") }",
      .found = "2" INTO("Gemm", "onnxruntime", "certain") MEASURED "1e-05\n",
      .ops = "Gemm BatchNormalization Relu" },
    { .text = CONV("ConvBnFusion_W_0.weight", "ConvBnFusion_BN_B_/1/Constant_1_output_0", "/0/Conv"),
      .found = "0" INTO("Conv", "onnxruntime", "certain") EXACT "1e-05, no gamma, no beta\n",
      .blind = true,
      .ops = UNBIASED,
      .values = { { "0/gamma", "constant", { 1, 1 } }, { "0/beta", "constant", { 0, 0 } } } },
    /* a product alone is none */
    { .text = CONV("ConvMulFusion_W_0.weight", "ConvMulFusion_Mul_B_s", "/0/Conv"), .found = "" },
    /* but for that of Keras on TensorFlow */
    { .text = CONV("ConvMulFusion_W_k", "ConvAddFusion_B_ConvMulFusion_Mul_B_l/batchnorm/mul:0", "c/BiasAdd"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED,
      .momentum = .99,
      .values = { { "ConvAddFusion_B_ConvMulFusion_Mul_B_l/batchnorm/mul:0", "trainable", { .25, -.5 } } } },
    { .text = CONV("ConvMulFusion_W_k", "ConvAddFusion_B_ConvMulFusion_Mul_B_l/batchnorm/Rsqrt:0", "c/BiasAdd"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001, no gamma\n",
      .ops = UNBIASED },
    { .text = CONV("ConvMulFusion_W_k", "ConvAddFusion_B_ConvAddFusion_Add_B_l/batchnorm/sub:0", "c/convolution"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED },
    { .text = CONV("ConvMulFusion_W_k", "ConvAddFusion_Add_B_l/batchnorm/mul_2:0", "c/convolution"),
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001, no beta\n",
      .ops = UNBIASED },
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"
                   "<float[2,2,1,1] ConvMulFusion_W_const_fold_opt__1 = {1,2,3,4},\n"
                   " float[2] ConvAddFusion_Add_B_const_fold_opt__2 = {0.5,-2}>\n"
                   "{ [\"d/depthwise\"] \"l/batchnorm/add_1:0\" = Conv (x, ConvMulFusion_W_const_fold_opt__1,\n"
                   "  ConvAddFusion_Add_B_const_fold_opt__2) y = Relu (\"l/batchnorm/add_1:0\") }",
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED },
    /* what is called so, and has become something that is not known */
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"
                   "{ \"/1/BatchNormalization_output_0\" = Relu (x) y = Relu (\"/1/BatchNormalization_output_0\") }",
      .code = KILN_UNSUPPORTED,
      .says = "names say that there was BatchNormalization (1 layers)" },
    { .text = HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"
                   "{ \"/1/BatchNormalization_output_0\" = Relu (x) y = Relu (\"/1/BatchNormalization_output_0\") }",
      .as = "/1=none",
      .found = "/1: BatchNormalization that was not recovered (doubtful): left as it is\n" },
    /* as asked */
    { .text = CONV("w", "b", "/l/Conv"),
      .as = "/l/Conv=folded",
      .found = "l" INTO("Conv", "any", "doubtful") MEASURED "0.001\n",
      .ops = UNBIASED },
    { .text = CONV("w", "b", "/l/Conv"),
      .as = "w=folded",
      .found = "l" INTO("Conv", "any", "doubtful") MEASURED "0.001\n",
      .ops = UNBIASED },
    { .text = CONV("w", "b", "/l/Conv"),
      .o.folded = FOLDED_ALL,
      .found = "l" INTO("Conv", "any", "doubtful") MEASURED "0.001\n",
      .ops = UNBIASED },
    { .text = BARE("/l/Conv"), .o.folded = FOLDED_ALL, .found = "" },
    { .text = BARE("/l/Conv"),
      .as = "/l/Conv=folded",
      .found = "l" INTO("Conv", "any", "doubtful") "never trained: mean 0, variance 1, epsilon 0.001\n",
      .ops = UNBIASED },
    { .text = CONV("k", "l/batchnorm/sub:0", "l/convolution"),
      .o.folded = FOLDED_NONE,
      .found = "l: no BatchNormalization, as asked (likely): left as it is\n" },
    { .text = CONV("k", "l/batchnorm/sub:0", "l/convolution"),
      .as = "l=none",
      .found = "l: no BatchNormalization, as asked (likely): left as it is\n" },
    { .text = CONV("k", "l/batchnorm/sub:0", "l/convolution"),
      .o.folded = FOLDED_NONE,
      .as = "l=batch-normalization",
      .found = "l" INTO("Conv", KERAS, "likely") MEASURED "0.001\n",
      .ops = UNBIASED },
    /* none was folded into a layer that one follows */
    { .text =
          HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}, float[2] \"onnx::Conv_9\" "
               "= {0.5,-2},\n float[2] s = {1,2}, float[2] m = {3,4}, float[2] v = {1,1}>\n"
               "{ h = Conv (x, w, \"onnx::Conv_9\") y = BatchNormalization (h, s, s, m, v) }",
      .found = "" },
};

START_TEST(what_was_folded_into_a_layer_comes_back)
{
    expect_case(&folded[_i]);
}
END_TEST

/* -- what is none -- */

#define SQUARES                                                                                                        \
    "m = ReduceMean <axes = [2]> (h) d = Sub (h, m) q = Mul (d, d) v = ReduceMean <axes = [2]> (q) s = Add (v, e) "    \
    "r = Sqrt (s) "
#define NORM "float[3] ga = {2,3,4}, float[3] be = {1,0,-1}, float e = {0.001}, float minus = {-0.5}"

static const struct adapt_case others[] = {
    /* an input that is left out, before what an Add has made */
    { .text =
          HEAD "g (float[N,2] x) => (float[N,2] y) <float a = {1}, float b = {2}> { u = Add (a, b) y = Clip (x, , u) }",
      .found = "" },
    /* LayerNormalization, as it is written out */
    { .text = HEAD LAST(NORM) SQUARES "n = Div (d, r) p = Mul (n, ga) y = Add (p, be) }", .found = "" },
    { .text = HEAD LAST(NORM) SQUARES "i = Reciprocal (r) n = Mul (d, i) p = Mul (n, ga) y = Add (p, be) }",
      .found = "" },
    { .text = HEAD LAST(NORM) SQUARES "i = Reciprocal (r) a = Mul (i, ga) p = Mul (h, a) b = Mul (m, a) c = Sub (be, b)"
                                      " y = Add (p, c) }",
      .found = "" },
    /* Keras 2 calls it so */
    { .text = HEAD LAST(NORM) "[\"layer_normalization/moments/mean\"] m = ReduceMean <axes = [2]> (h) d = Sub (h, m)"
                              " q = Mul (d, d) [\"layer_normalization/moments/variance\"] v = ReduceMean <axes = [2]> "
                              "(q) [\"layer_normalization/batchnorm/add\"] s = Add (v, e)\n"
                              "[\"layer_normalization/batchnorm/Rsqrt\"] r = Pow (s, minus)"
                              " [\"layer_normalization/batchnorm/mul\"] a = Mul (r, ga)\n"
                              "[\"layer_normalization/batchnorm/mul_1\"] p = Mul (h, a)"
                              " [\"layer_normalization/batchnorm/mul_2\"] b = Mul (m, a)"
                              " [\"layer_normalization/batchnorm/sub\"] c = Sub (be, b)"
                              " [\"layer_normalization/batchnorm/add_1\"] y = Add (p, c) }",
      .found = "" },
    /* a gate, LayerScale, two that are multiplied, numbers, a hard sigmoid */
    { .text = HEAD FIRST("float[1,2,1,1] c = {1,5}") "g = GlobalAveragePool (h) s = Sigmoid (g) p = Mul (h, s) y = Add "
                                                     "(p, c) }",
      .found = "" },
    { .text =
          HEAD LAST("float[3] \"blocks.0.ls1.gamma\" = {2,3,4}") "p = Mul (h, \"blocks.0.ls1.gamma\") y = Add (p, x) }",
      .found = "" },
    { .text = HEAD FIRST("float a = {2}, float[1] b = {3}") "p = Mul (h, a) y = Add (p, b) }", .found = "" },
    { .text = HEAD FIRST(
          "float three = {3}, float o = {0}, float six = {6}, float[1,2,1,1] k = {0.2,0.1}") "t = Add (h, three) c = "
                                                                                             "Clip (t, o, six) p = Mul "
                                                                                             "(c, h) y = Mul (p, k) }",
      .found = "" },
    { .text = HEAD LAST("float[3] c = {1,2,3}") "s = Sigmoid (h) p = Mul (h, s) y = Add (p, c) }", .found = "" },
    /* what is read again, or comes out; samples that are scaled; integers */
    { .text = HEAD LAST("float[3] a = {1,2,3}, float[3] c = {1,2,3}") "p = Mul (h, a) q = Add (p, c) y = Mul (p, q) }",
      .found = "" },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] p, float[N,3] y) <float[3] a = {1,2,3}, float[3] c = {1,2,3}>\n"
                   "{ h = Relu (x) p = Mul (h, a) y = Add (p, c) }",
      .found = "p: an output of several (likely): trains\ny: an output of several (likely): stays, does not train\n" },
    { .text = HEAD "g (int64[N,3] x) => (int64[N,3] y) <int64[3] a = {1,2,3}, int64[3] c = {1,2,3}>\n"
                   "{ p = Mul (x, a) y = Add (p, c) }",
      .found = "" },
    /* a scope that is called something else: the caller may know better */
    { .text = HEAD LAST("float[3] a = {1,2,3}, float[3] c = {1,2,3}") "[\"head/scale/Mul\"] p = Mul (h, a)"
                                                                      " [\"head/scale/Add\"] y = Add (p, c) }",
      .found = "head/scale: a factor and a summand of each channel (doubtful): left as it is\n" },
    { .text =
          HEAD LAST("float[3] \"head.scale\" = {1,2,3}, float[3] c = {1,2,3}") "p = Mul (h, \"head.scale\") y = Add "
                                                                               "(p, c) }",
      .found = "bn: a factor and a summand of each channel (doubtful): left as it is\n" },
    { .text = HEAD LAST("float[3] a = {1,2,3}, float[3] c = {1,2,3}") "[\"head/scale/Mul\"] p = Mul (h, a)"
                                                                      " [\"head/scale/Add\"] y = Add (p, c) }",
      .as = "head/scale=batch-normalization",
      .found =
          "head/scale: BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (doubtful): " MEASURED "0.001\n",
      .ops = TURNED },
    { .text = HEAD LAST(PAIR) "[\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, "
                              "\"l/batchnorm/sub:0\") }",
      .as = "l=scale-and-shift",
      .found = "l: no BatchNormalization, as asked (likely): left as it is\n",
      .values = { { "l/batchnorm/mul:0", "trainable", NAN_VALUES },
                  { "l/batchnorm/sub:0", "trainable", NAN_VALUES } } },
    { .text = HEAD LAST(PAIR) "[\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\") y = Add (p, "
                              "\"l/batchnorm/sub:0\") }",
      .as = "l=constant",
      .found = "l: constants, as asked (likely): left as it is\n",
      .values = { { "l/batchnorm/mul:0", "constant", NAN_VALUES }, { "l/batchnorm/sub:0", "constant", NAN_VALUES } } },
    /* before the first layer */
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] a = {1,2,3}, float[3] c = {1,2,3}, float[3,3] w = "
                   "{1,2,3,4,5,6,7,8,9}>\n{ p = Mul (x, a) q = Add (p, c) y = MatMul (q, w) }",
      .found = "bn: what is done to an input: a factor and a summand of each channel (doubtful): left as it is\n",
      .values = { { "a", "constant", NAN_VALUES }, { "c", "constant", NAN_VALUES } } },
};

/* Of a layer that stays as large as it was, and of one that PyTorch has written: a quarter and an eighth of it. */
START_TEST(statistics_are_those_of_the_weight_that_is_written)
{
    static const char *const texts[] = { CONV("w", "b", "/l/Conv"), CONV("onnx::Conv_23", "onnx::Conv_24", "/l/Conv") };
    static const double scales[2] = { .25, .125 };
    double mean[2][2], variance[2][2];

    for (int k = 0; k < 2; k++) {
        struct model *m = model_of(texts[k]), *made;
        const struct value *v;

        made = adapt_over(m, (struct adapt_options){ .folded = FOLDED_ALL }, false);
        expect_ok(made);
        for (int c = 0; c < 2; c++) {
            v = graph_find(made->graph, "l/moving_mean");
            mean[k][c] = (double)((const float *)v->initializer->data)[c];
            v = graph_find(made->graph, "l/moving_variance");
            variance[k][c] = (double)((const float *)v->initializer->data)[c];
        }
        arena_release(&arena);
        model_free(made);
        model_free(m);
    }
    for (int c = 0; c < 2; c++) { /* a deviation has 12 bits */
        ck_assert_double_eq_tol(mean[1][c], mean[0][c] * scales[c], 1e-3 * fabs(mean[0][c]));
        ck_assert_double_eq_tol(variance[1][c], variance[0][c] * scales[c] * scales[c], 1e-3 * variance[1][c]);
    }
}
END_TEST

START_TEST(what_looks_like_one_stays)
{
    expect_case(&others[_i]);
}
END_TEST

/* -- what the file does not tell -- */

#define FRESH_PAIR(before, name)                                                                                       \
    FROM("tf2onnx")                                                                                                    \
    "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1,2,3,4}, float[2] b = {1,2},\n"                  \
    "float[1,2,1,1] \"l/batchnorm/mul:0\" = {0.9995004,0.9995004}>\n"                                                  \
    "{ " before " [\"l/batchnorm/" name "\"] y = Mul (h, \"l/batchnorm/mul:0\") }"
#define BEFORE ", whether the layer before it had a bias"

static const struct {
    const char *text;
    const char *name, *key, *value; /* of metadata */
    bool unknown;                   /* the table says so of it */
    const char *part;
} unsaid[] = {
    /* a layer that was never trained has lost a bias of zeros: directly before, or before a mean of windows */
    { FRESH_PAIR("h = Conv (x, w)", "mul_1"), "l", .unknown = true, .part = BEFORE },
    { FRESH_PAIR("h = ConvTranspose (x, w)", "mul_1"), "l", .unknown = true, .part = BEFORE },
    { FRESH_PAIR("k = Conv (x, w) p = AveragePool <kernel_shape = [1,1]> (k) h = Concat <axis = 2> (p)", "mul_1"), "l",
      .unknown = true, .part = BEFORE },
    { FROM("tf2onnx") "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] \"l/batchnorm/mul:0\" = "
                      "{0.9995004,0.9995004}>\n"
                      "{ h = MatMul (x, w) [\"l/batchnorm/mul_1\"] y = Mul (h, \"l/batchnorm/mul:0\") }",
      "l", .unknown = true, .part = BEFORE },
    /* one that has it, and one that gets it */
    { FRESH_PAIR("h = Conv (x, w, b)", "mul_1"), "l", .part = BEFORE },
    { FRESH_PAIR("k = Conv (x, w) h = Relu (k)", "mul_1"), "l", .part = BEFORE },
    /* onnxruntime's words: a bias was multiplied, or none was there, or nobody knows */
    { CONV("ConvMulFusion_W_k", "ConvAddFusion_B_ConvMulFusion_Mul_B_l/batchnorm/mul:0", "c"), "l",
      .part = ", whether the layer had a bias" },
    { CONV("ConvMulFusion_W_k", "ConvAddFusion_Add_B_l/batchnorm/sub:0", "c"), "l",
      .part = ", whether the layer had a bias" },
    { CONV("ConvBnFusion_W_0.weight", "ConvBnFusion_BN_B_1.bias", "l/Conv"), "l", .unknown = true,
      .part = ", whether the layer had a bias" },
    { CONV("ConvBnFusion_W_0.weight", "ConvBnFusion_BN_B_1.bias", "l/Conv"), "l", .part = "gamma" },
    { CONV("onnx::Conv_0", "onnx::Conv_1", "l/Conv"), "l", .unknown = true, .part = "gamma" },
    /* and those of PyTorch's newer exporter */
    { CONV("div_1", "div_1_bias", "l/conv"), "l", RULE_KEY, "FuseBatchNormIntoConv",
      .part = "whether the layer had a bias" },
    { BARE("l/conv"), "l", RULE_KEY, "FuseBatchNormIntoConv, RemoveOptionalBiasFromConv", .unknown = true,
      .part = "whether the layer had a bias" },
    /* the newer exporter of PyTorch says whether there were gamma and beta, whether or not it was trained */
    { BARE("l/conv"), "l", RULE_KEY, "FuseBatchNormIntoConv", .unknown = true,
      .part = "whether it had gamma and beta" },
    /* and what momentum and epsilon were; for a momentum of None it writes 0 */
    { BARE("l/conv"), "l", RULE_KEY, "FuseBatchNormIntoConv", .unknown = true, .part = "epsilon" },
    { BARE("l/conv"), "l", TOLD("batch_norm", "None, None, %m, %v, False, 0.2, 0.01, True"), .part = "epsilon" },
    { BARE("l/conv"), "l", TOLD("batch_norm", "None, None, %m, %v, False, 0.2, 0.01, True"), .part = "momentum" },
    { BARE("l/conv"), "l", TOLD("batch_norm", "None, None, %m, %v, False, 0.0, 0.01, True"), .unknown = true,
      .part = "momentum (0.9 is taken)" },
    { BARE("l/conv"), "l", "pkg.torch.onnx.fx_node",
      "target=torch.ops.aten.batch_norm.default](args = (%x, %p_l_weight, %p_l_bias, %m, %v)",
      .part = "whether it had gamma and beta" },
};

/* Whether two are calls of one layer: where they read one constant, or were folded. */
#define TWO(ops)                                                                                                       \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y)\n"                                                                \
         "<float[2,2,1,1] w = {1,-2,3,4}, float[2,2,1,1] u = {4,3,2,1}, float[1,2,1,1] a = {2,3}, float[1,2,1,1] one " \
         "= "                                                                                                          \
         "{0.9995004,0.9995004},\n float[1,2,1,1] d = {3,4}, float[2] \"l/batchnorm/sub:0\" = {1,2}, float[2] "        \
         "\"m/batchnorm/sub:0\" = {1,3}>\n { " ops " }"
#define SCALED(by, again, second)                                                                                      \
    TWO("h = Conv (x, w) [\"l/batchnorm/mul_1\"] p = Mul (h, " by ") r = Relu (p) k = Conv (r, u)\n"                   \
        "[\"" second "/batchnorm/mul_1\"] y = Mul (k, " again ")")
static const struct {
    const char *text, *say; /* NULL: nothing of the kind */
} calls[] = {
    { SCALED("a", "a", "m"), ", whether it and others are calls of one layer (so taken)" },
    { SCALED("one", "one", "m"), ", whether it and others are calls of one layer" },
    { SCALED("a", "d", "m"), NULL },
    { SCALED("a", "a", "l"), NULL }, /* steps of one */
    { TWO("h = Conv (x, w, \"l/batchnorm/sub:0\") r = Relu (h) y = Conv (r, u, \"m/batchnorm/sub:0\")"),
      ", whether it and others are calls of one layer" },
    { TWO("r = Conv (x, w, \"l/batchnorm/sub:0\") y = Relu (r)"), NULL },
};

START_TEST(calls_of_one_layer_are_told)
{
    static const char part[] = ", whether it and others";
    struct model *m = model_of(calls[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, false);
    size_t looked = 0;

    expect_ok(made);
    for (size_t k = 0; k < got.findings.count; k++) {
        const struct finding *f = &got.findings.at[k];
        const char *said = f->unknown ? strstr(f->unknown, part) : NULL;

        if (strncmp(f->found, "BatchNormalization", 18) != 0)
            continue;
        ck_assert_pstr_eq(said, calls[_i].say);
        looked++;
    }
    ck_assert_uint_gt(looked, 0);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

START_TEST(what_cannot_be_known_is_told)
{
    struct model *m = model_of(unsaid[_i].text), *made;
    const struct finding *f = NULL;

    if (unsaid[_i].key)
        add_metadata(m, 0, unsaid[_i].key, unsaid[_i].value);
    made = adapt_over(m, (struct adapt_options){ 0 }, false);
    expect_ok(made);
    for (size_t k = 0; k < got.findings.count && !f; k++)
        if (strcmp(got.findings.at[k].name, unsaid[_i].name) == 0)
            f = &got.findings.at[k];
    ck_assert(f && f->unknown);
    ck_assert_msg((strstr(f->unknown, unsaid[_i].part) != NULL) == unsaid[_i].unknown, "told is '%s'", f->unknown);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Of a factor and a summand the layer is told, where there is one. */
START_TEST(the_layer_of_a_pair_is_told)
{
    static const struct {
        const char *text, *evidence;
    } cases[] = {
        { HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] a = {1,2,3}, float[3] b = {4,5,6}, float[3,3] w = "
               "{1,2,3,4,5,6,7,8,10}>\n"
               "{ h = MatMul (x, w) [\"m/rescaling_1/mul\"] p = Mul (h, a) [\"m/rescaling_1/add\"] y = Add (p, b) }",
          "a factor and a summand for each channel, of the layer 'm/rescaling_1'" },
        { HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] a = {1,2,3}, float[3] b = {4,5,6}, float[3,3] w = "
               "{1,2,3,4,5,6,7,8,10}> { h = MatMul (x, w) p = Mul (h, a) y = Add (p, b) }",
          "a factor and a summand for each channel, without names" },
    };
    struct model *m = model_of(cases[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, false);
    bool told = false;

    expect_ok(made);
    for (size_t k = 0; k < got.findings.count; k++)
        told |= strcmp(got.findings.at[k].evidence, cases[_i].evidence) == 0;
    ck_assert(told);
    arena_release(&arena);
    model_free(made);
    model_free(m);
}
END_TEST

/* -- data that tell nothing -- */

static char warned[300];

static void note_warning(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    (void)where;
    if (code == KILN_OK)
        snprintf(warned + strlen(warned), sizeof warned - strlen(warned), "%s\n", message);
}

#define PLACES                                                                                                         \
    HEAD "g (float[N,2,2] x) => (float[N,2,2] y) <float[2] \"l/batchnorm/mul:0\" = {2,3}>\n"                           \
         "{ h = Relu (x) [\"l/batchnorm/mul_1\"] y = Mul (h, \"l/batchnorm/mul:0\") }"
#define TRAINING                                                                                                       \
    HEAD "g (float[N,2,2] x) => (float[N,2,2] y) <float[2] one = {1,1}, float[2] z = {0,0}>\n"                         \
         "{ y, m, v = BatchNormalization <training_mode = 1> (x, one, z, z, one) }"
#define ONE                                                                                                            \
    "statistics are measured on 1 sample, which tells nothing of how samples differ: there must be more, or others\n"
#define EQUAL "statistics are measured on 2 samples that are equal, which tell nothing of how samples differ: "
static const struct {
    const char *text;
    int64_t count;
    float x[2][4];
    const char *says; /* of what warnings begin with; "": none */
} dull[] = {
    { PLACES, 1, { { 1, 2, 3, 4 } }, ONE },
    { PLACES, 2, { { 1, 2, 3, 4 }, { 1, 2, 3, 4 } }, EQUAL },
    { PLACES, 2, { { 5, 5, 5, 5 }, { 5, 5, 5, 5 } }, EQUAL },
    { PLACES, 2, { { 1, 2, 3, 4 }, { 1, 2, 3, 5 } }, "" },
    { PLACES, 2, { { -1, -2, -3, -4 }, { -1, -2, -3, -5 } }, "no channel varies over the data (1 of 1 places" },
    { TRAINING, 1, { { 1, 2, 3, 4 } }, ONE },
    { TRAINING, 2, { { 1, 2, 3, 4 }, { 1, 2, 3, 4 } }, EQUAL },
    { TRAINING, 2, { { 1, 2, 3, 4 }, { 4, 2, 3, 4 } }, "" },
};

START_TEST(data_that_tell_nothing_are_warned_of)
{
    const int64_t labels[2] = { 0, 1 }, count = dull[_i].count;
    struct column x = { .name = "x",
                        .values = {
                            .dtype = F32, .rank = 3, .dims = { count, 2, 2 }, .data = (void *)(uintptr_t)dull[_i].x } };
    struct column target = {
        .values = { .dtype = I64, .rank = 1, .dims = { count }, .data = (void *)(uintptr_t)labels }, .classes = 2
    };
    struct dataset d = { .x = &x, .y = &target, .inputs = 1, .targets = 1, .count = count, .budget = &budget };
    struct model *m = model_of(dull[_i].text), *made;
    const size_t length = strlen(dull[_i].says);

    *warned = 0;
    report.notify = note_warning;
    made = adapt_over(m, (struct adapt_options){ .data = &d, .inference = true }, false);
    report.notify = NULL;
    expect_ok(made);
    ck_assert_msg(length ? strncmp(warned, dull[_i].says, length) == 0 && strchr(warned, '\n')[1] == 0 : !*warned,
                  "warned is '%s'", warned);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_traces");

    add_tests(s, a_product_and_a_sum_are_one, COUNT(pairs));
    add_tests(s, what_is_centred_is_one, COUNT(centred));
    add_tests(s, a_node_without_statistics_is_one, COUNT(nodes));
    add_tests(s, what_was_folded_into_a_layer_comes_back, COUNT(folded));
    add_tests(s, statistics_are_those_of_the_weight_that_is_written, 1);
    add_tests(s, what_looks_like_one_stays, COUNT(others));
    add_tests(s, what_cannot_be_known_is_told, COUNT(unsaid));
    add_tests(s, calls_of_one_layer_are_told, COUNT(calls));
    add_tests(s, the_layer_of_a_pair_is_told, 2);
    add_tests(s, data_that_tell_nothing_are_warned_of, COUNT(dull));
    return s;
}
