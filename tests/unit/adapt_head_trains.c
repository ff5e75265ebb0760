/* What of a model trains when it has got another head, and that it does. */
#include "heading.h"

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
    ck_assert(said("30 numbers that train"));
    ck_assert(said("2 initializers trainable, 0 statistics, 0 frozen, 0 constant, 1 that no gradient reaches"));
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
    Suite *s = suite_create("adapt_head_trains");

    add_test(s, outputs_that_train_are_named);
    add_test(s, all_but_the_head_is_frozen);
    add_test(s, a_new_head_learns);
    add_test(s, a_new_head_learns_alone);
    add_test(s, a_head_from_a_file_learns);
    return s;
}
