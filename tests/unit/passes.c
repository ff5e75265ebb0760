/* Passes: what the graph is after each, alone, and that a session computes what a frame computes without any. */
#include "ops/registry.h"
#include "trial.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void same_results(struct trial *t)
{
    results_within(t, 1e-5, 1e-5);
}

#define HEAD "<ir_version: 8, opset_import: [\"\" : 17]>\n"
#define BN   "<float[2] s = {1.5, -0.5}, float[2] o = {0.25, 2}, float[2] m = {0.1, -0.3}, float[2] v = {0.5, 2}"

/* -- constants -- */

START_TEST(constants_are_folded_once)
{
    struct trial t;
    const struct tensor *w;

    start(&t, HEAD "g (float[N, 600] x) => (float[N, 600] y, float[600, 600] kept)\n"
                   "<int64[2] shape = {600, 600}>\n"
                   "{ w = ConstantOfShape <value = float[1] {0.01}> (shape)\n"
                   "  kept = Neg(w)\n"
                   "  y = MatMul(x, w) }");
    apply(&t, pass_constants);
    w = value_constant(graph_find(t.passes.graph, "w"));
    ck_assert_ptr_nonnull(w); /* more than a program would fold */
    ck_assert_int_eq(tensor_bytes(w), 600 * 600 * 4);
    ck_assert(((const float *)w->data)[359999] == .01f);
    ck_assert_int_eq(count(t.passes.graph, "ConstantOfShape"), 0);
    ck_assert_ptr_nonnull(maker(&t, "kept")); /* an output is made by a node */
    ck_assert_ptr_null(graph_find(t.f.model->graph, "w")->initializer);
    same_results(&t);
    finish(&t);
}
END_TEST

/* A file of a few lines may not take more memory than a quarter of what the session has. */
START_TEST(constants_stay_within_the_budget)
{
    struct trial t;

    start(&t, HEAD "g (float[N] x) => (float[N] y)\n"
                   "<int64[1] shape = {1000000}>\n"
                   "{ w = ConstantOfShape <value = float[1] {1}> (shape)\n"
                   "  v = Exp(w)\n"
                   "  s = ReduceSum <keepdims = 0> (v)\n"
                   "  y = Mul(x, s) }");
    t.budget.limit = 20 << 20;
    apply(&t, pass_constants);
    ck_assert_int_eq(count(t.passes.graph, "ConstantOfShape"), 0);
    ck_assert_int_eq(count(t.passes.graph, "Exp"), 1);
    ck_assert_uint_lt(t.budget.used, 6 << 20);
    finish(&t);
}
END_TEST

/* What is drawn is drawn in each run, though nothing comes in. */
START_TEST(what_is_random_is_not_folded)
{
    struct trial t;
    float first[8];

    start(&t, HEAD "g () => (float[8] y) <float[8] c = {0, 0, 0, 0, 0, 0, 0, 0}>\n"
                   "{ r = RandomUniformLike(c) y = Neg(r) }");
    apply(&t, pass_constants);
    ck_assert_ptr_nonnull(maker(&t, "r"));
    run_ok(&t.f);
    memcpy(first, floats(&t.f, 0, 8), sizeof first);
    ck_assert(first[0] != first[1]);
    run_ok(&t.f);
    ck_assert(memcmp(first, floats(&t.f, 0, 8), sizeof first) != 0);
    finish(&t);
}
END_TEST

/* -- scale and shift -- */

#define IMAGE "g (float[N, 3, 5, 6] x) => (float[N, 2, P, Q] y)\n" BN

static const struct {
    const char *text;
    int nodes; /* left of those that scale and shift */
} affine[] = {
    { IMAGE ", float[2, 3, 2, 1] w = {1, 2, 3, -4, 5, 6, -1, 2, 1, 0, 0.5, 3}>\n"
            "{ c = Conv <pads = [1, 0, 0, 1]> (x, w) y = BatchNormalization <epsilon = 0.01> (c, s, o, m, v) }",
      0 },
    { IMAGE ", float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}, float[2] b = {1, -1}, float[1, 2, 1, 1] f = {3, -2}, "
            "float[2, 1, 1] a = {1, 4}, float h = {0.5}>\n"
            "{ c = Conv(x, w, b) d = BatchNormalization(c, s, o, m, v) e = Mul(f, d) k = Sub(e, a) y = Add(k, h) }",
      0 },
    { "g (float[N, 4, 3, 2] x) => (float[N, 2, P, Q] y)\n" BN
      ", float[4, 1, 2, 1] w = {1, 2, -3, 4, 5, 6, 7, 8}, float[2] b = {0.5, 3}>\n"
      "{ c = ConvTranspose <group = 2, strides = [2, 1]> (x, w, b) y = BatchNormalization(c, s, o, m, v) }",
      0 },
    { "g (float[N, 3] x) => (float[N, 2] y)\n" BN ", float[3, 2] w = {1, 2, -3, 4, 5, 6}, float[1, 2] b = {1, 2}>\n"
      "{ c = Gemm <alpha = 0.5, beta = 3.0> (x, w, b) y = BatchNormalization(c, s, o, m, v) }",
      0 },
    { "g (float[N, 3] x) => (float[N, 2] y)\n" BN ", float[2, 3] w = {1, 2, -3, 4, 5, 6}, float b = {4}>\n"
      "{ c = Gemm <transB = 1, beta = 0.0> (x, w, b) d = BatchNormalization(c, s, o, m, v) y = Mul(d, b) }",
      0 },
    { "g (float[N, 3] x) => (float[N, 2] y)\n" BN ", float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n"
      "{ r = Relu(x) c = MatMul(r, w) d = Add(c, o) y = Mul(d, s) }",
      0 },
    { "g (float[N, 2, 3] x) => (float[N, 2, 3] y)\n" BN ", float[2, 1] f = {3, 7}>\n"
      "{ c = BatchNormalization(x, s, o, m, v) d = Mul(c, f) y = Add(d, f) }",
      1 },
    /* a rank of 3, or one that nobody knows */
    { "g (float[N, 4, 3] x) => (float[N, 4, 2] y)\n" BN
      ", float[3, 2] w = {1, 2, -3, 4, 5, 6}, float[1, 2] a = {2, 3}>\n"
      "{ c = MatMul(x, w) d = Add(c, o) e = Mul(a, d) y = Sub(e, s) }",
      0 },
    { "g (float[N, 4, 3] x) => (float[N, 4, 2] y)\n" BN ", float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n"
      "{ r = Softmax(x) q = Exp(r) c = MatMul(q, w) y = Add(c, o) }",
      0 },
    { "g (float[3] x) => (float[2] y)\n" BN ", float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n"
      "{ c = MatMul(x, w) y = Add(c, o) }",
      0 },
    /* not: */
    { "g (float[N, 2, 3] x) => (float[N, 2, 2] y)\n" BN
      ", float[3, 2] w = {1, 2, -3, 4, 5, 6}, float[2, 1] f = {3, 7}>\n"
      "{ c = MatMul(x, w) d = Add(c, f) y = BatchNormalization(d, s, o, m, v) }", /* not along the columns */
      2 },
    { "g (float[N, 4, 3] x) => (float[N, 4, 2] y)\n" /* the result has more dimensions */
      "<float[3, 2] w = {1, 2, -3, 4, 5, 6}, float[1, 1, 1, 2] f = {3, 7}>\n"
      "{ c = MatMul(x, w) d = Add(c, f) y = ReduceSum <keepdims = 0> (d) }",
      1 },
    { IMAGE ", float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}, float f = {5}>\n" /* turned round */
            "{ c = Conv(x, w) y = Sub(f, c) }",
      1 },
    { IMAGE ", float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}>\n" /* by the batch's own statistics */
            "{ c = Conv(x, w) y, t, u = BatchNormalization <training_mode = 1> (c, s, o, m, v) }",
      1 },
    { IMAGE ", float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}, float[6] f = {1, 2, 3, 4, 5, 6}>\n" /* along a row */
            "{ c = Conv(x, w) y = Mul(c, f) }",
      1 },
    { "g (float[N, 3, 5, 6] x, float[2] o) => (float[N, 2, P, Q] y)\n" /* the bias may change */
      "<float[2] s = {1, 2}, float[2] m = {1, 2}, float[2] v = {1, 2}, float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}>\n"
      "{ c = Conv(x, w) y = BatchNormalization(c, s, o, m, v) }",
      1 },
    { "g (float[N, 3, 5, 6] x) => (float[N, 2, P, Q] y, float[N, 2, P, Q] c)\n" BN /* somebody else reads it */
      ", float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}>\n"
      "{ c = Conv(x, w) y = BatchNormalization(c, s, o, m, v) }",
      1 },
    { "g (float[N, 3, 5, 6] x) => (float[N, 2, P, Q] y)\n" BN ", float[2, 3, 1, 1] w = {1, 2, 3, -4, 5, 6}>\n"
      "{ c = Conv(x, w) d = BatchNormalization(c, s, o, m, v) e = Mul(c, c) y = Add(d, e) }",
      3 },
    { "g (float[N, 3, 5, 6] x) => (float[N, 1, 5, Q] y)\n" /* the result has more channels than the node */
      "<float[1, 3, 1, 1] w = {1, 2, 3}, float[1, 4, 1, 1] f = {1, 2, 3, 4}>\n"
      "{ c = Conv(x, w) e = Mul(c, f) y = ReduceSum <keepdims = 1> (e) }",
      1 },
};

START_TEST(scale_and_shift_go_into_weights)
{
    static const char *const names[] = { "BatchNormalization", "Mul", "Add", "Sub" };
    char text[2048];
    struct trial t;
    int left = 0;

    snprintf(text, sizeof text, "%s%s", HEAD, affine[_i].text);
    start(&t, text);
    for (size_t k = 0; k < t.passes.graph->node_count; k++) /* as passes_run does it where nobody reads them */
        for (int o = 1; o < t.passes.graph->nodes[k]->slots; o++)
            t.passes.graph->nodes[k]->out[o] = NULL;
    apply(&t, pass_affine);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        left += count(t.passes.graph, names[k]);
    ck_assert_int_eq(left, affine[_i].nodes);
    same_results(&t);
    finish(&t);
}
END_TEST

START_TEST(initializers_stay_as_they_are)
{
    struct trial t;
    const struct value *w, *own;

    start(&t, HEAD "g (float[N, 1, 2, 2] x) => (float[N, 2, 2, 2] y, float[N, 2, 2, 2] z)\n" BN
                   ", float[2, 1, 1, 1] w = {1, 2}>\n"
                   "{ c = Conv(x, w) y = BatchNormalization(c, s, o, m, v) z = Conv(x, w) }");
    apply(&t, pass_affine);
    w = graph_find(t.f.model->graph, "w");
    own = graph_find(t.passes.graph, "w");
    ck_assert_ptr_eq(own->initializer, w->initializer);
    ck_assert(((const float *)w->initializer->data)[1] == 2);
    ck_assert_ptr_eq(maker(&t, "z")->in[1], own);
    ck_assert_ptr_ne(maker(&t, "y")->in[1], own);
    ck_assert_str_eq(maker(&t, "y")->op_name, "Conv");
    same_results(&t);
    finish(&t);
}
END_TEST

/* 1 / sqrt(0) is nobody's weight. */
START_TEST(what_is_not_finite_is_left)
{
    struct trial t;

    start(&t, HEAD "g (float[N, 1, 2, 2] x) => (float[N, 1, 2, 2] y)\n"
                   "<float[1] s = {1}, float[1] v = {0}, float[1, 1, 1, 1] w = {1}>\n"
                   "{ c = Conv(x, w) y = BatchNormalization <epsilon = 0.0> (c, s, v, v, v) }");
    apply(&t, pass_affine);
    ck_assert_int_eq(count(t.passes.graph, "BatchNormalization"), 1);
    finish(&t);
}
END_TEST

/* -- Relu -- */

static const struct {
    const char *text;
    int nodes; /* of Relu that are left */
} relus[] = {
    { "g (float[N, 3, 5, 6] x) => (float[N, 2, P, Q] y)\n<float[2, 3, 2, 1] w = {1, 2, 3, -4, 5, 6, -1, 2, 1, 0, 0.5, "
      "3}>\n{ c = Conv(x, w) y = Relu(c) }",
      0 },
    { "g (float[N, 2, 5, 6] x, float[2, 1, 3, 3] w, float[2] b) => (float[N, 2, P, Q] y)\n" /* the direct kernel */
      "{ c = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w, b) r = Relu(c) y = Neg(r) }",
      0 },
    { "g (float[N, 3] x, float[2] b) => (float[N, 2] y)\n<float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n"
      "{ c = Gemm <beta = 2.0> (x, w, b) y = Relu(c) }",
      0 },
    { "g (float[N, 3] x) => (float[N, 2] y)\n<float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n{ c = Gemm(x, w) y = Relu(c) }",
      0 },
    { "g (float[N, 3] x) => (float[N, 2] y)\n<float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n"
      "{ c = Gemm(x, w) d = Relu(c) y = Add(c, d) }",
      1 },
    { "g (float[N, 3] x, float[3, 2] w) => (float[N, 2] y)\n{ c = Gemm(x, w) y = Relu(c) }", 1 },
    { "g (float[N, 3] x) => (float[N, 2] y)\n<int32[3, 2] w = {1, 2, -3, 4, 5, 6}, float ten = {10}>\n" /* integers */
      "{ k = Mul(x, ten) a = Cast <to = 6> (k) c = Gemm(a, w) r = Relu(c) y = Cast <to = 1> (r) }",
      1 },
};

START_TEST(relu_goes_into_the_node_before)
{
    char text[1024];
    struct trial t;

    snprintf(text, sizeof text, "%s%s", HEAD, relus[_i].text);
    start(&t, text);
    apply(&t, pass_relu);
    ck_assert_int_eq(count(t.passes.graph, "Relu"), relus[_i].nodes);
    same_results(&t);
    finish(&t);
}
END_TEST

#define TAPS                                                                                                           \
    "g (float[2, 2, 5, 5] x) => (float y)\n<float l = {-0.25}, float h = {0.5}, float[2, 2, 2, 2] w = {1, 2, -3, 4, "  \
    "-1, 2, 3, 1, 2, 3, -2, -4, 1, 1, 2, -2}>\n{ c = Conv(x, w) "

/* Its bounds are attributes before opset 11, and either may be left out. */
START_TEST(a_clip_of_any_opset_keeps_its_bounds)
{
    static const char *const clips[] = {
        "<ir_version: 7, opset_import: [\"\" : 9]>\n" TAPS "d = Clip <min = -0.25, max = 0.5> (c) y = Conv(d, w) }",
        "<ir_version: 7, opset_import: [\"\" : 9]>\n" TAPS "d = Clip <min = 0.125> (c) y = Conv(d, w) }",
        HEAD TAPS "d = Clip (c, l, h) y = Conv(d, w) }",
        HEAD TAPS "d = Clip (c, , h) y = Conv(d, w) }",
    };
    struct trial t;

    start(&t, clips[_i]);
    apply(&t, pass_layout);
    apply(&t, pass_relu);
    ck_assert_int_eq(count(t.passes.graph, "Clip"), 0);
    same_results(&t);
    finish(&t);
}
END_TEST

/* -- lowered nodes -- */

#define IMAGES                                                                                                         \
    "g (float[N, 2, 3, 3] x) => (float[P, Q, R, S] y, float[T, U, V, W] z)\n" BN                                       \
    ", float[2, 2, 1, 1] w = {1, 2, -3, 4}, float[2, 2, 1, 1] u = {1, -1, 2, 0.5}>\n"
#define ROWS "g (float[N, 3] x) => (float[P, 2] y, float[Q, 2] z)\n<float[3, 2] w = {1, 2, -3, 4, 5, 6}>\n"
#define LINES                                                                                                          \
    "g (float[N, 2, 3] x) => (float[P, 2, 2] y, float[Q, 2, 2] z)\n<float[3, 2] w = {1, 2, -3, 4, 5, 6}, "             \
    "float[2] b = {1, -2}>\n"

static const struct {
    const struct op *op;
    const char *text;
    int lowered, plain; /* nodes of it, when all passes are through */
} lowered[] = {
    { &op_conv, IMAGES "{ c = Conv(x, w) y = Relu(c) z = Conv(x, w) }", 1, 1 },
    { &op_conv, IMAGES "{ c = Conv(x, w) d = Conv(x, u) e = Sigmoid(d) y = Add(c, e) z = Conv(x, w) }", 2, 1 },
    { &op_conv, IMAGES "{ c = Conv(x, w) d = Conv(x, u) y = Concat <axis = 1> (c, d) z = Conv(x, w) }", 2, 1 },
    { &op_conv, IMAGES "{ c = Conv(x, w) y = BatchNormalization(c, s, o, m, v) z = Conv(x, w) }", 0, 2 },
    { &op_batch_normalization,
      IMAGES "{ k = Conv(x, w) c = MaxPool <kernel_shape = [1, 1]> (k) d = BatchNormalization(c, s, o, m, v)\n"
             "  y = Relu(d) z = BatchNormalization(c, s, o, m, v) }",
      1, 1 },
    { &op_gemm, ROWS "{ c = Gemm(x, w) y = Relu(c) z = Gemm(x, w) }", 1, 1 },
    { &op_gemm, ROWS "{ c = Gemm(x, w) y = Tanh(c) z = Gemm(x, w) }", 1, 1 },
    { &op_matmul, LINES "{ c = MatMul(x, w) y = Add(c, b) z = MatMul(x, w) }", 1, 1 },
    { &op_matmul, LINES "{ c = MatMul(x, w) y = Tanh(c) z = MatMul(x, w) }", 1, 1 },
};

static int nodes_of(const struct graph *g, const struct op *op)
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        n += g->nodes[k]->op == op && g->nodes[k]->out[0];
    return n;
}

/* What is put into a node makes it one of a private operator, under the name and the version that it had; others, and
 * those of the model, stay. */
START_TEST(what_takes_something_in_is_lowered)
{
    const struct op *op = lowered[_i].op;
    const struct graph *g, *own;
    char text[1024];
    struct trial t;

    snprintf(text, sizeof text, "%s%s", HEAD, lowered[_i].text);
    start(&t, text);
    passes_free(&t.passes);
    own = t.f.model->graph;
    g = passes_run(&t.passes, own, &t.c);
    ck_assert_int_eq(nodes_of(g, op->lowered), lowered[_i].lowered);
    ck_assert_int_eq(nodes_of(g, op), lowered[_i].plain);
    ck_assert_int_eq(count(g, op->name), lowered[_i].lowered + lowered[_i].plain);
    for (size_t k = 0; k < g->node_count; k++)
        if (node_is_any(g->nodes[k], op))
            ck_assert_int_eq(g->nodes[k]->since, op_def_for(op, own->opset)->since);
    ck_assert_int_eq(nodes_of(own, op->lowered), 0);
    same_results(&t);
    finish(&t);
}
END_TEST

/* -- transpositions -- */

static const struct {
    const char *text;
    int nodes; /* of Transpose that are left */
} transposes[] = {
    { "{ a = Transpose <perm = [0, 3, 1, 2]> (x) y = Transpose <perm = [0, 2, 3, 1]> (a) }", 0 },
    { "{ a = Transpose <perm = [0, 3, 1, 2]> (x) b = Relu(a) c = Tanh(b) y = Transpose <perm = [0, 2, 3, 1]> (c) }",
      0 },
    { "{ a = Transpose(x) b = Neg(a) c = Transpose(b) y = Exp(c) }", 0 },
    { "{ a = Transpose(x) y = Transpose <perm = [3, 2, 1, 0]> (a) }", 0 },
    { "{ a = Transpose <perm = [0, 3, 1, 2]> (x) y = Transpose <perm = [0, 3, 1, 2]> (a) }", 2 },
    { "{ a = Transpose <perm = [0, 3, 1, 2]> (x) b = Softmax(a) y = Transpose <perm = [0, 2, 3, 1]> (b) }", 2 },
    { "{ a = Transpose <perm = [0, 3, 1, 2]> (x) b = Relu(a) c = Transpose <perm = [0, 2, 3, 1]> (b)\n"
      "  d = Transpose <perm = [0, 2, 3, 1]> (a) y = Add(c, d) }", /* two read what lies between */
      3 },
    { "{ a = Transpose <perm = [1, 0, 2, 3]> (x) b = Transpose <perm = [1, 0, 2, 3]> (a)\n" /* one after another */
      "  c = Transpose <perm = [1, 0, 2, 3]> (b) y = Transpose <perm = [1, 0, 2, 3]> (c) }",
      0 },
};

START_TEST(transpositions_cancel)
{
    char text[1024];
    struct trial t;

    snprintf(text, sizeof text, "%sg (float[N, 3, 4, 5] x) => (float[A, B, C, D] y)\n%s", HEAD, transposes[_i].text);
    start(&t, text);
    apply(&t, pass_transposes);
    ck_assert_int_eq(count(t.passes.graph, "Transpose"), transposes[_i].nodes);
    same_results(&t);
    finish(&t);
}
END_TEST

/* -- the whole -- */

/* Weights that are made, as in the light models: the passes help each other. */
START_TEST(passes_work_together)
{
    struct trial t;
    const struct graph *g;

    start(&t, HEAD "g (float[N, 2, 4, 4] x) => (float[N, 2, 4, 4] y)\n" BN ", int64[4] shape = {2, 2, 1, 1}>\n"
                   "{ w = ConstantOfShape <value = float[1] {0.5}> (shape)\n"
                   "  c = Conv(x, w) d = BatchNormalization(c, s, o, m, v) y = Relu(d) }");
    passes_free(&t.passes);
    g = passes_run(&t.passes, t.f.model->graph, &t.c);
    ck_assert_ptr_eq(g, t.passes.graph);
    ck_assert_uint_eq(t.report.error.count, 0);
    ck_assert_int_eq(count(g, "Conv"), 1);
    ck_assert_int_eq(count(g, "BatchNormalization") + count(g, "Relu") + count(g, "ConstantOfShape"), 0);
    ck_assert_int_eq(graph_find(g, "y")->id, graph_find(t.f.model->graph, "y")->id);
    same_results(&t);
    finish(&t);
}
END_TEST

/* A branch reads a folded value, and one that lies before a Relu. */
START_TEST(subgraphs_see_what_they_saw)
{
    struct trial t;

    start(&t, HEAD "g (float[N, 3] x) => (float[N, 3] y)\n"
                   "<float[3] one = {1, 2, 3}, float[3, 3] w = {1, 2, 3, 4, 5, 6, -7, -8, -9}>\n"
                   "{ k = Exp(one) a = Gemm(x, w) b = Relu(a) s = ReduceSum <keepdims = 0> (x)\n"
                   "  zero = Sub(s, s) no = Less(s, zero)\n"
                   "  y = If (no) <then_branch = p () => (float[N, 3] q) { q = Add(a, k) },\n"
                   "               else_branch = n () => (float[N, 3] r) { r = Mul(b, k) }> }");
    same_results(&t);
    finish(&t);
}
END_TEST

/* -- subgraphs -- */

static const struct {
    const char *text;
    int nodes, fused; /* that the innermost subgraph of the last node has left, chains among them */
} bodies[] = {
    { "g (float[N, 5] x) => (float[N, 5] y) <int64 m = {3}, bool go = {1}>\n"
      "{ y = Loop(m, go, x) <body = b (int64 i, bool c, float[A, 5] h) => (bool d, float[A, 5] t)\n"
      "  { d = Identity(c) p = Mul(h, x) q = Sigmoid(p) r = Add(q, h) t = Tanh(r) }> }",
      2, 1 },
    /* a branch in a loop; what it captures is known from outside of both */
    { "g (float[N, 5] x) => (float[N, 5] y) <int64 m = {3}, bool go = {1}>\n"
      "{ e = Exp(x) y = Loop(m, go, x) <body = b (int64 i, bool c, float[A, 5] h) => (bool d, float[A, 5] t)\n"
      "  { d = Identity(c) s = ReduceSum <keepdims = 0> (h) z = Sub(s, s) o = Less(s, z)\n"
      "    t = If (o) <then_branch = p () => (float[A, 5] q) { q = Neg(h) },\n"
      "                else_branch = n () => (float[A, 5] r) { u = Mul(h, e) v = Sub(u, e) r = Sigmoid(v) }> }> }",
      1, 1 },
    { "g (float[N, 3] x) => (float[N, 3] y) <float[3, 3] w = {1, 2, 3, 4, 5, 6, -7, -8, -9}>\n"
      "{ s = ReduceSum <keepdims = 0> (x) o = Less(s, s)\n"
      "  y = If (o) <then_branch = p () => (float[N, 3] q) { q = Neg(x) },\n"
      "              else_branch = n () => (float[N, 3] r) { u = Gemm(x, w) r = Relu(u) }> }",
      1, 0 },
    /* other types are left alone */
    { "g (float[N, 5] x) => (float[N, 5] y) <int64 m = {3}, bool go = {1}>\n"
      "{ f = Cast <to = 11> (x)\n"
      "  k = Loop(m, go, f) <body = b (int64 i, bool c, double[A, 5] h) => (bool d, double[A, 5] t)\n"
      "  { d = Identity(c) p = Mul(h, f) t = Tanh(p) }> y = Cast <to = 1> (k) }",
      3, 0 },
    /* nor is what the file declares believed, if it is something else */
    { "g (float[5] x) => (float[5] y) <int64 m = {3}, bool go = {1}, double[5] f = {1, 2, 3, 4, 5}>\n"
      "{ k = Loop(m, go, f) <body = b (int64 i, bool c, float[A] h) => (bool d, float[A] t)\n"
      "  { d = Identity(c) p = Mul(h, h) q = Sigmoid(p) t = Tanh(q) }> l = Cast <to = 1> (k) y = Add(l, x) }",
      4, 0 },
    /* also where only running tells what it is */
    { "g (float[5] x) => (float[5] y) <int64 m = {3}, bool go = {1}, double[5] f = {1, 2, 3, 4, 5}>\n"
      "{ s = ReduceSum <keepdims = 0> (x) o = Less(s, s)\n"
      "  e = If (o) <then_branch = p () => (double[5] a) { a = Neg(f) }, else_branch = n () => (double[5] r) { r = "
      "Exp(f) }>\n"
      "  k = Loop(m, go, e) <body = b (int64 i, bool c, float[A] h) => (bool d, float[A] t)\n"
      "  { d = Identity(c) p = Mul(h, h) q = Sigmoid(p) t = Tanh(q) }> l = Cast <to = 1> (k) y = Add(l, x) }",
      4, 0 },
    /* an attribute tells it */
    { "g (float[5] x) => (float[5] y) <int64 m = {3}, bool go = {1}, int64[1] n = {5}>\n"
      "{ s = Shape(x) z = ConstantOfShape <value = float[1] {2}> (s)\n"
      "  k = Loop(m, go, z) <body = b (int64 i, bool c, float[A] h) => (bool d, float[A] t)\n"
      "  { d = Identity(c) p = Mul(h, h) q = Sigmoid(p) t = Tanh(q) }> y = Add(k, x) }",
      2, 1 },
};

/* The last subgraph of the last node that has any, and so on in that. */
static const struct graph *innermost(const struct graph *g)
{
    const struct graph *in = NULL;

    for (size_t k = 0; k < g->node_count; k++)
        if (g->nodes[k]->graphs)
            in = g->nodes[k]->graph_of[g->nodes[k]->graphs - 1];
    return in ? innermost(in) : g;
}

/* Chains are made in bodies, too, and compute the same bits. The model's own are not touched. */
START_TEST(bodies_are_rewritten)
{
    char text[2048];
    const struct graph *in, *own;
    struct trial t;
    int left = 0;

    snprintf(text, sizeof text, HEAD "%s", bodies[_i].text);
    start(&t, text);
    own = innermost(t.f.model->graph);
    in = innermost(t.f.session->passes.graph);
    ck_assert_ptr_ne(in, own);
    for (size_t k = 0; k < in->node_count; k++)
        left += in->nodes[k]->out[0] != NULL;
    ck_assert_int_eq(left, bodies[_i].nodes);
    ck_assert_int_eq(count(in, "Fused"), bodies[_i].fused);
    ck_assert_int_eq(count(own, "Fused"), 0);
    results_within(&t, 0, 0);
    finish(&t);
}
END_TEST

/* An initializer that is an input too is a constant until somebody sets it. */
START_TEST(a_default_may_be_overridden)
{
    const float x[] = { 1, 2 }, other[] = { 10, 20 };
    struct trial t;

    start(&t, HEAD "g (float[2] x, float[2] d = {3, 4}) => (float[2] y) { e = Neg(d) y = Mul(x, e) }");
    ck_assert_ptr_nonnull(graph_find(t.f.session->passes.graph, "e")->initializer);
    set(&t.f, "x", F32, 1, (int64_t[]){ 2 }, (void *)(uintptr_t)x);
    run_ok(&t.f);
    ck_assert_float_eq(floats(&t.f, 0, 2)[1], -8);
    set(&t.f, "d", F32, 1, (int64_t[]){ 2 }, (void *)(uintptr_t)other);
    run_ok(&t.f);
    ck_assert_float_eq(floats(&t.f, 0, 2)[1], -40);
    session_clear(t.f.session);
    set(&t.f, "x", F32, 1, (int64_t[]){ 2 }, (void *)(uintptr_t)x);
    run_ok(&t.f);
    ck_assert_float_eq(floats(&t.f, 0, 2)[1], -8);
    finish(&t);
}
END_TEST

/* What is set before anything was run counts as well: what was folded of the default is not used. */
START_TEST(a_default_may_be_overridden_at_once)
{
    const float x[] = { 1, 2 }, other[] = { 10, 20 };
    struct fixture f;

    begin(&f, HEAD "g (float[2] x, float[2] d = {3, 4}) => (float[2] y) { e = Neg(d) y = Mul(x, e) }");
    set(&f, "x", F32, 1, (int64_t[]){ 2 }, (void *)(uintptr_t)x);
    set(&f, "d", F32, 1, (int64_t[]){ 2 }, (void *)(uintptr_t)other);
    run_ok(&f);
    ck_assert_float_eq(floats(&f, 0, 2)[1], -40);
    end(&f);
}
END_TEST

/* Weights that were only wanted to be prepared go with the first run. A larger image is convolved in another way, which
 * prepares them anew: they must be there again. */
START_TEST(weights_that_went_are_there_for_other_shapes)
{
    enum { CHANNELS = 96, LARGE = 18 };
    static const int64_t sizes[] = { 4, LARGE, 4 };
    static float x[CHANNELS * LARGE * LARGE];
    struct fixture f;

    for (size_t k = 0; k < sizeof x / sizeof *x; k++)
        x[k] = 1;
    begin(&f, HEAD "g (float[1, 96, H, W] x) => (float[1, 96, A, B] y) <int64[4] d = {96, 96, 3, 3}, float h = {0.5}>\n"
                   "{ w = Expand(h, d) y = Conv(x, w) }");
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int64_t size = sizes[k], count = CHANNELS * (size - 2) * (size - 2);
        const float *y;

        set(&f, "x", F32, 4, (int64_t[]){ 1, CHANNELS, size, size }, x);
        run_ok(&f);
        ck_assert_msg(k || f.session->passes.form == FORM_SPENT, "no weights have gone");
        y = floats(&f, 0, count);
        for (int64_t i = 0; i < count; i++)
            ck_assert_msg(fabsf(y[i] - CHANNELS * 9 * 0.5F) < 0.1F, "run %zu, element %lld: %g", k, (long long)i,
                          (double)y[i]);
    }
    end(&f);
}
END_TEST

/* Without memory for a clone the model is run as it is. */
START_TEST(without_memory_nothing_changes)
{
    struct trial t;

    start(&t, HEAD "g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }");
    passes_free(&t.passes);
    t.budget.limit = 1;
    ck_assert_ptr_eq(passes_run(&t.passes, t.f.model->graph, &t.c), t.f.model->graph);
    ck_assert_uint_eq(t.report.error.count, 0);
    finish(&t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("passes");

    add_test(s, constants_are_folded_once);
    add_test(s, constants_stay_within_the_budget);
    add_test(s, what_is_random_is_not_folded);
    add_tests(s, scale_and_shift_go_into_weights, (int)(sizeof affine / sizeof *affine));
    add_test(s, initializers_stay_as_they_are);
    add_test(s, what_is_not_finite_is_left);
    add_tests(s, relu_goes_into_the_node_before, (int)(sizeof relus / sizeof *relus));
    add_tests(s, a_clip_of_any_opset_keeps_its_bounds, 4);
    add_tests(s, what_takes_something_in_is_lowered, sizeof lowered / sizeof *lowered);
    add_tests(s, transpositions_cancel, (int)(sizeof transposes / sizeof *transposes));
    add_test(s, passes_work_together);
    add_tests(s, bodies_are_rewritten, (int)(sizeof bodies / sizeof *bodies));
    add_test(s, subgraphs_see_what_they_saw);
    add_test(s, a_default_may_be_overridden);
    add_test(s, a_default_may_be_overridden_at_once);
    add_test(s, weights_that_went_are_there_for_other_shapes);
    add_test(s, without_memory_nothing_changes);
    return s;
}
