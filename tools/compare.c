#include "compare.h"
#include "tensor/half.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static double float_at(const struct tensor *t, int64_t k)
{
    switch (t->dtype) {
    case F32:
        return (double)((const float *)t->data)[k];
    case F64:
        return ((const double *)t->data)[k];
    case F16:
        return (double)f16_to_f32(((const uint16_t *)t->data)[k]);
    default:
        return (double)bf16_to_f32(((const uint16_t *)t->data)[k]);
    }
}

static bool close_enough(double got, double expected, struct tolerance t)
{
    if (isnan(got) || isnan(expected))
        return isnan(got) && isnan(expected);
    return got == expected || fabs(got - expected) <= t.absolute + t.relative * fabs(expected);
}

static bool same_floats(const struct tensor *got, const struct tensor *expected, struct tolerance t, char why[WHY_TEXT])
{
    const int64_t n = tensor_count(got);
    int64_t first = -1, wrong = 0;

    for (int64_t k = 0; k < n; k++)
        if (!close_enough(float_at(got, k), float_at(expected, k), t)) {
            if (first < 0)
                first = k;
            wrong++;
        }
    if (wrong)
        snprintf(why, WHY_TEXT, "%lld of %lld values differ, the first at %lld: got %.9g, need %.9g", (long long)wrong,
                 (long long)n, (long long)first, float_at(got, first), float_at(expected, first));
    return !wrong;
}

static bool same_strings(const struct tensor *got, const struct tensor *expected, char why[WHY_TEXT])
{
    struct string *const *a = got->data, *const *b = expected->data;

    for (int64_t k = 0; k < tensor_count(got); k++) {
        const size_t n = a[k] ? a[k]->length : 0, m = b[k] ? b[k]->length : 0;

        if (n != m || (n && memcmp(a[k]->bytes, b[k]->bytes, n) != 0)) {
            snprintf(why, WHY_TEXT, "string %lld differs: got '%.*s', need '%.*s'", (long long)k, (int)n,
                     a[k] ? a[k]->bytes : "", (int)m, b[k] ? b[k]->bytes : "");
            return false;
        }
    }
    return true;
}

static bool same_items(const struct tensor *got, const struct tensor *expected, struct tolerance t, char why[WHY_TEXT])
{
    const struct sequence *a = got->data, *b = expected->data;

    if (a->count != b->count) {
        snprintf(why, WHY_TEXT, "%lld items, need %lld", (long long)a->count, (long long)b->count);
        return false;
    }
    for (int64_t k = 0; k < a->count; k++)
        if (!same_value(&a->items[k], &b->items[k], t, why))
            return false;
    return true;
}

/* Sequences hold tensors and optionals hold at most sequences: the recursion is two deep. */
bool same_value(const struct tensor *got, const struct tensor *expected, struct tolerance t, char why[WHY_TEXT])
{
    char a[TYPE_TEXT], b[TYPE_TEXT];

    if (got->kind != expected->kind || got->dtype != expected->dtype ||
        (got->kind == TENSOR && !same_shape(got, expected))) {
        snprintf(why, WHY_TEXT, "got %.100s, need %.100s", tensor_text(got, a), tensor_text(expected, b));
        return false;
    }
    if (got->kind == SEQUENCE)
        return same_items(got, expected, t, why);
    if (got->kind == OPTIONAL) {
        const struct optional *x = got->data, *y = expected->data;

        if (x->present != y->present) {
            snprintf(why, WHY_TEXT, "%s, need %s", x->present ? "a value" : "no value", y->present ? "one" : "none");
            return false;
        }
        return !x->present || same_value(&x->value, &y->value, t, why);
    }
    if (got->dtype == STRING)
        return same_strings(got, expected, why);
    if (dtype_is_float(got->dtype))
        return same_floats(got, expected, t, why);
    if (tensor_bytes(got) && memcmp(got->data, expected->data, (size_t)tensor_bytes(got)) != 0) {
        snprintf(why, WHY_TEXT, "%s values differ", dtype_name(got->dtype));
        return false;
    }
    return true;
}
