/* Files: read whole, written whole or not at all. */
#include "on_disk.h"
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
static void (*before_lock)(void), (*before_rename)(void);

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

/* A power failure leaves the old file or the new one: the content is on the disk before it has the name, and the name
 * before it is told that all went well. */
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

Suite *suite(void)
{
    Suite *s = suite_create("file");

    add_test_between(s, enter_scratch, leave_scratch, files_are_read);
    add_test_between(s, enter_scratch, leave_scratch, a_file_that_no_memory_holds);
    add_test_between(s, enter_scratch, leave_scratch, what_is_no_file_is_not_read);
    add_test_between(s, enter_scratch, leave_scratch, files_are_written);
    add_test_between(s, enter_scratch, leave_scratch, pieces_are_written_one_after_the_other);
    add_test_between(s, enter_scratch, leave_scratch, what_is_written_is_on_the_disk);
    add_test_between(s, enter_scratch, leave_scratch, links_stay_links);
    add_test_between(s, enter_scratch, leave_scratch, what_is_no_file_is_not_replaced);
    add_test_between(s, enter_scratch, leave_scratch, what_is_there_survives_a_failure);
    add_test_between(s, enter_scratch, leave_scratch, a_directory_without_permission);
    add_test_between(s, enter_scratch, leave_scratch, short_and_interrupted_calls_go_on);
    add_test_between(s, enter_scratch, leave_scratch, every_call_may_fail);
    add_test_between(s, enter_scratch, leave_scratch, what_a_kill_leaves_is_swept);
    add_test_between(s, enter_scratch, leave_scratch, a_claim_does_not_sweep);
    add_test_between(s, enter_scratch, leave_scratch, nothing_else_is_swept);
    add_test_between(s, enter_scratch, leave_scratch, who_still_writes_is_left_alone);
    add_test_between(s, enter_scratch, leave_scratch, a_file_that_was_swept_is_made_again);
    add_test_between(s, enter_scratch, leave_scratch, only_the_file_that_is_locked_is_swept);
    return s;
}
