/* Channels last: how many transpositions a graph has afterwards, that it computes what it did, and that its gradients
 * do. */
#include "base/random.h"
#include "fixture.h"
#include "grad/grad.h"
#include "ops/channel_shuffle.h"
#include "plan/pass.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = 6 };

struct trial {
    struct fixture f; /* with all passes */
    struct budget budget;
    struct report report;
    struct plan_context c;
    struct engine engine;
    struct arena arena;
    struct graph *plain, *last; /* clones; pass_layout was over one of them */
    struct tensor in[INPUTS];
    double bound; /* of what may have gone Winograd's way, as in a session */
};

static void fill(struct tensor *t, const struct value *v, uint64_t stream)
{
    *t = v->type;
    for (int d = 0; d < t->rank; d++)
        t->dims[d] = t->dims[d] < 0 ? 2 : t->dims[d];
    ck_assert_int_ge(tensor_count(t), 0);
    t->data = calloc((size_t)tensor_count(t), dtype_size(t->dtype));
    ck_assert(t->dtype == F32 || t->dtype == F64);
    for (int64_t k = 0; k < tensor_count(t); k++) {
        float u;

        random_uniform(&u, 1, 7, stream, (uint64_t)k);
        if (t->dtype == F32)
            ((float *)t->data)[k] = u - .45f;
        else
            ((double *)t->data)[k] = (double)u - .45;
    }
}

static void apply(struct trial *t, struct graph *g, bool (*pass)(struct rewrite *w))
{
    struct rewrite w = { .graph = g, .c = &t->c };

    ck_assert(pass(&w));
}

static void start(struct trial *t, const char *graph)
{
    char text[4096];

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\" : 17]>\n%s", graph);
    memset(t, 0, sizeof *t);
    t->bound = 2e-5;
    begin(&t->f, text);
    t->engine =
        (struct engine){ .kernels = kernels_get(), .budget = &t->budget, .exact = true, .prepared.budget = &t->budget };
    t->c = (struct plan_context){
        .kernels = kernels_get(), .threads = 1, .budget = &t->budget, .report = &t->report, .exact = true
    };
    t->arena.budget = &t->budget;
    t->plain = graph_clone(t->f.model->graph, &t->arena, &t->report);
    t->last = graph_clone(t->f.model->graph, &t->arena, &t->report);
    ck_assert(t->plain && t->last);
    apply(t, t->last, pass_layout);
    ck_assert_uint_eq(t->report.error.count, 0);
    ck_assert_uint_le(t->plain->input_count, INPUTS);
    for (size_t k = 0; k < t->plain->input_count; k++)
        fill(&t->in[k], t->plain->inputs[k], k);
}

static void finish(struct trial *t)
{
    for (size_t k = 0; k < INPUTS; k++)
        free(t->in[k].data);
    graph_release(t->plain);
    graph_release(t->last);
    prepared_free(&t->engine.prepared);
    arena_release(&t->arena);
    ck_assert_uint_eq(t->budget.used, 0);
    end(&t->f);
}

static int count(const struct graph *g, const char *op)
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        n += strcmp(g->nodes[k]->op_name, op) == 0 && g->nodes[k]->out[0];
    return n;
}

static void check_same(const struct tensor *a, const struct tensor *b, double bound, const char *what, size_t k)
{
    ck_assert_msg(same_type(a, b), "%s %zu has another type", what, k);
    for (int64_t i = 0; i < tensor_count(a); i++) {
        const double x = a->dtype == F64   ? ((const double *)a->data)[i]
                         : a->dtype == I64 ? (double)((const int64_t *)a->data)[i]
                                           : (double)((const float *)a->data)[i];
        const double y = b->dtype == F64   ? ((const double *)b->data)[i]
                         : b->dtype == I64 ? (double)((const int64_t *)b->data)[i]
                                           : (double)((const float *)b->data)[i];

        ck_assert_msg(fabs(x - y) <= bound * (1 + fabs(x)), "%s %zu, element %lld: %g and %g", what, k, (long long)i, x,
                      y);
    }
}

static struct frame *run_graph(struct trial *t, const struct graph *g)
{
    struct frame *f = frame_new(&t->engine, g, &t->report);

    ck_assert_msg(f, "%s", t->report.error.message);
    for (size_t k = 0; k < g->input_count; k++)
        frame_set(f, g->inputs[k], &t->in[k]);
    ck_assert_msg(frame_run(f, &t->report), "%s: %s", t->report.error.where, t->report.error.message);
    return f;
}

static void same_results(struct trial *t)
{
    const struct graph *g = t->f.model->graph;
    struct frame *plain = run_graph(t, t->plain), *last = run_graph(t, t->last);

    for (size_t k = 0; k < g->input_count; k++)
        ck_assert(session_set(t->f.session, g->inputs[k], &t->in[k], &t->f.report));
    run_ok(&t->f);
    for (size_t k = 0; k < g->output_count; k++) {
        const struct tensor *a = frame_get(plain, t->plain->outputs[k]);

        ck_assert_int_gt(tensor_count(a), 0);
        check_same(a, frame_get(last, t->last->outputs[k]), t->engine.exact ? 2e-5 : t->bound, "output", k);
        check_same(a, session_output(t->f.session, k), t->bound, "output of the session,", k);
    }
    frame_free(plain);
    frame_free(last);
}

/* The gradients of the first output's sum of squares, half of it, by all inputs. */
static struct frame *differentiated(struct trial *t, struct graph *g, struct value **gradient)
{
    struct tensor *types = arena_array(&t->arena, g->value_count, sizeof *types, &t->report);
    struct grad_request q = { .graph = g,
                              .seeds = 1,
                              .seed = g->outputs,
                              .seed_gradient = g->outputs,
                              .count = g->input_count,
                              .wrt = g->inputs,
                              .gradient = gradient };
    struct program *p;

    for (size_t k = 0; k < g->value_count; k++) {
        types[k].rank = UNKNOWN;
        if (g->values[k]->initializer)
            types[k] = *g->values[k]->initializer;
    }
    for (size_t k = 0; k < g->input_count; k++) {
        types[g->inputs[k]->id] = t->in[k];
        types[g->inputs[k]->id].data = NULL;
    }
    p = plan_types(g, types, NULL, &t->c);
    ck_assert_msg(p && p->complete, "%s", t->report.error.message);
    q.types = p->types;
    ck_assert_msg(grad_build(&q, &t->c), "%s: %s", t->report.error.where, t->report.error.message);
    program_free(p);
    for (size_t k = 0; k < g->input_count; k++)
        if (gradient[k])
            ck_assert(graph_add_output(g, gradient[k]));
    return run_graph(t, g);
}

static void same_gradients(struct trial *t)
{
    struct value *a[INPUTS] = { 0 }, *b[INPUTS] = { 0 };
    struct frame *plain = differentiated(t, t->plain, a), *last = differentiated(t, t->last, b);

    for (size_t k = 0; k < t->plain->input_count; k++) {
        ck_assert_int_eq(!a[k], !b[k]);
        if (a[k])
            check_same(frame_get(plain, a[k]), frame_get(last, b[k]), 1e-4, "gradient", k);
    }
    frame_free(plain);
    frame_free(last);
}

#define X    "float[N, 5, 9, 8] x"
#define W    "float[6, 5, 3, 3] w, float[6] b"
#define Y    "(float[A, B, C, D] y)"
#define CONV "c = Conv <pads = [1, 1, 1, 1]> (x, w, b) "

/* Weights that nobody can change: of one element, and depthwise; f is neither. */
#define PLANES                                                                                                         \
    "g (float[2, 3, 6, 5] x) => (float[A, B, C, D] y)\n<float[3, 1, 2, 1] w = {1, -2, 3, -1, 2, 0.5},\n"               \
    "float[4, 3, 1, 1] v = {1, -2, 3, -1, 2, 0.5, 0.25, -0.5, 2, 1, -1, 4}, float[4] b = {0.5, -1, 0.25, 2},\n"        \
    "float[4, 1, 1, 2] u = {1, -2, 3, -1, 2, 0.5, 0.25, 1}, float[2, 4, 1, 1] v2 = {1, -1, 2, 1, 0.5, 3, -2, 1},\n"    \
    "float[3, 3, 1, 2] f = {1, -2, 3, -1, 2, 0.5, 0.25, -0.5, 2, 1, -1, 4, 1, -2, 3, -1, 2, 0.5}>\n"
static const struct {
    const char *text;
    int transposes; /* that pass_layout leaves */
    bool gradient;  /* can it be differentiated? */
} graphs[] = {
    { "g (" X ", " W ") => " Y "{ c = Conv <strides = [2, 1]> (x, w, b) y = Relu(c) }", 2, true },
    { "g (" X ", " W ", float[4, 3, 2, 3] v) => " Y "{ " CONV "r = Elu(c)\n"
      "y = Conv <group = 2, dilations = [2, 1], strides = [1, 2]> (r, v) }",
      2, true },
    { "g (" X ", " W ", float[6, 1, 3, 3] v) => " Y "{ " CONV "r = Sigmoid(c)\n"
      "y = Conv <group = 6, auto_pad = \"SAME_UPPER\", strides = [2, 2]> (r, v) }",
      2, true },
    { "g (float[N, 5, 9] x, float[6, 5, 3] w) => (float[A, B, C] y)\n"
      "{ c = Conv <pads = [1, 1]> (x, w) p = MaxPool <kernel_shape = [2]> (c)\n"
      "a = AveragePool <kernel_shape = [3], strides = [2], pads = [1, 0]> (p) y = Relu(a) }",
      2, true },
    /* pools */
    { "g (" X ", " W ") => " Y "{ " CONV "y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c) }", 2, true },
    { "g (" X ", " W ") => " Y "{ " CONV
      "p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (c)\n"
      "y = AveragePool <kernel_shape = [2, 3], strides = [2, 1], pads = [1, 0, 0, 1], ceil_mode = 1> (p) }",
      2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "p = AveragePool <kernel_shape = [3, 2], pads = [2, 1, 1, 1],\n"
      "count_include_pad = 1> (c) y = MaxPool <kernel_shape = [2, 2], dilations = [3, 2], auto_pad = \"VALID\"> (p) }",
      2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "y = MaxPool <kernel_shape = [1, 2], strides = [3, 3]> (c) }", 2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "p, i = MaxPool <kernel_shape = [2, 2]> (c) j = Cast <to = 1> (i)\n"
      "y = Add(p, j) }", /* indices count as ONNX does */
      2, false },
    { "g (" X ", " W ") => " Y "{ " CONV "m = GlobalAveragePool(c) n = GlobalMaxPool(c) y = Sub(m, n) }", 2, true },
    /* what broadcasts */
    { "g (" X ", " W ", float[6, 1, 1] s, float[1, 6, 1, 1] t) => " Y "{ " CONV "p = PRelu(c, s) q = Mul(p, t)\n"
      "y = Add(q, c) }",
      4, true },
    { "g (" X ", " W ", float[9, 8] s, float[8] t, float u) => " Y "{ " CONV
      "p = Mul(c, s) q = Add(t, p) y = Sub(q, u) }",
      4, true },
    { "g (" X ", " W ") => " Y
      "<float[6, 1, 1] s = {1, 2, 3, 4, 5, 6}, float[8] t = {1, 2, 3, 4, 5, 6, 7, 8}, float[1] u = "
      "{0.5}>\n{ " CONV "p = Mul(s, c) q = Sub(p, t) y = Max(q, u) }",
      2, true },
    { "g (" X ", " W ", float[6, 6, 1, 1] v) => " Y "{ " CONV "m = GlobalAveragePool(c) e = Conv(m, v) s = Sigmoid(e)\n"
      "y = Mul(c, s) }",
      2, true },
    { "g (" X ", " W ", float[N, 6, 9, 8] z) => " Y "{ " CONV "a = Add(c, z) r = Relu(a) y = Mul(r, c) }", 3, true },
    /* normalisation */
    { "g (" X ", " W ", float[6] s) => " Y "<float[6] m = {1, 2, 3, 4, 5, 6}, float[6] v = {6, 5, 4, 3, 2, 1}>\n"
      "{ " CONV "n = BatchNormalization(c, s, b, m, v) y = Relu(n) }",
      2, true },
    { "g (" X ", " W ", float[6] s) => " Y "<float[6] m = {1, 2, 3, 4, 5, 6}, float[6] v = {6, 5, 4, 3, 2, 1}>\n"
      "{ " CONV "y, k, l = BatchNormalization <training_mode = 1> (c, s, b, m, v) }",
      2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "y = LRN <size = 3, alpha = 0.5> (c) }", 2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "y = LRN <size = 4, alpha = 0.5, beta = 0.5, bias = 2.0> (c) }", 2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "l = LRN <size = 20, alpha = 2.0> (c) y = Relu(l) }", 2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "s = Softmax <axis = 1> (c) y = LogSoftmax(s) }", 2, true },
    /* movement */
    { "g (" X ", " W ") => " Y "{ " CONV "r = Relu(c) k = Concat <axis = 1> (c, r, c) y = Concat <axis = -2> (k, k) }",
      2, true },
    { "g (" X ", " W ") => " Y "<int64[2] n = {2, 4}>\n{ " CONV "p, q = Split <axis = 1> (c, n) r = Relu(q)\n"
      "k = Concat <axis = 1> (r, p) s, t = Split <axis = -1> (k) y = Mul(s, t) }",
      2, true },
    { "g (" X ", " W ") => " Y "<int64[8] n = {0, 1, 2, 0, 0, -1, 0, 3}>\n{ " CONV "p = Pad(c, n)\n"
      "q = Pad <mode = \"reflect\"> (c, n) y = Add(p, q) }",
      2, true },
    { "g (" X ", " W ") => " Y "<int64[2] s = {1, 0}, int64[2] e = {6, 9}, int64[2] a = {1, -1}, int64[2] t = {2, 1}>\n"
      "{ " CONV "y = Slice(c, s, e, a, t) }",
      2, true },
    { "g (" X ", " W ") => " Y "<float[4] s = {1, 1, 2, 1.5}>\n{ " CONV "p = Resize <mode = \"linear\"> (c, , s)\n"
      "y = Resize <coordinate_transformation_mode = \"asymmetric\"> (p, , s) }",
      2, true },
    { "g (" X ", " W ") => " Y "<int64[2] a = {2, 3}>\n{ " CONV "m = ReduceMean <axes = [2, 3]> (c)\n"
      "s = ReduceSum <keepdims = 1> (c, a) t = Tanh(s) k = Sub(c, m) y = Mul(k, t) }",
      2, true },
    { "g (" X ", " W ") => (float[A, B] y)\n{ " CONV "y = ReduceMean <axes = [2, 3], keepdims = 0> (c) }", 1, true },
    { "g (" X ", " W ") => (float[A, B, C] y)\n{ " CONV "y = ReduceMax <axes = [1], keepdims = 0> (c) }", 2, true },
    { "g (" X ", " W ") => (float[A, B, C, D] y, int64[E] z, int64[F] q)\n{ " CONV "y = Relu(c) z = Shape(c)\n"
      "q = Shape <start = 1, end = -1> (y) }",
      2, false },
    /* what wants ONNX' order */
    { "g (" X ", " W ", float[432, 3] f) => (float[A, B] y)\n{ " CONV "p = Flatten(c) y = MatMul(p, f) }", 2, true },
    { "g (" X ", " W ", float[6, 3] f) => (float[A, B] y)\n{ " CONV "p = GlobalAveragePool(c) q = Flatten(p)\n"
      "y = MatMul(q, f) }",
      2, true },
    { "g (" X ", " W ", float[6, 2, 3, 3] v) => " Y "{ " CONV "y = ConvTranspose(c, v) }", 2, true },
    { "g (" X ", " W ") => (float[A, B, C, D] y, float[E, F, G, H] c)\n{ " CONV "y = Relu(c) }", 3, true },
    { "g (double[N, 5, 9, 8] x, double[6, 5, 3, 3] w) => (double[A, B, C, D] y)\n{ c = Conv(x, w) y = Relu(c) }", 0,
      true },
    { "g (float[N, 2, 5, 4, 3] x, float[3, 2, 2, 2, 2] w) => (float[A, B, C, D, E] y)\n{ c = Conv(x, w) y = Relu(c) }",
      0, true },
    /* what is quantised, by one scale or one for each place along an axis */
    { "g (" X ", " W ", float[4, 6, 2, 2] v, float s) => " Y "<uint8 z = {100}>\n{ " CONV
      "q = QuantizeLinear(c, s, z) d = DequantizeLinear(q, s, z) r = Relu(d) y = Conv(r, v) }",
      2, true },
    { "g (" X ", " W ") => " Y
      "<float[6] s = {0.1, 0.2, 0.15, 0.05, 0.3, 0.25}, int8[6] z = {1, -2, 3, 0, 5, 10}, float[8] "
      "t = {0.1, 0.2, 0.15, 0.05, 0.3, 0.25, 0.5, 0.02}>\n{ " CONV "q = QuantizeLinear <axis = 1> (c, s, z)\n"
      "d = DequantizeLinear <axis = -3> (q, s, z) e = QuantizeLinear <axis = -1> (d, t) y = DequantizeLinear <axis = "
      "3> "
      "(e, t) }",
      2, true },
    { "g (" X ", " W ") => " Y "<float[2] s = {0.1, 0.2}>\n{ " CONV "q = QuantizeLinear <axis = 0> (c, s)\n"
      "d = DequantizeLinear <axis = -4> (q, s) y = Relu(d) }",
      2, true },
    /* nothing is turned for it alone */
    { "g (" X ", " W ", float s) => (float[A, B] y)\n{ q = QuantizeLinear(x, s) d = DequantizeLinear(q, s)\n"
      "c = Conv(d, w, b) y = Flatten(c) }",
      2, true },
    /* transpositions of the file */
    { "g (float[N, 9, 8, 5] x, " W ") => " Y "{ t = Transpose <perm = [0, 3, 1, 2]> (x)\n"
      "c = Conv(t, w, b) u = Transpose <perm = [0, 2, 3, 1]> (c) r = Relu(u) v = Transpose <perm = [0, 3, 1, 2]> (r)\n"
      "p = MaxPool <kernel_shape = [2, 2]> (v) y = Transpose <perm = [0, 2, 3, 1]> (p) }",
      0, true },
    { "g (float[N, 9, 8, 5] x, " W ", float[6] s) => " Y "{ t = Transpose <perm = [0, 3, 1, 2]> (x)\n"
      "c = Conv(t, w, b) u = Transpose <perm = [0, 2, 3, 1]> (c) m = Mul(u, s) y = Add(m, s) }",
      0, true },
    { "g (" X ", " W ") => " Y "{ " CONV "y = Transpose <perm = [2, 1, 0, 3]> (c) }", 2, true },
    { "g (" X ", " W ") => " Y "{ " CONV "y = Transpose(c) }", 2, true },
    { "g (" X ", " W ") => " Y "{ t = Transpose <perm = [0, 2, 3, 1]> (x) " CONV
      "d = Transpose <perm = [0, 2, 3, 1]> (c)\n"
      "e = ReduceSum(t) y = Add(d, e) }",
      1, true },
    { "g (float[N, 9, 5] x, float[6, 5, 3] w) => (float[A, B, C] y)\n{ t = Transpose <perm = [0, 2, 1]> (x)\n"
      "c = Conv(t, w) y = Transpose <perm = [0, 2, 1]> (c) }",
      0, true },
    /* a step without scratch */
    { "g (float[2, 3, 6, 5] x) => (float[A, B, C, D] y) <float[3, 1, 2, 1] w = {1, -2, 3, -1, 2, 0.5}>\n"
      "{ c = Conv <group = 3> (x, w) r = Relu(c) y = MaxPool <kernel_shape = [1, 1]> (r) }",
      2, true },
    /* what does without transpositions, where nobody around it has channels last */
    { PLANES "{ c = Conv <group = 3, pads = [0, 1, 1, 0]> (x, w) y = Relu(c) }", 0, true },
    { PLANES "{ c = Conv <strides = [1, 2]> (x, v, b) r = Elu(c) d = Conv <group = 4> (r, u) y = Conv(d, v2) }", 0,
      true },
    { PLANES "{ c = Conv <pads = [0, 1, 0, 0]> (x, v, b) y = Relu(c) }", 2, true },
    { PLANES "{ c = Conv <group = 3> (x, w) r = Relu(c) d = Conv(r, f) y = Conv(d, v) }", 2, true },
    { PLANES
      "{ c = Conv(x, v, b) d = Conv(x, f) e = MaxPool <kernel_shape = [2, 1]> (c) s = ReduceSum(e) y = Add(d, s) }",
      2, true },
    { PLANES "{ q = GlobalMaxPool(x) c = Conv(q, v, b) y = Sigmoid(c) }", 2, true },
    { PLANES "{ c = Conv(x, v, b) y = Transpose <perm = [0, 2, 3, 1]> (c) }", 1, true },
    /* nothing tells the rank of a mask before it is planned */
    { "g (" X ", " W ") => " Y "{ d, m = Dropout(x) f = Cast <to = 1> (m) c = Conv(f, w, b) y = Relu(c) }", 2, false },
};

START_TEST(results_stay)
{
    struct trial t;

    start(&t, graphs[_i].text);
    ck_assert_int_eq(count(t.last, "Transpose"), graphs[_i].transposes);
    same_results(&t);
    if (graphs[_i].gradient)
        same_gradients(&t);
    finish(&t);
}
END_TEST

/* A branch captures what has its channels last outside. */
START_TEST(subgraphs_see_values_as_onnx_has_them)
{
    struct trial t;

    start(&t, "g (" X ", " W ", float[1] k) => " Y "{ " CONV "q = Cast <to = 9> (k) s = Squeeze(q)\n"
              "y = If (s) <then_branch = t () => (float[A, B, C, D] u) { u = Relu(c) },\n"
              "else_branch = e () => (float[A, B, C, D] u) { u = Neg(c) }> }");
    ck_assert_int_eq(count(t.last, "Transpose"), 2);
    same_results(&t);
    finish(&t);
}
END_TEST

/* What the convolution takes in: additions, limits. */
static const struct {
    const char *text;
    int nodes; /* that are left, all in all */
} epilogues[] = {
    { "{ c = Conv(x, w) r = Relu(c) y = Conv(r, v) }", 4 },
    { "{ c = Conv(x, w) p = MaxPool <kernel_shape = [2, 2]> (c) n = BatchNormalization(p, sc, bi, me, va) r = Relu(n)\n"
      "y = Conv(r, v) }",
      6 },
    { "{ c = Conv(x, w) p = MaxPool <kernel_shape = [2, 2]> (c) n = BatchNormalization(p, sc, bi, me, va) y = Clip(n, "
      "lo) "
      "}",
      6 },
    { "{ c = Conv(x, w) r = Clip(c, lo, hi) y = Conv(r, v) }", 4 },
    { "{ c = Conv(x, w) r = Clip(c, , hi) y = Conv(r, v) }", 4 },
    { "{ c = Conv(x, w) d = Conv(x, w) s = Add(c, d) y = Relu(s) }", 4 },
    { "{ c = Conv(x, w) d = Relu(c) e = Conv <pads = [1, 1, 1, 1]> (d, v) s = Add(d, e) y = Relu(s) }", 4 },
    { "{ c = Conv(x, w) d = Relu(c) e = Conv <pads = [1, 1, 1, 1]> (d, v) s = Sum(e, d) y = Clip(s, lo, hi) }", 4 },
    { "{ c = Conv(x, w) m = GlobalAveragePool(c) e = Conv <pads = [1, 1, 1, 1]> (c, v) s = Add(e, m) y = Relu(s) }",
      5 },
    { "{ c = Conv(x, w) e = Conv(c, v) m = GlobalMaxPool(e) f = Conv <pads = [1, 1, 1, 1]> (m, v) y = Add(e, f) }", 6 },
    { "{ c = Conv(x, w) r = Relu(c) y = Add(r, c) }", 5 }, /* somebody else wants c */
};

START_TEST(convolutions_take_in_what_follows)
{
    char text[2048];
    struct trial t;
    int nodes = 0;

    snprintf(text, sizeof text,
             "g (" X ", float[6, 5, 3, 3] w, float[6, 6, 3, 3] v) => " Y "<float lo = {-0.25}, float hi = {0.5},\n"
             "float[6] sc = {1, -2, 0.5, 1, 3, 1}, float[6] bi = {0, 0.1, -0.2, 0, 0, 0.1},\n"
             "float[6] me = {0, 0.1, 0.2, -0.3, 0, 0}, float[6] va = {1, 2, 0.5, 1, 1, 0.1}>\n%s",
             epilogues[_i].text);
    start(&t, text);
    apply(&t, t.last, pass_residual);
    apply(&t, t.last, pass_relu);
    for (size_t k = 0; k < t.last->node_count; k++)
        nodes += t.last->nodes[k]->out[0] != NULL;
    ck_assert_int_eq(nodes, epilogues[_i].nodes);
    same_results(&t);
    finish(&t);
}
END_TEST

/* Channels that are only concatenated are written where they belong. */
static const struct {
    const char *text;
    int concats; /* that are left */
    bool exact;
} concats[] = {
    { "{ c = Conv(x, w) d = Conv(x, v) y = Concat <axis = 1> (c, d) }", 0, true },
    { "{ c = Conv(x, w) d = Conv(x, v) y = Concat <axis = -3> (d, c) }", 0, true },
    { "{ c = Conv(x, w) r = Relu(c) d = Conv(x, v) s = Relu(d) y = Concat <axis = 1> (s, r) }", 0, true },
    { "{ c = Conv <group = 7, pads = [1, 1, 1, 1]> (x, u) r = Relu(c) d = Conv <pads = [1, 1, 1, 1]> (x, v)\n"
      "e = Concat <axis = 1> (d, r) y = Relu(e) }",
      0, true },
    { "{ c = Conv <pads = [1, 1, 1, 1]> (x, w) d = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, v)\n"
      "z = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (c, t) y = Concat <axis = 1> (d, z, d) }",
      1, true }, /* one of them twice */
    { "{ c = Conv <pads = [1, 1, 1, 1]> (x, w) d = Conv(x, v) s = Conv(c, t) p = Concat <axis = 1> (s, d)\n"
      "y = Sigmoid(p) }",
      0, true },
    { "{ c = Conv(x, w) d = Conv(x, v) s = Sigmoid(c) y = Concat <axis = 1> (d, s) }", 1, true }, /* a chain */
    { "{ c = Conv(x, w) d = Conv(x, w) y = Concat <axis = 2> (c, d) }", 1, true },                /* not channels */
    { "{ c = Conv(x, w) d = Conv(x, v) e = Concat <axis = 1> (c, d) y = Concat <axis = 1> (e, c) }", 2,
      true }, /* somebody else reads c */
    { "{ c = Conv(x, w) d = Conv <pads = [1, 1, 1, 1]> (c, t) e = Conv(x, v) y = Concat <axis = 1> (d, e, d) }", 1,
      true },
    { "{ c = Conv <pads = [1, 1, 1, 1]> (x, w) d = Conv <pads = [1, 1, 1, 1]> (c, t) e = Conv <pads = [1, 1, 1, 1]>\n"
      "(x, v) y = Concat <axis = 1> (e, d) }",
      0, false }, /* Winograd's */
};

START_TEST(parts_of_a_concat_are_written_in_place)
{
    char text[2048];
    struct trial t;

    snprintf(text, sizeof text,
             "g (float[2, 21, 13, 11] x, float[20, 21, 3, 3] w, float[37, 21, 3, 3] v, float[17, 20, 3, 3] t,\n"
             "float[21, 3, 3, 3] u) => (float[N, M, A, B] y)\n%s",
             concats[_i].text);
    start(&t, text);
    t.engine.exact = t.c.exact = concats[_i].exact;
    t.bound = 1e-4; /* of 20 channels and more */
    apply(&t, t.last, pass_relu);
    apply(&t, t.last, pass_concat);
    ck_assert_int_eq(count(t.last, "Concat"), concats[_i].concats);
    same_results(&t);
    apply(&t, t.last, pass_fuse);
    same_results(&t);
    finish(&t);
}
END_TEST

/* ShuffleNet's exchange of groups and channels; the shapes may also make other images of the same elements. */
static const struct {
    const char *parts, *perm, *whole;
    int shuffles;
} shuffles[] = {
    { "2, 4, 5, 6, 3", "0, 2, 1, 3, 4", "2, 20, 6, 3", 1 },
    { "-1, 3, 7, 6, 3", "0, 2, 1, 3, 4", "-1, 21, 6, 3", 1 },
    { "2, 20, 1, 6, 3", "0, 2, 1, 3, 4", "2, 20, 6, 3", 1 },
    { "2, 2, 19, 6, 3", "0, 2, 1, 3, 4", "2, 38, 6, 3", 1 },
    { "2, 4, 5, 3, 6", "0, 2, 1, 3, 4", "2, 20, 3, 6", 1 }, /* other images */
    { "-1, 4, 10, 3, 3", "0, 2, 1, 3, 4", "-1, 40, 3, 3", 1 },
    { "4, 2, 5, 6, 3", "0, 2, 1, 3, 4", "4, 10, 6, 3", 1 },
    { "0, 4, 5, 6, 3", "0, 2, 1, 3, 4", "0, 20, 6, 3", 0 },
    { "2, 4, 5, 6, 3", "0, 1, 2, 4, 3", "2, 20, 3, 6", 0 }, /* another exchange */
    { "2, 4, 5, 6, 3", "0, 2, 1, 3, 4", "2, 5, 24, 3", 0 }, /* not joined again */
};

START_TEST(shuffles_of_channels_become_one_node)
{
    char text[2048];
    struct trial t;
    struct graph *g;
    int channels = 1, d[4], found = 0;

    ck_assert_int_eq(sscanf(shuffles[_i].parts, "%d, %d, %d, %d", &d[0], &d[1], &d[2], &d[3]), 4);
    channels = d[1] * d[2] * (_i == 5 || _i == 6 ? 0 : 1);
    snprintf(text, sizeof text,
             "g (float[2, 5, 6, 3] x, float[%d, 5, 1, 1] w, float v) => (float[N, M, A, B] y)\n"
             "<int64[5] parts = {%s}, int64[4] whole = {%s}>\n"
             "{ c = Conv(x, w) p = Reshape(c, parts) q = Transpose <perm = [%s]> (p) s = Reshape(q, whole)\n"
             "y = Mul(s, v) }",
             channels ? channels : 20, shuffles[_i].parts, shuffles[_i].whole, shuffles[_i].perm);
    start(&t, text);
    g = graph_clone(t.f.model->graph, &t.arena, &t.report);
    ck_assert_ptr_nonnull(g);
    apply(&t, g, pass_shuffle);
    for (size_t k = 0; k < g->node_count; k++)
        found += g->nodes[k]->op == &channel_shuffle_op;
    ck_assert_int_eq(found, shuffles[_i].shuffles);
    apply(&t, g, pass_layout);
    graph_release(t.last);
    t.last = g;
    same_results(&t);
    finish(&t);
}
END_TEST

START_TEST(what_is_shuffled_need_be_no_images)
{
    static const char *const from[] = { "2, 120", "240", "2, 6, 20", "1, 2, 1, 6, 20" };
    char text[1024];
    struct trial t;

    snprintf(text, sizeof text,
             "g (float[%s] x, float[5, 6, 1, 1] w) => (float[N, M, A, B] y) <int64[5] parts = {2, 2, 3, 4, 5},\n"
             "int64[4] whole = {2, 6, 4, 5}> { r = Relu(x) p = Reshape(r, parts)\n"
             "q = Transpose <perm = [0, 2, 1, 3, 4]> (p) s = Reshape(q, whole) y = Conv(s, w) }",
             from[_i]);
    start(&t, text);
    same_results(&t);
    finish(&t);
}
END_TEST

/* Keras' own exports have transpositions around their convolutions. A picture of one channel is as it is either way. */
static const struct {
    const char *name;
    int before, after;
} exports[] = { { "cifar10_convnet", 2, 0 }, { "cifar100_vgg", 2, 0 }, { "fashion_cnn", 1, 1 } };

START_TEST(exports_of_keras_lose_theirs)
{
    struct report report = { 0 };
    struct budget budget = { 0 };
    const struct plan_context c = {
        .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &report, .once = true
    };
    char path[512];
    struct model *model;
    struct passes p;

    snprintf(path, sizeof path, PROJECT "/models/%s/keras.onnx", exports[_i].name);
    model = model_read(path, NULL, &report);
    ck_assert_msg(model && model_build(model, &report), "%s", report.error.message);
    ck_assert_int_eq(count(model->graph, "Transpose"), exports[_i].before);
    ck_assert_ptr_eq(passes_run(&p, model->graph, &c), p.graph);
    ck_assert_int_eq(count(p.graph, "Transpose"), exports[_i].after);
    passes_free(&p);
    model_free(model);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("layout");

    add_tests(s, results_stay, (int)(sizeof graphs / sizeof *graphs));
    add_test(s, subgraphs_see_values_as_onnx_has_them);
    add_tests(s, exports_of_keras_lose_theirs, (int)(sizeof exports / sizeof *exports));
    add_tests(s, shuffles_of_channels_become_one_node, (int)(sizeof shuffles / sizeof *shuffles));
    add_tests(s, what_is_shuffled_need_be_no_images, 4);
    add_tests(s, parts_of_a_concat_are_written_in_place, (int)(sizeof concats / sizeof *concats));
    add_tests(s, convolutions_take_in_what_follows, (int)(sizeof epilogues / sizeof *epilogues));
    return s;
}
