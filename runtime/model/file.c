#include "model/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Errors of the system, in words. */
static bool fail_system(struct report *r, const char *path, const char *what)
{
    char text[128];
    const int error = errno;

    return fail(r, KILN_IO, NULL, "'%s' %s: %s", path, what, strerror_r(error, text, sizeof text));
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a directory"
           : S_ISFIFO(mode)                 ? "a FIFO"
           : S_ISSOCK(mode)                 ? "a socket"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "no regular file";
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

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

static bool check_open(int fd, const char *path, size_t most, size_t *size, struct report *r)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return fail_system(r, path, "cannot be looked at");
    if (!S_ISREG(status.st_mode))
        return fail(r, KILN_IO, NULL, "'%s' is %s, a regular file is needed", path, kind_of(status.st_mode));
    *size = (size_t)status.st_size;
    if (most && *size > most)
        return fail(r, KILN_LIMIT, NULL, "'%s' has %zu bytes, at most %zu are read", path, *size, most);
    return true;
}

int file_open(const char *path, size_t most, size_t *size, struct report *r)
{
    /* Opening a FIFO would wait for a writer, and a terminal could become ours. */
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    *size = 0;
    if (fd < 0)
        return fail_system(r, path, "cannot be opened"), -1;
    if (check_open(fd, path, most, size, r))
        return fd;
    close(fd);
    *size = 0;
    return -1;
}

bool file_read(const char *path, size_t most, uint8_t **bytes, size_t *size, struct budget *b, struct report *r)
{
    const int fd = file_open(path, most, size, r);

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

/* -- writing ------------------------------------------------------------------------------------------------------- */

/* A file on its way. While it is written it has no name, or a temporary one in the directory where it is to be. */
struct writing {
    const char *path; /* as given, for messages */
    char target[PATH_MAX];
    char *name; /* the last component, within `target` */
    char temporary[NAME_MAX + 1];
    bool named; /* does `temporary` exist? */
    bool replaces;
    mode_t mode; /* of the file that is replaced */
    int directory, fd;
    struct report *report;
};

/* Where the bytes shall go in the end: through symbolic links, to a regular file or to nothing. */
static bool find_target(struct writing *w)
{
    struct stat status;
    char *slash;

    if (!*w->path)
        return fail(w->report, KILN_IO, NULL, "the name of the file is empty");
    if (strlen(w->path) >= sizeof w->target) {
        errno = ENAMETOOLONG;
        return fail_system(w->report, w->path, "cannot be written");
    }
    if (lstat(w->path, &status) == 0) {
        if (S_ISLNK(status.st_mode)) {
            if (!realpath(w->path, w->target) || stat(w->target, &status) < 0)
                return fail_system(w->report, w->path, "is a symbolic link that leads nowhere");
        } else {
            strcpy(w->target, w->path);
        }
        if (!S_ISREG(status.st_mode))
            return fail(w->report, KILN_IO, NULL, "'%s' is %s, only a regular file is replaced", w->path,
                        kind_of(status.st_mode));
        if (access(w->target, W_OK) < 0)
            return fail_system(w->report, w->path, "is there and cannot be written");
        w->replaces = true;
        w->mode = status.st_mode & 0777;
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

static bool temporary_name(struct writing *w)
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return fail_system(w->report, w->path, "gets no temporary name");
    snprintf(w->temporary, sizeof w->temporary, ".%.200s.%016llx.tmp", w->name, (unsigned long long)random);
    return true;
}

/* A file without a name vanishes by itself if this process is killed; not every file system has them, and naming it
 * takes /proc. */
static bool open_new(struct writing *w)
{
    if (!temporary_name(w))
        return false;
    if (access("/proc/self/fd", X_OK) == 0)
        w->fd = openat(w->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        w->fd = openat(w->directory, w->temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
        if (w->fd < 0)
            return fail_system(w->report, w->path, "cannot be written");
        w->named = true;
    }
    if (w->replaces && fchmod(w->fd, w->mode) < 0)
        return fail_system(w->report, w->path, "cannot keep its permissions");
    return true;
}

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
    while (fsync(w->fd) < 0)
        if (errno != EINTR)
            return fail_system(w->report, w->path, "cannot be brought to the disk");
    return true;
}

static bool give_name(struct writing *w)
{
    char proc[64];

    if (!w->named) {
        snprintf(proc, sizeof proc, "/proc/self/fd/%d", w->fd);
        if (linkat(AT_FDCWD, proc, w->directory, w->temporary, AT_SYMLINK_FOLLOW) < 0)
            return false;
        w->named = true;
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
    if (w->fd >= 0)
        close(w->fd);
    if (w->named)
        unlinkat(w->directory, w->temporary, 0);
    if (w->directory >= 0)
        close(w->directory);
    w->fd = w->directory = -1;
    w->named = false;
}

static bool try_writing(struct writing *w, const void *bytes, size_t size)
{
    if (!open_directory(w) || !open_new(w) || !write_all(w, bytes, size))
        return false;
    if (!give_name(w))
        return fail_system(w->report, w->path, "cannot be given its name");
    return sync_directory(w);
}

bool file_write(const char *path, const void *bytes, size_t size, struct report *r)
{
    struct writing w = { .path = path, .directory = -1, .fd = -1, .report = r };
    const bool ok = find_target(&w) && try_writing(&w, bytes, size);

    end_writing(&w);
    return ok;
}

bool file_can_write(const char *path, struct report *r)
{
    struct writing w = { .path = path, .directory = -1, .fd = -1, .report = r };
    const bool ok = find_target(&w) && open_directory(&w) && open_new(&w);

    end_writing(&w);
    return ok;
}
