/* Streams, as a program that has nothing but kiln.h has them. */
#include "public.h"
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLES = 22, BATCH = 4, EPOCHS = 3 };

static const char net[] = HEAD "net (float[N,2] x) => (float[N,3] y)\n"
                               "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}, float[3] b = {0, 0.1, 0.2},\n"
                               " float rate = {0.25}, bool on = {1}> {\n"
                               "    m = MatMul(x, w) n = Add(m, b) d = Dropout(n, rate, on) y = Softmax(d)\n}";

/* -- a source of samples -- */

struct source {
    int64_t count, at, fails_at; /* fails_at: the sample that it fails at; -1: none */
    int64_t at_once;             /* most samples of a call */
    int64_t passes[16];          /* the numbers of those that began */
    int begun, inside;           /* inside: calls at this time */
    bool quiet, starts_badly;
};

static float number(int64_t i, int k)
{
    return (float)(k ? i * i % 7 : i % 5) * .5f - 1;
}

static bool start(void *user, int64_t pass, kiln_error *e)
{
    struct source *s = user;

    if (s->starts_badly) {
        e->code = KILN_IO;
        snprintf(e->message, sizeof e->message, "the camera is off");
        return false;
    }
    s->at = 0;
    s->passes[s->begun++ % 16] = pass;
    return true;
}

static int64_t next(void *user, int64_t most, void *const *inputs, void *const *targets, float *weights, kiln_error *e)
{
    struct source *s = user;
    int64_t n = 0;

    ck_assert_int_eq(s->inside++, 0);
    for (; n < most && n < s->at_once && s->at < s->count; n++, s->at++) {
        if (s->at == s->fails_at) {
            if (!s->quiet)
                snprintf(e->message, sizeof e->message, "sample %d is lost", (int)s->at);
            s->inside--;
            return -1;
        }
        for (int k = 0; k < 2; k++)
            ((float *)inputs[0])[n * 2 + k] = number(s->at, k);
        ((uint8_t *)targets[0])[n] = (uint8_t)(s->at % 3);
        if (weights)
            weights[n] = (float)(s->at % 2 + 1);
    }
    s->inside--;
    return n;
}

static struct source source_of(int64_t count)
{
    return (struct source){ .count = count, .fails_at = -1, .at_once = INT64_MAX };
}

static kiln_stream stream_of(struct source *s, int64_t count, int64_t window)
{
    static const int64_t two = 2;
    static const kiln_column_info in = { .dtype = KILN_FLOAT, .rank = 1, .dims = &two };
    static const kiln_column_info out = { .dtype = KILN_UINT8, .classes = 3 };
    kiln_stream to = KILN_STREAM_INIT;

    to.inputs = &in;
    to.targets = &out;
    to.input_count = to.target_count = 1;
    to.count = count;
    to.shuffle_buffer = window;
    to.start = start;
    to.next = next;
    to.user = s;
    return to;
}

static kiln_dataset *open_stream(struct source *s, int64_t count, int64_t window)
{
    const kiln_stream of = stream_of(s, count, window);
    kiln_dataset *d;

    ok(kiln_dataset_stream(&d, &of, NULL, &err));
    return d;
}

/* The same samples in memory. */
static kiln_dataset *in_memory_with(int64_t count, bool weighted)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_tensor *weights;
    kiln_dataset *d;
    float x[2 * SAMPLES], w[SAMPLES];
    int64_t y[SAMPLES];

    for (int64_t i = 0; i < count; i++) {
        x[2 * i] = number(i, 0);
        x[2 * i + 1] = number(i, 1);
        y[i] = i % 3;
        w[i] = (float)(i % 2 + 1);
    }
    ok(kiln_tensor_wrap(&weights, KILN_FLOAT, 1, &count, w, (size_t)count * sizeof *w, &err));
    o.weights = weighted ? weights : NULL;
    d = samples_of(count, 2, x, y, &o);
    kiln_tensor_free(weights);
    return d;
}

static kiln_dataset *in_memory(int64_t count)
{
    return in_memory_with(count, false);
}

static kiln_trainer *make_trainer(kiln_context *context, const kiln_dataset *d)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(net);
    kiln_trainer *t;

    o.context = context;
    o.data = d;
    o.seed = 4;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    return t;
}

static char *text_of_trainer(kiln_trainer *t)
{
    kiln_model *m;
    char *text;

    ok(kiln_trainer_export(&m, t, &err));
    text = text_of(m, KILN_FORM_TEXT);
    kiln_model_free(m);
    return text;
}

static kiln_fit_options options(void)
{
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;

    o.batch = BATCH;
    o.epochs = EPOCHS;
    o.seed = 9;
    return o;
}

/* Trained on the data; the model's text, which is the caller's. */
static char *train(const kiln_dataset *d, int threads, const kiln_fit_options *o)
{
    kiln_context *c = new_context(threads, 0);
    kiln_trainer *t = make_trainer(c, d);
    char *text;

    ok(kiln_trainer_fit(t, d, o, NULL, &err));
    text = text_of_trainer(t);
    kiln_trainer_free(t);
    kiln_context_free(c);
    return text;
}

static void same_text(char *a, char *b, bool same)
{
    ck_assert_msg((strcmp(a, b) == 0) == same, "%s:\n%s\n%s", same ? "they differ" : "they are the same", a, b);
    free(a);
    free(b);
}

/* -- training -- */

START_TEST(in_order_a_stream_trains_as_memory_does)
{
    kiln_fit_options o = options();
    kiln_dataset *all = in_memory(SAMPLES);

    o.in_order = true;
    for (int known = 0; known < 2; known++)
        for (int threads = 1; threads < 4; threads++) {
            struct source s = source_of(SAMPLES);
            kiln_dataset *d = open_stream(&s, known ? SAMPLES : 0, 5);

            s.at_once = threads;
            same_text(train(all, 1, &o), train(d, threads, &o), true);
            ck_assert(s.begun == EPOCHS && s.passes[0] == 0 && s.passes[2] == 2);
            kiln_dataset_free(d);
        }
    kiln_dataset_free(all);
}
END_TEST

START_TEST(weights_of_a_stream_count_as_in_memory)
{
    kiln_fit_options o = options();
    struct source s = source_of(SAMPLES);
    kiln_stream of = stream_of(&s, 0, 1);
    kiln_dataset *d, *plain = open_stream(&s, 0, 1), *all = in_memory_with(SAMPLES, true);
    kiln_trainer *t = make_trainer(NULL, all);
    double a[8], b[8];

    o.in_order = of.weighted = true;
    ok(kiln_dataset_stream(&d, &of, NULL, &err));
    same_text(train(all, 1, &o), train(d, 2, &o), true);
    same_text(train(plain, 1, &o), train(d, 1, &o), false);
    ok(kiln_trainer_evaluate(t, all, 5, a, &err));
    ok(kiln_trainer_evaluate(t, d, 5, b, &err));
    ck_assert(a[0] == b[0] && a[1] == b[1]);
    kiln_trainer_free(t);
    kiln_dataset_free(all);
    kiln_dataset_free(plain);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(the_same_bytes_for_any_number_of_threads)
{
    const kiln_fit_options o = options();
    char *first = NULL;

    for (int threads = 1; threads < 4; threads++) {
        struct source s = source_of(SAMPLES);
        kiln_dataset *d = open_stream(&s, 0, 7);
        char *text = train(d, threads, &o);

        if (first)
            same_text(strdup(first), text, true);
        else
            first = text;
        kiln_dataset_free(d);
    }
    for (int window = 1; window < 30; window += 28) { /* another order is another model */
        struct source s = source_of(SAMPLES);
        kiln_dataset *d = open_stream(&s, 0, window);

        same_text(strdup(first), train(d, 2, &o), false);
        kiln_dataset_free(d);
    }
    free(first);
}
END_TEST

static bool count_of(void *user, const kiln_fit_step *step)
{
    int64_t *of = user;

    ck_assert(!step->of || step->done <= step->of);
    if (step->step <= 16)
        of[step->step - 1] = step->of;
    return true;
}

/* How many samples an epoch has is not known in the first one, unless it was said. */
START_TEST(progress_knows_what_is_known)
{
    for (int known = 0; known < 2; known++) {
        kiln_fit_options o = options();
        struct source s = source_of(SAMPLES);
        kiln_dataset *d = open_stream(&s, known ? SAMPLES : 0, 3);
        int64_t of[16] = { 0 };

        ck_assert_int_eq(kiln_dataset_about(d)->count, known ? SAMPLES : 0);
        ck_assert_int_eq(kiln_dataset_about(d)->shuffle_buffer, 3);
        o.step = count_of;
        o.user = of;
        free(train(d, 2, &o));
        ck_assert_int_eq(of[0], known ? SAMPLES : 0);
        ck_assert_int_eq(of[5], known ? SAMPLES : 0);
        ck_assert_int_eq(of[6], SAMPLES); /* the second epoch */
        kiln_dataset_free(d);
    }
}
END_TEST

/* Steps of an epoch that goes over the end of the data. */
START_TEST(the_data_begin_anew_where_they_end)
{
    kiln_fit_options o = options();
    struct source s = source_of(SAMPLES);
    kiln_dataset *d = open_stream(&s, 0, 1), *all = in_memory(SAMPLES);

    o.steps_per_epoch = 8;
    o.in_order = true;
    same_text(train(all, 1, &o), train(d, 2, &o), true);
    ck_assert(s.begun == 4 && s.passes[3] == 3);
    o.initial_epoch = 1;
    {
        kiln_trainer *t = make_trainer(NULL, d);

        expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "needs to know how many samples");
        kiln_trainer_free(t);
    }
    kiln_dataset_free(all);
    kiln_dataset_free(d);
}
END_TEST

/* -- validation, measures, what is counted -- */

START_TEST(streams_are_measured_as_memory_is)
{
    struct source s = source_of(SAMPLES), other = source_of(SAMPLES);
    kiln_dataset *d = open_stream(&s, 0, 4), *check = open_stream(&other, 0, 1), *all = in_memory(SAMPLES);
    kiln_trainer *t = make_trainer(NULL, d);
    kiln_fit_options o = options();
    double a[8], b[8];
    kiln_tensor *m;

    ok(kiln_trainer_evaluate(t, d, 5, a, &err));
    ok(kiln_trainer_evaluate(t, all, 5, b, &err));
    ck_assert(a[0] == b[0] && a[1] == b[1]);
    ok(kiln_trainer_confusion(&m, t, d, 5, 0, a, &err));
    kiln_tensor_free(m);
    o.validation = check;
    o.validation_steps = 2;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    o.validation = d; /* which has ended when an epoch has */
    o.validation_steps = 0;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    o.steps_per_epoch = 2; /* and here has not */
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "needs a stream of its own");
    kiln_trainer_free(t);
    kiln_dataset_free(all);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(numbers_and_classes_are_counted)
{
    struct source s = source_of(SAMPLES);
    kiln_dataset *d = open_stream(&s, 0, 4), *all = in_memory(SAMPLES), *made[2];
    kiln_numbers a, b;
    int64_t counts[3], need[3];
    char *text[2];
    kiln_model *m = open_text(net), *edited;
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;

    ok(kiln_dataset_numbers(d, false, 0, &a, &err));
    ok(kiln_dataset_numbers(all, false, 0, &b, &err));
    ck_assert(a.mean == b.mean && a.deviation == b.deviation && a.least == b.least && a.finite == b.finite);
    ok(kiln_dataset_count_classes(d, 0, counts, &err));
    ok(kiln_dataset_count_classes(all, 0, need, &err));
    ck_assert(memcmp(counts, need, sizeof counts) == 0);
    ok(kiln_dataset_normalize(&made[0], d, "standardize", NULL, &err));
    ok(kiln_dataset_normalize(&made[1], all, "standardize", NULL, &err));
    for (int k = 0; k < 2; k++) {
        e.data = made[k];
        ok(kiln_model_edit(&edited, m, &e, &err));
        text[k] = text_of(edited, KILN_FORM_TEXT);
        kiln_model_free(edited);
        kiln_dataset_free(made[k]);
    }
    same_text(text[0], text[1], true);
    kiln_model_free(m);
    kiln_dataset_free(all);
    kiln_dataset_free(d);
}
END_TEST

struct seen {
    int64_t next;
    bool whole;
};

static bool look(void *user, const kiln_tensor *const *x, int64_t first, int64_t count)
{
    struct seen *s = user;
    const float *v = floats_of(x[0]);

    ck_assert_int_eq(first, s->next);
    ck_assert_int_eq(kiln_tensor_dims(x[0])[0], s->whole ? 5 : count);
    for (int64_t i = 0; i < kiln_tensor_dims(x[0])[0]; i++) {
        const int64_t sample = first + (i < count ? i : count - 1);

        ck_assert(v[2 * i] == number(sample, 0) && v[2 * i + 1] == number(sample, 1));
    }
    s->next += count;
    return s->next < 100;
}

static bool stop(void *user, const kiln_tensor *const *x, int64_t first, int64_t count)
{
    (void)user;
    (void)x;
    (void)count;
    return first == 0;
}

START_TEST(all_samples_are_walked_through)
{
    struct source s = source_of(SAMPLES);
    kiln_dataset *sets[] = { open_stream(&s, 0, 4), in_memory(SAMPLES) };
    kiln_model *m = open_text(net);

    for (int k = 0; k < 2; k++) {
        for (int whole = 0; whole < 2; whole++) {
            struct seen seen = { 0, whole };

            ok(kiln_dataset_each(sets[k], m, 5, whole, look, &seen, &err));
            ck_assert_int_eq(seen.next, SAMPLES);
        }
        expect(kiln_dataset_each(sets[k], m, 5, false, stop, NULL, &err), KILN_STOPPED, "stopped");
        expect(kiln_dataset_each(sets[k], m, 0, false, stop, NULL, &err), KILN_BAD_ARGUMENT, "at least 1");
        kiln_dataset_free(sets[k]);
    }
    expect(kiln_dataset_each(NULL, m, 5, false, stop, NULL, &err), KILN_BAD_ARGUMENT, "data is NULL");
    kiln_model_free(m);
}
END_TEST

/* -- what goes wrong -- */

START_TEST(a_failing_callback_is_told)
{
    for (int threads = 1; threads < 3; threads++)
        for (int quiet = 0; quiet < 2; quiet++) {
            struct source s = source_of(SAMPLES);
            kiln_context *c = new_context(threads, 0);
            kiln_dataset *d = open_stream(&s, 0, 2);
            kiln_trainer *t = make_trainer(c, d);
            kiln_fit_options o = options();
            int64_t of[16] = { 0 };

            s.at_once = 1;
            s.fails_at = 11; /* with a window of 2 there are 2 batches before */
            s.quiet = quiet;
            o.step = count_of;
            o.user = of;
            memset(of, -1, sizeof of);
            expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_DATA,
                   quiet ? "did not say why" : "sample 11 is lost");
            ck_assert(of[1] == 0 && of[2] == -1); /* the steps before were done */
            s.starts_badly = true;
            expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_IO, "the camera is off");
            s.starts_badly = false;
            s.fails_at = -1; /* and it may be taken up again */
            ok(kiln_trainer_fit(t, d, &o, NULL, &err));
            kiln_trainer_free(t);
            kiln_dataset_free(d);
            kiln_context_free(c);
        }
}
END_TEST

static int64_t too_many(void *user, int64_t most, void *const *inputs, void *const *targets, float *weights,
                        kiln_error *e)
{
    (void)user;
    (void)inputs;
    (void)targets;
    (void)weights;
    (void)e;
    return most + 1;
}

static int64_t bad_numbers(void *user, int64_t most, void *const *inputs, void *const *targets, float *weights,
                           kiln_error *e)
{
    const int *what = user;

    (void)most;
    (void)e;
    ((float *)inputs[0])[0] = 0;
    ((float *)inputs[0])[1] = *what == 0 ? NAN : 0;
    ((uint8_t *)targets[0])[0] = *what == 1 ? 3 : 0;
    weights[0] = *what == 2 ? -1 : 1;
    return 1;
}

START_TEST(what_a_callback_gives_is_looked_at)
{
    static const char *const messages[] = { "element 1 of sample 0 is no number", "label 3 of sample 0",
                                            "the weight of sample 0 is -1" };
    struct source s = source_of(SAMPLES);
    kiln_stream of = stream_of(&s, 30, 1);
    kiln_trainer *t;
    kiln_dataset *d;
    kiln_numbers n;

    ok(kiln_dataset_stream(&d, &of, NULL, &err));
    expect(kiln_dataset_numbers(d, false, 0, &n, &err), KILN_BAD_DATA, "end after 22 samples, there should be 30");
    kiln_dataset_free(d);
    of.count = 20;
    ok(kiln_dataset_stream(&d, &of, NULL, &err));
    expect(kiln_dataset_numbers(d, false, 0, &n, &err), KILN_BAD_DATA, "more samples than the 20");
    kiln_dataset_free(d);
    s.count = 0;
    of.count = 0;
    ok(kiln_dataset_stream(&d, &of, NULL, &err));
    expect(kiln_dataset_numbers(d, false, 0, &n, &err), KILN_BAD_DATA, "not one sample");
    kiln_dataset_free(d);
    of.next = too_many;
    ok(kiln_dataset_stream(&d, &of, NULL, &err));
    expect(kiln_dataset_numbers(d, false, 0, &n, &err), KILN_BAD_DATA, "there was room for");
    kiln_dataset_free(d);
    of.next = bad_numbers;
    of.weighted = true;
    of.start = NULL;
    for (int what = 0; what < 3; what++) {
        of.user = &what;
        ok(kiln_dataset_stream(&d, &of, NULL, &err));
        ck_assert(kiln_dataset_about(d)->weighted);
        expect(kiln_dataset_numbers(d, false, 0, &n, &err), KILN_BAD_DATA, messages[what]);
        t = make_trainer(NULL, d);
        expect(kiln_trainer_fit(t, d, NULL, NULL, &err), KILN_BAD_DATA, messages[what]);
        kiln_trainer_free(t);
        kiln_dataset_free(d);
    }
}
END_TEST

START_TEST(what_a_stream_cannot_is_refused)
{
    struct source s = source_of(SAMPLES);
    kiln_dataset *d = open_stream(&s, 0, 4), *a, *b;
    kiln_model *m = open_text(net);
    kiln_stream of = stream_of(&s, 0, 1);
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    const int64_t first = 0, three = 3;
    kiln_column_info wide = { .dtype = KILN_FLOAT, .rank = 1, .dims = &three };
    kiln_adapt_options adapt = KILN_ADAPT_OPTIONS_INIT;
    kiln_model *made;
    kiln_tensor *t;

    expect(kiln_dataset_split(&a, &b, d, .5, &err), KILN_BAD_ARGUMENT, "does not tell how many");
    expect(kiln_dataset_sample(&t, d, false, 0, 0, &err), KILN_BAD_ARGUMENT, "come in their order");
    expect(kiln_dataset_batch(&t, d, m, &first, 1, &err), KILN_BAD_ARGUMENT, "come in their order");
    adapt.data = d;
    expect(kiln_adapt(&made, NULL, m, &adapt, &err), KILN_BAD_ARGUMENT, "needs them in memory, or in a file");
    kiln_dataset_free(d);
    o.model = m;
    of.inputs = &wide;
    expect(kiln_dataset_stream(&d, &of, &o, &err), KILN_BAD_DATA, "a sample is float[3]");
    of.next = NULL;
    expect(kiln_dataset_stream(&d, &of, &o, &err), KILN_BAD_ARGUMENT, "next is NULL");
    of = stream_of(&s, -1, 1);
    expect(kiln_dataset_stream(&d, &of, &o, &err), KILN_BAD_ARGUMENT, "count -1");
    of = stream_of(&s, 0, 1);
    of.target_count = 0;
    expect(kiln_dataset_stream(&d, &of, &o, &err), KILN_BAD_ARGUMENT, "targets is empty");
    wide.dtype = KILN_STRING;
    of = stream_of(&s, 0, 1);
    of.inputs = &wide;
    expect(kiln_dataset_stream(&d, &of, &o, &err), KILN_BAD_ARGUMENT, "must be of real numbers");
    of = stream_of(&s, 0, 1);
    o.shuffle_buffer = 3;
    expect(kiln_dataset_stream(&d, &of, &o, &err), KILN_BAD_ARGUMENT, "that of a stream is in kiln_stream");
    expect(kiln_dataset_stream(&d, NULL, &o, &err), KILN_BAD_ARGUMENT, "stream is NULL");
    d = open_stream(&s, SAMPLES, 2); /* one that tells can be split */
    ok(kiln_dataset_split(&a, &b, d, .25, &err));
    ck_assert(kiln_dataset_about(a)->count == 16 && kiln_dataset_about(b)->count == 6);
    {
        kiln_fit_options f = options();

        f.validation = b;
        f.in_order = true;
        free(train(a, 2, &f));
    }
    kiln_dataset_free(a);
    kiln_dataset_free(b);
    kiln_dataset_free(d);
    kiln_model_free(m);
}
END_TEST

/* -- going on -- */

static char folder[32], file[64];

static bool stop_at(void *user, const kiln_fit_step *step)
{
    return step->step < *(const int64_t *)user;
}

static bool note_steps(void *user, int64_t epochs, int64_t steps)
{
    (void)epochs;
    *(int64_t *)user = steps;
    return true;
}

static int warnings;

static void count_warnings(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    (void)where;
    (void)message;
    warnings += code == KILN_OK;
}

/* What is known of a stream is what its checkpoint is of: how many samples, of which types; of another window it is
 * told. */
static void refuse_other_streams(const kiln_dataset *d)
{
    kiln_context_options of = KILN_CONTEXT_OPTIONS_INIT;
    kiln_fit_options o = options();
    struct source s = source_of(SAMPLES);
    kiln_dataset *counted = open_stream(&s, SAMPLES, 6), *wider = open_stream(&s, 0, 7);
    kiln_trainer *t = make_trainer(NULL, d);
    kiln_context *c;

    o.checkpoint = file;
    o.epochs = 1;
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    kiln_trainer_free(t);
    o.checkpoint = NULL;
    o.resume = file;
    o.epochs = 2;
    of.diagnostic = count_warnings;
    ok(kiln_context_new(&c, &of, &err));
    t = make_trainer(c, d);
    expect(kiln_trainer_fit(t, counted, &o, NULL, &err), KILN_BAD_DATA, "checkpoint of another training");
    ck_assert_int_eq(warnings, 0);
    ok(kiln_trainer_fit(t, wider, &o, NULL, &err));
    ck_assert_int_eq(warnings, 1);
    kiln_trainer_free(t);
    kiln_context_free(c);
    kiln_dataset_free(counted);
    kiln_dataset_free(wider);
    unlink(file);
}

/* Stopped at every step, a stream goes on to the same bytes; also where it had failed. */
START_TEST(a_training_goes_on)
{
    const kiln_fit_options all = options();
    struct source s = source_of(SAMPLES);
    kiln_dataset *d = open_stream(&s, 0, 6);
    char *whole = train(d, 2, &all);

    snprintf(folder, sizeof folder, "/tmp/kiln-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/checkpoint.npz", folder);
    for (int64_t at = 1; at < 18; at++)
        for (int fails = 0; fails < 2; fails++) {
            kiln_fit_options o = options();
            kiln_trainer *t = make_trainer(NULL, d);
            int64_t ran, steps = -1;

            o.checkpoint = file;
            if (fails) {
                s.fails_at = SAMPLES - 1;
                s.at_once = 1;
            } else {
                o.step = stop_at;
                o.user = &at;
            }
            ck_assert_int_ne(kiln_trainer_fit(t, d, &o, &ran, &err), KILN_OK);
            kiln_trainer_free(t);
            s.fails_at = -1;
            s.at_once = INT64_MAX;
            t = make_trainer(NULL, d);
            o = options();
            o.resume = file;
            o.start = note_steps;
            o.user = &steps;
            ok(kiln_trainer_fit(t, d, &o, &ran, &err));
            ck_assert_int_eq(steps, fails ? 3 : at); /* no step is lost */
            same_text(strdup(whole), text_of_trainer(t), true);
            kiln_trainer_free(t);
            unlink(file);
        }
    free(whole);
    refuse_other_streams(d);
    kiln_dataset_free(d);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_stream");

    add_test(s, in_order_a_stream_trains_as_memory_does);
    add_test(s, weights_of_a_stream_count_as_in_memory);
    add_test(s, the_same_bytes_for_any_number_of_threads);
    add_test(s, progress_knows_what_is_known);
    add_test(s, the_data_begin_anew_where_they_end);
    add_test(s, streams_are_measured_as_memory_is);
    add_test(s, numbers_and_classes_are_counted);
    add_test(s, all_samples_are_walked_through);
    add_test(s, a_failing_callback_is_told);
    add_test(s, what_a_callback_gives_is_looked_at);
    add_test(s, what_a_stream_cannot_is_refused);
    add_test(s, a_training_goes_on);
    return s;
}
