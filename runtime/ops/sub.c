/* Sub, https://onnx.ai/onnx/operators/onnx__Sub.html
 *
 *   C = A - B        dA = dC, dB = -dC, summed over what was broadcast
 *
 * Integers wrap around. */
#define NAME    sub
#define VALUE   (a - b)
#define INTEGER ((W)a - (W)b)
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"

enum { A, B };

/* -- run -- */

static bool run(struct step *s)
{
    return binary_run(s, &formula_sub);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    give_unbroadcast(b, A, upstream(b, 0));
    if (wants(b, B))
        give_unbroadcast(b, B, emit(emitter_of(b), "Neg", "", 1, upstream(b, 0)));
    return backward_ok(b);
}

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T C", .types = list, .infer = binary_infer, .run = run,            \
        .chain = CHAIN_OF_2(formula_sub), .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = arithmetic_cases     \
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

#endif
