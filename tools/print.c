#include "tools.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool unsaid; /* there was no memory for a line */

bool said_all(void)
{
    return !unsaid;
}

void say_bytes(FILE *to, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        const size_t n = kiln_shown(bytes + at, length - at);

        if (n)
            fwrite(bytes + at, 1, n, to);
        else
            fprintf(to, "\\x%02x", (unsigned)(unsigned char)bytes[at]);
        at += n ? n : 1;
    }
}

void say_to(FILE *to, const char *format, ...)
{
    const size_t size = strlen(format), first = strspn(format, "\n");
    size_t last = 0;
    va_list args;
    char *line;
    int n;

    while (last < size - first && format[size - 1 - last] == '\n')
        last++;
    va_start(args, format);
    n = vasprintf(&line, format, args);
    va_end(args);
    if (n < 0) {
        fprintf(stderr, "kiln: there is no memory for a line\n");
        unsaid = true;
        return;
    }
    fwrite(line, 1, first, to);
    say_bytes(to, line + first, (size_t)n - first - last);
    fwrite(line + (size_t)n - last, 1, last, to);
    free(line);
}

/* -- pages -- */

bool page_open(struct page *p, struct command *c)
{
    *p = (struct page){ 0 };
    p->to = open_memstream(&p->text, &p->length);
    return p->to || command_no_memory(c);
}

/* Lines stay lines; in a text that describes a model, tabs stay tabs. */
static void print_shown(const char *s, size_t length)
{
    for (size_t from = 0; from < length;) {
        size_t n = 0;

        while (from + n < length && s[from + n] != '\n' && s[from + n] != '\t')
            n++;
        say_bytes(stdout, s + from, n);
        from += n;
        if (from < length)
            putchar(s[from++]);
    }
}

bool page_close(struct page *p, bool print, struct command *c)
{
    bool ok = true;

    if (!p->to)
        return false;
    if (ferror(p->to) | fclose(p->to))
        ok = command_no_memory(c);
    else if (print && isatty(STDOUT_FILENO))
        print_shown(p->text, p->length);
    else if (print)
        fwrite(p->text, 1, p->length, stdout);
    free(p->text);
    p->to = NULL;
    return ok;
}
