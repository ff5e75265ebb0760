/* Mul, https://onnx.ai/onnx/operators/onnx__Mul.html
 *
 *   C = A * B        dA = dC * B, dB = dC * A, summed over what was broadcast
 *
 * Integers wrap around. */
#include "ops/broadcast.h"
#include "ops/elementwise.h"

enum { A, B };

/* -- run -- */

static void mul_f32(const struct span *s)
{
    const float *const a = s->x[A], *const b = s->x[B];

    if (s->step[A] && s->step[B])
        s->k->mul(a, b, s->y, s->n);
    else if (s->step[A])
        s->k->mul_s(a, *b, s->y, s->n);
    else
        s->k->mul_s(b, *a, s->y, s->n);
}

#define EXPR(a, b) (W)(a) * (W)(b)
#define LOOP_F32   mul_f32
#include "ops/binary_types.h"

static bool run(struct step *s)
{
    return binary_run(s, loops);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    if (wants(b, A))
        give_unbroadcast(b, A, emit(emitter_of(b), "Mul", "", 2, upstream(b, 0), forward_in(b, B)));
    if (wants(b, B))
        give_unbroadcast(b, B, emit(emitter_of(b), "Mul", "", 2, upstream(b, 0), forward_in(b, A)));
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_UNLESS_SCALAR, 0, "factor", "ones", NULL },
    { PARAMETER_TRAINS_UNLESS_SCALAR, 1, "factor", "ones", NULL },
    { 0 },
};

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]", 3 },
    { "f64[5,7] f64[7]", "", "f64[5,7]", 3 },
    { "f64[3,1,5] f64[4,1]", "", "f64[3,4,5]", 3 },
    { "f32[2,3,4,5] f32[3,1,1]", "", "f32[2,3,4,5]", 3 },
    { "f32[] f32[3,5]", "", "f32[3,5]", 3 },
    { "f16[3,5] f16[3,1]", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]", "", "bf16[600]", 0 },
    { "i8[7] i8[7]", "", "i8[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "u16[2,3]", 0 },
    { "i64[2,3] i64[]", "", "i64[2,3]", 0 },
    { "f32[0,3] f32[1,3]", "", "f32[0,3]", 0 },
    { "f32[] f32[]", "", "f32[]", 3 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T C", .types = list, .infer = binary_infer, .run = run,            \
        .chain = CHAIN_OF_2(mul), .gradient = gradient, .flags = OP_ELEMENTWISE, .parameters = parameters,             \
        .cases = cases                                                                                                 \
    }

const struct op op_mul = {
    .name = "Mul",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(14, "T: floats bf16 ints uints"),
            ROW(13, "T: floats bf16 i32 i64 u32 u64"),
            ROW(7, "T: floats i32 i64 u32 u64"),
            BROADCAST_ROW(6, "T A, T B -> T C", "T: floats i32 i64 u32 u64", broadcast_cases),
            BROADCAST_ROW(1, "T A, T B -> T C", "T: floats", broadcast_cases),
            { 0 },
        },
};
