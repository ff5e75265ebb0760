#include "tools.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic bool unsaid; /* there was no memory for a line */

bool said_all(void)
{
    return !unsaid;
}

/* -- pages -- */

static bool keeps_limit(const struct page *p, size_t room)
{
    const size_t most = p->command ? p->command->limits.memory : 0,
                 used = p->command ? kiln_context_memory(p->command->context, NULL) : 0;

    return !most || (used <= most && room <= most - used);
}

static void grow(struct page *p, size_t need)
{
    const size_t room = need > 2 * p->room ? need : 2 * p->room;
    char *more = NULL;

    p->limited = !keeps_limit(p, room);
    if (!p->limited)
        more = realloc(p->text, room);
    p->failed = !more;
    if (!more)
        return;
    p->text = more;
    p->room = room;
}

void page_add(struct page *p, const char *bytes, size_t length)
{
    const size_t need = p->length + length + 1;

    if (!p->failed && need > p->room)
        grow(p, need);
    if (p->failed)
        return;
    memcpy(p->text + p->length, bytes, length);
    p->length += length;
    p->text[p->length] = 0;
}

static void add_shown(struct page *p, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        const size_t n = kiln_shown(bytes + at, length - at);
        char escape[5];

        if (!n)
            snprintf(escape, sizeof escape, "\\x%02x", (unsigned)(unsigned char)bytes[at]);
        page_add(p, n ? bytes + at : escape, n ? n : 4);
        at += n ? n : 1;
    }
}

static void add_format(struct page *p, bool shown, const char *format, va_list args)
{
    const size_t size = strlen(format), first = strspn(format, "\n");
    size_t last = 0;
    char *line;
    const int n = vasprintf(&line, format, args);

    while (last < size - first && format[size - 1 - last] == '\n')
        last++;
    if (n < 0) {
        p->failed = true;
        return;
    }
    if (shown) {
        page_add(p, line, first);
        add_shown(p, line + first, (size_t)n - first - last);
        page_add(p, line + (size_t)n - last, last);
    } else {
        page_add(p, line, (size_t)n);
    }
    free(line);
}

void page_say(struct page *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_format(p, true, format, args);
    va_end(args);
}

void page_printf(struct page *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_format(p, false, format, args);
    va_end(args);
}

bool page_write(void *user, const void *bytes, size_t count)
{
    struct page *p = user;

    page_add(p, bytes, count);
    return true; /* that there is no memory is told at the end */
}

void page_free(struct page *p)
{
    free(p->text);
    *p = (struct page){ 0 };
}

/* Lines stay lines; in a text that describes a model, tabs stay tabs. */
static void add_lines(struct page *to, const struct page *from)
{
    for (size_t at = 0; at < from->length;) {
        size_t n = 0; /* strcspn() would end at a NUL */

        while (at + n < from->length && from->text[at + n] != '\n' && from->text[at + n] != '\t')
            n++;
        add_shown(to, from->text + at, n);
        at += n;
        if (at < from->length)
            page_add(to, from->text + at++, 1);
    }
}

static bool fail_page(const struct page *p, struct command *c)
{
    return p->limited ? command_fail(c, KILN_LIMIT, NULL, "what is told would pass the memory limit of %zu bytes",
                                     c->limits.memory)
                      : command_no_memory(c);
}

bool page_show(struct page *p, struct command *c)
{
    struct page shown = { .command = p->command };
    const bool terminal = isatty(STDOUT_FILENO);
    const struct page *const out = terminal ? &shown : p;
    bool ok;

    if (terminal)
        add_lines(&shown, p);
    ok = (!p->failed || fail_page(p, c)) && (!out->failed || fail_page(out, c));
    if (ok && out->length)
        fwrite(out->text, 1, out->length, stdout);
    page_free(&shown);
    page_free(p);
    return ok;
}

bool page_save(struct page *p, const char *path, struct command *c)
{
    const bool ok =
        p->failed ? command_no_memory(c) : kiln_file_write(c->context, path, p->text, p->length, &c->err) == KILN_OK;

    page_free(p);
    return ok;
}

/* -- lines -- */

/* What there is no memory for is told. */
static void end_saying(FILE *to, struct page *p)
{
    if (p->failed && !atomic_exchange(&unsaid, true))
        fprintf(stderr, "kiln: out of memory\n");
    if (!p->failed && p->length)
        fwrite(p->text, 1, p->length, to);
    page_free(p);
}

void say_bytes(FILE *to, const char *bytes, size_t length)
{
    struct page p = { 0 };

    add_shown(&p, bytes, length);
    end_saying(to, &p);
}

void say_to(FILE *to, const char *format, ...)
{
    struct page p = { 0 };
    va_list args;

    va_start(args, format);
    add_format(&p, true, format, args);
    va_end(args);
    end_saying(to, &p);
}
