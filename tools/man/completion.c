/* Completions: the tables that the scripts of the shells look at. */
#include "man.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What an argument is called in --help whose values are rows of a table. */
static const struct named_table {
    const char *kind;
    kiln_table table;
} tables[] = {
    { "SPEC", KILN_FORMATS },         { "LOSS", KILN_LOSSES },        { "METRIC", KILN_METRICS },
    { "OPTIMIZER", KILN_OPTIMIZERS }, { "SCHEDULE", KILN_SCHEDULES }, { "REGULARIZER", KILN_REGULARIZERS },
};

/* -- tables: functions that both shells read -- */

/* How long the name at `s` is: "idx:IMAGES,LABELS" is "idx", "adam=..." is "adam". */
static size_t name_length(const char *s)
{
    return strcspn(s, " ,:[=(");
}

/* "adam, adamw or sgd": has the list the name? */
static bool lists(const struct page *list, const char *name)
{
    const size_t n = name_length(name);

    for (const char *s = list->text; *s; s += strcspn(s, " "), s += *s == ' ')
        if (name_length(s) == n && memcmp(s, name, n) == 0)
            return true;
    return false;
}

/* All names of a row, "NAME, ALIAS - ...", each with the key where there is one. */
static void put_names(FILE *to, const char *row, const char *key)
{
    for (const char *s = row;; s += 2) {
        const size_t n = name_length(s);

        fprintf(to, " %.*s", (int)n, s);
        if (key)
            fprintf(to, ":%.*s", (int)name_length(key), key);
        else if (s[n] == ':' || s[n] == '[') /* more belongs to it */
            fputs(":", to);
        s += n;
        if (s[0] != ',' || s[1] != ' ')
            return;
    }
}

/* Of the lines of a table's help: "  NAME, ALIAS - ...", and below it "    KEY=... (...): ...". A row that is none of
 * the table's has keys of all of them. */
static void put_rows(FILE *to, const struct page *list, const struct page *help, bool keys)
{
    const char *row = NULL;

    for (const char *s = help->text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        const size_t indent = strspn(s, " ");
        const char *word = s + indent;

        if (indent == 2) {
            row = lists(list, word) ? word : "*";
            if (!keys && *row != '*')
                put_names(to, row, NULL);
        } else if (keys && row && indent == 4 && strchr("=( ", word[name_length(word)])) {
            put_names(to, row, word);
        }
    }
}

static void put_table(FILE *to, const char *kind, kiln_table table)
{
    struct page list = { 0 }, help = { 0 };

    if (kiln_table_write(table, false, page_write, &list, NULL) != KILN_OK || list.failed ||
        kiln_table_write(table, true, page_write, &help, NULL) != KILN_OK || help.failed)
        exit(-KILN_NO_MEMORY);
    fprintf(to, "    %s)\n        names='", kind);
    put_rows(to, &list, &help, false);
    fputs("'\n        keys='", to);
    put_rows(to, &list, &help, true);
    fputs("'\n        ;;\n", to);
    page_free(&list);
    page_free(&help);
}

/* _kiln_table KIND: what there is, in $names, and the keys of each, in $keys. */
static void put_tables(FILE *to)
{
    const char *name;

    fputs("_kiln_table() { # KIND\n    names='' keys=''\n    case $1 in\n", to);
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++)
        put_table(to, tables[k].kind, tables[k].table);
    put_table(to, "AUGMENTATION", KILN_AUGMENTATION);
    fputs("    KIND)\n        names='", to);
    for (size_t k = 0; (name = kiln_normalization_name(k)); k++)
        fprintf(to, " %s", name);
    fputs("'\n        ;;\n    esac\n}\n", to);
}

/* -- bash -- */

static void put_bash_options(FILE *to, const struct rows *rows)
{
    fputs("        options='", to);
    for (size_t k = 0; k < rows->count; k++) {
        const struct row *r = &rows->of[k];

        if (r->name)
            fprintf(to, "%s--%s%s", k ? " " : "", r->name, r->takes ? "=" : "");
        if (r->letter && r->letter != '?')
            fprintf(to, " -%c", r->letter);
    }
    fputs("'\n        kinds='", to);
    for (size_t k = 0; k < rows->count; k++) {
        const struct row *r = &rows->of[k];

        if (r->takes && r->name)
            fprintf(to, " --%s=%s", r->name, r->takes);
        if (r->takes && r->letter)
            fprintf(to, " -%c=%s", r->letter, r->takes);
    }
    fputs("'\n", to);
}

static void put_bash(FILE *to)
{
    put_tables(to);
    fputs("\n_kiln_verb() { # VERB\n    case $1 in\n    '') options='", to);
    for (const struct verb *const *verb = verbs; *verb; verb++)
        fprintf(to, "%s ", (*verb)->name);
    fputs("--help --version' ;;\n", to);
    for (const struct verb *const *verb = verbs; *verb; verb++) {
        struct rows rows = rows_of((*verb)->argp);

        fprintf(to, "    %s)\n", (*verb)->name);
        put_bash_options(to, &rows);
        fprintf(to, "        argument='%s'\n        ;;\n", (*verb)->argp->args_doc);
        rows_free(&rows);
    }
    fputs("    *) return 1 ;;\n    esac\n}\n", to);
}

/* -- zsh -- */

/* In quotes, for _arguments or _describe: what is told of an option, up to a semicolon. */
static void put_told(FILE *to, const char *text)
{
    int brackets = 0;

    for (const char *s = text; *s && (*s != ';' || brackets); s++) {
        brackets += (*s == '(') - (*s == ')');
        if (strchr("[]:\\", *s))
            putc('\\', to);
        fputs(*s == '\'' ? "'\\''" : *s == '\n' ? " " : (char[]){ *s, 0 }, to);
    }
}

static void put_zsh_option(FILE *to, const struct row *r)
{
    const bool again = strstr(r->text, "repeated") != NULL;
    const bool has_letter = r->letter && r->letter != '?'; /* that would be a pattern of names */

    fputs("            ", to);
    if (again)
        fputs("'*'", to);
    else if (has_letter)
        fprintf(to, "'(-%c --%s)'", r->letter, r->name);
    if (has_letter)
        fprintf(to, "{-%c%s,--%s%s}", r->letter, r->takes ? "+" : "", r->name, r->takes ? "=" : "");
    else
        fprintf(to, "--%s%s", r->name, r->takes ? "=" : "");
    fputs("'[", to);
    put_told(to, r->text);
    putc(']', to);
    if (r->takes) {
        putc(':', to);
        put_told(to, r->takes);
        fputs(": _kiln_value \"", to);
        put_told(to, r->takes);
        putc('"', to);
    }
    fputs("'\n", to);
}

static void put_zsh(FILE *to)
{
    put_tables(to);
    fputs("\n_kiln_verb() { # VERB\n    case $1 in\n    '')\n        verbs=(\n", to);
    for (const struct verb *const *verb = verbs; *verb; verb++) {
        fprintf(to, "            '%s:", (*verb)->name);
        put_told(to, (*verb)->summary);
        fputs("'\n", to);
    }
    fputs("        )\n        options=('--help[list the verbs]' '--version[tell the version]')\n        ;;\n", to);
    for (const struct verb *const *verb = verbs; *verb; verb++) {
        const char *takes = (*verb)->argp->args_doc;
        struct rows rows = rows_of((*verb)->argp);

        fprintf(to, "    %s)\n        options=(\n", (*verb)->name);
        for (size_t k = 0; k < rows.count; k++)
            put_zsh_option(to, &rows.of[k]);
        if (*takes) {
            fprintf(to, "            '%s:", strstr(takes, "...") ? "*" : "1");
            put_told(to, takes);
            fputs(": _kiln_value \"", to);
            put_told(to, takes);
            fputs("\"'\n", to);
        }
        fputs("        )\n        ;;\n", to);
        rows_free(&rows);
    }
    fputs("    *) return 1 ;;\n    esac\n}\n", to);
}

/* -- both -- */

static bool write_with(FILE *to, const char *script, void (*put)(FILE *to))
{
    FILE *from = fopen(script, "r");
    char line[1024];
    bool found = false;

    if (!from)
        return false;
    while (fgets(line, sizeof line, from))
        if (strcmp(line, "# TABLES\n") == 0) {
            put(to);
            found = true;
        } else {
            fputs(line, to);
        }
    fclose(from);
    errno = 0;
    return found;
}

bool write_bash(FILE *to, const char *script)
{
    return write_with(to, script, put_bash);
}

bool write_zsh(FILE *to, const char *script)
{
    return write_with(to, script, put_zsh);
}
