/* Products of integers of 8 bits, less their zero points, in int32, which wraps around: whatever order they are added in,
 * the result is the same.
 *
 * Both operands are widened to int16, which holds a difference of two of them, before they are multiplied: rows of A one
 * after the other, columns of B in panels (struct integer_tile). A depth that is odd is filled up with a 0. Nothing here
 * allocates. */
#ifndef KILN_KERNELS_INTEGER_H
#define KILN_KERNELS_INTEGER_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

/* Numbers of int8 or uint8, as they lie in memory. */
struct integer_operand {
    const uint8_t *data;
    const uint8_t *zero; /* of the same type; NULL: 0 */
    int64_t zeros;       /* how many there are: row k of A, or column k of B, has number k % zeros */
    bool has_sign;       /* int8 */
};

static inline uint8_t integer_flip(const struct integer_operand *b)
{
    return b->has_sign ? 0x80 : 0;
}
/* Zero point k, as struct byte_runs has it. */
static inline int16_t integer_zero(const struct integer_operand *b, int64_t k)
{
    return (int16_t)((b->zero ? b->zero[k % b->zeros] : 0) ^ integer_flip(b));
}
static inline int64_t integer_pairs(int64_t depth)
{
    return depth / 2 + depth % 2;
}

/* A of `rows` rows, and `count` times a B of `columns` columns, both as they lie without gaps. Rows and columns are counted
 * through all matrices. */
size_t integer_rows_bytes(int64_t rows, int64_t depth);
void integer_pack_rows(const struct kernels *k, struct pool *pool, const struct integer_operand *a, int64_t rows,
                       int64_t depth, int16_t *to);
size_t integer_columns_bytes(const struct kernels *k, int64_t columns, int64_t depth); /* of one */
void integer_pack_columns(const struct kernels *k, struct pool *pool, const struct integer_operand *b, int64_t count,
                          int64_t columns, int64_t depth, int16_t *to);

/* What becomes of the sums. Column j of row r of product p is element (j / image) * image_step + j % image + r *
 * row_step + p * product_step of the result, which is int32, or quantised again: as the sum, and its bias, times (a_scale
 * * b_scale) / y_scale, of its row and its column. */
struct integer_result {
    int64_t image, image_step, row_step, product_step;
    int32_t *sums; /* NULL: quantised */
    uint8_t *y;
    const int32_t *bias;        /* by row of A; NULL: none */
    const int32_t *column_bias; /* by column of the result; NULL: none */
    const float *a_scale, *b_scale;
    int64_t a_scales, b_scales; /* how many there are, as of zero points */
    float y_scale, zero, least, most;
};

/* A batch of products; operands are counted in whole ones, and 0 broadcasts. */
struct integer_product {
    int64_t rows, columns, depth;
    const int16_t *a, *b;
    int batch_rank;
    int64_t batch[MAX_RANK], a_batch[MAX_RANK], b_batch[MAX_RANK];
    int64_t first_column; /* of the result, where this is a part of it */
    struct integer_result result;
};
void integer_multiply(const struct kernels *k, struct pool *pool, const struct integer_product *p);

/* Some columns of a row get their values. Where columns have scales of their own, at most INTEGER_COLUMNS of them. */
struct integer_part {
    int64_t product, row, column, columns; /* of the result */
    int64_t a_row, b_column;               /* counted through all matrices */
};
void integer_finish(const struct kernels *k, const struct integer_result *r, const struct integer_part *part,
                    int32_t *sums);

#endif
