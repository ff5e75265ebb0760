/* Another head in the place of the one that a file has: which layer that is, what becomes of it and of what is behind it,
 * and what of the model trains then. */
#include "adapt/adapt.h"
#include "adapt/random.h"
#include "data/element.h"
#include "learning.h"
#include "model/message.h"
#include "ops/registry.h"
#include "scratch.h"
#include "train/decided.h"
#include "train/initialise.h"
#include "unit.h"
#include <math.h>

#define OPSET(n)   "<ir_version: 9, opset_import: [\"\": " #n "]>\n"
#define HEAD       OPSET(17)
#define ROWS(s, w) HEAD "g (float[N,4] x, float[4,3] u, " w ") => (float[N," s "] y)"
#define LAYER      "h = MatMul (x, u) r = Relu (h) "

static struct arena arena;
static struct adapted out;

/* Built, with values for all that has none. */
static struct model *model_of(const char *text)
{
    const struct initialise_options o = { .seed = 7 };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report), *drawn;
    size_t count;

    expect_ok(m && model_build(m, &report));
    drawn = model_initialise(m, &o, &count, &report);
    model_free(m);
    expect_ok(drawn && model_build(drawn, &report));
    return drawn;
}

static struct model *adapt(const struct model *m, struct adapt_options o)
{
    struct model *made;

    arena = (struct arena){ .budget = &budget };
    o.threads = 1;
    made = model_adapt(m, &o, &out, &arena, &report);
    if (!made)
        ck_assert(failed(&report));
    return made;
}

static void forget(struct model *m, struct model *made)
{
    model_free(made);
    model_free(m);
    arena_release(&arena);
}

static void refuse(const char *text, struct adapt_options o, kiln_status code, const char *part)
{
    struct model *m = model_of(text), *made = adapt(m, o);

    ck_assert_ptr_null(made);
    expect_error(code, part);
    forget(m, made);
}

static bool said(const char *part)
{
    for (size_t k = 0; k < out.findings.count; k++)
        if (strstr(out.findings.at[k].found, part) || strstr(out.findings.at[k].done, part))
            return true;
    return false;
}

/* The node of the head, by what is said of it. */
static const char *head_name(void)
{
    for (size_t k = 0; k < out.findings.count; k++)
        if (strncmp(out.findings.at[k].found, "head: ", 6) == 0)
            return out.findings.at[k].name;
    return "";
}

static const struct tensor *content(const struct model *m, const char *name)
{
    const struct value *v = graph_find(m->graph, name);

    ck_assert_msg(v && v->initializer, "there is no constant '%s'", name);
    return v->initializer;
}

static const char *text_of(const struct model *m, char buffer[4000])
{
    struct text t = { .budget = &budget, .report = &report };

    expect_ok(text_write_model(&t, m->proto, NULL, NULL));
    snprintf(buffer, 4000, "%s", t.data);
    text_release(&t);
    return buffer;
}

static void expect_text(const struct model *m, const char *part)
{
    char text[4000];

    ck_assert_msg(strstr(text_of(m, text), part), "no '%s' in %s", part, text);
}

/* -- heads that there are -- */

/* What a head becomes with so many classes: the declared type of the output, the shapes of weight and bias, and what the
 * output is made by. */
static const struct {
    const char *text;
    int classes;
    const char *output, *weight, *bias;
    const struct op *last;
} heads[] = {
    { ROWS("6", "float[6,3] w, float[6] b") "{ " LAYER "z = Gemm <transB = 1> (r, w, b) y = Softmax <axis = 1> (z) }",
      5, "float[?,5]", "float[5,3]", "float[5]", &op_softmax },
    { ROWS("6", "float[3,6] w, float[1,6] b") "{ " LAYER "y = Gemm (r, w, b) }", 5, "float[?,5]", "float[3,5]",
      "float[5]", &op_gemm },
    { ROWS("6", "float[3,6] w") "{ " LAYER "y = Gemm (r, w) }", 5, "float[?,5]", "float[3,5]", "float[5]", &op_gemm },
    /* one that is on the left, samples last */
    { HEAD "g (float[4,N] x, float[3,4] u, float[6,3] w) => (float[6,N] y) { h = MatMul (u, x) y = Gemm (w, h) }", 5,
      "float[5,?]", "float[5,3]", "float[5,1]", &op_gemm },
    { HEAD "g (float[N,4,7] x, float[6,4] w) => (float[N,6,7] y) { y = MatMul (w, x) }", 5, "float[?,5,7]",
      "float[5,4]", "float[5,1]", &op_add },
    { ROWS("6", "float[3,6] w, float[6] b") "{ " LAYER "z = MatMul (r, w) y = Add (z, b) }", 5, "float[?,5]",
      "float[3,5]", "float[5]", &op_add },
    { ROWS("6", "float[3,6] w, float[1,6] b") "{ " LAYER "z = MatMul (r, w) a = Add (b, z) y = LogSoftmax (a) }", 5,
      "float[?,5]", "float[3,5]", "float[1,5]", &op_log_softmax },
    { ROWS("6", "float[3,6] w") "{ " LAYER "z = MatMul (r, w) y = Softmax (z) }", 5, "float[?,5]", "float[3,5]",
      "float[5]", &op_softmax },
    { ROWS("6", "float[3,6] w") "{ " LAYER "y = MatMul (r, w) }", 5, "float[?,5]", "float[3,5]", "float[5]", &op_add },
    /* the bias behind a change of shape; the one that stands behind something else is none */
    { HEAD
      "g (float[N,2,4] x, float[4,6] w, float[6] b) => (float[N,2,6] y) <int64[2] s = {-1,4}, int64[3] t = {-1,2,6}>\n"
      "{ r = Reshape (x, s) z = MatMul (r, w) q = Reshape (z, t) y = Add (q, b) }",
      5, "float[?,2,5]", "float[4,5]", "float[5]", &op_add },
    /* several for each sample */
    { HEAD "g (float[N,T,4] x, float[4,6] w) => (float[N,T,6] y) { z = MatMul (x, w) y = Softmax <axis = -1> (z) }", 5,
      "float[?,?,5]", "float[4,5]", "float[5]", &op_softmax },
    /* SqueezeNet's and its like */
    { HEAD "g (float[N,3,H,W] x, float[6,3,1,1] w, float[6] b) => (float[N,6] y)\n"
           "{ c = Conv (x, w, b) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = Softmax <axis = 1> (f) }",
      5, "float[?,5]", "float[5,3,1,1]", "float[5]", &op_softmax },
    { HEAD "g (float[N,3,4,4] x, float[6,3,1,1] w) => (float[N,6] y) <int64[2] s = {-1,6}>\n"
           "{ c = Conv (x, w) p = GlobalAveragePool (c) y = Reshape (p, s) }",
      5, "float[?,5]", "float[5,3,1,1]", "float[5]", &op_reshape },
    { HEAD "g (float[N,3,4,4] x, float[6,3,1,1] w) => (float[N,6] y) <int64[2] a = {2,3}>\n"
           "{ c = Conv (x, w) p = GlobalAveragePool (c) y = Squeeze (p, a) }",
      5, "float[?,5]", "float[5,3,1,1]", "float[5]", &op_squeeze },
    { OPSET(18) "g (float[N,3,4,4] x, float[6,3,1,1] w) => (float[N,6] y) <int64[2] a = {2,3}>\n"
                "{ c = Conv (x, w) y = ReduceMean <keepdims = 0> (c, a) }",
      5, "float[?,5]", "float[5,3,1,1]", "float[5]", &op_reduce_mean },
    { HEAD "g (float[N,3,4,4] x, float[6,1,1,1] w, float[3,3,1,1] u) => (float[N,6,4,4] y)\n"
           "{ c = Conv (x, u) y = Conv <group = 3> (c, w) }",
      9, "float[?,9,4,4]", "float[9,1,1,1]", "float[9]", &op_conv },
    /* segmentation, classes last */
    { HEAD "g (float[N,3,4,4] x, float[6,3,1,1] w, float[6] b) => (float[N,4,4,6] y)\n"
           "{ c = Conv (x, w) t = Transpose <perm = [0,2,3,1]> (c) a = Add (t, b) y = Softmax (a) }",
      5, "float[?,4,4,5]", "float[5,3,1,1]", "float[5]", &op_softmax },
    /* a number of classes that a shape tells, and one that it computes */
    { ROWS("6",
           "float[3,6] w, float[6] b") "<int64[2] s = {-1,6}, int64[3] t = {0,6,1}, int64[2] v = {0,-1}>\n{ " LAYER
                                       "z = Gemm (r, w, b) p = Reshape (z, s) q = Reshape (p, t) y = Reshape (q, v) }",
      5, "float[?,5]", "float[3,5]", "float[5]", &op_reshape },
    { ROWS("6", "float[3,6] w, float[6] b") "<int64[1] c = {6}>\n{ " LAYER
                                            "z = Gemm (r, w, b) n = Shape <end = 1> (z) s = Concat <axis = 0> (n, c)"
                                            " y = Reshape (z, s) }",
      5, "float[?,5]", "float[3,5]", "float[5]", &op_reshape },
    { HEAD "g (float[N,2,4] x, float[4,6] w) => (float[N,2,6] y) <int64[2] s = {-1,4}, int64[2] k = {0,1}, int32[1] c "
           "= {6}>\n"
           "{ n = Shape (x) r = Reshape (x, s) z = MatMul (r, w) p = Gather (n, k) q = Cast <to = 6> (p)"
           " o = Concat <axis = 0> (q, c) t = Cast <to = 7> (o) y = Reshape (z, t) }",
      5, "float[?,2,5]", "float[4,5]", "float[5]", &op_reshape },
    { ROWS("6", "float[3,6] w, float[6] b") "{ " LAYER "z = Gemm (r, w, b) s = Shape (z) y = Reshape (z, s) }", 5,
      "float[?,5]", "float[3,5]", "float[5]", &op_reshape },
    { "<ir_version: 3, opset_import: [\"\": 9]>\n"
      "g (float[N,4] x, float[4,6] w, float[6] b, int64[2] s) => (float[N,6] y) <int64[2] s = {-1,6}>\n"
      "{ z = Gemm (x, w, b) y = Reshape (z, s) }",
      5, "float[?,5]", "float[4,5]", "float[5]", &op_reshape },
    /* one unit, whose dimension a Reshape moves where others need a Transpose */
    { HEAD "g (float[N,3,4,5] x, float[1,3,1,1] w) => (float[N,4,5,1] y) <int64[4] s = {-1,4,5,1}>\n"
           "{ c = Conv (x, w) y = Reshape (c, s) }",
      5, "float[?,4,5,5]", "float[5,3,1,1]", "float[5]", &op_transpose },
    { HEAD "g (float[N,3,4,5] x, float[1,3,1,1] w) => (float[N,4,5,1] y) <int64[4] s = {-1,4,5,1}>\n"
           "{ c = Conv (x, w) y = Reshape (c, s) }",
      1, "float[?,4,5,1]", "float[1,3,1,1]", "float[1]", &op_reshape },
    { HEAD
      "g (float[N,3,4,4] x, float[3,6,2,2] w) => (float[N,6,8,8] y) { y = ConvTranspose <strides = [2,2]> (x, w) }",
      5, "float[?,5,8,8]", "float[3,5,2,2]", "float[5]", &op_conv_transpose },
    /* an exporter's Cast before the bias */
    { ROWS("6", "float[3,6] w, float[6] b") "{ " LAYER "z = MatMul (r, w) c = Cast <to = 1> (z) y = Add (c, b) }", 5,
      "float[?,5]", "float[3,5]", "float[5]", &op_add },
    /* Sigmoid and its units: of one, of several, from Softmax */
    { ROWS("1", "float[3,1] w, float[1] b") "{ " LAYER "z = MatMul (r, w) a = Add (z, b) y = Sigmoid (a) }", 5,
      "float[?,5]", "float[3,5]", "float[5]", &op_softmax },
    { ROWS("1", "float[3,1] w, float[1] b") "{ " LAYER "z = Gemm (r, w, b) y = Sigmoid (z) }", 2, "float[?,1]",
      "float[3,1]", "float[1]", &op_sigmoid },
    { ROWS("1", "float[3,1] w, float[1] b") "{ " LAYER "z = Gemm (r, w, b) y = Sigmoid (z) }", 1, "float[?,1]",
      "float[3,1]", "float[1]", &op_sigmoid },
    { ROWS("6", "float[3,6] w, float[6] b") "{ " LAYER "z = Gemm (r, w, b) y = Sigmoid (z) }", 5, "float[?,5]",
      "float[3,5]", "float[5]", &op_sigmoid },
    { ROWS("6", "float[3,6] w, float[6] b") "{ " LAYER "z = Gemm (r, w, b) y = Softmax (z) }", 1, "float[?,1]",
      "float[3,1]", "float[1]", &op_sigmoid },
    { ROWS("1", "float[3,1] w, float[1] b") "{ " LAYER "y = Gemm (r, w, b) }", 2, "float[?,2]", "float[3,2]",
      "float[2]", &op_gemm },
    { OPSET(11) "g (float[N,3,4,4] x, float[1,3,1,1] w) => (float[N,1,1,1] y)\n"
                "{ c = Conv (x, w) p = GlobalAveragePool (c) y = Sigmoid (p) }",
      3, "float[?,3,1,1]", "float[3,3,1,1]", "float[3]", &op_softmax },
    /* weights that are made of others */
    { ROWS("6", "float[6] b") "<float[6,3] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9}>\n{ " LAYER
                              "t = Transpose (v) w = Identity (t) y = Gemm (r, w, b) }",
      5, "float[?,5]", "float[3,5]", "float[5]", &op_gemm },
    { ROWS("6", "float[6] b") "<int8[3,6] v = {1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6}, float s = {0.5}>\n{ " LAYER
                              "d = Cast <to = 1> (v) w = Mul (d, s) y = Gemm (r, w, b) }",
      5, "float[?,5]", "float[3,5]", "float[5]", &op_gemm },
    { ROWS("6", "float[6] b") "<double[3,6] v = {1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6}>\n{ " LAYER
                              "w = Cast <to = 1> (v) y = Gemm (r, w, b) }",
      5, "float[?,5]", "float[3,5]", "float[5]", &op_gemm },
    { HEAD "g (float[N,3] x) => (float[N,6] y) <float16[3,6] w = {1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6}>\n"
           "{ r = Cast <to = 10> (x) z = MatMul (r, w) y = Cast <to = 1> (z) }",
      5, "float[?,5]", "float16[3,5]", "float16[5]", &op_cast },
    /* read by an embedding, too, which keeps it */
    { HEAD "g (float[N,6] x) => (float[N,6] y) <float[6,3] w = {1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6}>\n"
           "{ e = MatMul (x, w) y = Gemm <transB = 1> (e, w) }",
      5, "float[?,5]", "float[5,3]", "float[5]", &op_gemm },
    /* as many as before */
    { ROWS("6", "float[3,6] w, float[6] b, float[6] c") "{ " LAYER "z = Gemm (r, w, b) y = Mul (z, c) }", 6,
      "float[?,6]", "float[3,6]", "float[6]", &op_mul },
    /* a temperature is no number for each class, and a part of the positions none of the classes */
    { ROWS("6", "float[3,6] w, float[6] b") "<float[1] c = {2}>\n{ " LAYER "z = Gemm (r, w, b) y = Div (z, c) }", 5,
      "float[?,5]", "float[3,5]", "float[5]", &op_div },
    { HEAD "g (float[N,7,4] x, float[4,6] w) => (float[N,6] y) <int64 i = {0}>\n"
           "{ z = MatMul (x, w) y = Gather <axis = 1> (z, i) }",
      5, "float[?,5]", "float[4,5]", "float[5]", &op_gather },
    { HEAD "g (float[N,4] x, float[4,6] w) => (float[N,1,6] y) <int64[1] a = {1}>\n"
           "{ z = MatMul (x, w) y = Unsqueeze (z, a) }",
      5, "float[?,1,5]", "float[4,5]", "float[5]", &op_unsqueeze },
};

static const char *declared(const struct model *m, char text[TYPE_TEXT])
{
    struct tensor t;

    expect_ok(type_of_proto(&t, m->proto->graph->output[0]->type, "y", &report));
    return tensor_text(&t, text);
}

/* Before the head everything is what it was: the first node that differs is the head. */
static void expect_same_before(const struct model *m, const struct model *made, const char *head)
{
    struct dataset data;
    struct calibration c = { .data = &data, .threads = 1 };
    const struct node *n;

    expect_ok(random_samples(&data, m, &budget, &report));
    n = compare_nodes(m, made, &c, 1e-7, &arena, &report);
    ck_assert(!failed(&report));
    ck_assert_msg(!n || (n->out[0] && strcmp(n->out[0]->name, head) == 0), "%s '%s' differs", n->op_name,
                  n->out[0]->name);
    dataset_release(&data);
}

/* Uniform within Glorot's bounds. */
static void expect_glorot(const struct tensor *t)
{
    element_get *const get = element_getter(t->dtype);
    const double fans = (double)((t->dims[0] + t->dims[1]) * dims_product(t->dims, 2, t->rank)), bound = sqrt(6 / fans);
    double most = 0;

    for (int64_t k = 0; k < tensor_count(t); k++)
        most = fmax(most, fabs(get(t->data, k)));
    ck_assert_double_gt(most, bound / 3);
    ck_assert_double_le(most, bound * 1.001);
}

START_TEST(a_head_becomes_one_of_other_classes)
{
    const struct adapt_options o = { .classes = heads[_i].classes };
    struct model *m = model_of(heads[_i].text), *made = adapt(m, o), *again;
    const struct tensor *weight, *bias;
    char text[TYPE_TEXT];

    expect_ok(made);
    ck_assert_str_eq(declared(made, text), heads[_i].output);
    ck_assert_uint_eq(out.head.count, 2);
    weight = content(made, out.head.at[0]);
    bias = content(made, out.head.at[1]);
    if (weight->rank < bias->rank || tensor_count(bias) > tensor_count(weight)) {
        const struct tensor *swapped = weight;

        weight = bias;
        bias = swapped;
    }
    ck_assert_str_eq(tensor_text(weight, text), heads[_i].weight);
    ck_assert_str_eq(tensor_text(bias, text), heads[_i].bias);
    ck_assert(node_is(made->graph->outputs[0]->producer, heads[_i].last));
    expect_glorot(weight);
    for (int64_t k = 0; k < tensor_count(bias); k++)
        ck_assert(element_getter(bias->dtype)(bias->data, k) == 0);
    ck_assert_str_eq(out.training.at[0], "y");
    ck_assert_uint_eq(out.training.count, 1);
    ck_assert_ptr_nonnull(strstr(out.changed, "the head, from node '"));
    ck_assert(said("head: "));
    expect_same_before(m, made, head_name());
    again = model_copy(made, &report);
    forget(m, made);
    m = model_of(heads[_i].text);
    made = adapt(m, o);
    ck_assert(message_equal(made->proto, again->proto)); /* the same bytes each time */
    model_free(again);
    forget(m, made);
}
END_TEST

/* What is declared of values behind the head follows, or goes where it cannot be told. */
START_TEST(declarations_follow)
{
    static const char text[] =
        ROWS("6", "float[3,6] w, float[6] b") "<float[N,6] z, float[N,3] r, int64[N,1] i, float[N,12] q>\n"
                                              "{ " LAYER "z = Gemm (r, w, b) q = Concat <axis = 1> (z, z) i = ArgMax "
                                              "<axis = 1> (z) y = Softmax (z) }";
    const struct adapt_options o = { .classes = 5 };
    struct model *m = model_of(text), *made = adapt(m, o);

    expect_ok(made);
    ck_assert_int_eq(graph_find(made->graph, "z")->type.dims[1], 5);
    ck_assert_int_eq(graph_find(made->graph, "r")->type.dims[1], 3);
    ck_assert(!graph_find(made->graph, "q")->has_type && !graph_find(made->graph, "i")->has_type);
    forget(m, made);
}
END_TEST

/* A weight that others read stays for them; a name that nobody else has stays the head's. */
START_TEST(a_tied_weight_stays_for_others)
{
    static const char text[] =
        HEAD "g (float[N,6] x) => (float[N,6] y) <float[6,3] w = {1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6}>\n"
             "{ e = MatMul (x, w) [fc] y = Gemm <transB = 1> (e, w) }";
    const struct adapt_options o = { .classes = 4 };
    struct model *m = model_of(text), *made = adapt(m, o);

    expect_ok(made);
    ck_assert_int_eq(tensor_count(content(made, "w")), 18);
    ck_assert_double_eq((double)((const float *)content(made, "w")->data)[17], 6);
    ck_assert_str_eq(out.head.at[0], "w.1");
    ck_assert_str_eq(out.head.at[1], "fc/bias");
    ck_assert_str_eq(head_name(), "fc");
    forget(m, made);
}
END_TEST

/* The file's own rule for a parameter holds for the new one. */
START_TEST(metadata_say_how_it_is_drawn)
{
    static const char text[] =
        "<ir_version: 9, opset_import: [\"\": 17], metadata_props: [\"init.w\": \"ones\", \"init.b\": "
        "\"constant:0.5\"]>\n"
        "g (float[N,4] x, float[4,6] w, float[6] b) => (float[N,6] y) { y = Gemm (x, w, b) }";
    const struct adapt_options o = { .classes = 5 };
    struct model *m = model_of(text), *made = adapt(m, o);

    expect_ok(made);
    ck_assert_double_eq((double)((const float *)content(made, "w")->data)[19], 1);
    ck_assert_double_eq((double)((const float *)content(made, "b")->data)[4], .5);
    ck_assert(said("weight ones"));
    forget(m, made);
}
END_TEST

/* What was decided of a head that is gone holds no more; of all else it does. */
START_TEST(old_decisions_go_with_the_head)
{
    static const char text[] =
        "<ir_version: 9, opset_import: [\"\": 17], metadata_props: [\"kiln.role.w\": \"frozen\", \"kiln.role.u\": "
        "\"frozen\", "
        "\"kiln.layer.w\": \"fc\", \"kiln.loss.y\": \"mean_squared_error\", \"kiln.loss.h\": \"mean_squared_error\", "
        "\"mine\": \"stays\"]>\n"
        "g (float[N,4] x, float[4,3] u, float[3,6] w) => (float[N,6] y, float[N,3] h) { h = MatMul (x, u) y = MatMul "
        "(h, w) }";
    struct model *m = model_of(text), *made = adapt(m, (struct adapt_options){ .classes = 5 });

    expect_ok(made);
    ck_assert_uint_eq(out.head.count, 2);
    expect_text(made, "\"kiln.role.w\": \"trainable\"");
    expect_text(made, "\"kiln.role.u\": \"frozen\"");
    expect_text(made, "\"kiln.loss.h\": \"mean_squared_error\"");
    expect_text(made, "\"mine\": \"stays\"");
    ck_assert_ptr_null(decided_once(made, DECIDED_LOSS, "y"));
    forget(m, made);
}
END_TEST

/* What a head had and nobody reads any more goes with it; what nobody read before stays. */
START_TEST(what_is_not_read_any_more_goes)
{
    static const char text[] = ROWS(
        "6", "float[6] b") "<float[6,3] v = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9}, float[2] unread = {1,2}>\n{ " LAYER
                           "t = Transpose (v) w = Identity (t) dead = Relu (r) y = Gemm (r, w, b) }";
    const struct adapt_options o = { .classes = 5 };
    struct model *m = model_of(text), *made = adapt(m, o);

    expect_ok(made);
    ck_assert_ptr_null(graph_find(made->graph, "v"));
    ck_assert_ptr_null(graph_find(made->graph, "t"));
    ck_assert_ptr_nonnull(graph_find(made->graph, "unread"));
    ck_assert_ptr_nonnull(graph_find(made->graph, "dead"));
    forget(m, made);
}
END_TEST

static const struct {
    const char *text;
    int classes;
    kiln_status code;
    const char *says;
} refusals[] = {
    { ROWS("3", "float[3] w") "{ " LAYER "y = Mul (r, w) }", -1, KILN_BAD_ARGUMENT, "classes is -1" },
    { HEAD "g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", 5, KILN_UNSUPPORTED,
      "output 'y' comes from 'x' without a Gemm, MatMul or Conv" },
    { HEAD "g (float[N,4] x, float[4,4] w) => (float[N,4] y) { a = MatMul (x, w) y = Add (a, x) }", 5, KILN_UNSUPPORTED,
      "output 'y' comes from here" },
    { HEAD "g (float[N,4] x, float[4,4] w) => (float[N,N] y) { a = MatMul (x, w) t = Transpose (a) y = MatMul (a, t) }",
      5, KILN_UNSUPPORTED, "output 'y' comes from here" },
    { HEAD "g (float[N,4] x, float[4,4] w) => (int64[N] y) { a = MatMul (x, w) y = ArgMax <keepdims = 0> (a) }", 5,
      KILN_UNSUPPORTED, "output 'y' comes from here" },
    { HEAD "g (float[N,4] x, float[4] w) => (float[N] y) { y = MatMul (x, w) }", 5, KILN_UNSUPPORTED,
      "output 'y' comes from here" },
    { ROWS("6", "float[3,6] w, float[6] c") "{ " LAYER "z = MatMul (r, w) q = Relu (z) y = Mul (q, c) }", 5,
      KILN_UNSUPPORTED, "reads a constant that has a number for each of the 6 classes" },
    { ROWS("6", "float[3,6] w, float[6] b, float[6] c") "{ " LAYER "z = MatMul (r, w) q = Add (z, b) y = Add (q, c) }",
      5, KILN_UNSUPPORTED, "reads a constant that has a number for each of the 6 classes" },
    { ROWS("6", "float[3,6] w, float[6] b, float[6] c") "{ " LAYER "z = Gemm (r, w, b) y = Add (z, c) }", 5,
      KILN_UNSUPPORTED, "reads a constant that has a number for each of the 6 classes" },
    { HEAD "g (float[N,3,4,4] x, float[6,3,1,1] w) => (float[N,96] y) { c = Conv (x, w) y = Flatten (c) }", 5,
      KILN_UNSUPPORTED, "from here on output \'y\' has no dimension for its classes, 6 until now" },
    { HEAD "g (float[N,4] x, float[4,1] w) => (float[N] y) <int64[1] a = {1}> { z = MatMul (x, w) y = Squeeze (z, a) }",
      5, KILN_UNSUPPORTED, "from here on output \'y\' has no dimension for its classes, 1 until now" },
    { HEAD
      "g (float[N,4] x, float[4,1] w) => (float[N] y) <int64[1] a = {-1}> { z = MatMul (x, w) y = Reshape (z, a) }",
      5, KILN_UNSUPPORTED, "from here on output \'y\' has no dimension for its classes, 1 until now" },
    { HEAD
      "g (float[1,4] x, float[4,1] w) => (float[1] y) <int64[1] a = {-1}> { z = MatMul (x, w) y = Reshape (z, a) }",
      5, KILN_UNSUPPORTED, "from here on output \'y\' has no dimension for its classes, 1 until now" },
    { ROWS("6", "float[3,6] w") "{ " LAYER "z = MatMul (r, w) y = LogSoftmax (z) }", 1, KILN_BAD_ARGUMENT,
      "classes is 1, of which LogSoftmax makes 0" },
    { HEAD "g (float[N,4,4,4] x, float[6,2,1,1] w) => (float[N,6,4,4] y) { y = Conv <group = 2> (x, w) }", 5,
      KILN_BAD_ARGUMENT, "classes is 5, the head is a convolution of 2 groups" },
    { OPSET(11) "g (float[N,3,4,4] x, float[1,3,1,1] w) => (float[N,1,4,4] y) { c = Conv (x, w) y = Sigmoid (c) }", 3,
      KILN_UNSUPPORTED,
      "with 3 classes, classes are in dimension 1 of 4, along which there is a Softmax from opset 13" },
    { ROWS("6", "float[3,6] w") "<int64[2] n = {2,4}>\n{ " LAYER
                                "z = MatMul (r, w) a, b = Split <axis = 1> (z, n) y = Concat <axis = 1> (a, b) }",
      5, KILN_UNSUPPORTED, "output 'y' comes from here" },
    { "<ir_version: 9, opset_import: [\"\": 17, \"f\": 1]>\n"
      "g (float[N,4] x, float[4,6] w) => (float[N,6] y) { y = f.dense (x, w) }\n"
      "<opset_import: [\"\": 17], domain: \"f\"> dense (X, W) => (Y) { Y = MatMul (X, W) }",
      5, KILN_UNSUPPORTED, "the head of output 'y' is in a function" },
};

START_TEST(what_cannot_have_other_classes_is_named)
{
    const struct adapt_options o = { .classes = refusals[_i].classes, .keep_batch = true };

    refuse(refusals[_i].text, o, refusals[_i].code, refusals[_i].says);
}
END_TEST

/* An initializer that had to be an input as well is one no more: nothing behind a shape that the caller may change
 * trains. One that need not have been stays an input. */
START_TEST(defaults_become_constants)
{
    static const char meant[] =
        HEAD "g (float[N,4] x, float[4] w) => (float[N,4] y) <float[4] w = {1,2,3,4}> { y = Mul (x, w) }";
    static const char text[] =
        "<ir_version: 3, opset_import: [\"\": 9]>\n"
        "g (float[N,4] x, float[4,6] w, int64[2] s) => (float[N,6] y)\n"
        "<float[4,6] w = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}, int64[2] s = {-1,6}>\n"
        "{ z = MatMul (x, w) y = Reshape (z, s) }";
    struct model *m = model_of(text), *made = adapt(m, (struct adapt_options){ 0 });

    expect_ok(made);
    ck_assert_uint_eq(made->proto->graph->n_input, 1);
    ck_assert_int_eq(made->proto->ir_version, 4);
    ck_assert(said("2 initializers that are inputs as well"));
    ck_assert_int_eq(tensor_count(content(made, "s")), 2);
    forget(m, made);
    m = model_of(meant);
    made = adapt(m, (struct adapt_options){ 0 });
    expect_ok(made);
    ck_assert_uint_eq(made->proto->graph->n_input, 2);
    forget(m, made);
}
END_TEST

/* -- heads from files -- */

#define BASE                                                                                                           \
    "<ir_version: 8, opset_import: [\"\": 17], metadata_props: [\"init.w\": \"ones\"]>\n"                              \
    "g (float[N,4] x, float[4,3] u, float[3,6] w, float[6] b) => (float[N,6] y)\n"                                     \
    "{ h = MatMul (x, u) [act] r = Relu (h) [fc] z = Gemm (r, w, b) y = Softmax (z) }"

static struct model *file_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

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

/* -- what trains -- */

static const char several[] =
    HEAD "g (float[N,4] x, float[4,3] u, float[3,6] w, float[3,2] v) => (float[N,6] y, float[N,2] z)\n"
         "{ h = MatMul (x, u) r = Relu (h) [fc] y = MatMul (r, w) [other] z = MatMul (r, v) }";

START_TEST(outputs_that_train_are_named)
{
    static const char *const second[] = { "z" }, *const both[] = { "z", "y" }, *const twice[] = { "y", "y" },
                             *const none[] = { "p" }, *const late[] = { "y", "p" };
    struct model *m = model_of(several), *made = adapt(m, (struct adapt_options){ 0 });

    expect_ok(made);
    ck_assert_str_eq(out.training.at[0], "y");
    ck_assert_uint_eq(out.training.count, 1);
    ck_assert_uint_eq(out.unreached.count, 1);
    ck_assert_str_eq(out.unreached.at[0], "v");
    ck_assert(said("1 parameter that no gradient reaches: 'v'") && said("stays, does not train"));
    ck_assert_ptr_null(out.changed);
    forget(m, made);
    m = model_of(several);
    made = adapt(m, (struct adapt_options){ .outputs = second, .output_count = 1, .classes = 5 });
    expect_ok(made);
    ck_assert_str_eq(out.training.at[0], "z");
    ck_assert_int_eq(made->graph->outputs[1]->type.dims[1], 5);
    ck_assert_int_eq(content(made, "w")->dims[1], 6);
    ck_assert_str_eq(head_name(), "other");
    forget(m, made);
    m = model_of(several);
    made = adapt(m, (struct adapt_options){ .outputs = both, .output_count = 2 });
    expect_ok(made);
    ck_assert_str_eq(out.training.at[1], "y");
    ck_assert_uint_eq(out.unreached.count, 0);
    forget(m, made);
    refuse(several, (struct adapt_options){ .outputs = twice, .output_count = 2 }, KILN_BAD_ARGUMENT,
           "output 'y' is to train twice");
    refuse(several, (struct adapt_options){ .outputs = none, .output_count = 1 }, KILN_BAD_ARGUMENT,
           "there is no output 'p' that could train, the model has 'y' and 'z'");
    refuse(several, (struct adapt_options){ .outputs = late, .output_count = 2 }, KILN_BAD_ARGUMENT,
           "there is no output 'p' that could train");
}
END_TEST

START_TEST(all_but_the_head_is_frozen)
{
    static const char text[] = HEAD
        "g (float[N,4] x, float[4,3] u, float[3,6] w, float[6] b) => (float[N,6] y)\n"
        "<float[3] s = {1,2,3}, float[3] t = {0,0,1}, float[3] m = {0,0,0}, float[3] v = {1,1,1}>\n"
        "{ h = MatMul (x, u) n = BatchNormalization (h, s, t, m, v) z = MatMul (n, w) a = Add (z, b) y = Softmax (a) }";
    static const char bare[] =
        HEAD "g (float[N,4] x) => (float[N,2] y) <int8[4,2] w = {1,2,3,4,5,6,7,8}, float s = {0.5}>\n"
             "{ d = Cast <to = 1> (w) v = Mul (d, s) y = MatMul (x, v) }";
    struct model *m = model_of(text), *made = adapt(m, (struct adapt_options){ .freeze_backbone = true });

    expect_ok(made);
    ck_assert_uint_eq(out.head.count, 2);
    ck_assert_str_eq(out.head.at[0], "w");
    ck_assert_str_eq(out.head.at[1], "b");
    ck_assert_uint_eq(out.frozen.count, 3);
    ck_assert_str_eq(out.frozen.at[0], "u");
    ck_assert_str_eq(out.frozen.at[2], "t");
    ck_assert(said("3 parameters before the head: 'u', 's' and 't'"));
    ck_assert_ptr_null(out.changed);
    forget(m, made);
    refuse(bare, (struct adapt_options){ .freeze_backbone = true }, KILN_BAD_MODEL,
           "the head has no parameter that trains");
}
END_TEST

/* -- trained -- */

enum { SAMPLES = 12, STEPS = 60 };

/* Loss of the first and the last step, of classes by the largest of three numbers. */
static struct model *learn(const struct model *m, const struct parameter_patterns *patterns, float *first, float *last)
{
    const struct target_options target = { .output = out.training.at[0], .form = TARGETS_CLASSES, .classes = 3 };
    const struct trainer_options o = {
        .targets = 1, .target = &target, .optimizer = "adam:learning_rate=0.05", .threads = 1, .patterns = *patterns
    };
    struct tensor x = { .dtype = F32, .rank = 2, .dims = { SAMPLES, 4 } },
                  y = { .dtype = I64, .rank = 1, .dims = { SAMPLES } };
    struct trainer *t = trainer_new(m, &o, &report);
    float values[SAMPLES * 4];
    int64_t labels[SAMPLES];
    struct model *learned;

    expect_ok(t);
    elements_draw(F32, values, SAMPLES * 4, 3, 1);
    for (int k = 0; k < SAMPLES; k++) {
        const float *v = &values[4 * k];

        labels[k] = v[0] >= v[1] && v[0] >= v[2] ? 0 : v[1] >= v[2] ? 1 : 2;
    }
    x.data = values;
    y.data = labels;
    for (int k = 0; k < STEPS; k++) {
        expect_ok(trainer_step(t, &x, &y, last, &report));
        *first = k ? *first : *last;
    }
    learned = trainer_export(t, &report);
    expect_ok(learned && model_build(learned, &report));
    trainer_free(t);
    return learned;
}

static bool same(const struct model *a, const struct model *b, const char *name)
{
    const struct tensor *t = content(a, name), *u = content(b, name);

    return same_type(t, u) && !memcmp(t->data, u->data, (size_t)tensor_bytes(t));
}

static const char network[] = HEAD
    "g (float[N,4] x, float[4,8] u, float[8] a, float[8,6] w, float[6] b) => (float[N,6] y)\n"
    "<float[8] s = {1,1,1,1,1,1,1,1}, float[8] t = {0,0,0,0,0,0,0,0}, float[8] m = {0,0,0,0,0,0,0,0}, float[8] v = "
    "{1,1,1,1,1,1,1,1}>\n"
    "{ h = Gemm (x, u, a) n = BatchNormalization (h, s, t, m, v) r = Relu (n) z = Gemm (r, w, b) y = Softmax (z) }";

START_TEST(a_new_head_learns)
{
    struct model *m = model_of(network), *made = adapt(m, (struct adapt_options){ .classes = 3 }), *learned;
    float first, last;

    expect_ok(made);
    learned = learn(made, &(struct parameter_patterns){ 0 }, &first, &last);
    ck_assert_float_lt(last, first / 2);
    ck_assert(!same(made, learned, "u") && !same(made, learned, "w") && !same(made, learned, "m"));
    model_free(learned);
    forget(m, made);
}
END_TEST

START_TEST(a_new_head_learns_alone)
{
    struct model *m = model_of(network), *learned;
    struct model *made = adapt(m, (struct adapt_options){ .classes = 3, .freeze_backbone = true });
    struct parameter_patterns patterns = { .freeze = out.frozen.at, .freezes = out.frozen.count };
    float first, last;

    expect_ok(made);
    ck_assert_uint_eq(patterns.freezes, 4);
    learned = learn(made, &patterns, &first, &last);
    ck_assert_float_lt(last, first * .8f);
    for (size_t k = 0; k < patterns.freezes; k++)
        ck_assert(same(made, learned, patterns.freeze[k]));
    ck_assert(same(made, learned, "m") &&
              same(made, learned, "v")); /* in inference form, as Keras' trainable = False */
    ck_assert(!same(made, learned, "w") && !same(made, learned, "b"));
    model_free(learned);
    forget(m, made);
}
END_TEST

START_TEST(a_head_from_a_file_learns)
{
    struct model *h = file_of(HEAD "head (float[N,8] x, float[8,5] w, float[5,3] u) => (float[N,3] y)\n"
                                   "{ h = MatMul (x, w) r = Relu (h) z = MatMul (r, u) y = Softmax (z) }");
    struct model *m = model_of(network), *made = adapt(m, (struct adapt_options){ .head = h }), *learned;
    float first, last;

    expect_ok(made);
    learned = learn(made, &(struct parameter_patterns){ 0 }, &first, &last);
    ck_assert_float_lt(last, first / 2);
    model_free(learned);
    model_free(h);
    forget(m, made);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_head");

    add_tests(s, a_head_becomes_one_of_other_classes, (int)(sizeof heads / sizeof *heads));
    add_test(s, declarations_follow);
    add_test(s, a_tied_weight_stays_for_others);
    add_test(s, metadata_say_how_it_is_drawn);
    add_test(s, old_decisions_go_with_the_head);
    add_test(s, what_is_not_read_any_more_goes);
    add_test(s, defaults_become_constants);
    add_tests(s, what_cannot_have_other_classes_is_named, (int)(sizeof refusals / sizeof *refusals));
    add_test(s, a_graph_takes_the_place_of_the_head);
    add_test(s, functions_come_with_it);
    add_test(s, subgraphs_come_with_it);
    add_test(s, outputs_of_the_old_head_go);
    add_test(s, a_head_may_be_all_there_is);
    add_tests(s, a_head_that_does_not_fit_is_refused, (int)(sizeof misfits / sizeof *misfits));
    add_test(s, classes_and_a_head_exclude_each_other);
    add_test(s, outputs_that_train_are_named);
    add_test(s, all_but_the_head_is_frozen);
    add_test(s, a_new_head_learns);
    add_test(s, a_new_head_learns_alone);
    add_test(s, a_head_from_a_file_learns);
    return s;
}
