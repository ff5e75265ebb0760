/* Text that grows, charged to a budget. After a failure it takes nothing more, so that a writer need look only once, at
 * the end. */
#ifndef KILN_BASE_TEXT_H
#define KILN_BASE_TEXT_H

#include "base/memory.h"

struct text {
    struct budget *budget;
    struct report *report;
    char *data; /* always ends with NUL once anything was written; NULL before */
    size_t length, capacity;
    bool failed;
};

void text_add(struct text *t, const char *bytes, size_t length);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for people: what may not be shown as it is (base/utf8.h) is written as \xNN, newlines too, but for those
 * that `format` itself begins or ends with. */
void text_add_shown(struct text *t, const char *bytes, size_t length);
void text_say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_say_v(struct text *t, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void text_release(struct text *t);

/* Is the part anywhere in it, whatever the case of its letters? */
bool text_contains(const char *s, const char *part);

/* "'a', 'b' and 3 more" into `buffer`, which is returned: as many as there is room for. */
enum { NAMES_TEXT = 320 };
const char *names_text(char buffer[NAMES_TEXT], const char *const *names, size_t count);

#endif
