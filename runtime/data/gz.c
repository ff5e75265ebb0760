#include "data/gz.h"
#include "data/source.h"
#include <errno.h>
#include <string.h>
#include <zlib.h>

enum { MAX_RATIO = 1032 }; /* of what deflate unpacks to what it reads */
enum { BUFFER = 65536, CHUNK = 1 << 24 };

bool gz_open(struct gz *g, const char *path, const struct budget *b, struct report *r)
{
    struct file_source f;
    gzFile file;

    if (!file_source_open(&f, path, r))
        return false;
    file = gzdopen(f.fd, "rb"); /* closes it, from here on */
    if (!file) {
        file_source_close(&f);
        return fail_no_memory(r, BUFFER);
    }
    *g = (struct gz){ .name = path, .file = file, .budget = b };
    gzbuffer(file, BUFFER);
    if (gzdirect(file) || !mul_size(f.size, MAX_RATIO, &g->most))
        g->most = f.size;
    return true;
}

/* After a call that gave less than nothing: whose fault it is. */
static bool failed_reading(const struct gz *g, struct report *r)
{
    const int error = errno;
    char system[ERROR_TEXT_BYTES];
    int code;
    const char *const text = gzerror(g->file, &code), *const message = strstr(text, ": "); /* behind a name: "<fd:3>" */

    if (code == Z_MEM_ERROR)
        return fail_no_memory(r, BUFFER);
    if (code == Z_ERRNO)
        return fail(r, KILN_IO, g->name, "cannot be read: %s", error_text(error, system));
    return fail(r, KILN_BAD_DATA, g->name, "cannot be unpacked: %s", message ? message + 2 : text);
}

bool gz_read(struct gz *g, void *to, int64_t bytes, struct report *r)
{
    for (char *p = to; bytes > 0;) {
        const int got = gzread(g->file, p, bytes < CHUNK ? (unsigned)bytes : CHUNK);

        if (got < 0)
            return failed_reading(g, r);
        if (!budget_in_time(g->budget, g->name, r))
            return false;
        if (got == 0)
            return fail(r, KILN_BAD_DATA, g->name, "the file ends too early, %lld more bytes are needed",
                        (long long)bytes);
        p += got;
        bytes -= got;
        g->most -= got;
    }
    return true;
}

bool gz_at_end(struct gz *g, bool *end, struct report *r)
{
    const int next = gzgetc((gzFile)g->file);
    int code;

    *end = next < 0;
    if (next >= 0)
        return gzungetc(next, g->file) >= 0 || failed_reading(g, r);
    gzerror(g->file, &code);
    return code == Z_OK || code == Z_STREAM_END || failed_reading(g, r);
}

void gz_close(struct gz *g)
{
    gzclose_r(g->file);
}

bool gz_end(struct gz *g, struct report *r)
{
    char more;
    const int got = gzread(g->file, &more, 1);
    bool ok = got >= 0 || failed_reading(g, r);

    if (gzclose_r(g->file) == Z_BUF_ERROR && ok) /* where only closing failed, all was read before */
        ok = fail(r, KILN_BAD_DATA, g->name, "the file ends too early");
    return ok && (got == 0 || fail(r, KILN_BAD_DATA, g->name, "the file is longer than its header says"));
}
