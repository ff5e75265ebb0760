/* One loop of a unary operator, for one type; included once for each. Needs
 *   LOOP    its name
 *   T       the type of x
 *   W       an unsigned type of at least 32 bits for integers, which wraps around; T where it is not defined
 *   RESULT  the type of y; T where it is not defined
 *   EXPR    y, of x; may use zero (a 0 that no compiler compares with) and, where W is not defined, alpha and beta: no
 *           integer holds any float, so those have s->numbers alone
 * and forgets LOOP, T and W. */
#ifdef W
#define NUMBER(v) 0
#else
#define NUMBER(v) ((T)(v))
#define W         T
#endif
#ifdef RESULT
#define R RESULT
#else
#define R T
#endif
static void LOOP(const struct elements *s)
{
    const T *const from = s->x[0];
    R *const to = s->y;
    const int64_t n = s->n;
    const T alpha = NUMBER(s->numbers.alpha), beta = NUMBER(s->numbers.beta), zero = 0;

    (void)alpha;
    (void)beta;
    (void)zero;
    INDEPENDENT
    for (int64_t k = 0; k < n; k++) {
        const T x = from[k];

        to[k] = (R)(EXPR);
    }
}
#undef LOOP
#undef T
#undef W
#undef R
#undef NUMBER
