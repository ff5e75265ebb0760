#include "kernels/norm.h"
#include "kernels/machine.h"
#include "kernels/norm_block.h"
#include "kernels/parts.h"
#include <math.h>
#include <string.h>

/* x[batch, channels, spatial] is read in slices of the batch, whose sums are then added in order. */
enum { MOST_SLICES = 16, FEW = JOB_ELEMENTS };

/* One pass over x (and dy) with sums for each channel. */
struct sums {
    const struct kernels *k;
    struct norm_shape s;
    bool wide;         /* double */
    const void *x, *g; /* g NULL: moments of x - mean, else sums of g and g * (x - mean) */
    const void *mean;
    double *partial;      /* [slices][2][channels] */
    int64_t slices, each; /* images of a slice */
};

static double read(bool wide, const void *p, int64_t i)
{
    return wide ? ((const double *)p)[i] : (double)((const float *)p)[i];
}
static void write(bool wide, void *p, int64_t i, double v)
{
    if (wide)
        ((double *)p)[i] = v;
    else
        ((float *)p)[i] = (float)v;
}
static double read_or(bool wide, const void *p, int64_t i, double fallback)
{
    return p ? read(wide, p, i) : fallback;
}
static void row_sums_f64(const struct sums *p, int64_t at, double mean, double *a, double *b)
{
    const double *const x = (const double *)p->x + at, *const g = p->g ? (const double *)p->g + at : NULL;

    for (int64_t i = 0; i < p->s.spatial; i++) {
        const double v = x[i] - mean;

        *a += g ? g[i] : v;
        *b += g ? g[i] * v : v * v;
    }
}

static void sum_slice(void *context, int64_t slice, int thread)
{
    const struct sums *p = context;
    const int64_t channels = p->s.channels, spatial = p->s.spatial, from = slice * p->each;
    const int64_t to = from + p->each < p->s.batch ? from + p->each : p->s.batch;
    double *const a = p->partial + 2 * slice * channels, *const b = a + channels;

    (void)thread;
    memset(a, 0, 2 * (size_t)channels * sizeof *a);
    for (int64_t n = from; n < to; n++)
        for (int64_t c = 0; c < channels; c++) {
            const int64_t at = (n * channels + c) * spatial;
            const double mean = read(p->wide, p->mean, c);

            if (p->wide)
                row_sums_f64(p, at, mean, a + c, b + c);
            else if (p->g)
                p->k->norm->dot_centered((const float *)p->x + at, (const float *)p->g + at, spatial, (float)mean,
                                         a + c, b + c);
            else
                p->k->norm->moments((const float *)p->x + at, spatial, (float)mean, a + c, b + c);
        }
}

/* Channels that lie last are norm_block.c's. */
static bool is_last(const struct norm_shape *s, enum dtype dtype)
{
    return s->spatial == 1 && dtype == F32;
}
static struct norm_block last_block(const struct norm_shape *s)
{
    return (struct norm_block){ .images = s->batch, .height = 1, .width = 1, .channels = s->channels, .normal = true };
}

static int64_t slices_of(const struct norm_shape *s)
{
    const int64_t n = s->batch * s->channels * s->spatial / FEW + 1;
    const int64_t most = s->batch < MOST_SLICES ? s->batch : MOST_SLICES;

    return n < most ? n : most > 0 ? most : 1;
}

/* Leaves the sums of all slices in the first one. */
static void run_sums(struct pool *pool, struct sums *p)
{
    const int64_t channels = p->s.channels;
    const int64_t wanted = slices_of(&p->s);

    p->each = divide_up(p->s.batch, wanted);
    if (p->each == 0)
        p->each = 1;
    p->slices = divide_up(p->s.batch, p->each);
    if (p->slices == 0)
        memset(p->partial, 0, 2 * (size_t)channels * sizeof *p->partial);
    pool_run(pool, p->slices, sum_slice, p);
    for (int64_t slice = 1; slice < p->slices; slice++)
        for (int64_t i = 0; i < 2 * channels; i++)
            p->partial[i] += p->partial[2 * slice * channels + i];
}

/* -- statistics -- */

size_t batch_moments_scratch(const struct norm_shape *s, enum dtype dtype)
{
    const struct norm_block b = last_block(s);

    if (is_last(s, dtype))
        return norm_moments_scratch(s->batch, s->channels) + norm_block_scratch(&b);
    return aligned(2 * (size_t)(slices_of(s) * s->channels) * sizeof(double));
}

/* Two passes, the second about the mean of the first; what the first lost by rounding is made good by the second's
 * sum. */
void batch_moments(const struct kernels *k, struct pool *pool, const struct norm_shape *s, enum dtype dtype,
                   const void *x, void *mean, void *var, void *scratch)
{
    const bool wide = dtype == F64;
    struct sums p = { .k = k, .s = *s, .wide = wide, .x = x, .mean = mean, .partial = scratch };
    const double count = (double)s->batch * (double)s->spatial;

    if (is_last(s, dtype)) {
        norm_moments(k, pool, s->batch, s->channels, x, mean, var, scratch);
        return;
    }
    for (int64_t c = 0; c < s->channels; c++) /* a first guess: the first element */
        write(wide, mean, c, count > 0 ? read(wide, x, c * s->spatial) : 0);
    run_sums(pool, &p);
    for (int64_t c = 0; c < s->channels; c++)
        write(wide, mean, c, read(wide, mean, c) + p.partial[c] / count);
    run_sums(pool, &p);
    for (int64_t c = 0; c < s->channels; c++) {
        const double rest = p.partial[c] / count, v = p.partial[s->channels + c] / count - rest * rest;

        write(wide, mean, c, read(wide, mean, c) + rest);
        write(wide, var, c, v < 0 ? 0 : v);
    }
}

void inverse_std(enum dtype dtype, int64_t channels, const void *var, double epsilon, void *invstd)
{
    for (int64_t c = 0; c < channels; c++)
        if (dtype == F64)
            ((double *)invstd)[c] = 1 / sqrt(((const double *)var)[c] + epsilon);
        else
            ((float *)invstd)[c] = 1 / sqrtf(((const float *)var)[c] + (float)epsilon);
}

void running_update(enum dtype dtype, int64_t channels, const void *running, const void *value, double momentum,
                    void *to)
{
    for (int64_t c = 0; c < channels; c++)
        if (dtype == F64)
            ((double *)to)[c] = ((const double *)running)[c] * momentum + ((const double *)value)[c] * (1 - momentum);
        else
            ((float *)to)[c] =
                ((const float *)running)[c] * (float)momentum + ((const float *)value)[c] * (float)(1 - momentum);
}

/* -- what is done to each element -- */

/* y = (x - mean) * p + q, or dx = p * g + q * (x - mean) + r, with numbers of each channel. */
struct passage {
    const struct kernels *k;
    struct norm_shape s;
    bool wide, back;
    const void *x, *g, *mean, *scale, *bias, *invstd;
    void *y;
    double inverse_count;
    const double *sums; /* of dot_centered, [2][channels]; NULL: not in training */
    int64_t each;       /* rows of a chunk: (image, channel) */
};

static void forward_numbers(const struct passage *p, int64_t c, double *scale, double *shift)
{
    if (p->wide)
        *scale = read(true, p->invstd, c) * read_or(true, p->scale, c, 1);
    else
        *scale = (double)((float)read(false, p->invstd, c) * (float)read_or(false, p->scale, c, 1));
    *shift = read_or(p->wide, p->bias, c, 0);
}

/* dx = scale * invstd * (g - mean(g) - (x - mean) * invstd^2 * mean(g * (x - mean))) */
static void backward_numbers(const struct passage *p, int64_t c, double *on_g, double *on_x, double *rest)
{
    const double invstd = read(p->wide, p->invstd, c);

    *on_g = invstd * read_or(p->wide, p->scale, c, 1);
    *on_x = *rest = 0;
    if (p->sums) {
        *rest = -*on_g * p->sums[c] * p->inverse_count;
        *on_x = -*on_g * invstd * invstd * p->sums[p->s.channels + c] * p->inverse_count;
    }
}

static void pass_f64(const struct passage *p, int64_t at, int64_t c)
{
    const double *const x = (const double *)p->x + at, mean = read(true, p->mean, c);
    double *const y = (double *)p->y + at, a, b, r;

    if (p->back) {
        const double *const g = (const double *)p->g + at;

        backward_numbers(p, c, &a, &b, &r);
        for (int64_t i = 0; i < p->s.spatial; i++)
            y[i] = a * g[i] + b * (x[i] - mean) + r;
        return;
    }
    forward_numbers(p, c, &a, &b);
    for (int64_t i = 0; i < p->s.spatial; i++)
        y[i] = (x[i] - mean) * a + b;
}

static void pass_row(const struct passage *p, int64_t at, int64_t c)
{
    const float *const x = (const float *)p->x + at;
    float *const y = (float *)p->y + at, mean = (float)read(false, p->mean, c);
    double a, b, r;

    if (p->back) {
        backward_numbers(p, c, &a, &b, &r);
        p->k->norm->norm_back(x, (const float *)p->g + at, y, p->s.spatial, mean, (float)a, (float)b, (float)r);
    } else {
        forward_numbers(p, c, &a, &b);
        p->k->norm->scale_shift(x, y, p->s.spatial, mean, (float)a, (float)b);
    }
}

static void pass_rows(void *context, int64_t chunk, int thread)
{
    const struct passage *p = context;
    const int64_t rows = p->s.batch * p->s.channels, end = (chunk + 1) * p->each < rows ? (chunk + 1) * p->each : rows;

    (void)thread;
    for (int64_t row = chunk * p->each; row < end; row++)
        if (p->wide)
            pass_f64(p, row * p->s.spatial, row % p->s.channels);
        else
            pass_row(p, row * p->s.spatial, row % p->s.channels);
}

static void run_passage(struct pool *pool, struct passage *p)
{
    const int64_t rows = p->s.batch * p->s.channels;
    struct pool *const helpers = rows * p->s.spatial < FEW ? NULL : pool;

    p->each = 1 + 8192 / (p->s.spatial + 1);
    pool_run(helpers, divide_up(rows, p->each), pass_rows, p);
}

void batch_norm_apply(const struct kernels *k, struct pool *pool, const struct norm_shape *s, enum dtype dtype,
                      const void *x, const void *scale, const void *bias, const void *mean, const void *invstd,
                      const struct formula *act, void *y, void *scratch)
{
    struct norm_block last = last_block(s);
    struct passage p = { .k = k,
                         .s = *s,
                         .wide = dtype == F64,
                         .x = x,
                         .mean = mean,
                         .scale = scale,
                         .bias = bias,
                         .invstd = invstd,
                         .y = y };

    last.act = act;
    if (is_last(s, dtype))
        norm_block_forward(k, pool, &last, &(struct norm_parameters){ scale, bias, mean, invstd }, x, y, NULL, scratch);
    else
        run_passage(pool, &p);
}

size_t batch_norm_grad_scratch(const struct norm_shape *s, enum dtype dtype)
{
    const struct norm_block b = last_block(s);

    return is_last(s, dtype) ? norm_block_grad_scratch(&b) : batch_moments_scratch(s, dtype);
}

void batch_norm_grad(const struct kernels *k, struct pool *pool, const struct norm_shape *s, enum dtype dtype,
                     bool training, const void *dy, const void *x, const void *scale, const void *mean,
                     const void *invstd, void *dx, void *dscale, void *dbias, void *scratch)
{
    const bool wide = dtype == F64;
    const struct norm_block last = last_block(s);
    struct sums sums = { .k = k, .s = *s, .wide = wide, .x = x, .g = dy, .mean = mean, .partial = scratch };
    struct passage p = { .k = k,
                         .s = *s,
                         .wide = wide,
                         .back = true,
                         .x = x,
                         .g = dy,
                         .mean = mean,
                         .scale = scale,
                         .invstd = invstd,
                         .y = dx,
                         .inverse_count = 1 / ((double)s->batch * (double)s->spatial),
                         .sums = training ? sums.partial : NULL };

    if (is_last(s, dtype)) {
        norm_block_backward(k, pool, &last, &(struct norm_parameters){ scale, NULL, mean, invstd }, training, dy, x,
                            NULL, dx, dscale, dbias, scratch);
        return;
    }
    if (training || dscale || dbias)
        run_sums(pool, &sums);
    if (dx)
        run_passage(pool, &p);
    for (int64_t c = 0; c < s->channels; c++) {
        if (dbias)
            write(wide, dbias, c, sums.partial[c]);
        if (dscale)
            write(wide, dscale, c, sums.partial[s->channels + c] * read(wide, invstd, c));
    }
}

/* -- layer normalisation -- */

struct layer {
    const struct kernels *k;
    bool wide;
    int64_t rows, n, each;
    const void *x, *dy, *scale, *bias, *row_mean, *row_invstd;
    double epsilon;
    void *y, *mean, *invstd, *dscale, *dbias;
    double *partial; /* [slices][2][n] */
};

static const void *at(bool wide, const void *p, int64_t i)
{
    return (const char *)p + i * (wide ? 8 : 4);
}

static void row_moments(const struct layer *p, const void *x, double mean, double *sum, double *squares)
{
    *sum = *squares = 0;
    if (!p->wide) {
        p->k->norm->moments(x, p->n, (float)mean, sum, squares);
        return;
    }
    for (int64_t i = 0; i < p->n; i++) {
        const double v = ((const double *)x)[i] - mean;

        *sum += v;
        *squares += v * v;
    }
}

static void layer_row(const struct layer *p, int64_t row)
{
    const void *const x = at(p->wide, p->x, row * p->n);
    double mean = read(p->wide, x, 0), sum, squares, invstd;

    row_moments(p, x, mean, &sum, &squares);
    mean += sum / (double)p->n;
    if (!p->wide)
        mean = (double)(float)mean;
    row_moments(p, x, mean, &sum, &squares);
    sum /= (double)p->n;
    invstd = 1 / sqrt(squares / (double)p->n - sum * sum + p->epsilon);
    if (p->mean)
        write(p->wide, p->mean, row, mean);
    if (p->invstd)
        write(p->wide, p->invstd, row, invstd);
    if (p->wide) {
        for (int64_t i = 0; i < p->n; i++)
            ((double *)p->y)[row * p->n + i] =
                (((const double *)x)[i] - mean) * invstd * ((const double *)p->scale)[i] + read_or(true, p->bias, i, 0);
        return;
    }
    p->k->norm->scale_shift(x, (float *)p->y + row * p->n, p->n, (float)mean, (float)invstd, 0);
    p->k->map->mul((float *)p->y + row * p->n, p->scale, (float *)p->y + row * p->n, p->n);
    if (p->bias)
        p->k->map->add((float *)p->y + row * p->n, p->bias, (float *)p->y + row * p->n, p->n);
}
static void layer_chunk(void *context, int64_t chunk, int thread)
{
    const struct layer *p = context;
    const int64_t end = (chunk + 1) * p->each < p->rows ? (chunk + 1) * p->each : p->rows;

    (void)thread;
    for (int64_t row = chunk * p->each; row < end; row++)
        layer_row(p, row);
}

void layer_norm(const struct kernels *k, struct pool *pool, enum dtype dtype, int64_t rows, int64_t n, const void *x,
                const void *scale, const void *bias, double epsilon, void *y, void *mean, void *invstd)
{
    struct layer p = { .k = k,
                       .wide = dtype == F64,
                       .rows = rows,
                       .n = n,
                       .each = 1 + 8192 / (n + 1),
                       .x = x,
                       .scale = scale,
                       .bias = bias,
                       .epsilon = epsilon,
                       .y = y,
                       .mean = mean,
                       .invstd = invstd };

    if (n > 0)
        pool_run(rows * n < FEW ? NULL : pool, divide_up(rows, p.each), layer_chunk, &p);
}

static int64_t layer_slices(int64_t rows, int64_t n)
{
    const int64_t most = rows < MOST_SLICES ? rows : MOST_SLICES, worth = rows * n / FEW + 1;

    return worth < most ? worth : most > 0 ? most : 1;
}
size_t layer_norm_grad_scratch(enum dtype dtype, int64_t rows, int64_t n)
{
    (void)dtype;
    return aligned(2 * (size_t)(layer_slices(rows, n) * n) * sizeof(double));
}

/* With h = (x - mean) * invstd and d = dy * scale: dx = invstd * (d - mean(d) - h * mean(d * h)). */
static void layer_row_grad(const struct layer *p, int64_t row, double *dscale, double *dbias)
{
    const void *const x = at(p->wide, p->x, row * p->n), *const dy = at(p->wide, p->dy, row * p->n);
    const double mean = read(p->wide, p->row_mean, row), invstd = read(p->wide, p->row_invstd, row);
    double sum = 0, product = 0;

    for (int64_t i = 0; i < p->n; i++) {
        const double g = read(p->wide, dy, i), h = (read(p->wide, x, i) - mean) * invstd,
                     d = g * read(p->wide, p->scale, i);

        sum += d;
        product += d * h;
        dscale[i] += g * h;
        dbias[i] += g;
    }
    sum /= (double)p->n;
    product /= (double)p->n;
    for (int64_t i = 0; i < p->n && p->y; i++) {
        const double d = read(p->wide, dy, i) * read(p->wide, p->scale, i), h = (read(p->wide, x, i) - mean) * invstd;

        write(p->wide, p->y, row * p->n + i, invstd * (d - sum - h * product));
    }
}
static void layer_grad_slice(void *context, int64_t slice, int thread)
{
    const struct layer *p = context;
    const int64_t end = (slice + 1) * p->each < p->rows ? (slice + 1) * p->each : p->rows;
    double *const dscale = p->partial + 2 * slice * p->n, *const dbias = dscale + p->n;

    (void)thread;
    memset(dscale, 0, 2 * (size_t)p->n * sizeof *dscale);
    for (int64_t row = slice * p->each; row < end; row++)
        layer_row_grad(p, row, dscale, dbias);
}

void layer_norm_grad(const struct kernels *k, struct pool *pool, enum dtype dtype, int64_t rows, int64_t n,
                     const void *dy, const void *x, const void *scale, const void *mean, const void *invstd, void *dx,
                     void *dscale, void *dbias, void *scratch)
{
    const int64_t wanted = layer_slices(rows, n);
    struct layer p = { .k = k,
                       .wide = dtype == F64,
                       .rows = rows,
                       .n = n,
                       .each = rows ? divide_up(rows, wanted) : 1,
                       .x = x,
                       .dy = dy,
                       .scale = scale,
                       .row_mean = mean,
                       .row_invstd = invstd,
                       .y = dx,
                       .partial = scratch };
    const int64_t slices = rows ? divide_up(rows, p.each) : 0;

    pool_run(rows * n < FEW ? NULL : pool, slices, layer_grad_slice, &p);
    for (int64_t i = 0; i < n; i++) {
        double s = 0, b = 0;

        for (int64_t slice = 0; slice < slices; slice++) {
            s += p.partial[2 * slice * n + i];
            b += p.partial[(2 * slice + 1) * n + i];
        }
        if (dscale)
            write(p.wide, dscale, i, s);
        if (dbias)
            write(p.wide, dbias, i, b);
    }
}
