#include "ops/recurrent.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include <math.h>
#include <string.h>

/* -- read -- */

static const struct {
    const char *name;
    double alpha, beta; /* defaults */
} activations[] = {
    [ACT_RELU] = { "Relu", 0, 0 },
    [ACT_TANH] = { "Tanh", 0, 0 },
    [ACT_SIGMOID] = { "Sigmoid", 0, 0 },
    [ACT_AFFINE] = { "Affine", 1, 0 },
    [ACT_LEAKY_RELU] = { "LeakyRelu", 0.01, 0 },
    [ACT_THRESHOLDED_RELU] = { "ThresholdedRelu", 1, 0 },
    [ACT_SCALED_TANH] = { "ScaledTanh", 1, 1 },
    [ACT_HARD_SIGMOID] = { "HardSigmoid", 0.2, 0.5 },
    [ACT_ELU] = { "Elu", 1, 0 },
    [ACT_SOFTSIGN] = { "Softsign", 0, 0 },
    [ACT_SOFTPLUS] = { "Softplus", 0, 0 },
};

/* Names are compared without regard to case, as the standard asks. */
static bool activation_named(const char *name, size_t length, struct activation *out)
{
    for (size_t k = 0; k < sizeof activations / sizeof *activations; k++)
        if (strlen(activations[k].name) == length && strncasecmp(activations[k].name, name, length) == 0) {
            *out = (struct activation){ (enum activation_kind)k, activations[k].alpha, activations[k].beta };
            return true;
        }
    return false;
}

static bool takes_alpha(enum activation_kind k)
{
    return k == ACT_AFFINE || k == ACT_LEAKY_RELU || k == ACT_THRESHOLDED_RELU || k == ACT_SCALED_TANH ||
           k == ACT_HARD_SIGMOID || k == ACT_ELU;
}

static bool takes_beta(enum activation_kind k)
{
    return k == ACT_AFFINE || k == ACT_SCALED_TANH || k == ACT_HARD_SIGMOID;
}

/* Values are handed out in order to the activations that take one; what is missing at the end has its default. */
static bool read_parameters(struct parse *p, struct recurrent *r, int count)
{
    const struct attr *alpha = attr_any(p, "activation_alpha"), *beta = attr_any(p, "activation_beta");
    size_t a = 0, b = 0;

    if ((alpha && alpha->type != ATTR_FLOATS) || (beta && beta->type != ATTR_FLOATS))
        return parse_error(p, "activation_alpha and activation_beta must be floats");
    for (int k = 0; k < count; k++) {
        if (alpha && takes_alpha(r->act[k].kind) && a < alpha->count)
            r->act[k].alpha = (double)alpha->floats[a++];
        if (beta && takes_beta(r->act[k].kind) && b < beta->count)
            r->act[k].beta = (double)beta->floats[b++];
    }
    return true;
}

bool recurrent_parse(struct parse *p, struct recurrent *r, int each, const char *const *defaults)
{
    static const char *const directions[] = { "forward", "reverse", "bidirectional", NULL };
    const int direction = attr_choice(p, "direction", directions, 0);
    const struct attr *names = attr_any(p, "activations");
    const int64_t layout = parse_opset(p) >= 14 ? attr_int(p, "layout", 0) : 0;

    r->directions = direction == 2 ? 2 : 1;
    r->reverse = direction == 1;
    r->hidden = attr_int(p, "hidden_size", 0);
    r->clip = (double)attr_float(p, "clip", 0);
    r->batch_first = layout == 1;
    if (parse_opset(p) < 7) /* is Y wanted? An output that is left out says that it is not */
        attr_int(p, "output_sequence", 0);
    if (layout != 0 && layout != 1)
        return parse_error(p, "layout is %lld, must be 0 or 1", (long long)layout);
    if (!(r->clip >= 0))
        return parse_error(p, "clip is %g, must be at least 0", r->clip);
    if (attr_given(p, "hidden_size") && r->hidden < 1)
        return parse_error(p, "hidden_size is %lld, must be at least 1", (long long)r->hidden);
    if (names && (names->type != ATTR_STRINGS || names->count != (size_t)(each * r->directions)))
        return parse_error(p, "activations has %zu names, must have %d", names->type == ATTR_STRINGS ? names->count : 0,
                           each * r->directions);
    for (int k = 0; k < each * r->directions; k++) {
        const struct bytes name =
            names ? names->strings[k] : (struct bytes){ strlen(defaults[k % each]), defaults[k % each] };

        if (!activation_named(name.data, name.length, &r->act[k]))
            return parse_error(p, "activation '%.*s' is unknown", (int)(name.length < 40 ? name.length : 40),
                               name.data);
    }
    return read_parameters(p, r, each * r->directions);
}

/* -- plan -- */

enum { X, W, R, B, LENGTHS, H0 }; /* inputs */

struct recurrent_plan recurrent_plan(const struct recurrent *r, int gates, const struct tensor *x,
                                     const struct tensor *weights_r)
{
    struct recurrent_plan p = { .r = r,
                                .steps = x->dims[r->batch_first],
                                .batch = x->dims[!r->batch_first],
                                .inputs = x->dims[2],
                                .hidden = weights_r->dims[2] };

    p.rows = p.steps * p.batch;
    p.wide = gates * p.hidden;
    p.compute = dtype_compute(x->dtype);
    p.real = dtype_size(p.compute);
    return p;
}

static bool check_shape(struct infer *i, int k, const char *name, int rank, int64_t a, int64_t b, int64_t c)
{
    const struct tensor *t = typed_in(i, k);
    const int64_t need[3] = { a, b, c };
    char got[TYPE_TEXT];
    bool fits = !t || t->rank == rank;

    for (int d = 0; t && fits && d < rank; d++)
        fits = t->dims[d] == need[d];
    if (fits)
        return true;
    return rank == 3   ? infer_error(i, "'%s' is %s, must be [%lld,%lld,%lld]", name, tensor_text(t, got), (long long)a,
                                     (long long)b, (long long)c)
           : rank == 2 ? infer_error(i, "'%s' is %s, must be [%lld,%lld]", name, tensor_text(t, got), (long long)a,
                                     (long long)b)
                       : infer_error(i, "'%s' is %s, must be [%lld]", name, tensor_text(t, got), (long long)a);
}

struct fans recurrent_fans(const struct node *n, int input, const struct tensor *t)
{
    (void)n;
    (void)input;
    return (struct fans){ (double)t->dims[t->rank - 1], (double)t->dims[t->rank - 2] };
}

const struct op_parameter recurrent_parameters[] = {
    { PARAMETER_TRAINS, W, "weight", "glorot_uniform", recurrent_fans },
    { PARAMETER_TRAINS, R, "recurrent weight", "orthogonal", recurrent_fans },
    { PARAMETER_TRAINS_IN_HALVES, B, "bias", "zeros", NULL },
    { PARAMETER_TRAINS_AS_STATE, H0, "initial state", "zeros", NULL },
    { 0 },
};

static bool countable(const struct recurrent_plan *p, int kept)
{
    int64_t n;

    return mul_size(p->steps, p->batch, &n) && mul_size(n, 32, &n) && mul_size(n, p->hidden, &n) &&
           mul_size(n, kept + 2, &n) && n < INT64_MAX / 16;
}

bool recurrent_check(struct infer *i, const struct recurrent *r, int gates, int kept)
{
    const struct tensor *x = typed_in(i, X), *w = typed_in(i, W), *h = typed_in(i, R);
    struct recurrent_plan p;
    int64_t wide, d = r->directions, hidden;

    if (x->rank != 3 || w->rank != 3 || h->rank != 3)
        return infer_error(i, "'X', 'W' and 'R' have %d, %d and %d dimensions, must have 3", x->rank, w->rank, h->rank);
    hidden = h->dims[2];
    if (r->hidden && r->hidden != hidden)
        return infer_error(i, "hidden_size is %lld, but 'R' has %lld columns", (long long)r->hidden, (long long)hidden);
    if (!mul_size(hidden, 2 * gates, &wide))
        return infer_error(i, "'R' has %lld columns, too many", (long long)hidden);
    p = recurrent_plan(r, gates, x, h);
    if (!check_shape(i, W, "W", 3, d, p.wide, p.inputs) || !check_shape(i, R, "R", 3, d, p.wide, hidden) ||
        !check_shape(i, B, "B", 2, d, 2 * p.wide, 0) || !check_shape(i, LENGTHS, "sequence_lens", 1, p.batch, 0, 0))
        return false;
    for (int k = H0; k <= (gates == 4 ? H0 + 1 : H0); k++)
        if (!check_shape(i, k, k == H0 ? "initial_h" : "initial_c", 3, r->batch_first ? p.batch : d,
                         r->batch_first ? d : p.batch, hidden))
            return false;
    return countable(&p, kept) || infer_error(i, "a sequence of this length has more bytes than can be counted");
}

bool recurrent_set_outs(struct infer *i, const struct recurrent_plan *p, int states, int kept)
{
    const bool first = p->r->batch_first;
    const int64_t d = p->r->directions;
    const int64_t y[4] = { first ? p->batch : p->steps, first ? p->steps : d, first ? d : p->batch, p->hidden };
    const int64_t state[3] = { first ? p->batch : d, first ? d : p->batch, p->hidden };
    const int64_t all[4] = { d, p->steps, p->batch, kept * p->hidden };
    bool ok = set_out(i, 0, typed_in(i, X)->dtype, 4, y);

    for (int k = 1; ok && k <= states; k++)
        ok = set_out(i, k, typed_in(i, X)->dtype, 3, state);
    return ok && set_out(i, states + 1, p->compute, 4, all);
}

bool recurrent_check_lengths(struct step *s, const struct tensor *lengths, int64_t steps)
{
    const int32_t *l = lengths ? lengths->data : NULL;

    for (int64_t b = 0; l && b < lengths->dims[0]; b++)
        if (l[b] < 0 || l[b] > steps)
            return step_error(s, "sequence_lens[%lld] is %d, must be from 0 to %lld", (long long)b, (int)l[b],
                              (long long)steps);
    return true;
}

/* -- memory -- */

size_t recurrent_reals(const struct recurrent_plan *p, int64_t n)
{
    return aligned((size_t)n * p->real);
}

void *recurrent_take(const struct recurrent_plan *p, char **scratch, int64_t n)
{
    void *taken = *scratch;

    *scratch += recurrent_reals(p, n);
    return taken;
}

const void *recurrent_at(const struct recurrent_plan *p, const void *base, int64_t n)
{
    return base ? (const char *)base + n * (int64_t)p->real : NULL;
}

void *recurrent_into(const struct recurrent_plan *p, void *base, int64_t n)
{
    return base ? (char *)base + n * (int64_t)p->real : NULL;
}

size_t recurrent_values_bytes(struct infer *i, const struct recurrent_plan *p, int inputs, int outputs, int kept)
{
    size_t bytes = 0;

    for (int k = 0; k < inputs; k++)
        bytes += k == LENGTHS || k == kept ? 0 : compute_bytes(typed_in(i, k), p->compute);
    for (int k = 0; k < outputs; k++)
        bytes += compute_bytes(typed_out(i, k), p->compute);
    return bytes;
}

void recurrent_values(struct step *s, const struct recurrent_plan *p, int inputs, const void **in, int outputs,
                      void **out, int kept, char **scratch)
{
    for (int k = 0; k < inputs; k++)
        in[k] = k == LENGTHS || k == kept ? NULL : compute_in(s->in[k], p->compute, scratch);
    for (int k = 0; k < outputs; k++)
        out[k] = compute_out(s->out[k], p->compute, scratch);
}

struct recurrent_strides recurrent_strides(const struct recurrent_plan *p)
{
    const int64_t d = p->r->directions, h = p->hidden;

    if (p->r->batch_first)
        return (struct recurrent_strides){ d * h, p->steps * d * h, h };
    return (struct recurrent_strides){ d * p->batch * h, h, p->batch * h };
}

const void *recurrent_steps_first(const struct recurrent_plan *p, const void *x, char **scratch)
{
    const size_t row = (size_t)p->inputs * p->real;
    char *to;

    if (!p->r->batch_first)
        return x;
    to = recurrent_take(p, scratch, p->rows * p->inputs);
    for (int64_t b = 0; b < p->batch && row; b++)
        for (int64_t t = 0; t < p->steps; t++)
            memcpy(to + (size_t)(t * p->batch + b) * row, (const char *)x + (size_t)(b * p->steps + t) * row, row);
    return to;
}

void recurrent_store_dx(const struct recurrent_plan *p, const void *from, void *dx)
{
    const size_t row = (size_t)p->inputs * p->real;

    for (int64_t b = 0; p->r->batch_first && row && b < p->batch; b++)
        for (int64_t t = 0; t < p->steps; t++)
            memcpy((char *)dx + (size_t)(b * p->steps + t) * row, (const char *)from + (size_t)(t * p->batch + b) * row,
                   row);
}

/* The row of a sequence in a state. */
static size_t state_row(const struct recurrent_plan *p, int direction, int64_t b)
{
    return (size_t)(p->r->batch_first ? b * p->r->directions + direction : direction * p->batch + b);
}

void recurrent_state_in(const struct recurrent_plan *p, const void *all, int direction, void *to)
{
    const size_t row = (size_t)p->hidden * p->real;

    for (int64_t b = 0; b < p->batch; b++)
        if (all)
            memcpy((char *)to + (size_t)b * row, (const char *)all + state_row(p, direction, b) * row, row);
        else
            memset((char *)to + (size_t)b * row, 0, row);
}

void recurrent_state_out(const struct recurrent_plan *p, const void *from, int direction, void *all)
{
    const size_t row = (size_t)p->hidden * p->real;

    for (int64_t b = 0; all && b < p->batch; b++)
        memcpy((char *)all + state_row(p, direction, b) * row, (const char *)from + (size_t)b * row, row);
}

/* -- products -- */

struct gemm recurrent_product(const struct recurrent_plan *p, int64_t m, int64_t n, int64_t k, bool plain)
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

struct gemm recurrent_over_rows(const struct recurrent_plan *p, int64_t m, int64_t n, int64_t a_col)
{
    struct gemm g = recurrent_product(p, m, n, p->rows, true);

    g.a_row = 1;
    g.a_col = a_col;
    return g;
}

size_t recurrent_gemm_scratch(struct infer *i, int count, const struct gemm *g)
{
    size_t most = 0;

    for (int k = 0; k < count; k++) {
        const size_t need = gemm_scratch(infer_kernels(i), &g[k], infer_threads(i));

        most = need > most ? need : most;
    }
    return most;
}

const void *recurrent_bias(const struct recurrent_plan *p, const void *all, int direction, int64_t both, void *to)
{
    const int64_t n = p->wide, at = 2 * n * direction;

    if (!all)
        return NULL;
    for (int64_t k = 0; k < n; k++)
        if (p->compute == F64)
            ((double *)to)[k] = ((const double *)all)[at + k] + (k < both ? ((const double *)all)[at + n + k] : 0);
        else
            ((float *)to)[k] = ((const float *)all)[at + k] + (k < both ? ((const float *)all)[at + n + k] : 0);
    return to;
}

void recurrent_from_x(struct step *s, const struct recurrent_plan *p, int direction, const void *x, const void *w,
                      const void *bias, void *out, void *gemm_memory)
{
    struct gemm g = recurrent_product(p, p->rows, p->wide, p->inputs, false);

    g.a = x;
    g.b = recurrent_at(p, w, direction * p->wide * p->inputs);
    g.c = out;
    g.column_bias = bias;
    gemm(s->k, s->pool, &g, gemm_memory);
}

void recurrent_sum_rows(const struct recurrent_plan *p, const void *rows, int64_t stride, int64_t n, void *sums)
{
    for (int64_t k = 0; k < n; k++) {
        double sum = 0;

        for (int64_t row = 0; row < p->rows; row++)
            sum += p->compute == F64 ? ((const double *)rows)[row * stride + k]
                                     : (double)((const float *)rows)[row * stride + k];
        if (p->compute == F64)
            ((double *)sums)[k] = sum;
        else
            ((float *)sums)[k] = (float)sum;
    }
}

/* -- gradients -- */

bool recurrent_set_grads(struct infer *i, const struct recurrent_plan *p, int grads, const int *like)
{
    const int64_t bias[2] = { p->r->directions, 2 * p->wide };
    bool ok = true;

    for (int k = 0; ok && k < grads; k++) {
        const struct tensor *t = like[k] < 0 ? NULL : typed_in(i, like[k]);

        if (typed_out(i, k))
            ok = t ? set_out(i, k, t->dtype, t->rank, t->dims) : set_out(i, k, typed_in(i, X)->dtype, 2, bias);
    }
    return ok;
}

static void product_of(struct step *s, struct gemm g, const void *a, const void *b, void *c, void *gemm_memory)
{
    g.a = a;
    g.b = b;
    g.c = c;
    gemm(s->k, s->pool, &g, gemm_memory);
}

void recurrent_weights_back(struct step *s, const struct recurrent_plan *p, const struct recurrent_back *m,
                            int direction)
{
    const int64_t w = direction * p->wide * p->inputs;

    if (m->dx) {
        struct gemm g = recurrent_product(p, p->rows, p->inputs, p->wide, true);

        g.beta = direction;
        product_of(s, g, m->dz, recurrent_at(p, m->w, w), m->dx, m->gemm);
    }
    if (m->dw)
        product_of(s, recurrent_over_rows(p, p->wide, p->inputs, p->wide), m->dz, m->x, recurrent_into(p, m->dw, w),
                   m->gemm);
    if (m->dr)
        product_of(s, recurrent_over_rows(p, p->wide, p->hidden, p->wide), m->dz, m->h_before,
                   recurrent_into(p, m->dr, direction * p->wide * p->hidden), m->gemm);
    for (int half = 0; half < 2 && m->db; half++)
        recurrent_sum_rows(p, m->dz, p->wide, p->wide, recurrent_into(p, m->db, (2 * direction + half) * p->wide));
}

size_t recurrent_back_scratch(struct infer *i, const struct recurrent_plan *p)
{
    const struct gemm g[] = { recurrent_product(p, p->batch, p->hidden, p->wide, true),
                              recurrent_product(p, p->rows, p->inputs, p->wide, true),
                              recurrent_over_rows(p, p->wide, p->inputs, p->wide),
                              recurrent_over_rows(p, p->wide, p->hidden, p->wide) };

    return recurrent_gemm_scratch(i, sizeof g / sizeof *g, g);
}

static double product_flops(const struct tensor *const *in)
{
    const double inputs = (double)in[X]->dims[in[X]->rank - 1];

    return inputs > 0 ? 2 * cost_count(in[X]) / inputs * (cost_count(in[W]) + cost_count(in[R])) : 0;
}

void recurrent_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = product_flops(in);
}

void recurrent_grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out,
                         struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = 2 * product_flops(in);
}

/* -- activations -- */

double activate(const struct activation *a, double x)
{
    switch (a->kind) {
    case ACT_RELU:
        return x > 0 ? x : 0 * x;
    case ACT_TANH:
        return tanh(x);
    case ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACT_AFFINE:
        return a->alpha * x + a->beta;
    case ACT_LEAKY_RELU:
        return x >= 0 ? x : a->alpha * x;
    case ACT_THRESHOLDED_RELU:
        return x >= a->alpha ? x : 0;
    case ACT_SCALED_TANH:
        return a->alpha * tanh(a->beta * x);
    case ACT_HARD_SIGMOID:
        return fmin(fmax(a->alpha * x + a->beta, 0), 1);
    case ACT_ELU:
        return x >= 0 ? x : a->alpha * expm1(x);
    case ACT_SOFTSIGN:
        return x / (1 + fabs(x));
    case ACT_SOFTPLUS:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    }
    return x;
}

double activation_slope(const struct activation *a, double y)
{
    switch (a->kind) {
    case ACT_RELU:
        return y > 0;
    case ACT_TANH:
        return 1 - y * y;
    case ACT_SIGMOID:
        return y * (1 - y);
    case ACT_AFFINE:
        return a->alpha;
    case ACT_LEAKY_RELU:
        return y >= 0 ? 1 : a->alpha;
    case ACT_THRESHOLDED_RELU:
        return y != 0;
    case ACT_SCALED_TANH:
        return a->alpha == 0 ? 0 : a->beta * (a->alpha - y * y / a->alpha);
    case ACT_HARD_SIGMOID:
        return y > 0 && y < 1 ? a->alpha : 0;
    case ACT_ELU:
        return y >= 0 ? 1 : y + a->alpha;
    case ACT_SOFTSIGN:
        return (1 - fabs(y)) * (1 - fabs(y));
    case ACT_SOFTPLUS:
        return -expm1(-y);
    }
    return 1;
}

/* May two inputs give the same, so that this does not tell the slope? */
static bool falls_and_rises(const struct activation *a)
{
    return (a->kind == ACT_LEAKY_RELU || a->kind == ACT_ELU) && a->alpha < 0;
}

bool recurrent_gradient(struct backward *b, const struct op *grad, int inputs, int kept, int grads, const int *gives)
{
    enum { MOST = 16 };
    const size_t bytes = node_of(b)->def->attrs_size;
    const struct recurrent *r = attrs_of(b);
    struct recurrent *attrs = emit_alloc(emitter_of(b), bytes);
    struct value *in[MOST], *d[MOST];
    bool want[MOST];

    if (!attrs)
        return false;
    memcpy(attrs, r, bytes);
    attrs->truncation = truncation(b);

    for (int k = 0; k < MAX_ACTIVATIONS; k++)
        if (falls_and_rises(&r->act[k]))
            return backward_error(b, "has no gradient: activation '%s' with an alpha of %g below 0 falls and rises",
                                  activations[r->act[k].kind].name, r->act[k].alpha);
    for (int k = 0; k < inputs; k++)
        in[k] = forward_in(b, k);
    in[inputs] = forward_out(b, kept);
    for (int k = 0; k < kept; k++)
        in[inputs + 1 + k] = upstream(b, k);
    for (int k = 0; k < grads; k++)
        want[k] = wants(b, gives[k]);
    if (emit_private(emitter_of(b), grad, attrs, grads, d, want, inputs + 1 + kept, in))
        for (int k = 0; k < grads; k++)
            give(b, gives[k], d[k]);
    return backward_ok(b);
}
