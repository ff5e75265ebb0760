/* Pow, https://onnx.ai/onnx/operators/onnx__Pow.html
 *
 *   Z = X ^ Y, broadcast, of the type of X
 *   dX = dZ * Y * X^(Y-1), 0 where Y is 0        dY = dZ * Z * ln X, 0 where X is not positive
 *
 * both summed over what was broadcast. Integers to integers wrap around, and a negative exponent is an error, as in
 * numpy. Where only one of the two is an integer, or one is a double, it is computed in double; a result that is no
 * longer an integer is truncated, and one that does not fit saturates. */

/* Exponents that models are full of, as products. */
#define NAME  square
#define VALUE (x * x)
#include "ops/unary_formula.h"
#define NAME  cube
#define VALUE (x * x * x)
#include "ops/unary_formula.h"
/* That of -infinity is infinity, that of -0 is 0. */
#define NAME  root
#define VALUE (x == -INFINITY ? INFINITY : SQRT(x + 0))
#define WORK  DIVISION
#include "ops/unary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"
#include "ops/registry.h"

enum { X, Y };

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X);

    if (!broadcast_infer(i, 0, x->dtype))
        return false;
    if (typed_out(i, 0) && same_type(x, typed_out(i, 0)))
        may_reuse(i, 0, X);
    return true;
}

/* -- run -- */

#define EXPR powf(a, b)
#define LOOP any_f32
#define T    float
#include "ops/binary_body.h"
#undef EXPR
#define EXPR pow(a, b)
#define LOOP any_f64
#define T    double
#include "ops/binary_body.h"
#undef EXPR

/* NULL: none that has a formula. */
static const struct formula *formula_by(float exponent)
{
    return exponent == 2     ? &formula_square
           : exponent == -1  ? formula_of(&op_reciprocal)
           : exponent == 3   ? &formula_cube
           : exponent == .5f ? &formula_root
                             : NULL;
}

static void pow_f32(const struct elements *s)
{
    const struct formula *f = s->step[Y] || !s->step[X] ? NULL : formula_by(*(const float *)s->x[Y]);

    if (f)
        formula_f32(f, s->k)(s);
    else
        any_f32(s);
}

static void pow_f64(const struct elements *s)
{
    if (s->step[X] && !s->step[Y] && *(const double *)s->x[Y] == 2)
        square_f64(s);
    else
        any_f64(s);
}

/* By squares; wraps around. */
static uint64_t pow_int(uint64_t x, uint64_t y)
{
    uint64_t z = 1;

    for (; y; y >>= 1) {
        if (y & 1)
            z *= x;
        x *= x;
    }
    return z;
}

#define EXPR pow_int(a, b)
#define LOOP any_int
#define T    uint64_t
#include "ops/binary_body.h"
#undef EXPR

/* The type to compute in: the low bits of a 64-bit power are those of a narrower one. */
static enum dtype compute_type(enum dtype x, enum dtype y)
{
    if (!dtype_is_float(x) && !dtype_is_float(y))
        return U64;
    return dtype_compute(x) == F32 && dtype_compute(y) == F32 ? F32 : F64;
}

static bool has_negative(struct step *s, const struct tensor *y)
{
    const enum dtype_class class = dtype_traits[y->dtype].class;
    const size_t size = dtype_size(y->dtype);
    const int64_t n = class == CLASS_INT ? tensor_count(y) : 0;

    for (int64_t k = 0; k < n; k++)
        if (((const int8_t *)y->data)[(size_t)(k + 1) * size - 1] < 0) /* the byte with the sign */
            return step_error(s, "'Y' holds a negative exponent, to which integers cannot be raised"), true;
    return false;
}

static bool run(struct step *s)
{
    const enum dtype as = compute_type(s->in[X]->dtype, s->in[Y]->dtype);
    const struct elementwise e = { .loop = as == F32   ? pow_f32
                                           : as == F64 ? pow_f64
                                                       : any_int,
                                   .x_as = { as, as },
                                   .y_as = as,
                                   .chunk = CHUNK_LIBM };

    if (as == U64 && s->out[0] && tensor_count(s->out[0]) && has_negative(s, s->in[Y]))
        return false;
    return elementwise(s, &e, s->out[0], 2, s->in);
}

static bool read_chain(const struct node *n, struct chain_step *s)
{
    float y;

    if (!chain_constant(n, Y, &y))
        return false;
    s->formula = formula_by(y);
    return s->formula;
}

static const struct chain_rule pow_chain = { &formula_square, X, CHAIN_NOTHING, read_chain };

/* -- differentiate -- */

/* dX before it is summed, from dZ, X, Y */
#define EXPR (c == 0 ? 0 : c == 2 ? a * 2 * b : a * c * powf(b, c - 1))
#define LOOP dx_f32
#define T    float
#include "ops/ternary_body.h"
#undef EXPR
#define EXPR (c == 0 ? 0 : c == 2 ? a * 2 * b : a * c * pow(b, c - 1))
#define LOOP dx_f64
#define T    double
#include "ops/ternary_body.h"
#undef EXPR

/* dY before it is summed, from dZ, X, Z */
#define EXPR (b > 0 ? a * c * logf(b) : 0)
#define LOOP dy_f32
#define T    float
#include "ops/ternary_body.h"
#undef EXPR
#define EXPR (b > 0 ? a * c * log(b) : 0)
#define LOOP dy_f64
#define T    double
#include "ops/ternary_body.h"

static bool run_grad(struct step *s, elementwise_loop *f32, elementwise_loop *f64, enum dtype exponent)
{
    const enum dtype as = compute_type(s->in[0]->dtype, exponent);
    const struct elementwise e = {
        .loop = as == F32 ? f32 : f64, .x_as = { as, as, as }, .y_as = as, .chunk = CHUNK_LIBM
    };

    return elementwise(s, &e, s->out[0], 3, s->in);
}

static bool run_dx(struct step *s)
{
    return run_grad(s, dx_f32, dx_f64, s->in[2]->dtype);
}

static bool run_dy(struct step *s)
{
    return run_grad(s, dy_f32, dy_f64, s->in[3]->dtype);
}

static bool infer_dx(struct infer *i)
{
    return broadcast_infer(i, 0, typed_in(i, 0)->dtype);
}

static bool infer_dy(struct infer *i)
{
    return broadcast_infer(i, 0, typed_in(i, 3)->dtype);
}

/* dZ * Y * X^(Y-1). Where both are 0, and the power infinite, its exponent becomes 0: nothing times 0 is NaN then, here
 * or in the gradient of this. */
static bool spell_dx(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const enum dtype as = compute_type(in[0]->dtype, in[2]->dtype);
    struct value *const dz = emit_cast(e, n->in[0], as), *const x = emit_cast(e, n->in[1], as);
    struct value *const y = emit_cast(e, n->in[2], as), *const zero = emit_scalar(e, as, 0);
    struct value *const both =
        emit(e, "And", "", 2, emit(e, "Equal", "", 2, x, zero), emit(e, "Equal", "", 2, y, zero));
    struct value *exponent = emit(e, "Sub", "", 2, y, emit_scalar(e, as, 1)), *d;

    exponent = emit(e, "Where", "", 3, both, zero, exponent);
    d = emit(e, "Mul", "", 2, emit(e, "Mul", "", 2, dz, y), emit(e, "Pow", "", 2, x, exponent));
    out[0] = emit_cast(e, d, in[0]->dtype);
    return out[0];
}

static const struct op pow_grad_x = {
    .name = "PowGradX",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dZ, T X, T1 Y -> T dX",
              .types = "T: floats bf16; T1: floats bf16 ints uints",
              .infer = infer_dx,
              .run = run_dx,
              .spell_out = spell_dx,
              .no_gradient = "is a gradient itself" },
            { 0 },
        },
};

/* dZ * Z * ln X, of 1 where X is not positive. */
static bool spell_dy(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const enum dtype as = compute_type(in[0]->dtype, in[3]->dtype);
    struct value *const dz = emit_cast(e, n->in[0], as), *const z = emit_cast(e, n->in[2], as);
    struct value *x = emit_cast(e, n->in[1], as), *d;
    struct value *const zero = emit_scalar(e, as, 0), *const positive = emit(e, "Greater", "", 2, x, zero);

    x = emit(e, "Where", "", 3, positive, x, emit_scalar(e, as, 1));
    d = emit(e, "Mul", "", 2, emit(e, "Mul", "", 2, dz, z), emit(e, "Log", "", 1, x));
    out[0] = emit_cast(e, emit(e, "Where", "", 3, positive, d, zero), in[3]->dtype);
    return out[0];
}

static const struct op pow_grad_y = {
    .name = "PowGradY",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dZ, T X, T Z, T1 Y -> T1 dY",
              .types = "T: floats bf16; T1: floats bf16",
              .infer = infer_dy,
              .run = run_dy,
              .spell_out = spell_dy,
              .no_gradient = "is a gradient itself" },
            { 0 },
        },
};

static bool gradient(struct backward *b)
{
    struct value *d = NULL;

    if (wants(b, X)) {
        struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_in(b, Y) };

        if (emit_private(emitter_of(b), &pow_grad_x, NULL, 1, &d, NULL, 3, in))
            give_unbroadcast(b, X, d);
    }
    if (wants(b, Y)) {
        struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_out(b, 0), forward_in(b, Y) };

        if (emit_private(emitter_of(b), &pow_grad_y, NULL, 1, &d, NULL, 4, in))
            give_unbroadcast(b, Y, d);
    }
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]+ f32[2,3,4]", "", "f32[2,3,4]", 3 },
    { "f64[5,7]+ f64[7]", "", "f64[5,7]", 3 },
    { "f64[3,1,5]+ f64[4,1]", "", "f64[3,4,5]", 3 },
    { "f32[3,5] f32[]{2}", "", "f32[3,5]", 1 },
    { "f64[3,5] f64[1]{2}", "", "f64[3,5]", 1 },
    { "f64[3,5] f64[1]{0}", "", "f64[3,5]", 1 },
    { "f32[3,5] f32[]{3}", "", "f32[3,5]", 1 },
    { "f32[3,5]+ f32[]{0.5}", "", "f32[3,5]", 1 },
    { "f32[3,5]+ f32[]{-1}", "", "f32[3,5]", 1 },
    { "f64[3,5] i64[5]{0,1,2,3,4}", "", "f64[3,5]", 1 },
    { "f64[4]{0,1,0,0} f64[4]{0,0,2,3}", "", "f64[4]", 1 },
    { "f32[4]+ u8[4]{0,1,2,3}", "", "f32[4]", 1 },
    { "f32[4]+ f64[4]", "", "f32[4]", 3 },
    { "f64[4]+ f32[4]", "", "f64[4]", 1 },
    { "f16[3,5]+ f16[3,1]", "", "f16[3,5]", 0 },
    { "bf16[600]+ i32[1]{2}", "", "bf16[600]", 0 },
    { "i32[5]{-3,2,46341,0,7} i32[5]{3,31,2,0,1}", "", "i32[5]", 0 },
    { "i64[5]{-3,2,5,0,7} u64[5]{3,63,2,0,1}", "", "i64[5]", 0 },
    { "i64[3]{-3,2,5} f32[3]{3,0.5,-1}", "", "i64[3]", 0 },
    { "f32[0,3] f32[1,3]", "", "f32[0,3]", 0 },
    { 0 },
};

static const struct op_case cases_7[] = {
    { "f32[2,3,4]+ f32[2,3,4]", "", "f32[2,3,4]", 3 },
    { "f64[5,7]+ f64[7]", "", "f64[5,7]", 3 },
    { "f16[5]+ f16[]{2}", "", "f16[5]", 0 },
    { 0 },
};

static const struct op_case cases_1[] = {
    { "f32[2,3,4]+ f32[2,3,4]", "", "f32[2,3,4]", 3 },
    { "f64[5,7,2]+ f64[7]", "broadcast=1 axis=1", "f64[5,7,2]", 3 },
    { "f16[5]+ f16[]{2}", "broadcast=1", "f16[5]", 0 },
    { 0 },
};

#define ROW(version, io, list, tests)                                                                                  \
    {                                                                                                                  \
        .since = version, .signature = io, .types = list, .infer = infer, .run = run, .chain = &pow_chain,             \
        .gradient = gradient, .flags = OP_ELEMENTWISE, .cases = tests                                                  \
    }

const struct op op_pow = {
    .name = "Pow",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(15, "T X, T1 Y -> T Z", "T: floats bf16 i32 i64; T1: floats bf16 ints uints", cases),
            ROW(13, "T X, T1 Y -> T Z", "T: floats bf16 i32 i64; T1: floats ints uints", cases),
            ROW(12, "T X, T1 Y -> T Z", "T: floats i32 i64; T1: floats ints uints", cases),
            ROW(7, "T X, T Y -> T Z", "T: floats", cases_7),
            BROADCAST_ROW(1, "T X, T Y -> T Z", "T: floats", cases_1),
            { 0 },
        },
};

#endif
