/* Lines and fields of a table as text (RFC 4180): what csv.c makes columns of. */
#ifndef KILN_DATA_CSV_FIELDS_H
#define KILN_DATA_CSV_FIELDS_H

#include "base/memory.h"
#include <locale.h>

enum { MAX_FIELD = 255 };

struct csv {
    const char *name;
    const char *at, *end; /* the next line, and where the last one ends */
    int64_t line;         /* the number of the one before it */
    char comma;           /* what fields are parted by */
    const struct budget *budget;
    locale_t c; /* strtod's */
};

struct field {
    const char *at, *end; /* without quotes and space around it */
    bool quoted;          /* two quotes in it stand for one */
};

/* Begins with the first line, of `size` bytes without what is blank at their end. Fields are parted by what is most
 * often in the first line: a comma, a tab or a semicolon; by a tab where the name ends in .tsv and there is one. */
void csv_start(struct csv *c, const char *name, const char *bytes, size_t size, const struct budget *b);
/* The next line, without its end, in [*at, *line_end). */
bool csv_next_line(struct csv *c, const char **at, const char **line_end);
/* Takes a field off the front of [*at, end); *at is NULL after the last one. */
bool csv_next_field(const struct csv *c, const char **at, const char *end, struct field *f, struct report *r);
/* [+-] digits [. digits] [e [+-] digits]: what everybody agrees on, so no hexadecimals, no "nan". */
bool field_is_number(const struct field *f);
/* Does it say that there is nothing: "", "nan", "NA", "null", "?" ...? */
bool field_is_missing(const struct field *f);
/* May it be the name of a class, among others that are? More so than field_is_missing has it: "None", "NaN", "+", "-". */
bool field_is_class(const struct field *f);
/* The name of a column, as a person would take it: it has a letter, and is no way to write that there is no number. */
bool field_is_name(const struct field *f);
/* As text, ended by NUL; its length. */
size_t field_text(const struct field *f, char text[MAX_FIELD + 1]);
/* One that is a number, as a double; false where a float cannot hold it. */
bool field_number(const struct csv *c, const struct field *f, double *out);

#endif
