/* A locale whose numbers have a comma, made here: which ones a machine has is its own affair. Of the C library's own
 * format there is one category, LC_NUMERIC. */
#ifndef KILN_TESTS_COMMA_H
#define KILN_TESTS_COMMA_H

#include "unit.h"
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void numbers_have_commas(void)
{
    enum { HEAD_BYTES = 32, MAGIC = 0x20031115 }; /* of glibc's locale files */
    const struct {
        uint32_t magic, count, at[6];
        char point[2], thousands[1], grouping[1];
        uint32_t wide_point, wide_thousands;
        char codeset[8];
    } numeric = { MAGIC ^ LC_NUMERIC,
                  6,
                  { HEAD_BYTES, HEAD_BYTES + 2, HEAD_BYTES + 3, HEAD_BYTES + 4, HEAD_BYTES + 8, HEAD_BYTES + 12 },
                  ",",
                  { 0 },
                  { 0 },
                  ',',
                  0,
                  "UTF-8" };
    char folder[] = "/tmp/kiln-XXXXXX", inner[64], file[96], number[8];
    FILE *f;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(inner, sizeof inner, "%s/comma", folder);
    snprintf(file, sizeof file, "%s/LC_NUMERIC", inner);
    ck_assert_int_eq(mkdir(inner, 0777), 0);
    f = fopen(file, "wb");
    ck_assert(f && fwrite(&numeric, sizeof numeric, 1, f) == 1 && fclose(f) == 0);
    ck_assert_int_eq(setenv("LOCPATH", folder, 1), 0);
    ck_assert_ptr_nonnull(setlocale(LC_NUMERIC, "comma"));
    snprintf(number, sizeof number, "%g", 1.5);
    ck_assert_str_eq(number, "1,5"); /* or nothing is shown by it */
    unlink(file);
    rmdir(inner);
    rmdir(folder);
}

static inline void numbers_have_points(void)
{
    setlocale(LC_NUMERIC, "C");
}

#endif
