/* Where, https://onnx.ai/onnx/operators/onnx__Where.html
 *
 *   output = condition ? X : Y, all three broadcast
 *   dX = condition ? doutput : 0, dY = condition ? 0 : doutput, summed over what was broadcast
 *
 * It only moves values: it sees the bytes of a type, not the type. */
#include "ops/elementwise.h"

enum { CONDITION, X, Y };

/* -- plan -- */

static bool infer(struct infer *i)
{
    return broadcast_infer(i, 0, typed_in(i, X)->dtype);
}

/* -- run -- */

struct two {
    uint64_t half[2];
};

#define EXPR (a ? b : c)
#define LOOP loop_1
#define A    uint8_t
#define T    uint8_t
#include "ops/ternary_body.h"
#define LOOP loop_2
#define A    uint8_t
#define T    uint16_t
#include "ops/ternary_body.h"
#define LOOP loop_4
#define A    uint8_t
#define T    uint32_t
#include "ops/ternary_body.h"
#define LOOP loop_8
#define A    uint8_t
#define T    uint64_t
#include "ops/ternary_body.h"
#define LOOP loop_16
#define A    uint8_t
#define T    struct two
#include "ops/ternary_body.h"

static bool run(struct step *s)
{
    static elementwise_loop *const by_width[] = {
        [1] = loop_1, [2] = loop_2, [4] = loop_4, [8] = loop_8, [16] = loop_16
    };
    const enum dtype dtype = s->in[X]->dtype;
    const struct elementwise e = { .loop = by_width[dtype_size(dtype)], .x_as = { BOOL, dtype, dtype }, .y_as = dtype };

    return elementwise(s, &e, s->out[0], 3, s->in);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);
    struct value *zero = emit_scalar(e, type_in(b, X)->dtype, 0), *c = forward_in(b, CONDITION);

    if (wants(b, X))
        give_unbroadcast(b, X, emit(e, "Where", "", 3, c, upstream(b, 0), zero));
    if (wants(b, Y))
        give_unbroadcast(b, Y, emit(e, "Where", "", 3, c, zero, upstream(b, 0)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "bool[2,3,4] f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]", 6 },
    { "bool[3,1,5] f64[4,1] f64[5]", "", "f64[3,4,5]", 6 },
    { "bool[] f64[4,1] f64[5]", "", "f64[4,5]", 6 },
    { "bool[4,5] f64[] f64[1]", "", "f64[4,5]", 6 },
    { "bool[3,5] f16[3,1] f16[]", "", "f16[3,5]", 0 },
    { "bool[600] bf16[1] bf16[600]", "", "bf16[600]", 0 },
    { "bool[7] i8[7] i8[7]", "", "i8[7]", 0 },
    { "bool[2,3] u64[2,1] u64[]", "", "u64[2,3]", 0 },
    { "bool[2,3] bool[2,1] bool[3]", "", "bool[2,3]", 0 },
    { "bool[2,3] str[2,1] str[3]", "", "str[2,3]", 0 },
    { "bool[2,3] c64[2,1] c64[3]", "", "c64[2,3]", 0 },
    { "bool[2,3] c128[2,1] c128[2,3]", "", "c128[2,3]", 0 },
    { "bool[0,3] f32[1,3] f32[]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "B condition, T X, T Y -> T output", .types = "B: bool; " list, .infer = infer, \
        .run = run, .gradient = gradient, .flags = OP_ELEMENTWISE | OP_MOVES, .cases = cases                           \
    }

const struct op op_where = {
    .name = "Where",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(16, "T: all bf16"), ROW(9, "T: all"), { 0 } },
};
