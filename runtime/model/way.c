#include "model/way.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINKS = 40 }; /* as Linux has it */

int way_directory(int from, const char *name)
{
    return openat(from, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool fail_with(int error)
{
    errno = error;
    return false;
}

/* What was open is closed, and errno stays. */
static void close_after(int fd)
{
    const int error = errno;

    close(fd);
    errno = error;
}

/* On from that directory; -1: there is none, errno says why. */
static bool go_to(struct way *w, int directory)
{
    if (directory < 0)
        return false;
    close(w->directory);
    w->directory = directory;
    return true;
}

/* The first name of what is left goes to w->name. */
static bool take_name(struct way *w)
{
    const char *from = w->left + strspn(w->left, "/");
    const size_t n = strcspn(from, "/");

    if (n > NAME_MAX)
        return fail_with(ENAMETOOLONG);
    memcpy(w->name, from, n);
    w->name[n] = 0;
    memmove(w->left, from + n, strlen(from + n) + 1);
    return true;
}

/* Where the link leads is to be gone first. */
static bool follow(struct way *w, int link)
{
    char to[PATH_MAX];
    const ssize_t n = readlinkat(link, "", to, sizeof to);
    const size_t rest = strlen(w->left);

    if (n < 0)
        return false;
    if (++w->links > MOST_LINKS)
        return fail_with(ELOOP);
    if (!n)
        return fail_with(ENOENT);
    if ((size_t)n + rest >= sizeof w->left)
        return fail_with(ENAMETOOLONG);
    memmove(w->left + n, w->left, rest + 1); /* it is empty, or begins with '/' */
    memcpy(w->left, to, (size_t)n);
    return *w->left != '/' || go_to(w, way_directory(AT_FDCWD, "/"));
}

/* Past w->name, unless it is the last one and no link; *there says so. */
static bool step(struct way *w, bool *there)
{
    struct stat s;
    int fd;
    bool ok;

    *there = false;
    if (strcmp(w->name, "..") == 0)
        return go_to(w, way_directory(w->directory, ".."));
    fd = openat(w->directory, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    ok = fstat(fd, &s) == 0;
    if (ok && S_ISDIR(s.st_mode) && *w->left)
        return go_to(w, fd);
    if (ok && S_ISLNK(s.st_mode))
        ok = follow(w, fd);
    else if (ok && *w->left)
        ok = fail_with(ENOTDIR);
    else
        *there = ok;
    close_after(fd);
    return ok;
}

bool way_find(struct way *w, int from, const char *path)
{
    bool there = false, ok = true;

    w->links = 0;
    if (!*path || strlen(path) >= sizeof w->left)
        return fail_with(*path ? ENAMETOOLONG : ENOENT);
    strcpy(w->left, path);
    w->directory = way_directory(from, *path == '/' ? "/" : ".");
    if (w->directory < 0)
        return false;
    while (ok && !there) {
        ok = take_name(w);
        if (ok && (!*w->name || strcmp(w->name, ".") == 0)) {
            strcpy(w->name, ".");
            there = !*w->left;
        } else if (ok) {
            ok = step(w, &there);
        }
    }
    if (!ok)
        close_after(w->directory);
    return ok;
}

bool way_is_below(int directory, int above)
{
    struct stat wanted, here, before = { 0 };
    int at = fstat(above, &wanted) == 0 ? way_directory(directory, ".") : -1;
    bool found = false;

    while (at >= 0) {
        const bool ok = fstat(at, &here) == 0 && !same_file(&here, &before); /* the root is above itself */
        int up = -1;

        found = ok && same_file(&here, &wanted);
        if (ok && !found)
            up = way_directory(at, "..");
        close(at);
        at = up;
        before = here;
    }
    return found;
}
