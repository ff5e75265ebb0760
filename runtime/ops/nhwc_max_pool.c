/* NhwcMaxPool of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * MaxPool of [N, spatial..., C]. */
#include "ops/layout.h"
#include "ops/pooling.h"

static bool parse(struct parse *p, void *attrs)
{
    return window_parse(p, &((struct pooling_attrs *)attrs)->window, WINDOW_KERNEL | WINDOW_CEIL | WINDOW_DILATIONS);
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct window_attrs *a = &((const struct pooling_attrs *)n->attrs)->window;
    const int rank = a->kernel_shape.count + 2;
    char attrs[WINDOW_TEXT];

    out[0] = emit(e, "MaxPool", window_text(attrs, a), 1, emit_layout(e, n->in[0], rank, false));
    out[0] = emit_layout(e, out[0], rank, true);
    return out[0];
}

static const struct op_case cases[] = {
    { "u8[2,5,6,3]", "kernel_shape=[2,3] pads=[1,1,0,1] strides=[2,1]", "u8[2,3,6,3]", 0 },
    { "i8[2,7,3]", "kernel_shape=[2] ceil_mode=1 strides=[2] dilations=[2]", "i8[2,3,3]", 0 },
    { "i8[0,7,3]", "kernel_shape=[2]", "i8[0,6,3]", 0 },
    { 0 },
};

const struct op op_nhwc_max_pool = {
    .name = "NhwcMaxPool",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T x -> T y",
                                       .types = "T: i8 u8",
                                       .attrs_size = sizeof(struct pooling_attrs),
                                       .parse = parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
