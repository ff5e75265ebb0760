/* Irfft of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 * What Rfft of it is X, where the last of the signal_ndim dimensions has an even length: numpy.fft.irfftn. */
#include "ops/fourier.h"

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const int64_t dims = *(const int64_t *)n->attrs, last = -1;
    struct value *x = n->in[0];

    for (int64_t d = dims - 1; d >= 0; d--)
        x = emit(e, "DFT", d ? "inverse=1" : "inverse=1 onesided=1", 3, x, NULL, emit_scalar(e, I64, (double)(-2 - d)));
    out[0] = emit(e, "Squeeze", "", 2, x, emit_ints(e, 1, &last));
    return out[0];
}

static const struct op_case cases[] = {
    { "f64[2,4,2]", "signal_ndim=1", "f64[2,6]", 1 },
    { "f64[2,3,3,2]", "signal_ndim=2 normalized=0 onesided=1", "f64[2,3,4]", 1 },
    { "f16[2,3,2]", "signal_ndim=1", "f16[2,4]", 0 },
    { "f32[0,3,2]", "signal_ndim=1", "f32[0,4]", 0 },
    { 0 },
};

const struct op op_irfft = {
    .name = "Irfft",
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
