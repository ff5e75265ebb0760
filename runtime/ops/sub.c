/* Sub, https://onnx.ai/onnx/operators/onnx__Sub.html
 *
 *   C = A - B        dA = dC, dB = -dC, summed over what was broadcast
 *
 * Integers wrap around. */
#include "ops/broadcast.h"
#include "ops/elementwise.h"

enum { A, B };

/* -- run -- */

static void sub_f32(const struct span *s)
{
    const float *const a = s->x[A], *const b = s->x[B];

    if (s->step[A] && s->step[B])
        s->k->sub(a, b, s->y, s->n);
    else if (s->step[A])
        s->k->add_s(a, -*b, s->y, s->n);
    else
        s->k->sub_r(b, *a, s->y, s->n);
}

#define EXPR(a, b) (W)(a) - (W)(b)
#define LOOP_F32   sub_f32
#include "ops/binary_types.h"

static bool run(struct step *s)
{
    return binary_run(s, loops);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    give_unbroadcast(b, A, upstream(b, 0));
    if (wants(b, B))
        give_unbroadcast(b, B, emit(emitter_of(b), "Neg", "", 1, upstream(b, 0)));
    return backward_ok(b);
}

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
        .chain = CHAIN_OF_2(sub), .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = cases                        \
    }

const struct op op_sub = {
    .name = "Sub",
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
