/* A suite of unit tests: a file defines suite(), main.c runs it and prints TAP. Each test runs in a process of its
 * own. */
#ifndef KILN_TESTS_UNIT_H
#define KILN_TESTS_UNIT_H

#include <check.h>
#undef fail /* a macro of Check's, and a function of ours */

/* As Check's, but where the assertion holds nothing is done. Check writes the line of each one into a file and reads
 * them all back, which takes far longer than most that is asserted here; its use is to tell the last line before a
 * crash. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                                                       \
    ((expr) ? (void)0 : _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", __VA_ARGS__))

Suite *suite(void);

/* A test is a case of its own, named as it is. `add_tests` runs it n times, with _i from 0 to n-1. */
#define add_test(s, test)     add_tests(s, test, 1)
#define add_tests(s, test, n) suite_add_tcase(s, test_case(#test, test, n))

/* Random cases that are tried: fewer under a sanitizer, where each takes ten times as long. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROUNDS(n) ((n) / 8 + 1)
#endif
#endif
#if !defined(ROUNDS)
#define ROUNDS(n) (n)
#endif

static inline TCase *test_case(const char *name, const TTest *test, int n)
{
    TCase *c = tcase_create(name);

    tcase_add_loop_test(c, test, 0, n);
    return c;
}

#endif
