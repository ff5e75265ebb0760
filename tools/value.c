#include "value.h"
#include "json.h"
#include <inttypes.h>
#include <math.h>

enum { MOST_SAID = 8, MOST_STRING = 1024, TYPE_TEXT = 256 };

/* -- for people -- */

/* Any bytes, NUL as well; of a long one its beginning. */
static void say_string(const kiln_tensor *t, int64_t k)
{
    size_t length;
    const char *s = kiln_tensor_string(t, k, &length);

    say("'");
    say_bytes(stdout, s, length < MOST_STRING ? length : MOST_STRING);
    say("'%s", length <= MOST_STRING ? "" : "...");
}

static bool is_complex(kiln_dtype d)
{
    return d == KILN_COMPLEX64 || d == KILN_COMPLEX128;
}

/* As NumPy writes it. */
static void say_complex(const kiln_tensor *t, int64_t k)
{
    const void *const data = kiln_tensor_data(t);
    const bool wide = kiln_tensor_dtype(t) == KILN_COMPLEX128;
    const double real = wide ? ((const double *)data)[2 * k] : (double)((const float *)data)[2 * k];
    const double imaginary = wide ? ((const double *)data)[2 * k + 1] : (double)((const float *)data)[2 * k + 1];

    say("%.6g%+.6gj", real, imaginary);
}

static void say_element(const kiln_tensor *t, int64_t k)
{
    if (is_complex(kiln_tensor_dtype(t))) {
        say_complex(t, k);
        return;
    }
    if (kiln_tensor_dtype(t) == KILN_STRING)
        say_string(t, k);
    else if (kiln_tensor_dtype(t) == KILN_INT64)
        say("%" PRId64, ((const int64_t *)kiln_tensor_data(t))[k]);
    else
        say("%.6g", kiln_tensor_number(t, k));
}

/* What they are like. */
static void say_numbers(const kiln_tensor *t)
{
    const int64_t n = kiln_tensor_count(t);
    double low = INFINITY, high = -INFINITY, sum = 0;
    int64_t bad = 0;

    for (int64_t k = 0; k < n; k++) {
        const double x = kiln_tensor_number(t, k);

        if (!isfinite(x)) {
            bad++;
            continue;
        }
        low = fmin(low, x);
        high = fmax(high, x);
        sum += x;
    }
    if (n > MOST_SAID && n > bad)
        say("  (min %.6g, mean %.6g, max %.6g)", low, sum / (double)(n - bad), high);
    if (bad)
        say("  %lld not finite", (long long)bad);
}

static void say_tensor(const kiln_tensor *t)
{
    const int64_t n = kiln_tensor_count(t);

    for (int64_t k = 0; k < n && k < MOST_SAID; k++) {
        say(" ");
        say_element(t, k);
    }
    say("%s", !n ? " empty" : n > MOST_SAID ? " ..." : "");
    if (!is_complex(kiln_tensor_dtype(t)) && kiln_tensor_dtype(t) != KILN_STRING)
        say_numbers(t);
    putchar('\n');
}

static void say_map(const kiln_tensor *t)
{
    const kiln_tensor *keys = kiln_tensor_item(t, 0), *values = kiln_tensor_item(t, 1);
    const int64_t n = kiln_tensor_count(keys);

    for (int64_t k = 0; k < n && k < MOST_SAID; k++) {
        say("%s ", k ? "," : "");
        say_element(keys, k);
        say(": ");
        say_element(values, k);
    }
    say("%s\n", !n ? " empty" : n > MOST_SAID ? ", ..." : "");
}

/* The library bounds how deep values lie in each other. */
static void say_value(const kiln_tensor *t, int depth)
{
    const int64_t items = kiln_tensor_item_count(t);
    char type[TYPE_TEXT];

    switch (kiln_tensor_kind(t)) {
    case KILN_SEQUENCE:
        say(" %lld items\n", (long long)items);
        for (int64_t k = 0; k < items && k < MOST_SAID; k++) {
            say("%*s[%lld] %s:", 2 * depth, "", (long long)k,
                kiln_tensor_text(kiln_tensor_item(t, k), type, sizeof type));
            say_value(kiln_tensor_item(t, k), depth + 1);
        }
        say("%s", items > MOST_SAID ? "  ...\n" : "");
        break;
    case KILN_OPTIONAL:
        say(" %s\n", items ? "a value" : "no value");
        break;
    case KILN_MAP:
        say_map(t);
        break;
    default:
        say_tensor(t);
    }
}

void value_say(const char *name, const kiln_tensor *t)
{
    char type[TYPE_TEXT];

    say("output %s %s:", name, kiln_tensor_text(t, type, sizeof type));
    say_value(t, 1);
}

/* -- for programs -- */

static void put_element(struct json *j, const kiln_tensor *t, int64_t k)
{
    const kiln_dtype dtype = kiln_tensor_dtype(t);
    size_t length;
    const char *s = kiln_tensor_string(t, k, &length);

    if (s)
        json_text_n(j, NULL, s, length);
    else if (dtype == KILN_INT64)
        json_whole(j, NULL, ((const int64_t *)kiln_tensor_data(t))[k]);
    else if (dtype == KILN_BOOL)
        json_flag(j, NULL, kiln_tensor_number(t, k) != 0);
    else
        json_number(j, NULL, kiln_tensor_number(t, k), dtype == KILN_DOUBLE ? 17 : 9);
}

/* Those of one place in the dimensions before `d`; moves *at past them. */
static void put_elements(struct json *j, const kiln_tensor *t, int d, int64_t *at)
{
    if (d == kiln_tensor_rank(t)) {
        put_element(j, t, (*at)++);
        return;
    }
    json_begin(j, NULL, '[');
    for (int64_t k = 0; k < kiln_tensor_dims(t)[d]; k++)
        put_elements(j, t, d + 1, at);
    json_end(j, ']');
}

static void put_map(struct json *j, const kiln_tensor *t)
{
    const kiln_tensor *keys = kiln_tensor_item(t, 0), *values = kiln_tensor_item(t, 1);

    json_begin(j, NULL, '{');
    for (int64_t k = 0; k < kiln_tensor_count(keys); k++) {
        char number[24];
        size_t length;
        const char *s = kiln_tensor_string(keys, k, &length);

        if (!s)
            length = (size_t)snprintf(number, sizeof number, "%" PRId64, ((const int64_t *)kiln_tensor_data(keys))[k]);
        json_key(j, s ? s : number, length);
        put_element(j, values, k);
    }
    json_end(j, '}');
}

static void put_value(struct json *j, const kiln_tensor *t)
{
    const int64_t items = kiln_tensor_item_count(t);
    int64_t at = 0;

    switch (kiln_tensor_kind(t)) {
    case KILN_SEQUENCE:
        json_begin(j, NULL, '[');
        for (int64_t k = 0; k < items; k++)
            put_value(j, kiln_tensor_item(t, k));
        json_end(j, ']');
        break;
    case KILN_OPTIONAL:
        if (items)
            put_value(j, kiln_tensor_item(t, 0));
        else
            json_text(j, NULL, NULL);
        break;
    case KILN_MAP:
        put_map(j, t);
        break;
    default:
        put_elements(j, t, 0, &at);
    }
}

bool value_save(struct command *c, const kiln_tensor *t, const char *path)
{
    struct page page = { .command = c };
    struct json j = { .out = &page, .lines = 1 };

    put_value(&j, t);
    return page_save(&page, path, c);
}
