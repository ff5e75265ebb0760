/* Gradients through values whose sizes only running tells: of a Gradient node against central differences, and of what is trained
 * against PyTorch. */
#include "fixture.h"
#include "learning.h"
#include "scratch.h"
#include "train/step_file.h"
#include "train/training_info.h"
#include "train/training_program.h"
#include <math.h>
#include <stdio.h>

/* -- a Gradient node, against central differences -- */

#define HEAD                                                                                                           \
    "<ir_version: 10, opset_import: [\"\": 18, \"ai.onnx.preview.training\": 1]>\n"                                    \
    "g (double[N,3] x) => (t, d) <double[3,2] w = {0.3,-0.5,0.8,0.1,0.9,-0.2}, double half = {0.4}, double one = "     \
    "{1}, "                                                                                                            \
    "int64[1] zero = {0}, int64[1] next = {1}, int64[1] three = {3}, int64[1] all = {-1}, double[3] row = "            \
    "{0.7,-0.4,1.1}> "
#define BY_X "d = ai.onnx.preview.training.Gradient <xs = [\"x\"], y = \"t\"> (x) }"
/* How many numbers are above 0.4, a vector; those that are, by their places. */
#define COUNT                                                                                                          \
    "above = Greater (x, half) whole = Cast <to = 7> (above) n0 = ReduceSum <keepdims = 0> (whole)\n"                  \
    "n = Unsqueeze (n0, zero) "
#define CHOSEN "above = Greater (x, half) nz = NonZero (above) at = Transpose (nz) v = GatherND (x, at) "

enum { ROWS = 4, COLUMNS = 3, SIZE = ROWS * COLUMNS };

/* d is the gradient of the sum of t by x. */
static const char *const right[] = {
    /* a shape from outside that planning tells, but not before it runs what is differentiated */
    HEAD "{ s = Shape (x) m = Neg (x) u = Neg (m) q = Reshape (u, s) t = Mul (q, q)\n"
         "d = ai.onnx.preview.training.Gradient <xs = [\"u\"], y = \"t\"> (u) }",
    /* a mask, and what is made of what it leaves */
    HEAD "{ " CHOSEN "t = Mul (v, v) " BY_X,
    HEAD
    "{ above = Greater (x, half) flat = Reshape (above, all) v = Compress (x, flat) r = Sin (v) t = Mul (r, v)\n" BY_X,
    HEAD "{ " CHOSEN "s = Sin (v) m = ReduceMean <keepdims = 0> (s) q = Mul (x, m) t = Tanh (q) " BY_X,
    /* put back to where it was */
    HEAD "{ " CHOSEN "s = Exp (v) t = ScatterND (x, at, s) " BY_X,
    /* one choice behind the other: of what has been chosen those that are above 0.8 */
    HEAD "{ " CHOSEN "more = Add (half, half) b = Greater (v, more) i2 = NonZero (b) f2 = Squeeze (i2, zero)\n"
         "u = Gather (v, f2) p = Mul (u, u) q = ReduceSum <keepdims = 0> (p) o = Mul (v, q) t = Sin (o) " BY_X,
    /* sizes that are computed: of Slice, Expand, Pad, TopK, Range, Reshape, Tile, Resize, Split */
    HEAD "{ " COUNT "f = Reshape (x, all) s = Slice (f, zero, n) t = Mul (s, s) " BY_X,
    HEAD "{ " COUNT "m = ReduceSum (x) r = Reshape (m, next) e = Expand (r, n) t = Mul (e, e) " BY_X,
    HEAD "{ " COUNT "p = Concat <axis = 0> (zero, n, next, zero) q = Pad (x, p) t = Exp (q) " BY_X,
    HEAD "{ " COUNT "f = Reshape (x, all) v, i = TopK (f, n) t = Mul (v, v) " BY_X,
    HEAD "{ s = ReduceSum <keepdims = 0> (x) q = Mul (s, half) m = Abs (q) k = Add (one, one) g0 = Add (m, k)\n"
         "b = Add (g0, half) r = Range (m, b, one) t = Mul (r, r) " BY_X,
    HEAD "{ " COUNT
         "p = Concat <axis = 0> (n, next) m = ReduceSum <keepdims = 1> (x) q = Tile (m, p) t = Sin (q) " BY_X,
    HEAD "{ " COUNT "rows = Shape <end = 1> (x) f = Add (rows, n) z = Concat <axis = 0> (f, three)\n"
         "q = Resize <mode = \"linear\"> (x, , , z) t = Mul (q, q) " BY_X,
    HEAD
    "{ " COUNT "f = Reshape (x, all) a0 = Size (f) a1 = Reshape (a0, next) rest = Sub (a1, n)\n"
    "p = Concat <axis = 0> (n, rest) a, b = Split (f, p) c = Mul (a, a) e = Sin (b) t = Concat <axis = 0> (c, e) " BY_X,
    /* a shape of which planning tells not even how many numbers it has */
    HEAD "{ " COUNT
         "two = Concat <axis = 0> (n, n) z = Unique (two) m = ReduceSum <keepdims = 1> (x) r = Reshape (m, next)\n"
         "e = Expand (r, z) t = Mul (e, e) " BY_X,
    /* each number once, in the order of their size, and as they come */
    HEAD "{ u = Unique (x) p = Mul (u, u) c = ReduceMean <keepdims = 0> (p) q = Mul (u, c) t = Sin (q) " BY_X,
    HEAD "{ u, i, v, k = Unique <axis = 0, sorted = 0> (x) m = MatMul (u, w) t = Tanh (m) " BY_X,
    /* branches of different shapes */
    HEAD
    "{ m = ReduceSum <keepdims = 0> (x) c = Greater (half, m) b = Greater (m, half) o = Or (c, b)\n"
    "t = If (o) <then_branch = a () => (double[N,3] p) { p = Mul (x, x) }, else_branch = b () => (double[3] q) { q = "
    "Identity (row) }> " BY_X,
    /* a loop with as many iterations as are counted, of which each gives a row */
    HEAD "{ " COUNT "m = Identity (n0) y0 = ReduceSum <keepdims = 0> (x)\n"
         "y, z = Loop (m, , y0) <body = b (int64 i, bool go, double c) => (bool on, double e, double r) { on = "
         "Identity (go)\n"
         "s = Sin (c) e = Add (s, half) r = Mul (c, c) }> q = Sin (z) t = Mul (q, y) " BY_X,
    /* boxes that are left over */
    HEAD
    "{ five = Constant <value_ints = [1,2]> () b0 = Constant <value = double[4,1] {0,0.1,5,7}> ()\n"
    "l0 = Constant <value = double[1,4] {0,0,1,1}> () b = Add (b0, l0) bf = Cast <to = 1> (b) f3 = Cast <to = 1> (x)\n"
    "sh = Constant <value_ints = [1,4,4]> () bb = Reshape (bf, sh) c0 = Slice (f3, zero, next, next)\n"
    "cs = Constant <value_ints = [1,1,4]> () sc = Reshape (c0, cs) k = Constant <value_ints = [9]> ()\n"
    "io = Constant <value = float {0.5}> () nm = NonMaxSuppression (bb, sc, k, io) two = Constant <value_ints = [2]> "
    "()\n"
    "bx = Gather <axis = 1> (nm, two) ix = Reshape (bx, all) v = Gather (x, ix) t = Mul (v, v) " BY_X,
    /* parts of a sequence, and one of them */
    HEAD "{ " COUNT
         "i0 = Sub (n0, n0) q = SplitToSequence <axis = 0> (x, n0) a = SequenceAt (q, i0) t = Mul (a, a) " BY_X,
};

static double sum_of(struct fixture *f)
{
    const struct tensor *t = session_output(f->session, 0);
    double sum = 0;

    for (int64_t k = 0; k < tensor_count(t); k++)
        sum += ((const double *)t->data)[k];
    return sum;
}

/* x as it is for the seed, which decides how many are above. */
static void compare(struct fixture *f, double seed)
{
    const struct tensor *out;
    double x[SIZE], d[SIZE];

    for (int k = 0; k < SIZE; k++)
        x[k] = sin(seed * k + .3) * .9 + .2;
    set(f, "x", F64, 2, (int64_t[]){ ROWS, COLUMNS }, x);
    run_ok(f);
    out = session_output(f->session, 1);
    ck_assert_int_eq(tensor_count(out), SIZE);
    memcpy(d, out->data, sizeof d);
    for (int k = 0; k < SIZE; k++) {
        const double before = x[k], h = 1e-5;
        double up, down;

        x[k] = before + h;
        run_ok(f);
        up = sum_of(f);
        x[k] = before - h;
        run_ok(f);
        down = sum_of(f);
        x[k] = before;
        ck_assert_msg(fabs((up - down) / (2 * h) - d[k]) < 1e-6, "[%d] is %g, must be %g", k, d[k],
                      (up - down) / (2 * h));
    }
}

START_TEST(gradients_are_as_central_differences)
{
    struct fixture f;

    begin(&f, right[_i]);
    compare(&f, 1.7);
    compare(&f, 1.7);
    compare(&f, 2.3); /* other sizes need another graph of gradients */
    compare(&f, 1.7);
    end(&f);
}
END_TEST

/* -- Unique -- */

/* Of those that are the same the first one is what Y has: the others change nothing. */
START_TEST(of_equal_ones_the_first_has_the_gradient)
{
    static const struct {
        const char *attributes, *more;
        double d[SIZE];
    } cases[] = {
        { "sorted = 1", "q = Mul (u, k)", { 1, 2, 0, 3, 0, 0, 5, 6, 0, 0, 0, 4 } },
        { "sorted = 0", "q = Mul (u, k)", { 1, 2, 0, 3, 0, 0, 4, 5, 0, 0, 0, 6 } },
        { "axis = 0", "q = MatMul (r, u)", { 2, 2, 2, 3, 3, 3, 1, 1, 1, 0, 0, 0 } },
    };
    double x[3][SIZE] = { { -1, 0, 0, 1, -1, 0, 7, 8, 8, 1, 0, 5 },
                          { -1, 0, 0, 1, -1, 0, 7, 8, 8, 1, 0, 5 },
                          { 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6 } };
    const double *d;
    struct fixture f;
    char text[1000];

    snprintf(text, sizeof text,
             "<ir_version: 10, opset_import: [\"\": 18, \"ai.onnx.preview.training\": 1]>\n"
             "g (double[N,3] x) => (t, d) <double[6] k = {1,2,3,4,5,6}, double[1,3] r = {1,2,3}> {\n"
             "u = Unique <%s> (x) %s t = Identity (q) " BY_X,
             cases[_i].attributes, cases[_i].more);
    begin(&f, text);
    set(&f, "x", F64, 2, (int64_t[]){ ROWS, COLUMNS }, x[_i]);
    run_ok(&f);
    d = session_output(f.session, 1)->data;
    for (int k = 0; k < SIZE; k++)
        ck_assert_msg(d[k] == cases[_i].d[k], "[%d] is %g, must be %g", k, d[k], cases[_i].d[k]);
    end(&f);
}
END_TEST

/* -- training -- */

#define NETWORK                                                                                                        \
    "<ir_version: 8, opset_import: [\"\": 17]>\n"                                                                      \
    "g (float[N,3,2] x) => (float[N,3] y) <float[2,3] w1 = {0.5,-0.3,0.8,0.2,0.6,-0.7}, float[3] b1 = "                \
    "{0.1,-0.2,0.3},\n"                                                                                                \
    " float[2,3] w2 = {0.4,-0.6,0.9,0.7,0.2,-0.5}, float zero = {0}, int64 first = {0}, int64[1] rows = {0}> {\n"

static void ok(bool is)
{
    ck_assert_msg(is && !failed(&report), "%s: %s", report.error.where, report.error.message);
}

static struct trainer *trainer_for(const char *text, const struct trainer_options *o)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct trainer *t;

    ok(m && model_build(m, &report));
    t = trainer_new(m, o, &report);
    model_free(m);
    ok(t);
    return t;
}

enum { MOST = 4 }; /* samples */

/* x and y. */
static const struct tensor *batch_of(int64_t samples, double seed)
{
    static float x[MOST * 6], y[MOST * 3];
    static struct tensor both[2];

    for (int k = 0; k < MOST * 6; k++)
        x[k] = (float)sin(1.3 * k + seed);
    for (int k = 0; k < MOST * 3; k++)
        y[k] = (float)cos(.7 * k + seed);
    both[0] = (struct tensor){ .dtype = F32, .rank = 3, .dims = { samples, 3, 2 }, .data = x };
    both[1] = (struct tensor){ .dtype = F32, .rank = 2, .dims = { samples, 3 }, .data = y };
    return both;
}

static float step(struct trainer *t, int64_t samples, double seed)
{
    const struct tensor *batch = batch_of(samples, seed);
    float loss;

    ok(trainer_step(t, &batch[0], &batch[1], &loss, &report));
    return loss;
}

/* Positions whose first feature is above 0 go through a layer; of what that makes the rows count that begin with a number above
 * 0. PyTorch's numbers, with boolean masks, in float64. */
static const char masked[] = NETWORK
    " a = Gather <axis = 2> (x, first) m = Greater (a, zero) i = NonZero (m) at = Transpose (i) v = GatherND (x, at)\n"
    " z = MatMul (v, w1) s = Add (z, b1) h = Tanh (s) c = Gather <axis = 1> (h, first) n = Greater (c, zero)\n"
    " u = Compress <axis = 0> (h, n) p = ReduceSum <keepdims = 0> (u, rows) o = ReduceMean <axes = [1], keepdims = 0> "
    "(x)\n"
    " q = MatMul (o, w2) y = Mul (q, p) }";

static const struct {
    int samples;
    double seed, loss;
} batches[] = { { 4, 0, 0.714007167 }, { 2, .5, 0.579992895 }, { 4, 1, 0.498923277 }, { 4, 0, 0.658299734 } };

enum { BATCHES = sizeof batches / sizeof *batches };

static void compare_with(struct trainer *t, const char *name, const double *want, int count)
{
    const float *got = trainer_state(t, name, NULL)->data;

    for (int k = 0; k < count; k++)
        ck_assert_double_eq_tol((double)got[k], want[k], 1e-6);
}

START_TEST(masks_train_as_in_pytorch)
{
    static const double w1[] = { 0.445891862, -0.261536537, 0.779466671, 0.181481515, 0.621874853, -0.717637858 },
                        b1[] = { 0.023993574, -0.147654280, 0.269950659 },
                        w2[] = { 0.326382856, -0.579942478, 0.854780343, 0.678545314, 0.210240523, -0.534830266 };
    float first[6];

    for (int run = 0; run < 4; run++) { /* the same by any number of threads, and where it is made again */
        const struct trainer_options o = { .threads = 1 + run % 2 * 2,
                                           .recompute = run > 1,
                                           .optimizer = "sgd:learning_rate=0.1",
                                           TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
        struct trainer *t = trainer_for(masked, &o);

        for (int k = 0; k < BATCHES; k++)
            ck_assert_double_eq_tol((double)step(t, batches[k].samples, batches[k].seed), batches[k].loss, 1e-6);
        compare_with(t, "w1", w1, 6);
        compare_with(t, "b1", b1, 3);
        compare_with(t, "w2", w2, 6);
        if (!run)
            memcpy(first, trainer_state(t, "w1", NULL)->data, sizeof first);
        ck_assert_mem_eq(first, trainer_state(t, "w1", NULL)->data, sizeof first);
        trainer_free(t);
    }
}
END_TEST

/* A file may say how it is trained, with the standard's Gradient; in operators alone a step has known sizes. */
START_TEST(a_file_says_how_it_is_trained)
{
    const struct trainer_options o = { .threads = 1,
                                       .optimizer = "sgd:learning_rate=0.1",
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    const struct session_options one = { .threads = 1 };
    struct trainer *t = trainer_for(masked, &o);
    struct model *m = trainer_described(t, &report);
    struct report r = { 0 };
    struct training_info *info;

    ok(m && model_build(m, &report));
    info = training_info_new(m, &one, &report);
    ok(info);
    for (int k = 0; k < BATCHES; k++) {
        ok(training_info_step(info, batch_of(batches[k].samples, batches[k].seed), &report));
        ck_assert_double_eq_tol((double)*(const float *)training_info_result(info, 0)->data, batches[k].loss, 1e-6);
    }
    training_info_free(info);
    model_free(m);
    ck_assert(!trainer_step_model(t, 4, &r) && r.error.code == KILN_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(r.error.message, "made for known ones"));
    trainer_free(t);
}
END_TEST

/* Dropout behind them is of Kiln's own operators, which are written by their types. */
START_TEST(what_has_no_types_is_not_written)
{
    static const char text[] = NETWORK
        " a = Gather <axis = 2> (x, first) m = Greater (a, zero) i = NonZero (m) at = Transpose (i)\n"
        " v = GatherND (x, at) e = Dropout (v) z = MatMul (e, w1) s = Add (z, b1) p = ReduceSum <keepdims = 0> (s, "
        "rows)\n"
        " o = ReduceMean <axes = [1], keepdims = 0> (x) q = MatMul (o, w2) y = Mul (q, p) }";
    const struct trainer_options o = { .threads = 1, TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct trainer *t = trainer_for(text, &o);
    struct report r = { 0 };

    ck_assert(isfinite(step(t, 4, 1)));
    ck_assert(!trainer_described(t, &r) && r.error.code == KILN_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(r.error.message, "only running tells its sizes"));
    ck_assert_ptr_nonnull(strstr(r.error.where, "Dropout"));
    trainer_free(t);
}
END_TEST

/* One program is kept for each number of samples, whatever its sizes are, and none is made again for sizes that are the same. */
START_TEST(programs_are_kept_as_long_as_sizes_stay)
{
    const struct trainer_options o = { .threads = 1,
                                       .optimizer = "sgd:learning_rate=0",
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct trainer *t = trainer_for(masked, &o);
    const struct training_program *p;
    float loss[2];

    loss[0] = step(t, 4, 0);
    p = t->programs;
    loss[1] = step(t, 4, 0);
    ck_assert(t->programs == p && !p->next && loss[0] == loss[1]);
    step(t, 4, 1.2); /* others are above 0 */
    p = t->programs;
    ck_assert(p && !p->next);
    step(t, 2, 0);
    ck_assert(t->programs->next == p);
    ck_assert(step(t, 4, 0) == loss[0]);
    trainer_free(t);
}
END_TEST

/* Nothing is left over: what comes of it is a sum of nothing, and has no gradient. */
START_TEST(nothing_may_be_left)
{
    static const char text[] = NETWORK
        " ten = Constant <value_float = 10.0> () a = Gather <axis = 2> (x, first) m = Greater (a, ten) i = NonZero "
        "(m)\n"
        " at = Transpose (i) v = GatherND (x, at) z = MatMul (v, w1) s = Add (z, b1) h = Tanh (s)\n"
        " p = ReduceSum <keepdims = 0> (h, rows) o = ReduceMean <axes = [1], keepdims = 0> (x) q = MatMul (o, w2)\n"
        " y = Add (q, p) }";
    const struct trainer_options o = { .threads = 1,
                                       .keep_gradients = true,
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct trainer *t = trainer_for(text, &o);

    step(t, 3, 0);
    for (int k = 0; k < 6; k++) {
        ck_assert(((const float *)trainer_gradient(t, "w1")->data)[k] == 0);
        ck_assert(((const float *)trainer_gradient(t, "w2")->data)[k] != 0);
    }
    trainer_free(t);
}
END_TEST

/* What decides the sizes is drawn once: of what Dropout has left over no element is 0. */
START_TEST(what_is_drawn_is_the_same_for_sizes_and_for_values)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                               "g (float[N,3,2] x) => (float[N,3] y) <float[2,3] w1 = {0.5,0.3,0.8,0.2,0.6,0.7}, float "
                               "zero = {0}, float half = {0.5},\n"
                               " bool on = {1}, int64[1] axis = {1}, int64[1] all = {-1}> {\n"
                               " a = Abs (x) z = MatMul (a, w1) d = Dropout (z, half, on) m = Greater (d, zero) i = "
                               "NonZero (m) at = Transpose (i)\n"
                               " v = GatherND (d, at) r = Log (v) k = ReduceSum <keepdims = 0> (r, all) o = ReduceMean "
                               "<axes = [1], keepdims = 0> (z)\n"
                               " y = Add (o, k) }";
    const struct trainer_options o = { .threads = 1,
                                       .seed = 7,
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct trainer *t = trainer_for(text, &o);

    for (int k = 0; k < 5; k++)
        ck_assert(isfinite(step(t, 4, k)));
    trainer_free(t);
}
END_TEST

/* Labels of -1 do not count. */
START_TEST(a_loss_may_choose_its_rows)
{
    enter_scratch();
    {
        static const char loss[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                                   "loss (float[N,3] y_true, float[N,3] y_pred) => (float l) <float least = {-0.5}> { "
                                   "m = Greater (y_true, least)\n"
                                   " i = NonZero (m) at = Transpose (i) a = GatherND (y_true, at) b = GatherND "
                                   "(y_pred, at) d = Sub (a, b) q = Mul (d, d)\n"
                                   " l = ReduceMean <keepdims = 0> (q) }";
        static const char text[] = NETWORK " o = ReduceMean <axes = [1], keepdims = 0> (x) y = MatMul (o, w2) }";
        struct trainer_options o = { .threads = 1,
                                     .keep_gradients = true,
                                     TARGET(.loss = "graph:loss.onnxtxt", .form = TARGETS_VALUES) };
        FILE *f = fopen("loss.onnxtxt", "w");
        double want = 0;
        struct trainer *t;
        float got;
        int count = 0;

        ck_assert(f && fputs(loss, f) >= 0 && fclose(f) == 0);
        t = trainer_for(text, &o);
        got = step(t, 4, 0);
        for (int n = 0; n < 4; n++)
            for (int c = 0; c < 3; c++) {
                static const double w2[] = { 0.4, -0.6, 0.9, 0.7, 0.2, -0.5 };
                const double label = cos(.7 * (3 * n + c));
                double y = 0;

                for (int p = 0; p < 3; p++)
                    for (int j = 0; j < 2; j++)
                        y += sin(1.3 * (6 * n + 2 * p + j)) / 3 * w2[3 * j + c];
                want += label > -.5 ? (label - y) * (label - y) : 0;
                count += label > -.5;
            }
        ck_assert_double_eq_tol((double)got, want / count, 1e-5);
        step(t, 4, 2);
        trainer_free(t);
    }
    leave_scratch();
}
END_TEST

/* -- what does not hold -- */

/* Running sees to it that what was found holds. */
START_TEST(what_is_taken_for_granted_must_hold)
{
    static const char *const models[] = {
        "<ir_version: 10, opset_import: [\"\": 18]> g (float[N] x) => (y) { u = Unique (x) y = Neg (u) }",
        "<ir_version: 10, opset_import: [\"\": 18]> g (float[N] x) => (y) <float zero = {0}> { m = ReduceSum <keepdims "
        "= 0> (x) c = "
        "Greater (m, zero) u = If (c) <then_branch = a () => (p) { p = Identity (x) }, else_branch = b () => (q) { q = "
        "ReduceSum (x) }>"
        " y = Neg (u) }",
    };
    static const struct tensor three = { .dtype = F32, .rank = 1, .dims = { 3 } };
    struct fixture f;
    float x[] = { 1, 2, 3, 3 };

    begin(&f, models[_i]);
    graph_find(f.model->graph, "u")->found = &three;
    session_free(f.session);
    f.session = session_new(f.model->graph, &(struct session_options){ .threads = 1 }, &f.report);
    set(&f, "x", F32, 1, (int64_t[]){ 3 + !_i }, x);
    run_ok(&f); /* three different ones */
    ck_assert_float_eq(floats(&f, 0, 3)[1], -2);
    x[2] = 2;
    if (_i)
        set(&f, "x", F32, 1, (int64_t[]){ 4 }, x);
    x[3] = 2;
    run_fails(&f, KILN_RUN_FAILED, "was planned as float[3]");
    end(&f);
}
END_TEST

/* -- what it refuses -- */

static const struct {
    const char *text, *says;
} wrong[] = {
    { HEAD "{ " CHOSEN
           "e = Exp (v) s = Mul (e, v) q = ai.onnx.preview.training.Gradient <xs = [\"x\"], y = \"s\"> (x)\n"
           "t = Mul (q, x) " BY_X,
      "no gradient goes through a gradient" },
    /* within a branch, and within a loop */
    { HEAD
      "{ m = ReduceSum <keepdims = 0> (x) c = Greater (m, one) s = If (c) <then_branch = a () => (double p) { above = "
      "Greater (x, half) nz = NonZero (above) at = Transpose (nz) v = GatherND (x, at) e = Exp (v) p = ReduceMean "
      "<keepdims = 0> (e) }, else_branch = b () => (double q) { q = ReduceMax <keepdims = 0> (x) }> t = Mul (x, "
      "s) " BY_X,
      "has a size that only running can tell" },
    { HEAD
      "{ t = Scan <num_scan_inputs = 1, body = b (double[3] e) => (double[3] r) { above = Greater (e, half) nz = "
      "NonZero "
      "(above) at = Transpose (nz) v = GatherND (e, at) s = ReduceMean <keepdims = 0> (v) r = Mul (e, s) }> (x) " BY_X,
      "has a size that only running can tell" },
    /* captured by a branch within a loop */
    { HEAD
      "{ t = Scan <num_scan_inputs = 1, body = b (double[3] e) => (double[3] r) { above = Greater (e, half) nz = "
      "NonZero "
      "(above) at = Transpose (nz) v = GatherND (e, at) u = ReduceSum <keepdims = 0> (e) c = Greater (u, half) s = If "
      "(c) "
      "<then_branch = p () => (double k) { k = ReduceMax <keepdims = 0> (v) }, else_branch = q () => (double l) { l = "
      "ReduceMin <keepdims = 0> (e) }> r = Mul (e, s) }> (x) " BY_X,
      "size that only running can tell" },
};

START_TEST(what_has_no_gradient_is_told)
{
    double x[SIZE];
    struct fixture f;

    for (int k = 0; k < SIZE; k++)
        x[k] = sin(k) + .5;
    begin(&f, wrong[_i].text);
    set(&f, "x", F64, 2, (int64_t[]){ ROWS, COLUMNS }, x);
    run_fails(&f, KILN_UNSUPPORTED, wrong[_i].says);
    ck_assert(*f.report.error.where);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sizes");

    add_tests(s, gradients_are_as_central_differences, sizeof right / sizeof *right);
    add_tests(s, of_equal_ones_the_first_has_the_gradient, 3);
    add_test(s, masks_train_as_in_pytorch);
    add_test(s, a_file_says_how_it_is_trained);
    add_test(s, what_has_no_types_is_not_written);
    add_test(s, programs_are_kept_as_long_as_sizes_stay);
    add_test(s, nothing_may_be_left);
    add_test(s, what_is_drawn_is_the_same_for_sizes_and_for_values);
    add_test(s, a_loss_may_choose_its_rows);
    add_tests(s, what_is_taken_for_granted_must_hold, 2);
    add_tests(s, what_has_no_gradient_is_told, sizeof wrong / sizeof *wrong);
    return s;
}
