/* The public functions check their arguments and hand on; the work is in the folders. */
#include "api.h"

#define TEXT_OF(x)       #x
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *kiln_version(void)
{
    return VERSION(KILN_VERSION_MAJOR, KILN_VERSION_MINOR, KILN_VERSION_PATCH);
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
