/* A walk along some columns for one type T: cumulative_loops.h includes this once for each. LOOP is its name, ACC what
 * is computed in. Forgets all three. */
static void LOOP(const struct cumulative_job *j, int64_t at, int64_t columns)
{
    const T *const from = (const T *)j->x + at, *const ups = (const T *)j->up + at;
    T *const y = (T *)j->y + at;
    const bool exclusive = j->exclusive;
    ACC state[COLUMNS];

    for (int64_t c = 0; c < columns; c++)
        state[c] = START;
    for (int64_t i = 0; i < j->n; i++) {
        const int64_t row = (j->reverse ? j->n - 1 - i : i) * j->stride;

        for (int64_t c = 0; c < columns; c++) {
            const ACC before = state[c], x = (ACC)from[row + c], up = (ACC)ups[row + c];
            const ACC after = AFTER;

            (void)up;
            state[c] = after;
            y[row + c] = (T)(OUT);
        }
    }
}
#undef LOOP
#undef T
#undef ACC
