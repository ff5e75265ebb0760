/* BitShift, https://onnx.ai/onnx/operators/onnx__BitShift.html
 *
 *   Z = X << Y, or X >> Y with the direction RIGHT, broadcast; integers have no gradient
 *
 * Signed integers (since 28) keep their sign when they are shifted to the right. Where Y is as many bits as X has, or
 * more, or is negative, what came in from the sides alone is left: 0, or -1 of a negative X to the right. */
#include "ops/elementwise.h"

enum { LEFT, RIGHT };
struct bit_shift {
    int direction;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { [LEFT] = "LEFT", [RIGHT] = "RIGHT", NULL };

    ((struct bit_shift *)attrs)->direction = attr_choice(p, "direction", names, LEFT);
    return attr_given(p, "direction") || parse_error(p, "attribute 'direction' is missing");
}

/* -- run -- */

#define FITS   ((uint64_t)b < 8 * sizeof(T))
#define FILLED ((T) - (a < zero)) /* with the bit of the sign */

#define EXPR (FITS ? (W)a << b : 0)
#define NAME shift_left
#define BODY "ops/binary_body.h"
#define INTS
#define UINTS
#include "ops/each_integer.h"
static elementwise_loop *const shift_left[DTYPES] = { [BOOL] = NULL INTEGER_PLACES };
#undef EXPR
#undef NAME

#define EXPR (FITS ? a >> b : FILLED)
#define NAME shift_right
#define BODY "ops/binary_body.h"
#include "ops/each_integer.h"
static elementwise_loop *const shift_right[DTYPES] = { [BOOL] = NULL INTEGER_PLACES };
#undef EXPR
#undef NAME

static bool run(struct step *s)
{
    const enum dtype dtype = s->in[0]->dtype;
    const bool is_left = ((const struct bit_shift *)s->attrs)->direction == LEFT;
    const struct elementwise e = { .loop = is_left ? shift_left[dtype] : shift_right[dtype] };

    return elementwise(s, &e, s->out[0], 2, s->in);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "u8[4]{255,1,200,7} u8[4]{1,7,8,255}", "direction='LEFT'", "u8[4]", 0 },
    { "u8[4]{255,1,200,7} u8[4]{1,7,8,255}", "direction='RIGHT'", "u8[4]", 0 },
    { "u16[3,1,5] u16[4,1]", "direction='RIGHT'", "u16[3,4,5]", 0 },
    { "u16[] u16[600]", "direction='LEFT'", "u16[600]", 0 },
    { "u32[2,3] u32[]{32}", "direction='RIGHT'", "u32[2,3]", 0 },
    { "u64[7] u64[7]", "direction='LEFT'", "u64[7]", 0 },
    { "u64[0,3] u64[1,3]", "direction='LEFT'", "u64[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_28[] = {
    { "i8[6]{-128,-1,100,-7,64,-7} i8[6]{1,7,1,-1,1,8}", "direction='RIGHT'", "i8[6]", 0 },
    { "i8[6]{-128,-1,100,-7,64,-7} i8[6]{1,7,1,-1,1,8}", "direction='LEFT'", "i8[6]", 0 },
    { "i16[3,1,5] i16[4,1]{1,-1,15,16}", "direction='RIGHT'", "i16[3,4,5]", 0 },
    { "i32[600] i32[]{31}", "direction='LEFT'", "i32[600]", 0 },
    { "i64[3]{-9,9,-9} i64[3]{63,62,64}", "direction='RIGHT'", "i64[3]", 0 },
    { "u8[4]{255,1,200,7} u8[4]{1,7,8,255}", "direction='RIGHT'", "u8[4]", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T X, T Y -> T Z", .types = "T: " list, .attrs_size = sizeof(struct bit_shift), \
        .parse = parse, .infer = binary_infer, .run = run, .gradient = zero_gradient, .flags = OP_ELEMENTWISE,         \
        .cases = tests                                                                                                 \
    }

const struct op op_bit_shift = {
    .name = "BitShift",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "ints uints", cases_28), ROW(11, "uints", cases), { 0 } },
};
