/* What several objects share, and options of another version, as a program that has nothing but kiln.h uses them. */
#include "public.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static kiln_session *session_within(kiln_context *context, const kiln_model *m)
{
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    kiln_session *s;

    o.context = context;
    ok(kiln_session_new(&s, m, &o, &err));
    return s;
}

static const char sum[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                          "sum (float[N] x) => (float[N] y) <float[1] one = {1}> { y = Add(x, one) }";
/* So many rounds that no test waits for them. */
static const char endless[] =
    "<ir_version: 8, opset_import: [\"\": 17]>\n"
    "endless (float[1] x) => (float[1] y) <int64 times = {1000000000000}> {\n"
    "    y = Loop(times, , x)<body = round (int64 k, bool on, float[1] v) => (bool more, float[1] w) {\n"
    "        more = Identity(on) w = Tanh(v)\n    }>\n}";

/* -- options of another version -- */

START_TEST(an_older_program_has_fewer_fields)
{
    const struct {
        size_t size;
        kiln_context *context;
        size_t memory;
    } older = { sizeof older, NULL, 100 };
    kiln_model *m;

    expect(kiln_model_open_memory(&m, sum, strlen(sum), (const kiln_load_options *)(const void *)&older, &err),
           KILN_LIMIT, "memory limit of 100");
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(a_newer_program_may_not_ask_for_more)
{
    struct {
        kiln_load_options known;
        int more[8];
    } newer = { .known = KILN_LOAD_OPTIONS_INIT };
    kiln_model *m;

    newer.known.size = sizeof newer;
    ok(kiln_model_open_memory(&m, sum, strlen(sum), &newer.known, &err));
    kiln_model_free(m);
    newer.more[7] = 1;
    expect(kiln_model_open_memory(&m, sum, strlen(sum), &newer.known, &err), KILN_BAD_ARGUMENT, "a field that version");
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(options_must_have_a_size)
{
    const kiln_context_options context = { 0 };
    const kiln_load_options load = { 0 };
    const kiln_session_options session = { .size = 7 };
    const kiln_trainer_options trainer = { 0 };
    kiln_model *m = open_within(NULL, sum);
    kiln_context *c;
    kiln_session *s;
    kiln_trainer *t;
    kiln_model *other;

    expect(kiln_context_new(&c, &context, &err), KILN_BAD_ARGUMENT, "begin as KILN_CONTEXT_OPTIONS_INIT");
    expect(kiln_model_open(&other, "x", &load, &err), KILN_BAD_ARGUMENT, "begin as KILN_LOAD_OPTIONS_INIT");
    expect(kiln_model_open_memory(&other, sum, 1, &load, &err), KILN_BAD_ARGUMENT, "size of the options is 0");
    expect(kiln_session_new(&s, m, &session, &err), KILN_BAD_ARGUMENT, "begin as KILN_SESSION_OPTIONS_INIT");
    expect(kiln_trainer_new(&t, m, &trainer, &err), KILN_BAD_ARGUMENT, "begin as KILN_TRAINER_OPTIONS_INIT");
    ck_assert(!c && !other && !s && !t);
    kiln_model_free(m);
}
END_TEST

/* -- what is shared -- */

static float run_once(kiln_session *s, float x)
{
    const int64_t one = 1;
    const char *name = "x";
    kiln_tensor *t;

    ok(kiln_tensor_wrap(&t, KILN_FLOAT, 1, &one, &x, sizeof x, &err));
    ok(kiln_session_run(s, 1, &name, (const kiln_tensor *const *)&t, &err));
    kiln_tensor_free(t);
    return *(const float *)kiln_tensor_data(kiln_session_output(s, 0));
}

START_TEST(a_context_lives_as_long_as_it_is_needed)
{
    kiln_context *c = new_context(2, 0);
    kiln_model *m = open_within(c, sum);
    kiln_session *s = session_within(c, m);

    ck_assert_int_eq(kiln_context_threads(c), 2);
    kiln_context_free(c);
    ck_assert_float_eq(run_once(s, 4), 5);
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_context_free(NULL);
    ck_assert_int_eq(kiln_context_threads(NULL), 0);
    ck_assert_uint_eq(kiln_context_memory(NULL, NULL), 0);
    kiln_context_cancel(NULL);
    kiln_context_resume(NULL);
}
END_TEST

static kiln_dataset *pairs_within(kiln_context *context)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;

    o.context = context;
    return samples_of(2, 1, (float[]){ 3, 5 }, (int64_t[]){ 0, 1 }, &o);
}

/* Sanitizers see what is wrong here. */
START_TEST(what_is_made_with_a_context_outlives_it)
{
    char folder[] = "/tmp/kiln-XXXXXX", path[64];
    kiln_context *c = new_context(1, 0), *other = new_context(1, 0);
    kiln_dataset *of_other = pairs_within(other), *d = pairs_within(c), *scaled;
    const int64_t one = 1;
    kiln_tensor *t;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.npy", folder);
    ok(kiln_tensor_new(&t, KILN_FLOAT, 1, &one, NULL, &err));
    ok(kiln_tensor_write(t, path, c, &err));
    kiln_tensor_free(t);
    ok(kiln_tensor_read(&t, path, KILN_TENSOR, c, &err));
    ok(kiln_dataset_normalize(&scaled, d, "standardize", of_other, &err));
    kiln_dataset_free(of_other);
    kiln_dataset_free(d);
    kiln_context_free(other);
    kiln_context_free(c);
    ck_assert_int_eq(kiln_tensor_count(t), 1);
    ck_assert_int_eq(kiln_dataset_about(scaled)->count, 2);
    kiln_dataset_free(scaled);
    kiln_tensor_free(t);
    unlink(path);
    rmdir(folder);
}
END_TEST

struct heard {
    int errors, warnings;
};

static void hear(void *user, kiln_status code, const char *where, const char *message)
{
    struct heard *h = user;

    (void)where;
    (void)message;
    ++*(code == KILN_OK ? &h->warnings : &h->errors);
}

START_TEST(a_context_hears_of_all_work)
{
#define TIED "net (float[N,1] x) => (float[N,1] y) <float[1,1] w = {1}> { h = MatMul(x, w) y = MatMul(h, w) }"
    static const char tied[] = "<ir_version: 8, opset_import: [\"\": 17]>\n" TIED;
    static const char decided[] =
        "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"kiln.role.w\": \"trainable\"]>\n" TIED;
    kiln_context_options o = KILN_CONTEXT_OPTIONS_INIT;
    kiln_trainer_options to = KILN_TRAINER_OPTIONS_INIT;
    struct heard heard = { 0 }, own = { 0 };
    kiln_dataset *d, *none, *rest;
    kiln_context *c;
    kiln_model *m;
    kiln_trainer *t;

    o.diagnostic = hear;
    o.user = &heard;
    ok(kiln_context_new(&c, &o, &err));
    m = open_within(c, tied);
    to.context = c;
    to.values = true;
    ok(kiln_trainer_new(&t, m, &to, &err)); /* w is read in two places */
    ck_assert(heard.warnings == 1 && heard.errors == 0);
    kiln_trainer_free(t);
    to.diagnostic = hear;
    to.user = &own;
    ok(kiln_trainer_new(&t, m, &to, &err));
    ck_assert(heard.warnings == 1 && own.warnings == 1);
    kiln_trainer_free(t);
    kiln_model_free(m);
    m = open_within(c, decided);
    ok(kiln_trainer_new(&t, m, &to, &err)); /* somebody has looked at that */
    ck_assert(own.warnings == 1);
    kiln_trainer_free(t);
    to.diagnostic = NULL;
    to.loss = "nonsense";
    ck_assert_int_lt(kiln_trainer_new(&t, m, &to, &err), 0);
    ck_assert_int_eq(heard.errors, 1);
    d = pairs_within(c);
    ck_assert_int_lt(kiln_dataset_split(&none, &rest, d, 2, &err), 0);
    ck_assert_int_eq(heard.errors, 2);
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

START_TEST(everything_together_keeps_within_the_memory)
{
    kiln_context *c = new_context(1, 0);
    const size_t alone = kiln_context_memory(c, NULL);
    kiln_model *m = open_within(c, sum);
    kiln_session *s = session_within(c, m);
    size_t most, used = kiln_context_memory(c, &most);
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    kiln_session *none;

    ck_assert_uint_gt(used, alone);
    ck_assert_uint_ge(most, used);
    kiln_session_free(s);
    kiln_model_free(m);
    ck_assert_uint_eq(kiln_context_memory(c, &most), alone);
    ck_assert_uint_ge(most, used);
    kiln_context_free(c);
    c = new_context(1, used - 1);
    m = open_within(c, sum);
    o.context = c;
    expect(kiln_session_new(&none, m, &o, &err), KILN_LIMIT, "memory limit");
    ck_assert_ptr_null(none);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

START_TEST(threads_are_the_contexts)
{
    kiln_context_options wrong = KILN_CONTEXT_OPTIONS_INIT;
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    kiln_trainer_options t = KILN_TRAINER_OPTIONS_INIT;
    kiln_context *c = new_context(1, 0), *none;
    kiln_model *m = open_within(c, sum);
    kiln_trainer *trainer;
    kiln_session *s;

    o.context = t.context = c;
    o.threads = t.threads = 2;
    expect(kiln_session_new(&s, m, &o, &err), KILN_BAD_ARGUMENT, "must be 0 with a context");
    expect(kiln_trainer_new(&trainer, m, &t, &err), KILN_BAD_ARGUMENT, "must be 0 with a context");
    wrong.threads = -1;
    expect(kiln_context_new(&none, &wrong, &err), KILN_BAD_ARGUMENT, "threads is -1");
    expect(kiln_context_new(NULL, NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
    wrong.threads = 1 << 20;
    expect(kiln_context_new(&none, &wrong, &err), KILN_BAD_ARGUMENT, "threads were asked for");
    ck_assert(!s && !trainer && !none);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

enum { ROUNDS = 200 };

struct user {
    kiln_session *session;
    bool wrong;
};

static void *run_often(void *argument)
{
    struct user *u = argument;

    for (int k = 0; k < ROUNDS; k++)
        u->wrong |= run_once(u->session, (float)k) != (float)k + 1;
    return NULL;
}

START_TEST(sessions_of_several_threads_take_turns)
{
    kiln_context *c = new_context(3, 0);
    kiln_model *m = open_within(c, sum);
    struct user users[3];
    pthread_t threads[3];

    for (int k = 0; k < 3; k++)
        users[k] = (struct user){ .session = session_within(c, m) };
    for (int k = 0; k < 3; k++)
        ck_assert_int_eq(pthread_create(&threads[k], NULL, run_often, &users[k]), 0);
    for (int k = 0; k < 3; k++) {
        pthread_join(threads[k], NULL);
        ck_assert(!users[k].wrong);
        kiln_session_free(users[k].session);
    }
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

static bool discard(void *user, const void *bytes, size_t count)
{
    (void)bytes;
    *(size_t *)user += count;
    return true;
}

/* What is written is made in memory first: of a session whose longest part is a name, which belongs to the model. */
START_TEST(text_is_charged_too)
{
    enum { LONG = 1 << 18 };
    char *const name = malloc(LONG + 1), *const text = malloc(2 * LONG + 200);
    kiln_context *c = new_context(1, 0);
    size_t most, written = 0;
    kiln_session *s;
    kiln_model *m;

    ck_assert(name && text);
    memset(name, 'n', LONG);
    name[LONG] = 0;
    snprintf(text, 2 * LONG + 200,
             "<ir_version: 8, opset_import: [\"\": 17]> g (float[N] x) => (float[N] %s) { %s = Neg(x) }", name, name);
    m = open_within(NULL, text);
    s = session_within(c, m);
    kiln_context_memory(c, &most);
    ck_assert_uint_lt(most, LONG);
    ok(kiln_session_plan(s, 1, discard, &written, &err));
    ck_assert_uint_gt(written, LONG);
    kiln_context_memory(c, &most);
    ck_assert_uint_gt(most, LONG);
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_context_free(c);
    free(name);
    free(text);
}
END_TEST

/* -- cancelling -- */

START_TEST(a_run_is_cancelled_from_another_thread)
{
    const int64_t one = 1;
    const char *name = "x";
    kiln_context *c = new_context(2, 0);
    kiln_model *m = open_within(c, endless), *plain = open_within(c, sum);
    kiln_session *s = session_within(c, m), *other = session_within(c, plain), *alone = session_within(NULL, plain);
    kiln_tensor *t;
    pthread_t thread;

    ok(kiln_tensor_new(&t, KILN_FLOAT, 1, &one, NULL, &err));
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, c), 0);
    expect(kiln_session_run(s, 1, &name, (const kiln_tensor *const *)&t, &err), KILN_STOPPED, "cancelled");
    pthread_join(thread, NULL);
    ck_assert_ptr_null(kiln_session_output(s, 0));
    expect(kiln_session_run(other, 1, &name, (const kiln_tensor *const *)&t, &err), KILN_STOPPED, "cancelled");
    ck_assert_float_eq(run_once(alone, 1), 2); /* nothing to do with the context */
    kiln_context_resume(c);
    ck_assert_float_eq(run_once(other, 1), 2);
    kiln_tensor_free(t);
    kiln_session_free(s);
    kiln_session_free(other);
    kiln_session_free(alone);
    kiln_model_free(m);
    kiln_model_free(plain);
    kiln_context_free(c);
}
END_TEST

START_TEST(opening_and_training_are_cancelled)
{
    static const char net[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                              "net (float[N,1] x) => (float[N,1] y) <float[1,1] w = {1}> { y = MatMul(x, w) }";
    const int64_t one_by_one[] = { 1, 1 };
    const float two = 2;
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    kiln_trainer_options to = KILN_TRAINER_OPTIONS_INIT;
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    kiln_context *c = new_context(1, 0);
    kiln_model *m = open_within(c, net), *none;
    kiln_trainer *t, *nobody;
    kiln_summary *summary;
    kiln_session *s;
    kiln_tensor *x;
    double flops;

    o.context = to.context = so.context = c;
    to.values = true;
    to.optimizer = "sgd";
    ok(kiln_trainer_new(&t, m, &to, &err));
    ok(kiln_tensor_new(&x, KILN_FLOAT, 2, one_by_one, &two, &err));
    kiln_context_cancel(c);
    expect(kiln_model_open_memory(&none, net, strlen(net), &o, &err), KILN_STOPPED, "cancelled");
    expect(kiln_trainer_new(&nobody, m, &to, &err), KILN_STOPPED, "cancelled");
    expect(kiln_session_new(&s, m, &so, &err), KILN_STOPPED, "cancelled");
    ck_assert(!none && !nobody && !s);
    expect(kiln_trainer_step(t, x, x, NULL, &err), KILN_STOPPED, "cancelled");
    expect(kiln_trainer_score(t, x, x, NULL, &err), KILN_STOPPED, "cancelled");
    expect(kiln_machine_measure(c, &flops, NULL, &err), KILN_STOPPED, "cancelled");
    expect(kiln_summary_new(&summary, m, &err), KILN_STOPPED, "cancelled");
    ck_assert_ptr_null(summary);
    ck_assert_float_eq(*kiln_trainer_parameter(t, 0)->data, 1);
    kiln_context_resume(c);
    ok(kiln_trainer_step(t, x, x, NULL, &err));
    kiln_tensor_free(x);
    kiln_trainer_free(t);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("context");

    add_test(s, an_older_program_has_fewer_fields);
    add_test(s, a_newer_program_may_not_ask_for_more);
    add_test(s, options_must_have_a_size);
    add_test(s, a_context_lives_as_long_as_it_is_needed);
    add_test(s, what_is_made_with_a_context_outlives_it);
    add_test(s, a_context_hears_of_all_work);
    add_test(s, everything_together_keeps_within_the_memory);
    add_test(s, threads_are_the_contexts);
    add_test(s, sessions_of_several_threads_take_turns);
    add_test(s, text_is_charged_too);
    add_test(s, a_run_is_cancelled_from_another_thread);
    add_test(s, opening_and_training_are_cancelled);
    return s;
}
