/* What is another when a training goes on from a checkpoint is told by its name. */
#include "comma.h"
#include "fitting.h"

/* -- what is told -- */

static char said[8192]; /* all warnings, each with a newline */

static void note_warning(void *user, kiln_status code, const char *where, const char *message)
{
    const size_t n = strlen(said);

    count_warnings(user, code, where, message);
    snprintf(said + n, sizeof said - n, "%s\n", message);
}

/* A training as it began and, after that, with something else: what is NULL or 0 is as it was. */
struct asked {
    const char *now, *was; /* what is to be told of it; NULL: nothing */
    const char *optimizer, *schedule, *loss, *class_weight, *metric, *normalize, *augment;
    double weight, rate;
    kiln_rate_factor factor;
    kiln_regularizer penalty;
    const char *decayless;
    bool exact, in_order, without_validation, keeps_more;
    int told; /* how many warnings there are; 0: one */
    uint64_t dropout_seed, seed;
    int64_t batch, steps_per_epoch, validation_freq, validation_steps, patience, class_axis, bptt;
    const char *early_stop, *restore_best, *save_best, *plateau;
    double min_delta;
    int64_t validation_samples;
};

static const struct asked others[] = {
    { .told = -1 },
    { .keeps_more = true, .told = -1 }, /* epochs, threads, how much is told and kept */
    { "learning_rate 0.02", "learning_rate 0.05", .optimizer = "adam:learning_rate=0.02,weight_decay=0.125" },
    { "learning_rate 0.5", "learning_rate 0.05", .rate = .5 },
    { "optimizer_options beta_1=0.8", "optimizer_options default",
      .optimizer = "adam:learning_rate=0.05,beta_1=0.8,weight_decay=0.125" },
    { "common_options weight_decay=0.125,clipnorm=1", "common_options weight_decay=0.125",
      .optimizer = "adam:learning_rate=0.05,weight_decay=0.125,clipnorm=1" },
    { "schedule cosine_decay", "schedule none", .schedule = "cosine_decay:decay_steps=9", .told = 2 },
    { "schedule_options decay_steps=9", "schedule_options default", .schedule = "cosine_decay:decay_steps=9",
      .told = 2 },
    { "learning_rate 0.25", "learning_rate 0.05", .schedule = "cosine_decay:decay_steps=9,initial_learning_rate=0.25",
      .told = 3 },
    { "rate_factor w=0.5", "rate_factor none", .factor = { "w", .5 } },
    { "exclude_from_weight_decay b", "exclude_from_weight_decay none", .decayless = "b" },
    { "regularize w l2 l2=0.1", "regularize none", .penalty = { "w", "l2:0.1", false } },
    { "regularize m l1", "regularize none", .penalty = { "m", "l1", true } },
    { "loss_options0 label_smoothing=0.1", "loss_options0 default",
      .loss = "categorical_crossentropy:label_smoothing=0.1" },
    { "loss0 kl_divergence", "loss0 categorical_crossentropy", .loss = "kl_divergence" },
    { "loss_weight0 0.5", "loss_weight0 1", .weight = .5 },
    { "class_weight0 1=2.5", "class_weight0 none", .class_weight = "1=2.5" },
    { "metric0 accuracy, auc curve=PR", "metric0 accuracy, auc", .metric = "auc:curve=PR" },
    { "exact yes", "exact no", .exact = true },
    { "bptt 2", "bptt all", .bptt = 2 },
    { "dropout_seed 4", "dropout_seed 3", .dropout_seed = 4 },
    { "seed 8", "seed 7", .seed = 8 },
    { "order of the data", "order shuffled", .in_order = true },
    { "batch 5", "batch 4", .batch = 5 },
    { "augmentation vertical_flip=1", "augmentation none", .augment = "vertical_flip=1" },
    { "normalize none", "normalize center", .normalize = "none", .told = 2 },
    { "normalization center of 2, check sum", "normalization center of 2, check sum", .normalize = "center:whole" },
    { "validation none", "validation 7 samples of float[2,1] for int64[], check sum", .without_validation = true,
      .told = 2 },
    { "validation 8 samples", "validation 7 samples", .validation_samples = 8 },
    { "steps_per_epoch 4", "steps_per_epoch all", .steps_per_epoch = 4 },
    { "validation_freq 2", "validation_freq 1", .validation_freq = 2 },
    { "validation_steps 1", "validation_steps all", .validation_steps = 1 },
    { "early_stop val_loss patience=2,min_delta=0", "early_stop none", .early_stop = "val_loss", .patience = 2 },
    { "early_stop loss patience=2,min_delta=0.1", "early_stop none", .early_stop = "loss", .patience = 2,
      .min_delta = .1 },
    { "save_best accuracy", "save_best none", .save_best = "accuracy" },
    { "restore_best val_loss", "restore_best none", .restore_best = "val_loss" },
    { "reduce_on_plateau val_loss:factor=0.5", "reduce_on_plateau none", .plateau = "val_loss:factor=0.5" },
};

static kiln_trainer *trainer_as(const struct asked *a, kiln_context *context, const kiln_dataset *d)
{
    const char *const metrics[] = { "accuracy", a->metric ? a->metric : "auc" };
    const kiln_target target = { .loss = a->loss ? a->loss : "categorical_crossentropy", .weight = a->weight };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(net);
    kiln_trainer *t;

    o.context = context;
    o.data = d;
    o.optimizer = a->optimizer ? a->optimizer : "adam:learning_rate=0.05,weight_decay=0.125";
    o.schedule = a->schedule;
    o.seed = a->dropout_seed ? a->dropout_seed : 3;
    o.exact = a->exact;
    o.bptt = a->bptt;
    o.targets = &target;
    o.target_count = 1;
    o.metrics = metrics;
    o.metric_count = 2;
    o.class_weight = a->class_weight;
    o.rate_factors = &a->factor;
    o.rate_factor_count = a->factor.pattern != NULL;
    o.regularizers = &a->penalty;
    o.regularizer_count = a->penalty.pattern != NULL;
    o.exclude_from_weight_decay = &a->decayless;
    o.exclude_from_weight_decay_count = a->decayless != NULL;
    o.keep_gradients = a->keeps_more;
    o.remember = a->keeps_more;
    ok(kiln_trainer_new(&t, m, &o, &err));
    if (a->rate)
        ok(kiln_trainer_set_learning_rate(t, a->rate, &err));
    kiln_model_free(m);
    return t;
}

static kiln_dataset *data_as(const struct asked *a)
{
    kiln_dataset *plain = make_samples(SAMPLES, .5f, true), *d, *changed;

    ok(kiln_dataset_normalize(&d, plain, a->normalize ? a->normalize : "center", NULL, &err));
    kiln_dataset_free(plain);
    if (!a->augment)
        return d;
    ok(kiln_dataset_augment(&changed, d, a->augment, &err));
    kiln_dataset_free(d);
    return changed;
}

static kiln_fit_options fit_as(const struct asked *a, struct told *told, const kiln_dataset *check)
{
    kiln_fit_options o = fit_options(told, a->without_validation ? NULL : check);

    o.epochs += a->keeps_more;
    o.batch = a->batch ? a->batch : o.batch;
    o.seed = a->seed ? a->seed : o.seed;
    o.in_order = a->in_order;
    o.steps_per_epoch = a->steps_per_epoch;
    o.validation_freq = a->validation_freq;
    o.validation_steps = a->validation_steps;
    o.early_stop = a->early_stop;
    o.patience = a->patience;
    o.min_delta = a->min_delta;
    o.best = a->save_best;
    o.restore_best = a->restore_best;
    o.reduce_on_plateau = a->plateau;
    o.checkpoint_steps = a->keeps_more ? 2 : 0;
    return o;
}

/* Until step 3, or from there on. */
static void train_as(const struct asked *a, bool resumes)
{
    kiln_context_options c = KILN_CONTEXT_OPTIONS_INIT;
    kiln_dataset *d = data_as(a), *plain = make_samples(a->validation_samples ? a->validation_samples : 7, .25f, true);
    struct told told = { .stop_at = resumes ? 0 : 3 };
    kiln_dataset *check;
    kiln_context *context;
    kiln_trainer *t;
    kiln_fit_options o;

    ok(kiln_dataset_normalize(&check, plain, "unit", NULL, &err));
    c.diagnostic = note_warning;
    c.threads = a->keeps_more ? 3 : 1;
    ok(kiln_context_new(&context, &c, &err));
    t = trainer_as(a, context, d);
    o = fit_as(a, &told, check);
    *(resumes ? &o.resume : &o.checkpoint) = file;
    warnings = 0;
    *said = '\0';
    if (resumes)
        ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    else
        expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_STOPPED, "stopped");
    kiln_trainer_free(t);
    kiln_context_free(context);
    kiln_dataset_free(check);
    kiln_dataset_free(plain);
    kiln_dataset_free(d);
}

static void expect_told(const char *was, const char *now, int count)
{
    char need[256];

    ck_assert_msg(warnings == count, "%d warnings, not %d for '%s':\n%s", warnings, count, now ? now : "nothing", said);
    snprintf(need, sizeof need, "the checkpoint was made with \"%s", was ? was : "");
    ck_assert_msg(!was || strstr(said, need), "no '%s' in:\n%s", need, said);
    snprintf(need, sizeof need, "now it is \"%s", now ? now : "");
    ck_assert_msg(!now || strstr(said, need), "no '%s' in:\n%s", need, said);
}

/* Both ways: what is asked for no more is told, too. */
START_TEST(each_setting_that_is_another_is_told)
{
    static const struct asked nothing;
    const struct asked *changed = &others[_i];
    const int count = changed->told < 0 ? 0 : changed->told ? changed->told : 1;

    start();
    train_as(&nothing, false);
    train_as(changed, true);
    expect_told(changed->was, changed->now, count);
    train_as(changed, false);
    train_as(&nothing, true);
    expect_told(changed->now, changed->was, count);
    end();
}
END_TEST

/* The same settings are the same text where numbers are written with a comma. */
START_TEST(the_locale_is_no_setting)
{
    static const struct asked asked = { .optimizer = "adam:learning_rate=0.05,beta_1=0.85,weight_decay=0.1",
                                        .weight = .5,
                                        .factor = { "w", .25 },
                                        .schedule = "piecewise_constant_decay:boundaries=2/5,values=0.5/0.25/0.125",
                                        .penalty = { "w", "l1_l2:l1=0.01,l2=0.015", false },
                                        .class_weight = "1=2.5",
                                        .augment = "zoom_range=0.75/1.25",
                                        .early_stop = "loss",
                                        .patience = 9,
                                        .min_delta = .001 };

    start();
    train_as(&asked, false);
    numbers_have_commas();
    train_as(&asked, true);
    expect_told(NULL, NULL, 0);
    numbers_have_points();
    end();
}
END_TEST

static kiln_trainer *trainer_of_weights(kiln_context *context, int last)
{
    static const char wide[] =
        HEAD "m (float[N,1] x) => (float[N,12] y) <float[1,12] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, "
             "2, 3}> { m = MatMul(x, w) y = Softmax(m) }";
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(wide);
    char classes[64];
    kiln_trainer *t;

    snprintf(classes, sizeof classes, "0=2,1=2,2=2,3=2,4=2,5=2,6=2,7=2,8=2,9=2,10=2,11=%d", last);
    o.context = context;
    o.class_weight = classes;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    return t;
}

/* Of many the first are said; that another one is another is told all the same. */
START_TEST(long_lists_are_cut_and_compared_whole)
{
    kiln_context_options c = KILN_CONTEXT_OPTIONS_INIT;
    kiln_context *context;
    kiln_trainer *t, *u;

    c.diagnostic = note_warning;
    ok(kiln_context_new(&context, &c, &err));
    t = trainer_of_weights(context, 2);
    u = trainer_of_weights(context, 3);
    start();
    ok(kiln_trainer_save_state(t, file, &err));
    ok(kiln_trainer_load_state(t, file, &err));
    expect_told(NULL, NULL, 0);
    ok(kiln_trainer_load_state(u, file, &err));
    expect_told("class_weight0 0=2, 1=2, 2=2, 3=2, 4=2, 5=2, 6=2, 7=2 and 4 more, check sum ", "class_weight0 0=2", 1);
    kiln_trainer_free(t);
    kiln_trainer_free(u);
    kiln_context_free(context);
    end();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("told");

    add_tests(s, each_setting_that_is_another_is_told, sizeof others / sizeof *others);
    add_test(s, the_locale_is_no_setting);
    add_test(s, long_lists_are_cut_and_compared_whole);
    return s;
}
