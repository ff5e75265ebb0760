/* What lies in a test's directory. */
#ifndef KILN_TESTS_ON_DISK_H
#define KILN_TESTS_ON_DISK_H

#include "model/file.h"
#include "scratch.h"
#include "unit.h"

static inline void contains(const char *path, const char *text)
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

/* Names in the directory, hidden ones included. */
static inline int names(const char *path)
{
    DIR *d = opendir(path);
    int n = -2;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

#endif
