/* GatherBlockQuantized of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   output = Gather(data, indices), dequantised: (x - zero_point) * scale, each of a block along quantize_axis
 *
 * uint8 has numbers of 2, 4 or 8 bits, packed along the last dimension, and so have its zero points; without any theirs is
 * the middle of what the bits can be, and that of other types is 0; these must be known when a model is
 * loaded. What is picked is dequantised, and nothing else, but
 * where the number of dimensions is not known when a model is loaded, what is quantised in blocks is picked from, or there
 * are no blocks.
 *
 * An index that is out of range is an error, as it is to Gather: some onnxruntimes make zeros of it. */
#include "ops/expansion.h"
#include "ops/gather.h"
#include "ops/packed_bits.h"
#include "ops/rank.h"
#include <stdio.h>

enum { DATA, INDICES, SCALES, ZERO_POINTS };

struct gather_quantized {
    int64_t axis, quantized, block;
    int bits;
};

static bool parse(struct parse *p, void *attrs)
{
    struct gather_quantized *a = attrs;

    a->axis = attr_int(p, "gather_axis", 0);
    a->quantized = attr_int(p, "quantize_axis", 1);
    a->block = attr_int(p, "block_size", 128);
    if (a->block && (a->block < 16 || a->block > INT64_MAX / 2 || a->block & (a->block - 1)))
        return parse_error(p, "block_size is %lld, must be 0, or a power of 2 of at least 16", (long long)a->block);
    if (a->axis < -MAX_RANK || a->axis >= MAX_RANK || a->quantized < -MAX_RANK || a->quantized >= MAX_RANK)
        return parse_error(p, "gather_axis is %lld and quantize_axis %lld, at most %d dimensions are supported",
                           (long long)a->axis, (long long)a->quantized, (int)MAX_RANK);
    return bits_parse(p, &a->bits);
}

/* The quantised dimension, counted so that it stays where it is when others are picked; false where it does not. */
static bool stays(const struct gather_quantized *a, int rank, int64_t *axis)
{
    const int picked = rank < 0 ? -1 : wrap_axis(a->axis, rank), of = rank < 0 ? -1 : wrap_axis(a->quantized, rank);

    *axis = a->quantized;
    if (picked < 0 || of < 0 || picked == of || !a->block) /* without blocks scales may be one for all */
        return false;
    *axis = picked < of ? of - rank : of;
    return true;
}

/* Of any type, as the standard's Gather does not have those of 4 bits. */
static struct value *picked(struct emitter *e, const struct node *n, struct value *x)
{
    struct value *in[] = { x, n->in[INDICES] }, *y = NULL;
    struct gather *attrs = emit_alloc(e, sizeof *attrs);

    if (!attrs)
        return NULL;
    *attrs = (struct gather){ .axis = ((const struct gather_quantized *)n->attrs)->axis };
    return emit_private(e, &gather_any, attrs, 1, &y, NULL, 2, in) ? y : NULL;
}

static struct value *dequantized(struct emitter *e, const struct node *n, int64_t axis, struct value *x,
                                 struct value *scales, struct value *zeros)
{
    const struct gather_quantized *a = n->attrs;
    const enum dtype dtype = known_input(n, DATA).dtype;
    const int64_t none = 0, last = -1;
    char attrs[64];

    if (dtype == U8 || dtype == UNDEFINED) {
        x = emit_unpacked(e, x, a->bits);
        if (zeros)
            zeros = emit(e, "Slice", "", 4, emit_unpacked(e, zeros, a->bits), emit_ints(e, 1, &none),
                         emit_size(e, scales, -1), emit_ints(e, 1, &last));
        else
            zeros = emit(e, "Expand", "", 2, emit_middle(e, a->bits, U8), emit(e, "Shape", "", 1, scales));
    }
    if (!a->block) /* one for all of the dimension */
        return emit(e, "Mul", "", 2, emit(e, "CastLike", "", 2, x, scales), scales);
    snprintf(attrs, sizeof attrs, "axis=%lld block_size=%lld", (long long)axis, (long long)a->block);
    return emit(e, "DequantizeLinear", attrs, 3, x, scales, zeros);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    static const int parts[] = { DATA, SCALES, ZERO_POINTS };
    const struct gather_quantized *a = n->attrs;
    struct value *x[ZERO_POINTS + 1];
    int64_t axis;
    const bool first = stays(a, known_input(n, DATA).rank, &axis);

    for (int k = 0; k < 3; k++) {
        struct value *const v = given(n, parts[k]);

        x[parts[k]] = v && first ? picked(e, n, v) : v;
    }
    out[0] = dequantized(e, n, axis, x[DATA], x[SCALES], x[ZERO_POINTS]);
    if (!first)
        out[0] = picked(e, n, out[0]);
    return out[0];
}

/* -- test -- */

#define OF(type) "{ d = Cast <to = " #type "> (x0) y0 = com.microsoft.GatherBlockQuantized "

static const struct op_case cases[] = {
    { "u8[5,20] i64[2,3]{0,4,-1,2,2,1} f32[5,2]", "bits=8 block_size=16", "f32[2,3,20]", 0 },
    { "u8[5,3,20] i32[2]{3,0} f32[5,3,3] u8[5,3,2]", "quantize_axis=2 block_size=16", "f32[2,3,40]", 0 },
    { "u8[5,8] i64[]{3} f16[5,1]", "bits=2 block_size=32 quantize_axis=-1", "f16[32]", 0 },
    { "i4[20,5] i32[2]{3,0} f32[2,5] i4[2,5]",
      OF(22) "<gather_axis = 1, quantize_axis = 0, block_size = 16> (d, x1, x2, x3) }", "f32[20,2]", 0 },
    { "u4[20,5] i32[2]{3,0} f32[2,5] u4[2,5]",
      OF(21) "<gather_axis = 0, quantize_axis = 0, block_size = 16> (d, x1, x2, x3) }", "f32[2,5]", 0 },
    { "i4[5,20] i64[2]{3,-2} bf16[5,2]", OF(22) "<block_size = 16> (d, x1, x2) }", "bf16[2,20]", 0 },
    { "f8e4m3fn[5,20] i64[2]{3,-2} f32[5,2]", OF(17) "<block_size = 16> (d, x1, x2) }", "f32[2,20]", 0 },
    { "f8e5m2[5,20] i64[2]{3,-2} f32[1,1]", OF(19) "<block_size = 0, gather_axis = 1, quantize_axis = 0> (d, x1, x2) }",
      "f32[5,2]", 0 },
    { "u8[5,20] i64[0] f32[5,2]{1,2,3,4,5,6,7,8,9,10}", "bits=8 block_size=16", "f32[0,20]", 0 },
    { 0 },
};

const struct op op_gather_block_quantized = {
    .name = "GatherBlockQuantized",
    .domain = "com.microsoft",
    .defs =
        (const struct op_def[]){
            { .since = 1,
              .signature = "T1 data, Tind indices, T2 scales, T1 zero_points? -> T2 output",
              .types = "T1: f4e2m1 f8e4m3fn f8e4m3fnuz f8e5m2 f8e5m2fnuz i4 u4 u8; Tind: i32 i64; T2: f16 f32 bf16",
              .attrs_size = sizeof(struct gather_quantized),
              .parse = parse,
              .expand = expand,
              .cases = cases },
            { 0 } },
};
