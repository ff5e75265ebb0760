#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void quote(struct text *out, const char *bytes, size_t length)
{
    text_add(out, "\"", 1);
    for (size_t k = 0; k < length;) {
        const char c = bytes[k];
        uint32_t code;
        const size_t n = utf8_decode(bytes + k, length - k, &code);

        if (!n)
            text_printf(out, "\\ufffd");
        else if (c == '"' || c == '\\')
            text_printf(out, "\\%c", c);
        else if (!utf8_shown(bytes + k, length - k))
            text_printf(out, "\\u%04x", (unsigned)code);
        else
            text_add(out, bytes + k, n);
        k += n ? n : 1;
    }
    text_add(out, "\"", 1);
}

static void item(struct json *j, const char *key)
{
    if (j->more[j->depth])
        text_add(j->out, ",", 1);
    if (j->depth && j->depth <= JSON_LINES)
        text_printf(j->out, "\n%*s", 2 * j->depth, "");
    else if (j->more[j->depth])
        text_add(j->out, " ", 1);
    j->more[j->depth] = true;
    if (key) {
        quote(j->out, key, strlen(key));
        text_add(j->out, ": ", 2);
    }
}

void json_open(struct json *j, const char *key, char bracket)
{
    item(j, key);
    text_add(j->out, &bracket, 1);
    if (j->depth < JSON_DEPTH)
        j->depth++;
    j->more[j->depth] = false;
}

void json_close(struct json *j, char bracket)
{
    const bool lines = j->more[j->depth] && j->depth <= JSON_LINES;

    if (j->depth)
        j->depth--;
    if (lines)
        text_printf(j->out, "\n%*s", 2 * j->depth, "");
    text_add(j->out, &bracket, 1);
    if (!j->depth)
        text_add(j->out, "\n", 1);
}

void json_bytes(struct json *j, const char *key, const char *bytes, size_t length)
{
    item(j, key);
    quote(j->out, bytes, length);
}

void json_string(struct json *j, const char *key, const char *s)
{
    item(j, key);
    if (s)
        quote(j->out, s, strlen(s));
    else
        text_add(j->out, "null", 4);
}

void json_int(struct json *j, const char *key, int64_t n)
{
    item(j, key);
    text_printf(j->out, "%lld", (long long)n);
}

void json_real(struct json *j, const char *key, double x)
{
    char digits[32], *comma;

    item(j, key);
    snprintf(digits, sizeof digits, "%.15g", x);
    if (strtod(digits, NULL) != x) /* 17 digits are always enough */
        snprintf(digits, sizeof digits, "%.17g", x);
    comma = strchr(digits, ','); /* some locales have one */
    if (comma)
        *comma = '.';
    text_printf(j->out, "%s", isfinite(x) ? digits : "null");
}

void json_bool(struct json *j, const char *key, bool b)
{
    item(j, key);
    text_printf(j->out, "%s", b ? "true" : "false");
}
