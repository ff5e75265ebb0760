#include "model/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Errors of the system, in words. */
static bool fail_system(struct report *r, const char *path, const char *what)
{
    char text[ERROR_TEXT_BYTES];
    const int error = errno;

    return fail(r, error == ENOMEM ? KILN_NO_MEMORY : KILN_IO, NULL, "'%s' %s: %s", path, what,
                error_text(error, text));
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a directory"
           : S_ISFIFO(mode)                 ? "a FIFO"
           : S_ISSOCK(mode)                 ? "a socket"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "no regular file";
}

/* -- reading -- */

bool file_read_at(int fd, const char *name, void *bytes, size_t size, int64_t offset, struct report *r)
{
    size_t done = 0;

    while (done < size) {
        const ssize_t n = pread(fd, (char *)bytes + done, size - done, (off_t)offset + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_system(r, name, "cannot be read");
        if (n == 0)
            return fail(r, KILN_IO, NULL, "'%s' ended after %zu of %zu bytes: did something else write to it?", name,
                        done, size);
        done += (size_t)n;
    }
    return true;
}

static bool check_open(int fd, const char *path, enum file_use use, size_t most, size_t *size, struct report *r)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return fail_system(r, path, "cannot be looked at");
    if (!S_ISREG(status.st_mode))
        return fail(r, KILN_IO, NULL, "'%s' is %s, a regular file is needed", path, kind_of(status.st_mode));
    *size = to_size(status.st_size);
    if (most && *size > most)
        return fail(r, KILN_LIMIT, NULL, "'%s' has %zu bytes, at most %zu are read", path, *size, most);
    return files_read(&status, path, use, r);
}

int file_open(const char *path, enum file_use use, size_t most, size_t *size, struct report *r)
{
    /* Opening a FIFO would wait for a writer, and a terminal could become ours. */
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    *size = 0;
    if (fd < 0)
        return fail_system(r, path, "cannot be opened"), -1;
    if (check_open(fd, path, use, most, size, r))
        return fd;
    close(fd);
    *size = 0;
    return -1;
}

bool file_look(const char *path, struct report *r)
{
    size_t size;
    const int fd = file_open(path, FILE_READ, 0, &size, r);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool file_read(const char *path, size_t most, uint8_t **bytes, size_t *size, struct budget *b, struct report *r)
{
    const int fd = file_open(path, FILE_READ, most, size, r);

    *bytes = NULL;
    if (fd < 0)
        return false;
    *bytes = budget_alloc(b, *size ? *size : 1, r);
    if (*bytes && !file_read_at(fd, path, *bytes, *size, 0, r)) {
        budget_free(b, *bytes);
        *bytes = NULL;
    }
    close(fd);
    if (!*bytes)
        *size = 0;
    return *bytes;
}

/* -- writing -- */

/* A file on its way. While it is written it has no name, or a temporary one in the directory where it is to be. */
struct writing {
    const char *path; /* as given, for messages */
    enum file_use use;
    char target[PATH_MAX];
    char *name; /* the last component, within `target` */
    char temporary[NAME_MAX + 1];
    bool named; /* does `temporary` exist? */
    bool replaces;
    struct stat replaced;
    int directory, fd;
    struct report *report;
};

/* -- where to -- */

static bool find_replaced(struct writing *w)
{
    if (S_ISLNK(w->replaced.st_mode)) {
        if (!realpath(w->path, w->target) || stat(w->target, &w->replaced) < 0)
            return fail_system(w->report, w->path, "is a symbolic link that leads nowhere");
    } else {
        strcpy(w->target, w->path);
    }
    if (!S_ISREG(w->replaced.st_mode))
        return fail(w->report, KILN_IO, NULL, "'%s' is %s, only a regular file is replaced", w->path,
                    kind_of(w->replaced.st_mode));
    if (access(w->target, W_OK) < 0)
        return fail_system(w->report, w->path, "is there and cannot be written");
    w->replaces = true;
    return true;
}

/* Where the bytes shall go in the end: through symbolic links, to a regular file or to nothing. */
static bool find_target(struct writing *w)
{
    char *slash;

    if (!*w->path)
        return fail(w->report, KILN_IO, NULL, "the name of the file is empty");
    if (strlen(w->path) >= sizeof w->target) {
        errno = ENAMETOOLONG;
        return fail_system(w->report, w->path, "cannot be written");
    }
    if (lstat(w->path, &w->replaced) == 0) {
        if (!find_replaced(w))
            return false;
    } else if (errno == ENOENT) {
        strcpy(w->target, w->path);
    } else {
        return fail_system(w->report, w->path, "cannot be written");
    }
    slash = strrchr(w->target, '/');
    w->name = slash ? slash + 1 : w->target;
    if (!*w->name)
        return fail(w->report, KILN_IO, NULL, "'%s' is a directory, the name of a file is needed", w->path);
    return true;
}

static bool open_directory(struct writing *w)
{
    if (w->name == w->target) {
        w->directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else if (w->name == w->target + 1) {
        w->directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
        w->name[-1] = 0;
        w->directory = open(w->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        w->name[-1] = '/';
    }
    return w->directory >= 0 || fail_system(w->report, w->path, "has no directory to be written to");
}

/* All that is written goes through here: it is neither read, nor another output. */
static bool start_writing(struct writing *w, bool claim)
{
    struct file_target t = { .path = w->path };

    if (!find_target(w) || !open_directory(w))
        return false;
    if (fstat(w->directory, &t.directory) < 0)
        return fail_system(w->report, w->path, "has a directory that cannot be looked at");
    t.exists = w->replaces;
    t.file = w->replaced;
    t.name = w->name;
    return claim ? files_claim(&t, w->use, w->report) : files_write(&t, w->use, w->report);
}

/* -- temporary names -- */

/* They are a few for each target, so that the next process that writes there finds what one that was killed has left,
 * without a look at all of the directory. More are only needed where as many write to one target at a time. */
enum { SWEPT_NAMES = 8, MOST_NAMES = 4096 };

static void temporary_name(struct writing *w, int k)
{
    snprintf(w->temporary, sizeof w->temporary, ".%.200s.kiln-%d.tmp", w->name, k);
}

/* Who writes holds a lock until the file has its name, or this process ends. */
static bool lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Removes the file of the temporary name, if it is ours and nobody writes it any more, nor reads or writes it here,
 * where somebody may have taken such a name for a file of his own. It is looked up again under the lock: the name may
 * have gone to another file meanwhile, and only who holds the lock takes it away. */
static void sweep(const struct writing *w)
{
    const int fd = openat(w->directory, w->temporary, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat s, named;

    if (fd < 0)
        return;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() && !files_know(&s, w->report) && lock(fd) &&
        fstatat(w->directory, w->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == s.st_dev &&
        named.st_ino == s.st_ino)
        unlinkat(w->directory, w->temporary, 0);
    close(fd);
}

static void sweep_all(struct writing *w)
{
    for (int k = 0; k < SWEPT_NAMES; k++) {
        temporary_name(w, k);
        sweep(w);
    }
}

/* Between being made and being locked it may be swept by another process, which then holds the lock, or has removed
 * it: errno is EEXIST then, and another name is tried. Where files cannot be locked, they cannot be swept either. */
static bool lock_named(struct writing *w)
{
    struct stat s;

    w->named = lock(w->fd) || errno != EWOULDBLOCK;
    if (w->named && fstat(w->fd, &s) < 0)
        return false; /* it is removed again */
    w->named = w->named && s.st_nlink;
    if (w->named)
        return true;
    close(w->fd);
    w->fd = -1;
    errno = EEXIST;
    return false;
}

static bool open_named(struct writing *w)
{
    errno = EEXIST;
    for (int k = 0; k < MOST_NAMES && errno == EEXIST; k++) {
        temporary_name(w, k);
        w->fd = openat(w->directory, w->temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
        if (w->fd >= 0 && lock_named(w))
            return true;
    }
    return fail_system(w->report, w->path, "cannot be written");
}

/* -- bytes -- */

/* A file without a name vanishes by itself if this process is killed; not every file system has them, and naming it
 * takes /proc. */
static bool open_new(struct writing *w)
{
    if (access("/proc/self/fd", X_OK) == 0)
        w->fd = openat(w->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (w->fd >= 0)
        lock(w->fd);
    else if (!open_named(w))
        return false;
    if (w->replaces && fchmod(w->fd, w->replaced.st_mode & 0777) < 0)
        return fail_system(w->report, w->path, "cannot keep its permissions");
    return true;
}

static bool tell_made(const struct writing *w)
{
    struct stat s;

    if (fstat(w->fd, &s) < 0)
        return fail_system(w->report, w->path, "cannot be looked at");
    return files_made(&s, w->path, w->use, w->report);
}

/* What is small is put together. */
struct file_sink {
    struct writing *to;
    size_t held;
    char small[1 << 14];
};

static bool write_all(struct writing *w, const char *bytes, size_t size)
{
    while (size) {
        const ssize_t n = write(w->fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_system(w->report, w->path, "cannot be written");
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static bool put_small(struct file_sink *to)
{
    const size_t held = to->held;

    to->held = 0;
    return write_all(to->to, to->small, held);
}

bool file_put(struct file_sink *to, const void *bytes, size_t size)
{
    if (size > sizeof to->small - to->held && !put_small(to))
        return false;
    if (size > sizeof to->small)
        return write_all(to->to, bytes, size);
    if (size)
        memcpy(to->small + to->held, bytes, size);
    to->held += size;
    return true;
}

static bool fill(struct writing *w, file_produce *produce, void *user)
{
    struct file_sink sink = { .to = w };

    if (!produce(user, &sink) || !put_small(&sink))
        return false;
    while (fsync(w->fd) < 0)
        if (errno != EINTR)
            return fail_system(w->report, w->path, "cannot be brought to the disk");
    return true;
}

static bool link_as(const struct writing *w, const char *name)
{
    char proc[64];

    snprintf(proc, sizeof proc, "/proc/self/fd/%d", w->fd);
    return linkat(AT_FDCWD, proc, w->directory, name, AT_SYMLINK_FOLLOW) == 0;
}

/* A link is never made over a file that is there: that takes a temporary name. */
static bool give_name(struct writing *w)
{
    if (!w->named && !w->replaces && link_as(w, w->name))
        return true;
    for (int k = 0; !w->named; k++) {
        temporary_name(w, k);
        w->named = link_as(w, w->temporary);
        if (!w->named && (errno != EEXIST || k == MOST_NAMES))
            return false;
    }
    if (renameat(w->directory, w->temporary, w->directory, w->name) < 0)
        return false;
    w->named = false;
    return true;
}

/* The new name has to outlive a power failure as well; some file systems cannot sync directories, and say so. */
static bool sync_directory(struct writing *w)
{
    while (fsync(w->directory) < 0) {
        if (errno == EINVAL || errno == ENOTSUP)
            break;
        if (errno != EINTR)
            return fail_system(w->report, w->path, "is written, but its directory cannot be brought to the disk");
    }
    return true;
}

static void end_writing(struct writing *w)
{
    if (w->named)
        unlinkat(w->directory, w->temporary, 0);
    if (w->fd >= 0)
        close(w->fd);
    if (w->directory >= 0)
        close(w->directory);
    w->fd = w->directory = -1;
    w->named = false;
}

static bool try_writing(struct writing *w, file_produce *produce, void *user)
{
    if (!start_writing(w, false))
        return false;
    sweep_all(w); /* not when a file is claimed: what will be read is not known yet */
    if (!open_new(w) || !tell_made(w) || !fill(w, produce, user))
        return false;
    if (!give_name(w))
        return fail_system(w->report, w->path, "cannot be given its name");
    return sync_directory(w);
}

static bool write_as(const char *path, enum file_use use, file_produce *produce, void *user, struct report *r)
{
    struct writing w = { .path = path, .use = use, .directory = -1, .fd = -1, .report = r };
    const bool ok = try_writing(&w, produce, user);

    end_writing(&w);
    return ok;
}

struct whole {
    const void *bytes;
    size_t size;
};

static bool put_whole(void *user, struct file_sink *to)
{
    const struct whole *w = user;

    return file_put(to, w->bytes, w->size);
}

bool file_write(const char *path, const void *bytes, size_t size, struct report *r)
{
    return write_as(path, FILE_WRITE, put_whole, &(struct whole){ bytes, size }, r);
}

bool file_write_model(const char *path, const void *bytes, size_t size, struct report *r)
{
    return write_as(path, FILE_WRITE_MODEL, put_whole, &(struct whole){ bytes, size }, r);
}

bool file_produce_model(const char *path, file_produce *produce, void *user, struct report *r)
{
    return write_as(path, FILE_WRITE_MODEL, produce, user, r);
}

/* -- logs -- */

/* A pipe, a terminal, a device: nothing is lost by writing there. */
static bool is_special(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

bool file_claim(const char *path, enum file_use use, struct report *r)
{
    struct writing w = { .path = path, .use = use, .directory = -1, .fd = -1, .report = r };
    bool ok;

    if (use == FILE_WRITE_LOG && is_special(path))
        return true;
    ok = start_writing(&w, true) && open_new(&w);
    end_writing(&w);
    return ok;
}

/* Emptied when it is known to be none that is read: it may have been put there just now. */
static bool empty_log(const struct writing *w)
{
    struct file_target t = { .path = w->path, .exists = true, .name = w->name };

    if (fstat(w->fd, &t.file) < 0 || fstat(w->directory, &t.directory) < 0)
        return fail_system(w->report, w->path, "cannot be looked at");
    return files_write(&t, w->use, w->report) &&
           (ftruncate(w->fd, 0) == 0 || fail_system(w->report, w->path, "cannot be emptied"));
}

/* The stream comes first: where there is no memory for it, the file keeps what it has. */
static FILE *open_log(struct writing *w)
{
    FILE *f;

    w->fd = openat(w->directory, w->name,
                   O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC | (w->replaces ? 0 : O_CREAT | O_EXCL), 0666);
    f = w->fd < 0 ? NULL : fdopen(w->fd, "w");
    if (!f) {
        fail_system(w->report, w->path, "cannot be written");
        if (w->fd >= 0 && !w->replaces)
            unlinkat(w->directory, w->name, 0);
        return NULL;
    }
    if (w->replaces ? empty_log(w) : tell_made(w)) {
        w->fd = -1; /* the stream closes it */
        return f;
    }
    fclose(f);
    w->fd = -1;
    return NULL;
}

static FILE *open_special(const char *path, struct report *r)
{
    const int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    FILE *const f = fd < 0 ? NULL : fdopen(fd, "w");

    if (!f)
        fail_system(r, path, "cannot be written");
    if (!f && fd >= 0)
        close(fd);
    return f;
}

FILE *file_open_log(const char *path, struct report *r)
{
    struct writing w = { .path = path, .use = FILE_WRITE_LOG, .directory = -1, .fd = -1, .report = r };
    FILE *f;

    if (is_special(path))
        return open_special(path, r);
    f = start_writing(&w, false) ? open_log(&w) : NULL;
    end_writing(&w);
    return f;
}
