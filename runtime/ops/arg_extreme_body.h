/* The loops of arg_extreme_loops.h for one type `real`, in which is_nan says whether a value is NaN. No include guard:
 * included once for each. */

/* Is `b`, which stands behind `a`, to be taken? NaN is beyond all numbers; of equals the first is taken, or the last. */
static inline bool NAME(better)(real a, real b, bool last)
{
    if (is_nan(b))
        return last || !is_nan(a);
    return BEYOND(b, a) || (last && b == a);
}

/* Rows [0, n) of `columns` elements, each row `stride` behind the last: best[c] is what is looked for in column c, at[c] its
 * row. */
static void NAME(columns)(const void *x, int64_t n, int64_t columns, int64_t stride, bool last, int64_t *at)
{
    const real *row = x;
    real best[COLUMNS];

    for (int64_t c = 0; c < columns; c++) {
        best[c] = row[c];
        at[c] = 0;
    }
    for (int64_t r = 1; r < n; r++) {
        row += stride;
        for (int64_t c = 0; c < columns; c++)
            if (NAME(better)(best[c], row[c], last)) {
                best[c] = row[c];
                at[c] = r;
            }
    }
}

#undef NAME
#undef real
