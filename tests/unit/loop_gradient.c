/* Gradients through Loop: against the same nodes written out, and against central differences. */
#include "grad/grad.h"
#include "kernels/kernels.h"
#include "learning.h"
#include "model/model.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 21, \"f\": 1]>\n"

enum { MOST = 12, TEXT = 1 << 14 };

static size_t spare; /* bytes that there are for gradients; 0: any */

/* A model whose inputs have closed types, and the gradients of the weighted sum of its float outputs. */
struct graded {
    struct model *model;
    struct arena arena;
    struct program *types;
    struct graph *graph;
    struct session *session;
    struct tensor in[MOST];
    struct value *dx[MOST]; /* by input; NULL: nothing flows there */
};

static double number(size_t input, int64_t k)
{
    return sin(1.3 * (double)input + .7 * (double)k + .2) * .8;
}

static double weight(size_t output, int64_t k)
{
    return cos(.9 * (double)output + 1.1 * (double)k) + .1;
}

/* Whole numbers are `integer`, conditions are true. */
static void fill(struct graded *d, size_t k, int64_t integer)
{
    struct tensor *t = &d->in[k];

    *t = d->model->graph->inputs[k]->type;
    t->data = arena_alloc(&d->arena, (size_t)tensor_bytes(t) + 8, &report);
    for (int64_t n = 0; n < tensor_count(t); n++)
        if (t->dtype == F64)
            ((double *)t->data)[n] = number(k, n);
        else if (t->dtype == I64)
            ((int64_t *)t->data)[n] = integer;
        else
            ((uint8_t *)t->data)[n] = 1;
}

static struct value *weights(struct graded *d, size_t output, const struct tensor *type)
{
    struct tensor *t = arena_alloc(&d->arena, sizeof *t, &report);
    struct value *v = t ? graph_value(d->graph, NULL) : NULL;

    if (!v)
        return NULL;
    *t = *type;
    t->data = arena_alloc(&d->arena, (size_t)tensor_bytes(t) + 8, &report);
    for (int64_t k = 0; t->data && k < tensor_count(t); k++)
        if (t->dtype == F64)
            ((double *)t->data)[k] = weight(output, k);
        else
            ((uint16_t *)t->data)[k] = 0x3c00; /* float16: 1 */
    v->initializer = t;
    return t->data ? v : NULL;
}

/* `most`: of so many outputs something flows in. */
static bool differentiate(struct graded *d, size_t most, const struct plan_context *c)
{
    struct value *seed[MOST], *flow[MOST], *wrt[MOST], *got[MOST];
    const struct graph *g = d->model->graph;
    struct grad_request q = {
        .graph = d->graph, .types = d->types->types, .seed = seed, .seed_gradient = flow, .wrt = wrt, .gradient = got
    };
    bool ok;

    for (size_t k = 0; k < g->output_count && k < most; k++) {
        const struct tensor *t = &d->types->types[g->outputs[k]->id];

        if (!dtype_is_float(t->dtype) || !tensor_known(t))
            continue;
        seed[q.seeds] = d->graph->outputs[k];
        flow[q.seeds] = weights(d, k, t);
        if (!flow[q.seeds++])
            return false;
    }
    for (size_t k = 0; k < g->input_count; k++)
        if (dtype_is_float(d->in[k].dtype))
            wrt[q.count++] = d->graph->inputs[k];
    ok = grad_build(&q, c);
    for (size_t k = 0, n = 0; ok && k < g->input_count; k++)
        if (dtype_is_float(d->in[k].dtype) && (d->dx[k] = got[n++]))
            ok = graph_add_output(d->graph, d->dx[k]);
    return ok;
}

/* False where it has no gradient: the error is in the report. */
static bool grade_some(struct graded *d, const char *text, int64_t integer, int threads, size_t most)
{
    const struct plan_context c = {
        .kernels = kernels_get(), .threads = threads, .budget = &budget, .report = &report
    };
    const struct session_options o = { .threads = threads };
    struct tensor *given;
    bool ok;

    *d = (struct graded){ .arena.budget = &budget };
    budget.limit = 0;
    d->model = model_read_bytes(text, strlen(text), NULL, &report);
    expect_ok(d->model && model_build(d->model, &report));
    ck_assert_uint_le(d->model->graph->input_count, MOST);
    given = arena_array(&d->arena, d->model->graph->value_count, sizeof *given, &report);
    for (size_t k = 0; k < d->model->graph->value_count; k++)
        given[k].rank = UNKNOWN;
    for (size_t k = 0; k < d->model->graph->input_count; k++) {
        fill(d, k, integer);
        given[d->model->graph->inputs[k]->id] = d->in[k];
    }
    d->types = plan_types(d->model->graph, given, NULL, &c);
    expect_ok(d->types);
    d->graph = graph_clone(d->model->graph, &d->arena, &report);
    expect_ok(d->graph);
    budget.limit = spare ? budget.used + spare : 0;
    ok = differentiate(d, most, &c);
    d->session = ok ? session_new(d->graph, &o, &report) : NULL;
    for (size_t k = 0; d->session && k < d->model->graph->input_count; k++)
        expect_ok(session_set(d->session, d->graph->inputs[k], &d->in[k], &report));
    return ok;
}

static bool grade(struct graded *d, const char *text, int64_t integer, int threads)
{
    return grade_some(d, text, integer, threads, MOST);
}

static void end(struct graded *d)
{
    session_free(d->session);
    graph_release(d->graph);
    program_free(d->types);
    arena_release(&d->arena);
    model_free(d->model);
}

/* Every run draws the same random numbers. */
static void run(struct graded *d)
{
    d->session->engine.number = 1;
    expect_ok(session_run(d->session, &report));
}

/* Result k of all that the graph gives now, the model's outputs first. */
static const struct tensor *result(const struct graded *d, size_t k)
{
    return session_output(d->session, k);
}

/* The place of the gradient of input k; 0 where nothing flows there. */
static size_t place(const struct graded *d, size_t k)
{
    size_t at = d->model->graph->output_count;

    for (size_t n = 0; n < k; n++)
        at += d->dx[n] != NULL;
    return d->dx[k] ? at : 0;
}

/* -- central differences -- */

static double weighted_sum(struct graded *d)
{
    double sum = 0;

    run(d);
    for (size_t o = 0; o < d->model->graph->output_count; o++) {
        const struct tensor *t = result(d, o);

        for (int64_t k = 0; t->dtype == F64 && k < tensor_count(t); k++)
            sum += weight(o, k) * ((const double *)t->data)[k];
    }
    return sum;
}

static void expect_slopes(const char *text, int64_t integer)
{
    const double h = 1e-5;
    struct graded d;

    expect_ok(grade(&d, text, integer, 1));
    for (size_t i = 0; i < d.model->graph->input_count; i++) {
        double *x = d.in[i].data;

        for (int64_t k = 0; d.in[i].dtype == F64 && k < tensor_count(&d.in[i]); k++) {
            const double was = x[k];
            double up, slope, got;

            x[k] = was + h;
            up = weighted_sum(&d);
            x[k] = was - h;
            slope = (up - weighted_sum(&d)) / (2 * h);
            x[k] = was;
            run(&d);
            got = d.dx[i] ? ((const double *)result(&d, place(&d, i))->data)[k] : 0;
            ck_assert_msg(fabs(got - slope) <= 2e-7 * (1 + fabs(slope)),
                          "gradient of input %zu[%lld] is %.12g, the central difference %.12g", i, (long long)k, got,
                          slope);
        }
    }
    end(&d);
}

/* -- written out -- */

/* One iteration of a layer: '@' stands for its number, '#' for that of the next. The weight u is carried by the loop, as
 * exporters do. */
struct layer {
    const char *inputs; /* but the sequence x and the weight that is carried */
    int states;         /* h, c */
    const char *step;
};

static const struct layer layers[] = {
    { "double[3,4] w, double[4] b", 1,
      "g@ = Gather (x, i@) p@ = MatMul (g@, w) q@ = MatMul (h@, u) r@ = Add (p@, q@) s@ = Add (r@, b) h# = Tanh (s@)\n"
      "y@ = Identity (h#)\n" },
    /* GRU, reset_after */
    { "double[3,12] w, double[12] b, double[12] rb", 1,
      "g@ = Gather (x, i@) a@ = MatMul (g@, w) ab@ = Add (a@, b) q@ = MatMul (h@, u) qb@ = Add (q@, rb)\n"
      "az@, ar@, an@ = Split <axis = -1, num_outputs = 3> (ab@) qz@, qr@, qn@ = Split <axis = -1, num_outputs = 3> "
      "(qb@)\n"
      "zs@ = Add (az@, qz@) z@ = Sigmoid (zs@) rs@ = Add (ar@, qr@) r@ = Sigmoid (rs@) m@ = Mul (r@, qn@) ns@ = Add "
      "(an@, m@)\n"
      "n@ = Tanh (ns@) d@ = Sub (h@, n@) e@ = Mul (z@, d@) h# = Add (n@, e@) y@ = Mul (h#, h#)\n" },
    /* LSTM, whose states stay where the input is masked */
    { "double[3,16] w, double[16] b", 2,
      "g@ = Gather (x, i@) k@ = Gather (keep, i@) p@ = MatMul (g@, w) q@ = MatMul (h@, u) r@ = Add (p@, q@) s@ = Add "
      "(r@, b)\n"
      "is@, fs@, cs@, os@ = Split <axis = -1, num_outputs = 4> (s@) ig@ = Sigmoid (is@) fg@ = Sigmoid (fs@) cg@ = Tanh "
      "(cs@)\n"
      "og@ = Sigmoid (os@) fc@ = Mul (fg@, c@) ic@ = Mul (ig@, cg@) cn@ = Add (fc@, ic@) ct@ = Tanh (cn@) hn@ = Mul "
      "(og@, ct@)\n"
      "h# = Where (k@, hn@, h@) c# = Where (k@, cn@, c@) y@ = Identity (h#)\n" },
};

enum { STEPS = 5 };

static int write_step(char *text, const char *step, int k)
{
    int n = 0;

    for (; *step; step++)
        n += *step == '@'   ? sprintf(text + n, "%d", k)
             : *step == '#' ? sprintf(text + n, "%d", k + 1)
                            : sprintf(text + n, "%c", *step);
    return n;
}

static int write_head(char *text, const struct layer *l)
{
    const int width = l == layers ? 4 : l == layers + 1 ? 12 : 16;
    const bool two = l->states > 1;

    return sprintf(text,
                   HEAD "g (double[%d,2,3] x, double[4,%d] U, double[2,4] H0, %s%s, int64 m) =>\n"
                        "  (double[2,4] h, %sdouble[%d,2,4] ys)\n"
                        "<bool[%d,1,1] keep = {1,0,1,1,0}, int64 many = {9}, int64 five = {5}, int32 zero = {0},\n"
                        " bool yes = {1}> {\n",
                   STEPS, width, two ? "double[2,4] C0, " : "", l->inputs, two ? "double[2,4] c, " : "", STEPS, STEPS);
}

/* What ends the loop: a number that planning knows, a condition, a number that only running tells. */
enum ending { BY_NUMBER, BY_COUNTER, BY_INPUT };

static const char *loop_text(const struct layer *l, enum ending ending)
{
    static const char *const numbers[] = { "five", "many", "m" };
    static char text[TEXT];
    const bool two = l->states > 1;
    int n = write_head(text, l);

    n += sprintf(text + n,
                 "  end, same, h%s, ys = Loop (%s, yes, zero, U, H0%s) <body =\n"
                 "    b (int64 i0, bool go, int32 j0, double[4,W] u, double[2,4] h0%s) =>\n"
                 "    (bool on, int32 j1, double[4,W] u1, double[2,4] h1%s, double[2,4] y0)\n"
                 "    <int32 one = {1}, float last = {%d}> {\n",
                 two ? ", c" : "", numbers[ending], two ? ", C0" : "", two ? ", double[2,4] c0" : "",
                 two ? ", double[2,4] c1" : "", STEPS);
    n += write_step(text + n, l->step, 0);
    sprintf(text + n,
            "    j1 = Add (j0, one) f = Cast <to = 1> (j1) less = Less (f, last) u1 = Identity (u)\n"
            "    on = %s }>\n}\n",
            ending == BY_COUNTER ? "And (less, less)" : "Identity (go)");
    return text;
}

static const char *written_out(const struct layer *l)
{
    static char text[TEXT];
    int n = write_head(text, l);

    n += sprintf(text + n, "  u = Identity (U) h0 = Identity (H0) %s front = Constant <value_ints = [0]> ()\n",
                 l->states > 1 ? "c0 = Identity (C0)" : "");
    for (int k = 0; k < STEPS; k++) {
        n += sprintf(text + n, "  i%d = Constant <value_int = %d> ()\n", k, k);
        n += write_step(text + n, l->step, k);
        n += sprintf(text + n, "  up%d = Unsqueeze (y%d, front)\n", k, k);
    }
    n += sprintf(text + n, "  h = Identity (h%d) ", STEPS);
    if (l->states > 1)
        n += sprintf(text + n, "c = Identity (c%d) ", STEPS);
    n += sprintf(text + n, "ys = Concat <axis = 0> (");
    for (int k = 0; k < STEPS; k++)
        n += sprintf(text + n, "%sup%d", k ? ", " : "", k);
    sprintf(text + n, ")\n}\n");
    return text;
}

static void expect_close(const struct tensor *a, const struct tensor *b, size_t k)
{
    ck_assert(same_type(a, b));
    for (int64_t n = 0; n < tensor_count(a); n++) {
        const double x = ((const double *)a->data)[n], y = ((const double *)b->data)[n];

        ck_assert_msg(fabs(x - y) <= 1e-12 * (1 + fabs(y)), "result %zu[%lld] is %.17g, written out %.17g", k,
                      (long long)n, x, y);
    }
}

START_TEST(a_loop_is_as_what_is_written_out)
{
    const struct layer *l = &layers[_i / 3];
    const enum ending ending = (enum ending)(_i % 3);
    /* where planning cannot tell the number, it knows no shape of scan outputs: what flows in comes from states alone */
    const size_t most = ending == BY_INPUT ? (size_t)l->states : MOST;
    struct graded loop, out;

    expect_ok(grade_some(&loop, loop_text(l, ending), STEPS, 1, most));
    expect_ok(grade_some(&out, written_out(l), STEPS, 1, most));
    run(&loop);
    run(&out);
    for (size_t k = 0; k < loop.model->graph->output_count; k++)
        expect_close(result(&loop, k), result(&out, k), k);
    for (size_t k = 0; k < out.model->graph->input_count; k++) {
        ck_assert(!out.dx[k] == !loop.dx[k] && (out.dx[k] || out.in[k].dtype == I64));
        if (out.dx[k])
            expect_close(result(&loop, place(&loop, k)), result(&out, place(&out, k)), k);
    }
    end(&loop);
    end(&out);
}
END_TEST

/* One number of iterations after the other, none among them, in the same session. */
START_TEST(only_running_tells_how_many)
{
    static const char text[] = HEAD "g (int64 m, double[2] x, double[2] w) => (double[2] y) { y = Loop (m, , x) <body ="
                                    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r) { d = Identity (c) s = "
                                    "Mul (v, w) r = Tanh (s) }> }";
    struct graded d;

    expect_ok(grade(&d, text, 0, 1));
    for (int64_t m = 4; m >= 0; m -= 2) {
        const double *dx, *dw;
        double v[5], slope = weight(0, 0), sum = 0;

        *(int64_t *)d.in[0].data = m;
        run(&d);
        v[0] = number(1, 0);
        for (int k = 0; k < m; k++)
            v[k + 1] = tanh(v[k] * number(2, 0));
        for (int64_t k = m; k-- > 0;) {
            slope *= 1 - v[k + 1] * v[k + 1];
            sum += slope * v[k];
            slope *= number(2, 0);
        }
        dx = result(&d, place(&d, 1))->data;
        dw = result(&d, place(&d, 2))->data;
        ck_assert_msg(fabs(*dx - slope) < 1e-14 && fabs(*dw - sum) < 1e-14,
                      "%lld iterations: %.17g %.17g, must be %.17g %.17g", (long long)m, *dx, *dw, slope, sum);
    }
    end(&d);
}
END_TEST

#define NUMBERS                                                                                                        \
    "<int64 none = {0}, int64 one = {1}, int64 three = {3}, int64[1] axis = {0}, double lim = {0.4},"                  \
    " double half = {0.9}, double little = {0.05}, double[2] half2 = {0.5, 0.25}, double most = {1.3},"                \
    " bool yes = {1}> "

static const char *const models[] = {
    /* a branch in an iteration, by its number */
    "g (double[2] x, double[2] w) => (double[2] y, double[3,2] s) " NUMBERS "{ y, s = Loop (three, , x) <body ="
    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r, double[2] q) { d = Identity (c) e = Equal (i, one)"
    " r = If (e) <then_branch = t () => (double[2] p) { p = Mul (v, w) }, else_branch = f () => (double[2] p2) {"
    " p2 = Tanh (v) }> q = Mul (r, w) }> }",
    /* iterations in a branch */
    "g (bool go, double[2] x, double[2] w) => (double[2] y) " NUMBERS
    "{ y = If (go) <then_branch = t () => (double[2] p) {"
    " p, s = Loop (three, , x) <body = b (int64 i, bool c, double[2] v) => (bool d, double[2] r, double[2] q) {"
    " d = Identity (c) a = Mul (v, w) r = Tanh (a) q = Identity (v) }> }, else_branch = f () => (double[2] p2) {"
    " p2 = Neg (x) }> }",
    /* iterations in an iteration, which read what lies outside of both */
    "g (double[2] x, double[2] w, double[2] k) => (double[2] y, double[3,2] s) " NUMBERS
    "{ y, s = Loop (three, , x) <body ="
    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r, double[2] q) { d = Identity (c) a = Mul (v, k)"
    " r, z = Loop (three, , a) <body = bb (int64 j, bool cc, double[2] vv) => (bool dd, double[2] rr, double[2] zz) {"
    " dd = Identity (cc) aa = Mul (vv, w) ab = Add (aa, k) rr = Tanh (ab) zz = Mul (rr, v) }>"
    " q = ReduceSum <keepdims = 0> (z, axis) }> }",
    /* a function around it */
    "g (double[2] x, double[2] w) => (double[2] y) { t = f.turn (x, w) y = f.turn (t, w) }\n"
    "<opset_import: [\"\": 21, \"f\": 1], domain: \"f\"> turn (X, W) => (Y) { n = Constant <value_int = 3> ()"
    " Y = Loop (n, , X) <body = b (int64 i, bool c, double[2] v) => (bool d, double[2] r) { d = Identity (c)"
    " a = Mul (v, W) r = Tanh (a) }> }",
    /* no iteration: what flows to the end flows to the beginning */
    "g (double[2] x, double[2] w) => (double[2] y, double[0,2] s) " NUMBERS "{ y, s = Loop (none, , x) <body ="
    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r, double[2] q) { d = Identity (c) r = Mul (v, w)"
    " q = Identity (r) }> }",
    /* what is carried ends it */
    "g (double[2] x, double[2] w) => (double[2] y) " NUMBERS "{ y = Loop ( , yes, x) <body ="
    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r) { s = Mul (v, w) r = Mul (s, half)"
    " m = ReduceMax <keepdims = 0> (r) d = Greater (m, little) }> }",
    /* a vector of one as number and condition, a value twice, one as it was captured, a constant, one that nobody reads */
    "g (double[2] x, double[2] w) => (double[2] y, double[2] z, double[2] u, double[2] o, double[3,2] s) " NUMBERS
    "{ y, z, u, o, p, s = Loop (three, yes, x, x, w, w, x) <body ="
    " b (int64[1] i, bool[1] c, double[2] v, double[2] v2, double[2] v3, double[2] v4, double[2] v5) => (bool[1] d, "
    "double[2] r,"
    " double[2] r, double[2] w, double[2] k, double[2] v5, double[2] r) <double[2] k = {0.5, 0.25}> { d = Identity (c)"
    " f = Cast <to = 11> (i) e = Mul (v, f) h = Add (e, v2) n = Mul (v3, v4) r = Add (h, n) }> }",
    /* elements of a sequence that is captured, in two orders, of one that is carried, and one that is read as a whole */
    "g (double[3,2] x, double[3,2] z, double[3,2] w) => (double[2] y, double[3,2] z1, double[3,3,2] s) " NUMBERS
    "{ y, z1, s = Loop (three, yes, half2, z) <body ="
    " b (int64 i, bool c, double[2] v, double[3,2] z0) => (bool d, double[2] r, double[3,2] z2, double[3,2] q) {"
    " d = Identity (c) z2 = Identity (z0) n = Neg (i) m = Sub (n, one) e = Gather (x, i) f = Gather (x, m) o = Gather "
    "(z0, i)"
    " h = Gather (w, i) a = Mul (e, f) k = Add (o, h) l = Mul (a, k) j = Add (l, v) r = Tanh (j) q = Mul (w, r) }> }",
    /* a sequence that the body gives, too, and whose first element alone is read */
    "g (double[3,2] x, double[2] v0) => (double[2] y, double[3,2] z, double[3,3,2] s) " NUMBERS
    "{ y, z, s = Loop (three, yes, v0, x) <body ="
    " b (int64 i, bool c, double[2] v, double[3,2] z0) => (bool d, double[2] r, double[3,2] x, double[3,2] x) {"
    " d = Identity (c) e = Gather (x, none) r = Mul (v, e) }> }",
    /* random numbers, of which those of the forward loop count, and a mask that the way back alone reads */
    "g (double[2] x, double[2] w) => (double[2] y) " NUMBERS "{ y = Loop (three, , x) <body ="
    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r) { d = Identity (c) n = RandomUniformLike (v)"
    " a = Mul (v, n) e = Add (a, w) f = Dropout <seed = 3> (e, lim, yes) r = Tanh (f) }> }",
    /* of a Scan, whose elements lie apart */
    "g (double[2,3] x, double[2] v0, double[2] w) => (double[2] y, double[2,3] s) " NUMBERS "{ y, s = Scan <"
    "num_scan_inputs = 2, scan_input_axes = [1, 1], scan_input_directions = [1, 0], scan_output_axes = [1], body ="
    " b (double[2] v, double[2] e, double[2] f) => (double[2] r, double[2] k) { n = RandomUniformLike (v) a = Mul (v, "
    "n)"
    " c = Mul (e, f) h = Add (a, c) j = Mul (h, w) r = Tanh (j) k = Mul (r, e) }> (v0, x, x) }",
    /* a float counter, and what is carried to no end */
    "g (double[2] x, double[2] w) => (double[2] y) " NUMBERS "{ y, n, z = Loop (three, yes, x, lim, w) <body ="
    " b (int64 i, bool c, double[2] v, double n0, double[2] e) => (bool d, double[2] r, double n1, double[2] e1) {"
    " n1 = Add (n0, lim) d = Less (n1, most) s = Mul (v, w) r = Mul (s, n0) e1 = Mul (e, v) }> }",
};

START_TEST(slopes_are_as_central_differences)
{
    char text[4096];

    snprintf(text, sizeof text, HEAD "%s", models[_i]);
    expect_slopes(text, 3);
}
END_TEST

/* -- what cannot be -- */

static const struct {
    const char *text, *says;
} refused[] = {
    { "g (double[2] x) => (double[2] y) " NUMBERS "{ y = Loop (three, , x) <body = b (int64 i, bool c, double[2] v) =>"
      " (bool d, double[2] r) { d = Identity (c) e = Equal (i, one) r = If (e) <then_branch = t () => (double[2] p) {"
      " n = RandomUniformLike (v) p = Mul (v, n) }, else_branch = f () => (double[2] q) { q = Neg (v) }> }> }",
      "a subgraph of its body draws random numbers (RandomUniformLike)" },
    { "g (double[2] x) => (double[4] y) { q = SequenceConstruct (x, x) p = SequenceMap (q) <body = b (double[2] a) => "
      "(double[2] d) { n = RandomUniformLike (a) d = Mul (a, n) }> y = ConcatFromSequence <axis = 0> (p) }",
      "its body draws random numbers, by RandomUniformLike" },
};

START_TEST(what_has_no_gradient_is_told)
{
    char text[4096];
    struct graded d;

    snprintf(text, sizeof text, HEAD "%s", refused[_i].text);
    ck_assert(!grade(&d, text, 3, 1));
    expect_error(KILN_UNSUPPORTED, refused[_i].says);
    end(&d);
}
END_TEST

/* Whatever there is not enough memory for is told, and all is given back. */
START_TEST(memory_may_end_anywhere)
{
    const char *text = loop_text(&layers[2], BY_COUNTER);
    struct graded d;
    int refusals = 0;
    bool ok;

    for (spare = 1; !(ok = grade(&d, text, 0, 1)); spare += 1 + spare / 64) {
        end(&d);
        expect_error(KILN_LIMIT, "memory limit");
        refusals++;
    }
    end(&d);
    ck_assert_int_gt(refusals, 100);
}
END_TEST

/* -- sums -- */

/* float16 has no 2049: what is added up over more iterations is so in float32. */
START_TEST(halves_are_added_up_in_float)
{
    static const char text[] =
        HEAD "g (float16[1] x, float16[1] w, float16[1] u) => (float16[1] y) <int64 many = {4096}> {"
             " y, u1 = Loop (many, , x, u) <body = b (int64 i, bool c, float16[1] v, float16[1] k) =>"
             " (bool d, float16[1] r, float16[1] k) { d = Identity (c) s = Sub (w, k) r = Add (v, s) }> }";
    struct graded d;

    expect_ok(grade(&d, text, 0, 1));
    run(&d);
    ck_assert_uint_eq(*(const uint16_t *)result(&d, place(&d, 0))->data, 0x3c00); /* 1 */
    ck_assert_uint_eq(*(const uint16_t *)result(&d, place(&d, 1))->data, 0x6c00); /* 4096 */
    ck_assert_uint_eq(*(const uint16_t *)result(&d, place(&d, 2))->data, 0xec00); /* -4096 */
    end(&d);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    static const char text[] = HEAD
        "g (double[5,96,80] x, double[80,160] w, double[160,160] u, double[96,160] h0) => (double[96,160] h,"
        " double[5,96,160] y) <int64 five = {5}> { h, y = Loop (five, , h0) <body = b (int64 i, bool c, double[96,160]"
        " h1) => (bool d, double[96,160] h2, double[96,160] z) { d = Identity (c) g = Gather (x, i) p = MatMul (g, w)"
        " q = MatMul (h1, u) r = Add (p, q) h2 = Tanh (r) z = Softmax (h2) }> }";
    struct graded one, three;

    expect_ok(grade(&one, text, 0, 1));
    expect_ok(grade(&three, text, 0, 3));
    run(&one);
    run(&three);
    for (size_t k = 0; k < 6; k++)
        ck_assert(memcmp(result(&one, k)->data, result(&three, k)->data, (size_t)tensor_bytes(result(&one, k))) == 0);
    end(&one);
    end(&three);
}
END_TEST

/* Loop number k of the graph. */
static const struct node *loop_of(const struct graph *g, int k)
{
    for (size_t n = 0; n < g->node_count; n++)
        if (strcmp(g->nodes[n]->op_name, "Loop") == 0 && k-- == 0)
            return g->nodes[n];
    ck_abort_msg("there is no such loop");
    return NULL;
}

/* The forward loop keeps the numbers and the states, not the weight that it carries nor the counter. The way back carries
 * the gradients of states and weights, gives those of the elements with their places, and reads what it needs. */
START_TEST(nothing_is_kept_for_nothing)
{
    struct graded d;
    const struct node *forward, *back;

    expect_ok(grade(&d, loop_text(&layers[0], BY_COUNTER), 0, 1));
    forward = loop_of(d.graph, 0);
    back = loop_of(d.graph, 1);
    ck_assert_int_eq(forward->slots, 3 + 1 + 2);
    ck_assert_int_eq(back->inputs, 2 + 4);
    ck_assert_int_eq(back->slots, 4 + 2);
    ck_assert_int_eq(back->captured, 7); /* x, w, b, U; states; what flows to scan outputs; the last number */
    end(&d);
    expect_ok(grade(&d,
                    HEAD
                    "g (double[2] x, double[2] w) => (double[2] y) <int64 m = {3}> { y = Loop (m, , x) <body ="
                    " b (int64 i, bool c, double[2] v) => (bool d, double[2] r) { d = Identity (c) r = Add (v, w) }> }",
                    0, 1));
    ck_assert_int_eq(loop_of(d.graph, 0)->slots, 1 + 1);
    ck_assert_int_eq(loop_of(d.graph, 1)->captured, 1);
    end(&d);
}
END_TEST

/* -- learning -- */

/* The layer in float, behind it a weight: learns what its inputs say. */
static struct model *layer_model(const struct layer *l)
{
    static char text[TEXT], step[TEXT / 4];
    const int width = l == layers ? 4 : l == layers + 1 ? 12 : 16;
    const bool two = l->states > 1;
    struct model *m;
    int n;

    write_step(step, l->step, 0);
    n = sprintf(
        text,
        HEAD "g (float[N,%d,3] in) => (float[N,1] out) <bool[%d,1,1] keep = {1,0,1,1,1}, int64 many = {9}, int32 zero ="
             " {0}, bool yes = {1},\n",
        STEPS, STEPS);
    for (int k = 0; k < 5; k++) {
        static const char *const names[] = { "w", "U", "b", "rb", "last" };
        const int rows[] = { 3, 4, 1, 1, 4 }, columns = k < 4 ? width : 1;

        n += k == 2 || k == 3 ? sprintf(text + n, "float[%d] %s = {", columns, names[k])
                              : sprintf(text + n, "float[%d,%d] %s = {", rows[k], columns, names[k]);
        for (int i = 0; i < rows[k] * columns; i++)
            n += sprintf(text + n, "%s%.4f", i ? "," : "", number((size_t)k, i));
        n += sprintf(text + n, "}%s", k < 4 ? ",\n" : "> {\n");
    }
    n += sprintf(
        text + n,
        "x = Transpose <perm = [1, 0, 2]> (in) size = Shape <end = 1> (in) four = Constant <value_ints = [4]> ()\n"
        "shape = Concat <axis = 0> (size, four) H0 = ConstantOfShape (shape)\n"
        "end, same, h%s = Loop (many, yes, zero, U, H0%s) <body = b (int64 i0, bool go, int32 j0, float[4,W] u,"
        " float[N,4] h0%s) => (bool on, int32 j1, float[4,W] u1, float[N,4] h1%s) <int32 one = {1}, float last1 ="
        " {%d}> {\n%s j1 = Add (j0, one) f = Cast <to = 1> (j1) on = Less (f, last1) u1 = Identity (u) }>\n"
        "out = MatMul (h, last) }\n",
        two ? ", c" : "", two ? ", H0" : "", two ? ", float[N,4] c0" : "", two ? ", float[N,4] c1" : "", STEPS, step);
    m = model_read_bytes(text, strlen(text), NULL, &report);
    expect_ok(m && model_build(m, &report));
    return m;
}

START_TEST(layers_learn)
{
    enum { ROWS = 16 };
    const struct trainer_options o = { .optimizer = "adam:learning_rate=0.02",
                                       .threads = 1,
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct model *m = layer_model(&layers[_i]);
    struct trainer *t = trainer_new(m, &o, &report);
    float data[ROWS * STEPS * 3], labels[ROWS], first = 0, loss = 0;
    struct tensor x, y;

    expect_ok(t);
    ck_assert_uint_eq(t->trainable, _i == 1 ? 5 : 4);
    for (int k = 0; k < ROWS * STEPS * 3; k++)
        data[k] = (float)number((size_t)k % 7, k);
    for (int k = 0; k < ROWS; k++)
        labels[k] = data[k * STEPS * 3] - data[k * STEPS * 3 + 7] * data[k * STEPS * 3 + 14];
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = ROWS;
    x.data = data;
    y.data = labels;
    for (int k = 0; k < 150; k++) {
        expect_ok(trainer_step(t, &x, &y, &loss, &report));
        first = k ? first : loss;
    }
    ck_assert_msg(loss < first / 10, "%g at first, %g now", (double)first, (double)loss);
    trainer_free(t);
    model_free(m);
}
END_TEST

/* The data tell in each step how long it goes on: what is kept has another size each time. */
START_TEST(a_loop_that_ends_by_its_data_learns)
{
    enum { ROWS = 6 };
    static const char text[] = HEAD
        "g (float[N,2] x) => (float[N,1] y) <float[2,2] w = {0.6,0.9,-0.7,0.8}, float[2,1] o = {1,-0.5}, int64 many = "
        "{20},"
        " float enough = {0.2}, bool yes = {1}> { h = Loop (many, yes, x) <body = b (int64 i, bool c, float[N,2] v) =>"
        " (bool d, float[N,2] r) { p = MatMul (v, w) r = Tanh (p) m = ReduceMax <keepdims = 0> (r)"
        " d = Greater (m, enough) }> y = MatMul (h, o) }";
    const struct trainer_options o = { .optimizer = "adam:learning_rate=0.05",
                                       .threads = 1,
                                       TARGET(.loss = "mean_squared_error", .form = TARGETS_VALUES) };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    float data[2 * ROWS], labels[ROWS], loss = 0, first = 0;
    struct trainer *t;
    struct tensor x, y;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    expect_ok(t);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = ROWS;
    x.data = data;
    y.data = labels;
    for (int step = 0; step < 60; step++) {
        for (int k = 0; k < 2 * ROWS; k++)
            data[k] = (float)number((size_t)(step % 3), k);
        for (int k = 0; k < ROWS; k++)
            labels[k] = .3f * data[2 * k];
        expect_ok(trainer_step(t, &x, &y, &loss, &report));
        first = step < 3 ? first + loss / 3 : first;
    }
    ck_assert_msg(loss < first / 2, "%g at first, %g now", (double)first, (double)loss);
    trainer_free(t);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("loop_gradient");
    const struct {
        const char *name;
        const TTest *test;
        size_t count;
    } tests[] = {
#define TEST(name, count) { #name, name, count }
        TEST(a_loop_is_as_what_is_written_out, 9),
        TEST(only_running_tells_how_many, 1),
        TEST(slopes_are_as_central_differences, sizeof models / sizeof *models),
        TEST(what_has_no_gradient_is_told, sizeof refused / sizeof *refused),
        TEST(memory_may_end_anywhere, 1),
        TEST(halves_are_added_up_in_float, 1),
        TEST(threads_change_no_bit, 1),
        TEST(nothing_is_kept_for_nothing, 1),
        TEST(a_loop_that_ends_by_its_data_learns, 1),
        TEST(layers_learn, sizeof layers / sizeof *layers),
#undef TEST
    };

    (void)put_file;
    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++)
        suite_add_tcase(s, test_case(tests[k].name, tests[k].test, (int)tests[k].count, enter_scratch, leave_scratch));
    return s;
}
