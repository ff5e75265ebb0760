/* QuantizeLinear, https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 *
 *   y = saturate(round(x / y_scale) + y_zero_point)      of two nearest integers the even one
 *
 * and, to a type of floats, x / y_scale + y_zero_point rounded to it, where `saturate` tells what becomes of what is too
 * large. One scale for the whole tensor, one for each index along `axis`, or one for each block of block_size elements
 * along it. What is no number becomes the least integer, as in onnxruntime and the reference.
 *
 * The quotient is of the type `precision`, or else of that of y_scale, to which both operands are rounded first. The
 * standard says so since opset 23; here it is so in all. (onnxruntime divides float16 in float; the reference divides in
 * what numpy makes of both types.) Where y_scale is int32 it is double, which holds what is a tie exactly, and float
 * where it is a float8e8m0, a power of two.
 *
 * A zero point of floats is added, as the formula has it; it should be 0, and the reference leaves it out for some.
 *
 * The gradient goes straight through the rounding, and stops where y is saturated (ops/quantize_gradient.h). */
#include "kernels/kernels.h"
#include "ops/cast.h"
#include "ops/quantize_gradient.h"
#include "ops/quantized.h"
#include "ops/rank.h"
#include "tensor/half.h"
#include <math.h>
#include <string.h>

struct quantize_linear {
    struct granularity_attrs granularity;
    struct rounding rounding;
    enum dtype to;        /* UNDEFINED: the type of the zero point */
    enum dtype precision; /* UNDEFINED: the scale tells */
};

/* -- read -- */

static bool parse_any(struct parse *p, struct quantize_linear *a, unsigned form)
{
    a->rounding.saturate = true;
    return granularity_parse(p, &a->granularity, form);
}

/* Without a zero point to tell another type. */
static void default_type(struct parse *p, struct quantize_linear *a)
{
    if (!a->to && !input_given(p, QUANTIZE_ZERO))
        a->to = U8;
}

static bool parse_10(struct parse *p, void *attrs)
{
    default_type(p, attrs);
    return parse_any(p, attrs, 0);
}

static bool parse_13(struct parse *p, void *attrs)
{
    default_type(p, attrs);
    return parse_any(p, attrs, GRANULARITY_AXIS);
}

static bool parse_19(struct parse *p, void *attrs)
{
    struct quantize_linear *a = attrs;

    return parse_13(p, attrs) && rounding_parse(p, false, &a->rounding);
}

static bool parse_21(struct parse *p, void *attrs)
{
    struct quantize_linear *a = attrs;

    if (attr_int(p, "output_dtype", 0) && !attr_dtype(p, "output_dtype", UNDEFINED, &a->to))
        return false;
    default_type(p, attrs);
    return parse_any(p, attrs, GRANULARITY_AXIS | GRANULARITY_BLOCKS) && rounding_parse(p, false, &a->rounding);
}

static bool parse_23(struct parse *p, void *attrs)
{
    struct quantize_linear *a = attrs;
    const int64_t precision = attr_int(p, "precision", 0);

    if (precision != 0 && precision != F32 && precision != F16 && precision != BF16 && precision != F64)
        return parse_error(p, "precision is %lld, must be float, float16, bfloat16 or double", (long long)precision);
    a->precision = (enum dtype)precision;
    return parse_21(p, attrs);
}

bool quantizes_in_floats(const struct node *n)
{
    const struct quantize_linear *a = n->attrs;

    return a->precision == F32 || (!a->precision && known_input(n, QUANTIZE_SCALE).dtype == F32);
}

/* -- plan -- */

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct quantize_linear *)n->attrs)->to;
}

static bool infer(struct infer *i)
{
    const struct quantize_linear *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, QUANTIZE_X), *zero = typed_in(i, QUANTIZE_ZERO);

    if (zero && a->to && zero->dtype != a->to)
        return infer_error(i, "'y_zero_point' is %s, must be %s, which output_dtype says", dtype_name(zero->dtype),
                           dtype_name(a->to));
    return granularity_check(i, &a->granularity, "y_scale", "y_zero_point") &&
           set_out(i, 0, a->to ? a->to : zero->dtype, x->rank, x->dims);
}

/* -- run -- */

struct quantize_job {
    const struct step *s;
    enum dtype precision;
    struct rounding rounding;
    float least, most; /* of y, where it is an integer */
};

/* Elements of t, in the precision: rounded to it, if that is a half, whatever they are kept in. */
static const float *rounded_floats(enum dtype precision, const struct tensor *t, int64_t from, int64_t n, float *room)
{
    const float *const x = granule_floats(t, from, n, room);
    uint16_t halves[GRANULE];

    if (precision == F32 || t->dtype == precision)
        return x;
    convert(&(struct conversion){ t->dtype, precision, ROUNDING_DEFAULT },
            (const char *)t->data + from * (int64_t)dtype_size(t->dtype), halves, n);
    widen(precision, halves, room, n);
    return room;
}

/* In float; those of a half are rounded to it, which is as if they had been rounded once. */
static void divide(const struct quantize_job *j, const struct granule *g, float *to)
{
    float x_room[GRANULE], scale_room[GRANULE];
    const float *const x = rounded_floats(j->precision, j->s->in[QUANTIZE_X], g->from, g->n, x_room);
    const float *const scale =
        rounded_floats(j->precision, j->s->in[QUANTIZE_SCALE], g->scale, granule_scales(g), scale_room);
    uint16_t halves[GRANULE];

    for (int64_t k = 0; k < g->n; k++)
        to[k] = x[k] / scale[g->each ? k : 0];
    if (j->precision == F32)
        return;
    narrow(j->precision, to, halves, g->n);
    widen(j->precision, halves, to, g->n);
}

static void divide_wide(const struct quantize_job *j, const struct granule *g, double *to)
{
    const struct tensor *x = j->s->in[QUANTIZE_X], *scale = j->s->in[QUANTIZE_SCALE];
    double divisors[GRANULE];

    convert(&(struct conversion){ x->dtype, F64, ROUNDING_DEFAULT },
            (const char *)x->data + g->from * (int64_t)dtype_size(x->dtype), to, g->n);
    convert(&(struct conversion){ scale->dtype, F64, ROUNDING_DEFAULT },
            (const char *)scale->data + g->scale * (int64_t)dtype_size(scale->dtype), divisors, granule_scales(g));
    for (int64_t k = 0; k < g->n; k++)
        to[k] /= divisors[g->each ? k : 0];
}

static const float *zeros_of(const struct quantize_job *j, const struct granule *g, float *room)
{
    const struct tensor *zero = j->s->in[QUANTIZE_ZERO];

    if (zero)
        return granule_floats(zero, g->scale, granule_scales(g), room);
    memset(room, 0, (size_t)granule_scales(g) * sizeof *room);
    return room;
}

static void to_floats(const void *job, const struct granule *g)
{
    const struct quantize_job *j = job;
    const struct tensor *y = j->s->out[0];
    const struct conversion c = { j->precision == F64 ? F64 : F32, y->dtype, j->rounding };
    float quotients[GRANULE], room[GRANULE];
    const float *const zero = zeros_of(j, g, room);
    double wide[GRANULE];

    if (c.from == F64) {
        divide_wide(j, g, wide);
        for (int64_t k = 0; k < g->n; k++)
            wide[k] += (double)zero[g->each ? k : 0];
    } else {
        divide(j, g, quotients);
        for (int64_t k = 0; k < g->n; k++)
            quotients[k] += zero[g->each ? k : 0];
    }
    convert(&c, c.from == F64 ? (const void *)wide : quotients, (char *)y->data + g->from, g->n);
}

/* Quotients in float become integers as they are divided. Of others there are the quotients, rounded as they must be: they
 * are divided by 1. */
static void to_integers(const void *job, const struct granule *g)
{
    const struct quantize_job *j = job;
    const struct tensor *y = j->s->out[0];
    float room[GRANULE], scale_room[GRANULE], zero_room[GRANULE];
    const float *x = room;
    struct quantizing q = { .scale = scale_room, .each = g->each, .least = j->least, .most = j->most };
    double wide[GRANULE];

    q.zero = zeros_of(j, g, zero_room);
    for (int64_t k = 0; k < granule_scales(g); k++)
        scale_room[k] = 1;
    if (j->precision == F32) {
        x = granule_floats(j->s->in[QUANTIZE_X], g->from, g->n, room);
        q.scale = granule_floats(j->s->in[QUANTIZE_SCALE], g->scale, granule_scales(g), scale_room);
    } else if (j->precision == F64) {
        divide_wide(j, g, wide);
        for (int64_t k = 0; k < g->n; k++)
            room[k] = (float)fmin(fmax(rint(wide[k]), -0x1p21), 0x1p21);
    } else {
        divide(j, g, room);
    }
    if (dtype_size(y->dtype) == 1)
        j->s->k->integer->quantize_8(&q, x, (uint8_t *)y->data + g->from, g->n);
    else
        j->s->k->integer->quantize_16(&q, x, (uint16_t *)y->data + g->from, g->n);
}

static enum dtype precision_of(const struct quantize_linear *a, enum dtype scale)
{
    return a->precision ? a->precision : scale == I32 ? F64 : scale == F8E8M0 ? F32 : scale;
}

static bool run(struct step *s)
{
    const struct quantize_linear *a = s->attrs;
    const enum dtype y = s->out[0]->dtype;
    struct quantize_job j = { .s = s, .rounding = a->rounding };

    j.precision = precision_of(a, s->in[QUANTIZE_SCALE]->dtype);
    if (!dtype_is_float(y))
        saturation(y, &j.least, &j.most);
    granularity_run(s, &a->granularity, dtype_is_float(y) ? to_floats : to_integers, &j);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct quantize_linear *a = attrs_of(b);
    const struct tensor *scale = type_in(b, QUANTIZE_SCALE), *zero = type_in(b, QUANTIZE_ZERO);

    return quantize_gradient(b, &(struct quantization){ .granularity = &a->granularity,
                                                        .scale = forward_in(b, QUANTIZE_SCALE),
                                                        .zero = forward_in(b, QUANTIZE_ZERO),
                                                        .scale_type = scale,
                                                        .to = a->to ? a->to : zero->dtype,
                                                        .precision = precision_of(a, scale->dtype) });
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_IF_ASKED, QUANTIZE_SCALE, "scale", NULL, NULL },
    { 0 },
};

/* -- test -- */

/* There and back. Central differences over 0.02, a whole number of steps, are as the gradient that goes straight
 * through. */
#define BACK(attrs) "{ q = QuantizeLinear <" attrs "> (x0, x1, x2) y0 = DequantizeLinear <" attrs "> (q, x1, x2) }"
#define BACK_10     "{ q = QuantizeLinear (x0, x1, x2) y0 = DequantizeLinear (q, x1, x2) }"

#define CASES_10                                                                                                       \
    { "f32[2,3] f32[]+ i8[]", "", "i8[2,3]", 0 }, { "f32[2,3] f32[]{0.1}", "", "u8[2,3]", 0 },                         \
        { "f32[2,3] f32[]{0.01} i8[]{3}", BACK_10, "f32[2,3]", 1 },                                                    \
        { "f32[2,3]{5,-5,0.313,-0.117,0.222,-1.6} f32[1]{0.01} i8[1]{3}", BACK_10, "f32[2,3]", 1 },                    \
        { "f32[] f32[1]+ u8[]", "", "u8[]", 0 }, { "f32[70000] f32[]{0.01} u8[]{100}", "", "u8[70000]", 0 },           \
    {                                                                                                                  \
        "f32[0,3] f32[] i8[]", "", "i8[0,3]", 0                                                                        \
    }
#define CASES_13                                                                                                       \
    CASES_10, { "f32[2,3,5] f32[3]{0.1,0.2,0.3} i8[3]{1,2,-3}", "", "i8[2,3,5]", 0 },                                  \
        { "f32[2,3,5] f32[3]{0.01,0.02,0.005} u8[3]{120,100,200}", BACK("axis = -2"), "f32[2,3,5]", 1 },               \
        { "f32[2,3,5] f32[2]+ u8[2]", "axis=0", "u8[2,3,5]", 0 },                                                      \
        { "f32[2,700] f32[700]+", "axis=-1", "u8[2,700]", 0 },                                                         \
    {                                                                                                                  \
        "f32[2,0,3] f32[0] u8[0]", "", "u8[2,0,3]", 0                                                                  \
    }
#define CASES_19                                                                                                       \
    CASES_13, { "f16[2,3,5] f16[3]+ f8e4m3fn[3]{0,0,0}", "", "f8e4m3fn[2,3,5]", 0 },                                   \
        { "bf16[2,3] bf16[]+ f8e4m3fnuz[]{0}", "saturate=0", "f8e4m3fnuz[2,3]", 0 },                                   \
        { "f32[2,3] f32[]+ f8e5m2[]{0}", "saturate=1", "f8e5m2[2,3]", 0 },                                             \
        { "i32[2,3] i32[]+ f8e5m2fnuz[]{0}", "", "f8e5m2fnuz[2,3]", 0 }, { "i32[2,3] i32[]+", "", "u8[2,3]", 0 },      \
        { "f16[2,600] f16[600]+", "", "u8[2,600]", 0 },                                                                \
    {                                                                                                                  \
        "i32[2,600] i32[600]+ i8[600]", "", "i8[2,600]", 0                                                             \
    }
#define CASES_21                                                                                                       \
    CASES_19, { "f32[2,3] f32[]{0.001} i16[]", "", "i16[2,3]", 0 },                                                    \
        { "f32[2,5,2] f32[2,3,2]{0.01,0.005,0.02,0.01,0.02,0.005,0.01,0.01,0.005,0.02,0.01,0.02} "                     \
          "i8[2,3,2]{1,2,3,4,5,6,7,8,9,10,11,12}",                                                                     \
          BACK("axis = 1, block_size = 2"), "f32[2,5,2]", 1 },                                                         \
        { "f32[2,3] f32[2,2]+ u16[2,2]", "block_size=2", "u16[2,3]", 0 },                                              \
        { "bf16[2,3] bf16[1,3]+ i4[1,3]", "axis=0 block_size=7", "i4[2,3]", 0 },                                       \
        { "f32[2,3] f32[2,3]+", "axis=0 block_size=1 output_dtype=21", "u4[2,3]", 0 },                                 \
        { "f32[2,5,3] f32[2,3,3]+ i8[2,3,3]", "block_size=2 output_dtype=3", "i8[2,5,3]", 0 },                         \
    {                                                                                                                  \
        "f32[2,1500] f32[2,3]+ i8[2,3]", "block_size=700 output_dtype=0", "i8[2,1500]", 0                              \
    }
#define INTEGERS                                                                                                       \
    {                                                                                                                  \
        "i32[2,3] f32[1]+ u8[1]", "", "u8[2,3]", 0                                                                     \
    }
#define CASES_23                                                                                                       \
    CASES_21, INTEGERS, { "f32[2,3] f16[]+ f4e2m1[]{0}", "", "f4e2m1[2,3]", 0 },                                       \
        { "f16[2,3] f32[]+ i8[]", "precision=1", "i8[2,3]", 0 }, { "f32[2,3] f32[]+", "precision=16", "u8[2,3]", 0 },  \
        { "f32[2,3] f32[3]+", "precision=11", "u8[2,3]", 0 },                                                          \
    {                                                                                                                  \
        "f32[2,3] f32[3]+", "precision=11 output_dtype=17", "f8e4m3fn[2,3]", 0                                         \
    }
#define CASES_24                                                                                                       \
    CASES_23,                                                                                                          \
    {                                                                                                                  \
        "f16[2,3] f8e8m0[3]{0.5,1,2} u8[3]", "", "u8[2,3]", 0                                                          \
    }
#define CASES_25                                                                                                       \
    CASES_24, { "f32[2,3] f32[]+ u2[]{1}", "", "u2[2,3]", 0 },                                                         \
    {                                                                                                                  \
        "f32[2,3] f32[]+", "output_dtype=26", "i2[2,3]", 0                                                             \
    }

static const struct op_case cases_10[] = { CASES_10, INTEGERS, { 0 } };
static const struct op_case cases_13[] = { CASES_13, INTEGERS, { 0 } };
static const struct op_case cases_19[] = { CASES_19, { 0 } };
static const struct op_case cases_21[] = { CASES_21, { 0 } };
static const struct op_case cases_23[] = { CASES_23, { 0 } };
static const struct op_case cases_24[] = { CASES_24, { 0 } };
static const struct op_case cases_25[] = { CASES_25, { 0 } };
static const struct op_case cases_28[] = { CASES_25,
                                           { "f32[2,3] f32[]+ f6e2m3[]{0}", "saturate=0", "f6e2m3[2,3]", 0 },
                                           { "f16[2,3] f16[3]+", "output_dtype=28", "f6e3m2[2,3]", 0 },
                                           { 0 } };

#define PARTS                                                                                                          \
    .attrs_size = sizeof(struct quantize_linear), .rank = rank_of_input, .dtype = told, .infer = infer, .run = run,    \
    .channels_last = granularity_channels_last, .batch_independent = rows_of_granularity, .gradient = gradient,        \
    .parameters = parameters
#define ROW(version, of, list, reader, tests)                                                                          \
    {                                                                                                                  \
        .since = version, .signature = of, .types = list, .parse = reader, .flags = OP_QUANTIZES, .cases = tests,      \
        PARTS                                                                                                          \
    }
#define ONE_TYPE  "T1 x, T1 y_scale, T2 y_zero_point? -> T2 y"
#define TWO_TYPES "T1 x, T2 y_scale, T3 y_zero_point? -> T3 y"
#define NUMBERS   "f32 f16 bf16 i32"

const struct op op_quantize_linear = {
    .name = "QuantizeLinear",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(28, TWO_TYPES, "T1: " NUMBERS "; T2: " NUMBERS " f8e8m0; T3: i8 u8 i16 u16 ir11 u2 i2 f6e2m3 f6e3m2",
                parse_23, cases_28),
            ROW(25, TWO_TYPES, "T1: " NUMBERS "; T2: " NUMBERS " f8e8m0; T3: i8 u8 i16 u16 ir11 u2 i2", parse_23,
                cases_25),
            ROW(24, TWO_TYPES, "T1: " NUMBERS "; T2: " NUMBERS " f8e8m0; T3: i8 u8 i16 u16 ir11", parse_23, cases_24),
            ROW(23, TWO_TYPES, "T1: " NUMBERS "; T2: " NUMBERS "; T3: i8 u8 i16 u16 ir11", parse_23, cases_23),
            ROW(21, ONE_TYPE, "T1: " NUMBERS "; T2: i8 u8 i16 u16 ir10", parse_21, cases_21),
            ROW(19, ONE_TYPE, "T1: " NUMBERS "; T2: i8 u8 ir9", parse_19, cases_19),
            ROW(13, "T1 x, F y_scale, T2 y_zero_point? -> T2 y", "T1: f32 i32; F: f32; T2: i8 u8", parse_13, cases_13),
            { .since = 10,
              .signature = "T1 x, F y_scale, T2 y_zero_point? -> T2 y",
              .types = "T1: f32 i32; F: f32; T2: i8 u8",
              .parse = parse_10,
              .flags = OP_ELEMENTWISE | OP_QUANTIZES,
              .cases = cases_10,
              PARTS },
            { 0 },
        },
};
