/* What the CPU can do, read once from cpuid (and whether the system saves the registers). */
#ifndef KILN_BASE_CPU_H
#define KILN_BASE_CPU_H

enum cpu_level { CPU_BASE, CPU_AVX2, CPU_AVX512 }; /* AVX2 with FMA; AVX-512 F, DQ, BW and VL */

enum cpu_level cpu_level(void);
const char *cpu_level_name(enum cpu_level level);

#endif
