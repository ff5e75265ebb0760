/* Scan against the same nodes written out; what it refuses; its gradient. */
#include "model/model.h"
#include "ops/op.h"
#include "run/session.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>

enum { TEXT = 4096 };

/* A session, and its inputs, which have closed types. */
struct ran {
    struct model *model;
    struct session *session;
    struct arena arena;
};

static void fill(struct ran *r, size_t k)
{
    struct tensor t = r->model->graph->inputs[k]->type;

    t.data = arena_alloc(&r->arena, (size_t)tensor_bytes(&t) + 8, &report);
    expect_ok(t.data);
    for (int64_t n = 0; n < tensor_count(&t); n++)
        if (t.dtype == F32)
            ((float *)t.data)[n] = (float)sin(1.3 * (double)k + .7 * (double)n + .2);
        else
            ((int64_t *)t.data)[n] = n + (int64_t)k;
    expect_ok(session_set(r->session, r->model->graph->inputs[k], &t, &report));
}

static bool begin_ran(struct ran *r, int opset, const char *text)
{
    const struct session_options o = { .threads = 2 };
    char whole[TEXT];

    *r = (struct ran){ .arena.budget = &budget };
    ck_assert_int_lt(
        snprintf(whole, sizeof whole, "<ir_version: 10, opset_import: [\"\": %d, \"f\": 1]> %s", opset, text),
        sizeof whole);
    r->model = model_read_bytes(whole, strlen(whole), NULL, &report);
    expect_ok(r->model);
    if (!model_build(r->model, &report))
        return false;
    r->session = session_new(r->model->graph, &o, &report);
    expect_ok(r->session);
    for (size_t k = 0; k < r->model->graph->input_count; k++)
        fill(r, k);
    return session_run(r->session, &report);
}

static void end_ran(struct ran *r)
{
    session_free(r->session);
    model_free(r->model);
    arena_release(&r->arena);
}

/* -- values -- */

#define STEP(before, e, after, t)                                                                                      \
    "m" t " = Mul (" before ", " e ") " after " = Add (m" t ", c) " t " = Sub (" after ", " e ") "
#define ALONG_ONE "g (float[2,3] s, float[2,3,3] x, float[3] c) => (float[2,3] y, float[2,3,3] z) "
#define NESTED    "g (float[3] s, float[2,2,3] x, float[3] c) => (float[3] y, float[2,2,3] z) "
#define CALLED    "g (float[2] s, float[3,2] x) => (float[2] y) "
#define EMPTY     "g (float[2] s, float[2,0] x) => (float[2] y, float[2,0] z, float[0,4] v) "
#define BATCH     "g (float[1] c, float[3,1] s, float[3,2,1] x) => (float[3,1] y, float[3,2,1] z) "

static const struct {
    int opset;
    const char *scan, *plain;
} pairs[] = {
    /* elements along axis 1, backwards; what iterations give along axis 2, the last one first */
    { 13,
      ALONG_ONE "{ y, z = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1], "
                "scan_output_axes = [-1], scan_output_directions = [1], body = b (float[2,3] p, float[2,3] e) => "
                "(float[2,3] p1, float[2,3] t) { m = Mul (p, e) p1 = Add (m, c) t = Sub (p1, e) }> (s, x) }",
      ALONG_ONE "<int64[1] i1 = {1}, int64[1] i2 = {2}> { e0, e1, e2 = Split <axis = 1> (x) f0 = Squeeze (e0, i1) "
                "f1 = Squeeze (e1, i1) f2 = Squeeze (e2, i1) " STEP("s", "f2", "a", "t0") STEP("a", "f1", "b", "t1")
                    STEP("b", "f0", "y", "t2") "u0 = Unsqueeze (t0, i2) u1 = Unsqueeze (t1, i2) u2 = Unsqueeze (t2, "
                                               "i2) z = Concat <axis = 2> (u2, u1, u0) }" },
    /* a scan in a scan, which reads what is outside of both */
    { 21,
      NESTED "{ y, z = Scan <num_scan_inputs = 1, body = o (float[3] s0, float[2,3] r) => (float[3] s2, float[2,3] w) "
             "{ s2, w = Scan <num_scan_inputs = 1, scan_input_directions = [1], body = b (float[3] p, float[3] e) => "
             "(float[3] p1, float[3] t) { m = Mul (p, e) p1 = Add (m, c) q = ReduceMax <keepdims = 0> (r) "
             "t = Sub (p1, q) }> (s0, r) }> (s, x) }",
      NESTED "<int64[1] i0 = {0}, int64[3] d = {2,2,3}> { r0, r1 = Split <num_outputs = 2> (x) v0 = Squeeze (r0, i0) "
             "v1 = Squeeze (r1, i0) q0 = ReduceMax <keepdims = 0> (v0) q1 = ReduceMax <keepdims = 0> (v1) "
             "a0, a1 = Split <num_outputs = 2> (v0) b0, b1 = Split <num_outputs = 2> (v1) "
             "e0 = Squeeze (a0) e1 = Squeeze (a1) e2 = Squeeze (b0) e3 = Squeeze (b1) "
             "m0 = Mul (s, e1) p0 = Add (m0, c) m1 = Mul (p0, e0) p1 = Add (m1, c) m2 = Mul (p1, e3) p2 = Add (m2, c) "
             "m3 = Mul (p2, e2) y = Add (m3, c) t0 = Sub (p0, q0) t1 = Sub (p1, q0) t2 = Sub (p2, q1) t3 = Sub (y, q1) "
             "k = Concat <axis = 0> (t0, t1, t2, t3) z = Reshape (k, d) }" },
    /* in a loop, whose number it reads, and in a function that is called twice there */
    { 21,
      CALLED
      "{ n = Constant <value_int = 2> () y = Loop (n, , s) <body = l (int64 i, bool go, float[2] s0) => (bool on, "
      "float[2] s3) { on = Identity (go) a = f.turn (s0, x) f = Cast <to = 1> (i) s2 = Scan <num_scan_inputs = "
      "1, body = b (float[2] p, float[2] e) => (float[2] p1) { q = Mul (e, f) p1 = Add (p, q) }> (a, x) s3 = "
      "f.turn (s2, x) }> }\n"
      "<opset_import: [\"\": 21, \"f\": 1], domain: \"f\"> turn (S, X) => (Y) { Y = Scan <num_scan_inputs = 1, "
      "body = b (p, e) => (p1) { p1 = Sub (e, p) }> (S, X) }",
      CALLED "<float zero = {0}> { o0, o1, o2 = Split <num_outputs = 3> (x) e0 = Squeeze (o0) e1 = Squeeze (o1) e2 = "
             "Squeeze (o2) a0 = Sub (e0, s) a1 = Sub (e1, a0) a2 = Sub (e2, a1) b0 = Sub (e0, a2) b1 = Sub (e1, b0) "
             "b2 = Sub (e2, b1) c0 = Sub (e0, b2) c1 = Sub (e1, c0) c2 = Sub (e2, c1) d0 = Add (c2, e0) "
             "d1 = Add (d0, e1) d2 = Add (d1, e2) k0 = Sub (e0, d2) k1 = Sub (e1, k0) y = Sub (e2, k1) }" },
    /* only running tells how long it is; nothing is carried */
    { 21,
      "g (float[5] x) => (float[1,K] y) <float z = {0}> { k = Greater (x, z) w = Compress <axis = 0> (x, k) y = Scan "
      "<num_scan_inputs = 1, scan_output_axes = [1], body = b (e) => (t) <int64[1] o = {1}> { v = Exp (e) t = Reshape "
      "(v, o) }> (w) }",
      "g (float[5] x) => (float[1,K] y) <float z = {0}, int64[1] o = {0}> { k = Greater (x, z) w = Compress <axis = 0> "
      "(x, k) v = Exp (w) y = Unsqueeze (v, o) }" },
    /* states that grow are carried on */
    { 21,
      "g (float[2] s, float[3,2] x) => (float[K] y) { y = Scan <num_scan_inputs = 1, body = b (p, e) => (q) { q = "
      "Concat "
      "<axis = 0> (p, e) }> (s, x) }",
      "g (float[2] s, float[3,2] x) => (float[K] y) <int64[1] d = {6}> { f = Reshape (x, d) y = Concat <axis = 0> (s, "
      "f) "
      "}" },
    { 21,
      "g (float[1] x) => (float[3] y) <string a = {\"-\"}, string[3] w = {\"a\", \"bc\", \"\"}, string[3] v = {\"bc\", "
      "\"abc\", \"-a\"}> { p, q = Scan <num_scan_inputs = 1, scan_output_directions = [1], body = b (s, e) => (e1, t) "
      "{ "
      "e1 = Identity (e) t = StringConcat (s, e) }> (a, w) k = Equal (q, v) y = Cast <to = 1> (k) }",
      "g (float[1] x) => (float[3] y) { y = Constant <value_floats = [1.0, 1.0, 1.0]> () }" },
    /* no element */
    { 14,
      EMPTY
      "{ y, z, v = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1, 0], body = b (p, e) => "
      "(q, t, u) { q = Add (p, e) t = Mul (p, e) u = Concat <axis = 0> (p, e) }> (s, x) }",
      EMPTY "<int64[2] d = {0,4}> { y = Identity (s) z = Identity (x) v = Reshape <allowzero = 1> (x, d) }" },
    /* opset 8: samples, whose sequences end where they do, and go backwards from there */
    { 8,
      BATCH
      "<int64[3] n = {2,0,1}> { y, z = Scan <num_scan_inputs = 1, directions = [1], body = b (float[1] p, float[1] "
      "e) => (float[1] p1, float[1] t) { m = Mul (p, e) p1 = Add (m, c) t = Neg (p1) }> (n, s, x) }",
      BATCH
      "<int64[2] d = {6,1}, int64[3] r = {3,2,1}> { s0, s1, s2 = Split <axis = 0> (s) o = Reshape (x, d) "
      "e0, e1, e2, e3, e4, e5 = Split <axis = 0> (o) a = Mul (s0, e1) b = Add (a, c) f = Mul (b, e0) h = Add (f, c) "
      "i = Mul (s2, e4) j = Add (i, c) y = Concat <axis = 0> (h, s1, j) nb = Neg (b) nh = Neg (h) nj = Neg (j) "
      "v = Sub (s0, s0) w = Concat <axis = 0> (nb, nh, v, v, nj, v) z = Reshape (w, r) }" },
};

START_TEST(values_are_as_written_out)
{
    struct ran scan, plain;

    expect_ok(begin_ran(&scan, pairs[_i].opset, pairs[_i].scan));
    expect_ok(begin_ran(&plain, pairs[_i].opset, pairs[_i].plain));
    for (size_t k = 0; k < scan.model->graph->output_count; k++) {
        const struct tensor *a = session_output(scan.session, k), *b = session_output(plain.session, k);
        char got[TYPE_TEXT], want[TYPE_TEXT];

        ck_assert_msg(same_type(a, b), "output %zu is %s, must be %s", k, tensor_text(a, got), tensor_text(b, want));
        for (int64_t n = 0; n < tensor_count(a); n++)
            ck_assert_msg(((float *)a->data)[n] == ((float *)b->data)[n], "output %zu[%lld] is %g, must be %g", k,
                          (long long)n, (double)((float *)a->data)[n], (double)((float *)b->data)[n]);
    }
    end_ran(&scan);
    end_ran(&plain);
}
END_TEST

/* Elements are picked by the standard's Gather where it takes their type, so that the way back adds up no sequences. */
START_TEST(elements_are_gathered)
{
    static const struct {
        const char *formals, *cast;
        bool standard;
    } cases[] = {
        { "float[3,2] x, float[2] s", "z = Identity (x) t = Identity (s)", true },
        { "x, s", "z = Identity (x) t = Identity (s)", true }, /* the body tells */
        { "float[3,2] x, float[2] s", "z = Cast <to = 17> (x) t = Cast <to = 17> (s)", false },
    };
    char text[TEXT];
    struct model *m;
    const struct node *loop;

    snprintf(text, sizeof text,
             "<ir_version: 10, opset_import: [\"\": 21]> g (%s) => (y) { %s y = Scan <num_scan_inputs = 1, "
             "scan_input_axes = [1], body = b (p, %s) => (q) { q = Identity (e) }> (t, z) }",
             cases[_i].formals, cases[_i].cast, _i == 1 ? "float[3] e" : "e");
    m = model_read_bytes(text, strlen(text), NULL, &report);
    expect_ok(m && model_build(m, &report));
    loop = m->graph->nodes[m->graph->node_count - 1];
    ck_assert_int_eq(loop->graphs, 1);
    ck_assert_str_eq(loop->graph_of[0]->nodes[0]->op_name, "Gather");
    ck_assert_str_eq(loop->graph_of[0]->nodes[0]->op->domain, cases[_i].standard ? "" : "kiln");
    model_free(m);
}
END_TEST

/* -- what cannot be -- */

#define IN  "g (float[2] s, float[3,2] x, float[2,2] w, int64[2] n) => (y, z) { y, z = Scan "
#define ADD "body = b (float[2] p, float[2] e) => (float[2] q, float[2] t) { q = Add (p, e) t = Neg (q) }> "
#define ZIP                                                                                                            \
    "body = b (float[2] p, float[2] e, float[2] d) => (float[2] q, float[2] t) { q = Add (p, e) t = Mul (q, d) }> "

static const struct {
    int opset;
    const char *text, *where, *says;
} refused[] = {
    { 21, IN "<" ADD "(s, x) }", "node[0]", "num_scan_inputs is 0, must be from 1 to 2" },
    { 21, IN "<num_scan_inputs = 3, " ADD "(s, x) }", "node[0]", "num_scan_inputs is 3, must be from 1 to 2" },
    { 21, IN "<num_scan_inputs = 1, " ADD "(s, s, x) }", "node[0]",
      "body has 2 inputs, must have 3: 2 states and 1 elements" },
    { 21, IN "<num_scan_inputs = 1, body = b (p, q, e) => (e) { r = Add (p, q) }> (s, s, x) }", "node[0]",
      "body has 1 outputs, must have at least 2, the states" },
    { 21, IN "<num_scan_inputs = 1, body = b (p, e) => (q) { q = Add (p, e) }> (s, x) }", "node[0]",
      "2 outputs, must have at most 1" },
    { 21, IN "<num_scan_inputs = 1, scan_input_axes = [0, 0], " ADD "(s, x) }", "node[0]",
      "'scan_input_axes' has 2 values, must have 1" },
    { 21, IN "<num_scan_inputs = 1, scan_output_directions = [2], " ADD "(s, x) }", "node[0]",
      "'scan_output_directions' has 2, must have 0 or 1" },
    { 21, IN "<num_scan_inputs = 1, directions = [1], " ADD "(s, x) }", "node[0]", "'directions' is unknown" },
    { 8, IN "<num_scan_inputs = 1, scan_input_axes = [1], " ADD "(, s, x) }", "node[0]",
      "'scan_input_axes' is unknown" },
    { 21, IN "<num_scan_inputs = 1, scan_input_axes = [2], " ADD "(s, x) }", "node[0] '' Scan-21",
      "state or scan input 1 has 2 dimensions, no axis 2" },
    { 21, IN "<num_scan_inputs = 1, scan_output_axes = [-3], " ADD "(s, x) }", "node[0] '' Scan-21",
      "the axis of scan output 0 is -3, must be in [-2, 1]" },
    { 21, IN "<num_scan_inputs = 2, " ZIP "(s, x, w) }", "node[0] '' Scan-21",
      "the length is 2 in scan input or state 2, 3 in those before" },
    { 8, IN "<num_scan_inputs = 1, " ADD "(, w, x) }", "node[0] '' Scan-8",
      "the batch is 3 in scan input or state 1, 2 in those before" },
    { 8,
      "g (float[2,1] s, float[2,3,1] x, int64[3] n) => (y) { y = Scan <num_scan_inputs = 1, body = b (p, e) => (q) { q "
      "= Add "
      "(p, e) }> (n, s, x) }",
      "node[0] '' Scan-8", "'sequence_lens' must have shape [2]" },
    { 8,
      "g (float[2,1] s, float[2,3,1] x) => (y) <int64[2] n = {3,4}> { y = Scan <num_scan_inputs = 1, body = b (p, e) "
      "=> (q) { q "
      "= Add (p, e) }> (n, s, x) }",
      "node[0] '' Scan-8", "sequence_lens[1] is 4, must be from 0 to 3" },
    { 8,
      "g (float[2,1] s, float[2,3,1] x) => (y) <int64[2] n = {-1,3}> { y = Scan <num_scan_inputs = 1, body = b (p, e) "
      "=> (q) { q "
      "= Add (p, e) }> (n, s, x) }",
      "node[0] '' Scan-8", "sequence_lens[0] is -1, must be from 0 to 3" },
};

START_TEST(what_does_not_fit_is_told)
{
    struct ran r;

    ck_assert(!begin_ran(&r, refused[_i].opset, refused[_i].text));
    ck_assert_msg(strstr(report.error.where, refused[_i].where), "%s: %s", report.error.where, report.error.message);
    ck_assert_msg(strstr(report.error.message, refused[_i].says), "%s: %s", report.error.where, report.error.message);
    report = (struct report){ 0 };
    end_ran(&r);
}
END_TEST

/* Whatever there is not enough memory for is told, and all is given back. */
START_TEST(memory_may_end_anywhere)
{
    const int k = _i ? 7 : 0; /* as Loop in Loop, or as one */
    char text[TEXT];
    int refusals = 0;
    struct model *m = NULL;

    snprintf(text, sizeof text, "<ir_version: 10, opset_import: [\"\": %d]> %s", pairs[k].opset, pairs[k].scan);
    for (size_t spare = 1; !m; spare += 1 + spare / 64) {
        const struct model_options o = { .memory = spare };

        m = model_read_bytes(text, strlen(text), &o, &report);
        if (m && !model_build(m, &report)) {
            model_free(m);
            m = NULL;
        }
        if (!m) {
            expect_error(KILN_LIMIT, "memory limit");
            refusals++;
        }
    }
    model_free(m);
    ck_assert_int_gt(refusals, 50);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("scan");

    add_tests(s, values_are_as_written_out, sizeof pairs / sizeof *pairs);
    add_tests(s, elements_are_gathered, 3);
    add_tests(s, what_does_not_fit_is_told, sizeof refused / sizeof *refused);
    add_tests(s, memory_may_end_anywhere, 2);
    return s;
}
