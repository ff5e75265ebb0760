/* Metrics, classes and weights, as a program that has nothing but kiln.h asks for them. */
#include "public.h"
#include <math.h>
#include <stdio.h>

enum { SAMPLES = 20, CLASSES = 3, BATCH = 8 };

static const char net[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                          "net (float[N,2] x) => (float[N,3] y, float[N,1] n)\n"
                          "<float[2,3] w = {1, 0.2, -0.3, 0.4, -0.5, 0.6}, float[3] b = {0, 0.1, 0.2},\n"
                          " float[3,1] v = {1, -2, 0.5}> {\n"
                          "    m = MatMul(x, w) z = Add(m, b) y = Softmax(z) n = MatMul(z, v)\n}";

static float points[SAMPLES][2];
static int64_t labels[SAMPLES];
static float weights[SAMPLES];

static kiln_tensor *wrap(kiln_dtype dtype, int64_t width, void *data, size_t bytes)
{
    const int64_t dims[] = { SAMPLES, width };
    kiln_tensor *t;

    ok(kiln_tensor_wrap(&t, dtype, width ? 2 : 1, dims, data, bytes, &err));
    return t;
}

/* One class is twice as frequent as the others. */
static kiln_dataset *make_data(bool weighted)
{
    kiln_tensor *x, *y, *w;
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d;

    for (int k = 0; k < SAMPLES; k++) {
        points[k][0] = (float)(k * 7 % 11 - 5) / 4;
        points[k][1] = (float)(k * 5 % 13 - 6) / 5;
        labels[k] = k % 4 % CLASSES;
        weights[k] = (float)(k % 5) / 2;
    }
    x = wrap(KILN_FLOAT, 2, points, sizeof points);
    y = wrap(KILN_INT64, 0, labels, sizeof labels);
    w = wrap(KILN_FLOAT, 0, weights, sizeof weights);
    o.weights = weighted ? w : NULL;
    ok(kiln_dataset_new(&d, x, y, &o, &err));
    ck_assert(kiln_dataset_about(d)->weighted == weighted);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_tensor_free(w);
    return d;
}

static kiln_status open_trainer(kiln_trainer **t, const kiln_trainer_options *o)
{
    kiln_model *m = open_text(net);
    const kiln_status got = kiln_trainer_new(t, m, o, &err);

    kiln_model_free(m);
    return got;
}

/* What is wrong with these options is told, and nothing is made. */
static void refuse(const kiln_trainer_options *o, kiln_status code, const char *says)
{
    kiln_trainer *t;

    expect(open_trainer(&t, o), code, says);
    ck_assert_ptr_null(t);
}

static double logit(int sample, int64_t class)
{
    static const double w[2][3] = { { 1, .2, -.3 }, { .4, -.5, .6 } };

    return (double)points[sample][0] * w[0][class] + (double)points[sample][1] * w[1][class] + .1 * (double)class;
}

static double loss_of(int sample)
{
    double sum = 0;

    for (int c = 0; c < CLASSES; c++)
        sum += exp(logit(sample, c));
    return log(sum) - logit(sample, labels[sample]);
}

/* -- metrics -- */

START_TEST(metrics_are_asked_for)
{
    static const char *const asked[] = { "auc", "acc", "auc:curve=PR", "top_k_categorical_accuracy:k=2", "mse" };
    static const char *const names[] = { "loss", "auc", "acc", "auc_1", "top_k_categorical_accuracy", "mse" };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_dataset *d = make_data(false);
    double values[6], by_default[2];
    kiln_trainer *t;

    o.data = d;
    ok(open_trainer(&t, &o));
    ck_assert(kiln_trainer_measure_count(t) == 2 && strcmp(kiln_trainer_measure_name(t, 1), "accuracy") == 0);
    ok(kiln_trainer_evaluate(t, d, BATCH, by_default, &err));
    kiln_trainer_free(t);
    o.metrics = asked, o.metric_count = 5;
    ok(open_trainer(&t, &o));
    ck_assert_uint_eq(kiln_trainer_measure_count(t), 6);
    for (size_t k = 0; k < 6; k++)
        ck_assert_str_eq(kiln_trainer_measure_name(t, k), names[k]);
    ok(kiln_trainer_evaluate(t, d, BATCH, values, &err));
    ck_assert(values[0] == by_default[0] && values[2] == by_default[1] && values[2] > 0 && values[2] < values[4]);
    ck_assert(values[1] > 0 && values[1] < 1 && values[3] > 0 && values[3] < 1 && values[1] != values[3]);
    kiln_trainer_free(t);
    o.metrics = (const char *const[]){ "nothing" }, o.metric_count = 1;
    refuse(&o, KILN_BAD_ARGUMENT, "metric 'nothing' is unknown, must be accuracy, auc,");
    o.metrics = (const char *const[]){ "auc:curve=ROCK" };
    refuse(&o, KILN_BAD_ARGUMENT, "metric 'auc': 'curve' is 'ROCK', must be ROC or PR");
    o.metrics = (const char *const[]){ "precision:class_id=3" };
    refuse(&o, KILN_BAD_ARGUMENT, "metric 'precision': 'class_id' is 3, the output has 3 classes");
    o.metrics = (const char *const[]){ "dice" };
    refuse(&o, KILN_BAD_ARGUMENT, "metric 'dice' is unknown");
    o.metrics = (const char *const[]){ "q=auc" };
    refuse(&o, KILN_BAD_ARGUMENT, "metric 'q=auc': no output of that name learns");
    o.metrics = (const char *const[]){ NULL };
    refuse(&o, KILN_BAD_ARGUMENT, "metrics[0] is NULL");
    o.metrics = NULL;
    refuse(&o, KILN_BAD_ARGUMENT, "metrics is NULL, must hold 1");
    kiln_dataset_free(d);
}
END_TEST

/* One that is asked for of an output is measured there alone, and one that needs classes is not taken of rows. */
START_TEST(a_metric_may_be_of_one_output)
{
    static const kiln_target targets[] = { { "y", "sparse_categorical_crossentropy", 0 }, { "n", "huber", 0 } };
    static const char *const names[] = { "loss", "y_loss", "y_auc", "y_mae", "n_loss", "n_mae", "n_r2" };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_trainer *t;

    o.targets = targets, o.target_count = 2;
    o.metrics = (const char *const[]){ "y=auc", "mae", "n=r2" }, o.metric_count = 3;
    ok(open_trainer(&t, &o));
    ck_assert_uint_eq(kiln_trainer_measure_count(t), 7);
    for (size_t k = 0; k < 7; k++)
        ck_assert_str_eq(kiln_trainer_measure_name(t, k), names[k]);
    ck_assert(kiln_trainer_classes(t, 0) == CLASSES && !kiln_trainer_classes(t, 1) && !kiln_trainer_classes(t, 2));
    kiln_trainer_free(t);
    o.metrics = (const char *const[]){ "n=sparse_categorical_crossentropy" }, o.metric_count = 1;
    refuse(&o, KILN_BAD_ARGUMENT, "needs labels that are classes, loss 'huber' has others");
    o.targets = NULL, o.target_count = 0;
    o.loss = "ctc";
    refuse(&o, KILN_UNSUPPORTED, "output 'y' is float[1,3], loss 'ctc' needs [samples, steps, classes]");
    o.loss = NULL;
    o.targets = targets, o.target_count = 2;
    o.class_weight = "0=1";
    o.metric_count = 0;
    refuse(&o, KILN_BAD_ARGUMENT, "class weights are for one output that learns, there are 2");
}
END_TEST

/* Sequences are as long as those of the data, and there is nothing to count of them but their loss. */
START_TEST(sequences_have_no_metrics)
{
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "net (float[N,4,3] x) => (float[N,4,3] y) <float[3] b = {0.5, 0, 0.25}> { y = Add(x, b) }";
    const int64_t x_dims[] = { SAMPLES, 4, 3 }, y_dims[] = { SAMPLES, 2 };
    static float x[SAMPLES * 4 * 3];
    static int64_t y[SAMPLES * 2];
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    double values[2];
    kiln_tensor *tx, *ty, *matrix;
    kiln_dataset *d;
    kiln_trainer *t;

    for (int k = 0; k < SAMPLES; k++)
        y[2 * k] = 1 + k % 2;
    ok(kiln_tensor_wrap(&tx, KILN_FLOAT, 3, x_dims, x, sizeof x, &err));
    ok(kiln_tensor_wrap(&ty, KILN_INT64, 2, y_dims, y, sizeof y, &err));
    ok(kiln_dataset_new(&d, tx, ty, NULL, &err));
    o.data = d;
    o.loss = "ctc";
    ok(kiln_trainer_new(&t, m, &o, &err));
    ck_assert(kiln_trainer_labels(t, 0)->dims[1] == 2 && !kiln_trainer_classes(t, 0));
    ok(kiln_trainer_evaluate(t, d, BATCH, values, &err));
    ck_assert(values[0] > 0 && isnan(values[1]));
    expect(kiln_trainer_confusion(&matrix, t, d, 0, 0, NULL, &err), KILN_BAD_ARGUMENT, "has no classes");
    ok(kiln_trainer_fit(t, d, NULL, NULL, &err));
    kiln_trainer_free(t);
    o.metrics = (const char *const[]){ "auc" }, o.metric_count = 1;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_UNSUPPORTED, "metric 'auc' cannot be taken of sequences");
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
    kiln_dataset_free(d);
    kiln_model_free(m);
}
END_TEST

/* -- classes -- */

START_TEST(what_classes_are_taken_for_is_counted)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_dataset *d = make_data(false);
    int64_t want[CLASSES][CLASSES] = { { 0 } }, right = 0;
    double values[2], again[2];
    kiln_tensor *matrix;
    kiln_trainer *t;

    for (int k = 0; k < SAMPLES; k++) {
        int best = 0;

        for (int c = 1; c < CLASSES; c++)
            best = logit(k, c) > logit(k, best) ? c : best;
        want[labels[k]][best]++;
        right += best == labels[k];
    }
    o.data = d;
    ok(open_trainer(&t, &o));
    for (int batch = 7; batch < 9; batch++) {
        ok(kiln_trainer_confusion(&matrix, t, d, batch, 0, values, &err));
        ck_assert(kiln_tensor_dtype(matrix) == KILN_INT64 && kiln_tensor_rank(matrix) == 2);
        ck_assert(kiln_tensor_dims(matrix)[0] == CLASSES && kiln_tensor_dims(matrix)[1] == CLASSES);
        ck_assert_mem_eq(kiln_tensor_data(matrix), want, sizeof want);
        kiln_tensor_free(matrix);
        ck_assert(values[1] == (double)right / SAMPLES);
        ok(kiln_trainer_evaluate(t, d, batch, again, &err)); /* what was counted is forgotten, the rest as before */
        ck_assert_mem_eq(values, again, sizeof values);
    }
    ok(kiln_trainer_confusion(&matrix, t, d, 0, 0, NULL, &err));
    kiln_tensor_free(matrix);
    expect(kiln_trainer_confusion(&matrix, t, d, 0, 1, NULL, &err), KILN_BAD_ARGUMENT, "target 1, must");
    expect(kiln_trainer_confusion(&matrix, t, d, -1, 0, NULL, &err), KILN_BAD_ARGUMENT, "batch is -1");
    expect(kiln_trainer_confusion(&matrix, t, NULL, 0, 0, NULL, &err), KILN_BAD_ARGUMENT, "data is NULL");
    expect(kiln_trainer_confusion(&matrix, NULL, d, 0, 0, NULL, &err), KILN_BAD_ARGUMENT, "trainer is NULL");
    expect(kiln_trainer_confusion(NULL, t, d, 0, 0, NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
    kiln_trainer_free(t);
    o.loss = "mean_squared_error";
    ok(open_trainer(&t, &o));
    values[0] = 1;
    expect(kiln_trainer_confusion(&matrix, t, d, 0, 0, values, &err), KILN_BAD_ARGUMENT,
           "output 'y' has no classes, its loss is mean_squared_error");
    ck_assert(!matrix && isnan(values[0]));
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

/* -- weights -- */

/* In training, not in a score, which has no class weights in Keras either. */
START_TEST(classes_count_as_they_are_told_to)
{
    static const struct {
        const char *spec;
        double weight[CLASSES];
    } cases[] = { { "0=2,2=0.5", { 2, 1, .5 } }, { "balanced", { 20. / 30, 20. / 15, 20. / 15 } } };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_dataset *d = make_data(false);
    kiln_tensor *x = wrap(KILN_FLOAT, 2, points, sizeof points), *y = wrap(KILN_INT64, 0, labels, sizeof labels);
    kiln_trainer *t;

    o.data = d;
    o.optimizer = "sgd:learning_rate=0";
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double want = 0, plain = 0;
        kiln_score score;

        o.class_weight = cases[k].spec;
        ok(open_trainer(&t, &o));
        for (int i = 0; i < SAMPLES; i++) {
            want += cases[k].weight[labels[i]] * loss_of(i) / SAMPLES;
            plain += loss_of(i) / SAMPLES;
        }
        ok(kiln_trainer_step(t, x, y, &score, &err));
        ck_assert_msg(fabs(score.loss - want) < 1e-6, "%s: %g, must be %g", cases[k].spec, score.loss, want);
        ok(kiln_trainer_score(t, x, y, &score, &err));
        ck_assert(fabs(score.loss - plain) < 1e-6);
        kiln_trainer_free(t);
    }
    for (size_t k = 0; k < 6; k++) {
        o.class_weight = ((const char *[]){ "", "0", "0=-1", "0.5=1", "0=1,", "x=1" })[k];
        refuse(&o, KILN_BAD_ARGUMENT, "must be 'balanced' or 'CLASS=WEIGHT,...'");
    }
    o.class_weight = "7=3";
    refuse(&o, KILN_BAD_ARGUMENT, "class 7 is to be weighed, output 'y' tells 3 apart");
    o.class_weight = "0=1";
    o.loss = "dice";
    refuse(&o, KILN_UNSUPPORTED, "loss 'dice' compares all samples together");
    o.loss = "mean_squared_error";
    refuse(&o, KILN_BAD_ARGUMENT, "output 'y' has none: its loss is mean_squared_error");
    o.loss = NULL, o.data = NULL;
    o.class_weight = "balanced";
    refuse(&o, KILN_BAD_ARGUMENT, "class weights that are balanced need data");
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(samples_count_as_they_are_told_to)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_fit_options fit = KILN_FIT_OPTIONS_INIT;
    kiln_dataset *plain = make_data(false), *d = make_data(true), *train, *check;
    kiln_tensor *x = wrap(KILN_FLOAT, 2, points, sizeof points), *y = wrap(KILN_INT64, 0, labels, sizeof labels);
    kiln_tensor *w = wrap(KILN_FLOAT, 0, weights, sizeof weights);
    const kiln_tensor *const xs[] = { x }, *const ys[] = { y };
    double want = 0, all = 0, values[2];
    kiln_score score;
    kiln_trainer *t;

    for (int i = 0; i < SAMPLES; i++) {
        want += (double)weights[i] * loss_of(i) / SAMPLES;
        all += loss_of(i) / SAMPLES;
    }
    o.data = d;
    ok(open_trainer(&t, &o));
    ok(kiln_trainer_evaluate(t, d, BATCH, values, &err)); /* the last batch is smaller */
    ck_assert(fabs(values[0] - want) < 1e-6);
    ok(kiln_trainer_evaluate(t, plain, BATCH, values, &err)); /* data without weights count alike */
    ck_assert(fabs(values[0] - all) < 1e-6);
    ok(kiln_trainer_step_weighted(t, false, xs, ys, w, &score, &err));
    ck_assert(fabs(score.loss - want) < 1e-6);
    ok(kiln_trainer_step_weighted(t, false, xs, ys, NULL, &score, &err));
    ck_assert(fabs(score.loss - all) < 1e-6);
    ok(kiln_trainer_score(t, x, y, &score, &err));
    ck_assert(fabs(score.loss - all) < 1e-6);
    expect(kiln_trainer_step_weighted(t, false, xs, ys, x, &score, &err), KILN_BAD_DATA, "20 samples, but 40 weights");
    expect(kiln_trainer_step_weighted(t, false, xs, ys, y, &score, &err), KILN_BAD_ARGUMENT, "weights are no floats");
    ok(kiln_dataset_split(&train, &check, d, .25, &err));
    fit.validation = check;
    fit.epochs = 3;
    ok(kiln_trainer_fit(t, train, &fit, NULL, &err));
    kiln_trainer_free(t);
    o.data = plain;
    ok(open_trainer(&t, &o));
    expect(kiln_trainer_step_weighted(t, true, xs, ys, w, &score, &err), KILN_BAD_ARGUMENT,
           "made without options.weighted");
    kiln_trainer_free(t);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_tensor_free(w);
    kiln_dataset_free(train);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
    kiln_dataset_free(plain);
}
END_TEST

START_TEST(weights_that_are_wrong_are_refused)
{
    kiln_dataset *made = make_data(false), *d;
    kiln_tensor *x = wrap(KILN_FLOAT, 2, points, sizeof points), *y = wrap(KILN_INT64, 0, labels, sizeof labels);
    kiln_tensor *w = wrap(KILN_FLOAT, 0, weights, sizeof weights);
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;

    o.weights = x;
    expect(kiln_dataset_new(&d, x, y, &o, &err), KILN_BAD_DATA, "the weights of samples are float[20,2]");
    o.weights = w;
    weights[3] = -1;
    expect(kiln_dataset_new(&d, x, y, &o, &err), KILN_BAD_DATA, "the weight of sample 3 is -1");
    weights[3] = INFINITY;
    expect(kiln_dataset_new(&d, x, y, &o, &err), KILN_BAD_DATA, "the weight of sample 3 is inf");
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_tensor_free(w);
    kiln_dataset_free(made);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_measures");

    (void)floats;
    (void)floats_of;
    (void)take;
    add_test(s, metrics_are_asked_for);
    add_test(s, a_metric_may_be_of_one_output);
    add_test(s, sequences_have_no_metrics);
    add_test(s, what_classes_are_taken_for_is_counted);
    add_test(s, classes_count_as_they_are_told_to);
    add_test(s, samples_count_as_they_are_told_to);
    add_test(s, weights_that_are_wrong_are_refused);
    return s;
}
