/* Plain C: the oracle of every instruction set, and the table where there is none. */
#define PLAIN
#define LANES 4
#define TABLE kernels_plain
#define LEVEL CPU_BASE
#include "kernels/isa/depth.h"
#include "kernels/isa/elementwise.h"
#include "kernels/isa/levels.h"
#include "kernels/isa/move.h"
#include "kernels/isa/move_plain.h"
#include "kernels/isa/norm_block.h"
#include "kernels/isa/normalise.h"
#include "kernels/isa/planes.h"
#include "kernels/isa/pools.h"
#include "kernels/isa/random.h"
#include "kernels/isa/reduce.h"
#include "kernels/isa/rows.h"
#include "kernels/isa/tile.h"
#include "kernels/isa/windows.h"
#include "kernels/isa/winograd.h"

#include "kernels/isa/table.h"

const struct kernels *kernels_for(enum cpu_level level)
{
    if (level > cpu_level())
        return NULL;
#if defined(__x86_64__)
    if (level == CPU_AVX512)
        return &kernels_avx512;
    if (level == CPU_AVX2)
        return &kernels_avx2;
#endif
    return level == CPU_BASE ? &kernels_plain : NULL;
}

const struct kernels *kernels_get(void)
{
    return kernels_for(cpu_level());
}
