/* Models that an exporter has made for one number of samples. */
#include "train/batch_size.h"
#include "adapt/adapt.h"
#include "kernels/kernels.h"
#include "learning.h"
#include "scratch.h"
#include "train/fit.h"
#include "unit.h"

enum { LOSS };

#define HEAD "<ir_version: 8, opset_import: [\"\": 17]>\n"

static const struct {
    const char *text;
    int64_t want;
} models[] = {
    /* declared, but nowhere needed */
    { "g (float[2,3] x) => (float[2,1] y) <float[3,1] w = {1,2,3}> { y = MatMul (x, w) }", 0 },
    { "g (float[N,3] x) => (float[N,1] y) <float[3,1] w = {1,2,3}> { y = MatMul (x, w) }", 0 },
    { "g (float[2,3,1] x) => (float[2,1] y) <float[3,1] w = {1,2,3}, int64[2] s = {-1,3}>\n"
      "{ r = Reshape (x, s) y = MatMul (r, w) }",
      0 },
    /* written into a Reshape: the other number must not pass, or not fit on */
    { "g (float[2,3,1] x) => (float[2,1] y) <float[3,1] w = {1,2,3}, int64[2] s = {2,3}>\n"
      "{ r = Reshape (x, s) y = MatMul (r, w) }",
      2 },
    { "g (float[1,3,1] x) => (float[1,1] y) <float[3,1] w = {1,2,3}, int64[2] s = {1,-1}>\n"
      "{ r = Reshape (x, s) y = MatMul (r, w) }",
      1 },
    { "g (float[2,3,1] x) => (float[2,3] y) <int64[2] s = {2,-1}> { y = Reshape (x, s) }", 2 },
    { "g (float[2,4,1] x) => (float[N,M] y) <int64[2] s = {2,-1}> { y = Reshape (x, s) }", 2 },
    /* a state that is drawn for so many */
    { "g (float[2,3] x) => (float[2,3] y) <float[2,3] h = {1,2,3,4,5,6}> { y = Add (x, h) }", 2 },
    /* samples and positions in one dimension; in another dimension than the first; an output that is none of theirs */
    { "g (float[2,3,1] x) => (float[6,1] y) <int64[2] s = {-1,1}> { y = Reshape (x, s) }", 0 },
    { "g (float[1,3] x) => (float[1,N,3] y) <int64[1] a = {0}> { y = Unsqueeze (x, a) }", 0 },
    { "g (float[2,3] x) => (float[2,3] y, float[2] z) <float[2] c = {1,2}> { y = Relu (x) z = Relu (c) }", 0 },
    { "g (float[2,3] x) => (float[2,3] y, float[3] z) <int64[1] a = {0}>\n"
      "{ y = Relu (x) z = ReduceSum <keepdims = 0> (x, a) }",
      0 },
    /* an input that has samples beside one that has not */
    { "g (float[2,3] x, float[3,1] w) => (float[2,1] y) { y = MatMul (x, w) }", 0 },
    { "g (float[2,3] x, float[2,3] w) => (float[2,3] y) { y = Add (x, w) }", 0 },
    /* what is open besides has a size with which it can be planned, the same for both numbers */
    { "g (float[2,1,H,W] x) => (float[N,M] y) <float[1,1,5,1] w = {1,2,3,4,5}, int64[2] s = {2,-1}>\n"
      "{ c = Conv (x, w) y = Reshape (c, s) }",
      2 },
    { "g (float[2,T] x) => (float[2,1] y) <int64[2] s = {32,1}> { w = ConstantOfShape (s) y = MatMul (x, w) }", 0 },
    { "g (float[2,T] x) => (float[2,1] y) <int64[2] s = {32,1}, int64[2] t = {2,-1}>\n"
      "{ r = Reshape (x, t) w = ConstantOfShape (s) y = MatMul (r, w) }",
      2 },
    { "g (float[2,T] x) => (float[N,48] y) <int64[2] s = {-1,48}> { y = Reshape (x, s) }", 0 },
    /* not planned at all */
    { "g (float[2,3] x) => (float[2,2] y) <int64[2] s = {2,2}> { y = Reshape (x, s) }", 0 },
};

static int warnings;

static void count_warnings(void *user, kiln_status code, const char *where, const char *message)
{
    warnings += code == KILN_OK && strstr(message, "samples at a time") != NULL;
    (void)user;
    (void)where;
}

static struct model *model_of(const char *text)
{
    char whole[1000];
    struct model *m;

    snprintf(whole, sizeof whole, HEAD "%s", text);
    m = model_read_bytes(whole, strlen(whole), NULL, &report);
    expect_ok(m && model_build(m, &report));
    return m;
}

START_TEST(a_batch_that_the_file_fixes_is_found)
{
    struct report told = { .notify = count_warnings };
    struct model *m = model_of(models[_i].text);
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &told };
    int64_t got;

    warnings = 0;
    ck_assert(batch_size_find(m->graph, NULL, &c, &got));
    ck_assert_int_eq(got, models[_i].want);
    ck_assert_int_eq(warnings, got != 0);
    model_free(m);
}
END_TEST

/* -- taken by themselves -- */

static const char FIXED[] =
    "g (float[2,2] x) => (float[2,1] y) <float[2,1] w = {0,0}, float[1] b = {0}, int64[3] s = {2,1,2}, int64[2] t = "
    "{2,2}>\n"
    "{ r = Reshape (x, s) q = Reshape (r, t) y = Gemm (q, w, b) }";
/* the last of them is left out wherever two are taken at a time, and would be seen if it were not */
static const float values[] = { 0, 0, 0, 1, 1, 0, 1, 1, 1e6f, 1e6f }, sums[] = { 0, 1, 1, 2, -5e6f };

static struct dataset data_of(struct two_columns *c, int64_t count)
{
    struct tensor x, y;

    ck_assert(tensor_shape(&x, F32, 2, (const int64_t[]){ count, 2 }));
    ck_assert(tensor_shape(&y, F32, 1, (const int64_t[]){ count }));
    x.data = (void *)(uintptr_t)values;
    y.data = (void *)(uintptr_t)sums;
    return dataset_of(c, &x, &y, 0, &budget);
}

static bool count_samples(void *user, const struct fit_step *s, struct report *r)
{
    ck_assert_int_eq(s->of, 4);
    *(int64_t *)user = s->done;
    (void)r;
    return true;
}

START_TEST(it_is_taken_whatever_is_asked_for)
{
    const struct target_options target = { .form = TARGETS_VALUES };
    const struct trainer_options o = {
        .optimizer = "sgd:learning_rate=0.2", .threads = 1, .targets = 1, .target = &target
    };
    const struct fit_options f = { .batch = 3, .epochs = 200 };
    int64_t seen = 0, ran;
    const struct fit_events events = { .user = &seen, .step = count_samples };
    struct model *m = model_of(FIXED);
    struct trainer *t = trainer_new(m, &o, &report);
    struct two_columns columns[2];
    const struct dataset d = data_of(&columns[0], 5), one = data_of(&columns[1], 1);
    double scores[4];

    expect_ok(t);
    ck_assert_int_eq(t->batch, 2);
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, &events, &ran, &report));
    ck_assert_int_eq(seen, 4);
    expect_ok(trainer_evaluate(t, &d, NULL, 64, scores, &report));
    ck_assert_double_lt(scores[LOSS], 1e-3);
    ck_assert(!trainer_evaluate(t, &one, NULL, 64, scores, &report));
    expect_error(KILN_BAD_DATA, "the model is made for 2 samples at a time, the data has 1");
    ck_assert(!trainer_fit(t, &d, &one, NULL, &f, &events, &ran, &report)); /* before anything is trained */
    ck_assert_int_eq(t->steps, 400);
    expect_error(KILN_BAD_DATA, "the model is made for 2 samples at a time, the data has 1");
    ck_assert(!trainer_fit(t, &one, NULL, NULL, &f, NULL, &ran, &report));
    expect_error(KILN_BAD_DATA, "the model is made for 2 samples at a time, the data has 1");
    trainer_free(t);
    model_free(m);
}
END_TEST

START_TEST(a_step_takes_no_other)
{
    const struct target_options target = { .form = TARGETS_VALUES };
    const struct trainer_options o = { .threads = 1, .targets = 1, .target = &target };
    struct model *m = model_of(FIXED);
    struct trainer *t = trainer_new(m, &o, &report);
    struct tensor x, y;
    float loss;

    expect_ok(t);
    x = t->x[0];
    y = t->targets->y;
    x.dims[0] = y.dims[0] = 3;
    x.data = (void *)(uintptr_t)values;
    y.data = (void *)(uintptr_t)sums;
    ck_assert(!trainer_step(t, &x, &y, &loss, &report));
    expect_error(KILN_BAD_DATA, "the model is made for 2 samples at a time, not for 3");
    x.dims[0] = y.dims[0] = 2;
    expect_ok(trainer_step(t, &x, &y, &loss, &report));
    trainer_free(t);
    model_free(m);
}
END_TEST

START_TEST(calibration_takes_it)
{
    struct model *m = model_of(
        "g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1,0,0,1}, float[2] a = {2,3}, float[2] b = {1,1},\n"
        " int64[3] s = {2,1,2}, int64[2] t = {2,2}>\n"
        "{ r = Reshape (x, s) q = Reshape (r, t) c = MatMul (q, w) p = Mul (c, a) y = Add (p, b) }");
    struct two_columns columns[2];
    const struct dataset d = data_of(&columns[0], 5), one = data_of(&columns[1], 1);
    struct arena arena = { .budget = &budget };
    const struct adapt_choice named = { "p", "batch-normalization" };
    struct adapt_options o = { .data = &d, .threads = 1, .keep_batch = true, .choice_count = 1, .choices = &named };
    struct adapted got;
    struct model *r = model_adapt(m, &o, &got, &arena, &report);
    const struct node *n;

    expect_ok(r);
    ck_assert_uint_eq(got.normalizations, 1);
    n = r->graph->outputs[0]->producer;
    ck_assert_float_eq(((const float *)n->in[3]->initializer->data)[0], .5f); /* of the first four */
    ck_assert_float_eq_tol(((const float *)n->in[4]->initializer->data)[0], .25f, 1e-4f);
    model_free(r);
    o.data = &one;
    ck_assert_ptr_null(model_adapt(m, &o, &got, &arena, &report));
    expect_error(KILN_BAD_DATA, "the model is made for 2 samples at a time, the data has 1");
    arena_release(&arena);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("batch_size");

    add_tests(s, a_batch_that_the_file_fixes_is_found, sizeof models / sizeof *models);
    add_test(s, it_is_taken_whatever_is_asked_for);
    add_test(s, a_step_takes_no_other);
    add_test(s, calibration_takes_it);
    return s;
}
