/* BlackmanWindow, HammingWindow and HannWindow: the row COSINE_WINDOW_ROW.
 *
 *   output[n] = A0 - A1 cos(2 pi n / N) + A2 cos(4 pi n / N)        for n from 0 to before `size`
 *
 * N is `size`, or size - 1 with periodic=0. As nodes, in double, then of the type output_datatype: truncated where that
 * is an integer. A symmetric window of one point is NaN, the 0 / 0 that the formula says. Needs
 *   A0, A1, A2  numbers, the last one 0 for none */
#include "ops/op.h"
#include <math.h>
#include <stdio.h>

struct cosine_window {
    enum dtype dtype;
    bool periodic;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct cosine_window *a = attrs;

    a->periodic = attr_int(p, "periodic", 1) != 0;
    return attr_dtype(p, "output_datatype", F32, &a->dtype);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct cosine_window *)n->attrs)->dtype;
}

/* -- expand -- */

static struct value *times(struct emitter *e, double factor, struct value *v)
{
    return emit(e, "Mul", "", 2, v, emit_scalar(e, F64, factor));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct cosine_window *a = n->attrs;
    struct value *size = emit_cast(e, n->in[0], F64);
    struct value *points = a->periodic ? size : emit(e, "Sub", "", 2, size, emit_scalar(e, F64, 1));
    struct value *angle = emit(e, "Range", "", 3, emit_scalar(e, F64, 0), size, emit_scalar(e, F64, 1)), *y;

    angle = emit(e, "Div", "", 2, times(e, 2 * M_PI, angle), points);
    y = times(e, -A1, emit(e, "Cos", "", 1, angle));
    if (A2 != 0)
        y = emit(e, "Add", "", 2, y, times(e, A2, emit(e, "Cos", "", 1, times(e, 2, angle))));
    y = emit(e, "Add", "", 2, y, emit_scalar(e, F64, A0)); /* last: so it is 1 in the middle, of integers, too */
    out[0] = emit_cast(e, y, a->dtype);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "i64[]{10}", "", "f32[10]", 0 },
    { "i32[]{10}", "periodic=0", "f32[10]", 0 },
    { "i64[]{7}", "output_datatype=11", "f64[7]", 0 },
    { "i64[]{600}", "output_datatype=10 periodic=0", "f16[600]", 0 },
    { "i64[]{5}", "output_datatype=16", "bf16[5]", 0 },
    { "i64[]{4}", "output_datatype=7", "i64[4]", 0 },
    { "i64[]{4}", "output_datatype=2", "u8[4]", 0 },
    { "i32[]{1}", "", "f32[1]", 0 },
    { "i32[]{0}", "", "f32[0]", 0 },
    { "i64[1]{3}", "", "f32[3]", 0 },
    { 0 },
};

#define COSINE_WINDOW_ROW                                                                                              \
    {                                                                                                                  \
        .since = 17, .signature = "T1 size -> T2 output", .types = "T1: i32 i64; T2: floats bf16 ints uints",          \
        .attrs_size = sizeof(struct cosine_window), .parse = parse, .dtype = told, .expand = expand, .cases = cases    \
    }
