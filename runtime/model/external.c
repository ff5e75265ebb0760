#include "model/external.h"
#include "model/file.h"
#include "model/sha1.h"
#include "model/way.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that has the checksum that some tensor gave. */
struct external_checked {
    struct external_checked *next;
    dev_t device;
    ino_t inode;
    char checksum[SHA1_HEX];
};

/* What external_data says. */
struct data_place {
    const char *location, *checksum;
    int64_t offset, length; /* length 0: not given; so it was written once, too */
};

/* What a load needs to know, to say what went wrong. */
struct loading {
    struct external *external;
    struct data_place place;
    const char *where;
    struct report *report;
};

/* Nobody but the file that was read tells where else its data may lie: a link may lead to another one by now. */
static int open_target(const char *model_path, const struct stat *read)
{
    struct stat s;
    struct way w;

    if (!read || lstat(model_path, &s) < 0 || !S_ISLNK(s.st_mode) || !way_find(&w, AT_FDCWD, model_path))
        return -1;
    if (fstatat(w.directory, w.name, &s, AT_SYMLINK_NOFOLLOW) == 0 && same_file(&s, read))
        return w.directory;
    close(w.directory);
    return -1;
}

/* A directory that is held open; -1 on failure. */
static int open_directory(const char *path, struct report *r)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char text[ERROR_TEXT_BYTES];

    if (fd < 0)
        fail(r, KILN_IO, NULL, "the directory '%s' cannot be opened: %s", path, error_text(errno, text));
    return fd;
}

bool external_open(struct external *e, const char *model_path, const struct stat *read, const char *cache,
                   struct budget *b, struct report *r)
{
    const char *slash = strrchr(model_path, '/');
    const size_t length = slash ? (size_t)(slash - model_path) + 1 : 0;
    char folder[PATH_MAX] = ".";

    *e = (struct external){ .budget = b };
    if (length >= sizeof folder)
        return fail(r, KILN_IO, NULL, "the path of the model is longer than %zu bytes", sizeof folder - 1);
    if (length) {
        memcpy(folder, model_path, length);
        folder[length] = 0;
    }
    e->directory = open_directory(folder, r);
    if (e->directory < 0)
        return false;
    e->cache = cache ? open_directory(cache, r) : -1;
    if (cache && e->cache < 0) {
        close(e->directory);
        return false;
    }
    e->target = open_target(model_path, read);
    e->open = true;
    return true;
}

/* A second descriptor of a directory, or of none; false where there is none to be had. */
static bool copy_directory(int *to, int from)
{
    *to = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 0);
    return *to >= 0 || from < 0;
}

bool external_copy(struct external *e, const struct external *from, struct budget *b, struct report *r)
{
    char text[ERROR_TEXT_BYTES];

    *e = (struct external){ .budget = b, .target = -1, .cache = -1 };
    if (!from->open)
        return true;
    e->open = copy_directory(&e->directory, from->directory);
    if (e->open && copy_directory(&e->target, from->target) && copy_directory(&e->cache, from->cache))
        return true;
    fail(r, KILN_IO, NULL, "the directory of the model cannot be opened again: %s", error_text(errno, text));
    external_close(e);
    return false;
}

void external_close(struct external *e)
{
    while (e->checked) {
        struct external_checked *next = e->checked->next;

        budget_free(e->budget, e->checked);
        e->checked = next;
    }
    if (e->open) {
        close(e->directory);
        if (e->target >= 0)
            close(e->target);
        if (e->cache >= 0)
            close(e->cache);
    }
    e->open = false;
}

/* -- what the tensor says -- */

/* Digits only: no sign, no space, nothing after. */
static bool read_size(struct loading *l, const char *key, const char *text, int64_t *value)
{
    int64_t n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if (!mul_size(n, 10, &n) || !add_size(n, *p - '0', &n))
            break;
    if (*p || p == text)
        return fail(l->report, KILN_BAD_MODEL, l->where,
                    "external_data '%s' is '%s', a number from 0 to %lld is needed", key, text, (long long)INT64_MAX);
    *value = n;
    return true;
}

static bool read_entry(struct loading *l, const char *key, const char *value)
{
    if (!strcmp(key, "location"))
        l->place.location = value;
    else if (!strcmp(key, "checksum"))
        l->place.checksum = value;
    else if (!strcmp(key, "offset"))
        return read_size(l, key, value, &l->place.offset);
    else if (!strcmp(key, "length"))
        return read_size(l, key, value, &l->place.length);
    else if (strcmp(key, "basepath") != 0 && !l->external->told) {
        warn(l->report, l->where,
             "external_data has the key '%s', which is left out, as all but location, offset, length and checksum",
             key);
        l->external->told = true;
    }
    return true;
}

enum { MOST_KEYS = 64 };

static bool read_place(struct loading *l, const Onnx__TensorProto *t)
{
    l->place = (struct data_place){ 0 };
    if (t->n_external_data > MOST_KEYS)
        return fail(l->report, KILN_BAD_MODEL, l->where, "external_data has %zu entries, more than %d",
                    t->n_external_data, (int)MOST_KEYS);
    for (size_t k = 0; k < t->n_external_data; k++) {
        const char *key = t->external_data[k]->key, *value = t->external_data[k]->value;

        if (!key || !value)
            return fail(l->report, KILN_BAD_MODEL, l->where, "external_data[%zu] has no %s", k, key ? "value" : "key");
        for (size_t j = 0; j < k; j++)
            if (!strcmp(key, t->external_data[j]->key))
                return fail(l->report, KILN_BAD_MODEL, l->where, "external_data has '%s' twice", key);
        if (!read_entry(l, key, value))
            return false;
    }
    if (!l->place.location)
        return fail(l->report, KILN_BAD_MODEL, l->where, "external_data has no location");
    return true;
}

/* -- the way there -- */

static bool refuse(struct loading *l, const char *why)
{
    return fail(l->report, KILN_BAD_MODEL, l->where, "external_data location '%s' %s", l->place.location, why);
}

static bool fail_system(struct loading *l)
{
    char text[ERROR_TEXT_BYTES];

    return fail(l->report, KILN_IO, l->where, "external_data location '%s': %s", l->place.location,
                error_text(errno, text));
}

static bool check_location(struct loading *l)
{
    const char *location = l->place.location;

    if (!*location)
        return refuse(l, "is empty, a path below the model's directory is needed");
    if (*location == '/' || (location[0] && location[1] == ':'))
        return refuse(l, "is absolute, a path below the model's directory is needed");
    if (strchr(location, '\\'))
        return refuse(l, "has a backslash, directories are separated by '/'");
    if (strlen(location) >= PATH_MAX || location[strlen(location) - 1] == '/')
        return refuse(l, "is not the path of a file");
    for (const char *p = location; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, "..", 2) == 0 && (!p[2] || p[2] == '/'))
            return refuse(l, "has '..', a path below the model's directory is needed");
    }
    return true;
}

static bool may_lie_in(const struct external *e, int directory)
{
    return way_is_below(directory, e->directory) || (e->target >= 0 && way_is_below(directory, e->target)) ||
           (e->cache >= 0 && way_is_below(directory, e->cache));
}

/* The file; -1 on failure. */
static int open_location(struct loading *l)
{
    struct stat status;
    struct way w;
    int fd = -1;

    if (!way_find(&w, l->external->directory, l->place.location)) {
        fail_system(l);
        return -1;
    }
    if (w.links && !may_lie_in(l->external, w.directory))
        refuse(l, "leads through a symbolic link to a place that is neither below the model's directory nor below that "
                  "of the file that the model is a link to; another directory that it may lead to can be named "
                  "(follow_links)");
    else if (fstatat(w.directory, w.name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        fail_system(l);
    else if (!S_ISREG(status.st_mode)) /* known before it is opened: opening a device can have effects */
        refuse(l, "is not a regular file");
    else if ((fd = openat(w.directory, w.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
        fail_system(l);
    close(w.directory);
    return fd;
}

/* -- what is there -- */

/* Compares the checksum of the whole file, once for each file. */
static bool check_sum(struct loading *l, int fd, const struct stat *status)
{
    struct external_checked *known = l->external->checked;
    struct sha1 sum;
    char hex[SHA1_HEX];
    uint8_t block[16384];

    for (; known; known = known->next)
        if (known->device == status->st_dev && known->inode == status->st_ino &&
            !strcasecmp(known->checksum, l->place.checksum))
            return true;
    sha1_init(&sum);
    for (int64_t at = 0; at < status->st_size;) {
        const int64_t left = status->st_size - at;
        const size_t n = left < (int64_t)sizeof block ? (size_t)left : sizeof block;

        if (!budget_in_time(l->external->budget, l->where, l->report) ||
            !file_read_at(fd, l->place.location, block, n, at, l->report))
            return false;
        sha1_add(&sum, block, n);
        at += (int64_t)n;
    }
    sha1_end(&sum, hex);
    if (strcasecmp(hex, l->place.checksum) != 0)
        return fail(l->report, KILN_BAD_MODEL, l->where, "external_data checksum is '%s', that of '%s' is %s",
                    l->place.checksum, l->place.location, hex);
    known = budget_zalloc(l->external->budget, 1, sizeof *known, l->report);
    if (!known)
        return false;
    known->device = status->st_dev;
    known->inode = status->st_ino;
    memcpy(known->checksum, hex, sizeof hex);
    known->next = l->external->checked;
    l->external->checked = known;
    return true;
}

static bool check_file(struct loading *l, int fd, int64_t size)
{
    const struct data_place *p = &l->place;
    struct stat status;
    int64_t end;

    if (fstat(fd, &status) < 0)
        return fail_system(l);
    if (!S_ISREG(status.st_mode))
        return refuse(l, "is not a regular file");
    if (status.st_nlink > 1)
        return refuse(l, "has several hard links, so it may belong to something outside of the model's directory");
    if (p->offset > status.st_size)
        return fail(l->report, KILN_BAD_MODEL, l->where,
                    "external_data offset %lld is past the end of '%s' (%lld bytes)", (long long)p->offset, p->location,
                    (long long)status.st_size);
    if (p->length && p->length != size)
        return fail(l->report, KILN_BAD_MODEL, l->where,
                    "external_data length is %lld, the type and shape need %lld bytes", (long long)p->length,
                    (long long)size);
    if (!add_size(p->offset, size, &end) || end > status.st_size)
        return fail(l->report, KILN_BAD_MODEL, l->where,
                    "%lld bytes from offset %lld run past the end of '%s' (%lld bytes)", (long long)size,
                    (long long)p->offset, p->location, (long long)status.st_size);
    return !p->checksum || check_sum(l, fd, &status);
}

bool external_finds(struct external *e, const Onnx__TensorProto *t)
{
    struct report quiet = { 0 };
    struct loading l = { .external = e, .report = &quiet };
    const int fd = e->open && read_place(&l, t) && check_location(&l) ? open_location(&l) : -1;

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void *external_load(struct external *e, const Onnx__TensorProto *t, int64_t size, const char *where, struct budget *b,
                    struct report *r)
{
    struct loading l = { .external = e, .where = where, .report = r };
    void *bytes = NULL;
    int fd;

    if (!read_place(&l, t) || !check_location(&l))
        return NULL;
    if (!e->open) {
        refuse(&l, "cannot be followed: the model came from memory and has no directory");
        return NULL;
    }
    fd = open_location(&l);
    if (fd < 0)
        return NULL;
    if (size >= 0 && check_file(&l, fd, size))
        bytes = budget_alloc(b, size ? (size_t)size : 1, r);
    if (bytes && !file_read_at(fd, l.place.location, bytes, (size_t)size, l.place.offset, r)) {
        budget_free(b, bytes);
        bytes = NULL;
    }
    close(fd);
    return bytes;
}
