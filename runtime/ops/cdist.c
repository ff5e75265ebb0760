/* CDist of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   C[m, k] = |A[m]|^2 + |B[k]|^2 - 2 A[m] B[k], and of it the root where metric is "euclidean"
 *
 * What rounding has made less than 0 is 0, as in onnxruntime. */
#include "ops/op.h"

enum { SQUARED, ROOT };

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "sqeuclidean", "euclidean", NULL };
    int *metric = attrs;

    *metric = attr_choice(p, "metric", names, SQUARED);
    return true;
}

static struct value *squares(struct emitter *e, struct value *x)
{
    const int64_t last = 1;

    return emit(e, "ReduceSumSquare", "keepdims=1", 2, x, emit_ints(e, 1, &last));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    struct value *a = n->in[0], *b = n->in[1];
    struct value *both = emit(e, "Gemm", "transB=1 alpha=-2.0", 3, a, b, squares(e, a));

    both = emit(e, "Add", "", 2, both, emit(e, "Transpose", "perm=[1,0]", 1, squares(e, b)));
    both = emit(e, "Relu", "", 1, both);
    out[0] = *(const int *)n->attrs == ROOT ? emit(e, "Sqrt", "", 1, both) : both;
    return out[0];
}

static const struct op_case cases[] = {
    { "f64[3,4] f64[5,4]", "", "f64[3,5]", 3 },
    { "f64[3,4] f64[5,4]", "metric='euclidean'", "f64[3,5]", 3 },
    { "f32[2,1] f32[3,1]", "metric='sqeuclidean'", "f32[2,3]", 0 },
    { "f32[0,4] f32[5,4]", "", "f32[0,5]", 0 },
    { 0 },
};

const struct op op_cdist = {
    .name = "CDist",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T A, T B -> T C",
                                       .types = "T: f32 f64",
                                       .attrs_size = sizeof(int),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
