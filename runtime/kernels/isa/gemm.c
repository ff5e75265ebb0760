/* What products are made of: rows, and panels; each instruction set moves elements in its own way. */
#include "kernels/isa/levels.h"
#include "kernels/isa/rows.h"
#if LANES == 16
#include "kernels/isa/move_avx512.h"
#elif LANES == 8
#include "kernels/isa/move_avx2.h"
#else
#include "kernels/isa/move_plain.h"
#endif

const struct gemm_kernels OF_LEVEL(gemm_kernels) = {
    .add_rows = add_rows_loop,
    .add_outer = add_outer_loop,
    .dots = dots_loop,
    .pack_4 = pack_4_loop,
    .pack_8 = pack_8_loop,
    .pack_runs_4 = pack_runs_4_loop,
    .pack_lanes_4 = pack_lanes_4_loop,
    .store_runs_4 = store_runs_4_loop,
    .transpose_4 = transpose_4_loop,
    .transpose_8 = transpose_8_loop,
};
