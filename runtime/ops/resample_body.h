/* The loops of resample.c for one type `real`. No include guard: included once for each. */

static void NAME(forward)(const struct pass *j, int64_t first, int64_t end)
{
    const struct taps *t = j->taps;
    const int64_t inner = j->inner;

    for (int64_t row = first; row < end; row++) {
        const int64_t p = row % t->out;
        const real *from = (const real *)j->from + row / t->out * t->in * inner;
        real *to = (real *)j->to + row * inner;

        for (int64_t i = 0; i < inner; i++)
            to[i] = 0;
        for (int64_t k = p * t->width; k < (p + 1) * t->width; k++) {
            const real weight = (real)t->weight[k];
            const real *x;

            if (t->index[k] < 0)
                continue;
            x = from + t->index[k] * inner;
            for (int64_t i = 0; i < inner; i++)
                to[i] += weight * x[i];
        }
    }
}

/* Lanes [first, end) of one image: dx of them is written by nobody else, and always in the order of p. */
static void NAME(backward)(const struct pass *j, int64_t outer, int64_t first, int64_t end)
{
    const struct taps *t = j->taps;
    const int64_t inner = j->inner;
    const real *from = (const real *)j->from + outer * t->out * inner;
    real *to = (real *)j->to + outer * t->in * inner;

    for (int64_t n = 0; n < t->in; n++)
        for (int64_t i = first; i < end; i++)
            to[n * inner + i] = 0;
    for (int64_t p = 0; p < t->out; p++)
        for (int64_t k = p * t->width; k < (p + 1) * t->width; k++) {
            const real weight = (real)t->weight[k];
            const int64_t at = t->index[k] * inner;

            if (t->index[k] < 0)
                continue;
            for (int64_t i = first; i < end; i++)
                to[at + i] += weight * from[p * inner + i];
        }
}

#undef NAME
#undef real
