/* RoiAlign, https://onnx.ai/onnx/operators/onnx__RoiAlign.html; He et al., Mask R-CNN, https://arxiv.org/abs/1703.06870
 *
 * A region is cut into output_height times output_width bins; Y is the mean, or the maximum, of samples of X that stand
 * evenly in a bin: sampling_ratio along each axis, for 0 as many as the bin is long, rounded up. A sample lies between
 * four elements; outside it is 0: before -1, behind the size; between that and the outermost elements it is these.
 *
 *   avg   Y = 1 / samples * sum over e of h(e) w(e) X[e]     dX[e] = sum over bins of h(e) w(e) dY / samples
 *         h and w are what rows and columns count for all samples of a bin together
 *   max   the maximum over samples of the largest of the four products weight * X, not of their sum: so have it the
 *         reference, the standard's test and onnxruntime, though the text says that samples are interpolated. dX of the
 *         one that it is, the first.
 *
 * half_pixel shifts a region by -0.5; before opset 16 there was no shift and no attribute. (The reference shifts there,
 * too.) Without it a region is at least 1 wide and high; with it one that is turned over has no samples with
 * sampling_ratio 0, and Y is 0. Computed in float, or double where X is: sampling_ratio 0 depends on the rounding. No
 * gradient flows to the regions, as elsewhere. */
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include <math.h>
#include <string.h>

enum { X, ROIS, BATCH_INDICES };                        /* inputs */
enum { GRAD_Y, GRAD_ROIS, GRAD_BATCH_INDICES, GRAD_X }; /* of the gradient */
enum { AXES = 2, CORNERS = 4 };                         /* height, width; x1, y1, x2, y2 */
enum { CHANNELS = 16, BLOCK = 64 };                     /* that are pooled together, and samples of them */
enum { MOST_RATIO = 1 << 16 };                          /* that is supported */

static const double MOST_SAMPLES = 0x1p40; /* along an axis: no float tells them apart */

struct roi_align {
    bool max, half_pixel;
    int64_t out[AXES], ratio;
    float scale;
};

/* -- read -- */

static bool parse_10(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "avg", "max", NULL };
    struct roi_align *a = attrs;

    a->max = attr_choice(p, "mode", modes, 0) == 1;
    a->out[0] = attr_int(p, "output_height", 1);
    a->out[1] = attr_int(p, "output_width", 1);
    a->ratio = attr_int(p, "sampling_ratio", 0);
    a->scale = attr_float(p, "spatial_scale", 1);
    for (int d = 0; d < AXES; d++)
        if (a->out[d] < 1)
            return parse_error(p, "output_%s is %lld, must be at least 1", d ? "width" : "height",
                               (long long)a->out[d]);
    if (a->ratio < 0)
        return parse_error(p, "sampling_ratio is %lld, must be at least 0", (long long)a->ratio);
    return a->ratio <= MOST_RATIO || parse_unsupported(p, "sampling_ratio is %lld, at most %d is supported",
                                                       (long long)a->ratio, (int)MOST_RATIO);
}

static bool parse_16(struct parse *p, void *attrs)
{
    static const char *const modes[] = { "half_pixel", "output_half_pixel", NULL };

    ((struct roi_align *)attrs)->half_pixel = attr_choice(p, "coordinate_transformation_mode", modes, 0) == 0;
    return parse_10(p, attrs);
}

/* -- plan -- */

static size_t thread_bytes(const struct tensor *x)
{
    return aligned((size_t)(x->dims[2] + x->dims[3]) * dtype_size(dtype_compute(x->dtype)));
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X), *rois = typed_in(i, ROIS), *images = typed_in(i, BATCH_INDICES);
    const struct roi_align *a = infer_attrs(i);
    const enum dtype compute = dtype_compute(x->dtype);
    char text[2][TYPE_TEXT];

    if (x->rank != 4)
        return infer_error(i, "'X' has %d dimensions, must have 4", x->rank);
    if (rois->rank != 2 || rois->dims[1] != CORNERS)
        return infer_error(i, "'rois' is %s, must be [regions, 4]", tensor_text(rois, text[0]));
    if (images->rank != 1 || images->dims[0] != rois->dims[0])
        return infer_error(i, "'batch_indices' is %s, must have one value for each of 'rois' %s",
                           tensor_text(images, text[0]), tensor_text(rois, text[1]));
    if (!set_out(i, 0, x->dtype, 4, (const int64_t[]){ rois->dims[0], x->dims[1], a->out[0], a->out[1] }))
        return false;
    need_scratch(i, (size_t)infer_threads(i) * thread_bytes(x) + compute_bytes(x, compute) +
                        compute_bytes(rois, compute) + compute_bytes(typed_out(i, 0), compute));
    return true;
}

/* -- run -- */

struct roi_job {
    const struct roi_align *attrs;
    bool wide; /* double */
    int64_t regions, batch, channels, size[AXES], plane, bins;
    const void *x, *rois, *dy; /* dy: NULL, or it goes back */
    const void *from;          /* not NULL, with max: weighted as X where it is the maximum */
    void *to;
    const int64_t *image; /* of a region */
    char *scratch;        /* of each thread: what rows and columns count */
    size_t per_thread;
    struct pool *pool;
};

struct roi_channels {
    int64_t count, in, out; /* elements of x and y where they begin */
};

#define real       float
#define NAME(name) name##_float
#include "ops/roi_align_body.h"

#define real       double
#define NAME(name) name##_double
#include "ops/roi_align_body.h"

/* Takes from the scratch what it needs itself, and what the regions do. */
static bool job_of(struct step *s, struct roi_job *j, const struct tensor *x, int rois, char **scratch)
{
    const enum dtype compute = dtype_compute(x->dtype);
    const struct roi_align *a = s->attrs;

    *j = (struct roi_job){ .attrs = a,
                           .wide = compute == F64,
                           .regions = s->in[rois]->dims[0],
                           .batch = x->dims[0],
                           .channels = x->dims[1],
                           .size = { x->dims[2], x->dims[3] },
                           .plane = x->dims[2] * x->dims[3],
                           .bins = a->out[0] * a->out[1],
                           .image = s->in[rois + 1]->data,
                           .scratch = *scratch,
                           .per_thread = thread_bytes(x),
                           .pool = s->pool };
    *scratch += (size_t)pool_threads(s->pool) * j->per_thread;
    j->rois = compute_in(s->in[rois], compute, scratch);
    for (int64_t r = 0; r < j->regions; r++)
        if (j->image[r] < 0 || j->image[r] >= j->batch)
            return step_error(s, "batch_indices[%lld] is %lld, must be in [0, %lld]", (long long)r,
                              (long long)j->image[r], (long long)(j->batch - 1));
    return true;
}

/* Channels [first, end) of a region. */
static void pool_region(const struct roi_job *j, int64_t roi, int64_t first, int64_t end, int thread)
{
    const struct roi_channels ch = { .count = end - first,
                                     .in = (j->image[roi] * j->channels + first) * j->plane,
                                     .out = (roi * j->channels + first) * j->bins };

    if (j->wide)
        pool_region_double(j, &ch, roi, j->scratch + (size_t)thread * j->per_thread);
    else
        pool_region_float(j, &ch, roi, j->scratch + (size_t)thread * j->per_thread);
}

static void forward_chunk(void *context, int64_t roi, int thread)
{
    const struct roi_job *j = context;
    const int64_t some = j->attrs->max ? CHANNELS : greater(j->channels, 1);

    for (int64_t first = 0; first < j->channels; first += some)
        pool_region(j, roi, first, lesser(first + some, j->channels), thread);
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[X], *y = s->out[0];
    const enum dtype compute = dtype_compute(x->dtype);
    char *scratch = s->scratch;
    struct roi_job j;

    if (!job_of(s, &j, x, ROIS, &scratch))
        return false;
    j.x = compute_in(x, compute, &scratch);
    j.to = compute_out(y, compute, &scratch);
    pool_run(s->pool, j.regions, forward_chunk, &j);
    compute_store(y, compute, j.to);
    return true;
}

/* -- differentiate -- */

struct roi_grad {
    struct roi_align forward;
    struct tensor x; /* its type */
};

static bool grad_infer(struct infer *i)
{
    const struct roi_grad *a = infer_attrs(i);
    const enum dtype compute = dtype_compute(a->x.dtype);
    size_t bytes = (size_t)infer_threads(i) * thread_bytes(&a->x) + compute_bytes(&a->x, compute);

    for (int k = 0; k <= GRAD_X; k++)
        bytes += k == GRAD_BATCH_INDICES ? 0 : compute_bytes(typed_in(i, k), compute);
    need_scratch(i, bytes);
    return set_out(i, 0, a->x.dtype, a->x.rank, a->x.dims);
}

/* Some channels of all images. */
static void backward_chunk(void *context, int64_t group, int thread)
{
    const struct roi_job *j = context;
    const int64_t first = group * CHANNELS, end = lesser(first + CHANNELS, j->channels);
    const size_t size = j->wide ? sizeof(double) : sizeof(float);

    for (int64_t n = 0; n < j->batch; n++)
        memset((char *)j->to + (size_t)((n * j->channels + first) * j->plane) * size, 0,
               (size_t)((end - first) * j->plane) * size);
    for (int64_t roi = 0; roi < j->regions; roi++)
        pool_region(j, roi, first, end, thread);
}

static bool grad_run(struct step *s)
{
    const struct roi_grad *a = s->attrs;
    const enum dtype compute = dtype_compute(a->x.dtype);
    char *scratch = s->scratch;
    struct roi_job j;

    if (!job_of(s, &j, &a->x, GRAD_ROIS, &scratch))
        return false;
    j.dy = compute_in(s->in[GRAD_Y], compute, &scratch);
    j.x = compute_in(s->in[GRAD_X], compute, &scratch);
    j.to = compute_out(s->out[0], compute, &scratch);
    pool_run(s->pool, divide_up(j.channels, CHANNELS), backward_chunk, &j);
    compute_store(s->out[0], compute, j.to);
    return true;
}

/* -- and again: dX is linear in dY, and what comes back through it is pooled by the same weights -- */

static const struct op op_grad;

/* Inputs as the gradient's, with U for dY. */
static bool pick_infer(struct infer *i)
{
    const struct roi_grad *a = infer_attrs(i);
    const struct tensor *rois = typed_in(i, GRAD_ROIS);
    const enum dtype compute = dtype_compute(a->x.dtype);

    if (!set_out(i, 0, a->x.dtype, 4,
                 (const int64_t[]){ rois->dims[0], a->x.dims[1], a->forward.out[0], a->forward.out[1] }))
        return false;
    need_scratch(i, (size_t)infer_threads(i) * thread_bytes(&a->x) + 2 * compute_bytes(&a->x, compute) +
                        compute_bytes(rois, compute) + compute_bytes(typed_out(i, 0), compute));
    return true;
}

static bool pick_run(struct step *s)
{
    const struct roi_grad *a = s->attrs;
    const enum dtype compute = dtype_compute(a->x.dtype);
    char *scratch = s->scratch;
    struct roi_job j;

    if (!job_of(s, &j, &a->x, GRAD_ROIS, &scratch))
        return false;
    j.from = compute_in(s->in[GRAD_Y], compute, &scratch);
    j.x = compute_in(s->in[GRAD_X], compute, &scratch);
    j.to = compute_out(s->out[0], compute, &scratch);
    pool_run(s->pool, j.regions, forward_chunk, &j);
    compute_store(s->out[0], compute, j.to);
    return true;
}

/* Of the same inputs, but for the first one, which is given what `op` makes of what comes back. */
static bool through(struct backward *b, const struct op *op, const void *attrs)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, GRAD_ROIS), forward_in(b, GRAD_BATCH_INDICES),
                                 forward_in(b, GRAD_X) };
    struct value *d;

    if (wants(b, GRAD_Y) && emit_private(emitter_of(b), op, attrs, 1, &d, NULL, in[GRAD_X] ? 4 : 3, in))
        give(b, GRAD_Y, d);
    return backward_ok(b);
}

static bool pick_gradient(struct backward *b)
{
    return through(b, &op_grad, attrs_of(b));
}

static const struct op op_pick = {
    .name = "RoiPick",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 U, T1 rois, T2 batch_indices, T1 X -> T1 Y",
                                       .types = "T1: floats bf16; T2: i64",
                                       .attrs_size = sizeof(struct roi_grad),
                                       .infer = pick_infer,
                                       .run = pick_run,
                                       .gradient = pick_gradient },
                                     { 0 } },
};

/* A mean is that of RoiAlign itself. */
static bool grad_gradient(struct backward *b)
{
    const struct roi_grad *a = attrs_of(b);

    if (a->forward.max)
        return through(b, &op_pick, a);
    return through(b, &op_roi_align, &a->forward);
}

static const struct op op_grad = {
    .name = "RoiAlignGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 dY, T1 rois, T2 batch_indices, T1 X? -> T1 dX",
                                       .types = "T1: floats bf16; T2: i64",
                                       .attrs_size = sizeof(struct roi_grad),
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = grad_gradient },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    const struct roi_align *forward = attrs_of(b);
    struct roi_grad *a = emit_alloc(emitter_of(b), sizeof *a);
    struct value *d;

    if (!a || !wants(b, X))
        return backward_ok(b);
    a->forward = *forward;
    a->x = *type_in(b, X);
    a->x.data = NULL;
    if (emit_private(emitter_of(b), &op_grad, a, 1, &d, NULL, 4,
                     (struct value *[]){ upstream(b, 0), forward_in(b, ROIS), forward_in(b, BATCH_INDICES),
                                         forward->max ? forward_in(b, X) : NULL }))
        give(b, X, d);
    return backward_ok(b);
}

/* -- test -- */

#define ROI_CASES                                                                                                      \
    { "f64[2,3,6,5] f64[2,4]{0.3,0.4,3.7,4.9,-2,1,9,2.5} i64[2]{1,0}", "output_height=2 output_width=3",               \
      "f64[2,3,2,3]", 1 },                                                                                             \
        { "f64[1,18,6,5]~ f64[2,4]{0.3,0.4,3.7,4.9,1,1.2,9,2.5} i64[2]{0,0}", "output_height=2 mode='max'",            \
          "f64[2,18,2,1]", 1 },                                                                                        \
        { "f64[1,18,2,2] f64[1,4]{0,0,2,2} i64[1]{0}", "", "f64[1,18,1,1]", 1 },                                       \
        { "f64[2,2,4,5]~ f64[1,4]{4,0.4,30,14} i64[1]{1}", "sampling_ratio=3 spatial_scale=0.25 output_width=2",       \
          "f64[1,2,1,2]", 1 },                                                                                         \
        { "f64[1,2,4,4]~ f64[1,4]{-9,-9,9,9} i64[1]{0}", "sampling_ratio=2 mode='max' output_height=3",                \
          "f64[1,2,3,1]", 1 },                                                                                         \
        { "f64[1,1,4,4] f64[3,4]{3,3,1,1,9,9,20,20,1,1,1,1} i64[3]{0,0,0}", "output_width=2", "f64[3,1,1,2]", 1 },     \
        { "f32[1,1,4,4] f32[2,4]{0,0,1e30,1e30,-1e9,0,1e9,4} i64[2]{0,0}", "", "f32[2,1,1,1]", 0 },                    \
        { "f32[1,1,1,1] f32[1,4] i64[1]{0}", "sampling_ratio=2", "f32[1,1,1,1]", 0 },                                  \
        { "f16[1,2,4,4] f16[1,4]{0,0,3,2.4} i64[1]{0}", "mode='max'", "f16[1,2,1,1]", 0 },                             \
        { "f32[4,2,4,4] f32[1,4]~ i64[1]+", "", "f32[1,2,1,1]", 0 },                                                   \
        { "f32[1,2,0,4] f32[1,4] i64[1]{0}", "sampling_ratio=1", "f32[1,2,1,1]", 0 },                                  \
    {                                                                                                                  \
        "f32[1,2,4,4] f32[0,4] i64[0]", "", "f32[0,2,1,1]", 1                                                          \
    }
#define CASES_16                                                                                                       \
    ROI_CASES,                                                                                                         \
    {                                                                                                                  \
        "f64[1,2,6,5] f64[2,4]{0.3,0.4,3.7,4.9,2,1,1,0} i64[2]{0,0}",                                                  \
            "output_height=2 output_width=2 coordinate_transformation_mode='output_half_pixel'", "f64[2,2,2,2]", 1     \
    }

static const struct op_case cases_10[] = { ROI_CASES, { 0 } };
static const struct op_case cases_16[] = { CASES_16, { 0 } };
static const struct op_case cases_22[] = { CASES_16,
                                           { "bf16[1,2,4,4] bf16[1,4]{0,0,3,3} i64[1]{0}", "", "bf16[1,2,1,1]", 0 },
                                           { 0 } };

#define ROW(version, list, parser, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T1 X, T1 rois, T2 batch_indices -> T1 Y", .types = "T1: " list "; T2: i64",    \
        .attrs_size = sizeof(struct roi_align), .parse = parser, .rank = rank_of_input, .infer = infer, .run = run,    \
        .gradient = gradient, .cases = tests                                                                           \
    }

const struct op op_roi_align = {
    .name = "RoiAlign",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", parse_16, cases_22),
                                     ROW(16, "floats", parse_16, cases_16),
                                     ROW(10, "floats", parse_10, cases_10),
                                     { 0 } },
};
