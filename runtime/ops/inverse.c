/* Inverse of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y = the inverse of each matrix of X [..., M, M]        dX = -Y' dY Y'
 *
 * by elimination in double, with the greatest element of a column as the pivot. Where there is none that is not 0, Y is what
 * dividing by it makes of it: infinities, and what is no number. */
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/cost.h"
#include "ops/rank.h"
#include <math.h>
#include <string.h>

static bool size_for(int64_t m, int threads, int64_t *bytes)
{
    return mul_size(2 * m, m, bytes) && mul_size(*bytes, sizeof(double), bytes) && mul_size(*bytes, threads, bytes);
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    char text[TYPE_TEXT];
    int64_t bytes;

    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        return infer_error(i, "'X' is %s, must be square matrices", tensor_text(x, text));
    if (x->dims[x->rank - 1] > INT64_MAX / 2 || !size_for(x->dims[x->rank - 1], infer_threads(i), &bytes))
        return infer_error(i, "'X' is %s: the matrices are too large", tensor_text(x, text));
    need_scratch(i, (size_t)bytes);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = 2 * cost_count(in[0]) * (double)in[0]->dims[in[0]->rank - 1];
}

static void swap_rows(double *a, double *b, int64_t n)
{
    for (int64_t k = 0; a != b && k < n; k++) {
        const double v = a[k];

        a[k] = b[k];
        b[k] = v;
    }
}

/* Of column c from row c on. */
static int64_t pivot_of(const double *x, int64_t m, int64_t c)
{
    int64_t best = c;

    for (int64_t r = c + 1; r < m; r++)
        if (fabs(x[r * m + c]) > fabs(x[best * m + c]))
            best = r;
    return best;
}

/* y becomes the inverse of x, which becomes the identity. */
static void invert(struct pool *pool, double *x, double *y, int64_t m)
{
    memset(y, 0, (size_t)(m * m) * sizeof *y);
    for (int64_t k = 0; k < m; k++)
        y[k * m + k] = 1;
    for (int64_t c = 0; c < m && !pool_late(pool); c++) {
        const int64_t p = pivot_of(x, m, c);
        double factor;

        swap_rows(x + c * m, x + p * m, m);
        swap_rows(y + c * m, y + p * m, m);
        factor = 1 / x[c * m + c];
        for (int64_t k = 0; k < m; k++) {
            x[c * m + k] *= factor;
            y[c * m + k] *= factor;
        }
        for (int64_t r = 0; r < m; r++) {
            factor = r == c ? 0 : x[r * m + c];
            for (int64_t k = 0; factor != 0 && k < m; k++) {
                x[r * m + k] -= factor * x[c * m + k];
                y[r * m + k] -= factor * y[c * m + k];
            }
        }
    }
}

struct inverse_job {
    const struct step *s;
    int64_t m;
};

static void one_matrix(void *context, int64_t k, int thread)
{
    const struct inverse_job *j = context;
    const struct tensor *x = j->s->in[0], *y = j->s->out[0];
    const int64_t n = j->m * j->m;
    double *const from = (double *)j->s->scratch + thread * 2 * n, *const to = from + n;
    const size_t size = dtype_size(x->dtype);

    convert_between(x->dtype, F64)((const char *)x->data + (size_t)(k * n) * size, from, n);
    invert(j->s->pool, from, to, j->m);
    convert_between(F64, y->dtype)(to, (char *)y->data + (size_t)(k * n) * size, n);
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];
    struct inverse_job j = { .s = s, .m = x->dims[x->rank - 1] };

    if (tensor_count(x))
        pool_run(s->pool, dims_product(x->dims, 0, x->rank - 2), one_matrix, &j);
    return true;
}

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *y = emit(e, "Einsum", "equation='...ij->...ji'", 1, forward_out(b, 0));

    if (wants(b, 0))
        give(b, 0, emit(e, "Neg", "", 1, emit(e, "MatMul", "", 2, emit(e, "MatMul", "", 2, y, upstream(b, 0)), y)));
    return backward_ok(b);
}

static const struct op_case cases[] = {
    { "f64[3,3]", "", "f64[3,3]", 1 },          { "f64[2,1,4,4]", "", "f64[2,1,4,4]", 1 },
    { "f32[2,2]{1,2,3,4}", "", "f32[2,2]", 0 }, { "f32[3,3]{0,1,0,0,0,2,4,0,0}", "", "f32[3,3]", 0 },
    { "f16[2,2]{1,2,3,4}", "", "f16[2,2]", 0 }, { "f32[0,2,2]", "", "f32[0,2,2]", 0 },
    { "f32[2,0,0]", "", "f32[2,0,0]", 0 },      { 0 },
};

const struct op op_inverse = {
    .name = "Inverse",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: floats",
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cost = cost,
                                       .cases = cases },
                                     { 0 } },
};
