/* Stands between a program and the C library (LD_PRELOAD), and lets a call fail.
 *
 * FAULT=KIND:N lets the Nth call of a kind fail, counted from 0; KIND:N+ all calls from then on. COUNTS=FILE gets, when
 * the program ends, a line for each kind with the number of its calls, and one with the allocations that are left. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Kinds, and what a call that fails leaves in errno. */
#define KINDS(X)                                                                                                       \
    X(alloc, ENOMEM)                                                                                                   \
    X(map, ENOMEM)                                                                                                     \
    X(open, EMFILE)                                                                                                    \
    X(read, EIO)                                                                                                       \
    X(write, ENOSPC)                                                                                                   \
    X(sync, EIO)                                                                                                       \
    X(name, EIO)                                                                                                       \
    X(remove, EIO)                                                                                                     \
    X(close, EIO)                                                                                                      \
    X(stat, EIO)                                                                                                       \
    X(change, EIO)                                                                                                     \
    X(directory, ENOSPC)                                                                                               \
    X(path, EIO)                                                                                                       \
    X(random, ENOSYS)                                                                                                  \
    X(flush, ENOSPC)                                                                                                   \
    X(thread, EAGAIN)                                                                                                  \
    X(advice, EINVAL)

#define X(name, error) KIND_##name,
enum kind { KINDS(X) KIND_COUNT };
#undef X
#define X(name, error) #name,
static const char *const names[] = { KINDS(X) };
#undef X
#define X(name, error) error,
static const int errors[] = { KINDS(X) };
#undef X

static long calls[KIND_COUNT], left, fails_at;
static int fails = -1; /* the kind; -1: none */
static bool from_then_on, ready;

static bool goes_wrong(enum kind kind)
{
    long n;

    if (!ready)
        return false;
    n = __atomic_fetch_add(&calls[kind], 1, __ATOMIC_RELAXED);
    if ((int)kind != fails || (from_then_on ? n < fails_at : n != fails_at))
        return false;
    errno = errors[kind];
    return true;
}

/* No function that stands here, or that calls one, is called. */
static void tell(void)
{
    const char *const path = getenv("COUNTS");
    char text[1024];
    int n = 0, fd;

    ready = false;
    fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd < 0)
        return;
    for (int k = 0; k < KIND_COUNT; k++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s %ld\n", names[k], calls[k]);
    n += snprintf(text + n, sizeof text - (size_t)n, "left %ld\n", left);
    syscall(SYS_write, fd, text, n);
    syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void)
{
    const char *const fault = getenv("FAULT"), *const colon = fault ? strchr(fault, ':') : NULL;

    for (int k = 0; colon && k < KIND_COUNT; k++)
        if (strlen(names[k]) == (size_t)(colon - fault) && strncmp(names[k], fault, (size_t)(colon - fault)) == 0)
            fails = k;
    if (colon) {
        fails_at = atol(colon + 1);
        from_then_on = strchr(colon, '+');
    }
    atexit(tell);
    ready = true;
}

/* -- memory -- */

/* dlsym allocates: these are the C library's own names. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static void *had(void *p)
{
    if (ready && p)
        __atomic_fetch_add(&left, 1, __ATOMIC_RELAXED);
    return p;
}

void *malloc(size_t size)
{
    return goes_wrong(KIND_alloc) ? NULL : had(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return goes_wrong(KIND_alloc) ? NULL : had(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    if (goes_wrong(KIND_alloc))
        return NULL;
    return p ? __libc_realloc(p, size) : had(__libc_realloc(p, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return goes_wrong(KIND_alloc) ? NULL : had(__libc_memalign(alignment, size));
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *const p = goes_wrong(KIND_alloc) ? NULL : had(__libc_memalign(alignment, size));

    if (p)
        *out = p;
    return p ? 0 : ENOMEM;
}

void free(void *p)
{
    if (ready && p)
        __atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED);
    __libc_free(p);
}

/* -- all others -- */

#define CALL(kind, failed, type, name, parameters, arguments)                                                          \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*real) parameters;                                                                                 \
        if (!real)                                                                                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                 \
        return goes_wrong(KIND_##kind) ? failed : real arguments;                                                      \
    }
/* With a mode behind the flags. */
#define OPEN(name, parameters, arguments)                                                                              \
    int name parameters                                                                                                \
    {                                                                                                                  \
        static int(*real) parameters;                                                                                  \
        va_list list;                                                                                                  \
        mode_t mode;                                                                                                   \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
        if (!real)                                                                                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                 \
        return goes_wrong(KIND_open) ? -1 : real arguments;                                                            \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))
CALL(open, NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
CALL(open, NULL, FILE *, fopen64, (const char *path, const char *mode), (path, mode))
CALL(open, NULL, DIR *, opendir, (const char *path), (path))

CALL(map, MAP_FAILED, void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t o),
     (p, n, prot, flags, fd, o))
CALL(map, MAP_FAILED, void *, mmap64, (void *p, size_t n, int prot, int flags, int fd, off64_t o),
     (p, n, prot, flags, fd, o))

CALL(read, -1, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
CALL(read, -1, ssize_t, pread, (int fd, void *p, size_t n, off_t o), (fd, p, n, o))
CALL(read, -1, ssize_t, pread64, (int fd, void *p, size_t n, off64_t o), (fd, p, n, o))
CALL(write, -1, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
CALL(write, -1, ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o))
CALL(write, -1, ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t o), (fd, p, n, o))
CALL(flush, EOF, int, fflush, (FILE * f), (f))
CALL(sync, -1, int, fsync, (int fd), (fd))
CALL(sync, -1, int, fdatasync, (int fd), (fd))

CALL(name, -1, int, rename, (const char *a, const char *b), (a, b))
CALL(name, -1, int, renameat, (int x, const char *a, int y, const char *b), (x, a, y, b))
CALL(name, -1, int, link, (const char *a, const char *b), (a, b))
CALL(name, -1, int, linkat, (int x, const char *a, int y, const char *b, int flags), (x, a, y, b, flags))
CALL(remove, -1, int, unlink, (const char *path), (path))
CALL(remove, -1, int, unlinkat, (int at, const char *path, int flags), (at, path, flags))
CALL(directory, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(directory, -1, int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))

CALL(stat, -1, int, stat, (const char *path, struct stat *s), (path, s))
CALL(stat, -1, int, stat64, (const char *path, struct stat64 *s), (path, s))
CALL(stat, -1, int, lstat, (const char *path, struct stat *s), (path, s))
CALL(stat, -1, int, lstat64, (const char *path, struct stat64 *s), (path, s))
CALL(stat, -1, int, fstat, (int fd, struct stat *s), (fd, s))
CALL(stat, -1, int, fstat64, (int fd, struct stat64 *s), (fd, s))
CALL(stat, -1, int, fstatat, (int at, const char *path, struct stat *s, int flags), (at, path, s, flags))
CALL(stat, -1, int, fstatat64, (int at, const char *path, struct stat64 *s, int flags), (at, path, s, flags))
CALL(change, -1, int, ftruncate, (int fd, off_t size), (fd, size))
CALL(change, -1, int, ftruncate64, (int fd, off64_t size), (fd, size))
CALL(change, -1, int, fchmod, (int fd, mode_t mode), (fd, mode))
CALL(path, -1, int, access, (const char *path, int mode), (path, mode))
CALL(path, NULL, char *, realpath, (const char *path, char *out), (path, out))
CALL(random, -1, ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))

CALL(advice, -1, int, madvise, (void *p, size_t n, int advice), (p, n, advice))
CALL(advice, -1, int, sched_getaffinity, (pid_t pid, size_t n, cpu_set_t *set), (pid, n, set))
CALL(advice, EINVAL, int, pthread_setaffinity_np, (pthread_t t, size_t n, const cpu_set_t *set), (t, n, set))
CALL(thread, EAGAIN, int, pthread_create, (pthread_t * t, const pthread_attr_t *a, void *(*f)(void *), void *x),
     (t, a, f, x))

/* It closes all the same, as on Linux. */
int close(int fd)
{
    const bool wrong = goes_wrong(KIND_close);
    const int result = (int)syscall(SYS_close, fd);

    if (wrong)
        errno = errors[KIND_close];
    return wrong ? -1 : result;
}

int fclose(FILE *f)
{
    static int (*real)(FILE *);
    const bool wrong = goes_wrong(KIND_close);
    int result;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fclose");
    result = real(f);
    if (wrong)
        errno = errors[KIND_close];
    return wrong ? EOF : result;
}
