/* The file formats of data/, on files made here in the real binary formats. */
#include "comma.h"
#include "data/cifar.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/idx.h"
#include "data/npz.h"
#include "scratch.h"
#include "unit.h"
#include <fcntl.h>
#include <zlib.h>

static struct tensor t;

static void drop(struct tensor *x)
{
    budget_free(&budget, x->data);
    x->data = NULL;
}

/* -- npy -- */

enum { ROOM = 65536 };

static unsigned char file[ROOM];

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ /* of numbers that a test has in memory */
#define ORDER ">"
#else
#define ORDER "<"
#endif

/* A .npy file of the version, the dictionary padded as numpy does; how long it is. */
static size_t make_npy(int version, const char *dictionary, const void *data, size_t bytes)
{
    const size_t start = version == 1 ? 10 : 12, text = strlen(dictionary), total = (start + text + 1 + 63) / 64 * 64;

    memcpy(file, "\x93NUMPY", 6);
    file[6] = (unsigned char)version;
    file[7] = 0;
    file[8] = (unsigned char)(total - start);
    file[9] = (unsigned char)((total - start) >> 8);
    file[10] = file[11] = 0;
    memcpy(file + start, dictionary, text);
    memset(file + start + text, ' ', total - start - text);
    file[total - 1] = '\n';
    memcpy(file + total, data, bytes);
    return total + bytes;
}

static bool decode(const void *bytes, size_t size)
{
    struct memory_source m;

    memory_source(&m, "a.npy", bytes, size);
    return npy_read(&t, &m.source, NULL, &budget, &report);
}

START_TEST(npy_reads_every_type_in_both_byte_orders)
{
    static const struct {
        const char *code;
        enum dtype dtype;
        int size, part;        /* a complex number swaps its parts */
        unsigned char one[16]; /* 1, little-endian */
    } types[] = {
        { "b1", BOOL, 1, 1, { 1 } },
        { "i1", I8, 1, 1, { 1 } },
        { "u1", U8, 1, 1, { 1 } },
        { "i2", I16, 2, 2, { 1 } },
        { "u2", U16, 2, 2, { 1 } },
        { "i4", I32, 4, 4, { 1 } },
        { "u4", U32, 4, 4, { 1 } },
        { "i8", I64, 8, 8, { 1 } },
        { "u8", U64, 8, 8, { 1 } },
        { "f2", F16, 2, 2, { 0, 0x3c } },
        { "f4", F32, 4, 4, { 0, 0, 0x80, 0x3f } },
        { "f8", F64, 8, 8, { 0, 0, 0, 0, 0, 0, 0xf0, 0x3f } },
        { "c8", C64, 8, 4, { 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0 } },
        { "c16", C128, 16, 8, { 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0 } },
    };
    char text[128];

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int big = 0; big < 2; big++) {
            const int size = types[i].size, part = types[i].part;
            unsigned char data[48], one[16];

            for (int k = 0; k < 3 * size; k++)
                data[k] = types[i].one[big ? k % size / part * part + part - 1 - k % part : k % size];
            for (int k = 0; k < size; k++)
                one[k] = types[i].one[big_endian ? k / part * part + part - 1 - k % part : k];
            snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (3,), }",
                     size == 1 ? '|'
                     : big     ? '>'
                               : '<',
                     types[i].code);
            expect_ok(decode(file, make_npy(1 + (int)i % 3, text, data, 3 * (size_t)size)));
            ck_assert_int_eq(t.dtype, types[i].dtype);
            ck_assert(t.rank == 1 && t.dims[0] == 3);
            for (int k = 0; k < 3; k++)
                ck_assert_mem_eq((char *)t.data + k * size, one, (size_t)size);
            drop(&t);
        }
}
END_TEST

START_TEST(npy_turns_fortran_order)
{
    /* a[i,j,k] = 100 i + 10 j + k with shape (2,3,2), the first axis running fastest */
    static const int16_t column_major[] = { 0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121 };
    const int16_t *v;

    expect_ok(decode(file, make_npy(1, "{'descr': '" ORDER "i2', 'fortran_order': True, 'shape': (2, 3, 2), }",
                                    column_major, sizeof column_major)));
    v = t.data;
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(v[i], 100 * (i / 6) + 10 * (i / 2 % 3) + i % 2);
    drop(&t);
}
END_TEST

START_TEST(npy_reads_what_is_allowed)
{
    expect_ok(decode(file, make_npy(1, "{\"shape\":(), \"fortran_order\":True, \"descr\":\"<i4\"}", "\1\0\0\0", 4)));
    ck_assert(t.rank == 0 && *(int32_t *)t.data == 1);
    drop(&t);
    expect_ok(decode(file, make_npy(2, "{'descr': '<f4', 'fortran_order': True, 'shape': (0L, 7), }", "", 0)));
    ck_assert(t.rank == 2 && t.dims[0] == 0 && t.dims[1] == 7 && t.data);
    drop(&t);
    expect_ok(decode(file, make_npy(3, "{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}", "\0\2\377\1", 4)));
    ck_assert_mem_eq(t.data, "\0\1\1\1", 4);
    drop(&t);
}
END_TEST

START_TEST(npy_refuses_what_is_wrong)
{
    static const struct {
        const char *dictionary;
        size_t bytes;
        kiln_status code;
        const char *message;
    } wrong[] = {
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, KILN_UNSUPPORTED, "pickled" },
        { "{'descr': '<V2', 'fortran_order': False, 'shape': (1,), }", 2, KILN_UNSUPPORTED, "bfloat16" },
        { "{'descr': '|V1', 'fortran_order': False, 'shape': (1,), }", 1, KILN_UNSUPPORTED,
          "types of 8 bits and less" },
        { "{'descr': 'bfloat16', 'fortran_order': False, 'shape': (1,), }", 2, KILN_UNSUPPORTED, "bfloat16" },
        { "{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", 12, KILN_UNSUPPORTED, "'<U3'" },
        { "{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", 16, KILN_UNSUPPORTED, "'<f16'" },
        { "{'descr': '|f4', 'fortran_order': False, 'shape': (1,), }", 4, KILN_UNSUPPORTED, "'|f4'" },
        { "{'descr': '', 'fortran_order': False, 'shape': (1,), }", 4, KILN_UNSUPPORTED, "''" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, KILN_UNSUPPORTED, "structured" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", 4, KILN_BAD_DATA, "fortran_order" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, KILN_BAD_DATA, "dimension 0" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", 4, KILN_BAD_DATA, "tuple" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", 4, KILN_BAD_DATA, "tuple" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }", 4, KILN_BAD_DATA, "63 bits" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }", 4, KILN_BAD_DATA,
          "more bytes than can be counted" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }", 0, KILN_BAD_DATA,
          "more bytes than can be counted" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (100000000,), }", 4, KILN_BAD_DATA, "400000000" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }", 4, KILN_LIMIT,
          "16" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 3, KILN_BAD_DATA, "3 bytes of data" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 5, KILN_BAD_DATA, "5 bytes of data" },
        { "{'descr': '<f4', 'fortran_order': False, }", 4, KILN_BAD_DATA, "'shape' is missing" },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, KILN_BAD_DATA, "'descr'" },
        { "{'descr': '<f4', 'order': False, 'shape': (1,)}", 4, KILN_BAD_DATA, "'order'" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} 1", 4, KILN_BAD_DATA, "follows" },
        { "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", 4, KILN_BAD_DATA, "','" },
        { "{'descr", 4, KILN_BAD_DATA, "does not end" },
        { "{descr: '<f4'}", 4, KILN_BAD_DATA, "quoted" },
        { "", 4, KILN_BAD_DATA, "dictionary" },
    };
    static const unsigned char data[32] = { 0 };
    size_t size;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert(!decode(file, make_npy(1, wrong[i].dictionary, data, wrong[i].bytes)));
        ck_assert_ptr_null(t.data);
        expect_error(wrong[i].code, wrong[i].message);
    }
    size = make_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", data, 4);
    file[6] = 4;
    ck_assert(!decode(file, size));
    expect_error(KILN_UNSUPPORTED, "version 4.0");
    file[6] = 2;
    ck_assert(!decode(file, size)); /* the dictionary's first bytes are now part of its length */
    expect_error(KILN_LIMIT, "header of");
    file[0] = 'x';
    ck_assert(!decode(file, size));
    expect_error(KILN_BAD_DATA, "not a .npy");
}
END_TEST

START_TEST(npy_truncated_or_flipped)
{
    static const float data[] = { 1, 2, 3, 4, 5, 6 };
    const size_t size = make_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", data, sizeof data);

    for (size_t n = 0; n < size; n++) {
        unsigned char *cut = malloc(n ? n : 1); /* so that a sanitizer sees a byte too far */

        memcpy(cut, file, n);
        ck_assert_msg(!decode(cut, n), "%zu bytes were enough", n);
        ck_assert(failed(&report));
        report = (struct report){ 0 };
        free(cut);
    }
    budget.limit = 1 << 20;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert(decode(file, size) != failed(&report));
        report = (struct report){ 0 };
        drop(&t);
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

START_TEST(npy_written_is_what_numpy_writes)
{
    /* numpy.save of numpy.array([[1, 2, 3]], '<i2') */
    static const char head[] = "\x93NUMPY\1\0v\0{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }";
    static const unsigned char data[] = { 1, 0, 2, 0, 3, 0 };
    struct tensor in = { .dtype = I16, .rank = 2, .dims = { 1, 3 } };
    struct text out = { .budget = &budget, .report = &report };
    int16_t copy[] = { 1, 2, 3 };

    in.data = copy;
    expect_ok(npy_write(&in, "a.npy", &out, &report));
    ck_assert_uint_eq(out.length, 128 + sizeof data);
    ck_assert_mem_eq(out.data, head, sizeof head - 1);
    for (size_t i = sizeof head - 1; i < 127; i++)
        ck_assert_int_eq(out.data[i], ' ');
    ck_assert_int_eq(out.data[127], '\n');
    ck_assert_mem_eq(out.data + 128, data, sizeof data);
    text_release(&out);

    in.dtype = BF16;
    ck_assert(!npy_write(&in, "a.npy", &out, &report));
    expect_error(KILN_UNSUPPORTED, "bfloat16");
    text_release(&out);
}
END_TEST

START_TEST(npy_written_is_read_again)
{
    static const enum dtype types[] = { BOOL, I8, U8, I16, U16, I32, U32, I64, U64, F16, F32, F64, C64, C128 };
    unsigned char data[16 * 6];

    memset(data, 1, sizeof data);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int rank = 0; rank <= 3; rank++) {
            struct tensor in = { .dtype = types[i], .rank = rank, .dims = { rank == 1 ? 6 : 3, 2, 1 }, .data = data };

            expect_ok(npy_save(&in, "a.npy", &budget, &report));
            expect_ok(npy_load(&t, "a.npy", NULL, &budget, &report));
            ck_assert(same_type(&in, &t));
            ck_assert_mem_eq(t.data, data, (size_t)tensor_bytes(&t));
            drop(&t);
        }
    ck_assert(!npy_load(&t, "absent.npy", NULL, &budget, &report));
    expect_error(KILN_IO, "No such file");
    ck_assert(!npy_load(&t, ".", NULL, &budget, &report));
    expect_error(KILN_IO, "a regular file is needed");
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert(!npy_load(&t, "fifo", NULL, &budget, &report));
    expect_error(KILN_IO, "a regular file is needed");
}
END_TEST

/* -- npz -- */

struct zip {
    unsigned char bytes[ROOM];
    size_t size, directory, central; /* central: bytes of the directory so far, kept apart until the end */
    unsigned char entries[4096];
    unsigned count;
};

static void put(unsigned char *to, size_t *at, uint64_t value, int width)
{
    for (int i = 0; i < width; i++)
        to[(*at)++] = (unsigned char)(value >> 8 * i);
}

/* Adds a member; zip64 puts the sizes into extra fields. `claim` is the uncompressed size told, 0 for the true one. */
static void zip_add(struct zip *z, const char *name, const void *data, size_t bytes, bool deflated, bool zip64,
                    uint64_t claim)
{
    const uint64_t local = z->size, told = claim ? claim : bytes;
    const uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)bytes);
    unsigned char packed[ROOM];
    z_stream s = { 0 };
    size_t n = bytes, length = strlen(name);

    memcpy(packed, data, bytes);
    if (deflated) {
        union {
            const void *in;
            Bytef *next;
        } input = { data };

        ck_assert_int_eq(deflateInit2(&s, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        s.next_in = input.next;
        s.avail_in = (uInt)bytes;
        s.next_out = packed;
        s.avail_out = sizeof packed;
        ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
        n = s.total_out;
        deflateEnd(&s);
    }
    for (int central = 0; central < 2; central++) {
        unsigned char *to = central ? z->entries : z->bytes;
        size_t *at = central ? &z->central : &z->size;

        put(to, at, central ? 0x02014b50 : 0x04034b50, 4);
        if (central)
            put(to, at, 45, 2);
        put(to, at, 45, 2);
        put(to, at, 0, 2);
        put(to, at, deflated ? 8 : 0, 2);
        put(to, at, 0, 4); /* time */
        put(to, at, crc, 4);
        put(to, at, zip64 ? 0xffffffff : n, 4);
        put(to, at, zip64 ? 0xffffffff : told, 4);
        put(to, at, length, 2);
        put(to, at, zip64 ? 20 : 0, 2);
        if (central) {
            put(to, at, 0, 6); /* comment, disk, attributes */
            put(to, at, 0, 4);
            put(to, at, local, 4);
        }
        memcpy(to + *at, name, length);
        *at += length;
        if (zip64) {
            put(to, at, 1, 2);
            put(to, at, 16, 2);
            put(to, at, told, 8);
            put(to, at, n, 8);
        }
    }
    memcpy(z->bytes + z->size, packed, n);
    z->size += n;
    z->count++;
}

static void zip_end(struct zip *z, bool zip64, const char *path)
{
    size_t end;

    z->directory = z->size;
    memcpy(z->bytes + z->size, z->entries, z->central);
    z->size += z->central;
    end = z->size;
    if (zip64) {
        put(z->bytes, &z->size, 0x06064b50, 4);
        put(z->bytes, &z->size, 44, 8);
        put(z->bytes, &z->size, 45 | 45 << 16, 4);
        put(z->bytes, &z->size, 0, 8);
        put(z->bytes, &z->size, z->count, 8);
        put(z->bytes, &z->size, z->count, 8);
        put(z->bytes, &z->size, z->central, 8);
        put(z->bytes, &z->size, z->directory, 8);
        put(z->bytes, &z->size, 0x07064b50, 4);
        put(z->bytes, &z->size, 0, 4);
        put(z->bytes, &z->size, end, 8);
        put(z->bytes, &z->size, 1, 4);
    }
    put(z->bytes, &z->size, 0x06054b50, 4);
    put(z->bytes, &z->size, 0, 4);
    put(z->bytes, &z->size, zip64 ? 0xffff : z->count, 2);
    put(z->bytes, &z->size, zip64 ? 0xffff : z->count, 2);
    put(z->bytes, &z->size, zip64 ? 0xffffffff : z->central, 4);
    put(z->bytes, &z->size, zip64 ? 0xffffffff : z->directory, 4);
    put(z->bytes, &z->size, 3, 2);
    memcpy(z->bytes + z->size, "end", 3);
    z->size += 3;
    put_file(path, z->bytes, z->size);
}

static struct zip zip;
static float values[200];

static size_t make_values(void)
{
    for (int i = 0; i < 200; i++)
        values[i] = (float)(i / 7);
    return make_npy(1, "{'descr': '" ORDER "f4', 'fortran_order': False, 'shape': (20, 10), }", values, sizeof values);
}

static bool load(const char *path, const char *name)
{
    struct npz *z;
    const bool ok = npz_open(&z, path, &budget, &report) && npz_read(&t, z, name, NULL, &report);

    npz_close(z);
    return ok;
}

START_TEST(npz_stored_deflated_and_zip64)
{
    const size_t size = make_values();
    char names[64];
    struct npz *z;

    for (int kind = 0; kind < 4; kind++) {
        memset(&zip, 0, sizeof zip);
        zip_add(&zip, "x.npy", file, size, kind & 1, kind & 2, 0);
        zip_add(&zip, "../../etc/y.npy", file, size, kind & 1, false, 0); /* a name, no path */
        zip_end(&zip, kind & 2, "a.npz");
        expect_ok(npz_open(&z, "a.npz", &budget, &report));
        ck_assert(npz_has(z, "x") && npz_has(z, "../../etc/y") && !npz_has(z, "y"));
        npz_names(z, names, sizeof names);
        ck_assert_str_eq(names, "x, ../../etc/y");
        expect_ok(npz_read(&t, z, "x", NULL, &report));
        ck_assert(t.dtype == F32 && t.rank == 2 && t.dims[0] == 20 && t.dims[1] == 10);
        ck_assert_mem_eq(t.data, values, sizeof values);
        drop(&t);
        ck_assert(!npz_read(&t, z, "w", NULL, &report));
        expect_error(KILN_BAD_DATA, "'w' is needed, there are: x, ../../etc/y");
        npz_close(z);
    }
}
END_TEST

START_TEST(npz_truncated_or_flipped)
{
    const size_t size = make_values();
    int fd;

    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "x.npy", file, size, true, true, 0);
    zip_end(&zip, true, "a.npz");
    fd = open("a.npz", O_RDWR); /* changed in place: thousands of new files would take seconds */
    ck_assert_int_ge(fd, 0);
    budget.limit = 1 << 20;
    for (size_t bit = 0; bit < 8 * zip.size; bit++) {
        const unsigned char flipped = (unsigned char)(zip.bytes[bit / 8] ^ 1 << bit % 8);

        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)bit / 8), 1);
        if (load("a.npz", "x")) /* a bit that nothing hangs on: a time, a version */
            ck_assert_mem_eq(t.data, values, sizeof values);
        else
            ck_assert(failed(&report));
        report = (struct report){ 0 };
        drop(&t);
        ck_assert_int_eq(pwrite(fd, &zip.bytes[bit / 8], 1, (off_t)bit / 8), 1);
    }
    expect_ok(load("a.npz", "x"));
    drop(&t);
    for (size_t n = zip.size; n-- > 0;) {
        ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
        ck_assert_msg(!load("a.npz", "x"), "%zu bytes were enough", n);
        ck_assert(failed(&report));
        report = (struct report){ 0 };
    }
    close(fd);
}
END_TEST

START_TEST(npz_bombs_are_refused_before_they_go_off)
{
    const size_t size = make_values();

    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "x.npy", file, size, true, true, (uint64_t)1 << 50); /* more than deflate can do */
    zip_end(&zip, false, "bomb.npz");
    ck_assert(!load("bomb.npz", "x"));
    expect_error(KILN_BAD_DATA, "claims more bytes");
    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "x.npy", file, size, true, true, 2 * 1032 * (uint64_t)size); /* twice as much as it can do */
    zip_end(&zip, false, "bomb.npz");
    ck_assert(!load("bomb.npz", "x"));
    expect_error(KILN_BAD_DATA, "claims more bytes");

    memset(&zip, 0, sizeof zip);
    memset(file + 128, 0, sizeof file - 128); /* 65 KB of zeros in some hundred bytes: true, but not to be paid */
    make_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (16352,), }", "", 0);
    zip_add(&zip, "x.npy", file, sizeof file, true, false, 0);
    zip_end(&zip, false, "big.npz");
    expect_ok(load("big.npz", "x"));
    drop(&t);
    budget.limit = budget.peak - 1000; /* room for the archive, not for the array as well */
    ck_assert(!load("big.npz", "x"));
    expect_error(KILN_LIMIT, "memory limit");
    budget.limit = 0;

    memset(&zip, 0, sizeof zip); /* the header says less than the member holds, and the other way round */
    zip_add(&zip, "x.npy", file, 65000, true, false, 65536);
    zip_end(&zip, false, "short.npz");
    ck_assert(!load("short.npz", "x"));
    expect_error(KILN_BAD_DATA, "damaged");
    memset(&zip, 0, sizeof zip);
    make_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1000,), }", "", 0);
    zip_add(&zip, "x.npy", file, 60000, true, false, 4128);
    zip_end(&zip, false, "long.npz");
    ck_assert(!load("long.npz", "x"));
    expect_error(KILN_BAD_DATA, "damaged");
}
END_TEST

START_TEST(npz_refuses_what_is_wrong)
{
    const size_t size = make_values();
    struct zip good;

    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "x.npy", file, size, false, false, 0);
    zip_end(&zip, false, "a.npz");
    good = zip;
    zip.bytes[6] = zip.bytes[zip.directory + 8] = 1;
    put_file("a.npz", zip.bytes, zip.size);
    ck_assert(!load("a.npz", "x"));
    expect_error(KILN_UNSUPPORTED, "encrypted");
    zip = good;
    zip.bytes[8] = zip.bytes[zip.directory + 10] = 12;
    put_file("a.npz", zip.bytes, zip.size);
    ck_assert(!load("a.npz", "x"));
    expect_error(KILN_UNSUPPORTED, "method 12");
    zip = good;
    zip.bytes[200] ^= 1; /* a value */
    put_file("a.npz", zip.bytes, zip.size);
    ck_assert(!load("a.npz", "x"));
    expect_error(KILN_BAD_DATA, "check sum");
    put_file("a.npz", "\x1f\x8b\x08\0\0\0\0\0\0\3 this is gzip, not zip", 30);
    ck_assert(!load("a.npz", "x"));
    expect_error(KILN_BAD_DATA, "no directory");

    memset(&zip, 0, sizeof zip);
    zip_add(&zip, "x.npy", file, size, false, false, 0);
    zip_add(&zip, "x.npy", file, size, false, false, 0);
    zip_end(&zip, false, "a.npz");
    ck_assert(!load("a.npz", "x"));
    expect_error(KILN_BAD_DATA, "one array 'x'");
}
END_TEST

/* -- idx -- */

static const unsigned char idx[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                     0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

static void put_gz(const char *path, const void *bytes, unsigned size)
{
    gzFile g = gzopen(path, "wb");

    ck_assert_ptr_nonnull(g);
    ck_assert_int_eq(gzwrite(g, bytes, size), (int)size);
    ck_assert_int_eq(gzclose(g), Z_OK);
}

static size_t get_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    const size_t n = fread(file, 1, sizeof file, f);

    fclose(f);
    return n;
}

START_TEST(idx_plain_and_gzipped)
{
    static const unsigned char shorts[] = { 0, 0, 0x0B, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xfe };

    put_file("plain", idx, sizeof idx);
    put_gz("a.gz", idx, sizeof idx);
    for (int gz = 0; gz < 2; gz++) {
        expect_ok(idx_load(&t, gz ? "a.gz" : "plain", NULL, &budget, &report));
        ck_assert(t.dtype == U8 && t.rank == 3 && t.dims[0] == 2 && t.dims[1] == 2 && t.dims[2] == 3);
        ck_assert_mem_eq(t.data, idx + 16, 12);
        drop(&t);
    }
    put_file("shorts", shorts, sizeof shorts);
    expect_ok(idx_load(&t, "shorts", NULL, &budget, &report));
    ck_assert(t.dtype == I16 && ((int16_t *)t.data)[0] == 258 && ((int16_t *)t.data)[1] == -2);
    drop(&t);
}
END_TEST

START_TEST(idx_truncated_or_longer)
{
    size_t size;

    for (size_t n = 0; n < sizeof idx; n++) {
        put_file("cut", idx, n);
        ck_assert_msg(!idx_load(&t, "cut", NULL, &budget, &report), "%zu bytes were enough", n);
        expect_error(KILN_BAD_DATA, "");
        put_gz("cut.gz", idx, (unsigned)n);
        ck_assert_msg(!idx_load(&t, "cut.gz", NULL, &budget, &report), "%zu packed bytes were enough", n);
        expect_error(KILN_BAD_DATA, "");
    }
    put_gz("whole.gz", idx, sizeof idx);
    size = get_file("whole.gz");
    for (size_t n = 0; n < size; n++) {
        put_file("cut.gz", file, n);
        ck_assert_msg(!idx_load(&t, "cut.gz", NULL, &budget, &report), "%zu bytes of gzip were enough", n);
        expect_error(KILN_BAD_DATA, "");
    }
    file[size - 8] ^= 1; /* the check sum */
    put_file("bad.gz", file, size);
    ck_assert(!idx_load(&t, "bad.gz", NULL, &budget, &report));
    expect_error(KILN_BAD_DATA, "cannot be unpacked: incorrect data check");
    memcpy(file, idx, sizeof idx);
    file[sizeof idx] = 0;
    put_file("long", file, sizeof idx + 1);
    ck_assert(!idx_load(&t, "long", NULL, &budget, &report));
    expect_error(KILN_BAD_DATA, "longer than its header");
}
END_TEST

START_TEST(idx_header_lies)
{
    unsigned char lie[sizeof idx];

    memcpy(lie, idx, sizeof idx);
    lie[4] = 0x7f; /* 2 billion images */
    put_file("lie", lie, sizeof lie);
    ck_assert(!idx_load(&t, "lie", NULL, &budget, &report));
    expect_error(KILN_BAD_DATA, "promises uint8[2130706434,2,3]");
    put_gz("lie.gz", lie, sizeof lie);
    ck_assert(!idx_load(&t, "lie.gz", NULL, &budget, &report));
    expect_error(KILN_BAD_DATA, "holds at most");
    memset(lie + 4, 0xff, 12); /* wraps 64 bits */
    put_file("lie", lie, sizeof lie);
    ck_assert(!idx_load(&t, "lie", NULL, &budget, &report));
    expect_error(KILN_BAD_DATA, "promises");
    ck_assert_uint_lt(budget.peak, 1000);
    for (int at = 0; at < 4; at++) {
        memcpy(lie, idx, sizeof idx);
        lie[at] = 99;
        put_file("lie", lie, sizeof lie);
        ck_assert(!idx_load(&t, "lie", NULL, &budget, &report));
        expect_error(KILN_BAD_DATA, "not an IDX file");
    }
}
END_TEST

/* -- cifar -- */

/* `n` records whose pixels and labels tell their place. */
static void put_cifar(const char *path, int n, int labels, int first)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    for (int i = first; i < first + n; i++) {
        if (labels == 2)
            fputc(i % 20, f);
        fputc(i % 10, f);
        for (int k = 0; k < 3072; k++)
            fputc((i + k / 1024 * 50 + k % 1024) & 0xff, f);
    }
    ck_assert_int_eq(fclose(f), 0);
}

static struct arena names = { .budget = &budget };

/* All rows of a source, whose types are known; y may be NULL. */
static bool read_rows(struct row_source *source, struct tensor *x, struct tensor *y)
{
    struct row_reader *reader = source->open(source, 0, &budget, &report);
    bool ok = reader;
    int64_t got = 1;

    x->data = budget_zalloc(&budget, 1, (size_t)tensor_bytes(x), NULL);
    if (y)
        y->data = budget_zalloc(&budget, 1, (size_t)tensor_bytes(y), NULL);
    for (int64_t at = 0; ok && got; at += got) {
        void *const to[] = { (char *)x->data + at * row_bytes(x), y ? (char *)y->data + at * row_bytes(y) : NULL };

        ok = reader->next(reader, x->dims[0] - at, to, &got, &report);
        ck_assert(!ok || got || at == x->dims[0]);
    }
    if (reader)
        reader->close(reader);
    if (!ok) {
        drop(x);
        if (y)
            drop(y);
    }
    return ok;
}

static struct tensor labels;

static bool load_cifar(const char *directory, int classes, bool test)
{
    struct row_source *source = cifar_source(&t, &labels, directory, classes, test, &names, &report);

    if (source && read_rows(source, &t, &labels))
        return true;
    arena_release(&names);
    return false;
}

static void check_cifar(const struct tensor *x, const struct tensor *y, int n)
{
    const unsigned char *pixel = x->data;
    const int64_t *label = y->data;

    ck_assert(x->dtype == U8 && x->rank == 4 && x->dims[0] == n && x->dims[1] == 3 && x->dims[2] == 32 &&
              x->dims[3] == 32);
    ck_assert(y->dtype == I64 && y->rank == 1 && y->dims[0] == n);
    for (int i = 0; i < n; i++, pixel += 3072) {
        unsigned char image[3072];

        for (int k = 0; k < 3072; k++)
            image[k] = (unsigned char)(i + k / 1024 * 50 + k % 1024);
        ck_assert_mem_eq(pixel, image, sizeof image);
        ck_assert_int_eq(label[i], i % 10);
    }
}

START_TEST(cifar_both_sets_and_parts)
{
    const char *const *names_of;
    char path[64];

    for (int i = 1; i <= 5; i++) {
        snprintf(path, sizeof path, "data_batch_%d.bin", i);
        put_cifar(path, 300, 1, 300 * (i - 1));
    }
    put_cifar("test_batch.bin", 7, 1, 0);
    expect_ok(load_cifar(".", 10, false));
    check_cifar(&t, &labels, 1500);
    drop(&t), drop(&labels);
    expect_ok(load_cifar(".", 10, true));
    check_cifar(&t, &labels, 7);
    drop(&t), drop(&labels);

    ck_assert_int_eq(mkdir("cifar-100-binary", 0700), 0);
    put_cifar("cifar-100-binary/train.bin", 20, 2, 0);
    put_cifar("cifar-100-binary/test.bin", 3, 2, 0);
    expect_ok(load_cifar(".", 100, false));
    check_cifar(&t, &labels, 20);
    drop(&t), drop(&labels);
    expect_ok(load_cifar("cifar-100-binary", 100, true));
    check_cifar(&t, &labels, 3);
    drop(&t), drop(&labels);

    expect_ok(cifar_names(&names_of, ".", 10, &names, &report));
    ck_assert_ptr_null(names_of);
    put_file("batches.meta.txt", "a\nb\r\nc\nd\ne\nf\ng\nh\ni\nthe last\n\n", 29);
    expect_ok(cifar_names(&names_of, ".", 10, &names, &report));
    ck_assert(!strcmp(names_of[1], "b") && !strcmp(names_of[9], "the last"));
    put_file("cifar-100-binary/fine_label_names.txt", "a\nb\n", 4);
    ck_assert(!cifar_names(&names_of, ".", 100, &names, &report));
    expect_error(KILN_BAD_DATA, "2 names of classes, there are 100 classes");
    arena_release(&names);
}
END_TEST

START_TEST(cifar_refuses_what_is_wrong)
{
    size_t size;

    put_cifar("test_batch.bin", 2, 1, 0);
    size = get_file("test_batch.bin");
    ck_assert(!load_cifar(".", 10, false));
    expect_error(KILN_IO, "No such file");
    file[3073] = 10;
    put_file("test_batch.bin", file, size);
    ck_assert(!load_cifar(".", 10, true));
    expect_error(KILN_BAD_DATA, "label 10 of 10");
    put_cifar("test.bin", 2, 2, 0);
    size = get_file("test.bin");
    file[3074] = 20; /* the coarse label */
    put_file("test.bin", file, size);
    ck_assert(!load_cifar(".", 100, true));
    expect_error(KILN_BAD_DATA, "coarse label 20 of 20");
    for (size_t n = 0; n < size; n += n < 3070 || n > 3080 ? 61 : 1)
        if (n != 3074) {
            put_file("test.bin", file, n);
            ck_assert(!load_cifar(".", 100, true));
            expect_error(KILN_BAD_DATA, "multiple of 3074");
        }
}
END_TEST

/* -- csv -- */

static struct csv_table table;

static void drop_table(void)
{
    drop(&table.x), drop(&table.y);
    arena_release(&names);
}

static bool read_table(const char *path, const struct csv_request *q)
{
    struct row_source *source = csv_source(&table, path, q, &names, &report);

    if (source && read_rows(source, &table.x, table.y.rank ? &table.y : NULL))
        return true;
    arena_release(&names);
    return false;
}

static bool parse_named(const char *name, const char *text, const struct csv_request *q)
{
    put_file(name, text, strlen(text));
    return read_table(name, q);
}

static bool parse_as(const char *text, const struct csv_request *q)
{
    return parse_named("a.csv", text, q);
}

static bool parse(const char *text)
{
    return parse_as(text, &(struct csv_request){ 0 });
}

static bool load_huge(void)
{
    return read_table("huge.csv", &(struct csv_request){ 0 });
}

START_TEST(csv_with_and_without_header)
{
    static const char *const texts[] = {
        "1,2.5,0\n-3e1,+.5,1\n",
        "1,2.5,0\r\n-3e1,+.5,1\r\n\r\n",
        "\xef\xbb\xbfwidth,\"height, in cm\",class\n1 , 2.5,\"0\"\n\t-30.000,0.5e0,1.0",
        "a,b,3\n1,2.5,0\n-30,.5,1",
        "\"\",a,\"\"\n1,2.5,0\n-30,.5,1", /* the column of the rows' names has none itself */
        "Breite,H\xc3\xb6he,0\n1,2.5,0\n-30,.5,1",
        "nan, x ,0\n1,2.5,0\n-30,.5,1",
    };
    const float *x;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_ok(parse(texts[i]));
        ck_assert_int_eq(table.header, i > 1);
        ck_assert(table.x.dtype == F32 && table.x.rank == 2 && table.x.dims[0] == 2 && table.x.dims[1] == 2);
        ck_assert(table.y.dtype == F64 && table.y.rank == 1 && table.y.dims[0] == 2 && table.label == 2);
        x = table.x.data;
        ck_assert(x[0] == 1 && x[1] == 2.5f && x[2] == -30 && x[3] == .5f);
        ck_assert(((double *)table.y.data)[0] == 0 && ((double *)table.y.data)[1] == 1);
        drop_table();
    }
    expect_ok(parse("1,2.5\n2,-.25"));
    ck_assert(((double *)table.y.data)[0] == 2.5 && ((double *)table.y.data)[1] == -.25);
    drop_table();
}
END_TEST

START_TEST(csv_is_parted_by_what_the_first_line_has)
{
    static const char *const texts[] = { "1,2,3\n4,5,6", "1;2;3\n4 ; 5;6", "1\t2\t3\n4\t5 \t6",
                                         "a;\"b;c\";d\n1;2;3\n4;5;6" };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_ok(parse(texts[i]));
        ck_assert(table.x.dims[1] == 2 && ((float *)table.x.data)[3] == 5 && ((double *)table.y.data)[1] == 6);
        drop_table();
    }
}
END_TEST

START_TEST(csv_label_is_where_it_is_said)
{
    static const struct {
        const char *text, *label;
        int64_t column;
        const char *name;
    } rows[] = {
        { "1,2,3\n4,5,6\n", "first", 0, NULL },
        { "1,2,3\n4,5,6\n", "last", 2, NULL },
        { "a,b,c\n1,2,3\n4,5,6\n", "b", 1, "b" },
        { "a,b,c\n1,2,3\n4,5,6\n", "first", 0, "a" },
        { "a,first,c\n1,2,3\n4,5,6\n", "first", 1, "first" },
        { "a,b,c\n1,2,3\n4,5,6\n", "none", -1, NULL },
        { "\"a \"\"x\"\"\",b,c\n1,2,3\n4,5,6\n", "a \"x\"", 0, "a \"x\"" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int64_t at = rows[i].column;

        expect_ok(parse_as(rows[i].text, &(struct csv_request){ .label = rows[i].label }));
        ck_assert(table.label == at && table.x.dims[1] == (at < 0 ? 3 : 2));
        ck_assert(((float *)table.x.data)[0] == (at ? 1 : 2) &&
                  (at < 0 || ((double *)table.y.data)[1] == 4 + (double)at));
        ck_assert(!rows[i].name == !table.label_name && (!rows[i].name || strcmp(rows[i].name, table.label_name) == 0));
        drop_table();
    }
    ck_assert(!parse_as("a,b\n1,2\n", &(struct csv_request){ .label = "c" }));
    expect_error(KILN_BAD_DATA, "there is no column 'c' to be the label");
    ck_assert(!parse_as("1,2\n", &(struct csv_request){ .label = "c" }));
    expect_error(KILN_BAD_DATA, "no header with names");
}
END_TEST

/* `rows` lines: a first field, numbers, a last one. */
static void write_rows(char *to, const char *header, int rows, int (*first)(int), const char *const *last, int lasts)
{
    to += sprintf(to, "%s", header);
    for (int i = 0; i < rows; i++)
        to += sprintf(to, "%d,%d,%s\n", first(i), i % 7, last[i % lasts]);
}

static int digit(int i)
{
    return i * 7 % 10;
}

static int number(int i)
{
    return i;
}

START_TEST(csv_label_that_may_be_the_first_is_asked_for)
{
    static const char *const zero[] = { "0" }, *const bytes[] = { "0", "0", "0", "253", "18" },
                             *const classes[] = { "0", "1", "2" }, *const parts[] = { "0.5", "0", "1" },
                             *const reals[] = { "12.5", "17.25", "300" };
    const struct {
        const char *header;
        int (*first)(int);
        const char *const *last;
        int lasts;
        const char *message; /* NULL: the last is taken */
    } rows[] = {
        { "", digit, zero, 1, "few whole numbers" },
        { "", digit, bytes, 5, "few whole numbers" },
        { "", digit, parts, 3, "few whole numbers" },
        { "", digit, classes, 3, NULL },
        { "", digit, reals, 3, NULL },
        { "", number, zero, 1, NULL },
        { "label,p0,p1\n", number, classes, 3,
          "the first column ('label') the label, or the last ('p1')? The first is called so" },
        { "a,b,Class\n", digit, zero, 1, NULL },
    };
    char text[4096];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_rows(text, rows[i].header, 100, rows[i].first, rows[i].last, rows[i].lasts);
        if (rows[i].message) {
            ck_assert(!parse(text));
            expect_error(KILN_BAD_DATA, rows[i].message);
            expect_ok(parse_as(text, &(struct csv_request){ .label = "last" }));
        } else {
            expect_ok(parse(text));
        }
        ck_assert_int_eq(table.label, 2);
        drop_table();
    }
    write_rows(text, "", 100, digit, zero, 1);
    expect_ok(parse_as(text, &(struct csv_request){ .values = true }));
    drop_table();
    ck_assert(!parse("cat,1,2\ndog,3,4\n"));
    expect_error(KILN_BAD_DATA, "The first holds text: say --label first, last, none or a name");
}
END_TEST

START_TEST(csv_texts_are_classes)
{
    static const char text[] = "5,1,rose\n6,2,\"a \"\"lily\"\"\"\n7,3,rose\n8,4,0-1\n";
    static const char *const sorted[] = { "0-1", "a \"lily\"", "rose" }, *const other[] = { "rose", "0-1", "a \"lily\"",
                                                                                            "x" };
    const int64_t want[] = { 2, 1, 2, 0 }, as[] = { 0, 2, 0, 1 };

    expect_ok(parse(text));
    ck_assert(!table.header && table.classes == 3 && table.y.dtype == I64);
    for (int k = 0; k < 4; k++)
        ck_assert(((int64_t *)table.y.data)[k] == want[k] && (k > 2 || strcmp(table.class_names[k], sorted[k]) == 0));
    drop_table();
    expect_ok(parse_as(text, &(struct csv_request){ .class_names = other, .classes = 4 }));
    ck_assert(table.classes == 4 && memcmp(table.y.data, as, sizeof as) == 0);
    drop_table();
    ck_assert(!parse_as(text, &(struct csv_request){ .class_names = other, .classes = 2 }));
    expect_error(KILN_BAD_DATA, "line 2: field 3 is 'a \"lily\"', which is none of the 2 classes known: 'rose', ...");
    ck_assert(!parse("1,a\n2,NA\n"));
    expect_error(KILN_BAD_DATA, "line 2: field 2 is 'NA', the name of a class is needed");
    ck_assert(!parse("v,kind\n1,a\n2,\n"));
    expect_error(KILN_BAD_DATA, "line 3: field 2 ('kind') is '', the name of a class is needed");
    drop_table();
}
END_TEST

START_TEST(csv_gaps_are_read_where_that_is_asked)
{
    const float *x;

    ck_assert(!parse("age,size,y\n1,2,3\n4,,6\n"));
    expect_error(KILN_BAD_DATA, "line 3: field 2 ('size') is empty, a number is needed");
    expect_ok(parse_as("1,2,3\n4,,6\nNA,?,nan\n", &(struct csv_request){ .gaps = true }));
    x = table.x.data;
    ck_assert(x[0] == 1 && x[2] == 4 && isnan(x[3]) && isnan(x[4]) && isnan(x[5]) &&
              isnan(((double *)table.y.data)[2]));
    drop_table();
}
END_TEST

static bool takes_columns(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    (void)c, (void)name;
    return type->dims[1] == 3 || fail(r, KILN_BAD_DATA, NULL, "not 3");
}

static bool takes_any(const struct type_check *c, const struct tensor *type, const char *name, struct report *r)
{
    (void)c, (void)name, (void)r;
    return type->rank == 2;
}

START_TEST(csv_texts_that_look_missing_are_classes)
{
    expect_ok(parse("1,+\n2,-\n3,+\n"));
    ck_assert(table.classes == 2 && !strcmp(table.class_names[0], "+"));
    drop_table();
    expect_ok(parse("1,None\n2,NaN\n3,rust\n"));
    ck_assert(table.classes == 3 && !strcmp(table.class_names[1], "None"));
    drop_table();
    ck_assert(!parse("1,rust\n2,?\n"));
    expect_error(KILN_BAD_DATA, "field 2 is '?', the name of a class is needed");
    drop_table();
}
END_TEST

START_TEST(csv_header_of_numbers)
{
    static const struct {
        const char *text;
        bool header;
    } rows[] = { { "0,1,2,3\n5,6,7,8\n", true },
                 { "0,1,2\n.5,6,7\n", true },
                 { "0,1,2\n5,6,7\n", false },
                 { "0,1,2,4\n.5,6,7,8\n", false } };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_ok(parse(rows[i].text));
        ck_assert_msg(table.header == rows[i].header, "%s", rows[i].text);
        drop_table();
    }
}
END_TEST

START_TEST(csv_separators)
{
    static const struct {
        const char *name, *text;
    } rows[] = { { "a.tsv", "a,b,c\td\n1\t2\n" }, { "a.csv", "a,b;c;d\n1;2;3\n" }, { "a.csv", "\"a;b;c\",d\n1,2\n" } };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_ok(parse_named(rows[i].name, rows[i].text, &(struct csv_request){ 0 }));
        ck_assert_int_eq(table.columns, i == 1 ? 3 : 2);
        drop_table();
    }
}
END_TEST

START_TEST(csv_without_a_label)
{
    const struct type_check three = { takes_columns }, any = { takes_any };

    expect_ok(parse_as("1,2,3\n4,5,6\n", &(struct csv_request){ .unlabelled = true, .input = &three }));
    ck_assert(table.label == -1 && table.x.dims[1] == 3 && !table.y.data);
    drop_table();
    expect_ok(parse_as("1,2,3,4\n4,5,6,7\n", &(struct csv_request){ .unlabelled = true, .input = &three }));
    ck_assert(table.label == 3 && table.x.dims[1] == 3);
    drop_table();
    ck_assert(!parse_as("id,a,b,c\n4,2,3,4\n9,5,6,7\n", &(struct csv_request){ .unlabelled = true, .input = &three }));
    expect_error(KILN_BAD_DATA, "is the first column ('id') an id, or the last ('c') the label?");
    ck_assert(!parse_as("4,2,3,4\n5,5,6,7\n6,1,1,1\n", &(struct csv_request){ .unlabelled = true, .input = &three }));
    expect_error(KILN_BAD_DATA, "is the first column an id");
    expect_ok(parse_as("id,a,b,y\n4,2,3,4\n9,5,6,7\n", &(struct csv_request){ .unlabelled = true, .input = &three }));
    drop_table();
    ck_assert(!parse_as("1,2,3\n4,5,6\n", &(struct csv_request){ .input = &three }));
    expect_error(KILN_BAD_DATA, "not 3");
    ck_assert(!parse_as("1,2,3\n4,5,6\n", &(struct csv_request){ .unlabelled = true, .input = &any }));
    expect_error(KILN_BAD_DATA, "takes any number of columns");
    expect_ok(parse_as("1\n2\n", &(struct csv_request){ .unlabelled = true, .label = "none" }));
    ck_assert_int_eq(table.x.dims[1], 1);
    drop_table();
}
END_TEST

START_TEST(csv_does_not_look_at_the_locale)
{
    numbers_have_commas();
    expect_ok(parse("1.5,1\n2.25,2\n"));
    ck_assert(((float *)table.x.data)[0] == 1.5f && ((float *)table.x.data)[1] == 2.25f);
    numbers_have_points();
    drop_table();
}
END_TEST

START_TEST(csv_refuses_what_is_wrong)
{
    static const struct {
        const char *text, *message;
    } wrong[] = {
        { "", "no data" },
        { " \n\n", "no data" },
        { "a,b\n", "a header, but no data" },
        { "1\n2\n", "1 column" },
        { "a,b\n1,2\n3\n", "line 3: 1 fields, the first line has 2" },
        { "1,2\n1,2,3\n", "line 2: 3 fields" },
        { "1,2\n\n1,2\n", "line 2: 1 fields" },
        { "a,b\n1,2\nx,2\n", "line 3: field 1 ('a') is 'x', a number is needed" },
        { "1,2\n,2\n", "line 2: field 1 is empty, a number is needed" },
        { "1,2\n1, \n", "line 2: field 2 is empty" },
        { "1,,3\n1,2,3\n", "line 1: field 2 is empty" }, /* what no person would take for a header */
        { "1,2,nan\n1,2,3\n", "line 1: field 3 is 'nan'" },
        { "-inf,2\n1,2\n", "line 1: field 1 is '-inf'" },
        { "1,Infinity\n1,2\n", "line 1: field 2 is 'Infinity'" },
        { "NaN,NA,3\n1,2,3\n", "line 1: field 1 is 'NaN'" },
        { "1,N/A\n1,2\n", "line 1: field 2 is 'N/A'" },
        { "1,\"null\"\n1,2\n", "line 1: field 2 is 'null'" },
        { "?,1\n1,2\n", "line 1: field 1 is '?'" },
        { ",\n1,2\n", "line 1: field 1 is empty" },
        { "1;5,2\n1,2\n", "line 1: field 1 is '1;5'" },
        { "0x10,2\n1,2\n", "line 1: field 1 is '0x10'" },
        { "1e99,2\n1,2\n", "line 1: field 1 is '1e99', more than a float" },
        { "1,2\n1;5,2\n", "'1;5'" },
        { "1,2\nnan,2\n", "'nan'" },
        { "1,2\n0x10,2\n", "'0x10'" },
        { "1,2\n1e,2\n", "'1e'" },
        { "1,2\n1e99,2\n", "more than a float" },
        { "1,2\n-,2\n", "'-'" },
        { "1,2\n.,2\n", "'.'" },
        { "1,2\n1,\"2\n", "does not end" },
        { "1,2\n1,\"2\"3\n", "follows a quoted" },
        { "a;b;c\n1,5;2,5;3\n", "field 1 ('a') is '1,5', a number with a point, not a comma, is needed" },
        { "a;b;c\n1;2,5,5;3\n", "field 2 ('b') is '2,5,5', a number is needed" },
        { "\x1f\x8b\b", "is compressed by gzip, must be text: `gunzip`" },
        { "PK\3\4", "is an archive or a spreadsheet" },
        { "\xff\xfe"
          "1",
          "is text in UTF-16, must be in UTF-8: `iconv" },
        { "\xfe\xff"
          "1",
          "is text in UTF-16" },
        { "PAR1", "is in Parquet's format" },
    };
    const size_t huge = 10 << 20;
    char *text = malloc(huge);

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(!parse(wrong[i].text), "'%s' was taken", wrong[i].text);
        expect_error(KILN_BAD_DATA, wrong[i].message);
    }
    memset(text, '1', huge);
    memcpy(text, "1,2\n3,", 6);
    put_file("huge.csv", text, huge);
    ck_assert(!load_huge());
    expect_error(KILN_BAD_DATA, "line 2: a field of 10485754 bytes");
    memset(text, ',', huge / 2); /* wide, then long: their product would be 10^13 fields */
    memset(text + huge / 2, '\n', huge / 2);
    text[huge - 1] = '1';
    put_file("huge.csv", text, huge);
    ck_assert(!load_huge());
    expect_error(KILN_BAD_DATA, "line 2: 1 fields");
    free(text);
    drop_table();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("data");

    add_test_between(s, enter_scratch, leave_scratch, npy_reads_every_type_in_both_byte_orders);
    add_test_between(s, enter_scratch, leave_scratch, npy_turns_fortran_order);
    add_test_between(s, enter_scratch, leave_scratch, npy_reads_what_is_allowed);
    add_test_between(s, enter_scratch, leave_scratch, npy_refuses_what_is_wrong);
    add_test_between(s, enter_scratch, leave_scratch, npy_truncated_or_flipped);
    add_test_between(s, enter_scratch, leave_scratch, npy_written_is_what_numpy_writes);
    add_test_between(s, enter_scratch, leave_scratch, npy_written_is_read_again);
    add_test_between(s, enter_scratch, leave_scratch, npz_stored_deflated_and_zip64);
    add_test_between(s, enter_scratch, leave_scratch, npz_truncated_or_flipped);
    add_test_between(s, enter_scratch, leave_scratch, npz_bombs_are_refused_before_they_go_off);
    add_test_between(s, enter_scratch, leave_scratch, npz_refuses_what_is_wrong);
    add_test_between(s, enter_scratch, leave_scratch, idx_plain_and_gzipped);
    add_test_between(s, enter_scratch, leave_scratch, idx_truncated_or_longer);
    add_test_between(s, enter_scratch, leave_scratch, idx_header_lies);
    add_test_between(s, enter_scratch, leave_scratch, cifar_both_sets_and_parts);
    add_test_between(s, enter_scratch, leave_scratch, cifar_refuses_what_is_wrong);
    add_test_between(s, enter_scratch, leave_scratch, csv_with_and_without_header);
    add_test_between(s, enter_scratch, leave_scratch, csv_does_not_look_at_the_locale);
    add_test_between(s, enter_scratch, leave_scratch, csv_refuses_what_is_wrong);
    add_test_between(s, enter_scratch, leave_scratch, csv_is_parted_by_what_the_first_line_has);
    add_test_between(s, enter_scratch, leave_scratch, csv_label_is_where_it_is_said);
    add_test_between(s, enter_scratch, leave_scratch, csv_label_that_may_be_the_first_is_asked_for);
    add_test_between(s, enter_scratch, leave_scratch, csv_texts_are_classes);
    add_test_between(s, enter_scratch, leave_scratch, csv_gaps_are_read_where_that_is_asked);
    add_test_between(s, enter_scratch, leave_scratch, csv_texts_that_look_missing_are_classes);
    add_test_between(s, enter_scratch, leave_scratch, csv_header_of_numbers);
    add_test_between(s, enter_scratch, leave_scratch, csv_separators);
    add_test_between(s, enter_scratch, leave_scratch, csv_without_a_label);
    return s;
}
