/* What adapting makes of floats: the very ones that there were. */
#include "adapting.h"
#include "ops/batch_normalization.h"
#include <math.h>

enum { CHANNELS = 512, INPUTS = 9 };

static double uniform(uint64_t k)
{
    const double x = (double)(k * 0x9e3779b97f4a7c15u >> 40) * 0x1p-24;

    return 2 * x - 1;
}

static void put_numbers(char **at, int count, uint64_t stream, double size)
{
    for (int k = 0; k < count; k++)
        *at += sprintf(*at, "%s%.9g", k ? "," : "", uniform(((uint64_t)k + 1) * 7919 + stream) * size);
}

/* Layers as PyTorch's old exporter leaves them: BatchNormalization is in their weight and bias. */
static const struct {
    const char *graph, *dims, *layer;
} layers[] = {
    { "(float[N,9,1,2] x) => (float[N,512,1,2] y)", "512,9,1,1", "Conv (x, \"onnx::Conv_1\", \"onnx::Conv_2\")" },
    { "(float[N,512,1,2] x) => (float[N,512,1,2] y)", "512,1,3,3",
      "Conv <group = 512, pads = [1,1,1,1]> (x, \"onnx::Conv_1\", \"onnx::Conv_2\")" },
};

static struct model *folded_layer(int k, double weight, double bias)
{
    static char text[200000];
    char *at = text;

    at += sprintf(at, FROM("pytorch") "g %s <float[%s] \"onnx::Conv_1\" = {", layers[k].graph, layers[k].dims);
    put_numbers(&at, CHANNELS * INPUTS, 1, weight);
    at += sprintf(at, "}, float[512] \"onnx::Conv_2\" = {");
    put_numbers(&at, CHANNELS, 2, bias);
    sprintf(at, "}>\n{ [\"/l/Conv\"] h = %s y = Relu (h) }", layers[k].layer);
    return model_of(text);
}

static const float *floats_of(const struct model *m, const char *name)
{
    const struct value *v = graph_find(m->graph, name);

    ck_assert_msg(v && v->initializer && v->initializer->dtype == F32, "'%s'", name);
    return v->initializer->data;
}

static double at(const struct model *m, const char *name, int c)
{
    return (double)floats_of(m, name)[c];
}

static double epsilon_of(const struct model *made)
{
    const struct node *n = made->graph->nodes[1];

    ck_assert_str_eq(n->op_name, "BatchNormalization");
    return (double)((const struct batch_norm *)n->attrs)->epsilon;
}

/* Folded as planning does it, in double. A bias that is next to nothing beside the mean may be no difference of floats. */
static void expect_floats(const struct model *m, const struct model *made)
{
    const float *w = floats_of(m, "onnx::Conv_1"), *plain = floats_of(made, "onnx::Conv_1");
    const double epsilon = epsilon_of(made);
    int scaled = 0, same = 0;

    for (int c = 0; c < CHANNELS; c++) {
        const double deviation = sqrt(at(made, "l/moving_variance", c) + epsilon);
        const double factor = at(made, "l/gamma", c) / deviation;
        const double mean = at(made, "l/moving_mean", c) * factor, bias = at(made, "l/beta", c) - mean;
        const double was = at(m, "onnx::Conv_2", c);

        ck_assert_msg((float)bias == (float)was || fabs(bias - was) < 0x1p-32 * fabs(mean), "bias %d: %a, was %a", c,
                      bias, was);
        same += (float)bias == (float)was;
        for (int k = c * INPUTS; k < (c + 1) * INPUTS; k++) {
            ck_assert_msg((float)((double)plain[k] * factor) == w[k], "weight %d of channel %d", k, c);
            scaled += plain[k] < w[k] || plain[k] > w[k];
        }
    }
    ck_assert_int_ge(same, CHANNELS - 4);
    ck_assert_int_gt(scaled, CHANNELS * INPUTS / 2); /* something was to be made up for */
}

/* However large means are beside biases: a summand is the difference of two floats. */
START_TEST(a_layer_is_folded_into_the_same_floats)
{
    static const double biases[] = { 1, .01 };
    struct model *m = folded_layer(_i % COUNT(layers), .7, biases[_i / COUNT(layers)]), *made;

    made = adapt_over(m, (struct adapt_options){ .folded = FOLDED_ALL }, false);
    expect_ok(made);
    ck_assert_uint_eq(got.normalizations, 1);
    expect_floats(m, made);
    ck_assert(got.outputs.difference <= 0);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* What is lost beside numbers of this size is more than a proof may overlook: it fails, and says by how much. */
#define BESIDE(size)                                                                                                   \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1.1,0.3,0.7,0.9}, float[2] b = {" size       \
         "," size                                                                                                      \
         "},\nfloat[1,2,1,1] \"l/batchnorm/mul:0\" = {1.0003,0.9999}, float[1,2,1,1] \"l/batchnorm/sub:0\" = "         \
         "{0.001,-0.003}, "                                                                                            \
         "float k = {" size "}>\n{ h = Conv (x, w, b) [\"l/batchnorm/mul_1\"] p = Mul (h, \"l/batchnorm/mul:0\")\n"    \
         "[\"l/batchnorm/add_1\"] q = Add (p, \"l/batchnorm/sub:0\") y = Sub (q, k) }"
START_TEST(a_proof_overlooks_nothing)
{
    static const struct {
        const char *text;
        bool holds;
    } cases[] = { { BESIDE("3"), true }, { BESIDE("5000"), false } };
    struct model *m = model_of(cases[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, false);

    ck_assert_double_gt(got.outputs.difference, 0);
    if (cases[_i].holds) {
        expect_ok(made);
        ck_assert_double_le(got.outputs.difference, 1e-5);
    } else {
        ck_assert_ptr_null(made);
        expect_error(KILN_MISMATCH, "must by 1e-05 at most");
        ck_assert_double_lt(got.outputs.difference, 1e-4);
    }
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* What is infinite or no number before and after is no difference: it proves nothing, and is counted. */
#define DIVIDED(by)                                                                                                    \
    HEAD "g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,2,1,1] w = {1.1,0.3,0.7,0.9}, float[2] b = {1,2},\n"     \
         "float[1,2,1,1] k = " by ">\n{ h = Conv (x, w, b) r = Relu (h) d = Mul (r, k) y = Div (r, d) }"
START_TEST(what_is_no_number_proves_nothing)
{
    static const struct {
        const char *text;
        int64_t not_finite; /* -1: all, which is refused */
    } cases[] = { { DIVIDED("{1,2}"), 0 }, { DIVIDED("{0,2}"), 1 }, { DIVIDED("{0,0}"), -1 } };
    struct model *m = model_of(cases[_i].text),
                 *made = adapt_over(m, (struct adapt_options){ .folded = FOLDED_ALL }, false);

    if (cases[_i].not_finite < 0) {
        ck_assert_ptr_null(made);
        expect_error(KILN_MISMATCH, "all that the file computes of the data is infinite or no number");
    } else {
        expect_ok(made);
        ck_assert_int_eq(got.outputs.not_finite, cases[_i].not_finite * got.outputs.floats / 2);
        ck_assert_uint_eq(got.normalizations, 1);
    }
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_floats");

    add_tests(s, a_layer_is_folded_into_the_same_floats, 2 * COUNT(layers));
    add_tests(s, a_proof_overlooks_nothing, 2);
    add_tests(s, what_is_no_number_proves_nothing, 3);
    return s;
}
