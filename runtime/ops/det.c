/* Det, https://onnx.ai/onnx/operators/onnx__Det.html
 *
 *   Y = the determinant of each matrix of X [..., M, M]; that of no rows is 1
 *   dX = dY * cofactors of X, the transpose of the adjugate
 *
 * By elimination in double with the greatest element of all that is left as the pivot: P X Q = L U, so that
 * det(X) = det(P) det(Q) u[0,0] u[1,1] ... u[n,n], n = M - 1.
 *
 * The adjugate is det(P) det(Q) Q adj(U) inverse(L) P. With the other rows and columns of U as V and v,
 *
 *   U = | V  v |      adj(U) = v[0,0] ... v[n-1,n-1] * | t inverse(V)  -inverse(V) v |
 *       | 0  t |                                       |      0              1       |
 *
 * in which nothing is divided by t: it is right for singular matrices, too. Where V is singular all cofactors are 0. */
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/cost.h"
#include "ops/rank.h"
#include "ops/widen.h"
#include <math.h>
#include <string.h>

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x < 2 ? UNKNOWN : x - 2;
}

/* A thread has a matrix of doubles, two columns, and two orders of rows or columns. */
static bool size_for(int64_t m, int64_t *bytes)
{
    return mul_size(m + 4, m, bytes) && mul_size(*bytes, sizeof(double), bytes);
}

static bool infer_on(struct infer *i, const struct tensor *x)
{
    char text[TYPE_TEXT];
    int64_t bytes;

    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        return infer_error(i, "'X' is %s, must be square matrices", tensor_text(x, text));
    if (!size_for(x->dims[x->rank - 1], &bytes) || !mul_size(bytes, infer_threads(i), &bytes))
        return infer_error(i, "'X' is %s: the matrices are too large", tensor_text(x, text));
    need_scratch(i, (size_t)bytes);
    return true;
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);

    return infer_on(i, x) && set_out(i, 0, x->dtype, x->rank - 2, x->dims);
}

/* Of how many products one matrix takes m^3. */
static void cost(const struct tensor *x, double products, struct cost *c)
{
    const double m = (double)x->dims[x->rank - 1];

    c->flops = cost_count(x) * m * 2 * products;
}

static void cost_of_det(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    cost(in[0], 1. / 3, c);
}

/* -- run -- */

struct det_job {
    const struct tensor *x, *dy, *y; /* y is dX where there is dY */
    struct pool *pool;
    char *scratch;
    int64_t m, count, per_chunk, bytes; /* of scratch, for a thread */
};

/* P X Q = L U, where row k of P X is row rows[k] of X, and column k of X Q its column columns[k]. */
struct factors {
    double *u; /* [m, m]; below the diagonal L, whose own diagonal is 1 */
    double *z, *w;
    int64_t *rows, *columns;
    int64_t m;
    double sign; /* det(P) det(Q) */
};

static void swap_doubles(double *a, int64_t a_step, double *b, int64_t b_step, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        const double v = a[k * a_step];

        a[k * a_step] = b[k * b_step];
        b[k * b_step] = v;
    }
}

static void swap_orders(struct factors *f, int64_t *order, int64_t a, int64_t b)
{
    const int64_t v = order[a];

    order[a] = order[b];
    order[b] = v;
    f->sign = a == b ? f->sign : -f->sign;
}

/* The greatest of what is left from row and column k on comes to their corner; what is no number is the greatest. */
static void take_pivot(struct factors *f, int64_t k)
{
    const int64_t m = f->m;
    int64_t row = k, column = k;
    double best = 0;

    for (int64_t r = k; r < m; r++)
        for (int64_t c = k; c < m; c++) {
            const double v = fabs(f->u[r * m + c]);

            if (v > best || v != v) {
                best = v;
                row = r;
                column = c;
            }
        }
    swap_doubles(f->u + k * m, 1, f->u + row * m, 1, m);
    swap_doubles(f->u + k, m, f->u + column, m, m);
    swap_orders(f, f->rows, k, row);
    swap_orders(f, f->columns, k, column);
}

/* What is left is 0 where a pivot is. */
static void eliminate(struct factors *f, struct pool *pool)
{
    const int64_t m = f->m;

    for (int64_t k = 0; k < m; k++)
        f->rows[k] = f->columns[k] = k;
    f->sign = 1;
    for (int64_t k = 0; k < m - 1 && !pool_late(pool); k++) {
        const double *const top = f->u + k * m;

        take_pivot(f, k);
        if (top[k] == 0)
            return;
        for (int64_t r = k + 1; r < m; r++) {
            double *const row = f->u + r * m;

            row[k] /= top[k];
            for (int64_t c = k + 1; c < m; c++)
                row[c] -= row[k] * top[c];
        }
    }
}

/* Of the first `n` elements of the diagonal. */
static double product(const struct factors *f, int64_t n)
{
    double p = 1;

    for (int64_t k = 0; k < n; k++)
        p *= f->u[k * f->m + k];
    return p;
}

static struct factors factors_of(const struct det_job *j, int64_t matrix, int thread)
{
    const int64_t m = j->m;
    double *const own = (double *)(j->scratch + j->bytes * thread);
    struct factors f = { .u = own,
                         .z = own + m * m,
                         .w = own + m * m + m,
                         .rows = (int64_t *)(own + m * m + 2 * m),
                         .columns = (int64_t *)(own + m * m + 3 * m),
                         .m = m };

    convert_between(j->x->dtype, F64)((const char *)j->x->data + (size_t)(matrix * m * m) * dtype_size(j->x->dtype),
                                      f.u, m * m);
    eliminate(&f, j->pool);
    return f;
}

static void det_chunk(void *context, int64_t index, int thread)
{
    const struct det_job *j = context;
    const enum dtype dtype = j->y->dtype;
    const int64_t first = index * j->per_chunk, end = lesser(j->count, first + j->per_chunk);

    for (int64_t matrix = first; matrix < end; matrix++) {
        const struct factors f = factors_of(j, matrix, thread);
        const double det = f.sign * product(&f, f.m);

        convert_between(F64, dtype)(&det, (char *)j->y->data + (size_t)matrix * dtype_size(dtype), 1);
    }
}

static void run_job(const struct step *s, const struct tensor *dy, void (*chunk)(void *, int64_t, int))
{
    const struct tensor *x = s->in[0];
    const int64_t m = x->dims[x->rank - 1];
    struct det_job j = { .x = x,
                         .dy = dy,
                         .y = s->out[0],
                         .pool = s->pool,
                         .scratch = s->scratch,
                         .m = m,
                         .count = dims_product(x->dims, 0, x->rank - 2),
                         .per_chunk = (int64_t)(JOB_PRODUCTS / ((double)m * (double)m * (double)m + 1)) + 1 };

    if (size_for(m, &j.bytes))
        pool_run(s->pool, divide_up(j.count, j.per_chunk), chunk, &j);
}

static bool run(struct step *s)
{
    run_job(s, NULL, det_chunk);
    return true;
}

/* -- differentiate -- */

/* w becomes column k of adj(U) inverse(L), without the product p of V's diagonal. */
static void adjugate_column(const struct factors *f, int64_t k)
{
    const int64_t m = f->m, n = m - 1;
    const double t = f->u[m * m - 1];

    memset(f->z, 0, (size_t)m * sizeof *f->z);
    f->z[k] = 1;
    for (int64_t r = k + 1; r < m; r++)
        for (int64_t c = k; c < r; c++)
            f->z[r] -= f->u[r * m + c] * f->z[c];
    f->w[n] = f->z[n];
    for (int64_t r = n - 1; r >= 0; r--) {
        double sum = t * f->z[r] - f->u[r * m + n] * f->z[n];

        for (int64_t c = r + 1; c < n; c++)
            sum -= f->u[r * m + c] * f->w[c];
        f->w[r] = sum / f->u[r * m + r];
    }
}

static void grad_chunk(void *context, int64_t index, int thread)
{
    const struct det_job *j = context;
    const enum dtype dtype = j->y->dtype;
    const size_t size = dtype_size(dtype);
    const int64_t first = index * j->per_chunk, end = lesser(j->count, first + j->per_chunk), m = j->m;

    for (int64_t matrix = first; matrix < end && m; matrix++) {
        const struct factors f = factors_of(j, matrix, thread);
        const double p = f.sign * product(&f, m - 1);
        char *const to = (char *)j->y->data + (size_t)(matrix * m * m) * size;
        double dy;

        convert_between(dtype, F64)((const char *)j->dy->data + (size_t)matrix * size, &dy, 1);
        memset(to, 0, (size_t)(m * m) * size);
        for (int64_t k = 0; k < m && p != 0 && !pool_late(j->pool); k++) {
            adjugate_column(&f, k);
            for (int64_t r = 0; r < m; r++) {
                const double d = dy * p * f.w[r];

                convert_between(F64, dtype)(&d, to + (size_t)(f.rows[k] * m + f.columns[r]) * size, 1);
            }
        }
    }
}

static bool run_grad(struct step *s)
{
    run_job(s, s->in[1], grad_chunk);
    return true;
}

static bool infer_grad(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);

    return infer_on(i, x) && set_out(i, 0, x->dtype, x->rank, x->dims);
}

static void cost_of_grad(const struct node *n, const struct tensor *const *in, struct tensor *const *out,
                         struct cost *c)
{
    (void)n;
    (void)out;
    cost(in[0], 1, c);
}

/* All but row r, for each r: m * (m - 1) indices. */
static struct value *all_but_one(struct emitter *e, int64_t m)
{
    const struct tensor type = { .dtype = I64, .rank = 2, .dims = { m, m - 1 } };
    int64_t *const rows = emit_alloc(e, (size_t)tensor_bytes(&type) + 1);

    for (int64_t k = 0; rows && k < m * (m - 1); k++)
        rows[k] = k % (m - 1) + (k % (m - 1) >= k / (m - 1));
    return rows ? emit_constant(e, &type, rows) : NULL;
}

/* 1 and -1 as on a chessboard */
static struct value *signs(struct emitter *e, int64_t m, enum dtype dtype)
{
    const struct tensor type = { .dtype = F32, .rank = 2, .dims = { m, m } };
    float *const sign = emit_alloc(e, (size_t)tensor_bytes(&type));

    for (int64_t k = 0; sign && k < m * m; k++)
        sign[k] = (k / m + k % m) % 2 ? -1 : 1;
    return sign ? emit_cast(e, emit_constant(e, &type, sign), dtype) : NULL;
}

/* A cofactor is the determinant of what is left without its row and its column, with a sign: much more to compute, but
 * right for singular matrices, and so are its gradients. */
static bool spell_out(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const struct tensor *x = in[0];
    const int64_t m = x->dims[x->rank - 1], count = dims_product(x->dims, 0, x->rank - 2);
    struct value *d = emit_widened(e, n->in[0], x->dtype, WIDEN_HALVES), *rows;

    if (!m) {
        out[0] = n->in[0];
        return true;
    }
    rows = all_but_one(e, m);
    d = emit_reshape(e, d, 3, (const int64_t[]){ count, m, m });
    d = emit(e, "Gather", "axis=3", 2, emit(e, "Gather", "axis=1", 2, d, rows), rows);
    d = emit(e, "Det", "", 1, emit(e, "Transpose", "perm=[0,1,3,2,4]", 1, d));
    d = emit(e, "Mul", "", 2, d, signs(e, m, dtype_compute(x->dtype)));
    d = emit(e, "Mul", "", 2, d,
             emit_reshape(e, emit_widened(e, n->in[1], x->dtype, WIDEN_HALVES), 3, (const int64_t[]){ count, 1, 1 }));
    out[0] = emit_narrowed(e, emit_reshape(e, d, x->rank, x->dims), n->in[0], x->dtype, WIDEN_HALVES);
    return out[0];
}

static const struct op det_grad = {
    .name = "DetGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X, T dY -> T dX",
                                       .types = "T: floats bf16",
                                       .rank = rank_of_input,
                                       .infer = infer_grad,
                                       .run = run_grad,
                                       .cost = cost_of_grad,
                                       .spell_out = spell_out,
                                       .no_gradient = "is a gradient itself" },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    struct value *const in[] = { forward_in(b, 0), upstream(b, 0) };
    struct value *dx = NULL;

    if (wants(b, 0) && emit_private(emitter_of(b), &det_grad, NULL, 1, &dx, NULL, 2, in))
        give(b, 0, dx);
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[3,3]~", "", "f32[]", 0 }, { "f64[2,4,4]", "", "f64[2]", 1 }, { "f64[2,1,1]", "", "f64[2]", 1 },             \
        { "f64[2,2]{0,2,3,0}", "", "f64[]", 1 }, { "f64[3,3]{1,2,3,2,4,6,1,0,1}", "", "f64[]", 1 },                    \
        { "f64[3,3]{1,2,3,2,4,6,-1,-2,-3}", "", "f64[]", 1 }, { "f64[2,2]{0,0,0,0}", "", "f64[]", 1 },                 \
        { "f64[5,5]", "", "f64[]", 1 }, { "f32[300,2,2]", "", "f32[300]", 1 }, { "f16[3,2,2]", "", "f16[3]", 0 },      \
        { "f32[2,3,20,20]", "", "f32[2,3]", 0 }, { "f32[2,0,0]", "", "f32[2]", 0 },                                    \
    {                                                                                                                  \
        "f32[0,3,3]", "", "f32[0]", 0                                                                                  \
    }

static const struct op_case cases_11[] = { CASES, { 0 } };
static const struct op_case cases_22[] = { CASES, { "bf16[2,2]", "", "bf16[]", 0 }, { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = list, .rank = rank, .infer = infer, .run = run,          \
        .gradient = gradient, .cost = cost_of_det, .cases = tests                                                      \
    }

const struct op op_det = {
    .name = "Det",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(22, "T: floats bf16", cases_22), ROW(11, "T: floats", cases_11), { 0 } },
};
