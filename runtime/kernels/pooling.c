#include "kernels/pooling.h"
#include "kernels/conv_grid.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "tensor/half.h"
#include <math.h>
#include <string.h>

struct pooling {
    const struct kernels *k;
    struct pool *pool;
    const struct pool_shape *s;
    int64_t in, out; /* elements of a plane */
    const void *x, *dy;
    void *y;
    int64_t *indices;
};

/* The window of an output position: in each dimension, the first and one past the last kernel position that meets x,
 * and where the first lies. */
struct window {
    int64_t from[MAX_RANK], to[MAX_RANK], start[MAX_RANK];
    double counted; /* what a mean is divided by */
    bool empty;
};

static void window_at(const struct pool_shape *s, const int64_t *u, struct window *w)
{
    double padded_size = 1, size = 1;

    w->empty = false;
    for (int d = 0; d < s->rank; d++) {
        const int64_t begin = u[d] * s->strides[d] - s->pads_begin[d], dilation = s->dilations[d];
        const int64_t inside = divide_up(s->in[d] - begin, dilation);
        const int64_t padded = divide_up(s->in[d] + s->pads_end[d] - begin, dilation);

        w->from[d] = greater(divide_up(-begin, dilation), 0);
        w->to[d] = lesser(inside, s->kernel[d]);
        w->start[d] = begin + w->from[d] * dilation;
        w->empty = w->empty || w->from[d] >= w->to[d];
        padded_size *= (double)lesser(greater(padded, 0), s->kernel[d]);
        size *= (double)greater(w->to[d] - w->from[d], 0);
    }
    w->counted = s->sum ? 1 : s->count_include_pad ? padded_size : size;
}

/* A walk through a window: `at` is the element in the plane. Rank 0 has one element. */
struct steps {
    int64_t t[MAX_RANK], at;
};
static void first_step(const struct pool_shape *s, const struct window *w, struct steps *i)
{
    i->at = 0;
    for (int d = 0; d < s->rank; d++) {
        i->t[d] = w->from[d];
        i->at = i->at * s->in[d] + w->start[d];
    }
}
static bool next_step(const struct pool_shape *s, const struct window *w, struct steps *i)
{
    int64_t stride = 1;

    for (int d = s->rank - 1; d >= 0; d--) {
        if (++i->t[d] < w->to[d]) {
            i->at += s->dilations[d] * stride;
            return true;
        }
        i->at -= (w->to[d] - 1 - w->from[d]) * s->dilations[d] * stride;
        i->t[d] = w->from[d];
        stride *= s->in[d];
    }
    return false;
}

/* False at the end, and when the time is over. */
static bool next_output(const struct pooling *p, int64_t *u)
{
    enum { OFTEN = 16 };
    const struct pool_shape *s = p->s;

    for (int d = s->rank - 1; d >= 0; d--) {
        if (++u[d] < s->out[d])
            return (d == s->rank - 1 && u[d] % OFTEN) || !pool_late(p->pool);
        u[d] = 0;
    }
    return false;
}

/* The flat index that the standard wants: in row-major or column-major order of the plane, after the planes before. */
static int64_t index_of(const struct pooling *p, int64_t plane, int64_t at)
{
    const struct pool_shape *s = p->s;
    int64_t index = 0, stride = 1, u[MAX_RANK];

    if (!s->column_major)
        return plane * p->in + at;
    for (int d = s->rank - 1; d >= 0; d--) {
        u[d] = at % s->in[d];
        at /= s->in[d];
    }
    for (int d = 0; d < s->rank; d++) {
        index += u[d] * stride;
        stride *= s->in[d];
    }
    return plane * p->in + index;
}

/* -- for each type -- */

#define BEATS_NUMBER(b, a) ((b) > (a) || ((b) != (b) && (a) == (a)))

#define ELEMENT   float
#define SUM       float
#define READ(e)   (e)
#define WRITE(v)  (v)
#define LOWEST    (-INFINITY)
#define SUFFIX(f) f##_f32
#define ROWS      /* averages are taken by rows */
#define WITH_GRADIENT
#include "kernels/pooling_planes.h"
#define ELEMENT   double
#define SUM       double
#define READ(e)   (e)
#define WRITE(v)  (v)
#define LOWEST    ((double)-INFINITY)
#define SUFFIX(f) f##_f64
#define WITH_GRADIENT
#include "kernels/pooling_planes.h"
#define ELEMENT   uint16_t
#define SUM       float
#define READ(e)   f16_to_f32(e)
#define WRITE(v)  f32_to_f16(v)
#define LOWEST    0xfc00
#define SUFFIX(f) f##_f16
#define WITH_GRADIENT
#include "kernels/pooling_planes.h"
#define ELEMENT   uint16_t
#define SUM       float
#define READ(e)   bf16_to_f32(e)
#define WRITE(v)  f32_to_bf16(v)
#define LOWEST    0xff80
#define SUFFIX(f) f##_bf16
#define WITH_GRADIENT
#include "kernels/pooling_planes.h"
#define ELEMENT   int8_t
#define READ(e)   (e)
#define LOWEST    INT8_MIN
#define SUFFIX(f) f##_i8
#include "kernels/pooling_planes.h"
#define ELEMENT   uint8_t
#define READ(e)   (e)
#define LOWEST    0
#define SUFFIX(f) f##_u8
#include "kernels/pooling_planes.h"

/* -- 2x2, stride 2, float: most of all pooling -- */

static bool is_2x2(const struct pool_shape *s, enum dtype dtype)
{
    bool fits = dtype == F32 && s->rank == 2;

    for (int d = 0; d < 2 && fits; d++)
        fits = s->kernel[d] == 2 && s->strides[d] == 2 && s->dilations[d] == 1 && s->pads_begin[d] == 0 &&
               s->out[d] * 2 <= s->in[d];
    return fits;
}
static void plane_2x2(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;

    (void)thread;
    p->k->pool->max_pool_2x2((const float *)p->x + plane * p->in, p->s->in[1], (float *)p->y + plane * p->out,
                             p->s->out[0], p->s->out[1]);
}
static void plane_2x2_grad(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const struct pool_shape *s = p->s;
    float *const dx = (float *)p->y + plane * p->in;

    (void)thread;
    if (s->out[0] * 2 != s->in[0] || s->out[1] * 2 != s->in[1]) /* the odd row or column gets nothing */
        memset(dx, 0, (size_t)p->in * sizeof *dx);
    p->k->pool->max_pool_2x2_grad((const float *)p->x + plane * p->in, s->in[1], (const float *)p->dy + plane * p->out,
                                  dx, s->out[0], s->out[1]);
}

/* -- float, row by row: where no indices are asked for -- */

/* Without taps that meet nothing but padding, of which there may be more than can be gone through. */
static struct grid grid_of(const struct pool_shape *s)
{
    struct conv_shape c = { .batch = s->planes, .groups = 1, .in_channels = 1, .out_channels = 1, .rank = s->rank };

    memcpy(c.in, s->in, sizeof c.in);
    memcpy(c.out, s->out, sizeof c.out);
    memcpy(c.strides, s->strides, sizeof c.strides);
    memcpy(c.dilations, s->dilations, sizeof c.dilations);
    for (int d = 0; d < s->rank; d++) {
        const int64_t pads = s->pads_begin[d], dilation = s->dilations[d], last = (s->out[d] - 1) * s->strides[d];
        const int64_t first = lesser(greater(divide_down(pads - last, dilation), 0), s->kernel[d] - 1);

        c.kernel[d] = greater(lesser(divide_down(s->in[d] - 1 + pads, dilation) + 1, s->kernel[d]) - first, 1);
        c.pads_begin[d] = pads - first * dilation;
    }
    return grid_forward(&c);
}

/* Every tap's row into the row of y: by the larger one, or by the sum. */
static void rows_of_plane(const struct pooling *p, const struct grid *g, int64_t plane, bool sum)
{
    const struct grid_dim *const last = &g->dim[g->rank - 1];
    const int64_t in_row = last->pixels;
    const float *const x = p->x;
    float *const y = p->y;

    for (int64_t pixel = plane * g->pixels; pixel < (plane + 1) * g->pixels; pixel += in_row) {
        const struct grid_walk row = grid_walk_at(g, pixel);
        int64_t t[MAX_RANK] = { 0 };
        struct grid_meeting m;

        for (int64_t i = 0; i < in_row; i++)
            y[pixel + i] = sum ? 0 : -INFINITY;
        do {
            const bool meets = grid_meet(g, &row, t, &m);

            for (int64_t tap = 0; tap < last->taps && meets && !(in_row > GRID_LONG && pool_late(p->pool)); tap++) {
                const float *from;
                int64_t begin, end;

                grid_clip(g, &row, tap, in_row, &begin, &end);
                from = x + m.source + tap * last->base_step + begin * last->step;
                if (sum)
                    p->k->conv->row_axpy(1, from, last->step, y + m.target + begin, 1, end - begin);
                else
                    p->k->pool->row_max(from, last->step, y + m.target + begin, end - begin);
            }
        } while (grid_next_rows(g, t) && !pool_late(p->pool));
    }
}
static void plane_max_rows(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const struct grid g = grid_of(p->s);

    (void)thread;
    rows_of_plane(p, &g, plane, false);
}
static void plane_average_rows(void *context, int64_t plane, int thread)
{
    const struct pooling *p = context;
    const struct grid g = grid_of(p->s);
    float *const y = (float *)p->y + plane * p->out;
    int64_t u[MAX_RANK] = { 0 };

    (void)thread;
    rows_of_plane(p, &g, plane, true);
    for (int64_t i = 0; i < p->out; i++) {
        struct window w;

        window_at(p->s, u, &w);
        y[i] /= (float)w.counted;
        next_output(p, u);
    }
}

/* -- all of them -- */

typedef void plane_fn(void *context, int64_t plane, int thread);

static struct pooling pooling_of(const struct kernels *k, struct pool *pool, const struct pool_shape *s)
{
    return (struct pooling){
        .k = k, .pool = pool, .s = s, .in = dims_product(s->in, 0, s->rank), .out = dims_product(s->out, 0, s->rank)
    };
}

/* Planes in groups that are worth a thread. */
struct planes {
    struct pooling *p;
    plane_fn *f;
    int64_t each;
};
static void planes_chunk(void *context, int64_t chunk, int thread)
{
    const struct planes *g = context;
    const int64_t end = (chunk + 1) * g->each < g->p->s->planes ? (chunk + 1) * g->each : g->p->s->planes;

    for (int64_t plane = chunk * g->each; plane < end; plane++)
        g->f(g->p, plane, thread);
}
static void run_planes(struct pool *pool, struct pooling *p, plane_fn *f)
{
    struct planes g = { p, f, 1 + 8192 / (p->in + p->out + 1) };

    if (p->s->planes > 0)
        pool_run(p->s->planes * (p->in + p->out) < JOB_ELEMENTS ? NULL : pool, divide_up(p->s->planes, g.each),
                 planes_chunk, &g);
}

void max_pool(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype, const void *x,
              void *y, int64_t *indices)
{
    struct pooling p = pooling_of(k, pool, s);
    plane_fn *f = max_f32;

    p.x = x;
    p.y = y;
    p.indices = indices;
    if (p.out == 0)
        return;
    switch (dtype) {
    case F64:
        f = max_f64;
        break;
    case F16:
        f = max_f16;
        break;
    case BF16:
        f = max_bf16;
        break;
    case I8:
        f = max_i8;
        break;
    case U8:
        f = max_u8;
        break;
    default:
        if (!indices)
            f = is_2x2(s, dtype) ? plane_2x2 : plane_max_rows;
    }
    run_planes(pool, &p, f);
}

void max_pool_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype,
                   const void *x, const void *dy, void *dx)
{
    struct pooling p = pooling_of(k, pool, s);

    p.x = x;
    p.dy = dy;
    p.y = dx;
    run_planes(pool, &p,
               dtype == F64       ? max_grad_f64
               : dtype == F16     ? max_grad_f16
               : dtype == BF16    ? max_grad_bf16
               : is_2x2(s, dtype) ? plane_2x2_grad
                                  : max_grad_f32);
}

void average_pool(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype,
                  const void *x, void *y)
{
    struct pooling p = pooling_of(k, pool, s);

    p.x = x;
    p.y = y;
    if (p.out > 0)
        run_planes(pool, &p,
                   dtype == F64    ? average_f64
                   : dtype == F16  ? average_f16
                   : dtype == BF16 ? average_bf16
                                   : plane_average_rows);
}

void average_pool_grad(const struct kernels *k, struct pool *pool, const struct pool_shape *s, enum dtype dtype,
                       const void *dy, void *dx)
{
    struct pooling p = pooling_of(k, pool, s);

    p.dy = dy;
    p.y = dx;
    run_planes(pool, &p,
               dtype == F64    ? average_grad_f64
               : dtype == F16  ? average_grad_f16
               : dtype == BF16 ? average_grad_bf16
                               : average_grad_f32);
}
