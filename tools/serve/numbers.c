#include "serve/numbers.h"
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- cutting -- */

enum { LEAST = 16 /* bytes that are worth it */ };

static size_t spaces(const char *s, size_t left)
{
    size_t n = 0;

    while (n < left && (s[n] == ' ' || s[n] == '\n' || s[n] == '\r' || s[n] == '\t'))
        n++;
    return n;
}

/* Bytes of a text in quotes; all that are left where it does not end. */
static size_t quoted(const char *s, size_t left)
{
    size_t n = 1;

    while (n < left && s[n] != '"')
        n += s[n] == '\\' ? 2 : 1;
    return n < left ? n + 1 : left;
}

/* Bytes of a list of numbers, or of such lists; 0 where it has something else. */
static size_t listed(const char *s, size_t left)
{
    static const bool may[256] = {
        ['0'] = true, ['1'] = true,  ['2'] = true,  ['3'] = true,  ['4'] = true, ['5'] = true,
        ['6'] = true, ['7'] = true,  ['8'] = true,  ['9'] = true,  ['+'] = true, ['-'] = true,
        ['.'] = true, ['e'] = true,  ['E'] = true,  [','] = true,  ['['] = true, [']'] = true,
        [' '] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true,
    };
    size_t depth = 0;

    for (size_t n = 0; n < left && may[(unsigned char)s[n]]; n++) {
        depth += s[n] == '[';
        depth -= s[n] == ']';
        if (!depth)
            return n + 1;
    }
    return 0;
}

/* False where nothing must be cut: what stands for a cut stands there already, or the word is not written as it is. */
static bool find(struct cuts *c, const char *text, size_t length)
{
    static const char word[] = "\"data\"";
    size_t n;

    if (memmem(text, length, "\\u", 2))
        return false;
    for (size_t at = 0; at < length; at += n) {
        const bool is_word = length - at > strlen(word) && memcmp(text + at, word, strlen(word)) == 0;

        n = text[at] == '"' ? quoted(text + at, length - at) : 1;
        if (!is_word)
            continue;
        n += spaces(text + at + n, length - at - n);
        if (at + n >= length || text[at + n] != ':')
            continue;
        n++;
        n += spaces(text + at + n, length - at - n);
        if (at + n < length && text[at + n] != '[' && text[at + n] != '"')
            return false;
        if (at + n < length && text[at + n] == '[' && c->count < CUTS) {
            const size_t size = listed(text + at + n, length - at - n);

            if (size >= LEAST)
                c->of[c->count++] = (struct cut){ text + at + n, size };
            n += size;
        }
    }
    return true;
}

char *cuts_make(struct cuts *c, const char *text, size_t length, size_t *left)
{
    const char *from = text;
    char *out, *to;

    c->count = 0;
    if (!find(c, text, length))
        c->count = 0;
    *left = length;
    out = to = c->count ? malloc(length + 1) : NULL;
    for (size_t k = 0; out && k < c->count; k++) {
        memcpy(to, from, (size_t)(c->of[k].text - from));
        to += c->of[k].text - from;
        to += sprintf(to, "%zu", k); /* fewer bytes than the list has */
        from = c->of[k].text + c->of[k].length;
    }
    if (!out) {
        c->count = 0;
        return NULL;
    }
    memcpy(to, from, (size_t)(text + length - from));
    to += text + length - from;
    *left = (size_t)(to - out);
    return out;
}

/* -- numbers -- */

/* digits * 10^exponent. In more bits than a double has the product is off by less than the last bit; where that could
 * make another double, and where digits were left out, the C library reads the text. */
static double nearest(uint64_t digits, int exponent, bool all, const char *text)
{
#if LDBL_MANT_DIG >= 64
    static const long double tens[] = { 1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                        1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                        1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L };
    const int most = (int)(sizeof tens / sizeof *tens) - 1;

    if (all && exponent >= -most && exponent <= most) {
        const long double x = exponent < 0 ? (long double)digits / tens[-exponent]
                                           : (long double)digits * tens[exponent],
                          slack = x * 0x1p-62L;

        if ((double)(x - slack) == (double)(x + slack))
            return (double)x;
    }
#else
    (void)digits;
    (void)exponent;
    (void)all;
#endif
    return strtod(text, NULL);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits go on a number as long as it has room; false where one was left out. */
static bool take_digits(uint64_t *digits, const char **s, int *taken)
{
    bool all = true;

    for (*taken = 0; is_digit(**s); ++*s) {
        const uint64_t digit = (uint64_t)(**s - '0');

        if (*digits > (UINT64_MAX - digit) / 10)
            all = false;
        if (all)
            *digits = *digits * 10 + digit;
        ++*taken;
    }
    return all;
}

/* "e-5" adds to the exponent; false where its digits are missing. */
static bool take_exponent(int *exponent, const char **s)
{
    const bool minus = (*s)[1] == '-';
    int n = 0;

    *s += (*s)[1] == '-' || (*s)[1] == '+' ? 2 : 1;
    if (!is_digit(**s))
        return false;
    for (; is_digit(**s); ++*s)
        n = n < 100000 ? n * 10 + (**s - '0') : n;
    *exponent += minus ? -n : n;
    return true;
}

size_t written_number(struct written *n, const char *text)
{
    const char *s = text;
    int before, behind = 0, exponent = 0;
    bool all;

    *n = (struct written){ .negative = *s == '-', .whole = true };
    s += n->negative;
    if (*s == '0' && is_digit(s[1]))
        return 0;
    all = take_digits(&n->digits, &s, &before);
    if (!before)
        return 0;
    if (*s == '.') {
        s++;
        n->whole = false;
        all &= take_digits(&n->digits, &s, &behind);
        if (!behind)
            return 0;
    }
    exponent = -behind;
    if (*s == 'e' || *s == 'E') {
        n->whole = false;
        if (!take_exponent(&exponent, &s))
            return 0;
    }
    n->whole &= all;
    n->value = nearest(n->digits, exponent, all, text + n->negative);
    if (n->negative)
        n->value = -n->value;
    return (size_t)(s - text);
}
