/* GridSample, https://onnx.ai/onnx/operators/onnx__GridSample.html; cubic: Keys, IEEE Trans. ASSP 29(6), 1981
 *
 *   Y[n, c, p] = sum over the elements e around g of w(e - g) X[n, c, e]        g = place(grid[n, p])
 *
 * place makes elements of what is in [-1, 1], axis by axis; the grid has the last axis first. w is the product of the
 * weights along all axes (ops/sample.h), of 1, 2 or 4 elements. Elements outside are as padding_mode says.
 *
 *   dX[n, c, e] = sum over p of w(e - g) dY[n, c, p]
 *   dgrid[n, p] = sum over c, e of dw / dg X[n, c, e] dY[n, c, p] * place'        0 where the nearest is taken
 *
 * nearest moves elements of any type; sums are of float for float and its halves, of double for double, integers and
 * bool, which are cast at the end as by Cast. Places are computed in float, or in double where the grid is, as others
 * do: so points between two elements are where they are elsewhere. NaN in the grid is -1, as in PyTorch; the standard
 * does not say.
 *
 * Where the text is silent or others differ:
 *   - border with cubic: an element outside is that at the edge, as in onnxruntime and PyTorch. The reference moves the
 *     point itself to the edge, and Y jumps there. "Use border values for out-of-bound grid locations" says either;
 *     of zeros all take it to be said of elements.
 *   - reflection along an axis of one element, with align_corners: that element. onnxruntime divides by 0.
 *   - The reference computes weights in the type of X, so with integers they are 0 or 1: not what the text says.
 *   - Any number of spatial dimensions since opset 20, cubic too; onnxruntime has two, and three without cubic. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/convert.h"
#include "ops/cost.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/sample.h"
#include <math.h>
#include <string.h>

enum { X, GRID };                   /* inputs */
enum { GRAD_Y, GRAD_X, GRAD_GRID }; /* of the gradient */
enum { D_X, D_GRID };               /* its outputs */
enum { ZEROS, BORDER, REFLECTION }; /* padding_mode */
enum { CHANNELS = 16 };             /* whose gradients are a job */

struct grid_sample {
    enum sample_mode mode;
    int padding;
    bool align_corners, plane; /* plane: two spatial dimensions, no others */
};

#define real       float
#define NAME(name) name##_float
#include "ops/sample_body.h"

#define real       double
#define NAME(name) name##_double
#include "ops/sample_body.h"

/* -- read -- */

static bool parse(struct parse *p, struct grid_sample *a, const char *const *modes)
{
    static const char *const paddings[] = { "zeros", "border", "reflection", NULL };

    a->mode = (enum sample_mode)attr_choice(p, "mode", modes, SAMPLE_LINEAR);
    a->padding = attr_choice(p, "padding_mode", paddings, ZEROS);
    a->align_corners = attr_int(p, "align_corners", 0) != 0;
    return true;
}

static bool parse_20(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "linear", "nearest", "cubic", NULL };

    return parse(p, attrs, modes);
}

static bool parse_16(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "bilinear", "nearest", "bicubic", NULL };
    struct grid_sample *a = attrs;

    a->plane = true;
    return parse(p, a, modes);
}

/* -- plan -- */

static bool check(struct infer *i, const struct grid_sample *a, const struct tensor *x, const struct tensor *grid)
{
    const int spatial = x->rank - 2;
    char text[2][TYPE_TEXT];

    if (spatial < 1 || (a->plane && spatial != 2))
        return infer_error(i, "'X' has %d dimensions, must have %s", x->rank, a->plane ? "4" : "at least 3");
    if (grid->rank != x->rank || grid->dims[0] != x->dims[0] || grid->dims[grid->rank - 1] != spatial)
        return infer_error(i, "'grid' is %s, must have as many dimensions as 'X' %s, the first %lld, the last %d",
                           tensor_text(grid, text[0]), tensor_text(x, text[1]), (long long)x->dims[0], spatial);
    for (int d = 0; d < spatial && tensor_count(grid) && a->padding != ZEROS; d++)
        if (!x->dims[2 + d])
            return infer_error(i, "dimension %d of 'X' is 0, must be at least 1 with this padding_mode", 2 + d);
    return true;
}

/* What a linear or cubic sample is computed in. */
static enum dtype compute_dtype(enum dtype d)
{
    return d == F32 || d == C64 || dtype_is_storage(d) ? F32 : F64;
}

/* Is it made of numbers that are computed with as they are? */
static bool direct(enum dtype d)
{
    return d == F32 || d == F64 || d == C64 || d == C128;
}

struct sample_job {
    struct sampler sampler;
    const struct grid_sample *attrs;
    const struct tensor *grid;
    enum dtype dtype; /* of x and y; what is computed in, but where the nearest is taken */
    int64_t parts;    /* numbers that an element is computed as: two of a complex one */
    int64_t batch, channels, plane, points, blocks, per_chunk; /* plane, points and blocks are of a sample */
    const char *x, *dy;
    char *to; /* y, dX, or dgrid, in its own type */
    bool slopes;
    char *scratch; /* of each thread: coordinates, what they get, samples */
    struct pool *pool;
};

static void job_of(struct sample_job *j, const struct grid_sample *a, const struct tensor *x, const struct tensor *grid)
{
    static const enum sample_outside outside[] = { OUTSIDE_ZEROS, OUTSIDE_EDGE, OUTSIDE_MIRRORED_TWICE };
    const bool complex = dtype_traits[x->dtype].class == CLASS_COMPLEX && a->mode != SAMPLE_NEAREST;
    struct sampler *s = &j->sampler;

    *j = (struct sample_job){ .attrs = a,
                              .grid = grid,
                              .dtype = a->mode == SAMPLE_NEAREST ? x->dtype : compute_dtype(x->dtype),
                              .parts = complex ? 2 : 1,
                              .batch = x->dims[0],
                              .channels = x->dims[1],
                              .plane = dims_product(x->dims, 2, x->rank),
                              .points = dims_product(grid->dims, 1, grid->rank - 1) };
    s->mode = a->mode;
    s->outside = a->padding == REFLECTION && a->align_corners ? OUTSIDE_MIRRORED : outside[a->padding];
    s->rank = x->rank - 2;
    memcpy(s->dims, x->dims + 2, (size_t)s->rank * sizeof *s->dims);
    move_strides(s->rank, s->dims, s->strides);
    for (int d = 0; d < s->rank; d++)
        s->strides[d] *= j->parts;
    j->blocks = divide_up(j->points, sample_block(s));
}

static int64_t thread_bytes(const struct sampler *s, bool slopes)
{
    return 2 * sample_coordinate_bytes(s) + sample_bytes(s, slopes);
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X), *grid = typed_in(i, GRID);
    const struct grid_sample *a = infer_attrs(i);
    struct sample_job j;
    int64_t dims[MAX_RANK];
    size_t converted = 0;

    if (!check(i, a, x, grid))
        return false;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    memcpy(dims + 2, grid->dims + 1, (size_t)(x->rank - 2) * sizeof *dims);
    if (a->mode != SAMPLE_NEAREST && x->dtype == STRING)
        return infer_error(i, "mode is not 'nearest', must be that for strings");
    if (!set_out(i, 0, x->dtype, x->rank, dims))
        return false;
    job_of(&j, a, x, grid);
    if (a->mode != SAMPLE_NEAREST && !direct(x->dtype))
        converted = compute_bytes(x, j.dtype) + compute_bytes(typed_out(i, 0), j.dtype);
    need_scratch(i, to_size(infer_threads(i) * thread_bytes(&j.sampler, false) + (int64_t)converted));
    return true;
}

/* -- run -- */

/* Both formulas as others have them, operation by operation. */
static double place(const struct grid_sample *a, enum dtype grid, double g, int64_t n)
{
    const float f = (float)g;

    if (g != g)
        return place(a, grid, -1, n);
    if (grid == F64)
        return a->align_corners ? (g + 1) / 2 * (double)(n - 1) : ((g + 1) * (double)n - 1) / 2;
    return (double)(a->align_corners ? (f + 1) / 2 * (float)(n - 1) : ((f + 1) * (float)n - 1) / 2);
}

struct block { /* of points of one sample */
    int64_t sample, first, count;
    struct samples samples;
    double *slopes; /* what the coordinates get, 0 before */
};

static struct block block_of(const struct sample_job *j, int64_t index, int thread)
{
    const struct sampler *s = &j->sampler;
    const int64_t size = sample_block(s), first = index % j->blocks * size;
    char *const own = j->scratch + thread * thread_bytes(s, j->slopes);
    double *const at = (double *)(void *)own;
    const struct block b = { .sample = index / j->blocks,
                             .first = first,
                             .count = lesser(size, j->points - first),
                             .samples = samples_in(s, j->slopes, own + 2 * sample_coordinate_bytes(s)),
                             .slopes = (double *)(void *)(own + sample_coordinate_bytes(s)) };
    const int64_t from = (b.sample * j->points + first) * s->rank, n = b.count * s->rank;
    const size_t width = dtype_size(j->grid->dtype);

    convert_between(j->grid->dtype, F64)((const char *)j->grid->data + (size_t)from * width, at, n);
    for (int64_t p = 0; p < n; p += s->rank)
        for (int d = 0; d < (s->rank + 1) / 2; d++) { /* the grid has the last axis first */
            const int other = s->rank - 1 - d;
            const double v = at[p + d];

            at[p + d] = place(j->attrs, j->grid->dtype, at[p + other], s->dims[d]);
            at[p + other] = place(j->attrs, j->grid->dtype, v, s->dims[other]);
        }
    if (j->slopes)
        memset(b.slopes, 0, (size_t)sample_coordinate_bytes(s));
    sample_points(s, at, b.count, &b.samples);
    return b;
}

static void read_channel(const struct sample_job *j, const struct block *b, int64_t channel)
{
    const int64_t from = channel * j->plane * j->parts, to = (channel * j->points + b->first) * j->parts;

    for (int64_t part = 0; part < j->parts; part++)
        if (j->dtype == F64)
            read_samples_double(&b->samples, b->count, (const double *)(const void *)j->x + from + part,
                                (double *)(void *)j->to + to + part, j->parts);
        else
            read_samples_float(&b->samples, b->count, (const float *)(const void *)j->x + from + part,
                               (float *)(void *)j->to + to + part, j->parts);
}

static void move_channel(const struct sample_job *j, const struct block *b, int64_t channel)
{
    static const char zero[16]; /* the largest element */
    const size_t size = dtype_size(j->dtype);
    const char *const x = j->x + (size_t)(channel * j->plane) * size;
    char *const y = j->to + (size_t)(channel * j->points + b->first) * size;
    const struct samples *const s = &b->samples;

    for (int64_t p = 0; p < b->count; p++)
        memcpy(y + (size_t)p * size, s->first[p] < s->first[p + 1] ? x + (size_t)s->offset[s->first[p]] * size : zero,
               size);
}

static void forward_chunk(void *context, int64_t chunk, int thread)
{
    const struct sample_job *j = context;
    const int64_t end = lesser((chunk + 1) * j->per_chunk, j->batch * j->blocks);

    for (int64_t index = chunk * j->per_chunk; index < end && !pool_late(j->pool); index++) {
        const struct block b = block_of(j, index, thread);

        for (int64_t c = b.sample * j->channels; c < (b.sample + 1) * j->channels; c++)
            if (j->sampler.mode == SAMPLE_NEAREST)
                move_channel(j, &b, c);
            else
                read_channel(j, &b, c);
    }
}

/* In chunks of blocks. */
static void run_blocks(struct sample_job *j, void (*chunk)(void *context, int64_t k, int thread))
{
    const double each = (double)sample_block(&j->sampler) * (double)sample_elements(&j->sampler);

    j->per_chunk = (int64_t)(JOB_ELEMENTS / (each * ((double)j->channels + 4))) + 1;
    pool_run(j->pool, divide_up(j->batch * j->blocks, j->per_chunk), chunk, j);
}

/* What is cast to an integer loses its fraction: a sum that is one but for its rounding must not become the one
 * below. */
static void settle(double *y, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        y[k] = nearbyint(y[k] * 0x1p20) / 0x1p20;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[X], *y = s->out[0];
    const struct grid_sample *a = s->attrs;
    char *scratch = s->scratch;
    struct sample_job j;

    if (!tensor_count(y))
        return true;
    job_of(&j, a, x, s->in[GRID]);
    j.pool = s->pool;
    j.scratch = scratch;
    scratch += pool_threads(s->pool) * thread_bytes(&j.sampler, false);
    if (a->mode == SAMPLE_NEAREST || direct(x->dtype)) {
        j.x = x->data;
        j.to = y->data;
    } else {
        j.x = compute_in(x, j.dtype, &scratch);
        j.to = compute_out(y, j.dtype, &scratch);
    }
    run_blocks(&j, forward_chunk);
    if (j.to == y->data)
        return true;
    if (!dtype_is_float(y->dtype))
        settle((double *)(void *)j.to, tensor_count(y));
    compute_store(y, j.dtype, j.to);
    return true;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    struct sample_job j;

    job_of(&j, n->attrs, in[X], in[GRID]);
    c->flops = 2 * cost_count(out[0]) * (double)sample_elements(&j.sampler);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *dy = typed_in(i, GRAD_Y), *x = typed_in(i, GRAD_X), *grid = typed_in(i, GRAD_GRID);
    const enum dtype compute = compute_dtype(x->dtype);
    struct sample_job j;

    if (!set_out(i, D_X, x->dtype, x->rank, x->dims) || !set_out(i, D_GRID, grid->dtype, grid->rank, grid->dims))
        return false;
    job_of(&j, infer_attrs(i), x, grid);
    need_scratch(i, to_size(infer_threads(i) * thread_bytes(&j.sampler, true) +
                            (int64_t)(2 * compute_bytes(x, compute) + compute_bytes(dy, compute))));
    return true;
}

/* Some channels of a sample. */
static void dx_chunk(void *context, int64_t chunk, int thread)
{
    const struct sample_job *j = context;
    const int64_t groups = divide_up(j->channels, CHANNELS), sample = chunk / groups;
    const int64_t first = chunk % groups * CHANNELS, end = lesser(first + CHANNELS, j->channels);
    const size_t size = dtype_size(j->dtype);

    memset(j->to + (size_t)((sample * j->channels + first) * j->plane) * size, 0,
           (size_t)((end - first) * j->plane) * size);
    for (int64_t index = sample * j->blocks; index < (sample + 1) * j->blocks && !pool_late(j->pool); index++) {
        const struct block b = block_of(j, index, thread);

        for (int64_t c = sample * j->channels + first; c < sample * j->channels + end; c++) {
            const size_t from = (size_t)(c * j->points + b.first) * size, to = (size_t)(c * j->plane) * size;

            if (j->dtype == F64)
                spread_samples_double(&b.samples, b.count, (const double *)(const void *)(j->dy + from),
                                      (double *)(void *)(j->to + to));
            else
                spread_samples_float(&b.samples, b.count, (const float *)(const void *)(j->dy + from),
                                     (float *)(void *)(j->to + to));
        }
    }
}

static void dgrid_chunk(void *context, int64_t chunk, int thread)
{
    const struct sample_job *j = context;
    const struct sampler *s = &j->sampler;
    const int64_t end = lesser((chunk + 1) * j->per_chunk, j->batch * j->blocks);

    for (int64_t index = chunk * j->per_chunk; index < end && !pool_late(j->pool); index++) {
        const struct block b = block_of(j, index, thread);
        const size_t size = dtype_size(j->dtype), width = dtype_size(j->grid->dtype);
        const char *const x = j->x + (size_t)(b.sample * j->channels * j->plane) * size;
        const char *const dy = j->dy + (size_t)(b.sample * j->channels * j->points + b.first) * size;
        const int64_t to = (b.sample * j->points + b.first) * s->rank;

        if (j->dtype == F64)
            slope_samples_double(&b.samples, b.count, s->rank, j->channels, (const double *)(const void *)x, j->plane,
                                 (const double *)(const void *)dy, j->points, b.slopes);
        else
            slope_samples_float(&b.samples, b.count, s->rank, j->channels, (const float *)(const void *)x, j->plane,
                                (const float *)(const void *)dy, j->points, b.slopes);
        for (int64_t p = 0; p < b.count; p++)
            for (int d = s->rank - 1; d >= 0; d--) { /* of an axis: how many elements 1 of the grid is */
                const double slope = b.slopes[p * s->rank + d] * (double)(s->dims[d] - j->attrs->align_corners) / 2;

                convert_between(F64, j->grid->dtype)(&slope,
                                                     j->to + (size_t)(to + p * s->rank + s->rank - 1 - d) * width, 1);
            }
    }
}

static bool grad_run(struct step *s)
{
    const struct tensor *dx = s->out[D_X], *dgrid = s->out[D_GRID];
    char *scratch = s->scratch;
    struct sample_job j;

    job_of(&j, s->attrs, s->in[GRAD_X], s->in[GRAD_GRID]);
    j.dtype = compute_dtype(s->in[GRAD_X]->dtype);
    j.pool = s->pool;
    j.scratch = scratch;
    scratch += pool_threads(s->pool) * thread_bytes(&j.sampler, true);
    j.dy = compute_in(s->in[GRAD_Y], j.dtype, &scratch);
    if (dx && tensor_count(dx)) {
        j.to = compute_out(dx, j.dtype, &scratch);
        pool_run(s->pool, j.batch * divide_up(j.channels, CHANNELS), dx_chunk, &j);
        compute_store(dx, j.dtype, j.to);
    }
    if (dgrid && tensor_count(dgrid)) {
        j.slopes = true;
        j.x = compute_in(s->in[GRAD_X], j.dtype, &scratch);
        j.to = dgrid->data;
        run_blocks(&j, dgrid_chunk);
    }
    return true;
}

/* Coordinates in elements, [batch, points, axes] of the grid, which has the last axis first: by the formulas of place. */
static struct value *places(struct emitter *e, const struct grid_sample *a, const struct sample_job *j,
                            struct value *grid, enum dtype dtype)
{
    const int rank = j->sampler.rank;
    struct value *one = emit_scalar(e, dtype, 1), *half = emit_scalar(e, dtype, 0.5), *at;
    int64_t other[MAX_SPATIAL];
    double size[MAX_SPATIAL];

    for (int d = 0; d < rank; d++) {
        other[d] = rank - 1 - d;
        size[d] = (double)(j->sampler.dims[d] - a->align_corners);
    }
    at = emit_reshape(e, grid, 3, (int64_t[]){ j->batch, j->points, rank });
    if (j->grid->dtype != dtype)
        at = emit_cast(e, at, dtype);
    at = emit(e, "Gather", "axis=2", 2, at, emit_ints(e, rank, other));
    at = emit(e, "Where", "", 3, emit(e, "IsNaN", "", 1, at), emit_scalar(e, dtype, -1), at);
    at = emit(e, "Add", "", 2, at, one);
    if (a->align_corners)
        return emit(e, "Mul", "", 2, emit(e, "Mul", "", 2, at, half), emit_numbers(e, dtype, rank, size));
    at = emit(e, "Sub", "", 2, emit(e, "Mul", "", 2, at, emit_numbers(e, dtype, rank, size)), one);
    return emit(e, "Mul", "", 2, at, half);
}

static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    const struct grid_sample *a = n->attrs;
    const struct tensor *t = in[GRAD_X], *dy = in[GRAD_Y];
    struct sample_values v = { .compute = compute_dtype(t->dtype), .places = in[GRAD_GRID]->dtype == F64 ? F64 : F32 };
    struct sample_job j;

    job_of(&j, a, t, in[GRAD_GRID]);
    v.batch = j.batch;
    v.channels = j.channels;
    v.points = j.points;
    v.x = v.compute == t->dtype ? x[GRAD_X] : emit_cast(e, x[GRAD_X], v.compute);
    v.at = places(e, a, &j, x[GRAD_GRID], v.places);
    r->y[0] = emit_reshape(e, emit_samples(e, &j.sampler, &v), dy->rank, dy->dims);
    if (v.compute != t->dtype)
        r->y[0] = emit_cast(e, r->y[0], t->dtype);
    r->dy[0] = GRAD_Y;
    r->count = 1;
    r->wrt[D_X] = x[GRAD_X];
    r->wrt[D_GRID] = x[GRAD_GRID];
    return !e->failed;
}

static const struct op op_grad = {
    .name = "GridSampleGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, T X, T2 grid -> T dX?, T2 dgrid?",
                                       .types = "T: floats bf16; T2: floats bf16",
                                       .attrs_size = sizeof(struct grid_sample),
                                       .retrace = retrace,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .no_gradient = "it is made again" },
                                     { 0 } },
};

/* Where the nearest element is taken none flows to the grid. */
static bool gradient(struct backward *b)
{
    const struct grid_sample *a = attrs_of(b);
    struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_in(b, GRID) };
    const bool want[] = { wants(b, X), wants(b, GRID) && a->mode != SAMPLE_NEAREST };
    struct value *d[2];

    if ((want[D_X] || want[D_GRID]) && emit_private(emitter_of(b), &op_grad, a, 2, d, want, 3, in))
        for (int k = X; k <= GRID; k++)
            if (want[k])
                give(b, k, d[k]);
    return backward_ok(b);
}

static bool rows(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    (void)n;
    (void)types;
    return rows[X] && rows[GRID];
}

/* -- test -- */

enum { BOTH = 1 << X | 1 << GRID };

#define CASES(linear, cubic)                                                                                           \
    { "f64[2,3,4,5] f64[2,3,2,2]", "mode='nearest'", "f64[2,3,3,2]", 1 },                                              \
        { "f64[2,3,4,5] f64[2,3,2,2]", "", "f64[2,3,3,2]", BOTH },                                                     \
        { "f64[1,20,3,3] f64[1,9,9,2]~", "align_corners=1 mode='" linear "'", "f64[1,20,9,9]", BOTH },                 \
        { "f64[1,2,4,5] f64[1,4,3,2]~", "padding_mode='border'", "f64[1,2,4,3]", BOTH },                               \
        { "f64[1,2,4,5] f64[1,4,3,2]~", "padding_mode='reflection'", "f64[1,2,4,3]", BOTH },                           \
        { "f64[1,2,4,5] f64[1,4,3,2]~", "padding_mode='reflection' align_corners=1", "f64[1,2,4,3]", BOTH },           \
        { "f64[1,2,4,5] f64[1,4,3,2]~", "mode='" cubic "'", "f64[1,2,4,3]", BOTH },                                    \
        { "f64[1,2,4,5] f64[1,4,3,2]~", "mode='" cubic "' padding_mode='border' align_corners=1", "f64[1,2,4,3]",      \
          BOTH },                                                                                                      \
        { "f64[1,2,4,3] f64[1,4,3,2]~", "mode='" cubic "' padding_mode='reflection'", "f64[1,2,4,3]", BOTH },          \
        { "f64[1,1,1,1] f64[1,4,3,2]~", "padding_mode='reflection' align_corners=1", "f64[1,1,4,3]", 1 },              \
        { "str[1,1,2,2] f32[1,2,2,2]", "mode='nearest' padding_mode='border'", "str[1,1,2,2]", 0 },                    \
        { "u8[1,2,4,5] f32[1,2,2,2]", "", "u8[1,2,2,2]", 0 },                                                          \
        { "bool[1,2,3,3] f16[1,2,2,2]", "", "bool[1,2,2,2]", 0 },                                                      \
        { "i64[1,1,3,3] f64[1,2,2,2]", "mode='" cubic "'", "i64[1,1,2,2]", 0 },                                        \
        { "c64[1,2,3,3] f32[1,2,2,2]", "", "c64[1,2,2,2]", 0 },                                                        \
        { "c128[1,1,3,3] f32[1,2,2,2]", "", "c128[1,1,2,2]", 0 },                                                      \
        { "f16[1,2,3,3] f16[1,2,2,2]", "", "f16[1,2,2,2]", 0 },                                                        \
        { "f32[1,2,0,3] f32[1,2,2,2]", "", "f32[1,2,2,2]", 0 },                                                        \
    {                                                                                                                  \
        "f32[2,3,4,5] f32[2,0,2,2]", "padding_mode='border'", "f32[2,3,0,2]", BOTH                                     \
    }
#define CASES_20                                                                                                       \
    CASES("linear", "cubic"), { "f64[2,3,7] f64[2,5,1]~", "", "f64[2,3,5]", BOTH },                                    \
        { "f64[1,2,3,4,5] f64[1,2,3,2,3]", "", "f64[1,2,2,3,2]", BOTH },                                               \
        { "f64[1,2,3,4,3] f64[1,2,2,2,3]~", "mode='cubic' padding_mode='reflection'", "f64[1,2,2,2,2]", BOTH },        \
    {                                                                                                                  \
        "f64[1,1,2,2,2,3] f64[1,1,2,1,2,4]", "padding_mode='border'", "f64[1,1,1,2,1,2]", BOTH                         \
    }

static const struct op_case cases_16[] = { CASES("bilinear", "bicubic"), { 0 } };
static const struct op_case cases_20[] = { CASES_20, { 0 } };
static const struct op_case cases_22[] = {
    CASES_20,
    { "bf16[1,2,3,3] bf16[1,2,2,2]", "", "bf16[1,2,2,2]", 0 },
    { 0 },
};

#define ROW(version, list, list_2, parser, tests)                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T1 X, T2 grid -> T1 Y", .types = "T1: " list "; T2: " list_2,                  \
        .attrs_size = sizeof(struct grid_sample), .parse = parser, .rank = rank_of_input, .infer = infer, .run = run,  \
        .gradient = gradient, .cost = cost, .batch_independent = rows, .cases = tests                                  \
    }

const struct op op_grid_sample = {
    .name = "GridSample",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "all bf16", "floats bf16", parse_20, cases_22),
                                     ROW(20, "all", "floats", parse_20, cases_20),
                                     ROW(16, "all", "floats", parse_16, cases_16),
                                     { 0 } },
};
