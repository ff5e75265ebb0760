/* Ifs whose condition is constant: the branch that is taken stands in their place. */
#include "adapting.h"
#include "train/trainer.h"

#define IF         ": If whose condition is constant (certain): its "
#define TAKES(b)   IF b "_branch is taken: "
#define TWO        "float[3,2] v = {1,2,3,4,5,6}, float[3,2] w = {2,0,1,-1,3,1}"
#define OF(t, e)   "then_branch = t () => (float[N,2] a) { " t " }, else_branch = e () => (float[N,2] b) { " e " }"
#define G(w, body) HEAD "g (float[N,3] x) => (float[N,2] y) <" w "> { " body " }"

static const struct adapt_case taken[] = {
    /* a condition that is an initializer; what only the other branch reads goes */
    { .text = G("bool c = {1}, " TWO, "[\"i\"] y = If (c) <" OF("a = MatMul (x, v)", "b = MatMul (x, w)") ">"),
      .found = "i" TAKES("then") "1 node\n",
      .ops = "MatMul",
      .absent = "w",
      .values = { { "v", "trainable", { 1, 2, 3, 4 } } } },
    { .text = G("bool c = {0}, " TWO, "[\"i\"] y = If (c) <" OF("a = MatMul (x, v)", "b = MatMul (x, w)") ">"),
      .found = "i" TAKES("else") "1 node\n",
      .ops = "MatMul",
      .absent = "v",
      .values = { { "w", "trainable", { 2, 0, 1, -1 } } } },
    /* computed of constants, as --set makes of what chose the network; a Constant as weight keeps its name */
    { .text = G("int64 rate = {16000}",
                "k = Constant <value = int64 {16000}> () c = Equal (rate, k) [\"i\"] y = If (c) <" OF(
                    "u = Constant <value = float[3,2] {1,2,3,4,5,6}> () h = Relu (x) a = MatMul (h, u)",
                    "u = Constant <value = float[3,2] {0,2,3,4,5,6}> () h = Sin (x) b = MatMul (h, u)") ">"),
      .found = "i" TAKES("then") "3 nodes\n",
      .ops = "Constant Relu MatMul" },
    /* what is called so elsewhere gets a number: u in both branches of two Ifs, h outside of them */
    { .text = G(
          "bool c = {1}",
          "h = Relu (x) [\"i\"] p = If (c) <" OF(
              "u = Constant <value = float[3,2] {1,2,3,4,5,6}> () a = MatMul (h, u)",
              "u = Relu (h) b = MatMul (u, u)") "> [\"j\"] q = If (c) <" OF("u = Constant <value = float[3,2] "
                                                                            "{0,2,3,4,5,6}> () a = MatMul (h, u)",
                                                                            "u = Relu (h) b = MatMul (u, u)") "> y = "
                                                                                                              "Add (p, "
                                                                                                              "q)"),
      .found = "i" TAKES("then") "2 nodes\nj" TAKES("then") "2 nodes\n",
      .ops = "Relu Constant MatMul Constant MatMul Add" },
    /* a name that a subgraph of another node has; in subgraphs it is renamed where they read it */
    { .text = G("bool c = {1}, float[3,2] z = {1,1,1,1,1,1}, float zero = {0}",
                "s = ReduceSum <keepdims = 0> (x) d = Greater (s, zero) [\"k\"] o = If (d) <" OF(
                    "u = Relu (x) a = MatMul (u, z)",
                    "b = MatMul (x, z)") "> [\"i\"] p = If (c) <" OF("u = Sin (x) a = If (d) <then_branch = m () => "
                                                                     "(float[N,2] r) { r = MatMul (u, z) }, "
                                                                     "else_branch = n () => (float[N,2] f) { l = Relu "
                                                                     "(u) f = MatMul (l, z) }>",
                                                                     "b = MatMul (x, z)") "> y = Add (o, p)"),
      .found = "i" TAKES("then") "2 nodes\n",
      .ops = "ReduceSum Greater If Sin If Add" },
    /* initializers of the branch */
    { .text =
          HEAD "g (float[N,3] x) => (float[N,2] y) <bool c = {1}>\n"
               "{ y = If (c) <then_branch = t () => (float[N,2] a) <float[3,2] v = {1,2,3,4,5,6}, float[2] d = {1,2}> "
               "{ m = MatMul (x, v) a = Add (m, d) }, else_branch = e () => (float[N,2] b) <float[3,2] v = "
               "{2,2,3,4,5,6}> { b = MatMul (x, v) }> }",
      .found = "y" TAKES("then") "2 nodes\n",
      .ops = "MatMul Add",
      .values = { { "v", "trainable", { 1, 2, 3, 4 } }, { "d", "trainable", { 1, 2 } } } },
    /* one that is called as an output of the If, and is none */
    { .text =
          G("bool c = {1}, " TWO, "[\"i\"] y = If (c) <" OF("y = Relu (x) a = MatMul (y, v)", "b = MatMul (x, w)") ">"),
      .found = "i" TAKES("then") "2 nodes\n",
      .ops = "Relu MatMul" },
    /* nor is its number one that the branch has itself, in a subgraph */
    { .text =
          G("bool c = {1}, " TWO ", float zero = {0}",
            "s = ReduceSum <keepdims = 0> (x) d = Greater (s, zero) [\"k\"] o = If (d) <" OF(
                "u = Relu (x) a = MatMul (u, v)",
                "b = MatMul (x, w)") "> [\"i\"] p = If (c) <" OF("u = Sin (x) a = If (d) <then_branch = m () => "
                                                                 "(float[N,2] \"u.1\") { \"u.1\" = MatMul (u, v) }, "
                                                                 "else_branch = n () => (float[N,2] f) { f = MatMul "
                                                                 "(u, w) }>",
                                                                 "b = MatMul (x, w)") "> y = Add (o, p)"),
      .found = "i" TAKES("then") "2 nodes\n",
      .ops = "ReduceSum Greater If Sin If Add" },
    /* or that another value of the branch keeps */
    { .text = G(
          "bool c = {1}, " TWO ", float zero = {0}",
          "s = ReduceSum <keepdims = 0> (x) d = Greater (s, zero) [\"k\"] o = If (d) <" OF(
              "u = Relu (x) a = MatMul (u, v)",
              "b = MatMul (x, w)") "> [\"i\"] p = If (c) <" OF("\"u.1\" = Sin (x) u = Sin (\"u.1\") a = MatMul (u, v)",
                                                               "b = MatMul (x, w)") "> y = Add (o, p)"),
      .found = "i" TAKES("then") "3 nodes\n",
      .ops = "ReduceSum Greater If Sin Sin MatMul Add" },
    /* nested, and one whose condition comes from another */
    { .text = G("bool c = {1}, bool f = {0}, " TWO,
                "[\"i\"] y = If (c) <" OF("n = Not (f) [\"j\"] a = If (n) <" OF(
                                              "[\"k\"] a = If (f) <" OF("a = MatMul (x, w)", "b = MatMul (x, v)") ">",
                                              "b = MatMul (x, w)") ">",
                                          "b = MatMul (x, w)") ">"),
      .found = "i" TAKES("then") "2 nodes\nj" TAKES("then") "1 node\nk" TAKES("else") "1 node\n",
      .ops = "MatMul",
      .values = { { "v", "trainable", { 1, 2, 3, 4 } } } },
    { .text =
          G("bool c = {1}, bool f = {0}, " TWO,
            "[\"i\"] d = If (c) <then_branch = t () => (bool a) { a = Not (f) }, else_branch = e () => (bool b) { b = "
            "Identity (f) }> [\"j\"] y = If (d) <" OF("a = MatMul (x, v)", "b = MatMul (x, w)") ">"),
      .found = "i" TAKES("then") "1 node\nj" TAKES("then") "1 node\n",
      .ops = "MatMul",
      .values = { { "v", "trainable", { 1, 2, 3, 4 } } } },
    /* outputs that are values of outside, of the branch's initializers, or the same twice */
    { .text = HEAD "g (float[N,3] x) => (float[N,3] y, float[N,3] z, float[N,3] o, float[3] k) <bool c = {1}>\n"
                   "{ h = Sin (x) [\"i\"] y, z, o, k = If (c) <then_branch = t () => (float[N,3] r, float[N,3] h, "
                   "float[N,3] r, float[3] d) <float[3] d = {1,2,3}> { m = Mul (h, d) r = Relu (m) }, else_branch = e "
                   "() => (float[N,3] q, "
                   "float[N,3] q, float[N,3] q, float[3] b) <float[3] b = {1,2,3}> { q = Relu (x) }> }",
      .found = "i" TAKES("then") "2 nodes\ny: an output of several (likely): trains\nz: an output of several (likely): "
                                 "stays, does not train\n"
                                 "o: an output of several (likely): stays, does not train\nk: an output of several "
                                 "(likely): stays, does not "
                                 "train\n",
      .ops = "Sin Mul Relu Identity Identity Identity" },
    /* an output that nobody asks for; nodes of one name */
    { .text = HEAD
      "g (float[N,3] x) => (float[N,2] y) <bool c = {1}, " TWO ">\n"
      "{ [\"m\"] h = Relu (x) [\"i\"] \"\", y = If (c) <then_branch = t () => (float[N,3] r, float[N,2] a) { [\"m\"] r "
      "= Sin (h) [\"l\"] a = MatMul (r, v) }, else_branch = e () => (float[N,3] q, float[N,2] b) { q = Relu (x) b = "
      "MatMul "
      "(q, w) }> }",
      .found = "i" TAKES("then") "2 nodes\n",
      .ops = "Relu Sin MatMul" },
    /* Dropout that does not drop draws nothing */
    { .text = G("bool c = {1}, float ratio = {0.5}, bool f = {0}, " TWO,
                "[\"i\"] p = If (c) <" OF("r = Dropout (x, ratio, f) n = Constant <value = bool {0}> () q = Dropout "
                                          "(r, ratio, n) a = MatMul (q, v)",
                                          "b = MatMul (x, w)") "> y = Dropout (p)"),
      .found = "i" TAKES("then") "4 nodes\n",
      .ops = "Dropout Constant Dropout MatMul Dropout" },
    /* an input that only the other branch reads is still one */
    { .text = HEAD "g (float[N,3] x, float[N,3] s) => (float[N,2] y) <bool c = {1}, " TWO ">\n"
                   "{ [\"i\"] y = If (c) <" OF("a = MatMul (x, v)", "b = MatMul (s, w)") "> }",
      .found = "i" TAKES("then") "1 node\n",
      .ops = "MatMul" },
    /* a size that an input tells, and that is none of the samples */
    { .text = HEAD "g (float[N,3] x, float[2,N,3] s) => (float[N,2] y) <int64 zero = {0}, int64 two = {2}, " TWO ">\n"
                   "{ h = Shape (s) n = Gather (h, zero) c = Equal (n, two) r = ReduceSum <keepdims = 0> (s) [\"i\"] p "
                   "= If (c) <" OF("a = MatMul (x, v)", "b = MatMul (x, w)") "> y = Add (p, r) }",
      .found = "i" TAKES("then") "1 node\n",
      .ops = "ReduceSum MatMul Add",
      .absent = "w" },
};

START_TEST(the_branch_that_is_taken_is_in_its_place)
{
    expect_case(&taken[_i]);
}
END_TEST

/* -- what stays -- */

#define OUTPUTS  "y: an output of several (likely): trains\nt: an output of several (likely): stays, does not train\n"
#define DRAWN(r) r ": random numbers (doubtful): nothing: the network is random in inference, too\n"

static const struct adapt_case others[] = {
    /* a constant that the caller may give another */
    { .text = HEAD "g (float[N,3] x, bool c) => (float[N,2] y) <bool c = {1}, " TWO ">\n"
                   "{ y = If (c) <" OF("a = MatMul (x, v)", "b = MatMul (x, w)") "> }",
      .found = "" },
    /* conditions by inputs, by sizes that are open, and by what may be freed */
    { .text = HEAD "g (float[N,3] x, float[N] c) => (float[N,2] y) <float zero = {0}, " TWO ">\n"
                   "{ m = ReduceMax <keepdims = 0> (c) f = Greater (m, zero) y = If (f) <" OF(
                       "a = MatMul (x, v)", "b = MatMul (x, w)") "> }",
      .found = "" },
    { .text = G("int64 zero = {0}, int64 one = {1}, " TWO,
                "h = Shape (x) n = Gather (h, zero) c = Equal (n, one) y = If (c) <" OF("a = MatMul (x, v)",
                                                                                        "b = MatMul (x, w)") ">"),
      .found = "" },
    { .text = HEAD
      "g (float[N,3] x, float[2,N,M] s) => (float[N,2] y, float[2,N,M] t) <int64 two = {2}, int64[1] at = {2}, " TWO
      ">\n"
      "{ h = Shape (s) m = Gather (h, at) c = Equal (m, two) y = If (c) <" OF("a = MatMul (x, v)",
                                                                              "b = MatMul (x, w)") "> t = Relu (s) }",
      .found = "s: open dimensions (certain): were taken as 1, as the data have them\n" OUTPUTS },
    /* a part of the sizes, which begins elsewhere */
    { .text =
          "<ir_version: 8, opset_import: [\"\": 17]>\n"
          "g (float[N,3] x, float[2,N,3] s) => (float[N,2] y, float[2,N,3] t) <int64 two = {2}, int64 zero = {0}, " TWO
          ">\n"
          "{ h = Shape <start = 1> (s) m = Gather (h, zero) c = Equal (m, two) y = If (c) <" OF(
              "a = MatMul (x, v)", "b = MatMul (x, w)") "> t = Relu (s) }",
      .found = OUTPUTS },
    /* random numbers */
    { .text = G("float half = {0.5}, " TWO,
                "r = RandomUniform <shape = [1]> () q = Squeeze (r) c = Less (q, half) y = If (c) <" OF(
                    "a = MatMul (x, v)", "b = MatMul (x, v)") ">"),
      .found = DRAWN("r") },
    /* in training mode it does */
    { .text = G("bool c = {1}, float ratio = {0.5}, bool t = {1}, " TWO,
                "[\"i\"] y = If (c) <" OF("r = Dropout (x, ratio, t) a = MatMul (r, v)", "b = MatMul (x, w)") ">"),
      .found = "i: If whose condition is constant (certain): it stays: without it random numbers would be others, and "
               "nothing "
               "could show that the rest is not\n" },
    /* constant, but then others would be drawn */
    { .text = G("bool c = {1}, " TWO,
                "[\"i\"] p = If (c) <" OF("a = MatMul (x, v)",
                                          "b = MatMul (x, w)") "> [\"r\"] q = RandomUniformLike (p) y = Add (p, q)"),
      .found = "i: If whose condition is constant (certain): it stays: without it random numbers would be others, and "
               "nothing "
               "could show that the rest is not\n" DRAWN("r") },
    /* in the body of a Loop */
    { .text = G(
          "bool c = {1}, int64 n = {2}, " TWO,
          "p = MatMul (x, v) y = Loop (n, c, p) <body = l (int64 i, bool g, float[N,2] h) => (bool k, float[N,2] m) { "
          "k = Identity (g) m = If (c) <" OF("a = Add (h, p)", "b = Sin (h)") "> }>"),
      .found = "" },
};

START_TEST(what_may_be_otherwise_stays)
{
    expect_case(&others[_i]);
}
END_TEST

/* -- what comes out -- */

START_TEST(what_lies_in_it_trains)
{
    static const char text[] = G(
        "bool c = {1}, " TWO, "y = If (c) <" OF("k = Constant <value = float[3,2] {1,2,3,4,5,6}> () a = MatMul (x, k)",
                                                "b = MatMul (x, w)") ">");
    const struct trainer_options o = { .threads = 1 };
    struct model *m = model_of(text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    struct trainer *t;

    expect_ok(made);
    ck_assert_int_eq(got.trainable, 6);
    t = trainer_new(made, &o, &report);
    expect_ok(t);
    ck_assert_int_eq((int)t->trainable, 1);
    trainer_free(t);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Before a step that is meant to compute something else. */
START_TEST(what_was_kept_is_proved)
{
    static const char text[] = G("bool c = {1}, float[3] s = {1,2,3}, float[3] z = {0,0,0}, float[3] o = {1,1,1}, " TWO,
                                 "n, rm, rv = BatchNormalization <training_mode = 1> (x, s, z, z, o) y = If (c) <" OF(
                                     "a = MatMul (n, w)", "b = MatMul (x, v)") ">");
    struct model *m = model_of(text), *made = adapt_over(m, (struct adapt_options){ .inference = true }, false);

    expect_ok(made);
    ck_assert_ptr_nonnull(got.changed);
    ck_assert(got.outputs.floats > 0);
    expect_ops(made, "BatchNormalization MatMul");
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Of values, nodes and initializers of a branch: all but names. */
START_TEST(what_is_told_of_it_stays)
{
    static const char text[] =
        G("bool c = {1}",
          "y = If (c) <then_branch = t () => (float[N,2] a) <float[3,2] v = {1,2,3,4,5,6}, float[N,3] r> "
          "{ r = Relu (x) a = MatMul (r, v) }, else_branch = e () => (float[N,2] b) { b = MatMul (x, x) }>");
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report), *made;
    Onnx__GraphProto *branch;
    const Onnx__GraphProto *g;

    expect_ok(m);
    branch = node_attribute(m->proto->graph->node[0], "then_branch")->g;
    branch->initializer[0]->doc_string = message_string("told", 4, &m->budget, &report);
    branch->node[1]->doc_string = message_string("told", 4, &m->budget, &report);
    expect_ok(branch->initializer[0]->doc_string && branch->node[1]->doc_string && branch->n_value_info == 1 &&
              model_build(m, &report));
    made = adapt_over(m, (struct adapt_options){ 0 }, true);
    expect_ok(made);
    g = made->proto->graph;
    ck_assert(g->n_initializer == 1 && g->n_node == 2 && g->n_value_info == 1);
    ck_assert_str_eq(g->initializer[0]->doc_string, "told");
    ck_assert_str_eq(g->node[1]->doc_string, "told");
    ck_assert_str_eq(g->value_info[0]->name, "r");
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Before version 4 of the IR initializers of the main graph must be inputs. */
START_TEST(an_old_file_becomes_a_newer_one)
{
    static const char text[] =
        "<ir_version: 3, opset_import: [\"\": 11]>\n"
        "g (float[N,3] x) => (float[N,2] y) { c = Constant <value = bool {1}> ()\n"
        "y = If (c) <then_branch = t () => (float[N,2] a) <float[3,2] v = {1,2,3,4,5,6}> { a = MatMul (x, v) }, "
        "else_branch = e () => (float[N,2] b) { b = MatMul (x, x) }> }";
    struct model *m = model_of(text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);

    expect_ok(made);
    ck_assert_int_eq(made->proto->ir_version, 4);
    ck_assert_uint_eq(made->proto->graph->n_input, 1);
    ck_assert_uint_eq(made->proto->graph->n_initializer, 1);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* What is told of names follows them, too: here r is taken in a subgraph. */
START_TEST(what_a_constant_was_made_of_is_told)
{
    static const char text[] =
        G("bool c = {1}, float zero = {0}, " TWO,
          "s = ReduceSum <keepdims = 0> (x) d = Greater (s, zero) o = If (d) <" OF(
              "r = Relu (x) a = MatMul (r, v)",
              "b = MatMul (x, w)") "> p = If (c) <then_branch = t () => (float[N,2] a) <float[N,3] r> { r = Relu (x) a "
                                   "= MatMul (r, v) "
                                   "}, else_branch = e () => (float[N,2] b) { b = MatMul (x, x) }> y = Add (o, p)");
    struct model *m = model_of(text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);
    const Onnx__GraphProto *g;

    expect_ok(made);
    g = made->proto->graph;
    ck_assert_uint_eq(g->n_value_info, 1);
    ck_assert_str_eq(g->value_info[0]->name, "r.1");
    ck_assert_str_eq(g->node[3]->output[0], "r.1");
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* An error, and nothing left behind. */
START_TEST(memory_may_run_out_anywhere)
{
    const struct adapt_case *c = &taken[_i];
    struct model *m = model_of(c->text), *made = NULL;
    size_t more = 0;

    for (; !made; more += 256) {
        arena = (struct arena){ .budget = &budget };
        budget.limit = budget.used + more;
        m->budget.limit = m->budget.used + more;
        made = model_adapt(m, &(struct adapt_options){ .threads = 1 }, &got, &arena, &report);
        budget.limit = m->budget.limit = 0;
        ck_assert(made || failed(&report));
        report = (struct report){ 0 };
        arena_release(&arena);
        ck_assert_uint_lt(more, 100 << 20);
    }
    model_free(made);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_branches");

    add_tests(s, the_branch_that_is_taken_is_in_its_place, COUNT(taken));
    add_tests(s, what_may_be_otherwise_stays, COUNT(others));
    add_test(s, what_lies_in_it_trains);
    add_test(s, what_was_kept_is_proved);
    add_test(s, what_is_told_of_it_stays);
    add_test(s, an_old_file_becomes_a_newer_one);
    add_test(s, what_a_constant_was_made_of_is_told);
    add_tests(s, memory_may_run_out_anywhere, 11);
    return s;
}
