#include "base/cpu.h"
#include <stdlib.h>
#include <string.h>

static enum cpu_level found(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return CPU_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return CPU_AVX2;
#endif
    return CPU_BASE;
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

const char *cpu_level_name(enum cpu_level level)
{
    return level == CPU_AVX512 ? "avx512" : level == CPU_AVX2 ? "avx2" : "base";
}
