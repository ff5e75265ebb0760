/* CausalConvWithState, https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
 *
 *   x = past_state, then input                     along the last dimension; k - 1 zeros where there is no past
 *   output[t] = bias + sum over j < k of weight[j] * x[t + j]      for each sample and channel by itself
 *   present_state = the last k - 1 of x
 *
 * and Swish behind it where `activation` says so: a node of its own, in float for the halves. The convolution is a
 * private node. With g = dL/doutput
 *
 *   dx[i] = sum over j of weight[j] * g[i - j], and dL/dpresent_state where that is
 *   dweight[j] = sum over samples and t of g[t] * x[t + j]      dbias = the sum of g
 *
 * Computed in float. */
#include "kernels/kernels.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/expansion.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include "ops/widen.h"
#include <stdio.h>
#include <string.h>

enum { INPUT, WEIGHT, BIAS, PAST, INPUTS }; /* inputs */
enum { OUTPUT, PRESENT, OUTPUTS };          /* outputs */
enum { GRAD_Y = INPUTS, GRAD_PRESENT };     /* inputs of the gradient, after those (bias is not read) */
enum { JOB = JOB_ELEMENTS / 8 };            /* products of a row with all taps, at least */

/* -- the convolution, one row of one channel at a time -- */

struct rows {
    struct step *s;
    int64_t batch, channels, length, taps, each; /* rows, or channels, of a job */
    size_t row_bytes, room;                      /* of a row with its past; of a thread */
    float *sums;                                 /* of the gradient: for each weight */
    char *rooms;
};

/* A thread has a row, as much again for what is computed of it, and a number for each tap. */
static struct rows rows_of(struct step *s, const struct tensor *x, const struct tensor *w)
{
    struct rows r = { .s = s, .batch = x->dims[0], .channels = x->dims[1], .length = x->dims[2], .taps = w->dims[2] };

    r.each = 1 + JOB / greater(1, r.length * r.taps);
    r.row_bytes = aligned((size_t)(r.taps - 1 + r.length) * sizeof(float));
    r.room = 2 * r.row_bytes + aligned((size_t)r.taps * sizeof(float));
    return r;
}

struct room {
    float *x, *y, *taps;
};

static struct room room_of(const struct rows *r, int thread)
{
    char *const memory = r->rooms + (size_t)thread * r->room;

    return (struct room){ (float *)(void *)memory, (float *)(void *)(memory + r->row_bytes),
                          (float *)(void *)(memory + 2 * r->row_bytes) };
}

/* x of a row. */
static void load_row(const struct rows *r, int64_t row, float *x)
{
    const int64_t before = r->taps - 1;

    floats_in(r->s->node->inputs > PAST ? r->s->in[PAST] : NULL, row * before, before, x);
    floats_in(r->s->in[INPUT], row * r->length, r->length, x + before);
}

static void forward_rows(void *context, int64_t job, int thread)
{
    const struct rows *r = context;
    const struct step *s = r->s;
    const struct room m = room_of(r, thread);
    const struct tensor *bias = s->node->inputs > BIAS ? s->in[BIAS] : NULL;

    for (int64_t row = job * r->each; row < (job + 1) * r->each && row < r->batch * r->channels; row++) {
        const int64_t channel = row % r->channels;
        float first;

        load_row(r, row, m.x);
        floats_in(s->in[WEIGHT], channel * r->taps, r->taps, m.taps);
        floats_in(bias, channel, 1, &first);
        for (int64_t t = 0; t < r->length; t++)
            m.y[t] = first;
        for (int64_t j = 0; j < r->taps && !pool_late(s->pool); j++)
            s->k->conv->row_axpy(m.taps[j], m.x + j, 1, m.y, 1, r->length);
        floats_out(s->out[OUTPUT], row * r->length, r->length, m.y);
        floats_out(s->out[PRESENT], row * (r->taps - 1), r->taps - 1, m.x + r->length);
    }
}

static bool run(struct step *s)
{
    struct rows r = rows_of(s, s->in[INPUT], s->in[WEIGHT]);

    r.rooms = s->scratch;
    pool_run(s->pool, divide_up(r.batch * r.channels, r.each), forward_rows, &r);
    return true;
}

/* What the weights of a channel get from one sample, g = dL/doutput being in m->y. */
static float back_to_weights(const struct rows *r, int64_t row, const struct room *m, float *sums)
{
    const struct kernels *k = r->s->k;

    load_row(r, row, m->x);
    for (int64_t j = 0; j < r->taps && !pool_late(r->s->pool); j++)
        sums[j] += k->conv->row_dot(m->x + j, 1, m->y, r->length);
    return k->reduce->sum(m->y, r->length);
}

/* And its x, in m->x; dL/dpresent_state is in the last ones already. */
static void back_to_row(const struct rows *r, int64_t row, const struct room *m, const float *weights)
{
    const struct step *s = r->s;
    const int64_t before = r->taps - 1;

    memset(m->x, 0, (size_t)(before + r->length) * sizeof *m->x);
    floats_in(s->in[GRAD_PRESENT], row * before, before, m->x + r->length);
    for (int64_t j = 0; j < r->taps && !pool_late(s->pool); j++)
        s->k->conv->row_axpy(weights[j], m->y, 1, m->x + j, 1, r->length);
    floats_out(s->out[INPUT], row * r->length, r->length, m->x + before);
    floats_out(s->out[PAST], row * before, before, m->x);
}

/* All samples of a channel, in their order. */
static void back_channels(void *context, int64_t job, int thread)
{
    const struct rows *r = context;
    const struct step *s = r->s;
    const struct room m = room_of(r, thread);
    float *const sums = r->sums;

    for (int64_t c = job * r->each; c < (job + 1) * r->each && c < r->channels; c++) {
        float bias = 0;

        floats_in(s->in[WEIGHT], c * r->taps, r->taps, m.taps);
        memset(sums + c * r->taps, 0, (size_t)r->taps * sizeof *sums);
        for (int64_t row = c; row < r->batch * r->channels; row += r->channels) {
            floats_in(s->in[GRAD_Y], row * r->length, r->length, m.y);
            bias += back_to_weights(r, row, &m, sums + c * r->taps);
            back_to_row(r, row, &m, m.taps);
        }
        floats_out(s->out[WEIGHT], c * r->taps, r->taps, sums + c * r->taps);
        floats_out(s->out[BIAS], c, 1, &bias);
    }
}

static size_t sums_bytes(const struct tensor *w)
{
    return aligned((size_t)tensor_count(w) * sizeof(float));
}

static bool grad_run(struct step *s)
{
    struct rows r = rows_of(s, s->in[INPUT], s->in[WEIGHT]);

    r.sums = s->scratch;
    r.rooms = scratch_at(s, sums_bytes(s->in[WEIGHT]));
    pool_run(s->pool, divide_up(r.channels, r.each), back_channels, &r);
    return true;
}

/* -- plan -- */

static size_t scratch_of(const struct tensor *x, const struct tensor *w, int threads)
{
    return rows_of(NULL, x, w).room * (size_t)threads;
}

static bool check(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT), *w = typed_in(i, WEIGHT);
    const struct tensor *bias = typed_in(i, BIAS), *past = typed_in(i, PAST);
    char text[2][TYPE_TEXT];

    if (x->rank != 3 || w->rank != 3)
        return infer_error(i, "'input' is %s and 'weight' %s, both must have 3 dimensions", tensor_text(x, text[0]),
                           tensor_text(w, text[1]));
    if (w->dims[0] != x->dims[1] || w->dims[1] != 1 || w->dims[2] < 1)
        return infer_error(i, "'weight' is %s, must be [%lld,1,k]", tensor_text(w, text[0]), (long long)x->dims[1]);
    if (bias && (bias->rank != 1 || bias->dims[0] != x->dims[1]))
        return infer_error(i, "'bias' is %s, must have shape [%lld]", tensor_text(bias, text[0]),
                           (long long)x->dims[1]);
    if (past && (past->rank != 3 || past->dims[0] != x->dims[0] || past->dims[1] != x->dims[1] ||
                 past->dims[2] != w->dims[2] - 1))
        return infer_error(i, "'past_state' is %s, must have shape [%lld,%lld,%lld]", tensor_text(past, text[0]),
                           (long long)x->dims[0], (long long)x->dims[1], (long long)w->dims[2] - 1);
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT), *w = typed_in(i, WEIGHT);

    if (!check(i))
        return false;
    need_scratch(i, scratch_of(x, w, infer_threads(i)));
    return set_out(i, OUTPUT, x->dtype, 3, x->dims) &&
           set_out(i, PRESENT, x->dtype, 3, (int64_t[]){ x->dims[0], x->dims[1], w->dims[2] - 1 });
}

static bool grad_infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, INPUT), *w = typed_in(i, WEIGHT);

    need_scratch(i, scratch_of(x, w, infer_threads(i)) + sums_bytes(w));
    return set_out(i, INPUT, x->dtype, 3, x->dims) && set_out(i, WEIGHT, x->dtype, 3, w->dims) &&
           set_out(i, BIAS, x->dtype, 1, w->dims) &&
           set_out(i, PAST, x->dtype, 3, (int64_t[]){ x->dims[0], x->dims[1], w->dims[2] - 1 });
}

static int rank_3(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 3;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = 2 * cost_count(in[INPUT]) * (double)in[WEIGHT]->dims[2];
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    cost(n, in, out, c);
    c->flops *= 2;
}

static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    (void)types;
    return rows[INPUT] && row_whole(n, rows, WEIGHT) && row_whole(n, rows, BIAS) &&
           (n->inputs <= PAST || !n->in[PAST] || rows[PAST]);
}

/* -- differentiate -- */

/* The bias is nothing that the gradient depends on: 0. */
static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    const struct tensor *t = in[INPUT];
    const int64_t channels = t->dims[1], past = in[WEIGHT]->dims[2] - 1;
    struct value *bias = NULL, *all, *parts[2], *conv[3];
    char attrs[32];

    parts[0] = x[PAST] ? x[PAST] : emit_zeros(e, t->dtype, 3, (int64_t[]){ t->dims[0], channels, past });
    parts[1] = x[INPUT];
    if (n->out[BIAS])
        bias = emit_zeros(e, t->dtype, 1, &channels);
    all = emit(e, "Concat", "axis=2", 2, parts[0], parts[1]);
    conv[0] = emit_widened(e, all, t->dtype, WIDEN_HALVES);
    conv[1] = emit_widened(e, x[WEIGHT], t->dtype, WIDEN_HALVES);
    conv[2] = bias ? emit_widened(e, bias, t->dtype, WIDEN_HALVES) : NULL;
    snprintf(attrs, sizeof attrs, "group=%lld", (long long)channels);
    r->y[OUTPUT] = emit_narrowed(e, emit(e, "Conv", attrs, 3, conv[0], conv[1], conv[2]), all, t->dtype, WIDEN_HALVES);
    r->y[PRESENT] = emit_slice(e, all, 2, t->dims[2], t->dims[2] + past, 1);
    r->dy[OUTPUT] = GRAD_Y;
    r->dy[PRESENT] = GRAD_PRESENT;
    r->count = OUTPUTS;
    r->wrt[INPUT] = x[INPUT];
    r->wrt[WEIGHT] = x[WEIGHT];
    r->wrt[BIAS] = bias;
    r->wrt[PAST] = x[PAST];
    return !e->failed;
}

static const struct op op_grad = {
    .name = "CausalConvGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T input, T weight, T bias?, T past_state?, T doutput?, T dpresent?"
                                                    " -> T dinput?, T dweight?, T dbias?, T dpast?",
                                       .types = "T: f32 f16 bf16",
                                       .retrace = retrace,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .cost = grad_cost,
                                       .no_gradient = "it is made again" },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    struct value *const in[] = { forward_in(b, INPUT), forward_in(b, WEIGHT), NULL,
                                 forward_in(b, PAST),  upstream(b, OUTPUT),   upstream(b, PRESENT) };
    struct value *d[INPUTS];
    bool want[INPUTS];

    for (int k = 0; k < INPUTS; k++)
        want[k] = type_in(b, k) && wants(b, k);
    emit_private(emitter_of(b), &op_grad, NULL, INPUTS, d, want, 6, in);
    for (int k = 0; k < INPUTS; k++)
        if (want[k])
            give(b, k, d[k]);
    return backward_ok(b);
}

/* A depthwise layer without an activation. */
static const struct op op_causal_conv = {
    .name = "CausalConv",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature =
                                           "T input, T weight, T bias?, T past_state? -> T output, T present_state",
                                       .types = "T: f32 f16 bf16",
                                       .rank = rank_3,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cost = cost,
                                       .batch_independent = batch_independent },
                                     { 0 } },
};

/* -- read -- */

enum activation { NONE, SILU, SWISH }; /* two names of one */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "none", "silu", "swish", NULL };

    *(enum activation *)attrs = (enum activation)attr_choice(p, "activation", names, NONE);
    return true;
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const enum dtype dtype = known_input(n, INPUT).dtype;
    struct value *in[INPUTS] = { 0 }, *made[OUTPUTS], *wide;

    for (int k = 0; k < INPUTS && k < n->inputs; k++)
        in[k] = n->in[k];
    if (!emit_private(e, &op_causal_conv, NULL, OUTPUTS, made, NULL, INPUTS, in))
        return false;
    out[OUTPUT] = made[OUTPUT];
    out[PRESENT] = made[PRESENT];
    if (*(const enum activation *)n->attrs == NONE)
        return true;
    wide = emit_widened(e, made[OUTPUT], dtype, WIDEN_HALVES);
    out[OUTPUT] = emit_narrowed(e, emit(e, "Swish", "", 1, wide), made[OUTPUT], dtype, WIDEN_HALVES);
    return out[OUTPUT];
}

static struct fans fans(const struct node *n, int input, const struct tensor *t)
{
    (void)n;
    (void)input;
    return (struct fans){ (double)t->dims[2], (double)t->dims[2] };
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, WEIGHT, "weight", "glorot_uniform", fans },
    { PARAMETER_TRAINS, BIAS, "bias", "zeros", NULL },
    { 0 },
};

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,5] f32[3,1,4] f32[3] f32[2,3,3]", "", "f32[2,3,5] f32[2,3,3]", 15 },
    { "f32[2,3,5] f32[3,1,2]", "activation='silu'", "f32[2,3,5] f32[2,3,1]", 3 },
    { "f32[2,2,1] f32[2,1,4] - f32[2,2,3]", "activation='swish'", "f32[2,2,1] f32[2,2,3]", 11 },
    { "f32[1,2,3] f32[2,1,1] f32[2] f32[1,2,0]", "", "f32[1,2,3] f32[1,2,0]", 7 },
    { "f32[1,2,2] f32[2,1,5] f32[2]", "", "- f32[1,2,4]", 1 },
    { "f16[2,3,5] f16[3,1,4] f16[3] f16[2,3,3]", "activation='silu'", "f16[2,3,5] f16[2,3,3]", 0 },
    { "bf16[2,40,9] bf16[40,1,3]", "activation='none'", "bf16[2,40,9] bf16[2,40,2]", 0 },
    { "f32[2,300,33] f32[300,1,4] f32[300]", "", "f32[2,300,33] f32[2,300,3]", 0 },
    { "f32[0,3,5] f32[3,1,4]", "activation='silu'", "f32[0,3,5] f32[0,3,3]", 0 },
    { 0 },
};

const struct op op_causal_conv_with_state = {
    .name = "CausalConvWithState",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 27,
                                       .signature =
                                           "T input, T weight, T bias?, T past_state? -> T output, T present_state",
                                       .types = "T: f32 f16 bf16",
                                       .attrs_size = sizeof(enum activation),
                                       .parse = parse,
                                       .expand = expand,
                                       .parameters = parameters,
                                       .cases = cases },
                                     { 0 } },
};
