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
#include "kernels/gemm.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/recurrent.h"
#include <string.h>

enum { X, W, R, B, LENGTHS, H0, C0, P, INPUTS }; /* inputs */
enum { Y, Y_H, Y_C, KEPT };                      /* outputs; the last one is hidden */
enum {
    GRAD_KEPT = INPUTS,
    GRAD_Y,
    GRAD_YH,
    GRAD_YC,
    GRAD_INPUTS
};                                            /* inputs of the gradient, after LSTM's own (B is not read) */
enum { DX, DW, DR, DB, DH0, DC0, DP, GRADS }; /* outputs of the gradient */

struct lstm {
    struct recurrent r;
    bool input_forget;
};

struct lstm_strides { /* of Y, in elements */
    int64_t step, batch, direction;
};

#define REAL    float
#define NAME(x) x##_f32
#include "ops/lstm_body.h"
#define REAL    double
#define NAME(x) x##_f64
#include "ops/lstm_body.h"
#include "ops/rank.h"

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const defaults[] = { "Sigmoid", "Tanh", "Tanh" };
    struct lstm *a = attrs;

    a->input_forget = attr_int(p, "input_forget", 0) != 0;
    return recurrent_parse(p, &a->r, 3, defaults);
}

/* -- plan -- */

/* Everything that run needs to know of the shapes. */
struct lstm_plan {
    struct recurrent_shape n;
    int64_t hidden, rows; /* of one step; steps * batch */
    int directions;
    enum dtype compute;
    size_t real; /* bytes of one */
};

static struct lstm_plan plan_of(const struct lstm *a, const struct tensor *x, const struct tensor *r)
{
    struct lstm_plan p = { .n = recurrent_shape(&a->r, x), .hidden = r->dims[2], .directions = a->r.directions };

    p.rows = p.n.steps * p.n.batch;
    p.compute = dtype_compute(x->dtype);
    p.real = dtype_size(p.compute);
    return p;
}

static struct lstm_strides strides_of(const struct lstm *a, const struct lstm_plan *p)
{
    const int64_t d = p->directions, h = p->hidden;

    if (a->r.batch_first)
        return (struct lstm_strides){ d * h, p->n.steps * d * h, h };
    return (struct lstm_strides){ d * p->n.batch * h, h, p->n.batch * h };
}

/* rows x columns of `a` times the transpose of what lies as [n, k] (or, with `plain`, times what lies as [k, n]). */
static struct gemm product(const struct lstm_plan *p, int64_t m, int64_t n, int64_t k, bool plain)
{
    return (struct gemm){ .dtype = p->compute,
                          .m = m,
                          .n = n,
                          .k = k,
                          .a_row = k,
                          .a_col = 1,
                          .b_row = plain ? n : 1,
                          .b_col = plain ? 1 : k,
                          .c_row = n,
                          .c_col = 1,
                          .alpha = 1 };
}

/* dz' times what lies as [rows, n]: a product over all rows. */
static struct gemm over_rows(const struct lstm_plan *p, int64_t n)
{
    struct gemm g = product(p, 4 * p->hidden, n, p->rows, true);

    g.a_row = 1;
    g.a_col = 4 * p->hidden;
    return g;
}

static size_t reals(const struct lstm_plan *p, int64_t n)
{
    return aligned((size_t)n * p->real);
}

static bool fits(const struct lstm_plan *p)
{
    int64_t n;

    return mul_size(p->n.steps, p->n.batch, &n) && mul_size(n, 16 * 2, &n) &&
           (mul_size(n, p->hidden, &n) && mul_size(n, 8, &n)) && n < INT64_MAX / 16;
}

static bool set_state_out(struct infer *i, int k, const struct lstm *a, const struct lstm_plan *p)
{
    const int64_t dims[3] = { a->r.batch_first ? p->n.batch : p->directions,
                              a->r.batch_first ? p->directions : p->n.batch, p->hidden };

    return set_out(i, k, typed_in(i, X)->dtype, 3, dims);
}

static int rank(const struct node *n, int k)
{
    (void)n;
    return k == Y ? 4 : 3;
}

static bool infer(struct infer *i)
{
    const struct lstm *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    struct lstm_plan p;
    size_t bytes = 0;

    if (!recurrent_check(i, &a->r, 4))
        return false;
    p = plan_of(a, x, typed_in(i, R));
    if (!fits(&p))
        return infer_error(i, "a sequence of this length has more bytes than can be counted");
    if (typed_in(i, P) && (typed_in(i, P)->rank != 2 || typed_in(i, P)->dims[0] != p.directions ||
                           typed_in(i, P)->dims[1] != 3 * p.hidden))
        return infer_error(i, "'P' must have shape [%d,%lld]", p.directions, (long long)(3 * p.hidden));
    {
        const int64_t steps_first[4] = { p.n.steps, p.directions, p.n.batch, p.hidden };
        const int64_t batch_first[4] = { p.n.batch, p.n.steps, p.directions, p.hidden };
        const int64_t kept[4] = { p.directions, p.n.steps, p.n.batch, 6 * p.hidden };

        if (!set_out(i, Y, x->dtype, 4, a->r.batch_first ? batch_first : steps_first) ||
            !set_state_out(i, Y_H, a, &p) || !set_state_out(i, Y_C, a, &p) || !set_out(i, KEPT, p.compute, 4, kept))
            return false;
    }
    for (int k = 0; k < INPUTS; k++)
        bytes += k == LENGTHS ? 0 : compute_bytes(typed_in(i, k), p.compute);
    for (int k = Y; k <= Y_C; k++)
        bytes += compute_bytes(typed_out(i, k), p.compute);
    bytes += reals(&p, p.rows * p.n.inputs) + reals(&p, p.rows * 4 * p.hidden) +
             3 * reals(&p, p.n.batch * 4 * p.hidden) + 2 * reals(&p, p.n.batch * 6 * p.hidden) +
             reals(&p, 4 * p.hidden);
    {
        const struct gemm in = product(&p, p.rows, 4 * p.hidden, p.n.inputs, false);
        const struct gemm step = product(&p, p.n.batch, 4 * p.hidden, p.hidden, false);
        const size_t one = gemm_scratch(infer_kernels(i), &in, infer_threads(i));
        const size_t other = gemm_scratch(infer_kernels(i), &step, infer_threads(i));

        need_scratch(i, bytes + (one > other ? one : other) + 64);
    }
    return true;
}

/* -- run -- */

static void *take(char **scratch, size_t bytes)
{
    void *p = *scratch;

    *scratch += aligned(bytes);
    return p;
}

/* X with the steps first. */
static const void *steps_first(const struct lstm *a, const struct lstm_plan *p, const void *x, char **scratch)
{
    const size_t row = (size_t)p->n.inputs * p->real;
    char *to;

    if (!a->r.batch_first)
        return x;
    to = take(scratch, (size_t)p->rows * row);
    for (int64_t b = 0; b < p->n.batch; b++)
        for (int64_t t = 0; t < p->n.steps; t++)
            if (row)
                memcpy(to + (size_t)(t * p->n.batch + b) * row, (const char *)x + (size_t)(b * p->n.steps + t) * row,
                       row);
    return to;
}

/* A state of one direction, [batch, hidden]: from where it lies, or 0. */
static void state_in(const struct lstm *a, const struct lstm_plan *p, const void *all, int direction, void *to)
{
    const size_t row = (size_t)p->hidden * p->real;

    for (int64_t b = 0; b < p->n.batch; b++) {
        const int64_t at = a->r.batch_first ? b * p->directions + direction : direction * p->n.batch + b;

        if (all)
            memcpy((char *)to + (size_t)b * row, (const char *)all + (size_t)at * row, row);
        else
            memset((char *)to + (size_t)b * row, 0, row);
    }
}

static void state_out(const struct lstm *a, const struct lstm_plan *p, const void *from, int direction, void *all)
{
    const size_t row = (size_t)p->hidden * p->real;

    for (int64_t b = 0; all && b < p->n.batch; b++) {
        const int64_t at = a->r.batch_first ? b * p->directions + direction : direction * p->n.batch + b;

        memcpy((char *)all + (size_t)at * row, (const char *)from + (size_t)b * row, row);
    }
}

/* Both biases of a direction, added; NULL where there is none. */
static const void *bias_of(const struct lstm_plan *p, const void *all, int direction, void *to)
{
    const int64_t n = 4 * p->hidden;

    if (!all)
        return NULL;
    for (int64_t k = 0; k < n; k++)
        if (p->compute == F64)
            ((double *)to)[k] =
                ((const double *)all)[2 * n * direction + k] + ((const double *)all)[2 * n * direction + n + k];
        else
            ((float *)to)[k] =
                ((const float *)all)[2 * n * direction + k] + ((const float *)all)[2 * n * direction + n + k];
    return to;
}

static const void *offset(const void *p, int64_t elements, size_t real)
{
    return p ? (const char *)p + elements * (int64_t)real : NULL;
}

struct lstm_run { /* of one direction, whatever the type */
    const struct lstm *a;
    struct lstm_plan p;
    int direction;
    const int32_t *lengths;
    const void *r, *peephole;
    void *kept;
    bool keep;
};

#define DIRECTION(u, type)                                                                                             \
    {                                                                                                                  \
        .a = (u)->a, .act = (u)->a->r.act + 3 * (u)->direction, .n = (u)->p.n, .hidden = (u)->p.hidden,                \
        .reverse = (u)->a->r.reverse || (u)->direction == 1, .lengths = (u)->lengths, .peephole = (u)->peephole,       \
        .kept = (u)->kept, .keep = (u)->keep                                                                           \
    }

static void steps_of(struct step *s, const struct lstm_run *u, const void *z, void *rz, void *h, void *c, void *y,
                     void *gemm_memory)
{
    const struct lstm_strides ys = strides_of(u->a, &u->p);
    struct gemm g = product(&u->p, u->p.n.batch, 4 * u->p.hidden, u->p.hidden, false);

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
    const struct lstm_plan p = plan_of(a, s->in[X], s->in[R]);
    const int64_t wide = 4 * p.hidden;
    const void *in[INPUTS], *x;
    void *y, *y_h, *y_c, *z, *rz, *h, *c, *bias, *one_step;
    char *scratch = s->scratch;

    if (!recurrent_check_lengths(s, s->in[LENGTHS], p.n.steps))
        return false;
    for (int k = 0; k < INPUTS; k++)
        in[k] = k == LENGTHS ? NULL : compute_in(s->in[k], p.compute, &scratch);
    y = compute_out(s->out[Y], p.compute, &scratch);
    y_h = compute_out(s->out[Y_H], p.compute, &scratch);
    y_c = compute_out(s->out[Y_C], p.compute, &scratch);
    x = steps_first(a, &p, in[X], &scratch);
    z = take(&scratch, (size_t)(p.rows * wide) * p.real);
    rz = take(&scratch, (size_t)(p.n.batch * wide) * p.real);
    h = take(&scratch, (size_t)(p.n.batch * p.hidden) * p.real);
    c = take(&scratch, (size_t)(p.n.batch * p.hidden) * p.real);
    one_step = take(&scratch, (size_t)(p.n.batch * 6 * p.hidden) * p.real);
    bias = take(&scratch, (size_t)wide * p.real);
    for (int d = 0; d < p.directions; d++) {
        const struct lstm_run u = {
            .a = a,
            .p = p,
            .direction = d,
            .lengths = s->in[LENGTHS] ? s->in[LENGTHS]->data : NULL,
            .r = offset(in[R], d * wide * p.hidden, p.real),
            .peephole = offset(in[P], d * 3 * p.hidden, p.real),
            .kept = s->out[KEPT] ? (char *)s->out[KEPT]->data + (size_t)(d * p.rows * 6 * p.hidden) * p.real : one_step,
            .keep = s->out[KEPT]
        };
        struct gemm g = product(&p, p.rows, wide, p.n.inputs, false);

        g.a = x;
        g.b = offset(in[W], d * wide * p.n.inputs, p.real);
        g.c = z;
        g.column_bias = bias_of(&p, in[B], d, bias);
        gemm(s->k, s->pool, &g, scratch);
        state_in(a, &p, in[H0], d, h);
        state_in(a, &p, in[C0], d, c);
        steps_of(s, &u, z, rz, h, c, y ? (char *)y + (size_t)(strides_of(a, &p).direction * d) * p.real : NULL,
                 scratch);
        state_out(a, &p, h, d, y_h);
        state_out(a, &p, c, d, y_c);
    }
    for (int k = Y; k <= Y_C; k++)
        compute_store(s->out[k], p.compute, k == Y ? y : k == Y_H ? y_h : y_c);
    return true;
}

/* -- differentiate -- */

static bool grad_infer(struct infer *i)
{
    static const int like[GRADS] = { X, W, R, -1, H0, C0, P };
    const struct lstm *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, X);
    const struct lstm_plan p = plan_of(a, x, typed_in(i, R));
    const int64_t bias[2] = { p.directions, 8 * p.hidden };
    size_t bytes = 0, most = 0;

    for (int k = 0; k < GRADS; k++)
        if (typed_out(i, k)) {
            const struct tensor *t = like[k] < 0 ? NULL : typed_in(i, like[k]);

            if (t ? !set_out(i, k, t->dtype, t->rank, t->dims) : !set_out(i, k, x->dtype, 2, bias))
                return false;
            bytes += compute_bytes(typed_out(i, k), p.compute);
        }
    for (int k = 0; k < GRAD_INPUTS; k++)
        bytes += k == LENGTHS || k == GRAD_KEPT ? 0 : compute_bytes(typed_in(i, k), p.compute);
    bytes += 2 * reals(&p, p.rows * p.n.inputs) + reals(&p, p.rows * 4 * p.hidden) + reals(&p, p.rows * p.hidden) +
             5 * reals(&p, p.n.batch * p.hidden) + reals(&p, 3 * p.hidden);
    for (int k = 0; k < 4; k++) {
        const struct gemm g = k == 0   ? product(&p, p.n.batch, p.hidden, 4 * p.hidden, true)
                              : k == 1 ? product(&p, p.rows, p.n.inputs, 4 * p.hidden, true)
                              : k == 2 ? over_rows(&p, p.n.inputs)
                                       : over_rows(&p, p.hidden);
        const size_t need = gemm_scratch(infer_kernels(i), &g, infer_threads(i));

        most = need > most ? need : most;
    }
    need_scratch(i, bytes + most + 64);
    return true;
}

static void back_of(struct step *s, const struct lstm_run *u, const void *h0, const void *c0, const void *dy, void *dz,
                    void *h_before, void *dh, void *dc, void *dp, void *from_r, void *gemm_memory)
{
    const struct lstm_strides ys = strides_of(u->a, &u->p);
    struct gemm g = product(&u->p, u->p.n.batch, u->p.hidden, 4 * u->p.hidden, true);

    if (u->p.compute == F64) {
        const struct lstm_direction_f64 d = DIRECTION(u, double);

        lstm_back_f64(s, &d, u->r, h0, c0, dy, &ys, dz, h_before, dh, dc, dp, from_r, &g, gemm_memory);
    } else {
        const struct lstm_direction_f32 d = DIRECTION(u, float);

        lstm_back_f32(s, &d, u->r, h0, c0, dy, &ys, dz, h_before, dh, dc, dp, from_r, &g, gemm_memory);
    }
}

/* The biases' gradients, both the same: sums of dz over all rows, in order. */
static void bias_grad(const struct lstm_plan *p, const void *dz, int direction, void *db)
{
    const int64_t n = 4 * p->hidden;

    for (int64_t k = 0; k < n; k++) {
        double sum = 0;

        for (int64_t row = 0; row < p->rows; row++)
            sum += p->compute == F64 ? ((const double *)dz)[row * n + k] : (double)((const float *)dz)[row * n + k];
        for (int half = 0; half < 2; half++)
            if (p->compute == F64)
                ((double *)db)[2 * n * direction + half * n + k] = sum;
            else
                ((float *)db)[2 * n * direction + half * n + k] = (float)sum;
    }
}

/* dX with the batch first, where X has it so. */
static void store_dx(const struct lstm *a, const struct lstm_plan *p, const void *from, void *dx)
{
    const size_t row = (size_t)p->n.inputs * p->real;

    for (int64_t b = 0; a->r.batch_first && row && b < p->n.batch; b++)
        for (int64_t t = 0; t < p->n.steps; t++)
            memcpy((char *)dx + (size_t)(b * p->n.steps + t) * row,
                   (const char *)from + (size_t)(t * p->n.batch + b) * row, row);
}

struct grad_memory {
    const void *in[GRAD_INPUTS], *x;
    void *out[GRADS], *dx, *dz, *h_before, *h0, *c0, *dh, *dc, *from_r, *dp, *gemm;
};

static void grad_direction(struct step *s, const struct lstm *a, const struct lstm_plan *p, struct grad_memory *m,
                           int d)
{
    const int64_t wide = 4 * p->hidden;
    const struct lstm_run u = { .a = a,
                                .p = *p,
                                .direction = d,
                                .lengths = s->in[LENGTHS] ? s->in[LENGTHS]->data : NULL,
                                .r = offset(m->in[R], d * wide * p->hidden, p->real),
                                .peephole = offset(m->in[P], d * 3 * p->hidden, p->real),
                                .kept =
                                    (char *)s->in[GRAD_KEPT]->data + (size_t)(d * p->rows * 6 * p->hidden) * p->real,
                                .keep = true };
    struct gemm g;

    state_in(a, p, m->in[H0], d, m->h0);
    state_in(a, p, m->in[C0], d, m->c0);
    state_in(a, p, m->in[GRAD_YH], d, m->dh);
    state_in(a, p, m->in[GRAD_YC], d, m->dc);
    memset(m->dp, 0, (size_t)(3 * p->hidden) * p->real);
    back_of(s, &u, m->h0, m->c0, offset(m->in[GRAD_Y], strides_of(a, p).direction * d, p->real), m->dz, m->h_before,
            m->dh, m->dc, m->dp, m->from_r, m->gemm);
    if (m->out[DX]) {
        g = product(p, p->rows, p->n.inputs, wide, true);
        g.a = m->dz;
        g.b = offset(m->in[W], d * wide * p->n.inputs, p->real);
        g.c = m->dx;
        g.beta = d;
        gemm(s->k, s->pool, &g, m->gemm);
    }
    if (m->out[DW]) {
        g = over_rows(p, p->n.inputs);
        g.a = m->dz;
        g.b = m->x;
        g.c = (char *)m->out[DW] + (size_t)(d * wide * p->n.inputs) * p->real;
        gemm(s->k, s->pool, &g, m->gemm);
    }
    if (m->out[DR]) {
        g = over_rows(p, p->hidden);
        g.a = m->dz;
        g.b = m->h_before;
        g.c = (char *)m->out[DR] + (size_t)(d * wide * p->hidden) * p->real;
        gemm(s->k, s->pool, &g, m->gemm);
    }
    if (m->out[DB])
        bias_grad(p, m->dz, d, m->out[DB]);
    if (m->out[DP])
        memcpy((char *)m->out[DP] + (size_t)(d * 3 * p->hidden) * p->real, m->dp, (size_t)(3 * p->hidden) * p->real);
    state_out(a, p, m->dh, d, m->out[DH0]);
    state_out(a, p, m->dc, d, m->out[DC0]);
}

static bool grad_run(struct step *s)
{
    const struct lstm *a = s->attrs;
    const struct lstm_plan p = plan_of(a, s->in[X], s->in[R]);
    const size_t state = (size_t)(p.n.batch * p.hidden) * p.real;
    struct grad_memory m;
    char *scratch = s->scratch;

    for (int k = 0; k < GRAD_INPUTS; k++)
        m.in[k] = k == LENGTHS || k == GRAD_KEPT ? NULL : compute_in(s->in[k], p.compute, &scratch);
    for (int k = 0; k < GRADS; k++)
        m.out[k] = compute_out(s->out[k], p.compute, &scratch);
    m.x = steps_first(a, &p, m.in[X], &scratch);
    m.dx = a->r.batch_first ? take(&scratch, (size_t)(p.rows * p.n.inputs) * p.real) : m.out[DX];
    m.dz = take(&scratch, (size_t)(p.rows * 4 * p.hidden) * p.real);
    m.h_before = take(&scratch, (size_t)(p.rows * p.hidden) * p.real);
    m.h0 = take(&scratch, state);
    m.c0 = take(&scratch, state);
    m.dh = take(&scratch, state);
    m.dc = take(&scratch, state);
    m.from_r = take(&scratch, state);
    m.dp = take(&scratch, (size_t)(3 * p.hidden) * p.real);
    m.gemm = scratch;
    for (int d = 0; d < p.directions; d++)
        grad_direction(s, a, &p, &m, d);
    if (m.out[DX])
        store_dx(a, &p, m.dx, m.out[DX]);
    for (int k = 0; k < GRADS; k++)
        compute_store(s->out[k], p.compute, m.out[k]);
    return true;
}

/* The products of the gates: for each step of each sequence all weights. */
static double product_flops(const struct tensor *const *in)
{
    const double inputs = (double)in[X]->dims[in[X]->rank - 1];

    return inputs > 0 ? 2 * cost_count(in[X]) / inputs * (cost_count(in[W]) + cost_count(in[R])) : 0;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = product_flops(in);
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = 2 * product_flops(in);
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
              .infer = grad_infer,
              .run = grad_run,
              .cost = grad_cost,
              .no_gradient = "second derivatives of LSTM are not supported" },
            { 0 } },
};

static bool gradient(struct backward *b)
{
    static const int gives[GRADS] = { X, W, R, B, H0, C0, P };
    struct value *in[GRAD_INPUTS], *d[GRADS];
    bool want[GRADS];

    for (int k = 0; k < INPUTS; k++)
        in[k] = k == B ? NULL : forward_in(b, k);
    in[GRAD_KEPT] = forward_out(b, KEPT);
    for (int k = Y; k <= Y_C; k++)
        in[GRAD_Y + k] = upstream(b, k);
    for (int k = 0; k < GRADS; k++)
        want[k] = wants(b, gives[k]);
    if (emit_private(emitter_of(b), &lstm_grad, attrs_of(b), GRADS, d, want, GRAD_INPUTS, in))
        for (int k = 0; k < GRADS; k++)
            give(b, gives[k], d[k]);
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, W, "weight", "glorot_uniform", recurrent_fans },
    { PARAMETER_TRAINS, R, "recurrent weight", "orthogonal", recurrent_fans },
    { PARAMETER_TRAINS, B, "bias", "zeros", NULL },
    { PARAMETER_TRAINS, P, "peephole weight", "glorot_uniform", recurrent_fans },
    { 0 },
};

/* -- test -- */

#define WEIGHTS (1 << X | 1 << W | 1 << R)

static const struct op_case cases_1[] = {
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
        .types = "T: " list "; T1: i32", .attrs_size = sizeof(struct lstm), .parse = parse, .rank = rank,              \
        .infer = infer, .run = run, .gradient = gradient, .cost = cost, .hidden = 1, .parameters = parameters,         \
        .cases = case_list                                                                                             \
    }

const struct op op_lstm = {
    .name = "LSTM",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(22, "floats bf16", cases_14), ROW(14, "floats", cases_14), ROW(7, "floats", cases_1), { 0 } },
};
