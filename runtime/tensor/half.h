/* float16 (IEEE binary16) and bfloat16 are storage types: widened in blocks, computed in float, rounded to nearest even
 * on the way back. */
#ifndef KILN_TENSOR_HALF_H
#define KILN_TENSOR_HALF_H

#include "tensor/dtype.h"

float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float f);
uint16_t f64_to_f16(double f); /* rounded once */
float bf16_to_f32(uint16_t h);
uint16_t f32_to_bf16(float f);

/* By type; what is neither float16 nor bfloat16 is no number, so that it cannot be taken for one of them. */
static inline float half_to_f32(enum dtype d, uint16_t h)
{
    return d == F16 ? f16_to_f32(h) : d == BF16 ? bf16_to_f32(h) : __builtin_nanf("");
}
static inline uint16_t f32_to_half(enum dtype d, float f)
{
    return d == F16 ? f32_to_f16(f) : d == BF16 ? f32_to_bf16(f) : 0x7fff;
}

/* Of any float that is narrower than float (dtype_is_storage); what is too large for one of 8 bits is its largest. */
void widen(enum dtype from, const void *in, float *out, int64_t n);
void narrow(enum dtype to, const float *in, void *out, int64_t n);
/* The same of float as well, from element `at` of the other tensor on. */
void load_floats(enum dtype from, const void *in, int64_t at, int64_t n, float *out);
void store_floats(enum dtype to, const float *in, int64_t n, void *out, int64_t at);

#endif
