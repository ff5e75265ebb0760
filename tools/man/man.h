/* What is made of the verbs' tables when Kiln is built: manual pages, and completions for shells. */
#ifndef KILN_TOOLS_MAN_H
#define KILN_TOOLS_MAN_H

#include "tools.h"

/* -- tables.c -- */

/* An option of a verb as its --help has it, those of its argp's children among them. */
struct row {
    const char *heading; /* that stands above it; NULL: none */
    const char *name;    /* the long one; NULL: there is none */
    char letter;         /* 0: there is none */
    const char *takes;   /* the name of its argument; NULL: it has none */
    char *text;          /* with the names of tables in their places */
};

struct rows {
    struct row *of;
    size_t count;
};

/* In the order of their groups. They end the program where there is no memory for them. */
struct rows rows_of(const struct argp *argp);
void rows_free(struct rows *rows);
/* A text of an argp with the names of tables in their places; the caller's. */
char *filled(const struct argp *argp, int key, const char *text);
/* What --help tells before (0) and behind (1) the options; the caller's, NULL: nothing. */
char *description(const struct argp *argp, int behind);

/* -- roff.c -- */

/* kiln-VERB(1), or kiln(1) where that is NULL. */
void write_page(struct page *to, const struct verb *verb, const char *version, const char *date);

/* -- completion.c -- */

/* The script of a shell, which has a line "# TABLES" in the place of the verbs' tables. */
bool write_bash(FILE *to, const char *script);
bool write_zsh(FILE *to, const char *script);

#endif
