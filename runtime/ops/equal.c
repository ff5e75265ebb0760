/* Equal, https://onnx.ai/onnx/operators/onnx__Equal.html
 *
 *   C = A == B, broadcast        constant in pieces: its gradient is zero
 *
 * NaN equals nothing; strings are equal where their bytes are. */
#include "ops/broadcast.h"
#include <string.h>

/* -- run -- */

#define NAME equal
#define EXPR (a == b)
#define OWN_RUN
#include "ops/comparison.h"

static bool same_string(uint64_t a, uint64_t b)
{
    const struct string *const s = (const struct string *)(uintptr_t)a, *const t = (const struct string *)(uintptr_t)b;
    const size_t n = s ? s->length : 0;

    return n == (t ? t->length : 0) && (!n || memcmp(s->bytes, t->bytes, n) == 0);
}

#define RESULT uint8_t
#define EXPR   same_string(a, b)
#define LOOP   loop_string
#define T      uint64_t
#include "ops/binary_body.h"
#undef EXPR

#define EXPR (!a == !b)
#define LOOP loop_bool
#define T    uint8_t
#include "ops/binary_body.h"

static bool run(struct step *s)
{
    const enum dtype dtype = s->in[0]->dtype;
    const struct elementwise e = {
        .loop = dtype == STRING ? loop_string
                : dtype == BOOL ? loop_bool
                                : loops[dtype_compute(dtype)],
    };

    return elementwise(s, &e, s->out[0], 2, s->in);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4]", "", "bool[2,3,4]", 0 },
    { "f64[3,1,5] f64[4,1]", "", "bool[3,4,5]", 0 },
    { "f16[600] f16[1]", "", "bool[600]", 0 },
    { "bf16[3,5] bf16[3,1]", "", "bool[3,5]", 0 },
    { "i8[7] i8[7]", "", "bool[7]", 0 },
    { "u16[2,3] u16[2,1]", "", "bool[2,3]", 0 },
    { "i64[2,3]{1,2,3,2,2,2} i64[]{2}", "", "bool[2,3]", 0 },
    { "bool[2,3]{1,0,0,1,1,0} bool[3]{1,0,1}", "", "bool[2,3]", 0 },
    { "str[2,3] str[2,1]", "", "bool[2,3]", 0 },
    { "f32[0,3] f32[1,3]", "", "bool[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "i64[3,5] i64[3,5]", "", "bool[3,5]", 0 },
    { "i32[2,3]{1,0,0,1,1,0} i32[2]{1,0}", "broadcast=1 axis=0", "bool[2,3]", 0 },
    { 0 },
};

const struct op op_equal = {
    .name = "Equal",
    .domain = "",
    .defs =
        (const struct op_def[]){
            COMPARISON_ROW(19, "T: floats bf16 ints uints bool str", cases),
            COMPARISON_ROW(13, "T: floats bf16 ints uints bool", cases),
            COMPARISON_ROW(11, "T: floats ints uints bool", cases),
            COMPARISON_ROW(7, "T: i32 i64 bool", cases),
            BROADCAST_ROW(1, "T A, T B -> T1 C", "T: i32 i64 bool; T1: bool", cases_1),
            { 0 },
        },
};
