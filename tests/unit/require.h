/* Assertions about cases of operators: the message begins with `label`, a text that the suite keeps, which says which case
 * is being tried. */
#ifndef KILN_TESTS_UNIT_REQUIRE_H
#define KILN_TESTS_UNIT_REQUIRE_H

#include <check.h>
#include <stdio.h>

#define require(condition, ...)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            char why[512];                                                                                             \
            snprintf(why, sizeof why, __VA_ARGS__);                                                                    \
            ck_abort_msg("%s: %s", label, why);                                                                        \
        }                                                                                                              \
    } while (0)

#endif
