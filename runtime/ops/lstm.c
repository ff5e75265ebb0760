/* LSTM, https://onnx.ai/onnx/operators/onnx__LSTM.html; Hochreiter and Schmidhuber, Neural Computation 9(8), 1997
 *
 *   i = f(X Wi' + H Ri' + Pi C + Bi)    F = f(X Wf' + H Rf' + Pf C + Bf), or 1 - i with input_forget
 *   g = g(X Wc' + H Rc' + Bc)           C <- F C + i g
 *   o = f(X Wo' + H Ro' + Po C + Bo)    H <- o h(C)
 *
 * step by step, forwards, backwards or both. Past a sequence's end the states stay and Y is 0. With gradients of H and
 * C flowing in, the gates' own are summed step by step in the other order (lstm_body.h), and the weights' are products
 * over all steps at once:
 *
 *   dW = dz' X    dR = dz' H(before)    dX = dz W    dB = sum of dz
 *
 * Computed in float, or in double where X is double. Keras' LSTM is this one with the gates in the order i, f, c, o. */
#include "ops/lstm.h"
#include "ops/compute.h"
#include "ops/rank.h"
#include "ops/recurrent_spelled.h"
#include <math.h>
#include <string.h>

enum { X, W, R, B, LENGTHS, H0, C0, P, INPUTS }; /* inputs */
enum { Y, Y_H, Y_C, KEPT };                      /* outputs; the last one is hidden */
enum { GATES = 4, KEPT_EACH = 6 };               /* for each hidden unit, of one step of one sequence */
enum { GRAD_KEPT = INPUTS, GRAD_Y, GRAD_YH, GRAD_YC, GRAD_INPUTS }; /* inputs of the gradient, after LSTM's own */
enum { DX, DW, DR, DB, DH0, DC0, DP, GRADS };                       /* outputs of the gradient */

#define REAL    float
#define NAME(x) x##_f32
#include "ops/lstm_body.h"
#define REAL    double
#define NAME(x) x##_f64
#include "ops/lstm_body.h"

/* -- read -- */

bool lstm_parse(struct parse *p, void *attrs)
{
    static const char *const defaults[] = { "Sigmoid", "Tanh", "Tanh" };
    struct lstm *a = attrs;

    a->input_forget = attr_int(p, "input_forget", 0) != 0;
    return recurrent_parse(p, &a->r, 3, defaults);
}

/* -- plan -- */

static struct recurrent_plan plan_of(const struct lstm *a, const struct tensor *x, const struct tensor *r)
{
    return recurrent_plan(&a->r, GATES, x, r);
}

static int rank(const struct node *n, int k)
{
    (void)n;
    return k == Y || k == KEPT ? 4 : 3;
}

static bool infer(struct infer *i)
{
    const struct lstm *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    const int64_t directions = a->r.directions;
    struct recurrent_plan p;
    size_t bytes;

    if (!recurrent_check(i, &a->r, GATES, KEPT_EACH))
        return false;
    p = plan_of(a, x, typed_in(i, R));
    if (typed_in(i, P) &&
        (typed_in(i, P)->rank != 2 || typed_in(i, P)->dims[0] != directions || typed_in(i, P)->dims[1] != 3 * p.hidden))
        return infer_error(i, "'P' must have shape [%lld,%lld]", (long long)directions, (long long)(3 * p.hidden));
    if (!recurrent_set_outs(i, &p, 2, KEPT_EACH))
        return false;
    bytes = recurrent_values_bytes(i, &p, INPUTS, KEPT, UNKNOWN) + recurrent_reals(&p, p.rows * p.inputs) +
            recurrent_reals(&p, p.rows * p.wide) + recurrent_reals(&p, p.batch * p.wide) +
            2 * recurrent_reals(&p, p.batch * p.hidden) + recurrent_reals(&p, p.batch * KEPT_EACH * p.hidden) +
            recurrent_reals(&p, p.wide) + (a->rounds ? recurrent_reals(&p, p.batch * p.hidden) : 0);
    {
        const struct gemm g[] = { recurrent_product(&p, p.rows, p.wide, p.inputs, false),
                                  recurrent_product(&p, p.batch, p.wide, p.hidden, false) };

        need_scratch(i, bytes + recurrent_gemm_scratch(i, 2, g) + 64);
    }
    return true;
}

/* -- run -- */

struct lstm_run { /* of one direction, whatever the type */
    const struct lstm *a;
    struct recurrent_plan p;
    int direction;
    const int32_t *lengths;
    const void *r, *peephole;
    void *kept, *rounded;
    bool keep;
};

#define DIRECTION(u, type)                                                                                             \
    {                                                                                                                  \
        .a = (u)->a, .act = (u)->a->r.act + 3 * (u)->direction, .steps = (u)->p.steps, .batch = (u)->p.batch,          \
        .hidden = (u)->p.hidden, .reverse = (u)->a->r.reverse || (u)->direction == 1, .lengths = (u)->lengths,         \
        .peephole = (u)->peephole, .kept = (u)->kept, .rounded = (u)->rounded, .keep = (u)->keep                       \
    }

static void steps_of(struct step *s, const struct lstm_run *u, const void *z, void *rz, void *h, void *c, void *y,
                     void *gemm_memory)
{
    const struct recurrent_strides ys = recurrent_strides(&u->p);
    struct gemm g = recurrent_product(&u->p, u->p.batch, u->p.wide, u->p.hidden, false);

    if (u->p.compute == F64) {
        const struct lstm_direction_f64 d = DIRECTION(u, double);

        lstm_steps_f64(s, &d, u->r, z, rz, h, c, y, &ys, &g, gemm_memory);
    } else {
        const struct lstm_direction_f32 d = DIRECTION(u, float);

        lstm_steps_f32(s, &d, u->r, z, rz, h, c, y, &ys, &g, gemm_memory);
    }
}

static bool run(struct step *s)
{
    const struct lstm *a = s->attrs;
    const struct recurrent_plan p = plan_of(a, s->in[X], s->in[R]);
    const int64_t kept = KEPT_EACH * p.hidden;
    const void *in[INPUTS], *x;
    void *out[KEPT], *z, *rz, *h, *c, *bias, *one_step, *rounded = NULL;
    char *scratch = s->scratch;

    if (!recurrent_check_lengths(s, s->in[LENGTHS], p.steps))
        return false;
    recurrent_values(s, &p, INPUTS, in, KEPT, out, UNKNOWN, &scratch);
    x = recurrent_steps_first(&p, in[X], &scratch);
    z = recurrent_take(&p, &scratch, p.rows * p.wide);
    rz = recurrent_take(&p, &scratch, p.batch * p.wide);
    h = recurrent_take(&p, &scratch, p.batch * p.hidden);
    c = recurrent_take(&p, &scratch, p.batch * p.hidden);
    one_step = recurrent_take(&p, &scratch, p.batch * kept);
    bias = recurrent_take(&p, &scratch, p.wide);
    if (a->rounds)
        rounded = recurrent_take(&p, &scratch, p.batch * p.hidden);
    for (int d = 0; d < a->r.directions; d++) {
        const struct lstm_run u = { .a = a,
                                    .p = p,
                                    .direction = d,
                                    .lengths = s->in[LENGTHS] ? s->in[LENGTHS]->data : NULL,
                                    .r = recurrent_at(&p, in[R], d * p.wide * p.hidden),
                                    .peephole = recurrent_at(&p, in[P], d * 3 * p.hidden),
                                    .kept = s->out[KEPT] ? recurrent_into(&p, s->out[KEPT]->data, d * p.rows * kept)
                                                         : one_step,
                                    .rounded = rounded,
                                    .keep = s->out[KEPT] };

        recurrent_from_x(s, &p, d, x, in[W], recurrent_bias(&p, in[B], d, p.wide, bias), z, scratch);
        recurrent_state_in(&p, in[H0], d, h);
        recurrent_state_in(&p, in[C0], d, c);
        steps_of(s, &u, z, rz, h, c, recurrent_into(&p, out[Y], recurrent_strides(&p).direction * d), scratch);
        recurrent_state_out(&p, h, d, out[Y_H]);
        recurrent_state_out(&p, c, d, out[Y_C]);
    }
    for (int k = Y; k < KEPT; k++)
        compute_store(s->out[k], p.compute, out[k]);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    static const int like[GRADS] = { X, W, R, -1, H0, C0, P };
    const struct recurrent_plan p = plan_of(infer_attrs(i), typed_in(i, X), typed_in(i, R));
    size_t bytes;

    if (!recurrent_set_grads(i, &p, GRADS, like))
        return false;
    bytes = recurrent_values_bytes(i, &p, GRAD_INPUTS, GRADS, GRAD_KEPT) + 2 * recurrent_reals(&p, p.rows * p.inputs) +
            recurrent_reals(&p, p.rows * p.wide) + recurrent_reals(&p, p.rows * p.hidden) +
            5 * recurrent_reals(&p, p.batch * p.hidden) + recurrent_reals(&p, 3 * p.hidden);
    need_scratch(i, bytes + recurrent_back_scratch(i, &p) + 64);
    return true;
}

static void back_of(struct step *s, const struct lstm_run *u, const void *h0, const void *c0, const void *dy, void *dz,
                    void *h_before, void *dh, void *dc, void *dp, void *from_r, void *gemm_memory)
{
    const struct recurrent_strides ys = recurrent_strides(&u->p);
    struct gemm g = recurrent_product(&u->p, u->p.batch, u->p.hidden, u->p.wide, true);

    if (u->p.compute == F64) {
        const struct lstm_direction_f64 d = DIRECTION(u, double);

        lstm_back_f64(s, &d, u->r, h0, c0, dy, &ys, dz, h_before, dh, dc, dp, from_r, &g, gemm_memory);
    } else {
        const struct lstm_direction_f32 d = DIRECTION(u, float);

        lstm_back_f32(s, &d, u->r, h0, c0, dy, &ys, dz, h_before, dh, dc, dp, from_r, &g, gemm_memory);
    }
}

struct grad_memory {
    const void *in[GRAD_INPUTS], *x;
    void *out[GRADS], *dx, *dz, *h_before, *h0, *c0, *dh, *dc, *from_r, *dp, *gemm;
};

static void grad_direction(struct step *s, const struct lstm *a, const struct recurrent_plan *p, struct grad_memory *m,
                           int d)
{
    const int64_t peepholes = 3 * p->hidden;
    const struct lstm_run u = { .a = a,
                                .p = *p,
                                .direction = d,
                                .lengths = s->in[LENGTHS] ? s->in[LENGTHS]->data : NULL,
                                .r = recurrent_at(p, m->in[R], d * p->wide * p->hidden),
                                .peephole = recurrent_at(p, m->in[P], d * peepholes),
                                .kept = recurrent_into(p, s->in[GRAD_KEPT]->data, d * p->rows * KEPT_EACH * p->hidden),
                                .keep = true };
    const struct recurrent_back back = { .x = m->x,
                                         .w = m->in[W],
                                         .dz = m->dz,
                                         .h_before = m->h_before,
                                         .dx = m->out[DX] ? m->dx : NULL,
                                         .dw = m->out[DW],
                                         .dr = m->out[DR],
                                         .db = m->out[DB],
                                         .gemm = m->gemm };

    recurrent_state_in(p, m->in[H0], d, m->h0);
    recurrent_state_in(p, m->in[C0], d, m->c0);
    recurrent_state_in(p, m->in[GRAD_YH], d, m->dh);
    recurrent_state_in(p, m->in[GRAD_YC], d, m->dc);
    memset(m->dp, 0, (size_t)peepholes * p->real);
    back_of(s, &u, m->h0, m->c0, recurrent_at(p, m->in[GRAD_Y], recurrent_strides(p).direction * d), m->dz, m->h_before,
            m->dh, m->dc, m->dp, m->from_r, m->gemm);
    recurrent_weights_back(s, p, &back, d);
    if (m->out[DP])
        memcpy(recurrent_into(p, m->out[DP], d * peepholes), m->dp, (size_t)peepholes * p->real);
    recurrent_state_out(p, m->dh, d, m->out[DH0]);
    recurrent_state_out(p, m->dc, d, m->out[DC0]);
}

static bool grad_run(struct step *s)
{
    const struct lstm *a = s->attrs;
    const struct recurrent_plan p = plan_of(a, s->in[X], s->in[R]);
    const int64_t state = p.batch * p.hidden;
    struct grad_memory m;
    char *scratch = s->scratch;

    recurrent_values(s, &p, GRAD_INPUTS, m.in, GRADS, m.out, GRAD_KEPT, &scratch);
    m.x = recurrent_steps_first(&p, m.in[X], &scratch);
    m.dx = a->r.batch_first ? recurrent_take(&p, &scratch, p.rows * p.inputs) : m.out[DX];
    m.dz = recurrent_take(&p, &scratch, p.rows * p.wide);
    m.h_before = recurrent_take(&p, &scratch, p.rows * p.hidden);
    m.h0 = recurrent_take(&p, &scratch, state);
    m.c0 = recurrent_take(&p, &scratch, state);
    m.dh = recurrent_take(&p, &scratch, state);
    m.dc = recurrent_take(&p, &scratch, state);
    m.from_r = recurrent_take(&p, &scratch, state);
    m.dp = recurrent_take(&p, &scratch, 3 * p.hidden);
    m.gemm = scratch;
    for (int d = 0; d < a->r.directions; d++)
        grad_direction(s, a, &p, &m, d);
    if (m.out[DX])
        recurrent_store_dx(&p, m.dx, m.out[DX]);
    for (int k = 0; k < GRADS; k++)
        compute_store(s->out[k], p.compute, m.out[k]);
    return true;
}

/* -- and again -- */

static void spelled_cell(struct emitter *e, struct cell *c)
{
    const struct lstm *a = c->attrs;
    struct value *z[GATES], *i, *f, *g, *o, *const before = c->state[1];

    emit_parts(e, emit(e, "MatMul", "", 2, c->state[0], c->weights), GATES, z);
    for (int k = 0; k < GATES && !e->failed; k++)
        z[k] = emit(e, "Add", "", 2, z[k], c->x[k]);
    for (int k = 0; k < 3 && c->peephole[0]; k += 2) /* i and f; o sees the cell as it will be */
        z[k] = emit(e, "Add", "", 2, z[k], emit(e, "Mul", "", 2, c->peephole[k], before));
    i = emit_gate(e, c, 0, z[0]);
    f = a->input_forget ? emit(e, "Sub", "", 2, emit_scalar(e, c->compute, 1), i) : emit_gate(e, c, 0, z[2]);
    g = emit_gate(e, c, 1, z[3]);
    c->state[1] = emit(e, "Add", "", 2, emit(e, "Mul", "", 2, f, before), emit(e, "Mul", "", 2, i, g));
    if (c->peephole[0])
        z[1] = emit(e, "Add", "", 2, z[1], emit(e, "Mul", "", 2, c->peephole[1], c->state[1]));
    o = emit_gate(e, c, 0, z[1]);
    c->state[0] = emit(e, "Mul", "", 2, o, emit_gate(e, c, 2, c->state[1]));
}

static const int gives[GRADS] = { X, W, R, B, H0, C0, P };

static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    const struct unrolled u = { .gates = GATES, .states = 2, .inputs = INPUTS, .peepholes = P, .cell = spelled_cell };

    return recurrent_retrace(e, n, in, x, &u, GRADS, gives, r);
}

static const struct op lstm_grad = {
    .name = "LSTMGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T X, T W, T R, T B?, I sequence_lens?, T initial_h?, T initial_c?, T P?, K kept, "
                           "T dY?, T dY_h?, T dY_c? -> T dX?, T dW?, T dR?, T dB?, T dinitial_h?, "
                           "T dinitial_c?, T dP?",
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
    return recurrent_gradient(b, &lstm_grad, INPUTS, KEPT, GRADS, gives);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, W, "weight", "glorot_uniform", recurrent_fans },
    { PARAMETER_TRAINS, R, "recurrent weight", "orthogonal", recurrent_fans },
    { PARAMETER_TRAINS_IN_HALVES, B, "bias", "zeros", NULL },
    { PARAMETER_TRAINS, P, "peephole weight", "glorot_uniform", recurrent_fans },
    { PARAMETER_TRAINS_AS_STATE, H0, "initial state", "zeros", NULL },
    { PARAMETER_TRAINS_AS_STATE, C0, "initial cell state", "zeros", NULL },
    { 0 },
};

const struct op lstm_rounding = {
    .name = "LSTMRounding",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, T W, T R, T B?, T1 sequence_lens?, T initial_h?, T "
                                                    "initial_c?, T P? -> T Y?, T Y_h?, T Y_c?",
                                       .types = "T: f32; T1: i32",
                                       .attrs_size = sizeof(struct lstm),
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .cost = recurrent_cost,
                                       .no_gradient = "its weights are quantised",
                                       .hidden = 1 },
                                     { 0 } },
};

/* -- test -- */

#define WEIGHTS (1 << X | 1 << W | 1 << R)

static const struct op_case cases_7[] = {
    { "f32[3,2,4] f32[1,12,4] f32[1,12,3]", "hidden_size=3", "f32[3,1,2,3] f32[1,2,3] f32[1,2,3]", WEIGHTS },
    { "f64[4,2,3] f64[2,8,3] f64[2,8,2] f64[2,16] i32[2]{4,2} f64[2,2,2] f64[2,2,2] f64[2,6]",
      "hidden_size=2 direction='bidirectional'", "f64[4,2,2,2] f64[2,2,2] f64[2,2,2]",
      WEIGHTS | 1 << B | 1 << H0 | 1 << C0 | 1 << P },
    { "f32[3,2,2] f32[1,8,2] f32[1,8,2] f32[1,16] - - - f32[1,6]", "hidden_size=2 direction='reverse' input_forget=1",
      "- f32[1,2,2]", WEIGHTS | 1 << B | 1 << P },
    { "f32[2,3,2] f32[1,4,2] f32[1,4,1]", "hidden_size=1 clip=.5", "f32[2,1,3,1]", 0 },
    { "f16[2,2,2] f16[1,8,2] f16[1,8,2]", "", "- - f16[1,2,2]", 0 },
    { "f32[0,2,2] f32[1,8,2] f32[1,8,2]", "", "f32[0,1,2,2] f32[1,2,2]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "f64[3,2,2] f64[1,8,2] f64[1,8,2] f64[1,16] - - - f64[1,6]", "output_sequence=1 input_forget=1",
      "f64[3,1,2,2] f64[1,2,2]", WEIGHTS | 1 << B | 1 << P },
    { "f16[2,2,2] f16[1,8,2] f16[1,8,2]", "output_sequence=0", "- - f16[1,2,2]", 0 },
    { 0 },
};

static const struct op_case cases_14[] = {
    { "f32[3,2,4] f32[1,12,4] f32[1,12,3]", "hidden_size=3", "f32[3,1,2,3] f32[1,2,3] f32[1,2,3]", WEIGHTS },
    { "f64[2,4,3] f64[2,8,3] f64[2,8,2] f64[2,16] i32[2]{4,2} f64[2,2,2] f64[2,2,2] f64[2,6]",
      "hidden_size=2 direction='bidirectional' layout=1", "f64[2,4,2,2] f64[2,2,2] f64[2,2,2]",
      WEIGHTS | 1 << B | 1 << H0 | 1 << C0 | 1 << P },
    { "f64[3,2,2] f64[1,8,2] f64[1,8,2] f64[1,16]", "hidden_size=2 direction='reverse'", "f64[3,1,2,2] - f64[1,2,2]",
      WEIGHTS | 1 << B },
    { "f16[2,2,2] f16[1,8,2] f16[1,8,2]", "", "f16[2,1,2,2] f16[1,2,2]", 0 },
    { 0 },
};

#define ROW(version, list, case_list)                                                                                  \
    {                                                                                                                  \
        .since = version,                                                                                              \
        .signature =                                                                                                   \
            "T X, T W, T R, T B?, T1 sequence_lens?, T initial_h?, T initial_c?, T P? -> T Y?, T Y_h?, T Y_c?",        \
        .types = "T: " list "; T1: i32", .attrs_size = sizeof(struct lstm), .parse = lstm_parse, .rank = rank,         \
        .infer = infer, .run = run, .gradient = gradient, .cost = recurrent_cost, .hidden = 1,                         \
        .parameters = parameters, .cases = case_list                                                                   \
    }

const struct op op_lstm = {
    .name = "LSTM",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "floats bf16", cases_14),
                                     ROW(14, "floats", cases_14),
                                     ROW(7, "floats", cases_7),
                                     ROW(1, "floats", cases_1),
                                     { 0 } },
};
