#include "compare.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TYPE_TEXT = 256 };

static bool close_enough(double got, double expected, struct tolerance t)
{
    if (isnan(got) || isnan(expected))
        return isnan(got) && isnan(expected);
    return got == expected || fabs(got - expected) <= t.absolute + t.relative * fabs(expected);
}

static bool same_floats(const kiln_tensor *got, const kiln_tensor *expected, struct tolerance t, char why[WHY_TEXT])
{
    const int64_t n = kiln_tensor_count(got);
    int64_t first = -1, wrong = 0;

    for (int64_t k = 0; k < n; k++)
        if (!close_enough(kiln_tensor_number(got, k), kiln_tensor_number(expected, k), t)) {
            if (first < 0)
                first = k;
            wrong++;
        }
    if (wrong)
        snprintf(why, WHY_TEXT, "%lld of %lld values differ, the first at %lld: got %.9g, need %.9g", (long long)wrong,
                 (long long)n, (long long)first, kiln_tensor_number(got, first), kiln_tensor_number(expected, first));
    return !wrong;
}

static bool same_strings(const kiln_tensor *got, const kiln_tensor *expected, char why[WHY_TEXT])
{
    for (int64_t k = 0; k < kiln_tensor_count(got); k++) {
        size_t n, m;
        const char *a = kiln_tensor_string(got, k, &n), *b = kiln_tensor_string(expected, k, &m);

        if (n != m || memcmp(a, b, n) != 0) {
            snprintf(why, WHY_TEXT, "string %lld differs: got '%.*s', need '%.*s'", (long long)k, (int)n, a, (int)m, b);
            return false;
        }
    }
    return true;
}

static bool same_type(const kiln_tensor *a, const kiln_tensor *b)
{
    const int rank = kiln_tensor_rank(a);

    return kiln_tensor_kind(a) == kiln_tensor_kind(b) && kiln_tensor_dtype(a) == kiln_tensor_dtype(b) &&
           rank == kiln_tensor_rank(b) &&
           (rank < 1 || memcmp(kiln_tensor_dims(a), kiln_tensor_dims(b), (size_t)rank * sizeof(int64_t)) == 0);
}

/* Of a sequence or an optional. */
static bool same_items(const kiln_tensor *got, const kiln_tensor *expected, struct tolerance t, char why[WHY_TEXT])
{
    const int64_t n = kiln_tensor_item_count(got), m = kiln_tensor_item_count(expected);

    if (n != m) {
        snprintf(why, WHY_TEXT, "%lld items, need %lld", (long long)n, (long long)m);
        return false;
    }
    for (int64_t k = 0; k < n; k++)
        if (!same_value(kiln_tensor_item(got, k), kiln_tensor_item(expected, k), t, why))
            return false;
    return true;
}

/* The library bounds how deep values lie in each other. */
bool same_value(const kiln_tensor *got, const kiln_tensor *expected, struct tolerance t, char why[WHY_TEXT])
{
    char a[TYPE_TEXT], b[TYPE_TEXT];

    if (!same_type(got, expected)) {
        snprintf(why, WHY_TEXT, "got %.100s, need %.100s", kiln_tensor_text(got, a, sizeof a),
                 kiln_tensor_text(expected, b, sizeof b));
        return false;
    }
    if (kiln_tensor_kind(got) != KILN_TENSOR)
        return same_items(got, expected, t, why);
    if (kiln_tensor_dtype(got) == KILN_STRING)
        return same_strings(got, expected, why);
    if (kiln_dtype_is_float(kiln_tensor_dtype(got)))
        return same_floats(got, expected, t, why);
    if (kiln_tensor_bytes(got) &&
        memcmp(kiln_tensor_data(got), kiln_tensor_data(expected), kiln_tensor_bytes(got)) != 0) {
        snprintf(why, WHY_TEXT, "%s values differ", kiln_dtype_name(kiln_tensor_dtype(got)));
        return false;
    }
    return true;
}

/* Digits of the fraction, and the exponent of the smallest normal number; 0 digits for what is no such float. */
static int digits_of(kiln_dtype dtype, int *least)
{
    *least = dtype == KILN_DOUBLE ? -1022 : dtype == KILN_FLOAT16 ? -14 : -126;
    return dtype == KILN_DOUBLE     ? 52
           : dtype == KILN_FLOAT    ? 23
           : dtype == KILN_FLOAT16  ? 10
           : dtype == KILN_BFLOAT16 ? 7
                                    : 0;
}

static double ulps_between(double got, double expected, int digits, int least)
{
    int exponent;

    if (got == expected || !isfinite(got) || !isfinite(expected))
        return 0;
    frexp(expected, &exponent); /* |expected| < 2^exponent */
    return fabs(got - expected) / ldexp(1, (exponent - 1 > least ? exponent - 1 : least) - digits);
}

void ulps_apart(struct ulps *worst, const kiln_tensor *got, const kiln_tensor *expected)
{
    const kiln_dtype dtype = kiln_tensor_dtype(got);
    int least;
    const int digits = digits_of(dtype, &least);

    for (int64_t k = 0; k < kiln_tensor_item_count(got); k++)
        ulps_apart(worst, kiln_tensor_item(got, k), kiln_tensor_item(expected, k));
    if (kiln_tensor_kind(got) != KILN_TENSOR || !digits)
        return;
    if (!worst->dtype)
        worst->dtype = dtype;
    for (int64_t k = 0; k < kiln_tensor_count(got); k++) {
        const double apart = ulps_between(kiln_tensor_number(got, k), kiln_tensor_number(expected, k), digits, least);

        if (apart > worst->most)
            *worst = (struct ulps){ dtype, apart };
    }
}
