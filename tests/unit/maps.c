/* Maps, as a program that has nothing but kiln.h uses them. */
#include "public.h"
#include <stdio.h>
#include <unistd.h>

static kiln_tensor *vector(kiln_dtype dtype, int64_t n, const void *data)
{
    kiln_tensor *t;

    ok(kiln_tensor_new(&t, dtype, 1, &n, data, &err));
    return t;
}

static kiln_tensor *map(kiln_dtype key, kiln_dtype value, int64_t n, const void *keys, const void *values)
{
    kiln_tensor *const k = vector(key, n, keys), *const v = vector(value, n, values), *t;

    ok(kiln_tensor_new_map(&t, k, v, &err));
    kiln_tensor_free(k);
    kiln_tensor_free(v);
    return t;
}

/* A value as text: "{-1: 2, 5: 1}", "{'a': 2}", "[{...}, {...}]". */
static void put(char *to, size_t room, const kiln_tensor *t)
{
    const bool is_map = kiln_tensor_kind(t) == KILN_MAP;
    const kiln_tensor *keys = kiln_tensor_item(t, 0), *values = kiln_tensor_item(t, 1);
    const int64_t n = is_map ? kiln_tensor_count(keys) : kiln_tensor_item_count(t);

    snprintf(to, room, is_map ? "{" : "[");
    for (int64_t k = 0; k < n; k++) {
        const size_t at = strlen(to);
        size_t length;
        const char *s = kiln_tensor_string(keys, k, &length);

        snprintf(to + at, room - at, "%s", k ? ", " : "");
        if (!is_map)
            put(to + strlen(to), room - strlen(to), kiln_tensor_item(t, k));
        else if (s)
            snprintf(to + strlen(to), room - strlen(to), "'%.*s': %g", (int)length, s, kiln_tensor_number(values, k));
        else
            snprintf(to + strlen(to), room - strlen(to), "%g: %g", kiln_tensor_number(keys, k),
                     kiln_tensor_number(values, k));
    }
    snprintf(to + strlen(to), room - strlen(to), is_map ? "}" : "]");
}

static void is(const kiln_tensor *t, const char *type, const char *need)
{
    char text[256];

    ck_assert_ptr_nonnull(t);
    ck_assert_str_eq(kiln_tensor_text(t, text, sizeof text), type);
    put(text, sizeof text, t);
    ck_assert_str_eq(text, need);
}

/* -- alone -- */

START_TEST(keys_ascend_and_are_there_once)
{
    static const int64_t numbers[] = { 5, INT64_MIN, 5, -1, INT64_MAX };
    static const char *const words[] = { "b", "ab", "", "a", "B", "ab" };
    static const float values[] = { 1, 2, 3, 4, 5, 6 };
    kiln_tensor *t = map(KILN_INT64, KILN_FLOAT, 5, numbers, values), *copy;

    is(t, "map(int64, float[?])", "{-9.22337e+18: 2, -1: 4, 5: 3, 9.22337e+18: 5}");
    kiln_tensor_free(t);
    t = map(KILN_STRING, KILN_FLOAT, 6, words, values);
    ok(kiln_tensor_copy(&copy, t, &err));
    kiln_tensor_free(t);
    is(copy, "map(string, float[?])", "{'': 3, 'B': 5, 'a': 4, 'ab': 6, 'b': 1}");
    ck_assert_int_eq(kiln_tensor_item_count(copy), 2);
    ck_assert_ptr_null(kiln_tensor_item(copy, 2));
    ck_assert_int_eq(kiln_tensor_rank(copy), KILN_ANY);
    ck_assert_ptr_null(kiln_tensor_data(copy));
    kiln_tensor_free(copy);
    t = map(KILN_INT64, KILN_DOUBLE, 0, NULL, NULL);
    is(t, "map(int64, double[?])", "{}");
    kiln_tensor_free(t);
}
END_TEST

START_TEST(what_is_no_map_is_refused)
{
    kiln_tensor *one = vector(KILN_INT64, 1, NULL), *two = vector(KILN_FLOAT, 2, NULL), *t;

    expect(kiln_tensor_new_map(&t, one, two, &err), KILN_BAD_ARGUMENT, "keys are int64[1] and values float[2]");
    expect(kiln_tensor_new_map(&t, two, two, &err), KILN_BAD_ARGUMENT, "keys are float, must be int64 or string");
    expect(kiln_tensor_new_map(&t, one, NULL, &err), KILN_BAD_ARGUMENT, "values is NULL");
    expect(kiln_tensor_new_map(NULL, one, one, &err), KILN_BAD_ARGUMENT, "out is NULL");
    ck_assert_ptr_null(t);
    kiln_tensor_free(one);
    kiln_tensor_free(two);
}
END_TEST

/* -- in models -- */

#define ML "<ir_version: 8, opset_import: [\"\": 17, \"ai.onnx.ml\": 1]>\n"

START_TEST(zip_map_makes_a_map_of_each_row)
{
    static const struct {
        const char *labels, *key, *type, *maps;
    } zipped[] = {
        { "int64s = [5, -1]", "int64", "seq(map(int64, float[?]))", "[{-1: 2, 5: 1}, {-1: 4, 5: 3}]" },
        { "strings = [\"a\", \"b\"]", "string", "seq(map(string, float[?]))", "[{'a': 1, 'b': 2}, {'a': 3, 'b': 4}]" },
        { "int64s = [7, 7]", "int64", "seq(map(int64, float[?]))", "[{7: 2}, {7: 4}]" },
    };
    char text[256];
    kiln_model *m;
    kiln_session *s;
    kiln_tensor *x = floats(2, two_by_two, one_to_four), *kept;

    snprintf(text, sizeof text,
             ML "g (float[N, 2] x) => (seq(map(%s, float)) z) { z = ai.onnx.ml.ZipMap "
                "<classlabels_%s> (x) }",
             zipped[_i].key, zipped[_i].labels);
    m = open_text(text);
    ck_assert_int_eq(kiln_model_output(m, 0)->kind, KILN_SEQUENCE);
    ck_assert_int_eq(kiln_model_output(m, 0)->element[0].kind, KILN_MAP);
    ok(kiln_session_new(&s, m, NULL, &err));
    ok(kiln_session_run(s, 1, (const char *const[]){ "x" }, (const kiln_tensor *const *)&x, &err));
    ok(kiln_tensor_copy(&kept, kiln_session_output(s, 0), &err));
    memset(kiln_tensor_data(x), 0, kiln_tensor_bytes(x)); /* nothing lies in what was given */
    is(kiln_session_output(s, 0), zipped[_i].type, zipped[_i].maps);
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_tensor_free(x);
    is(kept, zipped[_i].type, zipped[_i].maps);
    kiln_tensor_free(kept);
}
END_TEST

/* One input of a map { 3: 0.5, -2: 7 } or { "a": 0.5, "b": 7 }, and numbers that come out. */
static const struct {
    const char *nodes;
    kiln_dtype key;
    int64_t n;
    double y[4];
} taken[] = {
    { "y = ai.onnx.ml.DictVectorizer <int64_vocabulary = [4, 3, -2]> (x)", KILN_INT64, 3, { 0, .5, 7 } },
    { "y = ai.onnx.ml.DictVectorizer <string_vocabulary = [\"b\", \"\", \"b\"]> (x)", KILN_STRING, 3, { 7, 0, 7 } },
    { "y = ai.onnx.ml.CastMap (x)", KILN_INT64, 2, { 7, .5 } },
    { "i = ai.onnx.ml.CastMap <cast_to = \"TO_INT64\"> (x) y = Cast <to = 1> (i)", KILN_INT64, 2, { 7, 0 } },
    { "i = ai.onnx.ml.CastMap <cast_to = \"TO_STRING\"> (x) y = Cast <to = 1> (i)", KILN_INT64, 2, { 7, .5 } },
};
enum { TAKEN = sizeof taken / sizeof *taken };

START_TEST(nodes_take_maps)
{
    static const int64_t numbers[] = { 3, -2 };
    static const char *const words[] = { "a", "b" };
    static const float values[] = { .5f, 7 };
    const bool strings = taken[_i].key == KILN_STRING;
    char text[256];
    kiln_tensor *x = map(taken[_i].key, KILN_FLOAT, 2, strings ? (const void *)words : numbers, values);
    kiln_model *m;
    kiln_session *s;

    snprintf(text, sizeof text, ML "g (map(%s, float) x) => (float y) { %s }", strings ? "string" : "int64",
             taken[_i].nodes);
    m = open_text(text);
    ok(kiln_session_new(&s, m, NULL, &err));
    ok(kiln_session_run(s, 1, (const char *const[]){ "x" }, (const kiln_tensor *const *)&x, &err));
    ck_assert_int_eq(kiln_tensor_count(kiln_session_output(s, 0)), taken[_i].n);
    for (int64_t k = 0; k < taken[_i].n; k++)
        ck_assert_double_eq(kiln_tensor_number(kiln_session_output(s, 0), k), taken[_i].y[k]);
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_tensor_free(x);
}
END_TEST

START_TEST(a_map_is_of_the_declared_type)
{
    static const int64_t key = 3;
    static const float value = 1;
    kiln_model *m = open_text(ML "g (map(string, float) x, seq(map(string, float)) q) => (map(string, float) x, "
                                 "seq(map(string, float)) q) { }");
    kiln_tensor *x = map(KILN_INT64, KILN_FLOAT, 1, &key, &value), *q, *none;
    kiln_session *s;

    ok(kiln_session_new(&s, m, NULL, &err));
    ok(kiln_tensor_new_sequence(&q, KILN_FLOAT, 1, (const kiln_tensor *const *)&x, &err));
    ok(kiln_tensor_new_sequence(&none, KILN_UNDEFINED, 0, NULL, &err));
    expect(kiln_session_run(s, 1, (const char *const[]){ "x" }, (const kiln_tensor *const *)&x, &err), KILN_BAD_DATA,
           "input 'x' is map(int64, float[?]), must be map(string, float[?])");
    expect(kiln_session_run(s, 1, (const char *const[]){ "q" }, (const kiln_tensor *const *)&q, &err), KILN_BAD_DATA,
           "input 'q' is seq(map(int64, float[?])), must be seq(map(string, float[?]))");
    kiln_tensor_free(x);
    x = map(KILN_STRING, KILN_FLOAT, 1, (const char *const[]){ "k" }, &value);
    ok(kiln_session_run(s, 2, (const char *const[]){ "x", "q" }, (const kiln_tensor *const[]){ x, none }, &err));
    is(kiln_session_output(s, 0), "map(string, float[?])", "{'k': 1}");
    is(kiln_session_output(s, 1), "seq(map(string, float[?]))", "[]");
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_tensor_free(none);
    kiln_tensor_free(q);
    kiln_tensor_free(x);
}
END_TEST

/* -- files -- */

/* MapProto { key_type: INT64, keys: 5, keys: -1, values { FLOAT 1, FLOAT 2 } }, and what is wrong with it. */
#define VALUE(type, one) 0x1a, 8, 0x10, type, 0x22, 4, 0, 0, one, 0x3f
#define KEYS             0x10, 7, 0x18, 5, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1
static const unsigned char numbers_file[] = { KEYS, 0x2a, 20, VALUE(1, 0x80), VALUE(1, 0) },
                           too_few[] = { KEYS, 0x2a, 10, VALUE(1, 0x80) },
                           two_types[] = { KEYS, 0x2a, 17, VALUE(1, 0x80), 0x1a, 5, 0x10, 6, 0x2a, 1, 1 },
                           floats_as_keys[] = { 0x10, 1 },
                           words_file[] = { 0x10, 8, 0x22, 1, 'b', 0x22, 0, 0x2a, 20, VALUE(1, 0x80), VALUE(1, 0) },
                           nothing_file[] = { 0x10, 8 },
                           sequence_file[] = { 0x10, 4, 0x32, 2,    0x10, 8,    0x32, sizeof words_file, 0x10,       8,
                                               0x22, 1, 'b',  0x22, 0,    0x2a, 20,   VALUE(1, 0x80),    VALUE(1, 0) },
                           optional_file[] = { 0x32, sizeof words_file, 0x10,       8, 0x22, 1, 'b', 0x22, 0, 0x2a,
                                               20,   VALUE(1, 0x80),    VALUE(1, 0) };

static const struct {
    const unsigned char *bytes;
    size_t length;
    kiln_kind kind;
    kiln_status code;
    const char *type, *is; /* or a part of the error */
} files[] = {
#define FILE_OF(bytes) bytes, sizeof bytes
    { FILE_OF(numbers_file), KILN_MAP, KILN_OK, "map(int64, float[?])", "{-1: 0.5, 5: 1}" },
    { FILE_OF(words_file), KILN_MAP, KILN_OK, "map(string, float[?])", "{'': 0.5, 'b': 1}" },
    { FILE_OF(nothing_file), KILN_MAP, KILN_OK, "map(string, undefined[?])", "{}" },
    { FILE_OF(sequence_file), KILN_SEQUENCE, KILN_OK, "seq(map(string, float[?]))", "[{}, {'': 0.5, 'b': 1}]" },
    { FILE_OF(optional_file), KILN_OPTIONAL, KILN_OK, "optional(map(string, float[?]))", "[{'': 0.5, 'b': 1}]" },
    { FILE_OF(too_few), KILN_MAP, KILN_BAD_MODEL, NULL, "a map has 2 keys and 1 values" },
    { FILE_OF(two_types), KILN_MAP, KILN_BAD_MODEL, NULL, "value 1 of a map is not one element of the first's type" },
    { FILE_OF(floats_as_keys), KILN_MAP, KILN_UNSUPPORTED, NULL, "keys of a map are of type 1" },
};
enum { FILES = sizeof files / sizeof *files };

START_TEST(files_of_maps)
{
    char folder[] = "/tmp/kiln-XXXXXX", path[64];
    kiln_status got;
    kiln_tensor *t;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v.pb", folder);
    ok(kiln_file_write(NULL, path, files[_i].bytes, files[_i].length, &err));
    got = kiln_tensor_read(&t, path, files[_i].kind, NULL, &err);
    unlink(path);
    rmdir(folder);
    if (files[_i].code) {
        expect(got, files[_i].code, files[_i].is);
        return;
    }
    ok(got);
    is(t, files[_i].type, files[_i].is);
    kiln_tensor_free(t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("maps");

    add_test(s, keys_ascend_and_are_there_once);
    add_test(s, what_is_no_map_is_refused);
    add_tests(s, zip_map_makes_a_map_of_each_row, 3);
    add_tests(s, nodes_take_maps, TAKEN);
    add_test(s, a_map_is_of_the_declared_type);
    add_tests(s, files_of_maps, FILES);
    return s;
}
