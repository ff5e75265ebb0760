/* BatchNormalization that was left in training mode: its statistics are measured. */
#include "inferring.h"

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

/* A training that was too short leaves running statistics that lag behind. */
START_TEST(statistics_are_measured_anew_where_that_is_asked_for)
{
#define RUNNING(opset)                                                                                                 \
    "<ir_version: 8, opset_import: [\"\": " opset "]>\ng (float[N,3] x) => (float[N,3] y) <float[3] " LAYER_INPUTS     \
    ", float[3] u = {9,9,9}, float[3] w = {4,4,4}>\n"                                                                  \
    "{ [one] h = BatchNormalization <epsilon = 0.001> (x, s, b, m, v) r = Relu (h)\n"                                  \
    "  [two] y = BatchNormalization <epsilon = 0.001> (r, s, b, u, w) }"
    static const struct adapt_choice one = { "one", "measured" };
    static const char *const texts[] = { RUNNING("15"), RUNNING("9") };
    struct plain want;
    double *x;

    for (int k = 0; k < 2; k++) {
        begin(texts[k]);
        begin_data(SAMPLES, 2, (const int64_t[]){ CHANNELS });
        t.options.choices = &one;
        t.options.choice_count = 1;
        x = as_doubles(SAMPLES * CHANNELS);
        plain_update(x, SAMPLES, 1, 1, gammas, betas, .001, &want);
        expect_ok(adapted());
        expect_channels(input_of(0, MEAN), want.mean, 1e-5);
        expect_channels(input_of(0, VARIANCE), want.variance, 1e-5);
        expect_channels(input_of(1, MEAN), (const double[]){ 9, 9, 9 }, 0);
        ck_assert_ptr_null(t.adapt.roles);
        ck_assert(!trains(nth_node(t.adapt.model, &op_batch_normalization, 0)));
        ck_assert_str_eq(t.out.changed, "1 BatchNormalization normalises by measured statistics");
        end();
    }
    begin(texts[0]);
    t.options.choices = &one;
    t.options.choice_count = 1;
    ck_assert(!adapted());
    expect_error(KILN_BAD_ARGUMENT, "there must be data over which the statistics of 1 BatchNormalization");
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
    double mean[2][CHANNELS];

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
        for (int c = 0; c < CHANNELS; c++)
            mean[k][c] = (double)input_of(0, MEAN)[c];
        end();
    }
    ck_assert(memcmp(mean[0], mean[1], sizeof mean[0]) != 0);
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

Suite *suite(void)
{
    Suite *s = suite_create("adapt_inference");

    add_tests(s, statistics_are_those_of_update_bn, sizeof forms / sizeof *forms);
    add_test(s, it_is_told_where_nothing_is_asked_for);
    add_test(s, a_file_in_inference_form_stays_as_it_is);
    add_test(s, without_data_nothing_can_be_measured);
    add_test(s, a_batch_of_one_sample_is_left_out);
    add_test(s, a_frozen_layer_stays_as_it_is);
    add_test(s, statistics_are_measured_anew_where_that_is_asked_for);
    add_test(s, a_layer_that_is_used_twice_has_the_mean_of_both);
    add_test(s, dropout_drops_while_statistics_are_measured);
    add_test(s, what_else_is_read_has_no_inference_form);
    return s;
}
