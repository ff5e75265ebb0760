/* The public functions check their arguments and hand on; the work is in the folders. */
#include "api/api.h"
#include <string.h>

#define TEXT_OF(x)       #x
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *kiln_version(void)
{
    return VERSION(KILN_VERSION_MAJOR, KILN_VERSION_MINOR, KILN_VERSION_PATCH);
}

void *api_alloc(size_t bytes, struct report *r)
{
    struct budget unlimited = { 0 };

    return budget_zalloc(&unlimited, 1, bytes, r);
}

void api_free(void *p)
{
    struct budget unlimited = { .used = SIZE_MAX };

    budget_free(&unlimited, p);
}

kiln_status api_end(const struct report *r, bool ok, kiln_error *err)
{
    struct report silent = *r;

    silent.notify = NULL;
    if (!ok && !failed(&silent))
        fail(&silent, KILN_NO_MEMORY, NULL, "out of memory");
    if (ok)
        silent.error = (kiln_error){ 0 };
    if (err)
        *err = silent.error;
    return silent.error.code;
}

kiln_status api_refuse(kiln_error *err, const char *format, ...)
{
    struct report r = { 0 };
    va_list args;

    va_start(args, format);
    fail_v(&r, KILN_BAD_ARGUMENT, NULL, format, args);
    va_end(args);
    return api_end(&r, false, err);
}

bool api_options(void *to, size_t size, const void *from, const char *init, kiln_error *err)
{
    size_t given = size;

    memset(to, 0, size);
    if (!from)
        return true;
    memcpy(&given, from, sizeof given);
    if (given < sizeof given) {
        api_refuse(err, "the size of the options is %zu: they must begin as %s", given, init);
        return false;
    }
    for (size_t k = size; k < given; k++)
        if (((const char *)from)[k]) {
            api_refuse(err, "the options have a field that version %s does not know", kiln_version());
            return false;
        }
    memcpy(to, from, given < size ? given : size);
    return true;
}

bool api_check_limits(const kiln_context *context, int threads, double seconds, kiln_error *err)
{
    if (threads < 0)
        api_refuse(err, "threads is %d, must be at least 0", threads);
    else if (context && threads)
        api_refuse(err, "threads is %d, must be 0 with a context, which has them", threads);
    else if (!(seconds >= 0))
        api_refuse(err, "seconds is %g, must be at least 0", seconds);
    else
        return true;
    return false;
}
