/* The server: models, their workers, and what they share. */
#ifndef KILN_SERVE_SERVER_H
#define KILN_SERVE_SERVER_H

#include "serve/model.h"
#include "serve/reading.h"

struct serve_options {
    const char *host;
    int port;    /* 0: any */
    int threads; /* that compute */
    int connections;
    size_t body;          /* bytes of a request's */
    double timeout, stop; /* seconds that a client may take, and that requests have when the server stops */
    bool exact, verbose;
    struct limits limits;
    struct queue_options queue;
    char **models; /* [model_count] "NAME=FILE" */
    size_t model_count;
};

struct connection;
struct MHD_Daemon;

struct server {
    const struct serve_options *o;
    struct command command;
    struct account account;
    struct metrics metrics;
    struct served *models; /* [count] */
    size_t count;
    _Atomic bool stopping;
    struct MHD_Daemon *daemon;
    pthread_mutex_t mutex; /* of the connections */
    struct connection *connections;
};

/* Opens the models, serves them until a signal, and stops. The exit code. */
int server_run(struct server *s, const struct serve_options *o);

#endif
