/* Matrix products: of floats by tiles (dense.h), of other types, and where tiles do not fit, by a driver around the
 * micro-kernel of BLIS. This is the only place that knows BLIS.
 *
 * C[m,n] = alpha * A[m,k] B[k,n] + beta * C, any strides. Results are the same bits for any number of threads. beta 0
 * does not read C, alpha 0 still multiplies (NaN and infinity come through). float16 and bfloat16 are widened while
 * they are packed, summed in float and rounded once. Nothing here allocates: the caller passes scratch, 64-byte
 * aligned. */
#ifndef KILN_KERNELS_GEMM_H
#define KILN_KERNELS_GEMM_H

#include "kernels/kernels.h"

enum { GEMM_BATCH_RANK = 16 };

/* Called for each part of C when its elements have their values, by the thread that made them: `rows` times `columns`
 * elements, the first one `from` elements behind g.c, rows c_row apart. Each element is in one part. `y` is NULL where
 * they are in C; else they are there, row by row without gaps, at most GEMM_SIDE_BY_SIDE columns, and not in C. */
typedef void gemm_finish(void *context, const float *y, int64_t from, int64_t rows, int64_t columns, int thread);
enum { GEMM_SIDE_BY_SIDE = 64 };

/* A, B and C have one dtype: F32, F64, F16, BF16, I32, U32, I64 or U64 (integers wrap around). Strides are in elements,
 * and may be 0 or negative for A and B. */
struct gemm {
    enum dtype dtype;
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t a_row, a_col, b_row, b_col, c_row, c_col; /* strides */
    double alpha, beta;
    /* For floats: added after alpha and beta, in C's dtype; NULL for none. */
    const void *row_bias;    /* [m] */
    const void *column_bias; /* [n] */
    const float *residual;   /* F32 with c_col 1 alone: added then, laid out as C, and elsewhere; NULL for none */
    bool relu;               /* max(0, .) at the end, NaN kept */
    const void *packed;      /* B as gemm_pack leaves it, beside b itself; NULL */

    gemm_finish *finish; /* NULL: nothing. Of F32 with c_col 1 alone, and without a residual */
    void *finish_context;
    double finish_work; /* operations for each element, about */

    /* A batch of products, for MatMul: batch_rank 0 is one. */
    int batch_rank;
    int64_t batch[GEMM_BATCH_RANK];
    int64_t a_batch[GEMM_BATCH_RANK], b_batch[GEMM_BATCH_RANK],
        c_batch[GEMM_BATCH_RANK]; /* strides; 0 broadcasts A or B */
};

/* Bytes of scratch that gemm() needs when pool_threads(pool) <= threads. Looks at everything but the pointers. */
size_t gemm_scratch(const struct kernels *k, const struct gemm *g, int threads);
void gemm(const struct kernels *k, struct pool *pool, const struct gemm *g, void *scratch);
/* Bytes of B in the order in which this product reads it best, 0 where it is best as it lies. For constant weights: may
 * be kept for all products that differ from g in m alone. */
size_t gemm_packed_bytes(const struct kernels *k, const struct gemm *g);
void gemm_pack(const struct kernels *k, struct pool *pool, const struct gemm *g, const void *b, void *packed);
/* BLIS' configuration for a level: "skx", "haswell", "generic", ... */
const char *gemm_configuration(enum cpu_level level);

/* -- for conv.c: operands that are packed by a function, results that are stored by one -- */

/* C[m,n] = A[m,k] B[k,n] with A and B known only to the functions that pack them. Panels of A are packed by the thread
 * that uses them, right before; panels of B once, for all. So B is better the smaller one. */

/* Packs lanes [first, first + count) (rows of A, columns of B) at depths [from, from + depth) as panel[depth][width],
 * lanes from `count` to `width` 0. `local` is memory of this thread's (local_bytes of it, the first 64 of them 0 before
 * the product); NULL for B. */
typedef void gemm_packer(const void *context, void *local, int64_t first, int64_t count, int64_t width, int64_t from,
                         int64_t depth, void *panel);
/* A part of the product: tile[i * i_stride + j * j_stride], i < rows, j < columns, at row i0, column j0. `first` sets,
 * else adds to what was stored before (the depth was cut); `last` comes with the last part. `local` is what pack_a left
 * for these rows, where sliced is false. */
struct gemm_tile {
    const void *data;
    int64_t i0, rows, j0, columns, i_stride, j_stride;
    bool first, last;
};
typedef void gemm_store(const void *context, void *local, const struct gemm_tile *tile);

struct gemm_driver {
    bool wide_type; /* double, else float */
    int64_t m, n, k;
    gemm_packer *pack_a, *pack_b;
    const void *a, *b; /* contexts */
    size_t local_bytes;
    bool whole_k;    /* never cut the depth: store cannot add */
    bool sliced;     /* the depth may be cut between threads, in slices that are added in order */
    bool wide_b;     /* vectors along columns (stores are then better with j_stride 1), else along rows */
    bool wide_fixed; /* not to be overruled where the other way fits better */

    gemm_store *store; /* or NULL: */
    void *c;           /* C = alpha * product + beta * C, of the type of wide_type; in both cases its context */
    int64_t c_row, c_col;
    double alpha, beta;
};
size_t gemm_driver_scratch(const struct kernels *k, const struct gemm_driver *d, int threads);
void gemm_drive(const struct kernels *k, struct pool *pool, const struct gemm_driver *d, void *scratch);

#endif
