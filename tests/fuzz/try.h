/* What a hostile model is put through: read, build, plan, run; within bounds of bytes and seconds. */
#ifndef KILN_TESTS_FUZZ_TRY_H
#define KILN_TESTS_FUZZ_TRY_H

#include <stddef.h>
#include <stdint.h>

/* Returns how far it came: 0 not readable, 1 not valid, 2 does not run, 3 runs. */
int try_model(const uint8_t *bytes, size_t size);

#endif
