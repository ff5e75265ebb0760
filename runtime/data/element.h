/* Elements one by one, whatever their type: for data as they come from files. Loops that matter have their own code
 * (batch.c). */
#ifndef KILN_DATA_ELEMENT_H
#define KILN_DATA_ELEMENT_H

#include "tensor/tensor.h"

/* Bytes of an element in a file; 0 for what files of data do not hold. */
int element_bytes(enum dtype d);

typedef double element_get(const void *data, int64_t i);
typedef int64_t element_get_int(const void *data, int64_t i);
element_get *element_getter(enum dtype d);         /* NULL for complex numbers and strings */
element_get_int *element_int_getter(enum dtype d); /* NULL but for bool and integers up to int64 */

/* Elements [from, from + n); no complex numbers, no strings. */
void elements_to_float(enum dtype d, const void *data, int64_t from, int64_t n, float *out);

/* False where the type is no number that can be stored to from these. An integer must fit. */
bool element_put(void *data, int64_t i, enum dtype d, double value);
bool element_put_int(void *data, int64_t i, enum dtype d, int64_t value);

/* Are all elements equal numbers, and is there any? */
bool tensor_is_uniform(const struct tensor *t);
/* Are they this one? False for NULL, and where there is no content. */
bool tensor_is_all(const struct tensor *t, double number);

/* The first n become random: floats from [0, 1), integers 0 or 1, which are places in any table. All others stay. */
void elements_draw(enum dtype d, void *data, int64_t n, uint64_t seed, int32_t stream);

#endif
