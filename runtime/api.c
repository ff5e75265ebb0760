/* The public functions check their arguments and hand on; the work is in the folders. */
#include "kiln.h"

#define TEXT_OF(x)    #x
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *kiln_version(void)
{
    return VERSION(KILN_VERSION_MAJOR, KILN_VERSION_MINOR, KILN_VERSION_PATCH);
}
