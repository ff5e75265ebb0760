/* LRN of one tile of places and all channels, forward and backward, for one type T; lrn.c includes this once for
 * each. */

static void LRN(forward)(void *context, int64_t chunk, int thread)
{
    const struct lrn_job *j = context;
    const int64_t image = chunk / j->p.tiles * j->p.channels * j->p.spatial, place = chunk % j->p.tiles * TILE;
    const int64_t n = j->p.spatial - place < TILE ? j->p.spatial - place : TILE;
    const T *x = (const T *)j->x + image + place;
    T *y = (T *)j->to + image + place, *power = (T *)(void *)(j->scratch + (size_t)thread * j->slice);

    for (int64_t c = 0; c < j->p.channels && !pool_late(j->pool); c++) {
        const int64_t at = c * j->p.spatial;

        LRN(power)(j, x, c, n, -(T)j->a->beta, power);
        for (int64_t i = 0; i < n; i++)
            y[at + i] = x[at + i] * power[i];
    }
}

static void LRN(backward)(void *context, int64_t chunk, int thread)
{
    const struct lrn_job *j = context;
    const int64_t image = chunk / j->p.tiles * j->p.channels * j->p.spatial, place = chunk % j->p.tiles * TILE;
    const int64_t n = j->p.spatial - place < TILE ? j->p.spatial - place : TILE;
    const T *x = (const T *)j->x + image + place, *dy = (const T *)j->dy + image + place;
    const T factor = -2 * (T)j->a->alpha * (T)j->a->beta / (T)j->a->size;
    T *dx = (T *)j->to + image + place;
    T *p = (T *)(void *)(j->scratch + (size_t)thread * j->slice), *power = p + j->p.channels * TILE;

    for (int64_t c = 0; c < j->p.channels && !pool_late(j->pool); c++) {
        const int64_t at = c * j->p.spatial;

        LRN(power)(j, x, c, n, -(T)j->a->beta - 1, p + c * TILE);
        for (int64_t i = 0; i < n; i++)
            p[c * TILE + i] *= dy[at + i] * x[at + i];
    }
    /* c is in the windows of c - after ... c + before */
    for (int64_t c = 0; c < j->p.channels && !pool_late(j->pool); c++) {
        const int64_t at = c * j->p.spatial, from = c > j->p.after ? c - j->p.after : 0;
        const int64_t to = j->p.channels - 1 - c > j->p.before ? c + j->p.before : j->p.channels - 1;

        LRN(power)(j, x, c, n, -(T)j->a->beta, power);
        for (int64_t i = 0; i < n; i++) {
            T sum = 0;

            for (int64_t w = from; w <= to; w++)
                sum += p[w * TILE + i];
            dx[at + i] = dy[at + i] * power[i] + factor * x[at + i] * sum;
        }
    }
}

#undef LRN
#undef T
