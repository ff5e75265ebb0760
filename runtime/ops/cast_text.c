#include "ops/cast_text.h"
#include "ops/convert.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- writing -- */

enum { DIGITS = 17 }; /* of a double, at most */

/* The digits of v > 0 rounded to `count` of them, and the power of ten of the first. Whatever the locale's decimal
 * point is, it is no digit. */
static int digits_of(double v, int count, char digits[DIGITS])
{
    char text[NUMBER_TEXT];
    const char *s = text;
    int n = 0;

    snprintf(text, sizeof text, "%.*e", count - 1, v);
    for (; *s && *s != 'e'; s++)
        if (*s >= '0' && *s <= '9' && n < DIGITS)
            digits[n++] = *s;
    return *s ? atoi(s + 1) : 0;
}

/* Among the numbers of a narrower type. */
static double rounded(double v, enum dtype dtype)
{
    uint64_t bits;

    convert(&(struct conversion){ F64, dtype, ROUNDING_DEFAULT }, &v, &bits, 1);
    convert(&(struct conversion){ dtype, F64, ROUNDING_DEFAULT }, &bits, &v, 1);
    return v;
}

/* The value that those digits have in the type. */
static double value_of(const char *digits, int count, int exponent, enum dtype dtype)
{
    char text[NUMBER_TEXT];
    double v;

    snprintf(text, sizeof text, "%.*se%d", count, digits, exponent - count + 1);
    if (dtype == F32)
        return (double)strtof(text, NULL);
    v = strtod(text, NULL);
    return dtype == F64 ? v : rounded(v, dtype);
}

static size_t write_real(char *text, double v, enum dtype dtype)
{
    char digits[DIGITS] = { '0' };
    const double size = fabs(v);
    int count = 1, exponent = 0;
    size_t n = 0;

    if (v != v)
        return (size_t)snprintf(text, NUMBER_TEXT, "nan");
    if (signbit(v))
        text[n++] = '-';
    if (isinf(v))
        return n + (size_t)snprintf(text + n, NUMBER_TEXT - n, "inf");
    for (count = 1; size > 0; count++) {
        exponent = digits_of(size, count, digits);
        if (count == DIGITS || value_of(digits, count, exponent, dtype) == size)
            break;
    }
    if (size > 0 && (size < 1e-4 || size >= 1e16)) {
        text[n++] = digits[0];
        if (count > 1)
            text[n++] = '.';
        for (int k = 1; k < count; k++)
            text[n++] = digits[k];
        return n + (size_t)snprintf(text + n, NUMBER_TEXT - n, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    }
    for (int k = exponent < 0 ? exponent : 0; k < 0; k++) { /* k: the place, counted from the first digit */
        text[n++] = '0';
        if (k == exponent)
            text[n++] = '.';
    }
    for (int k = 0; k < count || k <= exponent + 1; k++) {
        if (k && k == exponent + 1)
            text[n++] = '.';
        text[n++] = k < count ? digits[k] : '0';
    }
    return n;
}

size_t number_write(char text[NUMBER_TEXT], enum dtype dtype, const void *array, int64_t k)
{
    const char *const x = (const char *)array + (size_t)k * dtype_size(dtype);
    double real;
    int64_t integer;
    uint64_t natural;

    switch (dtype_traits[dtype].class) {
    case CLASS_FLOAT:
        convert(&(struct conversion){ .from = dtype, .to = F64 }, x, &real, 1);
        return write_real(text, real, dtype);
    case CLASS_INT:
        convert(&(struct conversion){ .from = dtype, .to = I64 }, x, &integer, 1);
        return (size_t)snprintf(text, NUMBER_TEXT, "%lld", (long long)integer);
    case CLASS_UINT:
        convert(&(struct conversion){ .from = dtype, .to = U64 }, x, &natural, 1);
        return (size_t)snprintf(text, NUMBER_TEXT, "%llu", (unsigned long long)natural);
    default:
        return (size_t)snprintf(text, NUMBER_TEXT, *x ? "True" : "False");
    }
}

/* -- reading -- */

enum { LONGEST = 400 }; /* a number with more digits is none */

static bool is(const char *text, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(text, name, length) == 0;
}

/* The digits are copied without the point, which the exponent makes up for: strtod looks for that of the locale. */
static bool read_decimal(const char *s, const char *end, char *out)
{
    char *to = out;
    int64_t exponent = 0, written = 0;
    bool point = false, digits = false;

    if (s < end && (*s == '-' || *s == '+'))
        *to++ = *s++;
    for (; s < end && ((*s >= '0' && *s <= '9') || (*s == '.' && !point)); s++) {
        if (*s == '.') {
            point = true;
            continue;
        }
        digits = true;
        exponent -= point;
        *to++ = *s;
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        const bool negative = s + 1 < end && s[1] == '-';

        s += s + 1 < end && (s[1] == '-' || s[1] == '+') ? 2 : 1;
        digits &= s < end;
        for (; s < end && *s >= '0' && *s <= '9'; s++)
            if (written < 1000000)
                written = written * 10 + (*s - '0');
        exponent += negative ? -written : written;
    }
    snprintf(to, 32, "e%lld", (long long)exponent);
    return digits && s == end;
}

static bool read_real(const char *text, size_t length, enum dtype dtype, struct rounding rounding, void *x)
{
    const size_t sign = length && (*text == '-' || *text == '+');
    char copy[LONGEST + 32];
    double v;

    if (is(text + sign, length - sign, "nan"))
        v = NAN;
    else if (is(text + sign, length - sign, "inf") || is(text + sign, length - sign, "infinity"))
        v = *text == '-' ? -INFINITY : INFINITY;
    else if (length > LONGEST || !read_decimal(text, text + length, copy))
        return false;
    else
        v = dtype == F32 ? (double)strtof(copy, NULL) : strtod(copy, NULL);
    convert(&(struct conversion){ F64, dtype, rounding }, &v, x, 1);
    return true;
}

static bool read_integer(const char *text, size_t length, enum dtype dtype, void *x)
{
    const bool negative = length && *text == '-';
    uint64_t v = 0, back;
    int64_t n;

    if (length && (*text == '-' || *text == '+')) {
        text++;
        length--;
    }
    for (size_t k = 0; k < length; k++)
        if (text[k] < '0' || text[k] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(text[k] - '0'), &v))
            return false;
    if (!length)
        return false;
    if (dtype_traits[dtype].class == CLASS_UINT) {
        convert(&(struct conversion){ .from = U64, .to = dtype }, &v, x, 1);
        convert(&(struct conversion){ .from = dtype, .to = U64 }, x, &back, 1);
        return back == v && !(negative && v);
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    v = negative ? 0 - v : v;
    convert(&(struct conversion){ .from = U64, .to = dtype }, &v, x, 1);
    convert(&(struct conversion){ .from = dtype, .to = I64 }, x, &n, 1);
    return (uint64_t)n == v;
}

static bool read_bool(const char *text, size_t length, uint8_t *x)
{
    double v = is(text, length, "true");

    if (v == 0 && !is(text, length, "false") && !read_real(text, length, F64, ROUNDING_DEFAULT, &v))
        return false;
    *x = v != 0;
    return true;
}

bool number_read(const char *text, size_t length, enum dtype dtype, struct rounding rounding, void *array, int64_t k)
{
    char *const x = (char *)array + (size_t)k * dtype_size(dtype);

    switch (dtype_traits[dtype].class) {
    case CLASS_FLOAT:
        return read_real(text, length, dtype, rounding, x);
    case CLASS_BOOL:
        return read_bool(text, length, (uint8_t *)x);
    default:
        return read_integer(text, length, dtype, x);
    }
}
