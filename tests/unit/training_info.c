/* Training as a file says it: steps of its training_info, their order, and what is assigned when. */
#include "base/memory.h"
#include "model/message.h"
#include "model/proto.h"
#include "model/text.h"
#include "public.h"
#include <math.h>

static struct budget budget;
static struct report report;

/* A training_info in text: graphs as in a model, and bindings as "KEY=VALUE KEY=VALUE". */
struct info_text {
    const char *algorithm, *update, *initialization, *initial;
};

#define OPSETS "<ir_version: 8, opset_import: [\"\": 17, \"ai.onnx.preview.training\": 1]> "

static Onnx__ModelProto *read_model(const char *graph)
{
    char text[2048];
    Onnx__ModelProto *p;

    snprintf(text, sizeof text, OPSETS "%s", graph);
    p = text_read_model(text, strlen(text), &budget, &report);
    ck_assert_msg(p, "%s: %s", report.error.where, report.error.message);
    return p;
}

/* The graph of a text; NULL for NULL. */
static Onnx__GraphProto *graph_of(const char *text)
{
    Onnx__ModelProto *p = text ? read_model(text) : NULL;
    Onnx__GraphProto *g = p ? p->graph : NULL;

    if (p)
        p->graph = NULL;
    message_free(p, &budget);
    return g;
}

static Onnx__StringStringEntryProto **bindings_of(const char *text, size_t *count)
{
    enum { MOST = 8 };
    Onnx__StringStringEntryProto **list = budget_zalloc(&budget, MOST, sizeof *list, &report);

    for (const char *s = text; s && *s; s += strcspn(s, " "), s += *s == ' ') {
        const size_t key = strcspn(s, "="), value = strcspn(s + key + 1, " ");
        Onnx__StringStringEntryProto *e = message_new(&onnx__string_string_entry_proto__descriptor, &budget, &report);

        e->key = message_string(s, key, &budget, &report);
        e->value = message_string(s + key + 1, value, &budget, &report);
        list[(*count)++] = e;
        ck_assert_uint_le(*count, MOST);
    }
    return list;
}

static Onnx__ModelProto *messages_of(const char *main, size_t count, const struct info_text *infos)
{
    Onnx__ModelProto *p = read_model(main);

    p->training_info = budget_zalloc(&budget, count, sizeof *p->training_info, &report);
    for (; p->n_training_info < count; p->n_training_info++) {
        const struct info_text *text = &infos[p->n_training_info];
        Onnx__TrainingInfoProto *info = message_new(&onnx__training_info_proto__descriptor, &budget, &report);

        info->algorithm = graph_of(text->algorithm);
        info->initialization = graph_of(text->initialization);
        info->update_binding = bindings_of(text->update, &info->n_update_binding);
        info->initialization_binding = bindings_of(text->initial, &info->n_initialization_binding);
        p->training_info[p->n_training_info] = info;
    }
    return p;
}

static kiln_model *model_of(const char *main, size_t count, const struct info_text *infos)
{
    Onnx__ModelProto *p = messages_of(main, count, infos);
    kiln_model *m;
    uint8_t *bytes;
    size_t size;

    ck_assert(proto_pack(p, &bytes, &size, &budget, &report));
    ok(kiln_model_open_memory(&m, bytes, size, NULL, &err));
    budget_free(&budget, bytes);
    message_free(p, &budget);
    return m;
}

static kiln_training *training_of(const kiln_model *m)
{
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    kiln_training *t;

    o.threads = 1;
    ok(kiln_training_new(&t, m, &o, &err));
    return t;
}

static kiln_training *training(const char *main, size_t count, const struct info_text *infos)
{
    kiln_model *m = model_of(main, count, infos);
    kiln_training *t = training_of(m);

    kiln_model_free(m);
    return t;
}

static double value(const kiln_training *t, const char *name)
{
    kiln_tensor *v;
    double x;

    ok(kiln_training_get(&v, t, name, &err));
    x = kiln_tensor_number(v, 0);
    kiln_tensor_free(v);
    return x;
}

static kiln_tensor *vector(int64_t n, const float *x)
{
    kiln_tensor *t;

    ok(kiln_tensor_new(&t, KILN_FLOAT, 1, &n, x, &err));
    return t;
}

/* -- a step -- */

/* y = w x, mean squares of y - t, w <- w - lr dloss/dw. */
#define LINE  "line (float[N] x) => (float[N] y) <float w = {2}> { y = Mul (x, w) }"
#define ALONE "alone () => (float y) <float w = {2}> { y = Neg (w) }"
#define DESCENT                                                                                                        \
    "a (float[N] t) => (float loss, float[N] d, float w_new) <float lr = {0.1}> { d = Sub (y, t) s = Mul (d, d) "      \
    "loss = ReduceMean <keepdims = 0> (s) g = ai.onnx.preview.training.Gradient <xs = [\"w\"], zs = [\"x\", \"t\"], "  \
    "y = \"loss\"> (w, x, t) r = Mul (lr, g) w_new = Sub (w, r) }"

static const struct info_text descent = { DESCENT, "w=w_new", NULL, NULL };

static void step_of(kiln_training *t, int64_t n, const float *x, const float *y)
{
    kiln_tensor *in[] = { vector(n, x), vector(n, y) };

    ok(kiln_training_step(t, (const kiln_tensor *const *)in, &err));
    kiln_tensor_free(in[0]);
    kiln_tensor_free(in[1]);
}

static const float xs[] = { 1, -2, .5f }, ts[] = { 3, 1, 0 };

/* The same in double; *loss is that before the step. */
static double by_hand(double w, int n, double *loss)
{
    double g = 0;

    *loss = 0;
    for (int k = 0; k < n; k++) {
        const double d = w * (double)xs[k] - (double)ts[k];

        *loss += d * d / n;
        g += 2 * d * (double)xs[k] / n;
    }
    return w - (double).1f * g;
}

START_TEST(a_step_is_what_the_file_says)
{
    kiln_training *t = training(LINE, 1, &descent);
    double w = 2, loss, told;

    ck_assert_uint_eq(kiln_training_input_count(t), 2);
    ck_assert_str_eq(kiln_training_input(t, 0)->name, "x");
    ck_assert_str_eq(kiln_training_input(t, 1)->name, "t");
    ck_assert_ptr_null(kiln_training_input(t, 2));
    ck_assert_uint_eq(kiln_training_result_count(t), 2);
    ck_assert_str_eq(kiln_training_result_name(t, 0), "loss");
    ck_assert_str_eq(kiln_training_result_name(t, 1), "d");
    ck_assert_ptr_null(kiln_training_result(t, 0)); /* there was no step yet */
    for (int n = 3; n > 0; n--) {                   /* batches may differ in size */
        w = by_hand(w, n, &loss);
        step_of(t, n, xs, ts);
        ck_assert_double_eq_tol(value(t, "w"), w, 1e-6);
        told = kiln_tensor_number(kiln_training_result(t, 0), 0);
        ck_assert_double_eq_tol(told, loss, 1e-6);
        ck_assert_int_eq(kiln_tensor_dims(kiln_training_result(t, 1))[0], n);
    }
    ck_assert_int_eq(kiln_training_steps(t), 3);
    kiln_training_free(t);
}
END_TEST

/* The file that is written holds the state, the algorithm's own included: two trainings in a row are one. */
START_TEST(what_is_exported_goes_on)
{
    static const struct info_text counted = {
        "a () => (float w2, int64 n2) <int64 n = {0}, float h = {0.5}> { w2 = Mul (w, "
        "h) one = Constant <value_int = 1> () n2 = Add (n, one) }",
        "w=w2 n=n2", NULL, NULL
    };
    kiln_training *t = training(ALONE, 1, &counted);
    kiln_model *m;

    ok(kiln_training_step(t, NULL, &err));
    ok(kiln_training_step(t, NULL, &err));
    ok(kiln_training_export(&m, t, &err));
    kiln_training_free(t);
    ck_assert_uint_eq(kiln_model_training_count(m), 1);
    t = training_of(m);
    kiln_model_free(m);
    ok(kiln_training_step(t, NULL, &err));
    ck_assert_double_eq(value(t, "w"), .25);
    ck_assert_double_eq(value(t, "n"), 3);
    ck_assert_int_eq(kiln_training_steps(t), 1);
    kiln_training_free(t);
}
END_TEST

START_TEST(updates_are_assigned_at_once)
{
    static const struct info_text swap = { "g () => (float p, float q) { p = Identity (b) q = Identity (a) }",
                                           "a=p b=q", NULL, NULL };
    kiln_training *t = training("m () => (float y) <float a = {1}, float b = {2}> { y = Add (a, b) }", 1, &swap);

    ok(kiln_training_step(t, NULL, &err));
    ck_assert_double_eq(value(t, "a"), 2);
    ck_assert_double_eq(value(t, "b"), 1);
    kiln_training_free(t);
}
END_TEST

/* An output of the main graph may be assigned, too, and the next training_info sees what the one before has assigned. */
START_TEST(several_run_in_their_order)
{
    static const struct info_text infos[] = {
        { NULL, "w=y", NULL, NULL },
        { "a () => (float s2) <float s = {100}> { s2 = Add (s, w) }", "s=s2", NULL, NULL },
        { "a () => (float s2) <float s = {1000}> { s2 = Sub (s, y) }", "s=s2", NULL, NULL },
    };
    kiln_model *m = model_of("m () => (float y) <float w = {3}, float two = {2}> { y = Mul (w, two) }", 2, infos);
    kiln_training *t = training_of(m);

    for (int k = 0; k < 2; k++)
        ok(kiln_training_step(t, NULL, &err));
    ck_assert_double_eq(value(t, "w"), 12);
    ck_assert_double_eq(value(t, "s"), 118);
    kiln_training_free(t);
    kiln_model_free(m);
}
END_TEST

/* What only an initialization assigns to is no state of the steps. */
START_TEST(the_state_is_told_in_the_order_of_its_updates)
{
    static const struct info_text infos[] = {
        { "a () => (float v2, float u2) <float v = {1}, float u = {8}> { v2 = Add (v, w) u2 = Neg (u) }", "v=v2 u=u2",
          "i () => (float c0) { c0 = Constant <value_float = 5.0> () }", "c=c0" },
        { "a () => (float w2) { w2 = Mul (w, c) }", "w=w2", NULL, NULL },
    };
    static const char *const names[] = { "v", "u", "w" };
    const double before[] = { 1, 8, 2 }, after[] = { 3, -8, 10 };
    kiln_training *t = training("m () => (float y) <float w = {2}, float c = {1}> { y = Mul (w, c) }", 2, infos);

    ok(kiln_training_initialize(t, &err));
    ck_assert_uint_eq(kiln_training_state_count(t), 3);
    for (int step = 0; step < 2; step++) {
        for (size_t k = 0; k < 3; k++) {
            ck_assert_str_eq(kiln_training_state_name(t, k), names[k]);
            ck_assert_double_eq(kiln_tensor_number(kiln_training_state(t, k), 0), step ? after[k] : before[k]);
        }
        ok(kiln_training_step(t, NULL, &err));
    }
    ck_assert_ptr_null(kiln_training_state_name(t, 3));
    ck_assert_ptr_null(kiln_training_state(t, 3));
    ck_assert_double_eq(value(t, "c"), 5);
    kiln_training_free(t);
    ck_assert_uint_eq(kiln_training_state_count(NULL), 0);
}
END_TEST

/* A step happens whole or not at all, also where the second training_info fails. */
START_TEST(a_failed_step_changes_nothing)
{
    static const struct info_text infos[] = {
        { "a () => (float w2) { w2 = Add (w, w) }", "w=w2", NULL, NULL },
        { "a (float z) => (float v2, float told) <float v = {1}> { v2 = Div (v, z) told = Identity (w) }", "v=v2", NULL,
          NULL },
    };
    const float zero = 0, four = 4;
    kiln_training *t = training("m () => (float y) <float w = {1}> { y = Neg (w) }", 2, infos);
    kiln_tensor *z;

    ok(kiln_tensor_new(&z, KILN_FLOAT, 0, NULL, &zero, &err));
    expect(kiln_training_step(t, (const kiln_tensor *const *)&z, &err), KILN_RUN_FAILED,
           "the update of 'v' is not finite");
    ck_assert_str_eq(err.where, "training_info[1]");
    ck_assert_ptr_null(kiln_training_result(t, 0));
    ck_assert_double_eq(value(t, "w"), 1);
    ck_assert_double_eq(value(t, "v"), 1);
    ck_assert_int_eq(kiln_training_steps(t), 0);
    kiln_tensor_free(z);
    ok(kiln_tensor_new(&z, KILN_FLOAT, 0, NULL, &four, &err));
    ok(kiln_training_step(t, (const kiln_tensor *const *)&z, &err));
    ck_assert_double_eq(value(t, "w"), 2);
    ck_assert_double_eq(value(t, "v"), .25);
    kiln_tensor_free(z);
    kiln_training_free(t);
}
END_TEST

/* What was infinite may stay so: the best loss so far. */
START_TEST(infinite_state_may_stay_infinite)
{
    static const struct info_text best = { "a () => (float b2) <float best = {inf}> { b2 = Min (best, w) }", "best=b2",
                                           NULL, NULL };
    kiln_training *t = training("m () => (float y) <float w = {inf}> { y = Neg (w) }", 1, &best);

    ok(kiln_training_step(t, NULL, &err));
    ck_assert(isinf(value(t, "best")));
    kiln_training_free(t);
}
END_TEST

/* -- initialization -- */

static const struct info_text with_initialization = {
    "a () => (float w2, int64 n2) <int64 n = {7}> { w2 = Add (w, w) n2 = Add (n, n) }", "w=w2 n=n2",
    "i () => (float w0, int64 n0) { w0 = RandomUniform <low = 5.0, high = 6.0, shape: ints = []> () n0 = Constant "
    "<value_int "
    "= 1> () }",
    "w=w0 n=n0"
};

START_TEST(an_initialization_begins_anew)
{
    kiln_training *t = training(ALONE, 1, &with_initialization);

    ok(kiln_training_step(t, NULL, &err));
    ck_assert_double_eq(value(t, "n"), 14); /* nothing runs it by itself */
    ck_assert_double_eq(value(t, "w"), 4);
    ok(kiln_training_initialize(t, &err));
    ck_assert_int_eq(kiln_training_steps(t), 0);
    ck_assert_double_eq(value(t, "n"), 1);
    ck_assert(value(t, "w") >= 5 && value(t, "w") < 6);
    ok(kiln_training_step(t, NULL, &err));
    ck_assert_double_eq(value(t, "n"), 2);
    ck_assert(value(t, "w") >= 10);
    kiln_training_free(t);
}
END_TEST

START_TEST(a_model_is_drawn_by_its_initialization)
{
    kiln_model *m = model_of(LINE, 1, &with_initialization), *drawn, *other;
    kiln_training *a, *b;
    size_t count;

    ok(kiln_model_initialize(&drawn, m, 1, true, &count, &err));
    ck_assert_uint_eq(count, 2);
    a = training_of(drawn);
    ok(kiln_model_initialize(&other, m, 2, true, &count, &err));
    b = training_of(other);
    ck_assert_double_ge(value(a, "w"), 5);
    ck_assert_double_ge(value(b, "w"), 5);
    ck_assert_double_ne(value(a, "w"), value(b, "w")); /* by the seed */
    kiln_training_free(a);
    kiln_training_free(b);
    kiln_model_free(drawn);
    kiln_model_free(other);
    ok(kiln_model_initialize(&drawn, m, 1, false, &count, &err));
    ck_assert_uint_eq(count, 0);
    kiln_model_free(drawn);
    kiln_model_free(m);
}
END_TEST

/* -- what is no training -- */

#define NEXT "a () => (float w2) { w2 = Add (w, w) }"

static const struct {
    const char *message, *where;
    struct info_text infos[2];
    kiln_status code;
} refused[] = {
    { "'v' is assigned to, which is no initializer",
      "training_info[0]",
      { { NEXT, "v=w2", NULL, NULL } },
      KILN_BAD_MODEL },
    { "'x' is assigned to, which is no initializer",
      "training_info[0]",
      { { NEXT, "x=w2", NULL, NULL } },
      KILN_BAD_MODEL },
    { "'w' is assigned from 'w3', which is no output",
      "training_info[0].algorithm",
      { { NEXT, "w=w3", NULL, NULL } },
      KILN_BAD_MODEL },
    { "'w' is assigned from 'w3', which is no output",
      "training_info[0].initialization",
      { { NEXT, "w=w2", "i () => (float w2) { w2 = Constant <value_float = 1.0> () }", "w=w3" } },
      KILN_BAD_MODEL },
    { "two update_bindings assign to 'w'", "training_info[0]", { { NEXT, "w=w2 w=w2", NULL, NULL } }, KILN_BAD_MODEL },
    { "two update_bindings assign to 'w'",
      "training_info[1]",
      { { NEXT, "w=w2", NULL, NULL }, { NEXT, "w=w2", NULL, NULL } },
      KILN_BAD_MODEL },
    { "'w' is assigned to, an initializer of the graph and of the algorithm",
      "training_info[0]",
      { { "a () => (float w2) <float w = {1}> { w2 = Add (w, w) }", "w=w2", NULL, NULL } },
      KILN_BAD_MODEL },
    { "there is an initialization_binding, and no initialization",
      "training_info",
      { { NEXT, "w=w2", NULL, "w=z" } },
      KILN_BAD_MODEL },
    { "an initialization has the input 'q'",
      "training_info",
      { { NEXT, "w=w2", "i (float q) => (float z) { z = Neg (q) }", "w=z" } },
      KILN_BAD_MODEL },
    { "is defined twice", "main", { { "a () => (float y) { y = Add (w, w) }", "w=y", NULL, NULL } }, KILN_BAD_MODEL },
    { "two algorithms declare input 't', as different types",
      "training_info",
      { { "a (float t) => (float w2) { w2 = Add (w, t) }", "w=w2", NULL, NULL },
        { "a (float[N] t) => (float v2, float[N] u) <float v = {1}> { v2 = Add (v, v) u = Neg (t) }", "v=v2", NULL,
          NULL } },
      KILN_BAD_MODEL },
    { "holds strings, must be numbers",
      "training_info[0]",
      { { "a () => (string s2) <string s = {\"a\"}> { s2 = Identity (s) }", "s=s2", NULL, NULL } },
      KILN_UNSUPPORTED },
};

START_TEST(a_training_that_cannot_be_is_refused)
{
    kiln_model *m = model_of(LINE, refused[_i].infos[1].algorithm ? 2 : 1, refused[_i].infos);
    kiln_training *t;

    expect(kiln_training_new(&t, m, NULL, &err), refused[_i].code, refused[_i].message);
    ck_assert_msg(strncmp(err.where, refused[_i].where, strlen(refused[_i].where)) == 0, "%s", err.where);
    ck_assert_ptr_null(t);
    kiln_model_free(m);
}
END_TEST

START_TEST(an_update_has_the_type_of_its_initializer)
{
    static const struct info_text wider = {
        "a () => (float[2] w2) { two = Constant <value_ints = [2]> () w2 = Expand (w, two) }", "w=w2", NULL, NULL
    };
    kiln_training *t = training(ALONE, 1, &wider);

    expect(kiln_training_step(t, NULL, &err), KILN_BAD_MODEL, "the update of 'w' is float[2], must be float[]");
    kiln_training_free(t);
}
END_TEST

START_TEST(a_step_that_changes_nothing_is_none)
{
    static const struct info_text same = { "a () => (float[] w2) { w2 = Identity (w) }", NULL, NULL, NULL };
    kiln_training *t = training(ALONE, 1, &same);

    expect(kiln_training_step(t, NULL, &err), KILN_BAD_MODEL, "no update_binding says what a step changes");
    kiln_training_free(t);
}
END_TEST

START_TEST(wrong_arguments)
{
    kiln_model *m = model_of(LINE, 0, NULL);
    kiln_training *t;
    kiln_tensor *x = NULL;

    ck_assert_uint_eq(kiln_model_training_count(m), 0);
    expect(kiln_training_new(&t, m, NULL, &err), KILN_BAD_MODEL, "the model has no training_info");
    expect(kiln_training_new(NULL, m, NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
    kiln_model_free(m);
    t = training(LINE, 1, &descent);
    expect(kiln_training_step(t, NULL, &err), KILN_BAD_ARGUMENT, "inputs is NULL");
    expect(kiln_training_step(t, (const kiln_tensor *const[]){ NULL, NULL }, &err), KILN_BAD_ARGUMENT,
           "inputs[0] is NULL, must be 'x'");
    expect(kiln_training_get(&x, t, "lr", &err), KILN_BAD_ARGUMENT, "assigns to nothing that is called 'lr'");
    expect(kiln_training_get(&x, t, NULL, &err), KILN_BAD_ARGUMENT, "name is NULL");
    expect(kiln_training_fit(t, NULL, NULL, NULL, &err), KILN_BAD_ARGUMENT, "data is NULL");
    kiln_training_free(t);
    kiln_training_free(NULL);
}
END_TEST

/* -- epochs -- */

struct heard {
    int64_t steps, epochs, stop; /* stop: the step that is the last; 0: none */
    double loss[16], mean[16];
};

static bool on_step(void *user, const kiln_fit_step *s)
{
    struct heard *h = user;

    ck_assert_int_eq(s->step, h->steps + 1);
    h->loss[h->steps++] = s->loss;
    return h->steps != h->stop;
}

static bool on_epoch(void *user, const kiln_epoch *e)
{
    struct heard *h = user;

    ck_assert_int_eq(e->number, h->epochs + 1);
    ck_assert(isnan(e->train[1])); /* d is no single number */
    h->mean[h->epochs++] = e->train[0];
    return true;
}

static kiln_dataset *samples(void)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_tensor *x = vector(3, xs), *y = vector(3, ts);
    kiln_dataset *d;

    o.values = true;
    ok(kiln_dataset_new(&d, x, y, &o, &err));
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    return d;
}

static kiln_fit_options fit_options(struct heard *h)
{
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;

    o.batch = 2;
    o.in_order = true;
    o.user = h;
    o.step = on_step;
    o.epoch = on_epoch;
    return o;
}

START_TEST(epochs_are_trained)
{
    kiln_training *t = training(LINE, 1, &descent), *by_steps = training(LINE, 1, &descent);
    kiln_dataset *d = samples();
    struct heard h = { 0 };
    kiln_fit_options o = fit_options(&h);
    int64_t ran;

    o.epochs = 2;
    ok(kiln_training_fit(t, d, &o, &ran, &err));
    ck_assert_int_eq(ran, 2);
    ck_assert_int_eq(h.steps, 4);
    ck_assert_int_eq(h.epochs, 2);
    ck_assert_double_eq_tol(h.mean[0], (2 * h.loss[0] + h.loss[1]) / 3, 1e-6); /* the last batch has one sample */
    for (int k = 0; k < 2; k++) {
        step_of(by_steps, 2, xs, ts);
        step_of(by_steps, 1, xs + 2, ts + 2);
    }
    ck_assert_double_eq(value(t, "w"), value(by_steps, "w"));
    kiln_training_free(t);
    kiln_training_free(by_steps);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(epochs_may_be_cut_or_stopped)
{
    kiln_training *t = training(LINE, 1, &descent), *by_steps = training(LINE, 1, &descent);
    kiln_dataset *d = samples();
    struct heard h = { 0 };
    kiln_fit_options o = fit_options(&h);
    int64_t ran;

    o.epochs = 2;
    o.steps_per_epoch = 3; /* the data begin anew within an epoch, and go on in the next */
    ok(kiln_training_fit(t, d, &o, &ran, &err));
    ck_assert_int_eq(h.steps, 6);
    ck_assert_int_eq(h.epochs, 2);
    for (int k = 0; k < 3; k++) {
        step_of(by_steps, 2, xs, ts);
        step_of(by_steps, 1, xs + 2, ts + 2);
    }
    ck_assert_double_eq(value(t, "w"), value(by_steps, "w"));
    kiln_training_free(by_steps);
    kiln_training_free(t);
    t = training(LINE, 1, &descent);
    h = (struct heard){ .stop = 2 };
    expect(kiln_training_fit(t, d, &o, &ran, &err), KILN_STOPPED, "stopped");
    ck_assert_int_eq(ran, 0);
    ck_assert_int_eq(kiln_training_steps(t), 2);
    o.checkpoint = "c";
    expect(kiln_training_fit(t, d, &o, &ran, &err), KILN_BAD_ARGUMENT, "checkpoint or resume says nothing");
    kiln_training_free(t);
    kiln_dataset_free(d);
}
END_TEST

/* A batch that is fixed: what is left of the data is no batch. */
START_TEST(a_fixed_batch_is_kept)
{
    static const struct info_text fixed = { "a (float[2] t) => (float loss, float w2) { d = Sub (y, t) loss = "
                                            "ReduceSum <keepdims = 0> (d) w2 = Add (w, loss) }",
                                            "w=w2", NULL, NULL };
    kiln_training *t = training("m (float[2] x) => (float[2] y) <float w = {2}> { y = Mul (x, w) }", 1, &fixed);
    kiln_dataset *d = samples();
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;

    o.in_order = true;
    o.epochs = 3;
    ok(kiln_training_fit(t, d, &o, NULL, &err));
    ck_assert_int_eq(kiln_training_steps(t), 3);
    kiln_training_free(t);
    kiln_dataset_free(d);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("training_info");

    add_test(s, a_step_is_what_the_file_says);
    add_test(s, what_is_exported_goes_on);
    add_test(s, updates_are_assigned_at_once);
    add_test(s, several_run_in_their_order);
    add_test(s, the_state_is_told_in_the_order_of_its_updates);
    add_test(s, a_failed_step_changes_nothing);
    add_test(s, infinite_state_may_stay_infinite);
    add_test(s, an_initialization_begins_anew);
    add_test(s, a_model_is_drawn_by_its_initialization);
    add_tests(s, a_training_that_cannot_be_is_refused, (int)(sizeof refused / sizeof *refused));
    add_test(s, an_update_has_the_type_of_its_initializer);
    add_test(s, a_step_that_changes_nothing_is_none);
    add_test(s, wrong_arguments);
    add_test(s, epochs_are_trained);
    add_test(s, epochs_may_be_cut_or_stopped);
    add_test(s, a_fixed_batch_is_kept);
    return s;
}
