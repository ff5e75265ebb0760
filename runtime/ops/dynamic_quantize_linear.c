/* DynamicQuantizeLinear, https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
 *
 *   y_scale = (max(0, max(x)) - min(0, min(x))) / 255
 *   y_zero_point = round(saturate(0 - min(0, min(x)) / y_scale))
 *   y = saturate(round(x / y_scale) + y_zero_point)                  of two nearest integers the even one
 *
 * Where all of x is 0, or there is none, the formula divides 0 by 0: the scale is 1 then, as in onnxruntime (1/255 in
 * the reference, which matters as little). What is no number in x makes none of the scale, as in the reference;
 * onnxruntime does not see it.
 *
 * The gradient goes straight through the rounding of y (ops/quantize_gradient.h); y_scale and y_zero_point are constants
 * of the step, as in dynamic quantisation aware training: what flows to them goes no further. */
#include "kernels/kernels.h"
#include "kernels/parts.h"
#include "ops/quantize_gradient.h"
#include "ops/rank.h"
#include <math.h>

enum { Y, SCALE, ZERO_POINT }; /* outputs */
enum { MOST = 255 };

static int rank(const struct node *n, int k)
{
    return k == Y ? rank_of_input(n, k) : 0;
}

static int64_t chunks_of(const struct tensor *x)
{
    return divide_up(tensor_count(x), JOB_ELEMENTS);
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);

    need_scratch(i, (size_t)chunks_of(x) * sizeof(float[2]));
    return set_out(i, Y, U8, x->rank, x->dims) && set_out(i, SCALE, F32, 0, NULL) &&
           set_out(i, ZERO_POINT, U8, 0, NULL);
}

struct dynamic {
    const struct kernels *k;
    const float *x;
    int64_t count;
    float (*extremes)[2]; /* of each chunk */
    struct quantizing q;
    uint8_t *y;
};

static int64_t size_of(const struct dynamic *d, int64_t chunk)
{
    return lesser(d->count - chunk * JOB_ELEMENTS, JOB_ELEMENTS);
}

static void find_extremes(void *context, int64_t chunk, int thread)
{
    const struct dynamic *d = context;
    const float *const x = d->x + chunk * JOB_ELEMENTS;

    (void)thread;
    d->extremes[chunk][0] = d->k->reduce->min_of(x, size_of(d, chunk));
    d->extremes[chunk][1] = d->k->reduce->max_of(x, size_of(d, chunk));
}

static void quantize(void *context, int64_t chunk, int thread)
{
    const struct dynamic *d = context;

    (void)thread;
    d->k->integer->quantize_8(&d->q, d->x + chunk * JOB_ELEMENTS, d->y + chunk * JOB_ELEMENTS, size_of(d, chunk));
}

/* Of all chunks; NaN where one has it. */
static void range_of(const struct dynamic *d, int64_t chunks, float *least, float *most)
{
    *least = *most = 0;
    for (int64_t c = 0; c < chunks; c++) {
        *least = d->extremes[c][0] < *least || isnan(d->extremes[c][0]) ? d->extremes[c][0] : *least;
        *most = d->extremes[c][1] > *most || isnan(d->extremes[c][1]) ? d->extremes[c][1] : *most;
    }
}

static bool run(struct step *s)
{
    const int64_t chunks = chunks_of(s->in[0]);
    struct dynamic d = { .k = s->k, .x = s->in[0]->data, .count = tensor_count(s->in[0]), .extremes = s->scratch };
    float least, most, scale, zero;

    pool_run(s->pool, chunks, find_extremes, &d);
    if (pool_late(s->pool)) /* some have not been found */
        return true;
    range_of(&d, chunks, &least, &most);
    scale = least == most ? 1 : (most - least) / MOST;
    zero = 0 - least / scale;
    zero = zero < MOST ? rintf(zero) : MOST; /* and where it is no number */
    d.q = (struct quantizing){ .scale = &scale, .zero = &zero, .most = MOST };
    if (s->out[Y]) {
        d.y = s->out[Y]->data;
        pool_run(s->pool, chunks, quantize, &d);
    }
    if (s->out[SCALE])
        *(float *)s->out[SCALE]->data = scale;
    if (s->out[ZERO_POINT])
        *(uint8_t *)s->out[ZERO_POINT]->data = (uint8_t)zero;
    return true;
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    static const struct granularity_attrs whole = { .one = true };
    static const struct tensor scale = { .dtype = F32 };

    if (!upstream(b, Y))
        return backward_ok(b);
    return quantize_gradient(b, &(struct quantization){ .granularity = &whole,
                                                        .scale = forward_out(b, SCALE),
                                                        .zero = forward_out(b, ZERO_POINT),
                                                        .scale_type = &scale,
                                                        .to = U8,
                                                        .precision = F32 });
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3]", "", "u8[2,3] f32[] u8[]", 0 }, { "f32[70001]", "", "u8[70001] f32[] u8[]", 0 },
    { "f32[2,3]+", "", "u8[2,3] f32[] -", 0 },   { "f32[4]{-3,-2,-1,-0.5}", "", "- f32[] u8[]", 0 },
    { "f32[]", "", "u8[] - u8[]", 0 },           { "f32[3]{0,0,0}", "", "u8[3] f32[] u8[]", 0 },
    { "f32[2,0]", "", "u8[2,0] f32[] u8[]", 0 }, { 0 },
};

const struct op op_dynamic_quantize_linear = {
    .name = "DynamicQuantizeLinear",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { .since = 11,
              .signature = "T1 x -> T2 y, F y_scale, T2 y_zero_point",
              .types = "T1: f32; T2: u8; F: f32",
              .rank = rank,
              .infer = infer,
              .run = run,
              .gradient = gradient,
              .flags = OP_QUANTIZES,
              .cases = cases },
            { 0 },
        },
};
