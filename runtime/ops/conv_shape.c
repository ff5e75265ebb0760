#include "ops/bilinear.h"
#include "ops/conv.h"
#include "ops/cost.h"

enum { X, W, B }; /* inputs of both */

struct fans conv_fans(const struct node *n, int input, const struct tensor *w)
{
    const double field = (double)dims_product(w->dims, 2, w->rank);

    (void)n;
    (void)input;
    return (struct fans){ (double)w->dims[1] * field, (double)w->dims[0] * field };
}

bool conv_parse(struct parse *p, struct conv_attrs *a)
{
    a->group = attr_int(p, "group", 1);
    if (a->group < 1)
        return parse_error(p, "group is %lld, must be at least 1", (long long)a->group);
    return window_parse(p, &a->window, WINDOW_DILATIONS);
}

bool conv_check(struct infer *i, const struct conv_attrs *a, const struct tensor *x, const struct tensor *w,
                const struct tensor *b, bool transposed, int64_t *out_channels)
{
    if (x->rank < 3)
        return infer_error(i, "'X' has %d dimensions, must have at least 3", x->rank);
    if (w->rank != x->rank)
        return infer_error(i, "'W' has %d dimensions, must have those of 'X', %d", w->rank, x->rank);
    if (transposed ? w->dims[0] != x->dims[1] : x->dims[1] / a->group != w->dims[1] || x->dims[1] % a->group)
        return infer_error(i, "'X' has %lld channels, must have the weight's %lld%s%lld", (long long)x->dims[1],
                           (long long)w->dims[!transposed], transposed ? " with group " : " times group ",
                           (long long)a->group);
    if ((transposed ? x->dims[1] : w->dims[0]) % a->group)
        return infer_error(i, "group is %lld, must divide dimension 0 of 'W', %lld", (long long)a->group,
                           (long long)w->dims[0]);
    *out_channels = w->dims[0];
    if (transposed && !mul_size(w->dims[1], a->group, out_channels))
        return infer_error(i, "dimension 1 of 'W' times group overflows");
    if (b && (b->rank != 1 || b->dims[0] != *out_channels))
        return infer_error(i, "'B' must have shape [%lld], one value for each output channel",
                           (long long)*out_channels);
    return true;
}

bool conv_countable(struct infer *i, const struct conv_shape *s)
{
    enum { LANES = 64, TILE = 8 }; /* a group's channels and an image's sides are rounded up to no more than these */
    const double most = 0x1p58, groups = (double)s->groups;
    double work = ((double)s->in_channels / groups + LANES) * ((double)s->out_channels / groups + LANES) * groups;

    work *= (double)s->batch + 1;
    for (int d = 0; d < s->rank; d++)
        work *= ((double)(s->in[d] > s->out[d] ? s->in[d] : s->out[d]) + TILE) * (double)s->kernel[d];
    return work < most || !i || infer_error(i, "about %g multiplications, must be less than %g", work, most);
}

bool conv_dx_fits(struct infer *i, const struct conv_shape *s, enum dtype dtype)
{
    return dtype == F32 || dtype == F64 || conv_phases(s) <= CONV_PHASES ||
           infer_error(i, "the strides make more than %d phases, which %s does not support", (int)CONV_PHASES,
                       dtype_name(dtype));
}

struct conv_shape conv_shape_of(const struct window *w, int64_t batch, int64_t in_channels, int64_t out_channels,
                                int64_t groups)
{
    struct conv_shape s = {
        .batch = batch, .groups = groups, .in_channels = in_channels, .out_channels = out_channels, .rank = w->rank
    };

    for (int d = 0; d < w->rank; d++) {
        s.in[d] = w->in[d];
        s.out[d] = w->out[d];
        s.kernel[d] = w->kernel[d];
        s.strides[d] = w->strides[d];
        s.dilations[d] = w->dilations[d];
        s.pads_begin[d] = w->pads_begin[d];
    }
    return s;
}

bool conv_gradient(struct backward *b, const struct op *grad)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_in(b, W) };
    const bool want[] = { wants(b, X), wants(b, W), type_in(b, B) && wants(b, B) };
    struct value *d[3];

    emit_private(emitter_of(b), grad, attrs_of(b), 3, d, want, 3, in);
    for (int k = X; k <= B; k++)
        if (want[k])
            give(b, k, d[k]);
    return backward_ok(b);
}

/* What comes back through dB goes to each pixel of its channel. */
bool conv_grad_gradient(struct backward *b, const struct op *forward)
{
    const struct conv_attrs *a = attrs_of(b); /* those of both begin so */
    const struct tensor *dy = type_in(b, 0);
    struct emitter *e = emitter_of(b);
    struct value *u = upstream(b, B);
    int64_t dims[MAX_RANK];

    for (int d = 0; d < dy->rank; d++)
        dims[d] = d == (a->channels_last ? dy->rank - 1 : 1) ? dy->dims[d] : 1;
    if (u && wants(b, 0))
        give(b, 0, emit(e, "Expand", "", 2, emit_reshape(e, u, dy->rank, dims), emit_ints(e, dy->rank, dy->dims)));
    return bilinear_gradient(b, forward);
}

bool conv_shape_read(struct infer *i, const struct conv_attrs *a, const struct tensor *x, const struct tensor *w,
                     struct conv_shape *s)
{
    struct window window;

    if (!window_read(i, &a->window, x, w->dims + 2, &window) || !window_slide(i, &a->window, &window))
        return false;
    *s = conv_shape_of(&window, x->dims[0], x->dims[1], w->dims[0], a->group);
    return conv_countable(i, s);
}

double conv_flops(const struct tensor *pixels, const struct tensor *w)
{
    return w->dims[0] > 0 ? 2 * cost_count(pixels) * cost_count(w) / (double)w->dims[0] : 0;
}
