#include "base/spec.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct spec_option none[] = { { 0 } };

static const struct spec_option *options_of(const struct spec_row *row)
{
    return row->options ? row->options : none;
}

/* -- numbers -- */

/* strtod reads the locale's point; a number is short, so it is copied with that in place of ours. */
size_t decimal_read(const char *s, double *out)
{
    const size_t n = strspn(s, "+-0123456789.eEnaNifIF");
    const char *point = localeconv()->decimal_point;
    char text[64], *end;
    size_t at = 0;

    if (!n || n > 40)
        return 0;
    for (size_t k = 0; k < n; k++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s", s[k] == '.' ? 4 : 1, s[k] == '.' ? point : s + k);
    *out = strtod(text, &end);
    return *end || end == text ? 0 : n;
}

bool fits_float(double value)
{
    return isfinite((float)value) && (value == 0) == ((float)value == 0);
}

/* -- names -- */

size_t spec_name_length(const char *spec)
{
    return strcspn(spec, ":");
}

static size_t count_rows(spec_table *table)
{
    size_t count = 0;

    while (table(count))
        count++;
    return count;
}

void spec_comma(struct text *out, size_t k, size_t count)
{
    text_printf(out, "%s", !k ? "" : k == count - 1 ? " or " : ", ");
}

void spec_names(struct text *out, spec_table *table)
{
    const size_t count = count_rows(table);

    for (size_t k = 0; k < count; k++) {
        const struct spec_row *row = table(k);

        spec_comma(out, k, count);
        text_printf(out, "%s%s", row->name, options_of(row)->kind == SPEC_VALUE ? ":VALUE" : "");
    }
}

void spec_keys(struct text *out, const struct spec_row *row)
{
    const struct spec_option *const options = options_of(row);
    size_t count = 0;

    while (options[count].key)
        count++;
    for (size_t k = 0; k < count; k++) {
        spec_comma(out, k, count);
        text_printf(out, "%s", options[k].key);
    }
}

static void put_words(struct text *out, const char *const *words)
{
    size_t count = 0;

    while (words[count])
        count++;
    for (size_t k = 0; k < count; k++) {
        spec_comma(out, k, count);
        text_printf(out, "%s", words[k]);
    }
}

/* Where there is no memory for the names, they are left out. */
static bool unknown_name(spec_table *table, const char *spec, const struct spec_subject *about, struct report *r)
{
    const size_t n = spec_name_length(spec);
    struct budget b = { 0 };
    struct text names = { .budget = &b };

    spec_names(&names, table);
    fail(r, about->code, about->where, "%s '%.*s' is unknown%s%s", about->kind, (int)(n > 60 ? 60 : n), spec,
         names.failed ? "" : ", must be ", names.failed || !names.data ? "" : names.data);
    text_release(&names);
    return false;
}

const struct spec_row *spec_find(spec_table *table, const char *spec, const struct spec_subject *about,
                                 struct report *r)
{
    const size_t n = spec_name_length(spec);

    for (size_t k = 0; table(k); k++)
        if (strlen(table(k)->name) == n && strncmp(table(k)->name, spec, n) == 0)
            return table(k);
    unknown_name(table, spec, about, r);
    return NULL;
}

/* -- options -- */

/* A row's options while they are read. */
struct reading {
    void *settings;
    const struct spec_row *row;
    const struct spec_subject *about;
    struct report *report;
};

static void put(void *settings, const struct spec_option *o, double value)
{
    if (o->kind == SPEC_FLAG)
        *(bool *)((char *)settings + o->offset) = value != 0;
    else if (o->kind == SPEC_RANGE)
        *(struct spec_range *)(void *)((char *)settings + o->offset) = (struct spec_range){ value, value };
    else
        *(double *)((char *)settings + o->offset) = value;
}

const struct spec_option *spec_option_of(const struct spec_row *row, const char *key)
{
    for (const struct spec_option *o = options_of(row); o->key; o++)
        if (strcmp(o->key, key) == 0)
            return o;
    return NULL;
}

double spec_value(const struct spec_row *row, const void *settings, const char *key)
{
    const struct spec_option *o = spec_option_of(row, key);
    const char *at = o ? (const char *)settings + o->offset : NULL;

    return !at || o->kind == SPEC_RANGE ? 0 : o->kind == SPEC_FLAG ? *(const bool *)at : *(const double *)at;
}

static bool bad(const struct reading *g, const struct spec_option *o, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool bad(const struct reading *g, const struct spec_option *o, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fail(g->report, g->about->code, g->about->where, "%s '%s': '%s' %s", g->about->kind, g->row->name, o->key,
                what);
}

static bool check(const struct reading *g, const struct spec_option *o, double value)
{
    const bool below = o->kind == SPEC_BELOW;

    if (o->kind == SPEC_FLAG && value != 0 && value != 1)
        return bad(g, o, "is %g, must be 0 or 1", value);
    /* What is below a bound and becomes it as a float is not below. */
    if (o->kind != SPEC_FLAG && !(value >= o->low && (below ? (double)(float)value < o->high : value <= o->high)))
        return bad(g, o, "is %.15g, must be at least %g and %s %g", value, o->low, below ? "below" : "at most",
                   o->high);
    if (!fits_float(value))
        return bad(g, o, "is %g, which is not 0 and less than a float can hold", value);
    return true;
}

/* A flag may be said in words, as Python says it. */
static size_t read_number(const char *s, bool flag, double *out)
{
    static const char *const words[] = { "false", "true" };

    for (int k = 0; flag && k < 2; k++)
        if (strncasecmp(s, words[k], strlen(words[k])) == 0) {
            *out = k;
            return strlen(words[k]);
        }
    return decimal_read(s, out);
}

/* What follows the '=' of an option, in three kinds. Each returns how many bytes it takes, 0 with an error. */
static size_t read_plain(const struct reading *g, const struct spec_option *o, const char *s)
{
    double value;
    const size_t used = read_number(s, o->kind == SPEC_FLAG, &value);

    if (!used || (s[used] && s[used] != ','))
        return bad(g, o, "needs a number, as in '%s=0.5'", o->key);
    if (!check(g, o, value))
        return 0;
    put(g->settings, o, value);
    return used;
}

static size_t read_word(const struct reading *g, const struct spec_option *o, const char *s)
{
    const size_t n = strcspn(s, ",");
    struct budget b = { 0 };
    struct text list = { .budget = &b };

    for (size_t k = 0; o->words[k]; k++)
        if (strlen(o->words[k]) == n && strncmp(s, o->words[k], n) == 0) {
            put(g->settings, o, (double)k);
            return n;
        }
    put_words(&list, o->words);
    bad(g, o, "is '%.*s', must be %s", (int)(n > 60 ? 60 : n), s, list.failed ? "another" : list.data);
    text_release(&list);
    return 0;
}

static size_t read_range(const struct reading *g, const struct spec_option *o, const char *s)
{
    struct spec_range v = { 0 };
    size_t used = decimal_read(s, &v.low);

    if (used && s[used] == '/') {
        const size_t more = decimal_read(s + used + 1, &v.high);

        used = more ? used + 1 + more : 0;
    } else {
        v = (struct spec_range){ 1 - v.low, 1 + v.low };
    }
    if (!used || (s[used] && s[used] != ','))
        return bad(g, o, "needs two numbers or one, as in '%s=0.8/1.2' and '%s=0.2'", o->key, o->key);
    if (!check(g, o, v.low) || !check(g, o, v.high))
        return 0;
    if (v.low > v.high)
        return bad(g, o, "goes from %g to %g, must not go down", v.low, v.high);
    *(struct spec_range *)(void *)((char *)g->settings + o->offset) = v;
    return used;
}

static bool unknown_key(const struct reading *g, const char *key, size_t n)
{
    struct budget b = { 0 };
    struct text list = { .budget = &b };
    const struct spec_option *const options = options_of(g->row);

    for (const struct spec_option *o = options; o->key; o++)
        text_printf(&list, "%s%s", o == options ? "" : ", ", o->key);
    fail(g->report, g->about->code, g->about->where, "%s '%s' has no option '%.*s', but %s", g->about->kind,
         g->row->name, (int)(n > 60 ? 60 : n), key,
         list.failed ? "others"
         : list.data ? list.data
                     : "nothing");
    text_release(&list);
    return false;
}

/* The only number of a row, which has no key. */
static bool read_value(const struct reading *g, const struct spec_option *o, const char *s, const char *spec)
{
    double value;
    const size_t used = *s == ':' ? decimal_read(s + 1, &value) : 0;

    if (!used || s[1 + used] || !fits_float(value))
        return fail(g->report, g->about->code, g->about->where,
                    "%s '%s' needs a number that a float can hold, as in '%s:0.1'", g->about->kind, spec, g->row->name);
    put(g->settings, o, value);
    return true;
}

static void put_fallbacks(const struct reading *g)
{
    for (const struct spec_option *o = options_of(g->row); o->key; o++)
        put(g->settings, o, o->fallback);
}

/* "key=value,key=value" */
static bool read_keys(const struct reading *g, const char *s)
{
    for (;; s++) {
        const struct spec_option *o = options_of(g->row);
        const size_t n = strcspn(s, "=,");
        size_t used;

        while (o->key && (strlen(o->key) != n || strncmp(o->key, s, n) != 0))
            o++;
        if (!o->key)
            return unknown_key(g, s, n);
        s += n;
        s += *s == '=';
        used = o->kind == SPEC_WORD    ? read_word(g, o, s)
               : o->kind == SPEC_RANGE ? read_range(g, o, s)
                                       : read_plain(g, o, s);
        if (!used)
            return false;
        s += used;
        if (!*s)
            return true;
    }
}

bool spec_read(void *settings, const struct spec_row *row, const char *spec, const struct spec_subject *about,
               struct report *r)
{
    const struct reading g = { settings, row, about, r };
    const struct spec_option *const options = options_of(row);
    const char *s = spec + spec_name_length(spec);

    put_fallbacks(&g);
    if (options->kind == SPEC_VALUE)
        return read_value(&g, options, s, spec);
    return !*s || read_keys(&g, s + 1);
}

bool spec_read_keys(void *settings, const struct spec_row *row, const char *keys, const struct spec_subject *about,
                    struct report *r)
{
    const struct reading g = { settings, row, about, r };

    put_fallbacks(&g);
    return read_keys(&g, keys);
}

void spec_say(struct text *out, const struct spec_row *row, const void *settings)
{
    const char *comma = "";

    for (const struct spec_option *o = options_of(row); o->key; o++) {
        const void *at = (const char *)settings + o->offset;
        const struct spec_range *range = at;
        const double value = spec_value(row, settings, o->key);

        if (o->kind == SPEC_RANGE ? range->low == o->fallback && range->high == o->fallback : value == o->fallback)
            continue;
        text_printf(out, "%s%s=", comma, o->key);
        if (o->kind == SPEC_WORD)
            text_printf(out, "%s", o->words[(size_t)value]);
        else if (o->kind == SPEC_RANGE)
            text_printf(out, "%.9g/%.9g", range->low, range->high);
        else
            text_printf(out, "%.9g", value);
        comma = ",";
    }
}

/* -- help -- */

static void put_option(struct text *out, const struct spec_option *o)
{
    if (o->kind == SPEC_VALUE)
        text_printf(out, "    VALUE: %s\n", o->help);
    else if (o->kind == SPEC_FLAG)
        text_printf(out, "    %s=%g (0 or 1): %s\n", o->key, o->fallback, o->help);
    else if (o->kind == SPEC_WORD) {
        text_printf(out, "    %s=%s (", o->key, o->words[(size_t)o->fallback]);
        put_words(out, o->words);
        text_printf(out, "): %s\n", o->help);
    } else if (o->kind == SPEC_RANGE)
        text_printf(out, "    %s=LOW/HIGH or D for 1-D/1+D (%g to %g): %s\n", o->key, o->low, o->high, o->help);
    else
        text_printf(out, "    %s=%g (%g %s %g): %s\n", o->key, o->fallback, o->low,
                    o->kind == SPEC_BELOW ? "to below" : "to", o->high, o->help);
}

void spec_help(struct text *out, spec_table *table)
{
    for (size_t k = 0; table(k); k++) {
        text_printf(out, "  %s - %s\n", table(k)->name, table(k)->help);
        for (const struct spec_option *o = options_of(table(k)); o->key; o++)
            put_option(out, o);
    }
}
