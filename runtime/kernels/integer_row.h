/* Row i of a product of integers; included once for each width. */
static void ROW(const struct gemm *g, const INTEGER *a, const INTEGER *b, INTEGER *c, int64_t i)
{
    const INTEGER alpha = (INTEGER)(int64_t)g->alpha, beta = (INTEGER)(int64_t)g->beta;

    for (int64_t j = 0; j < g->n; j++) {
        INTEGER *const to = c + i * g->c_row + j * g->c_col;

        *to = beta ? *to * beta : 0;
    }
    for (int64_t d = 0; d < g->k; d++) {
        const INTEGER left = alpha * a[i * g->a_row + d * g->a_col];
        const INTEGER *const right = b + d * g->b_row;

        for (int64_t j = 0; j < g->n; j++)
            c[i * g->c_row + j * g->c_col] += left * right[j * g->b_col];
    }
}
#undef INTEGER
#undef ROW
