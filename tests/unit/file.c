/* Files: read whole, written whole or not at all; external data, which stays in the model's directory. */
#include "model/file.h"
#include "model/external.h"
#include "model/sha1.h"
#include "scratch.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* -- the system, as the library sees it here -- */

static int calls, fails_at; /* the call that fails, counted from 1; 0: none */
static bool in_pieces;      /* three bytes at a time, and every other call is interrupted */
static bool no_unnamed;     /* the file system has no files without a name */
static char done[16];       /* what succeeded, in its order: Write, Sync, Link, Rename; "s" is a directory's sync */
static int done_count;
static int steps, dies_at; /* the call before which this process is killed, counted from 1; 0: none */

/* What others do just before a call; each is done once. */
static void (*before_lock)(void), (*before_open)(void), (*before_rename)(void);

static void happen(void (**event)(void))
{
    void (*const it)(void) = *event;

    *event = NULL;
    if (it)
        it();
}

static void step(void)
{
    if (++steps == dies_at)
        kill(getpid(), SIGKILL);
}

static bool goes_wrong(void)
{
    calls++;
    if (in_pieces && calls % 2)
        errno = EINTR;
    else if (calls == fails_at)
        errno = EIO;
    else
        return false;
    return true;
}

#if defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64 /* the C library's names end in 64 then */
#define __real_openat __real_openat64
#define __wrap_openat __wrap_openat64
#define __real_pread  __real_pread64
#define __wrap_pread  __wrap_pread64
#endif

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...)
{
    step();
    if (flags & O_WRONLY && !(flags & (O_CREAT | O_NONBLOCK | O_DIRECTORY)))
        happen(&before_open);
    if ((flags & O_TMPFILE) == O_TMPFILE && no_unnamed) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (!in_pieces && goes_wrong())
        return -1;
    return __real_openat(directory, path, flags, 0666);
}

static void note(char what)
{
    if (done_count + 1 < (int)sizeof done)
        done[done_count++] = what;
    done[done_count] = 0;
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (fd <= 2) /* not the library's: that of the tests themselves */
        return __real_write(fd, bytes, size);
    step();
    if (goes_wrong())
        return -1;
    note('W');
    return __real_write(fd, bytes, in_pieces && size > 3 ? 3 : size);
}

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
    return goes_wrong() ? -1 : __real_pread(fd, bytes, in_pieces && size > 3 ? 3 : size, offset);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat status;

    step();
    if (goes_wrong())
        return -1;
    ck_assert_int_eq(fstat(fd, &status), 0);
    note(S_ISDIR(status.st_mode) ? 's' : 'S');
    return __real_fsync(fd);
}

int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new)
{
    step();
    happen(&before_rename);
    if (!in_pieces && goes_wrong())
        return -1;
    note('R');
    return __real_renameat(from, old, to, new);
}

int __real_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags)
{
    step();
    if (!in_pieces && goes_wrong())
        return -1;
    note('L');
    return __real_linkat(from, old, to, new, flags);
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    step();
    happen(&before_lock);
    return !in_pieces && goes_wrong() ? -1 : __real_flock(fd, operation);
}

int __real_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags)
{
    step();
    return __real_unlinkat(directory, name, flags);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    step();
    return !in_pieces && goes_wrong() ? -1 : __real_fchmod(fd, mode);
}

/* -- reading -- */

static void unreadable(const char *path, size_t most, kiln_status code, const char *part)
{
    uint8_t *bytes = (uint8_t *)&report;
    size_t size = 1;

    ck_assert(!file_read(path, most, &bytes, &size, &budget, &report));
    ck_assert_ptr_null(bytes);
    ck_assert_uint_eq(size, 0);
    expect_error(code, part);
}

static void contains(const char *path, const char *text)
{
    struct files *const files = report.files;
    uint8_t *bytes;
    size_t size;

    report.files = NULL; /* looking is no use of a file */
    expect_ok(file_read(path, 0, &bytes, &size, &budget, &report));
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_mem_eq(bytes, text, size);
    budget_free(&budget, bytes);
    report.files = files;
}

START_TEST(files_are_read)
{
    put_file("a", "hello", 5);
    put_file("empty", "", 0);
    contains("a", "hello");
    contains("empty", "");
    ck_assert_int_eq(symlink("a", "link"), 0);
    contains("link", "hello");
}
END_TEST

/* As many bytes more than 2^32 as could be read. */
START_TEST(a_file_that_no_memory_holds)
{
    uint8_t *bytes;
    size_t size;

    put_file("a", "", 0);
    ck_assert_int_eq(truncate("a", ((int64_t)1 << 32) + 5), 0);
    budget.limit = 1 << 20;
    ck_assert(!file_read("a", 0, &bytes, &size, &budget, &report));
    expect_error(KILN_LIMIT, "");
    ck_assert(!file_read("a", 1000, &bytes, &size, &budget, &report));
    expect_error(KILN_LIMIT, "at most 1000");
}
END_TEST

START_TEST(what_is_no_file_is_not_read)
{
    ck_assert_int_eq(mkdir("d", 0700), 0);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    put_file("a", "hello", 5);
    unreadable("none", 0, KILN_IO, "'none' cannot be opened: No such file");
    unreadable("", 0, KILN_IO, "cannot be opened");
    unreadable("d", 0, KILN_IO, "'d' is a directory");
    unreadable("fifo", 0, KILN_IO, "'fifo' is a FIFO");
    unreadable("/dev/zero", 0, KILN_IO, "'/dev/zero' is a device");
    unreadable("a", 4, KILN_LIMIT, "'a' has 5 bytes, at most 4 are read");
    budget.limit = 64;
    unreadable("a", 0, KILN_LIMIT, "memory limit");
}
END_TEST

/* -- writing -- */

/* Names in the directory, hidden ones included. */
static int names(const char *path)
{
    DIR *d = opendir(path);
    int n = -2;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static mode_t mode(const char *path)
{
    struct stat status;

    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void unwritable(const char *path, const char *part)
{
    const int before = names(".");

    ck_assert(!file_write(path, "new", 3, &report));
    expect_error(KILN_IO, part);
    ck_assert(!file_claim(path, FILE_WRITE, &report));
    expect_error(KILN_IO, part);
    ck_assert_int_eq(names("."), before);
}

START_TEST(files_are_written)
{
    char absolute[256];

    umask(027);
    expect_ok(file_write("a", "one", 3, &report));
    contains("a", "one");
    ck_assert_uint_eq(mode("a"), 0640);
    ck_assert_int_eq(chmod("a", 0604), 0);
    expect_ok(file_write("a", "", 0, &report));
    contains("a", "");
    ck_assert_uint_eq(mode("a"), 0604); /* kept */
    expect_ok(file_claim("a", FILE_WRITE, &report));
    contains("a", "");
    ck_assert_int_eq(names("."), 1);
    expect_ok(file_claim("not-yet", FILE_WRITE, &report));
    ck_assert_int_eq(names("."), 1);
    ck_assert_int_eq(mkdir("d", 0700), 0);
    expect_ok(file_write("d/b", "two", 3, &report));
    contains("d/b", "two");
    snprintf(absolute, sizeof absolute, "%s/c", scratch);
    expect_ok(file_write(absolute, "three", 5, &report));
    contains("c", "three");
    ck_assert_int_eq(names("."), 3);
    ck_assert_int_eq(names("d"), 1);
}
END_TEST

/* A power failure leaves the old file or the new one: the content is on the disk before it has the name, and the name
 * before it is told that all went well. */
/* Pieces of all sizes, around that up to which they are put together. */
static bool put_pieces(void *user, struct file_sink *to)
{
    static char bytes[1 << 15];
    const bool breaks = *(const bool *)user;
    size_t at = 0;

    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (char)(k * 7);
    for (size_t n = 0; n < 1 << 15; n = n * 2 + 1) {
        if (!file_put(to, bytes, n) || !file_put(to, "x", 1))
            return false;
        at += n + 1;
    }
    return !breaks && at;
}

START_TEST(pieces_are_written_one_after_the_other)
{
    uint8_t *bytes;
    size_t size, at = 0;

    expect_ok(file_produce_model("a", put_pieces, &(bool){ false }, &report));
    expect_ok(file_read("a", 0, &bytes, &size, &budget, &report));
    for (size_t n = 0; n < 1 << 15; n = n * 2 + 1) {
        for (size_t k = 0; k < n; k++, at++)
            ck_assert_int_eq(bytes[at], (uint8_t)(k * 7));
        ck_assert_int_eq(bytes[at++], 'x');
    }
    ck_assert_uint_eq(size, at);
    budget_free(&budget, bytes);
    put_file("a", "old", 3);
    ck_assert(!file_produce_model("a", put_pieces, &(bool){ true }, &report));
    contains("a", "old");
    ck_assert_int_eq(names("."), 1);
}
END_TEST

START_TEST(what_is_written_is_on_the_disk)
{
    for (int named = 0; named < 2; named++) {
        no_unnamed = named;
        done_count = 0;
        expect_ok(file_write(named ? "b" : "a", "one", 3, &report));
        ck_assert_str_eq(done, named ? "WSRs" : "WSLs");
        done_count = 0;
        expect_ok(file_write("a", "two", 3, &report));
        ck_assert_str_eq(done, named ? "WSRs" : "WSLRs");
    }
}
END_TEST

START_TEST(links_stay_links)
{
    struct stat status;

    ck_assert_int_eq(mkdir("d", 0700), 0);
    put_file("d/a", "old", 3);
    ck_assert_int_eq(symlink("d/a", "link"), 0);
    ck_assert_int_eq(link("d/a", "hard"), 0);
    expect_ok(file_write("link", "new", 3, &report));
    contains("d/a", "new");
    contains("hard", "old"); /* another name of the old file: that is not ours to change */
    ck_assert_int_eq(lstat("link", &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(names("d"), 1);
    ck_assert_int_eq(symlink("nowhere", "broken"), 0);
    unwritable("broken", "is a symbolic link that leads nowhere");
    ck_assert_int_eq(symlink("loop", "loop"), 0);
    unwritable("loop", "is a symbolic link that leads nowhere");
}
END_TEST

START_TEST(what_is_no_file_is_not_replaced)
{
    char *path = malloc(9000);

    ck_assert_int_eq(mkdir("d", 0700), 0);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    unwritable("d", "'d' is a directory");
    unwritable("d/", "'d/' is a directory");
    unwritable("fifo", "'fifo' is a FIFO");
    unwritable("/dev/null", "is a device");
    unwritable("", "name of the file is empty");
    unwritable("none/a", "has no directory to be written to");
    unwritable("fifo/a", "cannot be written");
    memset(path, 'x', 8999);
    path[8999] = 0;
    ck_assert(!file_write(path, "", 0, &report)); /* the message is cut off, as the path is */
    ck_assert_int_eq(report.error.code, KILN_IO);
    report = (struct report){ 0 };
    path[300] = 0;
    ck_assert(!file_write(path, "", 0, &report));
    ck_assert_int_eq(report.error.code, KILN_IO);
    ck_assert_int_eq(names("."), 2);
    free(path);
    report = (struct report){ 0 };
}
END_TEST

/* A disk that is full in the middle, as far as this process can tell. */
START_TEST(what_is_there_survives_a_failure)
{
    const struct rlimit limit = { .rlim_cur = 1000, .rlim_max = RLIM_INFINITY };
    char *big = calloc(1, 100000);

    expect_ok(file_write("a", "old", 3, &report));
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(!file_write("a", big, 100000, &report));
    expect_error(KILN_IO, "'a' cannot be written: File too large");
    ck_assert(!file_write("b", big, 100000, &report));
    expect_error(KILN_IO, "'b' cannot be written: File too large");
    contains("a", "old");
    ck_assert_int_eq(names("."), 1);
    free(big);
}
END_TEST

START_TEST(a_directory_without_permission)
{
    bool written;

    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0); /* root may do everything */
    written = file_write("/a-file-that-nobody-may-make-here", "", 0, &report);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert(!written);
    expect_error(KILN_IO, "cannot be written: Permission denied");
}
END_TEST

START_TEST(short_and_interrupted_calls_go_on)
{
    put_file("a", "0123456789", 10);
    in_pieces = true;
    contains("a", "0123456789");
    expect_ok(file_write("b", "0123456789", 10, &report));
    contains("b", "0123456789");
    ck_assert_int_gt(calls, 20);
}
END_TEST

/* Each call to the system fails in turn, with files without names and where the file system has none. */
START_TEST(every_call_may_fail)
{
    for (int named = 0; named < 2; named++) {
        bool all = false; /* the call that was to fail did not come any more */
        int k;

        no_unnamed = named;
        for (k = 1; !all; k++) {
            uint8_t *bytes;
            size_t size;
            bool written;

            fails_at = 0;
            expect_ok(file_write("a", "old", 3, &report));
            calls = 0;
            fails_at = k;
            written = file_write("a", "new", 3, &report);
            ck_assert(!written == failed(&report));
            ck_assert(written || report.error.code == KILN_IO);
            report = (struct report){ 0 };
            all = calls < k;
            ck_assert(written || !all);
            fails_at = 0;
            ck_assert_int_eq(names("."), 1);
            expect_ok(file_read("a", 0, &bytes, &size, &budget, &report));
            ck_assert_uint_eq(size, 3);
            ck_assert(!memcmp(bytes, "new", 3) || (!written && !memcmp(bytes, "old", 3)));
            budget_free(&budget, bytes);
        }
        ck_assert_int_gt(k, 5);
    }
    calls = 0;
    fails_at = 1;
    unreadable("a", 0, KILN_IO, "'a' cannot be read: Input/output error");
}
END_TEST

/* -- killed while writing -- */

/* Writes in another process, which is killed before its kth call to the system; false where there were not so many. */
static bool killed_at(int k)
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        steps = 0;
        dies_at = k;
        _exit(!file_write("a", "new", 3, &report));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void old_or_new(void)
{
    uint8_t *bytes;
    size_t size;

    expect_ok(file_read("a", 0, &bytes, &size, &budget, &report));
    ck_assert_uint_eq(size, 3);
    ck_assert(!memcmp(bytes, "new", 3) || !memcmp(bytes, "old", 3));
    budget_free(&budget, bytes);
}

/* What is left is removed by whoever writes there next. */
static void kill_at_each_step(bool named, bool exists)
{
    bool killed = true;
    int left = 0, k;

    no_unnamed = named;
    for (k = 1; killed; k++) {
        unlink("a");
        if (exists)
            put_file("a", "old", 3);
        killed = killed_at(k);
        if (access("a", F_OK) == 0)
            old_or_new();
        else
            ck_assert(!exists && killed);
        left += names(".") > (access("a", F_OK) == 0);
        expect_ok(file_write("a", "end", 3, &report));
        contains("a", "end");
        ck_assert_int_eq(names("."), 1);
    }
    ck_assert_int_gt(k, 10);
    ck_assert(!left == (!named && !exists)); /* a file without a name that replaces none gets its name at once */
}

START_TEST(what_a_kill_leaves_is_swept)
{
    for (int k = 0; k < 4; k++)
        kill_at_each_step(k & 1, k & 2);
}
END_TEST

/* The claim before the work does not: what of such a name will be read is not known yet. */
START_TEST(a_claim_does_not_sweep)
{
    put_file(".a.kiln-0.tmp", "1", 1);
    put_file(".a.kiln-7.tmp", "1", 1);
    expect_ok(file_claim("a", FILE_WRITE, &report));
    ck_assert_int_eq(names("."), 2);
    expect_ok(file_write("a", "new", 3, &report));
    ck_assert_int_eq(names("."), 1);
}
END_TEST

START_TEST(nothing_else_is_swept)
{
    static const char *const others[] = { ".b.kiln-0.tmp", ".a.kiln-.tmp", "a.kiln-0.tmp", ".a.kiln-0.tmp.x",
                                          ".a.tmp" };
    struct stat status;
    int fd, reader;

    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        put_file(others[k], "1", 1);
    put_file("kept", "1", 1);
    ck_assert_int_eq(mkdir(".a.kiln-0.tmp", 0700), 0);
    ck_assert_int_eq(symlink("kept", ".a.kiln-1.tmp"), 0);
    ck_assert_int_eq(mkfifo(".a.kiln-2.tmp", 0600), 0);
    reader = open(".a.kiln-2.tmp", O_RDONLY | O_NONBLOCK);
    put_file(".a.kiln-3.tmp", "1", 1);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(".a.kiln-3.tmp", 65534, 65534), 0); /* another one's */
    else
        ck_assert_int_eq(chmod(".a.kiln-3.tmp", 0), 0);
    put_file(".a.kiln-4.tmp", "1", 1); /* being written */
    fd = open(".a.kiln-4.tmp", O_RDONLY);
    ck_assert(fd >= 0 && __real_flock(fd, LOCK_EX) == 0);
    for (int named = 0; named < 2; named++) {
        no_unnamed = named;
        expect_ok(file_write("a", "new", 3, &report));
        contains("a", "new");
        ck_assert_int_eq(names("."), 12);
    }
    ck_assert_int_eq(lstat(".a.kiln-1.tmp", &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    close(fd);
    close(reader);
    expect_ok(file_write("a", "new", 3, &report));
    ck_assert_int_eq(names("."), 11); /* nobody writes the fifth any more */
    for (int k = 0; k < 5; k++) {
        char name[32];

        snprintf(name, sizeof name, ".a.kiln-%d.tmp", k);
        ck_assert(unlink(name) == 0 || rmdir(name) == 0 || k == 4);
    }
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        unlink(others[k]);
}
END_TEST

static int ready[2], go[2];

static void wait_for_go(void)
{
    char c = 0;

    ck_assert_int_eq(__real_write(ready[1], &c, 1), 1);
    ck_assert_int_eq(read(go[0], &c, 1), 1);
}

/* Somebody stops just before the rename, others write the same file, and it goes on. */
START_TEST(who_still_writes_is_left_alone)
{
    for (int named = 0; named < 2; named++) {
        pid_t child;
        int status;
        char c;

        no_unnamed = named;
        put_file("a", "old", 3);
        ck_assert(pipe(ready) == 0 && pipe(go) == 0);
        child = fork();
        if (child == 0) {
            before_rename = wait_for_go;
            _exit(!file_write("a", "slow", 4, &report));
        }
        ck_assert_int_eq(read(ready[0], &c, 1), 1);
        for (int k = 0; k < 2; k++) {
            expect_ok(file_write("a", "quick", 5, &report));
            contains("a", "quick");
            ck_assert_int_eq(names("."), 2);
        }
        ck_assert_int_eq(__real_write(go[1], &c, 1), 1);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        contains("a", "slow");
        ck_assert_int_eq(names("."), 1);
    }
}
END_TEST

static int sweeper = -1;

static void swept_meanwhile(void)
{
    sweeper = open(".a.kiln-0.tmp", O_WRONLY);
    ck_assert(sweeper >= 0 && __real_flock(sweeper, LOCK_EX | LOCK_NB) == 0 && unlink(".a.kiln-0.tmp") == 0);
}

static void swept_and_gone(void)
{
    swept_meanwhile();
    close(sweeper);
}

static void sweeper_goes_on(void)
{
    ck_assert_int_eq(unlink(".a.kiln-0.tmp"), 0);
    close(sweeper);
}

static void swept_later(void)
{
    sweeper = open(".a.kiln-0.tmp", O_WRONLY);
    ck_assert(sweeper >= 0 && __real_flock(sweeper, LOCK_EX | LOCK_NB) == 0);
    before_rename = sweeper_goes_on;
}

/* Between being made and being locked a file may be taken for one that was left. */
START_TEST(a_file_that_was_swept_is_made_again)
{
    static void (*const sweeps[])(void) = { swept_meanwhile, swept_and_gone, swept_later };

    no_unnamed = true;
    for (int k = 0; k < 3; k++) {
        before_lock = sweeps[k];
        expect_ok(file_write("a", "new", 3, &report));
        ck_assert(!before_lock && !before_rename);
        contains("a", "new");
        ck_assert_int_eq(names("."), 1);
        unlink("a");
    }
}
END_TEST

static void name_goes_to_another(void)
{
    ck_assert_int_eq(rename(".a.kiln-0.tmp", "elsewhere"), 0);
    put_file(".a.kiln-0.tmp", "other", 5);
}

START_TEST(only_the_file_that_is_locked_is_swept)
{
    put_file(".a.kiln-0.tmp", "left", 4);
    before_lock = name_goes_to_another;
    expect_ok(file_write("a", "new", 3, &report));
    ck_assert(!before_lock);
    contains(".a.kiln-0.tmp", "other");
    contains("elsewhere", "left");
    unlink(".a.kiln-0.tmp");
}
END_TEST

/* -- what is read, and what is written -- */

static struct files apart;

static void enter_files(void)
{
    enter_scratch();
    ck_assert_int_eq(mkdir("d", 0700), 0);
    ck_assert_int_eq(symlink("d", "e"), 0);
    put_file("d/data", "data", 4);
    ck_assert_int_eq(symlink("d/data", "soft"), 0);
    ck_assert_int_eq(link("d/data", "hard"), 0);
    report.files = &apart;
}

static void leave_files(void)
{
    files_release(&apart);
    report.files = NULL;
    leave_scratch();
}

static void start_again(void)
{
    files_release(&apart);
    report = (struct report){ .files = &apart };
}

static void refused(bool ok, const char *part)
{
    ck_assert(!ok);
    expect_error(KILN_BAD_ARGUMENT, part);
    report.files = &apart;
}

static void read_data(const char *path)
{
    uint8_t *bytes;
    size_t size;

    expect_ok(file_read(path, 0, &bytes, &size, &budget, &report));
    budget_free(&budget, bytes);
}

static bool open_model(const char *path)
{
    size_t size;
    const int fd = file_open(path, FILE_READ_MODEL, 0, &size, &report);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool open_log(const char *path)
{
    FILE *const f = file_open_log(path, &report);

    return f && fclose(f) == 0;
}

static const char *const ways[] = { "d/data", "./d//data", "e/data", "soft", "hard" }; /* to one file */
enum { WAYS = sizeof ways / sizeof *ways };

START_TEST(what_is_read_is_not_written)
{
    for (int from = 0; from < WAYS; from++)
        for (int to = 0; to < WAYS; to++) {
            const char *part =
                from == to ? "is read, an output needs another file" : "which is read: it needs another one";

            start_again();
            read_data(ways[from]);
            refused(file_write(ways[to], "", 0, &report), part);
            refused(file_write_model(ways[to], "", 0, &report), part);
            refused(open_log(ways[to]), part);
            for (int use = FILE_WRITE; use <= FILE_WRITE_LOG; use *= 2) {
                refused(file_claim(ways[to], (enum file_use)use, &report), part);
                ck_assert_int_eq(names("."), 4);
                ck_assert_int_eq(names("d"), 1);
            }
            contains("d/data", "data");
            expect_ok(file_write("d/other", "", 0, &report) && unlink("d/other") == 0);
        }
}
END_TEST

START_TEST(what_will_be_written_is_not_read)
{
    for (int use = FILE_WRITE; use <= FILE_WRITE_LOG; use *= 2)
        for (int way = 0; way < WAYS; way++) {
            uint8_t *bytes;
            size_t size;

            start_again();
            expect_ok(file_claim("soft", (enum file_use)use, &report));
            refused(file_read(ways[way], 0, &bytes, &size, &budget, &report), " is read");
            ck_assert(open_model(ways[way]) == (use == FILE_WRITE_MODEL));
            start_again();
        }
}
END_TEST

/* Somebody may have taken such a name for a file of his own. */
START_TEST(what_is_read_or_written_is_not_swept)
{
    FILE *log;

    start_again();
    put_file(".a.kiln-0.tmp", "data", 4);
    put_file(".a.kiln-2.tmp", "left", 4);
    read_data(".a.kiln-0.tmp");
    log = file_open_log(".a.kiln-1.tmp", &report);
    expect_ok(log && fputs("log", log) > 0);
    expect_ok(file_write("a", "new", 3, &report));
    ck_assert(fclose(log) == 0);
    contains(".a.kiln-0.tmp", "data");
    contains(".a.kiln-1.tmp", "log");
    ck_assert_int_eq(access(".a.kiln-2.tmp", F_OK), -1);
    ck_assert(unlink("a") == 0 && unlink(".a.kiln-0.tmp") == 0 && unlink(".a.kiln-1.tmp") == 0);
}
END_TEST

START_TEST(a_model_may_be_written_over_its_own_file)
{
    expect_ok(file_claim("soft", FILE_WRITE_MODEL, &report) && open_model("d/data"));
    expect_ok(file_write_model("soft", "one", 3, &report) && file_write_model("soft", "two", 3, &report));
    contains("d/data", "two");
    start_again();
    expect_ok(open_model("d/data"));
    refused(file_write("soft", "", 0, &report), "'soft' is the same file as 'd/data', which is read");
    refused(open_log("soft"), "which is read");
    read_data("e/data"); /* as external data as well */
    refused(file_write_model("soft", "", 0, &report), "which is read");
    contains("d/data", "two");
}
END_TEST

/* Those that are there, and those that are not yet. */
START_TEST(two_outputs_are_two_files)
{
    static const char *const to_come[] = { "d/new", "d/./new", "e/new", "e/../d/new" };

    for (int there = 0; there < 2; there++)
        for (int one = 0; one < (there ? WAYS : 4); one++)
            for (int other = 0; other < (there ? WAYS : 4); other++) {
                const char *const a = (there ? ways : to_come)[one], *b = (there ? ways : to_come)[other];
                const char *part = one == other ? "is given for two outputs" : "are the same file, each needs";

                start_again();
                expect_ok(file_claim(a, FILE_WRITE, &report));
                refused(file_claim(b, FILE_WRITE, &report), part);
                refused(file_claim(b, FILE_WRITE_MODEL, &report), part);
                refused(file_claim(b, FILE_WRITE_LOG, &report), part);
                if (one != other) {
                    refused(file_write(b, "", 0, &report), part);
                    refused(open_log(b), part);
                }
            }
    start_again();
    expect_ok(file_write("d/new", "one", 3, &report)); /* was not claimed */
    expect_ok(file_write("d/new", "two", 3, &report));
    refused(file_write("e/new", "", 0, &report), "outputs 'd/new' and 'e/new' are the same file");
    contains("d/new", "two");
    expect_ok(file_claim("d/newer", FILE_WRITE, &report) && file_claim("new", FILE_WRITE, &report));
    expect_ok(file_write("d/newer", "", 0, &report) && file_write("new", "", 0, &report));
}
END_TEST

/* The system gives the number of a file that was deleted to the next one. */
START_TEST(numbers_of_files_are_used_again)
{
    struct file_target t = { .path = "a", .exists = true, .name = "a" };
    struct stat s = { .st_dev = 1, .st_ino = 2 };

    t.file = s;
    t.directory = (struct stat){ .st_dev = 1, .st_ino = 1 };
    expect_ok(files_read(&s, "data", FILE_READ, &report));
    refused(files_write(&t, FILE_WRITE, &report), "'a' is the same file as 'data', which is read");
    expect_ok(files_made(&s, "a", FILE_WRITE, &report) && files_write(&t, FILE_WRITE, &report));
    t.path = t.name = "b";
    refused(files_write(&t, FILE_WRITE, &report), "outputs 'a' and 'b'");
    expect_ok(files_made(&s, "b", FILE_WRITE, &report) && files_write(&t, FILE_WRITE, &report));
}
END_TEST

static void input_is_put_there(void)
{
    ck_assert_int_eq(rename("hard", "log"), 0);
}

START_TEST(logs_are_emptied)
{
    int fd;

    put_file("log", "old", 3);
    expect_ok(file_claim("log", FILE_WRITE_LOG, &report));
    contains("log", "old");
    expect_ok(open_log("log"));
    contains("log", "");
    put_file("log", "old", 3);
    expect_ok(open_log("new") && open_log("/dev/null") && file_claim("/dev/null", FILE_WRITE_LOG, &report));
    expect_ok(file_claim("/dev/null", FILE_WRITE_LOG, &report)); /* there is nothing to lose */
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    fd = open("fifo", O_RDONLY | O_NONBLOCK);
    expect_ok(open_log("fifo"));
    close(fd);
    ck_assert(!open_log("none/log"));
    expect_error(KILN_IO, "has no directory");
    report.files = &apart;
    ck_assert(!open_log("d"));
    expect_error(KILN_IO, "'d' is a directory");
    report.files = &apart;
    read_data("d/data");
    before_open = input_is_put_there;
    refused(open_log("log"), "which is read");
    ck_assert(!before_open);
    contains("d/data", "data");
}
END_TEST

/* -- checksums -- */

START_TEST(sha1_of_known_texts)
{
    static const struct {
        const char *text, *sum;
        int times;
    } cases[] = {
        { "", "da39a3ee5e6b4b0d3255bfef95601890afd80709", 1 },
        { "abc", "a9993e364706816aba3e25717850c26c9cd0d89d", 1 },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1", 1 },
        { "aaaaaaaaaa", "34aa973cd4c4daa4f61eeb2bdbad27316534016f", 100000 },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct sha1 s;
        char hex[SHA1_HEX];

        sha1_init(&s);
        for (int n = 0; n < cases[k].times; n++)
            sha1_add(&s, cases[k].text, strlen(cases[k].text));
        sha1_end(&s, hex);
        ck_assert_str_eq(hex, cases[k].sum);
    }
}
END_TEST

/* -- external data -- */

static struct external external;

static void enter_external(void)
{
    enter_scratch();
    ck_assert_int_eq(mkdir("m", 0700), 0);
    ck_assert_int_eq(mkdir("m/sub", 0700), 0);
    put_file("m/w.bin", "0123456789", 10);
    put_file("m/sub/v.bin", "abcdef", 6);
    put_file("outside", "secret", 6);
    expect_ok(external_open(&external, "m/model.onnx", NULL, &budget, &report));
}

static void leave_external(void)
{
    external_close(&external);
    leave_scratch();
}

static void link_to(const char *target, const char *path)
{
    ck_assert_int_eq(symlink(target, path), 0);
}

/* Loads `size` bytes of a tensor with these keys and values; a list that ends with NULL. */
static char *load(int64_t size, char *const *entries)
{
    Onnx__StringStringEntryProto entry[8], *pointers[8];
    Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;

    t.has_data_location = 1;
    t.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t.external_data = pointers;
    for (; entries[0]; entries += 2) {
        onnx__string_string_entry_proto__init(&entry[t.n_external_data]);
        entry[t.n_external_data].key = entries[0];
        entry[t.n_external_data].value = entries[1];
        pointers[t.n_external_data] = &entry[t.n_external_data];
        t.n_external_data++;
    }
    ck_assert(external_is(&t));
    return external_load(&external, &t, size, "w", &budget, &report);
}

#define LOAD(size, ...) load(size, (char *[]){ __VA_ARGS__, NULL })

static void loads(char *bytes, const char *expected)
{
    expect_ok(bytes);
    ck_assert_mem_eq(bytes, expected, strlen(expected));
    budget_free(&budget, bytes);
}

static void refuses(const char *bytes, kiln_status code, const char *part)
{
    ck_assert_ptr_null(bytes);
    ck_assert_str_eq(report.error.where, "w");
    expect_error(code, part);
}

static char location[] = "location", offset[] = "offset", length[] = "length", checksum[] = "checksum",
            w_bin[] = "w.bin";

START_TEST(external_data_is_loaded)
{
    char v_bin[] = "sub/v.bin", dotted[] = "./sub//./v.bin", two[] = "2", three[] = "3", zero[] = "0", ten[] = "10";
    char basepath[] = "basepath", sum[] = "87ACEC17CD9DCD20A716CC2CF67417B71C8A7016", text[] = "x";

    loads(LOAD(10, location, w_bin), "0123456789");
    loads(LOAD(3, location, w_bin, offset, two, length, three), "234");
    loads(LOAD(8, location, w_bin, offset, two), "23456789");
    loads(LOAD(6, location, v_bin), "abcdef");
    loads(LOAD(6, location, dotted, basepath, text), "abcdef");
    loads(LOAD(0, location, w_bin, offset, ten, length, zero), "");
    loads(LOAD(4, location, w_bin), "0123"); /* the file goes on */
    loads(LOAD(4, location, w_bin, offset, two), "2345");
    loads(LOAD(4, location, w_bin, length, zero), "0123");
    loads(LOAD(4, location, w_bin, length, zero, offset, two), "2345");
    loads(LOAD(0, location, w_bin), "");
    loads(LOAD(10, location, w_bin, checksum, sum), "0123456789");
    loads(LOAD(3, location, w_bin, offset, two, length, three, checksum, sum), "234"); /* of the whole file */
    sum[0] = '9';
    refuses(LOAD(10, location, w_bin, checksum, sum), KILN_BAD_MODEL,
            "that of 'w.bin' is 87acec17cd9dcd20a716cc2cf67417b71c8a7016");
}
END_TEST

START_TEST(locations_stay_below_the_model)
{
    static const struct {
        const char *location, *part;
        kiln_status code;
    } cases[] = {
        { "", "is empty", KILN_BAD_MODEL },
        { "/etc/passwd", "is absolute", KILN_BAD_MODEL },
        { "C:\\w.bin", "is absolute", KILN_BAD_MODEL },
        { "sub\\v.bin", "has a backslash", KILN_BAD_MODEL },
        { "..\\outside", "has a backslash", KILN_BAD_MODEL },
        { "../outside", "has '..'", KILN_BAD_MODEL },
        { "sub/../../outside", "has '..'", KILN_BAD_MODEL },
        { "sub/..", "has '..'", KILN_BAD_MODEL },
        { "sub", "is not a regular file", KILN_BAD_MODEL },
        { "sub/", "is not the path of a file", KILN_BAD_MODEL },
        { ".", "is not a regular file", KILN_BAD_MODEL },
        { "none", "No such file", KILN_IO },
        { "w.bin/x", "Not a directory", KILN_IO },
        { "link", "symbolic link to a place", KILN_BAD_MODEL },
        { "absolute", "symbolic link to a place", KILN_BAD_MODEL },
        { "twice", "symbolic link to a place", KILN_BAD_MODEL },
        { "up/outside", "symbolic link to a place", KILN_BAD_MODEL },
        { "namesake", "symbolic link to a place", KILN_BAD_MODEL },
        { "null", "symbolic link to a place", KILN_BAD_MODEL },
        { "up", "symbolic link to a place", KILN_BAD_MODEL },
        { "to_sub", "is not a regular file", KILN_BAD_MODEL },
        { "to_fifo", "is not a regular file", KILN_BAD_MODEL },
        { "to_hard", "has several hard links", KILN_BAD_MODEL },
        { "dangling", "No such file", KILN_IO },
        { "loop", "Too many levels", KILN_IO },
        { "to_file", "Not a directory", KILN_IO },
        { "fifo", "is not a regular file", KILN_BAD_MODEL },
        { "hard", "has several hard links", KILN_BAD_MODEL },
    };
    char absolute[64];

    snprintf(absolute, sizeof absolute, "%s/outside", scratch);
    ck_assert_int_eq(mkdir("more", 0700), 0); /* "m" is how it begins, no more */
    put_file("more/v.bin", "secret", 6);
    link_to("../outside", "m/link");
    link_to(absolute, "m/absolute");
    link_to("sub/../link", "m/twice");
    link_to("..", "m/up");
    link_to("../more/v.bin", "m/namesake");
    link_to("/dev/null", "m/null");
    link_to("sub", "m/to_sub");
    link_to("fifo", "m/to_fifo");
    link_to("hard", "m/to_hard");
    link_to("nowhere", "m/dangling");
    link_to("loop", "m/loop");
    link_to("w.bin/", "m/to_file");
    ck_assert_int_eq(mkfifo("m/fifo", 0600), 0);
    ck_assert_int_eq(link("outside", "m/hard"), 0);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[64];

        strcpy(text, cases[k].location);
        refuses(LOAD(6, location, text), cases[k].code, cases[k].part);
    }
    ck_assert_int_eq(unlink("m/up"), 0);
}
END_TEST

START_TEST(links_below_the_model_are_followed)
{
    static const char *const below[] = {
        "inner", "absolute", "twice", "folder/../sub/../w.bin", "up/m/w.bin", "chain0"
    };
    char absolute[64];

    snprintf(absolute, sizeof absolute, "%s/m/w.bin", scratch);
    link_to("w.bin", "m/inner");
    link_to(absolute, "m/absolute");
    link_to("./sub//../inner", "m/twice");
    link_to("sub/", "m/folder");
    link_to("..", "m/up");
    for (int k = 0; k < 39; k++) { /* as many as Linux follows, with the last one */
        char from[16], to[16];

        snprintf(from, sizeof from, "m/chain%d", k);
        snprintf(to, sizeof to, "chain%d", k + 1);
        link_to(k < 38 ? to : "inner", from);
    }
    for (size_t k = 0; k < sizeof below / sizeof *below; k++) {
        char text[64];

        strcpy(text, below[k]);
        if (strstr(text, "..")) /* is for links alone */
            refuses(LOAD(4, location, text), KILN_BAD_MODEL, "has '..'");
        else
            loads(LOAD(4, location, text), "0123");
    }
    ck_assert_int_eq(unlink("m/chain38") + unlink("m/up"), 0);
    link_to("chain39", "m/chain38");
    link_to("inner", "m/chain39");
    refuses(LOAD(4, location, (char[]){ "chain0" }), KILN_IO, "Too many levels");
}
END_TEST

/* The model's path is a link: snapshot/model.onnx leads to blobs/model, snapshot/data to blobs/data. */
static void open_snapshot(const char *read)
{
    struct stat s;

    ck_assert_int_eq(stat(read, &s), 0);
    external_close(&external);
    expect_ok(external_open(&external, "snapshot/model.onnx", &s, &budget, &report));
}

START_TEST(a_model_that_is_a_link_has_two_directories)
{
    char data[] = "data", v_bin[] = "v.bin", out[] = "outside", own[] = "own.bin", near[] = "near";
    struct external copy;

    ck_assert_int_eq(mkdir("blobs", 0700) + mkdir("blobs/deep", 0700) + mkdir("snapshot", 0700), 0);
    put_file("blobs/model", "model", 5);
    put_file("blobs/deep/data", "abcdef", 6);
    put_file("snapshot/own.bin", "ghijkl", 6);
    put_file("model", "another", 7);
    link_to("../blobs/model", "snapshot/model.onnx");
    link_to("../blobs/deep/data", "snapshot/data");
    link_to("../m/sub/v.bin", "snapshot/v.bin");
    link_to("../outside", "snapshot/outside");
    link_to("deep/data", "blobs/near");
    open_snapshot("blobs/model");
    loads(LOAD(6, location, data), "abcdef");
    loads(LOAD(6, location, own), "ghijkl");
    refuses(LOAD(6, location, near), KILN_IO, "No such file"); /* a location is one beside the link */
    refuses(LOAD(6, location, v_bin), KILN_BAD_MODEL, "that the model is a link to");
    refuses(LOAD(6, location, out), KILN_BAD_MODEL, "that the model is a link to");
    expect_ok(external_copy(&copy, &external, &budget, &report));
    external_close(&external);
    external = copy;
    loads(LOAD(6, location, data), "abcdef");
    open_snapshot("model"); /* that was read, and the link leads elsewhere since: where is nobody's to say */
    refuses(LOAD(6, location, data), KILN_BAD_MODEL, "symbolic link to a place");
    loads(LOAD(6, location, own), "ghijkl");
    ck_assert_int_eq(unlink("snapshot/model.onnx") + rename("blobs/model", "snapshot/model.onnx"), 0);
    open_snapshot("snapshot/model.onnx"); /* no link any more */
    refuses(LOAD(6, location, data), KILN_BAD_MODEL, "symbolic link to a place");
    loads(LOAD(6, location, own), "ghijkl");
}
END_TEST

START_TEST(sizes_and_keys_are_checked)
{
    static const char *const bad[] = { "-1", "+1", " 1", "1 ", "", "0x1", "1e3", "nine", "9223372036854775808" };
    char eleven[] = "11", ten[] = "10", four[] = "4", huge[] = "9223372036854775807", key[] = "sha", twice[] = "4";
    char zero[] = "0", three[] = "3";

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        char text[32];

        strcpy(text, bad[k]);
        refuses(LOAD(4, location, w_bin, offset, text), KILN_BAD_MODEL, "external_data 'offset' is");
        refuses(LOAD(4, location, w_bin, length, text), KILN_BAD_MODEL, "external_data 'length' is");
    }
    refuses(LOAD(4, location, w_bin, offset, eleven), KILN_BAD_MODEL,
            "offset 11 is past the end of 'w.bin' (10 bytes)");
    refuses(LOAD(4, location, w_bin, offset, huge, length, four), KILN_BAD_MODEL, "past the end");
    refuses(LOAD(4, location, w_bin, length, ten), KILN_BAD_MODEL, "length is 10, the type and shape need 4 bytes");
    refuses(LOAD(11, location, w_bin, length, eleven), KILN_BAD_MODEL, "11 bytes from offset 0 run past the end");
    refuses(LOAD(INT64_MAX, location, w_bin, offset, four), KILN_BAD_MODEL, "run past the end");
    refuses(LOAD(11, location, w_bin), KILN_BAD_MODEL, "11 bytes from offset 0 run past the end of 'w.bin' (10 bytes)");
    refuses(LOAD(7, location, w_bin, offset, four), KILN_BAD_MODEL, "7 bytes from offset 4 run past the end");
    refuses(LOAD(11, location, w_bin, length, zero), KILN_BAD_MODEL, "11 bytes from offset 0 run past the end");
    refuses(LOAD(4, location, w_bin, length, three), KILN_BAD_MODEL, "length is 3, the type and shape need 4 bytes");
    refuses(LOAD(0, location, w_bin, length, four), KILN_BAD_MODEL, "length is 4, the type and shape need 0 bytes");
    refuses(LOAD(4, location, w_bin, length, zero, length, four), KILN_BAD_MODEL, "has 'length' twice");
    refuses(LOAD(4, location, w_bin, key, four), KILN_BAD_MODEL, "has the key 'sha'");
    refuses(LOAD(4, location, w_bin, length, four, length, twice), KILN_BAD_MODEL, "has 'length' twice");
    refuses(LOAD(4, length, four), KILN_BAD_MODEL, "has no location");
    refuses(LOAD(4, location, NULL), KILN_BAD_MODEL, "external_data[0] has no value");
    budget.limit = budget.used + 64;
    ck_assert_ptr_null(LOAD(10, location, w_bin));
    expect_error(KILN_LIMIT, "memory limit");
}
END_TEST

START_TEST(a_model_from_memory_has_no_directory)
{
    char parent[] = "../outside";

    external_close(&external);
    external = (struct external){ 0 };
    refuses(LOAD(10, location, w_bin), KILN_BAD_MODEL, "came from memory");
    refuses(LOAD(10, location, parent), KILN_BAD_MODEL, "external_data location '../outside'");
    ck_assert(!external_open(&external, "none/model.onnx", NULL, &budget, &report));
    expect_error(KILN_IO, "'none/' cannot be opened");
    expect_ok(external_open(&external, "model.onnx", NULL, &budget, &report));
    strcpy(parent, "outside");
    loads(LOAD(6, location, parent), "secret"); /* beside the model this time */
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("file");
    TCase *files = tcase_create("files"), *uses = tcase_create("uses"), *outer = tcase_create("external");

    tcase_add_checked_fixture(files, enter_scratch, leave_scratch);
    tcase_add_test(files, files_are_read);
    tcase_add_test(files, a_file_that_no_memory_holds);
    tcase_add_test(files, what_is_no_file_is_not_read);
    tcase_add_test(files, files_are_written);
    tcase_add_test(files, pieces_are_written_one_after_the_other);
    tcase_add_test(files, what_is_written_is_on_the_disk);
    tcase_add_test(files, links_stay_links);
    tcase_add_test(files, what_is_no_file_is_not_replaced);
    tcase_add_test(files, what_is_there_survives_a_failure);
    tcase_add_test(files, a_directory_without_permission);
    tcase_add_test(files, short_and_interrupted_calls_go_on);
    tcase_add_test(files, every_call_may_fail);
    tcase_add_test(files, what_a_kill_leaves_is_swept);
    tcase_add_test(files, a_claim_does_not_sweep);
    tcase_add_test(files, nothing_else_is_swept);
    tcase_add_test(files, who_still_writes_is_left_alone);
    tcase_add_test(files, a_file_that_was_swept_is_made_again);
    tcase_add_test(files, only_the_file_that_is_locked_is_swept);
    tcase_add_test(files, sha1_of_known_texts);
    tcase_add_checked_fixture(uses, enter_files, leave_files);
    tcase_add_test(uses, what_is_read_is_not_written);
    tcase_add_test(uses, what_will_be_written_is_not_read);
    tcase_add_test(uses, a_model_may_be_written_over_its_own_file);
    tcase_add_test(uses, what_is_read_or_written_is_not_swept);
    tcase_add_test(uses, two_outputs_are_two_files);
    tcase_add_test(uses, numbers_of_files_are_used_again);
    tcase_add_test(uses, logs_are_emptied);
    tcase_add_checked_fixture(outer, enter_external, leave_external);
    tcase_add_test(outer, external_data_is_loaded);
    tcase_add_test(outer, locations_stay_below_the_model);
    tcase_add_test(outer, links_below_the_model_are_followed);
    tcase_add_test(outer, a_model_that_is_a_link_has_two_directories);
    tcase_add_test(outer, sizes_and_keys_are_checked);
    tcase_add_test(outer, a_model_from_memory_has_no_directory);
    suite_add_tcase(s, files);
    suite_add_tcase(s, uses);
    suite_add_tcase(s, outer);
    return s;
}
