/* What a model is told of the data that it learns from, and what a program sees of them, with nothing but kiln.h. */
#include "public.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

static char folder[] = "/tmp/kiln-XXXXXX", path[64];

static void enter(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.csv", folder);
}

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

static kiln_dataset *table(const char *text, const kiln_data_options *o)
{
    kiln_dataset *d;

    ok(kiln_file_write(NULL, path, text, strlen(text), &err));
    ok(kiln_dataset_open(&d, path, o, &err));
    return d;
}

static const char *metadata(const kiln_model *m, const char *key)
{
    const char *found, *value;

    for (size_t k = 0; kiln_model_metadata(m, k, &found, &value); k++)
        if (strcmp(found, key) == 0)
            return value;
    return NULL;
}

/* Images of 2 x 1 pixels and 2 channels, which the file has first and the model last. */
static kiln_dataset *images(void)
{
    static const float x[3][4] = { { 1, 2, 30, 40 }, { 3, 6, 10, 40 }, { 8, 4, 20, 40 } };
    static const int64_t y[3] = { 0, 1, 0 }, x_dims[] = { 3, 2, 2, 1 }, y_dims[] = { 3 };
    kiln_tensor *tx = floats(4, x_dims, x[0]), *ty;
    kiln_dataset *d;

    ok(kiln_tensor_new(&ty, KILN_INT64, 1, y_dims, y, &err));
    ok(kiln_dataset_new(&d, tx, ty, NULL, &err));
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
    return d;
}

/* `inner` is read by a subgraph as well. */
static const char last[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                           "net (float[N,2,1,2] x, bool c) => (float[N,2,1,2] y) {\n"
                           "    y = If(c) <then_branch = g () => (float[N,2,1,2] a) { a = Identity(x) },\n"
                           "               else_branch = h () => (float[N,2,1,2] b) { b = Neg(x) }>\n}";
static const char plain[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                            "net (float[N,2,1,2] x) => (float[N,2,1,2] y) { y = Identity(x) }";

static kiln_model *edited(const kiln_model *m, const kiln_dataset *d, bool bake)
{
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    kiln_model *made;

    e.data = d;
    e.bake = bake;
    ok(kiln_model_edit(&made, m, &e, &err));
    return made;
}

static kiln_tensor *batch(const kiln_dataset *d, const kiln_model *m, int64_t count, const int64_t *samples)
{
    kiln_tensor *x;

    ok(kiln_dataset_batch(&x, d, m, samples, count, &err));
    return x;
}

static void expect_floats(const kiln_tensor *t, const float *want, double within)
{
    for (int64_t k = 0; k < kiln_tensor_count(t); k++)
        ck_assert_msg(fabs((double)floats_of(t)[k] - (double)want[k]) <= within, "%lld: %.9g, not %.9g", (long long)k,
                      (double)floats_of(t)[k], (double)want[k]);
}

static kiln_tensor *run(kiln_session **s, const kiln_model *m, const kiln_tensor *x)
{
    const char *name = "x";
    kiln_tensor *y;

    ok(kiln_session_new(s, m, NULL, &err));
    ok(kiln_session_run(*s, 1, &name, &x, &err));
    ok(kiln_tensor_copy(&y, kiln_session_output(*s, 0), &err));
    kiln_session_free(*s);
    return y;
}

START_TEST(a_normalisation_stays_with_the_model)
{
    static const char *const kinds[] = { "unit", "center", "standardize" };
    const int64_t all[] = { 0, 1, 2 };

    for (size_t k = 0; k < 3; k++) {
        kiln_dataset *d = images(), *n, *again;
        kiln_model *m = open_text(plain), *told, *baked;
        kiln_tensor *want, *raw, *got, *in;
        kiln_session *s;

        ok(kiln_dataset_normalize(&n, d, kinds[k], NULL, &err));
        ck_assert_str_eq(kiln_dataset_normalization(n, 0), kinds[k]);
        told = edited(m, n, false);
        ok(kiln_dataset_normalize_for(&again, d, told, &err));
        ck_assert_str_eq(kiln_dataset_normalization(again, 0), kinds[k]);
        want = batch(n, m, 3, all);
        got = batch(again, told, 3, all);
        ck_assert(kiln_tensor_bytes(got) == 12 * sizeof(float) &&
                  !memcmp(floats_of(want), floats_of(got), 12 * sizeof(float)));
        kiln_tensor_free(got);
        baked = edited(m, n, true);
        ck_assert_ptr_null(metadata(baked, "kiln.normalize.x"));
        raw = batch(d, m, 3, all);
        got = run(&s, baked, raw);
        expect_floats(got, floats_of(want), 1e-6);
        kiln_model_free(m);
        m = edited(told, n, true); /* what was told is not done twice */
        ck_assert_ptr_null(metadata(m, "kiln.normalize.x"));
        kiln_tensor_free(got);
        got = run(&s, m, raw);
        expect_floats(got, floats_of(want), 1e-6);
        in = batch(again, told, 1, &all[1]);
        ck_assert(!memcmp(floats_of(in), floats_of(want) + 4, 4 * sizeof(float)));
        kiln_tensor_free(in);
        kiln_tensor_free(want);
        kiln_tensor_free(raw);
        kiln_tensor_free(got);
        kiln_dataset_free(n);
        kiln_dataset_free(again);
        kiln_dataset_free(d);
        kiln_model_free(m);
        kiln_model_free(told);
        kiln_model_free(baked);
    }
}
END_TEST

START_TEST(features_are_in_the_order_of_the_model)
{
    kiln_dataset *d = images(), *n;
    kiln_model *m = open_text(plain), *told;

    ok(kiln_dataset_normalize(&n, d, "standardize", NULL, &err));
    told = edited(m, n, false);
    /* channels first in the file: 1 2 | 30 40 is 1 30 2 40 of the model; the last never varies */
    ck_assert_str_eq(metadata(told, "kiln.normalize.x"), "standardize 4 4 20 4 40 2.94392037 8.16496563 1.63299322 1");
    kiln_model_free(told);
    kiln_dataset_free(n);
    ok(kiln_dataset_normalize(&n, d, "none", NULL, &err));
    ck_assert_ptr_null(kiln_dataset_normalization(n, 0));
    told = edited(m, n, false);
    ck_assert_ptr_null(metadata(told, "kiln.normalize.x"));
    kiln_model_free(told);
    kiln_model_free(m);
    kiln_dataset_free(n);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(channels_or_all_share_a_mean)
{
    static const float x[2][12] = { { 1, 2, 3, 4, 10, 10, 10, 10, 0, 0, 0, 8 }, { 5, 6, 7, 8, 20, 20, 20, 20 } };
    static const int64_t y[2] = { 0, 1 }, x_dims[] = { 2, 3, 2, 2 }, y_dims[] = { 2 };
#define MEANS  " 4.5 15 1"
#define SPREAD " 2.2912879 5 2.64575124"
    static const struct {
        const char *kind, *want;
    } rows[] = {
        { "center:feature", "center 12 3 15 0 4 15 0 5 15 0 6 15 4" },
        { "center:channel", "center 12" MEANS MEANS MEANS MEANS },
        { "center:whole", "center 12 6.83333349 6.83333349 6.83333349 6.83333349 6.83333349 6.83333349 6.83333349 "
                          "6.83333349 6.83333349 6.83333349 6.83333349 6.83333349" },
        { "standardize:channel", "standardize 12" MEANS MEANS MEANS MEANS SPREAD SPREAD SPREAD SPREAD },
        { "unit:whole", "unit" },
    };
    static const int64_t flat_dims[] = { 2, 4, 3 }, two_dims[] = { 2, 2, 3, 2 };
    kiln_tensor *tx = floats(4, x_dims, x[0]), *ty;
    kiln_model *m = open_text("<ir_version: 8, opset_import: [\"\": 17]>\n"
                              "net (float[N,2,2,3] x) => (float[N,2,2,3] y) { y = Identity(x) }"),
               *told;
    kiln_dataset *d, *n;

    ok(kiln_tensor_new(&ty, KILN_INT64, 1, y_dims, y, &err));
    ok(kiln_dataset_new(&d, tx, ty, NULL, &err));
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        ok(kiln_dataset_normalize(&n, d, rows[k].kind, NULL, &err));
        told = edited(m, n, false);
        ck_assert_str_eq(metadata(told, "kiln.normalize.x"), rows[k].want);
        kiln_model_free(told);
        kiln_dataset_free(n);
    }
    for (int channels = 1; channels < 3; channels++) { /* none, and as many as could be a width */
        kiln_dataset *other;
        kiln_model *grey;

        tx = floats(channels + 2, channels == 1 ? flat_dims : two_dims, x[0]);
        ok(kiln_tensor_new(&ty, KILN_INT64, 1, y_dims, y, &err));
        ok(kiln_dataset_new(&other, tx, ty, NULL, &err));
        kiln_tensor_free(tx);
        kiln_tensor_free(ty);
        if (channels == 1) {
            ok(kiln_dataset_normalize(&n, other, "center:channel", NULL, &err));
            grey = open_text("<ir_version: 8, opset_import: [\"\": 17]>\n"
                             "net (float[N,4,3] x) => (float[N,4,3] y) { y = Identity(x) }");
            told = edited(grey, n, false);
            ck_assert_str_eq(metadata(told, "kiln.normalize.x"), rows[2].want);
            kiln_model_free(told);
            kiln_model_free(grey);
            kiln_dataset_free(n);
        } else {
            expect(kiln_dataset_normalize(&n, other, "center:channel", NULL, &err), KILN_BAD_DATA,
                   "samples are float[2,3,2]: channels are");
        }
        kiln_dataset_free(other);
    }
    expect(kiln_dataset_normalize(&n, d, "center:all", NULL, &err), KILN_BAD_ARGUMENT, "':whole'");
    expect(kiln_dataset_normalize(&n, d, "cente", NULL, &err), KILN_BAD_ARGUMENT, "'cente'");
    kiln_model_free(m);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(subgraphs_read_what_is_baked)
{
    const int64_t dims[] = { 1, 2, 1, 2 };
    const float raw[] = { 255, 51, 0, 102 }, want[] = { -1, -.2f, -0.f, -.4f };
    const char *const names[] = { "x" };
    kiln_dataset *d = images(), *n;
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    kiln_model *m = open_text(last), *fixed, *made;
    kiln_tensor *x = floats(4, dims, raw), *c;
    const char *constant = "c";
    kiln_session *s;
    const bool no = false;

    ok(kiln_tensor_new(&c, KILN_BOOL, 0, NULL, &no, &err));
    e.constant_count = 1;
    e.constant_names = &constant;
    e.constants = (const kiln_tensor *const *)&c;
    ok(kiln_model_edit(&fixed, m, &e, &err));
    ok(kiln_dataset_normalize(&n, d, "unit", NULL, &err));
    made = edited(fixed, n, true);
    ok(kiln_session_new(&s, made, NULL, &err));
    ok(kiln_session_run(s, 1, names, (const kiln_tensor *const *)&x, &err));
    expect_floats(kiln_session_output(s, 0), want, 1e-7);
    kiln_session_free(s);
    kiln_model_free(made);
    kiln_model_free(fixed);
    kiln_model_free(m);
    kiln_tensor_free(x);
    kiln_tensor_free(c);
    kiln_dataset_free(n);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(metadata_that_are_wrong_are_refused)
{
    static const char *const texts[] = { "twice",
                                         "center",
                                         "center 3",
                                         "center 2 1",
                                         "center 2 1 2 3",
                                         "center 2 1 inf",
                                         "standardize 1 2",
                                         "standardize 1 2 0",
                                         "standardize 1 2 -1",
                                         "center 1e18 1",
                                         "center 1.5 1",
                                         "unit 1",
                                         "center 2 a b",
                                         "" };
    const char *key = "kiln.normalize.x";
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    kiln_dataset *d = images(), *n;
    kiln_model *m = open_text(plain), *told;
    const int64_t first = 0;
    kiln_tensor *x;

    e.metadata_count = 1;
    e.metadata_keys = &key;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        e.metadata_values = &texts[k];
        ok(kiln_model_edit(&told, m, &e, &err));
        expect(kiln_dataset_normalize_for(&n, d, told, &err), KILN_BAD_MODEL, "the metadata's normalisation of 'x'");
        kiln_model_free(told);
    }
    e.metadata_values = (const char *const[]){ "center 2 1 2" };
    ok(kiln_model_edit(&told, m, &e, &err));
    ok(kiln_dataset_normalize_for(&n, d, told, &err));
    expect(kiln_dataset_batch(&x, n, told, &first, 1, &err), KILN_BAD_DATA,
           "samples have 4 features, those of the training set have 2");
    ck_assert_ptr_null(x);
    kiln_dataset_free(n);
    kiln_model_free(told);
    kiln_model_free(m);
    kiln_dataset_free(d);
}
END_TEST

static const char net[] =
    "<ir_version: 8, opset_import: [\"\": 17]>\n"
    "net (float[N,2] x) => (float[N,3] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> { z = MatMul(x, w) y = Softmax(z) }";

START_TEST(classes_stay_with_the_model)
{
    kiln_model *m = open_text(net), *told, *kept;
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d, *none;
    const char *text = "5,6,b\n1,2,a\n";

    o.model = m;
    d = table("a,b,kind\n1,2,c\n3,4,a\n5,6,b\n", &o);
    ck_assert_str_eq(kiln_dataset_about(d)->label, "the last column, 'kind'");
    ck_assert(kiln_dataset_target(d, 0)->classes == 3 && !strcmp(kiln_dataset_target(d, 0)->class_names[2], "c"));
    told = edited(m, d, false);
    ck_assert_str_eq(metadata(told, "kiln.classes.y"), "a\nb\nc");
    o.as = d;
    kiln_dataset_free(table(text, &o));
    o.as = NULL;
    kiln_dataset_free(d);
    o.model = told;
    d = table(text, &o); /* two of the model's three */
    ck_assert(kiln_dataset_target(d, 0)->classes == 3 && !strcmp(kiln_dataset_target(d, 0)->class_names[2], "c"));
    kiln_dataset_free(d);
    d = table("1,2,0\n3,4,1\n", &o); /* numbers of the same */
    ck_assert(kiln_dataset_target(d, 0)->classes == 3 && !strcmp(kiln_dataset_target(d, 0)->class_names[1], "b"));
    kept = edited(told, d, false);
    ck_assert_str_eq(metadata(kept, "kiln.classes.y"), "a\nb\nc");
    kiln_model_free(kept);
    kiln_dataset_free(d);
    ok(kiln_file_write(NULL, path, "1,2,z\n", 6, &err));
    expect(kiln_dataset_open(&none, path, &o, &err), KILN_BAD_DATA,
           "'z', which is none of the 3 classes known: 'a', ...");
    o.model = m;
    d = table("1,2,0\n3,4,1\n", &o);
    kept = edited(told, d, false); /* of others that have no names */
    ck_assert_ptr_null(metadata(kept, "kiln.classes.y"));
    kiln_model_free(kept);
    kiln_dataset_free(d);
    kiln_model_free(told);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_table_without_labels_is_read)
{
    kiln_model *m = open_text(net);
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_dataset *d;

    o.model = m;
    o.unlabelled = true;
    d = table("1,2\n3,4\n", &o);
    ck_assert(kiln_dataset_about(d)->unlabelled && kiln_dataset_input(d, 0)->dims[0] == 2);
    ck_assert_str_eq(kiln_dataset_about(d)->label, "none");
    kiln_dataset_free(d);
    d = table("1,2,0\n3,4,1\n", &o);
    ck_assert(!kiln_dataset_about(d)->unlabelled && kiln_dataset_input(d, 0)->dims[0] == 2);
    kiln_dataset_free(d);
    kiln_model_free(m);
}
END_TEST

START_TEST(samples_are_looked_at)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_numbers n;
    kiln_dataset *d, *none;
    kiln_tensor *t;
    int64_t counts[2];

    o.gaps = true;
    o.limit = 4;
    d = table("a,b,y\n0,1,0\n-4,?,1\n5,3,1\nNA,,0\n9,9,9\n", &o);
    ok(kiln_dataset_numbers(d, false, 0, &n, &err));
    ck_assert(n.finite == 5 && n.nan == 3 && n.infinite == 0 && n.samples == 2 && n.sample[0] == 1 && n.sample[1] == 3);
    ck_assert(n.least == -4 && n.most == 5 && n.mean == 1 && fabs(n.deviation - sqrt(46 / 5.)) < 1e-12);
    ok(kiln_dataset_sample(&t, d, false, 0, 2, &err));
    ck_assert(kiln_tensor_rank(t) == 1 && floats_of(t)[0] == 5 && floats_of(t)[1] == 3);
    kiln_tensor_free(t);
    expect(kiln_dataset_sample(&t, d, false, 0, 4, &err), KILN_BAD_ARGUMENT, "no sample 4, there are 4");
    expect(kiln_dataset_sample(&t, d, true, 1, 0, &err), KILN_BAD_ARGUMENT, "no target 1");
    expect(kiln_dataset_numbers(NULL, true, 0, &n, &err), KILN_BAD_ARGUMENT, "data is NULL");
    kiln_dataset_free(d);
    o.gaps = false;
    expect(kiln_dataset_open(&none, path, &o, &err), KILN_BAD_DATA, "line 3: field 2 ('b') is '?'");
    d = table("1,2,0\n1,2,1\n1,2,1\n", NULL);
    ok(kiln_dataset_count_classes(d, 0, counts, &err));
    ck_assert(counts[0] == 1 && counts[1] == 2 && !kiln_dataset_sample_name(d, 0));
    ok(kiln_dataset_sample(&t, d, true, 0, 2, &err));
    ck_assert(kiln_tensor_rank(t) == 0 && kiln_tensor_number(t, 0) == 1);
    kiln_tensor_free(t);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(batches_are_refused_that_cannot_be)
{
    kiln_dataset *d = images();
    kiln_model *m = open_text(plain), *other = open_text(net);
    const int64_t wrong[] = { 0, 3 }, right[] = { 2, 0 };
    kiln_tensor *x;

    expect(kiln_dataset_batch(&x, d, m, wrong, 2, &err), KILN_BAD_ARGUMENT, "no sample 3, there are 3");
    expect(kiln_dataset_batch(&x, d, m, right, 0, &err), KILN_BAD_ARGUMENT, "a batch of 0");
    expect(kiln_dataset_batch(&x, d, other, right, 2, &err), KILN_BAD_DATA, "a sample is");
    ck_assert_ptr_null(x);
    x = batch(d, m, 2, right);
    ck_assert(floats_of(x)[0] == 8 && floats_of(x)[1] == 20 && floats_of(x)[4] == 1);
    kiln_tensor_free(x);
    kiln_model_free(m);
    kiln_model_free(other);
    kiln_dataset_free(d);
}
END_TEST

/* What is written there afterwards is what batches hold; labels are copies. */
START_TEST(samples_may_stay_where_they_are)
{
    const int64_t x_dims[] = { 3, 2, 1, 2 }, y_dims[] = { 3 }, all[] = { 0, 1, 2 };
    float x[3][4] = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 } };
    int64_t y[3] = { 0, 1, 0 };

    for (int borrow = 0; borrow < 2; borrow++) {
        kiln_data_options o = KILN_DATA_OPTIONS_INIT;
        kiln_model *m = open_text(plain);
        kiln_tensor *tx, *ty, *got;
        kiln_dataset *d;

        o.borrow = borrow;
        ok(kiln_tensor_wrap(&tx, KILN_FLOAT, 4, x_dims, x, sizeof x, &err));
        ok(kiln_tensor_wrap(&ty, KILN_INT64, 1, y_dims, y, sizeof y, &err));
        ok(kiln_dataset_new(&d, tx, ty, &o, &err));
        kiln_tensor_free(tx);
        kiln_tensor_free(ty);
        x[2][3] = 20;
        y[0] = 7;
        got = batch(d, m, 3, all);
        ck_assert_float_eq(floats_of(got)[11], borrow ? 20 : 12);
        ck_assert_int_eq(kiln_dataset_target(d, 0)->classes, 2);
        kiln_tensor_free(got);
        kiln_dataset_free(d);
        kiln_model_free(m);
        x[2][3] = 12;
        y[0] = 0;
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_data");

    add_test(s, a_normalisation_stays_with_the_model);
    add_test(s, features_are_in_the_order_of_the_model);
    add_test(s, channels_or_all_share_a_mean);
    add_test(s, subgraphs_read_what_is_baked);
    add_test(s, metadata_that_are_wrong_are_refused);
    add_test(s, batches_are_refused_that_cannot_be);
    add_test(s, samples_may_stay_where_they_are);
    add_test_between(s, enter, leave, classes_stay_with_the_model);
    add_test_between(s, enter, leave, a_table_without_labels_is_read);
    add_test_between(s, enter, leave, samples_are_looked_at);
    return s;
}
