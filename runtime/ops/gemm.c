/* Gemm, https://onnx.ai/onnx/operators/onnx__Gemm.html
 *
 *   Y = alpha * A' B' + beta * C       A' = A or its transposed [m, k], B' likewise [k, n], C broadcast to [m, n]
 *
 * With G = dL/dY
 *   dA' = alpha * G B'^T     dB' = alpha * A'^T G     dC = beta * G, summed where C was broadcast,
 * by strides: nothing is transposed in memory. */
#include "ops/gemm.h"
#include "base/text.h"
#include "ops/bilinear.h"
#include "ops/chained.h"
#include "ops/cost.h"
#include "ops/move.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include <math.h>

enum { A, B, C };                /* inputs */
enum { GRAD_Y, GRAD_A, GRAD_B }; /* inputs of the gradient */

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct gemm_attrs *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    a->beta = attr_float(p, "beta", 1);
    a->trans_a = attr_int(p, "transA", 0) != 0;
    a->trans_b = attr_int(p, "transB", 0) != 0;
    return true;
}

/* C is broadcast wherever it can be: without the attribute it must have all elements, which needs nothing else. */
static bool parse_1(struct parse *p, void *attrs)
{
    attr_int(p, "broadcast", 0);
    return parse(p, attrs);
}

/* -- plan -- */

/* alpha * A' B'. */
static struct gemm product_of(const struct gemm_attrs *a, const struct tensor *x, const struct tensor *w)
{
    struct gemm g = { .dtype = x->dtype, .alpha = (double)a->alpha, .c_col = 1 };

    g.m = x->dims[a->trans_a];
    g.k = x->dims[!a->trans_a];
    g.n = w->dims[!a->trans_b];
    g.a_row = a->trans_a ? 1 : x->dims[1];
    g.a_col = a->trans_a ? x->dims[1] : 1;
    g.b_row = a->trans_b ? 1 : w->dims[1];
    g.b_col = a->trans_b ? w->dims[1] : 1;
    g.c_row = g.n;
    return g;
}

static struct tensor result_of(const struct gemm *g)
{
    return (struct tensor){ .dtype = g->dtype, .rank = 2, .dims = { g->m, g->n }, .data = g->c };
}

static bool is_float(const struct gemm *g)
{
    return dtype_is_float(g->dtype);
}

/* What becomes of C: nothing, a bias that the kernel adds at the end, or what Y holds before. */
enum bias { NONE, COLUMNS, ROWS, BEFORE };

static enum bias bias_of(const struct gemm_attrs *a, const struct gemm *g, const struct tensor *c)
{
    const int64_t columns = !c || !c->rank ? 1 : c->dims[c->rank - 1];

    if (!c || a->beta == 0)
        return NONE;
    if (!is_float(g) || a->beta != 1)
        return BEFORE;
    if (columns == g->n && tensor_count(c) == g->n)
        return COLUMNS;
    return c->rank == 2 && columns == 1 && c->dims[0] == g->m ? ROWS : BEFORE;
}

static bool check_bias(struct infer *i, const struct gemm *g)
{
    const struct tensor *c = typed_in(i, C);
    const int64_t dims[] = { g->m, g->n };

    if (c && c->rank > 2)
        return infer_error(i, "'C' has %d dimensions, must have at most 2", c->rank);
    for (int d = 0; c && d < c->rank; d++)
        if (c->dims[d] != 1 && c->dims[d] != dims[2 - c->rank + d])
            return infer_error(i, "dimension %d of 'C' is %lld, must be 1 or %lld", d, (long long)c->dims[d],
                               (long long)dims[2 - c->rank + d]);
    return true;
}

static bool is_whole(float f)
{
    return f == truncf(f) && fabsf(f) < 0x1p63f;
}

/* B in the order that the product reads, where B never changes. */
struct packing {
    int64_t n, k, b_row, b_col;
};
static void make_packed(const void *key, const struct tensor *w, const struct kernels *k, struct pool *pool, void *out)
{
    const struct packing *p = key;
    const struct gemm g = { .dtype = w->dtype,
                            .m = 1,
                            .n = p->n,
                            .k = p->k,
                            .b_row = p->b_row,
                            .b_col = p->b_col,
                            .c_row = p->n,
                            .c_col = 1,
                            .alpha = 1 };

    gemm_pack(k, pool, &g, w->data, out);
}
static void ask_for_packed(struct infer *i, struct gemm *g)
{
    const size_t bytes = gemm_packed_bytes(infer_kernels(i), g);
    const struct packing key = { g->n, g->k, g->b_row, g->b_col };

    if (bytes && need_prepared(i, B, bytes, make_packed, &key, sizeof key))
        g->packed = g; /* not yet, but it will be */
}

static bool infer_lowered(struct infer *i, const struct gemm_lowered *lowered)
{
    const struct gemm_attrs *a = &lowered->gemm;
    const struct tensor *x = typed_in(i, A), *w = typed_in(i, B);
    struct tensor y;
    struct gemm g;

    if (x->rank != 2 || w->rank != 2)
        return infer_error(i, "'A' has %d and 'B' has %d dimensions, both must have 2", x->rank, w->rank);
    g = product_of(a, x, w);
    g.relu = lowered->relu;
    if (g.k != w->dims[a->trans_b])
        return infer_error(i, "'B' has depth %lld, must have that of 'A', %lld", (long long)w->dims[a->trans_b],
                           (long long)g.k);
    if (!check_bias(i, &g))
        return false;
    if (!is_float(&g) && !(is_whole(a->alpha) && is_whole(a->beta)))
        return infer_error(i, "alpha is %g and beta %g, must be whole numbers below 2^63 with %s", (double)a->alpha,
                           (double)a->beta, dtype_name(g.dtype));
    y = result_of(&g);
    ask_for_packed(i, &g);
    return chained_gemm_infer(i, lowered->chain, GEMM_CHAIN, &y, &g);
}

static bool infer(struct infer *i)
{
    const struct gemm_attrs *a = infer_attrs(i);

    return infer_lowered(i, &(struct gemm_lowered){ .gemm = *a });
}

/* -- run -- */

static void fill_with(const struct step *s, const struct tensor *c, const struct tensor *y)
{
    struct move m = { .size = dtype_size(y->dtype), .rank = 2, .dims = { y->dims[0], y->dims[1] } };
    const int64_t columns = c->rank ? c->dims[c->rank - 1] : 1, rows = c->rank == 2 ? c->dims[0] : 1;

    m.in[0] = rows == 1 ? 0 : columns;
    m.in[1] = columns == 1 ? 0 : 1;
    m.out[0] = y->dims[1];
    m.out[1] = 1;
    move_run(s->k, s->pool, &m, c->data, y->data);
}

static bool run_lowered(struct step *s, const struct gemm_lowered *lowered)
{
    const struct gemm_attrs *a = &lowered->gemm;
    const struct tensor *c = s->in[C];
    struct gemm g = product_of(a, s->in[A], s->in[B]);
    struct tensor y;

    g.a = s->in[A]->data;
    g.b = s->in[B]->data;
    g.c = chained_product(s);
    g.relu = lowered->relu;
    g.packed = prepared_for(s, B);
    switch (bias_of(a, &g, c)) {
    case COLUMNS:
        g.column_bias = c->data;
        break;
    case ROWS:
        g.row_bias = c->data;
        break;
    case BEFORE:
        y = result_of(&g);
        fill_with(s, c, &y);
        g.beta = (double)a->beta;
        break;
    case NONE:
        break;
    }
    chained_gemm(s, lowered->chain, GEMM_CHAIN, &g);
    return true;
}

static bool run(struct step *s)
{
    const struct gemm_attrs *a = s->attrs;

    return run_lowered(s, &(struct gemm_lowered){ .gemm = *a });
}

/* -- differentiate -- */

/* The gradient of A (side A) or B, in its own layout: where it is stored transposed, C's strides are swapped. */
static struct gemm grad_of(const struct gemm_attrs *a, const struct tensor *x, const struct tensor *w, int side)
{
    const struct gemm f = product_of(a, x, w);
    struct gemm g = { .dtype = f.dtype, .alpha = f.alpha };

    if (side == A) { /* G [m, n] times B'^T [n, k] */
        g.m = f.m;
        g.n = f.k;
        g.k = f.n;
        g.a_row = f.n;
        g.a_col = 1;
        g.b_row = f.b_col;
        g.b_col = f.b_row;
        g.c_row = f.a_row;
        g.c_col = f.a_col;
        return g;
    }
    g.m = f.k; /* A'^T [k, m] times G [m, n] */
    g.n = f.n;
    g.k = f.m;
    g.a_row = f.a_col;
    g.a_col = f.a_row;
    g.b_row = f.n;
    g.b_col = 1;
    g.c_row = f.b_row;
    g.c_col = f.b_col;
    return g;
}

static bool grad_infer(struct infer *i)
{
    size_t scratch = 0;

    for (int side = A; side <= B; side++) {
        const struct tensor *t = typed_in(i, side == A ? GRAD_A : GRAD_B);
        const struct gemm g = grad_of(infer_attrs(i), typed_in(i, GRAD_A), typed_in(i, GRAD_B), side);
        const size_t need = gemm_scratch(infer_kernels(i), &g, infer_threads(i));

        if (!set_out(i, side, t->dtype, t->rank, t->dims))
            return false;
        if (typed_out(i, side) && need > scratch)
            scratch = need;
    }
    need_scratch(i, scratch);
    return true;
}

static bool grad_run(struct step *s)
{
    const void *const dy = s->in[GRAD_Y]->data;

    for (int side = A; side <= B; side++) {
        struct gemm g = grad_of(s->attrs, s->in[GRAD_A], s->in[GRAD_B], side);

        if (!s->out[side])
            continue;
        g.a = side == A ? dy : s->in[GRAD_A]->data;
        g.b = side == A ? s->in[GRAD_B]->data : dy;
        g.c = s->out[side]->data;
        gemm(s->k, s->pool, &g, s->scratch);
    }
    return true;
}

static double flops_of(const struct gemm_attrs *a, const struct tensor *x, const struct tensor *w)
{
    const struct gemm g = product_of(a, x, w);

    return 2. * (double)g.m * (double)g.n * (double)g.k;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)out;
    c->flops = flops_of(n->attrs, in[A], in[B]);
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    c->flops = ((out[A] != NULL) + (out[B] != NULL)) * flops_of(n->attrs, in[GRAD_A], in[GRAD_B]);
}

/* beta is that of a C, which is not there. */
static bool grad_gradient(struct backward *b)
{
    return bilinear_gradient(b, &op_gemm);
}

/* alpha a' b', each transposed or not. */
static struct value *product(struct emitter *e, const struct gemm_attrs *a, struct value *x, bool x_turned,
                             struct value *y, bool y_turned)
{
    char attrs[80];

    snprintf(attrs, sizeof attrs, "alpha=%.9e transA=%d transB=%d", (double)a->alpha, x_turned, y_turned);
    return emit(e, "Gemm", attrs, 2, x, y);
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct gemm_attrs *a = n->attrs;
    struct value *dy = n->in[GRAD_Y], *x = n->in[GRAD_A], *w = n->in[GRAD_B];

    (void)in;
    if (n->out[A])
        out[A] = a->trans_a ? product(e, a, w, a->trans_b, dy, true) : product(e, a, dy, false, w, !a->trans_b);
    if (n->out[B])
        out[B] = a->trans_b ? product(e, a, dy, true, x, a->trans_a) : product(e, a, x, !a->trans_a, dy, false);
    return !e->failed;
}

static const struct op op_grad = {
    .name = "GemmGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T A, T B -> T dA?, T dB?",
              .types = "T: floats bf16",
              .attrs_size = sizeof(struct gemm_attrs),
              .plain = plain,
              .infer = grad_infer,
              .cost = grad_cost,
              .run = grad_run,
              .gradient = grad_gradient },
            { 0 },
        },
};

static bool gradient(struct backward *b)
{
    const struct gemm_attrs *a = attrs_of(b);
    struct emitter *e = emitter_of(b);
    struct value *const in[] = { upstream(b, 0), forward_in(b, A), forward_in(b, B) };
    const bool want[] = { wants(b, A), wants(b, B) };
    struct value *d[2];

    if (want[A] || want[B]) {
        emit_private(e, &op_grad, a, 2, d, want, 3, in);
        give(b, A, d[A]);
        give(b, B, d[B]);
    }
    if (type_in(b, C) && wants(b, C) && a->beta != 0) {
        struct value *dc = in[GRAD_Y];

        if (a->beta != 1)
            dc = emit(e, "Mul", NULL, 2, dc, emit_scalar(e, type_out(b, 0)->dtype, (double)a->beta));
        give_unbroadcast(b, C, dc);
    }
    return backward_ok(b);
}

/* A transposed weight is [out, in]. */
static struct fans fans(const struct node *n, int input, const struct tensor *t)
{
    const struct gemm_attrs *a = n->attrs;
    const double rows = (double)t->dims[t->rank - 2], columns = (double)t->dims[t->rank - 1];

    return (input == A ? a->trans_a : a->trans_b) ? (struct fans){ columns, rows } : (struct fans){ rows, columns };
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, A, "weight", "glorot_uniform", fans },
    { PARAMETER_TRAINS, B, "weight", "glorot_uniform", fans },
    { PARAMETER_TRAINS, C, "bias", "zeros", NULL },
    { 0 },
};

/* -- lowered -- */

static bool take_chain(const struct node *n, const struct fused *chain, void *attrs)
{
    struct gemm_lowered *a = attrs;

    (void)n;
    if (a->chain)
        return false;
    a->chain = chain;
    return true;
}

/* Of integers the product knows no Relu. */
static bool take_relu(const struct node *n, void *attrs)
{
    const struct tensor *w = value_constant(n->in[B]);
    struct gemm_lowered *a = attrs;

    if (!w || !dtype_is_float(w->dtype) || a->chain)
        return false;
    a->relu = true;
    return true;
}

static int lowered_rank(const struct node *n, int k)
{
    return n->inputs > GEMM_CHAIN ? UNKNOWN : rank_of_matrix(n, k);
}

static bool lowered_infer(struct infer *i)
{
    return infer_lowered(i, infer_attrs(i));
}

static bool lowered_run(struct step *s)
{
    return run_lowered(s, s->attrs);
}

static void describe(const struct node *n, const void *plan, struct text *out)
{
    const struct gemm_lowered *a = n->attrs;

    if (a->relu)
        text_printf(out, "Relu");
    if (a->chain)
        chained_tell(plan, a->chain, a->relu ? ", " : "", out);
}

static const struct op op_lowered = {
    .name = "Gemm",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T A, T B, T C?, V chain* -> T Y",
              .types = "T: floats bf16 i32 i64 u32 u64; V: all bf16",
              .attrs_size = sizeof(struct gemm_lowered),
              .rank = lowered_rank,
              .infer = lowered_infer,
              .run = lowered_run,
              .take_chain = take_chain,
              .chain_at = GEMM_CHAIN,
              .take_relu = take_relu,
              .describe = describe,
              .cost = cost,
              .no_gradient = "is made where no gradient is taken any more" },
            { 0 },
        },
};

/* -- test -- */

enum { ALL = 1 << A | 1 << B | 1 << C };

static const struct op_case needs_c[] = {
    { "f64[3,4] f64[4,5] f64[5]", "", "f64[3,5]", ALL },
    { "f32[33,17] f32[17,50] f32[50]", "", "f32[33,50]", ALL },
    { "f64[4,3] f64[5,4] f64[3,1]", "transA=1 transB=1 alpha=.5", "f64[3,5]", ALL },
    { "f64[4,3] f64[4,5] f64[1,5]", "transA=1 beta=2.0", "f64[3,5]", ALL },
    { "f64[3,4] f64[5,4] f64[]", "transB=1 alpha=-1.0 beta=.25", "f64[3,5]", ALL },
    { "f32[3,4] f32[4,5] f32[3,5]", "beta=.5", "f32[3,5]", ALL },
    { "f64[3,4] f64[4,5] f64[1,1]", "", "f64[3,5]", ALL },
    { "f64[3,4] f64[4,5] f64[3,5]", "beta=0.0", "f64[3,5]", 1 << A | 1 << B },
    { "f32[0,4] f32[4,5] f32[5]", "", "f32[0,5]", 0 },
    { "f32[3,0] f32[0,5] f32[5]", "", "f32[3,5]", 0 },
    { "f16[3,4] f16[4,5] f16[5]", "", "f16[3,5]", 0 },
    { 0 },
};
static const struct op_case needs_c_ints[] = {
    { "i32[3,4] i32[4,5] i32[5]", "alpha=2.0 beta=3.0", "i32[3,5]", 0 },
    { "i64[3,4] i64[5,4] i64[3,1]", "transB=1", "i64[3,5]", 0 },
    { "u32[3,4] u32[4,5] u32[]", "", "u32[3,5]", 0 },
    { "u64[4,3] u64[4,5] u64[5]", "transA=1", "u64[3,5]", 0 },
    { "f64[3,4] f64[4,5] f64[5]", "", "f64[3,5]", ALL },
    { 0 },
};
static const struct op_case without_c[] = {
    { "f64[3,4] f64[4,5] -", "", "f64[3,5]", 1 << A | 1 << B },
    { "f32[3,4] f32[4,5] f32[5]", "", "f32[3,5]", ALL },
    { "f64[4,3] f64[5,4]", "transA=1 transB=1 alpha=.5", "f64[3,5]", 1 << A | 1 << B },
    { "i64[3,4] i64[4,5]", "", "i64[3,5]", 0 },
    { 0 },
};
static const struct op_case newest[] = {
    { "f64[3,4] f64[4,5] -", "", "f64[3,5]", 1 << A | 1 << B },
    { "f32[33,17] f32[17,50] f32[50]", "", "f32[33,50]", ALL },
    { "f64[4,3] f64[5,4] f64[3,1]", "transA=1 transB=1 alpha=.5", "f64[3,5]", ALL },
    { "f64[4,3] f64[4,5] f64[1,5]", "transA=1 beta=2.0", "f64[3,5]", ALL },
    { "f64[3,4] f64[5,4] f64[]", "transB=1 alpha=-1.0 beta=.25", "f64[3,5]", ALL },
    { "f64[3,4] f64[4,5] f64[3,5]", "beta=0.0", "f64[3,5]", 1 << A | 1 << B },
    { "f32[0,4] f32[4,5] f32[5]", "", "f32[0,5]", 0 },
    { "f32[3,0] f32[0,5] f32[5]", "", "f32[3,5]", 0 },
    { "f16[3,4] f16[4,5] f16[5]", "beta=.5", "f16[3,5]", 0 },
    { "bf16[3,4] bf16[4,5] bf16[3,1]", "", "bf16[3,5]", 0 },
    { "i32[3,4] i32[4,5] i32[5]", "alpha=2.0 beta=3.0", "i32[3,5]", 0 },
    { "u32[3,4] u32[4,5] u32[]", "", "u32[3,5]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "f64[3,4] f64[4,5] f64[5]", "broadcast=1", "f64[3,5]", ALL },
    { "f32[4,3] f32[4,5] f32[3,5]", "transA=1 beta=.5", "f32[3,5]", ALL },
    { "f16[3,4] f16[4,5] f16[3,5]", "broadcast=0", "f16[3,5]", 0 },
    { 0 },
};

#define ROW(version, c, type_list, reader, case_list)                                                                  \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B, T " c " -> T Y", .types = type_list,                                 \
        .attrs_size = sizeof(struct gemm_attrs), .parse = reader, .rank = rank_of_matrix, .infer = infer, .run = run,  \
        .gradient = gradient, .cost = cost, .parameters = parameters, .cases = case_list                               \
    }

const struct op op_gemm = {
    .name = "Gemm",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "C?", "T: floats bf16 i32 i64 u32 u64", parse, newest),
            ROW(11, "C?", "T: floats i32 i64 u32 u64", parse, without_c),
            ROW(9, "C", "T: floats i32 i64 u32 u64", parse, needs_c_ints),
            ROW(7, "C", "T: floats", parse, needs_c),
            ROW(6, "C", "T: floats", parse_1, cases_1),
            ROW(1, "C", "T: floats", parse_1, cases_1),
            { 0 },
        },
    .lowered = &op_lowered,
};
