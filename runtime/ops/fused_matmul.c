/* FusedMatMul of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = alpha * A B
 *
 * of matrices, as MatMul. transA: those of A are transposed before; transBatchA: A is [m, batch..., k] then, or, with both,
 * [k, batch..., m]. A vector, where it is
 * known to be one when a model is loaded, is as it is. transB and transBatchB say the same of B. */
#include "ops/expansion.h"
#include "ops/rank.h"

enum { A, B };

struct fused_matmul {
    float alpha;
    bool trans[2], batch[2];
};

static bool parse(struct parse *p, void *attrs)
{
    struct fused_matmul *a = attrs;

    a->alpha = attr_float(p, "alpha", 1);
    a->trans[A] = attr_int(p, "transA", 0) != 0;
    a->trans[B] = attr_int(p, "transB", 0) != 0;
    a->batch[A] = attr_int(p, "transBatchA", 0) != 0;
    a->batch[B] = attr_int(p, "transBatchB", 0) != 0;
    return true;
}

/* Einsum needs no rank; of one operand it is a Transpose. */
static struct value *operand(struct emitter *e, const struct node *n, int k)
{
    const struct fused_matmul *a = n->attrs;

    if ((!a->trans[k] && !a->batch[k]) || known_input(n, k).rank == 1)
        return n->in[k];
    if (!a->batch[k])
        return emit(e, "Einsum", "equation='...ij->...ji'", 1, n->in[k]);
    return emit(e, "Einsum", a->trans[k] ? "equation='j...i->...ij'" : "equation='i...j->...ij'", 1, n->in[k]);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct fused_matmul *a = n->attrs;

    out[0] = emit(e, "MatMul", "", 2, operand(e, n, A), operand(e, n, B));
    if (a->alpha != 1)
        out[0] =
            emit(e, "Mul", "", 2, out[0], emit(e, "CastLike", "", 2, emit_scalar(e, F32, (double)a->alpha), out[0]));
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,4,5]", "", "f32[2,3,5]", 3 },
    { "f64[2,4,3] f64[4,5]", "transA=1 alpha=0.25", "f64[2,3,5]", 3 },
    { "f64[3,4] f64[2,5,4]", "transB=1", "f64[2,3,5]", 3 },
    { "f64[3,2,7,4] f64[2,7,4,5]", "transBatchA=1 alpha=-2.0", "f64[2,7,3,5]", 3 },
    { "f64[4,2,3] f64[5,2,4]", "transA=1 transBatchA=1 transB=1 transBatchB=1", "f64[2,3,5]", 3 },
    { "f64[2,3,4] f64[4,2,5]", "transBatchB=1", "f64[2,3,5]", 3 },
    { "f16[3,4] f16[4,5]", "alpha=0.5", "f16[3,5]", 0 },
    { "bf16[4,3] bf16[4,5]", "transA=1", "bf16[3,5]", 0 },
    { "f32[0,4,3] f32[4,5]", "transA=1", "f32[0,3,5]", 0 },
    { 0 },
};

const struct op op_fused_matmul = {
    .name = "FusedMatMul",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T A, T B -> T Y",
                                       .types = "T: floats bf16",
                                       .attrs_size = sizeof(struct fused_matmul),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
