/* BatchNormalization, https://onnx.ai/onnx/operators/onnx__BatchNormalization.html; Ioffe and Szegedy, arXiv:1502.03167
 *
 *   y = scale * (x - mean) / sqrt(var + epsilon) + bias          per channel (axis 1; a vector is one channel)
 *
 * Inference uses the running statistics it is given. Training uses those of the batch (population variance, over every
 * axis but 1) and running = momentum * running + (1 - momentum) * batch.
 *
 * With n values a channel, xhat = (x - mean) * invstd and g = dL/dy, the gradient in training is
 *   dbias = sum g      dscale = sum g * xhat      dx = scale * invstd * (g - dbias / n - xhat * dscale / n);
 * in inference (a frozen layer) mean and var are inputs like others, so
 *   dx = scale * invstd * g      dmean = -scale * invstd * dbias      dvar = -scale * invstd^2 * dscale / 2.
 * A gradient of the statistics that training makes adds dmean / n + dvar * 2 * (x - mean) / n to dx. All is computed in
 * float, or in double where x is double. */
#include "ops/batch_normalization.h"
#include "base/text.h"
#include "kernels/norm.h"
#include "ops/compute.h"
#include "ops/elementwise.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include "ops/rows.h"

enum { X, SCALE, BIAS, MEAN, VAR };                           /* inputs */
enum { Y, RUNNING_MEAN, RUNNING_VAR, SAVED_MEAN, SAVED_VAR }; /* outputs; the saved ones before opset 14 only */
enum { GRAD_Y, GRAD_X, GRAD_SCALE, GRAD_MEAN, GRAD_INVSTD };  /* inputs of the gradient; its outputs are as X to VAR */

/* The first hidden output: the mean that was used, then 1 / sqrt(var + epsilon), for the gradient. */
static int kept_of(const struct batch_norm *a)
{
    return a->has_saved ? SAVED_VAR + 1 : RUNNING_VAR + 1;
}

/* -- read -- */

static bool parse_common(struct parse *p, struct batch_norm *a)
{
    a->epsilon = attr_float(p, "epsilon", 1e-5f);
    a->momentum = attr_float(p, "momentum", 0.9f);
    if (!(a->epsilon >= 0))
        return parse_error(p, "epsilon is %g, must be at least 0", (double)a->epsilon);
    return true;
}

static bool parse_14(struct parse *p, void *attrs)
{
    struct batch_norm *a = attrs;

    a->training = attr_int(p, "training_mode", 0) != 0;
    if (outputs_written(p) != (a->training ? 3 : 1))
        return parse_error(p, "%d outputs, must be %d with training_mode %d", outputs_written(p), a->training ? 3 : 1,
                           a->training);
    return parse_common(p, a);
}

/* Before 14 a node with more than one output trained, and two further outputs could hold the batch's own statistics. */
static bool parse_9(struct parse *p, void *attrs)
{
    struct batch_norm *a = attrs;

    a->has_saved = true;
    a->training = outputs_written(p) > 1;
    return parse_common(p, a);
}

static bool parse_7(struct parse *p, void *attrs)
{
    struct batch_norm *a = attrs;

    a->each = attr_int(p, "spatial", 1) == 0;
    return parse_9(p, attrs);
}

/* Until opset 6 the file said whether it was for testing. */
static bool parse_6(struct parse *p, void *attrs)
{
    const bool is_test = attr_int(p, "is_test", 0) != 0;

    if (is_test && outputs_written(p) > 1)
        return parse_error(p, "%d outputs, must be 1 with is_test 1", outputs_written(p));
    return parse_7(p, attrs);
}

static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    const struct batch_norm *a = n->attrs;

    return !a->training && rows_of_first(n, types, rows);
}

static void train(void *attrs)
{
    struct batch_norm *a = attrs;

    a->training = true;
    a->has_saved = false;
}

/* -- plan -- */

static bool channels_last(const struct node *n, int rank, void *attrs)
{
    struct batch_norm *a = attrs;

    (void)n;
    (void)rank;
    a->channels_last = !a->each;
    return a->channels_last;
}

static struct norm_shape shape_of(const struct batch_norm *a, const struct tensor *x)
{
    struct norm_shape n = { x->rank ? x->dims[0] : 1, x->rank > 1 ? x->dims[1] : 1, 1 };

    if (a->channels_last) /* each place is an image of one */
        return (struct norm_shape){ dims_product(x->dims, 0, x->rank - 1), x->dims[x->rank - 1], 1 };
    for (int d = 2; d < x->rank; d++)
        *(a->each ? &n.channels : &n.spatial) *= x->dims[d];
    return n;
}

static bool check_statistic(struct infer *i, const struct batch_norm *a, int k, int64_t channels)
{
    const struct tensor *x = typed_in(i, X), *t = typed_in(i, k);
    bool right = t->rank == 1 && t->dims[0] == channels;

    if (a->each && x->rank > 2) {
        right = t->rank == x->rank - 1;
        for (int d = 0; right && d < t->rank; d++)
            right = t->dims[d] == x->dims[d + 1];
    }
    if (right)
        return true;
    if (a->each)
        return infer_error(i, "input %d must have the shape of an image of 'X', %lld values", k, (long long)channels);
    return infer_error(i, "input %d must have shape [%lld], one value for each channel of 'X'", k, (long long)channels);
}

/* The larger of what one of these needs at a time. */
static size_t update_bytes(int64_t channels)
{
    return 3 * aligned((size_t)channels * sizeof(double));
}

static size_t scratch_of(struct infer *i, const struct norm_shape *n, enum dtype compute)
{
    const size_t statistic = aligned((size_t)n->channels * dtype_size(compute));
    size_t bytes = 3 * statistic + update_bytes(n->channels) + aligned(batch_moments_scratch(n, compute));

    for (int k = X; k <= VAR; k++)
        bytes += compute_bytes(typed_in(i, k), compute);
    return bytes;
}

static int rank(const struct node *n, int k)
{
    return known_input(n, k == Y ? X : MEAN).rank;
}

static bool infer(struct infer *i)
{
    const struct batch_norm *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X), *mean = typed_in(i, MEAN);
    const struct norm_shape n = shape_of(a, x);
    const enum dtype compute = dtype_compute(x->dtype);

    if (x->rank < 1)
        return infer_error(i, "'X' is a scalar, must have at least 1 dimension");
    for (int k = SCALE; k <= VAR; k++)
        if (!check_statistic(i, a, k, n.channels))
            return false;
    if (!set_out(i, Y, x->dtype, x->rank, x->dims))
        return false;
    for (int k = RUNNING_MEAN; k < kept_of(a) + 2; k++)
        if (!set_out(i, k, k < kept_of(a) ? mean->dtype : compute, mean->rank, mean->dims))
            return false;
    may_reuse(i, Y, X);
    if (a->training) {
        next_state(i, RUNNING_MEAN, MEAN);
        next_state(i, RUNNING_VAR, VAR);
    }
    need_scratch(i, scratch_of(i, &n, compute));
    return true;
}

/* -- run -- */

static void *take(char **scratch, size_t bytes)
{
    void *p = *scratch;

    *scratch += aligned(bytes);
    return p;
}

/* Where a statistic is computed: its hidden output, or scratch. */
static void *statistic(const struct step *s, int out, const struct norm_shape *n, enum dtype compute, char **scratch)
{
    return s->out[out] ? s->out[out]->data : take(scratch, (size_t)n->channels * dtype_size(compute));
}

/* The running statistic's own precision, not that of x. */
static void update(const struct step *s, int out, int in, float momentum, const void *batch, enum dtype compute,
                   char *scratch)
{
    const struct tensor *to = s->out[out];
    const enum dtype wide = to ? dtype_compute(to->dtype) : F32;
    const int64_t n = tensor_count(s->in[in]);
    const void *running, *value = batch;
    void *result;

    if (!to)
        return;
    running = compute_in(s->in[in], wide, &scratch);
    result = compute_out(to, wide, &scratch);
    if (wide != compute) {
        convert_floats(compute, batch, wide, scratch, n);
        value = scratch;
    }
    running_update(wide, n, running, value, (double)momentum, result);
    compute_store(to, wide, result);
}

static void save(const struct step *s, int out, const void *values, enum dtype compute)
{
    if (s->out[out])
        convert_floats(compute, values, s->out[out]->dtype, s->out[out]->data, tensor_count(s->out[out]));
}

static bool run_lowered(struct step *s, const struct batch_norm *a, bool relu)
{
    const struct norm_shape n = shape_of(a, s->in[X]);
    const enum dtype compute = dtype_compute(s->in[X]->dtype);
    const int kept = kept_of(a);
    char *scratch = s->scratch;
    const void *x = compute_in(s->in[X], compute, &scratch), *scale = compute_in(s->in[SCALE], compute, &scratch);
    const void *bias = compute_in(s->in[BIAS], compute, &scratch), *mean = compute_in(s->in[MEAN], compute, &scratch);
    const void *var = compute_in(s->in[VAR], compute, &scratch);
    void *batch_mean = statistic(s, kept, &n, compute, &scratch),
         *invstd = statistic(s, kept + 1, &n, compute, &scratch);

    if (a->training) {
        void *batch_var = take(&scratch, (size_t)n.channels * dtype_size(compute));

        if (n.batch * n.spatial == 0)
            return step_error(s, "'X' has no values in a channel, training needs at least 1");
        batch_moments(s->k, s->pool, &n, compute, x, batch_mean, batch_var, scratch);
        update(s, RUNNING_MEAN, MEAN, a->momentum, batch_mean, compute, scratch);
        update(s, RUNNING_VAR, VAR, a->momentum, batch_var, compute, scratch);
        if (a->has_saved) {
            save(s, SAVED_MEAN, batch_mean, compute);
            save(s, SAVED_VAR, batch_var, compute);
        }
        mean = batch_mean;
        var = batch_var;
    } else if (s->out[kept]) {
        convert_floats(compute, mean, compute, batch_mean, n.channels);
    }
    inverse_std(compute, n.channels, var, (double)a->epsilon, invstd);
    if (s->out[Y]) {
        void *y = s->in[X]->dtype == compute ? s->out[Y]->data : s->scratch; /* over the widened x */

        batch_norm_apply(s->k, s->pool, &n, compute, x, scale, bias, mean, invstd, relu ? formula_of(&op_relu) : NULL,
                         y, scratch);
        compute_store(s->out[Y], compute, y);
    }
    return true;
}

static bool run(struct step *s)
{
    return run_lowered(s, s->attrs, false);
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct batch_norm *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, GRAD_X);
    const struct norm_shape n = shape_of(a, x);
    const enum dtype compute = dtype_compute(x->dtype);
    size_t bytes = 4 * aligned((size_t)n.channels * dtype_size(compute)) + batch_norm_grad_scratch(&n, compute);

    for (int k = X; k <= VAR; k++) {
        const struct tensor *t = typed_in(i, k == X ? GRAD_X : k <= BIAS ? GRAD_SCALE : GRAD_MEAN);

        if (!set_out(i, k, t->dtype, t->rank, t->dims))
            return false;
    }
    for (int k = GRAD_Y; k <= GRAD_INVSTD; k++)
        bytes += compute_bytes(typed_in(i, k), compute);
    may_reuse(i, X, GRAD_Y);
    need_scratch(i, bytes);
    return true;
}

/* dmean and dvar of a frozen layer, made of dbias and dscale in their place. */
static void statistics_grad_f32(int64_t channels, const void *scales, const void *invstds, void *dbias, void *dscale)
{
    const float *scale = scales, *invstd = invstds;
    float *dmean = dbias, *dvar = dscale;

    for (int64_t c = 0; c < channels; c++) {
        dmean[c] *= -scale[c] * invstd[c];
        dvar[c] *= -scale[c] * invstd[c] * invstd[c] / 2;
    }
}

static void statistics_grad_f64(int64_t channels, const void *scales, const void *invstds, void *dbias, void *dscale)
{
    const double *scale = scales, *invstd = invstds;
    double *dmean = dbias, *dvar = dscale;

    for (int64_t c = 0; c < channels; c++) {
        dmean[c] *= -scale[c] * invstd[c];
        dvar[c] *= -scale[c] * invstd[c] * invstd[c] / 2;
    }
}

static bool grad_run(struct step *s)
{
    const struct batch_norm *a = s->attrs;
    const struct norm_shape n = shape_of(a, s->in[GRAD_X]);
    const enum dtype compute = dtype_compute(s->in[GRAD_X]->dtype);
    const size_t statistic_size = (size_t)n.channels * dtype_size(compute);
    char *scratch = s->scratch;
    const void *in[GRAD_INVSTD + 1];
    void *dx = NULL, *dscale, *dbias;

    for (int k = GRAD_Y; k <= GRAD_INVSTD; k++)
        in[k] = compute_in(s->in[k], compute, &scratch);
    dscale = take(&scratch, statistic_size);
    dbias = take(&scratch, statistic_size);
    if (s->out[X]) /* over the widened dY */
        dx = s->in[GRAD_X]->dtype == compute ? s->out[X]->data : s->scratch;
    batch_norm_grad(s->k, s->pool, &n, compute, a->training, in[GRAD_Y], in[GRAD_X], in[GRAD_SCALE], in[GRAD_MEAN],
                    in[GRAD_INVSTD], dx, dscale, dbias, scratch);
    compute_store(s->out[X], compute, dx);
    save(s, SCALE, dscale, compute);
    save(s, BIAS, dbias, compute);
    if (!s->out[MEAN] && !s->out[VAR])
        return true;
    (compute == F64 ? statistics_grad_f64 : statistics_grad_f32)(n.channels, in[GRAD_SCALE], in[GRAD_INVSTD], dbias,
                                                                 dscale);
    save(s, MEAN, dbias, compute);
    save(s, VAR, dscale, compute);
    return true;
}

/* How one value for each channel lies beside X, and the dimensions of X that have no channels. */
static int beside(const struct batch_norm *a, const struct tensor *x, int64_t dims[MAX_RANK], int64_t others[MAX_RANK])
{
    int count = 0;

    for (int d = 0; d < x->rank; d++) {
        const bool own = d == (a->channels_last ? x->rank - 1 : 1) || (a->each && d > 1);

        dims[d] = own ? x->dims[d] : 1;
        if (!own)
            others[count++] = d;
    }
    return count;
}

/* The gradient in the formulas above. */
static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct batch_norm *a = n->attrs;
    const struct tensor *x = in[GRAD_X];
    const enum dtype compute = dtype_compute(x->dtype);
    const struct norm_shape shape = shape_of(a, x);
    int64_t dims[MAX_RANK], others[MAX_RANK];
    struct value *v[GRAD_INVSTD + 1], *xhat, *slope, *axes;

    axes = emit_ints(e, beside(a, x, dims, others), others);
    for (int k = GRAD_Y; k <= GRAD_INVSTD; k++) {
        v[k] = emit_cast_from(e, n->in[k], in[k]->dtype, compute);
        if (k >= GRAD_SCALE)
            v[k] = emit_reshape(e, v[k], x->rank, dims);
    }
    xhat = emit(e, "Mul", "", 2, emit(e, "Sub", "", 2, v[GRAD_X], v[GRAD_MEAN]), v[GRAD_INVSTD]);
    slope = emit(e, "Mul", "", 2, v[GRAD_SCALE], v[GRAD_INVSTD]);
    out[BIAS] = emit(e, "ReduceSum", "noop_with_empty_axes=1", 2, v[GRAD_Y], axes);
    out[SCALE] = emit(e, "ReduceSum", "noop_with_empty_axes=1", 2, emit(e, "Mul", "", 2, v[GRAD_Y], xhat), axes);
    out[X] = v[GRAD_Y];
    if (a->training) {
        struct value *both = emit(e, "Add", "", 2, out[BIAS], emit(e, "Mul", "", 2, xhat, out[SCALE]));

        both = emit(e, "Div", "", 2, both, emit_scalar(e, compute, (double)(shape.batch * shape.spatial)));
        out[X] = emit(e, "Sub", "", 2, out[X], both);
    } else {
        out[MEAN] = emit(e, "Neg", "", 1, emit(e, "Mul", "", 2, slope, out[BIAS]));
        out[VAR] = emit(e, "Mul", "", 2, emit(e, "Mul", "", 2, slope, v[GRAD_INVSTD]), out[SCALE]);
        out[VAR] = emit(e, "Mul", "", 2, out[VAR], emit_scalar(e, compute, -0.5));
    }
    out[X] = emit_cast_from(e, emit(e, "Mul", "", 2, slope, out[X]), compute, x->dtype);
    for (int k = SCALE; k <= (a->training ? BIAS : VAR); k++) {
        const struct tensor *t = in[k <= BIAS ? GRAD_SCALE : GRAD_MEAN];

        out[k] = emit_cast_from(e, emit_reshape(e, out[k], t->rank, t->dims), compute, t->dtype);
    }
    return !e->failed;
}

/* The running statistic's own precision, not that of x. */
static struct value *moved(struct emitter *e, const struct batch_norm *a, struct value *running, enum dtype dtype,
                           struct value *batch, enum dtype compute)
{
    const enum dtype wide = dtype_compute(dtype);

    running = emit(e, "Mul", "", 2, emit_cast_from(e, running, dtype, wide), emit_scalar(e, wide, (double)a->momentum));
    batch =
        emit(e, "Mul", "", 2, emit_cast_from(e, batch, compute, wide), emit_scalar(e, wide, 1 - (double)a->momentum));
    return emit_cast_from(e, emit(e, "Add", "", 2, running, batch), wide, dtype);
}

/* The formulas above, with what is kept for the gradient. */
static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct batch_norm *a = n->attrs;
    const struct tensor *x = in[X];
    const enum dtype compute = dtype_compute(x->dtype);
    const int kept = kept_of(a);
    int64_t dims[MAX_RANK], others[MAX_RANK];
    struct value *v[VAR + 1], *axes, *centred;

    axes = emit_ints(e, beside(a, x, dims, others), others);
    for (int k = X; k <= VAR; k++) {
        v[k] = emit_cast_from(e, n->in[k], in[k]->dtype, compute);
        if (k > X && (k < MEAN || !a->training))
            v[k] = emit_reshape(e, v[k], x->rank, dims);
    }
    if (a->training)
        v[MEAN] = emit(e, "ReduceMean", "noop_with_empty_axes=1", 2, v[X], axes);
    centred = emit(e, "Sub", "", 2, v[X], v[MEAN]);
    if (a->training)
        v[VAR] = emit(e, "ReduceMean", "noop_with_empty_axes=1", 2, emit(e, "Mul", "", 2, centred, centred), axes);
    for (int k = RUNNING_MEAN; a->training && k < kept; k++) {
        struct value *batch =
            emit_reshape(e, v[k == RUNNING_MEAN || k == SAVED_MEAN ? MEAN : VAR], in[MEAN]->rank, in[MEAN]->dims);

        out[k] = k > RUNNING_VAR
                     ? emit_cast_from(e, batch, compute, in[MEAN]->dtype)
                     : moved(e, a, n->in[MEAN + k - RUNNING_MEAN], in[MEAN + k - RUNNING_MEAN]->dtype, batch, compute);
    }
    out[kept] = emit_reshape(e, v[MEAN], in[MEAN]->rank, in[MEAN]->dims);
    v[VAR] = emit(e, "Add", "", 2, v[VAR], emit_scalar(e, compute, (double)a->epsilon));
    v[VAR] = emit(e, "Reciprocal", "", 1, emit(e, "Sqrt", "", 1, v[VAR]));
    out[kept + 1] = emit_reshape(e, v[VAR], in[MEAN]->rank, in[MEAN]->dims);
    out[Y] = emit(e, "Mul", "", 2, centred, emit(e, "Mul", "", 2, v[VAR], v[SCALE]));
    out[Y] = emit_cast_from(e, emit(e, "Add", "", 2, out[Y], v[BIAS]), compute, x->dtype);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "BatchNormalizationGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X, T1 scale, T2 mean, T3 invstd -> T dX?, T1 dscale?, T1 dB?, T2 dmean?, T2 dvar?",
              .types = "T: floats bf16; T1: floats bf16; T2: floats bf16; T3: floats bf16",
              .attrs_size = sizeof(struct batch_norm),
              .spell_out = spell_out,
              .infer = grad_infer,
              .run = grad_run,
              .no_gradient = "it is spelled out" },
            { 0 },
        },
};

/* v, one value for each channel, scaled, in the type of X and in a shape that broadcasts to it. */
static struct value *for_channels(struct backward *b, struct value *v, enum dtype from, double factor)
{
    const struct batch_norm *a = attrs_of(b);
    const struct tensor *x = type_in(b, X);
    struct emitter *e = emitter_of(b);
    int64_t dims[MAX_RANK], others[MAX_RANK];

    beside(a, x, dims, others);
    v = emit_reshape(e, emit_cast_from(e, v, from, x->dtype), x->rank, dims);
    return emit(e, "Mul", NULL, 2, v, emit_scalar(e, x->dtype, factor));
}

/* What a gradient of a gradient gives invstd, as what it gives the variance: times -invstd^3 / 2. */
static struct value *through_invstd(struct backward *b, struct value *g)
{
    struct emitter *e = emitter_of(b);
    struct value *invstd = forward_out(b, kept_of(attrs_of(b)) + 1);

    for (int power = 0; power < 3; power++)
        g = emit(e, "Mul", NULL, 2, g, invstd);
    return emit(e, "Mul", NULL, 2, g, emit_scalar(e, dtype_compute(type_in(b, X)->dtype), -0.5));
}

/* In inference invstd alone is made, of var. */
static void frozen_gradient(struct backward *b)
{
    const int invstd = kept_of(attrs_of(b)) + 1;

    if (upstream(b, invstd) && wants(b, VAR))
        give(b, VAR,
             emit_cast_from(emitter_of(b), through_invstd(b, upstream(b, invstd)), dtype_compute(type_in(b, X)->dtype),
                            type_in(b, VAR)->dtype));
}

/* What comes back through the statistics that training makes, if anything does: rare, so by standard nodes. */
static void statistics_gradient(struct backward *b)
{
    const struct batch_norm *a = attrs_of(b);
    const int kept = kept_of(a);
    const struct tensor *x = type_in(b, X);
    const struct norm_shape n = shape_of(a, x);
    const double values = (double)(n.batch * n.spatial), fresh = 1 - (double)a->momentum;
    struct emitter *e = emitter_of(b);

    for (int k = RUNNING_MEAN; k < kept + 2; k++) {
        const bool running = k <= RUNNING_VAR, mean = k == RUNNING_MEAN || (k < kept ? k == SAVED_MEAN : k == kept);
        const enum dtype type = k < kept ? type_in(b, MEAN)->dtype : dtype_compute(x->dtype);
        struct value *g = upstream(b, k), *centred;

        if (!g)
            continue;
        if (running && wants(b, mean ? MEAN : VAR))
            give(b, mean ? MEAN : VAR, emit(e, "Mul", NULL, 2, g, emit_scalar(e, type, (double)a->momentum)));
        if (!wants(b, X))
            continue;
        if (k == kept + 1)
            g = through_invstd(b, g);
        g = for_channels(b, g, type, (running ? fresh : 1) * (mean ? 1 : 2) / values);
        if (mean) {
            give(b, X, emit(e, "Expand", NULL, 2, g, emit_ints(e, x->rank, x->dims)));
            continue;
        }
        centred = for_channels(b, forward_out(b, kept_of(a)), dtype_compute(x->dtype), 1);
        centred = emit(e, "Sub", NULL, 2, forward_in(b, X), centred);
        give(b, X, emit(e, "Mul", NULL, 2, centred, g));
    }
}

/* One private node, because both reductions and dX share passes over X and G. */
static bool gradient(struct backward *b)
{
    const struct batch_norm *a = attrs_of(b);
    const int outputs = a->training ? BIAS + 1 : VAR + 1;
    struct value *d[VAR + 1], *in[GRAD_INVSTD + 1];
    bool want[VAR + 1];

    if (a->training)
        statistics_gradient(b);
    else
        frozen_gradient(b);
    if (!upstream(b, Y))
        return backward_ok(b);
    in[GRAD_Y] = upstream(b, Y);
    in[GRAD_X] = forward_in(b, X);
    in[GRAD_SCALE] = forward_in(b, SCALE);
    in[GRAD_MEAN] = a->training ? forward_out(b, kept_of(a)) : forward_in(b, MEAN);
    in[GRAD_INVSTD] = forward_out(b, kept_of(a) + 1);
    for (int k = X; k < outputs; k++)
        want[k] = wants(b, k);
    emit_private(emitter_of(b), &op_grad, a, outputs, d, want, GRAD_INVSTD + 1, in);
    for (int k = X; k < outputs; k++)
        if (want[k])
            give(b, k, d[k]);
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, SCALE, "scale", "ones", NULL },
    { PARAMETER_TRAINS, BIAS, "bias", "zeros", NULL },
    { PARAMETER_IS_STATISTIC, MEAN, "running mean", "zeros", NULL },
    { PARAMETER_IS_STATISTIC, VAR, "running variance", "ones", NULL },
    { 0 },
};

/* -- lowered -- */

/* Where its channels lie last it is of float32. */
static bool take_relu(const struct node *n, void *attrs)
{
    struct batch_norm_lowered *a = attrs;

    (void)n;
    if (!a->norm.channels_last || a->norm.training)
        return false;
    a->relu = true;
    return true;
}

static bool lowered_run(struct step *s)
{
    const struct batch_norm_lowered *a = s->attrs;

    return run_lowered(s, &a->norm, a->relu);
}

static void describe(const struct node *n, const void *plan, struct text *out)
{
    const struct batch_norm_lowered *a = n->attrs;

    (void)plan;
    if (a->relu)
        text_printf(out, "Relu");
}

#define SINCE_15  "T X, T1 scale, T1 B, T2 input_mean, T2 input_var -> T Y, T2 running_mean?, T2 running_var?"
#define TYPES_15  "T: floats bf16; T1: floats bf16; T2: floats bf16"
#define SINCE_14  "T X, T scale, T B, U input_mean, U input_var -> T Y, U running_mean?, U running_var?"
#define TYPES_14  "T: floats bf16; U: floats bf16"
#define BEFORE_14 "T X, T scale, T B, T mean, T var -> T Y, T mean?, T var?, T saved_mean?, T saved_var?"

#define LOWERED_ROW(version, inputs_outputs, type_list)                                                                \
    {                                                                                                                  \
        .since = version, .signature = inputs_outputs, .types = type_list,                                             \
        .attrs_size = sizeof(struct batch_norm_lowered), .rank = rank, .infer = infer, .run = lowered_run,             \
        .hidden = 2, .batch_independent = batch_independent, .take_relu = take_relu, .describe = describe,             \
        .no_gradient = "is made where no gradient is taken any more"                                                   \
    }

static const struct op op_lowered = {
    .name = "BatchNormalization",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            LOWERED_ROW(15, SINCE_15, TYPES_15),
            LOWERED_ROW(14, SINCE_14, TYPES_14),
            LOWERED_ROW(1, BEFORE_14, "T: floats"),
            { 0 },
        },
};

/* -- test -- */

enum { LEARNED = 1 << X | 1 << SCALE | 1 << BIAS, ALL = LEARNED | 1 << MEAN | 1 << VAR };

#define FROZEN                                                                                                         \
    { "f64[2,3,4,5] f64[3] f64[3] f64[3] f64[3]+", "epsilon=1e-3", "f64[2,3,4,5]", ALL },                              \
        { "f32[2,3,4,5] f32[3] f32[3] f32[3] f32[3]+", "", "f32[2,3,4,5]", LEARNED },                                  \
        { "f64[6] f64[1] f64[1] f64[1] f64[1]+", "", "f64[6]", 1 << X }, /* a vector: one channel */                   \
        { "f32[0,3,4] f32[3] f32[3] f32[3] f32[3]+", "", "f32[0,3,4]", 0 },                                            \
    {                                                                                                                  \
        "f16[2,3,4] f16[3] f16[3] f16[3] f16[3]+", "", "f16[2,3,4]", 0                                                 \
    }
#define TRAINED(mode)                                                                                                  \
    { "f64[4,3,2,2] f64[3] f64[3] f64[3] f64[3]+", mode "momentum=.99", "f64[4,3,2,2] f64[3] f64[3]", LEARNED },       \
        { "f32[5,7] f32[7] f32[7] f32[7] f32[7]+", mode, "f32[5,7] f32[7] f32[7]",                                     \
          LEARNED },                                                                    /* after a Dense layer */      \
        { "f32[1,3] f32[3] f32[3] f32[3] f32[3]+", mode, "f32[1,3] f32[3] f32[3]", 0 }, /* a batch of one */           \
        { "f32[3,70,9] f32[70] f32[70] f32[70] f32[70]+", mode, "f32[3,70,9] f32[70] f32[70]", 1 << SCALE },           \
    {                                                                                                                  \
        "f16[2,3,4] f16[3] f16[3] f16[3] f16[3]+", mode, "f16[2,3,4] f16[3] f16[3]", 0                                 \
    }

static const struct op_case cases_7[] = {
    FROZEN,
    TRAINED(""),
    { "f64[4,3,2] f64[3,2] f64[3,2] f64[3,2] f64[3,2]+", "spatial=0", "f64[4,3,2]", ALL },
    { "f64[4,3,2] f64[3,2] f64[3,2] f64[3,2] f64[3,2]+", "spatial=0", "f64[4,3,2] f64[3,2] f64[3,2]", LEARNED },
    { 0 },
};
static const struct op_case cases_6[] = {
    FROZEN,
    TRAINED("is_test=0 "),
    { "f64[4,3,2] f64[3,2] f64[3,2] f64[3,2] f64[3,2]+", "spatial=0 is_test=1", "f64[4,3,2]", ALL },
    { 0 },
};
static const struct op_case cases_9[] = {
    FROZEN,
    TRAINED(""),
    { "f64[4,3,2] f64[3] f64[3] f64[3] f64[3]+", "", "f64[4,3,2] f64[3] f64[3] f64[3] f64[3]", LEARNED },
    { 0 },
};
static const struct op_case cases_14[] = {
    FROZEN,
    TRAINED("training_mode=1 "),
    { "bf16[2,3,4] bf16[3] bf16[3] f32[3] f32[3]+", "training_mode=1", "bf16[2,3,4] f32[3] f32[3]", 0 },
    { 0 },
};
static const struct op_case cases_15[] = {
    FROZEN,
    TRAINED("training_mode=1 "),
    { "f16[2,3,4] f32[3] f32[3] f32[3] f32[3]+", "training_mode=1", "f16[2,3,4] f32[3] f32[3]", 0 },
    { "f32[2,3,4] f16[3] f16[3] f64[3] f64[3]+", "training_mode=1", "f32[2,3,4] f64[3] f64[3]", 0 },
    { "f64[2,3,4] f32[3] f32[3] f16[3] f16[3]+", "", "f64[2,3,4]", 0 },
    { 0 },
};

#define ROW(version, inputs_outputs, type_list, parser, case_list)                                                     \
    {                                                                                                                  \
        .since = version, .signature = inputs_outputs, .types = type_list, .attrs_size = sizeof(struct batch_norm),    \
        .parse = parser, .rank = rank, .infer = infer, .run = run, .gradient = gradient, .train = train,               \
        .training_outputs = 3, .plain = plain, .hidden = 2, .channels_last = channels_last,                            \
        .batch_independent = batch_independent, .parameters = parameters, .cases = case_list                           \
    }
const struct op op_batch_normalization = {
    .name = "BatchNormalization",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(15, SINCE_15, TYPES_15, parse_14, cases_15),
            ROW(14, SINCE_14, TYPES_14, parse_14, cases_14),
            ROW(9, BEFORE_14, "T: floats", parse_9, cases_9),
            ROW(7, BEFORE_14, "T: floats", parse_7, cases_7),
            ROW(6, BEFORE_14, "T: floats", parse_6, cases_6),
            ROW(1, BEFORE_14, "T: floats", parse_6, cases_6),
            { 0 },
        },
    .lowered = &op_lowered,
};
