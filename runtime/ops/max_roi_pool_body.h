/* The largest element of a bin, NaN before all, for one type `real`: its value, and the place of the first of those that
 * are; 0 and UNKNOWN where the bin is empty. No include guard: included once for each type. */
static real NAME(largest)(const struct roi_job *j, int64_t plane, struct span rows, struct span columns)
{
    bool number = true;
    real most = -INFINITY;

    if (rows.from >= rows.to || columns.from >= columns.to)
        return 0;
    for (int64_t row = rows.from; row < rows.to; row++) {
        const real *const x = (const real *)j->x + (plane * j->height + row) * j->width;

        for (int64_t at = columns.from; at < columns.to; at++) {
            most = x[at] > most ? x[at] : most;
            number &= x[at] == x[at];
        }
    }
    return number ? most : (real)NAN;
}

static int64_t NAME(place)(const struct roi_job *j, int64_t plane, struct span rows, struct span columns)
{
    const real *const x = j->x;
    int64_t best = UNKNOWN;
    real most = 0;

    for (int64_t row = rows.from; row < rows.to; row++) {
        const int64_t start = (plane * j->height + row) * j->width;

        for (int64_t at = start + columns.from; at < start + columns.to; at++)
            if (best < 0 || x[at] > most || (x[at] != x[at] && most == most)) {
                best = at;
                most = x[at];
            }
    }
    return best;
}
#undef NAME
#undef real
