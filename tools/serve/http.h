/* Connections and requests, by libmicrohttpd. */
#ifndef KILN_SERVE_HTTP_H
#define KILN_SERVE_HTTP_H

#include "serve/server.h"

/* Takes connections from a socket that listens. False with an error. */
bool http_start(struct server *s, int listening);
/* Takes no more of them. */
void http_quiesce(struct server *s);
/* Ends connections whose client has taken too long; to be called again and again. */
void http_watch(struct server *s);
/* When no worker has a job any more. */
void http_end(struct server *s);

#endif
