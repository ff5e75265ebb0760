/* External data, which stay in the model's directory, and their checksums. */
#include "model/external.h"
#include "model/sha1.h"
#include "scratch.h"
#include "unit.h"

/* -- checksums -- */

START_TEST(sha1_of_known_texts)
{
    static const struct {
        const char *text, *sum;
        int times;
    } cases[] = {
        { "", "da39a3ee5e6b4b0d3255bfef95601890afd80709", 1 },
        { "abc", "a9993e364706816aba3e25717850c26c9cd0d89d", 1 },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1", 1 },
        { "aaaaaaaaaa", "34aa973cd4c4daa4f61eeb2bdbad27316534016f", 100000 },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct sha1 s;
        char hex[SHA1_HEX];

        sha1_init(&s);
        for (int n = 0; n < cases[k].times; n++)
            sha1_add(&s, cases[k].text, strlen(cases[k].text));
        sha1_end(&s, hex);
        ck_assert_str_eq(hex, cases[k].sum);
    }
}
END_TEST

/* -- data beside a model -- */

static struct external external;

static void enter_external(void)
{
    enter_scratch();
    ck_assert_int_eq(mkdir("m", 0700), 0);
    ck_assert_int_eq(mkdir("m/sub", 0700), 0);
    put_file("m/w.bin", "0123456789", 10);
    put_file("m/sub/v.bin", "abcdef", 6);
    put_file("outside", "secret", 6);
    expect_ok(external_open(&external, "m/model.onnx", NULL, NULL, &budget, &report));
}

static void leave_external(void)
{
    external_close(&external);
    leave_scratch();
}

static void link_to(const char *target, const char *path)
{
    ck_assert_int_eq(symlink(target, path), 0);
}

/* Loads `size` bytes of a tensor with these keys and values; a list that ends with NULL. */
static char *load(int64_t size, char *const *entries)
{
    Onnx__StringStringEntryProto entry[80], *pointers[80];
    Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;

    t.has_data_location = 1;
    t.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t.external_data = pointers;
    for (; entries[0]; entries += 2) {
        onnx__string_string_entry_proto__init(&entry[t.n_external_data]);
        entry[t.n_external_data].key = entries[0];
        entry[t.n_external_data].value = entries[1];
        pointers[t.n_external_data] = &entry[t.n_external_data];
        t.n_external_data++;
    }
    ck_assert(external_is(&t));
    return external_load(&external, &t, size, "w", &budget, &report);
}

#define LOAD(size, ...) load(size, (char *[]){ __VA_ARGS__, NULL })

static void loads(char *bytes, const char *expected)
{
    expect_ok(bytes);
    ck_assert_mem_eq(bytes, expected, strlen(expected));
    budget_free(&budget, bytes);
}

static void refuses(const char *bytes, kiln_status code, const char *part)
{
    ck_assert_ptr_null(bytes);
    ck_assert_str_eq(report.error.where, "w");
    expect_error(code, part);
}

static char location[] = "location", offset[] = "offset", length[] = "length", checksum[] = "checksum",
            w_bin[] = "w.bin";

START_TEST(external_data_is_loaded)
{
    char v_bin[] = "sub/v.bin", dotted[] = "./sub//./v.bin", two[] = "2", three[] = "3", zero[] = "0", ten[] = "10";
    char basepath[] = "basepath", sum[] = "87ACEC17CD9DCD20A716CC2CF67417B71C8A7016", text[] = "x";

    loads(LOAD(10, location, w_bin), "0123456789");
    loads(LOAD(3, location, w_bin, offset, two, length, three), "234");
    loads(LOAD(8, location, w_bin, offset, two), "23456789");
    loads(LOAD(6, location, v_bin), "abcdef");
    loads(LOAD(6, location, dotted, basepath, text), "abcdef");
    loads(LOAD(0, location, w_bin, offset, ten, length, zero), "");
    loads(LOAD(4, location, w_bin), "0123"); /* the file goes on */
    loads(LOAD(4, location, w_bin, offset, two), "2345");
    loads(LOAD(4, location, w_bin, length, zero), "0123");
    loads(LOAD(4, location, w_bin, length, zero, offset, two), "2345");
    loads(LOAD(0, location, w_bin), "");
    loads(LOAD(10, location, w_bin, checksum, sum), "0123456789");
    loads(LOAD(3, location, w_bin, offset, two, length, three, checksum, sum), "234"); /* of the whole file */
    sum[0] = '9';
    refuses(LOAD(10, location, w_bin, checksum, sum), KILN_BAD_MODEL,
            "that of 'w.bin' is 87acec17cd9dcd20a716cc2cf67417b71c8a7016");
}
END_TEST

START_TEST(locations_stay_below_the_model)
{
    static const struct {
        const char *location, *part;
        kiln_status code;
    } cases[] = {
        { "", "is empty", KILN_BAD_MODEL },
        { "/etc/passwd", "is absolute", KILN_BAD_MODEL },
        { "C:\\w.bin", "is absolute", KILN_BAD_MODEL },
        { "sub\\v.bin", "has a backslash", KILN_BAD_MODEL },
        { "..\\outside", "has a backslash", KILN_BAD_MODEL },
        { "../outside", "has '..'", KILN_BAD_MODEL },
        { "sub/../../outside", "has '..'", KILN_BAD_MODEL },
        { "sub/..", "has '..'", KILN_BAD_MODEL },
        { "sub", "is not a regular file", KILN_BAD_MODEL },
        { "sub/", "is not the path of a file", KILN_BAD_MODEL },
        { ".", "is not a regular file", KILN_BAD_MODEL },
        { "none", "No such file", KILN_IO },
        { "w.bin/x", "Not a directory", KILN_IO },
        { "link", "symbolic link to a place", KILN_BAD_MODEL },
        { "absolute", "symbolic link to a place", KILN_BAD_MODEL },
        { "twice", "symbolic link to a place", KILN_BAD_MODEL },
        { "up/outside", "symbolic link to a place", KILN_BAD_MODEL },
        { "namesake", "symbolic link to a place", KILN_BAD_MODEL },
        { "null", "symbolic link to a place", KILN_BAD_MODEL },
        { "up", "symbolic link to a place", KILN_BAD_MODEL },
        { "to_sub", "is not a regular file", KILN_BAD_MODEL },
        { "to_fifo", "is not a regular file", KILN_BAD_MODEL },
        { "to_hard", "has several hard links", KILN_BAD_MODEL },
        { "dangling", "No such file", KILN_IO },
        { "loop", "Too many levels", KILN_IO },
        { "to_file", "Not a directory", KILN_IO },
        { "fifo", "is not a regular file", KILN_BAD_MODEL },
        { "hard", "has several hard links", KILN_BAD_MODEL },
    };
    char absolute[64];

    snprintf(absolute, sizeof absolute, "%s/outside", scratch);
    ck_assert_int_eq(mkdir("more", 0700), 0); /* "m" is how it begins, no more */
    put_file("more/v.bin", "secret", 6);
    link_to("../outside", "m/link");
    link_to(absolute, "m/absolute");
    link_to("sub/../link", "m/twice");
    link_to("..", "m/up");
    link_to("../more/v.bin", "m/namesake");
    link_to("/dev/null", "m/null");
    link_to("sub", "m/to_sub");
    link_to("fifo", "m/to_fifo");
    link_to("hard", "m/to_hard");
    link_to("nowhere", "m/dangling");
    link_to("loop", "m/loop");
    link_to("w.bin/", "m/to_file");
    ck_assert_int_eq(mkfifo("m/fifo", 0600), 0);
    ck_assert_int_eq(link("outside", "m/hard"), 0);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[64];

        strcpy(text, cases[k].location);
        refuses(LOAD(6, location, text), cases[k].code, cases[k].part);
    }
    ck_assert_int_eq(unlink("m/up"), 0);
}
END_TEST

START_TEST(links_below_the_model_are_followed)
{
    static const char *const below[] = {
        "inner", "absolute", "twice", "folder/../sub/../w.bin", "up/m/w.bin", "chain0"
    };
    char absolute[64];

    snprintf(absolute, sizeof absolute, "%s/m/w.bin", scratch);
    link_to("w.bin", "m/inner");
    link_to(absolute, "m/absolute");
    link_to("./sub//../inner", "m/twice");
    link_to("sub/", "m/folder");
    link_to("..", "m/up");
    for (int k = 0; k < 39; k++) { /* as many as Linux follows, with the last one */
        char from[16], to[16];

        snprintf(from, sizeof from, "m/chain%d", k);
        snprintf(to, sizeof to, "chain%d", k + 1);
        link_to(k < 38 ? to : "inner", from);
    }
    for (size_t k = 0; k < sizeof below / sizeof *below; k++) {
        char text[64];

        strcpy(text, below[k]);
        if (strstr(text, "..")) /* is for links alone */
            refuses(LOAD(4, location, text), KILN_BAD_MODEL, "has '..'");
        else
            loads(LOAD(4, location, text), "0123");
    }
    ck_assert_int_eq(unlink("m/chain38") + unlink("m/up"), 0);
    link_to("chain39", "m/chain38");
    link_to("inner", "m/chain39");
    refuses(LOAD(4, location, (char[]){ "chain0" }), KILN_IO, "Too many levels");
}
END_TEST

/* The model's path is a link: snapshot/model.onnx leads to blobs/model, snapshot/data to blobs/data. */
static void open_snapshot(const char *read)
{
    struct stat s;

    ck_assert_int_eq(stat(read, &s), 0);
    external_close(&external);
    expect_ok(external_open(&external, "snapshot/model.onnx", &s, NULL, &budget, &report));
}

START_TEST(a_model_that_is_a_link_has_two_directories)
{
    char data[] = "data", v_bin[] = "v.bin", out[] = "outside", own[] = "own.bin", near[] = "near";
    struct external copy;

    ck_assert_int_eq(mkdir("blobs", 0700) + mkdir("blobs/deep", 0700) + mkdir("snapshot", 0700), 0);
    put_file("blobs/model", "model", 5);
    put_file("blobs/deep/data", "abcdef", 6);
    put_file("snapshot/own.bin", "ghijkl", 6);
    put_file("model", "another", 7);
    link_to("../blobs/model", "snapshot/model.onnx");
    link_to("../blobs/deep/data", "snapshot/data");
    link_to("../m/sub/v.bin", "snapshot/v.bin");
    link_to("../outside", "snapshot/outside");
    link_to("deep/data", "blobs/near");
    open_snapshot("blobs/model");
    loads(LOAD(6, location, data), "abcdef");
    loads(LOAD(6, location, own), "ghijkl");
    refuses(LOAD(6, location, near), KILN_IO, "No such file"); /* a location is one beside the link */
    refuses(LOAD(6, location, v_bin), KILN_BAD_MODEL, "that the model is a link to");
    refuses(LOAD(6, location, out), KILN_BAD_MODEL, "that the model is a link to");
    expect_ok(external_copy(&copy, &external, &budget, &report));
    external_close(&external);
    external = copy;
    loads(LOAD(6, location, data), "abcdef");
    open_snapshot("model"); /* that was read, and the link leads elsewhere since: where is nobody's to say */
    refuses(LOAD(6, location, data), KILN_BAD_MODEL, "symbolic link to a place");
    loads(LOAD(6, location, own), "ghijkl");
    ck_assert_int_eq(unlink("snapshot/model.onnx") + rename("blobs/model", "snapshot/model.onnx"), 0);
    open_snapshot("snapshot/model.onnx"); /* no link any more */
    refuses(LOAD(6, location, data), KILN_BAD_MODEL, "symbolic link to a place");
    loads(LOAD(6, location, own), "ghijkl");
}
END_TEST

START_TEST(sizes_and_keys_are_checked)
{
    static const char *const bad[] = { "-1", "+1", " 1", "1 ", "", "0x1", "1e3", "nine", "9223372036854775808" };
    char eleven[] = "11", ten[] = "10", four[] = "4", huge[] = "9223372036854775807", twice[] = "4";
    char zero[] = "0", three[] = "3";

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        char text[32];

        strcpy(text, bad[k]);
        refuses(LOAD(4, location, w_bin, offset, text), KILN_BAD_MODEL, "external_data 'offset' is");
        refuses(LOAD(4, location, w_bin, length, text), KILN_BAD_MODEL, "external_data 'length' is");
    }
    refuses(LOAD(4, location, w_bin, offset, eleven), KILN_BAD_MODEL,
            "offset 11 is past the end of 'w.bin' (10 bytes)");
    refuses(LOAD(4, location, w_bin, offset, huge, length, four), KILN_BAD_MODEL, "past the end");
    refuses(LOAD(4, location, w_bin, length, ten), KILN_BAD_MODEL, "length is 10, the type and shape need 4 bytes");
    refuses(LOAD(11, location, w_bin, length, eleven), KILN_BAD_MODEL, "11 bytes from offset 0 run past the end");
    refuses(LOAD(INT64_MAX, location, w_bin, offset, four), KILN_BAD_MODEL, "run past the end");
    refuses(LOAD(11, location, w_bin), KILN_BAD_MODEL, "11 bytes from offset 0 run past the end of 'w.bin' (10 bytes)");
    refuses(LOAD(7, location, w_bin, offset, four), KILN_BAD_MODEL, "7 bytes from offset 4 run past the end");
    refuses(LOAD(11, location, w_bin, length, zero), KILN_BAD_MODEL, "11 bytes from offset 0 run past the end");
    refuses(LOAD(4, location, w_bin, length, three), KILN_BAD_MODEL, "length is 3, the type and shape need 4 bytes");
    refuses(LOAD(0, location, w_bin, length, four), KILN_BAD_MODEL, "length is 4, the type and shape need 0 bytes");
    refuses(LOAD(4, location, w_bin, length, zero, length, four), KILN_BAD_MODEL, "has 'length' twice");
    refuses(LOAD(4, location, w_bin, length, four, length, twice), KILN_BAD_MODEL, "has 'length' twice");
    refuses(LOAD(4, length, four), KILN_BAD_MODEL, "has no location");
    refuses(LOAD(4, location, NULL), KILN_BAD_MODEL, "external_data[0] has no value");
    budget.limit = budget.used + 64;
    ck_assert_ptr_null(LOAD(10, location, w_bin));
    expect_error(KILN_LIMIT, "memory limit");
}
END_TEST

START_TEST(keys_that_mean_nothing_are_told_once)
{
    char basepath[] = "basepath", prepacked[] = "prepacked_0", value[] = "MatMul+MlasPacked|10|1", ten[] = "10";
    char *many[2 * 65 + 1] = { NULL };

    loads(LOAD(10, location, w_bin, basepath, value), "0123456789");
    ck_assert(!external.told);
    loads(LOAD(10, location, w_bin, prepacked, value, length, ten), "0123456789");
    ck_assert(external.told);
    refuses(LOAD(10, location, w_bin, prepacked, value, prepacked, value), KILN_BAD_MODEL, "has 'prepacked_0' twice");
    for (int k = 0; k < 2 * 65; k++)
        many[k] = prepacked;
    refuses(load(10, many), KILN_BAD_MODEL, "external_data has 65 entries, more than 64");
}
END_TEST

START_TEST(a_model_from_memory_has_no_directory)
{
    char parent[] = "../outside";

    external_close(&external);
    external = (struct external){ 0 };
    refuses(LOAD(10, location, w_bin), KILN_BAD_MODEL, "came from memory");
    refuses(LOAD(10, location, parent), KILN_BAD_MODEL, "external_data location '../outside'");
    ck_assert(!external_open(&external, "none/model.onnx", NULL, NULL, &budget, &report));
    expect_error(KILN_IO, "'none/' cannot be opened");
    expect_ok(external_open(&external, "model.onnx", NULL, NULL, &budget, &report));
    strcpy(parent, "outside");
    loads(LOAD(6, location, parent), "secret"); /* beside the model this time */
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("external");

    add_test(s, sha1_of_known_texts);
    add_test_between(s, enter_external, leave_external, external_data_is_loaded);
    add_test_between(s, enter_external, leave_external, locations_stay_below_the_model);
    add_test_between(s, enter_external, leave_external, links_below_the_model_are_followed);
    add_test_between(s, enter_external, leave_external, a_model_that_is_a_link_has_two_directories);
    add_test_between(s, enter_external, leave_external, sizes_and_keys_are_checked);
    add_test_between(s, enter_external, leave_external, keys_that_mean_nothing_are_told_once);
    add_test_between(s, enter_external, leave_external, a_model_from_memory_has_no_directory);
    return s;
}
