#include "base/text.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool room(struct text *t, size_t more)
{
    if (t->failed)
        return false;
    if (more >= SIZE_MAX - t->length ||
        !budget_grow(t->budget, &t->data, &t->capacity, t->length + more + 1, 1, t->report))
        t->failed = true;
    return !t->failed;
}

void text_add(struct text *t, const char *bytes, size_t length)
{
    if (!room(t, length))
        return;
    if (length)
        memcpy(t->data + t->length, bytes, length);
    t->length += length;
    t->data[t->length] = 0;
}

static void print(struct text *t, const char *format, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && room(t, (size_t)n)) {
        vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
        t->length += (size_t)n;
    }
    va_end(again);
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print(t, format, args);
    va_end(args);
}

void text_add_shown(struct text *t, const char *bytes, size_t length)
{
    size_t from = 0; /* of what is shown as it is and not added yet */

    for (size_t k = 0; k < length;) {
        const size_t n = utf8_shown(bytes + k, length - k);

        if (!n) {
            text_add(t, bytes + from, k - from);
            text_printf(t, "\\x%02x", (unsigned)(unsigned char)bytes[k]);
            from = k + 1;
        }
        k += n ? n : 1;
    }
    text_add(t, length ? bytes + from : "", length - from);
}

void text_say_v(struct text *t, const char *format, va_list args)
{
    struct text raw = { .budget = t->budget, .report = t->report };
    const size_t size = strlen(format), first = strspn(format, "\n");
    size_t last = 0;

    while (last < size - first && format[size - 1 - last] == '\n')
        last++;
    print(&raw, format, args);
    if (!raw.failed && raw.length >= first + last) {
        text_add(t, raw.data, first);
        text_add_shown(t, raw.data + first, raw.length - first - last);
        text_add(t, raw.data + raw.length - last, last);
    }
    t->failed |= raw.failed;
    text_release(&raw);
}

void text_say(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_say_v(t, format, args);
    va_end(args);
}

void text_release(struct text *t)
{
    budget_free(t->budget, t->data);
    t->data = NULL;
    t->length = t->capacity = 0;
}

bool text_contains(const char *s, const char *part)
{
    const size_t n = strlen(part);

    for (; *s; s++)
        if (strncasecmp(s, part, n) == 0)
            return true;
    return false;
}

const char *names_text(char buffer[NAMES_TEXT], const char *const *names, size_t count)
{
    enum { TAIL = 32 }; /* that " and 1000000 more" takes */
    size_t length = 0;

    *buffer = 0;
    for (size_t k = 0; k < count; k++) {
        const char *before = !k ? "" : k + 1 < count ? ", " : " and ";

        if (k && length + strlen(names[k]) + TAIL > NAMES_TEXT) {
            snprintf(buffer + length, NAMES_TEXT - length, " and %zu more", count - k);
            break;
        }
        snprintf(buffer + length, NAMES_TEXT - length, "%s'%.200s'", before, names[k]);
        length = strlen(buffer);
    }
    return buffer;
}
