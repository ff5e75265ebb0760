/* Adapting files to training: what exporters have left of BatchNormalization, what is decided, and the proof. */
#include "adapt/adapt.h"
#include "data/npy.h"
#include "learning.h"
#include "ops/registry.h"
#include "run/session.h"
#include "scratch.h"
#include "train/trainer.h"
#include <math.h>

#define HEAD "< ir_version: 8, opset_import: [\"\": 17] >\n"

static struct arena arena = { .budget = &budget };
static struct adapted got;

static struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

static struct dataset data_of(int rank, const int64_t *dims, const float *x, const int64_t *labels)
{
    static struct two_columns columns[4];
    static size_t used;
    struct tensor tx, ty;

    ck_assert(tensor_shape(&tx, F32, rank, dims));
    ck_assert(tensor_shape(&ty, I64, 1, dims));
    tx.data = (void *)(uintptr_t)x;
    ty.data = (void *)(uintptr_t)labels;
    return dataset_of(&columns[used++ % 4], &tx, &ty, 1, &budget);
}

/* Numbers in [-1, 1) that look random. */
static void noise(float *x, int64_t n, uint32_t seed)
{
    for (int64_t k = 0; k < n; k++) {
        seed = seed * 1664525 + 1013904223;
        x[k] = (float)(seed >> 8) / (1 << 23) - 1;
    }
}

static void run_model(const struct model *m, const struct tensor *x, float *out, int64_t n)
{
    const struct session_options o = { .threads = 1 };
    struct session *s = session_new(m->graph, &o, &report);

    expect_ok(s && session_set(s, m->graph->inputs[0], x, &report) && session_run(s, &report));
    ck_assert_int_eq(tensor_count(session_output(s, 0)), n);
    memcpy(out, session_output(s, 0)->data, (size_t)n * sizeof *out);
    session_free(s);
}

/* Lines of the table that begin so, and of which is told that. */
static size_t count_found(const char *found, const char *done)
{
    size_t count = 0;

    for (size_t k = 0; k < got.findings.count; k++)
        count += strncmp(got.findings.at[k].found, found, strlen(found)) == 0 &&
                 strstr(got.findings.at[k].done, done) != NULL;
    return count;
}

/* -- files of Keras, and what comes out -- */

static const struct export_case {
    const char *name;
    size_t normalizations;
    int64_t trainable, statistics; /* parameters afterwards; 0: not compared */
} exports[] = {
    { "fashion_cnn", 3, 32778, 1152 },     { "mnist_mlp", 3, 268978, 2368 }, { "sigmoid_mlp", 3, 100310, 600 },
    { "cifar10_convnet", 3, 553626, 224 }, { "cifar100_vgg", 10, 0, 1360 },
};

/* The model computes what Keras did, before and after, and trains. */
START_TEST(lowered_normalization_is_recovered)
{
    const struct export_case *c = &exports[_i];
    struct tensor x, want;
    struct two_columns columns;
    struct dataset d;
    struct adapt_options o = { .data = &d, .threads = 1 };
    struct trainer_options train = { .threads = 2, TARGET(.classes = 10) };
    const int64_t y[] = { 1, 2, 3, 4 };
    struct model *m, *recovered;
    struct trainer *t;
    float step;
    struct tensor ty;
    float *out;
    char path[512];

    snprintf(path, sizeof path, PROJECT "/models/%s/keras.onnx", c->name);
    m = model_read(path, NULL, &report);
    expect_ok(m && model_build(m, &report));
    snprintf(path, sizeof path, PROJECT "/models/%s/keras.in.npy", c->name);
    expect_ok(npy_load(&x, path, NULL, &budget, &report));
    snprintf(path, sizeof path, PROJECT "/models/%s/keras.out.npy", c->name);
    expect_ok(npy_load(&want, path, NULL, &budget, &report));
    ty = (struct tensor){ .dtype = I64, .rank = 1, .dims = { 4 }, .data = (void *)(uintptr_t)y };
    d = dataset_of(&columns, &x, &ty, 10, &budget);
    recovered = model_adapt(m, &o, &got, &arena, &report);
    expect_ok(recovered);
    ck_assert_uint_eq(got.normalizations, c->normalizations);
    ck_assert_double_lt(got.outputs.difference, 1e-5);
    out = budget_alloc(&budget, (size_t)tensor_bytes(&want), &report);
    run_model(recovered, &x, out, tensor_count(&want));
    for (int64_t k = 0; k < tensor_count(&want); k++)
        ck_assert_float_eq_tol(out[k], ((const float *)want.data)[k],
                               1e-5f * fmaxf(1, fabsf(((const float *)want.data)[k])));
    train.x = &x;
    t = trainer_new(recovered, &train, &report);
    expect_ok(t);
    ck_assert_int_eq(parameters_elements(&t->parameters, ROLE_STATISTIC), c->statistics);
    if (c->trainable)
        ck_assert_int_eq(parameters_elements(&t->parameters, ROLE_TRAINABLE), c->trainable);
    ty = t->targets->y;
    ty.dims[0] = 4;
    ty.data = d.y->values.data;
    expect_ok(trainer_step(t, &x, &ty, &step, &report));
    trainer_free(t);
    model_free(recovered);
    model_free(m);
    budget_free(&budget, out);
    budget_free(&budget, x.data);
    budget_free(&budget, want.data);
}
END_TEST

/* Without names nothing is BatchNormalization by itself. */
static const struct adapt_choice p_is_one = { "p", "batch-normalization" };

/* What comes out need not be one float: a label, a score in another precision, text, a sequence. */
START_TEST(other_outputs_are_compared_as_what_they_are)
{
    static const struct {
        const char *outputs, *nodes;
        int64_t floats, others;
    } cases[] = {
        { "int64[N] y", "y = ArgMax <axis = 1, keepdims = 0> (q)", 0, 5 },
        { "float[N, 3] q, int64[N] y", "y = ArgMax <axis = 1, keepdims = 0> (q)", 15, 5 },
        { "bool[N, 3] y", "z = Constant <value = float {0}> ()  y = Less (z, q)", 0, 15 },
        { "double[N, 3] y", "y = Cast <to = 11> (q)", 15, 0 },
        { "float16[N, 3] y, uint8[N, 3] z", "y = Cast <to = 10> (q)  z = Cast <to = 2> (x)", 15, 15 },
        { "string[N, 3] y", "z = Cast <to = 6> (x)  y = Cast <to = 8> (z)", 0, 15 },
        { "seq(float[N, 3]) y, float[N, 3] q", "y = SequenceConstruct (q, x)", 45, 0 },
    };
    float data[15];
    const int64_t labels_[5] = { 0 };
    struct dataset d;
    struct adapt_options o = { .data = &d, .threads = 1, .choice_count = 1, .choices = &p_is_one };
    struct model *m, *r;
    char text[1024];

    noise(data, 15, 3);
    d = data_of(2, (const int64_t[]){ 5, 3 }, data, labels_);
    snprintf(text, sizeof text,
             HEAD "net (float[N, 3] x) => (%s) <float[3] a = {2, 3, 4}, float[3] b = {1, 0, -1}>\n"
                  "{ p = Mul (x, a)  q = Add (p, b)  %s }",
             cases[_i].outputs, cases[_i].nodes);
    m = model_of(text);
    r = model_adapt(m, &o, &got, &arena, &report);
    expect_ok(r);
    ck_assert_uint_eq(got.normalizations, 1);
    ck_assert_int_eq(got.outputs.floats, cases[_i].floats);
    ck_assert_int_eq(got.outputs.others, cases[_i].others);
    ck_assert_int_eq(got.outputs.unlike, 0);
    ck_assert_double_lt(got.outputs.difference, 1e-3);
    model_free(r);
    model_free(m);
}
END_TEST

/* The comparison itself sees what differs, and refuses what is of another kind. */
START_TEST(what_differs_is_counted)
{
    static const struct {
        const char *a, *b;
        struct comparison want; /* a difference below 0: MISMATCH */
    } cases[] = {
        { "float[N,2] y) { y = Identity (x) }",
          "float[N,2] y) { c = Constant <value = float {3}> ()  y = Add (x, c) }",
          { .75, 4, 0, 0, 0 } }, /* of the largest, which is 4 */
        { "float[N,2] y) { y = Identity (x) }",
          "float[N,2] y) { c = Constant <value = float[2] {1, nan}> ()  y = Mul (x, c) }",
          { (double)INFINITY, 4, 0, 0, 0 } },
        { "float[N,2] y) { c = Constant <value = float[2] {1, nan}> ()  y = Mul (x, c) }",
          "float[N,2] y) { c = Constant <value = float[2] {1, nan}> ()  y = Mul (c, x) }",
          { 0, 4, 2, 0, 0 } },
        { "float[N,2] z, int64[N] y) { z = Identity (x)  y = ArgMax <axis = 1, keepdims = 0> (x) }",
          "float[N,2] z, int64[N] y) { z = Identity (x)  n = Neg (x)  y = ArgMax <axis = 1, keepdims = 0> (n) }",
          { 0, 4, 0, 2, 2 } },
        { "bool[N,2] y) { c = Constant <value = float {2.5}> ()  y = Less (x, c) }",
          "bool[N,2] y) { c = Constant <value = float {3.5}> ()  y = Less (x, c) }",
          { 0, 0, 0, 4, 1 } },
        { "string[N,2] y) { i = Cast <to = 6> (x)  y = Cast <to = 8> (i) }",
          "string[N,2] y) { a = Constant <value = float {1}> ()  z = Max (x, a)  b = Constant <value = float {2}> ()\n"
          " w = Max (z, b)  i = Cast <to = 6> (w)  y = Cast <to = 8> (i) }",
          { 0, 0, 0, 4, 1 } },
        { "float[N,2] y) { y = Identity (x) }", "double[N,2] y) { y = Cast <to = 11> (x) }", { -1, 0, 0, 0, 0 } },
        { "seq(float[N,2]) y) { y = SequenceConstruct (x) }",
          "seq(float[N,2]) y) { y = SequenceConstruct (x, x) }",
          { -1, 0, 0, 0, 0 } },
    };
    float data[] = { 1, 2, 3, 4 };
    const int64_t labels_[2] = { 0 };
    struct dataset d = data_of(2, (const int64_t[]){ 2, 2 }, data, labels_);
    struct calibration calibration = { .data = &d, .threads = 1 };
    struct comparison apart;
    struct model *m[2];
    char text[1024];
    bool ok;

    for (int k = 0; k < 2; k++) {
        snprintf(text, sizeof text, HEAD "net (float[N, 2] x) => (%s", k ? cases[_i].b : cases[_i].a);
        m[k] = model_of(text);
    }
    ok = compare_models(m[0], m[1], &calibration, &apart, &report);
    if (cases[_i].want.difference < 0) {
        ck_assert(!ok);
        expect_error(KILN_MISMATCH, "output 'y'");
    } else {
        expect_ok(ok);
        ck_assert_double_eq(apart.difference, cases[_i].want.difference);
        ck_assert_int_eq(apart.floats, cases[_i].want.floats);
        ck_assert_int_eq(apart.not_finite, cases[_i].want.not_finite);
        ck_assert_int_eq(apart.others, cases[_i].want.others);
        ck_assert_int_eq(apart.unlike, cases[_i].want.unlike);
    }
    model_free(m[0]);
    model_free(m[1]);
}
END_TEST

/* What Keras' exporter leaves of a layer of one channel and of one without a centre; what is done to an input is none. */
#define FOUR                                                                                                           \
    "g (float[N, 2, 3, 3] x) => (float[N, 4, 3, 3] y)\n"                                                               \
    "<float[4, 2, 1, 1] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[4] \"l/batchnorm/sub:0\" = "
#define FOUR_NODES "{ h = Conv (x, w, \"l/batchnorm/sub:0\") r = Relu (h) [\"k/batchnorm/mul_1\"] y = Mul (r, a) }"
START_TEST(traces_are_told_apart)
{
    static const struct {
        const char *text;
        size_t pairs, folded, fresh; /* that are found, of both those that have hardly been trained, if ever */
    } cases[] = {
        { "g (float[N, 2, 3, 3] x) => (float[N, 1, 3, 3] y)\n"
          "<float[1, 2, 1, 1] w = {1, 2}, float[1] \"l/batchnorm/mul:0\" = {0.5}, float[1, 1, 1, 1] c = {0.25}>\n"
          "{ h = Conv (x, w) r = Relu (h) [\"l/batchnorm/mul_1\"] m = Mul (r, \"l/batchnorm/mul:0\") y = Add (m, c) }",
          1, 0, 0 },
        { "g (float[N, 2, 3, 3] x) => (float[N, 1, 3, 3] y)\n"
          "<float[1, 2, 1, 1] w = {1, 2}, float[1] f = {0.5}, float[1, 1, 1, 1] c = {0.25}>\n"
          "{ h = Conv (x, w) r = Relu (h) m = Mul (r, f) y = Add (m, c) }",
          0, 0, 0 },
        { "g (float[N, 2, 3, 3] x) => (float[N, 1, 3, 3] y)\n"
          "<float[1, 2, 1, 1] w = {1, 2}, float[1, 2, 1, 1] f = {0.5, 0.25}, float[1, 2, 1, 1] c = {1, 2}>\n"
          "{ m = Mul (x, f) a = Add (m, c) y = Conv (a, w) }",
          0, 0, 0 },
        { "g (float[N, 2, 3, 3] x) => (float[N, 2, 3, 3] y)\n"
          "<float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] \"l/batchnorm/mul_2:0\" = {0.5, 0.25}, float[2, 2, 1, 1] v = "
          "{1, 2, 3, 4},\n"
          " float[2] b = {1, 2}>\n"
          "{ h = Conv (x, w, \"l/batchnorm/mul_2:0\") r = Relu (h) y = Conv (r, v, b) }",
          0, 1, 0 },
        /* PyTorch's exporter: what it has computed has such names, parameters keep theirs */
        { "g (float[N, 2, 3, 3] x) => (float[N, 2, 3, 3] y)\n"
          "<float[2, 2, 1, 1] \"onnx::Conv_23\" = {1, 2, 3, 4}, float[2] \"onnx::Conv_24\" = {0.5, -2}, float[2, 2, 1, "
          "1] v = {1, 2, 3, 4},\n"
          " float[2] \"6.bias\" = {1, 2}>\n"
          "{ h = Conv (x, \"onnx::Conv_23\", \"onnx::Conv_24\") r = Relu (h) y = Conv (r, v, \"6.bias\") }",
          0, 1, 0 },
        /* never trained: a product alone, in any layout; a convolution without a bias; a bias that is near 0 */
        { "g (float[N, 3, 3, 2] x) => (float[N, 3, 3, 2] y)\n"
          "<float[2, 2] w = {1, 2, 3, 4}, float[2] \"l/batchnorm/mul:0\" = {0.99950039, 0.99950039}>\n"
          "{ h = MatMul (x, w) [\"l/batchnorm/mul_1\"] m = Mul (h, \"l/batchnorm/mul:0\") y = Relu (m) }",
          1, 0, 1 },
        { "g (float[N, 2, 3, 3] x) => (float[N, 2, 3, 3] y) <float[2, 2, 1, 1] w = {1, 2, 3, 4}>\n"
          "{ [\"l/batchnorm/mul_1\"] h = Conv (x, w) y = Relu (h) }",
          0, 1, 1 },
        { FOUR "{0.01, -0.02, 0, 0.1}, float[1, 4, 1, 1] a = {0.98, 1.01, 1, 1.1}>\n" FOUR_NODES, 1, 1, 2 },
        { FOUR "{0.01, -2, 0, 0.1}, float[1, 4, 1, 1] a = {0.98, 1.01, 1, 1.1}>\n" FOUR_NODES, 1, 1, 1 },
        { FOUR "{0.01, -0.02, 0, 0.1}, float[1, 4, 1, 1] a = {0.98, 1.41, 1, 1.1}>\n" FOUR_NODES, 1, 1, 0 },
        /* few channels may be near 1 by chance */
        { "g (float[N, 2, 3, 3] x) => (float[N, 2, 3, 3] y)\n"
          "<float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[1, 2, 1, 1] a = {0.98, 1.01}, float[1, 2, 1, 1] b = {0.1, 0.2}>\n"
          "{ h = Conv (x, w) r = Relu (h) [\"k/batchnorm/mul_1\"] m = Mul (r, a) y = Add (m, b) }",
          1, 0, 0 },
    };
    float data[4 * 18];
    const int64_t labels_[4] = { 0 };
    char text[1000];
    struct adapt_options o = { .threads = 1 };
    struct dataset d;
    struct model *m, *r;

    noise(data, 4 * 18, 3);
    d = data_of(4, (const int64_t[]){ 4, _i == 5 ? 3 : 2, 3, _i == 5 ? 2 : 3 }, data, labels_);
    o.data = &d;
    snprintf(text, sizeof text, HEAD "%s", cases[_i].text);
    m = model_of(text);
    r = model_adapt(m, &o, &got, &arena, &report);
    expect_ok(r);
    ck_assert_uint_eq(got.normalizations, cases[_i].pairs + cases[_i].folded);
    ck_assert_uint_eq(count_found("BatchNormalization, Mul and Add", ""), cases[_i].pairs);
    ck_assert_uint_eq(count_found("BatchNormalization, folded", ""), cases[_i].folded);
    ck_assert_uint_eq(count_found("BatchNormalization", "mean 0, variance 1"), cases[_i].fresh);
    ck_assert_double_lt(got.outputs.difference, 1e-5);
    model_free(r);
    model_free(m);
}
END_TEST

/* Channels that stand last, as Keras on other backends leaves them, cost two transpositions; layer normalisation is
 * left alone. */
START_TEST(only_batch_normalization_is_recovered)
{
    struct model *m = model_of(HEAD "net (float[N, 4, 3] x) => (float[N, 4, 3] y) <float[3] a = {2, 3, 4}, float[3] b "
                                    "= {1, 0, -1}, float[4, 1] c = {1, 2, 3, 4},\n"
                                    " float[4, 1] d = {1, 1, 1, 2}, float e = {0.1}>\n"
                                    "{ p = Mul (x, a)  q = Add (p, b)  m = ReduceMean <axes = [2]> (q)  s = Sub (q, m) "
                                    " t = Mul (s, s)  u = ReduceMean <axes = [2]> (t)\n"
                                    "  v = Add (u, e)  w = Sqrt (v)  n = Div (s, w)  o = Mul (n, c)  y = Add (o, d) }");
    float data[5 * 12];
    const int64_t labels_[5] = { 0 };
    struct dataset d;
    struct adapt_options o = { .data = &d, .threads = 1, .choice_count = 1, .choices = &p_is_one };
    struct model *r;

    noise(data, 60, 3);
    d = data_of(3, (const int64_t[]){ 5, 4, 3 }, data, labels_);
    r = model_adapt(m, &o, &got, &arena, &report);
    expect_ok(r);
    ck_assert_uint_eq(got.normalizations, 1);
    ck_assert_double_lt(got.outputs.difference, 1e-5);
    ck_assert_uint_eq(r->proto->graph->n_node, m->proto->graph->n_node + 1); /* two away, three in */
    model_free(r);
    model_free(m);
}
END_TEST

/* -- what others refuse -- */

static struct model *adapted_of(const char *text, const struct adapt_choice *choice, int rank, const int64_t *dims)
{
    static float data[1000];
    static const int64_t labels_[16];
    struct adapt_options o = { .threads = 1, .choice_count = choice != NULL, .choices = choice };
    struct model *m = model_of(text), *made;
    struct dataset d;

    noise(data, 1000, 5);
    d = data_of(rank, dims, data, labels_);
    o.data = &d;
    made = model_adapt(m, &o, &got, &arena, &report);
    model_free(m);
    return made;
}

/* Other runtimes refuse two nodes of one name: a layer that is unfolded keeps its own. */
START_TEST(names_of_nodes_stay_different)
{
    struct model *m = adapted_of(HEAD "g (float[N, 2, 3, 3] x) => (float[N, 2, 3, 3] y)\n"
                                      "<float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] \"onnx::Conv_2\" = {0.5, -2}>\n"
                                      "{ [\"node_conv\"] y = Conv (x, w, \"onnx::Conv_2\") }",
                                 NULL, 4, (const int64_t[]){ 4, 2, 3, 3 });

    expect_ok(m);
    ck_assert_uint_eq(m->proto->graph->n_node, 2);
    ck_assert_str_eq(m->proto->graph->node[0]->name, "node_conv");
    ck_assert_str_ne(m->proto->graph->node[1]->name, "node_conv");
    model_free(m);
}
END_TEST

/* A layer that is used twice is one, whichever of its places is named. */
START_TEST(a_shared_layer_is_chosen_as_one)
{
    static const struct adapt_choice choices[] = { { "a", "fresh" }, { "b", "fresh" }, { "*", "measured" } };
    struct model *m =
        adapted_of(HEAD "g (float[N, 3] x) => (float[N, 3] y)\n"
                        "<float[3] \"l/batchnorm/mul:0\" = {2, 3, 4}, float[3] c = {1, 0, -1}>\n"
                        "{ [\"a/batchnorm/mul_1\"] p = Mul (x, \"l/batchnorm/mul:0\") q = Add (p, c) r = Relu (q)\n"
                        "  [\"b/batchnorm/mul_1\"] s = Mul (r, \"l/batchnorm/mul:0\") y = Add (s, c) }",
                   &choices[_i], 2, (const int64_t[]){ 8, 3 });
    const struct node *n[2];
    size_t count = 0;

    expect_ok(m);
    ck_assert_uint_eq(count_found("BatchNormalization", "never trained"), _i == 2 ? 0 : 2);
    for (size_t k = 0; k < m->graph->node_count; k++)
        if (node_is(m->graph->nodes[k], &op_batch_normalization))
            n[count++ % 2] = m->graph->nodes[k];
    ck_assert_uint_eq(count, 2);
    ck_assert_ptr_eq(n[0]->in[1], n[1]->in[1]);
    model_free(m);
}
END_TEST

/* Statistics that an Identity gives each layer are its own in training: their role says nothing then. */
START_TEST(statistics_behind_identity_keep_their_role)
{
    struct model *m =
        adapted_of("<ir_version: 8, opset_import: [\"\": 17], producer_name: \"pytorch\">\n"
                   "g (float[N, 3] x) => (float[N, 3] y)\n"
                   "<float[3] one = {1, 1, 1}, float[3] none = {0, 0, 0}>\n"
                   "{ o = Identity (one) z = Identity (none) u = Identity (one) v = Identity (none)\n"
                   "  h = BatchNormalization (x, one, none, z, o) y = BatchNormalization (h, u, v, z, o) }",
                   NULL, 2, (const int64_t[]){ 8, 3 });
    const struct trainer_options o = { .threads = 1, TARGET(.form = TARGETS_VALUES) };
    struct trainer *t;

    expect_ok(m);
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    ck_assert_int_eq(parameters_elements(&t->parameters, ROLE_TRAINABLE), 12);
    trainer_free(t);
    model_free(m);
}
END_TEST

/* What is cut would be no text any more. */
START_TEST(long_names_stay_whole)
{
    char text[2000], scope[401] = "";
    struct model *m;

    for (int k = 0; k < 200; k++)
        strcat(scope, "\xc3\xa4");
    snprintf(text, sizeof text,
             HEAD "g (float[N, 3] x) => (float[N, 3] y) <float[3] a = {2, 3, 4}, float[3] c = {1, 0, -1}>\n"
                  "{ [\"%s/batchnorm/mul_1\"] p = Mul (x, a) y = Add (p, c) }",
             scope);
    m = adapted_of(text, NULL, 2, (const int64_t[]){ 8, 3 });
    expect_ok(m);
    ck_assert_uint_eq(got.normalizations, 1);
    ck_assert_uint_eq(count_found("BatchNormalization that was not", ""), 0);
    model_free(m);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

Suite *suite(void)
{
    Suite *s = suite_create("adapt");

    add_tests(s, lowered_normalization_is_recovered, COUNT(exports));
    add_tests(s, other_outputs_are_compared_as_what_they_are, 7);
    add_tests(s, what_differs_is_counted, 8);
    add_tests(s, traces_are_told_apart, 11);
    add_test(s, only_batch_normalization_is_recovered);
    add_test(s, names_of_nodes_stay_different);
    add_tests(s, a_shared_layer_is_chosen_as_one, 3);
    add_test(s, statistics_behind_identity_keep_their_role);
    add_test(s, long_names_stay_whole);
    return s;
}
