/* Outputs whose classes are not in the last dimension, as PyTorch's [N, C, H, W]. */
#include "train/class_axis.h"
#include "data/batch.h"
#include "kernels/kernels.h"
#include "learning.h"
#include "scratch.h"
#include "train/losses/registry.h"
#include "unit.h"
#include <math.h>

/* clang-format off */
#define CONV "<ir_version: 8, opset_import: [\"\": 17]>\n" \
             "g (float[N,2,2,4] x) => (float[N,M,O,P] y) <float[3,2,1,1] w = {1,-2,3,0.5,-1,2}> { z = Conv (x, w) %s }"
/* clang-format on */
#define STAYS        "y = Identity (z)"
#define LAST         "y = Transpose <perm = [0, 2, 3, 1]> (z)"
#define SOFTMAX      "y = Softmax <axis = 1> (z)"
#define SOFTMAX_LAST "s = Softmax <axis = 1> (z) y = Transpose <perm = [0, 2, 3, 1]> (s)"

enum { ROWS = 8, CLASSES = 3, N = 2 };

static struct trainer *trainer_of(const char *text, const char *end, const struct target_options *target)
{
    const struct trainer_options o = {
        .optimizer = "sgd:learning_rate=0.1", .threads = 1, .targets = 1, .target = target
    };
    char whole[1000];
    struct trainer *t;
    struct model *m;

    snprintf(whole, sizeof whole, text, end);
    m = model_read_bytes(whole, strlen(whole), NULL, &report);
    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    model_free(m);
    return t;
}

/* -- found -- */

static int warnings;

static void count_warnings(void *user, kiln_status code, const char *where, const char *message)
{
    warnings += code == KILN_OK && (strstr(message, "may have its classes along") || strstr(message, "says nothing"));
    (void)user;
    (void)where;
}

/* Probabilities that add up along a dimension of [1,3,2,4]. */
static const float along_1[24] = { 1, 0, 0, .5f, 0, 0, 0, 1, 0, 1, 0, .5f, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0 };
static const float along_3[24] = { 1, 0, 0, 0, .5f, .5f, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, .25f, .75f };
static const float along_none[24] = { 7 };
static const float class_numbers[8] = { 0, 1, 2, 255, 2, 1, 0, 0 }; /* that a loss of classes takes for these */

static const struct {
    const char *end;
    int rank;
    int64_t dims[4]; /* of the labels */
    const float *values;
    int asked, want;
    const char *error;
    bool warned;
} places[] = {
    { STAYS, 3, { 1, 2, 4 }, NULL, 0, 1, NULL, false },
    { STAYS, 3, { 1, 3, 2 }, NULL, 0, 0, NULL, false },
    { STAYS, 3, { 1, 3, 4 }, NULL, 0, 2, NULL, false },
    { STAYS, 3, { 1, 5, 4 }, NULL, 0, 0, NULL, false }, /* the data say what is wrong */
    { STAYS, 3, { 1, 2, 4 }, class_numbers, 0, 1, NULL, false },
    { STAYS, 4, { 1, 3, 2, 4 }, along_1, 0, 1, NULL, false },
    { STAYS, 4, { 1, 3, 2, 4 }, along_3, 0, 0, NULL, false },
    { STAYS, 4, { 1, 3, 2, 4 }, along_none, 0, 0, NULL, false },
    { STAYS, 0, { 0 }, NULL, 0, 0, NULL, false },
    { STAYS, 0, { 0 }, NULL, 1, 1, NULL, false },
    { STAYS, 0, { 0 }, NULL, -3, 1, NULL, false },
    { STAYS, 3, { 1, 2, 4 }, NULL, -1, 0, NULL, false },
    { STAYS, 0, { 0 }, NULL, 4, 0, "class axis is 4, output 'y' is float[1,3,2,4]", false },
    { STAYS, 0, { 0 }, NULL, -4, 0, "class axis is -4, output 'y' is float[1,3,2,4]", false },
    { SOFTMAX, 0, { 0 }, NULL, 0, 1, NULL, false },
    { SOFTMAX, 3, { 1, 3, 2 }, NULL, 0, 1, NULL, false },
    { SOFTMAX, 0, { 0 }, NULL, 3, 0, "class axis is 3, the Softmax of output 'y' goes along dimension 1", false },
    { SOFTMAX_LAST, 0, { 0 }, NULL, 0, 0, NULL, false },
    { "k = Slice (z, i0, i2, i3) y = Concat <axis = 3> (k, k)", 3, { 1, 3, 2 }, NULL, 0, 0, NULL, false },
    /* [1,4,2,4]: both would fit */
    { "k = Slice (z, i0, i1, i1) y = Concat <axis = 1> (z, k)", 3, { 1, 2, 4 }, NULL, 0, 1, NULL, false },
    { "k = Slice (z, i0, i1, i1) c = Concat <axis = 1> (z, k) y = Concat <axis = 2> (c, c)",
      3,
      { 1, 4, 4 },
      NULL,
      0,
      0,
      NULL,
      true },
};

START_TEST(it_is_found)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                               "g (float[N,2,2,4] x) => (float[N,M,O,P] y) <float[3,2,1,1] w = {1,-2,3,0.5,-1,2}, "
                               "int64[1] i0 = {0}, int64[1] i1 "
                               "= {1}, int64[1] i2 = {2}, int64[1] i3 = {3}> { z = Conv (x, w) %s }";
    struct tensor labels;
    const struct target_options target = { .form = places[_i].values ? TARGETS_VALUES : TARGETS_CLASSES,
                                           .loss = places[_i].values == class_numbers
                                                       ? "sparse_categorical_crossentropy"
                                                   : places[_i].values ? "categorical_crossentropy:from_logits=1"
                                                                       : NULL,
                                           .classes = 2,
                                           .labels = places[_i].rank ? &labels : NULL,
                                           .class_axis = places[_i].asked };
    struct trainer *t;

    ck_assert(tensor_shape(&labels, places[_i].values ? F32 : I64, places[_i].rank, places[_i].dims));
    labels.data = (void *)(uintptr_t)places[_i].values;
    report = (struct report){ .notify = count_warnings };
    warnings = 0;
    t = trainer_of(text, places[_i].end, &target);
    if (places[_i].error) {
        ck_assert_ptr_null(t);
        expect_error(KILN_BAD_ARGUMENT, places[_i].error);
        return;
    }
    expect_ok(t);
    ck_assert_int_eq(t->targets->loss.axis, places[_i].want);
    ck_assert_int_eq(warnings, places[_i].warned);
    ck_assert(!places[_i].want || strstr(t->targets->loss.said, "classes along dimension"));
    trainer_free(t);
}
END_TEST

/* Losses that take each output by itself: what is counted still goes by rows. */
#define MASK "m = Slice (z, i0, i1, i1) "

static const struct {
    const char *end, *loss;
    int asked, want, width, classes;
    bool warned;
} units[] = {
    { MASK "y = Sigmoid (m)", NULL, 0, 1, 1, 2, false },
    { MASK "y = Sigmoid (m)", "dice", 0, 1, 1, 2, false },
    { MASK "y = Sigmoid (m)", NULL, -1, 0, 4, 4, false },
    { MASK "y = Identity (m)", "binary_crossentropy:from_logits=1", 0, 1, 1, 2, false },
    { MASK "y = Identity (m)", "mse", 0, 0, 4, 0, false },
    { MASK "y = Identity (m)", "mse", 1, 0, 4, 0, true },
    { MASK "y = Identity (m)", "categorical_crossentropy:from_logits=1", 0, 0, 4, 4, false },
    { MASK "r = Reshape (m, three) y = Sigmoid (r)", NULL, 0, 1, 1, 2, false },
    { MASK "r = Reshape (m, five) y = Sigmoid (r)", NULL, 0, 1, 1, 2, false },
    { MASK "r = Reshape (m, last) y = Sigmoid (r)", NULL, 0, 0, 1, 2, false },
    { "y = Sigmoid (z)", NULL, 0, 0, 4, 4, false },
    { "y = Sigmoid (z)", NULL, 1, 1, 3, 3, false },
};

START_TEST(rows_of_units_are_found)
{
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "g (float[N,2,2,4] x) => (float y) <float[3,2,1,1] w = {1,-2,3,0.5,-1,2}, int64[1] i0 = {0}, int64[1] i1 = {1},"
        "int64[3] three = {0,1,8}, int64[5] five = {0,1,2,2,2}, int64[4] last = {0,1,8,1}> { z = Conv (x, w) %s }";
    const struct target_options target = { .form = TARGETS_VALUES,
                                           .loss = units[_i].loss,
                                           .class_axis = units[_i].asked };
    struct trainer *t;

    report = (struct report){ .notify = count_warnings };
    warnings = 0;
    t = trainer_of(text, units[_i].end, &target);
    expect_ok(t);
    ck_assert_int_eq(t->targets->loss.axis, units[_i].want);
    ck_assert_int_eq(t->targets->loss.width, units[_i].width);
    ck_assert_int_eq(t->targets->loss.classes, units[_i].classes);
    ck_assert_int_eq(warnings, units[_i].warned);
    trainer_free(t);
}
END_TEST

/* -- used -- */

static float input[N * 16];

/* What a step gives for the same labels, with the classes in dimension 1 or in the last. */
static float step(const char *end, const char *loss, bool last, bool numbers, struct target_result *result,
                  double *right, float *w)
{
    static const int64_t classes[N * ROWS] = { 0, 1, 2, 0, 2, 2, 1, 0, 1, 1, 2, 0, 0, 2, 1, 0 };
    const struct target_options target = { .loss = loss, .class_axis = last ? -1 : 1, .classes = CLASSES };
    struct trainer *t = trainer_of(CONV, end, &target);
    float y[N * ROWS * CLASSES] = { 0 }, out;
    struct tensor tx, ty;

    expect_ok(t);
    for (int k = 0; k < N * ROWS; k++)
        for (int c = 0; c < CLASSES; c++)
            y[last ? k * CLASSES + c : (k / ROWS * CLASSES + c) * ROWS + k % ROWS] = c == classes[k] ? .8f : .1f;
    tx = t->x[0];
    ty = t->targets->y;
    tx.dims[0] = ty.dims[0] = N;
    tx.data = input;
    ty.data = numbers ? (void *)y : (void *)(uintptr_t)classes;
    ck_assert_int_eq(tensor_count(&ty), numbers ? N * ROWS * CLASSES : N * ROWS);
    expect_ok(trainer_evaluate_batch(t, &tx, &ty, &out, &report));
    *result = t->result[0];
    *right = t->result[0].metric[0];
    expect_ok(trainer_step(t, &tx, &ty, &out, &report));
    memcpy(w, trainer_state(t, "w", NULL)->data, 6 * sizeof *w);
    trainer_free(t);
    return out;
}

START_TEST(it_counts_as_the_last_would)
{
    static const struct {
        const char *end, *last, *loss;
        bool numbers;
    } cases[] = {
        { STAYS, LAST, "sparse_categorical_crossentropy:from_logits=1", false },
        { STAYS, LAST, "categorical_crossentropy:from_logits=1", true },
        { SOFTMAX, SOFTMAX_LAST, "sparse_categorical_crossentropy", false },
        { SOFTMAX, SOFTMAX_LAST, "categorical_crossentropy", true },
        { "y = Sigmoid (z)", "s = Sigmoid (z) y = Transpose <perm = [0, 2, 3, 1]> (s)", "binary_crossentropy", true },
        { "y = Sigmoid (z)", "s = Sigmoid (z) y = Transpose <perm = [0, 2, 3, 1]> (s)", "dice", true },
    };
    struct target_result a, b;
    double right, right_last;
    float wa[6], wb[6], x, y;

    for (int k = 0; k < N * 16; k++)
        input[k] = (float)(k * 7 % 11) / 5 - 1;
    x = step(cases[_i].end, cases[_i].loss, false, cases[_i].numbers, &a, &right, wa);
    y = step(cases[_i].last, cases[_i].loss, true, cases[_i].numbers, &b, &right_last, wb);
    ck_assert_float_eq_tol(x, y, 1e-6f);
    ck_assert_float_gt(x, .1f);
    ck_assert_int_eq(a.rows, N * ROWS);
    ck_assert_int_eq(a.rows, b.rows);
    ck_assert_double_eq(right, right_last);
    for (int k = 0; k < 6; k++)
        ck_assert_float_eq_tol(wa[k], wb[k], 1e-6f);
}
END_TEST

/* Labels become one-hot rows along it. */
START_TEST(rows_are_made_along_it)
{
    int64_t classes[8] = { 0, 1, 2, 0, 2, 2, 1, 0 };
    float x[2] = { 1, 2 }, ox[2], oy[24];
    struct two_columns columns;
    struct tensor tx, ty, type, one;
    struct dataset d;
    const struct column_request in = { .type = &one }, want = { .type = &type, .class_axis = 1 };
    const struct batch_request q = { 1, 1, &in, &want };
    struct batches b;
    void *px = ox, *py = oy;
    int64_t count;

    ck_assert(tensor_shape(&tx, F32, 2, (const int64_t[]){ 2, 1 }));
    ck_assert(tensor_shape(&ty, I64, 3, (const int64_t[]){ 2, 2, 2 }));
    ck_assert(tensor_shape(&type, F32, 4, (const int64_t[]){ 2, 3, 2, 2 }));
    one = tx;
    tx.data = x;
    ty.data = classes;
    d = dataset_of(&columns, &tx, &ty, 3, &budget);
    expect_ok(batches_init(&b, &d, NULL, &q, &(struct batch_options){ .batch = 2 }, &budget, &report));
    expect_ok(batches_next(&b, &px, &py, &count, &report));
    for (int k = 0; k < 8; k++)
        for (int c = 0; c < 3; c++)
            ck_assert_float_eq(oy[(k / 4 * 3 + c) * 4 + k % 4], c == classes[k]);
    batches_release(&b);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("class_axis");

    add_tests(s, it_is_found, sizeof places / sizeof *places);
    add_tests(s, rows_of_units_are_found, sizeof units / sizeof *units);
    add_tests(s, it_counts_as_the_last_would, 6);
    add_test(s, rows_are_made_along_it);
    return s;
}
