/* A graph from another file in the place of the head. */
#include "heading.h"

#define BASE                                                                                                           \
    "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"init.w\": \"ones\"]>\n"                              \
    "g (float[N,4] x, float[4,3] u, float[3,6] w, float[6] b) => (float[N,6] y)\n"                                     \
    "{ h = MatMul (x, u) [act] r = Relu (h) [fc] z = Gemm (r, w, b) y = Softmax (z) }"

/* `differs`: what is the first that does. */
static struct model *graft(const char *text, const char *head, const char *differs)
{
    struct model *m = model_of(text), *h = file_of(head), *made = adapt(m, (struct adapt_options){ .head = h });

    model_free(h);
    if (made)
        expect_same_before(m, made, differs);
    model_free(m);
    return made;
}

/* Names that are in use, of values, nodes and functions; those that the old head had are free. */
START_TEST(a_graph_takes_the_place_of_the_head)
{
    struct model *made =
        graft(BASE,
              "<ir_version: 10, opset_import: [\"ai.onnx\": 17, \"f\": 1], metadata_props: [\"init.w\": "
              "\"he_normal\", \"init.u\": \"constant:2\"]>\n"
              "head (float[M,3] x, float[3,2] w, float[2] u) => (float[M,2] p, float[M,2] r)\n"
              "{ [act] h = MatMul (x, w) z = Add (h, u) r = f.twice (z) p = Softmax (r) }\n"
              "<opset_import: [\"\": 17], domain: \"f\"> twice (X) => (Y) { Y = Add (X, X) }",
              "z");

    expect_ok(made);
    expect_text(made, "=> (float[N,2] y, float[N,2] \"head/r\")");
    expect_text(made, "r = Relu (h)");
    expect_text(made, "[\"head/act\"] \"head/h\" = MatMul (r, w)");
    expect_text(made, "z = Add (\"head/h\", \"head/u\")");
    expect_text(made, "\"head/r\" = f.twice (z)");
    expect_text(made, "y = Softmax (\"head/r\")");
    expect_text(made, "\"init.w\": \"he_normal\"");
    expect_text(made, "\"init.head/u\": \"constant:2\"");
    ck_assert_int_eq(made->proto->ir_version, 10);
    ck_assert_double_eq((double)((const float *)content(made, "head/u")->data)[1], 2);
    ck_assert_ptr_null(graph_find(made->graph, "b"));
    ck_assert_uint_eq(out.head.count, 2);
    ck_assert_str_eq(out.training.at[0], "y");
    ck_assert(said("2 outputs, the first 'y'"));
    model_free(made);
    arena_release(&arena);
}
END_TEST

/* Functions of one name that are not the same; one that is the same is not there twice. */
START_TEST(functions_come_with_it)
{
#define FUNCTIONS(a, b)                                                                                                \
    "<opset_import: [\"\": 17], domain: \"f\"> one (X) => (Y) { Y = " a " (X) }\n"                                     \
    "<opset_import: [\"\": 17, \"f\": 1], domain: \"f\"> two (X) => (Y) { T = f.one (X) Y = " b " (T) }"
    static const char base[] = "<ir_version: 9, opset_import: [\"\": 17, \"f\": 1]>\n"
                               "g (float[N,4] x, float[4,6] w) => (float[N,6] y) { h = f.two (x) y = MatMul (h, w) }\n";
    static const char head[] =
        "<ir_version: 9, opset_import: [\"\": 17, \"f\": 1]>\n"
        "head (float[N,4] x, float[4,2] w) => (float[N,2] p) { h = MatMul (x, w) p = f.two (h) }\n";
    char text[2000], other[2000];
    struct model *made;

    snprintf(text, sizeof text, "%s" FUNCTIONS("Relu", "Exp"), base);
    snprintf(other, sizeof other, "%s" FUNCTIONS("Relu", "Exp"), head);
    made = graft(text, other, "y");
    expect_ok(made);
    ck_assert_uint_eq(made->proto->n_functions, 2);
    model_free(made);
    arena_release(&arena);
    snprintf(other, sizeof other, "%s" FUNCTIONS("Neg", "Tanh"), head);
    made = graft(text, other, "y");
    expect_ok(made);
    ck_assert_uint_eq(made->proto->n_functions, 4);
    expect_text(made, "h = f.two (x)");
    expect_text(made, "y = f.two_head (\"head/h\")");
    expect_text(made, "T = f.one_head (X)");
    model_free(made);
    arena_release(&arena);
}
END_TEST

/* Inside subgraphs, too; what its nodes capture is called by its new name. */
START_TEST(subgraphs_come_with_it)
{
    struct model *made =
        graft(BASE,
              HEAD "head (float[N,3] x, float[3,2] w) => (float[N,2] p) <bool c = {1}>\n"
                   "{ h = MatMul (x, w) p = If <then_branch = t () => (r) { r = Relu (h) }, else_branch = e () => "
                   "(u) { u = Neg (h) }> (c) }",
              "y");

    expect_ok(made);
    expect_text(made, "\"head/r\" = Relu (\"head/h\")");
    expect_text(made, "\"head/u\" = Neg (\"head/h\")");
    model_free(made);
    arena_release(&arena);
}
END_TEST

/* Outputs that come from the head go with it, others stay in their places. */
START_TEST(outputs_of_the_old_head_go)
{
    static const char text[] =
        HEAD "g (float[N,4] x, float[4,3] u, float[3,6] w) => (float[N,3] r, float[N,6] z, float[N,6] y, "
             "int64[N] k, float[N,3] h)\n"
             "{ h = MatMul (x, u) r = Relu (h) z = MatMul (r, w) y = Softmax (z) k = ArgMax <axis = 1, "
             "keepdims = 0> (z) }";
    static const char *const outputs[] = { "y", "h" };
    struct model *h = file_of(HEAD "head (float[N,3] a, float[3,2] w) => (float[M,2] p) { p = MatMul (a, w) }");
    struct model *m = model_of(text), *made;

    made = adapt(m, (struct adapt_options){ .head = h, .outputs = outputs, .output_count = 2 });
    expect_ok(made);
    expect_text(made, "=> (float[N,3] r, float[N,2] y, float[N,3] h)");
    ck_assert_uint_eq(out.training.count, 2);
    ck_assert_str_eq(out.training.at[0], "y");
    ck_assert_str_eq(out.training.at[1], "h");
    model_free(h);
    forget(m, made);
}
END_TEST

/* What the layer read may be an input of the model, or an output. */
START_TEST(a_head_may_be_all_there_is)
{
    struct model *made = graft(HEAD "g (float[N,3] x, float[3,6] w) => (float[N,6] y) { y = MatMul (x, w) }",
                               HEAD "head (float[N,3] x) => (float[N,3] x) { }", "y");

    expect_ok(made);
    ck_assert_str_eq(made->graph->outputs[0]->name, "x");
    ck_assert_str_eq(out.training.at[0], "x");
    ck_assert_uint_eq(made->graph->node_count, 0);
    model_free(made);
    arena_release(&arena);
}
END_TEST

static const struct {
    const char *head;
    kiln_status code;
    const char *says;
} misfits[] = {
    { HEAD "head (float[N,4] a, float[4,2] w) => (float[N,2] p) { p = MatMul (a, w) }", KILN_BAD_ARGUMENT,
      "the head takes float[?,4], 'r' is float[?,3]" },
    { HEAD "head (float[N,3,1] a) => (float[N,3,1] p) { p = Relu (a) }", KILN_BAD_ARGUMENT,
      "the head takes float[?,3,1], 'r' is float[?,3]" },
    { HEAD "head (double[N,3] a) => (double[N,3] p) { p = Relu (a) }", KILN_BAD_ARGUMENT,
      "the head takes double[?,3], 'r' is float[?,3]" },
    { HEAD "head (float[N,D] a) => (p) <float[4,2] w = {1,2,3,4,5,6,7,8}> { p = MatMul (a, w) }", KILN_BAD_MODEL,
      "with the head in its place, " },
    { OPSET(18) "head (float[N,3] a) => (float[N,3] p) { p = Relu (a) }", KILN_BAD_ARGUMENT,
      "the head is written for opset 18 of 'ai.onnx', the model for 17: they must be equal" },
    { HEAD "head (float[N,3] a, float[N,3] b) => (float[N,3] p) { p = Sub (a, b) }", KILN_BAD_ARGUMENT,
      "the head has 2 inputs and 1 outputs, must have 1 and some" },
    { "<ir_version: 9, opset_import: [\"\": 17], metadata_props: [\"init.w\": \"nonsense\"]>\n"
      "head (float[N,3] a, float[3,2] w) => (float[N,2] p) { p = MatMul (a, w) }",
      KILN_BAD_MODEL, "nonsense" },
};

START_TEST(a_head_that_does_not_fit_is_refused)
{
    struct model *h = file_of(misfits[_i].head);

    refuse(BASE, (struct adapt_options){ .head = h }, misfits[_i].code, misfits[_i].says);
    model_free(h);
}
END_TEST

START_TEST(classes_and_a_head_exclude_each_other)
{
    struct model *h = file_of(HEAD "head (float[N,3] a) => (float[N,3] p) { p = Relu (a) }");

    refuse(BASE, (struct adapt_options){ .head = h, .classes = 3 }, KILN_BAD_ARGUMENT, "exclude each other");
    model_free(h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_graft");

    add_test(s, a_graph_takes_the_place_of_the_head);
    add_test(s, functions_come_with_it);
    add_test(s, subgraphs_come_with_it);
    add_test(s, outputs_of_the_old_head_go);
    add_test(s, a_head_may_be_all_there_is);
    add_tests(s, a_head_that_does_not_fit_is_refused, (int)(sizeof misfits / sizeof *misfits));
    add_test(s, classes_and_a_head_exclude_each_other);
    return s;
}
