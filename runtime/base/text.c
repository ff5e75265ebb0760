#include "base/text.h"
#include <stdio.h>
#include <string.h>

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

void text_printf(struct text *t, const char *format, ...)
{
    va_list args, again;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && room(t, (size_t)n)) {
        vsnprintf(t->data + t->length, (size_t)n + 1, format, again);
        t->length += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void text_release(struct text *t)
{
    budget_free(t->budget, t->data);
    t->data = NULL;
    t->length = t->capacity = 0;
}
