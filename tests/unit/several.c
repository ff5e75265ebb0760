/* Models with several inputs, and outputs that learn together, as a program that has nothing but kiln.h trains them. */
#include "public.h"
#include <math.h>

enum { N = 4 };

/* p = a u w, q = (a u + b) v: u learns from both. */
static const char linear[] = HEAD "g (float[N,1] a, float[N,1] b) => (float[N,1] p, float[N,1] q)\n"
                                  "<float[1,1] u = {2}, float[1,1] w = {3}, float[1,1] v = {-1}>\n"
                                  "{ h = MatMul(a, u) p = MatMul(h, w) s = Add(h, b) q = MatMul(s, v) }";
static const float a[N] = { 1, -2, .5f, 3 }, b[N] = { 0, 1, 2, -1 }, p[N] = { 1, 0, -1, 2 }, q[N] = { 3, 2, 1, 0 };

static kiln_tensor *column(const float *data)
{
    return floats(2, (const int64_t[]){ N, 1 }, data);
}

static void count(void *user, kiln_status code, const char *where, const char *message)
{
    (void)where;
    *(int *)user += code == KILN_OK && strstr(message, "leads to no output that learns");
}

static kiln_trainer *trainer_of(const char *text, const kiln_target *targets, size_t n, const kiln_dataset *data)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    kiln_trainer *t;

    o.optimizer = "sgd:learning_rate=0.01";
    o.values = true;
    o.keep_gradients = true;
    o.targets = targets;
    o.target_count = n;
    o.data = data;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    return t;
}

static float value_of(kiln_trainer *t, const char *name, const char *what)
{
    kiln_tensor *got;
    float value;

    ok(kiln_trainer_get(&got, t, name, what, &err));
    value = *floats_of(got);
    kiln_tensor_free(got);
    return value;
}

/* -- losses -- */

/* Mean squared errors and their gradients, of the network above at u = 2, w = 3, v = -1. */
struct expected {
    double loss[2], du[2], dw, dv;
};

static struct expected expect_linear(void)
{
    struct expected e = { 0 };

    for (int k = 0; k < N; k++) {
        const double h = 2 * (double)a[k], ep = 3 * h - (double)p[k], eq = -(h + (double)b[k]) - (double)q[k];

        e.loss[0] += ep * ep / N;
        e.loss[1] += eq * eq / N;
        e.du[0] += 2 * ep * 3 * (double)a[k] / N;
        e.du[1] += 2 * eq * -1 * (double)a[k] / N;
        e.dw += 2 * ep * h / N;
        e.dv += 2 * eq * (h + (double)b[k]) / N;
    }
    return e;
}

START_TEST(losses_count_as_often_as_their_weights_say)
{
    const kiln_target targets[] = { { "q", "mean_squared_error", .25 }, { "p", NULL, 0 } };
    const struct expected e = expect_linear();
    kiln_tensor *x[] = { column(a), column(b) }, *y[] = { column(q), column(p) };
    const kiln_tensor *const *xs = (const kiln_tensor *const *)x, *const *ys = (const kiln_tensor *const *)y;
    kiln_trainer *t = trainer_of(linear, targets, 2, NULL);
    kiln_score score, each[2];

    ck_assert_uint_eq(kiln_trainer_target_count(t), 2);
    ck_assert_uint_eq(kiln_trainer_input_count(t), 2);
    ck_assert_str_eq(kiln_trainer_input(t, 1)->name, "b");
    ck_assert_str_eq(kiln_trainer_labels(t, 0)->name, "q");
    ck_assert(kiln_trainer_weight(t, 0) == .25 && kiln_trainer_weight(t, 1) == 1 && kiln_trainer_weight(t, 2) == 0);
    ck_assert_ptr_nonnull(strstr(kiln_trainer_loss(t, 0), "as asked"));
    ck_assert(!kiln_trainer_loss(t, 2) && !kiln_trainer_labels(t, 2) && !kiln_trainer_input(t, 2));
    ck_assert(!kiln_trainer_target_score(t, 0, &score)); /* nothing has been measured */
    for (int learn = 0; learn < 2; learn++) {
        ok((learn ? kiln_trainer_step_all : kiln_trainer_score_all)(t, xs, ys, &score, &err));
        ck_assert_double_eq_tol(score.loss, .25 * e.loss[1] + e.loss[0], 1e-4);
        for (size_t k = 0; k < 2; k++)
            ck_assert(kiln_trainer_target_score(t, k, &each[k]) && each[k].rows == N);
        ck_assert_double_eq_tol(each[0].loss, e.loss[1], 1e-4);
        ck_assert_double_eq_tol(each[1].loss, e.loss[0], 1e-4);
        ck_assert(!kiln_trainer_target_score(t, 2, &score) && score.loss == 0);
    }
    ck_assert_double_eq_tol((double)value_of(t, "u", "gradient"), e.du[0] + .25 * e.du[1], 1e-4);
    ck_assert_double_eq_tol((double)value_of(t, "w", "gradient"), e.dw, 1e-4);
    ck_assert_double_eq_tol((double)value_of(t, "v", "gradient"), .25 * e.dv, 1e-4);
    ck_assert_double_eq_tol((double)value_of(t, "u", NULL), 2 - .01 * (e.du[0] + .25 * e.du[1]), 1e-5);
    ok(kiln_trainer_predict_all(t, xs, &err));
    ck_assert_float_eq_tol(floats_of(kiln_trainer_output(t, 0))[0], value_of(t, "u", NULL) * value_of(t, "w", NULL),
                           1e-5f);
    kiln_trainer_free(t);
    for (int k = 0; k < 2; k++) {
        kiln_tensor_free(x[k]);
        kiln_tensor_free(y[k]);
    }
}
END_TEST

/* A loss that is computed from the logits behind one output, and one of these logits themselves, add up there. */
START_TEST(two_losses_may_read_one_value)
{
    static const char text[] = HEAD "g (float[N,2] x) => (float[N,2] y, float[N,2] z) <float[2] w = {0.5, -1}>\n"
                                    "{ z = Add(x, w) y = Softmax(z) }";
    const kiln_target targets[] = { { "y", "categorical_crossentropy", 0 }, { "z", "mean_squared_error", .5 } };
    const float x_[] = { 1, 2 }, y_[] = { 1, 0 }, z_[] = { 0, 0 };
    const int64_t dims[] = { 1, 2 };
    kiln_tensor *x = floats(2, dims, x_), *y[] = { floats(2, dims, y_), floats(2, dims, z_) }, *g;
    kiln_trainer *t = trainer_of(text, targets, 2, NULL);

    ok(kiln_trainer_step_all(t, (const kiln_tensor *const[]){ x }, (const kiln_tensor *const *)y, NULL, &err));
    ok(kiln_trainer_get(&g, t, "w", "gradient", &err));
    for (int k = 0; k < 2; k++) { /* z = 1.5, 1: softmax - y + .5 z */
        const double z = k ? 1 : 1.5, soft = exp(z) / (exp(1.5) + exp(1.));

        ck_assert_double_eq_tol((double)floats_of(g)[k], soft - (double)y_[k] + .5 * z, 1e-6);
    }
    kiln_tensor_free(g);
    kiln_trainer_free(t);
    kiln_tensor_free(x);
    kiln_tensor_free(y[0]);
    kiln_tensor_free(y[1]);
}
END_TEST

/* What belongs to outputs that do not learn keeps its value, and that is told. */
START_TEST(parameters_of_other_outputs_stay)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    const kiln_target target = { "q", NULL, 0 };
    kiln_tensor *x[] = { column(a), column(b) }, *y = column(q);
    kiln_model *m = open_text(linear), *learned;
    const kiln_parameter *w = NULL;
    int warnings = 0;
    kiln_trainer *t;

    o.values = true;
    o.targets = &target;
    o.target_count = 1;
    o.diagnostic = count;
    o.user = &warnings;
    ok(kiln_trainer_new(&t, m, &o, &err));
    ck_assert_int_eq(warnings, 1);
    for (size_t k = 0; k < kiln_trainer_parameter_count(t); k++)
        w = strcmp(kiln_trainer_parameter(t, k)->name, "w") == 0 ? kiln_trainer_parameter(t, k) : w;
    ck_assert(w && w->role == KILN_CONSTANT && strstr(w->why, "no output that learns"));
    ok(kiln_trainer_step_all(t, (const kiln_tensor *const *)x, (const kiln_tensor *const[]){ y }, NULL, &err));
    ok(kiln_trainer_export(&learned, t, &err));
    kiln_model_free(learned);
    kiln_trainer_free(t);
    kiln_model_free(m);
    kiln_tensor_free(x[0]);
    kiln_tensor_free(x[1]);
    kiln_tensor_free(y);
}
END_TEST

/* -- data -- */

static kiln_dataset *data_of(const char *const names[4])
{
    kiln_tensor *t[] = { column(a), column(b), column(p), column(q) };
    const kiln_column x[] = { { names[0], t[0] }, { names[1], t[1] } },
                      y[] = { { names[2], t[2] }, { names[3], t[3] } };
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d;

    o.values = true;
    ok(kiln_dataset_new_of(&d, x, 2, y, 2, &o, &err));
    for (int k = 0; k < 4; k++)
        kiln_tensor_free(t[k]);
    return d;
}

static const char *const names[] = { "a", "b", "p", "q" };

struct watch {
    const kiln_trainer *trainer;
    size_t best;
    double sum, each[2], validation;
};

static bool on_epoch(void *user, const kiln_epoch *e)
{
    struct watch *w = user;

    w->sum = e->train[0];
    w->each[0] = e->train[1];
    w->each[1] = e->train[3];
    w->validation = e->validation[1];
    ck_assert(isnan(e->train[2]) && isnan(e->train[4])); /* accuracy says nothing of numbers */
    w->best += e->best;
    return true;
}

START_TEST(columns_find_their_inputs_and_outputs_by_name)
{
    kiln_dataset *d = data_of(names), *first, *last;
    kiln_trainer *t = trainer_of(linear, NULL, 0, d);
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    struct watch w = { .trainer = t };
    double before[8], after[8];
    int64_t ran;

    ck_assert(kiln_dataset_about(d)->inputs == 2 && kiln_dataset_about(d)->targets == 2);
    ck_assert_str_eq(kiln_dataset_input(d, 1)->name, "b");
    ck_assert_str_eq(kiln_dataset_target(d, 1)->name, "q");
    ck_assert_uint_eq(kiln_trainer_measure_count(t), 5);
    ck_assert_str_eq(kiln_trainer_measure_name(t, 0), "loss");
    ck_assert_str_eq(kiln_trainer_measure_name(t, 1), "p_loss");
    ck_assert_str_eq(kiln_trainer_measure_name(t, 4), "q_accuracy");
    ck_assert_ptr_null(kiln_trainer_measure_name(t, 5));
    ok(kiln_trainer_evaluate(t, d, 3, before, &err));
    ck_assert_double_eq_tol(before[1], expect_linear().loss[0], 1e-4);
    ck_assert_double_eq_tol(before[3], expect_linear().loss[1], 1e-4);
    ck_assert_double_eq_tol(before[0], before[1] + before[3], 1e-5);
    ok(kiln_dataset_split(&first, &last, d, .25, &err));
    o.batch = 2;
    o.epochs = 20;
    o.validation = last;
    o.best = "val_p_loss";
    o.early_stop = "q_loss";
    o.patience = 20;
    o.epoch = on_epoch;
    o.user = &w;
    ok(kiln_trainer_fit(t, first, &o, &ran, &err));
    ck_assert_int_eq(ran, 20);
    ck_assert_double_eq_tol(w.sum, w.each[0] + w.each[1], 1e-4);
    ck_assert(w.best > 0 && isfinite(w.validation));
    {
        kiln_tensor *c[] = { column(a), column(b), column(p), column(q) };

        ok(kiln_trainer_score_all(t, (const kiln_tensor *const *)c, (const kiln_tensor *const *)c + 2, NULL, &err));
        ck_assert(kiln_trainer_target_score(t, 0, NULL));
        for (int k = 0; k < 4; k++)
            kiln_tensor_free(c[k]);
    }
    ok(kiln_trainer_evaluate(t, first, 0, after, &err));
    ck_assert(!kiln_trainer_target_score(t, 0, NULL)); /* that is of a batch */
    ck_assert_double_lt(after[0], before[0]);
    o.best = "p_less";
    expect(kiln_trainer_fit(t, first, &o, NULL, &err), KILN_BAD_ARGUMENT,
           "metric 'p_less' is unknown, must be loss, p_loss, p_accuracy, q_loss, q_accuracy");
    kiln_trainer_free(t);
    kiln_dataset_free(first);
    kiln_dataset_free(last);
    kiln_dataset_free(d);
}
END_TEST

/* The order of the columns is not that of the model, and one target is left out. */
START_TEST(columns_come_in_any_order)
{
    static const char *const turned[] = { "b", "a", "q", "p" };
    const kiln_target target = { "p", NULL, 0 };
    kiln_dataset *d = data_of(turned);
    kiln_trainer *t = trainer_of(linear, &target, 1, d);
    double values[8];

    ok(kiln_trainer_evaluate(t, d, 0, values, &err));
    ck_assert_uint_eq(kiln_trainer_measure_count(t), 2); /* one target: "loss", "accuracy" */
    {
        double loss = 0;

        for (int k = 0; k < N; k++) /* "a" holds b, "p" holds q */
            loss += pow(6 * (double)b[k] - (double)q[k], 2) / N;
        ck_assert_double_eq_tol(values[0], loss, 1e-4);
    }
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

/* A normaliser knows its columns by their names, too. */
START_TEST(columns_are_normalised_by_name)
{
    static const char *const turned[] = { "b", "a", "p", "q" };
    kiln_tensor *ta = column(a), *tb = column(b), *tp = column(p), *tq = column(q);
    const kiln_column same[] = { { "b", tb }, { "a", ta } }, y[] = { { "p", tp }, { "q", tq } };
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d = data_of(names), *other, *one, *two, *wrong = data_of(turned);
    kiln_trainer *t = trainer_of(linear, NULL, 0, d);
    double first[8], second[8];

    o.values = true;
    ok(kiln_dataset_new_of(&other, same, 2, y, 2, &o, &err));
    ok(kiln_dataset_normalize(&one, d, "center", NULL, &err));
    ok(kiln_dataset_normalize(&two, other, "center", d, &err));
    ok(kiln_trainer_evaluate(t, one, 0, first, &err));
    ok(kiln_trainer_evaluate(t, two, 0, second, &err));
    ck_assert_double_eq(first[0], second[0]);
    kiln_dataset_free(two);
    {
        const kiln_column c[] = { { "a", ta }, { "c", tb } };
        kiln_dataset *unknown;

        ok(kiln_dataset_new_of(&unknown, c, 2, y, 2, &o, &err));
        expect(kiln_dataset_normalize(&two, d, "center", unknown, &err), KILN_BAD_DATA,
               "nothing that 'b' could be fitted to");
        kiln_dataset_free(unknown);
    }
    kiln_trainer_free(t);
    kiln_dataset_free(one);
    kiln_dataset_free(other);
    kiln_dataset_free(wrong);
    kiln_dataset_free(d);
    kiln_tensor_free(ta);
    kiln_tensor_free(tb);
    kiln_tensor_free(tp);
    kiln_tensor_free(tq);
}
END_TEST

/* What is said of targets decides what their columns are, in any order and without a model. */
START_TEST(columns_are_what_is_said_of_their_targets)
{
    static const struct {
        kiln_target targets[2];
        int64_t classes[2];
    } cases[] = {
        { { { "q", "sparse_categorical_crossentropy", 0 }, { NULL, "mean_squared_error", 0 } }, { 0, 2 } },
        { { { NULL, "mean_squared_error", 0 }, { "q", "sparse_categorical_crossentropy", 0 } }, { 0, 2 } },
        { { { NULL, "sparse_categorical_crossentropy", 0 }, { "q", "mean_squared_error", 0 } }, { 4, 0 } },
        { { { "q", "mean_squared_error", 0 }, { NULL, "sparse_categorical_crossentropy", 0 } }, { 4, 0 } },
        { { { "p", "mean_squared_error", 0 }, { "q", NULL, 0 } }, { 0, 2 } },
    };
    const int64_t dims[] = { N };
    kiln_tensor *x = column(a), *four, *two;

    ok(kiln_tensor_new(&four, KILN_INT64, 1, dims, (const int64_t[]){ 0, 1, 2, 3 }, &err));
    ok(kiln_tensor_new(&two, KILN_INT64, 1, dims, (const int64_t[]){ 0, 1, 1, 0 }, &err));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const kiln_column input = { NULL, x }, y[] = { { "p", four }, { "q", two } };
        kiln_data_options o = KILN_DATA_OPTIONS_INIT;
        kiln_dataset *d, *as;

        o.targets = cases[k].targets;
        o.target_count = 2;
        ok(kiln_dataset_new_of(&d, &input, 1, y, 2, &o, &err));
        for (size_t c = 0; c < 2; c++)
            ck_assert_msg(kiln_dataset_target(d, c)->classes == cases[k].classes[c], "case %zu, column %zu: %d", k, c,
                          (int)kiln_dataset_target(d, c)->classes);
        o.target_count = 0; /* the same without a word: as another set */
        o.as = d;
        ok(kiln_dataset_new_of(&as, &input, 1, y, 2, &o, &err));
        for (size_t c = 0; c < 2; c++)
            ck_assert_int_eq(kiln_dataset_target(as, c)->classes, cases[k].classes[c]);
        kiln_dataset_free(as);
        kiln_dataset_free(d);
    }
    kiln_tensor_free(x);
    kiln_tensor_free(four);
    kiln_tensor_free(two);
}
END_TEST

/* No two measures have one name, with val_ or without. */
START_TEST(measures_are_told_apart)
{
    static const char text[] = HEAD "g (float[N,1] x) => (float[N,1] val, float[N,1] p, float[N,1] val_p)\n"
                                    "<float[1,1] w = {2}> { val = MatMul(x, w) p = Neg(val) val_p = Tanh(val) }";
    static const char *const want[] = { "loss",       "output_1_loss", "output_1_accuracy", "p_loss",
                                        "p_accuracy", "output_3_loss", "output_3_accuracy" };
    const kiln_target targets[] = { { "val", NULL, 0 }, { "p", NULL, 0 }, { "val_p", NULL, 0 } };
    kiln_trainer *t = trainer_of(text, targets, 3, NULL);

    ck_assert_uint_eq(kiln_trainer_measure_count(t), 7);
    for (size_t k = 0; k < 7; k++)
        ck_assert_str_eq(kiln_trainer_measure_name(t, k), want[k]);
    kiln_trainer_free(t);
    t = trainer_of(text, (const kiln_target[]){ targets[2], targets[1] }, 2, NULL);
    ck_assert_str_eq(kiln_trainer_measure_name(t, 1), "val_p_loss");
    ck_assert_str_eq(kiln_trainer_measure_name(t, 3), "output_2_loss");
    kiln_trainer_free(t);
}
END_TEST

/* It needs nothing to learn, and takes no steps. */
START_TEST(a_trainer_may_only_measure)
{
    static const char text[] = HEAD "g (float[N,1] x) => (float[N,1] y) { y = Neg(x) }";
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    kiln_tensor *x = column(a), *y = column(p);
    kiln_score score;
    kiln_trainer *t;
    double loss = 0;

    o.values = true;
    o.loss = "mean_squared_error";
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_MODEL, "nothing in the model can be trained");
    o.measure = true;
    ok(kiln_trainer_new(&t, m, &o, &err));
    ok(kiln_trainer_score(t, x, y, &score, &err));
    for (int k = 0; k < N; k++)
        loss += pow((double)a[k] + (double)p[k], 2) / N;
    ck_assert_double_eq_tol(score.loss, loss, 1e-5);
    ck_assert(kiln_trainer_target_score(t, 0, &score));
    expect(kiln_trainer_step(t, x, y, NULL, &err), KILN_BAD_ARGUMENT, "made to measure: it takes no steps");
    ck_assert(!kiln_trainer_target_score(t, 0, &score)); /* of a call that failed nothing is told */
    ok(kiln_trainer_predict(t, x, &err));
    ck_assert_float_eq(floats_of(kiln_trainer_output(t, 0))[0], -a[0]);
    kiln_trainer_free(t);
    kiln_model_free(m);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
}
END_TEST

/* Integers index a table, whatever is done to the floats beside them. */
START_TEST(what_is_no_float_is_not_normalised)
{
    static const char text[] = HEAD "g (float[N,1] a, int64[N,1] k) => (float[N,1] y) <float[3] w = {1, 2, 3}>\n"
                                    "{ e = Gather(w, k) y = Add(a, e) }";
    const int64_t k_[N] = { 0, 2, 1, 2 };
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_tensor *k, *x = column(a), *y = column(p);
    kiln_dataset *d, *unit;
    kiln_trainer *t;
    double values[8], loss = 0;

    ok(kiln_tensor_new(&k, KILN_INT64, 2, (const int64_t[]){ N, 1 }, k_, &err));
    o.values = true;
    {
        const kiln_column inputs[] = { { "k", k }, { "a", x } }, target = { NULL, y };

        ok(kiln_dataset_new_of(&d, inputs, 2, &target, 1, &o, &err));
    }
    ok(kiln_dataset_normalize(&unit, d, "unit", NULL, &err));
    t = trainer_of(text, NULL, 0, unit);
    ok(kiln_trainer_evaluate(t, unit, 0, values, &err));
    for (int i = 0; i < N; i++)
        loss += pow((double)a[i] / 255 + 1 + (double)k_[i] - (double)p[i], 2) / N;
    ck_assert_double_eq_tol(values[0], loss, 1e-5);
    kiln_trainer_free(t);
    kiln_dataset_free(unit);
    kiln_dataset_free(d);
    kiln_tensor_free(k);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
}
END_TEST

/* -- errors -- */

START_TEST(columns_that_are_wrong)
{
    kiln_tensor *x = column(a), *few = floats(2, (const int64_t[]){ 2, 1 }, a), *scalar = floats(0, NULL, a);
    const struct {
        kiln_column x[2], y[2];
        size_t inputs, targets;
        kiln_status code;
        const char *message;
    } wrong[] = {
        { { { "a", x }, { NULL, x } }, { { NULL, x } }, 2, 1, KILN_BAD_ARGUMENT, "column 1 of inputs has no name" },
        { { { "a", x }, { "a", x } }, { { NULL, x } }, 2, 1, KILN_BAD_ARGUMENT, "inputs has two columns 'a'" },
        { { { "a", x } }, { { "p", x }, { "p", x } }, 1, 2, KILN_BAD_ARGUMENT, "targets has two columns 'p'" },
        { { { "a", scalar } }, { { NULL, x } }, 1, 1, KILN_BAD_ARGUMENT, "column 0 of inputs is a scalar" },
        { { { "a", NULL } }, { { NULL, x } }, 1, 1, KILN_BAD_ARGUMENT, "column 0 of inputs is NULL" },
        { { { "a", x } }, { { NULL, x } }, 1, 0, KILN_BAD_ARGUMENT, "targets is empty" },
        { { { "a", x }, { "b", few } }, { { NULL, x } }, 2, 1, KILN_BAD_DATA, "their number must be the same" },
        { { { "a", x }, { "b", x } }, { { NULL, few } }, 2, 1, KILN_BAD_DATA, "their number must be the same" },
        { { { "a", x }, { "c", x } }, { { NULL, x } }, 2, 1, KILN_BAD_DATA, "nothing for the model's input 'b'" },
        { { { "a", x } }, { { NULL, x } }, 1, 1, KILN_BAD_DATA, "nothing for the model's input 'b'" },
    };
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d;

    o.values = true;
    o.model = open_text(linear);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        expect(kiln_dataset_new_of(&d, wrong[k].x, wrong[k].inputs, wrong[k].y, wrong[k].targets, &o, &err),
               wrong[k].code, wrong[k].message);
        ck_assert_ptr_null(d);
    }
    expect(kiln_dataset_new_of(&d, NULL, 1, NULL, 1, &o, &err), KILN_BAD_ARGUMENT, "inputs is NULL");
    o.target_count = 1;
    expect(kiln_dataset_new(&d, x, x, &o, &err), KILN_BAD_ARGUMENT, "targets is NULL, must hold 1");
    kiln_model_free((kiln_model *)(uintptr_t)o.model);
    kiln_tensor_free(x);
    kiln_tensor_free(few);
    kiln_tensor_free(scalar);
}
END_TEST

START_TEST(trainers_that_are_wrong)
{
    static const char *const others[] = { "a", "b", "p", "r" };
    static const struct {
        kiln_target targets[2];
        size_t count;
        kiln_status code;
        const char *message;
    } wrong[] = {
        { { { "r", NULL, 0 } }, 1, KILN_BAD_ARGUMENT, "no output 'r'" },
        { { { "p", NULL, 0 }, { "p", NULL, 0 } }, 2, KILN_BAD_ARGUMENT, "'p' is to learn twice" },
        { { { "p", NULL, -1 } }, 1, KILN_BAD_ARGUMENT, "the weight of target 0 is -1" },
        { { { "p", NULL, 0 }, { "q", NULL, NAN } }, 2, KILN_BAD_ARGUMENT, "the weight of target 1 is" },
        { { { "p", NULL, 1e-60 } }, 1, KILN_BAD_ARGUMENT, "the weight of target 0 is 1e-60" },
        { { { "p", "hinges", 0 } }, 1, KILN_BAD_ARGUMENT, "loss 'hinges' is unknown" },
    };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(linear);
    kiln_dataset *d = data_of(others);
    const kiln_target both[] = { { "p", NULL, 0 }, { "q", NULL, 0 } };
    kiln_tensor *x = column(a);
    kiln_trainer *t;

    o.values = true;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        o.targets = wrong[k].targets;
        o.target_count = wrong[k].count;
        expect(kiln_trainer_new(&t, m, &o, &err), wrong[k].code, wrong[k].message);
    }
    o.targets = NULL;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT, "targets is NULL");
    o.targets = both;
    o.target_count = 2;
    o.data = d;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_DATA, "nothing to be predicted for output 'q'");
    o.data = NULL;
    o.sample = x;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT, "sample is of a model with one input");
    o.sample = NULL;
    o.targets = NULL;
    o.target_count = 0;
    o.data = d; /* its "r" is no output */
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT, "no output 'r'");
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_tensor_free(x);
}
END_TEST

START_TEST(batches_that_are_wrong)
{
    const kiln_target both[] = { { "p", NULL, 0 }, { "q", NULL, 0 } };
    kiln_trainer *t = trainer_of(linear, both, 2, NULL);
    kiln_tensor *x = column(a), *few = floats(2, (const int64_t[]){ 2, 1 }, a);
    const kiln_tensor *const good[] = { x, x }, *const uneven[] = { x, few }, *const none[] = { x, NULL };

    ok(kiln_trainer_step_all(t, good, good, NULL, &err));
    expect(kiln_trainer_step_all(t, uneven, good, NULL, &err), KILN_BAD_DATA, "4 samples for input 'a', but 2 for 'b'");
    expect(kiln_trainer_step_all(t, good, uneven, NULL, &err), KILN_BAD_DATA, "4 samples, but 2 labels for 'q'");
    expect(kiln_trainer_step_all(t, none, good, NULL, &err), KILN_BAD_ARGUMENT, "x[1] is NULL");
    expect(kiln_trainer_score_all(t, good, none, NULL, &err), KILN_BAD_ARGUMENT, "y[1] is NULL");
    expect(kiln_trainer_score_all(t, good, NULL, NULL, &err), KILN_BAD_ARGUMENT, "y is NULL");
    expect(kiln_trainer_predict_all(t, none, &err), KILN_BAD_ARGUMENT, "x[1] is NULL");
    expect(kiln_trainer_predict_all(t, uneven, &err), KILN_BAD_DATA, "but 2 for 'b'");
    expect(kiln_trainer_step(t, x, x, NULL, &err), KILN_BAD_ARGUMENT, "which kiln_trainer_step_all takes");
    expect(kiln_trainer_score(t, x, x, NULL, &err), KILN_BAD_ARGUMENT, "which kiln_trainer_score_all takes");
    expect(kiln_trainer_predict(t, x, &err), KILN_BAD_ARGUMENT, "which kiln_trainer_predict_all takes");
    ck_assert(!kiln_trainer_target_score(NULL, 0, NULL) && !kiln_trainer_measure_count(NULL));
    kiln_trainer_free(t);
    kiln_tensor_free(x);
    kiln_tensor_free(few);
}
END_TEST

/* What has no dimension for the samples cannot come with them. */
START_TEST(an_input_needs_a_dimension_for_the_samples)
{
    static const char text[] = HEAD "g (float[N,1] a, float c) => (float[N,1] y) <float[1,1] w = {1}>\n"
                                    "{ h = MatMul(a, w) y = Mul(h, c) }";
    kiln_model *m = open_text(text);
    kiln_trainer *t;

    expect(kiln_trainer_new(&t, m, NULL, &err), KILN_BAD_MODEL, "input 'c' is float[], must have a dimension");
    kiln_model_free(m);
}
END_TEST

/* -- samples in another dimension -- */

/* p = a u + f w + l v, of the two layers of a state. */
#define STATE(h, turned)                                                                                               \
    HEAD "g (float[N,1] a, " h " h) => (float[N,1] p)\n"                                                               \
         "<float[1,1] u = {2}, float[1,1] w = {3}, float[1,1] v = {-1}, int64 zero = {0}, int64 one = {1}>\n"          \
         "{ " turned " f = Gather(t, zero) l = Gather(t, one) i = MatMul(a, u) j = MatMul(f, w) k = MatMul(l, v)\n"    \
         "  s = Add(i, j) p = Add(s, k) }"
static const char state[] = STATE("float[2,N,1]", "t = Identity(h)");
static const char turned_state[] = STATE("float[N,2,1]", "t = Transpose <perm = [1,0,2]> (h)");
static const float layers[N][2] = { { 1, 2 }, { 3, -4 }, { 0, 1 }, { -2, .5f } };

static kiln_dataset *data_with_state(void)
{
    kiln_tensor *ta = column(a), *th = floats(3, (const int64_t[]){ N, 2, 1 }, layers[0]), *tp = column(p);
    const kiln_column x[] = { { "a", ta }, { "h", th } }, y = { "p", tp };
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d;

    o.values = true;
    ok(kiln_dataset_new_of(&d, x, 2, &y, 1, &o, &err));
    kiln_tensor_free(ta);
    kiln_tensor_free(th);
    kiln_tensor_free(tp);
    return d;
}

/* Data have a state for each sample. */
START_TEST(samples_come_first_where_the_model_has_them_later)
{
    const char *const texts[] = { turned_state, state };
    kiln_dataset *d = data_with_state();
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    float u[2], w[2];
    double loss = 0;

    for (int k = 0; k < N; k++)
        loss += pow(2 * (double)a[k] + 3 * (double)layers[k][0] - (double)layers[k][1] - (double)p[k], 2) / N;
    o.batch = 3; /* the last one has fewer */
    o.epochs = 2;
    for (int k = 0; k < 2; k++) {
        kiln_trainer *t = trainer_of(texts[k], NULL, 0, d);
        double values[8];

        ck_assert_int_eq(kiln_trainer_input(t, 1)->rank, 3);
        ck_assert_int_eq(kiln_trainer_input(t, 1)->dims[1], 2);
        ok(kiln_trainer_evaluate(t, d, 3, values, &err));
        ck_assert_double_eq_tol(values[0], loss, 1e-4);
        ok(kiln_trainer_fit(t, d, &o, NULL, &err));
        u[k] = value_of(t, "u", "value");
        w[k] = value_of(t, "w", "value");
        kiln_trainer_free(t);
    }
    ck_assert(u[0] == u[1] && w[0] == w[1] && w[0] != 3);
    kiln_dataset_free(d);
}
END_TEST

static bool look(void *user, const kiln_tensor *const *x, int64_t first, int64_t count)
{
    const int64_t *dims = kiln_tensor_dims(x[1]);

    ck_assert(dims[0] == 2 && dims[1] == count && dims[2] == 1);
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            ck_assert(floats_of(x[1])[k * count + i] == layers[first + i][k]);
    *(int64_t *)user += count;
    return true;
}

/* A session takes what the model declares. */
START_TEST(batches_have_samples_where_the_model_has_them)
{
    const int64_t samples[] = { 3, 1 };
    kiln_dataset *d = data_with_state();
    kiln_model *m = open_text(state);
    kiln_tensor *x[2];
    int64_t seen = 0;

    ok(kiln_dataset_each(d, m, 3, false, look, &seen, &err));
    ck_assert_int_eq(seen, N);
    ok(kiln_dataset_batch(x, d, m, samples, 2, &err));
    ck_assert_mem_eq(floats_of(x[1]), ((const float[]){ -2, 3, .5f, -4 }), 16);
    kiln_tensor_free(x[0]);
    kiln_tensor_free(x[1]);
    kiln_model_free(m);
    kiln_dataset_free(d);
}
END_TEST

/* A label is named by its place in the data, and by what the model can tell apart. */
START_TEST(a_label_that_is_no_class_is_found)
{
    static const char text[] = HEAD "g (float[N,1] a) => (float[N,2] y) <float[1,2] w = {1, 2}>\n"
                                    "{ h = MatMul(a, w) y = Softmax(h) }";
    const int64_t labels[N] = { 0, 1, 2, 1 };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_fit_options fit = KILN_FIT_OPTIONS_INIT;
    kiln_tensor *x = column(a), *y;
    kiln_model *m = open_text(text);
    kiln_dataset *d;
    kiln_trainer *t;

    ok(kiln_tensor_new(&y, KILN_INT64, 1, (const int64_t[]){ N }, labels, &err));
    ok(kiln_dataset_new(&d, x, y, NULL, &err));
    o.loss = "sparse_categorical_crossentropy";
    o.data = d;
    ok(kiln_trainer_new(&t, m, &o, &err));
    fit.batch = 2;
    for (fit.seed = 0; fit.seed < 3; fit.seed++)
        expect(kiln_trainer_fit(t, d, &fit, NULL, &err), KILN_BAD_DATA,
               "label 2 of sample 2, the model tells 2 classes apart");
    kiln_trainer_free(t);
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("several");

    add_test(s, losses_count_as_often_as_their_weights_say);
    add_test(s, two_losses_may_read_one_value);
    add_test(s, parameters_of_other_outputs_stay);
    add_test(s, columns_find_their_inputs_and_outputs_by_name);
    add_test(s, columns_come_in_any_order);
    add_test(s, columns_are_normalised_by_name);
    add_test(s, columns_are_what_is_said_of_their_targets);
    add_test(s, measures_are_told_apart);
    add_test(s, a_trainer_may_only_measure);
    add_test(s, what_is_no_float_is_not_normalised);
    add_test(s, columns_that_are_wrong);
    add_test(s, trainers_that_are_wrong);
    add_test(s, batches_that_are_wrong);
    add_test(s, an_input_needs_a_dimension_for_the_samples);
    add_test(s, samples_come_first_where_the_model_has_them_later);
    add_test(s, batches_have_samples_where_the_model_has_them);
    add_test(s, a_label_that_is_no_class_is_found);
    return s;
}
