/* Models that are looked at, changed and written, as a program that has nothing but kiln.h does it. */
#include "public.h"
#include <stdio.h>
#include <unistd.h>

static kiln_model *open_as(const char *text, bool partial)
{
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    kiln_model *m;

    o.partial = partial;
    ok(kiln_model_open_memory(&m, text, strlen(text), &o, &err));
    return m;
}

static const char net[] = "<ir_version: 8, opset_import: [\"\": 17], producer_name: \"us\", producer_version: \"3\", "
                          "domain: \"test\", model_version: 7, doc_string: \"short\", metadata_props: [\"a\": \"1\", "
                          "\"b\": \"2\", \"a\": \"3\"]>\n"
                          "net (float[N,2] x, float[2] mean) => (float[N,2] y) <float[2] w = {1, 2}> {\n"
                          "    d = Sub(x, mean) e = Mul(d, w)\n"
                          "    y = BatchNormalization<training_mode = 0>(e, w, w, w, w)\n}";
static const char unsupported[] = "<ir_version: 8, opset_import: [\"\": 17, \"nobody\": 1]>\n"
                                  "odd (float[N,2,None] x, seq(float) u) => (float[M,2] y) <float[2] w = {1, 2}> {\n"
                                  "    h = nobody.Strange(x, u) y = Mul(h, w)\n}";

START_TEST(a_model_tells_of_itself)
{
    kiln_model *m = open_as(net, false);
    const kiln_model_info *i = kiln_model_about(m);

    ck_assert_int_eq(i->ir_version, 8);
    ck_assert_int_eq(i->model_version, 7);
    ck_assert_str_eq(i->producer_name, "us");
    ck_assert_str_eq(i->producer_version, "3");
    ck_assert_str_eq(i->domain, "test");
    ck_assert_str_eq(i->graph_name, "net");
    ck_assert_str_eq(i->doc, "short");
    ck_assert_ptr_null(kiln_model_error(m));
    ck_assert_uint_eq(kiln_model_missing_count(m), 0);
    kiln_model_free(m);
    ck_assert_ptr_null(kiln_model_about(NULL));
    ck_assert_ptr_null(kiln_model_error(NULL));
}
END_TEST

START_TEST(a_partial_model_is_looked_at_and_saved)
{
    kiln_model *m = open_as(unsupported, true), *none, *again;
    kiln_session *s;
    kiln_trainer *t;
    char folder[] = "/tmp/kiln-XXXXXX", path[64], *text;

    ck_assert_int_eq(kiln_model_error(m)->code, KILN_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(kiln_model_error(m)->message, "Strange"));
    ck_assert_uint_eq(kiln_model_input_count(m), 2);
    ck_assert_str_eq(kiln_model_input(m, 0)->name, "x");
    ck_assert_str_eq(kiln_model_input(m, 0)->dim_names[0], "N");
    ck_assert_ptr_null(kiln_model_input(m, 0)->dim_names[1]);
    ck_assert_ptr_null(kiln_model_input(m, 0)->dim_names[2]); /* "None" */
    ck_assert_int_eq(kiln_model_input(m, 0)->dims[1], 2);
    ck_assert_int_eq(kiln_model_input(m, 1)->kind, KILN_SEQUENCE);
    ck_assert_int_eq(kiln_model_input(m, 1)->rank, KILN_ANY);
    ck_assert_str_eq(kiln_model_output(m, 0)->name, "y");
    expect(kiln_session_new(&s, m, NULL, &err), KILN_UNSUPPORTED, "Strange");
    expect(kiln_trainer_new(&t, m, NULL, &err), KILN_UNSUPPORTED, "Strange");
    expect(kiln_model_initialize(&none, m, 0, false, NULL, &err), KILN_UNSUPPORTED, "Strange");
    ck_assert(!s && !t && !none);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    ok(kiln_model_save(m, path, KILN_FORM_TEXT, &err));
    expect(kiln_model_open(&none, path, NULL, &err), KILN_UNSUPPORTED, "Strange");
    ok(kiln_model_edit(&again, m, NULL, &err));
    text = text_of(again, KILN_FORM_TEXT);
    ck_assert_ptr_nonnull(strstr(text, "nobody.Strange"));
    free(text);
    unlink(path);
    rmdir(folder);
    kiln_model_free(again);
    kiln_model_free(m);
}
END_TEST

START_TEST(what_cannot_be_read_is_not_partial)
{
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    kiln_model *m;

    o.partial = true;
    ck_assert_int_eq(kiln_model_open_memory(&m, "\xff\xff\xff", 3, &o, &err), KILN_BAD_MODEL);
    ck_assert_ptr_null(m);
    o.memory = 3000;
    ck_assert_int_eq(kiln_model_open_memory(&m, net, strlen(net), &o, &err), KILN_LIMIT);
    ck_assert_ptr_null(m);
    while (kiln_model_open_memory(&m, net, strlen(net), &o, &err) == KILN_LIMIT) { /* that it is read with, not built */
        ck_assert_ptr_null(m);
        o.memory += 500;
    }
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_null(kiln_model_error(m));
    kiln_model_free(m);
}
END_TEST

START_TEST(inputs_become_constants)
{
    const int64_t two = 2, three = 3;
    const float numbers[] = { 10, 20 };
    const char *const names[] = { "mean", "mean" };
    kiln_model *m = open_as(net, false), *made, *none;
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    kiln_tensor *mean, *whole, *longer, *several;
    char *text;

    ok(kiln_tensor_new(&mean, KILN_FLOAT, 1, &two, numbers, &err));
    ok(kiln_tensor_new(&whole, KILN_INT64, 1, &two, NULL, &err));
    ok(kiln_tensor_new(&longer, KILN_FLOAT, 1, &three, NULL, &err));
    ok(kiln_tensor_new_sequence(&several, KILN_FLOAT, 1, (const kiln_tensor *const *)&mean, &err));
    o.constant_names = names;
    o.constants = (const kiln_tensor *const[]){ mean, mean };
    o.constant_count = 1;
    ok(kiln_model_edit(&made, m, &o, &err));
    ck_assert_uint_eq(kiln_model_input_count(made), 1);
    ck_assert_uint_eq(kiln_model_input_count(m), 2);
    text = text_of(made, KILN_FORM_TEXT);
    ck_assert_ptr_nonnull(strstr(text, "mean = {10, 20}"));
    free(text);
    o.constant_count = 2;
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "'mean' is given twice");
    o.constant_count = 1;
    o.constants = (const kiln_tensor *const[]){ whole };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_DATA, "input 'mean' is float[2], the value for it int64[2]");
    o.constants = (const kiln_tensor *const[]){ longer };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_DATA, "input 'mean' is float[2], the value for it float[3]");
    o.constants = (const kiln_tensor *const[]){ several };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_DATA, "the value for it seq(float");
    o.constants = (const kiln_tensor *const[]){ mean };
    o.constant_names = (const char *const[]){ "w" };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "no input 'w': it is an initializer");
    o.constant_names = (const char *const[]){ "nobody" };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "no input 'nobody'");
    o.constants = (const kiln_tensor *const[]){ NULL };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "is NULL");
    o.constants = NULL;
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "is NULL");
    ck_assert_ptr_null(none);
    kiln_tensor_free(mean);
    kiln_tensor_free(whole);
    kiln_tensor_free(longer);
    kiln_tensor_free(several);
    kiln_model_free(made);
    kiln_model_free(m);
}
END_TEST

static void expect_metadata(const kiln_model *m, const char *const *want, size_t count)
{
    ck_assert_uint_eq(kiln_model_metadata_count(m), count);
    for (size_t k = 0; k < count; k++) {
        const char *key, *value;

        ck_assert(kiln_model_metadata(m, k, &key, &value));
        ck_assert_str_eq(key, want[2 * k]);
        ck_assert_str_eq(value, want[2 * k + 1]);
    }
}

START_TEST(open_dimensions_become_numbers)
{
    static const char any[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                              "g (float[] x, float[N,K] a, float[N] b, seq(float) q) => (float[N,K] y, float[] z)\n"
                              "<float[N,K] c> { c = Neg(a) y = Neg(c) z = Neg(x) }";
    const int64_t dims[] = { 3, 5 }, others[KILN_MAX_RANK + 1] = { 4, 5 };
    kiln_shape shapes[] = { { "a", 2, dims }, { "a", 2, dims } };
    kiln_model *m = open_as(any, false), *made, *none;
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    char *text;

    o.shape_count = 1;
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "NULL");
    o.shapes = shapes;
    ok(kiln_model_edit(&made, m, &o, &err));
    text = text_of(made, KILN_FORM_TEXT);
    ck_assert_ptr_nonnull(strstr(text, "float[3,5] a, float[3] b, seq(float) q) => (float[3,5] y"));
    ck_assert_ptr_nonnull(strstr(text, "float[3,5] c"));
    free(text);
    kiln_model_free(made);
    o.shape_count = 2;
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "'a' is given two shapes");
    shapes[1] = (kiln_shape){ "b", 1, others };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_DATA, "'b' is float[3], cannot be float[4]");
    o.shape_count = 1;
    shapes[0] = (kiln_shape){ "q", 1, dims };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_DATA, "has no shape");
    shapes[0] = (kiln_shape){ "b", KILN_MAX_RANK + 1, others };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "has 17 dimensions, must have 0 to 16");
    shapes[0] = (kiln_shape){ "b", 1, (const int64_t[]){ -2 } };
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "no such shape");
    shapes[0] = (kiln_shape){ "x", 1, (const int64_t[]){ -1 } }; /* nothing is declared that could stay */
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_ARGUMENT, "no such shape");
    shapes[0] = (kiln_shape){ "a", 2, (const int64_t[]){ -1, 5 } }; /* the first stays open */
    ok(kiln_model_edit(&made, m, &o, &err));
    text = text_of(made, KILN_FORM_TEXT);
    ck_assert_ptr_nonnull(strstr(text, "float[N,5] a, float[N] b, seq(float) q) => (float[N,5] y"));
    free(text);
    kiln_model_free(made);
    shapes[0] = (kiln_shape){ "x", 2, dims }; /* of any rank */
    ok(kiln_model_edit(&made, m, &o, &err));
    ck_assert_int_eq(kiln_model_input(made, 0)->rank, 2);
    ck_assert_int_eq(kiln_model_input(made, 0)->dims[1], 5);
    kiln_model_free(made);
    shapes[0] = (kiln_shape){ "a", 2, (const int64_t[]){ 3, 5 } };
    kiln_model_free(m);
    m = open_as("<ir_version: 8, opset_import: [\"\": 17]> g (float[N,N] a) => (float[N,N] y) { y = Neg(a) }", false);
    expect(kiln_model_edit(&none, m, &o, &err), KILN_BAD_DATA, "dimension 1 of input 'a' would be 3 and 5");
    kiln_model_free(m);
}
END_TEST

START_TEST(metadata_is_written)
{
    kiln_model *m = open_as(net, false), *made;
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;

    o.metadata_count = 3;
    o.metadata_keys = (const char *const[]){ "a", "new", "b" };
    o.metadata_values = (const char *const[]){ "one", "four", NULL };
    ok(kiln_model_edit(&made, m, &o, &err));
    expect_metadata(made, (const char *const[]){ "a", "one", "new", "four" }, 2);
    expect_metadata(m, (const char *const[]){ "a", "1", "b", "2", "a", "3" }, 3);
    kiln_model_free(made);
    o.metadata_values = (const char *const[]){ "one", "\xff", NULL };
    expect(kiln_model_edit(&made, m, &o, &err), KILN_BAD_ARGUMENT, "metadata 'new' is not valid UTF-8");
    kiln_model_free(m);
}
END_TEST

START_TEST(a_copy_is_in_inference_form)
{
    static const char training[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                                   "net (float[N,2] x) => (float[N,2] y) <float[2] w = {1, 2}, float[2] v = {1, 2}> {\n"
                                   "    y, a, b = BatchNormalization<training_mode = 1>(x, w, w, w, v)\n}";
    kiln_model *m = open_as(training, false), *made;
    kiln_edit_options o = KILN_EDIT_OPTIONS_INIT;
    char *text;

    o.inference = true;
    ok(kiln_model_edit(&made, m, &o, &err));
    text = text_of(made, KILN_FORM_TEXT);
    ck_assert_ptr_null(strstr(text, "training_mode: int = 1"));
    ck_assert_ptr_null(strstr(text, "y, a"));
    free(text);
    kiln_model_free(made);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_model_is_written_to_memory)
{
    kiln_model *m = open_as(net, false), *again;
    struct bytes b = { 0 }, little = { .most = 4 };
    char *brief, *text, *text_again;

    ok(kiln_model_write(m, KILN_FORM_BY_NAME, take, &b, &err));
    ok(kiln_model_open_memory(&again, b.data, b.count, NULL, &err));
    text = text_of(m, KILN_FORM_TEXT);
    text_again = text_of(again, KILN_FORM_TEXT);
    ck_assert_str_eq(text, text_again);
    brief = text_of(m, KILN_FORM_BRIEF);
    ck_assert_str_eq(text, brief); /* there is nothing big in it */
    expect(kiln_model_write(m, KILN_FORM_BINARY, take, &little, &err), KILN_STOPPED, "stopped while writing");
    expect(kiln_model_write(m, KILN_FORM_TEXT, take, &little, &err), KILN_STOPPED, "stopped while writing");
    expect(kiln_model_write(m, (kiln_form)9, take, &b, &err), KILN_BAD_ARGUMENT, "form 9");
    expect(kiln_model_write(m, KILN_FORM_TEXT, NULL, &b, &err), KILN_BAD_ARGUMENT, "write is NULL");
    expect(kiln_model_save(m, "x.onnx", KILN_FORM_BRIEF, &err), KILN_BAD_ARGUMENT, "form 3");
    free(text);
    free(text_again);
    free(brief);
    free(b.data);
    free(little.data);
    kiln_model_free(again);
    kiln_model_free(m);
}
END_TEST

/* -- files -- */

START_TEST(files_are_kept_apart)
{
    kiln_context_options o = KILN_CONTEXT_OPTIONS_INIT;
    kiln_context *apart, *any;
    char folder[] = "/tmp/kiln-XXXXXX", a[64], b[64], content[8] = "";
    FILE *f;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    ok(kiln_context_new(&any, &o, &err));
    o.files_apart = true;
    ok(kiln_context_new(&apart, &o, &err));
    ok(kiln_file_write(NULL, a, "one", 3, &err));
    ok(kiln_file_claim(apart, a, KILN_FILE_INPUT, &err));
    expect(kiln_file_write(apart, a, "two", 3, &err), KILN_BAD_ARGUMENT, "is read");
    expect(kiln_file_claim(apart, a, KILN_FILE_OUTPUT, &err), KILN_BAD_ARGUMENT, "is read");
    ok(kiln_file_claim(apart, b, KILN_FILE_LOG, &err));
    expect(kiln_file_claim(apart, b, KILN_FILE_OUTPUT, &err), KILN_BAD_ARGUMENT, "two outputs");
    ok(kiln_file_claim(any, a, KILN_FILE_INPUT, &err));
    ok(kiln_file_write(any, a, "three", 5, &err));
    f = fopen(a, "r");
    ck_assert(f && fread(content, 1, 7, f) == 5 && strcmp(content, "three") == 0);
    fclose(f);
    expect(kiln_file_claim(any, folder, KILN_FILE_OUTPUT, &err), KILN_IO, "");
    expect(kiln_file_claim(any, b, KILN_FILE_INPUT, &err), KILN_IO, "No such file");
    expect(kiln_file_claim(any, NULL, KILN_FILE_INPUT, &err), KILN_BAD_ARGUMENT, "path is NULL");
    expect(kiln_file_claim(any, a, (kiln_file_use)4, &err), KILN_BAD_ARGUMENT, "use 4");
    expect(kiln_file_write(any, a, NULL, 1, &err), KILN_BAD_ARGUMENT, "bytes is NULL");
    unlink(a);
    rmdir(folder);
    kiln_context_free(apart);
    kiln_context_free(any);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("edit");

    add_test(s, a_model_tells_of_itself);
    add_test(s, a_partial_model_is_looked_at_and_saved);
    add_test(s, what_cannot_be_read_is_not_partial);
    add_test(s, inputs_become_constants);
    add_test(s, open_dimensions_become_numbers);
    add_test(s, metadata_is_written);
    add_test(s, a_copy_is_in_inference_form);
    add_test(s, a_model_is_written_to_memory);
    add_test(s, files_are_kept_apart);
    return s;
}
