#include "plan/given.h"

struct tensor *given_types(const struct graph *g, struct arena *a, struct report *r)
{
    struct tensor *given = arena_array(a, g->value_count, sizeof *given, r);

    for (size_t k = 0; given && k < g->value_count; k++) {
        given[k].rank = UNKNOWN;
        if (g->values[k]->initializer)
            given[k] = *g->values[k]->initializer;
    }
    return given;
}

struct tensor given_closed(const struct tensor *type, int64_t open)
{
    struct tensor t = *type;

    for (int d = 0; d < t.rank; d++)
        t.dims[d] = t.dims[d] < 0 ? open : t.dims[d];
    return t;
}

void given_captures(const struct graph *sub, const struct tensor *types, struct tensor *given, bool *content)
{
    for (size_t k = 0; k < sub->capture_count; k++) {
        const int id = sub->captures[k].inner->id;

        given[id] = types[sub->captures[k].outer->id];
        content[id] = given[id].data;
    }
}
