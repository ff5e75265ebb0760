#include "data/formats/arrays.h"
#include "data/idx.h"
#include "data/npz.h"

struct array_file {
    const char *name;
    struct tensor type;
};

struct array_files {
    struct row_source source;
    const struct array_kind *kind;
    const char *path;
    struct dataset *data;
    size_t count;
    struct array_file *file; /* [count] */
};

/* -- a pass -- */

struct pass {
    struct row_reader reader;
    const struct array_files *of;
    struct budget *budget;
    void *archive;
    int64_t at, rows;
    struct array_reader *array[]; /* [of->count] */
};

static void close_pass(struct row_reader *g)
{
    struct pass *p = (struct pass *)g;

    for (size_t k = 0; k < p->of->count; k++)
        if (p->array[k])
            p->array[k]->close(p->array[k]);
    if (p->archive)
        p->of->kind->close_archive(p->archive);
    budget_free(p->budget, p);
}

static bool next(struct row_reader *g, int64_t n, void *const *to, int64_t *got, struct report *r)
{
    struct pass *p = (struct pass *)g;

    *got = p->rows - p->at < n ? p->rows - p->at : n;
    for (size_t k = 0; k < p->of->count; k++) {
        struct array_reader *a = p->array[k];

        if (!(*got ? a->read(a, to[k], *got * dims_product(a->type.dims, 1, a->type.rank), r) : a->end(a, r)))
            return false;
    }
    p->at += *got;
    return true;
}

static bool open_arrays(struct pass *p, struct report *r)
{
    const struct array_files *f = p->of;

    if (f->path && !f->kind->open_archive(&p->archive, f->path, p->budget, r))
        return false;
    for (size_t k = 0; k < f->count; k++) {
        p->array[k] = f->kind->open(p->archive, f->file[k].name, NULL, p->budget, r);
        if (!p->array[k])
            return false;
        if (!same_type(&p->array[k]->type, &f->file[k].type))
            return fail(r, KILN_BAD_DATA, f->file[k].name, "the file has changed since it was looked at");
    }
    return true;
}

static struct row_reader *open_pass(const struct row_source *s, int64_t pass, struct budget *b, struct report *r)
{
    const struct array_files *f = (const struct array_files *)s;
    struct pass *p = budget_zalloc(b, 1, sizeof *p + f->count * sizeof(struct array_reader *), r);

    (void)pass;
    if (!p)
        return NULL;
    p->reader = (struct row_reader){ next, close_pass };
    p->of = f;
    p->budget = b;
    p->rows = f->count ? f->file->type.dims[0] : 0;
    if (open_arrays(p, r))
        return &p->reader;
    close_pass(&p->reader);
    return NULL;
}

/* -- before -- */

struct array_files *arrays_new(struct dataset *d, const struct array_kind *kind, const char *path, size_t most,
                               struct report *r)
{
    struct array_files *f = arena_alloc(&d->columns, sizeof *f, r);

    if (!f)
        return NULL;
    *f = (struct array_files){ { open_pass }, kind, NULL, d, 0, arena_array(&d->columns, most, sizeof *f->file, r) };
    f->path = path ? arena_printf(&d->columns, r, "%s", path) : NULL;
    d->source = &f->source;
    return f->file && (f->path || !path) ? f : NULL;
}

/* What goes into rows: their number is looked at later, and must be there. */
static bool look(struct array_files *f, struct array_reader *a, const char *name, const struct format_request *q,
                 struct report *r)
{
    f->file[f->count++] = (struct array_file){ name, a->type };
    if (a->type.rank < 1)
        return fail(r, KILN_BAD_DATA, name, "a scalar, samples have a dimension for their number");
    if (a->why && q->options->window)
        return fail(r, KILN_UNSUPPORTED, name, "its samples cannot be read one after the other: %s", a->why);
    return true;
}

bool arrays_add(struct array_files *f, struct column *c, const char *name, const struct type_check *check,
                const struct format_request *q, struct report *r)
{
    struct budget *b = f->data->budget;
    const char *kept = arena_printf(&f->data->columns, r, "%s", name);
    struct array_reader *a = NULL;
    void *archive = NULL;
    bool ok = kept && (!f->path || f->kind->open_archive(&archive, f->path, b, r));

    if (ok)
        a = f->kind->open(archive, kept, check, b, r);
    ok = a && look(f, a, kept, q, r);
    if (ok)
        c->values = a->type;
    if (a)
        a->close(a);
    if (archive)
        f->kind->close_archive(archive);
    return ok;
}

/* -- kinds -- */

static struct array_reader *open_idx(void *archive, const char *name, const struct type_check *check, struct budget *b,
                                     struct report *r)
{
    (void)archive;
    return idx_open(name, check, b, r);
}

static struct array_reader *open_npy(void *archive, const char *name, const struct type_check *check, struct budget *b,
                                     struct report *r)
{
    (void)archive;
    return npy_open_file(name, check, b, r);
}

static struct array_reader *open_npz(void *archive, const char *name, const struct type_check *check, struct budget *b,
                                     struct report *r)
{
    return npz_open_array(archive, name, check, b, r);
}

static bool open_archive(void **archive, const char *path, struct budget *b, struct report *r)
{
    struct npz *z;
    const bool ok = npz_open(&z, path, b, r);

    *archive = z;
    return ok;
}

static void close_archive(void *archive)
{
    npz_close(archive);
}

const struct array_kind array_idx = { open_idx, NULL, NULL };
const struct array_kind array_npy = { open_npy, NULL, NULL };
const struct array_kind array_npz = { open_npz, open_archive, close_archive };
