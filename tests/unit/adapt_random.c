/* Random numbers of other forms than one of a float for each value: types, shapes, and noise. */
#include "inferring.h"

static struct adapt_choice choice;
static struct refused refused[1];
static bool used[1];

/* As asked: "NAME=CHOICE", or NULL. */
static bool adapted_as(const char *name, const char *as)
{
    choice = (struct adapt_choice){ name, as };
    t.options.choices = &choice;
    t.options.choice_count = as != NULL;
    t.out = (struct adapted){ .findings.arena = &t.arena };
    t.adapt = (struct adapt){ .options = &t.options,
                              .model = t.file,
                              .reference = t.file,
                              .calibration = { .data = &t.data, .threads = 1 },
                              .out = &t.out,
                              .arena = &t.arena,
                              .report = &report,
                              .refused = refused,
                              .used = used };
    return adapt_inference(&t.adapt);
}

static void begin_graph(int opset, const char *graph)
{
    char text[2000];

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": %d]>\n%s", opset, graph);
    begin(text);
}

/* -- Dropout -- */

#define WIDE(type, one, quarter, factor)                                                                               \
    "g (" type "[N,3] x) => (" type "[N,3] y) <" type " rate = {" quarter "}, " type " factor = {" factor "}>\n"       \
    "{ u = RandomUniformLike (x) g = GreaterOrEqual (u, rate) c = Cast <to = " one "> (g) m = Mul (x, factor)\n"       \
    "  y = Mul (m, c) }"
#define FIXED(nodes)                                                                                                   \
    "g (float[2,3,2] x) => (float[2,3,2] y) <float rate = {0.25}, float factor = {1.3333334}>\n"                       \
    "{ m = Mul (x, factor) " nodes " y = Mul (m, c) }"
#define TURN(u, t) t " = Transpose <perm = [0,2,1]> (" u ") "
#define MASK(u)    "g = GreaterOrEqual (" u ", rate) c = Cast <to = 1> (g)"

static const struct {
    const char *graph;
    enum dtype type; /* of the ones that are spread; UNDEFINED: a number counts for one value */
    int64_t dims[3]; /* of these, where they are a constant */
    const char *why_not;
} dropouts[] = {
    { WIDE("double", "11", "0.25", "1.3333333333333333"), UNDEFINED, { 0 }, NULL },
    { WIDE("float16", "10", "13312", "15701"), UNDEFINED, { 0 }, NULL },
    /* more probabilities than planning keeps */
    { "g (float[N,3000,1000] x) => (float[N,3000,1000] y) <float keep = {0.75}>\n"
      "{ k = Shape (x) l = ConstantOfShape <value = float[1] {0.75}> (k) u = Bernoulli (l) p = Mul (x, u)\n"
      "  y = Div (p, keep) }",
      UNDEFINED,
      { 0 },
      NULL },
    { "g (float[N,3000,1000] x) => (float[N,3000,1000] y) <float keep = {0.75}>\n"
      "{ k = Shape (x) l = Expand (keep, k) u = Bernoulli (l) p = Mul (x, u) y = Div (p, keep) }",
      UNDEFINED,
      { 0 },
      NULL },
    /* of a batch that is fixed: one number for each value, one for each channel, turned */
    { FIXED("u = RandomUniform <shape = [2,3,2]> () " MASK("u")), UNDEFINED, { 0 }, NULL },
    { FIXED("u = RandomUniform <shape = [2,3,1]> () " MASK("u")), F32, { 2, 3, 1 }, NULL },
    { FIXED("u = RandomUniform <shape = [2,1,3]> () " TURN("u", "t") MASK("t")), F32, { 2, 3, 1 }, NULL },
    { FIXED("u = RandomUniform <shape = [2,2,3]> () " TURN("u", "t") MASK("t")), UNDEFINED, { 0 }, NULL },
    { FIXED(
          "u = RandomUniform <shape = [2,2,3]> () g = GreaterOrEqual (u, rate) d = Cast <to = 1> (g) " TURN("d", "c")),
      UNDEFINED,
      { 0 },
      NULL },
    { FIXED("l = Constant <value = float[2,1,3] {1,1,1,1,1,1}> () u = RandomUniformLike (l) " TURN("u", "t") MASK("t")),
      UNDEFINED,
      { 0 },
      "turned before" },
    { FIXED("u = RandomUniform <shape = [2,3,2], high = 2.0> () " MASK("u")), UNDEFINED, { 0 }, "not known" },
    { FIXED("u = RandomUniform <shape = [2,3,2], low = -1.0> () " MASK("u")), UNDEFINED, { 0 }, "not known" },
};

START_TEST(dropout_is_found_in_any_form)
{
    const struct node *n;

    begin_graph(20, dropouts[_i].graph);
    expect_ok(adapted_as(NULL, NULL));
    ck_assert_uint_eq(t.out.findings.count, 1);
    if (dropouts[_i].why_not) {
        ck_assert_ptr_nonnull(strstr(t.out.findings.at[0].evidence, dropouts[_i].why_not));
        ck_assert_ptr_eq(t.adapt.model, t.file);
    } else {
        n = nth_node(t.adapt.model, &op_dropout, 0);
        ck_assert_float_eq_tol(*(const float *)n->in[1]->initializer->data, .25F, 1e-3F);
        ck_assert((n->in[0]->initializer != NULL) == (dropouts[_i].type != UNDEFINED));
        for (int d = 0; d < 3 && n->in[0]->initializer; d++)
            ck_assert_int_eq(n->in[0]->initializer->dims[d], dropouts[_i].dims[d]);
        ck_assert_int_eq(nodes_of(t.adapt.model, &op_random_uniform) + nodes_of(t.adapt.model, &op_random_uniform_like),
                         0);
    }
    end();
}
END_TEST

/* -- what is known, and has no operator -- */

#define ALPHA  "AlphaDropout, written out in training mode"
#define GUMBEL "noise of Gumbel's distribution"
#define UNIT                                                                                                           \
    "g (float[N,3] x) => (float[N,3] y) <float rate = {0.25}, float one = {1}, float minus = {-1}, float alpha = "     \
    "{-1.758}, float a = {0.9}, float b = {0.3}, float tiny = {1e-7}, float factor = {1.3333334}>\n{ u = "             \
    "RandomUniformLike (x) "

static const struct {
    const char *graph, *found, *evidence;
} others[] = {
    /* as Keras writes it, scaled and shifted behind, and as PyTorch does, before */
    { UNIT "g = GreaterOrEqual (u, rate) m = Cast <to = 1> (g) p = Mul (x, m) n = Sub (one, m) q = Mul (alpha, n)\n"
           "s = Add (p, q) t = Mul (a, s) y = Add (t, b) }",
      ALPHA, "below 0" },
    { UNIT "g = GreaterOrEqual (u, rate) m = Cast <to = 1> (g) k = Add (m, minus) q = Mul (k, b) s = Add (q, a)\n"
           "r = Mul (m, a) p = Mul (r, x) y = Add (p, s) }",
      ALPHA, "below 0" },
    /* what goes becomes a number above 0; what stays gets one */
    { UNIT "g = GreaterOrEqual (u, rate) m = Cast <to = 1> (g) p = Mul (x, m) n = Sub (one, m) q = Mul (b, n)\n"
           "y = Add (p, q) }",
      "random numbers", "not known" },
    { UNIT "g = GreaterOrEqual (u, rate) m = Cast <to = 1> (g) p = Mul (x, m) q = Mul (alpha, m) y = Add (p, q) }",
      "random numbers", "not known" },
    { UNIT "g = GreaterOrEqual (u, rate) m = Cast <to = 1> (g) s = Add (m, b) p = Mul (x, s) y = Mul (p, factor) }",
      "random numbers", "not known" },
    /* -log (-log (u)), with what keeps it finite; one logarithm alone, and one of a value of the network's */
    { UNIT "e = Add (u, tiny) l = Log (e) n = Neg (l) k = Log (n) o = Sub (x, k) y = Softmax (o) }", GUMBEL,
      "logarithm" },
    { UNIT
      "g = GreaterOrEqual (u, rate) l = Log (u) w = Where (g, tiny, l) m = Mul (w, minus) k = Log (m) n = Neg (k)\n"
      "y = Add (x, n) }",
      GUMBEL, "logarithm" },
    { UNIT "l = Log (u) y = Add (x, l) }", "random numbers", "not known" },
    { UNIT "l = Log (u) m = Mul (l, x) k = Log (m) y = Add (x, k) }", "random numbers", "not known" },
};

START_TEST(what_has_no_operator_is_told)
{
    const struct finding *f;

    begin_graph(20, others[_i].graph);
    expect_ok(adapted_as(NULL, NULL));
    ck_assert_uint_eq(t.out.findings.count, 1);
    f = t.out.findings.at;
    ck_assert_str_eq(f->found, others[_i].found);
    ck_assert_ptr_nonnull(strstr(f->evidence, others[_i].evidence));
    ck_assert_str_eq(f->done, "nothing: the network is random in inference, too");
    ck_assert_int_eq(f->certainty, strcmp(f->found, "random numbers") ? LIKELY : DOUBTFUL);
    ck_assert_ptr_eq(t.adapt.model, t.file);
    end();
}
END_TEST

/* -- noise -- */

#define ROWS(nodes)                                                                                                    \
    "g (float[N,3] x) => (float[N,3] y) <float d = {0.5}, float one = {1}, float three = {3}, float[3,3] w = "         \
    "{1,2,3,4,5,6,7,8,9}, float[3] ones = {1,1,1}, int64[2] order = {1,0}>\n{ h = Relu (x) " nodes " }"
#define LIKE    "k = Shape (h) l = ConstantOfShape (k) z = RandomNormalLike <dtype = 1, seed = 0.0> (l) "
#define NOISE   "GaussianNoise, written out in training mode"
#define SAMPLED "random numbers, scaled by what the network computes"
#define FACTOR  "GaussianDropout, written out in training mode"
#define KEPT    "nothing: the network is random in inference, too"
#define SEEDED  "nothing: it draws the same numbers in every run"

static const struct {
    const char *graph;
    const char *found, *evidence, *done;
    const char *ops; /* where it is taken out; NULL: it cannot be */
} noises[] = {
    /* tf2onnx, PyTorch, turned, in Gemm; less noise; of a mean that is taken off again */
    { ROWS(LIKE "n = Mul (z, d) y = Add (h, n)"), NOISE, "stddev 0.5: 'z' is added", SEEDED, "Relu Identity" },
    { ROWS("z = RandomNormalLike <scale = 0.25> (h) y = Add (z, h)"), NOISE, "stddev 0.25", KEPT, "Relu Identity" },
    { ROWS("z = RandomNormalLike <mean = 1.0, scale = 2.0> (h) n = Sub (z, one) m = Div (n, three) y = Sub (h, m)"),
      NOISE, "stddev 0.6667", KEPT, "Relu Identity" },
    { ROWS("k = Transpose (h) z = RandomNormalLike (k) n = Transpose (z) m = Mul (d, n) y = Add (h, m)"), NOISE,
      "stddev 0.5", KEPT, "Relu Identity" },
    { ROWS("z = RandomNormalLike <dtype = 11> (h) c = Cast <to = 1> (z) y = Add (h, c)"), NOISE, "stddev 1", KEPT,
      "Relu Identity" },
    { ROWS("z = RandomNormalLike (h) y = Gemm <beta = -0.5> (h, w, z)"), NOISE, "stddev 0.5", KEPT, "Relu Gemm" },
    { "g (float[2,3] x) => (float[2,3] y) { h = Relu (x) z = RandomNormal <shape = [2,3]> () y = Add (h, z) }", NOISE,
      "stddev 1", KEPT, "Relu Identity" },
    { "g (double[N,3] x) => (double[N,3] y) { h = Relu (x) z = RandomNormalLike (h) y = Add (h, z) }", NOISE,
      "stddev 1", KEPT, "Relu Identity" },
    /* a factor: written with the mean, or as 1 and something */
    { ROWS("z = RandomNormalLike <mean = 1.0, scale = 0.5> (h) y = Mul (h, z)"), FACTOR, "rate 0.2: 'z' is a factor",
      KEPT, "Relu Identity" },
    { ROWS(LIKE "n = Mul (z, d) m = Add (one, n) y = Mul (m, h)"), FACTOR, "rate 0.2", SEEDED, "Relu Identity" },
    { ROWS(LIKE "n = Mul (z, d) m = Sub (one, n) y = Mul (m, h)"), FACTOR, "rate 0.2", SEEDED, "Relu Identity" },
    /* a mean that stays, what the network computes, several uses, another shape, what is taken from noise, a constant */
    { ROWS("z = RandomNormalLike <mean = 1.0> (h) y = Add (h, z)"), "random numbers", "not known as noise", KEPT,
      NULL },
    { ROWS("z = RandomNormalLike (h) y = Mul (h, z)"), SAMPLED, "'y' does so", KEPT, NULL },
    { ROWS("e = Exp (h) z = RandomNormalLike (h) n = Mul (e, z) y = Add (h, n)"), SAMPLED, "'n' does so", KEPT, NULL },
    { ROWS("e = Exp (h) z = RandomNormalLike <mean = 0.5> (h) n = Mul (e, z) y = Add (h, n)"), "random numbers",
      "not known as noise", KEPT, NULL },
    { ROWS("z = RandomNormalLike (h) n = Add (h, z) y = Mul (n, z)"), "random numbers", "not known as noise", KEPT,
      NULL },
    { "g (float[N,1] x) => (float[N,3] y) <float[1,3] o = {1,2,3}>\n"
      "{ h = Relu (x) m = Mul (h, o) z = RandomNormalLike (m) y = Add (h, z) }",
      "random numbers", "not known as noise", KEPT, NULL },
    { ROWS("z = RandomNormalLike (h) y = Sub (z, h)"), "random numbers", "not known as noise", KEPT, NULL },
    { ROWS("z = RandomNormalLike (h) n = Add (z, w) y = MatMul (h, n)"), "random numbers", "not known as noise", KEPT,
      NULL },
};

static void list_ops(char *out, size_t size)
{
    const struct graph *g = t.adapt.model->graph;
    size_t n = 0;

    for (size_t k = 0; k < g->node_count && n < size; k++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", k ? " " : "", g->nodes[k]->op_name);
}

START_TEST(noise_is_called_what_it_is)
{
    const struct finding *f;
    char ops[500];

    begin_graph(15, noises[_i].graph);
    expect_ok(adapted_as(NULL, NULL));
    ck_assert_uint_eq(t.out.findings.count, 1);
    f = &t.out.findings.at[0];
    ck_assert_str_eq(f->found, noises[_i].found);
    ck_assert_msg(strstr(f->evidence, noises[_i].evidence), "%s", f->evidence);
    ck_assert_msg(strncmp(f->done, noises[_i].done, strlen(noises[_i].done)) == 0, "%s", f->done);
    ck_assert_int_eq(f->certainty, strcmp(f->found, "random numbers") ? LIKELY : DOUBTFUL);
    ck_assert((strstr(f->done, "(none: ") != NULL) == (noises[_i].ops != NULL));
    ck_assert_ptr_eq(t.adapt.model, t.file);
    end();

    begin_graph(15, noises[_i].graph);
    expect_ok(adapted_as("*", "none"));
    list_ops(ops, sizeof ops);
    if (noises[_i].ops) {
        ck_assert_str_eq(ops, noises[_i].ops);
        ck_assert_str_eq(t.out.changed, "1 noise layer is taken out");
        ck_assert_str_eq(t.out.findings.at[0].done, "taken out, as asked");
        ck_assert(used[0]);
    } else {
        ck_assert_ptr_eq(t.adapt.model, t.file);
    }
    end();
}
END_TEST

/* By the name of the layer, or by that of what draws for it. */
START_TEST(noise_goes_by_either_name)
{
    static const char two[] =
        "g (float[N,3] x) => (float[N,3] y) { [\"a/z\"] z = RandomNormalLike (x) [\"a/add\"] h = Add (x, z)\n"
        "[\"b/z\"] k = RandomNormalLike (h) [\"b/add\"] y = Add (h, k) }";
    static const char *const names[] = { "a/add", "a/z", "b/add", "b/z" };
    char ops[200];

    begin_graph(15, two);
    expect_ok(adapted_as(names[_i], "none"));
    list_ops(ops, sizeof ops);
    ck_assert_str_eq(ops, _i < 2 ? "Identity RandomNormalLike Add" : "RandomNormalLike Add Identity");
    ck_assert_str_eq(t.adapt.model->graph->outputs[0]->name, "y");
    end();
    begin_graph(15, two);
    expect_ok(adapted_as("*", _i % 2 ? "none" : "noise"));
    ck_assert(_i % 2 ? strcmp(t.out.changed, "2 noise layers are taken out") == 0 : !t.out.changed);
    end();
}
END_TEST

/* -- drawn once -- */

#define DRAWN(node, constant, op)                                                                                      \
    "g (float[2,3] x) => (float[2,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float[2,3] \"" constant                   \
    "\" = {1,2,3,4,5,6}>\n"                                                                                            \
    "{ h = MatMul (x, w) [\"" node "\"] y = " op " (h, \"" constant "\") }"

static const struct {
    const char *graph, *role;
} drawn[] = {
    { DRAWN("n", "g/stateless_random_normal:0", "Add"), "constant" },
    { DRAWN("m/gaussian_dropout_1/mul", "const_fold_opt__1", "Mul"), "constant" },
    { DRAWN("m/gaussian_noise/add", "c", "Add"), "constant" },
    { DRAWN("m/alpha_dropout/add", "c", "Add"), "constant" },
    { DRAWN("m/positions/add", "c", "Add"), "trainable" },
    { "g (float[2,3] x) => (float[2,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float[2,3] "
      "\"gaussian_noise/stateless_random_normal:0\" = {1,2,3,4,5,6}>\n"
      "{ y = Gemm (x, w, \"gaussian_noise/stateless_random_normal:0\") }",
      "constant" },
    /* a layer into which a factor was folded has its name; its bias is one */
    { "g (float[2,3] x) => (float[2,3] y) <float[3,3] w = {1,2,3,4,5,6,7,8,9}, float[3] \"d/stateless_dropout/b\" = "
      "{1,2,3}>\n"
      "{ h = MatMul (x, w) [\"d/stateless_dropout/Mul\"] y = Add (h, \"d/stateless_dropout/b\") }",
      "trainable" },
};

START_TEST(numbers_that_were_drawn_once_are_constant)
{
    struct parameters p;

    begin_graph(15, drawn[_i].graph);
    expect_ok(adapted_as(NULL, NULL));
    ck_assert((found("drawn once") != NULL) == (strcmp(drawn[_i].role, "constant") == 0));
    expect_ok(parameters_find(&p, t.file, NULL, &t.arena, &report));
    for (size_t k = 0; k < p.count; k++)
        ck_assert_str_eq(role_name(p.at[k].role), strcmp(p.at[k].value->name, "w") ? drawn[_i].role : "trainable");
    end();
}
END_TEST

/* Whatever the memory that there is: an error, and nothing left behind. */
START_TEST(memory_may_run_out_anywhere)
{
    bool ok = false;

    for (size_t more = 0; !ok; more += 1024) {
        begin_graph(15, _i % 2 ? ROWS(LIKE "n = Mul (z, d) y = Add (h, n)")
                               : FIXED("u = RandomUniform <shape = [2,1,3]> () " TURN("u", "t") MASK("t")));
        *(_i / 2 ? &t.file->budget.limit : &budget.limit) = (_i / 2 ? t.file->budget.used : budget.used) + more;
        ok = adapted_as("*", "none");
        budget.limit = 0;
        ck_assert(ok || failed(&report));
        report = (struct report){ 0 };
        end();
        ck_assert_uint_lt(more, 100 << 20);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_random");

    add_tests(s, dropout_is_found_in_any_form, sizeof dropouts / sizeof *dropouts);
    add_tests(s, what_has_no_operator_is_told, sizeof others / sizeof *others);
    add_tests(s, noise_is_called_what_it_is, sizeof noises / sizeof *noises);
    add_tests(s, noise_goes_by_either_name, 4);
    add_tests(s, numbers_that_were_drawn_once_are_constant, sizeof drawn / sizeof *drawn);
    add_tests(s, memory_may_run_out_anywhere, 4);
    return s;
}
