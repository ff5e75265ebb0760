/* The public interface, as a program that has nothing but kiln.h uses it, and as one misuses it. */
#include "public.h"
#include <stdio.h>
#include <unistd.h>

static const char sum[] =
    "<ir_version: 8, opset_import: [\"\": 17, \"ai.onnx.ml\": 3], metadata_props: [\"author\": \"us\"]>\n"
    "sum (float[N,2] x, float[N,2] y, float[2] bias) => (float[N,2] z, float[N,2] w)\n"
    "<float[2] bias = {10, 20}> { t = Add(x, y) z = Add(t, bias) w = Mul(x, y) }";

/* -- tensors -- */

START_TEST(a_tensor_is_a_copy)
{
    float data[] = { 1, 2, 3, 4 };
    kiln_tensor *t = floats(2, two_by_two, data);

    data[0] = 9;
    ck_assert_int_eq(kiln_tensor_kind(t), KILN_TENSOR);
    ck_assert_int_eq(kiln_tensor_dtype(t), KILN_FLOAT);
    ck_assert_int_eq(kiln_tensor_rank(t), 2);
    ck_assert_int_eq(kiln_tensor_dims(t)[1], 2);
    ck_assert_int_eq(kiln_tensor_count(t), 4);
    ck_assert_uint_eq(kiln_tensor_bytes(t), 16);
    ck_assert_float_eq(((const float *)kiln_tensor_data(t))[0], 1);
    ck_assert_int_eq(kiln_tensor_item_count(t), 0);
    ck_assert_ptr_null(kiln_tensor_item(t, 0));
    ck_assert_ptr_null(kiln_tensor_string(t, 0, NULL));
    kiln_tensor_free(t);
}
END_TEST

START_TEST(a_scalar_and_nothing_are_tensors)
{
    const int64_t none[] = { 3, 0 };
    kiln_tensor *t;

    ok(kiln_tensor_new(&t, KILN_INT64, 0, NULL, NULL, &err));
    ck_assert_int_eq(kiln_tensor_count(t), 1);
    ck_assert_int_eq(*(const int64_t *)kiln_tensor_data(t), 0);
    kiln_tensor_free(t);
    ok(kiln_tensor_new(&t, KILN_DOUBLE, 2, none, NULL, NULL));
    ck_assert_int_eq(kiln_tensor_count(t), 0);
    ck_assert_uint_eq(kiln_tensor_bytes(t), 0);
    kiln_tensor_free(t);
    kiln_tensor_free(NULL);
}
END_TEST

START_TEST(a_wrapped_tensor_is_the_callers_memory)
{
    float data[4] = { 0 };
    kiln_tensor *t = (kiln_tensor *)(void *)data;

    ok(kiln_tensor_wrap(&t, KILN_FLOAT, 2, two_by_two, data, sizeof data, &err));
    ck_assert_ptr_eq(kiln_tensor_data(t), data);
    kiln_tensor_free(t);
    expect(kiln_tensor_wrap(&t, KILN_FLOAT, 2, two_by_two, data, 15, &err), KILN_BAD_ARGUMENT, "15 bytes");
    ck_assert_ptr_null(t);
    expect(kiln_tensor_wrap(&t, KILN_FLOAT, 2, one_by_two, (char *)data + 1, 8, &err), KILN_BAD_ARGUMENT, "aligned");
    expect(kiln_tensor_wrap(&t, KILN_STRING, 0, NULL, data, 8, &err), KILN_BAD_ARGUMENT, "strings");
    expect(kiln_tensor_wrap(&t, KILN_FLOAT, 0, NULL, NULL, 4, &err), KILN_BAD_ARGUMENT, "NULL");
}
END_TEST

START_TEST(wrong_types_and_shapes_are_refused)
{
    const int64_t negative[] = { 2, -1 }, huge[] = { INT64_MAX, 8 };
    int64_t many[17];
    kiln_tensor *t;

    for (int k = 0; k < 17; k++)
        many[k] = 1;
    expect(kiln_tensor_new(&t, KILN_UNDEFINED, 0, NULL, NULL, &err), KILN_BAD_ARGUMENT, "dtype 0");
    expect(kiln_tensor_new(&t, (kiln_dtype)29, 0, NULL, NULL, &err), KILN_BAD_ARGUMENT, "dtype 29");
    expect(kiln_tensor_new(&t, (kiln_dtype)-5, 0, NULL, NULL, &err), KILN_BAD_ARGUMENT, "dtype -5");
    expect(kiln_tensor_new(&t, KILN_FLOAT, 17, many, NULL, &err), KILN_BAD_ARGUMENT, "rank is 17");
    expect(kiln_tensor_new(&t, KILN_FLOAT, -1, many, NULL, &err), KILN_BAD_ARGUMENT, "rank is -1");
    expect(kiln_tensor_new(&t, KILN_FLOAT, 1, NULL, NULL, &err), KILN_BAD_ARGUMENT, "rank is 1");
    expect(kiln_tensor_new(&t, KILN_FLOAT, 2, negative, NULL, &err), KILN_BAD_ARGUMENT, "negative");
    expect(kiln_tensor_new(&t, KILN_FLOAT, 2, huge, NULL, &err), KILN_BAD_ARGUMENT, "more bytes");
    ck_assert_ptr_null(t);
    expect(kiln_tensor_new(NULL, KILN_FLOAT, 0, NULL, NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
    expect(kiln_tensor_copy(&t, NULL, &err), KILN_BAD_ARGUMENT, "tensor is NULL");
    ck_assert_int_eq(kiln_tensor_new(&t, KILN_UNDEFINED, 0, NULL, NULL, NULL), KILN_BAD_ARGUMENT);
    ck_assert_ptr_null(kiln_tensor_data(NULL));
    ck_assert_ptr_null(kiln_tensor_dims(NULL));
    ck_assert_int_eq(kiln_tensor_count(NULL), 0);
    ck_assert_int_eq(kiln_tensor_item_count(NULL), 0);
}
END_TEST

START_TEST(strings_go_in_and_come_out)
{
    const char *const words[] = { "one", NULL, "three" };
    const int64_t three = 3;
    const char *name = "s";
    kiln_model *m =
        open_text("<ir_version: 8, opset_import: [\"\": 17]> g (string[3] s) => (string[3] t) { t = Identity(s) }");
    kiln_session *s;
    kiln_tensor *t;
    size_t length = 9;

    ok(kiln_tensor_new(&t, KILN_STRING, 1, &three, words, &err));
    ok(kiln_session_new(&s, m, NULL, &err));
    ok(kiln_session_run(s, 1, &name, (const kiln_tensor *const *)&t, &err));
    ck_assert_int_eq(memcmp(kiln_tensor_string(kiln_session_output(s, 0), 2, &length), "three", 5), 0);
    ck_assert_uint_eq(length, 5);
    ck_assert_ptr_nonnull(kiln_tensor_string(kiln_session_output(s, 0), 1, &length));
    ck_assert_uint_eq(length, 0);
    ck_assert_ptr_null(kiln_tensor_string(kiln_session_output(s, 0), 3, &length));
    ck_assert_ptr_null(kiln_tensor_string(kiln_session_output(s, 0), -1, NULL));
    ck_assert_ptr_null(kiln_tensor_data(kiln_session_output(s, 0)));
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_tensor_free(t);
}
END_TEST

START_TEST(strings_may_have_any_bytes)
{
    const char *const words[] = { "a\0b", "", "\xff" };
    const size_t lengths[] = { 3, 0, 1 };
    const int64_t three = 3, none = 0;
    kiln_tensor *t;
    size_t length;

    ok(kiln_tensor_new_strings(&t, 1, &three, words, lengths, &err));
    ck_assert_int_eq(kiln_tensor_dtype(t), KILN_STRING);
    ck_assert_int_eq(memcmp(kiln_tensor_string(t, 0, &length), "a\0b", 3), 0);
    ck_assert_uint_eq(length, 3);
    ck_assert_ptr_nonnull(kiln_tensor_string(t, 1, &length));
    ck_assert_uint_eq(length, 0);
    ck_assert_int_eq(*kiln_tensor_string(t, 2, &length), '\xff');
    ck_assert_uint_eq(length, 1);
    kiln_tensor_free(t);
    ok(kiln_tensor_new_strings(&t, 1, &none, NULL, NULL, &err));
    kiln_tensor_free(t);
    expect(kiln_tensor_new_strings(&t, 1, &three, words, NULL, &err), KILN_BAD_ARGUMENT, "lengths is NULL");
    expect(kiln_tensor_new_strings(&t, 17, &three, words, lengths, &err), KILN_BAD_ARGUMENT, "rank is 17");
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(a_sequence_holds_copies)
{
    kiln_tensor *items[] = { floats(2, two_by_two, one_to_four), floats(2, one_by_two, one_to_four) }, *sequence, *copy,
                *empty, *wrong;

    ok(kiln_tensor_new_sequence(&sequence, KILN_FLOAT, 2, (const kiln_tensor *const *)items, &err));
    expect(kiln_tensor_new_sequence(&wrong, KILN_DOUBLE, 2, (const kiln_tensor *const *)items, &err), KILN_BAD_ARGUMENT,
           "item 0");
    expect(kiln_tensor_new_sequence(&wrong, KILN_FLOAT, 2, NULL, &err), KILN_BAD_ARGUMENT, "items is NULL");
    kiln_tensor_free(items[0]);
    kiln_tensor_free(items[1]);
    ok(kiln_tensor_copy(&copy, sequence, &err));
    kiln_tensor_free(sequence);
    ck_assert_int_eq(kiln_tensor_kind(copy), KILN_SEQUENCE);
    ck_assert_int_eq(kiln_tensor_rank(copy), KILN_ANY);
    ck_assert_int_eq(kiln_tensor_item_count(copy), 2);
    ck_assert_int_eq(kiln_tensor_count(kiln_tensor_item(copy, 0)), 4);
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_tensor_item(copy, 1)))[1], 2);
    ck_assert_ptr_null(kiln_tensor_item(copy, 2));
    kiln_tensor_free(copy);
    ok(kiln_tensor_new_sequence(&empty, KILN_INT64, 0, NULL, &err));
    ck_assert_int_eq(kiln_tensor_item_count(empty), 0);
    kiln_tensor_free(empty);
}
END_TEST

static const char *type_text(const kiln_tensor *t)
{
    static char text[256];

    return kiln_tensor_text(t, text, sizeof text);
}

START_TEST(sequences_and_optionals_hold_each_other)
{
    kiln_tensor *x = floats(2, two_by_two, one_to_four), *within[6], *mixed, *nothing;

    ok(kiln_tensor_new_sequence(&within[0], KILN_FLOAT, 1, (const kiln_tensor *const *)&x, &err));
    ok(kiln_tensor_new_optional(&within[1], KILN_FLOAT, within[0], &err));
    ck_assert_str_eq(type_text(within[1]), "optional(seq(float[?]))");
    ck_assert_int_eq(kiln_tensor_item_count(within[1]), 1);
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_tensor_item(kiln_tensor_item(within[1], 0), 0)))[3], 4);
    ok(kiln_tensor_new_sequence(&within[2], KILN_FLOAT, 1, (const kiln_tensor *const *)&within[1], &err));
    ok(kiln_tensor_new_sequence(&within[3], KILN_FLOAT, 1, (const kiln_tensor *const *)&within[2], &err));
    expect(kiln_tensor_new_optional(&within[4], KILN_FLOAT, within[3], &err), KILN_BAD_ARGUMENT,
           "item 0 is 4 types within each other, which is the most");
    expect(kiln_tensor_new_optional(&nothing, KILN_DOUBLE, x, &err), KILN_BAD_ARGUMENT, "not a tensor of double");
    expect(kiln_tensor_new_optional(&nothing, KILN_UNDEFINED, x, &err), KILN_BAD_ARGUMENT, "dtype 0");
    expect(kiln_tensor_new_sequence(&mixed, KILN_FLOAT, 2, (const kiln_tensor *const[]){ x, within[0] }, &err),
           KILN_BAD_ARGUMENT, "item 1 is of another type than the first");
    ok(kiln_tensor_new_optional(&nothing, KILN_UNDEFINED, NULL, &err));
    ck_assert_int_eq(kiln_tensor_item_count(nothing), 0);
    kiln_tensor_free(nothing);
    for (int k = 0; k < 4; k++)
        kiln_tensor_free(within[k]);
    kiln_tensor_free(x);
}
END_TEST

START_TEST(dtypes_have_names_and_sizes)
{
    ck_assert_str_eq(kiln_dtype_name(KILN_FLOAT16), "float16");
    ck_assert_str_eq(kiln_dtype_name((kiln_dtype)99), "undefined");
    ck_assert_uint_eq(kiln_dtype_size(KILN_COMPLEX128), 16);
    ck_assert_uint_eq(kiln_dtype_size(KILN_STRING), 0);
    ck_assert_uint_eq(kiln_dtype_size((kiln_dtype)-1), 0);
    ck_assert_uint_eq(kiln_dtype_size(KILN_INT4), 1);
    ck_assert_uint_eq(kiln_dtype_size(KILN_FLOAT6E3M2), 1);
}
END_TEST

/* -- models -- */

START_TEST(a_model_tells_what_it_declares)
{
    kiln_model *m = open_text(sum);
    const char *key, *value;
    const kiln_value_info *v;

    ck_assert_uint_eq(kiln_model_input_count(m), 3);
    ck_assert_uint_eq(kiln_model_output_count(m), 2);
    v = kiln_model_input(m, 0);
    ck_assert_str_eq(v->name, "x");
    ck_assert_int_eq(v->kind, KILN_TENSOR);
    ck_assert_int_eq(v->dtype, KILN_FLOAT);
    ck_assert_int_eq(v->rank, 2);
    ck_assert_int_eq(v->dims[0], KILN_ANY);
    ck_assert_int_eq(v->dims[1], 2);
    ck_assert_str_eq(v->dim_names[0], "N");
    ck_assert_ptr_null(v->dim_names[1]);
    ck_assert(!v->optional);
    v = kiln_model_input(m, 2);
    ck_assert_str_eq(v->name, "bias");
    ck_assert(v->optional);
    v = kiln_model_output(m, 1);
    ck_assert_str_eq(v->name, "w");
    ck_assert_ptr_null(kiln_model_input(m, 3));
    ck_assert_ptr_null(kiln_model_output(m, 2));
    ck_assert_ptr_null(kiln_model_output(NULL, 0));
    ck_assert_int_eq(kiln_model_opset(m, ""), 17);
    ck_assert_int_eq(kiln_model_opset(m, "ai.onnx"), 17);
    ck_assert_int_eq(kiln_model_opset(m, "ai.onnx.ml"), 3);
    ck_assert_int_eq(kiln_model_opset(m, "nobody"), 0);
    ck_assert_uint_eq(kiln_model_metadata_count(m), 1);
    ck_assert(kiln_model_metadata(m, 0, &key, &value));
    ck_assert_str_eq(key, "author");
    ck_assert_str_eq(value, "us");
    ck_assert(!kiln_model_metadata(m, 1, &key, &value));
    ck_assert_ptr_null(key);
    kiln_model_free(m);
}
END_TEST

struct told {
    int errors, warnings;
    char last[512];
};

static void listen(void *user, kiln_status code, const char *where, const char *message)
{
    struct told *t = user;

    *(code == KILN_OK ? &t->warnings : &t->errors) += 1;
    ck_assert_ptr_nonnull(where);
    snprintf(t->last, sizeof t->last, "%s", message);
}

START_TEST(all_that_is_not_supported_is_told)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]> g (float[N] x) => (float[N] y)"
                               "{ a = NoSuchOp(x) b = Relu(a) y = NorThis(b) }";
    struct told told = { 0 };
    const kiln_load_options options = { .size = sizeof options, .diagnostic = listen, .user = &told };
    kiln_model *m;

    expect(kiln_model_open_memory(&m, text, strlen(text), &options, &err), KILN_UNSUPPORTED, "NoSuchOp");
    ck_assert_ptr_null(m);
    ck_assert_int_eq(err.count, 2);
    ck_assert_int_eq(told.errors, 2);
    ck_assert_ptr_nonnull(strstr(told.last, "NorThis"));
}
END_TEST

START_TEST(a_model_that_is_none_is_refused)
{
    kiln_load_options small = KILN_LOAD_OPTIONS_INIT;
    kiln_model *m;

    expect(kiln_model_open(&m, "/no/such/file", NULL, &err), KILN_IO, "No such file");
    ck_assert_ptr_null(m);
    expect(kiln_model_open(&m, NULL, NULL, &err), KILN_BAD_ARGUMENT, "path is NULL");
    expect(kiln_model_open(NULL, "x", NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
    expect(kiln_model_open_memory(&m, NULL, 3, NULL, &err), KILN_BAD_ARGUMENT, "bytes is NULL");
    ck_assert_int_eq(kiln_model_open_memory(&m, "", 0, NULL, NULL), KILN_BAD_MODEL);
    ck_assert_int_eq(kiln_model_open_memory(&m, "\xff\xff\xff", 3, NULL, NULL), KILN_BAD_MODEL);
    small.memory = 100;
    ck_assert_int_eq(kiln_model_open_memory(&m, sum, strlen(sum), &small, &err), KILN_LIMIT);
    kiln_model_free(NULL);
    ck_assert_uint_eq(kiln_model_input_count(NULL), 0);
    ck_assert_int_eq(kiln_model_opset(NULL, ""), 0);
}
END_TEST

START_TEST(a_saved_model_opens_again)
{
    kiln_model *m = open_text(sum), *again;
    char folder[] = "/tmp/kiln-XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/m%s", folder, k ? ".onnx" : ".onnxtxt");
        ok(kiln_model_save(m, path, KILN_FORM_BY_NAME, &err));
        ok(kiln_model_open(&again, path, NULL, &err));
        ck_assert_uint_eq(kiln_model_input_count(again), 3);
        kiln_model_free(again);
        unlink(path);
    }
    rmdir(folder);
    expect(kiln_model_save(m, path, KILN_FORM_BY_NAME, &err), KILN_IO, "");
    expect(kiln_model_save(NULL, path, KILN_FORM_BY_NAME, &err), KILN_BAD_ARGUMENT, "model is NULL");
    expect(kiln_model_save(m, NULL, KILN_FORM_BY_NAME, &err), KILN_BAD_ARGUMENT, "path is NULL");
    kiln_model_free(m);
}
END_TEST

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    ck_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

/* What a model was read from is known to all that is made of it. */
START_TEST(external_data_is_not_written_over)
{
    static const char text[] = "<ir_version: 8, opset_import: [\"\": 17]> g (float[N, 2] x) => (float[N, 2] y)\n"
                               "<float[2, 2] w = [\"location\": \"w.bin\"]> { y = MatMul (x, w) }";
    const float w[] = { 1, 2, 3, 4 };
    const int64_t dims[] = { 2, 2 };
    const char *name = "w";
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    char folder[] = "/tmp/kiln-XXXXXX", path[64], data[64];
    kiln_tensor *value = floats(2, dims, w);
    kiln_model *m, *drawn, *learned;
    kiln_trainer *t;
    size_t count;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnxtxt", folder);
    snprintf(data, sizeof data, "%s/w.bin", folder);
    write_file(path, text, sizeof text - 1);
    write_file(data, w, sizeof w);
    ok(kiln_model_open(&m, path, NULL, &err));
    expect(kiln_model_save(m, data, KILN_FORM_BY_NAME, &err), KILN_BAD_ARGUMENT,
           "where external data of the model lies");
    e.initializer_count = 1;
    e.initializer_names = &name;
    e.initializers = (const kiln_tensor *const *)&value;
    ok(kiln_model_edit(&drawn, m, &e, &err));
    expect(kiln_model_save(drawn, data, KILN_FORM_BY_NAME, &err), KILN_BAD_ARGUMENT,
           "where external data of the model lies");
    kiln_model_free(drawn);
    kiln_tensor_free(value);
    o.values = true;
    ok(kiln_model_initialize(&drawn, m, 0, true, &count, &err));
    ck_assert_uint_eq(count, 1);
    ok(kiln_trainer_new(&t, drawn, &o, &err));
    ok(kiln_trainer_export(&learned, t, &err));
    kiln_trainer_free(t);
    expect(kiln_model_save(drawn, data, KILN_FORM_BY_NAME, &err), KILN_BAD_ARGUMENT,
           "where external data of the model lies");
    expect(kiln_model_save(learned, data, KILN_FORM_BY_NAME, &err), KILN_BAD_ARGUMENT,
           "where external data of the model lies");
    ok(kiln_model_save(learned, path, KILN_FORM_BY_NAME, &err));
    ok(kiln_model_save(m, path, KILN_FORM_BY_NAME, &err));
    kiln_model_free(learned);
    kiln_model_free(drawn);
    kiln_model_free(m);
    ok(kiln_model_open(&m, path, NULL, &err));
    kiln_model_free(m);
    unlink(path);
    unlink(data);
    rmdir(folder);
}
END_TEST

/* -- sessions -- */

static const char *const xy[] = { "y", "x", "bias" };

START_TEST(a_session_runs_shape_after_shape)
{
    kiln_session_options options = KILN_SESSION_OPTIONS_INIT;
    kiln_model *m = open_text(sum);
    kiln_tensor *big = floats(2, two_by_two, one_to_four), *small = floats(2, one_by_two, one_to_four), *kept;
    const kiln_tensor *const bigs[] = { big, big }, *const smalls[] = { small, small };
    kiln_session *s;

    options.threads = 2;
    ok(kiln_session_new(&s, m, &options, &err));
    ck_assert_ptr_null(kiln_session_output(s, 0));
    ok(kiln_session_run(s, 2, xy, bigs, &err));
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_session_output(s, 0)))[3], 28);
    ok(kiln_tensor_copy(&kept, kiln_session_output_named(s, "w"), &err));
    ok(kiln_session_run(s, 2, xy, smalls, &err));
    ck_assert_int_eq(kiln_tensor_dims(kiln_session_output(s, 0))[0], 1);
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_session_output(s, 0)))[1], 24);
    ck_assert_float_eq(((const float *)kiln_tensor_data(kept))[3], 16);
    ck_assert_ptr_null(kiln_session_output(s, 2));
    ck_assert_ptr_null(kiln_session_output_named(s, "x"));
    kiln_session_free(s);
    kiln_tensor_free(kept);
    kiln_tensor_free(big);
    kiln_tensor_free(small);
    kiln_model_free(m);
}
END_TEST

START_TEST(an_input_with_a_default_may_be_given)
{
    const int64_t two = 2;
    kiln_model *m = open_text(sum);
    kiln_tensor *x = floats(2, one_by_two, one_to_four), *bias = floats(1, &two, one_to_four);
    const kiln_tensor *const given[] = { x, x, bias };
    kiln_session *s;

    ok(kiln_session_new(&s, m, NULL, &err));
    ok(kiln_session_run(s, 3, xy, given, &err));
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_session_output(s, 0)))[1], 6);
    ok(kiln_session_run(s, 2, xy, given, &err)); /* what one run is given is forgotten in the next */
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_session_output(s, 0)))[1], 24);
    kiln_session_free(s);
    kiln_tensor_free(x);
    kiln_tensor_free(bias);
    kiln_model_free(m);
}
END_TEST

/* The place of an initializer among them; fails where there is none. */
static size_t initializer(const kiln_model *m, const char *want)
{
    const char *name;
    size_t k = 0;

    while (kiln_model_initializer(m, k, &name) && strcmp(name, want) != 0)
        k++;
    ck_assert_msg(name, "no initializer '%s'", want);
    return k;
}

START_TEST(an_initializer_may_have_another_value)
{
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "net (float[N,2] x, float[2] d) => (float[N,2] y)\n"
        "<float[2] a = {1, 2}, float[2] b = {3, 4}, float[2] d = {5, 6}, int64[1] k = {7}> {\n"
        "    s = Mul(x, a) t = Add(s, b) u = Add(t, d)\n"
        "    y = If(c) <then_branch = g () => (float[N,2] v) <float[2] b2 = {0, 0}> { v = Add(u, a) },\n"
        "               else_branch = h () => (float[N,2] w) { w = Identity(u) }>\n}";
    const int64_t two = 2, dims[] = { 1, 2 };
    const float other[] = { 10, 20 }, ones[] = { 1, 1 };
    const char *names[] = { "a", "d" }, *x_name = "x", *name = "";
    kiln_tensor *value = floats(1, &two, other), *wide = floats(2, dims, other), *x = floats(2, dims, ones);
    const kiln_tensor *values[] = { value, value };
    kiln_edit_options e = KILN_EDIT_OPTIONS_INIT;
    kiln_model *m, *made;
    kiln_session *s;
    char *with_condition = NULL;

    ck_assert_int_gt(asprintf(&with_condition, "%.*s, bool c = {1}>%s", (int)(strstr(text, "> {") - text), text,
                              strstr(text, "> {") + 1),
                     0);
    m = open_text(with_condition);
    free(with_condition);
    ck_assert_uint_eq(kiln_model_initializer_count(m), 5); /* of the main graph */
    ck_assert(((const float *)kiln_tensor_data(kiln_model_initializer(m, initializer(m, "b"), NULL)))[1] == 4);
    ck_assert(((const int64_t *)kiln_tensor_data(kiln_model_initializer(m, initializer(m, "k"), NULL)))[0] == 7);
    ck_assert_ptr_null(kiln_model_initializer(m, 5, &name));
    ck_assert_ptr_null(name);
    ck_assert_uint_eq(kiln_model_initializer_count(NULL), 0);
    e.initializer_count = 2;
    e.initializer_names = names;
    e.initializers = values;
    ok(kiln_model_edit(&made, m, &e, &err));
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_model_initializer(made, initializer(made, "d"), NULL)))[0],
                       10);
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_model_initializer(m, initializer(m, "d"), NULL)))[0], 5);
    ok(kiln_session_new(&s, made, NULL, &err));
    ok(kiln_session_run(s, 1, &x_name, (const kiln_tensor *const *)&x, &err));
    ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_session_output(s, 0)))[0], 10 + 3 + 10 + 10);
    kiln_session_free(s);
    kiln_model_free(made);
    values[1] = wide;
    expect(kiln_model_edit(&made, m, &e, &err), KILN_BAD_DATA,
           "initializer 'd' is float[2], the value for it float[1,2]");
    names[1] = "x";
    expect(kiln_model_edit(&made, m, &e, &err), KILN_BAD_ARGUMENT, "no initializer 'x'");
    names[1] = NULL;
    expect(kiln_model_edit(&made, m, &e, &err), KILN_BAD_ARGUMENT, "is NULL");
    e.initializers = NULL;
    expect(kiln_model_edit(&made, m, &e, &err), KILN_BAD_ARGUMENT, "is NULL");
    kiln_tensor_free(value);
    kiln_tensor_free(wide);
    kiln_tensor_free(x);
    kiln_model_free(m);
}
END_TEST

/* What was given may go before the outputs are read. */
START_TEST(outputs_last_longer_than_inputs)
{
    static const char text[] =
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "g (float[2,n] x, string[1] s) => (float[2,n] x, float[m] flat, float[2,n] y, string[1] t)\n"
        "<int64[1] all = {-1}> { flat = Reshape(x, all) y = Neg(x) t = Identity(s) }";
    const int64_t one = 1, none[] = { 2, 0 };
    const char *const names[] = { "x", "s" }, *const word[] = { "word" };
    kiln_model *m = open_text(text);
    kiln_tensor *given[2];
    kiln_session *s;

    ok(kiln_session_new(&s, m, NULL, &err));
    for (int run = 0; run < 3; run++) {
        given[0] = floats(2, run == 2 ? none : two_by_two, one_to_four);
        ok(kiln_tensor_new(&given[1], KILN_STRING, 1, &one, word, &err));
        ok(kiln_session_run(s, 2, names, (const kiln_tensor *const *)given, &err));
        for (size_t k = 0; k < 2 && run < 2; k++) {
            memset(kiln_tensor_data(given[0]), 0, sizeof one_to_four);
            ck_assert_float_eq(((const float *)kiln_tensor_data(kiln_session_output(s, k)))[2], 3);
        }
        kiln_tensor_free(given[0]);
        kiln_tensor_free(given[1]);
        ck_assert_int_eq(kiln_tensor_count(kiln_session_output(s, 1)), run == 2 ? 0 : 4);
        ck_assert_int_eq(memcmp(kiln_tensor_string(kiln_session_output(s, 3), 0, NULL), "word", 4), 0);
    }
    kiln_session_free(s);
    kiln_model_free(m);
}
END_TEST

START_TEST(wrong_inputs_are_refused)
{
    static const char *const unknown[] = { "x", "q" }, *const twice[] = { "x", "x" }, *const result[] = { "x", "t" },
                             *const null[] = { "x", NULL };
    const int64_t three_by_two[] = { 3, 2 }, two_by_three[] = { 2, 3 };
    kiln_model *m = open_text(sum);
    kiln_tensor *x = floats(2, one_by_two, one_to_four), *longer = floats(2, three_by_two, NULL),
                *wider = floats(2, two_by_three, NULL), *doubles;
    kiln_session *s;

    ok(kiln_tensor_new(&doubles, KILN_DOUBLE, 2, one_by_two, NULL, &err));
    ok(kiln_session_new(&s, m, NULL, &err));
    {
        const kiln_tensor *const same[] = { x, x }, *const mixed[] = { x, doubles }, *const shapes[] = { x, longer },
                                 *const wide[] = { x, wider }, *const none[] = { x, NULL };

        expect(kiln_session_run(s, 2, unknown, same, &err), KILN_BAD_ARGUMENT, "no input 'q'");
        expect(kiln_session_run(s, 2, result, same, &err), KILN_BAD_ARGUMENT, "no input 't'");
        expect(kiln_session_run(s, 2, twice, same, &err), KILN_BAD_ARGUMENT, "'x' is given twice");
        expect(kiln_session_run(s, 2, null, same, &err), KILN_BAD_ARGUMENT, "name is NULL");
        expect(kiln_session_run(s, 2, xy, none, &err), KILN_BAD_ARGUMENT, "tensor is NULL");
        expect(kiln_session_run(s, 2, NULL, same, &err), KILN_BAD_ARGUMENT, "names is NULL");
        expect(kiln_session_run(s, 2, xy, NULL, &err), KILN_BAD_ARGUMENT, "tensors is NULL");
        expect(kiln_session_run(NULL, 2, xy, same, &err), KILN_BAD_ARGUMENT, "session is NULL");
        expect(kiln_session_run(s, 1, xy, same, &err), KILN_BAD_DATA, "'x' is not given");
        expect(kiln_session_run(s, 2, xy, mixed, &err), KILN_BAD_DATA, "'x' is double[1,2]");
        expect(kiln_session_run(s, 2, xy, wide, &err), KILN_BAD_DATA, "'x' is float[2,3]");
        expect(kiln_session_run(s, 2, xy, shapes, &err), KILN_BAD_DATA, "dimension 'N'");
        ck_assert_ptr_null(kiln_session_output(s, 0));
        ok(kiln_session_run(s, 2, xy, same, &err)); /* none of this did any harm */
        ok(kiln_session_run(s, 2, xy, same, NULL));
        expect(kiln_session_run(s, 0, NULL, NULL, &err), KILN_BAD_DATA, "is not given");
    }
    ck_assert_ptr_null(kiln_session_output(s, 0));
    kiln_session_free(s);
    kiln_session_free(NULL);
    kiln_tensor_free(x);
    kiln_tensor_free(longer);
    kiln_tensor_free(wider);
    kiln_tensor_free(doubles);
    kiln_model_free(m);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
    kiln_session_options options = KILN_SESSION_OPTIONS_INIT;
    kiln_model *m = open_text(sum);
    kiln_session *s;

    expect(kiln_session_new(&s, NULL, NULL, &err), KILN_BAD_ARGUMENT, "model is NULL");
    expect(kiln_session_new(NULL, m, NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
    options.threads = -1;
    expect(kiln_session_new(&s, m, &options, &err), KILN_BAD_ARGUMENT, "threads is -1");
    options.threads = 1;
    options.seconds = -1;
    expect(kiln_session_new(&s, m, &options, &err), KILN_BAD_ARGUMENT, "seconds is -1");
    options.seconds = 0;
    options.memory = 10;
    expect(kiln_session_new(&s, m, &options, &err), KILN_LIMIT, "");
    ck_assert_ptr_null(s);
    kiln_model_free(m);
}
END_TEST

static bool refuse(void *user, const void *bytes, size_t count)
{
    return user || (!bytes && !count);
}

START_TEST(a_profile_names_the_nodes)
{
    struct bytes trace = { 0 };
    kiln_session_options options = KILN_SESSION_OPTIONS_INIT;
    kiln_model *m = open_text(sum);
    kiln_tensor *x = floats(2, one_by_two, one_to_four);
    const kiln_tensor *const same[] = { x, x };
    kiln_session *s;

    ok(kiln_session_new(&s, m, &options, &err));
    expect(kiln_session_trace(s, take, &trace, &err), KILN_BAD_ARGUMENT, "there is no profile");
    kiln_session_free(s);
    options.profile = true;
    ok(kiln_session_new(&s, m, &options, &err));
    ok(kiln_session_run(s, 2, xy, same, &err));
    ok(kiln_session_trace(s, take, &trace, &err));
    ck_assert_ptr_nonnull(strstr(trace.data, "\"name\": \"Mul\""));
    expect_text(&trace, "traceEvents");
    expect(kiln_session_trace(s, refuse, NULL, &err), KILN_STOPPED, "stopped");
    expect(kiln_session_trace(s, NULL, NULL, &err), KILN_BAD_ARGUMENT, "write is NULL");
    kiln_session_free(s);
    kiln_tensor_free(x);
    kiln_model_free(m);
}
END_TEST

START_TEST(small_types_have_a_byte_each)
{
    static const char *const names[] = { "x" };
    kiln_model *m = open_text("<ir_version: 13, opset_import: [\"\": 25]> g (int4[N] x) => (int4[N] y, float8e5m2[N] z)"
                              "{ y = Identity(x) z = Cast <to = 19> (x) }");
    const int64_t three = 3;
    const int8_t values[] = { -8, 7, 1 };
    kiln_tensor *x;
    kiln_session *s;

    ok(kiln_tensor_new(&x, KILN_INT4, 1, &three, values, &err));
    ck_assert_uint_eq(kiln_tensor_bytes(x), 3);
    ok(kiln_session_new(&s, m, NULL, &err));
    ok(kiln_session_run(s, 1, names, (const kiln_tensor *const[]){ x }, &err));
    ck_assert_int_eq(kiln_tensor_dtype(kiln_session_output(s, 0)), KILN_INT4);
    ck_assert_mem_eq(kiln_tensor_data(kiln_session_output(s, 0)), values, 3);
    ck_assert_mem_eq(kiln_tensor_data(kiln_session_output(s, 1)), ((const uint8_t[]){ 0xc8, 0x47, 0x3c }), 3);
    kiln_session_free(s);
    kiln_tensor_free(x);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_value_tells_what_it_holds)
{
    kiln_model *m =
        open_text("<ir_version: 8, opset_import: [\"\": 17]> g (optional(seq(int64[N])) x, float y) => (float y)"
                  "{ }");
    const kiln_value_info *v = kiln_model_input(m, 1); /* nothing reads it, so it comes last */

    ck_assert(v->optional && v->place == 0 && !kiln_model_input(m, 0)->optional);

    ck_assert_int_eq(v->kind, KILN_OPTIONAL);
    ck_assert_int_eq(v->element[0].kind, KILN_SEQUENCE);
    ck_assert_int_eq(v->element[1].kind, KILN_TENSOR);
    ck_assert_int_eq(v->dtype, KILN_INT64);
    ck_assert_int_eq(v->rank, KILN_ANY);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_sequence_goes_in)
{
    static const char *const names[] = { "s", "k" };
    kiln_model *m = open_text("<ir_version: 8, opset_import: [\"\": 17]> g (seq(float[N]) s, int64 k) => (float[M] y)"
                              "{ y = SequenceAt(s, k) }");
    const int64_t four = 4, two = 2, place = 1, far = 7;
    kiln_tensor *items[] = { floats(1, &four, one_to_four), floats(1, &two, one_to_four) }, *sequence, *k, *beyond;
    kiln_session *s;

    ok(kiln_tensor_new_sequence(&sequence, KILN_FLOAT, 2, (const kiln_tensor *const *)items, &err));
    ok(kiln_tensor_new(&k, KILN_INT64, 0, NULL, &place, &err));
    ok(kiln_tensor_new(&beyond, KILN_INT64, 0, NULL, &far, &err));
    ok(kiln_session_new(&s, m, NULL, &err));
    {
        const kiln_tensor *const given[] = { sequence, k }, *const wrong[] = { sequence, beyond };

        ok(kiln_session_run(s, 2, names, given, &err));
        ck_assert_int_eq(kiln_tensor_count(kiln_session_output(s, 0)), 2);
        ck_assert_int_eq(kiln_session_run(s, 2, names, wrong, &err), KILN_RUN_FAILED);
        ck_assert_ptr_nonnull(strstr(err.where, "SequenceAt"));
        ck_assert_ptr_null(kiln_session_output(s, 0));
    }
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_tensor_free(items[0]);
    kiln_tensor_free(items[1]);
    kiln_tensor_free(sequence);
    kiln_tensor_free(k);
    kiln_tensor_free(beyond);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api");

    add_test(s, a_tensor_is_a_copy);
    add_test(s, a_scalar_and_nothing_are_tensors);
    add_test(s, a_wrapped_tensor_is_the_callers_memory);
    add_test(s, wrong_types_and_shapes_are_refused);
    add_test(s, strings_go_in_and_come_out);
    add_test(s, strings_may_have_any_bytes);
    add_test(s, a_sequence_holds_copies);
    add_test(s, sequences_and_optionals_hold_each_other);
    add_test(s, dtypes_have_names_and_sizes);
    add_test(s, a_model_tells_what_it_declares);
    add_test(s, all_that_is_not_supported_is_told);
    add_test(s, a_model_that_is_none_is_refused);
    add_test(s, a_saved_model_opens_again);
    add_test(s, external_data_is_not_written_over);
    add_test(s, a_session_runs_shape_after_shape);
    add_test(s, an_initializer_may_have_another_value);
    add_test(s, an_input_with_a_default_may_be_given);
    add_test(s, outputs_last_longer_than_inputs);
    add_test(s, wrong_inputs_are_refused);
    add_test(s, wrong_options_are_refused);
    add_test(s, a_profile_names_the_nodes);
    add_test(s, small_types_have_a_byte_each);
    add_test(s, a_value_tells_what_it_holds);
    add_test(s, a_sequence_goes_in);
    return s;
}
