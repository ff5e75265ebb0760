/* Parity with Keras, from identical states (tests/keras/README.md says what is compared and how the states are
 * made). */
#include "data/npz.h"
#include "generator.h"
#include "learning.h"
#include "scratch.h"
#include "train/edit.h"
#include "train/initialise.h"
#include "train/trainer.h"
#include "unit.h"
#include <math.h>

enum { STATES = 20, STEPS = 100, BUCKETS = 256, SIZE = 128 };

/* -- the generator -- */

static void make_batch(float *image, int64_t *label, const char *network, const char *key, const int64_t *batch,
                       const double *pixel)
{
    const uint64_t prototype = key_of("%s/prototype", network), noise = key_of("%s/image", key),
                   of = key_of("%s/label", key);
    const int64_t n = batch[0], c = batch[1], h = batch[2], w = batch[3];
    int64_t at = 0;

    for (int64_t i = 0; i < n; i++) {
        label[i] = (int64_t)((hash(of, i) >> 33) % (uint64_t)batch[4]);
        for (int64_t channel = 0; channel < c; channel++)
            for (int64_t y = 0; y < h; y++)
                for (int64_t x = 0; x < w; x++, at++) {
                    const int64_t block = ((label[i] * c + channel) * (h / 4) + y / 4) * (w / 4) + x / 4;
                    const uint64_t p = (hash(prototype, block) >> 56) + (hash(noise, at) >> 56);

                    image[at] = ((float)(y < 4 && x < 4 ? 0 : p / 2) - (float)pixel[0]) / (float)pixel[1];
                }
    }
}

/* The elements themselves, or the sums of 256 random buckets with random signs. */
static int64_t sketch(float out[BUCKETS], const char *variable, const float *value, int64_t n)
{
    const uint64_t of = key_of("sketch/%s", variable);
    double sum[BUCKETS] = { 0 };

    for (int64_t i = 0; i < n; i++) {
        const uint64_t z = hash(of, i);

        if (n <= BUCKETS)
            sum[i] = (double)value[i];
        else
            sum[z & (BUCKETS - 1)] += z >> 63 ? -(double)value[i] : (double)value[i];
    }
    for (int k = 0; k < BUCKETS; k++)
        out[k] = (float)sum[k];
    return n < BUCKETS ? n : BUCKETS;
}

START_TEST(the_generator_is_that_of_the_dumps)
{
    const uint64_t s = stream("fashion_cnn.bn/4/conv1.weight");

    ck_assert(stream("") == 0xf52a15e9a9b5e89bu && stream("a") == 0x02c0bdbf481420f8u && s == 0x4b95736f6b126134u);
    ck_assert(hash(s, 0) == 0x1ac5f73cac755800u && hash(s, 3) == 0x1bc23f79ae739885u);
    ck_assert_double_eq_tol(uniform(s, 0), -0.790833592, 1e-9);
}
END_TEST

/* -- networks -- */

struct parity {
    const char *name;
    struct npz *file;
    struct trainer *trainer;
    struct tensor batch, pixel, x, y;
};

static struct tensor array(struct parity *p, const char *format, ...)
{
    struct tensor t;
    char name[256];
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    expect_ok(npz_read(&t, p->file, name, NULL, &report));
    return t;
}

static bool has(struct parity *p, const char *prefix, const char *variable)
{
    char name[256];

    snprintf(name, sizeof name, "%s/%s", prefix, variable);
    return npz_has(p->file, name);
}

static void drop(struct tensor *t)
{
    budget_free(&budget, t->data);
}

/* A rate of 0 turns Dropout off. */
static void stop_dropout(struct model *m)
{
    struct edit e;

    expect_ok(edit_begin(&e, m, &report));
    for (size_t k = 0; k < e.graph->n_node; k++)
        for (size_t c = 0; strcmp(e.graph->node[k]->op_type, "Dropout") == 0 && c < e.graph->n_node; c++)
            if (strcmp(e.graph->node[c]->output[0], e.graph->node[k]->input[1]) == 0)
                expect_ok(edit_set_float(&e, e.graph->node[c], "value_float", 0));
    expect_ok(edit_end(&e));
}

static void open_network(struct parity *p, const char *file, const char *prefix, const char *optimizer, bool exact)
{
    const struct model_options limits = { .limits = SCAN_LIMITS_INIT };
    const struct initialise_options draw = { .seed = 1 };
    const struct trainer_options o = { .optimizer = optimizer, .threads = 2, .exact = exact, .keep_gradients = true };
    const size_t family = strcspn(p->name, ".");
    struct model *text, *m;
    char path[512];
    size_t drawn;

    snprintf(path, sizeof path, PROJECT "/models/%.*s/%s.onnxtxt", (int)family, p->name, p->name + family + 1);
    text = model_read(path, &limits, &report);
    expect_ok(text);
    stop_dropout(text);
    expect_ok(model_build(text, &report));
    m = model_initialise(text, &draw, &drawn, &report);
    expect_ok(m && model_build(m, &report));
    p->trainer = trainer_new(m, &o, &report);
    expect_ok(p->trainer);
    model_free(m);
    model_free(text);
    snprintf(path, sizeof path, PROJECT "/tests/keras/%s.npz", file);
    expect_ok(npz_open(&p->file, path, &budget, &report));
    p->batch = array(p, "%sbatch", prefix);
    p->pixel = array(p, "%spixel", prefix);
    p->x = p->trainer->x[0];
    p->y = p->trainer->targets->y;
    p->x.dims[0] = p->y.dims[0] = ((int64_t *)p->batch.data)[0];
    p->x.data = budget_alloc(&budget, (size_t)tensor_bytes(&p->x), &report);
    p->y.data = budget_alloc(&budget, (size_t)tensor_bytes(&p->y), &report);
    expect_ok(p->x.data && p->y.data);
}

static void close_network(struct parity *p)
{
    drop(&p->batch);
    drop(&p->pixel);
    drop(&p->x);
    drop(&p->y);
    npz_close(p->file);
    trainer_free(p->trainer);
    ck_assert_uint_eq(budget.used, 0);
}

/* What is generated for every variable of the network; the sum of all. */
static double set_state(struct parity *p, const char *key, const char *prefix, int row)
{
    double sum = 0;

    for (size_t s = 0; s < p->trainer->state_count; s++) {
        struct state *state = &p->trainer->states[s];
        const char *variable = state->parameter->value->name;
        struct tensor range = array(p, "%sgenerate/%s", prefix, variable);
        const double *r = (const double *)range.data + 2 * row;
        const uint64_t of = key_of("%s/%s", key, variable);
        float *to = state->value.data;

        for (int64_t i = 0; i < tensor_count(&state->value); i++) {
            to[i] = (float)(r[0] + r[1] * uniform(of, i));
            sum += (double)to[i];
        }
        drop(&range);
    }
    return sum;
}

/* -- one step -- */

/* Winograd's convolution rounds more coarsely than the states are away from the kinks of ReLU and MaxPool: an element
 * may be on the other side, which the gradient shows. */
static const struct one_step_case {
    const char *name;
    double gradient; /* the bound, of its length */
    bool exact;
} networks[] = { { "fashion_cnn.bn", 2e-3, true },
                 { "cifar10_convnet.bn_before", 2e-3, true },
                 { "cifar10_convnet.bn_before", 5e-2, false },
                 { "mnist_mlp.leaky", 1e-5, false },
                 { "mnist_mlp.bn_after", 1e-5, false },
                 { "sigmoid_mlp.bn", 1e-5, false },
                 { "cifar100_vgg.relu_bn", 2e-3, true },
                 { "cifar100_vgg.relu_bn", 5e-2, false } };

static double gradient_distance(struct parity *p, int k)
{
    double square = 0;

    for (size_t s = 0; s < p->trainer->trainable; s++) {
        const char *variable = p->trainer->states[s].parameter->value->name;
        const struct tensor *g = trainer_gradient(p->trainer, variable);
        float got[BUCKETS];
        struct tensor want;
        int64_t n;

        ck_assert_ptr_nonnull(g);
        if (!has(p, "gradient", variable)) /* a bias before BatchNormalization: rounding noise */
            continue;
        want = array(p, "gradient/%s", variable);
        n = sketch(got, variable, g->data, tensor_count(g));
        ck_assert_int_eq(want.dims[1], n);
        for (int64_t i = 0; i < n; i++)
            square += pow((double)got[i] - (double)((const float *)want.data)[k * n + i], 2);
        drop(&want);
    }
    return sqrt(square);
}

static double statistics_error(struct parity *p, int k)
{
    double most = 0;

    for (size_t s = p->trainer->trainable; s < p->trainer->state_count; s++) {
        const struct tensor *got = &p->trainer->states[s].value;
        const int64_t n = tensor_count(got);
        struct tensor want = array(p, "statistic/%s", p->trainer->states[s].parameter->value->name);

        for (int64_t i = 0; i < n; i++) {
            const double w = (double)((const float *)want.data)[k * n + i];

            most = fmax(most, fabs((double)((const float *)got->data)[i] - w) / fmax(1, fabs(w)));
        }
        drop(&want);
    }
    return most;
}

START_TEST(one_step_is_keras_step)
{
    const struct one_step_case *c = &networks[_i];
    struct parity p = { .name = c->name };
    struct tensor state, loss, norm, check;
    double worst[3] = { 0 };

    open_network(&p, c->name, "", "sgd", c->exact);
    state = array(&p, "state"), loss = array(&p, "loss"), norm = array(&p, "norm"), check = array(&p, "check");
    for (int k = 0; k < STATES; k++) {
        const double *want = (const double *)loss.data + 2 * k;
        float got;
        double sum, error[3];
        char key[128];

        snprintf(key, sizeof key, "%s/%lld", c->name, (long long)((int64_t *)state.data)[k]);
        make_batch(p.x.data, p.y.data, c->name, key, p.batch.data, p.pixel.data);
        sum = set_state(&p, key, "", k);
        ck_assert_double_eq_tol(sum, ((double *)check.data)[3 * k], 1e-6 * fmax(1, fabs(sum)));
        expect_ok(trainer_step(p.trainer, &p.x, &p.y, &got, &report));
        error[0] = fabs((double)got / want[0] - 1);
        error[1] = gradient_distance(&p, k) / ((double *)norm.data)[2 * k];
        error[2] = statistics_error(&p, k);
        for (int e = 0; e < 3; e++)
            worst[e] = fmax(worst[e], error[e]);
        ck_assert_msg(error[0] <= 1e-6 && error[1] <= c->gradient && error[2] <= 1e-5,
                      "%s: loss %.9g, must be %.9g (%.2g); gradient %.2g, statistics %.2g", key, (double)got, want[0],
                      error[0], error[1], error[2]);
    }
    printf("%s%s: loss %.1e, gradient %.1e, statistics %.1e\n", c->name, c->exact ? ", exact" : "", worst[0], worst[1],
           worst[2]);
    drop(&state);
    drop(&loss);
    drop(&norm);
    drop(&check);
    close_network(&p);
}
END_TEST

/* -- many steps -- */

static const char *const mlps[] = { "mnist_mlp.leaky",   "mnist_mlp.bn_after", "mnist_mlp.bn_before",
                                    "sigmoid_mlp.plain", "sigmoid_mlp.bn",     "sigmoid_mlp.batch_bn" };

START_TEST(a_hundred_steps_keep_to_keras)
{
    struct parity p = { .name = mlps[_i] };
    char key[128], prefix[128];
    struct tensor loss;
    double worst = 0;

    snprintf(prefix, sizeof prefix, "%s/", p.name);
    open_network(&p, "free", prefix, p.name[0] == 'm' ? "sgd" : "rmsprop", true);
    snprintf(key, sizeof key, "%s/free", p.name);
    set_state(&p, key, prefix, 0);
    loss = array(&p, "%sloss", prefix);
    for (int t = 0; t < STEPS; t++) {
        const double want = ((const double *)loss.data)[2 * t];
        float got;

        snprintf(key, sizeof key, "%s/free/%d", p.name, t);
        make_batch(p.x.data, p.y.data, p.name, key, p.batch.data, p.pixel.data);
        expect_ok(trainer_step(p.trainer, &p.x, &p.y, &got, &report));
        worst = fmax(worst, fabs((double)got / want - 1));
        ck_assert_msg(worst <= 1e-5, "%s: step %d has loss %.9g, must be %.9g", p.name, t, (double)got, want);
    }
    printf("%s: %d steps within %.1e\n", p.name, (int)STEPS, worst);
    drop(&loss);
    close_network(&p);
}
END_TEST

/* -- optimisers -- */

static const struct optimizer_case {
    const char *name, *spec;
} optimizers[] = {
    { "sgd", "sgd" },
    { "sgd_momentum", "sgd:momentum=0.9" },
    { "sgd_nesterov", "sgd:momentum=0.9,nesterov=1" },
    { "adam", "adam" },
    { "adam_options", "adam:learning_rate=0.01,beta_1=0.8,beta_2=0.99,epsilon=1e-4" },
    { "rmsprop", "rmsprop" },
    { "rmsprop_momentum", "rmsprop:learning_rate=0.01,rho=0.8,momentum=0.9" },
    { "rmsprop_centered", "rmsprop:centered=1" },
    { "rmsprop_all", "rmsprop:learning_rate=0.01,momentum=0.9,centered=1" }, /* only in steps.npz */
};

/* What the state has under a slot's name before the update, of element i. */
static float before(const char *key, const char *what, bool first, int64_t i)
{
    const double u = uniform(key_of("%s/%s", key, what), i);
    const double p = pow(2, (double)(hash(key_of("%s/power", key), i) >> 60) - 12);

    if (strcmp(what, "weight") == 0)
        return i % 4 ? (float)u : 0;
    if (strcmp(what, "gradient") == 0)
        return (float)(u * p);
    if (first)
        return 0;
    return (float)(what[0] == 'm' ? u * p : what[0] == 'v' ? (u + 2) * p * p : u * p / 4);
}

/* Within 1e-6 of the sizes that the value was made from: what was there, and the change. */
static void compare(struct parity *p, const struct optimizer_case *c, const char *what, int k, const float *old,
                    const float *got)
{
    struct tensor want = array(p, "%s/%s", c->name, what);

    for (int i = 0; i < SIZE; i++) {
        const double w = (double)((const float *)want.data)[k * SIZE + i], change = fabs(w - (double)old[i]);

        ck_assert_msg(fabs((double)got[i] - w) <= 1e-6 * (fabs((double)old[i]) + change) + 1e-8,
                      "%s: state %d, %s[%d] is %.9g, must be %.9g (was %.9g)", c->name, k, what, i, (double)got[i], w,
                      (double)old[i]);
    }
    drop(&want);
}

START_TEST(an_update_is_keras_update)
{
    const struct optimizer_case *c = &optimizers[_i];
    struct parity p = { .name = c->name };
    float old[1 + MAX_SLOTS][SIZE], now[1 + MAX_SLOTS][SIZE], gradient[SIZE];
    struct arena arena = { .budget = &budget };
    struct optimizer o;
    struct tensor step;

    expect_ok(npz_open(&p.file, PROJECT "/tests/keras/optimizers.npz", &budget, &report));
    expect_ok(optimizer_parse(&o, c->spec, &arena, &report));
    step = array(&p, "%s/step", c->name);
    for (int k = 0; k < STATES; k++) {
        const int64_t t = ((int64_t *)step.data)[k];
        struct update u;
        char key[128];

        snprintf(key, sizeof key, "%s/%d", c->name, k);
        for (int i = 0; i < SIZE; i++) {
            gradient[i] = before(key, "gradient", false, i);
            old[0][i] = before(key, "weight", false, i);
            for (int s = 0; s < o.slots; s++)
                old[1 + s][i] = before(key, o.slot_names[s], k == 0, i);
        }
        memcpy(now, old, sizeof now);
        u = optimizer_update(&o, kernels_get(), (float)o.learning_rate, t);
        u.n = SIZE, u.w = now[0], u.g = gradient;
        for (int s = 0; s < o.slots; s++)
            u.slots[o.slot_place[s]] = now[1 + s];
        ck_assert(o.def->apply(&u));
        compare(&p, c, "weight", k, old[0], now[0]);
        for (int s = 0; s < o.slots; s++)
            compare(&p, c, o.slot_names[s], k, old[1 + s], now[1 + s]);
    }
    drop(&step);
    arena_release(&arena);
    npz_close(p.file);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* -- optimisers in a trainer -- */

static const char stepped_text[] =
    "< ir_version: 8, opset_import: [\"\": 17] >\n"
    "net (float[N, 4] x) => (float[N, 3] p) <float[4, 5] w1 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
    "0, "
    "0},\n float[5] b1 = {0, 0, 0, 0, 0}, float[5, 3] w2 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, float[3] b2 "
    "= {0, 0, 0}>\n"
    "{ h = Gemm (x, w1, b1)  t = Tanh (h)  z = Gemm (t, w2, b2)  p = Softmax (z) }";

static void start_stepped(struct parity *p, const char *optimizer)
{
    const struct trainer_options o = { .optimizer = optimizer, .threads = 1, TARGET(.classes = 3) };
    struct model *m = model_read_bytes(stepped_text, strlen(stepped_text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    p->trainer = trainer_new(m, &o, &report);
    expect_ok(p->trainer);
    model_free(m);
    for (size_t s = 0; s < p->trainer->state_count; s++) {
        const struct state *state = &p->trainer->states[s];
        const uint64_t of = key_of("steps/%s", state->parameter->value->name);

        for (int64_t i = 0; i < tensor_count(&state->value); i++)
            ((float *)state->value.data)[i] = (float)(.5 * uniform(of, i));
    }
}

/* Of all elements of all steps so far: what the array has moved by, at most, is what it is measured with. */
static void compare_stepped(struct parity *p, const char *variable, const char *slot, int t)
{
    const struct tensor *got = trainer_state(p->trainer, variable, slot);
    struct tensor want = array(p, "%s/%s%s%s", p->name, variable, slot ? "." : "", slot ? slot : "");
    const int64_t n = tensor_count(got);
    const uint64_t start = key_of("steps/%s", variable);
    double moved = 0;

    ck_assert_int_eq(tensor_count(&want), n * want.dims[0]);
    for (int64_t i = 0; i < (t + 1) * n; i++)
        moved = fmax(moved, fabs((double)((const float *)want.data)[i] - (slot ? 0 : .5 * uniform(start, i % n))));
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)((const float *)got->data)[i], w = (double)((const float *)want.data)[t * n + i];

        ck_assert_msg(fabs(g - w) <= 1e-4 * moved + (slot ? 0 : 3e-7),
                      "%s: after step %d %s of %s[%lld] is %.9g, must be %.9g (of %.3g)", p->name, t + 1,
                      slot ? slot : "the value", variable, (long long)i, g, w, moved);
    }
    drop(&want);
}

static void take_step(struct parity *p, int t, int64_t samples, double loss)
{
    const uint64_t image = key_of("steps/%d/x", t), label = key_of("steps/%d/label", t);
    float x[4 * 6];
    int64_t y[6];
    float got;

    p->x = p->trainer->x[0], p->y = p->trainer->targets->y;
    p->x.dims[0] = p->y.dims[0] = samples;
    p->x.data = x, p->y.data = y;
    for (int64_t i = 0; i < 4 * samples; i++)
        x[i] = (float)uniform(image, i);
    for (int64_t i = 0; i < samples; i++)
        y[i] = (int64_t)((hash(label, i) >> 33) % 3);
    expect_ok(trainer_step(p->trainer, &p->x, &p->y, &got, &report));
    ck_assert_msg(fabs((double)got / loss - 1) <= 1e-6, "%s: loss of step %d is %.9g, must be %.9g", p->name, t + 1,
                  (double)got, loss);
}

/* With the trainer's own count of steps, slots and programs: batches of three sizes, and another learning rate. */
START_TEST(a_trainer_takes_keras_steps)
{
    static const int64_t samples[] = { 6, 6, 4, 6, 5, 6, 4, 6 };
    struct parity p = { .name = optimizers[_i].name };
    struct tensor loss;

    expect_ok(npz_open(&p.file, PROJECT "/tests/keras/steps.npz", &budget, &report));
    start_stepped(&p, optimizers[_i].spec);
    loss = array(&p, "%s/loss", p.name);
    for (int t = 0; t < 8; t++) {
        if (t == 5)
            p.trainer->learning_rate /= 2;
        take_step(&p, t, samples[t], (double)((const float *)loss.data)[t]);
        for (size_t s = 0; s < p.trainer->state_count; s++) {
            const char *variable = p.trainer->states[s].parameter->value->name;

            compare_stepped(&p, variable, NULL, t);
            for (int k = 0; k < p.trainer->optimizer.slots; k++)
                compare_stepped(&p, variable, p.trainer->optimizer.slot_names[k], t);
        }
    }
    ck_assert_uint_eq(p.trainer->trainable, 4);
    drop(&loss);
    npz_close(p.file);
    trainer_free(p.trainer);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

Suite *suite(void)
{
    Suite *s = suite_create("keras");

    (void)put_file;
    (void)enter_scratch;
    (void)leave_scratch;
    (void)expect_error;
    add_test(s, the_generator_is_that_of_the_dumps);
    add_tests(s, an_update_is_keras_update, COUNT(optimizers) - 1);
    add_tests(s, a_trainer_takes_keras_steps, COUNT(optimizers));
    add_tests(s, one_step_is_keras_step, COUNT(networks));
    add_tests(s, a_hundred_steps_keep_to_keras, COUNT(mlps));
    return s;
}
