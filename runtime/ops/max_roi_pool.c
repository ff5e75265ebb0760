/* MaxRoiPool, https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html; Girshick, Fast R-CNN,
 * https://arxiv.org/abs/1504.08083
 *
 * The corners of a region are scaled and rounded, halves away from 0; it reaches from pixel x1 to x2, both included, and
 * is at least 1 wide and high. Of its pooled_shape bins number b of n reaches along an axis of `size` pixels from
 * floor(b size / n) to before ceil((b + 1) size / n). Y is the largest element of a bin, NaN before all; 0 where the bin
 * is outside of X. dX is dY where X is the first of the largest.
 *
 * The text says none of that: so have it Caffe and onnxruntime, which compute the bins in float, so that one may be a
 * pixel longer there where the product should be a whole number, and for which NaN is less than all. No gradient flows
 * to the regions. */
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/rank.h"
#include "ops/window.h"
#include <math.h>
#include <string.h>

enum { X, ROIS };                                  /* inputs */
enum { GRAD_Y, GRAD_X, GRAD_ROIS };                /* of the gradient */
enum { IMAGE, LEFT, TOP, RIGHT, BOTTOM, NUMBERS }; /* of a region */
enum { CHANNELS = 16 };                            /* that are pooled together */

struct roi_pool {
    struct ints shape;
    float scale;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct roi_pool *a = attrs;

    if (!attr_given(p, "pooled_shape"))
        return parse_error(p, "attribute 'pooled_shape' is missing");
    a->scale = attr_float(p, "spatial_scale", 1);
    if (!window_list(p, "pooled_shape", &a->shape, 1))
        return false;
    return a->shape.count == 2 || parse_error(p, "pooled_shape has %d values, must have 2", a->shape.count);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X), *rois = typed_in(i, ROIS);
    const struct roi_pool *a = infer_attrs(i);
    const enum dtype compute = dtype_compute(x->dtype);
    char text[TYPE_TEXT];

    if (x->rank != 4)
        return infer_error(i, "'X' has %d dimensions, must have 4", x->rank);
    if (rois->rank != 2 || rois->dims[1] != NUMBERS)
        return infer_error(i, "'rois' is %s, must be [regions, %d]", tensor_text(rois, text), (int)NUMBERS);
    if (!set_out(i, 0, x->dtype, 4, (const int64_t[]){ rois->dims[0], x->dims[1], a->shape.v[0], a->shape.v[1] }))
        return false;
    need_scratch(i, compute_bytes(x, compute) + compute_bytes(rois, compute) + compute_bytes(typed_out(i, 0), compute));
    return true;
}

/* -- run -- */

struct roi_job {
    const struct roi_pool *attrs;
    bool wide; /* double */
    int64_t regions, batch, channels, height, width;
    const void *x, *rois, *dy; /* dy: NULL, or it goes back */
    const void *from;          /* not NULL: what is there where X is the largest */
    void *to;
    struct pool *pool;
};

static double number(const struct roi_job *j, const void *values, int64_t k)
{
    return j->wide ? ((const double *)values)[k] : (double)((const float *)values)[k];
}

static int64_t corner(const struct roi_job *j, int64_t roi, int which)
{
    const double v = number(j, j->rois, roi * NUMBERS + which), limit = 0x1p30; /* far enough; products fit */
    const double at = j->wide ? round(v * (double)j->attrs->scale) : (double)roundf((float)v * j->attrs->scale);

    return (int64_t)(at > limit ? limit : at > -limit ? at : -limit);
}

/* Bin b along an axis: pixels of X. */
static struct span bin(int64_t from, int64_t to, int64_t b, int64_t bins, int64_t pixels)
{
    const int64_t size = greater(to - from + 1, 1);
    const int64_t first = from + size / bins * b + size % bins * b / bins;
    const int64_t end = from + size / bins * (b + 1) + divide_up(size % bins * (b + 1), bins);

    return (struct span){ lesser(greater(first, 0), pixels), lesser(greater(end, 0), pixels) };
}

#define real       float
#define NAME(name) name##_float
#include "ops/max_roi_pool_body.h"
#define real       double
#define NAME(name) name##_double
#include "ops/max_roi_pool_body.h"

static void pool_bin(const struct roi_job *j, int64_t out, int64_t plane, struct span rows, struct span columns)
{
    int64_t at;

    if (j->from && j->wide)
        ((double *)j->to)[out] = (at = place_double(j, plane, rows, columns)) >= 0 ? ((const double *)j->from)[at] : 0;
    else if (j->from)
        ((float *)j->to)[out] = (at = place_float(j, plane, rows, columns)) >= 0 ? ((const float *)j->from)[at] : 0;
    else if (!j->dy && j->wide)
        ((double *)j->to)[out] = largest_double(j, plane, rows, columns);
    else if (!j->dy)
        ((float *)j->to)[out] = largest_float(j, plane, rows, columns);
    else if (j->wide && (at = place_double(j, plane, rows, columns)) >= 0)
        ((double *)j->to)[at] += ((const double *)j->dy)[out];
    else if (!j->wide && (at = place_float(j, plane, rows, columns)) >= 0)
        ((float *)j->to)[at] += ((const float *)j->dy)[out];
}

/* Channels [first, end) of a region. */
static void pool_region(const struct roi_job *j, int64_t roi, int64_t first, int64_t end)
{
    const int64_t *const bins = j->attrs->shape.v;
    const int64_t image = (int64_t)number(j, j->rois, roi * NUMBERS + IMAGE);
    const int64_t top = corner(j, roi, TOP), bottom = corner(j, roi, BOTTOM);
    const int64_t left = corner(j, roi, LEFT), right = corner(j, roi, RIGHT);

    for (int64_t y = 0; y < bins[0] && !pool_late(j->pool); y++) {
        const struct span rows = bin(top, bottom, y, bins[0], j->height);

        for (int64_t x = 0; x < bins[1]; x++) {
            const struct span columns = bin(left, right, x, bins[1], j->width);

            for (int64_t c = first; c < end; c++)
                pool_bin(j, ((roi * j->channels + c) * bins[0] + y) * bins[1] + x, image * j->channels + c, rows,
                         columns);
        }
    }
}

static bool job_of(struct step *s, struct roi_job *j, int x, char **scratch)
{
    const struct tensor *images = s->in[x], *rois = s->in[x + 1];
    const enum dtype compute = dtype_compute(images->dtype);

    *j = (struct roi_job){ .attrs = s->attrs,
                           .wide = compute == F64,
                           .regions = rois->dims[0],
                           .batch = images->dims[0],
                           .channels = images->dims[1],
                           .height = images->dims[2],
                           .width = images->dims[3],
                           .x = compute_in(images, compute, scratch),
                           .rois = compute_in(rois, compute, scratch),
                           .pool = s->pool };
    for (int64_t r = 0; r < j->regions; r++) {
        const double image = number(j, j->rois, r * NUMBERS + IMAGE);

        if (!(image >= 0 && image < (double)j->batch))
            return step_error(s, "rois[%lld,0] is %g, must be in [0, %lld]", (long long)r, image,
                              (long long)(j->batch - 1));
    }
    return true;
}

static void forward_chunk(void *context, int64_t roi, int thread)
{
    const struct roi_job *j = context;

    (void)thread;
    for (int64_t first = 0; first < j->channels; first += CHANNELS)
        pool_region(j, roi, first, lesser(first + CHANNELS, j->channels));
}

static bool run(struct step *s)
{
    const struct tensor *y = s->out[0];
    const enum dtype compute = dtype_compute(y->dtype);
    char *scratch = s->scratch;
    struct roi_job j;

    if (!job_of(s, &j, X, &scratch))
        return false;
    j.to = compute_out(y, compute, &scratch);
    pool_run(s->pool, j.regions, forward_chunk, &j);
    compute_store(y, compute, j.to);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_X);
    const enum dtype compute = dtype_compute(x->dtype);

    need_scratch(i, 2 * compute_bytes(x, compute) + compute_bytes(typed_in(i, GRAD_Y), compute) +
                        compute_bytes(typed_in(i, GRAD_ROIS), compute));
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* Some channels of all images. */
static void backward_chunk(void *context, int64_t group, int thread)
{
    const struct roi_job *j = context;
    const int64_t first = group * CHANNELS, end = lesser(first + CHANNELS, j->channels);
    const int64_t plane = j->height * j->width * (int64_t)(j->wide ? sizeof(double) : sizeof(float));

    (void)thread;
    for (int64_t n = 0; n < j->batch; n++)
        memset((char *)j->to + (n * j->channels + first) * plane, 0, (size_t)((end - first) * plane));
    for (int64_t roi = 0; roi < j->regions; roi++)
        pool_region(j, roi, first, end);
}

static bool grad_run(struct step *s)
{
    const struct tensor *dx = s->out[0];
    const enum dtype compute = dtype_compute(dx->dtype);
    char *scratch = s->scratch;
    struct roi_job j;

    if (!job_of(s, &j, GRAD_X, &scratch))
        return false;
    j.dy = compute_in(s->in[GRAD_Y], compute, &scratch);
    j.to = compute_out(dx, compute, &scratch);
    pool_run(s->pool, divide_up(j.channels, CHANNELS), backward_chunk, &j);
    compute_store(dx, compute, j.to);
    return true;
}

/* -- and again: dX is linear in dY, and what comes back through it is taken from the same places -- */

enum { PICK_U, PICK_X, PICK_ROIS }; /* inputs */

static bool pick_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, PICK_X), *rois = typed_in(i, PICK_ROIS);
    const struct roi_pool *a = infer_attrs(i);
    const enum dtype compute = dtype_compute(x->dtype);

    if (!set_out(i, 0, x->dtype, 4, (const int64_t[]){ rois->dims[0], x->dims[1], a->shape.v[0], a->shape.v[1] }))
        return false;
    need_scratch(i, 2 * compute_bytes(x, compute) + compute_bytes(rois, compute) +
                        compute_bytes(typed_out(i, 0), compute));
    return true;
}

static bool pick_run(struct step *s)
{
    const struct tensor *y = s->out[0];
    const enum dtype compute = dtype_compute(y->dtype);
    char *scratch = s->scratch;
    struct roi_job j;

    if (!job_of(s, &j, PICK_X, &scratch))
        return false;
    j.from = compute_in(s->in[PICK_U], compute, &scratch);
    j.to = compute_out(y, compute, &scratch);
    pool_run(s->pool, j.regions, forward_chunk, &j);
    compute_store(y, compute, j.to);
    return true;
}

static const struct op op_grad;

static bool pick_gradient(struct backward *b)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, PICK_X), forward_in(b, PICK_ROIS) };
    struct value *d;

    if (wants(b, PICK_U) && emit_private(emitter_of(b), &op_grad, attrs_of(b), 1, &d, NULL, 3, in))
        give(b, PICK_U, d);
    return backward_ok(b);
}

static const struct op op_pick = {
    .name = "MaxRoiPick",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T U, T X, T rois -> T Y",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct roi_pool),
                                       .infer = pick_infer,
                                       .run = pick_run,
                                       .gradient = pick_gradient },
                                     { 0 } },
};

static bool grad_gradient(struct backward *b)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, GRAD_X), forward_in(b, GRAD_ROIS) };
    struct value *y;

    if (wants(b, GRAD_Y) && emit_private(emitter_of(b), &op_pick, attrs_of(b), 1, &y, NULL, 3, in))
        give(b, GRAD_Y, y);
    return backward_ok(b);
}

static const struct op op_grad = {
    .name = "MaxRoiPoolGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY, T X, T rois -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct roi_pool),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = grad_gradient },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_in(b, ROIS) };
    struct value *d;

    if (wants(b, X) && emit_private(emitter_of(b), &op_grad, attrs_of(b), 1, &d, NULL, 3, in))
        give(b, X, d);
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,3,6,5]~ f64[2,5]{1,0,1,3,4,0,-2,1.5,9,2}", "pooled_shape=[2,3]", "f64[2,3,2,3]", 1 },                     \
        { "f64[1,18,6,5]~ f64[2,5]{0,2,2,11,9,0,6,6,7,7}", "pooled_shape=[3,2] spatial_scale=0.5", "f64[2,18,3,2]",    \
          1 },                                                                                                         \
        { "f32[1,1,4,4] f32[4,5]{0,9,9,20,20,0,-9,-9,-5,-5,0,3,3,1,1,0,-1e30,0,1e30,9}", "pooled_shape=[1,2]",         \
          "f32[4,1,1,2]", 0 },                                                                                         \
        { "f64[1,1,2,2]{1,1,1,1} f64[1,5]{0,0,0,1,1}", "pooled_shape=[1,1]", "f64[1,1,1,1]", 0 },                      \
        { "f32[4,2,4,4]~ f32[1,5]+", "pooled_shape=[1,1]", "f32[1,2,1,1]", 0 },                                        \
        { "f16[1,2,4,4]~ f16[1,5]{0,1,0,3,2}", "pooled_shape=[2,1]", "f16[1,2,2,1]", 0 },                              \
        { "f32[1,2,0,4] f32[1,5]{0,0,0,1,1}", "pooled_shape=[1,1]", "f32[1,2,1,1]", 0 },                               \
    {                                                                                                                  \
        "f32[1,2,4,4] f32[0,5]", "pooled_shape=[2,2]", "f32[0,2,2,2]", 1                                               \
    }

static const struct op_case cases_1[] = { CASES, { 0 } };
static const struct op_case cases_22[] = {
    CASES, { "bf16[1,2,4,4]~ bf16[1,5]{0,1,0,3,2}", "pooled_shape=[2,1]", "bf16[1,2,2,1]", 0 }, { 0 }
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T X, T rois -> T Y", .types = list, .attrs_size = sizeof(struct roi_pool),     \
        .parse = parse, .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient, .cases = tests        \
    }

const struct op op_max_roi_pool = {
    .name = "MaxRoiPool",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16", cases_22), ROW(1, "T: floats", cases_1), { 0 } },
};
