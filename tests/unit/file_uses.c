/* What is read and what is written are different files, whichever name they go by. */
#include "on_disk.h"
#include <fcntl.h>

/* -- the system, as the library sees it here -- */

static void (*before_open)(void); /* what others do just before a log is opened; once */

#if defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64 /* the C library's names end in 64 then */
#define __real_openat __real_openat64
#define __wrap_openat __wrap_openat64
#endif

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...)
{
    void (*const it)(void) = before_open;

    if (it && flags & O_WRONLY && !(flags & (O_CREAT | O_NONBLOCK | O_DIRECTORY))) {
        before_open = NULL;
        it();
    }
    return __real_openat(directory, path, flags, 0666);
}

/* -- files that are apart -- */

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

Suite *suite(void)
{
    Suite *s = suite_create("file_uses");

    add_test_between(s, enter_files, leave_files, what_is_read_is_not_written);
    add_test_between(s, enter_files, leave_files, what_will_be_written_is_not_read);
    add_test_between(s, enter_files, leave_files, what_is_read_or_written_is_not_swept);
    add_test_between(s, enter_files, leave_files, a_model_may_be_written_over_its_own_file);
    add_test_between(s, enter_files, leave_files, two_outputs_are_two_files);
    add_test_between(s, enter_files, leave_files, numbers_of_files_are_used_again);
    add_test_between(s, enter_files, leave_files, logs_are_emptied);
    return s;
}
