/* Another head in the place of the one that a file has: which layer that is, what becomes of it and of what is behind it. */
#include "heading.h"

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
    ck_assert_str_eq(decided_once(made, DECIDED_LOSS, "y"), "sparse_categorical_crossentropy:from_logits=true");
    forget(m, made);
}
END_TEST

#define LOGITS  ROWS("6", "float[3,6] w") "{ " LAYER "y = Gemm (r, w) }"
#define OF(op)  ROWS("6", "float[3,6] w") "{ " LAYER "z = Gemm (r, w) y = " op " (z) }"
#define ONE(op) ROWS("1", "float[3,1] w") "{ " LAYER "z = Gemm (r, w) y = " op " (z) }"
#define SPARSE  "sparse_categorical_crossentropy"
#define SCORED  SPARSE ":from_logits=true"

/* The loss of a new head. */
static const struct {
    const char *text;
    int64_t classes, least, count; /* asked for; of the labels that the old head had: 0: there are none */
    bool numbers;                  /* these are floats */
    const char *graft, *want, *because;
    const char *doubt; /* what is told of these labels; NULL: nothing */
} losses[] = {
    { LOGITS, 3, 0, 4, false, NULL, SCORED, "a head of 3 classes was asked for",
      "labels go from 0 to 3, it has 3 numbers for a label" },
    { LOGITS, 8, 0, 4, false, NULL, SCORED, "a head of 8 classes was asked for", NULL },
    { LOGITS, 4, 0, 4, false, NULL, SCORED, "a head of 4 classes was asked for", NULL },
    { LOGITS, 4, 1, 5, false, NULL, SCORED, "a head of 4 classes was asked for", ": these begin at 1" },
    { LOGITS, 3, 0, 0, false, NULL, SCORED, "a head of 3 classes was asked for", NULL },
    { LOGITS, 3, 0, 0, true, NULL, SCORED, "a head of 3 classes was asked for",
      "1 number of a sample is to be predicted, it has 3" },
    { LOGITS, 1, 0, 4, false, NULL, NULL, NULL,
      "another one was put in its place" }, /* a number, or a logit: training tells */
    { OF("LogSoftmax"), 3, 0, 6, false, NULL, SCORED, "a head of 3 classes was asked for", "labels go from 0 to 5" },
    { OF("Softmax"), 3, 0, 6, false, NULL, SPARSE, "the model ends in Softmax", "labels go from 0 to 5" },
    { OF("Softmax"), 8, 0, 6, false, NULL, SPARSE, "the model ends in Softmax", NULL },
    { OF("Softmax"), 8, 0, 0, false, NULL, SPARSE, "the model ends in Softmax", NULL },
    { OF("Sigmoid"), 3, 0, 6, false, NULL, "binary_crossentropy", "the model ends in Sigmoid",
      "labels go from 0 to 5" },
    { ONE("Sigmoid"), 2, 0, 4, false, NULL, "binary_crossentropy", "the model ends in Sigmoid",
      "labels go from 0 to 3, a number of it tells 2 apart" },
    { ONE("Sigmoid"), 2, 0, 0, false, NULL, "binary_crossentropy", "the model ends in Sigmoid", NULL },
    { ONE("Sigmoid"), 3, 0, 2, false, NULL, SPARSE, "the model ends in Softmax", NULL },
    { HEAD "g (float[N,4] x, float[2,4,1,1] u, float[6,2,1,1] w) => (float[N,6,1,1] y) <int64[4] s = {-1,4,1,1}>\n"
           "{ r = Reshape (x, s) h = Conv (r, u) y = Conv (h, w) }",
      3, 0, 6, false, NULL, SCORED, "a head of 3 classes was asked for", "labels go from 0 to 5" },
    { LOGITS, 0, 0, 3, false, "{ y = Identity (f) }", NULL, NULL, "another one was put in its place" },
    { LOGITS, 0, 0, 4, false, "{ y = Softmax (f) }", SPARSE, "the model ends in Softmax", "labels go from 0 to 3" },
};

static const char *evidence_of(const char *found)
{
    for (size_t k = 0; k < out.findings.count; k++)
        if (strncmp(out.findings.at[k].found, found, strlen(found)) == 0)
            return out.findings.at[k].evidence;
    return NULL;
}

/* What data the old head had says nothing of the new one: that classes were asked for does. */
START_TEST(a_new_head_has_its_own_loss)
{
    float x[8][4] = { { 1, 2, 3, 4 }, { 4, 3, 2, 1 }, { 0, 1, 0, 1 } }, numbers[8] = { .5f };
    int64_t labels[8];
    struct column columns[2] = { { .values = { .dtype = F32, .rank = 2, .dims = { 8, 4 }, .data = (void *)x } },
                                 { .values = { .dtype = I64, .rank = 1, .dims = { 8 }, .data = labels },
                                   .classes = (int)losses[_i].count,
                                   .least = losses[_i].least } };
    const struct dataset d = {
        .x = columns, .y = columns + 1, .inputs = 1, .targets = 1, .count = 8, .budget = &budget
    };
    struct adapt_options o = { .classes = losses[_i].classes };
    struct model *m = model_of(losses[_i].text), *made, *graft = NULL;
    const char *got, *because, *doubt;
    char head[200];

    for (int64_t k = 0; k < 8; k++)
        labels[k] = losses[_i].count ? losses[_i].least + k % (losses[_i].count - losses[_i].least) : 0;
    if (losses[_i].numbers)
        columns[1].values = (struct tensor){ .dtype = F32, .rank = 1, .dims = { 8 }, .data = numbers };
    if (losses[_i].count || losses[_i].numbers)
        o.data = &d;
    if (losses[_i].graft) {
        snprintf(head, sizeof head, "%sg (float[N,3] f) => (float[N,3] y) %s", HEAD, losses[_i].graft);
        o.head = graft = file_of(head);
    }
    made = adapt(m, o);
    expect_ok(made);
    got = decided_once(made, DECIDED_LOSS, "y");
    ck_assert_msg(losses[_i].want ? got && strcmp(got, losses[_i].want) == 0 : !got, "%s", got ? got : "none");
    because = evidence_of("the loss");
    doubt = evidence_of("labels ");
    ck_assert(losses[_i].want ? strstr(because, losses[_i].because) != NULL : !because);
    ck_assert_msg(losses[_i].doubt ? doubt && strstr(doubt, losses[_i].doubt) : !doubt, "%s", doubt ? doubt : "none");
    forget(m, made);
    model_free(graft);
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

Suite *suite(void)
{
    Suite *s = suite_create("adapt_head");

    add_tests(s, a_head_becomes_one_of_other_classes, (int)(sizeof heads / sizeof *heads));
    add_test(s, declarations_follow);
    add_test(s, a_tied_weight_stays_for_others);
    add_test(s, metadata_say_how_it_is_drawn);
    add_test(s, old_decisions_go_with_the_head);
    add_tests(s, a_new_head_has_its_own_loss, (int)(sizeof losses / sizeof *losses));
    add_test(s, what_is_not_read_any_more_goes);
    add_test(s, defaults_become_constants);
    add_tests(s, what_cannot_have_other_classes_is_named, (int)(sizeof refusals / sizeof *refusals));
    return s;
}
