/* Elementwise operators of com.microsoft on int8 and uint8: each operand and the result have one scale and one zero point, which
 * may be left out. */
#ifndef KILN_OPS_QLINEAR_H
#define KILN_OPS_QLINEAR_H

#include "ops/elementwise.h"
#include "ops/quantized.h"

/* A tensor of 8 bits as float: scale * ((x ^ flip) - zero). An int8 whose highest bit is turned is an uint8 that is 128
 * more, as its zero point then is. */
struct qlinear_operand {
    float scale;
    int32_t zero;
    uint8_t flip;
};
static inline float qlinear_value(const struct qlinear_operand *q, uint8_t x)
{
    return q->scale * (float)((x ^ q->flip) - q->zero);
}
struct qlinear_operand qlinear_operand(const struct tensor *t, const struct tensor *scale, const struct tensor *zero);

/* How the result is quantised. `q` holds pointers to the two numbers. */
struct qlinear_result {
    float scale, zero;
    struct quantizing q;
};
void qlinear_result(struct qlinear_result *r, enum dtype dtype, const struct tensor *scale, const struct tensor *zero);

/* -- unary: x, its scale and zero point, scale and zero point of y -- */

bool qlinear_unary_infer(struct infer *i);
bool qlinear_unary_run(struct step *s, float (*of)(float x, const void *attrs));
#define QLINEAR_UNARY_PARTS                                                                                            \
    .since = 1, .signature = "T X, F X_scale, T X_zero_point?, F Y_scale, T Y_zero_point? -> T Y",                     \
    .types = "T: i8 u8; F: f32", .infer = qlinear_unary_infer, .run = run, .no_gradient = "its operand is quantised",  \
    .flags = OP_ELEMENTWISE

/* -- binary: a, b, each with scale and zero point, then those of c -- */

struct qlinear_binary {
    struct qlinear_operand a, b;
    struct qlinear_result c;
};
bool qlinear_binary_infer(struct infer *i);
/* The loop sees a and b as they are stored, and struct qlinear_binary as its attributes. */
bool qlinear_binary_run(struct step *s, elementwise_loop *loop);
#define QLINEAR_BINARY_ROW                                                                                             \
    {                                                                                                                  \
        .since = 1,                                                                                                    \
        .signature = "T A, F A_scale, T A_zero_point?, T B, F B_scale, T B_zero_point?, F C_scale, "                   \
                     "T C_zero_point? -> T C",                                                                         \
        .types = "T: i8 u8; F: f32", .infer = qlinear_binary_infer, .run = run,                                        \
        .no_gradient = "its operands are quantised", .flags = OP_ELEMENTWISE, .cases = qlinear_binary_cases            \
    }
extern const struct op_case qlinear_binary_cases[];

#endif
