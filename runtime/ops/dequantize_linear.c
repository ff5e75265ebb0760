/* DequantizeLinear, https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
 *
 *   y = (x - x_zero_point) * x_scale
 *
 * One scale for the whole tensor, one for each index along `axis`, or one for each block of block_size elements along
 * it. The product is computed in float and rounded once to the type of y, as onnxruntime and the reference do; the
 * standard would have it computed in that type, where a difference of 16 bits does not fit. An int32 should have no zero
 * point; one is subtracted all the same.
 *
 * What flows back goes on to what was quantised (ops/quantize_gradient.h). */
#include "kernels/kernels.h"
#include "ops/convert.h"
#include "ops/quantize_gradient.h"
#include "ops/rank.h"

struct dequantize_linear {
    struct granularity_attrs granularity;
    enum dtype to; /* UNDEFINED: the type of the scale */
};

/* -- read -- */

static bool parse_10(struct parse *p, void *attrs)
{
    return granularity_parse(p, attrs, 0);
}

static bool parse_13(struct parse *p, void *attrs)
{
    return granularity_parse(p, attrs, GRANULARITY_AXIS);
}

static bool parse_21(struct parse *p, void *attrs)
{
    return granularity_parse(p, attrs, GRANULARITY_AXIS | GRANULARITY_BLOCKS);
}

static bool parse_23(struct parse *p, void *attrs)
{
    struct dequantize_linear *a = attrs;

    return parse_21(p, attrs) &&
           (attr_int(p, "output_dtype", 0) == 0 || attr_dtype(p, "output_dtype", UNDEFINED, &a->to));
}

/* -- plan -- */

static enum dtype told(const struct node *n, int k)
{
    const enum dtype scale = known_input(n, QUANTIZE_SCALE).dtype;

    (void)k;
    if (((const struct dequantize_linear *)n->attrs)->to)
        return ((const struct dequantize_linear *)n->attrs)->to;
    return scale == F8E8M0 ? UNDEFINED : scale;
}

static bool infer(struct infer *i)
{
    const struct dequantize_linear *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, QUANTIZE_X);
    const enum dtype to = a->to ? a->to : typed_in(i, QUANTIZE_SCALE)->dtype;

    if (to == F8E8M0)
        return infer_error(i, "output_dtype is not given, must be where 'x_scale' is %s", dtype_name(to));
    return granularity_check(i, &a->granularity, "x_scale", "x_zero_point") && set_out(i, 0, to, x->rank, x->dims);
}

/* -- run -- */

static void dequantize(const void *job, const struct granule *g)
{
    const struct step *s = job;
    const struct tensor *zero = s->in[QUANTIZE_ZERO], *y = s->out[0];
    char *const to = (char *)y->data + g->from * (int64_t)dtype_size(y->dtype);
    float x_room[GRANULE], scale_room[GRANULE], zero_room[GRANULE], y_room[GRANULE];
    const float *x = granule_floats(s->in[QUANTIZE_X], g->from, g->n, x_room);
    const float *const scale = granule_floats(s->in[QUANTIZE_SCALE], g->scale, granule_scales(g), scale_room);
    const float *const less = zero ? granule_floats(zero, g->scale, granule_scales(g), zero_room) : NULL;
    float *const product = y->dtype == F32 ? (float *)(void *)to : y_room;

    if (less && g->each) {
        for (int64_t k = 0; k < g->n; k++)
            product[k] = x[k] - less[k];
        x = product;
    } else if (less) {
        s->k->map->add_s(x, -*less, product, g->n);
        x = product;
    }
    if (g->each)
        s->k->map->mul(x, scale, product, g->n);
    else
        s->k->map->mul_s(x, *scale, product, g->n);
    if (y->dtype != F32)
        convert(&(struct conversion){ F32, y->dtype, ROUNDING_DEFAULT }, product, to, g->n);
}

static bool run(struct step *s)
{
    const struct dequantize_linear *a = s->attrs;

    granularity_run(s, &a->granularity, dequantize, s);
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    const struct dequantize_linear *a = attrs_of(b);

    return dequantize_gradient(b, &a->granularity);
}

static const struct op_parameter parameters[] = {
    { PARAMETER_TRAINS_IF_ASKED, QUANTIZE_SCALE, "scale", NULL, NULL },
    { 0 },
};

/* -- test -- */

/* Of all types the same numbers: values are given, as floats and integers are drawn differently. */
#define OF(type) type "[2,3]{0,1,2,3,1,0}"

#define CASES_10                                                                                                       \
    { OF("i8") " f32[]{0.5} i8[]{3}", "", "f32[2,3]", 2 }, { OF("u8") " f32[]{0.5}", "", "f32[2,3]", 2 },              \
        { OF("i32") " f32[1]{0.5} i32[1]{0}", "", "f32[2,3]", 2 }, { "u8[] f32[1]{0.5} u8[]", "", "f32[]", 2 },        \
        { "u8[70000] f32[]{0.3} u8[]", "", "f32[70000]", 0 },                                                          \
    {                                                                                                                  \
        "i8[0,3] f32[]{1} i8[]", "", "f32[0,3]", 2                                                                     \
    }
#define CASES_13                                                                                                       \
    CASES_10, { OF("i8") " f32[3]{0.5,1,2} i8[3]{1,2,3}", "", "f32[2,3]", 2 },                                         \
        { OF("u8") " f32[2]{0.5,1} u8[2]{1,2}", "axis=0", "f32[2,3]", 2 },                                             \
        { "u8[2,3,700] f32[3]{0.5,1,2}", "axis=-2", "f32[2,3,700]", 0 },                                               \
    {                                                                                                                  \
        "u8[2,0,3] f32[0]{} u8[0]", "", "f32[2,0,3]", 2                                                                \
    }
#define CASES_19                                                                                                       \
    CASES_13, { OF("f8e4m3fn") " f16[3]{0.5,1,2} f8e4m3fn[3]{0,0,0}", "", "f16[2,3]", 0 },                             \
        { OF("f8e4m3fnuz") " bf16[]{0.5}", "", "bf16[2,3]", 0 },                                                       \
        { OF("f8e5m2") " f32[2]{0.5,2} f8e5m2[2]{0,1}", "axis=0", "f32[2,3]", 0 },                                     \
    {                                                                                                                  \
        OF("f8e5m2fnuz") " f16[]{0.5}", "", "f16[2,3]", 0                                                              \
    }
#define CASES_21                                                                                                       \
    CASES_19, { OF("i16") " f16[]{0.5} i16[]{3}", "", "f16[2,3]", 0 },                                                 \
        { OF("u16") " f32[2,2]{0.5,1,2,3} u16[2,2]{1,2,3,4}", "block_size=2", "f32[2,3]", 2 },                         \
        { OF("i4") " bf16[1,3]{0.5,1,2} i4[1,3]{1,2,3}", "axis=0 block_size=7", "bf16[2,3]", 0 },                      \
        { OF("u4") " f32[2,3]{1,2,3,4,5,6}", "axis=0 block_size=1", "f32[2,3]", 2 },                                   \
        { "i8[2,5,2] f32[2,3,2]{1,2,3,4,5,6,7,8,9,10,11,12} i8[2,3,2]", "block_size=2", "f32[2,5,2]", 2 },             \
    {                                                                                                                  \
        "i8[2,1500] f32[2,3]{1,2,3,4,5,6} i8[2,3]", "block_size=700", "f32[2,1500]", 0                                 \
    }
#define CASES_23                                                                                                       \
    CASES_21, { OF("f4e2m1") " f16[]{0.5} f4e2m1[]{1}", "output_dtype=1", "f32[2,3]", 0 },                             \
    {                                                                                                                  \
        OF("i8") " f32[]{0.5}", "output_dtype=10", "f16[2,3]", 0                                                       \
    }
#define CASES_24                                                                                                       \
    CASES_23,                                                                                                          \
    {                                                                                                                  \
        OF("u8") " f8e8m0[3]{0.5,1,2} u8[3]{1,2,3}", "output_dtype=16", "bf16[2,3]", 0                                 \
    }
#define CASES_25                                                                                                       \
    CASES_24, { OF("u2") " f32[]{0.5} u2[]{1}", "", "f32[2,3]", 2 },                                                   \
    {                                                                                                                  \
        "i2[2,3]{0,1,-2,-1,1,0} f16[]{0.5}", "", "f16[2,3]", 0                                                         \
    }

static const struct op_case cases_10[] = { CASES_10, { 0 } };
static const struct op_case cases_13[] = { CASES_13, { 0 } };
static const struct op_case cases_19[] = { CASES_19, { 0 } };
static const struct op_case cases_21[] = { CASES_21, { 0 } };
static const struct op_case cases_23[] = { CASES_23, { 0 } };
static const struct op_case cases_24[] = { CASES_24, { 0 } };
static const struct op_case cases_25[] = { CASES_25, { 0 } };
static const struct op_case cases_28[] = { CASES_25,
                                           { OF("f6e2m3") " f32[]{0.5} f6e2m3[]{1}", "", "f32[2,3]", 2 },
                                           { OF("f6e3m2") " f16[3]{0.5,1,2}", "", "f16[2,3]", 0 },
                                           { 0 } };

#define PARTS                                                                                                          \
    .attrs_size = sizeof(struct dequantize_linear), .rank = rank_of_input, .infer = infer, .run = run,                 \
    .channels_last = granularity_channels_last, .batch_independent = rows_of_granularity, .gradient = gradient,        \
    .parameters = parameters
#define ROW(version, list, reader, tests)                                                                              \
    {                                                                                                                  \
        .since = version, .signature = "T1 x, T2 x_scale, T1 x_zero_point? -> T2 y", .types = list, .parse = reader,   \
        .flags = OP_DEQUANTIZES, .cases = tests, PARTS                                                                 \
    }
#define ROW_23(version, list, reader, tests)                                                                           \
    {                                                                                                                  \
        .since = version, .signature = "T1 x, T2 x_scale, T1 x_zero_point? -> T3 y", .types = list, .parse = reader,   \
        .dtype = told, .flags = OP_DEQUANTIZES, .cases = tests, PARTS                                                  \
    }
#define HALVES "f32 f16 bf16"

const struct op op_dequantize_linear = {
    .name = "DequantizeLinear",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW_23(28, "T1: i8 u8 i16 u16 i32 ir11 u2 i2 f6e2m3 f6e3m2; T2: " HALVES " f8e8m0; T3: " HALVES, parse_23,
                   cases_28),
            ROW_23(25, "T1: i8 u8 i16 u16 i32 ir11 u2 i2; T2: " HALVES " f8e8m0; T3: " HALVES, parse_23, cases_25),
            ROW_23(24, "T1: i8 u8 i16 u16 i32 ir11; T2: " HALVES " f8e8m0; T3: " HALVES, parse_23, cases_24),
            ROW_23(23, "T1: i8 u8 i16 u16 i32 ir11; T2: " HALVES "; T3: " HALVES, parse_23, cases_23),
            ROW(21, "T1: i8 u8 i16 u16 i32 ir10; T2: " HALVES, parse_21, cases_21),
            ROW(19, "T1: i8 u8 i32 ir9; T2: " HALVES, parse_13, cases_19),
            ROW(13, "T1: i8 u8 i32; T2: f32", parse_13, cases_13),
            { .since = 10,
              .signature = "T x, F x_scale, T x_zero_point? -> F y",
              .types = "T: i8 u8 i32; F: f32",
              .parse = parse_10,
              .flags = OP_ELEMENTWISE | OP_DEQUANTIZES,
              .cases = cases_10,
              PARTS },
            { 0 },
        },
};
