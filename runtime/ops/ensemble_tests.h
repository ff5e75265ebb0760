/* The array that trees become. */
#ifndef KILN_OPS_ENSEMBLE_TESTS_H
#define KILN_OPS_ENSEMBLE_TESTS_H

#include <stdint.h>

#define TEST_MISSING (UINT32_C(1) << 31) /* in `feature`: the test holds for what is no number */

/* x[feature] <= value ? next[0] : next[1]. A leaf goes to itself; its value is its vote or its number. */
struct test_f32 {
    float value;
    uint32_t feature;
    int32_t next[2];
};
struct test_f64 {
    double value;
    uint32_t feature;
    int32_t next[2];
};

#endif
