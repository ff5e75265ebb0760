#include "data/csv.h"
#include "model/file.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_FIELD = 255 };

struct csv {
    const char *name;
    const char *at, *end; /* the next line, and where the last one ends */
    int64_t line;         /* the number of the one before it */
    const struct budget *budget;
    locale_t c; /* strtod's */
};

struct field {
    const char *at, *end; /* without quotes and space around it */
};

static bool bad(const struct csv *c, struct report *r, const char *why)
{
    return fail(r, KILN_BAD_DATA, c->name, "line %lld: %s", (long long)c->line, why);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* -- lines and fields -- */

/* The next line, without its end, in [*at, *line_end). */
static bool next_line(struct csv *c, const char **at, const char **line_end)
{
    const char *newline;

    if (c->at >= c->end)
        return false;
    newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
    *at = c->at;
    *line_end = newline ? newline : c->end;
    c->at = newline ? newline + 1 : c->end;
    c->line++;
    if (*line_end > *at && (*line_end)[-1] == '\r')
        --*line_end;
    return true;
}

/* Takes a field off the front of [*at, end); *at is NULL after the last one. */
static bool next_field(const struct csv *c, const char **at, const char *end, struct field *f, struct report *r)
{
    const char *p = *at, *close;

    while (p < end && is_space(*p))
        p++;
    if (p < end && *p == '"') {
        f->at = ++p;
        close = memchr(p, '"', (size_t)(end - p));
        if (!close)
            return bad(c, r, "a quoted field does not end");
        f->end = close;
        for (p = close + 1; p < end && is_space(*p);)
            p++;
        if (p < end && *p != ',')
            return bad(c, r, "something follows a quoted field");
    } else {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        f->at = p;
        p = comma ? comma : end;
        for (f->end = p; f->end > f->at && is_space(f->end[-1]);)
            f->end--;
    }
    if (f->end - f->at > MAX_FIELD)
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: a field of %lld bytes, at most %d are read",
                    (long long)c->line, (long long)(f->end - f->at), MAX_FIELD);
    *at = p < end ? p + 1 : NULL;
    return true;
}

/* -- numbers -- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* [+-] digits [. digits] [e [+-] digits]: what everybody agrees on, so no hexadecimals, no "nan". */
static bool is_number(const struct field *f)
{
    const char *p = f->at, *digits;
    int64_t n;

    if (p < f->end && (*p == '+' || *p == '-'))
        p++;
    digits = p;
    p = skip_digits(p, f->end);
    n = p - digits;
    if (p < f->end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, f->end);
        n += p - digits;
    }
    if (n == 0)
        return false;
    if (p < f->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < f->end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, f->end);
        if (p == digits)
            return false;
    }
    return p == f->end;
}

/* The name of a column, as a person would take it: it has a letter, and is no way to write that there is no number. */
static bool is_name(const struct field *f)
{
    static const char *const missing[] = { "nan", "inf", "infinity", "na", "n/a", "#n/a", "null", "none", "nil" };
    const char *at = f->at + (f->at < f->end && (*f->at == '+' || *f->at == '-'));
    const size_t n = (size_t)(f->end - at);
    bool letter = false;

    if (is_number(f) || (n > 1 && strncasecmp(at, "0x", 2) == 0))
        return false;
    for (size_t k = 0; k < sizeof missing / sizeof *missing; k++)
        if (strlen(missing[k]) == n && strncasecmp(missing[k], at, n) == 0)
            return false;
    for (size_t k = 0; k < n; k++) /* those of other alphabets too */
        letter |= ((at[k] | 0x20) >= 'a' && (at[k] | 0x20) <= 'z') || (unsigned char)at[k] >= 0x80;
    return letter;
}

static bool read_number(const struct csv *c, const struct field *f, int64_t column, double *out, struct report *r)
{
    const size_t n = (size_t)(f->end - f->at);
    const long long line = (long long)c->line, number = (long long)column + 1;
    char text[MAX_FIELD + 1];

    memcpy(text, f->at, n);
    text[n] = 0;
    if (!n)
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld is empty, a number is needed", line, number);
    if (!is_number(f))
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: field %lld is '%s', a number is needed", line, number, text);
    *out = strtod_l(text, NULL, c->c);
    return isfinite((float)*out) || fail(r, KILN_BAD_DATA, c->name,
                                         "line %lld: field %lld is '%s', more than a float "
                                         "can hold",
                                         line, number, text);
}

/* -- the table -- */

/* How many fields the first line has; it is put back unless it is a header, which names at least one column. */
static bool read_header(struct csv *c, int64_t *columns, bool *header, struct report *r)
{
    const char *const before = c->at, *at, *end;
    struct field f;

    *columns = 0;
    *header = false;
    if (!next_line(c, &at, &end))
        return fail(r, KILN_BAD_DATA, c->name, "no data");
    while (at) {
        if (!next_field(c, &at, end, &f, r))
            return false;
        *header = *header || is_name(&f);
        ++*columns;
    }
    if (*columns < 2)
        return fail(r, KILN_BAD_DATA, c->name,
                    "1 column, at least 2 are needed: features, and what is to be predicted");
    if (!*header) {
        c->at = before;
        c->line = 0;
    }
    return true;
}

/* Counts the rows that follow, all of which must have `columns` fields, before memory is asked for. Takes a copy:
 * nothing moves on. */
static bool count_rows(struct csv c, int64_t columns, int64_t *rows, struct report *r)
{
    const char *at, *end;
    struct field f;

    for (*rows = 0; next_line(&c, &at, &end); ++*rows) {
        int64_t n = 0;

        if (!budget_in_time_at(c.budget, *rows, c.name, r))
            return false;
        for (; at; n++)
            if (!next_field(&c, &at, end, &f, r))
                return false;
        if (n != columns)
            return fail(r, KILN_BAD_DATA, c.name, "line %lld: %lld fields, the first line has %lld", (long long)c.line,
                        (long long)n, (long long)columns);
    }
    return *rows > 0 || fail(r, KILN_BAD_DATA, c.name, "a header, but no data");
}

static bool put_target(const struct csv *c, struct tensor *y, int64_t row, double value, struct report *r)
{
    if (y->dtype == F32) {
        ((float *)y->data)[row] = (float)value;
        return true;
    }
    if (value != floor(value) || fabs(value) > 0x1p53)
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: label %g, must be an integer", (long long)c->line, value);
    ((int64_t *)y->data)[row] = (int64_t)value;
    return true;
}

static bool read_rows(struct csv *c, struct tensor *x, struct tensor *y, struct report *r)
{
    const int64_t features = x->dims[1];
    const char *at, *end;
    struct field f;
    double value = 0;

    for (int64_t row = 0; next_line(c, &at, &end); row++) {
        if (!budget_in_time_at(c->budget, row, c->name, r))
            return false;
        for (int64_t column = 0; column <= features; column++) {
            if (!next_field(c, &at, end, &f, r) || !read_number(c, &f, column, &value, r))
                return false;
            if (column < features)
                ((float *)x->data)[row * features + column] = (float)value;
            else if (!put_target(c, y, row, value, r))
                return false;
        }
    }
    return true;
}

bool csv_parse(struct tensor *x, struct tensor *y, const char *name, const char *bytes, size_t size, bool values,
               bool *header, struct budget *b, struct report *r)
{
    struct csv c = { .name = name, .at = bytes, .end = bytes + size, .budget = b };
    int64_t columns, rows;
    bool ok;

    *x = *y = (struct tensor){ 0 };
    while (c.end > c.at && (is_space(c.end[-1]) || c.end[-1] == '\n' || c.end[-1] == '\r'))
        c.end--;
    if (c.end - c.at >= 3 && memcmp(c.at, "\xef\xbb\xbf", 3) == 0)
        c.at += 3; /* UTF-8's mark, as spreadsheets write it */
    if (!read_header(&c, &columns, header, r) || !count_rows(c, columns, &rows, r))
        return false;
    if (!tensor_shape(x, F32, 2, (const int64_t[]){ rows, columns - 1 }) ||
        !tensor_shape(y, values ? F32 : I64, 1, &rows))
        return fail(r, KILN_LIMIT, name, "%lld rows of %lld columns are too many", (long long)rows, (long long)columns);
    c.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c.c)
        return fail_no_memory(r, sizeof c);
    x->data = budget_alloc(b, (size_t)tensor_bytes(x), r);
    y->data = budget_alloc(b, (size_t)tensor_bytes(y), r);
    ok = x->data && y->data && read_rows(&c, x, y, r);
    freelocale(c.c);
    if (!ok) {
        budget_free(b, x->data);
        budget_free(b, y->data);
        *x = *y = (struct tensor){ 0 };
    }
    return ok;
}

bool csv_load(struct tensor *x, struct tensor *y, const char *path, bool values, bool *header, struct budget *b,
              struct report *r)
{
    uint8_t *bytes = NULL;
    size_t size;
    bool ok;

    *x = *y = (struct tensor){ 0 };
    *header = false;
    if (!file_read(path, 0, &bytes, &size, b, r))
        return false;
    ok = csv_parse(x, y, path, (const char *)bytes, size, values, header, b, r);
    budget_free(b, bytes);
    return ok;
}
