/* What a hostile model is put through: read, build, plan, run, and trained where that can be; within bounds of bytes and seconds. */
#ifndef KILN_TESTS_FUZZ_TRY_H
#define KILN_TESTS_FUZZ_TRY_H

#include <stddef.h>
#include <stdint.h>

enum { TRY_TRAINING = 1 }; /* two steps of training after the runs */

/* Returns how far it came: 0 not readable, 1 not valid, 2 does not run, 3 runs, 4 trains. Memory that is not given back ends the
 * process. */
int try_model(const uint8_t *bytes, size_t size, unsigned flags);

#endif
