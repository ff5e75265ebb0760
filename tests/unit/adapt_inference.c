/* BatchNormalization and Dropout that were left in training mode: which of them are found, and what is made of them. */
#include "adapt/step.h"
#include "learning.h"
#include "ops/batch_normalization.h"
#include "ops/registry.h"
#include "run/session.h"
#include "scratch.h"
#include <math.h>

enum { SAMPLES = 150, BATCH = 64, CHANNELS = 3, MOST_INNER = 8 }; /* the last batch has 22 */

/* -- the step alone -- */

static struct {
    struct arena arena;
    struct model *file;
    struct two_columns columns;
    struct dataset data;
    struct adapt_options options;
    struct adapted out;
    struct adapt adapt;
    float x[SAMPLES * CHANNELS * MOST_INNER];
} t;

static struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

/* Numbers far from 0, other ones for each channel, so that what is computed wrong shows. */
static void begin_data(int64_t samples, int rank, const int64_t *sample_dims)
{
    struct tensor x, y;
    static float zeros[SAMPLES];
    int64_t dims[MAX_RANK] = { samples };

    memcpy(dims + 1, sample_dims, (size_t)(rank - 1) * sizeof *dims);
    ck_assert(tensor_shape(&x, F32, rank, dims));
    ck_assert_int_le(tensor_count(&x), (int64_t)(sizeof t.x / sizeof *t.x));
    for (int64_t k = 0; k < tensor_count(&x); k++)
        t.x[k] = (float)(sin((double)k * .7) * (1 + (double)(k % 5)) + (double)(k % 3) + .01 * (double)(k / 90));
    ck_assert(tensor_shape(&y, F32, 1, dims));
    x.data = t.x;
    y.data = zeros;
    t.data = dataset_of(&t.columns, &x, &y, 0, &budget);
    t.options.data = &t.data;
}

static void begin(const char *text)
{
    memset(&t, 0, sizeof t);
    t.arena.budget = &budget;
    t.options.threads = 1;
    t.file = model_of(text);
}

static bool adapted(void)
{
    t.out = (struct adapted){ .findings.arena = &t.arena };
    t.adapt =
        (struct adapt){ .options = &t.options,
                        .model = t.file,
                        .reference = t.file,
                        .calibration = { .data = &t.data, .threads = 1 }, /* random numbers, where there are none */
                        .out = &t.out,
                        .arena = &t.arena,
                        .report = &report };
    return adapt_inference(&t.adapt);
}

static void end(void)
{
    for (size_t k = 0; k < t.adapt.made_count; k++)
        model_free(t.adapt.made[k]);
    model_free(t.file);
    arena_release(&t.arena);
    ck_assert_uint_eq(budget.used, 0);
}

static int nodes_of(const struct model *m, const struct op *op)
{
    int count = 0;

    for (size_t k = 0; k < m->graph->node_count; k++)
        count += node_is(m->graph->nodes[k], op);
    return count;
}

static const struct node *nth_node(const struct model *m, const struct op *op, int number)
{
    for (size_t k = 0; k < m->graph->node_count; k++)
        if (node_is(m->graph->nodes[k], op) && !number--)
            return m->graph->nodes[k];
    ck_abort_msg("there is no such %s", op->name);
}

static bool trains(const struct node *n)
{
    return ((const struct batch_norm *)n->attrs)->training;
}

/* Input k of the BatchNormalization of that number, a constant. */
static const float *input_of(int number, int k)
{
    const struct node *n = nth_node(t.adapt.model, &op_batch_normalization, number);

    ck_assert_ptr_nonnull(n->in[k]->initializer);
    ck_assert_int_eq(n->in[k]->initializer->dtype, F32);
    return n->in[k]->initializer->data;
}

enum { SCALE = 1, BIAS, MEAN, VARIANCE };

static void expect_channels(const float *got, const double *want, double tolerance)
{
    for (int c = 0; c < CHANNELS; c++)
        ck_assert_msg(fabs((double)got[c] - want[c]) <= tolerance * fmax(1, fabs(want[c])), "channel %d: %g, want %g",
                      c, (double)got[c], want[c]);
}

static const struct finding *found(const char *part)
{
    for (size_t k = 0; k < t.out.findings.count; k++)
        if (strstr(t.out.findings.at[k].found, part))
            return &t.out.findings.at[k];
    return NULL;
}

/* -- update_bn, as one would write it -- */

struct plain {
    double mean[CHANNELS], variance[CHANNELS];
};

/* x is [samples, outer, CHANNELS, inner] and becomes what the layer makes of it in training, batch by batch. */
static void plain_update(double *x, int64_t samples, int64_t outer, int64_t inner, const double *gamma,
                         const double *beta, double epsilon, struct plain *out)
{
    const int64_t size = outer * CHANNELS * inner;
    int batches = 0;

    *out = (struct plain){ 0 };
    for (int64_t from = 0; from < samples; from += BATCH, batches++)
        for (int c = 0; c < CHANNELS; c++) {
            const int64_t to = from + BATCH < samples ? from + BATCH : samples, n = (to - from) * outer * inner;
            double sum = 0, squares = 0;

            for (int pass = 0; pass < 3; pass++)
                for (int64_t k = from * outer; k < to * outer; k++)
                    for (int64_t i = 0; i < inner; i++) {
                        double *v = &x[(k * CHANNELS + c) * inner + i];

                        if (pass == 0)
                            sum += *v;
                        else if (pass == 1)
                            squares += (*v - sum / (double)n) * (*v - sum / (double)n);
                        else
                            *v = (*v - sum / (double)n) / sqrt(squares / (double)n + epsilon) * gamma[c] + beta[c];
                    }
            out->mean[c] += sum / (double)n;
            out->variance[c] += squares / (double)n;
        }
    ck_assert_int_ge(size, 1);
    for (int c = 0; c < CHANNELS; c++) {
        out->mean[c] /= batches;
        out->variance[c] /= batches;
    }
}

static double *as_doubles(int64_t count)
{
    double *x = arena_array(&t.arena, (size_t)count, sizeof *x, &report);

    ck_assert_ptr_nonnull(x);
    for (int64_t k = 0; k < count; k++)
        x[k] = (double)t.x[k];
    return x;
}

static const double gammas[CHANNELS] = { 1, 2, .5 }, betas[CHANNELS] = { .25, -1, 2 };

/* -- nodes in training form -- */

#define LAYER_INPUTS "s = {1,2,0.5}, float[3] b = {0.25,-1,2}, float[3] m = {9,9,9}, float[3] v = {4,4,4}"

static const struct {
    int opset, rank;
    int64_t dims[4]; /* of a sample */
    const char *shape, *attributes, *outputs[2];
} forms[] = {
    { 9, 4, { 3, 2, 4 }, "N,3,2,4", "", { ", m1, v1, m2, v2", ", m3, v3, m4, v4" } }, /* all that opset 9 has */
    { 9, 2, { 3 }, "N,3", "", { ", m1", ", m3, v3" } },
    { 14, 4, { 3, 2, 4 }, "N,3,2,4", ", training_mode = 1", { ", m1, v1", ", m3, v3" } },
    { 15, 2, { 3 }, "N,3", ", training_mode = 1", { ", m1, v1", ", m3, v3" } },
    { 15, 3, { 3, 8 }, "N,3,8", ", training_mode = 1", { ", m1, v1", ", m3, v3" } },
    { 15, 5, { 3, 2, 2, 2 }, "N,3,2,2,2", ", training_mode = 1", { ", m1, v1", ", m3, v3" } },
};

/* Relu between them, so that what the second one sees depends on how the first one normalises. */
static void begin_two(int form)
{
    char text[1000];

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": %d]>\n"
             "g (float[%s] x) => (float[%s] y) <float[3] " LAYER_INPUTS
             ", float[3] n = {8,8,8}, float[3] w = {5,5,5}>\n"
             "{ h%s = BatchNormalization <epsilon = 0.001%s> (x, s, b, m, v) r = Relu (h)\n"
             "y%s = BatchNormalization <epsilon = 0.01%s> (r, s, b, n, w) }",
             forms[form].opset, forms[form].shape, forms[form].shape, forms[form].outputs[0], forms[form].attributes,
             forms[form].outputs[1], forms[form].attributes);
    begin(text);
    begin_data(SAMPLES, forms[form].rank, forms[form].dims);
}

START_TEST(statistics_are_those_of_update_bn)
{
    struct plain first, second;
    int64_t inner;
    double *x;

    begin_two(_i);
    inner = dims_product(forms[_i].dims, 1, forms[_i].rank - 1);
    x = as_doubles(SAMPLES * CHANNELS * inner);
    plain_update(x, SAMPLES, 1, inner, gammas, betas, .001, &first);
    for (int64_t k = 0; k < SAMPLES * CHANNELS * inner; k++)
        x[k] = fmax(0, x[k]);
    plain_update(x, SAMPLES, 1, inner, gammas, betas, .01, &second);
    t.options.inference = true;
    expect_ok(adapted());
    ck_assert_int_eq(nodes_of(t.adapt.model, &op_batch_normalization), 2);
    for (int k = 0; k < 2; k++) {
        ck_assert(!trains(nth_node(t.adapt.model, &op_batch_normalization, k)));
        ck_assert(trains(nth_node(t.file, &op_batch_normalization, k)));
        expect_channels(input_of(k, MEAN), (k ? &second : &first)->mean, 1e-5);
        expect_channels(input_of(k, VARIANCE), (k ? &second : &first)->variance, 1e-5);
        expect_channels(input_of(k, SCALE), gammas, 0);
    }
    ck_assert_str_eq(nth_node(t.adapt.model, &op_batch_normalization, 1)->in[MEAN]->name, "n"); /* in its place */
    ck_assert_float_eq(*(const float *)graph_find(t.file->graph, "m")->initializer->data, 9);
    ck_assert_str_eq(t.out.changed, "2 BatchNormalization normalise by measured statistics");
    ck_assert_ptr_eq(t.adapt.reference, t.adapt.model);
    ck_assert_ptr_null(t.adapt.roles);
    end();
}
END_TEST

START_TEST(it_is_told_where_nothing_is_asked_for)
{
    begin_two(3);
    expect_ok(adapted());
    ck_assert_ptr_eq(t.adapt.model, t.file);
    ck_assert_uint_eq(t.out.findings.count, 2);
    ck_assert_ptr_nonnull(strstr(found("BatchNormalization in training mode")->done, "--inference --calibrate"));
    ck_assert_ptr_null(t.out.changed);
    end();
}
END_TEST

START_TEST(a_file_in_inference_form_stays_as_it_is)
{
    begin("<ir_version: 8, opset_import: [\"\": 15]>\n"
          "g (float[N,3] x) => (float[N,3] y) <float[3] " LAYER_INPUTS ">\n"
          "{ d = Dropout (x) y = BatchNormalization (d, s, b, m, v) }");
    begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
    t.options.inference = true;
    expect_ok(adapted());
    ck_assert_ptr_eq(t.adapt.model, t.file);
    ck_assert_uint_eq(t.out.findings.count, 0);
    ck_assert_ptr_null(t.adapt.roles); /* none is frozen beside others */
    end();
}
END_TEST

START_TEST(without_data_nothing_can_be_measured)
{
    begin_two(3);
    t.options.inference = true;
    t.options.data = NULL;
    ck_assert(!adapted());
    expect_error(KILN_BAD_ARGUMENT, "2 BatchNormalization are in training mode: there must be data");
    end();
    begin("<ir_version: 8, opset_import: [\"\": 15]>\ng (float[N,3] x) => (float[N,3] y) { y = Relu (x) }");
    t.options.inference = true;
    expect_ok(adapted()); /* where there is nothing to measure none is needed */
    ck_assert_ptr_eq(t.adapt.model, t.file);
    end();
}
END_TEST

#define TRAINING_LAYER(x, y, stats)                                                                                    \
    y " = BatchNormalization <epsilon = 0.001, training_mode = 1> (" x ", s, b, " stats ")"

/* A batch of one sample has no variance. */
START_TEST(a_batch_of_one_sample_is_left_out)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 15]>\n"
                               "g (float[N,3] x) => (float[N,3] y) <float[3] " LAYER_INPUTS ">\n"
                               "{ " TRAINING_LAYER("x", "y, m1, v1", "m, v") " }";
    struct plain want;
    double *x;

    begin(text);
    begin_data(BATCH + 1, 2, (const int64_t[]){ CHANNELS });
    t.options.inference = true;
    x = as_doubles(BATCH * CHANNELS);
    plain_update(x, BATCH, 1, 1, gammas, betas, .001, &want);
    expect_ok(adapted());
    expect_channels(input_of(0, MEAN), want.mean, 1e-5);
    expect_channels(input_of(0, VARIANCE), want.variance, 1e-5);
    end();
    begin(text);
    begin_data(1, 2, (const int64_t[]){ CHANNELS });
    t.options.inference = true;
    ck_assert(!adapted());
    expect_error(KILN_BAD_DATA, "at least 2 samples");
    end();
}
END_TEST

/* The second one has been frozen, and reads what the first one trains. */
START_TEST(a_frozen_layer_stays_as_it_is)
{
    const struct role_choice *role;
    struct plain want;
    double *x;

    begin("<ir_version: 8, opset_import: [\"\": 15]>\n"
          "g (float[N,3] x) => (float[N,3] y) <float[3] " LAYER_INPUTS ", float[3] t = {2,2,2}>\n"
          "{ " TRAINING_LAYER("x", "h, m1, v1", "m, v") " y = BatchNormalization (h, t, b, m, v) }");
    begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
    t.options.inference = true;
    x = as_doubles(SAMPLES * CHANNELS);
    plain_update(x, SAMPLES, 1, 1, gammas, betas, .001, &want);
    expect_ok(adapted());
    expect_channels(input_of(0, MEAN), want.mean, 1e-5);
    expect_channels(input_of(0, VARIANCE), want.variance, 1e-5);
    expect_channels(input_of(1, MEAN), (const double[]){ 9, 9, 9 }, 0);
    expect_channels(input_of(1, VARIANCE), (const double[]){ 4, 4, 4 }, 0);
    role = t.adapt.roles;
    for (int k = 4; k-- > 0; role = role->next) { /* the latest first */
        ck_assert_ptr_nonnull(role);
        ck_assert_str_eq(role->name, ((const char *const[]){ "t", "b", "m", "v" })[k]);
        ck_assert_int_eq(role->role, ROLE_FROZEN);
    }
    ck_assert_ptr_null(role);
    ck_assert_ptr_nonnull(found("frozen"));
    ck_assert_str_eq(t.out.changed, "1 BatchNormalization normalises by measured statistics");
    end();
}
END_TEST

/* One layer, used twice, has one mean in PyTorch; what an exporter has merged of layers that were never trained is no
 * such layer. */
START_TEST(a_layer_that_is_used_twice_has_the_mean_of_both)
{
    char text[1000];
    struct plain first, second;
    double *x;

    for (int fresh = 0; fresh < 2; fresh++) {
        snprintf(
            text, sizeof text,
            "<ir_version: 8, opset_import: [\"\": 15]>\n"
            "g (float[N,3] x) => (float[N,3] y) <float[3] s = {1,2,0.5}, float[3] b = {0.25,-1,2}, float[3] m = %s, "
            "float[3] v = {1,1,1}>\n"
            "{ " TRAINING_LAYER("x", "h, m1, v1", "m, v") " " TRAINING_LAYER("h", "y, m2, v2", "m, v") " }",
            fresh ? "{0,0,0}" : "{0,0,1}");
        begin(text);
        begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
        t.options.inference = true;
        x = as_doubles(SAMPLES * CHANNELS);
        plain_update(x, SAMPLES, 1, 1, gammas, betas, .001, &first);
        plain_update(x, SAMPLES, 1, 1, gammas, betas, .001, &second);
        for (int c = 0; c < CHANNELS && !fresh; c++) {
            first.mean[c] = second.mean[c] = (first.mean[c] + second.mean[c]) / 2;
            first.variance[c] = second.variance[c] = (first.variance[c] + second.variance[c]) / 2;
        }
        expect_ok(adapted());
        expect_channels(input_of(0, MEAN), first.mean, 1e-5);
        expect_channels(input_of(0, VARIANCE), first.variance, 1e-5);
        expect_channels(input_of(1, MEAN), second.mean, 1e-5);
        expect_channels(input_of(1, VARIANCE), second.variance, 1e-5);
        ck_assert_int_eq(input_of(0, MEAN) == input_of(1, MEAN), !fresh);
        end();
    }
}
END_TEST

/* What the second layer sees is dropped in training: of ones half become 2, with a variance of 1. Each batch draws anew. */
START_TEST(dropout_drops_while_statistics_are_measured)
{
    double mean[2];

    for (int k = 0; k < 2; k++) {
        begin("<ir_version: 8, opset_import: [\"\": 15]>\n"
              "g (float[N,3] x) => (float[N,3] y) <float[3] " LAYER_INPUTS ", float zero = {0}, float one = {1}>\n"
              "{ z = Mul (x, zero) o = Add (z, one) d = Dropout (o) " TRAINING_LAYER("d", "y, m1, v1", "m, v") " }");
        begin_data(k ? 2 * BATCH : BATCH, 2, (const int64_t[]){ CHANNELS });
        t.options.inference = true;
        expect_ok(adapted());
        expect_channels(input_of(0, MEAN), (const double[]){ 1, 1, 1 }, .4);
        expect_channels(input_of(0, VARIANCE), (const double[]){ 1, 1, 1 }, .4);
        ck_assert_ptr_null(t.adapt.model->graph->nodes[2]->in[2]); /* and is as it was */
        mean[k] = (double)input_of(0, MEAN)[0];
        end();
    }
    ck_assert_double_ne(mean[0], mean[1]);
}
END_TEST

START_TEST(what_else_is_read_has_no_inference_form)
{
    begin("<ir_version: 8, opset_import: [\"\": 15]>\n"
          "g (float[N,3] x) => (float[N,3] y, float[3] m1) <float[3] " LAYER_INPUTS ">\n"
          "{ " TRAINING_LAYER("x", "y, m1, v1", "m, v") " }");
    begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
    t.options.inference = true;
    ck_assert(!adapted());
    expect_error(KILN_UNSUPPORTED, "there is no inference form of that");
    end();
}
END_TEST

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
    ck_assert_ptr_nonnull(found("written out")->unknown);
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
START_TEST(a_network_that_stays_random_is_not_compared)
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
    "int64[2] noise = {1,3}, int64[2] order = {1,0}, float half = {0.5}, float[1,3] zeros = {0,0,0}"
#define UNIFORM    "k = Shape (x) l = ConstantOfShape (k) u = RandomUniformLike <dtype = 1> (l) "
#define UNIFORM_OF "u = RandomUniformLike <dtype = 1, seed = 0.0> (x) "

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
    /* another scale; none; another mask than numbers; SpatialDropout; twice */
    { UNIFORM_OF "g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d) y = Mul (p, other)", 15, "not known" },
    { UNIFORM_OF "g = Greater (u, rate) d = Cast <to = 1> (g) y = Mul (x, d)", 15, "not known" },
    { UNIFORM_OF "y = Mul (x, u)", 15, "not known" },
    { "u = RandomUniformLike <dtype = 1, high = 2.0> (x) g = Greater (u, rate) d = Cast <to = 1> (g) p = Mul (x, d)\n"
      "y = Mul (p, factor)",
      15, "not known" },
    { "l = ConstantOfShape (noise) u = RandomUniformLike <dtype = 1> (l) g = Greater (u, rate) d = Cast <to = 1> (g)\n"
      "p = Mul (x, d) y = Mul (p, factor)",
      15, "noise_shape" },
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

/* In inference all goes through; in training, a quarter is dropped and the rest scaled, which a node says by its ratio. */
static void expect_dropout(void)
{
    const struct node *n = nth_node(t.adapt.model, &op_dropout, 0);
    struct session *s;
    const float *y = run_on_data(t.adapt.model, &s)->data;

    for (int k = 0; k < SAMPLES * CHANNELS; k++)
        ck_assert_float_eq(y[k], t.x[k]);
    session_free(s);
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
    Suite *s = suite_create("adapt_inference");

    add_tests(s, statistics_are_those_of_update_bn, sizeof forms / sizeof *forms);
    add_test(s, it_is_told_where_nothing_is_asked_for);
    add_test(s, a_file_in_inference_form_stays_as_it_is);
    add_test(s, without_data_nothing_can_be_measured);
    add_test(s, a_batch_of_one_sample_is_left_out);
    add_test(s, a_frozen_layer_stays_as_it_is);
    add_test(s, a_layer_that_is_used_twice_has_the_mean_of_both);
    add_test(s, dropout_drops_while_statistics_are_measured);
    add_test(s, what_else_is_read_has_no_inference_form);
    add_tests(s, layers_that_were_written_out_are_found, sizeof written / sizeof *written);
    add_tests(s, what_is_no_such_layer_stays, sizeof others / sizeof *others);
    add_test(s, squares_are_averaged_over_what_values_are);
    add_test(s, a_network_that_stays_random_is_not_compared);
    add_test(s, the_next_layer_is_not_taken_into_it);
    add_test(s, two_in_a_row_are_two);
    add_test(s, a_gamma_of_0_is_one);
    add_test(s, a_layer_has_the_name_that_the_exporter_left);
    add_tests(s, dropout_that_was_written_out_is_found, sizeof dropouts / sizeof *dropouts);
    add_test(s, dropout_in_training_mode_is_put_in_inference_form);
    add_test(s, what_comes_out_trains);
    add_tests(s, memory_may_run_out_anywhere, 2);
    return s;
}
