/* Chains: what pass_fuse makes of a graph, and that it computes the same bits, for random graphs and shapes, on each
 * level, with any number of threads. */
#include "base/random.h"
#include "fixture.h"
#include "ops/fused.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct trial {
    struct report report;
    struct budget budget;
    struct model *model;
    struct passes passes; /* a clone, with chains */
};

static void start(struct trial *t, const char *text)
{
    const struct plan_context c = {
        .kernels = kernels_get(), .threads = 1, .budget = &t->budget, .report = &t->report
    };
    struct rewrite w = { .c = &c };

    memset(t, 0, sizeof *t);
    t->model = model_read_bytes(text, strlen(text), NULL, &t->report);
    ck_assert_msg(t->model && model_build(t->model, &t->report), "%s: %s in\n%s", t->report.error.where,
                  t->report.error.message, text);
    t->passes.arena.budget = &t->budget;
    t->passes.graph = w.graph = graph_clone(t->model->graph, &t->passes.arena, &t->report);
    ck_assert_ptr_nonnull(t->passes.graph);
    ck_assert(pass_fuse(&w));
}

static void finish(struct trial *t)
{
    passes_free(&t->passes);
    ck_assert_uint_eq(t->budget.used, 0);
    model_free(t->model);
}

static bool is_alive(const struct node *n)
{
    for (int k = 0; k < n->slots; k++)
        if (n->out[k])
            return true;
    return false;
}

static int count(const struct graph *g, const struct op *op) /* NULL: of any operator */
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        n += is_alive(g->nodes[k]) && (!op || g->nodes[k]->op == op);
    return n;
}

static bool is_nan(uint32_t bits)
{
    return (bits & 0x7fffffff) > 0x7f800000;
}

/* The graph with chains on `threads` against the one without on one thread. */
static void same_bits(struct trial *t, const struct tensor *in, const struct kernels *k, int threads, const char *text)
{
    const struct graph *g = t->model->graph;
    struct engine one = { .kernels = k, .budget = &t->budget }, many = one;
    struct frame *plain = frame_new(&one, g, &t->report), *fused;

    many.pool = pool_new(threads, &t->budget, &t->report);
    fused = frame_new(&many, t->passes.graph, &t->report);
    ck_assert(plain && many.pool && fused);
    for (size_t i = 0; i < g->input_count; i++) {
        frame_set(plain, g->inputs[i], &in[i]);
        frame_set(fused, g->inputs[i], &in[i]);
    }
    ck_assert_msg(frame_run(plain, &t->report), "%s", t->report.error.message);
    ck_assert_msg(frame_run(fused, &t->report), "%s", t->report.error.message);
    for (size_t o = 0; o < g->output_count; o++) {
        const struct tensor *a = frame_get(plain, g->outputs[o]), *b = frame_get(fused, g->outputs[o]);

        ck_assert_msg(same_type(a, b), "%s", text);
        for (int64_t i = 0; i < tensor_count(a); i++) {
            const uint32_t x = ((const uint32_t *)a->data)[i], y = ((const uint32_t *)b->data)[i];

            ck_assert_msg(x == y || (is_nan(x) && is_nan(y)), "%s: output %zu, element %lld: %08x and %08x\n%s",
                          cpu_level_name(k->level), o, (long long)i, (unsigned)x, (unsigned)y, text);
        }
    }
    frame_free(plain);
    frame_free(fused);
    pool_free(many.pool);
}

static void same_bits_everywhere(struct trial *t, const struct tensor *in, const char *text)
{
    for (int level = CPU_BASE; level <= CPU_AVX512; level++)
        if (kernels_for((enum cpu_level)level)) {
            same_bits(t, in, kernels_for((enum cpu_level)level), 1, text);
            same_bits(t, in, kernels_for((enum cpu_level)level), 3, text);
        }
}

/* -- random graphs -- */

enum { INPUTS = 6, TEXT = 8192 };

struct dice {
    uint64_t stream, at;
};

static int64_t draw(struct dice *d, int64_t below)
{
    float u;

    random_uniform(&u, 1, 11, d->stream, d->at++);
    return (int64_t)((double)u * (double)below);
}

static const char *const unary[] = { "Relu", "LeakyRelu", "Elu",      "Selu",      "Sigmoid", "HardSigmoid",
                                     "Tanh", "Exp",       "Log",      "Softplus",  "Erf",     "Gelu",
                                     "Sqrt", "Neg",       "Softsign", "Reciprocal" },
                         *const binary[] = { "Add", "Sub", "Mul", "Div", "Max", "Min", "Sum" };

static void random_shape(struct dice *d, const struct tensor *whole, struct tensor *t)
{
    const int64_t kind = draw(d, 7), rank = whole->rank;

    *t = *whole;
    if (kind == 0) { /* a vector along the last dimension */
        t->rank = rank ? 1 : 0;
        t->dims[0] = whole->dims[rank ? rank - 1 : 0];
    } else if (kind == 1) { /* one for each image and channel */
        for (int k = 1; k + 1 < rank; k++)
            t->dims[k] = 1;
    } else if (kind == 2) {
        t->rank = draw(d, 2) ? 0 : 1;
        t->dims[0] = 1;
    } else if (kind == 3) { /* any */
        for (int k = 0; k < rank; k++)
            t->dims[k] = draw(d, 2) ? 1 : t->dims[k];
    }
}

static void put_shape(char *text, const struct tensor *t, const char *name)
{
    size_t n = strlen(text);

    n += (size_t)snprintf(text + n, TEXT - n, "%sfloat[", name[0] == 'a' ? "" : ", ");
    for (int k = 0; k < t->rank; k++)
        n += (size_t)snprintf(text + n, TEXT - n, "%s%lld", k ? ", " : "", (long long)t->dims[k]);
    snprintf(text + n, TEXT - n, "] %s", name);
}

/* A graph of `nodes` nodes n0, n1 ... over inputs a, b, ...; its last value and a few others are outputs. */
static void random_graph(struct dice *d, const struct tensor *in, int nodes, char *text)
{
    size_t n;

    snprintf(text, TEXT, "<ir_version: 10, opset_import: [\"\" : 20]>\ng (");
    for (int k = 0; k < INPUTS; k++)
        put_shape(text, &in[k], (const char[]){ (char)('a' + k), 0 });
    n = strlen(text);
    n += (size_t)snprintf(text + n, TEXT - n, ") => (float n%d", nodes - 1);
    for (int k = 0; k + 1 < nodes; k++)
        if (!draw(d, 6))
            n += (size_t)snprintf(text + n, TEXT - n, ", float n%d", k);
    n += (size_t)snprintf(text + n, TEXT - n, ")\n<float half = {0.5}, float[1] low = {-0.4}>\n{\n");
    for (int k = 0; k < nodes; k++) {
        char operand[2][8];

        for (int o = 0; o < 2; o++)
            if (k && draw(d, 3)) /* most often a late one */
                snprintf(operand[o], sizeof operand[o], "n%d", k - 1 - (int)draw(d, k < 4 ? k : 4));
            else
                snprintf(operand[o], sizeof operand[o], "%c", (char)('a' + draw(d, INPUTS)));
        n += (size_t)snprintf(text + n, TEXT - n, "  n%d = ", k);
        switch (draw(d, 8)) {
        case 0:
        case 1:
        case 2:
            n += (size_t)snprintf(text + n, TEXT - n, "%s(%s)\n", unary[draw(d, sizeof unary / sizeof *unary)],
                                  operand[0]);
            break;
        case 3:
            n += (size_t)snprintf(text + n, TEXT - n, draw(d, 2) ? "Clip(%s, low, half)\n" : "Pow(%s, half)\n",
                                  operand[0]);
            break;
        case 4:
            n += (size_t)snprintf(text + n, TEXT - n, draw(d, 2) ? "Sub(half, %s)\n" : "Div(low, %s)\n", operand[0]);
            break;
        default:
            n += (size_t)snprintf(text + n, TEXT - n, "%s(%s, %s)\n", binary[draw(d, sizeof binary / sizeof *binary)],
                                  operand[0], operand[1]);
        }
    }
    snprintf(text + n, TEXT - n, "}\n");
}

START_TEST(random_graphs_keep_their_bits)
{
    static const int64_t sizes[] = { 1, 2, 3, 5, 7, 16, 33, 64, 130, 1025, 0 };
    struct dice d = { .stream = (uint64_t)_i };
    struct tensor whole = { .dtype = F32, .rank = (int)draw(&d, 5) }, in[INPUTS];
    char text[TEXT];
    struct trial t;

    for (int k = whole.rank - 1; k >= 0; k--) {
        whole.dims[k] = sizes[draw(&d, _i % 8 ? 10 : 11)];
        while (tensor_count(&whole) > 60000 || (k < whole.rank - 1 && dims_product(whole.dims, k, whole.rank) > 60000))
            whole.dims[k] = sizes[draw(&d, 4)];
        for (int j = 0; j < k; j++)
            whole.dims[j] = 1;
    }
    for (int k = 0; k < INPUTS; k++) {
        int64_t n;

        random_shape(&d, &whole, &in[k]);
        n = tensor_count(&in[k]);
        in[k].data = malloc((size_t)n * sizeof(float) + 1);
        random_normal(in[k].data, n, 5, (uint64_t)_i * INPUTS + (uint64_t)k, 0);
    }
    random_graph(&d, in, 2 + (int)draw(&d, 28), text);
    start(&t, text);
    same_bits_everywhere(&t, in, text);
    for (int k = 0; k < INPUTS; k++)
        free(in[k].data);
    finish(&t);
}
END_TEST

/* -- what becomes of graphs -- */

#define HEAD "<ir_version: 10, opset_import: [\"\" : 20]>\n"

static const struct {
    const char *text;
    int chains, nodes; /* chains, and all nodes, that are left */
} graphs[] = {
    /* gelu, as it is written where the operator does not exist */
    { HEAD "g (float[N, C] x) => (float[N, C] y)\n<float r = {1.4142135}, float one = {1}, float half = {0.5}>\n"
           "{ a = Div(x, r) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) }",
      1, 1 },
    /* swish; squeeze and excitation */
    { HEAD "g (float[N, H, W, C] x) => (float[N, H, W, C] y)\n{ s = Sigmoid(x) y = Mul(x, s) }", 1, 1 },
    { HEAD "g (float[N, H, W, C] x, float[N, 1, 1, C] s) => (float[N, H, W, C] y)\n"
           "{ t = Sigmoid(s) z = Mul(x, t) y = Relu(z) }",
      1, 1 },
    /* a result that is wanted outside is an output of the chain, if those who read it come later */
    { HEAD "g (float[N, C] x) => (float[N, C] y, float[N, C] z)\n{ a = Relu(x) b = Neg(a) y = Exp(b) z = Softmax(a) }",
      1, 2 },
    { HEAD "g (float[N, C] x) => (float[N, C] y)\n{ a = Relu(x) z = Softmax(a) y = Sub(z, a) }", 0, 3 },
    { HEAD "g (float[N, C] x) => (float[N, C] y, float[N, C] a)\n{ a = Relu(x) y = Neg(a) }", 1, 1 },
    /* numbers that are no constants are operands */
    { HEAD "g (float[N, C] x, float l) => (float[N, C] y)\n{ a = Relu(x) b = Clip(a, l) y = Neg(b) }", 0, 3 },
    { HEAD "g (float[N, C] x) => (float[N, C] y)\n<float l = {1}>\n{ a = Relu(x) b = Clip(a, l) y = Neg(b) }", 1, 1 },
    /* products take chains, of the bias too */
    { HEAD "g (float[N, K] x, float[K, C] w, float[C] b) => (float[N, C] y)\n"
           "{ a = Gemm(x, w, b) s = Sigmoid(a) y = Mul(a, s) }",
      0, 1 },
    { HEAD "g (float[N, T, K] x, float[K, C] w, float[C] b, float[N, T, C] r) => (float[N, T, C] y)\n"
           "{ a = MatMul(x, w) c = Add(b, a) d = Gelu(c) y = Add(d, r) }",
      0, 1 },
    { HEAD "g (float[N, K] x, float[K, C] w) => (float[N, C] y)\n{ a = MatMul(x, w) y = Relu(a) }", 0, 1 },
    /* but not where somebody else reads what they make */
    { HEAD "g (float[N, K] x, float[K, C] w, float[C] b) => (float[N, C] y, float[N, C] z)\n"
           "{ a = Gemm(x, w, b) s = Sigmoid(a) y = Mul(a, s) z = Softmax(a) }",
      1, 3 },
    { HEAD "g (float[N, K] x, float[K, C] w) => (float[N, C] y, float[N, C] a)\n{ a = MatMul(x, w) y = Relu(a) }", 0,
      2 },
    { HEAD "g (float[N, K] x, float[K, C] w) => (float[N, C] y, float[N, C] z)\n"
           "{ a = MatMul(x, w) y = Relu(a) z = Tanh(y) }",
      1, 2 },
    /* others than float are left alone */
    { HEAD "g (double[N, K] x, double[K, C] w) => (double[N, C] y)\n{ a = MatMul(x, w) y = Relu(a) }", 0, 2 },
    { HEAD "g (int32[N, K] x, int32[K, C] w) => (float[N, C] y)\n"
           "{ a = MatMul(x, w) b = Cast <to = 1> (a) y = Relu(b) }",
      0, 3 },
    { HEAD "g (double[N, C] x) => (double[N, C] y)\n{ a = Relu(x) y = Neg(a) }", 0, 2 },
    /* but what a Cast makes float is float */
    { HEAD "g (int64[N, C] x) => (float[N, C] y)\n{ a = Cast <to = 1> (x) b = Relu(a) y = Neg(b) }", 1, 2 },
};

START_TEST(chains_are_found)
{
    struct trial t;

    start(&t, graphs[_i].text);
    ck_assert_int_eq(count(t.passes.graph, &fused_op), graphs[_i].chains);
    ck_assert_int_eq(count(t.passes.graph, NULL), graphs[_i].nodes);
    finish(&t);
}
END_TEST

/* x * sigmoid(x) is one loop (struct formula, times_x) where nobody else reads the sigmoid. */
static const char *const swishes[] = {
    HEAD "g (float[N, C] x) => (float[N, C] y)\n{ s = Sigmoid(x) m = Mul(x, s) y = Neg(m) }",
    HEAD "g (float[N, C] x) => (float[N, C] y)\n{ s = Sigmoid(x) m = Mul(s, x) y = Sub(m, x) }",
    HEAD "g (float[N, C] x) => (float[N, C] y)\n{ s = Sigmoid(x) m = Mul(x, s) y = Sub(m, s) }",
    HEAD "g (float[N, C] x) => (float[N, C] y)\n{ s = Sigmoid(x) m = Mul(s, s) y = Sub(m, x) }",
    HEAD "g (float[N, C] x) => (float[N, C] y, float[N, C] s)\n{ s = Sigmoid(x) m = Mul(x, s) y = Neg(m) }",
};

START_TEST(a_product_of_x_and_what_is_made_of_it)
{
    float x[6] = { -1, 2, -3, 4, 0, 6 };
    const struct tensor in[] = { { .dtype = F32, .rank = 2, .dims = { 2, 3 }, .data = x } };
    struct trial t;

    start(&t, swishes[_i]);
    ck_assert_int_eq(count(t.passes.graph, &fused_op), 1);
    same_bits_everywhere(&t, in, swishes[_i]);
    finish(&t);
}
END_TEST

START_TEST(subgraphs_see_what_they_capture)
{
    const char *text = HEAD "g (float[N, C] x, bool c) => (float[N, C] y)\n"
                            "{ a = Relu(x) e = Neg(a)\n"
                            "  b = If (c) <then_branch = t () => (float[N, C] u) { u = Neg(a) },\n"
                            "              else_branch = e () => (float[N, C] v) { v = Exp(a) }>\n"
                            "  d = Exp(a) y = Sum(b, d, e) }";
    float x[6] = { -1, 2, -3, 4, 0, 6 };
    uint8_t c = 1;
    const struct tensor in[] = { { .dtype = F32, .rank = 2, .dims = { 2, 3 }, .data = x },
                                 { .dtype = BOOL, .data = &c } };
    struct trial t;

    start(&t, text);
    ck_assert_int_eq(count(t.passes.graph, &fused_op), 1);
    ck_assert_int_eq(count(t.passes.graph, NULL), 4);
    same_bits_everywhere(&t, in, text);
    finish(&t);
}
END_TEST

/* -- chains behind convolutions -- */

/* A session runs the passes' graph, a frame the model's. */
static const struct {
    const char *text;
    int nodes; /* that are left, with those that transpose what goes in and out */
} convolutions[] = {
    /* swish: Winograd's, direct, depthwise, of odd sizes, in one dimension */
    { HEAD "g (float[2, 16, 12, 13] x, float[24, 16, 3, 3] w) => (float[2, 24, 12, 13] y)\n"
           "{ c = Conv <pads = [1, 1, 1, 1]> (x, w) s = Sigmoid(c) y = Mul(c, s) }",
      3 },
    { HEAD "g (float[2, 3, 15, 13] x, float[5, 3, 3, 3] w, float[5] b) => (float[2, 5, 7, 6] y)\n"
           "{ c = Conv <strides = [2, 2]> (x, w, b) s = Sigmoid(c) y = Mul(c, s) }",
      3 },
    { HEAD "g (float[2, 20, 30, 31] x, float[20, 1, 5, 5] w, float[20] b) => (float[2, 20, 30, 31] y)\n"
           "{ c = Conv <group = 20, pads = [2, 2, 2, 2]> (x, w, b) s = Sigmoid(c) y = Mul(s, c) }",
      3 },
    { HEAD "g (float[2, 5, 40] x, float[7, 5, 3] w) => (float[2, 7, 38] y)\n{ c = Conv(x, w) y = Tanh(c) }", 3 },
    { HEAD "g (float[1, 32, 20, 20] x, float[64, 32, 1, 1] w) => (float[1, 64, 20, 20] y)\n"
           "{ c = Conv(x, w) d = HardSigmoid(c) y = Mul(c, d) }",
      3 },
    /* other operands: of the same shape, by channel, by image and channel; what is made of them goes before */
    { HEAD "g (float[2, 6, 9, 9] x, float[6, 6, 3, 3] w, float[6, 1, 1] v, float[2, 6, 1, 1] e) => (float[2, 6, 9, 9] "
           "y)\n"
           "{ c = Conv <pads = [1, 1, 1, 1]> (x, w) g1 = Sigmoid(e) d = Mul(c, g1) f = Sub(d, v) h = Max(f, x)\n"
           "  y = Softplus(h) }",
      -1 },
    /* a result that is larger than the convolution's */
    { HEAD "g (float[2, 6, 9, 9] x, float[4, 6, 9, 9] w, float[2, 4, 5, 3] v) => (float[2, 4, 5, 3] y)\n"
           "{ c = Conv(x, w) d = Sigmoid(c) y = Mul(d, v) }",
      -1 },
    /* others read it too: two chains, or none */
    { HEAD "g (float[2, 6, 9, 9] x, float[6, 6, 3, 3] w) => (float[2, 6, 7, 7] y, float[2, 6, 7, 7] z)\n"
           "{ c = Conv(x, w) y = Sigmoid(c) z = Mul(c, y) }",
      -1 },
    { HEAD "g (float[2, 6, 9, 9] x, float[6, 6, 3, 3] w) => (float[2, 6, 7, 7] y, float[2, 6, 1, 1] z)\n"
           "{ c = Conv(x, w) s = Sigmoid(c) y = Mul(c, s) z = GlobalAveragePool(c) }",
      -1 },
    /* in three dimensions channels are not put last, and the chain stays a node of its own */
    { HEAD "g (float[2, 3, 4, 5, 6] x, float[4, 3, 2, 3, 3] w, float[4] b) => (float[2, 4, 3, 3, 4] y)\n"
           "{ c = Conv(x, w, b) s = Sigmoid(c) y = Mul(c, s) }",
      2 },
};

static void fill(struct tensor *t, const struct value *v, uint64_t stream)
{
    int64_t n;

    *t = v->type;
    n = tensor_count(t);
    ck_assert_int_gt(n, 0);
    t->data = calloc((size_t)n, sizeof(float));
    random_normal(t->data, n, 3, stream, 0);
}

START_TEST(convolutions_take_chains)
{
    struct fixture f;
    struct budget budget = { 0 };
    struct report report = { 0 };
    struct engine e = { .kernels = kernels_get(), .budget = &budget, .prepared.budget = &budget };
    struct tensor in[4];
    const struct graph *g;
    struct frame *plain;

    begin(&f, convolutions[_i].text);
    g = f.model->graph;
    if (convolutions[_i].nodes >= 0)
        ck_assert_int_eq(count(f.session->passes.graph, NULL), convolutions[_i].nodes);
    plain = frame_new(&e, g, &report);
    for (size_t k = 0; k < g->input_count; k++) {
        fill(&in[k], g->inputs[k], k);
        frame_set(plain, g->inputs[k], &in[k]);
        ck_assert(session_set(f.session, g->inputs[k], &in[k], &f.report));
    }
    ck_assert_msg(frame_run(plain, &report), "%s", report.error.message);
    run_ok(&f);
    for (size_t o = 0; o < g->output_count; o++) {
        const struct tensor *a = frame_get(plain, g->outputs[o]), *b = session_output(f.session, o);

        ck_assert(same_type(a, b));
        for (int64_t k = 0; k < tensor_count(a); k++) {
            const double x = (double)((const float *)a->data)[k], y = (double)((const float *)b->data)[k];

            ck_assert_msg(fabs(x - y) <= 2e-4 * (1 + fabs(x)), "output %zu, element %lld: %g and %g", o, (long long)k,
                          x, y);
        }
    }
    for (size_t k = 0; k < g->input_count; k++)
        free(in[k].data);
    frame_free(plain);
    prepared_free(&e.prepared);
    end(&f);
}
END_TEST

/* -- chains behind products -- */

enum { PRODUCT_A, PRODUCT_B, PRODUCT_C, OPERAND, PRODUCT_INPUTS = OPERAND + 3 }; /* C: of Gemm */

static struct tensor shape(int rank, const int64_t *dims)
{
    struct tensor t;

    ck_assert(tensor_shape(&t, F32, rank, dims));
    return t;
}

/* Shapes of what is multiplied, and in *y of the result. Some are large enough to be shared out. */
static void random_product(struct dice *d, struct tensor *in, struct tensor *y, char *text, size_t room)
{
    static const int64_t sizes[] = { 1, 2, 3, 10, 16, 33, 64, 65, 130, 200 }, depths[] = { 1, 3, 17, 64, 300, 700 };
    const bool big = !draw(d, 3), gemm = draw(d, 2), transposed = draw(d, 2);
    const int64_t m = big ? 130 + draw(d, 3) * 100 : sizes[draw(d, 10)], k = depths[draw(d, 6)],
                  n = big ? 130 + draw(d, 3) * 100 : sizes[draw(d, 10)], batch = 1 + draw(d, big ? 2 : 5),
                  rows = draw(d, 2) ? 1 : 3;

    if (gemm) {
        in[PRODUCT_A] = shape(2, (const int64_t[]){ m, k });
        in[PRODUCT_B] = transposed ? shape(2, (const int64_t[]){ n, k }) : shape(2, (const int64_t[]){ k, n });
        in[PRODUCT_C] = draw(d, 2) ? shape(1, (const int64_t[]){ n }) : shape(2, (const int64_t[]){ m, n });
        *y = shape(2, (const int64_t[]){ m, n });
        snprintf(text, room, "p = Gemm <transB = %d, beta = %s> (a, b, c)\n", transposed,
                 draw(d, 2)   ? "1.0"
                 : draw(d, 2) ? "0.5"
                              : "0.0");
        return;
    }
    in[PRODUCT_A] = shape(4, (const int64_t[]){ batch, rows, m, k });
    in[PRODUCT_C] = shape(0, NULL);
    in[PRODUCT_B] = transposed   ? shape(2, (const int64_t[]){ k, n })
                    : draw(d, 2) ? shape(4, (const int64_t[]){ batch, 1, k, n })
                                 : shape(3, (const int64_t[]){ rows, k, n });
    *y = shape(4, (const int64_t[]){ batch, rows, m, n });
    snprintf(text, room, "p = MatMul(a, b)\n");
}

/* A product, and up to five steps behind it, all of which it must take. `simple`: those that it has a way of its own
 * for. */
static void random_chain(struct dice *d, bool simple, struct tensor *in, char *text)
{
    char product[128];
    struct tensor y;
    size_t n;
    int64_t steps = 1 + draw(d, simple ? 2 : 5);

    random_product(d, in, &y, product, sizeof product);
    snprintf(text, TEXT, HEAD "g (");
    for (int k = 0; k < PRODUCT_INPUTS; k++) {
        if (k >= OPERAND)
            random_shape(d, &y, &in[k]);
        if (k == OPERAND && simple)
            in[k] = y;
        put_shape(text, &in[k], (const char[]){ (char)('a' + k), 0 });
    }
    n = strlen(text);
    n += (size_t)snprintf(text + n, TEXT - n, ") => (float n%d)\n<float half = {0.5}>\n{\n  %s", (int)steps - 1,
                          product);
    for (int k = 0; k < steps; k++) {
        char before[8] = "p";

        if (k)
            snprintf(before, sizeof before, "n%d", k - 1);
        if (simple)
            n += (size_t)snprintf(text + n, TEXT - n, k ? "  n%d = Relu(%s)\n" : "  n%d = Add(d, %s)\n", k, before);
        else if (draw(d, 3))
            n += (size_t)snprintf(text + n, TEXT - n, "  n%d = %s(%s, %c)\n", k, binary[draw(d, 6)], before,
                                  (char)('a' + OPERAND + draw(d, 3)));
        else
            n += (size_t)snprintf(text + n, TEXT - n, "  n%d = %s(%s)\n", k,
                                  unary[draw(d, sizeof unary / sizeof *unary)], before);
    }
    snprintf(text + n, TEXT - n, "}\n");
}

START_TEST(products_take_chains)
{
    static const int threads[] = { 1, 2, 5 };
    struct dice d = { .stream = 1000 + (uint64_t)_i };
    struct tensor in[PRODUCT_INPUTS];
    char text[TEXT];
    struct trial t;

    random_chain(&d, _i % 4 == 0, in, text);
    for (int k = 0; k < PRODUCT_INPUTS; k++) {
        in[k].data = calloc((size_t)tensor_count(&in[k]) + 1, sizeof(float));
        random_normal(in[k].data, tensor_count(&in[k]), 7, (uint64_t)_i * PRODUCT_INPUTS + (uint64_t)k, 0);
    }
    start(&t, text);
    ck_assert_msg(count(t.passes.graph, NULL) == 1 && !count(t.passes.graph, &fused_op), "%s", text);
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) /* products are planned for this CPU's level */
        same_bits(&t, in, kernels_get(), threads[k], text);
    for (int k = 0; k < PRODUCT_INPUTS; k++)
        free(in[k].data);
    finish(&t);
}
END_TEST

/* The result takes the memory of what is read for the last time: nothing is kept but input and output. */
START_TEST(a_chain_needs_no_memory_of_its_own)
{
    static float x[4096];
    const struct tensor in = { .dtype = F32, .rank = 2, .dims = { 64, 64 }, .data = x };
    struct trial t;
    struct engine e;
    struct frame *f;
    const struct program *p;

    start(&t, HEAD "g (float[64, 64] x) => (float[64, 64] y)\n"
                   "{ a = Transpose(x) b = Sigmoid(a) c = Mul(a, b) d = Exp(c) y = Neg(d) }");
    e = (struct engine){ .kernels = kernels_get(), .budget = &t.budget };
    f = frame_new(&e, t.passes.graph, &t.report);
    frame_set(f, t.passes.graph->inputs[0], &in);
    p = frame_plan(f, &t.report);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->step_count, 2);
    ck_assert_int_le(p->arena_bytes, 64 * 64 * 4 + 16384); /* and a few blocks */
    frame_free(f);
    finish(&t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("fuse");

    add_tests(s, random_graphs_keep_their_bits, ROUNDS(100));
    add_tests(s, chains_are_found, sizeof graphs / sizeof *graphs);
    add_tests(s, a_product_of_x_and_what_is_made_of_it, (int)(sizeof swishes / sizeof *swishes));
    add_test(s, subgraphs_see_what_they_capture);
    add_tests(s, convolutions_take_chains, sizeof convolutions / sizeof *convolutions);
    add_tests(s, products_take_chains, ROUNDS(100));
    add_test(s, a_chain_needs_no_memory_of_its_own);
    return s;
}
