#include "serve/server.h"
#include "serve/http.h"
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TICK = 50 * 1000 * 1000, DRAIN = 2 }; /* nanoseconds between looks; seconds for the last answers */

/* -- models -- */

static bool open_models(struct server *s)
{
    const struct serve_options *o = s->o;
    struct command *c = &s->command;

    s->models = calloc(o->model_count, sizeof *s->models);
    if (!s->models)
        return command_no_memory(c);
    for (size_t k = 0; k < o->model_count; k++) {
        struct served *m = &s->models[k];

        if (!served_name(m, o->models[k]))
            return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                                "'%s' is no name for a model: NAME=FILE, of letters, digits, '.', '_' and '-'",
                                o->models[k]);
        for (size_t b = 0; b < k; b++)
            if (strcmp(s->models[b].name, m->name) == 0)
                return command_fail(c, KILN_BAD_ARGUMENT, NULL,
                                    "two models are called '%s': NAME=FILE gives another name", m->name);
        s->count++;
        if (!served_open(m, c, o->exact, o->queue.max_batch > 1))
            return false;
    }
    c->teller.file = NULL; /* what goes wrong from here on is not of a file */
    return true;
}

static bool start_workers(struct server *s)
{
    for (size_t k = 0; k < s->count; k++)
        if (!queue_start(&s->models[k], &s->o->queue))
            return command_fail(&s->command, KILN_NO_MEMORY, NULL, "a thread cannot start");
    return true;
}

/* -- the socket -- */

static bool fail_listen(struct server *s, const char *why)
{
    return command_fail(&s->command, KILN_IO, NULL, "cannot listen on %s, port %d: %s", s->o->host, s->o->port, why);
}

static int try_listen(const struct addrinfo *a)
{
    const int on = 1, fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd);
    return -1;
}

/* *fd listens, on the first address of the host that can be had. False with an error. */
static bool start_listening(struct server *s, int *fd)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *all;
    char port[12];
    int error;

    snprintf(port, sizeof port, "%d", s->o->port);
    error = getaddrinfo(s->o->host, port, &hints, &all);
    if (error)
        return fail_listen(s, gai_strerror(error));
    *fd = -1;
    for (const struct addrinfo *a = all; a && *fd < 0; a = a->ai_next)
        *fd = try_listen(a);
    error = errno;
    freeaddrinfo(all);
    return *fd >= 0 || fail_listen(s, strerror(error));
}

static int port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    char port[12] = "0";

    if (getsockname(fd, (struct sockaddr *)&a, &size) == 0)
        getnameinfo((struct sockaddr *)&a, size, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return atoi(port);
}

/* The last line says that it is ready, and where. */
static void say_ready(const struct server *s, int port)
{
    const bool numbers = strchr(s->o->host, ':'); /* of IPv6 */

    for (size_t k = 0; k < s->count; k++) {
        const struct served *m = &s->models[k];

        if (m->apart)
            say("%s: %s, up to %lld rows run together\n", m->name, m->file, (long long)s->o->queue.max_batch);
        else
            say("%s: %s, each request runs alone: %s\n", m->name, m->file, m->why);
    }
    say("serving on http://%s%s%s:%d/\n", numbers ? "[" : "", s->o->host, numbers ? "]" : "", port);
    fflush(stdout);
}

/* -- signals -- */

/* Those that stop it are waited for, by all threads that there will be. One that is ignored stays so. */
static void block_signals(sigset_t *set)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction a;

    sigemptyset(set);
    for (size_t k = 0; k < sizeof signals / sizeof *signals; k++)
        if (sigaction(signals[k], NULL, &a) == 0 && a.sa_handler != SIG_IGN)
            sigaddset(set, signals[k]);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* Looks after the connections until a signal comes, all requests are answered where `drain` says so, or so many seconds
 * are over (0: any). The signal, 0 where there was none. */
static int look_after(struct server *s, const sigset_t *set, bool drain, double seconds)
{
    const struct timespec tick = { 0, TICK };
    const double start = seconds_now();
    int signal = 0;

    while (signal <= 0 && !(drain && !atomic_load(&s->metrics.requests)) &&
           (seconds <= 0 || seconds_now() - start < seconds)) {
        http_watch(s);
        signal = sigtimedwait(set, NULL, &tick);
    }
    return signal > 0 ? signal : 0;
}

/* No new connections; those requests that there are have some time. */
static void stop(struct server *s, const sigset_t *set, int signal)
{
    const int64_t requests = atomic_load(&s->metrics.requests);

    say_to(stderr, "kiln: stopping by %s, %lld requests are still answered\n", strsignal(signal), (long long)requests);
    atomic_store(&s->stopping, true);
    http_quiesce(s);
    if (s->o->stop > 0)
        look_after(s, set, true, s->o->stop);
    if (atomic_load(&s->metrics.requests)) {
        say_to(stderr, "kiln: %lld requests could not be answered in time\n",
               (long long)atomic_load(&s->metrics.requests));
        kiln_context_cancel(s->command.context);
    }
    for (size_t k = 0; k < s->count; k++)
        queue_stop(&s->models[k]);
    look_after(s, set, true, DRAIN);
    http_end(s);
    say_to(stderr, "kiln: stopped\n");
}

static bool serve(struct server *s, const sigset_t *set)
{
    int fd = -1;

    if (!open_models(s) || !start_listening(s, &fd))
        return false;
    if (!start_workers(s)) {
        close(fd);
        return false;
    }
    if (!http_start(s, fd)) {
        close(fd);
        return false;
    }
    say_ready(s, port_of(fd));
    stop(s, set, look_after(s, set, false, 0));
    return true;
}

int server_run(struct server *s, const struct serve_options *o)
{
    sigset_t set;
    bool ok;

    s->o = o;
    s->command.limits = o->limits;
    s->command.teller.held = true; /* what is wrong with a request is told to who sent it */
    s->account.command = &s->command;
    block_signals(&set);
    reading_start();
    ok = command_start(&s->command, o->threads) && serve(s, &set);
    for (size_t k = 0; k < s->count; k++) {
        queue_stop(&s->models[k]);
        served_close(&s->models[k]);
    }
    free(s->models);
    return command_end(&s->command, ok);
}
