/* kiln bench: how long a model takes, and where. */
#include "run/profile.h"
#include "run/session.h"
#include "tools.h"
#include "train/trainer.h"
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LEAST_RUNS = 5, MOST_RUNS = 10000, WARM_UP = 2, PROFILED = 5, MOST_OPS = 64 };

struct options {
    const char *model;
    bool train;
    int64_t batch;
    int threads;
    double seconds;
};

struct bench {
    const struct options *o;
    struct budget budget;
    struct arena arena;
    struct report report;
    struct model *model;
    struct session *session; /* or: */
    struct trainer *trainer;
    struct tensor x, y; /* for the trainer */
    double *times;      /* of each run, seconds */
    size_t runs;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* -- what is run --------------------------------------------------------------------------------------------------- */

static bool start_session(struct bench *b)
{
    const struct session_options so = { .threads = b->o->threads, .memory = memory_default() };
    const struct graph *g = b->model->graph;

    b->session = session_new(g, &so, &b->report);
    for (size_t k = 0; b->session && k < g->input_count; k++) {
        struct tensor t = closed_type(g->inputs[k], b->o->batch);

        if (!random_input(&t, g->inputs[k]->name, 0, (int64_t)k, &b->arena, &b->report) ||
            !session_set(b->session, g->inputs[k], &t, &b->report))
            return false;
    }
    return b->session;
}

/* Random samples; labels are 0 and 1, which every classifier has. */
static bool start_trainer(struct bench *b)
{
    const struct trainer_options to = { .threads = b->o->threads, .memory = memory_default() };

    b->trainer = trainer_new(b->model, &to, &b->report);
    if (!b->trainer)
        return false;
    b->x = b->trainer->x;
    b->y = b->trainer->y;
    b->x.dims[0] = b->y.dims[0] = b->o->batch;
    return random_input(&b->x, "x", 0, 0, &b->arena, &b->report) &&
           random_input(&b->y, "y", 0, 1, &b->arena, &b->report);
}

static bool run_once(struct bench *b)
{
    struct step_result result;

    return b->trainer ? trainer_step(b->trainer, &b->x, &b->y, &result, &b->report)
                      : session_run(b->session, &b->report);
}

static struct engine *engine_of(struct bench *b)
{
    return b->trainer ? &b->trainer->engine : &b->session->engine;
}

/* -- measuring ----------------------------------------------------------------------------------------------------- */

static bool measure(struct bench *b)
{
    const double start = now();
    double before = start;

    b->times = budget_zalloc(&b->budget, MOST_RUNS, sizeof *b->times, &b->report);
    if (!b->times)
        return false;
    while (b->runs < MOST_RUNS && (b->runs < LEAST_RUNS || before - start < b->o->seconds)) {
        double after;

        if (!run_once(b))
            return false;
        after = now();
        b->times[b->runs++] = after - before;
        before = after;
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_times(struct bench *b)
{
    double median;
    struct rusage usage;

    qsort(b->times, b->runs, sizeof *b->times, ascending);
    median = b->runs % 2 ? b->times[b->runs / 2] : (b->times[b->runs / 2 - 1] + b->times[b->runs / 2]) / 2;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s: %s, batch %lld, %d thread%s, %zu runs\n", b->o->model, b->trainer ? "training steps" : "inference",
           (long long)b->o->batch, pool_threads(engine_of(b)->pool), pool_threads(engine_of(b)->pool) == 1 ? "" : "s",
           b->runs);
    printf("median   %12.3f ms\n", median * 1e3);
    printf("minimum  %12.3f ms\n", b->times[0] * 1e3);
    printf("memory   %12.3f MiB at most for plans, values and state\n", (double)engine_of(b)->budget->peak / 1048576);
    printf("resident %12.3f MiB at most\n", (double)usage.ru_maxrss / 1024);
}

/* Times by operator come from runs of their own: looking at the clock takes time, too. */
static bool print_operators(struct bench *b)
{
    struct profile_total totals[MOST_OPS];
    struct engine *e = engine_of(b);
    struct profile *outer = e->profile;
    double sum = 0;
    size_t n;
    bool ok = true;

    e->profile = profile_new(e->budget, &b->report);
    if (!e->profile)
        return false;
    for (int k = 0; ok && k < PROFILED; k++)
        ok = run_once(b);
    n = profile_totals(e->profile, totals, MOST_OPS);
    for (size_t k = 0; k < n; k++)
        sum += (double)totals[k].nanoseconds;
    printf("\n%-32s %8s %12s %7s\n", "Operator", "Calls", "ms", "%");
    for (size_t k = 0; k < n; k++)
        printf("%-32s %8.4g %12.3f %7.1f\n", totals[k].op, (double)totals[k].calls / PROFILED,
               (double)totals[k].nanoseconds / 1e6 / PROFILED, sum > 0 ? 100 * (double)totals[k].nanoseconds / sum : 0);
    profile_free(e->profile);
    e->profile = outer;
    return ok;
}

static bool bench(struct bench *b)
{
    b->model = open_model(b->o->model, &b->report);
    if (!b->model || !build_model(&b->model, &b->report) || !(b->o->train ? start_trainer(b) : start_session(b)))
        return false;
    for (int k = 0; k < WARM_UP; k++)
        if (!run_once(b))
            return false;
    if (!measure(b))
        return false;
    print_times(b);
    return print_operators(b);
}

/* -- the verb ------------------------------------------------------------------------------------------------------ */

enum { KEY_TRAIN = 256, KEY_SECONDS };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_TRAIN:
        o->train = true;
        return 0;
    case 'b':
        o->batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case 't':
        o->threads = (int)option_number(state, "threads", arg, 0, 4096);
        return 0;
    case KEY_SECONDS:
        o->seconds = (double)option_number(state, "seconds", arg, 0, 86400);
        return 0;
    case ARGP_KEY_ARG:
        if (o->model)
            argp_error(state, "one model at a time, '%s' is a second one", arg);
        o->model = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "needs a model");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "train", KEY_TRAIN, NULL, 0, "steps of training (Adam) on random samples, not inference", 0 },
        { "batch", 'b', "N", 0, "the first dimension, where the model leaves it open (1; 32 with --train)", 0 },
        { "threads", 't', "N", 0, "threads (0: one for each CPU)", 0 },
        { "seconds", KEY_SECONDS, "N", 0, "go on for so long, at least five runs (2)", 0 },
        { 0 },
    };
    const struct argp argp = {
        options, parse_option,
        "MODEL", "Tell how long a model takes on random numbers: median and minimum, memory, time by operator.",
        NULL,    NULL,
        NULL
    };
    struct options o = { .seconds = 2 };
    struct teller teller = { 0 };
    struct bench b = { .o = &o, .report = { .notify = tell_each, .user = &teller } };
    int code = 0;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    teller.file = o.model;
    if (!o.batch)
        o.batch = o.train ? 32 : 1;
    b.arena.budget = &b.budget;
    if (!bench(&b))
        code = tell_rest(&teller, &b.report.error);
    trainer_free(b.trainer);
    session_free(b.session);
    budget_free(&b.budget, b.times);
    arena_release(&b.arena);
    model_free(b.model);
    return code;
}

const struct verb verb_bench = { "bench", "tell how long a model takes, and where", run };
