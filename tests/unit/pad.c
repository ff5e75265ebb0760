/* Pads that go into the node behind: how many stay, that a session computes what one without the pass computes, that
 * the same is learned, and that what is wrong is refused in the same words. */
#include "base/random.h"
#include "fixture.h"
#include "numbers.h"
#include "plan/pass.h"
#include "train/initialise.h"
#include "train/trainer.h"
#include "train/training_program.h"
#include <stdio.h>

static bool skipped;

bool __real_pass_pad(struct rewrite *w);
bool __wrap_pass_pad(struct rewrite *w);

bool __wrap_pass_pad(struct rewrite *w)
{
    return skipped || __real_pass_pad(w);
}

/* How many Pads make something. */
static int count(const struct graph *g)
{
    int n = 0;

    for (size_t k = 0; k < g->node_count; k++)
        n += strcmp(g->nodes[k]->op_name, "Pad") == 0 && g->nodes[k]->out[0];
    return n;
}

enum { INPUTS = 4 };

struct trial {
    struct fixture f;
    struct tensor in[INPUTS];
};

/* Random numbers, zeros for integers; dimensions that are open are 2. */
static void fill(struct tensor *t, const struct value *v)
{
    *t = v->type;
    for (int d = 0; d < t->rank; d++)
        t->dims[d] = t->dims[d] < 0 ? 2 : t->dims[d];
    if (dtype_is_float(t->dtype)) {
        t->data = random_array(t->dtype, tensor_count(t));
        return;
    }
    t->data = calloc((size_t)tensor_count(t) + 1, dtype_size(t->dtype));
    ck_assert_ptr_nonnull(t->data);
}

static void start(struct trial *t, int opset, const char *graph, bool skip)
{
    char text[4096];

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": %d]>\n%s", opset, graph);
    memset(t, 0, sizeof *t);
    skipped = skip;
    begin(&t->f, text);
    random_state = 1;
    for (size_t k = 0, n = 0; k < t->f.model->graph->input_count; k++) {
        const struct value *v = t->f.model->graph->inputs[k];

        if (v->initializer)
            continue;
        ck_assert_uint_lt(n, INPUTS);
        fill(&t->in[n], v);
        ck_assert(session_set(t->f.session, v, &t->in[n++], &t->f.report));
    }
}

static void finish(struct trial *t)
{
    for (size_t k = 0; k < INPUTS; k++)
        free(t->in[k].data);
    end(&t->f);
}

/* -- inference -- */

#define X                "float[N, 4, 9, 8] x"
#define W                "float[6, 4, 3, 3] w"
#define Y                " => (float[A, B, C, D] y) "
#define XW               "g (" X ", " W ")" Y
#define XV               "g (" X ", float[4, 1, 3, 3] v)" Y /* depthwise */
#define KERAS            "int64[8] p = {0, 0, 0, 0, 0, 0, 1, 1}"
#define PAD              "{ a = Pad(x, p) "
#define POOL(attributes) "g (" X ")" Y "<int64[8] p = {0, 0, 1, 0, 0, 0, 2, 1}> " PAD "y = " attributes " (a) }"

static const struct {
    int opset;
    const char *text;
    int left; /* how many Pads stay */
} graphs[] = {
    { 13, XV "<" KERAS "> { r = Relu(x) a = Pad(r, p) y = Conv <group = 4, strides = [2, 2]> (a, v) }", 0 },
    { 17, XW "<" KERAS ", float z = {0}> { a = Pad(x, p, z) y = Conv <strides = [2, 2]> (a, w) }", 0 },
    { 17, XW "<" KERAS ", float[1] z = {0}> { a = Pad <mode = \"constant\"> (x, p, z) y = Conv(a, w) }", 0 },
    { 17,
      "g (" X ", float[6, 2, 3, 3] w, float[6] b)" Y "<int64[8] p = {0, 0, 2, 0, 0, 0, 1, 3}> " PAD
      "c = Conv <group = 2, pads = [0, 1, 2, 0], dilations = [2, 1]> (a, w, b) y = Relu(c) }",
      0 },
    { 17, XV "<int64[8] p = {0, 0, 5, 0, 0, 0, 0, 7}> " PAD "y = Conv <group = 4> (a, v) }", 0 }, /* than the kernel */
    { 17, XW "<int64[8] p = {0, 0, 4, 5, 0, 0, 6, 4}> " PAD "y = Conv <strides = [3, 1]> (a, w) }", 0 },
    { 17, XW "<" KERAS "> " PAD "y = Conv <auto_pad = \"VALID\"> (a, w) }", 0 },
    { 17, XW "<" KERAS "> " PAD "y = Conv <auto_pad = \"VALID\", pads = [0, 0, 0, 0]> (a, w) }", 0 },
    { 17, XW "<" KERAS ", int64[8] q = {0, 0, 1, 2, 0, 0, 0, 0}> " PAD "b = Pad(a, q) y = Conv(b, w) }", 0 },
    { 17, XW "<int64[4] q = {0, 0, 1, 1}> { p = Concat <axis = 0> (q, q) a = Pad(x, p) y = Conv(a, w) }", 0 },
    { 17, XW "{ p = Constant <value_ints = [0, 0, 1, 1, 0, 0, 0, 1]> () a = Pad(x, p) y = Conv(a, w) }", 0 },
    { 17, "g (" X ", " W ", int64[8] p = {0, 0, 1, 1, 0, 0, 0, 1})" Y PAD "y = Conv(a, w) }", 0 },
    { 17,
      "g (float[N, 4, 9] x, float[6, 4, 3] w) => (float[A, B, C] y) <int64[6] p = {0, 0, 2, 0, 0, 1}> " PAD
      "y = Conv(a, w) }",
      0 },
    { 17,
      "g (float[N, 2, 5, 4, 3] x, float[3, 2, 2, 2, 2] w) => (float[A, B, C, D, E] y)\n"
      "<int64[10] p = {0, 0, 1, 0, 2, 0, 0, 0, 1, 0}> " PAD "y = Conv(a, w) }",
      0 },
    { 17,
      "g (float[N, 9, 8, 4] x, " W ")" Y "<" KERAS "> { t = Transpose <perm = [0, 3, 1, 2]> (x) a = Pad(t, p)\n"
      "c = Conv(a, w) y = Transpose <perm = [0, 2, 3, 1]> (c) }",
      0 },
    /* other opsets */
    { 18, XW "<int64[4] p = {1, 0, 2, 1}, int64[2] k = {3, -2}> { a = Pad(x, p, , k) y = Conv(a, w) }", 0 },
    { 21, XW "<int64[2] p = {1, 2}, float z = {0}, int32[1] k = {-1}> { a = Pad(x, p, z, k) y = Conv(a, w) }", 0 },
    { 10, XW "{ a = Pad <pads = [0, 0, 1, 1, 0, 0, 2, 1]> (x) y = Conv(a, w) }", 0 },
    { 10, XW "{ a = Pad <pads = [0, 0, 1, 1, 0, 0, 2, 1], value = 0.5> (x) y = Conv(a, w) }", 1 },
    /* other types */
    { 17,
      "g (double[N, 4, 9, 8] x, double[6, 4, 3, 3] w) => (double[A, B, C, D] y) <" KERAS ", double z = {0}>\n"
      "{ a = Pad(x, p, z) y = Conv(a, w) }",
      0 },
    { 17,
      "g (float16[N, 4, 9, 8] x, float16[6, 4, 3, 3] w) => (float16[A, B, C, D] y) <" KERAS "> " PAD "y = Conv(a, w) }",
      0 },
    { 22,
      "g (bfloat16[N, 4, 9, 8] x, bfloat16[6, 4, 3, 3] w) => (bfloat16[A, B, C, D] y) <" KERAS "> " PAD
      "y = Conv(a, w) }",
      0 },
    { 17,
      XW "<" KERAS ", float z = {0}> { i = Cast <to = 11> (x) j = Cast <to = 1> (i) a = Pad(j, p, z)\n"
         "y = Conv(a, w) }", /* what it pads has a type that only w tells */
      0 },
    /* pools */
    { 17, POOL("AveragePool <kernel_shape = [3, 2], count_include_pad = 1>"), 0 },
    { 17, POOL("AveragePool <kernel_shape = [3, 2], strides = [2, 1]>"), 0 },
    { 17, POOL("AveragePool <kernel_shape = [3, 2], count_include_pad = 1, pads = [1, 0, 0, 1]>"), 0 },
    { 17, POOL("AveragePool <kernel_shape = [3, 2], pads = [0, 0, 0, 0], auto_pad = \"VALID\">"), 0 },
    { 19, POOL("AveragePool <kernel_shape = [2, 2], dilations = [2, 3]>"), 0 },
    { 17,
      "g (" X ", " W ")" Y "<int64[8] p = {0, 0, 2, 3, 0, 0, 4, 1}> { c = Conv(x, w) a = Pad(c, p)\n"
      "y = AveragePool <kernel_shape = [2, 2]> (a) }", /* windows of pads alone */
      0 },
    { 17, POOL("AveragePool <kernel_shape = [3, 2], pads = [1, 0, 0, 1]>"), 1 },
    { 17, POOL("AveragePool <kernel_shape = [3, 2], strides = [2, 2], ceil_mode = 1, count_include_pad = 1>"), 1 },
    { 17, POOL("AveragePool <kernel_shape = [3, 2], auto_pad = \"SAME_LOWER\", count_include_pad = 1>"), 1 },
    { 17, POOL("MaxPool <kernel_shape = [3, 2]>"), 1 },
    { 17, POOL("GlobalAveragePool"), 1 },
    /* what adds something else, or takes away */
    { 17, XW "<" KERAS "> { a = Pad <mode = \"reflect\"> (x, p) y = Conv(a, w) }", 1 },
    { 17, XW "<" KERAS "> { a = Pad <mode = \"edge\"> (x, p) y = Conv(a, w) }", 1 },
    { 19, XW "<" KERAS "> { a = Pad <mode = \"wrap\"> (x, p) y = Conv(a, w) }", 1 },
    { 17, XW "<" KERAS ", float z = {0.5}> { a = Pad(x, p, z) y = Conv(a, w) }", 1 },
    { 17, "g (" X ", " W ", float z)" Y "<" KERAS "> { a = Pad(x, p, z) y = Conv(a, w) }", 1 },
    { 17, "g (" X ", " W ", int64[8] p)" Y PAD "y = Conv(a, w) }", 1 },
    { 17, XW "<int64[8] p = {0, 0, 1, 0, 0, 0, 1, -1}> " PAD "y = Conv(a, w) }", 1 },
    { 17, "g (" X ", float[6, 5, 3, 3] w)" Y "<int64[8] p = {0, 1, 0, 0, 0, 0, 1, 1}> " PAD "y = Conv(a, w) }", 1 },
    { 17, XW "<int64[8] p = {0, 0, 0, 0, 1, 0, 1, 1}> " PAD "y = Conv(a, w) }", 1 },
    /* what is read elsewhere, or otherwise */
    { 17, XW "<" KERAS "> " PAD "y = Conv <auto_pad = \"SAME_UPPER\"> (a, w) }", 1 },
    { 17, XW "<" KERAS "> " PAD "c = Conv(a, w) d = ReduceSum(a) y = Mul(c, d) }", 1 },
    { 17, "g (" X ", " W ") => (float[A, B, C, D] y, float[E, F, G, H] a) <" KERAS "> " PAD "y = Conv(a, w) }", 1 },
    { 17, XW "<" KERAS "> { a = Pad(w, p) y = Conv(x, a) }", 1 },
    { 17, "g (float[2, 2, 4, 4] x)" Y "<" KERAS "> " PAD "y = Conv(a, a) }", 1 },
    { 17, "g (" X ", float[4, 2, 3, 3] w)" Y "<" KERAS "> " PAD "y = ConvTranspose(a, w) }", 1 },
    { 17,
      XW "<" KERAS ", bool yes = {1}> " PAD "c = Conv(a, w) y = If (yes)\n"
         "<then_branch = t () => (float[A, B, C, D] q) { s = ReduceSum(a) q = Add(c, s) },\n"
         " else_branch = e () => (float[A, B, C, D] r) { r = Neg(c) }> }",
      1 },
};

START_TEST(results_stay)
{
    struct trial plain, t;

    start(&plain, graphs[_i].opset, graphs[_i].text, true);
    start(&t, graphs[_i].opset, graphs[_i].text, false);
    run_ok(&plain.f);
    run_ok(&t.f);
    ck_assert_int_eq(count(t.f.session->passes.graph), graphs[_i].left);
    for (size_t k = 0; k < t.f.model->graph->output_count; k++) {
        const struct tensor *a = session_output(plain.f.session, k), *b = session_output(t.f.session, k);

        ck_assert(same_type(a, b));
        ck_assert_int_gt(tensor_count(a), 0);
        for (int64_t i = 0; i < tensor_count(a); i++)
            expect_near("y", i, get(b->dtype, b->data, i), get(a->dtype, a->data, i), 50 * rounding(a->dtype));
    }
    finish(&plain);
    finish(&t);
}
END_TEST

/* -- what is wrong -- */

static const struct {
    int opset;
    const char *text;
} wrong[] = {
    { 17, XW "<int64[6] p = {0, 0, 1, 0, 0, 1}> " PAD "y = Conv(a, w) }" },
    { 17, "g (float[N, 4, 9] x, " W ")" Y "<" KERAS "> " PAD "y = Conv(a, w) }" },
    { 17, "g (float[N, 4, 9] x, " W ")" Y "<int64[6] p = {0, 0, 1, 0, 0, 1}> " PAD "y = Conv(a, w) }" },
    { 17, XW "<int64[4, 2] p = {0, 0, 0, 0, 0, 0, 1, 1}> " PAD "y = Conv(a, w) }" },
    { 17, XW "<int32[8] p = {0, 0, 0, 0, 0, 0, 1, 1}> " PAD "y = Conv(a, w) }" },
    { 18, XW "<int64[4] p = {1, 0, 2, 1}, int64[2] k = {3, -1}> { a = Pad(x, p, , k) y = Conv(a, w) }" },
    { 18, XW "<int64[4] p = {1, 0, 2, 1}, int64[2] k = {3, 4}> { a = Pad(x, p, , k) y = Conv(a, w) }" },
    { 18, XW "<int64[4] p = {1, 0, 2, 1}, int64[3] k = {1, 2, 3}> { a = Pad(x, p, , k) y = Conv(a, w) }" },
    { 17, XW "<" KERAS ", float[2] z = {0, 0}> { a = Pad(x, p, z) y = Conv(a, w) }" },
    { 17, XW "<" KERAS ", double z = {0}> { a = Pad(x, p, z) y = Conv(a, w) }" },
    { 17, XW "<int64[8] p = {0, 0, 0, 0, 0, 0, 0, 9223372036854775807}> " PAD "y = Conv(a, w) }" },
    { 17, XW "<" KERAS "> " PAD "y = Conv <pads = [1, 1]> (a, w) }" },
    { 17, XW "<" KERAS "> " PAD "y = Conv <kernel_shape = [3, 4]> (a, w) }" },
    { 17, "g (" X ", float[6, 4, 3, 10] w)" Y "<" KERAS "> " PAD "y = Conv(a, w) }" },
    { 17, "g (" X ", float[6, 3, 3, 3] w)" Y "<" KERAS "> " PAD "y = Conv(a, w) }" },
    { 17, POOL("AveragePool <kernel_shape = [3]>") },
    /* nothing around which something is put is no longer nothing */
    { 17, "g (float[N, 4, 0, 9] x, " W ")" Y "<int64[8] p = {0, 0, 1, 0, 0, 0, 1, 0}> " PAD "y = Conv(a, w) }" },
    { 17, "g (float[N, 4, 9, 0] x)" Y "<int64[8] p = {0, 0, 0, 2, 0, 0, 0, 0}> " PAD
          "y = AveragePool <kernel_shape = [3, 3]> (a) }" },
};

START_TEST(the_same_is_refused)
{
    struct trial plain, t;

    start(&plain, wrong[_i].opset, wrong[_i].text, true);
    ck_assert(!session_run(plain.f.session, &plain.f.report));
    start(&t, wrong[_i].opset, wrong[_i].text, false);
    ck_assert(!session_run(t.f.session, &t.f.report));
    ck_assert_int_eq(t.f.report.error.code, plain.f.report.error.code);
    ck_assert_str_eq(t.f.report.error.message, plain.f.report.error.message);
    ck_assert_str_eq(t.f.report.error.where, plain.f.report.error.where);
    finish(&plain);
    finish(&t);
}
END_TEST

/* -- training -- */

static struct budget budget;
static struct report report;

static void ok(bool is)
{
    ck_assert_msg(is && !failed(&report), "%s: %s", report.error.where, report.error.message);
}

static void draw(struct arena *a, struct tensor *t, uint64_t stream)
{
    t->dims[0] = 8;
    t->data = arena_alloc(a, (size_t)tensor_bytes(t), &report);
    ok(t->data);
    if (t->dtype == F32)
        random_normal(t->data, tensor_count(t), 1, stream, 0);
}

/* A few steps; how many Pads the last one had, those of the backward pass too. */
static struct trainer *train(const char *text, bool skip, int *pads)
{
    const struct trainer_options o = { .threads = 1, .optimizer = "sgd", .exact = true, .keep_gradients = true };
    const struct initialise_options weights = { 0 };
    struct arena arena = { .budget = &budget };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report), *drawn;
    float result;
    struct trainer *t;
    struct tensor x, y;
    size_t n;

    skipped = skip;
    ok(m && model_build(m, &report));
    drawn = model_initialise(m, &weights, &n, &report);
    ok(drawn && model_build(drawn, &report));
    t = trainer_new(drawn, &o, &report);
    ok(t);
    x = t->x[0];
    y = t->targets->y;
    draw(&arena, &x, 1);
    draw(&arena, &y, 2);
    for (int k = 0; k < 3; k++)
        ok(trainer_step(t, &x, &y, &result, &report));
    ok(trainer_evaluate_batch(t, &x, &y, &result, &report));
    *pads = count(t->latest->graph) + count(t->evaluation->graph);
    arena_release(&arena);
    model_free(drawn);
    model_free(m);
    return t;
}

#define NET(parameters, constants, body)                                                                               \
    "<ir_version: 8, opset_import: [\"\": 18]>\n"                                                                      \
    "g (float[N, 3, 11, 10] x, float[8, 3, 3, 3] w, float[8] b, " parameters "float[8, 4] o) => (float[N, 4] y)\n"     \
    "<" constants ">\n{ c = Conv(x, w, b) r = Relu(c) " body                                                           \
    "\n p = GlobalAveragePool(z) f = Flatten(p) y = Gemm(f, o) }"

static const char *const nets[] = {
    NET("float[8, 1, 3, 3] v, float[8] d, ", "int64[8] n = {0, 0, 0, 0, 0, 0, 1, 1}",
        "a = Pad(r, n) k = Conv <group = 8, strides = [2, 2]> (a, v, d) z = Tanh(k)"),
    NET("float[8, 8, 3, 3] v, ", "int64[4] n = {0, 2, 1, 4}, int64[2] i = {-1, 2}",
        "a = Pad(r, n, , i) z = Conv <pads = [1, 0, 0, 1]> (a, v)"),
    NET("float[8, 2, 5, 4] v, ", "float one = {1}",
        "n = Constant <value_ints = [0, 0, 3, 0, 0, 0, 6, 7]> () q = Constant <value_float = 0.0> ()\n"
        "a = Pad(r, n, q) k = Conv <group = 4, strides = [1, 3]> (a, v) z = Mul(k, one)"),
    NET("float[8, 1, 1] s, ", "int64[8] n = {0, 0, 1, 0, 0, 0, 2, 1}",
        "a = Pad(r, n) k = AveragePool <kernel_shape = [3, 2], strides = [2, 1]> (a) z = Mul(k, s)"),
};

START_TEST(the_same_is_learned)
{
    int pads;
    struct trainer *plain = train(nets[_i], true, &pads), *t;

    ck_assert_int_ge(pads, 3);
    t = train(nets[_i], false, &pads);
    ck_assert_int_eq(pads, 0);
    ck_assert_uint_eq(t->state_count, plain->state_count);
    for (size_t k = 0; k < t->state_count; k++) {
        const struct tensor *a = &plain->states[k].value, *b = &t->states[k].value;
        const char *name = t->states[k].parameter->value->name;
        const struct tensor *da = trainer_gradient(plain, name), *db = trainer_gradient(t, name);
        double most = 0;

        ck_assert(da && db);
        for (int64_t i = 0; i < tensor_count(a); i++) {
            expect_near(name, i, get(F32, b->data, i), get(F32, a->data, i), 1e-5);
            expect_near(name, i, get(F32, db->data, i), get(F32, da->data, i), 1e-5);
            most = fmax(most, fabs(get(F32, da->data, i)));
        }
        ck_assert_double_gt(most, 1e-3);
    }
    trainer_free(plain);
    trainer_free(t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pad");

    add_tests(s, results_stay, (int)(sizeof graphs / sizeof *graphs));
    add_tests(s, the_same_is_refused, (int)(sizeof wrong / sizeof *wrong));
    add_tests(s, the_same_is_learned, (int)(sizeof nets / sizeof *nets));
    return s;
}
