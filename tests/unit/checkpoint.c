/* Trainings that stop and go on, as a program that has nothing but kiln.h has them. */
#include "fitting.h"
#include <sys/stat.h>

/* Whatever the step after which it stops, going on gives the same bytes and has the same told. */
START_TEST(a_training_goes_on_where_it_was)
{
    kiln_dataset *d = make_data(SAMPLES, .5f), *check = make_data(7, .25f);
    kiln_trainer *t = make_trainer(net, d, "adam:learning_rate=0.05");
    struct told whole = { 0 };
    kiln_fit_options o = fit_options(&whole, check);
    struct bytes need;

    start();
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    ck_assert(whole.epochs == EPOCHS && whole.steps == EPOCHS * STEPS && kiln_trainer_steps(t) == EPOCHS * STEPS);
    need = model_of(t);
    kiln_trainer_free(t);
    for (int64_t stop = 1; stop < EPOCHS * STEPS; stop++) {
        struct told first = { .stop_at = stop }, second = { 0 };
        int64_t ran;

        o = fit_options(&first, check);
        o.checkpoint = file;
        t = make_trainer(net, d, "adam:learning_rate=0.05");
        expect(kiln_trainer_fit(t, d, &o, &ran, &err), KILN_STOPPED, "stopped");
        ck_assert_int_eq(ran, (stop - 1) / STEPS);
        kiln_trainer_free(t);
        o = fit_options(&second, check);
        o.resume = file;
        t = make_trainer(net, d, "adam:learning_rate=0.05");
        ok(kiln_trainer_fit(t, d, &o, &ran, &err));
        ck_assert(ran == EPOCHS && second.began_steps == stop && second.began_epochs == (stop - 1) / STEPS);
        ck_assert(second.past == second.began_epochs && second.past + second.epochs == EPOCHS);
        for (int k = 1; k <= EPOCHS; k++)
            ck_assert(second.loss[k] == whole.loss[k] && second.validation[k] == whole.validation[k]);
        expect_same(t, &need);
        kiln_trainer_free(t);
    }
    free(need.data);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
    end();
}
END_TEST

/* What is drawn for samples depends on the seed, the pass and the sample alone: neither on threads nor on a stop. What is
 * validated with stays as it is. */
START_TEST(an_augmented_training_goes_on_where_it_was)
{
    kiln_dataset *plain = make_samples(SAMPLES, .5f, true), *check = make_samples(7, .25f, true), *d, *turned, *rest;
    kiln_dataset *made[3];
    kiln_model *m = open_text(net);
    struct bytes need = { 0 }, without = { 0 };
    double loss = 0;

    ok(kiln_dataset_augment(&d, plain, "height_shift_range=0.5,vertical_flip=1,channel_shift_range=0.5", &err));
    ok(kiln_dataset_augment(&turned, check, "vertical_flip=1,rotation_range=90", &err));
    start();
    for (int threads = 0; threads < 5; threads++) { /* 0: without augmentation */
        kiln_context *context = new_context(threads ? threads : 1, 0);
        kiln_trainer *t = make_trainer_in(context, net, d, "adam:learning_rate=0.05");
        struct told told = { 0 };
        kiln_fit_options o = fit_options(&told, threads & 1 ? check : turned);
        double means[16];

        ok(kiln_trainer_fit(t, threads ? d : plain, &o, NULL, &err));
        ok(kiln_trainer_evaluate(t, turned, BATCH, means, &err));
        if (threads < 2)
            *(threads ? &need : &without) = model_of(t);
        else
            expect_same(t, &need);
        loss = threads == 1 ? told.validation[EPOCHS] : loss;
        ck_assert(threads < 1 || (told.validation[EPOCHS] == loss && means[0] == loss));
        kiln_trainer_free(t);
        kiln_context_free(context);
    }
    ck_assert(need.count != without.count || memcmp(need.data, without.data, need.count) != 0);
    for (int64_t stop = 1; stop < EPOCHS * STEPS; stop += 4) {
        struct told told = { .stop_at = stop };
        kiln_fit_options o = fit_options(&told, check);
        kiln_trainer *t = make_trainer(net, d, "adam:learning_rate=0.05");

        o.checkpoint = file;
        expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_STOPPED, "stopped");
        kiln_trainer_free(t);
        told.stop_at = 0;
        o.resume = file;
        t = make_trainer(net, d, "adam:learning_rate=0.05");
        ok(kiln_trainer_fit(t, d, &o, NULL, &err));
        expect_same(t, &need);
        kiln_trainer_free(t);
    }
    /* parts and normalised sets are augmented, too */
    ok(kiln_dataset_split(&made[0], &rest, d, .5, &err));
    ok(kiln_dataset_normalize(&made[1], d, "none", NULL, &err));
    ok(kiln_dataset_normalize_for(&made[2], d, m, &err));
    for (int k = 0; k < 3; k++) {
        struct told told[2] = { { 0 } };

        for (int with = 0; with < 2; with++) {
            kiln_trainer *t = make_trainer(net, d, "sgd");
            kiln_fit_options o = fit_options(&told[with], NULL);
            kiln_dataset *a, *b;

            ok(kiln_dataset_split(&a, &b, plain, .5, &err));
            ok(kiln_trainer_fit(t, with ? made[k] : k ? plain : a, &o, NULL, &err));
            kiln_dataset_free(a);
            kiln_dataset_free(b);
            kiln_trainer_free(t);
        }
        ck_assert(told[0].loss[1] != told[1].loss[1]);
        kiln_dataset_free(made[k]);
    }
    free(need.data);
    free(without.data);
    kiln_model_free(m);
    kiln_dataset_free(rest);
    kiln_dataset_free(turned);
    kiln_dataset_free(d);
    kiln_dataset_free(check);
    kiln_dataset_free(plain);
    end();
}
END_TEST

/* Killed, not stopped: what the last checkpoint has is done again. */
START_TEST(checkpoints_come_with_steps_and_epochs)
{
    kiln_dataset *d = make_data(SAMPLES, .5f);
    kiln_trainer *t = make_trainer(net, d, "sgd:momentum=0.9");
    struct told told = { 0 };
    kiln_fit_options o = fit_options(&told, NULL);
    struct bytes need;

    start();
    o.checkpoint = file;
    o.checkpoint_steps = 4;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    need = model_of(t);
    kiln_trainer_free(t);
    o.resume = file;
    told = (struct told){ 0 };
    t = make_trainer(net, d, "sgd:momentum=0.9");
    ok(kiln_trainer_fit(t, d, &o, NULL, &err)); /* the last one is of the end */
    ck_assert(told.steps == 0 && told.epochs == 0 && told.past == EPOCHS);
    expect_same(t, &need);
    kiln_trainer_free(t);
    o.epochs++;
    t = make_trainer(net, d, "sgd:momentum=0.9");
    ok(kiln_trainer_fit(t, d, &o, NULL, &err)); /* one epoch more */
    ck_assert(told.steps == STEPS && told.epochs == 1);
    kiln_trainer_free(t);
    free(need.data);
    kiln_dataset_free(d);
    end();
}
END_TEST

static void refuse(const char *text, const kiln_dataset *d, const char *optimizer, const char *why)
{
    struct told told = { 0 };
    kiln_fit_options o = fit_options(&told, NULL);
    kiln_trainer *t = make_trainer(text, d, optimizer);
    struct bytes before = model_of(t);

    o.resume = file;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_DATA, why);
    ck_assert_int_eq(told.steps, 0);
    expect_same(t, &before);
    free(before.data);
    kiln_trainer_free(t);
}

/* An element of an array that comes late: what is before it must not have been taken up. */
static void damage(const char *array)
{
    enum { HEADERS = 164 }; /* from the name on */
    static char bytes[1 << 16];
    FILE *f = fopen(file, "r+b");
    size_t n;
    char *at;

    ck_assert_ptr_nonnull(f);
    n = fread(bytes, 1, sizeof bytes, f);
    at = memmem(bytes, n, array, strlen(array));
    ck_assert_ptr_nonnull(at);
    fseek(f, at - bytes + HEADERS, SEEK_SET);
    fputc(at[HEADERS] ^ 1, f);
    fclose(f);
}

START_TEST(what_is_of_another_training_is_refused)
{
    static const char deeper[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                                 "other (float[N,2] x) => (float[N,3] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> {\n"
                                 "    m = MatMul(x, w) y = Softmax(m)\n}";
    kiln_dataset *d = make_data(SAMPLES, .5f), *few = make_data(SAMPLES - 1, .5f),
                 *same_shape = make_data(SAMPLES, .25f);
    kiln_trainer *t = make_trainer(net, d, "adam");
    struct told told = { .stop_at = 3 };
    kiln_fit_options o = fit_options(&told, NULL);

    start();
    o.checkpoint = file;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_STOPPED, "");
    kiln_trainer_free(t);
    refuse(deeper, d, "adam", "model 'net'");
    refuse(net, d, "sgd", "it has \"optimizer adam\"");
    refuse(net, d, "adam:amsgrad=1", "optimizer 'adam' keeps 'velocity_hat' for ");
    refuse(net, d, "adam:use_ema=1", "keeps 'moving_average' for ");
    refuse(net, few, "adam", "data 22 samples");
    refuse(net, same_shape, "adam", "check sum");
    damage("velocity/b.npy");
    refuse(net, d, "adam", "check sum is wrong");
    ok(kiln_file_write(NULL, file, "none", 4, &err));
    refuse(net, d, "adam", "not a sound ZIP archive");
    kiln_dataset_free(same_shape);
    kiln_dataset_free(few);
    kiln_dataset_free(d);
    end();
}
END_TEST

static char inner[96];

static bool remove_directory(void *user, const kiln_fit_step *s)
{
    (void)user;
    (void)s;
    unlink(inner);
    rmdir(other);
    return true;
}

START_TEST(other_settings_are_told)
{
    kiln_dataset *plain = make_samples(SAMPLES, .5f, true), *d;
    kiln_context_options c = KILN_CONTEXT_OPTIONS_INIT;
    kiln_trainer_options with = KILN_TRAINER_OPTIONS_INIT;
    kiln_trainer *t;
    struct told told = { .stop_at = 3 };
    kiln_fit_options o = fit_options(&told, NULL);
    kiln_model *m = open_text(net);
    kiln_context *context;

    ok(kiln_dataset_augment(&d, plain, "vertical_flip=1", &err));
    t = make_trainer(net, d, "adam");
    start();
    o.checkpoint = file;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_STOPPED, "");
    kiln_trainer_free(t);
    c.diagnostic = count_warnings;
    ok(kiln_context_new(&context, &c, &err));
    with.context = context;
    with.data = d;
    with.seed = 4; /* not 3 */
    ok(kiln_trainer_new(&t, m, &with, &err));
    told.stop_at = 0;
    o.resume = file;
    o.batch = BATCH + 1;
    o.seed = 8;
    o.in_order = true;
    warnings = 0;
    ok(kiln_trainer_fit(t, plain, &o, NULL, &err));
    ck_assert_int_eq(warnings, 5); /* Dropout's seed, batch, order and its seed, augmentation */
    /* where it cannot be written from the start that is an error; later on training goes on */
    o.resume = NULL;
    o.checkpoint = "/proc/none/checkpoint.npz";
    o.epochs = 2;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_IO, "no directory");
    ck_assert_int_eq(mkdir(other, 0777), 0);
    snprintf(inner, sizeof inner, "%s/checkpoint.npz", other);
    o.checkpoint = inner;
    o.step = remove_directory;
    warnings = 0;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    ck_assert_int_eq(warnings, 2); /* one for each epoch */
    kiln_trainer_free(t);
    kiln_context_free(context);
    kiln_model_free(m);
    kiln_dataset_free(d);
    kiln_dataset_free(plain);
    end();
}
END_TEST

/* What was best by another measure, or by none, says nothing of the one that is asked for now. */
START_TEST(another_measure_begins_anew)
{
    kiln_dataset *d = make_data(SAMPLES, .5f), *check = make_data(7, .25f);
    kiln_trainer *t = make_trainer(net, d, "sgd:learning_rate=0.001");
    struct told told = { 0 };
    kiln_fit_options o = fit_options(&told, check);
    int64_t ran;

    start();
    o.checkpoint = file;
    o.early_stop = "accuracy"; /* which hardly ever improves here */
    o.patience = 1;
    o.min_delta = .9;
    ok(kiln_trainer_fit(t, d, &o, &ran, &err));
    ck_assert_int_eq(ran, 2);
    o.resume = file;
    ok(kiln_trainer_fit(t, d, &o, &ran, &err));
    ck_assert_int_eq(ran, 2); /* it has ended */
    o.patience = 2;
    ok(kiln_trainer_fit(t, d, &o, &ran, &err));
    ck_assert_int_eq(ran, 3); /* one more without improvement */
    o.early_stop = "loss";
    o.best = "loss";
    o.restore_best = "val_loss"; /* of which the checkpoint has nothing */
    o.epochs = 4;
    told = (struct told){ 0 };
    ok(kiln_trainer_fit(t, d, &o, &ran, &err));
    ck_assert(ran == 4 && told.past == 3 && told.past_best == 0 && told.best == 1);
    o.epochs = 3;
    expect(kiln_trainer_fit(t, d, &o, &ran, &err), KILN_BAD_ARGUMENT, "4 epochs lie behind, and epochs is 3");
    kiln_trainer_free(t);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
    end();
}
END_TEST

/* -- a loop of one's own -- */

static void take_steps(kiln_trainer *t, int count)
{
    const int64_t x_dims[] = { BATCH, 2 }, y_dims[] = { BATCH };

    for (int k = 0; k < count; k++) {
        const int64_t step = kiln_trainer_steps(t);
        float x[BATCH][2];
        int64_t y[BATCH];
        kiln_tensor *tx, *ty;

        for (int i = 0; i < BATCH; i++) {
            x[i][0] = (float)((step + i) % 5) - 2;
            x[i][1] = (float)(step * i % 3) - 1;
            y[i] = (step + i) % 3;
        }
        ok(kiln_tensor_wrap(&tx, KILN_FLOAT, 2, x_dims, x, sizeof x, &err));
        ok(kiln_tensor_wrap(&ty, KILN_INT64, 1, y_dims, y, sizeof y, &err));
        ok(kiln_trainer_step(t, tx, ty, NULL, &err));
        kiln_tensor_free(tx);
        kiln_tensor_free(ty);
    }
}

/* A rate that was set lasts as well. */
START_TEST(the_learning_rate_is_part_of_the_state)
{
    kiln_trainer *t = make_trainer(net, NULL, "sgd"), *u = make_trainer(net, NULL, "sgd");

    start();
    ok(kiln_trainer_set_learning_rate(t, .25, &err));
    ok(kiln_trainer_save_state(t, file, &err));
    ok(kiln_trainer_load_state(u, file, &err));
    ck_assert_double_eq(kiln_trainer_learning_rate(u), .25);
    kiln_trainer_free(t);
    kiln_trainer_free(u);
    end();
}
END_TEST

START_TEST(the_state_is_saved_and_taken_up)
{
    static const char *const optimizers[] = { "adam", "sgd", "rmsprop:centered=1,momentum=0.9" };

    start();
    for (size_t k = 0; k < sizeof optimizers / sizeof *optimizers; k++) {
        kiln_trainer *t = make_trainer(net, NULL, optimizers[k]);
        struct bytes need;

        take_steps(t, 5);
        ok(kiln_trainer_save_state(t, file, &err));
        take_steps(t, 5);
        need = model_of(t);
        ok(kiln_trainer_load_state(t, file, &err)); /* back */
        ck_assert_int_eq(kiln_trainer_steps(t), 5);
        take_steps(t, 5);
        expect_same(t, &need);
        kiln_trainer_free(t);
        t = make_trainer(net, NULL, optimizers[k]); /* another time */
        ok(kiln_trainer_load_state(t, file, &err));
        ok(kiln_trainer_save_state(t, other, &err));
        take_steps(t, 5);
        expect_same(t, &need);
        kiln_trainer_free(t);
        free(need.data);
    }
    end();
}
END_TEST

START_TEST(arguments_are_looked_at)
{
    kiln_trainer *t = make_trainer(net, NULL, "adam");

    start();
    expect(kiln_trainer_save_state(NULL, file, &err), KILN_BAD_ARGUMENT, "trainer is NULL");
    expect(kiln_trainer_save_state(t, NULL, &err), KILN_BAD_ARGUMENT, "path is NULL");
    expect(kiln_trainer_load_state(NULL, file, &err), KILN_BAD_ARGUMENT, "trainer is NULL");
    expect(kiln_trainer_load_state(t, NULL, &err), KILN_BAD_ARGUMENT, "path is NULL");
    expect(kiln_trainer_load_state(t, file, &err), KILN_IO, "cannot be opened");
    expect(kiln_trainer_save_state(t, "/proc/none/x", &err), KILN_IO, "");
    ck_assert_int_eq(kiln_trainer_steps(NULL), 0);
    kiln_trainer_free(t);
    end();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("checkpoint");

    add_test(s, a_training_goes_on_where_it_was);
    add_test(s, an_augmented_training_goes_on_where_it_was);
    add_test(s, checkpoints_come_with_steps_and_epochs);
    add_test(s, what_is_of_another_training_is_refused);
    add_test(s, other_settings_are_told);
    add_test(s, another_measure_begins_anew);
    add_test(s, the_state_is_saved_and_taken_up);
    add_test(s, the_learning_rate_is_part_of_the_state);
    add_test(s, arguments_are_looked_at);
    return s;
}
