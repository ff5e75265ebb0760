/* kiln serve: models over HTTP. */
#include "serve/server.h"
#include <stdlib.h>

enum { KEY_HOST = 256, KEY_BATCH, KEY_DELAY, KEY_BODY, KEY_TIMEOUT, KEY_STOP, KEY_CONNECTIONS, KEY_QUEUE, KEY_EXACT };

static error_t parse_limit(int key, char *arg, struct argp_state *state)
{
    struct serve_options *o = state->input;

    switch (key) {
    case KEY_BODY:
        o->body = (size_t)option_number(state, "max-body", arg, 1, 1 << 20) << 20;
        return 0;
    case KEY_TIMEOUT:
        o->timeout = option_real(state, "timeout", arg, .1, 1e6);
        return 0;
    case KEY_STOP:
        o->stop = option_real(state, "stop-seconds", arg, 0, 1e6);
        return 0;
    case KEY_CONNECTIONS:
        o->connections = (int)option_number(state, "connections", arg, 1, 1 << 20);
        return 0;
    case KEY_QUEUE:
        o->queue.most = option_number(state, "queue", arg, 1, 1 << 20);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct serve_options *o = state->input;

    switch (key) {
    case KEY_HOST:
        o->host = arg;
        return 0;
    case 'p':
        o->port = (int)option_number(state, "port", arg, 0, 65535);
        return 0;
    case KEY_BATCH:
        o->queue.max_batch = option_number(state, "max-batch", arg, 1, 1 << 20);
        return 0;
    case KEY_DELAY:
        o->queue.delay = 1e-6 * (double)option_number(state, "batch-delay", arg, 0, 10 * 1000 * 1000);
        return 0;
    case 't':
        o->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case KEY_EXACT:
        o->exact = true;
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case ARGP_KEY_ARGS:
        o->models = state->argv + state->next;
        o->model_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return parse_limit(key, arg, state);
    }
}

static const char help[] =
    "Serve models over HTTP, by the Open Inference Protocol (KServe V2) with its binary tensors."
    "\vA model is called as its file, without the ending: model.onnx is at /v2/models/model, and NAME=FILE gives "
    "another "
    "name. / is a page to try models on, /metrics is for Prometheus. Nobody is asked who he is: on another --host than "
    "this machine's own, put it behind a proxy that asks.\n\n"
    "Requests run together where the first dimension of all inputs and outputs is the number of samples, and random "
    "rows "
    "together give what they give alone, which is tried at the start. What runs together may differ from what runs "
    "alone "
    "by roundings; with --max-batch=1 all is as `kiln run` has it, to the bit. In JSON a number that is not finite is "
    "null; binary tensors "
    "have all.\n\n"
    "SIGTERM, SIGINT and SIGHUP end it: what has been asked is still answered.";

static const struct argp_option options[] = {
    { "host", KEY_HOST, "NAME", 0, "the address that it listens on (127.0.0.1)", 0 },
    { "port", 'p', "N", 0, "(8000; 0: any that is free, it is said which)", 0 },
    { "max-batch", KEY_BATCH, "N", 0, "rows of several requests that run together (32)", 0 },
    { "batch-delay", KEY_DELAY, "MICROSECONDS", 0,
      "that a request waits for others to run with (0: those that came while the model ran)", 0 },
    { "threads", 't', "N", 0, "threads that compute (0: one for each CPU)", 0 },
    { "exact", KEY_EXACT, NULL, 0, "only ways that round as a plain sum does: slower", 0 },
    { "verbose", 'v', NULL, 0, "a line on stderr for each request", 0 },
    { "connections", KEY_CONNECTIONS, "N", 0, "at once (512)", 1 },
    { "queue", KEY_QUEUE, "N", 0, "requests that may wait for a model, others get 503 (256)", 1 },
    { "max-body", KEY_BODY, "MIB", 0, "of a request, a larger one gets 413 (64)", 1 },
    { "timeout", KEY_TIMEOUT, "S", 0,
      "that a client may take to send a request, to take its answer, or between them (30)", 1 },
    { "stop-seconds", KEY_STOP, "S", 0, "that requests have to be answered when the server stops (10)", 1 },
    { 0 },
};

static const struct argp argp = { options, parse_option, "MODEL...", help, limits_options, NULL, NULL };

static int run(int argc, char **argv)
{
    static struct serve_options o = {
        .host = "127.0.0.1",
        .port = 8000,
        .connections = 512,
        .body = 64 << 20,
        .timeout = 30,
        .stop = 10,
        .queue = { .max_batch = 32, .most = 256 },
    };
    static struct server s;

    argp_err_exit_status = EXIT_USAGE;
    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    o.queue.seconds = o.limits.seconds;
    return server_run(&s, &o);
}

const struct verb verb_serve = {
    "serve",
    "answer requests over HTTP",
    run,
    &argp,
    "A page at http://127.0.0.1:8000/, and what programs ask:\n"
    "    kiln serve digits=trained.onnx\n"
    "    curl http://127.0.0.1:8000/v2/models/digits\n"
    "On another port, with up to 64 samples of several requests in one run:\n"
    "    kiln serve --port 9000 --max-batch 64 --batch-delay 500 trained.onnx\n",
};
