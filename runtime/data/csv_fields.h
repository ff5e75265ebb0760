/* Lines and fields of a table as text (RFC 4180): what csv.c makes columns of. */
#ifndef KILN_DATA_CSV_FIELDS_H
#define KILN_DATA_CSV_FIELDS_H

#include "data/source.h"
#include <locale.h>

enum { MAX_FIELD = 255 };

/* Text of which a part is in memory: of a file what was read of it last. */
struct csv_text {
    const char *bytes;
    int64_t at, length;       /* which part that is */
    struct file_source *file; /* NULL: all of it is there */
    struct budget *budget;
    char *block; /* of the file: the bytes, [room] */
    size_t room;
    struct report report; /* why it could not be read: there are no more lines then */
};

/* A place in it. Of what lines and fields are, a copy may look ahead; what it was given before is gone then. */
struct csv {
    const char *name;
    struct csv_text *text;
    int64_t at, end; /* where the next line begins, and the last one ends */
    int64_t line;    /* the number of the one before it */
    char comma;      /* what fields are parted by */
    const struct budget *budget;
    locale_t c; /* strtod's */
};

struct field {
    const char *at, *end; /* without quotes and space around it */
    bool quoted;          /* two quotes in it stand for one */
};

void csv_text_of_bytes(struct csv_text *t, const char *bytes, size_t size);
void csv_text_of_file(struct csv_text *t, struct file_source *file, struct budget *b);
void csv_text_release(struct csv_text *t);
/* False with the error that has ended it. */
bool csv_text_sound(const struct csv_text *t, struct report *r);

/* Begins with the first line of `size` bytes, without what is blank at their end. Fields are parted by what is most
 * often in the first line: a comma, a tab or a semicolon; by a tab where the name ends in .tsv and there is one. */
void csv_start(struct csv *c, const char *name, struct csv_text *t, int64_t size, const struct budget *b);
/* The next two lines stay where they are while they are asked for. */
void csv_hold_two(const struct csv *c);
/* The next line, without its end, in [*at, *line_end), which the next call may overwrite. */
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
