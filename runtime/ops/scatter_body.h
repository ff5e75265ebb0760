/* Combines n elements with others, for one type: places.c includes this once for each. LOOP is its name, T the type, W
 * what it is computed in, IS_NAN(x) of that type. Forgets LOOP, T and W. */
static void LOOP(enum scatter_how how, void *to, const void *from, int64_t n)
{
    const T *const u = from;
    T *const y = to;

    switch (how) {
    case SCATTER_ADD:
        for (int64_t k = 0; k < n; k++)
            y[k] = (T)((W)y[k] + (W)u[k]);
        break;
    case SCATTER_MUL:
        for (int64_t k = 0; k < n; k++)
            y[k] = (T)((W)y[k] * (W)u[k]);
        break;
    case SCATTER_MIN:
        for (int64_t k = 0; k < n; k++)
            y[k] = u[k] < y[k] || IS_NAN(u[k]) ? u[k] : y[k];
        break;
    case SCATTER_MAX:
        for (int64_t k = 0; k < n; k++)
            y[k] = u[k] > y[k] || IS_NAN(u[k]) ? u[k] : y[k];
        break;
    default: /* SCATTER_SET moves bytes */
        break;
    }
}
#undef LOOP
#undef T
#undef W
