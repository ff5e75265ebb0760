/* Where gradients flow and what is kept for them, as a program that has nothing but kiln.h asks for it. */
#include "public.h"
#include <stdio.h>

static const char net[] =
    "<ir_version: 8, opset_import: [\"\": 17]>\n"
    "net (float[N,4] x, int64[N] i) => (float[N,3] y, int64[N] top)\n"
    "<float[4,5] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20}, float[5] b = {1,2,3,4,5},\n"
    " float[5,3] v = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}, float[2,5] e = {1,2,3,4,5,6,7,8,9,10},\n"
    " float[5] z = {1,2,3,4,5}, float[5] q = {5,4,3,2,1}> {\n"
    "    h = MatMul (x, w) hb = Add (h, b) r = Relu (hb) em = Gather (e, i) s = Add (r, em)\n"
    "    zz = Mul (s, z) rr = Round (zz) fl = Add (rr, s)\n"
    "    qm = Mul (s, q) am = ArgMax <axis = 1, keepdims = 0> (qm) ge = Gather (e, am) f = Add (fl, ge)\n"
    "    [\"last\"] l = MatMul (f, v) y = Softmax (l) top = ArgMax <axis = 1, keepdims = 0> (y)\n}";

/* Those that are looked at, with their models, which they need. */
static struct {
    kiln_gradients *gradients;
    kiln_model *model;
} looked[2];

static void forget(kiln_gradients *g)
{
    const int k = looked[0].gradients != g;

    kiln_gradients_free(g);
    kiln_model_free(looked[k].model);
    looked[k].gradients = NULL;
}

static kiln_gradients *look(const char *text, int64_t batch, bool recompute)
{
    const int k = looked[0].gradients != NULL;
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    kiln_gradients *g;

    o.recompute = recompute;
    ok(kiln_gradients_new(&g, m, &o, batch, &err));
    looked[k].gradients = g;
    looked[k].model = m;
    return g;
}

static const kiln_gradient_node *node(const kiln_gradients *g, const char *name)
{
    for (size_t k = 0; k < kiln_gradients_node_count(g); k++)
        if (strcmp(kiln_gradients_node(g, k)->name, name) == 0)
            return kiln_gradients_node(g, k);
    ck_abort_msg("no node '%s'", name);
}

static const kiln_gradient_parameter *parameter(const kiln_gradients *g, const char *name)
{
    for (size_t k = 0; k < kiln_gradients_parameter_count(g); k++)
        if (strcmp(kiln_gradients_parameter(g, k)->name, name) == 0)
            return kiln_gradients_parameter(g, k);
    ck_abort_msg("no parameter '%s'", name);
}

/* "s, e": what it goes on to. */
static void goes_on_to(const kiln_gradients *g, const char *name, const char *need)
{
    const kiln_gradient_node *n = node(g, name);
    char got[200] = "";

    for (size_t k = 0; k < n->goes_on_to; k++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", k ? ", " : "", n->values[k]);
    ck_assert_msg(n->flow == KILN_FLOW_GRADIENT && strcmp(got, need) == 0, "%s: %s '%s', need '%s'", name,
                  kiln_flow_name(n->flow), got, need);
}

static void ends(const kiln_gradients *g, const char *name, kiln_flow flow, const char *why)
{
    const kiln_gradient_node *n = node(g, name);

    ck_assert_msg(n->flow == flow && strstr(n->why, why), "%s: %s '%s', need %s '%s'", name, kiln_flow_name(n->flow),
                  n->why, kiln_flow_name(flow), why);
}

static void keeps(const kiln_gradient_kept *k, const char *name, const char *type, int64_t bytes, kiln_keeping how)
{
    ck_assert_str_eq(k->name, name);
    ck_assert_str_eq(k->type, type);
    ck_assert_int_eq(k->bytes, bytes);
    ck_assert_int_eq(k->how, how);
}

START_TEST(what_flows_where_is_told)
{
    kiln_gradients *g = look(net, 8, false);
    const kiln_gradients_info *i = kiln_gradients_about(g);
    size_t count;

    ck_assert_msg(i->planned && !*i->error, "%s", i->error);
    ck_assert_int_eq(i->batch, 8);
    ck_assert_str_eq(kiln_gradients_input_type(g, 1), "int64[8]");
    ck_assert_ptr_null(kiln_gradients_input_type(g, 2));
    ck_assert_uint_eq(kiln_gradients_target_count(g), 1);
    ck_assert_str_eq(kiln_gradients_target(g, 0)->output, "y");
    ck_assert_ptr_nonnull(strstr(kiln_gradients_target(g, 0)->loss, "because the model ends in Softmax"));
    ck_assert_str_eq(kiln_gradients_target(g, 0)->from, "l");
    ends(g, "y", KILN_FLOW_NONE, ""); /* the loss reads what it reads */
    goes_on_to(g, "last", "f, v");
    goes_on_to(g, "f", "fl, ge");
    goes_on_to(g, "fl", "rr, s");
    goes_on_to(g, "h", "w");
    ends(g, "rr", KILN_FLOW_ZERO, "constant in pieces");
    ends(g, "ge", KILN_FLOW_GRADIENT, "'am' is int64");
    goes_on_to(g, "ge", "e");
    ends(g, "am", KILN_FLOW_NONE, "");
    ends(g, "top", KILN_FLOW_NONE, "");
    keeps(&node(g, "last")->keep[0], "f", "float[8,5]", 160, KILN_KEPT);
    keeps(&node(g, "last")->keep[1], "v", "float[5,3]", 60, KILN_KEPT_OUTSIDE);
    keeps(&node(g, "r")->keep[0], "r", "float[8,5]", 160, KILN_KEPT);
    keeps(&node(g, "ge")->keep[0], "am", "int64[8]", 64, KILN_KEPT);
    keeps(&node(g, "em")->keep[0], "i", "int64[8]", 64, KILN_KEPT_OUTSIDE);
    ck_assert_uint_eq(node(g, "hb")->kept, 0);
    kiln_gradients_loss(g, &count);
    ck_assert_uint_eq(count, 1);
    keeps(kiln_gradients_loss(g, NULL), "gradient by l", "float[8,3]", 96, KILN_KEPT);
    ck_assert_int_eq(i->kept, 96 + 160 + 160 + 64);
    ck_assert_int_eq(i->made_again, 0);
    forget(g);
}
END_TEST

START_TEST(a_parameter_has_a_way_back_or_an_end)
{
    kiln_gradients *g = look(net, 2, false);
    const kiln_gradient_parameter *w = parameter(g, "w"), *q = parameter(g, "q"), *z = parameter(g, "z");
    int64_t far = 0;

    ck_assert_int_eq(w->flow, KILN_FLOW_GRADIENT);
    ck_assert_str_eq(w->why, "");
    for (int64_t at = w->node; at >= 0; at = kiln_gradients_node(g, (size_t)at)->behind)
        far++;
    ck_assert_int_eq(far, 7); /* MatMul, Add, Relu, Add, Add, Add, MatMul */
    ck_assert_int_eq(w->far, far);
    ck_assert_int_eq(parameter(g, "e")->far, 3); /* the nearer one of its two Gathers */
    ck_assert_str_eq(kiln_gradients_node(g, (size_t)parameter(g, "e")->node)->name, "ge");
    ck_assert_int_eq(z->flow, KILN_FLOW_ZERO);
    ck_assert_int_eq(z->role, KILN_FROZEN);
    ck_assert_str_eq(z->why, "ends at Round 'rr': constant in pieces: the gradient is zero by definition");
    ck_assert_int_eq(q->flow, KILN_FLOW_INTEGER);
    ck_assert_str_eq(q->why, "ends at Gather 'ge': 'am' is int64, which has no gradient");
    ck_assert_str_eq(kiln_gradients_node(g, (size_t)q->node)->name, "ge");
    forget(g);
    g = look(HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> { s = MatMul (x, w) q = Neg (s) p "
                  "= Neg (s) o "
                  "= Neg (p) y = Add (o, q) }",
             2, false);
    ck_assert_int_eq(parameter(g, "w")->far, 3); /* by q, though p stands behind it */
    forget(g);
}
END_TEST

#define STEPS(body)                                                                                                    \
    HEAD                                                                                                               \
        "g (float[N,4] x) => (float[N,4] y) <float[4,4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16},\n"               \
        " float[4,4] v = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}, float[4] k = {1,2,3,4}, int64 n = {3},\n"           \
        " bool c = {1}> {\n    h = MatMul (x, w)\n    a, b = Loop <body = t (int64 t, bool p, float[N,4] s) => (bool " \
        "p2, float[N,4] u, float[N,4] o) {\n        p2 = Identity (p) m = MatMul (s, v) u = Tanh (m) " body            \
        " }> (n, c, h)\n    d = ReduceSum <keepdims = 0> (b) y = Add (a, d)\n}"

/* Nodes of a body follow the one that has it; what its iterations leave is the Loop's. */
START_TEST(bodies_are_looked_into)
{
    kiln_gradients *g = look(STEPS("o = Mul (u, k)"), 2, false);
    const kiln_gradient_node *loop = node(g, "a");

    goes_on_to(g, "a", "h, v, k");
    goes_on_to(g, "o", "u, k");
    goes_on_to(g, "m", "s, v");
    ck_assert_int_eq(loop->depth, 0);
    ck_assert_int_eq(node(g, "m")->depth, 1);
    ck_assert_ptr_eq(kiln_gradients_node(g, (size_t)node(g, "o")->behind), loop);
    keeps(&loop->keep[loop->kept - 1], "a (output 3)", "float[3,2,4]", 96, KILN_KEPT);
    ck_assert_uint_eq(loop->kept, 3); /* v, k and that: a number of iterations only tells how many there are */
    ck_assert_int_eq(kiln_gradients_about(g)->kept, 96 + 32);
    forget(g);
    /* r is asked for by the next iteration alone */
    g = look(
        HEAD
        "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}, float[2] k = {1, 2}, int64 n = {3}, bool "
        "c = {1}> {\n    h = MatMul (x, w)\n    a, b = Loop <body = t (int64 t, bool p, float[N,2] s, float[N,2] r) "
        "=> (bool p2, float[N,2] s2, float[N,2] r2) { p2 = Identity (p) s2 = Add (s, r) r2 = Mul (r, k) }> (n, c, "
        "h, h) y = Neg (a)\n}",
        2, false);
    goes_on_to(g, "r2", "r, k");
    forget(g);
    g = look(STEPS("f = Mul (u, k) o = Floor (f)"), 2, false);
    ends(g, "o", KILN_FLOW_ZERO, "zero by definition");
    goes_on_to(g, "a", "h, v");
    ck_assert_str_eq(parameter(g, "k")->why,
                     "ends at Floor 'o': constant in pieces: the gradient is zero by definition");
    forget(g);
    g = look(STEPS("f = Mul (u, k) o = Det (f)"), 2, false); /* it does not fit: planning tells */
    ck_assert(!kiln_gradients_about(g)->planned && *kiln_gradients_about(g)->error);
    forget(g);
}
END_TEST

#define TWO(nodes)                                                                                                     \
    HEAD "g (float[N,2] x) => (float[N,2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}, float[2] c = {5, 6}, float "   \
         "step = {0.5}> {\n    p = Mul (x, a) q = Mul (x, b)\n    " nodes "\n    y = Mul (r, c)\n}"

/* The first operator without a rule on each way; what lies before it is frozen, and training goes on. */
START_TEST(operators_without_a_rule_are_named)
{
    kiln_gradients *g = look(TWO("i = QuantizeLinear (p, step) f = Cast <to = 1> (i) j = QuantizeLinear (q, step) d = "
                                 "DequantizeLinear (j, step) k = QuantizeLinear (d, step) [\"two\"] e = Cast <to = 1> "
                                 "(k) s = Add (f, e) r = Add (s, x)"),
                             2, false);

    ends(g, "f", KILN_FLOW_BLOCKED, "has no gradient of what is quantised: 'i'");
    ends(g, "two", KILN_FLOW_BLOCKED, "has no gradient of what is quantised: 'k'");
    ck_assert_str_eq(parameter(g, "a")->why, "ends at Cast 'f': has no gradient of what is quantised: 'i'");
    ck_assert_str_eq(parameter(g, "b")->why, "ends at Cast 'two': has no gradient of what is quantised: 'k'");
    ck_assert_int_eq(parameter(g, "b")->role, KILN_FROZEN);
    ck_assert_int_eq(parameter(g, "c")->flow, KILN_FLOW_GRADIENT);
    ck_assert(kiln_gradients_about(g)->planned);
    forget(g);
    g = look(TWO("i = QuantizeLinear (p, step) d = DequantizeLinear (i, step) r = Add (d, q)"), 2, false);
    goes_on_to(g, "d", "i");
    goes_on_to(g, "i", "p");
    ck_assert_int_eq(parameter(g, "a")->far, 5);
    forget(g);
}
END_TEST

/* As much as can be told of what cannot be trained, and why it cannot; where no loss can be told, outputs have squares. */
START_TEST(models_that_cannot_be_trained_are_looked_at)
{
    kiln_gradients *g =
        look(HEAD "g (float[N,2] x) => (int64[N] y) { y = ArgMax <axis = 1, keepdims = 0> (x) }", 2, false);

    ck_assert(!kiln_gradients_about(g)->planned);
    ck_assert_ptr_nonnull(strstr(kiln_gradients_about(g)->error, "nothing in the model can be trained"));
    ck_assert_uint_eq(kiln_gradients_target_count(g), 0);
    ck_assert_uint_eq(kiln_gradients_node_count(g), 0);
    ck_assert_uint_eq(kiln_gradients_about(g)->others, 1);
    forget(g);
    g = look(HEAD
             "g (float[N,2] x) => (int64[N] i, float[N,2] y, float[N,2] z) <float[2] w = {1, 2}> { y = Mul (x, w) z = "
             "Neg (y) i = ArgMax <axis = 1, keepdims = 0> (z) }",
             3, false);
    ck_assert_uint_eq(kiln_gradients_target_count(g), 2);
    ck_assert_str_eq(kiln_gradients_target(g, 1)->output, "z");
    ck_assert_ptr_nonnull(strstr(kiln_gradients_target(g, 1)->loss, "mean_squared_error"));
    ck_assert(kiln_gradients_about(g)->planned);
    ck_assert_int_eq(parameter(g, "w")->far, 1);
    ends(g, "i", KILN_FLOW_NONE, "");
    forget(g);
    g = look(HEAD
             "g (float x) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}> { e = Exp (x) y = Mul (e, w) z = "
             "Mul (e, v) }",
             1, false);
    ck_assert_ptr_nonnull(strstr(kiln_gradients_about(g)->error, "must have a dimension for the samples"));
    goes_on_to(g, "y", "w");
    ck_assert_str_eq(parameter(g, "v")->why, "leads to no output that learns");
    ck_assert_int_eq(parameter(g, "v")->flow, KILN_FLOW_NONE);
    forget(g);
}
END_TEST

/* A size that depends on what trains only by its shape is no end. */
START_TEST(sizes_are_no_ends)
{
    kiln_gradients *g =
        look(HEAD "g (float[N,2,2] x) => (float[N,4] y) <float[2,2] w = {1, 2, 3, 4}, int64[1] m = {-1}, int64[1] n = "
                  "{0}> { h = MatMul (x, w) s = Shape (h) f = Gather (s, n) t = Concat <axis = 0> (f, m) y = "
                  "Reshape (h, t) }",
             2, false);

    goes_on_to(g, "y", "h");
    ck_assert_str_eq(node(g, "y")->why, "");
    ck_assert_uint_eq(kiln_gradients_about(g)->others, 3); /* Shape, Gather, Concat */
    forget(g);
}
END_TEST

/* Of each dimension it is told whether running alone tells it. */
START_TEST(bytes_that_only_running_tells_are_none)
{
    kiln_gradients *g = look(
        HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}, float z = {0}> { h = MatMul (x, w) m = "
             "Greater (x, z) i = NonZero (m) a = Transpose (i) v = GatherND (h, a) e = Exp (v) f = ReduceSum <keepdims "
             "= 0> (e) y = Mul (h, f) }",
        3, false);
    const kiln_gradient_node *n = node(g, "e");

    ck_assert(kiln_gradients_about(g)->planned);
    ck_assert_uint_eq(n->kept, 1);
    ck_assert_str_eq(n->keep->type, "float[?]");
    ck_assert_int_eq(n->keep->bytes, -1);
    ck_assert_str_eq(node(g, "v")->keep->type, "int64[?,2]");
    n = node(g, "y");
    ck_assert_uint_eq(n->kept, 2);
    ck_assert_str_eq(n->keep[0].type, "float[]");
    ck_assert_str_eq(n->keep[1].type, "float[3,2]");
    ck_assert_int_eq(n->keep[1].bytes, 24);
    ck_assert_int_eq(kiln_gradients_about(g)->kept, -1);
    ck_assert_int_eq(kiln_gradients_about(g)->step, -1);
    forget(g);
}
END_TEST

/* What is not kept is made again: both together are what was kept before. */
START_TEST(recomputing_keeps_less)
{
    static char ones[2 * 4096 + 3] = "{", text[sizeof ones * 2 + 1000];
    kiln_gradients *all, *less;

    for (int k = 0; k < 4096; k++)
        strcpy(ones + 1 + 2 * k, k < 4095 ? "1," : "1}");
    snprintf(
        text, sizeof text,
        HEAD
        "g (float[N,4096] x) => (float[N,4096] y) <float[4096] a = %s, float[4096] b = %s> {\n"
        "    c = Exp (x) d = Mul (c, a) e = Sigmoid (d) f = Mul (e, b) h = Tanh (f) i = Mul (h, a) j = Sigmoid (i) k = "
        "Mul (j, b) y = Tanh (k)\n}",
        ones, ones);
    all = look(text, 8, false);
    less = look(text, 8, true);
    ck_assert(!kiln_gradients_about(all)->recompute && kiln_gradients_about(less)->recompute);
    ck_assert_int_eq(kiln_gradients_about(all)->made_again, 0);
    ck_assert_int_gt(kiln_gradients_about(less)->made_again, 0);
    ck_assert_int_lt(kiln_gradients_about(less)->kept, kiln_gradients_about(all)->kept);
    ck_assert_int_eq(kiln_gradients_about(less)->kept + kiln_gradients_about(less)->made_again,
                     kiln_gradients_about(all)->kept);
    keeps(&node(all, "h")->keep[0], "h", "float[8,4096]", 131072, KILN_KEPT);
    keeps(&node(less, "h")->keep[0], "h", "float[8,4096]", 131072, KILN_KEPT_AGAIN);
    keeps(&node(less, "e")->keep[0], "e", "float[8,4096]", 131072, KILN_KEPT);
    forget(all);
    forget(less);
}
END_TEST

START_TEST(gradients_are_written_as_json)
{
    static const char *const parts[] = { "\"kept_bytes\": 480", "\"goes_on_to\": [\"f\", \"v\"]",
                                         "\"reason\": \"ends at Round 'rr': constant in pieces",
                                         "\"how\": \"there anyway\"", "\"behind\": null, \"far\": 0" };
    kiln_gradients *g = look(net, 8, false);
    struct bytes b = { 0 };

    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        ok(kiln_gradients_write_json(g, take, &b, &err));
        expect_text(&b, parts[k]);
    }
    expect(kiln_gradients_write_json(g, NULL, NULL, &err), KILN_BAD_ARGUMENT, "write is NULL");
    forget(g);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(net);
    kiln_gradients *g;

    expect(kiln_gradients_new(NULL, m, NULL, 1, &err), KILN_BAD_ARGUMENT, "out is NULL");
    expect(kiln_gradients_new(&g, NULL, NULL, 1, &err), KILN_BAD_ARGUMENT, "model is NULL");
    expect(kiln_gradients_new(&g, m, NULL, 0, &err), KILN_BAD_ARGUMENT, "batch is 0, must be 1 to");
    o.optimizer = "no";
    expect(kiln_gradients_new(&g, m, &o, 1, &err), KILN_BAD_ARGUMENT, "no");
    ck_assert_ptr_null(g);
    ok(kiln_gradients_new(&g, m, NULL, 1, &err));
    kiln_gradients_free(g);
    kiln_gradients_free(NULL);
    ck_assert_ptr_null(kiln_gradients_about(NULL));
    ck_assert_ptr_null(kiln_gradients_node(NULL, 0));
    ck_assert_str_eq(kiln_flow_name((kiln_flow)9), "");
    kiln_model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_gradients");

    add_test(s, what_flows_where_is_told);
    add_test(s, a_parameter_has_a_way_back_or_an_end);
    add_test(s, bodies_are_looked_into);
    add_test(s, operators_without_a_rule_are_named);
    add_test(s, models_that_cannot_be_trained_are_looked_at);
    add_test(s, sizes_are_no_ends);
    add_test(s, bytes_that_only_running_tells_are_none);
    add_test(s, recomputing_keeps_less);
    add_test(s, gradients_are_written_as_json);
    add_test(s, wrong_arguments_are_refused);
    return s;
}
