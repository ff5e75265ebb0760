/* A small network that trains and what its trainings tell, for programs with nothing but kiln.h. */
#ifndef KILN_TESTS_FITTING_H
#define KILN_TESTS_FITTING_H

#include "public.h"
#include <stdio.h>
#include <unistd.h>

enum { SAMPLES = 22, BATCH = 4, EPOCHS = 3, STEPS = 6 }; /* STEPS: of an epoch; its last batch is smaller */

static const char net[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                          "net (float[N,2] x) => (float[N,3] y)\n"
                          "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}, float[3] scale = {1, 1, 1},\n"
                          " float[3] b = {0, 0.1, 0.2}, float[3] mean = {0, 0, 0}, float[3] var = {1, 1, 1},\n"
                          " float rate = {0.25}, bool on = {0}> {\n"
                          "    m = MatMul(x, w) n = BatchNormalization(m, scale, b, mean, var)\n"
                          "    d = Dropout(n, rate, on) y = Softmax(d)\n}";

static char folder[32], file[64], other[64];

static inline void start(void)
{
    snprintf(folder, sizeof folder, "/tmp/kiln-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/checkpoint.npz", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

static inline void end(void)
{
    unlink(file);
    unlink(other);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left there */
}

/* Samples [2], or images [2,1] of the same numbers. */
static inline kiln_dataset *make_samples(int64_t count, float by, bool images)
{
    const int64_t x_dims[] = { count, 2, 1 }, y_dims[] = { count };
    float x[2 * SAMPLES];
    int64_t y[SAMPLES];
    kiln_tensor *tx, *ty;
    kiln_dataset *d;

    for (int k = 0; k < count; k++) {
        x[2 * k] = (float)(k % 5) * by - 1;
        x[2 * k + 1] = (float)(k * k % 7) * by - 1;
        y[k] = k % 3;
    }
    ok(kiln_tensor_wrap(&tx, KILN_FLOAT, images ? 3 : 2, x_dims, x, 2 * (size_t)count * sizeof *x, &err));
    ok(kiln_tensor_wrap(&ty, KILN_INT64, 1, y_dims, y, (size_t)count * sizeof *y, &err));
    ok(kiln_dataset_new(&d, tx, ty, NULL, &err));
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
    return d;
}

static inline kiln_dataset *make_data(int64_t count, float by)
{
    return make_samples(count, by, false);
}

static int warnings;

static inline void count_warnings(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    (void)where;
    (void)message;
    warnings += code == KILN_OK;
}

static inline kiln_trainer *make_trainer_in(kiln_context *context, const char *text, const kiln_dataset *d,
                                            const char *optimizer)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    kiln_trainer *t;

    o.context = context;
    o.data = d;
    o.optimizer = optimizer;
    o.seed = 3;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    return t;
}

static inline kiln_trainer *make_trainer(const char *text, const kiln_dataset *d, const char *optimizer)
{
    return make_trainer_in(NULL, text, d, optimizer);
}

/* The bytes of the model as it is. */
static inline struct bytes model_of(kiln_trainer *t)
{
    struct bytes b = { 0 };
    kiln_model *m;

    ok(kiln_trainer_export(&m, t, &err));
    ok(kiln_model_write(m, KILN_FORM_BINARY, take, &b, &err));
    kiln_model_free(m);
    return b;
}

static inline void expect_same(kiln_trainer *t, struct bytes *need)
{
    struct bytes got = model_of(t);

    ck_assert(got.count == need->count && memcmp(got.data, need->data, got.count) == 0);
    free(got.data);
}

/* What a training told: the losses of epochs, where it was to stop. */
struct told {
    int64_t stop_at; /* the step; 0: never */
    int64_t steps, epochs, past, began_epochs, began_steps;
    int64_t best, past_best; /* epochs that were */
    double loss[32], validation[32];
};

static inline bool on_step(void *user, const kiln_fit_step *s)
{
    struct told *t = user;

    t->steps++;
    return s->step != t->stop_at;
}

static inline bool on_epoch(void *user, const kiln_epoch *e)
{
    struct told *t = user;

    t->epochs++;
    t->best += e->best;
    t->loss[e->number] = e->train[0];
    t->validation[e->number] = e->validation[0];
    return true;
}

static inline bool on_past(void *user, const kiln_epoch *e)
{
    struct told *t = user;

    t->past++;
    t->past_best += e->best;
    t->loss[e->number] = e->train[0];
    t->validation[e->number] = e->validation[0];
    return true;
}

static inline bool on_start(void *user, int64_t epochs, int64_t steps)
{
    struct told *t = user;

    t->began_epochs = epochs;
    t->began_steps = steps;
    return true;
}

static inline kiln_fit_options fit_options(struct told *t, const kiln_dataset *check)
{
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;

    o.batch = BATCH;
    o.epochs = EPOCHS;
    o.seed = 7;
    o.validation = check;
    o.step = on_step;
    o.epoch = on_epoch;
    o.past = on_past;
    o.start = on_start;
    o.user = t;
    return o;
}

#endif
