/* What the caller decides, what goes into the metadata and is read again, what a model may be like, and the proof. */
#include "adapting.h"
#include "learning.h"
#include "run/session.h"
#include "train/decided.h"
#include "train/trainer.h"

#define MEASURED "mean and variance measured, epsilon "
#define NAMED    ": BatchNormalization, Mul and Add (Keras on TensorFlow or JAX) (likely): "
#define BOTH                                                                                                           \
    "<float[3] a = {2,3,4}, float[3] c = {1,0,-1}, float[3] f = {0.999995,0.999995,0.999995}, float[3] k = "           \
    "{0.9995004,0.9995004,0.9995004}> "
#define OPEN  "g (float[N,3] x) => (float[N,3] y) " BOTH "{ "
#define LAYER "[\"l/batchnorm/mul_1\"] p = Mul (x, a) [\"l/batchnorm/add_1\"] y = Add (p, c) }"
#define ALONE HEAD OPEN LAYER
/* A layer that shows its epsilon, because it was never trained, before another one. */
#define SHOWN(by)                                                                                                      \
    HEAD OPEN "[\"f/batchnorm/mul_1\"] q = Mul (x, " by ") r = Relu (q) "                                              \
              "[\"l/batchnorm/mul_1\"] p = Mul (r, a) [\"l/batchnorm/add_1\"] y = Add (p, c) }"
#define FRESH "never trained: mean 0, variance 1, epsilon "
#define ONE   "BatchNormalization"
#define TWO   "BatchNormalization Relu BatchNormalization"

/* Single numbers that an exporter of PyTorch's has written. */
#define NUMBERS                                                                                                        \
    FROM("pytorch")                                                                                                    \
    "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float alpha = {2}, float gate = {3}>\n"             \
    "{ h = MatMul (x, w) [\"/Mul\"] a = Mul (h, alpha) [\"node_Mul\"] y = Mul (a, gate) }"

static const struct adapt_case options[] = {
    /* single numbers that may be learned */
    { .text = NUMBERS,
      .found = "alpha: a single number that is learned (likely): trains\n"
               "gate: a single number that may be learned (doubtful): nothing: it is constant (trainable: it trains)\n",
      .values = { { "alpha", "trainable", { 2 } }, { "gate", "constant", { 3 } } } },
    { .text = FROM("pytorch") "g (float[N,2] x) => (float[N,1] y) <float[2,1] w = {1,2}, float[1] b = {3}>\n"
                              "{ h = MatMul (x, w) [\"/Add\"] y = Add (h, b) }",
      .found = "",
      .values = { { "b", "trainable", { 3 } } } },
    { .text = NUMBERS,
      .as = "alpha=constant;gate=trainable",
      .found = "",
      .values = { { "alpha", "constant", { 2 } }, { "gate", "trainable", { 3 } } } },
    /* epsilon and momentum: given, of the framework, shown by another layer */
    { .text = ALONE,
      .o = { .epsilon = .25, .momentum = .5 },
      .found = "l" NAMED MEASURED "0.25\n",
      .ops = ONE,
      .epsilon = .25,
      .momentum = .5 },
    { .text = ALONE,
      .o.momentum = 1,
      .found = "l" NAMED MEASURED "0.001\n",
      .ops = ONE,
      .epsilon = 1e-3,
      .momentum = 1 },
    { .text = SHOWN("f"),
      .found = "f" NAMED FRESH "1e-05\n"
               "l" NAMED MEASURED "1e-05\n",
      .ops = TWO,
      .epsilon = 1e-5,
      .values = { { "f/gamma", "trainable", { 1, 1, 1 } }, { "f/moving_variance", "statistic", { 1, 1, 1 } } } },
    { .text = SHOWN("k"),
      .found = "f" NAMED FRESH "0.001\n"
               "l" NAMED MEASURED "0.001\n",
      .ops = TWO },
    { .text = SHOWN("f"),
      .o.epsilon = .25,
      .found = "f" NAMED FRESH "0.25\n"
               "l" NAMED MEASURED "0.25\n",
      .ops = TWO },
    { .text = ALONE, .o.epsilon = -1, .code = KILN_BAD_ARGUMENT, .says = "epsilon is -1, must" },
    { .text = ALONE, .o.epsilon = INFINITY, .code = KILN_BAD_ARGUMENT, .says = "must be 0, or from" },
    { .text = ALONE, .o.momentum = 1.5, .code = KILN_BAD_ARGUMENT, .says = "momentum 1.5" },
    { .text = ALONE, .o.momentum = NAN, .code = KILN_BAD_ARGUMENT, .says = "from 0 to 1" },
    { .text = ALONE, .o.classes = -1, .code = KILN_BAD_ARGUMENT, .says = "classes is -1" },
    /* what was never trained, and what was, as the caller says */
    { .text = ALONE,
      .blind = true,
      .as = "l=fresh",
      .found = "l" NAMED FRESH "0.001\n",
      .ops = ONE,
      .values = { { "l/beta", "trainable", { 1, 0, -1 } },
                  { "l/moving_mean", "statistic", { 0, 0, 0 } },
                  { "l/moving_variance", "statistic", { 1, 1, 1 } } } },
    { .text = SHOWN("f"),
      .as = "f=measured;l=fresh",
      .found = "f" NAMED MEASURED "0.001\n"
               "l" NAMED FRESH "0.001\n",
      .ops = TWO },
    /* without data */
    { .text = ALONE,
      .blind = true,
      .code = KILN_BAD_ARGUMENT,
      .says = "data must be given: the mean and the variance of BatchNormalization 'l' are not in the file" },
    { .text = SHOWN("a"),
      .blind = true,
      .code = KILN_BAD_ARGUMENT,
      .says = "BatchNormalization 'f' and others are not in the file" },
    { .text = SHOWN("f"),
      .blind = true,
      .code = KILN_BAD_ARGUMENT,
      .says = "BatchNormalization 'l' are not in the file" },
    { .text = SHOWN("f"),
      .blind = true,
      .as = "l=constant",
      .found = "f" NAMED FRESH "1e-05\n"
               "l: constants, as asked (likely): left as it is\n",
      .ops = "BatchNormalization Relu Mul Add",
      .values = { { "a", "constant", { NAN } }, { "c", "constant", { NAN } } } },
    /* choices */
    { .text = ALONE,
      .as = "l=scale-and-shift;l=batch-normalization",
      .found = "l" NAMED MEASURED "0.001\n",
      .ops = ONE },
    { .text = ALONE,
      .as = "*=batch-normalization;?=scale-and-shift",
      .found = "l: no BatchNormalization, as asked (likely): left as it is\n" },
    { .text = ALONE,
      .as = "l/batchnorm/mul_1=scale-and-shift",
      .found = "l: no BatchNormalization, as asked (likely): left as it is\n" },
    { .text = ALONE,
      .as = "l=folded",
      .code = KILN_BAD_ARGUMENT,
      .says = "'l' cannot be 'folded', must be batch-normalization, scale-and-shift, constant, fresh or measured" },
    { .text = ALONE,
      .as = "m=constant",
      .code = KILN_BAD_ARGUMENT,
      .says = "'m' names nothing of which something can be chosen" },
    { .text = ALONE, .as = "l=fresh;m=constant", .code = KILN_BAD_ARGUMENT, .says = "'m' names nothing" },
    /* what says that there was one, and is not known: alone it is an error */
    { .text = HEAD OPEN "s = Sigmoid (x) [\"l/batchnorm/mul_1\"] p = Mul (x, s) y = Add (p, s) }",
      .code = KILN_UNSUPPORTED,
      .says = "names say that there was BatchNormalization (1 layers), and nothing of it that is known was found" },
    { .text = HEAD OPEN "s = Sigmoid (x) [\"m/batchnorm/mul_1\"] q = Mul (x, s) [\"m/batchnorm/add_1\"] r = Add (q, s) "
                        "[\"l/batchnorm/mul_1\"] p = Mul (r, a) y = Add (p, c) }",
      .found = "m: BatchNormalization that was not recovered (doubtful): left as it is\n"
               "l" NAMED MEASURED "0.001\n",
      .ops = "Sigmoid Mul Add BatchNormalization" },
    /* roles */
    { .text = HEAD
      "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float[3] b = {1,2,3}, float two = {2}>\n"
      "{ h = MatMul (x, w) r = Add (h, b) y = Mul (r, two) }",
      .as = "w=frozen;b=constant",
      .found = "",
      .values = { { "w", "frozen", { NAN } }, { "b", "constant", { NAN } }, { "two", "constant", { NAN } } } },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float two = {2}>\n"
                   "{ h = MatMul (x, w) y = Mul (h, two) }",
      .as = "*=frozen;two=constant",
      .found = "",
      .values = { { "w", "frozen", { NAN } }, { "two", "constant", { NAN } } } },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float two = {2}>\n"
                   "{ h = MatMul (x, w) y = Mul (h, two) }",
      .as = "two=trainable", /* a number, where others are learned */
      .found = "",
      .values = { { "two", "trainable", { 2 } } } },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float low = {2}>\n"
                   "{ h = MatMul (x, w) y = Max (h, low) }",
      .as = "low=trainable",
      .code = KILN_BAD_ARGUMENT,
      .says = "'low' cannot be 'trainable', must be constant" },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] s = {1,2,3}, float[3] v = {1,1,2}> { y = "
                   "BatchNormalization (x, s, s, s, v) }",
      .as = "v=trainable",
      .code = KILN_BAD_ARGUMENT,
      .says = "'v' cannot be 'trainable', must be frozen or constant" },
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}> { y = MatMul (x, w) }",
      .as = "w=learned",
      .code = KILN_BAD_ARGUMENT,
      .says = "'w' cannot be 'learned', must be trainable, frozen or constant" },
    /* what the file decided stays, unless the caller knows better */
    { .text = "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"kiln.role.w\": \"frozen\", "
              "\"kiln.role.b\": \"constant\"]>\n"
              "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float[3] b = {1,2,3}> { h = "
              "MatMul (x, w) y = Add (h, b) }",
      .found = "",
      .values = { { "w", "frozen", { NAN } }, { "b", "constant", { NAN } } } },
    { .text = "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"kiln.role.w\": \"frozen\", "
              "\"kiln.role.b\": \"constant\"]>\n"
              "g (float[N,3] x) => (float[N,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float[3] b = {1,2,3}> { h = "
              "MatMul (x, w) y = Add (h, b) }",
      .as = "?=trainable",
      .found = "",
      .values = { { "w", "trainable", { NAN } }, { "b", "trainable", { NAN } } } },
};

START_TEST(the_caller_decides)
{
    expect_case(&options[_i]);
}
END_TEST

/* -- inputs of all kinds -- */

#define PAIR "[\"l/batchnorm/mul_1\"] p = Mul (h, a) y = Add (p, c) }"
#define ARMS "<float[3] a = {2,3,4}, float[3] c = {1,0,-1}, float[3,3] w = {1,2,3,4,5,6,7,8,9}> { "

/* Four samples of three numbers. */
static float four_x[4][3] = { { 1, 2, 3 }, { 4, 6, 8 }, { 0, 1, 0 }, { 3, 3, 3 } };
static int64_t four_y[4] = { 0, 1, 2, 0 };
static struct column four_columns[2] = {
    { .values = { .dtype = F32, .rank = 2, .dims = { 4, 3 }, .data = (void *)four_x } },
    { .values = { .dtype = I64, .rank = 1, .dims = { 4 }, .data = (void *)four_y }, .classes = 3 },
};
static const struct dataset four = {
    .x = four_columns, .y = four_columns + 1, .inputs = 1, .targets = 1, .count = 4, .budget = &budget
};

#define SEQUENCE HEAD "g (seq(float[N,3]) x) => (float[N,3] y) <int64 i = {0}> { y = SequenceAt (x, i) }"

static const struct adapt_case inputs[] = {
    /* several, and of integers that are places in a table */
    { .text = HEAD "g (float[N,3] x, float[N,3] z) => (float[N,3] y) " ARMS "h = Max (x, z) " PAIR,
      .found = "l" NAMED MEASURED "0.001\n",
      .ops = "Max BatchNormalization" },
    { .text = HEAD "g (float[N,3] x, float[N,3] z) => (float[N,3] y) " ARMS "h = Max (x, z) " PAIR,
      .blind = true,
      .as = "l=fresh",
      .found = "l" NAMED FRESH "0.001\n",
      .ops = "Max BatchNormalization" },
    { .text = HEAD "g (int64[N] x) => (float[N,3] y) " ARMS "h = Gather (w, x) " PAIR,
      .found = "l" NAMED MEASURED "0.001\n",
      .ops = "Gather BatchNormalization" },
    { .text = HEAD "g (int32[N] x) => (float[N,3] y) " ARMS "h = Gather (w, x) " PAIR,
      .blind = true,
      .as = "l=fresh",
      .found = "l" NAMED FRESH "0.001\n",
      .ops = "Gather BatchNormalization" },
    { .text = HEAD "g (bool[N,3] x) => (float[N,3] y) " ARMS "h = Cast <to = 1> (x) " PAIR,
      .blind = true,
      .as = "l=fresh",
      .found = "l" NAMED FRESH "0.001\n",
      .ops = "Cast BatchNormalization" },
    /* open dimensions; one that nothing reads stays the file's */
    { .text = HEAD "g (float[N,T,3] h) => (float[N,T,3] y) " ARMS PAIR,
      .blind = true,
      .as = "l=fresh",
      .found = "h: open dimensions (certain): were taken as 1, with which the network can be planned\n"
               "l" NAMED FRESH "0.001\n",
      .ops = "Transpose BatchNormalization Transpose" },
    { .text = HEAD "g (float[N,3] h, string[7] m) => (float[N,3] y) " ARMS PAIR,
      .blind = true,
      .as = "l=fresh",
      .found = "l" NAMED FRESH "0.001\n",
      .ops = "BatchNormalization" },
    { .text =
          "<ir_version: 3, opset_import: [\"\": 9]> g (float[N,3] x, float[5] m) => (float[N,3] y) { y = Relu (x) }",
      .blind = true,
      .found = "" },
    /* none that numbers can be made up for */
    { .text = HEAD "g (string[N] x) => (string[N] y) { y = Identity (x) }",
      .blind = true,
      .code = KILN_BAD_ARGUMENT,
      .says = "input 'x' is no tensor of numbers that can be made up" },
    { .text = SEQUENCE, .blind = true, .code = KILN_BAD_ARGUMENT, .says = "input 'x' is no tensor of numbers" },
    { .text = SEQUENCE,
      .o.data = &four,
      .code = KILN_UNSUPPORTED,
      .says = "input 'x' is seq(float[?]), must be a tensor with samples" },
    { .text = HEAD "g (float[] x) => (float[] y) { y = Relu (x) }",
      .blind = true,
      .code = KILN_BAD_ARGUMENT,
      .says = "input 'x' is no tensor of numbers" },
    { .text = HEAD "g (float[] x) => (float[] y) { y = Relu (x) }",
      .o.data = &four,
      .code = KILN_UNSUPPORTED,
      .says = "must be a tensor with samples" },
    { .text = HEAD "g (float x) => (float y) { y = Relu (x) }",
      .blind = true,
      .code = KILN_BAD_ARGUMENT,
      .says = "input 'x' is a single number, and none of each sample: --set gives it a value" },
    { .text = HEAD "g (float x) => (float y) { y = Relu (x) }",
      .o.data = &four,
      .code = KILN_UNSUPPORTED,
      .says = "input 'x' is float[], must be a tensor with samples to be adapted: --set gives it a value" },
    { .text = HEAD "g (float[N,100000,100000] x) => (float[N,100000,100000] y) { y = Relu (x) }",
      .blind = true,
      .code = KILN_LIMIT,
      .says = "input 'x' is too big to be made up" },
    { .text = HEAD "g () => (float[3] y) <float[3] a = {1,2,3}> { y = Relu (a) }",
      .blind = true,
      .code = KILN_BAD_MODEL,
      .says = "the model has no inputs" },
};

START_TEST(inputs_may_be_anything)
{
    expect_case(&inputs[_i]);
}
END_TEST

/* A text has no place for that. */
START_TEST(an_input_without_a_type_is_named)
{
    struct model *m = model_read_bytes(ALONE, strlen(ALONE), NULL, &report);

    expect_ok(m);
    message_free(m->proto->graph->input[0]->type, &m->budget);
    m->proto->graph->input[0]->type = NULL;
    expect_ok(model_build(m, &report));
    ck_assert_ptr_null(adapt_over(m, (struct adapt_options){ 0 }, true));
    expect_error(KILN_BAD_ARGUMENT, "no tensor of numbers that can be made up");
    arena_release(&arena);
    ck_assert_ptr_null(adapt_over(m, (struct adapt_options){ .data = &four }, false));
    expect_error(KILN_UNSUPPORTED, "input 'x' is of no type, must be a tensor with samples to be adapted");
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* -- inputs that nothing reads -- */

START_TEST(an_input_that_nothing_reads_need_not_be_given)
{
    static const struct {
        const char *text;
        size_t inputs, defaults;
    } cases[] = {
        { HEAD "g (float[N,3] x, float[3] m) => (float[N,3] y) { y = Relu (x) }", 1, 1 },
        { HEAD "g (float[3] m, float[N,3] x) => (float[N,3] y) { y = Relu (x) }", 1, 1 },
        { HEAD "g (float[3] m, float[N,3] x) => (float[N,3] y, float[3] m) { y = Relu (x) }", 2, 0 },
        { HEAD "g (float[N,3] x, bool c, float[3] m) => (float[N,3] y)\n"
               "{ y = If (c) <then_branch = t () => (float[N,3] r) { r = Add (x, m) }, else_branch = e () => "
               "(float[N,3] q) { q = Neg (x) }> }",
          3, 0 },
        { HEAD "g (float[N,3] x, float[3] m, float[3] n) => (float[N,3] y) <float[3] n = {1,2,3}> { y = Add (x, n) }",
          1, 2 },
    };
    const struct session_options o = { .threads = 1 };
    float x[3] = { -1, 2, 3 };
    struct tensor t = { .dtype = F32, .rank = 2, .dims = { 1, 3 }, .data = x };
    struct model *m = model_of(cases[_i].text);
    struct session *s;

    ck_assert_uint_eq(m->graph->input_count, cases[_i].inputs);
    ck_assert_uint_eq(m->default_count, cases[_i].defaults);
    if (cases[_i].inputs == 1) {
        ck_assert_str_eq(m->graph->inputs[0]->name, "x");
        s = session_new(m->graph, &o, &report);
        expect_ok(s && session_set(s, m->graph->inputs[0], &t, &report) && session_run(s, &report));
        ck_assert_float_eq(((const float *)session_output(s, 0)->data)[1], _i == 4 ? 4 : 2);
        session_free(s);
    }
    model_free(m);
}
END_TEST

/* -- what was decided -- */

#define NET                                                                                                            \
    "g (float[N,3] x) => (float[N,3] y)\n"                                                                             \
    "<float[3,3] \"fc1.weight\" = {1,2,3,4,5,6,7,8,9}, float[3] \"fc1.bias\" = {1,2,3}, float[3,3] u = "               \
    "{9,8,7,6,5,4,3,2,1},\n float two = {2}, float low = {-9}, float[3] s = {1,1,1}, float[3] v = {1,1,1}>\n"          \
    "{ h = MatMul (x, \"fc1.weight\") q = Add (h, \"fc1.bias\") n = BatchNormalization (q, s, s, v, v) t = Mul (n, "   \
    "two)\n"                                                                                                           \
    "  [\"fc2/MatMul\"] z = MatMul (t, u) y = Softmax (z) }"
#define SAYING(metadata) "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [" metadata "]>\n" NET

/* "NAME role why" of what a pattern or the file says. */
static const struct {
    const char *text, *train, *freeze; /* a pattern; NULL */
    const char *name, *role, *why;     /* role: NULL where that is an error, which says this */
} decisions[] = {
    { SAYING("\"kiln.role.u\": \"frozen\""), NULL, NULL, "u", "frozen", "the file says so" },
    { SAYING("\"kiln.role.u\": \"constant\""), NULL, NULL, "u", "constant", "the file says so" },
    { SAYING("\"kiln.role.u\": \"trainable\""), NULL, NULL, "u", "trainable", "weight of MatMul" },
    { SAYING("\"kiln.role.u\": \"frozen\", \"kiln.role.u\": \"trainable\""), NULL, NULL, "u", "frozen",
      "the file says so" }, /* the first */
    { SAYING("\"kiln.role.v\": \"frozen\""), NULL, NULL, "v", "statistic", "" },
    { SAYING("\"kiln.role.v\": \"constant\""), NULL, NULL, "v", "constant", "the file says so" },
    { SAYING("\"kiln.role.two\": \"constant\""), NULL, NULL, "two", "constant", "the file says so" },
    { SAYING("\"kiln.role.two\": \"trainable\""), NULL, NULL, "two", "trainable", "factor of Mul" },
    { SAYING("\"kiln.role.none\": \"frozen\""), NULL, NULL, "u", "trainable", "weight of MatMul" },
    { SAYING("\"kiln.role.low\": \"trainable\""), NULL, NULL, NULL, NULL,
      "metadata 'kiln.role.low' are 'trainable', must be constant: nothing is learned where it is read" },
    { SAYING("\"kiln.role.v\": \"trainable\""), NULL, NULL, NULL, NULL, "must be constant: nothing is learned" },
    { SAYING("\"kiln.role.u\": \"nonsense\""), NULL, NULL, NULL, NULL,
      "'nonsense', must be trainable, frozen or constant" },
    { SAYING("\"kiln.role.u\": \"statistic\""), NULL, NULL, NULL, NULL,
      "'statistic', must be trainable, frozen or constant" },
    /* --trainable goes before what the file has frozen, not before what it says to be a constant */
    { SAYING("\"kiln.role.u\": \"frozen\""), "u", NULL, "u", "trainable", "as asked" },
    { SAYING("\"kiln.role.u\": \"frozen\""), "u", NULL, "fc1.bias", "frozen", "not among those that are to train" },
    { SAYING("\"kiln.role.u\": \"constant\""), "u", NULL, NULL, NULL, "'u' names no trainable parameter" },
    { SAYING("\"kiln.role.u\": \"frozen\""), "fc1*", NULL, "u", "frozen", "the file says so" },
    { SAYING("\"kiln.role.u\": \"frozen\""), NULL, "u", "u", "frozen", "frozen by 'u'" },
    /* by the name of the layer */
    { SAYING("\"kiln.layer.u\": \"top\""), "top", NULL, "u", "trainable", "weight of MatMul" },
    { SAYING("\"kiln.layer.u\": \"top\""), NULL, "t?p", "u", "frozen", "frozen by 't?p'" },
    { SAYING("\"kiln.layer.u\": \"top\""), NULL, "t?p", "fc1.weight", "trainable", "weight of MatMul" },
};

START_TEST(what_the_file_says_is_read)
{
    struct model *m = model_of(decisions[_i].text);
    const struct parameter_patterns q = { .train = &decisions[_i].train,
                                          .trains = decisions[_i].train != NULL,
                                          .freeze = &decisions[_i].freeze,
                                          .freezes = decisions[_i].freeze != NULL };
    struct parameters p;
    bool found;

    arena = (struct arena){ .budget = &budget };
    found = parameters_find(&p, m, &q, &arena, &report);
    if (!decisions[_i].role) {
        ck_assert(!found);
        expect_error(decisions[_i].train ? KILN_BAD_ARGUMENT : KILN_BAD_MODEL, decisions[_i].why);
    } else {
        expect_ok(found);
        ck_assert_str_eq(role_name(parameter_of(&p, decisions[_i].name)->role), decisions[_i].role);
        ck_assert(!*decisions[_i].why || strcmp(parameter_of(&p, decisions[_i].name)->why, decisions[_i].why) == 0);
    }
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* What training takes: the loss, and roles that keep values where they are. */
START_TEST(a_trainer_keeps_to_it)
{
    static const struct {
        const char *text, *loss, *want; /* want: an error where it is none of the losses */
    } cases[] = {
        { HEAD NET, NULL, "categorical_crossentropy" },
        { SAYING("\"kiln.loss.y\": \"mean_squared_error\""), NULL, "mean_squared_error" },
        { SAYING("\"kiln.loss.y\": \"mean_squared_error\""), "categorical_crossentropy", "categorical_crossentropy" },
        { SAYING("\"kiln.loss.z\": \"mean_squared_error\""), NULL, "categorical_crossentropy" },
        { SAYING("\"kiln.loss.y\": \"beauty\""), NULL, "loss 'beauty' is unknown" },
    };
    float x[2][3] = { { 1, 2, 3 }, { 3, 1, 0 } };
    struct tensor tx = { .dtype = F32, .rank = 2, .dims = { 2, 3 }, .data = (void *)x };
    struct model *m = model_of(cases[_i].text);
    const struct trainer_options o = { .threads = 1,
                                       .x = &tx,
                                       TARGET(.form = TARGETS_CLASSES, .classes = 3, .loss = cases[_i].loss) };
    struct trainer *t = trainer_new(m, &o, &report);

    if (_i == 4) {
        ck_assert_ptr_null(t);
        expect_error(KILN_BAD_ARGUMENT, cases[_i].want);
    } else {
        expect_ok(t);
        ck_assert_msg(strstr(t->targets[0].loss.def->row.name, cases[_i].want), "%s", t->targets[0].loss.def->row.name);
        ck_assert(_i != 1 || strcmp(t->targets[0].loss.said, "mean_squared_error, says the file (kiln.loss.y)") == 0);
    }
    trainer_free(t);
    model_free(m);
}
END_TEST

/* Labels that the numbers of an output are too few for: of such that tell nothing by themselves, nothing is decided. */
START_TEST(labels_must_fit_to_decide)
{
    static const char scores[] = HEAD "g (float[N,3] x) => (float[N,3] y) <float[3] a = {1,2,3}> { y = Mul (x, a) }";
    static const char rows[] = HEAD "g (float[N,3] x) => (float[N,3] y) { y = Softmax (x) }";
    static const char units[] = HEAD "g (float[N,3] x) => (float[N,3] y) { y = Sigmoid (x) }";
    static const char number[] =
        HEAD "g (float[N,3] x) => (float[N,1] y) <float[3,1] a = {1,2,3}> { y = MatMul (x, a) }";
    static const struct {
        const char *text;
        int classes;
        int64_t least, each; /* labels of a sample */
        const char *want, *evidence;
    } cases[] = {
        { scores, 3, 0, 1, "sparse_categorical_crossentropy:from_logits=true", "the labels are classes" },
        { scores, 2, 0, 1, "sparse_categorical_crossentropy:from_logits=true", "the labels are classes" },
        { scores, 4, 1, 1, NULL, "labels go from 1 to 3, it has 3 numbers for a label: these begin at 1" },
        { scores, 5, 0, 1, NULL, "labels go from 0 to 4, it has 3 numbers for a label" },
        { scores, 9, 0, 2, NULL, "2 labels of a sample, it has 3 numbers" },
        { scores, 9, 0, 3, "mean_squared_error", "nothing tells" },
        /* what the model ends in decides all the same, and the labels are told of */
        { rows, 3, 0, 1, "sparse_categorical_crossentropy", "ends in Softmax" },
        { rows, 4, 1, 1, "sparse_categorical_crossentropy",
          "labels go from 1 to 3, it has 3 numbers for a label: these begin at 1" },
        { rows, 9, 0, 1, "sparse_categorical_crossentropy", "labels go from 0 to 8, it has 3 numbers for a label" },
        { rows, 9, 0, 2, "sparse_categorical_crossentropy", "2 labels of a sample, it has 3 numbers" },
        { rows, 0, 0, 1, "categorical_crossentropy", "1 number of a sample is to be predicted, it has 3" },
        { rows, 0, 0, 3, "categorical_crossentropy", "not all that is to be predicted lies between 0 and 1" },
        { units, 3, 0, 1, "binary_crossentropy", "ends in Sigmoid" },
        { units, 2, 0, 3, "binary_crossentropy", "ends in Sigmoid" },
        { units, 5, 0, 1, "binary_crossentropy", "labels go from 0 to 4, it has 3 numbers for a label" },
        { units, 3, 1, 3, "binary_crossentropy",
          "labels go from 1 to 2, a number of it tells 2 apart: these begin at 1" },
        { units, 0, 0, 3, "binary_crossentropy", "not all that is to be predicted lies between 0 and 1" },
        { number, 5, 1, 1, "mean_squared_error", "nothing tells" },
        { scores, 0, 0, 1, NULL, "1 number of a sample is to be predicted, it has 3" },
        { scores, 0, 0, 3, "mean_squared_error", "nothing tells" },
    };
    int64_t labels[12] = { 0 };
    float numbers[12] = { -1, 2 };
    struct column columns[2] = { four_columns[0],
                                 { .values = { .dtype = I64, .rank = 2, .dims = { 4, cases[_i].each }, .data = labels },
                                   .classes = cases[_i].classes,
                                   .least = cases[_i].least } };
    const struct dataset d = {
        .x = columns, .y = columns + 1, .inputs = 1, .targets = 1, .count = 4, .budget = &budget
    };
    struct model *m = model_of(cases[_i].text), *made;
    bool told = false, misfit = false;
    const char *loss;

    columns[1].values.rank = cases[_i].each > 1 ? 2 : 1;
    if (!cases[_i].classes) {
        columns[1].values.dtype = F32;
        columns[1].values.data = numbers;
    }
    made = adapt_over(m, (struct adapt_options){ .data = &d }, false);
    expect_ok(made);
    loss = decided_once(made, "kiln.loss.", "y");
    ck_assert_msg(cases[_i].want ? loss && strcmp(loss, cases[_i].want) == 0 : !loss, "%s", loss ? loss : "none");
    for (size_t k = 0; k < got.findings.count; k++) {
        const struct finding *f = &got.findings.at[k];

        told |= strstr(f->evidence, cases[_i].evidence) != NULL;
        misfit |= strcmp(f->found, "labels that it does not fit") == 0;
        if (strcmp(f->found, "labels that it does not fit") == 0)
            ck_assert_msg(strstr(f->done, cases[_i].want ? ", because the model ends in S" : "no loss is written"),
                          "%s", f->done);
    }
    ck_assert(told);
    ck_assert(misfit == !(strstr(cases[_i].evidence, "ends in") || strstr(cases[_i].evidence, "nothing tells") ||
                          strstr(cases[_i].evidence, "are classes")));
    arena_release(&arena);
    model_free(made);
    model_free(m);
}
END_TEST

/* All of it is written, with the layers that names tell. */
START_TEST(decisions_are_written)
{
    static const char *const want[][2] = {
        { "kiln.role.fc1.weight", "frozen" },
        { "kiln.layer.fc1.weight", "fc1" },
        { "kiln.role.fc1.bias", "trainable" },
        { "kiln.layer.fc1.bias", "fc1" },
        { "kiln.role.u", "trainable" },
        { "kiln.layer.u", "fc2" },
        { "kiln.role.two", "constant" },
        { "kiln.role.s", "trainable" },
        { "kiln.role.v", "statistic" },
        { "kiln.loss.y", "categorical_crossentropy" },
        { "mine", "stays" },
    };
    const struct adapt_choice choice = { "fc1.weight", "frozen" };
    struct model *m = model_of(SAYING("\"mine\": \"stays\", \"kiln.role.two\": \"constant\"")), *made;

    made = adapt_over(m, (struct adapt_options){ .data = &four, .choices = &choice, .choice_count = 1 }, false);
    expect_ok(made);
    for (int k = 0; k < COUNT(want); k++) {
        const char *value = decided_once(made, want[k][0], "");

        ck_assert_msg(value && strstr(value, want[k][1]), "%s is '%s'", want[k][0], value ? value : "");
    }
    for (size_t k = 0; k < made->proto->n_metadata_props; k++) /* no key stands twice */
        for (size_t j = 0; j < k; j++)
            ck_assert_str_ne(made->proto->metadata_props[k]->key, made->proto->metadata_props[j]->key);
    ck_assert_str_eq(got.findings.at[got.findings.count - 1].found, "15 numbers that train");
    ck_assert_str_eq(got.findings.at[got.findings.count - 1].done,
                     "3 initializers trainable, 1 statistics, 1 frozen, 2 constant");
    arena_release(&arena);
    model_free(made);
    model_free(m);
}
END_TEST

/* -- the proof -- */

#define DOUBLED "{ h = Relu (x) k = Add (h, h) l = Neg (k) y = Tanh (l) }"

/* The first node that makes something else; of what has no name in the other model nothing is told. */
START_TEST(the_first_node_that_differs_is_named)
{
    static const struct {
        const char *other;
        int first; /* of the nodes of DOUBLED; -1: none */
    } cases[] = {
        { DOUBLED, -1 },
        { "{ h = Relu (x) k = Mul (h, h) l = Neg (k) y = Tanh (l) }", 1 },
        { "{ h = Relu (x) k = Add (h, h) l = Exp (k) y = Tanh (l) }", 2 },
        { "{ h = Relu (x) i = Mul (h, h) l = Neg (i) y = Tanh (l) }", 2 },
        { "{ h = Relu (x) k = Add (h, h) l = Neg (k) y = Exp (l) }", 3 },
        { "{ h = Exp (x) k = Add (h, h) l = Neg (k) y = Tanh (l) }", 0 },
    };
    float x[2][2] = { { 1, 3 }, { 5, 4 } };
    const int64_t y[2] = { 0, 1 };
    struct tensor tx = { .dtype = F32, .rank = 2, .dims = { 2, 2 }, .data = (void *)x };
    struct tensor ty = { .dtype = I64, .rank = 1, .dims = { 2 }, .data = (void *)(uintptr_t)y };
    struct two_columns columns;
    struct dataset d = dataset_of(&columns, &tx, &ty, 2, &budget);
    const struct calibration c = { .data = &d, .threads = 1 };
    const struct node *first;
    struct model *m = model_of(HEAD "g (float[N,2] x) => (float[N,2] y) " DOUBLED), *other;
    char text[200];

    snprintf(text, sizeof text, HEAD "g (float[N,2] x) => (float[N,2] y) %s", cases[_i].other);
    other = model_of(text);
    arena = (struct arena){ .budget = &budget };
    first = compare_nodes(m, other, &c, 1e-5, &arena, &report);
    ck_assert(!failed(&report));
    ck_assert(first == (cases[_i].first < 0 ? NULL : m->graph->nodes[cases[_i].first]));
    arena_release(&arena);
    model_free(other);
    model_free(m);
}
END_TEST

/* -- Dropout that is not there -- */

/* Numbers that are drawn may be Dropout: nobody has left it out. */
START_TEST(what_draws_is_not_without_dropout)
{
    static const struct {
        const char *text;
        bool none;
    } cases[] = {
        { HEAD "g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }", true },
        { HEAD "g (float[N,3] x) => (float[N,3] y) { y = Dropout (x) }", false },
        { HEAD "g (float[N,3] x) => (float[N,3] y) { r = RandomUniformLike (x) y = Add (x, r) }", false },
    };
    struct model *m = model_of(cases[_i].text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    size_t none = 0;

    expect_ok(made);
    for (size_t k = 0; k < got.findings.count; k++)
        none += strcmp(got.findings.at[k].found, "no Dropout") == 0;
    ck_assert_uint_eq(none, cases[_i].none);
    model_free(made);
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* -- numbers that are made up -- */

START_TEST(samples_are_drawn)
{
    enum { N = 2500 };
    static const enum dtype types[] = { F32, F64, F16, BF16, I64, I8, U8, I32, U64 };
    const enum dtype d = types[_i];
    double first[N], sum = 0;
    _Alignas(16) char data[8 * N];

    for (int round = 0; round < 3; round++) { /* the last one in another stream */
        elements_draw(d, data, N, 1, round / 2);
        for (int k = 0; k < N; k++) {
            const double x = element_getter(d)(data, k);

            ck_assert(x >= 0 && (dtype_is_float(d) ? x <= 1 : x == 0 || x == 1));
            if (!round)
                sum += first[k] = x;
            else if (round == 1)
                ck_assert(first[k] == x);
            else
                sum -= fabs(first[k] - x) > 0; /* elements that are not the same */
        }
        if (!round)
            ck_assert(sum > .45 * N && sum < .55 * N);
    }
    ck_assert(sum < .1 * N);
    ck_assert(memcmp(first, first + 1024, 64 * sizeof *first) != 0); /* blocks are not the same */
}
END_TEST

START_TEST(what_is_no_number_stays)
{
    bool flags[4] = { true, false, true, false };

    elements_draw(BOOL, flags, 4, 1, 0);
    ck_assert(flags[0] && !flags[1] && flags[2] && !flags[3]);
}
END_TEST

/* -- what is not read any more -- */

START_TEST(what_was_read_by_what_is_gone_goes)
{
    static const char text[] =
        "<ir_version: 3, opset_import: [\"\": 9]>\n"
        "g (float[N,3] x, float[3] a, float[3] o) => (float[N,3] y)\n"
        "<float[3] a = {1,2,3}, float[3] b = {1,2,3}, float[3] c = {1,2,3}, float[3] o = {1,2,3}>\n"
        "{ p = Mul (a, b) q = Add (p, c) r = Relu (c) s, t = Split <axis = 0, split = [1,2]> (q) u = Neg (o)\n"
        "  z = Mul (x, s) e = Exp (r) y = Relu (x) }";
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct edit e;

    expect_ok(m && edit_begin(&e, m, &report));
    edit_drop_node(&e, 5); /* z */
    edit_drop_unread(&e);
    expect_ok(edit_end(&e));
    expect_ops(m, "Relu Neg Exp Relu"); /* what nothing read before stays */
    ck_assert_uint_eq(m->proto->graph->n_initializer, 2);
    ck_assert_str_eq(m->proto->graph->initializer[0]->name, "c");
    ck_assert_str_eq(m->proto->graph->initializer[1]->name, "o");
    ck_assert_uint_eq(m->proto->graph->n_input, 2); /* a was one, too */
    expect_ok(model_build(m, &report));
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_decisions");

    add_tests(s, the_caller_decides, COUNT(options));
    add_tests(s, inputs_may_be_anything, COUNT(inputs));
    add_test(s, an_input_without_a_type_is_named);
    add_tests(s, an_input_that_nothing_reads_need_not_be_given, 5);
    add_tests(s, what_the_file_says_is_read, COUNT(decisions));
    add_tests(s, a_trainer_keeps_to_it, 5);
    add_tests(s, labels_must_fit_to_decide, 20);
    add_test(s, decisions_are_written);
    add_tests(s, the_first_node_that_differs_is_named, 6);
    add_tests(s, what_draws_is_not_without_dropout, 3);
    add_tests(s, samples_are_drawn, 9);
    add_test(s, what_is_no_number_stays);
    add_test(s, what_was_read_by_what_is_gone_goes);
    return s;
}
