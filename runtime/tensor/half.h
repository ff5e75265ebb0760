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

void widen(enum dtype from, const void *in, float *out, int64_t n); /* F16 or BF16 */
void narrow(enum dtype to, const float *in, void *out, int64_t n);

#endif
