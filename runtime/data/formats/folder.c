#include "data/formats/pictures.h"
#include "model/file.h"
#include <dirent.h>
#include <errno.h>
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
    const size_t before = g->count;
    size_t count;

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
    count = g->count - before;
    for (size_t k = 0; k < count; k++)
        g->pictures[before + k].place = ((double)k + .5) / (double)count;
    return true;
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
        struct names inner = { 0 }, files = { 0 };
        const int64_t label = q->class_names ? known_class(g, q, folders->at[k]) : (int64_t)k;

        names[k] = arena_printf(&g->data->columns, g->report, "%s", folders->at[k]);
        ok = label >= 0 && names[k] && list(g, folders->at[k], &inner, &files) &&
             add_pictures(g, folders->at[k], &files, label);
        g->others += inner.count;
        forget(g, &inner);
        forget(g, &files);
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

static bool read_picture(struct reading *g, struct pictures *to, size_t at)
{
    const char *path = arena_printf(&g->arena, g->report, "%s/%s", g->directory, g->pictures[at].name);
    struct image_file f = { .name = path, .budget = g->data->budget };
    uint8_t *bytes;
    bool ok;

    if (!path || !file_read(path, 0, &bytes, &f.size, f.budget, g->report))
        return false;
    f.bytes = bytes;
    ok = pictures_put(to, &f, at);
    budget_free(f.budget, bytes);
    ((int64_t *)g->data->y->values.data)[at] = g->pictures[at].label < 0 ? 0 : g->pictures[at].label;
    return ok;
}

static bool read_all(struct reading *g)
{
    const struct data_options *o = g->request->options;
    struct dataset *d = g->data;
    struct tensor *y = &d->y->values;
    struct pictures to = { .column = d->x,
                           .check = o->inputs ? g->request->samples[0] : NULL,
                           .budget = d->budget,
                           .report = g->report,
                           .where = g->directory };
    const char **names;
    bool ok = true;

    if (!pictures_start(&to, o->inputs ? o->input->type : NULL) || !pictures_size(&to, g->directory) ||
        !find_pictures(g))
        return false;
    to.count = g->count;
    tensor_shape(y, I64, 1, &(int64_t){ (int64_t)g->count });
    y->data = budget_alloc(d->budget, to_size(tensor_bytes(y)), g->report);
    names = y->data ? arena_array(&d->columns, g->count, sizeof *names, g->report) : NULL;
    for (size_t k = 0; ok && names && k < g->count; k++) {
        names[k] = g->pictures[k].name;
        ok = read_picture(g, &to, k);
    }
    d->names = names;
    d->unlabelled = g->pictures->label < 0;
    return ok && names;
}

static bool load(struct dataset *d, const struct format_request *q, struct report *r)
{
    struct reading g = { .data = d, .request = q, .report = r, .arena.budget = d->budget };
    bool ok;

    strcpy(g.directory, q->where); /* a SPEC is shorter */
    ok = read_all(&g);
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
    .load = load,
};
