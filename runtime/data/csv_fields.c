#include "data/csv_fields.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_space(const struct csv *c, char at)
{
    return (at == ' ' || at == '\t') && at != c->comma;
}

/* -- the text -- */

enum { BLOCK = 1 << 16 };

void csv_text_of_bytes(struct csv_text *t, const char *bytes, size_t size)
{
    *t = (struct csv_text){ .bytes = bytes, .length = (int64_t)size };
}

void csv_text_of_file(struct csv_text *t, struct file_source *file, struct budget *b)
{
    *t = (struct csv_text){ .file = file, .budget = b };
}

void csv_text_release(struct csv_text *t)
{
    if (t->file)
        budget_free(t->budget, t->block);
    *t = (struct csv_text){ 0 };
}

bool csv_text_sound(const struct csv_text *t, struct report *r)
{
    return !failed(&t->report) || fail(r, t->report.error.code, t->report.error.where, "%s", t->report.error.message);
}

/* Has from there on at least `need` bytes, or all that there are. */
static bool hold(struct csv_text *t, int64_t from, int64_t need)
{
    const int64_t size = t->file ? t->file->size : t->length;

    need = need < size - from ? need : size - from;
    if (from >= t->at && from + need <= t->at + t->length)
        return true;
    if (!t->file || failed(&t->report) || from < 0)
        return false;
    if (!budget_grow(t->budget, &t->block, &t->room, need > BLOCK ? (size_t)need : BLOCK, 1, &t->report))
        return false;
    t->bytes = t->block;
    t->at = from;
    t->length = (int64_t)t->room < size - from ? (int64_t)t->room : size - from;
    if (file_source_read_at(t->file, from, t->block, t->length, &t->report))
        return true;
    t->length = 0;
    return false;
}

/* -- lines and fields -- */

/* The next line and how long it is, with *ended whether a newline ends it; NULL where there is none. */
static const char *line_at(const struct csv *c, int64_t *length, bool *ended)
{
    struct csv_text *t = c->text;

    for (int64_t need = 1; c->at < c->end; need = t->at + t->length - c->at + BLOCK) {
        const char *p, *newline;
        int64_t n;

        if (!hold(t, c->at, need))
            return NULL;
        p = t->bytes + (c->at - t->at);
        n = t->at + t->length < c->end ? t->at + t->length - c->at : c->end - c->at;
        newline = memchr(p, '\n', (size_t)n);
        *ended = newline;
        *length = newline ? newline - p : n;
        if (newline || c->at + n == c->end)
            return p;
    }
    return NULL;
}

/* How often it is in the first line, outside quotes. */
static int64_t count_in_line(const struct csv *c, char separator)
{
    bool quoted = false, ended;
    int64_t n = 0, length = 0;
    const char *line = line_at(c, &length, &ended);

    for (int64_t k = 0; line && k < length; k++) {
        quoted ^= line[k] == '"';
        n += line[k] == separator && !quoted;
    }
    return n;
}

static bool is_tsv(const char *name)
{
    const size_t n = strlen(name);

    return n > 4 && strcasecmp(name + n - 4, ".tsv") == 0;
}

static bool is_blank(char at)
{
    return at == ' ' || at == '\t' || at == '\r' || at == '\n';
}

/* Where what is blank at the end begins. */
static int64_t cut_blank(struct csv_text *t, int64_t end)
{
    while (end > 0) {
        const int64_t from = end > BLOCK ? end - BLOCK : 0;

        if (!hold(t, from, end - from))
            return end;
        for (; end > from; end--)
            if (!is_blank(t->bytes[end - 1 - t->at]))
                return end;
    }
    return end;
}

void csv_start(struct csv *c, const char *name, struct csv_text *t, int64_t size, const struct budget *b)
{
    static const char separators[] = ",\t;";
    int64_t most;

    *c = (struct csv){ .name = name, .text = t, .end = cut_blank(t, size), .comma = ',', .budget = b };
    if (c->end >= 3 && hold(t, 0, 3) && memcmp(t->bytes, "\xef\xbb\xbf", 3) == 0)
        c->at = 3; /* UTF-8's mark, as spreadsheets write it */
    most = count_in_line(c, ',');
    for (const char *s = separators; *s; s++) {
        const int64_t count = count_in_line(c, *s);

        if (count > most || (count && *s == '\t' && is_tsv(name))) {
            c->comma = *s;
            most = *s == '\t' && is_tsv(name) ? INT64_MAX : count;
        }
    }
}

bool csv_next_line(struct csv *c, const char **at, const char **line_end)
{
    int64_t length = 0;
    bool ended = false;

    *at = line_at(c, &length, &ended);
    if (!*at)
        return false;
    *line_end = *at + length;
    c->at += length + ended;
    c->line++;
    if (*line_end > *at && (*line_end)[-1] == '\r')
        --*line_end;
    return true;
}

void csv_hold_two(const struct csv *c)
{
    struct csv ahead = *c;
    const char *at, *end;

    if (csv_next_line(&ahead, &at, &end) && csv_next_line(&ahead, &at, &end))
        hold(c->text, c->at, ahead.at - c->at);
}

static bool bad(const struct csv *c, struct report *r, const char *why)
{
    return fail(r, KILN_BAD_DATA, c->name, "line %lld: %s", (long long)c->line, why);
}

/* The quote that ends the field that begins at `p`; NULL where there is none. */
static const char *closing_quote(const char *p, const char *end)
{
    for (; (p = memchr(p, '"', (size_t)(end - p))); p += 2)
        if (p + 1 == end || p[1] != '"')
            return p;
    return NULL;
}

bool csv_next_field(const struct csv *c, const char **at, const char *end, struct field *f, struct report *r)
{
    const char *p = *at;

    while (p < end && is_space(c, *p))
        p++;
    f->quoted = p < end && *p == '"';
    if (f->quoted) {
        f->at = ++p;
        f->end = closing_quote(p, end);
        if (!f->end)
            return bad(c, r, "a quoted field does not end in its line");
        for (p = f->end + 1; p < end && is_space(c, *p);)
            p++;
        if (p < end && *p != c->comma)
            return bad(c, r, "something follows a quoted field");
    } else {
        const char *comma = memchr(p, c->comma, (size_t)(end - p));

        f->at = p;
        p = comma ? comma : end;
        for (f->end = p; f->end > f->at && is_space(c, f->end[-1]);)
            f->end--;
    }
    if (f->end - f->at > MAX_FIELD)
        return fail(r, KILN_BAD_DATA, c->name, "line %lld: a field of %lld bytes, at most %d are read",
                    (long long)c->line, (long long)(f->end - f->at), MAX_FIELD);
    *at = p < end ? p + 1 : NULL;
    return true;
}

/* -- what a field is -- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

bool field_is_number(const struct field *f)
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

bool field_is_missing(const struct field *f)
{
    static const char *const missing[] = {
        "", "nan", "inf", "infinity", "na", "n/a", "#n/a", "null", "none", "nil", "?"
    };
    const char *at = f->at + (f->at < f->end && (*f->at == '+' || *f->at == '-'));
    const size_t n = (size_t)(f->end - at);

    for (size_t k = 0; k < sizeof missing / sizeof *missing; k++)
        if (strlen(missing[k]) == n && strncasecmp(missing[k], at, n) == 0)
            return true;
    return false;
}

bool field_is_class(const struct field *f)
{
    static const char *const words[] = { "+", "-", "none", "nan", "inf", "infinity" };
    const size_t n = (size_t)(f->end - f->at);

    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (strlen(words[k]) == n && strncasecmp(words[k], f->at, n) == 0)
            return true;
    return !field_is_missing(f);
}

bool field_is_name(const struct field *f)
{
    const char *at = f->at + (f->at < f->end && (*f->at == '+' || *f->at == '-'));
    const size_t n = (size_t)(f->end - at);
    bool letter = false;

    if (field_is_number(f) || field_is_missing(f) || (n > 1 && strncasecmp(at, "0x", 2) == 0))
        return false;
    for (size_t k = 0; k < n; k++) /* those of other alphabets too */
        letter |= ((at[k] | 0x20) >= 'a' && (at[k] | 0x20) <= 'z') || (unsigned char)at[k] >= 0x80;
    return letter;
}

size_t field_text(const struct field *f, char text[MAX_FIELD + 1])
{
    size_t n = 0;

    for (const char *p = f->at; p < f->end; p++) {
        text[n++] = *p;
        if (f->quoted && *p == '"')
            p++; /* of two quotes one */
    }
    text[n] = 0;
    return n;
}

bool field_number(const struct csv *c, const struct field *f, double *out)
{
    char text[MAX_FIELD + 1];

    field_text(f, text);
    *out = strtod_l(text, NULL, c->c);
    return isfinite((float)*out);
}
