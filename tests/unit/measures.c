/* Losses and metrics against the numbers of Keras (tests/keras/measures.py made them, tests/keras/README.md tells of
 * the files). */
#include "data/npz.h"
#include "learning.h"
#include "scratch.h"
#include "train/trainer.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEAD     "< ir_version: 8, opset_import: [\"\": 17] >\n"
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static struct npz *file;

static void open_file(const char *name)
{
    char path[512];

    snprintf(path, sizeof path, PROJECT "/tests/keras/%s.npz", name);
    expect_ok(npz_open(&file, path, &budget, &report));
}

static struct tensor array(const char *of, const char *name)
{
    char text[128];
    struct tensor t;

    snprintf(text, sizeof text, "%s%s%s", of, name ? "/" : "", name ? name : "");
    expect_ok(npz_read(&t, file, text, NULL, &report));
    return t;
}

static void drop(struct tensor *t)
{
    budget_free(&budget, t->data);
}

static struct trainer *trainer_of(const char *text, const struct trainer_options *o)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, o, &report);
    model_free(m);
    expect_ok(t);
    return t;
}

/* -- losses -- */

/* By what measures.py calls them: Keras' options are ours. */
static const struct loss_case {
    const char *name, *loss, *x, *y, *tail;
    bool by_sample, by_class; /* they are weighed */
} losses[] = {
    { "mse", "mse", "numbers", "numbers", "Identity", false, false },
    { "mae", "mean_absolute_error", "numbers", "numbers", "Identity", false, false },
    { "mape", "mean_absolute_percentage_error", "numbers", "numbers", "Identity", false, false },
    { "msle", "mean_squared_logarithmic_error", "numbers", "positive", "Identity", false, false },
    { "huber", "huber", "numbers", "numbers", "Identity", false, false },
    { "huber_delta", "huber:delta=0.3", "numbers", "numbers", "Identity", false, false },
    { "log_cosh", "log_cosh", "numbers", "numbers", "Identity", false, false },
    { "poisson", "poisson", "positive", "counts", "Identity", false, false },
    { "hinge", "hinge", "numbers", "sides", "Identity", false, false },
    { "hinge_bits", "hinge", "numbers", "bits", "Identity", false, false },
    { "squared_hinge", "squared_hinge", "numbers", "sides", "Identity", false, false },
    { "squared_hinge_bits", "squared_hinge", "numbers", "bits", "Identity", false, false },
    { "categorical_hinge", "categorical_hinge", "numbers", "one_hot", "Identity", false, false },
    { "kl_divergence", "kl_divergence", "loose", "soft", "Identity", false, false },
    { "cosine_similarity", "cosine_similarity", "numbers", "numbers", "Identity", false, false },
    { "dice", "dice", "loose", "bits", "Identity", false, false },
    { "tversky", "tversky:alpha=0.7,beta=0.2", "loose", "bits", "Identity", false, false },
    { "gce", "categorical_generalized_cross_entropy:q=0.7", "loose", "classes", "Identity", false, false },
    { "bce", "binary_crossentropy", "loose", "bits", "Identity", false, false },
    { "bce_smooth", "bce:label_smoothing=0.2", "loose", "bits", "Identity", false, false },
    { "bce_sigmoid", "binary_crossentropy:label_smoothing=0.2", "logits", "bits", "Sigmoid", false, false },
    { "bce_logits", "binary_crossentropy:from_logits=true", "logits", "soft", "Identity", false, false },
    { "cce", "categorical_crossentropy", "loose", "soft", "Identity", false, false },
    { "cce_smooth", "categorical_crossentropy:label_smoothing=0.3", "loose", "one_hot", "Identity", false, false },
    { "cce_softmax", "categorical_crossentropy:label_smoothing=0.3", "logits", "one_hot", "Softmax", false, false },
    { "cce_logits", "categorical_crossentropy:from_logits=1", "logits", "mixed", "Identity", false, false },
    { "scce", "sparse_categorical_crossentropy", "loose", "classes", "Identity", false, false },
    { "scce_positive", "sparse_categorical_crossentropy", "positive", "classes", "Identity", false, false },
    { "scce_softmax", "sparse_categorical_crossentropy", "logits", "classes", "Softmax", false, false },
    { "bfce", "binary_focal_crossentropy", "loose", "bits", "Identity", false, false },
    { "bfce_all", "binary_focal_crossentropy:apply_class_balancing=1,alpha=0.3,gamma=1.5,label_smoothing=0.1", "loose",
      "bits", "Identity", false, false },
    { "bfce_sigmoid", "binary_focal_crossentropy:apply_class_balancing=1,alpha=0.3,gamma=1.5,label_smoothing=0.1",
      "logits", "bits", "Sigmoid", false, false },
    { "cfce", "categorical_focal_crossentropy", "loose", "one_hot", "Identity", false, false },
    { "cfce_all", "categorical_focal_crossentropy:alpha=0.4,gamma=1.5,label_smoothing=0.1", "loose", "soft", "Identity",
      false, false },
    { "cfce_softmax", "categorical_focal_crossentropy:alpha=0.4,gamma=1.5,label_smoothing=0.1", "logits", "one_hot",
      "Softmax", false, false },
    { "scce_field", "sparse_categorical_crossentropy", "field", "field", "Softmax <axis = 1>", false, false },
    { "cce_field", "categorical_crossentropy:label_smoothing=0.3", "field", "mixed_field", "Softmax <axis = 1>", false,
      false },
    { "cfce_field", "categorical_focal_crossentropy:alpha=0.4,gamma=1.5", "field", "soft_field", "Softmax <axis = 1>",
      false, false },
    { "kl_field", "kl_divergence", "loose_field", "soft_field", "Identity", false, false },
    { "hinge_field", "categorical_hinge", "field", "soft_field", "Identity", false, false },
    { "cosine_field", "cosine_similarity", "field", "soft_field", "Identity", false, false },
    { "scce_ignore", "sparse_categorical_crossentropy:ignore_class=2", "logits", "classes", "Softmax", false, false },
    { "scce_ignore_field", "sparse_categorical_crossentropy:ignore_class=1", "loose_field", "field", "Identity", false,
      false },
    { "ctc", "ctc", "steps", "sequences", "Identity", false, false },
    { "scce_samples", "sparse_categorical_crossentropy", "logits", "classes", "Softmax", true, false },
    { "scce_by_class", "sparse_categorical_crossentropy", "logits", "classes", "Softmax", false, true },
    { "scce_both", "sparse_categorical_crossentropy:ignore_class=2", "logits", "classes", "Softmax", true, true },
    { "cce_by_class", "categorical_crossentropy", "loose", "one_hot", "Identity", false, true },
    { "mse_samples", "mean_squared_error", "numbers", "numbers", "Identity", true, false },
    { "scce_field_samples", "sparse_categorical_crossentropy", "field", "field", "Softmax <axis = 1>", true, false },
    { "scce_ignore_all", "sparse_categorical_crossentropy:ignore_class=2", "logits", "all", "Softmax", false, false },
};

/* Zeros are added to x: their gradient is the loss's. */
static void write_model(char *text, size_t size, const struct tensor *x, const char *tail)
{
    char dims[64];
    size_t n;

    snprintf(dims, sizeof dims, x->rank == 3 ? "%d, %d, %d" : "%d, %d", (int)x->dims[0], (int)x->dims[1],
             (int)x->dims[2]);
    n = (size_t)snprintf(text, size, HEAD "net (float[%s] x) => (float[%s] p) <float[%s] w = {0", dims, dims, dims);
    for (int64_t k = 1; k < tensor_count(x); k++)
        n += (size_t)snprintf(text + n, size - n, ", 0");
    snprintf(text + n, size - n, "}>\n{ z = Add (x, w)  p = %s (z) }", tail);
}

START_TEST(a_loss_is_keras_loss)
{
    const struct loss_case *c = &losses[_i];
    static const double by_class[] = { .5, 2, 1, 0 };
    struct tensor x, y, weights, loss, gradient;
    struct trainer_options o = { .optimizer = "sgd:learning_rate=0", .threads = 2, .keep_gradients = true };
    struct target_options target = { .loss = c->loss };
    const struct tensor *got;
    char text[2048];
    struct trainer *t;
    float value;

    open_file("losses");
    x = array("x", c->x), y = array("y", c->y), loss = array(c->name, "loss"), gradient = array(c->name, "gradient");
    target.form = y.dtype == I64 ? TARGETS_CLASSES : TARGETS_VALUES;
    target.classes = 4;
    target.class_axis = x.rank == 3 && strcmp(c->loss, "ctc") != 0 ? 1 : 0;
    target.labels = strcmp(c->loss, "ctc") == 0 ? &y : NULL;
    target.class_weights = c->by_class ? by_class : NULL;
    target.weighted = 4;
    o.weighted = c->by_sample;
    o.targets = 1, o.target = &target;
    write_model(text, sizeof text, &x, c->tail);
    t = trainer_of(text, &o);
    weights = array("w", "samples");
    if (c->by_sample)
        t->weights = weights;
    expect_ok(trainer_step(t, &x, &y, &value, &report));
    ck_assert_msg(fabs((double)value - *(double *)loss.data) <= 1e-6 * fmax(1, fabs(*(double *)loss.data)),
                  "%s is %.9g, must be %.9g", c->name, (double)value, *(double *)loss.data);
    got = trainer_gradient(t, "w");
    ck_assert_int_eq(tensor_count(got), tensor_count(&gradient));
    for (int64_t k = 0; k < tensor_count(got); k++) {
        const double g = (double)((const float *)got->data)[k];
        const double w =
            gradient.dtype == F64 ? ((const double *)gradient.data)[k] : (double)((const float *)gradient.data)[k];

        ck_assert_msg(fabs(g - w) <= 1e-6 * fmax(1, fabs(w)), "%s: gradient %d is %.9g, must be %.9g", c->name, (int)k,
                      g, w);
    }
    trainer_free(t);
    drop(&x), drop(&y), drop(&weights), drop(&loss), drop(&gradient);
    npz_close(file);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* -- a loss of one's own -- */

#define GRAPH "<ir_version: 8, opset_import: [\"\": 17]> loss "
#define HUBER                                                                                                          \
    " <float one = {1.0}, float half = {0.5}> { d = Sub (y_pred, y_true) a = Abs (d) q = Min (a, one)\n"               \
    " h = Mul (half, q) r = Sub (a, h) e = Mul (q, r) "

/* One that is the same as one that there is: its value and its gradient are. */
static const struct own_case {
    const char *graph, *same, *x, *y;
} owns[] = {
    { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (float[N] l)" HUBER
            "l = ReduceMean <axes = [-1], keepdims = 0> (e) }",
      "huber", "numbers", "numbers" },
    { GRAPH "(float[N,C] y_pred, float[N,C] y_true) => (float l)" HUBER "l = ReduceMean <keepdims = 0> (e) }", "huber",
      "numbers", "numbers" },
    { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (double[N,C] l)" HUBER "l = Cast <to = 11> (e) }", "huber",
      "numbers", "numbers" },
    { GRAPH "(int64[N] y_true, float[N,C] y_pred) => (float l) <int64[1] last = {-1}> {\n"
            " s = ReduceSum <keepdims = 1> (y_pred, last) p = Div (y_pred, s) q = Log (p)\n"
            " l = NegativeLogLikelihoodLoss (q, y_true) }",
      "sparse_categorical_crossentropy", "loose", "classes" },
    { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (float[N,C] l) {\n"
            " a = Mul (y_true, y_pred) b = Relu (a) l = Exp (b) }",
      NULL, "numbers", "numbers" },
};

static float own_step(const char *loss, const struct tensor *x, const struct tensor *y, float gradient[24])
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0",
                                       .threads = 1,
                                       .keep_gradients = true,
                                       TARGET(.loss = loss, .classes = 4,
                                              .form = y->dtype == I64 ? TARGETS_CLASSES : TARGETS_VALUES) };
    char text[2048];
    struct trainer *t;
    float value, again;

    write_model(text, sizeof text, x, "Identity");
    t = trainer_of(text, &o);
    expect_ok(trainer_step(t, x, y, &value, &report));
    memcpy(gradient, trainer_gradient(t, "w")->data, 24 * sizeof *gradient);
    expect_ok(trainer_evaluate_batch(t, x, y, &again, &report));
    ck_assert_float_eq_tol(value, again, 1e-6f);
    trainer_free(t);
    return value;
}

START_TEST(a_loss_of_ones_own_is_a_graph)
{
    const struct own_case *c = &owns[_i];
    struct tensor x, y;
    float a, b, own[24], there[24];

    enter_scratch();
    put_file("own.onnxtxt", c->graph, strlen(c->graph));
    open_file("losses");
    x = array("x", c->x), y = array("y", c->y);
    a = own_step("graph:own.onnxtxt", &x, &y, own);
    if (c->same) {
        b = own_step(c->same, &x, &y, there);
        ck_assert_msg(fabsf(a - b) < 1e-6f, "%g, must be %g", (double)a, (double)b);
    }
    for (int k = 0; k < 24; k++) {
        const float p = ((const float *)x.data)[k], t = c->same ? 0 : ((const float *)y.data)[k];

        if (!c->same)
            there[k] = t * p > 0 ? t * expf(t * p) / 24 : 0;
        ck_assert_msg(fabsf(own[k] - there[k]) < 1e-6f, "gradient %d is %g, must be %g", k, (double)own[k],
                      (double)there[k]);
    }
    drop(&x), drop(&y);
    npz_close(file);
    leave_scratch();
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(graphs_that_are_no_loss_are_refused)
{
    static const struct {
        const char *graph, *says;
        kiln_status code;
    } bad[] = {
        { GRAPH "(float[N,C] y, float[N,C] y_pred) => (float[N,C] l) { l = Sub (y, y_pred) }",
          "has 2 inputs, must have 'y_true' and 'y_pred'", KILN_BAD_MODEL },
        { GRAPH "(float[N,C] y_true, float[N,C] y_pred, float z) => (float[N,C] l) { a = Sub (y_true, y_pred)\n"
                " l = Mul (a, z) }",
          "has 3 inputs", KILN_BAD_MODEL },
        { GRAPH "(float[N,C] y_true, double[N,C] y_pred) => (float[N,C] l) { a = Cast <to = 1> (y_pred)\n"
                " l = Mul (a, y_true) }",
          "takes 'y_pred' as double, must take it as float", KILN_BAD_MODEL },
        { GRAPH "(bool[N,C] y_true, float[N,C] y_pred) => (float[N,C] l) { a = Cast <to = 1> (y_true)\n"
                " l = Mul (a, y_pred) }",
          "takes 'y_true' as bool", KILN_BAD_MODEL },
        { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (float[N,C] l, float[N,C] k) { l = Sub (y_true, y_pred)\n"
                " k = Abs (l) }",
          "has 2 outputs, must have one", KILN_BAD_MODEL },
        { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (bool[N,C] l) { l = Less (y_true, y_pred) }",
          "gives bool, must give floats", KILN_BAD_MODEL },
        { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (float[N,C] l) { l = Nothing (y_true, y_pred) }", "Nothing",
          KILN_UNSUPPORTED },
        { GRAPH "(float[N,C] y_true, float[N,C] y_pred) => (float[N,C] l) <float[7] c = {1, 2, 3, 4, 5, 6, 7}>\n"
                "{ a = Mul (y_true, y_pred) l = Mul (a, c) }",
          "does not broadcast", KILN_BAD_MODEL },
    };
    const struct trainer_options o = { .threads = 1, TARGET(.loss = "graph:own.onnxtxt", .form = TARGETS_VALUES) };
    struct tensor x = { .dtype = F32, .rank = 2, .dims = { 6, 4 } };
    const float zeros[24] = { 0 };
    char text[2048];
    struct model *m;
    struct trainer *t;
    float loss;

    enter_scratch();
    put_file("own.onnxtxt", bad[_i].graph, strlen(bad[_i].graph));
    write_model(text, sizeof text, &x, "Identity");
    m = model_read_bytes(text, strlen(text), NULL, &report);
    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    x.data = (void *)(uintptr_t)zeros;
    ck_assert(!t || !trainer_step(t, &x, &x, &loss, &report));
    ck_assert(t || strstr(report.error.where, "own.onnxtxt"));
    expect_error(bad[_i].code, bad[_i].says);
    trainer_free(t);
    model_free(m);
    leave_scratch();
}
END_TEST

/* -- metrics -- */

static const struct metric_case {
    const char *name, *metric, *data;
    bool logits; /* what the model gives is made of these */
} metrics[] = {
    { "accuracy", "accuracy", "classes", false },
    { "accuracy", "sparse_categorical_accuracy", "classes", true },
    { "accuracy_one_hot", "acc", "one_hot", false },
    { "binary_accuracy", "binary_accuracy", "bits", false },
    { "binary_accuracy_threshold", "binary_accuracy:threshold=0.3", "bits", false },
    { "top_2", "top_k_categorical_accuracy:k=2", "classes", true },
    { "top_2", "sparse_top_k_categorical_accuracy:k=2", "classes", false },
    { "top_3", "top_k_categorical_accuracy:k=3", "one_hot", false },
    { "precision", "precision", "one_hot", true },
    { "precision", "precision", "classes", true },
    { "precision_bits", "precision:thresholds=0.7", "bits", false },
    { "precision_top_k", "precision:top_k=2", "bits", false },
    { "precision_class", "precision:class_id=2", "one_hot", true },
    { "precision_top_k_class", "precision:top_k=2,class_id=1,thresholds=0.2", "bits", false },
    { "recall", "recall", "one_hot", true },
    { "recall_bits", "recall:thresholds=0.7", "bits", false },
    { "recall_top_k", "recall:top_k=2,thresholds=0.6", "bits", false },
    { "recall_class", "recall:class_id=2", "classes", true },
    { "f1", "f1_score", "one_hot", false },
    { "f1_micro", "f1_score:average=micro,threshold=0.4", "bits", false },
    { "f1_weighted", "f1_score:average=weighted", "classes", true },
    { "fbeta", "fbeta_score:beta=2,threshold=0.6", "bits", false },
    { "f1_one", "f1_score", "one", false },
    { "auc", "auc", "one", false },
    { "auc_bits", "auc", "bits", false },
    { "auc_labels", "auc:multi_label=1", "bits", false },
    { "auc_pr", "auc:curve=PR", "one", false },
    { "auc_pr_few", "auc:curve=PR,num_thresholds=7", "bits", false },
    { "auc_minoring", "auc:summation_method=minoring,num_thresholds=20", "one", false },
    { "auc_majoring", "auc:curve=PR,summation_method=majoring,num_thresholds=20", "one", false },
    { "auc_softmax", "auc", "classes", true },
    { "mae", "mae", "numbers", false },
    { "mse", "mean_squared_error", "numbers", false },
    { "rmse", "rmse", "numbers", false },
    { "rmse_softmax", "root_mean_squared_error", "one_hot", true },
    { "r2", "r2_score", "numbers", false },
    { "r2_weighted", "r2_score:class_aggregation=variance_weighted_average,num_regressors=3", "numbers", false },
    { "cosine", "cosine_similarity", "numbers", false },
    { "log_cosh", "log_cosh", "numbers", false },
    { "cce", "categorical_crossentropy:label_smoothing=0.1", "one_hot", true },
    { "mean_iou", "mean_iou", "classes", true },
    { "mean_iou_ignore", "iou:ignore_class=0", "classes", false },
    { "iou_class", "iou:target_class_id=1", "classes", false },
    { "iou_one", "iou:target_class_id=1,threshold=0.6", "one", false },
};

/* Over batches, of which the last is smaller, in training and in validation, for several numbers of threads. */
static void measure(const struct metric_case *c, int threads, double got[2])
{
    const char *loss = c->logits                         ? NULL
                       : strcmp(c->data, "numbers") == 0 ? "mean_squared_error"
                       : strcmp(c->data, "classes") == 0 ? "sparse_categorical_crossentropy"
                                                         : "binary_crossentropy";
    const struct trainer_options o = {
        .threads = threads,
        .metrics = (const char *const[]){ c->metric, "mae" },
        .metric_count = 2,
        .measure = true,
        TARGET(.loss = loss, .form = strcmp(c->data, "classes") == 0 ? TARGETS_CLASSES : TARGETS_VALUES, .classes = 4)
    };
    struct tensor x = array("x", c->logits ? "logits" : c->data), y = array("y", c->data);
    struct two_columns columns;
    const struct dataset d = dataset_of(&columns, &x, &y, y.dtype == I64 ? 4 : 0, &budget);
    double values[3];
    char text[256];
    struct trainer *t;

    snprintf(text, sizeof text,
             HEAD "net (float[N, %d] x) => (float[N, %d] p) <float[%d] w = {0%s}>\n{ z = Add (x, w)  p = %s (z) }",
             (int)x.dims[1], (int)x.dims[1], (int)x.dims[1], x.dims[1] > 1 ? ", 0, 0, 0" : "",
             c->logits ? "Softmax" : "Identity");
    t = trainer_of(text, &o);
    ck_assert_uint_eq(t->measure_count, 3);
    ck_assert(strncmp(t->measures[1].name, c->metric, strlen(t->measures[1].name)) == 0);
    expect_ok(trainer_evaluate(t, &d, NULL, 16, values, &report));
    ck_assert(measure_applies(t, &d, 1));
    got[0] = values[1], got[1] = values[2];
    trainer_free(t);
    drop(&x), drop(&y);
}

START_TEST(a_metric_is_keras_metric)
{
    const struct metric_case *c = &metrics[_i];
    double one[2], more[2], want;
    struct tensor t;

    open_file("metrics");
    t = array(c->name, NULL);
    want = *(double *)t.data;
    measure(c, 1, one);
    measure(c, 4, more);
    ck_assert_msg(fabs(one[0] - want) <= 1e-6 * fmax(1, fabs(want)), "%s is %.9g, must be %.9g", c->metric, one[0],
                  want);
    ck_assert(memcmp(one, more, sizeof one) == 0);
    drop(&t);
    npz_close(file);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* So many rows that they are counted in parts: integers, whatever the parts, and a float's sum, whatever the threads. */
START_TEST(parts_add_up)
{
    enum { ROWS = 6000 };
    static const char *const asked[] = { "auc", "f1_score", "auc:num_thresholds=2000", "mae" };
    static float x[ROWS * 4];
    static int64_t y[ROWS];
    const struct target_options target = { .loss = "sparse_categorical_crossentropy", .classes = 4 };
    struct tensor tx = { .dtype = F32, .rank = 2, .dims = { ROWS, 4 }, .data = x };
    struct tensor ty = { .dtype = I64, .rank = 1, .dims = { ROWS }, .data = y };
    struct two_columns columns;
    const struct dataset d = dataset_of(&columns, &tx, &ty, 4, &budget);
    double whole[2][6], parts[6];
    struct trainer *t;

    for (int k = 0; k < ROWS * 4; k++)
        x[k] = (float)(k * 7919LL % 10007) / 10007;
    for (int k = 0; k < ROWS; k++)
        y[k] = k * 31 % 7 % 4;
    for (int threads = 1; threads < 4; threads += 2) {
        const struct trainer_options o = {
            .threads = threads, .metrics = asked, .metric_count = 4, .measure = true, .targets = 1, .target = &target
        };

        t = trainer_of(HEAD "net (float[N, 4] x) => (float[N, 4] p) <float[4] w = {0, 0, 0, 0}> { p = Add (x, w) }",
                       &o);
        expect_ok(trainer_evaluate(t, &d, NULL, ROWS, whole[threads / 2], &report));
        expect_ok(trainer_evaluate(t, &d, NULL, 50, parts, &report));
        trainer_free(t);
        for (int k = 1; k < 4; k++)
            ck_assert_msg(whole[0][k] == parts[k] && parts[k] > 0, "%s is %.17g, must be %.17g", asked[k - 1],
                          whole[0][k], parts[k]);
        ck_assert_double_eq_tol(whole[0][4], parts[4], 1e-9);
    }
    ck_assert(memcmp(whole[0], whole[1], 5 * sizeof **whole) == 0);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* In batches as in one, of labels that hardly differ for how large they are, and of such as are all the same. */
START_TEST(r2_of_labels_far_from_0)
{
    enum { ROWS = 3000 };
    static const char *const asked[] = { "r2" };
    static float x[2 * ROWS], y[2 * ROWS];
    const struct target_options target = { .form = TARGETS_VALUES, .loss = "mse" };
    struct tensor tx = { .dtype = F32, .rank = 2, .dims = { ROWS, 2 }, .data = x };
    struct tensor ty = { .dtype = F32, .rank = 2, .dims = { ROWS, 2 }, .data = y };
    struct two_columns columns;
    const struct dataset d = dataset_of(&columns, &tx, &ty, 0, &budget);
    const struct trainer_options o = {
        .threads = 2, .metrics = asked, .metric_count = 1, .measure = true, .targets = 1, .target = &target
    };
    struct trainer *t;
    double values[2];

    for (int k = 0; k < ROWS; k++) {
        y[2 * k] = 16000000 + (float)(k % 2);
        x[2 * k] = y[2 * k] + (k % 4 == 0);
        y[2 * k + 1] = .1f;
        x[2 * k + 1] = .2f;
    }
    for (int batch = 7; batch <= ROWS; batch += ROWS - 7) {
        t = trainer_of(HEAD "net (float[N, 2] x) => (float[N, 2] p) <float[2] w = {0, 0}> { p = Add (x, w) }", &o);
        expect_ok(trainer_evaluate(t, &d, NULL, batch, values, &report));
        trainer_free(t);
        ck_assert_double_eq_tol(values[1], 0, 1e-9); /* the mean of 0 and 0 */
    }
    for (int k = 0; k < ROWS; k++)
        x[2 * k] = y[2 * k] + (k % 8 == 0);
    t = trainer_of(HEAD "net (float[N, 2] x) => (float[N, 2] p) <float[2] w = {0, 0}> { p = Add (x, w) }", &o);
    expect_ok(trainer_evaluate(t, &d, NULL, 7, values, &report));
    trainer_free(t);
    ck_assert_double_eq_tol(values[1], .25, 1e-9); /* of .5 and 0 */
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("measures");

    add_tests(s, a_loss_is_keras_loss, COUNT(losses));
    add_tests(s, a_loss_of_ones_own_is_a_graph, COUNT(owns));
    add_tests(s, graphs_that_are_no_loss_are_refused, 8);
    add_tests(s, a_metric_is_keras_metric, COUNT(metrics));
    add_test(s, parts_add_up);
    add_test(s, r2_of_labels_far_from_0);
    return s;
}
