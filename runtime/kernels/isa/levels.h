/* The tables that kernels.c chooses from. */
#ifndef KILN_KERNELS_ISA_LEVELS_H
#define KILN_KERNELS_ISA_LEVELS_H

#include "kernels/kernels.h"

extern const struct kernels kernels_plain;
extern const struct kernels kernels_avx2; /* where the compiler targets x86-64 */
extern const struct kernels kernels_avx512;

#endif
