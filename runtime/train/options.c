#include "train/options.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t option_name_length(const char *spec)
{
    return strcspn(spec, ":");
}

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

static bool store(void *to, const struct spec_option *o, double value, const struct spec_subject *about,
                  struct report *r)
{
    if (o->flag) {
        if (value != 0 && value != 1)
            return fail(r, about->code, NULL, "%s: '%s' is %g, must be 0 or 1", about->what, o->key, value);
        *(bool *)((char *)to + o->offset) = value != 0;
        return true;
    }
    /* What is below a bound and becomes it as a float is not below. */
    if (!(value >= o->low) || !(o->closed ? value <= o->high : (double)(float)value < o->high))
        return fail(r, about->code, NULL, "%s: '%s' is %.15g, must be at least %g and %s %g", about->what, o->key,
                    value, o->low, o->closed ? "at most" : "below", o->high);
    if (!fits_float(value))
        return fail(r, about->code, NULL, "%s: '%s' is %g, which is not 0 and less than a float can hold", about->what,
                    o->key, value);
    *(double *)((char *)to + o->offset) = value;
    return true;
}

static bool unknown_key(const char *key, size_t n, const struct spec_option *options, const struct spec_subject *about,
                        struct report *r)
{
    char list[256] = "nothing";
    size_t at = 0;

    for (const struct spec_option *o = options; o->key && at < sizeof list; o++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", o->key);
    return fail(r, about->code, NULL, "%s has no option '%.*s', but %s", about->what, (int)(n > 60 ? 60 : n), key,
                list);
}

bool options_read(void *to, const char *spec, const struct spec_option *options, const struct spec_subject *about,
                  struct report *r)
{
    const char *s = spec + option_name_length(spec);

    while (*s) {
        const char *key = ++s;
        const size_t n = strcspn(s, "=,");
        const struct spec_option *o = options;
        double value;
        size_t used;

        while (o->key && (strlen(o->key) != n || strncmp(o->key, key, n) != 0))
            o++;
        if (!o->key)
            return unknown_key(key, n, options, about, r);
        s += n;
        used = *s == '=' ? decimal_read(s + 1, &value) : 0;
        if (!used || (s[1 + used] && s[1 + used] != ','))
            return fail(r, about->code, NULL, "%s: '%s' needs a number, as in '%s=0.5'", about->what, o->key, o->key);
        if (!store(to, o, value, about, r))
            return false;
        s += 1 + used;
    }
    return true;
}
