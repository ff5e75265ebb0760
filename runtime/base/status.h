/* Why something failed, said once, where it was found.
 *
 * Every function that can fail for more than one reason takes a `struct report *`. The first error wins; later ones are
 * counted and go to the diagnostic callback, so that a loader can tell of all unsupported operators at once. A failing
 * function returns false or NULL; the status travels in the report. */
#ifndef KILN_BASE_STATUS_H
#define KILN_BASE_STATUS_H

#include "kiln.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report {
    kiln_error error;          /* the first one */
    kiln_diagnostic_fn notify; /* every one, and every warning; may be NULL */
    void *user;
    struct files *files; /* that this work reads and writes (model/files.h); NULL: they are not kept apart */
};

/* Records an error; always false, to be returned. `where` is the place ("main/node[12] 'conv1' Conv-11"), NULL or ""
 * for none. The message is one line: the subject quoted, what was got, what is needed. What a terminal would not show
 * as it is (base/utf8.h) is escaped. */
bool fail(struct report *r, kiln_status code, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool fail_v(struct report *r, kiln_status code, const char *where, const char *format, va_list args);
/* Tells the callback only; nothing fails. */
void warn(struct report *r, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool fail_no_memory(struct report *r, size_t bytes);

/* What an errno says, in words; `text` is room for them. For any number of threads. */
enum { ERROR_TEXT_BYTES = 128 };
const char *error_text(int error, char text[ERROR_TEXT_BYTES]);

static inline bool failed(const struct report *r)
{
    return r->error.count > 0;
}

/* Did what `quiet` reports fail for the data alone? Any other error is the report's, too. */
static inline bool data_are_bad(const struct report *quiet, struct report *r)
{
    if (failed(quiet) && quiet->error.code != KILN_BAD_DATA)
        r->error = quiet->error;
    return failed(quiet) && quiet->error.code == KILN_BAD_DATA;
}

#endif
