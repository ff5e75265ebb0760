/* One loop of an operator with three inputs; included once for each type. Needs
 *   LOOP  its name
 *   A, T  the type of the first operand (T where it is not defined), and of the two others and y
 *   EXPR  y, of a, b and c
 * and forgets LOOP, A, T and W. */
#ifndef A
#define A T
#endif
static void LOOP(const struct elements *s)
{
    const A *const first = s->x[0];
    const T *const second = s->x[1], *const third = s->x[2];
    const int64_t n = s->n, p = s->step[0], q = s->step[1], r = s->step[2];
    T *const y = s->y;

    if (p && q && r) {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            const A a = first[k];
            const T b = second[k], c = third[k];

            y[k] = EXPR;
        }
    } else {
        INDEPENDENT
        for (int64_t k = 0; k < n; k++) {
            const A a = first[k * p];
            const T b = second[k * q], c = third[k * r];

            y[k] = EXPR;
        }
    }
}
#undef LOOP
#undef A
#undef T
#undef W
