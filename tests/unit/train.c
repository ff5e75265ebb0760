/* The trainer, on models small enough to know what must come out. */
#include "data/npy.h"
#include "learning.h"
#include "model/message.h"
#include "run/session.h"
#include "scratch.h"
#include "train/edit.h"
#include "train/fit.h"
#include "train/initialise.h"
#include "train/losses/registry.h"
#include "unit.h"
#include <math.h>

enum { LOSS, ACCURACY = 1 + METRIC_accuracy }; /* of scores */

#define HEAD "< ir_version: 8, opset_import: [\"\": 17] >\n"

static struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

static struct dataset data_of(int rank, const int64_t *dims, const float *x, const int64_t *labels, const float *values,
                              int classes)
{
    static struct two_columns columns[4];
    static size_t used;
    struct tensor tx, ty;

    ck_assert(tensor_shape(&tx, F32, rank, dims));
    ck_assert(tensor_shape(&ty, labels ? I64 : F32, 1, dims));
    tx.data = (void *)(uintptr_t)x;
    ty.data = labels ? (void *)(uintptr_t)labels : (void *)(uintptr_t)values;
    return dataset_of(&columns[used++ % 4], &tx, &ty, labels ? classes : 0, &budget);
}

static struct trainer *trainer_of(const char *text, const struct trainer_options *o)
{
    struct model *m = model_of(text);
    struct trainer *t = trainer_new(m, o, &report);

    model_free(m);
    return t;
}

static float *state_of(struct trainer *t, const char *name)
{
    struct tensor *s = trainer_state(t, name, NULL);

    ck_assert_ptr_nonnull(s);
    return s->data;
}

/* Numbers in [-1, 1) that look random. */
static void noise(float *x, int64_t n, uint32_t seed)
{
    for (int64_t k = 0; k < n; k++) {
        seed = seed * 1664525u + 1013904223u;
        x[k] = (float)(seed >> 8) / (1 << 23) - 1;
    }
}

/* -- learning -- */

static const char xor_text[] = HEAD
    "net (float[N, 2] x) => (float[N, 1] p)\n"
    "<float[2, 8] w1 = {0.5,-0.4,0.9,0.1,-0.7,0.6,-0.2,0.8,0.3,0.7,-0.6,0.4,0.2,-0.9,0.5,-0.1}, float[8] b1 = "
    "{0,0,0,0,0,0,0,0},\n"
    " float[8, 1] w2 = {0.4,-0.6,0.5,0.3,-0.2,0.7,-0.5,0.1}, float[1] b2 = {0}>\n"
    "{ h = MatMul (x, w1)  hb = Add (h, b1)  a = Tanh (hb)  o = MatMul (a, w2)  ob = Add (o, b2)  p = Sigmoid (ob) }";
static const float xor_x[] = { 0, 0, 0, 1, 1, 0, 1, 1 };
static const int64_t xor_y[] = { 0, 1, 1, 0 };

START_TEST(xor_is_learned)
{
    const struct trainer_options o = { .optimizer = "adam:learning_rate=0.05", .threads = 1, TARGET(.classes = 2) };
    const struct fit_options f = { .batch = 4, .epochs = 200, .shuffle = true };
    struct trainer *t = trainer_of(xor_text, &o);
    const struct dataset d = data_of(2, (const int64_t[]){ 4, 2 }, xor_x, xor_y, NULL, 2);
    double scores[ALL_MEASURES];
    int64_t ran;

    expect_ok(t);
    ck_assert_ptr_eq(t->targets->loss.def, &loss_binary_crossentropy);
    ck_assert(t->targets->loss.logits);
    ck_assert_int_eq(parameters_elements(&t->parameters, ROLE_TRAINABLE), 33); /* the bias of the one output too */
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, NULL, &ran, &report));
    expect_ok(trainer_evaluate(t, &d, NULL, 3, scores, &report));
    ck_assert_double_eq(scores[ACCURACY], 1);
    ck_assert_double_lt(scores[LOSS], .05);
    trainer_free(t);
}
END_TEST

START_TEST(a_line_is_fitted)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.1,momentum=0.5",
                                       TARGET(.form = TARGETS_VALUES) };
    const struct fit_options f = { .batch = 3, .epochs = 200, .shuffle = true, .seed = 3 };
    struct trainer *t =
        trainer_of(HEAD "net (float[N, 1] x) => (float[N, 1] y) <float[1, 1] w = {0}, float[1] b = {0}>\n"
                        "{ y = Gemm (x, w, b) }",
                   &o);
    const float x[] = { -1, -.5f, 0, .25f, .5f, 1, 1.5f }, y[] = { -1, 0, 1, 1.5f, 2, 3, 4 };
    const struct dataset d = data_of(2, (const int64_t[]){ 7, 1 }, x, NULL, y, 0);
    int64_t ran;

    expect_ok(t);
    ck_assert_ptr_eq(t->targets->loss.def, &loss_mean_squared_error);
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, NULL, &ran, &report));
    ck_assert_float_eq_tol(*state_of(t, "w"), 2, 1e-4f);
    ck_assert_float_eq_tol(*state_of(t, "b"), 1, 1e-4f);
    trainer_free(t);
}
END_TEST

START_TEST(a_part_that_nobody_reads_has_no_gradient)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.1", TARGET(.form = TARGETS_VALUES) };
    const struct fit_options f = { .batch = 2, .epochs = 1 };
    struct trainer *t = trainer_of(HEAD "net (float[N, 1] x) => (float[N, 1] y) <float[1, 2] w = {0, 5}>\n"
                                        "{ z = MatMul (x, w) y, unread = Split <axis = 1> (z) }",
                                   &o);
    const float x[] = { 1, 1 }, y[] = { 1, 1 };
    const struct dataset d = data_of(2, (const int64_t[]){ 2, 1 }, x, NULL, y, 0);
    int64_t ran;

    expect_ok(t);
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, NULL, &ran, &report));
    ck_assert_float_eq_tol(state_of(t, "w")[0], .2f, 1e-6f);
    ck_assert_float_eq(state_of(t, "w")[1], 5);
    trainer_free(t);
}
END_TEST

/* A small network with all that makes a step difficult: convolution, pooling, statistics, Dropout. */
static const char cnn_text[] =
    "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"init.w1\": \"glorot_uniform\", \"init.w2\": "
    "\"he_normal\",\n"
    "  \"init.gamma\": \"ones\", \"init.beta\": \"zeros\", \"init.mean\": \"zeros\", \"init.variance\": \"ones\", "
    "\"init.b2\": "
    "\"constant:0.1\" ] >\n"
    "net (float[N, 2, 8, 8] x, float[5, 2, 3, 3] w1, float[5] gamma, float[5] beta, float[5] mean, float[5] variance,\n"
    "     float[80, 3] w2, float[3] b2) => (float[N, 3] p) {\n"
    "  c = Conv <pads = [1, 1, 1, 1]> (x, w1)  r = Relu (c)  m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> "
    "(r)\n"
    "  n = BatchNormalization <epsilon = 0.001, momentum = 0.99> (m, gamma, beta, mean, variance)\n"
    "  rate = Constant <value_float = 0.25> ()  d = Dropout (n, rate)  f = Flatten (d)  g = Gemm (f, w2, b2)  p = "
    "Softmax (g) }";

static struct model *drawn_cnn(uint64_t seed)
{
    const struct initialise_options o = { .seed = seed };
    struct model *m = model_of(cnn_text), *drawn;
    size_t count;

    ck_assert(model_missing_values(m));
    drawn = model_initialise(m, &o, &count, &report);
    expect_ok(drawn && model_build(drawn, &report));
    ck_assert_uint_eq(count, 7);
    ck_assert_uint_eq(drawn->graph->input_count, 1);
    model_free(m);
    return drawn;
}

enum { SAMPLES = 21, FEATURES = 128 };
static float images[SAMPLES * FEATURES];
static int64_t labels[SAMPLES];

static struct dataset images_data(void)
{
    noise(images, SAMPLES * FEATURES, 7);
    for (int k = 0; k < SAMPLES; k++)
        labels[k] = k * k % 3;
    return data_of(4, (const int64_t[]){ SAMPLES, 2, 8, 8 }, images, labels, NULL, 3);
}

static struct trainer *train_cnn(int threads, int64_t epochs)
{
    const struct trainer_options o = { .threads = threads, .seed = 5, TARGET(.classes = 3) };
    const struct fit_options f = { .batch = 8, .epochs = epochs, .shuffle = true, .seed = 5 };
    const struct dataset d = images_data();
    struct model *m = drawn_cnn(11);
    struct trainer *t = trainer_new(m, &o, &report);
    int64_t ran;

    expect_ok(t);
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, NULL, &ran, &report));
    model_free(m);
    return t;
}

static void expect_same_state(const struct trainer *a, const struct trainer *b)
{
    ck_assert_uint_eq(a->state_count, b->state_count);
    for (size_t k = 0; k < a->state_count; k++)
        ck_assert_msg(
            memcmp(a->states[k].value.data, b->states[k].value.data, (size_t)tensor_bytes(&a->states[k].value)) == 0,
            "'%s' differs", a->states[k].parameter->value->name);
}

static void expect_same_slots(const struct trainer *a, const struct trainer *b)
{
    for (size_t k = 0; k < a->trainable; k++)
        for (int n = 0; n < a->optimizer.slots; n++) {
            const struct tensor *p = &a->states[k].slots[n], *q = &b->states[k].slots[n];

            ck_assert_msg(memcmp(p->data, q->data, (size_t)tensor_bytes(p)) == 0, "the %s of '%s' differs",
                          a->optimizer.slot_names[n], a->states[k].parameter->value->name);
        }
}

START_TEST(threads_change_no_bit)
{
    static const int threads[] = { 2, 4 };
    struct trainer *one = train_cnn(1, 3), *more = train_cnn(threads[_i], 3);

    expect_same_state(one, more);
    expect_same_slots(one, more);
    trainer_free(one);
    trainer_free(more);
}
END_TEST

START_TEST(the_seed_decides)
{
    struct trainer *a = train_cnn(1, 2), *b = train_cnn(1, 2), *c;
    struct model *other = drawn_cnn(12);
    const struct trainer_options o = { .threads = 1, TARGET(.classes = 3) };

    expect_same_state(a, b);
    c = trainer_new(other, &o, &report);
    expect_ok(c);
    ck_assert(memcmp(state_of(a, "w1"), state_of(c, "w1"), 40) != 0);
    trainer_free(a);
    trainer_free(b);
    trainer_free(c);
    model_free(other);
}
END_TEST

/* -- steps -- */

START_TEST(the_last_batch_is_smaller_and_counts_less)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0", .threads = 1, TARGET(.classes = 2) };
    struct trainer *t = trainer_of(xor_text, &o);
    float x[14];
    const int64_t y[7] = { 0, 1, 1, 0, 1, 0, 0 };
    struct dataset d;
    double batched[ALL_MEASURES], whole[ALL_MEASURES];

    noise(x, 14, 1);
    d = data_of(2, (const int64_t[]){ 7, 2 }, x, y, NULL, 2);
    expect_ok(t);
    expect_ok(trainer_evaluate(t, &d, NULL, 3, batched, &report));
    expect_ok(trainer_evaluate(t, &d, NULL, 7, whole, &report));
    ck_assert_double_eq_tol(batched[LOSS], whole[LOSS], 1e-7);
    ck_assert_double_eq(batched[ACCURACY], whole[ACCURACY]);
    trainer_free(t);
}
END_TEST

START_TEST(statistics_move_by_what_momentum_leaves)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0", .threads = 1, TARGET(.classes = 2) };
    struct trainer *t = trainer_of(HEAD "net (float[N, 2] x) => (float[N, 2] logits) <float[2] s = {1, 1}, float[2] b "
                                        "= {0, 0}, float[2] m = {5, 6}, float[2] v = {2, 3}>\n"
                                        "{ logits = BatchNormalization <momentum = 0.75> (x, s, b, m, v) }",
                                   &o);
    const float x[] = { 1, 10, 2, 20, 6, 60 };
    const int64_t y[] = { 0, 1, 0 };
    struct tensor tx, ty;
    float got;

    expect_ok(t);
    tx = t->x[0], ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 3;
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)y;
    expect_ok(trainer_evaluate_batch(t, &tx, &ty, &got, &report));
    ck_assert_float_eq(state_of(t, "m")[0], 5); /* evaluation changes nothing */
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    ck_assert_float_eq_tol(state_of(t, "m")[0], .75f * 5 + .25f * 3, 1e-5f);
    ck_assert_float_eq_tol(state_of(t, "m")[1], .75f * 6 + .25f * 30, 1e-5f);
    ck_assert_float_eq_tol(state_of(t, "v")[0], .75f * 2 + .25f * (14 / 3.f), 1e-5f);
    trainer_free(t);
}
END_TEST

START_TEST(what_is_frozen_stays)
{
    const char *const patterns[] = { "gamma", "bet*", "w1" }, *nothing[] = { "conv*" };
    struct trainer_options o = { .threads = 1, .patterns = { .freezes = 3, .freeze = patterns }, TARGET(.classes = 3) };
    const struct fit_options f = { .batch = 8, .epochs = 2 };
    const struct dataset d = images_data();
    struct model *m = drawn_cnn(11);
    struct trainer *t = trainer_new(m, &o, &report);
    int64_t ran;

    expect_ok(t);
    ck_assert_uint_eq(t->trainable, 2);
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, NULL, &ran, &report));
    ck_assert_ptr_null(trainer_state(t, "gamma", NULL)); /* no state at all */
    ck_assert_float_eq(state_of(t, "mean")[0], 0);       /* and the layer works as in inference */
    ck_assert_float_eq(state_of(t, "variance")[4], 1);
    trainer_free(t);
    o.patterns.freezes = 1;
    o.patterns.freeze = nothing;
    ck_assert_ptr_null(trainer_new(m, &o, &report));
    expect_error(KILN_BAD_ARGUMENT, "'conv*' names no trainable parameter");
    model_free(m);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_changes_nothing)
{
    struct trainer *t = train_cnn(1, 1);
    struct snapshot *before = trainer_snapshot(t, false, &report);
    float x[FEATURES] = { 0 }, w[90];
    int64_t y = 1;
    struct tensor tx = t->x[0], ty = t->targets->y;
    float got;

    expect_ok(before);
    tx.dims[0] = ty.dims[0] = 1;
    tx.data = x, ty.data = &y;
    x[3] = NAN;
    memcpy(w, state_of(t, "w1"), sizeof w);
    ck_assert(!trainer_step(t, &tx, &ty, &got, &report));
    expect_error(KILN_RUN_FAILED, "the loss is not a number");
    ck_assert(memcmp(w, state_of(t, "w1"), sizeof w) == 0);
    ck_assert(!isnan(state_of(t, "mean")[0]));
    x[3] = 0;
    y = 3;
    ck_assert(!trainer_step(t, &tx, &ty, &got, &report));
    expect_error(KILN_RUN_FAILED, "label 3 of sample 0 is out of range");
    y = 0;
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    trainer_restore(t, before);
    ck_assert(memcmp(w, state_of(t, "w1"), sizeof w) == 0);
    snapshot_free(t, before);
    trainer_free(t);
}
END_TEST

static void take_steps(struct trainer *t, int count, int64_t samples)
{
    const struct dataset d = images_data();
    struct tensor tx = t->x[0], ty = t->targets->y;
    float got;

    tx.dims[0] = ty.dims[0] = samples;
    tx.data = d.x->values.data, ty.data = d.y->values.data;
    for (int k = 0; k < count; k++)
        expect_ok(trainer_step(t, &tx, &ty, &got, &report));
}

/* Values, slots, and the count of steps, by which Adam corrects its rate and Dropout draws. */
START_TEST(a_snapshot_brings_all_back)
{
    struct trainer *straight = train_cnn(1, 0), *t = train_cnn(1, 0);
    struct snapshot *s;

    take_steps(straight, 5, SAMPLES);
    take_steps(t, 2, SAMPLES);
    s = trainer_snapshot(t, false, &report);
    expect_ok(s);
    take_steps(t, 4, SAMPLES / 2);
    trainer_restore(t, s);
    ck_assert_int_eq(t->steps, 2);
    take_steps(t, 3, SAMPLES);
    ck_assert_int_eq(t->steps, straight->steps);
    expect_same_state(t, straight);
    expect_same_slots(t, straight);
    snapshot_free(t, s);
    trainer_free(t);
    trainer_free(straight);
}
END_TEST

START_TEST(batches_of_another_type_are_refused)
{
    struct trainer *t = train_cnn(1, 0);
    struct tensor tx = t->x[0], ty = t->targets->y;
    float got;

    tx.dims[0] = 2, ty.dims[0] = 3;
    ck_assert(!trainer_step(t, &tx, &ty, &got, &report));
    expect_error(KILN_BAD_DATA, "2 samples, but 3 labels");
    tx.dims[1] = 1;
    ck_assert(!trainer_step(t, &tx, &ty, &got, &report));
    expect_error(KILN_BAD_DATA, "samples are float[2,1,8,8], must be float[?,2,8,8]");
    trainer_free(t);
}
END_TEST

/* -- losses -- */

static const struct loss_case {
    const char *loss, *tail; /* what makes p of z */
    bool rows;               /* labels are rows */
} losses[] = {
    { "sparse_categorical_crossentropy", "p = Softmax (z)", false },
    { "sparse_categorical_crossentropy:from_logits=1", "p = Identity (z)", false },
    { "sparse_categorical_crossentropy", "e = Exp (z)  p = Identity (e)", false },
    { "categorical_crossentropy", "p = Softmax (z)", true },
    { "categorical_crossentropy", "p = Exp (z)", true },
    { "categorical_crossentropy:from_logits=1", "p = Neg (z)", true },
    { "binary_crossentropy", "p = Sigmoid (z)", true },
    { "binary_crossentropy", "q = Sigmoid (z)  p = Neg (q)  r = Neg (p)", true },
    { "binary_crossentropy:from_logits=1", "p = Neg (z)", true },
    { "mean_squared_error", "p = Softmax (z)", true },
    { "mean_squared_error", "a = Mul (z, z)  b = Tanh (z)  c = Add (a, b)  p = Sub (c, z)",
      true }, /* read four times */
    { "mean_absolute_error", "p = Tanh (z)", true },
    { "mean_squared_logarithmic_error", "p = Exp (z)", true },
    { "huber:delta=0.3", "p = Tanh (z)", true },
    { "log_cosh", "p = Neg (z)", true },
    { "poisson", "p = Exp (z)", true },
    { "hinge", "p = Tanh (z)", true },
    { "squared_hinge", "p = Tanh (z)", true },
    { "categorical_hinge", "p = Tanh (z)", true },
    { "kl_divergence", "p = Sigmoid (z)", true },
    { "cosine_similarity", "p = Tanh (z)", true },
    { "dice", "p = Sigmoid (z)", true },
    { "tversky:alpha=0.7,beta=0.2", "p = Sigmoid (z)", true },
    { "categorical_generalized_cross_entropy", "p = Sigmoid (z)", false },
    { "binary_crossentropy:label_smoothing=0.2", "p = Sigmoid (z)", true },
    { "categorical_crossentropy:label_smoothing=0.2", "p = Softmax (z)", true },
    { "categorical_crossentropy:label_smoothing=0.2", "e = Exp (z)  p = Identity (e)", true },
    { "sparse_categorical_crossentropy:ignore_class=1", "p = Softmax (z)", false },
    { "binary_focal_crossentropy:apply_class_balancing=1", "p = Sigmoid (z)", true },
    { "binary_focal_crossentropy:gamma=0.5",
      "q = Sigmoid (z)  half = Constant <value_float = 0.5> ()  p = Mul (q, half)", true },
    { "categorical_focal_crossentropy", "p = Softmax (z)", true },
    { "categorical_focal_crossentropy:gamma=0.5", "e = Exp (z)  p = Identity (e)", true },
};

/* What nobody asked for follows from how the model ends, what its output is called, and the data. */
static const struct guess_case {
    const char *output, *tail;
    enum targets targets;
    const struct loss_def *loss;
    bool logits;
} guesses[] = {
    { "p", "p = Softmax (z)", TARGETS_CLASSES, &loss_sparse_categorical_crossentropy, true },
    { "p", "q = Softmax (z)  p = Identity (q)", TARGETS_VALUES, &loss_categorical_crossentropy, true },
    { "p", "p = Sigmoid (z)", TARGETS_CLASSES, &loss_binary_crossentropy, true },
    { "p", "p = Sigmoid (z)", TARGETS_VALUES, &loss_binary_crossentropy, true },
    { "Logits_2", "Logits_2 = Identity (z)", TARGETS_CLASSES, &loss_sparse_categorical_crossentropy, true },
    { "logit", "logit = Identity (z)", TARGETS_VALUES, &loss_categorical_crossentropy, true },
    { "p", "p = Identity (z)", TARGETS_CLASSES, &loss_sparse_categorical_crossentropy, true },
    { "p", "p = Identity (z)", TARGETS_VALUES, &loss_mean_squared_error, false },
    { "p", "q = Softmax (z)  p = Exp (q)", TARGETS_VALUES, &loss_mean_squared_error, false },
};

START_TEST(losses_are_guessed)
{
    const struct guess_case *c = &guesses[_i];
    const struct trainer_options o = { .threads = 1, TARGET(.form = c->targets, .classes = 3) };
    struct trainer *t;
    char text[512];

    snprintf(text, sizeof text,
             HEAD "net (float[N, 3] x) => (float[N, 3] %s) <float[3] w = {1, 2, 3}>\n{ z = Add (x, w)  %s }", c->output,
             c->tail);
    t = trainer_of(text, &o);
    expect_ok(t);
    ck_assert_msg(t->targets->loss.def == c->loss && t->targets->loss.logits == c->logits, "%s: %s", c->tail,
                  t->targets->loss.said);
    trainer_free(t);
}
END_TEST

/* The gradient of a shift of all samples against differences of the loss itself. */
START_TEST(losses_and_gradients_agree)
{
    const struct loss_case *c = &losses[_i];
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0",
                                       .keep_gradients = true,
                                       .threads = 1,
                                       TARGET(.loss = c->loss, .form = c->rows ? TARGETS_VALUES : TARGETS_CLASSES,
                                              .classes = 3) };
    const float x[] = { .3f, -.2f, .7f, 1.1f, .4f, -.9f, -.5f, .6f, .2f, .1f, -.3f, .8f };
    const float rows[] = { 1, 0, 0, .2f, .5f, .7f, 0, 0, 0, .3f, .1f, 0 }; /* they need not sum to 1 */
    const int64_t classes[] = { 0, 2, 1, 1 };
    struct tensor tx, ty;
    float got, up, down;
    char text[1024];
    struct trainer *t;

    snprintf(text, sizeof text,
             HEAD "net (float[N, 3] x) => (float[N, 3] p) <float[3] w = {0.1, -0.2, 0.3}>\n{ z = Add (x, w)  %s }",
             c->tail);
    t = trainer_of(text, &o);
    expect_ok(t);
    tx = t->x[0], ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 4;
    tx.data = (void *)(uintptr_t)x;
    ty.data = c->rows ? (void *)(uintptr_t)rows : (void *)(uintptr_t)classes;
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    for (int k = 0; k < 3; k++) {
        const float slope = ((const float *)trainer_gradient(t, "w")->data)[k], h = 1.f / 128;
        float *w = &state_of(t, "w")[k];
        const float at = *w;

        *w = at + h;
        expect_ok(trainer_evaluate_batch(t, &tx, &ty, &up, &report));
        *w = at - h;
        expect_ok(trainer_evaluate_batch(t, &tx, &ty, &down, &report));
        *w = at;
        ck_assert_msg(fabsf(slope - (up - down) / (2 * h)) < 2e-4f * fmaxf(1, fabsf(slope)),
                      "%s after %s: slope %g, difference %g", c->loss, c->tail, (double)slope,
                      (double)((up - down) / (2 * h)));
    }
    trainer_free(t);
}
END_TEST

/* Keras' own numbers: logits far apart are not clipped, probabilities that cannot be taken back are. */
START_TEST(far_logits_are_not_clipped)
{
    static const struct {
        const char *tail;
        double loss;
    } ends[] = { { "p = Softmax (z)", 40 },
                 { "q = Softmax (z)  one = Constant <value_float = 1.0> ()  p = Mul (q, one)", 16.118095651 } };
    const struct trainer_options o = { .threads = 1, TARGET(.loss = "sparse_categorical_crossentropy", .classes = 2) };
    const float x[] = { 40, 0 };
    const int64_t y = 1;
    float got;
    char text[512];
    struct trainer *t;
    struct tensor tx, ty;

    snprintf(text, sizeof text,
             HEAD "net (float[N, 2] x) => (float[N, 2] p) <float[2] w = {0, 0}>\n{ z = Add (x, w)  %s }",
             ends[_i].tail);
    t = trainer_of(text, &o);
    expect_ok(t);
    tx = t->x[0], ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 1;
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)&y;
    expect_ok(trainer_evaluate_batch(t, &tx, &ty, &got, &report));
    ck_assert_double_eq_tol((double)got, ends[_i].loss, 1e-4);
    ck_assert_double_eq(t->result->metric[METRIC_accuracy], 0);
    trainer_free(t);
}
END_TEST

START_TEST(bad_options_are_refused)
{
    static const struct {
        const char *loss, *optimizer, *says;
    } bad[] = {
        { NULL, "adagrads", "optimizer 'adagrads' is unknown, must be adadelta, adagrad, adam, adamax, adamw," },
        { NULL, "adam:lr=1", "optimizer 'adam' has no option 'lr', but learning_rate, beta_1, beta_2, epsilon" },
        { NULL, "adam:learning_rate=nan", "'learning_rate' is nan, must be at least 0" },
        { NULL, "adam:learning_rate=-1", "'learning_rate' is -1, must be at least 0" },
        { NULL, "adam:beta_1=1", "'beta_1' is 1, must be at least 0 and below 1" },
        { NULL, "adam:beta_1", "'beta_1' needs a number" },
        /* what is in range as a double and not as the float that it becomes */
        { NULL, "adam:learning_rate=1e308", "'learning_rate' is 1e+308, must be at least 0 and at most 1e+30" },
        { NULL, "sgd:learning_rate=1e-300", "'learning_rate' is 1e-300, which is not 0 and less than a float" },
        { NULL, "adam:beta_1=0.99999999999", "'beta_1' is 0.99999999999, must be at least 0 and below 1" },
        { NULL, "adam:beta_2=0.99999999999", "'beta_2' is 0.99999999999, must be" },
        { NULL, "adam:epsilon=1e-50", "'epsilon' is 1e-50, which is not 0" },
        { NULL, "rmsprop:epsilon=1e99", "'epsilon' is 1e+99, must be" },
        { NULL, "rmsprop:rho=1e-60", "'rho' is 1e-60, which is not 0" },
        { NULL, "sgd:momentum=1.00000000001", "'momentum' is 1.00000000001, must be" },
        { NULL, "sgd:nesterov=2", "'nesterov' is 2, must be 0 or 1" },
        { NULL, "sgd:momentum=0.9x", "'momentum' needs a number" },
        { NULL, "adam:clipnorm=1,clipvalue=1",
          "'adam': 'clipnorm', 'clipvalue' and 'global_clipnorm' are given, must" },
        { NULL, "sgd:clipvalue=1,global_clipnorm=1", "'sgd': 'clipnorm', 'clipvalue' and 'global_clipnorm' are given" },
        { NULL, "sgd:clipnorm=1,global_clipnorm=1", "must be one of them" },
        { NULL, "sgd:clipnorm=-1", "'clipnorm' is -1, must be at least 0" },
        { NULL, "sgd:gradient_accumulation_steps=0", "'gradient_accumulation_steps' is 0, must be at least 1" },
        { NULL, "sgd:gradient_accumulation_steps=2.5", "'gradient_accumulation_steps' is 2.5, must be a whole number" },
        { NULL, "sgd:ema_overwrite_frequency=2", "'sgd': 'ema_overwrite_frequency' is given, needs use_ema=1" },
        { NULL, "sgd:use_ema=1,ema_momentum=1.5", "'ema_momentum' is 1.5, must be at least 0 and at most 1" },
        { NULL, "adamw:weight_decay=-1", "'weight_decay' is -1, must be at least 0" },
        { NULL, "sgd:decay=1", "has no option 'decay', but learning_rate, momentum, nesterov, weight_decay, clipnorm" },
        { "hinges", NULL, "loss 'hinges' is unknown" },
        { "huber:delta=-1", NULL, "loss 'huber': 'delta' is -1, must be at least 0 and at most 1e+30" },
        { "sparse_categorical_crossentropy:ignore_class=1.5", NULL, "'ignore_class' is 1.5, must be a whole number" },
        { "binary_crossentropy:logits=1", NULL, "loss 'binary_crossentropy' has no option 'logits'" },
        { "binary_crossentropy:from_logits=1", NULL, "is no logits, it comes from Sigmoid" },
    };
    const struct trainer_options o = { .optimizer = bad[_i].optimizer, .threads = 1, TARGET(.loss = bad[_i].loss) };

    ck_assert_ptr_null(trainer_of(xor_text, &o));
    expect_error(KILN_BAD_ARGUMENT, bad[_i].says);
}
END_TEST

/* -- what is not finite -- */

static const struct lost_case {
    const char *optimizer;
    float x[2], y;
    const char *says;
} lost_cases[] = {
    { "adam:epsilon=0", { 1, 0 }, 1, "element 1 of 'weights' has become no number" }, /* 0 / 0 */
    { "rmsprop:epsilon=0", { 1, 0 }, 1, "element 1 of 'weights' has become no number" },
    { "rmsprop:epsilon=0,centered=1", { 1, 0 }, 1, "element 1 of 'weights' has become no number" },
    { "rmsprop:epsilon=0,momentum=0.5", { 1, 0 }, 1, "element 1 of 'weights' has become no number" },
    { "sgd:learning_rate=1e30", { 1, 0 }, 1e10f, "element 0 of 'weights' has become infinite" }, /* overflow */
    { "sgd:learning_rate=1e30,momentum=0.5", { 1, 0 }, 1e10f, "element 0 of 'weights' has become infinite" },
    { "sgd:learning_rate=1e30,momentum=0.5,nesterov=1", { 1, 0 }, 1e10f, "element 0 of 'weights' has become infinite" },
};

/* An error that names the parameter, and nothing to be saved until a snapshot is put back. */
START_TEST(a_parameter_that_is_not_finite_is_an_error)
{
    const struct lost_case *c = &lost_cases[_i];
    const struct trainer_options o = { .optimizer = c->optimizer, .threads = 1, TARGET(.form = TARGETS_VALUES) };
    struct trainer *t = trainer_of(HEAD "net (float[N, 2] x) => (float[N, 1] y) <float[2, 1] weights = {0.5, 5}, "
                                        "float[1] bias = {0.25}>\n"
                                        "{ y = Gemm (x, weights, bias) }",
                                   &o);
    struct tensor x = { .dtype = F32, .rank = 2, .dims = { 1, 2 } }, y = { .dtype = F32, .rank = 2, .dims = { 1, 1 } };
    float data[2] = { c->x[0], c->x[1] }, target = c->y;
    struct snapshot *before;
    float got;
    struct model *m;

    x.data = data;
    y.data = &target;
    expect_ok(t);
    before = trainer_snapshot(t, false, &report);
    ck_assert(!trainer_step(t, &x, &y, &got, &report));
    expect_error(KILN_RUN_FAILED, c->says);
    ck_assert_int_eq(t->steps, 0);
    ck_assert_ptr_null(trainer_export(t, &report));
    expect_error(KILN_RUN_FAILED, "of 'weights' is");
    ck_assert(!trainer_step(t, &x, &y, &got, &report));
    expect_error(KILN_RUN_FAILED, "");
    trainer_restore(t, before);
    m = trainer_export(t, &report);
    expect_ok(m);
    model_free(m);
    data[0] = .5f, data[1] = 1, target = 5; /* both learn from this */
    t->learning_rate = .01;
    expect_ok(trainer_step(t, &x, &y, &got, &report));
    ck_assert_int_eq(t->steps, 1);
    snapshot_free(t, before);
    trainer_free(t);
}
END_TEST

/* Found before anything is changed. */
START_TEST(a_statistic_that_is_not_finite_is_an_error)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.1",
                                       .threads = 1,
                                       TARGET(.form = TARGETS_VALUES) };
    struct trainer *t =
        trainer_of(HEAD "net (float[N, 1] x) => (float[N, 1] y) <float[1] gamma = {1}, float[1] beta = {2}, float[1] "
                        "mean = {0}, float[1] variance = {1}>\n"
                        "{ y = BatchNormalization (x, gamma, beta, mean, variance) }",
                   &o);
    float data[] = { -1e30f, 0, 1e30f, 1 }, targets[] = { 1, 1, 1, 1 };
    struct tensor x = { .dtype = F32, .rank = 2, .dims = { 4, 1 }, .data = data };
    struct tensor y = { .dtype = F32, .rank = 2, .dims = { 4, 1 }, .data = targets };
    float got;

    expect_ok(t);
    ck_assert(!trainer_step(t, &x, &y, &got, &report));
    expect_error(KILN_RUN_FAILED, "statistic 'variance' would not be finite: nothing was changed");
    ck_assert_float_eq(*state_of(t, "gamma"), 1);
    ck_assert_float_eq(*state_of(t, "beta"), 2);
    ck_assert_float_eq(*state_of(t, "mean"), 0);
    ck_assert_float_eq(*state_of(t, "variance"), 1);
    data[0] = data[2] = 3;
    expect_ok(trainer_step(t, &x, &y, &got, &report));
    ck_assert_float_ne(*state_of(t, "variance"), 1);
    trainer_free(t);
}
END_TEST

/* A mask of -inf that is added is taken for a bias: it stays what it is, and is no error. */
START_TEST(what_was_infinite_may_stay_so)
{
    static const char *const optimizers[] = { "adam", "sgd:learning_rate=0.1", "rmsprop:momentum=0.9",
                                              "adamw:use_ema=1,ema_overwrite_frequency=2", "lion:clipnorm=1" };
    const struct trainer_options o = { .optimizer = optimizers[_i], .threads = 1, TARGET(.classes = 3) };
    struct trainer *t = trainer_of(
        HEAD "net (float[N, 2] x) => (float[N, 3] p)\n"
             "<float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[3] mask = {0, -inf, 0.5}, float[2] apart = {nan, inf}>\n"
             "{ h = MatMul (x, w)  m = Add (h, mask)  p = Softmax (m) }",
        &o);
    const float data[] = { 1, .5f };
    const int64_t label = 2;
    struct tensor x = { .dtype = F32, .rank = 2, .dims = { 1, 2 }, .data = (void *)(uintptr_t)data };
    struct tensor y = { .dtype = I64, .rank = 1, .dims = { 1 }, .data = (void *)(uintptr_t)&label };
    float got;
    struct model *m;

    expect_ok(t);
    ck_assert_ptr_nonnull(trainer_state(t, "mask", NULL));
    for (int k = 0; k < 3; k++)
        expect_ok(trainer_step(t, &x, &y, &got, &report));
    ck_assert(isinf(state_of(t, "mask")[1]));
    m = trainer_export(t, &report);
    expect_ok(m && model_build(m, &report));
    model_free(m);
    state_of(t, "mask")[1] = (float)NAN; /* what it was not */
    ck_assert_ptr_null(trainer_export(t, &report));
    expect_error(KILN_RUN_FAILED, "element 1 of 'mask' is no number");
    state_of(t, "mask")[1] = -(float)INFINITY;
    state_of(t, "w")[5] = (float)INFINITY;
    ck_assert_ptr_null(trainer_export(t, &report));
    expect_error(KILN_RUN_FAILED, "element 5 of 'w' is infinite, must be finite to be saved");
    trainer_free(t);
}
END_TEST

/* -- fit -- */

struct seen {
    int64_t epochs, steps, best;
};

static bool on_step(void *user, const struct fit_step *s, struct report *r)
{
    struct seen *seen = user;

    (void)r;
    ck_assert_int_eq(s->step, ++seen->steps);
    return true;
}

static bool on_epoch(void *user, const struct epoch *e, struct report *r)
{
    struct seen *seen = user;

    (void)r;
    ck_assert_int_eq(e->number, ++seen->epochs);
    seen->best = e->best ? e->number : seen->best;
    return seen->epochs < 50;
}

START_TEST(no_improvement_stops_early)
{
    const struct measure_name loss = { LOSS, false }, val = { LOSS, true };
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0", .threads = 1, TARGET(.classes = 2) };
    struct fit_options f = {
        .batch = 4, .epochs = 20, .save_best = &loss, .early_stop = { .on = true, .measure = loss, .patience = 3 }
    };
    const struct dataset d = data_of(2, (const int64_t[]){ 4, 2 }, xor_x, xor_y, NULL, 2);
    struct seen seen = { 0 };
    const struct fit_events events = { .user = &seen, .step = on_step, .epoch = on_epoch };
    struct trainer *t = trainer_of(xor_text, &o);
    struct measure_name none;
    int64_t ran;

    ck_assert_ptr_nonnull(t);
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, &events, &ran, &report));
    ck_assert_int_eq(ran, 4); /* the first one is an improvement, then three are not */
    ck_assert_int_eq(seen.best, 1);
    ck_assert_int_eq(seen.steps, 4);
    f.save_best = &val;
    ck_assert(!trainer_fit(t, &d, NULL, NULL, &f, &events, &ran, &report));
    expect_error(KILN_BAD_ARGUMENT, "metric 'val_loss' needs validation data");
    ck_assert(!measure_parse(&none, t, "mse", &report));
    expect_error(KILN_BAD_ARGUMENT, "metric 'mse' is unknown");
    f = (struct fit_options){ .batch = 4, .epochs = 100 };
    seen = (struct seen){ .steps = t->steps };
    ck_assert(!trainer_fit(t, &d, NULL, NULL, &f, &events, &ran, &report));
    expect_error(KILN_STOPPED, "stopped");
    ck_assert_int_eq(ran, 50);
    trainer_free(t);
}
END_TEST

/* The bias says how many of four samples are right, and the loss falls with it: two, one, two, three. */
static void place(struct trainer *t, int epoch)
{
    static const int right[] = { 2, 1, 2, 3 };

    state_of(t, "b")[0] = (float)(right[epoch % 4] - 4);
}

struct placed {
    struct trainer *trainer;
    bool validation; /* the labels are the other ones there: what is good in training is bad */
};

static bool on_metric_epoch(void *user, const struct epoch *e, struct report *r)
{
    static const bool best[2][4] = { { true, false, false, true },
                                     { true, true, false, false } }; /* equal: not better */
    const struct placed *p = user;

    (void)r;
    ck_assert_msg(e->best == best[p->validation][e->number - 1], "epoch %d, accuracy %g, loss %g", (int)e->number,
                  e->train[ACCURACY], e->train[LOSS]);
    place(p->trainer, (int)e->number);
    return true;
}

START_TEST(the_best_epoch_is_told_by_the_metric)
{
    const struct measure_name measure = { _i & 1 ? ACCURACY : LOSS, _i & 2 };
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0",
                                       .threads = 1,
                                       TARGET(.loss = "binary_crossentropy:from_logits=1", .classes = 2) };
    const struct fit_options f = { .batch = 4, .epochs = 4, .save_best = &measure };
    const float x[] = { .5f, 1.5f, 2.5f, 3.5f };
    const int64_t y[] = { 1, 1, 1, 1 }, other[] = { 0, 0, 0, 0 };
    const struct dataset d = data_of(2, (const int64_t[]){ 4, 1 }, x, y, NULL, 2);
    const struct dataset validation = data_of(2, (const int64_t[]){ 4, 1 }, x, other, NULL, 2);
    struct trainer *t =
        trainer_of(HEAD "net (float[N, 1] x) => (float[N, 1] z) <float[1, 1] w = {1}, float[1] b = {0}>\n"
                        "{ z = Gemm (x, w, b) }",
                   &o);
    struct placed placed = { t, measure.validation };
    const struct fit_events events = { .user = &placed, .epoch = on_metric_epoch };
    int64_t ran;

    expect_ok(t);
    place(t, 0);
    expect_ok(trainer_fit(t, &d, &validation, NULL, &f, &events, &ran, &report));
    ck_assert_int_eq(ran, 4);
    trainer_free(t);
}
END_TEST

/* -- files -- */

static void run_model(const struct model *m, const struct tensor *x, float *out, int64_t n)
{
    const struct session_options o = { .threads = 1 };
    struct session *s = session_new(m->graph, &o, &report);

    expect_ok(s && session_set(s, m->graph->inputs[0], x, &report) && session_run(s, &report));
    ck_assert_int_eq(tensor_count(session_output(s, 0)), n);
    memcpy(out, session_output(s, 0)->data, (size_t)n * sizeof *out);
    session_free(s);
}

START_TEST(what_is_exported_is_what_was_learned)
{
    struct trainer *t = train_cnn(1, 2), *again;
    const struct trainer_options o = { .threads = 1, TARGET(.classes = 3) };
    struct model *m = trainer_export(t, &report), *loaded;
    const struct dataset d = images_data();
    double scores[2][ALL_MEASURES];

    expect_ok(m && model_save(m, "m.onnx", &report));
    loaded = model_read("m.onnx", NULL, &report);
    expect_ok(loaded && model_build(loaded, &report));
    ck_assert(message_equal(loaded->proto, m->proto));
    ck_assert_uint_eq(m->proto->graph->n_node, t->model->proto->graph->n_node);
    for (size_t k = 0; k < m->proto->graph->n_node; k++)
        ck_assert(message_equal(m->proto->graph->node[k], t->model->proto->graph->node[k]));
    again = trainer_new(loaded, &o, &report);
    expect_ok(again);
    expect_same_state(t, again);
    expect_ok(trainer_evaluate(t, &d, NULL, 8, scores[0], &report));
    expect_ok(trainer_evaluate(again, &d, NULL, 8, scores[1], &report));
    ck_assert(memcmp(scores[0], scores[1], sizeof *scores) == 0);
    trainer_free(again);
    trainer_free(t);
    model_free(loaded);
    model_free(m);
}
END_TEST

START_TEST(constants_of_nodes_train_too)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=1",
                                       .threads = 1,
                                       TARGET(.form = TARGETS_VALUES) };
    struct trainer *t =
        trainer_of(HEAD "net (float[N, 2] x) => (float[N, 2] y)\n{ w = Constant <value = float[2] {2, 3}> ()\n"
                        "  b = Constant <value_floats = [1.0, 1.0]> ()  two = Constant <value = float {2}> ()\n"
                        "  a = Mul (x, w)  c = Mul (a, two)  y = Add (c, b) }",
                   &o);
    const float x[] = { 1, 1 }, y[] = { 0, 0 };
    struct tensor tx, ty;
    float got;
    struct model *m;
    float out[2];

    expect_ok(t);
    ck_assert_uint_eq(t->trainable, 2); /* not the scalar */
    tx = t->x[0], ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 1;
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)y;
    expect_ok(trainer_step(t, &tx, &ty, &got, &report)); /* y = 5, 7: dy = 5, 7; dw = 2 dy, db = dy */
    ck_assert_float_eq(state_of(t, "w")[0], 2 - 10);
    ck_assert_float_eq(state_of(t, "b")[1], 1 - 7);
    m = trainer_export(t, &report);
    expect_ok(m && model_build(m, &report));
    run_model(m, &tx, out, 2);
    ck_assert_float_eq(out[0], -8 * 2 - 4);
    ck_assert_float_eq(out[1], (3 - 14) * 2 - 6);
    model_free(m);
    trainer_free(t);
}
END_TEST

#define SAYING_STATISTIC "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"kiln.role.m\": \"statistic\"]>\n"

/* Exporters merge equal tensors: a mean, a variance and a bias may be one initializer. Each statistic must move by
 * itself. */
START_TEST(merged_statistics_are_taken_apart)
{
    const struct trainer_options o = { .optimizer = "sgd", .threads = 1, TARGET(.classes = 2) };
    struct trainer *t = trainer_of(
        HEAD "net (float[N, 2] x) => (float[N, 2] logits) <float[2] ones = {1, 1}, float[2] zeros = {0, 0}>\n"
             "{ h = BatchNormalization <momentum = 0.5> (x, ones, zeros, zeros, ones)\n"
             "  i = Mul (h, h)  logits = BatchNormalization <momentum = 0.5> (i, ones, zeros, zeros, ones) }",
        &o);
    const float x[] = { 1, 10, 2, 20, 6, 60 };
    const int64_t y[] = { 0, 1, 0 };
    struct tensor tx, ty;
    float got;

    expect_ok(t);
    ck_assert_uint_eq(t->trainable, 2);
    ck_assert_uint_eq(t->state_count, 6);
    tx = t->x[0], ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 3;
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)y;
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    ck_assert_float_eq_tol(((float *)t->states[2].value.data)[0], 1.5f, 1e-5f); /* the mean of x, half way */
    ck_assert_float_eq_tol(((float *)t->states[4].value.data)[0], .5f, 1e-4f);  /* of the squares: 1 */
    trainer_free(t);
}
END_TEST

/* One layer that is called twice has one set, which each call moves on, as in Keras and PyTorch. What never moved may be two
 * layers' that were merged, but where the file tells, or where not all is the same. */
static const struct {
    const char *head, *mean, *second;
    bool one;
    float want; /* the mean after a step: of 3 and of 1, each half way */
} calls[] = {
    { SAYING_STATISTIC, "{0, 0}", "g, b, m, v", true, 1.25f },
    { HEAD, "{2, 2}", "g, b, m, v", true, 1.75f },
    { HEAD, "{0, 0}", "g, b, m, v", false, 1.5f },
    { HEAD, "{2, 2}", "v, b, m, v", false, 2.5f },
    { SAYING_STATISTIC, "{0, 0}", "g, g, m, v", false, 1.5f },
};

START_TEST(each_call_of_a_layer_moves_its_statistics)
{
    const struct trainer_options o = { .optimizer = "sgd", .threads = 1, TARGET(.classes = 2) };
    char text[1000];
    struct trainer *t;
    const float x[] = { 1, 10, 2, 20, 6, 60 };
    const int64_t y[] = { 0, 1, 0 };
    struct tensor tx, ty;
    float got;

    snprintf(
        text, sizeof text,
        "%snet (float[N, 2] x) => (float[N, 2] logits) <float[2] g = {1, 1}, float[2] b = {0, 0}, float[2] v = {1, 1}, "
        "float[2] m = %s>\n"
        "{ h = BatchNormalization <momentum = 0.5> (x, g, b, m, v)\n"
        "  i = Mul (h, h)  logits = BatchNormalization <momentum = 0.5> (i, %s) }",
        calls[_i].head, calls[_i].mean, calls[_i].second);
    t = trainer_of(text, &o);
    expect_ok(t);
    ck_assert_uint_eq(t->state_count - t->trainable, calls[_i].one ? 2 : 4);
    tx = t->x[0], ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 3;
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)y;
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    ck_assert_float_eq_tol(((float *)t->states[t->trainable].value.data)[0], calls[_i].want, 1e-4f);
    trainer_free(t);
}
END_TEST

START_TEST(shared_weights_are_told_of_and_untied_on_request)
{
    struct trainer_options o = { .optimizer = "sgd:learning_rate=0", .threads = 1, .untie = _i, TARGET(.classes = 2) };
    struct trainer *t = trainer_of(HEAD "net (float[N, 2] x) => (float[N, 2] logits) <float[2, 2] w = {1, 2, 3, 4}>\n"
                                        "{ h = MatMul (x, w)  logits = MatMul (h, w) }",
                                   &o);
    struct model *m;

    expect_ok(t);
    ck_assert_uint_eq(t->trainable, _i ? 2 : 1);
    ck_assert_int_eq(t->states[0].parameter->readers, _i ? 1 : 2);
    m = trainer_export(t, &report);
    expect_ok(m);
    ck_assert_uint_eq(m->proto->graph->n_initializer, _i ? 2 : 1); /* one of them keeps the old one */
    model_free(m);
    trainer_free(t);
}
END_TEST

static void count_warnings(void *user, kiln_status code, const char *where, const char *message)
{
    (void)where;
    (void)message;
    *(int *)user += code == KILN_OK;
}

START_TEST(the_public_functions_train)
{
    const int64_t dims[] = { 4, 2 };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_tensor *x, *y;
    kiln_trainer *t;
    kiln_model *m, *learned;
    const kiln_parameter *p;
    kiln_score first, score;
    kiln_error err;
    int warnings = 0;

    ck_assert_int_eq(kiln_model_open_memory(&m, xor_text, strlen(xor_text), NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_tensor_new(&x, KILN_FLOAT, 2, dims, xor_x, &err), KILN_OK);
    ck_assert_int_eq(kiln_tensor_new(&y, KILN_FLOAT, 2, (const int64_t[]){ 4, 1 }, (const float[]){ 0, 1, 1, 0 }, &err),
                     KILN_OK);
    o.optimizer = "adam:learning_rate=0.05";
    o.values = true;
    o.diagnostic = count_warnings;
    o.user = &warnings;
    ck_assert_int_eq(kiln_trainer_new(&t, m, &o, &err), KILN_OK);
    kiln_model_free(m); /* not needed any more */
    ck_assert_int_eq(kiln_trainer_step(t, x, y, &first, &err), KILN_OK);
    for (int k = 0; k < 200; k++)
        ck_assert_int_eq(kiln_trainer_step(t, x, y, NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_set_learning_rate(t, 0, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_step(t, x, y, &score, &err), KILN_OK);
    ck_assert(score.correct == 4 && score.rows == 4 && score.loss < first.loss / 4);
    ck_assert_ptr_nonnull(strstr(kiln_trainer_loss(t, 0), "because the model ends in Sigmoid"));
    ck_assert_uint_eq(kiln_trainer_parameter_count(t), 4);
    p = kiln_trainer_parameter(t, 0);
    ck_assert(strcmp(p->name, "w1") == 0 && p->role == KILN_TRAINABLE && p->dims[1] == 8 && p->data);
    ck_assert_ptr_null(kiln_trainer_parameter(t, 4));
    for (int k = 0; k < 6; k++)
        ck_assert_int_eq(kiln_trainer_set_learning_rate(
                             t, (const double[]){ (double)NAN, (double)INFINITY, 1e308, 1e31, 1e-60, -1 }[k], &err),
                         KILN_BAD_ARGUMENT);
    ck_assert_int_eq(kiln_trainer_set_learning_rate(t, 1e30, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_set_learning_rate(t, 0, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_step(t, y, x, NULL, &err), KILN_BAD_DATA);
    ck_assert_int_eq(kiln_trainer_step(t, x, NULL, NULL, &err), KILN_BAD_ARGUMENT);
    ck_assert_int_eq(kiln_trainer_export(&learned, t, &err), KILN_OK);
    kiln_trainer_free(t);
    ck_assert_int_eq(kiln_trainer_new(&t, learned, &o, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_score(t, x, y, &first, &err), KILN_OK);
    ck_assert(first.loss == score.loss && warnings == 0);
    kiln_trainer_free(t);
    kiln_model_free(learned);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
}
END_TEST

/* The loss and the gradient's length at the start, of a model with 3 classes for each of 4 pixels; `end` makes y of
 * z. */
static void pixels(const char *end, const char *because, double *loss, double *after)
{
    static const float w[6] = { 1, -1, 0.5f, 2, -0.25f, 0.75f };
    const int64_t dims[] = { 2, 2, 2, 2 }, y_dims[] = { 2, 2, 2 }, pixel[] = { 0, 1, 2, 2, 1, 0, 0, 1 };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    float values[16];
    char text[800];
    kiln_tensor *x, *y;
    kiln_trainer *t;
    kiln_model *m;
    kiln_score score;
    kiln_error err;

    noise(values, 16, 7);
    snprintf(text, sizeof text,
             HEAD "g (float[N, 2, 2, 2] x) => (float[N, 2, 2, 3] y) <float[3, 2, 1, 1] w = {%g, %g, %g, %g, %g, %g}> {"
                  " z = Conv (x, w) %s }",
             (double)w[0], (double)w[1], (double)w[2], (double)w[3], (double)w[4], (double)w[5], end);
    ck_assert_int_eq(kiln_model_open_memory(&m, text, strlen(text), NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_tensor_new(&x, KILN_FLOAT, 4, dims, values, &err), KILN_OK);
    ck_assert_int_eq(kiln_tensor_new(&y, KILN_INT64, 3, y_dims, pixel, &err), KILN_OK);
    o.optimizer = "sgd:learning_rate=0.5";
    ck_assert_int_eq(kiln_trainer_new(&t, m, &o, &err), KILN_OK);
    ck_assert_ptr_nonnull(strstr(kiln_trainer_loss(t, 0), because));
    ck_assert_int_eq(kiln_trainer_step(t, x, y, &score, &err), KILN_OK);
    *loss = score.loss;
    ck_assert_int_eq(kiln_trainer_score(t, x, y, &score, &err), KILN_OK);
    *after = score.loss;
    kiln_trainer_free(t);
    kiln_model_free(m);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
}

/* A network for segmentation, as exporters write it: classes are normalised before they become the last dimension. */
START_TEST(a_softmax_is_seen_through_a_transpose)
{
    const char *const because = "because the model ends in Softmax";
    double loss[2], after[2];

    pixels("t = Transpose <perm = [0, 2, 3, 1]> (z) y = Softmax (t)", because, &loss[0], &after[0]);
    pixels("s = Softmax <axis = 1> (z) y = Transpose <perm = [0, 2, 3, 1]> (s)", because, &loss[1], &after[1]);
    ck_assert_double_eq_tol(loss[0], loss[1], 1e-6);
    ck_assert_double_eq_tol(after[0], after[1], 1e-6);
    ck_assert(after[0] < loss[0]);
}
END_TEST

/* Where only running tells along which dimension it is. */
START_TEST(a_softmax_is_never_taken_for_logits)
{
    static const struct {
        const char *end, *spec;
    } cases[] = {
        { "y = Softmax <axis = 1> (z)", "mean_squared_error" },
        { "s = Softmax <axis = 1> (z) p = ReduceMean <axes = [2, 3]> (s) y = Flatten (p)", NULL },
        { "p = ReduceMean <axes = [2, 3]> (z) s = Softmax <axis = 1> (p) y = Flatten (s)", NULL },
        { "p = ReduceMean <axes = [2, 3]> (z) s = Softmax <axis = 1> (p) y = Squeeze (s, a)", NULL },
        { "p = ReduceMean <axes = [2, 3]> (z) s = Softmax <axis = 1> (p) r = Reshape (s, n) c = Cast <to = 1> (r)\n"
          " y = Identity (c)",
          NULL },
    };
    const struct target_options target = { .loss = cases[_i].spec, .classes = 3 };
    const struct trainer_options o = { .threads = 1, .targets = 1, .target = &target };
    struct trainer *t;
    char text[600];

    snprintf(text, sizeof text,
             HEAD "g (float[N, 2, 2, 2] x) => (y) <float[3, 2, 1, 1] w = {1, 2, 3, 4, 5, 6},\n"
                  " int64[2] a = {2, 3}, int64[2] n = {0, 3}> { z = Conv (x, w) %s }",
             cases[_i].end);
    t = trainer_of(text, &o);
    expect_ok(t);
    ck_assert(!t->targets->loss.logits);
    trainer_free(t);
}
END_TEST

/* Sizes in a body are not found by running: each iteration may have others. */
START_TEST(what_cannot_be_trained_through_is_named)
{
    static const char text[] =
        HEAD "g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 2, 3, 4}, int64 n = {2}, bool c = {1}, float z "
             "= {0}> {"
             " h = MatMul (x, w) y = Loop <body = b (int64 i, bool go, a) => (bool on, r) { on = Identity (go)"
             " above = Greater (a, z) nz = NonZero (above) at = Transpose (nz) v = GatherND (a, at)"
             " m = ReduceMean <keepdims = 0> (v) r = Add (a, m) }> (n, c, h) }";
    const struct trainer_options o = { .threads = 1, TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    float x[] = { 1, 2, 3, 4 }, y[4] = { 0 }, loss;
    struct trainer *t = trainer_of(text, &o);
    struct report r = { 0 };
    struct tensor tx, ty;

    expect_ok(t);
    tx = t->x[0];
    ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = 2;
    tx.data = x;
    ty.data = y;
    ck_assert(!trainer_step(t, &tx, &ty, &loss, &r));
    ck_assert_int_eq(r.error.code, KILN_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(r.error.where, "Loop"));
    ck_assert_ptr_nonnull(strstr(r.error.message, "only running tells the size of what its body makes"));
    trainer_free(t);
}
END_TEST

/* A recurrent layer tells slopes by what its activations give. */
START_TEST(an_activation_that_falls_and_rises_has_no_slope)
{
    static const struct {
        const char *nodes, *says; /* NULL: it has one */
    } cases[] = {
        { "RNN <activations = [\"LeakyRelu\"], activation_alpha = [-0.5]> (x, w, w)",
          "'LeakyRelu' with an alpha of -0.5" },
        { "RNN <activations = [\"Elu\"], activation_alpha = [-2.0]> (x, w, w)", "'Elu' with an alpha of -2 below 0" },
        { "GRU <activations = [\"Tanh\", \"Elu\"], activation_alpha = [-2.0]> (x, g, g)", "'Elu'" },
        { "RNN <activations = [\"Affine\"], activation_alpha = [-0.5]> (x, w, w)", NULL },
        { "RNN <activations = [\"LeakyRelu\"], activation_alpha = [0.0]> (x, w, w)", NULL },
    };
    const struct trainer_options o = { .threads = 1, TARGET(.form = TARGETS_VALUES) };
    const float data[] = { 1, -2 }, wanted[] = { 3, 1 };
    struct trainer *t;
    struct tensor x, y;
    char text[400];
    float loss;

    snprintf(text, sizeof text,
             HEAD "g (float[N, 1, 1] x) => (float[N, 1, 1, 1] y) <float[1, 1, 1] w = {1}, float[1, 3, 1] g = {1, 2, 3}>"
                  " { y = %s }",
             cases[_i].nodes);
    t = trainer_of(text, &o);
    expect_ok(t);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = 2;
    x.data = (void *)(uintptr_t)data;
    y.data = (void *)(uintptr_t)wanted;
    ck_assert(trainer_step(t, &x, &y, &loss, &report) == !cases[_i].says);
    if (cases[_i].says)
        expect_error(KILN_UNSUPPORTED, cases[_i].says);
    trainer_free(t);
}
END_TEST

START_TEST(the_public_functions_draw)
{
    kiln_model *m, *drawn;
    kiln_error err;
    size_t count;

    ck_assert_int_eq(kiln_model_open_memory(&m, cnn_text, strlen(cnn_text), NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_model_initialize(&drawn, m, 1, false, &count, &err), KILN_OK);
    ck_assert_uint_eq(count, 7);
    kiln_model_free(m);
    ck_assert_int_eq(kiln_model_initialize(&m, drawn, 1, false, &count, &err), KILN_OK);
    ck_assert_uint_eq(count, 0);
    kiln_model_free(m);
    ck_assert_int_eq(kiln_model_initialize(&m, drawn, 1, true, &count, &err), KILN_OK);
    ck_assert_uint_eq(count, 7);
    kiln_model_free(m);
    kiln_model_free(drawn);
    ck_assert_int_eq(kiln_model_initialize(&m, NULL, 1, true, &count, &err), KILN_BAD_ARGUMENT);
}
END_TEST

START_TEST(training_form_becomes_inference_form)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0", .threads = 1, TARGET(.classes = 2) };
    struct trainer *t =
        trainer_of(HEAD "net (float[N, 2] x) => (float[N, 2] logits)\n"
                        "<float[2] s = {1, 1}, float[2] b = {0, 0}, float[2] m = {5, 6}, float[2] v = {2, 3}, float r "
                        "= {0.5}, bool yes = {1}>\n"
                        "{ h, m1, v1 = BatchNormalization <momentum = 0.5, training_mode = 1> (x, s, b, m, v)\n"
                        "  logits = Dropout (h, r, yes) }",
                   &o);
    struct model *m;

    expect_ok(t);
    m = trainer_export(t, &report);
    expect_ok(m);
    ck_assert_uint_eq(m->proto->graph->node[0]->n_output, 1);
    ck_assert_uint_eq(m->proto->graph->node[1]->n_input, 2);
    expect_ok(model_build(m, &report));
    model_free(m);
    trainer_free(t);
}
END_TEST

/* -- initialisers -- */

static const struct rule_case {
    const char *rule;
    double mean, deviation, low, high;
} rules[] = {
    { "glorot_uniform", 0, .0816497, -.1414214, .1414214 }, /* fans 100 and 200 */
    { "glorot_normal", 0, .0816497, -.1856448, .1856448 },
    { "he_normal", 0, .1414214, -.3215466, .3215466 },
    { "he_uniform", 0, .1414214, -.2449490, .2449490 },
    { "lecun_uniform", 0, .1, -.1732051, .1732051 },
    { "random_uniform:minval=1,maxval=3", 2, .5773503, 1, 3 },
    { "random_normal:mean=2,stddev=0.5", 2, .5, -10, 10 },
    { "truncated_normal", 0, .0439813, -.1, .1 },
    { "constant:-2.5", -2.5, 0, -2.5, -2.5 },
    { "zeros", 0, 0, 0, 0 },
    { "orthogonal", 0, .0707107, -1, 1 },
    { "lecun_normal", 0, .1, -.2273648, .2273648 },
    { "variance_scaling", 0, .1, -.2273648, .2273648 },
    { "variance_scaling:distribution=normal,scale=4", 0, .2, -.4547296, .4547296 },
    { "variance_scaling:scale=2,mode=fan_out,distribution=uniform", 0, .1, -.1732051, .1732051 },
    { "variance_scaling:scale=3,mode=fan_avg,distribution=untruncated_normal", 0, .1414214, -1, 1 },
    { "identity:gain=3", .015, .2116, 0, 3 },
};

START_TEST(rules_draw_what_they_say)
{
    const struct rule_case *c = &rules[_i];
    const struct initialise_options o = { .seed = 4 };
    struct model *m, *drawn;
    const float *w;
    double sum = 0, squares = 0;
    char text[512];
    size_t count;

    snprintf(text, sizeof text,
             "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"init.w\": \"%s\" ] >\n"
             "net (float[N, 100] x, float[100, 200] w) => (float[N, 200] y) { y = MatMul (x, w) }",
             c->rule);
    m = model_of(text);
    drawn = model_initialise(m, &o, &count, &report);
    expect_ok(drawn && model_build(drawn, &report));
    w = graph_find(drawn->graph, "w")->initializer->data;
    for (int k = 0; k < 20000; k++) {
        ck_assert_msg((double)w[k] >= c->low - 1e-6 && (double)w[k] <= c->high + 1e-6, "%s draws %g", c->rule,
                      (double)w[k]);
        sum += (double)w[k];
        squares += (double)w[k] * (double)w[k];
    }
    sum /= 20000;
    ck_assert_double_eq_tol(sum, c->mean, 5 * c->deviation / sqrt(20000) + 1e-9);
    ck_assert_double_eq_tol(sqrt(fabs(squares / 20000 - sum * sum)), c->deviation, .02 * c->deviation + 1e-6);
    for (int i = 0; strcmp(c->rule, "orthogonal") == 0 && i < 3; i++)
        for (int j = 0; j <= i; j++) {
            double dot = 0;

            for (int k = 0; k < 200; k++)
                dot += (double)w[i * 200 + k] * (double)w[j * 200 + k];
            ck_assert_double_eq_tol(dot, i == j, 1e-5);
        }
    model_free(m);
    model_free(drawn);
}
END_TEST

static struct model *drawn_by(const char *rule, const char *shape, const char *node)
{
    const struct initialise_options o = { .seed = 4 };
    struct model *m, *drawn;
    char text[512];
    size_t count;

    snprintf(text, sizeof text,
             "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"init.w\": \"%s\" ] >\n"
             "net (float[N, 4, 5, 5] x, float[%s] w) => (float y) { y = %s (x, w) }",
             rule, shape, node);
    m = model_of(text);
    drawn = model_initialise(m, &o, &count, &report);
    model_free(m);
    if (drawn)
        expect_ok(model_build(drawn, &report));
    return drawn;
}

/* The filters of a convolution are the rows of one matrix, of unit length times the gain; a stack has many matrices. */
static const struct {
    const char *shape, *node;
    int64_t rows, columns; /* vectors, and how long they are */
} frames[] = { { "6, 4, 3, 3", "Conv", 6, 36 }, { "4, 3, 2, 2", "ConvTranspose", 4, 12 }, { "2, 5, 6", "Mul", 5, 6 } };

START_TEST(orthogonal_is_orthogonal)
{
    const int64_t rows = frames[_i].rows, columns = frames[_i].columns;
    struct model *m = drawn_by("orthogonal:gain=2", frames[_i].shape, frames[_i].node);
    const struct tensor *t;
    const float *w;

    expect_ok(m);
    t = graph_find(m->graph, "w")->initializer;
    for (int64_t k = 0; k < tensor_count(t) / (rows * columns); k++) {
        w = (const float *)t->data + k * rows * columns;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j <= i; j++) {
                double dot = 0;

                for (int64_t c = 0; c < columns; c++)
                    dot += (double)w[i * columns + c] * (double)w[j * columns + c];
                ck_assert_double_eq_tol(dot, i == j ? 4 : 0, 1e-5);
            }
    }
    model_free(m);
}
END_TEST

/* As ONNX orders the gates: input, output, forget, cell. */
START_TEST(a_forget_gate_begins_open)
{
    struct model *m = drawn_by("unit_forget_bias", "2, 8", "Mul");
    const float *b;

    expect_ok(m);
    b = graph_find(m->graph, "w")->initializer->data;
    for (int k = 0; k < 16; k++)
        ck_assert_float_eq(b[k], k % 8 / 2 == 2);
    model_free(m);
    ck_assert_ptr_null(drawn_by("unit_forget_bias", "6", "Mul"));
    expect_error(KILN_BAD_MODEL, "has rows of 6, initialiser 'unit_forget_bias' needs four gates");
}
END_TEST

START_TEST(matrices_are_asked_for)
{
    ck_assert_ptr_null(drawn_by("orthogonal", "5", "Mul"));
    expect_error(KILN_BAD_MODEL, "has 1 dimensions, initialiser 'orthogonal' needs two");
    ck_assert_ptr_null(drawn_by("identity", "1, 5, 5", "Mul"));
    expect_error(KILN_BAD_MODEL, "has 3 dimensions, initialiser 'identity' needs two");
}
END_TEST

START_TEST(unknown_rules_are_refused)
{
    static const char *const wrong[][2] = {
        { "golorot", "initialiser 'golorot' is unknown" },
        { "constant:1e39", "needs a number that a float can hold" },
        { "constant:nan", "needs a number that a float can hold" },
        { "constant:1e-50", "needs a number that a float can hold" },
        { "random_uniform:maxval=1e39", "'maxval' is 1e+39, must be" },
        { "random_normal:stddev=1e-60", "'stddev' is 1e-60, which is not 0" },
        { "random_normal:deviation=1", "has no option 'deviation'" },
        { "variance_scaling:mode=fan", "'mode' is 'fan', must be fan_in, fan_out or fan_avg" },
        { "variance_scaling:scale=0", "'scale' is 0, must be at least 1e-30" },
    };
    const struct initialise_options o = { 0 };
    struct model *m;
    char text[512];
    size_t count;

    snprintf(text, sizeof text,
             "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"init.w\": \"%s\" ] >\n"
             "net (float[N, 2] x, float[2, 2] w) => (float[N, 2] y) { y = MatMul (x, w) }",
             wrong[_i][0]);
    m = model_of(text);
    ck_assert_ptr_null(model_initialise(m, &o, &count, &report));
    expect_error(KILN_BAD_MODEL, wrong[_i][1]);
    model_free(m);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* -- one copy of the weights -- */

enum { WIDTH = 64 }; /* of a weight that copies of its message share */

/* y = x w + b, as a file of its own says it. */
static struct model *wide_model(void)
{
    static float w[WIDTH * WIDTH], b[WIDTH];
    static const struct tensor weight = { .dtype = F32, .rank = 2, .dims = { WIDTH, WIDTH }, .data = w },
                               bias = { .dtype = F32, .rank = 1, .dims = { WIDTH }, .data = b };
    static const char text[] = HEAD "g (float[N,64] x) => (float[N,64] y) <float[1] w = {0}, float[1] b = {0}> "
                                    "{ h = MatMul (x, w) y = Add (h, b) }";
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct edit e;

    noise(w, WIDTH * WIDTH, 3);
    expect_ok(m && edit_begin(&e, m, &report) && edit_tensor(&e, edit_initializer(&e, "w"), &weight) &&
              edit_tensor(&e, edit_initializer(&e, "b"), &bias) && edit_end(&e) && model_build(m, &report));
    return m;
}

static const float *weight_of(const struct model *m)
{
    return (const float *)(const void *)m->proto->graph->initializer[0]->raw_data.data;
}

static void wide_step(struct trainer *t)
{
    static float x[2 * WIDTH], y[2 * WIDTH];
    const struct tensor in = { .dtype = F32, .rank = 2, .dims = { 2, WIDTH }, .data = x },
                        out = { .dtype = F32, .rank = 2, .dims = { 2, WIDTH }, .data = y };
    float result;

    noise(x, 2 * WIDTH, 5);
    expect_ok(trainer_step(t, &in, &out, &result, &report));
}

/* The model that a trainer was made of, and those that were exported, keep their weights; what is saved is what would be
 * exported. */
START_TEST(weights_are_the_trainers_own)
{
    const struct trainer_options o = { .optimizer = "sgd",
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    float before[WIDTH * WIDTH], once[WIDTH * WIDTH];
    struct model *m = wide_model(), *first, *saved;
    struct trainer *t = trainer_new(m, &o, &report);

    expect_ok(t);
    memcpy(before, weight_of(m), sizeof before);
    ck_assert(state_of(t, "w") == weight_of(t->model) && weight_of(t->model) != weight_of(m));
    ck_assert_uint_ge(t->budget.used, 2 * sizeof before); /* options.memory bounds weights and gradients */
    wide_step(t);
    ck_assert(memcmp(before, weight_of(m), sizeof before) == 0);
    first = trainer_export(t, &report);
    expect_ok(first);
    memcpy(once, weight_of(first), sizeof once);
    ck_assert(memcmp(before, once, sizeof before) != 0);
    wide_step(t);
    ck_assert(memcmp(once, weight_of(first), sizeof once) == 0);
    ck_assert(memcmp(once, state_of(t, "w"), sizeof once) != 0);
    expect_ok(trainer_save(t, "saved.onnx", false, &report));
    saved = model_read("saved.onnx", NULL, &report);
    expect_ok(saved);
    ck_assert(memcmp(weight_of(saved), state_of(t, "w"), sizeof once) == 0);
    state_of(t, "w")[7] = INFINITY;
    ck_assert(!trainer_save(t, "saved.onnx", false, &report));
    expect_error(KILN_RUN_FAILED, "element 7 of 'w' is infinite");
    model_free(saved);
    trainer_free(t);
    ck_assert(memcmp(once, weight_of(first), sizeof once) == 0); /* which outlives it */
    model_free(first);
    model_free(m);
    ck_assert_int_eq(unlink("saved.onnx"), 0);
}
END_TEST

/* A trainer may outlive the model, and the other way round; what both hold goes with the last. */
START_TEST(weights_that_are_not_trained_are_shared)
{
    const char *const all = "w";
    const struct trainer_options o = { .optimizer = "sgd",
                                       .patterns = { .freezes = 1, .freeze = &all },
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct model *m = wide_model();
    struct trainer *t = trainer_new(m, &o, &report);

    expect_ok(t);
    ck_assert(weight_of(t->model) == weight_of(m));
    if (_i)
        trainer_free(t);
    model_free(m);
    if (!_i) {
        wide_step(t);
        trainer_free(t);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("train");

    (void)put_file;
    add_test(s, xor_is_learned);
    add_test(s, a_line_is_fitted);
    add_test(s, a_part_that_nobody_reads_has_no_gradient);
    add_tests(s, threads_change_no_bit, 2);
    add_test(s, the_seed_decides);
    add_test(s, the_last_batch_is_smaller_and_counts_less);
    add_test(s, statistics_move_by_what_momentum_leaves);
    add_test(s, what_is_frozen_stays);
    add_test(s, a_loss_that_is_not_finite_changes_nothing);
    add_test(s, a_snapshot_brings_all_back);
    add_test(s, batches_of_another_type_are_refused);
    add_tests(s, losses_are_guessed, COUNT(guesses));
    add_tests(s, losses_and_gradients_agree, COUNT(losses));
    add_tests(s, far_logits_are_not_clipped, 2);
    add_tests(s, bad_options_are_refused, 29);
    add_tests(s, a_parameter_that_is_not_finite_is_an_error, COUNT(lost_cases));
    add_test(s, a_statistic_that_is_not_finite_is_an_error);
    add_tests(s, what_was_infinite_may_stay_so, 5);
    add_test(s, no_improvement_stops_early);
    add_tests(s, the_best_epoch_is_told_by_the_metric, 4);
    add_test(s, constants_of_nodes_train_too);
    add_test(s, merged_statistics_are_taken_apart);
    add_tests(s, each_call_of_a_layer_moves_its_statistics, COUNT(calls));
    add_tests(s, shared_weights_are_told_of_and_untied_on_request, 2);
    add_test(s, training_form_becomes_inference_form);
    add_test(s, the_public_functions_train);
    add_test(s, a_softmax_is_seen_through_a_transpose);
    add_tests(s, a_softmax_is_never_taken_for_logits, 5);
    add_test(s, what_cannot_be_trained_through_is_named);
    add_tests(s, an_activation_that_falls_and_rises_has_no_slope, 5);
    add_test(s, the_public_functions_draw);
    add_tests(s, rules_draw_what_they_say, COUNT(rules));
    add_tests(s, orthogonal_is_orthogonal, COUNT(frames));
    add_test(s, a_forget_gate_begins_open);
    add_test(s, matrices_are_asked_for);
    add_tests(s, unknown_rules_are_refused, 9);
    add_tests(s, weights_that_are_not_trained_are_shared, 2);
    add_test_between(s, enter_scratch, leave_scratch, what_is_exported_is_what_was_learned);
    add_test_between(s, enter_scratch, leave_scratch, weights_are_the_trainers_own);
    return s;
}
