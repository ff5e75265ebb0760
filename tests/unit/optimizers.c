/* Every optimiser of Keras, and every option that they share, against Keras: the node that updates is given gradients,
 * and must make of two small tensors and their slots what Keras makes of them (tests/keras/README.md, updates.npz). */
#include "data/npz.h"
#include "generator.h"
#include "learning.h"
#include "run/frame.h"
#include "scratch.h"
#include "train/initialise.h"
#include "train/optimizers/registry.h"
#include "train/trainer.h"
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

static const void *beginning[PARAMETERS]; /* NULL: all was finite */

static void start(struct node_run *n, const char *spec, enum dtype dtype, const bool *decays)
{
    static const double limits[PARAMETERS] = { INFINITY, INFINITY };
    static const bool all[PARAMETERS] = { true, true };
    static const double ones[PARAMETERS] = { 1, 1 };
    const struct engine_options o = { .threads = 1 };
    struct value *parameter[PARAMETERS], *gradient[PARAMETERS], *slots[PARAMETERS * MAX_SLOTS];
    struct optimizer_inputs in = { .parameters = PARAMETERS,
                                   .parameter = parameter,
                                   .gradient = gradient,
                                   .slots = slots,
                                   .beginning = beginning,
                                   .limit = limits,
                                   .rate_factor = ones,
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

static void stop_one(struct node_run *n)
{
    frame_free(n->frame);
    graph_release(n->graph);
    engine_release(&n->engine);
    arena_release(&n->arena);
}

static void stop(struct node_run *n)
{
    stop_one(n);
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

/* Gradients are only read: two parameters may have one. */
static void step(struct node_run *n, int t)
{
    double before[PARAMETERS][MOST_SIZE];

    for (int p = 0; p < PARAMETERS; p++)
        memcpy(before[p], n->gradient[p].data, (size_t)tensor_bytes(&n->gradient[p]));
    n->engine.number = (uint64_t)t;
    budget_start(&n->own);
    expect_ok(frame_run(n->frame, &report));
    budget_stop(&n->own);
    for (int p = 0; p < PARAMETERS; p++)
        ck_assert(memcmp(before[p], n->gradient[p].data, (size_t)tensor_bytes(&n->gradient[p])) == 0);
}

/* A step that must fail. */
static void refuse(struct node_run *n, int t, const char *says)
{
    n->engine.number = (uint64_t)t;
    budget_start(&n->own);
    ck_assert(!frame_run(n->frame, &report));
    budget_stop(&n->own);
    expect_error(KILN_RUN_FAILED, says);
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

/* -- what is not finite -- */

static const char *const changed[] = { "sgd:clipnorm=1", "adam:clipvalue=1", "lamb:global_clipnorm=1,use_ema=1",
                                       "nadam:gradient_accumulation_steps=2", "sgd:gradient_accumulation_steps=3" };
enum { CHANGED = sizeof changed / sizeof *changed };

/* What is looked at first is refused first: no state is spoilt, wherever accumulation is. */
START_TEST(a_gradient_that_is_no_number_changes_nothing)
{
    struct node_run n, same;

    start(&n, changed[_i], F32, NULL);
    start(&same, changed[_i], F32, NULL);
    begin(&n);
    begin(&same);
    for (int t = 0; t < 6; t++) {
        generate_gradients(&n, t);
        put(&n.gradient[1], 1, (double)NAN);
        refuse(&n, t, "the gradient of 'b' is not finite: nothing was changed");
        generate_gradients(&n, t);
        generate_gradients(&same, t);
        step(&n, t);
        step(&same, t);
        for (int s = 0; s <= n.optimizer.slots; s++)
            for (int p = 0; p < PARAMETERS; p++)
                ck_assert(memcmp(n.state[s][p].data, same.state[s][p].data, (size_t)tensor_bytes(&n.state[s][p])) == 0);
    }
    stop_one(&same);
    stop(&n);
}
END_TEST

/* As Keras: infinite is as large as may be. */
START_TEST(clipping_by_value_takes_what_is_infinite)
{
    struct node_run n;

    start(&n, "sgd:learning_rate=0.5,clipvalue=0.25", _i ? F64 : F32, NULL);
    put(&n.gradient[0], 0, INFINITY);
    put(&n.gradient[0], 1, -INFINITY);
    step(&n, 0);
    ck_assert_double_eq(real_at(n.state[0][0].dtype, n.state[0][0].data, 0), -.125);
    ck_assert_double_eq(real_at(n.state[0][0].dtype, n.state[0][0].data, 1), .125);
    stop(&n);
}
END_TEST

/* Nobody has looked: then the parameter tells, of each optimiser. */
START_TEST(no_optimiser_hides_what_is_not_finite)
{
    static const double bad[] = { (double)NAN, INFINITY, -INFINITY };
    char spec[64];

    for (int k = 0; k < 6; k++) {
        struct node_run n;

        snprintf(spec, sizeof spec, "%s", optimizer_registry[_i]->row.name);
        start(&n, spec, k % 2 ? F64 : F32, NULL);
        begin(&n);
        generate_gradients(&n, 0);
        put(&n.gradient[0], 1, bad[k / 2]);
        refuse(&n, 0, "element 1 of 'w' has become ");
        stop(&n);
    }
}
END_TEST

/* A mask that is added is taken for a bias; its gradient is 0. */
START_TEST(decay_leaves_what_is_infinite)
{
    const double mask = -INFINITY;
    struct node_run n;

    start(&n, "adamw:learning_rate=0.5,weight_decay=0.5,use_ema=1,ema_overwrite_frequency=2,clipnorm=1", _i ? F64 : F32,
          NULL);
    begin(&n);
    for (int t = 0; t < 4; t++) {
        if (!t)
            put(&n.state[0][1], 0, mask);
        generate_gradients(&n, t);
        put(&n.gradient[1], 0, 0);
        beginning[1] = n.state[0][1].data; /* what was there is what is there */
        step(&n, t);
        ck_assert(real_at(n.state[0][1].dtype, n.state[0][1].data, 0) == mask);
    }
    stop(&n);
}
END_TEST

/* -- decay -- */

START_TEST(decay_is_of_those_that_decay)
{
    static const bool decays[] = { true, false };
    struct node_run n;

    start(&n, "sgd:learning_rate=0.5,weight_decay=0.25", F32, decays);
    for (int p = 0; p < PARAMETERS; p++)
        put(&n.state[0][p], 0, 8);
    step(&n, 0);
    ck_assert_double_eq(real_at(F32, n.state[0][0].data, 0), 7);
    ck_assert_double_eq(real_at(F32, n.state[0][1].data, 0), 8);
    stop(&n);
}
END_TEST

/* -- in a trainer -- */

/* A table, of which a batch reads some rows twice, and a matrix that several threads share. */
static const char net_text[] =
    "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"init.table\": \"he_normal\",\n"
    "  \"init.w\": \"glorot_uniform\", \"init.v\": \"glorot_uniform\", \"init.b\": \"zeros\" ] >\n"
    "net (int64[N, 2] x, float[6, 40] table, float[80, 1000] w, float[1000, 3] v, float[3] b) => (float[N, 3] p)\n"
    "{ e = Gather (table, x)  f = Flatten (e)  h = MatMul (f, w)  t = Tanh (h)  g = Gemm (t, v, b)  p = Softmax (g) }";

static const char *const everything[] = {
    "adadelta",
    "adagrad",
    "adam:amsgrad=1",
    "adamax",
    "adamw",
    "ftrl",
    "lamb",
    "lion",
    "nadam",
    "rmsprop:momentum=0.5,centered=1",
    "sgd:momentum=0.9,nesterov=1",
    /* with all that they share */
    "adam:weight_decay=0.01,global_clipnorm=0.1,use_ema=1,ema_momentum=0.8,gradient_accumulation_steps=2",
    "nadam:weight_decay=0.01,clipnorm=0.1,use_ema=1,ema_overwrite_frequency=2,gradient_accumulation_steps=2",
    "lamb:weight_decay=0.01,clipnorm=0.1,use_ema=1,ema_overwrite_frequency=3,gradient_accumulation_steps=2",
    "sgd:clipvalue=0.001,use_ema=1",
};
enum { EVERYTHING = sizeof everything / sizeof *everything };

static struct trainer *trainer_of(const char *optimizer, int threads)
{
    const struct initialise_options draw = { .seed = 3 };
    const struct trainer_options o = { .optimizer = optimizer, .threads = threads, TARGET(.classes = 3) };
    struct model *m = model_read_bytes(net_text, strlen(net_text), NULL, &report), *drawn;
    struct trainer *t;
    size_t count;

    expect_ok(m && model_build(m, &report));
    drawn = model_initialise(m, &draw, &count, &report);
    expect_ok(drawn && model_build(drawn, &report));
    t = trainer_new(drawn, &o, &report);
    expect_ok(t);
    model_free(drawn);
    model_free(m);
    return t;
}

static bool take_step(struct trainer *t)
{
    const int64_t rows[] = { 0, 1, 1, 1, 2, 5, t->steps % 6, 3 }, labels[] = { 0, 2, 1, 0 };
    struct tensor x = t->x[0], y = t->targets->y;
    float loss;

    x.dims[0] = y.dims[0] = 4;
    x.data = (void *)(uintptr_t)rows, y.data = (void *)(uintptr_t)labels;
    return trainer_step(t, &x, &y, &loss, &report);
}

static void take_steps(struct trainer *t, int count)
{
    for (int k = 0; k < count; k++)
        expect_ok(take_step(t));
}

static void expect_same(const struct trainer *a, const struct trainer *b)
{
    for (size_t k = 0; k < a->trainable; k++)
        for (int s = -1; s < a->optimizer.slots; s++) {
            const struct tensor *p = s < 0 ? &a->states[k].value : &a->states[k].slots[s];
            const struct tensor *q = s < 0 ? &b->states[k].value : &b->states[k].slots[s];

            ck_assert_msg(memcmp(p->data, q->data, (size_t)tensor_bytes(p)) == 0, "%s of '%s' differs",
                          s < 0 ? "the value" : a->optimizer.slot_names[s], a->states[k].parameter->value->name);
        }
}

START_TEST(threads_change_no_bit)
{
    struct trainer *one = trainer_of(everything[_i], 1), *three = trainer_of(everything[_i], 3);

    take_steps(one, 5);
    take_steps(three, 5);
    expect_same(one, three);
    trainer_free(one);
    trainer_free(three);
}
END_TEST

static const float *data_of(struct trainer *t, const char *name, const char *slot)
{
    const struct tensor *found = trainer_state(t, name, slot);

    ck_assert_ptr_nonnull(found);
    return found->data;
}

static double moved_by(struct trainer *t, const char *name, const float *before)
{
    const struct tensor *w = trainer_state(t, name, NULL);
    double square = 0;

    for (int64_t k = 0; k < tensor_count(w); k++)
        square += pow(real_at(F32, w->data, k) - (double)before[k], 2);
    return sqrt(square);
}

/* However many pieces a tensor is cut into. */
START_TEST(a_length_is_of_the_whole)
{
    static const char *const names[] = { "table", "w", "v", "b" };
    static float before[4][80000];
    struct trainer *t =
        trainer_of(_i ? "sgd:learning_rate=1,global_clipnorm=0.01" : "sgd:learning_rate=1,clipnorm=0.01", 2);
    double square = 0;

    for (int k = 0; k < 4; k++)
        memcpy(before[k], data_of(t, names[k], NULL), (size_t)tensor_bytes(trainer_state(t, names[k], NULL)));
    take_steps(t, 1);
    for (int k = 0; k < 4; k++) {
        const double moved = moved_by(t, names[k], before[k]);

        ck_assert_msg(_i || fabs(moved - .01) < 1e-6, "'%s' has moved by %g", names[k], moved);
        square += moved * moved;
    }
    ck_assert_double_eq_tol(sqrt(square), _i ? .01 : .02, 2e-6);
    trainer_free(t);
}
END_TEST

START_TEST(slots_begin_as_keras_slots)
{
    struct trainer *sums = trainer_of("adagrad:initial_accumulator_value=0.25", 1), *products = trainer_of("nadam", 1);
    const struct tensor *product = trainer_state(products, "w", "u_product");

    ck_assert(data_of(sums, "w", "accumulator")[0] == .25f && data_of(sums, "w", "accumulator")[79999] == .25f);
    ck_assert(product && product->rank == 0 && *(const float *)product->data == 1);
    ck_assert(data_of(products, "w", "momentum")[0] == 0);
    take_steps(products, 2);
    ck_assert(*(const float *)product->data < .3f);
    trainer_free(products);
    trainer_free(sums);
}
END_TEST

/* As when Keras' fit ends; not before, and not of a trainer that has not learned. */
START_TEST(parameters_become_their_averages)
{
    struct trainer *t = trainer_of("adam:learning_rate=0.1,use_ema=1", 1),
                   *plain = trainer_of("adam:learning_rate=0.1", 1);
    const float *b = data_of(t, "b", NULL), *average = data_of(t, "b", "moving_average");
    const size_t bytes = 3 * sizeof *b;
    const struct value *saved;
    struct model *m;

    trainer_finalize(t);
    ck_assert(data_of(t, "v", NULL)[0] != 0);
    take_steps(t, 4);
    take_steps(plain, 4);
    ck_assert(memcmp(b, data_of(plain, "b", NULL), bytes) == 0 && memcmp(b, average, bytes) != 0);
    trainer_finalize(t);
    ck_assert(memcmp(b, average, bytes) == 0);
    m = trainer_export(t, &report);
    expect_ok(m && model_build(m, &report));
    saved = graph_find(m->graph, "b");
    ck_assert(saved && memcmp(saved->initializer->data, average, bytes) == 0);
    trainer_finalize(plain);
    ck_assert(memcmp(data_of(plain, "b", NULL), average, bytes) != 0);
    model_free(m);
    trainer_free(plain);
    trainer_free(t);
}
END_TEST

/* The gradient of a table is the sum over all that a batch reads of a row, which the optimiser squares. */
START_TEST(rows_that_are_read_again_add_up)
{
    struct trainer *t = trainer_of("adagrad:learning_rate=1,initial_accumulator_value=0", 1);
    const float *sum = data_of(t, "table", "accumulator");
    float before[6 * 40];

    memcpy(before, data_of(t, "table", NULL), sizeof before);
    take_steps(t, 1);
    for (int k = 0; k < 6 * 40; k++) { /* a step of 1 for each that has a gradient, however many times it was read */
        const double moved = fabs((double)data_of(t, "table", NULL)[k] - (double)before[k]);

        ck_assert_msg(sum[k] > 1e-5f ? fabs(moved - 1) < .01 : moved < 1, "element %d has moved by %g", k, moved);
        ck_assert(k / 40 == 4 ? sum[k] == 0 : sum[k] > 0);
    }
    trainer_free(t);
}
END_TEST

/* In the middle of what is accumulated, too. */
START_TEST(a_snapshot_brings_all_back)
{
    struct trainer *straight = trainer_of(everything[_i], 1), *t = trainer_of(everything[_i], 1);
    struct snapshot *s;

    take_steps(straight, 6);
    take_steps(t, 3);
    s = trainer_snapshot(t, false, &report);
    expect_ok(s);
    take_steps(t, 4);
    trainer_restore(t, s);
    take_steps(t, 3);
    expect_same(straight, t);
    snapshot_free(t, s);
    trainer_free(t);
    trainer_free(straight);
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
    add_tests(s, a_gradient_that_is_no_number_changes_nothing, CHANGED);
    add_tests(s, clipping_by_value_takes_what_is_infinite, 2);
    add_tests(s, no_optimiser_hides_what_is_not_finite, OPTIMIZER_COUNT);
    add_tests(s, decay_leaves_what_is_infinite, 2);
    add_test(s, decay_is_of_those_that_decay);
    add_tests(s, threads_change_no_bit, EVERYTHING);
    add_tests(s, a_length_is_of_the_whole, 2);
    add_test(s, slots_begin_as_keras_slots);
    add_test(s, parameters_become_their_averages);
    add_test(s, rows_that_are_read_again_add_up);
    add_tests(s, a_snapshot_brings_all_back, EVERYTHING);
    return s;
}
