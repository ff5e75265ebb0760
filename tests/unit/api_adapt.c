/* Adapting, as a program that has nothing but kiln.h uses it. */
#include "public.h"
#include <math.h>
#include <pthread.h>
#include <unistd.h>

enum { SAMPLES = 16 };

/* BatchNormalization that was taken apart, and a layer. */
static const char apart[] = HEAD "net (float[N,2] x) => (float[N,3] y)\n"
                                 "<float[2] a = {2,3}, float[2] c = {1,-1}, float[2,3] w = {1,2,3,4,5,6}> {\n"
                                 "    h = Relu (x) [\"l/batchnorm/mul_1\"] p = Mul (h, a) q = Add (p, c)\n"
                                 "    z = MatMul (q, w) y = Softmax (z) }";
/* Nothing is to be measured. */
static const char plain[] = HEAD "net (float[N,2] x) => (float[N,3] y) <float[2,3] w = {1,2,3,4,5,6}>\n"
                                 "{ z = MatMul (x, w) y = Softmax (z) }";
static const char other_head[] = HEAD "head (float[N,2] x) => (float[N,5] y)\n"
                                      "<float[2,5] v = {1,2,3,4,5,6,7,8,9,10}> { z = MatMul (x, v) y = Softmax (z) }";
static const char broken[] = HEAD "net (float[N,2] x) => (float[N,2] y) { y = NoSuch (x) }";
/* So many rounds that no test waits for them. */
static const char endless[] =
    HEAD "net (float[N,2] x) => (float[N,2] y) <int64 times = {1000000000000}, float[2] a = {2,3}> {\n"
         "  z = Loop (times, , x) <body = round (int64 k, bool on, float[N,2] v) => (bool more, float[N,2] w) {\n"
         "    more = Identity (on) w = Tanh (v) }>\n"
         "  [\"l/batchnorm/mul_1\"] p = Mul (z, a) y = Add (p, a) }";

static kiln_dataset *make_data(kiln_context *context)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    float x[SAMPLES][2];
    int64_t y[SAMPLES];

    for (int k = 0; k < SAMPLES; k++) {
        x[k][0] = (float)k / 4;
        x[k][1] = (float)(k * 7 % 5);
        y[k] = k % 3;
    }
    o.context = context;
    return samples_of(SAMPLES, 2, x[0], y, &o);
}

static const char *metadata_of(const kiln_model *m, const char *want)
{
    const char *key, *value;

    for (size_t k = 0; kiln_model_metadata(m, k, &key, &value); k++)
        if (strcmp(key, want) == 0)
            return value;
    return "";
}

/* -- what comes out -- */

/* The caller may look at it all the same. */
START_TEST(a_model_in_which_nothing_trains_is_told)
{
    kiln_model *m = open_text(HEAD "net (float[N,2] x) => (float[N,2] y) { y = Relu (x) }"), *made;
    kiln_adaptation *found;

    ok(kiln_adapt(&made, &found, m, NULL, &err));
    ck_assert_int_eq(kiln_adaptation_about(found)->trainable, 0);
    kiln_adaptation_free(found);
    kiln_model_free(made);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_model_is_adapted)
{
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_dataset *d = make_data(NULL);
    kiln_model *m = open_text(apart), *made;
    kiln_adaptation *found;
    const kiln_adaptation_info *i;
    const kiln_finding *f;
    struct bytes b = { 0 };

    o.data = d;
    o.epsilon = .25;
    ok(kiln_adapt(&made, &found, m, &o, &err));
    kiln_model_free(m); /* what was found is not the model's */
    kiln_dataset_free(d);
    i = kiln_adaptation_about(found);
    ck_assert(i->batch_normalizations == 1 && i->over_data && i->difference <= 1e-5 && !i->changed);
    ck_assert_int_eq(i->trainable, 10); /* gamma, beta, w */
    ck_assert_uint_eq(i->findings, 4);  /* the layer, the loss, that there is no Dropout, what trains */
    f = kiln_adaptation_finding(found, 0);
    ck_assert_str_eq(f->name, "l");
    ck_assert_str_eq(f->found, "BatchNormalization, Mul and Add (Keras on TensorFlow or JAX)");
    ck_assert_str_eq(f->evidence, "named so: 'l/batchnorm/mul_1'");
    ck_assert_int_eq(f->certainty, KILN_LIKELY);
    ck_assert_str_eq(f->done, "mean and variance measured, epsilon 0.25");
    ck_assert_str_eq(f->unknown,
                     "momentum (0.99 is taken), epsilon, its own running statistics, whether it had gamma and beta");
    ck_assert_ptr_null(kiln_adaptation_finding(found, 3)->unknown);
    ck_assert_ptr_null(kiln_adaptation_finding(found, 4));
    ck_assert_ptr_null(kiln_adaptation_finding(NULL, 0));
    ck_assert_ptr_null(kiln_adaptation_about(NULL));
    ck_assert_str_eq(metadata_of(made, "kiln.role.l/gamma"), "trainable");
    ck_assert_str_eq(metadata_of(made, "kiln.role.l/moving_mean"), "statistic");
    ck_assert(strstr(metadata_of(made, "kiln.loss.y"), "categorical_crossentropy"));
    ok(kiln_adaptation_write_json(found, take, &b, &err));
    for (size_t k = 0; k < 2; k++) {
        static const char *const parts[] = { "\"batch_normalizations\": 1,",
                                             "\"unknown\": \"momentum (0.99 is taken), epsilon" };

        ck_assert_msg(strstr(b.data, parts[k]), "%s", b.data);
    }
    ck_assert(strstr(b.data, "\"over_data\": true,") && strstr(b.data, "\"changed\": null,") &&
              strstr(b.data, "\"certainty\": \"likely\"") && strstr(b.data, "\"name\": \"l\""));
    b.most = b.count + 1;
    expect(kiln_adaptation_write_json(found, take, &b, &err), KILN_STOPPED, "");
    free(b.data);
    expect(kiln_adaptation_write_json(found, NULL, NULL, &err), KILN_BAD_ARGUMENT, "write is NULL");
    expect(kiln_adaptation_write_json(NULL, take, &b, &err), KILN_BAD_ARGUMENT, "found is NULL");
    kiln_adaptation_free(found);
    kiln_adaptation_free(NULL);
    kiln_model_free(made);
}
END_TEST

/* Without options, without data, without a place for what is found. */
START_TEST(little_need_be_given)
{
    kiln_model *m = open_text(plain), *made;
    kiln_adaptation *found;

    ok(kiln_adapt(&made, NULL, m, NULL, NULL));
    ck_assert_str_eq(metadata_of(made, "kiln.role.w"), "trainable");
    kiln_model_free(made);
    ok(kiln_adapt(&made, &found, m, NULL, &err));
    ck_assert(!kiln_adaptation_about(found)->over_data && !kiln_adaptation_about(found)->batch_normalizations);
    kiln_adaptation_free(found);
    kiln_model_free(made);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_file_is_looked_at)
{
    kiln_model *m = open_text(apart), *clean = open_text(plain), *partial;
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    kiln_adaptation *found;

    ok(kiln_adapt_look(&found, m, &err));
    kiln_model_free(m);
    ck_assert_uint_eq(kiln_adaptation_about(found)->batch_normalizations, 1);
    ck_assert_uint_eq(kiln_adaptation_about(found)->findings, 1);
    ck_assert_str_eq(kiln_adaptation_finding(found, 0)->name, "l");
    kiln_adaptation_free(found);
    ok(kiln_adapt_look(&found, clean, &err));
    ck_assert_uint_eq(kiln_adaptation_about(found)->findings, 0);
    kiln_adaptation_free(found);
    expect(kiln_adapt_look(NULL, clean, &err), KILN_BAD_ARGUMENT, "found is NULL");
    expect(kiln_adapt_look(&found, NULL, &err), KILN_BAD_ARGUMENT, "model is NULL");
    ck_assert_ptr_null(found);
    o.partial = true;
    ok(kiln_model_open_memory(&partial, broken, strlen(broken), &o, &err));
    expect(kiln_adapt_look(&found, partial, &err), KILN_UNSUPPORTED, "NoSuch");
    ck_assert_ptr_null(found);
    kiln_model_free(partial);
    kiln_model_free(clean);
}
END_TEST

/* -- what is wrong -- */

/* Some field of the options is; or the model, or the head. */
static void set_wrong(int which, kiln_adapt_options *o)
{
    static const char *const one[] = { "l" }, *const none[] = { NULL };

    switch (which) {
    case 0:
        o->size = 1;
        break;
    case 1:
        o->choice_count = 1;
        break;
    case 2:
        o->choice_count = 1;
        o->choice_names = none;
        o->choices = one;
        break;
    case 3:
        o->choice_count = 1;
        o->choice_names = one;
        o->choices = none;
        break;
    case 4:
        o->output_count = 1;
        break;
    case 5:
        o->output_count = 1;
        o->outputs = none;
        break;
    case 6:
        o->folded = (kiln_folded)3;
        break;
    case 7:
        o->folded = (kiln_folded)-1;
        break;
    case 8:
        o->seconds = -1;
        break;
    case 9:
        o->epsilon = -1;
        break;
    case 10:
        o->momentum = 2;
        break;
    case 11:
        o->classes = -2;
        break;
    case 12:
        o->choice_count = 1;
        o->choice_names = o->choices = one;
        break;
    case 13:
        o->memory = 1;
        break;
    default:
        break;
    }
}

START_TEST(wrong_options_are_refused)
{
    static const struct {
        kiln_status code;
        const char *says;
    } want[] = {
        { KILN_BAD_ARGUMENT, "the size of the options is 1" },
        { KILN_BAD_ARGUMENT, "a list, a name or a choice is NULL" },
        { KILN_BAD_ARGUMENT, "a list, a name or a choice is NULL" },
        { KILN_BAD_ARGUMENT, "a list, a name or a choice is NULL" },
        { KILN_BAD_ARGUMENT, "a list, a name or a choice is NULL" },
        { KILN_BAD_ARGUMENT, "a list, a name or a choice is NULL" },
        { KILN_BAD_ARGUMENT, "folded is 3, must be 0 to 2" },
        { KILN_BAD_ARGUMENT, "folded is -1, must be 0 to 2" },
        { KILN_BAD_ARGUMENT, "seconds" },
        { KILN_BAD_ARGUMENT, "epsilon is -1" },
        { KILN_BAD_ARGUMENT, "momentum 2" },
        { KILN_BAD_ARGUMENT, "classes is -2" },
        { KILN_BAD_ARGUMENT, "'l' cannot be 'l'" },
        { KILN_LIMIT, "memory limit" },
    };
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_dataset *d = make_data(NULL);
    kiln_model *m = open_text(apart), *made = m;
    kiln_adaptation *found = (kiln_adaptation *)(void *)m; /* both are overwritten */

    o.data = d;
    set_wrong(_i, &o);
    expect(kiln_adapt(&made, &found, m, &o, &err), want[_i].code, want[_i].says);
    ck_assert(!made && !found);
    kiln_dataset_free(d);
    kiln_model_free(m);
}
END_TEST

START_TEST(wrong_models_are_refused)
{
    kiln_load_options load = KILN_LOAD_OPTIONS_INIT;
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_model *m = open_text(plain), *a = open_text(apart), *partial, *made;
    kiln_adaptation *found;

    load.partial = true;
    ok(kiln_model_open_memory(&partial, broken, strlen(broken), &load, &err));
    expect(kiln_adapt(NULL, &found, m, &o, &err), KILN_BAD_ARGUMENT, "out is NULL");
    ck_assert_ptr_null(found);
    expect(kiln_adapt(&made, &found, NULL, &o, &err), KILN_BAD_ARGUMENT, "model is NULL");
    ck_assert(!made && !found);
    expect(kiln_adapt(&made, &found, partial, &o, &err), KILN_UNSUPPORTED, "NoSuch");
    expect(kiln_adapt(&made, &found, a, &o, &err), KILN_BAD_ARGUMENT, "data must be given");
    o.head = partial;
    expect(kiln_adapt(&made, &found, m, &o, &err), KILN_UNSUPPORTED, "NoSuch");
    o.head = m;
    o.classes = 3;
    expect(kiln_adapt(&made, &found, m, &o, &err), KILN_BAD_ARGUMENT, "classes and a head exclude each other");
    ck_assert(!made && !found);
    kiln_model_free(partial);
    kiln_model_free(a);
    kiln_model_free(m);
}
END_TEST

/* -- within a context -- */

/* The head, the data and the model may each be of another one, and go before what was made of them. */
START_TEST(what_comes_out_outlives_what_went_in)
{
    kiln_context *c = new_context(1, 0), *of_head = new_context(1, 0), *of_data = new_context(1, 0);
    const size_t alone = kiln_context_memory(c, NULL);
    kiln_model *m = open_within(c, apart), *head = open_within(of_head, other_head), *made;
    kiln_dataset *d = make_data(of_data);
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_adaptation *found;
    struct bytes b = { 0 };
    char *text;

    o.data = d;
    o.head = head;
    ok(kiln_adapt(&made, &found, m, &o, &err));
    kiln_model_free(head);
    kiln_context_free(of_head);
    kiln_dataset_free(d);
    kiln_context_free(of_data);
    kiln_model_free(m);
    ck_assert_uint_gt(kiln_context_memory(c, NULL), alone);
    text = text_of(made, KILN_FORM_TEXT);
    ck_assert(strstr(text, "float[2,5] v"));
    free(text);
    ck_assert_ptr_nonnull(kiln_adaptation_about(found)->changed);
    ok(kiln_adaptation_write_json(found, take, &b, &err));
    expect_text(&b, "\"changed\": \"");
    kiln_model_free(made);
    ck_assert_uint_gt(kiln_context_memory(c, NULL), alone); /* what was found */
    kiln_adaptation_free(found);
    ck_assert_uint_eq(kiln_context_memory(c, NULL), alone);
    kiln_context_free(c);
}
END_TEST

/* What goes first may be the context. */
START_TEST(an_adaptation_holds_its_context)
{
    kiln_context *c = new_context(1, 0);
    kiln_model *m = open_within(c, apart);
    kiln_adaptation *found;

    ok(kiln_adapt_look(&found, m, &err));
    kiln_model_free(m);
    kiln_context_free(c);
    ck_assert_str_eq(kiln_adaptation_finding(found, 0)->name, "l");
    kiln_adaptation_free(found);
}
END_TEST

START_TEST(threads_of_the_context_change_no_bit)
{
    char *texts[2];

    for (int k = 0; k < 2; k++) {
        kiln_context *c = new_context(1 + 2 * k, 0);
        kiln_model *m = open_within(c, apart), *made;
        kiln_dataset *d = make_data(c);
        kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;

        o.data = d;
        ok(kiln_adapt(&made, NULL, m, &o, &err));
        texts[k] = text_of(made, KILN_FORM_TEXT);
        kiln_model_free(made);
        kiln_model_free(m);
        kiln_dataset_free(d);
        kiln_context_free(c);
    }
    ck_assert_str_eq(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}
END_TEST

/* Wherever it runs out, nothing is left behind. */
START_TEST(memory_of_the_context_may_run_out)
{
    kiln_context *c = new_context(1, 0);
    kiln_model *m = open_within(c, apart), *made;
    kiln_dataset *d = make_data(c);
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_adaptation *found;
    size_t most, before;
    int refused = 0;

    kiln_context_memory(c, &before); /* so much is needed for what goes in */
    o.data = d;
    ok(kiln_adapt(&made, &found, m, &o, &err));
    kiln_model_free(made);
    kiln_adaptation_free(found);
    kiln_context_memory(c, &most);
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_context_free(c);
    for (size_t limit = before, step = (most - before) / 24 + 1; limit < most; limit += step) {
        c = new_context(1, limit);
        m = open_within(c, apart);
        o.data = d = make_data(c);
        before = kiln_context_memory(c, NULL);
        if (kiln_adapt(&made, &found, m, &o, &err) == KILN_OK) {
            kiln_model_free(made);
            kiln_adaptation_free(found);
        } else {
            expect(err.code, KILN_LIMIT, "memory limit");
            ck_assert(!made && !found);
            refused++;
        }
        ck_assert_uint_eq(kiln_context_memory(c, NULL), before);
        kiln_dataset_free(d);
        kiln_model_free(m);
        kiln_context_free(c);
    }
    ck_assert_int_gt(refused, 10);
}
END_TEST

START_TEST(a_cancelled_context_adapts_nothing)
{
    kiln_context *c = new_context(1, 0);
    kiln_model *m = open_within(c, apart), *made;
    kiln_dataset *d = make_data(NULL);
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_adaptation *found;

    o.data = d;
    kiln_context_cancel(c);
    expect(kiln_adapt(&made, &found, m, &o, &err), KILN_STOPPED, "");
    ck_assert(!made && !found);
    expect(kiln_adapt_look(&found, m, &err), KILN_STOPPED, "");
    ck_assert_ptr_null(found);
    kiln_context_resume(c);
    ok(kiln_adapt(&made, &found, m, &o, &err));
    kiln_adaptation_free(found);
    kiln_model_free(made);
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

START_TEST(adapting_is_cancelled_from_another_thread)
{
    kiln_context *c = new_context(1, 0);
    kiln_model *m = open_within(c, endless), *made;
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_dataset *d = make_data(NULL);
    kiln_adaptation *found;
    pthread_t thread;

    o.data = d;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, c), 0);
    expect(kiln_adapt(&made, &found, m, &o, &err), KILN_STOPPED, "");
    pthread_join(thread, NULL);
    ck_assert(!made && !found);
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

START_TEST(adapting_keeps_to_the_time)
{
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_model *m = open_text(endless), *made;
    kiln_dataset *d = make_data(NULL);

    o.data = d;
    o.seconds = .05;
    expect(kiln_adapt(&made, NULL, m, &o, &err), KILN_LIMIT, "time limit");
    ck_assert_ptr_null(made);
    kiln_dataset_free(d);
    kiln_model_free(m);
}
END_TEST

struct worker {
    const kiln_model *model;
    const kiln_dataset *data;
    bool wrong;
};

static void *adapt_often(void *argument)
{
    struct worker *w = argument;
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;

    o.data = w->data;
    for (int k = 0; k < 10; k++) {
        kiln_model *made;
        kiln_adaptation *found;

        if (kiln_adapt(&made, &found, w->model, &o, NULL) != KILN_OK) {
            w->wrong = true;
            continue;
        }
        w->wrong |= kiln_adaptation_about(found)->batch_normalizations != 1;
        kiln_adaptation_free(found);
        kiln_model_free(made);
    }
    return NULL;
}

/* One model, one set of data. */
START_TEST(several_threads_adapt)
{
    kiln_context *c = new_context(2, 0);
    kiln_model *m = open_within(c, apart);
    kiln_dataset *d = make_data(c);
    struct worker w[3];
    pthread_t threads[3];

    for (int k = 0; k < 3; k++) {
        w[k] = (struct worker){ .model = m, .data = d };
        ck_assert_int_eq(pthread_create(&threads[k], NULL, adapt_often, &w[k]), 0);
    }
    for (int k = 0; k < 3; k++) {
        pthread_join(threads[k], NULL);
        ck_assert(!w[k].wrong);
    }
    kiln_dataset_free(d);
    kiln_model_free(m);
    kiln_context_free(c);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_adapt");

    add_test(s, a_model_is_adapted);
    add_test(s, a_model_in_which_nothing_trains_is_told);
    add_test(s, little_need_be_given);
    add_test(s, a_file_is_looked_at);
    add_tests(s, wrong_options_are_refused, 14);
    add_test(s, wrong_models_are_refused);
    add_test(s, what_comes_out_outlives_what_went_in);
    add_test(s, an_adaptation_holds_its_context);
    add_test(s, threads_of_the_context_change_no_bit);
    add_test(s, memory_of_the_context_may_run_out);
    add_test(s, a_cancelled_context_adapts_nothing);
    add_test(s, adapting_is_cancelled_from_another_thread);
    add_test(s, adapting_keeps_to_the_time);
    add_test(s, several_threads_adapt);
    return s;
}
