/* What there is under which path. */
#ifndef KILN_SERVE_ROUTES_H
#define KILN_SERVE_ROUTES_H

#include "serve/server.h"

enum route {
    ROUTE_NONE,
    ROUTE_PAGE,    /* / */
    ROUTE_MODELS,  /* /models, for the page */
    ROUTE_METRICS, /* /metrics */
    ROUTE_SERVER,  /* /v2 */
    ROUTE_LIVE,    /* /v2/health/live */
    ROUTE_READY,   /* /v2/health/ready */
    ROUTE_INDEX,   /* /v2/repository/index */
    ROUTE_MODEL,   /* /v2/models/NAME[/versions/1] */
    ROUTE_MODEL_READY,
    ROUTE_INFER
};

struct target {
    enum route route; /* NONE: */
    const char *why;  /* there is no such page, or model, or version */
    struct served *model;
};

struct target route_find(struct server *s, const char *path);
/* The methods that it takes: "GET, HEAD". */
const char *route_methods(enum route route);
bool route_takes(enum route route, const char *method);

/* What is answered. */
struct reply {
    unsigned code;
    struct page page;
    const char *type;  /* of the content */
    size_t json;       /* bytes of it, where others follow; else 0 */
    const char *allow; /* methods, of 405 */
    char policy[200];  /* Content-Security-Policy; "" */
};

/* Any but ROUTE_INFER and NONE. */
void route_answer(struct server *s, const struct target *t, struct reply *r);
void reply_error(struct reply *r, unsigned code, const char *message);

#endif
