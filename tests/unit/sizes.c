/* Gradients through values whose sizes only running tells: of a Gradient node against central differences, and of what is trained
 * against PyTorch. */
#include "fixture.h"
#include "learning.h"
#include "scratch.h"
#include <math.h>
#include <stdio.h>

/* -- a Gradient node, against central differences -- */

#define HEAD                                                                                                           \
    "<ir_version: 10, opset_import: [\"\": 18, \"ai.onnx.preview.training\": 1]>\n"                                    \
    "g (double[N,3] x) => (t, d) <double[3,2] w = {0.3,-0.5,0.8,0.1,0.9,-0.2}, double half = {0.4}, double one = {1}, " \
    "int64[1] zero = {0}, int64[1] next = {1}, int64[1] three = {3}, int64[1] all = {-1}, double[3] row = {0.7,-0.4,1.1}> "
#define BY_X "d = ai.onnx.preview.training.Gradient <xs = [\"x\"], y = \"t\"> (x) }"
/* How many numbers are above 0.4, a vector; those that are, by their places. */
#define COUNT                                                                                                          \
    "above = Greater (x, half) whole = Cast <to = 7> (above) n0 = ReduceSum <keepdims = 0> (whole)\n"                  \
    "n = Unsqueeze (n0, zero) "
#define CHOSEN "above = Greater (x, half) nz = NonZero (above) at = Transpose (nz) v = GatherND (x, at) "

enum { ROWS = 4, COLUMNS = 3, SIZE = ROWS * COLUMNS };

/* d is the gradient of the sum of t by x. */
static const char *const right[] = {
    /* a mask, and what is made of what it leaves */
    HEAD "{ " CHOSEN "t = Mul (v, v) " BY_X,
    HEAD "{ above = Greater (x, half) flat = Reshape (above, all) v = Compress (x, flat) r = Sin (v) t = Mul (r, v)\n" BY_X,
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
    HEAD "{ " COUNT "p = Concat <axis = 0> (n, next) m = ReduceSum <keepdims = 1> (x) q = Tile (m, p) t = Sin (q) " BY_X,
    HEAD "{ " COUNT "rows = Shape <end = 1> (x) f = Add (rows, n) z = Concat <axis = 0> (f, three)\n"
         "q = Resize <mode = \"linear\"> (x, , , z) t = Mul (q, q) " BY_X,
    HEAD "{ " COUNT "f = Reshape (x, all) a0 = Size (f) a1 = Reshape (a0, next) rest = Sub (a1, n)\n"
         "p = Concat <axis = 0> (n, rest) a, b = Split (f, p) c = Mul (a, a) e = Sin (b) t = Concat <axis = 0> (c, e) " BY_X,
    /* each number once, in the order of their size, and as they come */
    HEAD "{ u = Unique (x) p = Mul (u, u) c = ReduceMean <keepdims = 0> (p) q = Mul (u, c) t = Sin (q) " BY_X,
    HEAD "{ u, i, v, k = Unique <axis = 0, sorted = 0> (x) m = MatMul (u, w) t = Tanh (m) " BY_X,
    /* branches of different shapes */
    HEAD "{ m = ReduceSum <keepdims = 0> (x) c = Greater (half, m) b = Greater (m, half) o = Or (c, b)\n"
         "t = If (o) <then_branch = a () => (double[N,3] p) { p = Mul (x, x) }, else_branch = b () => (double[3] q) { q = "
         "Identity (row) }> " BY_X,
    /* a loop with as many iterations as are counted, of which each gives a row */
    HEAD "{ " COUNT "m = Identity (n0) y0 = ReduceSum <keepdims = 0> (x)\n"
         "y, z = Loop (m, , y0) <body = b (int64 i, bool go, double c) => (bool on, double e, double r) { on = Identity (go)\n"
         "s = Sin (c) e = Add (s, half) r = Mul (c, c) }> q = Sin (z) t = Mul (q, y) " BY_X,
    /* boxes that are left over */
    HEAD "{ five = Constant <value_ints = [1,2]> () b0 = Constant <value = double[4,1] {0,0.1,5,7}> ()\n"
         "l0 = Constant <value = double[1,4] {0,0,1,1}> () b = Add (b0, l0) bf = Cast <to = 1> (b) f3 = Cast <to = 1> (x)\n"
         "sh = Constant <value_ints = [1,4,4]> () bb = Reshape (bf, sh) c0 = Slice (f3, zero, next, next)\n"
         "cs = Constant <value_ints = [1,1,4]> () sc = Reshape (c0, cs) k = Constant <value_ints = [9]> ()\n"
         "io = Constant <value = float {0.5}> () nm = NonMaxSuppression (bb, sc, k, io) two = Constant <value_ints = [2]> ()\n"
         "bx = Gather <axis = 1> (nm, two) ix = Reshape (bx, all) v = Gather (x, ix) t = Mul (v, v) " BY_X,
    /* parts of a sequence, and one of them */
    HEAD "{ " COUNT "i0 = Sub (n0, n0) q = SplitToSequence <axis = 0> (x, n0) a = SequenceAt (q, i0) t = Mul (a, a) " BY_X,
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

/* -- what it refuses -- */

static const struct {
    const char *text, *says;
} wrong[] = {
    { HEAD "{ " CHOSEN "e = Exp (v) s = Mul (e, v) q = ai.onnx.preview.training.Gradient <xs = [\"x\"], y = \"s\"> (x)\n"
           "t = Mul (q, x) " BY_X,
      "no gradient goes through a gradient" },
};

START_TEST(what_has_no_gradient_is_told)
{
    double x[SIZE];
    struct fixture f;

    for (int k = 0; k < SIZE; k++)
        x[k] = sin(k) + .2;
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
    add_tests(s, what_has_no_gradient_is_told, sizeof wrong / sizeof *wrong);
    return s;
}
