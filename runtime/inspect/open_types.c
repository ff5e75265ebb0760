#include "inspect/open_types.h"
#include "kernels/kernels.h"
#include "plan/given.h"
#include <stdio.h>
#include <string.h>

static const char *symbol_of(const struct value *v, int d)
{
    return v->dim_names && v->dim_names[d] ? v->dim_names[d] : d ? NULL : "N";
}

static int find_symbol(const struct open_types *o, const char *name)
{
    for (int k = 0; name && k < o->count; k++)
        if (strcmp(o->names[k], name) == 0)
            return k;
    return -1;
}

static void collect_symbols(struct open_types *o)
{
    for (size_t k = 0; k < o->graph->input_count; k++) {
        const struct value *v = o->graph->inputs[k];

        for (int d = 0; d < v->type.rank; d++) {
            const char *name = v->type.dims[d] < 0 ? symbol_of(v, d) : NULL;

            if (name && o->count < MAX_SYMBOLS && find_symbol(o, name) < 0)
                o->names[o->count++] = name;
        }
    }
}

/* Plans with dimension `changed` (-1: none) at another number; `other` is for those that have no name of their own. */
static struct program *plan_once(const struct open_types *o, int changed, int64_t other, struct budget *b,
                                 struct report *r)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = b, .report = r };
    struct arena arena = { .budget = b };
    struct tensor *types = given_types(o->graph, &arena, r);
    struct program *p = NULL;

    for (size_t k = 0; types && k < o->graph->value_count; k++) {
        const struct value *v = o->graph->values[k];
        struct tensor *t = &types[k];

        if (v->initializer || v->producer)
            continue;
        *t = v->type;
        for (int d = 0; d < t->rank; d++) {
            const int s = t->dims[d] < 0 ? find_symbol(o, symbol_of(v, d)) : -1;

            if (t->dims[d] < 0)
                t->dims[d] = s < 0 ? other : o->numbers[s] + (s == changed);
        }
    }
    if (types)
        p = plan_types(o->graph, types, NULL, &c);
    arena_release(&arena);
    return p;
}

/* What memory is wanting for is no fault of the model. */
static bool wants_memory(const struct report *quiet, struct report *r)
{
    if (quiet->error.code != KILN_NO_MEMORY && quiet->error.code != KILN_LIMIT)
        return false;
    return !fail(r, quiet->error.code, quiet->error.where, "%s", quiet->error.message);
}

bool open_types_find(struct open_types *o, const struct graph *g, struct budget *b, struct report *r)
{
    static const int64_t sizes[] = {
        8, 64, 224, 1
    }; /* of all but the first, which is the batch: a picture must not be too small */

    int64_t other = 1; /* the size that could be planned */

    *o = (struct open_types){ .graph = g };
    collect_symbols(o);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes && !o->plan; k++) {
        struct report quiet = { 0 };

        for (int s = 0; s < o->count; s++)
            o->numbers[s] = s ? sizes[k] : 2;
        other = sizes[k];
        o->plan = plan_once(o, -1, other, b, &quiet);
        if (wants_memory(&quiet, r) || !budget_in_time(b, g->path, r))
            return false;
    }
    for (int s = 0; s < o->count && o->plan; s++) {
        struct report quiet = { 0 };

        o->plans[s] = plan_once(o, s, other, b, &quiet);
        if (wants_memory(&quiet, r) || !budget_in_time(b, g->path, r))
            return false;
    }
    if (o->plan) {
        struct report quiet = { 0 };

        o->unnamed = plan_once(o, -1, other + 1, b, &quiet);
        return !wants_memory(&quiet, r) && budget_in_time(b, g->path, r);
    }
    return true;
}

void open_types_release(struct open_types *o)
{
    program_free(o->plan);
    program_free(o->unnamed);
    for (int s = 0; s < o->count; s++)
        program_free(o->plans[s]);
}

/* A dimension that depends on one open one is a line in it, nearly always. */
static int put_dimension(const struct open_types *o, const struct value *v, int d, char *to, size_t room)
{
    const int64_t n = o->plan->types[v->id].dims[d];
    int on = -1;
    int64_t slope = 0, rest;

    if (n < 0 || (o->unnamed && o->unnamed->types[v->id].rank > d && o->unnamed->types[v->id].dims[d] != n))
        return snprintf(to, room, "?");
    for (int s = 0; s < o->count; s++) {
        const struct tensor *t = o->plans[s] ? &o->plans[s]->types[v->id] : NULL;

        if (!t || t->rank <= d || t->dims[d] < 0 || t->dims[d] == n)
            continue;
        if (on >= 0)
            return snprintf(to, room, "?");
        on = s;
        slope = t->dims[d] - n;
    }
    if (on < 0)
        return snprintf(to, room, "%lld", (long long)n);
    rest = n - slope * o->numbers[on];
    if (slope == 1 && !rest)
        return snprintf(to, room, "%s", o->names[on]);
    if (slope == 1)
        return snprintf(to, room, "%s%+lld", o->names[on], (long long)rest);
    return rest ? snprintf(to, room, "%lld*%s%+lld", (long long)slope, o->names[on], (long long)rest)
                : snprintf(to, room, "%lld*%s", (long long)slope, o->names[on]);
}

static const char *declared_text(const struct value *v, char buffer[TYPE_TEXT])
{
    size_t n;

    if (!v->has_type || v->type.kind != TENSOR || v->type.rank < 0)
        return v->has_type ? tensor_text(&v->type, buffer) : strcpy(buffer, "?");
    n = (size_t)snprintf(buffer, TYPE_TEXT, "%s[", dtype_name(v->type.dtype));
    for (int d = 0; d < v->type.rank && n + 64 < TYPE_TEXT; d++) {
        const char *name = v->type.dims[d] < 0 ? symbol_of(v, d) : NULL;

        n += (size_t)(v->type.dims[d] >= 0
                          ? snprintf(buffer + n, TYPE_TEXT - n, "%s%lld", d ? "," : "", (long long)v->type.dims[d])
                          : snprintf(buffer + n, TYPE_TEXT - n, "%s%.40s", d ? "," : "", name ? name : "?"));
    }
    snprintf(buffer + n, TYPE_TEXT - n, "]");
    return buffer;
}

const char *open_type_text(const struct open_types *o, const struct value *v, char buffer[TYPE_TEXT])
{
    const bool ours = o->plan && (size_t)v->id < o->graph->value_count && o->graph->values[v->id] == v;
    const struct tensor *t = ours ? &o->plan->types[v->id] : NULL;
    size_t n;

    if (!t || t->kind != TENSOR || t->rank < 0)
        return t && t->kind != TENSOR ? tensor_text(t, buffer) : declared_text(v, buffer);
    n = (size_t)snprintf(buffer, TYPE_TEXT, "%s[", dtype_name(t->dtype));
    for (int d = 0; d < t->rank && n + 64 < TYPE_TEXT; d++) {
        char one[64];

        put_dimension(o, v, d, one, sizeof one);
        n += (size_t)snprintf(buffer + n, TYPE_TEXT - n, "%s%s", d ? "," : "", one);
    }
    snprintf(buffer + n, TYPE_TEXT - n, "]");
    return buffer;
}
