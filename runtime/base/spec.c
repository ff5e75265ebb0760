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

/* The shortest that reads as the same number. printf writes the locale's point. */
void decimal_say(struct text *out, double value)
{
    const char *point = localeconv()->decimal_point, *at;
    char text[64];

    for (int digits = 9; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    at = strstr(text, point);
    if (at)
        text_printf(out, "%.*s.%s", (int)(at - text), text, at + strlen(point));
    else
        text_printf(out, "%s", text);
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
        text_printf(out, "%s", row->name);
        if (options_of(row)->kind == SPEC_VALUE || options_of(row)->kind == SPEC_TEXT)
            text_printf(out, ":%s", options_of(row)->kind == SPEC_TEXT ? options_of(row)->key : "VALUE");
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

static void put_words(struct text *out, const struct spec_option *o)
{
    size_t count = 0;

    while (o->words[count])
        count++;
    for (size_t k = 0; k < count; k++) {
        spec_comma(out, k, count);
        text_printf(out, "%s", o->words[k]);
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

static bool is_name(const char *name, const char *spec)
{
    const size_t n = spec_name_length(spec);

    return strlen(name) == n && strncmp(name, spec, n) == 0;
}

bool spec_is(const struct spec_row *row, const char *spec)
{
    for (const struct spec_option *o = options_of(row); o->key; o++)
        if (o->kind == SPEC_ALIAS && is_name(o->key, spec))
            return true;
    return is_name(row->name, spec);
}

const struct spec_row *spec_find(spec_table *table, const char *spec, const struct spec_subject *about,
                                 struct report *r)
{
    for (size_t k = 0; table(k); k++)
        if (spec_is(table(k), spec))
            return table(k);
    unknown_name(table, spec, about, r);
    return NULL;
}

/* -- options -- */

/* A row's options while they are read. */
struct reading {
    void *settings;
    const struct spec_row *row;
    const struct spec_common *common;
    const struct spec_subject *about;
    struct report *report;
};

static void put(void *settings, const struct spec_option *o, double value)
{
    struct spec_list *list = (void *)((char *)settings + o->offset);

    if (o->kind == SPEC_FLAG)
        *(bool *)((char *)settings + o->offset) = value != 0;
    else if (o->kind == SPEC_LIST)
        list->at[list->count++] = value;
    else if (o->kind == SPEC_RANGE)
        *(struct spec_range *)(void *)((char *)settings + o->offset) = (struct spec_range){ value, value };
    else if (o->kind != SPEC_ALIAS)
        *(double *)((char *)settings + o->offset) = value;
}

const struct spec_option *spec_option_of(const struct spec_row *row, const char *key)
{
    for (const struct spec_option *o = options_of(row); o->key; o++)
        if (o->kind != SPEC_ALIAS && strcmp(o->key, key) == 0)
            return o;
    return NULL;
}

double spec_value(const struct spec_row *row, const void *settings, const char *key)
{
    const struct spec_option *o = spec_option_of(row, key);
    const char *at = o ? (const char *)settings + o->offset : NULL;

    return !at || o->kind == SPEC_LIST || o->kind == SPEC_RANGE ? 0
           : o->kind == SPEC_FLAG                               ? *(const bool *)at
                                                                : *(const double *)at;
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

static bool is_common(const struct reading *g, const struct spec_option *o)
{
    for (const struct spec_option *c = g->common->options; c->key; c++)
        if (c == o)
            return true;
    return false;
}

static bool check(const struct reading *g, const struct spec_option *o, double value)
{
    const bool below = o->kind == SPEC_BELOW;

    if (o->kind == SPEC_FLAG && value != 0 && value != 1)
        return bad(g, o, "is %g, must be 0 or 1", value);
    /* What is below a bound and becomes it as a float is not below. */
    if (o->kind != SPEC_FLAG && o->kind != SPEC_WORD &&
        !(value >= o->low && (below ? (double)(float)value < o->high : value <= o->high)))
        return bad(g, o, "is %.15g, must be at least %g and %s %g", value, o->low, below ? "below" : "at most",
                   o->high);
    if (o->kind == SPEC_WHOLE && value != floor(value))
        return bad(g, o, "is %g, must be a whole number", value);
    if (!fits_float(value))
        return bad(g, o, "is %g, which is not 0 and less than a float can hold", value);
    return true;
}

static bool store(const struct reading *g, const struct spec_option *o, double value)
{
    if (!check(g, o, value))
        return false;
    put(is_common(g, o) ? g->common->settings : g->settings, o, value);
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

static size_t read_word(const char *s, const struct spec_option *o, double *out)
{
    const size_t n = strcspn(s, ",");

    for (size_t k = 0; o->words[k]; k++)
        if (strlen(o->words[k]) == n && strncasecmp(s, o->words[k], n) == 0) {
            *out = (double)k;
            return n;
        }
    return 0;
}

static bool bad_word(const struct reading *g, const struct spec_option *o, const char *s)
{
    struct budget b = { 0 };
    struct text list = { .budget = &b };
    const size_t n = strcspn(s, ",");
    bool ok;

    put_words(&list, o);
    ok = bad(g, o, "is '%.*s', must be %s", (int)(n > 60 ? 60 : n), s, list.failed ? "another" : list.data);
    text_release(&list);
    return ok;
}

/* Numbers up to the next comma. Returns how many bytes they take, 0 with an error. */
static size_t read_list(const struct reading *g, const struct spec_option *o, const char *s)
{
    struct spec_list *list = (void *)((char *)g->settings + o->offset);
    size_t at = 0;

    for (list->count = 0;;) {
        double value;
        const size_t n = decimal_read(s + at, &value);

        at += n;
        if (!n || (s[at] && !strchr("/,", s[at])))
            return bad(g, o, "needs numbers, as in '%s=1/0.5/0.25'", o->key);
        if (list->count == SPEC_MOST_NUMBERS)
            return bad(g, o, "has more than %d numbers", (int)SPEC_MOST_NUMBERS);
        if (!store(g, o, value))
            return 0;
        if (s[at] != '/')
            return at;
        at++;
    }
}

/* The same of a range. */
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

/* What follows the '=' of an option. Returns how many bytes it takes, 0 with an error. */
static size_t read_option(const struct reading *g, const struct spec_option *o, const char *s)
{
    double value;
    size_t used;

    if (o->kind == SPEC_LIST)
        return read_list(g, o, s);
    if (o->kind == SPEC_RANGE)
        return read_range(g, o, s);
    used = o->kind == SPEC_WORD ? read_word(s, o, &value) : read_number(s, o->kind == SPEC_FLAG, &value);
    if (!used && o->kind == SPEC_WORD)
        return bad_word(g, o, s);
    if (!used || (s[used] && s[used] != ','))
        return bad(g, o, "needs a number, as in '%s=0.5'", o->key);
    return store(g, o, value) ? used : 0;
}

static bool is_said(const void *settings, const struct spec_option *o)
{
    const void *at = (const char *)settings + o->offset;

    return o->kind == SPEC_LIST ? ((const struct spec_list *)at)->count > 0 : !isnan(*(const double *)at);
}

/* What must be given was. */
static bool check_needed(const struct reading *g)
{
    for (const struct spec_option *o = options_of(g->row); o->key; o++)
        if ((o->absent == SPEC_NEEDED || o->kind == SPEC_LIST) && !is_said(g->settings, o))
            return fail(g->report, g->about->code, g->about->where, "%s '%s' needs '%s': %s", g->about->kind,
                        g->row->name, o->key, o->help);
    return true;
}

static bool unknown_key(const struct reading *g, const char *key, size_t n)
{
    struct budget b = { 0 };
    struct text list = { .budget = &b };

    for (const struct spec_option *o = options_of(g->row); o->key; o++)
        if (o->kind != SPEC_ALIAS)
            text_printf(&list, "%s%s", list.data ? ", " : "", o->key);
    for (const struct spec_option *o = g->common->options; o->key; o++)
        if (!spec_option_of(g->row, o->key))
            text_printf(&list, "%s%s", list.data ? ", " : "", o->key);
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

/* What follows the colon, as it stands. */
static bool read_text(const struct reading *g, const struct spec_option *o, const char *s)
{
    *(const char **)((char *)g->settings + o->offset) = s + 1;
    return (*s && s[1]) || fail(g->report, g->about->code, g->about->where, "%s '%s' needs more: '%s:%s'",
                                g->about->kind, g->row->name, g->row->name, o->key);
}

/* The option of that name; NULL where there is none. */
static const struct spec_option *find_option(const struct reading *g, const char *key, size_t n)
{
    const struct spec_option *const lists[] = { options_of(g->row), g->common->options };

    for (int k = 0; k < 2; k++)
        for (const struct spec_option *o = lists[k]; o->key; o++)
            if (o->kind != SPEC_ALIAS && strlen(o->key) == n && strncmp(o->key, key, n) == 0)
                return o;
    return NULL;
}

static void set_fallbacks(void *settings, const struct spec_option *options)
{
    for (const struct spec_option *o = options; o->key; o++)
        if (o->kind == SPEC_LIST)
            *(struct spec_list *)(void *)((char *)settings + o->offset) = (struct spec_list){ 0 };
        else if (o->kind != SPEC_TEXT)
            put(settings, o, o->absent ? (double)NAN : o->fallback);
}

/* "key=value,key=value" */
static bool read_keys(const struct reading *g, const char *keys)
{
    const struct spec_option *const options = options_of(g->row);

    for (const char *s = keys;; s++) {
        const size_t n = strcspn(s, "=,");
        const bool bare = options->bare && s == keys && s[n] != '=';
        const struct spec_option *o = bare ? options : find_option(g, s, n);
        size_t used;

        if (!o)
            return unknown_key(g, s, n);
        s += bare ? 0 : n + (s[n] == '=');
        used = read_option(g, o, s);
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
    return spec_read_with(settings, row, &(struct spec_common){ none, NULL }, spec, about, r);
}

bool spec_read_with(void *settings, const struct spec_row *row, const struct spec_common *common, const char *spec,
                    const struct spec_subject *about, struct report *r)
{
    const struct reading g = { settings, row, common, about, r };
    const struct spec_option *const options = options_of(row);
    const char *s = spec + spec_name_length(spec);

    set_fallbacks(settings, options);
    set_fallbacks(common->settings, common->options);
    if (options->kind == SPEC_VALUE)
        return read_value(&g, options, s, spec);
    if (options->kind == SPEC_TEXT)
        return read_text(&g, options, s);
    return (!*s || read_keys(&g, s + 1)) && check_needed(&g);
}

bool spec_read_keys(void *settings, const struct spec_row *row, const char *keys, const struct spec_subject *about,
                    struct report *r)
{
    const struct reading g = { settings, row, &(struct spec_common){ none, NULL }, about, r };

    set_fallbacks(settings, options_of(row));
    return read_keys(&g, keys) && check_needed(&g);
}

/* Is it what it is where nothing is said? */
static bool is_fallback(const void *settings, const struct spec_option *o)
{
    const void *at = (const char *)settings + o->offset;
    const struct spec_range *range = at;

    if (o->kind == SPEC_TEXT)
        return !*(const char *const *)at;
    if (o->kind == SPEC_LIST || o->absent == SPEC_NEEDED)
        return false;
    if (o->kind == SPEC_RANGE)
        return range->low == o->fallback && range->high == o->fallback;
    if (o->kind == SPEC_FLAG)
        return *(const bool *)at == (o->fallback != 0);
    return o->absent == SPEC_UNSAID ? isnan(*(const double *)at) : *(const double *)at == o->fallback;
}

static void say_value(struct text *out, const void *settings, const struct spec_option *o)
{
    const void *at = (const char *)settings + o->offset;
    const struct spec_list *list = at;
    const struct spec_range *range = at;

    if (o->kind == SPEC_WORD) {
        text_printf(out, "%s", o->words[(size_t) * (const double *)at]);
    } else if (o->kind == SPEC_TEXT) {
        text_printf(out, "%s", *(const char *const *)at);
    } else if (o->kind == SPEC_FLAG) {
        text_printf(out, "%d", *(const bool *)at);
    } else if (o->kind == SPEC_RANGE) {
        decimal_say(out, range->low);
        text_printf(out, "/");
        decimal_say(out, range->high);
    } else if (o->kind == SPEC_LIST) {
        for (size_t k = 0; k < list->count; k++) {
            text_printf(out, "%s", k ? "/" : "");
            decimal_say(out, list->at[k]);
        }
    } else {
        decimal_say(out, *(const double *)at);
    }
}

void spec_say(struct text *out, const struct spec_row *row, const void *settings, const char *but)
{
    const char *comma = "";

    for (const struct spec_option *o = options_of(row); o->key; o++) {
        if (o->kind == SPEC_ALIAS || is_fallback(settings, o) || (but && strcmp(o->key, but) == 0))
            continue;
        text_printf(out, "%s", comma);
        if (o->kind != SPEC_VALUE && o->kind != SPEC_TEXT)
            text_printf(out, "%s=", o->key);
        say_value(out, settings, o);
        comma = ",";
    }
}

/* -- help -- */

static void put_option(struct text *out, const struct spec_option *o)
{
    if (o->kind == SPEC_VALUE || o->kind == SPEC_TEXT)
        text_printf(out, "    %s: %s\n", o->kind == SPEC_TEXT ? o->key : "VALUE", o->help);
    else if (o->kind == SPEC_FLAG)
        text_printf(out, "    %s=%g (0 or 1): %s\n", o->key, o->fallback, o->help);
    else if (o->kind == SPEC_WORD) {
        text_printf(out, "    %s=%s (", o->key, o->words[(int)o->fallback]);
        put_words(out, o);
        text_printf(out, "): %s\n", o->help);
    } else if (o->kind == SPEC_RANGE) {
        text_printf(out, "    %s=LOW/HIGH or D for 1-D/1+D (%g to %g): %s\n", o->key, o->low, o->high, o->help);
    } else {
        const bool list = o->kind == SPEC_LIST;

        text_printf(out, "    %s", o->key);
        if (!o->absent && !list)
            text_printf(out, "=%g", o->fallback);
        text_printf(out, " (%s%s%g %s %g): %s\n", o->absent == SPEC_NEEDED || list ? "needed, " : "",
                    list ? "numbers between '/', " : "", o->low, o->kind == SPEC_BELOW ? "to below" : "to", o->high,
                    o->help);
    }
}

void spec_help(struct text *out, spec_table *table, const struct spec_option *common)
{
    for (size_t k = 0; table(k); k++) {
        text_printf(out, "  %s", table(k)->name);
        for (const struct spec_option *o = options_of(table(k)); o->key; o++)
            if (o->kind == SPEC_ALIAS)
                text_printf(out, ", %s", o->key);
        text_printf(out, " - %s\n", table(k)->help);
        for (const struct spec_option *o = options_of(table(k)); o->key; o++)
            if (o->kind != SPEC_ALIAS)
                put_option(out, o);
    }
    if (common)
        text_printf(out, "  options of each:\n");
    for (const struct spec_option *o = common ? common : none; o->key; o++)
        put_option(out, o);
}
