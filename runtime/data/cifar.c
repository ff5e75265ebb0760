#include "data/cifar.h"
#include "data/source.h"
#include "model/file.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIXELS = 3 * 32 * 32, MAX_FILES = 5, BLOCK = 256 };

struct layout {
    const char *folder; /* in the archive */
    const char *train[MAX_FILES];
    const char *test;
    int labels; /* bytes before the pixels, the fine label last */
    int coarse; /* classes of the label before it */
    const char *names;
};

static const struct layout cifar10 = {
    "cifar-10-batches-bin",
    { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin" },
    "test_batch.bin",
    1,
    0,
    "batches.meta.txt",
};
static const struct layout cifar100 = {
    "cifar-100-binary", { "train.bin" }, "test.bin", 2, 20, "fine_label_names.txt"
};

struct cifar {
    struct row_source source;
    const struct layout *layout;
    const char *directory;
    int classes;
    bool test;
    int64_t count;
};

/* A pass over them. */
struct records {
    struct row_reader reader;
    const struct layout *layout;
    struct budget *budget;
    int count, classes;
    int at; /* the file that is being read */
    struct file_source file[MAX_FILES];
    char path[MAX_FILES][PATH_MAX];
    unsigned char block[BLOCK * (PIXELS + 2)];
};

static bool open_one(struct file_source *f, char path[PATH_MAX], const struct layout *l, const char *directory,
                     const char *name, struct report *r)
{
    if (snprintf(path, PATH_MAX, "%s/%s/%s", directory, l->folder, name) < PATH_MAX && access(path, F_OK) == 0)
        return file_source_open(f, path, r);
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return fail(r, KILN_IO, NULL, "the name of the directory is longer than %d", PATH_MAX);
    return file_source_open(f, path, r);
}

static bool open_all(struct records *f, const char *directory, bool test, struct report *r)
{
    const char *const *names = test ? &f->layout->test : f->layout->train;

    for (int i = 0; i < (test ? 1 : MAX_FILES) && names[i]; i++) {
        if (!open_one(&f->file[i], f->path[i], f->layout, directory, names[i], r))
            return false;
        f->count++;
    }
    return true;
}

static bool count_records(const struct records *f, int64_t *n, struct report *r)
{
    const int64_t record = f->layout->labels + PIXELS;

    *n = 0;
    for (int i = 0; i < f->count; i++) {
        const int64_t size = f->file[i].size;

        if (size == 0 || size % record)
            return fail(r, KILN_BAD_DATA, f->path[i], "%lld bytes, must be a multiple of %lld, one record",
                        (long long)size, (long long)record);
        *n += size / record;
    }
    return true;
}

static bool take_record(const struct records *f, const unsigned char *record, char *pixels, int64_t *label,
                        struct report *r)
{
    const int fine = record[f->layout->labels - 1], coarse = f->layout->coarse ? record[0] : 0;

    if (fine >= f->classes || (f->layout->coarse && coarse >= f->layout->coarse))
        return fail(r, KILN_BAD_DATA, f->path[f->at], "label %d of %d classes, coarse label %d of %d", fine, f->classes,
                    coarse, f->layout->coarse);
    *label = fine;
    memcpy(pixels, record + f->layout->labels, PIXELS);
    return true;
}

static bool next(struct row_reader *g, int64_t n, void *const *to, int64_t *got, struct report *r)
{
    struct records *f = (struct records *)g;
    const int64_t record = f->layout->labels + PIXELS;
    int64_t left;

    *got = 0;
    while (f->at < f->count && !f->file[f->at].source.left)
        f->at++;
    if (f->at == f->count)
        return true;
    left = f->file[f->at].source.left / record;
    n = n < BLOCK ? n : BLOCK;
    n = n < left ? n : left;
    if (!source_read(&f->file[f->at].source, f->block, n * record, r) || !budget_in_time(f->budget, f->path[f->at], r))
        return false;
    for (; *got < n; ++*got)
        if (!take_record(f, f->block + *got * record, (char *)to[0] + *got * PIXELS, (int64_t *)to[1] + *got, r))
            return false;
    return true;
}

static void close_records(struct row_reader *g)
{
    struct records *f = (struct records *)g;

    for (int i = 0; i < f->count; i++)
        file_source_close(&f->file[i]);
    budget_free(f->budget, f);
}

static struct records *open_records(const struct cifar *c, int64_t *count, struct budget *b, struct report *r)
{
    struct records *f = budget_zalloc(b, 1, sizeof *f, r);

    if (!f)
        return NULL;
    f->reader = (struct row_reader){ next, close_records };
    f->layout = c->layout;
    f->classes = c->classes;
    f->budget = b;
    if (open_all(f, c->directory, c->test, r) && count_records(f, count, r))
        return f;
    close_records(&f->reader);
    return NULL;
}

static struct row_reader *open_pass(const struct row_source *s, int64_t pass, struct budget *b, struct report *r)
{
    const struct cifar *c = (const struct cifar *)s;
    struct records *f;
    int64_t count;

    (void)pass;
    f = open_records(c, &count, b, r);
    if (!f)
        return NULL;
    if (count == c->count)
        return &f->reader;
    close_records(&f->reader);
    fail(r, KILN_BAD_DATA, c->directory, "the files have changed since they were looked at");
    return NULL;
}

struct row_source *cifar_source(struct tensor *x, struct tensor *y, const char *directory, int classes, bool test,
                                struct arena *a, struct report *r)
{
    struct cifar *c = arena_alloc(a, sizeof *c, r);
    struct records *f;

    if (!c)
        return NULL;
    *c = (struct cifar){ { open_pass }, classes == 10 ? &cifar10 : &cifar100, NULL, classes, test, 0 };
    c->directory = arena_printf(a, r, "%s", directory);
    f = c->directory ? open_records(c, &c->count, a->budget, r) : NULL;
    if (!f)
        return NULL;
    close_records(&f->reader);
    if (tensor_shape(x, U8, 4, (const int64_t[]){ c->count, 3, 32, 32 }) && tensor_shape(y, I64, 1, &c->count))
        return &c->source;
    fail(r, KILN_LIMIT, directory, "%lld images are more than can be addressed", (long long)c->count);
    return NULL;
}

/* A name in each line; blank ones are none. */
static bool take_names(const char **to, int classes, const char *path, const char *text, size_t size, struct arena *a,
                       struct report *r)
{
    int n = 0;

    for (const char *at = text, *end = text + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);

        if (length && at[length - 1] == '\r')
            length--;
        if (length && n < classes && !(to[n] = arena_string(a, at, length, r)))
            return false;
        n += length > 0;
        at = newline ? newline + 1 : end;
    }
    return n == classes || fail(r, KILN_BAD_DATA, path, "%d names of classes, there are %d classes", n, classes);
}

bool cifar_names(const char *const **names, const char *directory, int classes, struct arena *a, struct report *r)
{
    const struct layout *l = classes == 10 ? &cifar10 : &cifar100;
    const char **made = arena_array(a, (size_t)classes, sizeof *made, r);
    char path[PATH_MAX];
    uint8_t *text;
    size_t size;
    bool ok;

    *names = NULL;
    if ((snprintf(path, sizeof path, "%s/%s/%s", directory, l->folder, l->names) >= PATH_MAX ||
         access(path, F_OK) != 0) &&
        (snprintf(path, sizeof path, "%s/%s", directory, l->names) >= PATH_MAX || access(path, F_OK) != 0))
        return made;
    if (!made || !file_read(path, 1 << 16, &text, &size, a->budget, r))
        return false;
    ok = take_names(made, classes, path, (const char *)text, size, a, r);
    budget_free(a->budget, text);
    *names = ok ? made : NULL;
    return ok;
}
