/* The loops of a reduction for one type; reduce.c includes this once for each. REDUCE(f) names them, T is the element,
 * ACC what it is reduced in (at most 8 bytes), EMPTY the reduction of nothing, MAP(a) what of each element is combined,
 * COMBINE(a, b) that of two, FINISH(f, a, n) what becomes of it in the end. Forgets the first three. */

static void REDUCE(clear)(void *acc, int64_t n)
{
    ACC *a = acc;

    for (int64_t j = 0; j < n; j++)
        a[j] = EMPTY;
}

static void REDUCE(row)(const struct kernels *k, const void *values, int64_t n, void *acc)
{
    enum { LANES = 8 };
    const T *x = values;
    ACC lane[LANES], *a = acc;
    int64_t i = 0;

    (void)k;
    for (int l = 0; l < LANES; l++)
        lane[l] = EMPTY;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = COMBINE(lane[l], MAP((ACC)x[i + l]));
    for (int l = 0; i < n; i++, l++)
        lane[l] = COMBINE(lane[l], MAP((ACC)x[i]));
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = COMBINE(lane[l], lane[l + half]);
    *a = COMBINE(*a, lane[0]);
}

static void REDUCE(columns)(const struct kernels *k, const void *values, int64_t rows, int64_t n, int64_t stride,
                            void *acc)
{
    ACC *restrict a = acc;

    (void)k;
    for (int64_t r = 0; r < rows; r++) {
        const T *x = (const T *)values + r * stride;

        for (int64_t j = 0; j < n; j++)
            a[j] = COMBINE(a[j], MAP((ACC)x[j]));
    }
}

static void REDUCE(merge)(void *acc, const void *other, int64_t n)
{
    const ACC *b = other;
    ACC *a = acc;

    for (int64_t j = 0; j < n; j++)
        a[j] = COMBINE(a[j], b[j]);
}

static void REDUCE(store)(const void *acc, int64_t n, int64_t count, enum finish finish, void *result)
{
    const ACC *a = acc;
    T *y = result;

    (void)count;
    (void)finish;
    for (int64_t j = 0; j < n; j++)
        y[j] = (T)FINISH(finish, a[j], count);
}

#undef REDUCE
#undef T
#undef ACC
