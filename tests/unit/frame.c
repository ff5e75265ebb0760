/* What proves the frame: subgraphs, sizes that only running can tell, values that are no tensors, shapes that change
 * from run to run. */
#include "fixture.h"
#include "grad/grad.h"
#include "ops/op.h"
#include <stdio.h>

#define HEAD "<ir_version: 8, opset_import: [\"\": 17]>\n"

/* -- branches -- */

static const char branches[] = HEAD "main (bool c, float[3] x, float[3] w) => (float[3] y) {\n"
                                    "  z = Mul(x, w)\n"
                                    "  y = If (c) <then_branch = a () => (float[3] p) { p = Mul(z, x) },\n"
                                    "              else_branch = b () => (float[3] q) { t = Exp(w) q = Add(t, z) }>\n"
                                    "}\n";

START_TEST(a_branch_sees_outer_values)
{
    float x[] = { 1, 2, 3 }, w[] = { 4, 0, -1 };
    uint8_t c = 1;
    struct fixture f;

    begin(&f, branches);
    set(&f, "c", BOOL, 0, NULL, &c);
    set(&f, "x", F32, 1, (int64_t[]){ 3 }, x);
    set(&f, "w", F32, 1, (int64_t[]){ 3 }, w);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 3)[0], 4);
    ck_assert_float_eq(floats(&f, 0, 3)[2], -9);
    c = 0;
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 3)[1], 1);
    end(&f);
}
END_TEST

static const char branch_shapes[] = HEAD "main (bool c, float[n] x) => (float[m] y) {\n"
                                         "  p = If (c) <then_branch = a () => (float[k] p1) { p1 = Concat<axis=0>(x, "
                                         "x) }, else_branch = b () => (float[k] p2) { p2 = Relu(x) }>\n"
                                         "  y = Add(p, p)\n"
                                         "}\n";

START_TEST(branches_may_differ_in_shape)
{
    float x[] = { 1, 2, 3 };
    uint8_t c = 1;
    struct fixture f;

    begin(&f, branch_shapes);
    set(&f, "x", F32, 1, (int64_t[]){ 3 }, x);
    for (int k = 0; k < 4; k++) {
        c = k % 2 == 0;
        set(&f, "c", BOOL, 0, NULL, &c);
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, c ? 6 : 3)[2], 6);
    }
    end(&f);
}
END_TEST

/* dL/dx and dL/dw of `branches` for dL/dy = g, by hand. */
START_TEST(a_gradient_goes_through_the_branch_taken)
{
    float x[] = { 1, 2, 3 }, w[] = { 4, 0, -1 }, g[] = { 1, 10, 100 };
    struct report r = { 0 };
    struct budget b = { 0 };
    struct engine e = { .kernels = kernels_get(), .budget = &b };
    struct arena arena = { .budget = &b };
    const struct plan_context pc = { .kernels = e.kernels, .threads = 1, .budget = &b, .report = &r };
    struct tensor in[3] = { { .dtype = BOOL },
                            { .dtype = F32, .rank = 1, .dims = { 3 }, .data = x },
                            { .dtype = F32, .rank = 1, .dims = { 3 }, .data = w } };
    struct tensor flow = { .dtype = F32, .rank = 1, .dims = { 3 }, .data = g };
    struct fixture f;

    begin(&f, branches);
    for (uint8_t c = 0; c < 2; c++) {
        struct graph *graph = graph_clone(f.model->graph, &arena, &r);
        struct tensor *known = arena_array(&arena, graph->value_count, sizeof *known, &r);
        struct value *seed = graph->outputs[0], *seed_gradient = graph_value(graph, NULL), *d[2];
        struct value *wrt[2] = { graph->inputs[1], graph->inputs[2] };
        struct program *types;
        struct frame *frame;

        seed_gradient->initializer = &flow;
        in[0].data = &c;
        for (size_t k = 0; k < graph->value_count; k++)
            known[k].rank = UNKNOWN;
        for (int k = 0; k < 3; k++)
            known[graph->inputs[k]->id] = in[k];
        types = plan_types(graph, known, NULL, &pc);
        ck_assert_msg(types != NULL, "%s", r.error.message);
        ck_assert_msg(grad_build(&(struct grad_request){ .graph = graph,
                                                         .types = types->types,
                                                         .seeds = 1,
                                                         .seed = &seed,
                                                         .seed_gradient = &seed_gradient,
                                                         .count = 2,
                                                         .wrt = wrt,
                                                         .gradient = d },
                                 &pc),
                      "%s: %s", r.error.where, r.error.message);
        ck_assert(d[0] && d[1]);
        graph->output_count = 0;
        ck_assert(graph_add_output(graph, d[0]) && graph_add_output(graph, d[1]));
        frame = frame_new(&e, graph, &r);
        for (int k = 0; k < 3; k++)
            frame_set(frame, graph->inputs[k], &in[k]);
        ck_assert_msg(frame_run(frame, &r), "%s: %s", r.error.where, r.error.message);
        for (int k = 0; k < 3; k++) {
            const float dx = ((const float *)frame_get(frame, d[0])->data)[k],
                        dw = ((const float *)frame_get(frame, d[1])->data)[k];

            ck_assert_float_eq_tol(dx, c ? g[k] * 2 * x[k] * w[k] : g[k] * w[k], 1e-4f); /* (x w) x, or exp(w) + x w */
            ck_assert_float_eq_tol(dw, c ? g[k] * x[k] * x[k] : g[k] * (__builtin_expf(w[k]) + x[k]), 1e-3f);
        }
        frame_free(frame);
        program_free(types);
        graph_release(graph);
    }
    end(&f);
    arena_release(&arena);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

/* -- loops -- */

static const char growing[] = HEAD "main (int64 m, float[n] x) => (float[k] last, float[i, j] all) {\n"
                                   "  c = Constant<value = bool {1}>()\n"
                                   "  last, all = Loop (m, c, x) <body = b (int64 i, bool c_in, float[q] v) => (bool "
                                   "c_out, float[r] v_out, float s) {\n"
                                   "    v_out = Concat<axis=0>(v, x)\n"
                                   "    s = ReduceSum<keepdims=0>(v_out)\n"
                                   "    c_out = Identity(c_in)\n"
                                   "  }>\n"
                                   "}\n";

START_TEST(a_carried_value_may_grow)
{
    float x[] = { 1, 2 };
    int64_t m = 40;
    struct fixture f;

    begin(&f, growing);
    set(&f, "m", I64, 0, NULL, &m);
    set(&f, "x", F32, 1, (int64_t[]){ 2 }, x);
    for (int again = 0; again < 2; again++) {
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, 82)[81], 2);
        ck_assert_float_eq(floats(&f, 1, 40)[39], 3 * 41);
    }
    m = 0;
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 2)[1], 2);
    end(&f);
}
END_TEST

static const char endless[] =
    HEAD "main (float limit) => (float y) {\n"
         "  m = Constant<value = int64 {9223372036854775807}>()\n"
         "  c = Constant<value = bool {1}>()\n"
         "  zero = Constant<value = float {0}>()\n"
         "  one = Constant<value = float {1}>()\n"
         "  y = Loop (m, c, zero) <body = b (int64 i, bool c_in, float v) => (bool c_out, float v_out) {\n"
         "    v_out = Add(v, one)\n"
         "    c_out = Less(v_out, limit)\n"
         "  }>\n"
         "}\n";

START_TEST(an_endless_loop_may_stop_early)
{
    float limit = 1000;
    struct fixture f;

    begin(&f, endless);
    set(&f, "limit", F32, 0, NULL, &limit);
    run_ok(&f);
    ck_assert_float_eq(*floats(&f, 0, 1), 1000);
    limit = 3.4e38f;
    f.session->budget.seconds = .2;
    run_fails(&f, KILN_LIMIT, "time limit");
    end(&f);
}
END_TEST

/* -- sizes that only running can tell -- */

static const char dynamic[] = HEAD "main (float[n] x) => (float[k] y, int64[2] shape) {\n"
                                   "  at = NonZero(x)\n"
                                   "  shape = Shape(at)\n"
                                   "  flat = Squeeze(at)\n"
                                   "  picked = Gather(x, flat)\n"
                                   "  y = Add(picked, picked)\n"
                                   "}\n";

START_TEST(a_size_may_come_from_values)
{
    float x[] = { 0, 1, 0, 2, 3, 0 };
    struct fixture f;

    begin(&f, dynamic);
    set(&f, "x", F32, 1, (int64_t[]){ 6 }, x);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 3)[2], 6);
    x[0] = 7;
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 4)[0], 14);
    ck_assert_int_eq(((const int64_t *)session_output(f.session, 1)->data)[1], 4);
    end(&f);
}
END_TEST

static const char computed_shape[] = HEAD "main (float[n] x, int64[2] s) => (float[a, b] y) {\n"
                                          "  one = Constant<value_ints = [1, 1]>()\n"
                                          "  t = Mul(s, one)\n"
                                          "  y = Reshape(x, t)\n"
                                          "}\n";

START_TEST(a_shape_may_be_an_input)
{
    float x[] = { 0, 1, 2, 3, 4, 5 };
    int64_t s[] = { 2, 3 };
    struct fixture f;

    begin(&f, computed_shape);
    set(&f, "x", F32, 1, (int64_t[]){ 6 }, x);
    set(&f, "s", I64, 1, (int64_t[]){ 2 }, s);
    for (int k = 0; k < 60; k++) { /* more shapes than programs are kept */
        s[0] = k % 2 ? 3 : 6;
        s[1] = -1;
        run_ok(&f);
        ck_assert_int_eq(session_output(f.session, 0)->dims[1], k % 2 ? 2 : 1);
    }
    s[0] = 4;
    run_fails(&f, KILN_BAD_MODEL, "");
    end(&f);
}
END_TEST

START_TEST(shapes_may_change_from_run_to_run)
{
    float x[300];
    struct fixture f;

    for (int k = 0; k < 300; k++)
        x[k] = (float)k;
    begin(&f, dynamic);
    for (int64_t n = 1; n < 300; n += 3) {
        set(&f, "x", F32, 1, &n, x);
        if (n == 1)
            continue; /* NonZero of [0] is empty: Squeeze has another rank then */
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, n - 1)[n - 2], 2 * (float)(n - 1));
    }
    end(&f);
}
END_TEST

/* -- sequences -- */

static const char sequences[] = HEAD "main (float[n] x, int64 at) => (float[k] y, seq(float[?]) all) {\n"
                                     "  a = Exp(x)\n"
                                     "  b = Concat<axis=0>(x, x)\n"
                                     "  s = SequenceConstruct(a, b, x)\n"
                                     "  y = SequenceAt(s, at)\n"
                                     "  all = Identity(s)\n"
                                     "}\n";

START_TEST(a_sequence_holds_tensors_of_any_shape)
{
    float x[] = { 0, 0 };
    int64_t at = 1;
    struct fixture f;

    begin(&f, sequences);
    set(&f, "x", F32, 1, (int64_t[]){ 2 }, x);
    set(&f, "at", I64, 0, NULL, &at);
    run_ok(&f);
    floats(&f, 0, 4);
    ck_assert_int_eq(((const struct sequence *)session_output(f.session, 1)->data)->count, 3);
    at = -3;
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 2)[1], 1);
    at = 3;
    run_fails(&f, KILN_RUN_FAILED, "3");
    end(&f);
}
END_TEST

static const char through_sequence[] = HEAD "main (float[n] x) => (float[n] y) {\n"
                                            "  one = Constant<value = int64 {1}>()\n"
                                            "  last = Constant<value = int64 {-1}>()\n"
                                            "  a = Exp(x)\n"
                                            "  b = Mul(x, x)\n"
                                            "  s = SequenceConstruct(a, b, x, b)\n"
                                            "  t = Identity(s)\n"
                                            "  p = SequenceAt(s, one)\n"
                                            "  q = SequenceAt(t, last)\n"
                                            "  y = Mul(p, q)\n"
                                            "}\n";

/* y = (x x)(x x): what flows into the sequence from two places is added, and 4 x^3 comes out. */
START_TEST(a_gradient_goes_through_sequences)
{
    float x[] = { 1, 2 }, one[] = { 1, 1 };
    struct report r = { 0 };
    struct budget b = { 0 };
    struct engine e = { .kernels = kernels_get(), .budget = &b };
    struct arena arena = { .budget = &b };
    const struct plan_context pc = { .kernels = e.kernels, .threads = 1, .budget = &b, .report = &r };
    struct tensor in = { .dtype = F32, .rank = 1, .dims = { 2 }, .data = x };
    struct tensor flow = { .dtype = F32, .rank = 1, .dims = { 2 }, .data = one };
    struct value *seed, *seed_gradient, *d;
    struct tensor *known;
    struct program *types;
    struct graph *graph;
    struct frame *frame;
    struct fixture f;

    begin(&f, through_sequence);
    graph = graph_clone(f.model->graph, &arena, &r);
    known = arena_array(&arena, graph->value_count, sizeof *known, &r);
    for (size_t k = 0; k < graph->value_count; k++)
        known[k].rank = UNKNOWN;
    known[graph->inputs[0]->id] = in;
    seed = graph->outputs[0];
    seed_gradient = graph_value(graph, NULL);
    seed_gradient->initializer = &flow;
    types = plan_types(graph, known, NULL, &pc);
    ck_assert_msg(types && grad_build(&(struct grad_request){ .graph = graph,
                                                              .types = types->types,
                                                              .seeds = 1,
                                                              .seed = &seed,
                                                              .seed_gradient = &seed_gradient,
                                                              .count = 1,
                                                              .wrt = graph->inputs,
                                                              .gradient = &d },
                                      &pc),
                  "%s: %s", r.error.where, r.error.message);
    graph->output_count = 0;
    ck_assert(d && graph_add_output(graph, d));
    frame = frame_new(&e, graph, &r);
    frame_set(frame, graph->inputs[0], &in);
    ck_assert_msg(frame_run(frame, &r), "%s: %s", r.error.where, r.error.message);
    ck_assert_float_eq_tol(((const float *)frame_get(frame, d)->data)[0], 4, 1e-5f);
    ck_assert_float_eq_tol(((const float *)frame_get(frame, d)->data)[1], 32, 1e-4f);
    frame_free(frame);
    program_free(types);
    graph_release(graph);
    arena_release(&arena);
    ck_assert_uint_eq(b.used, 0);
    end(&f);
}
END_TEST

/* -- what is not needed -- */

static const char override[] = HEAD "main (float[2] x, float[2] w = {1, 2}) => (float[2] y) {\n  y = Mul(x, w)\n}\n";

START_TEST(an_initializer_that_is_an_input_is_a_default)
{
    float x[] = { 3, 4 }, w[] = { 10, 10 };
    struct fixture f;

    begin(&f, override);
    set(&f, "x", F32, 1, (int64_t[]){ 2 }, x);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 2)[1], 8);
    set(&f, "w", F32, 1, (int64_t[]){ 2 }, w);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 2)[1], 40);
    end(&f);
}
END_TEST

/* -- plans that are kept -- */

/* With an empty `axes` all is planned at once; else only the first node, and what is behind it must not be what an
 * earlier run has left. */
static const char sometimes_known[] = HEAD "main (float[a, b] x, int64[n] axes) => (float[?] y) {\n"
                                           "  s = Squeeze (x, axes) t = Neg (s) y = Exp (t)\n"
                                           "}\n";

START_TEST(what_an_earlier_run_left_is_not_looked_at)
{
    float x[] = { 0, 0, 0, 0 };
    int64_t axes[] = { 1 };
    struct fixture f;

    begin(&f, sometimes_known);
    set(&f, "x", F32, 2, (int64_t[]){ 2, 1 }, x);
    for (int k = 0; k < 6; k++) {
        set(&f, "axes", I64, 1, (int64_t[]){ k % 2 }, axes);
        run_ok(&f);
        ck_assert_int_eq(session_output(f.session, 0)->rank, k % 2 ? 1 : 2);
        ck_assert_float_eq(floats(&f, 0, 2)[1], 1);
    }
    end(&f);
}
END_TEST

static const char simple[] = HEAD "main (float[n] x) => (float[n] y) {\n  t = Neg (x) u = Exp (t) y = Add (u, t)\n}\n";

START_TEST(a_shape_is_planned_once)
{
    const struct program *first[3];
    float x[3] = { 0 };
    struct fixture f;

    begin(&f, simple);
    for (int k = 0; k < 12; k++) {
        set(&f, "x", F32, 1, (int64_t[]){ k % 3 + 1 }, x);
        run_ok(&f);
        if (k < 3)
            first[k] = frame_program(f.session->frame);
        ck_assert_ptr_eq(frame_program(f.session->frame), first[k % 3]);
        ck_assert_float_eq(floats(&f, 0, k % 3 + 1)[k % 3], 1);
    }
    end(&f);
}
END_TEST

/* The same shape in other memory: views look at what was given last. */
START_TEST(a_view_follows_its_input)
{
    float x[3][2] = { { 1, 2 }, { 3, 4 }, { 5, 6 } };
    struct fixture f;

    begin(&f, HEAD "main (float[2] x) => (float[1, 2] v, float[1, 2] y) <int64[2] s = {1, 2}> {\n"
                   "  v = Reshape (x, s) y = Neg (v)\n}\n");
    for (int k = 0; k < 6; k++) {
        set(&f, "x", F32, 1, (int64_t[]){ 2 }, x[k % 3]);
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, 2)[1], x[k % 3][1]);
        ck_assert_float_eq(floats(&f, 1, 2)[0], -x[k % 3][0]);
    }
    end(&f);
}
END_TEST

/* Programs are kept for so many shapes, and memory with them. */
START_TEST(plans_are_not_kept_without_end)
{
    enum { SHAPES = 150 };
    static float x[SHAPES];
    size_t used = 0;
    struct fixture f;

    begin(&f, simple);
    for (int k = 1; k <= SHAPES; k++) {
        set(&f, "x", F32, 1, (int64_t[]){ k }, x);
        run_ok(&f);
        used = k == SHAPES / 2 ? f.session->budget.used : used;
    }
    ck_assert_msg(f.session->budget.used < used + used / 8, "%zu bytes after %d shapes, %zu after half of them",
                  f.session->budget.used, (int)SHAPES, used);
    end(&f);
}
END_TEST

/* More segments in one run than are kept of other runs. */
START_TEST(many_segments_are_kept)
{
    enum { SEGMENTS = 50 };
    char text[8192];
    int n = snprintf(text, sizeof text, HEAD "main (float[n] x) => (float[k] y) {\n  v0 = Identity (x)\n");
    float x[] = { 1, 0, 2 };
    size_t used = 0;
    struct fixture f;

    for (int k = 0; k < SEGMENTS; k++)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "  n%d = NonZero (v%d) f%d = Squeeze (n%d) v%d = Gather (v%d, f%d)\n", k, k, k, k, k + 1, k, k);
    snprintf(text + n, sizeof text - (size_t)n, "  y = Neg (v%d)\n}\n", SEGMENTS);
    begin(&f, text);
    set(&f, "x", F32, 1, (int64_t[]){ 3 }, x);
    for (int k = 0; k < 4; k++) {
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, 2)[1], -2);
        ck_assert(!used || f.session->budget.used == used);
        used = f.session->budget.used;
    }
    end(&f);
}
END_TEST

/* Two shapes whose memory does not fit side by side. */
START_TEST(plans_that_are_only_kept_make_room)
{
    enum { N = 100000 };
    const struct session_options o = { .threads = 1, .memory = 1500000 };
    static float x[N];
    struct fixture f;

    begin(&f, simple);
    session_free(f.session);
    f.session = session_new(f.model->graph, &o, &f.report);
    for (int64_t k = 0; k < 6; k++) {
        set(&f, "x", F32, 1, (int64_t[]){ N - k % 3 }, x);
        run_ok(&f);
        ck_assert_float_eq(floats(&f, 0, N - k % 3)[N / 2], 1);
    }
    set(&f, "x", F32, 1, (int64_t[]){ 5 }, x);
    run_ok(&f);
    end(&f);
}
END_TEST

/* What the first segment of a run has made is read by the second, whose memory does not fit beside that of earlier
 * runs. */
START_TEST(segments_of_the_run_stay)
{
    enum { N = 100000 };
    struct session_options o = { .threads = 1 };
    static float x[N];
    struct fixture f;

    begin(&f, HEAD "main (float[n] x) => (float[k] y) {\n"
                   "  d = Neg (x) i = NonZero (d) j = Squeeze (i) g = Gather (d, j) y = Exp (g)\n}\n");
    for (int k = 0; k < N; k++)
        x[k] = 1;
    for (int limited = 0; limited < 2; limited++) {
        session_free(f.session);
        f.session = session_new(f.model->graph, &o, &f.report);
        for (int64_t k = 0; k < 3; k++) {
            set(&f, "x", F32, 1, (int64_t[]){ N - k }, x);
            run_ok(&f);
            ck_assert_float_eq_tol(floats(&f, 0, N - k)[N / 2], .36787944f, 1e-6f);
            o.memory = o.memory ? o.memory : f.session->budget.peak / 3 * 4; /* room for one and a part */
        }
    }
    end(&f);
}
END_TEST

/* -- outputs of every kind -- */

static const char outputs[] =
    HEAD "main (float[2] x, float[2] d = {5, 6}) => (float[2] x, float[2] w, float[2] d, float[2] y, float[2] y,"
         " float[2] z, int64[1] s) <float[2] w = {3, 4}> {\n"
         "  y = Mul (x, w) z = Identity (x) s = Shape (x)\n"
         "}\n";

START_TEST(an_output_may_be_anything)
{
    float x[] = { 1, 2 };
    struct fixture f;

    begin(&f, outputs);
    set(&f, "x", F32, 1, (int64_t[]){ 2 }, x);
    for (int again = 0; again < 2; again++) {
        static const float expected[] = { 2, 4, 6, 8, 8, 2 };

        run_ok(&f);
        for (size_t k = 0; k < 6; k++)
            ck_assert_float_eq(floats(&f, k, 2)[1], expected[k]);
        ck_assert_int_eq(*(const int64_t *)session_output(f.session, 6)->data, 2);
    }
    end(&f);
}
END_TEST

START_TEST(a_graph_may_be_empty)
{
    float x[] = { 7 };
    struct fixture f;

    begin(&f, HEAD "main (float[1] x) => (float[1] x) {\n}\n");
    set(&f, "x", F32, 1, (int64_t[]){ 1 }, x);
    run_ok(&f);
    ck_assert_float_eq(*floats(&f, 0, 1), 7);
    end(&f);
    begin(&f, HEAD "main () => () {\n}\n");
    run_ok(&f);
    end(&f);
}
END_TEST

/* -- several inputs that are prepared -- */

static void scaled(const void *key, const struct tensor *in, const struct kernels *k, struct pool *pool, void *out)
{
    (void)k;
    (void)pool;
    for (int64_t n = 0; n < tensor_count(in); n++)
        ((float *)out)[n] = *(const float *)key * ((const float *)in->data)[n];
}

/* y = 2 a + 3 b + x, where a and b are constants: each is scaled once. */
static bool sum_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 2);
    const float factors[] = { 2, 3, 5 };

    for (int k = 0; k < 3; k++)
        if (need_prepared(i, k, (size_t)tensor_bytes(x), scaled, &factors[k], sizeof *factors) != (k < 2))
            return false;
    return set_out(i, 0, F32, x->rank, x->dims);
}

static bool sum_run(struct step *s)
{
    const float *a = prepared_for(s, 0), *b = prepared_for(s, 1), *x = s->in[2]->data;

    for (int64_t k = 0; k < tensor_count(s->out[0]); k++)
        ((float *)s->out[0]->data)[k] = a[k] + b[k] + x[k];
    return !prepared_for(s, 2);
}

static const struct op sum_op = {
    .name = "ScaledSum",
    .domain = "test",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T a, T b, T x -> T y",
                                       .types = "T: f32",
                                       .infer = sum_infer,
                                       .run = sum_run,
                                       .no_gradient = "a test" },
                                     { 0 } },
};

START_TEST(each_input_is_prepared)
{
    struct budget b = { 0 };
    struct arena arena = { .budget = &b };
    struct report r = { 0 };
    float ones[] = { 1, 2 }, tens[] = { 10, 20 }, given[] = { 100, 200 };
    struct tensor constant[] = { { .dtype = F32, .rank = 1, .dims = { 2 }, .data = ones },
                                 { .dtype = F32, .rank = 1, .dims = { 2 }, .data = tens } };
    struct tensor x = { .dtype = F32, .rank = 1, .dims = { 2 }, .data = given };
    struct emitter e = { .report = &r };
    struct value *in[3], *y;
    struct engine engine;
    struct graph *g;
    struct frame *f;

    ck_assert(engine_init(&engine, &b, &(struct engine_options){ .threads = 1 }, &r));
    e.graph = g = graph_new(&arena, NULL, "test", &r);
    for (int k = 0; k < 3; k++) {
        in[k] = graph_value(g, NULL);
        if (k < 2)
            in[k]->initializer = &constant[k];
        else
            graph_add_input(g, in[k]);
    }
    ck_assert(emit_private(&e, &sum_op, NULL, 1, &y, NULL, 3, in) && graph_add_output(g, y));
    f = frame_new(&engine, g, &r);
    frame_set(f, in[2], &x);
    for (int k = 0; k < 2; k++) {
        ck_assert_msg(frame_run(f, &r), "%s: %s", r.error.where, r.error.message);
        ck_assert_float_eq(((const float *)frame_get(f, y)->data)[0], 132);
        ck_assert_float_eq(((const float *)frame_get(f, y)->data)[1], 264);
    }
    frame_free(f);
    engine_release(&engine);
    graph_release(g);
    arena_release(&arena);
    ck_assert_uint_eq(b.used, 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("frame");

    add_test(s, a_branch_sees_outer_values);
    add_test(s, branches_may_differ_in_shape);
    add_test(s, a_gradient_goes_through_the_branch_taken);
    add_test(s, a_carried_value_may_grow);
    add_test(s, an_endless_loop_may_stop_early);
    add_test(s, a_size_may_come_from_values);
    add_test(s, a_shape_may_be_an_input);
    add_test(s, shapes_may_change_from_run_to_run);
    add_test(s, a_sequence_holds_tensors_of_any_shape);
    add_test(s, a_gradient_goes_through_sequences);
    add_test(s, an_initializer_that_is_an_input_is_a_default);
    add_test(s, what_an_earlier_run_left_is_not_looked_at);
    add_test(s, a_shape_is_planned_once);
    add_test(s, a_view_follows_its_input);
    add_test(s, plans_are_not_kept_without_end);
    add_test(s, many_segments_are_kept);
    add_test(s, plans_that_are_only_kept_make_room);
    add_test(s, segments_of_the_run_stay);
    add_test(s, an_output_may_be_anything);
    add_test(s, a_graph_may_be_empty);
    add_test(s, each_input_is_prepared);
    return s;
}
