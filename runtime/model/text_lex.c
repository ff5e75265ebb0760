#include "model/text_lex.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail_here(struct reader *r, kiln_status code, const char *format, va_list args)
{
    char where[64];
    size_t line = 1, start = 0;

    for (size_t k = 0; k < r->at; k++)
        if (r->text[k] == '\n') {
            line++;
            start = k + 1;
        }
    snprintf(where, sizeof where, "%zu:%zu", line, r->at - start + 1);
    return fail_v(r->report, code, where, format, args);
}

bool read_fail(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_here(r, KILN_BAD_MODEL, format, args);
    va_end(args);
    return false;
}

static bool __attribute__((format(printf, 2, 3))) limit_here(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_here(r, KILN_LIMIT, format, args);
    va_end(args);
    return false;
}

bool read_descend(struct reader *r, int levels, int leaves)
{
    if (r->depth + levels + leaves > MESSAGE_DEPTH)
        return limit_here(r, "graphs, types and attributes are nested more than %d messages deep, which is the limit",
                          MESSAGE_DEPTH);
    r->depth += levels;
    return true;
}

void read_ascend(struct reader *r, int levels)
{
    r->depth -= levels;
}

/* -- characters -- */

/* Not those of ctype.h, which depend on the locale. */
static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int next(const struct reader *r)
{
    return r->at < r->size ? (unsigned char)r->text[r->at] : -1;
}

int peek_char(struct reader *r)
{
    for (;;) {
        while (is_space(next(r)))
            r->at++;
        if (next(r) != '#')
            return next(r);
        while (next(r) >= 0 && next(r) != '\n')
            r->at++;
    }
}

bool read_match(struct reader *r, char c)
{
    if (peek_char(r) != (unsigned char)c)
        return false;
    r->at++;
    return true;
}

bool read_expected(struct reader *r, const char *what)
{
    const int got = peek_char(r);

    if (got < 0)
        return read_fail(r, "the text ends, %s is needed", what);
    if (got == '.' && r->size - r->at >= 3 && !memcmp(r->text + r->at, "...", 3))
        return read_fail(r, "'...' stands for values that were left out when this was written");
    if (got < 0x20 || got > 0x7e)
        return read_fail(r, "the character 0x%02x is found, %s is needed", (unsigned)got, what);
    return read_fail(r, "'%c' is found, %s is needed", got, what);
}

bool read_expect(struct reader *r, char c, const char *where)
{
    char what[128];

    if (read_match(r, c))
        return true;
    snprintf(what, sizeof what, "'%c' %s", c, where);
    return read_expected(r, what);
}

/* -- names -- */

size_t peek_identifier(struct reader *r, const char **start)
{
    size_t n = 0;

    if (!is_letter(peek_char(r)))
        return 0;
    *start = r->text + r->at;
    while (r->at + n < r->size && (is_letter((unsigned char)(*start)[n]) || is_digit((unsigned char)(*start)[n])))
        n++;
    return n;
}

bool is_word(const char *start, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(start, word, length);
}

bool read_name(struct reader *r, char **s, const char *what)
{
    const char *start;
    size_t length;

    *s = NULL;
    if (peek_char(r) == '"')
        return read_quoted(r, s, &length, true);
    length = peek_identifier(r, &start);
    if (!length)
        return read_expected(r, what);
    r->at += length;
    return (*s = message_string(start, length, r->budget, r->report));
}

bool peek_quoted(struct reader *r, char after)
{
    struct reader ahead = *r;

    if (!read_match(&ahead, '"'))
        return false;
    while (next(&ahead) >= 0 && next(&ahead) != '"')
        ahead.at += next(&ahead) == '\\' ? 2 : 1;
    return read_match(&ahead, '"') && read_match(&ahead, after);
}

bool read_quoted(struct reader *r, char **s, size_t *length, bool utf8)
{
    size_t from, n = 0;

    *s = NULL;
    if (peek_char(r) != '"')
        return read_expected(r, "a text in quotes");
    from = ++r->at;
    while (next(r) >= 0 && next(r) != '"')
        r->at += next(r) == '\\' ? 2 : 1;
    if (next(r) < 0) {
        r->at = from - 1;
        return read_fail(r, "the text in quotes does not end");
    }
    *s = budget_alloc(r->budget, r->at - from + 1, r->report);
    if (!*s)
        return false;
    for (size_t k = from; k < r->at; k++) {
        if (r->text[k] == '\\') /* the next character, whatever it is */
            k++;
        (*s)[n++] = r->text[k];
    }
    (*s)[n] = 0;
    r->at++;
    *length = n;
    if (utf8 && !message_utf8(*s, n)) {
        budget_free(r->budget, *s);
        *s = NULL;
        return read_fail(r, "the text in quotes has a NUL or is not valid UTF-8");
    }
    return true;
}

/* -- numbers -- */

/* nan, inf and infinity, in any case. */
static bool is_special(const char *start, size_t length)
{
    static const char *const words[] = { "nan", "inf", "infinity" };

    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t k = 0;

        while (k < length && words[w][k] && (start[k] | 0x20) == words[w][k])
            k++;
        if (k == length && !words[w][k])
            return true;
    }
    return false;
}

bool peek_special(struct reader *r)
{
    const char *word;
    const size_t n = peek_identifier(r, &word);

    return n && is_special(word, n);
}

static size_t digits(struct reader *r)
{
    const size_t from = r->at;

    while (is_digit(next(r)))
        r->at++;
    return r->at - from;
}

bool read_number(struct reader *r, struct number *n)
{
    const char *word;
    size_t from, length;

    n->kind = NUMBER_NONE;
    peek_char(r);
    from = r->at;
    if (next(r) == '-')
        r->at++;
    if (is_letter(next(r)) && (length = peek_identifier(r, &word)) && is_special(word, length)) {
        r->at += length;
        n->kind = NUMBER_FLOAT;
    } else if (digits(r)) {
        n->kind = NUMBER_INT;
        if (next(r) == '.') {
            r->at++;
            digits(r);
            n->kind = NUMBER_FLOAT;
        }
        if ((next(r) | 0x20) == 'e') {
            r->at++;
            if (next(r) == '+' || next(r) == '-')
                r->at++;
            n->kind = NUMBER_FLOAT;
            if (!digits(r))
                return read_expected(r, "the exponent of a number");
        }
    }
    length = r->at - from;
    if (n->kind == NUMBER_NONE) {
        r->at = from;
        return read_expected(r, "a number");
    }
    if (length >= sizeof n->text) {
        r->at = from;
        return read_fail(r, "a number of %zu characters, at most %zu are read", length, sizeof n->text - 1);
    }
    memcpy(n->text, r->text + from, length);
    n->text[length] = 0;
    return true;
}

static bool no_int(struct reader *r, const struct number *n)
{
    return read_fail(
        r, n->kind == NUMBER_INT ? "'%s' is out of the range of its type" : "'%s' is found, an integer is needed",
        n->text);
}

bool number_int(struct reader *r, const struct number *n, int64_t *value)
{
    errno = 0;
    *value = strtoll(n->text, NULL, 10);
    return (n->kind == NUMBER_INT && !errno) || no_int(r, n);
}

bool number_uint(struct reader *r, const struct number *n, uint64_t *value)
{
    errno = 0;
    *value = strtoull(n->text, NULL, 10);
    return (n->kind == NUMBER_INT && !errno && *n->text != '-') || no_int(r, n);
}

/* Too small a number is rounded to zero, or to a subnormal one; too large a one is a mistake. The locale is C
 * (text_read_model). */
bool number_float(struct reader *r, const struct number *n, float *value)
{
    errno = 0;
    *value = strtof(n->text, NULL);
    return !(errno == ERANGE && isinf(*value)) || read_fail(r, "'%s' is out of the range of a float", n->text);
}

bool number_double(struct reader *r, const struct number *n, double *value)
{
    errno = 0;
    *value = strtod(n->text, NULL);
    return !(errno == ERANGE && isinf(*value)) || read_fail(r, "'%s' is out of the range of a double", n->text);
}

bool read_int(struct reader *r, int64_t *value)
{
    struct number n;

    return read_number(r, &n) && number_int(r, &n, value);
}

/* -- messages -- */

void *append_message(struct reader *r, void *array, size_t *n, size_t *room,
                     const ProtobufCMessageDescriptor *descriptor)
{
    void **messages, *message;

    if (!budget_grow(r->budget, array, room, *n + 1, sizeof(void *), r->report))
        return NULL;
    message = message_new(descriptor, r->budget, r->report);
    if (!message)
        return NULL;
    memcpy(&messages, array, sizeof messages); /* whatever type of message the caller has */
    messages[(*n)++] = message;
    return message;
}
