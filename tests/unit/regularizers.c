/* What regularisers add to the loss and to gradients, against Keras' numbers (tests/keras/README.md). */
#include "data/npz.h"
#include "generator.h"
#include "learning.h"
#include "scratch.h"
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

Suite *suite(void)
{
    Suite *s = suite_create("regularizers");

    (void)put_file;
    (void)enter_scratch;
    (void)leave_scratch;
    (void)expect_error;
    add_tests(s, a_regularizer_is_keras_regularizer, COUNT(cases));
    return s;
}
