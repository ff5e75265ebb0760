#include "model/files.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { WRITES = FILE_WRITE | FILE_WRITE_MODEL | FILE_WRITE_LOG, KEY_TEXT = NAME_MAX + 40 };

struct known_file {
    unsigned uses;
    const char *read_as, *written_as;
};

void files_release(struct files *f)
{
    map_release(&f->known);
    arena_release(&f->arena);
    *f = (struct files){ 0 };
}

static void key_of(char key[KEY_TEXT], const struct stat *s, const char *name)
{
    snprintf(key, KEY_TEXT, "%llx:%llx%s%s", (unsigned long long)s->st_dev, (unsigned long long)s->st_ino,
             name ? "/" : "", name ? name : "");
}

/* What is known of a file, or of a name in a directory. NULL when memory ran out. */
static struct known_file *find(struct files *f, const struct stat *s, const char *name, struct report *r)
{
    char key[KEY_TEXT];
    struct known_file *made;
    const char *kept;
    void **slot;

    if (!f->known.budget) {
        f->arena.budget = &f->budget;
        map_init(&f->known, &f->budget);
    }
    key_of(key, s, name);
    if (map_has(&f->known, key))
        return map_get(&f->known, key);
    kept = arena_string(&f->arena, key, strlen(key), r);
    made = kept ? arena_alloc(&f->arena, sizeof *made, r) : NULL;
    slot = made ? map_put(&f->known, kept, r) : NULL;
    return slot ? *slot = made : NULL;
}

/* The path by which a file is known, for messages. */
static bool name(struct files *f, const char **known_as, const char *path, struct report *r)
{
    if (!*known_as)
        *known_as = arena_string(&f->arena, path, strlen(path), r);
    return *known_as;
}

static bool refuse_over_read(const char *written, const char *read, struct report *r)
{
    if (strcmp(written, read) == 0)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "'%s' is read, an output needs another file", written);
    return fail(r, KILN_BAD_ARGUMENT, NULL, "output '%s' is the same file as '%s', which is read: it needs another one",
                written, read);
}

static bool refuse_two(const char *one, const char *other, struct report *r)
{
    if (strcmp(one, other) == 0)
        return fail(r, KILN_BAD_ARGUMENT, NULL, "'%s' is given for two outputs, each needs a file of its own", one);
    return fail(r, KILN_BAD_ARGUMENT, NULL, "outputs '%s' and '%s' are the same file, each needs one of its own", other,
                one);
}

bool files_read(const struct stat *file, const char *path, enum file_use use, struct report *r)
{
    struct known_file *k;

    if (!r || !r->files)
        return true;
    k = find(r->files, file, NULL, r);
    if (!k)
        return false;
    if (k->uses & WRITES & (use == FILE_READ_MODEL ? ~(unsigned)FILE_WRITE_MODEL : UINT_MAX))
        return refuse_over_read(k->written_as, path, r);
    k->uses |= use;
    return name(r->files, &k->read_as, path, r);
}

static bool write_one(struct files *f, const struct stat *s, const char *in, const char *path, enum file_use use,
                      bool first, struct report *r)
{
    struct known_file *k = find(f, s, in, r);

    if (!k)
        return false;
    if (k->uses & FILE_READ || (k->uses & FILE_READ_MODEL && use != FILE_WRITE_MODEL))
        return refuse_over_read(path, k->read_as, r);
    if (k->uses & WRITES && (first || strcmp(k->written_as, path) != 0))
        return refuse_two(path, k->written_as, r);
    k->uses |= use;
    return name(f, &k->written_as, path, r);
}

static bool write_both(const struct file_target *t, enum file_use use, bool first, struct report *r)
{
    return !r || !r->files ||
           ((!t->exists || write_one(r->files, &t->file, NULL, t->path, use, first, r)) &&
            write_one(r->files, &t->directory, t->name, t->path, use, first, r));
}

bool files_claim(const struct file_target *t, enum file_use use, struct report *r)
{
    return write_both(t, use, true, r);
}

bool files_write(const struct file_target *t, enum file_use use, struct report *r)
{
    return write_both(t, use, false, r);
}

bool files_know(const struct stat *file, struct report *r)
{
    const struct known_file *k;
    char key[KEY_TEXT];

    if (!r || !r->files || !r->files->known.budget)
        return false;
    key_of(key, file, NULL);
    k = map_get(&r->files->known, key);
    return k && k->uses;
}

bool files_made(const struct stat *file, const char *path, enum file_use use, struct report *r)
{
    struct known_file *k;

    if (!r || !r->files)
        return true;
    k = find(r->files, file, NULL, r);
    if (!k)
        return false;
    if (!k->written_as || strcmp(k->written_as, path) != 0)
        k->written_as = NULL;
    k->read_as = NULL;
    k->uses = use;
    return name(r->files, &k->written_as, path, r);
}
