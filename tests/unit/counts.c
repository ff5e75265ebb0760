/* Counts in place of times: how many steps a program has, how many bytes its arena, and that a step allocates nothing.
 * What a change of a pass, an operator or the planner does to real networks shows here. The numbers are exact; where
 * one changes for a reason, KILN_COUNTS=1 makes this program print its table anew. */
#include "base/cpu.h"
#include "base/random.h"
#include "run/session.h"
#include "train/initialise.h"
#include "train/trainer.h"
#include "train/training_program.h"
#include "unit.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct row {
    const char *model; /* below models/ */
    int64_t batch;
    const char *optimizer;                /* NULL: inference */
    int64_t steps, bytes[CPU_AVX512 + 1]; /* by the level of the CPU: scratch depends on it. 0: what BLIS
                                           * has for the CPU decides */
};

static const struct row rows[] = {
    { "cifar10_convnet/bn_before.onnxtxt", 250, "adam", 33, { 56467392, 56467392, 56467392 } },
    { "cifar100_vgg/relu_bn.onnxtxt", 80, "rmsprop", 60, { 105600256, 105600256, 105600256 } },
    { "fashion_cnn/bn.onnxtxt", 64, "adam", 31, { 13108416, 13108416, 13108416 } },
    { "mnist_mlp/bn_after.onnxtxt", 32, "sgd", 22, { 0, 1362176, 1362176 } },
    { "sigmoid_mlp/bn.onnxtxt", 60, "rmsprop", 26, { 0, 428544, 428544 } },
    { "cifar100_vgg/keras.onnx", 4, NULL, 17, { 2528512, 2565376, 2565376 } },
    { "fashion_cnn/keras.onnx", 32, NULL, 13, { 2949120, 2949120, 2949120 } },
    { "mnist_mlp/keras.onnx", 1, NULL, 6, { 11328, 11328, 11328 } },
};
enum { ROWS = sizeof rows / sizeof *rows, LEVELS = CPU_AVX512 + 1, THREADS = 2 };

static const char *const levels[LEVELS] = { "base", "avx2", "avx512" };

/* -- allocations -- */

static int allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset);

static void count(void)
{
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
}

void *__wrap_malloc(size_t size)
{
    count();
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    count();
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    count();
    return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    count();
    return __real_mmap64(at, size, protection, flags, fd, offset);
}

/* -- what is run -- */

struct trial {
    const struct row *row;
    struct budget budget;
    struct arena arena;
    struct report report;
    struct model *model;
    struct session *session;
    struct trainer *trainer;
    struct tensor x, y;
};

static void ok(struct trial *t, bool is)
{
    ck_assert_msg(is && !failed(&t->report), "%s: %s: %s", t->row->model, t->report.error.where,
                  t->report.error.message);
}

static void fill(struct trial *t, struct tensor *x)
{
    x->dims[0] = t->row->batch;
    x->data = arena_alloc(&t->arena, (size_t)tensor_bytes(x), &t->report);
    ok(t, x->data);
    if (x->dtype == F32)
        random_uniform(x->data, tensor_count(x), 1, 0, 0);
}

static void open_model(struct trial *t)
{
    const struct initialise_options o = { 0 };
    char path[4096];
    struct model *m;
    size_t drawn;

    snprintf(path, sizeof path, PROJECT "/models/%s", t->row->model);
    m = model_read(path, NULL, &t->report);
    ok(t, m && model_build(m, &t->report));
    t->model = m;
    if (!model_missing_values(m))
        return;
    t->model = model_initialise(m, &o, &drawn, &t->report);
    ok(t, t->model && model_build(t->model, &t->report));
    model_free(m);
}

static void start(struct trial *t, const struct row *row)
{
    *t = (struct trial){ .row = row };
    t->arena.budget = &t->budget;
    open_model(t);
    if (row->optimizer) {
        const struct trainer_options o = { .threads = THREADS, .optimizer = row->optimizer };

        t->trainer = trainer_new(t->model, &o, &t->report);
        ok(t, t->trainer);
        t->x = t->trainer->x[0];
        t->y = t->trainer->targets->y;
        fill(t, &t->x);
        fill(t, &t->y);
    } else {
        const struct session_options o = { .threads = THREADS };

        t->session = session_new(t->model->graph, &o, &t->report);
        ok(t, t->session);
        t->x = t->model->graph->inputs[0]->type;
        fill(t, &t->x);
        ok(t, session_set(t->session, t->model->graph->inputs[0], &t->x, &t->report));
    }
}

static bool step(struct trial *t) /* Check's assertions allocate: the caller looks at the result */
{
    float result;

    return t->trainer ? trainer_step(t->trainer, &t->x, &t->y, &result, &t->report)
                      : session_run(t->session, &t->report);
}

static const struct program *program_of(const struct trial *t)
{
    return frame_program(t->trainer ? t->trainer->latest->frame : t->session->frame);
}

static void finish(struct trial *t)
{
    trainer_free(t->trainer);
    session_free(t->session);
    model_free(t->model);
    arena_release(&t->arena);
}

/* -- forgotten weights -- */

static void run_batch(struct trial *t, int64_t batch, float *out)
{
    const struct tensor *y;

    t->x.dims[0] = batch;
    ok(t, session_set(t->session, t->model->graph->inputs[0], &t->x, &t->report) && step(t));
    y = session_output(t->session, 0);
    memcpy(out, y->data, (size_t)(tensor_bytes(y) / batch)); /* of the first sample */
}

/* After its first run a session gives back what nobody reads any more, and makes it anew for other shapes. */
START_TEST(later_runs_give_the_same)
{
    enum { MOST = 1000 };
    float first[MOST] = { 0 }, later[MOST] = { 0 }, half[MOST] = { 0 }, again[MOST] = { 0 };
    const struct row *row = &rows[_i];
    struct trial t;

    if (row->optimizer)
        return;
    start(&t, row);
    run_batch(&t, row->batch, first);
    for (int k = 0; k < 3; k++) {
        run_batch(&t, row->batch, later);
        ck_assert_mem_eq(first, later, sizeof first);
    }
    if (row->batch > 1) {
        run_batch(&t, row->batch / 2, half);
        run_batch(&t, row->batch / 2, again);
        ck_assert_mem_eq(half, again, sizeof half);
        for (int k = 0; k < MOST; k++)
            ck_assert_float_le(fabsf(half[k] - first[k]), 1e-5f);
        run_batch(&t, row->batch, later);
        ck_assert_mem_eq(first, later, sizeof first);
    }
    finish(&t);
}
END_TEST

/* -- the tests -- */

START_TEST(a_step_allocates_nothing)
{
    struct trial t;
    int found;
    bool done;

    start(&t, &rows[_i]);
    ok(&t, step(&t) && step(&t));
    allocations = 0;
    done = step(&t);
    found = allocations;
    ok(&t, done);
    ck_assert_msg(!found, "%s: %d allocations in a step", rows[_i].model, found);
    finish(&t);
}
END_TEST

START_TEST(a_program_is_as_long_and_as_large_as_it_was)
{
    const struct row *row = &rows[_i / LEVELS];
    const int level = _i % LEVELS;
    const struct program *p;
    struct trial t;

    setenv("KILN_ISA", levels[level], 1); /* a process of its own, which has not looked yet */
    if ((int)cpu_level() != level)
        return;
    start(&t, row);
    ok(&t, step(&t));
    p = program_of(&t);
    if (getenv("KILN_COUNTS"))
        fprintf(stderr, "%s %s: %zu steps, %lld bytes\n", row->model, levels[level], p->step_count,
                (long long)p->arena_bytes);
    else if (row->steps) {
        ck_assert_msg((int64_t)p->step_count == row->steps, "%s: %zu steps, were %lld", row->model, p->step_count,
                      (long long)row->steps);
        ck_assert_msg(!row->bytes[level] || p->arena_bytes == row->bytes[level],
                      "%s, %s: an arena of %lld bytes, were %lld", row->model, levels[level], (long long)p->arena_bytes,
                      (long long)row->bytes[level]);
    }
    finish(&t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("counts");

    add_tests(s, a_step_allocates_nothing, ROWS);
    add_tests(s, later_runs_give_the_same, ROWS);
    add_tests(s, a_program_is_as_long_and_as_large_as_it_was, ROWS * LEVELS);
    return s;
}
