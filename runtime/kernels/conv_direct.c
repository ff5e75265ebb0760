#include "kernels/conv_direct.h"
#include "kernels/conv_grid.h"
#include <string.h>

struct direct {
    const struct kernels *k;
    struct pool *pool;
    struct grid g;                  /* forward */
    int64_t channels, out_channels; /* of a group */
    int64_t in_channels;            /* of all */
    int64_t all_out;
    const void *x, *w, *bias;
    const void *dy;
    void *result;
    bool relu;
};

static void axpy_f64(const struct kernels *k, double w, const double *x, int64_t x_step, double *y, int64_t y_step,
                     int64_t n)
{
    (void)k;
    for (int64_t i = 0; i < n; i++)
        y[i * y_step] += w * x[i * x_step];
}
static double dot_f64(const struct kernels *k, const double *x, int64_t x_step, const double *y, int64_t n)
{
    double s = 0;

    (void)k;
    for (int64_t i = 0; i < n; i++)
        s += x[i * x_step] * y[i];
    return s;
}
static void axpy_f32(const struct kernels *k, float w, const float *x, int64_t x_step, float *y, int64_t y_step,
                     int64_t n)
{
    k->conv->row_axpy(w, x, x_step, y, y_step, n);
}
static float dot_f32(const struct kernels *k, const float *x, int64_t x_step, const float *y, int64_t n)
{
    return k->conv->row_dot(x, x_step, y, n);
}

#define REAL    float
#define AXPY    axpy_f32
#define DOT     dot_f32
#define FORWARD forward_f32
#define DX      dx_f32
#define DW      dw_f32
#include "kernels/conv_planes.h"
#define REAL    double
#define AXPY    axpy_f64
#define DOT     dot_f64
#define FORWARD forward_f64
#define DX      dx_f64
#define DW      dw_f64
#include "kernels/conv_planes.h"

int64_t conv_phases(const struct conv_shape *s)
{
    int64_t n = 1;

    for (int d = 0; d < s->rank; d++) {
        const int64_t phases = s->strides[d] < s->in[d] ? s->strides[d] : s->in[d];

        if (phases > 1 && !mul_size(n, phases, &n))
            return INT64_MAX;
    }
    return n;
}

bool conv_is_direct(const struct conv_shape *s, enum dtype dtype)
{
    const int64_t channels = s->in_channels / s->groups, out_channels = s->out_channels / s->groups;

    return (dtype == F32 || dtype == F64) &&
           ((s->groups > 1 && channels <= 8 && out_channels <= 8 && channels * out_channels <= 16) ||
            conv_phases(s) > CONV_PHASES);
}

static struct direct direct_of(const struct kernels *k, struct pool *pool, const struct conv_shape *s)
{
    return (struct direct){ .k = k,
                            .pool = pool,
                            .g = grid_forward(s),
                            .channels = s->in_channels / s->groups,
                            .out_channels = s->out_channels / s->groups,
                            .in_channels = s->in_channels,
                            .all_out = s->out_channels };
}

void conv_direct_forward(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                         const void *x, const void *w, const void *bias, bool relu, void *y)
{
    struct direct p = direct_of(k, pool, s);

    p.x = x;
    p.w = w;
    p.bias = bias;
    p.relu = relu;
    p.result = y;
    pool_run(pool, s->batch * s->out_channels, dtype == F32 ? forward_f32 : forward_f64, &p);
}

void conv_direct_dx(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                    const void *dy, const void *w, const void *bias, void *dx)
{
    struct direct p = direct_of(k, pool, s);

    p.dy = dy;
    p.w = w;
    p.bias = bias;
    p.result = dx;
    pool_run(pool, s->batch * s->in_channels, dtype == F32 ? dx_f32 : dx_f64, &p);
}

void conv_direct_dw(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                    const void *x, const void *dy, void *dw)
{
    struct direct p = direct_of(k, pool, s);

    p.x = x;
    p.dy = dy;
    p.result = dw;
    pool_run(pool, s->out_channels * p.channels, dtype == F32 ? dw_f32 : dw_f64, &p);
}
