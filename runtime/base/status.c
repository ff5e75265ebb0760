#include "base/status.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

const char *kiln_status_text(kiln_status status)
{
    switch (status) {
#define TEXT(name, number, text)                                                                                       \
    case name:                                                                                                         \
        return text;
        KILN_STATUSES(TEXT)
#undef TEXT
    }
    return "unknown status";
}

/* Names come from files and errors go to terminals: what may not be shown is written as \xNN. */
static void escape(char *out, size_t size, const char *in)
{
    size_t n = 0, left = strlen(in);

    while (left && n + 5 < size) {
        const size_t bytes = utf8_shown(in, left);

        if (bytes)
            memcpy(out + n, in, bytes);
        n += bytes ? bytes : (size_t)snprintf(out + n, size - n, "\\x%02x", (unsigned)(unsigned char)*in);
        in += bytes ? bytes : 1;
        left -= bytes ? bytes : 1;
    }
    out[n] = 0;
}

static void say(struct report *r, kiln_status code, const char *where, const char *format, va_list args)
{
    char raw[sizeof r->error.message], message[sizeof r->error.message], place[sizeof r->error.where];

    vsnprintf(raw, sizeof raw, format, args);
    escape(message, sizeof message, raw);
    escape(place, sizeof place, where ? where : "");
    if (code != KILN_OK && r->error.count++ == 0) {
        r->error.code = code;
        memcpy(r->error.where, place, sizeof place);
        memcpy(r->error.message, message, sizeof message);
    }
    if (r->notify)
        r->notify(r->user, code, place, message);
}

bool fail_v(struct report *r, kiln_status code, const char *where, const char *format, va_list args)
{
    if (r)
        say(r, code, where, format, args);
    return false;
}

bool fail(struct report *r, kiln_status code, const char *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_v(r, code, where, format, args);
    va_end(args);
    return false;
}

void warn(struct report *r, const char *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (r)
        say(r, KILN_OK, where, format, args);
    va_end(args);
}

/* strerror_r returns the text (glibc's), or fills its buffer and returns 0 (POSIX', as musl has it). */
static const char *returned_text(const char *returned, const char *buffer)
{
    (void)buffer;
    return returned;
}

static const char *filled_text(int failed, const char *buffer)
{
    return failed ? "an unknown error" : buffer;
}

const char *error_text(int error, char text[ERROR_TEXT_BYTES])
{
    return _Generic(strerror_r(error, text, ERROR_TEXT_BYTES), int
                    : filled_text, default
                    : returned_text)(strerror_r(error, text, ERROR_TEXT_BYTES), text);
}

bool fail_no_memory(struct report *r, size_t bytes)
{
    return fail(r, KILN_NO_MEMORY, NULL, "%zu bytes of memory cannot be had", bytes);
}
