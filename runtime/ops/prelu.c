/* PRelu, https://onnx.ai/onnx/operators/onnx__PRelu.html; He et al., arXiv:1502.01852
 *
 *   Y = X < 0 ? slope * X : X        slope is broadcast to X, never X to slope
 *   dX = X < 0 ? slope * dY : dY     dslope = X < 0 ? X * dY : 0, summed over what was broadcast
 *
 * Integers wrap around. At 0 the gradient is dY. */
#define NAME    prelu
#define VALUE   (a < 0 ? b * a : a) /* a is X, b the slope */
#define INTEGER (a < zero ? (W)b * (W)a : (W)a)
#define INTS
#define UINTS
#include "ops/binary_formula.h"

#ifndef FORMULA_LEVEL
#include "ops/broadcast.h"

enum { X, SLOPE };

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, X), *slope = typed_in(i, SLOPE);
    char shape[TYPE_TEXT], need[TYPE_TEXT];
    bool fits = slope->rank <= x->rank;

    for (int d = 1; d <= slope->rank && fits; d++)
        fits = slope->dims[slope->rank - d] == 1 || slope->dims[slope->rank - d] == x->dims[x->rank - d];
    if (!fits)
        return infer_error(i, "'slope' is %s, must broadcast to %s", tensor_text(slope, shape), tensor_text(x, need));
    may_reuse(i, 0, X);
    return set_out(i, 0, x->dtype, x->rank, x->dims);
}

/* -- run -- */

static bool run(struct step *s)
{
    return binary_run(s, &formula_prelu);
}

/* -- differentiate -- */

/* dx, from dY, X, slope */
#define EXPR (b < 0 ? c * a : a)
#define LOOP dx_f32
#define T    float
#include "ops/ternary_body.h"
#define LOOP dx_f64
#define T    double
#include "ops/ternary_body.h"
#undef EXPR

static bool run_dx(struct step *s)
{
    const struct elementwise e = { .loop = s->in[0]->dtype == F64 ? dx_f64 : dx_f32 };

    return elementwise(s, &e, s->out[0], 3, s->in);
}

/* X < 0 */
static struct value *negative(struct emitter *e, struct value *x, enum dtype dtype)
{
    return emit(e, "Less", "", 2, x, emit_scalar(e, dtype, 0));
}

static bool spell_dx(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    const enum dtype dtype = in[0]->dtype;
    struct value *const below = negative(e, n->in[1], dtype);

    out[0] = emit(e, "Where", "", 3, below, n->in[2], emit_scalar(e, dtype, 1));
    out[0] = emit(e, "Mul", "", 2, n->in[0], out[0]);
    return out[0];
}

static const struct op prelu_grad_x = {
    .name = "PReluGradX",
    .domain = "kiln",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T dY, T X, T slope -> T dX",
              .types = "T: floats bf16",
              .infer = binary_infer,
              .run = run_dx,
              .spell_out = spell_dx,
              .no_gradient = "is a gradient itself" },
            { 0 },
        },
};

/* dslope before it is summed, from dY, X */
#define EXPR (b < 0 ? b * a : 0)
#define LOOP dslope_f32
#define T    float
#include "ops/binary_body.h"
#define LOOP dslope_f64
#define T    double
#include "ops/binary_body.h"
#undef EXPR

static bool run_dslope(struct step *s)
{
    const struct elementwise e = { .loop = s->in[0]->dtype == F64 ? dslope_f64 : dslope_f32, .chunk = CHUNK_LIBM };

    return elementwise(s, &e, s->out[0], 2, s->in);
}

static bool spell_dslope(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    struct value *const product = emit(e, "Mul", "", 2, n->in[0], n->in[1]);

    out[0] = emit(e, "Where", "", 3, negative(e, n->in[1], in[0]->dtype), product, emit_scalar(e, in[0]->dtype, 0));
    return out[0];
}

static const struct op prelu_grad_slope = {
    .name = "PReluGradSlope",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(0, run_dslope, NULL, spell_dslope), { 0 } },
};

static bool gradient(struct backward *b)
{
    struct value *const in[] = { upstream(b, 0), forward_in(b, X), forward_in(b, SLOPE) };
    struct value *d = NULL;

    if (wants(b, X) && emit_private(emitter_of(b), &prelu_grad_x, NULL, 1, &d, NULL, 3, in))
        give(b, X, d);
    if (wants(b, SLOPE) && emit_private(emitter_of(b), &prelu_grad_slope, NULL, 1, &d, NULL, 2, in))
        give_unbroadcast(b, SLOPE, d);
    return backward_ok(b);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS, 1, "slope", "zeros", NULL },
    { 0 },
};

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4]~ f32[2,3,4]", "", "f32[2,3,4]", 3 },
    { "f64[5,7]~ f64[7]", "", "f64[5,7]", 3 },
    { "f64[2,3,4,5]~ f64[3,1,1]", "", "f64[2,3,4,5]", 3 },
    { "f32[3,5]~ f32[]", "", "f32[3,5]", 3 },
    { "f16[3,5] f16[3,1]", "", "f16[3,5]", 0 },
    { "bf16[600] bf16[1]", "", "bf16[600]", 0 },
    { "i32[2,3] i32[3]", "", "i32[2,3]", 0 },
    { "i64[2,3] i64[]", "", "i64[2,3]", 0 },
    { "u32[2,3] u32[2,1]", "", "u32[2,3]", 0 },
    { "u64[2,3] u64[2,1]", "", "u64[2,3]", 0 },
    { "f32[0,3] f32[1,3]", "", "f32[0,3]", 0 },
    { 0 },
};

#define ROW(version, list)                                                                                             \
    {                                                                                                                  \
        .since = version, .signature = "T X, T slope -> T Y", .types = list, .infer = infer, .run = run,               \
        .chain = CHAIN_OF_2(formula_prelu), .gradient = gradient, .flags = OP_ELEMENTWISE, .parameters = parameters,   \
        .cases = cases                                                                                                 \
    }

/* Before opset 7 slopes were one for each channel, or one for all. */
static bool parse_1(struct parse *p, void *attrs)
{
    struct broadcast_attrs *a = attrs;

    (void)p;
    *a = (struct broadcast_attrs){ .has_axis = true, .axis = 1 };
    return true;
}

static const struct op_case cases_1[] = {
    { "f64[2,3,4] f64[3]", "", "f64[2,3,4]", 3 },
    { "f32[2,3] f32[1]", "", "f32[2,3]", 3 },
    { "f16[2,3,2] f16[3]", "", "f16[2,3,2]", 0 },
    { 0 },
};

#define CHANNELS_ROW(version)                                                                                          \
    {                                                                                                                  \
        .since = version, .signature = "T X, T slope -> T Y", .types = "T: floats",                                    \
        .attrs_size = sizeof(struct broadcast_attrs), .parse = parse_1, .expand = broadcast_expand,                    \
        .parameters = parameters, .cases = cases_1                                                                     \
    }

const struct op op_prelu = {
    .name = "PRelu",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(16, "T: floats bf16 i32 i64 u32 u64"),
            ROW(9, "T: floats i32 i64 u32 u64"),
            ROW(7, "T: floats"),
            CHANNELS_ROW(6),
            CHANNELS_ROW(1),
            { 0 },
        },
};

#endif
