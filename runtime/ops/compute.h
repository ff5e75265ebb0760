/* Computing in another type than the one stored: float for float16 and bfloat16, or whatever the kernel at hand knows.
 * A tensor that has the type already is used where it lies; any other is converted into scratch, and a result back from
 * there. */
#ifndef KILN_OPS_COMPUTE_H
#define KILN_OPS_COMPUTE_H

#include "ops/op.h"

/* Scratch that compute_in or compute_out takes; 0 where the types agree, or t is NULL. */
size_t compute_bytes(const struct tensor *t, enum dtype compute);
/* The values of t in `compute` (F32 or F64), *scratch moved past what they took. NULL for NULL. */
const void *compute_in(const struct tensor *t, enum dtype compute, char **scratch);
/* Where to compute t; compute_store when it is there. NULL for NULL. */
void *compute_out(const struct tensor *t, enum dtype compute, char **scratch);
void compute_store(const struct tensor *t, enum dtype compute, const void *values);
/* n values of a tensor from number `at` on, as floats: zeros where there is none; and back, where there is one. */
void floats_in(const struct tensor *t, int64_t at, int64_t n, float *to);
void floats_out(const struct tensor *t, int64_t at, int64_t n, const float *values);
/* n values of one floating-point type to another. */
void convert_floats(enum dtype from, const void *x, enum dtype to, void *y, int64_t n);
#endif
