/* What regularisers add to the loss and to gradients, against Keras' numbers (tests/keras/README.md). */
#include "data/npz.h"
#include "generator.h"
#include "learning.h"
#include "scratch.h"
#include "train/initialise.h"
#include "unit.h"
#include <math.h>

#define HEAD     "< ir_version: 8, opset_import: [\"\": 17] >\n"
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static const char net_text[] =
    HEAD "net (float[N, 4] x) => (float[N, 3] p) <float[4, 5] w1 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
         "0, 0, 0},\n float[5] b1 = {0, 0, 0, 0, 0}, float[5, 3] w2 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "
         "float[3] b2 = {0, 0, 0}>\n"
         "{ [first] h = Gemm (x, w1, b1)  [tanh] t = Tanh (h)  [second] z = Gemm (t, w2, b2)  p = Softmax (z) }";

static struct trainer *trainer_of(const char *text, const struct regularizer_options *g, size_t count, bool measure)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.1",
                                       .threads = 1,
                                       .keep_gradients = true,
                                       .regularizers = count,
                                       .regularizer = g,
                                       .measure = measure,
                                       TARGET(.classes = 3) };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    model_free(m);
    return t;
}

/* -- Keras' numbers -- */

enum { MOST = 3 };
static const struct parity {
    const char *name;
    struct regularizer_options of[MOST];
} cases[] = {
    { "l1", { { "w1", "l1:0.02", false } } },
    { "l2", { { "w?", "l2:0.05", false } } },
    { "l1_l2", { { "w1", "l1_l2:l1=0.01,l2=0.02", false }, { "b1", "l2:l2=0.1", false } } },
    { "rows", { { "w1", "orthogonal_regularizer:0.5", false } } },
    { "columns",
      { { "w1", "orthogonal_regularizer:factor=0.5,mode=columns", false },
        { "w2", "orthogonal_regularizer", false } } },
    { "activity", { { "t", "l2:0.3", true } } },
    { "activity_l1", { { "tanh", "l1:0.2", true }, { "w2", "l2", false } } },
};

static struct npz *file;

static struct tensor array(const char *name, const char *what)
{
    struct tensor t;
    char path[128];

    snprintf(path, sizeof path, "%s/%s", name, what);
    expect_ok(npz_read(&t, file, path, NULL, &report));
    return t;
}

static struct trainer *start(const struct parity *p)
{
    size_t count = 0;
    struct trainer *t;

    while (count < MOST && p->of[count].pattern)
        count++;
    t = trainer_of(net_text, p->of, count, false);
    expect_ok(t);
    for (size_t s = 0; s < t->state_count; s++) {
        const uint64_t of = key_of("steps/%s", t->states[s].parameter->value->name);

        for (int64_t i = 0; i < tensor_count(&t->states[s].value); i++)
            ((float *)t->states[s].value.data)[i] = (float)(.5 * uniform(of, i));
    }
    return t;
}

static void expect_loss(const struct parity *p, const char *what, int t, double got, const struct tensor *want)
{
    const double w = (double)((const float *)want->data)[t];

    ck_assert_msg(fabs(got / w - 1) <= 1e-6, "%s: %s of step %d is %.9g, must be %.9g", p->name, what, t + 1, got, w);
}

/* A step, and the same batch measured after it. */
static void take_step(const struct parity *p, struct trainer *t, int step, const struct tensor *loss,
                      const struct tensor *after)
{
    static const int64_t samples[] = { 6, 6, 4, 6, 5, 6, 4, 6 };
    const uint64_t image = key_of("steps/%d/x", step), label = key_of("steps/%d/label", step);
    struct tensor tx = t->x[0], ty = t->targets->y;
    float x[4 * 6], got;
    int64_t y[6];

    tx.dims[0] = ty.dims[0] = samples[step];
    tx.data = x, ty.data = y;
    for (int64_t i = 0; i < 4 * samples[step]; i++)
        x[i] = (float)uniform(image, i);
    for (int64_t i = 0; i < samples[step]; i++)
        y[i] = (int64_t)((hash(label, i) >> 33) % 3);
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    ck_assert(got > t->result->loss); /* of the target alone */
    expect_loss(p, "the loss", step, (double)got, loss);
    expect_ok(trainer_evaluate_batch(t, &tx, &ty, &got, &report));
    expect_loss(p, "what is measured", step, (double)got, after);
}

static void expect_values(const struct parity *p, const struct trainer *t, int step)
{
    for (size_t s = 0; s < t->state_count; s++) {
        const char *name = t->states[s].parameter->value->name;
        struct tensor want = array(p->name, name);
        const int64_t n = tensor_count(&t->states[s].value);

        for (int64_t i = 0; i < n; i++) {
            const double got = (double)((const float *)t->states[s].value.data)[i];
            const double w = (double)((const float *)want.data)[step * n + i];

            ck_assert_msg(fabs(got - w) <= 1e-6 * fabs(w) + 2e-7, "%s: after step %d %s[%lld] is %.9g, must be %.9g",
                          p->name, step + 1, name, (long long)i, got, w);
        }
        budget_free(&budget, want.data);
    }
}

START_TEST(a_regularizer_is_keras_regularizer)
{
    const struct parity *p = &cases[_i];
    struct trainer *t = start(p);
    struct tensor loss, after;

    expect_ok(npz_open(&file, PROJECT "/tests/keras/regularizers.npz", &budget, &report));
    loss = array(p->name, "loss");
    after = array(p->name, "after");
    for (int step = 0; step < 8; step++) {
        take_step(p, t, step, &loss, &after);
        expect_values(p, t, step);
    }
    budget_free(&budget, loss.data);
    budget_free(&budget, after.data);
    npz_close(file);
    trainer_free(t);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* -- of what -- */

static double loss_of(struct trainer *t, const float *x)
{
    static const int64_t y[2] = { 0, 1 };
    struct tensor tx = t->x[0], ty = t->targets->y;
    float loss;

    tx.dims[0] = ty.dims[0] = 2;
    tx.data = (void *)(uintptr_t)x, ty.data = (void *)(uintptr_t)y;
    expect_ok(trainer_step(t, &tx, &ty, &loss, &report));
    return (double)loss - (double)t->result->loss;
}

/* 1 + 4 + 9 of w and its gradient, 2 w / 2, whatever type the file has it in. */
static const char *const types[] = { "float[1, 3] w = {1, -2, 3}", "double[1, 3] w = {1, -2, 3}",
                                     "float16[1, 3] w = {15360, 49152, 16896}", /* their bits */
                                     "bfloat16[1, 3] w = {16256, 49152, 16448}" };

START_TEST(parameters_of_all_types_are_penalised)
{
    const struct regularizer_options g = { "w", "l2:0.5", false };
    const float x[2] = { 0, 0 };
    struct trainer *t;
    char text[512];
    const struct tensor *dw;

    snprintf(text, sizeof text,
             HEAD "net (float[N, 1] x) => (float[N, 3] p) <%s>\n"
                  "{ v = Cast <to = 1> (w)  z = MatMul (x, v)  p = Softmax (z) }",
             types[_i]);
    t = trainer_of(text, &g, 1, false);
    expect_ok(t);
    ck_assert_double_eq_tol(loss_of(t, x), 7, 1e-6);
    ck_assert_int_eq(t->states->value.dtype, _i == 1 ? F64 : F32);
    dw = trainer_gradient(t, "w");
    for (int k = 0; k < 3; k++)
        ck_assert_double_eq_tol(real_at(dw->dtype, dw->data, k), k == 1 ? -2 : k + 1, 1e-6);
    trainer_free(t);
}
END_TEST

/* Rows of one length that share what is under the diagonal. */
START_TEST(a_row_of_zeros_has_no_direction)
{
    const struct regularizer_options g = { "w", "orthogonal_regularizer:1", false };
    const float x[6] = { 0 };
    struct trainer *t = trainer_of(HEAD "net (float[N, 3] x) => (float[N, 2] p) <double[3, 2] w = {0, 0, 3, 4, 4, 3}>\n"
                                        "{ v = Cast <to = 1> (w)  z = MatMul (x, v)  p = Softmax (z) }",
                                   &g, 1, false);
    const double *dw;

    expect_ok(t);
    ck_assert_double_eq_tol(loss_of(t, x), .96 / 3, 1e-6);
    dw = trainer_gradient(t, "w")->data;
    for (int k = 0; k < 6; k++)
        ck_assert(isfinite(dw[k]));
    ck_assert(dw[2] > 0 && dw[3] < 0); /* a step goes towards a right angle */
    trainer_free(t);
}
END_TEST

/* In the training form of BatchNormalization and behind a pass that joins it to others; a convolution is a kernel of four
 * dimensions. What is frozen is not penalised. */
START_TEST(a_network_is_penalised_where_it_is_said)
{
    static const char text[] = HEAD
        "net (float[N, 1, 2, 2] x) => (float[N, 2] p) <float[2, 1, 1, 1] k = {2, 3}, float[2] s = {1, 1}, float[2] b "
        "= {5, 7}, float[2] m = {0, 0}, float[2] v = {1, 1}>\n"
        "{ [conv] c = Conv (x, k)  [norm] n = BatchNormalization <epsilon = 0.0> (c, s, b, m, v)  [relu] r = Relu (n)\n"
        "  z = GlobalAveragePool (r)  f = Flatten (z)  p = Softmax (f) }";
    static const struct {
        struct regularizer_options of;
        double want;
    } penalties[] = {
        { { "conv", "l1", false }, .05 }, { { "norm", "l1", false }, .14 }, /* scale and bias, not the statistics */
        { { "c", "l1:1", true }, 10 },                                      /* 2 |x| + 3 |x| of 4 pixels in 2 samples */
        { { "r", "l1:1", true }, 48 },                                      /* normalised: b on average, nothing cut */
        { { "relu", "l1:1", true }, 48 },
    };
    const float x[8] = { 1, -1, 1, -1, 0, 0, 0, 0 };
    struct trainer *t = trainer_of(text, &penalties[_i].of, 1, false);

    expect_ok(t);
    ck_assert_double_eq_tol(loss_of(t, x), penalties[_i].want, 1e-4);
    trainer_free(t);
}
END_TEST

/* Where nobody names one for a parameter, its regulariser is the file's: 1 + 4 + 9 of w; of b 5 + 6 + 7. To measure needs none. */
START_TEST(a_file_says_its_regularizers)
{
    static const char text[] =
        "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"kiln.regularize.w\": \"l2:0.5\", "
        "\"kiln.regularize.b\": \"l1:1\", \"kiln.regularize.gone\": \"l1:1\" ] >\n"
        "net (float[N, 1] x) => (float[N, 3] p) <float[1, 3] w = {1, -2, 3}, float[3] b = {5, 6, 7}>\n"
        "{ z = MatMul (x, w)  s = Add (z, b)  t = Sub (s, b)  p = Softmax (t) }";
    static const struct {
        struct regularizer_options of;
        double want;
    } penalties[] = {
        { { NULL, NULL, false }, 7 + 18 },
        { { "w", "l1:1", false }, 6 + 18 },
        { { "?", "l1:0", false }, 0 },
        { { "?", "l1:0", true }, 7 + 18 }, /* of activities */
    };
    const struct regularizer_options *of = &penalties[_i].of;
    const float x[2] = { 0, 0 };
    struct trainer *t = trainer_of(text, of, of->pattern != NULL, false);

    expect_ok(t);
    ck_assert_double_eq_tol(loss_of(t, x), penalties[_i].want, 1e-5);
    trainer_free(t);
    t = trainer_of(text, NULL, 0, true);
    expect_ok(t);
    ck_assert_ptr_null(t->penalties);
    trainer_free(t);
}
END_TEST

START_TEST(a_wrong_regularizer_of_a_file_is_told)
{
    ck_assert_ptr_null(
        trainer_of("< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"kiln.regularize.w\": \"l3\" ] >\n"
                   "net (float[N, 1] x) => (float[N, 3] p) <float[1, 3] w = {1, -2, 3}>\n"
                   "{ z = MatMul (x, w)  p = Softmax (z) }",
                   NULL, 0, false));
    expect_error(KILN_BAD_ARGUMENT, "regularizer 'l3' is unknown");
}
END_TEST

START_TEST(what_cannot_be_penalised_is_told)
{
    static const struct {
        struct regularizer_options of;
        const char *want;
    } wrong[] = {
        { { "w9", "l2", false }, "regularizer 'l2': 'w9' names no parameter that trains, and no node that reads one" },
        { { "t", "l2", false }, "'t' names no parameter that trains" },
        { { "w1", "l2", true }, "regularizer 'l2': 'w1' names no floats that the model makes of its inputs" },
        { { "x", "l2", true }, "'x' names no floats that the model makes of its inputs" },
        { { "w1", "l3", false }, "regularizer 'l3' is unknown, must be l1, l1_l2, l2 or orthogonal_regularizer" },
        { { "w1", "l2:l1=1", false }, "regularizer 'l2' has no option 'l1', but l2" },
        { { "w1", "l2:-1", false }, "'l2' is -1, must be at least 0" },
        { { "w1", "l2:x", false }, "'l2' needs a number" },
        { { "w1", "l1_l2", false }, "regularizer 'l1_l2' of 'w1' needs 'l1' or 'l2'" },
        { { "b1", "orthogonal_regularizer", false }, "of 'b1' is of parameters with two dimensions" },
        { { "t", "orthogonal_regularizer", true }, "of 't' is of parameters with two dimensions" },
        { { "w1", "orthogonal_regularizer:mode=diagonals", false }, "'mode' is 'diagonals', must be rows or columns" },
    };

    ck_assert_ptr_null(trainer_of(net_text, &wrong[_i].of, 1, false));
    expect_error(KILN_BAD_ARGUMENT, wrong[_i].want);
}
END_TEST

/* Where a penalty has no room there is an error, never a loss without it: 1, as all rows are the same. */
START_TEST(memory_that_is_short_is_told)
{
    enum { ROWS = 96 }; /* whose pairs take more than all the rest */
    static const struct regularizer_options g = { "w", "orthogonal_regularizer:1", false };
    static const char text[] = HEAD "net (float[N, 96] x, float[96, 2] w) => (float[N, 2] p) \n"
                                    "{ z = MatMul (x, w)  p = Softmax (z) }";
    const struct initialise_options draw = { 0 };
    static float x[2 * ROWS];
    const int64_t y[2] = { 0, 1 };
    struct model *bare = model_read_bytes(text, strlen(text), NULL, &report), *m;
    int made = 0, short_ = 0;
    size_t count;

    expect_ok(bare && model_build(bare, &report));
    m = model_initialise(bare, &draw, &count, &report);
    expect_ok(m && model_build(m, &report));
    for (size_t limit = 1000; made < 3; limit += 997) {
        const struct trainer_options o = {
            .threads = 1, .regularizers = 1, .regularizer = &g, .memory = limit, TARGET(.classes = 2)
        };
        struct report r = { 0 };
        struct trainer *t = trainer_new(m, &o, &r);
        float loss;

        if (t) {
            struct tensor tx = t->x[0], ty = t->targets->y;

            tx.dims[0] = ty.dims[0] = 2;
            tx.data = x, ty.data = (void *)(uintptr_t)y;
            for (int k = 0; k < 2 * ROWS; k++)
                ((float *)t->states->value.data)[k] = 1;
            if (trainer_evaluate_batch(t, &tx, &ty, &loss, &r)) {
                ck_assert_double_eq_tol((double)(loss - t->result->loss), 1, 1e-5);
                made++;
            }
        }
        ck_assert_msg(!failed(&r) || r.error.code == KILN_LIMIT || r.error.code == KILN_NO_MEMORY, "%s",
                      r.error.message);
        short_ += failed(&r);
        trainer_free(t);
        ck_assert_uint_lt(limit, 1 << 22);
    }
    ck_assert_int_gt(short_, 10);
    model_free(m);
    model_free(bare);
}
END_TEST

START_TEST(what_only_measures_has_no_penalty)
{
    const struct regularizer_options g = { "w1", "l2", false };

    ck_assert_ptr_null(trainer_of(net_text, &g, 1, true));
    expect_error(KILN_BAD_ARGUMENT, "the trainer is made to measure");
    ck_assert_ptr_null(trainer_of(HEAD "net (float[N, 1] x) => (float[N, 2] p) <float[1, 2] w = {1, 2}>\n"
                                       "{ z = MatMul (x, w)  p = Softmax (z) }",
                                  &(struct regularizer_options){ "w", "orthogonal_regularizer", false }, 1, false));
    expect_error(KILN_BAD_ARGUMENT, "of 'w' needs two rows or columns to compare");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("regularizers");

    (void)put_file;
    (void)enter_scratch;
    (void)leave_scratch;
    add_tests(s, a_regularizer_is_keras_regularizer, COUNT(cases));
    add_tests(s, parameters_of_all_types_are_penalised, COUNT(types));
    add_test(s, a_row_of_zeros_has_no_direction);
    add_tests(s, a_network_is_penalised_where_it_is_said, 5);
    add_tests(s, a_file_says_its_regularizers, 4);
    add_test(s, a_wrong_regularizer_of_a_file_is_told);
    add_tests(s, what_cannot_be_penalised_is_told, 12);
    add_test(s, memory_that_is_short_is_told);
    add_test(s, what_only_measures_has_no_penalty);
    return s;
}
