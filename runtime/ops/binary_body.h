/* One loop of a binary operator, for one type; included once for each. Needs
 *   LOOP        its name
 *   T           the type of both operands
 *   W           an unsigned type of at least 32 bits for integers, which wraps around; T where it is not defined
 *   RESULT      the type of y; T where it is not defined
 *   EXPR(a, b)  y; may use alpha, beta and zero (a 0 that no compiler compares with)
 * and forgets LOOP, T and W. */
#ifndef W
#define W T
#endif
#ifdef RESULT
#define R RESULT
#else
#define R T
#endif
static void LOOP(const struct span *s)
{
    const T *const a = s->x[0], *const b = s->x[1];
    R *const y = s->y;
    const int64_t n = s->n;
    const T alpha = (T)s->numbers.alpha, beta = (T)s->numbers.beta, zero = 0;

    (void)alpha;
    (void)beta;
    (void)zero;
    if (!s->step[0]) {
        const T p = *a;

        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            y[k] = (R)(EXPR(p, b[k]));
    } else if (!s->step[1]) {
        const T q = *b;

        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            y[k] = (R)(EXPR(a[k], q));
    } else {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            y[k] = (R)(EXPR(a[k], b[k]));
    }
}
#undef LOOP
#undef T
#undef W
#undef R
