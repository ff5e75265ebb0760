#include "data/idx.h"
#include "data/element.h"
#include "data/source.h"
#include <errno.h>
#include <string.h>
#include <zlib.h>

enum { MAX_RATIO = 1032 }; /* of what deflate unpacks to what it reads */
enum { BUFFER = 65536, CHUNK = 1 << 24 };

struct gz {
    const char *name;
    gzFile file;
    int64_t most; /* bytes that it can hold, the header included */
    const struct budget *budget;
};

static bool gz_open(struct gz *g, const char *path, struct report *r)
{
    struct file_source f;

    if (!file_source_open(&f, path, r))
        return false;
    g->name = path;
    g->file = gzdopen(f.fd, "rb"); /* closes it, from here on */
    if (!g->file) {
        file_source_close(&f);
        return fail_no_memory(r, BUFFER);
    }
    gzbuffer(g->file, BUFFER);
    if (gzdirect(g->file) || !mul_size(f.size, MAX_RATIO, &g->most))
        g->most = f.size;
    return true;
}

/* After a gzread that gave less than nothing: whose fault it is. */
static bool gz_failed(const struct gz *g, struct report *r)
{
    const int error = errno;
    char system[ERROR_TEXT_BYTES];
    int code;
    const char *const text = gzerror(g->file, &code);

    if (code == Z_MEM_ERROR)
        return fail_no_memory(r, BUFFER);
    if (code == Z_ERRNO)
        return fail(r, KILN_IO, g->name, "cannot be read: %s", error_text(error, system));
    return fail(r, KILN_BAD_DATA, g->name, "cannot be unpacked: %s", text);
}

static bool gz_read(struct gz *g, void *to, int64_t bytes, struct report *r)
{
    for (char *p = to; bytes > 0;) {
        const int got = gzread(g->file, p, bytes < CHUNK ? (unsigned)bytes : CHUNK);

        if (got < 0)
            return gz_failed(g, r);
        if (!budget_in_time(g->budget, g->name, r))
            return false;
        if (got == 0)
            return fail(r, KILN_BAD_DATA, g->name, "the file ends too early, %lld more bytes are needed",
                        (long long)bytes);
        p += got;
        bytes -= got;
    }
    return true;
}

/* The last call: there must be nothing more, and the check sum at the end of a gzip file must be right. */
static bool gz_end(struct gz *g, struct report *r)
{
    char more;
    const int got = gzread(g->file, &more, 1);
    bool ok = got >= 0 || gz_failed(g, r);

    if (gzclose_r(g->file) == Z_BUF_ERROR && ok) /* where only closing failed, all was read before */
        ok = fail(r, KILN_BAD_DATA, g->name, "the file ends too early");
    return ok && (got == 0 || fail(r, KILN_BAD_DATA, g->name, "the file is longer than its header says"));
}

static bool read_header(struct gz *g, struct tensor *out, struct report *r)
{
    static const enum dtype types[] = {
        [0x08] = U8, [0x09] = I8, [0x0B] = I16, [0x0C] = I32, [0x0D] = F32, [0x0E] = F64
    };
    unsigned char magic[4], dim[4];
    int64_t dims[MAX_RANK];
    enum dtype type;

    if (!gz_read(g, magic, sizeof magic, r))
        return false;
    type = magic[2] < sizeof types / sizeof *types ? types[magic[2]] : UNDEFINED;
    if (magic[0] || magic[1] || type == UNDEFINED || magic[3] < 1 || magic[3] > MAX_RANK)
        return fail(r, KILN_BAD_DATA, g->name, "not an IDX file: it starts with %02x %02x %02x %02x", magic[0],
                    magic[1], magic[2], magic[3]);
    for (int d = 0; d < magic[3]; d++) {
        if (!gz_read(g, dim, sizeof dim, r))
            return false;
        dims[d] = (int64_t)((uint32_t)dim[0] << 24 | (uint32_t)dim[1] << 16 | (uint32_t)dim[2] << 8 | dim[3]);
    }
    if (!tensor_shape(out, type, magic[3], dims) || tensor_bytes(out) > g->most - 4 - 4 * magic[3]) {
        char text[TYPE_TEXT];

        *out = (struct tensor){ .dtype = type, .rank = magic[3] };
        for (int d = 0; d < out->rank; d++)
            out->dims[d] = dims[d];
        return fail(r, KILN_BAD_DATA, g->name, "the header promises %s, the file holds at most %lld bytes",
                    tensor_text(out, text), (long long)g->most);
    }
    return true;
}

bool idx_load(struct tensor *out, const char *path, const struct type_check *check, struct budget *b, struct report *r)
{
    struct gz g = { .budget = b };
    bool ok;

    *out = (struct tensor){ 0 };
    if (!gz_open(&g, path, r))
        return false;
    ok = read_header(&g, out, r) && type_fits(check, out, path, r) &&
         (out->data = budget_alloc(b, (size_t)tensor_bytes(out), r)) && gz_read(&g, out->data, tensor_bytes(out), r);
    if (ok)
        ok = gz_end(&g, r);
    else
        gzclose_r(g.file);
    if (ok && !big_endian)
        swap_bytes(out->data, tensor_count(out), out->dtype);
    if (!ok) {
        budget_free(b, out->data);
        *out = (struct tensor){ 0 };
    }
    return ok;
}
