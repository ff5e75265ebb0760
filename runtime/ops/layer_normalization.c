/* LayerNormalization, https://onnx.ai/onnx/operators/onnx__LayerNormalization.html; Ba, Kiros and Hinton,
 * arXiv:1607.06450
 *
 *   xhat = (x - mean) * invstd          mean and invstd = 1 / sqrt(var + epsilon) over the dimensions from `axis` on
 *   Y = xhat * Scale + B                Scale and B broadcast to X
 *
 * It is computed in float, or in double where X is double; stash_type is but the type of the outputs Mean and
 * InvStdDev. With g = dL/dY * Scale and n values a row, dx = invstd * (g - sum g / n - xhat * sum(g * xhat) / n).
 *
 * Version 1 is onnxruntime's, whose optimisers write it into files of opsets before 17: X may have a type of its own, and is
 * cast to that of Scale.
 *
 * The kernel knows a Scale with one value for each normalised element. Any other is multiplied by standard nodes in the
 * gradient. */
#include "kernels/norm.h"
#include "ops/compute.h"
#include "ops/expansion.h"
#include "ops/move.h"
#include "ops/normalised.h"
#include "ops/rank.h"
#include <stdio.h>
#include <string.h>

enum { X, SCALE, BIAS }; /* inputs */
enum {
    Y,
    MEAN,
    INVSTD,
    KEPT_MEAN,
    KEPT_INVSTD,
    OUTPUTS
}; /* outputs; the last two are hidden and have the type of computation */
enum { GRAD_Y, GRAD_X, GRAD_SCALE, GRAD_MEAN, GRAD_INVSTD }; /* inputs of the gradient; Scale may be left out, as 1 */

struct layer_norm_attrs {
    int64_t axis;
    float epsilon;
    enum dtype stash;
};

/* -- read -- */

static bool read_attrs(struct parse *p, struct layer_norm_attrs *a, enum dtype other_stash)
{
    const int64_t stash = attr_int(p, "stash_type", F32);

    a->axis = attr_int(p, "axis", -1);
    a->stash = (enum dtype)stash;
    if (stash != F32 && stash != (int64_t)other_stash)
        return parse_error(p, "stash_type is %lld, must be %d (float) or %d (%s)", (long long)stash, F32,
                           (int)other_stash, dtype_name(other_stash));
    return epsilon_parse(p, &a->epsilon, 1e-5f);
}

static bool parse(struct parse *p, void *attrs)
{
    return read_attrs(p, attrs, BF16);
}

static bool parse_1(struct parse *p, void *attrs)
{
    return read_attrs(p, attrs, F64);
}

/* -- plan -- */

struct rows {
    int axis;
    int64_t rows, n;
    enum dtype compute;
};

static struct rows rows_of(const struct layer_norm_attrs *a, const struct tensor *x)
{
    const int axis = wrap_axis(a->axis, x->rank);

    return (struct rows){ axis, dims_product(x->dims, 0, axis), dims_product(x->dims, axis, x->rank),
                          dtype_compute(x->dtype) };
}

/* Does t vary with the normalised dimensions alone, as the kernel wants it, apart from being broadcast among them? */
static bool is_row(const struct tensor *t, const struct tensor *x, int axis)
{
    for (int d = 0; d < t->rank - (x->rank - axis); d++)
        if (t->dims[d] != 1)
            return false;
    return true;
}

static bool is_whole_row(const struct tensor *t, const struct rows *r)
{
    return tensor_count(t) == r->n;
}

static bool check_broadcast(struct infer *i, int k)
{
    const struct tensor *x = typed_in(i, X), *t = typed_in(i, k);
    bool fits = !t || t->rank <= x->rank;

    for (int d = 0; t && fits && d < t->rank; d++)
        fits = t->dims[d] == 1 || t->dims[d] == x->dims[x->rank - t->rank + d];
    return fits || infer_error(i, "'%s' does not broadcast to 'X'", k == SCALE ? "Scale" : "B");
}

/* Can the kernel take both, if need be made as long as a row? */
static bool by_rows(const struct tensor *x, const struct tensor *scale, const struct tensor *bias, int axis)
{
    return is_row(scale, x, axis) && (!bias || is_row(bias, x, axis));
}

/* Scratch for Scale or B: converted, then made as long as a row, or as large as X. */
static size_t operand_bytes(const struct tensor *t, const struct tensor *x, const struct rows *r, bool rows)
{
    return compute_bytes(t, r->compute) + aligned((size_t)(rows ? r->n : tensor_count(x)) * dtype_size(r->compute));
}

static bool infer(struct infer *i)
{
    const struct layer_norm_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    int64_t dims[MAX_RANK];
    size_t bytes;
    struct rows r;
    bool rows;

    if (wrap_axis(a->axis, x->rank) < 0)
        return infer_error(i, "axis is %lld, must be in [%d, %d)", (long long)a->axis, -x->rank, x->rank);
    if (!check_broadcast(i, SCALE) || !check_broadcast(i, BIAS))
        return false;
    r = rows_of(a, x);
    for (int d = 0; d < x->rank; d++)
        dims[d] = d < r.axis ? x->dims[d] : 1;
    if (!set_out(i, Y, x->dtype, x->rank, x->dims))
        return false;
    for (int k = MEAN; k < OUTPUTS; k++)
        if (!set_out(i, k, k < KEPT_MEAN ? a->stash : r.compute, x->rank, dims))
            return false;
    rows = by_rows(x, typed_in(i, SCALE), typed_in(i, BIAS), r.axis);
    bytes = compute_bytes(x, r.compute) + aligned((size_t)tensor_count(x) * dtype_size(r.compute));
    bytes += 2 * aligned((size_t)r.rows * dtype_size(r.compute)) + aligned((size_t)r.n * dtype_size(r.compute));
    for (int k = SCALE; k <= BIAS; k++)
        if (typed_in(i, k))
            bytes += operand_bytes(typed_in(i, k), x, &r, rows);
    need_scratch(i, bytes);
    return true;
}

/* -- run -- */

/* t broadcast to the last dimensions of x, from `axis` on. */
static const void *spread(struct step *s, const struct tensor *t, const void *values, int axis, enum dtype compute,
                          char **scratch)
{
    const struct tensor *x = s->in[X];
    struct move m = { .size = dtype_size(compute), .rank = x->rank - axis };
    void *to = *scratch;
    int64_t stride = 1;

    move_strides(m.rank, x->dims + axis, m.out);
    for (int d = m.rank - 1, k = t->rank - 1; d >= 0; d--, k--) {
        m.dims[d] = x->dims[axis + d];
        m.in[d] = k < 0 || t->dims[k] == 1 ? 0 : stride;
        stride *= k < 0 ? 1 : t->dims[k];
    }
    *scratch += aligned((size_t)dims_product(x->dims, axis, x->rank) * dtype_size(compute));
    move_run(s->k, s->pool, &m, values, to);
    return to;
}

/* Scale or B as one row, or as large as X. */
static const void *operand(struct step *s, int k, const struct rows *r, bool rows, char **scratch)
{
    const struct tensor *t = s->in[k];
    const void *values = compute_in(t, r->compute, scratch);

    if (!t || (rows && is_whole_row(t, r)))
        return values;
    return spread(s, t, values, rows ? r->axis : 0, r->compute, scratch);
}

static const void *ones_of(struct step *s, const struct rows *r, char *to)
{
    const double wide = 1;
    const float narrow = 1;

    move_fill(s->pool, dtype_size(r->compute), r->compute == F64 ? (const void *)&wide : &narrow, r->n, to);
    return to;
}

/* y = y * scale + bias, all as large as y. */
static void scale_all(struct step *s, enum dtype compute, const void *scale, const void *bias, void *result, int64_t n)
{
    const double *p = scale, *q = bias;
    double *y = result;

    if (compute == F32) {
        s->k->map->mul(result, scale, result, n);
        if (bias)
            s->k->map->add(result, bias, result, n);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        y[k] = y[k] * p[k] + (bias ? q[k] : 0);
}

static bool run(struct step *s)
{
    const struct layer_norm_attrs *a = s->attrs;
    const struct tensor *x = s->in[X];
    const struct rows r = rows_of(a, x);
    const bool rows = by_rows(x, s->in[SCALE], s->in[BIAS], r.axis);
    const size_t statistic = aligned((size_t)r.rows * dtype_size(r.compute));
    char *scratch = s->scratch;
    void *mean = s->out[KEPT_MEAN] ? s->out[KEPT_MEAN]->data : scratch;
    void *invstd = s->out[KEPT_INVSTD] ? s->out[KEPT_INVSTD]->data : scratch + statistic;
    const void *values, *scale, *bias;
    void *y;

    scratch += 2 * statistic;
    values = compute_in(x, r.compute, &scratch);
    y = s->out[Y] && s->out[Y]->dtype == r.compute ? s->out[Y]->data : scratch;
    scratch += aligned((size_t)tensor_count(x) * dtype_size(r.compute));
    scale = operand(s, SCALE, &r, rows, &scratch);
    bias = operand(s, BIAS, &r, rows, &scratch);
    layer_norm(s->k, s->pool, r.compute, r.rows, r.n, values, rows ? scale : ones_of(s, &r, scratch),
               rows ? bias : NULL, (double)a->epsilon, y, mean, invstd);
    if (!rows)
        scale_all(s, r.compute, scale, bias, y, tensor_count(x));
    compute_store(s->out[Y], r.compute, y);
    if (s->out[MEAN])
        convert_floats(r.compute, mean, a->stash, s->out[MEAN]->data, r.rows);
    if (s->out[INVSTD])
        convert_floats(r.compute, invstd, a->stash, s->out[INVSTD]->data, r.rows);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, GRAD_X), *scale = typed_in(i, GRAD_SCALE);
    const struct rows r = rows_of(infer_attrs(i), x);
    const size_t row = aligned((size_t)r.n * dtype_size(r.compute));
    size_t bytes = compute_bytes(x, r.compute) * 3 + row * 3 + layer_norm_grad_scratch(r.compute, r.rows, r.n);

    need_scratch(i, bytes + compute_bytes(scale, r.compute));
    may_reuse(i, 0, GRAD_Y);
    if (!set_out(i, 0, x->dtype, x->rank, x->dims))
        return false;
    return !scale || (set_out(i, 1, x->dtype, 1, &r.n) && set_out(i, 2, x->dtype, 1, &r.n));
}

static bool grad_run(struct step *s)
{
    const struct tensor *x = s->in[GRAD_X];
    const struct rows r = rows_of(s->attrs, x);
    const size_t row = aligned((size_t)r.n * dtype_size(r.compute));
    char *scratch = s->scratch;
    const void *dy = compute_in(s->in[GRAD_Y], r.compute, &scratch), *values = compute_in(x, r.compute, &scratch);
    const void *scale = compute_in(s->in[GRAD_SCALE], r.compute, &scratch);
    void *dx = compute_out(s->out[0], r.compute, &scratch);
    void *dscale = compute_out(s->out[1], r.compute, &scratch), *dbias = compute_out(s->out[2], r.compute, &scratch);

    if (!scale) {
        scale = ones_of(s, &r, scratch);
        scratch += row;
    }
    layer_norm_grad(s->k, s->pool, r.compute, r.rows, r.n, dy, values, scale, s->in[GRAD_MEAN]->data,
                    s->in[GRAD_INVSTD]->data, dx, dscale, dbias, scratch);
    compute_store(s->out[0], r.compute, dx);
    compute_store(s->out[1], r.compute, dscale);
    compute_store(s->out[2], r.compute, dbias);
    return true;
}

/* The gradient in the formulas above. */
static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    static const char over[] = "noop_with_empty_axes=1";
    const struct tensor *x = in[GRAD_X];
    const struct rows r = rows_of(n->attrs, x);
    struct value *dy = emit_cast_from(e, n->in[GRAD_Y], x->dtype, r.compute), *g = dy, *xhat, *of_rows, *of_all;
    int64_t axes[MAX_RANK];

    for (int d = 0; d < x->rank; d++)
        axes[d] = d;
    of_rows = emit_ints(e, x->rank - r.axis, axes + r.axis);
    of_all = emit_ints(e, r.axis, axes);
    xhat = emit(e, "Sub", "", 2, emit_cast_from(e, n->in[GRAD_X], x->dtype, r.compute), n->in[GRAD_MEAN]);
    xhat = emit(e, "Mul", "", 2, xhat, n->in[GRAD_INVSTD]);
    if (in[GRAD_SCALE]) {
        struct value *scale = emit_cast_from(e, n->in[GRAD_SCALE], x->dtype, r.compute);

        g = emit(e, "Mul", "", 2, dy, emit_reshape(e, scale, x->rank - r.axis, x->dims + r.axis));
        out[1] = emit(e, "ReduceSum", over, 2, emit(e, "Mul", "", 2, dy, xhat), of_all);
        out[2] = emit(e, "ReduceSum", over, 2, dy, of_all);
    }
    out[0] = emit(e, "ReduceMean", over, 2, emit(e, "Mul", "", 2, g, xhat), of_rows);
    out[0] = emit(e, "Add", "", 2, emit(e, "ReduceMean", over, 2, g, of_rows), emit(e, "Mul", "", 2, xhat, out[0]));
    out[0] = emit(e, "Mul", "", 2, emit(e, "Sub", "", 2, g, out[0]), n->in[GRAD_INVSTD]);
    out[0] = emit_cast_from(e, out[0], r.compute, x->dtype);
    for (int k = 1; k <= 2 && in[GRAD_SCALE]; k++)
        out[k] = emit_cast_from(e, emit_reshape(e, out[k], 1, &r.n), r.compute, x->dtype);
    return !e->failed;
}

/* The formulas above, with what is kept for the gradient. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct layer_norm_attrs *a = n->attrs;
    const struct tensor *x = in[X];
    const struct rows r = rows_of(a, x);
    int64_t axes[MAX_RANK];
    struct value *of_rows, *centred, *y, *spread;

    for (int d = 0; d < x->rank; d++)
        axes[d] = d;
    of_rows = emit_ints(e, x->rank - r.axis, axes + r.axis);
    y = emit_cast_from(e, n->in[X], x->dtype, r.compute);
    out[KEPT_MEAN] = emit(e, "ReduceMean", "", 2, y, of_rows);
    centred = emit(e, "Sub", "", 2, y, out[KEPT_MEAN]);
    spread = emit(e, "ReduceMean", "", 2, emit(e, "Mul", "", 2, centred, centred), of_rows);
    spread = emit(e, "Sqrt", "", 1, emit(e, "Add", "", 2, spread, emit_scalar(e, r.compute, (double)a->epsilon)));
    out[KEPT_INVSTD] = emit(e, "Reciprocal", "", 1, spread);
    y = emit(e, "Mul", "", 2, centred, out[KEPT_INVSTD]);
    for (int k = SCALE; k <= BIAS; k++)
        if (k < n->inputs && n->in[k])
            y = emit(e, k == SCALE ? "Mul" : "Add", "", 2, y, emit_cast_from(e, n->in[k], in[k]->dtype, r.compute));
    out[Y] = emit_cast_from(e, y, r.compute, x->dtype);
    for (int k = MEAN; k <= INVSTD; k++)
        out[k] = emit_cast_from(e, out[k == MEAN ? KEPT_MEAN : KEPT_INVSTD], r.compute, a->stash);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "LayerNormalizationGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X, T scale?, S mean, S invstd -> T dX?, T dscale?, T dB?",
              .types = "T: floats bf16; S: f32 f64",
              .attrs_size = sizeof(struct layer_norm_attrs),
              .spell_out = spell_out,
              .infer = grad_infer,
              .run = grad_run,
              .no_gradient = "it is spelled out" },
            { 0 },
        },
};

/* x - mean, and xhat, in the type of X. */
static struct value *centred(struct emitter *e, const struct tensor *x, struct value *const *in)
{
    return emit(e, "Sub", NULL, 2, in[GRAD_X], emit_cast_from(e, in[GRAD_MEAN], dtype_compute(x->dtype), x->dtype));
}

/* What comes back through the outputs Mean, dMean / n for each element of the row, and InvStdDev, -dInvStdDev *
 * invstd^3 * (x - mean) / n; through those that are kept, too, in a gradient of a gradient. */
static void statistics_gradient(struct backward *b, struct value *const *in)
{
    struct emitter *e = emitter_of(b);
    const struct layer_norm_attrs *a = attrs_of(b);
    const struct tensor *x = type_in(b, X);
    const struct rows r = rows_of(a, x);

    for (int k = MEAN; k < OUTPUTS; k++) {
        const bool mean = k == MEAN || k == KEPT_MEAN;
        struct value *g = upstream(b, k), *invstd;

        if (!g)
            continue;
        g = emit_cast_from(e, g, k < KEPT_MEAN ? a->stash : r.compute, x->dtype);
        g = emit(e, "Mul", NULL, 2, g, emit_scalar(e, x->dtype, (mean ? 1 : -1) / (double)r.n));
        if (mean) {
            give(b, X, emit(e, "Expand", NULL, 2, g, emit_ints(e, x->rank, x->dims)));
            continue;
        }
        invstd = emit_cast_from(e, in[GRAD_INVSTD], r.compute, x->dtype);
        for (int power = 0; power < 3; power++)
            g = emit(e, "Mul", NULL, 2, g, invstd);
        give(b, X, emit(e, "Mul", NULL, 2, centred(e, x, in), g));
    }
}

static bool has_whole_rows(struct backward *b)
{
    const struct tensor *x = type_in(b, X), *scale = type_in(b, SCALE), *bias = type_in(b, BIAS);
    const struct rows r = rows_of(attrs_of(b), x);

    return by_rows(x, scale, bias, r.axis) && is_whole_row(scale, &r) && (!bias || is_whole_row(bias, &r));
}

static struct value *reshaped(struct emitter *e, struct value *v, const struct tensor *like)
{
    return v ? emit_reshape(e, v, like->rank, like->dims) : NULL;
}

/* Scale and B of any shape: dX from dY * Scale, dScale from dY * xhat, dB from dY, the broadcast dimensions summed
 * away. */
static bool general_gradient(struct backward *b, struct value *const *in)
{
    struct emitter *e = emitter_of(b);
    const struct tensor *x = type_in(b, X);
    struct value *g = emit(e, "Mul", NULL, 2, in[GRAD_Y], forward_in(b, SCALE)), *d;
    const bool want[] = { true };

    emit_private(e, &op_grad, attrs_of(b), 1, &d, want, 5,
                 (struct value *[]){ g, in[GRAD_X], NULL, in[GRAD_MEAN], in[GRAD_INVSTD] });
    give(b, X, d);
    if (wants(b, SCALE)) {
        struct value *invstd = emit_cast_from(e, in[GRAD_INVSTD], dtype_compute(x->dtype), x->dtype);

        g = emit(e, "Mul", NULL, 2, centred(e, x, in), invstd);
        give_unbroadcast(b, SCALE, emit(e, "Mul", NULL, 2, in[GRAD_Y], g));
    }
    if (type_in(b, BIAS) && wants(b, BIAS))
        give_unbroadcast(b, BIAS, in[GRAD_Y]);
    return backward_ok(b);
}

static bool gradient(struct backward *b)
{
    struct value *d[3], *in[GRAD_INVSTD + 1];
    const bool want[] = { wants(b, X), wants(b, SCALE), type_in(b, BIAS) && wants(b, BIAS) };

    in[GRAD_Y] = upstream(b, Y);
    in[GRAD_X] = forward_in(b, X);
    in[GRAD_SCALE] = forward_in(b, SCALE);
    in[GRAD_MEAN] = forward_out(b, KEPT_MEAN);
    in[GRAD_INVSTD] = forward_out(b, KEPT_INVSTD);
    if (wants(b, X))
        statistics_gradient(b, in);
    if (!in[GRAD_Y])
        return backward_ok(b);
    if (!has_whole_rows(b))
        return general_gradient(b, in);
    emit_private(emitter_of(b), &op_grad, attrs_of(b), 3, d, want, GRAD_INVSTD + 1, in);
    give(b, X, d[X]);
    if (want[SCALE])
        give(b, SCALE, reshaped(emitter_of(b), d[SCALE], type_in(b, SCALE)));
    if (want[BIAS])
        give(b, BIAS, reshaped(emitter_of(b), d[BIAS], type_in(b, BIAS)));
    return backward_ok(b);
}

/* -- version 1, as the newest -- */

static bool expand_1(struct emitter *e, const struct node *n, struct value **out)
{
    const struct layer_norm_attrs *a = n->attrs;
    const enum dtype dtype = known_input(n, X).dtype;
    struct value *in[] = { n->in[X], n->in[SCALE], given(n, BIAS) };
    char attrs[64];

    if (dtype == UNDEFINED || dtype != known_input(n, SCALE).dtype)
        in[X] = emit(e, "CastLike", "", 2, n->in[X], n->in[SCALE]);
    snprintf(attrs, sizeof attrs, "axis=%lld epsilon=%.9e", (long long)a->axis, (double)a->epsilon);
    if (!emit_many(e, "LayerNormalization", attrs, n->out[MEAN] || n->out[INVSTD] ? 3 : 1, out, 3, in))
        return false;
    for (int k = MEAN; a->stash != F32 && k <= INVSTD; k++)
        if (n->out[k])
            out[k] = emit_cast(e, out[k], a->stash);
    return !e->failed;
}

static enum dtype told_1(const struct node *n, int k)
{
    return k == Y ? known_input(n, SCALE).dtype : ((const struct layer_norm_attrs *)n->attrs)->stash;
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, SCALE, "scale", "ones", NULL },
    { PARAMETER_TRAINS, BIAS, "bias", "zeros", NULL },
    { 0 },
};

/* -- test -- */

enum { ALL = 1 << X | 1 << SCALE | 1 << BIAS };

static const struct op_case cases[] = {
    { "f64[3,4,5] f64[5] f64[5]", "", "f64[3,4,5]", ALL },
    { "f64[3,4,5] f64[4,5]", "axis=1 epsilon=1e-3", "f64[3,4,5]", 1 << X | 1 << SCALE },
    { "f64[3,4,5] f64[1,4,5] f64[4,5]", "axis=-2", "f64[3,4,5] f32[3,1,1] f32[3,1,1]", ALL },
    { "f64[3,4,5] f64[5] f64[4,1]", "axis=1", "f64[3,4,5]", ALL },  /* broadcast within a row */
    { "f64[3,4,5] f64[3,1,1] f64[]", "axis=1", "f64[3,4,5]", ALL }, /* a scale for each row */
    { "f64[4,5] f64[4,5]", "axis=0", "f64[4,5]", 1 << X | 1 << SCALE },
    { "f32[7,33] f32[33] f32[33]", "", "f32[7,33] f32[7,1] f32[7,1]", ALL },
    { "f32[0,5] f32[5] f32[5]", "", "f32[0,5]", 0 },
    { "f16[3,5] f16[5] f16[5]", "stash_type=1", "f16[3,5] f32[3,1] f32[3,1]", 0 },
    { "bf16[3,5] bf16[5]", "stash_type=16", "bf16[3,5] bf16[3,1] bf16[3,1]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "f64[3,4,5] f64[4,5] f64[4,5]", "axis=1 epsilon=1e-3", "f64[3,4,5]", ALL },
    { "f64[3,5] f64[5]", "stash_type=11", "f64[3,5]", 0 },
    { "f16[3,5] f32[5]", "", "f32[3,5] f32[3,1] f32[3,1]", 0 },
    { "bf16[3,5] bf16[5] bf16[5]", "stash_type=1", "bf16[3,5]", 0 },
    { "f32[0,5] f32[5] f32[5]", "", "f32[0,5]", 0 },
    { 0 },
};

const struct op op_layer_normalization = {
    .name = "LayerNormalization",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 17,
              .signature = "T X, T Scale, T B? -> T Y, U Mean?, U InvStdDev?",
              .types = "T: floats bf16; U: f32 bf16",
              .attrs_size = sizeof(struct layer_norm_attrs),
              .parse = parse,
              .rank = rank_of_input,
              .infer = infer,
              .run = run,
              .gradient = gradient,
              .plain = plain,
              .hidden = 2,
              .parameters = parameters,
              .cases = cases },
            { .since = 1,
              .signature = "T X, V Scale, V B? -> V Y, U Mean?, U InvStdDev?",
              .types = "T: floats bf16; V: floats bf16; U: f32 f64",
              .attrs_size = sizeof(struct layer_norm_attrs),
              .parse = parse_1,
              .dtype = told_1,
              .expand = expand_1,
              .cases = cases_1 },
            { 0 },
        },
};
