/* One loop of a binary operator, for one type; included once for each. Needs
 *   LOOP    its name
 *   T       the type of both operands
 *   W       an unsigned type of at least 32 bits for integers, which wraps around; T where it is not defined
 *   RESULT  the type of y; T where it is not defined
 *   EXPR    y, of a and b; may use zero (a 0 that no compiler compares with)
 * and forgets LOOP, T and W. */
#ifndef W
#define W T
#endif
#ifdef RESULT
#define R RESULT
#else
#define R T
#endif
static void LOOP(const struct elements *s)
{
    const T *const left = s->x[0], *const right = s->x[1];
    R *const y = s->y;
    const int64_t n = s->n;
    const T zero = 0;

    (void)zero;
    if (!s->step[0]) {
        const T a = *left;

        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            const T b = right[k];

            y[k] = (R)(EXPR);
        }
    } else if (!s->step[1]) {
        const T b = *right;

        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            const T a = left[k];

            y[k] = (R)(EXPR);
        }
    } else {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            const T a = left[k], b = right[k];

            y[k] = (R)(EXPR);
        }
    }
}
#undef LOOP
#undef T
#undef W
#undef R
