#include "serve/host.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { NAME = 256 };

/* The name without brackets and port: "[::1]:8000" is "::1". False where it is none, or too long. */
static bool name_of(const char *host, char name[NAME])
{
    const bool bracket = *host == '[';
    const size_t n = bracket ? strcspn(++host, "]") : strcspn(host, ":");

    if (n >= NAME || (bracket && host[n] != ']'))
        return false;
    memcpy(name, host, n);
    name[n] = 0;
    return n;
}

static bool is_address(const char *name)
{
    struct in6_addr a;

    return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

/* Does who listens there hear this machine alone? */
static bool is_loopback(const char *name)
{
    return strcasecmp(name, "localhost") == 0 || (is_address(name) && strncmp(name, "127.", 4) == 0) ||
           strcmp(name, "::1") == 0;
}

bool host_may_ask(const char *listens, const char *asked)
{
    char name[NAME];

    if (!is_loopback(listens) || !asked)
        return true;
    return name_of(asked, name) &&
           (is_address(name) || strcasecmp(name, "localhost") == 0 || strcasecmp(name, listens) == 0);
}
