/* What inputs leave open: sizes are taken with which the network can be planned, or those of the data. */
#include "adapting.h"
#include "learning.h"
#include "train/trainer.h"
#include "unit.h"

#define WINDOW "<float[1,1,5,1] w = {1,2,3,4,5}, float[1,1,3,3] v = {1,2,3,4,5,6,7,8,9}> "
#define PLANS  ", with which the network can be planned"
#define UNIT   "<float[1,3,4] k = {1,2,3,4,5,6,7,8,9,8,7,6}, float[1,3,1] r = {1,2,3}, int64[1] i = {1}> "
#define GRU    UNIT "{ t = Transpose <perm = [1,0,2]> (x) y = GRU <hidden_size = 1> (t, k, r, , , h) }"
#define HALVES                                                                                                         \
    UNIT "{ t = Transpose <perm = [1,0,2]> (x) a = Gather (h, i) y = GRU <hidden_size = 1> (t, k, r, , , a) }"

static const struct sizes_case {
    const char *text;
    const char *taken; /* of each input; NULL: nothing is told */
    const char *says;  /* the error */
} cases[] = {
    { HEAD "g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }", NULL, NULL },
    { HEAD "g (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Relu (x) }", "were taken as 1x1" PLANS, NULL },
    /* windows: one, two behind each other, channels last, in one dimension alone */
    { HEAD "g (float[N,1,H,W] x) => (float[N,1,A,B] y) " WINDOW "{ y = Conv (x, w) }", "were taken as 8x8" PLANS,
      NULL },
    { HEAD "g (float[N,1,H,3] x) => (float[N,1,A,B] y) " WINDOW "{ y = Conv (x, w) }", "were taken as 8" PLANS, NULL },
    { HEAD "g (float[N,1,H,W] x) => (float[N,1,A,B] y) " WINDOW
           "{ a = Conv <strides = [4,1]> (x, w) b = Conv (a, w) y = Conv (b, v) }",
      "were taken as 32x32" PLANS, NULL },
    { HEAD "g (float[N,H,W,1] x) => (float[N,1,A,B] y) " WINDOW
           "{ t = Transpose <perm = [0,3,1,2]> (x) y = Conv (t, w) }",
      "were taken as 8x8" PLANS, NULL },
    /* what is cropped is still there */
    { HEAD "g (float[N,T] x) => (float[N,U] y) <int64[1] a = {2}, int64[1] b = {-1}, int64[1] d = {1}>\n"
           "{ c = Slice (x, a, b, d) y = Relu (c) }",
      "were taken as 8" PLANS, NULL },
    /* nothing is left whatever the size */
    { HEAD "g (float[N,T] x) => (float[N,U] y, float[N,T] z) <int64[1] a = {0}, int64[1] d = {1}>\n"
           "{ c = Slice (x, a, a, d) y = Relu (c) z = Relu (x) }",
      "were taken as 1" PLANS, NULL },
    /* a size that a head was made for */
    { HEAD "g (float[N,T] x) => (float[N,1] y) <int64[2] s = {32,1}> { w = ConstantOfShape (s) y = MatMul (x, w) }",
      "were taken as 32" PLANS, NULL },
    { HEAD "g (float[N,T] x) => (float[N,1] y) <int64[2] s = {7,1}> { w = ConstantOfShape (s) y = MatMul (x, w) }",
      NULL,
      "so it is with all sizes that were tried for what the inputs leave open, 1 to 640: data tell them "
      "(--calibrate)" },
    /* in a branch that is not planned where it does not fit */
    { HEAD "g (float[N,1,H,W] x) => (float[N,1,A,B] y) <bool c = {1}, float[1,1,5,1] w = {1,2,3,4,5}>\n"
           "{ y = If (c) <then_branch = a () => (float[N,1,A,B] p) { p = Conv (x, w) },\n"
           "  else_branch = b () => (float[N,1,A,B] q) { q = Relu (x) }> }",
      "were taken as 8x8" PLANS, NULL },
    /* two inputs, one of which leaves nothing open; a batch that a constant fixes */
    { HEAD "g (float[N,1,H,W] x, float[N,1,1,1] z) => (float[N,1,A,B] y) " WINDOW "{ a = Conv (x, w) y = Add (a, z) }",
      "were taken as 8x8" PLANS, NULL },
    { HEAD "g (float[N,T] x) => (float[N,U] y) <float[4,1] s = {1,1,1,1}> { y = Concat <axis = 1> (x, s) }",
      "were taken as 4" PLANS, NULL },
    /* the samples of a state are no size: by the symbol, as the only open one; and where all of it is read */
    { HEAD "g (float[N,T,4] x, float[1,N,1] h) => (float[T,1,N,1] y) " GRU, "were taken as 1" PLANS, NULL },
    { HEAD "g (float[N,5,4] x, float[1,N,1] h) => (float[5,1,N,1] y) " GRU, NULL, NULL },
    { HEAD "g (float[?,5,4] x, float[2,?,1] h) => (float[5,1,N,1] y) " HALVES, NULL, NULL },
    { HEAD "g (float[?,3] x, float[2,?,3] h) => (float[2,N,3] y) { y = Add (x, h) }", NULL, NULL },
    { HEAD "g (float[1,3] x, float[2,1,3] h) => (float[2,1,3] y) <int64 i = {1}>\n"
           "{ a = Gather (h, i) b = Add (x, a) c = Sub (h, h) y = Add (b, c) }",
      NULL, NULL },
};

static const char *taken(const char *name)
{
    for (size_t k = 0; k < got.findings.count; k++)
        if (strcmp(got.findings.at[k].found, "open dimensions") == 0 && strcmp(got.findings.at[k].name, name) == 0)
            return got.findings.at[k].done;
    return NULL;
}

/* Data like those that were taken can be run. */
static void expect_run(const struct model *m, const struct model *made)
{
    struct dataset data;
    const struct calibration c = { .data = &data, .threads = 1 };
    struct comparison outputs;

    expect_ok(random_samples(&data, m, &budget, &report) && compare_models(m, made, &c, &outputs, &report));
    ck_assert(outputs.floats > 0 && outputs.difference < 1e-6);
    dataset_release(&data);
}

START_TEST(sizes_are_found)
{
    const struct sizes_case *c = &cases[_i];
    struct model *m = model_of(c->text), *made = adapt_over(m, (struct adapt_options){ 0 }, true);

    if (c->says) {
        ck_assert_ptr_null(made);
        ck_assert_msg(strstr(report.error.message, c->says) || strstr(report.error.where, c->says), "%s: %s",
                      report.error.where, report.error.message);
    } else {
        expect_ok(made);
        ck_assert_msg(c->taken ? taken("x") && strcmp(taken("x"), c->taken) == 0 : !taken("x"), "%s",
                      taken("x") ? taken("x") : "nothing");
        ck_assert(!taken("z") && !taken("h"));
        expect_run(m, made);
    }
    model_free(made);
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* -- data tell them -- */

static const struct {
    const char *text;
    int64_t dims[4];
    const char *taken, *says;
} told[] = {
    { HEAD "g (float[N,T] x) => (float[N,1] y) <int64[2] s = {7,1}> { w = ConstantOfShape (s) y = MatMul (x, w) }",
      { 4, 7 },
      "were taken as 7, as the data have them",
      NULL },
    { HEAD "g (float[2,T] x) => (float[2,1] y) <int64[2] s = {7,1}, int64[2] t = {2,-1}>\n"
           "{ w = ConstantOfShape (s) r = Reshape (x, t) y = MatMul (r, w) }",
      { 4, 7 },
      "were taken as 7, as the data have them",
      NULL },
    { HEAD "g (float[N,1,H,W] x) => (float[N,1,A,B] y) " WINDOW "{ y = Conv (x, w) }",
      { 4, 1, 6, 9 },
      "were taken as 6x9, as the data have them",
      NULL },
    { HEAD "g (float[N,1,H,W] x) => (float[N,1,A,B] y) " WINDOW "{ y = Conv (x, w) }",
      { 4, 1, 3, 9 },
      NULL,
      "spatial dimension 0 is 3 with its pads, must be at least the kernel's extent 5" },
};

START_TEST(data_decide)
{
    static float zeros[4 * 54];
    struct model *m = model_of(told[_i].text), *made;
    struct two_columns columns;
    struct tensor x, y = { .dtype = I64, .rank = 1, .dims = { 4 }, .data = zeros };
    struct dataset d;

    ck_assert(tensor_shape(&x, F32, told[_i].dims[2] ? 4 : 2, told[_i].dims));
    x.data = zeros;
    d = dataset_of(&columns, &x, &y, 1, &budget);
    made = adapt_over(m, (struct adapt_options){ .data = &d }, false);
    if (told[_i].says) {
        ck_assert_ptr_null(made);
        expect_error(report.error.code, told[_i].says);
    } else {
        expect_ok(made);
        ck_assert_str_eq(taken("x"), told[_i].taken);
    }
    model_free(made);
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* A state that stands behind its layers is given, and measured, by sample. */
START_TEST(a_state_is_measured_by_sample)
{
    static float x[3 * 2] = { 1, 2, 3, 4, 5, 6 }, layers[3 * 2 * 1] = { 1, 10, 2, 20, 6, 60 };
    static int64_t labels[3];
    struct column inputs[2] = { { .name = "x" }, { .name = "h" } }, y = { .name = "y" };
    struct model *m = model_of(HEAD "g (float[N,2] x, float[2,N,1] h) => (float[N,1] y) <int64 one = {1}> "
                                    "{ a = Constant <value_ints = [1]> () l = Gather (h, one) "
                                    "s = ReduceSum <keepdims = 1> (x, a) y = Add (l, s) }");
    const struct data_options o = { 0 };
    struct moments of = { .at = graph_find(m->graph, "l"), .axis = 1 };
    struct dataset d;
    const struct calibration c = { .data = &d, .threads = 1, .batch = 2 };

    arena = (struct arena){ .budget = &budget };
    ck_assert(tensor_shape(&inputs[0].values, F32, 2, (const int64_t[]){ 3, 2 }));
    ck_assert(tensor_shape(&inputs[1].values, F32, 3, (const int64_t[]){ 3, 2, 1 }));
    ck_assert(tensor_shape(&y.values, I64, 1, (const int64_t[]){ 3 }));
    inputs[0].values.data = x;
    inputs[1].values.data = layers;
    y.values.data = labels;
    expect_ok(dataset_of_arrays(&d, 2, inputs, 1, &y, &o, &budget, &report));
    expect_ok(calibrate(m, &c, &of, 1, &arena, &report));
    ck_assert_int_eq(of.count, 3);
    ck_assert_double_eq(of.mean[0], 30); /* of 10, 20 and 60: the second layer's */
    dataset_release(&d);
    arena_release(&arena);
    model_free(m);
}
END_TEST

/* -- elsewhere -- */

/* Constants that are looked for before anybody knows the data. */
START_TEST(a_trainer_finds_them)
{
    struct model *m =
        model_of(HEAD "g (float[N,1,H,W] x) => (float[N,1] z) <float[1] a = {1}, float[1] b = {0}, float[1,1,5,1] w = "
                      "{1,2,3,4,5}, int64[2] s = {-1,1}>\n"
                      "{ o = Constant <value = float[1] {1}> () n = Identity (o) c = Conv (x, w)\n"
                      "  y = BatchNormalization (c, a, b, n, n) g = GlobalAveragePool (y) z = Reshape (g, s) }");
    struct trainer_options o = { TARGET(.form = TARGETS_VALUES), .threads = 1 };
    struct trainer *t = trainer_new(m, &o, &report);

    expect_ok(t);
    trainer_free(t);
    model_free(m);
}
END_TEST

/* A head that is put in is planned with them, too. */
START_TEST(a_head_is_found_behind_them)
{
    struct model *m = model_of(HEAD "g (float[N,T] x) => (float[N,3] y) <int64[2] s = {48,2}, float[2,3] u = "
                                    "{1,2,3,4,5,6}> { w = ConstantOfShape (s) h = MatMul (x, w) y = MatMul (h, u) }");
    struct model *made = adapt_over(m, (struct adapt_options){ .classes = 5 }, true);

    expect_ok(made);
    ck_assert_int_eq(graph_find(made->graph, "y")->type.dims[1], 5);
    model_free(made);
    arena_release(&arena);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_sizes");

    add_tests(s, sizes_are_found, COUNT(cases));
    add_tests(s, data_decide, COUNT(told));
    add_test(s, a_state_is_measured_by_sample);
    add_test(s, a_trainer_finds_them);
    add_test(s, a_head_is_found_behind_them);
    return s;
}
