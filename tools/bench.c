/* kiln bench: how long a model takes, and where. */
#include "base/clock.h"
#include "base/cpu.h"
#include "learn.h"
#include "peak.h"
#include "run/profile.h"
#include "run/session.h"
#include "tools.h"
#include "train/trainer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_RUNS = 3, MOST_RUNS = 10000, WARM_UP = 2, PROFILED = 5, MOST_OPS = 64, MOST_NODES = 4096 };

struct options {
    const char *model, *optimizer;
    bool train, nodes, brief, exact;
    int64_t batch;
    int threads;
    double duration;
    struct budget limits;
};

struct bench {
    const struct options *o;
    struct budget *limits, budget;
    struct arena arena;
    struct report report;
    struct model *model;
    struct session *session; /* or: */
    struct trainer *trainer;
    struct tensor x, y;  /* for the trainer */
    double idle;         /* KiB of the process before it knew the model */
    double ready, first; /* seconds until the model could run, and the first run's */
    double *times;       /* of each run, seconds */
    size_t runs;
};

static double now(void)
{
    return (double)clock_now() / 1e9;
}

/* KiB of the process, of which /proc/self/status tells: what getrusage says counts the program that started this
 * one. */
static double resident(const char *key)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            kib = strtod(line + strlen(key) + 1, NULL);
    if (f)
        fclose(f);
    return kib;
}

/* -- what is run -- */

static bool start_session(struct bench *b)
{
    const struct session_options so = { .threads = b->o->threads,
                                        .exact = b->o->exact,
                                        .memory = b->limits->limit,
                                        .seconds = b->limits->seconds,
                                        .total = b->limits };
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
    const struct trainer_options to = {
        .threads = b->o->threads,
        .optimizer = b->o->optimizer,
        .exact = b->o->exact,
        .memory = b->limits->limit,
        .seconds = b->limits->seconds,
        .total = b->limits,
    };

    b->trainer = trainer_new(b->model, &to, &b->report);
    model_free(b->model); /* the trainer has its own */
    b->model = NULL;
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

/* -- measuring -- */

static bool measure(struct bench *b)
{
    const double start = now();
    double before = start;

    b->times = budget_zalloc(&b->budget, MOST_RUNS, sizeof *b->times, &b->report);
    if (!b->times)
        return false;
    while (b->runs < MOST_RUNS && (b->runs < LEAST_RUNS || before - start < b->o->duration)) {
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
    const double peak = resident("VmHWM");
    double median;

    qsort(b->times, b->runs, sizeof *b->times, ascending);
    median = b->runs % 2 ? b->times[b->runs / 2] : (b->times[b->runs / 2 - 1] + b->times[b->runs / 2]) / 2;
    say("%s: %s, batch %lld, %d thread%s, %zu runs\n", b->o->model, b->trainer ? "training steps" : "inference",
        (long long)b->o->batch, pool_threads(engine_of(b)->pool), pool_threads(engine_of(b)->pool) == 1 ? "" : "s",
        b->runs);
    say("median   %12.3f ms\n", median * 1e3);
    say("minimum  %12.3f ms\n", b->times[0] * 1e3);
    say("ready    %12.3f ms after reading the model began; the first run took %.3f ms\n", b->ready * 1e3,
        b->first * 1e3);
    say("memory   %12.3f MiB at most for plans, values and state\n", (double)engine_of(b)->budget->peak / 1048576);
    say("resident %12.3f MiB at most, %.3f MiB more than before the model was read\n", peak / 1024,
        (peak - b->idle) / 1024);
}

/* -- where the time goes -- */

/* Rates are empty where there is no such work. The share is that of the limit which comes nearer: in the time that
 * arithmetic, or memory, must take at least. */
static void print_total(const struct profile_total *t, double sum, const struct peak *peak)
{
    const double seconds = (double)t->nanoseconds / 1e9, ms = seconds * 1e3 / PROFILED;
    const double flops = seconds > 0 ? t->cost.flops / seconds : 0, bytes = seconds > 0 ? t->cost.bytes / seconds : 0;
    const double arithmetic = flops / peak->flops, memory = bytes / peak->bytes;
    char rate[16] = "", share[16] = "";

    if (flops > 0)
        snprintf(rate, sizeof rate, "%.1f", flops / 1e9);
    if (arithmetic > 0 || memory > 0)
        snprintf(share, sizeof share, "%.0f %s", 100 * (arithmetic > memory ? arithmetic : memory),
                 arithmetic > memory ? "flops" : "bytes");
    say("%-24.24s %7.4g %10.3f %6.1f %9s %8.1f %10s", t->op, (double)t->calls / PROFILED, ms,
        sum > 0 ? 100 * (double)t->nanoseconds / sum : 0, rate, bytes / 1e9, share);
    if (t->node)
        say("  %s  %s", t->node, t->shapes);
    putchar('\n');
}

static void print_totals(struct bench *b, const struct profile *p, const struct peak *peak)
{
    static struct profile_total totals[MOST_NODES];
    const size_t n = b->o->nodes ? profile_nodes(p, totals, MOST_NODES) : profile_totals(p, totals, MOST_OPS);
    double sum = 0;

    for (size_t k = 0; k < n; k++)
        sum += (double)totals[k].nanoseconds;
    say("\n%-24s %7s %10s %6s %9s %8s %10s%s\n", "Operator", "Calls", "ms", "%", "GFLOP/s", "GB/s", "% of peak",
        b->o->nodes ? "  Node" : "");
    for (size_t k = 0; k < n; k++)
        print_total(&totals[k], sum, peak);
}

/* Times by operator come from runs of their own: looking at the clock takes time, too. */
static bool print_operators(struct bench *b)
{
    struct engine *e = engine_of(b);
    struct profile *outer = e->profile;
    struct peak peak;
    char cpu[CPU_TEXT];
    bool ok = peak_measure(&peak, e->pool, e->budget, &b->report);

    if (!ok || !(e->profile = profile_new(e->budget, &b->report))) {
        e->profile = outer;
        return false;
    }
    say("peak     %12.1f GFLOP/s, %.1f GB/s read from memory: %s, %s\n", peak.flops / 1e9, peak.bytes / 1e9,
        cpu_text(cpu), cpu_level_name(cpu_level()));
    for (int k = 0; ok && k < PROFILED; k++)
        ok = run_once(b);
    if (ok)
        print_totals(b, e->profile, &peak);
    profile_free(e->profile);
    e->profile = outer;
    return ok;
}

static bool bench(struct bench *b)
{
    double start;

    b->idle = resident("VmRSS");
    start = now();
    b->model = open_model(b->o->model, b->limits, &b->report);
    if (!b->model || !build_model(&b->model, &b->report) || !(b->o->train ? start_trainer(b) : start_session(b)))
        return false;
    b->ready = now() - start;
    if (!run_once(b))
        return false;
    b->first = now() - start - b->ready;
    for (int k = 1; k < WARM_UP; k++)
        if (!run_once(b))
            return false;
    if (!measure(b))
        return false;
    print_times(b);
    return b->o->brief || print_operators(b);
}

/* -- the verb -- */

enum { KEY_TRAIN = 256, KEY_DURATION, KEY_NODES, KEY_BRIEF, KEY_EXACT };

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
    case KEY_DURATION:
        o->duration = option_real(state, "duration", arg, 0, 86400);
        return 0;
    case 'O':
        o->optimizer = arg;
        return 0;
    case KEY_NODES:
        o->nodes = true;
        return 0;
    case KEY_BRIEF:
        o->brief = true;
        return 0;
    case KEY_EXACT:
        o->exact = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
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
        { "train", KEY_TRAIN, NULL, 0, "steps of training on random samples, not inference", 0 },
        { "optimizer", 'O', "NAME[:KEY=VALUE,...]", 0, "of the training: {optimizers} (" DEFAULT_OPTIMIZER ")", 0 },
        { "batch", 'b', "N", 0, "the first dimension, where the model leaves it open (1; 32 with --train)", 0 },
        { "threads", 't', "N", 0, "threads (0: one for each CPU)", 0 },
        { "duration", KEY_DURATION, "S", 0, "go on for so long, at least three runs (2)", 0 },
        { "nodes", KEY_NODES, NULL, 0, "tell each node, not each operator", 0 },
        { "brief", KEY_BRIEF, NULL, 0, "leave the operators out", 0 },
        { "exact", KEY_EXACT, NULL, 0, "no ways that are faster and round worse", 0 },
        { 0 },
    };
    const struct argp argp = {
        options,
        parse_option,
        "MODEL",
        "Tell how long a model takes on random numbers: median and minimum, memory, time by operator."
        "\vThe rates count each multiplication and addition of convolutions and matrix products, and each byte of a "
        "node's tensors once. The last column is the share of the nearer limit: of the arithmetic ('flops') or of "
        "reading memory ('bytes') as measured on this machine at the start. It passes 100 where tensors stay in "
        "caches, "
        "and where a way with fewer multiplications (Winograd's) is taken.",
        limits_options,
        help_filled,
        NULL
    };
    struct options o = { .duration = 2 };
    struct teller teller = { 0 };
    struct bench b = { .o = &o, .limits = &o.limits, .report = { .notify = tell_each, .user = &teller } };
    int code = 0;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    teller.file = o.model;
    if (!o.batch)
        o.batch = o.train ? 32 : 1;
    b.budget = budget_within(&o.limits);
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
