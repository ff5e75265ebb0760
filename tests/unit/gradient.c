/* Gradient as an operator: against central differences of what it differentiates, of second order too; what it refuses; and
 * a model that learns through it. */
#include "fixture.h"
#include "learning.h"
#include "scratch.h"
#include <math.h>
#include <stdio.h>

#define HEAD                                                                                                           \
    "<ir_version: 10, opset_import: [\"\": 21, \"ai.onnx.preview.training\": 1, \"f\": 1]>\n"                          \
    "g (double[N,3] x) => (t, d) <double[3,3] w = {0.3,-0.5,0.8,0.1,0.9,-0.2,-0.7,0.4,0.6}, int64[2] shape = {3,-1}, " \
    "double[1] two = {2}, double[3] row = {0.7,-0.4,1.1}> "
#define GRADIENT "ai.onnx.preview.training.Gradient "
#define BY_X(y)  "d = " GRADIENT "<xs = [\"x\"], y = \"" y "\"> (x) }"

enum { ROWS = 4, COLUMNS = 3, SIZE = ROWS * COLUMNS };

static void set_x(struct fixture *f, int64_t rows, double *x)
{
    set(f, "x", F64, 2, (int64_t[]){ rows, COLUMNS }, x);
}

static const double *result(struct fixture *f, size_t k, int64_t count)
{
    const struct tensor *t = session_output(f->session, k);

    ck_assert_int_eq(t->dtype, F64);
    ck_assert_int_eq(tensor_count(t), count);
    return t->data;
}

static double sum_of(struct fixture *f)
{
    const struct tensor *t = session_output(f->session, 0);
    double sum = 0;

    for (int64_t k = 0; k < tensor_count(t); k++)
        sum += ((const double *)t->data)[k];
    return sum;
}

/* -- as central differences -- */

/* d is the gradient of the sum of t by x. */
static const char *const right[] = {
    HEAD "{ m = MatMul (x, w) t = Tanh (m) " BY_X("t"),
    HEAD "{ t = Mul (x, x) d = " GRADIENT "<xs = [\"x\"], y = \"t\"> (x) }",
    HEAD "{ s = Shape (x) f = Reshape (x, shape) p = Mul (f, f) t = Reshape (p, s) " BY_X("t"),
    HEAD
    "{ c = Constant <value_ints = [-1]> () f = Reshape (x, c) q = Exp (f) t = ReduceSum <keepdims = 0> (q) " BY_X("t"),
    HEAD "{ s = Sin (x) t = Mul (s, s) " BY_X("t"),
    /* The chain rule by hand: through a tensor on the way, the value of which is given. */
    HEAD "{ h = Sin (x) t = Mul (h, h) dh = " GRADIENT "<xs = [\"h\"], y = \"t\"> (h) c = Cos (x) d = Mul (dh, c) }",
    /* A node makes one that is given, and one that is not. */
    HEAD "{ c = Constant <value_ints = [1,2]> () a, b = Split <axis = 1> (x, c) t = Mul (a, b)\n"
         "o = " GRADIENT "<xs = [\"a\"], zs = [\"x\"], y = \"t\"> (a, x) d = Concat <axis = 1> (o, a, a) }",
    /* At another value than that of the tensor that is named. */
    HEAD "{ q = Mul (x, two) u = Mul (q, q) t = Mul (x, x) o = " GRADIENT
         "<xs = [\"q\"], y = \"u\"> (x) d = Identity (o) }",
    HEAD
    "{ m = ReduceSum <keepdims = 0> (x) z = Sub (m, m) c = GreaterOrEqual (m, z)\n"
    "t = If (c) <then_branch = a () => (double[N,3] p) { p = Mul (x, x) }, else_branch = b () => (double[N,3] q) { "
    "q = MatMul (x, w) }> " BY_X("t"),
    HEAD "{ t, d = f.both (x) }\n<domain: \"f\", opset_import: [\"\": 21, \"ai.onnx.preview.training\": 1]>\n"
         "both (a) => (t, d) { s = Sin (a) t = Mul (s, a) d = " GRADIENT "<xs = [\"a\"], y = \"t\"> (a) }",
    /* What is constant in pieces: zero. */
    HEAD "{ t = Floor (x) " BY_X("t"),
    HEAD "{ q = Add (x, x) t = " GRADIENT "<xs = [\"x\"], y = \"q\"> (x) " BY_X("t"),
    /* Of second order: t is a gradient. */
    HEAD "{ q = Tanh (x) t = " GRADIENT "<xs = [\"x\"], y = \"q\"> (x) " BY_X("t"),
    HEAD "{ s = Exp (x) q = Mul (s, x) t = " GRADIENT "<xs = [\"x\"], y = \"q\"> (x) " BY_X("t"),
    HEAD "{ m = Mul (x, row) s = Exp (m) a = ReduceSum <keepdims = 0> (s) q = Mul (a, s) t = " GRADIENT
         "<xs = [\"x\"], y = \"q\"> (x) " BY_X("t"),
    /* Of what no label counts for, which is no number. */
    HEAD
    "{ k = ArgMax <axis = 1, keepdims = 0> (x) o = Sub (k, k) q = SoftmaxCrossEntropyLoss <ignore_index = 0> (x, o)\n"
    "t = " GRADIENT "<xs = [\"x\"], y = \"q\"> (x) " BY_X("t"),
    /* Of third. */
    HEAD "{ e = Exp (x) q = Mul (e, x) r = " GRADIENT "<xs = [\"x\"], y = \"q\"> (x) t = " GRADIENT
         "<xs = [\"x\"], y = \"r\"> (x) " BY_X("t"),
    /* By a weight first. */
    HEAD "{ m = Mul (x, row) q = Exp (m) t = " GRADIENT "<xs = [\"row\"], zs = [\"x\"], y = \"q\"> (row, x)\n"
         "n, d = " GRADIENT "<xs = [\"row\", \"x\"], y = \"t\"> (row, x) }",
    /* In a subgraph. */
    HEAD
    "{ m = ReduceSum <keepdims = 0> (x) z = Sub (m, m) c = GreaterOrEqual (m, z)\n"
    "t, d = If (c) <then_branch = a () => (double[N,3] p, double[N,3] o) { k = Identity (x) p = Cos (k) o = " GRADIENT
    "<xs = [\"k\"], y = \"p\"> (k) }, else_branch = b () => (double[N,3] q, double[N,3] r) { q = Identity (x) r = "
    "Identity (x) }> }",
};

static void compare(struct fixture *f, int64_t rows)
{
    double x[SIZE], d[SIZE];

    for (int k = 0; k < SIZE; k++)
        x[k] = sin(1.7 * k + .3) * .9 + .2;
    set_x(f, rows, x);
    run_ok(f);
    memcpy(d, result(f, 1, rows * COLUMNS), (size_t)(rows * COLUMNS) * sizeof *d);
    for (int k = 0; k < rows * COLUMNS; k++) {
        const double before = x[k], h = 1e-5;
        double up, down;

        x[k] = before + h;
        run_ok(f);
        up = sum_of(f);
        x[k] = before - h;
        run_ok(f);
        down = sum_of(f);
        x[k] = before;
        ck_assert_msg(fabs((up - down) / (2 * h) - d[k]) < 1e-7, "model %s: [%d] is %g, must be %g",
                      f->model->graph->path, k, d[k], (up - down) / (2 * h));
    }
}

START_TEST(gradients_are_as_central_differences)
{
    struct fixture f;

    begin(&f, right[_i]);
    compare(&f, ROWS);
    compare(&f, 2); /* another shape needs another graph of gradients */
    compare(&f, ROWS);
    end(&f);
}
END_TEST

/* -- random numbers -- */

START_TEST(it_draws_what_is_drawn_around_it)
{
    double x[SIZE];
    struct fixture f;

    begin(&f, HEAD "{ r = RandomUniformLike (x) t = Mul (x, r) " BY_X("t"));
    for (int k = 0; k < SIZE; k++)
        x[k] = 1 + k;
    set_x(&f, ROWS, x);
    for (int run = 0; run < 2; run++) {
        run_ok(&f);
        for (int k = 0; k < SIZE; k++)
            ck_assert_double_eq_tol(result(&f, 0, SIZE)[k], x[k] * result(&f, 1, SIZE)[k], 1e-12);
    }
    end(&f);
}
END_TEST

/* -- what it refuses -- */

static const struct {
    const char *text, *says;
} at_load[] = {
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"z\"], y = \"t\"> (x) }", "no tensor has the name 'z' here" },
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"x\"], y = \"u\"> (x) }", "no tensor has the name 'u' here" },
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"x\"]> (x) }", "attribute 'y' is missing" },
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"x\"], y = \"t\"> (x, w) }", "2 inputs, must have 1" },
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"x\", \"x\"], y = \"t\"> (x, x) }", "tensor 'x' is named twice" },
    { HEAD "{ t = Sin (x) e, d = " GRADIENT "<xs = [\"x\"], zs = [\"w\"], y = \"t\"> (x, w) }",
      "2 outputs, 'xs' names 1" },
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"w\"], y = \"t\"> (w) }", "'t' does not depend on 'w'" },
    { HEAD "{ t = Sin (x) d = " GRADIENT "<xs = [\"x\"], y = \"t\", z = 1> (x) }", "attribute 'z' is unknown" },
};

START_TEST(what_cannot_be_is_told_when_loading)
{
    struct report r = { 0 };
    struct model *m = model_read_bytes(at_load[_i].text, strlen(at_load[_i].text), NULL, &r);

    ck_assert(m && !model_build(m, &r));
    ck_assert_msg(strstr(r.error.message, at_load[_i].says) != NULL, "'%s', must say '%s'", r.error.message,
                  at_load[_i].says);
    ck_assert_ptr_nonnull(strstr(r.error.where, "Gradient"));
    model_free(m);
}
END_TEST

static const struct {
    const char *text, *says;
} at_run[] = {
    { HEAD "{ t = Shape (x) " BY_X("t"), "'t' is int64[2], must be float" },
    { HEAD "{ c = Constant <value_ints = [1,1,3]> () o = Constant <value_ints = [1,1,1]> () v = Reshape (row, c)\n"
           "r = Reshape (two, o) n = Constant <value_ints = [5000,1,3]> () m = ReduceSum (x) e = Expand (m, n)\n"
           "h = RNN <hidden_size = 1> (e, v, r) t = " GRADIENT "<xs = [\"x\"], y = \"h\"> (x) " BY_X("t"),
      "goes through 5000 steps, at most 4096 are supported" },
};

START_TEST(what_has_no_gradient_is_told)
{
    double x[9] = { 1, 0, 0, 0, 2, 0, 0, 0, 3 };
    struct fixture f;

    begin(&f, at_run[_i].text);
    set_x(&f, 3, x);
    run_fails(&f, KILN_UNSUPPORTED, at_run[_i].says);
    ck_assert(*f.report.error.where);
    end(&f);
}
END_TEST

/* Nodes of gradients of gradients multiply. */
START_TEST(orders_end)
{
    char text[4096];
    struct report r = { 0 };
    struct model *m;
    int n = snprintf(text, sizeof text, "%s{ t = Exp (x) d0 = Identity (t) ", HEAD);

    for (int k = 0; k < 9; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "d%s = " GRADIENT "<xs = [\"x\"], y = \"d%d\"> (x) ",
                      k == 8 ? "" : (const char[]){ (char)('1' + k), 0 }, k);
    snprintf(text + n, sizeof text - (size_t)n, "}");
    m = model_read_bytes(text, strlen(text), NULL, &r);
    ck_assert(m && !model_build(m, &r));
    ck_assert_msg(strstr(r.error.message, "a gradient of order 9") != NULL, "%s", r.error.message);
    model_free(m);
}
END_TEST

/* -- learning -- */

/* What learns is the slope: of q(x) = (x w)^2, 2 (x w) w. */
START_TEST(a_slope_is_learnt)
{
    static const char text[] =
        "<ir_version: 10, opset_import: [\"\": 21, \"ai.onnx.preview.training\": 1]>\n"
        "g (float[N,2] x) => (float[N,2] d) <float[2] w = {0.5,0.4}, int64[1] last = {-1}> { p = Mul (x, w) m = "
        "ReduceSum (p, last) q = Mul (m, m) d = " GRADIENT "<xs = [\"x\"], y = \"q\"> (x) }";
    const struct trainer_options o = { .optimizer = "adam:learning_rate=0.05",
                                       .threads = 1,
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    float data[16], slopes[16], loss = 1;
    struct trainer *t;
    struct tensor x, y;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    ck_assert_uint_eq(t->trainable, 1);
    for (int k = 0; k < 16; k++)
        data[k] = sinf((float)k);
    for (int k = 0; k < 8; k++)
        for (int j = 0; j < 2; j++)
            slopes[2 * k + j] = 2 * (data[2 * k] * 1.5f - data[2 * k + 1] * .5f) * (j ? -.5f : 1.5f);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = 8;
    x.data = data;
    y.data = slopes;
    for (int k = 0; k < 400; k++)
        expect_ok(trainer_step(t, &x, &y, &loss, &report));
    ck_assert_msg(loss < 1e-4f, "%g", (double)loss);
    trainer_free(t);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("gradient");

    add_tests(s, gradients_are_as_central_differences, sizeof right / sizeof *right);
    add_test(s, it_draws_what_is_drawn_around_it);
    add_tests(s, what_cannot_be_is_told_when_loading, sizeof at_load / sizeof *at_load);
    add_tests(s, what_has_no_gradient_is_told, sizeof at_run / sizeof *at_run);
    add_test(s, orders_end);
    add_test(s, a_slope_is_learnt);
    return s;
}
