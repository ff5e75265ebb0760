/* Operators of ai.onnx.ml: what they make, by hand, and what they refuse. */
#include "by_hand.h"
#include "refusing.h"

static const struct {
    int version; /* of ai.onnx.ml */
    struct by_hand of;
} list[] = {
    { 1,
      { "y = ai.onnx.ml.Scaler <offset = [1.0, 1.0, 2.0], scale = [2.0, 0.5, -1.0]> (x)",
        3,
        3,
        { 1, 2, 3 },
        { 0, .5f, -1 } } },
    { 1,
      { "s = Constant <value_ints = [2, 2]> () m = Reshape(x, s)\n"
        "y = ai.onnx.ml.Scaler <offset = [1.0, 2.0], scale = [2.0, 3.0]> (m)",
        4,
        4,
        { 1, 2, 3, 4 },
        { 0, 0, 4, 6 } } },
    { 1, { "y = ai.onnx.ml.Scaler <offset = [1.0]> (x)", 2, 2, { 1, 2 }, { 0, 1 } } },
    { 1, { "y = ai.onnx.ml.Scaler <scale = [3.0]> (x)", 2, 2, { 1, 2 }, { 3, 6 } } },
    /* no float is 2^24 + 1 */
    { 1,
      { "d = Constant <value = double[1] {16777217}> () y = ai.onnx.ml.Scaler <offset = [16777216.0]> (d)",
        1,
        1,
        { 0 },
        { 1 } } },
    { 1, { "y = ai.onnx.ml.Normalizer(x)", 3, 3, { -3, 1, 2 }, { -1.5f, .5f, 1 } } },
    { 1, { "y = ai.onnx.ml.Normalizer(x)", 2, 2, { -1, -2 }, { 1, 2 } } },
    { 1, { "y = ai.onnx.ml.Normalizer <norm = \"L1\"> (x)", 2, 2, { -3, 1 }, { -.75f, .25f } } },
    { 1, { "y = ai.onnx.ml.Normalizer <norm = \"L2\"> (x)", 2, 2, { -3, 4 }, { -.6f, .8f } } },
    { 1,
      { "s = Constant <value_ints = [2, 2]> () m = Reshape(x, s) y = ai.onnx.ml.Normalizer <norm = \"L1\"> (m)",
        4,
        4,
        { 0, 0, 1, 3 },
        { 0, 0, .25f, .75f } } },
    { 1, { "y = ai.onnx.ml.Binarizer <threshold = 1.5> (x)", 4, 4, { 1, 2, 1.5f, NAN }, { 0, 1, 0, 0 } } },
    { 1,
      { "i = Cast <to = 7> (x) b = ai.onnx.ml.Binarizer <threshold = 0.5> (i) y = Cast <to = 1> (b)",
        3,
        3,
        { 0, 1, -1 },
        { 0, 1, 0 } } },
    { 1,
      { "s = Constant <value_ints = [2, 2]> () m = Reshape(x, s)\n"
        "y = ai.onnx.ml.Imputer <imputed_value_floats = [7.0, 8.0], replaced_value_float = 1.0> (m)",
        4,
        4,
        { 1, 1, NAN, 2 },
        { 7, 8, NAN, 2 } } },
    { 1,
      { "n = Constant <value = float[1] {nan}> () z = Concat <axis = 0> (x, n)\n"
        "y = ai.onnx.ml.Imputer <imputed_value_floats = [7.0]> (z)",
        2,
        3,
        { 0, -0.f },
        { 7, 7, NAN } } },
    { 1,
      { "i = Cast <to = 7> (x) z = ai.onnx.ml.Imputer <imputed_value_int64s = [9], replaced_value_int64 = 2> (i)\n"
        "y = Cast <to = 1> (z)",
        3,
        3,
        { 1, 2, 3 },
        { 1, 9, 3 } } },
    { 1,
      { "y = ai.onnx.ml.OneHotEncoder <cats_int64s = [1, 0, 1]> (x)",
        4,
        12,
        { 1.9f, -.5f, NAN, 2 },
        { 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0 } } },
    { 1,
      { "t = Constant <value_strings = [\"b\", \"\", \"c\"]> () z = ai.onnx.ml.OneHotEncoder <cats_strings = "
        "[\"b\", \"\"]> (t)\n"
        "y = Add(z, x)",
        1,
        6,
        { 1 },
        { 2, 1, 1, 2, 1, 1 } } },
    { 1,
      { "n = Neg(x) y = ai.onnx.ml.FeatureVectorizer <inputdimensions = [3, 1]> (x, n)",
        2,
        4,
        { 1, 2 },
        { 1, 2, 0, -1 } } },
    { 1,
      { "i = Constant <value = int64[1,3] {2, 0, 2}> () y = ai.onnx.ml.ArrayFeatureExtractor(x, i)",
        3,
        3,
        { 1, 2, 3 },
        { 3, 1, 3 } } },
    { 1,
      { "s = Constant <value_ints = [2, 3]> () m = Reshape(x, s) i = Constant <value_int = 1> ()\n"
        "y = ai.onnx.ml.ArrayFeatureExtractor(m, i)",
        6,
        2,
        { 1, 2, 3, 4, 5, 6 },
        { 2, 5 } } },
    { 1,
      { "i = Cast <to = 7> (x) t = ai.onnx.ml.LabelEncoder <classes_strings = [\"b\", \"a\", \"b\"]> (i)\n"
        "k = ai.onnx.ml.LabelEncoder <classes_strings = [\"b\", \"a\", \"b\"], default_int64 = 7> (t)\n"
        "y = Cast <to = 1> (k)",
        4,
        4,
        { 0, 1, 2, 3 },
        { 2, 1, 2, 7 } } },
    { 1,
      { "i = Cast <to = 7> (x)\n"
        "t = ai.onnx.ml.CategoryMapper <cats_strings = [\"a\", \"\"], cats_int64s = [5, 6]> (i)\n"
        "k = ai.onnx.ml.CategoryMapper <cats_strings = [\"\", \"_Unused\"], cats_int64s = [8, 9]> (t)\n"
        "y = Cast <to = 1> (k)",
        3,
        3,
        { 5, 6, 7 },
        { -1, 8, 9 } } },
    { 2,
      { "y = ai.onnx.ml.LabelEncoder <keys_floats = [0.0, 1.0, 1.0], values_floats = [5.0, 6.0, 7.0]> (x)",
        4,
        4,
        { 0, -0.f, 1, NAN },
        { 5, -0.f, 7, -0.f } } },
    { 4,
      { "y = ai.onnx.ml.LabelEncoder <keys_tensor = float[2] {0, nan}, values_floats = [5.0, 6.0]> (x)",
        4,
        4,
        { 0, -0.f, -NAN, 1 },
        { 5, 5, 6, -0.f } } },
    { 4,
      { "z = ai.onnx.ml.LabelEncoder <keys_floats = [1.0, 2.0], values_tensor = int16[2] {8, 9}> (x)\n"
        "y = Cast <to = 1> (z)",
        3,
        3,
        { 1, 2, 3 },
        { 8, 9, -1 } } },
    { 4,
      { "z = ai.onnx.ml.LabelEncoder <keys_floats = [1.0], values_tensor = int32[1] {8}, default_tensor = int32[1] "
        "{4}> (x)\n"
        "y = Cast <to = 1> (z)",
        2,
        2,
        { 1, 3 },
        { 8, 4 } } },
};
enum { LIST = sizeof list / sizeof *list };

START_TEST(values_by_hand)
{
    char opsets[64];

    snprintf(opsets, sizeof opsets, "\"\": 27, \"ai.onnx.ml\": %d", list[_i].version);
    check_by_hand(&list[_i].of, opsets);
}
END_TEST

/* -- classifiers: the label, a number, then the scores -- */

#define LABELS                                                                                                         \
    "l = Cast <to = 1> (k) f = Constant <value_ints = [-1]> () z = Reshape(s, f) y = Concat <axis = 0> (l, z)"
#define SUPPORT                                                                                                        \
    "support_vectors = [0.5, -1.0, 1.0, 2.0, 0.0, -0.5], rho = [0.25, 0.0, -0.5], kernel_params = [0.5, 1.0, 3.0]"
#define THREE                                                                                                          \
    SUPPORT ", vectors_per_class = [1, 0, 2], coefficients = [0.5, -2.0, 1.0, 1.0, 0.25, -1.0], classlabels_ints = "   \
            "[5, 6, 7]"

static const struct by_hand classifiers[] = {
    { "k, s = ai.onnx.ml.LinearClassifier <coefficients = [0.0, 1.0, 1.0], classlabels_ints = [5, 6, 7]> (x) " LABELS,
      1,
      4,
      { 2 },
      { 6, 0, 2, 2 } },
    { "k, s = ai.onnx.ml.LinearClassifier <coefficients = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0], classlabels_ints = [5, 6, "
      "7]> (x) " LABELS,
      2,
      4,
      { 3, -1 },
      { 5, 3, -1, 2 } },
    { "k, s = ai.onnx.ml.LinearClassifier <coefficients = [1.0, 1.0], intercepts = [-1.0], classlabels_ints = [5, 6], "
      "post_transform = \"LOGISTIC\"> (x) " LABELS,
      2,
      3,
      { 3, -2 },
      { 5, .5f, .5f } },
    { "k, s = ai.onnx.ml.LinearClassifier <coefficients = [1.0, 1.0, 0.0], classlabels_ints = [5, 6]> (x) " LABELS,
      3,
      3,
      { 3, -2, 9 },
      { 6, -1, 1 } },
    { "k, s = ai.onnx.ml.LinearClassifier <coefficients = [1.0, 2.0, 0.0], classlabels_ints = [5, 6, 7], "
      "post_transform = \"SOFTMAX_ZERO\"> (x) " LABELS,
      1,
      4,
      { .6931471806f },
      { 6, .333333333f, .666666667f, 0 } },
    { "s = ai.onnx.ml.LinearRegressor <coefficients = [1.0, 0.0, 0.0, 1.0], intercepts = [0.0, 5.0], targets = 2> (x)\n"
      "l = Constant <value_ints = [-1]> () y = Reshape(s, l)",
      2,
      2,
      { 3, -1 },
      { 3, 4 } },
    { "s = Constant <value_ints = [5, 1]> () m = Reshape(x, s)\n"
      "z = ai.onnx.ml.LinearRegressor <coefficients = [1.0], post_transform = \"PROBIT\"> (m)\n"
      "h = Constant <value_float = 100.0> () q = Mul(z, h) y = Round(q)",
      5,
      5,
      { .5f, .975f, .025f, 0, 1 },
      { 0, 196, -196, -INFINITY, INFINITY } },
    { "s = Constant <value_ints = [1, 2]> () m = Reshape(x, s)\n"
      "y = ai.onnx.ml.SVMRegressor <" SUPPORT ", coefficients = [0.5, -2.0, 1.0], n_supports = 3, "
      "kernel_type = \"RBF\"> (m)",
      2,
      1,
      { 1, 1 },
      { -.70643316f } },
    { "y = ai.onnx.ml.SVMRegressor <" SUPPORT ", coefficients = [0.5, -2.0, 1.0], n_supports = 3, "
      "kernel_type = \"POLY\"> (x)",
      2,
      1,
      { 1, 1 },
      { -30.3671875f } },
    { "y = ai.onnx.ml.SVMRegressor <" SUPPORT ", coefficients = [0.5, -2.0, 1.0], n_supports = 3, "
      "kernel_type = \"SIGMOID\"> (x)",
      2,
      1,
      { 1, 1 },
      { -.770505168f } },
    { "y = ai.onnx.ml.SVMRegressor <coefficients = [1.0, 2.0], rho = [0.5], post_transform = \"LOGISTIC\"> (x)",
      2,
      1,
      { -.5f, 0 },
      { .5f } },
    { "y = ai.onnx.ml.SVMRegressor <coefficients = [1.0, 2.0], rho = [0.5], one_class = 1> (x)",
      2,
      1,
      { -.5f, 0 },
      { -1 } },
    { "k, s = ai.onnx.ml.SVMClassifier <" THREE "> (x) " LABELS, 2, 4, { 1, 1 }, { 6, 0, -7, .75f } },
    { "k, s = ai.onnx.ml.SVMClassifier <" THREE ", prob_a = [-1.5, 1.0, 0.5], prob_b = [0.25, 0.0, -1.0]> (x) " LABELS,
      2,
      4,
      { 1, 1 },
      { 6, .43459978f, .47467639f, .09072383f } },
    { "k, s = ai.onnx.ml.SVMClassifier <" SUPPORT ", vectors_per_class = [1, 2], coefficients = [0.5, -2.0, 1.0], "
      "classlabels_ints = [5, 6]> (x) " LABELS,
      2,
      3,
      { 1, 1 },
      { 6, 6.5f, -6.5f } },
    { "k, s = ai.onnx.ml.SVMClassifier <coefficients = [1.0, 2.0, -1.0, 0.0], rho = [0.5], classlabels_ints = [5, 6]> "
      "(x) " LABELS,
      2,
      3,
      { 1, 1 },
      { 5, 3.5f, -.5f } },
};
enum { CLASSIFIERS = sizeof classifiers / sizeof *classifiers };

START_TEST(features_keep_their_numbers_in_big_tensors)
{
    enum { ROWS = 20001, FEATURES = 3 };
    static float x[ROWS * FEATURES];
    const int64_t dims[] = { ROWS, FEATURES };
    const float *y;
    struct fixture f;

    begin(&f, "<ir_version: 10, opset_import: [\"\": 17, \"ai.onnx.ml\": 1]> g (float[N, 3] x) => (float[N, 3] y)\n"
              "{ y = ai.onnx.ml.Scaler <offset = [1.0, 2.0, 3.0], scale = [2.0, 4.0, 8.0]> (x) }");
    for (int k = 0; k < ROWS * FEATURES; k++)
        x[k] = (float)(k % FEATURES + 2);
    set(&f, "x", F32, 2, dims, x);
    run_ok(&f);
    y = floats(&f, 0, ROWS * FEATURES);
    for (int k = 0; k < ROWS * FEATURES; k++)
        ck_assert_msg(y[k] == (float)(2 << k % FEATURES), "y[%d] is %g", k, (double)y[k]);
    end(&f);
}
END_TEST

START_TEST(classifiers_by_hand)
{
    check_by_hand(&classifiers[_i], "\"\": 27, \"ai.onnx.ml\": 1");
}
END_TEST

/* -- refused -- */

static const struct refused refused[] = {
    { "Scaler", 1, { "f32[2,3]", "offset=[1.,2.]", "f32[2,3]", 0 }, "'offset' has 2 values, must have 1 or" },
    { "Scaler", 1, { "f32[2,2]", "offset=[1.,2.] scale=[1.]", "f32[2,2]", 0 }, "2 offsets and 1 scales" },
    { "Normalizer", 1, { "f32[2,2]", "norm='L3'", "f32[2,2]", 0 }, "must be one of 'MAX'" },
    { "Imputer", 1, { "f32[2,2]", "", "f32[2,2]", 0 }, "must have values, none has" },
    { "Imputer", 1, { "f32[2,3]", "imputed_value_floats=[1.,2.]", "f32[2,3]", 0 }, "2 imputed values, must be 1 or" },
    { "Imputer", 1, { "i32[2]", "imputed_value_floats=[1.]", "i32[2]", 0 }, "the imputed values are floats" },
    { "Imputer", 1, { "i32[2]", "imputed_value_int64s=[4294967296]", "i32[2]", 0 }, "must be an int32" },
    { "OneHotEncoder", 1, { "i64[2]{1,5}", "cats_int64s=[1] zeros=0", "f32[2,1]", 0 }, "element 1 of 'X' is none of" },
    { "OneHotEncoder", 1, { "i64[2]", "cats_strings=['a']", "f32[2,1]", 0 }, "the categories are strings" },
    { "OneHotEncoder", 1, { "i64[2]", "cats_strings=['a'] cats_int64s=[1]", "f32[2,1]", 0 }, "both have" },
    { "ZipMap", 1, { "f32[2,3]", "classlabels_int64s=[1,2]", "seq(map(i64,f32))", 0 }, "3 features, must have 2" },
    { "ZipMap", 1, { "f32[2,2]", "", "seq(map(i64,f32))", 0 }, "'classlabels_strings' is missing" },
    { "DictVectorizer",
      1,
      { "map(i64[1]{1},f32[1])", "string_vocabulary=['a']", "f32[1,1]", 0 },
      "'X' has keys of type int64, but the vocabulary is of string" },
    { "CastMap",
      1,
      { "map(i64[2]{1,3},f32[2])", "map_form='SPARSE' max_map=3", "f32[1,3]", 0 },
      "the map has key 3, must be in [0, 3)" },
    { "CastMap", 1, { "map(i64[1]{-1},f32[1])", "map_form='SPARSE'", "f32[1,1]", 0 }, "the map has key -1" },
    { "CastMap", 1, { "map(i64[1]{0},f32[1])", "map_form='SPARSE' max_map=0", "f32[1,1]", 0 }, "max_map is 0" },
    { "CastMap", 1, { "map(i64[1]{0},str[1]{'1x'})", "", "f32[1,1]", 0 }, "'1x'" },
    { "FeatureVectorizer", 1, { "f32[2,2] f32[3,2]", "", "f32[2,4]", 0 }, "input 1 has 3 rows, must have 2" },
    { "FeatureVectorizer", 1, { "f32[2,2]", "inputdimensions=[2,1]", "f32[2,3]", 0 }, "must have 1 as there are" },
    { "ArrayFeatureExtractor", 1, { "f32[2,2] i64[1]{-1}", "", "f32[2,1]", 0 }, "element 0 of 'Y' is -1" },
    { "ArrayFeatureExtractor", 1, { "f32[2,2] i64[2]{1,2}", "", "f32[2,2]", 0 }, "element 1 of 'Y' is 2" },
    { "CategoryMapper", 1, { "i64[2]", "cats_strings=['a'] cats_int64s=[1,2]", "str[2]", 0 }, "1 keys have 2 values" },
    { "LabelEncoder", 2, { "i64[2]", "keys_strings=['a'] values_floats=[1.]", "f32[2]", 0 }, "'X' is int64, must be" },
    { "LabelEncoder", 2, { "i64[2]", "values_floats=[1.]", "f32[2]", 0 }, "'keys_*' is missing" },
    { "LabelEncoder",
      4,
      { "i64[2]", "keys_int64s=[1] keys_floats=[1.] values_floats=[1.]", "f32[2]", 0 },
      "both 'keys_int64s' and 'keys_floats'" },
    { "LabelEncoder",
      4,
      { "i64[2]", "keys_int64s=[1] values_floats=[1.] default_tensor=f64[1]{1}", "f32[2]", 0 },
      "must be one float as the values are" },
    { "LabelEncoder", 4, { "i64[2]", "keys_tensor=u8[1] values_floats=[1.]", "f32[2]", 0 }, "which has no labels" },
    { "LinearClassifier", 1, { "f32[2,2]", "classlabels_ints=[1]", "i64[2]", 0 }, "'coefficients' is missing" },
    { "LinearClassifier", 1, { "f32[2,2]", "coefficients=[1.,2.]", "i64[2]", 0 }, "'classlabels_strings' is missing" },
    { "LinearClassifier",
      1,
      { "f32[2,3]", "coefficients=[1.,2.] classlabels_ints=[1]", "i64[2]", 0 },
      "'X' has 3 features, must have 2" },
    { "LinearClassifier",
      1,
      { "f32[2,1]", "coefficients=[1.,2.] intercepts=[1.,2.] classlabels_ints=[1]", "i64[2]", 0 },
      "2 intercepts, must be 1" },
    { "LinearRegressor", 1, { "f32[2,2,2]", "coefficients=[1.,2.]", "f32[2,1]", 0 }, "'X' has 3 dimensions" },
    { "LinearRegressor", 1, { "f32[2,2]", "coefficients=[1.,2.,3.] targets=2", "f32[2,2]", 0 }, "as many for each" },
    { "LinearRegressor", 1, { "f32[2,2]", "coefficients=[1.] targets=0", "f32[2,2]", 0 }, "'targets' is 0" },
    { "SVMRegressor",
      1,
      { "f32[2,2]", "rho=[0.] coefficients=[1.] n_supports=2 support_vectors=[1.,2.,3.,4.]", "f32[2,1]", 0 },
      "1 coefficients, must be 2" },
    { "SVMRegressor", 1, { "f32[2,2]", "coefficients=[1.,2.]", "f32[2,1]", 0 }, "'rho' is missing" },
    { "SVMRegressor",
      1,
      { "f32[2,2]", "rho=[0.] coefficients=[1.,2.] kernel_params=[1.]", "f32[2,1]", 0 },
      "must have 3: gamma" },
    { "SVMClassifier",
      1,
      { "f32[2,1]",
        "rho=[0.] coefficients=[1.,2.] support_vectors=[1.,2.] vectors_per_class=[1,1,0] "
        "classlabels_ints=[1,2]",
        "i64[2]", 0 },
      "vectors_per_class has 3 values, must have 2" },
    { "SVMClassifier",
      1,
      { "f32[2,1]", "rho=[0.] coefficients=[1.] support_vectors=[1.,2.] vectors_per_class=[1,1] classlabels_ints=[1,2]",
        "i64[2]", 0 },
      "coefficients has 1 values, must have 2" },
};
enum { REFUSED = sizeof refused / sizeof *refused };

START_TEST(refuses_and_says_why)
{
    check_refused(&refused[_i], "ai.onnx.ml");
}
END_TEST

START_TEST(a_newer_opset_is_refused_where_it_is_used)
{
    static const char text[] = "<ir_version: 10, opset_import: [\"\": 17, \"ai.onnx.ml\": 6]>\n"
                               "g (float[N] x) => (float[N] y) { y = ai.onnx.ml.Binarizer(x) }";
    struct report report = { 0 };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    ck_assert(m && !model_build(m, &report));
    ck_assert_int_eq(report.error.code, KILN_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(report.error.message, "opset 6 of domain 'ai.onnx.ml' is newer than 5"));
    model_free(m);
}
END_TEST

/* As skl2onnx writes it. */
START_TEST(an_opset_that_is_imported_again_is_one)
{
    struct fixture f;
    float x = 3;

    begin(&f, "<ir_version: 10, opset_import: [\"\": 17, \"ai.onnx.ml\": 1, \"ai.onnx\": 17, \"ai.onnx.ml\": 1]>\n"
              "g (float x) => (float y) { y = ai.onnx.ml.Binarizer(x) }");
    set(&f, "x", F32, 0, NULL, &x);
    run_ok(&f);
    ck_assert(floats(&f, 0, 1)[0] == 1);
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("ml");

    add_tests(s, values_by_hand, LIST);
    add_test(s, features_keep_their_numbers_in_big_tensors);
    add_tests(s, classifiers_by_hand, CLASSIFIERS);
    add_tests(s, refuses_and_says_why, REFUSED);
    add_test(s, an_opset_that_is_imported_again_is_one);
    add_test(s, a_newer_opset_is_refused_where_it_is_used);
    return s;
}
