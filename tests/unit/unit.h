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
#define add_tests(s, test, n) suite_add_tcase(s, test_case(#test, test, n, NULL, NULL))
/* The same between two calls. */
#define add_test_between(s, enter, leave, test)     add_tests_between(s, enter, leave, test, 1)
#define add_tests_between(s, enter, leave, test, n) suite_add_tcase(s, test_case(#test, test, n, enter, leave))

/* Random cases that are tried: fewer under a sanitizer, where each takes ten times as long. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROUNDS(n) ((n) / 8 + 1)
#endif
#endif
#if !defined(ROUNDS)
#define ROUNDS(n) (n)
#endif

static inline TCase *test_case(const char *name, const TTest *test, int n, void (*enter)(void), void (*leave)(void))
{
    TCase *c = tcase_create(name);

    if (enter)
        tcase_add_checked_fixture(c, enter, leave);
    tcase_add_loop_test(c, test, 0, n);
    return c;
}

#endif
