/* Types of 8 bits and less, with which nothing computes: float8*, float6*, float4e2m1, float8e8m0, and the integers of
 * 4 and 2 bits.
 *
 * In memory each element is a byte of its own, so that whatever moves elements (views, Transpose, Slice, Gather) need
 * not know them, and any element has an address; it is what NumPy's arrays of them are, too (ml_dtypes). Integers are
 * there as int8 and uint8, of which they are a part; floats are their bits, the rest of the byte 0. Files are packed:
 * the bits of the elements one behind the other, the first in the lowest bits of the first byte, 0 behind the last
 * (https://onnx.ai/onnx/technical/int4.html). */
#ifndef KILN_TENSOR_SMALL_H
#define KILN_TENSOR_SMALL_H

#include "tensor/dtype.h"

/* Bytes of n elements in a file; UNKNOWN, which is below 0, stays below 0. */
int64_t packed_bytes(enum dtype d, int64_t n);
/* Of types that have fewer bits than their bytes in memory. `from` and `to` are apart. */
void small_unpack(enum dtype d, const void *from, void *to, int64_t n);
void small_pack(enum dtype d, const void *from, void *to, int64_t n);

/* How a number becomes a float of 8 bits or less. */
struct rounding {
    bool saturate; /* what is too large is the largest number; else none, or infinite where the type has that */
    enum { ROUND_UP, ROUND_DOWN, ROUND_NEAREST } e8m0; /* of float8e8m0 alone; the others go to nearest even */
};
#define ROUNDING_DEFAULT ((struct rounding){ true, ROUND_UP })

/* Floats alone. Exact. */
float small_to_f32(enum dtype d, uint8_t bits);
/* Rounded once. No number becomes 0 in a type that has none. */
uint8_t f64_to_small(enum dtype d, double v, struct rounding rounding);
/* Of an integer of 4 or 2 bits the low ones, as it is in memory. */
static inline int8_t small_of_int(enum dtype d, int64_t v)
{
    const int unused = 8 - dtype_traits[d].bits;
    const uint8_t high = (uint8_t)((uint64_t)v << unused);

    return dtype_traits[d].class == CLASS_INT ? (int8_t)((int8_t)high >> unused) : (int8_t)(high >> unused);
}

#endif
