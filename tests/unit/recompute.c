/* What the backward part makes again: how many nodes, how much memory that saves, and that what is learned has the same
 * bits. */
#include "base/cpu.h"
#include "base/random.h"
#include "plan/pass.h"
#include "train/initialise.h"
#include "train/trainer.h"
#include "train/training_program.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct budget budget;
static struct report report;
static bool skipped;
static int clones; /* of the last graph that was looked at */

bool __real_pass_recompute(struct rewrite *w);
bool __wrap_pass_recompute(struct rewrite *w);

bool __wrap_pass_recompute(struct rewrite *w)
{
    const size_t nodes = w->graph->node_count;
    const bool done = skipped || __real_pass_recompute(w);

    clones = (int)(w->graph->node_count - nodes);
    return done;
}

/* -- one training -- */

static void ok(bool is)
{
    ck_assert_msg(is && !failed(&report), "%s: %s", report.error.where, report.error.message);
}

static void fill(struct arena *a, struct tensor *t, int64_t batch, uint64_t stream)
{
    t->dims[0] = batch;
    t->data = arena_alloc(a, (size_t)tensor_bytes(t), &report);
    ok(t->data);
    if (t->dtype == F32)
        random_normal(t->data, tensor_count(t), 1, stream, 0);
}

/* A few steps on `threads`, with or without the pass. */
static struct trainer *train(const char *text, int64_t batch, int threads, bool skip)
{
    const struct trainer_options o = { .threads = threads, .optimizer = "adam", .keep_gradients = true };
    const struct initialise_options weights = { 0 };
    struct arena arena = { .budget = &budget };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report), *drawn;
    float result;
    struct trainer *t;
    struct tensor x, y;
    size_t count;

    ok(m && model_build(m, &report));
    drawn = model_initialise(m, &weights, &count, &report);
    ok(drawn && model_build(drawn, &report));
    t = trainer_new(drawn, &o, &report);
    ok(t);
    x = t->x[0];
    y = t->targets->y;
    fill(&arena, &x, batch, 1);
    fill(&arena, &y, batch, 2);
    skipped = skip;
    for (int k = 0; k < 3; k++)
        ok(trainer_step(t, &x, &y, &result, &report));
    arena_release(&arena);
    model_free(drawn);
    model_free(m);
    return t;
}

static int64_t arena_of(const struct trainer *t)
{
    return frame_program(t->latest->frame)->arena_bytes;
}

static void same_state(const struct trainer *a, const struct trainer *b)
{
    ck_assert_uint_eq(a->state_count, b->state_count);
    for (size_t k = 0; k < a->state_count; k++)
        ck_assert_mem_eq(a->states[k].value.data, b->states[k].value.data, (size_t)tensor_bytes(&a->states[k].value));
}

/* -- networks -- */

#define HEAD                                                                                                           \
    "<ir_version: 8, opset_import: [\"\": 17],\n metadata_props: [\"init.s\": \"ones\", \"init.t\": \"zeros\"]>\n"
#define NUMBERS                                                                                                        \
    "\n<float root = {0.70710677}, float one = {1}, float half = {0.5}, float k3 = {0.044715}, bool yes = {1}>\n"
#define DENSE(parameters, body)                                                                                        \
    HEAD "g (float[N, 64] x, float[64, 1024] w, float[1024] b, " parameters                                            \
         "float[1024, 4] v) => (float[N, 4] o)" NUMBERS "{ h = Gemm(x, w, b)\n" body "\n o = Gemm(a, v) }"
#define CONV(parameters, body)                                                                                         \
    HEAD "g (float[N, 3, 16, 16] x, float[32, 3, 3, 3] w, float[32] b, " parameters                                    \
         "float[32, 4] v) => (float[N, 4] o)" NUMBERS "{ h = Conv <pads = [1, 1, 1, 1]> (x, w, b)\n" body              \
         "\n p = GlobalAveragePool(a) f = Flatten(p) o = Gemm(f, v) }"
#define SWISH(x, y) "g" y " = Sigmoid(" x ") " y " = Mul(" x ", g" y ")\n"
#define GELU(x, y)                                                                                                     \
    "z" y " = Mul(" x ", root) e" y " = Erf(z" y ") p" y " = Add(e" y ", one) q" y " = Mul(" x ", p" y ") " y          \
    " = Mul(q" y ", half)\n"
#define GELU_TANH(x, y)                                                                                                \
    "r" y " = Mul(" x ", " x ") s" y " = Mul(r" y ", " x ") t" y " = Mul(s" y ", k3) u" y " = Add(" x ", t" y ") v" y  \
    " = Mul(u" y ", root) w" y " = Tanh(v" y ") p" y " = Add(w" y ", one) q" y " = Mul(" x ", p" y ") " y " = Mul(q" y \
    ", half)\n"

static const struct {
    const char *text;
    int64_t batch;
    int clones;
    int64_t without, with; /* bytes of the arena */
} nets[] = {
    { DENSE("", SWISH("h", "a")), 512, 1, 8429696, 6332544 },
    { DENSE("", GELU("h", "a")), 512, 3, 10526848, 6332544 },
    { DENSE("", GELU_TANH("h", "a")), 512, 2, 12624000, 8429696 },
    { DENSE("float[1024] s, float[1024] t, ", "k = Mul(h, s) l = Add(k, t) a = LeakyRelu(l)"), 512, 2, 8429696,
      6332544 },
    /* several, with what both parts read in many places, and in a row with what sums between */
    { DENSE("float[64, 1024] u, float[64, 1024] r, ",
            SWISH("h", "c") "d = Gemm(x, u) k = Add(c, d)\n" GELU("k", "e") "i = Add(e, c) j = Gemm(x, r)\n" SWISH(
                "j", "l") "a = Mul(l, i)"),
      512, 6, 23109760, 12861568 },
    { DENSE("float[1024] s, float[1024] t, ",
            SWISH("h", "c") "d = Mul(c, s)\n" SWISH("d", "e") "i = Mul(e, t)\n" SWISH("i", "a")),
      512, 5, 21012608, 10526848 },
    /* what it is made of is not there, or would be kept instead */
    { DENSE("", "a = LeakyRelu(h)"), 512, 0, 6332544, 6332544 },
    { DENSE("float[64, 1024] u, ", "k = Gemm(x, u) l = Sigmoid(k) a = Mul(h, l)"), 512, 0, 8429696, 8429696 },
    /* too small for a costly step, for any step; two costly ones */
    { DENSE("", SWISH("h", "a")), 511, 0, 8413312, 8413312 },
    { DENSE("float[1024] s, float[1024] t, ", "k = Mul(h, s) l = Add(k, t) a = LeakyRelu(l)"), 16, 2, 356480, 356480 },
    { DENSE("float[1024] s, float[1024] t, ", "k = Mul(h, s) l = Add(k, t) a = LeakyRelu(l)"), 15, 0, 352384, 352384 },
    { DENSE("", "k = Softplus(h) l = Tanh(k) a = Mul(h, l)"), 512, 0, 8429696, 8429696 },
    /* it has to be in memory: under another shape, for a product, for a subgraph */
    { DENSE("float[1024, 4] u, ",
            "k = Sigmoid(h) l = Mul(h, k) m = Flatten(k) q = Gemm(m, u) r = ReduceMean <axes = [1]> (q) a = Add(l, r)"),
      512, 0, 8446080, 8446080 },
    { DENSE("float[1024, 4] u, ",
            "k = Sigmoid(h) l = Mul(h, k) q = Gemm(k, u) r = ReduceMean <axes = [1]> (q) a = Add(l, r)"),
      512, 0, 8446080, 8446080 },
    { DENSE("", "k = Sigmoid(h) l = Mul(h, k)\n"
                "m = If (yes) <then_branch = t () => (float[N, 1024] c) { c = Mul(l, k) },\n"
                "              else_branch = e () => (float[N, 1024] d) { d = Add(l, k) }>\n"
                "a = Neg(m)"),
      512, 0, 12599744, 12599744 },
    /* random numbers are not drawn again */
    { DENSE("", "k = Dropout(h)\n" SWISH("k", "a")), 512, 1, 8953984, 6856832 },
    { DENSE("", SWISH("h", "k") "a = Dropout(k)"), 512, 1, 8953984, 6856832 },
    /* channels last, and chains behind convolutions */
    { CONV("", SWISH("h", "a")), 64, 1, 6505088, 4407936 },
    { CONV("float[32, 32, 3, 3] u, float[32, 1, 3, 3] r, ",
           GELU("h", "c") "d = Conv <pads = [1, 1, 1, 1]> (c, u)\n" SWISH(
               "d", "e") "i = Add(c, e) j = Conv <group = 32, pads = [1, 1, 1, 1]> (i, r)\n" GELU("j", "a")),
      64, 7, 23282304, 12818176 },
    { CONV("float[32] s, float[32] t, float[32] m, float[32] n, ",
           "k = BatchNormalization(h, s, t, m, n)\n" SWISH("k", "a")),
      64, 1, 8602752, 6505600 },
    { CONV("float[32, 1, 1] s, float[32, 1, 1] t, ", "k = Mul(h, s) l = Add(k, t) a = LeakyRelu(l)"), 64, 2, 6508544,
      6488832 },
    { CONV("float[32, 32, 1, 1] u, ",
           SWISH("h", "k") "l = GlobalAveragePool(k) m = Conv(l, u) q = Sigmoid(m) a = Mul(k, q)"),
      64, 1, 8626816, 6529664 },
};
enum { NETS = sizeof nets / sizeof *nets };

/* KILN_COUNTS=1 prints the table anew. */
START_TEST(less_is_kept)
{
    struct trainer *t = train(nets[_i].text, nets[_i].batch, 1, true);
    const int64_t without = arena_of(t);
    int64_t with;

    ck_assert_int_eq(clones, 0);
    trainer_free(t);
    t = train(nets[_i].text, nets[_i].batch, 1, false);
    with = arena_of(t);
    trainer_free(t);
    if (getenv("KILN_COUNTS")) {
        fprintf(stderr, "%d: %d clones, %lld, %lld bytes\n", _i, clones, (long long)without, (long long)with);
        return;
    }
    ck_assert_int_eq(clones, nets[_i].clones);
    if (cpu_level() == CPU_BASE) /* BLIS' products need more */
        return;
    ck_assert_int_eq(without, nets[_i].without);
    ck_assert_int_eq(with, nets[_i].with);
}
END_TEST

START_TEST(the_same_is_learned)
{
    struct trainer *without = train(nets[_i].text, nets[_i].batch, 1, true);

    for (int threads = 1; threads <= 3; threads += 2) {
        struct trainer *with = train(nets[_i].text, nets[_i].batch, threads, false);

        same_state(without, with);
        trainer_free(with);
    }
    trainer_free(without);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("recompute");

    add_tests(s, less_is_kept, NETS);
    add_tests(s, the_same_is_learned, NETS);
    return s;
}
