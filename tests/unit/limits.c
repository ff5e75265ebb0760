/* Limits of memory and time: of the pool's jobs, of loading, planning, folding, running and learning; nothing that was
 * cut short is taken for whole. */
#include "base/pool.h"
#include "base/text.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "fixture.h"
#include "kernels/channels_last/method.h"
#include "learning.h"
#include "plan/describe.h"
#include "scratch.h"
#include "train/trainer.h"

#define HEAD    "< ir_version: 8, opset_import: [\"\": 17] >\n"
#define AT_ONCE 1e-10 /* seconds: over when they begin */

/* -- budgets -- */

START_TEST(what_is_charged_here_is_charged_to_the_total)
{
    struct budget total = { .limit = 1 << 16, .seconds = 3 }, one = budget_within(&total),
                  other = budget_within(&total);
    void *p = budget_alloc(&one, 40000, NULL), *q;

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(total.used, one.used);
    ck_assert_uint_eq(one.limit, total.limit);
    ck_assert(one.seconds == total.seconds);
    ck_assert_uint_eq(budget_left(&other), total.limit - total.used);
    ck_assert_ptr_null(budget_alloc(&other, 40000, &report)); /* which it may by itself */
    expect_error(KILN_LIMIT, "memory limit of 65536");
    ck_assert_uint_eq(other.used, 0);
    q = budget_alloc_pages(&other, 8192, NULL);
    ck_assert_uint_eq(total.used, one.used + other.used);
    budget_free(&one, p);
    budget_free_pages(&other, q, 8192);
    ck_assert_uint_eq(total.used, 0);
    ck_assert_uint_ge(total.peak, 48192);
    ck_assert_uint_eq(budget_left(&(struct budget){ 0 }), SIZE_MAX);
}
END_TEST

START_TEST(time_is_over_only_while_work_goes_on)
{
    struct budget b = { .seconds = AT_ONCE };

    ck_assert(!budget_late(&b));
    budget_start(&b);
    ck_assert(budget_late(&b));
    ck_assert(!budget_in_time(&b, "main", &report));
    ck_assert_str_eq(report.error.where, "main");
    expect_error(KILN_LIMIT, "not over within the time limit of 1e-10 s");
    budget_stop(&b);
    ck_assert(!budget_late(&b));
    b.seconds = 0;
    budget_start(&b);
    ck_assert(!budget_late(&b));
    b.seconds = 1e300; /* no overflow */
    budget_start(&b);
    ck_assert(!budget_late(&b));
}
END_TEST

/* A process that was stopped for an hour has not computed for one. */
START_TEST(time_that_was_not_computed_does_not_count)
{
    struct budget b = { .seconds = 3600 };

    budget_start(&b);
    b.wall = 1;
    ck_assert(!budget_late(&b));
    b.computed = 1;
    ck_assert(budget_late(&b));
}
END_TEST

static void count(void *context, int64_t k, int thread)
{
    (void)thread;
    __atomic_fetch_add((int64_t *)context, k >= 0, __ATOMIC_RELAXED);
}

START_TEST(late_jobs_are_left_out)
{
    struct budget b = { .seconds = AT_ONCE };
    struct pool *p = pool_new(_i + 1, &b, NULL);
    int64_t calls = 0;

    for (int again = 0; again < 100; again++) {
        budget_start(&b);
        pool_run(p, 1000, count, &calls);
        pool_run(p, 1, count, &calls);
        ck_assert(pool_late(p));
        ck_assert_int_eq(calls, 0);
    }
    budget_stop(&b);
    pool_run(p, 1000, count, &calls);
    ck_assert_int_eq(calls, 1000);
    ck_assert(!pool_late(p) && !pool_late(NULL));
    pool_free(p);
}
END_TEST

/* -- models and sessions -- */

static const char conv[] = HEAD "g (float[1,4,6,6] x, float[4,4,3,3] w) => (float[1,4,6,6] y)"
                                " { y = Conv <pads = [1,1,1,1]> (x, w) }";

START_TEST(loading_keeps_to_the_time)
{
    const struct model_options o = { .seconds = AT_ONCE };
    struct model *m = model_read_bytes(conv, strlen(conv), &o, &report);

    ck_assert_ptr_null(m);
    expect_error(KILN_LIMIT, "time limit");
    m = model_read_bytes(conv, strlen(conv), NULL, &report);
    expect_ok(m);
    m->budget.seconds = AT_ONCE;
    ck_assert(!model_build(m, &report));
    expect_error(KILN_LIMIT, "time limit");
    model_free(m);
}
END_TEST

START_TEST(a_session_keeps_to_the_time)
{
    const struct session_options o = { .threads = 1, .seconds = AT_ONCE };
    float x[144] = { 1 }, w[144] = { 1 };
    struct fixture f;

    begin(&f, conv);
    ck_assert_ptr_null(session_new(f.model->graph, &o, &report));
    expect_error(KILN_LIMIT, "time limit");
    set(&f, "x", F32, 4, (const int64_t[]){ 1, 4, 6, 6 }, x);
    set(&f, "w", F32, 4, (const int64_t[]){ 4, 4, 3, 3 }, w);
    run_ok(&f);
    f.session->budget.seconds = AT_ONCE; /* planned as it is */
    run_fails(&f, KILN_LIMIT, "time limit");
    f.report = (struct report){ 0 };
    f.session->budget.seconds = 0;
    run_ok(&f);
    end(&f);
}
END_TEST

/* What was being prepared when the time was over is not kept. */
START_TEST(half_a_preparation_is_none)
{
    struct budget late = { .seconds = AT_ONCE };
    struct prepared p = { .budget = &late };
    struct preparation what = { 0 };
    const struct program *program;
    float x[144] = { 1 };
    struct fixture f;

    begin(&f, HEAD "g (float[1,4,6,6] x) => (float[1,4,6,6] y) {"
                   " n = Constant <value_ints = [4,4,3,3]> () w = ConstantOfShape <value = float[1] {2}> (n)"
                   " y = Conv <pads = [1,1,1,1]> (x, w) }");
    set(&f, "x", F32, 4, (const int64_t[]){ 1, 4, 6, 6 }, x);
    run_ok(&f);
    program = frame_program(f.session->frame);
    for (size_t k = 0; k < program->step_count; k++)
        if (preparation_for(&program->steps[k], 1))
            what = *preparation_for(&program->steps[k], 1);
    ck_assert(what.make != NULL);
    budget_start(&late);
    ck_assert_ptr_null(prepared_get(&p, &what, kernels_get(), NULL, &report));
    expect_error(KILN_LIMIT, "time limit");
    ck_assert_ptr_null(p.entries);
    ck_assert_uint_eq(late.used, 0);
    end(&f);
}
END_TEST

/* -- what cannot end -- */

static const struct {
    const char *text, *says;
} endless[] = {
    { HEAD "g (float[1,1,1500,1500] x, float[1,1,1500,1500] w) => (float[A,B,C,D] y)"
           " { y = ConvTranspose <pads = [1000,1000,1000,1000]> (x, w) }",
      "multiplications" },
    { HEAD "g (float[1,1,4000,4000] x) => (float[A,B,C,D] y)"
           " { y = MaxPool <kernel_shape = [2001,2001], pads = [1000,1000,1000,1000]> (x) }",
      "multiplications" },
    { HEAD "g (double[1,1,4000,4000] x) => (double[A,B,C,D] y)"
           " { y = AveragePool <kernel_shape = [2001,2001], pads = [1000,1000,1000,1000]> (x) }",
      "multiplications" },
    { HEAD "g (float[1,4000000,2] x) => (float[A,B,C] y) { y = LRN <size = 2147483647> (x) }", "multiplications" },
    { HEAD "g (float[40000,1,20000] x, float[1,40000,20000] w, float[1,40000,10000] r) => (float[A,B,C,D] y)"
           " { y = LSTM <hidden_size = 10000> (x, w, r) }",
      "multiplications" },
    { HEAD "g (float[2] x) => (float[2] y) <int64 m = {9223372036854775807}> { y = Loop (m, , x) <body ="
           " b (int64 i, bool c, float[2] a) => (bool c, float[2] d) { d = Neg (a) }> }",
      "9.22337e+18 iterations" },
    { HEAD "g (float[2] x) => (float[2] y) <bool c = {1}> { y = Loop (, c, x) <body ="
           " b (int64 i, bool k, float[2] a) => (bool e, float[2] d) { e = Identity (k) d = Neg (a) }> }",
      "inf iterations" },
};

START_TEST(what_cannot_end_is_refused_before)
{
    static float nothing[4]; /* data are not looked at */
    struct fixture f;

    begin(&f, endless[_i].text);
    f.session->budget.seconds = 1;
    for (size_t k = 0; k < f.model->graph->input_count; k++) {
        struct tensor t = f.model->graph->inputs[k]->type;

        t.data = nothing;
        expect_ok(session_set(f.session, f.model->graph->inputs[k], &t, &report));
    }
    run_fails(&f, KILN_LIMIT, endless[_i].says);
    ck_assert_ptr_nonnull(strstr(f.report.error.message, "cannot end within the time limit of 1 s"));
    ck_assert_ptr_nonnull(strstr(f.report.error.where, "main/node[0]"));
    end(&f);
}
END_TEST

/* A loop that its body may end, and one whose condition is not known before, begin. */
START_TEST(loops_that_may_end_begin)
{
    struct fixture f;
    float x[2] = { 1, 2 };
    uint8_t c = 0;

    begin(&f, HEAD "g (float[2] x) => (float[2] y) <bool c = {1}> { y = Loop (, c, x) <body ="
                   " b (int64 i, bool k, float[2] a) => (bool e, float[2] d) <int64 five = {5}>"
                   " { e = Less (i, five) d = Neg (a) }> }");
    f.session->budget.seconds = 60;
    set(&f, "x", F32, 1, (const int64_t[]){ 2 }, x);
    run_ok(&f);
    end(&f);
    begin(&f, HEAD "g (float[2] x, bool c) => (float[2] y) { y = Loop (, c, x) <body ="
                   " b (int64 i, bool k, float[2] a) => (bool e, float[2] d) { e = Identity (k) d = Neg (a) }> }");
    f.session->budget.seconds = 60;
    set(&f, "x", F32, 1, (const int64_t[]){ 2 }, x);
    set(&f, "c", BOOL, 0, NULL, &c);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 2)[1], 2);
    end(&f);
}
END_TEST

/* A number of iterations below 0 is none, and takes no time from what comes behind. */
START_TEST(no_iterations_take_no_time)
{
    float x[2] = { 1, 2 };
    struct fixture f;

    begin(&f,
          HEAD "g (float[2] x) => (float[2] y) <int64 m = {-9223372036854775808}, int64 n = {9223372036854775807}> {"
               " a = Loop (m, , x) <body = b (int64 i, bool k, float[2] v) => (bool e, float[2] d)"
               " { e = Identity (k) d = Neg (v) }>"
               " y = Loop (n, , a) <body = c (int64 i, bool k, float[2] v) => (bool e, float[2] d)"
               " { e = Identity (k) d = Neg (v) }> }");
    f.session->budget.seconds = 60;
    set(&f, "x", F32, 1, (const int64_t[]){ 2 }, x);
    run_fails(&f, KILN_LIMIT, "cannot end");
    end(&f);
}
END_TEST

/* Long pieces look at the time themselves: none of these runs to its end, which would take minutes. */
static const char *const long_pieces[] = {
    HEAD "g (double[1,1,90,90,90] x) => (double[A,B,C,D,E] y)"
         " { y = MaxPool <kernel_shape = [89,89,89], pads = [44,44,44,44,44,44]> (x) }",
    HEAD "g (float[1,1,90,90,90] x) => (float[A,B,C,D,E] y)"
         " { y = AveragePool <kernel_shape = [89,89,89], pads = [44,44,44,44,44,44]> (x) }",
    HEAD "g (double[1,2,400000] x, double[2,1,200001] w) => (double[A,B,C] y) { y = Conv <group = 2> (x, w) }",
    HEAD "g (float[1,300000,1] x) => (float[A,B,C] y) { y = LRN <size = 300000> (x) }",
    HEAD "g (float[1,1,740000] x, float[1,1,370000] w) => (float[A,B,C] y) { y = Conv(x, w) }",
    HEAD "g (float[1,1,1,740000] x, float[1,1,1,370000] w) => (float[A,B,C,D] y) { y = Conv(x, w) }",
    HEAD "g (float[1,8,1,260000] x, float[8,1,1,130000] w) => (float[A,B,C,D] y) { y = Conv <group = 8> (x, w) }",
    HEAD "g (float[1,1,1,370000] x, float[1,1,1,370000] w) => (float[A,B,C,D] y) { y = ConvTranspose(x, w) }",
    HEAD "g (float[40000,1,8] x, float[1,4096,8] w, float[1,4096,1024] r) => (float[A,B,C,D] y)"
         " { y = LSTM <hidden_size = 1024> (x, w, r) }",
};

START_TEST(long_pieces_look_at_the_time)
{
    struct fixture f;

    begin(&f, long_pieces[_i]);
    for (size_t k = 0; k < f.model->graph->input_count; k++) {
        struct tensor t = f.model->graph->inputs[k]->type;

        t.data = calloc(1, (size_t)tensor_bytes(&t));
        expect_ok(t.data && session_set(f.session, f.model->graph->inputs[k], &t, &report));
    }
    f.session->budget.seconds = .3;
    run_fails(&f, KILN_LIMIT, "not over within the time limit");
    for (size_t k = 0; k < f.model->graph->input_count; k++)
        free(frame_get(f.session->frame, f.model->graph->inputs[k])->data);
    end(&f);
}
END_TEST

/* Convolutions look again after some products, whatever the kernel: after one tile where it has more taps than that.
 * How late they are is nothing that a test could tell from a machine that is busy. */
START_TEST(many_taps_look_more_often_than_few)
{
    enum { SOME = 2 * JOB_PRODUCTS };
    int64_t before = 1 << 20;

    for (double products = 1; products < 1e12; products *= 3) {
        const int64_t tiles = tiles_for_a_look(products);

        ck_assert(tiles >= 1 && tiles <= before);
        ck_assert(tiles == 1 || (double)tiles * products <= SOME);
        before = tiles;
    }
    ck_assert_int_eq(before, 1);
}
END_TEST

/* What takes long to fold is left to running, where threads share it and the time is looked at. */
START_TEST(what_takes_long_is_not_folded)
{
    struct text t = { .budget = &budget, .report = &report };
    struct fixture f;

    begin(&f, HEAD "g () => (float[A,B,C] y) <int64[3] n = {1, 200000, 1}> {"
                   " x = ConstantOfShape <value = float[1] {2}> (n) y = LRN <size = 200000> (x) }");
    expect_ok(session_describe(f.session, &t, &report));
    ck_assert_ptr_nonnull(strstr(t.data, "LRN"));
    end(&f);
    text_release(&t);
}
END_TEST

/* -- learning -- */

/* A step that is late changes nothing; the next one goes on as if it had not been. */
START_TEST(late_steps_change_nothing)
{
    static const char text[] = HEAD "g (float[N,2] x) => (float[N,1] y) <float[2,1] w = {1, 2}> { y = MatMul (x, w) }";
    const struct trainer_options o = { .optimizer = "sgd",
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    const struct model_options none = { 0 };
    struct model *m = model_read_bytes(text, strlen(text), &none, &report);
    float x[] = { 1, 2, 3, 4 }, y[] = { 5, 6 }, before;
    struct tensor tx = { .dtype = F32, .rank = 2, .dims = { 2, 2 }, .data = x },
                  ty = { .dtype = F32, .rank = 2, .dims = { 2, 1 }, .data = y };
    float result;
    struct trainer *t;
    const float *w;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &(struct trainer_options){ .seconds = AT_ONCE }, &report);
    ck_assert_ptr_null(t);
    expect_error(KILN_LIMIT, "time limit");
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    w = trainer_state(t, "w", NULL)->data;
    before = w[0];
    for (int planned = 0; planned < 2; planned++) {
        t->budget.seconds = AT_ONCE;
        ck_assert(!trainer_step(t, &tx, &ty, &result, &report));
        expect_error(KILN_LIMIT, "time limit");
        ck_assert(!trainer_evaluate_batch(t, &tx, &ty, &result, &report));
        expect_error(KILN_LIMIT, "time limit");
        ck_assert_float_eq(w[0], before);
        ck_assert_int_eq(t->steps, planned);
        t->budget.seconds = 0;
        expect_ok(trainer_step(t, &tx, &ty, &result, &report));
        ck_assert_float_ne(w[0], before);
        before = w[0];
    }
    trainer_free(t);
    model_free(m);
}
END_TEST

/* -- data -- */

/* Data that the model cannot take are refused by what their header says: their elements are not read. */
START_TEST(data_are_held_against_the_model_before_they_are_read)
{
    const struct tensor type = { .dtype = F32, .rank = 2, .dims = { UNKNOWN, 3 } };
    const struct column_request input = { .type = &type };
    const struct data_options o = { .inputs = 1, .input = &input };
    unsigned char images[16] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0 }; /* 2 of 65536 x 65536 */
    struct dataset d;

    put_file("images", images, sizeof images);
    ck_assert_int_eq(truncate("images", 16 + (INT64_C(2) << 32)), 0); /* with a hole */
    put_file("labels", (unsigned char[]){ 0, 0, 8, 1, 0, 0, 0, 2, 0, 1 }, 10);
    budget.limit = 1 << 20;
    ck_assert(!dataset_open(&d, "idx:images,labels", PART_TRAIN, &o, &budget, &report));
    expect_error(KILN_BAD_DATA, "a sample is uint8[1,65536,65536], the model's input float[?,3]");
    ck_assert(!dataset_open(&d, "idx:images,labels", PART_TRAIN, NULL, &budget, &report));
    expect_error(KILN_LIMIT, "memory limit");
}
END_TEST

/* The time is looked at while data are read, not only in the end. */
START_TEST(reading_data_takes_no_longer_than_it_may)
{
    static const struct {
        const char *spec, *where;
    } sets[] = { { "csv:a.csv", "a.csv" },
                 { "idx:images,labels", "images" },
                 { "cifar10:.", "./data_batch_1.bin" },
                 { NULL, "x and y" } };
    unsigned char idx[16 + 4] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2 }, record[3073] = { 1 };
    int64_t dims[] = { 2, 1 }, labels[] = { 0, 1 };
    struct column x = { .name = NULL }, y = x;
    struct dataset d;
    char name[32];

    put_file("a.csv", "1,0\n2,1\n", 8);
    put_file("images", idx, sizeof idx);
    put_file("labels", (unsigned char[]){ 0, 0, 8, 1, 0, 0, 0, 1, 3 }, 9);
    for (int k = 1; k <= 5; k++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", k);
        put_file(name, record, sizeof record);
    }
    ck_assert(tensor_shape(&x.values, I64, 2, dims) && tensor_shape(&y.values, I64, 1, dims));
    x.values.data = y.values.data = labels;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (int late = 0; late < 2; late++) {
            bool ok;

            budget.seconds = late ? AT_ONCE : 0;
            budget_start(&budget);
            ok = sets[k].spec ? dataset_open(&d, sets[k].spec, PART_TRAIN, NULL, &budget, &report)
                              : dataset_of_arrays(&d, 1, &x, 1, &y, &(struct data_options){ 0 }, &budget, &report);
            budget_stop(&budget);
            if (late) {
                ck_assert(!ok);
                ck_assert_str_eq(report.error.where, sets[k].where);
                expect_error(KILN_LIMIT, "not over within the time limit");
            } else {
                expect_ok(ok);
                dataset_release(&d);
            }
            ck_assert_uint_eq(budget.used, 0);
        }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("limits");

    add_test(s, what_is_charged_here_is_charged_to_the_total);
    add_test(s, time_is_over_only_while_work_goes_on);
    add_test(s, time_that_was_not_computed_does_not_count);
    add_tests(s, late_jobs_are_left_out, 4);
    add_test(s, loading_keeps_to_the_time);
    add_test(s, a_session_keeps_to_the_time);
    add_test(s, half_a_preparation_is_none);
    add_tests(s, what_cannot_end_is_refused_before, sizeof endless / sizeof *endless);
    add_test(s, loops_that_may_end_begin);
    add_test(s, no_iterations_take_no_time);
    add_tests(s, long_pieces_look_at_the_time, sizeof long_pieces / sizeof *long_pieces);
    add_test(s, many_taps_look_more_often_than_few);
    add_test(s, what_takes_long_is_not_folded);
    add_test(s, late_steps_change_nothing);
    add_test_between(s, enter_scratch, leave_scratch, data_are_held_against_the_model_before_they_are_read);
    add_test_between(s, enter_scratch, leave_scratch, reading_data_takes_no_longer_than_it_may);
    return s;
}
