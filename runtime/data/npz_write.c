#include "data/npz_write.h"
#include "data/element.h"
#include "data/npy.h"
#include <string.h>
#include <zlib.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR = 20, END64 = 56, EXTRA = 4 }; /* sizes of ZIP's records */
enum { VERSION = 45, UTF8 = 0x800, JANUARY_1980 = 0x21 };
enum { CHUNK = 1 << 16 };

static unsigned char *put16(unsigned char *p, uint64_t v)
{
    *p++ = (unsigned char)v;
    *p++ = (unsigned char)(v >> 8);
    return p;
}

static unsigned char *put32(unsigned char *p, uint64_t v)
{
    return put16(put16(p, v), v >> 16);
}

static unsigned char *put64(unsigned char *p, uint64_t v)
{
    return put32(put32(p, v), v >> 32);
}

void npz_begin(struct npz_writer *w, struct file_sink *to, struct budget *b, struct report *r)
{
    *w = (struct npz_writer){ .to = to, .report = r, .directory = { .budget = b, .report = r } };
}

static bool put(struct npz_writer *w, const void *bytes, size_t size)
{
    w->at += size;
    return file_put(w->to, bytes, size);
}

/* The elements as they are in the file, piece by piece: to the sink, or, where that is not asked for, for the sum alone. */
static bool go_through(struct npz_writer *w, const struct tensor *t, bool write, uLong *crc)
{
    const size_t each = (size_t)element_bytes(t->dtype), step = CHUNK / each * each;
    const char *at = t->data;
    char swapped[CHUNK];
    bool ok = true;

    for (size_t left = (size_t)tensor_bytes(t), n; ok && left; left -= n, at += n) {
        const char *bytes = at;

        n = left < step ? left : step;
        if (big_endian) {
            memcpy(swapped, at, n);
            swap_bytes(swapped, (int64_t)(n / each), t->dtype);
            bytes = swapped;
        }
        if (write)
            ok = put(w, bytes, n);
        else
            *crc = crc32(*crc, (const unsigned char *)bytes, (uInt)n);
    }
    return ok;
}

/* What the local header and the directory say alike. */
static unsigned char *put_facts(unsigned char *p, uLong crc, size_t name_length, size_t extra)
{
    p = put16(p, VERSION);
    p = put16(p, UTF8);
    p = put16(p, 0); /* stored */
    p = put16(p, 0); /* a time that is always the same: equal states make equal files */
    p = put16(p, JANUARY_1980);
    p = put32(p, crc);
    p = put32(p, UINT32_MAX); /* the sizes stand in the extra field */
    p = put32(p, UINT32_MAX);
    p = put16(p, name_length);
    return put16(p, extra);
}

static bool add_to_directory(struct npz_writer *w, const char *name, size_t n, uLong crc, uint64_t bytes)
{
    enum { SIZES = 24 };
    unsigned char record[CENTRAL + EXTRA + SIZES], *p = record;

    p = put16(put32(p, 0x02014b50), VERSION);
    p = put_facts(p, crc, n + strlen(".npy"), EXTRA + SIZES);
    p = put16(p, 0); /* comment, */
    p = put16(p, 0); /* disk, */
    p = put16(p, 0); /* attributes */
    p = put32(p, 0);
    p = put32(p, UINT32_MAX); /* where it begins */
    text_add(&w->directory, (const char *)record, CENTRAL);
    text_add(&w->directory, name, n);
    text_add(&w->directory, ".npy", strlen(".npy"));
    p = put16(put16(record, 1), SIZES);
    p = put64(put64(put64(p, bytes), bytes), w->at);
    text_add(&w->directory, (const char *)record, (size_t)(p - record));
    w->count++;
    return !w->directory.failed;
}

static bool put_member(struct npz_writer *w, const char *name, const struct tensor *t, const struct text *header)
{
    enum { SIZES = 16 };
    const size_t n = strlen(name);
    const uint64_t bytes = header->length + (uint64_t)tensor_bytes(t);
    unsigned char record[LOCAL + EXTRA + SIZES], *p;
    uLong crc = crc32(0, (const unsigned char *)header->data, (uInt)header->length);

    if (n + strlen(".npy") > UINT16_MAX)
        return fail(w->report, KILN_UNSUPPORTED, NULL, "the name '%.60s...' has %zu bytes, an archive holds %d", name,
                    n, UINT16_MAX);
    go_through(w, t, false, &crc);
    p = put_facts(put32(record, 0x04034b50), crc, n + strlen(".npy"), EXTRA + SIZES);
    if (!add_to_directory(w, name, n, crc, bytes) || !put(w, record, LOCAL) || !put(w, name, n) ||
        !put(w, ".npy", strlen(".npy")))
        return false;
    p = put64(put64(put16(put16(record, 1), SIZES), bytes), bytes);
    return put(w, record, (size_t)(p - record)) && put(w, header->data, header->length) && go_through(w, t, true, NULL);
}

bool npz_put(struct npz_writer *w, const char *name, const struct tensor *t)
{
    struct text header = { .budget = w->directory.budget, .report = w->report };
    const bool ok = npy_header(t, name, &header, w->report) && put_member(w, name, t, &header);

    text_release(&header);
    return ok;
}

/* zip64's end, its locator, and the old end, which says only that they are there. */
static bool put_end(struct npz_writer *w)
{
    const uint64_t from = w->at, end = from + w->directory.length;
    unsigned char record[END64 + LOCATOR + END], *p = record;

    if (!put(w, w->directory.data, w->directory.length))
        return false;
    p = put64(put32(p, 0x06064b50), END64 - 12);
    p = put16(put16(p, VERSION), VERSION);
    p = put32(put32(p, 0), 0);
    p = put64(put64(p, w->count), w->count);
    p = put64(put64(p, w->directory.length), from);
    p = put32(put32(p, 0x07064b50), 0);
    p = put32(put64(p, end), 1);
    p = put32(put32(p, 0x06054b50), 0);
    p = put16(put16(p, UINT16_MAX), UINT16_MAX);
    p = put32(put32(p, UINT32_MAX), UINT32_MAX);
    p = put16(p, 0);
    return put(w, record, (size_t)(p - record));
}

bool npz_end(struct npz_writer *w, bool ok)
{
    ok = ok && put_end(w);
    text_release(&w->directory);
    return ok;
}
