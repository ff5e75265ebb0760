#include "kernels/kernels.h"
#include "kernels/isa/levels.h"

#define TABLES_BUT_INTEGER(level)                                                                                      \
    .map = &map_kernels_##level, .update = &update_kernels_##level, .reduce = &reduce_kernels_##level,                 \
    .softmax = &softmax_kernels_##level, .random = &random_kernels_##level, .gemm = &gemm_kernels_##level,             \
    .conv = &conv_kernels_##level, .winograd = &winograd_kernels_##level, .pool = &pool_kernels_##level,               \
    .norm = &norm_kernels_##level, .fft = &fft_kernels_##level
#define TABLES(level) TABLES_BUT_INTEGER(level), .integer = &integer_kernels_##level

static const struct kernels plain = { .level = CPU_BASE, .lanes = 4, TABLES(plain) };
#if defined(__x86_64__)
static const struct kernels avx2 = { .level = CPU_AVX2, .lanes = 8, TABLES(avx2) };
static const struct kernels avx512 = { .level = CPU_AVX512, .lanes = 16, TABLES(avx512) };
/* What is a sum of products of bytes in one instruction is the same number: no level of its own. */
static const struct kernels avx512_vnni = {
    .level = CPU_AVX512, .lanes = 16, TABLES_BUT_INTEGER(avx512), .integer = &integer_kernels_vnni
};
#endif

const struct kernels *kernels_for(enum cpu_level level)
{
    if (level > cpu_level())
        return NULL;
#if defined(__x86_64__)
    if (level == CPU_AVX512)
        return cpu_adds_products_of_bytes() ? &avx512_vnni : &avx512;
    if (level == CPU_AVX2)
        return &avx2;
#endif
    return level == CPU_BASE ? &plain : NULL;
}

const struct kernels *kernels_get(void)
{
    return kernels_for(cpu_level());
}
