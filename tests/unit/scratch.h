/* Files that a test makes: each test has a directory of its own, is in it, and leaves nothing behind. */
#ifndef KILN_TESTS_SCRATCH_H
#define KILN_TESTS_SCRATCH_H

#include "base/memory.h"
#include "unit.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[32];
static struct budget budget;
static struct report report;

__attribute__((unused)) static void enter_scratch(void)
{
    strcpy(scratch, "/tmp/kiln-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
    ck_assert_int_eq(chdir(scratch), 0);
}

/* Files, and directories of files. */
static void empty_directory(const char *path)
{
    char name[1024];
    struct dirent *e;
    DIR *d = opendir(path);

    while (d && (e = readdir(d))) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.' && unlink(name)) {
            empty_directory(name);
            rmdir(name);
        }
    }
    if (d)
        closedir(d);
}

__attribute__((unused)) static void leave_scratch(void)
{
    empty_directory(scratch);
    rmdir(scratch);
    budget.limit = 0;
    budget.peak = 0;
    ck_assert_uint_eq(budget.used, 0); /* whatever went wrong, all is given back */
}

__attribute__((unused)) static void put_file(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* The error that just happened: its code, a part of its one line. Clears it. */
__attribute__((unused)) static void expect_error(kiln_status code, const char *part)
{
    ck_assert_msg(failed(&report), "nothing failed, expected '%s'", part);
    ck_assert_msg(report.error.code == code && strstr(report.error.message, part), "'%s: %s' (%d), expected '%s' (%d)",
                  report.error.where, report.error.message, report.error.code, part, code);
    report = (struct report){ 0 };
}

__attribute__((unused)) static void expect_ok(bool ok)
{
    ck_assert_msg(ok && !failed(&report), "%s: %s", report.error.where, report.error.message);
}

#endif
