/* Pooling of one plane for one type: ELEMENT in memory, READ to a number; with gradients, SUM and WRITE back. Included
 * once for each type. */

/* The first maximal element of a window, NaN before all; -1 where the window is empty. */
static int64_t SUFFIX(winner)(const struct pool_shape *s, const struct window *w, const ELEMENT *x)
{
    struct steps i;
    int64_t best;

    if (w->empty)
        return -1;
    first_step(s, w, &i);
    best = i.at;
    while (next_step(s, w, &i))
        if (BEATS_NUMBER(READ(x[i.at]), READ(x[best])))
            best = i.at;
    return best;
}

static void SUFFIX(max)(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const ELEMENT *const x = (const ELEMENT *)p->x + plane * p->in;
    int64_t u[MAX_RANK] = { 0 }, out = plane * p->out;

    (void)thread;
    do {
        struct window w;
        int64_t best;

        window_at(p->s, u, &w);
        best = SUFFIX(winner)(p->s, &w, x);
        ((ELEMENT *)p->y)[out] = best < 0 ? (ELEMENT)LOWEST : x[best];
        if (p->indices)
            p->indices[out] = best < 0 ? -1 : index_of(p, plane, best);
        out++;
    } while (next_output(p, u));
}

#ifdef WITH_GRADIENT
/* Sums of halves are rounded once for each addition: windows overlap only where strides are smaller than the kernel. */
static void SUFFIX(max_grad)(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const ELEMENT *const x = (const ELEMENT *)p->x + plane * p->in, *dy = (const ELEMENT *)p->dy + plane * p->out;
    ELEMENT *const dx = (ELEMENT *)p->y + plane * p->in;
    int64_t u[MAX_RANK] = { 0 };

    (void)thread;
    for (int64_t i = 0; i < p->in; i++)
        dx[i] = 0;
    if (p->out == 0)
        return;
    do {
        struct window w;
        int64_t best;

        window_at(p->s, u, &w);
        best = SUFFIX(winner)(p->s, &w, x);
        if (best >= 0)
            dx[best] = WRITE(READ(dx[best]) + READ(*dy));
        dy++;
    } while (next_output(p, u));
}

#ifndef ROWS
static void SUFFIX(average)(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const ELEMENT *const x = (const ELEMENT *)p->x + plane * p->in;
    int64_t u[MAX_RANK] = { 0 }, out = plane * p->out;

    (void)thread;
    do {
        struct window w;
        struct steps i;
        SUM sum = 0;

        window_at(p->s, u, &w);
        if (!w.empty) {
            first_step(p->s, &w, &i);
            do
                sum += READ(x[i.at]);
            while (next_step(p->s, &w, &i));
        }
        ((ELEMENT *)p->y)[out++] = WRITE(sum / (SUM)w.counted);
    } while (next_output(p, u));
}
#endif

static void SUFFIX(average_grad)(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const ELEMENT *dy = (const ELEMENT *)p->dy + plane * p->out;
    ELEMENT *const dx = (ELEMENT *)p->y + plane * p->in;
    int64_t u[MAX_RANK] = { 0 };

    (void)thread;
    for (int64_t i = 0; i < p->in; i++)
        dx[i] = 0;
    if (p->out == 0)
        return;
    do {
        struct window w;
        struct steps i;
        SUM share;

        window_at(p->s, u, &w);
        share = READ(*dy) / (SUM)w.counted;
        dy++;
        if (w.empty)
            continue;
        first_step(p->s, &w, &i);
        do
            dx[i.at] = WRITE(READ(dx[i.at]) + share);
        while (next_step(p->s, &w, &i));
    } while (next_output(p, u));
}
#undef ROWS
#undef WITH_GRADIENT
#undef SUM
#undef WRITE
#endif
#undef ELEMENT
#undef READ
#undef LOWEST
#undef SUFFIX
