/* Moving elements: what Transpose, Slice, Expand, Tile, Pad, Concat, Split and Gather share. Nothing here knows a type,
 * only how many bytes an element has: 1, 2, 4, 8 or 16. */
#ifndef KILN_OPS_MOVE_H
#define KILN_OPS_MOVE_H

#include "ops/op.h"

/* to[sum of i[d] * out[d]] = from[sum of i[d] * in[d]] for every index i below dims. Strides are in elements and may be
 * 0 or negative in `in`; no two indices name the same element of `to`. */
enum { MOVE_RANK = 2 * MAX_RANK }; /* Tile has a dimension of repeats beside each one that it repeats */
struct move {
    size_t size; /* of an element */
    int rank;
    int64_t dims[MOVE_RANK], in[MOVE_RANK], out[MOVE_RANK];
};

/* Row-major strides of a shape. */
void move_strides(int rank, const int64_t *dims, int64_t *strides);
void move_run(const struct kernels *k, struct pool *pool, const struct move *m, const void *from, void *to);
/* `count` elements that are all `*value`. */
void move_fill(struct pool *pool, size_t size, const void *value, int64_t count, void *to);

/* The box `dims` inside two tensors, at element `from_at` of one and `to_at` of the other, both with their own
 * row-major strides. */
void move_box(const struct kernels *k, struct pool *pool, size_t size, int rank, const int64_t *dims,
              const int64_t *from_dims, int64_t from_at, const void *from, const int64_t *to_dims, int64_t to_at,
              void *to);

/* to[i0, i1, ...] = from[pick[0][i0] + pick[1][i1] + ...], the picks being offsets in elements; where one of them is
 * below 0, the value is `*outside` instead. `to` is contiguous. */
struct pick {
    size_t size;
    int rank;
    int64_t dims[MAX_RANK]; /* of `to` */
    const int64_t *pick[MAX_RANK];
    const void *outside; /* NULL: no pick is below 0 */
};
void move_pick(struct pool *pool, const struct pick *p, const void *from, void *to);

/* The integers of a vector or a scalar that planning has seen already; as ints_in, while running. */
void ints_of(const struct tensor *t, struct ints *out);
/* Text for emit: "name=[1,2,3]". */
enum { INTS_TEXT = 32 + 21 * 2 * MAX_RANK };
const char *ints_text(char buffer[INTS_TEXT], const char *name, int count, const int64_t *v);
/* Of a Transpose: the dimension of the input that becomes dimension d of the output. */
int transpose_from(const void *attrs, int rank, int d);
/* v with its dimension perm[d] as dimension d. */
struct value *emit_transposed(struct emitter *e, struct value *v, int rank, const int64_t *perm);
/* Zeros of a shape, for gradients. */
struct value *emit_zeros(struct emitter *e, enum dtype dtype, int rank, const int64_t *dims);

#endif
