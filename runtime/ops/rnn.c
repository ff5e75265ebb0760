/* RNN, https://onnx.ai/onnx/operators/onnx__RNN.html; Elman, Cognitive Science 14(2), 1990
 *
 *   H <- f(X W' + H R' + Wb + Rb)
 *
 * step by step, forwards, backwards or both. Past a sequence's end the state stays and Y is 0. Gradients go step by step
 * in the other order (rnn_body.h), with dz the gradient of what goes into f:
 *
 *   dz = dH f'    dH(before) = dz R    dX = dz W    dW = dz' X    dR = dz' H(before)    dWb, dRb = sum of dz
 *
 * Computed in float, or in double where X is double. Keras' SimpleRNN is this one, and so is PyTorch's RNN.
 *
 * onnxruntime gives the same, but for two things: without steps the last state is the initial one, as the recurrence has
 * it, there 0; and where alpha and beta are not given they are those of the activation's own operator, there 0. */
#include "ops/compute.h"
#include "ops/rank.h"
#include "ops/recurrent_spelled.h"
#include <string.h>

enum { X, W, R, B, LENGTHS, H0, INPUTS };                  /* inputs */
enum { Y, Y_H, KEPT };                                     /* outputs; the last one is hidden: H of all steps */
enum { GRAD_KEPT = INPUTS, GRAD_Y, GRAD_YH, GRAD_INPUTS }; /* inputs of the gradient, after RNN's own (B is not read) */
enum { DX, DW, DR, DB, DH0, GRADS };                       /* outputs of the gradient */
enum { GATES = 1, KEPT_EACH = 1 };

struct rnn_run { /* of one direction, whatever the type */
    const struct recurrent_plan *p;
    const struct activation *act;
    bool reverse;
    const int32_t *lengths;
    const void *r;   /* [hidden, hidden] */
    void *kept;      /* [steps, batch, hidden]; NULL where nobody reads it later */
    void *through_r; /* [batch, hidden], of one step: what comes in from H, or flows back to it */
    void *gemm;
};

static bool rnn_ended(const struct rnn_run *u, int64_t t, int64_t b)
{
    return u->lengths && t >= u->lengths[b];
}

static bool rnn_is_cut(const struct rnn_run *u, int64_t t, int64_t b)
{
    return recurrent_is_cut(u->p->r, u->reverse, u->lengths ? u->lengths[b] : u->p->steps, t);
}

#define REAL    float
#define NAME(x) x##_f32
#include "ops/rnn_body.h"
#define REAL    double
#define NAME(x) x##_f64
#include "ops/rnn_body.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const defaults[] = { "Tanh" };

    return recurrent_parse(p, attrs, 1, defaults);
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    (void)n;
    return k == Y || k == KEPT ? 4 : 3;
}

static bool infer(struct infer *i)
{
    const struct recurrent *a = infer_attrs(i);
    struct recurrent_plan p;
    size_t bytes;

    if (!recurrent_check(i, a, GATES, KEPT_EACH))
        return false;
    p = recurrent_plan(a, GATES, typed_in(i, X), typed_in(i, R));
    if (!recurrent_set_outs(i, &p, 1, KEPT_EACH))
        return false;
    bytes = recurrent_values_bytes(i, &p, INPUTS, KEPT, UNKNOWN) + recurrent_reals(&p, p.rows * p.inputs) +
            recurrent_reals(&p, p.rows * p.wide) + 2 * recurrent_reals(&p, p.batch * p.hidden) +
            recurrent_reals(&p, p.wide);
    {
        const struct gemm g[] = { recurrent_product(&p, p.rows, p.wide, p.inputs, false),
                                  recurrent_product(&p, p.batch, p.hidden, p.hidden, false) };

        need_scratch(i, bytes + recurrent_gemm_scratch(i, 2, g) + 64);
    }
    return true;
}

/* -- run -- */

static struct rnn_run run_of(const struct step *s, const struct recurrent_plan *p, int d, const void *r,
                             const struct tensor *kept)
{
    const struct recurrent *a = s->attrs;

    return (struct rnn_run){ .p = p,
                             .act = &a->act[d],
                             .reverse = a->reverse || d == 1,
                             .lengths = s->in[LENGTHS] ? s->in[LENGTHS]->data : NULL,
                             .r = recurrent_at(p, r, d * p->hidden * p->hidden),
                             .kept = kept ? recurrent_into(p, kept->data, d * p->rows * p->hidden) : NULL };
}

static bool run(struct step *s)
{
    const struct recurrent *a = s->attrs;
    const struct recurrent_plan p = recurrent_plan(a, GATES, s->in[X], s->in[R]);
    const void *in[INPUTS], *x;
    void *out[KEPT], *from_x, *from_h, *h, *bias;
    char *scratch = s->scratch;

    if (!recurrent_check_lengths(s, s->in[LENGTHS], p.steps))
        return false;
    recurrent_values(s, &p, INPUTS, in, KEPT, out, UNKNOWN, &scratch);
    x = recurrent_steps_first(&p, in[X], &scratch);
    from_x = recurrent_take(&p, &scratch, p.rows * p.wide);
    from_h = recurrent_take(&p, &scratch, p.batch * p.hidden);
    h = recurrent_take(&p, &scratch, p.batch * p.hidden);
    bias = recurrent_take(&p, &scratch, p.wide);
    for (int d = 0; d < a->directions; d++) {
        void *const y = recurrent_into(&p, out[Y], recurrent_strides(&p).direction * d);
        struct rnn_run u = run_of(s, &p, d, in[R], s->out[KEPT]);

        u.through_r = from_h;
        u.gemm = scratch;
        recurrent_from_x(s, &p, d, x, in[W], recurrent_bias(&p, in[B], d, p.wide, bias), from_x, u.gemm);
        recurrent_state_in(&p, in[H0], d, h);
        if (p.compute == F64)
            rnn_steps_f64(s, &u, from_x, h, y);
        else
            rnn_steps_f32(s, &u, from_x, h, y);
        recurrent_state_out(&p, h, d, out[Y_H]);
    }
    for (int k = Y; k < KEPT; k++)
        compute_store(s->out[k], p.compute, out[k]);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    static const int like[GRADS] = { X, W, R, -1, H0 };
    const struct recurrent_plan p = recurrent_plan(infer_attrs(i), GATES, typed_in(i, X), typed_in(i, R));
    size_t bytes;

    if (!recurrent_set_grads(i, &p, GRADS, like))
        return false;
    bytes = recurrent_values_bytes(i, &p, GRAD_INPUTS, GRADS, GRAD_KEPT) + 2 * recurrent_reals(&p, p.rows * p.inputs) +
            2 * recurrent_reals(&p, p.rows * p.hidden) + 3 * recurrent_reals(&p, p.batch * p.hidden);
    need_scratch(i, bytes + recurrent_back_scratch(i, &p) + 64);
    return true;
}

struct grad_memory {
    const void *in[GRAD_INPUTS];
    void *out[GRADS], *dz, *h_before, *h0, *dh, *to_h;
    struct recurrent_back back;
};

static void grad_direction(struct step *s, const struct recurrent_plan *p, const struct grad_memory *m, int d)
{
    const void *const dy = recurrent_at(p, m->in[GRAD_Y], recurrent_strides(p).direction * d);
    struct rnn_run u = run_of(s, p, d, m->in[R], s->in[GRAD_KEPT]);

    u.through_r = m->to_h;
    u.gemm = m->back.gemm;
    recurrent_state_in(p, m->in[H0], d, m->h0);
    recurrent_state_in(p, m->in[GRAD_YH], d, m->dh);
    if (p->compute == F64)
        rnn_back_f64(s, &u, m->h0, dy, m->dz, m->h_before, m->dh);
    else
        rnn_back_f32(s, &u, m->h0, dy, m->dz, m->h_before, m->dh);
    recurrent_weights_back(s, p, &m->back, d);
    recurrent_state_out(p, m->dh, d, m->out[DH0]);
}

static bool grad_run(struct step *s)
{
    const struct recurrent *a = s->attrs;
    const struct recurrent_plan p = recurrent_plan(a, GATES, s->in[X], s->in[R]);
    const int64_t state = p.batch * p.hidden;
    struct grad_memory m;
    char *scratch = s->scratch;

    recurrent_values(s, &p, GRAD_INPUTS, m.in, GRADS, m.out, GRAD_KEPT, &scratch);
    m.back = (struct recurrent_back){ .w = m.in[W], .dw = m.out[DW], .dr = m.out[DR], .db = m.out[DB] };
    m.back.x = recurrent_steps_first(&p, m.in[X], &scratch);
    m.back.dx = !m.out[DX] ? NULL : a->batch_first ? recurrent_take(&p, &scratch, p.rows * p.inputs) : m.out[DX];
    m.back.dz = m.dz = recurrent_take(&p, &scratch, p.rows * p.hidden);
    m.back.h_before = m.h_before = recurrent_take(&p, &scratch, p.rows * p.hidden);
    m.h0 = recurrent_take(&p, &scratch, state);
    m.dh = recurrent_take(&p, &scratch, state);
    m.to_h = recurrent_take(&p, &scratch, state);
    m.back.gemm = scratch;
    for (int d = 0; d < a->directions; d++)
        grad_direction(s, &p, &m, d);
    if (m.out[DX])
        recurrent_store_dx(&p, m.back.dx, m.out[DX]);
    for (int k = 0; k < GRADS; k++)
        compute_store(s->out[k], p.compute, m.out[k]);
    return true;
}

/* -- and again -- */

static void spelled_cell(struct emitter *e, struct cell *c)
{
    struct value *from_h = emit(e, "MatMul", "", 2, c->state[0], c->weights);

    c->state[0] = emit_gate(e, c, 0, emit(e, "Add", "", 2, c->x[0], from_h));
}

static const int gives[GRADS] = { X, W, R, B, H0 };

static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    const struct unrolled u = {
        .gates = GATES, .states = 1, .inputs = INPUTS, .peepholes = UNKNOWN, .cell = spelled_cell
    };

    return recurrent_retrace(e, n, in, x, &u, GRADS, gives, r);
}

static const struct op rnn_grad = {
    .name = "RNNGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, T W, T R, T B?, I sequence_lens?, T initial_h?, K kept, "
                                                    "T dY?, T dY_h? -> T dX?, T dW?, T dR?, T dB?, T dinitial_h?",
                                       .types = "T: floats bf16; I: i32; K: f32 f64",
                                       .retrace = retrace,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .cost = recurrent_grad_cost,
                                       .no_gradient = "it is made again" },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    return recurrent_gradient(b, &rnn_grad, INPUTS, KEPT, GRADS, gives);
}

/* -- test -- */

#define WEIGHTS (1 << X | 1 << W | 1 << R)
#define ALL     (WEIGHTS | 1 << B | 1 << H0)

static const struct op_case cases_7[] = {
    { "f32[3,2,4] f32[1,3,4] f32[1,3,3]", "hidden_size=3", "f32[3,1,2,3] f32[1,2,3]", WEIGHTS },
    { "f64[4,2,3] f64[2,2,3] f64[2,2,2] f64[2,4] i32[2]{4,2} f64[2,2,2]", "hidden_size=2 direction='bidirectional'",
      "f64[4,2,2,2] f64[2,2,2]", ALL },
    { "f64[4,2,3] f64[2,2,3] f64[2,2,2] f64[2,4] i32[2]{3,0} f64[2,2,2]",
      "direction='bidirectional' activations=['Softplus','ScaledTanh'] activation_alpha=[.7] activation_beta=[.6]",
      "f64[4,2,2,2] f64[2,2,2]", ALL },
    { "f64[3,2,2] f64[1,2,2] f64[1,2,2] f64[1,4]", "direction='reverse' clip=.7 activations=['sigmoid']",
      "- f64[1,2,2]", WEIGHTS | 1 << B },
    { "f64[2,3,2] f64[2,1,2] f64[2,1,1]",
      "direction='bidirectional' activations=['Affine','HardSigmoid'] activation_alpha=[-.5,.1] "
      "activation_beta=[.2,.4]",
      "f64[2,2,3,1]", WEIGHTS },
    { "f64[2,3,2] f64[2,1,2] f64[2,1,1]", "direction='bidirectional' activations=['Elu','Softsign']", "f64[2,2,3,1]",
      WEIGHTS },
    { "f64[2,3,2] f64[2,1,2] f64[2,1,1] f64[2,2]",
      "direction='bidirectional' activations=['LeakyRelu','ThresholdedRelu'] activation_alpha=[.3,-2.5]",
      "f64[2,2,3,1]", WEIGHTS | 1 << B },
    { "f32[2,3,2] f32[1,1,2] f32[1,1,1] - i32[3]{2,0,1}", "hidden_size=1 clip=.5 activations=['Relu']", "f32[2,1,3,1]",
      0 },
    { "f16[2,2,2] f16[1,2,2] f16[1,2,2]", "", "- f16[1,2,2]", 0 },
    { "f32[0,2,2] f32[1,2,2] f32[1,2,2] - - f32[1,2,2]", "", "f32[0,1,2,2] f32[1,2,2]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "f64[3,2,4] f64[1,3,4] f64[1,3,3] f64[1,6]", "output_sequence=1", "f64[3,1,2,3] f64[1,2,3]", WEIGHTS | 1 << B },
    { "f16[2,2,2] f16[1,2,2] f16[1,2,2]", "output_sequence=0", "- f16[1,2,2]", 0 },
    { 0 },
};

static const struct op_case cases_14[] = {
    { "f32[3,2,4] f32[1,3,4] f32[1,3,3]", "hidden_size=3 layout=0", "f32[3,1,2,3] f32[1,2,3]", WEIGHTS },
    { "f64[2,4,3] f64[2,2,3] f64[2,2,2] f64[2,4] i32[2]{4,2} f64[2,2,2]",
      "hidden_size=2 direction='bidirectional' layout=1", "f64[2,4,2,2] f64[2,2,2]", ALL },
    { "f64[2,4,3] f64[1,2,3] f64[1,2,2] f64[1,4] i32[2]{1,4} f64[2,1,2]", "direction='reverse' layout=1",
      "- f64[2,1,2]", ALL },
    { "f64[3,2,2] f64[1,2,2] f64[1,2,2] f64[1,4]", "direction='reverse'", "f64[3,1,2,2]", WEIGHTS | 1 << B },
    { "f16[2,2,2] f16[1,2,2] f16[1,2,2]", "", "f16[2,1,2,2] f16[1,2,2]", 0 },
    { 0 },
};

#define ROW(version, list, case_list)                                                                                  \
    {                                                                                                                  \
        .since = version, .signature = "T X, T W, T R, T B?, T1 sequence_lens?, T initial_h? -> T Y?, T Y_h?",         \
        .types = "T: " list "; T1: i32", .attrs_size = sizeof(struct recurrent), .parse = parse, .rank = rank,         \
        .infer = infer, .run = run, .gradient = gradient, .cost = recurrent_cost, .hidden = 1,                         \
        .parameters = recurrent_parameters, .cases = case_list                                                         \
    }

const struct op op_rnn = {
    .name = "RNN",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", cases_14),
                                     ROW(14, "floats", cases_14),
                                     ROW(7, "floats", cases_7),
                                     ROW(1, "floats", cases_1),
                                     { 0 } },
};
