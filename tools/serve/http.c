#include "serve/http.h"
#include "serve/host.h"
#include "serve/infer.h"
#include "serve/routes.h"
#include <errno.h>
#include <math.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADER = 64 << 10, /* bytes of a header; the library answers a longer one itself */
    MOST_THREADS = 4,  /* that read requests and write answers */
    SAID_PATH = 200    /* bytes of a path in a log */
};

struct connection {
    int socket;
    _Atomic double since; /* when it began what its client has to end; 0: nothing, it waits for a model */
    struct connection *before, *next;
};

/* -- connections -- */

static void on_connection(void *user, struct MHD_Connection *http, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = user;
    struct connection *c = *state;

    pthread_mutex_lock(&s->mutex);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = *state = calloc(1, sizeof *c);
        if (c) {
            c->socket = MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
            c->since = seconds_now();
            c->next = s->connections;
            if (c->next)
                c->next->before = c;
            s->connections = c;
            atomic_fetch_add(&s->metrics.connections, 1);
        }
    } else if (c) {
        *(c->before ? &c->before->next : &s->connections) = c->next;
        if (c->next)
            c->next->before = c->before;
        atomic_fetch_sub(&s->metrics.connections, 1);
        free(c);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* What the client has to do next begins now; or it has nothing to do. */
static void mark(struct connection *c, bool watched)
{
    if (c)
        atomic_store(&c->since, watched ? seconds_now() : 0);
}

void http_watch(struct server *s)
{
    const double now = seconds_now();

    pthread_mutex_lock(&s->mutex);
    for (const struct connection *c = s->connections; c; c = c->next) {
        const double since = atomic_load(&c->since);

        if (since > 0 && now - since > s->o->timeout)
            shutdown(c->socket, SHUT_RDWR); /* its thread sees the end, and closes it */
    }
    pthread_mutex_unlock(&s->mutex);
}

/* -- requests -- */

struct request {
    struct server *server;
    struct MHD_Connection *http;
    struct connection *connection; /* NULL where there was no memory */
    struct target target;
    char method[8], path[SAID_PATH];
    char *body;
    size_t length, room, held; /* bytes of the body that came, that it has place for, of the account */
    size_t json;               /* bytes of the body that are JSON, where the header says it, else SIZE_MAX */
    unsigned refused;          /* with this code, what else comes is dropped */
    const char *why;
    struct job *job;
    double start;
    unsigned code; /* that was answered; 0: none */
    size_t sent;   /* bytes of the answer */
};

static void refuse(struct request *r, unsigned code, const char *why)
{
    if (r->refused)
        return;
    r->refused = code;
    r->why = why;
}

static const char *header(struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, name);
}

/* A number of bytes in a header; SIZE_MAX where there is none. */
static size_t header_size(struct request *r, const char *name)
{
    const char *text = header(r, name);
    unsigned long long n;
    char *end;

    if (!text)
        return SIZE_MAX;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n >= SIZE_MAX) {
        refuse(r, 400, "a length in the header is no number of bytes");
        return SIZE_MAX;
    }
    return (size_t)n;
}

static void check(struct request *r, const char *method, const char *path)
{
    const char *coding = header(r, "Content-Encoding");
    const size_t length = header_size(r, "Content-Length");

    if (!host_may_ask(r->server->o->host, header(r, "Host")))
        refuse(r, 403,
               "the Host of the request is not this machine: a proxy must send its own, and --host lets others ask");
    r->target = route_find(r->server, path);
    r->json = header_size(r, "Inference-Header-Content-Length");
    if (r->target.route == ROUTE_NONE)
        refuse(r, 404, r->target.why);
    else if (!route_takes(r->target.route, method))
        refuse(r, 405, "the page does not take this method");
    else if (length != SIZE_MAX && length > r->server->o->body)
        refuse(r, 413, "the body is larger than this server takes");
    else if (coding && strcasecmp(coding, "identity") != 0)
        refuse(r, 415, "the body must not be compressed");
}

static struct request *request_new(struct server *s, struct MHD_Connection *http, const char *method, const char *path)
{
    struct request *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->server = s;
    r->http = http;
    r->connection = MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->start = seconds_now();
    snprintf(r->method, sizeof r->method, "%s", method);
    snprintf(r->path, sizeof r->path, "%s", path);
    atomic_fetch_add(&s->metrics.requests, 1);
    mark(r->connection, true);
    check(r, method, path);
    return r;
}

static bool grow(struct request *r, size_t need)
{
    const size_t room = need > 2 * r->room ? need : 2 * r->room;
    char *more;

    if (!account_hold(&r->server->account, room - r->room))
        return false;
    r->held += room - r->room;
    more = realloc(r->body, room);
    if (!more)
        return false;
    r->body = more;
    r->room = room;
    return true;
}

/* False where the connection must end. */
static bool take(struct request *r, const char *bytes, size_t n)
{
    const size_t most = r->server->o->body;

    atomic_fetch_add(&r->server->metrics.received, n);
    if (!r->refused && n > most - r->length)
        refuse(r, 413, "the body is larger than this server takes");
    if (!r->refused && r->length + n > r->room && !grow(r, r->length + n))
        refuse(r, 503, "there is no memory for the request");
    if (r->refused) { /* an answer can be given when the rest has come: not after any length of it */
        r->length += n;
        return r->length <= 2 * most;
    }
    memcpy(r->body + r->length, bytes, n);
    r->length += n;
    return true;
}

/* -- answers -- */

static struct MHD_Response *response(struct reply *p)
{
    struct MHD_Response *m;
    char number[24];

    m = MHD_create_response_from_buffer(p->page.length, p->page.text, MHD_RESPMEM_MUST_FREE);
    if (!m)
        return NULL;
    p->page = (struct page){ 0 };
    MHD_add_response_header(m, "Content-Type", p->json ? "application/octet-stream" : p->type);
    MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(m, "Cache-Control", "no-store");
    snprintf(number, sizeof number, "%zu", p->json);
    if (p->json)
        MHD_add_response_header(m, "Inference-Header-Content-Length", number);
    if (p->code == 503)
        MHD_add_response_header(m, "Retry-After", "1");
    if (p->allow)
        MHD_add_response_header(m, "Allow", p->allow);
    if (*p->policy) {
        MHD_add_response_header(m, "Content-Security-Policy", p->policy);
        MHD_add_response_header(m, "Referrer-Policy", "no-referrer");
    }
    return m;
}

static enum MHD_Result send_reply(struct request *r, struct reply *p)
{
    struct server *s = r->server;
    struct MHD_Response *m;
    enum MHD_Result sent;

    if (p->page.failed)
        reply_error(p, 503, "there is no memory for the answer");
    r->sent = p->page.length;
    m = response(p);
    page_free(&p->page);
    if (!m)
        return MHD_NO;
    if (atomic_load(&s->stopping))
        MHD_add_response_header(m, "Connection", "close");
    r->code = p->code;
    atomic_fetch_add(&s->metrics.sent, r->sent);
    metrics_answered(r->target.model ? &r->target.model->metrics : &s->metrics.others, p->code,
                     seconds_now() - r->start);
    mark(r->connection, true);
    sent = MHD_queue_response(r->http, p->code, m);
    MHD_destroy_response(m);
    return sent;
}

static enum MHD_Result send_refusal(struct request *r)
{
    struct reply p = { 0 };

    if (r->refused == 405)
        p.allow = route_methods(r->target.route);
    reply_error(&p, r->refused, r->why);
    return send_reply(r, &p);
}

static enum MHD_Result send_job(struct request *r)
{
    struct reply p = { .code = r->job->code, .type = "application/json", .page = { .command = &r->server->command } };

    if (p.code == 200)
        infer_write(r->job, &p.page, &p.json);
    else
        reply_error(&p, p.code, r->job->message);
    return send_reply(r, &p);
}

static enum MHD_Result send_page(struct request *r)
{
    struct reply p = { 0 };

    route_answer(r->server, &r->target, &p);
    return send_reply(r, &p);
}

/* -- jobs -- */

/* What tensors take is of the account, too. */
static bool hold_tensors(struct request *r, kiln_tensor *const *tensors, size_t count)
{
    size_t bytes = 0;

    for (size_t k = 0; k < count; k++)
        bytes += tensors[k] ? kiln_tensor_bytes(tensors[k]) : 0;
    if (!account_hold(&r->server->account, bytes))
        return job_fail(r->job, 503, "there is no memory for the request");
    r->held += bytes;
    return true;
}

/* The worker has done it: the connection's thread goes on. */
static void on_done(struct job *job, void *user)
{
    struct request *r = user;

    hold_tensors(r, job->outputs, job->asked_count);
    MHD_resume_connection(r->http);
}

/* The body is there. */
static enum MHD_Result infer(struct request *r)
{
    const struct body body = { r->body ? r->body : "", r->length, r->json == SIZE_MAX ? r->length : r->json };

    if (body.json > body.length)
        refuse(r, 400, "the header says that the JSON is longer than the body");
    else if (!(r->job = infer_read(r->target.model, &body, &r->server->account)))
        refuse(r, 503, "there is no memory for the request");
    if (r->refused)
        return send_refusal(r);
    if (r->job->code || !hold_tensors(r, r->job->inputs, r->job->count))
        return send_job(r);
    r->job->start = r->start;
    r->job->done = on_done;
    r->job->user = r;
    mark(r->connection, false);
    MHD_suspend_connection(r->http);
    if (queue_put(r->target.model, r->job))
        return MHD_YES;
    MHD_resume_connection(r->http);
    return MHD_YES;
}

/* -- callbacks -- */

/* An answer before the body has come ends the connection: for what is too large alone. */
static bool at_once(const struct request *r)
{
    return r->refused == 413 && strcmp(r->method, "POST") == 0;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *http, const char *path, const char *method,
                                  const char *version, const char *bytes, size_t *count, void **state)
{
    struct request *r = *state;

    (void)version;
    if (!r) {
        r = *state = request_new(user, http, method, path);
        return !r ? MHD_NO : at_once(r) ? send_refusal(r) : MHD_YES;
    }
    if (*count) {
        const bool more = take(r, bytes, *count);

        *count = 0;
        return more ? MHD_YES : MHD_NO;
    }
    if (r->refused)
        return send_refusal(r);
    if (r->job)
        return send_job(r);
    return r->target.route == ROUTE_INFER ? infer(r) : send_page(r);
}

static void on_completed(void *user, struct MHD_Connection *http, void **state, enum MHD_RequestTerminationCode code)
{
    struct server *s = user;
    struct request *r = *state;

    (void)http;
    if (!r)
        return;
    mark(r->connection, true);
    if (s->o->verbose || r->code == 500)
        say_to(stderr, "kiln: %s %s %u, %.6f s, %zu bytes, %zu bytes back%s\n", r->method, r->path, r->code,
               seconds_now() - r->start, r->length, r->sent,
               code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : ", the client was gone");
    job_free(r->job);
    free(r->body);
    account_release(&s->account, r->held);
    free(r);
    *state = NULL;
    atomic_fetch_sub(&s->metrics.requests, 1);
}

/* -- start and end -- */

bool http_start(struct server *s, int listening)
{
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cpus > MOST_THREADS ? MOST_THREADS : cpus > 1 ? (unsigned)cpus : 1;

    if (threads > (unsigned)s->o->connections)
        threads = (unsigned)s->o->connections;
    pthread_mutex_init(&s->mutex, NULL);
    /* poll, not epoll: there the library misses a client that is gone before what it sent is read */
    s->daemon = MHD_start_daemon(
        MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
        MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->o->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)ceil(s->o->timeout) + 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER,
        MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_END);
    return s->daemon || command_fail(&s->command, KILN_IO, NULL, "the server cannot start: %s", strerror(errno));
}

void http_quiesce(struct server *s)
{
    const int listening = MHD_quiesce_daemon(s->daemon);

    if (listening >= 0)
        close(listening);
}

void http_end(struct server *s)
{
    MHD_stop_daemon(s->daemon);
    pthread_mutex_destroy(&s->mutex);
}
