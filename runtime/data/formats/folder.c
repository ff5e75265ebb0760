#include "data/formats/pictures.h"
#include "model/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names in a folder, sorted by their bytes. */
struct names {
    const char **at;
    size_t count, room;
};

struct picture {
    const char *name; /* "CLASS/FILE", or FILE */
    int64_t label;
    double place; /* where among all its class has it */
};

/* A folder, while it is read. */
struct reading {
    struct dataset *data;
    const struct format_request *request;
    struct report *report;
    struct arena arena; /* for the time of reading */
    char directory[SPEC_SIZE];
    struct picture *pictures;
    size_t count, room, others;
};

/* -- names -- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool add_name(struct reading *g, struct names *n, const char *name)
{
    if (!budget_grow(g->data->budget, &n->at, &n->room, n->count + 1, sizeof *n->at, g->report))
        return false;
    n->at[n->count] = arena_printf(&g->arena, g->report, "%s", name);
    return n->at[n->count++];
}

static bool is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* What is in a folder below the directory ("" is itself), but for what is hidden: folders, and files. */
static bool list(struct reading *g, const char *below, struct names *folders, struct names *files)
{
    const char *path = arena_printf(&g->arena, g->report, "%s%s%s", g->directory, *below ? "/" : "", below), *name;
    DIR *d = path ? opendir(path) : NULL;
    struct dirent *e;
    bool ok = d;

    if (!d)
        return path && fail(g->report, errno == ENOMEM ? KILN_NO_MEMORY : KILN_IO, path, "cannot be opened: %s",
                            error_text(errno, (char[ERROR_TEXT_BYTES]){ 0 }));
    while (ok && (errno = 0, e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        name = arena_printf(&g->arena, g->report, "%s/%s", path, e->d_name);
        ok = name && budget_in_time(g->data->budget, path, g->report) &&
             add_name(g, is_folder(name) ? folders : files, e->d_name);
    }
    if (ok && errno)
        ok = fail(g->report, KILN_IO, path, "cannot be read: %s", error_text(errno, (char[ERROR_TEXT_BYTES]){ 0 }));
    closedir(d);
    if (folders->count)
        qsort(folders->at, folders->count, sizeof *folders->at, by_bytes);
    if (files->count)
        qsort(files->at, files->count, sizeof *files->at, by_bytes);
    return ok;
}

static void forget(struct reading *g, struct names *n)
{
    budget_free(g->data->budget, n->at);
    *n = (struct names){ 0 };
}

/* -- which pictures -- */

static bool add_pictures(struct reading *g, const char *folder, const struct names *files, int64_t label)
{
    for (size_t k = 0; k < files->count; k++) {
        if (!image_is_named(files->at[k])) {
            g->others++;
            continue;
        }
        if (!budget_grow(g->data->budget, &g->pictures, &g->room, g->count + 1, sizeof *g->pictures, g->report))
            return false;
        g->pictures[g->count] = (struct picture){ .label = label };
        g->pictures[g->count].name =
            arena_printf(&g->data->columns, g->report, "%s%s%s", folder, *folder ? "/" : "", files->at[k]);
        if (!g->pictures[g->count++].name)
            return false;
    }
    return true;
}

/* Folders in a folder are walked through later; links to folders are not, as they may lead back. */
static bool add_below(struct reading *g, struct names *later, const char *folder, const struct names *inner)
{
    for (size_t k = 0; k < inner->count; k++) {
        const char *below = arena_printf(&g->arena, g->report, "%s/%s", folder, inner->at[k]);
        const char *path = below ? arena_printf(&g->arena, g->report, "%s/%s", g->directory, below) : NULL;
        struct stat about;

        if (!path)
            return false;
        if (lstat(path, &about) != 0 || S_ISLNK(about.st_mode))
            g->others++;
        else if (!add_name(g, later, below))
            return false;
    }
    return true;
}

/* A class has all pictures below its folder, as in Keras' image_dataset_from_directory. */
static bool add_class(struct reading *g, const char *folder, int64_t label)
{
    const size_t before = g->count;
    struct names folders = { 0 };
    bool ok = add_name(g, &folders, folder);

    for (size_t k = 0; ok && k < folders.count; k++) {
        struct names inner = { 0 }, files = { 0 };

        ok = list(g, folders.at[k], &inner, &files) && add_pictures(g, folders.at[k], &files, label) &&
             add_below(g, &folders, folders.at[k], &inner);
        forget(g, &inner);
        forget(g, &files);
    }
    for (size_t k = before; k < g->count; k++)
        g->pictures[k].place = ((double)(k - before) + .5) / (double)(g->count - before);
    forget(g, &folders);
    return ok;
}

static int by_place(const void *a, const void *b)
{
    const struct picture *p = a, *q = b;

    if (p->place != q->place)
        return p->place < q->place ? -1 : 1;
    return (p->label > q->label) - (p->label < q->label);
}

/* The number that a folder's name has among classes that are known; -1 with an error. */
static int64_t known_class(const struct reading *g, const struct column_request *q, const char *name)
{
    for (int k = 0; k < q->classes; k++)
        if (strcmp(q->class_names[k], name) == 0)
            return k;
    fail(g->report, KILN_BAD_DATA, g->directory, "folder '%s' is none of the %d classes known: '%s', ...", name,
         q->classes, *q->class_names);
    return -1;
}

static bool add_classes(struct reading *g, const struct names *folders)
{
    static const struct column_request none;
    const struct data_options *o = g->request->options;
    const struct column_request *q = o->targets ? &o->target[o->unnamed] : &none;
    struct column *y = g->data->y;
    const char **names = arena_array(&g->data->columns, folders->count, sizeof *names, g->report);
    bool ok = names;

    for (size_t k = 0; ok && k < folders->count; k++) {
        const int64_t label = q->class_names ? known_class(g, q, folders->at[k]) : (int64_t)k;

        names[k] = arena_printf(&g->data->columns, g->report, "%s", folders->at[k]);
        ok = label >= 0 && names[k] && add_class(g, folders->at[k], label);
    }
    if (!ok || q->class_names)
        return ok;
    return format_take_names(y, names, (int)folders->count, q, g->directory, g->report);
}

/* DIR/train and DIR/test are parts. */
static bool find_part(struct reading *g, const struct names *folders)
{
    const char *const part = g->request->part == PART_TEST ? "test" : "train";
    bool train = false, wanted = false;
    size_t n = strlen(g->directory);

    for (size_t k = 0; k < folders->count; k++) {
        train = train || strcmp(folders->at[k], "train") == 0;
        wanted = wanted || strcmp(folders->at[k], part) == 0;
    }
    if (!train)
        return format_no_parts(g->request, g->report);
    if (!wanted)
        return fail(g->report, KILN_IO, g->directory, "has no folder '%s'", part);
    if (n + 8 > sizeof g->directory)
        return fail(g->report, KILN_BAD_ARGUMENT, NULL, "the name of the folder is longer than %d", PATH_MAX);
    g->directory[n++] = '/';
    strcpy(g->directory + n, part);
    return true;
}

static bool find_pictures(struct reading *g)
{
    struct names folders = { 0 }, files = { 0 };
    const size_t before = strlen(g->directory);
    bool ok = list(g, "", &folders, &files) && find_part(g, &folders);

    if (ok && strlen(g->directory) != before) {
        forget(g, &folders);
        forget(g, &files);
        ok = list(g, "", &folders, &files);
    }
    if (ok && folders.count) {
        ok = add_classes(g, &folders);
        g->others += files.count;
    } else if (ok) {
        ok = g->request->options->unlabelled ||
             fail(g->report, KILN_BAD_DATA, g->directory, "there are no folders in it, one is needed for each class");
        ok = ok && add_pictures(g, "", &files, -1);
    }
    forget(g, &folders);
    forget(g, &files);
    if (!ok)
        return false;
    if (!g->count)
        return fail(g->report, KILN_BAD_DATA, g->directory, "there are no pictures in it: .png, .jpg or .jpeg");
    if (g->others)
        warn(g->report, g->directory, "%zu files or folders that are no pictures are left out", g->others);
    /* A stretch of them has classes in the proportion of all: a part that validates is no part of the classes. */
    if (g->pictures->label >= 0)
        qsort(g->pictures, g->count, sizeof *g->pictures, by_place);
    return true;
}

/* -- reading -- */

/* What is kept of a folder. */
struct folder {
    struct row_source source;
    struct pictures pictures;
    const char *directory;
    const char *const *names; /* [pictures.count] */
    const int64_t *labels;    /* likewise; NULL: there are none */
};

struct pass {
    struct row_reader reader;
    const struct folder *of;
    struct budget *budget;
    int64_t at;
};

/* Calls pictures_look, or pictures_read where it is given a place. */
static bool with_picture(const struct folder *f, struct pictures *look, int64_t at, void *to, struct budget *b,
                         struct report *r)
{
    char path[2 * SPEC_SIZE];
    struct image_file file = { .name = path, .budget = b };
    uint8_t *bytes;
    bool ok;

    if (snprintf(path, sizeof path, "%s/%s", f->directory, f->names[at]) >= (int)sizeof path)
        return fail(r, KILN_BAD_ARGUMENT, f->directory, "the name of a picture is longer than %zu", sizeof path);
    if (!file_read(path, 0, &bytes, &file.size, b, r))
        return false;
    file.bytes = bytes;
    ok = to ? pictures_read(&f->pictures, &file, to, r) : pictures_look(look, &file, r);
    budget_free(b, bytes);
    return ok;
}

static bool next(struct row_reader *g, int64_t n, void *const *to, int64_t *got, struct report *r)
{
    struct pass *p = (struct pass *)g;
    const struct folder *f = p->of;
    const int64_t bytes = row_bytes(&f->pictures.type);

    for (*got = 0; *got < n && p->at < f->pictures.count; ++*got, p->at++) {
        if (!budget_in_time(p->budget, f->directory, r) ||
            !with_picture(f, NULL, p->at, (char *)to[0] + *got * bytes, p->budget, r))
            return false;
        if (f->labels)
            ((int64_t *)to[1])[*got] = f->labels[p->at];
    }
    return true;
}

static void close_pass(struct row_reader *g)
{
    struct pass *p = (struct pass *)g;

    budget_free(p->budget, p);
}

static struct row_reader *open_pass(const struct row_source *s, int64_t pass, struct budget *b, struct report *r)
{
    struct pass *p = budget_zalloc(b, 1, sizeof *p, r);

    (void)pass;
    if (!p)
        return NULL;
    *p = (struct pass){ { next, close_pass }, (const struct folder *)s, b, 0 };
    return &p->reader;
}

static bool look_at_all(const struct reading *g, struct folder *f)
{
    for (int64_t k = 0; k < f->pictures.count && !pictures_settled(&f->pictures); k++)
        if (!budget_in_time(g->data->budget, f->directory, g->report) ||
            !with_picture(f, &f->pictures, k, NULL, g->data->budget, g->report))
            return false;
    return true;
}

/* Names and labels outlive the reading. */
static bool keep_names(struct reading *g, struct folder *f)
{
    struct arena *a = &g->data->columns;
    const char **names = arena_array(a, g->count, sizeof *names, g->report);
    int64_t *labels = arena_array(a, g->count, sizeof *labels, g->report);

    f->directory = arena_printf(a, g->report, "%s", g->directory);
    if (!names || !labels || !f->directory)
        return false;
    for (size_t k = 0; k < g->count; k++) {
        names[k] = g->pictures[k].name;
        labels[k] = g->pictures[k].label;
    }
    f->names = g->data->names = names;
    f->labels = g->pictures->label < 0 ? NULL : labels;
    f->pictures.where = f->directory;
    f->pictures.count = (int64_t)g->count;
    return true;
}

static bool open_all(struct reading *g)
{
    const struct data_options *o = g->request->options;
    struct dataset *d = g->data;
    struct folder *f = arena_alloc(&d->columns, sizeof *f, g->report);

    if (!f)
        return false;
    f->source.open = open_pass;
    f->pictures = (struct pictures){ .check = o->inputs ? g->request->samples[0] : NULL, .where = g->directory };
    if (!pictures_start(&f->pictures, o->inputs ? o->input->type : NULL, g->report) ||
        !pictures_size(&f->pictures, g->directory, g->report) || !find_pictures(g) || !keep_names(g, f) ||
        !look_at_all(g, f))
        return false;
    f->pictures.check = NULL;
    d->source = &f->source;
    d->x->values = f->pictures.type;
    d->y->values = (struct tensor){ .dtype = I64, .rank = 1, .dims = { f->pictures.count } };
    d->unlabelled = !f->labels;
    return true;
}

static bool open(struct dataset *d, const struct format_request *q, struct report *r)
{
    struct reading g = { .data = d, .request = q, .report = r, .arena.budget = d->budget };
    bool ok;

    strcpy(g.directory, q->where); /* a SPEC is shorter */
    ok = open_all(&g);
    budget_free(d->budget, g.pictures);
    arena_release(&g.arena);
    return ok;
}

const struct format_def format_folder = {
    .row = { "folder",
             "PNG and JPEG, in a folder for each class, perhaps below train and test; made as large as the "
             "model or ',size=HEIGHTxWIDTH' says, grey or colour as the model has it",
             NULL },
    .where = "DIR",
    .parts = true,
    .folder = true,
    .open = open,
};
