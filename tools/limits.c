/* What a verb may take: options that all verbs which read a model have. */
#include "tools.h"
#include <stdio.h>
#include <unistd.h>

enum { KEY_SECONDS = 0x1000, KEY_LINKS, DEFAULT_SECONDS = 60 };

/* A container may have less than the machine. */
static size_t memory_of_group(void)
{
    static const char *const files[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
    unsigned long long bytes = 0;

    for (int k = 0; k < 2 && !bytes; k++) {
        FILE *f = fopen(files[k], "r");

        if (f && fscanf(f, "%llu", &bytes) != 1)
            bytes = 0;
        if (f)
            fclose(f);
    }
    return bytes ? (size_t)bytes : SIZE_MAX;
}

/* Three quarters of what there is, 0 where that is not known: a model that asks for more gets an error, and the system
 * is not brought to its knees. */
static size_t memory_default(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    const size_t machine = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX, group = memory_of_group();
    const size_t least = machine < group ? machine : group;

    return least == SIZE_MAX ? 0 : least / 4 * 3;
}

struct limits limits_default(void)
{
    return (struct limits){ .memory = memory_default(), .seconds = DEFAULT_SECONDS };
}

double limits_data_seconds(const struct limits *limits, bool streamed)
{
    return streamed && !limits->said ? 0 : limits->seconds;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct limits *limits = state->input;

    switch (key) {
    case 'm':
        limits->memory = (size_t)option_number(state, "memory", arg, 0, (int64_t)(SIZE_MAX >> 21)) << 20;
        return 0;
    case KEY_SECONDS:
        limits->seconds = option_real(state, "seconds", arg, 0, 1e9);
        limits->said = true;
        return 0;
    case KEY_LINKS:
        limits->links = arg;
        return 0;
    case ARGP_KEY_INIT:
        *limits = limits_default();
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "memory", 'm', "MIB", 0, "for all that is kept (three quarters of the machine's; 0: no limit)", 0 },
    { "seconds", KEY_SECONDS, "S", 0,
      "that loading, planning, and each run or step may compute (60, but for data that are streamed; 0: no limit)", 0 },
    { "follow-links", KEY_LINKS, "DIR", 0,
      "a model's external data may be links to files below DIR, such as a cache, too (only to below the model's own "
      "directory)",
      0 },
    { 0 },
};

const struct argp limits_argp = { .options = options, .parser = parse_option };

const struct argp_child limits_options[] = { { &limits_argp, 0, "Limits:", 9 }, { 0 } };
