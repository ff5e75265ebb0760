/* MatMulInteger, https://onnx.ai/onnx/operators/onnx__MatMulInteger.html; numpy.matmul
 *
 *   Y[..., m, n] = sum over k of (A[..., m, k] - a_zero_point) (B[..., k, n] - b_zero_point)
 *
 * in int32, which wraps around. A zero point is one number, or one for each row of A and for each column of B: a vector,
 * or of the operand's shape with 1 for the other dimension of its matrices. (onnxruntime takes no zero points of rows;
 * the reference subtracts a vector of them along the wrong dimension.) */
#include "ops/quantized.h"

enum { A, B, A_ZERO_POINT, B_ZERO_POINT };

static const struct quantized_inputs inputs = { .a = A,
                                                .a_zero = A_ZERO_POINT,
                                                .b = B,
                                                .b_zero = B_ZERO_POINT,
                                                .a_name = "A",
                                                .b_name = "B",
                                                .bias = -1,
                                                .a_scale = -1 };

static int rank(const struct node *n, int k)
{
    (void)k;
    return product_rank(n, A, B);
}

static bool infer(struct infer *i)
{
    struct product p;
    struct tensor y;

    if (!quantized_product_infer(i, &inputs, 0, &p))
        return false;
    y = product_result(&p, I32);
    return set_out(i, 0, y.dtype, y.rank, y.dims);
}

static bool run(struct step *s)
{
    return quantized_product_run(s, &inputs, &(struct integer_result){ .sums = s->out[0]->data }, s->scratch);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)n;
    (void)out;
    c->flops = product_flops(in[A], in[B]);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "u8[3,4] u8[4,5]", "", "i32[3,5]", 0 },
    { "i8[3,4] u8[4,5] i8[]{-3} u8[]{200}", "", "i32[3,5]", 0 },
    { "u8[33,67] i8[67,70] u8[1] i8[1]", "", "i32[33,70]", 0 },
    { "i8[3,4] i8[4,5] i8[3] i8[5]", "", "i32[3,5]", 0 },
    { "u8[2,3,4] u8[4,5] u8[2,3,1] u8[5]", "", "i32[2,3,5]", 0 },
    { "u8[3,4] i8[2,4,5] - i8[2,1,5]", "", "i32[2,3,5]", 0 },
    { "u8[2,1,3,4] u8[5,4,2] u8[3] u8[5,1,2]", "", "i32[2,5,3,2]", 0 },
    { "u8[4] u8[4] u8[] u8[]", "", "i32[]", 0 },
    { "u8[4] u8[2,4,3] - u8[3]", "", "i32[2,3]", 0 },
    { "u8[2,3,4] u8[4]", "", "i32[2,3]", 0 },
    { "u8[2,0] u8[0,3] u8[]{7} u8[]{7}", "", "i32[2,3]", 0 }, /* an empty sum is 0 */
    { "u8[0,3] u8[3,2]", "", "i32[0,2]", 0 },
    { "u8[2,3] u8[3,2]{1,2,3,4,5,6} - u8[2]{7,200}", "", "i32[2,2]", 0 }, /* packed once, or each time */
    { "u8[2,3] i8[2,3,1]{1,-2,3,-4,5,6} u8[] i8[2,1,1]{7,-9}", "", "i32[2,2,1]", 0 },
    { 0 },
};

const struct op op_matmul_integer = {
    .name = "MatMulInteger",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 10,
              .signature = "T1 A, T2 B, T1 a_zero_point?, T2 b_zero_point? -> T3 Y",
              .types = "T1: i8 u8; T2: i8 u8; T3: i32",
              .rank = rank,
              .infer = infer,
              .run = run,
              .cost = cost,
              .no_gradient = "its operands are integers",
              .cases = cases },
            { 0 },
        },
};
