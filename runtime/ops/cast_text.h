/* Numbers as text, for Cast. */
#ifndef KILN_OPS_CAST_TEXT_H
#define KILN_OPS_CAST_TEXT_H

#include "tensor/small.h"
#include "tensor/tensor.h"

enum { NUMBER_TEXT = 64 };

/* Element k of an array of any type of number, as numpy writes it: the fewest digits that read back the same ("0.1",
 * "1e+16", "nan", "-inf"), with an exponent below 1e-4 and from 1e16 on; "True" and "False". The length; no NUL is
 * promised. */
size_t number_write(char text[NUMBER_TEXT], enum dtype dtype, const void *array, int64_t k);

/* Reads all of the text into element k: a decimal number, "inf", "infinity" or "nan" in any case, with a sign or none;
 * for integers only digits; for bool also "true" and "false". False where it is none of these, or an integer that does
 * not fit. */
bool number_read(const char *text, size_t length, enum dtype dtype, struct rounding rounding, void *array, int64_t k);

#endif
