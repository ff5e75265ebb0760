/* The loop of struct quantizing as NAME: X becomes Y, VALUE(x, scale) is what is rounded. Adding 1.5 * 2^23 rounds, of what
 * is less than 2^22. */
static void NAME(const struct quantizing *q, const X *x, Y *y, int64_t n)
{
    const float magic = 12582912.f, far = 2097152.f, least = q->least, most = q->most;
    const float *const scale = q->scale, *const zero = q->zero;

#define QUANTIZED(to, s, z)                                                                                            \
    {                                                                                                                  \
        float v = VALUE(x[i], s);                                                                                      \
                                                                                                                       \
        v = v > -far ? v : -far;                                                                                       \
        v = v < far ? v : far;                                                                                         \
        v = ((v + magic) - magic) + (z);                                                                               \
        v = v > least ? v : least;                                                                                     \
        v = v < most ? v : most;                                                                                       \
        to = (Y)(int32_t)v;                                                                                            \
    }
    if (q->each) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            QUANTIZED(y[i], scale[i], zero[i])
    } else {
        const float one_scale = *scale, one_zero = *zero;

        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            QUANTIZED(y[i], one_scale, one_zero)
    }
#undef QUANTIZED
}
#undef NAME
#undef X
#undef Y
#undef VALUE
