#include "data/npz.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Sizes of the fixed parts of ZIP's records, without their signatures' meaning: local, central, end, zip64's locator
 * and end. */
enum { LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR = 20, END64 = 56 };
enum { MAX_COMMENT = 65535, CHUNK = 65536 };
enum { STORED = 0, DEFLATED = 8 };
/* Deflate cannot do better: a match of 258 bytes costs two bits at least. */
enum { MAX_RATIO = 1032 };

struct member {
    const unsigned char *name; /* in the directory */
    size_t name_length;
    int method, flags;
    uint32_t crc;
    uint64_t packed, bytes, local;
};

struct npz {
    struct budget *budget;
    struct file_source file;
    char *path;
    unsigned char *directory;
    int64_t directory_at, directory_bytes;
    int64_t count;
};

/* -- little-endian numbers -- */

static uint32_t get16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* -- the directory -- */

static bool bad(const struct npz *z, const char *why, struct report *r)
{
    return fail(r, KILN_BAD_DATA, z->path, "not a sound ZIP archive: %s", why);
}

/* zip64: the end record proper is found through a locator right before the old one. */
static bool find_end64(struct npz *z, int64_t end, uint64_t *count, uint64_t *bytes, uint64_t *at, struct report *r)
{
    unsigned char locator[LOCATOR], e[END64];
    uint64_t where;

    if (end < LOCATOR || !file_source_read_at(&z->file, end - LOCATOR, locator, LOCATOR, r))
        return end >= LOCATOR ? false : bad(z, "its zip64 directory is missing", r);
    where = get64(locator + 8);
    if (get32(locator) != 0x07064b50 || end < LOCATOR + END64 || where > (uint64_t)(end - LOCATOR - END64))
        return bad(z, "its zip64 directory is missing", r);
    if (!file_source_read_at(&z->file, (int64_t)where, e, END64, r))
        return false;
    if (get32(e) != 0x06064b50 || get32(e + 16) || get32(e + 20) || get64(e + 24) != get64(e + 32))
        return bad(z, "its zip64 directory is damaged, or on several disks", r);
    *count = get64(e + 32);
    *bytes = get64(e + 40);
    *at = get64(e + 48);
    return true;
}

/* The end record is the last one whose comment reaches just to the end of the file. */
static int64_t find_end(struct npz *z, unsigned char *tail, struct report *r)
{
    const int64_t size = z->file.size, n = size < END + MAX_COMMENT ? size : END + MAX_COMMENT;

    if (n < END) {
        bad(z, "the file is too short", r);
        return -1;
    }
    if (!file_source_read_at(&z->file, size - n, tail, n, r))
        return -1;
    for (int64_t i = n - END; i >= 0; i--)
        if (get32(tail + i) == 0x06054b50 && get16(tail + i + 20) == n - i - END) {
            memmove(tail, tail + i, END);
            return size - n + i;
        }
    bad(z, "it has no directory at its end", r);
    return -1;
}

static bool read_directory(struct npz *z, unsigned char *tail, struct report *r)
{
    const int64_t end = find_end(z, tail, r);
    uint64_t count, bytes, at;

    if (end < 0)
        return false;
    if (get16(tail + 4) || get16(tail + 6) || get16(tail + 8) != get16(tail + 10))
        return bad(z, "it is on several disks", r);
    count = get16(tail + 10);
    bytes = get32(tail + 12);
    at = get32(tail + 16);
    if ((count == 0xffff || bytes == 0xffffffff || at == 0xffffffff) && !find_end64(z, end, &count, &bytes, &at, r))
        return false;
    if (at > (uint64_t)end || bytes > (uint64_t)end - at || count > bytes / CENTRAL)
        return bad(z, "its directory reaches past the end", r);
    z->directory_at = (int64_t)at;
    z->directory_bytes = (int64_t)bytes;
    z->count = (int64_t)count;
    z->directory = budget_alloc(z->budget, bytes, r);
    return z->directory && file_source_read_at(&z->file, z->directory_at, z->directory, z->directory_bytes, r);
}

/* What 32 bits cannot hold is in an extra field, in this order, only what is needed. */
static bool widen_sizes(struct member *m, const unsigned char *extra, size_t length)
{
    uint64_t *const wide[] = { &m->bytes, &m->packed, &m->local };

    while (length >= 4) {
        const uint32_t id = get16(extra), size = get16(extra + 2);
        const unsigned char *p = extra + 4, *end = p + size;

        if (size > length - 4)
            return false;
        for (int i = 0; i < 3 && id == 1; i++) {
            if (*wide[i] != 0xffffffff)
                continue;
            if (end - p < 8)
                return false;
            *wide[i] = get64(p);
            p += 8;
        }
        if (id == 1)
            return true;
        extra += 4 + size;
        length -= 4 + size;
    }
    return m->bytes != 0xffffffff && m->packed != 0xffffffff && m->local != 0xffffffff;
}

/* The member at byte *at of the directory; moves *at on. */
static bool next_member(const struct npz *z, int64_t *at, struct member *m)
{
    const unsigned char *p = z->directory + *at;
    int64_t length;

    if (z->directory_bytes - *at < CENTRAL || get32(p) != 0x02014b50)
        return false;
    length = CENTRAL + (int64_t)get16(p + 28) + get16(p + 30) + get16(p + 32);
    if (length > z->directory_bytes - *at)
        return false;
    *m = (struct member){
        .name = p + CENTRAL,
        .name_length = get16(p + 28),
        .flags = (int)get16(p + 8),
        .method = (int)get16(p + 10),
        .crc = get32(p + 16),
        .packed = get32(p + 20),
        .bytes = get32(p + 24),
        .local = get32(p + 42),
    };
    *at += length;
    return widen_sizes(m, p + CENTRAL + get16(p + 28), get16(p + 30));
}

static bool check_directory(struct npz *z, struct report *r)
{
    struct member m;
    int64_t at = 0;

    for (int64_t i = 0; i < z->count; i++)
        if (!next_member(z, &at, &m))
            return bad(z, "its directory is damaged", r);
    return at == z->directory_bytes || bad(z, "its directory is longer than its members", r);
}

static bool is_named(const struct member *m, const char *name)
{
    const size_t n = strlen(name);

    return m->name_length == n + 4 && memcmp(m->name, name, n) == 0 && memcmp(m->name + n, ".npy", 4) == 0;
}

/* How many members have the name; the last of them in *found. */
static int find(const struct npz *z, const char *name, struct member *found)
{
    struct member m;
    int64_t at = 0;
    int n = 0;

    for (int64_t i = 0; i < z->count && next_member(z, &at, &m); i++)
        if (is_named(&m, name)) {
            *found = m;
            n++;
        }
    return n;
}

bool npz_has(const struct npz *z, const char *name)
{
    struct member m;

    return find(z, name, &m) > 0;
}

void npz_names(const struct npz *z, char *text, size_t size)
{
    struct member m;
    int64_t at = 0;
    size_t n = 0;

    text[0] = 0;
    for (int64_t i = 0; i < z->count && n < size && next_member(z, &at, &m); i++) {
        const bool npy = m.name_length >= 4 && memcmp(m.name + m.name_length - 4, ".npy", 4) == 0;
        const int length = (int)(npy ? m.name_length - 4 : m.name_length);

        n += (size_t)snprintf(text + n, size - n, "%s%.*s", i ? ", " : "", length, (const char *)m.name);
    }
}

/* -- open -- */

bool npz_open_as(struct npz **out, const char *path, enum file_use use, struct budget *b, struct report *r)
{
    struct npz *z = budget_zalloc(b, 1, sizeof *z, r);
    unsigned char *tail;
    bool ok;

    *out = NULL;
    if (!z)
        return false;
    z->budget = b;
    z->file.fd = -1;
    z->path = budget_zalloc(b, strlen(path) + 1, 1, r);
    if (!z->path || !file_source_open_as(&z->file, memcpy(z->path, path, strlen(path)), use, r)) {
        budget_free(b, z->path);
        budget_free(b, z);
        return false;
    }
    tail = budget_alloc(b, END + MAX_COMMENT, r);
    ok = tail && read_directory(z, tail, r) && check_directory(z, r);
    budget_free(b, tail);
    if (ok)
        *out = z;
    else
        npz_close(z);
    return ok;
}

bool npz_open(struct npz **out, const char *path, struct budget *b, struct report *r)
{
    return npz_open_as(out, path, FILE_READ, b, r);
}

void npz_close(struct npz *z)
{
    if (!z)
        return;
    file_source_close(&z->file);
    budget_free(z->budget, z->directory);
    budget_free(z->budget, z->path);
    budget_free(z->budget, z);
}

/* -- a member as a source -- */

struct memory { /* zlib's, charged like all other */
    struct budget *budget;
    struct report *report;
};

struct member_source {
    struct source source;
    struct npz *npz;
    struct budget *budget; /* of the time that it is open */
    struct member of;
    char label[256];
    bool deflated, ended;
    int64_t at, packed; /* the next compressed byte, and how many follow */
    uLong crc;
    z_stream zlib;
    struct memory memory;
    unsigned char *chunk;
};

static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size)
{
    const struct memory *m = opaque;

    return budget_zalloc(m->budget, items, size, m->report);
}

static void zlib_free(voidpf opaque, voidpf p)
{
    const struct memory *m = opaque;

    budget_free(m->budget, p);
}

static bool fill_stored(struct member_source *m, unsigned char *to, size_t bytes, struct report *r)
{
    if ((int64_t)bytes > m->packed)
        return bad(m->npz, "a member ends too early", r);
    if (!file_source_read_at(&m->npz->file, m->at, to, (int64_t)bytes, r))
        return false;
    m->at += (int64_t)bytes;
    m->packed -= (int64_t)bytes;
    return true;
}

static bool refill(struct member_source *m, struct report *r)
{
    const int64_t n = m->packed < CHUNK ? m->packed : CHUNK;

    if (m->zlib.avail_in || !n)
        return true;
    if (!file_source_read_at(&m->npz->file, m->at, m->chunk, n, r))
        return false;
    m->zlib.next_in = m->chunk;
    m->zlib.avail_in = (uInt)n;
    m->at += n;
    m->packed -= n;
    return true;
}

/* Writes just `bytes`; with 0 it only looks whether the stream ends here. */
static bool fill_deflated(struct member_source *m, unsigned char *to, size_t bytes, struct report *r)
{
    unsigned char none;
    const bool look = bytes == 0;

    while (bytes || (look && !m->ended)) {
        const uInt room = bytes < CHUNK ? (uInt)bytes : CHUNK;
        int code;

        if (!refill(m, r) || !budget_in_time(m->budget, m->source.name, r))
            return false;
        m->zlib.next_out = look ? &none : to;
        m->zlib.avail_out = look ? 1 : room;
        code = m->ended ? Z_BUF_ERROR : inflate(&m->zlib, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR)
            return false; /* the allocator has said so */
        if ((code != Z_OK && code != Z_STREAM_END) || (look && !m->zlib.avail_out))
            return bad(m->npz, "a member's compressed data are damaged", r);
        m->ended = code == Z_STREAM_END;
        if (!look) {
            to += room - m->zlib.avail_out;
            bytes -= room - m->zlib.avail_out;
        }
    }
    return true;
}

static bool fill_member(struct source *s, void *to, size_t bytes, struct report *r)
{
    struct member_source *m = (struct member_source *)s;
    unsigned char *p = to;

    if (bytes && !(m->deflated ? fill_deflated : fill_stored)(m, p, bytes, r))
        return false;
    for (size_t n; bytes; bytes -= n, p += n) {
        n = bytes < CHUNK ? bytes : CHUNK;
        m->crc = crc32(m->crc, p, (uInt)n);
    }
    return true;
}

/* Everything that was promised, and nothing more, has been read. */
static bool end_member(struct member_source *m, const struct member *of, struct report *r)
{
    if (m->deflated && !fill_deflated(m, NULL, 0, r))
        return false;
    if (m->packed || m->zlib.avail_in || m->source.left)
        return bad(m->npz, "a member is longer than its array", r);
    return m->crc == of->crc || bad(m->npz, "a member's check sum is wrong", r);
}

/* Finds where a member's bytes begin; both of its headers must agree. */
static bool locate(struct npz *z, const struct member *of, int64_t *at, struct report *r)
{
    unsigned char local[LOCAL];
    int64_t begin;

    if (of->flags & 0x2041 || (of->method != STORED && of->method != DEFLATED))
        return fail(r, KILN_UNSUPPORTED, z->path,
                    "a member is encrypted or packed by method %d, must be 0 or 8 (deflate)", of->method);
    if (z->directory_at < LOCAL || of->local > (uint64_t)(z->directory_at - LOCAL))
        return bad(z, "a member lies past the end", r);
    if (!file_source_read_at(&z->file, (int64_t)of->local, local, LOCAL, r))
        return false;
    if (get32(local) != 0x04034b50 || (int)get16(local + 8) != of->method || get16(local + 26) != of->name_length)
        return bad(z, "a member and the directory disagree", r);
    begin = (int64_t)of->local + LOCAL + get16(local + 26) + get16(local + 28);
    if (begin > z->directory_at || of->packed > (uint64_t)(z->directory_at - begin))
        return bad(z, "a member lies past the end", r);
    if (of->method == STORED ? of->bytes != of->packed : of->bytes / MAX_RATIO > of->packed)
        return bad(z, "a member claims more bytes than it can hold", r);
    *at = begin;
    return true;
}

static void close_member(struct source *s)
{
    struct member_source *m = (struct member_source *)s;

    if (m->deflated && m->zlib.state)
        inflateEnd(&m->zlib);
    budget_free(m->budget, m->chunk);
    budget_free(m->budget, m);
}

static bool open_member(struct member_source *m, struct npz *z, const char *name, struct report *r)
{
    if (find(z, name, &m->of) != 1) {
        npz_names(z, m->label, sizeof m->label);
        return fail(r, KILN_BAD_DATA, z->path, "one array '%s' is needed, there are: %s", name, m->label);
    }
    if (!locate(z, &m->of, &m->at, r))
        return false;
    snprintf(m->label, sizeof m->label, "%s[%s]", z->path, name);
    m->source = (struct source){ m->label, (int64_t)m->of.bytes, fill_member };
    m->packed = (int64_t)m->of.packed;
    m->deflated = m->of.method == DEFLATED;
    m->crc = crc32(0, NULL, 0);
    m->zlib = (z_stream){ .zalloc = zlib_alloc, .zfree = zlib_free, .opaque = &m->memory };
    m->chunk = budget_alloc(m->budget, CHUNK, r);
    if (!m->chunk)
        return false;
    if (!m->deflated || inflateInit2(&m->zlib, -MAX_WBITS) == Z_OK)
        return true;
    return r && failed(r) ? false : fail_no_memory(r, CHUNK);
}

/* An array of an archive: a .npy file, and what must be right of the member. */
struct member_reader {
    struct array_reader array;
    struct array_reader *npy;
    struct member_source *member;
};

static bool read_elements(struct array_reader *a, void *to, int64_t elements, struct report *r)
{
    struct member_reader *g = (struct member_reader *)a;

    g->member->memory.report = r;
    return g->npy->read(g->npy, to, elements, r);
}

static bool end_array(struct array_reader *a, struct report *r)
{
    struct member_reader *g = (struct member_reader *)a;

    g->member->memory.report = r;
    return g->npy->end(g->npy, r) && end_member(g->member, &g->member->of, r);
}

static void close_array(struct array_reader *a)
{
    struct member_reader *g = (struct member_reader *)a;
    struct budget *b = g->member->budget;

    g->npy->close(g->npy);
    budget_free(b, g);
}

struct array_reader *npz_open_array(struct npz *z, const char *name, const struct type_check *check, struct budget *b,
                                    struct report *r)
{
    struct member_source *m = budget_zalloc(b, 1, sizeof *m, r);
    struct member_reader *g;

    if (!m)
        return NULL;
    m->npz = z;
    m->budget = b;
    m->memory = (struct memory){ b, r };
    g = budget_zalloc(b, 1, sizeof *g, r);
    if (!g || !open_member(m, z, name, r))
        close_member(&m->source);
    else if ((g->npy = npy_open(&m->source, close_member, check, b, r))) {
        g->member = m;
        g->array = (struct array_reader){ g->npy->type, g->npy->why, read_elements, end_array, close_array };
        return &g->array;
    }
    budget_free(b, g);
    return NULL;
}

bool npz_read(struct tensor *out, struct npz *z, const char *name, const struct type_check *check, struct report *r)
{
    return array_load(out, npz_open_array(z, name, check, z->budget, r), z->budget, r);
}
