/* A file of this folder is compiled once for each instruction set, and makes a table of its module for it. LANES says
 * which: 8 is AVX2 with FMA, 16 AVX-512, 4 plain C. */
#ifndef KILN_KERNELS_ISA_LEVELS_H
#define KILN_KERNELS_ISA_LEVELS_H

#include "kernels/isa/lanes.h"

#if defined(DOT_PRODUCTS) /* AVX-512 with VNNI */
#define OF_LEVEL(table) table##_vnni
#elif LANES == 16
#define OF_LEVEL(table) table##_avx512
#elif LANES == 8
#define OF_LEVEL(table) table##_avx2
#else
#define OF_LEVEL(table) table##_plain
#endif

/* All tables; those of vectors are there where the compiler targets x86-64. */
#define TABLES(level)                                                                                                  \
    extern const struct map_kernels map_kernels_##level;                                                               \
    extern const struct update_kernels update_kernels_##level;                                                         \
    extern const struct reduce_kernels reduce_kernels_##level;                                                         \
    extern const struct softmax_kernels softmax_kernels_##level;                                                       \
    extern const struct random_kernels random_kernels_##level;                                                         \
    extern const struct gemm_kernels gemm_kernels_##level;                                                             \
    extern const struct conv_kernels conv_kernels_##level;                                                             \
    extern const struct winograd_kernels winograd_kernels_##level;                                                     \
    extern const struct pool_kernels pool_kernels_##level;                                                             \
    extern const struct norm_kernels norm_kernels_##level;                                                             \
    extern const struct fft_kernels fft_kernels_##level;                                                               \
    extern const struct integer_kernels integer_kernels_##level;
TABLES(plain)
TABLES(avx2)
TABLES(avx512)
#undef TABLES
extern const struct integer_kernels integer_kernels_vnni;

#endif
