/* Rfft of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * DFT of a real signal that has the last signal_ndim dimensions, the last of which has the first half of the result, as real
 * and imaginary parts in a new one: numpy.fft.rfftn. */
#include "ops/fourier.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const int64_t dims = *(const int64_t *)n->attrs;
    struct value *x = emit_unsqueezed(e, n->in[0], -1);

    for (int64_t d = 0; d < dims; d++)
        x = emit(e, "DFT", d ? "" : "onesided=1", 3, x, NULL, emit_scalar(e, I64, (double)(-2 - d)));
    out[0] = x;
    return out[0];
}

static const struct op_case cases[] = {
    { "f64[2,6]", "signal_ndim=1", "f64[2,4,2]", 1 },
    { "f64[2,3,4]", "signal_ndim=2 normalized=0 onesided=1", "f64[2,3,3,2]", 1 },
    { "f32[8]", "signal_ndim=1", "f32[5,2]", 1 },
    { "f16[2,4]", "signal_ndim=1", "f16[2,3,2]", 0 },
    { "f32[0,4]", "signal_ndim=1", "f32[0,3,2]", 0 },
    { 0 },
};

const struct op op_rfft = {
    .name = "Rfft",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: floats",
                                       .attrs_size = sizeof(int64_t),
                                       .parse = fourier_parse,
                                       .expand = expand,
                                       .cases = cases },
                                     { 0 } },
};
