/* Training models of other types than float: what float16 and bfloat16 hold is trained in float, double in double. */
#include "data/element.h"
#include "kiln.h"
#include "learning.h"
#include "ops/compute.h"
#include "run/session.h"
#include "scratch.h"
#include "train/fit.h"
#include "unit.h"
#include <math.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

enum { ROWS = 32 };

static const enum dtype types[] = { F32, F16, BF16, F64 };
/* How far a loss is from that in float: relative. */
static const double close_to[] = { 0, .05, .1, 5e-3 };

/* A number of an initializer: in the textual syntax those of float16 and bfloat16 are their bits. */
static int write_number(char *text, enum dtype dtype, double value)
{
    uint16_t bits;

    if (!dtype_is_storage(dtype))
        return sprintf(text, "%.9g", value);
    element_put(&bits, 0, dtype, value);
    return sprintf(text, "%d", bits);
}

/* A type by its name in the textual syntax for each '$', and numbers "{1,-0.5}" as it writes them; freed by the caller. */
static char *text_of(const char *pattern, enum dtype dtype, int opset)
{
    char *text = malloc(4096);
    int n = sprintf(text, "< ir_version: 8, opset_import: [\"\": %d] >\nnet ", opset);

    for (bool number = false; *pattern; pattern++) {
        n += *pattern == '$' ? sprintf(text + n, "%s", dtype_name(dtype)) : sprintf(text + n, "%c", *pattern);
        number = *pattern == '{' ? pattern[1] != ' ' : number && *pattern == ',';
        if (number) {
            char *end;

            n += write_number(text + n, dtype, strtod(pattern + 1, &end));
            pattern = end - 1;
            number = true;
        }
    }
    return text;
}

static struct model *model_of(const char *pattern, enum dtype dtype, int opset)
{
    char *text = text_of(pattern, dtype, opset);
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    free(text);
    return m;
}

static struct trainer *trainer_of(const char *pattern, enum dtype dtype, int opset, const struct trainer_options *o)
{
    struct model *m = model_of(pattern, dtype, opset);
    struct trainer *t = trainer_new(m, o, &report);

    expect_ok(t);
    model_free(m);
    return t;
}

/* -- learning -- */

static const char mlp[] =
    "($[N, 2] x) => ($[N, 2] logits)\n"
    "<$[2, 8] w1 = {0.5,-0.4,0.9,0.1,-0.7,0.6,-0.2,0.8,0.3,0.7,-0.6,0.4,0.2,-0.9,0.5,-0.1}, $[8] b1 = "
    "{0,0,0,0,0,0,0,0},\n"
    " $[8] scale = {1,1,1,1,1,1,1,1}, $[8] bias = {0,0,0,0,0,0,0,0}, $[8] mean = {0,0,0,0,0,0,0,0},\n"
    " $[8] var = {1,1,1,1,1,1,1,1}, $[8, 2] w2 = "
    "{0.4,-0.6,0.5,0.3,-0.2,0.7,-0.5,0.1,0.3,0.2,-0.4,0.6,0.1,-0.3,0.2,0.5},\n"
    " $[2] b2 = {0,0}>\n"
    "{ h = MatMul (x, w1)  hb = Add (h, b1)  n = BatchNormalization (hb, scale, bias, mean, var)  a = Tanh (n)\n"
    "  o = MatMul (a, w2)  logits = Add (o, b2) }";

/* The same by a layer with state, whose loop carries a weight: one number after the other. */
static const char rnn[] =
    "($[N, 2] x) => ($[N, 2] logits)\n"
    "<$[1, 4] w = {1.5,-1.4,0.9,1.1}, $[4] b = {0.1,0.2,-0.3,0.4},\n"
    " $[4, 4] u = {0.5,-0.8,0.9,0.4,-0.7,0.6,-0.2,0.8,0.3,0.7,-0.6,0.4,1.2,-0.9,0.5,-0.4},\n"
    " $[4, 2] w2 = {0.4,-0.6,0.5,0.3,-0.2,0.7,-0.5,0.1}>\n"
    "{ two = Constant <value_int = 2> ()  one = Constant <value_ints = [-1]> ()  four = Constant <value_ints = [4]> "
    "()\n"
    "  t = Transpose (x)  s = Unsqueeze (t, one)  z = Shape <end = 1> (x)  zf = Concat <axis = 0> (z, four)\n"
    "  h0 = ConstantOfShape <value = $[1] {0}> (zf)\n"
    "  h, same = Loop (two, , h0, u) <body = l (int64 i, bool c, $[N, 4] h1, $[4, 4] v) =>\n"
    "    (bool d, $[N, 4] h2, $[4, 4] v) { d = Identity (c)  g = Gather (s, i)  p = MatMul (g, w)  q = MatMul (h1, v)\n"
    "    r = Add (p, q)  rb = Add (r, b)  h2 = Tanh (rb) }>\n"
    "  logits = MatMul (h, w2) }";

/* On which side of the diagonals points lie. */
struct points {
    float x[2 * ROWS];
    int64_t y[ROWS];
    struct two_columns columns;
    struct dataset data;
};

static void draw(struct points *p)
{
    struct tensor x, y;

    for (int k = 0; k < ROWS; k++) {
        p->x[2 * k] = (float)sin(1.7 * k);
        p->x[2 * k + 1] = (float)cos(2.3 * k);
        p->y[k] = p->x[2 * k] * p->x[2 * k + 1] > 0;
    }
    ck_assert(tensor_shape(&x, F32, 2, (const int64_t[]){ ROWS, 2 }));
    ck_assert(tensor_shape(&y, I64, 1, (const int64_t[]){ ROWS }));
    x.data = p->x;
    y.data = p->y;
    p->data = dataset_of(&p->columns, &x, &y, 2, &budget);
}

static const struct recipe {
    const char *optimizer;
    int opset;
} recipes[] = {
    { "adam:learning_rate=0.02", 17 },
    { "sgd:learning_rate=0.1,momentum=0.8", 15 },
    { "rmsprop:learning_rate=0.01,momentum=0.5,centered=1", 14 },
    { "adamw:learning_rate=0.03,amsgrad=1,clipnorm=1,use_ema=1,ema_momentum=0.5,ema_overwrite_frequency=10", 17 },
    { "nadam:learning_rate=0.04,weight_decay=0.01,gradient_accumulation_steps=2", 17 },
    { "lamb:learning_rate=0.05,global_clipnorm=1,use_ema=1,ema_momentum=0.5", 17 },
};

/* The losses before and after. */
static void learn(struct trainer *t, const struct points *p, double loss[2])
{
    const struct fit_options f = { .batch = ROWS / 2, .epochs = 30, .shuffle = true, .seed = 1 };
    double scores[ALL_MEASURES];
    int64_t ran;

    expect_ok(trainer_evaluate(t, &p->data, NULL, ROWS, scores, &report));
    loss[0] = scores[0];
    expect_ok(trainer_fit(t, &p->data, NULL, NULL, &f, NULL, &ran, &report));
    expect_ok(trainer_evaluate(t, &p->data, NULL, ROWS, scores, &report));
    loss[1] = scores[0];
}

static void expect_learning(const char *text, size_t trainable, size_t states, const struct recipe *c, double least)
{
    const struct trainer_options o = { .optimizer = c->optimizer, .threads = 1, TARGET(.classes = 2) };
    double loss[COUNT(types)][2];
    struct points p;

    draw(&p);
    for (int k = 0; k < COUNT(types); k++) {
        struct trainer *t = trainer_of(text, types[k], c->opset, &o);

        ck_assert_uint_eq(t->trainable, trainable);
        ck_assert_uint_eq(t->state_count, states);
        for (size_t s = 0; s < t->state_count; s++) {
            ck_assert_int_eq(t->states[s].value.dtype, types[k] == F64 ? F64 : F32);
            ck_assert_int_eq(t->states[s].parameter->initial.dtype, types[k]);
        }
        learn(t, &p, loss[k]);
        ck_assert_msg(loss[k][1] < least * loss[k][0], "%s: %g, then %g", dtype_name(types[k]), loss[k][0], loss[k][1]);
        ck_assert_msg(fabs(loss[k][1] - loss[0][1]) <= close_to[k] * loss[0][1], "%s: %g, float: %g",
                      dtype_name(types[k]), loss[k][1], loss[0][1]);
        trainer_free(t);
    }
}

START_TEST(every_type_learns_as_float_does)
{
    expect_learning(mlp, 6, 8, &recipes[_i], .6);
}
END_TEST

START_TEST(every_type_learns_through_a_loop)
{
    expect_learning(rnn, 4, 4, &(struct recipe){ "adam:learning_rate=0.05", 17 }, .6);
}
END_TEST

/* -- what is too small for the type -- */

static const char line[] = "($[N, 1] x) => ($[N, 1] y) <$[1, 1] w = {1}> { y = MatMul (x, w) }";

/* w falls by 2 w learning_rate, in each step less than float16, bfloat16 (at 1 half of 2^-11 and of 2^-8) or float tell. */
START_TEST(small_steps_add_up)
{
    enum { STEPS = 100 };
    const enum dtype dtype = types[_i];
    const double rate = dtype == F64 ? 1e-12 : dtype == BF16 ? 1e-4 : 1e-5;
    const struct trainer_options o = { .optimizer = "sgd", .threads = 1, TARGET(.form = TARGETS_VALUES) };
    struct trainer *t = trainer_of(line, dtype, 17, &o);
    struct tensor x = t->x[0], y = t->targets->y, *w;
    double one, want = 1;
    float zero = 0;
    float got;

    element_put(&one, 0, dtype, 1);
    x.dims[0] = y.dims[0] = 1;
    x.data = &one;
    y.data = &zero;
    t->learning_rate = rate;
    for (int k = 0; k < STEPS; k++)
        expect_ok(trainer_step(t, &x, &y, &got, &report));
    w = trainer_state(t, "w", NULL);
    want = 1 - STEPS * 2 * rate;
    ck_assert_double_eq_tol(real_at(w->dtype, w->data, 0), want, .02 * (1 - want));
    trainer_free(t);
}
END_TEST

/* A file that is small because its weights are, and computes in float. */
static const char behind_cast[] =
    "(float[N, 1] x) => (float[N, 1] y) <$[1, 1] w = {1}> { f = Cast <to = 1> (w) y = MatMul (x, f) }";

START_TEST(weights_behind_a_cast_train)
{
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=0.125",
                                       .threads = 1,
                                       TARGET(.form = TARGETS_VALUES) };
    struct trainer *t = trainer_of(behind_cast, types[_i], 17, &o);
    struct tensor x = t->x[0], y = t->targets->y;
    float one = 1, zero = 0;
    const struct value *w;
    float got;
    struct model *m;

    x.dims[0] = y.dims[0] = 1;
    x.data = &one;
    y.data = &zero;
    expect_ok(trainer_step(t, &x, &y, &got, &report));
    m = trainer_export(t, &report);
    expect_ok(m && model_build(m, &report));
    w = graph_find(m->graph, "w");
    ck_assert_int_eq(w->initializer->dtype, types[_i]);
    ck_assert_double_eq(element_getter(types[_i])(w->initializer->data, 0), .75);
    model_free(m);
    trainer_free(t);
}
END_TEST

/* Statistics are as exact: a running mean moves by a thousandth of the way, in every opset. */
START_TEST(statistics_add_up)
{
    static const char norm[] =
        "($[N, 1] x) => ($[N, 1] y) <$[1] s = {1}, $[1] b = {0}, $[1] mean = {1}, $[1] var = {1}>\n"
        "{ y = BatchNormalization <momentum = 0.999> (x, s, b, mean, var) }";
    static const struct {
        enum dtype dtype;
        int opset;
    } cases[] = {
        { F32, 17 }, { F16, 17 }, { F16, 14 }, { F16, 9 }, { F16, 7 }, { BF16, 15 }, { F64, 17 }, { F64, 9 }
    };
    const struct trainer_options o = { .optimizer = "sgd", .threads = 1, TARGET(.form = TARGETS_VALUES) };
    struct trainer *t = trainer_of(norm, cases[_i].dtype, cases[_i].opset, &o);
    struct tensor x = t->x[0], y = t->targets->y, *mean;
    const float zeros[2] = { 0 };
    float got;
    double values[2];

    element_put(values, 0, x.dtype, 1);
    element_put(values, 1, x.dtype, 1.25);
    x.dims[0] = y.dims[0] = 2;
    x.data = values;
    y.data = (void *)(uintptr_t)zeros;
    for (int k = 0; k < 20; k++)
        expect_ok(trainer_step(t, &x, &y, &got, &report));
    mean = trainer_state(t, "mean", NULL);
    ck_assert_double_eq_tol(real_at(mean->dtype, mean->data, 0), 1 + .125 * (1 - pow(.999, 20)), 1e-6);
    trainer_free(t);
}
END_TEST

/* -- what is exported -- */

/* It has the types of before, holds the state rounded to them, and computes what the trainer predicts. */
START_TEST(what_is_exported_is_what_was_trained)
{
    const enum dtype dtype = types[_i];
    const struct trainer_options o = { .optimizer = "adam", .threads = 1, TARGET(.classes = 2) };
    const struct session_options one = { .threads = 1 };
    struct trainer *t = trainer_of(mlp, dtype, 17, &o);
    struct session *s;
    struct tensor x;
    struct points p;
    double loss[2], values[2 * ROWS];
    struct model *m;

    draw(&p);
    learn(t, &p, loss);
    m = trainer_export(t, &report);
    expect_ok(m && model_build(m, &report));
    for (size_t k = 0; k < t->state_count; k++) {
        const struct tensor *now = &t->states[k].value;
        const struct value *v = graph_find(m->graph, t->states[k].parameter->value->name);
        double rounded;

        ck_assert_int_eq(v->initializer->dtype, dtype);
        for (int64_t i = 0; i < tensor_count(now); i++) {
            element_put(&rounded, 0, dtype, real_at(now->dtype, now->data, i));
            ck_assert_mem_eq(&rounded, (char *)v->initializer->data + i * (int64_t)dtype_size(dtype),
                             dtype_size(dtype));
        }
    }
    for (int k = 0; k < 2 * ROWS; k++)
        element_put(values, k, dtype, (double)p.x[k]);
    ck_assert(tensor_shape(&x, dtype, 2, (const int64_t[]){ ROWS, 2 }));
    x.data = values;
    expect_ok(trainer_predict(t, &x, &report));
    s = session_new(m->graph, &one, &report);
    expect_ok(s && session_set(s, m->graph->inputs[0], &x, &report) && session_run(s, &report));
    for (int64_t k = 0; k < 2 * ROWS; k++)
        ck_assert_double_eq_tol(element_getter(dtype)(session_output(s, 0)->data, k),
                                element_getter(dtype)(trainer_output(t, 0)->data, k), dtype == F64 ? 1e-12 : 1e-5);
    session_free(s);
    model_free(m);
    trainer_free(t);
}
END_TEST

/* A master may be larger than the file's type tells. */
START_TEST(what_the_type_cannot_hold_is_not_saved)
{
    const struct trainer_options o = { .optimizer = "sgd", .threads = 1, TARGET(.form = TARGETS_VALUES) };
    struct trainer *t = trainer_of(line, _i ? BF16 : F16, 17, &o);
    struct model *m;

    *(float *)trainer_state(t, "w", NULL)->data = 1e6f;
    m = trainer_export(t, &report);
    if (_i)
        expect_ok(m);
    else
        ck_assert_ptr_null(m);
    model_free(m);
    if (!_i)
        expect_error(KILN_RUN_FAILED, "element 0 of 'w' is infinite");
    trainer_free(t);
}
END_TEST

/* That is found in the step that makes it so, not in the end; a statistic is not let that far. */
START_TEST(what_the_type_cannot_hold_ends_the_training)
{
    static const char norm[] =
        "($[N, 1] x) => ($[N, 1] y) <$[1] s = {1}, $[1] b = {0}, $[1] mean = {1}, $[1] var = {1}>\n"
        "{ y = BatchNormalization <momentum = 0.0> (x, s, b, mean, var) }";
    const struct trainer_options o = { .optimizer = "sgd:learning_rate=5e4",
                                       .threads = 1,
                                       TARGET(.form = TARGETS_VALUES) };
    struct trainer *t = trainer_of(_i & 1 ? norm : line, _i & 2 ? F32 : F16, 17, &o);
    struct tensor x = t->x[0], y = t->targets->y;
    const float labels[2] = { 0 };
    float loss;
    double values[2];
    bool ok;

    element_put(values, 0, x.dtype, _i & 1 ? 600 : 1);
    element_put(values, 1, x.dtype, _i & 1 ? -600 : 1); /* a variance of 360,000 */
    x.dims[0] = y.dims[0] = 2;
    x.data = values;
    y.data = (void *)(uintptr_t)labels;
    ok = trainer_step(t, &x, &y, &loss, &report); /* w becomes -99,999 */
    ck_assert_int_eq(ok, (_i & 2) != 0);
    if (!ok)
        expect_error(KILN_RUN_FAILED,
                     _i & 1 ? "statistic 'var' would be larger than the type in its file holds: nothing was changed"
                            : "element 0 of 'w' has become larger than the type in its file holds");
    if (_i & 1)
        ck_assert_double_eq(real_at(F32, trainer_state(t, "mean", NULL)->data, 0), _i & 2 ? 0 : 1);
    trainer_free(t);
}
END_TEST

START_TEST(the_public_functions_tell_both_types)
{
    static const kiln_dtype told[] = { KILN_FLOAT, KILN_FLOAT16, KILN_BFLOAT16, KILN_DOUBLE };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    char *text = text_of(line, types[_i], 17);
    const kiln_parameter *w;
    kiln_tensor *value;
    kiln_trainer *t;
    kiln_model *m;
    kiln_error err;

    o.values = true;
    ck_assert_int_eq(kiln_model_open_memory(&m, text, strlen(text), NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_new(&t, m, &o, &err), KILN_OK);
    w = kiln_trainer_parameter(t, 0);
    ck_assert_int_eq(w->dtype, told[_i]);
    ck_assert_int_eq(w->role, KILN_TRAINABLE);
    ck_assert_int_eq(kiln_trainer_input(t, 0)->dtype, told[_i]);
    ck_assert_int_eq(kiln_trainer_labels(t, 0)->dtype, KILN_FLOAT);
    ck_assert_int_eq(kiln_trainer_get(&value, t, "w", NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_tensor_dtype(value), types[_i] == F64 ? KILN_DOUBLE : KILN_FLOAT);
    if (types[_i] == F64)
        ck_assert_ptr_null(w->data);
    else
        ck_assert_float_eq(*w->data, 1);
    kiln_tensor_free(value);
    kiln_trainer_free(t);
    kiln_model_free(m);
    free(text);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("train_types");

    add_tests(s, every_type_learns_as_float_does, COUNT(recipes));
    add_test(s, every_type_learns_through_a_loop);
    add_tests(s, small_steps_add_up, COUNT(types));
    add_tests(s, weights_behind_a_cast_train, COUNT(types));
    add_tests(s, statistics_add_up, 8);
    add_tests(s, what_is_exported_is_what_was_trained, COUNT(types));
    add_tests(s, what_the_type_cannot_hold_is_not_saved, 2);
    add_tests(s, what_the_type_cannot_hold_ends_the_training, 4);
    add_tests(s, the_public_functions_tell_both_types, COUNT(types));
    return s;
}
