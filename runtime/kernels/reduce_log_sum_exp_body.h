/* The logarithm of a sum of exponentials for one type T, over one chunk of outputs; reduce.c includes this once for each.
 * The greatest element is taken away first, where it is finite, so that no exponential is too large. */

static void LOG_SUM_EXP(void *context, int64_t chunk, int thread)
{
    const struct log_sum_exp_job *j = context;
    const struct reduce_shape *s = j->s;
    const int64_t from = chunk * j->group, to = from + j->group < s->outputs ? from + j->group : s->outputs;
    const int64_t n = s->reduced_dim[0], step = s->reduced_stride[0], rows = n ? s->count / n : 0;
    T *y = j->y;

    (void)thread;
    for (int64_t o = from; o < to; o++) {
        const T *const x = (const T *)j->x + offset_of(s->kept_dim, s->kept_stride, 0, s->kept, o);
        double top = -(double)INFINITY, sum = 0;

        for (int64_t r = 0; r < rows; r++) {
            const T *const row = x + offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, r);

            for (int64_t i = 0; i < n; i++)
                top = (double)row[i * step] > top ? (double)row[i * step] : top;
        }
        top = isfinite(top) ? top : 0;
        for (int64_t r = 0; r < rows; r++) {
            const T *const row = x + offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, r);

            for (int64_t i = 0; i < n; i++)
                sum += exp((double)row[i * step] - top);
        }
        y[o] = (T)(log(sum) + top);
    }
}

#undef LOG_SUM_EXP
#undef T
