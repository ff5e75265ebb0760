/* What may be shared is: sessions and trainers in threads of their own on one model, each with a pool. Whatever runs
 * beside it, a task makes what it makes alone and on one thread, bit for bit. tests/threads runs this under
 * ThreadSanitizer. */
#include "learning.h"
#include "model/model.h"
#include "run/session.h"
#include "train/trainer.h"
#include "unit.h"
#include <pthread.h>
#include <string.h>

enum { MOST = 1 << 12 };

struct task {
    bool (*work)(struct task *);
    const struct model *model;
    int threads;  /* of its pool */
    int64_t rows; /* of its largest batch */
    struct report report;
    bool done, sliced;
    size_t count; /* of what it made */
    float made[MOST];
    pthread_t thread;
    pthread_barrier_t *start;
};

static void keep(struct task *t, const struct tensor *x)
{
    const size_t n = (size_t)tensor_count(x);

    if (x->dtype == F32 && t->count + n <= MOST) {
        memcpy(t->made + t->count, x->data, n * sizeof(float));
        t->count += n;
    }
}

/* -- what is done in a thread -- */

/* A batch of a type whose first dimension is open. */
static bool give_rows(struct tensor *x, const struct tensor *type, int64_t rows, struct arena *a)
{
    *x = *type;
    x->dims[0] = rows;
    if (!tensor_shape(x, x->dtype, x->rank, x->dims) || !(x->data = arena_alloc(a, (size_t)tensor_bytes(x), NULL)))
        return false;
    for (int64_t k = 0; k < tensor_count(x); k++)
        if (x->dtype == I64)
            ((int64_t *)x->data)[k] = k % 3;
        else
            ((float *)x->data)[k] = (float)(k * 7919 % 1009) / 1009 - .5f;
    return true;
}

static bool infers(struct task *t)
{
    const struct session_options o = { .threads = t->threads };
    const int64_t rows[] = { t->rows, 1, t->rows - 1, t->rows };
    const struct value *in = t->model->graph->inputs[0];
    struct budget b = { 0 };
    struct arena a = { .budget = &b };
    struct session *s = session_new(t->model->graph, &o, &t->report);
    bool ok = s;

    for (size_t k = 0; ok && k < sizeof rows / sizeof *rows; k++) {
        struct tensor x;

        ok = give_rows(&x, &in->type, rows[k], &a) && session_set(s, in, &x, &t->report) && session_run(s, &t->report);
        if (ok)
            keep(t, session_output(s, 0));
        t->sliced |= ok && frame_program(s->frame)->slices;
    }
    arena_release(&a);
    session_free(s);
    return ok;
}

static bool learns(struct task *t)
{
    const struct trainer_options o = { .threads = t->threads, .seed = 3, TARGET(.classes = 3) };
    struct budget b = { 0 };
    struct arena a = { .budget = &b };
    struct trainer *trainer = trainer_new(t->model, &o, &t->report);
    struct model *learned = NULL;
    bool ok = trainer;

    for (int64_t step = 0; ok && step < 4; step++) {
        const int64_t rows = t->rows - step % 2;
        struct tensor x, y;
        float result;

        ok = give_rows(&x, trainer->x, rows, &a) && give_rows(&y, &trainer->targets->y, rows, &a) &&
             trainer_step(trainer, &x, &y, &result, &t->report) &&
             trainer_evaluate_batch(trainer, &x, &y, &result, &t->report);
    }
    arena_release(&a);
    ok = ok && (learned = trainer_export(trainer, &t->report));
    for (size_t k = 0; ok && k < trainer->state_count; k++)
        keep(t, &trainer->states[k].value);
    model_free(learned);
    trainer_free(trainer);
    return ok;
}

/* -- several at once -- */

static void *task_main(void *argument)
{
    struct task *const t = argument;

    pthread_barrier_wait(t->start);
    t->done = t->work(t);
    return NULL;
}

/* All at once, before anything has run alone: what is made when it is first needed is made in a thread, too. */
static void together(struct task *tasks, unsigned n)
{
    pthread_barrier_t start;

    ck_assert_int_eq(pthread_barrier_init(&start, NULL, n), 0);
    for (unsigned k = 0; k < n; k++) {
        tasks[k].start = &start;
        ck_assert_int_eq(pthread_create(&tasks[k].thread, NULL, task_main, &tasks[k]), 0);
    }
    for (unsigned k = 0; k < n; k++)
        pthread_join(tasks[k].thread, NULL);
    pthread_barrier_destroy(&start);
    for (unsigned k = 0; k < n; k++) {
        struct task *const t = &tasks[k];
        static struct task alone;

        alone = (struct task){ .work = t->work, .model = t->model, .threads = 1, .rows = t->rows };
        ck_assert_msg(t->done, "task %u: %s: %s", k, t->report.error.where, t->report.error.message);
        ck_assert(alone.work(&alone));
        ck_assert_uint_gt(t->count, 0);
        ck_assert_uint_eq(t->count, alone.count);
        ck_assert_msg(memcmp(t->made, alone.made, t->count * sizeof(float)) == 0, "task %u differs from itself alone",
                      k);
        ck_assert_int_eq(t->sliced, alone.sliced);
    }
}

static struct model *model_of(const char *text)
{
    struct report r = { 0 };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &r);

    ck_assert_msg(m && model_build(m, &r), "%s: %s", r.error.where, r.error.message);
    return m;
}

#define HEAD     "<ir_version: 8, opset_import: [\"\": 17]>\n"
#define EIGHT    "0.5, -0.25, 0.125, 1, -1, 0.75, -0.5, 0.25"
#define TWENTY_4 EIGHT ", " EIGHT ", " EIGHT
#define FORTY_8  TWENTY_4 ", " TWENTY_4
#define NINETY_6 FORTY_8 ", " FORTY_8
#define W_288    NINETY_6 ", " NINETY_6 ", " NINETY_6

/* A bit of each: convolutions, statistics, pooling, chance, a subgraph, rows. */
static const char network[] =
    HEAD "net (float[N, 4, 12, 12] x) => (float[N, 3] p)\n"
         "<float[8, 4, 3, 3] w = {" W_288 "}, float[8] one = {1, 1, 1, 1, 1, 1, 1, 1}, float[8] some = {" EIGHT "},\n"
         " float[6, 8] u = {" FORTY_8 "}, float[6, 3] v = {" EIGHT ", " EIGHT ", 1, -1}, bool yes = {1}> {\n"
         "c = Conv <pads = [1, 1, 1, 1]> (x, w) b = BatchNormalization (c, one, some, some, one) r = Relu (b)\n"
         "m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r) a = GlobalAveragePool (m) f = Flatten (a)\n"
         "rate = Constant <value_float = 0.25> () d = Dropout (f, rate) h = Gemm <transB = 1> (d, u)\n"
         "i = If (yes) <then_branch = t () => (float[A, B] o) { o = Tanh (h) },\n"
         "              else_branch = e () => (float[A, B] o) { o = Neg (h) }>\n"
         "g = MatMul (i, v) p = Softmax (g) }";
/* Images so large that nine of them are run in slices (slices.c). */
static const char sliced_network[] =
    HEAD "net (float[N, 8, 96, 96] x) => (float[N, 8] y)\n"
         "<float[8, 8, 3, 3] w = {" W_288 ", " W_288 "}> {\n"
         "a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Relu (a) c = Conv <pads = [1, 1, 1, 1]> (b, w)\n"
         "p = GlobalAveragePool (c) y = Flatten (p) }";

static struct task tasks[5];

static void run_tasks(const char *text, unsigned n, int64_t rows, bool (*even)(struct task *),
                      bool (*odd)(struct task *))
{
    struct model *m = model_of(text);

    for (unsigned k = 0; k < n; k++)
        tasks[k] = (struct task){ k % 2 ? odd : even, m, .threads = 1 + (int)(k + 1) % 3, .rows = rows };
    together(tasks, n);
    model_free(m);
}

START_TEST(sessions_share_a_model)
{
    run_tasks(network, 5, 7, infers, infers);
}
END_TEST

START_TEST(trainers_share_a_model)
{
    run_tasks(network, 4, 6, learns, learns);
}
END_TEST

START_TEST(sessions_and_trainers_share_a_model)
{
    run_tasks(network, 5, 5, learns, infers);
}
END_TEST

START_TEST(slices_share_a_model)
{
    run_tasks(sliced_network, 3, 9, infers, infers);
    ck_assert(tasks[0].sliced);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("threads");

    add_test(s, sessions_share_a_model);
    add_test(s, trainers_share_a_model);
    add_test(s, sessions_and_trainers_share_a_model);
    add_test(s, slices_share_a_model);
    return s;
}
