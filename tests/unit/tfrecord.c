/* TFRecord files of tf.train.Example. */
#include "data/tfrecord.h"
#include "data/format.h"
#include "scratch.h"
#include "unit.h"
#include <math.h>
#include <zlib.h>

/* Two records as TensorFlow 2.21 writes them: x is {1.5, -2} and {.25, 7}, label 3 and 0. */
static const uint8_t two[] = { 0x25, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0xbc, 0x36, 0xf3, 0x0a, 0x23,
                               0x0a, 0x0e, 0x0a, 0x05, 0x6c, 0x61, 0x62, 0x65, 0x6c, 0x12, 0x05, 0x1a, 0x03, 0x0a,
                               0x01, 0x03, 0x0a, 0x11, 0x0a, 0x01, 0x78, 0x12, 0x0c, 0x12, 0x0a, 0x0a, 0x08, 0x00,
                               0x00, 0xc0, 0x3f, 0x00, 0x00, 0x00, 0xc0, 0xaf, 0x97, 0x23, 0x09, 0x25, 0x00, 0x00,
                               0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0xbc, 0x36, 0xf3, 0x0a, 0x23, 0x0a, 0x0e, 0x0a,
                               0x05, 0x6c, 0x61, 0x62, 0x65, 0x6c, 0x12, 0x05, 0x1a, 0x03, 0x0a, 0x01, 0x00, 0x0a,
                               0x11, 0x0a, 0x01, 0x78, 0x12, 0x0c, 0x12, 0x0a, 0x0a, 0x08, 0x00, 0x00, 0x80, 0x3e,
                               0x00, 0x00, 0xe0, 0x40, 0xfe, 0x6a, 0x32, 0x99 };

static struct dataset d;

static bool open_with(const char *spec, const struct data_options *o)
{
    return dataset_open(&d, spec, PART_TRAIN, o, &budget, &report);
}

static void put_gz(const char *path, const void *bytes, size_t size)
{
    gzFile f = gzopen(path, "wb");

    ck_assert_int_eq(gzwrite(f, bytes, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

static void expect_two(void)
{
    const float x[] = { 1.5f, -2, .25f, 7 };
    const int64_t y[] = { 3, 0 };

    ck_assert(d.count == 2 && d.x->values.dtype == F32 && d.x->values.rank == 2 && d.x->values.dims[1] == 2);
    ck_assert(!memcmp(d.x->values.data, x, sizeof x) && d.y->classes == 4 && !memcmp(d.y->values.data, y, sizeof y));
    ck_assert_str_eq(d.label, "feature 'label'");
    dataset_release(&d);
}

START_TEST(what_tensorflow_writes_is_read)
{
    put_file("a.tfrecord", two, sizeof two);
    put_gz("b.tfrecord.gz", two, sizeof two);
    expect_ok(open_with("a.tfrecord", NULL));
    expect_two();
    expect_ok(open_with("b.tfrecord.gz", NULL));
    expect_two();
    expect_ok(open_with("tfrecord:b.tfrecord.gz[1:]", NULL));
    ck_assert_int_eq(d.count, 1);
    dataset_release(&d);
}
END_TEST

START_TEST(truncated_or_flipped)
{
    uint8_t copy[sizeof two], packed[200];
    size_t size;
    FILE *f;

    budget.limit = 1 << 20;
    for (size_t n = 0; n < sizeof two; n++) {
        put_file("a.tfrecord", two, n);
        if (n == sizeof two / 2) { /* one of both */
            expect_ok(open_with("a.tfrecord", NULL));
            dataset_release(&d);
            continue;
        }
        ck_assert_msg(!open_with("a.tfrecord", NULL), "%zu bytes were taken", n);
        expect_error(KILN_BAD_DATA, "");
        memcpy(copy, two, sizeof two);
        copy[n] ^= 0x10;
        put_file("a.tfrecord", copy, sizeof two);
        ck_assert_msg(!open_with("a.tfrecord", NULL), "byte %zu may be any", n);
        expect_error(KILN_BAD_DATA, "check sum");
    }
    put_gz("b.tfrecord", two, sizeof two);
    f = fopen("b.tfrecord", "rb");
    size = fread(packed, 1, sizeof packed, f);
    fclose(f);
    for (size_t n = 1; n < size; n++) {
        put_file("b.tfrecord", packed, n);
        ck_assert_msg(!open_with("b.tfrecord", NULL), "%zu bytes were taken", n);
        report = (struct report){ 0 };
    }
}
END_TEST

/* -- records by hand -- */

static struct text out = { .budget = &budget, .report = &report };

static uint32_t crc32c(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = 0xffffffff;

    for (size_t k = 0; k < 8 * n; k++) {
        const uint32_t bit = (crc ^ (uint32_t)(p[k / 8] >> (k % 8))) & 1;

        crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void put_number(uint64_t n, int bytes)
{
    for (int k = 0; k < bytes; k++)
        text_add(&out, (const char[]){ (char)(n >> 8 * k) }, 1);
}

static void put_sum(const void *bytes, size_t n)
{
    const uint32_t crc = crc32c(bytes, n);

    put_number((crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

static void put_length(uint64_t n)
{
    put_number(n, 8);
    put_sum(out.data + out.length - 8, 8);
}

static void put_record(const char *bytes, size_t n)
{
    put_length(n);
    text_add(&out, bytes, n);
    put_sum(bytes, n);
}

static void save(void)
{
    put_file("a.tfrecord", out.data ? out.data : "", out.length);
    text_release(&out);
    out = (struct text){ .budget = &budget, .report = &report };
}

/* A message of one field after another; every length is below 128. */
#define RECORD(s) put_record(s, sizeof(s) - 1)
#define X_FLOATS  "\x0a\x11\x0a\x01x\x12\x0c\x12\x0a\x0a\x08\x00\x00\x80\x3f\x00\x00\x00\x40" /* 1, 2 */
#define Y_ONE     "\x0a\x0a\x0a\x01y\x12\x05\x1a\x03\x0a\x01\x01"

START_TEST(values_of_every_kind)
{
    /* floats and integers that are not packed, an integer of ten bytes, fields that are not known */
    RECORD("\x0a\x22"
           "\x0a\x13\x0a\x01x\x12\x0e\x12\x0a\x0d\x00\x00\x80\x3f\x0d\x00\x00\x00\x40\x18\x05"
           "\x0a\x0b\x0a\x01y\x12\x06\x1a\x04\x08\x02\x08\x01");
    save();
    expect_ok(open_with("a.tfrecord", NULL));
    ck_assert(((float *)d.x->values.data)[1] == 2 && d.y->values.rank == 2 && ((int64_t *)d.y->values.data)[0] == 2);
    dataset_release(&d);
    RECORD("\x0a\x24\x0a\x12\x0a\x03raw\x12\x0b\x0a\x09\x0a\x07"
           "abc\x01\x02\x03\xff"
           "\x0a\x0e\x0a\x05label\x12\x05\x12\x03\x0a\x00\x50");
    save();
    ck_assert(!open_with("a.tfrecord", NULL));
    expect_error(KILN_BAD_DATA, "no tf.train.Example");
    RECORD("\x0a\x2c\x0a\x12\x0a\x03raw\x12\x0b\x0a\x09\x0a\x07"
           "abc\x01\x02\x03\xff"
           "\x0a\x16\x0a\x05label\x12\x0d\x1a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    save();
    expect_ok(open_with("a.tfrecord", NULL));
    ck_assert(d.x->values.dtype == U8 && d.x->values.dims[1] == 7 && ((uint8_t *)d.x->values.data)[6] == 255);
    ck_assert(d.y->negative == 1 && d.y->least == -1);
    dataset_release(&d);
}
END_TEST

START_TEST(a_target_that_is_missing_is_left_out_where_none_is_needed)
{
    const struct data_options unlabelled = { .unlabelled = true };
    static const char with[] = "\x0a\x1f" X_FLOATS Y_ONE, without[] = "\x0a\x13" X_FLOATS;

    put_record(with, sizeof with - 1);
    put_record(without, sizeof without - 1);
    save();
    ck_assert(!open_with("a.tfrecord", NULL));
    expect_error(KILN_BAD_DATA, "record 1: feature 'y' holds nothing");
    expect_ok(open_with("a.tfrecord", &unlabelled));
    ck_assert(d.unlabelled && d.count == 2);
    dataset_release(&d);
}
END_TEST

START_TEST(features_are_found_by_name)
{
    const struct tensor any = { .dtype = F32, .rank = UNKNOWN };
    const struct column_request inputs[] = { { .name = "x", .type = &any }, { .name = "w", .type = &any } },
                                outputs[] = { { .name = "y" }, { .name = "z" } };
    const struct data_options said = { .label = "x" }, none = { .label = "none", .unlabelled = true },
                              wrong = { .label = "q" },
                              several = { .inputs = 2, .input = inputs, .targets = 2, .target = outputs };
    static const char record[] = "\x0a\x1f" X_FLOATS Y_ONE,
                      w[] = "\x0a\x2b" X_FLOATS Y_ONE "\x0a\x0a\x0a\x01w\x12\x05\x1a\x03\x0a\x01\x05";

    put_record(record, sizeof record - 1);
    save();
    expect_ok(open_with("a.tfrecord", &said));
    ck_assert(d.x->values.dtype == I64 && d.y->values.rank == 2 && d.y->values.dims[1] == 2);
    dataset_release(&d);
    ck_assert(!open_with("a.tfrecord", &wrong));
    expect_error(KILN_BAD_DATA, "record 0: feature 'q' holds nothing");
    expect_ok(open_with("a.tfrecord", &none));
    ck_assert(d.unlabelled && d.x->values.dims[1] == 2);
    dataset_release(&d);
    ck_assert(!open_with("a.tfrecord", &several));
    expect_error(KILN_BAD_DATA, "no feature tells w, there are 'x', 'y'");
    put_record(w, sizeof w - 1);
    save();
    expect_ok(open_with("a.tfrecord", &several));
    ck_assert(d.inputs == 2 && d.targets == 1 && !strcmp(d.x[1].name, "w") && ((int64_t *)d.x[1].values.data)[0] == 5);
    dataset_release(&d);
}
END_TEST

START_TEST(records_that_are_wrong)
{
    static const char good[] = "\x0a\x1f" X_FLOATS Y_ONE;
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } rows[] = {
#define ROW(s, message) { s, sizeof(s) - 1, message }
        ROW("", "feature 'x' holds nothing"),
        ROW("\x0a", "record 1 is no tf.train.Example"),
        ROW("\x0a\x7f\x0a", "is no tf.train.Example"),
        ROW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "is no tf.train.Example"),
        ROW("\x0b\x00", "is no tf.train.Example"), /* a group */
        ROW("\x0a\x13" X_FLOATS, "feature 'y' holds nothing"),
        ROW("\x0a\x1b\x0a\x0d\x0a\x01x\x12\x08\x12\x06\x0a\x04\x00\x00\x80\x3f" Y_ONE,
            "feature 'x' has 1 floats, the first record has 2 floats"),
        ROW("\x0a\x1a\x0a\x0c\x0a\x01x\x12\x07\x12\x05\x0a\x03\x00\x00\x80" Y_ONE, "is no tf.train.Example"),
        ROW("\x0a\x19\x0a\x0b\x0a\x01x\x12\x06\x1a\x04\x0a\x02\x01\x02" Y_ONE,
            "feature 'x' has 2 integers, the first record has 2 floats"),
        ROW("\x0a\x1f\x0a\x11\x0a\x01x\x12\x0c\x0a\x0a\x0a\x03"
            "abc\x0a\x03"
            "def" Y_ONE,
            "feature 'x' holds strings"),
#undef ROW
    };

    budget.limit = 1 << 20;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        put_record(good, sizeof good - 1);
        put_record(rows[k].bytes, rows[k].size);
        save();
        ck_assert_msg(!open_with("a.tfrecord", NULL), "row %zu was taken", k);
        expect_error(KILN_BAD_DATA, rows[k].message);
    }
    save();
    ck_assert(!open_with("a.tfrecord", NULL));
    expect_error(KILN_BAD_DATA, "no data");
    put_length((uint64_t)1 << 62);
    text_add(&out, "0123456789", 10);
    save();
    ck_assert(!open_with("a.tfrecord", NULL));
    expect_error(KILN_BAD_DATA, "the file holds at most 10 more");
    put_length(UINT64_MAX);
    save();
    ck_assert(!open_with("a.tfrecord", NULL));
    expect_error(KILN_BAD_DATA, "record 0 has 18446744073709551615 bytes");
}
END_TEST

START_TEST(bombs_cost_what_they_may)
{
    const size_t size = 64 << 20;
    char *zeros = calloc(1, size);
    gzFile f = gzopen("a.tfrecord", "wb9");

    put_length(size);
    ck_assert(gzwrite(f, out.data, 12) == 12 && gzwrite(f, zeros, (unsigned)size) == (int)size && gzclose(f) == Z_OK);
    text_release(&out);
    free(zeros);
    budget.limit = 1 << 20;
    ck_assert(!open_with("a.tfrecord", NULL));
    expect_error(KILN_LIMIT, "");
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    size_t peak;

    put_file("a.tfrecord", two, sizeof two);
    expect_ok(open_with("a.tfrecord", NULL));
    dataset_release(&d);
    peak = budget.peak;
    for (size_t limit = 1; limit < peak; limit += 61) {
        budget.limit = limit;
        ck_assert(!open_with("a.tfrecord", NULL));
        expect_error(KILN_LIMIT, "");
        ck_assert_uint_eq(budget.used, 0);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("tfrecord");

    add_test_between(s, enter_scratch, leave_scratch, what_tensorflow_writes_is_read);
    add_test_between(s, enter_scratch, leave_scratch, truncated_or_flipped);
    add_test_between(s, enter_scratch, leave_scratch, values_of_every_kind);
    add_test_between(s, enter_scratch, leave_scratch, a_target_that_is_missing_is_left_out_where_none_is_needed);
    add_test_between(s, enter_scratch, leave_scratch, features_are_found_by_name);
    add_test_between(s, enter_scratch, leave_scratch, records_that_are_wrong);
    add_test_between(s, enter_scratch, leave_scratch, bombs_cost_what_they_may);
    add_test_between(s, enter_scratch, leave_scratch, memory_may_run_out_anywhere);
    return s;
}
