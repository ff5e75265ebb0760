/* What the CPU can do, read from cpuid (and whether the system saves the registers). The environment's KILN_ISA,
 * "base", "avx2" or "avx512", takes away what is above it: for tests. */
#ifndef KILN_BASE_CPU_H
#define KILN_BASE_CPU_H

#include <stdbool.h>

enum cpu_level { CPU_BASE, CPU_AVX2, CPU_AVX512 }; /* AVX2 with FMA; AVX-512 F, DQ, BW and VL */
enum { CPU_LEVELS = CPU_AVX512 + 1 };

enum cpu_level cpu_level(void);
const char *cpu_level_name(enum cpu_level level);
bool cpu_adds_products_of_bytes(void); /* AVX-512 VNNI */

/* The same in finer steps, whatever KILN_ISA says: below AVX2 there is something for them in BLIS alone. */
enum cpu_step { STEP_NONE, STEP_SSE41, STEP_AVX, STEP_AVX2, STEP_AVX512 };

enum cpu_step cpu_step(void);

#endif
