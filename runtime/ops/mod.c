/* Mod, https://onnx.ai/onnx/operators/onnx__Mod.html
 *
 *   C = A - B floor(A / B), of the sign of B, as Python's %
 *   C = A - B trunc(A / B), of the sign of A, as C's % and fmod, with the attribute fmod: floats must have it before 28
 *
 *   dA = dC        dB = -dC times the quotient = dC (C - A) / B, summed over what was broadcast
 *
 * A remainder by 0 is NaN of floats, and an error of integers. */
#include "ops/elementwise.h"
#include <math.h>

enum { A, B };
struct mod {
    bool truncates; /* fmod */
    bool floors;    /* floats, too, where it does not */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    const int64_t given = attr_int(p, "fmod", 0);
    struct mod *a = attrs;

    a->truncates = given;
    return given == 0 || given == 1 || parse_error(p, "attribute 'fmod' is %lld, must be 0 or 1", (long long)given);
}

static bool parse_28(struct parse *p, void *attrs)
{
    ((struct mod *)attrs)->floors = true;
    return parse(p, attrs);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const enum dtype dtype = typed_in(i, A)->dtype;
    const struct mod *a = infer_attrs(i);

    if (dtype_is_float(dtype) && !a->truncates && !a->floors)
        return infer_error(i, "attribute 'fmod' is 0, must be 1 where 'A' is %s", dtype_name(dtype));
    return binary_infer(i);
}

/* -- run -- */

/* The smallest integer by -1 would overflow. */
#define SIGNED_INT ((T)-1 < (T)1)
#define REST       (SIGNED_INT && b == (T)-1 ? (T)0 : (T)(a % b))

#define EXPR REST
#define NAME truncated
#define BODY "ops/binary_body.h"
#define INTS
#define UINTS
#include "ops/each_integer.h"
static elementwise_loop *const truncated[DTYPES] = { [BOOL] = NULL INTEGER_PLACES };
#undef EXPR
#undef NAME

#define EXPR (REST != 0 && (REST < zero) != (b < zero) ? REST + b : REST)
#define NAME floored
#define BODY "ops/binary_body.h"
#include "ops/each_integer.h"
static elementwise_loop *const floored[DTYPES] = { [BOOL] = NULL INTEGER_PLACES };
#undef EXPR
#undef NAME

#define EXPR fmodf(a, b)
#define LOOP fmod_f32
#define T    float
#include "ops/binary_body.h"
#undef EXPR
#define EXPR fmod(a, b)
#define LOOP fmod_f64
#define T    double
#include "ops/binary_body.h"
#undef EXPR

/* fmod is exact; of the sign of B by one addition. A rest of 0 has that sign, too. */
static inline double with_sign(double rest, double b)
{
    return rest == 0 ? copysign(0, b) : (rest < 0) != (b < 0) ? rest + b : rest;
}

#define EXPR (float)with_sign((double)fmodf(a, b), (double)b)
#define LOOP floored_f32
#define T    float
#include "ops/binary_body.h"
#undef EXPR
#define EXPR with_sign(fmod(a, b), b)
#define LOOP floored_f64
#define T    double
#include "ops/binary_body.h"
#undef EXPR

static bool run(struct step *s)
{
    const enum dtype dtype = s->in[A]->dtype;
    const bool truncates = ((const struct mod *)s->attrs)->truncates;
    const struct elementwise e = { .loop = dtype == F64            ? (truncates ? fmod_f64 : floored_f64)
                                           : dtype_is_float(dtype) ? (truncates ? fmod_f32 : floored_f32)
                                           : truncates             ? truncated[dtype]
                                                                   : floored[dtype],
                                   .chunk = CHUNK_LIBM };

    return divisor_fits(s) && elementwise(s, &e, s->out[0], 2, s->in);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    struct emitter *e = emitter_of(b);

    give_unbroadcast(b, A, upstream(b, 0));
    if (wants(b, B)) {
        struct value *turns =
            emit(e, "Div", "", 2, emit(e, "Sub", "", 2, forward_out(b, 0), forward_in(b, A)), forward_in(b, B));

        give_unbroadcast(b, B, emit(e, "Mul", "", 2, upstream(b, 0), turns));
    }
    return backward_ok(b);
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f64[2,3]{5.3,-5.3,5.3,-5.3,.4,0.7} f64[2,3]{2,2,-2,-2,3,-2}", "fmod=1", "f64[2,3]", 3 },                        \
        { "f32[2,2]{5.3,-7.6,0.5,-0.5} f32[2]{2,-3}", "fmod=1", "f32[2,2]", 3 },                                       \
        { "f64[3,1,5] f64[4,1]+", "fmod=1", "f64[3,4,5]", 0 }, { "f16[3,5] f16[3,1]", "fmod=1", "f16[3,5]", 0 },       \
        { "i8[6]{-128,-7,7,-7,6,-6} i8[6]{-1,3,-3,-3,3,3}", "", "i8[6]", 0 },                                          \
        { "i8[6]{-128,-7,7,-7,6,-6} i8[6]{-1,3,-3,-3,3,3}", "fmod=1", "i8[6]", 0 },                                    \
        { "i64[2,3] i64[]{-3}", "fmod=0", "i64[2,3]", 0 }, { "i32[7] i32[7]+", "fmod=1", "i32[7]", 0 },                \
        { "i16[2,3] i16[3]+", "", "i16[2,3]", 0 }, { "u8[3]{200,7,255} u8[3]{199,8,2}", "", "u8[3]", 0 },              \
        { "u16[2,3] u16[2,1]+", "", "u16[2,3]", 0 }, { "u32[7] u32[7]+", "", "u32[7]", 0 },                            \
        { "u64[2]{200,7} u64[]{3}", "fmod=1", "u64[2]", 0 }, { "i32[0,3] i32[1,3]", "", "i32[0,3]", 0 },               \
    {                                                                                                                  \
        "f32[0,3] f32[1,3]", "fmod=1", "f32[0,3]", 0                                                                   \
    }

static const struct op_case cases_10[] = { CASES, { 0 } };
static const struct op_case cases_13[] = { CASES, { "bf16[600] bf16[1]+", "fmod=1", "bf16[600]", 0 }, { 0 } };

static const struct op_case cases_28[] = {
    CASES,
    { "f64[2,4]{5.3,-5.3,5.3,-5.3,.4,0.7,-0.4,-7.5} f64[4]{2,2,-2,-2}", "", "f64[2,4]", 3 },
    { "f32[8]{0,-0.0,3,-3,3,inf,nan,3} f32[8]{-2,2,inf,inf,-inf,2,2,0}", "fmod=0", "f32[8]", 0 },
    { "f16[3,5] f16[3,1]+", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]{-0.75}", "", "bf16[600]", 0 },
    { 0 },
};

#define ROW(version, list, reader, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T A, T B -> T C", .types = list, .attrs_size = sizeof(struct mod),             \
        .parse = reader, .infer = infer, .run = run, .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = tests     \
    }

const struct op op_mod = {
    .name = "Mod",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(28, "T: floats bf16 ints uints", parse_28, cases_28),
            ROW(13, "T: floats bf16 ints uints", parse, cases_13),
            ROW(10, "T: floats ints uints", parse, cases_10),
            { 0 },
        },
};
