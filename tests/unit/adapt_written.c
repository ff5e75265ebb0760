/* BatchNormalization and Dropout in training mode that an exporter has written out: which are found, and what is made of
 * them. */
#include "inferring.h"

/* -- layers that were written out -- */

/* The channels stand last, or behind the samples. */
enum side { LAST, FIRST };

#define CONSTANTS                                                                                                      \
    "float[3] s = {1,2,0.5}, float[3] b = {0.25,-1,2}, float e = {0.001}, int64[1] a = {0}, int64[3] abc = {0,1,2}, "  \
    "int64[3] acd = {0,2,3}, float two = {2}, float half = {0.5}, float minus = {-0.5}, float one = {1}, "             \
    "float[1,3,1,1] sc = {1,2,0.5}, float[1,3,1,1] bc = {0.25,-1,2}, int64[4] stat = {1,3,1,1}, "                      \
    "float[3] ec = {0.001,0.001,0.001}, float[3] none = {0,0,0}"

static const struct {
    const char *nodes;
    int opset, rank; /* 2, or 4 */
    enum side place;
    bool no_gamma, no_beta;
    int left; /* nodes beside BatchNormalization */
} written[] = {
    { "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0]> (q) w = Add (v, e)\n"
      "r = Sqrt (w) n = Div (d, r) g = Mul (n, s) y = Add (g, b)",
      15, 2, LAST, false, false, 0 },
    /* tf2onnx: the reciprocal, the mean squeezed, beta less what the mean comes to */
    { "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0]> (q) u = Squeeze (v, "
      "a)\n"
      "w = Add (u, e) r = Sqrt (w) i = Reciprocal (r) g = Mul (i, s) f = Mul (x, g) k = Squeeze (m, a) l = Mul (k, g)\n"
      "c = Sub (b, l) y = Add (f, c)",
      15, 2, LAST, false, false, 0 },
    /* without beta: the mean is negated */
    { "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0]> (q) w = Add (e, v)\n"
      "r = Sqrt (w) i = Reciprocal (r) g = Mul (i, s) f = Mul (x, g) k = Neg (m) l = Mul (k, g) y = Add (f, l)",
      15, 2, LAST, false, true, 0 },
    { "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Pow (d, two) v = ReduceMean <axes = [0]> (q) w = Add (v, e)\n"
      "i = Pow (w, minus) n = Mul (d, i) y = Add (n, b)",
      15, 2, LAST, true, false, 0 },
    { "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0]> (q) w = Add (v, ec)\n"
      "r = Pow (w, half) i = Div (one, r) y = Mul (d, i)",
      15, 2, LAST, true, true, 0 },
    /* no dimension kept; gamma above the deviation */
    { "m = ReduceMean <axes = [0], keepdims = 0> (x) d = Sub (x, m) q = Mul (d, d)\n"
      "v = ReduceMean <axes = [0], keepdims = 0> (q) w = Add (v, e) r = Sqrt (w) g = Div (s, r) n = Mul (g, d)\n"
      "y = Add (b, n)",
      9, 2, LAST, false, false, 0 },
    { "m = ReduceMean (x, a) d = Sub (x, m) q = Mul (d, d) v = ReduceMean (q, a) w = Add (v, e) r = Sqrt (w)\n"
      "n = Div (d, r) g = Mul (n, s) z = Add (g, b) y = Relu (z)",
      18, 2, LAST, false, false, 1 },
    /* images: channels last get Transposes */
    { "m = ReduceMean <axes = [0,1,2]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0,1,2]> (q)\n"
      "w = Add (v, e) r = Sqrt (w) n = Div (d, r) g = Mul (n, s) y = Add (g, b)",
      13, 4, LAST, false, false, 2 },
    { "m = ReduceMean <axes = [0,-1,2]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0,2,3]> (q)\n"
      "w = Add (v, e) r = Sqrt (w) n = Div (d, r) g = Mul (n, sc) y = Add (g, bc)",
      14, 4, FIRST, false, false, 0 },
    /* tf2onnx' optimiser: moments of one order, the product of another */
    { "m = ReduceMean <axes = [0,2,3]> (x) k = Squeeze (m, acd) p = Reshape (m, stat) d = Sub (x, p) q = Mul (d, d)\n"
      "v = ReduceMean <axes = [0,2,3]> (q) u = Squeeze (v, acd) w = Add (u, e) r = Sqrt (w) i = Reciprocal (r)\n"
      "g = Mul (i, s) l = Mul (k, g) c = Sub (b, l) xt = Transpose <perm = [0,2,3,1]> (x) f = Mul (xt, g)\n"
      "z = Add (f, c) o = Relu (z) y = Transpose <perm = [0,3,1,2]> (o)",
      13, 4, FIRST, false, false, 3 },
    /* the same, and the moments of a turned x */
    { "xt = Transpose <perm = [0,2,3,1]> (x) m = ReduceMean <axes = [0,1,2]> (xt) d = Sub (xt, m) q = Mul (d, d)\n"
      "v = ReduceMean <axes = [0,1,2]> (q) w = Add (v, e) r = Sqrt (w) n = Div (d, r) g = Mul (n, s) z = Add (g, b)\n"
      "y = Transpose <perm = [0,3,1,2]> (z)",
      13, 4, FIRST, false, false, 0 },
};

static const struct tensor *run_on_data(const struct model *m, struct session **s)
{
    struct tensor x = t.columns.x.values;

    *s = session_new(m->graph, &(struct session_options){ .threads = 1 }, &report);
    expect_ok(*s && session_set(*s, m->graph->inputs[0], &x, &report) && session_run(*s, &report));
    return session_output(*s, 0);
}

/* y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, of the measured statistics; Relu where that is behind it. */
static void expect_inference(int64_t outer, int64_t inner, const double *gamma, const double *beta,
                             const struct plain *p, bool relu)
{
    struct session *s;
    const float *y = run_on_data(t.adapt.model, &s)->data;

    for (int64_t k = 0; k < SAMPLES * outer * CHANNELS * inner; k++) {
        const int c = (int)(k / inner % CHANNELS);
        const double v = ((double)t.x[k] - p->mean[c]) / sqrt(p->variance[c] + .001) * gamma[c] + beta[c];

        ck_assert_double_eq_tol((double)y[k], relu ? fmax(0, v) : v, 1e-4);
    }
    session_free(s);
}

static void begin_written(const char *nodes, int opset, int rank, enum side place)
{
    const char *const shape = rank == 2 ? "N,3" : place == LAST ? "N,2,4,3" : "N,3,2,4";
    char text[3000];

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": %d]>\ng (float[%s] x) => (float[%s] y) <" CONSTANTS ">\n{ %s }",
             opset, shape, shape, nodes);
    begin(text);
    begin_data(SAMPLES, rank,
               rank == 2       ? (const int64_t[]){ 3 }
               : place == LAST ? (const int64_t[]){ 2, 4, 3 }
                               : (const int64_t[]){ 3, 2, 4 });
    t.options.inference = true;
}

START_TEST(layers_that_were_written_out_are_found)
{
    static const double ones[] = { 1, 1, 1 }, zeros[] = { 0, 0, 0 };
    const double *gamma = written[_i].no_gamma ? ones : gammas, *beta = written[_i].no_beta ? zeros : betas;
    const int64_t inner = written[_i].rank == 4 && written[_i].place == FIRST ? 8 : 1,
                  outer = written[_i].rank == 4 && written[_i].place == LAST ? 8 : 1;
    struct plain want;
    double *x;

    begin_written(written[_i].nodes, written[_i].opset, written[_i].rank, written[_i].place);
    x = as_doubles(SAMPLES * outer * inner * CHANNELS);
    plain_update(x, SAMPLES, outer, inner, gamma, beta, .001, &want);
    expect_ok(adapted());
    ck_assert_int_eq(nodes_of(t.adapt.model, &op_batch_normalization), 1);
    ck_assert_uint_eq(t.adapt.model->graph->node_count, (size_t)written[_i].left + 1);
    ck_assert(!trains(nth_node(t.adapt.model, &op_batch_normalization, 0)));
    expect_channels(input_of(0, SCALE), gamma, 0);
    expect_channels(input_of(0, BIAS), beta, 0);
    expect_channels(input_of(0, MEAN), want.mean, 1e-5);
    expect_channels(input_of(0, VARIANCE), want.variance, 1e-5);
    expect_inference(outer, inner, gamma, beta, &want, nodes_of(t.file, &op_relu) > 0);
    ck_assert_int_eq(found("written out")->certainty, LIKELY);
    ck_assert_int_eq(strstr(found("written out")->unknown, "gamma") != NULL, written[_i].no_gamma);
    ck_assert_int_eq(strstr(found("written out")->unknown, "beta") != NULL, written[_i].no_beta);
    ck_assert_uint_eq(t.out.normalizations, 1);
    end();
}
END_TEST

#define MOMENTS(x, m, d, v)                                                                                            \
    m " = ReduceMean <axes = [0]> (" x ") " d " = Sub (" x ", " m ") q" m " = Mul (" d ", " d ") " v                   \
      " = ReduceMean <axes = [0]> (q" m ") "
#define NORMALISED(x, n)                                                                                               \
    MOMENTS(x, "m" n, "d" n, "v" n) "w" n " = Add (v" n ", e) r" n " = Sqrt (w" n ") " n " = Div (d" n ", r" n ") "

static const char *const others[] = {
    /* LayerNormalization, InstanceNormalization, and what has only a part of it */
    "m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [-1]> (q) w = Add (v, e)\n"
    "r = Sqrt (w) n = Div (d, r) g = Mul (n, s) y = Add (g, b)",
    "m = ReduceMean <axes = [0]> (x) y = Sub (x, m)",
    MOMENTS("x", "m", "d", "v") "w = Add (v, e) y = Div (d, w)",
    MOMENTS("x", "m", "d", "v") "w = Add (v, e) r = Sqrt (w) y = Div (x, r)",
    MOMENTS("x", "m", "d", "v") "w = Add (v, e) r = Sqrt (w) l = Add (m, one) f = Sub (x, l) y = Div (f, r)",
    /* another mean than that of the squares */
    "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, x) v = ReduceMean <axes = [0]> (q) w = Add (v, e)\n"
    "r = Sqrt (w) y = Div (d, r)",
    "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [1]> (q) w = Add (v, e)\n"
    "r = Sqrt (w) y = Div (d, r)",
    "m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0,1]> (q) w = Add (v, e)\n"
    "r = Sqrt (w) y = Div (d, r)",
    /* two results of the same statistics */
    MOMENTS("x", "m", "d", "v") "w = Add (v, e) r = Sqrt (w) f = Div (d, r) i = Reciprocal (r) h = Mul (d, i)\n"
                                "o = Relu (h) y = Add (o, f)",
    /* two epsilons */
    MOMENTS("x", "m", "d", "v") "w = Add (v, e) r = Sqrt (w) l = Add (v, one) k = Sqrt (l) i = Reciprocal (k)\n"
                                "f = Div (x, r) h = Mul (m, i) y = Sub (f, h)",
};

START_TEST(what_is_no_such_layer_stays)
{
    begin_written(others[_i], 15, 2, LAST);
    expect_ok(adapted());
    ck_assert_ptr_eq(t.adapt.model, t.file);
    ck_assert_uint_eq(t.out.findings.count, 0);
    end();
}
END_TEST

/* Positions, of which there are as many as channels. */
START_TEST(squares_are_averaged_over_what_values_are)
{
    char text[1000];

    for (int same = 0; same < 2; same++) {
        snprintf(
            text, sizeof text,
            "<ir_version: 8, opset_import: [\"\": 15]>\n"
            "g (float[N,3,3] x) => (float[N,3,3] y) <float e = {0.001}, int64[3] stat = {1,3,1}>\n"
            "{ m = ReduceMean <axes = [0,2]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0,%d]> (q)\n"
            "u = Reshape (v, stat) w = Add (u, e) r = Sqrt (w) y = Div (d, r) }",
            same ? 2 : 1);
        begin(text);
        begin_data(SAMPLES, 3, (const int64_t[]){ 3, 3 });
        t.options.inference = true;
        expect_ok(adapted());
        ck_assert_int_eq(nodes_of(t.adapt.model, &op_batch_normalization), same);
        end();
    }
}
END_TEST

/* Two runs of it differ, so that what was written out and what takes its place cannot be held against each other. */
START_TEST(a_network_that_stays_random_draws_the_same)
{
    begin_written(NORMALISED("x", "n") "u = RandomUniformLike <dtype = 1> (n) y = Add (n, u)", 15, 2, LAST);
    expect_ok(adapted());
    ck_assert_int_eq(nodes_of(t.adapt.model, &op_batch_normalization), 1);
    ck_assert_int_eq(found("random numbers")->certainty, DOUBTFUL);
    end();
}
END_TEST

/* gamma and beta are the first factor and the first summand; what follows is the next layer's. */
START_TEST(the_next_layer_is_not_taken_into_it)
{
    static const struct {
        const char *nodes;
        int left;
        bool no_beta;
    } rows[] = {
        { NORMALISED("x", "n") "g = Mul (n, s) h = Add (g, b) k = Mul (h, s) y = Add (k, b)", 2, false },
        { NORMALISED("x", "n") "g = Mul (n, s) h = Add (g, b) y = Add (h, b)", 1, false },
        { NORMALISED("x", "n") "g = Mul (n, s) y = Mul (g, s)", 1, true },
        { NORMALISED("x", "n") "g = Mul (n, s) h = Add (b, g) y = Sub (b, h)", 1, false },
        /* two that read it */
        { NORMALISED("x", "n") "g = Mul (n, s) h = Relu (g) k = Add (g, b) y = Add (h, k)", 3, true },
    };

    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        static const double zeros[] = { 0, 0, 0 };

        begin_written(rows[k].nodes, 15, 2, LAST);
        expect_ok(adapted());
        ck_assert_int_eq(nodes_of(t.adapt.model, &op_batch_normalization), 1);
        ck_assert_uint_eq(t.adapt.model->graph->node_count, (size_t)rows[k].left + 1);
        expect_channels(input_of(0, SCALE), gammas, 0);
        expect_channels(input_of(0, BIAS), rows[k].no_beta ? zeros : betas, 0);
        end();
    }
}
END_TEST

/* The second one normalises what the first one gives, which several nodes read. */
START_TEST(two_in_a_row_are_two)
{
    struct plain first, second;
    double *x;

    begin_written(NORMALISED("x", "n") "g = Mul (n, s) h = Add (g, b) " NORMALISED("h", "k") "y = Mul (k, s)", 15, 2,
                  LAST);
    x = as_doubles(SAMPLES * CHANNELS);
    plain_update(x, SAMPLES, 1, 1, gammas, betas, .001, &first);
    plain_update(x, SAMPLES, 1, 1, gammas, betas, .001, &second);
    expect_ok(adapted());
    ck_assert_uint_eq(t.adapt.model->graph->node_count, 2);
    expect_channels(input_of(0, MEAN), first.mean, 1e-5);
    expect_channels(input_of(1, MEAN), second.mean, 1e-5);
    expect_channels(input_of(1, VARIANCE), second.variance, 1e-5);
    ck_assert_str_eq(t.out.changed, "2 BatchNormalization normalise by measured statistics");
    end();
}
END_TEST

/* As the last layer of a residual block begins. */
START_TEST(a_gamma_of_0_is_one)
{
    begin_written("m = ReduceMean <axes = [0]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [0]> (q)\n"
                  "w = Add (v, e) r = Sqrt (w) i = Reciprocal (r) g = Mul (i, none) f = Mul (x, g) l = Mul (m, g)\n"
                  "c = Sub (b, l) y = Add (f, c)",
                  15, 2, LAST);
    expect_ok(adapted());
    expect_channels(input_of(0, SCALE), (const double[]){ 0, 0, 0 }, 0);
    expect_channels(input_of(0, BIAS), betas, 0);
    end();
}
END_TEST

START_TEST(a_layer_has_the_name_that_the_exporter_left)
{
    begin_written(
        "\"net/bn/moments/mean\" = ReduceMean <axes = [0]> (x) d = Sub (x, \"net/bn/moments/mean\")\n"
        "q = Mul (d, d) v = ReduceMean <axes = [0]> (q) w = Add (v, e) r = Sqrt (w) n = Div (d, r) y = Mul (n, s)",
        15, 2, LAST);
    expect_ok(adapted());
    ck_assert_str_eq(found("written out")->name, "net/bn");
    ck_assert_str_eq(nth_node(t.adapt.model, &op_batch_normalization, 0)->in[SCALE]->name, "net/bn/gamma");
    ck_assert_ptr_null(graph_find(t.adapt.model->graph, "e")); /* what was read for it alone is gone */
    end();
}
END_TEST

/* -- Dropout -- */

#define DROPOUT_CONSTANTS                                                                                              \
    "float rate = {0.25}, float keep = {0.75}, float factor = {1.3333334}, float zero = {0}, float other = {1.5}, "    \
    "int64[2] noise = {1,3}, int64[2] order = {1,0}, float half = {0.5}, float[1,3] zeros = {0,0,0}, float[1,1,3] "    \
    "shape = {0,0,0}, float single = {1}"
#define UNIFORM    "k = Shape (x) l = ConstantOfShape (k) u = RandomUniformLike <dtype = 1> (l) "
#define UNIFORM_OF "u = RandomUniformLike <dtype = 1, seed = 0.0> (x) "

#define BERNOULLI(p, attributes)                                                                                       \
    "k = Shape (x) l = ConstantOfShape <value = float[1] {" p "}> (k) u = Bernoulli " attributes " (l) "

static const struct {
    const char *nodes;
    int opset;
    const char *why_not; /* NULL: it is Dropout of ratio 1/4 */
} dropouts[] = {
    /* tf2onnx, of Keras 2.15: a Where made of products and a sum */
    { UNIFORM "h = Mul (x, factor) g = GreaterOrEqual (u, rate) n = Not (g) c = Cast <to = 1> (n) o = Mul (zero, c)\n"
              "d = Cast <to = 1> (g) p = Mul (d, h) y = Add (p, o)",
      15, NULL },
    { UNIFORM "h = Mul (factor, x) v = Less (u, rate) g = Not (v) n = Not (g) c = Cast <to = 1> (n) o = Mul (zero, c)\n"
              "d = Cast <to = 1> (g) p = Mul (d, h) y = Add (o, p)",
      9, NULL },
    { UNIFORM_OF "g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d) y = Mul (p, factor)", 11, NULL },
    { UNIFORM_OF "g = Less (u, keep) d = Cast <to = 1> (g) p = Mul (x, d) y = Div (p, keep)", 13, NULL },
    { UNIFORM_OF "g = LessOrEqual (rate, u) d = Cast <to = 1> (g) e = Mul (d, factor) y = Mul (x, e)", 17, NULL },
    { UNIFORM_OF "g = Greater (keep, u) d = Cast <to = 1> (g) h = Div (x, keep) y = Mul (d, h)", 12, NULL },
    { UNIFORM_OF "g = GreaterOrEqual (u, rate) h = Mul (x, factor) y = Where (g, h, zero)", 15, NULL },
    { UNIFORM_OF "g = Less (u, rate) h = Mul (x, factor) y = Where (g, zeros, h)", 15, NULL },
    /* scaled before it is turned */
    { "h = Mul (x, factor) t = Transpose <perm = [1,0]> (h) k = Shape (x) o = Gather (k, order) l = ConstantOfShape "
      "(o)\n"
      "u = RandomUniformLike <dtype = 1> (l) g = GreaterOrEqual (u, rate) d = Cast <to = 1> (g) p = Mul (d, t)\n"
      "y = Transpose <perm = [1,0]> (p)",
      15, NULL },
    /* Bernoulli in the place of the comparison, as torch.bernoulli is written: of what stays, of what goes, in any type */
    { BERNOULLI("0.75", "") "p = Mul (x, u) y = Div (p, keep)", 15, NULL },
    { "k = Shape (x) l = Expand (keep, k) u = Bernoulli <dtype = 9> (l) h = Mul (x, factor) y = Where (u, h, zero)", 15,
      NULL },
    { BERNOULLI("0.25", "") "c = Cast <to = 9> (u) b = Cast <to = 9> (c) w = Where (b, zero, x) y = Div (w, keep)", 15,
      NULL },
    { BERNOULLI("0.25", "") "g = Greater (u, zero) h = Div (x, keep) l0 = ConstantOfShape (k) y = Where (g, l0, h)", 15,
      NULL },
    { BERNOULLI("0.25", "") "g = Equal (zero, u) h = Mul (x, factor) y = Where (g, h, zero)", 15, NULL },
    { BERNOULLI("0.25", "<dtype = 7>") "c = Cast <to = 1> (u) m = Sub (single, c) p = Mul (m, factor) y = Mul (x, p)",
      15, NULL },
    { BERNOULLI("0.75", "<dtype = 11>") "c = Cast <to = 1> (u) e = Mul (c, factor) y = Mul (e, x)", 22, NULL },
    { BERNOULLI("0.75", "") "s = Mul (u, factor) g = GreaterOrEqual (s, other) n = Not (g) h = Mul (x, factor)\n"
                            "y = Where (n, h, zero)",
      15, "not known" }, /* nothing is as large: all goes through */
    { "s = Sigmoid (x) u = Bernoulli (s) p = Mul (x, u) y = Mul (p, factor)", 15, "not known" },
    { BERNOULLI("1.0", "") "y = Mul (x, u)", 15, "not known" },
    { BERNOULLI("0.25", "") "m = Sub (single, u) y = Mul (x, u)", 15, "not known" },
    { "u = Multinomial <dtype = 7> (x) c = Cast <to = 1> (u) y = Add (x, c)", 15, "classes" },
    /* another scale; none; another mask than numbers; numbers of another shape, which no operator spreads; twice */
    { UNIFORM_OF "g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d) y = Mul (p, other)", 15, "not known" },
    { UNIFORM_OF "g = Greater (u, rate) d = Cast <to = 1> (g) y = Mul (x, d)", 15, "not known" },
    { UNIFORM_OF "y = Mul (x, u)", 15, "not known" },
    { "u = RandomUniformLike <dtype = 1, high = 2.0> (x) g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d)\n"
      "y = Mul (p, factor)",
      15, "not known" },
    { "u = RandomUniformLike <dtype = 1> (shape) g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d)\n"
      "q = Mul (p, factor) y = Squeeze <axes = [0]> (q)",
      11, "another shape" },
    { "u = RandomUniformLike <dtype = 1> (zeros) g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d)\n"
      "y = Mul (p, factor)",
      7, "opset 8" },
    { UNIFORM_OF "g = Greater (u, rate) d = Cast <to = 1> (g) e = Mul (d, factor) a = Mul (x, e) b = Neg (x)\n"
                 "c = Mul (b, e) y = Add (a, c)",
      15, "several times" },
    /* what is scaled is read by others, too: then the product may be something else */
    { UNIFORM_OF "h = Mul (x, factor) g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (h, d) y = Add (p, h)", 15,
      "not known" },
    /* AlphaDropout: what is dropped becomes another number */
    { UNIFORM_OF "g = Greater (u, rate) y = Where (g, x, other)", 15, "not known" },
};

static void begin_dropout(const char *nodes, int opset)
{
    char text[2000];

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": %d]>\ng (float[N,3] x) => (float[N,3] y) <" DROPOUT_CONSTANTS
             ">\n{ %s }",
             opset, nodes);
    begin(text);
    begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
}

/* All goes through. */
static void expect_input(void)
{
    struct session *s;
    const struct tensor *out = run_on_data(t.adapt.model, &s);
    const float *y = out->data;

    for (int64_t k = 0; k < tensor_count(out); k++)
        ck_assert_float_eq(y[k], t.x[k]);
    session_free(s);
}

/* In inference all goes through; in training, a quarter is dropped and the rest scaled, which a node says by its ratio. */
static void expect_dropout(void)
{
    const struct node *n = nth_node(t.adapt.model, &op_dropout, 0);

    expect_input();
    if (t.adapt.model->graph->opset < 12)
        ck_assert_float_eq(*(const float *)n->attrs, .25F); /* struct dropout begins with it */
    else
        ck_assert_float_eq(*(const float *)n->in[1]->initializer->data, .25F);
}

START_TEST(dropout_that_was_written_out_is_found)
{
    begin_dropout(dropouts[_i].nodes, dropouts[_i].opset);
    expect_ok(adapted());
    ck_assert_uint_eq(t.out.findings.count, 1);
    if (dropouts[_i].why_not) {
        ck_assert_ptr_eq(t.adapt.model, t.file);
        ck_assert_ptr_nonnull(strstr(t.out.findings.at[0].evidence, dropouts[_i].why_not));
        ck_assert_int_eq(t.out.findings.at[0].certainty, DOUBTFUL);
    } else {
        ck_assert_int_eq(nodes_of(t.adapt.model, &op_dropout), 1);
        ck_assert_int_eq(nodes_of(t.adapt.model, &op_transpose), nodes_of(t.file, &op_transpose));
        ck_assert_uint_eq(t.adapt.model->graph->node_count, 1 + (size_t)nodes_of(t.file, &op_transpose));
        expect_dropout();
        ck_assert_str_eq(t.out.changed, "1 Dropout no longer drops in inference");
        ck_assert_ptr_eq(t.adapt.reference, t.adapt.model);
        ck_assert_int_eq(t.out.findings.at[0].certainty, LIKELY);
    }
    end();
}
END_TEST

/* What drops the same of several values: keras.layers.SpatialDropout2D, noise_shape, torchvision.ops.StochasticDepth by
 * samples and by the batch. */
static const struct {
    const char *type, *noise, *nodes;
    int opset, rank;
} spread[] = {
    { "N,3,2,4", "k = Shape (x) a = Slice (k, from, two) c = Concat <axis = 0> (a, ones) l = ConstantOfShape (c)",
      "g = GreaterOrEqual (u, rate) h = Mul (x, factor) d = Cast <to = 1> (g) y = Mul (h, d)", 15, 4 },
    { "N,3,2,4", "k = Shape (x) a = Slice (k, from, one) c = Concat <axis = 0> (a, one, ones) l = ConstantOfShape (c)",
      "g = Less (u, keep) d = Cast <to = 1> (g) e = Div (d, keep) y = Mul (x, e)", 18, 4 },
    { "N,3,2,4", "k = Constant <value = int64[4] {1,1,1,1}> () l = Expand (zero, k)",
      "g = Less (u, keep) d = Cast <to = 1> (g) e = Div (d, keep) y = Mul (x, e)", 11, 4 },
    { "N,3", "l = ConstantOfShape (noise)",
      "g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d) y = Mul (p, factor)", 15, 2 },
    { "N,3", "l = Identity (row)", "g = GreaterOrEqual (u, rate) h = Mul (x, factor) y = Where (g, h, zero)", 15, 2 },
};

START_TEST(dropout_of_several_values_is_found)
{
    char text[2000];
    const struct node *n, *y;
    const char *like;

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": %d]>\ng (float[%s] x) => (float[%s] y) <" DROPOUT_CONSTANTS
             ", int64[1] from = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[2] ones = {1,1}, float[3] row = "
             "{0,0,0}>\n{ %s u = RandomUniformLike <dtype = 1> (l) %s }",
             spread[_i].opset, spread[_i].type, spread[_i].type, spread[_i].noise, spread[_i].nodes);
    begin(text);
    begin_data(SAMPLES / 8, spread[_i].rank, (const int64_t[]){ CHANNELS, 2, 4 });
    like = nth_node(t.file, &op_random_uniform_like, 0)->in[0]->name;
    expect_ok(adapted());
    ck_assert_ptr_null(found("random numbers"));
    ck_assert_int_eq(nodes_of(t.adapt.model, &op_random_uniform_like), 0);
    n = nth_node(t.adapt.model, &op_dropout, 0);
    ck_assert_ptr_eq(n->in[0]->producer->op, &op_expand);
    ck_assert_str_eq(n->in[0]->producer->in[1]->producer->in[0]->name, like); /* of its shape */
    y = t.adapt.model->graph->outputs[0]->producer;
    ck_assert_str_eq(y->in[0]->name, "x");
    ck_assert_ptr_eq(y->in[1], n->out[0]);
    expect_dropout();
    end();
}
END_TEST

START_TEST(dropout_in_training_mode_is_put_in_inference_form)
{
    begin("<ir_version: 8, opset_import: [\"\": 15]>\n"
          "g (float[N,3] x, bool z) => (float[N,3] y) <float q = {0.25}, bool no = {0}>\n"
          "{ on = Constant <value = bool {1}> () a, mask = Dropout (x, q, on) b = Dropout (a, q, no) c = Dropout (b, "
          "q, on)\n"
          "d = Dropout (c, q, z) y = Identity (d) }");
    expect_ok(adapted());
    ck_assert_str_eq(t.out.changed, "2 Dropout no longer drop in inference");
    ck_assert_uint_eq(t.out.findings.count, 2);
    for (int k = 0; k < 4; k++) {
        const struct node *n = nth_node(t.adapt.model, &op_dropout, k);

        ck_assert_str_eq(n->in[1]->name, "q");
        ck_assert_int_eq(n->in[2] != NULL, k % 2); /* who chooses goes on choosing */
    }
    end();
}
END_TEST

/* -- afterwards -- */

/* y is learned; dropped and normalised on the way, by what is measured first. */
START_TEST(what_comes_out_trains)
{
    const struct target_options target = { .form = TARGETS_VALUES };
    const struct trainer_options o = {
        .optimizer = "sgd:learning_rate=0.05", .threads = 1, .targets = 1, .target = &target
    };
    const struct fit_options f = { .batch = 32, .epochs = 3 };
    double before[ALL_MEASURES], after[ALL_MEASURES];
    struct trainer *trainer;
    int64_t ran;

    begin("<ir_version: 8, opset_import: [\"\": 15]>\n"
          "g (float[N,3] x) => (float[N,1] y) <" CONSTANTS ", float rate = {0.25}, float factor = {1.3333334},\n"
          "float[3,1] k = {2,-1,3}>\n"
          "{ " NORMALISED("x", "n") "g = Mul (n, s) h = Add (g, b) u = RandomUniformLike <dtype = 1> (h)\n"
                                    "l = GreaterOrEqual (u, rate) c = Cast <to = 1> (l) f = Mul (h, factor) p = Mul "
                                    "(f, c) y = MatMul (p, k) }");
    begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
    t.options.inference = true;
    expect_ok(adapted());
    ck_assert_uint_eq(t.adapt.model->graph->node_count, 3);
    trainer = trainer_new(t.adapt.model, &o, &report);
    expect_ok(trainer);
    ck_assert_int_eq((int)trainer->trainable, 3); /* gamma, beta and the weight; mean and variance are statistics */
    ck_assert_int_eq((int)trainer->state_count, 5);
    expect_ok(trainer_evaluate(trainer, &t.data, NULL, 64, before, &report));
    expect_ok(trainer_fit(trainer, &t.data, NULL, NULL, &f, NULL, &ran, &report));
    expect_ok(trainer_evaluate(trainer, &t.data, NULL, 64, after, &report));
    ck_assert_double_lt(after[0], before[0] / 2);
    trainer_free(trainer);
    end();
}
END_TEST

/* Whatever the memory that there is, of the step's own or for models: an error, and nothing left behind. */
START_TEST(memory_may_run_out_anywhere)
{
    bool ok = false;

    for (size_t more = 0; !ok; more += 2048) {
        begin_written(NORMALISED("x", "n") "g = Mul (n, s) h = Add (g, b) u = RandomUniformLike <dtype = 1> (h)\n"
                                           "l = Less (u, half) c = Cast <to = 1> (l) f = Mul (h, two) y = Mul (f, c)",
                      15, 2, LAST);
        *(_i ? &t.file->budget.limit : &budget.limit) = (_i ? t.file->budget.used : budget.used) + more;
        ok = adapted();
        budget.limit = 0;
        ck_assert(ok || failed(&report));
        report = (struct report){ 0 };
        end();
        ck_assert_uint_lt(more, 100 << 20);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_written");

    add_tests(s, layers_that_were_written_out_are_found, sizeof written / sizeof *written);
    add_tests(s, what_is_no_such_layer_stays, sizeof others / sizeof *others);
    add_test(s, squares_are_averaged_over_what_values_are);
    add_test(s, a_network_that_stays_random_draws_the_same);
    add_test(s, the_next_layer_is_not_taken_into_it);
    add_test(s, two_in_a_row_are_two);
    add_test(s, a_gamma_of_0_is_one);
    add_test(s, a_layer_has_the_name_that_the_exporter_left);
    add_tests(s, dropout_that_was_written_out_is_found, sizeof dropouts / sizeof *dropouts);
    add_tests(s, dropout_of_several_values_is_found, sizeof spread / sizeof *spread);
    add_test(s, dropout_in_training_mode_is_put_in_inference_form);
    add_test(s, what_comes_out_trains);
    add_tests(s, memory_may_run_out_anywhere, 2);
    return s;
}
