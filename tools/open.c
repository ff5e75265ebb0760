#include "base/random.h"
#include "data/element.h"
#include "tools.h"
#include "train/initialise.h"
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- models -------------------------------------------------------------------------------------------------------- */

static bool give_values(struct model **m, struct report *r)
{
    const struct initialise_options o = { 0 };
    struct model *filled;
    size_t count;

    if (!model_needs_values(*m))
        return true;
    filled = model_initialise(*m, &o, &count, r);
    if (!filled)
        return false;
    model_free(*m);
    *m = filled;
    return model_build(filled, r);
}

bool build_model(struct model **m, struct report *r)
{
    return model_build(*m, r) && give_values(m, r);
}

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

size_t memory_default(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    const size_t machine = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX, group = memory_of_group();
    const size_t least = machine < group ? machine : group;

    return least == SIZE_MAX ? 0 : least / 4 * 3;
}

struct model *open_model(const char *path, struct report *r)
{
    const struct model_options o = { .limits = SCAN_LIMITS_INIT, .memory = memory_default() };

    return model_read(path, &o, r);
}

/* -- inputs -------------------------------------------------------------------------------------------------------- */

enum { MOST_MADE_UP = 1 << 30 }; /* bytes */

struct tensor closed_type(const struct value *v, int64_t batch)
{
    struct tensor t = v->type;

    for (int d = 0; d < t.rank; d++)
        if (t.dims[d] < 0)
            t.dims[d] = d ? 1 : batch;
    return t;
}

bool random_input(struct tensor *t, const char *name, uint64_t seed, int64_t stream, struct arena *arena,
                  struct report *r)
{
    int64_t n;
    float *floats;

    if (t->kind != TENSOR || !tensor_known(t) || !dtype_size(t->dtype))
        return fail(r, KILN_BAD_ARGUMENT, NULL, "input '%s' must be given, its type is too open to be made up", name);
    if (tensor_bytes(t) > MOST_MADE_UP)
        return fail(r, KILN_LIMIT, NULL, "input '%s' must be given, with %lld bytes it is too big to be made up", name,
                    (long long)tensor_bytes(t));
    n = tensor_count(t);
    t->data = arena_alloc(arena, (size_t)tensor_bytes(t), r);
    floats = arena_alloc(arena, (size_t)n * sizeof *floats, r);
    if (!t->data || !floats)
        return false;
    random_uniform(floats, n, seed, random_stream((int32_t)stream, 0), 0);
    for (int64_t k = 0; k < n; k++)
        if (dtype_is_float(t->dtype))
            element_put(t->data, k, t->dtype, (double)floats[k]);
        else if (element_getter(t->dtype) && t->dtype != BOOL)
            element_put_int(t->data, k, t->dtype, floats[k] < 0.5f ? 0 : 1);
    return true;
}

/* -- options ------------------------------------------------------------------------------------------------------- */

int64_t option_number(struct argp_state *state, const char *name, const char *arg, int64_t least, int64_t most)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(arg, &end, 10);
    if (end == arg || *end || errno || n < least || n > most)
        argp_error(state, "--%s is '%s', must be a whole number from %lld to %lld", name, arg, (long long)least,
                   (long long)most);
    return n;
}

int print_text(struct text *t)
{
    if (t->failed)
        return tell_error(NULL, &t->report->error);
    if (t->length)
        fwrite(t->data, 1, t->length, stdout);
    return 0;
}
