/* Manual pages, in the macros of man(7). */
#include "man.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 76 };

/* -- text -- */

static void put(struct page *to, const char *roff)
{
    page_add(to, roff, strlen(roff));
}

/* A hyphen between letters may be one, and a line end behind it; any other is what one types: a minus. */
static void put_character(struct page *to, const char *s, const char *start, bool literal)
{
    switch (*s) {
    case '\\':
        put(to, "\\e");
        break;
    case '\'':
        put(to, "\\(aq");
        break;
    case '^':
        put(to, "\\(ha");
        break;
    case '~':
        put(to, "\\(ti");
        break;
    case '-':
        put(to, !literal && s > start && isalpha((unsigned char)s[-1]) && isalpha((unsigned char)s[1]) ? "-" : "\\-");
        break;
    case '.':
        put(to, s == start ? "\\&." : ".");
        break;
    default:
        page_printf(to, "%c", *s);
    }
}

/* As it is. */
static void put_literal(struct page *to, const char *s, size_t length)
{
    for (size_t k = 0; k < length; k++)
        put_character(to, s + k, s, true);
}

/* Words, broken into lines; what stands in backquotes is bold. */
static void put_text(struct page *to, const char *s, size_t length)
{
    const char *end = s + length;
    bool bold = false;
    size_t line = to->length; /* where it begins */

    while (s < end) {
        const size_t word = strcspn(s, " \n"), before = to->length;
        const size_t n = word < (size_t)(end - s) ? word : (size_t)(end - s);
        const bool option = strspn(s, "(['-,") >= 2 && memchr(s, '-', n);

        if (n && before > line)
            put(to, " ");
        for (size_t k = 0; k < n; k++)
            if (s[k] == '`') {
                bold = !bold;
                put(to, bold ? "\\fB" : "\\fR");
            } else {
                put_character(to, s + k, s, bold || option);
            }
        if (n && before > line && to->length - line > WIDTH && !to->failed) {
            to->text[before] = '\n';
            line = before + 1;
        }
        s += n + (s + n < end);
    }
    put(to, "\n");
}

static void put_section(struct page *to, const char *name)
{
    page_printf(to, ".SH %s\n", name);
}

/* "Data:" becomes "Data"; what it says in brackets stands below it. */
static void put_heading(struct page *to, const char *heading, size_t length)
{
    const char *bracket = memchr(heading, '(', length);
    size_t brief = bracket ? (size_t)(bracket - heading) : length;

    while (brief && strchr(" :", heading[brief - 1]))
        brief--;
    put(to, ".SS \"");
    put_literal(to, heading, brief);
    put(to, "\"\n");
    if (bracket)
        put_text(to, bracket, length - (size_t)(bracket - heading) - (heading[length - 1] == ':'));
}

/* -- parts of a page -- */

static void put_options(struct page *to, const struct argp *argp)
{
    struct rows rows = rows_of(argp);
    const char *heading = NULL;

    for (size_t k = 0; k < rows.count; k++) {
        const struct row *r = &rows.of[k];

        if (r->heading && r->heading != heading) {
            heading = r->heading;
            put_heading(to, heading, strlen(heading));
        }
        put(to, ".TP\n");
        if (r->letter)
            page_printf(to, "\\fB\\-%c\\fR%s", r->letter, r->name ? ", " : "");
        if (r->name) {
            put(to, "\\fB\\-\\-");
            put_literal(to, r->name, strlen(r->name));
            put(to, "\\fR");
        }
        if (r->takes) {
            put(to, "=\\fI");
            put_literal(to, r->takes, strlen(r->takes));
            put(to, "\\fR");
        }
        page_printf(to, "%c", '\n');
        put_text(to, r->text, strlen(r->text));
    }
    rows_free(&rows);
}

/* Rows of tables: "  NAME - what it is", and "    KEY=VALUE (...): what it is" for those below it. */
static void put_notes(struct page *to, const char *text)
{
    bool below = false;

    put_section(to, "NOTES");
    for (const char *s = text; *s;) {
        const size_t n = strcspn(s, "\n"), indent = strspn(s, " ");
        const char *mark = indent == 2 ? " - " : ": ", *cut = indent < n ? strstr(s + indent, mark) : NULL;

        if (below != (indent >= 4)) {
            below = !below;
            put(to, below ? ".RS\n" : ".RE\n");
        }
        if (n && !indent && s[n - 1] == ':') {
            put_heading(to, s, n);
        } else if (n && !indent) {
            put_text(to, s, n);
        } else if (n && cut && cut < s + n) {
            put(to, ".TP\n\\fB");
            put_literal(to, s + indent, (size_t)(cut - s) - indent);
            put(to, "\\fR\n");
            put_text(to, cut + strlen(mark), (size_t)(s + n - cut) - strlen(mark));
        } else if (n) {
            put(to, ".TP\n\\fB");
            put_literal(to, s + indent, n - indent);
            put(to, "\\fR\n");
        }
        s += n + (s[n] == '\n');
    }
    if (below)
        put(to, ".RE\n");
}

static void put_examples(struct page *to, const char *text)
{
    bool code = false;

    put_section(to, "EXAMPLES");
    for (const char *s = text; *s;) {
        const size_t n = strcspn(s, "\n");

        if (code != (*s == ' ')) {
            code = !code;
            put(to, code ? ".PP\n.RS 4\n.EX\n" : ".EE\n.RE\n.PP\n");
        }
        if (code) {
            put_literal(to, s + 4, n - 4);
            page_printf(to, "%c", '\n');
        } else {
            put_text(to, s, n);
        }
        s += n + (s[n] == '\n');
    }
    if (code)
        put(to, ".EE\n.RE\n");
}

static void put_statuses(struct page *to)
{
    put_section(to, "EXIT STATUS");
#define ROW(name, number, text) page_printf(to, ".TP\n\\fB%d\\fR\n%s\n", -(number), text);
    KILN_STATUSES(ROW)
#undef ROW
    page_printf(to, ".TP\n\\fB%d\\fR\nthe command line is wrong\n", (int)EXIT_USAGE);
}

static void put_environment(struct page *to)
{
    put_section(to, "ENVIRONMENT");
    put(to, ".TP\n\\fBKILN_ISA\\fR\nthe best instruction set that may be used, for tests: base, avx2 or avx512\n");
    put(to, ".TP\n\\fBCOLUMNS\\fR\nhow wide the line is that tells of progress on a terminal\n");
}

static void put_see_also(struct page *to, const struct verb *but)
{
    put_section(to, "SEE ALSO");
    if (but)
        put(to, ".BR kiln (1),\n");
    for (const struct verb *const *verb = verbs; *verb; verb++)
        if (*verb != but)
            page_printf(to, ".BR kiln\\-%s (1),\n", (*verb)->name);
    put(to, ".BR kiln.h (3)\n");
}

/* -- pages -- */

static void put_verbs(struct page *to)
{
    put_section(to, "VERBS");
    for (const struct verb *const *verb = verbs; *verb; verb++) {
        page_printf(to, ".TP\n.BR kiln\\-%s (1)\n", (*verb)->name);
        put_text(to, (*verb)->summary, strlen((*verb)->summary));
    }
}

static void put_title(struct page *to, const char *verb, const char *summary, const char *version, const char *date)
{
    put(to, ".\\\" Made of the tables of `kiln --help` when it was built.\n.TH KILN");
    if (*verb)
        put(to, "\\-");
    for (const char *s = verb; *s; s++)
        page_printf(to, "%c", toupper((unsigned char)*s));
    page_printf(to, " 1 %s \"kiln %s\" \"Kiln\"\n", date, version);
    put_section(to, "NAME");
    page_printf(to, "kiln%s%s \\- ", *verb ? "\\-" : "", verb);
    put_text(to, summary, strlen(summary));
    put_section(to, "SYNOPSIS");
}

static void write_main_page(struct page *to, const char *version, const char *date)
{
    static const char text[] =
        "Kiln loads an ONNX model, runs it, trains it, and writes it back as ONNX. Each verb has a page of its own, "
        "and "
        "`kiln VERB --help` tells its options. A file is replaced whole or not at all, and no output replaces a file "
        "that "
        "the command reads; only a model may be saved over its own file. The same seed gives the same bytes, for any "
        "number of threads.";

    put_title(to, "", kiln_purpose, version, date);
    put(to,
        ".SY kiln\n.I VERB\n.RI [ OPTION ...]\n.YS\n.SY kiln\n.B \\-\\-help\n.YS\n.SY kiln\n.B \\-\\-version\n.YS\n");
    put_section(to, "DESCRIPTION");
    put_text(to, text, strlen(text));
    put_verbs(to);
    put_section(to, "OPTIONS");
    put(to, ".TP\n\\fB\\-\\-help\\fR\nlist the verbs\n.TP\n\\fB\\-\\-version\\fR\ntell the version\n");
    put_statuses(to);
    put_environment(to);
    put_examples(to, kiln_examples);
    put_see_also(to, NULL);
}

void write_page(struct page *to, const struct verb *verb, const char *version, const char *date)
{
    char *before, *behind;

    if (!verb) {
        write_main_page(to, version, date);
        return;
    }
    before = description(verb->argp, 0);
    behind = description(verb->argp, 1);
    put_title(to, verb->name, verb->summary, version, date);
    page_printf(to, ".SY \"kiln %s\"\n.RI [ OPTION ...]\n", verb->name);
    if (*verb->argp->args_doc) {
        put(to, ".I ");
        put_literal(to, verb->argp->args_doc, strlen(verb->argp->args_doc));
        page_printf(to, "%c", '\n');
    }
    put(to, ".YS\n");
    put_section(to, "DESCRIPTION");
    put_text(to, before, strlen(before));
    put_section(to, "OPTIONS");
    put_options(to, verb->argp);
    if (behind)
        put_notes(to, behind);
    put_statuses(to);
    put_environment(to);
    put_examples(to, verb->examples);
    put_see_also(to, verb);
    free(before);
    free(behind);
}
