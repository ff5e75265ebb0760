/* One loop of the gradient of a unary operator, for float or double, as unary_body.h. Needs
 *   LOOP   its name
 *   T      the type
 *   SAVED  what operand 0 is called in EXPR: x or y; operand 1 is dy
 *   EXPR   dx; may use alpha and beta
 * and forgets LOOP and T. */
static void LOOP(const struct elements *s)
{
    const T *const saved = s->x[0], *const up = s->x[1];
    T *const to = s->y;
    const int64_t n = s->n;
    const T alpha = (T)s->numbers.alpha, beta = (T)s->numbers.beta;

    (void)alpha;
    (void)beta;
    INDEPENDENT
    for (int64_t k = 0; k < n; k++) {
        const T SAVED = saved[k], dy = up[k];

        to[k] = (T)(EXPR);
    }
}
#undef LOOP
#undef T
