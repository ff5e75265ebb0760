/* Memory for time: what is learned has the same bits as where all is kept, and less is kept. */
#include "base/random.h"
#include "train/initialise.h"
#include "train/trainer.h"
#include "train/training_program.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static struct budget budget;
static struct report report;

static void ok(bool is)
{
    ck_assert_msg(is && !failed(&report), "%s: %s", report.error.where, report.error.message);
}

/* A network of `layers` of `layer`, in which %1$d is the layer's number and %2$d that of the one before. */
static void write_net(char *text, size_t size, const char *parameters, const char *inputs, const char *layer,
                      const char *end, int layers)
{
    int n = snprintf(text, size, "<ir_version: 8, opset_import: [\"\": 17]>\ng (%s", inputs);

    for (int k = 1; k <= layers; k++)
        n += snprintf(text + n, size - (size_t)n, parameters, k);
    n += snprintf(text + n, size - (size_t)n, ") => (float[N, 8] o) <float ratio = {0.3}, bool yes = {1}> {\n");
    for (int k = 1; k <= layers; k++)
        n += snprintf(text + n, size - (size_t)n, layer, k, k - 1);
    n += snprintf(text + n, size - (size_t)n, end, layers);
    ck_assert_int_lt(n, (int)size);
}

#define CONV_PARAMETERS ", float[8, 8, 3, 3] w%1$d, float[8] g%1$d, float[8] b%1$d, float[8] m%1$d, float[8] v%1$d"
#define CONV_END        "p = GlobalAveragePool (a%d) o = Flatten (p) }"

static const struct net {
    const char *parameters, *inputs, *layer, *end;
    int layers, batch;
    double most; /* of the memory that a step takes where all is kept */
} nets[] = {
    { ", float[64, 64] w%1$d, float[64] b%1$d", "float[N, 64] a0, float[64, 8] u",
      "h%1$d = Gemm (a%2$d, w%1$d, b%1$d) a%1$d = Tanh (h%1$d)\n", "o = Gemm (a%d, u) }", 24, 512, .75 },
    /* running statistics, which must move once; channels last */
    { CONV_PARAMETERS, "float[N, 8, 12, 12] a0",
      "c%1$d = Conv <pads = [1, 1, 1, 1]> (a%2$d, w%1$d) n%1$d = BatchNormalization (c%1$d, g%1$d, b%1$d, m%1$d, "
      "v%1$d) "
      "a%1$d = Relu (n%1$d)\n",
      CONV_END, 12, 32, .65 },
    /* residual ways across the cuts, and random numbers */
    { CONV_PARAMETERS, "float[N, 8, 12, 12] a0",
      "c%1$d = Conv <pads = [1, 1, 1, 1]> (a%2$d, w%1$d) n%1$d = BatchNormalization (c%1$d, g%1$d, b%1$d, m%1$d, "
      "v%1$d) "
      "s%1$d = Sigmoid (n%1$d) d%1$d = Dropout (s%1$d, ratio) a%1$d = Add (d%1$d, a%2$d)\n",
      CONV_END, 12, 32, .7 },
    /* what has several outputs, a view, and what keeps a hidden output */
    { ", float[96, 32] w%1$d, float[32] g%1$d, float[32] b%1$d", "float[N, 96] a0, float[96, 8] u",
      "p%1$d, q%1$d, r%1$d = Split <axis = 1> (a%2$d) e%1$d = Exp (p%1$d) t%1$d = Concat <axis = 1> (e%1$d, q%1$d, "
      "r%1$d) "
      "h%1$d = MatMul (t%1$d, w%1$d) l%1$d = LayerNormalization (h%1$d, g%1$d, b%1$d) y%1$d = Softmax (l%1$d) a%1$d = "
      "Concat "
      "<axis = 1> (y%1$d, q%1$d, l%1$d)\n",
      "o = MatMul (a%d, u) }", 16, 256, .8 },
    /* subgraphs are not run again */
    { ", float[64, 64] w%1$d", "float[N, 64] a0, float[64, 8] u",
      "h%1$d = MatMul (a%2$d, w%1$d) t%1$d = Tanh (h%1$d) a%1$d = If (yes) <then_branch = t () => (float[N, 64] y) { y "
      "= Mul "
      "(t%1$d, t%1$d) }, else_branch = e () => (float[N, 64] z) { z = Neg (t%1$d) }>\n",
      "o = MatMul (a%d, u) }", 16, 64, 1 },
};
enum { NETS = sizeof nets / sizeof *nets, STEPS = 2 };

static struct trainer *train(const struct net *net, int threads, bool recompute)
{
    const struct trainer_options o = { .threads = threads, .optimizer = "sgd:momentum=0.9", .recompute = recompute };
    const struct initialise_options weights = { 0 };
    struct arena arena = { .budget = &budget };
    static char text[1 << 16];
    struct model *m, *drawn;
    struct trainer *t;
    struct tensor x, y;
    size_t count;
    float loss;

    write_net(text, sizeof text, net->parameters, net->inputs, net->layer, net->end, net->layers);
    m = model_read_bytes(text, strlen(text), NULL, &report);
    ok(m && model_build(m, &report));
    drawn = model_initialise(m, &weights, &count, &report);
    ok(drawn && model_build(drawn, &report));
    t = trainer_new(drawn, &o, &report);
    ok(t);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = net->batch;
    x.data = arena_alloc(&arena, (size_t)tensor_bytes(&x), &report);
    y.data = arena_alloc(&arena, (size_t)tensor_bytes(&y), &report);
    random_normal(x.data, tensor_count(&x), 1, 1, 0);
    if (y.dtype == F32)
        random_normal(y.data, tensor_count(&y), 1, 2, 0);
    for (int k = 0; k < STEPS; k++)
        ok(trainer_step(t, &x, &y, &loss, &report));
    arena_release(&arena);
    model_free(drawn);
    model_free(m);
    return t;
}

static int64_t arena_of(const struct trainer *t)
{
    return frame_program(t->latest->frame)->arena_bytes;
}

START_TEST(the_same_is_learned_with_less)
{
    const struct net *net = &nets[_i];
    struct trainer *kept = train(net, 1, false);

    for (int threads = 1; threads <= 3; threads += 2) {
        struct trainer *again = train(net, threads, true);

        ck_assert_uint_eq(kept->state_count, again->state_count);
        for (size_t k = 0; k < kept->state_count; k++)
            ck_assert_msg(memcmp(kept->states[k].value.data, again->states[k].value.data,
                                 (size_t)tensor_bytes(&kept->states[k].value)) == 0,
                          "%s differs", kept->states[k].parameter->value->name);
        if (threads == 1)
            ck_assert_msg((double)arena_of(again) <= net->most * (double)arena_of(kept), "%lld bytes of %lld",
                          (long long)arena_of(again), (long long)arena_of(kept));
        trainer_free(again);
    }
    trainer_free(kept);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("segments");

    add_tests(s, the_same_is_learned_with_less, NETS);
    return s;
}
