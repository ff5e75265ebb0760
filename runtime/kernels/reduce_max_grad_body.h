/* The gradient of a maximum for one type T, over one chunk of outputs; reduce.c includes this once for each. */

static void MAX_GRAD(void *context, int64_t chunk, int thread)
{
    const struct grad_job *j = context;
    const struct reduce_shape *s = j->s;
    const int64_t from = chunk * j->group, to = from + j->group < s->outputs ? from + j->group : s->outputs;
    const int64_t n = s->reduced_dim[0], step = s->reduced_stride[0], rows = s->count / n;
    const T *y = j->y, *dy = j->dy;

    (void)thread;
    for (int64_t o = from; o < to; o++) {
        const int64_t first = offset_of(s->kept_dim, s->kept_stride, 0, s->kept, o);
        int64_t ties = 0;
        T share;

        for (int64_t r = 0; r < rows; r++) {
            const T *x = (const T *)j->x + first + offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, r);

            for (int64_t i = 0; i < n; i++)
                ties += x[i * step] == y[o];
        }
        share = ties ? dy[o] / (T)ties : 0;
        for (int64_t r = 0; r < rows; r++) {
            const int64_t at = first + offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, r);
            const T *x = (const T *)j->x + at;
            T *dx = (T *)j->dx + at;

            for (int64_t i = 0; i < n; i++)
                dx[i * step] = x[i * step] == y[o] ? share : 0;
        }
    }
}

#undef MAX_GRAD
#undef T
