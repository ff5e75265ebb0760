/* MelWeightMatrix, https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html
 *
 * A column for each band: a triangle over the bins of a spectrum, which have dft_length / 2 + 1 rows, from the band's
 * edge through its middle, where it is 1, to its other edge. Edges and middles are evenly spaced in
 * mel(f) = 2595 log10(1 + f / 700), each at bin floor((dft_length + 1) f / sample_rate); a band whose edge and middle are
 * one bin is 1 there.
 *
 * Where the text is silent this follows the reference and onnxruntime: the bands divide the mels between the two edges
 * by num_mel_bins + 2, not + 1, so that the last one ends before upper_edge_hertz. What would be beyond the spectrum is
 * left out; the reference fails there, onnxruntime has undefined behaviour. In double; integers are truncated. No
 * gradient flows. */
#include "kernels/parts.h"
#include "ops/convert.h"
#include "ops/rank.h"
#include <math.h>
#include <string.h>

enum { NUM_MEL_BINS, DFT_LENGTH, SAMPLE_RATE, LOWER_EDGE, UPPER_EDGE, INPUTS }; /* inputs */

struct mel_weights {
    enum dtype dtype;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    return attr_dtype(p, "output_datatype", F32, &((struct mel_weights *)attrs)->dtype);
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return ((const struct mel_weights *)n->attrs)->dtype;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    static const char *const names[INPUTS] = { "num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz",
                                               "upper_edge_hertz" };
    const struct mel_weights *a = infer_attrs(i);
    struct ints v;
    int64_t dims[2];

    for (int k = 0; k < INPUTS; k++)
        if (tensor_count(typed_in(i, k)) != 1)
            return infer_error(i, "'%s' has %lld values, must have 1", names[k],
                               (long long)tensor_count(typed_in(i, k)));
    for (int k = DFT_LENGTH; k >= NUM_MEL_BINS; k--) {
        if (!ints_in(i, k, &v))
            return false;
        if (v.v[0] < k) /* no bands are an empty matrix */
            return infer_error(i, "'%s' is %lld, must be at least %d", names[k], (long long)v.v[0], k);
        dims[!k] = k == DFT_LENGTH ? v.v[0] / 2 + 1 : v.v[0];
    }
    return set_out(i, 0, a->dtype, 2, dims);
}

/* -- run -- */

static double number(const struct step *s, int k)
{
    double v;

    convert_between(s->in[k]->dtype, F64)(s->in[k]->data, &v, 1);
    return v;
}

/* Of what is at that place in mels; far outside of the spectrum where it is beyond. */
static int64_t bin_at(const struct step *s, double mels)
{
    const double hertz = 700 * expm1(mels / 2595 * M_LN10);
    const double bin = floor((number(s, DFT_LENGTH) + 1) * hertz / number(s, SAMPLE_RATE)), most = 0x1p60;

    return (int64_t)(bin < -most ? -most : bin < most ? bin : most);
}

static void put(const struct tensor *y, int64_t bin, int64_t band, double weight)
{
    if (bin >= 0 && bin < y->dims[0])
        convert_between(F64, y->dtype)(&weight,
                                       (char *)y->data + (size_t)(bin * y->dims[1] + band) * dtype_size(y->dtype), 1);
}

/* The side that falls stands over the side that rises, where bands are turned over. */
static void put_band(const struct tensor *y, int64_t band, int64_t from, int64_t middle, int64_t to)
{
    const int64_t bins = y->dims[0];

    if (from == middle)
        put(y, middle, band, 1);
    for (int64_t k = greater(from, 0); k <= lesser(middle, bins - 1) && from != middle; k++)
        put(y, k, band, (double)(k - from) / (double)(middle - from));
    for (int64_t k = greater(middle, 0); k < lesser(to, bins); k++)
        put(y, k, band, (double)(to - k) / (double)(to - middle));
}

static double mels_of(double hertz)
{
    return 2595 * log1p(hertz / 700) / M_LN10;
}

static bool run(struct step *s)
{
    const struct tensor *y = s->out[0];
    const double lower = mels_of(number(s, LOWER_EDGE)), upper = mels_of(number(s, UPPER_EDGE));
    const double each = (upper - lower) / (double)(y->dims[1] + 2);

    if (!(number(s, SAMPLE_RATE) > 0))
        return step_error(s, "'sample_rate' is %g, must be above 0", number(s, SAMPLE_RATE));
    if (!isfinite(lower) || !isfinite(upper))
        return step_error(s, "the edges are %g and %g Hz, must be finite and above -700", number(s, LOWER_EDGE),
                          number(s, UPPER_EDGE));
    memset(y->data, 0, (size_t)tensor_bytes(y));
    for (int64_t band = 0; band < y->dims[1] && !pool_late(s->pool); band++)
        put_band(y, band, bin_at(s, lower + (double)band * each), bin_at(s, lower + (double)(band + 1) * each),
                 bin_at(s, lower + (double)(band + 2) * each));
    return true;
}

/* -- test -- */

#define AS(type, number)                                                                                               \
    {                                                                                                                  \
        "i64[]{3} i64[]{16} i64[]{8192} f32[]{0} f32[]{4096}", "output_datatype=" number, type "[9,3]", 0              \
    }

static const struct op_case cases[] = {
    { "i64[]{8} i64[]{16} i64[]{8192} f32[]{0} f32[]{4096}", "", "f32[9,8]", 0 },
    { "i32[1]{20} i32[1]{512} i32[1]{16000} f64[1]{80} f64[1]{7600}", "output_datatype=11", "f64[257,20]", 0 },
    { "i64[]{4} i64[]{16} i64[]{1000} f16[]{100} f16[]{9000}", "", "f32[9,4]", 0 },
    { "i64[]{4} i64[]{16} i64[]{1000} bf16[]{400} bf16[]{100}", "", "f32[9,4]", 0 },
    { "i64[]{0} i64[]{1} i64[]{1} f32[] f32[]", "", "f32[1,0]", 0 },
    AS("u8", "2"),
    AS("i8", "3"),
    AS("u16", "4"),
    AS("i16", "5"),
    AS("i32", "6"),
    AS("i64", "7"),
    AS("f16", "10"),
    AS("u32", "12"),
    AS("u64", "13"),
    AS("bf16", "16"),
    { 0 },
};

const struct op op_mel_weight_matrix = {
    .name = "MelWeightMatrix",
    .domain = "",
    .defs =
        (const struct op_def[]){ { .since = 17,
                                   .signature = "T1 num_mel_bins, T1 dft_length, T1 sample_rate, T2 lower_edge_hertz, "
                                                "T2 upper_edge_hertz -> T3 output",
                                   .types = "T1: i32 i64; T2: floats bf16; T3: floats bf16 ints uints",
                                   .attrs_size = sizeof(struct mel_weights),
                                   .parse = parse,
                                   .rank = rank_of_matrix,
                                   .dtype = told,
                                   .infer = infer,
                                   .run = run,
                                   .gradient = zero_gradient,
                                   .cases = cases },
                                 { 0 } },
};
