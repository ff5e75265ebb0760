/* CenterCropPad, https://onnx.ai/onnx/operators/onnx__CenterCropPad.html
 *
 * The dimensions that `axes` names, or all of them, become those of `shape`: what is larger loses elements on both sides,
 * what is smaller gets zeros. Of an odd number the end loses, or gets, one more. A Pad that adds and takes away. */
#include "ops/move.h"
#include "ops/op.h"

enum { DATA, SHAPE }; /* inputs */

struct center {
    bool whole; /* all axes */
    struct ints axes;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct center *a = attrs;

    a->whole = !attr_given(p, "axes");
    return attr_ints(p, "axes", &a->axes);
}

/* -- as other operators -- */

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct center *const a = n->attrs;
    const int64_t two = 2;
    struct value *axes = a->whole ? NULL : emit_ints(e, a->axes.count, a->axes.v);
    struct value *sizes = emit(e, "Shape", "", 1, n->in[DATA]), *wanted, *more, *before;

    if (axes)
        sizes = emit(e, "Gather", "axis=0", 2, sizes, axes);
    /* one size for each axis: anything else is refused here */
    wanted = emit(e, "Reshape", "allowzero=1", 2, emit_cast(e, n->in[SHAPE], I64), emit(e, "Shape", "", 1, sizes));
    more = emit(e, "Sub", "", 2, wanted, sizes);
    before = emit(e, "Div", "", 2, more, emit_ints(e, 1, &two));
    out[0] = emit(e, "Pad", "mode='constant'", 4, n->in[DATA],
                  emit(e, "Concat", "axis=0", 2, before, emit(e, "Sub", "", 2, more, before)), NULL, axes);
    return out[0];
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[5,4,3] i64[3]{2,4,6}", "", "f64[2,4,6]", 1 },
    { "f32[4,5] i32[1]{8}", "axes=[1]", "f32[4,8]", 1 },
    { "f64[4,5,2] i64[2]{1,2}", "axes=[-1,0]", "f64[2,5,1]", 1 },
    { "str[2] i64[1]{3}", "", "str[3]", 0 },
    { "i8[2,3] i64[2]{0,3}", "", "i8[0,3]", 0 },
    { "bf16[0,2] i64[1]{2}", "axes=[0]", "bf16[2,2]", 0 },
    { "c64[] i64[0]", "", "c64[]", 0 },
    { 0 },
};

const struct op op_center_crop_pad = {
    .name = "CenterCropPad",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 18,
                                       .signature = "T input_data, Tind shape -> T output_data",
                                       .types = "T: all bf16; Tind: i32 i64",
                                       .attrs_size = sizeof(struct center),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
