/* One loop of an operator with three inputs; included once for each type. Needs
 *   LOOP           its name
 *   A, T           the type of the first operand, and of the two others and y
 *   EXPR(a, b, c)  y
 * and forgets LOOP, A and T. */
static void LOOP(const struct span *s)
{
    const A *const a = s->x[0];
    const T *const b = s->x[1], *const c = s->x[2];
    const int64_t n = s->n, p = s->step[0], q = s->step[1], r = s->step[2];
    T *const y = s->y;

    if (p && q && r) {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            y[k] = EXPR(a[k], b[k], c[k]);
    } else {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++)
            y[k] = EXPR(a[k * p], b[k * q], c[k * r]);
    }
}
#undef LOOP
#undef A
#undef T
