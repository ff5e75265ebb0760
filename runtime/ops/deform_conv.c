/* DeformConv, https://onnx.ai/onnx/operators/onnx__DeformConv.html; Dai et al., https://arxiv.org/abs/1703.06211, with
 * the mask of Zhu et al., https://arxiv.org/abs/1811.11168
 *
 *   Y[n, o, p] = B[o] + sum over c, t of W[o, c, t] * V[n, g(o) + c, t, p]
 *   V[n, c, t, p] = mask[n, h(c), t, p] * X[n, c] at (p * stride + t * dilation - pad + offset[n, h(c), t, :, p])
 *
 * Between elements X is linear along each axis (ops/sample.h), outside it is 0; g(o) is the first channel of o's group,
 * h(c) the offset group of c. V is made for a band of points, and multiplied.
 *
 * With U = the transpose of W times dY, the gradient of V: dW = dY times the transpose of V, dX spreads mask * U over
 * the elements, doffset = mask * sum over c of U * the slope of X there, dmask = sum over c of U * X there.
 *
 * The text gives the mask n times as many channels for n spatial dimensions, but not for two; the reference and
 * onnxruntime have one for each tap, and the papers, too: so it is here. Both know two spatial dimensions alone, and the
 * reference divides by 0 where X has one row or column. */
#include "kernels/gemm.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/conv.h"
#include "ops/cost.h"
#include "ops/expansion.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/sample.h"
#include <string.h>

enum { X, W, OFFSET, B, MASK, INPUTS };                  /* inputs, and what the gradient makes */
enum { GRAD_Y, GRAD_X, GRAD_W, GRAD_OFFSET, GRAD_MASK }; /* inputs of the gradient */
enum { BAND_BYTES = SHARED_CACHE / 4, CHANNELS = 16 };   /* of V; whose gradients are a job */

struct deform_attrs {
    struct conv_attrs conv;
    int64_t offset_group;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct deform_attrs *a = attrs;
    struct window_attrs *w = &a->conv.window;

    a->conv.group = attr_int(p, "group", 1);
    a->offset_group = attr_int(p, "offset_group", 1);
    if (a->conv.group < 1 || a->offset_group < 1)
        return parse_error(p, "%s is %lld, must be at least 1", a->conv.group < 1 ? "group" : "offset_group",
                           (long long)(a->conv.group < 1 ? a->conv.group : a->offset_group));
    return window_list(p, "kernel_shape", &w->kernel_shape, 1) && window_list(p, "strides", &w->strides, 1) &&
           window_list(p, "pads", &w->pads, 0) && window_list(p, "dilations", &w->dilations, 1);
}

/* -- plan -- */

struct deform {
    struct window window;
    struct sampler sampler;
    int64_t batch, channels, groups, offset_groups, out_channels;
    int64_t taps, points, plane, depth; /* depth: of the products of a group */
    int64_t band;                       /* points whose V is made at a time */
    enum dtype compute;
};

/* `i` is NULL while running: what planning accepted cannot fail. */
static bool deform_of(struct infer *i, const struct deform_attrs *a, const struct tensor *x, const struct tensor *w,
                      struct deform *d)
{
    struct conv_shape shape;
    int64_t fit, block;

    *d = (struct deform){ .batch = x->dims[0],
                          .channels = x->dims[1],
                          .groups = a->conv.group,
                          .offset_groups = a->offset_group,
                          .out_channels = w->dims[0],
                          .taps = dims_product(w->dims, 2, w->rank),
                          .plane = dims_product(x->dims, 2, x->rank),
                          .compute = dtype_compute(x->dtype) };
    if (!conv_shape_read(i, &a->conv, x, w, &shape) || !window_read(i, &a->conv.window, x, w->dims + 2, &d->window) ||
        !window_slide(i, &a->conv.window, &d->window))
        return false;
    d->depth = w->dims[1] * d->taps;
    d->points = dims_product(d->window.out, 0, d->window.rank);
    d->sampler = (struct sampler){ .rank = d->window.rank };
    memcpy(d->sampler.dims, d->window.in, sizeof d->sampler.dims);
    move_strides(d->sampler.rank, d->sampler.dims, d->sampler.strides);
    block = sample_block(&d->sampler);
    fit = BAND_BYTES / (int64_t)dtype_size(d->compute) / greater(d->channels * d->taps, 1) / block * block;
    d->band = lesser(greater(fit, block), greater(d->points, 1));
    return true;
}

static bool offset_fits(struct infer *i, const struct deform *d, int k, int64_t channels)
{
    const struct tensor *t = typed_in(i, k);
    bool same = t->rank == 2 + d->window.rank && t->dims[0] == d->batch && t->dims[1] == channels;
    char text[TYPE_TEXT];

    for (int s = 0; s < d->window.rank && same; s++)
        same = t->dims[2 + s] == d->window.out[s];
    return same || infer_error(i, "'%s' is %s, must be [%lld,%lld, and the output's %d spatial dimensions]",
                               k == OFFSET ? "offset" : "mask", tensor_text(t, text), (long long)d->batch,
                               (long long)channels, d->window.rank);
}

/* Of a thread: coordinates, what they get, samples. */
static int64_t thread_bytes(const struct deform *d)
{
    return 2 * sample_coordinate_bytes(&d->sampler) + sample_bytes(&d->sampler, true);
}

static int64_t band_bytes(const struct deform *d)
{
    return round_up(d->channels * d->taps * d->band * (int64_t)dtype_size(d->compute), CACHE_LINE);
}

enum product { FORWARD, BACK, WEIGHTS, PRODUCTS }; /* Y of V, U of dY, dW of both */

/* The product of a group for `points` of a band, without its operands. */
static struct gemm product_of(const struct deform *d, enum product which, int64_t points)
{
    const int64_t m = d->out_channels / d->groups;
    struct gemm g = { .dtype = d->compute, .alpha = 1, .beta = which == WEIGHTS }; /* dW adds up */

    switch (which) {
    case FORWARD: /* W times V */
        g.m = m, g.n = points, g.k = d->depth;
        g.a_row = d->depth, g.a_col = 1, g.b_row = d->band, g.b_col = 1, g.c_row = d->points, g.c_col = 1;
        break;
    case BACK: /* the transpose of W times dY */
        g.m = d->depth, g.n = points, g.k = m;
        g.a_row = 1, g.a_col = d->depth, g.b_row = d->points, g.b_col = 1, g.c_row = d->band, g.c_col = 1;
        break;
    default: /* dY times the transpose of V */
        g.m = m, g.n = d->depth, g.k = points;
        g.a_row = d->points, g.a_col = 1, g.b_row = 1, g.b_col = d->band, g.c_row = d->depth, g.c_col = 1;
    }
    return g;
}

/* Of whole bands and of the last one. */
static int64_t product_bytes(struct infer *i, const struct deform *d, enum product which)
{
    const int64_t last = d->points % d->band ? d->points % d->band : d->band;
    struct gemm whole = product_of(d, which, d->band), rest = product_of(d, which, last);
    size_t a, b;

    a = gemm_scratch(infer_kernels(i), &whole, infer_threads(i));
    b = gemm_scratch(infer_kernels(i), &rest, infer_threads(i));
    return (int64_t)aligned(a > b ? a : b);
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X), *w = typed_in(i, W);
    const struct deform_attrs *a = infer_attrs(i);
    int64_t dims[MAX_RANK], channels, taps;
    struct deform d;
    int64_t bytes;

    if (!conv_check(i, &a->conv, x, w, typed_in(i, B), false, &dims[1]) || !deform_of(i, a, x, w, &d))
        return false;
    if (d.channels % d.offset_groups)
        return infer_error(i, "offset_group is %lld, must divide the %lld channels of 'X'", (long long)d.offset_groups,
                           (long long)d.channels);
    if (!mul_size(d.offset_groups, d.taps, &taps) || !mul_size(taps, d.window.rank, &channels))
        return infer_error(i, "'offset' would have more channels than can be counted");
    if (!offset_fits(i, &d, OFFSET, channels) || (typed_in(i, MASK) && !offset_fits(i, &d, MASK, taps)))
        return false;
    dims[0] = x->dims[0];
    memcpy(dims + 2, d.window.out, (size_t)d.window.rank * sizeof *dims);
    if (!set_out(i, 0, x->dtype, x->rank, dims))
        return false;
    bytes = infer_threads(i) * thread_bytes(&d) + band_bytes(&d) + product_bytes(i, &d, FORWARD);
    for (int k = 0; k < INPUTS; k++)
        bytes += (int64_t)compute_bytes(typed_in(i, k), d.compute);
    need_scratch(i, to_size(bytes + (int64_t)compute_bytes(typed_out(i, 0), d.compute)));
    return true;
}

/* -- run -- */

struct deform_job {
    const struct deform *deform;
    const char *x, *offset, *mask; /* mask: or NULL */
    char *columns, *back;          /* V and U of the band, [channels * taps, band] */
    char *dx, *doffset, *dmask;
    bool slopes;                  /* samples have them */
    int64_t image, first, points; /* the band's */
    char *scratch;
    void *product_scratch;
    struct pool *pool;
};

#define real       float
#define NAME(name) name##_float
#include "ops/sample_body.h"
#define real       float
#define NAME(name) name##_float
#include "ops/deform_conv_body.h"

#define real       double
#define NAME(name) name##_double
#include "ops/sample_body.h"
#define real       double
#define NAME(name) name##_double
#include "ops/deform_conv_body.h"

typedef void tap_fn(const struct deform_job *j, int64_t group, int64_t tap, int64_t first, int64_t count, char *own);

/* One tap of an offset group at one block of points. */
static void do_tap(const struct deform_job *j, int64_t index, int thread, tap_fn *in_float, tap_fn *in_double)
{
    const struct deform *const d = j->deform;
    const int64_t size = sample_block(&d->sampler), blocks = divide_up(j->points, size);
    const int64_t first = index % blocks * size, row = index / blocks;

    (d->compute == F64 ? in_double : in_float)(j, row / d->taps, row % d->taps, first, lesser(size, j->points - first),
                                               j->scratch + thread * thread_bytes(d));
}

static void columns_chunk(void *context, int64_t index, int thread)
{
    do_tap(context, index, thread, make_columns_float, make_columns_double);
}

static void slopes_chunk(void *context, int64_t index, int thread)
{
    do_tap(context, index, thread, slope_columns_float, slope_columns_double);
}

static void each_tap(struct deform_job *j, void (*chunk)(void *context, int64_t index, int thread))
{
    const struct deform *const d = j->deform;

    pool_run(j->pool, d->offset_groups * d->taps * divide_up(j->points, sample_block(&d->sampler)), chunk, j);
}

static const char *at(const struct deform *d, const void *values, int64_t element)
{
    return (const char *)values + (size_t)element * dtype_size(d->compute);
}

/* Calls `f` for each band of each image. */
static void each_band(struct deform_job *j, void *context, void (*f)(struct deform_job *j, void *context))
{
    const struct deform *const d = j->deform;

    for (j->image = 0; j->image < d->batch; j->image++)
        for (j->first = 0; j->first < d->points && !pool_late(j->pool); j->first += d->band) {
            j->points = lesser(d->band, d->points - j->first);
            f(j, context);
        }
}

struct forward {
    const struct kernels *k;
    const void *w, *b;
    void *y;
};

static void forward_band(struct deform_job *j, void *context)
{
    const struct deform *const d = j->deform;
    const struct forward *f = context;
    struct gemm g = product_of(d, FORWARD, j->points);

    each_tap(j, columns_chunk);
    for (int64_t group = 0; group < d->groups; group++) {
        g.a = at(d, f->w, group * g.m * g.k);
        g.b = at(d, j->columns, group * g.k * d->band);
        g.c = (char *)f->y +
              (size_t)((j->image * d->out_channels + group * g.m) * d->points + j->first) * dtype_size(d->compute);
        g.row_bias = f->b ? at(d, f->b, group * g.m) : NULL;
        gemm(f->k, j->pool, &g, j->product_scratch);
    }
}

/* Takes its part of the scratch. */
static void start(struct step *s, struct deform_job *j, const struct deform *d, int x, int offset, int mask,
                  char **scratch)
{
    *j = (struct deform_job){ .deform = d, .scratch = *scratch, .pool = s->pool };
    *scratch += pool_threads(s->pool) * thread_bytes(d);
    j->columns = *scratch;
    *scratch += band_bytes(d);
    j->x = compute_in(s->in[x], d->compute, scratch);
    j->offset = compute_in(s->in[offset], d->compute, scratch);
    j->mask = compute_in(s->in[mask], d->compute, scratch);
}

static bool run(struct step *s)
{
    const struct tensor *y = s->out[0];
    char *scratch = s->scratch;
    struct deform_job j;
    struct forward f;
    struct deform d;

    if (!tensor_count(y) || !deform_of(NULL, s->attrs, s->in[X], s->in[W], &d))
        return true;
    start(s, &j, &d, X, OFFSET, MASK, &scratch);
    f = (struct forward){ s->k, compute_in(s->in[W], d.compute, &scratch), compute_in(s->in[B], d.compute, &scratch),
                          compute_out(y, d.compute, &scratch) };
    j.product_scratch = scratch;
    each_band(&j, &f, forward_band);
    compute_store(y, d.compute, f.y);
    return true;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    c->flops = conv_flops(out[0], in[W]);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    static const int of[INPUTS] = { GRAD_X, GRAD_W, GRAD_OFFSET, 0, GRAD_MASK };
    const struct tensor *x = typed_in(i, GRAD_X), *w = typed_in(i, GRAD_W);
    int64_t bytes, products = 0;
    struct deform d;

    if (!deform_of(i, infer_attrs(i), x, w, &d))
        return false;
    for (int k = 0; k < INPUTS; k++) {
        const struct tensor *t = k == B ? w : typed_in(i, of[k]);

        if (t && !set_out(i, k, t->dtype, k == B ? 1 : t->rank, t->dims))
            return false;
    }
    for (int which = BACK; which < PRODUCTS; which++)
        products = greater(products, product_bytes(i, &d, (enum product)which));
    bytes = infer_threads(i) * thread_bytes(&d) + 2 * band_bytes(&d) + products;
    for (int k = GRAD_Y; k <= GRAD_MASK; k++)
        bytes += 2 * (int64_t)compute_bytes(typed_in(i, k), d.compute);
    need_scratch(i, to_size(bytes));
    return true;
}

struct backward_job {
    const struct kernels *k;
    const void *w, *dy;
    char *dw;
};

/* Some channels of one offset group, for all taps and points of the band: nobody else writes their planes. */
static void spread_chunk(void *context, int64_t index, int thread)
{
    const struct deform_job *j = context;
    const struct deform *const d = j->deform;
    const int64_t channels = d->channels / d->offset_groups, parts = divide_up(channels, CHANNELS);
    const int64_t first = index / parts * channels + index % parts * CHANNELS;
    const int64_t end = lesser(first + CHANNELS, (index / parts + 1) * channels), size = sample_block(&d->sampler);
    char *const own = j->scratch + thread * thread_bytes(d);

    for (int64_t tap = 0; tap < d->taps && !pool_late(j->pool); tap++)
        for (int64_t p = 0; p < j->points; p += size)
            if (d->compute == F64)
                spread_columns_double(j, first, end, tap, p, lesser(size, j->points - p), own);
            else
                spread_columns_float(j, first, end, tap, p, lesser(size, j->points - p), own);
}

static void weights_band(struct deform_job *j, struct backward_job *b)
{
    const struct deform *const d = j->deform;
    struct gemm g = product_of(d, WEIGHTS, j->points);

    j->slopes = false;
    each_tap(j, columns_chunk);
    for (int64_t group = 0; group < d->groups; group++) {
        g.a = at(d, b->dy, (j->image * d->out_channels + group * g.m) * d->points + j->first);
        g.b = at(d, j->columns, group * d->depth * d->band);
        g.c = b->dw + (size_t)(group * g.m * d->depth) * dtype_size(d->compute);
        gemm(b->k, j->pool, &g, j->product_scratch);
    }
}

static void backward_band(struct deform_job *j, void *context)
{
    const struct deform *const d = j->deform;
    struct backward_job *b = context;
    struct gemm g = product_of(d, BACK, j->points);

    if (b->dw)
        weights_band(j, b);
    for (int64_t group = 0; group < d->groups && (j->dx || j->doffset || j->dmask); group++) {
        g.a = at(d, b->w, group * g.k * g.m);
        g.b = at(d, b->dy, (j->image * d->out_channels + group * g.k) * d->points + j->first);
        g.c = j->back + (size_t)(group * g.m * d->band) * dtype_size(d->compute);
        gemm(b->k, j->pool, &g, j->product_scratch);
    }
    j->slopes = true;
    if (j->doffset || j->dmask)
        each_tap(j, slopes_chunk);
    j->slopes = false;
    if (j->dx) /* last: it spoils U */
        pool_run(j->pool, d->offset_groups * divide_up(d->channels / d->offset_groups, CHANNELS), spread_chunk, j);
}

static void clear(struct step *s, const struct deform *d, int k, char *values)
{
    const double zero = 0;

    if (values)
        move_fill(s->pool, dtype_size(d->compute), &zero, tensor_count(s->out[k]), values);
}

static bool grad_run(struct step *s)
{
    char *scratch = s->scratch;
    struct backward_job b;
    struct deform_job j;
    struct deform d;

    if (!deform_of(NULL, s->attrs, s->in[GRAD_X], s->in[GRAD_W], &d))
        return true;
    start(s, &j, &d, GRAD_X, GRAD_OFFSET, GRAD_MASK, &scratch);
    j.back = scratch;
    scratch += band_bytes(&d);
    b = (struct backward_job){ .k = s->k,
                               .w = compute_in(s->in[GRAD_W], d.compute, &scratch),
                               .dy = compute_in(s->in[GRAD_Y], d.compute, &scratch),
                               .dw = compute_out(s->out[W], d.compute, &scratch) };
    j.dx = compute_out(s->out[X], d.compute, &scratch);
    j.doffset = compute_out(s->out[OFFSET], d.compute, &scratch);
    j.dmask = compute_out(s->out[MASK], d.compute, &scratch);
    j.product_scratch = scratch;
    clear(s, &d, X, j.dx);
    clear(s, &d, W, b.dw);
    each_band(&j, &b, backward_band);
    compute_store(s->out[X], d.compute, j.dx);
    compute_store(s->out[W], d.compute, b.dw);
    compute_store(s->out[OFFSET], d.compute, j.doffset);
    compute_store(s->out[MASK], d.compute, j.dmask);
    if (s->out[B])
        conv_db(s->k, s->pool, s->in[GRAD_Y]->dtype, d.batch, d.out_channels, d.points, s->in[GRAD_Y]->data,
                s->out[B]->data);
    return true;
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    c->flops = ((out[X] || out[OFFSET] || out[MASK]) + (out[W] != NULL)) * conv_flops(in[GRAD_Y], in[GRAD_W]);
}

/* -- and again -- */

/* first, first + step, ... along axis `axis` of some dimensions, for each of their elements: a column. */
static struct value *steps(struct emitter *e, const struct window *w, const int64_t *dims, int axis, int64_t first,
                           int64_t step, enum dtype dtype)
{
    const int64_t count = dims_product(dims, 0, w->rank), inner = dims_product(dims, axis + 1, w->rank);
    const struct tensor type = { .dtype = F64, .rank = 1, .dims = { count } };
    double *v = emit_alloc(e, (size_t)count * sizeof *v);
    struct value *x;

    for (int64_t k = 0; v && k < count; k++)
        v[k] = (double)(first + k / inner % dims[axis] * step);
    x = v ? emit_constant(e, &type, v) : NULL;
    return dtype == F64 ? x : emit_cast(e, x, dtype);
}

/* Where each tap of each point lies, but for its offset: [taps, points, axes]. */
static struct value *places(struct emitter *e, const struct deform *d)
{
    const struct window *const w = &d->window;
    struct value *axes[MAX_SPATIAL], *all;

    for (int k = 0; k < w->rank; k++) {
        struct value *tap = steps(e, w, w->kernel, k, 0, w->dilations[k], d->compute);
        struct value *point = steps(e, w, w->out, k, -w->pads_begin[k], w->strides[k], d->compute);

        tap = emit_reshape(e, tap, 3, (int64_t[]){ d->taps, 1, 1 });
        axes[k] = emit(e, "Add", "", 2, tap, emit_reshape(e, point, 3, (int64_t[]){ 1, d->points, 1 }));
    }
    return emit_many(e, "Concat", "axis=2", 1, &all, w->rank, axes) ? all : NULL;
}

/* V: [batch, channels, taps, points], however they are told apart. */
static struct value *columns(struct emitter *e, const struct deform *d, struct value *x, struct value *offset,
                             struct value *mask)
{
    const int64_t groups = d->offset_groups, images = d->batch * groups;
    struct sample_values v = { .batch = images,
                               .channels = groups ? d->channels / groups : 0,
                               .points = d->taps * d->points,
                               .x = x,
                               .compute = d->compute,
                               .places = d->compute };
    struct value *y;

    v.at = emit_reshape(e, offset, 4, (int64_t[]){ images, d->taps, d->window.rank, d->points });
    v.at = emit(e, "Add", "", 2, emit(e, "Transpose", "perm=[0,1,3,2]", 1, v.at), places(e, d));
    v.at = emit_reshape(e, v.at, 3, (int64_t[]){ images, v.points, d->window.rank });
    v.x = emit_reshape(e, x, 3, (int64_t[]){ images, v.channels, d->plane });
    y = emit_samples(e, &d->sampler, &v);
    if (mask)
        y = emit(e, "Mul", "", 2, y, emit_reshape(e, mask, 3, (int64_t[]){ images, 1, v.points }));
    return y;
}

/* B is nothing that the gradient depends on: 0. */
static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    struct value *v[GRAD_MASK + 1] = { 0 }, *y;
    const struct tensor *dy = in[GRAD_Y];
    struct deform d;
    int64_t each;

    if (!deform_of(NULL, n->attrs, in[GRAD_X], in[GRAD_W], &d))
        return expand_error(e, n, KILN_UNSUPPORTED, "the shapes do not fit");
    each = d.out_channels / d.groups;
    for (int k = GRAD_X; k < n->inputs; k++)
        v[k] = !x[k] || in[k]->dtype == d.compute ? x[k] : emit_cast(e, x[k], d.compute);
    y = columns(e, &d, v[GRAD_X], v[GRAD_OFFSET], v[GRAD_MASK]);
    y = emit_reshape(e, y, 4, (int64_t[]){ d.batch, d.groups, d.depth, d.points });
    y = emit(e, "MatMul", "", 2, emit_reshape(e, v[GRAD_W], 3, (int64_t[]){ d.groups, each, d.depth }), y);
    if (n->out[B]) {
        r->wrt[B] = emit_zeros(e, in[GRAD_W]->dtype, 1, &d.out_channels);
        v[GRAD_Y] = in[GRAD_W]->dtype == d.compute ? r->wrt[B] : emit_cast(e, r->wrt[B], d.compute);
        y = emit(e, "Add", "", 2, y, emit_reshape(e, v[GRAD_Y], 3, (int64_t[]){ d.groups, each, 1 }));
    }
    y = emit_reshape(e, y, dy->rank, dy->dims);
    r->y[0] = dy->dtype == d.compute ? y : emit_cast(e, y, dy->dtype);
    r->dy[0] = GRAD_Y;
    r->count = 1;
    r->wrt[X] = x[GRAD_X];
    r->wrt[W] = x[GRAD_W];
    r->wrt[OFFSET] = x[GRAD_OFFSET];
    r->wrt[MASK] = n->inputs > GRAD_MASK ? x[GRAD_MASK] : NULL;
    return !e->failed;
}

static const struct op op_grad = {
    .name = "DeformConvGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, T X, T W, T offset, T mask? -> "
                                                    "T dX?, T dW?, T doffset?, T dB?, T dmask?",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct deform_attrs),
                                       .retrace = retrace,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .cost = grad_cost,
                                       .no_gradient = "it is made again" },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    const bool masked = type_in(b, MASK);
    struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_in(b, W), forward_in(b, OFFSET),
                                 masked ? forward_in(b, MASK) : NULL };
    struct value *d[INPUTS];
    bool want[INPUTS];

    for (int k = 0; k < INPUTS; k++)
        want[k] = type_in(b, k) && wants(b, k);
    if (emit_private(emitter_of(b), &op_grad, attrs_of(b), INPUTS, d, want, 5, in))
        for (int k = 0; k < INPUTS; k++)
            if (want[k])
                give(b, k, d[k]);
    return backward_ok(b);
}

static bool rows(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    (void)types;
    return rows[X] && rows[OFFSET] && row_whole(n, rows, W) && row_whole(n, rows, B) &&
           (n->inputs <= MASK || !n->in[MASK] || rows[MASK]);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, W, "weight", "glorot_uniform", conv_fans },
    { PARAMETER_TRAINS, B, "bias", "zeros", NULL },
    { 0 },
};

/* -- test -- */

enum { ALL = 1 << X | 1 << W | 1 << OFFSET | 1 << B | 1 << MASK, MOST = ALL & ~(1 << B | 1 << MASK) };

#define CASES                                                                                                          \
    { "f64[2,4,5,4] f64[6,4,2,2] f64[2,8,4,3] f64[6] f64[2,4,4,3]", "", "f64[2,6,4,3]", ALL },                         \
        { "f64[1,4,5,6] f64[6,2,2,3] f64[1,24,3,3]", "group=2 offset_group=2 strides=[2,2] pads=[1,1,1,0]",            \
          "f64[1,6,3,3]", MOST },                                                                                      \
        { "f64[1,2,4,5] f64[3,2,2,2] f64[1,16,2,3] - f64[1,8,2,3]",                                                    \
          "dilations=[2,2] kernel_shape=[2,2] offset_group=2", "f64[1,3,2,3]", MOST | 1 << MASK },                     \
        { "f64[1,2,6] f64[2,2,3] f64[1,3,6]", "pads=[1,1]", "f64[1,2,6]", MOST },                                      \
        { "f64[1,2,3,4,3] f64[2,2,2,2,2] f64[1,24,2,3,2]", "", "f64[1,2,2,3,2]", MOST },                               \
        { "f64[1,2,1,1] f64[2,2,1,1] f64[1,2,1,1]", "", "f64[1,2,1,1]", MOST },                                        \
        { "f64[1,64,18,19] f64[1,64,5,5] f64[1,50,18,19] f64[1]", "pads=[2,2,2,2]", "f64[1,1,18,19]",                  \
          1 << X | 1 << W },                                                                                           \
        { "f16[1,2,4,4] f16[2,2,2,2] f16[1,8,3,3] f16[2] f16[1,4,3,3]", "", "f16[1,2,3,3]", 0 },                       \
        { "f32[0,2,4,4] f32[2,2,2,2] f32[0,8,3,3]", "", "f32[0,2,3,3]", 0 },                                           \
    {                                                                                                                  \
        "f32[1,0,4,4] f32[2,0,2,2] f32[1,8,3,3] f32[2]", "", "f32[1,2,3,3]", 0                                         \
    }

static const struct op_case cases_19[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES,
                                           { "bf16[1,2,4,4] bf16[2,2,2,2] bf16[1,8,3,3]", "", "bf16[1,2,3,3]", 0 },
                                           { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T X, T W, T offset, T B?, T mask? -> T Y", .types = list,                      \
        .attrs_size = sizeof(struct deform_attrs), .parse = parse, .rank = rank_of_input, .infer = infer, .run = run,  \
        .gradient = gradient, .cost = cost, .batch_independent = rows, .parameters = parameters, .cases = tests        \
    }

const struct op op_deform_conv = {
    .name = "DeformConv",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16", cases_22), ROW(19, "T: floats", cases_19), { 0 } },
};
