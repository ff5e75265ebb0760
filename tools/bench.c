/* kiln bench: how long a model takes, and where. */
#include "shapes.h"
#include <stdlib.h>
#include <string.h>

enum { LEAST_RUNS = 3, MOST_RUNS = 10000, WARM_UP = 2, PROFILED = 5, CPU_TEXT = 128 };

struct options {
    const char *model, *optimizer;
    bool train, nodes, brief, exact, recompute;
    int64_t batch;
    struct shapes shapes;
    int threads;
    double duration;
    struct limits limits;
};

struct bench {
    const struct options *o;
    struct command command;
    kiln_model *model;
    kiln_session *session; /* or: */
    kiln_trainer *trainer;
    size_t count; /* of the session's inputs */
    const char **names;
    kiln_tensor **inputs;
    kiln_tensor **x, **y; /* for the trainer, ended by NULL */
    double idle;          /* KiB of the process before it knew the model */
    double ready, first;  /* seconds until the model could run, and the first run's */
    double *times;        /* of each run, seconds */
    size_t runs;
    double flops, bytes; /* what the machine can do at most, a second */
    double sum;          /* of all times in the profile, nanoseconds */
};

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
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    struct command *c = &b->command;

    o.context = c->context;
    o.exact = b->o->exact;
    o.seconds = b->o->limits.seconds;
    if (kiln_session_new(&b->session, b->model, &o, &c->err) != KILN_OK)
        return false;
    b->names = calloc(kiln_model_input_count(b->model) + 1, sizeof *b->names);
    b->inputs = calloc(kiln_model_input_count(b->model) + 1, sizeof *b->inputs);
    if (!b->names || !b->inputs)
        return command_no_memory(c);
    for (size_t k = 0; k < kiln_model_input_count(b->model); k++) {
        const kiln_value_info *input = kiln_model_input(b->model, k);

        if (input->optional)
            continue;
        b->names[b->count] = input->name;
        b->inputs[b->count] = random_input(c, input, b->o->batch, 0, (int32_t)k);
        if (!b->inputs[b->count++])
            return false;
    }
    return true;
}

static void free_batches(kiln_tensor **t)
{
    for (size_t k = 0; t && t[k]; k++)
        kiln_tensor_free(t[k]);
    free(t);
}

/* A batch for each input of the trainer, or for the labels of each target. */
static kiln_tensor **random_batches(struct bench *b, bool labels)
{
    const size_t count = labels ? kiln_trainer_target_count(b->trainer) : kiln_trainer_input_count(b->trainer);
    kiln_tensor **t = calloc(count + 1, sizeof *t);

    if (!t)
        command_no_memory(&b->command);
    for (size_t k = 0; t && k < count; k++) {
        const kiln_value_info *v = labels ? kiln_trainer_labels(b->trainer, k) : kiln_trainer_input(b->trainer, k);

        t[k] = random_input(&b->command, v, b->o->batch, k, labels);
        if (!t[k]) {
            free_batches(t);
            return NULL;
        }
    }
    return t;
}

/* Random samples; labels are 0 and 1, which every classifier has. */
static bool start_trainer(struct bench *b)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    struct command *c = &b->command;

    o.context = c->context;
    o.optimizer = b->o->optimizer;
    o.exact = b->o->exact;
    o.recompute = b->o->recompute;
    o.seconds = b->o->limits.seconds;
    kiln_trainer_new(&b->trainer, b->model, &o, &c->err);
    kiln_model_free(b->model); /* the trainer has its own */
    b->model = NULL;
    if (!b->trainer)
        return false;
    b->x = random_batches(b, false);
    b->y = b->x ? random_batches(b, true) : NULL;
    return b->y;
}

static bool run_once(struct bench *b)
{
    kiln_error *err = &b->command.err;

    if (b->trainer)
        return kiln_trainer_step_all(b->trainer, (const kiln_tensor *const *)b->x, (const kiln_tensor *const *)b->y,
                                     NULL, err) == KILN_OK;
    return kiln_session_run(b->session, b->count, b->names, (const kiln_tensor *const *)b->inputs, err) == KILN_OK;
}

/* -- measuring -- */

static bool measure(struct bench *b)
{
    const double start = seconds_now();
    double before = start;

    b->times = calloc(MOST_RUNS, sizeof *b->times);
    if (!b->times)
        return command_no_memory(&b->command);
    while (b->runs < MOST_RUNS && (b->runs < LEAST_RUNS || before - start < b->o->duration)) {
        double after;

        if (!run_once(b))
            return false;
        after = seconds_now();
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
    const int threads = kiln_context_threads(b->command.context);
    const double peak = resident("VmHWM");
    size_t memory;
    double median;

    if (b->trainer)
        kiln_trainer_memory(b->trainer, &memory);
    else
        kiln_session_memory(b->session, &memory);

    qsort(b->times, b->runs, sizeof *b->times, ascending);
    median = b->runs % 2 ? b->times[b->runs / 2] : (b->times[b->runs / 2 - 1] + b->times[b->runs / 2]) / 2;
    say("%s: %s, batch %lld, %d thread%s, %zu runs\n", b->o->model, b->trainer ? "training steps" : "inference",
        (long long)b->o->batch, threads, threads == 1 ? "" : "s", b->runs);
    say("median   %12.3f ms\n", median * 1e3);
    say("minimum  %12.3f ms\n", b->times[0] * 1e3);
    say("ready    %12.3f ms after reading the model began; the first run took %.3f ms\n", b->ready * 1e3,
        b->first * 1e3);
    say("memory   %12.3f MiB at most for plans, values and state\n", (double)memory / 1048576);
    say("resident %12.3f MiB at most, %.3f MiB more than before the model was read\n", peak / 1024,
        (peak - b->idle) / 1024);
}

/* -- where the time goes -- */

static const char *cpu_text(char buffer[CPU_TEXT])
{
    static const char key[] = "model name";
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "r");

    snprintf(buffer, CPU_TEXT, "a CPU without a name");
    while (f && fgets(line, sizeof line, f)) {
        char *value = strncmp(line, key, sizeof key - 1) == 0 ? strchr(line, ':') : NULL;

        if (!value)
            continue;
        value += strspn(value, ": ");
        value[strcspn(value, "\n")] = 0;
        snprintf(buffer, CPU_TEXT, "%s", value);
        break;
    }
    if (f)
        fclose(f);
    return buffer;
}

static bool add_time(void *user, const kiln_time *t)
{
    struct bench *b = user;

    b->sum += (double)t->nanoseconds;
    return true;
}

/* Rates are empty where there is no such work. The share is that of the limit which comes nearer: in the time that
 * arithmetic, or memory, must take at least. */
static bool print_time(void *user, const kiln_time *t)
{
    const struct bench *b = user;
    const double seconds = (double)t->nanoseconds / 1e9, ms = seconds * 1e3 / PROFILED;
    const double flops = seconds > 0 ? t->flops / seconds : 0, bytes = seconds > 0 ? t->bytes / seconds : 0;
    const double arithmetic = flops / b->flops, memory = bytes / b->bytes;
    char rate[16] = "", share[16] = "";

    if (flops > 0)
        snprintf(rate, sizeof rate, "%.1f", flops / 1e9);
    if (arithmetic > 0 || memory > 0)
        snprintf(share, sizeof share, "%.0f %s", 100 * (arithmetic > memory ? arithmetic : memory),
                 arithmetic > memory ? "flops" : "bytes");
    say("%-24.24s %7.4g %10.3f %6.1f %9s %8.1f %10s", t->op, (double)t->calls / PROFILED, ms,
        b->sum > 0 ? 100 * (double)t->nanoseconds / b->sum : 0, rate, bytes / 1e9, share);
    if (t->node)
        say("  %s  %s", t->node, t->shapes);
    putchar('\n');
    return true;
}

static bool each_time(struct bench *b, kiln_time_fn each)
{
    kiln_error *err = &b->command.err;

    return (b->trainer ? kiln_trainer_times(b->trainer, b->o->nodes, each, b, err)
                       : kiln_session_times(b->session, b->o->nodes, each, b, err)) == KILN_OK;
}

/* Times by operator come from runs of their own: looking at the clock takes time, too. */
static bool print_operators(struct bench *b)
{
    struct command *c = &b->command;
    char cpu[CPU_TEXT];
    bool ok = kiln_machine_measure(c->context, &b->flops, &b->bytes, &c->err) == KILN_OK &&
              (b->trainer ? kiln_trainer_set_profile(b->trainer, true, &c->err)
                          : kiln_session_set_profile(b->session, true, &c->err)) == KILN_OK;

    if (!ok)
        return false;
    say("peak     %12.1f GFLOP/s, %.1f GB/s read from memory: %s, %s\n", b->flops / 1e9, b->bytes / 1e9, cpu_text(cpu),
        kiln_machine_isa());
    for (int k = 0; ok && k < PROFILED; k++)
        ok = run_once(b);
    if (!ok || !each_time(b, add_time))
        return false;
    say("\n%-24s %7s %10s %6s %9s %8s %10s%s\n", "Operator", "Calls", "ms", "%", "GFLOP/s", "GB/s", "% of peak",
        b->o->nodes ? "  Node" : "");
    return each_time(b, print_time);
}

static bool bench(struct bench *b)
{
    double start;

    b->idle = resident("VmRSS");
    start = seconds_now();
    b->model = open_filled_model(&b->command, b->o->model, 0, NULL);
    if (b->model && !shapes_set(&b->o->shapes, &b->command, &b->model))
        return false;
    if (!b->model || !(b->o->train ? start_trainer(b) : start_session(b)))
        return false;
    b->ready = seconds_now() - start;
    if (!run_once(b))
        return false;
    b->first = seconds_now() - start - b->ready;
    for (int k = 1; k < WARM_UP; k++)
        if (!run_once(b))
            return false;
    if (!measure(b))
        return false;
    print_times(b);
    return b->o->brief || print_operators(b);
}

static void release(struct bench *b)
{
    for (size_t k = 0; k < b->count; k++)
        kiln_tensor_free(b->inputs[k]);
    free(b->inputs);
    free(b->names);
    free(b->times);
    free_batches(b->x);
    free_batches(b->y);
    kiln_trainer_free(b->trainer);
    kiln_session_free(b->session);
    kiln_model_free(b->model);
}

/* -- the verb -- */

enum { KEY_TRAIN = 256, KEY_DURATION, KEY_NODES, KEY_BRIEF, KEY_EXACT, KEY_RECOMPUTE };

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
    case KEY_RECOMPUTE:
        o->recompute = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        state->child_inputs[1] = &o->shapes;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->model, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "needs a model");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    { "train", KEY_TRAIN, NULL, 0, "steps of training on random samples, not inference", 0 },
    { "optimizer", 'O', "OPTIMIZER[:KEY=VALUE,...]", 0, "of the training: {optimizers} (adam)", 0 },
    { "batch", 'b', "N", 0, "the first dimension, where the model leaves it open (1; 32 with --train)", 0 },
    { "threads", 't', "N", 0, "threads (0: one for each CPU)", 0 },
    { "duration", KEY_DURATION, "S", 0, "go on for so long, at least three runs (2)", 0 },
    { "nodes", KEY_NODES, NULL, 0, "tell each node, not each operator", 0 },
    { "brief", KEY_BRIEF, NULL, 0, "leave the operators out", 0 },
    { "exact", KEY_EXACT, NULL, 0, "no ways that are faster and round worse", 0 },
    { "recompute", KEY_RECOMPUTE, NULL, 0, "with --train: what a step keeps for its way back is made again", 0 },
    { 0 },
};

static const struct argp argp = {
    argp_options,
    parse_option,
    "MODEL",
    "Tell how long a model takes on random numbers: median and minimum, memory, time by operator."
    "\vThe rates count each multiplication and addition of convolutions and matrix products, and each byte of a "
    "node's tensors once. The last column is the share of the nearer limit: of the arithmetic ('flops') or of "
    "reading memory ('bytes') as measured on this machine at the start. It passes 100 where tensors stay in "
    "caches, "
    "and where a way with fewer multiplications (Winograd's) is taken.",
    shaped_options,
    help_filled,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { .duration = 2 };
    static struct bench b;
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    if (!o.batch)
        o.batch = o.train ? 32 : 1;
    b.o = &o;
    b.command.limits = o.limits;
    ok = command_start(&b.command, o.threads) && bench(&b);
    release(&b);
    return command_end(&b.command, ok);
}

const struct verb verb_bench = {
    "bench",
    "tell how long a model takes, and where",
    run,
    &argp,
    "How long inference takes, and a training step, each node:\n"
    "    kiln bench model.onnx --batch 8\n"
    "    kiln bench model.onnx --train --optimizer sgd:momentum=0.9 --nodes\n",
};
