/* NormBlock, private: BatchNormalization in training, MaxPool and an activation as one.
 *
 *   Z = scale * (X - mean) / sqrt(var + epsilon) + B      per channel, the last axis; mean and var are the batch's
 *   Y = act(max over windows of 2x2, stride 2, of Z)      the maximum and act only where asked for
 *   running = momentum * running + (1 - momentum) * batch
 *
 * With g = dL/dZ, which is act' * dY where a Z was the maximum (the first of equal ones) and 0 elsewhere,
 *   dB = sum g      dscale = sum g * xhat      dX = scale * invstd * (g - dB / n - xhat * dscale / n).
 *
 * The moments, where they are given, are those that whoever made X has taken of it, in records (kernels/norm_block.h).
 *
 * The backward pass makes Z again from X, or from the X that were the maximum (`best`): neither Z nor Y is kept for it.
 * Without normalisation Z is X; best is then Y itself, as far as Relu lets it through and with it a gradient. */
#include "ops/norm_block.h"
#include "base/text.h"
#include "kernels/norm.h"
#include "kernels/norm_block.h"
#include "ops/compute.h"
#include "ops/elementwise.h"
#include "ops/registry.h"

enum { X, SCALE, BIAS, MEAN, VAR, MOMENTS };                     /* inputs */
enum { Y, RUNNING_MEAN, RUNNING_VAR, BATCH_MEAN, INVSTD, BEST }; /* outputs; hidden ones from BATCH_MEAN on */
enum { GRAD_Y, GRAD_X, GRAD_BEST, GRAD_SCALE, GRAD_B, GRAD_MEAN, GRAD_INVSTD }; /* inputs of the gradient */

bool norm_block_act(const struct formula *act, struct numbers numbers, bool pool)
{
    return act->rises && (!pool || act->rises(numbers));
}

/* -- plan -- */

static struct norm_block block_of(const struct norm_block_attrs *a, const struct tensor *x)
{
    struct norm_block b = {
        .channels = x->dims[x->rank - 1], .normal = a->normal, .pool = a->pool, .act = a->act, .numbers = a->numbers
    };

    b.images = a->pool ? x->dims[0] : dims_product(x->dims, 0, x->rank - 1);
    b.height = a->pool ? x->dims[1] : 1;
    b.width = a->pool ? x->dims[2] : 1;
    return b;
}

static size_t statistic_bytes(const struct norm_block *b)
{
    return aligned((size_t)b->channels * sizeof(float));
}
static int64_t rows_of(const struct norm_block *b)
{
    return b->images * b->height * b->width;
}

static bool check(struct infer *i, const struct norm_block_attrs *a, const struct tensor *x)
{
    const struct norm_block b = block_of(a, x);

    if (x->rank < 2 || (a->pool && x->rank != 4) || !norm_block_fits(&b))
        return infer_error(i, "'X' cannot be normalised and pooled in one");
    for (int k = SCALE; k <= VAR && a->normal; k++) {
        const struct tensor *t = typed_in(i, k);

        if (!t || t->rank != 1 || t->dims[0] != b.channels)
            return infer_error(i, "input %d must have shape [%lld], one value for each channel of 'X'", k,
                               (long long)b.channels);
    }
    return true;
}

static bool infer(struct infer *i)
{
    const struct norm_block_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    int64_t dims[MAX_RANK];
    struct norm_block b;

    if (!check(i, a, x))
        return false;
    b = block_of(a, x);
    for (int d = 0; d < x->rank; d++)
        dims[d] = a->pool && (d == 1 || d == 2) ? x->dims[d] / 2 : x->dims[d];
    if (!set_out(i, Y, F32, x->rank, dims) || (a->pool && !set_out(i, BEST, F32, x->rank, dims)))
        return false;
    if (!a->pool)
        may_reuse(i, Y, X);
    if (!a->normal)
        return true;
    for (int k = RUNNING_MEAN; k <= INVSTD; k++)
        if (!set_out(i, k, F32, 1, &b.channels))
            return false;
    next_state(i, RUNNING_MEAN, MEAN);
    next_state(i, RUNNING_VAR, VAR);
    need_scratch(i, 3 * statistic_bytes(&b) + norm_moments_scratch(rows_of(&b), b.channels) + norm_block_scratch(&b));
    return true;
}

/* -- run -- */

static float *statistic(const struct step *s, int out, const struct norm_block *b, char **scratch)
{
    float *const p = (float *)*scratch;

    *scratch += statistic_bytes(b);
    return s->out[out] ? s->out[out]->data : p;
}
static void update(const struct step *s, int out, int in, int64_t channels, const float *batch)
{
    const struct norm_block_attrs *a = s->attrs;

    if (s->out[out])
        running_update(F32, channels, s->in[in]->data, batch, (double)a->momentum, s->out[out]->data);
}
static void statistics(const struct step *s, const struct norm_block *b, float *mean, float *invstd, char *scratch)
{
    const struct norm_block_attrs *a = s->attrs;
    float *const var = (float *)scratch;

    if (s->node->inputs > MOMENTS && s->in[MOMENTS])
        norm_moments_join(s->in[MOMENTS]->dims[0], b->channels, s->in[MOMENTS]->data, rows_of(b), mean, var);
    else
        norm_moments(s->k, s->pool, rows_of(b), b->channels, s->in[X]->data, mean, var, scratch + statistic_bytes(b));
    update(s, RUNNING_MEAN, MEAN, b->channels, mean);
    update(s, RUNNING_VAR, VAR, b->channels, var);
    inverse_std(F32, b->channels, var, (double)a->epsilon, invstd);
}

static bool run(struct step *s)
{
    const struct norm_block_attrs *a = s->attrs;
    const struct norm_block b = block_of(a, s->in[X]);
    struct norm_parameters p = { 0 };
    char *scratch = s->scratch;

    if (a->normal) {
        float *const mean = statistic(s, BATCH_MEAN, &b, &scratch), *const invstd = statistic(s, INVSTD, &b, &scratch);

        if (!rows_of(&b))
            return step_error(s, "'X' has no values in a channel, training needs at least 1");
        statistics(s, &b, mean, invstd, scratch);
        p = (struct norm_parameters){ s->in[SCALE]->data, s->in[BIAS]->data, mean, invstd };
    }
    if (s->out[Y])
        norm_block_forward(s->k, s->pool, &b, &p, s->in[X]->data, s->out[Y]->data,
                           s->out[BEST] ? s->out[BEST]->data : NULL, scratch);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    const struct norm_block_attrs *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, GRAD_X);
    const struct norm_block b = block_of(a, x);

    if (!set_out(i, X, F32, x->rank, x->dims))
        return false;
    for (int k = SCALE; k <= BIAS && a->normal; k++)
        if (!set_out(i, k, F32, 1, &b.channels))
            return false;
    if (!a->pool)
        may_reuse(i, X, GRAD_Y);
    need_scratch(i, norm_block_grad_scratch(&b));
    return true;
}

static float *data_of(const struct tensor *t)
{
    return t ? t->data : NULL;
}
static bool grad_run(struct step *s)
{
    const struct norm_block b = block_of(s->attrs, s->in[GRAD_X]);
    const struct norm_parameters p = { data_of(s->in[GRAD_SCALE]), data_of(s->in[GRAD_B]), data_of(s->in[GRAD_MEAN]),
                                       data_of(s->in[GRAD_INVSTD]) };

    norm_block_backward(s->k, s->pool, &b, &p, true, s->in[GRAD_Y]->data, s->in[GRAD_X]->data,
                        data_of(s->in[GRAD_BEST]), data_of(s->out[X]), data_of(s->out[SCALE]), data_of(s->out[BIAS]),
                        s->scratch);
    return true;
}

static const struct op op_grad = {
    .name = "NormBlockGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X, T best?, T scale?, T B?, T mean?, T invstd? -> T dX?, T dscale?, T dB?",
              .types = "T: f32",
              .attrs_size = sizeof(struct norm_block_attrs),
              .infer = grad_infer,
              .run = grad_run,
              .no_gradient = "second derivatives are not supported" },
            { 0 },
        },
};

static struct value *best_of(struct backward *b, const struct norm_block_attrs *a)
{
    if (!a->pool)
        return NULL;
    return forward_out(b, !a->normal && (!a->act || a->act == formula_of(&op_relu)) ? Y : BEST);
}

static bool gradient(struct backward *b)
{
    const struct norm_block_attrs *a = attrs_of(b);
    struct value *d[BIAS + 1], *in[GRAD_INVSTD + 1] = { 0 };
    bool want[BIAS + 1];

    if (!upstream(b, Y))
        return backward_ok(b);
    in[GRAD_Y] = upstream(b, Y);
    in[GRAD_X] = forward_in(b, X);
    in[GRAD_BEST] = best_of(b, a);
    if (a->normal) {
        in[GRAD_SCALE] = forward_in(b, SCALE);
        in[GRAD_B] = forward_in(b, BIAS);
        in[GRAD_MEAN] = forward_out(b, BATCH_MEAN);
        in[GRAD_INVSTD] = forward_out(b, INVSTD);
    }
    for (int k = X; k <= BIAS; k++)
        want[k] = wants(b, k);
    emit_private(emitter_of(b), &op_grad, a, BIAS + 1, d, want, GRAD_INVSTD + 1, in);
    for (int k = X; k <= BIAS; k++)
        if (want[k])
            give(b, k, d[k]);
    return backward_ok(b);
}

/* Before or behind the activation, the maximum is the same. */
static void describe(const struct node *n, const void *plan, struct text *out)
{
    const struct norm_block_attrs *a = n->attrs;

    (void)plan;
    text_printf(out, "%s%s%s%s%s", a->normal ? "BatchNormalization" : "", a->normal && a->pool ? ", " : "",
                a->pool ? "MaxPool" : "", a->act && (a->normal || a->pool) ? ", " : "", a->act ? a->act_name : "");
}

const struct op norm_block_op = {
    .name = "NormBlock",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X, T scale?, T B?, T input_mean?, T input_var?, M moments? -> "
                           "T Y, T running_mean?, T running_var?",
              .types = "T: f32; M: f64",
              .attrs_size = sizeof(struct norm_block_attrs),
              .infer = infer,
              .run = run,
              .gradient = gradient,
              .describe = describe,
              .hidden = 3 },
            { 0 },
        },
};
