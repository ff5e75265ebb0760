/* Resize, https://onnx.ai/onnx/operators/onnx__Resize.html; cubic: Keys, IEEE Trans. ASSP 29(6), 1981
 *
 * Every element of the output is a weighted sum of elements around its place in the input, axis by axis.
 * coordinate_transformation_mode says where that place is, mode which elements and weights. Elements outside are those
 * at the edge; with exclude_outside (not for nearest) their weight is 0 and the others are made to sum to 1. antialias
 * stretches the weights when an axis shrinks.
 *
 * nearest moves elements of any type; linear and cubic compute in float for float and its halves, in double for double
 * and integers (rounded to nearest even, saturated). Sizes from scales are floor(size * scale) in float, as
 * onnxruntime, the reference and the standard's own shape inference have them, also of a region (tf_crop_and_resize), whose
 * size the text would multiply by. The gradient for X is the adjoint sum; roi, scales and sizes must be known
 * when planning and have none. */
#include "ops/convert.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/resample.h"
#include "ops/view.h"
#include <math.h>
#include <string.h>

enum { X, ROI, SCALES, SIZES };
enum { NEAREST, LINEAR, CUBIC };
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC, CROP, SYMMETRIC, TF_HALF_PIXEL_FOR_NN };
enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, SIMPLE }; /* SIMPLE: floor where an axis grows, ceil where it shrinks */
enum { STRETCH, NOT_LARGER, NOT_SMALLER };

struct resize {
    int mode, transform, nearest, policy;
    bool exclude_outside, antialias, axes_given, channels_last;
    float cubic_a, extrapolation;
    struct ints axes;
    int scales; /* which input they are */
};

/* -- read -- */

static const char *const modes[] = { "nearest", "linear", "cubic", NULL };
static const char *const nearest_modes[] = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL };
static const char *const policies[] = { "stretch", "not_larger", "not_smaller", NULL };
static const char *const transforms[] = { "half_pixel", "pytorch_half_pixel", "align_corners",
                                          "asymmetric", "tf_crop_and_resize", "half_pixel_symmetric",
                                          NULL };
static const char *const transforms_11[] = { "half_pixel", "pytorch_half_pixel", "align_corners",
                                             "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn",
                                             NULL };

static bool parse_common(struct parse *p, struct resize *a)
{
    a->scales = SCALES;
    a->mode = attr_choice(p, "mode", modes, NEAREST);
    a->nearest = attr_choice(p, "nearest_mode", nearest_modes, PREFER_FLOOR);
    a->cubic_a = attr_float(p, "cubic_coeff_a", -.75f);
    a->extrapolation = attr_float(p, "extrapolation_value", 0);
    a->exclude_outside = attr_int(p, "exclude_outside", 0) != 0;
    return true;
}

static bool parse_11(struct parse *p, void *attrs)
{
    struct resize *a = attrs;

    a->transform = attr_choice(p, "coordinate_transformation_mode", transforms_11, HALF_PIXEL);
    if (a->transform == SYMMETRIC) /* its place in the later list */
        a->transform = TF_HALF_PIXEL_FOR_NN;
    return parse_common(p, a);
}

static bool parse_aspect(struct parse *p, struct resize *a)
{
    a->policy = attr_choice(p, "keep_aspect_ratio_policy", policies, STRETCH);
    a->antialias = attr_int(p, "antialias", 0) != 0;
    a->axes_given = attr_given(p, "axes");
    if (a->antialias && a->mode == NEAREST)
        return parse_error(p, "antialias is 1, must be 0 where mode is 'nearest'");
    return attr_ints(p, "axes", &a->axes);
}

static bool parse_18(struct parse *p, void *attrs)
{
    return parse_11(p, attrs) && parse_aspect(p, attrs);
}

static bool parse_19(struct parse *p, void *attrs)
{
    struct resize *a = attrs;

    a->transform = attr_choice(p, "coordinate_transformation_mode", transforms, HALF_PIXEL);
    return parse_common(p, a) && parse_aspect(p, a);
}

static const char *const modes_10[] = { "nearest", "linear", NULL };

static bool parse_10(struct parse *p, void *attrs)
{
    struct resize *a = attrs;

    a->scales = 1;
    a->mode = attr_choice(p, "mode", modes_10, NEAREST);
    a->transform = ASYMMETRIC;
    a->nearest = SIMPLE;
    return true;
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct resize *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

/* -- plan -- */

struct layout {
    int rank;
    int64_t in[MAX_RANK], out[MAX_RANK];
    double scale[MAX_RANK], start[MAX_RANK], end[MAX_RANK]; /* start and end of the region, as parts of the input */
    double up[MAX_RANK], down[MAX_RANK]; /* the scale is up / down, both of them exact: a rounded scale misses ties */
};

static float float_at(const struct tensor *t, int64_t k)
{
    float f = 0;

    convert_between(t->dtype, F32)((const char *)t->data + k * (int64_t)dtype_size(t->dtype), &f, 1);
    return f;
}

static bool region_of(struct layout *l, const int *axes, int count, const struct tensor *roi)
{
    if (!roi || tensor_count(roi) != 2 * count)
        return false;
    for (int k = 0; k < count; k++) {
        l->start[axes[k]] = (double)float_at(roi, k);
        l->end[axes[k]] = (double)float_at(roi, count + k);
        if (!isfinite(l->start[axes[k]]) || !isfinite(l->end[axes[k]]))
            return false;
    }
    return true;
}

static bool sizes_from_scales(struct infer *i, struct layout *l, const int *axes, int count,
                              const struct tensor *scales)
{
    for (int k = 0; k < count; k++) {
        const int d = axes[k];
        const float scale = float_at(scales, k);
        const float size = floorf((float)l->in[d] * scale);

        if (!(scale > 0) || !isfinite(scale))
            return i && infer_error(i, "scales[%d] is %g, must be above 0", k, (double)scale);
        if (!(size < 0x1p62f))
            return i && infer_error(i, "axis %d of the output would have more values than can be counted", d);
        l->scale[d] = l->up[d] = (double)scale;
        l->out[d] = size > 0 ? (int64_t)size : 0;
    }
    return true;
}

static bool sizes_given(struct infer *i, struct layout *l, const struct resize *a, const int *axes, int count,
                        const int64_t *sizes)
{
    double chosen = 0;
    int by = 0; /* the axis that it is of */

    for (int k = 0; k < count; k++) {
        const int d = axes[k];

        if (sizes[k] < 0)
            return i && infer_error(i, "sizes[%d] is %lld, must be at least 0", k, (long long)sizes[k]);
        l->out[d] = sizes[k];
        l->up[d] = l->in[d] ? (double)sizes[k] : 1;
        l->down[d] = l->in[d] ? (double)l->in[d] : 1;
        l->scale[d] = l->up[d] / l->down[d];
        if (!k || (a->policy == NOT_LARGER ? l->scale[d] < chosen : l->scale[d] > chosen)) {
            chosen = l->scale[d];
            by = d;
        }
    }
    for (int k = 0; k < count && a->policy != STRETCH; k++) {
        const double size = floor(chosen * (double)l->in[axes[k]] + .5);

        if (!(size < 0x1p62))
            return i && infer_error(i, "axis %d of the output would have more values than can be counted", axes[k]);
        l->scale[axes[k]] = chosen;
        l->up[axes[k]] = l->up[by];
        l->down[axes[k]] = l->down[by];
        l->out[axes[k]] = (int64_t)size;
    }
    return true;
}

/* The content of the inputs must be known. What is wrong is told through `i`, which is NULL where infer has looked
 * already. */
static bool layout_of(struct infer *i, struct layout *l, const struct resize *a, const struct tensor *x,
                      const struct tensor *roi, const struct tensor *scales, const struct tensor *sizes)
{
    const int count = a->axes_given ? a->axes.count : x->rank;
    const bool by_scales = scales && tensor_count(scales), by_sizes = sizes && tensor_count(sizes);
    int axes[MAX_RANK];

    *l = (struct layout){ .rank = x->rank };
    if (count > x->rank)
        return i && infer_error(i, "axes has %d values, 'X' has %d dimensions", count, x->rank);
    for (int d = 0; d < x->rank; d++) {
        l->in[d] = l->out[d] = x->dims[d];
        l->scale[d] = l->end[d] = l->up[d] = l->down[d] = 1;
    }
    for (int k = 0; k < count; k++) {
        axes[k] = layout_wrap(a->channels_last, x->rank, a->axes_given ? a->axes.v[k] : k);
        if (axes[k] < 0)
            return false;
    }
    if (by_scales && by_sizes)
        return i && infer_error(i, "both 'scales' and 'sizes' are given, must be one of them");
    if (count && !by_scales && !by_sizes)
        return i && infer_error(i, "neither 'scales' nor 'sizes' is given, must be one of them");
    if (count && tensor_count(by_scales ? scales : sizes) != count)
        return i &&
               infer_error(i, "'%s' has %lld values, must have %d, one for each axis", by_scales ? "scales" : "sizes",
                           (long long)tensor_count(by_scales ? scales : sizes), count);
    if (a->transform == CROP && !region_of(l, axes, count, roi))
        return i && infer_error(i, "'roi' has %lld values, must have %d finite ones, two for each axis",
                                roi ? (long long)tensor_count(roi) : 0, 2 * count);
    if (count && by_scales && !sizes_from_scales(i, l, axes, count, scales))
        return false;
    if (count && by_sizes && !sizes_given(i, l, a, axes, count, sizes->data))
        return false;
    for (int d = 0; d < x->rank; d++)
        if (!l->in[d] && l->out[d])
            return i &&
                   infer_error(i, "axis %d has 0 values, must have at least 1 to become %lld", d, (long long)l->out[d]);
    return true;
}

/* Does every element of this axis stay what it is? */
static bool identity(const struct resize *a, const struct layout *l, int d)
{
    return l->in[d] == l->out[d] && l->scale[d] == 1 && a->transform != TF_HALF_PIXEL_FOR_NN && l->start[d] == 0 &&
           l->end[d] == 1;
}

/* Where element p of the output lies in the input; false where that is outside of what may be seen
 * (tf_crop_and_resize). What is exact comes first and is divided once, so that an element and a half are met exactly
 * where the standard's formula, without rounding, meets them. */
static bool place_of(const struct resize *a, const struct layout *l, int d, int64_t p, double *place)
{
    const double in = (double)l->in[d], out = (double)l->out[d], up = l->up[d], down = l->down[d], at = (double)p;
    const double whole = up * in / down; /* the size that the scale gives */
    double x = 0;

    switch (a->transform) {
    case ALIGN_CORNERS:
        x = whole == 1 ? 0 : at * (in - 1) / (whole - 1);
        break;
    case ASYMMETRIC:
        x = at * down / up;
        break;
    case TF_HALF_PIXEL_FOR_NN:
        x = (at + .5) * down / up;
        break;
    case PYTORCH_HALF_PIXEL:
        x = l->out[d] > 1 ? (at + .5) * down / up - .5 : 0;
        break;
    case CROP:
        x = l->out[d] > 1 ? l->start[d] * (in - 1) + at * (l->end[d] - l->start[d]) * (in - 1) / (out - 1)
                          : .5 * (l->start[d] + l->end[d]) * (in - 1);
        break;
    case SYMMETRIC: /* the centre of the output is the centre of the input, also where the scale does not give a whole
                       size */
        x = ((2 * at + 1 - out) * down / up + in - 1) / 2;
        break;
    default:
        x = (at + .5) * down / up - .5;
    }
    *place = x < -0x1p50 ? -0x1p50 : x > 0x1p50 ? 0x1p50 : x;
    return a->transform != CROP || (x >= 0 && x <= in - 1);
}

static int64_t clamped(double x, int64_t n)
{
    return x < 0 ? 0 : x > (double)(n - 1) ? n - 1 : (int64_t)x;
}

static int64_t nearest_to(const struct resize *a, const struct layout *l, int d, double x)
{
    const double below = floor(x), ratio = x - below;
    const bool up = a->nearest == PREFER_FLOOR  ? ratio > .5
                    : a->nearest == PREFER_CEIL ? ratio >= .5
                    : a->nearest == FLOOR       ? false
                    : a->nearest == CEIL        ? ratio > 0
                                                : ratio > 0 && l->scale[d] < 1;

    return clamped(below + up, l->in[d]);
}

/* How far the weights reach on either side, in elements of the input: half of how many there are. */
static int64_t reach(const struct resize *a, const struct layout *l, int d)
{
    const int64_t plain = a->mode == LINEAR ? 1 : 2;
    const double shrinks = a->antialias && l->scale[d] < 1 ? l->scale[d] : 1, wide = -floor(-(double)plain / shrinks);

    return wide < 0x1p40 ? (int64_t)wide : (int64_t)1 << 40;
}

static double weight_at(const struct resize *a, double x)
{
    if (a->mode == CUBIC)
        return cubic_weight((double)a->cubic_a, x);
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* The weights of one element, from the reach-th element before its place on; taps of no weight are left out, so that an
 * infinity that nobody looks at does not become NaN. */
static void weigh(const struct resize *a, const struct layout *l, const struct taps *t, int64_t p, double x)
{
    const int64_t half = t->width / 2, first = (int64_t)ceil(x) - half;
    const double stretch = a->antialias && l->scale[t->axis] < 1 ? l->scale[t->axis] : 1;
    int64_t *index = t->index + p * t->width;
    double *weight = t->weight + p * t->width, sum = 0;

    for (int64_t k = 0; k < t->width; k++) {
        const int64_t at = first + k;

        index[k] = at < 0 ? 0 : at >= t->in ? t->in - 1 : at;
        weight[k] = weight_at(a, ((double)at - x) * stretch);
        if (a->exclude_outside && index[k] != at)
            weight[k] = 0;
        sum += weight[k];
        if (weight[k] == 0)
            index[k] = -1;
    }
    if (sum != 0 && (a->exclude_outside || a->antialias))
        for (int64_t k = 0; k < t->width; k++)
            weight[k] /= sum;
}

static void fill_taps(const struct resize *a, const struct layout *l, const struct taps *t)
{
    for (int64_t p = 0; p < t->out; p++) {
        double x;
        const bool seen = place_of(a, l, t->axis, p, &x);

        if (!seen) {
            for (int64_t k = 0; k < t->width; k++)
                t->index[p * t->width + k] = -1;
        } else if (a->mode == NEAREST) {
            t->index[p] = nearest_to(a, l, t->axis, x);
            t->weight[p] = 1;
        } else {
            weigh(a, l, t, p, x);
        }
    }
}

static struct resample sums_of(const struct resize *a, const struct layout *l, enum dtype dtype, bool adjoint)
{
    struct resample r = { .dtype = dtype, .rank = l->rank, .adjoint = adjoint };

    memcpy(r.dims, l->in, sizeof r.dims);
    for (int d = 0; d < l->rank; d++)
        if (!identity(a, l, d))
            r.taps[r.count++] = (struct taps){
                .axis = d, .in = l->in[d], .out = l->out[d], .width = a->mode == NEAREST ? 1 : 2 * reach(a, l, d)
            };
    return r;
}

static bool scratch_for(const struct resize *a, const struct layout *l, enum dtype dtype, size_t *bytes)
{
    const struct resample r = sums_of(a, l, dtype, false);
    int64_t sum = 0;

    if (a->mode != NEAREST)
        return resample_scratch(&r, bytes);
    for (int d = 0; d < l->rank; d++)
        if (!add_size(sum, l->out[d], &sum))
            return false;
    if (!dims_product(l->out, 0, l->rank))
        sum = 0;
    *bytes = (size_t)sum * sizeof(int64_t);
    return sum < INT64_MAX / (int64_t)sizeof(int64_t);
}

/* The region is only looked at where it is cropped to. */
static bool decides(const struct resize *a, int k)
{
    return a->scales != SCALES || k != ROI || a->transform == CROP;
}

static bool infer(struct infer *i)
{
    const struct resize *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    struct layout l;
    uint32_t mask;
    size_t bytes;

    for (int k = X + 1; k <= SIZES; k++)
        if (typed_in(i, k) && decides(a, k) && !known_in(i, k))
            return false;
    if (!axes_mask(i, &a->axes, x->rank, &mask) ||
        !layout_of(i, &l, a, x, a->scales == SCALES ? typed_in(i, ROI) : NULL, typed_in(i, a->scales),
                   a->scales == SCALES ? typed_in(i, SIZES) : NULL))
        return false;
    if (a->mode != NEAREST && x->dtype == STRING)
        return infer_error(i, "mode is '%s', must be 'nearest' for strings", modes[a->mode]);
    if (!set_out(i, 0, x->dtype, l.rank, l.out))
        return false;
    if (!scratch_for(a, &l, x->dtype, &bytes))
        return infer_error(i, "the output would have more values than can be counted");
    need_scratch(i, bytes);
    return true;
}

/* -- run -- */

static const struct tensor *input(const struct step *s, int k)
{
    return k < s->node->inputs ? s->in[k] : NULL;
}

/* extrapolation_value in the type of X. */
static void outside_value(const struct resize *a, enum dtype dtype, char value[16])
{
    const enum dtype part = dtype == C64 ? F32 : dtype == C128 ? F64 : dtype;

    memset(value, 0, 16);
    if (dtype != STRING)
        convert_between(F32, part)(&a->extrapolation, value, 1);
}

static void fill_outside(struct step *s, const struct resize *a, const struct layout *l)
{
    const size_t size = dtype_size(s->out[0]->dtype);
    struct move m = { .size = size, .rank = l->rank };
    char value[16];
    double x;

    if (a->transform != CROP)
        return;
    outside_value(a, s->out[0]->dtype, value);
    move_strides(l->rank, l->out, m.out);
    for (int d = 0; d < l->rank; d++)
        for (int64_t p = 0; p < l->out[d]; p++)
            if (!identity(a, l, d) && !place_of(a, l, d, p, &x)) {
                memcpy(m.dims, l->out, sizeof l->out);
                m.dims[d] = 1;
                move_run(s->k, s->pool, &m, value, (char *)s->out[0]->data + p * m.out[d] * (int64_t)size);
            }
}

static void run_nearest(struct step *s, const struct resize *a, const struct layout *l)
{
    struct pick p = { .size = dtype_size(s->in[X]->dtype), .rank = l->rank };
    int64_t strides[MAX_RANK], *table = s->scratch;
    char value[16];

    outside_value(a, s->in[X]->dtype, value);
    p.outside = value;
    move_strides(l->rank, l->in, strides);
    for (int d = 0; d < l->rank; d++) {
        p.dims[d] = l->out[d];
        p.pick[d] = table;
        for (int64_t at = 0; at < l->out[d]; at++) {
            double x = (double)at;
            const bool seen = identity(a, l, d) || place_of(a, l, d, at, &x);

            *table++ = !seen ? -1 : (identity(a, l, d) ? at : nearest_to(a, l, d, x)) * strides[d];
        }
    }
    move_pick(s->pool, &p, s->in[X]->data, s->out[0]->data);
}

static bool run(struct step *s)
{
    const struct resize *a = s->attrs;
    const bool rois = a->scales == SCALES;
    struct resample r;
    struct layout l;

    if (!tensor_count(s->out[0]))
        return true;
    layout_of(NULL, &l, a, s->in[X], rois ? input(s, ROI) : NULL, input(s, a->scales), rois ? input(s, SIZES) : NULL);
    if (a->mode == NEAREST) {
        run_nearest(s, a, &l);
        return true;
    }
    r = sums_of(a, &l, s->in[X]->dtype, false);
    resample_tables(&r, s->scratch);
    for (int k = 0; k < r.count; k++)
        fill_taps(a, &l, &r.taps[k]);
    resample_run(s, &r, s->in[X]->data, s->out[0]->data);
    fill_outside(s, a, &l);
    return true;
}

/* -- differentiate -- */

struct resize_grad {
    const struct resize *forward;
    struct layout layout;
    bool back; /* dY, as a gradient of dX: as forward, but 0 is what is outside */
};

static bool grad_infer(struct infer *i)
{
    const struct resize_grad *a = infer_attrs(i);
    const enum dtype dtype = typed_in(i, 0)->dtype;
    const struct resample r = sums_of(a->forward, &a->layout, dtype, !a->back);
    size_t bytes;

    if (!resample_scratch(&r, &bytes))
        return infer_error(i, "the tensors are larger than can be counted");
    need_scratch(i, bytes);
    return set_out(i, 0, dtype, a->layout.rank, a->back ? a->layout.out : a->layout.in);
}

static bool grad_run(struct step *s)
{
    const struct resize_grad *a = s->attrs;
    struct resample r = sums_of(a->forward, &a->layout, s->in[0]->dtype, !a->back);

    if (!tensor_count(s->out[0]))
        return true;
    resample_tables(&r, s->scratch);
    for (int k = 0; k < r.count; k++)
        fill_taps(a->forward, &a->layout, &r.taps[k]);
    resample_run(s, &r, s->in[0]->data, s->out[0]->data);
    return true;
}

static bool gradient_of_grad(struct backward *b); /* below */

/* What an axis has after it, of what it has before: [before, after]. */
static struct value *matrix_of(struct emitter *e, const struct taps *t, bool adjoint, enum dtype dtype)
{
    const struct tensor type = { .dtype = F64,
                                 .rank = 2,
                                 .dims = { adjoint ? t->out : t->in, adjoint ? t->in : t->out } };
    double *m = emit_alloc(e, (size_t)tensor_bytes(&type));

    for (int64_t p = 0; m && p < t->out; p++)
        for (int64_t k = p * t->width; k < (p + 1) * t->width; k++)
            if (t->index[k] >= 0)
                m[adjoint ? p * t->in + t->index[k] : t->index[k] * t->out + p] += t->weight[k];
    return m ? emit_cast_from(e, emit_constant(e, &type, m), F64, dtype) : NULL;
}

/* Axis by axis, a product with what each element counts. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct resize_grad *a = n->attrs;
    struct resample r = sums_of(a->forward, &a->layout, in[0]->dtype, !a->back);
    struct value *v = n->in[0];

    for (int k = 0; k < r.count; k++) {
        struct taps *t = &r.taps[k];
        int64_t perm[MAX_RANK];

        t->index = emit_alloc(e, (size_t)(t->out * t->width) * sizeof *t->index);
        t->weight = emit_alloc(e, (size_t)(t->out * t->width) * sizeof *t->weight);
        if (!t->index || !t->weight)
            return false;
        fill_taps(a->forward, &a->layout, t);
        for (int d = 0; d < r.rank; d++)
            perm[d] = d == t->axis ? r.rank - 1 : d == r.rank - 1 ? t->axis : d;
        v = emit(e, "MatMul", "", 2, emit_transposed(e, v, r.rank, perm), matrix_of(e, t, r.adjoint, in[0]->dtype));
        v = emit_transposed(e, v, r.rank, perm);
    }
    out[0] = v;
    return !e->failed;
}

static const struct op resize_grad = {
    .name = "ResizeGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct resize_grad),
                                       .plain = plain,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .gradient = gradient_of_grad },
                                     { 0 } },
};

/* It is linear, and back again. */
static bool gradient_of_grad(struct backward *b)
{
    struct resize_grad *grad = emit_alloc(emitter_of(b), sizeof *grad);
    struct value *d, *g = upstream(b, 0);

    if (!grad)
        return backward_ok(b);
    *grad = *(const struct resize_grad *)attrs_of(b);
    grad->back = !grad->back;
    if (emit_private(emitter_of(b), &resize_grad, grad, 1, &d, NULL, 1, &g))
        give(b, 0, d);
    return backward_ok(b);
}

static bool gradient(struct backward *b)
{
    const struct resize *a = attrs_of(b);
    const bool rois = a->scales == SCALES;
    struct emitter *e = emitter_of(b);
    struct resize_grad *grad;
    struct value *dx;

    for (int k = X + 1; k <= SIZES; k++)
        if (type_in(b, k) && decides(a, k) && !type_in(b, k)->data && tensor_count(type_in(b, k)))
            return backward_error(b, "the sizes are only known while running");
    if (!wants(b, X) || !(grad = emit_alloc(e, sizeof *grad)))
        return backward_ok(b);
    grad->forward = a;
    layout_of(NULL, &grad->layout, a, type_in(b, X), rois ? type_in(b, ROI) : NULL, type_in(b, a->scales),
              rois ? type_in(b, SIZES) : NULL);
    emit_private(e, &resize_grad, grad, 1, &dx, NULL, 1, (struct value *[]){ upstream(b, 0) });
    give(b, X, dx);
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases_10[] = {
    { "f32[1,1,2,2] f32[4]{1,1,2,3}", "", "f32[1,1,4,6]", 1 },
    { "f64[1,1,2,4] f32[4]{1,1,0.6,0.6}", "mode='linear'", "f64[1,1,1,2]", 1 },
    { "str[3] f32[1]{2}", "", "str[6]", 0 },
    { "i8[4,3] f32[2]{0.5,2}", "mode='linear'", "i8[2,6]", 0 },
    { 0 },
};
#define CASES_11                                                                                                       \
    { "f32[1,2,3,4] f32[0] f32[4]{1,1,2,1.5}", "mode='linear'", "f32[1,2,6,6]", 1 },                                   \
        { "f64[1,1,4,4] f32[0] f32[0] i64[4]{1,1,3,7}", "mode='cubic'", "f64[1,1,3,7]", 1 },                           \
        { "f32[1,1,4,4] f32[0] f32[0] i64[4]{1,1,9,9}", "mode='cubic' cubic_coeff_a=-0.5 exclude_outside=1",           \
          "f32[1,1,9,9]", 1 },                                                                                         \
        { "f64[2,5] f32[0] f32[0] i64[2]{4,3}", "coordinate_transformation_mode='align_corners' mode='linear'",        \
          "f64[4,3]", 1 },                                                                                             \
        { "f64[4,4] f32[4]{0.2,0.3,0.9,1.2} f32[0] i64[2]{3,5}",                                                       \
          "coordinate_transformation_mode='tf_crop_and_resize' mode='linear' extrapolation_value=7.5", "f64[3,5]",     \
          1 },                                                                                                         \
        { "f32[3,4] f32[4]{0.2,0.3,0.9,1.2} f32[0] i64[2]{3,5}",                                                       \
          "coordinate_transformation_mode='tf_crop_and_resize'", "f32[3,5]", 1 },                                      \
        { "f32[3,4] f32[4]{0.2,0.3,0.9,1.2} f32[2]{2,1.5}",                                                            \
          "coordinate_transformation_mode='tf_crop_and_resize' mode='linear'", "f32[6,6]", 1 },                        \
        { "f32[3,4] f32[0] f32[0] i64[2]{7,2}", "nearest_mode='ceil' coordinate_transformation_mode='asymmetric'",     \
          "f32[7,2]", 1 },                                                                                             \
        { "f64[5,4] f32[0] f32[0] i64[2]{1,3}",                                                                        \
          "nearest_mode='round_prefer_ceil' coordinate_transformation_mode='pytorch_half_pixel'", "f64[1,3]", 1 },     \
        { "str[2,2] f32[0] f32[2]{2,2}", "nearest_mode='floor'", "str[4,4]", 0 },                                      \
        { "u8[5,4] f32[0] f32[0] i64[2]{7,2}", "mode='cubic'", "u8[7,2]", 0 },                                         \
        { "f16[2,3] f32[0] f32[2]{2,2}", "mode='linear'", "f16[4,6]", 0 },                                             \
        { "c64[2,3] f32[0] f32[2]{2,1}", "mode='linear'", "c64[4,3]", 0 },                                             \
        { "f32[0,3] f32[0] f32[2]{2,2}", "mode='linear'", "f32[0,6]", 0 },                                             \
    {                                                                                                                  \
        "f32[3,3] f32[0] f32[2]{0.1,1}", "", "f32[0,3]", 0                                                             \
    }

static const struct op_case cases_11[] = {
    CASES_11,
    { "f32[2,3] f32[0] f32[2]{2,2}", "coordinate_transformation_mode='tf_half_pixel_for_nn'", "f32[4,6]", 1 },
    { 0 },
};
#define CASES_18                                                                                                       \
    { "f64[1,6,8] - f32[2]{0.5,0.4}", "mode='linear' antialias=1 axes=[1,-1]", "f64[1,3,3]", 1 },                      \
        { "f32[7,6] - - i64[2]{3,4}", "mode='cubic' antialias=1 exclude_outside=1", "f32[3,4]", 1 },                   \
        { "f32[2,4] - - i64[2]{7,8}", "keep_aspect_ratio_policy='not_larger' mode='linear'", "f32[4,8]", 1 },          \
        { "f32[2,4] - - i64[2]{7,8}", "keep_aspect_ratio_policy='not_smaller'", "f32[7,14]", 1 },                      \
    {                                                                                                                  \
        "f32[4,3,2] f32[2]{0.1,0.7} - i64[1]{3}",                                                                      \
            "axes=[0] mode='cubic' coordinate_transformation_mode='tf_crop_and_resize'", "f32[3,3,2]", 1               \
    }

static const struct op_case cases_18[] = { CASES_11, CASES_18, { 0 } };
static const struct op_case cases_19[] = {
    CASES_11,
    CASES_18,
    { "f64[5] - f32[1]{0.7}", "mode='linear' coordinate_transformation_mode='half_pixel_symmetric'", "f64[3]", 1 },
    { 0 },
};

#define ROW(version, t, ...)                                                                                           \
    {                                                                                                                  \
        .since = version, .types = t "; F: f32", .attrs_size = sizeof(struct resize), .rank = rank_of_input,           \
        .infer = infer, .run = run, .gradient = gradient, .channels_last = channels_last, __VA_ARGS__                  \
    }
#define ROW_13(version, parser, tests)                                                                                 \
    ROW(version, "T1: all bf16; T2: floats; I: i64", .signature = "T1 X, T2 roi?, F scales?, I sizes? -> T1 Y",        \
        .parse = parser, .cases = tests)

const struct op op_resize = {
    .name = "Resize",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW_13(19, parse_19, cases_19),
            ROW_13(18, parse_18, cases_18),
            ROW_13(13, parse_11, cases_11),
            ROW(11, "T1: all; T2: floats; I: i64", .signature = "T1 X, T2 roi, F scales, I sizes? -> T1 Y",
                .parse = parse_11, .cases = cases_11),
            ROW(10, "T: all", .signature = "T X, F scales -> T Y", .parse = parse_10, .cases = cases_10),
            { 0 } },
};
