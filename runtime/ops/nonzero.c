/* NonZero, https://onnx.ai/onnx/operators/onnx__NonZero.html
 *
 * The indices of all elements that are not zero (NaN is not; a string is where it is empty), in row-major order, one column each. A scalar
 * counts as a vector of one. How many there are only running can tell. Piecewise constant: its gradient is zero, no gradient flows.
 */
#include "ops/op.h"

/* -- plan ------------------------------------------------------------------------------------------------------------ */

static bool infer(struct infer *i)
{
    const int rank = typed_in(i, 0)->rank;

    return set_out(i, 0, I64, 2, (const int64_t[]){ rank ? rank : 1, UNKNOWN });
}

/* -- run ------------------------------------------------------------------------------------------------------------- */

/* An element is zero where its bits are under a mask: that leaves the sign of floating-point numbers out. */
#define COUNT(type, bits)                                                                                              \
    for (int64_t k = 0; k < n; k++)                                                                                    \
    count += (((const type *)x)[k] & (type)(bits)) != 0
#define LIST(type, bits)                                                                                               \
    for (int64_t k = 0; k < n; k++)                                                                                    \
        if (((const type *)x)[k] & (type)(bits))                                                                       \
    *at++ = k

static int64_t count_strings(struct string *const *x, int64_t n)
{
    int64_t count = 0;

    for (int64_t k = 0; k < n; k++)
        count += x[k] && x[k]->length;
    return count;
}

static int64_t count_pairs(const uint64_t (*x)[2], int64_t n)
{
    int64_t count = 0;

    for (int64_t k = 0; k < n; k++)
        count += ((x[k][0] | x[k][1]) << 1) != 0;
    return count;
}

/* All bits but the signs. */
static uint64_t mask_of(enum dtype d)
{
    if (d == C64)
        return 0x7fffffff7fffffff;
    return dtype_is_float(d) ? UINT64_MAX >> 1 >> (64 - 8 * dtype_size(d)) : UINT64_MAX;
}

static int64_t count_nonzero(const struct tensor *t)
{
    const int64_t n = tensor_count(t);
    const uint64_t mask = mask_of(t->dtype);
    const void *x = t->data;
    int64_t count = 0;

    if (t->dtype == STRING)
        return count_strings(x, n);
    switch (dtype_size(t->dtype)) {
    case 1:
        COUNT(uint8_t, mask);
        break;
    case 2:
        COUNT(uint16_t, mask);
        break;
    case 4:
        COUNT(uint32_t, mask);
        break;
    case 8:
        COUNT(uint64_t, mask);
        break;
    case 16:
        return count_pairs(x, n);
    }
    return count;
}

/* Their places in row-major order. */
static void list_nonzero(const struct tensor *t, int64_t *at)
{
    const int64_t n = tensor_count(t);
    const uint64_t mask = mask_of(t->dtype);
    const void *x = t->data;

    if (t->dtype == STRING) {
        for (int64_t k = 0; k < n; k++)
            if (((struct string *const *)x)[k] && ((struct string *const *)x)[k]->length)
                *at++ = k;
        return;
    }
    switch (dtype_size(t->dtype)) {
    case 1:
        LIST(uint8_t, mask);
        break;
    case 2:
        LIST(uint16_t, mask);
        break;
    case 4:
        LIST(uint32_t, mask);
        break;
    case 8:
        LIST(uint64_t, mask);
        break;
    case 16:
        for (int64_t k = 0; k < n; k++)
            if ((((const uint64_t *)x)[2 * k] | ((const uint64_t *)x)[2 * k + 1]) << 1)
                *at++ = k;
    }
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];
    const int64_t count = count_nonzero(x);
    int64_t *y;

    if (!step_alloc(s, 0, I64, 2, (const int64_t[]){ x->rank ? x->rank : 1, count }))
        return false;
    y = s->out[0]->data;
    if (!count)
        return true;
    list_nonzero(x, y); /* into the first row, which is then taken apart, from the last dimension to the first */
    for (int d = x->rank - 1; d > 0; d--)
        for (int64_t k = 0; k < count; k++) {
            y[d * count + k] = y[k] % x->dims[d];
            y[k] /= x->dims[d];
        }
    return true;
}

/* -- differentiate --------------------------------------------------------------------------------------------------- */

static bool gradient(struct backward *b)
{
    return backward_ok(b);
}

/* -- test ------------------------------------------------------------------------------------------------------------ */

static const struct op_case cases[] = {
    { "f32[2,3]{0,1,-2,0,0,3}", "", "i64[2,3]", 0 }, { "i8[3]{0,0,0}", "", "i64[1,0]", 0 },
    { "bool[2,2]{1,0,0,1}", "", "i64[2,2]", 0 },     { "f64[]{2}", "", "i64[1,1]", 0 },
    { "f16[0,3]", "", "i64[2,0]", 0 },               { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T X -> I Y", .types = "T: " t "; I: i64", .infer = infer, .run = run,           \
        .gradient = gradient, .cases = cases                                                                           \
    }

const struct op op_nonzero = {
    .name = "NonZero",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "all bf16"), ROW(9, "all"), { 0 } },
};
