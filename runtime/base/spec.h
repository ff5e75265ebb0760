/* Rows of tables that are asked for by name, most of them with options: "NAME" or "NAME:key=value,key=value".
 * Optimisers, schedules, losses, metrics, regularisers, initialisers and data formats are such rows. What is taken, what
 * errors name and what help tells is made from them alone. */
#ifndef KILN_BASE_SPEC_H
#define KILN_BASE_SPEC_H

#include "base/text.h"
#include <stddef.h>

enum spec_kind {
    SPEC_NUMBER, /* low <= value <= high */
    SPEC_BELOW,  /* low <= value < high */
    SPEC_FLAG,   /* 0 or 1, kept as a bool; all others but lists, texts and ranges are kept as a double */
    SPEC_VALUE,  /* a row's only option, which must be given and has no key: "constant:0.1" */
    SPEC_WHOLE,  /* low <= value <= high, without a fraction */
    SPEC_WORD,   /* one of `words`, kept as its place among them */
    SPEC_LIST,   /* numbers with '/' between them, each in its bounds, kept as a struct spec_list */
    SPEC_TEXT,   /* a row's only option, what follows the colon, kept as a pointer into that: "graph:FILE" */
    SPEC_RANGE,  /* "low/high", each in the bounds, or D for 1-D/1+D, kept as a struct spec_range */
    SPEC_ALIAS   /* no option: its key is another name of the row */
};

/* Where nothing is said of an option: */
enum spec_absence {
    SPEC_FALLBACK, /* it is what `fallback` is */
    SPEC_NEEDED,   /* that is an error. A list is always needed */
    SPEC_UNSAID    /* it is NaN */
};

enum { SPEC_MOST_NUMBERS = 64 };
struct spec_list {
    size_t count;
    double at[SPEC_MOST_NUMBERS];
};

struct spec_range {
    double low, high;
};

struct spec_option {
    const char *key, *help;
    enum spec_kind kind;
    double low, high;
    double fallback; /* what it is where it is not given */
    size_t offset;   /* into the settings, the struct that is filled */
    enum spec_absence absent;
    const char *const *words; /* of SPEC_WORD; ended by NULL */
    bool bare;                /* a row's first option, whose key may be left out */
};

/* The key of an option, which is the name of a field of the settings; help and kind may follow:
 * { SPEC_FIELD(struct settings, nesterov), "look ahead by the momentum", SPEC_FLAG } */
#define SPEC_FIELD(type, field) .offset = offsetof(type, field), .key = #field

/* An entry among the options: the row is found by this name, too. */
#define SPEC_ALIAS_OF(text)                                                                                            \
    {                                                                                                                  \
        .key = text, .help = "another name", .kind = SPEC_ALIAS                                                        \
    }

/* The head of what stands in a table. */
struct spec_row {
    const char *name;
    const char *help;                  /* one line */
    const struct spec_option *options; /* ended by one without a key; NULL: there are none */
};

/* Row k of a table; NULL behind the last one. */
typedef const struct spec_row *spec_table(size_t k);

/* For messages: what the rows are ("optimizer"), what it is asked for (NULL: nothing more to tell), and the status of a
 * mistake. */
struct spec_subject {
    const char *kind, *where;
    kiln_status code;
};

/* The length of the name in `spec`. */
size_t spec_name_length(const char *spec);
/* Is it what `spec` names, by its own name or another? */
bool spec_is(const struct spec_row *row, const char *spec);
/* The row that `spec` names; NULL with an error that lists all. */
const struct spec_row *spec_find(spec_table *table, const char *spec, const struct spec_subject *about,
                                 struct report *r);
/* Fills the settings: by what follows the name in `spec`, the others by what they are where nothing is said. Numbers
 * are read with a point whatever the locale, and keep within their bounds as floats, which is what becomes of them. */
bool spec_read(void *settings, const struct spec_row *row, const char *spec, const struct spec_subject *about,
               struct report *r);
/* The same where rows have options in common beside their own, which fill a struct of their own. A row's own option goes
 * before a common one of its name. */
struct spec_common {
    const struct spec_option *options;
    void *settings;
};
bool spec_read_with(void *settings, const struct spec_row *row, const struct spec_common *common, const char *spec,
                    const struct spec_subject *about, struct report *r);
/* The same of a table's only row, which nobody names: "key=value,key=value". */
bool spec_read_keys(void *settings, const struct spec_row *row, const char *keys, const struct spec_subject *about,
                    struct report *r);
/* Writes settings as they are read: what stands behind the colon, of keys those that are not what they are where nothing
 * is said. Equal settings give equal text, whatever the locale. The option `but`, which may be NULL, is left out. */
void spec_say(struct text *out, const struct spec_row *row, const void *settings, const char *but);
/* The option of that name, for what is common to several rows; NULL where the row has none, and its value 0. */
const struct spec_option *spec_option_of(const struct spec_row *row, const char *key);
double spec_value(const struct spec_row *row, const void *settings, const char *key);

/* "a, b or c" */
void spec_names(struct text *out, spec_table *table);
/* The same of a row's options. */
void spec_keys(struct text *out, const struct spec_row *row);
/* For people: each row in a line, its options in lines of their own below it. Below all of them, those that they have
 * in common, which may be NULL. */
void spec_help(struct text *out, spec_table *table, const struct spec_option *common);
/* The same of names made elsewhere: puts what stands before name k of `count` in such a list. */
void spec_comma(struct text *out, size_t k, size_t count);

/* Is `value` finite as a float, and 0 only where it was? */
bool fits_float(double value);
/* A number with a point, whatever the locale: how many bytes it takes, 0 where there is none. */
size_t decimal_read(const char *s, double *out);
/* The other way: as short as it can be to be read as the same number, with a point whatever the locale. */
void decimal_say(struct text *out, double value);

#endif
