#include "data/source.h"
#include "model/file.h"
#include <string.h>
#include <unistd.h>

bool source_read(struct source *s, void *to, int64_t bytes, struct report *r)
{
    if (bytes < 0 || bytes > s->left)
        return fail(r, KILN_BAD_DATA, s->name, "the file ends too early: %lld bytes are needed, %lld are left",
                    (long long)bytes, (long long)s->left);
    if (!s->fill(s, to, (size_t)bytes, r))
        return false;
    s->left -= bytes;
    return true;
}

/* -- memory -- */

static bool fill_from_memory(struct source *s, void *to, size_t bytes, struct report *r)
{
    struct memory_source *m = (struct memory_source *)s;

    (void)r;
    if (bytes)
        memcpy(to, m->at, bytes);
    m->at += bytes;
    return true;
}

void memory_source(struct memory_source *m, const char *name, const void *bytes, size_t size)
{
    *m = (struct memory_source){ { name, (int64_t)size, fill_from_memory }, bytes };
}

/* -- file -- */

bool file_source_read_at(struct file_source *f, int64_t at, void *to, int64_t bytes, struct report *r)
{
    if (at < 0 || bytes < 0 || at > f->size || bytes > f->size - at)
        return fail(r, KILN_BAD_DATA, f->source.name, "%lld bytes at %lld reach past the end of the file, at %lld",
                    (long long)bytes, (long long)at, (long long)f->size);
    return file_read_at(f->fd, f->source.name, to, (size_t)bytes, at, r);
}

static bool fill_from_file(struct source *s, void *to, size_t bytes, struct report *r)
{
    struct file_source *f = (struct file_source *)s;

    if (!file_source_read_at(f, f->at, to, (int64_t)bytes, r))
        return false;
    f->at += (int64_t)bytes;
    return true;
}

bool file_source_open_as(struct file_source *f, const char *path, enum file_use use, struct report *r)
{
    size_t size;
    const int fd = file_open(path, use, 0, &size, r);

    if (fd < 0)
        return false;
    *f = (struct file_source){ { path, (int64_t)size, fill_from_file }, fd, 0, (int64_t)size };
    return true;
}

bool file_source_open(struct file_source *f, const char *path, struct report *r)
{
    return file_source_open_as(f, path, FILE_READ, r);
}

void file_source_close(struct file_source *f)
{
    close(f->fd);
}
