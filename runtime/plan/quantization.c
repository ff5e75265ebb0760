#include "plan/quantization.h"
#include "kernels/integer.h"
#include "ops/granularity.h"
#include "ops/quantized.h"
#include "ops/rank.h"
#include "ops/registry.h"
#include <math.h>

/* -- reading -- */

static bool read_scales(const struct node *n, struct quantization_of *q)
{
    const struct granularity_attrs *a = n->attrs;
    const struct tensor *scale = value_constant(n->in[QUANTIZE_SCALE]), *zero;

    q->scale = n->in[QUANTIZE_SCALE];
    q->zero = n->inputs > QUANTIZE_ZERO ? n->in[QUANTIZE_ZERO] : NULL;
    zero = value_constant(q->zero);
    if (!scale || scale->dtype != F32 || scale->rank > 1 || (q->zero && !zero))
        return false;
    q->scale_at = scale->data;
    q->count = tensor_count(scale);
    q->axis = a->axis;
    if (a->block_size || q->count < 1 || (zero && (tensor_count(zero) != q->count || zero->dtype != q->dtype)))
        return false;
    for (int64_t k = 0; k < q->count; k++)
        if (!(q->scale_at[k] > 0) || !isfinite(q->scale_at[k]))
            return false;
    return true;
}

static bool dequantized(const struct value *v, struct quantization_of *q)
{
    const struct node *n = v ? v->producer : NULL;

    if (!n || !node_is(n, &op_dequantize_linear) || known_of(v).dtype != F32)
        return false;
    *q = (struct quantization_of){ .x = n->in[QUANTIZE_X], .dtype = known_of(n->in[QUANTIZE_X]).dtype };
    return read_scales(n, q);
}

bool quantization_read(const struct value *v, struct quantization_of *q)
{
    return dequantized(v, q) && (q->dtype == I8 || q->dtype == U8);
}

bool quantization_written(const struct node *n, struct quantization_of *q)
{
    *q = (struct quantization_of){ .x = n->out[0], .dtype = n->out[0] ? known_of(n->out[0]).dtype : UNDEFINED };
    return (q->dtype == I8 || q->dtype == U8) && known_of(n->in[QUANTIZE_X]).dtype == F32 && quantizes_in_floats(n) &&
           read_scales(n, q) && q->count == 1;
}

double quantization_zero(const struct quantization_of *q, int64_t k)
{
    const struct tensor *t = value_constant(q->zero);

    return !t ? 0 : q->dtype == I8 ? ((const int8_t *)t->data)[k] : ((const uint8_t *)t->data)[k];
}

bool quantization_equal(const struct quantization_of *a, const struct quantization_of *b)
{
    return a->dtype == b->dtype && a->count == 1 && b->count == 1 && a->scale_at[0] == b->scale_at[0] &&
           quantization_zero(a, 0) == quantization_zero(b, 0);
}

bool quantization_fits(const struct quantization_of *q, int dimension)
{
    const struct tensor *t = value_constant(q->x);

    return t && dimension < t->rank &&
           (q->count == 1 ||
            (q->count == t->dims[dimension] && (q->axis == dimension || q->axis == dimension - t->rank)));
}

bool quantization_in_quads(const struct quantization_of *q)
{
    for (int64_t k = 0; k < q->count; k++)
        if (quantization_zero(q, k) != (q->dtype == I8 ? 0 : 128))
            return false;
    return true;
}

/* -- biases -- */

/* The bias as a number, and how often what the products of channel k count is in it. */
static double bias_at(const struct value *b, const struct quantization_of *x, const struct quantization_of *w,
                      int64_t k)
{
    const double unit = (double)x->scale_at[0] * (double)w->scale_at[w->count > 1 ? k : 0];
    struct quantization_of q;
    const struct tensor *t;

    if (!dequantized(b, &q)) {
        t = value_constant(b);
        return (double)((const float *)t->data)[tensor_count(t) > 1 ? k : 0] / unit;
    }
    t = value_constant(q.x);
    return (double)((const int32_t *)t->data)[tensor_count(t) > 1 ? k : 0] *
           ((double)q.scale_at[q.count > 1 ? k : 0] / unit);
}

static bool is_bias(const struct tensor *t, enum dtype dtype, int64_t channels)
{
    return t && t->dtype == dtype && t->rank >= 1 && tensor_count(t) == channels && t->dims[t->rank - 1] == channels;
}

static bool has_no_zero(const struct quantization_of *q)
{
    const struct tensor *t = value_constant(q->zero);

    for (int64_t k = 0; t && k < q->count; k++)
        if (((const int32_t *)t->data)[k])
            return false;
    return true;
}

/* Elements of a weight less its zero point, and those of what it is multiplied by, are below 256. */
static double most_of_products(const struct quantization_of *w, int64_t channels)
{
    const int64_t elements = tensor_count(value_constant(w->x));

    return channels ? (double)elements / (double)channels * UINT8_MAX * UINT8_MAX : 0;
}

bool quantization_sums_fit(const struct quantization_of *w, int64_t channels)
{
    return most_of_products(w, channels) <= INT32_MAX;
}

bool bias_fits(const struct value *b, const struct quantization_of *x, const struct quantization_of *w,
               const struct quantization_of *y, int64_t channels)
{
    const double small = 1. / 64, most = INT32_MAX - most_of_products(w, channels);
    struct quantization_of q;

    if (dequantized(b, &q)) {
        if (q.dtype != I32)
            return false;
        if (!has_no_zero(&q) || !is_bias(value_constant(q.x), I32, channels) || (q.count != 1 && q.count != channels))
            return false;
    } else if (!is_bias(value_constant(b), F32, channels)) {
        return false;
    }
    for (int64_t k = 0; k < channels; k++) {
        const double unit = (double)x->scale_at[0] * (double)w->scale_at[w->count > 1 ? k : 0];
        const double n = bias_at(b, x, w, k);

        if (!(fabs(n) < most) || fabs(n - rint(n)) * unit > small * (double)y->scale_at[0])
            return false;
    }
    return true;
}

void bias_quantize(const struct value *b, const struct quantization_of *x, const struct quantization_of *w,
                   int64_t channels, int32_t *to)
{
    for (int64_t k = 0; k < channels; k++)
        to[k] = (int32_t)rint(bias_at(b, x, w, k));
}
