#include "ops/re2_syntax.h"
#include <ctype.h>
#include <string.h>

enum { DEEPEST = 249 }; /* PCRE2 has 250, one of which is ours */

struct translation {
    const char *pattern, *at;
    struct text *out;
    int depth;               /* of groups */
    bool lines[DEEPEST + 1]; /* in the group of each depth: do ^ and $ look at lines? */
};

static void copy(struct translation *t, size_t bytes)
{
    text_add(t->out, t->at, bytes);
    t->at += bytes;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* \0, \12, \123; one digit but 0 would be a back reference. */
static const char *octal(struct translation *t)
{
    unsigned code = 0;
    int digits = 0;

    while (digits < 3 && is_octal(t->at[1 + digits]))
        code = 8 * code + (unsigned)(t->at[1 + digits++] - '0');
    if (!digits || (digits == 1 && code))
        return "a back reference is no part of RE2's syntax";
    text_printf(t->out, "\\x{%x}", code);
    t->at += 1 + digits;
    return NULL;
}

/* \x7F, \x{10FFFF} */
static const char *hexadecimal(struct translation *t)
{
    const bool braces = t->at[2] == '{';
    const char *const digits = t->at + 2 + braces;
    size_t n = 0;

    while (isxdigit((unsigned char)digits[n]) && n < (braces ? 6u : 2u))
        n++;
    if (n < (braces ? 1u : 2u) || (braces && digits[n] != '}'))
        return "\\x must be followed by two hexadecimal digits, or by some in braces";
    copy(t, 2 + n + 2 * (size_t)braces);
    return NULL;
}

/* \pN, \p{Greek}, \P{^Greek} */
static const char *property(struct translation *t)
{
    const char *const end = t->at[2] == '{' ? strchr(t->at, '}') : t->at[2] ? t->at + 2 : NULL;

    if (!end)
        return "\\p must be followed by a letter, or by a name in braces";
    copy(t, (size_t)(end - t->at) + 1);
    return NULL;
}

/* \Q...\E: what is between stands for itself. */
static const char *quotation(struct translation *t)
{
    const char *const end = strstr(t->at, "\\E");

    copy(t, end ? (size_t)(end - t->at) + 2 : strlen(t->at));
    if (!end) /* up to the end of the pattern */
        text_add(t->out, "\\E", 2);
    return NULL;
}

/* A place in a string, of so many bytes of the pattern: as a group it may be repeated, as RE2 allows. */
static const char *place(struct translation *t, const char *as, size_t bytes)
{
    text_printf(t->out, "(?:%s)", as);
    t->at += bytes;
    return NULL;
}

static const char *escape(struct translation *t, bool in_class)
{
    const char c = t->at[1];

    if (!c)
        return "the pattern ends with \\";
    if (c >= '0' && c <= '9')
        return octal(t);
    if (c == 'x')
        return hexadecimal(t);
    if (c == 'p' || c == 'P')
        return property(t);
    if (c == 'Q' && !in_class)
        return quotation(t);
    if (c == 'v' || (c == 's' && in_class)) {
        text_printf(t->out, "%s", c == 'v' ? "\\x0b" : "\\t\\n\\f\\r ");
        t->at += 2;
        return NULL;
    }
    if (!in_class && strchr("AzbB", c))
        return place(t, c == 'A' ? "\\A" : c == 'z' ? "\\z" : c == 'b' ? "\\b" : "\\B", 2);
    if (c == 's' || c == 'S') {
        text_printf(t->out, "[%s\\t\\n\\f\\r ]", c == 's' ? "" : "^");
        t->at += 2;
        return NULL;
    }
    if ((unsigned char)c >= 0x80 || (isalpha((unsigned char)c) && !strchr("aftnrdDwWS", c)))
        return "the escape is no part of RE2's syntax";
    copy(t, 2);
    return NULL;
}

/* [...], in which only escapes, names in [: :], and the end say more than themselves. */
static const char *class_of(struct translation *t)
{
    const char *wrong = NULL;

    copy(t, t->at[1] == '^' ? 2 : 1);
    if (*t->at == ']')
        copy(t, 1);
    while (*t->at && *t->at != ']' && !wrong) {
        const char *const end = strncmp(t->at, "[:", 2) == 0 ? strstr(t->at, ":]") : NULL;

        if (end) {
            copy(t, (size_t)(end - t->at) + 2);
        } else if (*t->at == '\\') {
            wrong = escape(t, true);
        } else {
            if (strchr("[:=.", *t->at)) /* which PCRE2 looks at when they stand side by side */
                text_add(t->out, "\\", 1);
            copy(t, 1);
        }
    }
    if (!wrong && !*t->at)
        return "[ has no ]";
    if (!wrong)
        copy(t, 1);
    return wrong;
}

/* "i", "s-im", of which m is looked at. */
static bool lines_of(const char *flags, size_t n, bool lines)
{
    bool on = true;

    for (size_t k = 0; k < n; k++) {
        on = on && flags[k] != '-';
        lines = flags[k] == 'm' ? on : lines;
    }
    return lines;
}

/* How long "?P<name>" or "?<name>" is; 0 where it is neither. */
static size_t name_of(const char *s)
{
    size_t n = 1 + (s[0] == '?' && s[1] == 'P');
    const size_t first = n + 1;

    if (s[0] != '?' || s[n] != '<')
        return 0;
    for (n++; isalnum((unsigned char)s[n]) || s[n] == '_'; n++)
        ;
    return n > first && s[n] == '>' ? n + 1 : 0;
}

/* (...), (?P<name>...), (?<name>...), (?i:...), (?:...) begin; (?i) is for the rest of the group that it is in. */
static const char *group(struct translation *t)
{
    const char *const behind = t->at + 1;
    const size_t flags = *behind == '?' ? strspn(behind + 1, "imsU-") : 0;
    const size_t name = name_of(behind);
    const bool lines = lines_of(behind + 1, flags, t->lines[t->depth]);

    if (*behind == '*' || (*behind == '?' && !name && behind[1 + flags] != ':' && (!flags || behind[1 + flags] != ')')))
        return "the group is no part of RE2's syntax";
    if (*behind == '?' && !name && behind[1 + flags] == ')') {
        t->lines[t->depth] = lines;
    } else {
        if (t->depth == DEEPEST)
            return "groups are nested deeper than 249";
        t->lines[++t->depth] = lines;
    }
    copy(t, 1 + (name ? name : *behind == '?' ? 2 + flags : 0));
    return NULL;
}

static const char *group_end(struct translation *t)
{
    if (!t->depth)
        return ") has no (";
    t->depth--;
    copy(t, 1);
    return NULL;
}

/* Without lines $ is where the string ends, and not before a newline there. */
static const char *line_end(struct translation *t)
{
    return place(t, t->lines[t->depth] ? "$" : "\\z", 1);
}

/* How long "{2}", "{2,}" or "{2,3}" is; 0 where it is none of these. */
static size_t counts(const char *s)
{
    size_t n = 1;

    while (isdigit((unsigned char)s[n]))
        n++;
    if (n > 1 && s[n] == ',')
        for (n++; isdigit((unsigned char)s[n]); n++)
            ;
    return n > 1 && s[n] == '}' ? n + 1 : 0;
}

static const char *repetition(struct translation *t)
{
    const size_t n = *t->at == '{' ? counts(t->at) : 1;

    if (!n) { /* it stands for itself */
        text_add(t->out, "\\", 1);
        copy(t, 1);
        return NULL;
    }
    copy(t, n);
    if (*t->at == '?') /* as few as will do: all the same here */
        copy(t, 1);
    return *t->at == '+' || *t->at == '*' || *t->at == '?' || (*t->at == '{' && counts(t->at))
               ? "what is repeated is repeated again"
               : NULL;
}

static const char *itself(struct translation *t)
{
    copy(t, 1);
    return NULL;
}

const char *re2_translate(const char *pattern, bool whole, struct text *out, size_t *at)
{
    struct translation t = { .pattern = pattern, .at = pattern, .out = out };
    const char *wrong = NULL;

    text_add(out, "(?:", 3);
    while (*t.at && !wrong) {
        *at = (size_t)(t.at - pattern);
        wrong = *t.at == '\\'           ? escape(&t, false)
                : *t.at == '['          ? class_of(&t)
                : *t.at == '('          ? group(&t)
                : *t.at == ')'          ? group_end(&t)
                : *t.at == '$'          ? line_end(&t)
                : *t.at == '^'          ? place(&t, "^", 1)
                : strchr("*+?{", *t.at) ? repetition(&t)
                                        : itself(&t);
    }
    text_add(out, ")\\z", whole ? 3 : 1);
    return wrong ? wrong : t.depth ? "( has no )" : NULL;
}
