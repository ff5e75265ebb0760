/* MatMul, https://onnx.ai/onnx/operators/onnx__MatMul.html; numpy.matmul
 *
 *   Y[..., m, n] = sum over k of A[..., m, k] B[..., k, n]
 *
 * A vector is a row on the left and a column on the right, and its 1 leaves the result; the leading dimensions
 * broadcast. With G = dL/dY
 *
 *   dA = G B^T     dB = A^T G
 *
 * both summed over the leading dimensions that were broadcast, by strides: nothing is transposed in memory. */
#include "ops/matmul.h"
#include "base/text.h"
#include "ops/bilinear.h"
#include "ops/chained.h"
#include "ops/cost.h"
#include "ops/move.h"
#include "ops/product.h"
#include "ops/registry.h"
#include <string.h>

enum { A, B };                   /* inputs */
enum { GRAD_Y, GRAD_A, GRAD_B }; /* inputs of the gradient */

/* -- plan -- */

/* B in the order that the product reads, where B never changes. */
struct packing {
    int64_t n, k;
};
static void make_packed(const void *key, const struct tensor *w, const struct kernels *k, struct pool *pool, void *out)
{
    const struct packing *p = key;
    const struct gemm g = { .dtype = w->dtype,
                            .m = 1,
                            .n = p->n,
                            .k = p->k,
                            .b_row = p->n,
                            .b_col = 1,
                            .c_row = p->n,
                            .c_col = 1,
                            .alpha = 1 };

    gemm_pack(k, pool, &g, w->data, out);
}
static void ask_for_packed(struct infer *i, struct gemm *g)
{
    const size_t bytes = typed_in(i, B)->rank == 2 ? gemm_packed_bytes(infer_kernels(i), g) : 0;
    const struct packing key = { g->n, g->k };

    if (bytes && need_prepared(i, B, bytes, make_packed, &key, sizeof key))
        g->packed = g; /* not yet, but it will be */
}

static const struct tensor *bias_of(const struct step *s)
{
    return s->node->inputs > MATMUL_BIAS ? s->in[MATMUL_BIAS] : NULL;
}

static int rank(const struct node *n, int k)
{
    (void)k;
    return product_rank(n, A, B);
}

static bool infer_chained(struct infer *i, const struct fused *chain)
{
    struct product p;
    struct tensor y;
    struct gemm g;

    if (!product_infer(i, A, "A", B, "B", &p))
        return false;
    y = product_result(&p, typed_in(i, A)->dtype);
    g = product_gemm(&p, y.dtype);
    ask_for_packed(i, &g);
    return chained_gemm_infer(i, chain, MATMUL_CHAIN, &y, &g);
}

static bool infer(struct infer *i)
{
    return infer_chained(i, NULL);
}

/* -- run -- */

static bool run_chained(struct step *s, const struct fused *chain)
{
    const char *why;
    struct product p;
    struct gemm g;

    if (!product_of(s->in[A], s->in[B], &p, &why))
        return step_error(s, "%s", why);
    g = product_gemm(&p, s->in[A]->dtype);
    g.a = s->in[A]->data;
    g.b = s->in[B]->data;
    g.c = chained_product(s);
    g.column_bias = bias_of(s) ? bias_of(s)->data : NULL;
    g.packed = prepared_for(s, B);
    chained_gemm(s, chain, MATMUL_CHAIN, &g);
    return true;
}

static bool run(struct step *s)
{
    return run_chained(s, NULL);
}

/* -- differentiate -- */

/* dA as the product of G [m, n] and B^T [n, k], dB as that of A^T [k, m] and G: the gradient of side `side`, for all
 * leading dimensions. */
static struct gemm grad_gemm(const struct product *p, enum dtype dtype, int side)
{
    struct gemm g = { .dtype = dtype, .alpha = 1, .batch_rank = p->rank, .c_col = 1 };
    int64_t dy = p->m * p->n;

    g.m = side == A ? p->m : p->k;
    g.n = side == A ? p->k : p->n;
    g.k = side == A ? p->n : p->m;
    g.c_row = g.n;
    g.a_row = side == A ? p->n : p->a_col;
    g.a_col = side == A ? 1 : p->a_row;
    g.b_row = side == A ? p->b_col : p->n;
    g.b_col = side == A ? p->b_row : 1;
    for (int d = p->rank - 1; d >= 0; d--) {
        g.batch[d] = p->batch[d];
        g.a_batch[d] = side == A ? dy : p->a_batch[d];
        g.b_batch[d] = side == A ? p->b_batch[d] : dy;
        g.c_batch[d] = side == A ? p->a_batch[d] : p->b_batch[d];
        dy *= p->batch[d];
    }
    if (product_is_one(p)) {
        const int64_t times = dims_product(p->batch, 0, p->rank);

        g.batch_rank = 0;
        if (side == A)
            g.m *= times;
        else
            g.k *= times;
    }
    return g;
}

/* Dimensions along which the operand was broadcast leave the batch: their products are added one after the other. */
struct summed {
    int count, dim[MAX_RANK];
    int64_t times;
};

static struct gemm leave_summed(const struct gemm *g, struct summed *sum)
{
    struct gemm one = *g;

    *sum = (struct summed){ .times = 1 };
    one.batch_rank = 0;
    for (int d = 0; d < g->batch_rank; d++) {
        if (!g->c_batch[d] && g->batch[d] != 1) {
            sum->times *= g->batch[d];
            sum->dim[sum->count++] = d;
            continue;
        }
        one.batch[one.batch_rank] = g->batch[d];
        one.a_batch[one.batch_rank] = g->a_batch[d];
        one.b_batch[one.batch_rank] = g->b_batch[d];
        one.c_batch[one.batch_rank++] = g->c_batch[d];
    }
    return one;
}

static bool grad_infer(struct infer *i)
{
    size_t scratch = 0;
    const char *why;
    struct product p;

    if (!product_of(typed_in(i, GRAD_A), typed_in(i, GRAD_B), &p, &why))
        return infer_error(i, "%s", why);
    for (int side = A; side <= B; side++) {
        const struct tensor *t = typed_in(i, side == A ? GRAD_A : GRAD_B);
        const struct gemm g = grad_gemm(&p, t->dtype, side);
        struct summed sum;
        const struct gemm one = leave_summed(&g, &sum);
        const size_t need = gemm_scratch(infer_kernels(i), &one, infer_threads(i));

        if (!set_out(i, side, t->dtype, t->rank, t->dims))
            return false;
        if (typed_out(i, side) && need > scratch)
            scratch = need;
    }
    need_scratch(i, scratch);
    return true;
}

static void accumulate(struct step *s, const struct gemm *g, const struct tensor *out)
{
    const size_t size = dtype_size(g->dtype);
    struct summed sum;
    struct gemm one = leave_summed(g, &sum);

    for (int64_t t = 0; t < sum.times; t++) {
        int64_t rest = t, a = 0, b = 0;

        for (int k = sum.count - 1; k >= 0; k--) {
            const int d = sum.dim[k];

            a += rest % g->batch[d] * g->a_batch[d];
            b += rest % g->batch[d] * g->b_batch[d];
            rest /= g->batch[d];
        }
        one.a = (const char *)g->a + (size_t)a * size;
        one.b = (const char *)g->b + (size_t)b * size;
        one.beta = t > 0;
        gemm(s->k, s->pool, &one, s->scratch);
    }
    if (!sum.times) /* a leading dimension of size 0: nothing is summed */
        memset(out->data, 0, (size_t)tensor_bytes(out));
}

static bool grad_run(struct step *s)
{
    const void *const dy = s->in[GRAD_Y]->data;
    const char *why;
    struct product p;

    if (!product_of(s->in[GRAD_A], s->in[GRAD_B], &p, &why))
        return step_error(s, "%s", why);
    for (int side = A; side <= B; side++) {
        struct gemm g = grad_gemm(&p, s->in[GRAD_A]->dtype, side);

        if (!s->out[side])
            continue;
        g.a = side == A ? dy : s->in[GRAD_A]->data;
        g.b = side == A ? s->in[GRAD_B]->data : dy;
        g.c = s->out[side]->data;
        accumulate(s, &g, s->out[side]);
    }
    return true;
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = product_flops(in[A], in[B]);
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    c->flops = ((out[A] != NULL) + (out[B] != NULL)) * product_flops(in[GRAD_A], in[GRAD_B]);
}

static bool grad_gradient(struct backward *b)
{
    return bilinear_gradient(b, &op_matmul);
}

/* With its last two dimensions in the other order. */
static struct value *turned(struct emitter *e, struct value *v, int rank)
{
    int64_t perm[MAX_RANK];

    for (int d = 0; d < rank; d++)
        perm[d] = d < rank - 2 ? d : 2 * rank - 3 - d;
    return emit_transposed(e, v, rank, perm);
}

/* The product of a and b, matrices or stacks of them, has dimensions that t was broadcast along: without them. */
static struct value *unbroadcast(struct emitter *e, struct value *v, int rank, const struct tensor *t)
{
    int64_t axes[MAX_RANK];
    int count = 0;

    for (int d = 0; d < rank - t->rank; d++)
        axes[count++] = d;
    if (count)
        v = emit(e, "ReduceSum", "keepdims=0", 2, v, emit_ints(e, count, axes));
    return v;
}

/* A vector is a row on the left, a column on the right. */
static struct tensor as_matrix(const struct tensor *t, int side)
{
    struct tensor m = *t;

    if (t->rank == 1) {
        m.rank = 2;
        m.dims[side == A] = t->dims[0];
        m.dims[side != A] = 1;
    }
    return m;
}

struct operand {
    struct value *v;
    struct tensor type;
};

static struct value *one_side(struct emitter *e, const struct operand *x, const struct operand *dy, int side)
{
    const struct operand *other = &x[!side];
    const struct tensor *own = &x[side].type;
    const bool flat = side == B && own->rank == 2 && other->type.rank > 2;
    struct value *a = other->v, *g = dy->v, *d;
    int rank = dy->type.rank;

    if (flat) { /* the matrices of a stack are one below the other */
        const int64_t rows = dims_product(other->type.dims, 0, other->type.rank - 1);

        a = emit_reshape(e, a, 2, (int64_t[]){ rows, own->dims[0] });
        g = emit_reshape(e, g, 2, (int64_t[]){ rows, own->dims[1] });
        rank = 2;
    }
    a = turned(e, a, flat ? 2 : other->type.rank);
    d = side == A ? emit(e, "MatMul", "", 2, g, a) : emit(e, "MatMul", "", 2, a, g);
    d = unbroadcast(e, d, rank, own);
    for (int k = 0; k < own->rank - 2 && !flat; k++)
        if (own->dims[k] == 1 && dy->type.dims[k + rank - own->rank] != 1)
            d = emit(e, "ReduceSum", "keepdims=1", 2, d, emit_ints(e, 1, &(int64_t){ k }));
    return d;
}

static bool plain(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    struct operand x[2], dy;
    const struct tensor *const types[] = { in[GRAD_A], in[GRAD_B] };

    for (int side = A; side <= B; side++) {
        x[side].type = as_matrix(types[side], side);
        x[side].v =
            types[side]->rank == 1 ? emit_reshape(e, n->in[GRAD_A + side], 2, x[side].type.dims) : n->in[GRAD_A + side];
    }
    dy = (struct operand){ n->in[GRAD_Y], *in[GRAD_Y] };
    if (types[A]->rank == 1 || types[B]->rank == 1) {
        const struct tensor *longer = x[A].type.rank > x[B].type.rank ? &x[A].type : &x[B].type;

        dy.type = *longer;
        dy.type.dims[dy.type.rank - 2] = x[A].type.dims[x[A].type.rank - 2];
        dy.type.dims[dy.type.rank - 1] = x[B].type.dims[x[B].type.rank - 1];
        dy.v = emit_reshape(e, dy.v, dy.type.rank, dy.type.dims);
    }
    for (int side = A; side <= B; side++)
        if (n->out[side]) {
            out[side] = one_side(e, x, &dy, side);
            if (types[side]->rank == 1)
                out[side] = emit_reshape(e, out[side], 1, types[side]->dims);
        }
    return !e->failed;
}

static const struct op op_grad = {
    .name = "MatMulGrad",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T A, T B -> T dA?, T dB?",
              .types = "T: floats bf16",
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
    struct value *const in[] = { upstream(b, 0), forward_in(b, A), forward_in(b, B) };
    const bool want[] = { wants(b, A), wants(b, B) };
    struct value *d[2];

    emit_private(emitter_of(b), &op_grad, NULL, 2, d, want, 3, in);
    give(b, A, d[A]);
    give(b, B, d[B]);
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, A, "weight", "glorot_uniform", NULL },
    { PARAMETER_TRAINS, B, "weight", "glorot_uniform", NULL },
    { 0 },
};

/* -- lowered -- */

static bool take_chain(const struct node *n, const struct fused *chain, void *attrs)
{
    struct matmul_lowered *a = attrs;

    (void)n;
    if (a->chain)
        return false;
    a->chain = chain;
    return true;
}

static int lowered_rank(const struct node *n, int k)
{
    return n->inputs > MATMUL_CHAIN ? UNKNOWN : rank(n, k);
}

static bool lowered_infer(struct infer *i)
{
    const struct matmul_lowered *a = infer_attrs(i);

    return infer_chained(i, a->chain);
}

static bool lowered_run(struct step *s)
{
    const struct matmul_lowered *a = s->attrs;

    return run_chained(s, a->chain);
}

static void describe(const struct node *n, const void *plan, struct text *out)
{
    const struct matmul_lowered *a = n->attrs;
    const bool biased = n->inputs > MATMUL_BIAS && n->in[MATMUL_BIAS];

    if (biased)
        text_printf(out, "Add");
    if (a->chain)
        chained_tell(plan, a->chain, biased ? ", " : "", out);
}

static const struct op op_lowered = {
    .name = "MatMul",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T A, T B, T bias?, V chain* -> T Y",
              .types = "T: floats bf16 i32 i64 u32 u64; V: all bf16",
              .attrs_size = sizeof(struct matmul_lowered),
              .rank = lowered_rank,
              .infer = lowered_infer,
              .run = lowered_run,
              .take_chain = take_chain,
              .chain_at = MATMUL_CHAIN,
              .describe = describe,
              .cost = cost,
              .no_gradient = "is made where no gradient is taken any more" },
            { 0 },
        },
};

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[3,4] f64[4,5]", "", "f64[3,5]", 1 << A | 1 << B },
    { "f32[33,17] f32[17,50]", "", "f32[33,50]", 1 << A | 1 << B },
    { "f32[2,3,4] f32[4,5]", "", "f32[2,3,5]", 1 << A | 1 << B },       /* one B for all */
    { "f64[3,4] f64[2,4,5]", "", "f64[2,3,5]", 1 << A | 1 << B },       /* one A for all */
    { "f64[2,1,3,4] f64[5,4,2]", "", "f64[2,5,3,2]", 1 << A | 1 << B }, /* both broadcast */
    { "f64[4] f64[4]", "", "f64[]", 1 << A | 1 << B },
    { "f64[4] f64[2,4,3]", "", "f64[2,3]", 1 << A | 1 << B },
    { "f64[2,3,4] f64[4]", "", "f64[2,3]", 1 << A | 1 << B },
    { "f32[2,0] f32[0,3]", "", "f32[2,3]", 0 }, /* an empty sum is 0 */
    { "f32[0,3] f32[3,2]", "", "f32[0,2]", 0 },
    { "f32[0,2,3] f32[3,2]", "", "f32[0,2,2]", 1 << B },
    { "i32[3,4] i32[4,5]", "", "i32[3,5]", 0 },
    { "i64[2,3,4] i64[4,5]", "", "i64[2,3,5]", 0 },
    { "u32[3,4] u32[4,5]", "", "u32[3,5]", 0 },
    { "u64[4] u64[4,5]", "", "u64[5]", 0 },
    { "f16[3,4] f16[4,5]", "", "f16[3,5]", 0 },
    { "bf16[3,4] bf16[4,5]", "", "bf16[3,5]", 0 },
    { 0 },
};

#define ROW(version, type_list)                                                                                        \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T Y", .types = type_list, .rank = rank, .infer = infer,            \
        .run = run, .gradient = gradient, .cost = cost, .parameters = parameters, .cases = cases                       \
    }

const struct op op_matmul = {
    .name = "MatMul",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(13, "T: floats bf16 i32 i64 u32 u64"),
            ROW(9, "T: floats i32 i64 u32 u64"),
            ROW(1, "T: floats"),
            { 0 },
        },
    .lowered = &op_lowered,
};
