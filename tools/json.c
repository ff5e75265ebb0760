#include "json.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The code of a character that is not shown, which has up to three bytes; 0 where it is no UTF-8. */
static size_t hidden(const char *bytes, size_t left, unsigned *code)
{
    const unsigned char *s = (const unsigned char *)bytes;
    const size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 : 0;

    if (n > left)
        return 0;
    *code = n == 1 ? *s : n == 2 ? *s & 0x1fu : *s & 0xfu;
    for (size_t k = 1; k < n; k++) {
        if ((s[k] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[k] & 0x3f);
    }
    return n == 3 && (*code < 0x800 || (*code >= 0xd800 && *code < 0xe000)) ? 0 : n;
}

static void quote(struct page *out, const char *s, size_t length)
{
    const char *const end = s + length;

    page_add(out, "\"", 1);
    while (s < end) {
        const size_t left = (size_t)(end - s), shown = kiln_shown(s, left);
        unsigned code;
        const size_t n = shown ? shown : hidden(s, left, &code);

        if (!n)
            page_printf(out, "\\ufffd");
        else if (!shown)
            page_printf(out, "\\u%04x", code);
        else if (*s == '"' || *s == '\\')
            page_printf(out, "\\%c", *s);
        else
            page_add(out, s, n);
        s += n ? n : 1;
    }
    page_add(out, "\"", 1);
}

static void item(struct json *j, const char *key)
{
    if (j->keyed) {
        j->keyed = false;
        return;
    }
    if (j->more[j->depth])
        page_add(j->out, ",", 1);
    if (j->depth && j->depth <= j->lines)
        page_printf(j->out, "\n%*s", 2 * j->depth, "");
    else if (j->more[j->depth])
        page_add(j->out, " ", 1);
    j->more[j->depth] = true;
    if (key) {
        quote(j->out, key, strlen(key));
        page_add(j->out, ": ", 2);
    }
}

void json_key(struct json *j, const char *s, size_t length)
{
    item(j, NULL);
    quote(j->out, s, length);
    page_add(j->out, ": ", 2);
    j->keyed = true;
}

void json_begin(struct json *j, const char *key, char bracket)
{
    item(j, key);
    page_add(j->out, &bracket, 1);
    j->more[++j->depth] = false;
}

void json_end(struct json *j, char bracket)
{
    const bool lines = j->more[j->depth] && j->depth <= j->lines;

    j->depth--;
    if (lines)
        page_printf(j->out, "\n%*s", 2 * j->depth, "");
    page_add(j->out, &bracket, 1);
    if (!j->depth)
        page_add(j->out, "\n", 1);
}

void json_text(struct json *j, const char *key, const char *s)
{
    if (s) {
        json_text_n(j, key, s, strlen(s));
        return;
    }
    item(j, key);
    page_add(j->out, "null", 4);
}

void json_text_n(struct json *j, const char *key, const char *s, size_t length)
{
    item(j, key);
    quote(j->out, s, length);
}

void json_whole(struct json *j, const char *key, int64_t n)
{
    item(j, key);
    page_printf(j->out, "%lld", (long long)n);
}

void json_whole_unsigned(struct json *j, const char *key, uint64_t n)
{
    item(j, key);
    page_printf(j->out, "%llu", (unsigned long long)n);
}

void json_number(struct json *j, const char *key, double x, int digits)
{
    const char *shown;
    char text[40];

    item(j, key);
    snprintf(text, sizeof text, "%.*g", digits > DBL_DIG ? DBL_DIG : digits, x);
    if (digits > DBL_DIG && strtod(text, NULL) != x)
        snprintf(text, sizeof text, "%.*g", digits, x);
    shown = isfinite(x) ? text : "null";
    page_add(j->out, shown, strlen(shown));
}

void json_flag(struct json *j, const char *key, bool b)
{
    item(j, key);
    page_printf(j->out, "%s", b ? "true" : "false");
}
