/* What is done with samples (sample.h) of one channel, for one type `real`. No include guard: included once for each. */

/* y[p * step] = the value of point p. */
static void NAME(read_samples)(const struct samples *s, int64_t count, const real *x, real *y, int64_t step)
{
    for (int64_t p = 0; p < count; p++) {
        real sum = 0;

        for (int64_t k = s->first[p]; k < s->first[p + 1]; k++)
            sum += (real)s->weight[k] * x[s->offset[k]];
        y[p * step] = sum;
    }
}

/* The adjoint of that: adds to dx. */
static void NAME(spread_samples)(const struct samples *s, int64_t count, const real *dy, real *dx)
{
    for (int64_t p = 0; p < count; p++)
        for (int64_t k = s->first[p]; k < s->first[p + 1]; k++)
            dx[s->offset[k]] += (real)s->weight[k] * dy[p];
}

/* What the coordinates get of several channels, `x_step` and `dy_step` apart: adds to d, `rank` for a point. */
static void NAME(slope_samples)(const struct samples *s, int64_t count, int rank, int64_t channels, const real *x,
                                int64_t x_step, const real *dy, int64_t dy_step, double *d)
{
    for (int64_t p = 0; p < count; p++)
        for (int64_t k = s->first[p]; k < s->first[p + 1]; k++) {
            const real *const from = x + s->offset[k];
            real sum = 0;

            for (int64_t c = 0; c < channels; c++)
                sum += dy[c * dy_step + p] * from[c * x_step];
            for (int by = 0; by < rank; by++)
                d[p * rank + by] += s->slope[k * rank + by] * (double)sum;
        }
}

#undef NAME
#undef real
