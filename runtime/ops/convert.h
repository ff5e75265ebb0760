/* Numbers of one type into another, as Cast does.
 *
 * To bool: is it not zero (NaN is not). From bool: 0 or 1. Integers into integers keep the low bits. Into a
 * floating-point type: rounded once, to nearest even; too large is infinity. A floating-point number into an integer is
 * truncated; the standard leaves open what comes of one that does not fit: here it saturates, and NaN is 0. */
#ifndef KILN_OPS_CONVERT_H
#define KILN_OPS_CONVERT_H

#include "tensor/small.h"

typedef void convert_loop(const void *x, void *y, int64_t n);

/* The loop for two types, the same one twice included; NULL for strings, complex numbers and the small types
 * (tensor/small.h). */
convert_loop *convert_between(enum dtype from, enum dtype to);

/* Between small types and others as well. To an integer of 4 or 2 bits a floating-point number goes by way of int64, of
 * which the low bits stay. */
struct conversion {
    enum dtype from, to;
    struct rounding rounding;
};
/* Neither strings nor complex numbers. y may be x where their elements have one size. */
void convert(const struct conversion *c, const void *x, void *y, int64_t n);

#endif
