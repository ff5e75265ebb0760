/* NonZero, https://onnx.ai/onnx/operators/onnx__NonZero.html
 *
 * The indices of all elements that are not zero (NaN is not; a string is where it is empty), in row-major order, one
 * column each: of none for a scalar. How many there are only running can tell, but of what planning knows. Piecewise
 * constant: its gradient is zero, no gradient flows. */
#include "ops/op.h"
#include "ops/rank.h"

/* -- look -- */

/* Is element k anything but zero? Bits outside of `mask` do not count: the sign of floating-point numbers. */
typedef bool test_fn(const void *x, int64_t k, uint64_t mask);

static bool test_1(const void *x, int64_t k, uint64_t mask)
{
    return ((const uint8_t *)x)[k] & mask;
}

static bool test_2(const void *x, int64_t k, uint64_t mask)
{
    return ((const uint16_t *)x)[k] & mask;
}

static bool test_4(const void *x, int64_t k, uint64_t mask)
{
    return ((const uint32_t *)x)[k] & mask;
}

static bool test_8(const void *x, int64_t k, uint64_t mask)
{
    return ((const uint64_t *)x)[k] & mask;
}

static bool test_16(const void *x, int64_t k, uint64_t mask)
{
    return (((const uint64_t *)x)[2 * k] | ((const uint64_t *)x)[2 * k + 1]) & mask;
}

static bool test_string(const void *x, int64_t k, uint64_t mask)
{
    const struct string *string = ((struct string *const *)x)[k];

    return string && string->length & mask;
}

static test_fn *test_of(enum dtype d, uint64_t *mask)
{
    *mask = UINT64_MAX;
    if (d == STRING)
        return test_string;
    if (d == C64)
        *mask = 0x7fffffff7fffffff;
    else if (d == C128)
        *mask = UINT64_MAX >> 1;
    else if (dtype_is_float(d))
        *mask = UINT64_MAX >> 1 >> (64 - 8 * dtype_size(d));
    switch (dtype_size(d)) {
    case 1:
        return test_1;
    case 2:
        return test_2;
    case 4:
        return test_4;
    case 8:
        return test_8;
    default:
        return test_16;
    }
}

static int64_t count_in(const struct tensor *x)
{
    const int64_t n = tensor_count(x);
    uint64_t mask;
    test_fn *test = test_of(x->dtype, &mask);
    int64_t count = 0;

    for (int64_t k = 0; k < n; k++)
        count += test(x->data, k, mask);
    return count;
}

/* The indices of all `count`. */
static void find(const struct tensor *x, int64_t count, int64_t *y)
{
    const int64_t n = tensor_count(x);
    uint64_t mask;
    test_fn *test = test_of(x->dtype, &mask);
    int64_t at = 0;

    /* row-major places into the first row, which is then taken apart, from the last dimension to the first */
    for (int64_t k = 0; k < n && x->rank; k++)
        if (test(x->data, k, mask))
            y[at++] = k;
    for (int d = x->rank - 1; d > 0; d--)
        for (int64_t k = 0; k < count; k++) {
            y[d * count + k] = y[k] % x->dims[d];
            y[k] /= x->dims[d];
        }
}

/* -- plan -- */

enum { MOST_LOOKED_AT = 1 << 16 }; /* elements, while planning */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    const bool known = x->data && tensor_count(x) <= MOST_LOOKED_AT;
    const int64_t count = known ? count_in(x) : UNKNOWN;
    int64_t *y;

    if (!set_out(i, 0, I64, 2, (const int64_t[]){ x->rank, count }))
        return false;
    if (known && (y = known_out(i, 0)))
        find(x, count, y);
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];
    const int64_t count = count_in(x);

    if (!step_alloc(s, 0, I64, 2, (const int64_t[]){ x->rank, count }))
        return false;
    find(x, count, s->out[0]->data);
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3]{0,1,-2,0,0,3}", "", "i64[2,3]", 0 },
    { "i8[3]{0,0,0}", "", "i64[1,0]", 0 },
    { "bool[2,2]{1,0,0,1}", "", "i64[2,2]", 0 },
    { "f64[]{2}", "", "i64[0,1]", 0 },
    { "f64[]{0}", "", "i64[0,0]", 0 },
    { "f16[0,3]", "", "i64[2,0]", 0 },
    { 0 },
};

#define ROW(version, t)                                                                                                \
    {                                                                                                                  \
        .since = version, .signature = "T X -> I Y", .types = "T: " t "; I: i64", .rank = rank_of_matrix,              \
        .infer = infer, .run = run, .gradient = zero_gradient, .cases = cases                                          \
    }

const struct op op_nonzero = {
    .name = "NonZero",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(13, "all bf16"), ROW(9, "all"), { 0 } },
};
