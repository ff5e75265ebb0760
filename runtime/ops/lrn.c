/* LRN, https://onnx.ai/onnx/operators/onnx__LRN.html
 *
 *   y[c] = x[c] * s[c]^-beta
 *   s[c] = bias + alpha / size * sum of x[j]^2, j from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2)
 *
 * across channels (axis 1), at one place each. With p[j] = dy[j] * x[j] * s[j]^(-beta - 1), the gradient is
 *
 *   dx[c] = dy[c] * s[c]^-beta - 2 * alpha * beta / size * x[c] * sum of p[j] over all j whose window holds c
 *
 * It computes s again rather than keep it. Powers are exp(-beta * log s): within some 1e-6 in float. */
#include "ops/lrn.h"
#include "kernels/kernels.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/elementwise.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/rows.h"
#include "ops/widen.h"
#include <math.h>
#include <stdio.h>

enum { GRAD_Y, GRAD_X }; /* inputs of the gradient */
enum { TILE = 256 };     /* places that are computed together */

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct lrn *a = attrs;

    a->alpha = attr_float(p, "alpha", 1e-4f);
    a->beta = attr_float(p, "beta", .75f);
    a->bias = attr_float(p, "bias", 1);
    if (!attr_given(p, "size"))
        return parse_error(p, "attribute 'size' is missing");
    a->size = attr_int(p, "size", 1);
    return a->size > 0 || parse_error(p, "size is %lld, must be at least 1", (long long)a->size);
}

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct lrn *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = true;
    return true;
}

/* -- plan -- */

struct places { /* x [batch, channels, spatial] */
    int64_t batch, channels, spatial, tiles;
    int64_t before, after; /* channels of a window beside its own */
};

static struct places places_of(const struct lrn *a, const struct tensor *x)
{
    struct places p = { .batch = x->dims[0], .channels = x->dims[1], .spatial = dims_product(x->dims, 2, x->rank) };

    p.tiles = p.spatial / TILE + (p.spatial % TILE != 0);
    p.before = (a->size - 1) / 2;
    p.after = a->size - 1 - p.before;
    return p;
}

/* Scratch of a thread: s^-beta and, for the gradient, p of all channels of a tile. */
static size_t slice_of(const struct places *p, enum dtype compute, int arrays)
{
    return (size_t)arrays * aligned((size_t)(p->channels * TILE) * dtype_size(compute));
}

static bool infer_like(struct infer *i, const struct tensor *x, int inputs, int arrays)
{
    const struct lrn *a = infer_attrs(i);
    const enum dtype compute = dtype_compute(x->dtype);
    struct places p;
    size_t bytes;

    if (x->rank < 2)
        return infer_error(i, "'X' has %d dimensions, must have at least 2", x->rank);
    if (a->channels_last) {
        need_scratch(i, lrn_last_scratch(a, x, infer_threads(i)));
        return set_out(i, 0, x->dtype, x->rank, x->dims);
    }
    p = places_of(a, x);
    bytes = (size_t)infer_threads(i) * slice_of(&p, compute, arrays);
    need_scratch(i, bytes + (size_t)(inputs + 1) * compute_bytes(x, compute));
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

static bool infer(struct infer *i)
{
    return infer_like(i, typed_in(i, 0), 1, 1);
}

static bool grad_infer(struct infer *i)
{
    return infer_like(i, typed_in(i, GRAD_X), 2, 2);
}

/* -- run -- */

struct lrn_job {
    const struct lrn *a;
    const struct kernels *k;
    const struct pool *pool;
    struct places p;
    const void *x, *dy;
    void *to;
    char *scratch;
    size_t slice;
};

/* power[i] = s^exponent of n places of one channel. */
static void power_f32(const struct lrn_job *j, const float *x, int64_t c, int64_t n, float exponent, float *power)
{
    const int64_t from = c > j->p.before ? c - j->p.before : 0;
    const int64_t to = j->p.channels - 1 - c > j->p.after ? c + j->p.after : j->p.channels - 1;
    const float *at = x + from * j->p.spatial;

    j->k->map->mul(at, at, power, n);
    for (int64_t w = from + 1; w <= to; w++) {
        at += j->p.spatial;
        for (int64_t i = 0; i < n; i++)
            power[i] += at[i] * at[i];
    }
    j->k->map->affine(power, power, n, j->a->alpha / (float)j->a->size, j->a->bias);
    formula_of_1(formula_of(&op_log), j->k, (struct numbers){ 0 }, power, power, n);
    j->k->map->affine(power, power, n, exponent, 0);
    formula_of_1(formula_of(&op_exp), j->k, (struct numbers){ 0 }, power, power, n);
}

static void power_f64(const struct lrn_job *j, const double *x, int64_t c, int64_t n, double exponent, double *power)
{
    const int64_t from = c > j->p.before ? c - j->p.before : 0;
    const int64_t to = j->p.channels - 1 - c > j->p.after ? c + j->p.after : j->p.channels - 1;

    for (int64_t i = 0; i < n; i++) {
        double sum = 0;

        for (int64_t w = from; w <= to; w++)
            sum += x[w * j->p.spatial + i] * x[w * j->p.spatial + i];
        power[i] = pow((double)j->a->bias + (double)j->a->alpha / (double)j->a->size * sum, exponent);
    }
}

#define LRN(f) f##_f32
#define T      float
#include "ops/lrn_body.h"

#define LRN(f) f##_f64
#define T      double
#include "ops/lrn_body.h"

static void run_tiles(struct step *s, struct lrn_job *j, void (*tile)(void *, int64_t, int))
{
    pool_run(s->pool, j->p.channels ? j->p.batch * j->p.tiles : 0, tile, j);
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];
    const enum dtype compute = dtype_compute(x->dtype);
    struct lrn_job j = { .a = s->attrs, .k = s->k, .pool = s->pool, .p = places_of(s->attrs, x) };
    char *scratch = s->scratch;

    if (j.a->channels_last) {
        lrn_last(s, x, NULL, s->out[0]);
        return true;
    }
    j.slice = slice_of(&j.p, compute, 1);
    j.x = compute_in(x, compute, &scratch);
    j.to = compute_out(s->out[0], compute, &scratch);
    j.scratch = scratch;
    run_tiles(s, &j, compute == F64 ? forward_f64 : forward_f32);
    compute_store(s->out[0], compute, j.to);
    return true;
}

/* Each element reads its window, and the gradient reads two. */
static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    const struct lrn *a = n->attrs;
    const struct tensor *x = in[n->inputs - 1];
    const int64_t channels = x->dims[a->channels_last ? x->rank - 1 : 1];

    (void)out;
    c->flops = 2 * n->inputs * cost_count(x) * (double)(a->size < channels ? a->size : channels);
}

/* -- differentiate -- */

static bool grad_run(struct step *s)
{
    const struct tensor *x = s->in[GRAD_X];
    const enum dtype compute = dtype_compute(x->dtype);
    struct lrn_job j = { .a = s->attrs, .k = s->k, .pool = s->pool, .p = places_of(s->attrs, x) };
    char *scratch = s->scratch;

    if (j.a->channels_last) {
        lrn_last(s, x, s->in[GRAD_Y], s->out[0]);
        return true;
    }
    j.slice = slice_of(&j.p, compute, 2);
    j.x = compute_in(x, compute, &scratch);
    j.dy = compute_in(s->in[GRAD_Y], compute, &scratch);
    j.to = compute_out(s->out[0], compute, &scratch);
    j.scratch = scratch;
    run_tiles(s, &j, compute == F64 ? backward_f64 : backward_f32);
    compute_store(s->out[0], compute, j.to);
    return true;
}

/* What was seen by a window of some channels before and behind, summed and divided by how many they are. */
static struct value *averages(struct emitter *e, const struct lrn *a, struct value *x, int64_t before, int64_t after)
{
    char text[128];

    if (a->channels_last)
        snprintf(text, sizeof text, "kernel_shape=[1,%lld] pads=[0,%lld,0,%lld] count_include_pad=1",
                 (long long)(before + after + 1), (long long)before, (long long)after);
    else
        snprintf(text, sizeof text, "kernel_shape=[%lld,1] pads=[%lld,0,%lld,0] count_include_pad=1",
                 (long long)(before + after + 1), (long long)before, (long long)after);
    return emit(e, "AveragePool", text, 1, x);
}

/* x^exponent */
static struct value *power(struct emitter *e, struct value *x, enum dtype dtype, double exponent)
{
    return emit(e, "Pow", "", 2, x, emit_scalar(e, dtype, exponent));
}

static struct value *times(struct emitter *e, struct value *x, struct value *y)
{
    return emit(e, "Mul", "", 2, x, y);
}

/* Channels are a dimension of an image, windows those of AveragePool, no wider than all channels. */
static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct lrn *a = n->attrs;
    const struct tensor *x = in[GRAD_X];
    const enum dtype compute = dtype_compute(x->dtype);
    const int64_t channels = x->dims[a->channels_last ? x->rank - 1 : 1], most = channels ? channels - 1 : 0;
    const int64_t places = dims_product(x->dims, a->channels_last ? 1 : 2, x->rank - a->channels_last);
    const int64_t image[] = { x->dims[0], 1, a->channels_last ? places : channels,
                              a->channels_last ? channels : places };
    const int64_t before = lesser((a->size - 1) / 2, most), after = lesser(a->size - 1 - (a->size - 1) / 2, most);
    const double alpha = (double)a->alpha * (double)(before + after + 1) / (double)a->size, beta = (double)a->beta;
    struct value *dy = emit_widened(e, emit_reshape(e, n->in[GRAD_Y], 4, image), x->dtype, WIDEN_HALVES);
    struct value *v = emit_widened(e, emit_reshape(e, n->in[GRAD_X], 4, image), x->dtype, WIDEN_HALVES);
    struct value *s = times(e, averages(e, a, times(e, v, v), before, after), emit_scalar(e, compute, alpha)), *p, *d;

    s = emit(e, "Add", "", 2, s, emit_scalar(e, compute, (double)a->bias));
    p = times(e, times(e, dy, v), power(e, s, compute, -beta - 1));
    d = times(e, times(e, v, averages(e, a, p, after, before)), emit_scalar(e, compute, 2 * alpha * beta));
    d = emit(e, "Sub", "", 2, times(e, dy, power(e, s, compute, -beta)), d);
    d = emit_reshape(e, d, x->rank, x->dims);
    out[0] = emit_narrowed(e, d, n->in[GRAD_X], x->dtype, WIDEN_HALVES);
    return out[0];
}

static const struct op op_grad = {
    .name = "LRNGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X -> T dX",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct lrn),
              .infer = grad_infer,
              .run = grad_run,
              .cost = cost,
              .spell_out = spell_out,
              .no_gradient = "is a gradient itself" },
            { 0 },
        },
};

static bool gradient(struct backward *b)
{
    struct value *d;

    emit_private(emitter_of(b), &op_grad, attrs_of(b), 1, &d, NULL, 2,
                 (struct value *[]){ upstream(b, 0), forward_in(b, 0) });
    give(b, 0, d);
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,5,3,2]", "size=3 alpha=.9", "f64[2,5,3,2]", 1 },                                                          \
        { "f64[2,4,3]", "size=2 alpha=.5 beta=.6 bias=2.0", "f64[2,4,3]", 1 },                                         \
        { "f32[1,3,20,20]", "size=5", "f32[1,3,20,20]", 1 }, { "f64[2,3,2]", "size=9 alpha=.3", "f64[2,3,2]", 1 },     \
        { "f32[2,0,3]", "size=3", "f32[2,0,3]", 0 },                                                                   \
    {                                                                                                                  \
        "f16[2,5,3]", "size=3", "f16[2,5,3]", 0                                                                        \
    }

static const struct op_case cases[] = { CASES, { 0 } };
static const struct op_case newest[] = { CASES, { "bf16[2,5,3]", "size=4", "bf16[2,5,3]", 0 }, { 0 } };

#define ROW(version, type_list, case_list)                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = type_list, .attrs_size = sizeof(struct lrn),             \
        .parse = parse, .rank = rank_of_input, .infer = infer, .run = run, .gradient = gradient,                       \
        .channels_last = channels_last, .batch_independent = rows_of_first, .cost = cost, .cases = case_list           \
    }

const struct op op_lrn = {
    .name = "LRN",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "T: floats bf16", newest), ROW(1, "T: floats", cases), { 0 } },
};
