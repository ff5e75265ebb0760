/* The gradient of a product for one type T, over one chunk of outputs; reduce.c includes this once for each. Where one
 * element is zero, it alone has a gradient: the product of the others. Where several are, none has. */

static void PROD_GRAD(void *context, int64_t chunk, int thread)
{
    const struct grad_job *j = context;
    const struct reduce_shape *s = j->s;
    const int64_t from = chunk * j->group, to = from + j->group < s->outputs ? from + j->group : s->outputs;
    const int64_t n = s->reduced_dim[0], step = s->reduced_stride[0], rows = s->count / n;
    const T *dy = j->dy;

    (void)thread;
    for (int64_t o = from; o < to; o++) {
        const int64_t first = offset_of(s->kept_dim, s->kept_stride, 0, s->kept, o);
        int64_t zeros = 0;
        double others = 1; /* the product of what is not zero */

        for (int64_t r = 0; r < rows; r++) {
            const T *x = (const T *)j->x + first + offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, r);

            for (int64_t i = 0; i < n; i++) {
                zeros += x[i * step] == 0;
                others *= x[i * step] == 0 ? 1 : (double)x[i * step];
            }
        }
        for (int64_t r = 0; r < rows; r++) {
            const int64_t at = first + offset_of(s->reduced_dim, s->reduced_stride, 1, s->reduced, r);
            const T *x = (const T *)j->x + at;
            T *dx = (T *)j->dx + at;

            for (int64_t i = 0; i < n; i++)
                dx[i * step] = zeros > (x[i * step] == 0) ? 0
                               : x[i * step] == 0         ? (T)((double)dy[o] * others)
                                                          : (T)((double)dy[o] * others / (double)x[i * step]);
        }
    }
}

#undef PROD_GRAD
#undef T
