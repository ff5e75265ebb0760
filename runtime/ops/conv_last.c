#include "ops/conv_last.h"
#include "base/text.h"
#include "kernels/channels_last/conv.h"
#include "kernels/norm_block.h"
#include "kernels/reduce.h"
#include "ops/chained.h"
#include "ops/compute.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/move.h"
#include "ops/registry.h"
#include <math.h>
#include <string.h>

enum { X, W, B };                /* inputs */
enum { GRAD_Y, GRAD_X, GRAD_W }; /* inputs of the gradient */

/* -- plan -- */

/* One product, and the memory that it wants of the step's scratch, in this order. Where no kernel can do it, it goes by
 * way of ONNX' layout. */
struct product {
    struct conv_last c;
    struct conv_shape shape; /* of two dimensions, though the node may have one */
    bool fits;
    int weights;   /* the input that they are */
    bool prepared; /* they are packed before the first run */
    size_t packed, scratch;
};

/* What of the key tells comes first. */
struct weights {
    struct conv_weights_key key;
    struct conv_last c;
};

static void pack(const void *key, const struct tensor *in, const struct kernels *k, struct pool *pool, void *out)
{
    const struct weights *w = key;

    (void)k; /* the plan has them */
    conv_last_pack(&w->c, pool, in->data, out);
}

void conv_last_lift(struct conv_shape *s)
{
    if (s->rank != 1)
        return;
    s->rank = 2;
    s->in[1] = s->in[0];
    s->out[1] = s->out[0];
    s->kernel[1] = s->kernel[0];
    s->strides[1] = s->strides[0];
    s->dilations[1] = s->dilations[0];
    s->pads_begin[1] = s->pads_begin[0];
    s->in[0] = s->out[0] = s->kernel[0] = s->strides[0] = s->dilations[0] = 1;
    s->pads_begin[0] = 0;
}

/* Nothing goes in, or comes out: kernels need not expect it. */
static bool is_empty(const struct conv_shape *s)
{
    return !s->batch || !s->in_channels || !s->out_channels || !s->in[0] || !s->in[1] || !s->out[0] || !s->out[1];
}

static size_t bytes_of(const struct conv_shape *s, bool input)
{
    const int64_t *size = input ? s->in : s->out;

    return aligned((size_t)(s->batch * (input ? s->in_channels : s->out_channels) * size[0] * size[1]) * sizeof(float));
}

static size_t planes_scratch(struct infer *i, const struct conv_shape *s, enum conv_pass pass)
{
    const struct kernels *k = infer_kernels(i);
    const int threads = infer_threads(i);

    return bytes_of(s, true) + bytes_of(s, false) +
           (pass == CONV_FORWARD ? conv_forward_scratch(k, s, F32, threads)
            : pass == CONV_DX    ? conv_dx_scratch(k, s, F32, threads)
                                 : conv_dw_scratch(k, s, F32, threads));
}

/* `weights`: which input they are. */
static void plan_product(struct infer *i, struct product *p, const struct conv_shape *s, enum conv_pass pass,
                         int weights)
{
    struct weights key;

    p->shape = *s;
    conv_last_lift(&p->shape);
    p->fits = !is_empty(&p->shape) && conv_last_plan(&p->c, infer_kernels(i), &p->shape, pass, infer_exact(i));
    if (!p->fits) {
        p->scratch = planes_scratch(i, &p->shape, pass);
        return;
    }
    p->scratch = conv_last_scratch(&p->c, infer_threads(i));
    if (pass == CONV_DW)
        return;
    p->weights = weights;
    memset(&key, 0, sizeof key);
    key.key = conv_last_key(&p->c);
    key.c = p->c;
    p->packed = aligned(conv_last_weights(&p->c));
    p->prepared = need_prepared_keyed(i, weights, p->packed, pack, &key, sizeof key, sizeof key.key);
    if (!p->prepared)
        return;
    p->packed = 0;
    if (conv_last_reads_weights(&p->c))
        keep_prepared_input(i, weights);
}

struct forward {
    struct product product;
    bool apart;    /* the residual is not laid out as the result: it is added afterwards */
    bool moved;    /* the result is made by itself, and then moved to where its channels belong */
    size_t result; /* bytes of scratch for the result alone, where the residual or the chain makes it larger */
    struct chained chained;
};

/* The result is a part of the output's channels. */
static bool plan_part(struct infer *i, const struct conv_extras *a, struct forward *f, const struct tensor *own)
{
    const struct tensor *before = infer_inputs(i) > CONV_INTO ? typed_in(i, CONV_INTO) : NULL;
    struct tensor whole = *own;

    whole.dims[whole.rank - 1] = a->into_channels;
    if (a->into_at > a->into_channels - own->dims[own->rank - 1] || (before && !same_shape(before, &whole)))
        return infer_error(i, "what it makes does not fit what it is concatenated with");
    if (!set_out(i, 0, F32, whole.rank, whole.dims))
        return false;
    if (before)
        view_of(i, 0, CONV_INTO);
    f->moved = !f->product.fits || !conv_last_wide_pixels(&f->product.c);
    if (f->moved)
        f->result = bytes_of(&f->product.shape, false);
    return true;
}

static bool out_of(struct infer *i, const struct conv_extras *a, const struct conv_shape *s, struct forward *f)
{
    const struct tensor *x = typed_in(i, X), *r = infer_inputs(i) > CONV_RESIDUAL ? typed_in(i, CONV_RESIDUAL) : NULL;
    struct tensor own = *x;
    int64_t dims[MAX_RANK];
    int rank = x->rank;

    own.dims[x->rank - 1] = s->out_channels;
    for (int d = 0; d < s->rank; d++)
        own.dims[1 + d] = s->out[d];
    if (a->chain &&
        !chained_infer(i, &f->chained, a->chain, CONV_CHAIN, &own, f->product.fits ? CHAINED_PARTS : CHAINED_BEHIND))
        return false;
    f->result = f->chained.result;
    if (a->chain)
        return true;
    if (a->into_channels)
        return plan_part(i, a, f, &own);
    memcpy(dims, own.dims, sizeof dims);
    if (r && !broadcast(&rank, dims, r))
        return infer_error(i, "what is added to the result does not broadcast with it");
    if (!set_out(i, 0, x->dtype, rank, dims))
        return false;
    f->apart = r && !same_shape(r, &own);
    if (r && !f->apart && r != x) /* what goes in is read until the end */
        may_reuse(i, 0, CONV_RESIDUAL);
    if (rank != own.rank || memcmp(dims, own.dims, (size_t)rank * sizeof *dims) != 0)
        f->result = bytes_of(&f->product.shape, false);
    return true;
}

/* Moments of the result, for a normalisation behind it: a record for each block that the kernel finishes. */
static bool moments_out(struct infer *i, const struct product *p)
{
    const int64_t dims[] = { p->fits ? conv_last_blocks(&p->c) : 1, norm_record(p->shape.out_channels) };

    return set_out(i, CONV_MOMENTS, F64, 2, dims);
}

bool conv_last_infer(struct infer *i, const struct conv_attrs *a, const struct conv_extras *extras)
{
    const struct tensor x = layout_onnx(true, typed_in(i, X));
    struct forward *f = infer_plan(i, sizeof *f);
    struct conv_shape s;
    int64_t channels;

    if (!f || !conv_check(i, a, &x, typed_in(i, W), typed_in(i, B), false, &channels) ||
        !conv_shape_read(i, a, &x, typed_in(i, W), &s))
        return false;
    plan_product(i, &f->product, &s, CONV_FORWARD, W);
    if (!out_of(i, extras, &s, f) || !moments_out(i, &f->product))
        return false;
    need_scratch(i, f->product.packed + f->result + f->chained.scratch + f->product.scratch);
    return true;
}

/* -- run -- */

/* Scratch is packed weights, what `between` is, and the kernel's own. */
static const void *packed_weights(const struct step *s, const struct product *p, const float *w)
{
    const void *prepared = prepared_for(s, p->weights);

    if (prepared)
        return prepared;
    conv_last_pack(&p->c, s->pool, w, s->scratch);
    return s->scratch;
}

static struct tensor image(const struct conv_shape *s, bool input)
{
    const int64_t *size = input ? s->in : s->out;

    return (struct tensor){ .dtype = F32,
                            .rank = 4,
                            .dims = { s->batch, size[0], size[1], input ? s->in_channels : s->out_channels } };
}

static void to_planes(const struct step *s, const struct conv_shape *shape, bool input, const void *from, void *to)
{
    const struct tensor t = image(shape, input);

    layout_copy(s->k, s->pool, &t, false, from, to);
}

static void from_planes(const struct step *s, const struct conv_shape *shape, bool input, const void *from, void *to)
{
    const struct tensor t = image(shape, input), planes = layout_onnx(true, &t);

    layout_copy(s->k, s->pool, &planes, true, from, to);
}

static void forward_planes(const struct step *s, const struct product *p, char *scratch, void *y)
{
    const struct tensor *b = s->in[B];
    char *const x_planes = scratch, *const y_planes = x_planes + bytes_of(&p->shape, true);

    to_planes(s, &p->shape, true, s->in[X]->data, x_planes);
    conv_forward(s->k, s->pool, &p->shape, F32, x_planes, s->in[W]->data, b ? b->data : NULL, false, y_planes,
                 y_planes + bytes_of(&p->shape, false));
    from_planes(s, &p->shape, false, y_planes, y);
}

/* What is done with the result while it is at hand; with `plain` nothing but the bias. */
static struct epilogue epilogue_of(const struct step *s, const struct conv_extras *a, bool plain)
{
    const struct tensor *r = s->node->inputs > CONV_RESIDUAL && !plain ? s->in[CONV_RESIDUAL] : NULL;

    return (struct epilogue){ .bias = s->in[B] ? s->in[B]->data : NULL,
                              .residual = r ? r->data : NULL,
                              .least = a->limited && !plain ? a->least : -INFINITY,
                              .most = a->limited && !plain ? a->most : INFINITY };
}

static void limit(const struct elements *s, const float *x)
{
    const struct conv_extras *a = s->attrs;

    formula_of_1(formula_of(&op_clip), s->k, (struct numbers){ a->least, a->most }, x, s->y, s->n);
}

static void add_loop(const struct elements *s)
{
    const struct conv_extras *a = s->attrs;
    const float *const p = s->x[0], *const q = s->x[1];

    if (s->step[0] && s->step[1])
        s->k->map->add(p, q, s->y, s->n);
    else if (s->step[0])
        s->k->map->add_s(p, *q, s->y, s->n);
    else
        s->k->map->add_s(q, *p, s->y, s->n);
    if (a->limited)
        limit(s, s->y);
}

static void limit_loop(const struct elements *s)
{
    limit(s, s->x[0]);
}

/* The residual and the limits, where the kernel did not see to them, into y; NULL: in place. */
static void finish_apart(struct step *s, const struct conv_extras *a, const struct conv_shape *shape, void *result,
                         struct tensor *y)
{
    const struct elementwise add = { .loop = add_loop, .span.attrs = a },
                             alone = { .loop = limit_loop, .span.attrs = a };
    struct tensor own = image(shape, false);
    const struct tensor *const in[] = { &own, s->node->inputs > CONV_RESIDUAL ? s->in[CONV_RESIDUAL] : NULL };

    if (s->in[X]->rank == 3) { /* without the one row */
        own.rank = 3;
        own.dims[1] = own.dims[2];
        own.dims[2] = own.dims[3];
    }
    own.data = result;
    y = y ? y : &own;
    if (in[1])
        elementwise(s, &add, y, 2, in);
    else if (a->limited)
        elementwise(s, &alone, y, 1, in);
}

static void finish_block(void *context, int64_t block, int64_t from, int64_t n, float *y, int thread)
{
    const struct chained_run *r = context;

    (void)block;
    (void)y;
    chain_part(&r->task, from, n, thread);
}

/* With a chain behind it: part by part, or when the result is complete. */
static void run_chained(struct step *s, const struct conv_extras *a, const struct forward *f, float *y, void *memory,
                        void *scratch)
{
    const struct product *p = &f->product;
    struct epilogue e = epilogue_of(s, a, !p->fits);
    struct chained_run r;

    chained_begin(&r, s, &f->chained, a->chain, CONV_CHAIN, y, memory);
    if (!f->chained.behind) {
        e.finish = finish_block;
        e.context = &r;
    }
    if (p->fits) {
        conv_last_run(&p->c, s->pool, s->in[X]->data, s->in[W]->data, packed_weights(s, p, s->in[W]->data), &e, y,
                      scratch);
    } else {
        forward_planes(s, p, scratch, y);
        finish_apart(s, a, &p->shape, y, NULL);
    }
    chained_end(&r, s, a->chain);
}

static void record_moments(const struct step *s, const struct conv_shape *shape, int64_t block, int64_t n,
                           const float *y)
{
    const int64_t channels = shape->out_channels;
    double *const records = s->out[CONV_MOMENTS]->data;

    norm_block_moments(s->k, n / channels, channels, y, records + block * norm_record(channels));
}

static void moments_of_block(void *context, int64_t block, int64_t from, int64_t n, float *y, int thread)
{
    const struct step *s = context;
    const struct forward *f = s->plan;

    (void)from;
    (void)thread;
    record_moments(s, &f->product.shape, block, n, y);
}

/* The result's channels to where they belong among those of the output. */
static void move_part(struct step *s, const struct conv_extras *a, const struct conv_shape *shape, const float *result)
{
    const int64_t pixels = shape->batch * shape->out[0] * shape->out[1];
    const int64_t part[] = { pixels, shape->out_channels }, whole[] = { pixels, a->into_channels };

    move_box(s->k, s->pool, sizeof *result, 2, part, part, 0, result, whole, a->into_at, s->out[0]->data);
}

bool conv_last_step(struct step *s, const struct conv_extras *a)
{
    const struct forward *f = s->plan;
    const struct product *p = &f->product;
    const bool apart = f->apart || !p->fits;
    struct epilogue e = epilogue_of(s, a, apart);
    char *const result = scratch_at(s, p->packed), *const memory = scratch_at(s, p->packed + f->result);
    char *const scratch = scratch_at(s, p->packed + f->result + f->chained.scratch);
    float *y = f->result ? (void *)result : (float *)s->out[0]->data + a->into_at;

    if (!tensor_count(s->out[0]))
        return true;
    if (a->chain) {
        run_chained(s, a, f, y, memory, scratch);
        return true;
    }
    if (s->out[CONV_MOMENTS] && !apart) {
        e.finish = moments_of_block;
        e.context = s;
    }
    e.pixel = f->moved ? 0 : a->into_channels;
    if (p->fits)
        conv_last_run(&p->c, s->pool, s->in[X]->data, s->in[W]->data, packed_weights(s, p, s->in[W]->data), &e, y,
                      scratch);
    else
        forward_planes(s, p, scratch, y);
    if (apart)
        finish_apart(s, a, &p->shape, y, a->into_channels ? NULL : s->out[0]);
    if (f->moved)
        move_part(s, a, &p->shape, y);
    if (s->out[CONV_MOMENTS] && !p->fits)
        record_moments(s, &p->shape, 0, tensor_count(s->out[0]), s->out[0]->data);
    return true;
}

/* -- differentiate -- */

struct backward_plan {
    struct product dx, dw;
};

static struct reduce_shape bias_shape(const struct tensor *dy)
{
    struct reduce_shape s;

    reduce_shape_of(&s, dy, ((uint32_t)1 << (dy->rank - 1)) - 1);
    return s;
}

bool conv_last_grad_infer(struct infer *i)
{
    const struct conv_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, GRAD_X), *w = typed_in(i, GRAD_W), planes = layout_onnx(true, x);
    struct backward_plan *p = infer_plan(i, sizeof *p);
    struct conv_shape s;
    size_t bytes = 0;

    if (!p || !conv_shape_read(i, a, &planes, w, &s) || !set_out(i, X, x->dtype, x->rank, x->dims) ||
        !set_out(i, W, w->dtype, w->rank, w->dims) || !set_out(i, B, w->dtype, 1, w->dims))
        return false;
    if (typed_out(i, X)) {
        plan_product(i, &p->dx, &s, CONV_DX, GRAD_W);
        bytes = p->dx.packed + p->dx.scratch;
    }
    if (typed_out(i, W)) {
        plan_product(i, &p->dw, &s, CONV_DW, GRAD_W);
        bytes = p->dw.scratch > bytes ? p->dw.scratch : bytes;
    }
    if (typed_out(i, B)) {
        const struct reduce_shape b = bias_shape(typed_in(i, GRAD_Y));

        bytes = reduce_scratch(&b) > bytes ? reduce_scratch(&b) : bytes;
    }
    need_scratch(i, bytes);
    return true;
}

static void dx_planes(const struct step *s, const struct product *p)
{
    char *const dx = s->scratch, *const dy = dx + bytes_of(&p->shape, true);

    to_planes(s, &p->shape, false, s->in[GRAD_Y]->data, dy);
    conv_dx(s->k, s->pool, &p->shape, F32, dy, s->in[GRAD_W]->data, NULL, dx, dy + bytes_of(&p->shape, false));
    from_planes(s, &p->shape, true, dx, s->out[X]->data);
}

static void dw_planes(const struct step *s, const struct product *p)
{
    char *const x = s->scratch, *const dy = x + bytes_of(&p->shape, true);

    to_planes(s, &p->shape, true, s->in[GRAD_X]->data, x);
    to_planes(s, &p->shape, false, s->in[GRAD_Y]->data, dy);
    conv_dw(s->k, s->pool, &p->shape, F32, x, dy, s->out[W]->data, dy + bytes_of(&p->shape, false));
}

bool conv_last_grad_step(struct step *s)
{
    static const struct epilogue plain = { .least = -INFINITY, .most = INFINITY };
    const struct backward_plan *p = s->plan;
    const struct tensor *x = s->in[GRAD_X], *w = s->in[GRAD_W], *dy = s->in[GRAD_Y];

    float *const db = s->out[B] ? s->out[B]->data : NULL;
    const bool along = s->out[W] && p->dw.fits;

    if (db && !along) {
        const struct reduce_shape b = bias_shape(dy);

        reduce(s->k, s->pool, &b, REDUCE_SUM, F32, dy->data, db, s->scratch);
    }
    if (along)
        conv_last_dw(&p->dw.c, s->pool, x->data, dy->data, s->out[W]->data, db, s->scratch);
    else if (s->out[W])
        dw_planes(s, &p->dw);
    if (s->out[X] && p->dx.fits)
        conv_last_run(&p->dx.c, s->pool, dy->data, w->data, packed_weights(s, &p->dx, w->data), &plain, s->out[X]->data,
                      scratch_at(s, p->dx.packed));
    else if (s->out[X])
        dx_planes(s, &p->dx);
    return true;
}

/* -- telling -- */

static const char *name_of(const struct product *p)
{
    return p->fits ? conv_last_name(&p->c) : "by planes";
}

void conv_last_tell(const struct node *n, const struct conv_extras *a, const void *plan, struct text *out)
{
    const struct forward *f = plan;

    text_printf(out, "%s", name_of(&f->product));
    if (n->inputs > CONV_RESIDUAL && n->in[CONV_RESIDUAL])
        text_printf(out, ", Add");
    if (a->limited && a->least == 0 && a->most == INFINITY)
        text_printf(out, ", Relu");
    else if (a->limited)
        text_printf(out, ", Clip");
    if (n->slots > CONV_MOMENTS && n->out[CONV_MOMENTS])
        text_printf(out, ", moments");
    if (a->into_channels)
        text_printf(out, ", Concat of %lld channels from %lld on", (long long)a->into_channels, (long long)a->into_at);
    if (a->chain)
        chained_tell(&f->chained, a->chain, ", ", out);
}

void conv_last_grad_tell(const struct node *n, const void *plan, struct text *out)
{
    const struct backward_plan *p = plan;
    const char *comma = "";

    if (n->out[X] && p->dx.scratch + p->dx.packed) {
        text_printf(out, "dX %s", name_of(&p->dx));
        comma = ", ";
    }
    if (n->out[W])
        text_printf(out, "%sdW %s", comma, name_of(&p->dw));
}
