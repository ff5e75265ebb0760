#include "ops/product.h"
#include "ops/rank.h"
#include <string.h>

void product_strides(const struct tensor *t, int rank, int64_t matrix, int64_t *strides)
{
    const int own = t->rank > 2 ? t->rank - 2 : 0;

    for (int d = rank - 1, k = own - 1; d >= 0; d--, k--) {
        strides[d] = k < 0 || t->dims[k] == 1 ? 0 : matrix;
        if (k >= 0)
            matrix *= t->dims[k];
    }
}

static bool broadcast_leading(struct product *p, const struct tensor *t)
{
    struct tensor lead = { .dtype = t->dtype, .rank = t->rank > 2 ? t->rank - 2 : 0 };

    for (int d = 0; d < lead.rank; d++)
        lead.dims[d] = t->dims[d];
    return broadcast(&p->rank, p->batch, &lead);
}

bool product_of(const struct tensor *a, const struct tensor *b, struct product *p, const char **why)
{
    int64_t b_k;

    *p = (struct product){ .row_given = a->rank > 1, .column_given = b->rank > 1 };
    *why = "the operands of a product must have at least 1 dimension";
    if (a->rank < 1 || b->rank < 1)
        return false;
    p->m = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    p->k = a->dims[a->rank - 1];
    b_k = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    p->n = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    *why = "the last dimension of the first must be the last but one of the second";
    if (p->k != b_k)
        return false;
    p->a_row = p->k;
    p->a_col = p->b_col = 1;
    p->b_row = p->n;
    *why = "their leading dimensions do not broadcast";
    if (!broadcast_leading(p, a) || !broadcast_leading(p, b))
        return false;
    product_strides(a, p->rank, p->m * p->k, p->a_batch);
    product_strides(b, p->rank, p->k * p->n, p->b_batch);
    return true;
}

bool product_infer(struct infer *i, int a, const char *a_name, int b, const char *b_name, struct product *p)
{
    char left[TYPE_TEXT], right[TYPE_TEXT];
    const char *why;

    return product_of(typed_in(i, a), typed_in(i, b), p, &why) ||
           infer_error(i, "'%s' is %s and '%s' is %s: %s", a_name, tensor_text(typed_in(i, a), left), b_name,
                       tensor_text(typed_in(i, b), right), why);
}

bool product_is_one(const struct product *p)
{
    int64_t dense = p->m * p->k;

    for (int d = p->rank - 1; d >= 0; d--) {
        if (p->b_batch[d] || (p->batch[d] != 1 && p->a_batch[d] != dense))
            return false;
        dense *= p->batch[d];
    }
    return true;
}

struct gemm product_gemm(const struct product *p, enum dtype dtype)
{
    struct gemm g = { .dtype = dtype, .m = p->m, .n = p->n, .k = p->k, .alpha = 1 };
    int64_t c = p->m * p->n;

    g.a_row = p->a_row;
    g.a_col = p->a_col;
    g.b_row = p->b_row;
    g.b_col = p->b_col;
    g.c_row = p->n;
    g.c_col = 1;
    if (product_is_one(p)) {
        g.m *= dims_product(p->batch, 0, p->rank);
        return g;
    }
    g.batch_rank = p->rank;
    for (int d = p->rank - 1; d >= 0; d--) {
        g.batch[d] = p->batch[d];
        g.a_batch[d] = p->a_batch[d];
        g.b_batch[d] = p->b_batch[d];
        g.c_batch[d] = c;
        c *= p->batch[d];
    }
    return g;
}

struct tensor product_result(const struct product *p, enum dtype dtype)
{
    struct tensor y = { .dtype = dtype, .rank = p->rank };

    memcpy(y.dims, p->batch, (size_t)p->rank * sizeof *y.dims);
    if (p->row_given)
        y.dims[y.rank++] = p->m;
    if (p->column_given)
        y.dims[y.rank++] = p->n;
    return y;
}

double product_flops(const struct tensor *a, const struct tensor *b)
{
    const char *why;
    struct product p;
    double batch = 1;

    if (!product_of(a, b, &p, &why))
        return 0;
    for (int d = 0; d < p.rank; d++)
        batch *= (double)p.batch[d];
    return 2 * batch * (double)p.m * (double)p.n * (double)p.k;
}

int product_rank(const struct node *n, int a, int b)
{
    const int left = known_input(n, a).rank, right = known_input(n, b).rank;

    return left < 2 || right < 2 ? UNKNOWN : left > right ? left : right;
}
