/* GRU, https://onnx.ai/onnx/operators/onnx__GRU.html; Cho et al., arXiv:1406.1078
 *
 *   z = f(X Wz' + H Rz' + Wbz + Rbz)    r = f(X Wr' + H Rr' + Wbr + Rbr)
 *   h~ = g(X Wh' + (r H) Rh' + Wbh + Rbh), or, with linear_before_reset, g(X Wh' + r (H Rh' + Rbh) + Wbh)
 *   H <- (1 - z) h~ + z H
 *
 * step by step, forwards, backwards or both. Past a sequence's end the state stays and Y is 0. Gradients go step by
 * step in the other order (gru_body.h), and the weights' are products over all steps at once, with d the gradient of
 * what goes into a gate:
 *
 *   dW = d' X    dX = d W    dRz, dRr = d' H(before)    dRh = dh~' (r H(before)), or (dh~ r)' H(before)
 *   dWb = sum of d           dRb = the same, but with linear_before_reset for h~ the sum of dh~ r
 *
 * Computed in float, or in double where X is double. Keras' GRU is this one; linear_before_reset is its reset_after. */
#include "ops/compute.h"
#include "ops/rank.h"
#include "ops/recurrent_spelled.h"
#include <string.h>

enum { X, W, R, B, LENGTHS, H0, INPUTS };                  /* inputs */
enum { Y, Y_H, KEPT };                                     /* outputs; the last one is hidden */
enum { GRAD_KEPT = INPUTS, GRAD_Y, GRAD_YH, GRAD_INPUTS }; /* inputs of the gradient, after GRU's own */
enum { DX, DW, DR, DB, DH0, GRADS };                       /* outputs of the gradient */
enum { GATES = 3, KEPT_EACH = 5 };                         /* for each hidden unit, of one step of one sequence */

struct gru {
    struct recurrent r;
    bool linear_before_reset;
};

static struct recurrent_plan plan_of(const struct gru *a, const struct tensor *x, const struct tensor *r)
{
    return recurrent_plan(&a->r, GATES, x, r);
}

/* What comes in to some gates through R: they stand among all three. */
static struct gemm gru_from_h(const struct recurrent_plan *p, int gates)
{
    struct gemm g = recurrent_product(p, p->batch, gates * p->hidden, p->hidden, false);

    g.c_row = p->wide;
    return g;
}

/* What flows back to H through the weights of some gates, whose gradients are rows a_row apart. */
static struct gemm gru_to_h(const struct recurrent_plan *p, int gates, int64_t a_row)
{
    struct gemm g = recurrent_product(p, p->batch, p->hidden, gates * p->hidden, true);

    g.a_row = a_row;
    return g;
}

#define REAL    float
#define NAME(x) x##_f32
#include "ops/gru_body.h"
#define REAL    double
#define NAME(x) x##_f64
#include "ops/gru_body.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const defaults[] = { "Sigmoid", "Tanh" };
    struct gru *a = attrs;

    a->linear_before_reset = parse_opset(p) >= 3 && attr_int(p, "linear_before_reset", 0) != 0;
    return recurrent_parse(p, &a->r, 2, defaults);
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    (void)n;
    return k == Y || k == KEPT ? 4 : 3;
}

static bool infer(struct infer *i)
{
    const struct gru *a = infer_attrs(i);
    struct recurrent_plan p;
    size_t bytes;

    if (!recurrent_check(i, &a->r, GATES, KEPT_EACH))
        return false;
    p = plan_of(a, typed_in(i, X), typed_in(i, R));
    if (!recurrent_set_outs(i, &p, 1, KEPT_EACH))
        return false;
    bytes = recurrent_values_bytes(i, &p, INPUTS, KEPT, UNKNOWN) + recurrent_reals(&p, p.rows * p.inputs) +
            recurrent_reals(&p, p.rows * p.wide) + recurrent_reals(&p, p.batch * p.wide) +
            2 * recurrent_reals(&p, p.batch * p.hidden) + recurrent_reals(&p, p.batch * KEPT_EACH * p.hidden) +
            recurrent_reals(&p, p.wide);
    {
        const struct gemm g[] = { recurrent_product(&p, p.rows, p.wide, p.inputs, false), gru_from_h(&p, 1),
                                  gru_from_h(&p, 2), gru_from_h(&p, 3) };

        need_scratch(i, bytes + recurrent_gemm_scratch(i, 4, g) + 64);
    }
    return true;
}

/* -- run -- */

struct gru_run { /* of one direction, whatever the type */
    const struct gru *a;
    struct recurrent_plan p;
    int direction;
    const int32_t *lengths;
    const void *r, *bias_h;
    void *kept;
    bool keep;
};

#define DIRECTION(u)                                                                                                   \
    {                                                                                                                  \
        .a = (u)->a, .act = (u)->a->r.act + 2 * (u)->direction, .steps = (u)->p.steps, .batch = (u)->p.batch,          \
        .hidden = (u)->p.hidden, .reverse = (u)->a->r.reverse || (u)->direction == 1, .lengths = (u)->lengths,         \
        .r = (u)->r, .bias_h = (u)->bias_h, .kept = (u)->kept, .keep = (u)->keep                                       \
    }

struct memory {
    void *x, *from_h, *reset, *h, *one_step, *bias, *gemm;
};

static void steps_of(struct step *s, const struct gru_run *u, const struct memory *m, void *y)
{
    if (u->p.compute == F64) {
        const struct gru_direction_f64 d = DIRECTION(u);

        gru_steps_f64(s, &d, &u->p, m->x, m->h, y, &(struct gru_step_f64){ m->from_h, m->reset, m->gemm });
    } else {
        const struct gru_direction_f32 d = DIRECTION(u);

        gru_steps_f32(s, &d, &u->p, m->x, m->h, y, &(struct gru_step_f32){ m->from_h, m->reset, m->gemm });
    }
}

static struct gru_run run_of(struct step *s, const struct recurrent_plan *p, int d, const void *r, const void *bias,
                             void *kept)
{
    const struct gru *a = s->attrs;

    return (struct gru_run){ .a = a,
                             .p = *p,
                             .direction = d,
                             .lengths = s->in[LENGTHS] ? s->in[LENGTHS]->data : NULL,
                             .r = recurrent_at(p, r, d * p->wide * p->hidden),
                             .bias_h = a->linear_before_reset
                                           ? recurrent_at(p, bias, (2 * d + 1) * p->wide + 2 * p->hidden)
                                           : NULL,
                             .kept = recurrent_into(p, kept, d * p->rows * KEPT_EACH * p->hidden),
                             .keep = true };
}

static bool run(struct step *s)
{
    const struct gru *a = s->attrs;
    const struct recurrent_plan p = plan_of(a, s->in[X], s->in[R]);
    const void *in[INPUTS], *x;
    void *out[KEPT];
    struct memory m;
    char *scratch = s->scratch;

    if (!recurrent_check_lengths(s, s->in[LENGTHS], p.steps))
        return false;
    recurrent_values(s, &p, INPUTS, in, KEPT, out, UNKNOWN, &scratch);
    x = recurrent_steps_first(&p, in[X], &scratch);
    m.x = recurrent_take(&p, &scratch, p.rows * p.wide);
    m.from_h = recurrent_take(&p, &scratch, p.batch * p.wide);
    m.reset = recurrent_take(&p, &scratch, p.batch * p.hidden);
    m.h = recurrent_take(&p, &scratch, p.batch * p.hidden);
    m.one_step = recurrent_take(&p, &scratch, p.batch * KEPT_EACH * p.hidden);
    m.bias = recurrent_take(&p, &scratch, p.wide);
    m.gemm = scratch;
    for (int d = 0; d < a->r.directions; d++) {
        struct gru_run u = run_of(s, &p, d, in[R], in[B], s->out[KEPT] ? s->out[KEPT]->data : NULL);
        /* the bias of h~ that is reset with H is no part of it */
        const int64_t both = a->linear_before_reset ? 2 * p.hidden : p.wide;

        if (!u.kept) {
            u.kept = m.one_step;
            u.keep = false;
        }
        recurrent_from_x(s, &p, d, x, in[W], recurrent_bias(&p, in[B], d, both, m.bias), m.x, m.gemm);
        recurrent_state_in(&p, in[H0], d, m.h);
        steps_of(s, &u, &m, recurrent_into(&p, out[Y], recurrent_strides(&p).direction * d));
        recurrent_state_out(&p, m.h, d, out[Y_H]);
    }
    for (int k = Y; k < KEPT; k++)
        compute_store(s->out[k], p.compute, out[k]);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    static const int like[GRADS] = { X, W, R, -1, H0 };
    const struct recurrent_plan p = plan_of(infer_attrs(i), typed_in(i, X), typed_in(i, R));
    size_t bytes;

    if (!recurrent_set_grads(i, &p, GRADS, like))
        return false;
    bytes = recurrent_values_bytes(i, &p, GRAD_INPUTS, GRADS, GRAD_KEPT) + 2 * recurrent_reals(&p, p.rows * p.inputs) +
            recurrent_reals(&p, p.rows * p.wide) + 2 * recurrent_reals(&p, p.rows * p.hidden) +
            4 * recurrent_reals(&p, p.batch * p.hidden);
    {
        const struct gemm g[] = { recurrent_product(&p, p.rows, p.inputs, p.wide, true),
                                  recurrent_over_rows(&p, p.wide, p.inputs, p.wide),
                                  recurrent_over_rows(&p, 2 * p.hidden, p.hidden, p.wide),
                                  recurrent_over_rows(&p, p.hidden, p.hidden, p.wide),
                                  recurrent_over_rows(&p, p.hidden, p.hidden, p.hidden),
                                  gru_to_h(&p, 2, p.wide),
                                  gru_to_h(&p, 1, p.wide),
                                  gru_to_h(&p, 1, p.hidden) };

        need_scratch(i, bytes + recurrent_gemm_scratch(i, sizeof g / sizeof *g, g) + 64);
    }
    return true;
}

struct grad_memory {
    const void *in[GRAD_INPUTS], *x;
    void *out[GRADS], *dx, *d, *inner, *h_before, *h0, *dh, *from_zr, *from_h, *gemm;
};

static void back_of(struct step *s, const struct gru_run *u, const struct grad_memory *m, const void *dy)
{
    if (u->p.compute == F64) {
        const struct gru_direction_f64 d = DIRECTION(u);
        const struct gru_back_f64 b = { m->d, m->inner, m->h_before, m->dh, m->from_zr, m->from_h, m->gemm };

        gru_back_all_f64(s, &d, &u->p, &b, m->h0, dy);
    } else {
        const struct gru_direction_f32 d = DIRECTION(u);
        const struct gru_back_f32 b = { m->d, m->inner, m->h_before, m->dh, m->from_zr, m->from_h, m->gemm };

        gru_back_all_f32(s, &d, &u->p, &b, m->h0, dy);
    }
}

static void product_of(struct step *s, struct gemm g, const void *a, const void *b, void *c,
                       const struct grad_memory *m)
{
    g.a = a;
    g.b = b;
    g.c = c;
    gemm(s->k, s->pool, &g, m->gemm);
}

static void grad_r(struct step *s, const struct gru *a, const struct recurrent_plan *p, const struct grad_memory *m,
                   void *dr)
{
    const int64_t h = p->hidden;
    void *const dr_h = recurrent_into(p, dr, 2 * h * h);

    product_of(s, recurrent_over_rows(p, 2 * h, h, p->wide), m->d, m->h_before, dr, m);
    if (a->linear_before_reset)
        product_of(s, recurrent_over_rows(p, h, h, h), m->inner, m->h_before, dr_h, m);
    else
        product_of(s, recurrent_over_rows(p, h, h, p->wide), recurrent_at(p, m->d, 2 * h), m->inner, dr_h, m);
}

/* Wb's, then Rb's. */
static void grad_b(const struct gru *a, const struct recurrent_plan *p, const struct grad_memory *m, void *db)
{
    const int64_t h = p->hidden;

    for (int half = 0; half < 2; half++)
        recurrent_sum_rows(p, m->d, p->wide, p->wide, recurrent_into(p, db, half * p->wide));
    if (a->linear_before_reset)
        recurrent_sum_rows(p, m->inner, h, h, recurrent_into(p, db, p->wide + 2 * h));
}

static void grad_direction(struct step *s, const struct gru *a, const struct recurrent_plan *p, struct grad_memory *m,
                           int d)
{
    const struct gru_run u = run_of(s, p, d, m->in[R], NULL, s->in[GRAD_KEPT]->data);
    const struct recurrent_back back = {
        .x = m->x, .w = m->in[W], .dz = m->d, .dx = m->out[DX] ? m->dx : NULL, .dw = m->out[DW], .gemm = m->gemm
    };

    recurrent_state_in(p, m->in[H0], d, m->h0);
    recurrent_state_in(p, m->in[GRAD_YH], d, m->dh);
    back_of(s, &u, m, recurrent_at(p, m->in[GRAD_Y], recurrent_strides(p).direction * d));
    recurrent_weights_back(s, p, &back, d);
    if (m->out[DR])
        grad_r(s, a, p, m, recurrent_into(p, m->out[DR], d * p->wide * p->hidden));
    if (m->out[DB])
        grad_b(a, p, m, recurrent_into(p, m->out[DB], 2 * d * p->wide));
    recurrent_state_out(p, m->dh, d, m->out[DH0]);
}

static bool grad_run(struct step *s)
{
    const struct gru *a = s->attrs;
    const struct recurrent_plan p = plan_of(a, s->in[X], s->in[R]);
    const int64_t state = p.batch * p.hidden;
    struct grad_memory m;
    char *scratch = s->scratch;

    recurrent_values(s, &p, GRAD_INPUTS, m.in, GRADS, m.out, GRAD_KEPT, &scratch);
    m.x = recurrent_steps_first(&p, m.in[X], &scratch);
    m.dx = a->r.batch_first ? recurrent_take(&p, &scratch, p.rows * p.inputs) : m.out[DX];
    m.d = recurrent_take(&p, &scratch, p.rows * p.wide);
    m.inner = recurrent_take(&p, &scratch, p.rows * p.hidden);
    m.h_before = recurrent_take(&p, &scratch, p.rows * p.hidden);
    m.h0 = recurrent_take(&p, &scratch, state);
    m.dh = recurrent_take(&p, &scratch, state);
    m.from_zr = recurrent_take(&p, &scratch, state);
    m.from_h = recurrent_take(&p, &scratch, state);
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
    const struct gru *a = c->attrs;
    struct value *h = c->state[0], *from_h[GATES], *z, *r, *inner;

    if (a->linear_before_reset) {
        emit_parts(e, emit(e, "MatMul", "", 2, h, c->weights), GATES, from_h);
    } else {
        struct value *parts[GATES];

        emit_parts(e, c->weights, GATES, parts);
        for (int k = 0; k < 2; k++)
            from_h[k] = emit(e, "MatMul", "", 2, h, parts[k]);
        from_h[2] = parts[2];
    }
    z = emit_gate(e, c, 0, emit(e, "Add", "", 2, c->x[0], from_h[0]));
    r = emit_gate(e, c, 0, emit(e, "Add", "", 2, c->x[1], from_h[1]));
    inner = from_h[2];
    if (a->linear_before_reset)
        inner = emit(e, "Mul", "", 2, r, c->bias ? emit(e, "Add", "", 2, inner, c->bias) : inner);
    else
        inner = emit(e, "MatMul", "", 2, emit(e, "Mul", "", 2, r, h), inner);
    inner = emit_gate(e, c, 1, emit(e, "Add", "", 2, c->x[2], inner));
    c->state[0] = emit(e, "Add", "", 2, inner, emit(e, "Mul", "", 2, z, emit(e, "Sub", "", 2, h, inner)));
}

static const int gives[GRADS] = { X, W, R, B, H0 };

static bool retrace(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value *const *x,
                    struct retraced *r)
{
    const struct gru *a = n->attrs;
    const struct unrolled u = { .gates = GATES,
                                .states = 1,
                                .inputs = INPUTS,
                                .peepholes = UNKNOWN,
                                .own_last_bias = a->linear_before_reset,
                                .cell = spelled_cell };

    return recurrent_retrace(e, n, in, x, &u, GRADS, gives, r);
}

static const struct op gru_grad = {
    .name = "GRUGrad",
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
    return recurrent_gradient(b, &gru_grad, INPUTS, KEPT, GRADS, gives);
}

/* -- test -- */

#define WEIGHTS (1 << X | 1 << W | 1 << R)
#define ALL     (WEIGHTS | 1 << B | 1 << H0)

static const struct op_case cases_7[] = {
    { "f32[3,2,4] f32[1,9,4] f32[1,9,3]", "hidden_size=3", "f32[3,1,2,3] f32[1,2,3]", WEIGHTS },
    { "f64[4,2,3] f64[2,6,3] f64[2,6,2] f64[2,12] i32[2]{4,2} f64[2,2,2]", "hidden_size=2 direction='bidirectional'",
      "f64[4,2,2,2] f64[2,2,2]", ALL },
    { "f64[4,2,3] f64[2,6,3] f64[2,6,2] f64[2,12] i32[2]{3,0} f64[2,2,2]",
      "direction='bidirectional' linear_before_reset=1 activations=['Softsign','ScaledTanh','Sigmoid','Elu'] "
      "activation_alpha=[1.3,.7] activation_beta=[.6]",
      "f64[4,2,2,2] f64[2,2,2]", ALL },
    { "f64[3,2,2] f64[1,6,2] f64[1,6,2] f64[1,12]", "direction='reverse' linear_before_reset=1 clip=.7", "- f64[1,2,2]",
      WEIGHTS | 1 << B },
    { "f32[2,3,2] f32[1,3,2] f32[1,3,1]", "hidden_size=1 clip=.5", "f32[2,1,3,1]", 0 },
    { "f32[2,3,2] f32[1,3,2] f32[1,3,1]", "linear_before_reset=1", "f32[2,1,3,1]", WEIGHTS },
    { "f16[2,2,2] f16[1,6,2] f16[1,6,2]", "", "- f16[1,2,2]", 0 },
    { "f32[0,2,2] f32[1,6,2] f32[1,6,2]", "", "f32[0,1,2,2] f32[1,2,2]", 0 },
    { 0 },
};

static const struct op_case cases_3[] = {
    { "f64[3,2,2] f64[1,6,2] f64[1,6,2] f64[1,12]", "output_sequence=1 linear_before_reset=1", "f64[3,1,2,2]",
      WEIGHTS | 1 << B },
    { "f16[2,2,2] f16[1,6,2] f16[1,6,2]", "output_sequence=0", "- f16[1,2,2]", 0 },
    { 0 },
};
static const struct op_case cases_1[] = {
    { "f64[4,2,3] f64[2,6,3] f64[2,6,2] f64[2,12] i32[2]{4,2} f64[2,2,2]", "direction='bidirectional'",
      "f64[4,2,2,2] f64[2,2,2]", ALL },
    { "f32[2,2,2] f32[1,6,2] f32[1,6,2]", "output_sequence=1", "f32[2,1,2,2] f32[1,2,2]", 0 },
    { 0 },
};
static const struct op_case cases_14[] = {
    { "f32[3,2,4] f32[1,9,4] f32[1,9,3]", "hidden_size=3 layout=0", "f32[3,1,2,3] f32[1,2,3]", WEIGHTS },
    { "f64[2,4,3] f64[2,6,3] f64[2,6,2] f64[2,12] i32[2]{4,2} f64[2,2,2]",
      "hidden_size=2 direction='bidirectional' layout=1", "f64[2,4,2,2] f64[2,2,2]", ALL },
    { "f64[2,4,3] f64[2,6,3] f64[2,6,2] f64[2,12] i32[2]{1,4} f64[2,2,2]",
      "direction='bidirectional' layout=1 linear_before_reset=1", "f64[2,4,2,2] f64[2,2,2]", ALL },
    { "f64[3,2,2] f64[1,6,2] f64[1,6,2] f64[1,12]", "hidden_size=2 direction='reverse'", "f64[3,1,2,2]",
      WEIGHTS | 1 << B },
    { "f16[2,2,2] f16[1,6,2] f16[1,6,2]", "", "f16[2,1,2,2] f16[1,2,2]", 0 },
    { 0 },
};

#define ROW(version, optional, list, case_list)                                                                        \
    {                                                                                                                  \
        .since = version, .signature = "T X, T W, T R, T B?, T1 sequence_lens?, T initial_h? -> T Y?, T Y_h" optional, \
        .types = "T: " list "; T1: i32", .attrs_size = sizeof(struct gru), .parse = parse, .rank = rank,               \
        .infer = infer, .run = run, .gradient = gradient, .cost = recurrent_cost, .hidden = 1,                         \
        .parameters = recurrent_parameters, .cases = case_list                                                         \
    }

const struct op op_gru = {
    .name = "GRU",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "?", "floats bf16", cases_14),
                                     ROW(14, "?", "floats", cases_14),
                                     ROW(7, "?", "floats", cases_7),
                                     ROW(3, "?", "floats", cases_3),
                                     ROW(1, "", "floats", cases_1),
                                     { 0 } },
};
