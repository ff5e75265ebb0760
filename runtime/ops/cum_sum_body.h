/* Running sums of some columns for one type T: cum_sum.c includes this once for each. SUMS is its name, ACC what is
 * summed in. Forgets all three. */
static void SUMS(const struct cum_sum_job *j, int64_t at, int64_t columns)
{
    const T *const x = (const T *)j->x + at;
    T *const y = (T *)j->y + at;
    ACC sum[COLUMNS] = { 0 };

    for (int64_t i = 0; i < j->n; i++) {
        const int64_t row = (j->reverse ? j->n - 1 - i : i) * j->stride;

        for (int64_t c = 0; c < columns; c++) {
            const ACC before = sum[c];

            sum[c] += (ACC)x[row + c];
            y[row + c] = (T)(j->exclusive ? before : sum[c]);
        }
    }
}
#undef SUMS
#undef T
#undef ACC
