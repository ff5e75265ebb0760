/* Learning rates: schedules and reduction on a plateau, against Keras' numbers (tests/keras/README.md). */
#include "data/npz.h"
#include "learning.h"
#include "scratch.h"
#include "train/schedules/registry.h"
#include "unit.h"
#include <math.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static struct npz *file;

static struct tensor array(const char *format, ...)
{
    struct tensor t;
    char name[256];
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    expect_ok(npz_read(&t, file, name, NULL, &report));
    return t;
}

static void drop(struct tensor *t)
{
    budget_free(&budget, t->data);
}

static void open_file(void)
{
    expect_ok(npz_open(&file, PROJECT "/tests/keras/schedules.npz", &budget, &report));
}

static void close_file(void)
{
    npz_close(file);
    ck_assert_uint_eq(budget.used, 0);
}

/* -- schedules -- */

static const struct {
    const char *name, *spec;
} schedules[] = {
    { "exponential", "exponential_decay:decay_steps=50,decay_rate=0.96" },
    { "exponential_staircase", "exponential_decay:decay_steps=50,decay_rate=0.5,staircase=true" },
    { "piecewise", "piecewise_constant_decay:boundaries=100/200/1000,values=0.1/0.05/0.01/0.001" },
    { "polynomial", "polynomial_decay:decay_steps=300,end_learning_rate=0.01,power=2" },
    { "polynomial_root", "polynomial_decay:decay_steps=300,power=0.5" },
    { "polynomial_cycle", "polynomial_decay:decay_steps=70,end_learning_rate=0.01,power=1.5,cycle=1" },
    { "inverse_time", "inverse_time_decay:decay_steps=30,decay_rate=0.5" },
    { "inverse_time_staircase", "inverse_time_decay:decay_steps=30,decay_rate=0.5,staircase=1" },
    { "cosine", "cosine_decay:decay_steps=350,alpha=0.05" },
    { "cosine_warmup",
      "cosine_decay:initial_learning_rate=0.001,decay_steps=300,alpha=0.1,warmup_target=0.2,warmup_steps=77" },
    { "cosine_from_zero", "cosine_decay:initial_learning_rate=0,decay_steps=300,warmup_target=0.3,warmup_steps=100" },
    { "restarts", "cosine_decay_restarts:first_decay_steps=50,m_mul=0.9,alpha=0.02" },
    { "restarts_even", "cosine_decay_restarts:first_decay_steps=60,t_mul=1,m_mul=0.8,alpha=0.01" },
    { "restarts_slow", "cosine_decay_restarts:first_decay_steps=37,t_mul=1.5,alpha=0.1" },
};

/* Where a wave ends at 0, the sum of 1 and its cosine keeps 6e-8 of the highest rate, no more, in Keras as here: where
 * the C library rounds another way, the rate differs by that. */
START_TEST(a_schedule_is_keras_schedule)
{
    struct arena arena = { .budget = &budget };
    struct tensor step, want;
    struct schedule s;
    double worst = 0;

    open_file();
    step = array("step");
    want = array("%s/rate", schedules[_i].name);
    expect_ok(schedule_parse(&s, schedules[_i].spec, .1, &arena, &report));
    for (int64_t k = 0; k < tensor_count(&step); k++) {
        const int64_t t = ((const int64_t *)step.data)[k];
        const double w = (double)((const float *)want.data)[k], got = schedule_rate(&s, t);

        worst = fmax(worst, w > 0 ? fabs(got / w - 1) : 0);
        ck_assert_msg(fabs(got - w) <= 1e-6 * w + 1e-8, "%s: the rate of step %lld is %.9g, must be %.9g",
                      schedules[_i].name, (long long)t, got, w);
    }
    printf("%s: within %.1e\n", schedules[_i].name, worst);
    drop(&want);
    drop(&step);
    arena_release(&arena);
    close_file();
}
END_TEST

START_TEST(a_rate_may_be_warmed_up)
{
    static const double want[] = { .1, .2, .3, .4, .5, .5, .5 };
    struct arena arena = { .budget = &budget };
    struct schedule s;

    expect_ok(schedule_parse(&s, "constant:warmup_target=0.5,warmup_steps=4", .1, &arena, &report));
    for (int t = 0; t < 7; t++)
        ck_assert_double_eq_tol(schedule_rate(&s, t), want[t], 1e-7);
    expect_ok(schedule_parse(&s, "constant", .25, &arena, &report));
    ck_assert(schedule_rate(&s, 0) == .25 && schedule_rate(&s, 1 << 20) == .25);
    expect_ok(schedule_parse(&s, "constant:initial_learning_rate=0", .25, &arena, &report));
    ck_assert(schedule_rate(&s, 5) == 0);
    arena_release(&arena);
}
END_TEST

START_TEST(wrong_schedules_are_refused)
{
    static const char *const wrong[][2] = {
        { "cosine", "schedule 'cosine' is unknown, must be constant, cosine_decay, cosine_decay_restarts" },
        { "cosine_decay", "schedule 'cosine_decay' needs 'decay_steps'" },
        { "cosine_decay:decay_steps=0", "'decay_steps' is 0, must be at least 1" },
        { "cosine_decay:decay_steps=10,alpha=2", "'alpha' is 2, must be at least 0 and at most 1" },
        { "exponential_decay:decay_steps=10", "schedule 'exponential_decay' needs 'decay_rate'" },
        { "polynomial_decay:decay_rate=1", "has no option 'decay_rate'" },
        { "piecewise_constant_decay", "schedule 'piecewise_constant_decay' needs 'boundaries'" },
        { "piecewise_constant_decay:boundaries=10,values=1", "one of 'values' more than of 'boundaries'" },
        { "piecewise_constant_decay:boundaries=10/10,values=1/2/3", "'boundaries' must rise" },
        { "piecewise_constant_decay:boundaries=,values=1/2", "'boundaries' needs numbers, as in" },
        { "piecewise_constant_decay:boundaries=10/,values=1/2", "'boundaries' needs numbers, as in" },
        { "piecewise_constant_decay:boundaries=10;20,values=1/2", "'boundaries' needs numbers, as in" },
        { "piecewise_constant_decay:boundaries=10,values=1/-1", "'values' is -1, must be at least 0" },
        { "piecewise_constant_decay:values=0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/"
          "0"
          "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0",
          "'values' has more than 64 numbers" },
    };
    struct arena arena = { .budget = &budget };
    struct schedule s;

    ck_assert(!schedule_parse(&s, wrong[_i][0], .1, &arena, &report));
    expect_error(KILN_BAD_ARGUMENT, wrong[_i][1]);
    ck_assert_ptr_null(s.def);
    arena_release(&arena);
}
END_TEST

/* -- in a trainer -- */

static struct trainer *line_of(const char *schedule)
{
    static const char text[] = "< ir_version: 8, opset_import: [\"\": 17] >\n"
                               "net (float[N, 1] x) => (float[N, 1] y) <float[1, 1] w = {0}> { y = MatMul (x, w) }";
    const struct trainer_options o = {
        .optimizer = "sgd:learning_rate=0.125", .threads = 1, .schedule = schedule, TARGET(.form = TARGETS_VALUES)
    };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    model_free(m);
    return t;
}

/* x = 1 and y = w + 1 / 2 make a gradient of -1. */
static bool step_line(struct trainer *t)
{
    float *w = trainer_state(t, "w", NULL)->data, x = 1, y = *w + .5f, loss;
    struct tensor tx = t->x[0], ty = t->targets->y;

    tx.dims[0] = ty.dims[0] = 1;
    tx.data = &x, ty.data = &y;
    return trainer_step(t, &tx, &ty, &loss, &report);
}

START_TEST(a_trainer_follows_its_schedule)
{
    static const double rates[] = { 1, 1, .5, .25, .25 };
    struct trainer *t = line_of("piecewise_constant_decay:boundaries=1/2,values=1/0.5/0.25");
    const float *w;

    expect_ok(t);
    w = trainer_state(t, "w", NULL)->data;
    for (int k = 0; k < 5; k++) {
        const float before = *w;

        ck_assert(trainer_learning_rate(t) == rates[k]);
        expect_ok(step_line(t));
        ck_assert_double_eq_tol((double)(*w - before), rates[k], 1e-6);
    }
    trainer_free(t);
    t = line_of(NULL);
    expect_ok(t);
    ck_assert(trainer_learning_rate(t) == .125);
    trainer_free(t);
    ck_assert_ptr_null(line_of("fast"));
    expect_error(KILN_BAD_ARGUMENT, "schedule 'fast' is unknown");
}
END_TEST

START_TEST(a_rate_that_is_not_finite_changes_nothing)
{
    struct trainer *t = line_of("exponential_decay:initial_learning_rate=1e-20,decay_steps=1,decay_rate=1e20");
    float w;

    expect_ok(t);
    expect_ok(step_line(t) && step_line(t));
    w = *(float *)trainer_state(t, "w", NULL)->data;
    ck_assert(!step_line(t));
    expect_error(KILN_RUN_FAILED, "schedule 'exponential_decay' gives step 3 a learning rate of inf");
    ck_assert(w == *(float *)trainer_state(t, "w", NULL)->data && t->steps == 2);
    trainer_free(t);
}
END_TEST

/* -- on a plateau -- */

static const struct {
    const char *name, *spec;
} plateaus[] = {
    { "loss", "loss:factor=0.5,patience=3,min_delta=0.01" },
    { "cooldown", "loss:factor=0.3,patience=1,cooldown=4,min_delta=0" },
    { "at_once", "val_loss:factor=0.5,patience=0,min_lr=0.004" },
    { "accuracy", "accuracy:factor=0.7,patience=2,min_delta=0.02,cooldown=1" },
};

START_TEST(a_plateau_is_keras_plateau)
{
    struct trainer *t = line_of(NULL);
    struct reduce_on_plateau o;
    struct tensor measure, want;
    struct plateau p;

    expect_ok(t && plateau_parse(&o, t, plateaus[_i].spec, &report));
    t->learning_rate = .1;
    open_file();
    measure = array("plateau/%s/measure", plateaus[_i].name);
    want = array("plateau/%s/rate", plateaus[_i].name);
    plateau_begin(&p, &o, t);
    for (int64_t k = 0; k < tensor_count(&measure); k++) {
        const double w = (double)((const float *)want.data)[k];

        plateau_epoch(&p, &o, t, ((const double *)measure.data)[k]);
        ck_assert_msg(fabs(t->learning_rate / w - 1) <= 1e-6, "%s: the rate after epoch %lld is %.9g, must be %.9g",
                      plateaus[_i].name, (long long)k + 1, t->learning_rate, w);
    }
    ck_assert(o.on && o.measure.validation == (strncmp(plateaus[_i].spec, "val_", 4) == 0));
    drop(&want);
    drop(&measure);
    trainer_free(t);
    close_file();
}
END_TEST

START_TEST(no_number_is_no_improvement)
{
    struct trainer *t = line_of(NULL);
    struct reduce_on_plateau o;
    struct plateau p;

    expect_ok(t && plateau_parse(&o, t, "loss:patience=2,factor=0.5", &report));
    plateau_begin(&p, &o, t);
    plateau_epoch(&p, &o, t, (double)NAN);
    ck_assert(t->learning_rate == .125);
    plateau_epoch(&p, &o, t, (double)NAN);
    ck_assert(t->learning_rate == .0625);
    plateau_epoch(&p, &o, t, 5);
    ck_assert(p.best == 5);
    trainer_free(t);
}
END_TEST

START_TEST(wrong_plateaus_are_refused)
{
    static const char *const wrong[][2] = {
        { "los:factor=0.5", "metric 'los' is unknown, must be loss" },
        { "loss:factor=1", "reduce_on_plateau 'METRIC': 'factor' is 1, must be at least 0 and below 1" },
        { "loss:patience=1.5", "'patience' is 1.5, must be a whole number" },
        { "loss:waiting=1", "has no option 'waiting', but factor, patience, min_delta, cooldown, min_lr" },
        { "loss:3", "metric 'loss:3' is unknown" },
    };
    struct trainer *t = line_of(_i ? NULL : "constant");
    struct reduce_on_plateau o;

    expect_ok(t);
    if (!_i) {
        ck_assert(!plateau_parse(&o, t, "loss", &report));
        expect_error(KILN_BAD_ARGUMENT, "the learning rate is that of schedule 'constant'");
    } else {
        ck_assert(!plateau_parse(&o, t, wrong[_i - 1][0], &report));
        expect_error(KILN_BAD_ARGUMENT, wrong[_i - 1][1]);
    }
    trainer_free(t);
}
END_TEST

struct seen {
    double rate[8];
    int count;
};

static bool see(void *user, const struct epoch *e, struct report *r)
{
    struct seen *s = user;

    (void)r;
    s->rate[s->count++] = e->learning_rate;
    return true;
}

static void fit_line(struct trainer *t, const struct fit_options *o, struct seen *s)
{
    static const float x[4] = { 0 }, y[4] = { 1, 1, 1, 1 }; /* nothing can be learned */
    const struct fit_events events = { .user = s, .epoch = see };
    struct two_columns columns;
    struct tensor tx, ty;
    struct dataset d;
    int64_t ran;

    ck_assert(tensor_shape(&tx, F32, 2, (const int64_t[]){ 4, 1 }) && tensor_shape(&ty, F32, 1, &tx.dims[0]));
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)y;
    d = dataset_of(&columns, &tx, &ty, 0, &budget);
    expect_ok(trainer_fit(t, &d, NULL, NULL, o, &events, &ran, &report));
    ck_assert_int_eq(ran, o->epochs);
}

/* An epoch is told its own rate, as Keras logs it; of a schedule that of the next step. */
START_TEST(epochs_tell_the_rate)
{
    struct fit_options o = { .batch = 2, .epochs = 5 };
    struct trainer *t = line_of(NULL);
    struct seen s = { .count = 0 };

    expect_ok(t && plateau_parse(&o.reduce_on_plateau, t, "loss:factor=0.5,patience=2", &report));
    fit_line(t, &o, &s);
    ck_assert(s.rate[0] == .125 && s.rate[2] == .125 && s.rate[3] == .0625 && s.rate[4] == .0625);
    ck_assert(t->learning_rate == .03125);
    trainer_free(t);
    t = line_of("piecewise_constant_decay:boundaries=3,values=1/0.5");
    expect_ok(t);
    o = (struct fit_options){ .batch = 2, .epochs = 3 };
    s.count = 0;
    fit_line(t, &o, &s);
    ck_assert(s.rate[0] == 1 && s.rate[1] == .5 && s.rate[2] == .5);
    trainer_free(t);
}
END_TEST

/* -- factors -- */

static const char two_text[] = "< ir_version: 8, opset_import: [\"\": 17] >\n"
                               "net (float[N, 1] x) => (float[N, 1] y) <%s[1, 1] w = {3}, float[1] b = {2}>\n"
                               "{ v = Cast <to = 1> (w)  [first] h = MatMul (x, v)  [last] y = Add (h, b) }";

static struct trainer *two_of(const char *type, const char *optimizer, const struct rate_factor *f, size_t count)
{
    const struct trainer_options o = {
        .optimizer = optimizer, .threads = 1, .rate_factors = count, .rate_factor = f, TARGET(.form = TARGETS_VALUES)
    };
    struct model *m;
    struct trainer *t;
    char text[512];

    snprintf(text, sizeof text, two_text, type);
    m = model_read_bytes(text, strlen(text), NULL, &report);
    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    model_free(m);
    return t;
}

/* x = 1 and a target one less than the output: gradients of 2. */
static void step_two(struct trainer *t)
{
    float x = 1, y, loss, b = *(const float *)trainer_state(t, "b", NULL)->data;
    const struct tensor *w = trainer_state(t, "w", NULL);
    struct tensor tx = t->x[0], ty = t->targets->y;

    y = (float)real_at(w->dtype, w->data, 0) + b - 1;
    tx.dims[0] = ty.dims[0] = 1;
    tx.data = &x, ty.data = &y;
    expect_ok(trainer_step(t, &tx, &ty, &loss, &report));
}

static const struct {
    const char *type, *optimizer;
} learners[] = { { "float", "sgd:learning_rate=0.01,momentum=0.5" },
                 { "float", "adam:learning_rate=0.01" },
                 { "float", "rmsprop:learning_rate=0.01" },
                 { "double", "adam:learning_rate=0.01" },
                 { "float", "adamw:learning_rate=0.01,weight_decay=0.5" },
                 { "double", "adamw:learning_rate=0.01,weight_decay=0.5" } };

/* As if the learning rate were as many times as large for it alone. */
START_TEST(a_parameter_learns_at_a_rate_of_its_own)
{
    static const struct rate_factor f[] = { { "*", 3 }, { "first", .25 } };
    struct trainer *some = two_of(learners[_i].type, learners[_i].optimizer, f, 2);
    struct trainer *all = two_of(learners[_i].type, learners[_i].optimizer, NULL, 0);
    const char *const names[] = { "w", "b" };

    expect_ok(some && all);
    for (int k = 0; k < 2; k++) {
        const struct tensor *got = trainer_state(some, names[k], NULL), *want;

        all->learning_rate = .01 * (k ? 3 : .25);
        for (int step = 0; step < 5; step++) {
            struct snapshot *before = trainer_snapshot(some, false, &report);

            trainer_restore(all, before);
            step_two(some);
            step_two(all);
            want = trainer_state(all, names[k], NULL);
            ck_assert(real_at(got->dtype, got->data, 0) == real_at(want->dtype, want->data, 0));
            snapshot_free(some, before);
        }
    }
    ck_assert(*(const float *)trainer_state(some, "b", NULL)->data < 1.9f);
    trainer_free(some);
    trainer_free(all);
}
END_TEST

START_TEST(a_factor_of_nothing_is_refused)
{
    static const struct rate_factor f[] = { { "w", 2 }, { "y", 2 } };

    ck_assert_ptr_null(two_of("float", "sgd", f, 2));
    expect_error(KILN_BAD_ARGUMENT, "rate factor: 'y' names no parameter that trains, and no node that reads one");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("schedules");

    (void)put_file;
    (void)enter_scratch;
    (void)leave_scratch;
    add_tests(s, a_schedule_is_keras_schedule, COUNT(schedules));
    add_test(s, a_rate_may_be_warmed_up);
    add_tests(s, wrong_schedules_are_refused, 14);
    add_test(s, a_trainer_follows_its_schedule);
    add_test(s, a_rate_that_is_not_finite_changes_nothing);
    add_tests(s, a_plateau_is_keras_plateau, COUNT(plateaus));
    add_test(s, no_number_is_no_improvement);
    add_tests(s, wrong_plateaus_are_refused, 6);
    add_test(s, epochs_tell_the_rate);
    add_tests(s, a_parameter_learns_at_a_rate_of_its_own, COUNT(learners));
    add_test(s, a_factor_of_nothing_is_refused);
    return s;
}
