/* Subgraphs: what they know of the graph around them, their random numbers, gradients through them. */
#include "base/clock.h"
#include "fixture.h"
#include "grad/grad.h"
#include "run/profile.h"
#include <math.h>

#define HEAD "<ir_version: 10, opset_import: [\"\": 21]>\n"

static void set_floats(struct fixture *f, const char *name, int64_t n, float *x)
{
    set(f, name, F32, 1, &n, x);
}

static void set_bool(struct fixture *f, const char *name, uint8_t *c)
{
    set(f, name, BOOL, 0, NULL, c);
}

/* -- what is known inside -- */

static const char captured_shape[] = HEAD
    "main (bool c, float[6] x) => (float[i, j] y) <int64[2] shape = {2, 3}> {\n"
    "  half = Neg (shape) again = Neg (half)\n"
    "  y = If (c) <then_branch = a () => (float[i, j] p) { p = Reshape (x, again) },\n"
    "              else_branch = b () => (float[i, j] q) { q = If (c) <then_branch = ba () => (float[i, j] r) { r = "
    "Reshape (x, shape) }, else_branch = bb () => (float[i, j] s) { t = Neg (x) s = Reshape (t, shape) }> }>\n"
    "}\n";

/* So planning needs no run before: nothing is left for a second segment. */
START_TEST(constants_around_a_branch_are_known_in_it)
{
    float x[] = { 1, 2, 3, 4, 5, 6 };
    uint8_t c = 0;
    struct fixture f;

    begin(&f, captured_shape);
    set_bool(&f, "c", &c);
    set_floats(&f, "x", 6, x);
    for (c = 0; c < 2; c++) {
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, 6)[5], c ? 6 : -6);
        ck_assert(frame_program(f.session->frame)->complete);
        ck_assert_int_eq(session_output(f.session, 0)->dims[0], 2);
    }
    end(&f);
}
END_TEST

/* What a branch is told to be known may be another value in the next run: the shape is an input. */
static const char given_shape[] =
    HEAD "main (bool c, float[6] x, int64[2] shape) => (float[i, j] y) {\n"
         "  flat = Reshape (x, shape)\n"
         "  y = If (c) <then_branch = a () => (float[i, j] p) { p = Reshape (x, shape) },\n"
         "              else_branch = b () => (float[i, j] q) { q = Neg (flat) }>\n"
         "}\n";

START_TEST(what_was_known_in_one_run_is_not_in_the_next)
{
    float x[] = { 1, 2, 3, 4, 5, 6 };
    int64_t shape[2];
    uint8_t c = 1;
    struct fixture f;

    begin(&f, given_shape);
    set_bool(&f, "c", &c);
    set_floats(&f, "x", 6, x);
    set(&f, "shape", I64, 1, (int64_t[]){ 2 }, shape);
    for (int k = 0; k < 12; k++) {
        shape[0] = k % 3 + 1;
        shape[1] = 6 / shape[0];
        run_ok(&f);
        ck_assert_int_eq(session_output(f.session, 0)->dims[0], shape[0]);
        ck_assert_float_eq(floats(&f, 0, 6)[5], 6);
    }
    end(&f);
}
END_TEST

static const char does_not_fit[] = HEAD "main (bool c, float[n] x) => (float[i, j] y) {\n"
                                        "  y = If (c) <then_branch = a () => (float[i, j] p) { s = Constant "
                                        "<value_ints = [2, 2]> () p = Reshape (x, s) },\n"
                                        "              else_branch = b () => (float[i, j] q) { t = Constant "
                                        "<value_ints = [1, -1]> () q = Reshape (x, t) }>\n"
                                        "}\n";

START_TEST(a_branch_that_is_not_taken_need_not_fit)
{
    float x[] = { 1, 2, 3, 4 };
    uint8_t c = 0;
    struct fixture f;

    begin(&f, does_not_fit);
    set_bool(&f, "c", &c);
    set_floats(&f, "x", 3, x);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 3)[2], 3);
    c = 1;
    set_floats(&f, "x", 4, x);
    run_ok(&f);
    ck_assert_int_eq(session_output(f.session, 0)->dims[0], 2);
    set_floats(&f, "x", 3, x);
    run_fails(&f, KILN_BAD_MODEL, "");
    ck_assert_msg(strstr(f.report.error.where, "then_branch") != NULL, "%s", f.report.error.where);
    end(&f);
}
END_TEST

/* -- nesting -- */

/* x * 2^m in a loop in a branch in a loop: the inner loop runs m times where the branch is taken. */
static const char nested[] =
    HEAD "main (int64 n, int64 m, float[2] x) => (float[2] y) <bool yes = {1}> {\n"
         "  y, last = Loop (n, , x, yes) <body = b (int64 i, bool c, float[2] v, bool even) => (bool d, float[2] w, "
         "bool odd) {\n"
         "    d = Identity (c) odd = Not (even)\n"
         "    w = If (even) <then_branch = t () => (float[2] p) {\n"
         "      p = Loop (m, , v) <body = bb (int64 j, bool cc, float[2] vv) => (bool dd, float[2] ww) {\n"
         "        dd = Identity (cc) ww = Add (vv, vv) }> },\n"
         "      else_branch = e () => (float[2] q) { q = Add (v, x) }>\n"
         "  }>\n"
         "}\n";

START_TEST(a_loop_in_a_branch_in_a_loop)
{
    float x[] = { 1, 3 };
    int64_t n, m = 2;
    struct fixture f;

    begin(&f, nested);
    set(&f, "n", I64, 0, NULL, &n);
    set(&f, "m", I64, 0, NULL, &m);
    set_floats(&f, "x", 2, x);
    for (n = 0; n < 4; n++) { /* 1, 4, 5, 20 */
        static const float expected[] = { 1, 4, 5, 20 };

        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, 2)[0], expected[n]);
        ck_assert_float_eq(floats(&f, 0, 2)[1], 3 * expected[n]);
    }
    end(&f);
}
END_TEST

/* What a loop takes is not what its body takes. */
START_TEST(a_profile_tells_own_times)
{
    struct profile_total totals[8];
    float x[] = { 1, 3 };
    int64_t n = 50, m = 50;
    uint64_t sum = 0, took;
    size_t count;
    struct fixture f;

    begin(&f, nested);
    f.session->engine.profile = profile_new(&f.session->budget, &f.report);
    set(&f, "n", I64, 0, NULL, &n);
    set(&f, "m", I64, 0, NULL, &m);
    set_floats(&f, "x", 2, x);
    took = clock_now();
    run_ok(&f);
    took = clock_now() - took;
    count = profile_totals(f.session->engine.profile, totals, 8);
    for (size_t k = 0; k < count; k++) {
        sum += totals[k].nanoseconds;
        if (strcmp(totals[k].op, "Add") == 0)
            ck_assert_uint_eq(totals[k].calls, 25 * 50 + 25);
        if (strcmp(totals[k].op, "Loop") == 0)
            ck_assert_uint_eq(totals[k].calls, 26);
    }
    ck_assert_uint_le(sum, took);
    end(&f);
}
END_TEST

/* -- random numbers -- */

enum { DRAWS = 12 }; /* of 8 numbers: two nodes of the main graph, then two bodies, each in 5 iterations */

/* The node in a body has the number that the first one in the main graph has. */
#define BODY "<body = b (int64 i, bool c) => (bool d, float[8] z) { z = RandomUniformLike (x) d = Identity (c) }>"
static const char noise[] = HEAD
    "main (float[8] x) => (float[8] y, float[8] w, float[n, 8] all, float[n, 8] others) <int64 n = {5}> {\n"
    "  y = RandomUniformLike (x) w = RandomUniformLike (x) all = Loop (n, ) " BODY " others = Loop (n, ) " BODY "\n"
    "}\n";

/* The same with more nodes, which draw nothing. */
#define LONGER                                                                                                         \
    "<body = b (int64 i, bool c) => (bool d, float[8] z) { q = Neg (p) z = RandomUniformLike (q) d = Identity (c) }>"
static const char more[] =
    HEAD "main (float[8] x) => (float[8] y, float[8] w, float[n, 8] all, float[n, 8] others) <int64 n = {5}> {\n"
         "  m = Neg (x) p = Neg (m) y = RandomUniformLike (p) o = Neg (y) w = RandomUniformLike (o) k = Identity (n)\n"
         "  all = Loop (k, ) " LONGER " others = Loop (k, ) " LONGER "\n"
         "}\n";

static void draw(struct fixture *f, float seen[DRAWS][8])
{
    run_ok(f);
    memcpy(seen[0], floats(f, 0, 8), sizeof seen[0]);
    memcpy(seen[1], floats(f, 1, 8), sizeof seen[0]);
    memcpy(seen[2], floats(f, 2, 40), 5 * sizeof seen[0]);
    memcpy(seen[7], floats(f, 3, 40), 5 * sizeof seen[0]);
}

START_TEST(every_iteration_draws_numbers_of_its_own)
{
    float x[8] = { 0 }, seen[DRAWS][8], then[DRAWS][8];
    struct fixture f;

    begin(&f, noise);
    set_floats(&f, "x", 8, x);
    draw(&f, seen);
    draw(&f, then);
    for (int k = 0; k < DRAWS; k++) {
        for (int j = 0; j < k; j++)
            ck_assert_msg(memcmp(seen[k], seen[j], sizeof x) != 0, "%d and %d are the same", j, k);
        ck_assert(memcmp(seen[k], then[k], sizeof x) != 0);
    }
    end(&f);
}
END_TEST

/* From the same seed, also when there are other nodes. */
START_TEST(numbers_are_the_same_again)
{
    float x[8] = { 0 }, seen[3][DRAWS][8];
    struct fixture f;

    for (int k = 0; k < 3; k++) {
        begin(&f, k == 2 ? more : noise);
        set_floats(&f, "x", 8, x);
        draw(&f, seen[k]);
        end(&f);
    }
    ck_assert(memcmp(seen[0], seen[1], sizeof seen[0]) == 0);
    ck_assert(memcmp(seen[0], seen[2], sizeof seen[0]) == 0);
}
END_TEST

/* -- gradients -- */

enum { MOST = 3 };

/* dL/d(input) of a model with L = sum(flow * first output), of its float inputs in their order: vectors of n. */
static void gradients(const char *text, uint8_t *conditions, int inputs, int64_t n, float *const *x, float *flow,
                      float d[][8], float *y)
{
    struct fixture f;
    struct arena arena = { 0 };
    struct graph *g;
    struct tensor *types, ones = { .dtype = F32, .rank = 1, .dims = { n }, .data = flow };
    struct value *seed, *seed_gradient, *wrt[MOST], *gradient[MOST];
    struct grad_request q = { .seeds = 1,
                              .seed = &seed,
                              .seed_gradient = &seed_gradient,
                              .count = (size_t)inputs,
                              .wrt = wrt,
                              .gradient = gradient };
    struct plan_context c;
    struct program *p;
    size_t at = 0;

    begin(&f, text);
    c = (struct plan_context){
        .kernels = kernels_get(), .threads = 1, .budget = &f.session->budget, .report = &f.report
    };
    arena.budget = &f.model->budget;
    g = graph_clone(f.model->graph, &arena, &f.report);
    types = arena_array(&arena, g->value_count, sizeof *types, &f.report);
    session_free(f.session);
    c.budget = &f.model->budget;
    for (size_t k = 0; k < g->value_count; k++)
        types[k].rank = UNKNOWN;
    for (size_t k = 0; k < g->input_count; k++) {
        types[g->inputs[k]->id] = g->inputs[k]->type;
        if (g->inputs[k]->type.dtype == F32)
            wrt[at++] = g->inputs[k];
    }
    p = plan_types(g, types, NULL, &c);
    ck_assert_msg(p != NULL, "%s: %s", f.report.error.where, f.report.error.message);
    seed = g->outputs[0];
    seed_gradient = graph_value(g, NULL);
    seed_gradient->initializer = &ones;
    q.graph = g;
    q.types = p->types;
    ck_assert_msg(grad_build(&q, &c), "%s: %s", f.report.error.where, f.report.error.message);
    for (int k = 0; k < inputs; k++)
        ck_assert(gradient[k] && graph_add_output(g, gradient[k]));
    f.session = session_new(g, &(struct session_options){ .threads = 1 }, &f.report);
    at = 0;
    for (size_t k = 0; k < g->input_count; k++)
        if (g->inputs[k]->type.dtype == F32)
            set_floats(&f, g->inputs[k]->name, n, x[at++]);
        else
            set_bool(&f, g->inputs[k]->name, conditions++);
    run_ok(&f);
    if (y)
        memcpy(y, floats(&f, 0, n), (size_t)n * sizeof *y);
    for (int k = 0; k < inputs; k++) {
        const struct tensor *t = frame_get(f.session->frame, gradient[k]);

        ck_assert_int_eq(tensor_count(t), n);
        memcpy(d[k], t->data, (size_t)n * sizeof *d[k]);
    }
    session_free(f.session);
    f.session = NULL;
    program_free(p);
    graph_release(g);
    arena_release(&arena);
    end(&f);
}

/* x is read in both branches of two levels and outside; w in one branch only. */
static const char deep[] = HEAD "main (bool a, bool b, float[2] x, float[2] w) => (float[2] y) {\n"
                                "  s = Mul (x, x)\n"
                                "  t = If (a) <then_branch = p () => (float[2] pp) {\n"
                                "    u = Mul (s, x)\n"
                                "    pp = If (b) <then_branch = pa () => (float[2] v) { v = Mul (u, w) },\n"
                                "                 else_branch = pb () => (float[2] v) { v = Mul (u, x) }> },\n"
                                "    else_branch = q () => (float[2] qq) { qq = Identity (x) }>\n"
                                "  y = Add (t, s)\n"
                                "}\n";

START_TEST(a_gradient_goes_through_branches_in_branches)
{
    float x[] = { 2, -3 }, w[] = { 5, 7 }, flow[] = { 1, 10 }, d[2][8];

    for (int k = 0; k < 4; k++) {
        uint8_t c[] = { k & 1, k >> 1 };

        gradients(deep, c, 2, 2, (float *[]){ x, w }, flow, d, NULL);
        for (int i = 0; i < 2; i++) { /* x^3 w, x^4 or x, and x^2 */
            const float t = c[0] ? c[1] ? 3 * x[i] * x[i] * w[i] : 4 * x[i] * x[i] * x[i] : 1;

            ck_assert_float_eq_tol(d[0][i], flow[i] * (t + 2 * x[i]), 1e-3);
            ck_assert_float_eq_tol(d[1][i], c[0] && c[1] ? flow[i] * x[i] * x[i] * x[i] : 0, 1e-3);
        }
    }
}
END_TEST

/* The gradient computes the branch again: it must drop what was dropped. */
static const char dropping[] =
    HEAD "main (bool a, float[8] x) => (float[8] y) <float ratio = {0.5}, bool training = {1}> {\n"
         "  y = If (a) <then_branch = p () => (float[8] q) { q = Dropout (x, ratio, training) },\n"
         "              else_branch = e () => (float[8] r) { r = Neg (x) }>\n"
         "}\n";

START_TEST(a_gradient_sees_the_random_numbers_of_the_branch)
{
    float x[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, flow[] = { 1, 1, 1, 1, 1, 1, 1, 1 }, d[1][8], y[8];
    uint8_t c = 1;
    int dropped = 0;

    gradients(dropping, &c, 1, 8, (float *[]){ x }, flow, d, y);
    for (int k = 0; k < 8; k++) {
        ck_assert_float_eq(d[0][k] * x[k], y[k]);
        dropped += y[k] == 0;
    }
    ck_assert_int_ne(dropped, 0);
    ck_assert_int_ne(dropped, 8);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("subgraph");

    add_test(s, constants_around_a_branch_are_known_in_it);
    add_test(s, what_was_known_in_one_run_is_not_in_the_next);
    add_test(s, a_branch_that_is_not_taken_need_not_fit);
    add_test(s, a_loop_in_a_branch_in_a_loop);
    add_test(s, a_profile_tells_own_times);
    add_test(s, every_iteration_draws_numbers_of_its_own);
    add_test(s, numbers_are_the_same_again);
    add_test(s, a_gradient_goes_through_branches_in_branches);
    add_test(s, a_gradient_sees_the_random_numbers_of_the_branch);
    return s;
}
