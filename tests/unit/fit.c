/* What Keras' fit takes beside data and epochs. */
#include "fitting.h"
#include <math.h>

/* Two epochs of 3 steps see what one of 6 sees; a third one begins anew. */
START_TEST(an_epoch_may_be_a_number_of_steps)
{
    kiln_dataset *d = make_data(SAMPLES, .5f);
    kiln_trainer *t = make_trainer(net, d, "adam"), *u = make_trainer(net, d, "adam");
    struct told told = { 0 }, halves = { 0 };
    kiln_fit_options o = fit_options(&told, NULL);
    struct bytes need;
    int64_t ran;

    o.epochs = 2;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    need = model_of(t);
    o = fit_options(&halves, NULL);
    o.epochs = 4;
    o.steps_per_epoch = STEPS / 2;
    ok(kiln_trainer_fit(u, d, &o, &ran, &err));
    ck_assert(ran == 4 && halves.epochs == 4 && halves.steps == 2 * STEPS);
    ck_assert_double_eq_tol(halves.loss[1] * 12 + halves.loss[2] * 10, told.loss[1] * SAMPLES, 1e-12);
    expect_same(u, &need);
    o.steps_per_epoch = INT64_MAX / 2;
    expect(kiln_trainer_fit(u, d, &o, &ran, &err), KILN_BAD_ARGUMENT, "more than can be counted");
    free(need.data);
    kiln_trainer_free(t);
    kiln_trainer_free(u);
    kiln_dataset_free(d);
}
END_TEST

/* Epochs that are said to lie behind are numbered, and have had their order of the samples. */
START_TEST(a_training_may_begin_later)
{
    kiln_dataset *d = make_data(SAMPLES, .5f);

    for (int64_t steps = 0; steps <= STEPS + 1; steps += STEPS + 1) {
        kiln_trainer *t = make_trainer(net, d, "sgd"), *u = make_trainer(net, d, "sgd");
        struct told told = { 0 }, later = { 0 };
        kiln_fit_options o = fit_options(&told, NULL);
        struct bytes need;
        int64_t ran;

        o.steps_per_epoch = steps;
        ok(kiln_trainer_fit(t, d, &o, NULL, &err));
        need = model_of(t);
        o.epochs = 1;
        ok(kiln_trainer_fit(u, d, &o, NULL, &err));
        o.user = &later;
        o.epochs = EPOCHS;
        o.initial_epoch = 1;
        ok(kiln_trainer_fit(u, d, &o, &ran, &err));
        ck_assert(ran == EPOCHS && later.epochs == EPOCHS - 1 && later.loss[EPOCHS] == told.loss[EPOCHS]);
        expect_same(u, &need);
        o.initial_epoch = -1;
        expect(kiln_trainer_fit(u, d, &o, &ran, &err), KILN_BAD_ARGUMENT, "initial_epoch is -1, must be at least 0");
        free(need.data);
        kiln_trainer_free(t);
        kiln_trainer_free(u);
    }
    kiln_dataset_free(d);
}
END_TEST

START_TEST(validation_may_be_seldom_and_short)
{
    kiln_dataset *d = make_data(SAMPLES, .5f), *check = make_data(8, .5f), *half = make_data(BATCH, .5f);
    kiln_trainer *t = make_trainer(net, d, "sgd"), *u = make_trainer(net, d, "sgd");
    struct told told = { 0 }, of_half = { 0 };
    kiln_fit_options o = fit_options(&told, check);

    o.validation_freq = 2;
    o.validation_steps = 1;
    o.epochs = 6;
    o.early_stop = "val_loss";
    o.patience = 2; /* epochs that are not validated do not count */
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    ck_assert(told.epochs == 6 && isnan(told.validation[1]) && !isnan(told.validation[2]) && isnan(told.validation[5]));
    o = fit_options(&of_half, half);
    o.epochs = 2;
    ok(kiln_trainer_fit(u, d, &o, NULL, &err));
    ck_assert_double_eq(of_half.validation[2], told.validation[2]);
    kiln_trainer_free(t);
    kiln_trainer_free(u);
    kiln_dataset_free(half);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
}
END_TEST

/* With a learning rate that is far too high the first epoch is the best. */
START_TEST(the_best_values_come_back)
{
    kiln_dataset *d = make_data(SAMPLES, .5f), *check = make_data(7, .25f);
    kiln_trainer *t = make_trainer(net, d, "sgd:learning_rate=20"), *u = make_trainer(net, d, "sgd:learning_rate=20");
    struct told told = { 0 }, one = { 0 };
    kiln_fit_options o = fit_options(&told, check);
    struct bytes need;
    int best = 1;

    start();
    o.epochs = 12;
    o.restore_best = "val_loss";
    o.checkpoint = file;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    for (int k = 2; k <= 12; k++)
        best = told.validation[k] < told.validation[best] ? k : best;
    ck_assert_int_lt(best, 12); /* or it shows nothing */
    o = fit_options(&one, check);
    o.epochs = best;
    ok(kiln_trainer_fit(u, d, &o, NULL, &err));
    need = model_of(u);
    expect_same(t, &need);
    kiln_trainer_free(t);
    t = make_trainer(net, d, "sgd:learning_rate=20");
    o = fit_options(&told, check);
    o.epochs = 12;
    o.restore_best = "val_loss";
    o.resume = file; /* the checkpoint has them, too */
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    expect_same(t, &need);
    o.resume = NULL;
    o.restore_best = "val_nothing";
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "val_nothing");
    o.restore_best = "val_loss";
    o.validation = NULL;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "needs validation data");
    free(need.data);
    kiln_trainer_free(t);
    kiln_trainer_free(u);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
    end();
}
END_TEST

struct begun {
    kiln_trainer *trainer;
    int64_t epochs[EPOCHS], steps[EPOCHS]; /* in the order of the calls */
    int count, stop_at;
    bool sets;
};

static bool note_begin(void *user, int64_t epoch)
{
    struct begun *b = user;

    b->steps[b->count] = kiln_trainer_steps(b->trainer);
    b->epochs[b->count++] = epoch;
    if (b->sets)
        ok(kiln_trainer_set_learning_rate(b->trainer, epoch == 2 ? 0 : .1, &err));
    return b->count != b->stop_at;
}

/* Each is told of before its first step, which takes the learning rate that is set then. */
START_TEST(an_epoch_is_told_of_when_it_begins)
{
    kiln_dataset *d = make_data(SAMPLES, .5f);
    struct begun b = { .sets = true };
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    struct bytes one, none;
    int64_t ran;

    b.trainer = make_trainer(net, d, "sgd");
    o.begin = note_begin;
    o.user = &b;
    o.batch = BATCH;
    o.epochs = 1;
    ok(kiln_trainer_fit(b.trainer, d, &o, NULL, &err));
    one = model_of(b.trainer);
    o.initial_epoch = 1;
    o.epochs = EPOCHS;
    b.stop_at = 3; /* of the third epoch nothing is trained */
    expect(kiln_trainer_fit(b.trainer, d, &o, &ran, &err), KILN_STOPPED, "stopped");
    ck_assert(ran == 2 && b.count == 3 && b.epochs[0] == 1 && b.epochs[1] == 2 && b.epochs[2] == 3);
    ck_assert(b.steps[0] == 0 && b.steps[1] == STEPS && b.steps[2] == 2 * STEPS);
    none = model_of(b.trainer); /* but for the statistics nothing has changed */
    ck_assert(none.count == one.count && memcmp(one.data, none.data, one.count) != 0);
    ck_assert_double_eq(kiln_trainer_learning_rate(b.trainer), .1);
    free(one.data);
    free(none.data);
    kiln_trainer_free(b.trainer);
    kiln_dataset_free(d);
}
END_TEST

/* Keras: an improvement by less than min_delta is none. */
START_TEST(a_small_improvement_is_none)
{
    kiln_dataset *d = make_data(SAMPLES, .5f);
    kiln_trainer *t = make_trainer(net, d, "sgd:learning_rate=0.001");
    struct told told = { 0 };
    kiln_fit_options o = fit_options(&told, NULL);
    int64_t ran;

    start();
    o.epochs = 20;
    o.early_stop = "loss";
    o.patience = 2;
    o.min_delta = 10;
    o.checkpoint = file;
    ok(kiln_trainer_fit(t, d, &o, &ran, &err));
    ck_assert_int_eq(ran, 3); /* the first improves on nothing, two do not */
    o.resume = file;
    told = (struct told){ 0 };
    ok(kiln_trainer_fit(t, d, &o, &ran, &err)); /* has ended */
    ck_assert(ran == 3 && told.epochs == 0 && told.past == 3);
    o.min_delta = -1;
    expect(kiln_trainer_fit(t, d, &o, &ran, &err), KILN_BAD_ARGUMENT, "min_delta -1");
    kiln_trainer_free(t);
    kiln_dataset_free(d);
    end();
}
END_TEST

/* Three classes from `first` on, but for the label of one sample. */
static kiln_dataset *labelled(int64_t first, int64_t sample, int64_t label)
{
    const int64_t x_dims[] = { SAMPLES, 2 }, y_dims[] = { SAMPLES };
    float x[2 * SAMPLES] = { 1, 2, 3 };
    int64_t y[SAMPLES];
    kiln_tensor *tx, *ty;
    kiln_dataset *d;

    for (int64_t k = 0; k < SAMPLES; k++)
        y[k] = k == sample ? label : first + k % 3;
    ok(kiln_tensor_wrap(&tx, KILN_FLOAT, 2, x_dims, x, sizeof x, &err));
    ok(kiln_tensor_wrap(&ty, KILN_INT64, 1, y_dims, y, sizeof y, &err));
    ok(kiln_dataset_new(&d, tx, ty, NULL, &err));
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
    return d;
}

static const char scores[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                             "net (float[N,2] x) => (float[N,3] y)\n"
                             "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}> { y = MatMul(x, w) }";

static const char several[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                              "net (float[N,2] x) => (float[N,3] y)\n"
                              "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}> { m = MatMul(x, w) y = Sigmoid(m) }";

/* Nothing is learned before all labels were looked at, of what trains and of what validates. */
START_TEST(wrong_labels_are_told_first)
{
    static const struct {
        const char *text;
        int64_t first, sample, label;
        bool validation;
        const char *says;
    } cases[] = {
        { net, 0, SAMPLES - 1, 3, false, "label 3 of sample 21, the model tells 3 classes apart, from 0 to 2" },
        { net, 0, 5, 7, true, "label 7 of sample 5, the model tells 3 classes apart, from 0 to 2" },
        { net, 1, -1, 0, false, "label 3 of sample 2, the model tells 3 classes apart, from 0 to 2: these begin at 1" },
        { scores, 1, -1, 0, false,
          "label 3 of sample 2, the model tells 3 classes apart, from 0 to 2: these begin at 1" },
        { scores, 0, SAMPLES - 1, 3, false, "label 3 of sample 21, the model tells 3 classes apart, from 0 to 2" },
        { several, 1, -1, 0, false,
          "label 3 of sample 2, the model tells 3 classes apart, from 0 to 2: these begin at 1" },
        { several, 0, 4, 5, false, "label 5 of sample 4, the model tells 3 classes apart, from 0 to 2" },
        { scores, 0, 2, 3, true, "label 3 of sample 2," },
    };
    kiln_dataset *good = labelled(0, -1, 0), *bad = labelled(cases[_i].first, cases[_i].sample, cases[_i].label);
    const bool validation = cases[_i].validation;
    kiln_trainer *t = make_trainer(cases[_i].text, validation ? good : bad, "sgd");
    struct told told = { .began_steps = -1 };
    kiln_fit_options o = fit_options(&told, validation ? bad : good);
    int64_t ran;

    o.in_order = true;
    expect(kiln_trainer_fit(t, validation ? good : bad, &o, &ran, &err), KILN_BAD_DATA, cases[_i].says);
    ck_assert(ran == 0 && told.steps == 0 && told.began_steps == -1);
    o.validation = good;
    ok(kiln_trainer_fit(t, good, &o, &ran, &err));
    ck_assert(ran == EPOCHS && told.epochs == EPOCHS); /* as if nothing had been */
    kiln_trainer_free(t);
    kiln_dataset_free(good);
    kiln_dataset_free(bad);
}
END_TEST

START_TEST(wrong_probabilities_are_told_first)
{
    const int64_t x_dims[] = { SAMPLES, 2 }, y_dims[] = { SAMPLES, 3 };
    float x[2 * SAMPLES] = { 1, 2, 3 }, y[3 * SAMPLES] = { .5f, 1, 0 };
    struct told told = { .began_steps = -1 };
    kiln_fit_options o = fit_options(&told, NULL);
    kiln_tensor *tx, *ty;
    kiln_dataset *d;
    kiln_trainer *t;

    y[3 * SAMPLES - 2] = 1.5f;
    ok(kiln_tensor_wrap(&tx, KILN_FLOAT, 2, x_dims, x, sizeof x, &err));
    ok(kiln_tensor_wrap(&ty, KILN_FLOAT, 2, y_dims, y, sizeof y, &err));
    ok(kiln_dataset_new(&d, tx, ty, NULL, &err));
    t = make_trainer(several, d, "sgd");
    o.in_order = true;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_DATA, "for sample 21 is 1.5, the loss needs probabilities");
    ck_assert(told.steps == 0 && told.began_steps == -1);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
}
END_TEST

/* Momentum .9 leaves more than a tenth of what running statistics began with after 18 steps, of what they are then no more
 * is known. */
START_TEST(statistics_that_lag_are_told)
{
    static const char far[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                              "net (float[N,2] x) => (float[N,3] y)\n"
                              "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}, float[3] one = {1, 1, 1},\n"
                              " float[3] b = {0, 0.1, 0.2}, float[3] mean = {0, 0, 0}, float[3] var = {1, 1, 2}>\n"
                              "{ m = MatMul(x, w) n = BatchNormalization(m, one, b, mean, var) y = Softmax(n) }";
    static const struct {
        const char *text;
        int epochs, told;
    } cases[] = { { net, 3, 1 }, { net, 4, 0 }, { far, 3, 0 } };
    const kiln_context_options with = { .size = sizeof with, .diagnostic = count_warnings };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        kiln_dataset *d = make_data(SAMPLES, .5f);
        kiln_context *context;
        kiln_trainer *t;
        struct told told = { 0 };
        kiln_fit_options o = fit_options(&told, NULL);

        ok(kiln_context_new(&context, &with, &err));
        t = make_trainer_in(context, cases[k].text, d, "sgd");
        o.epochs = cases[k].epochs;
        warnings = 0;
        ok(kiln_trainer_fit(t, d, &o, NULL, &err));
        ck_assert_int_eq(warnings, cases[k].told);
        ok(kiln_trainer_fit(t, d, &o, NULL, &err));
        ck_assert_int_eq(warnings, cases[k].told);
        kiln_trainer_free(t);
        kiln_context_free(context);
        kiln_dataset_free(d);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("fit");

    add_test(s, an_epoch_may_be_a_number_of_steps);
    add_test(s, a_training_may_begin_later);
    add_test(s, validation_may_be_seldom_and_short);
    add_test(s, the_best_values_come_back);
    add_test(s, an_epoch_is_told_of_when_it_begins);
    add_test(s, a_small_improvement_is_none);
    add_tests(s, wrong_labels_are_told_first, 8);
    add_test(s, wrong_probabilities_are_told_first);
    add_test(s, statistics_that_lag_are_told);
    return s;
}
