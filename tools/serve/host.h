/* Whom a request asks. */
#ifndef KILN_TOOLS_SERVE_HOST_H
#define KILN_TOOLS_SERVE_HOST_H

#include <stdbool.h>

/* May it be answered? A page of the web whose name leads to this machine (DNS rebinding) is of the same origin as what it asks
 * here, and its reader knows nothing of it. So a server that listens on this machine alone answers to addresses, which no
 * page can be called by that is not here, to "localhost" and to the name that it listens on. `listens` is that name, `asked`
 * the Host of the request; NULL: there is none. */
bool host_may_ask(const char *listens, const char *asked);

#endif
