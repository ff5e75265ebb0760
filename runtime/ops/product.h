/* Two tensors as the operands of numpy.matmul: what MatMul and its kin of integers share.
 *
 * A vector is a row on the left and a column on the right, and its 1 leaves the result; the leading dimensions
 * broadcast. */
#ifndef KILN_OPS_PRODUCT_H
#define KILN_OPS_PRODUCT_H

#include "kernels/gemm.h"
#include "ops/op.h"

struct product { /* the two operands as matrices with leading dimensions */
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col;
    int rank; /* of the leading dimensions */
    int64_t batch[MAX_RANK], a_batch[MAX_RANK], b_batch[MAX_RANK];
    bool row_given, column_given; /* is m, is n a dimension of Y? */
};

/* False where the shapes do not fit together: tells in *why what does not. */
bool product_of(const struct tensor *a, const struct tensor *b, struct product *p, const char **why);
/* The same of inputs a and b while planning, with an error that calls them by their names. */
bool product_infer(struct infer *i, int a, const char *a_name, int b, const char *b_name, struct product *p);
/* One B for all: the leading dimensions and the rows of A are one long matrix, where A lies dense. */
bool product_is_one(const struct product *p);
/* Strides of an operand's leading dimensions, 0 where it is broadcast; its matrices are `matrix` apart. */
void product_strides(const struct tensor *t, int rank, int64_t matrix, int64_t *strides);
struct gemm product_gemm(const struct product *p, enum dtype dtype);
struct tensor product_result(const struct product *p, enum dtype dtype);
double product_flops(const struct tensor *a, const struct tensor *b);
/* For op_def.rank, of inputs a and b. */
int product_rank(const struct node *n, int a, int b);

#endif
