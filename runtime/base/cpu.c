#include "base/cpu.h"
#include <stdlib.h>
#include <string.h>

enum cpu_step cpu_step(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return STEP_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return STEP_AVX2;
    if (__builtin_cpu_supports("avx"))
        return STEP_AVX;
    if (__builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1"))
        return STEP_SSE41;
#endif
    return STEP_NONE;
}

static enum cpu_level found(void)
{
    const enum cpu_step step = cpu_step();

    return step == STEP_AVX512 ? CPU_AVX512 : step == STEP_AVX2 ? CPU_AVX2 : CPU_BASE;
}

static enum cpu_level allowed(void)
{
    const char *most = getenv("KILN_ISA");

    for (enum cpu_level l = CPU_BASE; most && l < CPU_AVX512; l++)
        if (strcmp(most, cpu_level_name(l)) == 0)
            return l;
    return CPU_AVX512;
}

enum cpu_level cpu_level(void)
{
    const enum cpu_level most = allowed(), can = found();

    return can < most ? can : most;
}

bool cpu_adds_products_of_bytes(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

const char *cpu_level_name(enum cpu_level level)
{
    return level == CPU_AVX512 ? "avx512" : level == CPU_AVX2 ? "avx2" : "base";
}
