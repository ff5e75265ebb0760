/* QLinearMatMul, https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html; numpy.matmul
 *
 *   y[..., m, n] = saturate(round(sum * (a_scale * b_scale / y_scale)) + y_zero_point)
 *   sum = sum over k of (a[..., m, k] - a_zero_point) (b[..., k, n] - b_zero_point)
 *
 * Sums are int32, which wraps around; of two nearest integers round takes the even one. Scales and zero points of a are
 * one number, or one for each row, those of b one or one for each column: a vector, or of the operand's shape with 1 for
 * the other dimension of its matrices. Those of y are one number.
 *
 * The standard leaves open in what precision the factor and its product with the sum are computed: in float, whatever
 * type the scales have, as onnxruntime does, to the bit. (The reference multiplies in double, after a factor of the type
 * of the scales, and adds the zero point before it rounds: what is a tie comes out on the other side, if the zero point
 * is odd.) Where floats of 8 bits take part, neither of the two has it: the sum is in float, and a y of 8 bits is rounded
 * once, with the zero point added. */
#include "base/text.h"
#include "kernels/index.h"
#include "ops/compute.h"
#include "ops/convert.h"
#include "ops/cost.h"
#include "ops/quantized.h"

/* BIAS: of kiln.QLinearMatMul, int32, one number for each column of B, which is added to the sums. */
enum { A, A_SCALE, A_ZERO_POINT, B, B_SCALE, B_ZERO_POINT, Y_SCALE, Y_ZERO_POINT, BIAS };

static const struct quantized_inputs inputs = { .a = A,
                                                .a_zero = A_ZERO_POINT,
                                                .b = B,
                                                .b_zero = B_ZERO_POINT,
                                                .a_name = "a",
                                                .b_name = "b",
                                                .bias = BIAS,
                                                .a_scale = A_SCALE };

static int rank(const struct node *n, int k)
{
    (void)k;
    return product_rank(n, A, B);
}

/* -- plan -- */

/* Is anything a float of 8 bits? */
static bool in_floats(enum dtype a, enum dtype b, enum dtype y)
{
    return dtype_is_float(a) || dtype_is_float(b) || dtype_is_float(y);
}

/* The scales as floats: what comes first in scratch. */
static size_t scales_bytes(const struct infer *i)
{
    return compute_bytes(typed_in(i, A_SCALE), F32) + compute_bytes(typed_in(i, B_SCALE), F32) +
           compute_bytes(typed_in(i, Y_SCALE), F32);
}

static size_t floats_bytes(const struct tensor *t)
{
    return aligned((size_t)tensor_count(t) * sizeof(float));
}

/* Operands, their zero points and the result as floats, and what the product takes. */
static bool infer_floats(struct infer *i, struct product *p)
{
    size_t bytes = scales_bytes(i);
    struct tensor y;
    struct gemm g;

    if (!product_infer(i, A, "a", B, "b", p) || !has_rows(i, A_ZERO_POINT, "a_zero_point", A, false) ||
        !has_rows(i, B_ZERO_POINT, "b_zero_point", B, true))
        return false;
    y = product_result(p, F32);
    if (!tensor_shape(&y, F32, y.rank, y.dims))
        return infer_error(i, "output 0 would have more bytes than can be counted");
    for (int k = A; k <= B_ZERO_POINT; k++)
        if (k != A_SCALE && k != B_SCALE)
            bytes += floats_bytes(typed_in(i, k));
    g = product_gemm(p, F32);
    need_scratch(i, bytes + floats_bytes(&y) + gemm_scratch(infer_kernels(i), &g, infer_threads(i)));
    return true;
}

static bool infer(struct infer *i)
{
    const enum dtype a = typed_in(i, A)->dtype, b = typed_in(i, B)->dtype, to = typed_in(i, Y_ZERO_POINT)->dtype;
    struct product p;
    struct tensor y;

    if (!(in_floats(a, b, to) ? infer_floats(i, &p) : quantized_product_infer(i, &inputs, scales_bytes(i), &p)))
        return false;
    y = product_result(&p, to);
    if (infer_inputs(i) > BIAS && (in_floats(a, b, to) || typed_in(i, B)->rank < 2 ||
                                   !same_shape(typed_in(i, BIAS), &(struct tensor){ .rank = 1, .dims = { p.n } })))
        return infer_error(i, "'bias' does not fit");
    return set_out(i, 0, y.dtype, y.rank, y.dims) && has_rows(i, A_SCALE, "a_scale", A, false) &&
           has_rows(i, B_SCALE, "b_scale", B, true) && has_one_value(i, Y_SCALE, "y_scale") &&
           has_one_value(i, Y_ZERO_POINT, "y_zero_point");
}

/* -- run in integers -- */

/* Scales and zero points: rows and columns are counted through all matrices, modulo how many there are. */
static struct integer_result result_of(const struct step *s, char **scratch)
{
    return (struct integer_result){
        .y = s->out[0]->data,
        .a_scale = compute_in(s->in[A_SCALE], F32, scratch),
        .b_scale = compute_in(s->in[B_SCALE], F32, scratch),
        .a_scales = tensor_count(s->in[A_SCALE]),
        .b_scales = tensor_count(s->in[B_SCALE]),
        .y_scale = *(const float *)compute_in(s->in[Y_SCALE], F32, scratch),
    };
}

/* -- run in floats -- */

static float *floats_of(const struct tensor *t, char **scratch)
{
    float *const x = (float *)(void *)*scratch;

    *scratch += floats_bytes(t);
    convert(&(struct conversion){ t->dtype, F32, ROUNDING_DEFAULT }, t->data, x, tensor_count(t));
    return x;
}

/* An operand less its zero points: matrices of rows * columns numbers. */
static const float *less_zeros(const struct tensor *t, const struct tensor *zero, int64_t rows, int64_t columns,
                               bool of_rows, char **scratch)
{
    float *const x = floats_of(t, scratch), *const z = floats_of(zero, scratch);
    const int64_t n = tensor_count(t), zeros = tensor_count(zero);

    for (int64_t k = 0; k < n; k++)
        x[k] -= z[(of_rows ? k / columns : k / (rows * columns) * columns + k % columns) % zeros];
    return x;
}

/* A row of the result: sums c become y. */
static void finish_row(const struct step *s, const struct integer_result *r, float a, const float *b, int64_t b_step,
                       float *c, int64_t n, int64_t to)
{
    const struct tensor *zero = s->in[Y_ZERO_POINT];
    const float one = 1;
    struct quantizing q = { .scale = &one, .zero = &r->zero };

    for (int64_t j = 0; j < n; j++)
        c[j] *= a * b[j * b_step] / r->y_scale;
    if (!dtype_is_float(zero->dtype)) {
        saturation(zero->dtype, &q.least, &q.most);
        s->k->integer->quantize_8(&q, c, r->y + to, n);
        return;
    }
    s->k->map->add_s(c, r->zero, c, n);
    convert(&(struct conversion){ F32, zero->dtype, ROUNDING_DEFAULT }, c, r->y + to, n);
}

static bool run_floats(struct step *s, char *scratch)
{
    const struct tensor *a = s->in[A], *b = s->in[B];
    struct integer_result r = result_of(s, &scratch);
    int64_t at[MAX_RANK], a_matrix[MAX_RANK], b_matrix[MAX_RANK];
    const char *why;
    struct product p;
    struct gemm g;
    float *c;

    if (!product_of(a, b, &p, &why))
        return step_error(s, "%s", why);
    convert(&(struct conversion){ s->in[Y_ZERO_POINT]->dtype, F32, ROUNDING_DEFAULT }, s->in[Y_ZERO_POINT]->data,
            &r.zero, 1);
    g = product_gemm(&p, F32);
    g.a = less_zeros(a, s->in[A_ZERO_POINT], p.m, p.k, true, &scratch);
    g.b = less_zeros(b, s->in[B_ZERO_POINT], p.k, p.n, false, &scratch);
    g.c = c = (float *)(void *)scratch;
    gemm(s->k, s->pool, &g, scratch + aligned((size_t)(dims_product(p.batch, 0, p.rank) * p.m * p.n) * sizeof *c));
    product_strides(a, p.rank, 1, a_matrix);
    product_strides(b, p.rank, 1, b_matrix);
    for (int64_t k = 0; k < dims_product(p.batch, 0, p.rank) && !pool_late(s->pool); k++) {
        int64_t left = 0, right = 0;

        index_at(p.rank, p.batch, k, at);
        for (int d = 0; d < p.rank; d++) {
            left += at[d] * a_matrix[d];
            right += at[d] * b_matrix[d];
        }
        for (int64_t i = 0, row = k * p.m; i < p.m; i++, row++)
            finish_row(s, &r, r.a_scale[(left * p.m + i) % r.a_scales],
                       r.b_scale + (r.b_scales > 1 ? right * p.n % r.b_scales : 0), r.b_scales > 1, c + row * p.n, p.n,
                       row * p.n);
    }
    return true;
}

static bool run(struct step *s)
{
    char *scratch = s->scratch;
    struct integer_result r;

    if (in_floats(s->in[A]->dtype, s->in[B]->dtype, s->out[0]->dtype))
        return run_floats(s, scratch);
    r = result_of(s, &scratch);
    quantized_again(&r, r.y_scale, s->in[Y_ZERO_POINT]);
    return quantized_product_run(s, &inputs, &r, scratch);
}

static void describe(const struct node *n, const void *plan, struct text *out)
{
    (void)plan;
    if (n->inputs > BIAS && n->in[BIAS])
        text_printf(out, "Add");
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = product_flops(in[A], in[B]);
}

static const struct op op_lowered = {
    .name = "QLinearMatMul",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T1 a, TS a_scale, T1 a_zero_point, T2 b, TS b_scale, T2 b_zero_point, TS y_scale, "
                           "T3 y_zero_point, T4 bias? -> T3 y",
              .types = "TS: f32 f16 bf16; T1: i8 u8 ir9; T2: i8 u8 ir9; T3: i8 u8 ir9; T4: i32",
              .rank = rank,
              .infer = infer,
              .run = run,
              .describe = describe,
              .cost = cost,
              .no_gradient = "is made where no gradient is taken any more" },
            { 0 },
        },
};

/* -- test -- */

#define CASES                                                                                                          \
    { "u8[3,4] f32[]+ u8[] u8[4,5] f32[]+ u8[] f32[]+ u8[]", "", "u8[3,5]", 0 },                                       \
        { "i8[33,67] f32[33]+ i8[33] i8[67,70] f32[70]+ i8[70] f32[]+ i8[]", "", "i8[33,70]", 0 },                     \
        { "u8[3,4] f32[1]+ u8[1] i8[4,5] f32[5]+ i8[5] f32[1]+ i8[1]", "", "i8[3,5]", 0 },                             \
        { "u8[2,3,4] f32[2,3,1]+ u8[2,3,1] u8[4,5] f32[5]+ u8[5] f32[]+ u8[]", "", "u8[2,3,5]", 0 },                   \
        { "i8[3,4] f32[3]+ i8[] u8[2,4,5] f32[2,1,5]+ u8[2,1,5] f32[]+ u8[]", "", "u8[2,3,5]", 0 },                    \
        { "u8[2,1,3,4] f32[3]+ u8[3] u8[5,4,2] f32[5,1,2]+ u8[2] f32[]+ i8[]", "", "i8[2,5,3,2]", 0 },                 \
        { "u8[4] f32[]+ u8[] u8[4] f32[]+ u8[] f32[]+ u8[]", "", "u8[]", 0 },                                          \
        { "u8[2,0] f32[]+ u8[] u8[0,3] f32[]+ u8[] f32[]+ u8[]", "", "u8[2,3]", 0 },                                   \
    {                                                                                                                  \
        "u8[0,3] f32[]+ u8[] u8[3,2] f32[]+ u8[] f32[]+ u8[]", "", "u8[0,2]", 0                                        \
    }

static const struct op_case cases_10[] = { CASES, { 0 } };
static const struct op_case cases_21[] = {
    CASES,
    { "u8[3,4] f16[]+ u8[] u8[4,5] f16[5]+ u8[] f16[]+ u8[]", "", "u8[3,5]", 0 },
    { "u8[3,4] bf16[3]+ u8[] u8[4,5] bf16[]+ u8[] bf16[]+ u8[]", "", "u8[3,5]", 0 },
    { "f8e4m3fn[3,4] f32[]+ f8e4m3fn[] f8e4m3fn[4,5] f32[]+ f8e4m3fn[] f32[]+ f8e4m3fn[]", "", "f8e4m3fn[3,5]", 0 },
    { "f8e5m2[2,1,3,4] f16[3]+ f8e5m2[3] i8[5,4,2] f16[5,1,2]+ i8[2] f16[]+ u8[]", "", "u8[2,5,3,2]", 0 },
    { "u8[2,3,4] f32[2,3,1]+ u8[2,3,1] f8e5m2fnuz[4,5] f32[5]+ f8e5m2fnuz[5] f32[]+ f8e4m3fnuz[]", "",
      "f8e4m3fnuz[2,3,5]", 0 },
    { "f8e4m3fn[2,0] f32[]+ f8e4m3fn[] u8[0,3] f32[]+ u8[] f32[]+ i8[]", "", "i8[2,3]", 0 },
    { "f8e4m3fn[0,3] f32[]+ f8e4m3fn[] u8[3,2] f32[]+ u8[] f32[]+ i8[]", "", "i8[0,2]", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version,                                                                                              \
        .signature = "T1 a, TS a_scale, T1 a_zero_point, T2 b, TS b_scale, T2 b_zero_point, TS y_scale, "              \
                     "T3 y_zero_point -> T3 y",                                                                        \
        .types = list, .rank = rank, .infer = infer, .run = run, .cost = cost,                                         \
        .no_gradient = "its operands are quantised", .cases = tests                                                    \
    }

const struct op op_qlinear_matmul = {
    .name = "QLinearMatMul",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(21, "TS: f32 f16 bf16; T1: i8 u8 ir9; T2: i8 u8 ir9; T3: i8 u8 ir9", cases_21),
            ROW(10, "TS: f32; T1: i8 u8; T2: i8 u8; T3: i8 u8", cases_10),
            { 0 },
        },
    .lowered = &op_lowered,
};
