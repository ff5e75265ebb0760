/* Div, https://onnx.ai/onnx/operators/onnx__Div.html
 *
 *   C = A / B        dA = dC / B, dB = -dC * C / B, summed over what was broadcast
 *
 * Integers are truncated towards zero; the smallest one divided by -1 wraps around, and a division by zero is
 * an error. */

/* The smallest integer by -1 would overflow. A divisor of zero never gets here. */
#define SIGNED_INT ((T)-1 < (T)1)
#define NAME       div
#define VALUE      (a / b)
#define INTEGER    (SIGNED_INT && b == (T)-1 ? (W)0 - (W)a : (W)(a / b))
#define WORK       DIVISION
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"

enum { A, B };

/* -- run -- */

static bool run(struct step *s)
{
    return divisor_fits(s) && binary_run(s, &formula_div);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *da = emit(e, "Div", "", 2, upstream(b, 0), forward_in(b, B));

    give_unbroadcast(b, A, da);
    if (wants(b, B))
        give_unbroadcast(b, B, emit(e, "Neg", "", 1, emit(e, "Mul", "", 2, da, forward_out(b, 0))));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4]+", "", "f32[2,3,4]", 3 },
    { "f64[5,7] f64[7]+", "", "f64[5,7]", 3 },
    { "f64[3,1,5] f64[4,1]+", "", "f64[3,4,5]", 3 },
    { "f32[2,3,4,5] f32[3,1,1]+", "", "f32[2,3,4,5]", 3 },
    { "f32[] f32[3,5]+", "", "f32[3,5]", 3 },
    { "f16[3,5] f16[3,1]+", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]+", "", "bf16[600]", 0 },
    { "i8[7] i8[7]+", "", "i8[7]", 0 },
    { "u16[2,3] u16[2,1]+", "", "u16[2,3]", 0 },
    { "i64[2,3] i64[]+", "", "i64[2,3]", 0 },
    { "f32[0,3] f32[1,3]+", "", "f32[0,3]", 0 },
    { "f32[] f32[]+", "", "f32[]", 3 },
    { 0 },
};

const struct op op_div = {
    .name = "Div",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ARITHMETIC_ROWS(formula_div, NULL, cases),
            { 0 },
        },
};

#endif
