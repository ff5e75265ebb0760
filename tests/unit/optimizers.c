/* Every optimiser of Keras, and every option that they share, against Keras: the node that updates is given gradients,
 * and must make of two small tensors and their slots what Keras makes of them (tests/keras/README.md, updates.npz). */
#include "data/npz.h"
#include "generator.h"
#include "learning.h"
#include "run/frame.h"
#include "scratch.h"
#include "train/optimizer.h"
#include "unit.h"
#include <math.h>
#include <string.h>

enum { STEPS = 8, PARAMETERS = 2, MOST_SIZE = 6 };

static const struct update_case {
    const char *name, *spec;
} cases[] = {
    { "adadelta", "adadelta" },
    { "adadelta_options", "adadelta:learning_rate=1,rho=0.8,epsilon=1e-4" },
    { "adagrad", "adagrad" },
    { "adagrad_options", "adagrad:learning_rate=0.05,initial_accumulator_value=0.5,epsilon=1e-3" },
    { "adam_amsgrad", "adam:learning_rate=0.01,beta_2=0.7,amsgrad=1" },
    { "adamax", "adamax" },
    { "adamax_options", "adamax:learning_rate=0.05,beta_1=0.8,beta_2=0.9,epsilon=1e-3" },
    { "adamw", "adamw" },
    { "adamw_options", "adamw:learning_rate=0.05,weight_decay=0.1,beta_1=0.8,beta_2=0.9,epsilon=1e-3,amsgrad=1" },
    { "ftrl", "ftrl" },
    { "ftrl_options", "ftrl:learning_rate=0.05,learning_rate_power=-0.7,initial_accumulator_value=0.2,"
                      "l1_regularization_strength=0.03,l2_regularization_strength=0.02,"
                      "l2_shrinkage_regularization_strength=0.01,beta=0.1" },
    { "lamb", "lamb" },
    { "lamb_options", "lamb:learning_rate=0.05,beta_1=0.8,beta_2=0.9,epsilon=1e-3" },
    { "lion", "lion" },
    { "lion_options", "lion:learning_rate=0.05,beta_1=0.7,beta_2=0.8" },
    { "nadam", "nadam" },
    { "nadam_options", "nadam:learning_rate=0.05,beta_1=0.8,beta_2=0.9,epsilon=1e-3" },
    { "weight_decay", "sgd:learning_rate=0.1,momentum=0.9,weight_decay=0.2" },
    { "clipnorm", "sgd:learning_rate=0.1,clipnorm=0.6" },
    { "clipvalue", "sgd:learning_rate=0.1,clipvalue=0.3" },
    { "global_clipnorm", "sgd:learning_rate=0.1,global_clipnorm=0.8" },
    { "ema", "sgd:learning_rate=0.1,use_ema=1,ema_momentum=0.9" },
    { "ema_overwrite", "adam:learning_rate=0.05,use_ema=1,ema_momentum=0.8,ema_overwrite_frequency=3" },
    { "accumulation", "adam:learning_rate=0.05,gradient_accumulation_steps=3" },
    { "nadam_accumulation", "nadam:learning_rate=0.05,gradient_accumulation_steps=2,clipvalue=0.3" },
    { "lamb_all", "lamb:learning_rate=0.05,weight_decay=0.1,clipnorm=0.4,use_ema=1,ema_momentum=0.7,"
                  "ema_overwrite_frequency=2,gradient_accumulation_steps=2" },
    { "rmsprop_all",
      "rmsprop:learning_rate=0.05,momentum=0.5,centered=1,weight_decay=0.1,global_clipnorm=0.5,use_ema=1,"
      "ema_momentum=0.7,ema_overwrite_frequency=2,gradient_accumulation_steps=3" },
};
enum { CASES = sizeof cases / sizeof *cases };

static const struct parameter_shape {
    const char *name;
    int rank;
    int64_t dims[2];
} shapes[PARAMETERS] = { { "w", 2, { 2, 3 } }, { "b", 1, { 2 } } };

/* -- the node, with everything that it reads given -- */

struct node_run {
    struct arena arena;
    struct budget own;
    struct engine engine;
    struct optimizer optimizer;
    struct graph *graph;
    struct frame *frame;
    struct tensor rate, loss, gradient[PARAMETERS];
    struct tensor state[1 + MAX_SLOTS][PARAMETERS]; /* the value, then the slots */
    double rate_data;
    float loss_data;
};

static struct tensor filled(struct node_run *n, const struct tensor *like, double with)
{
    struct tensor t = *like;

    t.data = arena_alloc(&n->arena, (size_t)tensor_bytes(&t) + 1, &report);
    for (int64_t k = 0; k < tensor_count(&t); k++)
        if (t.dtype == F64)
            ((double *)t.data)[k] = with;
        else
            ((float *)t.data)[k] = (float)with;
    return t;
}

static struct value *given(struct node_run *n, const char *name, const struct tensor *type)
{
    struct value *v = graph_value(n->graph, name);

    ck_assert(v && graph_add_input(n->graph, v));
    v->type = *type;
    v->type.data = NULL;
    v->has_type = true;
    return v;
}

static void make_tensors(struct node_run *n, enum dtype dtype)
{
    for (int p = 0; p < PARAMETERS; p++) {
        struct tensor type = { .dtype = dtype, .rank = shapes[p].rank };

        memcpy(type.dims, shapes[p].dims, sizeof shapes[p].dims);
        n->state[0][p] = filled(n, &type, 0);
        n->gradient[p] = filled(n, &type, 0);
        for (int s = 0; s < n->optimizer.slots; s++) {
            double begins;
            const struct tensor like = optimizer_slot(&n->optimizer, s, &type, &begins);

            n->state[1 + s][p] = filled(n, &like, begins);
        }
    }
    n->rate = (struct tensor){ .dtype = F64, .data = &n->rate_data };
    n->loss = (struct tensor){ .dtype = F32, .data = &n->loss_data };
    n->rate_data = n->optimizer.learning_rate;
}

static void start(struct node_run *n, const char *spec, enum dtype dtype, const bool *decays)
{
    static const void *const finite[PARAMETERS];
    static const double limits[PARAMETERS] = { INFINITY, INFINITY };
    static const bool all[PARAMETERS] = { true, true };
    const struct engine_options o = { .threads = 1 };
    struct value *parameter[PARAMETERS], *gradient[PARAMETERS], *slots[PARAMETERS * MAX_SLOTS];
    struct optimizer_inputs in = { .parameters = PARAMETERS,
                                   .parameter = parameter,
                                   .gradient = gradient,
                                   .slots = slots,
                                   .beginning = finite,
                                   .limit = limits,
                                   .decays = decays ? decays : all };
    struct emitter e = { .report = &report };
    size_t slot_count;

    *n = (struct node_run){ .arena.budget = &budget };
    expect_ok(optimizer_parse(&n->optimizer, spec, &n->arena, &report));
    slot_count = (size_t)n->optimizer.slots;
    make_tensors(n, dtype);
    expect_ok(engine_init(&n->engine, &n->own, &o, &report));
    n->graph = e.graph = graph_new(&n->arena, NULL, "main", &report);
    ck_assert_ptr_nonnull(n->graph);
    in.rate = given(n, "rate", &n->rate);
    in.loss = given(n, "loss", &n->loss);
    for (size_t p = 0; p < PARAMETERS; p++) {
        parameter[p] = given(n, shapes[p].name, &n->state[0][p]);
        gradient[p] = given(n, NULL, &n->gradient[p]);
        for (size_t s = 0; s < slot_count; s++)
            slots[p * slot_count + s] = given(n, NULL, &n->state[1 + s][p]);
    }
    expect_ok(optimizer_emit(&e, &n->optimizer, &in));
    n->frame = frame_new(&n->engine, n->graph, &report);
    expect_ok(n->frame);
    frame_set(n->frame, in.rate, &n->rate);
    frame_set(n->frame, in.loss, &n->loss);
    for (size_t p = 0; p < PARAMETERS; p++) {
        frame_set(n->frame, parameter[p], &n->state[0][p]);
        frame_set(n->frame, gradient[p], &n->gradient[p]);
        for (size_t s = 0; s < slot_count; s++)
            frame_set(n->frame, slots[p * slot_count + s], &n->state[1 + s][p]);
    }
}

static void stop(struct node_run *n)
{
    frame_free(n->frame);
    graph_release(n->graph);
    engine_release(&n->engine);
    arena_release(&n->arena);
    ck_assert_uint_eq(budget.used, 0);
}

static void put(struct tensor *t, int64_t k, double x)
{
    if (t->dtype == F64)
        ((double *)t->data)[k] = x;
    else
        ((float *)t->data)[k] = (float)x;
}

/* What the dump begins with, and its gradients: every fifth is 0. */
static void generate(struct tensor *t, uint64_t of, int64_t zeros)
{
    for (int64_t k = 0; k < tensor_count(t); k++)
        put(t, k, k >= zeros && (k - zeros) % 5 == 0 ? 0 : uniform(of, k));
}

static void generate_gradients(struct node_run *n, int t)
{
    for (int p = 0; p < PARAMETERS; p++)
        generate(&n->gradient[p], key_of("updates/%d/%s", t, shapes[p].name), t % 5);
}

static void begin(struct node_run *n)
{
    for (int p = 0; p < PARAMETERS; p++)
        generate(&n->state[0][p], key_of("updates/%s", shapes[p].name), 0);
}

static void step(struct node_run *n, int t)
{
    n->engine.number = (uint64_t)t;
    budget_start(&n->own);
    expect_ok(frame_run(n->frame, &report));
    budget_stop(&n->own);
}

/* -- against Keras -- */

static struct tensor read_array(struct npz *file, const char *name, const char *what)
{
    struct tensor t;
    char key[128];

    snprintf(key, sizeof key, "%s/%s", name, what);
    expect_ok(npz_read(&t, file, key, NULL, &report));
    return t;
}

/* Row t of an array, of a value or a slot of each parameter: must be near, from what was there before the step. Then
 * it is taken over, so that errors do not add up. */
static void compare(const struct update_case *c, struct tensor *each, struct npz *file, const char *what, int t,
                    double before[PARAMETERS][MOST_SIZE])
{
    struct tensor want = read_array(file, c->name, what);
    int64_t at = t * want.dims[1];

    for (int p = 0; p < PARAMETERS; p++)
        for (int64_t k = 0; k < tensor_count(&each[p]); k++, at++) {
            const double w = (double)((const float *)want.data)[at], g = real_at(F32, each[p].data, k);
            const double bound = 1e-6 * (fabs(before[p][k]) + fabs(w - before[p][k])) + 1e-8;

            ck_assert_msg(fabs(g - w) <= bound, "%s: after step %d %s of %s[%lld] is %.9g, must be %.9g (was %.9g)",
                          c->name, t + 1, what, shapes[p].name, (long long)k, g, w, before[p][k]);
            put(&each[p], k, w);
        }
    ck_assert_int_eq(at, (t + 1) * want.dims[1]);
    budget_free(&budget, want.data);
}

static void remember(double before[PARAMETERS][MOST_SIZE], const struct tensor *each)
{
    for (int p = 0; p < PARAMETERS; p++)
        for (int64_t k = 0; k < tensor_count(&each[p]); k++)
            before[p][k] = real_at(each[p].dtype, each[p].data, k);
}

/* Each step from Keras' state. */
START_TEST(a_step_is_keras_step)
{
    const struct update_case *c = &cases[_i];
    double before[1 + MAX_SLOTS][PARAMETERS][MOST_SIZE];
    struct node_run n;
    struct npz *file;

    start(&n, c->spec, F32, NULL);
    expect_ok(npz_open(&file, PROJECT "/tests/keras/updates.npz", &budget, &report));
    begin(&n);
    for (int t = 0; t < STEPS; t++) {
        for (int s = 0; s <= n.optimizer.slots; s++)
            remember(before[s], n.state[s]);
        generate_gradients(&n, t);
        step(&n, t);
        for (int s = 0; s <= n.optimizer.slots; s++)
            compare(c, n.state[s], file, s ? n.optimizer.slot_names[s - 1] : "value", t, before[s]);
    }
    npz_close(file);
    stop(&n);
}
END_TEST

/* Of its own: eight steps of double, whose rounding is not seen. */
START_TEST(in_double_too)
{
    const struct update_case *c = &cases[_i];
    struct tensor want;
    struct node_run n;
    struct npz *file;

    start(&n, c->spec, F64, NULL);
    expect_ok(npz_open(&file, PROJECT "/tests/keras/updates.npz", &budget, &report));
    want = read_array(file, c->name, "double");
    begin(&n);
    for (int t = 0; t < STEPS; t++) {
        int64_t at = t * want.dims[1];

        generate_gradients(&n, t);
        step(&n, t);
        for (int p = 0; p < PARAMETERS; p++)
            for (int64_t k = 0; k < tensor_count(&n.state[0][p]); k++, at++) {
                const double w = ((const double *)want.data)[at], g = real_at(F64, n.state[0][p].data, k);

                ck_assert_msg(fabs(g - w) <= 1e-12, "%s: after step %d %s[%lld] is %.17g, must be %.17g", c->name,
                              t + 1, shapes[p].name, (long long)k, g, w);
            }
    }
    budget_free(&budget, want.data);
    npz_close(file);
    stop(&n);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("optimizers");

    (void)put_file;
    (void)enter_scratch;
    (void)leave_scratch;
    (void)expect_error;
    add_tests(s, a_step_is_keras_step, CASES);
    add_tests(s, in_double_too, CASES);
    return s;
}
