/* What the library does where a call of the system fails: every allocation and every call that opens, reads, writes ...
 * is the one, in turn, for whatever is done with a model. It must end with the status of the reason, or do what it does
 * without; give everything back; and leave the file that was there as it was, or the new one. */
#include "data/dataset.h"
#include "kiln.h"
#include "model/model.h"
#include "scratch.h"
#include "train/fit.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/random.h>

/* -- the system, as the library sees it here -- */

/* What is asked of the system: what is left in errno, and the status that may come of it (OK: nothing may). */
#define SERVICES(X)                                                                                                    \
    X(ALLOCATE, ENOMEM, KILN_NO_MEMORY)                                                                                \
    X(PAGES, ENOMEM, KILN_NO_MEMORY)                                                                                   \
    X(OPEN, EMFILE, KILN_IO)                                                                                           \
    X(READ, EIO, KILN_IO)                                                                                              \
    X(WRITE, ENOSPC, KILN_IO)                                                                                          \
    X(SYNC, EIO, KILN_IO)                                                                                              \
    X(NAME, EIO, KILN_IO)                                                                                              \
    X(REMOVE, EIO, KILN_IO)                                                                                            \
    X(CLOSE, EIO, KILN_IO)                                                                                             \
    X(LOOK, EIO, KILN_IO)                                                                                              \
    X(CHANGE, EIO, KILN_IO)                                                                                            \
    X(DRAW, ENOSYS, KILN_IO)                                                                                           \
    X(THREAD, EAGAIN, KILN_OK)                                                                                         \
    X(ADVISE, EINVAL, KILN_OK)

#define X(service, error, status) service,
enum service { SERVICES(X) SERVICE_COUNT };
#undef X
#define X(service, error, status) { #service, error, status },
static const struct {
    const char *name;
    int error;
    kiln_status status;
} services[] = { SERVICES(X) };
#undef X

static bool watched; /* the library is at work, not the test */
static enum service fails;
static int64_t fails_at = -1; /* the call that fails, counted from 0; -1: none */
static bool from_then_on;     /* and all that follow */
static int64_t calls[SERVICE_COUNT], held;

static bool goes_wrong(enum service service)
{
    int64_t n;

    if (!watched)
        return false;
    n = __atomic_fetch_add(&calls[service], 1, __ATOMIC_RELAXED);
    if (service != fails || fails_at < 0 || (from_then_on ? n < fails_at : n != fails_at))
        return false;
    errno = services[service].error;
    return true;
}

static void *had(void *p)
{
    if (watched && p)
        held++;
    return p;
}

#define CALL(service, failed, type, name, parameters, arguments)                                                       \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return goes_wrong(service) ? failed : __real_##name arguments;                                                 \
    }
/* Under both of its names: files beyond 2 GiB have one of their own. */
#define CALLS(service, failed, type, name, parameters, arguments)                                                      \
    CALL(service, failed, type, name, parameters, arguments)                                                           \
    CALL(service, failed, type, name##64, parameters, arguments)

CALL(ALLOCATE, NULL, void *, malloc, (size_t size), (size))
CALL(ALLOCATE, NULL, void *, calloc, (size_t n, size_t size), (n, size))
CALL(ALLOCATE, NULL, void *, realloc, (void *p, size_t size), (p, size))
CALLS(PAGES, MAP_FAILED, void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t o),
      (p, n, prot, flags, fd, o))
CALLS(OPEN, -1, int, open, (const char *path, int flags, ...), (path, flags, 0666))
CALLS(OPEN, -1, int, openat, (int at, const char *path, int flags, ...), (at, path, flags, 0666))
CALL(READ, -1, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
CALLS(READ, -1, ssize_t, pread, (int fd, void *p, size_t n, off_t o), (fd, p, n, o))
CALL(WRITE, -1, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
CALLS(WRITE, -1, ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o))
CALL(SYNC, -1, int, fsync, (int fd), (fd))
CALL(NAME, -1, int, renameat, (int x, const char *a, int y, const char *b), (x, a, y, b))
CALL(NAME, -1, int, linkat, (int x, const char *a, int y, const char *b, int flags), (x, a, y, b, flags))
CALL(REMOVE, -1, int, unlinkat, (int at, const char *path, int flags), (at, path, flags))
CALLS(LOOK, -1, int, stat, (const char *path, void *s), (path, s))
CALLS(LOOK, -1, int, lstat, (const char *path, void *s), (path, s))
CALLS(LOOK, -1, int, fstat, (int fd, void *s), (fd, s))
CALLS(LOOK, -1, int, fstatat, (int at, const char *path, void *s, int flags), (at, path, s, flags))
CALL(LOOK, -1, int, access, (const char *path, int mode), (path, mode))
CALL(LOOK, NULL, char *, realpath, (const char *path, char *out), (path, out))
CALL(CHANGE, -1, int, fchmod, (int fd, mode_t mode), (fd, mode))
CALLS(CHANGE, -1, int, ftruncate, (int fd, off_t size), (fd, size))
CALL(DRAW, -1, ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
CALL(THREAD, EAGAIN, int, pthread_create, (pthread_t * t, const pthread_attr_t *a, void *(*f)(void *), void *x),
     (t, a, f, x))
CALL(ADVISE, EINVAL, int, pthread_setaffinity_np, (pthread_t t, size_t n, const cpu_set_t *set), (t, n, set))
CALL(ADVISE, -1, int, sched_getaffinity, (pid_t pid, size_t n, cpu_set_t *set), (pid, n, set))
CALL(ADVISE, -1, int, madvise, (void *p, size_t n, int advice), (p, n, advice))

/* The library's one way to have memory, and to give it back. */
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return goes_wrong(ALLOCATE) ? NULL : had(__real_aligned_alloc(alignment, size));
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
    if (watched && p)
        held--;
    __real_free(p);
}

/* It closes all the same, as on Linux. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    const bool wrong = goes_wrong(CLOSE);
    const int result = __real_close(fd);

    if (wrong)
        errno = services[CLOSE].error;
    return wrong ? -1 : result;
}

/* -- what is worked on -- */

#define HEAD "<ir_version: 8, opset_import: [\"\": 18]> "

/* Doubles, a branch, a loop, a function, sizes that only running can tell, constants to be folded, data beside it. */
static const char everything[] =
    "<ir_version: 8, opset_import: [\"\": 17, \"my\": 1]> g (float[N,4] x, bool c) => (double[N,4] y, float s, "
    "int64[2,K] n) <double[4,4] w = [\"location\": \"w.bin\", \"offset\": \"8\"], float[4] one = {1,1,1,1},"
    " float[4] two = {2,2,2,2}> { k = Add(one, two) a = my.twice(x) b = Mul(a, k)"
    " d = If(c) <then_branch = t () => (float r) { r = Relu(b) }, else_branch = e () => (float q) { q = Neg(b) }>"
    " h = Shape(d) f = Reshape(d, h) z = Cast <to = 11> (f) y = MatMul(z, w) n = NonZero(d)"
    " trips = Constant <value = int64 {3}> () go = Constant <value = bool {1}> ()"
    " zero = Constant <value = float {0}> () s = Loop(trips, go, zero) <body = l (int64 i, bool on, float v) =>"
    " (bool still, float u) { still = Identity(on) j = Cast <to = 1> (i) u = Add(v, j) }> }"
    " <domain: \"my\", opset_import: [\"\": 17]> twice (p) => (q) { q = Add(p, p) }";

#define LEARNS                                                                                                         \
    " { a = Conv <pads = [1,1,1,1]> (x, w) b = BatchNormalization(a, gamma, beta, mean, var) r = Relu(b)"              \
    " p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (r) f = Flatten(p) d = Dropout(f) l = MatMul(d, v)"          \
    " y = Softmax(l) }"
static const char learner[] =
    HEAD "g (float[N,1,4,4] x) => (float[N,3] y) <float[2,1,3,3] w = {1,2,3,4,5,6,7,8,9,9,8,7,6,5,4,3,2,1},"
         " float[2] gamma = {1,1}, float[2] beta = {0,0}, float[2] mean = {0,0}, float[2] var = {1,1},"
         " float[8,3] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}>" LEARNS;
static const char drawn[] = HEAD "g (float[N,1,4,4] x, float[2,1,3,3] w, float[2] gamma, float[2] beta, float[2] mean,"
                                 " float[2] var, float[8,3] v) => (float[N,3] y)" LEARNS;
static const char export[] =
    HEAD "g (float[N,1,4,4] x) => (float[N,3] y) <float[2,1,3,3] w = {1,-2,3,-1,2,-3,1,2,3,3,2,1,1,1,1,-1,2,-3},"
         " float[1,2,1,1] m = {0.5,2}, float[1,2,1,1] s = {0.1,-0.1},"
         " float[8,3] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6}>"
         " { a = Conv(x, w) b = Mul(a, m) c = Add(b, s) r = Relu(c) f = Flatten(r) l = MatMul(f, v) y = Softmax(l) }";

static const char grafted[] = HEAD "h (float[N,8] d, float[8,4] v, float[4,3] w) => (float[N,3] p)"
                                   " { a = MatMul(d, v) r = my.twice(a) l = MatMul(r, w) p = Softmax(l) }"
                                   " <domain: \"my\", opset_import: [\"\": 17]> twice (p) => (q) { q = Add(p, p) }";

enum { SAMPLES = 10, PIXELS = 16 };
static const char odd[] = "<ir_version: 8, opset_import: [\"\": 17, \"nobody\": 1]> g (float[N,2] x) => (float[N,2] y)"
                          "<float[2] w = {1, 2}> { h = nobody.Strange(x) i = nobody.Strange(h) y = Mul(i, w) }";
static const char old[] = "what was there before";

static void enter(void)
{
    static double w[17] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 2 };
    char csv[4096];
    size_t n = 0;

    enter_scratch();
    put_file("everything.onnxtxt", everything, sizeof everything - 1);
    put_file("w.bin", w, sizeof w);
    put_file("learner.onnxtxt", learner, sizeof learner - 1);
    put_file("drawn.onnxtxt", drawn, sizeof drawn - 1);
    put_file("export.onnxtxt", export, sizeof export - 1);
    put_file("head.onnxtxt", grafted, sizeof grafted - 1);
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < PIXELS; k++)
            n += (size_t)snprintf(csv + n, sizeof csv - n, "%d.5,", (i * 7 + k * 3) % 11);
        n += (size_t)snprintf(csv + n, sizeof csv - n, "%d\n", i % 3);
    }
    put_file("data.csv", csv, n);
    put_file("odd.onnxtxt", odd, sizeof odd - 1);
    put_file("out.onnx", old, sizeof old - 1);
}

/* -- what is done with it -- */

static size_t memory;   /* that may be used; 0: no limit */
static int threads = 1; /* more only where their start is what fails: they wait for each other, which takes time */
static kiln_error err;  /* of what failed */
static uint64_t result; /* stands for all that came out */

/* FNV-1a. */
static void came_out(const void *bytes, size_t size)
{
    for (size_t k = 0; k < size; k++)
        result = (result ^ ((const uint8_t *)bytes)[k]) * 0x100000001b3;
}

static kiln_status open_model(kiln_model **m, const char *path)
{
    const kiln_load_options o = { .size = sizeof o, .memory = memory };

    return kiln_model_open(m, path, &o, &err);
}

static kiln_status run_once(kiln_session *s, int64_t rows, bool c)
{
    static const char *const names[] = { "x", "c" };
    float x[16] = { 1, -2, 3, -4, 5 };
    kiln_tensor *t[2] = { 0 };
    kiln_status status = kiln_tensor_new(&t[0], KILN_FLOAT, 2, (int64_t[]){ rows, 4 }, x, &err);

    if (!status)
        status = kiln_tensor_wrap(&t[1], KILN_BOOL, 0, NULL, &c, 1, &err);
    if (!status)
        status = kiln_session_run(s, 2, names, (const kiln_tensor *const *)t, &err);
    for (size_t k = 0; k < 3 && !status; k++) {
        const kiln_tensor *y = kiln_session_output(s, k);

        came_out(kiln_tensor_data(y), kiln_tensor_bytes(y));
    }
    kiln_tensor_free(t[0]);
    kiln_tensor_free(t[1]);
    return status;
}

static kiln_status run_everything(void)
{
    const kiln_session_options o = { .size = sizeof o, .threads = threads, .memory = memory };
    kiln_model *m = NULL;
    kiln_session *s = NULL;
    kiln_status status = open_model(&m, "everything.onnxtxt");

    if (!status)
        status = kiln_session_new(&s, m, &o, &err);
    for (int64_t k = 0; k < 4 && !status; k++) /* shapes that are met for the first time, and again */
        status = run_once(s, 2 + k % 3, k < 2);
    kiln_session_free(s);
    kiln_model_free(m);
    return status;
}

static kiln_status save_everything(void)
{
    kiln_model *m = NULL;
    kiln_status status = open_model(&m, "everything.onnxtxt");

    if (!status)
        status = kiln_model_save(m, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_model_free(m);
    return status;
}

static kiln_status draw(void)
{
    kiln_model *m = NULL, *made = NULL;
    kiln_status status = open_model(&m, "drawn.onnxtxt");

    if (!status)
        status = kiln_model_initialize(&made, m, 7, false, NULL, &err);
    if (!status)
        status = kiln_model_save(made, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_model_free(made);
    kiln_model_free(m);
    return status;
}

enum { BATCH = 64 }; /* enough for threads to be wanted */

/* A step, or only the score. */
static kiln_status learn_from(kiln_trainer *t, int64_t samples, bool learn)
{
    float x[BATCH * PIXELS] = { 1, 2, 3, 4, 5 };
    int64_t y[BATCH] = { 0, 2, 1, 1 };
    kiln_tensor *a = NULL, *b = NULL;
    kiln_score score = { 0 };
    kiln_status status = kiln_tensor_new(&a, KILN_FLOAT, 4, (int64_t[]){ samples, 1, 4, 4 }, x, &err);

    if (!status)
        status = kiln_tensor_new(&b, KILN_INT64, 1, &samples, y, &err);
    if (!status)
        status = (learn ? kiln_trainer_step : kiln_trainer_score)(t, a, b, &score, &err);
    if (!status)
        came_out(&score.loss, sizeof score.loss);
    kiln_tensor_free(a);
    kiln_tensor_free(b);
    return status;
}

static kiln_status train_and_save(void)
{
    const kiln_trainer_options o = { .size = sizeof o, .threads = threads, .memory = memory };
    kiln_model *m = NULL, *out = NULL;
    kiln_trainer *t = NULL;
    kiln_status status = open_model(&m, "learner.onnxtxt");

    if (!status)
        status = kiln_trainer_new(&t, m, &o, &err);
    kiln_model_free(m);
    for (int64_t k = 0; k < 3 && !status; k++)
        status = learn_from(t, k == 2 ? 2 : BATCH, true);
    if (!status)
        status = learn_from(t, 3, false);
    if (!status)
        status = kiln_trainer_export(&out, t, &err);
    if (!status)
        status = kiln_model_save(out, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_trainer_free(t);
    kiln_model_free(out);
    return status;
}

/* A step as a file: all of it, or with the standard's Gradient. */
static kiln_status write_step(bool lower)
{
    const kiln_trainer_options o = { .size = sizeof o, .threads = threads, .memory = memory, .optimizer = "adam" };
    kiln_model *m = NULL, *out = NULL;
    kiln_trainer *t = NULL;
    kiln_status status = open_model(&m, "learner.onnxtxt");

    if (!status)
        status = kiln_trainer_new(&t, m, &o, &err);
    kiln_model_free(m);
    if (!status)
        status = lower ? kiln_trainer_lower(&out, t, 2, &err) : kiln_trainer_describe(&out, t, &err);
    if (!status)
        status = kiln_model_save(out, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_trainer_free(t);
    kiln_model_free(out);
    return status;
}

static kiln_status lower_and_save(void)
{
    return write_step(true);
}

static kiln_status describe_and_save(void)
{
    return write_step(false);
}

/* What a training with data has, made with one context. */
struct fitting {
    kiln_context *context;
    kiln_model *model;
    kiln_dataset *data, *train, *check, *scaled_train, *scaled_check;
    kiln_trainer *trainer;
    bool unsaved; /* the error is that of saving */
};

static bool save_best(void *user, const kiln_epoch *e)
{
    struct fitting *f = user;

    f->unsaved = e->best && kiln_trainer_save(f->trainer, "out.onnx", KILN_FORM_BY_NAME, &err) != KILN_OK;
    return !f->unsaved;
}

static kiln_status fit(struct fitting *f)
{
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    kiln_status status;
    double values[8];
    kiln_error why;
    int64_t ran;

    o.validation = f->scaled_check;
    o.batch = 4;
    o.epochs = 2;
    o.seed = 3;
    o.best = "val_loss";
    o.epoch = save_best;
    o.user = f;
    status = kiln_trainer_fit(f->trainer, f->scaled_train, &o, &ran, &why);
    if (f->unsaved)
        return err.code;
    err = why;
    return status ? status : kiln_trainer_evaluate(f->trainer, f->scaled_check, 4, values, &err);
}

static kiln_status start_fitting(struct fitting *f)
{
    const kiln_context_options co = { .size = sizeof co, .threads = threads, .memory = memory };
    kiln_load_options lo = KILN_LOAD_OPTIONS_INIT;
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    kiln_trainer_options to = KILN_TRAINER_OPTIONS_INIT;
    kiln_status status = kiln_context_new(&f->context, &co, &err);

    lo.context = d.context = to.context = f->context;
    if (!status)
        status = kiln_model_open(&f->model, "learner.onnxtxt", &lo, &err);
    d.model = f->model;
    if (!status)
        status = kiln_dataset_open(&f->data, "csv:data.csv", &d, &err);
    if (!status)
        status = kiln_dataset_split(&f->train, &f->check, f->data, .3, &err);
    if (!status)
        status = kiln_dataset_normalize(&f->scaled_train, f->train, "standardize", NULL, &err);
    if (!status)
        status = kiln_dataset_normalize(&f->scaled_check, f->check, "standardize", f->train, &err);
    to.data = f->scaled_train;
    to.optimizer = "sgd:learning_rate=0.01,momentum=0.9";
    return status ? status : kiln_trainer_new(&f->trainer, f->model, &to, &err);
}

static kiln_status fit_and_save_best(void)
{
    struct fitting f = { 0 };
    kiln_status status = start_fitting(&f);

    if (!status)
        status = fit(&f);
    kiln_context_free(f.context);
    kiln_trainer_free(f.trainer);
    kiln_dataset_free(f.scaled_check);
    kiln_dataset_free(f.scaled_train);
    kiln_dataset_free(f.check);
    kiln_dataset_free(f.train);
    kiln_dataset_free(f.data);
    kiln_model_free(f.model);
    return status;
}

static bool put(void *user, const void *bytes, size_t count)
{
    (void)user;
    came_out(bytes, count);
    return true;
}

/* What is told of a model that is not supported, and of one that is, and a changed copy. */
static kiln_status look_and_edit(void)
{
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    const kiln_edit_options e = { .size = sizeof e,
                                  .metadata_count = 1,
                                  .metadata_keys = (const char *const[]){ "key" },
                                  .metadata_values = (const char *const[]){ "value" } };
    kiln_model *partial = NULL, *m = NULL, *made = NULL;
    kiln_summary *of_partial = NULL, *s = NULL;
    kiln_gradients *g = NULL;
    kiln_status status;

    o.memory = memory;
    o.partial = true;
    status = kiln_model_open(&partial, "odd.onnxtxt", &o, &err);
    if (!status)
        status = kiln_summary_new(&of_partial, partial, &err);
    if (!status)
        status = kiln_summary_write_json(of_partial, put, NULL, &err);
    if (!status)
        status = open_model(&m, "learner.onnxtxt");
    if (!status)
        status = kiln_summary_new(&s, m, &err);
    if (!status)
        status = kiln_summary_write_dot(s, put, NULL, &err);
    if (!status)
        status = kiln_gradients_new(&g, m, NULL, 4, &err);
    if (!status)
        status = kiln_gradients_write_json(g, put, NULL, &err);
    if (!status)
        status = kiln_model_edit(&made, m, &e, &err);
    if (!status)
        status = kiln_model_write(made, KILN_FORM_TEXT, put, NULL, &err);
    if (!status)
        status = kiln_model_save(made, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_summary_free(of_partial);
    kiln_summary_free(s);
    kiln_gradients_free(g);
    kiln_model_free(partial);
    kiln_model_free(m);
    kiln_model_free(made);
    return status;
}

static kiln_status replace_and_save(const char *head, int64_t classes)
{
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_model *m = NULL, *h = NULL, *made = NULL;
    kiln_adaptation *found = NULL;
    kiln_status status = open_model(&m, "learner.onnxtxt");

    if (!status && head)
        status = open_model(&h, head);
    o.head = h;
    o.classes = classes;
    o.memory = memory;
    if (!status)
        status = kiln_adapt(&made, &found, m, &o, &err);
    if (!status)
        status = kiln_model_save(made, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_adaptation_free(found);
    kiln_model_free(made);
    kiln_model_free(h);
    kiln_model_free(m);
    return status;
}

static kiln_status replace_by_classes(void)
{
    return replace_and_save(NULL, 5);
}

static kiln_status replace_by_graft(void)
{
    return replace_and_save("head.onnxtxt", 0);
}

static kiln_status adapt_and_save(void)
{
    kiln_adapt_options o = KILN_ADAPT_OPTIONS_INIT;
    kiln_data_options d = KILN_DATA_OPTIONS_INIT;
    kiln_adaptation *found = NULL;
    kiln_model *m = NULL, *made = NULL;
    kiln_dataset *data = NULL;
    kiln_status status = kiln_model_open(&m, "export.onnxtxt", NULL, &err);

    d.memory = o.memory = memory;
    if (!status)
        status = kiln_dataset_open(&data, "csv:data.csv", &d, &err);
    o.data = data;
    if (!status)
        status = kiln_adapt(&made, &found, m, &o, &err);
    if (!status)
        status = kiln_model_save(made, "out.onnx", KILN_FORM_BY_NAME, &err);
    kiln_adaptation_free(found);
    kiln_dataset_free(data);
    kiln_model_free(made);
    kiln_model_free(m);
    return status;
}

/* -- and what must be so -- */

static const struct act {
    const char *name;
    kiln_status (*run)(void);
    bool limits; /* it takes `memory` */
} acts[] = {
    { "run", run_everything, true },   { "save", save_everything, true },       { "draw", draw, true },
    { "train", train_and_save, true }, { "fit", fit_and_save_best, true },      { "look", look_and_edit, true },
    { "adapt", adapt_and_save, true }, { "classes", replace_by_classes, true }, { "graft", replace_by_graft, true },
    { "lower", lower_and_save, true }, { "describe", describe_and_save, true },
};
enum { ACTS = sizeof acts / sizeof *acts };

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static uint64_t hash_of_file(const char *path)
{
    uint64_t h = 0xcbf29ce484222325;
    FILE *f = fopen(path, "rb");
    int c;

    ck_assert_msg(f, "%s is gone", path);
    while ((c = getc(f)) != EOF)
        h = (h ^ (uint64_t)c) * 0x100000001b3;
    fclose(f);
    return h;
}

/* What a run without a fault gives. */
static struct {
    int64_t calls[SERVICE_COUNT];
    uint64_t result, old, file;
} reference;

static kiln_status act_once(const struct act *a)
{
    const int files = entries("."), descriptors = entries("/proc/self/fd");
    kiln_status status;

    memset(calls, 0, sizeof calls);
    err = (kiln_error){ 0 };
    result = 0;
    held = 0;
    watched = true;
    status = a->run();
    watched = false;
    ck_assert_int_eq(status, err.code);
    ck_assert_msg(held == 0, "%s ended with %d, %s: %lld allocations are left", a->name, status, err.message,
                  (long long)held);
    ck_assert_uint_eq(budget.used, 0);
    ck_assert_int_eq(entries("/proc/self/fd"), descriptors);
    if (fails != REMOVE || fails_at < 0)
        ck_assert_msg(entries(".") == files, "%s left a file, ended with %d, %s", a->name, status, err.message);
    return status;
}

static void take_reference(const struct act *a)
{
    fails_at = -1;
    ck_assert_msg(act_once(a) == KILN_OK, "%s: %s: %s", a->name, err.where, err.message);
    memcpy(reference.calls, calls, sizeof calls);
    reference.result = result;
    reference.file = hash_of_file("out.onnx");
    put_file("out.onnx", old, sizeof old - 1);
    reference.old = hash_of_file("out.onnx");
}

/* A whole model: one that validation found best on the way, or one with its weights brought in, where nothing tells
 * that they lie in the same directory. */
static bool is_model(const char *path)
{
    struct report r = { 0 };
    struct model *m = model_read(path, NULL, &r);
    const bool ok = m && model_build(m, &r);

    model_free(m);
    return ok;
}

static void check_file(const struct act *a, kiln_status status)
{
    const uint64_t file = hash_of_file("out.onnx");

    ck_assert_msg(file == reference.file || (status != KILN_OK && file == reference.old) ||
                      ((a->run == fit_and_save_best || fails == LOOK) && is_model("out.onnx")),
                  "%s ended with %d, %s, and the file is neither the old nor the new one", a->name, status,
                  err.message);
    if (file != reference.old)
        put_file("out.onnx", old, sizeof old - 1);
}

static void fail_at(const struct act *a, enum service service, int64_t at, bool on)
{
    kiln_status status;

    fails = service;
    fails_at = at;
    from_then_on = on;
    status = act_once(a);
    fails_at = -1;
    ck_assert_msg(status == KILN_OK || status == services[service].status, "%s, %s %lld of %lld%s: %s (%d): %s",
                  a->name, services[service].name, (long long)at, (long long)reference.calls[service],
                  on ? " and all after it" : "", err.where, status, err.message);
    if (status == KILN_OK)
        ck_assert_msg(result == reference.result, "%s, %s %lld: another result", a->name, services[service].name,
                      (long long)at);
    check_file(a, status);
}

START_TEST(each_call_may_fail)
{
    enum { MOST = 1000 };
    const struct act *const a = &acts[_i % ACTS];
    const enum service service = (enum service)(_i / ACTS);
    int64_t n, step;

    threads = service == THREAD || service == ADVISE ? 2 : 1;
    take_reference(a);
    n = reference.calls[service];
    step = 1 + n / ROUNDS(MOST);
    for (int64_t k = 0; k < n; k += step)
        fail_at(a, service, k, false);
    for (int64_t k = 0; k < n; k += 1 + n / 30)
        fail_at(a, service, k, true);
}
END_TEST

/* The same for a limit: from next to nothing to what is enough. */
START_TEST(each_limit_may_be_too_low)
{
    const struct act *const a = &acts[_i];
    kiln_status status = KILN_LIMIT;

    if (!a->limits)
        return;
    take_reference(a);
    for (memory = 64; memory < 64 << 20; memory += memory / ROUNDS(24)) {
        status = act_once(a);
        ck_assert_msg(status == KILN_OK || status == KILN_LIMIT, "%s with %zu bytes: %s (%d): %s", a->name, memory,
                      err.where, status, err.message);
        if (status == KILN_OK)
            ck_assert_uint_eq(result, reference.result);
        check_file(a, status);
    }
    ck_assert_int_eq(status, KILN_OK);
}
END_TEST

/* The tests above are worth something only where there is something to fail. */
START_TEST(each_kind_is_called)
{
    static const enum service needed[] = { ALLOCATE, OPEN, READ, WRITE, SYNC, NAME, CLOSE, LOOK, THREAD, ADVISE };

    int64_t all[SERVICE_COUNT] = { 0 };

    threads = 2;
    for (size_t a = 0; a < ACTS; a++) {
        take_reference(&acts[a]);
        for (int k = 0; k < SERVICE_COUNT; k++)
            all[k] += reference.calls[k];
    }
    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
        ck_assert_msg(all[needed[k]] > 0, "%s is never called", services[needed[k]].name);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("faults");

    add_tests_between(s, enter, leave_scratch, each_call_may_fail, ACTS * SERVICE_COUNT);
    add_tests_between(s, enter, leave_scratch, each_limit_may_be_too_low, ACTS);
    add_test_between(s, enter, leave_scratch, each_kind_is_called);
    return s;
}
